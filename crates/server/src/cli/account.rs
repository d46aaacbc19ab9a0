//! `highwater account`: accounts. Changes count from the next request of a running server.

use clap::{Args, Subcommand};
use engine::{Caller, EngineError, NewAccount};

use super::{CliError, Data, block_on, confirm, open_directory, say};
use crate::{password, stores::Missing, system::SystemRandom};

/// Accounts.
#[derive(Debug, Subcommand)]
pub(super) enum Account {
    /// Add an account with a mailbox.
    #[command(after_help = "Examples:
  highwater account add anna@example.com --name \"Anna Berg\" --data /var/lib/highwater
  printf %s \"$PASSWORD\" | highwater account add anna@example.com --password-stdin --data /var/lib/highwater")]
    Add(Add),
    /// List the accounts: address, name, date of creation, and whether it may act as others.
    List(Data),
    /// Give an account another password.
    Passwd(Passwd),
    /// Let an account act as any other (EWS: ExchangeImpersonation).
    #[command(
        after_help = "Such an account reads and writes every mailbox; it is meant for backup and migration tools.

Example:
  highwater account grant-impersonation backup@example.com --data /var/lib/highwater"
    )]
    GrantImpersonation(Named),
    /// Take the right to act as others from an account.
    RevokeImpersonation(Named),
    /// Remove an account and its mailbox for good.
    Remove(Named),
}

/// What `account add` takes.
#[derive(Debug, Args)]
pub(super) struct Add {
    /// The address, which is also the user name.
    email: String,
    #[command(flatten)]
    data: Data,
    /// The name shown to others; without it the part before the at sign.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    password: PasswordSource,
}

/// What `account passwd` takes.
#[derive(Debug, Args)]
pub(super) struct Passwd {
    /// The address.
    email: String,
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    password: PasswordSource,
}

/// An account by its address.
#[derive(Debug, Args)]
pub(super) struct Named {
    /// The address.
    email: String,
    #[command(flatten)]
    data: Data,
}

/// Where a password comes from.
#[derive(Debug, Args)]
struct PasswordSource {
    /// Read the password from the first line of standard input. Without it the terminal asks; with no terminal, or an
    /// empty answer, a password is made and printed.
    #[arg(long)]
    password_stdin: bool,
}

impl PasswordSource {
    /// The hash of the password, and the password itself where it was made here.
    fn hash(&self) -> Result<(String, Option<String>), CliError> {
        let given = if self.password_stdin { Some(password::from_stdin()?) } else { password::ask()? };
        let made = if given.is_none() { Some(password::generate(&SystemRandom)) } else { None };
        let hash = password::hash(given.as_deref().or(made.as_deref()).unwrap_or_default(), &SystemRandom)?;
        Ok((hash, made))
    }
}

impl Account {
    pub(super) fn run(self) -> Result<(), CliError> {
        match self {
            Self::Add(command) => block_on(command.run())?,
            Self::List(data) => block_on(list(data))?,
            Self::Passwd(command) => block_on(command.run())?,
            Self::GrantImpersonation(named) => block_on(impersonation(named, true))?,
            Self::RevokeImpersonation(named) => block_on(impersonation(named, false))?,
            Self::Remove(named) => block_on(remove(named))?,
        }
    }
}

impl Add {
    async fn run(self) -> Result<(), CliError> {
        let directory = open_directory(&self.data, Missing::Make).await?;
        if directory.account(&self.email).await?.is_some() {
            return Err(CliError::Exists(self.email));
        }
        let (password_hash, made) = self.password.hash()?;
        let local = self.email.split('@').next().unwrap_or_default().to_owned();
        let display_name = self.name.unwrap_or(local);
        let new = NewAccount { address: self.email.clone(), display_name, password_hash };
        let account = match directory.add_account(new).await {
            Err(EngineError::NameTaken) => return Err(CliError::Exists(self.email)),
            other => other?,
        };
        say(format_args!("added {}", account.caller.address))?;
        print_password(made)
    }
}

impl Passwd {
    async fn run(self) -> Result<(), CliError> {
        let directory = open_directory(&self.data, Missing::Refuse).await?;
        let missing = || CliError::NoAccount(self.email.clone());
        let account = directory.account(&self.email).await?.ok_or_else(missing)?;
        let (hash, made) = self.password.hash()?;
        directory.set_password(&account.caller.address, &hash).await?;
        say(format_args!("{} has a new password", account.caller.address))?;
        print_password(made)
    }
}

async fn remove(named: Named) -> Result<(), CliError> {
    let directory = open_directory(&named.data, Missing::Refuse).await?;
    let missing = || CliError::NoAccount(named.email.clone());
    let account = directory.account(&named.email).await?.ok_or_else(missing)?;
    confirm(&format!("Remove {} with everything in the mailbox?", account.caller.address))?;
    directory.remove_account(&account.caller.address).await?;
    say(format_args!("removed {}", account.caller.address))
}

async fn impersonation(named: Named, granted: bool) -> Result<(), CliError> {
    let directory = open_directory(&named.data, Missing::Refuse).await?;
    match directory.set_impersonation(&named.email, granted).await {
        Err(EngineError::NoAccount) => return Err(CliError::NoAccount(named.email)),
        other => other?,
    }
    let may = if granted { "may act as any other account" } else { "may act as itself alone" };
    say(format_args!("{} {may}", named.email.to_lowercase()))
}

async fn list(data: Data) -> Result<(), CliError> {
    for account in open_directory(&data, Missing::Refuse).await?.accounts().await? {
        let Caller { address, display_name, .. } = &account.caller;
        let more = if account.impersonates { "\tmay act as others" } else { "" };
        say(format_args!("{address}\t{display_name}\t{}{more}", account.created))?;
    }
    Ok(())
}

fn print_password(made: Option<String>) -> Result<(), CliError> {
    made.map_or(Ok(()), |password| say(format_args!("password: {password}")))
}
