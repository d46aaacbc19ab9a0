//! `highwater serve`: the server.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use super::{CliError, Data, block_on, open_measured, say};
use crate::{
    Config, Metrics, Running, Server, Signals,
    stores::{self, Missing},
};

/// What `serve` takes.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The server stops on SIGTERM and SIGINT when the requests under way have finished; a second signal ends it at once.
/healthz says that it lives, /readyz whether it may be given requests.

Examples:
  highwater serve --data /var/lib/highwater
  highwater serve --data postgres://highwater@database/highwater --blobs s3://highwater-parts/production
  highwater serve --data /var/lib/highwater --listen 127.0.0.1:9000 --config /etc/highwater.toml"
)]
pub(super) struct Serve {
    #[command(flatten)]
    data: Data,
    /// Where to listen; goes before the configuration.
    #[arg(long, value_name = "ADDR:PORT", value_parser = super::address)]
    listen: Option<SocketAddr>,
    /// A TOML file with settings.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Serve {
    pub(super) fn run(self) -> Result<(), CliError> {
        let mut config = match &self.config {
            Some(path) => Config::read(path)?,
            None => Config::default(),
        };
        config.listen = self.listen.unwrap_or(config.listen);
        if stores::is_shared(&self.data.data) {
            config = config.on_database();
        }
        let (metrics, slow) = (Arc::new(Metrics::new()), Duration::from_millis(config.slow_call_milliseconds));
        let (engine, has_accounts) = block_on(async {
            let measure = |store| metrics.measure(store, slow);
            let engine = open_measured(&self.data, Missing::Make, &config, measure).await?;
            let has_accounts = engine.directory().has_accounts().await?;
            Ok::<_, CliError>((engine, has_accounts))
        })??;
        let running = Server::start_measured(&config, &engine, &stores::spool_directory(&self.data.data), metrics)?;
        let signals = hear_signals(&running)?;
        if !has_accounts {
            eprintln!(
                "there are no accounts yet: highwater account add EMAIL --data {}",
                stores::shown(&self.data.data)
            );
        }
        let done = until_told(running, signals);
        drop(engine);
        done
    }
}

/// Says where the server listens, and ends it when the process is told to stop.
pub(super) fn until_told(running: Running, signals: Signals) -> Result<(), CliError> {
    let address = running.address();
    if !address.ip().is_loopback() {
        eprintln!("passwords travel in the clear on {address}: put a proxy that speaks TLS in front");
    }
    if let Some(address) = running.metrics_address() {
        eprintln!("figures and health on http://{address}");
    }
    say(format_args!("listening on http://{address}"))?;
    running.wait_for_signal(signals);
    tracing::info!("stopping");
    if running.shutdown() { Ok(()) } else { Err(CliError::NotDrained) }
}

pub(super) fn hear_signals(running: &Running) -> Result<Signals, CliError> {
    running.hear_signals().map_err(CliError::io("cannot wait for signals"))
}
