//! The targets of `fuzz/` on stable: a bounded number of seeded inputs each, the same on every run.
//!
//! `FUZZ_ROUNDS` multiplies the number; a failure names the target and leaves the input in the temporary folder.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use fuzzing::{
    damage::Damage,
    item, peer,
    source::Source,
    targets::{TARGETS, Target},
};
use mapi::fasttransfer;
use model::ItemFlags;
use serde_json::Value as Json;

/// Inputs of a target in one run, the seeds not counted.
const ROUNDS: usize = 900;
/// Items that are made for the seeds.
const ITEMS: u64 = 24;

fn rounds() -> usize {
    ROUNDS * std::env::var("FUZZ_ROUNDS").ok().and_then(|text| text.parse::<usize>().ok()).unwrap_or(1)
}

fn target(name: &str) -> &'static Target {
    TARGETS.iter().find(|target| target.name == name).unwrap()
}

/// Runs one input; where it fails, it is kept and named.
fn attack(target: &Target, input: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (target.run)(input))) {
        let kept = std::env::temp_dir().join(format!("{}-{}.input", target.name, std::process::id()));
        std::fs::write(&kept, input).unwrap();
        eprintln!("{} fails on {} bytes in {}", target.name, input.len(), kept.display());
        std::panic::resume_unwind(panic);
    }
}

fn attack_all(name: &str, seeds: &[Vec<u8>], rounds: usize) {
    let target = target(name);
    let damage = Damage::new(20_240_506);
    seeds.iter().for_each(|seed| attack(target, seed));
    for round in 0..rounds {
        attack(target, &damage.wounded(&seeds[round % seeds.len()], seeds));
    }
}

/// Payloads and streams of the published description, and of items of ours and a peer's.
fn payloads() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/facts/fasttransfer-vectors.json");
    match std::fs::read(path) {
        Ok(text) => {
            let json: Json = serde_json::from_slice(&text).unwrap();
            for vector in json["vectors"].as_array().unwrap() {
                let hex = vector["hex"].as_str().unwrap();
                seeds.push(
                    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect(),
                );
            }
        }
        Err(_) => println!("skipped: the published vectors as seeds, {path} is missing"),
    }
    for seed in 0..ITEMS {
        let bytes = Damage::new(seed).noise(400);
        let mut source = Source::new(&bytes);
        let (made, flags) = item::item(&mut source);
        let mut payload = Vec::new();
        fasttransfer::encode(&made, flags, &mut payload);
        let survivors = item::survivors(&made);
        seeds.extend([payload, peer::payload(&survivors, &mut source), peer::stream(&survivors, &mut source)]);
    }
    seeds.retain(|seed| seed.len() < 20_000);
    seeds
}

#[test]
fn damaged_streams() {
    attack_all("fasttransfer_decode", &payloads(), rounds());
}

/// Every cut, every flipped bit, and every four bytes as a length that lies, of a small payload with all that there is.
#[test]
fn every_place_of_a_small_payload() {
    let bytes = Damage::new(3).noise(300);
    let (mut made, _) = item::item(&mut Source::new(&bytes));
    let inner = made.clone();
    made.recipients = vec![model::Bag::from_iter([(model::tags::DISPLAY_NAME, model::Value::text("Bob"))])];
    made.attachments = vec![
        model::Attachment {
            bag: model::Bag::new(),
            content: model::AttachmentContent::File(bytes::Bytes::from_static(b"abc")),
        },
        model::Attachment {
            bag: model::Bag::new(),
            content: model::AttachmentContent::Item(Box::new(model::ItemContent { attachments: vec![], ..inner })),
        },
    ];
    made.bag.retain(|_, value| value.size() < 64);
    let mut payload = Vec::new();
    fasttransfer::encode(&made, ItemFlags::READ, &mut payload);
    assert!((250..6_000).contains(&payload.len()), "{}", payload.len());
    let target = target("fasttransfer_decode");
    for at in 0..payload.len() {
        assert!(fasttransfer::decode(&payload[..at]).is_err(), "cut at {at}");
        let mut wounded = payload.clone();
        wounded[at] ^= 1 << (at % 8);
        attack(target, &wounded);
        for lie in [0_u32, 1, 0x7fff_ffff, 0xffff_fffc, 0xffff_ffff] {
            let mut wounded = payload.clone();
            for (slot, byte) in wounded[at..].iter_mut().zip(lie.to_le_bytes()) {
                *slot = byte;
            }
            attack(target, &wounded);
        }
    }
    // Records may be cut inside of everything.
    let stream = fasttransfer::frame::stream(payload.clone()).unwrap();
    let expected = fasttransfer::decode(&payload).unwrap();
    for at in 0..stream.len() {
        let mut cut = fasttransfer::frame::opening();
        for piece in [&stream[..at], &stream[at..]] {
            let length = u32::try_from(piece.len()).unwrap();
            cut.extend(fasttransfer::frame::Header { opcode: fasttransfer::frame::DATA, length }.to_bytes());
            cut.extend(piece);
        }
        assert_eq!(
            fasttransfer::decode(&cut).as_ref().map(|cut| item::identity(&cut.content)),
            Ok(item::identity(&expected.content)),
            "{at}"
        );
    }
}

