//! The process under test: a few threads that commit and say so.

use std::{
    env,
    io::{Write as _, stdout},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use bytes::Bytes;
use model::{CollectionId, Guid, ItemFlags, ItemId, Random, RootId, SeededRandom, Time};
use store::{Commit, NewItem, NewItemId, PartData, RootKind, Store, StoreError, Write, battery::block_on};
use store_sqlite::{Options, SqliteStore, Synchronous};

/// The root that the child works on.
pub(crate) const ROOT: RootId = RootId(7);
/// The collection that its first commit creates.
pub(crate) const COLLECTION: CollectionId = CollectionId(1);
/// The number of the part that some items have.
pub(crate) const PART: u32 = 1;

const THREADS: u64 = 4;
const DIRECTORY: &str = "DURABILITY_DIRECTORY";
const SYNCHRONOUS: &str = "DURABILITY_SYNCHRONOUS";
const ROUND: &str = "DURABILITY_ROUND";
const COMMITS: &str = "DURABILITY_COMMITS";

/// The command that starts the child on `directory`. `round` sets its items apart from those of other rounds;
/// `commits` is what each thread does at most.
pub(crate) fn command(directory: &Path, synchronous: Synchronous, round: u64, commits: u64) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", "child::work", "--ignored", "--nocapture", "--test-threads", "1"])
        .env(DIRECTORY, directory)
        .env(SYNCHRONOUS, if synchronous == Synchronous::Full { "full" } else { "off" })
        .env(ROUND, round.to_string())
        .env(COMMITS, commits.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    command
}

/// The bag of an item.
pub(crate) fn bag(round: u64, thread: u64, number: u64) -> Bytes {
    format!("bag of {round}/{thread}/{number}").into()
}

/// The part of an item: none, one that lies in its row, or one that lies in a file.
pub(crate) fn part(round: u64, thread: u64, number: u64) -> Option<Bytes> {
    let length = match number % 4 {
        0 => 100_000 + number,
        2 => 60_000 + number,
        _ => return None,
    };
    let word = SeededRandom::new(round << 32 | thread << 24 | number).number().to_le_bytes();
    Some(word.repeat(length as usize / word.len()).into())
}

fn say(line: &str) {
    stdout().lock().write_all(format!("{line}\n").as_bytes()).unwrap();
}

#[test]
#[ignore = "the process under test; others start it"]
fn work() {
    let Some(directory) = env::var_os(DIRECTORY).map(PathBuf::from) else { return };
    let number = |name| env::var(name).unwrap().parse::<u64>().unwrap();
    let (round, commits) = (number(ROUND), number(COMMITS));
    let full = env::var(SYNCHRONOUS).unwrap() == "full";
    let synchronous = if full { Synchronous::Full } else { Synchronous::Off };
    let options = Options { shards: 1, synchronous, ..Options::new(round) };
    let store = SqliteStore::open(&directory, options).unwrap();
    let mut first = Commit::new(ROOT, Time::from_unix(0));
    first.create_root = Some((RootKind::Mailbox, Guid::NIL));
    first.writes.push(Write::CreateCollection { parent: None, bag: Bytes::new() });
    // Once more where a failure was injected.
    for _ in 0..2 {
        match block_on(store.commit(first.clone())) {
            Ok(_) | Err(StoreError::Conflict { .. }) => break,
            Err(StoreError::TryAgain(_) | StoreError::OutcomeUnknown(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    // The harness begins a line for itself.
    say("");
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let store = &store;
            scope.spawn(move || {
                for number in 0..commits {
                    commit(store, round, thread, number);
                }
            });
        }
    });
    let stats = store.stats();
    say(&format!("stats {} {}", stats.groups, stats.commits));
}

/// Creates an item, and deletes every fifth again.
fn commit(store: &SqliteStore, round: u64, thread: u64, number: u64) {
    let parts = part(round, thread, number).map(|bytes| PartData { part: PART, bytes: bytes.into() });
    let new = NewItem {
        collection: COLLECTION.into(),
        id: NewItemId::Seq,
        flags: ItemFlags::default(),
        bag: bag(round, thread, number),
        parts: parts.into_iter().collect(),
    };
    let item = match write(store, Write::CreateItem(new)) {
        Ok(item) => item,
        Err(StoreError::TryAgain(_)) => return say(&format!("again {round} {thread} {number}")),
        Err(StoreError::OutcomeUnknown(_)) => return say("unknown"),
        Err(error) => panic!("{error}"),
    };
    say(&format!("made {item} {round} {thread} {number}"));
    if number % 5 == 4 {
        say(&format!("drop {item}"));
        match write(store, Write::DeleteItem { item, note: Bytes::new() }) {
            Ok(_) => say(&format!("gone {item}")),
            Err(StoreError::TryAgain(_)) => say(&format!("kept {item}")),
            Err(StoreError::OutcomeUnknown(_)) => say("unknown"),
            Err(error) => panic!("{error}"),
        }
    }
}

fn write(store: &SqliteStore, write: Write) -> Result<ItemId, StoreError> {
    let mut commit = Commit::new(ROOT, Time::from_unix(1_000));
    commit.writes.push(write);
    Ok(block_on(store.commit(commit))?.write(0).item.unwrap())
}
