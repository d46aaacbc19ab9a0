//! Who is calling: Basic authentication against the accounts of the directory.
//!
//! Every answer but success takes the same work: an unknown user costs a verification too. A verified pair is
//! remembered shortly under a keyed digest that covers the stored hash, so that a changed password counts at once.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use base64::Engine as _;
use engine::{Account, Caller, Directory, Engine, EngineError};
use hmac::{Hmac, Mac};
use http::{HeaderMap, header::AUTHORIZATION};
use model::Time;
use sha2::Sha256;

use crate::password;

/// The challenge. Only Basic is offered: clients that see another scheme too prefer it.
pub(crate) const CHALLENGE: &str = "Basic realm=\"Highwater\", charset=\"UTF-8\"";

/// How long the domains of the accounts are remembered.
const DOMAINS_SECONDS: i64 = 1;
/// Domains that begin with the same label and are tried for one name.
const LABELLED_MAX: usize = 16;
/// Bytes of an Authorization header.
const HEADER_BYTES_MAX: usize = 8_192;

type Digest = [u8; 32];

/// Authenticates requests. Shared by all.
pub(crate) struct Auth {
    engine: Engine,
    key: [u8; 64],
    /// Verified against when the user is unknown.
    nobody: String,
    remember_seconds: i64,
    verified: Mutex<Verified>,
    domains: Mutex<Option<(Arc<BTreeSet<String>>, Time)>>,
}

/// Pairs that were verified, each with the time until which that is good. The latest are kept, in two halves: when one is
/// full the other is forgotten, so that nothing is ever searched for what may go.
struct Verified {
    half_max: usize,
    young: HashMap<Digest, Time>,
    old: HashMap<Digest, Time>,
}

impl Verified {
    fn remembers(&self, digest: &Digest, now: Time) -> bool {
        self.young.get(digest).or_else(|| self.old.get(digest)).is_some_and(|until| now < *until)
    }

    fn remember(&mut self, digest: Digest, until: Time) {
        if self.young.len() >= self.half_max {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(digest, until);
    }
}

/// What headers prove.
pub(crate) enum Login {
    /// There are no credentials that can be read.
    Nobody,
    /// They have been verified a short while ago.
    Known(Caller),
    /// They have to be verified.
    Verify(Claim),
}

/// A password that somebody claims to be that of an account, or of one that there is not.
pub(crate) struct Claim {
    account: Option<Account>,
    password: String,
}

/// A user name and a password as they came.
#[derive(PartialEq, Eq)]
pub(crate) struct Credentials {
    user: String,
    password: String,
}

/// A user name, read.
#[derive(Debug, PartialEq, Eq)]
struct UserName<'a> {
    local: &'a str,
    /// Behind an at sign, or before a backslash.
    domain: Option<&'a str>,
    is_address: bool,
}

impl Auth {
    /// Remembers up to `remembered_max` logins for `remember_seconds`; 0 seconds for none.
    pub(crate) fn new(
        engine: Engine,
        remember_seconds: u64,
        remembered_max: u64,
    ) -> Result<Self, password::PasswordError> {
        let half_max = usize::try_from(remembered_max.div_ceil(2)).unwrap_or(usize::MAX);
        let mut key = [0; 64];
        engine.random().fill(&mut key);
        let nobody = password::hash_of_nobody(engine.random())?;
        Ok(Self {
            engine,
            key,
            nobody,
            remember_seconds: i64::try_from(remember_seconds).unwrap_or(i64::MAX),
            verified: Mutex::new(Verified { half_max, young: HashMap::new(), old: HashMap::new() }),
            domains: Mutex::default(),
        })
    }

    /// What these headers prove without verifying a password. Reads the store.
    pub(crate) async fn look_up(&self, headers: &HeaderMap) -> Result<Login, EngineError> {
        let Some(credentials) = Credentials::read(headers) else { return Ok(Login::Nobody) };
        let Some(account) = self.account(&UserName::read(&credentials.user)).await? else {
            return Ok(Login::Verify(Claim { account: None, password: credentials.password }));
        };
        if self.is_remembered(&self.digest(&account, &credentials.password)) {
            return Ok(Login::Known(account.caller));
        }
        Ok(Login::Verify(Claim { account: Some(account), password: credentials.password }))
    }

    /// Verifies a password, and remembers it for a while when it is right. Takes tens of milliseconds and 19 MiB.
    pub(crate) fn verify(&self, claim: Claim) -> Option<Caller> {
        let hash = claim.account.as_ref().map_or(&self.nobody, |account| &account.password_hash);
        let right = password::verify(&claim.password, hash);
        let account = claim.account.filter(|_| right)?;
        self.remember(self.digest(&account, &claim.password));
        Some(account.caller)
    }

