//! Copying a store into another one, root by root, so that every id and every token stays what it was.
//!
//! The control root, which says which accounts and sites there are and holds the secret that seals tokens, is shown last, when
//! everything else has been read back from both sides and found to be the same. So what was copied in part is never
//! served, and whether the target has a control root says whether it is complete. What was cut off goes on where it
//! stood: behind the last row of the root that was being copied, if the source still stands where it did; otherwise with
//! that root anew.

mod digest;

use std::{collections::BTreeMap, sync::Arc};

use futures_util::future;
use model::{RootId, limits};
use store::{RootRow, Snapshot, Store, StoreError, TransferKey, TransferLimit, TransferRow, TransferTotals};

use digest::{Digest, digest};

/// Attempts at a write whose outcome is unknown, or that should be repeated later.
const LOAD_ATTEMPTS_MAX: usize = 5;
/// Roots of one store. A list of them takes about 80 bytes each.
const ROOTS_MAX: usize = 50_000_000;

/// What was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// How many roots, those that were there already included.
    pub roots: u64,
    /// What they hold.
    pub rows: u64,
    /// The bytes of their bags and parts.
    pub bytes: u64,
    /// SHA-256 over all rows, as they were read back from both sides. Equal stores have equal ones, of whatever kind
    /// they are.
    pub digest: [u8; 32],
}

/// Why a copy ended; what was copied so far stays, and the same call goes on.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// Give another source.
    #[error("the source has no accounts: it is empty, or a copy that was not finished")]
    NotWhole,
    /// Give another target.
    #[error("the target holds other data (root {0}): give an empty one")]
    Occupied(RootId),
    /// Stop the server on the source and repeat.
    #[error(
        "the source was written to meanwhile (root {0}): stop the server that works on it, then run the same command again"
    )]
    Moved(RootId),
    /// Repeat; should it come again, the source or the target is damaged.
    #[error(
        "what arrived is not what the source holds (root {0}), and was removed: make sure that no server works on the \
         source, then run the same command again"
    )]
    Differs(RootId),
    /// The source has no such root.
    #[error("the source has nothing of it yet")]
    NoRoot,
    /// Mend what the message says and repeat.
    #[error("the source: {0}")]
    Source(StoreError),
    /// Mend what the message says and repeat.
    #[error("the target: {0}")]
    Target(StoreError),
}

/// How far a copy has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There is so much to be copied, and then to be read back.
    Begun {
        /// Roots.
        roots: u64,
        /// Rows of all of them.
        rows: u64,
        /// Bytes of bags and parts.
        bytes: u64,
    },
    /// More has arrived, or was there already.
    Arrived {
        /// Rows more.
        rows: u64,
        /// Bytes more.
        bytes: u64,
    },
    /// A root is there.
    Root,
    /// More was read back and compared.
    Compared {
        /// Rows more.
        rows: u64,
        /// Bytes more.
        bytes: u64,
    },
}

/// Is told how far a copy has come.
pub type Hear = Arc<dyn Fn(Step) + Send + Sync>;

/// Copies all roots of a store, or `only` one, and compares both sides. Where the target holds them already it compares.
/// With `only` the target is not complete, and is not served, before the rest was copied as well. Must run in a
/// multi-threaded runtime; blocks its threads where the stores do. Takes the memory of two pages of rows, see
/// [`TransferLimit`].
///
/// # Errors
/// See [`CopyError`].
pub async fn copy(
    from: Arc<dyn Store>,
    to: Arc<dyn Store>,
    only: Option<RootId>,
    hear: Hear,
) -> Result<Copied, CopyError> {
    let source = roots(&*from).await.map_err(CopyError::Source)?;
    if source.first().is_none_or(|row| row.root != RootId::CONTROL) {
        return Err(CopyError::NotWhole);
    }
    let there = roots(&*to).await.map_err(CopyError::Target)?;
    let complete = there.first().is_some_and(|row| row.root == RootId::CONTROL);
    let chosen = choose(&source, &there, complete, only)?;
    let there = there.into_iter().map(|row| (row.root, row)).collect();
    let task = Task { from, to, hear, there, complete };
    task.run(&source, &chosen).await
}

