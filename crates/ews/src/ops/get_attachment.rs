//! `GetAttachment`, MS-OXWSATT 3.1.4.3.

use bytes::BytesMut;
use engine::{AttachmentOutline, Extent, Held, ItemView, Outline, View};
use model::{Attachment, AttachmentContent, Bag, Guid, ItemContent, ItemId, tags};
use xml::Node;

use super::Operation;
use crate::attachments::{self, AttachmentRef};
use crate::context::Views;
use crate::fields::attachment;
use crate::item::{Item, Place};
use crate::shape::{ItemShape, ItemWriter, Purpose};
use crate::{Answer, Context, Failure, Fault, ResponseCode, class, folder, request};

pub(super) struct GetAttachment {
    shape: ItemShape,
    ids: Vec<Result<AttachmentRef, Failure>>,
}

/// The item that was read last: attachments of one item are mostly asked for together.
struct Loaded {
    place: Place,
    outline: Outline,
}

/// Bytes of a file up to which it is read whole first, so that whatever fails is its own error. Of larger ones the bytes
/// are checked first, and go by pieces.
const WHOLE_BYTES_MAX: u64 = 512 << 10;
/// Bytes of a file that are read at once; a multiple of three, so that pieces of base64 have no padding.
const PIECE_BYTES: usize = 96 << 10;

impl Operation for GetAttachment {
    const NAME: &'static str = "GetAttachment";
    const CHILDREN: &'static [&'static str] = &["AttachmentShape", "AttachmentIds"];

    fn decode(body: Node<'_>) -> Result<Self, Fault> {
        let shape = ItemShape::read_attachment(body.child_local("AttachmentShape"))?;
        let ids = request::batch(request::required(body, "AttachmentIds")?)?;
        Ok(Self { shape, ids: ids.into_iter().map(AttachmentRef::read).collect::<Result<_, _>>()? })
    }

    async fn run(self, context: &Context<'_>, answer: &mut Answer) -> Result<(), Fault> {
        let mut views = Views::default();
        let mut writer = ItemWriter::new(&self.shape, Purpose::Get, &context.header);
        let mut loaded = None;
        for id in self.ids {
            let done = match id.and_then(|id| self.shape.check(Purpose::Get).map(|()| id)) {
                Ok(id) => write(context, &mut views, &mut writer, &mut loaded, &id, answer).await?,
                Err(failure) => Err(failure),
            };
            if let Err(failure) = done {
                answer.error_with(&failure, |out| out.empty("m:Attachments"));
            }
            answer.pause().await;
        }
        Ok(())
    }
}

/// The outer error is one after which the answer cannot be completed.
async fn write(
    context: &Context<'_>,
    views: &mut Views,
    writer: &mut ItemWriter<'_>,
    loaded: &mut Option<Loaded>,
    id: &AttachmentRef,
    answer: &mut Answer,
) -> Result<Result<(), Failure>, Fault> {
    let (guid, view) = match views.get(context, &id.mailbox).await {
        Ok((mailbox, view)) => (mailbox.guid(), view),
        Err(failure) => return Ok(Err(failure)),
    };
    let (place, found) = match find(guid, view, loaded, id).await {
        Ok(found) => found,
        Err(failure) => return Ok(Err(failure)),
    };
    match found {
        Found::Item { bag, inner } => {
            let message_class = inner.bag.text(&tags::MESSAGE_CLASS).unwrap_or_default();
            let needs = writer.needs(class::of_item(message_class));
            let item = Item::embedded(place, id.path.clone(), *inner, needs);
            answer.success(|out| {
                out.scope("m:Attachments", |out| {
                    out.scope("t:ItemAttachment", |out| {
                        attachment::write_head(out, place, &id.path, &bag);
                        writer.write(out, &item);
                    });
                });
            });
        }
        Found::File { bag, extent } => {
            // What fails in the first piece is the error of this attachment alone.
            let mut piece = match view.read(extent, 0, PIECE_BYTES).await {
                Ok(piece) => piece,
                Err(error) => return Ok(Err(error.into())),
            };
            if extent.len() <= WHOLE_BYTES_MAX {
                let mut whole = BytesMut::from(piece);
                while (whole.len() as u64) < extent.len() {
                    match view.read(extent, whole.len() as u64, PIECE_BYTES).await {
                        Ok(piece) => whole.extend_from_slice(&piece),
                        Err(error) => return Ok(Err(error.into())),
                    }
                }
                piece = whole.freeze();
            }
            answer.open_success();
            let out = answer.out();
            out.start("m:Attachments");
            out.start("t:FileAttachment");
            attachment::write_head(out, place, &id.path, &bag);
            out.start("t:Content");
            let mut at = piece.len() as u64;
            answer.out().base64(&piece);
            while at < extent.len() {
                answer.pause().await;
                let read = view.read(extent, at, PIECE_BYTES).await;
                let piece = read.map_err(|error| Fault::from(Failure::from(error)))?;
                at += piece.len() as u64;
                answer.out().base64(&piece);
            }
            (0..3).for_each(|_| answer.out().end());
            answer.close();
        }
    }
    Ok(Ok(()))
}

