//! `cargo xtask test`: everything a change must pass, with what it needs installed first.

use std::process::Command;

use crate::{clients, tidy, workspace};

/// Debian packages that tests use when they are there: the program to look for, the package it comes in.
const PACKAGES: &[(&str, &str)] = &[("xmllint", "libxml2-utils"), ("gcc", "gcc"), ("curl", "curl")];

/// Runs the steps in order; stops at the first that fails.
pub(crate) fn run(options: &[&str]) -> Result<(), String> {
    let (mut strict, mut only) = (false, None);
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match *option {
            "--strict" => strict = true,
            "--only" => only = options.next().copied(),
            other => return Err(format!("unknown option {other}")),
        }
    }
    let wanted = |step: &str| only.is_none_or(|only| only == step);
    let missing = install_packages();
    if strict && !missing.is_empty() {
        return Err(format!("could not install: {}", missing.join(", ")));
    }
    if wanted("tidy") {
        tidy::run()?;
    }
    if wanted("fmt") {
        cargo(&["fmt", "--all", "--check"])?;
    }
    if wanted("clippy") {
        cargo(&["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"])?;
    }
    if wanted("unit") {
        cargo(&["test", "--workspace", "--quiet"])?;
    }
    if wanted("clients") {
        cargo(&["build", "--release", "--package", "highwater"])?;
        clients::run(strict)?;
    }
    for package in missing {
        println!("skipped what needs {package}: it could not be installed");
    }
    Ok(())
}

/// Runs cargo in the workspace.
fn cargo(arguments: &[&str]) -> Result<(), String> {
    println!("\n== cargo {}", arguments.join(" "));
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(arguments)
        .current_dir(workspace())
        .status()
        .map_err(|error| format!("cargo: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("cargo {} failed", arguments.join(" "))) }
}

/// Installs what is missing, where that is possible (as root on Debian). Returns the packages that are still missing.
fn install_packages() -> Vec<&'static str> {
    let missing = || PACKAGES.iter().filter(|(program, _)| !has(program)).map(|(_, package)| *package);
    let wanted: Vec<_> = missing().collect();
    if !wanted.is_empty() && has("apt-get") {
        let apt = |arguments: &[&str]| {
            let _ = Command::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(arguments).status();
        };
        apt(&["update", "--quiet"]);
        let mut arguments = vec!["install", "--yes", "--quiet", "--no-install-recommends"];
        arguments.extend(wanted);
        apt(&arguments);
    }
    missing().collect()
}

/// Whether a program is on the path.
pub(crate) fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
