//! Bad input over HTTP: the answer is a fault or a response of the protocol, the server answers on, and nothing that
//! is stored has changed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test")]

use base64::{Engine as _, engine::general_purpose::STANDARD};
use model::Time;
use testkit::{
    ews::{
        self, Ews, FolderEntry, ItemAsk, distinguished, envelope, folder_id, item_id, responses, sync_items_request,
    },
    http::Answer,
    lists::{ListAsk, Lists, method},
    schema::Checker,
    server::{ANNA, BERT, STORES, StoreKind, TestServer},
    stream::Stream,
    tree::{Reach, Tree, escape, meaning},
};

const LIST: &str = "Things";
const DAY: i64 = 86_400;
/// Levels of elements that nobody sends in earnest.
const LEVELS: usize = 10_000;

/// A mailbox and a list with something in them.
struct Stage {
    server: TestServer,
    ews: Ews,
    lists: Lists,
    item: String,
    inbox: String,
    guid: String,
}

fn stage(kind: StoreKind) -> Stage {
    let server = TestServer::at(kind, Time::from_date(2020, 2, 3));
    let (ews, lists) = (server.ews(ANNA), server.lists(ANNA));
    let item = ews.create_message(&distinguished("inbox"), "Kept");
    ews.set_importance(&item, "High").unwrap();
    ews.create_folder(&distinguished("inbox"), "Kept").unwrap();
    let guid = lists.add(LIST, 104);
    lists.create(LIST, &[("Title", "Kept"), ("Body", "<p>kept</p>")]);
    let inbox = ews.folder(&distinguished("inbox"));
    Stage { server, ews, lists, item, inbox, guid }
}

impl Stage {
    /// Everything that the mailbox and the list hold.
    fn dump(&self) -> String {
        let mut dump = String::new();
        for entry in self.ews.sync_folders(None, None).unwrap().entries {
            let FolderEntry::Create(id, folder) = entry else { panic!("{entry:?}") };
            dump += &format!("{id} {folder:?}\n");
            let ask = ItemAsk { folder: &folder_id(&id), state: None, ignore: &[], changes_max: 512, associated: true };
            let answer = self.ews.call(&sync_items_request(&ask, "<t:BaseShape>AllProperties</t:BaseShape>"));
            if let Some(changes) = responses(&answer)[0].find("Changes") {
                dump += &meaning(changes);
            }
        }
        let ask = ListAsk { list: LIST, fields: Some("<ViewFields xmlns=''/>"), ..ListAsk::default() };
        let answer = self.lists.call("GetListItemChangesSinceToken", &ask.request("GetListItemChangesSinceToken"));
        let listitems = answer.payload().at("GetListItemChangesSinceTokenResult/listitems");
        dump + &meaning(listitems.at("Changes/List")) + &meaning(listitems.at("data"))
    }

    /// Runs `cases` and asserts that all is as it was.
    fn unchanged(&self, cases: impl FnOnce(&Self)) {
        let before = self.dump();
        cases(self);
        let after = self.dump();
        let differing = before.lines().zip(after.lines()).find(|(before, after)| before != after);
        assert!(before == after, "something has changed: {differing:?}");
    }

    fn post(&self, surface: Surface, body: impl Into<Vec<u8>>) -> Answer {
        let (path, kind) = match surface {
            Surface::Ews => (ews::PATH.to_owned(), "text/xml; charset=utf-8"),
            Surface::Lists => (self.lists.path(), "text/xml; charset=utf-8"),
            Surface::Rest => (
                "/sites/team/_api/web/lists/getbytitle('Things')/GetListItemChangesSinceToken".to_owned(),
                "application/json",
            ),
        };
        self.ews.http().send("POST", &path, &[("content-type", kind)], body)
    }

    /// Posts and asserts that the answer speaks the protocol and reports a failure; returns its code, "" where none is
    /// given.
    fn refused(&self, surface: Surface, name: &str, body: impl Into<Vec<u8>>) -> String {
        let answer = self.post(surface, body);
        let code = spoken(surface, &answer).unwrap_or_else(|| panic!("{name}: no failure: {}", answer.text()));
        self.ews.folder(&distinguished("inbox"));
        code
    }
}

