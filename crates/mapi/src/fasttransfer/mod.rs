//! The payload of `ExportItems` and `UploadItems`: one item as a FastTransfer stream (MS-OXCFXICS) in records.
//!
//! Three layers, each in its file: [`frame`] cuts the payload into records, [`lex`] the stream inside them into markers
//! and properties, and the grammar makes an item of those ([`decode`], [`encode`]). None of them knows base64, XML, or
//! where items are kept.

mod decode;
mod encode;
pub mod frame;
pub mod lex;
#[cfg(test)]
mod tests;
mod window;

pub use decode::{Decoded, decode, decode_owned, decode_spooled, decode_spooled_by};
pub use encode::{Encoder, Kind, encode, encode_records};

use model::{PropertyKey, sets};

/// Properties of one message, recipient or attachment in a stream.
pub const PROPERTIES_MAX: usize = 10_000;

/// Why a payload is not an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FastTransferError {
    /// The bytes are cut short, contradict the format, or are not an item. Sending them again does not help.
    #[error("damaged item stream: {0}")]
    Damaged(&'static str),
    /// Well formed as far as read, but more than we take of what is named.
    #[error("item stream has too many {0}")]
    TooMany(&'static str),
    /// The spool in which the payload lies cannot be read or written. Sending it again may help.
    #[error("item stream cannot be read: {0}")]
    Unreadable(std::io::ErrorKind),
}

/// The method of an attachment by value.
const METHOD_BY_VALUE: i32 = 1;
/// The method of an embedded message.
const METHOD_EMBEDDED: i32 = 5;
/// Methods of attachments that may have bytes beside: by reference, resolved or not, OLE, a web address.
const OTHER_METHODS: [i32; 5] = [2, 3, 4, 6, 7];
/// The read bit of `PidTagMessageFlags`.
const FLAG_READ: i32 = 1;

/// Whether `key` never passes between a stream and an item, on whatever object: it is ours alone.
fn is_private(key: &PropertyKey) -> bool {
    match key {
        PropertyKey::Tag(_) => false,
        PropertyKey::Lid(set, _) | PropertyKey::Name(set, _) => *set == sets::HIGHWATER,
        PropertyKey::Field(_) => true,
    }
}

/// Whether `key` on a message is computed anew, so that it is neither read nor written.
const fn is_recomputed(key: &PropertyKey) -> bool {
    // Size, HasAttachments, DisplayBcc to DisplayTo, Read, EntryId, ParentEntryId, ObjectType, Mid, Fid, ChangeNumber,
    // ChangeKey, SourceKey, ConversationId.
    matches!(
        key,
        PropertyKey::Tag(
            0x0e08 | 0x0e1b | 0x0e02
                ..=0x0e04 | 0x0e69 | 0x0fff | 0x0e09 | 0x0ffe | 0x674a | 0x6748 | 0x67a4 | 0x65e2 | 0x65e0 | 0x3013
        )
    )
}
