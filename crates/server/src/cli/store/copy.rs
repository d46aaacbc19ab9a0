//! `highwater store copy`: all data into another store.

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
};

use clap::Args;
use engine::Engine;
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use model::{Clock as _, RootId, Time};

use super::super::{CliError, say};
use crate::{
    Config,
    copy::{self, CopyError, Step},
    stores::{self, Missing},
    system::{SystemClock, SystemRandom},
};

/// What `store copy` takes.
#[derive(Debug, Args)]
pub(in super::super) struct Copy {
    /// The data to be copied, as `--data` of the server names them.
    #[arg(long, value_name = "DATA", env = "HIGHWATER_FROM", hide_env_values = true)]
    from: String,
    /// Where they go; it must be empty, or an unfinished copy of the same data.
    #[arg(long, value_name = "DATA", env = "HIGHWATER_TO", hide_env_values = true)]
    to: String,
    /// The object store that holds the large parts of a database that is copied, as `--blobs` of the server names it.
    #[arg(long, value_name = "URL", env = "HIGHWATER_FROM_BLOBS", hide_env_values = true)]
    from_blobs: Option<String>,
    /// The object store that is to hold them for the database that they go to.
    #[arg(long, value_name = "URL", env = "HIGHWATER_TO_BLOBS", hide_env_values = true)]
    to_blobs: Option<String>,
    /// Only this account or site now, such as anna@example.com or /sites/team; a later run without it copies the rest.
    #[arg(long, value_name = "NAME")]
    root: Option<String>,
}

impl Copy {
    pub(super) async fn run(self) -> Result<(), CliError> {
        let begun = SystemClock.now();
        let options = |blobs: &Option<String>| stores::Options { blobs: blobs.clone(), ..stores::Options::default() };
        let from = stores::open_with(&self.from, &options(&self.from_blobs), Missing::Refuse, &SystemRandom)?;
        let only = match &self.root {
            Some(name) => Some(root(&from, name).await?),
            None => None,
        };
        let to = stores::open_with(&self.to, &options(&self.to_blobs), Missing::Make, &SystemRandom)?;
        let bar = progress();
        let shown = Sum::new(bar.clone());
        let copied = copy::copy(from, to, only, Arc::new(move |step| shown.hear(step))).await;
        bar.finish_and_clear();
        let copied = copied?;
        let seconds = (SystemClock.now().0 - begun.0) / Time::SECOND;
        say(format_args!(
            "copied {} roots, {} rows, {} in {seconds} s; read back from both sides they are the same:",
            HumanCount(copied.roots),
            HumanCount(copied.rows),
            HumanBytes(copied.bytes),
        ))?;
        say(format_args!("sha256 {}", hex(&copied.digest)))?;
        match self.root {
            Some(_) => say("the copy can be served when the rest is there too: run the command without --root"),
            None => {
                let blobs = if self.to_blobs.is_some() { " --blobs …" } else { "" };
                say(format_args!("serve it: highwater serve --data {}{blobs}", stores::shown(&self.to)))
            }
        }
    }
}

/// The root of an account or a site.
async fn root(from: &Arc<dyn ::store::Store>, name: &str) -> Result<RootId, CliError> {
    // Opening the domain sets up what is empty.
    match from.snapshot(RootId::CONTROL).await {
        Ok(_) => {}
        Err(::store::StoreError::NoRoot(_)) => return Err(CopyError::NotWhole.into()),
        Err(other) => return Err(CopyError::Source(other).into()),
    }
    let random = Arc::new(SystemRandom);
    let engine = Engine::open(Arc::clone(from), Arc::new(SystemClock), random, Config::default().engine()).await?;
    if name.starts_with('/') {
        let site = engine.directory().site(name).await?;
        return Ok(site.ok_or_else(|| CliError::NoSite(name.to_owned()))?.root);
    }
    let account = engine.directory().account(name).await?;
    Ok(account.ok_or_else(|| CliError::NoAccount(name.to_owned()))?.caller.account)
}

/// What the bar shows.
struct Sum {
    bar: ProgressBar,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    /// In all.
    roots: u64,
    rows: u64,
    bytes: u64,
    /// So far; rows and bytes first of those that arrived, then of those that were compared.
    roots_done: u64,
    rows_done: u64,
    bytes_done: u64,
}

impl Sum {
    fn new(bar: ProgressBar) -> Self {
        Self { bar, counts: Mutex::default() }
    }

    fn hear(&self, step: Step) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let doing = match step {
            Step::Begun { roots, rows, bytes } => {
                (counts.roots, counts.rows, counts.bytes) = (roots, rows, bytes);
                // All of it goes over, and then is read back.
                self.bar.set_length(2 * weight(rows, bytes));
                "copied"
            }
            Step::Arrived { rows, bytes } => {
                counts.add(rows, bytes);
                self.bar.inc(weight(rows, bytes));
                "copied"
            }
            Step::Root => {
                counts.roots_done += 1;
                "copied"
            }
            Step::Compared { rows, bytes } => {
                if counts.rows_done >= counts.rows && counts.bytes_done >= counts.bytes {
                    (counts.rows_done, counts.bytes_done) = (0, 0);
                }
                counts.add(rows, bytes);
                self.bar.inc(weight(rows, bytes));
                "compared"
            }
        };
        let Counts { roots, rows, bytes, roots_done, rows_done, bytes_done } = *counts;
        self.bar.set_message(format!(
            "{doing} {} of {} rows, {} of {}, {roots_done} of {roots} roots",
            HumanCount(rows_done),
            HumanCount(rows),
            HumanBytes(bytes_done),
            HumanBytes(bytes),
        ));
    }
}

impl Counts {
    const fn add(&mut self, rows: u64, bytes: u64) {
        self.rows_done += rows;
        self.bytes_done += bytes;
    }
}

/// What a stretch of rows counts for in the time that is left: a row costs about as much as some bytes.
const fn weight(rows: u64, bytes: u64) -> u64 {
    rows * 2_048 + bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A bar on standard error, which shows only where that is a terminal.
fn progress() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {percent}%, {msg}, {eta} left");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_is_full_when_everything_was_compared() {
        let bar = ProgressBar::hidden();
        let sum = Sum::new(bar.clone());
        sum.hear(Step::Begun { roots: 2, rows: 300, bytes: 5_000 });
        for (rows, bytes) in [(100, 5_000), (200, 0)] {
            sum.hear(Step::Arrived { rows, bytes });
            sum.hear(Step::Root);
        }
        assert_eq!(bar.message(), "copied 300 of 300 rows, 4.88 KiB of 4.88 KiB, 2 of 2 roots");
        assert_eq!(bar.length(), Some(2 * bar.position()));
        sum.hear(Step::Compared { rows: 250, bytes: 1_024 });
        assert_eq!(bar.message(), "compared 250 of 300 rows, 1.00 KiB of 4.88 KiB, 2 of 2 roots");
        sum.hear(Step::Compared { rows: 50, bytes: 3_976 });
        assert_eq!(bar.length(), Some(bar.position()));
    }
}
