//! What holds for folders alone, and for addresses.

use std::{
    fs,
    time::{Duration, SystemTime},
};

use blobs::{BlobError, Blobs, Hash, ObjectName, OpenError, PIECE_BYTES, Settings};
use model::Time;
use store::{StoreError, battery::block_on};

use crate::{Place, ROOT, content, distant};

#[test]
fn damage_is_found_before_it_is_passed_on_and_only_where_it_is() {
    let folder = Place::folder();
    let expected = content(3 * PIECE_BYTES + 5);
    let (name, pieces) = folder.put(&expected, 1);
    let range = |offset, bytes_max| block_on(folder.blobs.range(&name, &pieces, offset, bytes_max));
    let mut damaged = expected.clone();
    damaged[PIECE_BYTES + 9] ^= 4;
    fs::write(folder.file(&name), &damaged).unwrap();
    assert!(range(0, PIECE_BYTES).unwrap() == expected[..PIECE_BYTES]);
    assert_eq!(range(PIECE_BYTES as u64 + 90, 1), Err(BlobError::Damaged(name.clone())));
    assert_eq!(block_on(folder.blobs.get(&name, &pieces)), Err(BlobError::Damaged(name.clone())));
    assert!(range(2 * PIECE_BYTES as u64, 90).unwrap() == expected[2 * PIECE_BYTES..][..90]);
    // Too short: inside a piece, at the end of one, altogether.
    for length in [3 * PIECE_BYTES + 4, 3 * PIECE_BYTES, 0] {
        fs::write(folder.file(&name), &expected[..length]).unwrap();
        let error = range(3 * PIECE_BYTES as u64, 1).unwrap_err();
        assert_eq!(error, BlobError::Damaged(name.clone()), "{length}");
        assert!(matches!(StoreError::from(error), StoreError::Corrupt(_)));
    }
    fs::remove_file(folder.file(&name)).unwrap();
    assert_eq!(range(0, 1), Err(BlobError::Missing(name.clone())));
    assert!(matches!(StoreError::from(range(0, 1).unwrap_err()), StoreError::Corrupt(_)));
    // Nothing is said to be lost where the store itself is not there, such as a folder that is not mounted.
    fs::rename(&folder.path, folder.path.with_extension("away")).unwrap();
    fs::create_dir(&folder.path).unwrap();
    let away = range(0, 1).unwrap_err();
    assert!(matches!(away, BlobError::Foreign(_)), "{away}");
    assert!(matches!(StoreError::from(away), StoreError::TryAgain(_)));
    assert!(matches!(block_on(folder.blobs.check()), Err(BlobError::Foreign(_))));
    assert!(block_on(folder.blobs.walk(None, distant()).next()).is_err());
}

#[test]
fn a_walk_passes_over_what_is_young_or_somebody_elses() {
    let folder = Place::folder();
    let (old, _) = folder.put(b"one", 1);
    let (young, _) = folder.put(b"two", 2);
    fs::write(folder.path.join("7/readme.txt"), "somebody's").unwrap();
    let written = fs::metadata(folder.file(&young)).unwrap().modified().unwrap();
    let file = fs::File::options().write(true).open(folder.file(&old)).unwrap();
    file.set_modified(written - Duration::from_secs(7_200)).unwrap();
    let hour_ago = written.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as i64 - 3_600;
    assert_eq!(folder.listed(None, Time::from_unix(hour_ago)), [format!("{old} 3")]);
    assert_eq!(folder.listed(None, distant()).len(), 2);
}

#[test]
fn beginnings_that_a_dead_node_left_go_when_they_are_old() {
    let folder = Place::folder();
    let (name, pieces) = folder.put(b"whole", 1);
    let hash: Hash = [3; 32];
    let unfinished = folder.path.join(format!("{}#1", ObjectName::new(ROOT, &hash, 5)));
    fs::write(&unfinished, "beginning").unwrap();
    fs::write(folder.path.join("7/notes#1"), "somebody's").unwrap();
    assert_eq!(folder.listed(None, distant()), [format!("{name} 5")]);
    assert_eq!(block_on(folder.blobs.remove_unfinished(Time::from_date(2000, 1, 1))), Ok(0));
    assert_eq!(block_on(folder.blobs.remove_unfinished(distant())), Ok(1));
    assert!(!unfinished.exists() && folder.path.join("7/notes#1").exists());
    assert_eq!(block_on(folder.blobs.get(&name, &pieces)).unwrap(), "whole");
}

#[test]
fn addresses_say_what_is_wrong_with_them_and_never_show_secrets() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let open = |address: &str| Blobs::open(&address.parse()?, Settings::default(), runtime.handle().clone());
    for (address, expected) in [
        ("bucket", "this is not an address"),
        ("ftp://bucket/x?token=secret", "ftp:// is not known"),
        ("s3:///prefix", "the bucket is missing"),
        ("s3://bucket/pre//fix", "empty"),
        ("s3://bucket?pasword=secret", "the parameter pasword is not known"),
        ("s3://bucket?bucket=secret", "the parameter bucket is not known"),
        ("s3://key:secret@bucket/x", "not before an @"),
        ("s3://bucket/%zz", "followed by no two digits"),
        ("az://container?colour=secret", "the parameter colour is not known"),
        ("gs://bucket?colour=secret", "the parameter colour is not known"),
        ("file://folder", "three slashes"),
        ("file:///x/y?endpoint=secret", "the parameter endpoint is not known"),
    ] {
        let error = open(address).err().unwrap_or_else(|| panic!("{address} is taken"));
        assert!(matches!(&error, OpenError::Address { .. }), "{address}: {error}");
        let text = error.to_string();
        assert!(text.contains(expected) && !text.contains("secret"), "{address}: {text}");
    }
    let blobs = open("s3://bucket/a/b?endpoint=http://127.0.0.1:9&access_key_id=k&secret_access_key=secret").unwrap();
    assert_eq!(blobs.shown(), "s3://bucket/a/b");
    let blobs = open("az://container?account_name=anna&access_key=c2VjcmV0").unwrap();
    assert_eq!(blobs.shown(), "az://container");
    let error = open("file:///proc/nothing/here").err().unwrap();
    assert!(matches!(&error, OpenError::Folder { .. }), "{error}");
}
