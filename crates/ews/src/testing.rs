//! A small world for tests: an engine over a store in memory, one account, and envelopes sent through the front door.

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use bytes::Bytes;
use engine::{Caller, Engine, ItemView, Mailbox, MailboxName, NewAccount};
use http_body_util::BodyExt as _;
use model::{Bag, CollectionId, FixedClock, ItemContent, ItemFlags, SeededRandom, Time, Value, tags};
use store::faulty::Faulty;
use store::memory::MemoryStore;
use store::{Commit, ItemChange, Store, Write};
use xml::{Document, Limits};

use crate::{Ews, MESSAGES, TYPES, id};

/// One account on one server.
pub(crate) struct World {
    pub(crate) ews: Ews,
    pub(crate) caller: Caller,
    /// Answers that are no faults.
    answers: Mutex<Vec<String>>,
}

/// An answer.
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) xml: String,
}

/// Runs a future that never waits for anything outside.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::over(Arc::new(MemoryStore::new(1)))
    }

    /// A world over a store that fails where it is told to.
    pub(crate) fn faulty() -> (Self, Arc<Faulty<MemoryStore>>) {
        let store = Arc::new(Faulty::new(MemoryStore::new(1)));
        (Self::over(store.clone()), store)
    }

    fn over(store: Arc<dyn Store>) -> Self {
        let clock = Arc::new(FixedClock::new("2024-05-06T07:08:09Z".parse::<Time>().unwrap()));
        let random = Arc::new(SeededRandom::new(7));
        let engine = block_on(Engine::open(store, clock, random, engine::Settings::default())).unwrap();
        let account =
            NewAccount { address: "ann@example.com".into(), display_name: "Ann".into(), password_hash: "x".into() };
        let caller = block_on(engine.directory().add_account(account)).unwrap().caller;
        Self { ews: Ews::new(engine), caller, answers: Mutex::default() }
    }

    /// Another account on the same server, with the answers it gets.
    pub(crate) fn beside(&self, address: &str, name: &str) -> Self {
        let account = NewAccount { address: address.into(), display_name: name.into(), password_hash: "x".into() };
        let caller = block_on(self.ews.engine.directory().add_account(account)).unwrap().caller;
        Self { ews: self.ews.clone(), caller, answers: Mutex::default() }
    }

    pub(crate) fn mailbox(&self) -> Mailbox {
        block_on(self.ews.engine.open_mailbox(&self.caller, MailboxName::Own)).unwrap()
    }

    pub(crate) fn folder(&self, name: &str) -> CollectionId {
        block_on(async { self.mailbox().begin().await.unwrap().distinguished(name).await.unwrap() })
    }

    pub(crate) fn folder_id(&self, name: &str) -> String {
        id::folder_id(self.caller.mailbox_guid, self.folder(name))
    }

    /// Items of a folder that are not associated.
    pub(crate) fn count(&self, folder: &str) -> u64 {
        block_on(async { self.mailbox().begin().await.unwrap().collection(self.folder(folder)).await.unwrap().items })
    }

    /// The ids of the items of a folder, oldest first.
    pub(crate) fn ids(&self, folder: &str) -> Vec<String> {
        let answer = self.call(&format!(
            "<FindItem Traversal=\"Shallow\"><ItemShape><t:BaseShape>IdOnly</t:BaseShape></ItemShape><ParentFolderIds>\
             <t:DistinguishedFolderId Id=\"{folder}\"/></ParentFolderIds></FindItem>"
        ));
        let mut ids = answer.success().attributes("ItemId", "Id");
        ids.reverse();
        ids
    }

    /// An item with all that `GetItem` gives of it.
    pub(crate) fn get(&self, id: &str) -> Answered {
        let answer = self.call(&format!(
            "<GetItem><ItemShape><t:BaseShape>AllProperties</t:BaseShape><t:IncludeMimeContent>true</t:IncludeMimeContent>\
             <t:AdditionalProperties><t:ExtendedFieldURI PropertyTag=\"0x1081\" PropertyType=\"Integer\"/></t:AdditionalProperties>\
             </ItemShape><ItemIds><t:ItemId Id=\"{id}\"/></ItemIds></GetItem>"
        ));
        answer.success()
    }

    /// Stores a message and returns its id and change key.
    pub(crate) fn message(&self, folder: &str, subject: &str) -> (String, String) {
        self.item(folder, &[(tags::SUBJECT, Value::text(subject)), (tags::MESSAGE_CLASS, Value::text("IPM.Note"))])
    }

    pub(crate) fn item(&self, folder: &str, properties: &[(model::PropertyKey, Value)]) -> (String, String) {
        let bag: Bag = properties.iter().cloned().collect();
        let content = ItemContent { bag, ..ItemContent::default() };
        self.content(folder, content, ItemFlags::default())
    }

    pub(crate) fn content(&self, folder: &str, content: ItemContent, flags: ItemFlags) -> (String, String) {
        let row = block_on(self.mailbox().create_item(self.folder(folder), content, flags)).unwrap();
        let view = ItemView::new(&row).unwrap();
        let class = crate::class::of_item(view.bag().text(&tags::MESSAGE_CLASS).unwrap_or_default());
        let guid = self.caller.mailbox_guid;
        (id::item_id(guid, row.collection, row.item), id::change_key(class.object_type, guid, row.seq))
    }

    /// Damages what is stored of an item, behind the back of the engine.
    pub(crate) fn damage(&self, store: &dyn Store, id: &str) {
        let mapi::entry_id::EntryId::Message { item, .. } = id::parse(id).unwrap().entry else { panic!() };
        let roots = block_on(store.roots(None, 100)).unwrap().rows;
        let root = roots.iter().find(|root| root.guid == self.caller.mailbox_guid).unwrap();
        let mut commit = Commit::new(root.root, Time::from_unix(0));
        let bag = Some(Bytes::from_static(b"\xff damaged"));
        commit.writes.push(Write::UpdateItem(ItemChange { item, flags: None, bag, parts: Vec::new(), content: true }));
        block_on(store.commit(commit)).unwrap();
    }

    /// Adds another account.
    pub(crate) fn account(&self, address: &str) -> Caller {
        let new = NewAccount { address: address.into(), display_name: address.into(), password_hash: "x".into() };
        block_on(self.ews.engine.directory().add_account(new)).unwrap().caller
    }

    /// Sends a whole envelope.
    pub(crate) fn send(&self, envelope: &str) -> Answered {
        self.send_as(&self.caller, envelope)
    }

    /// Sends a whole envelope in the name of an account.
    pub(crate) fn send_as(&self, caller: &Caller, envelope: &str) -> Answered {
        let request = http::Request::post("/ews/exchange.asmx").body(Bytes::from(envelope.to_owned())).unwrap();
        self.send_request(caller, request)
    }

    /// Sends a request as it is.
    pub(crate) fn send_request(&self, caller: &Caller, request: http::Request<Bytes>) -> Answered {
        let response = block_on(self.ews.handle(caller, request));
        let status = response.status().as_u16();
        let body = block_on(response.into_body().collect()).unwrap().to_bytes();
        let xml = String::from_utf8(body.to_vec()).unwrap();
        Document::parse(xml.as_bytes(), &Limits::DEFAULT).unwrap();
        if status == 200 {
            self.answers.lock().unwrap().push(xml.clone());
        }
        Answered { status, xml }
    }

    /// Keeps an answer, to be checked against the published schema.
    pub(crate) fn keep(&self, xml: &str) {
        self.answers.lock().unwrap().push(xml.to_owned());
    }

    /// Sends a body at the latest version. `m` is the default namespace and `t` is declared.
    pub(crate) fn call(&self, body: &str) -> Answered {
        self.call_at("Exchange2016", body)
    }

    pub(crate) fn call_at(&self, version: &str, body: &str) -> Answered {
        self.send(&envelope(&format!("<t:RequestServerVersion Version=\"{version}\"/>"), body))
    }

    /// As [`Self::call`], in the name of an account.
    pub(crate) fn call_as(&self, caller: &Caller, body: &str) -> Answered {
        self.send_as(caller, &envelope("<t:RequestServerVersion Version=\"Exchange2016\"/>", body))
    }
}

