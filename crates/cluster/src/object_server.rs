//! An S3 server: moto's, from PyPI. It keeps its objects in memory, and knows buckets, uploads in parts, ranges,
//! conditions and listings as S3 does; it does not check signatures.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    Error, Port, Result,
    process::{Folder, Launch, Process, Signal},
    program,
};

/// How long it may take until it accepts connections.
const START_SECONDS_MAX: u64 = 180;
/// Between two looks whether it does.
const ASK_AGAIN: Duration = Duration::from_millis(20);
/// The program, and the virtual environment under `target` that `cargo xtask test` puts it into.
const PROGRAM: &str = "moto_server";
const ENVIRONMENT: &str = "object-server-venv";

/// A running server.
#[derive(Debug)]
pub struct ObjectServer {
    _process: Process,
    port: Port,
    buckets: AtomicU32,
    _folder: Folder,
}

impl ObjectServer {
    /// The server that the tests of one process share. It ends with the process.
    ///
    /// # Errors
    /// Where it is not installed, or does not start.
    pub fn shared() -> Result<&'static Self> {
        static SHARED: OnceLock<Result<ObjectServer>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref().map_err(Clone::clone)
    }

    /// Starts one, in about a second.
    ///
    /// # Errors
    /// As [`Self::shared`].
    pub fn start() -> Result<Self> {
        let program = installed()?;
        let (folder, port) = (Folder::new()?, Port::free()?);
        let arguments = ["-H".into(), "127.0.0.1".into(), "-p".into(), port.number().to_string().into()];
        let process = Process::start(&Launch {
            what: PROGRAM.to_owned(),
            command: [program.into_os_string()].into_iter().chain(arguments).collect(),
            environment: vec![("PYTHONDONTWRITEBYTECODE".into(), "1".into())],
            log: folder.join("log"),
            last: Signal::Kill,
        })?;
        let until = Instant::now() + Duration::from_secs(START_SECONDS_MAX);
        while TcpStream::connect(port.address()).is_err() {
            if !process.runs() || Instant::now() > until {
                return Err(process.fault("does not start"));
            }
            std::thread::park_timeout(ASK_AGAIN);
        }
        Ok(Self { _process: process, port, buckets: AtomicU32::new(0), _folder: folder })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Makes a bucket that nobody else has; its name.
    ///
    /// # Errors
    /// Where it does not answer.
    pub fn bucket(&self) -> Result<String> {
        let name = format!("bucket-{}", self.buckets.fetch_add(1, Ordering::Relaxed));
        let answer =
            self.ask(&format!("PUT /{name} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address()));
        match answer {
            Ok(text) if text.starts_with("HTTP/1.1 200") => Ok(name),
            Ok(text) => Err(Error::Failed(format!("making {name}: {text}"))),
            Err(error) => Err(Error::Failed(format!("making {name}: {error}"))),
        }
    }

    /// What is given as `--blobs` for a bucket of this server, reached at `address`, which may be that of a line before it.
    pub fn url(&self, bucket: &str, address: SocketAddr) -> String {
        let keys = "region=us-east-1&access_key_id=highwater&secret_access_key=highwater";
        format!("s3://{bucket}/parts?endpoint=http://{address}&{keys}")
    }

    fn ask(&self, request: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(self.address())?;
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}

/// In the environment under the folder that this test was built into, or on the path.
fn installed() -> Result<PathBuf> {
    let own = std::env::current_exe().unwrap_or_default();
    let beside = own.ancestors().map(|folder| folder.join(ENVIRONMENT).join("bin").join(PROGRAM));
    let found = beside.into_iter().find(|program| program.is_file());
    found.map_or_else(|| program::find(PROGRAM, "moto[s3] of PyPI; `cargo xtask test` installs it"), Ok)
}
