//! Transcripts with what is expected of each answer, kept as text in `tests/transcripts/<protocol>/<section>/`.
//!
//! A file opens with what it shows, in words, to the first empty line. Then come exchanges. A line that begins with `>`
//! is a request, the lines after it its body, to a line `< STATUS`; the lines after that are expectations:
//!
//! ```text
//! > ews [as bert]             the body stands inside the SOAP Body, with `t:` and `m:` bound
//! > envelope [as bert]        the body is the whole envelope
//! > lists OPERATION [as ..]   the body stands inside the operation, in its namespace; SOAP 1.1
//! > lists12 OPERATION         the same, SOAP 1.2
//! > http METHOD PATH          headers, an empty line, the body; `as nobody` goes without credentials
//! > rest METHOD PATH          the same below the site's `_api/`, JSON both ways
//! > advance SECONDS           moves the clock, which stands at [`START`]
//!
//! PATH = TEXT                 the text of the first match (or its attribute), and so on:
//! PATH != TEXT   PATH starts TEXT   PATH contains TEXT   PATH lacks TEXT   PATH absent   PATH present
//! PATH count N   PATH all A | B     PATH set A | B       PATH names A B    (local names of what is inside)
//! header NAME = TEXT   header NAME starts TEXT   header NAME absent
//! body contains TEXT   body lacks TEXT
//! json POINTER = JSON  json POINTER absent
//! let NAME = PATH      let NAME = header NAME      let NAME = json POINTER
//! ```
//!
//! A path is steps of local names by `/`, `*` for any; `//` before the first step looks at every depth. A step may
//! carry `[3]`, the third of all matches, or `[Name=text]` and `[@Attribute=text]`; `@Attribute` at the end is an
//! attribute. `{{name}}` is what `let` kept, or one of [`made`].

use std::{collections::BTreeMap, fs, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use model::Time;
use xml::Node;

use crate::{
    ews,
    http::{Answer, Http},
    lists::Lists,
    schema::Checker,
    server::{ANNA, BERT, PASSWORD, SITE, StoreKind, TestServer},
    stream::Stream,
    tree::{Reach, Tree, escape},
};

/// Where the clock stands when a transcript begins.
pub const START: &str = "2026-03-02T09:00:00Z";
/// Bytes of an answer that a failure shows.
const SHOWN_BYTES_MAX: usize = 6_000;
/// Files of one folder.
const FILES_MAX: usize = 200;

/// Runs every transcript of `tests/transcripts/<folder>`, each on a server of its own, and checks what was answered
/// against the published schemas.
///
/// # Panics
/// With all that is not as expected.
pub fn run_folder(folder: &str) {
    run_each(folder, run);
}

/// Runs every transcript of a folder in one way.
pub(crate) fn run_each(folder: &str, run: impl Fn(&str, &mut Checker) -> Result<(), String>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/transcripts").join(folder);
    let entries = fs::read_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "txt"));
    files.sort();
    assert!(!files.is_empty() && files.len() <= FILES_MAX, "{}: {} transcripts", path.display(), files.len());
    let mut checker = Checker::new();
    let mut faults = String::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Err(fault) = run(&text, &mut checker) {
            faults += &format!("{folder}/{name}: {fault}\n\n");
        }
    }
    assert!(faults.is_empty(), "{faults}");
    checker.finish();
}

/// Runs one transcript.
///
/// # Errors
/// The first thing that is not as expected, with its line.
pub fn run(text: &str, checker: &mut Checker) -> Result<(), String> {
    let start: Time = START.parse().expect("a time");
    let mut stage = Stage::new(TestServer::at(StoreKind::Memory, start));
    for exchange in exchanges(text)? {
        let answer = stage.ask(&exchange, checker)?;
        stage.hold(&exchange, answer.as_ref())?;
    }
    Ok(())
}

/// A request with what is expected of its answer. Lines are numbered from 1.
pub(crate) struct Exchange<'a> {
    line: usize,
    request: &'a str,
    body: String,
    status: Option<&'a str>,
    expected: Vec<(usize, &'a str)>,
}

impl Exchange<'_> {
    /// Where it stands, and what it asks.
    pub(crate) fn title(&self) -> String {
        format!("line {}: {}", self.line, self.request)
    }
}

