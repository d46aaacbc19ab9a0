//! What clients ask: requests as text, and mailboxes and sites that are ready to be asked.

use super::Client;
use crate::world::between;

/// The endpoint.
const EWS: &str = "/EWS/Exchange.asmx";
const LIST: &str = "Bench";
const TASKS: u32 = 107;
/// Messages that one request creates at most.
const BATCH: usize = 100;
/// Messages of a page of a sync.
pub const PAGE: usize = 512;
/// What is found by a delta.
const DELTA: usize = 10;

/// User and password of an account, by its number.
pub fn account(number: usize) -> (String, String) {
    (format!("user{number}@example.com"), format!("password {number}"))
}

/// A mailbox that is ready to be asked.
#[derive(Clone, Debug)]
pub struct Mailbox {
    /// Its number: see [`account`].
    pub number: usize,
    /// The state after everything.
    pub state: String,
    /// The state before ten messages.
    pub before: String,
    /// Messages of the inbox.
    pub ids: Vec<String>,
}

impl Mailbox {
    /// Makes at least eleven messages.
    pub fn prepare(client: &mut Client, number: usize, messages: usize) -> Self {
        client.be(number);
        let mut ids = create_messages(client, messages.saturating_sub(DELTA).max(1));
        let before = sync_to_end(client, None);
        ids.extend(create_messages(client, DELTA));
        let state = sync_to_end(client, Some(&before));
        Self { number, state, before, ids }
    }

    /// A sync that finds nothing.
    pub fn poll(&self, client: &mut Client) {
        let answer = client.ask(EWS, &sync(Some(&self.state), "Default"));
        assert!(answer.contains("<m:Changes/>") || !answer.contains("ItemId Id="), "{answer:.900}");
    }

    /// A sync that finds ten messages.
    pub fn delta(&self, client: &mut Client) {
        let answer = client.ask(EWS, &sync(Some(&self.before), "Default"));
        assert_eq!(answer.matches("ItemId Id=").count(), DELTA, "{answer:.900}");
    }

    /// Reads a message, its body too.
    pub fn read(&self, client: &mut Client, turn: usize) {
        let Some(id) = self.ids.get(turn % self.ids.len()) else { return };
        let body = format!(
            "<GetItem><ItemShape><t:BaseShape>AllProperties</t:BaseShape></ItemShape><ItemIds><t:ItemId Id=\"{id}\"/>\
             </ItemIds></GetItem>"
        );
        succeeded(client.ask(EWS, &envelope(&body)));
    }
}

/// Changes the subject of a message of the inbox, to another one at every turn.
pub fn update(client: &mut Client, ids: &[String], turn: usize) {
    let Some(id) = ids.get(turn % ids.len().max(1)) else { return };
    let body = format!(
        "<UpdateItem ConflictResolution=\"AlwaysOverwrite\" MessageDisposition=\"SaveOnly\"><ItemChanges>\
         <t:ItemChange><t:ItemId Id=\"{id}\"/><t:Updates><t:SetItemField><t:FieldURI FieldURI=\"item:Subject\"/>\
         <t:Message><t:Subject>Changed {turn}</t:Subject></t:Message></t:SetItemField></t:Updates></t:ItemChange>\
         </ItemChanges></UpdateItem>"
    );
    succeeded(client.ask(EWS, &envelope(&body)));
}

/// Creates messages in the inbox, each with a subject, a receiver and a body of 500 characters; their ids.
pub fn create_messages(client: &mut Client, count: usize) -> Vec<String> {
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
        let answer = client.ask(
            EWS,
            &envelope(&format!(
                "<CreateItem MessageDisposition=\"SaveOnly\"><SavedItemFolderId><t:DistinguishedFolderId Id=\"inbox\"/>\
                 </SavedItemFolderId><Items>{items}</Items></CreateItem>"
            )),
        );
        succeeded(answer);
        ids.extend(answer.split("ItemId Id=\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned));
    }
    ids
}

/// Asks for a page of a first sync of the inbox, which must be full; the state after it.
pub fn sync_page(client: &mut Client, state: Option<&str>) -> String {
    let answer = client.ask(EWS, &sync(state, "Default"));
    assert_eq!(answer.matches("ItemId Id=").count(), PAGE, "{answer:.900}");
    between(answer, "SyncState>", "<").expect("a state").to_owned()
}

/// Asks for the ids of a page of the inbox, whatever it has.
pub fn sync_ids(client: &mut Client) {
    client.ask(EWS, &sync(None, "IdOnly"));
}

fn sync_to_end(client: &mut Client, state: Option<&str>) -> String {
    let mut state = state.map(str::to_owned);
    loop {
        let answer = client.ask(EWS, &sync(state.as_deref(), "IdOnly"));
        let next = between(answer, "SyncState>", "<").expect("a state").to_owned();
        if answer.contains("IncludesLastItemInRange>true") {
            return next;
        }
        state = Some(next);
    }
}

fn sync(state: Option<&str>, shape: &str) -> String {
    let state = state.map(|state| format!("<SyncState>{state}</SyncState>")).unwrap_or_default();
    envelope(&format!(
        "<SyncFolderItems><ItemShape><t:BaseShape>{shape}</t:BaseShape></ItemShape><SyncFolderId>\
         <t:DistinguishedFolderId Id=\"inbox\"/></SyncFolderId>{state}<MaxChangesReturned>{PAGE}</MaxChangesReturned>\
         </SyncFolderItems>"
    ))
}

fn envelope(body: &str) -> String {
    format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:t=\"http://schemas.microsoft.com/exchange/services/2006/types\" \
         xmlns=\"http://schemas.microsoft.com/exchange/services/2006/messages\"><s:Header>\
         <t:RequestServerVersion Version=\"Exchange2016\"/></s:Header><s:Body>{body}</s:Body></s:Envelope>"
    )
}

