//! The store past one machine: one database that speaks PostgreSQL's protocol behind any number of nodes.

#![expect(dead_code, reason = "the parts come one by one")]

mod schema;
