//! Notifications: what happened in folders since a client last heard of them.
//!
//! A server keeps nothing of a subscription. Its id is a sealed token with all there is to know, and how far its client has
//! come is another, the watermark, so that any node answers any client, and what happened while nobody listened comes with
//! the next answer. Events are net changes out of the change engine, in the order of positions, and cost what is returned
//! beside the folders of the mailbox. They are hints: an event may come again, never is one lost; what is there now is for
//! synchronisation to tell.
//!
//! Two things are kept in the mailbox, as names until the subscription ends: that a client has ended it before, and how far
//! a stream had come whose client has no watermark to name.

mod explain;
mod token;
mod walk;

use bytes::Bytes;
use model::{CollectionId, ItemId, RootId, Seq, Time, limits};
use store::{Commit, Guard, NameTarget, StoreError, Write};

use crate::token::check_timeline;
use crate::{Caller, Engine, EngineError, FolderRights, Mailbox, MailboxName, StateFault, View};
use token::{Issued, SubscriptionToken, WatermarkToken, end_of_name};

/// Scope of names in a mailbox: the subscriptions that were ended before their time.
const SCOPE_ENDED: u64 = 0x14;
/// Scope of names in a mailbox: the position up to which the events of a streaming subscription were sent.
const SCOPE_PLACES: u64 = 0x15;

/// How long a subscription lasts. Ids of subscriptions that were ended are remembered as long.
const LIFETIME_SECONDS: i64 = 7 * 86_400;
/// By how much the clocks of two nodes may differ.
const CLOCKS_SECONDS: i64 = 300;
/// Names of subscriptions that are over which one commit forgets.
const FORGET_MAX: usize = 1_000;
/// Those that are forgotten beside the end of another.
const FORGET_BESIDE_MAX: usize = 16;

/// A kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// It is the copy of another.
    Copied,
    /// It was made.
    Created,
    /// It went for good.
    Deleted,
    /// It changed; of a folder also: what lies in it did.
    Modified,
    /// It was moved to another folder.
    Moved,
    /// It arrived as mail.
    NewMail,
    /// It is an appointment that changed when its owner is busy.
    FreeBusyChanged,
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventKinds(u8);

impl EventKinds {
    /// All kinds.
    pub const ALL: Self = Self(0x7f);

    /// These and another.
    #[must_use]
    pub const fn with(self, kind: EventKind) -> Self {
        Self(self.0 | Self::bit(kind))
    }

    /// Whether a kind is among these.
    pub const fn has(self, kind: EventKind) -> bool {
        self.0 & Self::bit(kind) != 0
    }

    const fn bit(kind: EventKind) -> u8 {
        match kind {
            EventKind::Copied => 0x01,
            EventKind::Created => 0x02,
            EventKind::Deleted => 0x04,
            EventKind::Modified => 0x08,
            EventKind::Moved => 0x10,
            EventKind::NewMail => 0x20,
            EventKind::FreeBusyChanged => 0x40,
        }
    }

    const fn bits(self) -> u8 {
        self.0
    }

    fn from_bits(bits: u8) -> Option<Self> {
        (bits & !Self::ALL.0 == 0).then_some(Self(bits))
    }
}

/// What a client wants to hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// In which folders: items and folders in them, and the folders themselves. None at all for the whole mailbox. At
    /// most [`limits::SUBSCRIPTION_FOLDERS_MAX`].
    pub folders: Vec<CollectionId>,
    /// Which kinds.
    pub kinds: EventKinds,
}

/// How a client gets its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// It asks for those since a watermark.
    Pull {
        /// Minutes after which the subscription is over unless it asks.
        idle_minutes: u32,
    },
    /// It leaves a request open over which they come.
    Streaming,
}

/// A new subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribed {
    /// Its id.
    pub id: Vec<u8>,
    /// From where its events begin.
    pub watermark: Vec<u8>,
}

