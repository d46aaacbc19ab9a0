//! Indexes of lists: switching them on and off, and that they change nothing but the cost.

use std::{fmt::Write as _, sync::Arc};

use http::StatusCode;
use model::{Random, SeededRandom};
use serde_json::json;
use store::{counting::Counting, memory::MemoryStore};

use super::{Reply, Server};

/// The fields of the lists: name and type.
const FIELDS: [(&str, &str); 7] = [
    ("T", "Text"),
    ("N", "Number"),
    ("D", "DateTime"),
    ("C", "Choice"),
    ("B", "Boolean"),
    ("U", "User"),
    ("M", "MultiChoice"),
];

async fn new_list(server: &Server, title: &str, indexed: &[&str]) {
    let parameters = format!("<listName>{title}</listName><description/><templateID>100</templateID>");
    server.lists("AddList", &parameters).await;
    let attribute = |name: &str| if indexed.contains(&name) { " Indexed=\"TRUE\"" } else { "" };
    let field = |(name, kind): &(&str, &str)| {
        let index = attribute(name);
        format!("<Method ID=\"1\"><Field Name=\"{name}\" DisplayName=\"{name}\" Type=\"{kind}\"{index}/></Method>")
    };
    let new: String = FIELDS.iter().map(field).collect();
    let old: Vec<&&str> = indexed.iter().filter(|name| FIELDS.iter().all(|(own, _)| own != *name)).collect();
    let old: String =
        old.iter().map(|name| format!("<Method ID=\"2\"><Field Name=\"{name}\" Indexed=\"TRUE\"/></Method>")).collect();
    let reply = change_fields(server, title, &new, &old).await;
    let codes = reply.values("Method/ErrorCode");
    assert!(codes.iter().all(|code| code == "0x00000000"), "{}", reply.body);
}

async fn change_fields(server: &Server, list: &str, new: &str, changed: &str) -> Reply {
    let parameters = format!(
        "<listName>{list}</listName><listProperties/><newFields><Fields>{new}</Fields></newFields>\
         <updateFields><Fields>{changed}</Fields></updateFields><deleteFields/><listVersion/>"
    );
    server.lists("UpdateList", &parameters).await
}

struct Chance(SeededRandom);

impl Chance {
    fn below(&self, bound: usize) -> usize {
        (self.0.number() % bound as u64) as usize
    }

    fn one_in(&self, many: usize) -> bool {
        self.below(many) == 0
    }

