//! `GetItem`, MS-OXWSCORE 3.1.4.4.

use engine::ItemView;
use xml::Node;

use super::Operation;
use crate::context::Views;
use crate::id::{AnyId, ItemRef};
use crate::series;
use crate::shape::{ItemShape, ItemWriter, Purpose};
use crate::{Answer, Context, Failure, Fault, request};

pub(super) struct GetItem {
    shape: ItemShape,
    ids: Vec<Result<AnyId, Failure>>,
}

impl Operation for GetItem {
    const NAME: &'static str = "GetItem";
    const CHILDREN: &'static [&'static str] = &["ItemShape", "ItemIds"];

    fn decode(body: Node<'_>) -> Result<Self, Fault> {
        let shape = ItemShape::read(request::required(body, "ItemShape")?)?;
        Ok(Self { shape, ids: ItemRef::read_batch_any(request::required(body, "ItemIds")?)? })
    }

    async fn run(self, context: &Context<'_>, answer: &mut Answer) -> Result<(), Fault> {
        let mut views = Views::default();
        let mut writer = ItemWriter::new(&self.shape, Purpose::Get, &context.header);
        for id in self.ids {
            let id = id.and_then(|id| self.shape.check(Purpose::Get).map(|()| id));
            let done = match id {
                Ok(id) => write(context, &mut views, &mut writer, &id, answer).await,
                Err(failure) => Err(failure),
            };
            if let Err(failure) = done {
                answer.error_with(&failure, |out| out.empty("m:Items"));
            }
            answer.pause().await;
        }
        Ok(())
    }
}

