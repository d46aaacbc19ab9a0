//! The rules of Highwater: who may open what, collections, items, synchronisation by token, retention.
//!
//! An [`Engine`] stands over one store. A caller who has been authenticated opens a [`Mailbox`] or a [`Site`]; access is
//! decided there and nowhere else, so a handle is the proof of the right to use it. Reads go through a [`View`] of one
//! moment. This crate must not know XML, SQL, HTTP or the wire names of a protocol.

mod access;
mod act;
mod delivery;
mod directory;
mod error;
mod explain;
mod folder_tree;
mod folders;
mod hierarchy;
mod item;
mod lease;
mod list_index;
mod list_sync;
mod mailbox;
mod meeting;
mod notify;
mod opened;
mod origin;
mod outline;
mod pack;
mod query;
mod recycle_bin;
mod retention;
mod row;
mod row_attachment;
mod row_key;
mod row_removal;
mod search;
mod site;
mod site_rights;
mod site_roles;
mod sync;
mod token;
mod view;
mod window;
mod written;

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64, Ordering},
};

use model::{Clock, Random, limits};
use store::Store;

pub use access::{
    Access, Caller, EffectiveRights, FolderRights, Grantee, PERMISSIONS, Permission, Permissions, Rights,
};
pub use act::{Own, Sending};
pub use directory::{Account, Directory, NewAccount, NewSite, SiteEntry};
pub use error::{EngineError, StateFault};
pub use folders::{DELETED_FROM, DISTINGUISHED, Distinguished, DistinguishedFolder};
pub use hierarchy::{FolderChange, FolderSyncPage};
pub use item::{ItemDraft, ItemView};
pub use lease::{Abandoned, BEAT_SECONDS, LEASE_SECONDS, Work};
pub use list_index::{INDEXES_MAX, ListIndex, set_indexes};
pub use list_sync::{ListChange, ListSync, ListSyncPage, Verdict};
pub use mailbox::{DeleteMode, Folder, Mailbox, MailboxName, NewFolder, Precondition};
pub use meeting::appointment_of;
pub use notify::{
    Change, Channel, Event, EventKind, EventKinds, EventPage, Place, Subscribed, Subscription, SubscriptionError, Watch,
};
pub use outline::{AttachmentOutline, Extent, Held, Outline};
pub use query::{Found, Query};
pub use recycle_bin::Recycled;
pub use retention::Walk;
pub use row::{NEW_ROWS_MAX, RowDraft};
pub use row_attachment::{AttachmentExpected, RowAttachment};
pub use row_key::{
    key_is_exact, key_of_nothing, key_of_number, key_of_other, key_of_text, key_of_time, keys_of_numbers,
    keys_of_texts, row_key,
};
pub use row_removal::{Along, Removal};
pub use search::{SEARCHED_FOLDERS_MAX, Search};
pub use site::{ListCollection, Site, list_keys};
pub use site_rights::{
    Assignments, DEFAULT_ASSIGNMENTS, EVERYONE, GROUPS, ListAccess, ROLES, Role, SiteGroup, SiteMask, role,
};
pub use site_roles::{RoleScope, RoleState};
pub use store::{ItemRow, StoreError, Unready};
pub use sync::{ItemSyncChange, SyncItems, SyncPage, SyncScope};
pub use token::{Issuer, ListToken, TokenExplanation};
pub use view::View;
pub use window::Window;

/// What operators may set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Seconds for which tombstones are kept. An older token is refused.
    pub retention_seconds: i64,
    /// Seconds for which the recycle bins of sites keep what was deleted; 0 for no bins: everything goes for good.
    pub recycle_bin_seconds: i64,
    /// Changed rows in one answer to a list token.
    pub list_changes_max: u32,
    /// Whether no other node works on the same store. Then work beside requests needs no lease.
    pub alone: bool,
    /// Seconds by which the clocks of the nodes on one store may differ. Times that clients name count as so much earlier,
    /// which costs them rows that they know.
    pub clock_skew_seconds: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            retention_seconds: limits::RETENTION_SECONDS_DEFAULT,
            recycle_bin_seconds: limits::RECYCLE_BIN_SECONDS_DEFAULT,
            list_changes_max: limits::LIST_CHANGES_MAX,
            alone: true,
            clock_skew_seconds: 0,
        }
    }
}

/// The domain over one store. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
    /// That of `inner`, or a view of it: see [`Self::for_request`].
    store: Arc<dyn Store>,
    writes: Option<Arc<AtomicU64>>,
    #[cfg(feature = "deliberate-faults")]
    judge: sync::Judge,
}

struct Inner {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    settings: Settings,
    sealer: token::Sealer,
    opened: opened::Opened,
    waiting: delivery::Waiting,
    leases: lease::Leases,
    /// The latest time that was given out, in ticks.
    latest: AtomicI64,
}

impl Engine {
    /// Opens the domain over `store`; on a fresh store sets up the control root and the root site `/`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn open(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        settings: Settings,
    ) -> Result<Self, EngineError> {
        let secret = directory::prepare(&*store, &*clock, &*random).await?;
        let sealer = token::Sealer::new(&secret);
        let (opened, latest) = (opened::Opened::default(), AtomicI64::new(i64::MIN));
        let (waiting, leases) = (delivery::Waiting::default(), lease::Leases::new(&*random));
        Ok(Self {
            store: Arc::clone(&store),
            writes: None,
            inner: Arc::new(Inner { store, clock, random, settings, sealer, opened, waiting, leases, latest }),
            #[cfg(feature = "deliberate-faults")]
            judge: sync::Judge::Marks,
        })
    }

    /// The same domain with rule 3 of the change engine broken: it judges the kinds of changes by the cursor of the
    /// page. For tests that must notice.
    #[cfg(feature = "deliberate-faults")]
    #[must_use]
    pub fn judging_by_cursor(mut self) -> Self {
        self.judge = sync::Judge::Cursor;
        self
    }

    /// Accounts and sites.
    pub fn directory(&self) -> Directory {
        Directory::new(self.clone())
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// Whether the store can be worked with now. See [`Store::check`].
    ///
    /// # Errors
    /// The first part of the store that cannot be used.
    pub async fn check(&self) -> Result<(), Unready> {
        self.inner.store.check().await
    }

    /// What the store has done so far. See [`Store::figures`].
    pub fn store_figures(&self) -> Vec<(&'static str, u64)> {
        self.inner.store.figures()
    }

    /// The clock.
    pub fn clock(&self) -> &dyn Clock {
        &*self.inner.clock
    }

    /// The source of chance.
    pub fn random(&self) -> &dyn Random {
        &*self.inner.random
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.store
    }

    pub(crate) fn sealer(&self) -> &token::Sealer {
        &self.inner.sealer
    }

    pub(crate) fn opened(&self) -> &opened::Opened {
        &self.inner.opened
    }

    pub(crate) fn waiting(&self) -> &delivery::Waiting {
        &self.inner.waiting
    }

    pub(crate) fn leases(&self) -> &lease::Leases {
        &self.inner.leases
    }

    pub(crate) fn now(&self) -> model::Time {
        let now = self.inner.clock.now();
        self.inner.latest.fetch_max(now.0, Ordering::Relaxed);
        now
    }

    /// The time now, or the latest that was given out where the clock was put back since.
    pub(crate) fn latest(&self) -> model::Time {
        let now = self.now();
        model::Time(now.0.max(self.inner.latest.load(Ordering::Relaxed)))
    }
}
