//! The real clients: each script of `clients/` runs against a server that is started here, and once more against three
//! nodes on one database behind a balancer, which gives every request of a client to another of them.

mod served;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use self::served::{Fleets, Served};
use crate::{
    test::{Done, apt_install, cargo},
    workspace,
};

/// One script a client: the file in `clients/`, and the packages that it is about, of PyPI for Python (`.py`) and of
/// npm for Node (`.mjs`). Those of a [`PROGRAMS`] are crates.
const CLIENTS: &[(&str, &[&str])] = &[
    ("ews_crate.py", &["ews"]),
    ("ews_exchangelib.py", &["exchangelib"]),
    ("ews_exchangelib_events.py", &["exchangelib"]),
    ("ews_exchangelib_kinds.py", &["exchangelib"]),
    ("ews_exchangelib_mail.py", &["exchangelib"]),
    ("ews_javascript_api.mjs", &["ews-javascript-api"]),
    ("ews_javascript_api_events.mjs", &["ews-javascript-api"]),
    ("sharepoint_office365.py", &["Office365-REST-Python-Client"]),
    ("sharepoint_pnp.mjs", &["@pnp/sp", "@pnp/nodejs", "@pnp/queryable", "camljs"]),
    ("sharepoint_python.py", &["sharepoint"]),
    ("sharepoint_shareplum.py", &["SharePlum"]),
    ("sharepoint_suds.py", &["suds"]),
    ("sharepoint_zeep.py", &["zeep"]),
    ("curl_demo.py", &[]),
];

/// Scripts that drive a program of Rust: its project of its own is the folder of that name beside the script, and the
/// script finds the program in the variable.
const PROGRAMS: &[(&str, &str, &str)] = &[("ews_crate.py", "ews_crate", "EWS_CRATE_BIN")];

/// What the scripts for Node import besides their packages.
const NODE_HELPER: &str = "raw.mjs";

/// The script that starts a server of its own.
const SERVES_ITSELF: &str = "curl_demo.py";

/// Runs all clients; those that fail are named at the end, so that one does not hide another.
pub(crate) fn run() -> Result<Done, String> {
    cargo(&["build", "--package", "highwater", "--locked", "--quiet"])?;
    let (python, node, fleets) = (Python::prepare()?, Node::prepare(), Fleets::prepare());
    let (mut passed, mut spread, mut failed, mut skipped) = (Vec::new(), 0, Vec::new(), Vec::new());
    let fleets = match fleets {
        Ok(fleets) => Some(fleets),
        Err(cluster::Error::Missing(what)) => {
            skipped.push(format!("the clients against three nodes: there is no {what}"));
            None
        }
        Err(error) => return Err(error.to_string()),
    };
    for (script, packages) in CLIENTS {
        let ready = if let Some((_, project, variable)) = PROGRAMS.iter().find(|(of, ..)| of == script) {
            program(project, packages).map(|(version, path)| {
                let mut command = python.command(script);
                command.env(variable, path);
                (version, command)
            })
        } else if script.ends_with(".mjs") {
            node.as_ref().map_err(String::clone).and_then(|node| node.ready(script, packages))
        } else {
            python.ready(script, packages)
        };
        let (version, mut command) = match ready {
            Ok(ready) => ready,
            Err(reason) => {
                skipped.push(format!("clients/{script}: {reason}"));
                continue;
            }
        };
        let shown = format!("{script} {version}").trim_end().to_owned();
        println!("\n--- clients/{shown}");
        if !run_against(Served::embedded()?, script, &mut command)? {
            failed.push(shown);
            continue;
        }
        if let Some(fleets) = fleets.as_ref().filter(|_| *script != SERVES_ITSELF) {
            println!("\n--- clients/{shown}, against three nodes");
            if !run_against(fleets.fresh()?, script, &mut command)? {
                failed.push(format!("{shown} against three nodes"));
                continue;
            }
            spread += 1;
        }
        passed.push(shown);
    }
    let fault = (!failed.is_empty()).then(|| format!("clients that failed: {}", failed.join(", ")));
    let what = format!("{} passed, {spread} of them against three nodes too: {}", passed.len(), passed.join(", "));
    Ok(Done { what, skipped, fault })
}

/// Runs one script against what serves it; whether it passed. What serves it must end well.
fn run_against(served: Served, script: &str, command: &mut Command) -> Result<bool, String> {
    let status = command
        .env("HIGHWATER_URL", served.url())
        .env("HIGHWATER_BIN", binary())
        .env("HIGHWATER_DATA", served.data())
        .status()
        .map_err(|error| format!("{script}: {error}"))?;
    if !status.success() {
        eprintln!("{}", served.logs());
    }
    served.stop()?;
    Ok(status.success())
}

