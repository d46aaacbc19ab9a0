//! What is thrown at everything that reads foreign bytes: items over the whole space of properties made from bytes, a
//! writer of streams as peers may write them, damage, and the targets themselves.
//!
//! `fuzz/` runs the targets under cargo-fuzz; `tests/` runs them on stable with a fixed number of seeded inputs. It must
//! not know how what it attacks works inside. Everything here panics at the first surprise, since its callers are tests.
#![expect(clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests stop at a surprise")]

pub mod damage;
pub mod item;
pub mod mailbox;
pub mod peer;
pub mod source;
pub mod targets;
