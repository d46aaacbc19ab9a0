//! `UploadItems`, MS-OXWSBTRF 3.1.4.2.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::{EngineError, ItemView, Mailbox, Precondition};
use mapi::conversation;
use mapi::fasttransfer::{self, Decoded, FastTransferError};
use model::{AttachmentContent, Bag, CollectionId, ItemContent, ItemFlags, Value, limits, tags};
use xml::Node;

use super::Operation;
use crate::id::{self, ChangeKey, FolderRef, ItemRef};
use crate::item::ASSOCIATED;
use crate::{Answer, Context, Failure, Fault, ResponseCode, Version, attachments, class, folder, patch, request};

pub(super) struct UploadItems {
    items: Vec<Upload>,
}

/// One item to store.
struct Upload {
    parent: Result<FolderRef, Failure>,
    /// The item to replace; none where a new one is wanted whatever there is.
    item: Option<Result<ItemRef, Failure>>,
    /// Whether a new one is made where there is none to replace.
    create: bool,
    /// Wins over what the payload says.
    associated: bool,
    /// Or the secret of one that lies outside of memory.
    payload: Vec<u8>,
}

/// A bit of `PidTagMessageFlags` that is known from elsewhere.
const FLAG_ASSOCIATED: i32 = 0x40;

/// Whether an existing item is replaced, and whether a new one may be made.
const ACTIONS: &[(&str, (bool, bool))] =
    &[("CreateNew", (false, true)), ("Update", (true, false)), ("UpdateOrCreate", (true, true))];

impl Operation for UploadItems {
    const NAME: &'static str = "UploadItems";
    const CHILDREN: &'static [&'static str] = &["Items"];
    const SINCE: Version = Version::V2010_SP1;

    fn decode(body: Node<'_>) -> Result<Self, Fault> {
        let items = request::batch(request::required(body, "Items")?)?;
        Ok(Self { items: items.into_iter().map(read).collect::<Result<_, _>>()? })
    }

    async fn run(self, context: &Context<'_>, answer: &mut Answer) -> Result<(), Fault> {
        for item in self.items {
            let stored = upload(context, item).await;
            answer.result(stored, |out, (id, key)| id::write(out, "m:ItemId", &id, Some(&key)));
        }
        Ok(())
    }
}

fn read(node: Node<'_>) -> Result<Upload, Fault> {
    let action = request::attribute(node, "CreateAction")?;
    let (update, create) = request::enumeration(node, action, "CreateActionType", ACTIONS)?;
    let associated = match node.attribute("IsAssociated") {
        None => false,
        Some(text) => request::parse_boolean(text)
            .ok_or_else(|| Fault::value(node, text, "xs:boolean", "The string is not a valid Boolean value."))?,
    };
    let parent = request::required(node, "ParentFolderId")?;
    let parent = FolderRef::by_id(request::attribute(parent, "Id")?, parent.attribute("ChangeKey"));
    let item = if update {
        let item = request::required(node, "ItemId")?;
        request::attribute(item, "Id")?;
        Some(ItemRef::read(item))
    } else {
        None
    };
    Ok(Upload { parent, item, create, associated, payload: read_payload(request::required(node, "Data")?)? })
}

fn read_payload(node: Node<'_>) -> Result<Vec<u8>, Fault> {
    let text = node.text();
    let decoded = STANDARD.decode(text.trim()).ok().or_else(|| decode_lines(&text));
    decoded.ok_or_else(|| Fault::value(node, &text, "xs:base64Binary", "The string is not a valid Base64 value."))
}

/// Decodes base64 with space in it, in the memory of what it decodes to.
fn decode_lines(text: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len() / 4 * 3);
    let mut line = Vec::with_capacity(2 * LINE_BYTES);
    let mut ended = false;
    for piece in text.split_ascii_whitespace().flat_map(|word| word.as_bytes().chunks(LINE_BYTES)) {
        line.extend_from_slice(piece);
        let rest = line.split_off(line.len() / 4 * 4);
        // Nothing may follow the padding.
        if ended || STANDARD.decode_vec(&line, &mut decoded).is_err() {
            return None;
        }
        ended = line.ends_with(b"=");
        line = rest;
    }
    line.is_empty().then_some(decoded)
}

/// Characters of base64 that are decoded at once.
const LINE_BYTES: usize = 4_096;

