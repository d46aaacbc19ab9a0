//! Synchronising the rows of a list.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use engine::{
    EngineError, ListChange, ListSync, ListSyncPage, ListToken, Removal, RowDraft, Site, StateFault, Verdict,
};
use model::{Bag, Clock, CollectionId, Guid, ItemFlags, ItemId, PropertyKey, Value};
use store::{Commit, ItemRow, NewItem, NewItemId, Store, TombstoneKind, Write};

use crate::{World, now};

const HISTORIES: u64 = 200;
const STEPS: u64 = 60;

type Known = BTreeMap<ItemId, String>;

fn title(row: &ItemRow) -> String {
    Bag::decode(&row.bag).unwrap().text(&PropertyKey::field("Title")).unwrap_or_default().to_owned()
}

fn titled(title: &str) -> RowDraft {
    RowDraft { bag: Bag::from_iter([(PropertyKey::field("Title"), Value::text(title))]), ..RowDraft::default() }
}

fn all(_: &ItemRow) -> Verdict {
    Verdict::Take
}

/// A query: titles that end in an even digit.
fn even(row: &ItemRow) -> Verdict {
    if title(row).ends_with(['0', '2', '4', '6', '8']) { Verdict::Take } else { Verdict::Leave }
}

fn list_of(site: &Site, title: &str) -> (CollectionId, Guid) {
    let list = now(now(site.begin()).unwrap().list_by_title(title)).unwrap().unwrap();
    (list.id(), list.guid())
}

fn every_row(site: &Site, list: CollectionId) -> Vec<ItemRow> {
    now(now(site.begin()).unwrap().rows(list, None, 1_000)).unwrap().rows
}

fn content(site: &Site, list: CollectionId, judge: fn(&ItemRow) -> Verdict) -> Known {
    let rows = every_row(site, list);
    rows.iter().filter(|row| judge(row) == Verdict::Take).map(|row| (row.item, title(row))).collect()
}

fn sync(site: &Site, list: CollectionId, token: &ListToken, rows_max: usize) -> ListSyncPage {
    now(site.sync_list(ListSync { list, token, rows_max, judge: &all })).unwrap()
}

