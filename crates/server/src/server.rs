//! The server: listening, connections, and an orderly end.

use std::{
    io,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use engine::Engine;
use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::{Handle, Runtime},
    sync::{Semaphore, mpsc, watch},
    time::{sleep, timeout},
};

use crate::{
    background,
    config::{Config, ConfigError},
    health::Phase,
    metrics::Metrics,
    monitor,
    password::PasswordError,
    service::Service,
};

/// Pause after a failed accept, for instance when there are no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Streams of one HTTP/2 connection at the same time.
const STREAMS_MAX: u32 = 64;
/// Extra threads beside those that requests may block: logins, health checks, trimming.
const SPARE_THREADS: u64 = 64;
/// How long blocked threads may take to end after the connections have.
const THREADS_END: Duration = Duration::from_secs(5);

/// The server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another with --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// There are no threads to be had.
    #[error("cannot start threads: {0}")]
    Threads(io::Error),
    /// The password hash function failed.
    #[error(transparent)]
    Password(#[from] PasswordError),
}

/// Starts servers.
pub struct Server;

/// A server that runs, with threads of its own. It is stopped, but not drained, when this is dropped.
pub struct Running {
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
    runtime: Option<Runtime>,
    phase: watch::Sender<Phase>,
    /// Ends when the last connection has.
    ended: mpsc::Receiver<()>,
    lead: Duration,
    drain: Duration,
    engine: Engine,
}

impl Server {
    /// Starts a server over `engine` and returns when it listens. Port 0 in the configuration chooses a free one. Large
    /// payloads of requests go to nameless files in the temporary directory of the system.
    ///
    /// # Errors
    /// When the configuration cannot be used, or the address cannot be listened on.
    pub fn start(config: &Config, engine: &Engine) -> Result<Running, StartError> {
        Self::start_with(config, engine, &std::env::temp_dir())
    }

    /// As [`Self::start`], with the directory of those files: best one on a medium, beside the data.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_with(config: &Config, engine: &Engine, spools: &Path) -> Result<Running, StartError> {
        Self::start_measured(config, engine, spools, Arc::new(Metrics::new()))
    }

    /// As [`Self::start_with`], with figures that others add to, such as the store of `engine`.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_measured(
        config: &Config,
        engine: &Engine,
        spools: &Path,
        metrics: Arc<Metrics>,
    ) -> Result<Running, StartError> {
        config.check()?;
        let threads = config.requests_max.saturating_add(SPARE_THREADS);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .max_blocking_threads(usize::try_from(threads).unwrap_or(usize::MAX))
            .thread_name("highwater")
            .build()
            .map_err(StartError::Threads)?;
        let unusable = |source| StartError::Listen { address: config.listen, source };
        let listener = runtime.block_on(TcpListener::bind(config.listen)).map_err(unusable)?;
        let address = listener.local_addr().map_err(unusable)?;
        let config = Config { listen: address, ..config.clone() };
        let (phase, phases) = watch::channel(Phase::Serving);
        let watching = config.metrics_listen.map(|address| {
            let unusable = |source| StartError::Listen { address, source };
            let listener = runtime.block_on(TcpListener::bind(address)).map_err(unusable)?;
            Ok::<_, StartError>((listener.local_addr().map_err(unusable)?, listener))
        });
        let watching = watching.transpose()?;
        let service = Arc::new(Service::new(&config, engine, spools.to_owned(), phases.clone(), Arc::clone(&metrics))?);
        let metrics_address = watching.as_ref().map(|(address, _)| *address);
        if let Some((_, listener)) = watching {
            runtime.spawn(monitor::serve(listener, Arc::clone(&service)));
        }
        runtime.spawn(monitor::keep_up(metrics));
        let (alive, ended) = mpsc::channel(1);
        runtime.spawn(accept(listener, service, config.clone(), phases, alive));
        background::start(&runtime, engine, &config);
        let (lead, drain) = (Duration::from_secs(config.drain_lead_seconds), Duration::from_secs(config.drain_seconds));
        Ok(Running {
            address,
            runtime: Some(runtime),
            metrics_address,
            phase,
            ended,
            lead,
            drain,
            engine: engine.clone(),
        })
    }
}

impl Running {
    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it tells its figures, if it does.
    pub const fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// Takes over SIGTERM and SIGINT of the process: from here on they no longer end it, but are told by
    /// [`Self::wait_for_signal`].
    ///
    /// # Errors
    /// When signals cannot be heard.
    pub fn hear_signals(&self) -> io::Result<Signals> {
        let _guard = self.runtime.as_ref().map(Runtime::enter);
        Signals::new()
    }

