//! What tests need beside the program itself: private PostgreSQL clusters with their standbys, a balancer, nodes, lines
//! that go bad, an S3 server. All of it listens on the loopback address alone, lies in temporary folders, and ends with the process
//! that made it, also where that is killed: see [`process`].
//!
//! A component that is not installed is [`Error::Missing`], so that a test can skip: [`or_skip`].

mod clock;
mod haproxy;
mod node;
mod object_line;
mod object_server;
mod port;
mod postgres;
pub mod process;
mod program;
mod wire;

use std::fmt;

pub use haproxy::{Check, HaProxy, HaProxyOptions};
pub use node::{Node, NodeOptions};
pub use object_line::{Fault, ObjectLine, Seen};
pub use object_server::ObjectServer;
pub use port::Port;
pub use postgres::{Options, Postgres, Replication, shared};
pub use wire::{Weather, Wire};

/// Why there is no component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// It is not installed here, or this system does not allow it: the test skips. What is missing.
    Missing(String),
    /// It is here and does not do what it should: the test fails. What happened, with the end of its log.
    Failed(String),
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(what) => write!(formatter, "there is no {what}"),
            Self::Failed(what) => formatter.write_str(what),
        }
    }
}

impl std::error::Error for Error {}

/// What a call of this crate gives.
pub type Result<T> = std::result::Result<T, Error>;

/// The component; or nothing, with a line that says that `test` was skipped, where something is missing.
///
/// # Panics
/// Where the component is there and fails.
pub fn or_skip<T>(component: Result<T>, test: &str) -> Option<T> {
    match component {
        Ok(component) => Some(component),
        Err(Error::Missing(what)) => {
            println!("skipped: {test}: there is no {what}");
            None
        }
        Err(Error::Failed(what)) => panic!("{test}: {what}"),
    }
}
