//! Objects in a folder: what stands after each call, and what damage is found.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use blobs::{BlobError, Blobs, Counts, Hash, ObjectName, OpenError, PIECE_BYTES, Pieces, Settings, hash_rope};
use model::{Extent, MemorySpool, RootId, Rope, Spool, Time};
use store::{StoreError, battery::block_on};
use tokio::runtime::Runtime;

const ROOT: RootId = RootId(7);

struct Folder {
    blobs: Blobs,
    path: PathBuf,
    _directory: tempfile::TempDir,
    _runtime: Runtime,
}

impl Folder {
    /// A claimed folder. Futures are waited for without a runtime, as a store does.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let path = directory.path().join("large parts");
        let blobs = open(&path, &runtime);
        block_on(blobs.claim("database-1", true)).unwrap();
        Self { blobs, path, _directory: directory, _runtime: runtime }
    }

    fn file(&self, name: &ObjectName) -> PathBuf {
        self.path.join(name.as_str())
    }

    fn put(&self, content: &[u8], nonce: u64) -> (ObjectName, Pieces) {
        let rope = Rope::from(content.to_vec());
        let stored = block_on(self.blobs.put(ROOT, &hash_rope(&rope).unwrap(), nonce, &rope)).unwrap();
        (stored.name, stored.pieces)
    }

    fn listed(&self, root: Option<RootId>, older_than: Time) -> Vec<String> {
        let mut walk = self.blobs.walk(root, older_than);
        let mut names = Vec::new();
        while let Some(page) = block_on(walk.next()).unwrap() {
            names.extend(page.into_iter().map(|listed| format!("{} {}", listed.name, listed.bytes)));
        }
        names.sort();
        names
    }
}

fn open(path: &Path, runtime: &Runtime) -> Blobs {
    let address = format!("file://{}", path.display().to_string().replace(' ', "%20"));
    Blobs::open(&address, Settings::default(), runtime.handle().clone()).unwrap()
}

