//! Mailboxes: opening them, and their folders.

use std::collections::HashMap;

use bytes::Bytes;
use model::{Bag, CollectionId, Guid, RootId, Seq, Value, limits, tags};
use store::{CollectionRef, CollectionRow, Commit, Guard, ItemRow, NameTarget, RootKind, StoreError, Write};

use crate::folders::{DISTINGUISHED_NAME, IS_SEARCH_FOLDER, SCOPE_CHILDREN, SCOPE_DISTINGUISHED, name_key};
use crate::{
    Access, Caller, DISTINGUISHED, Distinguished, Engine, EngineError, FolderRights, PERMISSIONS, Permissions, View,
};

/// Items that go with the folders which one commit drops, unless one folder alone has more.
pub(crate) const DROP_ITEMS_MAX: u64 = 2_000;

/// Which mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailboxName<'a> {
    /// The caller's.
    Own,
    /// By address.
    Address(&'a str),
    /// By mailbox GUID, as ids name it.
    Guid(Guid),
}

/// A mailbox that the caller may use.
#[derive(Clone)]
pub struct Mailbox {
    engine: Engine,
    caller: Caller,
    owner: Caller,
}

/// A folder with its properties.
#[derive(Clone, Debug, PartialEq)]
pub struct Folder {
    /// The stored row.
    pub row: CollectionRow,
    /// Its properties.
    pub bag: Bag,
}

/// A folder to be made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewFolder {
    /// DisplayName.
    pub display_name: String,
    /// FolderClass.
    pub class: String,
    /// Whether it is a search folder.
    pub search: bool,
    /// Further properties.
    pub bag: Bag,
}

/// Which version of an item or folder the caller means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// Whatever is stored.
    Any,
    /// The one whose latest change is at this position.
    At(Seq),
}

/// What deleting does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteMode {
    /// Gone for good.
    Hard,
    /// Into Recoverable Items, which keep items alone.
    Soft,
    /// Into Deleted Items.
    MoveToDeletedItems,
}

impl DeleteMode {
    /// The distinguished name of the folder that it moves to.
    pub(crate) const fn target(self) -> Option<&'static str> {
        match self {
            Self::Hard => None,
            Self::Soft => Some("recoverableitemsdeletions"),
            Self::MoveToDeletedItems => Some("deleteditems"),
        }
    }
}

impl Precondition {
    pub(crate) fn check(self, row: &ItemRow) -> Result<(), EngineError> {
        match self {
            Self::At(seq) if seq != row.seq => Err(EngineError::Stale { item: row.item, current: row.seq }),
            Self::At(_) | Self::Any => Ok(()),
        }
    }
}

impl Folder {
    pub(crate) fn from_row(row: CollectionRow) -> Result<Self, EngineError> {
        Ok(Self { bag: Bag::decode(&row.bag)?, row })
    }

    /// Its id.
    pub const fn id(&self) -> CollectionId {
        self.row.collection
    }

    /// The folder it lies in.
    pub const fn parent(&self) -> Option<CollectionId> {
        self.row.parent
    }

    /// DisplayName.
    pub fn display_name(&self) -> &str {
        self.bag.text(&tags::DISPLAY_NAME).unwrap_or_default()
    }

    /// FolderClass.
    pub fn class(&self) -> &str {
        self.bag.text(&tags::CONTAINER_CLASS).unwrap_or_default()
    }

    /// Its distinguished name, if it has one.
    pub fn distinguished(&self) -> Option<&str> {
        self.bag.text(&DISTINGUISHED_NAME)
    }

    /// Whether it is a search folder.
    pub fn is_search(&self) -> bool {
        self.bag.get(&IS_SEARCH_FOLDER).and_then(Value::as_bool) == Some(true)
    }
}

impl View {
    /// The folder with this distinguished name.
    ///
    /// # Errors
    /// [`EngineError::NoCollection`] when the mailbox has none; as for any folder where it may not be opened.
    pub async fn distinguished(&mut self, name: &str) -> Result<CollectionId, EngineError> {
        let id = self.well_known(name).await?;
        self.require(id, FolderRights::NONE).await?;
        Ok(id)
    }