/// `D1 M2>7 R3`: the kinds with the numbers.
fn shape(changes: &[ListChange]) -> String {
    let one = |change: &ListChange| {
        let kind = match change.kind {
            TombstoneKind::Deleted => "D",
            TombstoneKind::Moved => "M",
            TombstoneKind::Rescoped => "?",
            TombstoneKind::Renamed => "N",
            TombstoneKind::Restored => "R",
            TombstoneKind::SystemUpdated => "S",
        };
        let whereto = change.moved_to.map(|(_, item)| format!(">{}", item.number())).unwrap_or_default();
        format!("{kind}{}{whereto}", change.item.number())
    };
    changes.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn numbers(rows: &[ItemRow]) -> Vec<u32> {
    rows.iter().map(|row| row.item.number()).collect()
}

struct Client {
    token: ListToken,
    known: Known,
}

/// A full listing in pages, with writes in between. Its token is that of its first page.
fn listing(world: &World, site: &Site, list: (CollectionId, Guid), judge: fn(&ItemRow) -> Verdict) -> Client {
    let mut after = None;
    let mut known = Known::new();
    let mut first = None;
    loop {
        let mut view = now(site.begin()).unwrap();
        first = first.or_else(|| Some(site.list_token(&now(site.begin()).unwrap(), list.1, view.position())));
        let page = now(view.rows(list.0, after, 1 + world.pick(4) as usize)).unwrap();
        drop(view);
        after = page.rows.last().map(|row| row.item);
        let taken = page.rows.iter().filter(|row| judge(row) == Verdict::Take);
        known.extend(taken.map(|row| (row.item, title(row))));
        if !page.more {
            return Client { token: first.unwrap(), known };
        }
        write(world, site, list.0);
    }
}

fn write(world: &World, site: &Site, list: CollectionId) {
    let text = world.pick(1_000_000).to_string();
    let rows = every_row(site, list);
    if rows.is_empty() || world.pick(3) == 0 {
        let path = (world.pick(2) == 0).then(|| text.clone());
        now(site.create_row(list, RowDraft { path, ..titled(&text) })).unwrap();
        return;
    }
    let id = rows[world.pick(rows.len() as u64) as usize].item;
    match world.pick(6) {
        5 => restore(world, site),
        0 if world.pick(4) == 0 => now(site.delete_row(id, None)).unwrap(),
        0 => drop(now(site.remove_row(id, None, Removal::Recycle, None)).unwrap().unwrap()),
        1 => {
            let (to, _) = list_of(site, "Announcements");
            now(site.move_row(id, to, &text)).map(drop).unwrap();
        }
        2 => {
            let change = |draft: &mut RowDraft| draft.path = Some(text.clone());
            now(site.update_row(id, None, &change)).map(drop).unwrap();
        }
        _ => {
            let change = |draft: &mut RowDraft| draft.bag.set(PropertyKey::field("Title"), Value::text(text.clone()));
            now(site.update_row(id, None, &change)).map(drop).unwrap();
        }
    }
}

/// Brings back a row from the recycle bin, under its id.
fn restore(world: &World, site: &Site) {
    let bin = now(site.recycled()).unwrap();
    if bin.is_empty() {
        return;
    }
    let entry = &bin[world.pick(bin.len() as u64) as usize];
    match now(site.restore_recycled(entry.id)) {
        Ok(()) => assert!(now(now(site.begin()).unwrap().item(entry.item.unwrap())).is_ok()),
        Err(error) => assert_eq!(error, EngineError::NameTaken),
    }
}

fn page(world: &World, site: &Site, list: CollectionId, client: &mut Client, judge: fn(&ItemRow) -> Verdict) -> bool {
    let rows_max = 1 + world.pick(4) as usize;
    let ask = ListSync { list, token: &client.token, rows_max, judge: &judge };
    let page = match now(site.sync_list(ask)) {
        Err(EngineError::InvalidState(StateFault::Expired)) => {
            *client = listing(world, site, (list, client.token.list), judge);
            return true;
        }
        other => other.unwrap(),
    };
    assert!(page.rows.len() <= rows_max && (page.rows.len() == rows_max || !page.more));
    assert!(page.rows.is_sorted_by(|left, right| left.seq < right.seq));
    let mut told = BTreeSet::new();
    for change in &page.changes {
        match change.kind {
            TombstoneKind::Deleted | TombstoneKind::Moved => {
                client.known.remove(&change.item);
                assert!(told.insert(change.item));
                assert_eq!(change.kind == TombstoneKind::Moved, change.moved_to.is_some());
            }
            TombstoneKind::Renamed | TombstoneKind::Restored => {}
            TombstoneKind::Rescoped | TombstoneKind::SystemUpdated => panic!("{change:?}"),
        }
    }
    for row in &page.rows {
        assert!(told.insert(row.item), "twice on a page");
        client.known.insert(row.item, title(row));
    }
    client.token = page.token;
    // The token goes through its text.
    client.token = client.token.to_string().parse().unwrap();
    page.more
}

#[test]
fn every_history_converges() {
    for judge in [all, even] as [fn(&ItemRow) -> Verdict; 2] {
        for seed in 0..HISTORIES {
            let world = World::new(seed);
            let site = world.site();
            let list = list_of(&site, "Documents");
            let mut client = listing(&world, &site, list, judge);
            let mut old = Client { token: client.token.clone(), known: client.known.clone() };
            for _ in 0..STEPS {
                match world.pick(16) {
                    0..9 => write(&world, &site, list.0),
                    9 if world.pick(10) == 0 => {
                        world.trim();
                    }
                    10 => client = listing(&world, &site, list, judge),
                    11 => old = Client { token: client.token.clone(), known: client.known.clone() },
                    _ => {
                        page(&world, &site, list.0, &mut client, judge);
                    }
                }
            }
            for mut client in [client, old] {
                while page(&world, &site, list.0, &mut client, judge) {}
                assert_eq!(client.known, content(&site, list.0, judge), "history {seed}");
            }
        }
    }
}

#[test]
fn the_cap_and_the_rest() {
    let world = World::new(1);
    let site = world.site();
    let (list, guid) = list_of(&site, "Tasks");
    let token = site.list_token(&now(site.begin()).unwrap(), guid, now(site.begin()).unwrap().position());
    for number in 1..=45 {
        now(site.create_row(list, titled(&number.to_string()))).unwrap();
    }
    let first = sync(&site, list, &token, 40);
    assert_eq!((numbers(&first.rows), first.more), ((1..=40).collect(), true));
    let second = sync(&site, list, &first.token, 40);
    assert_eq!((numbers(&second.rows), second.more), ((41..=45).collect(), false));
    // Exactly full: nothing more. Deletions do not count.
    now(site.delete_row(ItemId::in_list(list, 45), None)).unwrap();
    let full = sync(&site, list, &token, 44);
    assert_eq!((full.rows.len(), shape(&full.changes), full.more), (44, "D45".into(), false));
    // Another list's writes move the token on.
    let (other, _) = list_of(&site, "Announcements");
    now(site.create_row(other, titled("x"))).unwrap();
    let idle = sync(&site, list, &full.token, 40);
    assert_eq!((idle.rows.len(), idle.changes.len(), idle.more), (0, 0, false));
    assert_eq!(idle.token.position, Some(now(site.begin()).unwrap().position()));
    // Ids are bounded, too.
    let more_than_ids = model::limits::LIST_CHANGE_IDS_MAX + 3;
    for _ in 0..more_than_ids {
        let row = now(site.create_row(list, titled("gone"))).unwrap();
        now(site.delete_row(row.item, None)).unwrap();
    }
    let ids = sync(&site, list, &idle.token, 40);
    assert_eq!((ids.changes.len(), ids.more), (model::limits::LIST_CHANGE_IDS_MAX as usize, true));
    let rest = sync(&site, list, &ids.token, 40);
    assert_eq!((rest.changes.len(), rest.more), (3, false));
}

#[test]
fn what_is_told_of_a_row() {
    let world = World::new(1);
    let site = world.site();
    let (list, guid) = list_of(&site, "Documents");
    let (other, _) = list_of(&site, "Announcements");
    let file = |path: &str| {
        let mut draft = RowDraft { path: Some(path.into()), ..titled(path) };
        draft.bag.set(PropertyKey::field("MetaInfo_vti_clientid"), Value::text(format!("client {path}")));
        now(site.create_row(list, draft)).unwrap()
    };
    let rows = ["a", "b", "c", "d", "e"].map(file);
    let token = site.list_token(&now(site.begin()).unwrap(), guid, now(site.begin()).unwrap().position());
    now(site.delete_row(rows[0].item, None)).unwrap();
    let moved = now(site.move_row(rows[1].item, other, "b")).unwrap();
    let rename = |item: ItemId, path: &'static str| {
        now(site.update_row(item, None, &|draft| draft.path = Some(path.into()))).unwrap();
    };
    for path in ["c2", "c3"] {
        rename(rows[2].item, path);
    }
    // Renamed, then gone.
    rename(rows[3].item, "d2");
    now(site.delete_row(rows[3].item, None)).unwrap();
    let page = sync(&site, list, &token, 40);
    assert_eq!((shape(&page.changes), numbers(&page.rows)), ("D1 M2>1 N3 D4".into(), vec![3]));
    assert_eq!(page.changes[1].moved_to, Some((other, moved.item)));
    let bag = Bag::decode(&rows[0].bag).unwrap();
    let unique = bag.get(&engine::list_keys::ROW_UNIQUE_ID).and_then(Value::as_guid);
    assert!(unique.is_some());
    assert_eq!((page.changes[0].unique_id, page.changes[0].client_id.as_deref()), (unique, Some("client a")));
    assert!(!page.schema_changed);
    now(site.update_list(list, &|bag| bag.set(engine::list_keys::LIST_DESCRIPTION, Value::text("new")))).unwrap();
    assert!(sync(&site, list, &page.token, 40).schema_changed);

    // A query: a row that no longer satisfies it comes as deleted, one that never did does not come.
    let token = page.token;
    let odd = now(site.create_row(list, titled("1"))).unwrap().item;
    let set = |item, text: &'static str| {
        let change = |draft: &mut RowDraft| draft.bag.set(PropertyKey::field("Title"), Value::text(text));
        now(site.update_row(item, None, &change)).unwrap();
    };
    let by_query = |token: &ListToken| {
        let page = now(site.sync_list(ListSync { list, token, rows_max: 40, judge: &even })).unwrap();
        (shape(&page.changes), numbers(&page.rows), page.token)
    };
    let (changes, rows_taken, _) = by_query(&token);
    assert_eq!((changes, rows_taken), (String::new(), vec![]));
    set(rows[4].item, "2");
    let (_, rows_taken, token) = by_query(&token);
    assert_eq!(rows_taken, [5]);
    set(rows[4].item, "3");
    set(odd, "4");
    let (changes, rows_taken, _) = by_query(&token);
    assert_eq!((changes, rows_taken), ("D5".into(), vec![odd.number()]));
}

