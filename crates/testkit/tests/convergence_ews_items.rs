//! A strict client of SyncFolderItems ends with what FindItem lists, whatever happened meanwhile.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test")]

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use testkit::{
    chance::Chance,
    ews::{Ews, ItemAsk, ItemEntry, ItemState, distinguished, folder_id},
    mirror::{ItemMirror, assert_equal},
    server::{ANNA, STORES, StoreKind, TestServer, stores},
    stream::Stream,
};

/// Random histories for each store and scope.
const HISTORIES: u64 = 6;
/// Turns of writing and asking in one history.
const TURNS: usize = 40;
/// Changes of the writer that runs beside the client.
const WRITES_BESIDE: usize = 120;
/// Answers after which draining is given up.
const PAGES_MAX: usize = 1_000;

/// Somebody who changes a folder.
struct Writer {
    ews: Ews,
    chance: Chance,
    folder: String,
    elsewhere: String,
    /// What lies in the folder, and elsewhere.
    here: Vec<String>,
    there: Vec<String>,
}

impl Writer {
    fn new(ews: &Ews, seed: u64) -> Self {
        let inbox = distinguished("inbox");
        let folder = ews.create_folder(&inbox, &format!("here {seed}")).unwrap();
        let elsewhere = ews.create_folder(&inbox, &format!("there {seed}")).unwrap();
        Self { ews: ews.clone(), chance: Chance::new(seed), folder, elsewhere, here: vec![], there: vec![] }
    }

    fn taken(items: &mut Vec<String>, chance: &Chance) -> Option<String> {
        if items.is_empty() { None } else { Some(items.swap_remove(chance.below(items.len()))) }
    }

    fn write(&mut self) {
        let (here, there) = (folder_id(&self.folder), folder_id(&self.elsewhere));
        let chance = &self.chance;
        let word = chance.word();
        match chance.below(20) {
            0..=5 => self.here.push(self.ews.create_message(&here, &word)),
            6..=11 => {
                if let Some(id) = chance.pick(&self.here) {
                    let changed = match chance.below(6) {
                        0 | 1 => self.ews.set_subject(id, &word),
                        2 => self.ews.set_importance(id, ["Low", "Normal", "High"][chance.below(3)]),
                        _ => self.ews.set_read(id, chance.one_in(2)),
                    };
                    changed.unwrap();
                }
            }
            12 | 13 => {
                let mode = ["HardDelete", "SoftDelete", "MoveToDeletedItems"][chance.below(3)];
                if let Some(id) = Self::taken(&mut self.here, chance) {
                    self.ews.delete(&id, mode).unwrap();
                }
            }
            14 => {
                if let Some(id) = Self::taken(&mut self.here, chance) {
                    self.there.push(self.ews.transfer("MoveItem", &id, &there).unwrap());
                }
            }
            15 => {
                if let Some(id) = Self::taken(&mut self.there, chance) {
                    self.here.push(self.ews.transfer("MoveItem", &id, &here).unwrap());
                }
            }
            16 => {
                if let Some(id) = chance.pick(&self.here).cloned() {
                    let (to, list) = match chance.one_in(2) {
                        true => (&here, &mut self.here),
                        false => (&there, &mut self.there),
                    };
                    list.push(self.ews.transfer("CopyItem", &id, to).unwrap());
                }
            }
            17 => {
                let data = Stream::message("IPM.Note", &word).recipients_follow().attachments_follow().data();
                let associated = chance.one_in(2);
                self.here.push(self.ews.upload(&self.folder, associated, &[data]).remove(0).unwrap());
            }
            18 => {
                // Replaces an item, which may become associated by it or cease to be so.
                if let Some(id) = chance.pick(&self.here) {
                    let data = Stream::message("IPM.Note", &word).recipients_follow().attachments_follow().data();
                    let same = self.ews.upload_over(id, &self.folder, chance.one_in(2), &data).unwrap();
                    assert_eq!(&same, id);
                }
            }
            _ => self.there.push(self.ews.create_message(&there, &word)),
        }
    }
}

/// The client: asks, and applies what it is told.
struct Reader {
    ews: Ews,
    folder: String,
    associated: bool,
}

impl Reader {
    fn turn(&self, mirror: &mut ItemMirror, changes_max: usize, ignore: &[String]) {
        let state = mirror.state.clone();
        let ask =
            ItemAsk { folder: &self.folder, state: state.as_deref(), ignore, changes_max, associated: self.associated };
        mirror.apply(self.ews.sync_items(&ask).unwrap(), changes_max);
    }