/// Why a subscription cannot be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubscriptionError {
    /// The id is none of ours, or of a subscription of another kind.
    #[error("not a subscription of this kind")]
    Invalid,
    /// It was ended, or its mailbox or history is gone.
    #[error("no such subscription")]
    NotFound,
    /// It is over.
    #[error("the subscription is over")]
    Expired,
    /// It is that of another account.
    #[error("the subscription of another")]
    AccessDenied,
    /// The watermark is none of ours, of another mailbox, too old, or from a lost timeline.
    #[error("the watermark cannot be served")]
    Watermark,
    /// It names more folders than one may.
    #[error("too many folders in one subscription")]
    TooManyFolders,
    /// Something else failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl From<StoreError> for SubscriptionError {
    fn from(error: StoreError) -> Self {
        Self::Engine(error.into())
    }
}

/// What happened to what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// To an item.
    Item {
        /// Which.
        item: ItemId,
        /// Its message class, where that is known.
        class: Option<String>,
        /// Where it lies, or lay.
        folder: CollectionId,
        /// For moves and copies: where it was before, or what it is the copy of.
        old: Option<(CollectionId, ItemId)>,
    },
    /// To a folder.
    Folder {
        /// Which.
        folder: CollectionId,
        /// Its class, where that is known.
        class: Option<String>,
        /// Where it lies, or lay.
        parent: CollectionId,
        /// For moves: where it lay before.
        old_parent: Option<CollectionId>,
        /// How many unread items it holds now, where what lies in it changed.
        unread: Option<u64>,
    },
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What kind.
    pub kind: EventKind,
    /// What happened.
    pub change: Change,
    /// When; now, where no time is kept of it.
    pub at: Time,
    /// Up to where a client has heard that has heard this.
    pub watermark: Vec<u8>,
}

/// A number of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPage {
    /// In the order in which they happened.
    pub events: Vec<Event>,
    /// Whether there are more already.
    pub more: bool,
    /// Up to where they go.
    pub watermark: Vec<u8>,
    /// The same, to go on from.
    pub place: Place,
}

/// How far a client has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    issued: Issued,
    base: Seq,
    cursor: Seq,
}

impl Place {
    /// All up to this position has been told.
    pub const fn position(&self) -> Seq {
        self.cursor
    }

    const fn token(&self, at: Time) -> WatermarkToken {
        WatermarkToken { issued: self.issued, base: self.base, cursor: self.cursor, at }
    }
}

/// A subscription that the caller may use.
pub struct Subscription {
    mailbox: Mailbox,
    token: SubscriptionToken,
}

impl Mailbox {
    /// Makes a subscription; its events are those after the watermark `from`, or after now. `creator` is who asks, also
    /// in the name of another. Writes nothing.
    ///
    /// # Errors
    /// [`SubscriptionError::TooManyFolders`]; [`SubscriptionError::Watermark`]; [`EngineError::NoCollection`] and
    /// [`EngineError::AccessDenied`] for folders that may not be read; when the store fails.
    pub async fn subscribe(
        &self,
        mut watch: Watch,
        channel: Channel,
        from: Option<&[u8]>,
        creator: &Caller,
    ) -> Result<Subscribed, SubscriptionError> {
        watch.folders.sort_unstable();
        watch.folders.dedup();
        if watch.folders.len() > limits::SUBSCRIPTION_FOLDERS_MAX {
            return Err(SubscriptionError::TooManyFolders);
        }
        let now = self.engine().now();
        let mut view = self.begin().await?;
        for folder in &watch.folders {
            view.collection(*folder).await?;
            view.require(*folder, FolderRights::READ_ANY).await?;
        }
        if watch.folders.is_empty() && self.is_visited() {
            return Err(EngineError::AccessDenied.into());
        }
        let here = view.issued();
        let place = match from {
            None => Place { issued: here, base: here.position, cursor: here.position },
            Some(bytes) => {
                let token = self.watermark(bytes)?;
                let place = Place { issued: token.issued, base: token.base, cursor: token.cursor };
                view.check(&place).await?;
                walk::check_kept(&mut view, &watch, place.cursor).await?;
                place
            }
        };
        let token = SubscriptionToken {
            issued: here,
            from: place.base,
            channel,
            account: self.caller().account,
            creator: creator.account,
            ends: now.plus_seconds(LIFETIME_SECONDS),
            nonce: self.engine().random().guid(),
            watch,
        };
        let sealer = self.engine().sealer();
        Ok(Subscribed { id: token.seal(sealer), watermark: place.token(now).seal(sealer) })
    }

