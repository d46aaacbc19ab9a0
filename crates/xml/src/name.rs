//! XML names, and the `_xHHHH_` form in which SharePoint writes any text as a name.

/// Turns any text into an XML name as SharePoint does for internal field names: what is not an ASCII letter, digit or
/// underscore becomes `_xHHHH_`, as does a leading digit, and an underscore that would read as such an escape.
///
/// Characters beyond U+FFFF become two escapes, one for each UTF-16 unit. No length is cut.
pub fn encode_name(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for (at, character) in text.char_indices() {
        let plain = match character {
            'a'..='z' | 'A'..='Z' => true,
            '0'..='9' => at != 0,
            '_' => !may_escape(text.get(at..).unwrap_or_default()),
            _ => false,
        };
        if plain {
            name.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            name.push_str("_x");
            for shift in [12, 8, 4, 0] {
                name.extend(char::from_digit(u32::from(*unit >> shift) & 0xF, 16));
            }
            name.push('_');
        }
    }
    name
}

/// Turns a name with `_xHHHH_` (or `_xHHHHHHHH_`) escapes back into the text; what is no escape stays as it is, and
/// half a UTF-16 pair becomes U+FFFD.
pub fn decode_name(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    let mut rest = name;
    // The first half of a pair, whose second half may follow.
    let mut high: Option<u16> = None;
    while let Some(next) = rest.chars().next() {
        let (code, bytes) = escape_at(rest).unwrap_or((u32::from(next), next.len_utf8()));
        rest = rest.get(bytes..).unwrap_or_default();
        let unit = u16::try_from(code).ok();
        if let Some(first) = high.take() {
            let pair = unit.and_then(|second| char::decode_utf16([first, second]).next()).and_then(Result::ok);
            if let Some(character) = pair {
                text.push(character);
                continue;
            }
            text.push(char::REPLACEMENT_CHARACTER);
        }
        match (char::from_u32(code), unit) {
            (Some(character), _) => text.push(character),
            (None, Some(first @ 0xD800..0xDC00)) => high = Some(first),
            (None, _) => text.push(char::REPLACEMENT_CHARACTER),
        }
    }
    if high.is_some() {
        text.push(char::REPLACEMENT_CHARACTER);
    }
    text
}

/// The code of the escape that the text begins with, and its length in bytes.
fn escape_at(text: &str) -> Option<(u32, usize)> {
    let digits_on = text.strip_prefix("_x").or_else(|| text.strip_prefix("_X"))?;
    [4, 8].into_iter().find_map(|digits| {
        let (number, rest) = digits_on.split_at_checked(digits)?;
        let only_digits = number.bytes().all(|digit| digit.is_ascii_hexdigit());
        let code = u32::from_str_radix(number, 16).ok().filter(|_| only_digits && rest.starts_with('_'))?;
        Some((code, "_x".len() + digits + "_".len()))
    })
}

/// Whether the text begins like an escape; the underscore that would end it may come from what is encoded next.
fn may_escape(text: &str) -> bool {
    let digits_on = text.strip_prefix("_x").or_else(|| text.strip_prefix("_X"));
    digits_on.is_some_and(|digits| digits.bytes().take_while(u8::is_ascii_hexdigit).count() >= 4)
}

/// Whether the text is a name without colon, as Namespaces in XML 1.0 has it (production 4).
pub(crate) fn is_nc_name(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(is_name_start) && characters.all(is_name_part)
}

fn is_name_start(character: char) -> bool {
    matches!(character,
        'a'..='z' | 'A'..='Z' | '_'
        | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}' | '\u{370}'..='\u{37D}'
        | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}'
        | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

fn is_name_part(character: char) -> bool {
    is_name_start(character)
        || matches!(character, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_go_both_ways() {
        for (text, name) in [
            ("Title", "Title"),
            ("File Type", "File_x0020_Type"),
            ("Größe", "Gr_x00f6__x00df_e"),
            ("1st", "_x0031_st"),
            ("a1", "a1"),
            ("_Level", "_Level"),
            ("_x0020_", "_x005f_x0020_"),
            ("_x0020 ", "_x005f_x0020_x0020_"),
            ("a:b-c.d", "a_x003a_b_x002d_c_x002e_d"),
            ("😀", "_xd83d__xde00_"),
            ("", ""),
        ] {
            assert_eq!(encode_name(text), name, "{text}");
            assert_eq!(decode_name(name), text, "{name}");
        }
    }

    #[test]
    fn foreign_escapes_decode() {
        for (name, text) in [
            ("a_X0020_b", "a b"),
            ("_x00E9_", "é"),
            ("_x0001F600_", "😀"),
            ("_x12_", "_x12_"),
            ("_x002_", "_x002_"),
            ("_x+020_", "_x+020_"),
            ("_x00é_", "_x00é_"),
            ("_xd83d_", "\u{FFFD}"),
            ("_xd83d_a", "\u{FFFD}a"),
            ("_xd83d__xd83d__xde00_", "\u{FFFD}😀"),
            ("_xde00_", "\u{FFFD}"),
        ] {
            assert_eq!(decode_name(name), text, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_back_from_a_valid_name(text in any::<String>()) {
            let name = encode_name(&text);
            prop_assert!(text.is_empty() || is_nc_name(&name));
            prop_assert_eq!(decode_name(&name), text);
        }

        #[test]
        fn text_like_escapes_comes_back(text in "[_xX0-9a-f :d😀]*") {
            prop_assert_eq!(decode_name(&encode_name(&text)), text);
        }

        #[test]
        fn any_name_decodes(name in "[_xX0-9a-fdDé]*") {
            decode_name(&name);
        }
    }
}
