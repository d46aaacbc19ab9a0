//! Fields of every item. Extended properties stand between [`FIRST`] and [`LAST`].

use model::{Value, names, tags};
use xml::{Node, Writer};

use super::{Able, Codec, Computed, Field, Needs, Source, V7, V10, V13, body, flag, row, shown, shown_with, stored};
use crate::item::{ASSOCIATED, INSTANCE_KEY, Item, Place, Rendering};
use crate::patch::Step;
use crate::{Failure, ResponseCode, Version, class, id, permission, request};

const SENSITIVITIES: Codec = Codec::NamesOr(&[(0, "Normal"), (1, "Personal"), (2, "Private"), (3, "Confidential")]);
const IMPORTANCES: Codec = Codec::NamesOr(&[(1, "Normal"), (0, "Low"), (2, "High")]);

const MIME: Source = Source::Computed(Computed { write: body::write_mime, needs: Needs::MIME, set: None, keys: &[] });
const BODY: Source = Source::Computed(Computed {
    write: body::write_body,
    needs: Needs::HEAVY,
    set: Some(body::read_body),
    keys: &[tags::BODY, tags::HTML, tags::RTF_COMPRESSED, tags::NATIVE_BODY, tags::PREVIEW],
});
const SUBJECT: Source = Source::Computed(Computed {
    write: write_subject,
    needs: Needs::NONE,
    set: Some(read_subject),
    keys: &[tags::SUBJECT, tags::SUBJECT_PREFIX, tags::NORMALIZED_SUBJECT],
});
const REMINDER_MINUTES: Source = Source::Computed(Computed {
    write: |out, element, item, _| {
        if let Some(minutes) = item.number(&model::lids::REMINDER_DELTA) {
            out.display(element, minutes.clamp(0, REMINDER_MINUTES_MAX));
        }
    },
    needs: Needs::NONE,
    set: Some(|node| {
        let minutes = node.text().trim().parse::<i32>().ok();
        let minutes = minutes.filter(|minutes| (0..=REMINDER_MINUTES_MAX as i32).contains(minutes));
        let invalid = || Failure::field(ResponseCode::ErrorInvalidValueForProperty, "item:ReminderMinutesBeforeStart");
        Ok(vec![Step::Put(model::lids::REMINDER_DELTA, Value::I32(minutes.ok_or_else(invalid)?))])
    }),
    keys: &[model::lids::REMINDER_DELTA],
});
const ATTACHED: Source = Source::Computed(Computed {
    write: |out, element, item, _| {
        out.element(element, if item.truth(&tags::HAS_ATTACHMENTS) == Some(true) { "true" } else { "false" });
    },
    needs: Needs::NONE,
    set: None,
    keys: &[tags::HAS_ATTACHMENTS],
});
const IS_ASSOCIATED: Source = Source::Computed(Computed {
    write: |out, element, item, _| {
        out.element(element, if item.truth(&ASSOCIATED) == Some(true) { "true" } else { "false" });
    },
    needs: Needs::NONE,
    set: Some(|node| read_truth(node, "item:IsAssociated").map(|on| vec![Step::Associated(on)])),
    keys: &[ASSOCIATED],
});
const CLASS: Source = Source::Computed(Computed {
    write: |out, element, item, _| out.element(element, &item.class()),
    needs: Needs::NONE,
    set: Some(|node| Ok(vec![Step::Put(tags::MESSAGE_CLASS, Value::text(node.text().trim()))])),
    keys: &[tags::MESSAGE_CLASS],
});
const CONVERSATION: Source = Source::Computed(Computed {
    write: write_conversation_id,
    needs: Needs::NONE,
    set: None,
    keys: &[tags::CONVERSATION_ID],
});
const FLAG: Source = Source::Computed(Computed {
    write: flag::write,
    needs: Needs::NONE,
    set: Some(flag::read),
    keys: &[tags::FLAG_STATUS, tags::FLAG_COMPLETE_TIME],
});

/// Minutes, as the schema bounds them.
const REMINDER_MINUTES_MAX: i64 = 2_629_800;