    async fn account(&self, name: &UserName<'_>) -> Result<Option<Account>, EngineError> {
        let directory = self.engine.directory();
        if let Some(domain) = name.domain {
            let account = directory.account(&format!("{}@{domain}", name.local)).await?;
            if account.is_some() || name.is_address {
                return Ok(account);
            }
        }
        match (directory.by_local_part(name.local).await?, name.domain) {
            (None, Some(label)) => self.in_labelled_domain(&directory, name.local, label).await,
            (found, _) => Ok(found),
        }
    }

    /// The account that `CONTOSO\user` means where several domains have that user: the one in the domain whose first
    /// label is named. The domains there are come from all accounts, so they are read seldom.
    async fn in_labelled_domain(
        &self,
        directory: &Directory,
        local: &str,
        label: &str,
    ) -> Result<Option<Account>, EngineError> {
        let now = self.engine.clock().now();
        let known = lock(&self.domains).as_ref().filter(|(_, until)| now < *until).map(|(known, _)| Arc::clone(known));
        let domains = match known {
            Some(known) => known,
            None => {
                let read = Arc::new(domains(&directory.accounts().await?));
                *lock(&self.domains) = Some((Arc::clone(&read), now.plus_seconds(DOMAINS_SECONDS)));
                read
            }
        };
        let mut found = None;
        let is_named = |domain: &&String| domain.split('.').next().is_some_and(|own| own.eq_ignore_ascii_case(label));
        for domain in domains.iter().filter(is_named).take(LABELLED_MAX) {
            if let Some(account) = directory.account(&format!("{local}@{domain}")).await?
                && found.replace(account).is_some()
            {
                return Ok(None);
            }
        }
        Ok(found)
    }

