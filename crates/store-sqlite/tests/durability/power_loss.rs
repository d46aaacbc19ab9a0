//! Power is lost at chosen moments, by a record of the system calls of the process under test.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use model::{Random, SeededRandom};
use store_sqlite::Synchronous;

use crate::{
    child,
    replay::{Call, Disk, Fate, parse},
    verify::{Said, verify},
};

const COMMITS: u64 = 100;
/// Moments at which power is lost, besides the very end.
const CUTS: usize = 30;

/// Failures after which the search for more ends.
const FAILURES_MAX: usize = 8;

/// The shim, or `None` where there is no C compiler.
fn shim(directory: &Path) -> Option<PathBuf> {
    let shim = directory.join("shim.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/durability/shim.c");
    let built = Command::new("gcc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&shim).arg(source).arg("-ldl").status();
    match built {
        Ok(status) => {
            assert!(status.success(), "the shim does not compile");
            Some(shim)
        }
        Err(error) => {
            println!("skipped: gcc cannot be run: {error}");
            None
        }
    }
}

/// Runs the child to its end and returns what it did.
fn record(
    scratch: &Path,
    shim: &Path,
    synchronous: Synchronous,
    failing: Option<(&str, &str)>,
) -> (PathBuf, Vec<Call>) {
    let (directory, log) = (scratch.join("store"), scratch.join("log"));
    fs::create_dir(&directory).unwrap();
    let status = child::command(&directory, synchronous, 1, COMMITS)
        .env("LD_PRELOAD", shim)
        .env("POWER_LOSS_DIR", &directory)
        .env("POWER_LOSS_LOG", &log)
        .envs(failing)
        .output()
        .unwrap()
        .status;
    assert!(status.success(), "{status}");
    (directory, parse(&fs::read(log).unwrap()))
}

/// Numbers of calls after which power is lost: just before and just after syncs, and anywhere.
fn cuts(calls: &[Call]) -> BTreeSet<usize> {
    let random = SeededRandom::new(4);
    let syncs: Vec<usize> = (0..calls.len())
        .filter(|index| matches!(calls[*index], Call::Sync { .. } | Call::SyncDirectory { .. }))
        .collect();
    let mut cuts = BTreeSet::from([calls.len()]);
    for number in 0..CUTS {
        let index = random.number() as usize;
        cuts.insert(match number % 3 {
            0 if !syncs.is_empty() => syncs[index % syncs.len()],
            1 if !syncs.is_empty() => syncs[index % syncs.len()] + 1,
            _ => index % calls.len(),
        });
    }
    cuts
}

/// The failures over all cuts and fates.
fn lose_power(scratch: &Path, directory: &Path, calls: &[Call]) -> Vec<String> {
    let cuts = cuts(calls);
    let (mut disk, mut output, mut failures) = (Disk::default(), Vec::new(), Vec::new());
    for (index, call) in calls.iter().enumerate() {
        disk.call(call);
        if let Call::Output(bytes) = call {
            output.extend_from_slice(bytes);
        }
        if !cuts.contains(&(index + 1)) {
            continue;
        }
        let mut said = Said::default();
        String::from_utf8_lossy(&output).lines().for_each(|line| said.hear(line));
        for fate in [Fate::Lost, Fate::Kept, Fate::Torn(index as u64), Fate::Torn(!index as u64)] {
            let copy = scratch.join("copy");
            disk.build(fate, directory, &copy);
            if let Err(error) = verify(&copy, &said) {
                failures.push(format!("power lost after call {}, {fate:?}: {error}", index + 1));
            }
            fs::remove_dir_all(copy).unwrap();
            if failures.len() >= FAILURES_MAX {
                return failures;
            }
        }
    }
    failures
}

#[test]
fn acknowledged_commits_survive_a_loss_of_power() {
    let scratch = crate::scratch();
    let Some(shim) = shim(scratch.path()) else { return };
    let (directory, calls) = record(scratch.path(), &shim, Synchronous::Full, None);
    let failures = lose_power(scratch.path(), &directory, &calls);
    assert!(failures.is_empty(), "{failures:#?}");
    assert!(copies_the_log(&directory, &calls), "the record has no checkpoint between commits");
}

/// Whether the database file was written to while commits went on.
fn copies_the_log(directory: &Path, calls: &[Call]) -> bool {
    let file = directory.join("shard-0.db");
    let created = |call: &Call| match call {
        Call::Create { inode, path } => (*path == file).then_some(*inode),
        Call::Write { .. }
        | Call::Truncate { .. }
        | Call::Rename { .. }
        | Call::Unlink { .. }
        | Call::MakeDirectory { .. }
        | Call::Sync { .. }
        | Call::SyncDirectory { .. }
        | Call::Output(_) => None,
    };
    let inode = calls.iter().find_map(created).unwrap();
    let outputs =
        |calls: &[Call]| calls.iter().any(|call| matches!(call, Call::Output(bytes) if bytes.starts_with(b"made")));
    (0..calls.len()).any(|index| {
        matches!(&calls[index], Call::Write { inode: written, .. } if *written == inode)
            && outputs(&calls[..index])
            && outputs(&calls[index..])
    })
}

/// Shows that the check above can fail.
#[test]
fn without_syncs_acknowledged_commits_are_lost() {
    let scratch = crate::scratch();
    let Some(shim) = shim(scratch.path()) else { return };
    let (directory, calls) = record(scratch.path(), &shim, Synchronous::Off, None);
    assert!(!lose_power(scratch.path(), &directory, &calls).is_empty());
}

/// What the child said in the end.
fn said(calls: &[Call]) -> Said {
    let mut said = Said::default();
    for call in calls {
        if let Call::Output(bytes) = call {
            String::from_utf8_lossy(bytes).lines().for_each(|line| said.hear(line));
        }
    }
    said
}

#[test]
fn a_sync_that_fails_leaves_the_outcome_unknown() {
    let scratch = crate::scratch();
    let Some(shim) = shim(scratch.path()) else { return };
    let (directory, calls) = record(scratch.path(), &shim, Synchronous::Full, Some(("FAIL_SYNC", "11")));
    let said = said(&calls);
    assert!(said.unknown > 0 && said.acknowledged() > said.unknown, "{}, {}", said.unknown, said.acknowledged());
    verify(&directory, &said).unwrap();
}

#[test]
fn a_full_disk_refuses_commits_and_keeps_the_others() {
    let scratch = crate::scratch();
    let Some(shim) = shim(scratch.path()) else { return };
    let (directory, calls) = record(scratch.path(), &shim, Synchronous::Full, Some(("FAIL_WRITE", "501")));
    let said = said(&calls);
    assert!(said.refusals > 0 && said.acknowledged() > said.refusals, "{}, {}", said.refusals, said.acknowledged());
    assert_eq!(said.unknown, 0);
    verify(&directory, &said).unwrap();
}

#[test]
fn a_group_of_commits_syncs_the_log_once() {
    let scratch = crate::scratch();
    let Some(shim) = shim(scratch.path()) else { return };
    let (directory, calls) = record(scratch.path(), &shim, Synchronous::Full, None);
    let log = directory.join("shard-0.db-wal");
    let (mut inodes, mut syncs) = (BTreeSet::new(), 0);
    for call in &calls {
        match call {
            Call::Create { inode, path } if *path == log => {
                inodes.insert(*inode);
            }
            Call::Create { inode, .. } => {
                inodes.remove(inode);
            }
            Call::Sync { inode } if inodes.contains(inode) => syncs += 1,
            Call::Output(_)
            | Call::Write { .. }
            | Call::Truncate { .. }
            | Call::Rename { .. }
            | Call::Unlink { .. }
            | Call::MakeDirectory { .. }
            | Call::Sync { .. }
            | Call::SyncDirectory { .. } => {}
        }
    }
    let (groups, commits) = said(&calls).stats.unwrap();
    assert!(groups < commits, "{groups} groups for {commits} commits");
    // Opening, checkpoints and each restart of the log sync it as well.
    assert!((groups..groups + 20).contains(&syncs), "{syncs} syncs for {groups} groups");
}
