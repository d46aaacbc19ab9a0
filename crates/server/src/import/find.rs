//! Finding messages: single files, mbox files, Maildirs, and directories of these.

use std::{
    fs::{self, File},
    io::{self, BufReader, Read as _, Seek as _},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use content::{
    maildir,
    mbox::{self, Message},
};
use model::{Time, limits};

/// Directories inside one another.
const DEPTH_MAX: usize = 64;
/// Bytes at the start of a message in which a header must be.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// Bytes of a buffer for mbox files.
const BUFFER_BYTES: usize = 256 << 10;

/// A message as it lay in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The file, with the number of the message where it holds several.
    pub(crate) origin: String,
    pub(crate) mime: Bytes,
    pub(crate) read: bool,
    pub(crate) flagged: bool,
    pub(crate) draft: bool,
    /// When it was delivered, as far as the file says, or else when the file was written.
    pub(crate) received: Option<Time>,
}

/// What was seen at one place. `bytes` is its share of the sum that [`size`] gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sighting {
    Message(Found),
    Refused { origin: String, reason: String, bytes: u64 },
    PassedOver { bytes: u64 },
}

/// Bytes of all files below `paths`.
pub(crate) fn size(paths: &[PathBuf]) -> u64 {
    let mut total = 0;
    for path in paths {
        walk(path, 0, &mut |file| {
            total += file.bytes;
            true
        });
    }
    total
}

/// Shows every message below `paths` to `see`, in the order of file names, until it answers false.
pub(crate) fn find(paths: &[PathBuf], see: &mut dyn FnMut(Sighting) -> bool) {
    for path in paths {
        if !walk(path, 0, &mut |file| look_at(file, see)) {
            return;
        }
    }
}

/// A file on the way, or a path that cannot be followed.
struct Candidate<'a> {
    path: &'a Path,
    bytes: u64,
    error: Option<io::Error>,
    /// Named by the user, not come upon in a directory.
    is_named: bool,
    modified: Option<Time>,
}

fn walk(path: &Path, depth: usize, visit: &mut dyn FnMut(Candidate<'_>) -> bool) -> bool {
    let is_named = depth == 0;
    let failed = |error| Candidate { path, bytes: 0, error: Some(error), is_named: true, modified: None };
    // A link is followed only where the user named it: others may lead in circles.
    let metadata = if is_named { fs::metadata(path) } else { fs::symlink_metadata(path) };
    let metadata = match metadata {
        Ok(metadata) => metadata,
        Err(error) => return visit(failed(error)),
    };
    if metadata.is_file() {
        let modified = metadata.modified().ok().and_then(time);
        return visit(Candidate { path, bytes: metadata.len(), error: None, is_named, modified });
    }
    if !metadata.is_dir() {
        return true;
    }
    if depth > DEPTH_MAX {
        return visit(failed(io::Error::other("too many directories inside one another")));
    }
    let entries = match fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
        Ok(entries) => entries,
        Err(error) => return visit(failed(error)),
    };
    let is_maildir = path.join("cur").is_dir() && path.join("new").is_dir();
    let mut paths: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).collect();
    paths.retain(|entry| !(is_maildir && entry.file_name().is_some_and(|name| name == "tmp")));
    paths.sort();
    paths.iter().all(|entry| walk(entry, depth + 1, visit))
}

fn look_at(file: Candidate<'_>, see: &mut dyn FnMut(Sighting) -> bool) -> bool {
    let origin = file.path.display().to_string();
    let bytes = file.bytes;
    if let Some(error) = file.error {
        return see(Sighting::Refused { origin, reason: error.to_string(), bytes });
    }
    let seen = look_into(&file, see);
    match seen {
        Ok(go_on) => go_on,
        Err(error) => see(Sighting::Refused { origin, reason: error.to_string(), bytes }),
    }
}