#[test]
fn folders_go_with_what_is_in_them() {
    let site = World::new(1).site();
    let (list, guid) = list_of(&site, "Documents");
    let row = |path: &str, flags| RowDraft { path: Some(path.into()), flags, ..RowDraft::default() };
    let top = now(site.create_row(list, row("a", ItemFlags::FOLDER))).unwrap().item;
    now(site.create_row(list, row("a/b", ItemFlags::default()))).unwrap();
    let token = site.list_token(&now(site.begin()).unwrap(), guid, now(site.begin()).unwrap().position());
    now(site.update_row(top, None, &|draft| draft.path = Some("c".into()))).unwrap();
    let page = sync(&site, list, &token, 40);
    assert_eq!((shape(&page.changes), numbers(&page.rows)), ("N1".into(), vec![2, 1]));
    now(site.delete_row(top, None)).unwrap();
    let page = sync(&site, list, &page.token, 40);
    assert_eq!((page.changes.len(), page.rows.len()), (2, 0));
}

#[test]
fn tokens_that_cannot_be_served() {
    let world = World::new(1);
    let site = world.site();
    let (list, guid) = list_of(&site, "Tasks");
    let (_, other) = list_of(&site, "Calendar");
    let a = now(site.create_row(list, titled("a"))).unwrap().item;
    let answer = |site: &Site, token: &ListToken| {
        now(site.sync_list(ListSync { list, token, rows_max: 40, judge: &all })).map(|page| shape(&page.changes))
    };
    let refused = |site: &Site, token: &ListToken| match answer(site, token) {
        Err(EngineError::InvalidState(fault)) => Some(fault),
        other => other.map(|_| None).unwrap(),
    };
    let position = now(site.begin()).unwrap().position();
    let token = site.list_token(&now(site.begin()).unwrap(), guid, position);
    assert_eq!(refused(&site, &token), None);
    assert_eq!(refused(&site, &ListToken { list: other, ..token.clone() }), Some(StateFault::Mismatch));
    let beyond = ListToken { position: Some(position.next()), ..token.clone() };
    assert_eq!(refused(&site, &beyond), Some(StateFault::LostTimeline));
    let tomorrow = ListToken { at: token.at.plus_seconds(2 * 86_400), ..token.clone() };
    assert_eq!(refused(&site, &tomorrow), Some(StateFault::LostTimeline));

    // By time: everything since then, to the minute.
    world.clock.advance(3_600);
    let hour = ListToken { position: None, at: token.at.plus_seconds(1_800), ..token.clone() };
    assert_eq!(answer(&site, &hour), Ok(String::new()));
    now(site.delete_row(a, None)).unwrap();
    assert_eq!(answer(&site, &hour), Ok("D1".into()));
    let retention = world.engine.settings().retention_seconds;
    let ancient = ListToken { at: token.at.plus_seconds(-retention), ..hour.clone() };
    assert_eq!(refused(&site, &ancient), Some(StateFault::Expired));

    // Retention.
    let fresh = site.list_token(&now(site.begin()).unwrap(), guid, now(site.begin()).unwrap().position());
    assert_eq!(answer(&site, &token), Ok("D1".into()));
    world.trim();
    assert_eq!(refused(&site, &token), Some(StateFault::Expired));
    assert_eq!(refused(&site, &hour), Some(StateFault::Expired));
    assert_eq!(refused(&site, &fresh), None);
}

