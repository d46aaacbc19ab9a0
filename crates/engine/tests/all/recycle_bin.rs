//! The recycle bin of a site.

use engine::{
    AttachmentExpected, EngineError, ListSync, ListToken, Recycled, Removal, RowAttachment, RowDraft, Settings, Site,
    StateFault, Verdict, list_keys,
};
use model::{Bag, BagRef, CollectionId, Guid, ItemFlags, ItemId, PropertyKey, Value, limits};
use store::{ItemRow, TombstoneKind};

use crate::{World, account, now};

fn list_of(site: &Site, title: &str) -> CollectionId {
    now(now(site.begin()).unwrap().list_by_title(title)).unwrap().unwrap().id()
}

fn add(site: &Site, list: CollectionId, title: &str) -> ItemRow {
    let bag = Bag::from_iter([(PropertyKey::field("Title"), Value::text(title))]);
    now(site.create_row(list, RowDraft { bag, ..RowDraft::default() })).unwrap()
}

fn put(site: &Site, list: CollectionId, path: &str, flags: ItemFlags) -> ItemId {
    let file = (flags == ItemFlags::default()).then(|| path.to_owned().into());
    now(site.create_row(list, RowDraft { path: Some(path.into()), flags, file, ..RowDraft::default() })).unwrap().item
}

fn recycle(site: &Site, item: ItemId) -> Guid {
    now(site.remove_row(item, None, Removal::Recycle, None)).unwrap().unwrap()
}

fn item(site: &Site, id: ItemId) -> Option<ItemRow> {
    now(now(site.begin()).unwrap().item(id)).ok()
}

fn at(site: &Site, list: CollectionId, path: &str) -> Option<ItemId> {
    now(now(site.begin()).unwrap().row_at(list, path)).unwrap().map(|row| row.item)
}

fn token(site: &Site, list: CollectionId) -> ListToken {
    let mut view = now(site.begin()).unwrap();
    let guid = now(view.list(list)).unwrap().guid();
    site.list_token(&now(site.begin()).unwrap(), guid, view.position())
}

/// The marks and ends, and the rows, since a token.
fn news(site: &Site, list: CollectionId, token: &ListToken) -> (Vec<(TombstoneKind, u32)>, Vec<u32>) {
    let judge = |_: &ItemRow| Verdict::Take;
    let page = now(site.sync_list(ListSync { list, token, rows_max: 40, judge: &judge })).unwrap();
    let changes = page.changes.iter().map(|change| (change.kind, change.item.number())).collect();
    (changes, page.rows.iter().map(|row| row.item.number()).collect())
}

fn shown(bin: &[Recycled]) -> Vec<&str> {
    bin.iter().map(|entry| entry.bag.text(&PropertyKey::field("Title")).unwrap_or_default()).collect()
}

#[test]
fn a_row_comes_back_as_it_was() {
    let world = World::new(1);
    let site = world.site();
    let list = list_of(&site, "Tasks");
    let row = add(&site, list, "a").item;
    now(site.attach(row, "f.txt", "bytes".into(), AttachmentExpected::Nothing)).unwrap();
    let before = item(&site, row).unwrap();
    let start = token(&site, list);
    world.clock.advance(3_600);
    let entry = recycle(&site, row);
    assert_eq!(news(&site, list, &start), (vec![(TombstoneKind::Deleted, 1)], vec![]));
    let deleted = token(&site, list);
    let bin = now(site.recycled()).unwrap();
    assert_eq!((bin.len(), bin[0].id, bin[0].item, bin[0].list), (1, entry, Some(row), list));
    assert_eq!((bin[0].deleted_by, bin[0].list_folder.as_str(), bin[0].along), (1, "Lists/Tasks", 0));
    assert_eq!(bin[0].bag, Bag::decode(&before.bag).unwrap());
    // The bin itself is no list.
    assert_eq!(now(now(site.begin()).unwrap().lists()).unwrap().len(), 5);

    now(site.restore_recycled(entry)).unwrap();
    let after = item(&site, row).unwrap();
    assert_eq!((&after.bag, after.flags, after.collection), (&before.bag, before.flags, list));
    let own = RowAttachment::all(&BagRef::new(&after.bag).unwrap()).pop().unwrap();
    assert_eq!(now(now(site.begin()).unwrap().part(row, own.part)).unwrap().as_deref(), Some(&b"bytes"[..]));
    for since in [start, deleted] {
        assert_eq!(news(&site, list, &since), (vec![(TombstoneKind::Restored, 1)], vec![1]));
    }
    assert_eq!(now(site.recycled()).unwrap(), []);
    assert!(matches!(now(site.restore_recycled(entry)), Err(EngineError::NoItem(_))));
    // The number is not given again.
    assert_eq!(add(&site, list, "b").item.number(), 2);
    // For good is for good.
    now(site.delete_row(row, None)).unwrap();
    assert_eq!(now(site.recycled()).unwrap(), []);
}

