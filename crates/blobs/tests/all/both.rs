//! What holds for a folder and for a bucket.

use std::sync::Arc;

use blobs::{BlobError, Counts, PIECE_BYTES, Settings, hash_rope};
use model::{Extent, MemorySpool, RootId, Rope, Spool, Time};
use store::{StoreError, battery::block_on};

use crate::{Place, ROOT, content, distant};

/// A test of each behaviour on a folder, and one on an S3 server.
macro_rules! on_both {
    ($($behaviour:ident),* $(,)?) => {
        mod folder {
            $(#[test] fn $behaviour() { super::$behaviour(&super::Place::folder()); })*
        }
        mod s3 {
            $(#[test] fn $behaviour() {
                if let Some(place) = super::Place::s3(stringify!($behaviour)) { super::$behaviour(&place); }
            })*
        }
    };
}

/// The same on any store: `HIGHWATER_TEST_BLOBS=az://… cargo test -p blobs elsewhere`, with a container that is empty.
#[test]
fn elsewhere() {
    let Ok(address) = std::env::var("HIGHWATER_TEST_BLOBS") else { return };
    let place = |name: &str| {
        let (place, parameters) = address.split_once('?').unwrap_or((&address, ""));
        Place::at(format!("{place}/{name}?{parameters}"), Settings::default())
    };
    content_of_every_length_comes_back_in_ranges_and_whole(&place("content"));
    what_lies_outside_of_memory_is_stored_as_it_is_read(&place("spools"));
    a_walk_sees_what_is_there_and_removing_may_be_repeated(&place("walks"));
    one_database_owns_a_place(&place("owners"));
}

on_both! {
    content_of_every_length_comes_back_in_ranges_and_whole,
    what_lies_outside_of_memory_is_stored_as_it_is_read,
    a_walk_sees_what_is_there_and_removing_may_be_repeated,
    one_database_owns_a_place,
    what_is_lost_is_told_from_a_store_that_is_not_there,
}

fn content_of_every_length_comes_back_in_ranges_and_whole(place: &Place) {
    let lengths = [1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 5 * PIECE_BYTES, 5 * PIECE_BYTES + 1, 11 << 20];
    for (nonce, length) in lengths.into_iter().enumerate() {
        let expected = content(length);
        let (name, pieces) = place.put(&expected, nonce as u64);
        assert_eq!(pieces.count(), length.div_ceil(PIECE_BYTES));
        assert!(block_on(place.blobs.get(&name, &pieces)).unwrap() == expected, "{length} whole");
        for (offset, bytes_max) in [
            (0, 1),
            (length - 1, 1),
            (length / 2, 70_000),
            (length - 1, PIECE_BYTES),
            (PIECE_BYTES - 3, 9),
            (PIECE_BYTES / 2, PIECE_BYTES),
            (length, 5),
            (length + 9, 5),
            (3, 0),
        ] {
            let range = block_on(place.blobs.range(&name, &pieces, offset as u64, bytes_max)).unwrap();
            let start = offset.min(length);
            assert!(range == expected[start..(start + bytes_max).min(length)], "{length}: {offset}+{bytes_max}");
        }
        // Small steps read each piece once.
        let before = place.blobs.counts().reads;
        let mut reader = place.blobs.reader(name, pieces.clone());
        let mut whole = Vec::new();
        loop {
            let range = block_on(reader.read(whole.len() as u64, 100_000)).unwrap();
            whole.extend_from_slice(&range);
            if range.is_empty() {
                break;
            }
        }
        assert!(whole == expected, "{length} in steps");
        assert_eq!(place.blobs.counts().reads - before, pieces.count() as u64, "{length}");
    }
}

