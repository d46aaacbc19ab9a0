//! Clients of EWS: writers that keep a ledger, and mirrors.

use std::collections::{BTreeMap, HashMap};

use base64::Engine as _;
use testkit::{
    chance::Chance,
    ews::{Ews, FolderState, ItemAsk, ItemState},
    mirror::{FolderMirror, ItemMirror, assert_equal},
    retry::Came,
    tree::Reach as _,
};

use crate::{
    Tally,
    ledger::{Ledger, Sight},
};

/// Things that a writer keeps; beyond, it deletes.
const THINGS_MAX: usize = 30;
/// Answers after which draining is given up.
const PAGES_MAX: usize = 10_000;
/// Items in one answer while draining.
const PAGE: usize = 200;

/// A place for items or folders.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// For the ledger.
    pub(crate) name: String,
    /// The element that names it.
    pub(crate) element: String,
    /// Its id.
    pub(crate) id: String,
}

/// Something that its writer knows to be there.
#[derive(Clone, Debug)]
struct Thing {
    id: String,
    mark: String,
    version: u64,
    place: usize,
}

/// What a writer writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Messages with a subject.
    Small,
    /// Messages with a body of more than 64 KiB, which lies outside of the rows.
    Large,
    /// Folders.
    Folders,
}

/// Somebody who writes and notes what was acknowledged. Nobody else touches what it makes; and it does not touch again
/// what may still change, after a write whose outcome is unknown.
pub(crate) struct Writer {
    ews: Ews,
    name: String,
    kind: Kind,
    places: [Place; 2],
    chance: Chance,
    things: Vec<Thing>,
    made: u64,
    pub(crate) ledger: Ledger,
    pub(crate) tally: Tally,
}

impl Writer {
    pub(crate) fn new(ews: &Ews, name: String, kind: Kind, places: [Place; 2], seed: u64) -> Self {
        Self {
            ews: ews.frank(),
            name,
            kind,
            places,
            chance: Chance::new(seed),
            things: Vec::new(),
            made: 0,
            ledger: Ledger::default(),
            tally: Tally::default(),
        }
    }

    /// Writes once.
    pub(crate) fn write(&mut self) {
        let choice = self.chance.below(10);
        let full = self.things.len() >= THINGS_MAX;
        match choice {
            0..=3 if !full => self.create(),
            _ if self.things.is_empty() => self.create(),
            0..=6 => self.change(),
            7 | 8 => self.remove(),
            _ => self.shift(),
        }
    }

    fn sight(&self, place: usize, version: u64) -> Option<Sight> {
        Some((self.places[place].name.clone(), format!("v{version}")))
    }

    fn create(&mut self) {
        self.made += 1;
        let mark = format!("{}-{}", self.name, self.made);
        let (place, text) = (self.chance.below(2), format!("{mark} v0"));
        let element = &self.places[place].element;
        let outcome = match self.kind {
            Kind::Small => self.ews.try_create_message(element, &text),
            Kind::Large => self.ews.create_mime(element, &mime(&mark, &text)),
            Kind::Folders => self.ews.create_folder(element, &text),
        };
        let sight = self.sight(place, 0);
        match self.tally.note(outcome) {
            Came::Done(id) => {
                self.ledger.certain(&mark, sight);
                self.things.push(Thing { id, mark, version: 0, place });
            }
            Came::NotDone(_) => self.ledger.certain(&mark, None),
            Came::Unknown(_) => self.ledger.perhaps(&mark, sight),
        }
    }

    fn change(&mut self) {
        let mut thing = self.things.swap_remove(self.chance.below(self.things.len()));
        thing.version += 1;
        let text = format!("{} v{}", thing.mark, thing.version);
        let outcome = match self.kind {
            Kind::Small | Kind::Large => self.ews.set_subject(&thing.id, &text),
            Kind::Folders => self.ews.rename_folder(&thing.id, &text),
        };
        let sight = self.sight(thing.place, thing.version);
        match self.tally.note(outcome) {
            Came::Done(_) => {
                self.ledger.certain(&thing.mark, sight);
                self.things.push(thing);
            }
            Came::NotDone(_) => self.things.push(thing),
            Came::Unknown(_) => self.ledger.perhaps(&thing.mark, sight),
        }
    }

    fn remove(&mut self) {
        let thing = self.things.swap_remove(self.chance.below(self.things.len()));
        let outcome = match self.kind {
            Kind::Small | Kind::Large => self.ews.delete(&thing.id, "HardDelete"),
            Kind::Folders => self.ews.delete_folder(&thing.id, "HardDelete"),
        };
        match self.tally.note(outcome) {
            Came::Done(_) => self.ledger.certain(&thing.mark, None),
            Came::NotDone(_) => self.things.push(thing),
            Came::Unknown(_) => self.ledger.perhaps(&thing.mark, None),
        }
    }

