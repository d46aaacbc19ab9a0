//! Items of every kind through the operations: uploaded, exported, uploaded in every way, exported again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

use fuzzing::{damage::Damage, item, mailbox, mailbox::Mailbox, peer, source::Source};
use mapi::fasttransfer::{self, Decoded};
use model::{AttachmentContent, Bag, ItemContent, ItemFlags, PropertyKey, Value, tags};
use testkit::{schema::Checker, tree::Tree};

const NEW: &str = "CreateAction=\"CreateNew\"";
const UPDATE: &str = "CreateAction=\"Update\"";
const EITHER: &str = "CreateAction=\"UpdateOrCreate\"";

/// Items of one run.
const ITEMS: u64 = 110;

fn payload(item: &ItemContent, flags: ItemFlags) -> Vec<u8> {
    let mut out = Vec::new();
    fasttransfer::encode(item, flags, &mut out);
    out
}

fn export(mailbox: &Mailbox, id: &str) -> Decoded {
    let (code, payload) = mailbox.export(&[id]).remove(0);
    assert_eq!(code, "NoError");
    fasttransfer::decode(&payload).unwrap()
}

/// What the server completes, so that it may differ from what was sent: values that are missing or contradict others.
fn is_completed(key: &PropertyKey) -> bool {
    [
        tags::MESSAGE_CLASS,
        tags::SUBJECT_PREFIX,
        tags::NORMALIZED_SUBJECT,
        tags::MESSAGE_FLAGS,
        tags::PREVIEW,
        tags::CREATION_TIME,
        tags::LAST_MODIFICATION_TIME,
        tags::SEARCH_KEY,
        PropertyKey::Tag(0x67aa),
    ]
    .contains(key)
}

/// Completed values of recipients: what other servers want of them.
fn is_completed_recipient(key: &PropertyKey) -> bool {
    [tags::ENTRY_ID, tags::SEARCH_KEY, tags::OBJECT_TYPE, tags::DISPLAY_TYPE].contains(key)
}

fn assert_bag(came: &Bag, sent: &Bag, is_completed: fn(&PropertyKey) -> bool, what: &str) {
    let kept = |bag: &Bag| {
        let mut bag = bag.clone();
        bag.retain(|key, _| !is_completed(key));
        bag
    };
    let content = |bag| ItemContent { bag, ..ItemContent::default() };
    item::assert_same(&content(kept(came)), &content(kept(sent)), what);
    for (key, _) in sent.iter() {
        assert!(came.get(key).is_some() || *key == PropertyKey::Tag(0x67aa), "{what}: {key:?} is gone");
    }
}

/// All that was sent is there.
fn assert_kept(came: &ItemContent, sent: &ItemContent, what: &str) {
    assert_bag(&came.bag, &sent.bag, is_completed, what);
    assert_eq!(came.recipients.len(), sent.recipients.len(), "{what}");
    for (came, sent) in came.recipients.iter().zip(&sent.recipients) {
        assert_bag(came, sent, is_completed_recipient, &format!("{what}: recipient"));
    }
    assert_eq!(came.attachments.len(), sent.attachments.len(), "{what}");
    for (came, sent) in came.attachments.iter().zip(&sent.attachments) {
        assert_bag(&came.bag, &sent.bag, |_| false, &format!("{what}: attachment"));
        match (&came.content, &sent.content) {
            (AttachmentContent::Item(came), AttachmentContent::Item(sent)) => {
                assert_kept(came, sent, &format!("{what} / embedded"));
            }
            (came, sent) => assert!(came == sent, "{what}: {came:?} {sent:?}"),
        }
    }
}

/// What `GetItem` says but for ids, times of storing and sizes.
fn said(mailbox: &Mailbox, id: &str, checker: &mut Checker) -> String {
    let answer = mailbox.get(id);
    assert!(answer.contains("NoError"), "{answer}");
    checker.ews(&Tree::parse(&answer));
    let mut said = answer;
    for (start, end) in [
        ("<t:ItemId ", "/>"),
        ("<t:ParentFolderId ", "/>"),
        ("<t:AttachmentId ", "/>"),
        ("<t:Size>", "</t:Size>"),
        ("<t:InstanceKey>", "</t:InstanceKey>"),
        ("<t:WebClientReadFormQueryString>", "</t:WebClientReadFormQueryString>"),
        ("<t:WebClientEditFormQueryString>", "</t:WebClientEditFormQueryString>"),
        ("<t:StoreEntryId>", "</t:StoreEntryId>"),
    ] {
        while let Some(at) = said.find(start) {
            let length = said[at..].find(end).unwrap() + end.len();
            said.replace_range(at..at + length, "");
        }
    }
    said
}

/// Where one text leaves the other.
fn differing(text: &str, other: &str) -> String {
    let at = text.chars().zip(other.chars()).take_while(|(one, other)| one == other).count();
    text.chars().skip(at.saturating_sub(150)).take(300).collect()
}

