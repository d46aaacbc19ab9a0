//! A line to an S3 server that understands requests, and damages those that it is told to.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use crate::{Error, Result};

/// Bytes of a request's body that are taken.
const BODY_BYTES_MAX: usize = 64 << 20;
/// How long a request hangs that is to hang.
const HANGS: Duration = Duration::from_secs(10);

/// What is done to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: it is passed on, and so is the answer.
    None,
    /// 503 SlowDown; the server never sees it.
    Busy,
    /// The connection ends; the server never sees it.
    Dropped,
    /// The server does it; the connection ends before the answer.
    AnswerLost,
    /// 200 with an answer that looks right; the server never sees it.
    Lied,
    /// The answer ends in the middle of its body.
    CutOff,
    /// The body of the answer is one byte shorter, and its head says so.
    Shorter,
    /// A bit of the body of the answer is another.
    Flipped,
    /// No answer for ten seconds.
    Hangs,
}

/// A request as the line sees it.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// `GET`, `PUT` and so on.
    pub method: &'a str,
    /// Path and query.
    pub target: &'a str,
    /// How many requests about parts came before it.
    pub number: usize,
}

impl Seen<'_> {
    /// Whether it is about a part, and not about the bucket or to whom that belongs.
    pub fn is_about_parts(&self) -> bool {
        let path = self.target.split('?').next().unwrap_or_default();
        path.rsplit("/parts/").next().is_some_and(|name| name != path && name.contains('-'))
    }
}

/// Says what is done to a request.
type Rule = dyn Fn(&Seen<'_>) -> Fault + Send + Sync;

/// A line to an S3 server that understands requests, and damages those that a rule says. It listens until the process
/// ends.
#[derive(Clone, Copy, Debug)]
pub struct ObjectLine(SocketAddr);

impl ObjectLine {
    /// Starts a line on a free port.
    ///
    /// # Errors
    /// Where there is none.
    pub fn start(server: SocketAddr, rule: impl Fn(&Seen<'_>) -> Fault + Send + Sync + 'static) -> Result<Self> {
        let failed = |error: std::io::Error| Error::Failed(format!("a line to an S3 server: {error}"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let rule: Arc<Rule> = Arc::new(rule);
        let number = Arc::new(AtomicUsize::new(0));
        thread::spawn(move || {
            for client in listener.incoming().map_while(std::result::Result::ok) {
                let (rule, number) = (Arc::clone(&rule), Arc::clone(&number));
                thread::spawn(move || pass(client, server, &*rule, &number));
            }
        });
        Ok(Self(address))
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.0
    }
}

/// One request and its answer; what fails ends the connection, which is what a line may do.
fn pass(mut client: TcpStream, server: SocketAddr, rule: &Rule, number: &AtomicUsize) -> Option<()> {
    let (head, request) = read_request(&client)?;
    let mut words = head.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let mut seen = Seen { method, target, number: 0 };
    if seen.is_about_parts() {
        seen.number = number.fetch_add(1, Ordering::SeqCst);
    }
    let fault = rule(&seen);
    match fault {
        Fault::Busy => {
            let body = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";
            return answer(&mut client, "503 Slow Down", body);
        }
        Fault::Lied => return answer(&mut client, "200 OK", ""),
        Fault::Dropped => return client.shutdown(Shutdown::Both).ok(),
        Fault::Hangs => {
            thread::park_timeout(HANGS);
            return None;
        }
        Fault::None | Fault::AnswerLost | Fault::CutOff | Fault::Shorter | Fault::Flipped => {}
    }
    let mut upstream = TcpStream::connect(server).ok()?;
    upstream.write_all(&request).ok()?;
    let mut reply = Vec::new();
    upstream.read_to_end(&mut reply).ok()?;
    let head_bytes = reply.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
    let mut body = reply.split_off(head_bytes);
    match fault {
        Fault::AnswerLost => return client.shutdown(Shutdown::Both).ok(),
        Fault::CutOff => body.truncate(body.len() / 2),
        Fault::Shorter => {
            let (long, short) = (body.len(), body.len().saturating_sub(1));
            let length = |bytes: usize| format!("Content-Length: {bytes}\r\n");
            reply = String::from_utf8_lossy(&reply).replace(&length(long), &length(short)).into_bytes();
            body.truncate(short);
        }
        Fault::Flipped => {
            let middle = body.len() / 2;
            if let Some(byte) = body.get_mut(middle) {
                *byte ^= 16;
            }
        }
        Fault::None | Fault::Busy | Fault::Dropped | Fault::Lied | Fault::Hangs => {}
    }
    client.write_all(&reply).ok()?;
    client.write_all(&body).ok()
}

fn answer(client: &mut TcpStream, status: &str, body: &str) -> Option<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nETag: \"1\"\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    client.write_all(head.as_bytes()).ok()?;
    client.write_all(body.as_bytes()).ok()
}

/// The first line, and the whole request with a head that asks the server to close.
fn read_request(client: &TcpStream) -> Option<(String, Vec<u8>)> {
    let mut reader = BufReader::new(client);
    let (mut lines, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().ok().filter(|length| *length <= BODY_BYTES_MAX)?;
        }
        if !lower.starts_with("connection:") {
            lines.push(line);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let first = lines.first()?.clone();
    lines.push("Connection: close\r\n\r\n".to_owned());
    Some((first, [lines.join("\r\n").as_bytes(), &body].concat()))
}
