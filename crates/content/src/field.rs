//! Header fields as they are written: folded, and in ASCII by way of encoded words (RFC 2047) and RFC 2231. No value can
//! end its field or open another one. Must not know which fields a message has.

use std::fmt::Write as _;

use base64::Engine as _;

use crate::address::Mailbox;

/// Characters of a line that folding aims at.
const LINE_CHARS: usize = 76;
/// Bytes of text in one encoded word, so that it stays within 75 characters.
const ENCODED_BYTES_MAX: usize = 42;
/// Characters of a word that folding cannot break; a longer one is encoded.
const WORD_CHARS_MAX: usize = 400;
/// Characters of one piece of a long parameter.
const PIECE_CHARS_MAX: usize = 60;

/// Writes a field from words that are ASCII already.
fn write_words<'w>(name: &str, words: impl IntoIterator<Item = &'w str>, out: &mut Vec<u8>) {
    out.extend(name.as_bytes());
    out.push(b':');
    let mut column = name.len() + 1;
    for (index, word) in words.into_iter().enumerate() {
        if column + 1 + word.len() > LINE_CHARS && index > 0 {
            out.extend(b"\r\n");
            column = 0;
        }
        out.push(b' ');
        out.extend(word.as_bytes());
        column += 1 + word.len();
    }
    out.extend(b"\r\n");
}

/// A field of free text.
pub(crate) fn write_text(name: &str, text: &str, out: &mut Vec<u8>) {
    if is_plain(text) {
        write_words(name, text.split(' '), out);
    } else {
        write_words(name, encoded_words(text).iter().map(String::as_str), out);
    }
}

/// A field of identifiers or other structured ASCII. What is not printable ASCII goes away.
pub(crate) fn write_raw(name: &str, text: &str, out: &mut Vec<u8>) {
    let words =
        text.split_ascii_whitespace().map(|word| word.chars().filter(char::is_ascii_graphic).collect::<String>());
    let words: Vec<String> = words.filter(|word| !word.is_empty()).collect();
    if !words.is_empty() {
        write_words(name, words.iter().map(String::as_str), out);
    }
}

/// An address field; none where there are no mailboxes.
pub(crate) fn write_mailboxes(name: &str, mailboxes: &[Mailbox], out: &mut Vec<u8>) {
    let last = mailboxes.len().saturating_sub(1);
    let mut words = Vec::new();
    for (index, mailbox) in mailboxes.iter().enumerate() {
        let mut of_mailbox = mailbox_words(mailbox);
        if index < last
            && let Some(word) = of_mailbox.last_mut()
        {
            word.push(',');
        }
        words.extend(of_mailbox);
    }
    if !words.is_empty() {
        write_words(name, words.iter().map(String::as_str), out);
    }
}

/// A field with a value and parameters: Content-Type, Content-Disposition.
pub(crate) fn write_structured(name: &str, value: &str, parameters: &[(&str, &str)], out: &mut Vec<u8>) {
    let mut words = vec![value.chars().filter(char::is_ascii_graphic).collect::<String>()];
    for (key, text) in parameters {
        words.extend(parameter(key, text));
    }
    let last = words.len() - 1;
    for word in words.iter_mut().take(last) {
        word.push(';');
    }
    write_words(name, words.iter().map(String::as_str), out);
}

fn mailbox_words(mailbox: &Mailbox) -> Vec<String> {
    let address: String = mailbox
        .address
        .chars()
        .filter(|character| !character.is_whitespace() && !character.is_control() && !"<>,;\"".contains(*character))
        .collect();
    if mailbox.name.is_empty() || mailbox.name == mailbox.address {
        return if address.is_empty() { Vec::new() } else { vec![address] };
    }
    let mut words = phrase(&mailbox.name);
    if !address.is_empty() {
        words.push(format!("<{address}>"));
    }
    words
}

/// A display name: atoms, a quoted string, or encoded words.
fn phrase(name: &str) -> Vec<String> {
    if !is_plain(name) || name.len() > WORD_CHARS_MAX {
        return encoded_words(name);
    }
    let atoms = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" !#$%&'*+-/=?^_`{|}~".contains(&byte));
    if atoms {
        return name.split(' ').map(str::to_owned).collect();
    }
    vec![quoted(name)]
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        if character == '"' || character == '\\' {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
    out
}

