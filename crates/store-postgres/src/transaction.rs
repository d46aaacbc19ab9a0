//! The transactions that write, and what is done when one fails.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use blobs::Blobs;
use model::{Guid, ItemId, RootId, Rope, Seq, Time};
use sha2::{Digest, Sha256};
use store::{Commit, Receipt, StoreError, Write, WriteReceipt};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    apply::{self, Operation, Overlay, Refusal},
    doubt::{self, Proof},
    failure::Failure,
    flight::{Flight, Parameter, Unfinished},
    flush::flush,
    known::Known,
    large::{self, Digests, Hash, Hashes},
    load::{Loaded, Needs},
    news::Moved,
    objects, removal,
    session::{Pooled, Session, Sessions},
    statements::writes::{HALF_REMOVED, WRITE_GROUP, WRITE_GROUP_IF},
    stats::Counters,
    steps,
};

/// Attempts at one transaction that others get into the way of, or whose session is lost.
pub(crate) const ATTEMPTS_MAX: u32 = 8;
/// Pause before the first repetition; it doubles.
const PAUSE: Duration = Duration::from_millis(10);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// What a commit came to.
pub(crate) type Outcome = Result<Receipt, StoreError>;
/// What commits of one transaction came to, each.
type Results = Vec<Result<Receipt, Refusal>>;

/// What is needed to write.
#[derive(Debug)]
pub(crate) struct Transactions {
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) patience: Duration,
    /// Where large parts are kept; without, in the database.
    blobs: Option<Blobs>,
    counters: Arc<Counters>,
    moved: Moved,
    /// Sets the receipts of this node's groups apart from those of others.
    node: [u8; 8],
    groups: AtomicU64,
    known: Known,
}

/// How an attempt ended that did not write, or not certainly.
enum Trouble {
    /// Nothing was written.
    Failed(Failure),
    /// Nothing was written: large parts are not stored any more.
    Missing(BTreeSet<Hash>),
    /// COMMIT was sent, and nothing came back. The proof says whether it happened, and then the results hold.
    InDoubt(Failure, Proof, Results),
}

/// How a transaction ended that was given up.
enum GivenUp {
    /// Nothing was written.
    Failed(Failure),
    /// It may have been.
    Unknown(Failure),
}

/// How commits are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// All in memory.
    Together,
    /// One, some writes of which may be done in the database; `careful` looks first whether the ids that it is going to
    /// give are free.
    Alone { careful: bool },
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Unfinished> for Trouble {
    fn from(unfinished: Unfinished) -> Self {
        Self::Failed(unfinished.failure)
    }
}

impl From<GivenUp> for StoreError {
    fn from(given_up: GivenUp) -> Self {
        match given_up {
            GivenUp::Failed(failure) => failure.into(),
            GivenUp::Unknown(failure) => doubt::unknown(&failure),
        }
    }
}

/// Waits before something is tried again.
pub(crate) async fn pause(attempt: u32) {
    sleep(PAUSE.saturating_mul(1 << attempt.min(16)).min(PAUSE_MAX)).await;
}

impl Transactions {
    /// `node` is a random number.
    pub(crate) fn new(
        sessions: Arc<Sessions>,
        patience: Duration,
        blobs: Option<Blobs>,
        counters: Arc<Counters>,
        moved: Moved,
        node: u64,
    ) -> Self {
        static WRITERS: AtomicU64 = AtomicU64::new(0);
        let number = WRITERS.fetch_add(1, Ordering::Relaxed);
        let digest = Sha256::new()
            .chain_update(node.to_le_bytes())
            .chain_update(std::process::id().to_le_bytes())
            .chain_update(number.to_le_bytes())
            .finalize();
        let node = digest.first_chunk().copied().unwrap_or_default();
        Self { sessions, patience, blobs, counters, moved, node, groups: AtomicU64::new(0), known: Known::default() }
    }

    /// A session that writes.
    pub(crate) async fn session(&self) -> Result<Pooled, Failure> {
        self.sessions.take(self.patience).await
    }

