//! A visitor of a mailbox ends with what may be seen of it, however permissions come and go, and whatever else happens
//! meanwhile: folders are made, moved and deleted, items flip their association, and old deletions are trimmed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};

use model::Time;
use testkit::{
    chance::Chance,
    ews::{Ews, FolderEntry, FolderState, ItemAsk, folder_id},
    mirror::{ItemMirror, assert_equal},
    server::{ANNA, BERT, STORES, StoreKind, TestServer},
    stream::Stream,
};

/// Random histories for each store.
const HISTORIES: u64 = 3;
/// Turns of writing and asking in one history.
const TURNS: usize = 32;
/// Answers after which draining is given up.
const PAGES_MAX: usize = 500;
/// Days that a turn may take: the retention is 60.
const DAYS_MAX: usize = 70;

/// A distinguished folder of Anna, as others name it.
fn of_anna(name: &str) -> String {
    format!(
        "<t:DistinguishedFolderId Id=\"{name}\"><t:Mailbox><t:EmailAddress>{ANNA}</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId>"
    )
}

/// The owner, who does as she likes.
struct Owner {
    ews: Ews,
    chance: Chance,
    /// The folder whose items are synchronised.
    shared: String,
    elsewhere: String,
    folders: Vec<String>,
    items: Vec<String>,
}

impl Owner {
    fn new(server: &TestServer, seed: u64) -> Self {
        let ews = server.ews(ANNA);
        let make = |name: &str| ews.create_folder(&of_anna("inbox"), &format!("{name} {seed}")).unwrap();
        let (shared, elsewhere) = (make("shared"), make("elsewhere"));
        let folders = vec![shared.clone(), elsewhere.clone()];
        Self { ews, chance: Chance::new(seed), shared, elsewhere, folders, items: Vec::new() }
    }

    fn grant(&self, folder: &str, level: &str) -> Result<(), String> {
        let request = format!(
            "<m:UpdateFolder><m:FolderChanges><t:FolderChange>{}<t:Updates><t:SetFolderField><t:FieldURI \
             FieldURI=\"folder:PermissionSet\"/><t:Folder><t:PermissionSet><t:Permissions><t:Permission><t:UserId>\
             <t:PrimarySmtpAddress>{BERT}</t:PrimarySmtpAddress></t:UserId><t:PermissionLevel>{level}</t:PermissionLevel>\
             </t:Permission></t:Permissions></t:PermissionSet></t:Folder></t:SetFolderField></t:Updates></t:FolderChange>\
             </m:FolderChanges></m:UpdateFolder>",
            folder_id(folder)
        );
        self.ews.attempt(&request).map(drop)
    }

    /// What cannot be done is refused, and leaves everything as it is.
    fn write(&mut self) {
        let chance = &self.chance;
        let (word, shared) = (chance.word(), folder_id(&self.shared));
        let folder = chance.pick(&self.folders).unwrap().clone();
        let data = || Stream::message("IPM.Note", &word).recipients_follow().attachments_follow().data();
        match chance.below(20) {
            0..=3 => {
                let level = ["None", "Reviewer", "Contributor", "Editor", "Owner"][chance.below(5)];
                drop(self.grant(&folder, level));
            }
            4..=6 => self.folders.extend(self.ews.create_folder(&folder_id(&folder), &word)),
            7 => drop(self.ews.rename_folder(&folder, &word)),
            8 if folder != self.shared => {
                drop(self.ews.move_folder(&folder, &folder_id(chance.pick(&self.folders).unwrap())));
            }
            9 if folder != self.shared && folder != self.elsewhere => {
                let mode = ["HardDelete", "SoftDelete", "MoveToDeletedItems"][chance.below(3)];
                drop(self.ews.delete_folder(&folder, mode));
            }
            10..=13 => self.items.push(self.ews.create_message(&shared, &word)),
            14 => self.items.push(self.ews.upload(&self.shared, true, &[data()]).remove(0).unwrap()),
            15 | 16 => {
                // Replaces an item, which may flip its association.
                if let Some(id) = chance.pick(&self.items) {
                    self.ews.upload_over(id, &self.shared, chance.one_in(2), &data()).unwrap();
                }
            }
            17 if !self.items.is_empty() => {
                let id = self.items.swap_remove(chance.below(self.items.len()));
                self.ews.delete(&id, "HardDelete").unwrap();
            }
            18 if !self.items.is_empty() => {
                let id = self.items.swap_remove(chance.below(self.items.len()));
                self.ews.transfer("MoveItem", &id, &folder_id(&self.elsewhere)).unwrap();
            }
            _ => {
                if let Some(id) = chance.pick(&self.items) {
                    self.ews.set_subject(id, &word).unwrap();
                }
            }
        }
    }
}

/// What a visitor holds of the hierarchy.
#[derive(Clone, Default)]
struct Seen {
    state: Option<String>,
    folders: BTreeMap<String, FolderState>,
}

/// The visitor, who is strict.
struct Visitor {
    ews: Ews,
    shared: String,
    /// How often a state was refused since it was too old.
    expired: usize,
    /// How often folders came into sight, and went out of it.
    came_and_went: [usize; 2],
}