/// An envelope with these header blocks.
pub(crate) fn envelope(header: &str, body: &str) -> String {
    format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:t=\"{TYPES}\" xmlns=\"{MESSAGES}\">\
         <s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    )
}

impl Answered {
    /// The text of the first element of that name.
    pub(crate) fn text(&self, element: &str) -> String {
        self.texts(element).into_iter().next().unwrap_or_else(|| panic!("no {element} in {}", self.xml))
    }

    /// The texts of all elements of that local name, in document order.
    pub(crate) fn texts(&self, element: &str) -> Vec<String> {
        let document = Document::parse(self.xml.as_bytes(), &Limits::DEFAULT).unwrap();
        let mut found = Vec::new();
        let mut open = vec![document.root()];
        while let Some(node) = open.pop() {
            if node.local() == element {
                found.push(node.text().into_owned());
            }
            let children: Vec<_> = node.children().collect();
            open.extend(children.into_iter().rev());
        }
        found
    }

    /// An attribute of all elements of that local name, in document order.
    pub(crate) fn attributes(&self, element: &str, attribute: &str) -> Vec<String> {
        let document = Document::parse(self.xml.as_bytes(), &Limits::DEFAULT).unwrap();
        let mut found = Vec::new();
        let mut open = vec![document.root()];
        while let Some(node) = open.pop() {
            if node.local() == element {
                found.push(node.attribute(attribute).unwrap_or_default().to_owned());
            }
            let children: Vec<_> = node.children().collect();
            open.extend(children.into_iter().rev());
        }
        found
    }