    /// The hashes of content that [`Self::stage`] needs. Costs reading it, and may block.
    pub(crate) fn digests(&self, content: &Rope) -> Result<Digests, Failure> {
        let digests = match &self.blobs {
            // Those of its pieces come when it is stored.
            Some(_) => blobs::hash_rope(content).map(|hash| Digests { hash, pieces: Vec::new() }),
            None => large::digests(content),
        };
        digests.map_err(|error| StoreError::TryAgain(error.to_string()).into())
    }

    /// A number that no other writer comes to, here or elsewhere.
    pub(crate) fn unique(&self) -> u64 {
        let number = self.groups.fetch_add(1, Ordering::Relaxed);
        let digest = Sha256::new().chain_update(self.node).chain_update(number.to_le_bytes()).finalize();
        digest.first_chunk().copied().map_or(number, u64::from_le_bytes)
    }

    /// Stores a large part, so that commits can refer to it.
    pub(crate) async fn stage(&self, root: RootId, digests: &Digests, content: &Rope, at: Time) -> Result<(), Failure> {
        if let Some(blobs) = &self.blobs {
            return objects::stage(self, blobs, (root, &digests.hash), content, at).await;
        }
        let mut attempt = 0;
        loop {
            let session = self.session().await?;
            match large::stage(&session, root, digests, content, at).await {
                Ok(()) => return Ok(()),
                Err(Failure::Lost(_) | Failure::Repeat(_)) if attempt < ATTEMPTS_MAX => session.condemn(),
                Err(failure) => {
                    session.condemn();
                    return Err(failure);
                }
            }
            drop(session);
            pause(attempt).await;
            attempt += 1;
        }
    }

    /// Writes commits on one root in one transaction; one outcome each, in order.
    pub(crate) async fn group(&self, session: Pooled, commits: &[(Commit, Hashes)]) -> Vec<Outcome> {
        let is_apart = match self.persist(Some(session), commits, Way::Together).await {
            Ok(results) => {
                let mut outcomes = Vec::with_capacity(commits.len());
                for (commit, result) in commits.iter().zip(results) {
                    outcomes.push(match result {
                        Ok(receipt) => Ok(receipt),
                        Err(Refusal::Port(error)) => Err(error),
                        Err(Refusal::Alone) => self.apart(None, commit, false).await,
                    });
                }
                return outcomes;
            }
            // One of them meets a row that was not expected, or one that is damaged: which, shows when each is on its own.
            Err(GivenUp::Failed(Failure::Taken(_))) => true,
            Err(GivenUp::Failed(Failure::Port(_))) if commits.len() > 1 => true,
            Err(given_up) => return vec![Err(given_up.into()); commits.len()],
        };
        let mut outcomes = Vec::with_capacity(commits.len());
        for commit in commits {
            outcomes.push(self.apart(None, commit, is_apart).await);
        }
        outcomes
    }

    /// Writes a commit in a transaction of its own.
    pub(crate) async fn alone(&self, session: Pooled, commit: &(Commit, Hashes)) -> Outcome {
        self.apart(Some(session), commit, false).await
    }

    async fn apart(&self, mut session: Option<Pooled>, commit: &(Commit, Hashes), careful: bool) -> Outcome {
        let mut careful = careful;
        for _ in 0..ATTEMPTS_MAX {
            let way = Way::Alone { careful };
            match self.persist(session.take(), std::slice::from_ref(commit), way).await {
                Ok(mut results) => {
                    return match results.pop() {
                        Some(Ok(receipt)) => Ok(receipt),
                        Some(Err(Refusal::Port(error))) => Err(error),
                        Some(Err(Refusal::Alone)) | None => {
                            Err(StoreError::Corrupt("a write cannot be done by itself (a mistake)".to_owned()))
                        }
                    };
                }
                // An id is taken, or somebody else has just created the root: both show the next time.
                Err(GivenUp::Failed(Failure::Taken(_))) => careful = true,
                Err(given_up) => return Err(given_up.into()),
            }
        }
        Err(StoreError::TryAgain("others were always faster".to_owned()))
    }

    /// Roots of which the removal was cut off.
    pub(crate) async fn half_removed(&self) -> Result<Vec<RootId>, Failure> {
        let session = self.session().await?;
        let rows = self.patiently(session.rows(HALF_REMOVED, &[])).await;
        if rows.is_err() {
            session.condemn();
        }
        rows?.iter().map(|row| crate::rows::get(row, 0).map(RootId::from_i64)).collect()
    }