/// Stores one item; returns its id and change key.
async fn upload(context: &Context<'_>, upload: Upload) -> Result<(String, String), Failure> {
    let (mailbox, parent) = folder::open_for_items(context, &upload.parent?).await?;
    let known = match upload.item.transpose()? {
        Some(item) => {
            let own = context.mailbox(&item.mailbox).await?.guid() == mailbox.guid();
            own.then_some(item)
        }
        None => None,
    };
    let spooled = context.spools.get(&upload.payload);
    let bytes = spooled.map_or(upload.payload.len() as u64, |payload| payload.bytes);
    if bytes > context.settings.upload_bytes_max as u64 {
        return Err(ResponseCode::ErrorMessageSizeExceeded.into());
    }
    let decoded = match spooled {
        Some(payload) => fasttransfer::decode_spooled(payload),
        None => fasttransfer::decode_owned(upload.payload),
    };
    let mut decoded = decoded.map_err(corrupt)?;
    complete(&mut decoded.content, upload.associated);
    let flags = ItemFlags::default().set(ItemFlags::READ, decoded.read).set(ItemFlags::ASSOCIATED, upload.associated);
    let replaced = match known {
        Some(item) => replace(&mailbox, parent, &item, &decoded, flags).await?,
        None => None,
    };
    match replaced {
        Some(stored) => Ok(stored),
        None if upload.create => {
            let row = mailbox.create_item(parent, decoded.content, flags).await?;
            written(&mailbox, ItemView::new(&row)?)
        }
        None => Err(ResponseCode::ErrorItemNotFound.into()),
    }
}

fn corrupt(error: FastTransferError) -> Failure {
    if matches!(error, FastTransferError::Unreadable(_)) {
        return ResponseCode::ErrorInternalServerTransientError.into();
    }
    Failure::text(ResponseCode::ErrorCorruptData, format!("{} ({error})", ResponseCode::ErrorCorruptData.text()))
}

fn written(mailbox: &Mailbox, view: ItemView<'_>) -> Result<(String, String), Failure> {
    let row = view.row();
    let class = class::of_item(view.bag().text(&tags::MESSAGE_CLASS).unwrap_or_default());
    let guid = mailbox.guid();
    Ok((id::item_id(guid, row.collection, row.item), id::change_key(class.object_type, guid, row.seq)))
}

/// Replaces an item with what was sent. `None` where there is none in that folder.
async fn replace(
    mailbox: &Mailbox,
    parent: CollectionId,
    id: &ItemRef,
    decoded: &Decoded,
    flags: ItemFlags,
) -> Result<Option<(String, String)>, Failure> {
    for _ in 0..limits::CONFLICT_RETRIES_MAX {
        let mut view = mailbox.begin().await?;
        let row = match view.item(id.item).await {
            Ok(row) if row.collection == parent => row,
            Ok(_) | Err(EngineError::NoItem(_)) => return Ok(None),
            Err(other) => return Err(other.into()),
        };
        let current = match id.key {
            ChangeKey::Absent | ChangeKey::Bare => true,
            ChangeKey::At(seq) => seq == row.seq,
            ChangeKey::Foreign => false,
        };
        if !current {
            return Err(ResponseCode::ErrorStaleObject.into());
        }
        let mut content = decoded.content.clone();
        let stored = if decoded.replaces_recipients && decoded.replaces_attachments {
            ItemContent { bag: Bag::decode(&row.bag)?, ..ItemContent::default() }
        } else {
            view.content(&row).await?
        };
        drop(view);
        keep(decoded, stored, &mut content);
        match mailbox.replace_item(row.item, Precondition::At(row.seq), content, flags).await {
            Ok(row) => return written(mailbox, ItemView::new(&row)?).map(Some),
            // Somebody else was faster; the key of the request is compared anew.
            Err(EngineError::Stale { .. }) => {}
            Err(EngineError::NoItem(_)) => return Ok(None),
            Err(other) => return Err(other.into()),
        }
    }
    Err(EngineError::Contended.into())
}

