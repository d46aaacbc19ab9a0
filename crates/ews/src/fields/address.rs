//! Addresses: single ones out of several properties, recipients, attendees.

use content::address::Mailbox;
use model::{Bag, PropertyKey, Value, limits, tags};
use xml::{Node, Writer};

use crate::item::Item;
use crate::patch::Step;
use crate::{Failure, ResponseCode};

/// PidTagRecipientType.
pub(crate) const TO: i32 = 1;
pub(crate) const CC: i32 = 2;
/// How somebody answered a meeting request, by number.
pub(crate) const RESPONSE_TYPES: &[(i32, &str)] =
    &[(0, "Unknown"), (1, "Organizer"), (2, "Tentative"), (3, "Accept"), (4, "Decline"), (5, "NoResponseReceived")];

/// The properties of one address.
#[derive(Clone, Debug)]
pub(crate) struct AddressKeys {
    /// Display name.
    pub(crate) name: PropertyKey,
    /// Address type.
    pub(crate) kind: PropertyKey,
    /// Address.
    pub(crate) address: PropertyKey,
    /// SMTP address.
    pub(crate) smtp: PropertyKey,
}

impl AddressKeys {
    /// The four keys.
    pub(crate) fn all(&self) -> [PropertyKey; 4] {
        [self.name.clone(), self.kind.clone(), self.address.clone(), self.smtp.clone()]
    }
}

pub(crate) const FROM: AddressKeys = AddressKeys {
    name: tags::SENT_REPRESENTING_NAME,
    kind: tags::SENT_REPRESENTING_ADDRESS_TYPE,
    address: tags::SENT_REPRESENTING_EMAIL_ADDRESS,
    smtp: tags::SENT_REPRESENTING_SMTP_ADDRESS,
};
pub(crate) const SENDER: AddressKeys = AddressKeys {
    name: tags::SENDER_NAME,
    kind: tags::SENDER_ADDRESS_TYPE,
    address: tags::SENDER_EMAIL_ADDRESS,
    smtp: tags::SENDER_SMTP_ADDRESS,
};
pub(crate) const RECEIVED_BY: AddressKeys = AddressKeys {
    name: tags::RECEIVED_BY_NAME,
    kind: tags::RECEIVED_BY_ADDRESS_TYPE,
    address: tags::RECEIVED_BY_EMAIL_ADDRESS,
    smtp: tags::RECEIVED_BY_SMTP_ADDRESS,
};
pub(crate) const RECEIVED_REPRESENTING: AddressKeys = AddressKeys {
    name: tags::RECEIVED_REPRESENTING_NAME,
    kind: tags::RECEIVED_REPRESENTING_ADDRESS_TYPE,
    address: tags::RECEIVED_REPRESENTING_EMAIL_ADDRESS,
    smtp: tags::RECEIVED_REPRESENTING_SMTP_ADDRESS,
};

/// Writes `t:Mailbox`; a part that is missing is left out.
pub(crate) fn write_mailbox(out: &mut Writer, name: &str, address: &str, kind: &str) {
    out.start("t:Mailbox");
    if !name.is_empty() {
        out.element("t:Name", name);
    }
    if !address.is_empty() {
        out.element("t:EmailAddress", address);
        out.element("t:RoutingType", if kind.is_empty() { "SMTP" } else { kind });
    }
    out.end();
}

/// An SMTP address where there is one, else the address and its type.
fn best_address(smtp: Option<String>, address: Option<String>, kind: Option<String>) -> (String, String) {
    match smtp.filter(|smtp| !smtp.is_empty()) {
        Some(smtp) => (smtp, "SMTP".to_owned()),
        None => (address.unwrap_or_default(), kind.unwrap_or_default()),
    }
}

/// Writes a single recipient.
pub(crate) fn write_single(out: &mut Writer, element: &'static str, item: &Item<'_>, keys: &AddressKeys) {
    let name = item.text(&keys.name).unwrap_or_default();
    let (address, kind) = best_address(item.text(&keys.smtp), item.text(&keys.address), item.text(&keys.kind));
    if !name.is_empty() || !address.is_empty() {
        out.scope(element, |out| write_mailbox(out, &name, &address, &kind));
    }
}

fn write_row(out: &mut Writer, row: &Bag) {
    let text = |key: &PropertyKey| row.text(key).map(str::to_owned);
    let (address, kind) =
        best_address(text(&tags::SMTP_ADDRESS), text(&tags::EMAIL_ADDRESS), text(&tags::ADDRESS_TYPE));
    write_mailbox(out, row.text(&tags::DISPLAY_NAME).unwrap_or_default(), &address, &kind);
}

fn of_kind<'b>(item: &'b Item<'_>, kind: i32) -> Vec<&'b Bag> {
    let is = |row: &&Bag| row.get(&tags::RECIPIENT_TYPE).and_then(Value::as_i64) == Some(i64::from(kind));
    item.recipients.iter().filter(is).collect()
}

/// Writes recipients as mailboxes; nothing where there are none.
pub(crate) fn write_recipients(out: &mut Writer, element: &'static str, item: &Item<'_>, kind: i32) {
    let rows = of_kind(item, kind);
    if !rows.is_empty() {
        out.scope(element, |out| rows.iter().for_each(|row| write_row(out, row)));
    }
}