    fn pick<'a>(&self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn value(&self, field: &str) -> String {
        match field {
            "T" | "Title" => {
                let long = format!("long {}", "x".repeat(240));
                let texts = ["a", "A", "ab", "Abc", "b", "\u{e4}", "5", "2026-03-04", "true", &long];
                self.pick(&texts).to_owned()
            }
            "N" => self.pick(&["-3", "-0.5", "0", "1", "1.5", "5", "7", "100"]).to_owned(),
            "C" => self.pick(&["New", "Open", "closed"]).to_owned(),
            "B" => self.pick(&["1", "0", "TRUE"]).to_owned(),
            "U" => self.pick(&["1", "2"]).to_owned(),
            "M" => self.pick(&[";#x;#", ";#x;#y;#", ";#y;#"]).to_owned(),
            "ID" => (1 + self.below(50)).to_string(),
            _ => {
                let (day, hour) = (1 + self.below(6), self.below(24));
                format!("2026-03-0{day}T{hour:02}:00:0{}Z", self.below(3))
            }
        }
    }

    fn method(&self, number: usize) -> String {
        let mut fields = String::new();
        for (name, _) in FIELDS.iter().chain(&[("Title", "Text")]) {
            if !self.one_in(4) {
                _ = write!(fields, "<Field Name=\"{name}\">{}</Field>", self.value(name));
            }
        }
        let folder = if self.one_in(9) {
            format!("<Field Name=\"FSObjType\">1</Field><Field Name=\"BaseName\">f{number}</Field>")
        } else {
            String::new()
        };
        format!("<Method ID=\"{number}\" Cmd=\"New\">{fields}{folder}</Method>")
    }

    fn field(&self) -> &'static str {
        ["T", "T", "N", "N", "D", "D", "C", "B", "U", "M", "ID", "Modified", "Author", "Title"][self.below(14)]
    }

    fn caml_value(&self, field: &str) -> String {
        let kind = match field {
            "N" => "Number",
            "D" | "Modified" => "DateTime",
            "B" => "Boolean",
            "U" | "Author" => self.pick(&["User", "Integer"]),
            _ => "Text",
        };
        let time = if self.one_in(2) { " IncludeTimeValue=\"TRUE\"" } else { "" };
        let text = match self.below(12) {
            0 => "<Today OffsetDays=\"-1\"/>".to_owned(),
            1 => "<Now/>".to_owned(),
            2 => "<UserID/>".to_owned(),
            3 => self.value(self.field()),
            4 if field == "U" || field == "Author" => "Ann Example".to_owned(),
            _ => self.value(field),
        };
        format!("<Value Type=\"{kind}\"{time}>{text}</Value>")
    }

    fn condition(&self, depth: usize) -> String {
        if depth > 0 && self.one_in(2) {
            let name = self.pick(&["And", "And", "Or"]);
            let parts: String = (0..2 + self.below(2)).map(|_| self.condition(depth - 1)).collect();
            return format!("<{name}>{parts}</{name}>");
        }
        let field = self.field();
        let by_id = if self.one_in(2) { " LookupId=\"TRUE\"" } else { "" };
        let reference = format!("<FieldRef Name=\"{field}\"{by_id}/>");
        match self.below(12) {
            0 => format!("<IsNull>{reference}</IsNull>"),
            1 => format!("<IsNotNull>{reference}</IsNotNull>"),
            2 | 3 => {
                let values: String = (0..1 + self.below(6)).map(|_| self.caml_value(field)).collect();
                format!("<In>{reference}<Values>{values}</Values></In>")
            }
            _ => {
                let how = self.pick(&[
                    "Eq",
                    "Eq",
                    "Eq",
                    "Eq",
                    "Neq",
                    "Gt",
                    "Geq",
                    "Lt",
                    "Leq",
                    "BeginsWith",
                    "Contains",
                    "Includes",
                    "NotIncludes",
                ]);
                format!("<{how}>{reference}{}</{how}>", self.caml_value(field))
            }
        }
    }

    fn query(&self) -> String {
        let mut query = String::new();
        if !self.one_in(3) {
            query = format!("<Where>{}</Where>", self.condition(2));
        }
        if !self.one_in(3) {
            query.push_str("<OrderBy>");
            for _ in 0..1 + usize::from(self.one_in(3)) {
                let ascending = self.pick(&["TRUE", "FALSE"]);
                _ = write!(query, "<FieldRef Name=\"{}\" Ascending=\"{ascending}\"/>", self.field());
            }
            query.push_str("</OrderBy>");
        }
        query
    }
}

/// The pages of an answer: the numbers of their rows, and where each ended.
async fn pages(server: &Server, list: &str, query: &str, limit: usize, scope: &str) -> Vec<(Vec<String>, String)> {
    let (mut pages, mut position) = (Vec::new(), String::new());
    loop {
        let parameters = format!(
            "<listName>{list}</listName><query><Query>{query}</Query></query><rowLimit>{limit}</rowLimit>\
             <queryOptions><QueryOptions><ViewAttributes Scope=\"{scope}\"/>{position}</QueryOptions></queryOptions>"
        );
        let reply = server.lists("GetListItems", &parameters).await;
        let next = reply.values("data/@ListItemCollectionPositionNext").pop();
        pages.push((reply.values("row/@ows_ID"), next.clone().unwrap_or_default()));
        let Some(next) = next else { return pages };
        assert!(pages.len() < 200, "{list} {query}");
        let next = next.replace('&', "&amp;").replace('"', "&quot;");
        position = format!("<Paging ListItemCollectionPositionNext=\"{next}\"/>");
    }
}