/// What is posted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Surface {
    Ews,
    Lists,
    Rest,
}

const SOAP: [Surface; 2] = [Surface::Ews, Surface::Lists];

/// The failure that an answer reports, none for success. Panics where it does not speak the protocol.
fn spoken(surface: Surface, answer: &Answer) -> Option<String> {
    if surface == Surface::Rest {
        if answer.status == 200 {
            Tree::parse(answer.text());
            return None;
        }
        assert!((400..500).contains(&answer.status), "{}: {}", answer.status, answer.text());
        let json = answer.json();
        let error = json.get("error").or_else(|| json.get("odata.error")).unwrap_or_else(|| panic!("{json}"));
        return Some(error["code"].as_str().unwrap().to_owned());
    }
    let tree = Tree::parse(answer.text());
    let Some(fault) = tree.fault() else {
        assert_eq!(answer.status, 200, "{tree:?}");
        if surface == Surface::Lists {
            return None;
        }
        let failed = |response: &&xml::Node<'_>| response.attribute("ResponseClass") == Some("Error");
        return responses(&tree).iter().find(failed).map(|response| response.value("ResponseCode").unwrap());
    };
    // What is no request at all may be answered by 400, with the fault in the body.
    let of_client = fault.value("faultcode").is_some_and(|code| code.ends_with(":Client"));
    assert!(answer.status == 500 || (answer.status == 400 && of_client), "{}: {tree:?}", answer.status);
    assert!(fault.value("faultstring").is_some_and(|text| !text.is_empty()), "{tree:?}");
    let faultcode = fault.value("faultcode").unwrap_or_default();
    if faultcode.ends_with(":VersionMismatch") || faultcode.ends_with(":MustUnderstand") {
        return Some(faultcode);
    }
    match surface {
        Surface::Ews => {
            let code = fault.value("detail/ResponseCode").unwrap_or_else(|| panic!("{tree:?}"));
            assert!(code.starts_with("Error"), "{tree:?}");
            Some(code)
        }
        Surface::Lists | Surface::Rest => {
            assert!(of_client || fault.find("detail/errorstring").is_some(), "{tree:?}");
            Some(fault.value("detail/errorcode").unwrap_or_default())
        }
    }
}

/// A good request of a surface, to be damaged.
fn good(surface: Surface) -> String {
    match surface {
        Surface::Ews => envelope(
            "<m:GetFolder><m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape><m:FolderIds>\
             <t:DistinguishedFolderId Id=\"inbox\"/></m:FolderIds></m:GetFolder>",
        ),
        Surface::Lists => soap_envelope(&ListAsk { list: LIST, ..ListAsk::default() }.request("GetList")),
        Surface::Rest => "{\"query\":{}}".to_owned(),
    }
}

fn soap_envelope(request: &str) -> String {
    format!(
        "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body>{request}</soap:Body>\
         </soap:Envelope>"
    )
}

fn sync(folder: &str, state: Option<&str>) -> String {
    let ask = ItemAsk { folder, state, ignore: &[], changes_max: 10, associated: false };
    sync_items_request(&ask, "<t:BaseShape>IdOnly</t:BaseShape>")
}

