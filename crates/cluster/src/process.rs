//! Processes and folders that never outlive their maker.
//!
//! Between the maker and a process stands a shell that reads a pipe from the maker: words are signals to be sent, and at
//! the end of the pipe, which also comes when the maker is killed, the shell ends the process. It is the process's
//! parent, so the number it signals can be nobody else's. The process has the writing end of another pipe as its
//! standard output; when that pipe ends, the process and all its children are gone.

use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{Error, Result};

/// Lines of a process's output that are kept, the latest.
const LINES_MAX: usize = 1_000;
/// Bytes of a log that a failure shows, the latest.
const LOG_SHOWN_BYTES_MAX: usize = 6_000;
/// How long a process may take to end after it was killed.
const END_SECONDS_MAX: u64 = 30;

/// Runs the rest of the arguments and passes signals on; the first argument is the signal for the end.
const KEEP: &str = r#"last=$1; shift
"$@" </dev/null & child=$!
exec >/dev/null 2>&1
while read -r signal; do kill -s "$signal" "$child"; done
kill -s "$last" "$child"
( sleep 5; kill -s KILL "$child" ) & timer=$!
wait "$child"; status=$?
kill "$timer"
exit "$status""#;

/// Removes a folder at the end of the pipe; `data` in it may be a file system of its own.
const SWEEP: &str = r#"while read -r _; do :; done
for _ in 1 2 3 4 5 6 7 8 9 10; do
    umount -l "$1/data"
    rm -rf "$1" && exit
    sleep 1
done"#;

/// A signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ends at once; the process cannot do anything about it.
    Kill,
    /// Asks to end in an orderly way.
    Terminate,
    /// As from a keyboard. PostgreSQL: ends all sessions, in an orderly way.
    Interrupt,
    /// PostgreSQL: ends at once but for what outlives a process.
    Quit,
    /// Read the configuration again.
    HangUp,
    /// Stands still.
    Stop,
    /// Goes on.
    Continue,
}

impl Signal {
    const fn name(self) -> &'static str {
        match self {
            Self::Kill => "KILL",
            Self::Terminate => "TERM",
            Self::Interrupt => "INT",
            Self::Quit => "QUIT",
            Self::HangUp => "HUP",
            Self::Stop => "STOP",
            Self::Continue => "CONT",
        }
    }
}

/// What is to run.
#[derive(Clone, Debug)]
pub struct Launch {
    /// A name for messages.
    pub what: String,
    /// The program, and its arguments.
    pub command: Vec<OsString>,
    /// Variables beside those of this process.
    pub environment: Vec<(OsString, OsString)>,
    /// The file that takes its standard error; made where it is not there, added to otherwise.
    pub log: PathBuf,
    /// What it is sent when its time is over.
    pub last: Signal,
}

/// A process that ends with the value, and with the process that made it.
#[derive(Debug)]
pub struct Process {
    what: String,
    shell: Child,
    orders: Option<ChildStdin>,
    output: Arc<Output>,
    log: PathBuf,
    code: Option<i32>,
}

#[derive(Debug, Default)]
struct Output {
    said: Mutex<Said>,
    news: Condvar,
}

#[derive(Debug, Default)]
struct Said {
    lines: VecDeque<String>,
    ended: bool,
}

