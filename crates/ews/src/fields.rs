//! The field table: FieldURI, element, source, codec, abilities and first version, one row each.
//!
//! **To add a field, add a row** in the file of its class; row order is the schema's order of elements. A value that is
//! stored as it is written needs nothing else. `class.rs` says which tables make up which element, and which fields its
//! default shape has.

pub(crate) mod address;
pub(crate) mod attachment;
pub(crate) mod body;
pub(crate) mod calendar;
pub(crate) mod codec;
pub(crate) mod contact;
pub(crate) mod flag;
pub(crate) mod item;
pub(crate) mod meeting;
pub(crate) mod message;
pub(crate) mod post;
pub(crate) mod recurrence;
pub(crate) mod response_objects;
pub(crate) mod retention;
pub(crate) mod task;
pub(crate) mod zone;

use model::PropertyKey;
use xml::{Node, Writer};

use crate::item::{Item, Rendering};
use crate::patch::Step;
use crate::{Failure, Version};

pub(crate) use address::AddressKeys;
pub(crate) use codec::Codec;

/// What a client may do with a field: a set of bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Able(u8);

impl Able {
    const FIND_BIT: u8 = 1;
    const SET_BIT: u8 = 2;
    const UPDATE_BIT: u8 = 4;
    const DELETE_BIT: u8 = 8;
    const GET_BIT: u8 = 16;
    const ASK_BIT: u8 = 32;

    /// Read only; may appear in a restriction or an order.
    pub(crate) const READ: Self = Self(Self::FIND_BIT);
    /// Read only, and no condition can name it.
    pub(crate) const SHOW: Self = Self(0);
    /// Everything.
    pub(crate) const EDIT: Self = Self(Self::FIND_BIT | Self::SET_BIT | Self::UPDATE_BIT | Self::DELETE_BIT);
    /// May be set, and cannot be deleted.
    pub(crate) const KEEP: Self = Self(Self::FIND_BIT | Self::SET_BIT | Self::UPDATE_BIT);
    /// May be set when the item is made.
    pub(crate) const CREATE: Self = Self(Self::FIND_BIT | Self::SET_BIT);
    /// Everything but being searched.
    pub(crate) const SHOW_EDIT: Self = Self(Self::SET_BIT | Self::UPDATE_BIT | Self::DELETE_BIT);
    /// Only in answers to `GetItem`.
    pub(crate) const GET: Self = Self(Self::GET_BIT);
    /// Only in answers to `GetItem`, and only where it is asked for by name.
    pub(crate) const ASK: Self = Self(Self::GET_BIT | Self::ASK_BIT);
    /// As [`Self::ASK`]; may be set.
    pub(crate) const ASK_EDIT: Self = Self(Self::GET_BIT | Self::ASK_BIT | Self::SHOW_EDIT.0);
    /// Only in answers to `GetItem`; may be set.
    pub(crate) const GET_EDIT: Self = Self(Self::GET_BIT | Self::SHOW_EDIT.0);

    const fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    /// May appear in a restriction or an order.
    pub(crate) const fn find(self) -> bool {
        self.has(Self::FIND_BIT)
    }

    /// May be set when an item is made.
    pub(crate) const fn set(self) -> bool {
        self.has(Self::SET_BIT)
    }

    /// May be set later.
    pub(crate) const fn update(self) -> bool {
        self.has(Self::UPDATE_BIT)
    }

    /// May be deleted.
    pub(crate) const fn delete(self) -> bool {
        self.has(Self::DELETE_BIT)
    }

    /// Is never in answers to Find and Sync.
    pub(crate) const fn get_only(self) -> bool {
        self.has(Self::GET_BIT)
    }

    /// Is in an answer only where it is asked for by name.
    pub(crate) const fn only_asked(self) -> bool {
        self.has(Self::ASK_BIT)
    }
}

/// Parts of an item, besides its light bag, that writing a field needs: a set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs(u8);

