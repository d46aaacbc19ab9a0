//! Bytes of a named character set to text. Must not know what the text is for.

use std::{borrow::Cow, fmt::Write as _};

use mail_parser::decoders::charsets::map::charset_decoder;

use crate::{contained, transfer};

/// Bytes at the start of an HTML document in which its own charset declaration is looked for.
const SNIFF_BYTES_MAX: usize = 1_024;

/// The text of `bytes`. Without a usable label it is UTF-8 if it can be, otherwise Windows-1252.
pub(crate) fn decode(bytes: &[u8], label: Option<&str>) -> String {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let label = label.map(str::trim).filter(|label| !label.is_empty());
    // UTF-8 under another label is far more often a wrong label than a coincidence, save for sets that are ASCII with
    // shifts.
    let shifting = label.is_some_and(|label| {
        let label = label.to_ascii_lowercase();
        label.starts_with("iso-2022")
            || label.starts_with("utf-7")
            || label.starts_with("utf-16")
            || label == "hz-gb-2312"
    });
    if !shifting && let Ok(text) = std::str::from_utf8(bytes) {
        return text.to_owned();
    }
    if label.is_some_and(|label| label.eq_ignore_ascii_case("utf-7")) {
        return decode_utf_7(bytes);
    }
    label
        .filter(|label| !label.eq_ignore_ascii_case("utf-8"))
        .and_then(|label| charset_decoder(label.as_bytes()))
        .and_then(|decoder| contained(|| decoder(bytes)))
        .unwrap_or_else(|| fallback(bytes, label).into_owned())
}

/// The text of an HTML document, which may name its character set itself.
pub(crate) fn decode_html(bytes: &[u8], label: Option<&str>) -> String {
    if label.is_some() {
        return decode(bytes, label);
    }
    let start = String::from_utf8_lossy(bytes.get(..SNIFF_BYTES_MAX).unwrap_or(bytes)).to_ascii_lowercase();
    let declared = start.split_once("charset=").map(|(_, rest)| {
        let rest = rest.trim_start_matches(['"', '\'', ' ']);
        rest.split(|c: char| !(c.is_ascii_alphanumeric() || "-_:.".contains(c))).next().unwrap_or_default().to_owned()
    });
    decode(bytes, declared.as_deref())
}

/// Header bytes as text: lines that are not UTF-8 are read as Windows-1252.
pub(crate) fn decode_lines(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => {
            let lines = bytes.split_inclusive(|byte| *byte == b'\n');
            Cow::Owned(lines.map(decode_line).collect())
        }
    }
}

/// One header line. Raw bytes inside a quoted encoded word are in the set that the word names, and are left to it.
fn decode_line(line: &[u8]) -> Cow<'_, str> {
    let quoted = line.windows(3).any(|window| window.eq_ignore_ascii_case(b"?q?"));
    if !quoted || std::str::from_utf8(line).is_ok() {
        return fallback(line, None);
    }
    let mut out = String::with_capacity(line.len() + 16);
    for byte in line {
        if byte.is_ascii() {
            out.push(char::from(*byte));
        } else {
            let _ = write!(out, "={byte:02X}");
        }
    }
    Cow::Owned(out)
}

/// UTF-7 (RFC 2152).
fn decode_utf_7(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    let mut pieces = bytes.split(|byte| *byte == b'+');
    out.push_str(&String::from_utf8_lossy(pieces.next().unwrap_or_default()));
    for piece in pieces {
        let length = piece.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'/').count();
        let (shifted, rest) = piece.split_at(length);
        let rest = rest.strip_prefix(b"-").unwrap_or(rest);
        if shifted.is_empty() {
            // `+-` is a plus sign.
            out.push('+');
        }
        let units = transfer::decode_base64(shifted);
        let units = units.as_chunks::<2>().0.iter().map(|unit| u16::from_be_bytes(*unit));
        out.extend(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)));
        out.push_str(&String::from_utf8_lossy(rest));
    }
    out
}

fn fallback<'b>(bytes: &'b [u8], label: Option<&str>) -> Cow<'b, str> {
    if label.is_some_and(|label| label.eq_ignore_ascii_case("utf-8")) {
        return String::from_utf8_lossy(bytes);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => charset_decoder(b"windows-1252")
            .and_then(|decoder| contained(|| decoder(bytes)))
            .map_or_else(|| String::from_utf8_lossy(bytes), Cow::Owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels() {
        let cases: [(&[u8], Option<&str>, &str); 10] = [
            (b"caf\xe9", Some("iso-8859-1"), "café"),
            (b"caf\xe9", None, "café"),
            (b"caf\xc3\xa9", None, "café"),
            (b"caf\xc3\xa9", Some("us-ascii"), "café"),
            (b"caf\xe9", Some("utf-8"), "caf\u{fffd}"),
            (b"caf\xe9", Some("no-such-set"), "café"),
            (b"\x1b$B$3$s\x1b(B", Some("iso-2022-jp"), "こん"),
            (b"\xc4\xe3\xba\xc3", Some("gb2312"), "你好"),
            (b"Fr+APY-sche +- +vCA-x +2D3cnA-", Some("UTF-7"), "Frösche + 밠x 💜"),
            (b"\x93hi\x94", Some("windows-1252"), "\u{201c}hi\u{201d}"),
        ];
        for (bytes, label, text) in cases {
            assert_eq!(decode(bytes, label), text, "{label:?}");
        }
        assert_eq!(
            decode_lines(b"A: b\xe4\r\nB: =?iso-8859-1?Q?M\xfcller?=\r\n"),
            "A: bä\r\nB: =?iso-8859-1?Q?M=FCller?=\r\n"
        );
        assert_eq!(decode_html(b"<meta charset=\"koi8-r\">\xd0", None), "<meta charset=\"koi8-r\">п");
    }
}
