//! Messages being sent: whom they are from, who gets them, and what each side keeps.
//!
//! Mail goes to mailboxes of this server only. A message that names anybody else is refused before anything is written,
//! so that a copy among the sent items always says the truth.

use engine::{Caller, ItemRow, Mailbox, Own, Sending};
use model::{Bag, CollectionId, ItemContent, ItemFlags, Value, tags};

use crate::fields::address::{self, AddressKeys};
use crate::item::RENDER;
use crate::{Context, Failure, ResponseCode, meeting, patch};

/// PidTagMessageFlags: submitted, unsent, from the mailbox's owner.
const SUBMITTED: i32 = 0x04;
pub(crate) const UNSENT: i32 = 0x08;
const FROM_ME: i32 = 0x20;
/// Addresses that a refusal repeats.
const NAMED_MAX: usize = 20;

/// A message that may be sent.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    /// What is delivered, and to whom.
    pub(crate) sending: Sending,
    /// What the sender keeps.
    pub(crate) copy: ItemContent,
}

/// Checks a message and makes it ready to be sent by the caller. Costs two rows a recipient; writes nothing.
///
/// # Errors
/// `ErrorMissingRecipients`; `ErrorInvalidRecipients` with the addresses that nobody has here; `ErrorSendAsDenied` where
/// it says that it is from somebody else.
pub(crate) async fn prepare(context: &Context<'_>, mut content: ItemContent) -> Result<Outgoing, Failure> {
    let caller = context.caller();
    for keys in [&address::FROM, &address::SENDER] {
        let named = content.bag.text(&keys.smtp).or_else(|| content.bag.text(&keys.address));
        if named.is_some_and(|named| !named.is_empty() && !named.eq_ignore_ascii_case(&caller.address)) {
            return Err(ResponseCode::ErrorSendAsDenied.into());
        }
    }
    if content.recipients.is_empty() {
        return Err(ResponseCode::ErrorMissingRecipients.into());
    }
    let to = resolve(context, &mut content.recipients).await?;
    Ok(stamp(context, content, to))
}

/// Finds out who the recipients are, and gives them the names and addresses they have here.
///
/// # Errors
/// `ErrorInvalidRecipients` with the addresses that nobody has.
pub(crate) async fn resolve(context: &Context<'_>, recipients: &mut [Bag]) -> Result<Vec<Caller>, Failure> {
    let directory = context.engine().directory();
    let (mut to, mut unknown): (Vec<Caller>, Vec<String>) = (Vec::new(), Vec::new());
    for row in recipients {
        let address = address_of(row).to_owned();
        match directory.account(&address).await? {
            Some(account) => {
                let Caller { address, display_name, .. } = account.caller.clone();
                let name = row.text(&tags::DISPLAY_NAME).unwrap_or_default();
                if name.is_empty() || name.eq_ignore_ascii_case(&address) {
                    row.set(tags::DISPLAY_NAME, Value::text(display_name));
                }
                row.set(tags::ADDRESS_TYPE, Value::text("SMTP"));
                row.set(tags::EMAIL_ADDRESS, Value::text(address.clone()));
                row.set(tags::SMTP_ADDRESS, Value::text(address));
                if !to.iter().any(|known| known.account == account.caller.account) {
                    to.push(account.caller);
                }
            }
            None if unknown.len() < NAMED_MAX => unknown.push(address),
            None => {}
        }
    }
    if unknown.is_empty() { Ok(to) } else { Err(nobody(&unknown)) }
}

/// The address of a recipient.
pub(crate) fn address_of(row: &Bag) -> &str {
    row.text(&tags::SMTP_ADDRESS).or_else(|| row.text(&tags::EMAIL_ADDRESS)).unwrap_or_default()
}

fn nobody(unknown: &[String]) -> Failure {
    Failure::text(
        ResponseCode::ErrorInvalidRecipients,
        format!(
            "{} Nobody has this address here: {}. The item was not sent and not saved.",
            ResponseCode::ErrorInvalidRecipients.text(),
            unknown.join(", ")
        ),
    )
}

