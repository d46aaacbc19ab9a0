//! What tests over HTTP need: a server to start, clients for both protocols that report what the wire says, strict
//! mirrors of folders and lists, and checks against the published schemas.
//!
//! It must not know how the server works inside: everything it asserts came over a socket. Everything here panics at
//! the first surprise, since its callers are tests.
#![expect(clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests stop at a surprise")]

pub mod chance;
pub mod ews;
pub mod hanging;
pub mod http;
pub mod librarian;
pub mod lists;
pub mod mirror;
pub mod question;
pub mod retry;
pub mod scenario;
pub mod schema;
pub mod server;
pub mod stream;
pub mod transcript;
pub mod tree;
pub mod watch;
pub mod weather;