/// Writes recipients as attendees, without the organiser; nothing where there are none.
pub(crate) fn write_attendees(out: &mut Writer, element: &'static str, item: &Item<'_>, kind: i32) {
    let organiser = |row: &Bag| row.get(&tags::RECIPIENT_FLAGS).and_then(Value::as_i64).unwrap_or_default() & 2 != 0;
    let rows: Vec<&Bag> = of_kind(item, kind).into_iter().filter(|row| !organiser(row)).collect();
    if rows.is_empty() {
        return;
    }
    out.scope(element, |out| {
        for row in rows {
            out.start("t:Attendee");
            write_row(out, row);
            let status = row.get(&tags::RECIPIENT_TRACK_STATUS).and_then(Value::as_i64).unwrap_or_default();
            let name = RESPONSE_TYPES.iter().find(|(have, _)| i64::from(*have) == status);
            out.element("t:ResponseType", name.map_or("Unknown", |(_, name)| name));
            if let Some(time) = row.get(&tags::RECIPIENT_TRACK_TIME).and_then(Value::as_time) {
                out.display("t:LastResponseTime", time);
            }
            for (element, key) in
                [("t:ProposedStart", tags::RECIPIENT_PROPOSED_START), ("t:ProposedEnd", tags::RECIPIENT_PROPOSED_END)]
            {
                if let Some(time) = row.get(&key).and_then(Value::as_time) {
                    out.display(element, time);
                }
            }
            out.end();
        }
    });
}

/// `item:` reply-to: the one-off entries that are stored.
pub(crate) fn write_reply_to(out: &mut Writer, element: &'static str, item: &Item<'_>) {
    let stored = item.value(&tags::REPLY_RECIPIENT_ENTRIES);
    let bytes = stored.as_ref().and_then(Value::as_binary);
    let entries = bytes.and_then(|bytes| mapi::entry_id::decode_flat_entry_list(bytes).ok()).unwrap_or_default();
    if !entries.is_empty() {
        out.scope(element, |out| {
            for entry in &entries {
                write_mailbox(out, &entry.name, &entry.address, &entry.address_type);
            }
        });
    }
}

/// Name, address and type of a `t:Mailbox`.
pub(crate) fn read_mailbox(node: Node<'_>) -> (String, String, String) {
    let text = |name| node.child_local(name).map(|child| child.text().trim().to_owned()).unwrap_or_default();
    let (name, address, kind) = (text("Name"), text("EmailAddress"), text("RoutingType"));
    let name = if name.is_empty() { address.clone() } else { name };
    (name, address, if kind.is_empty() { "SMTP".to_owned() } else { kind })
}

/// Reads a single recipient.
pub(crate) fn read_single(node: Node<'_>, keys: &AddressKeys) -> Vec<Step> {
    let (name, address, kind) = node.child_local("Mailbox").map(read_mailbox).unwrap_or_default();
    let smtp = if kind.eq_ignore_ascii_case("SMTP") {
        Step::Put(keys.smtp.clone(), Value::text(address.clone()))
    } else {
        Step::Remove(keys.smtp.clone())
    };
    vec![
        Step::Put(keys.name.clone(), Value::text(name)),
        Step::Put(keys.kind.clone(), Value::text(kind)),
        Step::Put(keys.address.clone(), Value::text(address)),
        smtp,
    ]
}

fn recipient(node: Node<'_>, kind: i32) -> Bag {
    let (name, address, address_type) = read_mailbox(node);
    recipient_row(&name, &address, &address_type, kind)
}

/// A recipient of that type.
pub(crate) fn recipient_row(name: &str, address: &str, address_type: &str, kind: i32) -> Bag {
    let mut row = Bag::new();
    row.set(tags::RECIPIENT_TYPE, Value::I32(kind));
    row.set(tags::DISPLAY_NAME, Value::text(if name.is_empty() { address } else { name }));
    if address_type.eq_ignore_ascii_case("SMTP") {
        row.set(tags::SMTP_ADDRESS, Value::text(address));
    }
    row.set(tags::ADDRESS_TYPE, Value::text(address_type));
    row.set(tags::EMAIL_ADDRESS, Value::text(address));
    row
}

/// The children of a list of people.
pub(crate) fn bounded<'a>(node: Node<'a>) -> Result<Vec<Node<'a>>, Failure> {
    let children: Vec<_> = node.children().take(limits::RECIPIENTS_MAX + 1).collect();
    if children.len() > limits::RECIPIENTS_MAX {
        return Err(Failure::new(ResponseCode::ErrorMessageSizeExceeded));
    }
    Ok(children)
}

/// Reads `t:Mailbox` elements.
pub(crate) fn read_recipients(node: Node<'_>, kind: i32) -> Result<Step, Failure> {
    let list = bounded(node)?.into_iter().map(|mailbox| recipient(mailbox, kind)).collect();
    Ok(Step::Recipients { kind, list, append: false })
}

/// Reads `t:Attendee` elements.
pub(crate) fn read_attendees(node: Node<'_>, kind: i32) -> Result<Step, Failure> {
    let mailboxes = bounded(node)?.into_iter().filter_map(|attendee| attendee.child_local("Mailbox"));
    let list = mailboxes.map(|mailbox| recipient(mailbox, kind)).collect();
    Ok(Step::Recipients { kind, list, append: false })
}

/// Reads reply-to addresses.
pub(crate) fn read_reply_to(node: Node<'_>) -> Result<Vec<Step>, Failure> {
    let mailboxes: Vec<Mailbox> = bounded(node)?
        .into_iter()
        .map(|mailbox| {
            let (name, address, _) = read_mailbox(mailbox);
            Mailbox::new(&name, &address)
        })
        .collect();
    let entries: Vec<_> =
        mailboxes.iter().map(|one| mapi::entry_id::OneOff::smtp(one.name.clone(), one.address.clone())).collect();
    let names: Vec<&str> = mailboxes.iter().map(Mailbox::display).collect();
    Ok(vec![
        Step::Put(tags::REPLY_RECIPIENT_ENTRIES, Value::binary(mapi::entry_id::encode_flat_entry_list(&entries))),
        Step::Put(tags::REPLY_RECIPIENT_NAMES, Value::text(names.join(";"))),
    ])
}
