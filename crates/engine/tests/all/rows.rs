//! Lists and their rows: writing them.

use engine::{AttachmentExpected, EngineError, Rights, RowAttachment, RowDraft, list_keys};
use model::{Bag, BagRef, CollectionId, Guid, ItemFlags, PropertyKey, Value, limits};

use crate::{World, account, now};

fn draft(title: &str) -> RowDraft {
    RowDraft { bag: Bag::from_iter([(PropertyKey::field("Title"), Value::text(title))]), ..RowDraft::default() }
}

fn file(path: &str) -> RowDraft {
    RowDraft { path: Some(path.into()), file: Some("content".into()), ..RowDraft::default() }
}

fn folder(path: &str) -> RowDraft {
    RowDraft { path: Some(path.into()), flags: ItemFlags::FOLDER, ..RowDraft::default() }
}

fn number(bag: &[u8], key: &PropertyKey) -> i64 {
    Bag::decode(bag).unwrap().get(key).and_then(Value::as_i64).unwrap()
}

#[test]
fn lists_have_names_and_versions() {
    let world = World::new(1);
    let site = world.site();
    let titles = || -> Vec<String> {
        let lists = now(now(site.begin()).unwrap().lists()).unwrap();
        lists.iter().map(|list| list.title().to_owned()).collect()
    };
    assert_eq!(titles(), ["User Information List", "Announcements", "Calendar", "Tasks", "Documents"]);
    let list = now(site.create_list("Mine", 100, "Lists/Mine", Bag::new())).unwrap();
    assert_eq!((list.title(), list.template(), list.folder(), list.version()), ("Mine", 100, "Lists/Mine", 0));
    assert_eq!(now(site.create_list("mine", 100, "x", Bag::new())), Err(EngineError::NameTaken));
    assert_eq!(now(site.create_list(" ", 100, "x", Bag::new())), Err(EngineError::Invalid("the title is empty")));
    let rename = |id, title: &str| {
        let title = title.to_owned();
        let change = move |bag: &mut Bag| bag.set(list_keys::LIST_TITLE, Value::text(title.clone()));
        now(site.update_list(id, &change)).map(|list| (list.title().to_owned(), list.version()))
    };
    assert_eq!(rename(list.id(), "Tasks"), Err(EngineError::NameTaken));
    assert_eq!(rename(list.id(), "Mine"), Ok(("Mine".into(), 0)));
    assert_eq!(rename(list.id(), "Yours"), Ok(("Yours".into(), 1)));
    let mut view = now(site.begin()).unwrap();
    assert!(now(view.list_by_title("Mine")).unwrap().is_none());
    let found = now(view.list_by_title("YOURS")).unwrap().unwrap();
    assert_eq!(now(view.list_by_guid(found.guid())).unwrap().as_ref(), Some(&found));
    assert!(now(view.list_by_guid(Guid([3; 16]))).unwrap().is_none());
    drop(view);

    let bob = now(world.engine.directory().add_account(account("bob@example.com"))).unwrap().caller;
    let guest = now(world.engine.open_site(&bob, "/sites/team")).unwrap();
    assert_eq!((guest.rights(), guest.user_id()), (Rights::Contribute, 2));
    assert_eq!(now(guest.drop_list(list.id())), Err(EngineError::AccessDenied));
    now(guest.create_row(list.id(), draft("x"))).unwrap();
    now(site.drop_list(list.id())).unwrap();
    assert_eq!(now(site.drop_list(list.id())), Err(EngineError::NoCollection(list.id())));
    assert_eq!(now(site.drop_list(now(site.user_list()).unwrap().id())), Err(EngineError::Distinguished));
}

#[test]
fn rows_have_numbers_and_versions() {
    let site = World::new(1).site();
    let list = now(now(site.begin()).unwrap().list_by_title("Tasks")).unwrap().unwrap().id();
    let [a, b] = ["a", "b"].map(|title| now(site.create_row(list, draft(title))).unwrap());
    assert_eq!((a.item.number(), b.item.number()), (1, 2));
    assert_eq!(now(now(site.begin()).unwrap().item(a.item)).unwrap(), a);
    let set = |draft: &mut RowDraft| {
        draft.bag.set(PropertyKey::field("Title"), Value::text("c"));
        draft.bag.set(list_keys::ROW_UNIQUE_ID, Value::Guid(Guid::NIL));
    };
    let changed = now(site.update_row(a.item, Some(1), &set)).unwrap();
    assert_eq!(number(&changed.bag, &list_keys::ROW_VERSION), 2);
    assert_eq!(now(now(site.begin()).unwrap().item(a.item)).unwrap(), changed);
    let unique = |bag: &[u8]| Bag::decode(bag).unwrap().get(&list_keys::ROW_UNIQUE_ID).cloned();
    assert_eq!(unique(&changed.bag), unique(&a.bag));
    let stale = EngineError::Stale { item: a.item, current: model::Seq(2) };
    assert_eq!(now(site.update_row(a.item, Some(1), &set)), Err(stale.clone()));
    assert_eq!(now(site.delete_row(a.item, Some(1))), Err(stale));
    now(site.delete_row(b.item, Some(1))).unwrap();
    assert_eq!(now(site.delete_row(b.item, None)), Err(EngineError::NoItem(b.item)));
    // A number is never given again.
    assert_eq!(now(site.create_row(list, draft("d"))).unwrap().item.number(), 3);
    let nowhere = CollectionId(9_999);
    assert_eq!(now(site.create_row(nowhere, draft("d"))), Err(EngineError::NoCollection(nowhere)));
}

