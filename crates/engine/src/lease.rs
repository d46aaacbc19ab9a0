//! Work beside requests that one of several nodes does: who holds it, and what a node that ended has left undone.
//!
//! Leases are names of the control root, which lead to a holder and how often it has renewed. Each is changed from the value
//! that was seen, so of those who want it one gets it. A lease is over when it has not changed for [`LEASE_SECONDS`] by the
//! clock of who looks: no two clocks are compared, so they may differ. A node that was held up may for short believe that it
//! still holds what another has taken over; so all that is done under a lease does no harm when two do it.
//!
//! Every node has a name there too, and takes it away when it leaves with nothing undone. One that stays without being
//! renewed is that of a node that died: mail may lie in outboxes, and indexes be half built. Whoever holds
//! [`Work::Recovery`] looks through all roots then.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use model::{Random, RootId, Time, limits};
use store::{Commit, Guard, NameTarget, StoreError, Write};

use crate::{Engine, EngineError, directory::SCOPE_LEASES};

/// Seconds without a change after which a lease is over, and a node counts as dead.
pub const LEASE_SECONDS: i64 = 15;
/// Seconds between two beats: three may fail before a lease is lost.
pub const BEAT_SECONDS: i64 = 4;
/// Nodes and leases that are looked at; further nodes are not watched over.
const NAMES_MAX: usize = limits::PAGE_ROWS_MAX;
/// Names of nodes begin with this.
const NODE: &[u8] = b"node/";
/// Leads to the time of the last whole look through all roots, in seconds since 1970.
const RECOVERED: &[u8] = b"done/recovery";
/// Leads to the time of the last whole trim.
const TRIMMED: &[u8] = b"done/trim";

/// Work that one node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Work {
    /// Removing what is past the retention.
    Trim,
    /// Doing what nodes that ended have left undone: see [`Engine::recover_some`].
    Recovery,
}

impl Work {
    /// All of it.
    pub const ALL: &[Self] = &[Self::Trim, Self::Recovery];

    /// What it is called, for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trim => "trim",
            Self::Recovery => "recovery",
        }
    }

    fn key(self) -> Bytes {
        [b"work/", self.name().as_bytes()].concat().into()
    }
}

/// What this node knows of leases.
#[derive(Debug)]
pub(crate) struct Leases {
    /// Told apart from others by chance.
    node: u32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What each name led to when it was last seen, and since when.
    seen: BTreeMap<Bytes, (u64, Time)>,
    /// What is held, with the time before it was renewed.
    held: BTreeMap<Work, (u64, Time)>,
    /// How often this node has renewed.
    beats: u32,
    /// Whether it has left: what beats afterwards must not come back.
    left: bool,
}

/// What nodes that ended have left: their names. See [`Engine::abandoned`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Abandoned {
    nodes: Vec<(Bytes, u64)>,
}