    /// As [`Self::distinguished`], whoever asks.
    pub(crate) async fn well_known(&mut self, name: &str) -> Result<CollectionId, EngineError> {
        let id = self.name(SCOPE_DISTINGUISHED, name.as_bytes()).await?;
        id.map(CollectionId).ok_or(EngineError::NoCollection(CollectionId(0)))
    }

    /// The child of `parent` with this name, whatever its case.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn child(&mut self, parent: CollectionId, name: &str) -> Result<Option<CollectionId>, EngineError> {
        Ok(self.name(SCOPE_CHILDREN + parent.0, &name_key(name)).await?.map(CollectionId))
    }
}

impl Engine {
    /// Opens a mailbox for somebody, making it when its owner opens it for the first time. In that of another, what may
    /// be done is what the permissions of its folders grant: see [`View::access`].
    ///
    /// # Errors
    /// [`EngineError::NoMailbox`]; when the store fails.
    pub async fn open_mailbox(&self, caller: &Caller, name: MailboxName<'_>) -> Result<Mailbox, EngineError> {
        let owner = match name {
            MailboxName::Own => Some(caller.clone()),
            MailboxName::Address(address) if address.eq_ignore_ascii_case(&caller.address) => Some(caller.clone()),
            MailboxName::Guid(guid) if guid == caller.mailbox_guid => Some(caller.clone()),
            MailboxName::Address(address) => self.directory().by_address(address).await?,
            MailboxName::Guid(guid) => self.directory().by_mailbox_guid(guid).await?,
        };
        let guid = if let MailboxName::Guid(guid) = name { Some(guid) } else { None };
        let owner = owner.ok_or(EngineError::NoMailbox { guid })?;
        let mailbox = Mailbox { engine: self.clone(), caller: caller.clone(), owner };
        if !mailbox.is_visited() && !self.opened().has_root(mailbox.root()) {
            Mailbox { engine: self.uncounted(), ..mailbox.clone() }.make_if_new().await?;
            self.opened().note_root(mailbox.root());
        }
        Ok(mailbox)
    }
}

impl Mailbox {
    /// The mailbox of `owner`, as its owner uses it, made where it is not there yet.
    pub(crate) async fn of_owner(engine: &Engine, owner: &Caller) -> Result<Self, EngineError> {
        engine.open_mailbox(owner, MailboxName::Own).await
    }

    /// The domain it belongs to.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Who uses it.
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Whose it is.
    pub const fn owner(&self) -> &Caller {
        &self.owner
    }

    /// The mailbox GUID.
    pub const fn guid(&self) -> Guid {
        self.owner.mailbox_guid
    }

    pub(crate) const fn root(&self) -> RootId {
        self.owner.account
    }

    /// Whether whoever uses it is not its owner.
    pub(crate) fn is_visited(&self) -> bool {
        self.caller.account != self.owner.account
    }

    /// Checks rights to folders, where the mailbox is visited. Costs nothing where it is not.
    pub(crate) async fn require(&self, needed: &[(CollectionId, FolderRights)]) -> Result<(), EngineError> {
        let access = self.access().await?;
        needed.iter().try_for_each(|(folder, rights)| access.check(*folder, *rights))
    }

