//! HTML without what acts: scripts, frames, plug-ins, forms, event handlers, and addresses that run code.
//!
//! Everything that goes out is written anew from tokens, and attribute values are written as they were judged, so that
//! a browser cannot read them differently.

use super::token::{Tag, Token, Tokens, decode_references, is_raw_text};
use crate::text::escape_html;

/// Elements that go away with all they hold.
const DROPPED_WHOLE: [&str; 16] = [
    "script", "iframe", "object", "applet", "svg", "math", "template", "frameset", "xmp", "noembed", "noframes",
    "noscript", "audio", "video", "canvas", "portal",
];
/// Elements of which the tags go away and the content stays.
const DROPPED_TAGS: [&str; 16] = [
    "embed",
    "frame",
    "link",
    "meta",
    "base",
    "form",
    "input",
    "button",
    "select",
    "option",
    "optgroup",
    "textarea",
    "param",
    "plaintext",
    "keygen",
    "bgsound",
];
/// Attributes that hold addresses.
const ADDRESSES: [&str; 16] = [
    "href",
    "src",
    "action",
    "formaction",
    "background",
    "poster",
    "cite",
    "longdesc",
    "lowsrc",
    "dynsrc",
    "data",
    "usemap",
    "profile",
    "codebase",
    "classid",
    "xlink:href",
];
/// Attributes that always go away.
const DROPPED_ATTRIBUTES: [&str; 5] = ["srcdoc", "ping", "manifest", "http-equiv", "srcset"];
/// Schemes of addresses that do not run code.
const SCHEMES: [&str; 12] =
    ["http", "https", "mailto", "tel", "sms", "ftp", "ftps", "cid", "mid", "sip", "sips", "callto"];
/// What must not stand in styles.
const STYLE_DANGERS: [&str; 6] = ["expression", "javascript:", "vbscript:", "behavior", "-moz-binding", "@import"];

/// The document without active content. Text, layout, links and images stay; comments go away.
pub fn strip_active(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut tokens = Tokens::new(html);
    while let Some(token) = tokens.next() {
        match token {
            Token::Text(text) => push_text(text, &mut out),
            Token::Tag(tag) => element(&tag, &mut tokens, &mut out),
            Token::Other => {}
        }
    }
    out
}

fn element(tag: &Tag<'_>, tokens: &mut Tokens<'_>, out: &mut String) {
    let name = tag.name.as_str();
    if DROPPED_WHOLE.contains(&name) {
        if !tag.closing {
            skip_element(name, tokens);
        }
        return;
    }
    if tag.closing {
        if !DROPPED_TAGS.contains(&name) && is_name(name) {
            out.push_str("</");
            out.push_str(name);
            out.push('>');
        }
        return;
    }
    if is_raw_text(name) {
        let raw = tokens.skip_raw_text(name);
        match name {
            "style" if is_safe_style(raw) => {
                write_tag(tag, out);
                out.push_str(raw);
                out.push_str("</style>");
            }
            "title" => {
                out.push_str("<title>");
                push_text(raw, out);
                out.push_str("</title>");
            }
            "textarea" => push_text(raw, out),
            _ => {}
        }
        return;
    }
    if !DROPPED_TAGS.contains(&name) && is_name(name) {
        write_tag(tag, out);
    }
}

/// Skips to behind the end of an element whose start tag has been read. One that never ends takes the rest.
fn skip_element(name: &str, tokens: &mut Tokens<'_>) {
    if is_raw_text(name) {
        tokens.skip_raw_text(name);
        return;
    }
    let mut depth = 1_usize;
    while depth > 0 {
        match tokens.next() {
            Some(Token::Tag(tag)) if tag.name == name => depth = if tag.closing { depth - 1 } else { depth + 1 },
            Some(Token::Tag(tag)) if !tag.closing && is_raw_text(&tag.name) => {
                tokens.skip_raw_text(&tag.name);
            }
            Some(_) => {}
            None => return,
        }
    }
}

fn write_tag(tag: &Tag<'_>, out: &mut String) {
    out.push('<');
    out.push_str(&tag.name);
    for (name, value) in &tag.attributes {
        let value = decode_references(value.unwrap_or_default());
        if !is_name(name) || name.starts_with("on") || DROPPED_ATTRIBUTES.contains(&name.as_str()) {
            continue;
        }
        if ADDRESSES.contains(&name.as_str()) && !is_safe_address(&value) {
            continue;
        }
        if name == "style" && !is_safe_style(&value) {
            continue;
        }
        out.push(' ');
        out.push_str(name);
        out.push_str("=\"");
        out.push_str(&escape_html(&value));
        out.push('"');
    }
    out.push('>');
}

