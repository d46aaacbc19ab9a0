//! The house's own tools: `cargo xtask help` lists them.

mod behaviour;
mod bench;
mod clients;
mod faults;
mod licences;
mod object_server;
mod test;
mod tidy;

use std::{env, path::PathBuf, process::ExitCode};

const HELP: &str = "\
cargo xtask COMMAND

  test [--strict] [--only STEP]
        Installs what the tests need (Debian packages as root, Python and npm packages in the target folder) and runs all of
        them: tidy, fmt, clippy, unit (unit and integration tests), clients (the real clients of clients/ against a
        running server, and against three nodes over one database). Stops at the first step that fails. The summary says what each step took and all that was
        skipped. --strict fails where something was skipped, except for what needs ../shared where there is none.
        STEP is one of tidy, fmt, clippy, unit, clients.
  faults [--minutes N] [--seed N]
        Clients of both protocols write and mirror while nodes, database and balancer are killed, restarted and replaced:
        crates/server/tests/fleet_faults, for N minutes (15 where nothing else is said; as part of the tests, a quarter of
        one, and two where .ci/run starts them).
  tidy  Checks the table of edges between crates, the licences of what we depend on, and the hygiene of files.
  behaviour
        Writes docs/behaviour.md, which says what test holds which line of the required behaviour; tidy checks it.
  bench [--quick | --rows | --large | --memory | --scale [--quick] | --peers PATH]
        Runs benchmarks of crates/bench in release and writes their section of BENCHMARKS.md: the layers (--quick leaves
        out 100,000 messages, --rows adds a list of a million rows), flatness up to 1,000,000 messages (about ten
        minutes), the memory of a server, nodes over one PostgreSQL (--scale, about ten minutes; it writes
        the figures of the simulation and their part of docs/scale.md too), or other servers beside this one (PATH is
        the folder of peerbench, which has installed them into PEERBENCH_WORK).
  simulate [OPTIONS]
        Simulates a fleet out of measured costs: what is busy, what waits, how long requests take, what is full first.
        --help shows its options; --measure measures the costs anew, as bench --scale does.
  help  Prints this.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["test", options @ ..] => test::run(options),
        ["faults", options @ ..] => faults::run(options),
        ["tidy"] => tidy::run(),
        ["behaviour"] => behaviour::run(),
        ["bench", options @ ..] => bench::run(options),
        ["simulate", options @ ..] => bench::simulate(options),
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        _ => Err(format!("unknown command: {}\n\n{HELP}", arguments.join(" "))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}

/// The folder of the workspace.
fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}
