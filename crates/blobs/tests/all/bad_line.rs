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

/// What is done to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
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
pub(crate) struct Seen<'a> {
    pub(crate) method: &'a str,
    /// Path and query.
    pub(crate) target: &'a str,
    /// How many requests came before it for which the rule was asked.
    pub(crate) number: usize,
}

impl Seen<'_> {
    /// Whether it is about a part, and not about the owner of the bucket or the bucket.
    pub(crate) fn is_about_parts(&self) -> bool {
        self.target.contains("/parts/7/") || self.target.contains("/parts/7%2F")
    }
}

/// Says what is done to a request.
type Rule = dyn Fn(&Seen<'_>) -> Fault + Send + Sync;

/// Starts a line on a free port, which listens until the process ends; its address.
pub(crate) fn start(server: SocketAddr, rule: impl Fn(&Seen<'_>) -> Fault + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let rule: Arc<Rule> = Arc::new(rule);
    let number = Arc::new(AtomicUsize::new(0));
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let (rule, number) = (Arc::clone(&rule), Arc::clone(&number));
            thread::spawn(move || pass(client, server, &*rule, &number));
        }
    });
    address
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
            thread::park_timeout(Duration::from_secs(10));
            return None;
        }
        Fault::None | Fault::AnswerLost | Fault::CutOff | Fault::Shorter | Fault::Flipped => {}
    }
    let mut upstream = TcpStream::connect(server).ok()?;
    upstream.write_all(&request).ok()?;
    let mut reply = Vec::new();
    upstream.read_to_end(&mut reply).ok()?;
    let body = reply.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
    match fault {
        Fault::AnswerLost => return client.shutdown(Shutdown::Both).ok(),
        Fault::CutOff => reply.truncate(body + (reply.len() - body) / 2),
        Fault::Shorter => {
            let length = reply.len() - body;
            let head = String::from_utf8_lossy(&reply[..body])
                .replace(&format!("Content-Length: {length}\r\n"), &format!("Content-Length: {}\r\n", length - 1));
            reply = [head.as_bytes(), &reply[body..reply.len() - 1]].concat();
        }
        Fault::Flipped => {
            let middle = body + (reply.len() - body) / 2;
            if let Some(byte) = reply.get_mut(middle) {
                *byte ^= 16;
            }
        }
        Fault::None | Fault::Busy | Fault::Dropped | Fault::Lied | Fault::Hangs => {}
    }
    client.write_all(&reply).ok()
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
            length = value.trim().parse().ok()?;
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
