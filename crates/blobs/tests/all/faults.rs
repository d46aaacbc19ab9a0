//! Bad weather between us and an S3 server: what was acknowledged stands, nothing damaged is passed on, and what fails
//! may be repeated.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use blobs::{BlobError, PIECE_BYTES, Settings, hash_rope};
use cluster::{Fault, ObjectLine, ObjectServer, Seen};
use model::Rope;
use store::{StoreError, battery::block_on};

use crate::{Place, ROOT, content, distant};

/// A bucket behind a bad line, and the same without it. Nothing, and a line, where there is no S3 server.
fn behind(test: &str, rule: impl Fn(&Seen<'_>) -> Fault + Send + Sync + 'static) -> Option<(Place, Place)> {
    let server = cluster::or_skip(ObjectServer::shared(), test)?;
    let line = ObjectLine::start(server.address(), rule).unwrap().address();
    let bucket = server.bucket().unwrap();
    let settings = Settings { request: Duration::from_millis(1_500), ..Settings::default() };
    let bad = Place::at(server.url(&bucket, line), settings);
    Some((bad, Place::at(server.url(&bucket, server.address()), Settings::default())))
}

/// Damage that comes and goes is got over, and the content is right, for one request and for an upload in parts. Every
/// second request of the kind is hit, so that none is got over by luck alone.
fn is_got_over(test: &str, method: &'static str, fault: Fault) {
    let kind = AtomicUsize::new(0);
    let rule = move |seen: &Seen<'_>| {
        let hit =
            seen.is_about_parts() && seen.method == method && kind.fetch_add(1, Ordering::SeqCst).is_multiple_of(2);
        if hit { fault } else { Fault::None }
    };
    let Some((bad, good)) = behind(test, rule) else { return };
    for (nonce, bytes) in [(1, 70_000), (2, 6 << 20)] {
        let expected = content(bytes);
        let (name, pieces) = bad.put(&expected, nonce);
        assert!(block_on(good.blobs.get(&name, &pieces)).unwrap() == expected, "{method} {fault:?}: stored");
        assert!(block_on(bad.blobs.get(&name, &pieces)).unwrap() == expected, "{method} {fault:?}: read");
    }
}

macro_rules! got_over {
    ($($test:ident: $method:literal $fault:ident;)*) => {
        $(#[test] fn $test() { is_got_over(stringify!($test), $method, Fault::$fault); })*
    };
}

got_over! {
    a_busy_store_takes_it_later: "PUT" Busy;
    a_connection_that_ends_before_it_is_sent: "PUT" Dropped;
    an_answer_to_storing_that_is_lost: "PUT" AnswerLost;
    a_store_that_never_answers_to_storing: "PUT" Hangs;
    a_busy_store_begins_an_upload_later: "POST" Busy;
    an_answer_to_the_end_of_an_upload_that_is_lost: "POST" AnswerLost;
    a_busy_store_shows_it_later: "HEAD" Busy;
    a_busy_store_gives_it_later: "GET" Busy;
    a_connection_that_ends_before_it_is_read: "GET" Dropped;
    a_body_that_is_cut_off: "GET" CutOff;
    a_body_that_is_shorter_than_it_was: "GET" Shorter;
    a_body_with_another_bit: "GET" Flipped;
    a_store_that_never_answers_to_reading: "GET" Hangs;
}

/// A store that says it has stored what it has not is found out before anything is acknowledged.
#[test]
fn a_lie_about_storing_is_not_believed() {
    let lies = Arc::new(AtomicUsize::new(0));
    let told = Arc::clone(&lies);
    let rule = move |seen: &Seen<'_>| {
        // The first two of three.
        let lie = seen.is_about_parts() && seen.method == "PUT" && told.fetch_add(1, Ordering::SeqCst) < 2;
        if lie { Fault::Lied } else { Fault::None }
    };
    let Some((bad, good)) = behind("a_lie_about_storing_is_not_believed", rule) else { return };
    let expected = content(70_000);
    let (name, pieces) = bad.put(&expected, 1);
    assert!(block_on(good.blobs.get(&name, &pieces)).unwrap() == expected);
    assert_eq!((lies.load(Ordering::SeqCst), bad.blobs.counts().repeats), (3, 2));

    let Some((bad, good)) = behind("a_lie_about_storing_is_not_believed", |seen| {
        if seen.is_about_parts() && seen.method == "PUT" { Fault::Lied } else { Fault::None }
    }) else {
        return;
    };
    let rope = Rope::from(expected);
    let error = block_on(bad.blobs.put(ROOT, &hash_rope(&rope).unwrap(), 2, &rope)).unwrap_err();
    assert!(matches!(&error, BlobError::Unavailable(text) if text.contains("does not stand")), "{error}");
    assert!(matches!(StoreError::from(error), StoreError::TryAgain(_)));
    assert!(good.listed(None, distant()).is_empty());
}

