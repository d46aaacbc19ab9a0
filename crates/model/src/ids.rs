//! Identifiers and positions. Each is a type of its own, so that the compiler catches a swap.

use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl $name {
            /// The value as stored. Values stay below 2^63, since stores keep them in signed columns.
            pub const fn to_i64(self) -> i64 {
                self.0.cast_signed()
            }

            /// The inverse of [`Self::to_i64`].
            pub const fn from_i64(value: i64) -> Self {
                Self(value.cast_unsigned())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// A root: the unit of consistency, sharding and writing. A mailbox or a site collection; 0 is the control root,
    /// which holds accounts and sites.
    RootId
}
number! {
    /// A collection inside a root: a mail folder or a list. Equal to the position of its creation.
    CollectionId
}
number! {
    /// An item inside a root. In mailboxes the position of its birth; in lists `collection << 32 | number`.
    ItemId
}
number! {
    /// A position in the history of one root. The first write of a root takes 1; 0 is before everything.
    Seq
}

impl RootId {
    /// Accounts and sites live here.
    pub const CONTROL: Self = Self(0);
}

impl ItemId {
    /// The id of row `number` of a list. `number` is at least 1; the collection id stays below 2^31.
    pub const fn in_list(collection: CollectionId, number: u32) -> Self {
        Self(collection.0 << 32 | number as u64)
    }

    /// The row number inside its list (the low 32 bits).
    pub const fn number(self) -> u32 {
        (self.0 & 0xffff_ffff) as u32
    }
}

impl Seq {
    /// Before everything.
    pub const ZERO: Self = Self(0);

    /// The next position.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}
