//! Storing a part, in constant memory.

use std::{fs::File, io, mem, path::PathBuf};

use bytes::Bytes;
use model::{RootId, Rope};
use object_store::{MultipartUpload, PutPayload, path::Path};
use tokio::{sync::mpsc, task};

use crate::{
    ATTEMPTS_MAX, Abandoned, BlobError, Blobs, Hash, Inner, ObjectName, Pieces, digest::Hashing, failure::Attempt,
};

/// Bytes that are sent at once: the smallest part of an upload in parts that S3 takes. Three of them are in memory while
/// an upload runs: one on its way, one ready, one being read.
const BLOCK_BYTES: usize = 5 << 20;

/// An object that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Where.
    pub name: ObjectName,
    /// The hashes by which ranges of it are checked.
    pub pieces: Pieces,
}

/// What the reader of the content hands to the sender.
enum Block {
    /// Bytes to be sent; `last` where none follow.
    Bytes { bytes: Vec<Bytes>, last: bool },
    /// The content cannot be read.
    Unreadable(String),
}

/// How an attempt at storing ended.
enum Ended {
    Stands(Hash, Pieces),
    Attempt(Attempt),
    Content(String),
}

impl From<object_store::Error> for Ended {
    fn from(error: object_store::Error) -> Self {
        Self::Attempt(error.into())
    }
}

impl Blobs {
    /// Stores content whose SHA-256 is `hash` as a new object of `root`, and returns when the object stands whole: in a
    /// folder it is on the medium, elsewhere the store has said so and shows it. `nonce` is random.
    ///
    /// Costs reading the content once, in blocks of 5 MiB, of which three are in memory; what lies outside of memory is
    /// read on a thread for that. Sixteen are stored at the same time, others wait. An upload that nobody waits for any more goes on to its end.
    ///
    /// # Errors
    /// [`BlobError::Unavailable`] after repeated attempts, [`BlobError::Content`] where the content cannot be read or has
    /// another hash.
    pub async fn put(&self, root: RootId, hash: &Hash, nonce: u64, content: &Rope) -> Result<Stored, BlobError> {
        let name = ObjectName::new(root, hash, nonce);
        let (inner, hash, content) = (self.inner.clone(), *hash, content.clone());
        let task = async move {
            let pieces = inner.put(&name, hash, &content).await?;
            Ok(Stored { name, pieces })
        };
        self.run(self.inner.settings.write_patience, Abandoned::Kept, task).await
    }
}

impl Inner {
    async fn put(&self, name: &ObjectName, hash: Hash, content: &Rope) -> Result<Pieces, BlobError> {
        let path = self.path(name.as_str());
        let bytes = content.len() as u64;
        // It is never closed.
        let _turn = self.uploads.acquire().await;
        let mut attempt = 0;
        loop {
            self.pause(attempt).await;
            attempt += 1;
            let failed = match self.upload(&path, content, bytes, hash).await {
                Ended::Stands(found, pieces) if found == hash => {
                    self.counters.puts.add(1);
                    self.counters.put_bytes.add(bytes);
                    return Ok(pieces);
                }
                Ended::Stands(..) => return Err(BlobError::Content(format!("its hash is not that of {name}"))),
                Ended::Content(reason) => return Err(BlobError::Content(reason)),
                Ended::Attempt(failed) => failed,
            };
            let worth_repeating = matches!(failed, Attempt::Repeat(_) | Attempt::NotThere);
            if attempt >= ATTEMPTS_MAX || !worth_repeating {
                return Err(failed.unavailable(&self.shown));
            }
            tracing::debug!(%name, ?failed, "storing is repeated");
        }
    }

    /// One attempt. What has another hash than `expected` may stand afterwards, or not.
    async fn upload(&self, path: &Path, content: &Rope, length: u64, expected: Hash) -> Ended {
        let (sender, mut blocks) = mpsc::channel(1);
        let content = content.clone();
        let reading = task::spawn_blocking(move || read(&content, &sender));
        let mut upload: Option<Box<dyn MultipartUpload>> = None;
        let sent = self.send(path, &mut blocks, &mut upload).await;
        drop(blocks);
        let Ok((hash, pieces)) = reading.await else {
            return Ended::Content("the reading of it was interrupted".into());
        };
        let finished = match sent {
            Ok(()) if hash == expected => match &mut upload {
                Some(upload) => upload.complete().await.map(drop).map_err(Ended::from),
                None => Ok(()),
            },
            Ok(()) => Err(Ended::Stands(hash, pieces.clone())),
            Err(ended) => Err(ended),
        };
        // Only what the store shows counts, whatever it answered: an answer may be lost though the object stands, and
        // nothing may stand though an answer came.
        match finished {
            Ok(()) => match self.stands(path, length).await {
                Ok(true) => Ended::Stands(hash, pieces),
                Ok(false) => Ended::Attempt(Attempt::Repeat(format!("{path} does not stand though it was stored"))),
                Err(attempt) => Ended::Attempt(attempt),
            },
            Err(ended @ Ended::Attempt(_)) if hash == expected => match self.stands(path, length).await {
                Ok(true) => Ended::Stands(hash, pieces),
                Ok(false) | Err(_) => self.abandon(upload, ended).await,
            },
            Err(ended) => self.abandon(upload, ended).await,
        }
    }