impl Needs {
    /// The light bag is enough.
    pub(crate) const NONE: Self = Self(0);
    /// The heavy values.
    pub(crate) const HEAVY: Self = Self(1);
    /// The recipients.
    pub(crate) const RECIPIENTS: Self = Self(2);
    /// The list of attachments.
    pub(crate) const ATTACHMENTS: Self = Self(4);
    /// The message in RFC 5322.
    pub(crate) const MIME: Self = Self(8);
    /// The appointment that a meeting message is about.
    pub(crate) const APPOINTMENT: Self = Self(16);

    /// These and others.
    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether `other` is among them.
    pub(crate) const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// Where the value of a field comes from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A stored property, written by its codec.
    Stored(PropertyKey, Codec),
    /// Bits of `PidTagMessageFlags`; true where one is set.
    Bit(i32),
    /// One address out of several stored properties.
    Address(&'static AddressKeys),
    /// The recipients of that type, as mailboxes.
    Recipients(i32),
    /// The recipients of that type, as attendees.
    Attendees(i32),
    /// Written by a function.
    Computed(Computed),
}

/// Writes a field as the element of that name.
type WriteField = fn(&mut Writer, &'static str, &Item<'_>, &Rendering<'_>);
/// Reads the element of a field into changes.
type ReadField = fn(Node<'_>) -> Result<Vec<Step>, Failure>;

/// A field that a function writes.
#[derive(Clone, Copy)]
pub(crate) struct Computed {
    /// Writes the element, or nothing where there is no value.
    pub(crate) write: WriteField,
    /// What of the item it needs.
    pub(crate) needs: Needs,
    /// Reads the element of a request.
    pub(crate) set: Option<ReadField>,
    /// The properties behind it: the first stands for it in conditions, all go when the field is deleted.
    pub(crate) keys: &'static [PropertyKey],
}

impl std::fmt::Debug for Computed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Computed({:?})", self.keys)
    }
}

/// One row.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    /// The `FieldURI` attribute.
    pub(crate) uri: &'static str,
    /// The qualified element name.
    pub(crate) element: &'static str,
    /// Where the value comes from.
    pub(crate) source: Source,
    /// What a client may do with it.
    pub(crate) able: Able,
    /// The version that introduced it: earlier ones get it only where it is asked for by name.
    pub(crate) since: Version,
}

const V7: Version = Version::V2007;
const V10: Version = Version::V2010;
const V13: Version = Version::V2013;

const fn row(uri: &'static str, element: &'static str, source: Source, able: Able, since: Version) -> Field {
    Field { uri, element, source, able, since }
}

const fn stored(
    uri: &'static str,
    element: &'static str,
    key: PropertyKey,
    codec: Codec,
    able: Able,
    since: Version,
) -> Field {
    row(uri, element, Source::Stored(key, codec), able, since)
}

const fn shown(write: WriteField) -> Source {
    Source::Computed(Computed { write, needs: Needs::NONE, set: None, keys: &[] })
}

const fn shown_with(needs: Needs, write: WriteField) -> Source {
    Source::Computed(Computed { write, needs, set: None, keys: &[] })
}

impl Field {
    /// What of the item writing it needs.
    pub(crate) fn needs(&self) -> Needs {
        match &self.source {
            // Long values lie apart from the light bag.
            Source::Stored(_, Codec::Text | Codec::Texts | Codec::Base64) => Needs::HEAVY,
            Source::Stored(..) | Source::Bit(_) | Source::Address(_) => Needs::NONE,
            Source::Recipients(_) | Source::Attendees(_) => Needs::RECIPIENTS,
            Source::Computed(computed) => computed.needs,
        }
    }

    /// Writes the element, or nothing where the item has no value.
    pub(crate) fn write(&self, out: &mut Writer, item: &Item<'_>, rendering: &Rendering<'_>) {
        match &self.source {
            Source::Stored(key, codec) => match item.value(key) {
                Some(value) => codec.write(out, self.element, &value, rendering.header),
                None => codec.write_missing(out, self.element),
            },
            Source::Bit(mask) => {
                out.element(self.element, if item.message_flags() & mask == 0 { "false" } else { "true" });
            }
            Source::Address(keys) => address::write_single(out, self.element, item, keys),
            Source::Recipients(kind) => address::write_recipients(out, self.element, item, *kind),
            Source::Attendees(kind) => address::write_attendees(out, self.element, item, *kind),
            Source::Computed(computed) => (computed.write)(out, self.element, item, rendering),
        }
    }