#[test]
fn every_item_round_trips() {
    let mailbox = Mailbox::new();
    let mut checker = Checker::new();
    let (inbox, drafts) = (mailbox.folder("inbox"), mailbox.folder("drafts"));
    for seed in 0..ITEMS {
        let what = format!("seed {seed}");
        let bytes = Damage::new(seed).noise(900);
        let mut source = Source::new(&bytes);
        let (made, flags) = item::item(&mut source);
        let read = flags.has(ItemFlags::READ);
        let associated = seed % 7 == 3;
        let fai = |action: &str| format!("{action} IsAssociated=\"{associated}\"");
        let (new, update, either) = (fai(NEW), fai(UPDATE), fai(EITHER));
        let sent = item::survivors(&made);
        let data = if seed % 2 == 0 {
            payload(&made, flags)
        } else {
            let mut flagged = sent.clone();
            let bits = sent.bag.get(&tags::MESSAGE_FLAGS).and_then(Value::as_i64).unwrap() as i32;
            flagged.bag.set(tags::MESSAGE_FLAGS, Value::I32(bits | i32::from(read)));
            peer::payload(&flagged, &mut source)
        };
        let stored = mailbox.upload(&[(&new, &inbox, None, &data)]).remove(0);
        assert_eq!(stored.0, "NoError", "{what}");
        let first = export(&mailbox, &stored.1);
        assert_eq!(first.read, read, "{what}");
        assert_kept(&first.content, &sent, &what);
        let expected = said(&mailbox, &stored.1, &mut checker);

        // The other ways: a new one elsewhere, over another, over itself, over one that is not in that folder.
        let data = mailbox.export(&[&stored.1]).remove(0).1;
        let other = |seed: u64| payload(&item::item(&mut Source::new(&Damage::new(seed).noise(300))).0, flags);
        let others = mailbox.upload(&[
            (&new, &drafts, None, &other(seed + 1_000)),
            (NEW, &drafts, None, &other(seed + 2_000)),
            (NEW, &inbox, None, &other(seed + 3_000)),
        ]);
        let [one, two, three] = &others[..] else { panic!("{others:?}") };
        let done = mailbox.upload(&[
            (&new, &drafts, None, &data),
            (&update, &drafts, Some(&one.1), &data),
            (&either, &drafts, Some(&two.1), &data),
            (&either, &drafts, Some(&three.1), &data),
            (&update, &inbox, Some(&stored.1), &data),
        ]);
        assert!(done.iter().all(|(code, _)| code == "NoError"), "{what}: {done:?}");
        assert_eq!((&done[1].1, &done[2].1, &done[4].1), (&one.1, &two.1, &stored.1), "{what}");
        assert!(done[0].1 != stored.1 && done[3].1 != three.1, "{what}");
        for (_, id) in &done {
            let again = export(&mailbox, id);
            item::assert_same(&again.content, &first.content, &what);
            assert_eq!(again.read, read, "{what}");
            let came = said(&mailbox, id, &mut checker);
            assert!(
                came == expected,
                "{what}: came, expected:\n{}\n{}",
                differing(&came, &expected),
                differing(&expected, &came)
            );
        }
    }
    checker.finish();
}

/// Order, and errors that are of one item alone.
#[test]
fn a_batch_of_all_kinds_with_bad_ids_among_them() {
    let mailbox = Mailbox::new();
    let inbox = mailbox.folder("inbox");
    let subjects: Vec<String> = item::CLASSES.iter().map(|class| format!("A {class}")).collect();
    let payloads: Vec<Vec<u8>> = item::CLASSES
        .iter()
        .zip(&subjects)
        .map(|(class, subject)| {
            let bag = [(tags::MESSAGE_CLASS, Value::text(*class)), (tags::SUBJECT, Value::text(subject.as_str()))];
            payload(&ItemContent { bag: bag.into_iter().collect(), ..ItemContent::default() }, ItemFlags::default())
        })
        .collect();
    let entries: Vec<_> = payloads.iter().map(|payload| (NEW, inbox.as_str(), None, &payload[..])).collect();
    let stored: Vec<String> = mailbox.upload(&entries).into_iter().map(|(_, id)| id).collect();
    let mut asked: Vec<&str> = stored.iter().map(String::as_str).collect();
    asked.insert(3, "AAMkAD==");
    asked.insert(9, "");
    asked.push(&inbox);
    let exported = mailbox.export(&asked);
    assert_eq!(exported.len(), asked.len());
    let mut expected = subjects.iter();
    for (at, (code, payload)) in exported.iter().enumerate() {
        match at {
            3 => assert_eq!(code, "ErrorInvalidIdMalformed"),
            9 => assert_eq!(code, "ErrorInvalidIdEmpty"),
            _ if at + 1 == asked.len() => assert_eq!(code, "ErrorInvalidId"),
            _ => {
                let content = fasttransfer::decode(payload).unwrap().content;
                assert_eq!(content.bag.text(&tags::SUBJECT), expected.next().map(String::as_str));
            }
        }
    }
    let (_, answer) = mailbox.call(&format!(
        "<ExportItems><ItemIds>{}</ItemIds></ExportItems>",
        asked.iter().map(|id| format!("<t:ItemId Id=\"{id}\"/>")).collect::<String>()
    ));
    assert_eq!(mailbox::attributes(&answer, "ItemId", "Id"), stored);
}