#[test]
fn a_store_that_was_put_back_refuses_what_was_issued_after_the_copy() {
    let world = World::new(1);
    let site = world.site();
    let (list, guid) = list_of(&site, "Tasks");
    now(site.create_row(list, titled("a"))).unwrap();
    let token = |site: &Site| site.list_token(&now(site.begin()).unwrap(), guid, now(site.begin()).unwrap().position());
    let before = token(&site);
    world.clock.advance(60);
    let copy = world.restored(2);
    now(site.create_row(list, titled("lost"))).unwrap();
    let after = token(&site);
    world.clock.advance(60);
    let restored = copy.site();
    let refused =
        |token: &ListToken| now(restored.sync_list(ListSync { list, token, rows_max: 40, judge: &all })).err();
    assert_eq!(refused(&before), None);
    assert_eq!(refused(&after), Some(EngineError::InvalidState(StateFault::LostTimeline)));
    for name in ["b", "c", "d"] {
        now(restored.create_row(list, titled(name))).unwrap();
    }
    assert!(after.position.is_some_and(|position| position < now(restored.begin()).unwrap().position()));
    assert_eq!(refused(&before), None);
    assert_eq!(refused(&after), Some(EngineError::InvalidState(StateFault::LostTimeline)));
    assert_eq!(refused(&token(&restored)), None);
}

