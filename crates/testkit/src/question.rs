//! Questions to GetListItemChangesSinceToken as data, each asked over SOAP and over REST, which must say the same in the
//! same bytes.

use std::collections::BTreeMap;

use model::Time;
use xml::Node;

use crate::{
    http::Answer,
    lists::{Lists, Row, method, row},
    schema::Checker,
    server::{ANNA, SITE, StoreKind, TestServer},
    tree::{Reach, Tree},
};

/// The operation.
pub const OPERATION: &str = "GetListItemChangesSinceToken";
/// Namespace of the service.
pub const SERVICE: &str = "http://schemas.microsoft.com/sharepoint/soap/";

/// A question and what must come: parameters by name, with what stands inside them, and expectations by name.
///
/// Expectations: `rows` the numbers in order, `3.Title` a value of row 3 (`-` for none, `*` for some), `@Name` an
/// attribute of `listitems`, `Changes@Name`, `data@Name`, `ids` each Id as `Delete 3`, `List` whether the definition is
/// there, `fault` the code of a fault (`none` without one).
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What it is about.
    pub about: &'static str,
    /// The parameters.
    pub ask: &'static [(&'static str, &'static str)],
    /// What must come.
    pub expect: &'static [(&'static str, &'static str)],
}

/// A table of [`Case`]s: `"about": [parameter = "value"] => ["expectation" = "value"];`.
#[macro_export]
macro_rules! cases {
    ($($about:literal: [$($name:ident = $value:literal),* $(,)?] => [$($key:literal = $want:literal),* $(,)?];)*) => {
        &[$($crate::question::Case { about: $about, ask: &[$((stringify!($name), $value)),*], expect: &[$(($key, $want)),*] },)*]
    };
}

/// A server with a list to ask, and the words that stand for what only a run knows: `{start}`.
#[derive(Debug)]
pub struct Stage {
    /// The server.
    pub server: TestServer,
    /// Its lists, as the owner of the site.
    pub lists: Lists,
    /// What stands for words in braces.
    pub words: BTreeMap<String, String>,
    checker: Checker,
}

impl Stage {
    /// A server with these settings, at a fixed time.
    pub fn new(settings: &str) -> Self {
        let server =
            TestServer::configured(StoreKind::Memory, "2026-03-04T05:06:07Z".parse::<Time>().unwrap(), settings);
        let lists = server.lists(ANNA);
        let words = BTreeMap::from([("base".to_owned(), lists.http().base())]);
        Self { server, lists, words, checker: Checker::new() }
    }

    /// Sets a word.
    pub fn word(&mut self, name: &str, value: impl Into<String>) {
        self.words.insert(name.to_owned(), value.into());
    }

    /// A text with its words filled in.
    pub fn fill(&self, text: &str) -> String {
        self.words.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }

    /// The token of a list now, as a word.
    pub fn mark(&mut self, name: &str, list: &str) {
        let answer = self.soap(&[("listName".to_owned(), list.to_owned())]);
        let tree = Tree::parse(answer.text());
        let changes = tree.payload().at(&format!("{OPERATION}Result/listitems/Changes"));
        let token = changes.attribute("LastChangeToken").unwrap().to_owned();
        self.word(name, token);
    }

    /// The GUIDs of a list's views, as words.
    pub fn views(&mut self, list: &str) {
        let inside = format!("<GetViewCollection xmlns=\"{SERVICE}\"><listName>{list}</listName></GetViewCollection>");
        let path = format!("{SITE}/_vti_bin/Views.asmx");
        let answer = self.lists.http().send("POST", &path, &[("content-type", "text/xml")], envelope(&inside));
        let tree = Tree::parse(answer.text());
        for view in tree.root().all("View") {
            let name = format!("view {}", view.attribute("DisplayName").unwrap());
            self.word(&name, view.attribute("Name").unwrap());
        }
    }

    /// Runs methods, which must succeed, and returns the rows.
    pub fn update(&self, list: &str, methods: &[String]) -> Vec<Row> {
        let outcomes = self.lists.update(list, &methods.concat());
        outcomes
            .into_iter()
            .filter_map(|outcome| {
                assert_eq!(outcome.code, "0x00000000", "{outcome:?}");
                outcome.row
            })
            .collect()
    }

    /// Uploads a file to a path inside the site.
    pub fn put(&self, path: &str, body: &str) {
        let answer = self.lists.http().send("PUT", &format!("{SITE}/{path}"), &[], body);
        assert!(answer.status < 300, "{path}: {}", answer.status);
    }

    /// Asks over SOAP.
    pub fn soap(&self, ask: &[(String, String)]) -> Answer {
        let parameters: String = ask.iter().map(|(name, value)| format!("<{name}>{value}</{name}>")).collect();
        let request = format!("<{OPERATION} xmlns=\"{SERVICE}\">{parameters}</{OPERATION}>");
        self.lists.post(OPERATION, &envelope(&request))
    }

