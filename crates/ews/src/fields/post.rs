//! Fields of posts, after those of every item: those of messages in another order.

use model::tags;

use super::{Able, Codec, Field, Source, V7, address, message, row, stored};

/// In schema order.
#[rustfmt::skip]
pub(crate) const FIELDS: &[Field] = &[
    stored("message:ConversationIndex", "t:ConversationIndex", tags::CONVERSATION_INDEX, Codec::Base64, Able::READ,   V7),
    stored("message:ConversationTopic", "t:ConversationTopic", tags::CONVERSATION_TOPIC, Codec::Text,   Able::READ,   V7),
    row("message:From",                 "t:From",              Source::Address(&address::FROM),         Able::EDIT,   V7),
    stored("message:InternetMessageId", "t:InternetMessageId", tags::INTERNET_MESSAGE_ID, Codec::Text,  Able::CREATE, V7),
    row("message:IsRead",               "t:IsRead",            message::IS_READ,                        Able::KEEP,   V7),
    stored("postitem:PostedTime",       "t:PostedTime",        tags::CLIENT_SUBMIT_TIME, Codec::Time,   Able::READ,   V7),
    stored("message:References",        "t:References",        tags::INTERNET_REFERENCES, Codec::Text,  Able::EDIT,   V7),
    row("message:Sender",               "t:Sender",            Source::Address(&address::SENDER),       Able::EDIT,   V7),
];