impl Output {
    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `found` gives something, the process has ended, or `patience` is over.
    fn wait<T>(&self, patience: Duration, mut found: impl FnMut(&Said) -> Option<T>) -> Option<T> {
        let until = Instant::now() + patience;
        let mut said = self.said();
        loop {
            let found = found(&said);
            let left = until.saturating_duration_since(Instant::now());
            if found.is_some() || said.ended || left.is_zero() {
                return found;
            }
            said = self.news.wait_timeout(said, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Process {
    /// Starts it.
    ///
    /// # Errors
    /// Where there is no shell, or no file for the log.
    pub fn start(launch: &Launch) -> Result<Self> {
        let failed = |error: std::io::Error| Error::Failed(format!("{}: {error}", launch.what));
        let errors = File::options().create(true).append(true).open(&launch.log).map_err(failed)?;
        let mut shell = Command::new("sh")
            .args(["-c", KEEP, "sh", launch.last.name()])
            .args(&launch.command)
            .envs(launch.environment.iter().map(|(name, value)| (name, value)))
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .map_err(failed)?;
        let output = Arc::new(Output::default());
        if let Some(stdout) = shell.stdout.take() {
            let output = Arc::clone(&output);
            std::thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(std::result::Result::ok) {
                    let mut said = output.said();
                    said.lines.push_back(line);
                    if said.lines.len() > LINES_MAX {
                        said.lines.pop_front();
                    }
                    output.news.notify_all();
                }
                output.said().ended = true;
                output.news.notify_all();
            });
        }
        let orders = shell.stdin.take();
        Ok(Self { what: launch.what.clone(), shell, orders, output, log: launch.log.clone(), code: None })
    }

    /// Sends a signal; nothing happens where the process has ended.
    pub fn signal(&mut self, signal: Signal) {
        if let Some(orders) = &mut self.orders {
            let _ = writeln!(orders, "{}", signal.name());
        }
    }

    /// Whether it, or a child of it, still runs.
    pub fn runs(&self) -> bool {
        !self.output.said().ended
    }

    /// Waits for the end of the process and of its children, at most this long; its exit code, or 128 and the number of
    /// the signal that ended it.
    pub fn wait(&mut self, patience: Duration) -> Option<i32> {
        self.output.wait(patience, |said| said.ended.then_some(()))?;
        self.orders = None;
        if self.code.is_none() {
            self.code = self.shell.wait().ok().and_then(|status| status.code());
        }
        self.code
    }

    /// Sends a signal and waits for the end.
    ///
    /// # Errors
    /// Where it does not end within 30 seconds.
    pub fn end(&mut self, signal: Signal) -> Result<i32> {
        self.signal(signal);
        let patience = Duration::from_secs(END_SECONDS_MAX);
        self.wait(patience).ok_or_else(|| self.fault(&format!("does not end after {}", signal.name())))
    }

    /// The rest of the first line of its output that begins so, which may come within `patience`.
    ///
    /// # Errors
    /// Where it ends without, or does not say it in time; with the end of its log.
    pub fn line(&self, beginning: &str, patience: Duration) -> Result<String> {
        let rest = |said: &Said| said.lines.iter().find_map(|line| line.strip_prefix(beginning).map(str::to_owned));
        self.output.wait(patience, rest).ok_or_else(|| self.fault(&format!("never says {beginning:?}")))
    }

    /// An error of this process, with the end of its log.
    pub fn fault(&self, what: &str) -> Error {
        Error::Failed(format!("{}: {what}; its log ends with\n{}", self.what, self.log_end()))
    }

    /// The end of its log.
    pub fn log_end(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let shown = log.get(log.len().saturating_sub(LOG_SHOWN_BYTES_MAX)..).unwrap_or_default();
        String::from_utf8_lossy(shown).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.orders = None;
        let _ = self.shell.wait();
    }
}

/// A temporary folder that is gone after this process, however it ends.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    sweeper: Child,
}

impl Folder {
    /// A new folder.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn new() -> Result<Self> {
        let failed = |error: std::io::Error| Error::Failed(format!("a temporary folder: {error}"));
        let path = tempfile::Builder::new().prefix("highwater-test-").tempdir().map_err(failed)?.keep();
        let sweeper = Command::new("sh")
            .args(["-c", SWEEP, "sh"])
            .arg(&path)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        Ok(Self { path, sweeper })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path in it.
    pub fn join(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.path.join(name.as_ref())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.sweeper.stdin.take());
        let _ = self.sweeper.wait();
    }
}
