//! Reading one root at one moment.

use std::collections::HashMap;

use model::{Attachment, Bag, CollectionId, Guid, ItemContent, ItemId, RootId, Seq, Time, limits};
use store::{CollectionRow, Epoch, ItemRow, Snapshot, Want};

use crate::access::{Access, Act, FolderRights};
use crate::site_rights::{ListAccess, SiteAccess};
use crate::{EngineError, Folder, pack};

/// A root at one moment, read by somebody who may.
pub struct View {
    pub(crate) snapshot: Box<dyn Snapshot>,
    /// Who visits the mailbox; `None` for its owner, and for sites.
    visitor: Option<RootId>,
    /// What that one may do here, once it was asked for.
    access: Option<Access>,
    /// What the reader of a site may do.
    pub(crate) site: SiteAccess,
    /// What it may do in the lists that were looked at.
    pub(crate) lists: HashMap<CollectionId, ListAccess>,
}

impl View {
    pub(crate) fn new(snapshot: Box<dyn Snapshot>) -> Self {
        Self { snapshot, visitor: None, access: None, site: SiteAccess::ALL, lists: HashMap::new() }
    }

    /// The view of a site as somebody sees it.
    pub(crate) fn seen_by(self, site: SiteAccess) -> Self {
        Self { site, ..self }
    }

    pub(crate) fn of_visitor(snapshot: Box<dyn Snapshot>, account: RootId) -> Self {
        Self { visitor: Some(account), ..Self::new(snapshot) }
    }