    /// A watermark of this mailbox.
    fn watermark(&self, bytes: &[u8]) -> Result<WatermarkToken, SubscriptionError> {
        let token = WatermarkToken::open(self.engine().sealer(), bytes);
        let token = token.map_err(|_| SubscriptionError::Watermark)?;
        if token.issued.mailbox == self.guid() { Ok(token) } else { Err(SubscriptionError::Watermark) }
    }
}

impl Engine {
    /// The subscription with this id, for `caller`, or for `sender` who made it in the name of another and still may.
    ///
    /// # Errors
    /// See [`SubscriptionError`]. Whether it was ended is asked where it is used.
    pub async fn subscription(
        &self,
        caller: &Caller,
        sender: &Caller,
        id: &[u8],
    ) -> Result<Subscription, SubscriptionError> {
        let token = SubscriptionToken::open(self.sealer(), id).map_err(|_| SubscriptionError::Invalid)?;
        let account = if token.account == caller.account {
            caller.clone()
        } else if token.creator == sender.account {
            let account = self.directory().by_account(token.account).await?.ok_or(SubscriptionError::NotFound)?;
            self.directory().impersonate(sender, &account.address).await.map_err(|error| {
                if error == EngineError::AccessDenied { SubscriptionError::AccessDenied } else { error.into() }
            })?
        } else {
            return Err(SubscriptionError::AccessDenied);
        };
        if self.now() > token.ends {
            return Err(SubscriptionError::Expired);
        }
        let mailbox = self.open_mailbox(&account, MailboxName::Guid(token.issued.mailbox)).await;
        let mailbox = mailbox.map_err(of_mailbox)?;
        Ok(Subscription { mailbox, token })
    }

    /// Forgets what is kept of subscriptions that are over. Returns how many.
    pub(crate) async fn forget_subscriptions(&self, root: RootId) -> Result<u64, EngineError> {
        let mut forgotten = 0;
        for scope in [SCOPE_ENDED, SCOPE_PLACES] {
            loop {
                let mut view = match self.store().snapshot(root).await {
                    Ok(snapshot) => View::new(snapshot),
                    Err(StoreError::NoRoot(_)) => return Ok(forgotten),
                    Err(other) => return Err(other.into()),
                };
                let mut commit = Commit::new(root, self.now());
                commit.writes = view.over(scope, commit.at, FORGET_MAX).await?;
                drop(view);
                let count = commit.writes.len();
                if count == 0 {
                    break;
                }
                match self.store().commit(commit).await {
                    Ok(_) => forgotten += count as u64,
                    Err(StoreError::NoRoot(_)) => return Ok(forgotten),
                    Err(other) => return Err(other.into()),
                }
            }
        }
        Ok(forgotten)
    }
}

impl View {
    /// Where and when this view is, as tokens say it.
    fn issued(&self) -> Issued {
        let root = self.snapshot.root();
        Issued { mailbox: root.guid, epoch: root.epoch, position: root.last_seq }
    }

    /// Whether the history that a place is from is the history of now.
    async fn check(&mut self, place: &Place) -> Result<(), SubscriptionError> {
        let epochs = self.epochs_for(place.issued.epoch).await?;
        let issued = (place.issued.epoch, place.issued.position);
        check_timeline(issued, epochs.as_deref(), self.position()).map_err(|_: StateFault| SubscriptionError::Watermark)
    }

