//! The command line: its forms, and what is common to the commands. Each command is a file of its own.

mod account;
mod demo;
mod import;
mod serve;
mod site;
mod store;
mod token;

use std::{io::Write as _, net::SocketAddr, process::ExitCode, sync::Arc};

use ::store::Store;
use clap::{Parser, Subcommand};
use engine::{Engine, EngineError};

use crate::{
    Config, StartError,
    config::ConfigError,
    copy::CopyError,
    demo::FillError,
    password::PasswordError,
    stores::{self, Missing, OpenStoreError},
    system::{SystemClock, SystemRandom},
};

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "highwater", version, about, long_about = ABOUT, after_help = EXAMPLES)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// A server for Exchange Web Services and SharePoint list synchronization.
#[derive(Debug, Subcommand)]
enum Command {
    /// Try it out: a server with two accounts full of examples, gone when it ends.
    Demo(demo::Demo),
    /// Serve mailboxes and sites.
    Serve(serve::Serve),
    /// Add, list and remove accounts, and change passwords.
    #[command(subcommand)]
    Account(account::Account),
    /// Add, list and remove sites.
    #[command(subcommand)]
    Site(site::Site),
    /// Import messages into a mailbox.
    Import(import::Import),
    /// Say what a synchronization token means.
    #[command(subcommand)]
    Token(token::Token),
    /// Work on the store itself.
    #[command(subcommand)]
    Store(store::Store),
}

/// Where the data are.
#[derive(Debug, clap::Args)]
struct Data {
    /// The directory that holds the data, or the URL of a database, such as postgres://USER@HOST/DATABASE. A running
    /// server may use them at the same time.
    #[arg(long, value_name = "DIR|URL", env = "HIGHWATER_DATA", hide_env_values = true)]
    data: String,
    /// The object store where a database has its large parts: s3://BUCKET/PREFIX, az://CONTAINER/PREFIX,
    /// gs://BUCKET/PREFIX or file:///FOLDER.
    #[arg(long, value_name = "URL", env = "HIGHWATER_BLOBS", hide_env_values = true)]
    blobs: Option<String>,
}

/// Why a command ended without success; the text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The server does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenStoreError),
    /// The password cannot be used.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// There is no such account.
    #[error("there is no account {0}: `highwater account list` shows all, `highwater account add` makes one")]
    NoAccount(String),
    /// There is no such site.
    #[error("there is no site {0}: `highwater site list` shows all, `highwater site add` makes one")]
    NoSite(String),
    /// There is one already.
    #[error("{0} exists already")]
    Exists(String),
    /// The root site stays.
    #[error("the root site is always there: it cannot be added or removed")]
    RootSite,
    /// A value that cannot be.
    #[error("{0}")]
    Invalid(&'static str),
    /// A value that is too long.
    #[error("the {0} is too long")]
    TooLong(&'static str),
    /// No folder was named.
    #[error("--folder needs the name of a folder, such as Inbox or Inbox/Old")]
    NoFolder,
    /// The user changed their mind.
    #[error("nothing was changed")]
    Declined,
    /// Some of what was to be imported was not.
    #[error("{0} messages were not imported")]
    Refused(u64),
    /// Nothing was found to import.
    #[error("there is no message in what was given: give .eml files, mbox files, Maildirs, or directories of these")]
    NothingToImport,
    /// Requests were cut off at the end.
    #[error("some requests had not finished when the server stopped: a larger drain_seconds gives them more time")]
    NotDrained,
    /// The data were not copied.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The example data could not be made.
    #[error("cannot make the example data: {0}")]
    Demo(String),
    /// The domain or the store failed.
    #[error(transparent)]
    Engine(EngineError),
    /// The system failed.
    #[error("{doing}: {source}")]
    Io {
        /// What was to be done.
        doing: String,
        /// Why it was not.
        source: std::io::Error,
    },
}

impl From<EngineError> for CliError {
    fn from(error: EngineError) -> Self {
        if let EngineError::Invalid(text) = error {
            return Self::Invalid(text);
        }
        if let EngineError::TooLarge(what) = error {
            return Self::TooLong(what);
        }
        Self::Engine(error)
    }
}

impl From<FillError> for CliError {
    fn from(error: FillError) -> Self {
        Self::Demo(error.to_string())
    }
}

impl CliError {
    fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    /// 1 for a failure, 3 when a part was done. The parser of the command line answers 2 for a wrong form.
    fn exit_code(&self) -> ExitCode {
        if matches!(self, Self::Refused(_)) { ExitCode::from(3) } else { ExitCode::FAILURE }
    }
}

/// Does what the command line asks for, and says on standard error what failed.
pub fn run(arguments: Arguments) -> ExitCode {
    let done = match arguments.command {
        Command::Demo(command) => command.run(),
        Command::Serve(command) => command.run(),
        Command::Account(command) => command.run(),
        Command::Site(command) => command.run(),
        Command::Import(command) => command.run(),
        Command::Token(command) => command.run(),
        Command::Store(command) => command.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // Who reads along has had enough, as `head` does.
        Err(CliError::Io { source, .. }) if source.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("highwater: {error}");
            error.exit_code()
        }
    }
}

