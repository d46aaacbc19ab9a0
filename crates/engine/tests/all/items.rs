//! Items: writing them, and what synchronising tells of it.

use engine::{DeleteMode, EngineError, ItemDraft, ItemSyncChange, Precondition, SyncItems, SyncScope};
use model::{Attachment, AttachmentContent, Bag, ItemContent, ItemFlags, ItemId, Seq, Value, limits, tags};

use crate::{World, add, ask, folder_named, message, now, shape, sync};

fn subject(text: &str) -> impl Fn(&mut ItemDraft) + Sync {
    move |draft| draft.bag.set(tags::SUBJECT, Value::text(text))
}

#[test]
fn an_item_comes_back_whole() {
    let mailbox = World::new(1).mailbox();
    let inbox = folder_named(&mailbox, "inbox");
    let file = Attachment {
        bag: Bag::from_iter([(tags::ATTACH_LONG_FILENAME, Value::text("a.txt"))]),
        content: AttachmentContent::File("file".into()),
    };
    let inner = Attachment { content: AttachmentContent::Item(Box::new(message("inner"))), ..Attachment::default() };
    let recipient = Bag::from_iter([(tags::DISPLAY_NAME, Value::text("Bob"))]);
    let content = ItemContent {
        recipients: vec![recipient.clone()],
        attachments: vec![file.clone(), inner, Attachment::default()],
        mime: Some("Subject: x\r\n\r\n".into()),
        ..message("outer")
    };
    let row = now(mailbox.create_item(inbox, content, ItemFlags::READ)).unwrap();
    let mut view = now(mailbox.begin()).unwrap();
    let stored = now(view.item(row.item)).unwrap();
    assert_eq!(stored, row);
    let content = now(view.content(&stored)).unwrap();
    assert_eq!(content.bag.text(&tags::BODY), Some("body"));
    assert_eq!(content.bag.get(&tags::HAS_ATTACHMENTS), Some(&Value::Bool(true)));
    assert_eq!(content.recipients, [recipient]);
    assert_eq!(content.attachments[0], file);
    let AttachmentContent::Item(inner) = &content.attachments[1].content else { panic!("an item") };
    assert_eq!(**inner, message("inner"));
    assert_eq!(content.attachments[2], Attachment::default());
    assert_eq!(content.mime.as_deref(), Some(&b"Subject: x\r\n\r\n"[..]));
    // One by one.
    for (number, attachment) in (0..).zip(&content.attachments) {
        assert_eq!(now(view.attachment(&stored, number)).unwrap().as_ref(), Some(attachment));
    }
    for none in [3, 4, u32::MAX] {
        assert_eq!(now(view.attachment(&stored, none)), Ok(None));
    }
    drop(view);

    // The read flag and categories leave the message as it came; the subject does not.
    let kept = |mailbox: &engine::Mailbox| now(now(mailbox.begin()).unwrap().mime(row.item)).unwrap().is_some();
    now(mailbox.set_read(row.item, false)).unwrap();
    let categories = |draft: &mut ItemDraft| draft.bag.set(model::names::KEYWORDS, Value::Texts(vec!["red".into()]));
    now(mailbox.update_item(row.item, Precondition::Any, &categories)).unwrap();
    assert!(kept(&mailbox));
    now(mailbox.update_item(row.item, Precondition::Any, &subject("new"))).unwrap();
    assert!(!kept(&mailbox));
    let mut view = now(mailbox.begin()).unwrap();
    let stored = now(view.item(row.item)).unwrap();
    let content = now(view.content(&stored)).unwrap();
    assert_eq!(content.bag.text(&tags::SUBJECT), Some("new"));
    assert_eq!(content.bag.text(&tags::BODY), Some("body"));
    assert_eq!(content.attachments.len(), 3);
}

