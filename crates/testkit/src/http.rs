//! An HTTP client that returns every status as a value.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use crate::retry::{Verdict, judge};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ureq::http::Request;

/// Seconds after which a request is given up.
const REQUEST_SECONDS_MAX: u64 = 60;
/// Before a patient client repeats a request.
const REPEAT_AFTER: Duration = Duration::from_millis(50);
/// Bytes of an answer beyond which a test fails.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// A client of one server, as one account or nobody. Cheap to clone; clones share connections.
#[derive(Clone, Debug)]
pub struct Http {
    agent: ureq::Agent,
    addresses: Arc<[SocketAddr]>,
    /// The number of the next request.
    next: Arc<AtomicUsize>,
    authorization: Option<String>,
    patience: Option<Duration>,
}

/// What the server answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers, names in lower case, in the order received.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Http {
    /// A client without credentials.
    pub fn new(address: SocketAddr) -> Self {
        Self::spread(vec![address])
    }

    /// A client of several nodes, at least one: each request, of all clones together, goes to the next of them. All are
    /// addressed by the name of the first, as if a balancer stood there.
    pub fn spread(addresses: Vec<SocketAddr>) -> Self {
        let configuration = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(REQUEST_SECONDS_MAX)))
            .build();
        let next = Arc::default();
        Self { agent: configuration.into(), addresses: addresses.into(), next, authorization: None, patience: None }
    }

    /// The same client with Basic credentials, sent on every request.
    #[must_use]
    pub fn login(&self, user: &str, password: &str) -> Self {
        let pair = STANDARD.encode(format!("{user}:{password}"));
        Self { authorization: Some(format!("Basic {pair}")), ..self.clone() }
    }

    /// The same client; [`Self::send`] repeats for so long what clients of both protocols repeat, see [`judge`]. For
    /// requests that only read.
    #[must_use]
    pub fn patient(&self, patience: Duration) -> Self {
        Self { patience: Some(patience), ..self.clone() }
    }

    /// Where the server listens; the first of several.
    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// The value of the Authorization header, if there is one.
    pub fn authorization(&self) -> Option<&str> {
        self.authorization.as_deref()
    }

    /// Scheme and authority, as in `http://127.0.0.1:1234`.
    pub fn base(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Sends a request and waits for the whole answer. `path` begins with a slash and is encoded already.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Answer {
        let Some(patience) = self.patience else {
            return self.try_send(method, path, headers, body).expect("the server answers");
        };
        let (body, until) = (body.into(), Instant::now() + patience);
        loop {
            let answer = self.try_send(method, path, headers, body.clone());
            let (Verdict::NotDone(why) | Verdict::Unknown(why)) = judge(&answer) else {
                return answer.expect("an answer");
            };
            assert!(Instant::now() < until, "{why} after {patience:?}: {answer:?}");
            std::thread::park_timeout(REPEAT_AFTER);
        }
    }

    /// As [`Self::send`], with the failure of the connection as a text.
    pub fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Result<Answer, String> {
        let node = self.addresses[self.next.fetch_add(1, Ordering::Relaxed) % self.addresses.len()];
        let mut request = Request::builder().method(method).uri(format!("http://{node}{path}"));
        if node != self.address() {
            request = request.header("host", self.address().to_string());
        }
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.into();
        let sent = if body.is_empty() && matches!(method, "GET" | "HEAD" | "DELETE") {
            self.agent.run(request.body(()).expect("a valid request"))
        } else {
            self.agent.run(request.body(body).expect("a valid request"))
        };
        let mut response = sent.map_err(|error| error.to_string())?;
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        Ok(Answer { status, headers, body: body.map_err(|error| error.to_string())? })
    }

    /// Writes `head` and then `length` bytes of `filling` on a socket of its own, until the server answers, and
    /// returns what it answered with the number of bytes that it took. An answer may be empty.
    pub fn pour(&self, head: &str, filling: u8, length: usize) -> (String, usize) {
        let mut socket = TcpStream::connect(self.address()).expect("the server listens");
        let timeout = Some(Duration::from_secs(REQUEST_SECONDS_MAX));
        socket.set_read_timeout(timeout).expect("a socket");
        socket.set_write_timeout(timeout).expect("a socket");
        let mut reading = socket.try_clone().expect("a socket");
        let answered = Arc::new(AtomicBool::new(false));
        let heard = Arc::clone(&answered);
        let reader = std::thread::spawn(move || {
            let mut answer = Vec::new();
            let mut piece = [0; 4_096];
            while let Ok(count @ 1..) = reading.read(&mut piece) {
                heard.store(true, Ordering::SeqCst);
                answer.extend_from_slice(&piece[..count]);
            }
            heard.store(true, Ordering::SeqCst);
            String::from_utf8_lossy(&answer).into_owned()
        });
        let piece = [filling; 1 << 16];
        let mut taken = 0;
        if socket.write_all(head.as_bytes()).is_ok() {
            while taken < length && !answered.load(Ordering::SeqCst) {
                match socket.write(&piece[..piece.len().min(length - taken)]) {
                    Ok(count) => taken += count,
                    Err(_) => break,
                }
            }
        }
        let _ = socket.shutdown(std::net::Shutdown::Write);
        (reader.join().expect("the reader ends"), taken)
    }
}

impl Answer {
    /// The first header of this name; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(its, _)| its == name).map(|(_, value)| value.as_str())
    }

    /// The body as text; panics where it is not UTF-8.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is UTF-8")
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}
