//! A strict client of SyncFolderHierarchy ends with what FindFolder lists, whatever happened meanwhile.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test")]

use testkit::{
    chance::Chance,
    ews::{Ews, distinguished, folder_id},
    mirror::{FolderMirror, assert_equal},
    server::{ANNA, STORES, StoreKind, TestServer},
};

/// Random histories for each store.
const HISTORIES: u64 = 4;
/// Turns of writing and asking in one history.
const TURNS: usize = 30;
/// Changes of the writer that runs beside the client.
const WRITES_BESIDE: usize = 100;

/// Somebody who changes folders below and beside the one that is synchronised.
struct Writer {
    ews: Ews,
    chance: Chance,
    /// Ids of folders that exist, or did until the one around them was deleted.
    folders: Vec<String>,
    /// Those that stay: places to put folders.
    places: Vec<String>,
}

impl Writer {
    fn place(&self) -> String {
        match self.chance.below(3) {
            0 => self.chance.pick(&self.places).unwrap().clone(),
            _ => folder_id(self.chance.pick(&self.folders).unwrap_or(&String::new())),
        }
    }

    /// What cannot be done, such as a move into itself, is refused by the server and leaves everything as it is.
    fn write(&mut self) {
        let place = match self.folders.is_empty() {
            true => self.places[0].clone(),
            false => self.place(),
        };
        let name = self.chance.word();
        let Some(id) = self.chance.pick(&self.folders).cloned() else {
            self.folders.push(self.ews.create_folder(&place, &name).unwrap());
            return;
        };
        match self.chance.below(12) {
            0..=4 => self.folders.extend(self.ews.create_folder(&place, &name)),
            5 | 6 => drop(self.ews.rename_folder(&id, &name)),
            7 | 8 => drop(self.ews.move_folder(&id, &place)),
            9 => drop(self.ews.delete_folder(&id, "HardDelete")),
            10 => drop(self.ews.delete_folder(&id, "MoveToDeletedItems")),
            // Counts are no change.
            _ => drop(self.ews.create_message(&self.places[0], &name)),
        }
    }
}

/// A client: what it asks for, and what it holds.
struct Reader {
    ews: Ews,
    /// None for the whole mailbox.
    ask: Option<String>,
    below: String,
    top: String,
    mirror: FolderMirror,
    stale: Vec<FolderMirror>,
}

impl Reader {
    fn turn(&self, mirror: &mut FolderMirror) {
        let page = self.ews.sync_folders(self.ask.as_deref(), mirror.state.as_deref()).unwrap();
        mirror.apply(page, &self.top);
    }

    fn check(&self, mirror: &FolderMirror) {
        assert_equal(&mirror.folders, &self.ews.read_folders(&self.below), &self.below);
    }
}

/// Clients of the whole mailbox, of the same named, and of a folder; and a writer.
fn stage(ews: &Ews, seed: u64) -> (Writer, Vec<Reader>) {
    let inbox = distinguished("inbox");
    let synced = ews.create_folder(&inbox, &format!("synced {seed}")).unwrap();
    let beside = ews.create_folder(&inbox, &format!("beside {seed}")).unwrap();
    let root = distinguished("root");
    let reader = |ask: Option<String>, below: String| Reader {
        top: ews.folder(&below),
        ews: ews.clone(),
        ask,
        below,
        mirror: FolderMirror::default(),
        stale: vec![FolderMirror::default()],
    };
    let readers = vec![
        reader(None, root.clone()),
        reader(Some(root.clone()), root),
        reader(Some(folder_id(&synced)), folder_id(&synced)),
    ];
    let places = vec![folder_id(&synced), folder_id(&beside)];
    (Writer { ews: ews.clone(), chance: Chance::new(seed), folders: vec![], places }, readers)
}

fn history(server: &TestServer, seed: u64) {
    let ews = server.ews(ANNA);
    let (mut writer, mut readers) = stage(&ews, seed);
    let chance = Chance::new(seed ^ 0xf01d);
    for _ in 0..TURNS {
        for _ in 0..chance.below(5) {
            writer.write();
        }
        for reader in &mut readers {
            let mut mirror = reader.mirror.clone();
            match chance.below(8) {
                0 => continue,
                1 => mirror = reader.stale[chance.below(reader.stale.len())].clone(),
                2 => reader.stale.push(mirror.clone()),
                _ => {}
            }
            reader.turn(&mut mirror);
            reader.check(&mirror);
            reader.mirror = mirror;
        }
    }
    for reader in readers {
        for mut mirror in reader.stale.clone() {
            reader.turn(&mut mirror);
            reader.check(&mirror);
        }
    }
}

fn beside(server: &TestServer, seed: u64) {
    let (mut writer, mut readers) = stage(&server.ews(ANNA), seed);
    let writing = std::thread::spawn(move || (0..WRITES_BESIDE).for_each(|_| writer.write()));
    while !writing.is_finished() {
        for reader in &mut readers {
            let mut mirror = reader.mirror.clone();
            reader.turn(&mut mirror);
            reader.mirror = mirror;
        }
    }
    writing.join().unwrap();
    for reader in readers {
        let mut mirror = reader.mirror.clone();
        reader.turn(&mut mirror);
        reader.check(&mirror);
    }
}

fn all(kind: StoreKind) {
    let server = TestServer::start(kind);
    for seed in 0..kind.share(HISTORIES) {
        history(&server, seed);
    }
    beside(&server, 100);
}

#[test]
fn folders_converge_in_memory() {
    all(STORES[0]);
}

#[test]
fn folders_converge_on_sqlite() {
    all(STORES[1]);
}

#[test]
fn folders_converge_on_postgres() {
    if StoreKind::Postgres.is_there("folders_converge") {
        all(StoreKind::Postgres);
    }
}

#[test]
fn folders_converge_over_three_nodes() {
    if StoreKind::Fleet.is_there("folders_converge") {
        all(StoreKind::Fleet);
    }
}
