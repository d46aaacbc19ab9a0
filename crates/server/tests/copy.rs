//! `highwater store copy` as a program: what it says, and that it may be killed at any moment.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail")]
#![cfg(unix)]

use std::{
    collections::BTreeMap,
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use highwater::system::SystemClock;
use model::{CollectionId, Guid, ItemFlags, Random as _, RootId, SeededRandom, Time};
use store::{
    Commit, NameTarget, NewItem, NewItemId, PartData, RootKind, Snapshot, Store, TransferLimit, TransferRow, Write,
    battery::block_on,
};
use store_sqlite::{Options, SqliteStore};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_highwater");
/// Copies that are killed at most.
const KILLS_MAX: usize = 30;
/// Messages of the store that is copied, over all of its roots.
const MESSAGES: usize = 4_000;
const ROOTS: usize = 2;

fn copy(from: &Path, to: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["store", "copy", "--from"]).arg(from).arg("--to").arg(to).args(more);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(mut command: Command) -> (bool, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.success(), [stdout, stderr].map(|text| String::from_utf8(text).unwrap()).concat())
}

/// Adds an account, and with it the control root.
fn add_account(data: &Path) {
    let mut command = Command::new(PROGRAM);
    command.args(["account", "add", "anna@example.com", "--password-stdin", "--data"]).arg(data);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"a password of tests\n").unwrap();
    assert!(child.wait().unwrap().success());
}

/// Roots with messages of a few kilobytes, of which some have a large attachment, beside the accounts of the command line.
fn fill(directory: &Path, messages: usize) {
    let store = SqliteStore::open(directory, Options::new(1)).unwrap();
    let random = SeededRandom::new(1);
    let noise = |bytes: usize| {
        let mut noise = vec![0; bytes];
        random.fill(&mut noise);
        noise
    };
    for root in (0..ROOTS).map(|number| RootId(1_000 + number as u64)) {
        let mut commit = Commit::new(root, Time::from_unix(1_000_000));
        commit.create_root = Some((RootKind::Mailbox, Guid::random([root.0 as u8; 16])));
        commit.writes.push(Write::CreateCollection { parent: None, bag: "folder".into() });
        block_on(store.commit(commit)).unwrap();
        for group in 0..messages / ROOTS / 400 {
            let mut commit = Commit::new(root, Time::from_unix(1_000_000 + group as i64));
            commit.operation = Some(random.guid());
            for number in 0..400 {
                let attachment = (number % 100 == 7).then(|| (16, noise(150_000)));
                let parts = [(0, noise(2_000))].into_iter().chain(attachment);
                commit.writes.push(Write::CreateItem(NewItem {
                    collection: CollectionId(1).into(),
                    id: NewItemId::Seq,
                    flags: ItemFlags::default(),
                    bag: noise(300).into(),
                    parts: parts.map(|(part, bytes)| PartData { part, bytes: bytes.into() }).collect(),
                }));
                let (name, target) = (random.guid().0.to_vec().into(), NameTarget::Id(number));
                commit.writes.push(Write::PutName { scope: 1, name, target });
            }
            block_on(store.commit(commit)).unwrap();
        }
    }
}

fn rows(view: &mut dyn Snapshot, each: &mut dyn FnMut(&TransferRow)) {
    let mut after = None;
    loop {
        let page = block_on(view.transfer(after.as_ref(), TransferLimit::MAX)).unwrap();
        page.rows.iter().for_each(&mut *each);
        after = page.rows.last().map(TransferRow::key);
        if !page.more {
            return;
        }
    }
}

/// Compares all rows of all roots, with the bytes of their parts.
fn same(from: &Path, to: &Path) {
    let (from, to) =
        (SqliteStore::open(from, Options::new(5)).unwrap(), SqliteStore::open(to, Options::new(6)).unwrap());
    let roots = |store: &SqliteStore| block_on(store.roots(None, 1_000)).unwrap().rows;
    assert_eq!(roots(&to), roots(&from));
    for root in roots(&from) {
        let mut expected = Vec::new();
        rows(block_on(from.snapshot(root.root)).unwrap().as_mut(), &mut |row| expected.push(row.clone()));
        let mut expected = expected.into_iter();
        rows(block_on(to.snapshot(root.root)).unwrap().as_mut(), &mut |row| {
            assert_eq!(Some(row), expected.next().as_ref())
        });
        assert_eq!(expected.next(), None);
    }
}

