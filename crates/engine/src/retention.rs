//! Retention: trimming tombstones that are older than any token that must be served.

use store::{Commit, StoreError, Write};

use crate::{Engine, EngineError};

/// Tombstones removed in one commit.
const TRIM_ROWS_MAX: usize = 1_000;

impl Engine {
    /// Removes the tombstones of all roots that are older than the retention. Returns how many. Works in small
    /// commits, so that others get their turn in between.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn trim(&self) -> Result<u64, EngineError> {
        let before = self.now().plus_seconds(-self.settings().retention_seconds);
        let (mut trimmed, mut after) = (0, None);
        loop {
            let page = self.store().roots(after, model::limits::PAGE_ROWS_MAX).await?;
            for root in &page.rows {
                loop {
                    let mut commit = Commit::new(root.root, self.now());
                    commit.writes.push(Write::TrimTombstones { before, rows_max: TRIM_ROWS_MAX });
                    let rows = match self.store().commit(commit).await {
                        Ok(receipt) => receipt.write(0).rows,
                        // The root was removed meanwhile.
                        Err(StoreError::NoRoot(_)) => 0,
                        Err(other) => return Err(other.into()),
                    };
                    trimmed += rows;
                    if rows < TRIM_ROWS_MAX as u64 {
                        break;
                    }
                }
            }
            after = page.rows.last().map(|row| row.root);
            if !page.more {
                return Ok(trimmed);
            }
        }
    }
}
