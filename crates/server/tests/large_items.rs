//! Items of many megabytes through the program as a whole: what goes in comes out, and the memory that the server takes
//! for it does not follow their size, neither when they come in nor when they go out.
//!
//! `LARGE_ITEM_MEGABYTES=50` sets another size; `--nocapture` shows what was measured.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may fail")]
#![cfg(target_os = "linux")]

use std::{
    fs,
    io::{BufRead, BufReader, Read as _, Write as _},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, write::GzEncoder};

const PROGRAM: &str = env!("CARGO_BIN_EXE_highwater");
const MEGABYTE: usize = 1_000_000;
/// What requests may take that has nothing to do with the size of an item: threads, pieces on the way.
const SLACK: usize = 12 * MEGABYTE;
/// What an upload to an object store takes besides: blocks of 5 MiB, one on its way, one ready, one being read.
const BLOCKS: usize = 3 * (5 << 20);
/// An upload that is packed on the way; what comes is then in memory.
const PACKED: &str = "a file, packed";
/// The largest item that this test makes.
const MEGABYTES_MAX: usize = 71;

struct Serving {
    child: Child,
    url: String,
    agent: ureq::Agent,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Serving {
    fn start(place: &Place) -> Self {
        // The allocator gives back at once what is free, so that memory that was used for the login hides nothing.
        let mut command = Command::new(PROGRAM);
        command.args(["serve", "--listen", "127.0.0.1:0", "--config", &place.config]).args(&place.location);
        command.env("MIMALLOC_PURGE_DELAY", "0").stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = loop {
            let line = lines.next().expect("the server says where it listens").unwrap();
            if let Some(url) = line.strip_prefix("listening on ") {
                break url.to_owned();
            }
        };
        let wait = Duration::from_secs(120);
        let agent = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(wait)).build();
        Self { child, url, agent: agent.into() }
    }

    /// Sends an operation; gives the whole answer.
    fn call(&self, operation: &str) -> Vec<u8> {
        self.send(operation, false)
    }

    /// Sends an operation, packed or not; gives the whole answer.
    fn send(&self, operation: &str, packed: bool) -> Vec<u8> {
        let envelope = format!(
            "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             xmlns:t=\"http://schemas.microsoft.com/exchange/services/2006/types\" \
             xmlns=\"http://schemas.microsoft.com/exchange/services/2006/messages\"><s:Body>{operation}</s:Body></s:Envelope>"
        );
        let basic = STANDARD.encode("anna@example.com:secret");
        let request = self.agent.post(format!("{}/EWS/Exchange.asmx", self.url));
        let request = request.header("Authorization", format!("Basic {basic}"));
        let mut response = if packed {
            let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
            packer.write_all(envelope.as_bytes()).unwrap();
            request.header("Content-Encoding", "gzip").send(packer.finish().unwrap()).unwrap()
        } else {
            request.send(envelope).unwrap()
        };
        let mut answer = Vec::new();
        response.body_mut().as_reader().read_to_end(&mut answer).unwrap();
        assert_eq!(response.status().as_u16(), 200, "{}", String::from_utf8_lossy(&answer[..answer.len().min(2_000)]));
        answer
    }

    /// Bytes of memory that the process has, and has had at most since the last [`Self::forget_peak`].
    fn memory(&self) -> (usize, usize) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1_024
        };
        (bytes("VmRSS:"), bytes("VmHWM:"))
    }

    fn forget_peak(&self) {
        fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").unwrap();
    }

    /// How far memory grows while an operation is answered, and the answer.
    fn growth(&self, what: &str, operation: &str) -> (usize, Vec<u8>) {
        self.forget_peak();
        let (before, _) = self.memory();
        let started = Instant::now();
        let answer = self.call(operation);
        let (after, peak) = self.memory();
        let megabytes = |bytes: usize| bytes as f64 / MEGABYTE as f64;
        println!(
            "{what}: {:.1} MB before, {:.1} more at most, {:.1} after, {:?}",
            megabytes(before),
            megabytes(peak.saturating_sub(before)),
            megabytes(after),
            started.elapsed()
        );
        (peak.saturating_sub(before), answer)
    }
}

fn noise(bytes: usize) -> Vec<u8> {
    (0..bytes as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 11) as u8).collect()
}

fn text(id: u16, text: &str) -> Vec<u8> {
    let wide: Vec<u8> = text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
    [&0x84b0_u16.to_le_bytes()[..], &id.to_le_bytes(), &(wide.len() as u32).to_le_bytes(), &wide].concat()
}

