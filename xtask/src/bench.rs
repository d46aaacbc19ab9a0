//! `cargo xtask bench`: the layer benchmarks, kept with the machine they ran on in `BENCHMARKS.md`.

use std::{
    env, fs,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
};

use crate::workspace;

const ABOUT: &str = "\
# Benchmarks

What the layers cost, without sockets: requests go to the adapters in process, and the store is on disk. `cargo xtask \
bench` writes this file; `--quick` leaves out 100,000 messages, `--large` adds a list of a million rows.

- Every row names its store. `sqlite` is the embedded store with `synchronous=FULL`: each group of commits syncs the log. \
What a sync costs is up to the disk, and that of a virtual machine may answer early.
- Messages have a subject, a receiver and a body of 500 characters; tasks have a title, a status and a due date. A page is \
512 messages or 2,000 tasks; `sync_page` is the first page, `sync_first` all of them. `poll` is a sync without changes, `sync_delta_10_5_5` one of 10 \
creates, 5 updates and 5 deletes; all of them ask for the shape Default. `update_1` changes a subject.
- The ledger is a list of rows with a code, of which there are 100 of each, and an amount. `caml_eq` asks for one code; \
`caml_range_in_order` for the first 100 of the lower half by amount, downwards; `index_two_fields` is the time in which \
both fields get their indexes; `add_100_rows_in_a_batch` is one request with 100 new rows.
- Times are of whole requests, reading and writing XML included. Counts are those of one run, the median by rows \
read: rows that reads fetched, steps of SQLite's machine that reads took, commits, syncs of the log, bytes of the answers.
- Rows and steps read by a poll, a delta and a single write must not grow with the folder, nor with tombstones and \
changes before: the benchmark fails otherwise, and `crates/bench/tests/counts.rs` guards it at every change.
";

/// Runs the benchmarks and writes their report.
pub(crate) fn run(options: &[&str]) -> Result<(), String> {
    let size = match options {
        [] => None,
        [size @ ("--quick" | "--large")] => Some(*size),
        other => return Err(format!("unknown option {}: see cargo xtask help", other.join(" "))),
    };
    let load = read("/proc/loadavg");
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["bench", "--package", "bench", "--bench", "layers", "--locked", "--"]);
    command.args(size).current_dir(workspace()).stderr(Stdio::inherit());
    let output = command.output().map_err(|error| format!("cargo: {error}"))?;
    if !output.status.success() {
        return Err("cargo bench failed".to_owned());
    }
    let table = String::from_utf8_lossy(&output.stdout);
    let report = format!("{ABOUT}\n{}\n{table}", machine(size, &load));
    fs::write(workspace().join("BENCHMARKS.md"), report).map_err(|error| format!("BENCHMARKS.md: {error}"))?;
    println!("{table}\nwritten to BENCHMARKS.md");
    Ok(())
}

/// What the figures depend on, as a list. What cannot be found out is said to be unknown.
fn machine(size: Option<&str>, load: &str) -> String {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    let changed = if said("git", &["status", "--porcelain"]).is_empty() { "" } else { ", with changes" };
    let busy = match load.split(' ').next().and_then(|load| load.parse::<f64>().ok()) {
        None => "load unknown".to_owned(),
        Some(load) if load > 0.2 => {
            format!(
                "shared, and busy with other work: load {load} at the start, so times are higher than on an idle machine"
            )
        }
        Some(load) => format!("idle: load {load} at the start"),
    };
    let lines = [
        ("Date", said("date", &["-u", "+%Y-%m-%d"])),
        ("Commit", format!("{}{changed}", known(said("git", &["rev-parse", "--short=12", "HEAD"])))),
        ("Run", size.map_or("full", |size| size.trim_start_matches('-')).to_owned()),
        ("Processor", after(&read("/proc/cpuinfo"), "model name", ':')),
        ("Cores", cores.to_string()),
        ("System", format!("{}, Linux {}", after(&read("/etc/os-release"), "PRETTY_NAME", '='), release())),
        ("File system", last_word(&said("df", &["--output=fstype", &target.to_string_lossy()]))),
        ("Machine", busy),
    ];
    lines.map(|(name, what)| format!("- {name}: {}\n", known(what))).concat()
}

fn release() -> String {
    known(read("/proc/sys/kernel/osrelease").trim().to_owned())
}

fn known(what: String) -> String {
    if what.is_empty() { "unknown".to_owned() } else { what }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// What a program says, without the line break; nothing where it fails.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(workspace()).output();
    let output = output.ok().filter(|output| output.status.success());
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

/// The value of the first line that begins with `name`.
fn after(text: &str, name: &str, separator: char) -> String {
    let value = text.lines().find(|line| line.starts_with(name)).and_then(|line| line.split_once(separator));
    value.map(|(_, value)| value.trim().trim_matches('"').to_owned()).unwrap_or_default()
}

fn last_word(text: &str) -> String {
    text.split_whitespace().last().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_lines() {
        assert_eq!(after("a\t: 1\nmodel name\t: Fast CPU @ 2 GHz\n", "model name", ':'), "Fast CPU @ 2 GHz");
        assert_eq!(after("PRETTY_NAME=\"Debian 13\"\n", "PRETTY_NAME", '='), "Debian 13");
        assert_eq!(known(after("", "model name", ':')), "unknown");
        assert_eq!(last_word("Type\next4\n"), "ext4");
    }
}
