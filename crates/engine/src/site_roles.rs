//! Assigning roles: for a site, its lists and their rows. What follows from them is decided in [`crate::site_rights`].

use bytes::Bytes;
use model::{Bag, CollectionId, ItemFlags, ItemId, Value, limits};
use store::{Commit, Guard, ItemChange, ItemRow, NameTarget, StoreError, Write};

use crate::list_keys::{ROW_FOLDER, ROW_PATH};
use crate::row::rows_where;
use crate::site_rights::{
    ASSIGNMENTS_MAX, Assignments, EVERYONE, FULL_CONTROL, GROUPS, LIMITED, OWN_ROLES, SCOPE_UNIQUE, SITE_GROUPS,
    SITE_ROLES, SiteAccess, SiteMask, UNIQUE_ITEMS, pairs, role, site_assignments, unique_name,
};
use crate::{EngineError, ListCollection, Site, View};

/// Whose assignments are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleScope {
    /// Those of the site.
    Site,
    /// Those of a list.
    List(CollectionId),
    /// Those of a row.
    Row(ItemId),
}

/// The assignments that hold for a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleState {
    /// Whether they are its own. Those of the site always are.
    pub own: bool,
    /// Them.
    pub assignments: Assignments,
}

/// A scope with what is around it, as it was read.
struct Found {
    users: ListCollection,
    list: Option<ListCollection>,
    row: Option<(ItemRow, Bag)>,
}

impl Site {
    /// The assignments of a scope: its own, or those that it inherits.
    ///
    /// # Errors
    /// [`EngineError::NoCollection`], [`EngineError::NoItem`]; [`EngineError::AccessDenied`] for who may not assign roles
    /// there; when the store fails.
    pub async fn roles(&self, scope: RoleScope) -> Result<RoleState, EngineError> {
        let mut view = self.begin_all().await?;
        let found = self.find_scope(&mut view, scope, SiteMask::MANAGE_PERMISSIONS).await?;
        found.state(&mut view).await
    }

    /// Whether a scope has its own assignments.
    ///
    /// # Errors
    /// [`EngineError::NoCollection`], [`EngineError::NoItem`] also for what may not be seen; when the store fails.
    pub async fn has_own_roles(&self, scope: RoleScope) -> Result<bool, EngineError> {
        let mut view = self.begin_all().await?;
        let found = self.find_scope(&mut view, scope, SiteMask::default()).await?;
        Ok(found.own().is_some())
    }

    /// What a user may do in a scope.
    ///
    /// # Errors
    /// As [`Self::roles`].
    pub async fn mask_of(&self, scope: RoleScope, user: u32) -> Result<SiteMask, EngineError> {
        let mut view = self.begin_all().await?;
        let needed = if user == self.user_id() { SiteMask::default() } else { SiteMask::MANAGE_PERMISSIONS };
        let found = self.find_scope(&mut view, scope, needed).await?;
        let owner = match &self.entry().owner {
            Some(address) => view.user_by_login(address).await?,
            None => Some(user),
        };
        if owner == Some(user) {
            return Ok(SiteMask::FULL);
        }
        let access = SiteAccess::of_user(user, &found.users.bag);
        let mut view = self.begin_all().await?.seen_by(access.clone());
        Ok(match (&found.list, &found.row) {
            (Some(list), Some((row, _))) => view.access_to(list).await?.of_row(&model::BagRef::new(&row.bag)?),
            (Some(list), None) => view.access_to(list).await?.mask(),
            (None, _) => access.mask(),
        })
    }

    /// Gives a list or row assignments of its own: a copy of what it inherits, or the caller as owner alone. With
    /// `clear_below` what lies in it and has its own inherits from now on. Nothing happens where it has its own.
    ///
    /// # Errors
    /// As [`Self::roles`]; [`EngineError::Invalid`] for the site and the user list; [`EngineError::TooLarge`] for a folder
    /// with more rows than a commit takes.
    pub async fn break_inheritance(&self, scope: RoleScope, copy: bool, clear_below: bool) -> Result<(), EngineError> {
        let own = Assignments(vec![(self.user_id(), FULL_CONTROL)]);
        self.change_roles(scope, clear_below, &|state| match (state.own, copy) {
            (true, _) => Ok(Some(state.assignments.clone())),
            (false, true) => Ok(Some(state.assignments.clone())),
            (false, false) => Ok(Some(own.clone())),
        })
        .await
    }

    /// Takes a list's or row's own assignments away: it inherits from now on. Nothing happens where it does.
    ///
    /// # Errors
    /// As [`Self::break_inheritance`].
    pub async fn reset_inheritance(&self, scope: RoleScope) -> Result<(), EngineError> {
        self.change_roles(scope, false, &|_| Ok(None)).await
    }

