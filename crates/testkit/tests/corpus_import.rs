//! Real messages come in through the import and go out byte for byte.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test")]

use std::{ffi::OsString, fs, path::PathBuf, process::ExitCode};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::Parser as _;
use testkit::{
    ews::{Ews, distinguished, folder_id, responses},
    schema::{Checker, shared},
    server::{ANNA, TestServer},
    tree::Reach,
};

fn files(folder: PathBuf, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            files(entry.path(), found);
        } else {
            found.push(entry.path());
        }
    }
}

/// The MIME text of an item, with its export checked on the way.
fn mime(ews: &Ews, id: &str, checker: &mut Checker) -> Vec<u8> {
    let shape = "<t:BaseShape>AllProperties</t:BaseShape><t:IncludeMimeContent>true</t:IncludeMimeContent>";
    let answer = ews.get_item(id, shape).unwrap_or_else(|code| panic!("{code}: {id}"));
    checker.ews(&answer);
    let mime = responses(&answer)[0].value("Items/*/MimeContent");
    STANDARD.decode(mime.unwrap_or_else(|| panic!("no MimeContent: {answer:?}"))).unwrap()
}

#[test]
fn every_message_comes_back_byte_for_byte() {
    let corpus = shared("corpus/mail");
    let mut paths = vec![];
    files(corpus.clone(), &mut paths);
    if paths.is_empty() {
        println!("skipped: import of {}, which is missing", corpus.display());
        return;
    }
    let server = TestServer::sqlite();
    let ews = server.ews(ANNA);
    let mut checker = Checker::new();

    // As a command beside the running server.
    let data = server.folder().display().to_string();
    let mut line: Vec<_> = ["highwater", "import", ANNA, "--data", &data].map(OsString::from).into();
    line.extend(["--folder", "Inbox/Corpus"].map(OsString::from));
    line.extend(paths.iter().map(OsString::from));
    let done = highwater::cli::run(highwater::cli::Arguments::try_parse_from(line).unwrap());
    assert_eq!(format!("{done:?}"), format!("{:?}", ExitCode::SUCCESS));
    let inbox = ews.folder(&distinguished("inbox"));
    let folders = ews.read_folders(&distinguished("inbox"));
    let (corpus_folder, _) =
        folders.iter().find(|(_, folder)| folder.name == "Corpus" && folder.parent == inbox).unwrap();
    let imported = ews.read_items(&folder_id(corpus_folder), "Shallow");
    let mut came: Vec<_> = imported.keys().map(|id| mime(&ews, id, &mut checker)).collect();
    let mut expected: Vec<_> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    came.sort();
    expected.sort();
    for (path, bytes) in paths.iter().map(|path| (path, fs::read(path).unwrap())) {
        assert!(came.binary_search(&bytes).is_ok(), "{} did not come back", path.display());
    }
    assert!(came == expected);

    // And over the wire.
    for path in &paths {
        let bytes = fs::read(path).unwrap();
        let failed = |code: String| -> String { panic!("{code}: {}", path.display()) };
        let id = ews.create_mime(&distinguished("inbox"), &STANDARD.encode(&bytes)).unwrap_or_else(failed);
        assert!(mime(&ews, &id, &mut checker) == bytes, "{} came back different", path.display());
        let data = ews.export(&[id]).remove(0).unwrap_or_else(failed);
        ews.upload(&inbox, false, &[data]).remove(0).unwrap_or_else(failed);
    }
    checker.finish();
}
