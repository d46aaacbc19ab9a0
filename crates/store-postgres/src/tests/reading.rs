//! What reads cost, and parts in pieces.

use bytes::Bytes;
use model::{CollectionId, ItemId};
use sha2::{Digest, Sha256};
use store::{ChangeRow, Want};

use super::*;

const ROOT: RootId = RootId(7);
const COLLECTION: CollectionId = CollectionId(1);

/// A root with a collection of `items` items, each with a bag of its number, of which every second is gone.
fn filled(cluster: &Postgres, url: &str, items: u64) -> PostgresStore {
    let store = PostgresStore::open(url, options()).unwrap();
    let sql = format!(
        "INSERT INTO root VALUES(7, 1, '\\x000102030405060708090a0b0c0d0e0f', {items} * 2, 0, 5);
         INSERT INTO collection VALUES(7, 1, NULL, 1, 1, {items} * 2, 0, {items} / 2, 0, 0, 0);
         INSERT INTO collection_bag VALUES(7, 1, 'c');
         INSERT INTO item SELECT 7, n, 1, n, n, n, 0 FROM generate_series(2, {items}, 2) n;
         INSERT INTO item_bag SELECT 7, n, convert_to(n::text, 'UTF8') FROM generate_series(2, {items}, 2) n;
         INSERT INTO tombstone SELECT 7, 1, n, n + 1000000, n, 0, 0, 0, NULL, NULL, ''
           FROM generate_series(3, {items}, 2) n;"
    );
    cluster.sql_at(url, &sql).unwrap();
    store
}

#[test]
fn a_delta_of_ten_takes_two_round_trips() {
    let Some(cluster) = cluster("round trips") else { return };
    let store = filled(cluster, &cluster.fresh_url(), 2_000);
    // Sessions prepare what they read with when they are made.
    drop(block_on(store.snapshot(ROOT)).unwrap());
    let before = store.stats();
    let mut view = block_on(store.snapshot(ROOT)).unwrap();
    let page = block_on(view.changes(COLLECTION, Seq(1_990), 512, Want::BAG)).unwrap();
    drop(view);
    let after = store.stats();
    let seqs: Vec<u64> = page.rows.iter().map(|row| row.seq().0).collect();
    assert_eq!((seqs, page.more), ((1_991..=2_000).collect(), false));
    let Some(ChangeRow::Item(item)) = page.rows.last() else { panic!("{page:?}") };
    assert_eq!((item.item, &item.bag[..]), (ItemId(2_000), &b"2000"[..]));
    assert_eq!(after.read_flights - before.read_flights, 2);
    assert_eq!(after.read_statements - before.read_statements, 2);
    assert_eq!(after.rows_read - before.rows_read, 10);
    assert_eq!(after.sessions, before.sessions);
}

#[test]
fn a_page_costs_its_rows_however_long_the_history() {
    let Some(cluster) = cluster("rows read") else { return };
    let costs = [1_000, 20_000].map(|items| {
        let store = filled(cluster, &cluster.fresh_url(), items);
        let mut view = block_on(store.snapshot(ROOT)).unwrap();
        let mut before = store.stats();
        let mut cost = || {
            let after = store.stats();
            let cost = (after.rows_read - before.rows_read, after.read_flights - before.read_flights);
            before = after;
            cost
        };
        assert_eq!(block_on(view.changes(COLLECTION, Seq(500), 50, Want::HOT)).unwrap().rows.len(), 50);
        let changes = cost();
        assert_eq!(block_on(view.created(COLLECTION, Seq::ZERO, Seq(500), 50, Want::HOT)).unwrap().rows.len(), 50);
        let created = cost();
        assert_eq!(block_on(view.list(COLLECTION, Some(ItemId(100)), 50, Want::HOT)).unwrap().rows.len(), 50);
        let listed = cost();
        let asked = [ItemId(500), ItemId(3), ItemId(2), ItemId(500)];
        let found = block_on(view.items(&asked, Want::BAG)).unwrap();
        let found: Vec<_> = found.iter().map(|row| row.as_ref().map(|row| row.item.0)).collect();
        assert_eq!(found, [Some(500), None, Some(2), Some(500)]);
        let by_id = cost();
        [changes, created, listed, by_id]
    });
    assert_eq!(costs[0], costs[1]);
    assert_eq!(costs[0], [(2 * 51, 1), (51, 1), (51, 1), (2, 1)]);
}