    /// Sends the blocks as they come: one alone as one object, several as parts of an upload that is begun here.
    async fn send(
        &self,
        path: &Path,
        blocks: &mut mpsc::Receiver<Block>,
        upload: &mut Option<Box<dyn MultipartUpload>>,
    ) -> Result<(), Ended> {
        loop {
            let (bytes, last) = match blocks.recv().await {
                Some(Block::Bytes { bytes, last }) => (bytes, last),
                Some(Block::Unreadable(reason)) => return Err(Ended::Content(reason)),
                None => return Err(Ended::Content("the reading of it ended early".into())),
            };
            let payload = PutPayload::from_iter(bytes);
            match upload {
                None if last => {
                    self.objects.put(path, payload).await?;
                }
                None => upload.insert(self.objects.put_multipart(path).await?).put_part(payload).await?,
                Some(upload) => upload.put_part(payload).await?,
            }
            if last {
                return Ok(());
            }
        }
    }

    /// Tells the store that the parts that it has are of no use. Where that does not arrive, its own rule for unfinished
    /// uploads removes them.
    async fn abandon(&self, upload: Option<Box<dyn MultipartUpload>>, ended: Ended) -> Ended {
        if let Some(mut upload) = upload {
            let _ = upload.abort().await;
        }
        ended
    }

    /// Whether an object of that length stands at a path, in a folder also after a loss of power.
    async fn stands(&self, path: &Path, length: u64) -> Result<bool, Attempt> {
        match self.objects.head(path).await.map_err(Attempt::from) {
            Ok(found) if found.size == length => self.settle(path).await.map(|()| true),
            Ok(_) | Err(Attempt::NotThere) => Ok(false),
            Err(attempt) => Err(attempt),
        }
    }

    /// Brings a file of a folder, and the directories that lead to it, to the medium. Elsewhere that is the store's.
    pub(crate) async fn settle(&self, path: &Path) -> Result<(), Attempt> {
        let Some(folder) = self.folder.clone() else { return Ok(()) };
        let file: PathBuf = path.parts().fold(folder.clone(), |file, part| file.join(part.as_ref()));
        let sync = move || {
            let file = file.as_path();
            for place in file.ancestors().take_while(|place| place.starts_with(&folder)) {
                if place == file || cfg!(unix) {
                    File::open(place)?.sync_all()?;
                }
            }
            Ok(())
        };
        let synced: Result<io::Result<()>, _> = task::spawn_blocking(sync).await;
        match synced {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Attempt::Repeat(error.to_string())),
            Err(error) => Err(Attempt::Repeat(error.to_string())),
        }
    }
}

/// Reads content in blocks and hashes it, until it ends or nobody takes the blocks. Blocks the thread.
fn read(content: &Rope, sender: &mpsc::Sender<Block>) -> (Hash, Pieces) {
    let mut hashing = Hashing::new();
    let (mut block, mut filled) = (Vec::new(), 0);
    for chunk in content.chunks() {
        let mut chunk = match chunk {
            Ok(chunk) => chunk,
            Err(error) => {
                let _ = sender.blocking_send(Block::Unreadable(error.to_string()));
                return hashing.finish();
            }
        };
        hashing.update(&chunk);
        while !chunk.is_empty() {
            // Sent only when more follows, so that the last block is known as such.
            if filled == BLOCK_BYTES {
                filled = 0;
                if sender.blocking_send(Block::Bytes { bytes: mem::take(&mut block), last: false }).is_err() {
                    return hashing.finish();
                }
            }
            let now = chunk.split_to((BLOCK_BYTES - filled).min(chunk.len()));
            filled += now.len();
            block.push(now);
        }
    }
    let _ = sender.blocking_send(Block::Bytes { bytes: block, last: true });
    hashing.finish()
}