#[test]
fn a_folder_comes_back_with_what_was_in_it() {
    let world = World::new(1);
    let site = world.site();
    let list = list_of(&site, "Documents");
    let top = put(&site, list, "A", ItemFlags::FOLDER);
    let inner = put(&site, list, "A/B", ItemFlags::FOLDER);
    let deep = put(&site, list, "A/B/c.txt", ItemFlags::default());
    let beside = put(&site, list, "AB.txt", ItemFlags::default());
    let start = token(&site, list);
    let entry = recycle(&site, top);
    assert_eq!(["A", "A/B", "a/b/c.txt"].map(|path| at(&site, list, path)), [None, None, None]);
    assert_eq!(now(site.recycled_entry(entry)).unwrap().along, 2);
    // Its place is taken meanwhile: nothing changes.
    let other = put(&site, list, "a", ItemFlags::default());
    let position = now(site.begin()).unwrap().position();
    assert_eq!(now(site.restore_recycled(entry)), Err(EngineError::NameTaken));
    assert_eq!(now(site.begin()).unwrap().position(), position);
    now(site.delete_row(other, None)).unwrap();
    now(site.restore_recycled(entry)).unwrap();
    assert_eq!(["A", "A/B", "A/B/c.txt"].map(|path| at(&site, list, path)), [Some(top), Some(inner), Some(deep)]);
    let bytes = now(now(site.begin()).unwrap().part(deep, list_keys::PART_FILE)).unwrap();
    assert_eq!(bytes.as_deref(), Some(&b"A/B/c.txt"[..]));
    let (changes, rows) = news(&site, list, &start);
    let restored = |id: ItemId| (TombstoneKind::Restored, id.number());
    assert_eq!(changes[..1], [(TombstoneKind::Deleted, other.number())]);
    assert_eq!(changes[1..], [restored(top), restored(inner), restored(deep)]);
    assert_eq!(rows, [top, inner, deep].map(ItemId::number));

    // A file whose folder is gone gets a folder of that name; a folder in the bin does not fit over it.
    let file = recycle(&site, deep);
    let folder = recycle(&site, top);
    now(site.restore_recycled(file)).unwrap();
    assert_eq!(at(&site, list, "A/B/c.txt"), Some(deep));
    let made = ["A", "A/B"].map(|path| at(&site, list, path).unwrap());
    assert!(!made.contains(&top) && !made.contains(&inner));
    assert_eq!(now(site.restore_recycled(folder)), Err(EngineError::NameTaken));
    assert!(item(&site, beside).is_some());
}

#[test]
fn items_in_folders_go_along() {
    let world = World::new(1);
    let site = world.site();
    let list = list_of(&site, "Tasks");
    let folder = put(&site, list, "F", ItemFlags::FOLDER);
    let inside = add(&site, list, "inside").item;
    let change = |draft: &mut RowDraft| draft.bag.set(list_keys::ROW_FOLDER, Value::text("f"));
    now(site.update_row(inside, None, &change)).unwrap();
    let friend = add(&site, list, "friend").item;
    let along = |row: &ItemRow, _: &Bag| row.item == friend;
    let entry = now(site.remove_row(folder, None, Removal::Recycle, Some(&along))).unwrap().unwrap();
    assert_eq!([folder, inside, friend].map(|id| item(&site, id).is_some()), [false; 3]);
    now(site.restore_recycled(entry)).unwrap();
    assert_eq!([folder, inside, friend].map(|id| item(&site, id).is_some()), [true; 3]);
    // An item whose folder went for good gets one.
    let entry = recycle(&site, inside);
    now(site.delete_row(folder, None)).unwrap();
    now(site.restore_recycled(entry)).unwrap();
    assert!(at(&site, list, "F").is_some_and(|new| new != folder));
}