#[test]
fn paths_follow_their_folders() {
    let site = World::new(1).site();
    let mut view = now(site.begin()).unwrap();
    let [library, other] =
        ["Documents", "Announcements"].map(|title| now(view.list_by_title(title)).unwrap().unwrap().id());
    drop(view);
    let at = |list, path: &str| now(now(site.begin()).unwrap().row_at(list, path)).unwrap().map(|row| row.item);
    let top = now(site.create_row(library, folder("A"))).unwrap().item;
    let inner = now(site.create_row(library, folder("A/B"))).unwrap().item;
    let deep = now(site.create_row(library, file("A/B/c.txt"))).unwrap().item;
    let beside = now(site.create_row(library, file("AB.txt"))).unwrap().item;
    assert_eq!(now(site.create_row(library, file("a/b/C.TXT"))), Err(EngineError::NameTaken));
    assert_eq!(at(library, "a/b/C.txt"), Some(deep));
    let rename = |id, path: &str| {
        let path = path.to_owned();
        now(site.update_row(id, None, &move |draft| draft.path = Some(path.clone()))).map(drop)
    };
    assert_eq!(rename(top, "AB.txt"), Err(EngineError::NameTaken));
    assert_eq!(rename(top, "A/x"), Err(EngineError::Circle));
    rename(top, "New").unwrap();
    assert_eq!(
        ["New", "New/B", "New/B/c.txt", "AB.txt"].map(|path| at(library, path)),
        [Some(top), Some(inner), Some(deep), Some(beside)]
    );
    assert_eq!(at(library, "A/B/c.txt"), None);
    // Only the case changes.
    rename(top, "NEW").unwrap();
    assert_eq!(at(library, "new/b"), Some(inner));
    let part = now(now(site.begin()).unwrap().part(deep, list_keys::PART_FILE)).unwrap();
    assert_eq!(part.as_deref(), Some(&b"content"[..]));

    let moved = now(site.move_row(deep, other, "c.txt")).unwrap();
    assert_eq!((at(library, "NEW/B/c.txt"), at(other, "c.txt")), (None, Some(moved.item)));
    assert_eq!(now(now(site.begin()).unwrap().item(moved.item)).unwrap(), moved);
    assert!(matches!(now(site.move_row(top, other, "x")), Err(EngineError::Invalid(_))));
    now(site.create_row(library, file("c.txt"))).unwrap();
    let taken = at(library, "c.txt").unwrap();
    assert_eq!(now(site.move_row(taken, other, "C.txt")), Err(EngineError::NameTaken));
    now(site.delete_row(top, None)).unwrap();
    assert_eq!(["NEW", "NEW/B"].map(|path| at(library, path)), [None, None]);
    now(site.create_row(library, folder("New"))).unwrap();
}

#[test]
fn attachments_are_changes_of_their_row() {
    let site = World::new(1).site();
    let list = now(now(site.begin()).unwrap().list_by_title("Tasks")).unwrap().unwrap().id();
    let row = now(site.create_row(list, draft("a"))).unwrap().item;
    let attach = |name: &str, text: &str, expected| now(site.attach(row, name, text.to_owned().into(), expected));
    let all = || {
        let mut view = now(site.begin()).unwrap();
        let bag = now(view.item(row)).unwrap().bag;
        let all = RowAttachment::all(&BagRef::new(&bag).unwrap());
        let texts = all.iter().map(|own| now(view.part(row, own.part)).unwrap().unwrap()).collect::<Vec<_>>();
        (number(&bag, &list_keys::ROW_VERSION), all, texts)
    };
    attach("a b", "one", AttachmentExpected::Nothing).unwrap();
    attach("c", "two", AttachmentExpected::Any).unwrap();
    assert_eq!(attach("A B", "x", AttachmentExpected::Nothing), Err(EngineError::NameTaken));
    let (version, found, texts) = all();
    assert_eq!((version, texts), (3, vec!["one".into(), "two".into()]));
    let known = AttachmentExpected::Version(found[0].guid, 1);
    attach("A B", "three", known).unwrap();
    assert!(matches!(attach("a b", "x", known), Err(EngineError::Stale { .. })));
    assert!(matches!(now(site.detach(row, "a b", known)), Err(EngineError::Stale { .. })));
    for bad in ["", "a\nb"] {
        assert!(matches!(attach(bad, "x", AttachmentExpected::Any), Err(EngineError::Invalid(_))), "{bad:?}");
    }
    // Whoever changes the row otherwise cannot touch them.
    now(site.update_row(row, None, &|draft| draft.bag = Bag::new())).unwrap();
    let (version, found, texts) = all();
    assert_eq!((version, found[0].version, found[0].name.as_str()), (5, 2, "a b"));
    assert_eq!(texts, ["three", "two"]);
    now(site.detach(row, "a B", AttachmentExpected::Any)).unwrap();
    assert_eq!(now(site.detach(row, "a b", AttachmentExpected::Any)), Err(EngineError::NoItem(row)));
    attach("d", "four", AttachmentExpected::Nothing).unwrap();
    let (version, found, texts) = all();
    assert_eq!((version, found.len(), texts), (7, 2, vec!["two".into(), "four".into()]));
}

#[test]
fn attachments_are_bounded() {
    let site = World::new(1).site();
    let list = now(now(site.begin()).unwrap().list_by_title("Tasks")).unwrap().unwrap().id();
    let row = now(site.create_row(list, draft("a"))).unwrap().item;
    for number in 0..limits::ATTACHMENTS_MAX {
        now(site.attach(row, &number.to_string(), "x".into(), AttachmentExpected::Nothing)).unwrap();
    }
    let one_more = now(site.attach(row, "x", "x".into(), AttachmentExpected::Any));
    assert_eq!(one_more, Err(EngineError::TooLarge("attachments")));
    now(site.attach(row, "7", "y".into(), AttachmentExpected::Any)).unwrap();
}
