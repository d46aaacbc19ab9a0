//! Sites: opening them, their lists and the rows of these.
//!
//! The meaning of fields, views and templates belongs to the adapter; the domain knows titles and GUIDs of lists, and of
//! rows their version, times, authors, unique id and path.

use bytes::Bytes;
use model::{Bag, CollectionId, Guid, ItemFlags, ItemId, RootId, Value, limits};
use store::{CollectionRow, Commit, Guard, ItemChange, NameTarget, NewItem, NewItemId, RootKind, StoreError, Write};

use crate::recycle_bin::LIST_RECYCLED;
use crate::site_rights::{ListAccess, SiteAccess, SiteMask};
use crate::{Caller, Engine, EngineError, Rights, SiteEntry, View, list_index};

/// Keys that the domain keeps in the bags of lists and rows, and part numbers of rows.
pub mod list_keys {
    use std::borrow::Cow;

    use model::PropertyKey;

    macro_rules! keys {
        ($($(#[$doc:meta])* $name:ident = $field:literal,)*) => {
            $($(#[$doc])* pub const $name: PropertyKey = PropertyKey::Field(Cow::Borrowed($field));)*
        };
    }

    keys! {
        /// Of a list: its title, Text.
        LIST_TITLE = "#Title",
        /// Of a list: its GUID.
        LIST_GUID = "#Guid",
        /// Of a list: its template, I32.
        LIST_TEMPLATE = "#Template",
        /// Of a list: its schema version, I32; grows by one with each change of the list.
        LIST_VERSION = "#Version",
        /// Of a list: Description, Text.
        LIST_DESCRIPTION = "#Description",
        /// Of a list: when it was made, Time.
        LIST_CREATED = "#Created",
        /// Of a list: when itself was last changed, Time.
        LIST_MODIFIED = "#Modified",
        /// Of a list: the user id of who made it, I32.
        LIST_AUTHOR = "#Author",
        /// Of a list: name of its root folder inside the site, Text: `Lists/Tasks` or `Documents`.
        LIST_FOLDER = "#Folder",
        /// Of a list: its indexes, Texts; each `number field`.
        LIST_INDEXES = "#Indexes",
        /// Of a list: the last number that an index was given, I32.
        LIST_INDEX_LAST = "#IndexLast",
        /// Of a list: whether rows wait for approval before everybody sees them, Bool.
        LIST_MODERATED = "#EnableModeration",
        /// Of a row: its state of approval, I32: 0 approved, which is usual, 1 rejected, 2 pending, 3 draft, 4 scheduled.
        ROW_MODERATION = "_ModerationStatus",
        /// Of a list: whose rows users read, I32: 1 all, 2 their own. Who manages the list reads all.
        LIST_READ_SECURITY = "#ReadSecurity",
        /// Of a list: whose rows users write, I32: 1 all, 2 their own, 4 none. Who manages the list writes all.
        LIST_WRITE_SECURITY = "#WriteSecurity",
        /// Of a row: owshiddenversion, I32, from 1.
        ROW_VERSION = "owshiddenversion",
        /// Of a row: UniqueId, Guid.
        ROW_UNIQUE_ID = "UniqueId",
        /// Of a row: Created, Time.
        ROW_CREATED = "Created",
        /// Of a row: Modified, Time.
        ROW_MODIFIED = "Modified",
        /// Of a row: Author, I32, a user id.
        ROW_AUTHOR = "Author",
        /// Of a row: Editor, I32, a user id.
        ROW_EDITOR = "Editor",
        /// Of a file or folder: its path inside the list, Text, without a slash at either end: `a/b.txt`.
        ROW_PATH = "#Path",
        /// Of an item that has no path: the folder it lies in, Text, a path inside the list. Without it: the root folder.
        ROW_FOLDER = "#Directory",
        /// Of a row: the property `vti_clientid` that a client gave it, Text.
        ROW_CLIENT_ID = "MetaInfo_vti_clientid",
        /// Of a row of the user list: the login name, Text.
        USER_LOGIN = "Name",
    }

    /// Part of a row: the bytes of a file.
    pub const PART_FILE: u32 = 16;
    /// Template of the user list.
    pub const TEMPLATE_USERS: i32 = 112;
}

use list_keys::{
    LIST_AUTHOR, LIST_CREATED, LIST_FOLDER, LIST_GUID, LIST_MODIFIED, LIST_TEMPLATE, LIST_TITLE, LIST_VERSION,
    ROW_AUTHOR, ROW_CREATED, ROW_EDITOR, ROW_MODIFIED, ROW_UNIQUE_ID, ROW_VERSION, TEMPLATE_USERS, USER_LOGIN,
};

pub(crate) const SCOPE_TITLES: u64 = 1;
pub(crate) const SCOPE_GUIDS: u64 = 2;
const SCOPE_USERS: u64 = 3;

/// The title of the user list, which it keeps.
const USER_LIST: &str = "User Information List";

/// The lists a new site starts with: title, template, folder.
const FIRST_LISTS: &[(&str, i32, &str)] = &[
    (USER_LIST, TEMPLATE_USERS, "_catalogs/users"),
    ("Announcements", 104, "Lists/Announcements"),
    ("Calendar", 106, "Lists/Calendar"),
    ("Tasks", 107, "Lists/Tasks"),
    ("Documents", 101, "Documents"),
];

/// A site that the caller may use.
#[derive(Clone)]
pub struct Site {
    engine: Engine,
    caller: Caller,
    entry: SiteEntry,
    access: SiteAccess,
    user_id: u32,
}

/// A list with its properties.
#[derive(Clone, Debug, PartialEq)]
pub struct ListCollection {
    /// The stored row.
    pub row: CollectionRow,
    /// Its properties.
    pub bag: Bag,
    /// What its reader may do in it.
    pub access: ListAccess,
}

impl ListCollection {
    pub(crate) fn from_row(row: CollectionRow) -> Result<Self, EngineError> {
        Ok(Self { bag: Bag::decode(&row.bag)?, row, access: ListAccess::all() })
    }

    /// Whether clients see it: it is not in the recycle bin, nor the bin itself.
    fn is_listed(&self) -> bool {
        self.has_guid() && self.bag.get(&LIST_RECYCLED).is_none()
    }

    /// Whether its rows wait for approval.
    pub fn is_moderated(&self) -> bool {
        is_moderated(&self.bag)
    }

    /// Whether it is a list, and not the recycle bin.
    pub(crate) fn has_guid(&self) -> bool {
        self.bag.get(&LIST_GUID).is_some()
    }

    /// Its id.
    pub const fn id(&self) -> CollectionId {
        self.row.collection
    }

    /// Its title.
    pub fn title(&self) -> &str {
        self.bag.text(&LIST_TITLE).unwrap_or_default()
    }

    /// Its GUID.
    pub fn guid(&self) -> Guid {
        self.bag.get(&LIST_GUID).and_then(Value::as_guid).unwrap_or_default()
    }

    /// Its template.
    pub fn template(&self) -> i32 {
        self.bag.get(&LIST_TEMPLATE).and_then(Value::as_i64).unwrap_or(100) as i32
    }

    /// Its schema version.
    pub fn version(&self) -> i32 {
        self.bag.get(&LIST_VERSION).and_then(Value::as_i64).unwrap_or_default() as i32
    }

    /// Its root folder inside the site, without slashes at the ends.
    pub fn folder(&self) -> &str {
        self.bag.text(&LIST_FOLDER).unwrap_or_default()
    }
}

impl View {
    /// A list by id.
    ///
    /// # Errors
    /// [`EngineError::NoCollection`] when it is not there, or in the recycle bin; [`EngineError::AccessDenied`] where none
    /// of its rows may be seen.
    pub async fn list(&mut self, id: CollectionId) -> Result<ListCollection, EngineError> {
        let mut list = ListCollection::from_row(self.collection(id).await?)?;
        if !list.is_listed() {
            return Err(EngineError::NoCollection(id));
        }
        list.access = self.access_to(&list).await?;
        if list.opens() { Ok(list) } else { Err(EngineError::AccessDenied) }
    }

    /// All lists of the site that the reader may see, in the order of their making.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn lists(&mut self) -> Result<Vec<ListCollection>, EngineError> {
        let mut lists = Vec::new();
        for folder in self.folders().await? {
            let mut list = ListCollection { row: folder.row, bag: folder.bag, access: ListAccess::all() };
            if list.is_listed() {
                list.access = self.access_to(&list).await?;
                lists.push(list);
            }
        }
        lists.retain(ListCollection::opens);
        Ok(lists)
    }

    /// The list with this GUID.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list_by_guid(&mut self, guid: Guid) -> Result<Option<ListCollection>, EngineError> {
        let id = self.name(SCOPE_GUIDS, &guid.0).await?;
        self.list_by_id(id).await
    }

    /// The list with this title, in any case.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list_by_title(&mut self, title: &str) -> Result<Option<ListCollection>, EngineError> {
        let id = self.name(SCOPE_TITLES, title.to_lowercase().as_bytes()).await?;
        self.list_by_id(id).await
    }

    /// The id in the user list of the user with this login name (an address), in any case.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn user_by_login(&mut self, login: &str) -> Result<Option<u32>, EngineError> {
        let id = self.name(SCOPE_USERS, login.to_lowercase().as_bytes()).await?;
        Ok(id.map(|id| ItemId(id).number()))
    }