fn digest(said: &str) -> String {
    said.lines().find_map(|line| line.strip_prefix("sha256 ")).unwrap().to_owned()
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Copies to `whole`, and to `killed` while the program is killed again and again; then back from there.
fn killed_until_it_is_there(whole: &Path, killed: &Path, to_killed: &[&str], from_killed: &[&str]) {
    let place = folder();
    let (source, back) = (place.path().join("source"), place.path().join("back"));
    fill(&source, MESSAGES);
    add_account(&source);
    // How long it takes undisturbed says when to strike.
    let begun = Instant::now();
    let (done, said) = run(copy(&source, whole, &[]));
    let undisturbed = begun.elapsed();
    assert!(done, "{said}");
    let expected = digest(&said);

    let random = SeededRandom::new(7);
    let mut kills = 0;
    let said = loop {
        let mut child = copy(&source, killed, to_killed).spawn().unwrap();
        // Later and later, so that it comes to an end.
        let part = random.number() % 1_000 * (8 + kills as u64) / 8;
        let until = Instant::now() + undisturbed.mul_f64(part as f64 / 4_000.0);
        while Instant::now() < until && child.try_wait().unwrap().is_none() {
            thread::park_timeout(Duration::from_millis(1));
        }
        // Nothing happens where it has ended.
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        if output.status.success() {
            break String::from_utf8(output.stdout).unwrap();
        }
        assert_eq!(output.status.code(), None, "{}", String::from_utf8_lossy(&output.stderr));
        kills += 1;
        assert!(kills < KILLS_MAX);
    };
    println!("killed {kills} times; {undisturbed:?} undisturbed");
    assert!(kills > 2);
    assert_eq!(digest(&said), expected);
    let (done, said) = run(copy(killed, &back, from_killed));
    assert!(done && digest(&said) == expected, "{said}");
    same(&source, &back);
}

#[test]
fn a_copy_that_is_killed_goes_on_until_it_is_there() {
    let place = folder();
    killed_until_it_is_there(&place.path().join("whole"), &place.path().join("killed"), &[], &[]);
}

#[test]
fn a_copy_to_postgres_that_is_killed_goes_on_until_it_is_there() {
    let test = "a_copy_to_postgres_that_is_killed_goes_on_until_it_is_there";
    let Some(cluster) = cluster::or_skip(cluster::shared(), test) else { return };
    let [whole, killed] = [(); 2].map(|()| cluster.fresh_url());
    // One with its large parts in rows, the other as objects.
    let objects = folder();
    let url = format!("file://{}", objects.path().display());
    let (to, from) = (["--to-blobs", &url], ["--from-blobs", &url]);
    killed_until_it_is_there(Path::new(&whole), Path::new(&killed), &to, &from);
}

#[test]
fn the_command_says_what_to_do() {
    let place = folder();
    let [source, target, other] = ["source", "target", "other"].map(|name| place.path().join(name));
    let failed = |from: &Path, to: &Path, more: &[&str]| {
        let (done, said) = run(copy(from, to, more));
        assert!(!done, "{said}");
        said
    };
    assert!(failed(&source, &target, &[]).contains("there is no data in"));
    fill(&source, 800);
    let said = failed(&source, &target, &[]);
    assert!(said.contains("the source has no accounts: it is empty, or a copy that was not finished"), "{said}");
    assert!(failed(&source, &target, &["--root", "anna@example.com"]).contains("the source has no accounts"));
    add_account(&source);
    assert!(failed(&source, &target, &["--root", "bert@example.com"]).contains("there is no account bert@example.com"));
    assert!(failed(&source, &target, &["--root", "/sites/none"]).contains("there is no site /sites/none"));
    // Nobody has opened the mailbox so far.
    assert!(failed(&source, &target, &["--root", "anna@example.com"]).contains("the source has nothing of it yet"));
    let mut import = Command::new(PROGRAM);
    std::fs::write(place.path().join("one.eml"), "Subject: one\r\n\r\ntext\r\n").unwrap();
    import.args(["import", "anna@example.com"]).arg(place.path().join("one.eml")).arg("--data").arg(&source);
    assert!(run(import).0);
    let (done, said) = run(copy(&source, &target, &["--root", "anna@example.com"]));
    assert!(done && said.contains("copied 1 roots, "), "{said}");
    assert!(said.contains("the copy can be served when the rest is there too"), "{said}");
    let said = failed(&target, &other, &[]);
    assert!(said.contains("a copy that was not finished"), "{said}");

    let (done, said) = run(copy(&source, &target, &[]));
    assert!(done && said.contains("copied 4 roots, "), "{said}");
    assert!(said.contains(&format!("serve it: highwater serve --data {}", target.display())), "{said}");
    same(&source, &target);
    // Again, and from the copy: the same.
    let expected = digest(&said);
    for (from, to) in [(&source, &target), (&target, &other), (&other, &source)] {
        let (done, said) = run(copy(from, to, &[]));
        assert!(done && digest(&said) == expected, "{said}");
    }
    // The copy goes its own way.
    let mut remove = Command::new(PROGRAM);
    remove.args(["account", "remove", "anna@example.com", "--data"]).arg(&target).stdin(Stdio::null());
    assert!(run(remove).0);
    let said = failed(&source, &target, &[]);
    assert!(said.contains("the target holds other data (root 0): give an empty one"), "{said}");
}

/// A site with its lists, which are made when it is first opened.
fn add_site(data: &Path) {
    let mut command = Command::new(PROGRAM);
    command.args(["site", "add", "/sites/team", "--owner", "anna@example.com", "--data"]).arg(data);
    assert!(run(command).0);
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(data, Options::new(3)).unwrap());
    block_on(async {
        let (clock, random) = (Arc::new(SystemClock), Arc::new(SeededRandom::new(5)));
        let engine = engine::Engine::open(store, clock, random, engine::Settings::default()).await.unwrap();
        let anna = engine.directory().account("anna@example.com").await.unwrap().unwrap();
        engine.open_site(&anna.caller, "/sites/team").await.unwrap();
        engine.open_mailbox(&anna.caller, engine::MailboxName::Own).await.unwrap();
    });
}

