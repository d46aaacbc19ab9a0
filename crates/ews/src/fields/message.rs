//! Fields of messages, after those of every item.

use model::tags;

use super::{Able, Codec, Computed, Field, Needs, Source, V7, V10, address, row, stored};
use crate::patch::Step;

/// Whether the item is read.
pub(super) const IS_READ: Source = Source::Computed(Computed {
    write: |out, element, item, _| {
        out.element(element, if item.truth(&tags::READ) == Some(true) { "true" } else { "false" });
    },
    needs: Needs::NONE,
    set: Some(|node| super::item::read_truth(node, "message:IsRead").map(|read| vec![Step::Read(read)])),
    keys: &[tags::READ],
});
const REPLY_TO: Source = Source::Computed(Computed {
    write: |out, element, item, _| address::write_reply_to(out, element, item),
    needs: Needs::HEAVY,
    set: Some(address::read_reply_to),
    keys: &[tags::REPLY_RECIPIENT_ENTRIES, tags::REPLY_RECIPIENT_NAMES],
});
/// A boolean that is false where nothing is stored.
const READ_RECEIPT: Source = Source::Computed(Computed {
    write: |out, element, item, _| {
        out.element(element, if item.truth(&tags::READ_RECEIPT_REQUESTED) == Some(true) { "true" } else { "false" });
    },
    needs: Needs::NONE,
    set: Some(|node| {
        let on = super::item::read_truth(node, "message:IsReadReceiptRequested")?;
        Ok(vec![Step::Put(tags::READ_RECEIPT_REQUESTED, model::Value::Bool(on))])
    }),
    keys: &[tags::READ_RECEIPT_REQUESTED],
});
const DELIVERY_RECEIPT: Source = Source::Computed(Computed {
    write: |out, element, item, _| {
        out.element(element, if item.truth(&tags::DELIVERY_REPORT_REQUESTED) == Some(true) { "true" } else { "false" });
    },
    needs: Needs::NONE,
    set: Some(|node| {
        let on = super::item::read_truth(node, "message:IsDeliveryReceiptRequested")?;
        Ok(vec![Step::Put(tags::DELIVERY_REPORT_REQUESTED, model::Value::Bool(on))])
    }),
    keys: &[tags::DELIVERY_REPORT_REQUESTED],
});

/// In schema order.
#[rustfmt::skip]
pub(crate) const FIELDS: &[Field] = &[
    row("message:Sender",                     "t:Sender",                     Source::Address(&address::SENDER),              Able::EDIT,     V7),
    row("message:ToRecipients",               "t:ToRecipients",               Source::Recipients(1),                          Able::GET_EDIT, V7),
    row("message:CcRecipients",               "t:CcRecipients",               Source::Recipients(2),                          Able::GET_EDIT, V7),
    row("message:BccRecipients",              "t:BccRecipients",              Source::Recipients(3),                          Able::GET_EDIT, V7),
    row("message:IsReadReceiptRequested",     "t:IsReadReceiptRequested",     READ_RECEIPT,                                   Able::EDIT,     V7),
    row("message:IsDeliveryReceiptRequested", "t:IsDeliveryReceiptRequested", DELIVERY_RECEIPT,                               Able::EDIT,     V7),
    stored("message:ConversationIndex",       "t:ConversationIndex",          tags::CONVERSATION_INDEX, Codec::Base64,        Able::READ,     V7),
    stored("message:ConversationTopic",       "t:ConversationTopic",          tags::CONVERSATION_TOPIC, Codec::Text,          Able::READ,     V7),
    row("message:From",                       "t:From",                       Source::Address(&address::FROM),                Able::EDIT,     V7),
    stored("message:InternetMessageId",       "t:InternetMessageId",          tags::INTERNET_MESSAGE_ID, Codec::Text,         Able::CREATE,   V7),
    row("message:IsRead",                     "t:IsRead",                     IS_READ,                                        Able::KEEP,     V7),
    stored("message:IsResponseRequested",     "t:IsResponseRequested",        tags::RESPONSE_REQUESTED, Codec::Bool,          Able::EDIT,     V7),
    stored("message:References",              "t:References",                 tags::INTERNET_REFERENCES, Codec::Text,         Able::EDIT,     V7),
    row("message:ReplyTo",                    "t:ReplyTo",                    REPLY_TO,                                       Able::GET_EDIT, V7),
    row("message:ReceivedBy",                 "t:ReceivedBy",                 Source::Address(&address::RECEIVED_BY),         Able::READ,     V10),
    row("message:ReceivedRepresenting",       "t:ReceivedRepresenting",       Source::Address(&address::RECEIVED_REPRESENTING), Able::READ,   V10),
];