/// Whatever is asked, a list with indexes gives the rows that one without gives, in the same order and the same pages.
#[tokio::test]
async fn an_index_changes_no_answer() {
    let indexed = ["T", "N", "D", "C", "B", "U", "Modified", "Author", "Title"];
    let (mut asked, mut found) = (0, 0);
    for seed in 0..2 {
        let chance = Chance(SeededRandom::new(100 + seed));
        let server = Server::start().await;
        let guest = server.as_guest().await;
        guest.lists("GetListCollection", "").await;
        new_list(&server, "Plain", &[]).await;
        // Some rows stand when the indexes come, some come later.
        new_list(&server, "Late", &[]).await;
        new_list(&server, "Early", &indexed).await;
        for part in 0..2 {
            for batch in 0..5 {
                server.clock.advance(30_000);
                let writer = if chance.one_in(2) { &server } else { &guest };
                let mut methods: String = (0..6).map(|number| chance.method(batch * 6 + number + part * 100)).collect();
                for _ in 0..batch {
                    let (number, field) = (1 + chance.below(25), chance.pick(&["T", "N", "D", "C", "B", "U"]));
                    let value = if chance.one_in(4) { String::new() } else { chance.value(field) };
                    _ = write!(
                        methods,
                        "<Method ID=\"u\" Cmd=\"Update\"><Field Name=\"ID\">{number}</Field><Field Name=\"{field}\">{value}\
                         </Field></Method>"
                    );
                }
                let gone = 1 + chance.below(40);
                _ = write!(methods, "<Method ID=\"d\" Cmd=\"Delete\"><Field Name=\"ID\">{gone}</Field></Method>");
                for list in ["Plain", "Late", "Early"] {
                    writer.update(list, &methods).await;
                }
            }
            if part == 0 {
                let late: String = indexed
                    .iter()
                    .map(|name| format!("<Method ID=\"1\"><Field Name=\"{name}\" Indexed=\"TRUE\"/></Method>"))
                    .collect();
                change_fields(&server, "Late", "", &late).await;
            }
        }
        let order = |number: usize| {
            let (name, ascending) = (indexed[number / 2], if number.is_multiple_of(2) { "TRUE" } else { "FALSE" });
            format!("<OrderBy><FieldRef Name=\"{name}\" Ascending=\"{ascending}\"/></OrderBy>")
        };
        for number in 0..90 {
            let query = match number {
                0..18 => order(number),
                // Few rows in the order of their numbers.
                18..60 => {
                    let direction =
                        chance.pick(&["", "<OrderBy><FieldRef Name=\"ID\" Ascending=\"FALSE\"/></OrderBy>"]);
                    format!("<Where>{}</Where>{direction}", chance.condition(1))
                }
                _ => chance.query(),
            };
            let limit = [0, 3, 7, 7, 40, 40][chance.below(6)];
            let scope = chance.pick(&["", "Recursive", "RecursiveAll", "FilesOnly"]);
            let expected = pages(&server, "Plain", &query, limit, scope).await;
            let list = chance.pick(&["Late", "Early"]);
            let pages = pages(&server, list, &query, limit, scope).await;
            assert_eq!(pages, expected, "{list}, seed {seed}, by {limit}, {scope}: {query}");
            (asked, found) = (asked + 1, found + expected.iter().map(|(rows, _)| rows.len()).sum::<usize>());
        }
    }
    assert!(found > 5 * asked, "{found} rows for {asked} questions");
}

/// What an index serves is read by it: an answer costs about its rows, however many the list has.
#[tokio::test]
async fn an_answer_costs_its_rows() {
    let store = Arc::new(Counting::new(MemoryStore::new(1)));
    let server = Server::over(store.clone()).await;
    new_list(&server, "Long", &["T", "N", "D"]).await;
    for batch in 0..20 {
        let method = |row: usize| {
            let number = batch * 50 + row;
            let text = if number % 100 == 7 { "seldom" } else { "often" };
            format!(
                "<Method ID=\"{number}\" Cmd=\"New\"><Field Name=\"T\">{text}</Field><Field Name=\"N\">{number}</Field>\
                 <Field Name=\"D\">2026-03-04T00:00:00Z</Field></Method>"
            )
        };
        server.update("Long", &(0..50).map(method).collect::<String>()).await;
    }
    let number = |how: &str, value: usize| {
        format!("<{how}><FieldRef Name=\"N\"/><Value Type=\"Number\">{value}</Value></{how}>")
    };
    let text = |value: &str| format!("<Eq><FieldRef Name=\"T\"/><Value Type=\"Text\">{value}</Value></Eq>");
    let by = |name: &str, ascending: &str| {
        format!("<OrderBy><FieldRef Name=\"{name}\" Ascending=\"{ascending}\"/></OrderBy>")
    };
    for (query, limit, rows, most) in [
        (format!("<Where>{}</Where>", text("seldom")), 100, 10, 40),
        (format!("<Where>{}</Where>", text("often")), 10, 10, 60),
        (format!("<Where>{}</Where>", number("Eq", 500)), 100, 1, 20),
        (format!("<Where>{}</Where>{}", number("Geq", 990), by("N", "FALSE")), 100, 10, 50),
        (format!("<Where><And>{}{}</And></Where>", number("Gt", 500), number("Leq", 505)), 100, 5, 40),
        (format!("<Where><And>{}{}</And></Where>", text("often"), number("Lt", 5)), 100, 5, 60),
        (format!("<Where><Or>{}{}</Or></Where>", number("Eq", 3), number("Eq", 900)), 100, 2, 30),
        (by("N", "FALSE"), 10, 10, 50),
        (by("D", "FALSE"), 10, 10, 60),
        ("<Where><Gt><FieldRef Name=\"ID\"/><Value Type=\"Counter\">990</Value></Gt></Where>".to_owned(), 100, 10, 40),
        (
            "<Where><BeginsWith><FieldRef Name=\"T\"/><Value Type=\"Text\">sel</Value></BeginsWith></Where>".to_owned(),
            9,
            9,
            50,
        ),
    ] {
        let before = store.counts();
        let parameters =
            format!("<listName>Long</listName><query><Query>{query}</Query></query><rowLimit>{limit}</rowLimit>");
        let reply = server.lists("GetListItems", &parameters).await;
        let read = store.counts().since(before).rows;
        assert_eq!(reply.values("row/@ows_ID").len(), rows, "{query}");
        assert!(read <= most, "{read} rows read for {query}");
    }
}

