//! Two nodes write the same root. Each remembers it as it left it, and is not to believe that.

use std::time::Duration;

use model::{CollectionId, ItemFlags, ItemId, Seq};
use store::{Commit, Guard, Store, StoreError, Write, battery::block_on};

use crate::ledger::{self, FOLDER, Fate, Ledger, ROOT};

#[test]
fn nodes_that_take_turns_see_what_the_other_did() {
    let Some(cluster) = crate::cluster("two nodes") else { return };
    let url = cluster.fresh_url();
    let nodes = [1, 2].map(|number| crate::open(&url, number, Duration::from_secs(10)));
    ledger::prepare(&nodes[0]);
    let mut ledger = Ledger::new();
    // The same one twice, so that it writes without asking; then the other.
    for (number, node) in (1..40).zip([0, 0, 1, 0, 1, 1, 1].into_iter().cycle()) {
        let fate = ledger::write(&nodes[node], number);
        assert_eq!(fate, Fate::Made(ItemId(number + 1)), "creation {number}");
        ledger.insert(number, fate);
    }
    ledger::verify(&nodes[0], &ledger);
    // What the other removed is not there, and what it counted counts.
    let commit = |writes| Commit { writes, ..Commit::new(ROOT, model::Time::from_unix(2_000)) };
    ledger::write(&nodes[0], 100);
    let folder = block_on(nodes[1].commit(commit(vec![Write::CreateCollection { parent: None, bag: "x".into() }])));
    let folder = folder.unwrap().write(0).collection.unwrap();
    let into = |folder: CollectionId| {
        let Write::CreateItem(mut new) = ledger::create(101).writes.remove(0) else { panic!("another write") };
        new.collection = folder.into();
        commit(vec![Write::CreateItem(new)])
    };
    block_on(nodes[0].commit(into(folder))).unwrap();
    block_on(nodes[0].commit(into(folder))).unwrap();
    block_on(nodes[1].commit(commit(vec![Write::DropCollection { collection: folder }]))).unwrap();
    assert_eq!(block_on(nodes[0].commit(into(folder))), Err(StoreError::NoCollection(folder)));
    let seq = block_on(nodes[1].snapshot(ROOT)).unwrap().root().last_seq;
    let items_seq = block_on(block_on(nodes[1].snapshot(ROOT)).unwrap().collection(FOLDER)).unwrap().unwrap().items_seq;
    let mut guarded = into(FOLDER);
    guarded.guards = vec![Guard::CollectionItemsAt(FOLDER, items_seq)];
    assert_eq!(block_on(nodes[0].commit(guarded.clone())).unwrap().last_seq, seq.next());
    assert_eq!(block_on(nodes[1].commit(guarded)), Err(StoreError::Conflict { guard: 0 }));
}

#[test]
fn a_root_that_another_node_made_anew_is_another_root() {
    let Some(cluster) = crate::cluster("a root made anew") else { return };
    let url = cluster.fresh_url();
    let nodes = [1, 2].map(|number| crate::open(&url, number, Duration::from_secs(10)));
    ledger::prepare(&nodes[0]);
    for number in 1..4 {
        ledger::write(&nodes[0], number);
    }
    block_on(nodes[1].drop_root(ROOT)).unwrap();
    assert_eq!(block_on(nodes[0].commit(ledger::create(4))), Err(StoreError::NoRoot(ROOT)));
    let mut other = Commit::new(ROOT, model::Time::from_unix(0));
    other.create_root = Some((store::RootKind::Mailbox, model::Guid([9; 16])));
    other.writes.push(Write::CreateCollection { parent: None, bag: "other".into() });
    other.writes.push(Write::UpdateCollection { collection: FOLDER, bag: None, parent: None });
    other.writes.push(Write::UpdateCollection { collection: FOLDER, bag: None, parent: None });
    // It stands where the old one stood.
    assert_eq!(block_on(nodes[1].commit(other)).unwrap().last_seq, Seq(3));
    let receipt = block_on(nodes[0].commit(ledger::create(5))).unwrap();
    assert_eq!(receipt.last_seq, Seq(4));
    let row = block_on(block_on(nodes[0].snapshot(ROOT)).unwrap().collection(FOLDER)).unwrap().unwrap();
    assert_eq!((row.items, row.unread, row.seq, row.items_seq), (1, 1, Seq(3), Seq(4)));
    assert_eq!(
        block_on(block_on(nodes[0].snapshot(ROOT)).unwrap().items(&[ItemId(4)], store::Want::HOT)).unwrap()[0]
            .as_ref()
            .map(|row| row.flags),
        Some(ItemFlags::default())
    );
}

#[test]
fn a_removal_that_was_cut_off_is_finished_by_the_next_node() {
    let Some(cluster) = crate::cluster("a removal cut off") else { return };
    let url = cluster.fresh_url();
    let store = crate::open(&url, 1, Duration::from_secs(10));
    ledger::prepare(&store);
    for number in 1..4 {
        ledger::write(&store, number);
    }
    cluster.sql_at(&url, &format!("UPDATE root SET kind = -1 WHERE root_id = {ROOT}")).unwrap();
    assert_eq!(block_on(store.snapshot(ROOT)).map(|_| ()), Err(StoreError::NoRoot(ROOT)));
    let next = crate::open(&url, 2, Duration::from_secs(10));
    let count =
        || cluster.sql_at(&url, "SELECT (SELECT COUNT(*) FROM root) + (SELECT COUNT(*) FROM item_part)").unwrap();
    for _ in 0..500 {
        if count() == "0" {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(count(), "0");
    drop(next);
}
