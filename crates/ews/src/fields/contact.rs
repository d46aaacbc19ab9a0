//! Fields of contacts and distribution lists, after those of every item.

use mapi::entry_id::OneOff;
use model::{PropertyKey, Value, sets, tags};
use xml::{Node, Writer};

use super::{Able, Codec, Computed, Field, Needs, Source, V7, V10, row, shown, stored};
use crate::item::{Item, Rendering};
use crate::patch::Step;
use crate::{Failure, ResponseCode};

const fn tag(id: u16) -> PropertyKey {
    PropertyKey::Tag(id)
}

const fn lid(number: u32) -> PropertyKey {
    PropertyKey::Lid(sets::ADDRESS, number)
}

/// Name, address and display name of each e-mail address.
const EMAILS: &[(&str, PropertyKey, PropertyKey, PropertyKey)] = &[
    ("EmailAddress1", lid(0x8083), lid(0x8080), lid(0x8082)),
    ("EmailAddress2", lid(0x8093), lid(0x8090), lid(0x8092)),
    ("EmailAddress3", lid(0x80a3), lid(0x80a0), lid(0x80a2)),
];
const PHONES: &[(&str, PropertyKey)] = &[
    ("AssistantPhone", tag(0x3a2e)),
    ("BusinessFax", tag(0x3a24)),
    ("BusinessPhone", tag(0x3a08)),
    ("BusinessPhone2", tag(0x3a1b)),
    ("Callback", tag(0x3a02)),
    ("CarPhone", tag(0x3a1e)),
    ("CompanyMainPhone", tag(0x3a57)),
    ("HomeFax", tag(0x3a25)),
    ("HomePhone", tag(0x3a09)),
    ("HomePhone2", tag(0x3a2f)),
    ("Isdn", tag(0x3a2d)),
    ("MobilePhone", tag(0x3a1c)),
    ("OtherFax", tag(0x3a23)),
    ("OtherTelephone", tag(0x3a1f)),
    ("Pager", tag(0x3a21)),
    ("PrimaryPhone", tag(0x3a1a)),
    ("RadioPhone", tag(0x3a1d)),
    ("Telex", tag(0x3a2c)),
    ("TtyTddPhone", tag(0x3a4b)),
];
const IMS: &[(&str, PropertyKey)] = &[("ImAddress1", lid(0x8062))];
/// Street, city, state, country and postal code of each address, in schema order.
const ADDRESSES: &[(&str, [PropertyKey; 5])] = &[
    ("Business", [lid(0x8045), lid(0x8046), lid(0x8047), lid(0x8049), lid(0x8048)]),
    ("Home", [tag(0x3a5d), tag(0x3a59), tag(0x3a5c), tag(0x3a5a), tag(0x3a5b)]),
    ("Other", [tag(0x3a63), tag(0x3a5f), tag(0x3a62), tag(0x3a60), tag(0x3a61)]),
];
const ADDRESS_PARTS: [(&str, &str); 5] = [
    ("t:Street", "Street"),
    ("t:City", "City"),
    ("t:State", "State"),
    ("t:CountryOrRegion", "CountryOrRegion"),
    ("t:PostalCode", "PostalCode"),
];

/// The property behind an indexed field.
pub(crate) fn indexed(uri: &str, index: &str) -> Option<PropertyKey> {
    let of = |list: &[(&str, PropertyKey)]| list.iter().find(|(name, _)| *name == index).map(|(_, key)| key.clone());
    match uri {
        "contacts:EmailAddress" => {
            EMAILS.iter().find(|(name, ..)| *name == index).map(|(_, address, ..)| address.clone())
        }
        "contacts:PhoneNumber" => of(PHONES),
        "contacts:ImAddress" => of(IMS),
        _ => {
            let part = uri.strip_prefix("contacts:PhysicalAddress:")?;
            let at = ADDRESS_PARTS.iter().position(|(_, name)| *name == part)?;
            let (_, keys) = ADDRESSES.iter().find(|(name, _)| *name == index)?;
            keys.get(at).cloned()
        }
    }
}

fn entries(out: &mut Writer, element: &'static str, entries: &[(&str, String)]) {
    if entries.is_empty() {
        return;
    }
    out.scope(element, |out| {
        for (key, value) in entries {
            out.start("t:Entry");
            out.attribute("Key", key);
            out.text(value);
            out.end();
        }
    });
}

