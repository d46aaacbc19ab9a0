//! Who plays: 32 that write, 32 that mirror and 4 that listen to events, each on a thread of its own.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use testkit::{
    chance::Chance,
    ews::{Ews, distinguished, folder_id},
    http::Http,
    lists::Lists,
};

use crate::{
    PASSWORD, Tally,
    hearing::Listener,
    ledger::{Ledger, Sight},
    mail::{self, FolderReader, ItemReader, Kind, Place},
    rows::{FileWriter, RowReader, RowWriter, Rows, file_place},
    stage::Stage,
};

/// How long a reader waits for the fleet.
const PATIENCE: Duration = Duration::from_secs(120);
/// The mailboxes with messages; the others have large ones and folders.
const MAIL: usize = 4;
const LIST: &str = "Rows";
const LIBRARIES: [&str; 2] = ["Here", "There"];
/// Milliseconds of rest after a write and after a question, at most.
const REST_OF_WRITERS: usize = 40;
const REST_OF_READERS: usize = 150;

enum Writer {
    Mail(mail::Writer),
    Rows(RowWriter),
    Files(FileWriter),
}

impl Writer {
    fn write(&mut self) {
        match self {
            Self::Mail(writer) => writer.write(),
            Self::Rows(writer) => writer.write(),
            Self::Files(writer) => writer.write(),
        }
    }

    fn into_notes(self) -> (Ledger, Tally) {
        match self {
            Self::Mail(writer) => (writer.ledger, writer.tally),
            Self::Rows(writer) => (writer.ledger, writer.tally),
            Self::Files(writer) => (writer.ledger, writer.tally),
        }
    }
}

enum Reader {
    /// The number of the mailbox.
    Items(usize, Place, ItemReader),
    Folders(usize, Place, FolderReader),
    Events(usize, Place, Listener),
    /// The site.
    Rows(String, &'static str, Rows, RowReader),
}

impl Reader {
    fn turn(&mut self) {
        match self {
            Self::Items(_, _, reader) => reader.turn(),
            Self::Folders(_, _, reader) => reader.turn(),
            Self::Events(_, _, listener) => drop(listener.turn()),
            Self::Rows(_, _, _, reader) => reader.turn(),
        }
    }