#[test]
fn embedded_items_have_a_bound_that_can_be_read_back() {
    let mailbox = World::new(1).mailbox();
    let inbox = folder_named(&mailbox, "inbox");
    let nested = |depth: usize| {
        (0..depth).fold(message("innermost"), |inner, _| ItemContent {
            attachments: vec![Attachment {
                content: AttachmentContent::Item(Box::new(inner)),
                ..Attachment::default()
            }],
            ..message("around")
        })
    };
    let row = now(mailbox.create_item(inbox, nested(limits::EMBED_DEPTH_MAX), ItemFlags::default())).unwrap();
    now(now(mailbox.begin()).unwrap().content(&row)).unwrap();
    let deeper = now(mailbox.create_item(inbox, nested(limits::EMBED_DEPTH_MAX + 1), ItemFlags::default()));
    assert_eq!(deeper, Err(EngineError::TooLarge("embedded items")));
}

#[test]
fn preconditions_and_missing_things() {
    let mailbox = World::new(1).mailbox();
    let inbox = folder_named(&mailbox, "inbox");
    let row = add(&mailbox, inbox, "one");
    let changed = now(mailbox.update_item(row.item, Precondition::At(row.seq), &subject("two"))).unwrap();
    let stale = EngineError::Stale { item: row.item, current: changed.seq };
    assert_eq!(now(mailbox.update_item(row.item, Precondition::At(row.seq), &subject("3"))), Err(stale.clone()));
    assert_eq!(now(mailbox.delete_item(row.item, Precondition::At(row.seq), DeleteMode::Hard)), Err(stale.clone()));
    assert_eq!(now(mailbox.move_item(row.item, Precondition::At(row.seq), inbox)), Err(stale));
    // Nothing changes: nothing is written.
    assert_eq!(now(mailbox.update_item(row.item, Precondition::Any, &|_| {})), Ok(changed.clone()));
    assert_eq!(now(mailbox.set_read(row.item, false)), Ok(changed));

    let nowhere = model::CollectionId(999_999);
    let missing = ItemId(999_999);
    assert_eq!(now(mailbox.set_read(missing, true)), Err(EngineError::NoItem(missing)));
    assert_eq!(now(mailbox.copy_item(missing, inbox)), Err(EngineError::NoItem(missing)));
    assert_eq!(now(mailbox.copy_item(row.item, nowhere)), Err(EngineError::NoCollection(nowhere)));
    assert_eq!(now(mailbox.move_item(row.item, Precondition::Any, nowhere)), Err(EngineError::NoCollection(nowhere)));
    let created = now(mailbox.create_item(nowhere, message("x"), ItemFlags::default()));
    assert_eq!(created, Err(EngineError::NoCollection(nowhere)));
    let asked = now(mailbox.sync_items(ask(nowhere, None)));
    assert_eq!(asked, Err(EngineError::NoCollection(nowhere)));
}

#[test]
fn deleting_moves_to_where_the_mode_says() {
    let mailbox = World::new(1).mailbox();
    let inbox = folder_named(&mailbox, "inbox");
    for (mode, target) in [
        (DeleteMode::Hard, None),
        (DeleteMode::Soft, Some("recoverableitemsdeletions")),
        (DeleteMode::MoveToDeletedItems, Some("deleteditems")),
    ] {
        let row = add(&mailbox, inbox, "x");
        let moved = now(mailbox.delete_item(row.item, Precondition::Any, mode)).unwrap();
        assert_eq!(moved.as_ref().map(|row| row.collection), target.map(|name| folder_named(&mailbox, name)));
        if let Some(moved) = moved {
            assert_ne!(moved.item, row.item);
            // Deleting it there again is for good.
            assert_eq!(now(mailbox.delete_item(moved.item, Precondition::Any, mode)), Ok(None));
        }
    }
}