fn present<'k>(item: &Item<'_>, list: &'k [(&'k str, PropertyKey)]) -> Vec<(&'k str, String)> {
    let text = |(name, key): &'k (&'k str, PropertyKey)| {
        item.text(key).filter(|text| !text.is_empty()).map(|text| (*name, text))
    };
    list.iter().filter_map(text).collect()
}

fn write_emails(out: &mut Writer, element: &'static str, item: &Item<'_>, _: &Rendering<'_>) {
    let list: Vec<(&str, String)> = EMAILS
        .iter()
        .filter_map(|(name, address, ..)| item.text(address).filter(|text| !text.is_empty()).map(|text| (*name, text)))
        .collect();
    entries(out, element, &list);
}

fn write_phones(out: &mut Writer, element: &'static str, item: &Item<'_>, _: &Rendering<'_>) {
    entries(out, element, &present(item, PHONES));
}

fn write_ims(out: &mut Writer, element: &'static str, item: &Item<'_>, _: &Rendering<'_>) {
    entries(out, element, &present(item, IMS));
}

fn write_addresses(out: &mut Writer, element: &'static str, item: &Item<'_>, _: &Rendering<'_>) {
    let stored = |(name, keys): &(&'static str, [PropertyKey; 5])| {
        let parts: Vec<(&str, String)> = ADDRESS_PARTS
            .iter()
            .zip(keys)
            .filter_map(|((element, _), key)| item.text(key).map(|text| (*element, text)))
            .collect();
        (!parts.is_empty()).then_some((*name, parts))
    };
    let list: Vec<_> = ADDRESSES.iter().filter_map(stored).collect();
    if list.is_empty() {
        return;
    }
    out.scope(element, |out| {
        for (key, parts) in list {
            out.start("t:Entry");
            out.attribute("Key", key);
            for (element, text) in parts {
                out.start_named(element);
                out.text(&text);
                out.end();
            }
            out.end();
        }
    });
}

fn write_complete_name(out: &mut Writer, element: &'static str, item: &Item<'_>, _: &Rendering<'_>) {
    const PARTS: &[(&str, PropertyKey)] = &[
        ("t:Title", tag(0x3a45)),
        ("t:FirstName", tag(0x3a06)),
        ("t:MiddleName", tag(0x3a44)),
        ("t:LastName", tag(0x3a11)),
        ("t:Suffix", tag(0x3a05)),
        ("t:Initials", tag(0x3a0a)),
        ("t:FullName", tag(0x3001)),
        ("t:Nickname", tag(0x3a4f)),
        ("t:YomiFirstName", lid(0x802c)),
        ("t:YomiLastName", lid(0x802d)),
    ];
    let parts = present(item, PARTS);
    if !parts.is_empty() {
        out.scope(element, |out| {
            for (name, text) in &parts {
                out.start_named(name);
                out.text(text);
                out.end();
            }
        });
    }
}

/// Reads the entries of a dictionary; `key_of` gives the property of a key.
fn read_entries(node: Node<'_>, uri: &str) -> Result<Vec<Step>, Failure> {
    let invalid = || Failure::field(ResponseCode::ErrorInvalidValueForProperty, uri);
    let mut steps = Vec::new();
    for entry in node.children() {
        let index = entry.attribute("Key").ok_or_else(invalid)?;
        if uri == "contacts:PhysicalAddress" {
            for (_, part) in ADDRESS_PARTS {
                if let Some(child) = entry.child_local(part) {
                    let key = indexed(&format!("{uri}:{part}"), index).ok_or_else(invalid)?;
                    steps.push(Step::Put(key, Value::text(child.text())));
                }
            }
            continue;
        }
        let key = indexed(uri, index).ok_or_else(invalid)?;
        steps.push(Step::Put(key, Value::text(entry.text())));
        if let Some((_, address, display, kind)) =
            EMAILS.iter().find(|(name, ..)| uri == "contacts:EmailAddress" && *name == index)
        {
            let name = entry.attribute("Name").map_or_else(|| entry.text().into_owned(), str::to_owned);
            steps.push(Step::Put(display.clone(), Value::text(name)));
            steps.push(Step::Put(kind.clone(), Value::text(entry.attribute("RoutingType").unwrap_or("SMTP"))));
            debug_assert!(indexed(uri, index).as_ref() == Some(address));
        }
    }
    Ok(steps)
}

