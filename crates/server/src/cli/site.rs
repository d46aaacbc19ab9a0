//! `highwater site`: sites. Changes count from the next request of a running server.

use clap::{Args, Subcommand};
use engine::{EngineError, NewSite};

use super::{CliError, Data, block_on, confirm, open_directory, say};
use crate::stores::Missing;

/// Sites.
#[derive(Debug, Subcommand)]
pub(super) enum Site {
    /// Add a site with the usual lists.
    #[command(after_help = "Example:
  highwater site add /sites/team --title \"The Team\" --owner anna@example.com --data /var/lib/highwater")]
    Add(Add),
    /// List the sites: path, title, owner, date of creation.
    List(Data),
    /// Remove a site and its lists for good.
    Remove(Remove),
}

/// What `site add` takes.
#[derive(Debug, Args)]
pub(super) struct Add {
    /// The path, such as /sites/team.
    path: String,
    #[command(flatten)]
    data: Data,
    /// The title; without it the last part of the path.
    #[arg(long)]
    title: Option<String>,
    /// The account that may do everything on the site. Every account may read and write items.
    #[arg(long, value_name = "EMAIL")]
    owner: String,
}

/// What `site remove` takes.
#[derive(Debug, Args)]
pub(super) struct Remove {
    /// The path.
    path: String,
    #[command(flatten)]
    data: Data,
}

impl Site {
    pub(super) fn run(self) -> Result<(), CliError> {
        match self {
            Self::Add(command) => block_on(command.run())?,
            Self::List(data) => block_on(list(data))?,
            Self::Remove(command) => block_on(command.run())?,
        }
    }
}

impl Add {
    async fn run(self) -> Result<(), CliError> {
        let directory = open_directory(&self.data, Missing::Refuse).await?;
        if self.path.trim_matches('/').is_empty() {
            return Err(CliError::RootSite);
        }
        let last = self.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
        let title = self.title.unwrap_or(last);
        let new = NewSite { path: self.path.clone(), title, owner: Some(self.owner.clone()) };
        match directory.add_site(new).await {
            Ok(site) => say(format_args!("added {}", site.path)),
            Err(EngineError::NameTaken) => Err(CliError::Exists(self.path)),
            Err(EngineError::NoAccount) => Err(CliError::NoAccount(self.owner)),
            Err(other) => Err(other.into()),
        }
    }
}

impl Remove {
    async fn run(self) -> Result<(), CliError> {
        if self.path.trim_matches('/').is_empty() {
            return Err(CliError::RootSite);
        }
        let directory = open_directory(&self.data, Missing::Refuse).await?;
        let site = directory.site(&self.path).await?.ok_or_else(|| CliError::NoSite(self.path.clone()))?;
        confirm(&format!("Remove {} with all its lists?", self.path))?;
        match directory.remove_site(&site.path).await {
            Ok(()) => say(format_args!("removed {}", site.path)),
            Err(EngineError::NoSite) => Err(CliError::NoSite(self.path)),
            Err(other) => Err(other.into()),
        }
    }
}

async fn list(data: Data) -> Result<(), CliError> {
    for site in open_directory(&data, Missing::Refuse).await?.sites().await? {
        let path = if site.path.is_empty() { "/" } else { &site.path };
        let owner = site.owner.as_deref().unwrap_or("-");
        say(format_args!("{path}\t{}\t{owner}\t{}", site.title, site.created))?;
    }
    Ok(())
}
