//! One connection of HTTP/1.1.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

use super::account;

/// Bytes of an answer.
const ANSWER_BYTES_MAX: usize = 64 << 20;
const READ_BYTES: usize = 1 << 16;

/// A client with one connection, which it opens again where the server has closed it.
pub struct Client {
    address: SocketAddr,
    number: usize,
    authorization: String,
    stream: Option<TcpStream>,
    request: Vec<u8>,
    received: Vec<u8>,
    body: Vec<u8>,
}

impl Client {
    /// Of an account, by its number.
    pub fn new(address: SocketAddr, number: usize) -> Self {
        let authorization = authorization(number);
        let (request, received, body) = (Vec::new(), Vec::new(), Vec::new());
        Self { address, number, authorization, stream: None, request, received, body }
    }

    /// Asks as another account from now on.
    pub fn be(&mut self, number: usize) {
        if number != self.number {
            (self.number, self.authorization) = (number, authorization(number));
        }
    }

    /// Sends a request and answers the body of the answer, which must be 200.
    ///
    /// # Panics
    /// At any other answer, and where there is none.
    pub fn ask(&mut self, path: &str, body: &str) -> &str {
        self.request.clear();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Basic {}\r\nContent-Type: text/xml; charset=utf-8\r\n\
             Content-Length: {}\r\n\r\n",
            self.address,
            self.authorization,
            body.len()
        );
        self.request.extend_from_slice(head.as_bytes());
        self.request.extend_from_slice(body.as_bytes());
        let status = match self.exchange() {
            Ok(status) => status,
            // An idle connection may have been closed meanwhile.
            Err(_) => {
                self.stream = None;
                self.exchange().expect("an answer")
            }
        };
        let text = std::str::from_utf8(&self.body).expect("text");
        assert!(status == 200, "{path}: {status} {text:.600}");
        text
    }

    /// Bytes of the body of the latest answer.
    pub fn answer_bytes(&self) -> usize {
        self.body.len()
    }

    fn exchange(&mut self) -> std::io::Result<u16> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.address)?;
                stream.set_nodelay(true)?;
                stream
            }
        };
        stream.write_all(&self.request)?;
        self.received.clear();
        self.body.clear();
        let head_end = loop {
            if let Some(end) = find(&self.received, b"\r\n\r\n") {
                break end + 4;
            }
            receive(&mut stream, &mut self.received)?;
        };
        let head = String::from_utf8_lossy(self.received.get(..head_end).unwrap_or_default()).to_ascii_lowercase();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        let value = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        self.received.drain(..head_end);
        if value("transfer-encoding:") == Some("chunked") {
            loop {
                let line = loop {
                    if let Some(end) = find(&self.received, b"\r\n") {
                        break end;
                    }
                    receive(&mut stream, &mut self.received)?;
                };
                let text = String::from_utf8_lossy(self.received.get(..line).unwrap_or_default()).into_owned();
                let length = usize::from_str_radix(text.split(';').next().unwrap_or_default().trim(), 16)
                    .map_err(std::io::Error::other)?;
                while self.received.len() < line + 2 + length + 2 {
                    receive(&mut stream, &mut self.received)?;
                }
                self.body.extend_from_slice(self.received.get(line + 2..line + 2 + length).unwrap_or_default());
                self.received.drain(..line + 2 + length + 2);
                if length == 0 {
                    break;
                }
            }
        } else {
            let length = value("content-length:").and_then(|length| length.parse().ok()).unwrap_or(0);
            while self.received.len() < length {
                receive(&mut stream, &mut self.received)?;
            }
            std::mem::swap(&mut self.body, &mut self.received);
        }
        if value("connection:") != Some("close") {
            self.stream = Some(stream);
        }
        Ok(status)
    }
}

fn receive(stream: &mut TcpStream, into: &mut Vec<u8>) -> std::io::Result<()> {
    let before = into.len();
    if before > ANSWER_BYTES_MAX {
        return Err(std::io::Error::other("an answer without end"));
    }
    into.resize(before + READ_BYTES, 0);
    let read = stream.read(into.get_mut(before..).unwrap_or_default())?;
    into.truncate(before + read);
    if read == 0 { Err(std::io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

fn authorization(number: usize) -> String {
    let (user, password) = account(number);
    base64(format!("{user}:{password}").as_bytes())
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4_usize {
            let digit = DIGITS.get((word >> (18 - 6 * place) & 63) as usize).copied().unwrap_or(b'=');
            text.push(if place <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_all_lengths() {
        for (text, encoded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(base64(text.as_bytes()), encoded);
        }
    }

    /// Answers with a length and in chunks, several by one connection, and one that closes it.
    #[test]
    fn answers_of_all_forms() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let answers: [&[&str]; 2] = [
                &[
                    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3;x=y\r\ncde\r\n0\r\n\r\n",
                    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nz",
                ],
                &["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"],
            ];
            for answers in answers {
                let mut stream = listener.accept().unwrap().0;
                for answer in answers {
                    let mut request = [0; 4_096];
                    let read = stream.read(&mut request).unwrap();
                    assert!(request[..read].ends_with(b"\r\n\r\nhi"));
                    stream.write_all(answer.as_bytes()).unwrap();
                }
            }
        });
        let mut client = Client::new(address, 0);
        for body in ["abc", "abcde", "z", ""] {
            assert_eq!(client.ask("/", "hi"), body);
        }
        server.join().unwrap();
    }
}
