//! A client of GetListItemChangesSinceToken ends with what GetListItems lists, whatever happened meanwhile.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test")]

use std::collections::BTreeMap;

use testkit::{
    chance::Chance,
    lists::{ListAsk, Lists, Row, method, number, with_position},
    mirror::ListMirror,
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
                if let Some(row) = self.chance.pick(&self.here) {
                    let changed = &fields[self.chance.below(2)..];
                    let outcome = &self.lists.update(&self.list, &method("Update", Some(*row), changed))[0];
                    assert_eq!(outcome.code, "0x00000000");
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
    mirror: ListMirror,
}

impl Reader<'_> {
    fn ask(&self) -> ListAsk<'_> {
        let (fields, options) = (Some(FIELDS), Some(OPTIONS));
        ListAsk { list: self.list, query: self.query, fields, options, ..ListAsk::default() }
    }

    /// Returns whether more is announced.
    fn turn(&mut self, rows_max: Option<usize>, over_rest: bool) -> bool {
        let listing = self.mirror.listing.clone();
        let options = listing.map(|(position, _)| with_position(Some(OPTIONS), &position));
        let token = self.mirror.token.clone();
        let mut ask = ListAsk { rows_max, token: token.as_deref(), ..self.ask() };
        if let Some(options) = &options {
            ask.options = Some(options);
        }
        let page = if over_rest { self.lists.changes_over_rest(&ask) } else { self.lists.changes(&ask) };
        let bound = rows_max.unwrap_or(if token.is_some() { 40 } else { usize::MAX });
        assert!(page.rows.len() <= bound, "{} rows, asked for {bound}", page.rows.len());
        assert_eq!(page.definition, token.is_none(), "the definition comes without a token");
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
            let compared = |row: &Row| ["Title", "Status", "owshiddenversion"].map(|name| row.get(name).cloned());
            rows.iter().map(|(number, row)| (*number, compared(row))).collect::<Vec<_>>()
        };
        let full = self.lists.read_rows(&self.ask());
        assert_eq!(compared(&self.mirror.rows), compared(&full), "{:?}", self.query);
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
        let mut reader = Reader { lists: &lists, list: &list, query, mirror: ListMirror::default() };
        let mut stale = vec![reader.mirror.clone()];
        for _ in 0..TURNS {
            for _ in 0..chance.below(4) {
                writer.write();
            }
            match chance.below(10) {
                // The answer is lost: the same token is sent again.
                0 => drop(reader.clone().turn(Some(1 + chance.below(6)), false)),
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
    let mut readers =
        QUERIES.map(|query| Reader { lists: &lists, list: &list, query, mirror: ListMirror::default() });
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

fn all(kind: StoreKind) {
    let server = TestServer::start(kind);
    for seed in 0..HISTORIES {
        history(&server, seed);
    }
    beside(&server, 100);
}

#[test]
fn lists_converge_in_memory() {
    all(STORES[0]);
}

#[test]
fn lists_converge_on_sqlite() {
    all(STORES[1]);
}