fn look_into(file: &Candidate<'_>, see: &mut dyn FnMut(Sighting) -> bool) -> io::Result<bool> {
    let name = file.path.file_name().unwrap_or_default().to_string_lossy();
    let folder = file.path.parent().and_then(Path::file_name).unwrap_or_default();
    let in_maildir = folder == "cur" || folder == "new";
    let has_extension =
        |wanted: &str| file.path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(wanted));
    let mut opened = File::open(file.path)?;
    let mut start = Vec::new();
    opened.by_ref().take(HEAD_BYTES_MAX as u64).read_to_end(&mut start)?;
    opened.rewind()?;
    let origin = file.path.display().to_string();
    if start.starts_with(b"From ") && !in_maildir {
        return look_into_mbox(file, &origin, opened, see);
    }
    let expected = in_maildir || has_extension("eml") || has_extension("mbox") || file.is_named;
    let reason = match () {
        () if !expected => return Ok(see(Sighting::PassedOver { bytes: file.bytes })),
        () if start.is_empty() => "the file is empty",
        () if !has_header(&start) => "neither a message nor an mbox file",
        () if file.bytes > limits::PART_BYTES_MAX as u64 => TOO_LARGE,
        () => "",
    };
    if !reason.is_empty() {
        return Ok(see(Sighting::Refused { origin, reason: reason.to_owned(), bytes: file.bytes }));
    }
    let mut mime = Vec::with_capacity(usize::try_from(file.bytes).unwrap_or_default());
    opened.take(limits::PART_BYTES_MAX as u64).read_to_end(&mut mime)?;
    let flags = if in_maildir { maildir::flags(&name) } else { maildir::Flags::default() };
    Ok(see(Sighting::Message(Found {
        origin,
        read: flags.seen || !in_maildir && says(&start, b"status", b'R'),
        flagged: flags.flagged,
        draft: flags.draft,
        received: file.modified,
        mime: mime.into(),
    })))
}

fn look_into_mbox(
    file: &Candidate<'_>,
    origin: &str,
    opened: File,
    see: &mut dyn FnMut(Sighting) -> bool,
) -> io::Result<bool> {
    for (index, message) in mbox::split(BufReader::with_capacity(BUFFER_BYTES, opened)).enumerate() {
        let origin = format!("{origin}, message {}", index + 1);
        let sighting = match message {
            Ok(Message { mime, .. }) if !has_header(&mime) => {
                Sighting::Refused { origin, reason: "it has no headers".into(), bytes: mime.len() as u64 }
            }
            Ok(Message { mime, delivered }) => Sighting::Message(Found {
                origin,
                read: says(&mime, b"status", b'R'),
                flagged: says(&mime, b"x-status", b'F'),
                draft: says(&mime, b"x-status", b'T'),
                received: delivered.or(file.modified),
                mime: mime.into(),
            }),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Sighting::Refused { origin, reason: TOO_LARGE.into(), bytes: 0 }
            }
            Err(error) => return Err(error),
        };
        if !see(sighting) {
            return Ok(false);
        }
    }
    Ok(true)
}

const TOO_LARGE: &str = "it is larger than 128 MiB";

/// Whether a line near the start is that of a header.
fn has_header(start: &[u8]) -> bool {
    head(start).any(|line| {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        !name.is_empty() && name.len() < line.len() && name.trim_ascii_end().iter().all(u8::is_ascii_graphic)
    })
}

/// Whether a Status or X-Status header, as mail programs write them into mbox files, has a flag.
fn says(start: &[u8], header: &[u8], flag: u8) -> bool {
    head(start).take_while(|line| !line.trim_ascii().is_empty()).any(|line| {
        line.split_at_checked(header.len()).is_some_and(|(name, flags)| {
            name.eq_ignore_ascii_case(header) && flags.starts_with(b":") && flags.contains(&flag)
        })
    })
}

fn head(start: &[u8]) -> impl Iterator<Item = &[u8]> {
    start.get(..HEAD_BYTES_MAX).unwrap_or(start).split(|byte| *byte == b'\n')
}

