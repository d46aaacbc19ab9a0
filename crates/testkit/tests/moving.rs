//! What clients hold stays valid when the data move to another store.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test")]

use std::{net::SocketAddr, sync::Arc};

use engine::Engine;
use highwater::{
    Config, Running, Server,
    copy::{Copied, copy},
    stores::{self, Missing},
    system::SystemClock,
};
use model::SeededRandom;
use tempfile::TempDir;
use testkit::{
    ews::{Ews, FolderPage, ItemAsk, ItemEntry, ItemPage, distinguished},
    http::Http,
    lists::{ListAsk, ListPage, Lists, number},
    server::{ANNA, BERT, PASSWORD, SITE, TestServer},
};

const LIST: &str = "Things";
/// Pages of a client that drains, at most.
const PAGES_MAX: usize = 100;

fn sync(ews: &Ews, state: Option<&str>, changes_max: usize) -> Result<ItemPage, String> {
    let folder = distinguished("inbox");
    ews.sync_items(&ItemAsk { folder: &folder, state, ignore: &[], changes_max, associated: false })
}

fn changes(lists: &Lists, token: Option<&str>) -> ListPage {
    lists.changes(&ListAsk { list: LIST, token, ..ListAsk::default() })
}

/// A page of a listing, or of the one that goes on at `position`.
fn listing(lists: &Lists, position: Option<&str>) -> ListPage {
    let options = position.map(|position| testkit::lists::with_position(None, position));
    lists.changes(&ListAsk { list: LIST, rows_max: Some(7), options: options.as_deref(), ..ListAsk::default() })
}

/// A server on data that are there.
struct Serving {
    running: Running,
    runtime: tokio::runtime::Runtime,
    engine: Engine,
}

impl Serving {
    /// `start` tells this start from others: the epoch follows from it.
    fn on(location: &str, start: u64) -> Self {
        let random = Arc::new(SeededRandom::new(start));
        let store = stores::open(location, Missing::Refuse, &*random).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let config =
            Config { listen: SocketAddr::from(([127, 0, 0, 1], 0)), drain_lead_seconds: 0, ..Config::default() };
        let engine = Engine::open(store, Arc::new(SystemClock), random, config.engine());
        let engine = runtime.block_on(engine).unwrap();
        let running = Server::start(&config, &engine).unwrap();
        Self { running, runtime, engine }
    }

    fn stop(self) {
        let Self { running, runtime, engine } = self;
        assert!(running.shutdown());
        drop((engine, runtime));
    }

    fn ews(&self, address: &str) -> Ews {
        Ews::new(Http::new(self.running.address()).login(address, PASSWORD))
    }

    fn lists(&self) -> Lists {
        Lists::new(Http::new(self.running.address()).login(ANNA, PASSWORD), SITE)
    }
}

/// What clients of both protocols hold when the server stops.
struct Held {
    /// In the walk over what was created, in the walk over what was changed, and at rest.
    items: [String; 3],
    folders: String,
    berts: String,
    /// With changes to come, more of them than one answer has.
    token: String,
    position: String,
    item: String,
}

fn hold(server: &TestServer) -> Held {
    let (ews, lists) = (server.ews(ANNA), server.lists(ANNA));
    lists.add(LIST, 100);
    let inbox = distinguished("inbox");
    let create = |from: usize, to: usize| -> Vec<String> {
        (from..to).map(|number| ews.create_message(&inbox, &format!("message {number}"))).collect()
    };
    let old = create(0, 30);
    let first = sync(&ews, None, 100).unwrap();
    let folders = ews.sync_folders(None, None).unwrap().state;
    lists.create(LIST, &[("Title", "row 0")]);
    let token = changes(&lists, None).token;
    // A drain is cut in its first walk, another in its second.
    create(30, 50);
    for id in &old[..12] {
        ews.set_importance(id, "High").unwrap();
    }
    for id in &old[12..20] {
        ews.delete(id, "HardDelete").unwrap();
    }
    let creates = sync(&ews, Some(&first.state), 9).unwrap();
    assert!(!creates.last && creates.entries.iter().all(|entry| matches!(entry, ItemEntry::Create(..))));
    let mut state = creates.state.clone();
    let changing = (0..PAGES_MAX).find_map(|_| {
        let page = sync(&ews, Some(&state), 9).unwrap();
        let is_in = page.entries.iter().any(|entry| !matches!(entry, ItemEntry::Create(..)));
        assert!(!page.last);
        state = page.state;
        is_in.then(|| state.clone())
    });
    ews.create_folder(&inbox, "made later").unwrap();
    for row in 1..60 {
        lists.create(LIST, &[("Title", &format!("row {row}"))]);
    }
    let position = listing(&lists, None).position.unwrap();
    let bert = server.ews(BERT);
    bert.create_message(&inbox, "for Bert");
    Held {
        items: [creates.state, changing.unwrap(), sync(&ews, None, 100).unwrap().state],
        folders,
        berts: sync(&bert, None, 100).unwrap().state,
        token,
        position,
        item: old[0].clone(),
    }
}

