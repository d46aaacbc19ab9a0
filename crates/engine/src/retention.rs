//! Retention: trimming tombstones that are older than any token that must be served, and emptying recycle bins of what
//! lay there long enough; and the walks over all roots.

use model::{RootId, Time};
use store::{Commit, RootKind, RootRow, StoreError, Write};

use crate::{Engine, EngineError};

/// Roots that one step of a walk looks at.
const WALK_ROOTS_MAX: usize = 100;
/// Tombstones removed in one commit.
const TRIM_ROWS_MAX: usize = 1_000;

/// How far a walk over all roots has come. See [`Engine::trim_some`] and [`Engine::recover_some`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    pub(crate) after: Option<RootId>,
    /// What has been removed or done so far: rows, messages and commits.
    pub done: u64,
    /// Roots that failed.
    pub failed: u64,
    /// Whether all roots have had their turn.
    pub ended: bool,
}

impl Walk {
    /// The next roots, with how far it has come behind them.
    pub(crate) async fn next(&mut self, engine: &Engine) -> Result<Vec<RootRow>, EngineError> {
        let page = engine.store().roots(self.after, WALK_ROOTS_MAX).await?;
        self.after = page.rows.last().map(|row| row.root).or(self.after);
        self.ended = !page.more;
        Ok(page.rows)
    }
}

impl Engine {
    /// Removes the tombstones of some more roots that are older than the retention, and from recycle bins what is older
    /// than theirs. Works in small commits, so that others get their turn in between. Removes also what an interrupted
    /// removal of an account or site has left. Begin with the default; what fails for one root is counted.
    ///
    /// # Errors
    /// When the store fails so that nothing could be done.
    pub async fn trim_some(&self, walk: &mut Walk) -> Result<(), EngineError> {
        let before = self.now().plus_seconds(-self.settings().retention_seconds);
        let recycled_before = self.now().plus_seconds(-self.settings().recycle_bin_seconds);
        let roots = walk.next(self).await?;
        let ownerless = self.directory().ownerless(&roots).await?;
        for (root, kind) in roots.iter().map(|row| (row.root, row.kind)) {
            let done = if ownerless.contains(&root) {
                tracing::info!(%root, "removing what was left of an account or site");
                self.store().drop_root(root).await.map(|()| 0).map_err(EngineError::from)
            } else {
                self.trim_all(root, kind, before, recycled_before).await
            };
            match done {
                Ok(rows) => walk.done += rows,
                Err(error) => {
                    tracing::warn!(%root, %error, "could not remove what is past the retention");
                    walk.failed += 1;
                }
            }
        }
        Ok(())
    }

    /// As [`Self::trim_some`], over all roots. Returns how many rows went.
    ///
    /// # Errors
    /// When the store fails; [`EngineError::Contended`] where it failed for some roots, after the others had their turn.
    pub async fn trim(&self) -> Result<u64, EngineError> {
        let mut walk = Walk::default();
        while !walk.ended {
            self.trim_some(&mut walk).await?;
        }
        if walk.failed > 0 { Err(EngineError::Contended) } else { Ok(walk.done) }
    }

    /// Does what nodes that ended have left undone in some more roots: delivers what lies in outboxes, and goes on with
    /// indexes. Begin with the default; what fails for one root is tried again by this node. Costs one read a root where
    /// there is nothing to do.
    ///
    /// # Errors
    /// When the store fails so that nothing could be done.
    pub async fn recover_some(&self, walk: &mut Walk) -> Result<(), EngineError> {
        for row in walk.next(self).await? {
            let done = match row.kind {
                RootKind::Mailbox => self.deliver_noted(row.root).await,
                RootKind::Site => self.go_on_with_indexes_of(row.root).await,
                RootKind::Control => Ok(0),
            };
            match done {
                Ok(done) => walk.done += done,
                Err(error) => {
                    tracing::warn!(root = %row.root, %error, "could not do what was left undone; it will be tried again");
                    walk.failed += 1;
                }
            }
        }
        Ok(())
    }

    /// As [`Self::recover_some`], over all roots. Returns how many messages are through, and commits for indexes done.
    ///
    /// # Errors
    /// When the store fails; [`EngineError::Contended`] where it failed for some roots, after the others had their turn.
    pub async fn recover(&self) -> Result<u64, EngineError> {
        let mut walk = Walk::default();
        while !walk.ended {
            self.recover_some(&mut walk).await?;
        }
        if walk.failed > 0 { Err(EngineError::Contended) } else { Ok(walk.done) }
    }

    async fn trim_all(
        &self,
        root: RootId,
        kind: RootKind,
        before: Time,
        recycled_before: Time,
    ) -> Result<u64, EngineError> {
        let recycled = match kind {
            RootKind::Site => self.trim_recycle_bin(root, recycled_before).await?,
            RootKind::Mailbox => {
                self.forget_arrivals(root, before).await?;
                self.forget_subscriptions(root).await.map(|_| 0)?
            }
            RootKind::Control => 0,
        };
        Ok(recycled + self.trim_root(root, before).await?)
    }

    async fn trim_root(&self, root: RootId, before: Time) -> Result<u64, EngineError> {
        let mut trimmed = 0;
        loop {
            let mut commit = Commit::new(root, self.now());
            commit.writes.push(Write::TrimTombstones { before, rows_max: TRIM_ROWS_MAX });
            let rows = match self.store().commit(commit).await {
                Ok(receipt) => receipt.write(0).rows,
                // The root was removed meanwhile.
                Err(StoreError::NoRoot(_)) => 0,
                Err(other) => return Err(other.into()),
            };
            trimmed += rows;
            if rows < TRIM_ROWS_MAX as u64 {
                return Ok(trimmed);
            }
        }
    }
}