/// Up to the extended properties.
#[rustfmt::skip]
pub(crate) const FIRST: &[Field] = &[
    row("item:MimeContent",                "t:MimeContent",                MIME,                                          Able::ASK,      V7),
    row("item:ItemId",                     "t:ItemId",                     shown(write_id),                               Able::SHOW,     V7),
    row("item:ParentFolderId",             "t:ParentFolderId",             shown(write_parent),                           Able::SHOW,     V7),
    row("item:ItemClass",                  "t:ItemClass",                  CLASS,                                         Able::KEEP,     V7),
    row("item:Subject",                    "t:Subject",                    SUBJECT,                                       Able::EDIT,     V7),
    stored("item:Sensitivity",             "t:Sensitivity",                tags::SENSITIVITY, SENSITIVITIES,              Able::EDIT,     V7),
    row("item:Body",                       "t:Body",                       BODY,                                          Able::GET_EDIT, V7),
    row("item:Attachments",                "t:Attachments",                shown_with(Needs::ATTACHMENTS, super::attachment::write), Able::GET, V7),
    stored("item:DateTimeReceived",        "t:DateTimeReceived",           tags::MESSAGE_DELIVERY_TIME, Codec::Time,      Able::READ,     V7),
    stored("item:Size",                    "t:Size",                       tags::MESSAGE_SIZE, Codec::Int,                Able::READ,     V7),
    stored("item:Categories",              "t:Categories",                 names::KEYWORDS, Codec::Texts,                 Able::EDIT,     V7),
    stored("item:Importance",              "t:Importance",                 tags::IMPORTANCE, IMPORTANCES,                 Able::EDIT,     V7),
    stored("item:InReplyTo",               "t:InReplyTo",                  tags::IN_REPLY_TO_ID, Codec::Text,             Able::EDIT,     V7),
    row("item:IsSubmitted",                "t:IsSubmitted",                Source::Bit(0x04),                             Able::READ,     V7),
    row("item:IsDraft",                    "t:IsDraft",                    Source::Bit(0x08),                             Able::READ,     V7),
    row("item:IsFromMe",                   "t:IsFromMe",                   Source::Bit(0x20),                             Able::READ,     V7),
    row("item:IsResend",                   "t:IsResend",                   Source::Bit(0x80),                             Able::READ,     V7),
    row("item:IsUnmodified",               "t:IsUnmodified",               Source::Bit(0x02),                             Able::READ,     V7),
    row("item:InternetMessageHeaders",     "t:InternetMessageHeaders",     shown_with(Needs::HEAVY, body::write_headers), Able::GET,      V7),
    stored("item:DateTimeSent",            "t:DateTimeSent",               tags::CLIENT_SUBMIT_TIME, Codec::Time,         Able::READ,     V7),
    stored("item:DateTimeCreated",         "t:DateTimeCreated",            tags::CREATION_TIME, Codec::Time,              Able::READ,     V7),
    row("item:ResponseObjects",            "t:ResponseObjects",            super::response_objects::RESPONSE_OBJECTS,     Able::GET,      V7),
    stored("item:ReminderDueBy",           "t:ReminderDueBy",              model::lids::REMINDER_TIME, Codec::Time,       Able::EDIT,     V7),
    stored("item:ReminderIsSet",           "t:ReminderIsSet",              model::lids::REMINDER_SET, Codec::Bool,        Able::EDIT,     V7),
    stored("item:ReminderNextTime",        "t:ReminderNextTime",           model::lids::REMINDER_SIGNAL_TIME, Codec::Time, Able::READ,    V13),
    row("item:ReminderMinutesBeforeStart", "t:ReminderMinutesBeforeStart", REMINDER_MINUTES,                              Able::EDIT,     V7),
    stored("item:DisplayCc",               "t:DisplayCc",                  tags::DISPLAY_CC, Codec::Text,                 Able::READ,     V7),
    stored("item:DisplayTo",               "t:DisplayTo",                  tags::DISPLAY_TO, Codec::Text,                 Able::READ,     V7),
    stored("item:DisplayBcc",              "t:DisplayBcc",                 tags::DISPLAY_BCC, Codec::Text,                Able::ASK,      V13),
    row("item:HasAttachments",             "t:HasAttachments",             ATTACHED,                                      Able::READ,     V7),
];