    /// The writes that forget names of a scope whose subscriptions are over at `now`, on all clocks.
    async fn over(&mut self, scope: u64, now: Time, max: usize) -> Result<Vec<Write>, EngineError> {
        let before = now.plus_seconds(-CLOCKS_SECONDS);
        let page = self.snapshot.names(scope, None, max).await?;
        let names = page.rows.into_iter().map(|(name, _)| name).take_while(|name| end_of_name(name) < before);
        Ok(names.map(|name| Write::DropName { scope, name }).collect())
    }
}

impl Subscription {
    /// How its client gets its events.
    pub const fn channel(&self) -> Channel {
        self.token.channel
    }

    /// The mailbox that it is about.
    pub const fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// The place of a watermark that its client has.
    ///
    /// # Errors
    /// [`SubscriptionError::Watermark`] where it is none; [`SubscriptionError::Expired`] where the client has not asked
    /// for too long.
    pub fn place_of(&self, watermark: &[u8]) -> Result<Place, SubscriptionError> {
        let token = self.mailbox.watermark(watermark)?;
        if let Channel::Pull { idle_minutes } = self.token.channel {
            let idle = token.at.plus_seconds(i64::from(idle_minutes) * 60 + CLOCKS_SECONDS);
            if self.mailbox.engine().now() > idle {
                return Err(SubscriptionError::Expired);
            }
        }
        Ok(Place { issued: token.issued, base: token.base, cursor: token.cursor })
    }

    /// Where a streaming subscription goes on: where the last stream ended, or where it begins.
    ///
    /// # Errors
    /// [`SubscriptionError::NotFound`] where it was ended, or made on a lost timeline; when the store fails.
    pub async fn left_at(&self) -> Result<Place, SubscriptionError> {
        let mut view = self.begin().await?;
        let made = Place { issued: self.token.issued, base: self.token.from, cursor: self.token.from };
        view.check(&made)
            .await
            .map_err(|error| if error == SubscriptionError::Watermark { SubscriptionError::NotFound } else { error })?;
        let [cursor, base] = self.place_names();
        let cursor = view.name(SCOPE_PLACES, &cursor).await?.map_or(self.token.from, Seq);
        let base = view.name(SCOPE_PLACES, &base).await?.map_or(cursor, Seq);
        Ok(Place { issued: view.issued(), base, cursor })
    }

    /// The events after a place, `limit` about: those of one position come together. Costs the events, the changes that
    /// are passed over, and the folders of the mailbox where anything has changed.
    ///
    /// # Errors
    /// [`SubscriptionError::NotFound`] where the subscription was ended; [`SubscriptionError::Watermark`] where the
    /// history since the place is not there; [`EngineError::AccessDenied`] and [`EngineError::NoCollection`] where a
    /// folder may no longer be read; when the store fails.
    pub async fn events(&self, place: &Place, limit: usize) -> Result<EventPage, SubscriptionError> {
        let engine = self.mailbox.engine();
        let now = engine.now();
        if now > self.token.ends {
            return Err(SubscriptionError::Expired);
        }
        let mut view = self.begin().await?;
        view.check(place).await?;
        let here = view.issued();
        let walked = walk::walk(&mut view, &self.token.watch, (place.base, place.cursor), limit, now).await?;
        drop(view);
        let at_rest = Place { issued: here, base: here.position, cursor: here.position };
        let between = |cursor| Place { issued: here, cursor, ..*place };
        let place = walked.until.map_or(at_rest, between);
        let mut events = Vec::with_capacity(walked.events.len());
        let mut walked_events = walked.events.into_iter().peekable();
        while let Some(seen) = walked_events.next() {
            let after = match walked_events.peek() {
                None => place,
                Some(next) if next.position > seen.position => between(seen.position),
                // Who has heard this one only has not heard all of its position.
                Some(_) => between(Seq(seen.position.0.saturating_sub(1))),
            };
            let watermark = after.token(now).seal(engine.sealer());
            events.push(Event { kind: seen.kind, change: seen.change, at: seen.at, watermark });
        }
        let watermark = place.token(now).seal(engine.sealer());
        Ok(EventPage { events, more: walked.until.is_some(), watermark, place })
    }

