//! Requests through the adapter, over a store in memory.

mod attachments;
mod caml;
mod changes;
mod content_types;
mod field_types;
mod files;
mod indexes;
mod items;
mod lists;
mod recurrence;

use std::sync::Arc;

use bytes::Bytes;
use engine::{Caller, Engine, NewAccount, NewSite};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use model::{FixedClock, SeededRandom, Time};
use store::{Store, memory::MemoryStore};
use xml::{Document, Limits, Node};

use crate::{Call, Settings, SharePoint};

/// A server with one account and the site `/sites/team`.
pub(crate) struct Server {
    pub(crate) adapter: SharePoint,
    pub(crate) caller: Caller,
    pub(crate) clock: Arc<FixedClock>,
}

/// An answer with its text.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: String,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::over(Arc::new(MemoryStore::new(1))).await
    }

    /// The same over this store, which is empty.
    pub(crate) async fn over(store: Arc<dyn Store>) -> Self {
        let clock = Arc::new(FixedClock::new("2026-03-04T05:06:07Z".parse::<Time>().unwrap()));
        let random = Arc::new(SeededRandom::new(7));
        let engine = Engine::open(store, clock.clone(), random, engine::Settings::default()).await.unwrap();
        let account = NewAccount {
            address: "ann@example.org".into(),
            display_name: "Ann Example".into(),
            password_hash: "x".into(),
        };
        let caller = engine.directory().add_account(account).await.unwrap().caller;
        let site = NewSite { path: "/sites/team".into(), title: "Team".into(), owner: Some("ann@example.org".into()) };
        engine.directory().add_site(site).await.unwrap();
        Self { adapter: SharePoint { engine, settings: Settings::default() }, caller, clock }
    }

    /// The same server, used by somebody to whom the site does not belong.
    pub(crate) async fn as_guest(&self) -> Self {
        let account = NewAccount {
            address: "guest@example.org".into(),
            display_name: "Guest; of, honour".into(),
            password_hash: "x".into(),
        };
        let caller = self.adapter.engine.directory().add_account(account).await.unwrap().caller;
        Self { adapter: self.adapter.clone(), caller, clock: self.clock.clone() }
    }

    /// The same server, used by another account with this address.
    pub(crate) async fn as_another(&self, address: &str) -> Self {
        let account = NewAccount { address: address.into(), display_name: address.into(), password_hash: "x".into() };
        let caller = self.adapter.engine.directory().add_account(account).await.unwrap().caller;
        Self { adapter: self.adapter.clone(), caller, clock: self.clock.clone() }
    }

    pub(crate) fn call(&self) -> Call<'_> {
        Call { caller: &self.caller, site_path: "/sites/team", base_url: "http://h:8080" }
    }

    /// Sends a SOAP 1.1 request with this inside the body.
    pub(crate) async fn soap_to(&self, service: &str, body: &str) -> Reply {
        let envelope = format!(
            "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>{body}</s:Body></s:Envelope>"
        );
        let request = Request::post(format!("/sites/team/_vti_bin/{service}"))
            .header("content-type", "text/xml; charset=utf-8")
            .body(Bytes::from(envelope))
            .unwrap();
        Reply::read(self.adapter.soap(self.call(), request).await).await
    }

    /// Sends an operation of `lists.asmx` with these parameters; it must succeed.
    pub(crate) async fn lists(&self, operation: &str, parameters: &str) -> Reply {
        let reply = self.try_lists(operation, parameters).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
        reply
    }

    /// Sends an operation of `lists.asmx` with these parameters.
    pub(crate) async fn try_lists(&self, operation: &str, parameters: &str) -> Reply {
        let namespace = crate::soap::NAMESPACE;
        self.soap_to("lists.asmx", &format!("<{operation} xmlns=\"{namespace}\">{parameters}</{operation}>")).await
    }

    /// Sends methods in a batch to a list.
    pub(crate) async fn update(&self, list: &str, methods: &str) -> Reply {
        let parameters = format!("<listName>{list}</listName><updates><Batch>{methods}</Batch></updates>");
        self.lists("UpdateListItems", &parameters).await
    }

    /// Adds items with these titles.
    pub(crate) async fn add(&self, list: &str, titles: &[&str]) {
        let method =
            |title: &&str| format!("<Method ID=\"1\" Cmd=\"New\"><Field Name=\"Title\">{title}</Field></Method>");
        let reply = self.update(list, &titles.iter().map(method).collect::<String>()).await;
        assert!(reply.values("Result/ErrorCode").iter().all(|code| code == "0x00000000"), "{}", reply.body);
    }
}

impl Reply {
    pub(crate) async fn read(response: http::Response<crate::Body>) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Self { status: parts.status, headers: parts.headers, body: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    fn document(&self) -> Document<'static> {
        Document::parse(self.body.as_bytes(), &Limits::DEFAULT).unwrap().into_owned()
    }

    /// The values at a path of local names, wherever it starts: the text of elements, or of an attribute at `/@name`.
    pub(crate) fn values(&self, path: &str) -> Vec<String> {
        let document = self.document();
        let (elements, attribute) = match path.split_once("/@") {
            Some((elements, attribute)) => (elements, Some(attribute)),
            None => (path, None),
        };
        let steps: Vec<&str> = elements.split('/').collect();
        let mut found = Vec::new();
        collect(document.root(), &steps, &mut found);
        found
            .into_iter()
            .filter_map(|node: Node<'_>| match attribute {
                Some(name) => node.attribute(name).map(str::to_owned),
                None => Some(node.text().into_owned()),
            })
            .collect()
    }

    /// The only value at a path.
    pub(crate) fn value(&self, path: &str) -> String {
        let mut values = self.values(path);
        assert_eq!(values.len(), 1, "{path} in {}", self.body);
        values.pop().unwrap()
    }
}

fn collect<'a>(node: Node<'a>, steps: &[&str], found: &mut Vec<Node<'a>>) {
    if matches(node, steps) {
        found.push(node);
    }
    node.children().for_each(|child| collect(child, steps, found));
}

/// Whether the node is the last of the steps, with the others around it.
fn matches(node: Node<'_>, steps: &[&str]) -> bool {
    let Some((last, rest)) = steps.split_last() else { return true };
    node.local() == *last && (rest.is_empty() || node.parent().is_some_and(|parent| matches(parent, rest)))
}
