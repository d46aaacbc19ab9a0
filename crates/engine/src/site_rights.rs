//! What users may do in a site, its lists and their rows.
//!
//! Roles are assigned to users and groups: for the site, and for lists and rows that do not inherit. A row without its own
//! assignments has those of the nearest folder around it that has its own, else those of its list. This is the one place
//! where it is decided: a [`View`] of a site shows what its reader may see, and the writing calls of [`Site`] ask here
//! before they write. The owner of a site may do everything, and so may everybody where there is none. As long as nobody
//! changes it, every account may read and write items ([`DEFAULT_ASSIGNMENTS`]).

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use model::{Bag, BagRef, CollectionId, ItemFlags, ItemId, PropertyKey, Value, limits};
use store::ItemRow;

use crate::list_keys::{
    LIST_READ_SECURITY, LIST_WRITE_SECURITY, ROW_AUTHOR, ROW_FOLDER, ROW_MODERATION, ROW_PATH, TEMPLATE_USERS,
};
use crate::{EngineError, ListCollection, Site, View};

/// Of the user list: the assignments of the site, Texts; see [`Assignments`].
pub(crate) const SITE_ROLES: PropertyKey = key("#SiteRoles");
/// Of the user list: who is in which group of the site, Texts; each `group user`.
pub(crate) const SITE_GROUPS: PropertyKey = key("#SiteGroups");
/// Of a list or row that does not inherit: its assignments, Texts; see [`Assignments`].
pub(crate) const OWN_ROLES: PropertyKey = key("#Roles");
/// Of a list: some of its rows do not inherit, Bool.
pub(crate) const UNIQUE_ITEMS: PropertyKey = key("#UniqueItems");
/// Rows of a list that do not inherit are in this scope plus the list's id: 0 for folders or 1, and the id.
pub(crate) const SCOPE_UNIQUE: u64 = 1 << 42;

/// Assignments of one scope.
pub(crate) const ASSIGNMENTS_MAX: usize = 5_000;
/// Folders of one list that do not inherit.
const UNIQUE_FOLDERS_MAX: usize = 50_000;

const fn key(name: &'static str) -> PropertyKey {
    PropertyKey::Field(Cow::Borrowed(name))
}

/// Bits of what one may do. \[MS-WSSFO2 2.2.2.14\]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SiteMask(pub u64);

impl SiteMask {
    /// Seeing items.
    pub const VIEW_ITEMS: Self = Self(0x1);
    /// Adding items.
    pub const ADD_ITEMS: Self = Self(0x2);
    /// Changing items.
    pub const EDIT_ITEMS: Self = Self(0x4);
    /// Deleting items.
    pub const DELETE_ITEMS: Self = Self(0x8);
    /// Approving items of lists that are moderated, and seeing what waits for it.
    pub const APPROVE_ITEMS: Self = Self(0x10);
    /// Making, changing and deleting lists.
    pub const MANAGE_LISTS: Self = Self(0x800);
    /// Opening the site.
    pub const OPEN: Self = Self(0x1_0000);
    /// Assigning roles.
    pub const MANAGE_PERMISSIONS: Self = Self(0x200_0000);
    /// Changing the site.
    pub const MANAGE_WEB: Self = Self(0x4000_0000);
    /// Everything.
    pub const FULL: Self = Self(0x7fff_ffff_ffff_ffff);

    /// Whether all of `other` are among these.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// A role: a name for what one may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its id.
    pub id: u32,
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// What it allows.
    pub mask: SiteMask,
    /// Its kind: 1 limited access, 2 reader, 3 contributor, 4 designer, 5 administrator, 6 editor.
    pub kind: u8,
}

/// The roles that there are, as SharePoint 2013 has them. \[MS-WSSFO2 2.2.2.14, learn.microsoft.com SPRoleType\]
pub static ROLES: [Role; 6] = [
    Role { id: 1_073_741_829, name: "Full Control", description: "Has full control.", mask: SiteMask::FULL, kind: 5 },
    Role {
        id: 1_073_741_828,
        name: "Design",
        description: "Can view, add, update, delete, approve, and customize.",
        mask: SiteMask(0x1b0_3c5f_1bff),
        kind: 4,
    },
    Role {
        id: 1_073_741_830,
        name: "Edit",
        description: "Can add, edit and delete lists; can view, add, update and delete list items and documents.",
        mask: SiteMask(0x1b0_3c43_1aef),
        kind: 6,
    },
    Role {
        id: CONTRIBUTE,
        name: "Contribute",
        description: "Can view, add, update, and delete list items and documents.",
        mask: SiteMask(0x1b0_3c43_12ef),
        kind: 3,
    },
    Role {
        id: 1_073_741_826,
        name: "Read",
        description: "Can view pages and list items and download documents.",
        mask: SiteMask(0xb0_0843_1061),
        kind: 2,
    },
    Role {
        id: LIMITED,
        name: "Limited Access",
        description: "Can view specific lists, document libraries, list items, folders, or documents when given \
                      permissions.",
        mask: SiteMask(0x30_0801_1000),
        kind: 1,
    },
];

