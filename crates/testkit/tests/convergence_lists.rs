//! A client of GetListItemChangesSinceToken ends with what GetListItems lists, whatever happened meanwhile.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test")]

use std::collections::BTreeMap;

use model::Time;
use testkit::{
    chance::Chance,
    librarian::{FILE_FIELDS, Librarian, RECURSIVE, bin, restore},
    lists::{ListAsk, Lists, Row, method, number, with_position},
    mirror::{ListMirror, assert_equal},
    server::{ANNA, STORES, StoreKind, TestServer},
};

/// Random histories for each store.
const HISTORIES: u64 = 3;
/// Turns of writing and asking in one history.
const TURNS: usize = 40;
/// Changes of the writer that runs beside the client.
const WRITES_BESIDE: usize = 120;
/// Answers after which draining is given up.
const PAGES_MAX: usize = 1_000;
const FIELDS: &str = "<ViewFields xmlns=''><FieldRef Name='Title'/><FieldRef Name='Status'/></ViewFields>";
const COMPARED: &[&str] = &["Title", "Status", "owshiddenversion"];
const OPTIONS: &str = "<QueryOptions xmlns=''><DateInUtc>TRUE</DateInUtc></QueryOptions>";
/// What is asked for: everything, what has a status, what begins with a letter and comes by title.
const QUERIES: [Option<&str>; 3] = [
    None,
    Some(
        "<Query xmlns=''><Where><Eq><FieldRef Name='Status'/><Value Type='Text'>Completed</Value></Eq></Where></Query>",
    ),
    Some(
        "<Query xmlns=''><Where><Or><BeginsWith><FieldRef Name='Title'/><Value Type='Text'>a</Value></BeginsWith>\
         <Gt><FieldRef Name='Title'/><Value Type='Text'>m</Value></Gt></Or></Where>\
         <OrderBy><FieldRef Name='Title'/></OrderBy></Query>",
    ),
];

/// Somebody who changes a list.
struct Writer {
    lists: Lists,
    chance: Chance,
    list: String,
    here: Vec<u32>,
}

impl Writer {
    fn write(&mut self) {
        let title = self.chance.word();
        let status = ["Not Started", "In Progress", "Completed"][self.chance.below(3)];
        let fields = [("Title", title.as_str()), ("Status", status)];
        match self.chance.below(10) {
            0..=3 => self.here.push(number(&self.lists.create(&self.list, &fields))),
            4..=7 => {
                // What was made last is changed more often.
                let latest = if self.chance.one_in(3) { self.here.last() } else { None };
                if let Some(row) = latest.or_else(|| self.chance.pick(&self.here)) {
                    let changed = &fields[self.chance.below(2)..];
                    let outcome = &self.lists.update(&self.list, &method("Update", Some(*row), changed))[0];
                    assert_eq!(outcome.code, "0x00000000");
                }
            }
            8 if self.chance.one_in(2) => {
                // A row comes back from the recycle bin under its number.
                let entries = bin(&self.lists, &format!("sites/team/Lists/{}", self.list));
                if let Some((entry, name, _)) = self.chance.pick(&entries) {
                    assert_eq!(restore(&self.lists, entry), 200, "{name}");
                    self.here.push(name.trim_end_matches("_.000").parse().unwrap());
                }
            }
            _ => {
                if !self.here.is_empty() {
                    let row = self.here.swap_remove(self.chance.below(self.here.len()));
                    let outcome = &self.lists.update(&self.list, &method("Delete", Some(row), &[]))[0];
                    assert_eq!(outcome.code, "0x00000000");
                }
            }
        }
    }
}

/// A client of one query.
#[derive(Clone)]
struct Reader<'a> {
    lists: &'a Lists,
    list: &'a str,
    query: Option<&'a str>,
    fields: &'a str,
    options: &'a str,
    compared: &'a [&'a str],
    mirror: ListMirror,
    /// Starts anew when it is told to: its token may be past the retention.
    patient: bool,
}

impl<'a> Reader<'a> {
    fn new(lists: &'a Lists, list: &'a str, query: Option<&'a str>) -> Self {
        let mirror = ListMirror::default();
        let (fields, options, compared) = (FIELDS, OPTIONS, COMPARED);
        Reader { lists, list, query, fields, options, compared, mirror, patient: false }
    }

