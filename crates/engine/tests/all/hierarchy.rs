//! Synchronising folders.

use std::collections::BTreeMap;

use engine::{DeleteMode, EngineError, Folder, FolderChange, Mailbox, StateFault};
use model::{CollectionId, Value, tags};

use crate::{World, add, folder_named, new_folder, now, sync_folders};

const HISTORIES: u64 = 150;
const STEPS: u64 = 60;

type Known = BTreeMap<CollectionId, (String, Option<CollectionId>)>;

fn seen(folder: &Folder) -> (String, Option<CollectionId>) {
    (folder.display_name().to_owned(), folder.parent())
}

/// What lies below a folder, as the rows say.
fn content(mailbox: &Mailbox, base: CollectionId) -> Known {
    let folders = now(now(mailbox.begin()).unwrap().folders()).unwrap();
    let mut known = Known::new();
    // Folders can move under younger ones, so once is not enough.
    loop {
        let before = known.len();
        for folder in &folders {
            if folder.parent().is_some_and(|parent| parent == base || known.contains_key(&parent)) {
                known.insert(folder.id(), seen(folder));
            }
        }
        if known.len() == before {
            return known;
        }
    }
}

fn apply(known: &mut Known, base: CollectionId, changes: Vec<FolderChange>) -> Result<(), String> {
    for change in changes {
        let fine = match &change {
            FolderChange::Create(folder) => {
                let parent = folder.parent().unwrap();
                (parent == base || known.contains_key(&parent)) && known.insert(folder.id(), seen(folder)).is_none()
            }
            FolderChange::Update(folder) => {
                let parent = folder.parent().unwrap();
                (parent == base || known.contains_key(&parent)) && known.insert(folder.id(), seen(folder)).is_some()
            }
            FolderChange::Delete(id) => {
                !known.values().any(|(_, parent)| *parent == Some(*id)) && known.remove(id).is_some()
            }
        };
        if !fine {
            return Err(format!("{change:?}"));
        }
    }
    Ok(())
}

#[test]
fn every_history_converges() {
    for seed in 0..HISTORIES {
        let world = World::new(seed);
        let mailbox = world.mailbox();
        let base = folder_named(&mailbox, "inbox");
        let outside = folder_named(&mailbox, "msgfolderroot");
        let (mut trims, mut count) = (0, 0);
        // One client of the whole mailbox and one of a folder, each with all it has ever known.
        let mut clients = [None, Some(base)].map(|under| (under, vec![(None::<Vec<u8>>, Known::new())]));
        for step in 0..=STEPS {
            let within: Vec<CollectionId> = content(&mailbox, outside)
                .into_keys()
                .filter(|id| now(now(mailbox.begin()).unwrap().folder(*id)).unwrap().distinguished().is_none())
                .chain([base, outside])
                .collect();
            let any = || within[world.pick(within.len() as u64) as usize];
            match world.pick(12) {
                0..4 => {
                    count += 1;
                    new_folder(&mailbox, any(), &count.to_string());
                }
                4 => {
                    count += 1;
                    let change = |bag: &mut model::Bag| bag.set(tags::DISPLAY_NAME, Value::text(count.to_string()));
                    let _ = now(mailbox.update_folder(any(), &change));
                }
                5..8 => {
                    let _ = now(mailbox.move_folder(any(), any()));
                }
                8 => {
                    let mode = if world.pick(2) == 0 { DeleteMode::Hard } else { DeleteMode::MoveToDeletedItems };
                    let _ = now(mailbox.delete_folder(any(), mode));
                }
                9 => {
                    add(&mailbox, any(), "x");
                }
                10 if world.pick(6) == 0 => {
                    trims += 1;
                    world.trim();
                }
                _ => {}
            }
            for (under, past) in &mut clients {
                if step < STEPS && world.pick(3) > 0 {
                    continue;
                }
                // Mostly from the newest state, at times from an old one.
                let from = if world.pick(4) == 0 { world.pick(past.len() as u64) as usize } else { past.len() - 1 };
                let (state, mut known) = past[from].clone();
                let base = under.unwrap_or_else(|| folder_named(&mailbox, "root"));
                let page = match now(mailbox.sync_folders(*under, state.as_deref())) {
                    Err(EngineError::InvalidState(StateFault::Expired)) if trims > 0 => {
                        known.clear();
                        now(mailbox.sync_folders(*under, None)).unwrap()
                    }
                    other => other.unwrap(),
                };
                if let Err(why) = apply(&mut known, base, page.changes) {
                    panic!("history {seed}, step {step}, {under:?}: {why}");
                }
                assert_eq!(known, content(&mailbox, base), "history {seed}, step {step}, {under:?}");
                past.push((Some(page.state), known));
            }
        }
    }
}

