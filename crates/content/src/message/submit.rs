//! Messages as they leave their sender.

use bytes::Bytes;
use model::ItemContent;

use super::render::{self, Render};

/// Fields that every message has (RFC 5322 3.6); those that a client left out are put first.
const REQUIRED: &[&str] = &["from", "date", "message-id"];
/// Fields that only their sender sees.
const BLIND: &[&str] = &["bcc", "resent-bcc"];

/// The kept message of `item` as recipients get it: without the names of blind ones, and with author, date and id from
/// the properties where it has none. `None` where the item keeps none. Costs its bytes.
pub fn submitted(item: &ItemContent, context: &Render<'_>) -> Option<Bytes> {
    let mime = item.mime.as_ref()?;
    let (block, rest) = split(mime);
    let kept: Vec<&[u8]> = fields(block).filter(|field| !BLIND.contains(&name(field).as_str())).collect();
    let has = |wanted: &&str| kept.iter().any(|field| name(field) == **wanted);
    let made = render::envelope(item, context);
    let added = fields(&made).filter(|field| {
        let name = name(field);
        REQUIRED.contains(&name.as_str()) && !has(&name.as_str())
    });
    Some(added.chain(kept.iter().copied()).chain([rest]).collect::<Vec<_>>().concat().into())
}

/// The header block that the message of `item` has, as text. Costs the block.
pub fn headers(item: &ItemContent, context: &Render<'_>) -> String {
    match &item.mime {
        Some(mime) => String::from_utf8_lossy(split(mime).0).into_owned(),
        None => String::from_utf8_lossy(&render::envelope(item, context)).into_owned(),
    }
}

/// The header block of a message with its last line end, and the rest from the empty line on.
fn split(mime: &[u8]) -> (&[u8], &[u8]) {
    let mut end = 0;
    for line in mime.split_inclusive(|byte| *byte == b'\n') {
        if line.trim_ascii().is_empty() {
            break;
        }
        end += line.len();
    }
    mime.split_at_checked(end).unwrap_or((mime, &[]))
}

/// The fields of a block, each with the lines that go on with it.
fn fields(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = block;
    std::iter::from_fn(move || {
        let mut end = 0;
        for line in rest.split_inclusive(|byte| *byte == b'\n') {
            if end > 0 && !line.starts_with(b" ") && !line.starts_with(b"\t") {
                break;
            }
            end += line.len();
        }
        let (field, after) = rest.split_at_checked(end)?;
        rest = after;
        (!field.is_empty()).then_some(field)
    })
}

/// The name of a field in lower case.
fn name(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == b':').unwrap_or(0);
    String::from_utf8_lossy(field.get(..end).unwrap_or_default()).trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use model::{Value, tags};

    use super::*;

    const CONTEXT: Render<'_> = Render { domain: "example.com" };

    fn item(mime: &str) -> ItemContent {
        let mut item = ItemContent { mime: Some(mime.as_bytes().to_vec().into()), ..ItemContent::default() };
        item.bag.set(tags::SENT_REPRESENTING_SMTP_ADDRESS, Value::text("ann@example.com"));
        item.bag.set(tags::INTERNET_MESSAGE_ID, Value::text("<1@example.com>"));
        item.bag.set(tags::CLIENT_SUBMIT_TIME, Value::Time("2024-05-06T07:08:09Z".parse().unwrap()));
        item
    }

    #[test]
    fn blind_recipients_go_and_required_fields_come() {
        for (before, after) in [
            (
                "Subject: a\r\nBCC: Bob\r\n <bob@example.com>,\r\n\tc@example.com\r\nTo: d@example.com\r\n\r\nBcc: in the body\r\n",
                "From: ann@example.com\r\nDate: Mon, 6 May 2024 07:08:09 +0000\r\nMessage-ID: <1@example.com>\r\n\
                 Subject: a\r\nTo: d@example.com\r\n\r\nBcc: in the body\r\n",
            ),
            (
                "from: x@example.com\ndate: y\nMessage-Id: <z>\n\nbody",
                "from: x@example.com\ndate: y\nMessage-Id: <z>\n\nbody",
            ),
            ("", "From: ann@example.com\r\nDate: Mon, 6 May 2024 07:08:09 +0000\r\nMessage-ID: <1@example.com>\r\n"),
        ] {
            assert_eq!(submitted(&item(before), &CONTEXT).unwrap(), after, "{before}");
        }
        assert_eq!(submitted(&ItemContent::default(), &CONTEXT), None);
    }

    #[test]
    fn headers_are_those_of_the_message() {
        assert_eq!(headers(&item("A: 1\r\n\r\nbody"), &CONTEXT), "A: 1\r\n");
        let mut made = item("");
        made.mime = None;
        assert!(
            headers(&made, &CONTEXT).starts_with("From: ann@example.com\r\nDate: "),
            "{}",
            headers(&made, &CONTEXT)
        );
    }
}
