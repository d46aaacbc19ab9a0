//! Mail addresses with display names, as the address fields of RFC 5322 hold them.

use crate::headers;

/// A display name and an address. Either may be empty, not both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mailbox {
    /// The display name, decoded; empty where there is none.
    pub name: String,
    /// The address (`local@domain`); empty where the field has a name only.
    pub address: String,
}

impl Mailbox {
    /// A mailbox from a name and an address; a name that is an address is taken for one where there is no other.
    pub fn new(name: &str, address: &str) -> Self {
        let (name, address) = (name.trim(), address.trim());
        if address.is_empty() && name.contains('@') && !name.contains(char::is_whitespace) {
            return Self { name: String::new(), address: name.to_owned() };
        }
        Self { name: name.to_owned(), address: address.to_owned() }
    }

    /// What to show: the name, or the address where there is none.
    pub fn display(&self) -> &str {
        if self.name.is_empty() { &self.address } else { &self.name }
    }
}

/// The mailboxes in the text of an address field, in their order; groups are dissolved. Unreadable text gives none.
pub fn parse(text: &str) -> Vec<Mailbox> {
    headers::address_list(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let cases: [(&str, &[(&str, &str)]); 6] = [
            ("a@example.com", &[("", "a@example.com")]),
            ("Dan Park <dpark@example.com>", &[("Dan Park", "dpark@example.com")]),
            ("\"Park, Dan\" <d@example.com>, b@example.com", &[("Park, Dan", "d@example.com"), ("", "b@example.com")]),
            ("=?utf-8?q?J=C3=BCrgen?= <j@example.com>", &[("Jürgen", "j@example.com")]),
            ("Team: a@example.com, b@example.com;", &[("", "a@example.com"), ("", "b@example.com")]),
            ("", &[]),
        ];
        for (text, expected) in cases {
            let expected: Vec<_> = expected.iter().map(|(name, address)| Mailbox::new(name, address)).collect();
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
