//! Who is asking, and what they may do.

use model::{Guid, RootId};

/// Somebody who has been authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account: also the root of its mailbox.
    pub account: RootId,
    /// The mailbox GUID.
    pub mailbox_guid: Guid,
    /// The address, lower case.
    pub address: String,
    /// The name shown.
    pub display_name: String,
}

/// What a handle may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rights {
    /// Read.
    Read,
    /// Read, and write items.
    Contribute,
    /// Everything.
    Full,
}
