//! Accounts and sites: the control root.
//!
//! Accounts and sites are items of two collections of the control root; the id of the item is the id of the mailbox's
//! or site's root. Names lead from addresses, mailbox GUIDs and site paths to them. Nothing is cached, so another
//! process's change takes effect on the next request.

use bytes::Bytes;
use model::{Bag, Clock, CollectionId, Guid, ItemId, PropertyKey, Random, RootId, Time, Value, limits, sets, tags};
use store::{
    Commit, Guard, ItemRow, NameTarget, NewItem, NewItemId, RootKind, RootRow, Store, StoreError, Want, Write,
};

use crate::{Caller, Engine, EngineError};

const ACCOUNTS: CollectionId = CollectionId(1);
const SITES: CollectionId = CollectionId(2);
const SETTINGS: CollectionId = CollectionId(3);

const SCOPE_ADDRESSES: u64 = 1;
const SCOPE_MAILBOX_GUIDS: u64 = 2;
const SCOPE_SITE_PATHS: u64 = 3;
const SCOPE_SETTINGS: u64 = 4;
/// See [`crate::lease`].
pub(crate) const SCOPE_LEASES: u64 = 5;

const PASSWORD_HASH: PropertyKey = PropertyKey::Lid(sets::HIGHWATER, 0x20);
const MAILBOX_GUID: PropertyKey = PropertyKey::Lid(sets::HIGHWATER, 0x21);
const SITE_PATH: PropertyKey = PropertyKey::Lid(sets::HIGHWATER, 0x22);
const SITE_OWNER: PropertyKey = PropertyKey::Lid(sets::HIGHWATER, 0x23);
const SITE_ID: PropertyKey = PropertyKey::Lid(sets::HIGHWATER, 0x24);
const SITE_OWNER_ACCOUNT: PropertyKey = PropertyKey::Lid(sets::HIGHWATER, 0x26);
/// Bool: whether the account may act as others.
const IMPERSONATES: PropertyKey = PropertyKey::Lid(sets::HIGHWATER, 0x27);
const TOKEN_SECRET: PropertyKey = PropertyKey::Lid(sets::HIGHWATER, 0x25);

/// Accounts and sites.
#[derive(Clone)]
pub struct Directory {
    engine: Engine,
}

/// An account.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// Who it is when it calls.
    pub caller: Caller,
    /// The password, hashed, in PHC form. Never logged.
    pub password_hash: String,
    /// When it was made.
    pub created: Time,
    /// Whether it may act as any other account.
    pub impersonates: bool,
}

/// An account to be made.
#[derive(Clone)]
pub struct NewAccount {
    /// Its address; kept in lower case.
    pub address: String,
    /// The name shown.
    pub display_name: String,
    /// The password, hashed, in PHC form.
    pub password_hash: String,
}

/// A site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteEntry {
    /// Its root.
    pub root: RootId,
    /// Server-relative path without a slash at the end; empty for the root site.
    pub path: String,
    /// Its title.
    pub title: String,
    /// The address of its owner, who may do everything; `None` for the root site of a fresh store.
    pub owner: Option<String>,
    /// The account of its owner: another account that gets the address later is not the owner.
    pub owner_account: Option<RootId>,
    /// Its id.
    pub guid: Guid,
    /// When it was made.
    pub created: Time,
}

/// A site to be made.
#[derive(Clone, Debug)]
pub struct NewSite {
    /// Server-relative path such as `/sites/team`.
    pub path: String,
    /// Its title.
    pub title: String,
    /// The address of its owner.
    pub owner: Option<String>,
}