    fn ask(&self) -> ListAsk<'_> {
        let (fields, options) = (Some(self.fields), Some(self.options));
        ListAsk { list: self.list, query: self.query, fields, options, ..ListAsk::default() }
    }

    /// Returns whether more is announced.
    fn turn(&mut self, rows_max: Option<usize>, over_rest: bool) -> bool {
        let listing = self.mirror.listing.clone();
        let options = listing.map(|(position, _)| with_position(Some(self.options), &position));
        let token = self.mirror.token.clone();
        let mut ask = ListAsk { rows_max, token: token.as_deref(), ..self.ask() };
        if let Some(options) = &options {
            ask.options = Some(options);
        }
        let page = if over_rest { self.lists.changes_over_rest(&ask) } else { self.lists.changes(&ask) };
        let bound = rows_max.unwrap_or(if token.is_some() { 40 } else { usize::MAX });
        assert!(page.rows.len() <= bound, "{} rows, asked for {bound}", page.rows.len());
        if self.patient && page.ids.iter().any(|(_, row)| row.is_none()) {
            assert_eq!((page.rows.len(), page.more), (0, None), "a new start comes alone");
            self.mirror = ListMirror::default();
            return true;
        }
        assert!(self.patient || page.definition == token.is_none(), "the definition comes without a token");
        self.mirror.apply(page)
    }

    fn drain(&mut self, rows_max: Option<usize>) {
        for _ in 0..PAGES_MAX {
            if !self.turn(rows_max, false) {
                return;
            }
        }
        panic!("the drain does not come to an end");
    }

    fn check(&self) {
        let compared = |rows: &BTreeMap<u32, Row>| {
            let compared = |row: &Row| self.compared.iter().map(|name| row.get(*name).cloned()).collect::<Vec<_>>();
            rows.iter().map(|(number, row)| (*number, compared(row))).collect::<BTreeMap<_, _>>()
        };
        let full = self.lists.read_rows(&self.ask());
        assert_equal(&compared(&self.mirror.rows), &compared(&full), self.query.unwrap_or_default());
    }
}

fn history(server: &TestServer, seed: u64) {
    let lists = server.lists(ANNA);
    let list = format!("Tasks {seed}");
    lists.add(&list, 107);
    let mut writer = Writer { lists: lists.clone(), chance: Chance::new(seed), list: list.clone(), here: vec![] };
    (0..12).for_each(|_| writer.write());
    let chance = Chance::new(seed ^ 0x11575);
    for query in QUERIES {
        let mut reader = Reader::new(&lists, &list, query);
        let mut stale = vec![reader.mirror.clone()];
        for _ in 0..TURNS {
            for _ in 0..chance.below(4) {
                writer.write();
            }
            match chance.below(10) {
                // The answer is lost: the same token is sent again.
                0 => drop(reader.clone().turn(Some(1 + chance.below(6)), false)),
                1 if chance.one_in(2) => reader.mirror = ListMirror::default(),
                1 => reader.mirror = stale[chance.below(stale.len())].clone(),
                2 => stale.push(reader.mirror.clone()),
                3 => {
                    reader.drain(Some(1 + chance.below(9)));
                    // The first listing names the position at which it began.
                    reader.drain(None);
                    reader.check();
                }
                _ => drop(reader.turn(Some(1 + chance.below(6)), chance.one_in(2))),
            }
        }
        stale.push(reader.mirror.clone());
        for mirror in stale {
            reader.mirror = mirror;
            reader.drain(Some(1 + chance.below(20)));
            reader.drain(None);
            reader.check();
        }
    }
}

fn beside(server: &TestServer, seed: u64) {
    let lists = server.lists(ANNA);
    let list = format!("Tasks {seed}");
    lists.add(&list, 107);
    let mut writer = Writer { lists: lists.clone(), chance: Chance::new(seed), list: list.clone(), here: vec![] };
    let chance = Chance::new(seed);
    let mut readers = QUERIES.map(|query| Reader::new(&lists, &list, query));
    let writing = std::thread::spawn(move || (0..WRITES_BESIDE).for_each(|_| writer.write()));
    while !writing.is_finished() {
        for reader in &mut readers {
            reader.turn(Some(1 + chance.below(4)), chance.one_in(2));
        }
    }
    writing.join().unwrap();
    for reader in &mut readers {
        reader.drain(Some(3));
        reader.drain(None);
        reader.check();
    }
}