/// The role of owners.
pub(crate) const FULL_CONTROL: u32 = 1_073_741_829;
const CONTRIBUTE: u32 = 1_073_741_827;
/// The role that leads to something further down and allows nothing else.
pub(crate) const LIMITED: u32 = 1_073_741_825;

/// Everybody with an account, as one that roles are assigned to. Users have the numbers of their rows in the user list.
pub const EVERYONE: u32 = 1_000_000;

/// A group of the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SiteGroup {
    /// Its id, which no user has.
    pub id: u32,
    /// Its name, to be put behind the title of the site.
    pub name: &'static str,
}

/// The groups of every site. They are empty at first.
pub static GROUPS: [SiteGroup; 3] = [
    SiteGroup { id: 1_000_001, name: "Owners" },
    SiteGroup { id: 1_000_002, name: "Members" },
    SiteGroup { id: 1_000_003, name: "Visitors" },
];

/// The assignments of a site that nobody has changed: principal and role.
pub const DEFAULT_ASSIGNMENTS: [(u32, u32); 4] =
    [(EVERYONE, CONTRIBUTE), (1_000_001, FULL_CONTROL), (1_000_002, CONTRIBUTE), (1_000_003, 1_073_741_826)];

/// The role with this id.
pub fn role(id: u32) -> Option<&'static Role> {
    ROLES.iter().find(|role| role.id == id)
}

/// Roles assigned to users and groups, in the order of their assignment. Kept as Texts; each `principal role`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assignments(pub Vec<(u32, u32)>);

impl Assignments {
    /// Reads those that are kept under a key; `None` where there are none of its own.
    pub(crate) fn read(value: Option<&Value>) -> Option<Self> {
        let Some(Value::Texts(lines)) = value else { return None };
        Some(Self(pairs(lines)))
    }

    /// As they are kept.
    pub(crate) fn to_value(&self) -> Value {
        Value::Texts(self.0.iter().map(|(principal, role)| format!("{principal} {role}")).collect())
    }

    /// What they allow somebody.
    fn mask(&self, principals: &[u32]) -> SiteMask {
        let own = self.0.iter().filter(|(principal, _)| principals.contains(principal));
        SiteMask(own.filter_map(|(_, id)| role(*id)).fold(0, |mask, role| mask | role.mask.0))
    }
}

/// Pairs of numbers as they are kept.
pub(crate) fn pairs(lines: &[String]) -> Vec<(u32, u32)> {
    let one = |line: &String| {
        let (left, right) = line.split_once(' ')?;
        Some((left.parse().ok()?, right.parse().ok()?))
    };
    lines.iter().take(ASSIGNMENTS_MAX).filter_map(one).collect()
}

/// What somebody may do in a site. Cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SiteAccess {
    /// `None`: everything.
    visitor: Option<Arc<Visitor>>,
}

#[derive(Debug, PartialEq)]
struct Visitor {
    user: u32,
    /// The user and the groups it is in.
    principals: Vec<u32>,
    mask: SiteMask,
}

impl SiteAccess {
    /// Everything.
    pub(crate) const ALL: Self = Self { visitor: None };

    /// That of a user, by the bag of the user list; 0 for somebody who is no user yet.
    pub(crate) fn of_user(user: u32, users: &Bag) -> Self {
        let mut principals = vec![EVERYONE];
        if user > 0 {
            principals.push(user);
            if let Some(Value::Texts(lines)) = users.get(&SITE_GROUPS) {
                principals
                    .extend(pairs(lines).into_iter().filter(|(_, member)| *member == user).map(|(group, _)| group));
            }
        }
        let mask = site_assignments(users).mask(&principals);
        Self { visitor: Some(Arc::new(Visitor { user, principals, mask })) }
    }