#[tokio::test]
async fn fields_are_indexed_over_soap() {
    let server = Server::start().await;
    new_list(&server, "List", &["T"]).await;
    let indexed = async || {
        let reply = server.lists("GetList", "<listName>List</listName>").await;
        let fields = reply.values("Fields/Field/@Name").len();
        let indexed = reply.values("Fields/Field/@Indexed");
        assert!(fields > indexed.len());
        indexed.len()
    };
    assert_eq!(indexed().await, 1);
    let method = |field: &str| format!("<Method ID=\"1\">{field}</Method>");
    for (field, code, count) in [
        ("<Field Name=\"N\" Indexed=\"TRUE\"/>", "0x00000000", 2),
        ("<Field Name=\"Modified\" Indexed=\"TRUE\"/>", "0x00000000", 3),
        ("<Field Name=\"M\" Indexed=\"TRUE\"/>", "0x81020014", 3),
        ("<Field Name=\"FileRef\" Indexed=\"TRUE\"/>", "0x81020014", 3),
        ("<Field Name=\"ID\" Indexed=\"TRUE\"/>", "0x00000000", 4),
        // What is not said of stays.
        ("<Field Name=\"T\" Type=\"Text\" DisplayName=\"Other\"/>", "0x00000000", 4),
        ("<Field Name=\"T\" Type=\"Note\" DisplayName=\"Other\"/>", "0x00000000", 3),
        ("<Field Name=\"N\" Indexed=\"FALSE\"/>", "0x00000000", 2),
    ] {
        let reply = change_fields(&server, "List", "", &method(field)).await;
        assert_eq!(reply.value("UpdateFields/Method/ErrorCode"), code, "{field}");
        assert_eq!(indexed().await, count, "{field}");
    }
    // Twenty, and no more.
    let many: String = (0..20)
        .map(|number| {
            format!("<Method ID=\"1\"><Field Name=\"F{number}\" DisplayName=\"F{number}\" Type=\"Text\" Indexed=\"TRUE\"/></Method>")
        })
        .collect();
    let reply = change_fields(&server, "List", &many, "").await;
    let refused = reply.values("NewFields/Method/ErrorCode").iter().filter(|code| *code != "0x00000000").count();
    assert_eq!((refused, indexed().await), (1, 21));
}