    /// What whoever looks may do here. For a visitor of a mailbox it costs the number of folders, once a view.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn access(&mut self) -> Result<Access, EngineError> {
        let Some(account) = self.visitor else { return Ok(Access::OWNER) };
        if let Some(access) = &self.access {
            return Ok(access.clone());
        }
        let access = Access::of_visitor(account, &self.every_folder().await?);
        self.access = Some(access.clone());
        Ok(access)
    }

    /// Checks a right to a folder.
    ///
    /// # Errors
    /// As [`Access::check`]; when the store fails.
    pub(crate) async fn require(&mut self, folder: CollectionId, needed: FolderRights) -> Result<(), EngineError> {
        self.access().await?.check(folder, needed)
    }

    /// Checks that an item may be read, for what lies apart from its row.
    pub(crate) async fn check_reads(&mut self, id: ItemId) -> Result<(), EngineError> {
        let all = self.visitor.is_none() && self.site == SiteAccess::ALL;
        if all { Ok(()) } else { self.item(id).await.map(drop) }
    }

    /// The GUID of the mailbox or site.
    pub fn guid(&self) -> Guid {
        self.snapshot.root().guid
    }

    /// The position of the view.
    pub fn position(&self) -> Seq {
        self.snapshot.root().last_seq
    }

    /// The last position that was certainly reached before a time, kept to the minute.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn position_at(&mut self, time: Time) -> Result<Seq, EngineError> {
        Ok(self.snapshot.position_at(time).await?)
    }

    /// A folder or list.
    ///
    /// # Errors
    /// [`EngineError::NoCollection`] when it is not there.
    pub async fn collection(&mut self, id: CollectionId) -> Result<CollectionRow, EngineError> {
        self.require(id, FolderRights::NONE).await?;
        self.snapshot.collection(id).await?.ok_or(EngineError::NoCollection(id))
    }

    /// A folder with its properties.
    ///
    /// # Errors
    /// [`EngineError::NoCollection`] when it is not there.
    pub async fn folder(&mut self, id: CollectionId) -> Result<Folder, EngineError> {
        Folder::from_row(self.collection(id).await?)
    }

    /// All folders (or lists) that are seen, in ascending order of id. Costs the number of all, at most
    /// [`limits::COLLECTIONS_MAX`].
    ///
    /// # Errors
    /// When the store fails, or there are more.
    pub async fn folders(&mut self) -> Result<Vec<Folder>, EngineError> {
        let access = self.access().await?;
        let mut folders = self.every_folder().await?;
        folders.retain(|folder| access.sees(folder.id()));
        Ok(folders)
    }

    /// As [`Self::folders`], with those that are not seen.
    pub(crate) async fn every_folder(&mut self) -> Result<Vec<Folder>, EngineError> {
        let mut folders = Vec::new();
        let mut after = None;
        loop {
            let page = self.snapshot.collections(after, limits::PAGE_ROWS_MAX).await?;
            after = page.rows.last().map(|row| row.collection);
            for row in page.rows {
                folders.push(Folder::from_row(row)?);
            }
            if !page.more {
                return Ok(folders);
            }
            if folders.len() > limits::COLLECTIONS_MAX {
                return Err(EngineError::TooLarge("folders"));
            }
        }
    }

    /// Items by id with their bags: one slot an id, in the order asked. One that may not be read is as if it were not
    /// there.
    ///
    /// # Errors
    /// [`EngineError::AccessDenied`] for a visitor without any right; when the store fails.
    pub async fn items(&mut self, ids: &[ItemId]) -> Result<Vec<Option<ItemRow>>, EngineError> {
        let mut rows = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(limits::PAGE_ROWS_MAX) {
            rows.extend(self.snapshot.items(chunk, Want::BAG).await?);
        }
        let access = self.access().await?;
        if access.is_nothing() {
            return Err(EngineError::AccessDenied);
        }
        if access.visitor().is_some() {
            rows.iter_mut().for_each(|row| *row = row.take().filter(|row| access.shows(Act::Read, row)));
        }
        if self.site != SiteAccess::ALL {
            for row in &mut rows {
                if let Some(found) = row
                    && !self.list_access(found.collection).await?.shows(found)
                {
                    *row = None;
                }
            }
        }
        Ok(rows)
    }

    /// An item with its bag.
    ///
    /// # Errors
    /// [`EngineError::NoItem`] when it is not there.
    pub async fn item(&mut self, id: ItemId) -> Result<ItemRow, EngineError> {
        self.items(&[id]).await?.pop().flatten().ok_or(EngineError::NoItem(id))
    }

    /// The properties of an item that are kept apart from its bag: bodies, headers and other large values.
    ///
    /// # Errors
    /// When the store fails or the bytes are damaged.
    pub async fn heavy(&mut self, id: ItemId) -> Result<Bag, EngineError> {
        self.check_reads(id).await?;
        pack::heavy(&mut *self.snapshot, id).await
    }

    /// The recipients of an item.
    ///
    /// # Errors
    /// When the store fails or the bytes are damaged.
    pub async fn recipients(&mut self, id: ItemId) -> Result<Vec<Bag>, EngineError> {
        self.check_reads(id).await?;
        pack::recipients(&mut *self.snapshot, id).await
    }

    /// The properties of the attachments of an item, without what they hold.
    ///
    /// # Errors
    /// When the store fails or the bytes are damaged.
    pub async fn attachments(&mut self, id: ItemId) -> Result<Vec<Bag>, EngineError> {
        self.check_reads(id).await?;
        pack::attachments(&mut *self.snapshot, id).await
    }

    /// One attachment of an item by its place in [`Self::attachments`], with what it holds; `None` where there is none.
    /// Costs its own bytes and the properties of all.
    ///
    /// # Errors
    /// When the store fails or the bytes are damaged.
    pub async fn attachment(&mut self, row: &ItemRow, number: u32) -> Result<Option<Attachment>, EngineError> {
        self.check_reads(row.item).await?;
        pack::attachment_at(&mut *self.snapshot, row.item, number).await
    }

    /// The stretches of the history, where the token was not issued in the latest one.
    pub(crate) async fn epochs_for(&mut self, epoch: u64) -> Result<Option<Vec<Epoch>>, EngineError> {
        if epoch == self.snapshot.root().epoch { Ok(None) } else { Ok(Some(self.snapshot.epochs().await?)) }
    }

    /// An item in full. Costs all its bytes.
    ///
    /// # Errors
    /// When the store fails or the bytes are damaged.
    pub async fn content(&mut self, row: &ItemRow) -> Result<ItemContent, EngineError> {
        self.check_reads(row.item).await?;
        pack::unpack(&mut *self.snapshot, row).await
    }

    /// The message as it came, if it is kept.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn mime(&mut self, id: ItemId) -> Result<Option<bytes::Bytes>, EngineError> {
        self.check_reads(id).await?;
        Ok(self.snapshot.part(id, pack::PART_MIME).await?)
    }

    /// Any part by number; what the numbers mean is said in [`crate::list_keys`] for lists.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn part(&mut self, id: ItemId, part: u32) -> Result<Option<bytes::Bytes>, EngineError> {
        self.check_reads(id).await?;
        Ok(self.snapshot.part(id, part).await?)
    }

    /// What is kept under a name of a scope.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn name(&mut self, scope: u64, name: &[u8]) -> Result<Option<u64>, EngineError> {
        Ok(self.snapshot.name(scope, name).await?)
    }
}
