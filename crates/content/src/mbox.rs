//! Mailbox files in the mboxrd and mboxo forms: messages one after the other, each behind a `From ` line.

use std::io::{self, BufRead};

use model::limits;

/// The messages of a mailbox file, in order, without their `From ` lines and the empty line that divides them. Lines that
/// begin with `>`s and `From ` lose one `>`. Bytes before the first `From ` line are left out.
///
/// A message of more than [`limits::PART_BYTES_MAX`] comes as an error of kind `InvalidData`, and the next one follows;
/// after an error of `reader` itself nothing follows. Memory: one message.
pub fn split(reader: impl BufRead) -> impl Iterator<Item = io::Result<Vec<u8>>> {
    split_bounded(reader, limits::PART_BYTES_MAX)
}

fn split_bounded(reader: impl BufRead, bytes_max: usize) -> impl Iterator<Item = io::Result<Vec<u8>>> {
    Messages { reader, bytes_max, state: State::Before, line: Vec::new() }
}

struct Messages<R> {
    reader: R,
    bytes_max: usize,
    state: State,
    line: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// No `From ` line has been read.
    Before,
    /// The `From ` line of the next message has been read.
    Inside,
    /// The end, or an error.
    Done,
}

impl<R: BufRead> Iterator for Messages<R> {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut message = Vec::new();
        let mut too_long = false;
        let mut after_empty = true;
        while self.state != State::Done {
            match self.read_line() {
                Err(error) => {
                    self.state = State::Done;
                    return Some(Err(error));
                }
                Ok(false) => {
                    let inside = self.state == State::Inside;
                    self.state = State::Done;
                    return inside.then(|| finish(message, too_long));
                }
                Ok(true) => {}
            }
            if after_empty && self.line.starts_with(b"From ") {
                let inside = self.state == State::Inside;
                self.state = State::Inside;
                if inside {
                    return Some(finish(message, too_long));
                }
                after_empty = false;
                continue;
            }
            after_empty = matches!(self.line.as_slice(), b"\n" | b"\r\n");
            if self.state == State::Inside {
                let line = unquoted(&self.line);
                too_long |= message.len() + line.len() > self.bytes_max;
                if too_long {
                    message = Vec::new();
                } else {
                    message.extend(line);
                }
            }
        }
        None
    }
}

impl<R: BufRead> Messages<R> {
    /// Reads one line into `line`; false at the end. Of a line that is longer than a message may be, only the start is
    /// kept.
    fn read_line(&mut self) -> io::Result<bool> {
        self.line.clear();
        loop {
            let chunk = match self.reader.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if chunk.is_empty() {
                return Ok(!self.line.is_empty());
            }
            let end = memchr::memchr(b'\n', chunk);
            let length = end.map_or(chunk.len(), |end| end + 1);
            if self.line.len() <= self.bytes_max {
                self.line.extend(chunk.get(..length).unwrap_or_default());
            }
            self.reader.consume(length);
            if end.is_some() {
                return Ok(true);
            }
        }
    }
}

fn unquoted(line: &[u8]) -> &[u8] {
    let quotes = line.iter().take_while(|byte| **byte == b'>').count();
    let quoted = quotes > 0 && line.get(quotes..).is_some_and(|rest| rest.starts_with(b"From "));
    if quoted { line.get(1..).unwrap_or_default() } else { line }
}

fn finish(mut message: Vec<u8>, too_long: bool) -> io::Result<Vec<u8>> {
    if too_long {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message of the mailbox file is too long"));
    }
    // The empty line before the next `From ` line belongs to the file.
    for divider in [&b"\r\n\r\n"[..], b"\n\n"] {
        if message.ends_with(divider) {
            message.truncate(message.len() - divider.len() / 2);
            break;
        }
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(file: &str, bytes_max: usize) -> Vec<Result<String, io::ErrorKind>> {
        // A small buffer, so that lines cross its edge.
        let reader = io::BufReader::with_capacity(7, file.as_bytes());
        split_bounded(reader, bytes_max)
            .map(|message| message.map(|bytes| String::from_utf8(bytes).unwrap()).map_err(|error| error.kind()))
            .collect()
    }

    #[test]
    fn files() {
        let two = "From a@example.com Thu Aug 31 2006\nSubject: one\n\nbody\n>From x\n>>From y\nFrom inside\n\nFrom b\nSubject: two\n\n\n";
        assert_eq!(
            messages(two, 1_000),
            [Ok("Subject: one\n\nbody\nFrom x\n>From y\nFrom inside\n".to_owned()), Ok("Subject: two\n\n".to_owned())]
        );
        assert_eq!(messages("From a\r\nA: b\r\n\r\nc\r\n\r\n", 1_000), [Ok("A: b\r\n\r\nc\r\n".to_owned())]);
        assert_eq!(messages("", 10), []);
        assert_eq!(messages("junk\nmore\n", 10), []);
        assert_eq!(messages("From a\n", 10), [Ok(String::new())]);
    }

    #[test]
    fn long_messages_are_passed_over() {
        let file = format!("From a\n{}\n\nFrom b\nshort\n", "x".repeat(100));
        assert_eq!(messages(&file, 20), [Err(io::ErrorKind::InvalidData), Ok("short\n".to_owned())]);
    }
}
