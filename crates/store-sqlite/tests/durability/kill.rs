//! The process under test is killed while it commits; the next one goes on with what it left. Or there are two.

use std::io::{BufRead, BufReader};

use model::{Random, SeededRandom};
use store_sqlite::Synchronous;

use crate::{
    child,
    verify::{Said, verify},
};

const ROUNDS: u64 = 10;
const LINES_MAX: u64 = 300;

#[test]
fn acknowledged_commits_survive_kill() {
    let directory = crate::scratch();
    let random = SeededRandom::new(9);
    let mut said = Said::default();
    for round in 0..ROUNDS {
        let mut child = child::command(directory.path(), Synchronous::Full, round, 1_000_000).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let lines = 10 + random.number() % LINES_MAX;
        let mut line = String::new();
        for _ in 0..lines {
            line.clear();
            assert!(output.read_line(&mut line).unwrap() > 0, "the child ended by itself");
            said.hear(line.trim_end());
        }
        child.kill().unwrap();
        child.wait().unwrap();
        for line in output.lines() {
            said.hear(&line.unwrap());
        }
        verify(directory.path(), &said).unwrap();
    }
    assert!(said.acknowledged() > 100, "{}", said.acknowledged());
}

#[test]
fn two_processes_write_the_same_root() {
    let directory = crate::scratch();
    let children: Vec<_> =
        (0..2).map(|round| child::command(directory.path(), Synchronous::Full, round, 50).spawn().unwrap()).collect();
    let mut said = Said::default();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", output.status);
        String::from_utf8_lossy(&output.stdout).lines().for_each(|line| said.hear(line));
    }
    assert_eq!(said.acknowledged(), 2 * 4 * (50 + 10));
    verify(directory.path(), &said).unwrap();
}