/// The last bits of the time of a token may say an epoch that the copy has never heard of, and put the time ahead.
#[test]
fn a_copy_refuses_what_a_later_start_of_the_original_issued_just_before() {
    let world = World::new(1);
    let (list, guid) = list_of(&world.site(), "Tasks");
    now(world.site().create_row(list, titled("a"))).unwrap();
    // Where they put it ahead by more than a second.
    while world.clock.now().0 % (1 << 24) > 6_000_000 {
        world.clock.advance(1);
    }
    let (copy, original) = (world.restored(2), world.restored((1 << 24) - 1));
    let site = original.site();
    now(site.create_row(list, titled("lost"))).unwrap();
    let lost = site.list_token(&now(site.begin()).unwrap(), guid, now(site.begin()).unwrap().position());
    world.clock.advance(1);
    let site = copy.site();
    for name in ["b", "c", "d"] {
        now(site.create_row(list, titled(name))).unwrap();
    }
    let error = now(site.sync_list(ListSync { list, token: &lost, rows_max: 40, judge: &all })).err();
    assert_eq!(error, Some(EngineError::InvalidState(StateFault::LostTimeline)));
}

#[test]
fn a_clock_that_was_put_back_spoils_no_tokens() {
    let world = World::new(1);
    let site = world.site();
    let (list, guid) = list_of(&site, "Tasks");
    let token = site.list_token(&now(site.begin()).unwrap(), guid, now(site.begin()).unwrap().position());
    world.clock.advance(-3_600);
    now(site.create_row(list, titled("a"))).unwrap();
    let next = sync(&site, list, &token, 40).token;
    now(site.create_row(list, titled("b"))).unwrap();
    assert_eq!(numbers(&sync(&site, list, &next, 40).rows), [2]);

    // Nor those of listings, after a start that wrote before the clock was put back.
    let first = World::new(1);
    let (list, guid) = list_of(&first.site(), "Tasks");
    let world = first.restored(2);
    let site = world.site();
    now(site.create_row(list, titled("a"))).unwrap();
    world.clock.advance(-60);
    let token = site.list_token(&now(site.begin()).unwrap(), guid, now(site.begin()).unwrap().position());
    now(site.create_row(list, titled("b"))).unwrap();
    assert_eq!(numbers(&sync(&site, list, &token, 40).rows), [2]);
}