#[test]
fn one_change_gives_one_entry() {
    let world = World::new(1);
    let mailbox = world.mailbox();
    let inbox = folder_named(&mailbox, "inbox");
    let first = sync_folders(&mailbox, None);
    let made = engine::DISTINGUISHED.iter().filter(|one| matches!(one.folder, engine::Distinguished::Made { .. }));
    // All but the root itself.
    assert_eq!(first.changes.len(), made.count() - 1);
    let mut state = first.state;
    let mut next = || {
        let page = sync_folders(&mailbox, Some(&state));
        assert_eq!(sync_folders(&mailbox, Some(&state)), page);
        state = page.state;
        page.changes
    };
    assert_eq!(next(), []);
    let a = new_folder(&mailbox, inbox, "a");
    let b = new_folder(&mailbox, a, "b");
    let ids = |changes: Vec<FolderChange>| {
        let one = |change: &FolderChange| match change {
            FolderChange::Create(folder) => format!("C{}", folder.id()),
            FolderChange::Update(folder) => format!("U{}", folder.id()),
            FolderChange::Delete(id) => format!("D{id}"),
        };
        changes.iter().map(one).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(ids(next()), format!("C{a} C{b}"));
    // What happens inside a folder is no change of the folder.
    let item = add(&mailbox, a, "x").item;
    now(mailbox.set_read(item, true)).unwrap();
    assert_eq!(next(), []);
    now(mailbox.move_folder(b, inbox)).unwrap();
    now(mailbox.delete_folder(a, DeleteMode::Hard)).unwrap();
    let c = new_folder(&mailbox, inbox, "c");
    now(mailbox.delete_folder(c, DeleteMode::Hard)).unwrap();
    assert_eq!(ids(next()), format!("U{b} D{a}"));
    now(mailbox.delete_folder(b, DeleteMode::MoveToDeletedItems)).unwrap();
    assert_eq!(ids(next()), format!("U{b}"));
}

#[test]
fn states_are_for_one_start() {
    let world = World::new(1);
    let mailbox = world.mailbox();
    let [inbox, root] = ["inbox", "root"].map(|name| folder_named(&mailbox, name));
    let fault = |under, state: &[u8]| match now(mailbox.sync_folders(under, Some(state))) {
        Err(EngineError::InvalidState(fault)) => Some(fault),
        other => other.map(|_| None).unwrap(),
    };
    let starts = [None, Some(root), Some(inbox)];
    for issued in starts {
        let state = now(mailbox.sync_folders(issued, None)).unwrap().state;
        for used in starts {
            let expected = (issued != used).then_some(StateFault::Mismatch);
            assert_eq!(fault(used, &state), expected, "{issued:?} as {used:?}");
        }
    }
    let of_items = crate::sync(&mailbox, inbox, None).state;
    assert_eq!(fault(Some(inbox), &of_items), Some(StateFault::Mismatch));
    assert_eq!(fault(None, b"nonsense"), Some(StateFault::Corrupt));
    let of_folders = sync_folders(&mailbox, None).state;
    let asked = now(mailbox.sync_items(crate::ask(inbox, Some(&of_folders))));
    assert_eq!(asked, Err(EngineError::InvalidState(StateFault::Mismatch)));
    let gone = new_folder(&mailbox, inbox, "gone");
    let state = now(mailbox.sync_folders(Some(gone), None)).unwrap().state;
    now(mailbox.delete_folder(gone, DeleteMode::Hard)).unwrap();
    assert_eq!(now(mailbox.sync_folders(Some(gone), Some(&state))), Err(EngineError::NoCollection(gone)));
}
