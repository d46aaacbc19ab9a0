//! Whether the program lives (`/healthz`) and whether it may be given requests (`/readyz`), for those who watch it and for
//! what spreads requests over several of it. Both answer without a login and beside all limits on requests.

use std::{sync::Arc, time::Duration};

use engine::Engine;
use http::{Response, StatusCode};
use tokio::{
    runtime::Handle,
    sync::{Mutex, Semaphore, watch},
    time::{Instant, timeout},
};

use crate::{adapters::Body, answer};

/// How long the parts of the store may take to answer before they count as out of reach.
const CHECK_WAIT: Duration = Duration::from_secs(3);
/// How long an answer holds: whoever asks more often costs the store nothing more.
const CHECK_HOLDS: Duration = Duration::from_millis(250);
/// Checks that have not come back, at most; each takes a thread.
const CHECKS_MAX: usize = 4;

/// How far the end of the program has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// It serves.
    Serving,
    /// It serves, but asks not to be given more: who spreads requests takes note meanwhile.
    Leaving,
    /// It accepts nothing any more and ends what is under way.
    Ending,
}

/// What is known of one's own health.
pub(crate) struct Health {
    engine: Engine,
    phase: watch::Receiver<Phase>,
    /// The part that failed at the last check, if any, and when that was.
    last: Mutex<Option<(Instant, Option<&'static str>)>>,
    checks: Arc<Semaphore>,
}

impl Health {
    pub(crate) fn new(engine: Engine, phase: watch::Receiver<Phase>) -> Self {
        Self { engine, phase, last: Mutex::default(), checks: Arc::new(Semaphore::new(CHECKS_MAX)) }
    }

    /// How far the end of the program has come.
    pub(crate) fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// That this answers says that the program lives. Asks nobody.
    pub(crate) fn alive() -> Response<Body> {
        answer::text(StatusCode::OK, "ok\n")
    }

    /// 200, or 503 with what is not ready, one line each. Says of a store only which part fails; why is in the log.
    pub(crate) async fn ready(&self) -> Response<Body> {
        let mut faults = String::new();
        if self.phase() > Phase::Serving {
            faults.push_str("draining\n");
        }
        if let Some(part) = self.failing().await {
            faults.push_str(&format!("{part}: cannot be used\n"));
        }
        if faults.is_empty() {
            return answer::text(StatusCode::OK, "ready\n");
        }
        answer::typed(StatusCode::SERVICE_UNAVAILABLE, "text/plain; charset=utf-8", faults)
    }

    /// The part of the store that cannot be used. Several who ask at once share one look.
    async fn failing(&self) -> Option<&'static str> {
        let mut last = self.last.lock().await;
        if let Some((at, failing)) = *last
            && at.elapsed() < CHECK_HOLDS
        {
            return failing;
        }
        let failing = self.look().await;
        if last.is_none_or(|(_, before)| before != failing) {
            match failing {
                Some(part) => tracing::warn!("not ready: {part}"),
                None => tracing::info!("ready"),
            }
        }
        *last = Some((Instant::now(), failing));
        failing
    }

    async fn look(&self) -> Option<&'static str> {
        // Those before have not come back: neither would this one.
        let Ok(permit) = Arc::clone(&self.checks).try_acquire_owned() else { return Some("store") };
        let engine = self.engine.clone();
        let check = tokio::task::spawn_blocking(move || {
            let found = Handle::current().block_on(engine.check());
            drop(permit);
            found
        });
        match timeout(CHECK_WAIT, check).await {
            Ok(Ok(Ok(()))) => None,
            Ok(Ok(Err(unready))) => {
                tracing::debug!("{unready}");
                Some(unready.part)
            }
            Ok(Err(_)) | Err(_) => Some("store"),
        }
    }
}