    /// Assigns a role to a user, a group or everybody. Who could not open the site or the list around it can from then on.
    ///
    /// # Errors
    /// As [`Self::roles`]; [`EngineError::NoAccount`] for no such user or group; [`EngineError::Invalid`] for no such role,
    /// and for a scope that inherits; [`EngineError::TooLarge`] for too many assignments.
    pub async fn add_role(&self, scope: RoleScope, principal: u32, id: u32) -> Result<(), EngineError> {
        if role(id).is_none() {
            return Err(EngineError::Invalid("there is no such role"));
        }
        self.check_principal(principal).await?;
        self.change_roles(scope, false, &|state| {
            let mut all = own_of(state)?;
            if !all.0.contains(&(principal, id)) {
                all.0.push((principal, id));
            }
            if all.0.len() > ASSIGNMENTS_MAX { Err(EngineError::TooLarge("assignments")) } else { Ok(Some(all)) }
        })
        .await
    }

    /// Takes a role from a user or group, or all of its roles.
    ///
    /// # Errors
    /// As [`Self::add_role`].
    pub async fn remove_role(&self, scope: RoleScope, principal: u32, id: Option<u32>) -> Result<(), EngineError> {
        self.change_roles(scope, false, &|state| {
            let mut all = own_of(state)?;
            all.0.retain(|(own, role)| *own != principal || id.is_some_and(|id| id != *role));
            Ok(Some(all))
        })
        .await
    }

    /// The users in a group.
    ///
    /// # Errors
    /// [`EngineError::NoAccount`] for no such group; when the store fails.
    pub async fn members(&self, group: u32) -> Result<Vec<u32>, EngineError> {
        if !GROUPS.iter().any(|known| known.id == group) {
            return Err(EngineError::NoAccount);
        }
        let users = self.user_list().await?;
        Ok(groups_of(&users.bag).into_iter().filter(|(own, _)| *own == group).map(|(_, user)| user).collect())
    }