    /// Asks over REST.
    pub fn rest(&self, ask: &[(String, String)]) -> Answer {
        let mut query = serde_json::Map::new();
        let mut list = String::new();
        for (name, value) in ask {
            // Markup goes into a text as it is, other values as themselves.
            let plain = || value.replace("&amp;", "&");
            match name.as_str() {
                "listName" => list = plain(),
                "viewName" => _ = query.insert("ViewName".into(), plain().into()),
                "rowLimit" => _ = query.insert("RowLimit".into(), plain().into()),
                "changeToken" => _ = query.insert("ChangeToken".into(), plain().into()),
                "query" => _ = query.insert("Query".into(), value.clone().into()),
                "viewFields" => _ = query.insert("ViewFields".into(), value.clone().into()),
                "queryOptions" => _ = query.insert("QueryOptions".into(), value.clone().into()),
                "contains" => _ = query.insert("Contains".into(), value.clone().into()),
                other => panic!("no parameter {other}"),
            }
        }
        let path = match list.trim_matches(['{', '}']).parse::<model::Guid>() {
            Ok(guid) => format!("lists(guid'{guid}')"),
            Err(_) => format!("lists/getbytitle('{}')", list.replace(' ', "%20")),
        };
        let body = serde_json::json!({ "query": query }).to_string();
        self.lists.rest("POST", &format!("web/{path}/{OPERATION}"), &[], &body)
    }

    /// Asks every question both ways.
    pub fn run(&mut self, list: &str, cases: &[Case]) {
        let mut wrong = Vec::new();
        for case in cases {
            let mut ask: Vec<(String, String)> =
                case.ask.iter().map(|(name, value)| ((*name).to_owned(), self.fill(value))).collect();
            if ask.iter().all(|(name, _)| name != "listName") {
                ask.insert(0, ("listName".to_owned(), list.to_owned()));
            }
            let answer = self.soap(&ask);
            let tree = Lists::read(&answer);
            let over_rest = self.rest(&ask);
            let mut seen = seen(&tree);
            if tree.fault().is_none() {
                self.checker.lists(&tree);
                assert_eq!(over_rest.status, 200, "{}: {}", case.about, over_rest.text());
                assert_eq!(listitems(over_rest.text()), listitems(answer.text()), "{}", case.about);
            } else {
                assert!((400..500).contains(&over_rest.status), "{}: {}", case.about, over_rest.text());
            }
            for (key, want) in case.expect {
                let want = self.fill(want);
                let have = seen.remove(*key);
                let same = match (&have, want.as_str()) {
                    (None, "-") => true,
                    (Some(have), "*") => !have.is_empty(),
                    (Some(have), want) => have == want,
                    (None, _) => false,
                };
                if !same {
                    wrong.push(format!("{}: {key}: {have:?}, not {want:?}", case.about));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// Checks all answers against the published schema.
    pub fn finish(self) {
        self.checker.finish();
        drop(self.server);
    }
}

fn envelope(inside: &str) -> String {
    format!(
        "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body>{inside}</soap:Body></soap:Envelope>"
    )
}

/// The markup of `listitems` without its end: what both protocols say in the same words.
pub fn listitems(text: &str) -> &str {
    let start = text.find("<listitems").unwrap();
    &text[start..text.find("</listitems>").unwrap()]
}

/// What an answer says, by the names of expectations.
pub fn seen(tree: &Tree) -> BTreeMap<String, String> {
    let mut seen = BTreeMap::new();
    if let Some(fault) = tree.fault() {
        seen.insert("fault".to_owned(), fault.value("detail/errorcode").unwrap_or_else(|| "none".to_owned()));
        return seen;
    }
    let attributes = |seen: &mut BTreeMap<String, String>, prefix: &str, node: Node<'_>| {
        for (_, name, value) in node.attributes() {
            seen.insert(format!("{prefix}@{name}"), value.to_owned());
        }
    };
    let listitems = tree.payload().at(&format!("{OPERATION}Result/listitems"));
    let (changes, data) = (listitems.at("Changes"), listitems.at("data"));
    attributes(&mut seen, "", listitems);
    attributes(&mut seen, "Changes", changes);
    attributes(&mut seen, "data", data);
    let ids = changes.children().filter(|child| child.local() == "Id");
    let id = |id: Node<'_>| format!("{} {}", id.attribute("ChangeType").unwrap(), id.text().trim()).trim().to_owned();
    seen.insert("ids".to_owned(), ids.map(id).collect::<Vec<_>>().join(", "));
    seen.insert("List".to_owned(), changes.find("List").is_some().to_string());
    if let Some(list) = changes.find("List") {
        attributes(&mut seen, "List", list);
    }
    let rows: Vec<Row> = data.children().map(row).collect();
    seen.insert("rows".to_owned(), rows.iter().map(|row| row["ID"].clone()).collect::<Vec<_>>().join(" "));
    for row in rows {
        for (name, value) in &row {
            seen.insert(format!("{}.{name}", row["ID"]), value.clone());
        }
    }
    seen
}

/// A Method that changes a row.
pub fn edit(number: u32, fields: &[(&str, &str)]) -> String {
    method("Update", Some(number), fields)
}

/// A Method that adds a row.
pub fn new(fields: &[(&str, &str)]) -> String {
    method("New", None, fields)
}
