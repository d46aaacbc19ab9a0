//! Contacts to vCards (RFC 2426), as they are the MIME content of contacts.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use model::{AttachmentContent, Bag, ItemContent, PropertyKey, Time, Value, names, sets, tags};

use crate::content_line::{escaped, fold};

const fn tag(id: u16) -> PropertyKey {
    PropertyKey::Tag(id)
}

const fn lid(number: u32) -> PropertyKey {
    PropertyKey::Lid(sets::ADDRESS, number)
}

/// PidTagAttachmentContactPhoto, Bool.
const IS_PHOTO: PropertyKey = tag(0x7fff);
/// Surname, given, middle names, prefix, suffix: the parts of `N`.
const NAME: [PropertyKey; 5] = [tag(0x3a11), tag(0x3a06), tag(0x3a44), tag(0x3a45), tag(0x3a05)];
/// Properties of one text.
const TEXTS: &[(&str, PropertyKey)] = &[
    ("NICKNAME", tag(0x3a4f)),
    ("TITLE", tag(0x3a17)),
    ("ROLE", tag(0x3a46)),
    ("URL;TYPE=WORK", tag(0x3a51)),
    ("URL;TYPE=HOME", tag(0x3a50)),
    ("TEL;TYPE=WORK", tag(0x3a08)),
    ("TEL;TYPE=WORK", tag(0x3a1b)),
    ("TEL;TYPE=WORK,FAX", tag(0x3a24)),
    ("TEL;TYPE=HOME", tag(0x3a09)),
    ("TEL;TYPE=HOME", tag(0x3a2f)),
    ("TEL;TYPE=HOME,FAX", tag(0x3a25)),
    ("TEL;TYPE=CELL", tag(0x3a1c)),
    ("TEL;TYPE=CAR", tag(0x3a1e)),
    ("TEL;TYPE=PAGER", tag(0x3a21)),
    ("TEL;TYPE=ISDN", tag(0x3a2d)),
    ("TEL;TYPE=PREF", tag(0x3a1a)),
    ("TEL;TYPE=VOICE", tag(0x3a1f)),
    ("EMAIL;TYPE=INTERNET,PREF", lid(0x8083)),
    ("EMAIL;TYPE=INTERNET", lid(0x8093)),
    ("EMAIL;TYPE=INTERNET", lid(0x80a3)),
    ("X-MS-IMADDRESS", lid(0x8062)),
    ("X-MS-MANAGER", tag(0x3a4e)),
    ("X-MS-ASSISTANT", tag(0x3a30)),
    ("X-MS-SPOUSE", tag(0x3a48)),
];
/// Days.
const DATES: &[(&str, PropertyKey)] = &[("BDAY", tag(0x3a42)), ("X-MS-ANNIVERSARY", tag(0x3a41))];
/// Street, city, state, postal code and country of each address.
const ADDRESSES: &[(&str, [PropertyKey; 5])] = &[
    ("ADR;TYPE=WORK", [lid(0x8045), lid(0x8046), lid(0x8047), lid(0x8048), lid(0x8049)]),
    ("ADR;TYPE=HOME", [tag(0x3a5d), tag(0x3a59), tag(0x3a5c), tag(0x3a5b), tag(0x3a5a)]),
    ("ADR;TYPE=POSTAL", [tag(0x3a63), tag(0x3a5f), tag(0x3a62), tag(0x3a61), tag(0x3a60)]),
];

/// The vCard of a contact, with CRLF at the line ends. The same item always gives the same card.
pub fn render(item: &ItemContent) -> String {
    let bag = &item.bag;
    let mut card = Card(String::new());
    card.line("BEGIN:VCARD");
    card.line("VERSION:3.0");
    card.line("PRODID:-//Highwater//EN");
    let name = [tags::DISPLAY_NAME, lid(0x8005), tags::SUBJECT].iter().find_map(|key| filled(bag, key));
    card.line(&format!("FN:{}", escaped(name.unwrap_or_default())));
    card.parts("N", &NAME.map(|key| filled(bag, &key).unwrap_or_default()), true);
    card.parts("ORG", &[tag(0x3a16), tag(0x3a18)].map(|key| filled(bag, &key).unwrap_or_default()), false);
    for (property, key) in TEXTS {
        card.text(property, filled(bag, key));
    }
    for (property, keys) in ADDRESSES {
        let [street, city, state, code, country] = keys.each_ref().map(|key| filled(bag, key).unwrap_or_default());
        card.parts(property, &["", "", street, city, state, code, country], false);
    }
    for (property, key) in DATES {
        if let Some(day) = bag.get(key).and_then(Value::as_time).and_then(day) {
            card.line(&format!("{property}:{day}"));
        }
    }
    card.text("NOTE", filled(bag, &tags::BODY).map(|note| note.trim_end()));
    if let Some(Value::Texts(words)) = bag.get(&names::KEYWORDS)
        && !words.is_empty()
    {
        let words: Vec<String> = words.iter().map(|word| escaped(word)).collect();
        card.line(&format!("CATEGORIES:{}", words.join(",")));
    }
    card.line(match bag.get(&tags::SENSITIVITY).and_then(Value::as_i64) {
        Some(1 | 2) => "CLASS:PRIVATE",
        Some(3) => "CLASS:CONFIDENTIAL",
        Some(_) | None => "CLASS:PUBLIC",
    });
    card.photo(item);
    if let Some(changed) = bag.get(&tags::LAST_MODIFICATION_TIME).and_then(Value::as_time).and_then(moment) {
        card.line(&format!("REV:{changed}"));
    }
    card.line("END:VCARD");
    card.0
}