/// Reads the element of an indexed field in an update: a contact with one entry of one dictionary.
pub(crate) fn read_indexed(dictionary: Node<'_>) -> Result<Vec<Step>, Failure> {
    let uri = match dictionary.local() {
        "EmailAddresses" => "contacts:EmailAddress",
        "PhoneNumbers" => "contacts:PhoneNumber",
        "ImAddresses" => "contacts:ImAddress",
        "PhysicalAddresses" => "contacts:PhysicalAddress",
        _ => return Err(Failure::new(ResponseCode::ErrorInvalidPropertySet)),
    };
    read_entries(dictionary, uri)
}

const fn dictionary(
    write: fn(&mut Writer, &'static str, &Item<'_>, &Rendering<'_>),
    set: fn(Node<'_>) -> Result<Vec<Step>, Failure>,
) -> Source {
    Source::Computed(Computed { write, needs: Needs::NONE, set: Some(set), keys: &[] })
}

const MAPPINGS: Codec =
    Codec::Names(&[(0, "None"), (0x8017, "LastCommaFirst"), (0x8000, "FirstSpaceLast"), (0x3a16, "Company")]);
const POSTAL_INDEX: Codec = Codec::NamesOr(&[(0, "None"), (1, "Home"), (2, "Business"), (3, "Other")]);

fn write_source(out: &mut Writer, element: &'static str, _: &Item<'_>, _: &Rendering<'_>) {
    out.element(element, "Store");
}

/// PidLidDistributionListOneOffMembers, Binaries: one-off entry ids.
const ONE_OFF_MEMBERS: PropertyKey = lid(0x8054);
/// PidLidDistributionListMembers, Binaries: entry ids, in the same order.
const ENTRY_MEMBERS: PropertyKey = lid(0x8055);
const MEMBERS: Source = Source::Computed(Computed {
    write: write_members,
    needs: Needs::HEAVY,
    set: Some(read_members),
    keys: &[ONE_OFF_MEMBERS, ENTRY_MEMBERS],
});

fn write_members(out: &mut Writer, element: &'static str, item: &Item<'_>, _: &Rendering<'_>) {
    let Some(Value::Binaries(members)) = item.value(&ONE_OFF_MEMBERS).or_else(|| item.value(&ENTRY_MEMBERS)) else {
        return;
    };
    let members: Vec<OneOff> = members.iter().filter_map(|bytes| OneOff::decode(bytes).ok()).collect();
    if members.is_empty() {
        return;
    }
    out.scope(element, |out| {
        for member in &members {
            out.scope("t:Member", |out| {
                super::address::write_mailbox(out, &member.name, &member.address, &member.address_type);
                out.element("t:Status", "Normal");
            });
        }
    });
}

/// A member that names no address is another item, which cannot be resolved.
fn read_members(node: Node<'_>) -> Result<Vec<Step>, Failure> {
    let mut members = Vec::new();
    for mailbox in super::address::bounded(node)?.into_iter().filter_map(|member| member.child_local("Mailbox")) {
        let (name, address, address_type) = super::address::read_mailbox(mailbox);
        if address.is_empty() {
            return Err(Failure::field(ResponseCode::ErrorInvalidPropertySet, "distributionlist:Members"));
        }
        members.push(bytes::Bytes::from(OneOff { name, address_type, address }.encode()));
    }
    let keys = [ONE_OFF_MEMBERS, ENTRY_MEMBERS];
    Ok(keys.into_iter().map(|key| Step::Put(key, Value::Binaries(members.clone()))).collect())
}

/// Of contacts, in schema order.
#[rustfmt::skip]
pub(crate) const FIELDS: &[Field] = &[
    stored("contacts:FileAs",             "t:FileAs",             lid(0x8005), Codec::Text,          Able::EDIT,      V7),
    stored("contacts:FileAsMapping",      "t:FileAsMapping",      lid(0x8006), MAPPINGS,             Able::EDIT,      V7),
    stored("contacts:DisplayName",        "t:DisplayName",        tags::DISPLAY_NAME, Codec::Text,   Able::EDIT,      V7),
    stored("contacts:GivenName",          "t:GivenName",          tag(0x3a06), Codec::Text,          Able::EDIT,      V7),
    stored("contacts:Initials",           "t:Initials",           tag(0x3a0a), Codec::Text,          Able::EDIT,      V7),
    stored("contacts:MiddleName",         "t:MiddleName",         tag(0x3a44), Codec::Text,          Able::EDIT,      V7),
    stored("contacts:Nickname",           "t:Nickname",           tag(0x3a4f), Codec::Text,          Able::EDIT,      V7),
    row("contacts:CompleteName",          "t:CompleteName",       shown(write_complete_name),        Able::SHOW,      V7),
    stored("contacts:CompanyName",        "t:CompanyName",        tag(0x3a16), Codec::Text,          Able::EDIT,      V7),
    row("contacts:EmailAddresses",        "t:EmailAddresses",     dictionary(write_emails, |node| read_entries(node, "contacts:EmailAddress")), Able::SHOW_EDIT, V7),
    row("contacts:PhysicalAddresses",     "t:PhysicalAddresses",  dictionary(write_addresses, |node| read_entries(node, "contacts:PhysicalAddress")), Able::SHOW_EDIT, V7),
    row("contacts:PhoneNumbers",          "t:PhoneNumbers",       dictionary(write_phones, |node| read_entries(node, "contacts:PhoneNumber")), Able::SHOW_EDIT, V7),
    stored("contacts:AssistantName",      "t:AssistantName",      tag(0x3a30), Codec::Text,          Able::EDIT,      V7),
    stored("contacts:Birthday",           "t:Birthday",           tag(0x3a42), Codec::Time,          Able::EDIT,      V7),
    stored("contacts:BusinessHomePage",   "t:BusinessHomePage",   tag(0x3a51), Codec::Text,          Able::EDIT,      V7),
    stored("contacts:Children",           "t:Children",           tag(0x3a58), Codec::Texts,         Able::EDIT,      V7),
    stored("contacts:Companies",          "t:Companies",          PropertyKey::Lid(sets::COMMON, 0x8539), Codec::Texts, Able::EDIT, V7),
    row("contacts:ContactSource",         "t:ContactSource",      shown(write_source),               Able::SHOW,      V7),
    stored("contacts:Department",         "t:Department",         tag(0x3a18), Codec::Text,          Able::EDIT,      V7),
    stored("contacts:Generation",         "t:Generation",         tag(0x3a05), Codec::Text,          Able::EDIT,      V7),
    row("contacts:ImAddresses",           "t:ImAddresses",        dictionary(write_ims, |node| read_entries(node, "contacts:ImAddress")), Able::SHOW_EDIT, V7),
    stored("contacts:JobTitle",           "t:JobTitle",           tag(0x3a17), Codec::Text,          Able::EDIT,      V7),
    stored("contacts:Manager",            "t:Manager",            tag(0x3a4e), Codec::Text,          Able::EDIT,      V7),
    stored("contacts:Mileage",            "t:Mileage",            PropertyKey::Lid(sets::COMMON, 0x8534), Codec::Text, Able::EDIT, V7),
    stored("contacts:OfficeLocation",     "t:OfficeLocation",     tag(0x3a19), Codec::Text,          Able::EDIT,      V7),
    stored("contacts:PostalAddressIndex", "t:PostalAddressIndex", lid(0x8022), POSTAL_INDEX,         Able::EDIT,      V7),
    stored("contacts:Profession",         "t:Profession",         tag(0x3a46), Codec::Text,          Able::EDIT,      V7),
    stored("contacts:SpouseName",         "t:SpouseName",         tag(0x3a48), Codec::Text,          Able::EDIT,      V7),
    stored("contacts:Surname",            "t:Surname",            tag(0x3a11), Codec::Text,          Able::EDIT,      V7),
    stored("contacts:WeddingAnniversary", "t:WeddingAnniversary", tag(0x3a41), Codec::Time,          Able::EDIT,      V7),
    stored("contacts:HasPicture",         "t:HasPicture",         lid(0x8015), Codec::Bool,          Able::READ,      V10),
];

/// Of distribution lists, in schema order.
#[rustfmt::skip]
pub(crate) const LIST: &[Field] = &[
    stored("contacts:DisplayName", "t:DisplayName",   tags::DISPLAY_NAME, Codec::Text, Able::EDIT, V7),
    stored("contacts:FileAs",      "t:FileAs",        lid(0x8005), Codec::Text,        Able::EDIT, V7),
    row("contacts:ContactSource",  "t:ContactSource", shown(write_source),             Able::SHOW, V7),
    row("distributionlist:Members", "t:Members",      MEMBERS,                         Able::GET_EDIT, V10),
];