#[tokio::test]
async fn fields_are_indexed_over_rest() {
    let server = Server::start().await;
    new_list(&server, "List", &[]).await;
    let path = "web/lists/getbytitle('List')/fields/getbyinternalnameortitle('T')";
    let indexed = async |path: &str| {
        let reply = server.send("GET", path, &[("accept", "application/json;odata=nometadata")], "").await;
        serde_json::from_str::<serde_json::Value>(&reply.body).unwrap()["Indexed"].as_bool().unwrap()
    };
    let merge = async |body: serde_json::Value| {
        let headers = [("x-http-method", "MERGE"), ("if-match", "*"), ("content-type", "application/json")];
        server.send("POST", path, &headers, &body.to_string()).await.status
    };
    assert!(!indexed(path).await);
    let body = json!({ "__metadata": { "type": "SP.Field" }, "Indexed": true, "Title": "Shown", "Description": "d" });
    assert_eq!(merge(body).await, StatusCode::NO_CONTENT);
    assert!(indexed(path).await);
    assert!(indexed("web/lists/getbytitle('List')/fields/getbytitle('Shown')").await);
    assert_eq!(merge(json!({ "Indexed": "perhaps" })).await, StatusCode::BAD_REQUEST);
    assert_eq!(merge(json!({ "Nonsense": 1 })).await, StatusCode::BAD_REQUEST);
    assert_eq!(merge(json!({ "FieldTypeKind": 9 })).await, StatusCode::BAD_REQUEST);
    assert_eq!(merge(json!({ "Indexed": false, "FieldTypeKind": 2 })).await, StatusCode::NO_CONTENT);
    assert!(!indexed(path).await);
    let add = "web/lists/getbytitle('List')/fields";
    let body = json!({ "Title": "New", "FieldTypeKind": 4, "Indexed": true });
    assert_eq!(server.send("POST", add, &[], &body.to_string()).await.status, StatusCode::CREATED);
    assert!(indexed("web/lists/getbytitle('List')/fields/getbytitle('New')").await);
    let body = json!({ "Title": "Notes", "FieldTypeKind": 3, "Indexed": true });
    assert_eq!(server.send("POST", add, &[], &body.to_string()).await.status, StatusCode::BAD_REQUEST);
}

/// Filters, orders and pages of REST, and its CAML, run on the indexes too, with the answers of a list without.
#[tokio::test]
async fn rest_pages_go_on_along_an_index() {
    let store = Arc::new(Counting::new(MemoryStore::new(1)));
    let server = Server::over(store.clone()).await;
    new_list(&server, "Plain", &[]).await;
    new_list(&server, "List", &["T", "N"]).await;
    let method = |number: usize| {
        format!(
            "<Method ID=\"{number}\" Cmd=\"New\"><Field Name=\"T\">t{}</Field><Field Name=\"N\">{}</Field></Method>",
            number % 40,
            number / 2
        )
    };
    for list in ["Plain", "List"] {
        for first in [0, 200] {
            server.update(list, &(first..first + 200).map(method).collect::<String>()).await;
        }
    }
    let accept = [("accept", "application/json;odata=nometadata")];
    let walk = async |list: &str, question: &str| {
        let (mut found, mut pages) = (Vec::new(), 0);
        let mut path = format!("web/lists/getbytitle('{list}')/items?{question}");
        let before = store.counts();
        loop {
            let reply = server.send("GET", &path, &accept, "").await;
            let page: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
            found.extend(page["value"].as_array().unwrap().iter().map(|item| item["Id"].as_i64().unwrap()));
            pages += 1;
            let Some(next) = page["odata.nextLink"].as_str() else { break };
            path = next.split_once("/_api/").unwrap().1.to_owned();
        }
        (found, pages, store.counts().since(before).rows)
    };
    for (question, rows, pages) in [
        ("$filter=T eq 'T7'&$top=4", 10, 3),
        ("$filter=N ge 190&$orderby=N desc&$top=6", 20, 4),
        ("$filter=N ge 190 and N lt 195&$orderby=N&$top=5", 10, 2),
        ("$filter=T eq 't1' or T eq 't2'&$orderby=Id desc&$top=9", 20, 3),
        ("$filter=startswith(T,'t39')&$top=9", 10, 2),
    ] {
        let (plain, expected_pages, scanned) = walk("Plain", question).await;
        let (found, found_pages, read) = walk("List", question).await;
        assert_eq!((found.len(), found_pages), (rows, pages), "{question}");
        assert_eq!((&found, found_pages), (&plain, expected_pages), "{question}");
        assert!(read < scanned / 2 && read < 40 * pages as u64, "{read} rows instead of {scanned} for {question}");
    }
    let view = "<View><Query><Where><Eq><FieldRef Name='N'/><Value Type='Number'>7</Value></Eq></Where></Query></View>";
    let body = json!({ "query": { "ViewXml": view } }).to_string();
    let before = store.counts();
    let reply = server.send("POST", "web/lists/getbytitle('List')/getitems", &accept, &body).await;
    let page: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
    let ids: Vec<i64> = page["value"].as_array().unwrap().iter().map(|item| item["Id"].as_i64().unwrap()).collect();
    assert_eq!(ids, [15, 16]);
    assert!(store.counts().since(before).rows < 20);
}