/// From the extended properties on.
#[rustfmt::skip]
pub(crate) const LAST: &[Field] = &[
    row("item:Culture",                    "t:Culture",                    CULTURE,                                       Able::EDIT,     V7),
    row("item:EffectiveRights",            "t:EffectiveRights",            shown(write_rights),                           Able::SHOW,     V10),
    stored("item:LastModifiedName",        "t:LastModifiedName",           tags::LAST_MODIFIER_NAME, Codec::Text,         Able::READ,     V10),
    stored("item:LastModifiedTime",        "t:LastModifiedTime",           tags::LAST_MODIFICATION_TIME, Codec::Time,     Able::READ,     V10),
    row("item:IsAssociated",               "t:IsAssociated",               IS_ASSOCIATED,                                 Able::CREATE,   V10),
    row("item:ConversationId",             "t:ConversationId",             CONVERSATION,                                  Able::READ,     V10),
    row("item:UniqueBody",                 "t:UniqueBody",                 shown_with(Needs::HEAVY, body::write_body),    Able::ASK,      V10),
    row("item:Flag",                       "t:Flag",                       FLAG,                                          Able::EDIT,     V13),
    stored("item:StoreEntryId",            "t:StoreEntryId",               tags::ENTRY_ID, Codec::Base64,                 Able::READ,     Version::V2010_SP2),
    stored("item:InstanceKey",             "t:InstanceKey",                INSTANCE_KEY, Codec::Base64,                   Able::READ,     V13),
    row("item:NormalizedBody",             "t:NormalizedBody",             shown_with(Needs::HEAVY, body::write_body),    Able::ASK,      V13),
    row("item:PolicyTag",                  "t:PolicyTag",                  super::retention::POLICY,                      Able::EDIT,     V13),
    row("item:ArchiveTag",                 "t:ArchiveTag",                 super::retention::ARCHIVE,                     Able::EDIT,     V13),
    stored("item:RetentionDate",           "t:RetentionDate",              RETENTION_DATE, Codec::Time,                   Able::READ,     V13),
    stored("item:Preview",                 "t:Preview",                    tags::PREVIEW, Codec::Text,                    Able::READ,     V13),
    row("item:BlockStatus",                "t:BlockStatus",                shown(write_false),                            Able::SHOW,     V13),
    row("item:HasBlockedImages",           "t:HasBlockedImages",           shown(write_false),                            Able::SHOW,     V13),
    row("item:TextBody",                   "t:TextBody",                   shown_with(Needs::HEAVY, body::write_text_body), Able::ASK,    V13),
    row("item:IconIndex",                  "t:IconIndex",                  shown(write_icon),                             Able::SHOW,     V13),
];

/// PidTagRetentionDate, Time.
const RETENTION_DATE: model::PropertyKey = model::PropertyKey::Tag(0x301c);

/// Nothing is blocked here.
fn write_false(out: &mut Writer, element: &'static str, _: &Item<'_>, _: &Rendering<'_>) {
    out.element(element, "false");
}

fn write_id(out: &mut Writer, element: &'static str, item: &Item<'_>, _: &Rendering<'_>) {
    // An item inside another has no id of its own.
    if item.path.is_empty() {
        let object_type = class::of_item(&item.class()).object_type;
        let key = id::change_key(object_type, item.place.mailbox, item.place.seq);
        id::write(out, element, &item.wire_id(), Some(&key));
    }
}

fn write_parent(out: &mut Writer, element: &'static str, item: &Item<'_>, _: &Rendering<'_>) {
    let Place { mailbox, folder, .. } = item.place;
    if item.path.is_empty() {
        id::write(out, element, &id::folder_id(mailbox, folder), Some(&id::bare_change_key(class::FOLDER_OBJECT)));
    }
}

fn write_subject(out: &mut Writer, element: &'static str, item: &Item<'_>, _: &Rendering<'_>) {
    if let Some(subject) = item.text(&tags::SUBJECT) {
        out.element(element, &subject);
    }
}

fn read_subject(node: Node<'_>) -> Result<Vec<Step>, Failure> {
    let subject = node.text();
    if subject.chars().count() > SUBJECT_CHARS_MAX {
        return Err(Failure::field(ResponseCode::ErrorInvalidValueForProperty, "item:Subject"));
    }
    Ok(vec![Step::Subject(subject.into_owned())])
}

/// Characters of a subject.
const SUBJECT_CHARS_MAX: usize = 255;