#[test]
fn each_kind_of_change() {
    let mailbox = World::new(1).mailbox();
    let (inbox, drafts) = (folder_named(&mailbox, "inbox"), folder_named(&mailbox, "drafts"));
    let [a, b, c, d, e] = ["a", "b", "c", "d", "e"].map(|name| add(&mailbox, inbox, name).item);
    let first = sync(&mailbox, inbox, None);
    assert!(first.last);
    // Newest first.
    assert_eq!(shape(&first.changes), format!("C{e} C{d} C{c} C{b} C{a}"));

    now(mailbox.update_item(a, Precondition::Any, &subject("a2"))).unwrap();
    now(mailbox.set_read(b, true)).unwrap();
    now(mailbox.set_read(c, true)).unwrap();
    now(mailbox.update_item(c, Precondition::Any, &subject("c2"))).unwrap();
    now(mailbox.set_read(c, false)).unwrap();
    now(mailbox.delete_item(d, Precondition::Any, DeleteMode::Hard)).unwrap();
    now(mailbox.move_item(e, Precondition::Any, drafts)).unwrap();
    let (f, gone) = (add(&mailbox, inbox, "f").item, add(&mailbox, inbox, "gone").item);
    now(mailbox.set_read(f, true)).unwrap();
    now(mailbox.delete_item(gone, Precondition::Any, DeleteMode::Hard)).unwrap();

    let second = sync(&mailbox, inbox, Some(&first.state));
    assert_eq!(shape(&second.changes), format!("C{f} U{a} R{b} U{c} D{d} D{e}"));
    let ItemSyncChange::Create(row) = &second.changes[0] else { panic!("a creation") };
    assert!(row.flags.has(ItemFlags::READ) && !row.bag.is_empty());
    // Sent twice, answered twice.
    assert_eq!(sync(&mailbox, inbox, Some(&first.state)), second);
    // Nothing new: an empty answer whose state goes on being good.
    let third = sync(&mailbox, inbox, Some(&second.state));
    assert_eq!((third.last, shape(&third.changes)), (true, String::new()));
    now(mailbox.set_read(b, false)).unwrap();
    assert_eq!(shape(&sync(&mailbox, inbox, Some(&third.state)).changes), format!("N{b}"));
    // Two switches of the read flag are no change of it, but tell nothing wrong either.
    now(mailbox.set_read(b, true)).unwrap();
    assert_eq!(shape(&sync(&mailbox, inbox, Some(&third.state)).changes), format!("R{b}"));
}

#[test]
fn a_page_that_is_exactly_full_is_the_last_one_when_nothing_is_left() {
    let mailbox = World::new(1).mailbox();
    let inbox = folder_named(&mailbox, "inbox");
    let mut state: Option<Vec<u8>> = None;
    for round in 0..3 {
        for name in ["a", "b", "c", "d"] {
            add(&mailbox, inbox, name);
        }
        for last in [false, true] {
            let question = SyncItems { limit: 2, ..ask(inbox, state.as_deref()) };
            let page = now(mailbox.sync_items(question)).unwrap();
            assert_eq!((page.changes.len(), page.last), (2, last), "round {round}");
            state = Some(page.state);
        }
    }
    // An empty folder is done at once.
    let drafts = folder_named(&mailbox, "drafts");
    let page = sync(&mailbox, drafts, None);
    assert_eq!((page.last, page.changes.len()), (true, 0));
    // An empty state is none.
    assert_eq!(sync(&mailbox, drafts, Some(b"")).changes, page.changes);
}

#[test]
fn ignored_items_are_passed_over_and_known() {
    let mailbox = World::new(1).mailbox();
    let inbox = folder_named(&mailbox, "inbox");
    let [a, b, c] = ["a", "b", "c"].map(|name| add(&mailbox, inbox, name).item);
    let ignoring = |state: Option<&[u8]>, ignore: &[ItemId]| {
        now(mailbox.sync_items(SyncItems { ignore, limit: 1, ..ask(inbox, state) })).unwrap()
    };
    let page = ignoring(None, &[b, c]);
    // They count for nothing: the page has room for one, and is the last.
    assert_eq!((shape(&page.changes), page.last), (format!("C{a}"), true));
    now(mailbox.update_item(b, Precondition::Any, &subject("b2"))).unwrap();
    assert_eq!(shape(&sync(&mailbox, inbox, Some(&page.state)).changes), format!("U{b}"));
    let ignored = ignoring(Some(&page.state), &[b]);
    assert_eq!((shape(&ignored.changes), ignored.last), (String::new(), true));
    assert_eq!(sync(&mailbox, inbox, Some(&ignored.state)).changes, []);
    now(mailbox.delete_item(c, Precondition::Any, DeleteMode::Hard)).unwrap();
    let ignored = ignoring(Some(&ignored.state), &[c]);
    assert_eq!(shape(&ignored.changes), "");
}