    /// Reads the element of a request into changes.
    ///
    /// # Errors
    /// `ErrorInvalidPropertySet` where the field cannot be set, another code where the value cannot be.
    pub(crate) fn read(&self, node: Node<'_>) -> Result<Vec<Step>, Failure> {
        let refused = || Failure::field(crate::ResponseCode::ErrorInvalidPropertySet, self.uri);
        match &self.source {
            Source::Stored(key, codec) => {
                let value = codec
                    .read(node)
                    .ok_or_else(|| Failure::field(crate::ResponseCode::ErrorInvalidValueForProperty, self.uri))?;
                Ok(vec![Step::Put(key.clone(), value)])
            }
            Source::Bit(_) => Err(refused()),
            Source::Address(keys) => Ok(address::read_single(node, keys)),
            Source::Recipients(kind) => Ok(vec![address::read_recipients(node, *kind)?]),
            Source::Attendees(kind) => Ok(vec![address::read_attendees(node, *kind)?]),
            Source::Computed(computed) => computed.set.ok_or_else(refused)?(node),
        }
    }

    /// The changes that delete the field.
    pub(crate) fn clear(&self) -> Vec<Step> {
        match &self.source {
            Source::Stored(key, _) => vec![Step::Remove(key.clone())],
            Source::Bit(_) => Vec::new(),
            Source::Address(keys) => keys.all().into_iter().map(Step::Remove).collect(),
            Source::Recipients(kind) | Source::Attendees(kind) => {
                vec![Step::Recipients { kind: *kind, list: Vec::new(), append: false }]
            }
            Source::Computed(computed) => computed.keys.iter().cloned().map(Step::Remove).collect(),
        }
    }

    /// The property that stands for the field in conditions and orders.
    pub(crate) fn key(&self) -> Option<PropertyKey> {
        match &self.source {
            Source::Stored(key, _) => Some(key.clone()),
            Source::Address(keys) => Some(keys.name.clone()),
            Source::Bit(_) => Some(model::tags::MESSAGE_FLAGS),
            Source::Recipients(_) | Source::Attendees(_) => None,
            Source::Computed(computed) => computed.keys.first().cloned(),
        }
    }
}

/// All tables of item fields.
pub(crate) const TABLES: &[&[Field]] = &[
    item::FIRST,
    item::LAST,
    message::FIELDS,
    meeting::FIELDS,
    meeting::REQUEST,
    meeting::RESPONSE,
    calendar::HEAD,
    calendar::START,
    calendar::RESPONSE_REQUESTED,
    calendar::MIDDLE,
    calendar::TAIL,
    contact::FIELDS,
    contact::LIST,
    task::FIELDS,
    post::FIELDS,
];

/// The first row of that URI.
pub(crate) fn find(uri: &str) -> Option<&'static Field> {
    TABLES.iter().flat_map(|table| table.iter()).find(|field| field.uri == uri)
}

/// The field of which an `IndexedFieldURI` names one entry.
pub(crate) fn whole(indexed: &str) -> Option<&'static str> {
    Some(match indexed {
        "item:InternetMessageHeader" => "item:InternetMessageHeaders",
        "contacts:EmailAddress" => "contacts:EmailAddresses",
        "contacts:PhoneNumber" => "contacts:PhoneNumbers",
        "contacts:ImAddress" => "contacts:ImAddresses",
        "contacts:PhysicalAddress:Street"
        | "contacts:PhysicalAddress:City"
        | "contacts:PhysicalAddress:State"
        | "contacts:PhysicalAddress:CountryOrRegion"
        | "contacts:PhysicalAddress:PostalCode" => "contacts:PhysicalAddresses",
        "distributionlist:Members:Member" => "distributionlist:Members",
        _ => return None,
    })
}

