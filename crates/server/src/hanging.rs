//! Requests that hang: how many there may be, and when they are over.
//!
//! They stand beside the limits on requests: while nothing happens one costs a connection, a task and a place here, no
//! thread.

use std::{
    any::Any,
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ews::{Hangs, Surroundings, Wait};
use model::RootId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::{config::Config, health::Phase};

/// The places for them.
pub(crate) struct Places {
    all: Arc<Semaphore>,
    of_account_max: u64,
    taken: Arc<Taken>,
    phase: watch::Receiver<Phase>,
}

/// How many places each account has taken, where it has any.
type Taken = Mutex<HashMap<RootId, u64>>;

/// Says to a request that its client is gone, and whether it had taken all that it was given.
pub(crate) type Gone = watch::Sender<Option<Taking>>;

/// What a client that is gone had taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taking {
    /// Every piece that it was given.
    All,
    /// Not the last one.
    Less,
}

impl Places {
    /// All free. Requests are over when the program ends: until then, whoever came again would come here.
    pub(crate) fn new(config: &Config, phase: watch::Receiver<Phase>) -> Arc<Self> {
        let all = usize::try_from(config.hanging_requests_max).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Arc::new(Self {
            all: Arc::new(Semaphore::new(all)),
            of_account_max: config.hanging_requests_per_account_max,
            taken: Arc::default(),
            phase,
        })
    }

    /// The surroundings of a request, and the way to tell it that its client is gone.
    pub(crate) fn surroundings(self: &Arc<Self>) -> (Hangs, Gone) {
        let (gone, is_gone) = watch::channel(None);
        (Hangs(Arc::new(Around { places: Arc::clone(self), is_gone })), gone)
    }
}

struct Around {
    places: Arc<Places>,
    is_gone: watch::Receiver<Option<Taking>>,
}

impl Surroundings for Around {
    fn after(&self, wait: Duration) -> Wait {
        Box::pin(tokio::time::sleep(wait))
    }

    fn over(&self) -> Wait {
        let (mut phase, mut is_gone) = (self.places.phase.clone(), self.is_gone.clone());
        Box::pin(async move {
            // Where the other end is gone, that is over, too.
            tokio::select! {
                _ = phase.wait_for(|phase| *phase == Phase::Ending) => {}
                _ = is_gone.wait_for(Option::is_some) => {}
            }
        })
    }

    fn lost(&self) -> bool {
        *self.is_gone.borrow() == Some(Taking::Less)
    }

    fn place(&self, account: RootId) -> Option<Box<dyn Any + Send>> {
        let permit = Arc::clone(&self.places.all).try_acquire_owned().ok()?;
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(account).or_default();
        if *count >= self.places.of_account_max {
            return None;
        }
        *count += 1;
        Some(Box::new(Place { account, taken: Arc::clone(&self.places.taken), _permit: permit }))
    }
}

/// A place that is taken.
struct Place {
    account: RootId,
    taken: Arc<Taken>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.account) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn places_are_bounded_and_given_back() {
        let config = Config { hanging_requests_max: 3, hanging_requests_per_account_max: 2, ..Config::default() };
        let (phase, phases) = watch::channel(Phase::Serving);
        let places = Places::new(&config, phases);
        let (Hangs(around), gone) = places.surroundings();
        let take = |account| around.place(RootId(account));
        let mut held: Vec<_> = [1, 1, 1, 2, 3].map(take).into_iter().collect();
        assert_eq!(held.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, false, true, false]);
        held.remove(0);
        assert!(take(3).is_some());
        held.clear();
        assert!(places.taken.lock().unwrap().is_empty());
        // Over when the client is gone, or the program ends.
        gone.send_replace(Some(Taking::Less));
        around.over().await;
        assert!(around.lost());
        let (Hangs(around), gone) = places.surroundings();
        phase.send_replace(Phase::Ending);
        around.over().await;
        drop(gone);
    }
}
