//! A mailbox behind the front door of the EWS adapter, over a store in memory.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use engine::{Caller, Engine, NewAccount};
use ews::Ews;
use http_body_util::BodyExt as _;
use model::{FixedClock, SeededRandom, Time};
use store::memory::MemoryStore;
use xml::{Document, Limits};

/// One account of one server.
pub struct Mailbox {
    ews: Ews,
    caller: Caller,
}

impl std::fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailbox").finish_non_exhaustive()
    }
}

impl Default for Mailbox {
    fn default() -> Self {
        Self::new()
    }
}

/// Runs a future that never waits for anything outside.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

impl Mailbox {
    /// An empty one.
    pub fn new() -> Self {
        Self::with_settings(ews::Settings::default())
    }

    /// An empty one of a service that is set so.
    pub fn with_settings(settings: ews::Settings) -> Self {
        let clock = Arc::new(FixedClock::new("2024-05-06T07:08:09Z".parse::<Time>().unwrap()));
        let random = Arc::new(SeededRandom::new(7));
        let engine =
            block_on(Engine::open(Arc::new(MemoryStore::new(1)), clock, random, engine::Settings::default())).unwrap();
        let account =
            NewAccount { address: "ann@example.com".into(), display_name: "Ann".into(), password_hash: "x".into() };
        let caller = block_on(engine.directory().add_account(account)).unwrap().caller;
        Self { ews: Ews { engine, settings }, caller }
    }

    /// Sends bytes as the body of a request; answers status and body.
    pub fn send(&self, body: Vec<u8>) -> (u16, String) {
        let request = http::Request::post("/ews/exchange.asmx").body(Bytes::from(body)).unwrap();
        let response = block_on(self.ews.handle(&self.caller, request));
        let status = response.status().as_u16();
        let body = block_on(response.into_body().collect()).unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    /// Sends an operation in an envelope; `m` is the default namespace and `t` is declared.
    pub fn call(&self, operation: &str) -> (u16, String) {
        self.send(
            format!(
                "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
                 xmlns:t=\"http://schemas.microsoft.com/exchange/services/2006/types\" \
                 xmlns=\"http://schemas.microsoft.com/exchange/services/2006/messages\"><s:Header>\
                 <t:RequestServerVersion Version=\"Exchange2016\"/></s:Header><s:Body>{operation}</s:Body></s:Envelope>"
            )
            .into_bytes(),
        )
    }

    /// The id of a distinguished folder.
    pub fn folder(&self, name: &str) -> String {
        let (_, answer) = self.call(&format!(
            "<GetFolder><FolderShape><t:BaseShape>IdOnly</t:BaseShape></FolderShape><FolderIds>\
             <t:DistinguishedFolderId Id=\"{name}\"/></FolderIds></GetFolder>"
        ));
        attributes(&answer, "FolderId", "Id").remove(0)
    }

    /// Uploads payloads: each as (action and more attributes, folder, item to replace, payload). Answers code and id.
    pub fn upload(&self, entries: &[(&str, &str, Option<&str>, &[u8])]) -> Vec<(String, String)> {
        let items: String = entries
            .iter()
            .map(|(attributes, folder, item, payload)| {
                let item = item.map(|id| format!("<t:ItemId Id=\"{id}\"/>")).unwrap_or_default();
                let data = STANDARD.encode(payload);
                format!(
                    "<t:Item {attributes}><t:ParentFolderId Id=\"{folder}\"/>{item}<t:Data>{data}</t:Data></t:Item>"
                )
            })
            .collect();
        let (_, answer) = self.call(&format!("<UploadItems><Items>{items}</Items></UploadItems>"));
        let mut ids = attributes(&answer, "ItemId", "Id").into_iter();
        let codes = texts(&answer, "ResponseCode").into_iter();
        codes.map(|code| if code == "NoError" { (code, ids.next().unwrap()) } else { (code, String::new()) }).collect()
    }

    /// Exports items: code and payload of each.
    pub fn export(&self, ids: &[&str]) -> Vec<(String, Vec<u8>)> {
        let asked: String = ids.iter().map(|id| format!("<t:ItemId Id=\"{id}\"/>")).collect();
        let (_, answer) = self.call(&format!("<ExportItems><ItemIds>{asked}</ItemIds></ExportItems>"));
        let mut data = texts(&answer, "Data").into_iter();
        let codes = texts(&answer, "ResponseCode").into_iter();
        codes
            .map(|code| {
                let payload =
                    if code == "NoError" { STANDARD.decode(data.next().unwrap()).unwrap() } else { Vec::new() };
                (code, payload)
            })
            .collect()
    }

    /// The whole answer of `GetItem` with all properties.
    pub fn get(&self, id: &str) -> String {
        let (status, answer) = self.call(&format!(
            "<GetItem><ItemShape><t:BaseShape>AllProperties</t:BaseShape></ItemShape><ItemIds>\
             <t:ItemId Id=\"{id}\"/></ItemIds></GetItem>"
        ));
        assert_eq!(status, 200, "{answer}");
        answer
    }
}

const LIMITS: Limits = Limits { bytes_max: usize::MAX, ..Limits::DEFAULT };

fn nodes<T>(answer: &str, element: &str, read: impl Fn(xml::Node<'_>) -> T) -> Vec<T> {
    let document = Document::parse(answer.as_bytes(), &LIMITS).unwrap();
    let mut found = Vec::new();
    let mut open = vec![document.root()];
    while let Some(node) = open.pop() {
        if node.local() == element {
            found.push(read(node));
        }
        let children: Vec<_> = node.children().collect();
        open.extend(children.into_iter().rev());
    }
    found
}

/// The texts of all elements of that local name, in document order.
pub fn texts(answer: &str, element: &str) -> Vec<String> {
    nodes(answer, element, |node| node.text().into_owned())
}

/// An attribute of all elements of that local name, in document order.
pub fn attributes(answer: &str, element: &str, attribute: &str) -> Vec<String> {
    nodes(answer, element, |node| node.attribute(attribute).unwrap_or_default().to_owned())
}
