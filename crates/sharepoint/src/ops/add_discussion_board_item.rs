//! `AddDiscussionBoardItem`: a post of a discussion board, given as a message. \[MS-LISTSWS 3.1.4.2\]

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use content::message::{self, Import};
use engine::{AttachmentExpected, View};
use model::{AttachmentContent, Bag, BagRef, ItemContent, PropertyKey, Value, limits, tags};
use xml::Writer;

use crate::{
    attachments,
    changes::declare_rowset,
    code::Failure,
    fields::Field,
    list_settings,
    names::Names,
    ops::{Answer, Request},
    rows::{Item, META_INFO_PREFIX, Row, RowStyle, write_row},
    schema::List,
    update::{self, Edit, FieldWrite},
    value::Reading,
};

/// The template of discussion boards.
const TEMPLATE: i32 = 108;
/// Bytes of the shortest index of a thread. \[MS-OXOMSG 2.2.1.3\]
const THREAD_INDEX_BYTES_MIN: usize = 22;
/// The entry of the property bag that holds the id of the message.
const MESSAGE_ID: &str = "MessageID";
/// Characters of a title.
const TITLE_CHARS_MAX: usize = 255;

/// Adds a row with the subject, the body, the index of the thread and the files of a message. The id of the message and
/// that index must be there, and no other row of the board may have them; that reads the board once.
pub(super) fn run(request: Request<'_>) -> Answer<'_> {
    Box::pin(async move {
        let context = request.context;
        let mut view = request.view().await?;
        let list = context.list(&mut view, &request.text("listName").unwrap_or_default()).await?;
        if list.template.id != TEMPLATE {
            return Err(Failure::uncoded("The list is not a discussion board."));
        }
        let post = Post::read(&request, message(&request)?)?;
        if post.is_there(&mut view, &list).await? {
            return Err(Failure::uncoded("The discussion board has this message already."));
        }
        drop(view);
        if !post.files.is_empty() && !list_settings::ENABLE_ATTACHMENTS.is_on(&list) {
            return Err(Failure::bad_value("Attachments are turned off in this list."));
        }
        let names = Names::default();
        let reading = Reading { names: &names, now: context.now() };
        let edit = Edit::read(&list, &post.writes(), &reading)?;
        let mut item = update::create(context, &list, &edit, "", &reading).await?;
        let number = item.id.number();
        for (name, bytes) in post.files {
            let written = attachments::write(context, &list, number, &name, bytes, AttachmentExpected::Nothing).await;
            if let Err(failure) = written {
                // All of the message or nothing.
                context.site.delete_row(item.id, None).await?;
                return Err(failure);
            }
        }
        let mut view = request.view().await?;
        item = Item::from(view.item(item.id).await?);
        write_answer(request.out, &mut view, &list, &item).await?;
        Ok(None)
    })
}

async fn write_answer(out: &mut Writer, view: &mut View, list: &List, item: &Item) -> Result<(), Failure> {
    let fields: Vec<&Field> = list.fields.iter().collect();
    let names = Names::of_rows(view, list, std::slice::from_ref(item), &fields).await?;
    out.start("AddDiscussionBoardItemResult");
    out.start("listitems");
    declare_rowset(out);
    out.start("rs:data");
    out.attribute("ItemCount", "1");
    write_row(out, &Row::new(list, item)?, &fields, &RowStyle::default(), &names);
    out.end();
    out.end();
    out.end();
    Ok(())
}

/// The message that a request carries.
fn message(request: &Request<'_>) -> Result<Bytes, Failure> {
    let mut text = request.parameter("message").map(|node| node.text().into_owned()).unwrap_or_default();
    text.retain(|character| !character.is_ascii_whitespace());
    let bytes = STANDARD.decode(text).map_err(|_| {
        Failure::Client("Server was unable to read request. The parameter message is not base64.".to_owned())
    })?;
    Ok(Bytes::from(bytes))
}

/// What a message says.
struct Post {
    title: String,
    /// HTML.
    body: String,
    /// As the row has it: `0x01C7...`.
    thread_index: String,
    message_id: String,
    /// Names, no two the same, with what is in the files.
    files: Vec<(String, Bytes)>,
}

impl Post {
    fn read(request: &Request<'_>, mime: Bytes) -> Result<Self, Failure> {
        let item = message::parse(mime, &Import { received: None, now: request.context.now() });
        let missing = |what: &str| Failure::uncoded(format!("The message has no usable {what}."));
        let id = item.bag.text(&tags::INTERNET_MESSAGE_ID).ok_or_else(|| missing("Message-ID"))?;
        let index = item.bag.get(&tags::CONVERSATION_INDEX).and_then(Value::as_binary);
        let index =
            index.filter(|index| index.len() >= THREAD_INDEX_BYTES_MIN).ok_or_else(|| missing("Thread-Index"))?;
        let mut thread_index = "0x".to_owned();
        for byte in index {
            let _ = write!(thread_index, "{byte:02X}");
        }
        let subject = item.bag.text(&tags::SUBJECT).unwrap_or_default();
        Ok(Self {
            title: subject.chars().take(TITLE_CHARS_MAX).collect(),
            body: body(&item.bag),
            thread_index,
            message_id: id.to_owned(),
            files: files(&item),
        })
    }

    fn writes(&self) -> Vec<FieldWrite> {
        let write = |name: &str, property: Option<&str>, text: &str| FieldWrite {
            name: name.to_owned(),
            property: property.map(str::to_owned),
            text: text.to_owned(),
        };
        vec![
            write("Title", None, &self.title),
            write("Body", None, &self.body),
            write("ThreadIndex", None, &self.thread_index),
            write("MetaInfo", Some(MESSAGE_ID), &self.message_id),
        ]
    }

    /// Whether the board has a row with this index or this id. Reads the board once.
    async fn is_there(&self, view: &mut View, list: &List) -> Result<bool, Failure> {
        let index = PropertyKey::field("ThreadIndex");
        let id = PropertyKey::field(format!("{META_INFO_PREFIX}{MESSAGE_ID}"));
        let mut after = None;
        loop {
            let page = view.rows(list.id(), after, limits::PAGE_ROWS_MAX).await?;
            after = page.rows.last().map(|row| row.item);
            for row in &page.rows {
                let bag = BagRef::new(&row.bag).map_err(engine::EngineError::from)?;
                if bag.text(&index) == Some(&self.thread_index) || bag.text(&id) == Some(&self.message_id) {
                    return Ok(true);
                }
            }
            if !page.more {
                return Ok(false);
            }
        }
    }
}

/// The body as the HTML that rows hold.
fn body(bag: &Bag) -> String {
    match bag.get(&tags::HTML).and_then(Value::as_binary) {
        Some(html) => content::html::decode(html, bag.get(&tags::INTERNET_CODEPAGE).and_then(Value::as_i64)),
        None => content::text::to_html(bag.text(&tags::BODY).unwrap_or_default()),
    }
}

/// The files of a message, and the messages in it as files.
fn files(item: &ItemContent) -> Vec<(String, Bytes)> {
    let mut files: Vec<(String, Bytes)> = Vec::new();
    for (number, attachment) in item.attachments.iter().take(limits::ATTACHMENTS_MAX).enumerate() {
        let (bytes, ending) = match &attachment.content {
            AttachmentContent::File(bytes) => (bytes.clone(), ""),
            AttachmentContent::Item(inner) => match &inner.mime {
                Some(mime) => (mime.clone(), ".eml"),
                None => continue,
            },
            AttachmentContent::Spooled(_) | AttachmentContent::None => continue,
        };
        let bag = &attachment.bag;
        let given = bag.text(&tags::ATTACH_LONG_FILENAME).or(bag.text(&tags::ATTACH_FILENAME)).unwrap_or_default();
        let name = update::leaf(given).unwrap_or_else(|_| format!("attachment {}{ending}", number + 1));
        let taken = files.iter().any(|(other, _)| other.to_lowercase() == name.to_lowercase());
        files.push((if taken { format!("{} {name}", number + 1) } else { name }, bytes));
    }
    files
}