    /// Does one step of the removal of a root. The receipt of its one write has a row where there is more to do.
    pub(crate) async fn remove(&self, session: Pooled, root: RootId) -> Outcome {
        let mut session = Some(session);
        for attempt in 0..ATTEMPTS_MAX {
            let taken = match session.take() {
                Some(session) => session,
                None => self.session().await?,
            };
            // A step that was done is done again where there was no answer: nothing more happens then.
            match timeout(self.patience, removal::step(&taken, root)).await {
                Ok(Ok(more)) => {
                    self.known.forget(root);
                    self.moved.gone(root);
                    let done = WriteReceipt { rows: u64::from(more), ..WriteReceipt::default() };
                    return Ok(Receipt { last_seq: Seq::ZERO, writes: vec![done] });
                }
                Ok(Err(Unfinished { failure: Failure::Lost(_) | Failure::Repeat(_), .. })) => {}
                Ok(Err(Unfinished { failure, .. })) => {
                    taken.condemn();
                    return Err(failure.into());
                }
                Err(_) => {
                    taken.condemn();
                    return Err(Failure::no_answer(self.patience).into());
                }
            }
            taken.condemn();
            drop(taken);
            pause(attempt).await;
        }
        Err(StoreError::TryAgain("the sessions were always lost".to_owned()))
    }

    /// Repeats a transaction as long as that makes sense.
    async fn persist(
        &self,
        mut session: Option<Pooled>,
        commits: &[(Commit, Hashes)],
        way: Way,
    ) -> Result<Results, GivenUp> {
        let deadline = Instant::now() + self.patience;
        let mut attempt = 0;
        loop {
            let taken = match session.take() {
                Some(session) => session,
                None => self.session().await.map_err(GivenUp::Failed)?,
            };
            let trouble = match self.attempt(&taken, commits, way).await {
                Ok(results) => return Ok(results),
                Err(trouble) => trouble,
            };
            // Its transaction may be open still.
            taken.condemn();
            drop(taken);
            let failure = match trouble {
                Trouble::Failed(failure) => failure,
                Trouble::Missing(hashes) => self.restage(commits, &hashes).await.err().unwrap_or_else(|| {
                    Failure::Repeat("a large part was removed before it was referred to".to_owned())
                }),
                Trouble::InDoubt(failure, proof, results) => match doubt::settle(self, &proof).await {
                    Ok(true) => {
                        self.counters.settled();
                        self.known.forget(proof.root);
                        self.wrote(proof.root, &results);
                        return Ok(results);
                    }
                    Ok(false) => {
                        self.counters.settled();
                        failure
                    }
                    Err(failure) => return Err(GivenUp::Unknown(failure)),
                },
            };
            if !failure.may_pass() || attempt >= ATTEMPTS_MAX || Instant::now() >= deadline {
                return Err(GivenUp::Failed(failure));
            }
            self.counters.repeated();
            pause(attempt).await;
            attempt += 1;
        }
    }

    async fn restage(&self, commits: &[(Commit, Hashes)], missing: &BTreeSet<Hash>) -> Result<(), Failure> {
        for (commit, hashes) in commits {
            for (place, part) in large::large_parts(commit, 0) {
                if hashes.get(&place).is_some_and(|hash| missing.contains(hash)) {
                    let digests = self.digests(&part.bytes)?;
                    self.stage(commit.root, &digests, &part.bytes, commit.at).await?;
                }
            }
        }
        Ok(())
    }