/// Sets up the control root of a fresh store, and returns the secret that seals tokens.
pub(crate) async fn prepare(store: &dyn Store, clock: &dyn Clock, random: &dyn Random) -> Result<Vec<u8>, EngineError> {
    for _ in 0..limits::CONFLICT_RETRIES_MAX {
        match store.snapshot(RootId::CONTROL).await {
            Ok(mut snapshot) => {
                let id = snapshot.name(SCOPE_SETTINGS, b"settings").await?.map(ItemId);
                let damaged = || StoreError::Corrupt("the settings are missing".into());
                let ids = [id.ok_or_else(damaged)?];
                let row = snapshot.items(&ids, Want::BAG).await?.pop().flatten().ok_or_else(damaged)?;
                let bag = Bag::decode(&row.bag)?;
                return Ok(bag.get(&TOKEN_SECRET).and_then(Value::as_binary).ok_or_else(damaged)?.to_vec());
            }
            Err(StoreError::NoRoot(_)) => {}
            Err(other) => return Err(other.into()),
        }
        let mut secret = [0; 32];
        random.fill(&mut secret);
        let mut commit = Commit::new(RootId::CONTROL, clock.now());
        commit.create_root = Some((RootKind::Control, random.guid()));
        for _ in [ACCOUNTS, SITES, SETTINGS] {
            commit.writes.push(Write::CreateCollection { parent: None, bag: Bytes::new() });
        }
        let settings = Bag::from_iter([(TOKEN_SECRET, Value::binary(secret.to_vec()))]);
        let site = NewSite { path: String::new(), title: "Home".into(), owner: None };
        for (collection, bag, scope, name) in [
            (SETTINGS, settings, SCOPE_SETTINGS, "settings"),
            (SITES, site_bag(&site, None, random.guid(), clock.now()), SCOPE_SITE_PATHS, ""),
        ] {
            let write = commit.writes.len();
            commit.writes.push(new_item(collection, &bag));
            let name = Bytes::from_static(name.as_bytes());
            commit.writes.push(Write::PutName { scope, name, target: NameTarget::Write(write) });
        }
        match store.commit(commit).await {
            Ok(_) | Err(StoreError::Conflict { .. }) => {}
            Err(other) => return Err(other.into()),
        }
    }
    Err(EngineError::Contended)
}

impl Directory {
    pub(crate) const fn new(engine: Engine) -> Self {
        Self { engine }
    }

    /// Adds an account.
    ///
    /// # Errors
    /// [`EngineError::NameTaken`]; [`EngineError::Invalid`] when the address is none; when the store fails.
    pub async fn add_account(&self, new: NewAccount) -> Result<Account, EngineError> {
        let address = checked_address(&new.address)?;
        let guid = self.engine.random().guid();
        let now = self.engine.now();
        let bag = Bag::from_iter([
            (tags::SMTP_ADDRESS, Value::text(address.clone())),
            (tags::DISPLAY_NAME, Value::text(new.display_name)),
            (tags::CREATION_TIME, Value::Time(now)),
            (PASSWORD_HASH, Value::text(new.password_hash)),
            (MAILBOX_GUID, Value::Guid(guid)),
        ]);
        let name = Bytes::from(address.clone().into_bytes());
        let mut commit = Commit::new(RootId::CONTROL, now);
        commit.guards.push(Guard::NameFree(SCOPE_ADDRESSES, name.clone()));
        commit.writes = vec![
            new_item(ACCOUNTS, &bag),
            Write::PutName { scope: SCOPE_ADDRESSES, name, target: NameTarget::Write(0) },
            Write::PutName {
                scope: SCOPE_MAILBOX_GUIDS,
                name: Bytes::copy_from_slice(&guid.0),
                target: NameTarget::Write(0),
            },
        ];
        self.commit_new(commit).await?;
        self.account(&address).await?.ok_or(EngineError::NoAccount)
    }