/// An attachment that holds something.
enum Found {
    File { bag: Bag, extent: Extent },
    Item { bag: Bag, inner: Box<ItemContent> },
}

/// The attachment at the end of a path of numbers, and the place of the item.
async fn find(
    guid: Guid,
    view: &mut View,
    loaded: &mut Option<Loaded>,
    id: &AttachmentRef,
) -> Result<(Place, Found), Failure> {
    let known = loaded.take().filter(|known| known.place.mailbox == guid && known.place.item == id.item);
    let known = match known {
        Some(known) => known,
        None => {
            let row = view.item(id.item).await?;
            let place = folder::place(guid, &ItemView::new(&row)?);
            let outline = view.outline(&row).await?;
            Loaded { place, outline }
        }
    };
    let Loaded { place, outline } = loaded.insert(known);
    // Attachments keep the id that they were listed under.
    let place = Place { folder: id.folder, ..*place };
    let missing = || Failure::new(ResponseCode::ErrorInvalidAttachmentId);
    let mut inner = None;
    let mut places = Vec::with_capacity(id.path.len());
    let mut numbers = id.path.iter().peekable();
    while let Some(number) = numbers.next() {
        let outline = inner.as_ref().unwrap_or(outline);
        let bags = outline.attachments.iter().map(|attachment| &attachment.bag);
        let at = attachments::place(bags, *number).ok_or_else(missing)?;
        places.push(at as u32);
        let AttachmentOutline { bag, held } = outline.attachments.get(at).ok_or_else(missing)?;
        match (held, numbers.peek()) {
            (Held::Item(extent), Some(_)) => inner = Some(view.outline_inside(*extent).await?),
            (Held::Nothing | Held::File(_), Some(_)) => return Err(missing()),
            (Held::Nothing, None) => return Err(ResponseCode::ErrorCannotOpenFileAttachment.into()),
            (Held::File(extent), None) => return Ok((place, Found::File { bag: bag.clone(), extent: *extent })),
            (Held::Item(_), None) => {
                let bag = bag.clone();
                let inner = whole_inside(view, id.item, &places).await?.ok_or_else(missing)?;
                return Ok((place, Found::Item { bag, inner }));
            }
        }
    }
    Err(missing())
}