    /// What is allowed in the site itself.
    pub(crate) fn mask(&self) -> SiteMask {
        self.visitor.as_ref().map_or(SiteMask::FULL, |visitor| visitor.mask)
    }

    fn is_user(&self, user: i64) -> bool {
        self.visitor.as_ref().is_none_or(|visitor| i64::from(visitor.user) == user)
    }

    fn of_assignments(&self, value: Option<&Value>) -> Option<SiteMask> {
        let visitor = self.visitor.as_ref()?;
        Assignments::read(value).map(|own| own.mask(&visitor.principals))
    }
}

/// The assignments of a site, by the bag of its user list.
pub(crate) fn site_assignments(users: &Bag) -> Assignments {
    Assignments::read(users.get(&SITE_ROLES)).unwrap_or_else(|| Assignments(DEFAULT_ASSIGNMENTS.to_vec()))
}

/// What somebody may do in a list and with its rows. Cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub struct ListAccess {
    site: SiteAccess,
    mask: SiteMask,
    /// Folders that do not inherit: their paths in lower case, and what is allowed in them.
    folders: Arc<[(String, SiteMask)]>,
    /// Some rows do not inherit.
    unique_items: bool,
    /// Rows wait for approval.
    moderated: bool,
    /// What the list says of the rows of others, to those who do not manage it.
    others: Others,
}

/// What may be done with rows that somebody else made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Others {
    /// They are not seen.
    unseen: bool,
    /// They are not written.
    unwritten: bool,
    /// No row is written, not even one's own, and none is made.
    closed: bool,
}

impl Others {
    /// Of a list, for who has these rights to it. \[MS-LISTSWS 2.2.4.11, ReadSecurity and WriteSecurity\]
    fn of(list: &ListCollection, mask: SiteMask) -> Self {
        if mask.has(SiteMask::MANAGE_LISTS) {
            return Self::default();
        }
        let number = |key| list.bag.get(key).and_then(Value::as_i64).unwrap_or(1);
        let write = number(&LIST_WRITE_SECURITY);
        Self { unseen: number(&LIST_READ_SECURITY) == 2, unwritten: write == 2, closed: write == 4 }
    }
}

impl ListAccess {
    /// Everything.
    pub(crate) fn all() -> Self {
        Self {
            site: SiteAccess::ALL,
            mask: SiteMask::FULL,
            folders: Arc::new([]),
            unique_items: false,
            moderated: false,
            others: Others::default(),
        }
    }

    /// Whether a row has assignments of its own.
    pub fn is_own(bag: &BagRef<'_>) -> bool {
        bag.get(&OWN_ROLES).is_some()
    }

    /// What is allowed in the list itself, and with rows that inherit from it.
    pub const fn mask(&self) -> SiteMask {
        self.mask
    }

    /// Whether some rows may not be seen. False where that is not known.
    pub fn hides_rows(&self) -> bool {
        let waits = self.moderated && !self.mask.has(SiteMask::APPROVE_ITEMS);
        let hides = waits || self.others.unseen || self.unique_items || !self.mask.has(SiteMask::VIEW_ITEMS);
        self.site.visitor.is_some() && hides
    }

    /// Whether the list can be opened: its rows may be seen, or some of them.
    fn opens(&self) -> bool {
        self.mask.has(SiteMask::VIEW_ITEMS) || self.mask.has(SiteMask::OPEN) && self.unique_items
    }

    /// What is allowed with a row. Costs nothing where all rows inherit.
    pub fn of_row(&self, bag: &BagRef<'_>) -> SiteMask {
        if self.site.visitor.is_none() {
            return SiteMask::FULL;
        }
        let mask = self.given(bag);
        if self.others == Others::default() {
            return mask;
        }
        // What is to be made has no author yet.
        let author = bag.get(&ROW_AUTHOR).and_then(|value| value.as_i64());
        let own = author.is_none_or(|author| self.site.is_user(author));
        let write = SiteMask::EDIT_ITEMS.0 | SiteMask::DELETE_ITEMS.0;
        let mut bits = mask.0;
        if self.others.unseen && !own {
            bits &= !(SiteMask::VIEW_ITEMS.0 | write);
        }
        if self.others.closed {
            bits &= !(SiteMask::ADD_ITEMS.0 | write);
        } else if self.others.unwritten && !own {
            bits &= !write;
        }
        SiteMask(bits)
    }

