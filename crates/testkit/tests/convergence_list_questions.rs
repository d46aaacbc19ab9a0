//! Clients that ask GetListItemChangesSinceToken in different ways end with what GetListItems lists for the same question:
//! by views, conditions, folders and scopes, with rows asked for by the way, while fields and views change as well.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test")]

use std::collections::BTreeMap;

use testkit::{
    chance::Chance,
    librarian::{FILE_FIELDS, Librarian},
    lists::{ListAsk, Lists, Row, method, number, with_position},
    mirror::{ListMirror, assert_equal},
    server::{ANNA, SITE, STORES, StoreKind, TestServer},
    tree::Reach,
};

/// Random histories for each store.
const HISTORIES: u64 = 2;
/// Turns of writing and asking in one history.
const TURNS: usize = 40;
/// Answers after which draining is given up.
const PAGES_MAX: usize = 500;
const SERVICE: &str = "http://schemas.microsoft.com/sharepoint/soap/";

/// A way of asking.
#[derive(Clone, Default)]
struct Question {
    view: Option<String>,
    query: Option<&'static str>,
    contains: Option<&'static str>,
    fields: Option<&'static str>,
    options: String,
    compared: &'static [&'static str],
}

struct Reader<'a> {
    lists: &'a Lists,
    list: &'a str,
    question: Question,
    mirror: ListMirror,
}

fn options(inside: &str) -> String {
    format!("<QueryOptions xmlns=''><DateInUtc>TRUE</DateInUtc>{inside}</QueryOptions>")
}

impl Reader<'_> {
    fn ask(&self) -> ListAsk<'_> {
        let Question { view, query, contains, fields, options, .. } = &self.question;
        ListAsk {
            list: self.list,
            view: view.as_deref(),
            query: *query,
            contains: *contains,
            fields: *fields,
            options: Some(options),
            ..ListAsk::default()
        }
    }

    /// Returns whether more is announced. `extra` are rows that are asked for by the way.
    fn turn(&mut self, rows_max: Option<usize>, over_rest: bool, extra: &[u32]) -> bool {
        let token = self.mirror.token.clone();
        let bookmark = self.mirror.listing.clone().map(|(position, _)| position);
        let mut asked = self.question.options.clone();
        if let Some(position) = bookmark {
            asked = with_position(Some(&asked), &position);
        } else if token.is_some() && !extra.is_empty() {
            let ids: Vec<String> = extra.iter().map(u32::to_string).collect();
            asked = asked.replace("</QueryOptions>", &format!("<ExtraIds>{}</ExtraIds></QueryOptions>", ids.join(",")));
        }
        let ask = ListAsk { rows_max, token: token.as_deref(), options: Some(&asked), ..self.ask() };
        let mut page = if over_rest { self.lists.changes_over_rest(&ask) } else { self.lists.changes(&ask) };
        if token.is_some() && page.definition {
            // The list is another by now, and so may be what belongs to the question.
            self.mirror = ListMirror::default();
            return true;
        }
        // A row that was asked for by the way comes as it is, also where it belongs to the question no more.
        let gone: Vec<u32> = page.ids.iter().filter_map(|(kind, id)| id.filter(|_| kind == "Delete")).collect();
        page.rows.retain(|row| !extra.contains(&number(row)) || !gone.contains(&number(row)));
        self.mirror.apply(page)
    }

    fn drain(&mut self, rows_max: Option<usize>) {
        for _ in 0..PAGES_MAX {
            if !self.turn(rows_max, false, &[]) {
                return;
            }
        }
        panic!("the drain does not come to an end");
    }

    fn check(&self, full: &BTreeMap<u32, Row>) {
        let compared = |rows: &BTreeMap<u32, Row>| {
            let compared =
                |row: &Row| self.question.compared.iter().map(|name| row.get(*name).cloned()).collect::<Vec<_>>();
            rows.iter().map(|(number, row)| (*number, compared(row))).collect::<BTreeMap<_, _>>()
        };
        assert_equal(&compared(&self.mirror.rows), &compared(full), &self.question.options);
    }
}

