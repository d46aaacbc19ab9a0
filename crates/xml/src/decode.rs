//! From bytes to text: encodings, and the characters that XML 1.0 cannot carry.

use std::borrow::Cow;

use crate::error::{Failure, XmlError, narrow};
use crate::limits::Limits;

/// Bytes looked at together while nothing is suspect.
const CHUNK_BYTES: usize = 32;

/// The text of a document without its byte order mark: UTF-8, or UTF-16 where the mark says so.
pub(crate) fn decode<'s>(bytes: &'s [u8], limits: &Limits) -> Result<Cow<'s, str>, XmlError> {
    let bytes_max = limits.bytes_max.min(narrow(usize::MAX) as usize - 1);
    if bytes.len() > bytes_max {
        return Err(Failure::limit(bytes_max, "bytes", bytes_max).locate(bytes));
    }
    match bytes {
        [0xFF, 0xFE, units @ ..] => decode_utf16(units, u16::from_le_bytes).map(Cow::Owned),
        [0xFE, 0xFF, units @ ..] => decode_utf16(units, u16::from_be_bytes).map(Cow::Owned),
        [0xEF, 0xBB, 0xBF, text @ ..] | text => std::str::from_utf8(text)
            .map(Cow::Borrowed)
            .map_err(|error| Failure::syntax(error.valid_up_to(), "bytes that are not UTF-8").locate(text)),
    }
}

fn decode_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, XmlError> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(bytes.len());
    for character in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        let Ok(character) = character else {
            return Err(Failure::syntax(text.len(), "half of a UTF-16 pair").locate(text.as_bytes()));
        };
        text.push(character);
    }
    if rest.is_empty() {
        Ok(text)
    } else {
        Err(Failure::syntax(text.len(), "half of a UTF-16 unit").locate(text.as_bytes()))
    }
}

/// Refuses characters that XML 1.0 cannot carry; says whether a carriage return occurs.
pub(crate) fn check_characters(source: &str) -> Result<bool, Failure> {
    let bytes = source.as_bytes();
    let mut carriage_return = false;
    for (number, chunk) in bytes.chunks(CHUNK_BYTES).enumerate() {
        // No early exit, so that the compiler can compare all bytes at once.
        if !chunk.iter().fold(false, |found, &byte| found | (byte < 0x20) | (byte == 0xEF)) {
            continue;
        }
        for (at, &byte) in chunk.iter().enumerate() {
            let offset = number * CHUNK_BYTES + at;
            match byte {
                b'\t' | b'\n' => {}
                b'\r' => carriage_return = true,
                0..0x20 => return Err(Failure::syntax(offset, "a control character")),
                0xEF if matches!(bytes.get(offset + 1..offset + 3), Some([0xBF, 0xBE | 0xBF])) => {
                    return Err(Failure::syntax(offset, "a character that is none (U+FFFE or U+FFFF)"));
                }
                _ => {}
            }
        }
    }
    Ok(carriage_return)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, mark: [u8; 2], bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        mark.into_iter().chain(text.encode_utf16().flat_map(bytes)).collect()
    }

    #[test]
    fn each_encoding_gives_the_same_text() {
        let text = "<a>ü😀</a>";
        for bytes in [
            text.as_bytes().to_vec(),
            [b"\xEF\xBB\xBF", text.as_bytes()].concat(),
            utf16(text, [0xFF, 0xFE], u16::to_le_bytes),
            utf16(text, [0xFE, 0xFF], u16::to_be_bytes),
        ] {
            assert_eq!(decode(&bytes, &Limits::DEFAULT).unwrap(), text);
        }
    }

    #[test]
    fn broken_encodings_are_placed() {
        for (bytes, position) in [
            (b"<a>\n\xFF</a>".as_slice(), (2, 1)),
            (b"<a>\xED\xA0\x80</a>", (1, 4)),
            (b"\xFF\xFEa\0b", (1, 2)),
            (b"\xFF\xFEa\0\0\xD8a\0", (1, 2)),
        ] {
            assert_eq!(decode(bytes, &Limits::DEFAULT).unwrap_err().position(), position);
        }
    }

    #[test]
    fn characters_are_checked_at_each_place() {
        for (character, good) in [
            ('\t', true),
            ('\n', true),
            ('\r', true),
            ('\0', false),
            ('\u{B}', false),
            ('\u{1F}', false),
            ('\u{7F}', true),
            ('\u{FF0C}', true),
            ('\u{FFFD}', true),
            ('\u{FFFE}', false),
            ('\u{FFFF}', false),
            ('\u{10FFFF}', true),
        ] {
            for before in 0..=2 * CHUNK_BYTES {
                let text = format!("{}{character}", "x".repeat(before));
                match check_characters(&text) {
                    Ok(carriage_return) => assert!(good && carriage_return == (character == '\r'), "{character:?}"),
                    Err(failure) => assert!(!good && failure.offset == before, "{character:?}"),
                }
            }
        }
    }
}
