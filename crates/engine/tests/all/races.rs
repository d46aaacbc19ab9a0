//! What happens when another writer is faster: between what a call has read and what it commits.

use std::sync::{Arc, Mutex};

use engine::{DeleteMode, Engine, EngineError, Folder, Mailbox, MailboxName, Precondition, RowDraft, Settings};
use model::{CollectionId, FixedClock, Guid, ItemFlags, RootId, SeededRandom, Seq, Time};
use store::{Commit, Page, Receipt, RootRow, Snapshot, Store, StoreError, memory::MemoryStore};

use crate::{account, add, folder_named, new_folder, now};

type Meddling = Box<dyn FnOnce() + Send>;

/// A store in which something happens before the next commit.
struct Meddled {
    inner: MemoryStore,
    before: Mutex<Option<Meddling>>,
}

impl Meddled {
    fn before_the_next_commit(&self, work: impl FnOnce() + Send + 'static) {
        *self.before.lock().unwrap() = Some(Box::new(work));
    }
}

#[async_trait::async_trait]
impl Store for Meddled {
    async fn snapshot(&self, root: RootId) -> Result<Box<dyn Snapshot>, StoreError> {
        self.inner.snapshot(root).await
    }

    async fn commit(&self, commit: Commit) -> Result<Receipt, StoreError> {
        let work = self.before.lock().unwrap().take();
        if let Some(work) = work {
            work();
        }
        self.inner.commit(commit).await
    }

    async fn outcome(&self, root: RootId, operation: Guid) -> Result<Option<Receipt>, StoreError> {
        self.inner.outcome(root, operation).await
    }

    async fn roots(&self, after: Option<RootId>, limit: usize) -> Result<Page<RootRow>, StoreError> {
        self.inner.roots(after, limit).await
    }

    async fn drop_root(&self, root: RootId) -> Result<(), StoreError> {
        self.inner.drop_root(root).await
    }

    async fn changed(&self, root: RootId, after: Seq) -> Result<Seq, StoreError> {
        self.inner.changed(root, after).await
    }
}

fn begun() -> (Arc<Meddled>, Engine, engine::Caller) {
    let store = Arc::new(Meddled { inner: MemoryStore::new(1), before: Mutex::default() });
    let clock = Arc::new(FixedClock::new(Time::from_date(2026, 1, 1)));
    let random = Arc::new(SeededRandom::new(1));
    let engine = now(Engine::open(store.clone(), clock, random, Settings::default())).unwrap();
    let caller = now(engine.directory().add_account(account("ada@example.com"))).unwrap().caller;
    (store, engine, caller)
}

fn mailbox() -> (Arc<Meddled>, Mailbox, CollectionId) {
    let (store, engine, caller) = begun();
    let mailbox = now(engine.open_mailbox(&caller, MailboxName::Own)).unwrap();
    let inbox = folder_named(&mailbox, "inbox");
    (store, mailbox, inbox)
}

fn parent(mailbox: &Mailbox, id: CollectionId) -> Option<CollectionId> {
    now(now(mailbox.begin()).unwrap().folder(id)).as_ref().map(Folder::parent).unwrap()
}

#[test]
fn two_moves_make_no_circle() {
    let (store, mailbox, inbox) = mailbox();
    let [a, b] = ["a", "b"].map(|name| new_folder(&mailbox, inbox, name));
    let below_a = new_folder(&mailbox, a, "below a");
    let other = mailbox.clone();
    store.before_the_next_commit(move || now(other.move_folder(a, b)).map(drop).unwrap());
    assert_eq!(now(mailbox.move_folder(b, below_a)), Err(EngineError::Circle));
    assert_eq!((parent(&mailbox, a), parent(&mailbox, b)), (Some(b), Some(inbox)));
    // The same while a folder is thrown away.
    let bin = folder_named(&mailbox, "deleteditems");
    let c = new_folder(&mailbox, bin, "c");
    let other = mailbox.clone();
    store.before_the_next_commit(move || now(other.move_folder(c, below_a)).map(drop).unwrap());
    now(mailbox.delete_folder(b, DeleteMode::MoveToDeletedItems)).unwrap();
    assert_eq!((parent(&mailbox, b), parent(&mailbox, c)), (Some(bin), Some(below_a)));
}