/// Whether a command ends well; what it prints is dropped.
fn works(program: &Path, arguments: &[&str]) -> bool {
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// What a command prints, or nothing where it fails.
fn printed(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

/// The interpreter of a virtual environment of that name under `target`, which is made where it is not there; nothing
/// where that cannot be done.
pub(crate) fn virtual_environment(name: &str) -> Option<PathBuf> {
    let folder = target().join(name);
    let python = folder.join("bin/python3");
    // Without Debian's python3-venv an environment is made half: it has no pip.
    let whole = || works(&python, &["-m", "pip", "--version"]);
    let make = || {
        let _ = Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder).status();
        whole()
    };
    if whole() || make() {
        return Some(python);
    }
    apt_install(&["python3", "python3-venv"]);
    make().then_some(python)
}

/// The interpreter of a virtual environment under `target`.
struct Python(PathBuf);

impl Python {
    fn prepare() -> Result<Self, String> {
        let fault = "the clients need python3 with venv and pip: install python3-venv";
        virtual_environment("clients-venv").map(Self).ok_or_else(|| fault.into())
    }

    /// The versions of the packages, and the command that runs the script. The current releases are installed, or
    /// those that are there stay when that fails.
    fn ready(&self, script: &str, packages: &[&str]) -> Result<(String, Command), String> {
        let mut versions = Vec::new();
        for package in packages {
            let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade", package];
            let _ = Command::new(&self.0).args(pip).status();
            let line = format!("import importlib.metadata as m; print(m.version({package:?}))");
            let version = printed(Command::new(&self.0).args(["-c", &line]));
            versions.push(version.ok_or_else(|| format!("pip could not install {package}"))?);
        }
        Ok((versions.join(" "), self.command(script)))
    }

    /// The command that runs a script.
    fn command(&self, script: &str) -> Command {
        let mut command = Command::new(&self.0);
        command.arg(workspace().join("clients").join(script));
        command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONPATH", workspace().join("clients"));
        command
    }
}

/// Builds the program of a project under `clients/` with the versions of its lock file; answers the versions of the
/// crates that it is about, and its path.
fn program(project: &str, packages: &[&str]) -> Result<(String, PathBuf), String> {
    let folder = workspace().join("clients").join(project);
    let built = target().join("clients-cargo");
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--locked", "--quiet"])
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", &built)
        .status();
    if !status.is_ok_and(|status| status.success()) {
        return Err(format!("cargo could not build clients/{project}"));
    }
    let lock = fs::read_to_string(folder.join("Cargo.lock")).map_err(|error| format!("{project}: {error}"))?;
    let version = |package: &&str| locked_version(&lock, package);
    let versions: Option<Vec<&str>> = packages.iter().map(version).collect();
    let versions = versions.ok_or_else(|| format!("the lock file of {project} lacks {}", packages.join(" or ")))?;
    Ok((versions.join(" "), built.join("debug").join(project)))
}

/// The version of a package in the text of a lock file.
fn locked_version<'l>(lock: &'l str, package: &str) -> Option<&'l str> {
    let (_, rest) = lock.split_once(&format!("\nname = \"{package}\"\nversion = \""))?;
    rest.split('"').next()
}

/// A folder under `target` with the packages of npm. The scripts are copied into it, because Node looks for the
/// packages beside the file that imports them.
struct Node(PathBuf);

impl Node {
    fn prepare() -> Result<Self, String> {
        let there = || ["node", "npm"].iter().all(|program| works(Path::new(program), &["--version"]));
        if !there() {
            apt_install(&["nodejs", "npm"]);
        }
        if !there() {
            return Err("needs node and npm: install nodejs and npm".into());
        }
        let folder = target().join("clients-node");
        let manifest = folder.join("package.json");
        let write = || {
            fs::create_dir_all(&folder)?;
            if manifest.exists() { Ok(()) } else { fs::write(&manifest, "{\"private\": true}\n") }
        };
        write().map_err(|error| format!("{}: {error}", manifest.display()))?;
        Ok(Self(folder))
    }

    /// As that of Python.
    fn ready(&self, script: &str, packages: &[&str]) -> Result<(String, Command), String> {
        let wanted = packages.iter().map(|package| format!("{package}@latest"));
        let npm = ["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"];
        let _ = Command::new("npm").args(npm).args(wanted).current_dir(&self.0).status();
        let mut versions = Vec::new();
        for package in packages {
            let line = format!("require('./node_modules/{package}/package.json').version");
            let version = printed(Command::new("node").args(["-p", &line]).current_dir(&self.0));
            versions.push(version.ok_or_else(|| format!("npm could not install {package}"))?);
        }
        for name in [NODE_HELPER, script] {
            fs::copy(workspace().join("clients").join(name), self.0.join(name))
                .map_err(|error| format!("{name}: {error}"))?;
        }
        let mut command = Command::new("node");
        command.arg(self.0.join(script));
        Ok((versions.join(" "), command))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A script that is not in the table would never run.
    #[test]
    fn every_script_is_in_the_table() {
        let listed = |name: &str| CLIENTS.iter().any(|(script, _)| *script == name);
        for entry in fs::read_dir(workspace().join("clients")).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_script = (name.ends_with(".py") || name.ends_with(".mjs")) && !name.starts_with("raw.");
            assert!(!is_script || listed(&name), "{name}");
            let is_project = entry.path().join("Cargo.toml").exists();
            assert!(!is_project || PROGRAMS.iter().any(|(_, project, _)| *project == name), "{name}");
        }
        assert!(PROGRAMS.iter().all(|(script, ..)| listed(script)));
    }

    #[test]
    fn versions_of_a_lock_file() {
        let lock = "[[package]]\nname = \"ews-types\"\nversion = \"9.0.0\"\n\n[[package]]\nname = \"ews\"\nversion = \"0.1.2\"\n";
        assert_eq!((locked_version(lock, "ews"), locked_version(lock, "ew")), (Some("0.1.2"), None));
    }
}
