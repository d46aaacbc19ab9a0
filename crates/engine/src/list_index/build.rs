//! Building and removing indexes, in bounded commits, beside those who write rows.
//!
//! From the commit that switches an index on, every writer keeps its keys; building adds those of the rows that stood
//! before, in ascending order of number. Each step names in its guards the definition, the step before, and every row as it
//! was read, so that two builders, or a builder and a writer, cannot undo each other's work. How far it came is kept with
//! the step: whoever comes later goes on from there.

use bytes::Bytes;
use model::{CollectionId, ItemId, RootId};
use store::{Commit, FieldKey, Guard, NameTarget, StoreError, Want, Write};

use super::{ListIndex, SCOPE_WORK, indexes_of, work_name};
use crate::{Engine, EngineError, View, site::ListCollection};

/// Rows that get their keys in one commit.
const STEP_ROWS_MAX: usize = 500;
/// Rows of a step that met a conflict, at least.
const STEP_ROWS_MIN: usize = 8;
/// Keys removed in one commit.
const DROP_ROWS_MAX: usize = 2_000;
/// Commits of work that whoever switches an index on does at once; the rest is left to [`Engine::build_indexes`].
pub(crate) const STEPS_AT_ONCE_MAX: usize = 40;
/// Pieces of work that are looked at in one turn.
const WORK_MAX: usize = 256;

/// What a change of a list's definition leaves to do: marks for the indexes that came and those that went.
pub(crate) fn work(list: CollectionId, before: &[ListIndex], after: &[ListIndex]) -> Vec<Write> {
    let came = after.iter().filter(|index| !before.contains(index));
    let went = before.iter().filter(|index| !after.contains(index));
    let mark = |index: &ListIndex| Write::PutName {
        scope: SCOPE_WORK,
        name: work_name(list, index.number),
        target: NameTarget::Id(0),
    };
    came.chain(went).map(mark).collect()
}

/// How a step went.
enum Step {
    /// There is more to do.
    More,
    /// The piece of work is done.
    Done,
    /// Somebody was in the way.
    Conflict,
}

/// One piece of work.
struct Work {
    root: RootId,
    name: Bytes,
    list: CollectionId,
    number: u32,
    /// What the name leads to.
    mark: u64,
}

impl Work {
    fn read(root: RootId, name: &Bytes, mark: u64) -> Option<Self> {
        let (list, number) = name.split_at_checked(8)?;
        let list = CollectionId(u64::from_be_bytes(list.try_into().ok()?));
        let number = u32::from_be_bytes(number.try_into().ok()?);
        Some(Self { root, name: name.clone(), list, number, mark })
    }

    fn commit(&self, engine: &Engine) -> Commit {
        let mut commit = Commit::new(self.root, engine.now());
        commit.guards.push(Guard::NameIs(SCOPE_WORK, self.name.clone(), self.mark));
        commit
    }

    fn done(&self) -> Write {
        Write::DropName { scope: SCOPE_WORK, name: self.name.clone() }
    }
}

impl Engine {
    /// Does what is left to do on the indexes of a site's lists, in at most `steps_max` commits. Whether there is more.
    /// Costs one read where there is nothing to do.
    ///
    /// # Errors
    /// When the store fails; what was done stays done.
    pub async fn build_indexes(&self, root: RootId, steps_max: usize) -> Result<bool, EngineError> {
        let (mut steps, mut rows_max) = (0, STEP_ROWS_MAX);
        loop {
            let mut snapshot = match self.store().snapshot(root).await {
                Err(StoreError::NoRoot(_)) => return Ok(false),
                other => other?,
            };
            let page = snapshot.names(SCOPE_WORK, None, WORK_MAX).await?;
            drop(snapshot);
            let mut left = false;
            for work in page.rows.iter().filter_map(|(name, mark)| Work::read(root, name, *mark)) {
                if steps >= steps_max {
                    return Ok(true);
                }
                steps += 1;
                match self.index_step(&work, rows_max).await? {
                    Step::More => (left, rows_max) = (true, STEP_ROWS_MAX),
                    Step::Done => {}
                    Step::Conflict => (left, rows_max) = (true, (rows_max / 2).max(STEP_ROWS_MIN)),
                }
            }
            if !left && !page.more {
                return Ok(false);
            }
        }
    }