/// Field URIs of the schema that no row has: they may be asked for, and nothing is returned.
pub(crate) fn is_known(uri: &str) -> bool {
    const PREFIXES: &[&str] =
        &["persona:", "conversation:", "person:", "network:", "abchperson:", "booking:", "insight:", "rolemember:"];
    const NAMES: &[&str] = &[
        "calendar:AdjacentMeetingCount",
        "calendar:AdjacentMeetings",
        "calendar:CalendarActivityData",
        "calendar:ConflictingMeetingCount",
        "calendar:ConflictingMeetings",
        "calendar:EnhancedLocation",
        "calendar:InboxReminders",
        "calendar:JoinOnlineMeetingUrl",
        "calendar:OnlineMeetingSettings",
        "calendar:When",
        "item:AppliedHashtags",
        "item:AppliedHashtagsPreview",
        "item:AtAllMention",
        "item:CanDelete",
        "item:EntityExtractionResult",
        "item:FirstBody",
        "item:Hashtags",
        "item:InferenceClassification",
        "item:IsClutter",
        "item:Likes",
        "item:LikesPreview",
        "item:MentionedMe",
        "item:Mentions",
        "item:MentionsEx",
        "item:MentionsPreview",
        "item:MimeContentUTF8",
        "item:PendingSocialActivityTagIds",
        "item:PredictedActionReasons",
        "item:RightsManagementLicenseData",
        "item:WebClientEditFormQueryString",
        "item:WebClientReadFormQueryString",
        "meetingRequest:ChangeHighlights",
        "message:ApprovalRequestData",
        "message:ReminderMessageData",
        "message:VotingInformation",
    ];
    PREFIXES.iter().any(|prefix| uri.starts_with(prefix)) || uri.starts_with("contacts:") || NAMES.contains(&uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prints the whole table, so that a review sees one changed line per changed field.
    fn print() -> String {
        let mut text = String::new();
        for field in TABLES.iter().flat_map(|table| table.iter()) {
            let source = match &field.source {
                Source::Stored(key, codec) => format!("{} {codec:?}", print_key(key)),
                Source::Bit(mask) => format!("flag {mask:#x}"),
                Source::Address(keys) => format!("address {}", print_key(&keys.name)),
                Source::Recipients(kind) => format!("recipients {kind}"),
                Source::Attendees(kind) => format!("attendees {kind}"),
                Source::Computed(_) => "computed".to_owned(),
            };
            let bits = [
                (field.able.find(), "find"),
                (field.able.set(), "set"),
                (field.able.update(), "update"),
                (field.able.delete(), "delete"),
                (field.able.get_only(), "get-only"),
                (field.able.only_asked(), "only-asked"),
            ];
            let able: Vec<_> = bits.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect();
            let since = if field.since <= V7 {
                "2007"
            } else if field.since <= V10 {
                "2010"
            } else {
                "later"
            };
            text += &format!("{} {} [{source}] {} {since}\n", field.uri, field.element, able.join(","));
        }
        text
    }

    fn print_key(key: &PropertyKey) -> String {
        match key {
            PropertyKey::Tag(tag) => format!("{tag:#06x}"),
            PropertyKey::Lid(_, lid) => format!("lid {lid:#06x}"),
            PropertyKey::Name(_, name) | PropertyKey::Field(name) => name.to_string(),
        }
    }

    #[test]
    fn the_table_is_as_recorded() {
        let recorded = include_str!("fields/table.txt");
        let printed = print();
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/fields/table.txt"), &printed).unwrap();
        }
        assert_eq!(printed, recorded, "run with UPDATE_GOLDEN=1 after a wanted change");
    }

    #[test]
    fn rows_are_sound() {
        for field in TABLES.iter().flat_map(|table| table.iter()) {
            assert!(field.element.starts_with("t:"), "{}", field.uri);
            assert!(!field.able.find() || field.key().is_some(), "{} is searched without a property", field.uri);
            assert!(
                !is_known(field.uri) || field.uri.starts_with("contacts:"),
                "{} has a row and is listed",
                field.uri
            );
        }
    }
}