fn succeeded(answer: &str) {
    let failed = !answer.contains("ResponseClass=\"Success\"") || answer.contains("ResponseClass=\"Error\"");
    assert!(!failed, "{answer:.2000}");
}

/// A site with a list of tasks that is ready to be asked.
#[derive(Clone, Debug)]
pub struct Site {
    /// Its path.
    pub path: String,
    /// The token after everything.
    pub token: String,
    /// The token before ten rows.
    pub before: String,
}

impl Site {
    /// The path of a site, by its number.
    pub fn path(number: usize) -> String {
        format!("/sites/site{number}")
    }

    /// Makes the list and rows in it.
    pub fn prepare(client: &mut Client, number: usize, rows: usize) -> Self {
        let mut this = Self { path: Self::path(number), token: String::new(), before: String::new() };
        let parameters = format!("<listName>{LIST}</listName><description/><templateID>{TASKS}</templateID>");
        this.lists(client, "AddList", &parameters);
        this.add(client, 0, rows);
        this.before = this.ask(client, None).0;
        this.add(client, rows, DELTA);
        this.token = this.ask(client, Some(&this.before)).0;
        this
    }

    /// Asks for changes and finds none.
    pub fn poll(&self, client: &mut Client) {
        assert_eq!(self.ask(client, Some(&self.token)).1, 0);
    }

    /// Asks for changes and finds ten rows.
    pub fn delta(&self, client: &mut Client) {
        assert_eq!(self.ask(client, Some(&self.before)).1, DELTA);
    }

    /// Adds rows in one request.
    pub fn add(&self, client: &mut Client, from: usize, count: usize) {
        let methods: String = (from..from + count)
            .map(|number| {
                format!(
                    "<Method ID=\"{number}\" Cmd=\"New\"><Field Name=\"Title\">Task {number}</Field>\
                     <Field Name=\"Status\">In Progress</Field><Field Name=\"Priority\">(2) Normal</Field>\
                     <Field Name=\"Body\">What has to be done, in a sentence or two of plain text.</Field></Method>"
                )
            })
            .collect();
        let updates = format!("<updates><Batch xmlns=\"\">{methods}</Batch></updates>");
        let answer = self.lists(client, "UpdateListItems", &format!("<listName>{LIST}</listName>{updates}"));
        assert_eq!(answer.matches("0x00000000").count(), count, "{answer:.2000}");
    }

    fn ask(&self, client: &mut Client, token: Option<&str>) -> (String, usize) {
        let token = token.map(|token| format!("<changeToken>{token}</changeToken>")).unwrap_or_default();
        let fields: String = ["ID", "Title", "Status", "Priority", "Body", "Modified", "Editor"]
            .map(|name| format!("<FieldRef Name=\"{name}\"/>"))
            .concat();
        let parameters = format!(
            "<listName>{LIST}</listName><viewFields><ViewFields xmlns=\"\">{fields}</ViewFields></viewFields>\
             <rowLimit>2000</rowLimit>{token}"
        );
        let answer = self.lists(client, "GetListItemChangesSinceToken", &parameters);
        let next = between(answer, "LastChangeToken=\"", "\"").expect("a token").to_owned();
        (next, answer.matches("<z:row ").count())
    }

    fn lists<'c>(&self, client: &'c mut Client, operation: &str, parameters: &str) -> &'c str {
        let body = format!(
            "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><{operation} \
             xmlns=\"http://schemas.microsoft.com/sharepoint/soap/\">{parameters}</{operation}></s:Body></s:Envelope>"
        );
        client.ask(&format!("{}/_vti_bin/lists.asmx", self.path), &body)
    }
}