#[test]
fn broken_documents() {
    let stage = stage(STORES[0]);
    stage.unchanged(|stage| {
        for surface in SOAP {
            let good = good(surface);
            assert_eq!(spoken(surface, &stage.post(surface, good.as_str())), None);
            for cut in (0..good.len()).step_by(7) {
                stage.refused(surface, "cut", &good[..cut]);
            }
            let deep = |open: &str, close: &str| {
                let deep = open.repeat(LEVELS) + &close.repeat(LEVELS);
                good.replacen("Body>", &format!("Body>{deep}"), 1)
            };
            let entities = (1..20).fold("<!ENTITY e0 'ha'>".to_owned(), |all, level| {
                all + &format!("<!ENTITY e{level} '{}'>", format!("&e{};", level - 1).repeat(10))
            });
            let declared = |declaration: &str| match good.split_once("?>") {
                Some((_, rest)) => format!("{declaration}{rest}"),
                None => format!("{declaration}{good}"),
            };
            let header = "<soap:Header>".to_owned() + &"<a>".repeat(LEVELS) + &"</a>".repeat(LEVELS) + "</soap:Header>";
            for (name, body) in [
                ("nothing", String::new()),
                ("no markup", "hello".to_owned()),
                ("another language", "{\"a\": 1}".to_owned()),
                ("two roots", good.clone() + "<a/>"),
                ("text behind", good.clone() + "x"),
                ("mismatched tags", good.replacen("</soap:Body>", "</soap:Bod>", 1)),
                ("an undeclared prefix", good.replacen("<soap:Body>", "<soap:Body><nobody:x/>", 1)),
                ("an unknown entity", good.replacen("<soap:Body>", "<soap:Body>&nothing;", 1)),
                ("a forbidden character", good.replacen("<soap:Body>", "<soap:Body>\u{1}", 1)),
                ("a reference to one", good.replacen("<soap:Body>", "<soap:Body>&#1;", 1)),
                ("a DOCTYPE", declared("<!DOCTYPE a>")),
                ("an external entity", declared("<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>")),
                ("a parameter entity", declared("<!DOCTYPE a [<!ENTITY % x SYSTEM 'http://127.0.0.1/'> %x;]>")),
                ("an entity bomb", declared(&format!("<!DOCTYPE a [{entities}]>")).replacen("Body>", "Body>&e19;", 1)),
                ("deep elements", deep("<a>", "</a>")),
                ("deep elements left open", deep("<a>", "")),
                ("deep elements in the header", good.replacen("<soap:Body>", &format!("{header}<soap:Body>"), 1)),
                ("the envelope of nobody", good.replace("http://schemas.xmlsoap.org/soap/envelope/", "urn:nobody")),
                ("no envelope", "<a/>".to_owned()),
                ("an empty envelope", "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'/>".to_owned()),
                ("an empty body", soap_envelope("")),
                ("an operation of no namespace", soap_envelope("<GetFolder/>")),
                ("an operation of another namespace", soap_envelope("<GetList xmlns='urn:nobody'/>")),
                (
                    "an unknown operation",
                    soap_envelope(
                        "<x:Nothing xmlns:x='http://schemas.microsoft.com/exchange/services/2006/messages'/>",
                    ),
                ),
                (
                    "an unknown operation",
                    soap_envelope("<Nothing xmlns='http://schemas.microsoft.com/sharepoint/soap/'/>"),
                ),
            ] {
                stage.refused(surface, name, body);
            }
            let bytes = good.clone().into_bytes();
            let at = good.find("Body>").unwrap() + 5;
            let with = |insert: &[u8]| [&bytes[..at], insert, &bytes[at..]].concat();
            for (name, body) in [
                ("bytes that are not UTF-8", with(&[0xff, 0xfe, 0xc0])),
                ("a lone surrogate", with(&[0xed, 0xa0, 0x80])),
                ("a zero byte", with(&[0])),
                ("half a character at the end", [&bytes[..], &[0xc3]].concat()),
                ("zeros", vec![0; 1_000]),
            ] {
                stage.refused(surface, name, body);
            }
        }
        // What an attacker's code would find out must not depend on which operation is unknown.
        let unknown =
            soap_envelope("<m:Nothing xmlns:m='http://schemas.microsoft.com/exchange/services/2006/messages'/>");
        let code = stage.refused(Surface::Ews, "an unknown operation", unknown);
        for misleading in ["ErrorInvalidRequest", "ErrorInvalidServerVersion", "ErrorIncorrectSchemaVersion"] {
            assert_ne!(code, misleading);
        }
        spoken(Surface::Rest, &stage.post(Surface::Rest, ""));
        for (name, body) in [
            ("no JSON", "hello".to_owned()),
            ("half of it", "{\"query\":{\"Query\":\"".to_owned()),
            ("an array", "[]".to_owned()),
            ("a number", "7".to_owned()),
            ("numbers for texts", "{\"query\":{\"Query\":7,\"ChangeToken\":[]}}".to_owned()),
            ("deep arrays", "[".repeat(100_000)),
            ("deep objects", "{\"query\":".repeat(LEVELS)),
            ("broken XML inside", "{\"query\":{\"Query\":\"<Query><Where>\"}}".to_owned()),
            ("a DOCTYPE inside", "{\"query\":{\"Query\":\"<!DOCTYPE a><Query/>\"}}".to_owned()),
            ("garbage for a token", "{\"query\":{\"ChangeToken\":\"garbage\"}}".to_owned()),
        ] {
            stage.refused(Surface::Rest, name, body);
        }
        stage.refused(Surface::Rest, "bytes that are not UTF-8", vec![b'{', b'"', 0xff, 0xc0, b'"', b':', b'1', b'}']);
    });
}