    async fn list_by_id(&mut self, id: Option<u64>) -> Result<Option<ListCollection>, EngineError> {
        match id {
            Some(id) => Ok(Some(self.list(CollectionId(id)).await?)),
            None => Ok(None),
        }
    }
}

impl Engine {
    /// Opens the site with this path for somebody, making it when it is opened for the first time. What that one may do
    /// there is said by [`Site::mask`]. Costs two reads for who is not its owner.
    ///
    /// # Errors
    /// [`EngineError::NoSite`]; [`EngineError::AccessDenied`] for somebody who may do nothing there; when the store fails.
    pub async fn open_site(&self, caller: &Caller, path: &str) -> Result<Site, EngineError> {
        let entry = self.directory().site(path).await?.ok_or(EngineError::NoSite)?;
        let owns = entry.owner.as_ref().is_none_or(|owner| *owner == caller.address)
            && entry.owner_account.is_none_or(|account| account == caller.account);
        let access = SiteAccess::ALL;
        let mut site = Site { engine: self.clone(), caller: caller.clone(), entry, access, user_id: 0 };
        if !self.opened().has_root(site.root()) {
            Site { engine: self.uncounted(), ..site.clone() }.make_if_new().await?;
            self.opened().note_root(site.root());
        }
        let known = self.opened().user(site.root(), caller.account);
        let mut users = None;
        if !owns {
            let mut view = site.begin_all().await?;
            let user = match known {
                Some(user) => Some(user),
                None => view.user_by_login(&caller.address).await?,
            };
            let list = view.list_by_title(USER_LIST).await?.ok_or(EngineError::NoCollection(CollectionId(0)))?;
            site.access = SiteAccess::of_user(user.unwrap_or_default(), &list.bag);
            site.check_site(SiteMask::OPEN)?;
            users = Some(list);
        }
        site.user_id = match known {
            Some(id) => id,
            None => {
                let id = Site { engine: self.uncounted(), ..site.clone() }.ensure_user(caller, owns).await?;
                self.opened().note_user(site.root(), caller.account, id);
                id
            }
        };
        if let Some(users) = users {
            site.access = SiteAccess::of_user(site.user_id, &users.bag);
        }
        Ok(site)
    }
}

