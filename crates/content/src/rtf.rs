//! Rich text to the body it stands for: text, or the HTML that a mail program has wrapped in it (MS-OXRTFEX).
//!
//! Bold and tables are lost: a body is read for its words.

mod compressed;

use model::limits;

use crate::charset;

/// Groups inside one another that are told apart; deeper ones are as the one around them.
const GROUPS_MAX: usize = 1_000;
/// The code page where the text names none.
const CODEPAGE: u32 = 1_252;

/// What a rich text stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// HTML that was wrapped in it.
    Html(String),
    /// Its words.
    Text(String),
}

/// Reads PidTagRtfCompressed. `None` where the bytes are no compressed RTF. At most [`limits::PART_BYTES_MAX`] are
/// looked at when expanded; damage ends the text.
pub fn read(bytes: &[u8]) -> Option<Body> {
    let rtf = compressed::expand(bytes, limits::PART_BYTES_MAX)?;
    rtf.starts_with(b"{\\rtf").then(|| Reader::new(&rtf).read())
}

/// What holds within a group.
#[derive(Clone, Copy, Debug)]
struct Group {
    /// Nothing in it is part of the body.
    skipped: bool,
    /// It holds wrapped HTML.
    tag: bool,
    /// What it holds is there for readers of rich text alone.
    rich: bool,
    /// Characters that stand in for one given by its number.
    substitutes: usize,
}

/// One pass over the text.
struct Reader<'r> {
    rest: &'r [u8],
    groups: Vec<Group>,
    /// Groups that were not told apart.
    deeper: usize,
    group: Group,
    /// Whether the text wraps HTML.
    wraps: bool,
    codepage: u32,
    out: String,
    /// Bytes in the code page that are not text yet.
    pending: Vec<u8>,
    /// Substitutes still to be passed over.
    passing: usize,
    /// The first half of a character in UTF-16.
    half: Option<u16>,
    /// A group that readers may pass over begins.
    optional: bool,
}

impl<'r> Reader<'r> {
    fn new(rtf: &'r [u8]) -> Self {
        Self {
            rest: rtf,
            groups: Vec::new(),
            deeper: 0,
            group: Group { skipped: false, tag: false, rich: false, substitutes: 1 },
            wraps: false,
            codepage: CODEPAGE,
            out: String::new(),
            pending: Vec::new(),
            passing: 0,
            half: None,
            optional: false,
        }
    }

    fn read(mut self) -> Body {
        while let Some((byte, rest)) = self.rest.split_first() {
            self.rest = rest;
            match byte {
                b'{' => self.open(),
                b'}' => self.close(),
                b'\\' => self.control(),
                b'\r' | b'\n' => {}
                byte => self.byte(*byte),
            }
        }
        self.settle();
        if self.wraps { Body::Html(self.out) } else { Body::Text(self.out.trim_end().to_owned()) }
    }

    fn open(&mut self) {
        self.optional = false;
        if self.groups.len() < GROUPS_MAX {
            self.groups.push(self.group);
        } else {
            self.deeper += 1;
        }
    }

    fn close(&mut self) {
        self.passing = 0;
        if self.deeper > 0 {
            self.deeper -= 1;
        } else if let Some(group) = self.groups.pop() {
            self.group = group;
        }
    }

    fn control(&mut self) {
        let Some((first, rest)) = self.rest.split_first() else { return };
        if !first.is_ascii_alphabetic() {
            self.rest = rest;
            return self.symbol(*first);
        }
        let length = self.rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let (word, rest) = self.rest.split_at(length);
        let negative = rest.first() == Some(&b'-');
        let digits_at = usize::from(negative);
        let digits = rest.iter().skip(digits_at).take_while(|byte| byte.is_ascii_digit()).count();
        let number = rest.get(digits_at..digits_at + digits).and_then(|text| std::str::from_utf8(text).ok());
        let number =
            number.and_then(|text| text.parse::<i32>().ok()).map(|number| if negative { -number } else { number });
        let used = if digits > 0 { digits_at + digits } else { 0 };
        let rest = rest.get(used..).unwrap_or_default();
        self.rest = rest.strip_prefix(b" ").unwrap_or(rest);
        self.word(word, number);
    }