/// The exchanges of a transcript.
pub(crate) fn exchanges(text: &str) -> Result<Vec<Exchange<'_>>, String> {
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line)).peekable();
    let words = lines.by_ref().take_while(|(_, line)| !line.is_empty()).count();
    if words == 0 {
        return Err("says nothing about itself".into());
    }
    let mut exchanges: Vec<Exchange<'_>> = Vec::new();
    while let Some((number, line)) = lines.next() {
        if let Some(request) = line.strip_prefix("> ") {
            let mut body = Vec::new();
            while let Some((_, line)) = lines.next_if(|(_, line)| !line.starts_with("< ") && !line.starts_with("> ")) {
                body.push(line);
            }
            let status = lines.next_if(|(_, line)| line.starts_with("< ")).map(|(_, line)| line);
            exchanges.push(Exchange { line: number, request, body: body.join("\n"), status, expected: Vec::new() });
        } else if !line.trim().is_empty() {
            let before = exchanges.last_mut().filter(|before| before.status.is_some());
            let Some(before) = before else { return Err(format!("line {number}: an expectation before an answer")) };
            before.expected.push((number, line));
        }
    }
    if exchanges.is_empty() { Err("asks nothing".into()) } else { Ok(exchanges) }
}

/// A server on which a transcript is played, and what was kept of its answers.
pub(crate) struct Stage {
    /// The server.
    pub(crate) server: TestServer,
    /// What `let` has kept.
    pub(crate) kept: BTreeMap<String, String>,
}

/// What was answered.
pub(crate) struct Answered {
    /// As it came.
    pub(crate) answer: Answer,
    tree: Option<Tree>,
}

impl Answered {
    fn new(answer: Answer) -> Self {
        let is_xml = answer.header("content-type").is_some_and(|kind| kind.contains("xml")) && !answer.body.is_empty();
        let tree = is_xml.then(|| Tree::parse(answer.text()));
        Self { answer, tree }
    }

    /// Status and body, as a failure shows them.
    pub(crate) fn shown(&self) -> String {
        let body: String = String::from_utf8_lossy(&self.answer.body).chars().take(SHOWN_BYTES_MAX).collect();
        format!("{} {body}", self.answer.status)
    }

    /// The texts of all matches of a path.
    fn texts(&self, path: &str) -> Result<Vec<String>, String> {
        let (path, attribute) = match path.rsplit_once('@') {
            Some((path, attribute)) if !attribute.contains(']') => (path, Some(attribute)),
            _ => (path, None),
        };
        let found = self.nodes(path.trim_end_matches('/'))?;
        Ok(match attribute {
            Some(name) => found.iter().filter_map(|node| node.attribute(name).map(str::to_owned)).collect(),
            None => found.iter().map(|node| node.text().trim().to_owned()).collect(),
        })
    }

    fn nodes(&self, path: &str) -> Result<Vec<Node<'_>>, String> {
        let tree = self.tree.as_ref().ok_or("the answer is not XML")?;
        let mut found = vec![tree.root()];
        let (deep, path) = path.strip_prefix("//").map_or((false, path), |path| (true, path));
        for (index, step) in steps(path).into_iter().enumerate() {
            let (name, tests) = step.split_once('[').map_or((step, None), |(name, rest)| (name, Some(rest)));
            found = if deep && index == 0 {
                found.into_iter().flat_map(|node| every(node, name)).collect()
            } else {
                let inside = |node: Node<'_>| name == "*" || node.local() == name;
                found
                    .into_iter()
                    .flat_map(|node| node.children().filter(move |node| inside(*node)).collect::<Vec<_>>())
                    .collect()
            };
            for test in tests.into_iter().flat_map(|tests| tests.trim_end_matches(']').split("][")) {
                found = match (test.parse::<usize>(), test.split_once('=')) {
                    (Ok(number), _) => found.into_iter().nth(number - 1).into_iter().collect(),
                    (_, Some((name, text))) => found.into_iter().filter(|node| has(*node, name, text)).collect(),
                    _ => return Err(format!("no test: {test}")),
                };
            }
        }
        Ok(found)
    }

    fn json(&self, pointer: &str) -> Option<serde_json::Value> {
        self.answer.json().pointer(pointer).cloned()
    }
}

/// The steps of a path; what stands in brackets may hold slashes.
fn steps(path: &str) -> Vec<&str> {
    let (mut steps, mut from, mut depth) = (Vec::new(), 0, 0_usize);
    for (index, character) in path.char_indices() {
        match character {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            '/' if depth == 0 => {
                steps.push(&path[from..index]);
                from = index + 1;
            }
            _ => {}
        }
    }
    steps.push(&path[from..]);
    steps.retain(|step| !step.is_empty());
    steps
}

fn every<'a>(node: Node<'a>, name: &str) -> Vec<Node<'a>> {
    let itself = (name == "*" || node.local() == name).then_some(node);
    itself.into_iter().chain(node.children().flat_map(|child| every(child, name))).collect()
}