    /// The account with this address, in any case.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn account(&self, address: &str) -> Result<Option<Account>, EngineError> {
        let address = address.to_lowercase();
        self.named(SCOPE_ADDRESSES, address.as_bytes()).await?.map(|row| account(&row)).transpose()
    }

    /// The one account whose address has this part before the `@`, in any case; `None` also where several have. Costs
    /// two rows.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn by_local_part(&self, local: &str) -> Result<Option<Account>, EngineError> {
        // Addresses have one `@`, so those with this part before it lie together in the order of names.
        let prefix = format!("{}@", local.to_lowercase());
        let mut snapshot = self.engine.store().snapshot(RootId::CONTROL).await?;
        let page = snapshot.names(SCOPE_ADDRESSES, Some(prefix.as_bytes()), 2).await?;
        let mut ids = page.rows.iter().filter(|(name, _)| name.starts_with(prefix.as_bytes())).map(|(_, id)| *id);
        let (Some(id), None) = (ids.next(), ids.next()) else { return Ok(None) };
        let row = snapshot.items(&[ItemId(id)], Want::BAG).await?.pop().flatten();
        row.map(|row| account(&row)).transpose()
    }

    /// All accounts in the order of their making.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn accounts(&self) -> Result<Vec<Account>, EngineError> {
        self.rows(ACCOUNTS).await?.iter().map(account).collect()
    }

    /// Whether there is any account. Costs a row.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn has_accounts(&self) -> Result<bool, EngineError> {
        let mut snapshot = self.engine.store().snapshot(RootId::CONTROL).await?;
        Ok(!snapshot.list(ACCOUNTS, None, 1, Want::HOT).await?.rows.is_empty())
    }

    /// Gives an account another password.
    ///
    /// # Errors
    /// [`EngineError::NoAccount`]; when the store fails.
    pub async fn set_password(&self, address: &str, password_hash: &str) -> Result<(), EngineError> {
        self.change_account(address, &|bag| bag.set(PASSWORD_HASH, Value::text(password_hash))).await
    }

    /// Grants an account the right to act as any other, or takes it away.
    ///
    /// # Errors
    /// [`EngineError::NoAccount`]; when the store fails.
    pub async fn set_impersonation(&self, address: &str, granted: bool) -> Result<(), EngineError> {
        self.change_account(address, &|bag| bag.put(IMPERSONATES, granted.then_some(Value::Bool(true)))).await
    }

    /// The account with `address`, for `caller` to act as. Oneself needs no right. Whether there is such an account is
    /// told only to those who may.
    ///
    /// # Errors
    /// [`EngineError::AccessDenied`]; [`EngineError::NoMailbox`]; when the store fails.
    pub async fn impersonate(&self, caller: &Caller, address: &str) -> Result<Caller, EngineError> {
        if address.eq_ignore_ascii_case(&caller.address) {
            return Ok(caller.clone());
        }
        let own = self.account(&caller.address).await?;
        if !own.is_some_and(|own| own.caller.account == caller.account && own.impersonates) {
            return Err(EngineError::AccessDenied);
        }
        self.by_address(address).await?.ok_or(EngineError::NoMailbox { guid: None })
    }

    async fn change_account(&self, address: &str, change: &(dyn Fn(&mut Bag) + Sync)) -> Result<(), EngineError> {
        for _ in 0..limits::CONFLICT_RETRIES_MAX {
            let row = self.named(SCOPE_ADDRESSES, address.to_lowercase().as_bytes()).await?;
            let row = row.ok_or(EngineError::NoAccount)?;
            let mut bag = Bag::decode(&row.bag)?;
            change(&mut bag);
            let mut commit = Commit::new(RootId::CONTROL, self.engine.now());
            commit.guards.push(Guard::ItemAt(row.item, row.seq));
            commit.writes.push(Write::UpdateItem(store::ItemChange {
                item: row.item,
                flags: None,
                bag: Some(bag.to_bytes()),
                parts: Vec::new(),
                content: true,
            }));
            match self.engine.store().commit(commit).await {
                Ok(_) => return Ok(()),
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(EngineError::Contended)
    }

    /// Removes an account and its mailbox.
    ///
    /// # Errors
    /// [`EngineError::NoAccount`]; when the store fails.
    pub async fn remove_account(&self, address: &str) -> Result<(), EngineError> {
        let account = self.account(address).await?.ok_or(EngineError::NoAccount)?;
        let names = [
            (SCOPE_ADDRESSES, Bytes::from(account.caller.address.clone().into_bytes())),
            (SCOPE_MAILBOX_GUIDS, Bytes::copy_from_slice(&account.caller.mailbox_guid.0)),
        ];
        self.remove(account.caller.account, names, EngineError::NoAccount).await
    }

    /// Who has this address.
    pub(crate) async fn by_address(&self, address: &str) -> Result<Option<Caller>, EngineError> {
        Ok(self.account(address).await?.map(|account| account.caller))
    }

    /// Who has this account.
    pub(crate) async fn by_account(&self, id: RootId) -> Result<Option<Caller>, EngineError> {
        let mut snapshot = self.engine.store().snapshot(RootId::CONTROL).await?;
        let row = snapshot.items(&[ItemId(id.0)], Want::BAG).await?.pop().flatten();
        let row = row.filter(|row| row.collection == ACCOUNTS);
        Ok(row.map(|row| account(&row)).transpose()?.map(|account| account.caller))
    }

    /// Whose mailbox has this GUID.
    pub(crate) async fn by_mailbox_guid(&self, guid: Guid) -> Result<Option<Caller>, EngineError> {
        let row = self.named(SCOPE_MAILBOX_GUIDS, &guid.0).await?;
        Ok(row.map(|row| account(&row)).transpose()?.map(|account| account.caller))
    }

    /// Adds a site.
    ///
    /// # Errors
    /// [`EngineError::NameTaken`]; [`EngineError::Invalid`] when the path is none; [`EngineError::NoAccount`] when the
    /// owner is unknown; when the store fails.
    pub async fn add_site(&self, mut new: NewSite) -> Result<SiteEntry, EngineError> {
        new.path = checked_path(&new.path)?;
        let mut owner_account = None;
        if let Some(owner) = &mut new.owner {
            let caller = self.account(owner).await?.ok_or(EngineError::NoAccount)?.caller;
            (*owner, owner_account) = (caller.address, Some(caller.account));
        }
        let now = self.engine.now();
        let name = Bytes::from(new.path.to_lowercase().into_bytes());
        let mut commit = Commit::new(RootId::CONTROL, now);
        commit.guards.push(Guard::NameFree(SCOPE_SITE_PATHS, name.clone()));
        commit.writes = vec![
            new_item(SITES, &site_bag(&new, owner_account, self.engine.random().guid(), now)),
            Write::PutName { scope: SCOPE_SITE_PATHS, name, target: NameTarget::Write(0) },
        ];
        self.commit_new(commit).await?;
        self.site(&new.path).await?.ok_or(EngineError::NoSite)
    }

    /// The site with this path, in any case; `/` and the empty path are the root site.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn site(&self, path: &str) -> Result<Option<SiteEntry>, EngineError> {
        let path = path.trim_end_matches('/').to_lowercase();
        self.named(SCOPE_SITE_PATHS, path.as_bytes()).await?.map(|row| site(&row)).transpose()
    }

    /// All sites in the order of their making.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sites(&self) -> Result<Vec<SiteEntry>, EngineError> {
        self.rows(SITES).await?.iter().map(site).collect()
    }

    /// Removes a site with its lists. The root site stays.
    ///
    /// # Errors
    /// [`EngineError::NoSite`]; when the store fails.
    pub async fn remove_site(&self, path: &str) -> Result<(), EngineError> {
        let entry = self.site(path).await?.filter(|entry| !entry.path.is_empty()).ok_or(EngineError::NoSite)?;
        let name = Bytes::from(entry.path.to_lowercase().into_bytes());
        self.remove(entry.root, [(SCOPE_SITE_PATHS, name)], EngineError::NoSite).await
    }

    /// Removes an account or site; `gone` is the answer where somebody else has.
    async fn remove(
        &self,
        root: RootId,
        names: impl IntoIterator<Item = (u64, Bytes)>,
        gone: EngineError,
    ) -> Result<(), EngineError> {
        let mut commit = Commit::new(RootId::CONTROL, self.engine.now());
        commit.writes = names.into_iter().map(|(scope, name)| Write::DropName { scope, name }).collect();
        commit.writes.push(Write::DeleteItem { item: ItemId(root.0), note: Bytes::new() });
        match self.engine.store().commit(commit).await {
            Err(StoreError::NoItem(_)) => return Err(gone),
            other => other?,
        };
        // Should it end here, retention finds the root without an owner.
        Ok(self.engine.store().drop_root(root).await?)
    }

    /// Which of these roots belong to no account and no site. An account stands before its root does, so that it is seen
    /// when it is looked for after the root was.
    pub(crate) async fn ownerless(&self, roots: &[RootRow]) -> Result<Vec<RootId>, EngineError> {
        let mut snapshot = self.engine.store().snapshot(RootId::CONTROL).await?;
        // Ids of roots are positions here. One that lies ahead is of a later history than this one, which must be an
        // older copy that was put back; what it does not know is not to be thrown away.
        let last_seq = snapshot.root().last_seq;
        let ids: Vec<ItemId> = roots
            .iter()
            .filter(|row| row.kind != RootKind::Control && row.root.0 <= last_seq.0)
            .map(|row| ItemId(row.root.0))
            .collect();
        let mut ownerless = Vec::new();
        for chunk in ids.chunks(limits::PAGE_ROWS_MAX) {
            let found = snapshot.items(chunk, Want::HOT).await?;
            ownerless.extend(chunk.iter().zip(found).filter(|(_, row)| row.is_none()).map(|(id, _)| RootId(id.0)));
        }
        Ok(ownerless)
    }

    async fn commit_new(&self, commit: Commit) -> Result<(), EngineError> {
        match self.engine.store().commit(commit).await {
            Ok(_) => Ok(()),
            Err(StoreError::Conflict { .. }) => Err(EngineError::NameTaken),
            Err(other) => Err(other.into()),
        }
    }

    async fn named(&self, scope: u64, name: &[u8]) -> Result<Option<ItemRow>, EngineError> {
        let mut snapshot = self.engine.store().snapshot(RootId::CONTROL).await?;
        let Some(id) = snapshot.name(scope, name).await? else { return Ok(None) };
        Ok(snapshot.items(&[ItemId(id)], Want::BAG).await?.pop().flatten())
    }

    async fn rows(&self, collection: CollectionId) -> Result<Vec<ItemRow>, EngineError> {
        let mut snapshot = self.engine.store().snapshot(RootId::CONTROL).await?;
        let mut rows: Vec<ItemRow> = Vec::new();
        loop {
            let after = rows.last().map(|row| row.item);
            let page = snapshot.list(collection, after, limits::PAGE_ROWS_MAX, Want::BAG).await?;
            rows.extend(page.rows);
            if !page.more {
                return Ok(rows);
            }
        }
    }
}

