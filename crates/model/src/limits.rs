//! Named bounds on what clients and stored data may ask of us. Each name ends in its unit and bound.

/// Changes in one `SyncFolderItems` answer, \[seed 000\].
pub const SYNC_CHANGES_MAX: u32 = 512;
/// Changed rows in one `GetListItemChangesSinceToken` answer to a token, by default (2010 and later).
pub const LIST_CHANGES_MAX: u32 = 40;
/// `Id` entries in one `GetListItemChangesSinceToken` answer.
pub const LIST_CHANGE_IDS_MAX: u32 = 1_000;
/// Rows that one store read may return.
pub const PAGE_ROWS_MAX: usize = 1_024;
/// Rows of a root that go from store to store at once.
pub const TRANSFER_ROWS_MAX: usize = 8_192;
/// Bytes of a root that go from store to store at once; the last row of a page may go past them.
pub const TRANSFER_BYTES_MAX: usize = 4 << 20;
/// Bytes of a request body that the server reads.
pub const BODY_BYTES_MAX: usize = 128 << 20;
/// Bytes of one part (MIME, a body, an attachment).
pub const PART_BYTES_MAX: usize = 128 << 20;
/// Bytes of a part that are read at once.
pub const PART_RANGE_BYTES_MAX: usize = 1 << 20;
/// Bytes of the property bag that lies beside an item; larger values move to the heavy part.
pub const BAG_BYTES_MAX: usize = 1 << 20;
/// A value of more bytes than this moves from the bag to the heavy part.
pub const LIGHT_VALUE_BYTES_MAX: usize = 4_096;
/// Elements inside one another in a request.
pub const XML_DEPTH_MAX: usize = 64;
/// Elements of one request.
pub const XML_ELEMENTS_MAX: usize = 1_000_000;
/// Attributes of one element.
pub const XML_ATTRIBUTES_MAX: usize = 64;
/// Embedded messages inside one another.
pub const EMBED_DEPTH_MAX: usize = 16;
/// Recipients of one item.
pub const RECIPIENTS_MAX: usize = 10_000;
/// Attachments of one item.
pub const ATTACHMENTS_MAX: usize = 1_000;
/// Ids in one batch request.
pub const BATCH_IDS_MAX: usize = 10_000;
/// Folders of one mailbox, or lists of one site.
pub const COLLECTIONS_MAX: usize = 100_000;
/// Bytes of the value of a key by which items are found. Longer ones are cut.
pub const KEY_VALUE_BYTES_MAX: usize = 1_024;
/// Keys that one write puts or drops.
pub const KEYS_OF_WRITE_MAX: usize = 64;
/// Writes in one commit.
pub const COMMIT_WRITES_MAX: usize = 4_000;
/// Characters of a folder or list name.
pub const NAME_CHARS_MAX: usize = 255;
/// Conditions in a restriction or a CAML query.
pub const PREDICATE_NODES_MAX: usize = 1_000;
/// Attempts at a read-change-write that met a conflict and may be repeated.
pub const CONFLICT_RETRIES_MAX: usize = 16;
/// Seconds for which tombstones are kept by default: 60 days.
pub const RETENTION_SECONDS_DEFAULT: i64 = 60 * 86_400;
/// Seconds for which recycle bins keep what was deleted by default: 30 days.
pub const RECYCLE_BIN_SECONDS_DEFAULT: i64 = 30 * 86_400;
/// Folders that one subscription to notifications names.
pub const SUBSCRIPTION_FOLDERS_MAX: usize = 256;
/// Entries of a recycle bin that are shown; of more the latest.
pub const RECYCLE_BIN_ENTRIES_MAX: usize = 20_000;
