//! Private PostgreSQL clusters.

mod standby;

use std::{
    ffi::OsString,
    fmt::Write as _,
    fs,
    net::SocketAddr,
    os::unix::fs::chown,
    path::PathBuf,
    process::Command,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    Error, Port, Result,
    process::{Folder, Launch, Process, Signal},
    program,
};

pub use standby::Replication;

/// The only role, and the owner of everything.
const ROLE: &str = "highwater";
/// How long a server may take until it answers.
const START_SECONDS_MAX: u64 = 60;
/// Between two questions whether it answers.
const ASK_AGAIN: Duration = Duration::from_millis(20);
/// Bytes that the filling of a disk writes at once.
const FILLING_BYTES: usize = 1 << 20;

/// How a cluster is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether it writes to the disk what it has committed. Without, it is quicker, and a kill of the machine, never one
    /// of the server, may damage it.
    pub fsync: bool,
    /// Sessions at once.
    pub connections_max: u16,
    /// MiB of a disk of its own, which [`Postgres::fill_disk`] can fill; 96 are needed. Only root can make one.
    pub disk_mib: Option<u16>,
    /// More lines of `postgresql.conf`.
    pub settings: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { fsync: true, connections_max: 300, disk_mib: None, settings: Vec::new() }
    }
}

/// A cluster with one server on a free port of the loopback address. Its only role is a superuser without a password.
#[derive(Debug)]
pub struct Postgres {
    programs: PathBuf,
    options: Options,
    port: Port,
    /// User and group that the server runs as, where this process is root's.
    runs_as: Option<(u32, u32)>,
    process: Mutex<Option<Process>>,
    /// The `synchronous_standby_names`.
    synchronous: Mutex<String>,
    schemas: AtomicU32,
    standbys: AtomicU32,
    folder: Folder,
}

/// The cluster that the tests of one process share: without writing through to the disk. It ends with the process.
///
/// # Errors
/// Where there is no PostgreSQL, or it does not start.
pub fn shared() -> Result<&'static Postgres> {
    static SHARED: OnceLock<Result<Postgres>> = OnceLock::new();
    let made = SHARED.get_or_init(|| Postgres::start(Options { fsync: false, ..Options::default() }));
    made.as_ref().map_err(Clone::clone)
}

impl Postgres {
    /// Makes a cluster and starts it, in about two seconds.
    ///
    /// # Errors
    /// Where there is no PostgreSQL, it does not start, or the disk of its own cannot be had.
    pub fn start(options: Options) -> Result<Self> {
        let new = Self::prepare(options, Port::free()?)?;
        let initdb = ["-D".into(), new.data().into_os_string(), "-U".into(), ROLE.into(), "--auth=trust".into()];
        let quick = ["--no-sync", "--no-locale", "--encoding=UTF8", "--wal-segsize=4"].map(OsString::from);
        program::output("initdb", &mut new.command("initdb", initdb.into_iter().chain(quick)))?;
        new.start_server()?;
        Ok(new)
    }