    fn symbol(&mut self, symbol: u8) {
        match symbol {
            b'\'' => {
                let code = self.rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
                if let Some(byte) = code.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
                    self.rest = self.rest.get(2..).unwrap_or_default();
                    self.byte(byte);
                }
            }
            b'*' => self.optional = true,
            b'~' => self.character('\u{a0}'),
            b'_' => self.character('-'),
            b'\r' | b'\n' => self.line(),
            b'\\' | b'{' | b'}' => self.byte(symbol),
            _ => {}
        }
    }

    fn word(&mut self, word: &[u8], number: Option<i32>) {
        let optional = std::mem::take(&mut self.optional);
        match word {
            b"fromhtml" => self.wraps = number != Some(0),
            b"htmltag" => (self.group.tag, self.group.skipped) = (true, !self.wraps),
            b"htmlrtf" => self.group.rich = number != Some(0),
            b"ansicpg" => self.codepage = number.and_then(|number| u32::try_from(number).ok()).unwrap_or(CODEPAGE),
            b"uc" => self.group.substitutes = number.and_then(|number| usize::try_from(number).ok()).unwrap_or(1),
            b"u" => {
                // Numbers above 32,767 are written as negative ones.
                self.unit(number.unwrap_or_default() as u16);
                self.passing = self.group.substitutes;
            }
            b"bin" => {
                let length = number.and_then(|number| usize::try_from(number).ok()).unwrap_or_default();
                self.rest = self.rest.get(length..).unwrap_or_default();
            }
            b"par" | b"line" | b"sect" | b"page" | b"row" => self.line(),
            b"tab" | b"cell" => self.character('\t'),
            b"emdash" => self.character('—'),
            b"endash" => self.character('–'),
            b"bullet" => self.character('•'),
            b"lquote" => self.character('‘'),
            b"rquote" => self.character('’'),
            b"ldblquote" => self.character('“'),
            b"rdblquote" => self.character('”'),
            b"fonttbl" | b"colortbl" | b"stylesheet" | b"info" | b"pict" | b"object" | b"header" | b"footer"
            | b"footnote" | b"themedata" | b"datastore" | b"fldinst" => self.group.skipped = true,
            _ if optional => self.group.skipped = true,
            _ => {}
        }
    }

    /// Whether what comes now is part of the body.
    const fn shows(&self) -> bool {
        !(self.group.skipped || self.wraps && self.group.rich && !self.group.tag)
    }

    /// A line ends. In wrapped HTML that is said by tags as well, and in them it is a mere line end.
    fn line(&mut self) {
        if self.shows() {
            self.settle();
            self.out.push_str("\r\n");
        }
    }

    /// A byte in the code page.
    fn byte(&mut self, byte: u8) {
        if self.passing > 0 {
            self.passing -= 1;
        } else if self.shows() {
            self.half = None;
            self.pending.push(byte);
        }
    }

    fn character(&mut self, character: char) {
        if self.passing > 0 {
            self.passing -= 1;
        } else if self.shows() {
            self.settle();
            self.out.push(character);
        }
    }

    /// A number in UTF-16.
    fn unit(&mut self, unit: u16) {
        if !self.shows() {
            return;
        }
        let units = self.half.take().into_iter().chain([unit]);
        match char::decode_utf16(units).collect::<Result<String, _>>() {
            Ok(text) => {
                self.settle();
                self.out.push_str(&text);
            }
            Err(_) => self.half = Some(unit),
        }
    }

    /// Turns the bytes of the code page into text.
    fn settle(&mut self) {
        if !self.pending.is_empty() {
            let bytes = std::mem::take(&mut self.pending);
            let label = match self.codepage {
                65_001 => "utf-8".to_owned(),
                932 => "shift_jis".to_owned(),
                936 => "gbk".to_owned(),
                949 => "euc-kr".to_owned(),
                950 => "big5".to_owned(),
                other => format!("windows-{other}"),
            };
            self.out.push_str(&charset::decode(&bytes, Some(&label)));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(rtf: &[u8]) -> Vec<u8> {
        let size = rtf.len() as u32;
        [&(size + 12).to_le_bytes(), &size.to_le_bytes(), &b"MELA"[..], &[0; 4], rtf].concat()
    }

    #[test]
    fn words_of_rich_texts() {
        for (rtf, text) in [
            ("{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n", "hello world"),
            (
                "{\\rtf1{\\fonttbl{\\f0 Arial;}}{\\colortbl;\\red0;}{\\*\\generator x;}\\f0 a\\par\r\nb\\tab c\\line d}",
                "a\r\nb\tc\r\nd",
            ),
            ("{\\rtf1\\ansicpg1251 \\'cf\\'f0 \\{x\\} \\\\}", "Пр {x} \\"),
            ("{\\rtf1\\uc1 \\u8364? \\u-10179?\\u-8704? {\\uc2\\u233 eeb}c}", "€ 😀 ébc"),
            ("{\\rtf1 a{\\pict\\bin3 }}}}b}", "ab"),
            ("{\\rtf1 \\ldblquote x\\rdblquote\\~y}", "“x”\u{a0}y"),
            ("{\\rtf1 unended {\\b bold", "unended bold"),
        ] {
            assert_eq!(read(&plain(rtf.as_bytes())), Some(Body::Text(text.into())), "{rtf}");
        }
    }

    #[test]
    fn wrapped_html_comes_out() {
        let rtf = "{\\rtf1\\ansi\\ansicpg1252\\fromhtml1 \\deff0{\\fonttbl{\\f0 Arial;}}\r\n{\\*\\htmltag64 <html>}\r\n\
            {\\*\\htmltag96 <body>}{\\htmlrtf \\par {\\f0 \\htmlrtf0 Caf\\'e9 {\\*\\htmltag84 &lt;}\\htmlrtf <\\htmlrtf0 tag\\htmlrtf \\b0 }\\htmlrtf0}\
            {\\*\\mhtmltag84 <img>}{\\*\\htmltag72 </body>}{\\*\\htmltag72 </html>}}";
        assert_eq!(read(&plain(rtf.as_bytes())), Some(Body::Html("<html><body>Café &lt;tag</body></html>".into())));
    }

    #[test]
    fn other_bytes_are_none() {
        for bytes in [&b""[..], b"hello", &plain(b"hello")] {
            assert_eq!(read(bytes), None);
        }
        let deep = format!("{{\\rtf1{}x{}y", "{".repeat(200_000), "}".repeat(200_000));
        assert_eq!(read(&plain(deep.as_bytes())), Some(Body::Text("xy".into())));
    }

    proptest! {
        #[test]
        fn any_text_is_read(body in "([\\\\{}'a-z0-9*u \\-]|\\\\u|\\\\'|\\\\bin|\\\\uc){0,60}") {
            let rtf = format!("{{\\rtf1{body}");
            prop_assert!(read(&plain(rtf.as_bytes())).is_some());
        }

        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let whole = [&[0, 0, 0, 0, 0xff, 0xff, 0, 0], &b"LZFu"[..], &[0; 4], &bytes].concat();
            let _ = read(&whole);
        }
    }
}
