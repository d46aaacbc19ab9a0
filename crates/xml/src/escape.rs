//! Escaping of text and attribute values, and which characters XML 1.0 can carry.

/// Where escaped text goes to: quotes and white space need more care inside an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Text,
    Attribute,
}

/// Bytes that are looked at together: one vector register.
const CHUNK_BYTES: usize = 16;

/// First byte of U+F000 to U+FFFF, of which the last two cannot be carried.
const LEAD_EF: u8 = 0xEF;

/// Appends `text` to `out` so that a reader gets it back, without the characters that XML 1.0 cannot carry.
///
/// Runs between special bytes are found a vector at a time and copied whole.
pub(crate) fn escape(out: &mut Vec<u8>, text: &str, place: Place) {
    match place {
        Place::Text => escape_bytes::<false>(out, text.as_bytes()),
        Place::Attribute => escape_bytes::<true>(out, text.as_bytes()),
    }
}

fn escape_bytes<const ATTRIBUTE: bool>(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len());
    // What is neither copied nor replaced yet, and how much of its front is known to need no change.
    let mut rest = bytes;
    let mut plain = 0;
    while let Some((at, byte)) = next_special::<ATTRIBUTE>(rest, plain) {
        let mut skip = 1;
        let replacement: &[u8] = match byte {
            b'&' => b"&amp;",
            b'<' => b"&lt;",
            b'>' => b"&gt;",
            b'"' => b"&quot;",
            b'\t' => b"&#9;",
            b'\n' => b"&#10;",
            b'\r' => b"&#13;",
            LEAD_EF => {
                if !matches!(rest.get(at + 1..at + 3), Some([0xBF, 0xBE | 0xBF])) {
                    plain = at + 1;
                    continue;
                }
                skip = 3;
                b""
            }
            // The other control characters.
            _ => b"",
        };
        out.extend_from_slice(rest.get(..at).unwrap_or_default());
        out.extend_from_slice(replacement);
        rest = rest.get(at + skip..).unwrap_or_default();
        plain = 0;
    }
    out.extend_from_slice(rest);
}

/// The first special byte from `from` on, with its place in `bytes`.
fn next_special<const ATTRIBUTE: bool>(bytes: &[u8], from: usize) -> Option<(usize, u8)> {
    let (chunks, tail) = bytes.get(from..)?.as_chunks::<CHUNK_BYTES>();
    // No early exit inside a chunk, so that the compiler compares its bytes at once.
    let marked = |chunk: &[u8; CHUNK_BYTES]| {
        chunk.iter().fold(0, |found, &byte| found | u8::from(is_special::<ATTRIBUTE>(byte))) != 0
    };
    let clean = chunks.iter().position(marked).unwrap_or(chunks.len());
    let suspect = chunks.get(clean).map_or(tail, |chunk| chunk.as_slice());
    let at = suspect.iter().position(|&byte| is_special::<ATTRIBUTE>(byte))?;
    Some((from + clean * CHUNK_BYTES + at, *suspect.get(at)?))
}

/// Whether the byte may not simply be copied; written without branches.
#[inline]
fn is_special<const ATTRIBUTE: bool>(byte: u8) -> bool {
    let markup = (byte == b'&') | (byte == b'<') | (byte == b'>') | (byte == LEAD_EF);
    if ATTRIBUTE {
        markup | (byte == b'"') | (byte < 0x20)
    } else {
        markup | ((byte < 0x20) & (byte != b'\t') & (byte != b'\n'))
    }
}

/// Whether XML 1.0 can carry the character, directly or as a reference.
pub(crate) fn is_xml_char(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn escaped(text: &str, place: Place) -> String {
        let mut out = Vec::new();
        escape(&mut out, text, place);
        String::from_utf8(out).unwrap()
    }

    /// What the escaper does, one character at a time.
    fn expected(text: &str, place: Place) -> String {
        let mut out = String::new();
        for character in text.chars().filter(|character| is_xml_char(*character)) {
            match (character, place) {
                ('&', _) => out.push_str("&amp;"),
                ('<', _) => out.push_str("&lt;"),
                ('>', _) => out.push_str("&gt;"),
                ('\r', _) => out.push_str("&#13;"),
                ('"', Place::Attribute) => out.push_str("&quot;"),
                ('\t', Place::Attribute) => out.push_str("&#9;"),
                ('\n', Place::Attribute) => out.push_str("&#10;"),
                _ => out.push(character),
            }
        }
        out
    }

    #[test]
    fn each_byte_at_each_place_of_a_chunk() {
        for character in ('\0'..='\u{FF}').chain(['\u{F000}', '\u{FF0C}', '\u{FFFD}', '\u{FFFE}', '\u{FFFF}', '😀']) {
            for before in 0..=2 * CHUNK_BYTES {
                for after in [0, 1, CHUNK_BYTES] {
                    let text = format!("{}{character}{}", "x".repeat(before), "y".repeat(after));
                    for place in [Place::Text, Place::Attribute] {
                        assert_eq!(escaped(&text, place), expected(&text, place), "{character:?} {before} {after}");
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_text(text in "(?s)[a<>&\"'\t\r\n\0-\u{1F}é\u{FF0C}\u{FFFD}-\u{FFFF}😀]{0,80}") {
            for place in [Place::Text, Place::Attribute] {
                prop_assert_eq!(escaped(&text, place), expected(&text, place));
            }
        }
    }
}