/// Prints a line on standard output.
fn say(line: impl std::fmt::Display) -> Result<(), CliError> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}").and_then(|()| output.flush()).map_err(CliError::io("cannot write to standard output"))
}

/// Runs something to its end on this thread.
fn block_on<T>(future: impl Future<Output = T>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.map_err(CliError::io("cannot start"))?.block_on(future))
}

async fn open(data: &Data, missing: Missing, config: &Config) -> Result<Engine, CliError> {
    open_measured(data, missing, config, |store| store).await
}

/// As [`open`], with the store as `measure` makes it.
async fn open_measured(
    data: &Data,
    missing: Missing,
    config: &Config,
    measure: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>,
) -> Result<Engine, CliError> {
    let options = stores::Options::of(config, data.blobs.clone());
    let store = stores::open_with(&data.data, &options, missing, &SystemRandom)?;
    let settings = if stores::is_shared(&data.data) { config.engine_of_many() } else { config.engine() };
    Ok(Engine::open(measure(store), Arc::new(SystemClock), Arc::new(SystemRandom), settings).await?)
}

/// Opens the data for a command on accounts or sites.
async fn open_directory(data: &Data, missing: Missing) -> Result<engine::Directory, CliError> {
    Ok(open(data, missing, &Config::default()).await?.directory())
}

/// Reads an address to listen on.
fn address(text: &str) -> Result<SocketAddr, String> {
    let spelt = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    spelt.parse().map_err(|_| "give an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080".to_owned())
}

/// Asks a question on the terminal; yes where there is none.
fn confirm(question: &str) -> Result<(), CliError> {
    let terminal = console::Term::stderr();
    if !terminal.is_term() || !std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        return Ok(());
    }
    let ask = || {
        terminal.write_str(&format!("{question} [y/N] "))?;
        terminal.read_line()
    };
    let answer = ask().map_err(CliError::io("cannot ask"))?;
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err(CliError::Declined) }
}

const ABOUT: &str = "A server for Exchange Web Services and SharePoint list synchronization.

Mailboxes are served over Exchange Web Services, lists and libraries over the list services of SharePoint, from one
directory of data.";

const EXAMPLES: &str = "Examples:
  highwater demo
  highwater account add anna@example.com --data /var/lib/highwater
  highwater site add /sites/team --owner anna@example.com --data /var/lib/highwater
  highwater import anna@example.com ~/Maildir --data /var/lib/highwater
  highwater serve --data /var/lib/highwater --listen 127.0.0.1:8080

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done in part. RUST_LOG=debug shows each request.";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn forms() {
        Arguments::command().debug_assert();
        for line in [
            "demo",
            "demo --listen 127.0.0.1:0",
            "serve --data d",
            "serve --data d --listen [::1]:80 --config c.toml",
            "serve --data d --listen localhost:80",
            "account add a@b.c --data d --name A --password-stdin",
            "account list --data d",
            "account passwd a@b.c --data d",
            "account remove a@b.c --data d",
            "site add /sites/x --data d --title T --owner a@b.c",
            "site list --data d",
            "site remove /sites/x --data d",
            "import a@b.c --data d --folder Inbox/Sub x y",
            "store copy --from d --to memory:",
            "store copy --from d --to e --root a@b.c",
            "store copy --from postgres://h/a --from-blobs s3://b/a --to postgres://h/b --to-blobs s3://b/b",
            "token explain abc --data d",
            "store plan --for citus",
            "store plan --for yugabyte",
            "store plan --for cockroach",
            "store restored --data postgres://h/d",
        ] {
            let words = std::iter::once("highwater").chain(line.split(' '));
            if let Err(error) = Arguments::try_parse_from(words) {
                panic!("{line}: {error}");
            }
        }
    }
}
