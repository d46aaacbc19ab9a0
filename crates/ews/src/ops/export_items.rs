//! `ExportItems`, MS-OXWSBTRF 3.1.4.1.

use engine::ItemView;
use mapi::entry_id::OneOff;
use mapi::fasttransfer;
use model::{AttachmentContent, Bag, ItemContent, Value, tags};
use xml::Node;

use super::Operation;
use crate::context::Views;
use crate::id::{self, ItemRef};
use crate::{Answer, Context, Failure, Fault, ResponseCode, Version, class, request};

/// Bytes of payload in one answer, since answers are built in memory. Items beyond fail alone.
const PAYLOAD_BYTES_MAX: usize = 256 << 20;

/// `PidTagObjectType` of a recipient.
const MAIL_USER: i32 = 6;

pub(super) struct ExportItems {
    ids: Vec<Result<ItemRef, Failure>>,
}

/// One item, exported.
struct Exported {
    /// The id as it was asked for.
    id: String,
    /// The change key: the object type alone, since an export is of no version.
    key: String,
    /// The payload.
    data: Vec<u8>,
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
        let mut left = PAYLOAD_BYTES_MAX;
        for id in self.ids {
            let exported = match id {
                Ok(id) => export(context, &mut views, id, &mut left).await,
                Err(failure) => Err(failure),
            };
            answer.result(exported, |out, item| {
                id::write(out, "m:ItemId", &item.id, Some(&item.key));
                out.scope("m:Data", |out| out.base64(&item.data));
            });
        }
        Ok(())
    }
}

/// Any version will do: an outdated change key is not an error.
async fn export(context: &Context<'_>, views: &mut Views, id: ItemRef, left: &mut usize) -> Result<Exported, Failure> {
    let (_, view) = views.get(context, &id.mailbox).await?;
    let row = view.item(id.item).await?;
    let message_class = ItemView::new(&row)?.bag().text(&tags::MESSAGE_CLASS).unwrap_or_default();
    let key = id::bare_change_key(class::of_item(message_class).object_type);
    let mut content = view.content(&row).await?;
    complete_recipients(&mut content);
    let mut data = Vec::new();
    fasttransfer::encode(&content, row.flags, &mut data);
    *left = left.checked_sub(data.len()).ok_or(ResponseCode::ErrorDataSizeLimitExceeded)?;
    Ok(Exported { id: id.text, key, data })
}

/// Gives recipients what other servers want of them and ours need not have. Embedded items are as deep as the engine
/// let them in.
fn complete_recipients(content: &mut ItemContent) {
    content.recipients.iter_mut().for_each(complete_recipient);
    for attachment in &mut content.attachments {
        if let AttachmentContent::Item(item) = &mut attachment.content {
            complete_recipients(item);
        }
    }
}

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
    use model::{Guid, ItemFlags, ItemId};
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