#[test]
fn wrong_requests() {
    let stage = stage(STORES[0]);
    let inbox = distinguished("inbox");
    stage.unchanged(|stage| {
        let request = sync(&inbox, None);
        for wrong in ["0", "513", "abc", "-1", "", " ", "1.5", "99999999999999999999", "0x10"] {
            let body = envelope(&request.replace(">10<", &format!(">{wrong}<")));
            assert_eq!(stage.refused(Surface::Ews, wrong, body), "ErrorSchemaValidation", "{wrong}");
        }
        let violated = [
            ("none", request.replace("<m:MaxChangesReturned>10</m:MaxChangesReturned>", "")),
            ("an unknown shape", request.replace("IdOnly", "Everything")),
            ("an unknown distinguished folder", request.replace("inbox", "nowhere")),
            ("an unknown element of a folder", request.replace("DistinguishedFolderId", "NobodysFolderId")),
        ];
        for (name, request) in violated {
            assert_eq!(stage.refused(Surface::Ews, name, envelope(&request)), "ErrorSchemaValidation", "{name}");
        }
        // Whether these are read over or refused, the answer is one of the protocol.
        let tolerable = [
            ("another namespace", request.replace("<m:MaxChangesReturned>10</m:", "<t:MaxChangesReturned>10</t:")),
            ("an unknown element", request.replace("<m:SyncFolderId>", "<m:Unknown/><m:SyncFolderId>")),
            ("another order", request.replace("<m:MaxChangesReturned>10</m:MaxChangesReturned>", "")
                .replace("<m:SyncFolderId>", "<m:MaxChangesReturned>10</m:MaxChangesReturned><m:SyncFolderId>")),
        ];
        for (_, request) in tolerable {
            spoken(Surface::Ews, &stage.post(Surface::Ews, envelope(&request)));
        }
        let version = envelope(&request).replace("Exchange2013_SP1", "Exchange3000");
        assert_eq!(stage.refused(Surface::Ews, "an unknown version", version), "ErrorInvalidServerVersion");
        let understand = envelope(&request)
            .replace("<soap:Header>", "<soap:Header><x:Y xmlns:x='urn:nobody' soap:mustUnderstand='1'/>");
        let answer = stage.post(Surface::Ews, understand);
        assert_eq!(answer.status, 500, "{}", answer.text());

        // The list service.
        let changes = |ask: &ListAsk<'_>| soap_envelope(&ask.request("GetListItemChangesSinceToken"));
        for list in ["Nothing", "{11111111-2222-3333-4444-555555555555}", "", &"x".repeat(100_000)] {
            for operation in ["GetList", "GetListItems", "GetListItemChangesSinceToken"] {
                let body = soap_envelope(&ListAsk { list, ..ListAsk::default() }.request(operation));
                assert_eq!(stage.refused(Surface::Lists, operation, body), "0x82000006", "{list:.20}");
            }
            let path = format!("web/lists/getbytitle('{}')/GetListItemChangesSinceToken", &list[..list.len().min(40)]);
            let answer = stage.lists.rest("POST", &path, &[], "{\"query\":{}}");
            assert_eq!(answer.status, 404, "{}", answer.text());
            spoken(Surface::Rest, &answer);
        }
        let nobody = "<UpdateListItems xmlns=\"http://schemas.microsoft.com/sharepoint/soap/\"><listName>Nothing</listName>\
                      <updates><Batch/></updates></UpdateListItems>";
        assert_eq!(stage.refused(Surface::Lists, "no such list", soap_envelope(nobody)), "0x82000006");
        for (name, ask) in [
            ("a row limit of letters", ListAsk { list: LIST, ..ListAsk::default() }.request("GetListItems").replace("</listName>", "</listName><rowLimit>abc</rowLimit>")),
            ("a query of nothing known", ListAsk { list: LIST, query: Some("<Query xmlns=''><Where><Nothing/></Where></Query>"), ..ListAsk::default() }.request("GetListItems")),
        ] {
            stage.refused(Surface::Lists, name, soap_envelope(&ask));
        }
        let deep = "<Not>".repeat(200) + &"</Not>".repeat(200);
        let wide = "<Or>".to_owned() + &"<Eq><FieldRef Name='Title'/><Value Type='Text'>x</Value></Eq>".repeat(5_000) + "</Or>";
        for conditions in [deep, wide] {
            let query = format!("<Query xmlns=''><Where>{conditions}</Where></Query>");
            let ask = ListAsk { list: LIST, query: Some(&query), ..ListAsk::default() };
            stage.refused(Surface::Lists, "too many conditions", changes(&ask));
        }
        for (name, methods, code) in [
            ("an unknown field", method("Update", Some(1), &[("Nothing", "x")]), "0x81020014"),
            ("no such row", method("Update", Some(99), &[("Title", "x")]), "0x81020016"),
            ("a date of letters", method("Update", Some(1), &[("Expires", "yesterday")]), "0x81020014"),
            ("an old version", method("Update", Some(1), &[("Title", "x"), ("owshiddenversion", "7")]), "0x81020015"),
        ] {
            assert_eq!(stage.lists.update(LIST, &methods)[0].code, code, "{name}");
        }
    });
}

