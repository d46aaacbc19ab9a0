//! The example data of `highwater demo`: two accounts, a mailbox full of messages, a site with filled lists.
//!
//! Everything is made from templates, so that it is the same each time but for dates, ids and passwords.

mod lists;
mod mail;

use engine::{Account, Engine, EngineError, NewAccount, NewSite};

use crate::password::{self, PasswordError};

/// The site.
pub(crate) const SITE: &str = "/sites/team";
/// The list that the printed requests ask for.
pub(crate) const LIST: &str = "Tasks";

/// Addresses and names of the accounts; the first one has the full mailbox and owns the site.
const ACCOUNTS: [(&str, &str); 2] = [("alice@example.com", "Alice Lindqvist"), ("bob@example.com", "Bob Okafor")];

/// An account with its password.
pub(crate) struct Login {
    pub(crate) address: String,
    pub(crate) password: String,
}

/// The example data could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FillError {
    /// The password hash function failed.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The store failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// What was made.
pub(crate) struct Filled {
    pub(crate) logins: Vec<Login>,
    /// Messages over all folders.
    pub(crate) messages: usize,
    /// Rows over all lists.
    pub(crate) rows: usize,
}

/// Fills a fresh store.
pub(crate) async fn fill(engine: &Engine) -> Result<Filled, FillError> {
    let mut logins = Vec::new();
    let mut accounts: Vec<Account> = Vec::new();
    for (address, display_name) in ACCOUNTS {
        let password = password::generate(engine.random());
        let password_hash = password::hash(&password, engine.random())?;
        let new = NewAccount { address: address.into(), display_name: display_name.into(), password_hash };
        accounts.push(engine.directory().add_account(new).await?);
        logins.push(Login { address: address.into(), password });
    }
    let new = NewSite { path: SITE.into(), title: "Team".into(), owner: logins.first().map(|one| one.address.clone()) };
    engine.directory().add_site(new).await?;
    let (mut messages, mut rows) = (0, 0);
    for (at, account) in accounts.iter().enumerate() {
        messages += mail::fill(engine, &account.caller, at == 0).await?;
        if at == 0 {
            rows += lists::fill(engine, &account.caller).await?;
        }
    }
    Ok(Filled { logins, messages, rows })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use engine::MailboxName;
    use model::{FixedClock, SeededRandom, Time};

    use super::*;

    #[tokio::test]
    async fn filled() {
        let clock = Arc::new(FixedClock::new(Time::from_date(2030, 1, 31)));
        let store = Arc::new(store::memory::MemoryStore::new(1));
        let random = Arc::new(SeededRandom::new(1));
        let engine = Engine::open(store, clock, random, engine::Settings::default()).await.unwrap();
        let filled = fill(&engine).await.unwrap();
        assert_eq!(filled.logins.len(), 2);
        let alice = engine.directory().account("alice@example.com").await.unwrap().unwrap();
        assert!(password::verify(&filled.logins[0].password, &alice.password_hash));
        let mailbox = engine.open_mailbox(&alice.caller, MailboxName::Own).await.unwrap();
        let mut view = mailbox.begin().await.unwrap();
        let inbox = view.distinguished("inbox").await.unwrap();
        assert!(view.folder(inbox).await.unwrap().row.items >= 50);
        assert!(view.child(inbox, "Projects").await.unwrap().is_some());
        assert!(filled.rows >= 20, "{}", filled.rows);
    }
}
