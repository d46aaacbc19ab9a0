//! The house's own tools: `cargo xtask help` lists them.

mod clients;
mod test;
mod tidy;

use std::{env, path::PathBuf, process::ExitCode};

const HELP: &str = "\
cargo xtask COMMAND

  test [--strict] [--only STEP]  installs what the tests need and runs all of them: tidy, format, clippy, unit and
                        integration tests, then the real clients of clients/ against a running server.
                        --strict fails where a client or tool could not be installed instead of skipping it.
                        STEP is one of tidy, fmt, clippy, unit, clients.
  tidy                  checks the table of edges between crates, and the hygiene of files.
  help                  prints this.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["test", options @ ..] => test::run(options),
        ["tidy"] => tidy::run(),
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
