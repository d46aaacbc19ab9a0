//! The real clients: each script of `clients/` runs against a server of its own kind, started here.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::{
    test::{Done, apt_install, cargo},
    workspace,
};

/// One script a client: the file in `clients/`, and the package of PyPI that it is about.
const CLIENTS: &[(&str, Option<&str>)] = &[
    ("ews_exchangelib.py", Some("exchangelib")),
    ("sharepoint_shareplum.py", Some("SharePlum")),
    ("sharepoint_zeep.py", Some("zeep")),
    ("curl_demo.py", None),
];

/// Accounts that the scripts use.
const ACCOUNTS: &[(&str, &str)] = &[("anna@example.com", "anna-password-1"), ("bert@example.com", "bert-password-2")];

/// Runs all clients; those that fail are named at the end, so that one does not hide another.
pub(crate) fn run() -> Result<Done, String> {
    cargo(&["build", "--package", "highwater", "--locked", "--quiet"])?;
    let python = prepare()?;
    let (mut passed, mut failed, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
    for (script, package) in CLIENTS {
        let version = match package {
            Some(package) => install(&python, package),
            None => Some(String::new()),
        };
        let Some(version) = version else {
            skipped.push(format!("clients/{script}: pip could not install {}", package.unwrap_or_default()));
            continue;
        };
        let shown = format!("{script} {version}").trim_end().to_owned();
        println!("\n--- clients/{shown}");
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
        if status.success() { passed.push(shown) } else { failed.push(shown) }
    }
    let fault = (!failed.is_empty()).then(|| format!("clients that failed: {}", failed.join(", ")));
    Ok(Done { what: format!("{} passed: {}", passed.len(), passed.join(", ")), skipped, fault })
}

/// Makes the virtual environment under `target`, and returns its interpreter.
fn prepare() -> Result<PathBuf, String> {
    let folder = target().join("clients-venv");
    let python = folder.join("bin/python3");
    // Without Debian's python3-venv an environment is made half: it has no pip.
    let works = || {
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
        pip.status().is_ok_and(|status| status.success())
    };
    let make = || {
        let _ = Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder).status();
        works()
    };
    if works() || make() {
        return Ok(python);
    }
    apt_install(&["python3", "python3-venv"]);
    if make() { Ok(python) } else { Err("the clients need python3 with venv and pip: install python3-venv".into()) }
}

/// Installs the current release of a package, or keeps the one that is there when that fails. Returns its version.
fn install(python: &Path, package: &str) -> Option<String> {
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade", package];
    let _ = Command::new(python).args(pip).status();
    let script = format!("import importlib.metadata as m; print(m.version({package:?}))");
    let output = Command::new(python).args(["-c", &script]).stderr(Stdio::null()).output().ok()?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !version.is_empty()).then_some(version)
}

/// Where cargo builds to. A relative path in the environment is one of the folder that xtask was called in.
fn target() -> PathBuf {
    let given = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let given = given.map(|path| std::path::absolute(&path).unwrap_or(path));
    given.unwrap_or_else(|| workspace().join("target"))
}

fn binary() -> PathBuf {
    target().join("debug/highwater")
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
            .env("RUST_LOG", "warn")
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
