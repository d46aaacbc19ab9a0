//! haproxy before several nodes: every request of a connection may go to another node.

use std::{
    fmt::Write as _,
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use crate::{
    Error, Port, Result,
    process::{Folder, Launch, Process, Signal},
    program,
};

/// How long it may take until it accepts connections, and has found its nodes.
const START_SECONDS_MAX: u64 = 20;
/// Between two looks whether it does.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// How it learns whether a node can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// The node accepts a connection.
    Connects,
    /// The node answers 200 at this path.
    Answers(String),
}

/// How a balancer is made.
#[derive(Clone, Debug)]
pub struct HaProxyOptions {
    /// How nodes are checked, every 200 ms.
    pub check: Check,
    /// How long a node may be silent before the request is cut off with 504.
    pub answer_within: Duration,
}

impl Default for HaProxyOptions {
    fn default() -> Self {
        Self { check: Check::Answers("/readyz".to_owned()), answer_within: Duration::from_secs(120) }
    }
}

/// A running balancer. It gives each request to the next node in turn, and tries another where a node takes no
/// connection; what has been sent to a node is never sent again.
#[derive(Debug)]
pub struct HaProxy {
    process: Process,
    port: Port,
    nodes: usize,
    folder: Folder,
}

impl HaProxy {
    /// Starts one on a free port, and waits until every node is found to be well.
    ///
    /// # Errors
    /// Where there is no haproxy, or it does not start, or a node is not well.
    pub fn start(nodes: &[SocketAddr], options: &HaProxyOptions) -> Result<Self> {
        let program = program::find("haproxy", "haproxy")?;
        let (folder, port) = (Folder::new()?, Port::free()?);
        let check = match &options.check {
            Check::Connects => "    option tcp-check\n".to_owned(),
            Check::Answers(path) => format!("    option httpchk GET {path}\n    http-check expect status 200\n"),
        };
        let mut text = format!(
            "global\n    stats socket {} level admin\n    log stderr local0 notice\n    maxconn 4000\n\
             defaults\n    mode http\n    log global\n    timeout connect 2s\n    timeout client 10m\n    \
             timeout server {}ms\n    timeout check 2s\n    option redispatch 1\n    retries 3\n    \
             retry-on conn-failure\n\
             listen nodes\n    bind {}\n    balance roundrobin\n{check}    \
             default-server check inter 200ms fall 2 rise 1 observe layer4 error-limit 1 on-error mark-down\n",
            folder.join("admin").display(),
            options.answer_within.as_millis(),
            port.address()
        );
        for (number, node) in nodes.iter().enumerate() {
            let _ = writeln!(text, "    server node{number} {node}");
        }
        let configuration = folder.join("haproxy.cfg");
        fs::write(&configuration, text).map_err(|error| Error::Failed(format!("haproxy.cfg: {error}")))?;
        let process = Process::start(&Launch {
            what: "haproxy".to_owned(),
            command: vec![program.into_os_string(), "-db".into(), "-f".into(), configuration.into_os_string()],
            environment: Vec::new(),
            log: folder.join("log"),
            last: Signal::Kill,
        })?;
        let new = Self { process, port, nodes: nodes.len(), folder };
        let until = Instant::now() + Duration::from_secs(START_SECONDS_MAX);
        while TcpStream::connect(new.address()).is_err() || !new.nodes_up().is_ok_and(|up| up == nodes.len()) {
            if !new.process.runs() || Instant::now() > until {
                return Err(new.process.fault("does not find its nodes"));
            }
            std::thread::park_timeout(ASK_AGAIN);
        }
        Ok(new)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// The URL of it, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// How many nodes it uses at present.
    ///
    /// # Errors
    /// Where it does not answer.
    pub fn nodes_up(&self) -> Result<usize> {
        let lines = self.ask("show stat")?;
        // Columns: proxy, server, …; the 18th is the state.
        let up = |line: &&str| {
            let mut columns = line.split(',');
            columns.nth(1).is_some_and(|server| server.starts_with("node"))
                && columns.nth(15).is_some_and(|state| state.starts_with("UP"))
        };
        Ok(lines.lines().filter(up).count())
    }

    /// Cuts the connections of all requests that are under way.
    ///
    /// # Errors
    /// Where it does not answer.
    pub fn cut(&self) -> Result<()> {
        for number in 0..self.nodes {
            self.ask(&format!("shutdown sessions server nodes/node{number}"))?;
        }
        Ok(())
    }

    /// The answer to a line of haproxy's management.
    fn ask(&self, line: &str) -> Result<String> {
        let failed = |error: std::io::Error| self.process.fault(&format!("{line}: {error}"));
        let mut socket = UnixStream::connect(self.folder.join("admin")).map_err(failed)?;
        socket.write_all(format!("{line}\n").as_bytes()).map_err(failed)?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).map_err(failed)?;
        Ok(answer)
    }
}