fn has(node: Node<'_>, name: &str, text: &str) -> bool {
    match name.strip_prefix('@') {
        Some(name) => node.attribute(name) == Some(text),
        None if name == "." => node.text().trim() == text,
        None => node.value(name).is_some_and(|value| value.trim() == text),
    }
}

/// What `{{name}}` may stand for beside what was kept: `stream CLASS|SUBJECT`, an item for UploadItems; `base64 TEXT`;
/// `rows N`, methods of UpdateListItems for new rows `Row 1` to `Row N`; `messages N`, elements for CreateItem.
pub fn made(name: &str) -> Option<String> {
    let (kind, rest) = name.split_once(' ')?;
    let count = || rest.parse::<usize>().ok();
    match kind {
        "stream" => {
            let (class, subject) = rest.split_once('|')?;
            Some(Stream::message(class, subject).recipients_follow().attachments_follow().data())
        }
        "base64" => Some(STANDARD.encode(rest)),
        "rows" => {
            let row = |number| {
                format!("<Method ID=\"{number}\" Cmd=\"New\"><Field Name=\"Title\">Row {number}</Field></Method>")
            };
            Some((1..=count()?).map(row).collect())
        }
        "messages" => {
            let message = |number| format!("<t:Message><t:Subject>Message {number}</t:Subject></t:Message>");
            Some((1..=count()?).map(message).collect())
        }
        _ => None,
    }
}

impl Stage {
    /// Nothing has been kept so far.
    pub(crate) fn new(server: TestServer) -> Self {
        Self { server, kept: BTreeMap::new() }
    }

