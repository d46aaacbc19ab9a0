//! The crate `ews`, Thunderbird's types of the protocol: folders and messages are made, synced, changed, moved and
//! deleted, in the order that Thunderbird does it in.
//!
//! Run by `clients/ews_crate.py`: a line `step NAME VALUE...` asks it to check the same with a second client, and its
//! answer, a line, lets the program go on.

mod wire;

use std::{
    collections::BTreeSet,
    env,
    fmt::Debug,
    io::{self, BufRead, Write},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use ews::{
    Attachment, BaseFolderId, BaseItemId, BaseShape, CopyMoveFolderData, CopyMoveItemData, DeleteType, Flag,
    FlagStatus, Folder, FolderId, FolderShape, ItemShape, Message, MessageDisposition, MimeContent, PathToElement,
    RealItem, ResponseClass,
    copy_folder::CopyFolder,
    copy_item::CopyItem,
    create_folder::CreateFolder,
    create_item::CreateItem,
    delete_folder::DeleteFolder,
    delete_item::DeleteItem,
    empty_folder::EmptyFolder,
    find_item::{FindItem, Traversal},
    get_folder::GetFolder,
    get_item::GetItem,
    move_folder::MoveFolder,
    move_item::MoveItem,
    response::ResponseCode,
    sync_folder_hierarchy::{self, SyncFolderHierarchy},
    sync_folder_items::{self, SyncFolderItems},
    update_folder::{FolderChange, FolderChanges, UpdateFolder, Updates as FolderUpdates},
    update_item::{ConflictResolution, ItemChange, ItemChangeDescription, ItemChangeInner, UpdateItem, Updates},
};

use crate::wire::{Any, Client};

/// Kinds of changes, each with a name or an id.
type Changes = Vec<(&'static str, String)>;

/// Pages that a drain may take.
const PAGES_MAX: usize = 1_000;

/// Says that a check holds, or ends the program.
fn check(name: &str, holds: bool, detail: impl Debug) -> Any<()> {
    if !holds {
        return Err(format!("{name}: {detail:?}").into());
    }
    println!("ok   {name}");
    Ok(())
}

/// Has the second client look, and waits for it.
fn step(name: &str, values: &[&str]) -> Any<()> {
    println!("step {name} {}", values.join(" "));
    io::stdout().flush()?;
    let mut line = String::new();
    if io::stdin().lock().read_line(&mut line)? == 0 {
        return Err(format!("the second client does not agree on {name}").into());
    }
    Ok(())
}

fn folder(id: &str) -> BaseFolderId {
    BaseFolderId::new_folder(id)
}

fn known(name: &str) -> BaseFolderId {
    BaseFolderId::new_distinguished(name)
}

fn item(id: &str) -> BaseItemId {
    BaseItemId::ItemId { id: id.into(), change_key: None }
}

fn field(uri: &str) -> PathToElement {
    PathToElement::FieldURI { field_URI: uri.into() }
}

fn shape(fields: &[&str]) -> ItemShape {
    let additional_properties = (!fields.is_empty()).then(|| fields.iter().copied().map(field).collect());
    ItemShape { base_shape: BaseShape::IdOnly, include_mime_content: None, additional_properties }
}

fn named(name: &str) -> Folder {
    Folder::Folder {
        folder_id: None,
        parent_folder_id: None,
        folder_class: None,
        display_name: Some(name.into()),
        total_count: None,
        child_folder_count: None,
        extended_property: None,
        unread_count: None,
    }
}

/// Id and name of a folder of any kind.
fn read_folder(folder: &Folder) -> (String, String) {
    let (Folder::CalendarFolder { folder_id, display_name, .. }
    | Folder::ContactsFolder { folder_id, display_name, .. }
    | Folder::Folder { folder_id, display_name, .. }
    | Folder::SearchFolder { folder_id, display_name, .. }
    | Folder::TasksFolder { folder_id, display_name, .. }) = folder;
    let id = folder_id.as_ref().map(|FolderId { id, .. }| id.clone());
    (id.unwrap_or_default(), display_name.clone().unwrap_or_default())
}

fn only_folder(folders: &[Folder]) -> Any<String> {
    let [folder] = folders else { return Err(format!("not one folder: {folders:?}").into()) };
    Ok(read_folder(folder).0)
}

fn id_of(item: &RealItem) -> String {
    item.inner_message().item_id.as_ref().map(|id| id.id.clone()).unwrap_or_default()
}

fn only_id(items: &[RealItem]) -> Any<String> {
    let [item] = items else { return Err(format!("not one item: {items:?}").into()) };
    Ok(id_of(item))
}

/// Drains the hierarchy; answers kinds with names (of a Delete: nothing) and the state.
fn hierarchy(client: &mut Client, mut state: Option<String>) -> Any<(Changes, String)> {
    let mut seen = vec![];
    for _ in 0..PAGES_MAX {
        let folder_shape = FolderShape { base_shape: BaseShape::Default };
        let sync_folder_id = Some(known("msgfolderroot"));
        let page = client.one(SyncFolderHierarchy { folder_shape, sync_folder_id, sync_state: state })?;
        seen.extend(page.changes.inner.iter().map(|change| match change {
            sync_folder_hierarchy::Change::Create { folder } => ("Create", read_folder(folder).1),
            sync_folder_hierarchy::Change::Update { folder } => ("Update", read_folder(folder).1),
            sync_folder_hierarchy::Change::Delete { .. } => ("Delete", String::new()),
        }));
        if page.includes_last_folder_in_range {
            return Ok((seen, page.sync_state));
        }
        state = Some(page.sync_state);
    }
    Err("the drain of the hierarchy did not end".into())
}

/// Drains a folder in pages; answers kinds with ids, sorted, the count of pages, and the state.
fn items(client: &mut Client, id: &str, mut state: Option<String>, page_rows: u16) -> Any<(Changes, usize, String)> {
    let mut seen = vec![];
    for pages in 1..PAGES_MAX {
        let page = client.one(SyncFolderItems {
            item_shape: shape(&[]),
            sync_folder_id: folder(id),
            sync_state: state,
            ignore: None,
            max_changes_returned: page_rows,
            sync_scope: None,
        })?;
        seen.extend(page.changes.inner.into_iter().map(|change| match change {
            sync_folder_items::Change::Create { item } => ("Create", id_of(&item)),
            sync_folder_items::Change::Update { item } => ("Update", id_of(&item)),
            sync_folder_items::Change::Delete { item_id } => ("Delete", item_id.id),
            sync_folder_items::Change::ReadFlagChange { item_id, .. } => ("ReadFlagChange", item_id.id),
        }));
        if page.includes_last_item_in_range {
            seen.sort();
            return Ok((seen, pages, page.sync_state));
        }
        state = Some(page.sync_state);
    }
    Err("the drain of the folder did not end".into())
}

fn create(client: &mut Client, parent: &str, message: Message) -> Any<String> {
    let made = client.one(CreateItem {
        message_disposition: Some(MessageDisposition::SaveOnly),
        saved_item_folder_id: Some(folder(parent)),
        items: vec![RealItem::Message(message)],
    })?;
    only_id(&made.items.inner)
}

/// Sets one field, without a change key, as Thunderbird does.
fn set(client: &mut Client, id: &str, uri: &str, message: Message) -> Any<()> {
    let inner = vec![ItemChangeDescription::SetItemField { field_uri: field(uri), message }];
    let item_change = ItemChangeInner { item_id: item(id), updates: Updates { inner } };
    client.one(UpdateItem {
        message_disposition: MessageDisposition::SaveOnly,
        conflict_resolution: Some(ConflictResolution::AlwaysOverwrite),
        item_changes: vec![ItemChange { item_change }],
    })?;
    Ok(())
}

fn get(client: &mut Client, id: &str, fields: &[&str], mime: bool) -> Any<Message> {
    let mut item_shape = shape(fields);
    item_shape.include_mime_content = mime.then_some(true);
    let mut answer = client.one(GetItem { item_shape, item_ids: vec![item(id)] })?;
    Ok(answer.items.inner.pop().ok_or("no item")?.into_inner_message())
}

/// A message as a mail program hands it over, with an attachment of these bytes.
fn mail(number: usize, attachment: &[u8]) -> String {
    format!(
        "From: Anna <anna@example.com>\r\nTo: Bert <bert@example.com>\r\nSubject: Crate {number:02} =?utf-8?Q?=E2=9C=93?=\r\n\
         Date: Mon, 2 Mar 2026 10:00:00 +0000\r\nMessage-ID: <crate-{number}@example.com>\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\
         Body {number}\r\n--b\r\nContent-Type: application/octet-stream; name=\"data.bin\"\r\n\
         Content-Disposition: attachment; filename=\"data.bin\"\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n--b--\r\n",
        BASE64_STANDARD.encode(attachment)
    )
}

/// The folders: as an account is set up, then made, renamed, moved, copied.
fn folders(client: &mut Client) -> Any<(String, String)> {
    let folder_ids =
        ["msgfolderroot", "inbox", "deleteditems", "drafts", "outbox", "sentitems", "junkemail", "archive"];
    let asked = GetFolder {
        folder_shape: FolderShape { base_shape: BaseShape::IdOnly },
        folder_ids: folder_ids.into_iter().map(known).collect(),
    };
    let answers = client.call(asked)?;
    let found = answers.iter().take(7).all(|one| matches!(one, ResponseClass::Success(_)));
    check("seven known folders", found && answers.len() == 8, &answers)?;
    let archive =
        matches!(&answers[7], ResponseClass::Error(error) if error.response_code == ResponseCode::ErrorFolderNotFound);
    check("no archive, said so in its place", archive, &answers[7])?;
    check("the version comes from the answer", String::from(client.version()) != "Exchange2007_SP1", client.version())?;

    let (first, state) = hierarchy(client, None)?;
    let creates = first.iter().all(|(kind, _)| *kind == "Create");
    check("the first hierarchy is of Create alone", creates && first.iter().any(|(_, name)| name == "Inbox"), &first)?;
    let made = client.one(CreateFolder { parent_folder_id: known("inbox"), folders: vec![named("Crate")] })?;
    let id = only_folder(&made.folders.inner)?;
    let (delta, state) = hierarchy(client, Some(state))?;
    check("a new folder is one Create", delta == [("Create", "Crate".into())], &delta)?;
    let updates = FolderUpdates::SetFolderField { field_URI: field("folder:DisplayName"), folder: named("Crate2") };
    let folder_change = FolderChange { folder_id: folder(&id), updates };
    client.one(UpdateFolder { folder_changes: FolderChanges { folder_change } })?;
    let (delta, state) = hierarchy(client, Some(state))?;
    check("a renamed folder is one Update", delta == [("Update", "Crate2".into())], &delta)?;
    step("folder", &[&id, "Crate2"])?;
    let inner = CopyMoveFolderData { to_folder_id: known("drafts"), folder_ids: vec![folder(&id)] };
    client.one(CopyFolder { inner })?;
    let inner = CopyMoveFolderData { to_folder_id: known("msgfolderroot"), folder_ids: vec![folder(&id)] };
    client.one(MoveFolder { inner })?;
    let (mut delta, state) = hierarchy(client, Some(state))?;
    delta.sort();
    let wanted = [("Create", "Crate2".into()), ("Update", "Crate2".into())];
    check("a copied folder is a Create, the moved one an Update", delta == wanted, &delta)?;
    Ok((id, state))
}

fn messages(client: &mut Client, home: &str) -> Any<()> {
    let attachment: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    let mut ids = vec![];
    for number in 0..25 {
        let content = BASE64_STANDARD.encode(mail(number, &attachment));
        let mime_content = Some(MimeContent { character_set: None, content });
        ids.push(create(client, home, Message { mime_content, is_read: Some(false), ..Message::default() })?);
    }
    let all: BTreeSet<_> = ids.iter().cloned().collect();
    let (first, pages, state) = items(client, home, None, 10)?;
    let creates = first.iter().all(|(kind, _)| *kind == "Create");
    let seen: BTreeSet<_> = first.iter().map(|(_, id)| id.clone()).collect();
    check("25 messages in three pages, all Create", creates && seen == all && (pages, first.len()) == (3, 25), &first)?;

    let fields = [
        "item:Subject",
        "item:HasAttachments",
        "item:Attachments",
        "message:IsRead",
        "message:From",
        "message:ToRecipients",
        "message:InternetMessageId",
        "item:InternetMessageHeaders",
        "item:DateTimeSent",
        "item:Size",
        "item:Preview",
    ];
    let read = get(client, &ids[3], &fields, true)?;
    check("the subject", read.subject.as_deref() == Some("Crate 03 ✓"), &read.subject)?;
    check(
        "the Message-ID",
        read.internet_message_id.as_deref() == Some("<crate-3@example.com>"),
        &read.internet_message_id,
    )?;
    let from = read.from.and_then(|one| one.mailbox.email_address);
    check("the sender", from.as_deref() == Some("anna@example.com"), &from)?;
    let to = read.to_recipients.map(|all| all.iter().map(|one| one.mailbox.email_address.clone()).collect::<Vec<_>>());
    check("the recipient", to == Some(vec![Some("bert@example.com".into())]), &to)?;
    let headers = read.internet_message_headers.map(|all| all.internet_message_header).unwrap_or_default();
    check("the headers", headers.iter().any(|one| one.header_name == "Message-ID"), &headers)?;
    check("it is unread, with an attachment", (read.is_read, read.has_attachments) == (Some(false), Some(true)), ())?;
    let attachments = read.attachments.map(|all| all.inner).unwrap_or_default();
    let [Attachment::FileAttachment { attachment_id, name, size, .. }] = attachments.as_slice() else {
        return Err(format!("not one attachment: {attachments:?}").into());
    };
    check("the attachment", name == "data.bin" && size.is_some_and(|size| size >= 10_000), (name, size))?;
    let mime = read.mime_content.map(|mime| mime.content).unwrap_or_default();
    let mime = String::from_utf8(BASE64_STANDARD.decode(mime)?)?;
    let flat = mime.replace(['\r', '\n'], "");
    check("the MIME has the bytes", flat.contains(&BASE64_STANDARD.encode(&attachment)), &mime)?;
    step("attachment", &[&ids[3], &attachment_id.id])?;

    // Changes of every kind.
    set(client, &ids[0], "message:IsRead", Message { is_read: Some(true), ..Message::default() })?;
    let flag = Flag { flag_status: Some(FlagStatus::Flagged), start_date: None, due_date: None, complete_date: None };
    set(client, &ids[1], "item:Flag", Message { flag: Some(flag), ..Message::default() })?;
    set(client, &ids[2], "item:Subject", Message { subject: Some("Changed & <shown>".into()), ..Message::default() })?;
    let to = |name: &str, id: &str| CopyMoveItemData {
        to_folder_id: known(name),
        item_ids: vec![item(id)],
        return_new_item_ids: Some(true),
    };
    let moved = only_id(&client.one(MoveItem { inner: to("drafts", &ids[4]) })?.items.inner)?;
    let copied = only_id(&client.one(CopyItem { inner: to("drafts", &ids[5]) })?.items.inner)?;
    check("a move and a copy give new ids", !all.contains(&moved) && !all.contains(&copied) && moved != copied, ())?;
    for (delete_type, id) in [(DeleteType::HardDelete, &ids[6]), (DeleteType::MoveToDeletedItems, &ids[7])] {
        client.one(DeleteItem {
            delete_type,
            send_meeting_cancellations: None,
            affected_task_occurrences: None,
            suppress_read_receipts: None,
            item_ids: vec![item(id)],
        })?;
    }
    let (delta, _, state) = items(client, home, Some(state), 256)?;
    let mut wanted: Vec<_> = [4, 6, 7].map(|number| ("Delete", ids[number].clone())).into();
    wanted.push(("ReadFlagChange", ids[0].clone()));
    wanted.extend([1, 2].map(|number| ("Update", ids[number].clone())));
    wanted.sort();
    check("a read flag, two updates, three gone", delta == wanted, &delta)?;
    step("delta", &[home, &ids[0], &ids[1], &ids[2], &ids[4], &ids[6], &ids[7]])?;
    let read = get(client, &ids[2], &["item:Subject"], false)?;
    check("the changed subject", read.subject.as_deref() == Some("Changed & <shown>"), &read.subject)?;
    let read = get(client, &ids[1], &["item:Flag"], false)?;
    let status = read.flag.and_then(|flag| flag.flag_status);
    check("the flag", status == Some(FlagStatus::Flagged), &status)?;
    let gone = GetItem { item_shape: shape(&[]), item_ids: vec![item(&ids[6])] };
    let code = client.refused(gone)?;
    check("a deleted item is not found", code == ResponseCode::ErrorItemNotFound, code)?;
    let found = client.one(FindItem {
        traversal: Traversal::Shallow,
        item_shape: shape(&["item:Subject"]),
        view: None,
        parent_folder_ids: vec![folder(home)],
    })?;
    let total = (found.root_folder.total_items_in_view, found.root_folder.items.inner.len());
    check("22 messages are found", total == (Some(22), 22), total)?;
    let broken = SyncFolderItems {
        item_shape: shape(&[]),
        sync_folder_id: folder(home),
        sync_state: Some("AAAA".into()),
        ignore: None,
        max_changes_returned: 10,
        sync_scope: None,
    };
    let code = client.refused(broken)?;
    check("a state that is none", code == ResponseCode::ErrorInvalidSyncStateData, code)?;
    let emptied =
        EmptyFolder { delete_type: DeleteType::HardDelete, delete_sub_folders: true, folder_ids: vec![folder(home)] };
    client.one(emptied)?;
    let (delta, _, _) = items(client, home, Some(state), 256)?;
    let deletes = delta.iter().filter(|(kind, _)| *kind == "Delete").count();
    check("an emptied folder is 22 deletes", (deletes, delta.len()) == (22, 22), &delta)?;
    step("empty", &[home])
}

fn main() -> Any<()> {
    let value = |name: &str| env::var(name).map_err(|_| format!("{name} is not set"));
    let mut client = Client::new(&value("HIGHWATER_URL")?, &value("HIGHWATER_USER")?, &value("HIGHWATER_PASSWORD")?);
    let (home, state) = folders(&mut client)?;
    messages(&mut client, &home)?;
    client.one(DeleteFolder { delete_type: DeleteType::HardDelete, folder_ids: vec![folder(&home)] })?;
    let (delta, _) = hierarchy(&mut client, Some(state))?;
    let kinds: Vec<_> = delta.iter().map(|(kind, _)| *kind).collect();
    check("a deleted folder is one Delete", kinds.iter().filter(|kind| **kind == "Delete").count() == 1, &delta)?;
    println!("ews: done");
    Ok(())
}
