//! A server without its sockets: one account and one site over a store, asked through the adapters.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use engine::{Caller, Engine, NewAccount, NewSite};
use ews::Ews;
use http::Request;
use http_body_util::BodyExt as _;
use model::{FixedClock, RootId, SeededRandom, Time};
use sharepoint::{Call, SharePoint};
use store::{Store, battery::block_on};
use store_postgres::PostgresStore;
use store_sqlite::{Options, SqliteStore, Synchronous};

const ADDRESS: &str = "ann@example.com";
const SITE: &str = "/sites/team";
const LIST: &str = "Bench";
/// The template of task lists.
const TASKS: u32 = 107;
/// What of a task is asked for.
const TASK_FIELDS: [&str; 12] = [
    "ID",
    "Title",
    "Status",
    "Priority",
    "PercentComplete",
    "Body",
    "StartDate",
    "DueDate",
    "Created",
    "Modified",
    "Author",
    "Editor",
];
/// Things in one request that fills.
pub(crate) const BATCH: usize = 100;
/// Rows in one page of a list.
const LIST_PAGE: usize = 2_000;
const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const SERVICE: &str = "http://schemas.microsoft.com/sharepoint/soap/";
const TYPES: &str = "http://schemas.microsoft.com/exchange/services/2006/types";
const MESSAGES: &str = "http://schemas.microsoft.com/exchange/services/2006/messages";

/// See the module.
pub struct World {
    store: Arc<dyn Store>,
    /// What the store says that it has done.
    counters: Box<dyn Fn() -> Counts + Send + Sync>,
    ews: Ews,
    sharepoint: SharePoint,
    caller: Caller,
    /// Subjects given out: one that does not change would be no change.
    subjects: AtomicUsize,
    answer_bytes: AtomicU64,
}

/// What was done so far, or by one action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counts {
    /// Rows that reads fetched from the store.
    pub rows_read: u64,
    /// Steps of the store's machine that reads took, rows passed over included; 0 where it does not tell.
    pub read_steps: u64,
    /// Times that reads waited for a database; 0 where there is none.
    pub read_flights: u64,
    /// Commits.
    pub commits: u64,
    /// Transactions that held them; each synced the log once.
    pub groups: u64,
    /// Bytes of the bodies of answers.
    pub answer_bytes: u64,
    /// Pages read from files, those that the system has in memory included; 0 where it does not tell.
    pub pages_read: u64,
    /// Allocations, the store's machine not included.
    pub allocations: u64,
}

impl Counts {
    /// What was done since `before`. Pages and allocations are those of the whole process.
    #[must_use]
    pub const fn since(&self, before: &Self) -> Self {
        Self {
            rows_read: self.rows_read.saturating_sub(before.rows_read),
            read_steps: self.read_steps.saturating_sub(before.read_steps),
            read_flights: self.read_flights.saturating_sub(before.read_flights),
            commits: self.commits.saturating_sub(before.commits),
            groups: self.groups.saturating_sub(before.groups),
            answer_bytes: self.answer_bytes.saturating_sub(before.answer_bytes),
            pages_read: self.pages_read.saturating_sub(before.pages_read),
            allocations: self.allocations.saturating_sub(before.allocations),
        }
    }
}

/// Calls of this process that read, where the system tells: the store takes one a page.
fn read_calls() -> u64 {
    let told = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let calls = told.lines().find_map(|line| line.strip_prefix("syscr: "));
    calls.and_then(|calls| calls.parse().ok()).unwrap_or_default()
}

impl World {
    /// Opens the embedded store in `directory`, making account and site where there are none. `start` must be another number
    /// each time, as chance comes from it.
    pub fn open(directory: &Path, start: u64, synchronous: Synchronous) -> Self {
        let options = Options { synchronous, ..Options::new(start) };
        let store = Arc::new(SqliteStore::open(directory, options).expect("the store opens"));
        let asked = Arc::clone(&store);
        let counters = move || {
            let store_sqlite::Stats { groups, commits, rows_read, read_steps } = asked.stats();
            Counts { rows_read, read_steps, commits, groups, ..Counts::default() }
        };
        Self::over(store, Box::new(counters), start)
    }

