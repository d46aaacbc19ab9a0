//! Who is asking, and what they may do.
//!
//! The owner of a mailbox may do everything in it. Others may do what the permissions of each folder grant them. Both is
//! decided here: a [`crate::View`] of a visitor shows what they may read, and the writing calls of
//! [`crate::Mailbox`] ask before they write.

use std::{collections::HashMap, sync::Arc};

use model::{Bag, BagRef, CollectionId, Guid, PropertyKey, RootId, Value, sets};
use store::ItemRow;

use crate::{EngineError, Folder};

/// Somebody who has been authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account: also the root of its mailbox.
    pub account: RootId,
    /// The mailbox GUID.
    pub mailbox_guid: Guid,
    /// The address, lower case.
    pub address: String,
    /// The name shown.
    pub display_name: String,
}

/// What a handle may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rights {
    /// Read.
    Read,
    /// Read, and write items.
    Contribute,
    /// Everything.
    Full,
}

/// What somebody may do in a folder: the bits of PidTagMemberRights, MS-OXCPERM 2.2.7.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FolderRights(u32);

impl FolderRights {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Reading all items. Without it, one's own can be read.
    pub const READ_ANY: Self = Self(0x1);
    /// Creating items.
    pub const CREATE: Self = Self(0x2);
    /// Changing one's own items.
    pub const EDIT_OWNED: Self = Self(0x8);
    /// Deleting and moving one's own items.
    pub const DELETE_OWNED: Self = Self(0x10);
    /// Changing all items.
    pub const EDIT_ANY: Self = Self(0x20);
    /// Deleting and moving all items.
    pub const DELETE_ANY: Self = Self(0x40);
    /// Creating folders inside. Who does owns them.
    pub const CREATE_SUBFOLDER: Self = Self(0x80);
    /// Changing, moving and deleting the folder, its permissions included.
    pub const OWNER: Self = Self(0x100);
    /// Being named as a contact of the folder, which grants nothing.
    pub const CONTACT: Self = Self(0x200);
    /// Seeing the folder in the hierarchy.
    pub const VISIBLE: Self = Self(0x400);
    /// Seeing when the owner of a calendar is busy.
    pub const FREE_BUSY_SIMPLE: Self = Self(0x800);
    /// Seeing with what the owner of a calendar is busy.
    pub const FREE_BUSY_DETAILED: Self = Self(0x1000);
    /// Everything.
    pub const ALL: Self = Self(0x1ffb);
    /// What the owner of a folder in the mailbox of another has.
    const FOLDER_OWNER: Self = Self(0x7fb);
    /// Those that grant nothing in the folder itself.
    const OUTSIDE: Self = Self(0x1a00);

    /// These and others.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These but for others.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all of `other` are among these.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    const fn sees(self) -> bool {
        self.has(Self::VISIBLE) || self.has(Self::OWNER)
    }

    const fn opens(self) -> bool {
        self.0 & !Self::OUTSIDE.0 != 0
    }
}

/// To whom rights are granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grantee {
    /// Every account that is not named.
    Default,
    /// Whoever is not authenticated. Nobody gets here like that, so it is kept and grants nothing.
    Anonymous,
    /// An account. Another that gets its address later has no part in it.
    Account {
        /// Which.
        account: RootId,
        /// Its address when the right was granted.
        address: String,
        /// Its name then.
        display_name: String,
    },
}

/// What is granted to somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// To whom.
    pub grantee: Grantee,
    /// What.
    pub rights: FolderRights,
}

/// The permissions of a folder, in the order in which they were granted. Those of a new folder are those of the folder
/// around it, unless it brings its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions(pub Vec<Permission>);

/// In the bag of a folder: its permissions, Texts. See [`Permissions`].
pub const PERMISSIONS: PropertyKey = PropertyKey::Lid(sets::HIGHWATER, 0x12);
/// In the bag of an item: the account that made it, I64, where that is not the owner of the mailbox.
pub(crate) const CREATOR: PropertyKey = PropertyKey::Lid(sets::HIGHWATER, 0x13);

impl Permissions {
    /// Those of a folder; `None` where none were ever granted.
    pub fn of(bag: &Bag) -> Option<Self> {
        let Some(Value::Texts(lines)) = bag.get(&PERMISSIONS) else { return None };
        Some(Self(lines.iter().filter_map(|line| Permission::parse(line)).collect()))
    }

    /// The value of [`PERMISSIONS`].
    pub fn to_value(&self) -> Value {
        Value::Texts(self.0.iter().map(Permission::to_line).collect())
    }