    const fn refusals(&self) -> usize {
        match self {
            Self::Items(_, _, reader) => reader.refusals,
            Self::Folders(_, _, reader) => reader.refusals,
            Self::Events(_, _, listener) => listener.refusals,
            Self::Rows(_, _, _, reader) => reader.refusals,
        }
    }
}

/// Everybody, and what they have noted.
pub(crate) struct Cast {
    accounts: Vec<String>,
    sites: Vec<String>,
    writers: Vec<Writer>,
    readers: Vec<Reader>,
    seed: u64,
    over: Arc<AtomicBool>,
    writing: Vec<JoinHandle<Writer>>,
    reading: Vec<JoinHandle<Reader>>,
    /// The places of messages, of large ones, and of folders, with their mailboxes.
    messages: Vec<(usize, Place)>,
    large: Vec<(usize, Place)>,
    folders: Vec<(usize, Place)>,
    ledger: Ledger,
}

fn place(ews: &Ews, around: &str, name: &str, title: &str) -> Place {
    let id = ews.create_folder(around, title).expect("a folder");
    Place { name: name.to_owned(), element: folder_id(&id), id }
}

impl Cast {
    /// Makes the folders and lists, and those who use them.
    pub(crate) fn prepare(stage: &Stage, accounts: &[String], sites: &[String], seed: u64) -> Self {
        let http = Http::new(stage.balancer.address());
        let patient = |account: &str| http.login(account, PASSWORD).patient(PATIENCE);
        let mut cast = Self {
            accounts: accounts.to_vec(),
            sites: sites.to_vec(),
            writers: Vec::new(),
            readers: Vec::new(),
            seed,
            over: Arc::new(AtomicBool::new(false)),
            writing: Vec::new(),
            reading: Vec::new(),
            messages: Vec::new(),
            large: Vec::new(),
            folders: Vec::new(),
            ledger: Ledger::default(),
        };
        let mut next = seed;
        let mut seed = || {
            next = next.wrapping_add(0x9e37_79b9);
            next
        };
        let inbox = distinguished("inbox");
        for (number, account) in accounts.iter().enumerate() {
            let ews = Ews::new(patient(account));
            let pair = |around: &str, of: &str| {
                [0, 1].map(|side| {
                    let title = format!("{of}{side}");
                    place(&ews, around, &format!("{account}/{title}"), &title)
                })
            };
            let (writers, kind) = if number < MAIL { (3, Kind::Small) } else { (2, Kind::Large) };
            let places = pair(&inbox, "items");
            for writer in 0..writers {
                let name = format!("m{number}.{writer}");
                cast.writers.push(Writer::Mail(mail::Writer::new(&ews, name, kind, places.clone(), seed())));
            }
            let readers = if kind == Kind::Small { 3 } else { 2 };
            for reader in 0..readers {
                let place = places[reader % 2].clone();
                cast.readers.push(Reader::Items(number, place.clone(), ItemReader::new(&ews, place, seed())));
            }
            if kind == Kind::Small {
                let place = places[number % 2].clone();
                cast.readers.push(Reader::Events(number, place.clone(), Listener::new(&ews, place)));
                cast.messages.extend(places.map(|place| (number, place)));
                continue;
            }
            cast.large.extend(places.map(|place| (number, place)));
            let top = place(&ews, &inbox, &format!("{account}/tree"), "tree");
            let places = pair(&top.element, "side");
            for writer in 0..2 {
                let name = format!("f{number}.{writer}");
                let writer = mail::Writer::new(&ews, name, Kind::Folders, places.clone(), seed());
                cast.writers.push(Writer::Mail(writer));
                cast.readers.push(Reader::Folders(number, top.clone(), FolderReader::new(&ews, top.clone())));
            }
            cast.folders.extend(places.map(|place| (number, place)));
        }
        for (number, site) in sites.iter().enumerate() {
            let lists = Lists::new(patient(&accounts[0]), site);
            lists.add(LIST, 100);
            LIBRARIES.iter().for_each(|library| drop(lists.add(library, 101)));
            for writer in 0..4 {
                let name = format!("r{number}.{writer}");
                let writer = RowWriter::new(&lists, LIST, file_place(site, LIST), name, seed());
                cast.writers.push(Writer::Rows(writer));
                let reader = RowReader::new(&lists, LIST, Rows::Plain, seed());
                cast.readers.push(Reader::Rows(site.clone(), LIST, Rows::Plain, reader));
            }
            for (writer, library) in LIBRARIES.iter().enumerate() {
                let name = format!("d{number}.{writer}");
                cast.writers.push(Writer::Files(FileWriter::new(&lists, site, LIBRARIES, name, seed())));
                let reader = RowReader::new(&lists, library, Rows::Files, seed());
                cast.readers.push(Reader::Rows(site.clone(), library, Rows::Files, reader));
            }
        }
        assert_eq!((cast.writers.len(), cast.readers.len()), (32, 36));
        cast
    }

    /// Everybody begins.
    pub(crate) fn begin(&mut self) {
        for (number, mut writer) in self.writers.drain(..).enumerate() {
            let (over, chance) = (Arc::clone(&self.over), Chance::new(self.seed ^ number as u64));
            self.writing.push(std::thread::spawn(move || {
                while !over.load(Ordering::SeqCst) {
                    writer.write();
                    std::thread::park_timeout(Duration::from_millis(chance.below(REST_OF_WRITERS) as u64));
                }
                writer
            }));
        }
        for (number, mut reader) in self.readers.drain(..).enumerate() {
            let (over, chance) = (Arc::clone(&self.over), Chance::new(self.seed ^ number as u64));
            self.reading.push(std::thread::spawn(move || {
                while !over.load(Ordering::SeqCst) {
                    reader.turn();
                    std::thread::park_timeout(Duration::from_millis(chance.below(REST_OF_READERS) as u64));
                }
                reader
            }));
        }
    }

    /// Whether nobody has given up.
    pub(crate) fn plays(&self) -> bool {
        !self.writing.iter().any(JoinHandle::is_finished) && !self.reading.iter().any(JoinHandle::is_finished)
    }