    /// The names of the elements inside the first element of that local name.
    pub(crate) fn children(&self, element: &str) -> Vec<String> {
        let document = Document::parse(self.xml.as_bytes(), &Limits::DEFAULT).unwrap();
        let mut open = vec![document.root()];
        while let Some(node) = open.pop() {
            let children: Vec<_> = node.children().collect();
            if node.local() == element {
                return children.iter().map(|child| child.local().to_owned()).collect();
            }
            open.extend(children.into_iter().rev());
        }
        panic!("no {element} in {}", self.xml)
    }

    /// All response codes.
    pub(crate) fn codes(&self) -> Vec<String> {
        self.texts("ResponseCode")
    }

    /// Asserts one success a message.
    pub(crate) fn success(self) -> Self {
        assert!(self.codes().iter().all(|code| code == "NoError") && !self.codes().is_empty(), "{}", self.xml);
        self.valid()
    }

    /// Asserts that it is no fault; its body is checked against the published schema when the world ends.
    pub(crate) fn valid(self) -> Self {
        assert_eq!(self.status, 200, "{}", self.xml);
        self
    }
}

/// The body of an answer with the elements in the published namespace that a stream has in that of its list.
fn as_published(body: &str) -> String {
    let mut body = body.to_owned();
    for (list, element) in [("m:Notifications", "Notification"), ("m:ErrorSubscriptionIds", "SubscriptionId")] {
        let mut done = String::new();
        while let Some((before, rest)) = body.split_once(&format!("<{list}>")) {
            let (inside, behind) = rest.split_once(&format!("</{list}>")).unwrap();
            let inside = inside.replace(&format!("m:{element}>"), &format!("t:{element}>"));
            done.push_str(&format!("{before}<{list}>{inside}</{list}>"));
            body = behind.to_owned();
        }
        body = done + &body;
    }
    body
}

/// Checks all answers but faults against the published schema, where it and `xmllint` are at hand.
impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let schema = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/schemas/ews/messages.xsd"));
        if !schema.exists() {
            eprintln!("skipped: no schema at {}", schema.display());
            return;
        }
        let answers = std::mem::take(&mut *self.answers.lock().unwrap());
        let name = format!("ews-{}-{:?}-{}", std::process::id(), std::thread::current().id(), self.caller.account);
        let directory = std::env::temp_dir().join(name.replace(['(', ')'], ""));
        std::fs::create_dir_all(&directory).unwrap();
        let mut files = Vec::new();
        for (number, xml) in answers.iter().enumerate() {
            // The element in the body declares what it needs.
            let (_, body) = xml.split_once("<s:Body>").or_else(|| xml.split_once("<Body>")).unwrap();
            let (body, _) = body.split_once("</s:Body>").or_else(|| body.split_once("</Body>")).unwrap();
            // Clients read these two in another namespace than the published one.
            let body = as_published(body);
            let file = directory.join(format!("{number}.xml"));
            std::fs::write(&file, body).unwrap();
            files.push(file);
        }
        if !files.is_empty() {
            match Command::new("xmllint")
                .args(["--noout", "--nonet", "--huge", "--schema"])
                .arg(&schema)
                .args(&files)
                .output()
            {
                Ok(output) => {
                    let errors: String = String::from_utf8_lossy(&output.stderr)
                        .lines()
                        .filter(|line| !line.ends_with(" validates"))
                        .map(|line| line.chars().take(500).collect::<String>() + "\n")
                        .collect();
                    let at = |number: usize| errors.contains(&format!("/{number}.xml:"));
                    let wrong: Vec<&String> =
                        answers.iter().enumerate().filter(|(number, _)| at(*number)).map(|(_, xml)| xml).collect();
                    assert!(output.status.success(), "{errors}\n{wrong:#?}");
                }
                Err(error) => eprintln!("skipped: no xmllint ({error})"),
            }
        }
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