    /// Does all that is left to do on the indexes of a site's lists. About how many commits it took. What fails is tried
    /// again by [`Self::go_on_with_indexes`].
    pub(crate) async fn go_on_with_indexes_of(&self, root: RootId) -> Result<u64, EngineError> {
        let mut done = 0;
        loop {
            match self.build_indexes(root, STEPS_AT_ONCE_MAX).await {
                Ok(true) => done += STEPS_AT_ONCE_MAX as u64,
                Ok(false) => return Ok(done),
                Err(error) => {
                    self.opened().note_work(root);
                    return Err(error);
                }
            }
        }
    }

    /// Begins the work that a change of a list left to do. Where it fails it is done later: the change itself is done.
    pub(crate) async fn begin_indexes(&self, root: RootId) {
        // Noted first: whoever waits for this may stop waiting.
        self.opened().note_work(root);
        match self.build_indexes(root, STEPS_AT_ONCE_MAX).await {
            Ok(false) => self.opened().forget_work(root),
            Ok(true) => {}
            Err(error) => tracing::warn!(%root, %error, "an index could not be built; it will be tried again"),
        }
    }

    /// Whether work on indexes was begun here and is not done.
    pub fn has_index_work(&self) -> bool {
        self.opened().work().is_some()
    }

    /// Goes on with the work that was begun here and is not done; see [`Self::recover_some`] for that of others.
    /// Costs nothing where there is none.
    ///
    /// # Errors
    /// When the store fails; the work is tried again later.
    pub async fn go_on_with_indexes(&self) -> Result<(), EngineError> {
        while let Some(root) = self.opened().work() {
            // Forgotten first: what comes meanwhile is noted anew.
            self.opened().forget_work(root);
            self.go_on_with_indexes_of(root).await?;
        }
        Ok(())
    }

    /// One commit of a piece of work.
    async fn index_step(&self, work: &Work, rows_max: usize) -> Result<Step, EngineError> {
        let mut view = View::new(self.store().snapshot(work.root).await?);
        // One that lies in the recycle bin may come back, and has its keys then.
        let Some(row) = view.snapshot.collection(work.list).await? else {
            // The list took its keys along.
            let mut commit = work.commit(self);
            commit.writes.push(work.done());
            return self.finish(commit, Step::Done).await;
        };
        let list = ListCollection::from_row(row)?;
        match indexes_of(&list.bag).into_iter().find(|index| index.number == work.number) {
            Some(index) => self.add_step(work, view, &list, &index, rows_max).await,
            None => self.remove_step(work).await,
        }
    }

    /// Gives the next rows of a list their keys.
    async fn add_step(
        &self,
        work: &Work,
        mut view: View,
        list: &ListCollection,
        index: &ListIndex,
        rows_max: usize,
    ) -> Result<Step, EngineError> {
        let after = (work.mark > 0).then_some(ItemId(work.mark));
        let page = view.snapshot.list(list.id(), after, rows_max, Want::BAG).await?;
        drop(view);
        let mut commit = work.commit(self);
        commit.guards.push(Guard::CollectionAt(list.id(), list.row.seq));
        for row in &page.rows {
            commit.guards.push(Guard::ItemAt(row.item, row.seq));
            let put = vec![FieldKey { field: index.number, value: index.key(&row.bag)? }];
            commit.writes.push(Write::ChangeKeys {
                collection: list.id(),
                item: row.item.into(),
                drop: Vec::new(),
                put,
            });
        }
        let (last, step) = match page.rows.last() {
            Some(row) if page.more => {
                let target = NameTarget::Id(row.item.0);
                (Write::PutName { scope: SCOPE_WORK, name: work.name.clone(), target }, Step::More)
            }
            Some(_) | None => (work.done(), Step::Done),
        };
        commit.writes.push(last);
        self.finish(commit, step).await
    }

    /// Removes some keys of an index that was switched off.
    async fn remove_step(&self, work: &Work) -> Result<Step, EngineError> {
        let mut commit = work.commit(self);
        commit.writes.push(Write::DropKeys { collection: work.list, field: work.number, rows_max: DROP_ROWS_MAX });
        match self.store().commit(commit).await {
            Ok(receipt) if receipt.write(0).rows >= DROP_ROWS_MAX as u64 => return Ok(Step::More),
            Ok(_) => {}
            Err(StoreError::Conflict { .. }) => return Ok(Step::Conflict),
            Err(other) => return Err(other.into()),
        }
        let mut commit = work.commit(self);
        commit.writes.push(work.done());
        self.finish(commit, Step::Done).await
    }

    async fn finish(&self, commit: Commit, step: Step) -> Result<Step, EngineError> {
        match self.store().commit(commit).await {
            Ok(_) => Ok(step),
            Err(StoreError::Conflict { .. }) => Ok(Step::Conflict),
            Err(other) => Err(other.into()),
        }
    }
}