    fn put_values(&self, text: &str, escaped: bool) -> Result<String, String> {
        let mut done = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, after) = after.split_once("}}").ok_or("{{ without }}")?;
            done += before;
            match (self.kept.get(name), made(name)) {
                (Some(value), _) if escaped => done += &escape(value),
                (Some(value), _) => done += value,
                (None, Some(value)) => done += &value,
                (None, None) => return Err(format!("nothing is called {name}")),
            }
            rest = after;
        }
        Ok(done + rest)
    }

    /// Sends the request of an exchange. None where there is nothing to be answered.
    ///
    /// # Errors
    /// What cannot be sent, with its line.
    pub(crate) fn ask(&self, exchange: &Exchange<'_>, checker: &mut Checker) -> Result<Option<Answered>, String> {
        let sent = self.send(exchange.request, &exchange.body, checker);
        sent.map_err(|fault| format!("line {}: {fault}", exchange.line))
    }

    /// Holds an answer against what is expected, and keeps of it what is to be kept.
    ///
    /// # Errors
    /// The first thing that is not as expected, with its line.
    pub(crate) fn hold(&mut self, exchange: &Exchange<'_>, answer: Option<&Answered>) -> Result<(), String> {
        let at = |line: usize, fault: String| format!("line {line}: {fault}");
        match (answer, exchange.status) {
            (Some(answer), Some(status)) if status[2..].trim() == answer.answer.status.to_string() => {}
            (None, None) => {}
            (answer, status) => {
                let shown = answer.map(Answered::shown).unwrap_or_default();
                let status = status.unwrap_or("a status");
                return Err(at(exchange.line, format!("{}: not {status}: {shown}", exchange.request)));
            }
        }
        for (line, expected) in &exchange.expected {
            let Some(answer) = answer else { return Err(at(*line, "an expectation before an answer".into())) };
            let held = self.expect(expected.trim(), answer);
            held.map_err(|fault| at(*line, format!("{expected}: {fault}\n{}", answer.shown())))?;
        }
        Ok(())
    }

    fn send(&self, request: &str, body: &str, checker: &mut Checker) -> Result<Option<Answered>, String> {
        let (request, who) = match request.rsplit_once(" as ") {
            Some((request, who)) => (request, who.trim()),
            None => (request, "anna"),
        };
        let http = self.server.http();
        let http: Http = match who {
            "anna" => http.login(ANNA, PASSWORD),
            "bert" => http.login(BERT, PASSWORD),
            "nobody" => http,
            other => return Err(format!("nobody is called {other}")),
        };
        let (kind, rest) = request.split_once(' ').unwrap_or((request, ""));
        let answered = match kind {
            "ews" | "envelope" => {
                let body = self.put_values(body, true)?;
                let envelope = if kind == "ews" { ews::envelope(&body) } else { body };
                let answered = Answered::new(ews::Ews::new(http).post(&envelope));
                if let Some(tree) = answered.tree.as_ref().filter(|_| matches!(answered.answer.status, 200 | 500)) {
                    checker.ews(tree);
                }
                answered
            }
            "lists" | "lists12" => {
                let inner = self.put_values(body, true)?;
                let body = format!("<{rest} xmlns=\"{SERVICE}\">{inner}</{rest}>");
                let answer = if kind == "lists" {
                    Lists::new(http, SITE).post(rest, &soap("http://schemas.xmlsoap.org/soap/envelope/", &body))
                } else {
                    let content = format!("application/soap+xml; charset=utf-8; action=\"{SERVICE}{rest}\"");
                    let path = format!("{SITE}/_vti_bin/Lists.asmx");
                    let envelope = soap("http://www.w3.org/2003/05/soap-envelope", &body);
                    http.send("POST", &path, &[("content-type", &content)], envelope)
                };
                let answered = Answered::new(answer);
                if let Some(tree) = answered.tree.as_ref().filter(|_| matches!(answered.answer.status, 200 | 500)) {
                    checker.lists(tree);
                }
                answered
            }
            "http" | "rest" => {
                let (method, path) = rest.split_once(' ').ok_or("no path")?;
                let path = self.put_values(path.trim(), false)?;
                let path = if kind == "rest" { format!("{SITE}/_api/{path}") } else { path };
                let headless = body.strip_prefix('\n').map(|body| ("", body));
                let (head, body) = headless.or_else(|| body.split_once("\n\n")).unwrap_or((body, ""));
                let head = self.put_values(head, false)?;
                let mut headers: Vec<(&str, &str)> = head
                    .lines()
                    .filter_map(|line| line.split_once(':'))
                    .map(|(name, value)| (name.trim(), value.trim()))
                    .collect();
                if kind == "rest" {
                    for default in
                        [("Accept", "application/json;odata=nometadata"), ("Content-Type", "application/json")]
                    {
                        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(default.0)) {
                            headers.push(default);
                        }
                    }
                }
                Answered::new(http.send(method, &path, &headers, self.put_values(body, false)?))
            }
            "advance" => {
                self.server.advance(rest.parse().map_err(|error| format!("{rest}: {error}"))?);
                return Ok(None);
            }
            other => return Err(format!("no request: {other}")),
        };
        Ok(Some(answered))
    }

    fn expect(&mut self, line: &str, answer: &Answered) -> Result<(), String> {
        if let Some(rest) = line.strip_prefix("let ") {
            let (name, source) = rest.split_once(" = ").ok_or("let NAME = PATH")?;
            let value = if let Some(header) = source.strip_prefix("header ") {
                answer.answer.header(&header.to_lowercase()).map(str::to_owned)
            } else if let Some(pointer) = source.strip_prefix("json ") {
                answer.json(pointer).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            } else {
                answer.texts(&self.put_values(source, false)?)?.into_iter().next()
            };
            self.kept.insert(name.to_owned(), value.ok_or("there is none")?);
            return Ok(());
        }
        let line = self.put_values(line, false)?;
        if let Some(rest) = line.strip_prefix("header ") {
            let (name, rest) = rest.split_once(' ').ok_or("header NAME = TEXT")?;
            let values = answer.answer.header(&name.to_lowercase()).map(str::to_owned).into_iter().collect();
            return judge(values, rest);
        }
        if let Some(rest) = line.strip_prefix("body ") {
            return judge(vec![String::from_utf8_lossy(&answer.answer.body).into_owned()], rest);
        }
        if let Some(rest) = line.strip_prefix("json ") {
            let (pointer, rest) = rest.split_once(' ').ok_or("json POINTER = JSON")?;
            let values = answer.json(pointer).map(|value| value.to_string()).into_iter().collect();
            return judge(values, rest);
        }
        let end = verb(&line).ok_or("no such expectation")?;
        let (path, rest) = line.split_at(end);
        let (path, rest) = (path.trim(), rest.trim());
        if let Some(wanted) = rest.strip_prefix("names") {
            let found = answer.nodes(path)?;
            let names = found.first().map(|node| node.names()).ok_or("there is none")?;
            return equal(&names.join(" "), wanted.trim());
        }
        judge(answer.texts(path)?, rest)
    }
}

const SERVICE: &str = "http://schemas.microsoft.com/sharepoint/soap/";
const VERBS: [&str; 12] = [
    " = ",
    " != ",
    " starts ",
    " contains ",
    " lacks ",
    " absent",
    " present",
    " count ",
    " all ",
    " set ",
    " names",
    " =",
];

