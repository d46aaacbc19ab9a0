//! Waiting for a root to move.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use model::{RootId, Seq};

use super::{
    Unpark,
    bench::{Bench, top},
    block_on,
};
use crate::{Store, StoreError};

type Changed = Result<Seq, StoreError>;
type Waiting<'a> = Pin<Box<dyn Future<Output = Changed> + Send + 'a>>;

/// How long a waiter may take to be told.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long one is watched who must not be told.
const WATCHED: Duration = Duration::from_millis(60);

/// Runs a wait on this thread until it is over, or for so long; `None` when it goes on.
fn within(waiting: &mut Waiting<'_>, patience: Duration) -> Option<Changed> {
    let until = Instant::now() + patience;
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        if let Poll::Ready(outcome) = waiting.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(outcome);
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        thread::park_timeout(left);
    }
}

/// Runs a wait to its end, which comes within [`PATIENCE`].
fn soon(mut waiting: Waiting<'_>) -> Changed {
    within(&mut waiting, PATIENCE).unwrap()
}

/// Who asks for less than is there is answered at once, with the last position.
pub fn what_is_there_is_not_waited_for(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    bench.write(vec![top("x"), top("y"), top("z")]);
    for after in 0..3 {
        assert_eq!(block_on(store.changed(bench.root, Seq(after))), Ok(Seq(3)));
    }
}

/// All who wait for a root are told when it has moved past what they know, by the position it has then; those who wait
/// for more, or for another root, wait on.
pub fn those_who_wait_are_told(store: &dyn Store) {
    let (first, second) = (Bench::new(store, 7), Bench::new(store, 8));
    first.write(vec![top("x")]);
    let mut concerned: Vec<Waiting<'_>> = (0..20).map(|_| store.changed(first.root, Seq(1))).collect();
    let mut others = [store.changed(first.root, Seq(3)), store.changed(second.root, Seq(0))];
    for waiting in concerned.iter_mut().chain(&mut others) {
        assert_eq!(within(waiting, Duration::from_millis(2)), None);
    }
    first.write(vec![top("y"), top("z")]);
    for waiting in concerned {
        assert_eq!(soon(waiting), Ok(Seq(3)));
    }
    for waiting in &mut others {
        assert_eq!(within(waiting, WATCHED), None);
    }
    second.write(vec![top("x")]);
    first.write(vec![top("a")]);
    let [more, other] = others;
    assert_eq!((soon(more), soon(other)), (Ok(Seq(4)), Ok(Seq(1))));
}

/// One who waits on a thread of its own follows every step of a writer on another.
pub fn a_waiter_follows_a_writer(store: &dyn Store) {
    const STEPS: u64 = 20;
    let bench = Bench::new(store, 7);
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..STEPS {
                bench.write(vec![top("x")]);
            }
        });
        let mut known = Seq::ZERO;
        while known < Seq(STEPS) {
            let moved = soon(store.changed(bench.root, known)).unwrap();
            assert!(moved > known, "{moved} is not above {known}");
            known = moved;
        }
        assert_eq!(known, Seq(STEPS));
    });
}

/// A root that is not there is missed at once, one that is removed by all who wait for it.
pub fn waits_end_with_the_root(store: &dyn Store) {
    let missing = block_on(store.changed(RootId(9), Seq::ZERO));
    assert_eq!(missing, Err(StoreError::NoRoot(RootId(9))));
    let bench = Bench::new(store, 7);
    let mut waiting = store.changed(bench.root, Seq::ZERO);
    assert_eq!(within(&mut waiting, Duration::from_millis(2)), None);
    block_on(store.drop_root(bench.root)).unwrap();
    assert_eq!(soon(waiting), Err(StoreError::NoRoot(bench.root)));
    assert_eq!(block_on(store.changed(bench.root, Seq::ZERO)), Err(StoreError::NoRoot(bench.root)));
}

/// A wait that is dropped leaves nothing behind: nobody keeps its waker.
pub fn a_wait_that_is_given_up_is_forgotten(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let kept = Arc::new(Unpark(thread::current()));
    for _ in 0..3 {
        let mut waiting = store.changed(bench.root, Seq::ZERO);
        let waker = Waker::from(Arc::clone(&kept));
        let until = Instant::now() + WATCHED;
        while Instant::now() < until {
            assert_eq!(waiting.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Pending);
            thread::park_timeout(Duration::from_millis(5));
        }
    }
    let until = Instant::now() + PATIENCE;
    while Arc::strong_count(&kept) > 1 {
        assert!(Instant::now() < until, "somebody keeps the waker of a wait that was given up");
        thread::park_timeout(Duration::from_millis(1));
    }
    bench.write(vec![top("x")]);
    assert_eq!(block_on(store.changed(bench.root, Seq::ZERO)), Ok(Seq(1)));
}
