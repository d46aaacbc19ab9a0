//! Importing messages into a mailbox: finding them in files, reading them, and storing many at the same time, so that
//! the store can make them durable in groups.

mod find;

use std::{path::PathBuf, sync::Arc};

use content::message;
use engine::{EngineError, Mailbox, NewFolder};
use futures_util::{StreamExt, stream};
use model::{CollectionId, ItemContent, ItemFlags, Time, Value, tags};
use store::StoreError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

pub(crate) use find::{Found, Sighting, size};

/// Messages that are found ahead of being read.
const FOUND_AHEAD_MAX: usize = 16;
/// Messages that are read at the same time.
const READING_MAX: usize = 8;
/// Messages that are being stored at the same time.
const STORING_MAX: usize = 64;
/// Memory for messages that have been found and are not stored yet, in units of a kilobyte: 256 MiB.
const MEMORY_UNITS: u32 = 256 << 10;
/// Attempts at storing a message that met a busy store.
const ATTEMPTS_MAX: usize = 5;
/// PidTagMessageFlags: unsent, which is a draft.
const MESSAGE_UNSENT: i32 = 8;
/// PidTagFlagStatus: marked for follow-up.
const FLAG_MARKED: i32 = 2;

/// What came of one sighting.
pub(crate) enum Outcome {
    /// It is stored.
    Imported { bytes: u64 },
    /// It is not; `origin` says where it was.
    Refused { origin: String, reason: String, bytes: u64 },
    /// It is a file of something else.
    PassedOver { bytes: u64 },
}

struct Ready {
    origin: String,
    content: Box<ItemContent>,
    flags: ItemFlags,
    bytes: u64,
    held: Option<OwnedSemaphorePermit>,
}

/// Imports everything in `paths` into a folder, and reports each sighting as it is done. The order of positions follows
/// the order in the files.
pub(crate) async fn import(
    mailbox: &Mailbox,
    folder: CollectionId,
    paths: Vec<PathBuf>,
    now: Time,
    mut report: impl FnMut(Outcome),
) {
    let (sender, receiver) = mpsc::channel(FOUND_AHEAD_MAX);
    let finder = tokio::task::spawn_blocking(move || {
        find::find(&paths, &mut |sighting| sender.blocking_send(sighting).is_ok());
    });
    let memory = Arc::new(Semaphore::new(MEMORY_UNITS as usize));
    let sightings = stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    let mut outcomes = std::pin::pin!(
        sightings
            .map(|sighting| read(sighting, Arc::clone(&memory), now))
            .buffered(READING_MAX)
            .map(|ready| async {
                match ready {
                    Ok(ready) => store_message(mailbox, folder, ready).await,
                    Err(outcome) => outcome,
                }
            })
            .buffer_unordered(STORING_MAX)
    );
    while let Some(outcome) = outcomes.next().await {
        report(outcome);
    }
    let _ = finder.await;
}

async fn read(sighting: Sighting, memory: Arc<Semaphore>, now: Time) -> Result<Ready, Outcome> {
    let found = match sighting {
        Sighting::Message(found) => found,
        Sighting::Refused { origin, reason, bytes } => return Err(Outcome::Refused { origin, reason, bytes }),
        Sighting::PassedOver { bytes } => return Err(Outcome::PassedOver { bytes }),
    };
    let bytes = found.mime.len() as u64;
    let units = u32::try_from(bytes >> 10).unwrap_or(u32::MAX).saturating_add(1).min(MEMORY_UNITS);
    let held = memory.acquire_many_owned(units).await.ok();
    let origin = found.origin.clone();
    let read = tokio::task::spawn_blocking(move || content_of(found, now)).await;
    match read {
        Ok((content, flags)) => Ok(Ready { origin, content: Box::new(content), flags, bytes, held }),
        Err(_) => Err(Outcome::Refused { origin, reason: "reading it failed".into(), bytes }),
    }
}

fn content_of(found: Found, now: Time) -> (ItemContent, ItemFlags) {
    let mut content = message::parse(found.mime, &message::Import { received: found.received, now });
    if found.draft {
        let flags = content.bag.get(&tags::MESSAGE_FLAGS).and_then(Value::as_i64).unwrap_or_default() as i32;
        content.bag.set(tags::MESSAGE_FLAGS, Value::I32(flags | MESSAGE_UNSENT));
    }
    if found.flagged {
        content.bag.set(tags::FLAG_STATUS, Value::I32(FLAG_MARKED));
    }
    (content, ItemFlags::default().set(ItemFlags::READ, found.read))
}

async fn store_message(mailbox: &Mailbox, folder: CollectionId, ready: Ready) -> Outcome {
    let Ready { origin, content, flags, bytes, held } = ready;
    let mut result = Err(EngineError::Contended);
    for _ in 0..ATTEMPTS_MAX {
        result = Box::pin(mailbox.create_item(folder, (*content).clone(), flags)).await.map(drop);
        if !matches!(result, Err(EngineError::Store(StoreError::TryAgain(_)))) {
            break;
        }
    }
    drop(held);
    match result {
        Ok(()) => Outcome::Imported { bytes },
        Err(error) => Outcome::Refused { origin, reason: error.to_string(), bytes },
    }
}

/// The folder at a path such as `Inbox/Sub`, by display names in any case; what is missing is made.
///
/// # Errors
/// When a name cannot be, or the store fails.
pub(crate) async fn folder_at(mailbox: &Mailbox, path: &str) -> Result<CollectionId, EngineError> {
    let mut at = mailbox.begin().await?.distinguished("msgfolderroot").await?;
    for name in path.split('/').map(str::trim).filter(|name| !name.is_empty()) {
        let child = mailbox.begin().await?.child(at, name).await?;
        at = match child {
            Some(child) => child,
            None => {
                let new = NewFolder { display_name: name.into(), class: "IPF.Note".into(), ..NewFolder::default() };
                mailbox.create_folder(at, new).await?.id()
            }
        };
    }
    Ok(at)
}