/// Where the path of an expectation ends.
fn verb(line: &str) -> Option<usize> {
    let path_end = line.rfind(']').filter(|end| line[..*end].contains('[')).map_or(0, |end| {
        // Only brackets of the path: those before the first verb outside of them.
        let first = VERBS.iter().filter_map(|verb| line.find(verb)).min().unwrap_or(end);
        if line[..first].matches('[').count() > line[..first].matches(']').count() {
            line.find(']').unwrap_or(0)
        } else {
            0
        }
    });
    VERBS.iter().filter_map(|verb| line[path_end..].find(verb).map(|at| at + path_end)).min()
}

fn equal(found: &str, wanted: &str) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("is {found:?}")) }
}

/// Holds values against `= TEXT` and the other forms.
fn judge(values: Vec<String>, rest: &str) -> Result<(), String> {
    let (verb, wanted) = rest.split_once(' ').unwrap_or((rest, ""));
    let first = values.first().map(String::as_str);
    let some = || first.ok_or_else(|| "there is none".to_owned());
    let holds = match verb {
        "=" => return equal(some()?, wanted),
        "!=" => some()? != wanted,
        "starts" => some()?.starts_with(wanted),
        "contains" => some()?.contains(wanted),
        "lacks" => !some()?.contains(wanted),
        "absent" => values.is_empty(),
        "present" => !values.is_empty(),
        "count" => return equal(&values.len().to_string(), wanted),
        "all" | "set" => {
            let mut wanted: Vec<_> =
                wanted.split('|').map(|one| one.trim().to_owned()).filter(|one| !one.is_empty()).collect();
            let mut values = values;
            if verb == "set" {
                wanted.sort();
                values.sort();
            }
            return if values == wanted { Ok(()) } else { Err(format!("are {values:?}")) };
        }
        other => return Err(format!("no such expectation: {other}")),
    };
    if holds { Ok(()) } else { Err(format!("is {values:?}")) }
}

fn soap(namespace: &str, body: &str) -> String {
    format!("<soap:Envelope xmlns:soap=\"{namespace}\"><soap:Body>{body}</soap:Body></soap:Envelope>")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(body: &str) -> Answered {
        let headers = vec![("content-type".to_owned(), "text/xml".to_owned())];
        Answered::new(Answer { status: 200, headers, body: body.as_bytes().to_vec() })
    }

    /// What holds and what does not, so that a transcript can fail.
    #[test]
    fn expectations_can_fail() {
        let answer = said("<a><b c='1/2'><d>x</d></b><b c='3'><d>y = z</d><e/></b></a>");
        let mut stage = Stage::new(TestServer::memory());
        for (line, holds) in [
            ("b/d = x", true),
            ("b/d = y", false),
            ("//d[2] = y = z", true),
            ("b[@c=1/2]/d = x", true),
            ("b[d=x]@c = 1/2", true),
            ("b[d=x]@c = 3", false),
            ("//d all x | y = z", true),
            ("//d set y = z | x", true),
            ("//d all y = z | x", false),
            ("//d count 2", true),
            ("//d count 3", false),
            ("b[2] names d e", true),
            ("b[2] names e d", false),
            ("//f absent", true),
            ("//d absent", false),
            ("//f present", false),
            ("//f = x", false),
            ("//d != x", false),
            ("//d starts y", false),
            ("//d contains x", true),
            ("//e =", true),
            ("header content-type = text/xml", true),
            ("header content-type absent", false),
            ("header accept absent", true),
            ("body lacks zzz", true),
            ("body contains zzz", false),
            ("//d is x", false),
            ("let one = //e", true),
            ("let none = //f", false),
        ] {
            assert_eq!(stage.expect(line, &answer).is_ok(), holds, "{line}");
        }
        stage.kept.insert("two".into(), "x".into());
        assert_eq!(stage.expect("b/d = {{two}}", &answer), Ok(()));
        assert!(stage.expect("b/d = {{three}}", &answer).is_err());
    }

    #[test]
    fn statuses_and_words_are_asked_for() {
        let mut checker = Checker::new();
        for (text, fault) in [
            ("", "says nothing"),
            ("Words\n\n", "asks nothing"),
            ("Words\n\n> http GET /nowhere as nobody\n< 200\n", "not < 200"),
            ("Words\n\n> http GET /nowhere as nobody\nbody lacks x\n", "not a status"),
            ("Words\n\n> http GET /nowhere as eve\n< 200\n", "nobody is called eve"),
            ("Words\n\nbody lacks x\n", "before an answer"),
        ] {
            let outcome = run(text, &mut checker);
            assert!(outcome.as_ref().is_err_and(|said| said.contains(fault)), "{text:?}: {outcome:?}");
        }
        assert_eq!(run("Words\n\n> http GET /EWS/Exchange.asmx as nobody\n< 401\n", &mut checker), Ok(()));
    }
}
