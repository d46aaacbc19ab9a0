//! Content transfer encodings: base64 and quoted-printable, both ways. Reading is lenient: what does not belong is
//! skipped. Must not know headers.

use base64::Engine as _;

/// Characters of a line that we write.
const LINE_CHARS_MAX: usize = 76;

/// Bits of each character of base64; [`PADDING`] and [`SKIPPED`] for what is none.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const BASE64_BITS: [u8; 256] = {
    let mut bits = [SKIPPED; 256];
    let mut six = 0_u8;
    while six < 26 {
        bits[(b'A' + six) as usize] = six;
        bits[(b'a' + six) as usize] = six + 26;
        if six < 10 {
            bits[(b'0' + six) as usize] = six + 52;
        }
        six += 1;
    }
    (bits[b'+' as usize], bits[b'-' as usize]) = (62, 62);
    (bits[b'/' as usize], bits[b'_' as usize]) = (63, 63);
    bits[b'=' as usize] = PADDING;
    bits
};
const PADDING: u8 = 0x80;
const SKIPPED: u8 = 0x81;

/// Decodes base64. Anything outside the alphabet is skipped, and data after padding goes on.
pub(crate) fn decode_base64(text: &[u8]) -> Vec<u8> {
    let bits_of = |byte: u8| BASE64_BITS.get(usize::from(byte)).copied().unwrap_or(SKIPPED);
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut group, mut bits) = (0_u32, 0_u32);
    let mut rest = text;
    while let Some((four, behind)) = rest.split_first_chunk::<4>() {
        let [a, b, c, d] = four.map(bits_of);
        // Four characters of one group at once; the end of a line is taken byte by byte.
        if bits != 0 || (a | b | c | d) & PADDING != 0 {
            let Some((first, behind)) = rest.split_first() else { break };
            decode_one(bits_of(*first), &mut group, &mut bits, &mut out);
            rest = behind;
            continue;
        }
        out.extend_from_slice(&[a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d]);
        rest = behind;
    }
    rest.iter().for_each(|byte| decode_one(bits_of(*byte), &mut group, &mut bits, &mut out));
    out
}

fn decode_one(six: u8, group: &mut u32, bits: &mut u32, out: &mut Vec<u8>) {
    match six {
        PADDING => (*group, *bits) = (0, 0),
        SKIPPED => {}
        six => {
            *group = *group << 6 | u32::from(six);
            *bits += 6;
            if *bits >= 8 {
                *bits -= 8;
                out.push((*group >> *bits & 0xff) as u8);
                *group &= (1 << *bits) - 1;
            }
        }
    }
}

/// Decodes quoted-printable. A broken escape stands for itself.
pub(crate) fn decode_quoted_printable(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let content = line.strip_suffix(b"\n").unwrap_or(line);
        let content = content.strip_suffix(b"\r").unwrap_or(content);
        let ending = line.get(content.len()..).unwrap_or_default();
        let content = content.trim_ascii_end();
        let (content, soft) = match content.strip_suffix(b"=") {
            Some(rest) => (rest, true),
            None => (content, false),
        };
        let mut bytes = content.iter();
        while let Some(byte) = bytes.next() {
            let escaped = match bytes.as_slice() {
                [high, low, ..] if *byte == b'=' => hex(*high).zip(hex(*low)),
                _ => None,
            };
            match escaped {
                Some((high, low)) => {
                    out.push(high << 4 | low);
                    bytes.nth(1);
                }
                None => out.push(*byte),
            }
        }
        if !soft {
            out.extend(ending);
        }
    }
    out
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|digit| digit as u8)
}

/// Writes base64 in lines of 76 characters, each ended by CRLF.
pub(crate) fn encode_base64(bytes: &[u8], out: &mut Vec<u8>) {
    for chunk in bytes.chunks(LINE_CHARS_MAX / 4 * 3) {
        out.extend(base64::engine::general_purpose::STANDARD.encode(chunk).as_bytes());
        out.extend(b"\r\n");
    }
}

/// Writes quoted-printable. CRLF is a line break; everything else outside printable ASCII is escaped, and so are
/// spaces at the end of a line and what mail stores would alter at its start (`From `, a lone `.`).
pub(crate) fn encode_quoted_printable(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    let mut column = 0;
    while let Some((byte, tail)) = rest.split_first() {
        if rest.starts_with(b"\r\n") {
            out.extend(b"\r\n");
            rest = rest.get(2..).unwrap_or_default();
            column = 0;
            continue;
        }
        let ends_line = tail.is_empty() || tail.starts_with(b"\r\n");
        let plain = match byte {
            b' ' | b'\t' => !ends_line,
            b'F' | b'.' => column != 0,
            b'=' => false,
            0x21..=0x7e => true,
            _ => false,
        };
        let width = if plain { 1 } else { 3 };
        if column + width > LINE_CHARS_MAX - usize::from(!ends_line) {
            out.extend(b"=\r\n");
            column = 0;
        }
        if plain {
            out.push(*byte);
        } else {
            out.extend(format!("={byte:02X}").as_bytes());
        }
        column += width;
        rest = tail;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lenient_reading() {
        let base64: [(&[u8], &[u8]); 5] =
            [(b"aGVsbG8=", b"hello"), (b"aGVs\r\n bG8", b"hello"), (b"aGk=aGk=", b"hihi"), (b"!", b""), (b"a", b"")];
        for (text, bytes) in base64 {
            assert_eq!(decode_base64(text), bytes);
        }
        let quoted: [(&[u8], &[u8]); 6] = [
            (b"caf=C3=A9", "café".as_bytes()),
            (b"a=\r\nb", b"ab"),
            (b"a= \nb", b"ab"),
            (b"a  \r\nb\n", b"a\r\nb\n"),
            (b"1=2 =zz =", b"1=2 =zz "),
            (b"=c3=a9", "é".as_bytes()),
        ];
        for (text, bytes) in quoted {
            assert_eq!(decode_quoted_printable(text), bytes, "{}", String::from_utf8_lossy(text));
        }
    }

    proptest::proptest! {
        #[test]
        fn round_trips(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400)) {
            let (mut base64, mut quoted) = (Vec::new(), Vec::new());
            encode_base64(&bytes, &mut base64);
            encode_quoted_printable(&bytes, &mut quoted);
            proptest::prop_assert_eq!(&decode_base64(&base64), &bytes);
            proptest::prop_assert_eq!(&decode_quoted_printable(&quoted), &bytes);
            for line in quoted.split(|byte| *byte == b'\n') {
                proptest::prop_assert!(line.len() <= LINE_CHARS_MAX + 1 && line.is_ascii());
            }
        }
    }
}