/// Puts a large part of three pieces under item 2.
fn large(cluster: &Postgres, url: &str, with_hashes: bool) -> Bytes {
    let content: Vec<u8> = (0..parts::PIECE_BYTES * 5 / 2).map(|at| (at % 251) as u8).collect();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let hash = hex(&Sha256::digest(&content));
    let hashes: String = content.chunks(parts::PIECE_BYTES).map(|piece| hex(&Sha256::digest(piece))).collect();
    let pieces = if with_hashes { format!("'\\x{hashes}'") } else { "NULL".to_owned() };
    let mut sql = format!(
        "INSERT INTO item_part VALUES(7, 2, 3, {}, '\\x{hash}', NULL), (7, 2, 1, 2, NULL, 'ab');
         INSERT INTO blob_ref VALUES(7, '\\x{hash}', 1, NULL, NULL, {pieces});",
        content.len()
    );
    for (number, piece) in content.chunks(parts::PIECE_BYTES).enumerate() {
        // The bytes go by without being written out: the pattern repeats.
        let from = number * parts::PIECE_BYTES;
        let pattern: Vec<u8> = (0..251).map(|at| ((from + at) % 251) as u8).collect();
        let (pattern, times, length) = (hex(&pattern), piece.len() / 251 + 1, piece.len());
        sql += &format!(
            "INSERT INTO blob_piece VALUES(7, '\\x{hash}', {number},
               substr(decode(repeat('{pattern}', {times}), 'hex'), 1, {length}));"
        );
    }
    cluster.sql_at(url, &sql).unwrap();
    content.into()
}

#[test]
fn large_parts_come_whole_and_in_ranges() {
    let Some(cluster) = cluster("large parts") else { return };
    for with_hashes in [true, false] {
        let url = cluster.fresh_url();
        let store = filled(cluster, &url, 10);
        let content = large(cluster, &url, with_hashes);
        let mut view = block_on(store.snapshot(ROOT)).unwrap();
        assert_eq!(block_on(view.part(ItemId(2), 3)).unwrap().unwrap(), content);
        let piece = parts::PIECE_BYTES;
        let ranges =
            [(0, 10), (piece - 1, 2), (piece, piece), (piece / 2, piece), (content.len() - 3, 100), (content.len(), 1)];
        for (offset, length) in ranges {
            let range = block_on(view.part_range(ItemId(2), 3, offset as u64, length)).unwrap().unwrap();
            let end = (offset + length).min(content.len());
            assert!(range == content[offset..end], "{offset} {length}: {} bytes", range.len());
        }
        assert_eq!(block_on(view.part_range(ItemId(2), 1, 1, 9)).unwrap().unwrap(), "b");
        assert_eq!(block_on(view.part(ItemId(2), 2)).unwrap(), None);
        let sizes: Vec<_> = block_on(view.parts(ItemId(2))).unwrap().iter().map(|part| part.size_bytes).collect();
        assert_eq!(sizes, [2, content.len() as u64]);
        // One byte of the last piece is another one.
        drop(view);
        cluster.sql_at(&url, "UPDATE blob_piece SET bytes = set_byte(bytes, 9, 1) WHERE piece = 2").unwrap();
        let mut view = block_on(store.snapshot(ROOT)).unwrap();
        let damaged = |result: Result<Option<Bytes>, StoreError>| matches!(result, Err(StoreError::Corrupt(_)));
        assert!(damaged(block_on(view.part(ItemId(2), 3))));
        assert!(damaged(block_on(view.part_range(ItemId(2), 3, 2 * piece as u64, 5))));
        // With hashes of its pieces, the others can be read; without, nothing of it is believed.
        assert_eq!(damaged(block_on(view.part_range(ItemId(2), 3, 0, 5))), !with_hashes);
    }
}

