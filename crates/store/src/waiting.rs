//! Who waits for a root to move, for stores to tell them: the half of [`Store::changed`](crate::Store::changed) that
//! needs no database.
//!
//! A store first [listens](Waiters::listen), then reads the last position, then waits: what is committed after the read
//! finds the listener, what was committed before it was read.

use std::{
    collections::{BTreeMap, HashMap},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use model::{RootId, Seq};

/// Those who wait, by root. Telling costs those who wait for that root, and a lock where nobody does.
#[derive(Clone, Debug, Default)]
pub struct Waiters(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    roots: HashMap<RootId, BTreeMap<u64, Slot>>,
    /// The latest number that was given to a listener.
    last: u64,
}

#[derive(Debug)]
struct Slot {
    after: Seq,
    waker: Option<Waker>,
    news: Option<News>,
}

/// What became of a root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    Moved(Seq),
    Gone,
}

impl Waiters {
    /// Somebody who waits for a root to move past `after`, from this call on.
    pub fn listen(&self, root: RootId, after: Seq) -> Listener {
        let mut state = self.state();
        state.last += 1;
        let number = state.last;
        state.roots.entry(root).or_default().insert(number, Slot { after, waker: None, news: None });
        Listener { waiters: self.clone(), root, number }
    }

    /// Tells those who wait for it that a root stands at `last_seq` now. Call it when reads see that.
    pub fn moved(&self, root: RootId, last_seq: Seq) {
        self.tell(root, News::Moved(last_seq), |slot| slot.after < last_seq);
    }

    /// Tells all who wait for it that a root was removed.
    pub fn gone(&self, root: RootId) {
        self.tell(root, News::Gone, |_| true);
    }

    /// The roots that somebody waits for, each with the lowest position that is waited for to be passed, in no order:
    /// what a store has to look at that is not told of every commit.
    pub fn awaited(&self) -> Vec<(RootId, Seq)> {
        let lowest = |slots: &BTreeMap<u64, Slot>| {
            slots.values().filter(|slot| slot.news.is_none()).map(|slot| slot.after).min()
        };
        self.state().roots.iter().filter_map(|(root, slots)| Some((*root, lowest(slots)?))).collect()
    }

    fn tell(&self, root: RootId, news: News, concerns: impl Fn(&Slot) -> bool) {
        let mut wakers = Vec::new();
        {
            let mut state = self.state();
            let Some(slots) = state.roots.get_mut(&root) else { return };
            for slot in slots.values_mut().filter(|slot| slot.news.is_none() && concerns(slot)) {
                slot.news = Some(news);
                wakers.extend(slot.waker.take());
            }
        }
        // A waker may run what it wakes at once, which may listen again.
        for waker in wakers {
            waker.wake();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among those who wait, given back when this is dropped. Done when the root has moved, with its position then;
/// with `None` when it was removed.
#[derive(Debug)]
#[must_use = "nobody waits until this is awaited"]
pub struct Listener {
    waiters: Waiters,
    root: RootId,
    number: u64,
}

impl Future for Listener {
    type Output = Option<Seq>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Seq>> {
        let mut state = self.waiters.state();
        let slot = state.roots.get_mut(&self.root).and_then(|slots| slots.get_mut(&self.number));
        let Some(slot) = slot else { return Poll::Ready(None) };
        match slot.news {
            Some(News::Moved(last_seq)) => Poll::Ready(Some(last_seq)),
            Some(News::Gone) => Poll::Ready(None),
            None => {
                slot.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut state = self.waiters.state();
        let Some(slots) = state.roots.get_mut(&self.root) else { return };
        slots.remove(&self.number);
        if slots.is_empty() {
            state.roots.remove(&self.root);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        task::Wake,
    };

    use super::*;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn poll(listener: &mut Listener, wakes: &Arc<Wakes>) -> Poll<Option<Seq>> {
        Pin::new(listener).poll(&mut Context::from_waker(&Waker::from(Arc::clone(wakes))))
    }

    #[test]
    fn those_are_woken_whom_it_concerns() {
        let waiters = Waiters::default();
        let wakes: [Arc<Wakes>; 4] = Default::default();
        let places = [(7, 0), (7, 4), (7, 5), (8, 0)];
        let mut listeners = places.map(|(root, after)| waiters.listen(RootId(root), Seq(after)));
        for (listener, wakes) in listeners.iter_mut().zip(&wakes) {
            assert_eq!(poll(listener, wakes), Poll::Pending);
        }
        let woken = || wakes.each_ref().map(|wakes| wakes.0.load(Ordering::SeqCst));
        let awaited = || BTreeMap::from_iter(waiters.awaited());
        assert_eq!(awaited(), BTreeMap::from([(RootId(7), Seq(0)), (RootId(8), Seq(0))]));
        waiters.moved(RootId(7), Seq(5));
        assert_eq!(woken(), [1, 1, 0, 0]);
        assert_eq!(awaited(), BTreeMap::from([(RootId(7), Seq(5)), (RootId(8), Seq(0))]));
        waiters.moved(RootId(7), Seq(6));
        waiters.gone(RootId(8));
        waiters.gone(RootId(9));
        assert_eq!(woken(), [1, 1, 1, 1]);
        let outcomes = [0, 1, 2, 3].map(|place: usize| poll(&mut listeners[place], &wakes[place]));
        let told = [Some(Seq(5)), Some(Seq(5)), Some(Seq(6)), None];
        assert_eq!(outcomes, told.map(Poll::Ready));
        drop(listeners);
        assert!(waiters.state().roots.is_empty());
    }

    #[test]
    fn who_is_told_before_the_first_poll_is_told() {
        let waiters = Waiters::default();
        let mut listener = waiters.listen(RootId(7), Seq(0));
        waiters.moved(RootId(7), Seq(1));
        assert_eq!(poll(&mut listener, &Arc::default()), Poll::Ready(Some(Seq(1))));
    }
}
