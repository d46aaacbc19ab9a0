//! Parts of items.

use std::sync::Arc;

use bytes::Bytes;
use model::{Extent, ItemId, MemorySpool, Rope, Seq, limits::PART_RANGE_BYTES_MAX};

use super::bench::{Bench, delete, flag, part, plain, text, touch};
use crate::{ItemChange, NewItem, NewItemId, PartChange, PartData, Store, StoreError, Write};

/// Bytes that do not repeat soon.
fn noise(length: usize, seed: u8) -> Bytes {
    (0..length).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8 ^ seed).collect::<Vec<u8>>().into()
}

/// Parts of every size come back byte for byte, with their length.
pub fn large_parts_come_back_whole(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let folder = bench.folder();
    let sizes = [0, 1, 4_096, 65_535, 65_536, 65_537, 1 << 20, 5_000_000];
    let numbers = [9, 0, 1, u32::MAX, 7, 1_000_000, 2, 3];
    let parts: Vec<_> = numbers.iter().zip(sizes).map(|(number, size)| part(*number, noise(size, 0))).collect();
    let item = bench.create(NewItem { parts: parts.clone(), ..plain(folder) });
    let mut view = bench.view();
    for part in &parts {
        assert!(view.part(item, part.part) == part.bytes.to_bytes().ok(), "part of {} bytes", part.bytes.len());
    }
    let mut expected: Vec<(u32, u64)> = numbers.into_iter().zip(sizes.map(|size| size as u64)).collect();
    expected.sort_unstable();
    assert_eq!(view.parts(item), expected);
    assert_eq!((view.part(item, 77), view.part(ItemId(4_000), 1)), (None, None));
    assert_eq!(view.parts(ItemId(4_000)), []);
}

/// Ranges of parts, forwards and backwards, of several parts in turns: each the bytes that the whole has there.
pub fn parts_come_in_ranges(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let sizes = [0, 3, 65_536, 65_537, 2_500_000];
    let parts: Vec<_> = (1..).zip(sizes).map(|(number, size)| part(number, noise(size, number as u8))).collect();
    let item = bench.create(NewItem { parts: parts.clone(), ..plain(bench.folder()) });
    let mut view = bench.view();
    let offsets = [0_u64, 1, 2, 3, 65_535, 65_536, 65_537, 1_000_000, 2_499_999, 2_500_000, u64::MAX, 7, 0];
    for offset in offsets {
        for bytes_max in [0, 1, 700, PART_RANGE_BYTES_MAX, usize::MAX] {
            for part in &parts {
                let start = usize::try_from(offset).unwrap().min(part.bytes.len());
                let end = start.saturating_add(bytes_max.min(PART_RANGE_BYTES_MAX)).min(part.bytes.len());
                let came = view.part_range(item, part.part, offset, bytes_max);
                assert!(
                    came == Some(part.bytes.to_bytes().unwrap().slice(start..end)),
                    "{} at {offset}, {bytes_max}",
                    part.bytes.len()
                );
            }
        }
    }
    assert_eq!((view.part_range(item, 77, 0, 1), view.part_range(ItemId(4_000), 1, 0, 1)), (None, None));
    // What the snapshot knows stays until it ends, and the next one knows the new bytes.
    let parts = vec![PartChange::Put(part(5, noise(70_000, 9))), PartChange::Remove(4)];
    bench.one(Write::UpdateItem(ItemChange { parts, content: true, ..touch(item) }));
    assert!(view.part_range(item, 5, 2_499_000, 2_000) == Some(noise(2_500_000, 5).slice(2_499_000..)));
    assert_eq!(view.part_range(item, 4, 65_536, 9), Some(noise(65_537, 4).slice(65_536..)));
    let mut view = bench.view();
    assert!(view.part_range(item, 5, 69_000, 2_000) == Some(noise(70_000, 9).slice(69_000..)));
    assert_eq!(view.part_range(item, 4, 0, 9), None);
}