#[test]
fn wrong_states_and_tokens() {
    for kind in STORES {
        let stage = stage(kind);
        let inbox = distinguished("inbox");
        let ask = |state: &str| {
            let state = Some(state);
            stage.ews.sync_items(&ItemAsk { folder: &inbox, state, ignore: &[], changes_max: 5, associated: false })
        };
        let first = ItemAsk { folder: &inbox, state: None, ignore: &[], changes_max: 5, associated: false };
        let state = stage.ews.sync_items(&first).unwrap().state;
        let folders = stage.ews.sync_folders(None, None).unwrap().state;
        let token = stage.lists.changes(&ListAsk { list: LIST, ..ListAsk::default() }).token;
        stage.unchanged(|stage| {
            let invalid = || Err("ErrorInvalidSyncStateData".to_owned());
            let bytes = STANDARD.decode(&state).unwrap();
            for cut in 0..bytes.len() {
                if cut > 0 {
                    assert_eq!(ask(&STANDARD.encode(&bytes[..cut])), invalid(), "cut at {cut}");
                }
                let mut damaged = bytes.clone();
                damaged[cut] ^= 0x10;
                assert_eq!(ask(&STANDARD.encode(damaged)), invalid(), "damaged at {cut}");
            }
            let longer = STANDARD.encode([&bytes[..], &[0]].concat());
            let huge = "A".repeat(1 << 20);
            let foreign = stage.server.ews(BERT).sync_items(&first).unwrap().state;
            for wrong in [&longer, &huge, &foreign, &folders, "====", "{}", " x "] {
                assert_eq!(ask(wrong), invalid(), "{wrong:.60}");
                let hierarchy = stage.ews.sync_folders(None, Some(wrong));
                if wrong != folders {
                    assert_eq!(hierarchy, Err("ErrorInvalidSyncStateData".to_owned()), "{wrong:.60}");
                }
            }
            // Garbage is a fault without a code; what is well-formed and cannot be served makes the client start anew.
            let fields: Vec<_> = token.split(';').collect();
            let with = |place: usize, value: &str| {
                let mut fields = fields.clone();
                fields[place] = value;
                fields.join(";")
            };
            let ask = |token: &str| {
                ListAsk { list: LIST, token: Some(token), ..ListAsk::default() }.request("GetListItemChangesSinceToken")
            };
            let garbage = [
                "x".to_owned(),
                ";;;;".to_owned(),
                "1;3".to_owned(),
                token.clone() + ";1",
                with(0, "2"),
                with(2, "nobody"),
                with(3, "soon"),
                with(4, "many"),
                with(4, "99999999999999999999999"),
                "9".repeat(100_000),
            ];
            for garbage in garbage {
                let code =
                    stage.refused(Surface::Lists, &garbage[..garbage.len().min(60)], soap_envelope(&ask(&garbage)));
                assert_eq!(code, "", "{garbage:.60}");
            }
            let unserved =
                [with(2, "11111111-2222-3333-4444-555555555555"), with(4, "999999999"), with(3, "739000000000000000")];
            for unserved in unserved {
                let page = stage.lists.changes(&ListAsk { list: LIST, token: Some(&unserved), ..ListAsk::default() });
                assert_eq!(page.ids, [("InvalidToken".to_owned(), None)], "{unserved}");
            }
        });
        // Past the retention a deletion is forgotten: what is older than that cannot be served any more.
        stage.ews.delete(&stage.item, "HardDelete").unwrap();
        let row = stage.lists.create(LIST, &[("Title", "x")]);
        stage.lists.update(LIST, &method("Delete", Some(testkit::lists::number(&row)), &[]));
        assert!(ask(&state).is_ok());
        stage.server.advance(61 * DAY);
        stage.server.trim();
        assert_eq!(ask(&state), Err("ErrorInvalidSyncStateData".to_owned()));
        let page = stage.lists.changes(&ListAsk { list: LIST, token: Some(&token), ..ListAsk::default() });
        assert_eq!(page.ids, [("InvalidToken".to_owned(), None)]);
        // Starting anew helps.
        let state = stage.ews.sync_items(&first).unwrap().state;
        assert!(ask(&state).unwrap().entries.is_empty());
        assert!(!stage.guid.is_empty());
    }
}