/// Everything that a client hears who goes on from what it holds: pages with their states and tokens.
///
/// Tokens of lists without their time.
fn go_on(server: &Serving, held: &Held) -> (Vec<ItemPage>, FolderPage, Vec<ListPage>, String) {
    let (ews, lists) = (server.ews(ANNA), server.lists());
    let drain = |ews: &Ews, state: &str| {
        let mut pages: Vec<ItemPage> = Vec::new();
        while pages.last().is_none_or(|page| !page.last) {
            let state = pages.last().map_or(state, |page| &page.state);
            pages.push(sync(ews, Some(state), 9).unwrap());
            assert!(pages.len() < PAGES_MAX);
        }
        pages
    };
    let mut items: Vec<ItemPage> = held.items.iter().flat_map(|state| drain(&ews, state)).collect();
    items.extend(drain(&server.ews(BERT), &held.berts));
    let mut pages = vec![listing(&lists, Some(&held.position)), changes(&lists, Some(&held.token))];
    while pages.last().unwrap().more.is_some() {
        let token = pages.last().unwrap().token.clone();
        pages.push(changes(&lists, Some(&token)));
        assert!(pages.len() < PAGES_MAX);
    }
    // A token of a list says when it was issued.
    for page in &mut pages {
        let parts: Vec<&str> = page.token.split(';').collect();
        page.token = [parts[2], parts[4]].join(";");
    }
    let item = ews.get_item(&held.item, "<t:BaseShape>AllProperties</t:BaseShape>").unwrap();
    (items, ews.sync_folders(None, Some(&held.folders)).unwrap(), pages, format!("{item:?}"))
}

/// Copies from place to place. The last copy is as the first data were.
fn moved(places: &[String]) -> Copied {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let open = |place: &str, start| stores::open(place, Missing::Make, &SeededRandom::new(start)).unwrap();
    let mut copied: Option<Copied> = None;
    for (start, pair) in (100..).zip(places.windows(2)) {
        let (from, to) = (open(&pair[0], start), open(&pair[1], start + 1_000));
        let one = runtime.block_on(copy(from, to, None, Arc::new(|_| {}))).unwrap();
        assert!(copied.is_none_or(|before| before == one), "{copied:?} {one:?}");
        copied = Some(one);
    }
    copied.unwrap()
}

fn data(folder: &TempDir) -> String {
    folder.path().join("data").display().to_string()
}

/// Copies over all `places`, and serves the copies at the places from the second on, each after the one before: clients of
/// both protocols go on over a copy exactly as they would have over the original, and what was issued by the original
/// after the copy was made is refused.
fn clients_go_on_over(places: &[String]) {
    let server = TestServer::sqlite();
    let held = hold(&server);
    let folder = server.stop();
    let places: Vec<String> = [&[data(&folder)], places].concat();
    let copied = moved(&places);
    // Anna, Bert, the site, and the control root; what nobody has used is not there.
    assert!(copied.roots >= 4 && copied.rows > 400, "{copied:?}");
    let original = Serving::on(&places[0], 8);
    let there = go_on(&original, &held);
    let kinds = there.0.iter().flat_map(|page| &page.entries).fold([0; 3], |mut kinds, entry| {
        kinds[match entry {
            ItemEntry::Create(..) => 0,
            ItemEntry::Update(..) => 1,
            ItemEntry::Delete(_) | ItemEntry::Read(..) => 2,
        }] += 1;
        kinds
    });
    assert!(kinds.iter().all(|count| *count > 0), "{kinds:?}");
    assert_eq!(there.1.entries.len(), 1, "{:?}", there.1);
    let rows: Vec<u32> = there.2[1..].iter().flat_map(|page| &page.rows).map(number).collect();
    assert_eq!(rows, (2..=60).collect::<Vec<_>>());

    // The original goes on, and clients of it come to the copies, which first stand where they did and then are past that.
    let (ews, lists) = (original.ews(ANNA), original.lists());
    ews.create_message(&distinguished("inbox"), "lost");
    lists.create(LIST, &[("Title", "lost")]);
    let lost = sync(&ews, Some(&held.items[2]), 100).unwrap().state;
    let lost_folders = ews.sync_folders(None, Some(&held.folders)).unwrap().state;
    let lost_token = changes(&lists, None).token;
    original.stop();
    for (start, place) in (20..).zip(&places[1..]) {
        let server = Serving::on(place, start);
        assert!(go_on(&server, &held) == there, "{place}");
        let (ews, lists) = (server.ews(ANNA), server.lists());
        let refused = || {
            assert_eq!(sync(&ews, Some(&lost), 100), Err("ErrorInvalidSyncStateData".to_owned()));
            let hierarchy = ews.sync_folders(None, Some(&lost_folders)).map(|page| page.entries);
            assert_eq!(hierarchy, Err("ErrorInvalidSyncStateData".to_owned()));
            assert_eq!(changes(&lists, Some(&lost_token)).ids, [("InvalidToken".to_owned(), None)]);
        };
        refused();
        for number in 0..4 {
            ews.create_message(&distinguished("inbox"), &format!("on the copy {number}"));
            lists.create(LIST, &[("Title", "on the copy")]);
        }
        refused();
        // Clients converge: from what they held to what there is, by what happened and nothing else.
        let page = sync(&ews, Some(&held.items[2]), 100).unwrap();
        assert_eq!((page.entries.len(), page.last), (4, true), "{page:?}");
        assert!(page.entries.iter().all(|entry| matches!(entry, ItemEntry::Create(..))));
        let rows = changes(&lists, Some(&held.token));
        assert_eq!(rows.rows.iter().map(number).collect::<Vec<_>>(), (2..42).collect::<Vec<_>>());
        let rows = changes(&lists, Some(&rows.token));
        assert_eq!(rows.rows.iter().map(number).collect::<Vec<_>>(), (42..65).collect::<Vec<_>>());
        assert_eq!(rows.ids, []);
        server.stop();
    }
}

#[test]
fn clients_go_on_over_a_copy_and_a_copy_of_it() {
    let [first, second] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    clients_go_on_over(&[data(&first), data(&second)]);
}

#[test]
fn clients_go_on_over_postgres_and_back() {
    let Some(cluster) = cluster::or_skip(cluster::shared(), "clients_go_on_over_postgres_and_back") else { return };
    let back = tempfile::tempdir().unwrap();
    clients_go_on_over(&[cluster.fresh_url(), data(&back)]);
}
