//! Clients of the list service: writers that keep a ledger, and mirrors.

use std::collections::BTreeMap;

use testkit::{
    chance::Chance,
    librarian::{FILE_FIELDS, RECURSIVE},
    lists::{ListAsk, ListPage, Lists, Row, method, number, with_position},
    mirror::{ListMirror, assert_equal},
    retry::{Came, answered},
};

use crate::{Tally, ledger::Ledger};

/// Things that a writer keeps; beyond, it deletes.
const THINGS_MAX: usize = 30;
/// Answers after which draining is given up.
const PAGES_MAX: usize = 10_000;
const OPTIONS: &str = "<QueryOptions xmlns=''><DateInUtc>TRUE</DateInUtc></QueryOptions>";
const FIELDS: &str = "<ViewFields xmlns=''><FieldRef Name='Title'/></ViewFields>";
const SUCCESS: &str = "0x00000000";

/// Somebody who writes rows of one list.
pub(crate) struct RowWriter {
    lists: Lists,
    list: String,
    /// For the ledger.
    place: String,
    name: String,
    chance: Chance,
    /// Number, mark and version.
    rows: Vec<(u32, String, u64)>,
    made: u64,
    pub(crate) ledger: Ledger,
    pub(crate) tally: Tally,
}

impl RowWriter {
    pub(crate) fn new(lists: &Lists, list: &str, place: String, name: String, seed: u64) -> Self {
        let (lists, list, chance) = (lists.clone(), list.to_owned(), Chance::new(seed));
        let (ledger, tally) = (Ledger::default(), Tally::default());
        Self { lists, list, place, name, chance, rows: Vec::new(), made: 0, ledger, tally }
    }

    /// The row that an only method answers with.
    fn update(&self, methods: &str) -> Result<Option<Row>, String> {
        let outcome = self.lists.try_update(&self.list, methods)?.remove(0);
        if outcome.code == SUCCESS { Ok(outcome.row) } else { Err(format!("{outcome:?}")) }
    }

    pub(crate) fn write(&mut self) {
        let choice = self.chance.below(10);
        let index = if self.rows.is_empty() { None } else { Some(self.chance.below(self.rows.len())) };
        match (choice, index) {
            (0..=3, _) if self.rows.len() < THINGS_MAX => self.create(),
            (_, None) => self.create(),
            (0..=6, Some(index)) => self.change(index),
            (_, Some(index)) => self.remove(index),
        }
    }

    fn create(&mut self) {
        self.made += 1;
        let mark = format!("{}-{}", self.name, self.made);
        let outcome = self.update(&method("New", None, &[("Title", &format!("{mark} v0"))]));
        let sight = Some((self.place.clone(), "v0".to_owned()));
        match self.tally.note(outcome) {
            Came::Done(row) => {
                self.ledger.certain(&mark, sight);
                self.rows.push((number(&row.expect("the new row")), mark, 0));
            }
            Came::NotDone(_) => self.ledger.certain(&mark, None),
            Came::Unknown(_) => self.ledger.perhaps(&mark, sight),
        }
    }

    fn change(&mut self, index: usize) {
        let (row, mark, version) = self.rows.swap_remove(index);
        let version = version + 1;
        let outcome = self.update(&method("Update", Some(row), &[("Title", &format!("{mark} v{version}"))]));
        let sight = Some((self.place.clone(), format!("v{version}")));
        match self.tally.note(outcome) {
            Came::Done(_) => {
                self.ledger.certain(&mark, sight);
                self.rows.push((row, mark, version));
            }
            Came::NotDone(_) => self.rows.push((row, mark, version)),
            Came::Unknown(_) => self.ledger.perhaps(&mark, sight),
        }
    }