/// Changes of parts are done in order; parts they do not name stay, and so do all in a change of flags.
pub fn parts_change_in_order(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let folder = bench.folder();
    let item = bench.create(NewItem { parts: vec![part(1, "one"), part(2, "two"), part(3, "three")], ..plain(folder) });
    let change = |parts| bench.one(Write::UpdateItem(ItemChange { parts, content: true, ..touch(item) })).seq;
    let all = || {
        let mut view = bench.view();
        let numbers = view.parts(item);
        numbers.into_iter().map(|(number, _)| (number, view.part(item, number).unwrap())).collect::<Vec<_>>()
    };
    let put = |number, text: &'static str| PartChange::Put(part(number, text));
    let seq = change(vec![put(2, "TWO"), PartChange::Remove(1), put(4, "four"), PartChange::Remove(9)]);
    assert_eq!(all(), [(2, text("TWO")), (3, text("three")), (4, text("four"))]);
    assert_eq!((bench.row(item).seq, bench.row(item).content_seq), (seq, Seq(3)));
    bench.one(flag(item, model::ItemFlags::READ));
    assert_eq!(all().len(), 3);
    change(vec![put(5, "lost"), PartChange::Clear, put(6, "a"), put(6, "b"), put(7, "c"), PartChange::Remove(7)]);
    assert_eq!(all(), [(6, text("b"))]);
    bench.one(Write::UpdateItem(ItemChange { bag: Some(text("x")), content: true, ..touch(item) }));
    assert_eq!(all(), [(6, text("b"))]);
    change(vec![PartChange::Clear]);
    assert_eq!(all(), []);
}

/// Parts go along with a move and are there twice after a copy.
pub fn copies_and_moves_keep_parts(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let (from, to) = (bench.folder(), bench.folder());
    let (small, large) = (text("small"), noise(1 << 20, 1));
    let parts = vec![part(1, small.clone()), part(2, large.clone())];
    let item = bench.create(NewItem { parts, ..plain(from) });
    let (to, id) = (to.into(), NewItemId::Seq);
    let copy = bench.one(Write::CopyItem { item, to, id, bag: None, flags: None }).item.unwrap();
    let moved = bench.one(Write::MoveItem { item, to, id, bag: None, note: text("") }).item.unwrap();
    let same = NewItemId::Given(moved);
    bench.one(Write::MoveItem { item: moved, to, id: same, bag: None, note: text("") });
    let mut view = bench.view();
    for item in [copy, moved] {
        assert_eq!(view.part(item, 1), Some(small.clone()));
        assert!(view.part(item, 2).as_ref() == Some(&large));
        assert_eq!(view.parts(item), [(1, 5), (2, 1 << 20)]);
    }
    assert_eq!(view.parts(item), []);
    // The copy's parts are its own.
    let parts = vec![PartChange::Put(part(1, "other")), PartChange::Remove(2)];
    bench.one(Write::UpdateItem(ItemChange { parts, content: true, ..touch(copy) }));
    let mut view = bench.view();
    assert_eq!((view.part(moved, 1), view.part(copy, 1)), (Some(small), Some(text("other"))));
    assert!(view.part(moved, 2).as_ref() == Some(&large));
}

