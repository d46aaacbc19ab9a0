//! What known clients do that the published schema does not have, one row each.

/// A habit of a client.
#[derive(Clone, Copy, Debug)]
pub struct Quirk {
    /// A short name.
    pub name: &'static str,
    /// Who does it, and how it shows in a request.
    pub seen: &'static str,
    /// What we do about it.
    pub answer: &'static str,
}

/// All of them. None needs to know the client: each is harmless for everybody, so requests are read leniently.
#[rustfmt::skip]
pub const QUIRKS: &[Quirk] = &[
    Quirk { name: "https-namespaces",    seen: "documentation and its copies write the namespaces with https",    answer: "both spellings are read; http is written" },
    Quirk { name: "foreign-namespace",   seen: "Thunderbird: FlagStatus in the messages namespace inside t:Flag", answer: "either of ours will do inside a request" },
    Quirk { name: "decimal-tag",         seen: "Thunderbird: ExtendedFieldURI PropertyTag=\"4240\"",              answer: "decimal and 0x forms are read" },
    Quirk { name: "overwrite-keyless",   seen: "Thunderbird: UpdateItem AlwaysOverwrite without ChangeKey",       answer: "accepted as whatever is stored" },
    Quirk { name: "archive-folder",      seen: "Thunderbird: DistinguishedFolderId archive, not in the schema",   answer: "a known name without a folder" },
    Quirk { name: "no-version",          seen: "DavMail: first request without RequestServerVersion",             answer: "shaped as 2007 SP1, no operation refused" },
    Quirk { name: "article-number",      seen: "DavMail: PropertyTag 0x0E23 as UID of IMAP",                      answer: "computed from the item id, ascending" },
    Quirk { name: "streamed-lists",      seen: "EWS Managed API 2.2, exchangelib: m:Notification, m:SubscriptionId in streams", answer: "written so, not as published" },
    Quirk { name: "bare-envelope",       seen: "ews-javascript-api: looks for <Envelope in a stream",             answer: "envelopes of streams have no prefix" },
    Quirk { name: "one-event-and-gone",  seen: "exchangelib: reads one event of a stream and closes it",          answer: "what was taken before is not told again" },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_complete() {
        for quirk in QUIRKS {
            assert!(!quirk.name.is_empty() && !quirk.seen.is_empty() && !quirk.answer.is_empty());
        }
    }
}