/// The roots that are to be copied, the control root last, where the target holds nothing that speaks against it.
fn choose(
    source: &[RootRow],
    there: &[RootRow],
    complete: bool,
    only: Option<RootId>,
) -> Result<Vec<RootRow>, CopyError> {
    let find = |root: RootId| source.binary_search_by_key(&root, |row| row.root).ok().and_then(|at| source.get(at));
    for row in there {
        let own = find(row.root).is_some_and(|own| {
            let is_it = (own.kind, own.guid) == (row.kind, row.guid);
            // Who has a control root may have been served, and nothing of it may be replaced.
            is_it && if complete { own == row } else { own.last_seq >= row.last_seq }
        });
        if !own {
            return Err(CopyError::Occupied(row.root));
        }
    }
    let (control, mut chosen): (Vec<RootRow>, Vec<RootRow>) = source
        .iter()
        .filter(|row| only.is_none_or(|only| row.root == only))
        .cloned()
        .partition(|row| row.root == RootId::CONTROL);
    if complete
        && let Some(missing) = chosen.iter().find(|row| there.binary_search_by_key(&row.root, |row| row.root).is_err())
    {
        return Err(CopyError::Occupied(missing.root));
    }
    chosen.extend(control);
    if chosen.is_empty() { Err(CopyError::NoRoot) } else { Ok(chosen) }
}

/// All roots, in ascending order of id.
async fn roots(store: &dyn Store) -> Result<Vec<RootRow>, StoreError> {
    let mut rows: Vec<RootRow> = Vec::new();
    loop {
        let page = store.roots(rows.last().map(|row| row.root), limits::PAGE_ROWS_MAX).await?;
        rows.extend(page.rows);
        if !page.more {
            return Ok(rows);
        }
        if rows.len() > ROOTS_MAX {
            return Err(StoreError::TooLarge("roots of one copy"));
        }
    }
}

struct Task {
    from: Arc<dyn Store>,
    to: Arc<dyn Store>,
    hear: Hear,
    /// What the target showed at the beginning.
    there: BTreeMap<RootId, RootRow>,
    /// Whether the target was complete at the beginning.
    complete: bool,
}

impl Task {
    async fn run(&self, source: &[RootRow], chosen: &[RootRow]) -> Result<Copied, CopyError> {
        let (mut rows, mut bytes) = (0, 0);
        for row in chosen {
            let totals = self.view(row).await?.transfer_totals().await.map_err(CopyError::Source)?;
            (rows, bytes) = (rows + totals.rows(), bytes + totals.bytes);
        }
        (self.hear)(Step::Begun { roots: chosen.len() as u64, rows, bytes });
        for row in chosen {
            self.bring(row).await?;
            (self.hear)(Step::Root);
        }
        let mut whole = Digest::default();
        for row in chosen {
            self.compare(row, &mut whole).await?;
        }
        // The last look at the source comes before the first at the target by anybody else.
        let now = roots(&*self.from).await.map_err(CopyError::Source)?;
        if let Some(root) = first_difference(source, &now) {
            return Err(CopyError::Moved(root));
        }
        if let Some(control) = chosen.iter().find(|row| row.root == RootId::CONTROL)
            && !self.complete
        {
            let totals = self.view(control).await?.transfer_totals().await.map_err(CopyError::Source)?;
            self.publish(control, totals).await?;
        }
        let (counted, digest) = whole.finish();
        Ok(Copied { roots: chosen.len() as u64, rows: counted.rows(), bytes: counted.bytes, digest })
    }

    /// A root of the source, which stands where it stood at the beginning.
    async fn view(&self, row: &RootRow) -> Result<Box<dyn Snapshot>, CopyError> {
        match self.from.snapshot(row.root).await {
            Ok(view) if view.root() == row => Ok(view),
            Ok(_) | Err(StoreError::NoRoot(_)) => Err(CopyError::Moved(row.root)),
            Err(other) => Err(CopyError::Source(other)),
        }
    }

    /// Brings a root to the target, as far as it is not there. The control root is not shown yet.
    async fn bring(&self, row: &RootRow) -> Result<(), CopyError> {
        let mut view = self.view(row).await?;
        let totals = view.transfer_totals().await.map_err(CopyError::Source)?;
        match self.there.get(&row.root) {
            Some(there) if there == row => {
                (self.hear)(Step::Arrived { rows: totals.rows(), bytes: totals.bytes });
                return Ok(());
            }
            // A copy of an earlier state that nobody has used.
            Some(_) => self.drop(row.root).await?,
            None => {}
        }
        let after = self.begun(row).await?;
        self.load(view.as_mut(), row, after).await?;
        if row.root == RootId::CONTROL { Ok(()) } else { self.publish(row, totals).await }
    }

    /// Behind which row a load goes on that was begun earlier. One that was begun of another state goes away.
    async fn begun(&self, row: &RootRow) -> Result<Option<TransferKey>, CopyError> {
        let mut view = match self.to.loading(row.root).await {
            Ok(view) => view,
            Err(StoreError::NoRoot(_)) => return Ok(None),
            Err(other) => return Err(CopyError::Target(other)),
        };
        if view.root() == row {
            let totals = view.transfer_totals().await.map_err(CopyError::Target)?;
            (self.hear)(Step::Arrived { rows: totals.rows(), bytes: totals.bytes });
            return view.transfer_end().await.map_err(CopyError::Target);
        }
        drop(view);
        self.drop(row.root).await?;
        Ok(None)
    }