/// The commands of `docs/moving.md`, in their order, with other paths and without those that serve.
#[test]
fn the_commands_of_the_manual_work() {
    let place = folder();
    let manual = include_str!("../../../docs/moving.md");
    let commands: Vec<&str> =
        manual.lines().filter_map(|line| line.strip_prefix("    highwater store copy ")).collect();
    assert!(commands.len() >= 4, "{commands:?}");
    let source = place.path().join("var-lib-highwater");
    std::fs::create_dir_all(&source).unwrap();
    add_account(&source);
    add_site(&source);
    let mut databases = BTreeMap::new();
    for words in commands {
        let mut command = Command::new(PROGRAM);
        command.args(["store", "copy"]);
        let needs_database = words.contains("postgres://");
        let cluster = needs_database.then(|| cluster::or_skip(cluster::shared(), words)).flatten();
        if needs_database && cluster.is_none() {
            continue;
        }
        for word in words.split(' ') {
            let folder = word.strip_prefix("/var/lib/").or_else(|| word.strip_prefix("/mnt/"));
            if let Some(name) = folder {
                command.arg(place.path().join(format!("var-lib-{name}")));
            } else if word.starts_with("postgres://") {
                command.arg(databases.entry(word).or_insert_with(|| cluster.unwrap().fresh_url()));
            } else if let Some(name) = word.strip_prefix("s3://") {
                command.arg(format!("file://{}", place.path().join(name.replace('/', "-")).display()));
            } else {
                command.arg(word);
            }
        }
        let (done, said) = run(command);
        assert!(done && said.contains("read back from both sides they are the same:"), "{words}: {said}");
    }
    same(&source, &place.path().join("var-lib-highwater-again"));
}

/// Bytes of a part that is copied while the memory of the program is watched.
const LARGE_BYTES: usize = 120 << 20;
/// KiB of memory that the program may take meanwhile, its code and the caches of both stores included.
const MEMORY_KIB_MAX: u64 = 84 << 10;

#[test]
#[cfg(target_os = "linux")]
fn a_large_part_takes_little_memory() {
    let (from, to) = (folder(), folder());
    let source = from.path().join("data");
    fill(&source, 0);
    add_account(&source);
    {
        let store = SqliteStore::open(&source, Options::new(2)).unwrap();
        let mut part = vec![7; LARGE_BYTES];
        SeededRandom::new(3).fill(&mut part[..1_000]);
        let mut commit = Commit::new(RootId(1_000), Time::from_unix(2_000_000));
        commit.writes.push(Write::CreateItem(NewItem {
            collection: CollectionId(1).into(),
            id: NewItemId::Seq,
            flags: ItemFlags::default(),
            bag: "bag".into(),
            parts: vec![PartData { part: 16, bytes: part.into() }],
        }));
        block_on(store.commit(commit)).unwrap();
    }
    let place = to.path();
    let mut ways = vec![(source.clone(), place.join("data"))];
    let test = "a_large_part_takes_little_memory with a database";
    if let Some(cluster) = cluster::or_skip(cluster::shared(), test) {
        let database = Path::new(&cluster.fresh_url()).to_owned();
        ways.extend([(source, database.clone()), (database, place.join("back"))]);
    }
    for (from, to) in ways {
        let peak_kib = peak_kib(copy(&from, &to, &[]));
        println!("{peak_kib} KiB at most");
        assert!((1..MEMORY_KIB_MAX).contains(&peak_kib), "{peak_kib} KiB from {} to {}", from.display(), to.display());
    }
}

/// The most memory that a program takes until it ends well.
#[cfg(target_os = "linux")]
fn peak_kib(mut command: Command) -> u64 {
    let mut child = command.spawn().unwrap();
    let mut peak_kib = 0;
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib: Option<u64> = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        peak_kib = peak_kib.max(kib.unwrap_or_default());
        thread::park_timeout(Duration::from_millis(1));
    }
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    peak_kib
}