fn what_lies_outside_of_memory_is_stored_as_it_is_read(place: &Place) {
    let bytes = content(12 << 20);
    let spool: Arc<dyn Spool> = Arc::new(MemorySpool::from(bytes.clone()));
    let mut rope = Rope::from(&b"head"[..]);
    rope.append(Rope::spooled(Extent { spool: Arc::clone(&spool), offset: 5, bytes: 11 << 20 }));
    let expected = [b"head", &bytes[5..(11 << 20) + 5]].concat();
    let hash = hash_rope(&rope).unwrap();
    let stored = block_on(place.blobs.put(ROOT, &hash, 1, &rope)).unwrap();
    assert!(block_on(place.blobs.get(&stored.name, &stored.pieces)).unwrap() == expected);
    assert_eq!((stored.name.root(), stored.name.hash()), (ROOT, &hash));

    // What cannot be read, or is something else, is refused; in parts, nothing of it stands.
    let beyond = Rope::spooled(Extent { spool, offset: 6 << 20, bytes: 12 << 20 });
    let unreadable = block_on(place.blobs.put(ROOT, &hash, 2, &beyond)).unwrap_err();
    assert!(matches!(unreadable, BlobError::Content(_)), "{unreadable}");
    let other = block_on(place.blobs.put(ROOT, &[9; 32], 3, &rope)).unwrap_err();
    assert!(matches!(other, BlobError::Content(_)), "{other}");
    assert_eq!(place.listed(None, distant()).len(), 1);
    assert!(matches!(StoreError::from(other), StoreError::TryAgain(_)));
}

fn a_walk_sees_what_is_there_and_removing_may_be_repeated(place: &Place) {
    let (one, pieces) = place.put(b"one", 1);
    let (two, _) = place.put(b"two", 2);
    let rope = Rope::from(&b"three"[..]);
    let three = block_on(place.blobs.put(RootId(70), &hash_rope(&rope).unwrap(), 3, &rope)).unwrap().name;
    let mut expected = [format!("{one} 3"), format!("{two} 3"), format!("{three} 5")];
    expected.sort();
    assert_eq!(place.listed(None, distant()), expected);
    assert_eq!(place.listed(Some(RootId(70)), distant()), [format!("{three} 5")]);
    assert!(place.listed(None, Time::from_date(2000, 1, 1)).is_empty());
    block_on(place.blobs.delete(&[one.clone(), three.clone()])).unwrap();
    block_on(place.blobs.delete(&[one.clone(), three])).unwrap();
    assert_eq!(place.listed(None, distant()), [format!("{two} 3")]);
    assert_eq!(block_on(place.blobs.get(&one, &pieces)), Err(BlobError::Missing(one)));
    let Counts { puts, put_bytes, deletes, .. } = place.blobs.counts();
    assert_eq!((puts, put_bytes, deletes), (3, 11, 4));
}

fn one_database_owns_a_place(place: &Place) {
    block_on(place.again().claim("database-1", false)).unwrap();
    block_on(place.again().claim("database-1", true)).unwrap();
    block_on(place.again().check()).unwrap();
    for first in [true, false] {
        let other = block_on(place.again().claim("database-2", first)).unwrap_err();
        assert!(matches!(&other, BlobError::Foreign(text) if text.contains("(database-1)")), "{other}");
    }
}

/// A bucket or folder without the object of the owner is not ours, and says nothing about what was in ours.
fn what_is_lost_is_told_from_a_store_that_is_not_there(place: &Place) {
    let (name, pieces) = place.put(b"here", 1);
    block_on(place.blobs.delete(std::slice::from_ref(&name))).unwrap();
    let lost = block_on(place.blobs.get(&name, &pieces)).unwrap_err();
    assert_eq!(lost, BlobError::Missing(name.clone()));
    assert!(matches!(StoreError::from(lost), StoreError::Corrupt(_)));
    let address = match place.address.split_once("/parts") {
        Some((bucket, parameters)) => format!("{bucket}/elsewhere{parameters}"),
        None => format!("{}/elsewhere", place.address),
    };
    let elsewhere =
        blobs::Blobs::open(&address.parse().unwrap(), Settings::default(), place.runtime.handle().clone()).unwrap();
    let error = block_on(elsewhere.claim("database-1", false)).unwrap_err();
    assert!(matches!(&error, BlobError::Foreign(text) if text.contains("no object .highwater")), "{error}");
    assert!(matches!(block_on(elsewhere.check()), Err(BlobError::Unavailable(_))));
    let away = block_on(elsewhere.get(&name, &pieces)).unwrap_err();
    assert!(matches!(away, BlobError::Unavailable(_)), "{away}");
    assert!(matches!(StoreError::from(away), StoreError::TryAgain(_)));
    assert!(block_on(elsewhere.walk(None, distant()).next()).is_err());
}