    fn digest(&self, account: &Account, password: &str) -> Digest {
        let mut mac = Hmac::<Sha256>::new((&self.key).into());
        for piece in [&account.caller.address, &account.password_hash, password] {
            mac.update(&(piece.len() as u64).to_le_bytes());
            mac.update(piece.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }

    fn is_remembered(&self, digest: &Digest) -> bool {
        let now = self.engine.clock().now();
        lock(&self.verified).remembers(digest, now)
    }

    fn remember(&self, digest: Digest) {
        let now = self.engine.clock().now();
        if self.remember_seconds > 0 {
            lock(&self.verified).remember(digest, now.plus_seconds(self.remember_seconds));
        }
    }
}

impl Credentials {
    /// The credentials of a Basic Authorization header. The text is UTF-8, or else Latin-1.
    pub(crate) fn read(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(AUTHORIZATION)?.as_bytes();
        if value.len() > HEADER_BYTES_MAX {
            return None;
        }
        let (scheme, rest) = value.split_at_checked(6)?;
        if !scheme.eq_ignore_ascii_case(b"basic ") {
            return None;
        }
        let bytes = base64::engine::general_purpose::STANDARD.decode(rest.trim_ascii()).ok()?;
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => error.as_bytes().iter().map(|byte| char::from(*byte)).collect(),
        };
        let (user, password) = text.split_once(':')?;
        if user.len() > model::limits::NAME_CHARS_MAX * 2 || password.len() > password::PASSWORD_BYTES_MAX {
            return None;
        }
        Some(Self { user: user.to_owned(), password: password.to_owned() })
    }
}

impl<'a> UserName<'a> {
    fn read(user: &'a str) -> Self {
        let (domain, rest) = match user.split_once('\\') {
            Some((domain, rest)) => (Some(domain).filter(|domain| !domain.is_empty() && *domain != "."), rest),
            None => (None, user),
        };
        match rest.rsplit_once('@') {
            Some((local, domain)) => Self { local, domain: Some(domain), is_address: true },
            None => Self { local: rest, domain, is_address: false },
        }
    }
}

/// The domains of all accounts, each once.
fn domains(accounts: &[Account]) -> BTreeSet<String> {
    let domain = |account: &Account| Some(account.caller.address.split_once('@')?.1.to_owned());
    accounts.iter().filter_map(domain).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use engine::NewAccount;
    use model::{FixedClock, SeededRandom};

    use super::*;

    fn headers(user_and_password: &str) -> HeaderMap {
        let encoded = base64::engine::general_purpose::STANDARD.encode(user_and_password);
        HeaderMap::from_iter([(AUTHORIZATION, format!("Basic {encoded}").parse().unwrap())])
    }

    async fn auth(addresses: &[&str]) -> (Auth, Arc<FixedClock>) {
        let clock = Arc::new(FixedClock::new(Time::from_date(2030, 1, 1)));
        let random = Arc::new(SeededRandom::new(1));
        let store = Arc::new(store::memory::MemoryStore::new(1));
        let engine = Engine::open(store, clock.clone(), random.clone(), engine::Settings::default()).await.unwrap();
        for address in addresses {
            let password_hash = password::hash("secret", &*random).unwrap();
            let new = NewAccount { address: (*address).into(), display_name: String::new(), password_hash };
            engine.directory().add_account(new).await.unwrap();
        }
        (Auth::new(engine, 60, 4).unwrap(), clock)
    }

    async fn caller(auth: &Auth, headers: HeaderMap) -> Option<Caller> {
        match auth.look_up(&headers).await.unwrap() {
            Login::Nobody => None,
            Login::Known(caller) => Some(caller),
            Login::Verify(claim) => auth.verify(claim),
        }
    }

    async fn who(auth: &Auth, user: &str) -> Option<String> {
        caller(auth, headers(&format!("{user}:secret"))).await.map(|caller| caller.address)
    }

    #[tokio::test]
    async fn forms_of_user_names() {
        let (auth, _) = auth(&["anna@contoso.com", "bob@contoso.com", "bob@fabrikam.com"]).await;
        for (user, address) in [
            ("anna@contoso.com", Some("anna@contoso.com")),
            ("Anna@Contoso.COM", Some("anna@contoso.com")),
            ("anna", Some("anna@contoso.com")),
            ("ANNA", Some("anna@contoso.com")),
            ("CONTOSO\\anna", Some("anna@contoso.com")),
            ("contoso.com\\Anna", Some("anna@contoso.com")),
            ("OTHER\\anna", Some("anna@contoso.com")),
            ("OTHER\\bob", None),
            (".\\anna", Some("anna@contoso.com")),
            ("contoso\\anna@contoso.com", Some("anna@contoso.com")),
            ("anna@fabrikam.com", None),
            ("bob", None),
            ("FABRIKAM\\bob", Some("bob@fabrikam.com")),
            ("fabrikam.com\\bob", Some("bob@fabrikam.com")),
            ("nobody", None),
            ("", None),
            ("@", None),
            ("\\", None),
        ] {
            assert_eq!(who(&auth, user).await.as_deref(), address, "{user}");
        }
    }

    #[tokio::test]
    async fn wrong_passwords_and_odd_headers() {
        let (auth, _) = auth(&["anna@contoso.com"]).await;
        for text in ["anna:wrong", "anna:", "anna", "anna@contoso.com:secret2", ":secret"] {
            assert!(caller(&auth, headers(text)).await.is_none(), "{text}");
        }
        for value in ["", "Basic", "Basic ", "Basic !!!", "Bearer abc", "Basic\tYTpi"] {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())]);
            assert!(caller(&auth, headers).await.is_none(), "{value}");
        }
        assert!(caller(&auth, HeaderMap::new()).await.is_none());
    }

    #[tokio::test]
    async fn changes_count_at_once_and_memory_fades() {
        let (auth, clock) = auth(&["anna@contoso.com"]).await;
        assert!(who(&auth, "anna").await.is_some());
        assert_eq!(auth.verified.lock().unwrap().young.len(), 1);
        let digest = *auth.verified.lock().unwrap().young.keys().next().unwrap();
        assert!(auth.is_remembered(&digest));
        clock.advance(61);
        assert!(!auth.is_remembered(&digest));
        clock.advance(-61);
        let other = password::hash("other", auth.engine.random()).unwrap();
        auth.engine.directory().set_password("anna@contoso.com", &other).await.unwrap();
        assert!(who(&auth, "anna").await.is_none());
        auth.engine.directory().remove_account("anna@contoso.com").await.unwrap();
        assert!(caller(&auth, headers("anna:other")).await.is_none());
    }

    /// Of four logins that are remembered at most, at least the latest two are.
    #[tokio::test]
    async fn the_latest_logins_are_remembered() {
        let (auth, _) = auth(&[]).await;
        for number in 0..100_u8 {
            auth.remember([number; 32]);
            let remembered: Vec<u8> = (0..=number).filter(|number| auth.is_remembered(&[*number; 32])).collect();
            assert!(remembered.len() <= 4, "{remembered:?}");
            assert!(
                remembered.ends_with(&[number.saturating_sub(1), number][usize::from(number == 0)..]),
                "{remembered:?}"
            );
        }
    }
}