impl Site {
    /// The domain it belongs to.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Who uses it.
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Path, title, id.
    pub const fn entry(&self) -> &SiteEntry {
        &self.entry
    }

    /// What the caller may do, roughly: everything, write items, or read.
    pub fn rights(&self) -> Rights {
        match self.mask() {
            mask if mask.has(SiteMask::MANAGE_WEB) => Rights::Full,
            mask if mask.has(SiteMask::ADD_ITEMS) => Rights::Contribute,
            _ => Rights::Read,
        }
    }

    pub(crate) const fn access(&self) -> &SiteAccess {
        &self.access
    }

    /// The caller's id in the user list of the site.
    pub const fn user_id(&self) -> u32 {
        self.user_id
    }

    pub(crate) const fn root(&self) -> RootId {
        self.entry.root
    }

    /// A view of the site as it is now: of what the caller may see.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn begin(&self) -> Result<View, EngineError> {
        Ok(self.begin_all().await?.seen_by(self.access.clone()))
    }

    /// A view of everything, for the rules.
    pub(crate) async fn begin_all(&self) -> Result<View, EngineError> {
        match self.engine.store().snapshot(self.root()).await {
            Ok(snapshot) => Ok(View::new(snapshot)),
            Err(StoreError::NoRoot(_)) => Err(EngineError::NoSite),
            Err(other) => Err(other.into()),
        }
    }

    /// Makes a list. `bag` holds what the adapter keeps beside the keys of the domain.
    ///
    /// # Errors
    /// [`EngineError::NameTaken`], [`EngineError::AccessDenied`], [`EngineError::Invalid`] for an empty title; when the
    /// store fails.
    pub async fn create_list(
        &self,
        title: &str,
        template: i32,
        folder: &str,
        bag: Bag,
    ) -> Result<ListCollection, EngineError> {
        self.check_site(SiteMask::MANAGE_LISTS)?;
        let mut commit = Commit::new(self.root(), self.engine.now());
        let guid = self.engine.random().guid();
        self.push_list(&mut commit, (title, template, folder), guid, bag)?;
        commit.guards.push(Guard::NameFree(SCOPE_TITLES, title.to_lowercase().into_bytes().into()));
        match self.engine.store().commit(commit).await {
            Ok(receipt) => self.begin().await?.list(receipt.write(0).collection.unwrap_or_default()).await,
            Err(StoreError::Conflict { .. }) => Err(EngineError::NameTaken),
            Err(other) => Err(other.into()),
        }
    }

    /// Changes a list: title, description, its indexes, whatever the adapter keeps. Its version grows by one. An index
    /// that is new is built, that of a large list only in part: [`Engine::build_indexes`] does the rest.
    ///
    /// # Errors
    /// [`EngineError::NoCollection`], [`EngineError::NameTaken`], [`EngineError::AccessDenied`]; when the store fails.
    pub async fn update_list(
        &self,
        id: CollectionId,
        change: &(dyn Fn(&mut Bag) + Sync),
    ) -> Result<ListCollection, EngineError> {
        for _ in 0..limits::CONFLICT_RETRIES_MAX {
            let list = self.managed_list(id).await?;
            let mut bag = list.bag.clone();
            change(&mut bag);
            if bag == list.bag {
                return Ok(list);
            }
            bag.set(LIST_VERSION, Value::I32(list.version().wrapping_add(1)));
            bag.set(LIST_MODIFIED, Value::Time(self.engine.now().whole_second()));
            let mut commit = Commit::new(self.root(), self.engine.now());
            commit.guards.push(Guard::CollectionAt(id, list.row.seq));
            let title = bag.text(&LIST_TITLE).unwrap_or_default().to_lowercase();
            if title != list.title().to_lowercase() {
                check_title(&title)?;
                let (old, new) = (Bytes::from(list.title().to_lowercase()), Bytes::from(title));
                commit.guards.push(Guard::NameFree(SCOPE_TITLES, new.clone()));
                commit.writes.push(Write::DropName { scope: SCOPE_TITLES, name: old });
                commit.writes.push(Write::PutName { scope: SCOPE_TITLES, name: new, target: NameTarget::Id(id.0) });
            }
            commit.writes.push(Write::UpdateCollection { collection: id, bag: Some(bag.to_bytes()), parent: None });
            let work = list_index::build::work(id, &list.indexes(), &list_index::indexes_of(&bag));
            let rebuilds = !work.is_empty();
            let moderated = is_moderated(&bag);
            commit.writes.extend(work);
            match self.engine.store().commit(commit).await {
                Ok(_) => {
                    if rebuilds {
                        self.engine.begin_indexes(self.root()).await;
                    }
                    if is_moderated(&list.bag) != moderated {
                        self.touch_waiting(id).await?;
                    }
                    return self.begin().await?.list(id).await;
                }
                Err(StoreError::Conflict { guard: 0 }) => {}
                Err(StoreError::Conflict { .. }) => return Err(EngineError::NameTaken),
                Err(other) => return Err(other.into()),
            }
        }
        Err(EngineError::Contended)
    }

    /// Gives the rows of a list that are not approved new positions: who may see them has changed.
    async fn touch_waiting(&self, list: CollectionId) -> Result<(), EngineError> {
        let waits = |_: &store::ItemRow, bag: &Bag| {
            bag.get(&list_keys::ROW_MODERATION).and_then(Value::as_i64).is_some_and(|status| status != 0)
        };
        let rows = crate::row::rows_where(&mut self.begin_all().await?, list, &waits).await?;
        for row in rows.iter().map(|(row, _)| row.item) {
            let mut commit = Commit::new(self.root(), self.engine.now());
            let touch = ItemChange { item: row, flags: None, bag: None, parts: Vec::new(), content: true };
            commit.writes.push(Write::UpdateItem(touch));
            match self.engine.store().commit(commit).await {
                // It went meanwhile.
                Ok(_) | Err(StoreError::NoItem(_)) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Ok(())
    }

    /// Deletes a list with its rows, for good.
    ///
    /// # Errors
    /// [`EngineError::NoCollection`], [`EngineError::AccessDenied`]; when the store fails.
    pub async fn drop_list(&self, id: CollectionId) -> Result<(), EngineError> {
        let list = self.managed_list(id).await?;
        if list.template() == TEMPLATE_USERS {
            return Err(EngineError::Distinguished);
        }
        let mut commit = Commit::new(self.root(), self.engine.now());
        commit.guards.push(Guard::CollectionExists(id));
        let title = list.title().to_lowercase().into_bytes().into();
        commit.writes = vec![
            Write::DropName { scope: SCOPE_TITLES, name: title },
            Write::DropName { scope: SCOPE_GUIDS, name: Bytes::copy_from_slice(&list.guid().0) },
            Write::DropCollection { collection: id },
        ];
        match self.engine.store().commit(commit).await {
            Ok(_) => Ok(()),
            Err(StoreError::Conflict { .. }) => Err(EngineError::NoCollection(id)),
            Err(other) => Err(other.into()),
        }
    }

    /// A list that the caller may change.
    async fn managed_list(&self, id: CollectionId) -> Result<ListCollection, EngineError> {
        let list = match self.begin().await?.list(id).await {
            // Whether there is one is for those who may change lists.
            Err(EngineError::NoCollection(_)) if !self.mask().has(SiteMask::MANAGE_LISTS) => {
                return Err(EngineError::AccessDenied);
            }
            other => other?,
        };
        if list.access.mask().has(SiteMask::MANAGE_LISTS) { Ok(list) } else { Err(EngineError::AccessDenied) }
    }

    /// The user list of the site.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn user_list(&self) -> Result<ListCollection, EngineError> {
        let list = self.begin().await?.list_by_title(USER_LIST).await?;
        list.ok_or(EngineError::NoCollection(CollectionId(0)))
    }

    async fn make_if_new(&self) -> Result<(), EngineError> {
        match self.engine.store().snapshot(self.root()).await {
            Ok(_) => return Ok(()),
            Err(StoreError::NoRoot(_)) => {}
            Err(other) => return Err(other.into()),
        }
        let mut commit = Commit::new(self.root(), self.engine.now());
        commit.create_root = Some((RootKind::Site, self.entry.guid));
        for (title, template, folder) in FIRST_LISTS {
            self.push_list(&mut commit, (title, *template, folder), self.engine.random().guid(), Bag::new())?;
        }
        match self.engine.store().commit(commit).await {
            Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(other) => Err(other.into()),
        }
    }

    fn push_list(
        &self,
        commit: &mut Commit,
        (title, template, folder): (&str, i32, &str),
        guid: Guid,
        mut bag: Bag,
    ) -> Result<(), EngineError> {
        check_title(title)?;
        let now = self.engine.now().whole_second();
        bag.set(LIST_TITLE, Value::text(title));
        bag.set(LIST_GUID, Value::Guid(guid));
        bag.set(LIST_TEMPLATE, Value::I32(template));
        bag.set(LIST_VERSION, Value::I32(0));
        bag.set(LIST_CREATED, Value::Time(now));
        bag.set(LIST_MODIFIED, Value::Time(now));
        bag.set(LIST_AUTHOR, Value::I32(self.user_id.max(1) as i32));
        bag.set(LIST_FOLDER, Value::text(folder));
        let target = NameTarget::Write(commit.writes.len());
        commit.writes.push(Write::CreateCollection { parent: None, bag: bag.to_bytes() });
        commit.writes.push(Write::PutName { scope: SCOPE_TITLES, name: title.to_lowercase().into(), target });
        commit.writes.push(Write::PutName { scope: SCOPE_GUIDS, name: Bytes::copy_from_slice(&guid.0), target });
        Ok(())
    }

    /// The id in the user list of any account of the server, whose row is made when it is not there.
    ///
    /// # Errors
    /// [`EngineError::NoAccount`]; [`EngineError::AccessDenied`] for who may not add items; when the store fails.
    pub async fn ensure_account(&self, address: &str) -> Result<u32, EngineError> {
        if let Some(known) = self.begin_all().await?.user_by_login(address).await? {
            return Ok(known);
        }
        self.check_site(SiteMask::ADD_ITEMS)?;
        let account = self.engine.directory().account(address).await?.ok_or(EngineError::NoAccount)?;
        self.ensure_user(&account.caller, false).await
    }

    /// The row of an account in the user list, made when it is not there.
    async fn ensure_user(&self, caller: &Caller, admin: bool) -> Result<u32, EngineError> {
        for _ in 0..limits::CONFLICT_RETRIES_MAX {
            let mut view = self.begin_all().await?;
            let name = Bytes::from(caller.address.clone().into_bytes());
            if let Some(id) = view.name(SCOPE_USERS, &name).await? {
                return Ok(ItemId(id).number());
            }
            let users = view.list_by_title(USER_LIST).await?;
            let users = users.ok_or(EngineError::NoCollection(CollectionId(0)))?;
            drop(view);
            let now = self.engine.now().whole_second();
            let bag = Bag::from_iter([
                (crate::folders::field("Title"), Value::text(caller.display_name.clone())),
                (USER_LOGIN, Value::text(caller.address.clone())),
                (crate::folders::field("EMail"), Value::text(caller.address.clone())),
                (crate::folders::field("SipAddress"), Value::text(caller.address.clone())),
                (crate::folders::field("ImnName"), Value::text(caller.display_name.clone())),
                (crate::folders::field("IsSiteAdmin"), Value::Bool(admin)),
                (ROW_VERSION, Value::I32(1)),
                (ROW_UNIQUE_ID, Value::Guid(self.engine.random().guid())),
                (ROW_CREATED, Value::Time(now)),
                (ROW_MODIFIED, Value::Time(now)),
                (ROW_AUTHOR, Value::I32(1)),
                (ROW_EDITOR, Value::I32(1)),
            ]);
            let mut commit = Commit::new(self.root(), self.engine.now());
            commit.guards.push(Guard::NameFree(SCOPE_USERS, name.clone()));
            commit.writes.push(Write::CreateItem(NewItem {
                collection: users.id().into(),
                id: NewItemId::Numbered,
                flags: ItemFlags::default(),
                bag: bag.to_bytes(),
                parts: Vec::new(),
            }));
            commit.writes.push(Write::PutName { scope: SCOPE_USERS, name, target: NameTarget::Write(0) });
            match self.engine.store().commit(commit).await {
                Ok(receipt) => return Ok(receipt.write(0).item.unwrap_or_default().number()),
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(EngineError::Contended)
    }
}

fn is_moderated(bag: &Bag) -> bool {
    bag.get(&list_keys::LIST_MODERATED).and_then(Value::as_bool) == Some(true)
}

fn check_title(title: &str) -> Result<(), EngineError> {
    if title.trim().is_empty() {
        return Err(EngineError::Invalid("the title is empty"));
    }
    if title.chars().count() > limits::NAME_CHARS_MAX { Err(EngineError::TooLarge("title")) } else { Ok(()) }
}