    /// A folder, without a cluster.
    fn prepare(options: Options, port: Port) -> Result<Self> {
        let programs = program::postgres()?;
        let folder = Folder::new()?;
        let runs_as = program::unprivileged(folder.path())?;
        let new = Self {
            programs,
            options,
            port,
            runs_as,
            process: Mutex::new(None),
            synchronous: Mutex::new(String::new()),
            schemas: AtomicU32::new(0),
            standbys: AtomicU32::new(0),
            folder,
        };
        let failed = |error: std::io::Error| Error::Failed(format!("the folder of a cluster: {error}"));
        fs::create_dir(new.data()).map_err(failed)?;
        if let Some(mib) = new.options.disk_mib {
            let mut mount = Command::new("mount");
            mount.args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"]).arg(new.data());
            if let Err(error) = program::output("mount", &mut mount) {
                return Err(Error::Missing(format!("disk that can be filled ({error})")));
            }
        }
        fs::set_permissions(new.data(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).map_err(failed)?;
        if let Some((user, group)) = new.runs_as {
            chown(new.folder.path(), Some(user), Some(group)).map_err(failed)?;
            chown(new.data(), Some(user), Some(group)).map_err(failed)?;
        }
        Ok(new)
    }

    /// Host and port, as they stand in a URL; several are joined with commas.
    pub fn authority(&self) -> String {
        self.port.address().to_string()
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// A URL that leads into this schema, which is made where it is not there. `schema` is a plain name.
    ///
    /// # Panics
    /// Where the server does not answer.
    pub fn url(&self, schema: &str) -> String {
        let made = self.sql(&format!("CREATE SCHEMA IF NOT EXISTS \"{schema}\""));
        made.unwrap_or_else(|error| panic!("schema {schema}: {error}"));
        self.url_of(schema)
    }

    /// A URL that leads into an empty schema of its own.
    ///
    /// # Panics
    /// Where the server does not answer.
    pub fn fresh_url(&self) -> String {
        self.url(&format!("test_{}_{}", std::process::id(), self.schemas.fetch_add(1, Ordering::Relaxed)))
    }

    /// As [`Self::url`], without asking the server.
    pub fn url_of(&self, schema: &str) -> String {
        format!("postgres://{ROLE}@{}/postgres?options=-c%20search_path%3D{schema}", self.authority())
    }

    /// As [`Self::url_of`], for whichever of several servers takes writes.
    pub fn url_of_any<'s>(servers: impl IntoIterator<Item = &'s Self>, schema: &str) -> String {
        let authorities: Vec<_> = servers.into_iter().map(Self::authority).collect();
        format!(
            "postgres://{ROLE}@{}/postgres?target_session_attrs=read-write&options=-c%20search_path%3D{schema}",
            authorities.join(",")
        )
    }

    /// Runs SQL outside of any schema of a test; what it answers: a line a row, fields with a bar between.
    ///
    /// # Errors
    /// What the server says, or that there is none.
    pub fn sql(&self, text: &str) -> Result<String> {
        self.sql_at(&self.url_of("public"), text)
    }

    /// As [`Self::sql`], in the schema that a URL of this server leads into.
    ///
    /// # Errors
    /// What the server says, or that there is none.
    pub fn sql_at(&self, url: &str, text: &str) -> Result<String> {
        let quiet = ["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", text];
        let mut psql = Command::new(self.programs.join("psql"));
        psql.env("PGCONNECT_TIMEOUT", "10").args(quiet);
        Ok(program::output("psql", &mut psql)?.trim_end().to_owned())
    }

    /// Whether the server answers.
    pub fn answers(&self) -> bool {
        self.sql("SELECT 1").is_ok()
    }

    /// Ends all sessions but its own; how many.
    ///
    /// # Errors
    /// Where the server does not answer.
    pub fn terminate_backends(&self) -> Result<usize> {
        let ended = self.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
        )?;
        Ok(ended.lines().filter(|line| *line == "t").count())
    }

    /// Kills the server and all its processes as a loss of power does, but for what lies in the caches of the system.
    ///
    /// # Errors
    /// Where they do not end.
    pub fn kill(&self) -> Result<()> {
        let Some(mut process) = self.process().take() else { return Ok(()) };
        // The first line is the number of the process; the seventh names the segment of memory that it would remove.
        let about = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let number = about.lines().next().unwrap_or_default();
        let segment = about.lines().nth(6).and_then(|line| line.split_whitespace().nth(1));
        // The others would notice the end of the first, but finish their statements before.
        process.signal(Signal::Stop);
        let children = children(number);
        process.signal(Signal::Kill);
        if !children.is_empty() {
            let _ = program::output("kill", Command::new("kill").arg("-KILL").args(&children));
        }
        if process.wait(Duration::from_secs(START_SECONDS_MAX)).is_none() {
            return Err(process.fault("lives on"));
        }
        if let Some(segment) = segment {
            let _ = program::output("ipcrm", Command::new("ipcrm").args(["-m", segment]));
        }
        Ok(())
    }

    /// Ends the server in an orderly way: sessions are ended at once.
    ///
    /// # Errors
    /// Where it does not end.
    pub fn stop_fast(&self) -> Result<()> {
        let Some(mut process) = self.process().take() else { return Ok(()) };
        process.end(Signal::Interrupt).map(|_| ())
    }

    /// Starts the server again, after an orderly end where it runs.
    ///
    /// # Errors
    /// Where it does not end or start.
    pub fn restart(&self) -> Result<()> {
        self.stop_fast()?;
        self.start_server()
    }

    /// The end of the server's log.
    pub fn log_end(&self) -> String {
        self.process().as_ref().map(Process::log_end).unwrap_or_default()
    }