#[test]
fn wrong_ids() {
    let stage = stage(STORES[0]);
    stage.unchanged(|stage| {
        let bytes = STANDARD.decode(&stage.item).unwrap();
        let mut wrong: Vec<String> = ["", " ", "x", "====", "AAAA", "AQ=="].into_iter().map(str::to_owned).collect();
        wrong.push("A".repeat(513));
        wrong.push("A".repeat(1 << 20));
        wrong.push(STANDARD.encode([1, 0, 0, 255].repeat(90)));
        wrong.push(STANDARD.encode([&bytes[..], &[9]].concat()));
        wrong.push(STANDARD.encode(&bytes[..bytes.len() - 1]));
        wrong.push(stage.inbox.clone());
        // Flags, padding and the folder do not name an item.
        let naming = |at: &usize| !matches!(at, 43..=46 | 81..=88 | 111..);
        for at in (0..bytes.len()).filter(naming).step_by(2) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x40;
            wrong.push(STANDARD.encode(damaged));
        }
        let data = Stream::message("IPM.Note", "x").data();
        for wrong in &wrong {
            let item = item_id(wrong);
            let folder = folder_id(wrong);
            let attribute = escape(wrong);
            let shape = "<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>";
            for request in [
                format!("<m:GetItem>{shape}<m:ItemIds>{item}</m:ItemIds></m:GetItem>"),
                format!("<m:ExportItems><m:ItemIds>{item}</m:ItemIds></m:ExportItems>"),
                format!("<m:DeleteItem DeleteType=\"HardDelete\"><m:ItemIds>{item}</m:ItemIds></m:DeleteItem>"),
                format!(
                    "<m:CopyItem><m:ToFolderId>{}</m:ToFolderId><m:ItemIds>{item}</m:ItemIds></m:CopyItem>",
                    distinguished("inbox")
                ),
                format!(
                    "<m:UploadItems><m:Items><t:Item CreateAction=\"Update\"><t:ParentFolderId Id=\"{}\"/>{item}\
                     <t:Data>{data}</t:Data></t:Item></m:Items></m:UploadItems>",
                    stage.inbox
                ),
            ] {
                let answer = stage.post(Surface::Ews, envelope(&request));
                let code = spoken(Surface::Ews, &answer);
                assert!(code.is_some_and(|code| code != "ErrorInternalServerError"), "{wrong:.80}: {}", answer.text());
            }
            if *wrong == stage.inbox {
                continue;
            }
            for request in [
                sync(&folder, None),
                format!(
                    "<m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape><m:FolderIds>{folder}\
                     </m:FolderIds></m:GetFolder>"
                ),
                format!(
                    "<m:DeleteFolder DeleteType=\"HardDelete\"><m:FolderIds>{folder}</m:FolderIds></m:DeleteFolder>"
                ),
                format!(
                    "<m:UploadItems><m:Items><t:Item CreateAction=\"CreateNew\"><t:ParentFolderId Id=\"{attribute}\"/>\
                     <t:Data>{data}</t:Data></t:Item></m:Items></m:UploadItems>"
                ),
            ] {
                let answer = stage.post(Surface::Ews, envelope(&request));
                let code = spoken(Surface::Ews, &answer);
                assert!(code.is_some_and(|code| code != "ErrorInternalServerError"), "{wrong:.80}: {}", answer.text());
            }
        }
    });
}