    /// Moves something to the other place. Wherever it may be then, it is in one of them.
    fn shift(&mut self) {
        let thing = self.things.swap_remove(self.chance.below(self.things.len()));
        let to = 1 - thing.place;
        let element = &self.places[to].element;
        let outcome = match self.kind {
            Kind::Small | Kind::Large => self.ews.transfer("MoveItem", &thing.id, element),
            Kind::Folders => self.ews.move_folder(&thing.id, element).map(|_| thing.id.clone()),
        };
        match self.tally.note(outcome) {
            Came::Done(id) => {
                self.ledger.moved(&thing.mark, &self.places[to].name);
                self.things.push(Thing { id, place: to, ..thing });
            }
            Came::NotDone(_) => self.things.push(thing),
            Came::Unknown(_) => self.ledger.perhaps_moved(&thing.mark, &self.places[to].name),
        }
    }
}

/// The body of a large message: it follows from the mark.
pub(crate) fn body(mark: &str) -> String {
    let lines = 1_100 + mark.bytes().map(usize::from).sum::<usize>();
    (0..lines).map(|line| format!("{mark} says line {line}, and that it is there whole.\r\n")).collect()
}

fn mime(mark: &str, subject: &str) -> String {
    let text = format!(
        "From: a@example.com\r\nTo: b@example.com\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\r\n{}",
        body(mark)
    );
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// Notes what lies in a place under its mark.
pub(crate) fn note_sights<'t>(
    found: &mut HashMap<String, Vec<Sight>>,
    place: &str,
    texts: impl Iterator<Item = &'t str>,
) {
    for text in texts {
        let (mark, version) = text.rsplit_once(' ').unwrap_or_else(|| panic!("a strange thing in {place}: {text}"));
        found.entry(mark.to_owned()).or_default().push((place.to_owned(), version.to_owned()));
    }
}

/// The body of a message, as text.
pub(crate) fn read_body(ews: &Ews, id: &str) -> String {
    let shape = "<t:BaseShape>IdOnly</t:BaseShape><t:BodyType>Text</t:BodyType><t:AdditionalProperties>\
        <t:FieldURI FieldURI=\"item:Body\"/></t:AdditionalProperties>";
    let answer = ews.get_item(id, shape).expect("the message");
    testkit::ews::responses(&answer)[0].at("Items/*").value("Body").unwrap_or_default()
}

/// Somebody who mirrors the items of a place.
pub(crate) struct ItemReader {
    ews: Ews,
    place: Place,
    mirror: ItemMirror,
    chance: Chance,
    pub(crate) refusals: usize,
}

impl ItemReader {
    /// `ews` is patient.
    pub(crate) fn new(ews: &Ews, place: Place, seed: u64) -> Self {
        Self { ews: ews.clone(), place, mirror: ItemMirror::default(), chance: Chance::new(seed), refusals: 0 }
    }

    fn ask(&mut self, changes_max: usize) {
        let state = self.mirror.state.clone();
        let folder = &self.place.element;
        let ask = ItemAsk { folder, state: state.as_deref(), ignore: &[], changes_max, associated: false };
        match self.ews.sync_items(&ask) {
            Ok(page) => self.mirror.apply(page, changes_max),
            // Of a timeline that is lost: the copy is worth nothing.
            Err(code) if code == "ErrorInvalidSyncStateData" => {
                self.mirror = ItemMirror::default();
                self.refusals += 1;
            }
            Err(code) => panic!("{code} in {}", self.place.name),
        }
    }

    pub(crate) fn turn(&mut self) {
        match self.chance.below(40) {
            // An answer that is lost.
            0 => {
                let before = self.mirror.clone();
                self.ask(1 + self.chance.below(20));
                self.mirror = before;
            }
            1 => self.mirror = ItemMirror::default(),
            _ => self.ask(1 + self.chance.below(50)),
        }
    }

    /// Catches up with what is there now, and compares.
    pub(crate) fn check(&mut self, read: &BTreeMap<String, ItemState>) {
        let mut begun = !self.mirror.draining;
        for _ in 0..PAGES_MAX {
            self.ask(PAGE);
            if !self.mirror.draining && begun {
                return assert_equal(&self.mirror.items, read, &self.place.name);
            }
            begun |= !self.mirror.draining;
        }
        panic!("the drain of {} does not come to an end", self.place.name);
    }
}

/// Somebody who mirrors the folders of a mailbox.
pub(crate) struct FolderReader {
    ews: Ews,
    top: Place,
    mirror: FolderMirror,
    pub(crate) refusals: usize,
}

impl FolderReader {
    /// `ews` is patient; `top` is the folder around all that are mirrored.
    pub(crate) fn new(ews: &Ews, top: Place) -> Self {
        Self { ews: ews.clone(), top, mirror: FolderMirror::default(), refusals: 0 }
    }

    pub(crate) fn turn(&mut self) {
        match self.ews.sync_folders(Some(&self.top.element), self.mirror.state.as_deref()) {
            Ok(page) => self.mirror.apply(page, &self.top.id),
            Err(code) if code == "ErrorInvalidSyncStateData" => {
                self.mirror = FolderMirror::default();
                self.refusals += 1;
            }
            Err(code) => panic!("{code} in {}", self.top.name),
        }
    }

    pub(crate) fn check(&mut self, read: &BTreeMap<String, FolderState>) {
        self.turn();
        if self.mirror.state.is_none() {
            self.turn();
        }
        assert_equal(&self.mirror.folders, read, &self.top.name);
    }
}
