//! Reading what `cargo test` prints: what passed, what was left out, and what passing tests say they skipped.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use super::{Done, cargo_command};

/// How a test says that it could not run a part.
const SKIPPED: &str = "skipped: ";

/// The end of the reason for which a test is ignored that other tests start as a process of its own.
const STARTED_BY_OTHERS: &str = "others start it";

/// Runs cargo's tests, and shows what they print but for the output of those that passed. The arguments have to ask for
/// that output, since it says what was skipped.
pub(super) fn run(arguments: &[&str]) -> Result<Done, String> {
    let mut command = cargo_command(arguments);
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| format!("cargo: {error}"))?;
    let mut read = Read::default();
    for line in BufReader::new(child.stdout.take().ok_or("cargo test has no output")?).split(b'\n') {
        let line = line.map_err(|error| format!("cargo test: {error}"))?;
        let line = String::from_utf8_lossy(&line);
        if read.line(&line) {
            println!("{line}");
        }
    }
    let status = child.wait().map_err(|error| format!("cargo test: {error}"))?;
    Ok(read.end(status.success()))
}

/// What has been read.
#[derive(Debug, Default)]
struct Read {
    passed: u64,
    failed: u64,
    /// Inside what passing tests printed.
    hidden: bool,
    skipped: Vec<String>,
}

impl Read {
    /// Takes in a line; answers whether a person wants to see it.
    fn line(&mut self, line: &str) -> bool {
        if let Some(what) = line.trim_start().strip_prefix(SKIPPED) {
            self.skipped.push(what.to_owned());
            return false;
        }
        if let Some((name, reason)) = line.strip_prefix("test ").and_then(|line| line.split_once(" ... ignored")) {
            // Those are no tests, but processes under test.
            if !reason.ends_with(STARTED_BY_OTHERS) {
                self.skipped.push(format!("{name}{reason}"));
            }
            return false;
        }
        if let Some(counts) = line.strip_prefix("test result: ") {
            self.hidden = false;
            self.passed += count(counts, "passed");
            self.failed += count(counts, "failed");
            return true;
        }
        match line {
            "successes:" => self.hidden = true,
            "failures:" => self.hidden = false,
            _ => {}
        }
        let is_pass = line.starts_with("test ") && line.ends_with("... ok");
        !self.hidden && !line.is_empty() && !is_pass
    }

    fn end(mut self, success: bool) -> Done {
        self.skipped.sort();
        self.skipped.dedup();
        let fault = match (success, self.failed) {
            (true, _) => None,
            (false, 0) => Some("cargo test failed before or beside the tests: see above".to_owned()),
            (false, failed) => Some(format!("{failed} tests failed: see above")),
        };
        Done { what: format!("{} tests passed", self.passed), skipped: self.skipped, fault }
    }
}

/// The number before a word in `ok. 3 passed; 0 failed; 1 ignored; ...`.
fn count(counts: &str, word: &str) -> u64 {
    let part = counts.split(['.', ';']).find_map(|part| part.trim().strip_suffix(word));
    part.and_then(|number| number.trim().parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_and_chosen() {
        let printed = "\
running 3 tests
test a::b ... ok
test c ... ignored, the process under test; others start it
test f ... ignored, slow
test d ... FAILED

successes:

---- a::b stdout ----
chatter
skipped: x, which is missing
skipped: x, which is missing

successes:
    a::b

failures:

---- d stdout ----
panicked

failures:
    d

test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
";
        let mut read = Read::default();
        let shown: Vec<&str> = printed.lines().filter(|line| read.line(line)).collect();
        assert_eq!(shown[..3], ["running 3 tests", "test d ... FAILED", "failures:"]);
        assert!(shown.contains(&"panicked") && !shown.contains(&"chatter"));
        assert_eq!((read.passed, read.failed), (1, 1));
        let done = read.end(false);
        assert_eq!(done.skipped, ["f, slow", "x, which is missing"]);
        assert_eq!(done.fault.as_deref(), Some("1 tests failed: see above"));
    }
}