fn time(time: std::time::SystemTime) -> Option<Time> {
    let seconds = time.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs();
    Some(Time::from_unix(i64::try_from(seconds).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = "Subject: hi\r\n\r\nbody\r\n";

    fn sightings(files: &[(&str, &str)], named: &[&str]) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let paths: Vec<PathBuf> = named.iter().map(|name| dir.path().join(name)).collect();
        let mut seen = Vec::new();
        find(&paths, &mut |sighting| {
            seen.push(match sighting {
                Sighting::Message(found) => {
                    format!(
                        "{}{}{}{}",
                        short(&found.origin, dir.path()),
                        mark(found.read, " read"),
                        mark(found.flagged, " flagged"),
                        mark(found.draft, " draft")
                    )
                }
                Sighting::Refused { origin, reason, .. } => format!("{}: {reason}", short(&origin, dir.path())),
                Sighting::PassedOver { .. } => "passed over".to_owned(),
            });
            true
        });
        seen
    }

    fn short(origin: &str, dir: &Path) -> String {
        origin.trim_start_matches(&dir.display().to_string()).trim_start_matches('/').to_owned()
    }

    fn mark(on: bool, text: &str) -> &str {
        if on { text } else { "" }
    }

    #[test]
    fn kinds_of_files() {
        let mbox = "From a Thu\nSubject: one\nStatus: RO\nX-Status: F\n\nx\n\nFrom b Thu\nSubject: two\n\ny\n\nFrom c Thu\n\n\n";
        let files = [
            ("mail/a.eml", MESSAGE),
            ("mail/b.EML", ""),
            ("mail/c.eml", "nothing of the kind"),
            ("mail/notes.txt", MESSAGE),
            ("mail/inbox", mbox),
            ("box/cur/1:2,FS", MESSAGE),
            ("box/cur/2:2,D", MESSAGE),
            ("box/new/3", MESSAGE),
            ("box/tmp/4", MESSAGE),
            ("box/dovecot.index", "\u{1}\u{2}"),
        ];
        assert_eq!(
            sightings(&files, &["mail", "box"]),
            [
                "mail/a.eml",
                "mail/b.EML: the file is empty",
                "mail/c.eml: neither a message nor an mbox file",
                "mail/inbox, message 1 read flagged",
                "mail/inbox, message 2",
                "mail/inbox, message 3: it has no headers",
                "passed over",
                "box/cur/1:2,FS read flagged",
                "box/cur/2:2,D draft",
                "passed over",
                "box/new/3",
            ]
        );
        assert_eq!(sightings(&files, &["mail/notes.txt"]), ["mail/notes.txt"]);
        let missing = sightings(&files, &["none"]);
        assert!(missing.len() == 1 && missing[0].starts_with("none: "), "{missing:?}");
    }

    #[test]
    fn times_of_delivery() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("box");
        fs::write(&path, "From a Thu Mar  5 12:00:00 2020\nA: b\n\nFrom x\nC: d\n").unwrap();
        let mut times = Vec::new();
        find(std::slice::from_ref(&path), &mut |sighting| {
            let Sighting::Message(found) = sighting else { panic!("{sighting:?}") };
            times.push(found.received);
            true
        });
        let modified = fs::metadata(&path).unwrap().modified().ok().and_then(time);
        assert_eq!(times, [Some(Time::from_date(2020, 3, 5).plus_seconds(43_200)), modified]);
    }

    #[test]
    fn heads() {
        assert!(has_header(b"Subject: x\r\n"));
        assert!(has_header(b"\r\n\r\nX-Odd : y\n"));
        assert!(!has_header(b"no header here\n: x\nnot this: one\n"));
        assert!(says(b"A: b\nstatus: OR\n\n", b"status", b'R'));
        assert!(!says(b"A: b\nX-Status: R\n\n", b"status", b'R'));
        assert!(!says(b"A: b\n\nStatus: R\n", b"status", b'R'));
    }
}
