//! `ExportItems`, MS-OXWSBTRF 3.1.4.1.

use bytes::Bytes;
use engine::{AttachmentOutline, Extent, Held, ItemView, Outline, View};
use mapi::entry_id::OneOff;
use mapi::fasttransfer::{Encoder, Kind};
use model::{Bag, Value, tags};
use xml::{Node, Writer};

use super::Operation;
use crate::context::Views;
use crate::id::{self, ItemRef};
use crate::{Answer, Context, Failure, Fault, ResponseCode, Version, class, request};

/// Bytes of attachments up to which an item is exported in memory first, so that whatever fails is its own error. Of
/// larger ones the attachments are checked first, and the rest goes by pieces.
const WHOLE_BYTES_MAX: u64 = 512 << 10;
/// Bytes of an attachment that are read at once.
const PIECE_BYTES: usize = 96 << 10;

/// `PidTagObjectType` of a recipient.
const MAIL_USER: i32 = 6;

pub(super) struct ExportItems {
    ids: Vec<Result<ItemRef, Failure>>,
}

/// One item while it is exported.
struct Export {
    /// The id as it was asked for.
    id: String,
    /// The change key: the object type alone, since an export is of no version.
    key: String,
    /// None when the payload is finished.
    encoder: Option<Encoder>,
    /// The attachments still to be written, of the messages inside one another that are open.
    open: Vec<std::vec::IntoIter<(u32, AttachmentOutline)>>,
    /// The file that is being written.
    file: Option<File>,
    /// Bytes of all attachments.
    attached: u64,
}

/// A file of an attachment while it is written.
struct File {
    extent: Extent,
    at: u64,
    /// Whether its bytes go past the encoder.
    apart: bool,
}

impl Operation for ExportItems {
    const NAME: &'static str = "ExportItems";
    const CHILDREN: &'static [&'static str] = &["ItemIds"];
    const SINCE: Version = Version::V2010_SP1;

    fn decode(body: Node<'_>) -> Result<Self, Fault> {
        Ok(Self { ids: ItemRef::read_batch(request::required(body, "ItemIds")?)? })
    }

    async fn run(self, context: &Context<'_>, answer: &mut Answer) -> Result<(), Fault> {
        let mut views = Views::default();
        for id in self.ids {
            let done = match id {
                Ok(id) => export(context, &mut views, id, answer).await?,
                Err(failure) => Err(failure),
            };
            if let Err(failure) = done {
                answer.error(&failure);
            }
            answer.pause().await;
        }
        Ok(())
    }
}

/// Any version will do: an outdated change key is not an error. The outer error is one after which the answer cannot be
/// completed.
async fn export(
    context: &Context<'_>,
    views: &mut Views,
    id: ItemRef,
    answer: &mut Answer,
) -> Result<Result<(), Failure>, Fault> {
    let view = match views.get(context, &id.mailbox).await {
        Ok((_, view)) => view,
        Err(failure) => return Ok(Err(failure)),
    };
    let mut export = match Export::begin(view, id).await {
        Ok(export) => export,
        Err(failure) => return Ok(Err(failure)),
    };
    if export.attached <= WHOLE_BYTES_MAX {
        let mut data = Vec::new();
        loop {
            match export.next(view).await {
                Ok(Some(piece)) => data.extend_from_slice(&piece),
                Ok(None) => break,
                Err(failure) => return Ok(Err(failure)),
            }
        }
        answer.success(|out| {
            export.write_id(out);
            out.scope("m:Data", |out| out.base64(&data));
        });
        return Ok(Ok(()));
    }
    answer.open_success();
    export.write_id(answer.out());
    answer.out().start("m:Data");
    let mut rest = Vec::new();
    while let Some(piece) = export.next(view).await.map_err(Fault::from)? {
        rest.extend_from_slice(&piece);
        // All but the last piece have no padding.
        let last = rest.split_off(rest.len() / 3 * 3);
        answer.out().base64(&rest);
        rest = last;
        answer.pause().await;
    }
    answer.out().base64(&rest);
    answer.out().end();
    answer.close();
    Ok(Ok(()))
}

impl Export {
    async fn begin(view: &mut View, id: ItemRef) -> Result<Self, Failure> {
        let row = view.item(id.item).await?;
        let message_class = ItemView::new(&row)?.bag().text(&tags::MESSAGE_CLASS).unwrap_or_default();
        let key = id::bare_change_key(class::of_item(message_class).object_type);
        let outline = view.outline(&row).await?;
        let attached = outline.attachments.iter().map(|attachment| attachment.held.extent().map_or(0, Extent::len)).sum();
        let mut export = Self { id: id.text, key, encoder: None, open: Vec::new(), file: None, attached };
        let mut encoder = Encoder::new(row.flags);
        export.open_message(&mut encoder, outline);
        export.encoder = Some(encoder);
        Ok(export)
    }

    fn write_id(&self, out: &mut Writer) {
        id::write(out, "m:ItemId", &self.id, Some(&self.key));
    }