    /// Everybody ends; panics where somebody has given up.
    pub(crate) fn end(&mut self) -> Tally {
        self.over.store(true, Ordering::SeqCst);
        let mut tally = Tally::default();
        for writing in self.writing.drain(..) {
            let (ledger, its) = join(writing).into_notes();
            self.ledger.extend(ledger);
            tally.extend(&its);
        }
        self.readers = self.reading.drain(..).map(join).collect();
        tally
    }

    /// Holds what is there, at each node, against what was noted and what is mirrored.
    pub(crate) fn judge(&mut self, stage: &Stage) {
        let refusals: usize = self.readers.iter().map(Reader::refusals).sum();
        println!("{} things, {} fail-overs, {refusals} states and tokens refused", self.ledger.len(), stage.failovers);
        assert!(refusals == 0 || stage.failovers > 0, "{refusals} states and tokens were refused without a reason");
        for node in &stage.nodes {
            let patient = |account: &str| Http::new(node.address()).login(account, PASSWORD).patient(PATIENCE);
            let mail = |number: usize| Ews::new(patient(&self.accounts[number]));
            let lists = |site: &str| Lists::new(patient(&self.accounts[0]), site);
            let mut found: HashMap<String, Vec<Sight>> = HashMap::new();
            for (number, place) in self.messages.iter().chain(&self.large) {
                let items = mail(*number).read_items(&place.element, "Shallow");
                mail::note_sights(&mut found, &place.name, items.values().map(|item| item.subject.as_str()));
            }
            for (number, place) in &self.large {
                for (id, item) in mail(*number).read_items(&place.element, "Shallow") {
                    let (mark, _) = item.subject.rsplit_once(' ').expect("a mark");
                    let (is, should) = (mail::read_body(&mail(*number), &id), mail::body(mark));
                    assert!(is.lines().eq(should.lines()), "{mark}: {} bytes for {}", is.len(), should.len());
                }
            }
            for (number, place) in &self.folders {
                let folders = mail(*number).read_folders(&place.element);
                mail::note_sights(&mut found, &place.name, folders.values().map(|folder| folder.name.as_str()));
            }
            for site in &self.sites {
                let lists = lists(site);
                let rows = lists.read_rows(&Rows::Plain.ask(LIST));
                let titles = rows.values().map(|row| row["Title"].as_str());
                mail::note_sights(&mut found, &file_place(site, LIST), titles);
                for library in LIBRARIES {
                    let rows = lists.read_rows(&Rows::Files.ask(library));
                    let paths = rows.values().map(|row| row["FileRef"].split_once(";#").expect("a path").1);
                    for path in paths {
                        let answer = lists.http().send("GET", &format!("/{path}"), &[], "");
                        assert_eq!(answer.status, 200, "{path}");
                        mail::note_sights(&mut found, &file_place(site, library), [answer.text()].into_iter());
                    }
                }
            }
            let faults = self.ledger.faults(&found);
            assert!(faults.is_empty(), "at {}: {faults:#?}\n{}", node.url(), stage.logs());
        }
        let patient = |account: &str| Http::new(stage.balancer.address()).login(account, PASSWORD).patient(PATIENCE);
        for reader in &mut self.readers {
            match reader {
                Reader::Items(number, place, reader) => {
                    let ews = Ews::new(patient(&self.accounts[*number]));
                    reader.check(&ews.read_items(&place.element, "Shallow"));
                }
                Reader::Folders(number, top, reader) => {
                    let ews = Ews::new(patient(&self.accounts[*number]));
                    reader.check(&ews.read_folders(&top.element));
                }
                Reader::Events(number, place, listener) => {
                    let ews = Ews::new(patient(&self.accounts[*number]));
                    listener.check(ews.read_items(&place.element, "Shallow").into_keys().collect());
                }
                Reader::Rows(site, list, rows, reader) => {
                    let lists = Lists::new(patient(&self.accounts[0]), site);
                    reader.check(&lists.read_rows(&rows.ask(list)));
                }
            }
        }
    }
}

fn join<T>(handle: JoinHandle<T>) -> T {
    handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
