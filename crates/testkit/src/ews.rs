//! A client of Exchange Web Services that writes plain requests and reads what comes back by name.

use std::collections::BTreeMap;

use xml::Node;

use crate::{
    http::{Answer, Http},
    retry::answered,
    tree::{Reach, Tree, escape},
};

/// Where the service is.
pub const PATH: &str = "/EWS/Exchange.asmx";
const TYPES: &str = "http://schemas.microsoft.com/exchange/services/2006/types";
const MESSAGES: &str = "http://schemas.microsoft.com/exchange/services/2006/messages";
const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// The properties that mirrors compare.
const COMPARED: &str = "<t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>\
    <t:FieldURI FieldURI=\"item:Subject\"/><t:FieldURI FieldURI=\"item:Importance\"/>\
    <t:FieldURI FieldURI=\"message:IsRead\"/></t:AdditionalProperties>";
/// Rows asked for at once by a full read.
const FULL_READ_ROWS: usize = 200;
/// Pages after which a full read is given up.
const FULL_READ_PAGES_MAX: usize = 1_000;

/// One mailbox over HTTP.
#[derive(Clone, Debug)]
pub struct Ews {
    http: Http,
    frank: bool,
}

/// What a message is to a mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemState {
    /// The element's local name.
    pub element: String,
    /// Its subject.
    pub subject: String,
    /// Its importance.
    pub importance: String,
    /// Whether it is read.
    pub read: bool,
}

/// One change in an answer to SyncFolderItems.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemEntry {
    /// A new item.
    Create(String, ItemState),
    /// An item that was changed.
    Update(String, ItemState),
    /// An item that is gone.
    Delete(String),
    /// An item of which only the read flag changed.
    Read(String, bool),
}

/// An answer to SyncFolderItems.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemPage {
    /// The state to send next.
    pub state: String,
    /// Whether nothing is left.
    pub last: bool,
    /// The changes, in the order received.
    pub entries: Vec<ItemEntry>,
}

/// What to ask SyncFolderItems.
#[derive(Clone, Copy, Debug)]
pub struct ItemAsk<'a> {
    /// The folder, as an element: see [`folder_id`] and [`distinguished`].
    pub folder: &'a str,
    /// The state of the answer before.
    pub state: Option<&'a str>,
    /// Ids that are not to be reported.
    pub ignore: &'a [String],
    /// Changes wanted at most.
    pub changes_max: usize,
    /// Whether associated items are wanted as well.
    pub associated: bool,
}

/// What a folder is to a mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderState {
    /// The element's local name.
    pub element: String,
    /// The id of the folder around it.
    pub parent: String,
    /// Its name.
    pub name: String,
}

/// One change in an answer to SyncFolderHierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FolderEntry {
    /// A new folder.
    Create(String, FolderState),
    /// A folder that was changed.
    Update(String, FolderState),
    /// A folder that is gone.
    Delete(String),
}

/// An answer to SyncFolderHierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderPage {
    /// The state to send next.
    pub state: String,
    /// The changes, in the order received.
    pub entries: Vec<FolderEntry>,
}

/// Puts a request into an envelope, with the namespaces bound to `t` and `m`.
pub fn envelope(request: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><soap:Envelope xmlns:soap=\"{SOAP}\" xmlns:t=\"{TYPES}\" \
         xmlns:m=\"{MESSAGES}\"><soap:Header><t:RequestServerVersion Version=\"Exchange2013_SP1\"/></soap:Header>\
         <soap:Body>{request}</soap:Body></soap:Envelope>"
    )
}

/// The element that names a folder by id.
pub fn folder_id(id: &str) -> String {
    format!("<t:FolderId Id=\"{}\"/>", escape(id))
}

/// The element that names a folder by what it is for.
pub fn distinguished(name: &str) -> String {
    format!("<t:DistinguishedFolderId Id=\"{name}\"/>")
}

/// The element that names an item.
pub fn item_id(id: &str) -> String {
    format!("<t:ItemId Id=\"{}\"/>", escape(id))
}

/// The response messages of an answer, in order.
pub fn responses(answer: &Tree) -> Vec<Node<'_>> {
    answer.payload().at("ResponseMessages").children().collect()
}

