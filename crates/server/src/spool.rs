//! Payloads of requests that go to a file as they come, so that memory does not follow their size.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ews::Spools;
use model::{Extent, Random as _, Spool};
use xml::{Aside, Spooler};

use crate::system::SystemRandom;

/// Bytes of text from which on a payload goes to the file.
const TEXT_BYTES_MAX: usize = 64 << 10;
/// Characters of base64 that are decoded at once, at least.
const LINE_BYTES: usize = 16 << 10;

/// A document on its way in.
pub(crate) type Filter = Spooler<Payloads>;

/// A filter that makes its file, where it needs one, in `directory`.
pub(crate) const fn filter(directory: PathBuf) -> Filter {
    Spooler::new(Spools::PATH, TEXT_BYTES_MAX, Payloads::new(directory))
}

/// A file without a name, which goes when nobody holds it.
#[derive(Debug)]
struct FileSpool(Mutex<File>);

impl FileSpool {
    fn at<T>(&self, offset: u64, work: impl FnOnce(&mut File) -> io::Result<T>) -> io::Result<T> {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset))?;
        work(&mut file)
    }
}

impl Spool for FileSpool {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.at(offset, |file| file.read_exact(into))
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.at(offset, |file| file.write_all(bytes))
    }
}

/// The payloads of one request, in one file: texts of base64, decoded as they come.
#[derive(Debug)]
pub(crate) struct Payloads {
    directory: PathBuf,
    file: Option<Arc<dyn Spool>>,
    /// Bytes in the file.
    written: u64,
    /// Where the payload at hand begins.
    start: u64,
    /// Its characters that are not decoded yet.
    line: Vec<u8>,
    decoded: Vec<u8>,
    /// Whether its padding has come.
    ended: bool,
    /// Whether it is no base64.
    wrong: bool,
    spools: Spools,
}

impl Payloads {
    const fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            file: None,
            written: 0,
            start: 0,
            line: Vec::new(),
            decoded: Vec::new(),
            ended: false,
            wrong: false,
            spools: Spools::new(),
        }
    }

    /// What goes with the request.
    pub(crate) fn into_spools(self) -> Spools {
        self.spools
    }

    fn file(&mut self) -> io::Result<Arc<dyn Spool>> {
        if let Some(file) = &self.file {
            return Ok(Arc::clone(file));
        }
        let file: Arc<dyn Spool> = Arc::new(FileSpool(Mutex::new(tempfile::tempfile_in(&self.directory)?)));
        self.file = Some(Arc::clone(&file));
        Ok(file)
    }

    /// Decodes what has come, but for an unfinished group of four.
    fn decode(&mut self) -> io::Result<()> {
        let rest = self.line.split_off(self.line.len() / 4 * 4);
        let line = std::mem::replace(&mut self.line, rest);
        if line.is_empty() {
            return Ok(());
        }
        self.decoded.clear();
        // Nothing may follow the padding.
        self.wrong |= self.ended || STANDARD.decode_vec(&line, &mut self.decoded).is_err();
        self.ended = line.ends_with(b"=");
        if !self.wrong {
            self.file()?.write_at(self.written, &self.decoded)?;
            self.written += self.decoded.len() as u64;
        }
        Ok(())
    }
}

impl Aside for Payloads {
    fn text(&mut self, piece: &[u8]) -> io::Result<()> {
        for word in piece.split(u8::is_ascii_whitespace) {
            if self.wrong {
                return Ok(());
            }
            self.line.extend_from_slice(word);
            if self.line.len() >= LINE_BYTES {
                self.decode()?;
            }
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<String> {
        self.decode()?;
        let wrong = std::mem::take(&mut self.wrong) || !self.line.is_empty();
        self.line.clear();
        self.ended = false;
        let (offset, bytes) = (self.start, self.written - self.start);
        self.start = self.written;
        if wrong {
            // What is no base64 either.
            return Ok("=".to_owned());
        }
        let mut secret = [0; Spools::SECRET_BYTES];
        SystemRandom.fill(&mut secret);
        let spool = self.file()?;
        self.spools.add(secret, Extent { spool, offset, bytes });
        Ok(STANDARD.encode(secret))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands in the document, and what lies aside.
    fn payloads(texts: &[(&str, usize)]) -> Vec<(String, Vec<u8>)> {
        let directory = tempfile::tempdir().unwrap();
        let mut payloads = Payloads::new(directory.path().to_owned());
        let mut ends = Vec::new();
        for (text, step) in texts {
            for piece in text.as_bytes().chunks(*step) {
                payloads.text(piece).unwrap();
            }
            ends.push(payloads.end().unwrap());
        }
        let spools = payloads.into_spools();
        ends.into_iter()
            .map(|end| {
                let held = STANDARD.decode(&end).ok().and_then(|secret| spools.get(&secret).cloned());
                let bytes = held.map(|extent| model::Rope::spooled(extent).to_bytes().unwrap().to_vec());
                (end, bytes.unwrap_or_default())
            })
            .collect()
    }

    #[test]
    fn base64_is_decoded_as_it_comes_and_what_is_none_shows() {
        let content: Vec<u8> = (0..100_000_u32).map(|at| (at * 7 % 251) as u8).collect();
        let encoded = STANDARD.encode(&content);
        let lines: String =
            encoded.as_bytes().chunks(76).map(|line| format!(" {}\r\n", str::from_utf8(line).unwrap())).collect();
        let came = payloads(&[
            (&encoded, 1_000),
            (&lines, 77),
            ("QUJD!", 2),
            ("QQ==", 1),
            ("QQ==QUJD", 9),
            ("QQ==\n QUJD", 1),
            ("QUJ", 1),
            (&encoded[..50_001], 8_192),
            ("", 1),
            ("QR==", 4),
            ("QUJD", 3),
        ]);
        let bytes: Vec<&[u8]> = came.iter().map(|(_, bytes)| bytes.as_slice()).collect();
        let none: &[u8] = b"";
        assert!(bytes == [&content, &content, none, b"A", none, none, none, none, none, none, b"ABC"]);
        let wrong: Vec<bool> = came.iter().map(|(end, _)| end == "=").collect();
        assert_eq!(wrong, [false, false, true, false, true, true, true, true, false, true, false]);
    }

    #[test]
    fn a_file_that_cannot_be_made_is_an_error() {
        let mut payloads = Payloads::new("/nowhere/at/all".into());
        assert!(payloads.text(&[b'A'; LINE_BYTES]).is_err());
    }
}