#[test]
fn large_parts_come_from_an_object_store() {
    let Some(cluster) = cluster("objects") else { return };
    let folder = tempfile::tempdir().unwrap();
    let place = format!("file://{}", folder.path().display());
    let url = cluster.fresh_url();
    drop(filled(cluster, &url, 10));
    let with_blobs = || Options { blobs: Some(place.parse().unwrap()), ..options() };
    let store = PostgresStore::open(&url, with_blobs()).unwrap();
    block_on(store.check()).unwrap();
    let content: Bytes = (0..parts::PIECE_BYTES + 1_000).map(|at| (at % 253) as u8).collect();
    let rope = model::Rope::from(content.clone());
    let hash = blobs::hash_rope(&rope).unwrap();
    let stored = block_on(store.blobs.as_ref().unwrap().put(ROOT, &hash, 5, &rope)).unwrap();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (hash, pieces, name) = (hex(&hash), hex(&stored.pieces.to_bytes()), stored.name.as_str());
    let sql = format!(
        "INSERT INTO item_part VALUES(7, 2, 0, {}, '\\x{hash}', NULL);
         INSERT INTO blob_ref VALUES(7, '\\x{hash}', 1, NULL, '{name}', '\\x{pieces}');",
        content.len()
    );
    cluster.sql_at(&url, &sql).unwrap();
    let mut view = block_on(store.snapshot(ROOT)).unwrap();
    assert_eq!(block_on(view.part(ItemId(2), 0)).unwrap().unwrap(), content);
    for (offset, length) in [(0, 5), (parts::PIECE_BYTES - 2, 9), (content.len() - 1, 9), (content.len(), 9)] {
        let range = block_on(view.part_range(ItemId(2), 0, offset as u64, length)).unwrap().unwrap();
        assert_eq!(range, content[offset..(offset + length).min(content.len())], "{offset}");
    }
    // A node that was given no object store says that it cannot, not that the part is lost.
    let without = PostgresStore::open(&url, options()).unwrap();
    let mut view = block_on(without.snapshot(ROOT)).unwrap();
    assert!(matches!(block_on(view.part(ItemId(2), 0)), Err(StoreError::TryAgain(_))));
    assert!(matches!(block_on(view.part_range(ItemId(2), 0, 0, 1)), Err(StoreError::TryAgain(_))));
    assert!(matches!(block_on(without.check()), Err(Unready { part: "object store", .. })));
    // The folder is of this database, which has used one: no other takes it, and this takes no empty one.
    let other = PostgresStore::open(&cluster.fresh_url(), Options { epoch: 8, ..with_blobs() });
    assert!(matches!(other, Err(OpenError::Blobs(_))), "{other:?}");
    let empty = tempfile::tempdir().unwrap();
    let blobs = Some(format!("file://{}", empty.path().display()).parse().unwrap());
    let refused = PostgresStore::open(&url, Options { blobs, ..options() });
    assert!(matches!(refused, Err(OpenError::Blobs(_))), "{refused:?}");
    std::fs::remove_dir_all(folder.path()).unwrap();
    assert!(matches!(block_on(store.check()), Err(Unready { part: "object store", .. })));
}

#[test]
fn dead_sessions_are_replaced() {
    let Some(_) = cluster("dead sessions") else { return };
    // A cluster of its own: all of its sessions are ended.
    let options_of_cluster = cluster::Options { fsync: false, ..cluster::Options::default() };
    let Some(cluster) = cluster::or_skip(Postgres::start(options_of_cluster), "dead sessions") else { return };
    let url = cluster.fresh_url();
    let store = filled(&cluster, &url, 10);
    let mut views: Vec<_> = (0..3).map(|_| block_on(store.snapshot(ROOT)).unwrap()).collect();
    assert!(matches!(
        block_on(async { background_within(&store, store.snapshot(ROOT)).await }),
        Some(Err(StoreError::TryAgain(reason))) if reason.contains("busy")
    ));
    cluster.terminate_backends().unwrap();
    for view in &mut views {
        assert!(matches!(block_on(view.epochs()), Err(StoreError::TryAgain(_))));
    }
    drop(views);
    for _ in 0..4 {
        assert_eq!(block_on(store.snapshot(ROOT)).unwrap().root().last_seq, Seq(20));
    }
    // Also when the server itself is away for a moment, killed as by a loss of power.
    let patient = PostgresStore::open(&url, Options { patience: Duration::from_secs(60), ..options() }).unwrap();
    cluster.kill().unwrap();
    let waiting = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| block_on(patient.snapshot(ROOT)).map(|view| view.root().last_seq));
        cluster.restart().unwrap();
        waiting.join().unwrap()
    });
    assert_eq!(waiting, Ok(Seq(20)));
    cluster.kill().unwrap();
    let refused = block_on(store.snapshot(ROOT)).err();
    assert!(matches!(refused, Some(StoreError::TryAgain(_))), "{refused:?}");
    assert!(matches!(block_on(store.check()), Err(Unready { part: "database", .. })));
}

/// With more time than the store itself gives.
async fn background_within<F: Future>(store: &PostgresStore, future: F) -> Option<F::Output> {
    store.readers.background().within(store.patience * 2, future).await
}
