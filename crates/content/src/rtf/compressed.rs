//! Compressed RTF (MS-OXRTFCP): a header and, mostly, LZ77 with a dictionary that begins with common words.

/// Bytes of the header: size of what follows, size when expanded, kind, checksum.
const HEADER_BYTES: usize = 16;
const COMPRESSED: &[u8] = b"LZFu";
const PLAIN: &[u8] = b"MELA";
/// What stands in the dictionary at first.
const WORDS: &[u8] = b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor MS Sans \
SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";
const DICTIONARY_BYTES: usize = 4_096;
/// A reference names at least so many bytes.
const MATCH_BYTES_MIN: usize = 2;

/// Expands at most `max` bytes. Damage ends the text; `None` where it does not begin as it should. The checksum is not
/// looked at: a text with an error is better than none.
pub(super) fn expand(bytes: &[u8], max: usize) -> Option<Vec<u8>> {
    let (header, body) = bytes.split_at_checked(HEADER_BYTES)?;
    let raw = u32::from_le_bytes(header.get(4..8)?.try_into().ok()?) as usize;
    let max = max.min(raw);
    match header.get(8..12)? {
        PLAIN => Some(body.get(..max).unwrap_or(body).to_vec()),
        COMPRESSED => Some(inflate(body, max)),
        _ => None,
    }
}

fn inflate(body: &[u8], max: usize) -> Vec<u8> {
    let mut dictionary = vec![b' '; DICTIONARY_BYTES];
    for (place, byte) in dictionary.iter_mut().zip(WORDS) {
        *place = *byte;
    }
    let mut end = WORDS.len();
    let mut out = Vec::new();
    let mut input = body.iter().copied();
    while let Some(control) = input.next() {
        for bit in 0..8 {
            let (mut from, length) = if control >> bit & 1 == 0 {
                let Some(byte) = input.next() else { return out };
                put(&mut dictionary, &mut end, &mut out, byte);
                continue;
            } else {
                let (Some(high), Some(low)) = (input.next(), input.next()) else { return out };
                (usize::from(high) << 4 | usize::from(low) >> 4, usize::from(low & 0xf) + MATCH_BYTES_MIN)
            };
            if from == end {
                return out;
            }
            for _ in 0..length {
                let byte = dictionary.get(from).copied().unwrap_or(b' ');
                from = (from + 1) % DICTIONARY_BYTES;
                put(&mut dictionary, &mut end, &mut out, byte);
            }
        }
        if out.len() >= max {
            break;
        }
    }
    out.truncate(max);
    out
}

fn put(dictionary: &mut [u8], end: &mut usize, out: &mut Vec<u8>, byte: u8) {
    if let Some(place) = dictionary.get_mut(*end) {
        *place = byte;
    }
    *end = (*end + 1) % DICTIONARY_BYTES;
    out.push(byte);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the specification, without their checksums.
    #[test]
    fn examples() {
        assert_eq!(WORDS.len(), 207);
        let hello = [
            0x2d, 0, 0, 0, 0x2b, 0, 0, 0, 0x4c, 0x5a, 0x46, 0x75, 0xf1, 0xc5, 0xc7, 0xa7, 0x03, 0x00, 0x0a, 0x00, 0x72,
            0x63, 0x70, 0x67, 0x31, 0x32, 0x35, 0x42, 0x32, 0x0a, 0xf3, 0x20, 0x68, 0x65, 0x6c, 0x09, 0x00, 0x20, 0x62,
            0x77, 0x05, 0xb0, 0x6c, 0x64, 0x7d, 0x0a, 0x80, 0x0f, 0xa0,
        ];
        let text = "{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n";
        assert_eq!(String::from_utf8(expand(&hello, 1_000).unwrap()).unwrap(), text);
        assert_eq!(expand(&hello, 6).unwrap(), b"{\\rtf1");
        // A reference to what it is just writing.
        let overlap = [
            0x1a, 0, 0, 0, 0x1c, 0, 0, 0, 0x4c, 0x5a, 0x46, 0x75, 0xe2, 0xd4, 0x4b, 0x51, 0x41, 0x00, 0x04, 0x20, 0x57,
            0x58, 0x59, 0x5a, 0x0d, 0x6e, 0x7d, 0x01, 0x0e, 0xb0,
        ];
        assert_eq!(String::from_utf8(expand(&overlap, 1_000).unwrap()).unwrap(), "{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}");
        assert_eq!(expand(b"\x0f\0\0\0\x03\0\0\0MELA\0\0\0\0abc", 9).unwrap(), b"abc");
    }

    #[test]
    fn damage_ends_the_text() {
        for bytes in [&b""[..], b"\0\0\0\0\0\0\0\0LZFu", b"\0\0\0\0\xff\xff\xff\xffnope\0\0\0\0"] {
            assert_eq!(expand(bytes, 9), None);
        }
        let mut long = b"\0\0\0\0\xff\xff\xff\xffLZFu\0\0\0\0".to_vec();
        for byte in 0..=255_u8 {
            long.extend([byte; 40]);
            assert!(expand(&long, 1_000).unwrap().len() <= 1_000);
        }
    }
}