/// The response code of the only response message, or of the fault.
pub fn code(answer: &Tree) -> String {
    if let Some(fault) = answer.fault() {
        return fault.value("detail/ResponseCode").unwrap_or_default();
    }
    let responses = responses(answer);
    assert_eq!(responses.len(), 1, "{answer:?}");
    responses[0].value("ResponseCode").unwrap_or_default()
}

/// The Id attribute of the first item or folder id inside.
fn own_id(element: Node<'_>) -> String {
    let id = element.find("ItemId").or_else(|| element.find("FolderId"));
    id.and_then(|id| id.attribute("Id")).unwrap_or_else(|| panic!("no id in {}", element.to_xml())).to_owned()
}

fn item_state(element: Node<'_>) -> ItemState {
    ItemState {
        element: element.local().to_owned(),
        subject: element.value("Subject").unwrap_or_default(),
        importance: element.value("Importance").unwrap_or_default(),
        read: element.value("IsRead").as_deref() == Some("true"),
    }
}

fn folder_state(element: Node<'_>) -> FolderState {
    FolderState {
        element: element.local().to_owned(),
        parent: element.at("ParentFolderId").attribute("Id").unwrap_or_default().to_owned(),
        name: element.value("DisplayName").unwrap_or_default(),
    }
}

impl Ews {
    /// A client that sends over `http`.
    pub const fn new(http: Http) -> Self {
        Self { http, frank: false }
    }

    /// The same client; a call after which clients come again does not panic, but fails with the words of the
    /// [`Verdict`], such as `unknown: 504`: see [`crate::retry::Came`].
    #[must_use]
    pub fn frank(&self) -> Self {
        Self { frank: true, ..self.clone() }
    }

    /// The connection.
    pub const fn http(&self) -> &Http {
        &self.http
    }

    /// Posts an envelope as it is.
    pub fn post(&self, envelope: &str) -> Answer {
        self.http.send("POST", PATH, &[("content-type", "text/xml; charset=utf-8")], envelope)
    }

    /// Posts an envelope and reads the answer, which is either 200 or 500 with a fault.
    pub fn send(&self, envelope: &str) -> Tree {
        Self::read(&self.post(envelope))
    }

    fn read(answer: &Answer) -> Tree {
        let kind = answer.header("content-type").unwrap_or_default();
        assert!(kind.starts_with("text/xml"), "status {}, {kind}: {}", answer.status, answer.text());
        let tree = Tree::parse(answer.text());
        let expected = if tree.fault().is_some() { 500 } else { 200 };
        assert_eq!(answer.status, expected, "{tree:?}");
        tree
    }

    /// Posts one request inside an envelope, see [`envelope`].
    pub fn call(&self, request: &str) -> Tree {
        self.send(&envelope(request))
    }

    /// As [`Self::call`]; the code of the first thing that failed instead of an answer where something failed.
    pub fn attempt(&self, request: &str) -> Result<Tree, String> {
        let answer = if self.frank {
            let content = [("content-type", "text/xml; charset=utf-8")];
            Self::read(&answered(self.http.try_send("POST", PATH, &content, envelope(request)))?)
        } else {
            self.call(request)
        };
        if answer.fault().is_some() {
            return Err(code(&answer));
        }
        let failed = responses(&answer)
            .iter()
            .find(|response| response.attribute("ResponseClass") != Some("Success"))
            .map(|response| response.value("ResponseCode").unwrap_or_default());
        failed.map_or(Ok(answer), Err)
    }

    fn must(&self, request: &str) -> Tree {
        self.attempt(request).unwrap_or_else(|code| panic!("{code} to {request}"))
    }

    /// The id of a folder, see [`distinguished`] and [`folder_id`].
    pub fn folder(&self, folder: &str) -> String {
        let answer = self.must(&format!(
            "<m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape>\
             <m:FolderIds>{folder}</m:FolderIds></m:GetFolder>"
        ));
        own_id(responses(&answer)[0].at("Folders/*"))
    }

    /// Makes a folder and returns its id.
    pub fn create_folder(&self, parent: &str, name: &str) -> Result<String, String> {
        let answer = self.attempt(&format!(
            "<m:CreateFolder><m:ParentFolderId>{parent}</m:ParentFolderId><m:Folders><t:Folder>\
             <t:DisplayName>{}</t:DisplayName></t:Folder></m:Folders></m:CreateFolder>",
            escape(name)
        ))?;
        Ok(own_id(responses(&answer)[0].at("Folders/*")))
    }

