//! Processes of the program itself.

use std::{
    ffi::OsString,
    fs,
    net::SocketAddr,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use crate::{
    Error, Port, Result, clock,
    process::{Folder, Launch, Process, Signal},
};

/// How long a node may take until it listens.
const START_SECONDS_MAX: u64 = 60;
/// Ports that are tried for a new node.
const PORTS_MAX: usize = 5;

/// How a node is made.
#[derive(Clone, Debug, Default)]
pub struct NodeOptions {
    /// The program.
    pub program: PathBuf,
    /// What follows `serve`, without `--listen`.
    pub arguments: Vec<OsString>,
    /// Variables beside those of this process.
    pub environment: Vec<(OsString, OsString)>,
    /// Seconds that its clock is ahead of this machine's; negative ones behind. Needs gcc.
    pub clock_ahead_seconds: i64,
}

/// A `highwater serve` on a free port, which it keeps from start to start.
#[derive(Debug)]
pub struct Node {
    options: NodeOptions,
    process: Option<Process>,
    port: Port,
    starts: AtomicU32,
    folder: Folder,
}

impl Node {
    /// Starts one and waits until it listens.
    ///
    /// # Errors
    /// Where it ends, or does not listen within a minute; a compiler is missing and needed.
    pub fn start(options: NodeOptions) -> Result<Self> {
        let folder = Folder::new()?;
        let mut new = Self { options, process: None, port: Port::free()?, starts: AtomicU32::new(0), folder };
        let mut outcome = new.start_again();
        for _ in 1..PORTS_MAX {
            // Somebody who does not ask for ports as we do has taken this one.
            let Err(Error::Failed(why)) = &outcome else { break };
            if !why.contains("in use") {
                break;
            }
            new.port = Port::free()?;
            outcome = new.start_again();
        }
        outcome.map(|()| new)
    }

    /// Starts it again on its port, after an end.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_again(&mut self) -> Result<()> {
        self.launch()?;
        self.wait_until_it_listens()
    }

    /// Starts it again, without waiting: see [`Self::wait_until_it_listens`].
    ///
    /// # Errors
    /// As [`Process::start`]; a compiler is missing and needed.
    pub fn launch(&mut self) -> Result<()> {
        let mut command = vec![self.options.program.clone().into_os_string(), "serve".into()];
        command.extend(self.options.arguments.iter().cloned());
        command.extend(["--listen".into(), self.address().to_string().into()]);
        let mut environment = self.options.environment.clone();
        if self.options.clock_ahead_seconds != 0 {
            environment.extend([
                ("LD_PRELOAD".into(), clock::library()?.into_os_string()),
                (clock::VARIABLE.into(), self.options.clock_ahead_seconds.to_string().into()),
            ]);
        }
        let start = self.starts.fetch_add(1, Ordering::Relaxed);
        let log = self.folder.join(format!("log{start}"));
        let what = format!("node at {}", self.address());
        self.process = Some(Process::start(&Launch { what, command, environment, log, last: Signal::Kill })?);
        Ok(())
    }

    /// Waits until it says that it listens.
    ///
    /// # Errors
    /// Where it ends, or says nothing within a minute; with its log.
    pub fn wait_until_it_listens(&self) -> Result<()> {
        self.said("listening on ").map(|_| ())
    }

    /// Waits for a line of its output that begins so, and answers the rest of it.
    ///
    /// # Errors
    /// As [`Self::wait_until_it_listens`].
    pub fn said(&self, beginning: &str) -> Result<String> {
        let process = self.process.as_ref().ok_or_else(|| Error::Failed("the node was not started".to_owned()))?;
        process.line(beginning, Duration::from_secs(START_SECONDS_MAX))
    }

    /// Where it listens, when it does.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// The URL of it, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Ends it at once.
    ///
    /// # Errors
    /// Where it does not end.
    pub fn kill(&mut self) -> Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        process.end(Signal::Kill).map(|_| ())
    }

    /// Asks it to end, and waits: its exit code.
    ///
    /// # Errors
    /// Where it was not started, or does not end within 30 seconds.
    pub fn terminate(&mut self) -> Result<i32> {
        let process = self.process.take();
        let mut process = process.ok_or_else(|| Error::Failed("the node was not started".to_owned()))?;
        process.end(Signal::Terminate)
    }

    /// Sends it a signal.
    pub fn signal(&mut self, signal: Signal) {
        if let Some(process) = &mut self.process {
            process.signal(signal);
        }
    }

    /// Whether it runs.
    pub fn runs(&self) -> bool {
        self.process.as_ref().is_some_and(Process::runs)
    }

    /// What all its starts have logged.
    pub fn log(&self) -> String {
        let starts = 0..self.starts.load(Ordering::Relaxed);
        let log = |start| fs::read(self.folder.join(format!("log{start}"))).unwrap_or_default();
        starts.map(|start| String::from_utf8_lossy(&log(start)).into_owned()).collect()
    }
}