    /// What whoever uses it may do now. Costs nothing for the owner, else the number of folders.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn access(&self) -> Result<Access, EngineError> {
        if self.is_visited() { self.begin().await?.access().await } else { Ok(Access::OWNER) }
    }

    /// A view of the mailbox as it is now.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn begin(&self) -> Result<View, EngineError> {
        match self.engine.store().snapshot(self.root()).await {
            Ok(snapshot) if self.is_visited() => Ok(View::of_visitor(snapshot, self.caller.account)),
            Ok(snapshot) => Ok(View::new(snapshot)),
            // Its owner has never been here, so nothing is granted in it.
            Err(StoreError::NoRoot(_)) if self.is_visited() => Err(EngineError::AccessDenied),
            Err(StoreError::NoRoot(_)) => Err(EngineError::NoMailbox { guid: None }),
            Err(other) => Err(other.into()),
        }
    }

    /// Makes a folder.
    ///
    /// # Errors
    /// [`EngineError::NoCollection`] when the parent is not there; [`EngineError::NameTaken`];
    /// [`EngineError::TooLarge`] for a long name, [`EngineError::Invalid`] for an empty one; when the store fails.
    pub async fn create_folder(&self, parent: CollectionId, new: NewFolder) -> Result<Folder, EngineError> {
        self.require(&[(parent, FolderRights::CREATE_SUBFOLDER)]).await?;
        let name = checked_name(&new.display_name)?;
        let bag = self.inherited(parent, folder_bag(&new, None)).await?;
        let mut commit = Commit::new(self.root(), self.engine.now());
        commit.guards = vec![Guard::CollectionExists(parent), Guard::NameFree(SCOPE_CHILDREN + parent.0, name.clone())];
        commit.writes = vec![
            Write::CreateCollection { parent: Some(CollectionRef::Id(parent)), bag: bag.to_bytes() },
            Write::PutName { scope: SCOPE_CHILDREN + parent.0, name, target: NameTarget::Write(0) },
        ];
        let receipt = match self.engine.store().commit(commit).await {
            Err(StoreError::Conflict { guard: 0 }) => return Err(EngineError::NoCollection(parent)),
            Err(StoreError::Conflict { .. }) => return Err(EngineError::NameTaken),
            other => other?,
        };
        self.begin().await?.folder(receipt.write(0).collection.unwrap_or_default()).await
    }

    /// Gives a new folder the permissions of the folder around it, where it has none; who makes it in the mailbox of
    /// another owns it.
    async fn inherited(&self, parent: CollectionId, mut bag: Bag) -> Result<Bag, EngineError> {
        let mut permissions = Permissions::of(&bag);
        if permissions.is_none() {
            permissions = Permissions::of(&self.begin().await?.folder(parent).await?.bag);
        }
        if self.is_visited() {
            permissions = Some(permissions.unwrap_or_default().with_owner(&self.caller));
        }
        bag.put(PERMISSIONS, permissions.map(|list| list.to_value()));
        Ok(bag)
    }

    /// Changes the properties of a folder; a changed DisplayName renames it. `change` may run several times.
    ///
    /// # Errors
    /// [`EngineError::NoCollection`], [`EngineError::NameTaken`], [`EngineError::Distinguished`] for renaming one;
    /// when the store fails.
    pub async fn update_folder(
        &self,
        id: CollectionId,
        change: &(dyn Fn(&mut Bag) + Sync),
    ) -> Result<Folder, EngineError> {
        self.require(&[(id, FolderRights::OWNER)]).await?;
        for _ in 0..limits::CONFLICT_RETRIES_MAX {
            let folder = self.begin().await?.folder(id).await?;
            let mut bag = folder.bag.clone();
            change(&mut bag);
            if bag == folder.bag {
                return Ok(folder);
            }
            let mut commit = Commit::new(self.root(), self.engine.now());
            commit.guards.push(Guard::CollectionAt(id, folder.row.seq));
            let new_name = bag.text(&tags::DISPLAY_NAME).unwrap_or_default();
            if new_name != folder.display_name() {
                if folder.distinguished().is_some() {
                    return Err(EngineError::Distinguished);
                }
                let scope = SCOPE_CHILDREN + folder.parent().unwrap_or_default().0;
                rename(&mut commit, (scope, folder.display_name()), (scope, new_name), id)?;
            }
            commit.writes.push(Write::UpdateCollection { collection: id, bag: Some(bag.to_bytes()), parent: None });
            match self.engine.store().commit(commit).await {
                Ok(_) => return self.begin().await?.folder(id).await,
                Err(StoreError::Conflict { guard: 0 }) => {}
                Err(StoreError::Conflict { .. }) => return Err(EngineError::NameTaken),
                Err(other) => return Err(other.into()),
            }
        }
        Err(EngineError::Contended)
    }

    /// Moves a folder under another parent. Its id stays, and so do the ids inside.
    ///
    /// # Errors
    /// [`EngineError::NoCollection`], [`EngineError::NameTaken`], [`EngineError::Distinguished`],
    /// [`EngineError::Circle`]; when the store fails.
    pub async fn move_folder(&self, id: CollectionId, to: CollectionId) -> Result<Folder, EngineError> {
        self.require(&[(id, FolderRights::OWNER), (to, FolderRights::CREATE_SUBFOLDER)]).await?;
        self.place_folder(id, to, None, false).await
    }

    /// Deletes a folder with everything in it: for good, or by moving it into Deleted Items. Softly, its items and those
    /// of the folders in it go to Recoverable Items, each under a new id, and no folder is kept; that costs the items.
    ///
    /// # Errors
    /// [`EngineError::NoCollection`], [`EngineError::Distinguished`]; when the store fails.
    pub async fn delete_folder(&self, id: CollectionId, mode: DeleteMode) -> Result<(), EngineError> {
        self.require(&[(id, FolderRights::OWNER)]).await?;
        self.delete_folder_from(None, id, mode).await
    }

    /// As [`Self::delete_folder`]; a folder that does not lie in `from` (any more) is left alone.
    pub(crate) async fn delete_folder_from(
        &self,
        from: Option<CollectionId>,
        id: CollectionId,
        mode: DeleteMode,
    ) -> Result<(), EngineError> {
        for attempt in 0..limits::CONFLICT_RETRIES_MAX {
            let mut view = self.begin().await?;
            let folder = match view.folder(id).await {
                // An earlier attempt has got that far.
                Err(EngineError::NoCollection(_)) if attempt > 0 => return Ok(()),
                other => other?,
            };
            if from.is_some() && folder.parent() != from {
                return Ok(());
            }
            if folder.distinguished().is_some() {
                return Err(EngineError::Distinguished);
            }
            let target = match mode.target() {
                Some(name) => Some(view.well_known(name).await?),
                None => None,
            };
            let folders = view.every_folder().await?;
            drop(view);
            let target = target.filter(|to| !is_under(&folders, id, *to));
            if let Some(to) = target.filter(|_| mode == DeleteMode::MoveToDeletedItems) {
                return self.place_folder(id, to, from, true).await.map(drop);
            }
            let doomed = subtrees_deepest_first(&folders, vec![folder]);
            let done = match target {
                Some(to) => self.dissolve(&doomed, to).await,
                None => self.drop_folders(&doomed).await,
            };
            match done {
                Ok(()) => return Ok(()),
                // Somebody made or removed a folder inside it, or put something into one that was emptied.
                Err(EngineError::Store(StoreError::Conflict { .. })) => {}
                Err(other) => return Err(other),
            }
        }
        Err(EngineError::Contended)
    }

    /// Children go before their parents, so that a cut between two commits leaves a whole tree.
    pub(crate) async fn drop_folders(&self, deepest_first: &[Folder]) -> Result<(), EngineError> {
        self.drop_folders_if(deepest_first, Vec::new()).await
    }

    /// As [`Self::drop_folders`], with a further guard each; there may be none.
    pub(crate) async fn drop_folders_if(
        &self,
        deepest_first: &[Folder],
        guards: Vec<Guard>,
    ) -> Result<(), EngineError> {
        let mut guards = guards.into_iter();
        let mut rest = deepest_first;
        while let Some((chunk, later)) = rest.split_at_checked(droppable(rest)).filter(|(chunk, _)| !chunk.is_empty()) {
            rest = later;
            let mut commit = Commit::new(self.root(), self.engine.now());
            for folder in chunk {
                let scope = SCOPE_CHILDREN + folder.parent().unwrap_or_default().0;
                let name = Bytes::from(name_key(folder.display_name()));
                commit.guards.push(Guard::CollectionAt(folder.id(), folder.row.seq));
                commit.guards.extend(guards.next());
                commit.writes.push(Write::DropName { scope, name });
                commit.writes.push(Write::DropCollection { collection: folder.id() });
            }
            self.engine.store().commit(commit).await?;
        }
        Ok(())
    }

    /// Moves a folder, unless it does not lie in `only_from` (any more).
    async fn place_folder(
        &self,
        id: CollectionId,
        to: CollectionId,
        only_from: Option<CollectionId>,
        any_name: bool,
    ) -> Result<Folder, EngineError> {
        for attempt in 0..limits::CONFLICT_RETRIES_MAX {
            let mut view = self.begin().await?;
            let folder = view.folder(id).await?;
            if folder.distinguished().is_some() {
                return Err(EngineError::Distinguished);
            }
            view.collection(to).await?;
            let folders = view.every_folder().await?;
            if id == to || is_under(&folders, to, id) {
                return Err(EngineError::Circle);
            }
            let from = folder.parent().unwrap_or_default();
            if from == to || only_from.is_some_and(|only| only != from) {
                return Ok(folder);
            }
            let mut name = folder.display_name().to_owned();
            if any_name && view.child(to, &name).await?.is_some() {
                name = self.other_name(&name, attempt);
            }
            drop(view);
            let mut commit = Commit::new(self.root(), self.engine.now());
            commit.guards = vec![Guard::CollectionAt(id, folder.row.seq), Guard::CollectionExists(to)];
            rename(&mut commit, (SCOPE_CHILDREN + from.0, folder.display_name()), (SCOPE_CHILDREN + to.0, &name), id)?;
            let mut bag = folder.bag;
            bag.set(tags::DISPLAY_NAME, Value::text(name));
            // Nothing above the new place may move meanwhile, or two moves make a circle.
            commit.guards.extend(chain(&folders, to).map(|above| Guard::CollectionAt(above.id(), above.row.seq)));
            let write = Write::UpdateCollection { collection: id, bag: Some(bag.to_bytes()), parent: Some(Some(to)) };
            commit.writes.push(write);
            match self.engine.store().commit(commit).await {
                Ok(_) => return self.begin().await?.folder(id).await,
                Err(StoreError::Conflict { guard: 2 }) if !any_name => return Err(EngineError::NameTaken),
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(EngineError::Contended)
    }

    /// A name for a folder where its own is taken: with a small number at first, with one out of many where the small
    /// ones are taken too.
    fn other_name(&self, name: &str, attempt: usize) -> String {
        let number = if attempt < 4 { attempt as u64 + 1 } else { self.engine.random().number() >> 32 };
        let kept: String = name.chars().take(limits::NAME_CHARS_MAX - 16).collect();
        format!("{kept} ({number})")
    }

    /// Makes the root and the distinguished folders on the first opening.
    async fn make_if_new(&self) -> Result<(), EngineError> {
        match self.engine.store().snapshot(self.root()).await {
            Ok(_) => return Ok(()),
            Err(StoreError::NoRoot(_)) => {}
            Err(other) => return Err(other.into()),
        }
        let mut commit = Commit::new(self.root(), self.engine.now());
        commit.create_root = Some((RootKind::Mailbox, self.guid()));
        let mut at = std::collections::BTreeMap::new();
        for entry in DISTINGUISHED {
            let Distinguished::Made { parent, display_name, class } = entry.folder else { continue };
            let new = NewFolder {
                display_name: display_name.to_owned(),
                class: class.to_owned(),
                search: parent == "searchfolders",
                bag: Bag::new(),
            };
            let parent_write = at.get(parent).copied();
            let write = commit.writes.len();
            at.insert(entry.name, write);
            commit.writes.push(Write::CreateCollection {
                parent: parent_write.map(CollectionRef::Write),
                bag: folder_bag(&new, Some(entry.name)).to_bytes(),
            });
            commit.writes.push(Write::PutName {
                scope: SCOPE_DISTINGUISHED,
                name: Bytes::from_static(entry.name.as_bytes()),
                target: NameTarget::Write(write),
            });
            // The first commit of a root takes the positions from 1 in order, and only creations take one: so the id of
            // a parent is known here, and with it the scope of its children's names.
            if let Some(parent_write) = parent_write {
                commit.writes.push(Write::PutName {
                    scope: SCOPE_CHILDREN + ordinal(&commit.writes, parent_write),
                    name: name_key(display_name).into(),
                    target: NameTarget::Write(write),
                });
            }
        }
        match self.engine.store().commit(commit).await {
            Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(other) => Err(other.into()),
        }
    }
}

/// The id that the creating write at `index` gets in the first commit of a root.
fn ordinal(writes: &[Write], index: usize) -> u64 {
    let creations = writes.iter().take(index + 1).filter(|write| matches!(write, Write::CreateCollection { .. }));
    creations.count() as u64
}

fn checked_name(name: &str) -> Result<Bytes, EngineError> {
    if name.trim().is_empty() {
        return Err(EngineError::Invalid("the name is empty"));
    }
    if name.chars().count() > limits::NAME_CHARS_MAX {
        return Err(EngineError::TooLarge("name"));
    }
    Ok(name_key(name).into())
}

fn rename(commit: &mut Commit, from: (u64, &str), to: (u64, &str), id: CollectionId) -> Result<(), EngineError> {
    let (old, new) = (Bytes::from(name_key(from.1)), checked_name(to.1)?);
    if (from.0, &old) != (to.0, &new) {
        commit.guards.push(Guard::NameFree(to.0, new.clone()));
        commit.writes.push(Write::DropName { scope: from.0, name: old });
        commit.writes.push(Write::PutName { scope: to.0, name: new, target: NameTarget::Id(id.0) });
    }
    Ok(())
}

fn folder_bag(new: &NewFolder, distinguished: Option<&str>) -> Bag {
    let mut bag = new.bag.clone();
    bag.set(tags::DISPLAY_NAME, Value::text(new.display_name.clone()));
    bag.set(tags::CONTAINER_CLASS, Value::text(new.class.clone()));
    if new.search {
        bag.set(IS_SEARCH_FOLDER, Value::Bool(true));
    }
    bag.put(DISTINGUISHED_NAME, distinguished.map(Value::text));
    bag
}

/// The folder `id` and those it lies under, upwards. `folders` are in ascending order of id.
fn chain(folders: &[Folder], id: CollectionId) -> impl Iterator<Item = &Folder> {
    let find = |id: CollectionId| folders.binary_search_by_key(&id, Folder::id).ok().and_then(|at| folders.get(at));
    // However damaged, it ends.
    std::iter::successors(find(id), move |folder| folder.parent().and_then(find)).take(folders.len())
}

/// Whether `id` is `above` or lies somewhere under it.
pub(crate) fn is_under(folders: &[Folder], id: CollectionId, above: CollectionId) -> bool {
    chain(folders, id).any(|folder| folder.id() == above)
}

/// How many folders, from the first, one commit drops: one at least, where there is one.
fn droppable(folders: &[Folder]) -> usize {
    let mut items = 0_u64;
    let few = |folder: &&Folder| {
        items = items.saturating_add(folder.row.items + folder.row.associated);
        items <= DROP_ITEMS_MAX
    };
    folders.iter().take(limits::COMMIT_WRITES_MAX / 2).take_while(few).count().clamp(1, folders.len().max(1))
}

/// The folders of `tops` with all that lies in them, children before their parents. Costs the number of folders.
pub(crate) fn subtrees_deepest_first(folders: &[Folder], tops: Vec<Folder>) -> Vec<Folder> {
    let mut children: HashMap<CollectionId, Vec<&Folder>> = HashMap::new();
    for folder in folders {
        children.entry(folder.parent().unwrap_or_default()).or_default().push(folder);
    }
    let (mut found, mut at) = (tops, 0);
    // However damaged, it ends.
    while let Some(parent) = found.get(at).map(Folder::id)
        && found.len() <= folders.len()
    {
        found.extend(children.get(&parent).into_iter().flatten().copied().cloned());
        at += 1;
    }
    found.reverse();
    found
}
