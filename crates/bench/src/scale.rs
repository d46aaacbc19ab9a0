//! A fleet under load over HTTP: what `cargo xtask bench --scale` measures with.
//!
//! Clients are threads with a connection each, as cheap as can be, since they share the machine with what they measure.

mod asks;
mod client;
mod database;
mod drive;
mod gauge;
mod line;

pub use asks::{Mailbox, PAGE, Site, account, create_messages, sync_ids, sync_page, update};
pub use client::Client;
pub use database::{Database, Log, round_trip_ms};
pub use drive::{Driven, drive};
pub use gauge::{Gauge, Usage, memory_mb};
pub use line::CountingLine;