    /// Renames a folder.
    pub fn rename_folder(&self, id: &str, name: &str) -> Result<Tree, String> {
        self.attempt(&format!(
            "<m:UpdateFolder><m:FolderChanges><t:FolderChange>{}<t:Updates><t:SetFolderField>\
             <t:FieldURI FieldURI=\"folder:DisplayName\"/><t:Folder><t:DisplayName>{}</t:DisplayName></t:Folder>\
             </t:SetFolderField></t:Updates></t:FolderChange></m:FolderChanges></m:UpdateFolder>",
            folder_id(id),
            escape(name)
        ))
    }

    /// Moves a folder.
    pub fn move_folder(&self, id: &str, to: &str) -> Result<Tree, String> {
        self.attempt(&format!(
            "<m:MoveFolder><m:ToFolderId>{to}</m:ToFolderId><m:FolderIds>{}</m:FolderIds></m:MoveFolder>",
            folder_id(id)
        ))
    }

    /// Deletes a folder. `mode` is HardDelete, SoftDelete or MoveToDeletedItems.
    pub fn delete_folder(&self, id: &str, mode: &str) -> Result<Tree, String> {
        self.attempt(&format!(
            "<m:DeleteFolder DeleteType=\"{mode}\"><m:FolderIds>{}</m:FolderIds></m:DeleteFolder>",
            folder_id(id)
        ))
    }

    /// Makes a message and returns its id.
    pub fn create_message(&self, folder: &str, subject: &str) -> String {
        self.try_create_message(folder, subject).unwrap_or_else(|code| panic!("{code} to CreateItem of {subject}"))
    }

    /// As [`Self::create_message`]; the code where it failed.
    pub fn try_create_message(&self, folder: &str, subject: &str) -> Result<String, String> {
        let answer = self.attempt(&format!(
            "<m:CreateItem MessageDisposition=\"SaveOnly\"><m:SavedItemFolderId>{folder}</m:SavedItemFolderId>\
             <m:Items><t:Message><t:Subject>{}</t:Subject></t:Message></m:Items></m:CreateItem>",
            escape(subject)
        ))?;
        Ok(own_id(responses(&answer)[0].at("Items/*")))
    }

    /// Makes an item from a MIME text and returns its id.
    pub fn create_mime(&self, folder: &str, base64: &str) -> Result<String, String> {
        let answer = self.attempt(&format!(
            "<m:CreateItem MessageDisposition=\"SaveOnly\"><m:SavedItemFolderId>{folder}</m:SavedItemFolderId><m:Items>\
             <t:Message><t:MimeContent CharacterSet=\"UTF-8\">{base64}</t:MimeContent></t:Message></m:Items></m:CreateItem>"
        ))?;
        Ok(own_id(responses(&answer)[0].at("Items/*")))
    }

    fn update(&self, id: &str, uri: &str, element: &str) -> Result<Tree, String> {
        self.attempt(&format!(
            "<m:UpdateItem ConflictResolution=\"AlwaysOverwrite\" MessageDisposition=\"SaveOnly\"><m:ItemChanges>\
             <t:ItemChange>{}<t:Updates><t:SetItemField><t:FieldURI FieldURI=\"{uri}\"/><t:Message>{element}</t:Message>\
             </t:SetItemField></t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>",
            item_id(id)
        ))
    }

    /// Changes a subject.
    pub fn set_subject(&self, id: &str, subject: &str) -> Result<Tree, String> {
        self.update(id, "item:Subject", &format!("<t:Subject>{}</t:Subject>", escape(subject)))
    }

    /// Changes the importance: Low, Normal or High.
    pub fn set_importance(&self, id: &str, importance: &str) -> Result<Tree, String> {
        self.update(id, "item:Importance", &format!("<t:Importance>{importance}</t:Importance>"))
    }

    /// Sets or clears the read flag.
    pub fn set_read(&self, id: &str, read: bool) -> Result<Tree, String> {
        self.update(id, "message:IsRead", &format!("<t:IsRead>{read}</t:IsRead>"))
    }

    /// Deletes an item. `mode` is HardDelete, SoftDelete or MoveToDeletedItems.
    pub fn delete(&self, id: &str, mode: &str) -> Result<Tree, String> {
        self.attempt(&format!(
            "<m:DeleteItem DeleteType=\"{mode}\"><m:ItemIds>{}</m:ItemIds></m:DeleteItem>",
            item_id(id)
        ))
    }