/// Items may have equal large parts, in one root or several; they stay until the last of them goes.
pub fn equal_parts_live_as_long_as_one_needs_them(store: &dyn Store) {
    let (bench, other) = (Bench::new(store, 7), Bench::new(store, 8));
    let bytes = noise(300_000, 2);
    let new = |bench: Bench<'_>, numbers: &[u32]| {
        let parts = numbers.iter().map(|number| part(*number, bytes.clone())).collect();
        bench.create(NewItem { parts, ..plain(bench.folder()) })
    };
    let (first, second, elsewhere) = (new(bench, &[1, 2]), new(bench, &[1]), new(other, &[1]));
    let there = |bench: Bench<'_>, item, number| bench.view().part(item, number).as_ref() == Some(&bytes);
    let parts = vec![PartChange::Remove(1)];
    bench.one(Write::UpdateItem(ItemChange { parts, content: true, ..touch(first) }));
    assert!(there(bench, first, 2) && there(bench, second, 1) && !there(bench, first, 1));
    // Put again with what it holds.
    let parts = vec![PartChange::Put(part(1, bytes.clone()))];
    bench.one(Write::UpdateItem(ItemChange { parts, content: true, ..touch(second) }));
    bench.one(delete(first));
    assert!(there(bench, second, 1) && there(other, elsewhere, 1));
    bench.one(delete(second));
    assert!(!there(bench, second, 1) && there(other, elsewhere, 1));
    // Deleted and created anew in one commit.
    let third = new(bench, &[1]);
    let collection = bench.row(third).collection;
    let again = NewItem { parts: vec![part(1, bytes.clone())], ..plain(collection) };
    let fourth = bench.write(vec![delete(third), Write::CreateItem(again)]).write(1).item.unwrap();
    assert!(there(bench, fourth, 1));
    // A failed deletion leaves it.
    bench.try_write(vec![delete(fourth), delete(ItemId(4_000))]).unwrap_err();
    assert!(there(bench, fourth, 1));
    bench.one(Write::DropCollection { collection });
    super::block_on(store.drop_root(bench.root)).unwrap();
    assert!(there(other, elsewhere, 1));
}

/// An item takes its parts along when it goes; an item that comes back under its id has none of them.
pub fn parts_go_with_their_item(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let folder = bench.folder();
    let item = bench.create(NewItem { parts: vec![part(1, "one"), part(2, noise(100_000, 3))], ..plain(folder) });
    bench.one(delete(item));
    assert_eq!((bench.view().part(item, 1), bench.view().part(item, 2)), (None, None));
    bench.create(NewItem { id: NewItemId::Given(item), ..plain(folder) });
    assert_eq!(bench.view().parts(item), []);
}

/// Parts whose bytes lie in a spool, in pieces of it and of memory, come back as others do. Where the spool cannot be read
/// nothing is written.
pub fn parts_may_lie_outside_of_memory(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let folder = bench.folder();
    let content = noise(3_000_000, 1);
    let spool = Arc::new(MemorySpool::from(content.to_vec()));
    let spooled = |offset: usize, bytes: usize| {
        Rope::spooled(Extent { spool: spool.clone(), offset: offset as u64, bytes: bytes as u64 })
    };
    let mut mixed = Rope::from(&b"head"[..]);
    mixed.append(spooled(5, 1_000_000));
    mixed.append(&b"tail"[..]);
    let parts =
        [(1, spooled(0, 3_000_000)), (2, mixed), (3, spooled(7, 100)), (4, spooled(0, 0)), (5, Rope::default())];
    let parts = parts.map(|(part, bytes)| PartData { part, bytes });
    let item = bench.create(NewItem { parts: parts[..2].to_vec(), ..plain(folder) });
    let more = parts[2..].iter().cloned().map(PartChange::Put).collect();
    bench.one(Write::UpdateItem(ItemChange { parts: more, content: true, ..touch(item) }));
    let mut view = bench.view();
    assert!(view.part(item, 1).unwrap() == content);
    assert!(view.part(item, 2).unwrap() == [&b"head"[..], &content[5..1_000_005], b"tail"].concat());
    assert!(view.part(item, 3).unwrap() == content[7..107]);
    assert_eq!((view.part(item, 4).unwrap(), view.part(item, 5).unwrap()), (Bytes::new(), Bytes::new()));
    assert_eq!(view.parts(item), [(1, 3_000_000), (2, 1_000_008), (3, 100), (4, 0), (5, 0)]);
    for bytes in [100, 100_000] {
        let lost = PartData { part: 1, bytes: spooled(2_999_990, bytes) };
        let change = ItemChange { parts: vec![PartChange::Put(lost)], content: true, ..touch(item) };
        assert!(matches!(bench.try_write(vec![Write::UpdateItem(change)]), Err(StoreError::TryAgain(_))), "{bytes}");
        assert!(bench.view().part(item, 1).unwrap() == content);
    }
}
