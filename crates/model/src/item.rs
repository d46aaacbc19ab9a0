//! What an item holds.

use bytes::Bytes;

use crate::{Bag, Rope};

/// The bits of an item that live in the hot table. A change of [`Self::READ`] alone is a read-flag change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ItemFlags(pub u32);

impl ItemFlags {
    /// Read.
    pub const READ: Self = Self(1);
    /// Folder-associated (EWS): not among the normal items.
    pub const ASSOCIATED: Self = Self(2);
    /// A folder inside a list.
    pub const FOLDER: Self = Self(4);

    /// Whether all bits of `other` are set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These bits and those of `other`.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These bits without those of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// These bits with those of `other` set or cleared.
    #[must_use]
    pub const fn set(self, other: Self, on: bool) -> Self {
        if on { self.with(other) } else { self.without(other) }
    }
}

/// An item in full: what import and upload give, and what export and rendering take.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ItemContent {
    /// All properties, bodies included (`tags::BODY`, `tags::HTML`, `tags::RTF_COMPRESSED`).
    pub bag: Bag,
    /// One bag a recipient, in order.
    pub recipients: Vec<Bag>,
    /// In order; the index is the attachment number.
    pub attachments: Vec<Attachment>,
    /// The message as it came, byte for byte. `None` once content has changed, or where there never was one: it is
    /// then rendered from the rest.
    pub mime: Option<Bytes>,
}

/// One attachment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attachment {
    /// Its properties, without the content.
    pub bag: Bag,
    /// What it holds.
    pub content: AttachmentContent,
}

/// What an attachment holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum AttachmentContent {
    /// Nothing of ours (a link, an OLE object that was not kept).
    #[default]
    None,
    /// A file.
    File(Bytes),
    /// A file whose bytes lie in a spool. Only on the way into the store, which gives a [`Self::File`] back: who renders
    /// items finds nothing in it.
    Spooled(Rope),
    /// An embedded message (method 5).
    Item(Box<ItemContent>),
}