#[test]
fn what_is_left_of_the_history_can_be_read_from_its_beginning() {
    let mut world = World::new(1);
    let (list, guid) = list_of(&world.site(), "Tasks");
    let first = world.site().list_token(
        &now(world.site().begin()).unwrap(),
        guid,
        now(world.site().begin()).unwrap().position(),
    );
    now(world.site().create_row(list, titled("a"))).unwrap();
    for start in 2..5 {
        world = world.restored(start);
        now(world.site().create_row(list, titled("b"))).unwrap();
        world.trim();
    }
    let site = world.site();
    let ask = |token: &ListToken| {
        now(site.sync_list(ListSync { list, token, rows_max: 40, judge: &all })).map(|page| numbers(&page.rows))
    };
    // A token made now for where the history begins is no old token.
    let purged = now(now(site.begin()).unwrap().list(list)).unwrap().row.purged_seq;
    assert_eq!(ask(&site.list_token(&now(site.begin()).unwrap(), guid, purged)), Ok(vec![1, 2, 3, 4]));
    // Of an old one nobody knows any more from which start it is.
    assert_eq!(ask(&first), Err(EngineError::InvalidState(StateFault::Expired)));
}

#[test]
fn a_row_that_comes_back_under_its_id() {
    let world = World::new(1);
    let site = world.site();
    let (list, guid) = list_of(&site, "Tasks");
    let row = now(site.create_row(list, titled("a"))).unwrap();
    let token = site.list_token(&now(site.begin()).unwrap(), guid, now(site.begin()).unwrap().position());
    now(site.delete_row(row.item, None)).unwrap();
    now(site.create_row(list, titled("b"))).unwrap();
    let mut commit = Commit::new(site.entry().root, world.clock.now());
    commit.writes = vec![
        Write::CreateItem(NewItem {
            collection: list.into(),
            id: NewItemId::Given(row.item),
            flags: row.flags,
            bag: row.bag.clone(),
            parts: Vec::new(),
        }),
        Write::MarkItem { item: row.item, kind: TombstoneKind::Restored, note: Bytes::new() },
        Write::MarkItem { item: row.item, kind: TombstoneKind::Restored, note: Bytes::new() },
    ];
    now(world.store.commit(commit)).unwrap();
    let page = sync(&site, list, &token, 40);
    assert_eq!((shape(&page.changes), numbers(&page.rows)), ("R1".into(), vec![2, 1]));
    // An answer that ends before the row comes does not say that it went.
    let first = sync(&site, list, &token, 1);
    assert_eq!((shape(&first.changes), numbers(&first.rows), first.more), (String::new(), vec![2], true));
    let second = sync(&site, list, &first.token, 1);
    assert_eq!((shape(&second.changes), numbers(&second.rows), second.more), ("R1".into(), vec![1], false));
    // Marks and deletions of what went after all: the deletion alone.
    now(site.delete_row(row.item, None)).unwrap();
    let page = sync(&site, list, &token, 40);
    assert_eq!((shape(&page.changes), numbers(&page.rows)), ("D1".into(), vec![2]));
}

#[test]
fn an_answer_that_passes_over_too_much_ends_early() {
    let site = World::new(1).site();
    let (list, guid) = list_of(&site, "Tasks");
    let mut token = site.list_token(&now(site.begin()).unwrap(), guid, now(site.begin()).unwrap().position());
    for _ in 0..9_000 {
        now(site.create_row(list, titled("1"))).unwrap();
    }
    let last = now(site.create_row(list, titled("2"))).unwrap().item;
    let mut answers = Vec::new();
    loop {
        let page = now(site.sync_list(ListSync { list, token: &token, rows_max: 40, judge: &even })).unwrap();
        assert_eq!(page.changes, []);
        answers.push(numbers(&page.rows));
        if !page.more {
            break;
        }
        token = page.token;
    }
    assert_eq!(answers, [vec![], vec![last.number()]]);
}