struct Card(String);

impl Card {
    fn line(&mut self, line: &str) {
        fold(line, &mut self.0);
    }

    fn text(&mut self, property: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.line(&format!("{property}:{}", escaped(text)));
        }
    }

    /// A property of several parts; left out where all are empty, unless it must be there.
    fn parts(&mut self, property: &str, parts: &[&str], required: bool) {
        if required || parts.iter().any(|part| !part.is_empty()) {
            let parts: Vec<String> = parts.iter().map(|part| escaped(part)).collect();
            self.line(&format!("{property}:{}", parts.join(";")));
        }
    }

    fn photo(&mut self, item: &ItemContent) {
        let is_photo = |bag: &Bag| bag.get(&IS_PHOTO).and_then(Value::as_bool) == Some(true);
        let Some(photo) = item.attachments.iter().find(|attachment| is_photo(&attachment.bag)) else { return };
        if let AttachmentContent::File(bytes) = &photo.content {
            let kind = if bytes.starts_with(b"\x89PNG") { "PNG" } else { "JPEG" };
            self.line(&format!("PHOTO;ENCODING=b;TYPE={kind}:{}", STANDARD.encode(bytes)));
        }
    }
}

fn filled<'b>(bag: &'b Bag, key: &PropertyKey) -> Option<&'b str> {
    bag.text(key).filter(|text| !text.is_empty())
}

/// `1815-12-10`; `None` for years that take more or fewer than four digits.
fn day(time: Time) -> Option<String> {
    let civil = time.civil();
    let dated = (1..=9_999).contains(&civil.year);
    dated.then(|| format!("{:04}-{:02}-{:02}", civil.year, civil.month, civil.day))
}

fn moment(time: Time) -> Option<String> {
    let civil = time.civil();
    day(time).map(|day| format!("{day}T{:02}:{:02}:{:02}Z", civil.hour, civil.minute, civil.second))
}

#[cfg(test)]
mod tests {
    use model::Attachment;

    use super::*;

    #[test]
    fn a_contact_is_a_card() {
        let mut bag: Bag = [
            (tags::DISPLAY_NAME, "Ada L."),
            (tag(0x3a06), "Ada"),
            (tag(0x3a11), "Lovelace; of"),
            (tag(0x3a16), "Engines, Ltd"),
            (tag(0x3a18), "Notes"),
            (tag(0x3a08), "+44 1"),
            (tag(0x3a1c), "+44 2"),
            (lid(0x8083), "ada@example.com"),
            (lid(0x8045), "1 Square"),
            (lid(0x8046), "London"),
            (tags::BODY, "First\r\nSecond\r\n"),
        ]
        .into_iter()
        .map(|(key, text)| (key, Value::text(text)))
        .collect();
        bag.set(tag(0x3a42), Value::Time(Time::from_date(1815, 12, 10)));
        bag.set(names::KEYWORDS, Value::Texts(vec!["Red".into(), "a,b".into()]));
        bag.set(tags::LAST_MODIFICATION_TIME, Value::Time(Time::from_date(2024, 5, 6)));
        let photo = Attachment {
            bag: Bag::from_iter([(IS_PHOTO, Value::Bool(true))]),
            content: AttachmentContent::File(vec![0xff; 60].into()),
        };
        let item = ItemContent { bag, attachments: vec![photo], ..ItemContent::default() };
        let card = render(&item);
        let expected = [
            "BEGIN:VCARD",
            "VERSION:3.0",
            "PRODID:-//Highwater//EN",
            "FN:Ada L.",
            "N:Lovelace\\; of;Ada;;;",
            "ORG:Engines\\, Ltd;Notes",
            "TEL;TYPE=WORK:+44 1",
            "TEL;TYPE=CELL:+44 2",
            "EMAIL;TYPE=INTERNET,PREF:ada@example.com",
            "ADR;TYPE=WORK:;;1 Square;London;;;",
            "BDAY:1815-12-10",
            "NOTE:First\\nSecond",
            "CATEGORIES:Red,a\\,b",
            "CLASS:PUBLIC",
            &format!("PHOTO;ENCODING=b;TYPE=JPEG:{}", "/".repeat(80)),
            "REV:2024-05-06T00:00:00Z",
            "END:VCARD",
        ];
        let unfolded = |text: &str| text.replace("\r\n ", "");
        assert_eq!(unfolded(&card), unfolded(&(expected.join("\r\n") + "\r\n")));
        assert!(card.lines().all(|line| line.len() <= 75), "{card}");
        assert_eq!(render(&ItemContent::default()).lines().count(), 7);
    }
}
