//! Work beside requests: leases, what is past the retention, mail that waits, indexes that are not built.

use std::time::Duration;

use engine::{BEAT_SECONDS, Engine, EngineError, Walk, Work};
use futures_util::future::BoxFuture;
use tokio::{
    runtime::{Handle, Runtime},
    time::{Instant, MissedTickBehavior, interval, sleep},
};

use crate::Config;

/// Pause between two looks at whether an index of a large list was switched on.
const INDEX_PAUSE: Duration = Duration::from_millis(500);
/// How long after a failed delivery it is tried again.
const DELIVERY_INTERVAL: Duration = Duration::from_secs(5);
/// Between two looks at whether there is something to do for who holds a lease.
const LOOK_INTERVAL: Duration = Duration::from_secs(BEAT_SECONDS.unsigned_abs());

/// Begins the work. What this server itself has begun it goes on with in any case; what is done for all, where it is set to.
pub(crate) fn start(runtime: &Runtime, engine: &Engine, config: &Config) {
    let takes = config.background_work;
    if !engine.settings().alone {
        runtime.spawn(beat(engine.clone(), takes));
    }
    runtime.spawn(deliver(engine.clone()));
    runtime.spawn(build_indexes(engine.clone()));
    if takes {
        runtime.spawn(recover(engine.clone()));
        runtime.spawn(trim(engine.clone(), config.trim_interval_seconds));
    }
}

/// Runs something on a thread that may block. What fails is logged with what it was.
async fn blocking<T: Send + 'static>(
    engine: &Engine,
    what: &'static str,
    work: impl FnOnce(Engine) -> BoxFuture<'static, Result<T, EngineError>> + Send + 'static,
) -> Option<T> {
    let engine = engine.clone();
    match tokio::task::spawn_blocking(move || Handle::current().block_on(work(engine))).await {
        Ok(Ok(done)) => Some(done),
        Ok(Err(error)) => {
            tracing::error!("cannot {what}: {error}");
            None
        }
        Err(error) => {
            tracing::error!("cannot {what}: {error}");
            None
        }
    }
}

fn ticks(every: Duration) -> tokio::time::Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Says that this server lives, and takes over what nobody does.
async fn beat(engine: Engine, takes: bool) {
    let mut ticks = ticks(LOOK_INTERVAL);
    loop {
        ticks.tick().await;
        let _ =
            blocking(&engine, "renew leases", move |engine| Box::pin(async move { engine.beat(takes).await })).await;
    }
}

/// Delivers what this server could not deliver at once.
async fn deliver(engine: Engine) {
    let mut ticks = ticks(DELIVERY_INTERVAL);
    loop {
        ticks.tick().await;
        let deliver = |engine: Engine| -> BoxFuture<'static, _> { Box::pin(async move { engine.deliver().await }) };
        let delivered = blocking(&engine, "deliver what is in an outbox", deliver).await;
        if let Some(count @ 1..) = delivered {
            tracing::info!("delivered {count} messages that had to wait");
        }
    }
}

/// Builds the indexes that requests to this server have begun.
async fn build_indexes(engine: Engine) {
    let mut ticks = ticks(INDEX_PAUSE);
    loop {
        ticks.tick().await;
        if engine.has_index_work() {
            let build = |engine: Engine| -> BoxFuture<'static, _> {
                Box::pin(async move { engine.go_on_with_indexes().await })
            };
            let _ = blocking(&engine, "build an index", build).await;
        }
    }
}

/// Does what servers that ended have left undone: at first, and whenever one has died. A server that is alone on its store
/// does so once, for what it has left itself.
async fn recover(engine: Engine) {
    let mut ticks = ticks(LOOK_INTERVAL);
    loop {
        ticks.tick().await;
        if engine.settings().alone {
            if walk(&engine, Work::Recovery, "do what was left undone", |engine, walk| {
                Box::pin(async move { engine.recover_some(walk).await })
            })
            .await
            {
                return;
            }
            continue;
        }
        if !engine.holds(Work::Recovery) {
            continue;
        }
        let find = |engine: Engine| -> BoxFuture<'static, _> { Box::pin(async move { engine.abandoned().await }) };
        let Some(Some(left)) = blocking(&engine, "look for what was left undone", find).await else { continue };
        let whole = walk(&engine, Work::Recovery, "do what was left undone", |engine, walk| {
            Box::pin(async move { engine.recover_some(walk).await })
        });
        if whole.await {
            let note =
                |engine: Engine| -> BoxFuture<'static, _> { Box::pin(async move { engine.recovered(left).await }) };
            let _ = blocking(&engine, "note what was left undone as done", note).await;
        }
    }
}

/// Removes what is past the retention, again and again.
async fn trim(engine: Engine, every_seconds: u64) {
    let alone = engine.settings().alone;
    let mut ticks = ticks(if alone { Duration::from_secs(every_seconds) } else { LOOK_INTERVAL });
    let every = i64::try_from(every_seconds).unwrap_or(i64::MAX);
    loop {
        ticks.tick().await;
        if !alone {
            let due = move |engine: Engine| -> BoxFuture<'static, _> {
                Box::pin(async move { engine.trim_is_due(every).await })
            };
            if !engine.holds(Work::Trim) || blocking(&engine, "look at the last trim", due).await != Some(true) {
                continue;
            }
        }
        let whole = walk(&engine, Work::Trim, "remove old deletions", |engine, walk| {
            Box::pin(async move { engine.trim_some(walk).await })
        });
        if whole.await && !alone {
            let note = |engine: Engine| -> BoxFuture<'static, _> { Box::pin(async move { engine.trimmed().await }) };
            let _ = blocking(&engine, "note that old deletions are removed", note).await;
        }
    }
}

/// Walks over all roots, a few at a time, with a pause behind each as long as it took: half of what the store can do at most,
/// and far less where there is little to do. Whether it came to the end, while the lease was held.
async fn walk(
    engine: &Engine,
    work: Work,
    what: &'static str,
    step: impl for<'a> Fn(&'a Engine, &'a mut Walk) -> BoxFuture<'a, Result<(), EngineError>> + Clone + Send + 'static,
) -> bool {
    let mut walk = Walk::default();
    while !walk.ended {
        if !engine.holds(work) {
            return false;
        }
        let (begun, step, mut next) = (Instant::now(), step.clone(), walk.clone());
        let stepped = blocking(engine, what, move |engine| {
            Box::pin(async move {
                step(&engine, &mut next).await?;
                Ok(next)
            })
        });
        match stepped.await {
            Some(next) => walk = next,
            None => return false,
        }
        if !walk.ended {
            sleep(begun.elapsed()).await;
        }
    }
    if walk.done > 0 {
        tracing::info!("{}: {} in all", work.name(), walk.done);
    }
    true
}