#[test]
fn damaged_streams() {
    for kind in STORES {
        let stage = stage(kind);
        let good = Stream::message("IPM.Note", "Cut")
            .text(0x1000, "Body")
            .recipients_follow()
            .recipient(0, "Bob", "bob@example.com")
            .attachments_follow()
            .file(0, "a.txt", b"content");
        stage.unchanged(|stage| {
            let payload = good.payload();
            let cuts: Vec<_> = (0..payload.len()).map(|cut| STANDARD.encode(&payload[..cut])).collect();
            for (batch, data) in cuts.chunks(100).enumerate() {
                for (cut, outcome) in stage.ews.upload(&stage.inbox, false, data).into_iter().enumerate() {
                    let code = outcome.expect_err(&format!("cut at {}", batch * 100 + cut));
                    assert_eq!(code, "ErrorCorruptData", "cut at {}", batch * 100 + cut);
                }
            }
            // The records whole, what is inside them cut: properties that end in the middle.
            for text in ["!!!!", "AAA", "A===", "\u{e4}"] {
                let request = format!(
                    "<m:UploadItems><m:Items><t:Item CreateAction=\"CreateNew\"><t:ParentFolderId Id=\"{}\"/>\
                     <t:Data>{text}</t:Data></t:Item></m:Items></m:UploadItems>",
                    stage.inbox
                );
                let code = stage.refused(Surface::Ews, "text that is not base64", envelope(&request));
                assert_eq!(code, "ErrorSchemaValidation", "{text}");
            }
        });
        // Whatever one byte becomes, the server goes on; some of these are good messages.
        let bert = stage.server.ews(BERT);
        let inbox = bert.folder(&distinguished("inbox"));
        let payload = good.payload();
        let damaged: Vec<_> = (0..payload.len())
            .step_by(if kind == STORES[0] { 1 } else { 11 })
            .map(|at| {
                let mut damaged = payload.clone();
                damaged[at] ^= 0x81;
                STANDARD.encode(damaged)
            })
            .collect();
        for batch in damaged.chunks(100) {
            for outcome in bert.upload(&inbox, false, batch) {
                assert_ne!(outcome, Err("ErrorInternalServerError".to_owned()));
            }
        }
        // And whatever was stored can be read again.
        bert.read_items(&distinguished("inbox"), "Shallow");
    }
}