#[test]
fn an_item_that_changes_its_scope() {
    let mailbox = World::new(1).mailbox();
    let inbox = folder_named(&mailbox, "inbox");
    let flip = |id, on| {
        let change = move |draft: &mut ItemDraft| draft.flags = draft.flags.set(ItemFlags::ASSOCIATED, on);
        now(mailbox.update_item(id, Precondition::Any, &change)).unwrap()
    };
    let [a, b] = ["a", "b"].map(|name| add(&mailbox, inbox, name).item);
    let scoped = |state: Option<&[u8]>, scope| {
        let page = now(mailbox.sync_items(SyncItems { scope, ..ask(inbox, state) })).unwrap();
        (shape(&page.changes), page.state)
    };
    let (normal, all) = (SyncScope::Normal, SyncScope::NormalAndAssociated);
    let (_, of_normal) = scoped(None, normal);
    let (_, of_all) = scoped(None, all);
    let row = flip(a, true);
    assert_eq!(row.created_seq, row.seq);
    // Gone for one, changed for the other.
    assert_eq!(scoped(Some(&of_normal), normal).0, format!("D{a}"));
    assert_eq!(scoped(Some(&of_all), all).0, format!("U{a}"));
    assert_eq!(scoped(None, normal).0, format!("C{b}"));
    // There and back: changed for both.
    flip(a, false);
    assert_eq!(scoped(Some(&of_normal), normal).0, format!("U{a}"));
    assert_eq!(scoped(Some(&of_all), all).0, format!("U{a}"));
    // A state is for one scope.
    let mixed = now(mailbox.sync_items(SyncItems { scope: all, ..ask(inbox, Some(&of_normal)) }));
    assert_eq!(mixed, Err(EngineError::InvalidState(engine::StateFault::Mismatch)));
}

#[test]
fn replacing_keeps_the_id() {
    let mailbox = World::new(1).mailbox();
    let inbox = folder_named(&mailbox, "inbox");
    let row = add(&mailbox, inbox, "old");
    let state = sync(&mailbox, inbox, None).state;
    let stale = now(mailbox.replace_item(row.item, Precondition::At(Seq(1)), message("x"), ItemFlags::READ));
    assert_eq!(stale, Err(EngineError::Stale { item: row.item, current: row.seq }));
    let new = now(mailbox.replace_item(row.item, Precondition::At(row.seq), message("new"), ItemFlags::READ)).unwrap();
    let mut view = now(mailbox.begin()).unwrap();
    assert_eq!(now(view.item(row.item)).unwrap(), new);
    let content = now(view.content(&new)).unwrap();
    assert_eq!(content.bag.text(&tags::SUBJECT), Some("new"));
    assert_eq!(shape(&sync(&mailbox, inbox, Some(&state)).changes), format!("U{}", row.item));
}

#[test]
fn the_size_follows_what_changes() {
    let mailbox = World::new(1).mailbox();
    let inbox = folder_named(&mailbox, "inbox");
    let size = |row: &store::ItemRow| Bag::decode(&row.bag).unwrap().get(&tags::MESSAGE_SIZE).and_then(Value::as_i64);
    let row = add(&mailbox, inbox, "subject");
    let before = size(&row).unwrap();
    let set = |key: model::PropertyKey, text: String| {
        move |draft: &mut ItemDraft| draft.bag.set(key.clone(), Value::text(text.clone()))
    };
    let update = |change: &(dyn Fn(&mut ItemDraft) + Sync)| {
        size(&now(mailbox.update_item(row.item, Precondition::Any, change)).unwrap()).unwrap()
    };
    // "body" grows to a part of its own, and shrinks again.
    assert_eq!(update(&set(tags::BODY, "b".repeat(10_004))), before + 10_000);
    assert_eq!(update(&set(tags::BODY, "body".into())), before);
    assert_eq!(update(&set(tags::SUBJECT, "su".into())), before - 5);
    let recipient = Bag::from_iter([(tags::DISPLAY_NAME, Value::text("Bob"))]);
    assert_eq!(update(&|draft| draft.recipients.push(recipient.clone())), before - 2);
    // A size that is given stays.
    assert_eq!(update(&|draft| draft.bag.set(tags::MESSAGE_SIZE, Value::I32(7))), 7);
    assert_eq!(size(&now(mailbox.set_read(row.item, true)).unwrap()), Some(7));
}