/// What is nested, repeated or announced without end costs no stack and no memory.
#[test]
fn bombs() {
    let markers = |codes: &[u32]| codes.iter().flat_map(|code| code.to_le_bytes()).collect::<Vec<u8>>();
    let streams = [
        markers(&[0x4000_0003, 0x4001_0003].repeat(200_000)),
        markers(&[0x4003_0003].repeat(200_000)),
        markers(&[0x4003_0003, 0x4004_0003].repeat(200_000)),
        // Lists and values that are longer than anything.
        [&markers(&[0x0037_1003, 0xffff_ffff])[..], &[0; 64]].concat(),
        [&markers(&[0x0037_1102, 0x3fff_ffff])[..], &[0; 64]].concat(),
        [&markers(&[0x0037_84b0, 0xffff_ffff])[..], &[0; 64]].concat(),
    ];
    for stream in &streams {
        attack(target("fasttransfer_decode"), stream);
    }
    let xml = ["<a>".repeat(200_000), "<a b=\"".repeat(1_000), format!("<a {}/>", "b=\"\" ".repeat(10_000))];
    for text in &xml {
        attack(target("xml_document"), text.as_bytes());
    }
    let boundary = |depth: usize| {
        (0..depth)
            .map(|at| format!("Content-Type: multipart/mixed; boundary=b{at}\r\n\r\n--b{at}\r\n"))
            .collect::<String>()
    };
    let mail = ["Content-Type: message/rfc822\r\n\r\n".repeat(3_000), boundary(3_000), "<div>".repeat(30_000)];
    for text in &mail {
        attack(target("message_parse"), text.as_bytes());
    }
}

#[test]
fn items_of_every_kind_through_both_writers() {
    let target = target("fasttransfer_round_trip");
    for seed in 0..rounds() as u64 {
        attack(target, &Damage::new(seed).noise(1_200));
    }
}

#[test]
fn damaged_documents() {
    let seeds = [
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><a xmlns=\"urn:a\" xmlns:b='urn:b'><b:c d=\"&amp;&#x41;\" b:e='&lt;'/>\
         <!-- no --><f><![CDATA[<x>]]> text &gt; \u{1f600}</f><?p i?></a>",
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Header/><s:Body><G xmlns=\"urn:x\">a</G></s:Body></s:Envelope>",
        "<a><b><c/></b><b xml:space=\"preserve\">\r\n </b></a>",
    ];
    attack_all("xml_document", &seeds.map(|seed| seed.as_bytes().to_vec()), rounds() * 4);
}

#[test]
fn damaged_messages() {
    let mut seeds: Vec<Vec<u8>> = [
        "From: =?utf-8?Q?Gr=C3=BC=C3=9Fe?= <a@example.com>\r\nTo: b@example.com, \"C, D\" <c@example.com>\r\nSubject: =?iso-8859-1?B?Z3L832U=?=\r\n\
         Date: Mon, 06 May 2024 07:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\n\r\n\
         --b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p>a=3Db</p>\r\n\
         --b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ntext\r\n--b\r\nContent-Type: text/calendar; method=REQUEST\r\n\r\n\
         BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20240506T070000Z\r\nRRULE:FREQ=DAILY;COUNT=3\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n--b--\r\n",
        "BEGIN:VCALENDAR\r\nBEGIN:VTIMEZONE\r\nTZID:X\r\nBEGIN:STANDARD\r\nDTSTART:16010101T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\n\
         RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\nDTSTART;TZID=X:20240506T070000\r\nDURATION:PT1H\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        "<html><head><style>a{}</style></head><body><p>a&nbsp;<b onclick=x>c</b><script>1</script></body>",
        "{\\rtf1\\ansi\\fromhtml1 {\\*\\htmltag <p>}hello{\\*\\htmltag </p>}\\u8364?\\'e9}",
    ]
    .map(|seed| seed.as_bytes().to_vec())
    .to_vec();
    let corpus = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpus/mail"));
    match std::fs::read_dir(&corpus) {
        Ok(entries) => {
            let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
            files.sort();
            seeds.extend(
                files.iter().filter_map(|path| std::fs::read(path).ok()).filter(|mail| mail.len() < 8_000).take(40),
            );
        }
        Err(_) => println!("skipped: sample mail as seeds, {} is missing", corpus.display()),
    }
    attack_all("message_parse", &seeds, rounds());
}

#[test]
fn damaged_ids() {
    let mailbox = fuzzing::mailbox::Mailbox::new();
    let folder = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, mailbox.folder("inbox")).unwrap();
    let seeds = [folder.clone(), [&folder[..], &[0x0f, 0, 0, 0]].concat(), [0, 1, 2, 3, 4, 5, 6, 7].repeat(20)];
    attack_all("item_id", &seeds, rounds() / 10);
}