    async fn attempt(&self, session: &Session, commits: &[(Commit, Hashes)], way: Way) -> Result<Results, Trouble> {
        let Some((first, _)) = commits.first() else { return Ok(Vec::new()) };
        let mut needs = Needs::default();
        commits.iter().for_each(|(commit, hashes)| needs.add(commit, hashes));
        if way == Way::Together
            && let Some(results) = self.guess(session, commits, &needs).await?
        {
            return Ok(results);
        }
        let Loaded { mut overlay, guid, hidden, missing } = self.patiently(needs.begin(session, first.root)).await?;
        if !missing.is_empty() {
            return Err(Trouble::Missing(missing));
        }
        overlay.minute = overlay.root.and_then(|root| self.known.minute(first.root, root.last_seq));
        match way {
            Way::Together => {
                let results =
                    commits.iter().map(|(commit, hashes)| apply::apply(&mut overlay, commit, hashes, session.epoch));
                let results = results.collect();
                self.finish(session, commits, guid, overlay, results).await
            }
            Way::Alone { careful } => {
                if hidden.is_some_and(|kind| kind < -1) && first.create_root.is_some() {
                    // It is being copied here.
                    let refusal = Refusal::Port(StoreError::Conflict { guard: usize::MAX });
                    return self.refuse(session, refusal).await;
                }
                if hidden.is_some() && first.create_root.is_some() {
                    // One of that id is on its way out: it goes first.
                    self.patiently(removal::whole(session, first.root)).await?;
                }
                if careful {
                    overlay = self.look_ahead(session, commits, &needs, overlay).await?;
                }
                self.alone_in(session, commits, guid, overlay).await
            }
        }
    }

    /// Waits for the database, but not for ever.
    pub(crate) async fn patiently<T>(&self, future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        timeout(self.patience, future).await.unwrap_or_else(|_| Err(Failure::no_answer(self.patience)))
    }

    /// Reads also the items that have ids which are about to be given.
    async fn look_ahead(
        &self,
        session: &Session,
        commits: &[(Commit, Hashes)],
        needs: &Needs,
        overlay: Overlay,
    ) -> Result<Overlay, Failure> {
        let Some((commit, _)) = commits.first() else { return Ok(overlay) };
        let last_seq = overlay.root.map_or(Seq::ZERO, |root| root.last_seq).0;
        let count = commit.writes.len() as u64;
        // A write takes at most two positions.
        let seqs = (last_seq + 1..=last_seq + 2 * count).map(ItemId);
        let numbers = overlay.collections.slots().filter_map(|(id, slot)| Some((*id, slot.now?.last_number)));
        let numbers = numbers.filter(|(id, _)| arrivals(commit, *id) > 0).flat_map(|(id, last)| {
            let up_to = last.saturating_add(arrivals(commit, id) as i64);
            (last + 1..=up_to).filter_map(move |number| Some(ItemId::in_list(id, u32::try_from(number).ok()?)))
        });
        let mut more = needs.clone();
        more.add_items(seqs.chain(numbers).collect::<Vec<_>>());
        let written = overlay.written();
        Ok(self.patiently(more.go_on(session, commit.root, written)).await?.overlay)
    }

    /// Does one commit, write by write: in memory as far as that goes, then in the database.
    async fn alone_in(
        &self,
        session: &Session,
        commits: &[(Commit, Hashes)],
        guid: Option<Guid>,
        mut overlay: Overlay,
    ) -> Result<Results, Trouble> {
        let Some((commit, hashes)) = commits.first() else { return Ok(Vec::new()) };
        let mut progress = match apply::begin(&mut overlay, commit) {
            Ok(progress) => progress,
            Err(refusal) => return self.refuse(session, refusal).await,
        };
        let (mut is_fresh, mut has_steps) = (true, false);
        while let Some(next) = commit.writes.get(progress.done.len()) {
            let mark = overlay.mark();
            match apply::write(&mut overlay, commit, hashes, &mut progress) {
                Ok(()) => {
                    is_fresh = false;
                    continue;
                }
                Err(Refusal::Port(error)) => return self.refuse(session, Refusal::Port(error)).await,
                Err(Refusal::Alone) => overlay.roll_back(&mark),
            }
            let before = std::mem::take(&mut overlay);
            self.patiently(flush(&before, commit.root).run(session)).await?;
            overlay = before.written();
            has_steps = true;
            match self.step(session, commit, next, &mut overlay).await {
                Ok(Some(receipt)) => progress.done.push(receipt),
                Ok(None) if is_fresh => return self.refuse(session, Refusal::Alone).await,
                Ok(None) => {}
                Err(Failure::Port(error @ (StoreError::Conflict { .. } | StoreError::NoCollection(_)))) => {
                    return self.refuse(session, Refusal::Port(error)).await;
                }
                Err(failure) => return Err(failure.into()),
            }
            is_fresh = true;
            let mut needs = Needs::default();
            needs.add_writes(&commit.writes, &progress.done, &Hashes::new());
            overlay = self.patiently(needs.go_on(session, commit.root, overlay)).await?.overlay;
        }
        let receipt = apply::finish(&mut overlay, commit, progress, session.epoch);
        // Steps change what is remembered.
        self.known.forget(commit.root);
        self.finish(session, commits, guid.filter(|_| !has_steps), overlay, vec![Ok(receipt)]).await
    }

