//! Mailbox files in the mboxrd and mboxo forms: messages one after the other, each behind a `From ` line.

use std::io::{self, BufRead};

use model::{Time, limits};

/// A message of a mailbox file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The message, without its `From ` line and the empty line that divides it from the next.
    pub mime: Vec<u8>,
    /// When it was delivered, as its `From ` line says; UTC where that names no zone (RFC 4155).
    pub delivered: Option<Time>,
}

/// The messages of a mailbox file, in order. Lines that begin with `>`s and `From ` lose one `>`. Bytes before the first
/// `From ` line are left out.
///
/// A message of more than [`limits::PART_BYTES_MAX`] comes as an error of kind `InvalidData`, and the next one follows;
/// after an error of `reader` itself nothing follows. Memory: one message.
pub fn split(reader: impl BufRead) -> impl Iterator<Item = io::Result<Message>> {
    split_bounded(reader, limits::PART_BYTES_MAX)
}

/// Bytes of a `From ` line that are read for its time.
const FROM_LINE_BYTES_MAX: usize = 1_024;

fn split_bounded(reader: impl BufRead, bytes_max: usize) -> impl Iterator<Item = io::Result<Message>> {
    Messages { reader, bytes_max, state: State::Before, line: Vec::new(), delivered: None }
}

struct Messages<R> {
    reader: R,
    bytes_max: usize,
    state: State,
    line: Vec<u8>,
    /// What the `From ` line of the message that is being read says.
    delivered: Option<Time>,
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
    type Item = io::Result<Message>;

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
                    return inside.then(|| finish(message, self.delivered, too_long));
                }
                Ok(true) => {}
            }
            if after_empty && self.line.starts_with(b"From ") {
                let inside = self.state == State::Inside;
                self.state = State::Inside;
                let next = delivered(&self.line);
                let this = std::mem::replace(&mut self.delivered, next);
                if inside {
                    return Some(finish(message, this, too_long));
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

/// The time at the end of a `From ` line: `Thu Mar  5 10:00:00 2020`, seconds optional, a numeric zone before or behind
/// the year.
fn delivered(line: &[u8]) -> Option<Time> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let line = std::str::from_utf8(line.get(..FROM_LINE_BYTES_MAX.min(line.len()))?).ok()?;
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let at = words.iter().rposition(|word| MONTHS.contains(word))?;
    let [month, day, clock, rest @ ..] = words.get(at..)? else { return None };
    let month = MONTHS.iter().position(|name| name == month)? as u8 + 1;
    let number = |text: &str, max: i64| text.parse::<i64>().ok().filter(|number| (0..=max).contains(number));
    let day = number(day, 31).filter(|day| *day > 0)? as u8;
    let mut parts = clock.split(':');
    let mut next = |max| parts.next().map_or(Some(0), |part| number(part, max));
    let (hours, minutes, seconds) = (next(23)?, next(59)?, next(60)?);
    let year = rest.iter().find_map(|word| number(word, 9_999).filter(|_| word.len() == 4))?;
    let zone = rest.iter().find_map(|word| {
        let (sign, digits) = word.split_at_checked(1)?;
        let sign = match sign {
            "+" => 1,
            "-" => -1,
            _ => return None,
        };
        let (hours, minutes) = digits.split_at_checked(2)?;
        Some(sign * (number(hours, 14)? * 3_600 + number(minutes, 59)? * 60))
    });
    let seconds = hours * 3_600 + minutes * 60 + seconds - zone.unwrap_or_default();
    (year >= 1970).then(|| Time::from_date(year, month, day).plus_seconds(seconds))
}

fn finish(mut message: Vec<u8>, delivered: Option<Time>, too_long: bool) -> io::Result<Message> {
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
    Ok(Message { mime: message, delivered })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(file: &str, bytes_max: usize) -> Vec<Result<String, io::ErrorKind>> {
        // A small buffer, so that lines cross its edge.
        let reader = io::BufReader::with_capacity(7, file.as_bytes());
        split_bounded(reader, bytes_max)
            .map(|message| {
                message.map(|message| String::from_utf8(message.mime).unwrap()).map_err(|error| error.kind())
            })
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
    fn from_lines_say_when() {
        let noon = Some(Time::from_date(2020, 3, 5).plus_seconds(43_200));
        for (line, time) in [
            ("From a@example.com Thu Mar  5 12:00:00 2020\n", noon),
            ("From a@example.com Thu Mar  5 12:00 2020\r\n", noon),
            ("From a@example.com  Thu Mar 5 13:00:00 +0100 2020\n", noon),
            ("From - Thu Mar 05 04:00:00 2020 -0800\n", noon),
            ("From a Thu Mar 05 12:00:00 UTC 2020", noon),
            ("From Mar b Thu Mar 05 12:00:00 2020 remote from x", noon),
            ("From a@example.com\n", None),
            ("From a Thu Mar 32 12:00:00 2020\n", None),
            ("From a Thu Mar 5 24:00:00 2020\n", None),
            ("From a Thu Mar 5 12:00:00\n", None),
            ("From a Thu Mar 5 12:00:00 99999\n", None),
            ("From Mar\n", None),
        ] {
            assert_eq!(delivered(line.as_bytes()), time, "{line}");
        }
        let file = "From a Thu Mar  5 12:00:00 2020\nA: b\n\nFrom x\nC: d\n\nFrom y Fri Mar  6 12:00:00 2020\n\n";
        let times: Vec<_> = split(file.as_bytes()).map(|message| message.unwrap().delivered).collect();
        assert_eq!(times, [noon, None, Some(Time::from_date(2020, 3, 6).plus_seconds(43_200))]);
    }

    #[test]
    fn long_messages_are_passed_over() {
        let file = format!("From a\n{}\n\nFrom b\nshort\n", "x".repeat(100));
        assert_eq!(messages(&file, 20), [Err(io::ErrorKind::InvalidData), Ok("short\n".to_owned())]);
    }
}