    /// Asks until a drain has begun and ended: one that is under way need not hold what is newer than its beginning.
    fn drain(&self, mirror: &mut ItemMirror, changes_max: usize) {
        let mut begun = !mirror.draining;
        for _ in 0..PAGES_MAX {
            self.turn(mirror, changes_max, &[]);
            if !mirror.draining && begun {
                return;
            }
            begun |= !mirror.draining;
        }
        panic!("the drain does not come to an end");
    }

    fn check(&self, mirror: &ItemMirror) {
        assert_equal(&mirror.items, &self.full(), &self.folder);
    }

    fn full(&self) -> BTreeMap<String, ItemState> {
        let mut items = self.ews.read_items(&self.folder, "Shallow");
        if self.associated {
            let normal = items.len();
            let associated = self.ews.read_items(&self.folder, "Associated");
            let count = associated.len();
            items.extend(associated);
            assert_eq!(items.len(), normal + count);
        }
        items
    }
}

fn history(server: &TestServer, seed: u64, associated: bool) {
    let ews = server.ews(ANNA);
    let mut writer = Writer::new(&ews, seed);
    let reader = Reader { ews, folder: folder_id(&writer.folder), associated };
    let chance = Chance::new(seed ^ 0xc11e);
    let mut mirror = ItemMirror::default();
    let mut stale: Vec<ItemMirror> = vec![mirror.clone()];
    for _ in 0..TURNS {
        for _ in 0..chance.below(5) {
            writer.write();
        }
        match chance.below(12) {
            // The answer is lost: the same state is sent again.
            0 => {
                let mut lost = mirror.clone();
                reader.turn(&mut lost, 1 + chance.below(6), &[]);
                writer.write();
            }
            // The client goes back to where it was some time ago.
            1 => mirror = stale[chance.below(stale.len())].clone(),
            2 => stale.push(mirror.clone()),
            // What the client makes itself, it need not be told.
            3 if !mirror.draining && mirror.state.is_some() => {
                let subject = chance.word();
                let id = reader.ews.create_message(&reader.folder, &subject);
                let state = ItemState { element: "Message".into(), subject, importance: "Normal".into(), read: false };
                let before = reader.ews.read_items(&reader.folder, "Shallow").remove(&id).unwrap();
                assert_eq!(before.subject, state.subject);
                mirror.items.insert(id.clone(), before);
                reader.turn(&mut mirror, 512, std::slice::from_ref(&id));
                assert!(!mirror.draining);
                reader.check(&mirror);
                writer.here.push(id);
            }
            4 => {
                reader.drain(&mut mirror, 1 + chance.below(9));
                reader.check(&mirror);
            }
            _ => reader.turn(&mut mirror, 1 + chance.below(6), &[]),
        }
    }
    for mut mirror in stale.into_iter().chain([mirror]) {
        reader.drain(&mut mirror, 1 + chance.below(20));
        reader.check(&mirror);
    }
}

fn beside(server: &TestServer, seed: u64) {
    let ews = server.ews(ANNA);
    let mut writer = Writer::new(&ews, seed);
    let readers =
        [false, true].map(|associated| Reader { ews: ews.clone(), folder: folder_id(&writer.folder), associated });
    let mut mirrors = [ItemMirror::default(), ItemMirror::default()];
    let chance = Chance::new(seed);
    let writing = std::thread::spawn(move || (0..WRITES_BESIDE).for_each(|_| writer.write()));
    while !writing.is_finished() {
        for (reader, mirror) in readers.iter().zip(&mut mirrors) {
            reader.turn(mirror, 1 + chance.below(4), &[]);
        }
    }
    writing.join().unwrap();
    for (reader, mirror) in readers.iter().zip(&mut mirrors) {
        reader.drain(mirror, 7);
        reader.check(mirror);
    }
}

fn all(kind: StoreKind) {
    let server = TestServer::start(kind);
    for seed in 0..kind.share(HISTORIES) {
        history(&server, seed, false);
        history(&server, 100 + seed, true);
    }
    beside(&server, 200);
}

#[test]
fn items_converge_in_memory() {
    all(STORES[0]);
}

#[test]
fn items_converge_on_sqlite() {
    all(STORES[1]);
}

#[test]
fn items_converge_on_postgres() {
    if StoreKind::Postgres.is_there("items_converge") {
        all(StoreKind::Postgres);
    }
}

