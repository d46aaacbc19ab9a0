//! `cargo xtask test`: everything a change must pass, with what it needs installed first.

mod output;

use std::{
    fs,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use crate::{clients, object_server, tidy, workspace};

/// Debian packages that tests use when they are there: the program to look for, the package it comes in.
const PACKAGES: &[(&str, &str)] =
    &[("xmllint", "libxml2-utils"), ("gcc", "gcc"), ("curl", "curl"), ("initdb", "postgresql"), ("haproxy", "haproxy")];

/// Where Debian puts programs that are not on everybody's path.
const MORE_FOLDERS: &[&str] = &["/usr/sbin", "/usr/local/sbin"];
/// Debian's PostgreSQL makes a cluster for the whole system when it is installed, unless a file here says no.
const CLUSTER_SETTINGS: &str = "/etc/postgresql-common/createcluster.d";

/// What a step does; it answers what it has done, and what it had to skip.
type Step = fn() -> Result<Done, String>;

/// The steps in their order: what is quick to fail comes first.
const STEPS: &[(&str, Step)] =
    &[("tidy", tidy_step), ("fmt", fmt_step), ("clippy", clippy_step), ("unit", unit_step), ("clients", clients::run)];

/// What came of a step.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// In a few words.
    pub(crate) what: String,
    /// A line for everything that was not run, with the reason.
    pub(crate) skipped: Vec<String>,
    /// What failed, where something did.
    pub(crate) fault: Option<String>,
}

/// Runs the steps in order; stops at the first that fails.
pub(crate) fn run(options: &[&str]) -> Result<(), String> {
    let Options { strict, only } = Options::read(options)?;
    let mut skipped = Vec::new();
    for package in install_packages() {
        skipped.push(format!("what needs {package}, which could not be installed (apt-get needs root, and Debian)"));
    }
    if only.is_none_or(|only| only == "unit") && !object_server::install() {
        skipped.push("what needs an S3 server: moto could not be installed from PyPI".to_owned());
    }
    if strict && !skipped.is_empty() {
        return Err(format!("skipped: {}", skipped.join("\nskipped: ")));
    }
    let mut summary: Vec<(&str, Duration, String)> = Vec::new();
    let (mut failed, mut excused) = (None, 0);
    for (name, step) in STEPS.iter().filter(|(name, _)| only.is_none_or(|only| only == *name)) {
        println!("\n=== {name}");
        let started = Instant::now();
        let done = step().unwrap_or_else(|fault| Done { fault: Some(fault), ..Done::default() });
        let time = started.elapsed();
        excused += if *name == "unit" && !shared_is_there() { done.skipped.len() } else { 0 };
        skipped.extend(done.skipped);
        let Some(fault) = done.fault else {
            summary.push((name, time, done.what));
            continue;
        };
        summary.push((name, time, format!("FAILED  {}", done.what)));
        failed = Some(format!("{name}: {fault}\nrun `cargo xtask test --only {name}` to see it alone"));
        break;
    }
    println!("\n=== summary");
    for (name, time, what) in &summary {
        println!("{name:8} {:4} s  {what}", time.as_secs());
    }
    if failed.is_some() {
        println!("the steps after it were not run");
    }
    println!("{} skipped{}", skipped.len(), if skipped.is_empty() { "" } else { ":" });
    for one in &skipped {
        println!("  {one}");
    }
    match failed {
        Some(failed) => Err(failed),
        None if strict && skipped.len() > excused => Err("strict: nothing may be skipped".to_owned()),
        None => Ok(()),
    }
}

/// What `test` takes.
#[derive(Debug, PartialEq, Eq)]
struct Options<'a> {
    strict: bool,
    only: Option<&'a str>,
}

impl<'a> Options<'a> {
    fn read(options: &[&'a str]) -> Result<Self, String> {
        let names = || STEPS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let mut read = Options { strict: false, only: None };
        let mut options = options.iter();
        while let Some(option) = options.next() {
            match *option {
                "--strict" => read.strict = true,
                "--only" => match options.next() {
                    Some(step) if STEPS.iter().any(|(name, _)| name == step) => read.only = Some(step),
                    Some(step) => return Err(format!("there is no step {step}: it is one of {}", names())),
                    None => return Err(format!("--only needs a step: one of {}", names())),
                },
                other => return Err(format!("unknown option {other}: see cargo xtask help")),
            }
        }
        Ok(read)
    }
}

fn tidy_step() -> Result<Done, String> {
    tidy::run()?;
    Ok(Done::default())
}

fn fmt_step() -> Result<Done, String> {
    cargo(&["fmt", "--all", "--check"])?;
    Ok(Done::default())
}

fn clippy_step() -> Result<Done, String> {
    cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--quiet", "--", "--deny", "warnings"])?;
    Ok(Done::default())
}

/// Unit and integration tests, and the examples in docs. What passing tests print is read for what they skipped.
fn unit_step() -> Result<Done, String> {
    output::run(&["test", "--workspace", "--locked", "--no-fail-fast", "--", "--show-output"])
}

/// A call of cargo in the workspace.
pub(crate) fn cargo_command(arguments: &[&str]) -> Command {
    println!("cargo {}", arguments.join(" "));
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(workspace());
    command
}

/// Runs cargo in the workspace.
pub(crate) fn cargo(arguments: &[&str]) -> Result<(), String> {
    let status = cargo_command(arguments).status().map_err(|error| format!("cargo: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("cargo {} failed", arguments.join(" "))) }
}

/// Whether the folder with published schemas and sample mail stands beside the project.
fn shared_is_there() -> bool {
    workspace().join("../shared").is_dir()
}

/// Installs what is missing, where that is possible (as root on Debian). Returns the packages that are still missing.
fn install_packages() -> Vec<&'static str> {
    let missing = || PACKAGES.iter().filter(|(program, _)| !has(program)).map(|(_, package)| *package);
    let wanted: Vec<_> = missing().collect();
    if !wanted.is_empty() {
        if wanted.contains(&"postgresql") && fs::create_dir_all(CLUSTER_SETTINGS).is_ok() {
            let _ = fs::write(format!("{CLUSTER_SETTINGS}/highwater.conf"), "create_main_cluster = false\n");
        }
        apt_install(&wanted);
    }
    missing().collect()
}

/// Installs Debian packages where there is apt-get; whether that worked shows in what is there then.
pub(crate) fn apt_install(packages: &[&str]) {
    if !has("apt-get") {
        return;
    }
    println!("installing {}", packages.join(" "));
    let apt = |arguments: &[&str]| {
        let _ = Command::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(arguments).status();
    };
    apt(&["update", "--quiet", "--quiet"]);
    apt(&[&["install", "--yes", "--quiet", "--quiet", "--no-install-recommends"], packages].concat());
}

/// Whether a program is on the path, or where Debian has those of administrators and of PostgreSQL.
fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    std::env::split_paths(&path)
        .chain(MORE_FOLDERS.iter().map(PathBuf::from))
        .chain(versions.map(|version| version.path().join("bin")))
        .any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options() {
        assert_eq!(Options::read(&[]), Ok(Options { strict: false, only: None }));
        assert_eq!(Options::read(&["--strict", "--only", "fmt"]), Ok(Options { strict: true, only: Some("fmt") }));
        for (options, complaint) in
            [(&["--only", "fmtt"][..], "no step fmtt"), (&["--only"], "needs a step"), (&["--fast"], "unknown option")]
        {
            assert!(Options::read(options).unwrap_err().contains(complaint), "{options:?}");
        }
    }
}