    /// A write that is done in the database; `None` where it is not one of those.
    async fn step(
        &self,
        session: &Session,
        commit: &Commit,
        write: &Write,
        overlay: &mut Overlay,
    ) -> Result<Option<WriteReceipt>, Failure> {
        let (root, at) = (commit.root, commit.at);
        let done = match write {
            Write::DropCollection { collection } => {
                let seq = overlay.root.map_or(Seq::ZERO, |root| root.last_seq).next();
                let dropping = steps::drop_collection(session, root, *collection, seq, at);
                let receipt = self.patiently(dropping).await?;
                if let Some(root) = &mut overlay.root {
                    root.last_seq = seq;
                }
                receipt
            }
            Write::DropKeys { collection, field, rows_max } => {
                self.patiently(steps::drop_keys(session, root, *collection, *field, *rows_max)).await?
            }
            Write::TrimTombstones { before, rows_max } => {
                self.patiently(steps::trim(session, root, *before, *rows_max, at)).await?
            }
            Write::CreateCollection { .. }
            | Write::UpdateCollection { .. }
            | Write::CreateItem(_)
            | Write::UpdateItem(_)
            | Write::DeleteItem { .. }
            | Write::MoveItem { .. }
            | Write::CopyItem { .. }
            | Write::MarkItem { .. }
            | Write::PutName { .. }
            | Write::DropName { .. }
            | Write::ChangeKeys { .. } => return Ok(None),
        };
        Ok(Some(done))
    }

    /// Ends the transaction of a single commit that is refused.
    async fn refuse(&self, session: &Session, refusal: Refusal) -> Result<Results, Trouble> {
        self.roll_back(session).await;
        Ok(vec![Err(refusal)])
    }

    async fn roll_back(&self, session: &Session) {
        let ended = timeout(self.patience, session.client().batch_execute("ROLLBACK")).await;
        if !matches!(ended, Ok(Ok(()))) {
            session.condemn();
        }
    }

    /// Writes what became of the rows, and commits.
    async fn finish(
        &self,
        session: &Session,
        commits: &[(Commit, Hashes)],
        guid: Option<Guid>,
        mut overlay: Overlay,
        results: Results,
    ) -> Result<Results, Trouble> {
        let Some((first, _)) = commits.first() else { return Ok(results) };
        let has_written = writes_anything(commits, &results);
        if !has_written {
            self.roll_back(session).await;
            return Ok(results);
        }
        let proof = self.prove(first.root, &mut overlay);
        let committing = flush(&overlay, first.root).commit(session);
        let committed = timeout(self.patience, committing).await;
        let no_answer = || Err(Unfinished { failure: Failure::no_answer(self.patience), in_doubt: true });
        match committed.unwrap_or_else(|_| no_answer()) {
            Ok(_) => {
                match guid.or(overlay.created.map(|(_, guid)| guid)) {
                    Some(guid) => self.known.leave(first.root, guid, session.epoch, &overlay),
                    None => self.known.forget(first.root),
                }
                self.wrote(first.root, &results);
                Ok(results)
            }
            Err(Unfinished { failure, in_doubt: true }) => Err(Trouble::InDoubt(failure, proof, results)),
            Err(Unfinished { failure, in_doubt: false }) => Err(failure.into()),
        }
    }

    /// The receipt that shows whether the transaction happened: one of its commits', or one of its own.
    fn prove(&self, root: RootId, overlay: &mut Overlay) -> Proof {
        let own = overlay.operations.slots().find_map(|(id, slot)| Some((*id, slot.now.clone()?)));
        let (operation, own) = own.unwrap_or_else(|| {
            let mut id = [0; 16];
            let number = self.groups.fetch_add(1, Ordering::Relaxed).to_be_bytes();
            id.iter_mut().zip(self.node.into_iter().chain(number)).for_each(|(to, from)| *to = from);
            let last_seq = overlay.root.map_or(Seq::ZERO, |root| root.last_seq);
            let operation = Operation { at: overlay.at, receipt: Receipt { last_seq, writes: Vec::new() } };
            overlay.operations.put(Guid(id), operation.clone());
            (Guid(id), operation)
        });
        let created = overlay.created.map(|(_, guid)| guid);
        Proof { root, operation, receipt: store::receipt::encode(&own.receipt), created }
    }