    /// What they grant to an account.
    fn to_account(&self, account: RootId) -> FolderRights {
        let named = |grantee: &Grantee| matches!(grantee, Grantee::Account { account: of, .. } if *of == account);
        let own = self.0.iter().find(|one| named(&one.grantee));
        let default = || self.0.iter().find(|one| one.grantee == Grantee::Default);
        own.or_else(default).map_or(FolderRights::NONE, |one| one.rights)
    }

    /// With everything granted to somebody.
    #[must_use]
    pub(crate) fn with_owner(mut self, caller: &Caller) -> Self {
        let (account, address) = (caller.account, caller.address.clone());
        let grantee = Grantee::Account { account, address, display_name: caller.display_name.clone() };
        self.0.retain(|one| !matches!(one.grantee, Grantee::Account { account: of, .. } if of == account));
        self.0.push(Permission { grantee, rights: FolderRights::FOLDER_OWNER });
        self
    }
}

impl Permission {
    /// `<who> <rights> <address> <name>`.
    fn to_line(&self) -> String {
        let rights = self.rights.0;
        match &self.grantee {
            Grantee::Default => format!("default {rights}"),
            Grantee::Anonymous => format!("anonymous {rights}"),
            Grantee::Account { account, address, display_name } => {
                format!("{} {rights} {address} {display_name}", account.0)
            }
        }
    }

    fn parse(line: &str) -> Option<Self> {
        let mut words = line.splitn(4, ' ');
        let (who, rights) = (words.next()?, FolderRights(words.next()?.parse().ok()?));
        let grantee = match who {
            "default" => Grantee::Default,
            "anonymous" => Grantee::Anonymous,
            account => Grantee::Account {
                account: RootId(account.parse().ok()?),
                address: words.next().unwrap_or_default().to_owned(),
                display_name: words.next().unwrap_or_default().to_owned(),
            },
        };
        Some(Self { grantee, rights })
    }
}

/// What is done to an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Read,
    Edit,
    Delete,
}

/// What somebody may do in a mailbox, at one moment. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Access(Option<Arc<Grants>>);

/// What a visitor is granted.
#[derive(Debug)]
struct Grants {
    account: RootId,
    folders: HashMap<CollectionId, FolderRights>,
}

/// What somebody may do with a folder or an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EffectiveRights {
    /// Creating associated items in it.
    pub create_associated: bool,
    /// Creating items in it.
    pub create_contents: bool,
    /// Creating folders in it.
    pub create_hierarchy: bool,
    /// Deleting it.
    pub delete: bool,
    /// Changing it.
    pub modify: bool,
    /// Reading it; of a folder, its items.
    pub read: bool,
    /// Reading items that are marked as private.
    pub view_private: bool,
}

impl EffectiveRights {
    /// Those of the owner of a mailbox over an item.
    pub const ITEM_OF_OWNER: Self = Self {
        create_associated: false,
        create_contents: false,
        create_hierarchy: false,
        delete: true,
        modify: true,
        read: true,
        view_private: true,
    };
}

impl Access {
    /// That of the owner: everything.
    pub const OWNER: Self = Self(None);

    /// That of a visitor to a mailbox with these folders. The top folders are seen by all who see something.
    pub(crate) fn of_visitor(account: RootId, folders: &[Folder]) -> Self {
        let granted =
            |folder: &Folder| Permissions::of(&folder.bag).map(|list| (folder.id(), list.to_account(account)));
        let mut grants: HashMap<_, _> = folders.iter().filter_map(granted).filter(|(_, one)| one.opens()).collect();
        if !grants.is_empty() {
            for top in folders.iter().filter(|folder| matches!(folder.distinguished(), Some("root" | "msgfolderroot")))
            {
                let rights = grants.entry(top.id()).or_default();
                *rights = rights.with(FolderRights::VISIBLE);
            }
        }
        Self(Some(Arc::new(Grants { account, folders: grants })))
    }

    /// The account of a visitor; `None` for the owner.
    pub fn visitor(&self) -> Option<RootId> {
        self.0.as_ref().map(|grants| grants.account)
    }

    /// Whether nothing is granted in the whole mailbox.
    pub(crate) fn is_nothing(&self) -> bool {
        self.0.as_ref().is_some_and(|grants| grants.folders.is_empty())
    }

    /// What is granted in a folder.
    pub fn rights(&self, folder: CollectionId) -> FolderRights {
        match &self.0 {
            None => FolderRights::ALL,
            Some(grants) => grants.folders.get(&folder).copied().unwrap_or_default(),
        }
    }