#[test]
fn a_deletion_takes_what_came_meanwhile_or_leaves_the_folder() {
    let (store, mailbox, inbox) = mailbox();
    let folder = new_folder(&mailbox, inbox, "a");
    let other = mailbox.clone();
    store.before_the_next_commit(move || {
        new_folder(&other, folder, "inner");
    });
    now(mailbox.delete_folder(folder, DeleteMode::Hard)).unwrap();
    let folders = now(now(mailbox.begin()).unwrap().folders()).unwrap();
    assert!(folders.iter().all(|one| one.id() != folder && one.parent() != Some(folder)));
    // A folder that went while something was made in it.
    let folder = new_folder(&mailbox, inbox, "a");
    let other = mailbox.clone();
    store.before_the_next_commit(move || now(other.delete_folder(folder, DeleteMode::Hard)).unwrap());
    let made = now(mailbox.create_item(folder, crate::message("x"), ItemFlags::default()));
    assert_eq!(made, Err(EngineError::NoCollection(folder)));
}

#[test]
fn emptying_and_copying_pass_over_what_others_take_and_bring() {
    let (store, mailbox, inbox) = mailbox();
    let drafts = folder_named(&mailbox, "drafts");
    let count = |id| now(now(mailbox.begin()).unwrap().collection(id)).unwrap().items;
    let outer = new_folder(&mailbox, inbox, "outer");
    let ids: Vec<_> = ["a", "b", "c"].map(|subject| add(&mailbox, outer, subject).item).to_vec();
    let meddle = |taken: model::ItemId| {
        let other = mailbox.clone();
        move || {
            now(other.delete_item(taken, Precondition::Any, DeleteMode::Hard)).unwrap();
            add(&other, outer, "late");
            new_folder(&other, outer, "late");
        }
    };
    // The first commit makes the copy; the second would copy the items.
    let (meddled, work) = (Arc::clone(&store), meddle(ids[0]));
    store.before_the_next_commit(move || meddled.before_the_next_commit(work));
    let copy = now(mailbox.copy_folder(outer, drafts)).unwrap().id();
    assert_eq!((count(copy), count(outer)), (2, 3));
    // What came meanwhile stays where it came.
    now(mailbox.delete_folder(late_of(&mailbox, outer), DeleteMode::Hard)).unwrap();
    store.before_the_next_commit(meddle(ids[1]));
    now(mailbox.empty_folder(outer, DeleteMode::MoveToDeletedItems, true)).unwrap();
    assert_eq!(count(outer), 1);
    late_of(&mailbox, outer);
    assert_eq!(count(folder_named(&mailbox, "deleteditems")), 2);
    // A folder that is made in one that goes, goes along.
    let other = mailbox.clone();
    let inner = new_folder(&mailbox, copy, "inner");
    now(mailbox.empty_folder(copy, DeleteMode::Hard, false)).unwrap();
    store.before_the_next_commit(move || {
        new_folder(&other, inner, "late");
    });
    now(mailbox.empty_folder(copy, DeleteMode::Hard, true)).unwrap();
    assert_eq!(now(now(mailbox.begin()).unwrap().child(copy, "inner")), Ok(None));
    // A folder that somebody moves away stays there.
    for mode in [DeleteMode::Hard, DeleteMode::Soft] {
        let inner = new_folder(&mailbox, copy, "inner");
        let other = mailbox.clone();
        store.before_the_next_commit(move || drop(now(other.move_folder(inner, drafts)).unwrap()));
        now(mailbox.empty_folder(copy, mode, true)).unwrap();
        assert_eq!(parent(&mailbox, inner), Some(drafts));
        now(mailbox.delete_folder(inner, DeleteMode::Hard)).unwrap();
    }
    // What comes into a folder that goes softly is kept, too.
    let inner = new_folder(&mailbox, copy, "inner");
    add(&mailbox, inner, "there");
    let other = mailbox.clone();
    let kept = count(folder_named(&mailbox, "recoverableitemsdeletions"));
    store.before_the_next_commit(move || drop(add(&other, inner, "late")));
    now(mailbox.delete_folder(inner, DeleteMode::Soft)).unwrap();
    assert_eq!(count(folder_named(&mailbox, "recoverableitemsdeletions")), kept + 2);
    // Somebody takes the name, or the place.
    let other = mailbox.clone();
    store.before_the_next_commit(move || {
        new_folder(&other, copy, "OUTER");
    });
    assert_eq!(now(mailbox.copy_folder(outer, copy)), Err(EngineError::NameTaken));
    let other = mailbox.clone();
    store.before_the_next_commit(move || now(other.delete_folder(copy, DeleteMode::Hard)).unwrap());
    assert_eq!(now(mailbox.copy_folder(late_of(&mailbox, outer), copy)), Err(EngineError::NoCollection(copy)));
}