fn new_item(collection: CollectionId, bag: &Bag) -> Write {
    Write::CreateItem(NewItem {
        collection: collection.into(),
        id: NewItemId::Seq,
        flags: model::ItemFlags::default(),
        bag: bag.to_bytes(),
        parts: Vec::new(),
    })
}

fn site_bag(new: &NewSite, owner_account: Option<RootId>, guid: Guid, now: Time) -> Bag {
    let mut bag = Bag::from_iter([
        (SITE_PATH, Value::text(new.path.clone())),
        (tags::DISPLAY_NAME, Value::text(new.title.clone())),
        (tags::CREATION_TIME, Value::Time(now)),
        (SITE_ID, Value::Guid(guid)),
    ]);
    bag.put(SITE_OWNER, new.owner.clone().map(Value::Text));
    bag.put(SITE_OWNER_ACCOUNT, owner_account.map(|account| Value::I64(account.to_i64())));
    bag
}

fn account(row: &ItemRow) -> Result<Account, EngineError> {
    let bag = Bag::decode(&row.bag)?;
    let text = |key| bag.text(&key).unwrap_or_default().to_owned();
    Ok(Account {
        caller: Caller {
            account: RootId(row.item.0),
            mailbox_guid: bag.get(&MAILBOX_GUID).and_then(Value::as_guid).unwrap_or_default(),
            address: text(tags::SMTP_ADDRESS),
            display_name: text(tags::DISPLAY_NAME),
        },
        password_hash: text(PASSWORD_HASH),
        created: bag.get(&tags::CREATION_TIME).and_then(Value::as_time).unwrap_or_default(),
        impersonates: bag.get(&IMPERSONATES).and_then(Value::as_bool) == Some(true),
    })
}