    /// Loads all rows behind `after`. While one page is written the next one is read.
    async fn load(&self, view: &mut dyn Snapshot, row: &RootRow, after: Option<TransferKey>) -> Result<(), CopyError> {
        let mut page = view.transfer(after.as_ref(), TransferLimit::MAX).await.map_err(CopyError::Source)?;
        loop {
            let (more, last) = (page.more, page.rows.last().map(TransferRow::key));
            let mut counted = TransferTotals::default();
            page.rows.iter().for_each(|row| counted.count(row));
            if more {
                let written = self.put(row, page.rows);
                let (written, next) = future::join(written, view.transfer(last.as_ref(), TransferLimit::MAX)).await;
                written?;
                page = next.map_err(CopyError::Source)?;
            } else {
                // Also where there are no rows: the root is begun by this.
                self.put(row, std::mem::take(&mut page.rows)).await?;
            }
            (self.hear)(Step::Arrived { rows: counted.rows(), bytes: counted.bytes });
            if !more {
                return Ok(());
            }
        }
    }

    async fn put(&self, row: &RootRow, rows: Vec<TransferRow>) -> Result<(), CopyError> {
        for _ in 1..LOAD_ATTEMPTS_MAX {
            match self.to.load(row, rows.clone()).await {
                Err(StoreError::TryAgain(reason) | StoreError::OutcomeUnknown(reason)) => {
                    tracing::warn!(reason, "a page of rows is written again");
                }
                other => return Self::written(row.root, other),
            }
        }
        Self::written(row.root, self.to.load(row, rows).await)
    }

    fn written(root: RootId, result: Result<(), StoreError>) -> Result<(), CopyError> {
        // Where it conflicts somebody else has written there since the beginning.
        let occupied = matches!(result, Err(StoreError::Conflict { .. }));
        result.map_err(|error| if occupied { CopyError::Occupied(root) } else { CopyError::Target(error) })
    }

    /// Reads a root from both sides and compares what was read. What differs is removed from the target.
    async fn compare(&self, row: &RootRow, whole: &mut Digest) -> Result<(), CopyError> {
        let hidden = row.root == RootId::CONTROL && !self.complete;
        let there = if hidden { self.to.loading(row.root).await } else { self.to.snapshot(row.root).await };
        let (here, there) = (self.view(row).await?, there.map_err(CopyError::Target)?);
        // Each on a thread of its own.
        let here = tokio::spawn(digest(here, Some(Arc::clone(&self.hear))));
        let there = tokio::spawn(digest(there, None));
        let (here, there) = future::join(here, there).await;
        let ended = |_| StoreError::TryAgain("the reading task has ended".to_owned());
        let here = here.map_err(ended).flatten().map_err(CopyError::Source)?;
        let there = there.map_err(ended).flatten().map_err(CopyError::Target)?;
        if here == there {
            whole.add(&here);
            return Ok(());
        }
        if self.complete {
            return Err(CopyError::Occupied(row.root));
        }
        self.drop(row.root).await?;
        Err(CopyError::Differs(row.root))
    }

    async fn publish(&self, row: &RootRow, totals: TransferTotals) -> Result<(), CopyError> {
        for _ in 0..LOAD_ATTEMPTS_MAX {
            match self.to.publish(row, totals).await {
                Ok(()) => return Ok(()),
                Err(StoreError::Conflict { .. }) => {
                    self.drop(row.root).await?;
                    return Err(CopyError::Differs(row.root));
                }
                // Did the attempt before this one show it?
                Err(StoreError::NoRoot(_)) => {
                    let shown = self.to.snapshot(row.root).await.map_err(CopyError::Target)?;
                    return if shown.root() == row { Ok(()) } else { Err(CopyError::Occupied(row.root)) };
                }
                Err(StoreError::TryAgain(reason) | StoreError::OutcomeUnknown(reason)) => {
                    tracing::warn!(reason, "a root is shown again");
                }
                Err(other) => return Err(CopyError::Target(other)),
            }
        }
        Err(CopyError::Target(StoreError::TryAgain("a copied root cannot be shown".to_owned())))
    }

    async fn drop(&self, root: RootId) -> Result<(), CopyError> {
        self.to.drop_root(root).await.map_err(CopyError::Target)
    }
}

/// The first root that one list has and the other has not, or has otherwise.
fn first_difference(before: &[RootRow], now: &[RootRow]) -> Option<RootId> {
    let unequal = before.iter().zip(now).find(|(before, now)| before != now);
    let unequal = unequal.map(|(before, now)| before.root.min(now.root));
    unequal.or_else(|| {
        let shorter = before.len().min(now.len());
        before.get(shorter).or_else(|| now.get(shorter)).map(|row| row.root)
    })
}

#[cfg(test)]
mod tests;