fn late_of(mailbox: &Mailbox, parent: CollectionId) -> CollectionId {
    now(now(mailbox.begin()).unwrap().child(parent, "late")).unwrap().unwrap()
}

#[test]
fn no_file_is_left_in_a_folder_that_went() {
    let (store, engine, caller) = begun();
    let site = now(engine.open_site(&caller, "/")).unwrap();
    let list = now(now(site.begin()).unwrap().list_by_title("Documents")).unwrap().unwrap().id();
    let draft = |path: &str, flags| RowDraft { path: Some(path.into()), flags, ..RowDraft::default() };
    let make = {
        let site = site.clone();
        move |path: &str, flags| now(site.create_row(list, draft(path, flags)))
    };
    let paths = || {
        let rows = now(now(site.begin()).unwrap().rows(list, None, 100)).unwrap().rows;
        let path = |row: &store::ItemRow| {
            model::BagRef::new(&row.bag).unwrap().text(&engine::list_keys::ROW_PATH).unwrap_or_default().to_owned()
        };
        rows.iter().map(path).collect::<Vec<_>>()
    };
    let plain = ItemFlags::default();
    // Made while the folder goes: it goes along.
    let folder = make("a", ItemFlags::FOLDER).unwrap().item;
    let meddler = make.clone();
    store.before_the_next_commit(move || drop(meddler("a/late", plain).unwrap()));
    now(site.delete_row(folder, None)).unwrap();
    assert_eq!(paths(), Vec::<String>::new());
    // The folder goes while it is made: there is nowhere to put it.
    let folder = make("a", ItemFlags::FOLDER).unwrap().item;
    let other = site.clone();
    store.before_the_next_commit(move || now(other.delete_row(folder, None)).unwrap());
    assert!(make("a/late", plain).is_err());
    assert_eq!(paths(), Vec::<String>::new());
    // A renamed folder takes along what was made meanwhile.
    let folder = make("a", ItemFlags::FOLDER).unwrap().item;
    let meddler = make.clone();
    store.before_the_next_commit(move || drop(meddler("a/late", plain).unwrap()));
    now(site.update_row(folder, None, &|draft| draft.path = Some("b".into()))).unwrap();
    assert_eq!(paths(), ["b", "b/late"]);
}

#[test]
fn of_two_who_remove_an_account_one_is_late() {
    let (store, engine, _) = begun();
    let directory = engine.directory();
    now(directory.add_account(account("bob@example.com"))).unwrap();
    let other = directory.clone();
    store.before_the_next_commit(move || {
        now(other.remove_account("bob@example.com")).unwrap();
        now(other.add_account(account("bob@example.com"))).unwrap();
    });
    assert_eq!(now(directory.remove_account("bob@example.com")), Err(EngineError::NoAccount));
    assert!(now(directory.account("bob@example.com")).unwrap().is_some());
}