impl Visitor {
    /// Asks for changes of the hierarchy. A folder may be seen without the one around it.
    fn hierarchy(&mut self, seen: &mut Seen) {
        let page = match self.ews.sync_folders(Some(&of_anna("root")), seen.state.as_deref()) {
            Err(code) if code == "ErrorInvalidSyncStateData" && seen.state.is_some() => {
                self.expired += 1;
                *seen = Seen::default();
                return self.hierarchy(seen);
            }
            // Nothing at all is granted at this moment; what was known stays until something is.
            Err(code) if code == "ErrorAccessDenied" => return,
            other => other.unwrap(),
        };
        let mut told = BTreeSet::new();
        for entry in page.entries {
            let fine = match &entry {
                FolderEntry::Create(id, state) => {
                    self.came_and_went[0] += 1;
                    told.insert(id.clone()) && seen.folders.insert(id.clone(), state.clone()).is_none()
                }
                FolderEntry::Update(id, state) => {
                    told.insert(id.clone()) && seen.folders.insert(id.clone(), state.clone()).is_some()
                }
                FolderEntry::Delete(id) => {
                    self.came_and_went[1] += 1;
                    told.insert(id.clone()) && seen.folders.remove(id).is_some()
                }
            };
            assert!(fine, "{entry:?}");
        }
        seen.state = Some(page.state);
        assert_equal(&seen.folders, &self.ews.read_folders(&of_anna("root")), "what is seen");
    }

    /// Asks for one page of items, where that is allowed.
    fn items(&mut self, mirror: &mut ItemMirror, changes_max: usize) {
        let state = mirror.state.clone();
        let shared = folder_id(&self.shared);
        let ask = ItemAsk { folder: &shared, state: state.as_deref(), ignore: &[], changes_max, associated: true };
        match self.ews.sync_items(&ask) {
            Ok(page) => mirror.apply(page, changes_max),
            Err(code) if code == "ErrorInvalidSyncStateData" && state.is_some() => {
                self.expired += 1;
                *mirror = ItemMirror::default();
            }
            Err(code) => assert!(["ErrorAccessDenied", "ErrorSyncFolderNotFound"].contains(&code.as_str()), "{code}"),
        }
    }
}

fn history(kind: StoreKind, seed: u64) -> Visitor {
    let server = TestServer::at(kind, Time::from_date(2026, 1, 1));
    let mut owner = Owner::new(&server, seed);
    let mut visitor =
        Visitor { ews: server.ews(BERT), shared: owner.shared.clone(), expired: 0, came_and_went: [0; 2] };
    let chance = Chance::new(seed ^ 0xbe27);
    let (mut seen, mut mirror) = (Seen::default(), ItemMirror::default());
    let mut stale = vec![(seen.clone(), mirror.clone())];
    for _ in 0..TURNS {
        for _ in 0..chance.below(6) {
            owner.write();
        }
        match chance.below(12) {
            0 => (seen, mirror) = stale[chance.below(stale.len())].clone(),
            1 => stale.push((seen.clone(), mirror.clone())),
            2 => {
                server.advance(86_400 * (1 + chance.below(DAYS_MAX)) as i64);
                server.trim();
            }
            _ => {}
        }
        visitor.hierarchy(&mut seen);
        visitor.items(&mut mirror, 1 + chance.below(6));
    }
    owner.grant(&owner.shared, "Reviewer").unwrap();
    stale.push((seen, mirror));
    for (mut seen, mut mirror) in stale {
        visitor.hierarchy(&mut seen);
        let mut begun = !mirror.draining;
        let mut pages = 0;
        loop {
            visitor.items(&mut mirror, 1 + chance.below(9));
            if !mirror.draining && begun && mirror.state.is_some() {
                break;
            }
            begun |= !mirror.draining;
            pages += 1;
            assert!(pages < PAGES_MAX, "the drain does not come to an end");
        }
        let shared = folder_id(&owner.shared);
        let mut full = owner.ews.read_items(&shared, "Shallow");
        full.extend(owner.ews.read_items(&shared, "Associated"));
        assert_equal(&mirror.items, &full, &shared);
    }
    visitor
}

fn all(kind: StoreKind) {
    let visitors: Vec<Visitor> = (0..HISTORIES).map(|seed| history(kind, seed)).collect();
    let sum = |of: &dyn Fn(&Visitor) -> usize| visitors.iter().map(of).sum::<usize>();
    // It happened.
    assert!(sum(&|one| one.expired) > 0);
    assert!(sum(&|one| one.came_and_went[0]) > 10 && sum(&|one| one.came_and_went[1]) > 10);
}

#[test]
fn visitors_converge_in_memory() {
    all(STORES[0]);
}

#[test]
fn visitors_converge_on_sqlite() {
    all(STORES[1]);
}

#[test]
fn visitors_converge_on_postgres() {
    if StoreKind::Postgres.is_there("visitors_converge") {
        all(StoreKind::Postgres);
    }
}

#[test]
fn visitors_converge_over_three_nodes() {
    if StoreKind::Fleet.is_there("visitors_converge") {
        all(StoreKind::Fleet);
    }
}
