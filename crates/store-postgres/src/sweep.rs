//! Removing objects that nothing needs any more.
//!
//! Three kinds, all of them older than a time of grace. *Freed* ones: their row has no references; it goes first, in one
//! statement that looks once more, and then the object. Whoever refers to the content meanwhile finds no row and stores
//! it anew. *Left over* ones: no row names them, and none ever will ([`crate::objects`]). *Unfinished* ones: beginnings
//! that only a folder keeps. Several nodes may do it at the same time; the clock is the database's.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Weak},
    time::Duration,
};

use blobs::{Blobs, Listed, ObjectName};
use model::{RootId, Time};
use store::StoreError;
use tokio_postgres::{Row, types::ToSql};

use crate::{
    failure::Failure,
    objects::STAGE_SECONDS_MAX,
    rows::get,
    session::Sessions,
    statements::objects::{FORGET_OBJECTS, FREED_OBJECTS, KNOWN_OBJECTS, NOW, TAKE_TURN},
};

/// Rows that one step takes.
const STEP_ROWS_MAX: i64 = 500;
/// Steps of one sweep; what is left is for the next.
const STEPS_MAX: usize = 10_000;
/// The shortest grace: twice as long as storing a part may take, which leaves the rest to clocks that differ.
const GRACE_SECONDS_MIN: i64 = 2 * STAGE_SECONDS_MAX;
/// How often a node looks whether it is time for the next sweep, as a part of the time between two.
const LOOKS: u32 = 6;

/// What a sweep has removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Objects to which nothing referred any more.
    pub freed: u64,
    /// Objects that no row named.
    pub left_over: u64,
    /// Beginnings of files, in a folder.
    pub unfinished: u64,
}

/// What is needed to sweep.
#[derive(Debug)]
pub(crate) struct Sweeper {
    pub(crate) blobs: Blobs,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) patience: Duration,
    pub(crate) grace: Duration,
}

impl Sweeper {
    /// Removes what is older than the grace. Costs one request of the object store for each thousand objects.
    pub(crate) async fn sweep(&self) -> Result<Swept, Failure> {
        let grace = i64::try_from(self.grace.as_secs()).unwrap_or(i64::MAX / Time::SECOND).max(GRACE_SECONDS_MIN);
        let before = self.now().await?.plus_seconds(-grace);
        self.sweep_before(before, before).await
    }

    /// Removes what was freed before a time, and what was stored before another one and has no row.
    pub(crate) async fn sweep_before(&self, freed: Time, stored: Time) -> Result<Swept, Failure> {
        let freed = self.freed(freed).await?;
        let mut left_over = 0;
        let mut walk = self.blobs.walk(None, stored);
        while let Some(page) = walk.next().await.map_err(StoreError::from)? {
            left_over += self.left_over(page).await?;
        }
        let unfinished = self.blobs.remove_unfinished(stored).await.map_err(StoreError::from)?;
        Ok(Swept { freed, left_over, unfinished })
    }

    async fn freed(&self, before: Time) -> Result<u64, Failure> {
        let mut removed = 0;
        for _ in 0..STEPS_MAX {
            let rows = self.rows(FREED_OBJECTS, &[&before.0, &STEP_ROWS_MAX]).await?;
            let mut by_root: BTreeMap<i64, Vec<Vec<u8>>> = BTreeMap::new();
            for row in &rows {
                by_root.entry(get(row, 0)?).or_default().push(get(row, 1)?);
            }
            let mut names = Vec::new();
            for (root, hashes) in by_root {
                for row in &self.rows(FORGET_OBJECTS, &[&root, &hashes, &before.0]).await? {
                    names.extend(ObjectName::parse(get(row, 0)?));
                }
            }
            removed += names.len() as u64;
            self.blobs.delete(&names).await.map_err(StoreError::from)?;
            // All of them may have come into use again.
            if names.is_empty() {
                break;
            }
        }
        Ok(removed)
    }

    /// Removes those of a page that no row names.
    async fn left_over(&self, page: Vec<Listed>) -> Result<u64, Failure> {
        let mut by_root: BTreeMap<RootId, Vec<ObjectName>> = BTreeMap::new();
        for listed in page {
            by_root.entry(listed.name.root()).or_default().push(listed.name);
        }
        let mut left_over = Vec::new();
        for (root, names) in by_root {
            let hashes: Vec<&[u8]> =
                names.iter().map(|name| &name.hash()[..]).collect::<BTreeSet<_>>().into_iter().collect();
            let rows = self.rows(KNOWN_OBJECTS, &[&root.to_i64(), &hashes]).await?;
            let known: BTreeSet<&str> = rows
                .iter()
                .map(|row| get::<Option<&str>>(row, 0))
                .filter_map(Result::transpose)
                .collect::<Result<_, _>>()?;
            left_over.extend(names.into_iter().filter(|name| !known.contains(name.as_str())));
        }
        self.blobs.delete(&left_over).await.map_err(StoreError::from)?;
        Ok(left_over.len() as u64)
    }

    async fn now(&self) -> Result<Time, Failure> {
        let rows = self.rows(NOW, &[]).await?;
        let row = rows.first().ok_or_else(|| Failure::damaged("a clock gave no row"))?;
        Ok(Time::from_unix(get::<i64>(row, 0)? / 1_000))
    }

    async fn rows(&self, sql: &'static str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Failure> {
        let session = self.sessions.take(self.patience).await?;
        let answer = self.sessions.background().within(self.patience, session.rows(sql, parameters)).await;
        if !matches!(answer, Some(Ok(_))) {
            session.condemn();
        }
        answer.unwrap_or_else(|| Err(Failure::no_answer(self.patience)))
    }

    /// Whether it is this node's turn, so long after the turn of another one.
    pub(crate) async fn is_due(&self, every: Duration) -> Result<bool, Failure> {
        let now = self.now().await?.to_unix();
        let last = now.saturating_sub(i64::try_from(every.as_secs()).unwrap_or(i64::MAX));
        Ok(!self.rows(TAKE_TURN, &[&now, &last]).await?.is_empty())
    }

    /// Sweeps again and again, one node at a time, as long as the sweeper is held by somebody else.
    pub(crate) fn run(this: &Arc<Self>, every: Duration) {
        let weak: Weak<Self> = Arc::downgrade(this);
        this.sessions.background().spawn(async move {
            loop {
                tokio::time::sleep(every / LOOKS).await;
                let Some(sweeper) = weak.upgrade() else { return };
                let swept = async {
                    Ok::<_, Failure>(if sweeper.is_due(every).await? { Some(sweeper.sweep().await?) } else { None })
                };
                match swept.await {
                    Ok(None) => {}
                    Ok(Some(Swept { freed, left_over, unfinished })) => {
                        tracing::info!(freed, left_over, unfinished, "swept the object store");
                    }
                    Err(error) => tracing::warn!(%error, "sweeping the object store"),
                }
            }
        });
    }
}
