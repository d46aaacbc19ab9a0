//! Large parts in an object store.
