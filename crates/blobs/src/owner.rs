//! To whom an object store belongs: the object `.highwater` names the database whose rows lead to the others.
//!
//! Without it two databases with one bucket would each remove the other's objects, since no row of theirs names them. It
//! also tells a bucket that is not the right one (or a folder that is not mounted) from one where an object is lost.

use std::sync::OnceLock;

use futures_util::StreamExt as _;
use object_store::{PutMode, PutOptions};

use crate::{Abandoned, BlobError, Blobs, Inner, failure::Attempt};

/// The name of the object.
pub(crate) const OWNER_NAME: &str = ".highwater";
/// Bytes that the object may have.
const OWNER_BYTES_MAX: u64 = 1_024;

/// Who the owner is, once that was looked at.
#[derive(Default)]
pub(crate) struct Owner(OnceLock<String>);

impl Blobs {
    /// Binds the store to the database that has the identity `owner`, and looks whether it may be written, read and
    /// listed. A store without an owner is taken only where `first`, that is, where the database has never used one.
    ///
    /// # Errors
    /// [`BlobError::Foreign`] where it belongs to another database, or to none though it should;
    /// [`BlobError::Unavailable`] where it cannot be used now, or not with these rights.
    pub async fn claim(&self, owner: &str, first: bool) -> Result<(), BlobError> {
        let (inner, owner) = (self.inner.clone(), owner.to_owned());
        let task = async move {
            if inner.read_owner().await?.is_none() && first {
                inner.write_owner(&owner).await?;
            }
            let found = inner.read_owner().await?;
            inner.compare(found.as_deref(), &owner)?;
            inner.may_list().await?;
            let _ = inner.owner.0.set(owner);
            Ok(())
        };
        self.run(self.inner.settings.read_patience, Abandoned::Ended, task).await
    }

    /// Looks whether the store is there and still the one that was claimed. One small request.
    ///
    /// # Errors
    /// As [`Self::claim`].
    pub async fn check(&self) -> Result<(), BlobError> {
        let inner = self.inner.clone();
        let task = async move { inner.is_ours().await };
        self.run(self.inner.settings.request, Abandoned::Ended, task).await
    }
}

impl Inner {
    /// See [`Blobs::check`].
    pub(crate) async fn is_ours(&self) -> Result<(), BlobError> {
        let found = self.read_owner().await?;
        match self.owner.0.get() {
            Some(owner) => self.compare(found.as_deref(), owner),
            None if found.is_some() => Ok(()),
            None => Err(Attempt::NotThere.unavailable(&self.shown)),
        }
    }

    fn compare(&self, found: Option<&str>, owner: &str) -> Result<(), BlobError> {
        let shown = &self.shown;
        match found {
            Some(found) if found == owner => Ok(()),
            Some(found) => Err(BlobError::Foreign(format!(
                "{shown} belongs to another database ({found}); give each database a bucket or a prefix of its own"
            ))),
            None => Err(BlobError::Foreign(format!(
                "{shown} has no object {OWNER_NAME}, so it is not where this database ({owner}) has its large parts; \
                 give the right address, or put the objects back"
            ))),
        }
    }

    async fn read_owner(&self) -> Result<Option<String>, BlobError> {
        let read = async {
            let found = self.objects.get(&self.path(OWNER_NAME)).await?;
            if found.meta.size > OWNER_BYTES_MAX { Ok(None) } else { found.bytes().await.map(Some) }
        };
        match read.await.map_err(Attempt::from) {
            Ok(Some(bytes)) => Ok(Some(String::from_utf8_lossy(&bytes).trim().to_owned())),
            Ok(None) => Ok(Some(String::new())),
            Err(Attempt::NotThere) => Ok(None),
            Err(attempt) => Err(attempt.unavailable(&self.shown)),
        }
    }

    /// Writes the object unless there is one. Stores that know no condition are written to all the same.
    async fn write_owner(&self, owner: &str) -> Result<(), BlobError> {
        let path = self.path(OWNER_NAME);
        let text = || format!("{owner}\n").into();
        let only_new = PutOptions::from(PutMode::Create);
        let written = self.objects.put_opts(&path, text(), only_new).await.map(drop);
        let written = match written.map_err(Attempt::from) {
            Err(Attempt::Refused(_)) => self.objects.put(&path, text()).await.map(drop).map_err(Attempt::from),
            other => other,
        };
        // Whoever wrote it: it is read again.
        match written {
            Ok(()) | Err(Attempt::AlreadyThere) => self.settle(&path).await,
            Err(attempt) => Err(attempt),
        }
        .map_err(|attempt| attempt.unavailable(&self.shown))
    }

    /// Whether the rights include listing, without which nothing could ever be swept.
    async fn may_list(&self) -> Result<(), BlobError> {
        match self.objects.list(Some(&self.prefix)).next().await {
            Some(Err(error)) => Err(Attempt::from(error).unavailable(&self.shown)),
            Some(Ok(_)) | None => Ok(()),
        }
    }
}
