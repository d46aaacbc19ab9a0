//! HTML bodies: as text, and without what acts. Reading follows the tokens of HTML and never fails.

mod safe;
mod token;

use token::{Token, Tokens};

pub use safe::strip_active;

/// The text that a reader of the document sees, with lines ended by CRLF. Blocks and line breaks become lines, cells are
/// set apart by tabs, list entries get a bullet. Cost grows with the length of `html` only.
pub fn to_text(html: &str) -> String {
    let mut layout = Layout::default();
    let mut tokens = Tokens::new(html);
    while let Some(token) = tokens.next() {
        match token {
            Token::Text(text) => layout.text(&token::decode_references(text)),
            Token::Tag(tag) => {
                if token::is_raw_text(&tag.name) && !tag.closing && tag.name != "textarea" {
                    tokens.skip_raw_text(&tag.name);
                } else {
                    layout.tag(&tag.name, tag.closing);
                }
            }
            Token::Other => {}
        }
    }
    layout.finish()
}

/// PidTagHtml as text. `codepage` is PidTagInternetCodepage; without one the bytes decide.
pub fn decode(bytes: &[u8], codepage: Option<i64>) -> String {
    let label = match codepage {
        Some(65_001) => Some("utf-8".to_owned()),
        Some(codepage @ 1_250..=1_258) => Some(format!("windows-{codepage}")),
        Some(codepage @ 28_591..=28_605) => Some(format!("iso-8859-{}", codepage - 28_590)),
        Some(20_127) => Some("us-ascii".to_owned()),
        Some(20_866) => Some("koi8-r".to_owned()),
        Some(932) => Some("shift_jis".to_owned()),
        Some(936) => Some("gbk".to_owned()),
        Some(949) => Some("euc-kr".to_owned()),
        Some(950) => Some("big5".to_owned()),
        Some(50_220..=50_222) => Some("iso-2022-jp".to_owned()),
        Some(51_932) => Some("euc-jp".to_owned()),
        Some(54_936) => Some("gb18030".to_owned()),
        Some(_) | None => None,
    };
    crate::charset::decode_html(bytes, label.as_deref())
}

/// Text that is being laid out.
#[derive(Default)]
struct Layout {
    out: String,
    /// Line breaks that are due before the next word.
    breaks: usize,
    /// A space is due before the next word of the same line.
    space: bool,
    /// Inside so many elements that keep white space.
    preformatted: usize,
}

impl Layout {
    fn text(&mut self, text: &str) {
        if self.preformatted > 0 {
            self.flush();
            self.out.push_str(&crate::text::with_crlf(text));
            return;
        }
        let mut rest = text;
        while !rest.is_empty() {
            let is_space = |character: char| matches!(character, ' ' | '\t' | '\r' | '\n' | '\x0c');
            let word = rest.trim_start_matches(is_space);
            self.space |= word.len() < rest.len();
            let (head, tail) = word.split_at(word.find(is_space).unwrap_or(word.len()));
            if !head.is_empty() {
                self.flush();
                self.out.extend(head.chars().map(|character| if character == '\u{a0}' { ' ' } else { character }));
            }
            rest = tail;
        }
    }

    fn tag(&mut self, name: &str, closing: bool) {
        match name {
            "br" => {
                if self.breaks == 0 {
                    self.out.truncate(self.out.trim_end_matches(' ').len());
                    self.out.push_str("\r\n");
                    self.space = false;
                } else {
                    self.breaks += 1;
                }
            }
            "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "ul" | "ol" | "dl" | "blockquote" | "table" => self.line(2),
            "pre" | "xmp" | "listing" => {
                self.line(2);
                self.preformatted = if closing { self.preformatted.saturating_sub(1) } else { self.preformatted + 1 };
            }
            "div" | "tr" | "section" | "article" | "header" | "footer" | "address" | "center" | "form" | "fieldset"
            | "dt" | "dd" | "hr" | "body" | "main" | "nav" | "aside" | "figure" | "figcaption" | "caption"
            | "option" => self.line(1),
            "li" => {
                self.line(1);
                if !closing {
                    self.flush();
                    self.out.push_str("* ");
                }
            }
            "td" | "th" if closing => {
                self.flush();
                self.out.push('\t');
            }
            _ => {}
        }
    }

    fn line(&mut self, breaks: usize) {
        self.breaks = self.breaks.max(breaks);
        self.space = false;
    }

    /// Writes the breaks or the space that are due. Nothing is due at the start of the text.
    fn flush(&mut self) {
        if self.breaks > 0 {
            let kept = self.out.trim_end_matches([' ', '\t']).len();
            self.out.truncate(kept);
            let present = self.out.bytes().rev().take(4).take_while(|byte| b"\r\n".contains(byte)).count() / 2;
            if !self.out.is_empty() {
                self.out.push_str(&"\r\n".repeat(self.breaks.min(2).saturating_sub(present)));
            }
        } else if self.space && !self.out.is_empty() && !self.out.ends_with([' ', '\n', '\t']) {
            self.out.push(' ');
        }
        self.breaks = 0;
        self.space = false;
    }

    fn finish(mut self) -> String {
        self.out.truncate(self.out.trim_end().len());
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_documents() {
        let cases = [
            ("<p>Hello</p><p>World</p>", "Hello\r\n\r\nWorld"),
            ("a<br>b<br/>c", "a\r\nb\r\nc"),
            ("<div>a</div>\n<div>b  c</div>", "a\r\nb c"),
            (
                "<html><head><title>T</title><style>p{}</style></head><body>x<script>alert('<b>')</script>y</body></html>",
                "xy",
            ),
            ("1 &lt; 2 &amp; 3 &euro; &#8364; &#x20AC; &nope;", "1 < 2 & 3 € € € &nope;"),
            ("<ul><li>one<li>two</ul>end", "* one\r\n* two\r\n\r\nend"),
            ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a\tb\r\nc"),
            ("<pre>  a\n  b</pre>", "  a\r\n  b"),
            ("a&nbsp;&nbsp;b <!-- c --> d", "a  b d"),
            ("a <b>bold</b>, <i>it</i>", "a bold, it"),
            ("<unclosed", ""),
            ("5 < 6 and 7 <", "5 < 6 and 7 <"),
            ("", ""),
        ];
        for (html, text) in cases {
            assert_eq!(to_text(html), text, "{html}");
        }
    }
}