impl Leases {
    pub(crate) fn new(random: &dyn Random) -> Self {
        // Targets stay below 2^63, since stores keep them in signed columns.
        Self { node: random.number() as u32 >> 1, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn own_name(&self) -> Bytes {
        [NODE, format!("{:08x}", self.node).as_bytes()].concat().into()
    }

    fn is_own(&self, target: u64) -> bool {
        target >> 32 == u64::from(self.node)
    }

    fn next(&self) -> u64 {
        let mut state = self.state();
        state.beats = state.beats.wrapping_add(1);
        u64::from(self.node) << 32 | u64::from(state.beats)
    }
}

impl State {
    /// Notes what all names lead to now.
    fn look(&mut self, names: &[(Bytes, u64)], now: Time) {
        let before = std::mem::take(&mut self.seen);
        for (name, target) in names {
            let since = match before.get(name) {
                // A clock that was put back begins anew.
                Some((known, since)) if known == target && *since <= now => *since,
                Some(_) | None => now,
            };
            self.seen.insert(name.clone(), (*target, since));
        }
    }

    /// Whether a name has led to the same for so long that its holder must be gone.
    fn is_over(&self, name: &[u8], now: Time) -> bool {
        self.seen.get(name).is_some_and(|(_, since)| since.plus_seconds(LEASE_SECONDS) <= now)
    }
}

impl Engine {
    /// Whether this node does this work now. Always, where it is alone on its store.
    pub fn holds(&self, work: Work) -> bool {
        let now = self.now();
        let in_time = |renewed: &Time| *renewed <= now && now < renewed.plus_seconds(LEASE_SECONDS);
        self.settings().alone || self.leases().state().held.get(&work).is_some_and(|(_, renewed)| in_time(renewed))
    }

    /// Says that this node lives, renews what it holds, and takes over what nobody does where `takes` says so. To be called
    /// every [`BEAT_SECONDS`]. Costs a read and a commit of the control root; nothing where the node is alone on its store.
    ///
    /// # Errors
    /// When the store fails; what is held is lost if that goes on for [`LEASE_SECONDS`].
    pub async fn beat(&self, takes: bool) -> Result<(), EngineError> {
        if self.settings().alone {
            return Ok(());
        }
        let leases = self.leases();
        if leases.state().left {
            return Ok(());
        }
        let now = self.now();
        let names = self.lease_names().await?;
        leases.state().look(&names, now);
        let target = leases.next();
        let mut commit = Commit::new(RootId::CONTROL, now);
        commit.writes.push(put(leases.own_name(), target));
        let mut renewed = Vec::new();
        for work in Work::ALL.iter().filter(|_| takes) {
            let name = work.key();
            if let Some((_, held)) = names.iter().find(|(key, held)| *key == name && leases.is_own(*held)) {
                commit.guards.push(Guard::NameIs(SCOPE_LEASES, name.clone(), *held));
                commit.writes.push(put(name, target));
                renewed.push(*work);
            }
        }
        match self.store().commit(commit).await {
            Ok(_) => leases.state().held = renewed.iter().map(|work| (*work, (target, now))).collect(),
            // Somebody has taken something over between the look and the commit; the next beat sees what.
            Err(StoreError::Conflict { .. }) => {
                leases.state().held.clear();
                return Ok(());
            }
            Err(other) => return Err(other.into()),
        }
        for work in Work::ALL.iter().filter(|work| takes && !renewed.contains(work)) {
            self.take(*work, target, now).await?;
        }
        Ok(())
    }

    /// Takes over work that nobody does.
    async fn take(&self, work: Work, target: u64, now: Time) -> Result<(), EngineError> {
        let (leases, name) = (self.leases(), work.key());
        let seen = leases.state().seen.get(&name).map(|(held, _)| *held);
        if seen.is_some() && !leases.state().is_over(&name, now) {
            return Ok(());
        }
        let mut commit = Commit::new(RootId::CONTROL, now);
        commit.guards.push(match seen {
            Some(held) => Guard::NameIs(SCOPE_LEASES, name.clone(), held),
            None => Guard::NameFree(SCOPE_LEASES, name.clone()),
        });
        commit.writes.push(put(name, target));
        match self.store().commit(commit).await {
            Ok(_) => {
                tracing::info!(work = work.name(), "this node does it from now on");
                leases.state().held.insert(work, (target, now));
                Ok(())
            }
            // Another one was faster.
            Err(StoreError::Conflict { .. }) => Ok(()),
            Err(other) => Err(other.into()),
        }
    }

    /// Gives up what is held, and takes the name of this node away where it leaves nothing undone: the others need not
    /// wait, or look for anything.
    ///
    /// # Errors
    /// When the store fails: the others find out by themselves then.
    pub async fn leave(&self) -> Result<(), EngineError> {
        if self.settings().alone {
            return Ok(());
        }
        let leases = self.leases();
        let held = {
            let mut state = leases.state();
            state.left = true;
            std::mem::take(&mut state.held)
        };
        let mut names: Vec<(Bytes, Option<u64>)> =
            held.into_iter().map(|(work, (target, _))| (work.key(), Some(target))).collect();
        if self.waiting().is_empty() && !self.has_index_work() {
            names.push((leases.own_name(), None));
        }
        for (name, target) in names {
            self.drop_lease(name, target).await?;
        }
        Ok(())
    }

    /// What nodes that died have left, for who holds [`Work::Recovery`]; also where all roots were never looked through on
    /// this store.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn abandoned(&self) -> Result<Option<Abandoned>, EngineError> {
        let (leases, now) = (self.leases(), self.now());
        let names = self.lease_names().await?;
        let own = leases.own_name();
        let never = !names.iter().any(|(name, _)| name == RECOVERED);
        let state = leases.state();
        let is_dead = |name: &Bytes| name.starts_with(NODE) && *name != own && state.is_over(name, now);
        let nodes: Vec<(Bytes, u64)> = names.into_iter().filter(|(name, _)| is_dead(name)).collect();
        Ok((never || !nodes.is_empty()).then_some(Abandoned { nodes }))
    }

    /// Notes that all roots have been looked through since `left` was found.
    ///
    /// # Errors
    /// When the store fails; it is found once more then.
    pub async fn recovered(&self, left: Abandoned) -> Result<(), EngineError> {
        self.note_done(RECOVERED).await?;
        for (name, target) in left.nodes {
            tracing::info!("what a node that ended had left is done");
            // One that lives all the same has renewed it.
            self.drop_lease(name, Some(target)).await?;
        }
        Ok(())
    }

    /// Whether the last whole trim is so long ago, for who holds [`Work::Trim`].
    ///
    /// # Errors
    /// When the store fails.
    pub async fn trim_is_due(&self, every_seconds: i64) -> Result<bool, EngineError> {
        let mut snapshot = self.store().snapshot(RootId::CONTROL).await?;
        let done = snapshot.name(SCOPE_LEASES, TRIMMED).await?.map(|seconds| Time::from_unix(seconds.cast_signed()));
        let now = self.now();
        let since = |done: Time| done.plus_seconds(every_seconds) > now && done <= now.plus_seconds(every_seconds);
        Ok(!done.is_some_and(since))
    }

    /// Notes that all roots have been trimmed.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn trimmed(&self) -> Result<(), EngineError> {
        self.note_done(TRIMMED).await
    }

    async fn note_done(&self, name: &'static [u8]) -> Result<(), EngineError> {
        let now = self.now();
        let mut commit = Commit::new(RootId::CONTROL, now);
        commit.writes.push(put(Bytes::from_static(name), now.to_unix().max(0).cast_unsigned()));
        self.store().commit(commit).await?;
        Ok(())
    }

    async fn drop_lease(&self, name: Bytes, target: Option<u64>) -> Result<(), EngineError> {
        let mut commit = Commit::new(RootId::CONTROL, self.now());
        commit.guards.extend(target.map(|target| Guard::NameIs(SCOPE_LEASES, name.clone(), target)));
        commit.writes.push(Write::DropName { scope: SCOPE_LEASES, name });
        match self.store().commit(commit).await {
            Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(other) => Err(other.into()),
        }
    }

    async fn lease_names(&self) -> Result<Vec<(Bytes, u64)>, EngineError> {
        let mut snapshot = self.store().snapshot(RootId::CONTROL).await?;
        Ok(snapshot.names(SCOPE_LEASES, None, NAMES_MAX).await?.rows)
    }
}

fn put(name: Bytes, target: u64) -> Write {
    Write::PutName { scope: SCOPE_LEASES, name, target: NameTarget::Id(target) }
}
