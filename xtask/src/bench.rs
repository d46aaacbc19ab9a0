//! `cargo xtask bench`: the benchmarks, kept with the machine they ran on in `BENCHMARKS.md`, a section each.

mod sections;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use crate::workspace;

use sections::{FLATNESS, LAYERS, PEERS, SCALE, SERVED};

/// What operations cost, for the simulation.
const FIGURES: &str = "crates/simulate/figures.txt";

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run<'a> {
    /// The layers, with an option of their own.
    Layers(Option<&'a str>),
    /// Flatness up to 1,000,000 messages.
    Large,
    /// A server over HTTP: its memory, and lists.
    Memory,
    /// Nodes over one PostgreSQL, shortly or not.
    Scale(Option<&'a str>),
    /// Other servers, with the tool in that folder.
    Peers(&'a str),
}

/// Runs benchmarks and writes their section of the report.
pub(crate) fn run(options: &[&str]) -> Result<(), String> {
    let run = match options {
        [] => Run::Layers(None),
        [size @ ("--quick" | "--rows")] => Run::Layers(Some(size)),
        ["--large"] => Run::Large,
        ["--memory"] => Run::Memory,
        ["--scale"] => Run::Scale(None),
        ["--scale", short @ "--quick"] => Run::Scale(Some(short)),
        ["--peers", path] => Run::Peers(path),
        other => return Err(format!("unknown option {}: see cargo xtask help", other.join(" "))),
    };
    let load = read("/proc/loadavg");
    let (section, kind, table) = match run {
        Run::Layers(size) => {
            let kind = size.map_or("full", |size| size.trim_start_matches('-'));
            (LAYERS, kind, cargo_bench("layers", size.as_slice())?)
        }
        Run::Large => (FLATNESS, "large", cargo_bench("large", &[])?),
        Run::Memory => {
            let (server, fill) = (program("highwater")?, program("bench")?.with_file_name("fill"));
            let (server, fill) = (server.display().to_string(), fill.display().to_string());
            (SERVED, "memory", script("served.py", &[&server, &fill, &fresh("served")?])?)
        }
        Run::Scale(short) => {
            let (server, scale) = (program("highwater")?, program("bench")?.with_file_name("scale"));
            let mut command = Command::new(scale);
            command.args([server, workspace().join(FIGURES)]).args(origin()).args(short).stderr(Stdio::inherit());
            let table = output(&mut command)?;
            if table.starts_with("skipped:") {
                print!("{table}");
                return Ok(());
            }
            simulate(&["--write-page"])?;
            (SCALE, "scale", table)
        }
        Run::Peers(path) => {
            if !Path::new(path).is_dir() {
                println!("skipped: there is no folder {path} with the comparison of servers");
                return Ok(());
            }
            let path = fs::canonicalize(path).map_err(|error| format!("{path}: {error}"))?.display().to_string();
            let data = fresh("peers")?;
            (PEERS, "peers", script("peers.py", &[&path, &program("highwater")?.display().to_string(), &data])?)
        }
    };
    let file = workspace().join("BENCHMARKS.md");
    let before = fs::read_to_string(&file).unwrap_or_default();
    let report = section.put(&before, &format!("{}\n{table}", machine(kind, &load)));
    fs::write(&file, report).map_err(|error| format!("BENCHMARKS.md: {error}"))?;
    println!("{table}\nwritten to BENCHMARKS.md, section {}", section.title);
    Ok(())
}

/// Commit, day and machine, as words of a command line.
fn origin() -> [String; 3] {
    let changed = if said("git", &["status", "--porcelain"]).is_empty() { "" } else { ", with changes" };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    [
        format!("{}{changed}", known(said("git", &["rev-parse", "--short=12", "HEAD"]))),
        known(said("date", &["-u", "+%Y-%m-%d"])),
        format!("{}, {cores} cores", known(after(&read("/proc/cpuinfo"), "model name", ':'))),
    ]
}

/// The simulation of a fleet, with its own options.
pub(crate) fn simulate(options: &[&str]) -> Result<(), String> {
    if options == ["--measure"] {
        return run(&["--scale"]);
    }
    let mut command = cargo();
    command.args(["run", "--release", "--quiet", "--package", "simulate", "--locked", "--"]).args(options);
    let status = command.status().map_err(|error| format!("cargo: {error}"))?;
    if status.success() { Ok(()) } else { Err("the simulation failed".to_owned()) }
}

fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace()).stderr(Stdio::inherit());
    command
}

/// What a benchmark of `crates/bench` prints.
fn cargo_bench(name: &str, options: &[&str]) -> Result<String, String> {
    output(cargo().args(["bench", "--package", "bench", "--bench", name, "--locked", "--"]).args(options))
}

/// The program of a package, built for release.
fn program(package: &str) -> Result<PathBuf, String> {
    output(cargo().args(["build", "--release", "--package", package, "--locked"]))?;
    Ok(target().join("release").join(package))
}

/// What a script of `crates/bench` prints.
fn script(name: &str, arguments: &[&str]) -> Result<String, String> {
    let path = workspace().join("crates/bench").join(name);
    let mut command = Command::new("python3");
    let work = env::var_os("PEERBENCH_WORK").unwrap_or_else(|| target().join("peerbench").into());
    output(command.arg(path).args(arguments).env("PEERBENCH_WORK", work).stderr(Stdio::inherit()))
}

fn output(command: &mut Command) -> Result<String, String> {
    let name = format!("{:?}", command.get_program());
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{name} failed"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A folder of that name that is not there.
fn fresh(name: &str) -> Result<String, String> {
    let folder = target().join("bench").join(name);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(format!("{}: {error}", folder.display())),
        Ok(()) | Err(_) => Ok(folder.display().to_string()),
    }
}

fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

/// What the figures depend on, as a list. What cannot be found out is said to be unknown.
fn machine(kind: &str, load: &str) -> String {
    let cores = thread::available_parallelism().map_or(1, usize::from);
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
        ("Run", kind.to_owned()),
        ("Processor", after(&read("/proc/cpuinfo"), "model name", ':')),
        ("Cores", cores.to_string()),
        ("System", format!("{}, Linux {}", after(&read("/etc/os-release"), "PRETTY_NAME", '='), release())),
        ("File system", last_word(&said("df", &["--output=fstype", &target().to_string_lossy()]))),
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