/// The embedded item at the end of a path of places, with all that it holds.
async fn whole_inside(view: &mut View, item: ItemId, path: &[u32]) -> Result<Option<Box<ItemContent>>, Failure> {
    let Some((first, inner)) = path.split_first() else { return Ok(None) };
    let row = view.item(item).await?;
    let mut at = view.attachment(&row, *first).await?;
    for number in inner {
        let Some(Attachment { content: AttachmentContent::Item(item), .. }) = at else { return Ok(None) };
        at = usize::try_from(*number).ok().and_then(|number| item.attachments.into_iter().nth(number));
    }
    Ok(at.and_then(|found| match found.content {
        AttachmentContent::Item(item) => Some(item),
        AttachmentContent::None | AttachmentContent::File(_) | AttachmentContent::Spooled(_) => None,
    }))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use bytes::Bytes;
    use mapi::entry_id::EntryId;
    use model::{ItemFlags, Value};

    use super::*;
    use crate::id;
    use crate::testing::{Answered, World};

    fn file(name: &str, bytes: &'static [u8]) -> Attachment {
        Attachment {
            bag: [
                (tags::ATTACH_METHOD, Value::I32(1)),
                (tags::ATTACH_LONG_FILENAME, Value::text(name)),
                (tags::ATTACH_MIME_TAG, Value::text("text/plain")),
                (tags::ATTACH_SIZE, Value::I32(bytes.len() as i32)),
            ]
            .into_iter()
            .collect(),
            content: AttachmentContent::File(Bytes::from_static(bytes)),
        }
    }

    fn message(subject: &str, attachments: Vec<Attachment>) -> ItemContent {
        let bag = [
            (tags::SUBJECT, Value::text(subject)),
            (tags::MESSAGE_CLASS, Value::text("IPM.Note")),
            (tags::BODY, Value::text("Good day")),
        ];
        ItemContent { bag: bag.into_iter().collect(), attachments, ..ItemContent::default() }
    }

    fn embedded(item: ItemContent) -> Attachment {
        let bag: Bag =
            [(tags::ATTACH_METHOD, Value::I32(5)), (tags::DISPLAY_NAME, Value::text("mail"))].into_iter().collect();
        Attachment { bag, content: AttachmentContent::Item(Box::new(item)) }
    }

    fn ask(world: &World, shape: &str, ids: &[String]) -> Answered {
        let ids: String = ids.iter().map(|id| format!("<t:AttachmentId Id=\"{id}\"/>")).collect();
        world.call(&format!("<GetAttachment>{shape}<AttachmentIds>{ids}</AttachmentIds></GetAttachment>"))
    }

    /// A message with a file, a message in it that has another file, and something that was not kept; its id.
    fn sample(world: &World) -> String {
        let inner = message("Inner", vec![file("deep.txt", b"deep")]);
        let lost = Attachment { bag: Bag::new(), content: AttachmentContent::None };
        let content = message("Outer", vec![file("a.txt", b"abc"), embedded(inner), lost]);
        world.content("inbox", content, ItemFlags::default()).0
    }

    fn attached(wire: &str, path: &[u32]) -> String {
        let EntryId::Message { mailbox, folder, item } = id::parse(wire).unwrap().entry else { panic!("no item") };
        id::attachment_id(mailbox, folder, item, path)
    }

    #[test]
    fn files_and_items_come_under_the_ids_that_get_item_lists() {
        let world = World::new();
        let id = sample(&world);
        let get = format!(
            "<GetItem><ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>\
             <t:FieldURI FieldURI=\"item:Attachments\"/></t:AdditionalProperties></ItemShape><ItemIds>\
             <t:ItemId Id=\"{id}\"/></ItemIds></GetItem>"
        );
        let listed = world.call(&get).success().attributes("AttachmentId", "Id");
        assert_eq!(listed.len(), 3);
        let answer = ask(&world, "", &listed[..2]).success();
        assert_eq!(answer.attributes("AttachmentId", "Id")[..2], listed[..2]);
        assert_eq!(STANDARD.decode(answer.text("Content")).unwrap(), b"abc");
        assert_eq!(answer.children("ItemAttachment").last().map(String::as_str), Some("Message"));
        assert_eq!(answer.text("Subject"), "Inner");
        // The first one is that of the envelope.
        assert_eq!(answer.texts("Body")[1], "Good day");
        // What lies deeper has an id too.
        let deep = answer.attributes("AttachmentId", "Id").remove(2);
        assert_eq!(deep, attached(&id, &[1, 0]));
        let deep = ask(&world, "", &[deep]).success();
        assert_eq!(STANDARD.decode(deep.text("Content")).unwrap(), b"deep");
    }

    #[test]
    fn a_shape_adds_the_message_itself() {
        let world = World::new();
        let id = sample(&world);
        let shape = "<AttachmentShape><t:IncludeMimeContent>true</t:IncludeMimeContent><t:BodyType>Text</t:BodyType>\
                     </AttachmentShape>";
        let answer = ask(&world, shape, &[attached(&id, &[1])]).success();
        let mime = STANDARD.decode(answer.text("MimeContent")).unwrap();
        assert!(String::from_utf8(mime).unwrap().contains("Subject: Inner"));
    }

    #[test]
    fn attachments_fail_alone() {
        let world = World::new();
        let id = sample(&world);
        let (other, _) = world.message("inbox", "Other");
        let gone = id::attachment_id(world.caller.mailbox_guid, world.folder("inbox"), ItemId(999), &[0]);
        let ids = [
            attached(&id, &[2]),
            attached(&id, &[3]),
            attached(&id, &[0, 0]),
            attached(&id, &[1, 1]),
            attached(&other, &[0]),
            id.clone(),
            world.folder_id("inbox"),
            gone,
            String::new(),
            "AAMk=".to_owned(),
            attached(&id, &[0]),
        ];
        assert_eq!(
            ask(&world, "", &ids).valid().codes(),
            [
                "ErrorCannotOpenFileAttachment",
                "ErrorInvalidAttachmentId",
                "ErrorInvalidAttachmentId",
                "ErrorInvalidAttachmentId",
                "ErrorInvalidAttachmentId",
                "ErrorInvalidAttachmentId",
                "ErrorInvalidAttachmentId",
                "ErrorItemNotFound",
                "ErrorInvalidIdEmpty",
                "ErrorInvalidIdMalformed",
                "NoError",
            ]
        );
        assert_eq!(ask(&world, "", &[]).status, 500);
        let wrong = "<GetAttachment><AttachmentIds><t:ItemId Id=\"x\"/></AttachmentIds></GetAttachment>";
        assert_eq!(world.call(wrong).text("ResponseCode"), "ErrorSchemaValidation");
    }
}
