//! What an acknowledged commit survives: the sudden end of the process, and a loss of power.
//!
//! The process under test is this test program, started again to run [`child::work`] alone. It says on its standard
//! output what it is about to do and what was acknowledged; [`verify`] compares that with the store opened afterwards.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod child;
mod kill;
// The record of system calls needs a preloaded library.
#[cfg(target_os = "linux")]
mod power_loss;
#[cfg(target_os = "linux")]
mod replay;
mod verify;

use std::path::Path;

/// A directory in memory where there is such a thing: the record of calls is what matters, not the medium.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}