    /// Puts a user into a group, or takes it out.
    ///
    /// # Errors
    /// [`EngineError::NoAccount`] for no such group or user; [`EngineError::AccessDenied`]; when the store fails.
    pub async fn set_member(&self, group: u32, user: u32, member: bool) -> Result<(), EngineError> {
        self.check_site(SiteMask::MANAGE_PERMISSIONS)?;
        if !GROUPS.iter().any(|known| known.id == group) || user >= EVERYONE {
            return Err(EngineError::NoAccount);
        }
        self.check_principal(user).await?;
        for _ in 0..limits::CONFLICT_RETRIES_MAX {
            let users = self.user_list().await?;
            let mut all = groups_of(&users.bag);
            all.retain(|one| *one != (group, user));
            if member {
                all.push((group, user));
            }
            if all.len() > ASSIGNMENTS_MAX {
                return Err(EngineError::TooLarge("members of groups"));
            }
            let lines = all.iter().map(|(group, user)| format!("{group} {user}")).collect();
            let mut bag = users.bag.clone();
            bag.set(SITE_GROUPS, Value::Texts(lines));
            let mut commit = Commit::new(self.root(), self.engine().now());
            push_list(&mut commit, &users, bag);
            match self.engine().store().commit(commit).await {
                Ok(_) => return Ok(()),
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(EngineError::Contended)
    }

    async fn check_principal(&self, principal: u32) -> Result<(), EngineError> {
        if principal == EVERYONE || GROUPS.iter().any(|group| group.id == principal) {
            return Ok(());
        }
        let users = self.user_list().await?.id();
        let row = self.begin_all().await?.item(ItemId::in_list(users, principal)).await;
        row.map(drop).map_err(|error| if let EngineError::NoItem(_) = error { EngineError::NoAccount } else { error })
    }

    /// Reads a scope and checks a right to it.
    async fn find_scope(&self, view: &mut View, scope: RoleScope, needed: SiteMask) -> Result<Found, EngineError> {
        let users = view.list(self.user_list().await?.id()).await?;
        let (list, row) = match scope {
            RoleScope::Site => {
                self.check_site(needed)?;
                (None, None)
            }
            RoleScope::List(id) => {
                let list = view.list(id).await?;
                self.check_list(view, id, needed).await?;
                (Some(list), None)
            }
            RoleScope::Row(id) => {
                let row = view.item(id).await?;
                let list = view.list(row.collection).await?;
                let seen = SiteMask(needed.0 | SiteMask::VIEW_ITEMS.0);
                self.check_row(view, (row.collection, id), &row.bag, seen).await?;
                let bag = Bag::decode(&row.bag)?;
                (Some(list), Some((row, bag)))
            }
        };
        Ok(Found { users, list, row })
    }

    /// Writes the assignments that `change` makes of those there are; `None` to inherit.
    async fn change_roles(
        &self,
        scope: RoleScope,
        clear_below: bool,
        change: &(dyn Fn(&RoleState) -> Result<Option<Assignments>, EngineError> + Sync),
    ) -> Result<(), EngineError> {
        for _ in 0..limits::CONFLICT_RETRIES_MAX {
            let mut view = self.begin_all().await?;
            let found = self.find_scope(&mut view, scope, SiteMask::MANAGE_PERMISSIONS).await?;
            let state = found.state(&mut view).await?;
            let new = change(&state)?;
            let (fixed, is_users) = (found.list.is_none(), found.list.as_ref().map(|list| list.id()));
            if (fixed && new.is_none()) || is_users == Some(found.users.id()) {
                return Err(EngineError::Invalid("this always has permissions of its own"));
            }
            if state.own == new.is_some() && new.as_ref().is_none_or(|new| *new == state.assignments) && !clear_below {
                return Ok(());
            }
            let mut commit = Commit::new(self.root(), self.engine().now());
            let mut users = found.users.bag.clone();
            if let (Some(new), false) = (&new, fixed) {
                lead_to(&mut users, SITE_ROLES, Some(site_assignments(&found.users.bag)), new);
            }
            match (&found.list, &found.row) {
                (None, _) => users.put(SITE_ROLES, new.as_ref().map(Assignments::to_value)),
                (Some(list), None) => {
                    let mut bag = list.bag.clone();
                    bag.put(OWN_ROLES, new.as_ref().map(Assignments::to_value));
                    if clear_below {
                        self.push_clear(&mut view, &mut commit, list, None).await?;
                        bag.remove(&UNIQUE_ITEMS);
                    }
                    push_list(&mut commit, list, bag);
                }
                (Some(list), Some((row, row_bag))) => {
                    let mut bag = list.bag.clone();
                    if let Some(new) = &new {
                        let own = Assignments::read(list.bag.get(&OWN_ROLES));
                        lead_to(&mut bag, OWN_ROLES, own, new);
                        bag.set(UNIQUE_ITEMS, Value::Bool(true));
                    }
                    if bag != list.bag {
                        push_list(&mut commit, list, bag);
                    }
                    self.push_row(&mut view, &mut commit, (row, row_bag), new.as_ref(), clear_below).await?;
                }
            }
            if users != found.users.bag {
                push_list(&mut commit, &found.users, users);
            }
            drop(view);
            match self.commit_rows(commit).await {
                Ok(_) => return Ok(()),
                Err(StoreError::Conflict { .. }) => {}
                Err(StoreError::TooLarge(_)) => return Err(EngineError::TooLarge("folder")),
                Err(other) => return Err(other.into()),
            }
        }
        Err(EngineError::Contended)
    }

    /// Writes a row's own assignments. What inherits from it gets a new position, so that those who synchronise look at it
    /// again.
    async fn push_row(
        &self,
        view: &mut View,
        commit: &mut Commit,
        (row, bag): (&ItemRow, &Bag),
        new: Option<&Assignments>,
        clear_below: bool,
    ) -> Result<(), EngineError> {
        let scope = SCOPE_UNIQUE + row.collection.0;
        let mut changed = bag.clone();
        changed.put(OWN_ROLES, new.map(Assignments::to_value));
        commit.guards.push(Guard::ItemAt(row.item, row.seq));
        commit.writes.push(match new {
            Some(_) => {
                Write::PutName { scope, name: unique_name(row.flags, row.item), target: NameTarget::Id(row.item.0) }
            }
            None => Write::DropName { scope, name: unique_name(row.flags, row.item) },
        });
        commit.writes.push(content(row.item, Some(changed.to_bytes())));
        if row.flags.has(ItemFlags::FOLDER) {
            let list = view.list(row.collection).await?;
            self.push_clear(view, commit, &list, Some((bag.text(&ROW_PATH).unwrap_or_default(), clear_below))).await?;
        }
        Ok(())
    }

    /// Takes their own assignments from the rows of a list, or of a folder where that is asked for; the other rows of the
    /// folder are only touched.
    async fn push_clear(
        &self,
        view: &mut View,
        commit: &mut Commit,
        list: &ListCollection,
        folder: Option<(&str, bool)>,
    ) -> Result<(), EngineError> {
        let clear = folder.is_none_or(|(_, clear)| clear);
        let prefix = folder.map(|(path, _)| path.to_lowercase());
        let inside = |path: &str| {
            let path = path.to_lowercase();
            prefix.as_deref().is_none_or(|prefix| {
                path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        };
        let takes = |_: &ItemRow, bag: &Bag| {
            let place = match bag.text(&ROW_PATH) {
                Some(path) => path.rsplit_once('/').map_or("", |(directory, _)| directory),
                None => bag.text(&ROW_FOLDER).unwrap_or_default(),
            };
            let own = bag.get(&OWN_ROLES).is_some();
            (own && clear || !own && prefix.is_some()) && inside(place)
        };
        if list.row.items > 0 {
            commit.guards.push(Guard::CollectionItemsAt(list.id(), list.row.items_seq));
        }
        for (row, mut bag) in rows_where(view, list.id(), &takes).await? {
            let own = bag.remove(&OWN_ROLES).is_some();
            if own {
                let (scope, name) = (SCOPE_UNIQUE + list.id().0, unique_name(row.flags, row.item));
                commit.writes.push(Write::DropName { scope, name });
            }
            commit.writes.push(content(row.item, own.then(|| bag.to_bytes())));
            if commit.writes.len() > limits::COMMIT_WRITES_MAX {
                return Err(EngineError::TooLarge("folder"));
            }
        }
        Ok(())
    }
}

impl Found {
    /// Its own assignments, where it has them.
    fn own(&self) -> Option<Assignments> {
        match (&self.list, &self.row) {
            (None, _) => Some(site_assignments(&self.users.bag)),
            (Some(list), None) => Assignments::read(list.bag.get(&OWN_ROLES)),
            (Some(_), Some((_, bag))) => Assignments::read(bag.get(&OWN_ROLES)),
        }
    }

    async fn state(&self, view: &mut View) -> Result<RoleState, EngineError> {
        if let Some(assignments) = self.own() {
            return Ok(RoleState { own: true, assignments });
        }
        let of_list = self.list.as_ref().and_then(|list| Assignments::read(list.bag.get(&OWN_ROLES)));
        let mut assignments = of_list.unwrap_or_else(|| site_assignments(&self.users.bag));
        if let Some((row, bag)) = &self.row {
            // The nearest folder around it that has its own.
            let place = bag.text(&ROW_PATH).and_then(|path| path.rsplit_once('/')).map(|(directory, _)| directory);
            let mut folder = place.or_else(|| bag.text(&ROW_FOLDER)).unwrap_or_default();
            while !folder.is_empty() {
                if let Some(around) = view.row_at(row.collection, folder).await?
                    && let Some(own) = Assignments::read(Bag::decode(&around.bag)?.get(&OWN_ROLES))
                {
                    assignments = own;
                    break;
                }
                folder = folder.rsplit_once('/').map_or("", |(around, _)| around);
            }
        }
        Ok(RoleState { own: false, assignments })
    }
}

/// Those of a scope that has its own.
fn own_of(state: &RoleState) -> Result<Assignments, EngineError> {
    if state.own { Ok(state.assignments.clone()) } else { Err(EngineError::Invalid("the permissions are inherited")) }
}

/// Gives everybody who has a role further down the way there, where the assignments above are kept and lack it.
fn lead_to(bag: &mut Bag, key: model::PropertyKey, above: Option<Assignments>, below: &Assignments) {
    let Some(mut above) = above else { return };
    let open_to_all = above.0.iter().any(|(principal, _)| *principal == EVERYONE);
    let before = above.0.len();
    for (principal, _) in &below.0 {
        if !open_to_all && !above.0.iter().any(|(own, _)| own == principal) {
            above.0.push((*principal, LIMITED));
        }
    }
    if above.0.len() > before {
        bag.set(key, above.to_value());
    }
}

impl ListCollection {
    /// Of the user list: who is in which group of the site, as (group, user).
    pub fn group_members(&self) -> Vec<(u32, u32)> {
        groups_of(&self.bag)
    }
}

fn groups_of(users: &Bag) -> Vec<(u32, u32)> {
    match users.get(&SITE_GROUPS) {
        Some(Value::Texts(lines)) => pairs(lines),
        _ => Vec::new(),
    }
}

/// Changes the bag of a list; its schema version stays.
fn push_list(commit: &mut Commit, list: &ListCollection, bag: Bag) {
    commit.guards.push(Guard::CollectionAt(list.id(), list.row.seq));
    commit.writes.push(Write::UpdateCollection { collection: list.id(), bag: Some(bag.to_bytes()), parent: None });
}

/// Changes a row without a new version, or only its position.
fn content(item: ItemId, bag: Option<Bytes>) -> Write {
    Write::UpdateItem(ItemChange { item, flags: None, bag, parts: Vec::new(), content: true })
}