/// Takes turns of writing and asking, then compares what each reader has with what `full` says of its question.
fn converge(
    chance: &Chance,
    readers: &mut [Reader<'_>],
    mut write: impl FnMut(),
    full: impl Fn(&Reader<'_>) -> BTreeMap<u32, Row>,
) {
    for _ in 0..TURNS {
        (0..chance.below(4)).for_each(|_| write());
        for reader in &mut *readers {
            if chance.one_in(8) {
                reader.drain(None);
                reader.drain(None);
                reader.check(&full(reader));
                continue;
            }
            let known: Vec<u32> = reader.mirror.rows.keys().copied().collect();
            let extra: Vec<u32> = (0..chance.below(3)).filter_map(|_| chance.pick(&known)).copied().collect();
            reader.turn(Some(1 + chance.below(6)), chance.one_in(2), &extra);
        }
    }
    for reader in &mut *readers {
        reader.drain(Some(5));
        reader.drain(None);
        reader.check(&full(reader));
    }
}

/// Each scope, from the top of a library and from a folder in it.
fn scopes(server: &TestServer, seed: u64) {
    let lists = server.lists(ANNA);
    let libraries = ["Left", "Right"].map(|name| format!("{name}{seed}"));
    libraries.iter().for_each(|library| drop(lists.add(library, 101)));
    for (name, inside) in [("Deep", ""), ("Deeper", "Deep")] {
        let root = format!("/sites/team/{}/{inside}", libraries[0]);
        let fields = [("FSObjType", "1"), ("BaseName", name)];
        let request = format!(
            "<UpdateListItems xmlns=\"{SERVICE}\"><listName>{}</listName><updates><Batch RootFolder=\"{root}\" xmlns=\"\">{}\
             </Batch></updates></UpdateListItems>",
            libraries[0],
            method("New", None, &fields)
        );
        let answer = lists.call("UpdateListItems", &request);
        assert_eq!(testkit::lists::outcomes(&answer)[0].code, "0x00000000", "{answer:?}");
    }
    let writer = Librarian::new(&lists, seed, libraries.clone());
    let mut readers = Vec::new();
    for folder in ["", "Deep"] {
        for scope in ["", "FilesOnly", "Recursive", "RecursiveAll"] {
            let folder = format!("<Folder>/sites/team/{}/{folder}</Folder>", libraries[0]);
            let question = Question {
                fields: Some(FILE_FIELDS),
                options: options(&format!("{folder}<ViewAttributes Scope='{scope}'/>")),
                compared: &["FileRef", "FSObjType", "owshiddenversion"],
                ..Question::default()
            };
            readers.push(Reader { lists: &lists, list: &libraries[0], question, mirror: ListMirror::default() });
        }
    }
    converge(&Chance::new(seed ^ 0x5c09e), &mut readers, || writer.write(), |reader| lists.read_rows(&reader.ask()));
}

/// A call of the view service; what is inside its result.
fn views(lists: &Lists, operation: &str, parameters: &str) -> Option<String> {
    let envelope = format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><{operation} xmlns=\"{SERVICE}\">{parameters}\
         </{operation}></s:Body></s:Envelope>"
    );
    let path = format!("{SITE}/_vti_bin/Views.asmx");
    let answer =
        Lists::read(&lists.http().send("POST", &path, &[("content-type", "text/xml; charset=utf-8")], envelope));
    assert!(answer.fault().is_none(), "{answer:?}");
    answer.payload().at(&format!("{operation}Result/View")).attribute("Name").map(str::to_owned)
}

const BY_STATUS: [&str; 2] = ["Completed", "In Progress"];

fn by_status(status: &str) -> String {
    format!(
        "<query><Query xmlns=''><Where><Eq><FieldRef Name='Status'/><Value Type='Text'>{status}</Value></Eq></Where></Query></query>"
    )
}

/// A view, a condition and `contains`, while rows, fields and the view change.
fn questions(server: &TestServer, seed: u64) {
    let lists = server.lists(ANNA);
    let list = format!("Asked{seed}");
    lists.add(&list, 107);
    let shown =
        "<viewFields><ViewFields xmlns=''><FieldRef Name='Title'/><FieldRef Name='Status'/></ViewFields></viewFields>";
    let add = format!("<listName>{list}</listName><viewName>Own</viewName>{shown}{}", by_status(BY_STATUS[0]));
    let view = views(&lists, "AddView", &add).unwrap();
    let compared: &[&str] = &["Title", "Status", "owshiddenversion"];
    let fields = Some("<ViewFields xmlns=''><FieldRef Name='Title'/><FieldRef Name='Status'/></ViewFields>");
    let plain = Question { options: options(""), fields, compared, ..Question::default() };
    let asked = [
        Question { view: Some(view.clone()), fields: None, ..plain.clone() },
        Question {
            query: Some(
                "<Query xmlns=''><Where><Or><IsNull><FieldRef Name='Status'/></IsNull><Contains><FieldRef Name='Title'/>\
                 <Value Type='Text'>e</Value></Contains></Or></Where><OrderBy><FieldRef Name='Title' Ascending='FALSE'/>\
                 </OrderBy></Query>",
            ),
            ..plain.clone()
        },
        Question {
            contains: Some("<Contains xmlns=''><FieldRef Name='Title'/><Value Type='Text'>a</Value></Contains>"),
            ..plain.clone()
        },
        plain,
    ];
    let mut readers =
        asked.map(|question| Reader { lists: &lists, list: &list, question, mirror: ListMirror::default() });
    let chance = Chance::new(seed);
    let (mut here, mut made) = (Vec::new(), 0);
    let write = || {
        let word = chance.word();
        let status = ["Not Started", "In Progress", "Completed", ""][chance.below(4)];
        let row = [("Title", word.as_str()), ("Status", status)];
        match chance.below(12) {
            0..=4 => here.push(number(&lists.create(&list, &row))),
            5..=8 if !here.is_empty() => {
                let methods = method("Update", Some(*chance.pick(&here).unwrap()), &row[chance.below(2)..]);
                assert_eq!(lists.update(&list, &methods)[0].code, "0x00000000");
            }
            9 if !here.is_empty() => {
                let gone = here.swap_remove(chance.below(here.len()));
                assert_eq!(lists.update(&list, &method("Delete", Some(gone), &[]))[0].code, "0x00000000");
            }
            10 if chance.one_in(3) => {
                made += 1;
                let request = format!(
                    "<UpdateList xmlns=\"{SERVICE}\"><listName>{list}</listName><newFields><Fields xmlns=''><Method ID='1'>\
                     <Field Type='Text' DisplayName='Made{made}'/></Method></Fields></newFields></UpdateList>"
                );
                let answer = lists.call("UpdateList", &request);
                assert!(answer.fault().is_none(), "{answer:?}");
            }
            11 if chance.one_in(3) => {
                let query = by_status(BY_STATUS[chance.below(2)]);
                views(&lists, "UpdateView", &format!("<listName>{list}</listName><viewName>{view}</viewName>{query}"));
            }
            _ => {}
        }
    };
    // GetListItems knows no `contains`: what it means is a condition.
    let full = |reader: &Reader<'_>| {
        let contains = "<Query xmlns=''><Where><Contains><FieldRef Name='Title'/><Value Type='Text'>a</Value></Contains></Where></Query>";
        let query = reader.question.contains.map_or(reader.question.query, |_| Some(contains));
        lists.read_rows(&ListAsk { contains: None, query, ..reader.ask() })
    };
    converge(&Chance::new(seed ^ 0xa5c), &mut readers, write, full);
}

fn all(kind: StoreKind) {
    let server = TestServer::start(kind);
    for seed in 0..kind.share(HISTORIES) {
        scopes(&server, 10 + seed);
        questions(&server, 20 + seed);
    }
}

#[test]
fn questions_converge_in_memory() {
    all(STORES[0]);
}

#[test]
fn questions_converge_on_sqlite() {
    all(STORES[1]);
}

#[test]
fn questions_converge_over_three_nodes() {
    if StoreKind::Fleet.is_there("questions_converge") {
        all(StoreKind::Fleet);
    }
}