#[test]
fn items_converge_over_three_nodes() {
    if StoreKind::Fleet.is_there("items_converge") {
        all(StoreKind::Fleet);
    }
}

/// The test can fail: kinds judged by the cursor of the page diverge.
#[test]
fn a_deliberate_fault_is_noticed() {
    let server = TestServer::judging_by_cursor();
    let diverges = |seed| catch_unwind(AssertUnwindSafe(|| history(&server, seed, false))).is_err();
    assert!((0..HISTORIES).any(diverges));
}

/// The kinds of changes, one by one, in every order in which they can be said.
#[test]
fn each_kind_of_change_is_named() {
    for kind in stores("each_kind_of_change_is_named") {
        let server = TestServer::start(kind);
        let ews = server.ews(ANNA);
        let folder = folder_id(&ews.create_folder(&distinguished("inbox"), "kinds").unwrap());
        let elsewhere = distinguished("drafts");
        let ask = |state: Option<&str>| {
            let ask = ItemAsk { folder: &folder, state, ignore: &[], changes_max: 100, associated: false };
            ews.sync_items(&ask).unwrap()
        };
        let make = |subject: &str| ews.create_message(&folder, subject);
        let [edited, read, unread, both, deleted, moved, untouched] =
            ["edited", "read", "unread", "both", "deleted", "moved", "untouched"].map(make);
        // What one makes oneself is read; to say so again is no change.
        for id in [&read, &both] {
            ews.set_read(id, false).unwrap();
        }
        let first = ask(None);
        // The first sync tells of creations only, newest first.
        let created: Vec<_> = first.entries.iter().map(|entry| matches!(entry, ItemEntry::Create(..))).collect();
        assert_eq!(created, [true; 7]);
        let ids: Vec<_> = first.entries.iter().map(id_of).collect();
        let newest_first = [&untouched, &moved, &deleted, &both, &unread, &read, &edited];
        assert_eq!(ids, newest_first.map(String::as_str));
        assert!(first.last && ask(Some(&first.state)).entries.is_empty());

        ews.set_subject(&edited, "Edited").unwrap();
        ews.set_read(&untouched, true).unwrap();
        ews.set_read(&read, true).unwrap();
        ews.set_read(&unread, false).unwrap();
        ews.set_read(&both, true).unwrap();
        ews.set_importance(&both, "High").unwrap();
        ews.delete(&deleted, "SoftDelete").unwrap();
        let there = ews.transfer("MoveItem", &moved, &elsewhere).unwrap();
        assert_ne!(there, moved);
        let gone_again = make("gone again");
        ews.delete(&gone_again, "HardDelete").unwrap();
        let changed_at_once = make("new");
        ews.set_subject(&changed_at_once, "newer").unwrap();
        ews.set_read(&changed_at_once, true).unwrap();
        let back = ews.transfer("MoveItem", &there, &folder).unwrap();
        let answer = ask(Some(&first.state));
        let mut said: Vec<_> = answer
            .entries
            .iter()
            .map(|entry| match entry {
                ItemEntry::Create(id, state) => format!("Create {id} {}", state.subject),
                ItemEntry::Update(id, state) => format!("Update {id} {}", state.subject),
                ItemEntry::Delete(id) => format!("Delete {id}"),
                ItemEntry::Read(id, read) => format!("Read {id} {read}"),
            })
            .collect();
        let mut expected = vec![
            format!("Create {back} moved"),
            format!("Create {changed_at_once} newer"),
            format!("Update {edited} Edited"),
            format!("Update {both} both"),
            format!("Read {read} true"),
            format!("Read {unread} false"),
            format!("Delete {deleted}"),
            format!("Delete {moved}"),
        ];
        said.sort();
        expected.sort();
        assert_eq!(said, expected);
        // One at a time, and then nothing; the last page knows that it is the last.
        let mut state = first.state.clone();
        for number in 1..=expected.len() {
            let ask = ItemAsk { folder: &folder, state: Some(&state), ignore: &[], changes_max: 1, associated: false };
            let page = ews.sync_items(&ask).unwrap();
            assert_eq!(page.entries.len(), 1);
            assert_eq!(page.last, number == expected.len(), "page {number}");
            state = page.state;
        }
        assert!(ask(Some(&state)).entries.is_empty());
    }
}

fn id_of(entry: &ItemEntry) -> &str {
    match entry {
        ItemEntry::Create(id, _) | ItemEntry::Update(id, _) | ItemEntry::Delete(id) | ItemEntry::Read(id, _) => id,
    }
}
