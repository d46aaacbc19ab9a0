//! A client of streaming notifications: one request whose answer comes piece by piece.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use crate::{
    ews::{Ews, PATH, envelope},
    tree::{Reach, Tree},
};

/// How long a test waits for an envelope.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes of an envelope beyond which a test fails.
const ENVELOPE_BYTES_MAX: usize = 1 << 20;

/// A request that hangs. Dropped, it is cut.
#[derive(Debug)]
pub struct Hanging {
    connection: TcpStream,
    /// What has come and is not read yet, chunks undone.
    text: String,
    /// What has come of a chunk.
    raw: Vec<u8>,
}

/// The request for the events of streaming subscriptions.
pub fn get_streaming_events(ids: &[&str], minutes: u32) -> String {
    let ids: String = ids.iter().map(|id| format!("<t:SubscriptionId>{id}</t:SubscriptionId>")).collect();
    format!(
        "<m:GetStreamingEvents><m:SubscriptionIds>{ids}</m:SubscriptionIds><m:ConnectionTimeout>{minutes}\
         </m:ConnectionTimeout></m:GetStreamingEvents>"
    )
}

impl Hanging {
    /// Asks for the events of subscriptions, and reads up to the first envelope.
    ///
    /// # Panics
    /// When the answer is no 200 that comes in chunks.
    pub fn ask(ews: &Ews, ids: &[&str]) -> Self {
        Self::try_ask(ews, ids).expect("an answer in chunks")
    }

    /// As [`Self::ask`]; `None` where the answer is whole at once.
    ///
    /// # Panics
    /// When the answer is no 200.
    pub fn try_ask(ews: &Ews, ids: &[&str]) -> Option<Self> {
        let mut connection = TcpStream::connect(ews.http().address()).expect("a connection");
        let body = envelope(&get_streaming_events(ids, 1));
        let head = format!(
            "POST {PATH} HTTP/1.1\r\nHost: test\r\nAuthorization: {}\r\nContent-Type: text/xml\r\nAccept-Encoding: gzip\r\n\
             Content-Length: {}\r\n\r\n",
            ews.http().authorization().expect("credentials"),
            body.len()
        );
        connection.write_all(head.as_bytes()).and_then(|()| connection.write_all(body.as_bytes())).expect("sent");
        let mut hanging = Self { connection, text: String::new(), raw: Vec::new() };
        let end = Instant::now() + PATIENCE;
        let head = loop {
            if let Some(at) = hanging.raw.windows(4).position(|four| four == b"\r\n\r\n") {
                let rest = hanging.raw.split_off(at + 4);
                break String::from_utf8(std::mem::replace(&mut hanging.raw, rest)).expect("a head");
            }
            assert!(hanging.receive(end), "no head");
        };
        let head = head.to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200 "), "{head}");
        assert!(!head.contains("content-encoding"), "{head}");
        head.contains("transfer-encoding: chunked").then_some(hanging)
    }

    /// The next envelope, within `patience`. `None` where none comes, or the answer is over.
    pub fn next(&mut self, patience: Duration) -> Option<Tree> {
        let end = Instant::now() + patience;
        loop {
            self.undo_chunks();
            if let Some(at) = self.text.find("</Envelope>") {
                let rest = self.text.split_off(at + "</Envelope>".len());
                return Some(Tree::parse(&std::mem::replace(&mut self.text, rest)));
            }
            assert!(self.text.len() < ENVELOPE_BYTES_MAX, "{}", self.text);
            if !self.receive(end) {
                return None;
            }
        }
    }

    /// The kinds of the events of the next envelope, in order; its status, where it has none.
    pub fn hear(&mut self, patience: Duration) -> Option<String> {
        let envelope = self.next(patience)?;
        let message = envelope.payload().at("ResponseMessages/*");
        let kinds = message
            .find("Notifications/Notification")
            .map(|one| one.children().skip(1).map(|event| event.local().to_owned()).collect::<Vec<_>>().join(" "));
        let code = message.value("ResponseCode").filter(|code| code != "NoError");
        let status = message.value("ConnectionStatus");
        Some(kinds.or(code).or(status).unwrap_or_default())
    }

    /// Whether the server has closed the answer, within the patience of a test.
    pub fn is_over(&mut self) -> bool {
        let end = Instant::now() + PATIENCE;
        loop {
            if self.raw.starts_with(b"0\r\n") {
                return true;
            }
            if !self.receive(end) {
                return Instant::now() < end;
            }
        }
    }

    /// Takes over what has come in whole chunks.
    fn undo_chunks(&mut self) {
        while let Some(at) = self.raw.windows(2).position(|two| two == b"\r\n") {
            let size = std::str::from_utf8(&self.raw[..at]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
            let size = size.expect("the size of a chunk");
            let Some(chunk) = self.raw.get(at + 2..at + 2 + size).filter(|_| size > 0) else { return };
            self.text.push_str(std::str::from_utf8(chunk).expect("text"));
            if self.raw.len() < at + 4 + size {
                self.raw.drain(..at + 2 + size);
                return;
            }
            self.raw.drain(..at + 4 + size);
        }
    }

    /// Waits for more. Whether it came.
    fn receive(&mut self, end: Instant) -> bool {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        self.connection.set_read_timeout(Some(left)).expect("a timeout");
        let mut buffer = [0; 4_096];
        match self.connection.read(&mut buffer) {
            Ok(0) => false,
            Ok(count) => {
                self.raw.extend(&buffer[..count]);
                true
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => false,
            Err(error) => panic!("{error}"),
        }
    }
}