/// Gives a message the marks of one that the caller sends to `to` now.
fn stamp(context: &Context<'_>, mut content: ItemContent, to: Vec<Caller>) -> Outgoing {
    let caller = context.caller();
    let bag = &mut content.bag;
    for keys in [&address::FROM, &address::SENDER] {
        set_person(bag, keys, caller);
    }
    let now = Value::Time(context.engine().clock().now().whole_second());
    // A message that is kept as it came says itself when it was sent.
    if content.mime.is_none() || bag.get(&tags::CLIENT_SUBMIT_TIME).is_none() {
        bag.set(tags::CLIENT_SUBMIT_TIME, now.clone());
    }
    bag.set(tags::MESSAGE_DELIVERY_TIME, now);
    if bag.text(&tags::INTERNET_MESSAGE_ID).unwrap_or_default().is_empty() {
        let domain = caller.address.split_once('@').map_or("localhost", |(_, domain)| domain);
        let id = format!("<{}@{domain}>", context.engine().random().guid());
        bag.set(tags::INTERNET_MESSAGE_ID, Value::text(id));
    }
    let flags = bag.get(&tags::MESSAGE_FLAGS).and_then(Value::as_i64).unwrap_or_default() as i32;
    bag.set(tags::MESSAGE_FLAGS, Value::I32(flags & !(SUBMITTED | UNSENT) | FROM_ME));
    patch::set_display_lists(bag, &content.recipients);
    let mut message = content.clone();
    message.mime = content::message::submitted(&content, &RENDER);
    // What the message says of itself does not name blind recipients either.
    let mut seen = message.clone();
    seen.recipients.retain(|row| row.get(&tags::RECIPIENT_TYPE) != Some(&Value::I32(BLIND)));
    message.bag.set(tags::TRANSPORT_MESSAGE_HEADERS, Value::text(content::message::headers(&seen, &RENDER)));
    message.bag.remove(&tags::MESSAGE_SIZE);
    content.bag.remove(&tags::MESSAGE_SIZE);
    meeting::mark(&mut message.bag, &mut content.bag);
    Outgoing { sending: Sending { message, to }, copy: content }
}

/// PidTagRecipientType of a blind copy.
const BLIND: i32 = 3;

/// Sets an address to that of an account.
pub(crate) fn set_person(bag: &mut Bag, keys: &AddressKeys, person: &Caller) {
    for (key, text) in
        [(&keys.name, &person.display_name), (&keys.address, &person.address), (&keys.smtp, &person.address)]
    {
        bag.set(key.clone(), Value::text(text.clone()));
    }
    bag.set(keys.kind.clone(), Value::text("SMTP"));
}

/// Sends a message out of a mailbox together with other writes there, and keeps a copy in `keep`. Returns the copy.
///
/// # Errors
/// As [`Mailbox::act`].
pub(crate) async fn send(
    mailbox: &Mailbox,
    outgoing: Outgoing,
    keep: Option<CollectionId>,
    mut own: Vec<Own>,
) -> Result<Option<ItemRow>, Failure> {
    let copy = own.len();
    own.extend(keep.map(|folder| Own::Create { folder, content: outgoing.copy, flags: ItemFlags::READ }));
    let mut rows = mailbox.act(own, vec![outgoing.sending]).await?;
    Ok(if copy < rows.len() { rows.swap_remove(copy) } else { None })
}

