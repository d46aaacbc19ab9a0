//! Highwater as a program: configuration, the choice of a store, HTTP, authentication, and the command line.
//!
//! It wires the other crates together. It must not know SQL text or the names of elements of a protocol, except those
//! of the refusals it gives itself.

mod adapters;
mod answer;
mod auth;
mod background;
mod body;
pub mod cli;
pub mod config;
pub mod copy;
mod demo;
mod flow;
mod hanging;
mod health;
mod import;
mod measured;
pub mod metrics;
mod monitor;
mod pack;
pub mod password;
mod route;
mod server;
mod service;
mod spool;
mod status;
pub mod stores;
pub mod system;

pub use config::Config;
pub use metrics::Metrics;
pub use server::{Running, Server, Signals, StartError};
