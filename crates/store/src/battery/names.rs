//! Names.

use bytes::Bytes;

use super::{
    bench::{Bench, plain, text, top},
    block_on,
    dump::goes_on,
};
use crate::{NameTarget, Store, StoreError, Write};

const fn put(scope: u64, name: Bytes, target: u64) -> Write {
    Write::PutName { scope, name, target: NameTarget::Id(target) }
}

/// A name leads to the target it was last given, inside its scope, until it is dropped; no position is taken.
pub fn a_name_leads_to_its_latest_target(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let folder = bench.folder();
    let last_seq = bench.last_seq();
    bench.write(vec![put(1, text("a"), 10), put(2, text("a"), 20), put(1, text("A"), 30)]);
    let found = || {
        let mut view = bench.view();
        (view.name(1, "a"), view.name(2, "a"), view.name(1, "A"), view.name(3, "a"))
    };
    assert_eq!(found(), (Some(10), Some(20), Some(30), None));
    bench.write(vec![put(1, text("a"), 11), put(1, text("a"), 12)]);
    assert_eq!(found(), (Some(12), Some(20), Some(30), None));
    let receipt =
        bench.write(vec![Write::DropName { scope: 1, name: text("a") }, Write::DropName { scope: 3, name: text("a") }]);
    assert_eq!(found(), (None, Some(20), Some(30), None));
    assert_eq!(receipt.last_seq, last_seq);
    assert_eq!(receipt.writes, [crate::WriteReceipt::default(); 2]);
    // Names outlive what they lead to: their meaning is the engine's.
    bench.write(vec![put(1, text("f"), folder.0), Write::DropCollection { collection: folder }]);
    assert_eq!(bench.view().name(1, "f"), Some(folder.0));
}

/// A name can lead to what an earlier write of its commit created.
pub fn targets_may_be_created_in_the_same_commit(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let folder = bench.folder();
    let named = |name, index| Write::PutName { scope: 1, name: text(name), target: NameTarget::Write(index) };
    let receipt = bench.write(vec![top("x"), Write::CreateItem(plain(folder)), named("folder", 0), named("item", 1)]);
    let mut view = bench.view();
    assert_eq!(view.name(1, "folder"), receipt.write(0).collection.map(|id| id.0));
    assert_eq!(view.name(1, "item"), receipt.write(1).item.map(|id| id.0));
    for writes in [vec![named("a", 0)], vec![named("a", 1), top("x")], vec![put(1, text("a"), 1), named("b", 0)]] {
        let result = bench.try_write(writes);
        assert!(matches!(result, Err(StoreError::TooLarge(_))), "{result:?}");
    }
}

/// The names of a scope come in the order of their bytes, page by page.
pub fn names_are_paged_in_order(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let names: [&[u8]; 8] = [b"\0", b"\0\xff", b"Z", b"a", b"a\0", b"aa", b"b", b"\xff\xff"];
    let mut writes: Vec<Write> =
        (0..).zip(names).map(|(target, name)| put(5, Bytes::from_static(name), target)).collect();
    writes.reverse();
    writes.push(put(4, text("other"), 1));
    writes.push(put(6, text("other"), 1));
    bench.write(writes);
    let mut view = bench.view().0;
    for limit in 1..=9 {
        let mut after: Option<Bytes> = None;
        let mut found = Vec::new();
        loop {
            let page = block_on(view.names(5, after.as_deref(), limit)).unwrap();
            assert!(page.rows.len() <= limit);
            goes_on(&page, found.len());
            found.extend(page.rows.iter().cloned());
            assert_eq!(page.more, found.len() < names.len(), "limit {limit}");
            after = found.last().map(|(name, _)| name.clone());
            if !page.more {
                break;
            }
        }
        let expected: Vec<(Bytes, u64)> = names.iter().map(|name| Bytes::from_static(name)).zip(0..).collect();
        assert_eq!(found, expected, "limit {limit}");
    }
    assert_eq!(block_on(view.names(5, Some(b"a\0\0"), 1)).unwrap().rows, [(text("aa"), 5)]);
    assert_eq!(block_on(view.names(9, None, 5)).unwrap().rows, []);
}
