//! A clock that is minutes ahead or behind, for one process. (libfaketime takes memory in its beginning and brings a
//! program down whose allocator reads the clock in its own.)

use std::{fs, path::PathBuf, process::Command, sync::OnceLock};

use crate::{Error, Result, process::Folder, program};

/// What it is made of.
const SOURCE: &str = include_str!("clock.c");
/// The variable that says how far a process's clock is ahead, in seconds.
pub(crate) const VARIABLE: &str = "CLOCK_AHEAD_SECONDS";

/// The library that is to be loaded before all others. It is compiled once a process.
pub(crate) fn library() -> Result<PathBuf> {
    static LIBRARY: OnceLock<Result<(Folder, PathBuf)>> = OnceLock::new();
    LIBRARY.get_or_init(compile).as_ref().map(|(_, path)| path.clone()).map_err(Clone::clone)
}

fn compile() -> Result<(Folder, PathBuf)> {
    let compiler = program::find("gcc", "gcc")?;
    let folder = Folder::new()?;
    let (source, path) = (folder.join("clock.c"), folder.join("clock.so"));
    fs::write(&source, SOURCE).map_err(|error| Error::Failed(format!("clock.c: {error}")))?;
    let options = ["-shared", "-fPIC", "-O2", "-o"];
    program::output("gcc", Command::new(compiler).args(options).arg(&path).arg(&source))?;
    Ok((folder, path))
}