    fn remove(&mut self, index: usize) {
        let (row, mark, version) = self.rows.swap_remove(index);
        match self.tally.note(self.update(&method("Delete", Some(row), &[]))) {
            Came::Done(_) => self.ledger.certain(&mark, None),
            Came::NotDone(_) => self.rows.push((row, mark, version)),
            Came::Unknown(_) => self.ledger.perhaps(&mark, None),
        }
    }
}

/// Somebody who writes files of two libraries and moves them between. The name of a file is its mark, and its content
/// the mark with the version.
pub(crate) struct FileWriter {
    lists: Lists,
    site: String,
    libraries: [String; 2],
    name: String,
    chance: Chance,
    /// Library, mark and version.
    files: Vec<(usize, String, u64)>,
    made: u64,
    pub(crate) ledger: Ledger,
    pub(crate) tally: Tally,
}

impl FileWriter {
    pub(crate) fn new(lists: &Lists, site: &str, libraries: [&str; 2], name: String, seed: u64) -> Self {
        Self {
            lists: lists.clone(),
            site: site.to_owned(),
            libraries: libraries.map(str::to_owned),
            name,
            chance: Chance::new(seed),
            files: Vec::new(),
            made: 0,
            ledger: Ledger::default(),
            tally: Tally::default(),
        }
    }

    fn path(&self, library: usize, mark: &str) -> String {
        format!("{}/{}/{mark}.txt", self.site, self.libraries[library])
    }

    /// The place in the ledger.
    fn place(&self, library: usize) -> String {
        file_place(&self.site, &self.libraries[library])
    }

    fn send(&self, verb: &str, path: &str, body: &str) -> Result<(), String> {
        let headers = [("content-type", "text/plain"), ("accept", "application/json;odata=nometadata")];
        let answer = answered(self.lists.http().try_send(verb, path, &headers, body))?;
        if (200..300).contains(&answer.status) {
            return Ok(());
        }
        Err(format!("{verb} {path}: {} {}", answer.status, answer.text()))
    }

    pub(crate) fn write(&mut self) {
        let choice = self.chance.below(10);
        let taken = match self.files.len() {
            0 => None,
            count if choice < 4 && count < THINGS_MAX => None,
            count => Some(self.files.swap_remove(self.chance.below(count))),
        };
        let Some((library, mark, version)) = taken else {
            self.made += 1;
            let (library, mark) = (self.chance.below(2), format!("{}-{}", self.name, self.made));
            return self.put(library, mark, 0);
        };
        match choice {
            0..=6 => self.put(library, mark, version + 1),
            7 => {
                let outcome = self.send("DELETE", &self.path(library, &mark), "");
                match self.tally.note(outcome) {
                    Came::Done(()) => self.ledger.certain(&mark, None),
                    Came::NotDone(_) => self.files.push((library, mark, version)),
                    Came::Unknown(_) => self.ledger.perhaps(&mark, None),
                }
            }
            _ => {
                let to = 1 - library;
                let (from, there) = (self.path(library, &mark), self.path(to, &mark));
                let call = format!(
                    "{}/_api/web/getfilebyserverrelativeurl('{from}')/moveto(newurl='{there}',flags=1)",
                    self.site
                );
                let outcome = self.send("POST", &call, "");
                match self.tally.note(outcome) {
                    Came::Done(()) => {
                        self.ledger.moved(&mark, &self.place(to));
                        self.files.push((to, mark, version));
                    }
                    Came::NotDone(_) => self.files.push((library, mark, version)),
                    Came::Unknown(_) => self.ledger.perhaps_moved(&mark, &self.place(to)),
                }
            }
        }
    }

    fn put(&mut self, library: usize, mark: String, version: u64) {
        let outcome = self.send("PUT", &self.path(library, &mark), &format!("{mark} v{version}"));
        let sight = Some((self.place(library), format!("v{version}")));
        match self.tally.note(outcome) {
            Came::Done(()) => {
                self.ledger.certain(&mark, sight);
                self.files.push((library, mark, version));
            }
            Came::NotDone(_) if version == 0 => self.ledger.certain(&mark, None),
            Came::NotDone(_) => self.files.push((library, mark, version)),
            Came::Unknown(_) => self.ledger.perhaps(&mark, sight),
        }
    }
}

