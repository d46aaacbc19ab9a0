//! Conversations: the index and id of a thread (MS-OXOMSG 2.2.1.2, 2.2.1.3), and the parts of a subject
//! (MS-OXCMSG, `PidTagSubjectPrefix` and `PidTagNormalizedSubject`).
//!
//! It must not know messages; texts, times and chance come in.

use md5::{Digest, Md5};
use model::{Guid, Time};

/// Bytes of a conversation index without response levels.
pub const INDEX_HEADER_BYTES: usize = 22;
/// Bytes of one response level.
pub const INDEX_LEVEL_BYTES: usize = 5;
/// Response levels that [`reply_index`] lets an index grow to.
pub const INDEX_LEVELS_MAX: usize = 100;
/// UTF-16 units of a topic that count for its id.
const TOPIC_UNITS_MAX: usize = 255;
/// Letters of a subject prefix.
const PREFIX_LETTERS_MAX: usize = 3;

/// The conversation id of a message without a usable index: the hash of its topic (the normalised subject), whatever
/// its case.
pub fn conversation_id(topic: &str) -> [u8; 16] {
    let mut hash = Md5::new();
    for unit in topic.encode_utf16().filter(|unit| *unit != 0).take(TOPIC_UNITS_MAX) {
        hash.update(upper_case(unit).to_le_bytes());
    }
    hash.finalize().into()
}

/// The conversation id that an index names. `None` where it has no whole header.
pub fn conversation_id_of_index(index: &[u8]) -> Option<[u8; 16]> {
    let header = index.first_chunk::<INDEX_HEADER_BYTES>()?;
    (header.first() == Some(&1)).then_some(header.last_chunk().copied()?)
}

/// The index of the first message of a thread: a reserved byte, five bytes of the time, and the GUID with its groups
/// big-endian.
pub fn conversation_index(time: Time, thread: Guid) -> [u8; INDEX_HEADER_BYTES] {
    let [_, t1, t2, t3, t4, t5, ..] = time.0.to_be_bytes();
    let [a0, a1, a2, a3, b0, b1, c0, c1, d0, d1, d2, d3, d4, d5, d6, d7] = thread.0;
    [1, t1, t2, t3, t4, t5, a3, a2, a1, a0, b1, b0, c1, c0, d0, d1, d2, d3, d4, d5, d6, d7]
}

/// The index of an answer, at `now`, to a message with index `parent`: one level more. `random` fills the four bits
/// that keep answers of one moment apart. `None` where `parent` has no whole header; at [`INDEX_LEVELS_MAX`] levels
/// the index of the parent.
pub fn reply_index(parent: &[u8], now: Time, random: u8) -> Option<Vec<u8>> {
    let [_, t1, t2, t3, t4, t5, ..] = *parent.first_chunk::<INDEX_HEADER_BYTES>()?;
    let begun = i64::from_be_bytes([0, t1, t2, t3, t4, t5, 0, 0]) | now.0 & (0xff << 56);
    let ticks = now.0.saturating_sub(begun).max(0).cast_unsigned();
    // Below about 1.7 years the finer unit, above it the coarser one, which the delta code tells.
    let code = if ticks & 0x00fe_0000_0000_0000 == 0 {
        ticks >> 18 & 0x7fff_ffff
    } else {
        ticks >> 23 & 0x7fff_ffff | 0x8000_0000
    };
    let levels = (parent.len() - INDEX_HEADER_BYTES) / INDEX_LEVEL_BYTES;
    let mut index = parent.to_vec();
    if levels < INDEX_LEVELS_MAX {
        index.extend((code as u32).to_be_bytes());
        index.push(random << 4 | (levels as u8 & 0x0f));
    }
    Some(index)
}

/// The upper-case form of a UTF-16 unit where that is one unit too.
fn upper_case(unit: u16) -> u16 {
    let Some(lower) = char::from_u32(u32::from(unit)) else { return unit };
    let mut upper = lower.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) => u16::try_from(u32::from(upper)).unwrap_or(unit),
        _ => unit,
    }
}

/// Splits a subject into its prefix and the rest. A prefix is one to three letters, a colon and a space (`RE: `).
/// Both parts together are the subject.
pub fn subject_prefix(subject: &str) -> (&str, &str) {
    let letters = subject.chars().take(PREFIX_LETTERS_MAX + 1).take_while(|c| c.is_alphabetic());
    let (count, length) = letters.fold((0, 0), |(count, length), c| (count + 1, length + c.len_utf8()));
    if (1..=PREFIX_LETTERS_MAX).contains(&count)
        && subject.get(length..).is_some_and(|rest| rest.starts_with(": "))
        && let Some(parts) = subject.split_at_checked(length + 2)
    {
        return parts;
    }
    ("", subject)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics() {
        assert_eq!(conversation_id("Straße i"), conversation_id("STRAßE I"));
        assert_ne!(conversation_id("a"), conversation_id("b"));
        // MD5 of no bytes.
        assert_eq!(conversation_id("")[..4], [0xd4, 0x1d, 0x8c, 0xd9]);
        let long = "x".repeat(255);
        assert_eq!(conversation_id(&long), conversation_id(&format!("{long}y")));
        assert_ne!(conversation_id(&long), conversation_id(&long[1..]));
    }

    #[test]
    fn indexes() {
        let thread: Guid = "01234567-89ab-cdef-0123-456789abcdef".parse().unwrap();
        let time = Time(0x01d0_1122_3344_5566);
        let index = conversation_index(time, thread);
        assert_eq!(index[..6], [1, 0xd0, 0x11, 0x22, 0x33, 0x44]);
        assert_eq!(
            index[6..],
            [1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]
        );
        assert_eq!(conversation_id_of_index(&index).unwrap(), index[6..]);
        assert_eq!(conversation_id_of_index(&index[..21]), None);
        let reply = reply_index(&index, time.plus_seconds(3600), 0xa).unwrap();
        assert_eq!(reply.len(), 27);
        assert_eq!(reply[..22], index);
        assert_eq!(u32::from_be_bytes(reply[22..26].try_into().unwrap()), (36_000_005_566_u64 >> 18) as u32);
        assert_eq!(reply[26], 0xa0);
        let late = reply_index(&reply, time.plus_seconds(86_400 * 1_000), 1).unwrap();
        assert_eq!(late.len(), 32);
        assert_eq!(late[27] & 0x80, 0x80);
        assert_eq!(late[31], 0x11);
        let mut full = index.to_vec();
        full.resize(22 + 5 * INDEX_LEVELS_MAX, 0);
        assert_eq!(reply_index(&full, time, 0), Some(full));
    }

    #[test]
    fn subjects() {
        for (subject, prefix, rest) in [
            ("RE: Hi", "RE: ", "Hi"),
            ("Hi", "", "Hi"),
            ("Антв: x", "", "Антв: x"),
            ("Отв: x", "Отв: ", "x"),
            ("RE:Hi", "", "RE:Hi"),
            ("R2: Hi", "", "R2: Hi"),
            (": Hi", "", ": Hi"),
            ("Fwd: RE: ", "Fwd: ", "RE: "),
            ("", "", ""),
            ("RE", "", "RE"),
        ] {
            assert_eq!(subject_prefix(subject), (prefix, rest), "{subject}");
        }
    }
}