    fn open_message(&mut self, encoder: &mut Encoder, mut outline: Outline) {
        outline.recipients.iter_mut().for_each(complete_recipient);
        encoder.message(&outline.bag, &outline.recipients);
        let attachments: Vec<_> = (0..).zip(outline.attachments).collect();
        self.open.push(attachments.into_iter());
    }

    /// The next piece of the payload, none when it is finished.
    async fn next(&mut self, view: &mut View) -> Result<Option<Bytes>, Failure> {
        let Some(mut encoder) = self.encoder.take() else { return Ok(None) };
        loop {
            let done = encoder.take();
            if !done.is_empty() {
                self.encoder = Some(encoder);
                return Ok(Some(done.into()));
            }
            if let Some(file) = &mut self.file {
                let piece = view.read(file.extent, file.at, PIECE_BYTES).await?;
                file.at += piece.len() as u64;
                let apart = file.apart;
                if !apart {
                    encoder.data(&piece);
                }
                if file.at >= file.extent.len() {
                    self.file = None;
                    encoder.end_data();
                    encoder.end_attachment();
                }
                if apart && !piece.is_empty() {
                    self.encoder = Some(encoder);
                    return Ok(Some(piece));
                }
                continue;
            }
            let Some(attachments) = self.open.last_mut() else { return Ok(Some(encoder.finish().into())) };
            let Some((number, attachment)) = attachments.next() else {
                self.open.pop();
                if !self.open.is_empty() {
                    encoder.end_embedded();
                    encoder.end_attachment();
                }
                continue;
            };
            match attachment.held {
                Held::Nothing => {
                    encoder.begin_attachment(number, &attachment.bag, None);
                    encoder.end_attachment();
                }
                Held::File(extent) => {
                    let length = u32::try_from(extent.len()).map_err(|_| ResponseCode::ErrorDataSizeLimitExceeded)?;
                    encoder.begin_attachment(number, &attachment.bag, Some(Kind::File));
                    let apart = encoder.begin_data(length);
                    self.file = Some(File { extent, at: 0, apart });
                }
                Held::Item(extent) => {
                    encoder.begin_attachment(number, &attachment.bag, Some(Kind::Item));
                    if encoder.begin_embedded() {
                        let outline = view.outline_inside(extent).await?;
                        self.open_message(&mut encoder, outline);
                    } else {
                        encoder.end_attachment();
                    }
                }
            }
        }
    }
}