fn number(id: u16, number: u32) -> Vec<u8> {
    [&3_u16.to_le_bytes()[..], &id.to_le_bytes(), &number.to_le_bytes()].concat()
}

/// A message around one attachment.
fn message(subject: &str, attachment: &[u8]) -> Vec<u8> {
    let head = [text(0x1a, "IPM.Note"), text(0x37, subject), number(0x4016, 0x0e12_000d), number(0x4016, 0x0e13_000d)];
    let attachment =
        [&0x4000_0003_u32.to_le_bytes()[..], &number(0x0e21, 0), attachment, &0x400e_0003_u32.to_le_bytes()];
    [head.concat(), attachment.concat()].concat()
}

fn file(content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_le_bytes();
    [&number(0x3705, 1)[..], &text(0x3707, "a.bin"), &0x3701_0102_u32.to_le_bytes(), &length, content].concat()
}

fn embedded(message: &[u8]) -> Vec<u8> {
    let (start, end) = (0x4001_0003_u32.to_le_bytes(), 0x4002_0003_u32.to_le_bytes());
    [&number(0x3705, 5)[..], &start, message, &end].concat()
}

fn payload(stream: &[u8]) -> Vec<u8> {
    const INTERFACE: [u8; 16] = [7, 3, 2, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];
    let mut payload = Vec::new();
    for (operation, body) in [
        (1_u32, [&0_u32.to_le_bytes()[..], &1_u32.to_le_bytes()].concat()),
        (3, [&1_u32.to_le_bytes()[..], &INTERFACE, &0x8000_2400_u32.to_le_bytes()].concat()),
        (4, vec![1, 0x0f, 0, 0x80, 0, 0]),
    ] {
        payload.extend(operation.to_le_bytes());
        payload.extend((body.len() as u32).to_le_bytes());
        payload.extend(body);
    }
    // Cut as other servers cut, so that the value must be put together.
    for piece in stream.chunks(8_200) {
        payload.extend(2_u32.to_le_bytes());
        payload.extend((piece.len() as u32).to_le_bytes());
        payload.extend(piece);
    }
    payload
}

fn inside<'x>(answer: &'x [u8], open: &str, close: u8) -> &'x [u8] {
    let at = answer.windows(open.len()).position(|window| window == open.as_bytes());
    let at =
        at.unwrap_or_else(|| panic!("no {open} in {}", String::from_utf8_lossy(&answer[..answer.len().min(2_000)])));
    let rest = &answer[at + open.len()..];
    &rest[..rest.iter().position(|byte| *byte == close).unwrap()]
}

fn attribute(answer: &[u8], open: &str) -> String {
    String::from_utf8(inside(answer, open, b'"').to_vec()).unwrap()
}

/// Where the data are, with the account that is used.
struct Place {
    /// On the command line.
    location: Vec<String>,
    config: String,
    directory: tempfile::TempDir,
}

impl Place {
    fn new(location: impl FnOnce(&str) -> Vec<String>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("config.toml");
        fs::write(&config, "body_bytes_max = 134217728\nlogin_cache_seconds = 3600\n").unwrap();
        let location = location(&directory.path().join("data").display().to_string());
        let mut command = Command::new(PROGRAM);
        command.args(["account", "add", "anna@example.com", "--password-stdin"]).args(&location);
        let mut adding = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        adding.stdin.take().unwrap().write_all(b"secret\n").unwrap();
        assert!(adding.wait().unwrap().success());
        Self { location, config: config.display().to_string(), directory }
    }
}

/// The content of the items, of so many megabytes unless another size was asked for.
fn chosen_content(megabytes: usize) -> Vec<u8> {
    let chosen = std::env::var("LARGE_ITEM_MEGABYTES").ok().and_then(|text| text.parse::<usize>().ok());
    noise(chosen.unwrap_or(megabytes).min(MEGABYTES_MAX) * MEGABYTE)
}

#[test]
fn memory_does_not_follow_the_size_of_an_item() {
    let place = Place::new(|data| vec!["--data".to_owned(), data.to_owned()]);
    let content = chosen_content(16);
    let plain = message("Plain", &file(&content));
    let packed = message("Packed", &file(&content));
    let inner = message("Outer", &embedded(&message("Inner", &file(&content))));
    let streams = vec![("a file", plain), ("a file in a message", inner), (PACKED, packed)];
    goes_in_and_comes_out(&place, &content, streams, SLACK);
    // Nothing of the files that the uploads went through is left.
    let data = fs::read_dir(place.directory.path().join("data")).unwrap();
    let left = data.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(".tmp"));
    assert_eq!(left.count(), 0);
}