/// The writes that keep the copies of messages among the sent items, and what is to be sent.
pub(crate) fn post(messages: Vec<Outgoing>, keep: Option<CollectionId>, own: &mut Vec<Own>) -> Vec<Sending> {
    let mut sendings = Vec::new();
    for Outgoing { sending, copy } in messages {
        own.extend(keep.map(|folder| Own::Create { folder, content: copy, flags: ItemFlags::READ }));
        sendings.push(sending);
    }
    sendings
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use engine::{Engine, Settings};
    use model::{FixedClock, SeededRandom};
    use std::sync::Arc;
    use store::faulty::{CommitFault, ReadFault};

    use crate::testing::{Answered, World, block_on};

    const SEND: &str = "MessageDisposition=\"SendAndSaveCopy\"";

    fn create(world: &World, attributes: &str, items: &str) -> Answered {
        world.call(&format!("<CreateItem {attributes}><Items>{items}</Items></CreateItem>"))
    }

    fn people(element: &str, addresses: &[&str]) -> String {
        let one = |address: &&str| format!("<t:Mailbox><t:EmailAddress>{address}</t:EmailAddress></t:Mailbox>");
        format!("<t:{element}>{}</t:{element}>", addresses.iter().map(one).collect::<String>())
    }

    fn message(subject: &str, to: &[&str]) -> String {
        format!(
            "<t:Message><t:Subject>{subject}</t:Subject><t:Body BodyType=\"Text\">hello</t:Body>{}</t:Message>",
            people("ToRecipients", to)
        )
    }

    /// Each recipient gets one copy, whoever is named how often; blind ones are seen by nobody but the sender.
    #[test]
    fn everybody_gets_one_copy() {
        let ann = World::new();
        let (bob, cid) = (ann.beside("bob@example.com", "Bob"), ann.beside("cid@example.com", "Cid"));
        let item = format!(
            "<t:Message><t:Subject>x</t:Subject><t:Body BodyType=\"Text\">hello</t:Body>{}{}{}</t:Message>",
            people("ToRecipients", &["bob@example.com", "BOB@example.com"]),
            people("CcRecipients", &["bob@example.com", "ann@example.com"]),
            people("BccRecipients", &["cid@example.com"])
        );
        let sent = create(&ann, SEND, &item).success().attributes("ItemId", "Id").remove(0);
        let kept = ann.get(&sent);
        assert_eq!(kept.children("BccRecipients"), ["Mailbox"]);
        assert_eq!((ann.count("outbox"), ann.count("sentitems"), ann.count("drafts")), (0, 1, 0));
        for (name, value) in [
            ("IsDraft", "false"),
            ("IsFromMe", "true"),
            ("IsSubmitted", "false"),
            ("IsRead", "true"),
            ("DisplayTo", "Bob; Bob"),
        ] {
            assert_eq!(kept.text(name), value, "{name}");
        }
        for (world, own, name) in [(&ann, "true", "Ann"), (&bob, "false", "Bob"), (&cid, "false", "Cid")] {
            let ids = world.ids("inbox");
            assert_eq!(ids.len(), 1, "{name}");
            let got = world.get(&ids[0]);
            for (element, value) in [
                ("Subject", "x"),
                ("IsDraft", "false"),
                ("IsSubmitted", "false"),
                ("IsFromMe", own),
                ("IsRead", "false"),
                ("DateTimeReceived", "2024-05-06T07:08:09Z"),
                ("DateTimeSent", "2024-05-06T07:08:09Z"),
                ("InternetMessageId", &kept.text("InternetMessageId")),
                ("ConversationIndex", &kept.text("ConversationIndex")),
                ("Preview", "hello"),
            ] {
                assert_eq!(got.text(element), value, "{element} of {name}");
            }
            assert!(got.texts("BccRecipients").is_empty() && !got.xml.contains("cid@example.com") || name == "Cid");
            let mime = String::from_utf8(STANDARD.decode(got.text("MimeContent")).unwrap()).unwrap();
            assert!(!mime.contains("cid@example.com") && mime.contains("To: Bob <bob@example.com>"), "{mime}");
            assert_eq!(got.children("ReceivedBy"), ["Mailbox"]);
            let people = got.texts("Name");
            assert_eq!(people[people.len() - 2..], [name, name]);
            let headers = got.attributes("InternetMessageHeader", "HeaderName");
            assert!(headers.contains(&"Message-ID".to_owned()), "{headers:?}");
        }
    }

    /// A message given whole is delivered so, but for what its recipients must not see.
    #[test]
    fn a_message_given_whole_is_delivered_so() {
        let ann = World::new();
        let bob = ann.beside("bob@example.com", "Bob");
        ann.beside("cid@example.com", "Cid");
        let mime = "From: Ann <ann@example.com>\r\nTo: bob@example.com\r\nBcc: cid@example.com\r\nX-Mine: 1\r\n\
            Date: Mon, 6 May 2024 01:02:03 +0000\r\nMessage-ID: <1@example.com>\r\n\r\nbody\r\n";
        let item =
            |mime: &str| format!("<t:Message><t:MimeContent>{}</t:MimeContent></t:Message>", STANDARD.encode(mime));
        create(&ann, "MessageDisposition=\"SendOnly\"", &item(mime)).success();
        let got = bob.get(&bob.ids("inbox")[0]);
        let seen = String::from_utf8(STANDARD.decode(got.text("MimeContent")).unwrap()).unwrap();
        assert_eq!(seen, mime.replace("Bcc: cid@example.com\r\n", ""));
        assert_eq!(got.text("DateTimeSent"), "2024-05-06T01:02:03Z");
        let foreign = create(&ann, SEND, &item(&mime.replace("From: Ann <ann@", "From: Bob <bob@"))).valid();
        assert_eq!(foreign.codes(), ["ErrorSendAsDenied"]);
        assert_eq!((bob.count("inbox"), ann.count("sentitems")), (1, 0));
    }

    #[test]
    fn what_cannot_be_sent_is_not_kept() {
        let ann = World::new();
        let bob = ann.beside("bob@example.com", "Bob");
        let with =
            |more: &str| message("x", &["bob@example.com"]).replace("</t:Message>", &format!("{more}</t:Message>"));
        let as_bob = "<t:Mailbox><t:EmailAddress>bob@example.com</t:EmailAddress></t:Mailbox>";
        for (item, code) in [
            (message("x", &["bob@example.com", "nobody@example.com", "x"]), "ErrorInvalidRecipients"),
            ("<t:Message><t:Subject>x</t:Subject></t:Message>".to_owned(), "ErrorMissingRecipients"),
            (with(&format!("<t:From>{as_bob}</t:From>")), "ErrorSendAsDenied"),
            (with("").replace("<t:ToRec", &format!("<t:Sender>{as_bob}</t:Sender><t:ToRec")), "ErrorSendAsDenied"),
        ] {
            let refused = create(&ann, SEND, &item).valid();
            assert_eq!(refused.codes(), [code]);
            if code == "ErrorInvalidRecipients" {
                assert!(refused.text("MessageText").contains("nobody@example.com, x"), "{}", refused.xml);
            }
        }
        assert_eq!([bob.count("inbox"), ann.count("sentitems"), ann.count("outbox"), ann.count("drafts")], [0; 4]);
    }

    #[test]
    fn drafts_are_sent_by_their_ids() {
        let ann = World::new();
        let bob = ann.beside("bob@example.com", "Bob");
        let draft = |to: &[&str]| {
            let made = create(&ann, "MessageDisposition=\"SaveOnly\"", &message("draft", to)).success();
            (made.attributes("ItemId", "Id").remove(0), made.attributes("ItemId", "ChangeKey").remove(0))
        };
        let send = |(id, key): &(String, String), save: &str, folder: &str| {
            let key = if key.is_empty() { String::new() } else { format!(" ChangeKey=\"{key}\"") };
            let answer = ann.call(&format!(
                "<SendItem SaveItemToFolder=\"{save}\"><ItemIds><t:ItemId Id=\"{id}\"{key}/></ItemIds>{folder}</SendItem>"
            ));
            answer.codes().join(" ")
        };
        let junk = "<SavedItemFolderId><t:DistinguishedFolderId Id=\"junkemail\"/></SavedItemFolderId>";
        let one = draft(&["bob@example.com"]);
        assert_eq!(send(&(one.0.clone(), String::new()), "true", ""), "ErrorChangeKeyRequiredForWriteOperations");
        assert_eq!(send(&one, "false", junk), "ErrorInvalidSendItemSaveSettings");
        assert_eq!(send(&one, "true", &junk.replace("junkemail", "archive")), "ErrorSavedItemFolderNotFound");
        assert_eq!(send(&one, "perhaps", ""), "ErrorSchemaValidation");
        assert_eq!(send(&one, "true", ""), "NoError");
        assert_eq!(send(&one, "true", ""), "ErrorItemNotFound");
        let got = ann.get(&ann.ids("sentitems")[0]);
        assert_eq!((got.text("IsDraft"), got.text("Subject")), ("false".into(), "draft".into()));
        assert_eq!(send(&draft(&["bob@example.com"]), "1", junk), "NoError");
        assert_eq!(send(&draft(&["bob@example.com"]), "0", ""), "NoError");
        assert_eq!(
            (ann.count("drafts"), ann.count("sentitems"), ann.count("junkemail"), bob.count("inbox")),
            (0, 1, 1, 3)
        );
        let stale = draft(&["bob@example.com"]);
        ann.call(&format!(
            "<UpdateItem ConflictResolution=\"AlwaysOverwrite\" MessageDisposition=\"SaveOnly\"><ItemChanges><t:ItemChange>\
             <t:ItemId Id=\"{}\"/><t:Updates><t:SetItemField><t:FieldURI FieldURI=\"item:Subject\"/><t:Message><t:Subject>new\
             </t:Subject></t:Message></t:SetItemField></t:Updates></t:ItemChange></ItemChanges></UpdateItem>",
            stale.0
        ))
        .success();
        assert_eq!(send(&stale, "true", ""), "ErrorStaleObject");
        assert_eq!(send(&draft(&[]), "true", ""), "ErrorMissingRecipients");
        let (task, key) = ann.item("tasks", &[(model::tags::MESSAGE_CLASS, model::Value::text("IPM.Task"))]);
        assert_eq!(send(&(task, key), "true", ""), "ErrorInvalidItemForOperationSendItem");
        assert_eq!((ann.count("drafts"), bob.count("inbox")), (2, 3));
    }

    #[test]
    fn an_update_may_send() {
        let ann = World::new();
        let bob = ann.beside("bob@example.com", "Bob");
        for (disposition, kept) in [("SendAndSaveCopy", 1), ("SendOnly", 0)] {
            let made = create(&ann, "MessageDisposition=\"SaveOnly\"", &message("draft", &[])).success();
            let updated = ann.call(&format!(
                "<UpdateItem ConflictResolution=\"AutoResolve\" MessageDisposition=\"{disposition}\"><ItemChanges><t:ItemChange>\
                 <t:ItemId Id=\"{}\" ChangeKey=\"{}\"/><t:Updates><t:SetItemField><t:FieldURI FieldURI=\"message:ToRecipients\"/>\
                 <t:Message>{}</t:Message></t:SetItemField></t:Updates></t:ItemChange></ItemChanges></UpdateItem>",
                made.attributes("ItemId", "Id")[0],
                made.attributes("ItemId", "ChangeKey")[0],
                people("ToRecipients", &["bob@example.com"])
            ));
            assert_eq!(updated.success().attributes("ItemId", "Id").len(), kept);
        }
        assert_eq!((ann.count("drafts"), ann.count("sentitems"), bob.count("inbox")), (0, 1, 2));
    }

    /// Whichever write fails, and however: each message that was accepted arrives once, the others never.
    #[test]
    fn nothing_is_lost_and_nothing_comes_twice() {
        let (ann, store) = World::faulty();
        let (bob, cid) = (ann.beside("bob@example.com", "Bob"), ann.beside("cid@example.com", "Cid"));
        let to = ["bob@example.com", "cid@example.com"];
        create(&ann, SEND, &message("first", &to)).success();
        let mut accepted = 1;
        for skip in 0..4 {
            for fault in [CommitFault::TryAgain, CommitFault::Lost, CommitFault::Unacknowledged] {
                store.fail_commit(skip, fault);
                let code = create(&ann, SEND, &message(&format!("{skip} {fault:?}"), &to)).codes().remove(0);
                accepted += u64::from(code == "NoError");
                assert_eq!(code == "NoError", skip > 0 || fault == CommitFault::Unacknowledged, "{skip} {fault:?}");
                store.heal();
                assert_eq!(ann.count("sentitems"), accepted);
                block_on(ann.ews.engine.deliver()).unwrap();
                assert_eq!((bob.count("inbox"), cid.count("inbox"), ann.count("outbox")), (accepted, accepted, 0));
            }
        }
        // Reads that fail while the message is on its way.
        for skip in 0..20 {
            store.fail_read(skip, ReadFault::TryAgain);
            let code = create(&ann, SEND, &message("read", &to)).codes().remove(0);
            accepted += u64::from(code == "NoError");
            store.heal();
            block_on(ann.ews.engine.deliver()).unwrap();
            assert_eq!(
                (bob.count("inbox"), cid.count("inbox"), ann.count("outbox")),
                (accepted, accepted, 0),
                "{skip}"
            );
            assert_eq!(ann.count("sentitems"), accepted, "{skip}");
        }
    }

    /// The server ends between the sender's write and those of the recipients.
    #[test]
    fn another_start_delivers_what_was_left() {
        let (ann, store) = World::faulty();
        let (bob, cid) = (ann.beside("bob@example.com", "Bob"), ann.beside("cid@example.com", "Cid"));
        for world in [&ann, &bob, &cid] {
            world.mailbox();
        }
        // The second recipient's write fails, and with it the process.
        store.fail_commit(2, CommitFault::TryAgain);
        create(&ann, SEND, &message("x", &["bob@example.com", "cid@example.com"])).success();
        assert_eq!((bob.count("inbox"), cid.count("inbox"), ann.count("outbox")), (1, 0, 1));
        let waits = ann.get(&ann.ids("outbox")[0]);
        assert_eq!((waits.text("IsSubmitted"), waits.text("IsDraft")), ("true".into(), "false".into()));
        let clock = Arc::new(FixedClock::new("2024-05-06T09:00:00Z".parse().unwrap()));
        let random = Arc::new(SeededRandom::new(8));
        let next = block_on(Engine::open(store, clock, random, Settings::default())).unwrap();
        assert_eq!(block_on(next.deliver()).unwrap(), 0);
        assert_eq!(block_on(next.recover()).unwrap(), 1);
        assert_eq!((bob.count("inbox"), cid.count("inbox"), ann.count("outbox")), (1, 1, 0));
        assert_eq!(block_on(next.recover()).unwrap(), 0);
    }

    /// Who may write into the folders of another may send what lies there, in the own name; who may only read, may not.
    #[test]
    fn visitors_send_in_their_own_name() {
        let ann = World::new();
        let (bob, cid) = (ann.beside("bob@example.com", "Bob"), ann.beside("cid@example.com", "Cid"));
        let made =
            create(&ann, "MessageDisposition=\"SaveOnly\"", &message("draft", &["cid@example.com", "ann@example.com"]));
        let made = made.success();
        let (id, key) = (made.attributes("ItemId", "Id").remove(0), made.attributes("ItemId", "ChangeKey").remove(0));
        let grant = |level: &str| {
            for folder in ["drafts", "sentitems"] {
                ann.call(&format!(
                    "<UpdateFolder><FolderChanges><t:FolderChange><t:DistinguishedFolderId Id=\"{folder}\"/><t:Updates>\
                     <t:SetFolderField><t:FieldURI FieldURI=\"folder:PermissionSet\"/><t:Folder><t:PermissionSet><t:Permissions>\
                     <t:Permission><t:UserId><t:PrimarySmtpAddress>bob@example.com</t:PrimarySmtpAddress></t:UserId>\
                     <t:PermissionLevel>{level}</t:PermissionLevel></t:Permission></t:Permissions></t:PermissionSet></t:Folder>\
                     </t:SetFolderField></t:Updates></t:FolderChange></FolderChanges></UpdateFolder>"
                ))
                .success();
            }
        };
        let send = || {
            let answer = bob.call(&format!(
                "<SendItem SaveItemToFolder=\"true\"><ItemIds><t:ItemId Id=\"{id}\" ChangeKey=\"{key}\"/></ItemIds></SendItem>"
            ));
            answer.codes().remove(0)
        };
        for (level, code) in [("Reviewer", "ErrorAccessDenied"), ("Editor", "NoError")] {
            grant(level);
            assert_eq!(send(), code, "{level}");
        }
        assert_eq!(
            (ann.count("drafts"), ann.count("sentitems"), ann.count("outbox"), bob.count("sentitems")),
            (0, 1, 0, 0)
        );
        for world in [&ann, &cid] {
            let got = world.get(&world.ids("inbox")[0]);
            assert_eq!(got.children("From"), ["Mailbox"]);
            assert_eq!(got.text("Name"), "Bob", "{}", got.xml);
        }
    }

    /// What a client puts into an outbox is sent by nobody, whatever it says.
    #[test]
    fn an_item_in_an_outbox_is_no_sending() {
        let ann = World::new();
        let bob = ann.beside("bob@example.com", "Bob");
        let forged = [
            (
                model::PropertyKey::Lid(model::sets::HIGHWATER, 0x30),
                model::Value::binary(bob.caller.account.0.to_be_bytes().to_vec()),
            ),
            (model::tags::MESSAGE_FLAGS, model::Value::I32(4)),
        ];
        ann.item("outbox", &forged);
        assert_eq!(block_on(ann.ews.engine.recover()).unwrap(), 0);
        assert_eq!((bob.count("inbox"), ann.count("outbox")), (0, 1));
    }
}
