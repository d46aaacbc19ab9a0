//! Mail between the mailboxes of this server.
//!
//! What is sent lies in the outbox of the sender from the commit that sends it until every recipient has it, so that
//! nothing is lost when the server ends in between. Each recipient gets it in one commit that also notes the sending, so
//! that nobody gets it twice.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use model::{Bag, Guid, ItemContent, ItemId, PropertyKey, RootId, Seq, Time, Value, limits, sets, tags};
use store::{Commit, Guard, ItemRow, NameTarget, StoreError, Write};

use crate::access::CREATOR;
use crate::act::new_item;
use crate::origin::{Origin, Way};
use crate::{Caller, Engine, EngineError, Mailbox, View, meeting, pack};

/// Scope of names in a mailbox: the sendings that arrived, by the key of the parcel, with the id of the item.
const SCOPE_ARRIVED: u64 = 0x10;
/// Scope of names in a mailbox: what is being delivered, by the key of the parcel, with the id of the item in the outbox.
/// Names are the engine's alone: what a client puts into an outbox is no parcel, whatever it says.
pub(crate) const SCOPE_LEAVING: u64 = 0x11;
/// In the bag of an item in an outbox that is being delivered: the accounts that get it, Binary of eight bytes each.
const PARCEL_TO: PropertyKey = PropertyKey::Lid(sets::HIGHWATER, 0x30);

/// PidTagMessageFlags: submitted, unsent, from the mailbox's owner.
const SUBMITTED: i32 = 0x04;
const UNSENT: i32 = 0x08;
const FROM_ME: i32 = 0x20;
/// PidTagRecipientType of a blind copy.
const BLIND: i64 = 3;
/// PidTagMessageToMe, PidTagMessageCcMe, PidTagMessageRecipientMe: Bool.
const TO_ME: PropertyKey = PropertyKey::Tag(0x0057);
const CC_ME: PropertyKey = PropertyKey::Tag(0x0058);
const RECIPIENT_ME: PropertyKey = PropertyKey::Tag(0x0059);

/// Messages of one outbox that are delivered in one go.
const LEAVING_MAX: usize = 1_000;
/// Notes of arrivals that one commit forgets.
const FORGET_MAX: usize = 1_000;

/// Mailboxes that may have something to deliver.
#[derive(Debug, Default)]
pub(crate) struct Waiting(Mutex<BTreeSet<RootId>>);