    /// Tells that a transaction was committed.
    fn wrote(&self, root: RootId, results: &Results) {
        let receipts = results.iter().filter_map(|result| result.as_ref().ok());
        self.counters.wrote(receipts.clone().count());
        if let Some(last_seq) = receipts.map(|receipt| receipt.last_seq).max() {
            self.moved.moved(root, last_seq);
        }
    }

    /// Writes without asking, where only collections have to be known and this node knows them. `None` where nothing was
    /// written, for another reason than an error.
    async fn guess(
        &self,
        session: &Session,
        commits: &[(Commit, Hashes)],
        needs: &Needs,
    ) -> Result<Option<Results>, Trouble> {
        let Some((Commit { root, .. }, _)) = commits.first() else { return Ok(None) };
        let left = self.known.get(*root).filter(|left| left.epoch == session.epoch);
        let Some((left, collections)) = left.zip(needs.collections_alone()) else { return Ok(None) };
        let Some(mut overlay) = left.overlay(collections) else { return Ok(None) };
        let mut results = Vec::with_capacity(commits.len());
        for (commit, hashes) in commits {
            // What is refused is refused on better grounds than a guess.
            let Ok(receipt) = apply::apply(&mut overlay, commit, hashes, session.epoch) else { return Ok(None) };
            results.push(Ok(receipt));
        }
        if !writes_anything(commits, &results) {
            return Ok(None);
        }
        let proof = self.prove(*root, &mut overlay);
        let Some(mut parameters) = flush(&overlay, *root).only(WRITE_GROUP) else { return Ok(None) };
        parameters.extend([Box::new(left.last_seq.to_i64()) as Parameter<'_>, Box::new(left.guid.0.to_vec())]);
        let mut flight = Flight::default();
        flight.add(WRITE_GROUP_IF, parameters);
        let written = timeout(self.patience, flight.by_itself(session)).await;
        let no_answer = || Err(Unfinished { failure: Failure::no_answer(self.patience), in_doubt: true });
        match written.unwrap_or_else(|_| no_answer()) {
            Ok(rows) if steps::count(&rows)? == 0 => {
                self.known.forget(*root);
                Ok(None)
            }
            Ok(_) => {
                self.known.leave(*root, left.guid, session.epoch, &overlay);
                self.wrote(*root, &results);
                Ok(Some(results))
            }
            Err(Unfinished { failure, in_doubt: true }) => Err(Trouble::InDoubt(failure, proof, results)),
            Err(Unfinished { failure, in_doubt: false }) => Err(failure.into()),
        }
    }
}

/// Whether what was not refused writes anything.
fn writes_anything(commits: &[(Commit, Hashes)], results: &Results) -> bool {
    commits
        .iter()
        .zip(results)
        .filter(|(_, result)| result.is_ok())
        .any(|((commit, _), _)| !commit.writes.is_empty() || commit.operation.is_some() || commit.create_root.is_some())
}

/// Items that a commit may number in a collection.
fn arrivals(commit: &Commit, collection: model::CollectionId) -> usize {
    let into = |to: &store::CollectionRef| match to {
        store::CollectionRef::Id(id) => *id == collection,
        store::CollectionRef::Write(_) => false,
    };
    let arrives = |write: &&Write| match write {
        Write::CreateItem(new) => into(&new.collection),
        Write::MoveItem { to, .. } | Write::CopyItem { to, .. } => into(to),
        Write::CreateCollection { .. }
        | Write::UpdateCollection { .. }
        | Write::DropCollection { .. }
        | Write::UpdateItem(_)
        | Write::DeleteItem { .. }
        | Write::MarkItem { .. }
        | Write::PutName { .. }
        | Write::DropName { .. }
        | Write::ChangeKeys { .. }
        | Write::DropKeys { .. }
        | Write::TrimTombstones { .. } => false,
    };
    commit.writes.iter().filter(arrives).count()
}
