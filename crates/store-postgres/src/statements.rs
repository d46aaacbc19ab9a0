//! Every statement of the hot path, with the index that it runs along: what `plan` explains and the tests of plans check.

pub(crate) mod copying;
pub(crate) mod objects;
pub(crate) mod reads;
pub(crate) mod transfer;
pub(crate) mod writes;

/// A statement of the hot path. Its first parameter is the root.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hot {
    /// A name for people.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the tests of plans"))]
    pub(crate) name: &'static str,
    /// The statement.
    pub(crate) text: &'static str,
    /// The indexes that it runs along, in no order; none for one that only inserts.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the tests of plans"))]
    pub(crate) along: &'static [&'static str],
}

/// All of them.
#[cfg_attr(not(test), expect(dead_code, reason = "for the tests of plans"))]
pub(crate) const ALL: &[&[Hot]] = &[copying::HOT, objects::HOT, reads::HOT, transfer::HOT, writes::HOT];