fn site(row: &ItemRow) -> Result<SiteEntry, EngineError> {
    let bag = Bag::decode(&row.bag)?;
    Ok(SiteEntry {
        root: RootId(row.item.0),
        path: bag.text(&SITE_PATH).unwrap_or_default().to_owned(),
        title: bag.text(&tags::DISPLAY_NAME).unwrap_or_default().to_owned(),
        owner: bag.text(&SITE_OWNER).map(str::to_owned),
        owner_account: bag.get(&SITE_OWNER_ACCOUNT).and_then(Value::as_i64).map(RootId::from_i64),
        guid: bag.get(&SITE_ID).and_then(Value::as_guid).unwrap_or_default(),
        created: bag.get(&tags::CREATION_TIME).and_then(Value::as_time).unwrap_or_default(),
    })
}

fn checked_address(address: &str) -> Result<String, EngineError> {
    let invalid = EngineError::Invalid("an account needs an address such as user@example.com");
    let address = address.trim().to_lowercase();
    let Some((user, domain)) = address.split_once('@') else { return Err(invalid) };
    let plain =
        |text: &str| !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || "@\\/<>\",;:".contains(c));
    if plain(user) && plain(domain) && address.len() <= limits::NAME_CHARS_MAX { Ok(address) } else { Err(invalid) }
}

fn checked_path(path: &str) -> Result<String, EngineError> {
    let invalid = EngineError::Invalid("a site needs a path such as /sites/team");
    let path = path.trim_end_matches('/');
    let Some(rest) = path.strip_prefix('/') else { return Err(invalid) };
    let plain = |segment: &str| {
        !segment.is_empty()
            && !segment.starts_with(['_', '.'])
            && segment.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' '))
    };
    if rest.split('/').all(plain) && path.len() <= limits::NAME_CHARS_MAX { Ok(path.to_owned()) } else { Err(invalid) }
}