    /// Takes all that is left of the disk of its own.
    ///
    /// # Errors
    /// [`Error::Missing`] where the cluster was made without [`Options::disk_mib`].
    pub fn fill_disk(&self) -> Result<()> {
        use std::io::Write as _;
        if self.options.disk_mib.is_none() {
            return Err(Error::Missing("disk that can be filled: Options::disk_mib".to_owned()));
        }
        let failed = |error: std::io::Error| Error::Failed(format!("the filling of a disk: {error}"));
        let mut filling = fs::File::create(self.data().join("filling")).map_err(failed)?;
        let mut piece = vec![0x55; FILLING_BYTES];
        while !piece.is_empty() {
            if filling.write_all(&piece).is_err() {
                piece.truncate(piece.len() / 2);
            }
        }
        Ok(())
    }

    /// Gives back what [`Self::fill_disk`] took.
    ///
    /// # Errors
    /// Where the disk was not filled.
    pub fn free_disk(&self) -> Result<()> {
        fs::remove_file(self.data().join("filling"))
            .map_err(|error| Error::Failed(format!("the filling of a disk: {error}")))
    }

    /// Ends the server and throws the cluster away; its port is kept for another.
    pub fn into_port(self) -> Port {
        let Self { port, process, folder, .. } = self;
        drop((process, folder));
        port
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// A program of PostgreSQL, as the user that the server runs as.
    fn command(&self, name: &str, arguments: impl IntoIterator<Item = OsString>) -> Command {
        let words = self.words(name);
        let mut words = words.iter();
        let mut command = Command::new(words.next().cloned().unwrap_or_default());
        command.args(words).args(arguments).current_dir(self.folder.path());
        command
    }

    fn words(&self, name: &str) -> Vec<OsString> {
        let program = self.programs.join(name).into_os_string();
        let Some((user, group)) = self.runs_as else { return vec![program] };
        let who = ["setpriv", &format!("--reuid={user}"), &format!("--regid={group}"), "--clear-groups", "--"];
        who.into_iter().map(OsString::from).chain([program]).collect()
    }

    /// Writes `postgresql.conf`.
    fn configure(&self) -> Result<()> {
        let fsync = if self.options.fsync { "on" } else { "off" };
        let synchronous = self.synchronous.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // Shared memory lies in the folder, so that nothing stays when the server is killed.
        let mut text = format!(
            "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = ''\nmax_connections = {}\n\
             shared_buffers = 64MB\ndynamic_shared_memory_type = mmap\nhuge_pages = off\nmax_wal_size = 256MB\n\
             fsync = {fsync}\nfull_page_writes = {fsync}\nsynchronous_standby_names = '{synchronous}'\n\
             wal_level = replica\nmax_wal_senders = 8\nmax_replication_slots = 8\nhot_standby = on\n\
             wal_receiver_status_interval = 1s\nwal_retrieve_retry_interval = 200ms\njit = off\n\
             log_min_messages = warning\nlog_line_prefix = '%m [%p] '\ntimezone = UTC\nlog_timezone = UTC\n",
            self.port.number(),
            self.options.connections_max
        );
        if self.options.disk_mib.is_some() {
            text += "max_wal_size = 16MB\nmin_wal_size = 8MB\n";
        }
        for line in &self.options.settings {
            let _ = writeln!(text, "{line}");
        }
        let path = self.data().join("postgresql.conf");
        fs::write(&path, text).map_err(|error| Error::Failed(format!("{}: {error}", path.display())))
    }

    /// Starts the server, which must not run, and waits until it answers.
    fn start_server(&self) -> Result<()> {
        self.configure()?;
        let mut command = self.words("postgres");
        command.extend(["-D".into(), self.data().into_os_string()]);
        let log = self.folder.join("log");
        let process = Process::start(&Launch {
            what: "postgres".to_owned(),
            command,
            environment: vec![("LC_ALL".into(), "C".into())],
            log,
            last: Signal::Quit,
        })?;
        let until = Instant::now() + Duration::from_secs(START_SECONDS_MAX);
        let port = self.port.number().to_string();
        let asking = ["-q", "-h", "127.0.0.1", "-p", &port].map(OsString::from);
        while program::output("pg_isready", &mut self.command("pg_isready", asking.clone())).is_err() {
            if !process.runs() || Instant::now() > until {
                return Err(process.fault("does not start"));
            }
            std::thread::park_timeout(ASK_AGAIN);
        }
        *self.process() = Some(process);
        Ok(())
    }
}

/// The children of a process, where the system tells them.
fn children(parent: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // After the name in brackets, which may hold anything: the state, then the parent.
        let its = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1));
        if its.is_some_and(|its| its == parent) {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found
}
