//! Retention: trimming tombstones that are older than any token that must be served, and emptying recycle bins of what
//! lay there long enough.

use model::{RootId, Time};
use store::{Commit, RootKind, StoreError, Write};

use crate::{Engine, EngineError};

/// Tombstones removed in one commit.
const TRIM_ROWS_MAX: usize = 1_000;

impl Engine {
    /// Removes the tombstones of all roots that are older than the retention, and from recycle bins what is older than
    /// theirs. Returns how many. Works in small
    /// commits, so that others get their turn in between. Removes also what an interrupted removal of an account or
    /// site has left.
    ///
    /// # Errors
    /// When the store fails; what fails for one root is reported after the others have had their turn.
    pub async fn trim(&self) -> Result<u64, EngineError> {
        let before = self.now().plus_seconds(-self.settings().retention_seconds);
        let recycled_before = self.now().plus_seconds(-self.settings().recycle_bin_seconds);
        let (mut trimmed, mut after, mut failed) = (0, None, None);
        loop {
            let page = self.store().roots(after, model::limits::PAGE_ROWS_MAX).await?;
            let ownerless = self.directory().ownerless(&page.rows).await?;
            for (root, kind) in page.rows.iter().map(|row| (row.root, row.kind)) {
                let done = if ownerless.contains(&root) {
                    tracing::info!(%root, "removing what was left of an account or site");
                    self.store().drop_root(root).await.map(|()| 0).map_err(EngineError::from)
                } else {
                    self.trim_all(root, kind, before, recycled_before).await
                };
                match done {
                    Ok(rows) => trimmed += rows,
                    Err(error) => {
                        tracing::warn!(%root, %error, "could not remove what is past the retention");
                        failed = Some(error);
                    }
                }
            }
            after = page.rows.last().map(|row| row.root);
            if !page.more {
                return failed.map_or(Ok(trimmed), Err);
            }
        }
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
            RootKind::Mailbox => self.forget_arrivals(root, before).await.map(|_| 0)?,
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