    /// Waits until the process is told to stop. A second signal then ends it at once.
    pub fn wait_for_signal(&self, mut signals: Signals) {
        let Some(runtime) = &self.runtime else { return };
        runtime.block_on(signals.next());
        runtime.spawn(async move {
            signals.next().await;
            tracing::warn!("told to stop again: stopping without waiting for requests under way");
            std::process::exit(1);
        });
    }

    /// Says that it is leaving for the configured time, stops accepting, lets requests under way finish within the
    /// configured time, and ends. Returns whether all have finished.
    pub fn shutdown(mut self) -> bool {
        let Some(runtime) = self.runtime.take() else { return true };
        self.phase.send_replace(Phase::Leaving);
        runtime.block_on(async { sleep(self.lead).await });
        self.phase.send_replace(Phase::Ending);
        let drained = runtime.block_on(async { timeout(self.drain, self.ended.recv()).await.is_ok() });
        if drained {
            let engine = self.engine.clone();
            let leave = async { timeout(THREADS_END, tokio::task::spawn_blocking(|| block_on_leaving(engine))).await };
            if runtime.block_on(leave).is_err() {
                tracing::warn!("the other servers were not told that this one leaves: they find out");
            }
        }
        runtime.shutdown_timeout(THREADS_END);
        drained
    }
}

/// Gives up the leases, on a thread that may block.
fn block_on_leaving(engine: Engine) {
    if let Err(error) = Handle::current().block_on(engine.leave()) {
        tracing::warn!("the other servers were not told that this one leaves: {error}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Signals that tell the process to stop.
#[cfg(unix)]
pub struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Signals that tell the process to stop.
#[cfg(windows)]
pub struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Signals {
    fn new() -> io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn next(&mut self) {
        self.0.recv().await;
    }
}

async fn accept(
    listener: TcpListener,
    service: Arc<Service>,
    config: Config,
    mut phase: watch::Receiver<Phase>,
    alive: mpsc::Sender<()>,
) {
    let connections_max = usize::try_from(config.connections_max).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
    let connections = Arc::new(Semaphore::new(connections_max));
    let builder = Arc::new(builder(&config));
    let header_time = Duration::from_secs(config.header_seconds);
    loop {
        let accepted = async {
            let permit = Arc::clone(&connections).acquire_owned().await;
            (listener.accept().await, permit)
        };
        let (accepted, permit) = tokio::select! {
            accepted = accepted => accepted,
            _ = phase.wait_for(|phase| *phase == Phase::Ending) => return,
        };
        let (stream, _) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!("cannot accept a connection: {error}");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let connection = Connection {
            service: Arc::clone(&service),
            builder: Arc::clone(&builder),
            header_time,
            phase: phase.clone(),
        };
        let alive = alive.clone();
        tokio::spawn(async move {
            connection.service.connected();
            let service = Arc::clone(&connection.service);
            connection.serve(stream).await;
            service.disconnected();
            drop((permit, alive));
        });
    }
}

fn builder(config: &Config) -> auto::Builder<TokioExecutor> {
    let header_time = Duration::from_secs(config.header_seconds);
    let header_bytes = usize::try_from(config.header_bytes_max).unwrap_or(usize::MAX);
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(header_time).max_buf_size(header_bytes);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(header_time)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(u32::try_from(config.header_bytes_max).unwrap_or(u32::MAX));
    builder
}

struct Connection {
    service: Arc<Service>,
    builder: Arc<auto::Builder<TokioExecutor>>,
    header_time: Duration,
    phase: watch::Receiver<Phase>,
}

impl Connection {
    async fn serve(mut self, stream: TcpStream) {
        // Answers are written whole, so waiting for more to send only delays them.
        let _ = stream.set_nodelay(true);
        let asked = Arc::new(AtomicBool::new(false));
        let service = {
            let (service, asked) = (Arc::clone(&self.service), Arc::clone(&asked));
            service_fn(move |request| {
                asked.store(true, Ordering::Relaxed);
                Arc::clone(&service).answer(request)
            })
        };
        let mut connection = std::pin::pin!(self.builder.serve_connection(TokioIo::new(stream), service));
        // The protocol is found out from the first bytes, for which hyper waits without a bound.
        let mut first = std::pin::pin!(sleep(self.header_time));
        let (mut waiting, mut open) = (true, true);
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!("a connection ended: {error}");
                    }
                    return;
                }
                () = first.as_mut(), if waiting => {
                    waiting = false;
                    if !asked.load(Ordering::Relaxed) {
                        return;
                    }
                }
                _ = self.phase.wait_for(|phase| *phase == Phase::Ending), if open => {
                    // One that has not asked for anything is not waited for; hyper would wait for its first request.
                    if !asked.load(Ordering::Relaxed) {
                        return;
                    }
                    open = false;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}