    /// What roles allow with a row.
    fn given(&self, bag: &BagRef<'_>) -> SiteMask {
        if !self.unique_items {
            return self.mask;
        }
        let own = bag.get(&OWN_ROLES).map(|value| value.to_value());
        if let Some(mask) = self.site.of_assignments(own.as_ref()) {
            return mask;
        }
        match bag.text(&ROW_PATH) {
            Some(path) => self.in_folder(path.rsplit_once('/').map_or("", |(folder, _)| folder)),
            None => self.in_folder(bag.text(&ROW_FOLDER).unwrap_or_default()),
        }
    }

    /// What is allowed with what lies in a folder and inherits.
    fn in_folder(&self, folder: &str) -> SiteMask {
        let folder = folder.to_lowercase();
        let around = |own: &str| folder.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let nearest = self.folders.iter().filter(|(own, _)| around(own)).max_by_key(|(own, _)| own.len());
        nearest.map_or(self.mask, |(_, mask)| *mask)
    }

    /// What is not approved is seen by who made it and by those who approve.
    fn shows_bag(&self, bag: &BagRef<'_>) -> bool {
        let mask = self.of_row(bag);
        let number = |key: &PropertyKey| bag.get(key).and_then(|value| value.as_i64());
        let approved = || number(&ROW_MODERATION).is_none_or(|status| status == 0);
        let own = || number(&ROW_AUTHOR).is_some_and(|author| self.site.is_user(author));
        let open = !self.moderated || mask.has(SiteMask::APPROVE_ITEMS) || approved() || own();
        mask.has(SiteMask::VIEW_ITEMS) && open
    }

    /// Whether a row may be seen. A damaged one is: it fails where it is read.
    pub(crate) fn shows(&self, row: &ItemRow) -> bool {
        // A folder leads to rows of everybody.
        let leads = || self.others.unseen && row.flags.has(ItemFlags::FOLDER);
        let shows = |bag: BagRef<'_>| match leads() {
            true => Self { others: Others::default(), ..self.clone() }.shows_bag(&bag),
            false => self.shows_bag(&bag),
        };
        !self.hides_rows() || BagRef::new(&row.bag).map_or(true, shows)
    }
}

impl View {
    /// What the reader may do in a list. Costs nothing for who may do everything; else the row of the list, once a view,
    /// and its folders that do not inherit.
    ///
    /// # Errors
    /// [`EngineError::NoCollection`]; when the store fails.
    pub(crate) async fn list_access(&mut self, id: CollectionId) -> Result<ListAccess, EngineError> {
        if let Some(known) = self.lists.get(&id) {
            return Ok(known.clone());
        }
        if self.site.visitor.is_none() {
            return Ok(ListAccess::all());
        }
        let list = ListCollection::from_row(self.collection(id).await?)?;
        self.access_to(&list).await
    }

    /// The same for a list that was read.
    pub(crate) async fn access_to(&mut self, list: &ListCollection) -> Result<ListAccess, EngineError> {
        if let Some(known) = self.lists.get(&list.id()) {
            return Ok(known.clone());
        }
        let site = self.site.clone();
        let access = load(self, site, list).await?;
        self.lists.insert(list.id(), access.clone());
        Ok(access)
    }
}

/// What somebody may do in a list.
async fn load(view: &mut View, site: SiteAccess, list: &ListCollection) -> Result<ListAccess, EngineError> {
    if site.visitor.is_none() {
        return Ok(ListAccess::all());
    }
    let mut mask = site.of_assignments(list.bag.get(&OWN_ROLES)).unwrap_or_else(|| site.mask());
    // The names of users are for all who open the site; what lies in the recycle bin is shown by who deleted it.
    if list.template() == TEMPLATE_USERS || !list.has_guid() {
        mask = SiteMask(mask.0 | SiteMask::VIEW_ITEMS.0);
    }
    let unique_items = list.has_unique_items();
    let mut folders = Vec::new();
    if unique_items {
        let (mut after, scope) = (None::<Bytes>, SCOPE_UNIQUE + list.id().0);
        loop {
            let page = view.snapshot.names(scope, after.as_deref(), limits::PAGE_ROWS_MAX).await?;
            after = page.rows.last().map(|(name, _)| name.clone());
            let count = page.rows.len();
            // Folders come first.
            let ids: Vec<ItemId> =
                page.rows.iter().take_while(|(name, _)| name.first() == Some(&0)).map(|(_, id)| ItemId(*id)).collect();
            for row in view.snapshot.items(&ids, store::Want::BAG).await?.into_iter().flatten() {
                let bag = Bag::decode(&row.bag)?;
                if let (Some(path), Some(mask)) = (bag.text(&ROW_PATH), site.of_assignments(bag.get(&OWN_ROLES))) {
                    folders.push((path.to_lowercase(), mask));
                }
            }
            if !page.more || ids.len() < count {
                break;
            }
            if folders.len() > UNIQUE_FOLDERS_MAX {
                return Err(EngineError::TooLarge("folders with permissions of their own"));
            }
        }
    }
    let (moderated, others) = (list.is_moderated(), Others::of(list, mask));
    Ok(ListAccess { site, mask, folders: folders.into(), unique_items, moderated, others })
}

