//! `highwater token`: what a synchronization token means.

use clap::{Args, Subcommand};

use super::{CliError, Data, block_on, open, say};
use crate::{Config, stores::Missing};

/// Tokens.
#[derive(Debug, Subcommand)]
pub(super) enum Token {
    /// Say what a SyncState or a change token stands for, and whether it would be served.
    #[command(after_help = "Example:
  highwater token explain '1;3;eee4c6d5-f88a-42c4-8ce1-685122984870;634397182229400000;3710' --data DIR")]
    Explain(Explain),
}

/// What `token explain` takes.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The token as the client has it.
    token: String,
    #[command(flatten)]
    data: Data,
}

impl Token {
    pub(super) fn run(self) -> Result<(), CliError> {
        match self {
            Self::Explain(command) => block_on(command.run())?,
        }
    }
}

impl Explain {
    async fn run(self) -> Result<(), CliError> {
        let engine = open(&self.data, Missing::Refuse, &Config::default()).await?;
        let lines = engine.explain_token(self.token.trim()).await.lines;
        let width = lines.iter().map(|(label, _)| label.chars().count()).max().unwrap_or_default();
        for (label, value) in lines {
            say(format_args!("{label:width$}  {value}"))?;
        }
        Ok(())
    }
}
