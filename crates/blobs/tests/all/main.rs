//! Object stores as this crate uses them: a folder, an S3 server, and an S3 server behind a line that damages what passes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may fail")]

mod both;
mod faults;
mod folder;

use std::path::PathBuf;

use blobs::{Blobs, ObjectName, Pieces, Settings, hash_rope};
use cluster::ObjectServer;
use model::{RootId, Rope, Time};
use store::battery::block_on;
use tokio::runtime::{Builder, Runtime};

const ROOT: RootId = RootId(7);

/// An object store that was claimed. Futures are waited for without a runtime, as a store does.
struct Place {
    blobs: Blobs,
    /// Of a folder.
    path: PathBuf,
    address: String,
    runtime: Runtime,
    _directory: tempfile::TempDir,
}

impl Place {
    fn folder() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("large parts");
        let address = format!("file://{}", path.display().to_string().replace(' ', "%20"));
        Self::claimed(directory, path, address, Settings::default())
    }

    /// A bucket of its own; nothing, and a line, where there is no S3 server.
    fn s3(test: &str) -> Option<Self> {
        let server = cluster::or_skip(ObjectServer::shared(), test)?;
        let address = server.url(&server.bucket().unwrap(), server.address());
        Some(Self::at(address, Settings::default()))
    }

    fn at(address: String, settings: Settings) -> Self {
        Self::claimed(tempfile::tempdir().unwrap(), PathBuf::new(), address, settings)
    }

    fn claimed(directory: tempfile::TempDir, path: PathBuf, address: String, settings: Settings) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let blobs = Blobs::open(&address.parse().unwrap(), settings, runtime.handle().clone()).unwrap();
        block_on(blobs.claim("database-1", true)).unwrap();
        Self { blobs, path, address, runtime, _directory: directory }
    }

    /// Another handle, as another node has it.
    fn again(&self) -> Blobs {
        Blobs::open(&self.address.parse().unwrap(), Settings::default(), self.runtime.handle().clone()).unwrap()
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

/// Content in which no two places look alike.
fn content(bytes: usize) -> Vec<u8> {
    (0..bytes as u64).map(|at| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

/// A time at which everything is old.
fn distant() -> Time {
    Time::from_date(2200, 1, 1)
}