    /// Waits until something has been written after a place, as [`store::Store::changed`] does.
    ///
    /// # Errors
    /// [`SubscriptionError::NotFound`] where the mailbox is gone; when the store fails.
    pub async fn changed(&self, place: &Place) -> Result<(), SubscriptionError> {
        // What stood at the place is known, also where it stands between two pages.
        match self.mailbox.engine().store().changed(self.mailbox.root(), place.cursor).await {
            Ok(_) => Ok(()),
            Err(StoreError::NoRoot(_)) => Err(SubscriptionError::NotFound),
            Err(other) => Err(other.into()),
        }
    }

    /// Keeps the place at which a stream stands, for the next one. Nothing happens where the subscription was ended.
    ///
    /// # Errors
    /// When the store fails; the next stream then repeats events.
    pub async fn note_place(&self, place: &Place) -> Result<(), SubscriptionError> {
        let mut commit = Commit::new(self.mailbox.root(), self.mailbox.engine().now());
        commit.guards = vec![Guard::NameFree(SCOPE_ENDED, self.token.name().into())];
        let scope = SCOPE_PLACES;
        let [name, base] = self.place_names();
        commit.writes = vec![Write::PutName { scope, name, target: NameTarget::Id(place.cursor.0) }];
        commit.writes.push(if place.base == place.cursor {
            Write::DropName { scope, name: base }
        } else {
            Write::PutName { scope, name: base, target: NameTarget::Id(place.base.0) }
        });
        match self.mailbox.engine().store().commit(commit).await {
            Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(other) => Err(other.into()),
        }
    }

    /// Ends the subscription before its time.
    ///
    /// # Errors
    /// [`SubscriptionError::NotFound`] where it was ended already; when the store fails.
    pub async fn end(self) -> Result<(), SubscriptionError> {
        let mut view = self.begin().await?;
        let name = Bytes::from(self.token.name());
        let mut commit = Commit::new(self.mailbox.root(), self.mailbox.engine().now());
        commit.guards = vec![Guard::NameFree(SCOPE_ENDED, name.clone())];
        for scope in [SCOPE_ENDED, SCOPE_PLACES] {
            commit.writes.extend(view.over(scope, commit.at, FORGET_BESIDE_MAX).await?);
        }
        drop(view);
        let target = NameTarget::Id(self.token.from.0);
        commit.writes.push(Write::PutName { scope: SCOPE_ENDED, name, target });
        let places = self.place_names().map(|name| Write::DropName { scope: SCOPE_PLACES, name });
        commit.writes.extend(places);
        match self.mailbox.engine().store().commit(commit).await {
            Ok(_) => Ok(()),
            Err(StoreError::Conflict { .. } | StoreError::NoRoot(_)) => Err(SubscriptionError::NotFound),
            Err(other) => Err(other.into()),
        }
    }

    /// The names of the two marks of a place: what was told, and against what kinds are judged where that is another.
    fn place_names(&self) -> [Bytes; 2] {
        [0, 1].map(|mark| [&self.token.name()[..], &[mark]].concat().into())
    }

    /// A view of the mailbox, where the subscription was not ended.
    async fn begin(&self) -> Result<View, SubscriptionError> {
        let mut view = self.mailbox.begin().await.map_err(of_mailbox)?;
        match view.name(SCOPE_ENDED, &self.token.name()).await? {
            None => Ok(view),
            Some(_) => Err(SubscriptionError::NotFound),
        }
    }
}

/// Why the mailbox of a subscription cannot be opened.
fn of_mailbox(error: EngineError) -> SubscriptionError {
    if matches!(error, EngineError::NoMailbox { .. }) { SubscriptionError::NotFound } else { error.into() }
}