/// Characters that XML 1.0 cannot hold come in by other ways; they must not come out.
#[test]
fn control_characters_never_reach_an_answer() {
    let stage = stage(STORES[0]);
    let mut checker = Checker::new();
    let subject = "a\u{1}b\u{b}c\u{1f}d\u{fffe}e\u{9}f";
    let data = Stream::message("IPM.Note", subject)
        .text(0x1000, "x\u{2}y")
        .recipients_follow()
        .recipient(0, "B\u{3}ob", "bob@example.com")
        .attachments_follow()
        .file(0, "a\u{4}.txt", b"content")
        .data();
    let id = stage.ews.upload(&stage.inbox, false, &[data]).remove(0).unwrap();
    let mime = STANDARD.encode("Subject: =?utf-8?Q?a=01b?=\r\nFrom: \"x\u{1}\" <x@example.com>\r\n\r\nBody \u{1}\r\n");
    let imported = stage.ews.create_mime(&distinguished("inbox"), &mime).unwrap();
    let clean = |answer: &Answer| {
        let control =
            |character: char| (character < ' ' && !matches!(character, '\t' | '\n' | '\r')) || character == '\u{fffe}';
        assert!(!answer.text().contains(control), "{}", answer.text());
        assert!(!answer.text().contains("&#1;") && !answer.text().contains("&#x1;"), "{}", answer.text());
        Tree::parse(answer.text())
    };
    let all = "<t:BaseShape>AllProperties</t:BaseShape>";
    for id in [&id, &imported] {
        let request =
            format!("<m:GetItem><m:ItemShape>{all}</m:ItemShape><m:ItemIds>{}</m:ItemIds></m:GetItem>", item_id(id));
        let tree = clean(&stage.ews.post(&envelope(&request)));
        checker.ews(&tree);
        assert_eq!(ews::code(&tree), "NoError");
    }
    let ask = ItemAsk { folder: &distinguished("inbox"), state: None, ignore: &[], changes_max: 5, associated: false };
    checker.ews(&clean(&stage.ews.post(&envelope(&sync_items_request(&ask, all)))));
    let created = stage.lists.rest(
        "POST",
        &format!("web/lists/getbytitle('{LIST}')/items"),
        &[],
        "{\"Title\":\"a\\u0001b\\u000bc\\u001fd\"}",
    );
    assert!(matches!(created.status, 201 | 400), "{}", created.text());
    let ask = ListAsk { list: LIST, ..ListAsk::default() };
    for operation in ["GetListItemChangesSinceToken", "GetListItems"] {
        checker.lists(&clean(&stage.lists.post(operation, &soap_envelope(&ask.request(operation)))));
    }
    let rest = stage.lists.rest("GET", &format!("web/lists/getbytitle('{LIST}')/items"), &[], "");
    assert_eq!(rest.status, 200);
    rest.json();
    checker.finish();
}

/// 200 MB are refused before they are read.
#[test]
fn an_enormous_body_is_refused_early() {
    const ENORMOUS: usize = 200_000_000;
    const TAKEN_MAX: usize = 100_000_000;
    let stage = stage(STORES[0]);
    let authorization = stage.ews.http().authorization().unwrap().to_owned();
    stage.unchanged(|stage| {
        for path in [ews::PATH.to_owned(), stage.lists.path(), "/sites/team/_api/contextinfo".to_owned()] {
            for length in [format!("Content-Length: {ENORMOUS}"), "Transfer-Encoding: chunked".to_owned()] {
                let chunked = length.starts_with("Transfer");
                let chunk = if chunked { format!("{ENORMOUS:x}\r\n") } else { String::new() };
                let head = format!(
                    "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\nContent-Type: text/xml\r\n\
                     {length}\r\nConnection: close\r\n\r\n{chunk}"
                );
                let (answer, taken) = stage.ews.http().pour(&head, b' ', ENORMOUS);
                assert!(taken < TAKEN_MAX, "{path} {length}: {taken} bytes were taken");
                assert!(
                    answer.is_empty() || answer.starts_with("HTTP/1.1 413") || answer.starts_with("HTTP/1.1 500"),
                    "{answer:.200}"
                );
                stage.ews.folder(&distinguished("inbox"));
            }
        }
        // Without a login nothing of it is wanted.
        let head = format!("POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: {ENORMOUS}\r\n\r\n", ews::PATH);
        let (answer, taken) = stage.ews.http().pour(&head, b' ', ENORMOUS);
        assert!(
            taken < TAKEN_MAX && (answer.is_empty() || answer.starts_with("HTTP/1.1 401")),
            "{taken} {answer:.200}"
        );
    });
}