fn write_conversation_id(out: &mut Writer, element: &'static str, item: &Item<'_>, _: &Rendering<'_>) {
    let stored = item.value(&tags::CONVERSATION_ID);
    let id = stored.as_ref().and_then(Value::as_binary).map(|bytes| bytes.to_vec());
    let id = id.or_else(|| {
        item.text(&tags::CONVERSATION_TOPIC).map(|topic| mapi::conversation::conversation_id(&topic).to_vec())
    });
    if let Some(id) = id {
        id::write(out, element, &id::conversation_id(item.place.mailbox, &id), None);
    }
}

/// Language tags of the locales that mail is commonly written in, by LCID.
const CULTURES: &[(i64, &str)] = &[
    (0x0409, "en-US"),
    (0x0809, "en-GB"),
    (0x0407, "de-DE"),
    (0x040c, "fr-FR"),
    (0x0410, "it-IT"),
    (0x0c0a, "es-ES"),
    (0x0413, "nl-NL"),
    (0x0406, "da-DK"),
    (0x041d, "sv-SE"),
    (0x0416, "pt-BR"),
    (0x0411, "ja-JP"),
    (0x0804, "zh-CN"),
    (0x0c09, "en-AU"),
    (0x1009, "en-CA"),
    (0x1809, "en-IE"),
    (0x4009, "en-IN"),
    (0x0c07, "de-AT"),
    (0x0807, "de-CH"),
    (0x080c, "fr-BE"),
    (0x0c0c, "fr-CA"),
    (0x100c, "fr-CH"),
    (0x080a, "es-MX"),
    (0x0813, "nl-BE"),
    (0x0816, "pt-PT"),
    (0x0414, "nb-NO"),
    (0x040b, "fi-FI"),
    (0x0415, "pl-PL"),
    (0x0405, "cs-CZ"),
    (0x041b, "sk-SK"),
    (0x040e, "hu-HU"),
    (0x0418, "ro-RO"),
    (0x0408, "el-GR"),
    (0x0419, "ru-RU"),
    (0x0422, "uk-UA"),
    (0x041f, "tr-TR"),
    (0x040d, "he-IL"),
    (0x0401, "ar-SA"),
    (0x0404, "zh-TW"),
    (0x0412, "ko-KR"),
];

const CULTURE: Source = Source::Computed(Computed {
    write: write_culture,
    needs: Needs::NONE,
    set: Some(|node| {
        let text = node.text();
        let known = CULTURES.iter().find(|(_, name)| name.eq_ignore_ascii_case(text.trim()));
        let (locale, _) =
            known.ok_or_else(|| Failure::field(ResponseCode::ErrorInvalidValueForProperty, "item:Culture"))?;
        Ok(vec![Step::Put(tags::MESSAGE_LOCALE_ID, Value::I32(*locale as i32))])
    }),
    keys: &[tags::MESSAGE_LOCALE_ID],
});

fn write_culture(out: &mut Writer, element: &'static str, item: &Item<'_>, _: &Rendering<'_>) {
    let locale = item.number(&tags::MESSAGE_LOCALE_ID);
    let name = CULTURES.iter().find(|(have, _)| Some(*have) == locale).map_or("en-US", |(_, name)| name);
    out.element(element, name);
}

fn write_rights(out: &mut Writer, element: &'static str, item: &Item<'_>, _: &Rendering<'_>) {
    permission::write_effective(out, element, item.rights);
}

fn write_icon(out: &mut Writer, element: &'static str, item: &Item<'_>, _: &Rendering<'_>) {
    const ICONS: &[(i64, &str)] =
        &[(0xffff_ffff, "Default"), (-1, "Default"), (0x105, "MailReplied"), (0x106, "MailForwarded")];
    let icon = item.number(&tags::ICON_INDEX).unwrap_or(-1);
    if let Some((_, name)) = ICONS.iter().find(|(have, _)| *have == icon) {
        out.element(element, name);
    }
}

/// Reads an `xs:boolean` of a field.
pub(crate) fn read_truth(node: Node<'_>, uri: &str) -> Result<bool, Failure> {
    request::parse_boolean(&node.text()).ok_or_else(|| Failure::field(ResponseCode::ErrorInvalidValueForProperty, uri))
}