/// What does not pass ends in time, with an error that says what the caller may do.
#[test]
fn lasting_faults_end_in_an_error_that_may_be_repeated() {
    for fault in [Fault::Busy, Fault::Dropped, Fault::Hangs] {
        let on = Arc::new(AtomicUsize::new(0));
        let switch = Arc::clone(&on);
        let rule = move |seen: &Seen<'_>| {
            if seen.is_about_parts() && switch.load(Ordering::SeqCst) == 1 { fault } else { Fault::None }
        };
        let Some(server) = cluster::or_skip(ObjectServer::shared(), "lasting_faults") else { return };
        let line = ObjectLine::start(server.address(), rule).unwrap().address();
        let patience = Duration::from_millis(1_500);
        let settings =
            Settings { request: Duration::from_millis(500), read_patience: patience, write_patience: patience };
        let place = Place::at(server.url(&server.bucket().unwrap(), line), settings);
        let expected = content(70_000);
        let (name, pieces) = place.put(&expected, 1);
        on.store(1, Ordering::SeqCst);
        let rope = Rope::from(content(80_000));
        let put = block_on(place.blobs.put(ROOT, &hash_rope(&rope).unwrap(), 2, &rope)).unwrap_err();
        let get = block_on(place.blobs.get(&name, &pieces)).unwrap_err();
        for error in [put, get] {
            assert!(matches!(error, BlobError::Unavailable(_)), "{fault:?}: {error}");
            assert!(matches!(StoreError::from(error), StoreError::TryAgain(_)));
        }
        on.store(0, Ordering::SeqCst);
        assert!(block_on(place.blobs.get(&name, &pieces)).unwrap() == expected, "{fault:?}: afterwards");
        place.put(&content(80_000), 3);
    }
}

/// Damage that stays is damage, however often it is read, and is never passed on.
#[test]
fn lasting_damage_is_said_to_be_damage() {
    for fault in [Fault::Flipped, Fault::Shorter] {
        let rule =
            move |seen: &Seen<'_>| if seen.is_about_parts() && seen.method == "GET" { fault } else { Fault::None };
        let Some((bad, good)) = behind("lasting_damage_is_said_to_be_damage", rule) else { return };
        let expected = content(PIECE_BYTES + 70_000);
        let (name, pieces) = bad.put(&expected, 1);
        assert_eq!(block_on(bad.blobs.get(&name, &pieces)), Err(BlobError::Damaged(name.clone())), "{fault:?}");
        assert_eq!(block_on(bad.blobs.range(&name, &pieces, 5, 9)), Err(BlobError::Damaged(name.clone())));
        assert!(bad.blobs.counts().damaged >= 3);
        assert!(block_on(good.blobs.get(&name, &pieces)).unwrap() == expected);
    }
}

/// A bucket that is not there, and a server that is not there, are said to be so.
#[test]
fn a_missing_bucket_or_server_is_not_a_missing_object() {
    let Some(server) = cluster::or_skip(ObjectServer::shared(), "a_missing_bucket") else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let settings = Settings { read_patience: Duration::from_secs(2), ..Settings::default() };
    let nobody = "127.0.0.1:9".parse().unwrap();
    for (address, expected) in [
        (server.url("nowhere", server.address()), "s3://nowhere/parts"),
        (server.url("nowhere", nobody), "s3://nowhere/parts"),
    ] {
        let blobs = blobs::Blobs::open(&address.parse().unwrap(), settings, runtime.handle().clone()).unwrap();
        for result in [block_on(blobs.claim("database-1", true)), block_on(blobs.check())] {
            let error = result.unwrap_err();
            assert!(matches!(&error, BlobError::Unavailable(text) if text.contains(expected)), "{error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