/// The same on a database with an object store.
#[test]
fn memory_does_not_follow_the_size_of_an_item_in_an_object_store() {
    let test = "large items in an object store";
    let Some(database) = cluster::or_skip(cluster::shared(), test) else { return };
    let Some(objects) = cluster::or_skip(cluster::ObjectServer::shared(), test) else { return };
    let blobs = objects.url(&objects.bucket().unwrap(), objects.address());
    let place = Place::new(|_| ["--data", &database.fresh_url(), "--blobs", &blobs].map(str::to_owned).to_vec());
    let content = chosen_content(48);
    let plain = message("Plain", &file(&content));
    goes_in_and_comes_out(&place, &content, vec![("a file", plain)], SLACK + BLOCKS);
    let sweeping = Command::new(PROGRAM).args(["store", "sweep"]).args(&place.location).output().unwrap();
    let said = String::from_utf8(sweeping.stdout).unwrap();
    assert_eq!(said, "removed 0 objects that were freed, 0 without a row, 0 unfinished\n");
}

/// Uploads items around `content`, exports them and fetches it, in `slack` bytes of memory.
fn goes_in_and_comes_out(place: &Place, content: &[u8], streams: Vec<(&str, Vec<u8>)>, slack: usize) {
    let mut ids = Vec::new();
    for (what, stream) in streams {
        let server = Serving::start(place);
        let folder = server.call(
            "<GetFolder><FolderShape><t:BaseShape>IdOnly</t:BaseShape></FolderShape><FolderIds>\
             <t:DistinguishedFolderId Id=\"inbox\"/></FolderIds></GetFolder>",
        );
        let upload = format!(
            "<UploadItems><Items><t:Item CreateAction=\"CreateNew\"><t:ParentFolderId Id=\"{}\"/><t:Data>{}</t:Data></t:Item>\
             </Items></UploadItems>",
            attribute(&folder, "<t:FolderId Id=\""),
            STANDARD.encode(payload(&stream))
        );
        if what == PACKED {
            ids.push(attribute(&server.send(&upload, true), "<m:ItemId Id=\""));
            continue;
        }
        let (grown, answer) = server.growth(&format!("upload of {what}"), &upload);
        ids.push(attribute(&answer, "<m:ItemId Id=\""));
        assert!(grown < slack, "{what}: {grown}");
    }
    let server = Serving::start(place);
    server.call("<ExportItems><ItemIds><t:ItemId Id=\"AAMk\"/></ItemIds></ExportItems>");
    for id in &ids {
        let export = format!("<ExportItems><ItemIds><t:ItemId Id=\"{id}\"/></ItemIds></ExportItems>");
        let (grown, answer) = server.growth("export", &export);
        assert!(grown < slack, "{grown}");
        let exported = STANDARD.decode(inside(&answer, "<m:Data>", b'<')).unwrap();
        assert!(holds(&exported, content), "the content came back");
    }
    let shape = "<ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties><t:FieldURI \
                 FieldURI=\"item:Attachments\"/></t:AdditionalProperties></ItemShape>";
    let listed = server.call(&format!("<GetItem>{shape}<ItemIds><t:ItemId Id=\"{}\"/></ItemIds></GetItem>", ids[0]));
    let attachment = attribute(&listed, "<t:AttachmentId Id=\"");
    let get =
        format!("<GetAttachment><AttachmentIds><t:AttachmentId Id=\"{attachment}\"/></AttachmentIds></GetAttachment>");
    let (grown, answer) = server.growth("attachment", &get);
    assert!(grown < slack, "{grown}");
    assert!(STANDARD.decode(inside(&answer, "<t:Content>", b'<')).unwrap() == content);
}

/// Whether `exported` has a record or value that is `content`: the search goes by its first bytes.
fn holds(exported: &[u8], content: &[u8]) -> bool {
    let mut from = 0;
    while let Some(at) = exported[from..].windows(16).position(|window| window == &content[..16]) {
        if exported[from + at..].starts_with(content) {
            return true;
        }
        from += at + 1;
    }
    false
}
