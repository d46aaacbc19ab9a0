//! The real clients: each script of `clients/` runs against a server of its own kind, started here.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use crate::{test::has, workspace};

/// One script a client: the file in `clients/`, and the packages of PyPI it needs.
const CLIENTS: &[(&str, &[&str])] = &[
    ("ews_exchangelib.py", &["exchangelib", "lxml"]),
    ("sharepoint_shareplum.py", &["SharePlum"]),
    ("sharepoint_zeep.py", &["zeep"]),
    ("curl_demo.py", &[]),
];

/// Accounts that the scripts use.
const ACCOUNTS: &[(&str, &str)] = &[("anna@example.com", "anna-password-1"), ("bert@example.com", "bert-password-2")];

/// Runs all clients and prints a summary.
pub(crate) fn run(strict: bool) -> Result<(), String> {
    let python = prepare()?;
    let (mut passed, mut failed, mut skipped) = (0, Vec::new(), Vec::new());
    for (script, packages) in CLIENTS {
        println!("\n== clients/{script}");
        if !packages.is_empty() && !install(&python, packages) {
            skipped.push(*script);
            continue;
        }
        let server = Server::start()?;
        let status = Command::new(&python)
            .arg(workspace().join("clients").join(script))
            .env("HIGHWATER_URL", &server.url)
            .env("HIGHWATER_BIN", binary())
            .env("HIGHWATER_DATA", &server.data)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PYTHONPATH", workspace().join("clients"))
            .status()
            .map_err(|error| format!("{script}: {error}"))?;
        server.stop()?;
        if status.success() { passed += 1 } else { failed.push(*script) }
    }
    println!("\nclients: {passed} passed, {} failed, {} skipped", failed.len(), skipped.len());
    for script in &skipped {
        println!("skipped {script}: its packages could not be installed");
    }
    match (failed.is_empty(), skipped.is_empty() || !strict) {
        (true, true) => Ok(()),
        (true, false) => Err(format!("clients that could not run: {}", skipped.join(", "))),
        (false, _) => Err(format!("clients that failed: {}", failed.join(", "))),
    }
}

/// Makes the virtual environment under `target`, and returns its interpreter.
fn prepare() -> Result<PathBuf, String> {
    let folder = target().join("clients-venv");
    let python = folder.join("bin/python3");
    let make =
        || Command::new("python3").args(["-m", "venv"]).arg(&folder).status().is_ok_and(|status| status.success());
    if !python.is_file() && !make() {
        if has("apt-get") {
            let arguments = ["install", "--yes", "--quiet", "python3", "python3-venv"];
            let _ = Command::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(arguments).status();
        }
        if !make() {
            return Err("python3 with venv is needed for the clients".into());
        }
    }
    Ok(python)
}

fn install(python: &PathBuf, packages: &[&str]) -> bool {
    Command::new(python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(packages)
        .status()
        .is_ok_and(|status| status.success())
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

fn binary() -> PathBuf {
    target().join("release/highwater")
}

/// A server on a free port of the loopback, over a store of its own that is removed at the end.
struct Server {
    child: Child,
    url: String,
    data: PathBuf,
}

impl Server {
    fn start() -> Result<Self, String> {
        let data = target().join(format!("clients-data-{}", std::process::id()));
        let _ = fs::remove_dir_all(&data);
        fs::create_dir_all(&data).map_err(|error| format!("{}: {error}", data.display()))?;
        for (address, password) in ACCOUNTS {
            let mut child = Command::new(binary())
                .args(["account", "add", address, "--password-stdin", "--data"])
                .arg(&data)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
                .map_err(|error| format!("{}: {error}", binary().display()))?;
            if let Some(mut input) = child.stdin.take() {
                writeln!(input, "{password}").map_err(|error| error.to_string())?;
            }
            if !child.wait().is_ok_and(|status| status.success()) {
                return Err(format!("account add {address} failed"));
            }
        }
        let site = ["site", "add", "/sites/team", "--title", "Team", "--owner", "anna@example.com", "--data"];
        let made = Command::new(binary()).args(site).arg(&data).stdout(Stdio::null()).status();
        if !made.is_ok_and(|status| status.success()) {
            return Err("site add failed".into());
        }
        let mut child = Command::new(binary())
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(&data)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        // The first line on standard output ends with the URL.
        let output = child.stdout.take().ok_or("no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).map_err(|error| error.to_string())?;
        let url = line.split_whitespace().find(|word| word.starts_with("http://"));
        let url = url.ok_or_else(|| format!("the server did not say where it listens: {line}"))?.trim_end_matches('/');
        Ok(Self { child, url: url.to_owned(), data })
    }

    fn stop(mut self) -> Result<(), String> {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let status = self.child.wait().map_err(|error| error.to_string())?;
        let _ = fs::remove_dir_all(&self.data);
        if status.success() { Ok(()) } else { Err(format!("the server ended with {status}")) }
    }
}