/// Keeps of the stored item what the payload leaves alone.
fn keep(decoded: &Decoded, mut stored: ItemContent, content: &mut ItemContent) {
    for key in [tags::CREATION_TIME, tags::SEARCH_KEY] {
        if content.bag.get(&key).is_none() {
            content.bag.put(key.clone(), stored.bag.remove(&key));
        }
    }
    if !decoded.replaces_recipients && decoded.content.recipients.is_empty() {
        content.recipients = stored.recipients;
        patch::set_display_lists(&mut content.bag, &content.recipients);
    }
    if !decoded.replaces_attachments && decoded.content.attachments.is_empty() {
        content.attachments = stored.attachments;
        attachments::set_marks(content);
    }
}

/// Computes what payloads do not carry, in embedded items too; those are as deep as the decoder lets them be.
fn complete(content: &mut ItemContent, associated: bool) {
    let bag = &mut content.bag;
    // An empty class is one, too: such an item is of no known kind.
    if bag.text(&tags::MESSAGE_CLASS).is_none() {
        bag.set(tags::MESSAGE_CLASS, Value::text("IPM.Note"));
    }
    bag.remove(&ASSOCIATED);
    complete_subject(bag);
    let html = bag.get(&tags::HTML).and_then(Value::as_binary);
    if let (Some(html), None) = (html, bag.get(&tags::BODY)) {
        let html = content::html::decode(html, bag.get(&tags::INTERNET_CODEPAGE).and_then(Value::as_i64));
        bag.set(tags::BODY, Value::text(content::html::to_text(&html)));
    }
    let rich = bag.get(&tags::RTF_COMPRESSED).and_then(Value::as_binary);
    if let (Some(rich), None) = (rich, bag.get(&tags::BODY)) {
        let text = content::rtf::read(rich).map(|body| match body {
            content::rtf::Body::Html(html) => content::html::to_text(&html),
            content::rtf::Body::Text(text) => text,
        });
        bag.put(tags::BODY, text.map(Value::text));
    }
    if bag.get(&tags::BODY).is_some() {
        patch::set_preview(bag);
    }
    patch::set_message_flag(bag, FLAG_ASSOCIATED, associated);
    patch::set_display_lists(&mut content.bag, &content.recipients);
    attachments::set_marks(content);
    for attachment in &mut content.attachments {
        if let AttachmentContent::Item(item) = &mut attachment.content {
            complete(item, false);
        }
    }
}

