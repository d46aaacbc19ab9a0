//! Programs of others: where they are, and what they say.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{Error, Result};

/// Where administrators' programs are, which need not be on everybody's path.
const MORE_FOLDERS: &[&str] = &["/usr/sbin", "/sbin", "/usr/local/sbin"];

/// The path of a program.
pub(crate) fn find(name: &str, package: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(MORE_FOLDERS.iter().map(PathBuf::from));
    let found = folders.map(|folder| folder.join(name)).find(|file| file.is_file());
    found.ok_or_else(|| Error::Missing(format!("{name} (package {package})")))
}

/// The folder with the programs of the newest PostgreSQL here.
pub(crate) fn postgres() -> Result<PathBuf> {
    let version = |folder: &PathBuf| {
        let name = folder.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        name.and_then(|name| name.parse::<u32>().ok())
    };
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = debian.map(|entry| entry.path().join("bin")).collect();
    folders.retain(|folder| folder.join("initdb").is_file() && folder.join("psql").is_file());
    folders.sort_by_key(version);
    if let Some(newest) = folders.pop() {
        return Ok(newest);
    }
    let initdb = find("initdb", "postgresql")?;
    let folder = fs::canonicalize(&initdb).ok().and_then(|file| file.parent().map(Path::to_path_buf));
    folder.ok_or_else(|| Error::Missing("PostgreSQL (package postgresql)".to_owned()))
}

/// Who runs what must not run as root: the name and the numbers of user and group. Nothing where this process is not
/// root's, as the owner of `own`, a file that it made, tells.
pub(crate) fn unprivileged(own: &Path) -> Result<Option<(u32, u32)>> {
    if fs::metadata(own).is_ok_and(|own| own.uid() != 0) {
        return Ok(None);
    }
    find("setpriv", "util-linux")?;
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let numbers = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2).map(str::parse);
        Some((fields.next()?.ok()?, fields.next()?.ok()?))
    };
    let found = numbers("postgres").or_else(|| numbers("nobody"));
    found.map(Some).ok_or_else(|| Error::Missing("user postgres or nobody, and PostgreSQL refuses root".to_owned()))
}

/// Runs a command to its end and answers what it printed.
pub(crate) fn output(what: &str, command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| Error::Failed(format!("{what}: {error}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    Err(Error::Failed(format!("{what}: {}: {out}{err}", output.status)))
}