/// The name under which a row that does not inherit is kept.
pub(crate) fn unique_name(flags: ItemFlags, item: ItemId) -> Bytes {
    let mut name = vec![u8::from(!flags.has(ItemFlags::FOLDER))];
    name.extend(item.0.to_be_bytes());
    name.into()
}

impl ListCollection {
    /// Whether it has its own assignments of roles.
    pub fn has_own_roles(&self) -> bool {
        self.bag.get(&OWN_ROLES).is_some()
    }

    /// Whether some of its rows have assignments of their own.
    pub fn has_unique_items(&self) -> bool {
        self.bag.get(&UNIQUE_ITEMS).is_some()
    }

    /// Whether the reader may see it.
    pub(crate) fn opens(&self) -> bool {
        self.access.opens()
    }
}

impl Site {
    /// What the caller may do in the site itself.
    pub fn mask(&self) -> SiteMask {
        self.access().mask()
    }

    /// Checks a right to the site itself.
    pub(crate) fn check_site(&self, needed: SiteMask) -> Result<(), EngineError> {
        if self.mask().has(needed) { Ok(()) } else { Err(EngineError::AccessDenied) }
    }

    /// What the caller may do in a list; `view` may be one that shows everything.
    pub(crate) async fn access_in(&self, view: &mut View, list: CollectionId) -> Result<ListAccess, EngineError> {
        if self.access().visitor.is_none() {
            return Ok(ListAccess::all());
        }
        let list = ListCollection::from_row(view.collection(list).await?)?;
        load(view, self.access().clone(), &list).await
    }

    /// Checks a right to a list.
    pub(crate) async fn check_list(
        &self,
        view: &mut View,
        list: CollectionId,
        needed: SiteMask,
    ) -> Result<(), EngineError> {
        let access = self.access_in(view, list).await?;
        if access.mask.has(needed) { Ok(()) } else { Err(EngineError::AccessDenied) }
    }

    /// Checks that a row may be made: its bag says where. Costs nothing for who may do everything.
    pub(crate) async fn check_new_row(&self, list: CollectionId, bag: &Bytes) -> Result<(), EngineError> {
        if self.access().visitor.is_none() {
            return Ok(());
        }
        self.check_row(&mut self.begin_all().await?, (list, ItemId(0)), bag, SiteMask::ADD_ITEMS).await
    }

    /// Checks a right to a row that was read, or is to be made: its bag says where it lies.
    ///
    /// # Errors
    /// [`EngineError::NoItem`] for one that must not be known; [`EngineError::AccessDenied`]; when the store fails.
    pub(crate) async fn check_row(
        &self,
        view: &mut View,
        (list, item): (CollectionId, ItemId),
        bag: &Bytes,
        needed: SiteMask,
    ) -> Result<(), EngineError> {
        if self.access().visitor.is_none() {
            return Ok(());
        }
        let (access, bag) = (self.access_in(view, list).await?, BagRef::new(bag)?);
        let mask = access.of_row(&bag);
        // What is to be made is nobody's yet, and waits for nothing.
        let seen = if item == ItemId(0) { mask.has(SiteMask::VIEW_ITEMS) } else { access.shows_bag(&bag) };
        match seen {
            false if item != ItemId(0) => Err(EngineError::NoItem(item)),
            _ if mask.has(needed) => Ok(()),
            true => Err(EngineError::AccessDenied),
            false => Err(EngineError::AccessDenied),
        }
    }
}
