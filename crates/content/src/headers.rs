//! The header block of a message or part. Must not know what the fields mean for an item.

use mail_parser::{
    Address, ContentType, DateTime, Header, HeaderName, HeaderValue, MessageParser, parsers::MessageStream,
};
use model::Time;

use crate::{address::Mailbox, charset, contained};

/// Fields of one block that are looked at.
const FIELDS_MAX: usize = 4_000;

/// A header block, as text and as fields in their order.
#[derive(Debug, Default)]
pub(crate) struct Headers {
    block: String,
    fields: Vec<Header<'static>>,
}

impl Headers {
    /// Reads the block that stands before the empty line.
    pub(crate) fn read(block: &[u8]) -> Self {
        let block = charset::decode_lines(block).into_owned();
        let fields = fields(&block);
        Self { block, fields }
    }

    /// The block as it came.
    pub(crate) fn block(&self) -> &str {
        &self.block
    }

    /// Whether a field of this name stands here.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// The first field of this name, unfolded, with its encoded words as they are.
    pub(crate) fn raw(&self, name: &str) -> Option<String> {
        self.find(name).and_then(|field| self.raw_of(field))
    }

    /// The first field of this name with its encoded words decoded.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let field = self.find(name)?;
        if field.name == HeaderName::Subject
            && let Some(text) = field.value.as_text()
        {
            return Some(unfolded(text));
        }
        decoded(&self.raw_of(field)?)
    }

    /// The comma-separated words of all fields of this name, decoded.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        let fields = self.fields.iter().filter(|field| field.name.as_str().eq_ignore_ascii_case(name));
        fields
            .filter_map(|field| decoded(&self.raw_of(field)?))
            .flat_map(|text| text.split(',').map(|word| word.trim().to_owned()).collect::<Vec<_>>())
            .filter(|word| !word.is_empty())
            .collect()
    }

    /// The addresses of all fields of this name, groups dissolved.
    pub(crate) fn mailboxes(&self, name: &str) -> Vec<Mailbox> {
        let fields = self.fields.iter().filter(|field| field.name.as_str().eq_ignore_ascii_case(name));
        fields.filter_map(|field| field.value.as_address()).flat_map(mailboxes).collect()
    }

    /// The first field of this name as a date.
    pub(crate) fn date(&self, name: &str) -> Option<Time> {
        time(&date_time(&self.raw(name)?)?)
    }

    /// The date of the topmost trace field: when the last server took the message.
    pub(crate) fn received(&self) -> Option<Time> {
        let raw = self.raw("Received")?;
        let (_, date) = raw.rsplit_once(';')?;
        time(&date_time(date)?)
    }

    /// A field with a value and parameters: Content-Type or Content-Disposition.
    pub(crate) fn structured(&self, name: &str) -> Option<&ContentType<'static>> {
        self.find(name)?.value.as_content_type()
    }

    fn find(&self, name: &str) -> Option<&Header<'static>> {
        self.fields.iter().find(|field| field.name.as_str().eq_ignore_ascii_case(name))
    }

    fn raw_of(&self, field: &Header<'_>) -> Option<String> {
        self.block.get(field.offset_start as usize..field.offset_end as usize).map(unfolded)
    }
}

fn fields(block: &str) -> Vec<Header<'static>> {
    // The parser wants the empty line, and gives up on a block that ends inside a field.
    let ended = format!("{block}\r\n\r\n");
    let message = contained(|| {
        let mut message = MessageParser::new().parse_headers(ended.as_bytes())?;
        (!message.parts.is_empty()).then(|| message.parts.swap_remove(0).headers)
    });
    message.flatten().unwrap_or_default().into_iter().take(FIELDS_MAX).map(Header::into_owned).collect()
}

/// Folds dissolved: a line break and the space after it become one space.
fn unfolded(text: &str) -> String {
    let mut lines = text.split(['\r', '\n']).filter(|line| !line.is_empty());
    let mut out = lines.next().unwrap_or_default().trim_end().to_owned();
    for line in lines {
        out.push(' ');
        out.push_str(line.trim());
    }
    out.trim().to_owned()
}

/// Encoded words decoded.
pub(crate) fn decoded(raw: &str) -> Option<String> {
    let line = format!("{raw}\n\n");
    let value = contained(|| MessageStream::new(line.as_bytes()).parse_unstructured().into_owned())?;
    value.as_text().map(unfolded)
}

/// The mailboxes of one address field.
pub(crate) fn mailboxes(address: &Address<'_>) -> Vec<Mailbox> {
    address
        .iter()
        .map(|entry| Mailbox::new(entry.name().unwrap_or_default(), entry.address().unwrap_or_default()))
        .filter(|mailbox| !mailbox.name.is_empty() || !mailbox.address.is_empty())
        .collect()
}

/// The addresses in the text of an address field.
pub(crate) fn address_list(text: &str) -> Vec<Mailbox> {
    let line = format!("{text}\n\n");
    let value = contained(|| MessageStream::new(line.as_bytes()).parse_address().into_owned());
    match value {
        Some(HeaderValue::Address(address)) => mailboxes(&address),
        _ => Vec::new(),
    }
}

fn date_time(text: &str) -> Option<DateTime> {
    contained(|| DateTime::parse_rfc822(&format!("{text}\n\n"))).flatten()
}

fn time(date: &DateTime) -> Option<Time> {
    // A leap second has no place in a FILETIME.
    let date = DateTime { second: date.second.min(59), ..*date };
    date.is_valid().then(|| Time::from_unix(date.to_timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read() {
        let headers = Headers::read(
            b"Received: from a by b; Thu, 31 Aug 2006 10:00:00 -0700 (PDT)\r\n\
              Received: from x by a; Thu, 31 Aug 2006 09:00:00 -0700\r\n\
              Subject: =?utf-8?B?4oKs?= and\r\n =?iso-8859-1?q?caf=E9?= au lait\r\n\
              Keywords: red, =?utf-8?q?gr=C3=BCn?=\r\n\
              X-Odd:  folded\r\n\tvalue\r\n\
              To: Group: a@example.com, \"B, C\" <b@example.com>;, c@example.com\r\n\
              Date: Fri, 30 Feb 2007 99:00:00 +0000\r\n",
        );
        assert_eq!(headers.text("subject").as_deref(), Some("€ and café au lait"));
        assert_eq!(headers.list("Keywords"), ["red", "grün"]);
        assert_eq!(headers.raw("x-odd").as_deref(), Some("folded value"));
        assert_eq!(headers.received().unwrap().to_string(), "2006-08-31T17:00:00Z");
        assert_eq!(headers.date("Date"), None);
        let to = headers.mailboxes("To");
        assert_eq!(
            to.iter().map(|one| one.address.as_str()).collect::<Vec<_>>(),
            ["a@example.com", "b@example.com", "c@example.com"]
        );
        assert_eq!(to[1].name, "B, C");
    }
}