    /// Moves (`MoveItem`) or copies (`CopyItem`) an item; returns the new id.
    pub fn transfer(&self, operation: &str, id: &str, to: &str) -> Result<String, String> {
        let answer = self.attempt(&format!(
            "<m:{operation}><m:ToFolderId>{to}</m:ToFolderId><m:ItemIds>{}</m:ItemIds></m:{operation}>",
            item_id(id)
        ))?;
        Ok(own_id(responses(&answer)[0].at("Items/*")))
    }

    /// Exports items: each the data in base64, or the code of what failed.
    pub fn export(&self, ids: &[String]) -> Vec<Result<String, String>> {
        let ids: String = ids.iter().map(|id| item_id(id)).collect();
        let answer = self.call(&format!("<m:ExportItems><m:ItemIds>{ids}</m:ItemIds></m:ExportItems>"));
        let outcome = |response: &Node<'_>| match response.attribute("ResponseClass") {
            Some("Success") => Ok(response.value("Data").unwrap_or_default()),
            _ => Err(response.value("ResponseCode").unwrap_or_default()),
        };
        responses(&answer).iter().map(outcome).collect()
    }

    /// Uploads new items into a folder: each the new id, or the code of what failed.
    pub fn upload(&self, parent: &str, associated: bool, data: &[String]) -> Vec<Result<String, String>> {
        let items: String = data
            .iter()
            .map(|data| {
                format!(
                    "<t:Item CreateAction=\"CreateNew\" IsAssociated=\"{associated}\"><t:ParentFolderId Id=\"{}\"/>\
                     <t:Data>{data}</t:Data></t:Item>",
                    escape(parent)
                )
            })
            .collect();
        let answer = self.call(&format!("<m:UploadItems><m:Items>{items}</m:Items></m:UploadItems>"));
        let outcome = |response: &Node<'_>| match response.attribute("ResponseClass") {
            Some("Success") => Ok(own_id(*response)),
            _ => Err(response.value("ResponseCode").unwrap_or_default()),
        };
        assert!(answer.fault().is_none(), "{answer:?}");
        responses(&answer).iter().map(outcome).collect()
    }

    /// Uploads over an item that lies in `parent`; returns its id.
    pub fn upload_over(&self, id: &str, parent: &str, associated: bool, data: &str) -> Result<String, String> {
        let answer = self.attempt(&format!(
            "<m:UploadItems><m:Items><t:Item CreateAction=\"Update\" IsAssociated=\"{associated}\">\
             <t:ParentFolderId Id=\"{}\"/>{}<t:Data>{data}</t:Data></t:Item></m:Items></m:UploadItems>",
            escape(parent),
            item_id(id)
        ))?;
        Ok(own_id(responses(&answer)[0]))
    }

    /// GetItem of one item; `shape` is what stands inside ItemShape.
    pub fn get_item(&self, id: &str, shape: &str) -> Result<Tree, String> {
        self.attempt(&format!(
            "<m:GetItem><m:ItemShape>{shape}</m:ItemShape><m:ItemIds>{}</m:ItemIds></m:GetItem>",
            item_id(id)
        ))
    }

    /// SyncFolderItems with the properties that mirrors compare; the response code where it failed.
    pub fn sync_items(&self, ask: &ItemAsk<'_>) -> Result<ItemPage, String> {
        let answer = self.attempt(&sync_items_request(ask, COMPARED))?;
        let response = responses(&answer)[0];
        let mut entries = Vec::new();
        for change in response.at("Changes").children() {
            let item = |change: Node<'_>| {
                let element = change.at("*");
                (own_id(element), item_state(element))
            };
            entries.push(match change.local() {
                "Create" => {
                    let (id, state) = item(change);
                    ItemEntry::Create(id, state)
                }
                "Update" => {
                    let (id, state) = item(change);
                    ItemEntry::Update(id, state)
                }
                "Delete" => ItemEntry::Delete(own_id(change)),
                "ReadFlagChange" => ItemEntry::Read(own_id(change), change.value("IsRead").as_deref() == Some("true")),
                other => panic!("a change of the kind {other}"),
            });
        }
        Ok(ItemPage {
            state: response.value("SyncState").unwrap_or_default(),
            last: response.value("IncludesLastItemInRange").as_deref() == Some("true"),
            entries,
        })
    }

    /// All items of a folder as FindItem lists them. `traversal` is Shallow or Associated.
    pub fn read_items(&self, folder: &str, traversal: &str) -> BTreeMap<String, ItemState> {
        let mut items = BTreeMap::new();
        for page in 0..FULL_READ_PAGES_MAX {
            let answer = self.must(&format!(
                "<m:FindItem Traversal=\"{traversal}\"><m:ItemShape>{COMPARED}</m:ItemShape>\
                 <m:IndexedPageItemView MaxEntriesReturned=\"{FULL_READ_ROWS}\" Offset=\"{}\" BasePoint=\"Beginning\"/>\
                 <m:ParentFolderIds>{folder}</m:ParentFolderIds></m:FindItem>",
                page * FULL_READ_ROWS
            ));
            let found = responses(&answer)[0].at("RootFolder");
            for item in found.at("Items").children() {
                let known = items.insert(own_id(item), item_state(item));
                assert!(known.is_none(), "FindItem lists an item twice: {}", item.to_xml());
            }
            if found.attribute("IncludesLastItemInRange") == Some("true") {
                return items;
            }
        }
        panic!("FindItem does not come to an end");
    }

    /// SyncFolderHierarchy with all properties; the response code where it failed.
    pub fn sync_folders(&self, folder: Option<&str>, state: Option<&str>) -> Result<FolderPage, String> {
        let folder = folder.map(|folder| format!("<m:SyncFolderId>{folder}</m:SyncFolderId>")).unwrap_or_default();
        let state = state.map(|state| format!("<m:SyncState>{}</m:SyncState>", escape(state))).unwrap_or_default();
        let answer = self.attempt(&format!(
            "<m:SyncFolderHierarchy><m:FolderShape><t:BaseShape>AllProperties</t:BaseShape></m:FolderShape>\
             {folder}{state}</m:SyncFolderHierarchy>"
        ))?;
        let response = responses(&answer)[0];
        assert_eq!(response.value("IncludesLastFolderInRange").as_deref(), Some("true"));
        let mut entries = Vec::new();
        for change in response.at("Changes").children() {
            let inner = change.at("*");
            entries.push(match change.local() {
                "Create" => FolderEntry::Create(own_id(inner), folder_state(inner)),
                "Update" => FolderEntry::Update(own_id(inner), folder_state(inner)),
                "Delete" => FolderEntry::Delete(own_id(change)),
                other => panic!("a change of the kind {other}"),
            });
        }
        Ok(FolderPage { state: response.value("SyncState").unwrap_or_default(), entries })
    }

    /// All folders below one, at all depths, as FindFolder lists them.
    pub fn read_folders(&self, folder: &str) -> BTreeMap<String, FolderState> {
        let answer = self.must(&format!(
            "<m:FindFolder Traversal=\"Deep\"><m:FolderShape><t:BaseShape>AllProperties</t:BaseShape></m:FolderShape>\
             <m:ParentFolderIds>{folder}</m:ParentFolderIds></m:FindFolder>"
        ));
        let found = responses(&answer)[0].at("RootFolder/Folders");
        found.children().map(|folder| (own_id(folder), folder_state(folder))).collect()
    }
}

/// A SyncFolderItems request; `shape` is what stands inside ItemShape.
pub fn sync_items_request(ask: &ItemAsk<'_>, shape: &str) -> String {
    let state = ask.state.map(|state| format!("<m:SyncState>{}</m:SyncState>", escape(state))).unwrap_or_default();
    let ignore: String = ask.ignore.iter().map(|id| item_id(id)).collect();
    let ignore = if ignore.is_empty() { ignore } else { format!("<m:Ignore>{ignore}</m:Ignore>") };
    let scope = if ask.associated { "<m:SyncScope>NormalAndAssociatedItems</m:SyncScope>" } else { "" };
    format!(
        "<m:SyncFolderItems><m:ItemShape>{shape}</m:ItemShape><m:SyncFolderId>{}</m:SyncFolderId>{state}{ignore}\
         <m:MaxChangesReturned>{}</m:MaxChangesReturned>{scope}</m:SyncFolderItems>",
        ask.folder, ask.changes_max
    )
}
