//! Plain text bodies. Lines end with CRLF, as in mail.

use std::borrow::Cow;

/// Text with every line ended by CRLF: lone CR and LF become CRLF.
pub fn with_crlf(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 32);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\r' => {
                characters.next_if_eq(&'\n');
                out.push_str("\r\n");
            }
            '\n' => out.push_str("\r\n"),
            other => out.push(other),
        }
    }
    out
}

/// Undoes `format=flowed` (RFC 3676): lines that end in a space are joined with the next one of the same quote depth.
/// With `delete_space` that space goes away. `text` has CRLF line ends.
pub fn unflow(text: &str, delete_space: bool) -> String {
    let mut out = String::with_capacity(text.len());
    // The quote depth of the paragraph that is still open.
    let mut open: Option<usize> = None;
    let mut lines = text.split("\r\n").peekable();
    while let Some(line) = lines.next() {
        let depth = line.bytes().take_while(|byte| *byte == b'>').count();
        let content = line.get(depth..).unwrap_or_default();
        let content = content.strip_prefix(' ').unwrap_or(content);
        let signature = content == "-- ";
        if let Some(last) = open
            && (last != depth || signature)
        {
            out.push_str("\r\n");
            open = None;
        }
        if open.is_none() && depth > 0 {
            out.extend(std::iter::repeat_n('>', depth));
            out.push(' ');
        }
        let flows = content.ends_with(' ') && !signature;
        let content = if flows && delete_space { content.strip_suffix(' ').unwrap_or(content) } else { content };
        out.push_str(content);
        open = flows.then_some(depth);
        if open.is_none() && lines.peek().is_some() {
            out.push_str("\r\n");
        }
    }
    out
}

/// Text as a small HTML document that looks the same: lines, and spaces that HTML would collapse, are kept.
pub fn to_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8 + 64);
    out.push_str("<html><body><div>");
    let mut line_start = true;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\r' | '\n' => {
                if character == '\r' {
                    characters.next_if_eq(&'\n');
                }
                out.push_str("<br>\r\n");
                line_start = true;
                continue;
            }
            ' ' if line_start || characters.peek() == Some(&' ') => out.push_str("&nbsp;"),
            '\t' => out.push_str("&nbsp;&nbsp;&nbsp; "),
            other => push_escaped(other, &mut out),
        }
        line_start = false;
    }
    out.push_str("</div></body></html>");
    out
}

/// Text for use between tags or inside a quoted attribute of HTML.
pub fn escape_html(text: &str) -> Cow<'_, str> {
    if !text.contains(['<', '>', '&', '"']) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    text.chars().for_each(|character| push_escaped(character, &mut out));
    Cow::Owned(out)
}

fn push_escaped(character: char, out: &mut String) {
    match character {
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '&' => out.push_str("&amp;"),
        '"' => out.push_str("&quot;"),
        other => out.push(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        assert_eq!(with_crlf("a\nb\r\nc\rd\r\n\n"), "a\r\nb\r\nc\r\nd\r\n\r\n");
        let cases = [
            ("one \r\ntwo\r\nthree", "one two\r\nthree"),
            ("> a \r\n> b\r\nc", "> a b\r\nc"),
            ("a \r\n-- \r\nMe", "a \r\n-- \r\nMe"),
            (" >not quoted", ">not quoted"),
            ("> a \r\n>> b", "> a \r\n>> b"),
            ("end ", "end "),
        ];
        for (flowed, text) in cases {
            assert_eq!(unflow(flowed, false), text, "{flowed:?}");
        }
        assert_eq!(unflow("日 \r\n本", true), "日本");
    }

    #[test]
    fn html() {
        assert_eq!(
            to_html("a <b>\n  two  x & y\r\n"),
            "<html><body><div>a &lt;b&gt;<br>\r\n&nbsp; two&nbsp; x &amp; y<br>\r\n</div></body></html>"
        );
    }
}