    /// The same over the database behind `url`.
    pub fn open_postgres(url: &str, start: u64) -> Self {
        let options = store_postgres::Options::new(start);
        let store = Arc::new(PostgresStore::open(url, options).expect("the store opens"));
        let asked = Arc::clone(&store);
        let counters = move || {
            let store_postgres::Stats { groups, commits, rows_read, read_flights, .. } = asked.stats();
            Counts { rows_read, read_flights, commits, groups, ..Counts::default() }
        };
        Self::over(store, Box::new(counters), start)
    }

    fn over(store: Arc<dyn Store>, counters: Box<dyn Fn() -> Counts + Send + Sync>, start: u64) -> Self {
        let clock = Arc::new(FixedClock::new(Time::from_unix(1_700_000_000)));
        let random = Arc::new(SeededRandom::new(start));
        let opened = Engine::open(Arc::clone(&store), clock, random, engine::Settings::default());
        let engine = block_on(opened).expect("the engine opens");
        let directory = engine.directory();
        let caller = block_on(async {
            let caller = match directory.account(ADDRESS).await.expect("the accounts") {
                Some(account) => account.caller,
                None => {
                    let (address, display_name) = (ADDRESS.into(), "Ann".into());
                    let account = NewAccount { address, display_name, password_hash: "x".into() };
                    directory.add_account(account).await.expect("an account").caller
                }
            };
            if directory.site(SITE).await.expect("the sites").is_none() {
                let site = NewSite { path: SITE.into(), title: "Team".into(), owner: Some(ADDRESS.into()) };
                directory.add_site(site).await.expect("a site");
            }
            caller
        });
        let sharepoint = SharePoint { engine: engine.clone(), settings: sharepoint::Settings::default() };
        Self {
            store,
            counters,
            ews: Ews::new(engine),
            sharepoint,
            caller,
            subjects: AtomicUsize::default(),
            answer_bytes: AtomicU64::default(),
        }
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// The root of the mailbox.
    pub(crate) const fn root(&self) -> RootId {
        self.caller.account
    }

    pub(crate) fn now(&self) -> Time {
        self.sharepoint.engine.clock().now()
    }

    /// What was done since the world was opened.
    pub fn counts(&self) -> Counts {
        Counts {
            answer_bytes: self.answer_bytes.load(Ordering::Relaxed),
            pages_read: read_calls(),
            allocations: stats_alloc::INSTRUMENTED_SYSTEM.stats().allocations as u64,
            ..(self.counters)()
        }
    }

    /// The text of an answer.
    async fn text(&self, body: ews::Body) -> String {
        let bytes = body.collect().await.expect("an answer").to_bytes();
        self.answer_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        String::from_utf8(bytes.into()).expect("text")
    }

    /// Sends a request to Exchange Web Services; everything in it must succeed.
    pub fn ews(&self, body: &str) -> String {
        let envelope = format!(
            "<s:Envelope xmlns:s=\"{SOAP}\" xmlns:t=\"{TYPES}\" xmlns=\"{MESSAGES}\"><s:Header>\
             <t:RequestServerVersion Version=\"Exchange2016\"/></s:Header><s:Body>{body}</s:Body></s:Envelope>"
        );
        let request = Request::post("/ews/exchange.asmx").body(Bytes::from(envelope)).expect("a request");
        let text = block_on(async {
            let answer = self.ews.handle(&self.caller, request).await;
            self.text(answer.into_body()).await
        });
        let failed = !text.contains("ResponseClass=\"Success\"") || text.contains("ResponseClass=\"Error\"");
        assert!(!failed, "{:.2000}\n{text:.2000}", body);
        text
    }

    /// Creates messages in the inbox, each with a subject, a receiver and a body of 500 characters; answers their ids.
    /// One commit each.
    pub fn create(&self, count: usize) -> Vec<String> {
        let mut ids = Vec::with_capacity(count);
        while ids.len() < count {
            let batch = BATCH.min(count - ids.len());
            let items: String = (0..batch)
                .map(|number| {
                    format!(
                        "<t:Message><t:Subject>Message {number}</t:Subject><t:Body BodyType=\"Text\">{}</t:Body>\
                         <t:ToRecipients><t:Mailbox><t:EmailAddress>bob@example.com</t:EmailAddress></t:Mailbox>\
                         </t:ToRecipients></t:Message>",
                        "ten chars ".repeat(50)
                    )
                })
                .collect();
            ids.extend(item_ids(&self.ews(&format!(
                "<CreateItem MessageDisposition=\"SaveOnly\"><SavedItemFolderId><t:DistinguishedFolderId Id=\"inbox\"/>\
                 </SavedItemFolderId><Items>{items}</Items></CreateItem>"
            ))));
        }
        ids
    }

    /// Changes the subject of messages, of the same one several times too. One commit each.
    pub fn update(&self, ids: &[String]) {
        for batch in ids.chunks(BATCH) {
            let changes: String = batch
                .iter()
                .map(|id| {
                    let number = self.subjects.fetch_add(1, Ordering::Relaxed);
                    format!(
                        "<t:ItemChange><t:ItemId Id=\"{id}\"/><t:Updates><t:SetItemField>\
                         <t:FieldURI FieldURI=\"item:Subject\"/><t:Message><t:Subject>Changed {number:08}</t:Subject></t:Message>\
                         </t:SetItemField></t:Updates></t:ItemChange>"
                    )
                })
                .collect();
            self.ews(&format!(
                "<UpdateItem ConflictResolution=\"AlwaysOverwrite\" MessageDisposition=\"SaveOnly\"><ItemChanges>{changes}\
                 </ItemChanges></UpdateItem>"
            ));
        }
    }

    /// Deletes messages for good. One commit each.
    pub fn delete(&self, ids: &[String]) {
        for batch in ids.chunks(BATCH) {
            let ids = references(batch);
            self.ews(&format!("<DeleteItem DeleteType=\"HardDelete\"><ItemIds>{ids}</ItemIds></DeleteItem>"));
        }
    }

    /// Exports messages.
    pub fn export(&self, ids: &[String]) {
        self.ews(&format!("<ExportItems><ItemIds>{}</ItemIds></ExportItems>", references(ids)));
    }

    /// Synchronises one page of 512 of the inbox; answers the new state, the number of changes, and whether it is the last.
    pub fn sync_page(&self, shape: &str, state: Option<&str>) -> (String, usize, bool) {
        let state = state.map(|state| format!("<SyncState>{state}</SyncState>")).unwrap_or_default();
        let answer = self.ews(&format!(
            "<SyncFolderItems><ItemShape><t:BaseShape>{shape}</t:BaseShape></ItemShape><SyncFolderId>\
             <t:DistinguishedFolderId Id=\"inbox\"/></SyncFolderId>{state}\
             <MaxChangesReturned>512</MaxChangesReturned></SyncFolderItems>"
        ));
        let next = between(&answer, "SyncState>", "<").expect("a state").to_owned();
        (next, answer.matches("ItemId Id=").count(), answer.contains("IncludesLastItemInRange>true"))
    }

    /// Synchronises the inbox from a state to its end; answers the new state and the number of changes.
    pub fn sync(&self, shape: &str, state: Option<&str>) -> (String, usize) {
        let (mut state, mut changes, mut last) = self.sync_page(shape, state);
        while !last {
            let (next, more, ends) = self.sync_page(shape, Some(&state));
            (state, changes, last) = (next, changes + more, ends);
        }
        (state, changes)
    }

    /// Makes the inbox differ by 10 creates, 5 updates and 5 deletes from the state that it answers. `state` is any earlier
    /// one, `ids` are at least 5 messages that stay.
    pub fn differ(&self, state: &str, ids: &[String]) -> String {
        let doomed = self.create(5);
        let (state, _) = self.sync("IdOnly", Some(state));
        self.create(10);
        self.update(ids.get(..5).expect("five messages"));
        self.delete(&doomed);
        state
    }

    /// Sends a request to the list service; it must succeed.
    pub(crate) fn lists(&self, operation: &str, parameters: &str) -> String {
        let envelope = format!(
            "<s:Envelope xmlns:s=\"{SOAP}\"><s:Body><{operation} xmlns=\"{SERVICE}\">{parameters}</{operation}></s:Body>\
             </s:Envelope>"
        );
        let request = Request::post(format!("{SITE}/_vti_bin/lists.asmx"))
            .header("content-type", "text/xml; charset=utf-8")
            .body(Bytes::from(envelope))
            .expect("a request");
        let call = Call { caller: &self.caller, site_path: SITE, base_url: "http://localhost" };
        let (status, text) = block_on(async {
            let answer = self.sharepoint.soap(call, request).await;
            (answer.status(), self.text(answer.into_body()).await)
        });
        assert!(status == http::StatusCode::OK, "{operation}: {text:.2000}");
        text
    }

    /// Waits until the indexes that were switched on are built, as the server does beside its requests.
    pub(crate) fn settle_indexes(&self) {
        block_on(self.sharepoint.engine.go_on_with_indexes()).expect("the indexes are built");
    }

    /// Makes the list of tasks and adds rows, each with all seven fields of a task that are typed in; those of the system
    /// come on top.
    pub fn create_tasks(&self, count: usize) {
        self.lists("AddList", &format!("<listName>{LIST}</listName><description/><templateID>{TASKS}</templateID>"));
        let mut added = 0;
        while added < count {
            let batch = BATCH.min(count - added);
            let methods: String = (added..added + batch)
                .map(|number| {
                    let fields: String = [
                        ("Title", format!("Task {number} of the plan")),
                        ("Priority", "(2) Normal".to_owned()),
                        ("Status", "In Progress".to_owned()),
                        ("PercentComplete", format!("0.{:02}", number % 100)),
                        ("StartDate", format!("2024-05-{:02}T00:00:00Z", number % 28 + 1)),
                        ("DueDate", format!("2024-06-{:02}T00:00:00Z", number % 28 + 1)),
                        ("Body", "What has to be done, in a sentence or two of plain text.".to_owned()),
                    ]
                    .iter()
                    .map(|(name, value)| format!("<Field Name=\"{name}\">{value}</Field>"))
                    .collect();
                    format!("<Method ID=\"{number}\" Cmd=\"New\">{fields}</Method>")
                })
                .collect();
            let answer = self.lists(
                "UpdateListItems",
                &format!("<listName>{LIST}</listName><updates><Batch xmlns=\"\">{methods}</Batch></updates>"),
            );
            assert_eq!(answer.matches("0x00000000").count(), batch, "{answer:.2000}");
            added += batch;
        }
    }

    /// Synchronises the list from a token, or from nothing in pages of 2,000; answers the new token and the rows.
    pub fn sync_tasks(&self, token: Option<&str>) -> (String, usize) {
        let token = token.map(|token| format!("<changeToken>{token}</changeToken>")).unwrap_or_default();
        let (mut options, mut first, mut rows) = (String::new(), None, 0);
        let fields: String = TASK_FIELDS.iter().map(|name| format!("<FieldRef Name=\"{name}\"/>")).collect();
        let fields = format!("<ViewFields xmlns=\"\">{fields}</ViewFields>");
        loop {
            let answer = self.lists(
                "GetListItemChangesSinceToken",
                &format!(
                    "<listName>{LIST}</listName><viewFields>{fields}</viewFields><rowLimit>{LIST_PAGE}</rowLimit>\
                     {options}{token}"
                ),
            );
            rows += answer.matches("<z:row ").count();
            // What changes while the pages are read comes with the token of the first.
            let token =
                first.get_or_insert_with(|| between(&answer, "LastChangeToken=\"", "\"").expect("a token").to_owned());
            let Some(position) = between(&answer, "ListItemCollectionPositionNext=\"", "\"") else {
                return (token.clone(), rows);
            };
            options = format!(
                "<queryOptions><QueryOptions xmlns=\"\"><Paging ListItemCollectionPositionNext=\"{position}\"/>\
                 </QueryOptions></queryOptions>"
            );
        }
    }
}

fn references(ids: &[String]) -> String {
    ids.iter().map(|id| format!("<t:ItemId Id=\"{id}\"/>")).collect()
}

fn item_ids(answer: &str) -> Vec<String> {
    answer.split("ItemId Id=\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}

pub(crate) fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    Some(text.split_once(before)?.1.split_once(after)?.0)
}