/// Text in which no sign can open a tag.
fn push_text(text: &str, out: &mut String) {
    for (index, piece) in text.split('<').enumerate() {
        if index > 0 {
            out.push_str("&lt;");
        }
        out.push_str(piece);
    }
}

/// A name that needs no quoting and means the same everywhere.
fn is_name(name: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_:.".contains(&byte);
    name.starts_with(|first: char| first.is_ascii_lowercase()) && name.bytes().all(inside)
}

fn is_safe_address(address: &str) -> bool {
    // Browsers skip white space and control characters inside a scheme.
    let plain: String = address.chars().filter(|character| *character > ' ' && !character.is_control()).collect();
    let head = plain.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((scheme, _)) = head.split_once(':') else {
        return true;
    };
    let scheme = scheme.to_ascii_lowercase();
    if scheme == "data" {
        let kind = plain.get(5..).unwrap_or_default().to_ascii_lowercase();
        return ["image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp"]
            .iter()
            .any(|image| kind.starts_with(image));
    }
    SCHEMES.contains(&scheme.as_str())
}

fn is_safe_style(style: &str) -> bool {
    // Escapes and comments can hide words.
    let plain: String = style.chars().filter(|character| *character > ' ').flat_map(char::to_lowercase).collect();
    !plain.contains('\\')
        && !plain.contains("/*")
        && !plain.contains('<')
        && !STYLE_DANGERS.iter().any(|danger| plain.contains(danger))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_and_dropped() {
        let cases = [
            ("<p class=x>Hi <b>there</b></p>", "<p class=\"x\">Hi <b>there</b></p>"),
            ("<script>alert(1)</script>a", "a"),
            ("<SCRIPT/x>alert(1)</sCrIpT >a", "a"),
            ("<img src=x onerror=alert(1)>", "<img src=\"x\">"),
            ("<img/src=x/onerror=alert(1)>", "<img src=\"x/onerror=alert(1)\">"),
            ("<a href=\"javascript:alert(1)\">x</a>", "<a>x</a>"),
            ("<a href=\" jAva\tscript&colon;alert(1)\">x</a>", "<a>x</a>"),
            ("<a href='&#106avascript:alert(1)'>x</a>", "<a>x</a>"),
            ("<a href='https://example.com/?a=1&amp;b=2'>x</a>", "<a href=\"https://example.com/?a=1&amp;b=2\">x</a>"),
            ("<img src=\"cid:image@1\">", "<img src=\"cid:image@1\">"),
            ("<img src=\"data:image/svg+xml,<svg onload=1>\">", "<img>"),
            ("<img src=\"data:image/png;base64,AA==\">", "<img src=\"data:image/png;base64,AA==\">"),
            ("<iframe src=x>in</iframe>out", "out"),
            ("<object data=x><object>a</object>b</object>c", "c"),
            ("<svg><![CDATA[></svg><img src=x onerror=alert(1)>]]>", "<img src=\"x\">]]>"),
            ("<!--[if mso]><script>1</script><![endif]-->a<!--> b", "a b"),
            ("<style>p { color: red }</style>", "<style>p { color: red }</style>"),
            ("<style>@import 'x';</style>", ""),
            ("<p style=\"width:expre/**/ssion(1)\">", "<p>"),
            ("<p style=\"color:red\">", "<p style=\"color:red\">"),
            ("<form action=x><input name=a>text</form>", "text"),
            ("<meta http-equiv=refresh content='0;url=x'>a<base href=x>", "a"),
            ("<title><img src=x onerror=1></title>", "<title>&lt;img src=x onerror=1></title>"),
            ("a < b <", "a &lt; b &lt;"),
            ("<a title='\"><script>1</script>'>x</a>", "<a title=\"&quot;&gt;&lt;script&gt;1&lt;/script&gt;\">x</a>"),
            ("<noscript><p title=\"</noscript><img src=x onerror=1>\">", "<img src=\"x\">\">"),
            ("<o:p>&nbsp;</o:p>", "<o:p>&nbsp;</o:p>"),
        ];
        for (html, safe) in cases {
            assert_eq!(strip_active(html), safe, "{html}");
        }
    }

    proptest::proptest! {
        #[test]
        fn stays_as_it_is_when_stripped_again(html in "[<>/!\\-a-c=\"' &;#xonscript:]{0,80}") {
            let once = strip_active(&html);
            proptest::prop_assert_eq!(strip_active(&once), once);
        }
    }
}