impl Waiting {
    fn note(&self, root: RootId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(root);
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn take(&self) -> BTreeSet<RootId> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A message on its way.
pub(crate) struct Parcel {
    /// The row in the sender's outbox.
    pub(crate) item: ItemId,
    /// Its version.
    pub(crate) seq: Seq,
    /// When it was sent, then chance: recipients know it by this.
    pub(crate) key: Bytes,
    message: ItemContent,
    to: Vec<RootId>,
}

impl Parcel {
    /// A message that is sent at `now`.
    pub(crate) fn new(message: ItemContent, to: Vec<Caller>, now: Time, chance: Guid) -> Self {
        let key = [&now.0.to_be_bytes()[..], &chance.0].concat().into();
        let to = to.into_iter().map(|recipient| recipient.account).collect();
        Self { item: ItemId::default(), seq: Seq::ZERO, key, message, to }
    }

    /// The item that stands for it in the outbox.
    pub(crate) fn row(&self) -> ItemContent {
        let mut content = self.message.clone();
        let to: Vec<u8> = self.to.iter().flat_map(|root| root.0.to_be_bytes()).collect();
        content.bag.set(PARCEL_TO, Value::binary(to));
        let flags = number(&content.bag, &tags::MESSAGE_FLAGS) as i32;
        content.bag.set(tags::MESSAGE_FLAGS, Value::I32(flags & !UNSENT | SUBMITTED | FROM_ME));
        content
    }

    /// The parcel of an item in an outbox. `None` where it does not say who gets it.
    fn of_row(row: &ItemRow, key: Bytes, mut content: ItemContent) -> Option<Self> {
        let Some(Value::Binary(to)) = content.bag.remove(&PARCEL_TO) else { return None };
        let to = to.as_chunks::<8>().0.iter().map(|bytes| RootId(u64::from_be_bytes(*bytes))).collect();
        Some(Self { item: row.item, seq: row.seq, key, message: content, to })
    }

    /// When it was sent.
    fn sent(&self) -> Time {
        Time(self.key.first_chunk().map_or(i64::MIN, |bytes: &[u8; 8]| i64::from_be_bytes(*bytes)))
    }
}

/// A message as a recipient gets it. `own` says that the sender is the recipient.
pub(crate) fn received(mut message: ItemContent, recipient: &Caller, own: bool, now: Time) -> ItemContent {
    let bag = &mut message.bag;
    // In a meeting the third kind of recipients are its resources, whom everybody may see.
    if !meeting::is_message(bag) {
        message.recipients.retain(|row| number(row, &tags::RECIPIENT_TYPE) != BLIND);
        bag.remove(&tags::DISPLAY_BCC);
    }
    Origin::forget(bag);
    for key in [tags::CREATION_TIME, tags::LAST_MODIFICATION_TIME, PARCEL_TO, CREATOR] {
        bag.remove(&key);
    }
    for [name, kind, address, smtp] in [
        [
            tags::RECEIVED_BY_NAME,
            tags::RECEIVED_BY_ADDRESS_TYPE,
            tags::RECEIVED_BY_EMAIL_ADDRESS,
            tags::RECEIVED_BY_SMTP_ADDRESS,
        ],
        [
            tags::RECEIVED_REPRESENTING_NAME,
            tags::RECEIVED_REPRESENTING_ADDRESS_TYPE,
            tags::RECEIVED_REPRESENTING_EMAIL_ADDRESS,
            tags::RECEIVED_REPRESENTING_SMTP_ADDRESS,
        ],
    ] {
        bag.set(name, Value::text(recipient.display_name.clone()));
        bag.set(kind, Value::text("SMTP"));
        bag.set(address, Value::text(recipient.address.clone()));
        bag.set(smtp, Value::text(recipient.address.clone()));
    }
    let named = |kind: i64| {
        let of_kind = message.recipients.iter().filter(|row| number(row, &tags::RECIPIENT_TYPE) == kind);
        of_kind.filter_map(|row| row.text(&tags::SMTP_ADDRESS)).any(|one| one.eq_ignore_ascii_case(&recipient.address))
    };
    let (to, cc) = (named(1), named(2));
    bag.set(TO_ME, Value::Bool(to));
    bag.set(CC_ME, Value::Bool(cc));
    bag.set(RECIPIENT_ME, Value::Bool(to || cc));
    bag.set(tags::MESSAGE_DELIVERY_TIME, Value::Time(now.whole_second()));
    let flags = number(bag, &tags::MESSAGE_FLAGS) as i32 & !(SUBMITTED | UNSENT | FROM_ME);
    bag.set(tags::MESSAGE_FLAGS, Value::I32(if own { flags | FROM_ME } else { flags }));
    message
}

fn number(bag: &Bag, key: &PropertyKey) -> i64 {
    bag.get(key).and_then(Value::as_i64).unwrap_or_default()
}

impl Engine {
    /// Delivers what lies in outboxes because a delivery of this node has failed since the last call. Returns how many
    /// messages are through. For what nodes that ended have left see [`Self::recover_some`].
    ///
    /// # Errors
    /// When the store fails; what has failed is tried again at the next call.
    pub async fn deliver(&self) -> Result<u64, EngineError> {
        let mut delivered = 0;
        for root in self.waiting().take() {
            delivered += self.deliver_noted(root).await?;
        }
        Ok(delivered)
    }

    /// As [`Self::deliver_from`]; a mailbox whose outbox could not be read is looked at again.
    pub(crate) async fn deliver_noted(&self, root: RootId) -> Result<u64, EngineError> {
        let delivered = self.deliver_from(root).await;
        if delivered.is_err() {
            self.waiting().note(root);
        }
        delivered
    }

    /// Delivers what lies in the outbox of one mailbox.
    async fn deliver_from(&self, root: RootId) -> Result<u64, EngineError> {
        let mut view = match self.store().snapshot(root).await {
            Ok(snapshot) => View::new(snapshot),
            Err(StoreError::NoRoot(_)) => return Ok(0),
            Err(other) => return Err(other.into()),
        };
        let leaving = view.snapshot.names(SCOPE_LEAVING, None, LEAVING_MAX).await?.rows;
        let ids: Vec<ItemId> = leaving.iter().map(|(_, item)| ItemId(*item)).collect();
        let rows = view.items(&ids).await?;
        let (mut parcels, mut withdrawn) = (Vec::new(), Vec::new());
        for ((key, _), row) in leaving.into_iter().zip(rows) {
            // What its owner has deleted, moved or changed meanwhile is not what was sent.
            let sent = row.filter(|row| row.seq == row.created_seq);
            let parcel = match sent {
                Some(row) => Parcel::of_row(&row, key.clone(), view.content(&row).await?),
                None => None,
            };
            match parcel {
                Some(parcel) => parcels.push(parcel),
                None => withdrawn.push(key),
            }
        }
        drop(view);
        if !withdrawn.is_empty() {
            let mut commit = Commit::new(root, self.now());
            commit.writes = withdrawn.into_iter().map(|name| Write::DropName { scope: SCOPE_LEAVING, name }).collect();
            self.store().commit(commit).await?;
        }
        let mut delivered = 0;
        for parcel in parcels {
            delivered += u64::from(self.carry(root, &parcel).await);
        }
        Ok(delivered)
    }

    /// Delivers one message and takes it out of the sender's outbox. Where that fails, it is noted to be tried again.
    pub(crate) async fn carry(&self, sender: RootId, parcel: &Parcel) -> bool {
        match self.try_carry(sender, parcel).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%sender, item = parcel.item.0, %error, "a message could not be delivered yet");
                self.waiting().note(sender);
                false
            }
        }
    }

    async fn try_carry(&self, sender: RootId, parcel: &Parcel) -> Result<(), EngineError> {
        // Who got it is no longer known of what is older than that: it stays where it is, for its sender to see.
        let known_since = self.now().plus_seconds(-self.settings().retention_seconds);
        let given_up = parcel.sent() < known_since;
        let to: &[RootId] = if given_up { &[] } else { &parcel.to };
        let (mut failed, directory) = (None, self.directory());
        for recipient in to {
            let done = match directory.by_account(*recipient).await {
                Ok(Some(recipient)) => self.hand_over(&recipient, parcel).await,
                // The account was removed meanwhile.
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            failed = done.err().or(failed);
        }
        if let Some(error) = failed {
            return Err(error);
        }
        let mut commit = Commit::new(sender, self.now());
        commit.writes = vec![Write::DropName { scope: SCOPE_LEAVING, name: parcel.key.clone() }];
        if !given_up {
            commit.guards.push(Guard::ItemAt(parcel.item, parcel.seq));
            commit.writes.push(Write::DeleteItem { item: parcel.item, note: Bytes::new() });
        }
        match self.store().commit(commit).await {
            // Somebody else took it out.
            Ok(_) | Err(StoreError::Conflict { .. } | StoreError::NoItem(_) | StoreError::NoRoot(_)) => Ok(()),
            Err(other) => Err(other.into()),
        }
    }

    /// Puts a message into the inbox of a recipient, with what follows from it, unless it is there already.
    async fn hand_over(&self, recipient: &Caller, parcel: &Parcel) -> Result<(), EngineError> {
        let mailbox = Mailbox::of_owner(self, recipient).await?;
        for _ in 0..limits::CONFLICT_RETRIES_MAX {
            let mut view = mailbox.begin().await?;
            if view.name(SCOPE_ARRIVED, &parcel.key).await?.is_some() {
                return Ok(());
            }
            let inbox = view.distinguished("inbox").await?;
            let mut commit = Commit::new(recipient.account, self.now());
            commit.guards = vec![Guard::NameFree(SCOPE_ARRIVED, parcel.key.clone()), Guard::CollectionExists(inbox)];
            let mut content = received(parcel.message.clone(), recipient, false, self.now());
            let note = meeting::arrive(&mut view, &mailbox, &mut content, &mut commit).await?;
            drop(view);
            mailbox.stamp_new(&mut content);
            Origin { way: Way::Arrived, at: commit.at }.note(&mut content.bag);
            let write = commit.writes.len();
            commit.writes.push(new_item(inbox, pack::pack(content)?));
            let target = NameTarget::Write(write);
            commit.writes.push(Write::PutName { scope: SCOPE_ARRIVED, name: parcel.key.clone(), target });
            if let Some(name) = note {
                commit.writes.push(Write::PutName { scope: meeting::SCOPE_REQUESTS, name, target });
            }
            match self.store().commit(commit).await {
                Ok(_) => return Ok(()),
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(EngineError::Contended)
    }

    /// Forgets the arrivals of what was sent before `before`. Returns how many.
    pub(crate) async fn forget_arrivals(&self, root: RootId, before: Time) -> Result<u64, EngineError> {
        let mut forgotten = 0;
        loop {
            let mut snapshot = match self.store().snapshot(root).await {
                Ok(snapshot) => snapshot,
                Err(StoreError::NoRoot(_)) => return Ok(forgotten),
                Err(other) => return Err(other.into()),
            };
            let page = snapshot.names(SCOPE_ARRIVED, None, FORGET_MAX).await?;
            drop(snapshot);
            let old =
                |name: &Bytes| name.first_chunk().is_none_or(|bytes: &[u8; 8]| i64::from_be_bytes(*bytes) < before.0);
            let mut commit = Commit::new(root, self.now());
            let names = page.rows.into_iter().map(|(name, _)| name).take_while(old);
            commit.writes = names.map(|name| Write::DropName { scope: SCOPE_ARRIVED, name }).collect();
            let count = commit.writes.len();
            if count == 0 {
                return Ok(forgotten);
            }
            match self.store().commit(commit).await {
                Ok(_) => forgotten += count as u64,
                Err(StoreError::NoRoot(_)) => return Ok(forgotten),
                Err(other) => return Err(other.into()),
            }
            if count < FORGET_MAX {
                return Ok(forgotten);
            }
        }
    }
}