/// Sets the parts of the subject, where they are missing, and the conversation.
fn complete_subject(bag: &mut Bag) {
    if let Some(subject) = bag.text(&tags::SUBJECT).map(str::to_owned) {
        let given = bag.text(&tags::SUBJECT_PREFIX).and_then(|prefix| Some((prefix, subject.strip_prefix(prefix)?)));
        let (prefix, normalized) = given.unwrap_or_else(|| conversation::subject_prefix(&subject));
        let (prefix, normalized) = (Value::text(prefix), Value::text(normalized));
        bag.set(tags::SUBJECT_PREFIX, prefix);
        if bag.get(&tags::NORMALIZED_SUBJECT).is_none() {
            bag.set(tags::NORMALIZED_SUBJECT, normalized);
        }
    }
    let topic = [tags::CONVERSATION_TOPIC, tags::NORMALIZED_SUBJECT]
        .iter()
        .find_map(|key| bag.text(key).filter(|topic| !topic.is_empty()));
    let id = topic.map(|topic| Value::binary(conversation::conversation_id(topic).to_vec()));
    bag.put(tags::CONVERSATION_ID, id);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::{Attachment, Extent, ItemId, MemorySpool, Spool};

    use super::*;
    use crate::testing::{Answered, World, block_on};

    fn recipient(name: &str) -> Bag {
        [
            (tags::RECIPIENT_TYPE, Value::I32(1)),
            (tags::DISPLAY_NAME, Value::text(name)),
            (tags::EMAIL_ADDRESS, Value::text("bob@example.com")),
        ]
        .into_iter()
        .collect()
    }

    fn sample(subject: &str) -> ItemContent {
        let embedded = ItemContent {
            bag: [(tags::SUBJECT, Value::text("Inner"))].into_iter().collect(),
            recipients: vec![recipient("Carl")],
            ..ItemContent::default()
        };
        let bag = [
            (tags::SUBJECT, Value::text(subject)),
            (tags::MESSAGE_CLASS, Value::text("IPM.Note")),
            (tags::HTML, Value::binary(b"<p>Good day</p>".to_vec())),
            (tags::INTERNET_CODEPAGE, Value::I32(65_001)),
            (tags::MESSAGE_FLAGS, Value::I32(0)),
        ];
        let file = Attachment {
            bag: [(tags::ATTACH_LONG_FILENAME, Value::text("a.txt"))].into_iter().collect(),
            content: AttachmentContent::File(bytes::Bytes::from_static(b"abc")),
        };
        let item = Attachment { bag: Bag::new(), content: AttachmentContent::Item(Box::new(embedded)) };
        ItemContent {
            bag: bag.into_iter().collect(),
            recipients: vec![recipient("Bob")],
            attachments: vec![file, item],
            mime: None,
        }
    }

    fn payload(content: &ItemContent) -> String {
        let mut data = Vec::new();
        fasttransfer::encode(content, ItemFlags::READ, &mut data);
        STANDARD.encode(data)
    }

    /// One item of a request.
    fn entry(attributes: &str, parent: &str, item: Option<(&str, Option<&str>)>, data: &str) -> String {
        let item = item.map(|(id, key)| {
            let key = key.map(|key| format!(" ChangeKey=\"{key}\"")).unwrap_or_default();
            format!("<t:ItemId Id=\"{id}\"{key}/>")
        });
        format!(
            "<t:Item {attributes}><t:ParentFolderId Id=\"{parent}\"/>{}<t:Data>{data}</t:Data></t:Item>",
            item.unwrap_or_default()
        )
    }

    fn send(world: &World, entries: &[String]) -> Answered {
        world.call(&format!("<UploadItems><Items>{}</Items></UploadItems>", entries.concat()))
    }

    fn ids(answer: &Answered) -> (String, String) {
        (answer.attributes("ItemId", "Id").remove(0), answer.attributes("ItemId", "ChangeKey").remove(0))
    }

    fn stored(world: &World, wire: &str) -> (ItemContent, ItemFlags) {
        let mapi::entry_id::EntryId::Message { item, .. } = id::parse(wire).unwrap().entry else { panic!("no item") };
        block_on(async {
            let mut view = world.mailbox().begin().await.unwrap();
            let row = view.item(item).await.unwrap();
            (view.content(&row).await.unwrap(), row.flags)
        })
    }

    #[test]
    fn a_new_item_has_all_that_was_exported_and_what_is_computed() {
        let world = World::new();
        let inbox = world.folder_id("inbox");
        let entry = entry("CreateAction=\"CreateNew\"", &inbox, Some(("ignored", None)), &payload(&sample("RE: Hi")));
        let answer = send(&world, &[entry]).success();
        let (id, key) = ids(&answer);
        assert!(key.starts_with("CQAAABYAAA"), "{key}");
        let (content, flags) = stored(&world, &id);
        assert_eq!(flags, ItemFlags::READ);
        for (key, text) in [
            (tags::SUBJECT, "RE: Hi"),
            (tags::SUBJECT_PREFIX, "RE: "),
            (tags::NORMALIZED_SUBJECT, "Hi"),
            (tags::DISPLAY_TO, "Bob"),
            (tags::PREVIEW, "Good day"),
        ] {
            assert_eq!(content.bag.text(&key), Some(text));
        }
        let conversation = Value::binary(conversation::conversation_id("Hi").to_vec());
        assert_eq!(content.bag.get(&tags::CONVERSATION_ID), Some(&conversation));
        assert_eq!(content.bag.get(&tags::HAS_ATTACHMENTS), Some(&Value::Bool(true)));
        assert!(content.bag.get(&tags::MESSAGE_SIZE).is_some());
        assert_eq!(content.recipients, [recipient("Bob")]);
        assert_eq!(content.attachments[0].content, AttachmentContent::File(bytes::Bytes::from_static(b"abc")));
        let AttachmentContent::Item(embedded) = &content.attachments[1].content else { panic!("no item") };
        assert_eq!(embedded.bag.text(&tags::DISPLAY_TO), Some("Carl"));

        let export = format!("<ExportItems><ItemIds><t:ItemId Id=\"{id}\"/></ItemIds></ExportItems>");
        let data = STANDARD.decode(world.call(&export).success().text("Data")).unwrap();
        let again = fasttransfer::decode(&data).unwrap();
        assert!(again.read);
        assert_eq!(again.content.bag.text(&tags::SUBJECT), Some("RE: Hi"));
        assert_eq!(again.content.attachments.len(), 2);
    }

    #[test]
    fn an_update_replaces_the_item_and_keeps_its_id() {
        let world = World::new();
        let inbox = world.folder_id("inbox");
        let (id, key) = world.content("inbox", sample("Old"), ItemFlags::default());
        let new =
            ItemContent { bag: [(tags::SUBJECT, Value::text("New"))].into_iter().collect(), ..ItemContent::default() };
        let update = |action: &str, key: Option<&str>| {
            send(&world, &[entry(&format!("CreateAction=\"{action}\""), &inbox, Some((&id, key)), &payload(&new))])
        };
        let created = stored(&world, &id).0.bag.get(&tags::CREATION_TIME).cloned();
        let answer = update("Update", Some(&key)).success();
        let (same, second) = ids(&answer);
        assert_eq!(same, id);
        assert_ne!(second, key);
        let (content, flags) = stored(&world, &id);
        assert_eq!(content.bag.text(&tags::SUBJECT), Some("New"));
        assert_eq!(content.bag.get(&tags::HTML), None);
        assert_eq!(content.bag.get(&tags::CREATION_TIME).cloned(), created);
        assert!(content.recipients.is_empty() && content.attachments.is_empty());
        assert_eq!(flags, ItemFlags::READ);
        assert_eq!(
            update("UpdateOrCreate", Some("CQAAAA==")).success().attributes("ItemId", "Id"),
            std::slice::from_ref(&id)
        );
        assert_eq!(update("Update", None).success().attributes("ItemId", "Id"), std::slice::from_ref(&id));
        for (action, key, code) in [
            ("Update", key.as_str(), "ErrorStaleObject"),
            ("UpdateOrCreate", key.as_str(), "ErrorStaleObject"),
            ("Update", "x", "ErrorInvalidChangeKey"),
            ("UpdateOrCreate", "", "ErrorInvalidChangeKey"),
        ] {
            assert_eq!(update(action, Some(key)).valid().codes(), [code], "{action} {key}");
        }
    }

    #[test]
    fn what_the_stream_does_not_name_stays() {
        let world = World::new();
        let (id, _) = world.content("inbox", sample("Old"), ItemFlags::default());
        // Only a property, without the directives that clear sub-objects.
        let mut stream = fasttransfer::frame::opening().to_vec();
        let mut body = Vec::new();
        body.extend(0x0003_u16.to_le_bytes());
        body.extend(0x0017_u16.to_le_bytes());
        body.extend(2_u32.to_le_bytes());
        stream.extend(2_u32.to_le_bytes());
        stream.extend((body.len() as u32).to_le_bytes());
        stream.extend(body);
        let inbox = world.folder_id("inbox");
        let entry = entry("CreateAction=\"Update\"", &inbox, Some((&id, None)), &STANDARD.encode(stream));
        send(&world, &[entry]).success();
        let (content, _) = stored(&world, &id);
        assert_eq!(content.bag.get(&tags::IMPORTANCE), Some(&Value::I32(2)));
        assert_eq!(content.bag.get(&tags::SUBJECT), None);
        assert_eq!(content.recipients.len(), 1);
        assert_eq!(content.attachments.len(), 2);
        assert_eq!(content.bag.text(&tags::DISPLAY_TO), Some("Bob"));
    }

    #[test]
    fn an_item_that_is_not_in_the_folder() {
        let world = World::new();
        let (id, _) = world.message("inbox", "Here");
        let drafts = world.folder_id("drafts");
        let gone = id::item_id(world.caller.mailbox_guid, world.folder("inbox"), ItemId(999));
        let data = payload(&sample("X"));
        let answer = send(
            &world,
            &[
                entry("CreateAction=\"Update\"", &drafts, Some((&id, None)), &data),
                entry("CreateAction=\"UpdateOrCreate\"", &drafts, Some((&id, None)), &data),
                entry("CreateAction=\"Update\"", &drafts, Some((&gone, None)), &data),
                entry("CreateAction=\"UpdateOrCreate\"", &drafts, Some((&gone, None)), &data),
            ],
        )
        .valid();
        assert_eq!(answer.codes(), ["ErrorItemNotFound", "NoError", "ErrorItemNotFound", "NoError"]);
        assert!(!answer.attributes("ItemId", "Id").contains(&id));
        assert_eq!(answer.text("MessageText"), "The specified object was not found in the store.");
        assert_eq!(stored(&world, &id).0.bag.text(&tags::SUBJECT), Some("Here"));
    }

    /// A body in rich text alone is shown, found, and exported as it came.
    #[test]
    fn rich_text_has_words() {
        let world = World::new();
        let rich = |rtf: &str| {
            let size = rtf.len() as u32;
            let mut content = sample("Rich");
            content.bag.remove(&tags::BODY);
            content.bag.remove(&tags::HTML);
            let bytes = [&(size + 12).to_le_bytes(), &size.to_le_bytes(), &b"MELA"[..], &[0; 4], rtf.as_bytes()].concat();
            content.bag.set(tags::RTF_COMPRESSED, Value::binary(bytes));
            content
        };
        for (rtf, kind, body) in [
            ("{\\rtf1\\ansi hello\\par world}", "Text", "hello\r\nworld"),
            ("{\\rtf1\\ansi\\fromhtml1 {\\*\\htmltag <p>}hello{\\*\\htmltag </p>}}", "HTML", "<p>hello</p>"),
        ] {
            let content = rich(rtf);
            let inbox = world.folder_id("inbox");
            let answer = send(&world, &[entry("CreateAction=\"CreateNew\"", &inbox, None, &payload(&content))]).success();
            let id = ids(&answer).0;
            let got = world.call(&format!(
                "<GetItem><ItemShape><t:BaseShape>AllProperties</t:BaseShape><t:BodyType>Best</t:BodyType></ItemShape><ItemIds>\
                 <t:ItemId Id=\"{id}\"/></ItemIds></GetItem>"
            ));
            let got = got.success();
            let (texts, kinds) = (got.texts("Body"), got.attributes("Body", "BodyType"));
            assert_eq!((texts.last().unwrap().trim_end(), kinds.last().unwrap().as_str()), (body, kind));
            assert!(got.text("Preview").starts_with("hello"));
            let (stored, _) = stored(&world, &id);
            assert_eq!(stored.bag.get(&tags::RTF_COMPRESSED), content.bag.get(&tags::RTF_COMPRESSED));
            let mut exported = Vec::new();
            fasttransfer::encode(&stored, ItemFlags::default(), &mut exported);
            let exported = fasttransfer::decode(&exported).unwrap().content.bag;
            assert_eq!(exported.get(&tags::RTF_COMPRESSED), content.bag.get(&tags::RTF_COMPRESSED));
        }
    }

    #[test]
    fn the_attribute_decides_about_association() {
        let world = World::new();
        let inbox = world.folder_id("inbox");
        for (attributes, associated) in [
            ("CreateAction=\"CreateNew\" IsAssociated=\"true\"", true),
            ("CreateAction=\"CreateNew\" IsAssociated=\"0\"", false),
            ("CreateAction=\"CreateNew\"", false),
        ] {
            let mut content = sample("X");
            content.bag.set(tags::MESSAGE_FLAGS, Value::I32(if associated { 0 } else { FLAG_ASSOCIATED }));
            content.bag.set(ASSOCIATED, Value::Bool(!associated));
            let answer = send(&world, &[entry(attributes, &inbox, None, &payload(&content))]).success();
            let (content, flags) = stored(&world, &ids(&answer).0);
            assert_eq!(flags.has(ItemFlags::ASSOCIATED), associated);
            let Some(Value::I32(bits)) = content.bag.get(&tags::MESSAGE_FLAGS) else { panic!("no flags") };
            assert_eq!(bits & FLAG_ASSOCIATED != 0, associated);
        }
    }

    #[test]
    fn wrong_items_fail_alone() {
        let world = World::new();
        let inbox = world.folder_id("inbox");
        let data = payload(&sample("X"));
        let item = world.message("inbox", "Item").0;
        let foreign = id::folder_id(model::Guid([7; 16]), CollectionId(2));
        let new = "CreateAction=\"CreateNew\"";
        let answer = send(
            &world,
            &[
                entry(new, &inbox, None, "AAAA"),
                entry(new, &inbox, None, ""),
                entry(new, "AAMk", None, &data),
                entry(new, &item, None, &data),
                entry(new, &foreign, None, &data),
                entry("CreateAction=\"Update\"", &inbox, Some(("", None)), &data),
                entry("CreateAction=\"UpdateOrCreate\"", &inbox, Some(("AAMk", None)), &data),
                entry(new, &inbox, None, &format!("\n  {}\n{}\n", &data[..40], &data[40..])),
            ],
        )
        .valid();
        assert_eq!(
            answer.codes(),
            [
                "ErrorCorruptData",
                "ErrorCorruptData",
                "ErrorInvalidIdMalformed",
                "ErrorInvalidFolderId",
                "ErrorNonExistentMailbox",
                "ErrorInvalidIdEmpty",
                "ErrorInvalidIdMalformed",
                "NoError",
            ]
        );
    }

    /// What the reader of the request put elsewhere is taken from there.
    #[test]
    fn payloads_may_lie_outside_of_memory() {
        let world = World::new();
        let inbox = world.folder_id("inbox");
        let mut content = sample("Spooled");
        let large = bytes::Bytes::from(vec![7; 100_000]);
        content.attachments[0].content = AttachmentContent::File(large.clone());
        let payload = STANDARD.decode(payload(&content)).unwrap();
        let bytes = payload.len() as u64;
        let spool = || -> Arc<dyn Spool> { Arc::new(MemorySpool::from([&b"in front"[..], &payload].concat())) };
        let lost: Arc<dyn Spool> = Arc::new(MemorySpool::default());
        let extent = |spool: Arc<dyn Spool>, bytes: u64| Extent { spool, offset: 8, bytes };
        let limit = world.ews.settings.upload_bytes_max as u64;
        let mut spools = crate::Spools::new();
        let extents =
            [extent(spool(), bytes), extent(lost, bytes), extent(spool(), bytes - 9), extent(spool(), limit + 1)];
        for (secret, extent) in (1..).zip(extents) {
            spools.add([secret; crate::Spools::SECRET_BYTES], extent);
        }
        let entries: String = [2, 3, 4, 1, 5]
            .map(|secret| entry("CreateAction=\"CreateNew\"", &inbox, None, &STANDARD.encode([secret; 32])))
            .concat();
        let body = crate::testing::envelope(
            "<t:RequestServerVersion Version=\"Exchange2016\"/>",
            &format!("<UploadItems><Items>{entries}</Items></UploadItems>"),
        );
        let mut request = http::Request::post("/ews/exchange.asmx").body(bytes::Bytes::from(body)).unwrap();
        request.extensions_mut().insert(spools);
        let answer = world.send_request(&world.caller, request).valid();
        assert_eq!(
            answer.codes(),
            [
                "ErrorInternalServerTransientError",
                "ErrorCorruptData",
                "ErrorMessageSizeExceeded",
                "NoError",
                "ErrorCorruptData"
            ]
        );
        let (content, flags) = stored(&world, &ids(&answer).0);
        assert_eq!((content.bag.text(&tags::SUBJECT), flags), (Some("Spooled"), ItemFlags::READ));
        assert_eq!(content.attachments[0].content, AttachmentContent::File(large));
        let AttachmentContent::Item(embedded) = &content.attachments[1].content else { panic!("no item") };
        assert_eq!(embedded.bag.text(&tags::DISPLAY_TO), Some("Carl"));
    }

    #[test]
    fn what_breaks_the_schema_is_a_fault() {
        let world = World::new();
        let inbox = world.folder_id("inbox");
        let data = payload(&sample("X"));
        for entries in [
            vec![],
            vec![entry("CreateAction=\"CreateNew\"", &inbox, None, "not base64!")],
            vec![entry("CreateAction=\"Update\"", &inbox, None, &data)],
            vec![entry("CreateAction=\"UpdateOrCreate\"", &inbox, None, &data)],
            vec![entry("CreateAction=\"Replace\"", &inbox, None, &data)],
            vec![entry("", &inbox, None, &data)],
            vec![entry("CreateAction=\"CreateNew\" IsAssociated=\"maybe\"", &inbox, None, &data)],
        ] {
            let answer = send(&world, &entries);
            assert_eq!((answer.status, answer.text("ResponseCode")), (500, "ErrorSchemaValidation".into()));
        }
    }
}