/// Whether text survives folding and unfolding as it is: printable ASCII, single spaces inside only, nothing that reads
/// as an encoded word.
fn is_plain(text: &str) -> bool {
    let printable = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    let spaced = !text.starts_with(' ') && !text.ends_with(' ') && !text.contains("  ");
    printable && spaced && !text.contains("=?") && text.split(' ').all(|word| word.len() <= WORD_CHARS_MAX)
}

fn encoded_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.floor_char_boundary(ENCODED_BYTES_MAX);
        let (head, tail) = rest.split_at(end);
        words.push(format!("=?utf-8?B?{}?=", base64::engine::general_purpose::STANDARD.encode(head)));
        rest = tail;
    }
    words
}

fn parameter(key: &str, text: &str) -> Vec<String> {
    let printable = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if printable && text.len() <= PIECE_CHARS_MAX && !text.contains("=?") && !text.contains(['"', '\\']) {
        let token =
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._+".contains(&byte));
        return vec![if token { format!("{key}={text}") } else { format!("{key}={}", quoted(text)) }];
    }
    let mut pieces = vec![String::new()];
    for character in text.chars() {
        let mut escaped = String::new();
        for byte in character.encode_utf8(&mut [0; 4]).bytes() {
            if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) {
                escaped.push(byte.into());
            } else {
                let _ = write!(escaped, "%{byte:02X}");
            }
        }
        // A character stays in one piece, since many readers decode the pieces one by one.
        match pieces.last_mut() {
            Some(piece) if piece.len() + escaped.len() <= PIECE_CHARS_MAX => piece.push_str(&escaped),
            _ => pieces.push(escaped),
        }
    }
    if let [piece] = pieces.as_slice() {
        return vec![format!("{key}*=utf-8''{piece}")];
    }
    let named = |(index, piece): (usize, &String)| {
        let charset = if index == 0 { "utf-8''" } else { "" };
        format!("{key}*{index}*={charset}{piece}")
    };
    pieces.iter().enumerate().map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::headers::Headers;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn nothing_escapes_its_field() {
        for text in ["a\r\nBcc: x@example.com", "a\nb", "\0", "a\r\n\r\nbody"] {
            for field in [
                written(|out| write_text("Subject", text, out)),
                written(|out| write_raw("References", text, out)),
                written(|out| write_mailboxes("To", &[Mailbox::new(text, text)], out)),
                written(|out| write_structured("Content-Type", text, &[("name", text)], out)),
            ] {
                assert!(field.split("\r\n").skip(1).all(|line| line.is_empty() || line.starts_with(' ')), "{field:?}");
                assert!(!field.contains('\0'));
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn text_comes_back(text in "\\PC{0,200}") {
            let text = text.trim();
            let field = written(|out| write_text("Subject", text, out));
            let read = Headers::read(field.as_bytes()).text("Subject").unwrap_or_default();
            proptest::prop_assert_eq!(read, text);
        }

        #[test]
        fn names_come_back(name in "[ -~éüß日本,;\"\\\\<>()]{1,60}", address in "[a-z]{1,9}@[a-z]{1,9}\\.example") {
            let mailbox = Mailbox::new(&name, &address);
            let field = written(|out| write_mailboxes("To", &[mailbox.clone(), mailbox.clone()], out));
            let read = Headers::read(field.as_bytes()).mailboxes("To");
            proptest::prop_assert_eq!(read, vec![mailbox.clone(), mailbox]);
        }

        #[test]
        fn parameters_come_back(name in "[ -~éüß日本\"\\\\;=?]{1,120}") {
            let field = written(|out| write_structured("Content-Disposition", "attachment", &[("filename", &name)], out));
            let headers = Headers::read(field.as_bytes());
            let read = headers.structured("Content-Disposition").and_then(|field| field.attribute("filename"));
            proptest::prop_assert_eq!(read.unwrap_or_default().trim(), name.trim());
        }
    }
}