/// Gives a recipient what other servers want of it and ours need not have.
fn complete_recipient(bag: &mut Bag) {
    let address = [tags::EMAIL_ADDRESS, tags::SMTP_ADDRESS].iter().find_map(|key| bag.text(key));
    let address = address.unwrap_or_default().to_owned();
    let address_type = bag.text(&tags::ADDRESS_TYPE).unwrap_or("SMTP").to_owned();
    let name = bag.text(&tags::DISPLAY_NAME).unwrap_or(&address).to_owned();
    let search_key = format!("{address_type}:{address}\0").to_uppercase();
    let entry = OneOff { name, address_type, address };
    for (key, value) in [
        (tags::ENTRY_ID, Value::binary(entry.encode())),
        (tags::SEARCH_KEY, Value::binary(search_key.into_bytes())),
        (tags::OBJECT_TYPE, Value::I32(MAIL_USER)),
        (tags::DISPLAY_TYPE, Value::I32(0)),
    ] {
        if bag.get(&key).is_none() {
            bag.set(key, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use mapi::fasttransfer;
    use model::{Guid, ItemContent, ItemFlags, ItemId};
    use store::faulty::ReadFault;

    use super::*;
    use crate::testing::World;

    fn ask(ids: &[(&str, Option<&str>)]) -> String {
        let ids: String = ids
            .iter()
            .map(|(id, key)| {
                let key = key.map(|key| format!(" ChangeKey=\"{key}\"")).unwrap_or_default();
                format!("<t:ItemId Id=\"{id}\"{key}/>")
            })
            .collect();
        format!("<ExportItems><ItemIds>{ids}</ItemIds></ExportItems>")
    }

    #[test]
    fn a_damaged_item_fails_alone() {
        let (world, store) = World::faulty();
        let ids: Vec<String> = (0..3).map(|_| world.message("inbox", "a").0).collect();
        let asked: Vec<_> = ids.iter().map(|id| (id.as_str(), None)).collect();
        world.damage(&*store, &ids[1]);
        assert_eq!(world.call(&ask(&asked)).valid().codes(), ["NoError", "ErrorCorruptData", "NoError"]);
        for skip in 0..12 {
            store.fail_read(skip, ReadFault::Corrupt);
            let codes = world.call(&ask(&asked)).valid().codes();
            store.heal();
            assert!(codes.iter().filter(|code| *code == "NoError").count() >= 1, "{codes:?}");
            assert!(codes.iter().all(|code| code == "NoError" || code == "ErrorCorruptData"), "{codes:?}");
        }
        assert!(store.injected() > 3);
    }

    #[test]
    fn an_item_is_exported_as_a_stream_under_the_id_asked_for() {
        let world = World::new();
        let recipient: Bag = [
            (tags::RECIPIENT_TYPE, Value::I32(1)),
            (tags::DISPLAY_NAME, Value::text("Bob")),
            (tags::ADDRESS_TYPE, Value::text("SMTP")),
            (tags::EMAIL_ADDRESS, Value::text("bob@example.com")),
        ]
        .into_iter()
        .collect();
        let bag = [(tags::SUBJECT, Value::text("Hi")), (tags::MESSAGE_CLASS, Value::text("IPM.Note"))];
        let content =
            ItemContent { bag: bag.into_iter().collect(), recipients: vec![recipient], ..ItemContent::default() };
        let (id, key) = world.content("inbox", content, ItemFlags::READ);
        let appointment = world.item("calendar", &[(tags::MESSAGE_CLASS, Value::text("IPM.Appointment"))]).0;
        let answer = world.call(&ask(&[(&id, None), (&id, Some(&key)), (&appointment, None)])).success();
        assert_eq!(answer.attributes("ItemId", "Id"), [id.clone(), id, appointment]);
        assert_eq!(answer.attributes("ItemId", "ChangeKey"), ["CQAAAA==", "CQAAAA==", "DwAAAA=="]);
        let data = STANDARD.decode(answer.text("Data")).unwrap();
        let decoded = fasttransfer::decode(&data).unwrap();
        assert!(decoded.read && decoded.replaces_recipients && decoded.replaces_attachments);
        assert_eq!(decoded.content.bag.text(&tags::SUBJECT), Some("Hi"));
        let bob = &decoded.content.recipients[0];
        assert_eq!(bob.get(&tags::OBJECT_TYPE), Some(&Value::I32(6)));
        assert_eq!(bob.get(&tags::SEARCH_KEY), Some(&Value::binary(b"SMTP:BOB@EXAMPLE.COM\0".to_vec())));
        let entry = OneOff::decode(bob.get(&tags::ENTRY_ID).unwrap().as_binary().unwrap()).unwrap();
        assert_eq!(entry, OneOff::smtp("Bob", "bob@example.com"));
    }

    #[test]
    fn items_fail_alone() {
        let world = World::new();
        let (id, _) = world.message("inbox", "One");
        let other = Guid([7; 16]);
        let foreign = id::item_id(other, world.folder("inbox"), ItemId(1));
        let gone = id::item_id(world.caller.mailbox_guid, world.folder("inbox"), ItemId(999));
        let answer = world
            .call(&ask(&[
                (&id, None),
                (&id, Some("x")),
                (&foreign, None),
                ("", None),
                ("AAMk=", None),
                (&gone, None),
                (&world.folder_id("inbox"), None),
            ]))
            .valid();
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.codes(),
            [
                "NoError",
                "ErrorInvalidChangeKey",
                "ErrorNonExistentMailbox",
                "ErrorInvalidIdEmpty",
                "ErrorInvalidIdMalformed",
                "ErrorItemNotFound",
                "ErrorInvalidId",
            ]
        );
        assert_eq!(answer.attributes("Value", "Name"), ["MailboxGuid"]);
        assert_eq!(answer.text("Value"), other.to_string());
        let texts = answer.texts("MessageText");
        assert_eq!(texts[..2], ["The change key is invalid.", "No mailbox with such guid."]);
    }

    #[test]
    fn an_older_version_is_refused_and_none_is_not() {
        let world = World::new();
        let (id, _) = world.message("inbox", "One");
        let refused = world.call_at("Exchange2010", &ask(&[(&id, None)]));
        assert_eq!((refused.status, refused.text("ResponseCode")), (500, "ErrorIncorrectSchemaVersion".into()));
        assert_eq!(world.call_at("Exchange2010_SP1", &ask(&[(&id, None)])).success().codes(), ["NoError"]);
        let envelope = format!(
            "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:t=\"{}\" xmlns=\"{}\">\
             <s:Body>{}</s:Body></s:Envelope>",
            crate::TYPES,
            crate::MESSAGES,
            ask(&[(&id, None)])
        );
        world.send(&envelope).success();
    }

    #[test]
    fn the_printed_request_with_its_shortened_ids_is_read() {
        let answer = World::new().send(
            "<?xml version=\"1.0\" encoding=\"utf-8\" ?>\n\
             <soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             xmlns:t=\"https://schemas.microsoft.com/exchange/services/2006/types\" \
             xmlns:m=\"https://schemas.microsoft.com/exchange/services/2006/messages\"><soap:Header>\
             <t:RequestServerVersion Version=\"Exchange2010_SP1\" /></soap:Header><soap:Body><m:ExportItems><m:ItemIds>\
             <t:ItemId Id=\"AAMkAGYzZjZmRiUsidkC+NAAAAY89GAAA=\"/><t:ItemId Id=\"AAMkAGYzZjZmRiUsidkC+NAAAAY87NAAA=\"/>\
             </m:ItemIds></m:ExportItems></soap:Body></soap:Envelope>",
        );
        assert_eq!(answer.status, 200);
        assert_eq!(answer.valid().codes(), ["ErrorInvalidIdMalformed", "ErrorInvalidIdMalformed"]);
    }
}
