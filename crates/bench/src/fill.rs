//! Filling by the hundred thousand: copies of one message, deletions and changes straight through the store, many a commit.
//! What the adapters then find is what as many requests would have left.

use std::io::{IsTerminal as _, Write as _};

use bytes::Bytes;
use model::{Bag, CollectionId, ItemId, Value, tags};
use store::{CollectionRef, Commit, ItemChange, NewItemId, Receipt, Want, Write, battery::block_on};

use crate::World;

/// Writes in one commit.
const COMMIT_WRITES: usize = 1_000;

impl World {
    /// Puts copies of a message into the inbox, each with a subject of its own; answers their ids. The inbox has a message
    /// already.
    pub fn copy(&self, count: usize) -> Vec<ItemId> {
        let (inbox, message, bag) = self.message();
        self.in_commits("copies", count, |number| {
            let mut own = bag.clone();
            own.set(tags::SUBJECT, Value::text(format!("Copy {number}")));
            own.set(tags::NORMALIZED_SUBJECT, Value::text(format!("Copy {number}")));
            let (to, bag) = (CollectionRef::Id(inbox), Some(own.to_bytes()));
            Write::CopyItem { item: message, to, id: NewItemId::Seq, bag, flags: None }
        })
    }

    /// Deletes messages for good, as they stand in the store.
    pub fn bury(&self, items: &[ItemId]) {
        self.in_commits("deletions", items.len(), |number| Write::DeleteItem {
            item: items.get(number).copied().unwrap_or_default(),
            note: Bytes::new(),
        });
    }

    /// Changes the subject of one message of the inbox so many times.
    pub fn rewrite(&self, times: usize) {
        let (_, message, bag) = self.message();
        self.in_commits("changes", times, |number| {
            let mut own = bag.clone();
            own.set(tags::SUBJECT, Value::text(format!("Change {number}")));
            let bag = Some(own.to_bytes());
            Write::UpdateItem(ItemChange { item: message, flags: None, bag, parts: Vec::new(), content: true })
        });
    }

    /// A message of the inbox: the first of the only folder that has any.
    fn message(&self) -> (CollectionId, ItemId, Bag) {
        block_on(async {
            let mut snapshot = self.store().snapshot(self.root()).await.expect("a snapshot");
            let folders = snapshot.collections(None, COMMIT_WRITES).await.expect("the folders");
            let inbox = folders.rows.iter().find(|folder| folder.items > 0).expect("a message").collection;
            let items = snapshot.list(inbox, None, 1, Want::BAG).await.expect("the messages");
            let row = items.rows.first().expect("a message");
            (inbox, row.item, Bag::decode(&row.bag).expect("its properties"))
        })
    }

    fn in_commits(&self, what: &str, count: usize, write: impl Fn(usize) -> Write) -> Vec<ItemId> {
        let mut items = Vec::with_capacity(count);
        let is_terminal = std::io::stderr().is_terminal();
        for from in (0..count).step_by(COMMIT_WRITES) {
            let mut commit = Commit::new(self.root(), self.now());
            commit.writes.extend((from..count.min(from + COMMIT_WRITES)).map(&write));
            let Receipt { writes, .. } = block_on(self.store().commit(commit)).expect("a commit");
            items.extend(writes.iter().filter_map(|done| done.item));
            if is_terminal && count > 10 * COMMIT_WRITES {
                eprint!("\r{what}: {} of {count} ", from + writes.len());
                std::io::stderr().flush().expect("standard error");
            }
        }
        if is_terminal && count > 10 * COMMIT_WRITES {
            eprintln!();
        }
        items
    }
}
