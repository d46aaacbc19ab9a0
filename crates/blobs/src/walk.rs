//! Finding objects that nothing names any more, and removing objects.

use std::{fs, io, path::Path as FilePath, time::SystemTime};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use model::{RootId, Time, limits};
use object_store::{Error, ObjectMeta};
use tokio::{sync::mpsc, task};

use crate::{Abandoned, BlobError, Blobs, Ending, Inner, ObjectName, failure::Attempt};

/// Objects that one page of a walk has.
const PAGE_OBJECTS_MAX: usize = limits::PAGE_ROWS_MAX;

/// An object that a walk has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: ObjectName,
    /// Its length.
    pub bytes: u64,
    /// When it was stored, by the clock of the object store.
    pub stored_at: Time,
}

/// A walk over objects, page by page. Dropping it ends it.
pub struct Walk {
    pages: mpsc::Receiver<Result<Vec<Listed>, BlobError>>,
    _task: Ending<()>,
}

impl Blobs {
    /// Walks over the objects, of one root or of all, that were stored before `older_than`, in no order. Costs one request
    /// for each thousand objects that there are; one page waits in memory. Names that are not ours are passed over.
    ///
    /// Who decides what may go needs a margin between `older_than` and now that is longer than the longest time between
    /// storing an object and writing the row that names it ([`crate::Settings::write_patience`] and the patience of the
    /// database), and than clocks may differ.
    pub fn walk(&self, root: Option<RootId>, older_than: Time) -> Walk {
        let (sender, pages) = mpsc::channel(1);
        let inner = self.inner.clone();
        let task = async move {
            let walked = inner.walk(root, older_than, &sender).await;
            if let Err(error) = walked {
                inner.failed(&error);
                let _ = sender.send(Err(error)).await;
            }
        };
        Walk { pages, _task: Ending(self.runtime.spawn(task)) }
    }

    /// Removes objects. Those that are not there count as removed. Costs one request for each thousand where the store
    /// can do so, otherwise one for each.
    ///
    /// # Errors
    /// [`BlobError::Unavailable`]: some may be removed, others not. Repeat.
    pub async fn delete(&self, names: &[ObjectName]) -> Result<(), BlobError> {
        let (inner, names) = (self.inner.clone(), names.to_vec());
        let task = async move {
            let paths = stream::iter(names.iter().map(|name| Ok(inner.path(name.as_str())))).boxed();
            let mut removed = inner.objects.delete_stream(paths);
            while let Some(result) = removed.next().await {
                match result {
                    Ok(_) | Err(Error::NotFound { .. }) => inner.counters.deletes.add(1),
                    Err(error) => return Err(Attempt::from(error).unavailable(&inner.shown)),
                }
            }
            Ok(())
        };
        self.run(self.inner.settings.read_patience, Abandoned::Kept, task).await
    }

    /// Removes the beginnings of files that a node left in a folder when it died while it wrote them, where they were last
    /// written before `older_than`. Elsewhere the store's own rule for unfinished uploads does so. Returns how many.
    ///
    /// # Errors
    /// [`BlobError::Unavailable`].
    pub async fn remove_unfinished(&self, older_than: Time) -> Result<u64, BlobError> {
        let Some(folder) = self.inner.folder.clone() else { return Ok(0) };
        let shown = self.inner.shown.clone();
        let task = async move {
            let removed = task::spawn_blocking(move || remove_unfinished(&folder, older_than)).await;
            match removed {
                Ok(Ok(removed)) => Ok(removed),
                Ok(Err(error)) => Err(BlobError::Unavailable(format!("{shown}: {error}"))),
                Err(error) => Err(BlobError::Unavailable(format!("{shown}: {error}"))),
            }
        };
        self.run(self.inner.settings.read_patience, Abandoned::Ended, task).await
    }
}

impl Walk {
    /// The next page, which is never empty; `None` behind the last.
    ///
    /// # Errors
    /// [`BlobError::Unavailable`]: the walk is over; begin another one later.
    pub async fn next(&mut self) -> Result<Option<Vec<Listed>>, BlobError> {
        self.pages.recv().await.transpose()
    }
}

impl Inner {
    async fn walk(
        &self,
        root: Option<RootId>,
        older_than: Time,
        sender: &mpsc::Sender<Result<Vec<Listed>, BlobError>>,
    ) -> Result<(), BlobError> {
        // A store that is not the right one must not look like an empty one.
        self.is_ours().await?;
        let prefix = root.map_or_else(|| self.prefix.clone(), |root| self.prefix.child(root.to_string()));
        let listed = self.objects.list(Some(&prefix)).try_filter_map(|found| async { Ok(self.listed(found)) });
        let old = listed.try_filter(|found| std::future::ready(found.stored_at < older_than));
        let mut pages = old.try_chunks(PAGE_OBJECTS_MAX).boxed();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Attempt::from(error.1).unavailable(&self.shown))?;
            if sender.send(Ok(page)).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    fn listed(&self, found: ObjectMeta) -> Option<Listed> {
        self.counters.listed.add(1);
        let within = found.location.prefix_match(&self.prefix)?;
        let name = within.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>().join("/");
        let stored_at = Time::from_unix(found.last_modified.timestamp());
        Some(Listed { name: ObjectName::parse(&name)?, bytes: found.size, stored_at })
    }
}

/// See [`Blobs::remove_unfinished`]. The client of folders writes `NAME#NUMBER` before it renames to `NAME`.
fn remove_unfinished(folder: &FilePath, older_than: Time) -> io::Result<u64> {
    let mut removed = 0;
    for root in fs::read_dir(folder)? {
        let root = root?;
        if !root.file_type()?.is_dir() {
            continue;
        }
        for file in fs::read_dir(root.path())? {
            let file = file?;
            let name = file.file_name();
            let unfinished = name.to_str().and_then(|name| name.split_once('#')).is_some_and(|(name, number)| {
                let whole = format!("{}/{name}", root.file_name().to_string_lossy());
                ObjectName::parse(&whole).is_some() && number.bytes().all(|digit| digit.is_ascii_digit())
            });
            if unfinished && time_of(file.metadata()?.modified()?) < older_than {
                fs::remove_file(file.path())?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}

fn time_of(time: SystemTime) -> Time {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Time::from_unix(i64::try_from(seconds).unwrap_or(i64::MAX / Time::SECOND))
}