/// Content in which no two places look alike.
fn content(bytes: usize) -> Vec<u8> {
    (0..bytes as u64).map(|at| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

fn distant() -> Time {
    Time::from_date(2200, 1, 1)
}

#[test]
fn content_of_every_length_comes_back_in_ranges_and_whole() {
    let folder = Folder::new();
    let lengths = [1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 5 * PIECE_BYTES, 5 * PIECE_BYTES + 1, 11 << 20];
    for (nonce, length) in lengths.into_iter().enumerate() {
        let expected = content(length);
        let (name, pieces) = folder.put(&expected, nonce as u64);
        assert_eq!(fs::metadata(folder.file(&name)).unwrap().len(), length as u64);
        assert_eq!(pieces.count(), length.div_ceil(PIECE_BYTES));
        assert!(block_on(folder.blobs.get(&name, &pieces)).unwrap() == expected, "{length} whole");
        for (offset, bytes_max) in [
            (0, 1),
            (length - 1, 1),
            (length / 2, 70_000),
            (length - 1, PIECE_BYTES),
            (PIECE_BYTES - 3, 9),
            (PIECE_BYTES / 2, PIECE_BYTES),
            (length, 5),
            (length + 9, 5),
            (3, 0),
        ] {
            let range = block_on(folder.blobs.range(&name, &pieces, offset as u64, bytes_max)).unwrap();
            let start = offset.min(length);
            assert!(range == expected[start..(start + bytes_max).min(length)], "{length}: {offset}+{bytes_max}");
        }
        // Small steps read each piece once.
        let before = folder.blobs.counts().reads;
        let mut reader = folder.blobs.reader(name, pieces.clone());
        let mut whole = Vec::new();
        loop {
            let range = block_on(reader.read(whole.len() as u64, 100_000)).unwrap();
            whole.extend_from_slice(&range);
            if range.is_empty() {
                break;
            }
        }
        assert!(whole == expected, "{length} in steps");
        assert_eq!(folder.blobs.counts().reads - before, pieces.count() as u64, "{length}");
    }
}

#[test]
fn what_lies_outside_of_memory_is_stored_as_it_is_read() {
    let folder = Folder::new();
    let bytes = content(12 << 20);
    let spool: Arc<dyn Spool> = Arc::new(MemorySpool::from(bytes.clone()));
    let mut rope = Rope::from(&b"head"[..]);
    rope.append(Rope::spooled(Extent { spool: Arc::clone(&spool), offset: 5, bytes: 11 << 20 }));
    let expected = [b"head", &bytes[5..(11 << 20) + 5]].concat();
    let hash = hash_rope(&rope).unwrap();
    let stored = block_on(folder.blobs.put(ROOT, &hash, 1, &rope)).unwrap();
    assert!(block_on(folder.blobs.get(&stored.name, &stored.pieces)).unwrap() == expected);
    assert_eq!((stored.name.root(), stored.name.hash()), (ROOT, &hash));

    // What cannot be read, or is something else, is refused; in parts, nothing of it stands.
    let beyond = Rope::spooled(Extent { spool, offset: 6 << 20, bytes: 12 << 20 });
    let unreadable = block_on(folder.blobs.put(ROOT, &hash, 2, &beyond)).unwrap_err();
    assert!(matches!(unreadable, BlobError::Content(_)), "{unreadable}");
    let other = block_on(folder.blobs.put(ROOT, &[9; 32], 3, &rope)).unwrap_err();
    assert!(matches!(other, BlobError::Content(_)), "{other}");
    assert_eq!(folder.listed(None, distant()).len(), 1);
    assert!(matches!(StoreError::from(other), StoreError::TryAgain(_)));
}

#[test]
fn damage_is_found_before_it_is_passed_on_and_only_where_it_is() {
    let folder = Folder::new();
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
fn a_walk_sees_what_is_old_enough_and_removing_may_be_repeated() {
    let folder = Folder::new();
    let (one, pieces) = folder.put(b"one", 1);
    let (two, _) = folder.put(b"two", 2);
    let rope = Rope::from(&b"three"[..]);
    let three = block_on(folder.blobs.put(RootId(70), &hash_rope(&rope).unwrap(), 3, &rope)).unwrap().name;
    fs::write(folder.path.join("7/readme.txt"), "somebody's").unwrap();
    let written = fs::metadata(folder.file(&two)).unwrap().modified().unwrap();
    for name in [&one, &three] {
        let file = fs::File::options().write(true).open(folder.file(name)).unwrap();
        file.set_modified(written - Duration::from_secs(7_200)).unwrap();
    }
    let hour_ago = written.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as i64 - 3_600;
    let hour_ago = Time::from_unix(hour_ago);
    let mut expected = vec![format!("{one} 3"), format!("{three} 5")];
    expected.sort();
    assert_eq!(folder.listed(None, hour_ago), expected);
    assert_eq!(folder.listed(Some(ROOT), hour_ago), [format!("{one} 3")]);
    assert_eq!(folder.listed(None, distant()).len(), 3);
    block_on(folder.blobs.delete(&[one.clone(), three.clone()])).unwrap();
    block_on(folder.blobs.delete(&[one.clone(), three])).unwrap();
    assert_eq!(folder.listed(None, distant()), [format!("{two} 3")]);
    assert_eq!(block_on(folder.blobs.get(&one, &pieces)), Err(BlobError::Missing(one)));
    let Counts { puts, put_bytes, deletes, .. } = folder.blobs.counts();
    assert_eq!((puts, put_bytes, deletes), (3, 11, 4));
}

#[test]
fn beginnings_that_a_dead_node_left_go_when_they_are_old() {
    let folder = Folder::new();
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
fn one_database_owns_a_folder() {
    let folder = Folder::new();
    let runtime = &folder._runtime;
    let same = open(&folder.path, runtime);
    block_on(same.claim("database-1", false)).unwrap();
    block_on(same.claim("database-1", true)).unwrap();
    block_on(same.check()).unwrap();
    for first in [true, false] {
        let other = block_on(open(&folder.path, runtime).claim("database-2", first)).unwrap_err();
        assert!(matches!(&other, BlobError::Foreign(text) if text.contains("(database-1)")), "{other}");
    }
    // A database that has its large parts elsewhere does not take an empty folder for it.
    let empty = open(&folder.path.join("empty"), runtime);
    let error = block_on(empty.claim("database-1", false)).unwrap_err();
    assert!(matches!(&error, BlobError::Foreign(text) if text.contains("no object .highwater")), "{error}");
    assert!(matches!(block_on(empty.check()), Err(BlobError::Unavailable(_))));
}

#[test]
fn addresses_say_what_is_wrong_with_them_and_never_show_secrets() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let open = |address: &str| Blobs::open(address, Settings::default(), runtime.handle().clone());
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
        ("file:///tmp/x?endpoint=secret", "the parameter endpoint is not known"),
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