#[test]
fn a_list_comes_back_with_its_names() {
    let world = World::new(1);
    let site = world.site();
    let list = list_of(&site, "Tasks");
    let guid = now(now(site.begin()).unwrap().list(list)).unwrap().guid();
    let row = add(&site, list, "a").item;
    let start = token(&site, list);
    let in_bin = recycle(&site, row);
    let entry = now(site.recycle_list(list)).unwrap().unwrap();
    let mut view = now(site.begin()).unwrap();
    assert_eq!(now(view.list(list)), Err(EngineError::NoCollection(list)));
    assert_eq!(now(view.list_by_guid(guid)).unwrap(), None);
    assert_eq!(now(view.lists()).unwrap().len(), 4);
    drop(view);
    assert_eq!(now(site.restore_recycled(in_bin)), Err(EngineError::NoCollection(list)));
    let bin = now(site.recycled()).unwrap();
    assert_eq!((bin[0].item, bin[0].bag.text(&list_keys::LIST_TITLE)), (None, Some("Tasks")));

    let other = now(site.create_list("tasks", 100, "Lists/Other", Bag::new())).unwrap().id();
    assert_eq!(now(site.restore_recycled(entry)), Err(EngineError::NameTaken));
    now(site.drop_list(other)).unwrap();
    let other = now(site.create_list("Other", 100, "lists/tasks", Bag::new())).unwrap().id();
    assert_eq!(now(site.restore_recycled(entry)), Err(EngineError::NameTaken));
    now(site.drop_list(other)).unwrap();
    now(site.restore_recycled(entry)).unwrap();
    assert_eq!(list_of(&site, "Tasks"), list);
    let judge = |_: &ItemRow| Verdict::Take;
    let ask = |token: &ListToken| now(site.sync_list(ListSync { list, token, rows_max: 40, judge: &judge }));
    assert_eq!(ask(&start).unwrap_err(), EngineError::InvalidState(StateFault::Restored));
    let fresh = token(&site, list);
    assert_eq!(fresh.list, guid);
    assert!(!ask(&fresh).unwrap().schema_changed);
    now(site.restore_recycled(in_bin)).unwrap();
    assert_eq!(news(&site, list, &fresh), (vec![(TombstoneKind::Restored, 1)], vec![1]));

    let users = now(site.user_list()).unwrap().id();
    assert_eq!(now(site.recycle_list(users)), Err(EngineError::Distinguished));
    let entry = now(site.recycle_list(list)).unwrap().unwrap();
    now(site.purge_recycled(entry)).unwrap();
    assert!(now(now(site.begin()).unwrap().collection(list)).is_err());
}

#[test]
fn everybody_sees_their_own() {
    let world = World::new(1);
    let site = world.site();
    let bob = now(world.engine.directory().add_account(account("bob@example.com"))).unwrap().caller;
    let guest = now(world.engine.open_site(&bob, "/sites/team")).unwrap();
    let list = list_of(&site, "Tasks");
    let (one, two) = (add(&site, list, "one").item, add(&site, list, "two").item);
    let by_owner = recycle(&site, one);
    let by_guest = recycle(&guest, two);
    assert_eq!(shown(&now(site.recycled()).unwrap()), ["two", "one"]);
    assert_eq!(shown(&now(guest.recycled()).unwrap()), ["two"]);
    assert!(matches!(now(guest.restore_recycled(by_owner)), Err(EngineError::NoItem(_))));
    assert!(matches!(now(guest.purge_recycled(by_owner)), Err(EngineError::NoItem(_))));
    assert_eq!(now(guest.recycle_list(list)), Err(EngineError::AccessDenied));
    now(guest.restore_recycled(by_guest)).unwrap();
    now(site.purge_recycled(by_owner)).unwrap();
    assert_eq!(now(site.recycled()).unwrap(), []);
}

#[test]
fn the_bin_is_emptied_of_what_is_old() {
    let world = World::new(1);
    let site = world.site();
    let list = list_of(&site, "Documents");
    let top = put(&site, list, "A", ItemFlags::FOLDER);
    put(&site, list, "A/b", ItemFlags::default());
    recycle(&site, top);
    let calendar = list_of(&site, "Calendar");
    now(site.recycle_list(calendar)).unwrap();
    let days = Settings::default().recycle_bin_seconds;
    world.clock.advance(days - 10);
    let fresh = recycle(&site, add(&site, list_of(&site, "Tasks"), "fresh").item);
    assert_eq!(now(world.engine.trim()).unwrap(), 0);
    world.clock.advance(11);
    assert_eq!(now(world.engine.trim()).unwrap(), 2);
    let left: Vec<Guid> = now(site.recycled()).unwrap().iter().map(|entry| entry.id).collect();
    assert_eq!(left, [fresh]);
    assert!(now(now(site.begin()).unwrap().collection(calendar)).is_err());
    now(site.restore_recycled(fresh)).unwrap();
}

#[test]
fn more_rows_than_a_commit_takes() {
    let site = World::new(1).site();
    let list = list_of(&site, "Documents");
    let top = put(&site, list, "A", ItemFlags::FOLDER);
    let most = limits::COMMIT_WRITES_MAX / 6 - 9;
    for number in 0..most {
        put(&site, list, &format!("A/{number}"), ItemFlags::default());
    }
    let entry = recycle(&site, top);
    now(site.restore_recycled(entry)).unwrap();
    put(&site, list, "A/one more", ItemFlags::default());
    let refused = now(site.remove_row(top, None, Removal::Recycle, None));
    assert_eq!(refused, Err(EngineError::TooLarge("folder")));
    assert!(item(&site, top).is_some());
}
