//! Trimming and the time line of positions.

use model::{Seq, Time};

use super::{
    bench::{AT, Bench, delete, plain, top},
    block_on,
};
use crate::{Store, Write, WriteReceipt};

const fn trim(before: Time, rows_max: usize) -> Write {
    Write::TrimTombstones { before, rows_max }
}

/// Trimming removes what went before the time and moves the marks of the collection, and for spans of the root.
pub fn trimming_moves_the_marks(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let (folder, other) = (bench.folder(), bench.folder());
    let (first, second, third) = (bench.item(folder), bench.item(folder), bench.item(other));
    let inner = bench.folder_in(folder);
    let at = |seconds| AT.plus_seconds(seconds);
    bench.write_at(at(10), vec![delete(first)]);
    bench.write_at(at(20), vec![Write::DropCollection { collection: inner }]);
    bench.write_at(at(30), vec![delete(second)]);
    bench.write_at(at(40), vec![delete(third)]);
    let before = bench.collection(folder);
    // What went at the time itself stays.
    assert_eq!(bench.one(trim(at(10), 100)), WriteReceipt::default());
    assert_eq!(bench.one(trim(at(30), 100)), WriteReceipt { rows: 2, ..WriteReceipt::default() });
    let mut view = bench.view();
    assert_eq!(view.history(folder), [(9, second, false)]);
    let row = view.collection(folder).unwrap();
    assert_eq!(row, crate::CollectionRow { purged_seq: Seq(7), ..before });
    assert_eq!(view.collection(other).unwrap().purged_seq, Seq::ZERO);
    assert_eq!((view.0.root().purged_seq, view.0.root().last_seq), (Seq(8), Seq(10)));
    let spans = block_on(view.0.spans(Seq::ZERO)).unwrap();
    assert_eq!(spans.iter().map(|span| span.collection).collect::<Vec<_>>(), [folder, other]);
    // A moved folder has an ended span too; the lasting one stays.
    bench.write_at(at(50), vec![Write::UpdateCollection { collection: other, bag: None, parent: Some(Some(folder)) }]);
    assert_eq!(bench.one(trim(at(60), 100)).rows, 3);
    let mut view = bench.view();
    assert_eq!(
        (view.collection(folder).unwrap().purged_seq, view.collection(other).unwrap().purged_seq),
        (Seq(9), Seq(10))
    );
    assert_eq!(view.0.root().purged_seq, Seq(11));
    let spans = block_on(view.0.spans(Seq::ZERO)).unwrap();
    assert_eq!(spans.iter().map(|span| span.from_seq).collect::<Vec<_>>(), [Seq(1), Seq(11)]);
    assert_eq!(bench.one(trim(at(60), 100)).rows, 0);
    assert_eq!(bench.view().0.root().purged_seq, Seq(11));
}

/// Trimming removes at most as many rows as it may, in order of position.
pub fn trimming_keeps_to_its_bounds(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let folder = bench.folder();
    let inner = bench.folder_in(folder);
    let items: Vec<_> = (0..5).map(|_| bench.item(folder)).collect();
    bench.one(delete(items[4]));
    bench.one(Write::DropCollection { collection: inner });
    for item in &items[..4] {
        bench.one(delete(*item));
    }
    let later = AT.plus_seconds(1);
    let marks = || (bench.collection(folder).purged_seq.0, bench.view().0.root().purged_seq.0);
    assert_eq!((bench.one(trim(later, 0)).rows, marks()), (0, (0, 0)));
    assert_eq!((bench.one(trim(later, 1)).rows, marks()), (1, (8, 0)));
    assert_eq!((bench.one(trim(later, 1)).rows, marks()), (1, (8, 9)));
    assert_eq!((bench.one(trim(later, 3)).rows, marks()), (3, (12, 9)));
    assert_eq!(bench.view().history(folder), [(13, items[3], false)]);
    assert_eq!((bench.one(trim(later, 3)).rows, marks()), (1, (13, 9)));
}

/// Reading from the position of a time misses nothing that was written then or later, and little more is read.
pub fn position_at_misses_nothing(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    // The root was created in the minute of `AT`, and the first commits fall into it.
    let minute = Time(AT.0 - AT.0.rem_euclid(60 * Time::SECOND));
    let at = |seconds| minute.plus_seconds(seconds);
    let folder = bench.write_at(at(70), vec![top("folder")]).write(0).collection.unwrap();
    let item = || vec![Write::CreateItem(plain(folder))];
    bench.write_at(at(110), item());
    bench.write_at(at(185), item());
    bench.write_at(at(200), item());
    bench.write_at(at(400), item());
    let expected = [
        (-1_000_000, 0),
        (0, 0),
        (60, 0),
        (70, 0),
        (119, 0),
        (120, 2),
        (179, 2),
        (180, 2),
        (190, 2),
        (239, 2),
        (240, 4),
        (399, 4),
        (419, 4),
        (420, 5),
        (1_000_000, 5),
    ];
    let mut view = bench.view().0;
    for (seconds, position) in expected {
        assert_eq!(block_on(view.position_at(at(seconds))).unwrap(), Seq(position), "{seconds} seconds");
    }
}

/// A commit with an earlier time than the one before it is not missed, nor is the one before it.
pub fn position_at_survives_a_clock_that_goes_back(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let times = [0, 600, 300, 310, 900, 30, 620];
    let written: Vec<(Time, Seq)> = times
        .iter()
        .map(|seconds| {
            let at = AT.plus_seconds(*seconds);
            (at, bench.write_at(at, vec![top("folder")]).last_seq)
        })
        .collect();
    let mut view = bench.view().0;
    for seconds in (-60..1_000).step_by(10) {
        let time = AT.plus_seconds(seconds);
        let position = block_on(view.position_at(time)).unwrap();
        for (at, seq) in written.iter().filter(|(at, _)| *at >= time) {
            assert!(*seq > position, "what was written at {at} is missed from {time}");
        }
    }
}