async fn write(
    context: &Context<'_>,
    views: &mut Views,
    writer: &mut ItemWriter<'_>,
    id: &AnyId,
    answer: &mut Answer,
) -> Result<(), Failure> {
    let (mailbox, view) = views.get(context, &id.item().mailbox).await?;
    let row = view.item(id.item().item).await?;
    let row_view = ItemView::new(&row)?;
    let occurrence = if id.is_plain() { None } else { id.occurrence(series::load(view, row_view).await?.as_ref())? };
    let mut item = writer.load(mailbox.guid(), view, row_view).await?;
    item.occurrence = occurrence;
    answer.success(|out| out.scope("m:Items", |out| writer.write(out, &item)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use model::{ItemFlags, Value, lids, tags};
    use store::faulty::ReadFault;

    use crate::testing::{Answered, World};

    fn ask(world: &World, shape: &str, ids: &[&str]) -> Answered {
        let ids: String = ids.iter().map(|id| format!("<t:ItemId Id=\"{id}\"/>")).collect();
        world.call(&format!("<GetItem><ItemShape>{shape}</ItemShape><ItemIds>{ids}</ItemIds></GetItem>"))
    }

    const MIME: &str = "From: Bob <bob@example.com>\r\nTo: Ann <ann@example.com>, \"C, D\" <cd@example.com>\r\n\
        Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\nDate: Mon, 06 May 2024 07:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n\
        MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n\
        --b\r\nContent-Type: text/plain; name=a.txt\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\nfile\r\n--b--\r\n";

    pub(crate) fn mail(world: &World) -> (String, String) {
        let import = content::message::Import { received: None, now: "2024-05-06T07:08:09Z".parse().unwrap() };
        let content = content::message::parse(MIME.as_bytes().to_vec().into(), &import);
        world.content("inbox", content, ItemFlags::READ)
    }

    #[test]
    fn a_mail_in_each_shape() {
        let world = World::new();
        let (id, key) = mail(&world);
        let only = ask(&world, "<t:BaseShape>IdOnly</t:BaseShape>", &[&id]).success();
        assert_eq!(only.children("Message"), ["ItemId"]);
        assert_eq!(only.attributes("ItemId", "ChangeKey"), [key]);
        let default = ask(&world, "<t:BaseShape>Default</t:BaseShape>", &[&id]).success();
        assert_eq!(default.text("Subject"), "Grüße");
        assert_eq!(default.texts("Body")[1].trim(), "hello");
        assert_eq!(default.texts("EmailAddress"), ["ann@example.com", "cd@example.com", "bob@example.com"]);
        let all = ask(&world, "<t:BaseShape>AllProperties</t:BaseShape>", &[&id]).success();
        assert_eq!(all.text("IsRead"), "true");
        assert_eq!(all.attributes("InternetMessageHeader", "HeaderName")[0], "From");
        assert!(!all.xml.contains("MimeContent"));
        let mime = ask(&world, "<t:BaseShape>IdOnly</t:BaseShape><t:IncludeMimeContent>true</t:IncludeMimeContent>", &[&id]);
        let mime = mime.success();
        assert_eq!(mime.children("Message"), ["MimeContent", "ItemId"]);
    }

    /// Damage of one item is an error of that item, which no repetition cures.
    #[test]
    fn a_damaged_item_fails_alone() {
        let (world, store) = World::faulty();
        let ids: Vec<String> = (0..3).map(|_| mail(&world).0).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let shape = "<t:BaseShape>AllProperties</t:BaseShape><t:IncludeMimeContent>true</t:IncludeMimeContent>";
        for skip in 0..30 {
            store.fail_read(skip, ReadFault::Corrupt);
            let codes = ask(&world, shape, &ids).valid().codes();
            store.heal();
            let failed: Vec<_> = codes.iter().filter(|code| *code != "NoError").collect();
            assert!(codes.len() == 3 && failed.len() <= 1, "{codes:?}");
            assert!(failed.iter().all(|code| *code == "ErrorCorruptData"), "{codes:?}");
        }
        assert!(store.injected() > 9);
        world.damage(&*store, ids[1]);
        let answer = ask(&world, shape, &ids).valid();
        assert_eq!(answer.codes(), ["NoError", "ErrorCorruptData", "NoError"]);
        let found = world.call(
            "<FindItem Traversal=\"Shallow\"><ItemShape><t:BaseShape>Default</t:BaseShape></ItemShape><ParentFolderIds>\
             <t:DistinguishedFolderId Id=\"inbox\"/></ParentFolderIds></FindItem>",
        );
        assert_eq!(found.success().attributes("ItemId", "Id").len(), 3);
    }

    /// An appointment is given out as an iCalendar object; what has no such form is left out, or refused where the
    /// request insists.
    #[test]
    fn mime_content_of_every_kind() {
        let world = World::new();
        let start = Value::Time("2006-08-02T17:30:00Z".parse().unwrap());
        let mime = |class: &str, shape: &str| {
            let properties = [
                (tags::MESSAGE_CLASS, Value::text(class)),
                (tags::SUBJECT, Value::text("Budget Q3")),
                (lids::START_WHOLE, start.clone()),
            ];
            let (id, _) = world.item("inbox", &properties);
            let answer = ask(&world, &format!("<t:BaseShape>IdOnly</t:BaseShape>{shape}"), &[&id]).valid();
            let text = answer.texts("MimeContent").first().map(|text| STANDARD.decode(text).unwrap());
            (answer.codes().remove(0), text.map(|text| String::from_utf8(text).unwrap()).unwrap_or_default())
        };
        let include = "<t:IncludeMimeContent>true</t:IncludeMimeContent>";
        let named = "<t:AdditionalProperties><t:FieldURI FieldURI=\"item:MimeContent\"/></t:AdditionalProperties>";
        for shape in [include, named] {
            let (_, appointment) = mime("IPM.Appointment", shape);
            assert!(appointment.starts_with("BEGIN:VCALENDAR\r\n"), "{appointment}");
            assert!(appointment.contains("\r\nDTSTART:20060802T173000Z\r\n"), "{appointment}");
            let (_, request) = mime("IPM.Schedule.Meeting.Request", shape);
            assert!(request.contains("Subject: Budget Q3\r\n") && request.contains("METHOD:REQUEST\r\n"), "{request}");
            let (_, message) = mime("IPM.Note", shape);
            assert!(message.contains("Subject: Budget Q3\r\n") && !message.contains("VCALENDAR"), "{message}");
        }
        assert_eq!(mime("IPM.Task", include).0, "ErrorUnsupportedMimeConversion");
        assert_eq!(mime("IPM.Task", named), ("NoError".into(), String::new()));
    }

    #[test]
    fn every_class_is_valid_in_every_shape_and_version() {
        let world = World::new();
        let time = Value::Time("2024-05-07T10:00:00Z".parse().unwrap());
        for class in [
            "IPM.Note",
            "IPM.Appointment",
            "IPM.Contact",
            "IPM.DistList",
            "IPM.Task",
            "IPM.Post",
            "IPM.Schedule.Meeting.Request",
            "IPM.Schedule.Meeting.Resp.Neg",
            "IPM.Schedule.Meeting.Canceled",
            "IPM.Schedule.Meeting.Other",
            "IPM.Activity",
        ] {
            let (id, _) = world.item(
                "inbox",
                &[
                    (tags::MESSAGE_CLASS, Value::text(class)),
                    (tags::SUBJECT, Value::text("s")),
                    (tags::BODY, Value::text("b")),
                    (tags::DISPLAY_NAME, Value::text("Ann")),
                    (lids::START_WHOLE, time.clone()),
                    (lids::END_WHOLE, time.clone()),
                    (lids::LOCATION, Value::text("here")),
                    (tags::SENT_REPRESENTING_NAME, Value::text("Bob")),
                    (tags::SENDER_NAME, Value::text("Bob")),
                    (tags::CONVERSATION_TOPIC, Value::text("s")),
                    (tags::CONVERSATION_INDEX, Value::binary(vec![1])),
                    (tags::FLAG_STATUS, Value::I32(2)),
                    (model::PropertyKey::Tag(0x3a08), Value::text("1")),
                    (model::PropertyKey::Tag(0x3a59), Value::text("Rome")),
                    (model::PropertyKey::Lid(model::sets::ADDRESS, 0x8083), Value::text("c@example.com")),
                    (model::PropertyKey::Lid(model::sets::TASK, 0x8102), Value::F64(0.5)),
                ],
            );
            let shape = "<t:BaseShape>AllProperties</t:BaseShape><t:AdditionalProperties>\
                <t:FieldURI FieldURI=\"item:TextBody\"/><t:FieldURI FieldURI=\"item:UniqueBody\"/>\
                <t:FieldURI FieldURI=\"persona:PersonaId\"/>\
                <t:ExtendedFieldURI PropertyTag=\"0x0E23\" PropertyType=\"Integer\"/>\
                <t:ExtendedFieldURI PropertyTag=\"26\" PropertyType=\"String\"/>\
                <t:ExtendedFieldURI DistinguishedPropertySetId=\"Appointment\" PropertyId=\"33293\" PropertyType=\"SystemTime\"/>\
                </t:AdditionalProperties>";
            let answer = ask(&world, shape, &[&id]).success();
            assert!(answer.texts("Value").contains(&class.to_owned()), "{}", answer.xml);
            ask(&world, "<t:BaseShape>Default</t:BaseShape>", &[&id]).success();
        }
    }

    #[test]
    fn items_fail_alone() {
        let world = World::new();
        let (id, _) = world.message("inbox", "a");
        let other = crate::id::item_id(world.caller.mailbox_guid, world.folder("inbox"), model::ItemId(99_999));
        let nobody = crate::id::item_id(model::Guid::NIL, world.folder("inbox"), model::ItemId(1));
        let answer = ask(&world, "<t:BaseShape>Default</t:BaseShape>", &["AAMk=", &other, &id, &nobody, ""]).valid();
        assert_eq!(
            answer.codes(),
            ["ErrorInvalidIdMalformed", "ErrorItemNotFound", "NoError", "ErrorNonExistentMailbox", "ErrorInvalidIdEmpty"]
        );
        assert_eq!(answer.texts("MessageText")[2], "No mailbox with such guid.");
    }

    #[test]
    fn entries_are_asked_for_one_by_one() {
        let world = World::new();
        let (id, _) = mail(&world);
        let shape = "<t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties><t:IndexedFieldURI \
            FieldURI=\"item:InternetMessageHeader\" FieldIndex=\"message-id\"/></t:AdditionalProperties>";
        let answer = ask(&world, shape, &[&id]).success();
        assert_eq!(answer.texts("InternetMessageHeader"), ["<1@example.com>"]);
        let wrong = ask(&world, &shape.replace("item:InternetMessageHeader", "item:Nothing"), &[&id]);
        assert_eq!(wrong.codes(), ["ErrorSchemaValidation"]);
        let wrong = ask(&world, &shape.replace("FieldIndex=\"message-id\"", ""), &[&id]);
        assert_eq!(wrong.codes(), ["ErrorSchemaValidation"]);
    }

    #[test]
    fn long_values_and_pictures_of_a_body_are_found() {
        let world = World::new();
        let long = "<a@example.com> ".repeat(500);
        let mut content = model::ItemContent::default();
        content.bag.set(tags::MESSAGE_CLASS, Value::text("IPM.Note"));
        content.bag.set(tags::INTERNET_REFERENCES, Value::text(long.clone()));
        let mut picture = model::Attachment::default();
        picture.bag.set(tags::ATTACHMENT_HIDDEN, Value::Bool(true));
        picture.bag.set(tags::ATTACH_CONTENT_ID, Value::text("1"));
        picture.content = model::AttachmentContent::File(vec![1].into());
        content.attachments.push(picture);
        let (id, _) = world.content("inbox", content, ItemFlags::default());
        let shape = "<t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties><t:FieldURI FieldURI=\"message:References\"/>\
            <t:FieldURI FieldURI=\"item:HasAttachments\"/><t:FieldURI FieldURI=\"item:Attachments\"/></t:AdditionalProperties>";
        let answer = ask(&world, shape, &[&id]).success();
        assert_eq!(answer.text("References"), long);
        assert_eq!((answer.text("HasAttachments"), answer.text("IsInline")), ("false".into(), "true".into()));
    }

    #[test]
    fn classes_without_such_a_form_are_not_rendered() {
        let world = World::new();
        for (class, code) in [("IPM.Task", "ErrorUnsupportedMimeConversion"), ("IPM.Contact", "NoError"), ("IPM.Post", "NoError")] {
            let (id, _) = world.item("inbox", &[(tags::MESSAGE_CLASS, Value::text(class))]);
            let shape = "<t:BaseShape>IdOnly</t:BaseShape><t:IncludeMimeContent>true</t:IncludeMimeContent>";
            let answer = ask(&world, shape, &[&id]).valid();
            assert_eq!(answer.codes(), [code], "{class}");
            assert_eq!(answer.texts("MimeContent").len(), usize::from(class != "IPM.Task"), "{class}");
            if class == "IPM.Contact" {
                let card = STANDARD.decode(answer.text("MimeContent")).unwrap();
                assert!(card.starts_with(b"BEGIN:VCARD\r\nVERSION:3.0\r\n"));
            }
        }
    }

    #[test]
    fn the_answer_can_wait_on_any_thread() {
        fn is_send<T: Send>(_: &T) {}
        let world = World::new();
        let request = http::Request::new(bytes::Bytes::new());
        is_send(&world.ews.handle(&world.caller, request));
    }

    /// One request for an item of each kind: each comes as the element of its class, in the order asked.
    #[test]
    fn items_of_every_kind_come_in_one_answer() {
        let world = World::new();
        let kinds = [
            ("IPM.Note", "Message"),
            ("IPM.Note.SMIME", "Message"),
            ("REPORT.IPM.Note.NDR", "Message"),
            ("IPM.StickyNote", "Message"),
            ("IPM.Appointment", "CalendarItem"),
            ("IPM.Contact", "Contact"),
            ("IPM.DistList", "DistributionList"),
            ("IPM.Task", "Task"),
            ("IPM.Post", "PostItem"),
            ("IPM.Schedule.Meeting.Request", "MeetingRequest"),
            ("IPM.Schedule.Meeting.Resp.Neg", "MeetingResponse"),
            ("IPM.Schedule.Meeting.Canceled", "MeetingCancellation"),
            ("IPM.Activity", "Item"),
            ("IPM.Own.Kind", "Item"),
            ("", "Item"),
        ];
        let ids: Vec<String> = kinds
            .iter()
            .map(|(class, _)| {
                let class = (tags::MESSAGE_CLASS, Value::text(*class));
                world.item("inbox", &[class, (tags::SUBJECT, Value::text("a"))]).0
            })
            .collect();
        let asked: String = ids.iter().map(|id| format!("<t:ItemId Id=\"{id}\"/>")).collect();
        for base in ["IdOnly", "Default", "AllProperties"] {
            let answer = world
                .call(&format!(
                    "<GetItem><ItemShape><t:BaseShape>{base}</t:BaseShape></ItemShape><ItemIds>{asked}</ItemIds></GetItem>"
                ))
                .success();
            assert_eq!(answer.attributes("ItemId", "Id"), ids, "{base}");
            for (_, element) in kinds {
                let of_kind = kinds.iter().filter(|(_, one)| *one == element).count();
                assert_eq!(answer.texts(element).len(), of_kind, "{element} {base}");
            }
        }
        // What an upload leaves without a class stays without one.
        let parent = world.folder_id("drafts");
        let export = format!("<ExportItems><ItemIds><t:ItemId Id=\"{}\"/></ItemIds></ExportItems>", ids[14]);
        let data = world.call(&export).success().text("Data");
        let upload = format!(
            "<UploadItems><Items><t:Item CreateAction=\"CreateNew\"><t:ParentFolderId Id=\"{parent}\"/><t:Data>{data}</t:Data></t:Item></Items>\
             </UploadItems>"
        );
        let id = world.call(&upload).success().attributes("ItemId", "Id").remove(0);
        let get = format!(
            "<GetItem><ItemShape><t:BaseShape>Default</t:BaseShape></ItemShape><ItemIds><t:ItemId Id=\"{id}\"/></ItemIds></GetItem>"
        );
        assert_eq!(world.call(&get).success().children("Items"), ["Item"]);
    }
}
