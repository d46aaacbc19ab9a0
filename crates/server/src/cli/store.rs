//! `highwater store`: the store itself.

mod copy;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use model::Random as _;

use copy::Copy;

use super::{CliError, Data, block_on, confirm, say};
use crate::{
    Config,
    stores::{self, OpenStoreError, Swept},
    system::SystemRandom,
};

/// The store.
#[derive(Debug, Subcommand)]
pub(super) enum Store {
    /// Copy all data to another store; ids and the tokens of clients stay valid.
    #[command(
        after_help = "Stop the server first: what is written meanwhile is not copied, and a copy that notices it fails.
The copy can be served once this command has ended well, not before. Where it was cut off, run the same command again: it
goes on. Run again at the end it compares both sides once more and changes nothing.

Examples:
  highwater store copy --from /var/lib/highwater --to /mnt/new
  highwater store copy --from /var/lib/highwater --to /mnt/new --root anna@example.com
  highwater store copy --from /var/lib/highwater --to postgres://highwater@database/highwater --to-blobs s3://bucket/mail"
    )]
    Copy(Copy),
    /// Print the SQL that makes the tables on an engine that spreads them over machines.
    #[command(after_help = "Example:
  highwater store plan --for citus | psql --host coordinator highwater")]
    Plan(Plan),
    /// Say that a database was put back from a copy: clients that know more than it does start anew.
    #[command(after_help = "Stop all nodes first. Not needed after a fail-over or a restore to a point in time, which
PostgreSQL itself remembers.

Example:
  highwater store restored --data postgres://highwater@database/highwater")]
    Restored(Restored),
    /// Remove from the object store what nothing needs any more. Servers do it by themselves every hour.
    #[command(after_help = "What was needed within the last blob_grace_hours stays. Servers may run meanwhile.

Example:
  highwater store sweep --data postgres://highwater@database/highwater --blobs s3://highwater-parts/production")]
    Sweep(Sweep),
}

/// What `store sweep` takes.
#[derive(Debug, Args)]
pub(super) struct Sweep {
    #[command(flatten)]
    data: Data,
    /// A TOML file with settings; of them blob_grace_hours is used.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// What `store plan` takes.
#[derive(Debug, Args)]
pub(super) struct Plan {
    /// The engine.
    #[arg(long = "for", value_name = "ENGINE")]
    engine: Engine,
}

/// Engines on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Engine {
    /// PostgreSQL with the extension Citus.
    Citus,
    /// YugabyteDB.
    Yugabyte,
    /// CockroachDB.
    Cockroach,
}

/// What `store restored` takes.
#[derive(Debug, Args)]
pub(super) struct Restored {
    /// The URL of the database, such as postgres://user@host/name.
    #[arg(long, value_name = "URL")]
    data: String,
}

impl Store {
    pub(super) fn run(self) -> Result<(), CliError> {
        match self {
            Self::Copy(command) => {
                let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
                runtime.map_err(CliError::io("cannot start"))?.block_on(Box::pin(command.run()))
            }
            Self::Plan(command) => command.run(),
            Self::Restored(command) => command.run(),
            Self::Sweep(command) => command.run(),
        }
    }
}

impl Sweep {
    fn run(self) -> Result<(), CliError> {
        let config = self.config.as_deref().map(Config::read).transpose()?.unwrap_or_default();
        let options = stores::Options::of(&config, self.data.blobs.clone());
        let swept = block_on(stores::sweep(&self.data.data, &options, &SystemRandom))?;
        let Swept { freed, left_over, unfinished } = swept?;
        say(format_args!("removed {freed} objects that were freed, {left_over} without a row, {unfinished} unfinished"))
    }
}

impl Plan {
    fn run(self) -> Result<(), CliError> {
        say(store_postgres::plan(match self.engine {
            Engine::Citus => store_postgres::Engine::Citus,
            Engine::Yugabyte => store_postgres::Engine::Yugabyte,
            Engine::Cockroach => store_postgres::Engine::Cockroach,
        }))
    }
}

impl Restored {
    fn run(self) -> Result<(), CliError> {
        confirm("Have all clients that are ahead of this database start anew? No node may be running")?;
        store_postgres::restored(&self.data, SystemRandom.number() >> 1).map_err(|error| OpenStoreError::Failed {
            location: "the database".to_owned(),
            message: error.to_string(),
        })?;
        say("from now on, tokens of writes that this database lacks are refused")
    }
}