fn library_history(server: &TestServer, seed: u64) {
    let lists = server.lists(ANNA);
    let libraries = ["Here", "There"].map(|name| format!("{name}{seed}"));
    libraries.iter().for_each(|library| drop(lists.add(library, 101)));
    let writer = Librarian::new(&lists, seed, libraries.clone());
    let chance = Chance::new(seed ^ 0xf11e);
    let mut readers = [&libraries[0], &libraries[1]].map(|list| Reader {
        lists: &lists,
        list,
        query: None,
        fields: FILE_FIELDS,
        options: RECURSIVE,
        compared: &["FileRef", "FSObjType", "owshiddenversion"],
        mirror: ListMirror::default(),
        patient: false,
    });
    for _ in 0..TURNS {
        (0..chance.below(4)).for_each(|_| writer.write());
        for reader in &mut readers {
            if chance.one_in(8) {
                reader.drain(None);
                reader.drain(None);
                reader.check();
            } else {
                reader.turn(Some(1 + chance.below(6)), chance.one_in(2));
            }
        }
    }
    for reader in &mut readers {
        reader.drain(Some(5));
        reader.drain(None);
        reader.check();
    }
}

/// Deletions, the recycle bin and whole lists come and go while the retention trims.
fn retention_history(kind: StoreKind, seed: u64) {
    let server = TestServer::at(kind, Time::from_date(2026, 3, 4));
    let lists = server.lists(ANNA);
    let list = "Tasks".to_owned();
    let mut writer = Writer { lists: lists.clone(), chance: Chance::new(seed), list: list.clone(), here: vec![] };
    let chance = Chance::new(seed ^ 0xb1);
    let mut readers = [Some(1), Some(20), None].map(|rest_days| {
        let reader = Reader { patient: true, ..Reader::new(&lists, &list, QUERIES[0]) };
        (reader, rest_days)
    });
    for _ in 0..TURNS {
        (0..chance.below(6)).for_each(|_| writer.write());
        if chance.one_in(10) {
            let answer = lists.rest("POST", "web/lists/getbytitle('Tasks')/recycle()", &[], "");
            assert_eq!(answer.status, 200, "{}", answer.text());
            let (entry, ..) = bin(&lists, "sites/team/Lists").into_iter().find(|(_, _, kind)| *kind == 4).unwrap();
            server.trim();
            assert_eq!(restore(&lists, &entry), 200);
        }
        server.advance(86_400 * chance.below(6) as i64);
        server.trim();
        for (reader, rest_days) in &mut readers {
            // The one rarely asks, so that its token may grow too old.
            if rest_days.is_none_or(|days| chance.one_in(days)) {
                reader.turn(Some(1 + chance.below(6)), chance.one_in(2));
            }
        }
    }
    for (reader, _) in &mut readers {
        reader.drain(Some(5));
        reader.drain(None);
        reader.check();
    }
}

fn all(kind: StoreKind) {
    let server = TestServer::start(kind);
    for seed in 0..kind.share(HISTORIES) {
        history(&server, seed);
        library_history(&server, 200 + seed);
    }
    beside(&server, 100);
}

#[test]
fn lists_converge_while_retention_trims() {
    retention_history(STORES[0], 300);
    retention_history(STORES[1], 301);
    if StoreKind::Fleet.is_there("lists_converge_while_retention_trims") {
        retention_history(StoreKind::Fleet, 302);
    }
}

#[test]
fn lists_converge_in_memory() {
    all(STORES[0]);
}

#[test]
fn lists_converge_on_sqlite() {
    all(STORES[1]);
}

#[test]
fn lists_converge_on_postgres() {
    if StoreKind::Postgres.is_there("lists_converge") {
        all(StoreKind::Postgres);
    }
}

#[test]
fn lists_converge_over_three_nodes() {
    if StoreKind::Fleet.is_there("lists_converge") {
        all(StoreKind::Fleet);
    }
}