/// The name of a library in the ledger.
pub(crate) fn file_place(site: &str, library: &str) -> String {
    format!("{site}/{library}")
}

/// What of a list is mirrored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    /// The rows of a plain list, with their titles.
    Plain,
    /// The files of a library.
    Files,
}

impl Rows {
    /// Everything of it.
    pub(crate) fn ask(self, list: &str) -> ListAsk<'_> {
        let (fields, options) = match self {
            Self::Plain => (FIELDS, OPTIONS),
            Self::Files => (FILE_FIELDS, RECURSIVE),
        };
        ListAsk { list, fields: Some(fields), options: Some(options), ..ListAsk::default() }
    }

    /// What of the rows is compared.
    fn compared(self, rows: &BTreeMap<u32, Row>) -> BTreeMap<u32, Vec<Option<String>>> {
        let names: &[&str] = match self {
            Self::Plain => &["Title", "owshiddenversion"],
            Self::Files => &["FileRef", "FSObjType", "owshiddenversion"],
        };
        let row = |row: &Row| names.iter().map(|name| row.get(*name).cloned()).collect();
        rows.iter().map(|(number, its)| (*number, row(its))).collect()
    }
}

/// Somebody who mirrors a list.
pub(crate) struct RowReader {
    lists: Lists,
    list: String,
    rows: Rows,
    mirror: ListMirror,
    chance: Chance,
    pub(crate) refusals: usize,
}

impl RowReader {
    /// `lists` is patient.
    pub(crate) fn new(lists: &Lists, list: &str, rows: Rows, seed: u64) -> Self {
        let (lists, list, chance) = (lists.clone(), list.to_owned(), Chance::new(seed));
        Self { lists, list, rows, mirror: ListMirror::default(), chance, refusals: 0 }
    }

    /// Returns whether more is announced.
    fn ask(&mut self, rows_max: Option<usize>, over_rest: bool) -> bool {
        let ask = self.rows.ask(&self.list);
        let listing = self.mirror.listing.clone();
        let options = listing.map(|(position, _)| with_position(ask.options, &position));
        let token = self.mirror.token.clone();
        let options = options.as_deref().or(ask.options);
        let ask = ListAsk { rows_max, token: token.as_deref(), options, ..ask };
        let page: ListPage = if over_rest { self.lists.changes_over_rest(&ask) } else { self.lists.changes(&ask) };
        if page.ids.iter().any(|(_, row)| row.is_none()) {
            assert_eq!((page.rows.len(), page.more), (0, None), "a new start comes alone");
            assert!(token.is_some() || self.mirror.listing.is_some(), "a new start in answer to one");
            self.mirror = ListMirror::default();
            self.refusals += 1;
            return true;
        }
        self.mirror.apply(page)
    }

    pub(crate) fn turn(&mut self) {
        let over_rest = self.chance.one_in(3);
        match self.chance.below(40) {
            // An answer that is lost.
            0 => {
                let before = self.mirror.clone();
                self.ask(Some(1 + self.chance.below(20)), over_rest);
                self.mirror = before;
            }
            1 => self.mirror = ListMirror::default(),
            _ => drop(self.ask(Some(1 + self.chance.below(50)), over_rest)),
        }
    }

    /// Catches up with what is there now, and compares.
    pub(crate) fn check(&mut self, read: &BTreeMap<u32, Row>) {
        // The first listing names the position at which it began.
        for _ in 0..2 {
            let mut pages = 0;
            while self.ask(None, false) {
                pages += 1;
                assert!(pages < PAGES_MAX, "the drain of {} does not come to an end", self.list);
            }
        }
        assert_equal(&self.rows.compared(&self.mirror.rows), &self.rows.compared(read), &self.list);
    }
}