    /// Whether a folder is seen in the hierarchy.
    pub fn sees(&self, folder: CollectionId) -> bool {
        self.rights(folder).sees()
    }

    /// What may be done with a folder.
    pub fn to_folder(&self, folder: CollectionId) -> EffectiveRights {
        let rights = self.rights(folder);
        let (own, owner) = (rights.has(FolderRights::OWNER), self.0.is_none());
        EffectiveRights {
            create_associated: own,
            create_contents: rights.has(FolderRights::CREATE),
            create_hierarchy: rights.has(FolderRights::CREATE_SUBFOLDER),
            delete: own,
            modify: own,
            read: rights.has(FolderRights::READ_ANY),
            view_private: owner,
        }
    }

    /// What may be done with an item of a folder.
    pub fn to_item(&self, folder: CollectionId, bag: BagRef<'_>) -> EffectiveRights {
        let own = self.made(bag);
        EffectiveRights {
            create_associated: false,
            create_contents: false,
            create_hierarchy: false,
            delete: self.may(Act::Delete, folder, own),
            modify: self.may(Act::Edit, folder, own),
            read: self.may(Act::Read, folder, own),
            view_private: self.0.is_none(),
        }
    }

    /// Checks a right to a folder.
    ///
    /// # Errors
    /// [`EngineError::NoCollection`] where the folder must not be known; [`EngineError::AccessDenied`] where the right is
    /// missing, or there is none in the whole mailbox.
    pub(crate) fn check(&self, folder: CollectionId, needed: FolderRights) -> Result<(), EngineError> {
        let Some(grants) = &self.0 else { return Ok(()) };
        let rights = self.rights(folder);
        match rights.opens() {
            true if rights.has(needed) => Ok(()),
            false if !grants.folders.is_empty() => Err(EngineError::NoCollection(folder)),
            true | false => Err(EngineError::AccessDenied),
        }
    }

    /// Checks a right to an item that may be read.
    ///
    /// # Errors
    /// [`EngineError::AccessDenied`].
    pub(crate) fn check_item(&self, act: Act, row: &ItemRow) -> Result<(), EngineError> {
        if self.shows(act, row) { Ok(()) } else { Err(EngineError::AccessDenied) }
    }

    /// Whether something may be done to an item, whose row was read with its bag.
    pub(crate) fn shows(&self, act: Act, row: &ItemRow) -> bool {
        self.0.is_none() || self.may(act, row.collection, BagRef::new(&row.bag).is_ok_and(|bag| self.made(bag)))
    }

    fn made(&self, bag: BagRef<'_>) -> bool {
        let by = || bag.get(&CREATOR).and_then(|value| value.as_i64());
        self.0.as_ref().is_some_and(|grants| by() == Some(grants.account.to_i64()))
    }

    fn may(&self, act: Act, folder: CollectionId, own: bool) -> bool {
        let rights = self.rights(folder);
        match act {
            Act::Read => rights.has(FolderRights::READ_ANY) || own && rights.opens(),
            Act::Edit => rights.has(FolderRights::EDIT_ANY) || own && rights.has(FolderRights::EDIT_OWNED),
            Act::Delete => rights.has(FolderRights::DELETE_ANY) || own && rights.has(FolderRights::DELETE_OWNED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(number: u64, name: &str) -> Grantee {
        let address = format!("{name}@example.com");
        Grantee::Account { account: RootId(number), address, display_name: format!("{name} With Spaces") }
    }

    #[test]
    fn permissions_are_kept_as_granted() {
        let rights = FolderRights::READ_ANY.with(FolderRights::VISIBLE);
        let list = Permissions(vec![
            Permission { grantee: Grantee::Default, rights },
            Permission { grantee: Grantee::Anonymous, rights: FolderRights::NONE },
            Permission { grantee: account(7, "ann"), rights: FolderRights::ALL },
            Permission { grantee: account(8, "bob"), rights: FolderRights::NONE },
        ]);
        let bag: Bag = [(PERMISSIONS, list.to_value())].into_iter().collect();
        assert_eq!(Permissions::of(&bag).as_ref(), Some(&list));
        for (number, rights) in [(7, FolderRights::ALL), (8, FolderRights::NONE), (9, rights)] {
            assert_eq!(list.to_account(RootId(number)), rights, "{number}");
        }
        assert_eq!(Permissions::of(&Bag::new()), None);
    }
}
