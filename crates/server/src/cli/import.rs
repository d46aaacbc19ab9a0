//! `highwater import`: messages from files into a mailbox.

use std::path::PathBuf;

use engine::MailboxName;
use indicatif::{ProgressBar, ProgressStyle};

use super::{CliError, Data, open, say};
use crate::{
    Config,
    import::{self, Outcome},
    stores::Missing,
};

/// What `import` takes.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Takes .eml files, mbox files, Maildirs, and directories of these. Maildir flags and the Status and X-Status
headers of mbox files say what has been read and flagged. Folders of a Maildir are not kept apart: import them one by one
to keep them. What cannot be imported is listed with the reason; the exit code is then 3.

Examples:
  highwater import anna@example.com message.eml --data /var/lib/highwater
  highwater import anna@example.com ~/Maildir archive.mbox --folder Inbox/Old --data /var/lib/highwater"
)]
pub(super) struct Import {
    /// The account.
    email: String,
    #[command(flatten)]
    data: Data,
    /// The folder, by names from the top; what is missing is made.
    #[arg(long, default_value = "Inbox")]
    folder: String,
    /// Files and directories.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

#[derive(Default)]
struct Sum {
    imported: u64,
    refused: u64,
    passed_over: u64,
}

impl Import {
    pub(super) fn run(self) -> Result<(), CliError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        runtime.map_err(CliError::io("cannot start"))?.block_on(Box::pin(self.import()))
    }

    async fn import(self) -> Result<(), CliError> {
        if self.folder.split('/').all(|name| name.trim().is_empty()) {
            return Err(CliError::NoFolder);
        }
        let engine = open(&self.data, Missing::Refuse, &Config::default()).await?;
        let account = engine.directory().account(&self.email).await?;
        let caller = account.ok_or_else(|| CliError::NoAccount(self.email.clone()))?.caller;
        let mailbox = engine.open_mailbox(&caller, MailboxName::Own).await?;
        let folder = import::folder_at(&mailbox, &self.folder).await?;
        let bar = progress(import::size(&self.paths));
        let mut sum = Sum::default();
        let now = engine.clock().now();
        import::import(&mailbox, folder, self.paths, now, |outcome| sum.add(outcome, &bar)).await;
        bar.finish_and_clear();
        say(format_args!(
            "imported {} into {} of {}, refused {}, passed over {} other files",
            sum.imported, self.folder, caller.address, sum.refused, sum.passed_over
        ))?;
        match sum {
            Sum { refused: 1.., imported: 1.., .. } => Err(CliError::Refused(sum.refused)),
            Sum { refused: 0, imported: 1.., .. } => Ok(()),
            Sum { .. } => Err(CliError::NothingToImport),
        }
    }
}

impl Sum {
    fn add(&mut self, outcome: Outcome, bar: &ProgressBar) {
        let bytes = match outcome {
            Outcome::Imported { bytes } => {
                self.imported += 1;
                bytes
            }
            Outcome::Refused { origin, reason, bytes } => {
                self.refused += 1;
                bar.suspend(|| eprintln!("refused {origin}: {reason}"));
                bytes
            }
            Outcome::PassedOver { bytes } => {
                self.passed_over += 1;
                bytes
            }
        };
        bar.inc(bytes);
        bar.set_message(format!("{} messages", self.imported));
    }
}

/// A bar on standard error, which shows only where that is a terminal.
fn progress(bytes: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes}, {msg}, {eta} left");
    ProgressBar::new(bytes).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
