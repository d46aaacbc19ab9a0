//! A database that is slow, silent, unreachable or full: requests fail in a way that clients come again after, nothing
//! that was refused is done, and the node recovers by itself.

use std::time::{Duration, Instant};

use cluster::{Options, Weather, Wire, or_skip};
use testkit::{
    ews::{Ews, distinguished},
    http::Http,
    retry::Came,
};

use crate::{PASSWORD, alone, names, stage::Stage};

/// How long a request may take until it is refused; PostgreSQL answers 30 s late.
const REFUSED_WITHIN: Duration = Duration::from_secs(29);
/// How long a node may take until it serves again.
const RECOVERED_WITHIN: Duration = Duration::from_secs(30);

/// A stage with one mailbox, and what lies in its inbox.
struct Scene {
    stage: Stage,
    wire: Wire,
    ews: Ews,
    acknowledged: Vec<String>,
    perhaps: Vec<String>,
}

impl Scene {
    fn new(test: &str, options: Options) -> Option<Self> {
        let (accounts, _) = names();
        let (stage, wire) = or_skip(Stage::over_a_line(options, &accounts[..1]), test)?;
        let ews = Ews::new(Http::new(stage.nodes[0].address()).login(&accounts[0], PASSWORD)).frank();
        Some(Self { stage, wire, ews, acknowledged: Vec::new(), perhaps: Vec::new() })
    }

    /// Writes a message; whether it was acknowledged.
    fn write(&mut self, subject: &str) -> bool {
        match Came::of(self.ews.try_create_message(&distinguished("inbox"), subject)) {
            Came::Done(_) => {
                self.acknowledged.push(subject.to_owned());
                true
            }
            Came::NotDone(_) => false,
            Came::Unknown(_) => {
                self.perhaps.push(subject.to_owned());
                false
            }
        }
    }

    /// Reads and writes until both are refused once, each in time. A read is never half done.
    fn is_refused(&mut self, what: &str) {
        let begin = Instant::now();
        assert!(!self.write(what), "a write while the database is {what}");
        let wrote = begin.elapsed();
        let read = Came::of(self.ews.attempt(
            "<m:GetFolder><m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape><m:FolderIds>\
             <t:DistinguishedFolderId Id=\"inbox\"/></m:FolderIds></m:GetFolder>",
        ));
        assert!(matches!(read, Came::NotDone(_)), "a read while the database is {what}: {read:?}");
        let read = begin.elapsed() - wrote;
        println!("{what}: the write was refused after {wrote:?}, the read after {read:?}");
        assert!(wrote < REFUSED_WITHIN && read < REFUSED_WITHIN, "{what}: {wrote:?}, {read:?}");
        let ready = self.ews.http().try_send("GET", "/readyz", &[], "").map(|answer| answer.status);
        assert_eq!(ready, Ok(503), "/readyz while the database is {what}");
        let alive = self.ews.http().try_send("GET", "/healthz", &[], "").map(|answer| answer.status);
        assert_eq!(alive, Ok(200), "/healthz while the database is {what}");
    }

    /// Writes until it is acknowledged, within the time.
    fn recovers(&mut self, what: &str) {
        let begin = Instant::now();
        for attempt in 0.. {
            if self.write(&format!("after {what} {attempt}")) {
                break;
            }
            assert!(begin.elapsed() < RECOVERED_WITHIN, "{what}: not recovered\n{}", self.stage.logs());
            std::thread::park_timeout(Duration::from_millis(100));
        }
        println!("{what}: recovered after {:?}", begin.elapsed());
    }

    /// What was acknowledged is there, and nothing but it and what may be there; nothing twice.
    fn check(&mut self) {
        self.stage.recover().unwrap();
        let http = self.ews.http().patient(RECOVERED_WITHIN);
        let mut found: Vec<_> = Ews::new(http)
            .read_items(&distinguished("inbox"), "Shallow")
            .into_values()
            .map(|item| item.subject)
            .filter(|subject| !self.perhaps.contains(subject) || self.acknowledged.contains(subject))
            .collect();
        found.sort();
        self.acknowledged.sort();
        assert_eq!(found, self.acknowledged);
    }
}

#[test]
fn an_unreachable_or_silent_database_is_waited_for() {
    let _alone = alone();
    let Some(mut scene) = Scene::new("an_unreachable_or_silent_database_is_waited_for", Options::default()) else {
        return;
    };
    for (weather, what) in [
        (Weather::Refusing, "unreachable"),
        (Weather::Silent, "silent"),
        (Weather::Late(Duration::from_secs(30)), "late by 30 s"),
    ] {
        assert!(scene.write(&format!("before it is {what}")));
        scene.wire.set(weather).unwrap();
        scene.is_refused(what);
        scene.wire.set(Weather::Fair).unwrap();
        scene.recovers(what);
    }
    scene.check();
}

#[test]
fn a_full_disk_is_waited_for() {
    let _alone = alone();
    let options = Options { disk_mib: Some(128), ..Options::default() };
    let Some(mut scene) = Scene::new("a_full_disk_is_waited_for", options) else { return };
    assert!(scene.write("before it is full"));
    scene.stage.primary().fill_disk().unwrap();
    // What fits into the space of before is taken; a log that cannot grow ends the server, which comes up when it can.
    let (begin, mut refused) = (Instant::now(), 0);
    for number in 0.. {
        if !scene.write(&format!("{number} {}", "x".repeat(200))) {
            refused += 1;
        }
        if refused == 3 {
            break;
        }
        assert!(begin.elapsed() < Duration::from_secs(120), "the disk is never full");
    }
    scene.stage.primary().free_disk().unwrap();
    if !scene.stage.primary().answers() {
        scene.stage.primary().restart().unwrap();
    }
    scene.recovers("full");
    scene.check();
}
