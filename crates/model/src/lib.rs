//! The vocabulary of Highwater: identifiers, times, properties, values, items, predicates and limits.
//!
//! Pure data. This crate must not know a store, a protocol, a runtime or the system clock; time and chance come in
//! through [`Clock`] and [`Random`].

mod bag;
mod context;
mod guid;
mod ids;
mod item;
pub mod limits;
mod predicate;
mod property;
mod rope;
mod time;
mod value;

pub use bag::{Bag, BagError, BagRef};
pub use context::{Clock, FixedClock, Random, SeededRandom};
pub use guid::Guid;
pub use ids::{CollectionId, ItemId, RootId, Seq};
pub use item::{Attachment, AttachmentContent, ItemContent, ItemFlags};
pub use predicate::{Comparison, ContainmentMode, Operand, Order, Predicate, Row, SortKey};
pub use property::{KeyRef, PropertyKey, lids, names, sets, tags};
pub use rope::{Extent, MemorySpool, Rope, Spool};
pub use time::{Civil, Time};
pub use value::{PropertyType, Value, ValueRef};
