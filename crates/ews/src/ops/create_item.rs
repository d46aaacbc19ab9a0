//! `CreateItem`, MS-OXWSCORE 3.1.4.2.
//!
//! What is sent is delivered to mailboxes of this server, see `send`. Response objects are read and made by `respond`.

use engine::{ItemRow, ItemView, Mailbox, Own};
use model::{CollectionId, ItemContent, ItemFlags, limits};
use xml::Node;

use super::Operation;
use crate::id::FolderRef;
use crate::new_item::NewItem;
use crate::meeting::{self, Audience, Telling};
use crate::respond::{self, Outlet, Respond};
use crate::{Answer, Context, Failure, Fault, ResponseCode, folder, item, request, send};

pub(super) struct CreateItem {
    disposition: Option<Disposition>,
    /// What attendees are told; `None` where the request does not say.
    invitations: Option<Option<Telling>>,
    folder: Option<Result<FolderRef, Failure>>,
    items: Vec<Result<Entry, Failure>>,
}

/// One element of the request.
enum Entry {
    /// An item.
    New(NewItem),
    /// An answer to an item.
    Respond(Respond),
}

/// What is done with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disposition {
    /// Only stored.
    Save,
    /// Only sent.
    Send,
    /// Sent, and a copy is stored.
    SendAndSave,
}

pub(super) const DISPOSITIONS: &[(&str, Disposition)] = &[
    ("SaveOnly", Disposition::Save),
    ("SendOnly", Disposition::Send),
    ("SendAndSaveCopy", Disposition::SendAndSave),
];

/// What attendees of a new or a deleted meeting are told, by name.
pub(super) const TELLINGS: &[(&str, Option<Telling>)] = &[
    ("SendToNone", None),
    ("SendOnlyToAll", Some(Telling { audience: Audience::All, keep: false })),
    ("SendToAllAndSaveCopy", Some(Telling { audience: Audience::All, keep: true })),
];

impl Operation for CreateItem {
    const NAME: &'static str = "CreateItem";
    const CHILDREN: &'static [&'static str] = &["SavedItemFolderId", "Items"];

    fn decode(body: Node<'_>) -> Result<Self, Fault> {
        let disposition = body.attribute("MessageDisposition");
        let disposition = disposition
            .map(|text| request::enumeration(body, text, "MessageDispositionType", DISPOSITIONS))
            .transpose()?;
        let invitations = body.attribute("SendMeetingInvitations");
        let invitations = invitations
            .map(|text| request::enumeration(body, text, "CalendarItemCreateOrDeleteOperationType", TELLINGS))
            .transpose()?;
        let items = request::batch(request::required(body, "Items")?)?;
        Ok(Self {
            disposition,
            invitations,
            folder: body.child_local("SavedItemFolderId").map(FolderRef::read_target).transpose()?,
            items: items.into_iter().map(Entry::read).collect::<Result<_, _>>()?,
        })
    }

    async fn run(self, context: &Context<'_>, answer: &mut Answer) -> Result<(), Fault> {
        for entry in &self.items {
            let done = match entry {
                Ok(Entry::New(new)) => self.create(context, new).await,
                Ok(Entry::Respond(respond)) => self.respond(context, respond).await,
                Err(failure) => Err(failure.clone()),
            };
            let written = match done {
                Ok((mailbox, rows)) => write(&mailbox, &rows, answer),
                Err(failure) => Err(failure),
            };
            if let Err(failure) = written {
                answer.error_with(&failure, |out| out.empty("m:Items"));
            }
        }
        Ok(())
    }
}

/// Answers with the ids of what was made.
fn write(mailbox: &Mailbox, rows: &[ItemRow], answer: &mut Answer) -> Result<(), Failure> {
    let views = rows.iter().map(ItemView::new).collect::<Result<Vec<_>, _>>()?;
    answer.success(|out| {
        out.scope("m:Items", |out| views.iter().for_each(|view| item::write_id_only(out, mailbox.guid(), *view)));
    });
    Ok(())
}

impl Entry {
    /// Reads an element. The outer error is a fault, the inner one of this element.
    fn read(node: Node<'_>) -> Result<Result<Self, Failure>, Fault> {
        match Respond::read(node)? {
            Some(respond) => Ok(respond.map(Self::Respond)),
            None => Ok(NewItem::read(node)?.map(Self::New)),
        }
    }
}

impl CreateItem {
    /// The folder that the request names, or else the caller's of that name.
    async fn folder(
        &self,
        context: &Context<'_>,
        default: &'static str,
    ) -> Result<(Mailbox, CollectionId), Failure> {
        let folder = match &self.folder {
            Some(folder) => folder.as_ref().map_err(Clone::clone)?.clone(),
            None => FolderRef::own(default),
        };
        folder::open_for_items(context, &folder).await.map_err(saved_folder)
    }

    async fn create(&self, context: &Context<'_>, new: &NewItem) -> Result<(Mailbox, Vec<ItemRow>), Failure> {
        let sent = new.class.field("message:ToRecipients").is_some();
        let disposition = match (sent, self.disposition) {
            (true, Some(disposition)) => disposition,
            (true, None) => return Err(ResponseCode::ErrorMessageDispositionRequired.into()),
            (false, _) => Disposition::Save,
        };
        let (mailbox, folder) = self.folder(context, default_folder(new, disposition)).await?;
        let (content, flags) = new.build(context.engine(), mailbox.owner(), disposition == Disposition::Save);
        if new.class.element == "t:CalendarItem" {
            let telling = self.invitations.ok_or(ResponseCode::ErrorSendMeetingInvitationsRequired)?;
            if let Some(telling) = telling.filter(|_| !meeting::attendees(&content).is_empty()) {
                let row = invite(context, &mailbox, (folder, content, flags), telling).await?;
                return Ok((mailbox, vec![row]));
            }
        }
        let keep = match disposition {
            Disposition::Save => {
                let row = mailbox.create_item(folder, content, flags).await?;
                return Ok((mailbox, vec![row]));
            }
            Disposition::Send => None,
            Disposition::SendAndSave => Some(folder),
        };
        let outgoing = send::prepare(context, content).await?;
        let row = send::send(&mailbox, outgoing, keep, Vec::new()).await?;
        Ok((mailbox, row.into_iter().collect()))
    }

    async fn respond(&self, context: &Context<'_>, respond: &Respond) -> Result<(Mailbox, Vec<ItemRow>), Failure> {
        for _ in 0..limits::CONFLICT_RETRIES_MAX {
            match self.try_respond(context, respond).await {
                // The item that is answered was changed by somebody else; the answer does not depend on that.
                Err(failure) if failure.code == ResponseCode::ErrorIrresolvableConflict => {}
                done => return done,
            }
        }
        Err(ResponseCode::ErrorInternalServerTransientError.into())
    }

    /// What is done with the message of an answer to a meeting.
    async fn outlet(&self, context: &Context<'_>, source: &Mailbox) -> Result<Option<Outlet>, Failure> {
        let Some(disposition) = self.disposition else { return Ok(None) };
        if disposition == Disposition::Send {
            return Ok(Some(Outlet::Send));
        }
        let keeps = disposition == Disposition::SendAndSave;
        let (mailbox, folder) = self.folder(context, if keeps { "sentitems" } else { "drafts" }).await?;
        if mailbox.guid() != source.guid() {
            return Err(ResponseCode::ErrorCrossMailboxMoveCopy.into());
        }
        Ok(Some(if keeps { Outlet::SendAndKeep(folder) } else { Outlet::Draft(folder) }))
    }

    async fn try_respond(&self, context: &Context<'_>, respond: &Respond) -> Result<(Mailbox, Vec<ItemRow>), Failure> {
        let disposition = self.disposition.ok_or(ResponseCode::ErrorMessageDispositionRequired);
        let source = context.mailbox(&respond.reference.mailbox).await?;
        if respond.is_about_meeting() {
            let deed = respond.deed(context, &source, self.outlet(context, &source).await?).await?;
            let rows = source.act(deed.own, deed.sendings).await?;
            return Ok((source, rows.into_iter().skip(deed.unnamed).flatten().collect()));
        }
        let mut view = source.begin().await?;
        let row = view.item(respond.reference.item).await?;
        let original = view.content(&row).await?;
        drop(view);
        let sent = self.disposition.is_some_and(|disposition| disposition != Disposition::Save);
        let Some((content, mark)) = respond.message(context, &original, sent)? else {
            source.act(vec![respond::suppress_receipt(row, &original.bag)?], Vec::new()).await?;
            return Ok((source, Vec::new()));
        };
        let disposition = disposition?;
        let default = if disposition == Disposition::SendAndSave { "sentitems" } else { "drafts" };
        let (mailbox, folder) = self.folder(context, default).await?;
        let keep = match disposition {
            Disposition::Save => {
                let row = mailbox.create_item(folder, content, ItemFlags::READ).await?;
                return Ok((mailbox, vec![row]));
            }
            Disposition::Send => None,
            Disposition::SendAndSave => Some(folder),
        };
        let mut outgoing = send::prepare(context, content).await?;
        if respond.passes_on(&original) {
            meeting::of_organizer(&mut outgoing, &original.bag);
        }
        let mut own = Vec::new();
        if source.guid() == mailbox.guid() {
            own.push(Own::Put { row, properties: mark });
        }
        let copy = send::send(&mailbox, outgoing, keep, own).await?;
        Ok((mailbox, copy.into_iter().collect()))
    }
}

/// Where an item of a kind goes when the request does not say.
const fn default_folder(new: &NewItem, disposition: Disposition) -> &'static str {
    match (new.class.element.as_bytes(), disposition) {
        (b"t:CalendarItem", _) => "calendar",
        (b"t:Contact" | b"t:DistributionList", _) => "contacts",
        (b"t:Task", _) => "tasks",
        (_, Disposition::SendAndSave) => "sentitems",
        (_, Disposition::Save | Disposition::Send) => "drafts",
    }
}

pub(super) fn saved_folder(failure: Failure) -> Failure {
    if failure.code == ResponseCode::ErrorFolderNotFound {
        Failure::new(ResponseCode::ErrorSavedItemFolderNotFound)
    } else {
        failure
    }
}

/// Stores a meeting and invites its attendees.
async fn invite(
    context: &Context<'_>,
    mailbox: &Mailbox,
    (folder, mut content, flags): (CollectionId, ItemContent, ItemFlags),
    telling: Telling,
) -> Result<ItemRow, Failure> {
    let request = meeting::invite(context, &mut content).await?;
    let keep = if telling.keep { Some(mailbox.begin().await?.distinguished("sentitems").await?) } else { None };
    let mut own = vec![Own::Create { folder, content, flags }];
    let sendings = send::post(vec![request], keep, &mut own);
    let rows = mailbox.act(own, sendings).await?;
    rows.into_iter().next().flatten().ok_or_else(|| ResponseCode::ErrorInternalServerError.into())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use crate::testing::{Answered, World};

    fn create(world: &World, attributes: &str, items: &str) -> Answered {
        world.call(&format!("<CreateItem {attributes}><Items>{items}</Items></CreateItem>"))
    }

    fn get(world: &World, id: &str) -> Answered {
        world
            .call(&format!(
                "<GetItem><ItemShape><t:BaseShape>AllProperties</t:BaseShape><t:AdditionalProperties>\
                 <t:ExtendedFieldURI DistinguishedPropertySetId=\"PublicStrings\" PropertyName=\"x\" PropertyType=\"StringArray\"/>\
                 </t:AdditionalProperties></ItemShape><ItemIds><t:ItemId Id=\"{id}\"/></ItemIds></GetItem>"
            ))
            .success()
    }

    #[test]
    fn a_draft_comes_back_as_it_was_given() {
        let world = World::new();
        let made = create(
            &world,
            "MessageDisposition=\"SaveOnly\"",
            "<t:Message><t:ItemClass>IPM.Note.Mine</t:ItemClass><t:Subject>RE: Plan</t:Subject>\
             <t:Sensitivity>Private</t:Sensitivity><t:Body BodyType=\"HTML\">&lt;p&gt;hi&lt;/p&gt;</t:Body>\
             <t:Attachments><t:FileAttachment><t:Name>a.txt</t:Name><t:ContentType>text/plain</t:ContentType>\
             <t:Content>aGVsbG8=</t:Content></t:FileAttachment><t:ItemAttachment><t:Name>inner</t:Name><t:Message>\
             <t:Subject>Inner</t:Subject></t:Message></t:ItemAttachment></t:Attachments>\
             <t:Categories><t:String>red</t:String></t:Categories><t:Importance>High</t:Importance>\
             <t:ExtendedProperty><t:ExtendedFieldURI DistinguishedPropertySetId=\"PublicStrings\" PropertyName=\"x\" \
             PropertyType=\"StringArray\"/><t:Values><t:Value>1</t:Value><t:Value>2</t:Value></t:Values></t:ExtendedProperty>\
             <t:Flag><FlagStatus>Flagged</FlagStatus></t:Flag>\
             <t:ToRecipients><t:Mailbox><t:Name>Bob</t:Name><t:EmailAddress>bob@example.com</t:EmailAddress></t:Mailbox>\
             </t:ToRecipients><t:IsRead>false</t:IsRead></t:Message>",
        )
        .success();
        let got = get(&world, &made.attributes("ItemId", "Id")[0]);
        assert_eq!(got.attributes("ItemId", "ChangeKey"), made.attributes("ItemId", "ChangeKey"));
        for (element, text) in [
            ("ItemClass", "IPM.Note.Mine"),
            ("Subject", "RE: Plan"),
            ("ConversationTopic", "Plan"),
            ("Sensitivity", "Private"),
            ("Importance", "High"),
            ("String", "red"),
            ("FlagStatus", "Flagged"),
            ("DisplayTo", "Bob"),
            ("IsRead", "false"),
            ("IsDraft", "true"),
            ("HasAttachments", "true"),
        ] {
            assert_eq!(got.text(element), text, "{element}");
        }
        assert_eq!(got.texts("Body")[1], "<p>hi</p>");
        assert_eq!(got.children("Attachments"), ["FileAttachment", "ItemAttachment"]);
        assert_eq!(got.texts("Value"), ["1", "2"]);
    }

    #[test]
    fn a_message_given_whole_stays_so() {
        let world = World::new();
        let mime = "Subject: whole\r\nX-Mine: 1\r\n\r\nbody\r\n";
        let encoded = base64::engine::general_purpose::STANDARD.encode(mime);
        let made = create(
            &world,
            "MessageDisposition=\"SaveOnly\"",
            &format!(
                "<t:Message><t:MimeContent>{encoded}</t:MimeContent><t:ExtendedProperty><t:ExtendedFieldURI PropertyTag=\"3591\" \
                 PropertyType=\"Integer\"/><t:Value>1</t:Value></t:ExtendedProperty></t:Message>"
            ),
        )
        .success();
        let id = made.attributes("ItemId", "Id").remove(0);
        let got = world.call(&format!(
            "<GetItem><ItemShape><t:BaseShape>AllProperties</t:BaseShape><t:IncludeMimeContent>true</t:IncludeMimeContent>\
             </ItemShape><ItemIds><t:ItemId Id=\"{id}\"/></ItemIds></GetItem>"
        ));
        let got = got.success();
        assert_eq!(got.text("MimeContent"), encoded);
        assert_eq!((got.text("IsRead"), got.text("IsDraft")), ("true".into(), "false".into()));
    }

    /// Clients repeat what the message says, and the usual values of what it does not say.
    #[test]
    fn a_message_is_written_anew_only_where_the_request_says_otherwise() {
        let world = World::new();
        let mime = "Subject: whole\r\nFrom: Bob <bob@example.com>\r\n\r\nbody\r\n";
        let encoded = base64::engine::general_purpose::STANDARD.encode(mime);
        for (before, after, kept) in [
            ("<t:Subject>whole</t:Subject><t:Sensitivity>Normal</t:Sensitivity><t:Importance>Normal</t:Importance>",
             "<t:IsReadReceiptRequested>false</t:IsReadReceiptRequested><t:From><t:Mailbox><t:Name>Bob</t:Name><t:EmailAddress>\
              bob@example.com</t:EmailAddress></t:Mailbox></t:From><t:IsRead>false</t:IsRead>", true),
            ("<t:Subject>other</t:Subject>", "", false),
            ("<t:Sensitivity>Private</t:Sensitivity>", "", false),
            ("<t:Body BodyType=\"Text\">other</t:Body>", "", false),
            ("<t:Importance>High</t:Importance>", "", false),
            ("", "<t:ToRecipients><t:Mailbox><t:EmailAddress>c@example.com</t:EmailAddress></t:Mailbox></t:ToRecipients>", false),
            ("", "<t:IsReadReceiptRequested>true</t:IsReadReceiptRequested>", false),
        ] {
            let item = format!("<t:Message><t:MimeContent>{encoded}</t:MimeContent>{before}{after}</t:Message>");
            let made = create(&world, "MessageDisposition=\"SaveOnly\"", &item).success();
            let id = made.attributes("ItemId", "Id").remove(0);
            let got = world.call(&format!(
                "<GetItem><ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:IncludeMimeContent>true</t:IncludeMimeContent>\
                 </ItemShape><ItemIds><t:ItemId Id=\"{id}\"/></ItemIds></GetItem>"
            ));
            assert_eq!(got.success().text("MimeContent") == encoded, kept, "{before}{after}");
        }
    }

    #[test]
    fn a_message_may_be_about_a_meeting() {
        let world = World::new();
        let mime = "Subject: Budget Q3\r\nFrom: Dan Park <dpark@example.com>\r\nTo: ann@example.com\r\nMIME-Version: 1.0\r\n\
            Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:1\r\n\
            DTSTART:20060802T173000Z\r\nDTEND:20060802T193000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
        let encoded = base64::engine::general_purpose::STANDARD.encode(mime);
        for (element, stands_as) in [("Message", "MeetingRequest"), ("PostItem", "PostItem")] {
            let item = format!("<t:{element}><t:MimeContent>{encoded}</t:MimeContent></t:{element}>");
            let made = create(&world, "MessageDisposition=\"SaveOnly\"", &item).success();
            assert_eq!(made.children("Items"), [stands_as]);
        }
    }

    #[test]
    fn inviting_makes_a_meeting_and_lists_have_members() {
        let world = World::new();
        let none = "MessageDisposition=\"SaveOnly\" SendMeetingInvitations=\"SendToNone\"";
        let meeting = |attendees: &str| {
            let item = format!("<t:CalendarItem><t:Subject>x</t:Subject>{attendees}</t:CalendarItem>");
            let got = get(&world, &create(&world, none, &item).success().attributes("ItemId", "Id")[0]);
            (got.text("IsMeeting"), got.text("MyResponseType"))
        };
        assert_eq!(meeting(""), ("false".into(), "Unknown".into()));
        let attendees = "<t:RequiredAttendees><t:Attendee><t:Mailbox><t:EmailAddress>b@example.com</t:EmailAddress></t:Mailbox>\
             </t:Attendee></t:RequiredAttendees>";
        assert_eq!(meeting(attendees), ("true".into(), "Organizer".into()));
        let list = "<t:DistributionList><t:DisplayName>Team</t:DisplayName><t:Members><t:Member><t:Mailbox><t:Name>Bob</t:Name>\
             <t:EmailAddress>bob@example.com</t:EmailAddress><t:MailboxType>OneOff</t:MailboxType></t:Mailbox></t:Member>\
             </t:Members></t:DistributionList>";
        let got = get(&world, &create(&world, none, list).success().attributes("ItemId", "Id")[0]);
        assert_eq!((got.text("Name"), got.text("EmailAddress"), got.text("Status")), ("Bob".into(), "bob@example.com".into(), "Normal".into()));
        let nobody = list.replace("<t:EmailAddress>bob@example.com</t:EmailAddress>", "");
        assert_eq!(create(&world, none, &nobody).valid().codes(), ["ErrorInvalidPropertySet"]);
    }

    #[test]
    fn each_kind_goes_to_its_folder() {
        let world = World::new();
        for (item, folder) in [
            ("<t:Item><t:Subject>x</t:Subject></t:Item>", "drafts"),
            (
                "<t:CalendarItem><t:Subject>x</t:Subject><t:Start>2024-01-01T10:00:00Z</t:Start>\
                 <t:End>2024-01-01T11:30:00Z</t:End><t:Location>here</t:Location></t:CalendarItem>",
                "calendar",
            ),
            (
                "<t:Contact><t:GivenName>Ann</t:GivenName><t:EmailAddresses><t:Entry Key=\"EmailAddress1\">a@example.com</t:Entry>\
                 </t:EmailAddresses><t:PhysicalAddresses><t:Entry Key=\"Home\"><t:City>Rome</t:City></t:Entry></t:PhysicalAddresses>\
                 <t:PhoneNumbers><t:Entry Key=\"MobilePhone\">1</t:Entry></t:PhoneNumbers><t:Surname>Lee</t:Surname></t:Contact>",
                "contacts",
            ),
            ("<t:Task><t:Subject>x</t:Subject><t:Status>Completed</t:Status></t:Task>", "tasks"),
        ] {
            let made = create(&world, "MessageDisposition=\"SaveOnly\" SendMeetingInvitations=\"SendToNone\"", item);
            let id = made.success().attributes("ItemId", "Id").remove(0);
            let got = get(&world, &id);
            assert_eq!(got.attributes("ParentFolderId", "Id"), [world.folder_id(folder)], "{item}");
            match folder {
                "calendar" => assert_eq!((got.text("Duration"), got.texts("EmailAddress")[0].clone()), ("PT1H30M".into(), "ann@example.com".into())),
                "contacts" => assert_eq!((got.text("DisplayName"), got.text("City")), ("Ann Lee".into(), "Rome".into())),
                "tasks" => assert_eq!((got.text("PercentComplete"), got.text("IsComplete")), ("100".into(), "true".into())),
                _ => assert_eq!(got.text("ItemClass"), "IPM.Note"),
            }
        }
    }

    #[test]
    fn sending_to_oneself_and_to_nobody() {
        let world = World::new();
        let to = |address: &str| {
            format!(
                "<t:Message><t:Subject>x</t:Subject><t:ToRecipients><t:Mailbox><t:EmailAddress>{address}</t:EmailAddress>\
                 </t:Mailbox></t:ToRecipients></t:Message>"
            )
        };
        let count = |folder: &str| {
            let view = async { world.mailbox().begin().await.unwrap().collection(world.folder(folder)).await.unwrap().items };
            crate::testing::block_on(view)
        };
        let own = create(&world, "MessageDisposition=\"SendAndSaveCopy\"", &to("ann@example.com")).success();
        let got = get(&world, &own.attributes("ItemId", "Id")[0]);
        assert_eq!((got.text("IsDraft"), got.attributes("ParentFolderId", "Id")), ("false".into(), vec![world.folder_id("sentitems")]));
        assert_eq!((count("inbox"), count("sentitems")), (1, 1));
        create(&world, "MessageDisposition=\"SendOnly\"", &to("ann@example.com")).success();
        assert_eq!((count("inbox"), count("sentitems")), (2, 1));
        let other = create(&world, "MessageDisposition=\"SendAndSaveCopy\"", &to("bob@example.com")).valid();
        assert_eq!(other.codes(), ["ErrorInvalidRecipients"]);
        assert!(other.text("MessageText").contains("bob@example.com"), "{}", other.xml);
        assert_eq!((count("inbox"), count("sentitems")), (2, 1));
    }

    #[test]
    fn wrong_items_fail_alone() {
        let world = World::new();
        let save = "MessageDisposition=\"SaveOnly\"";
        let answer = create(
            &world,
            save,
            "<t:Message><t:Size>1</t:Size></t:Message><t:Message><t:Subject>good</t:Subject></t:Message>\
             <t:Message><t:MimeContent>?</t:MimeContent></t:Message><t:ReplyToItem/><t:Message><t:Importance>Huge</t:Importance>\
             </t:Message><t:Message><t:ExtendedProperty><t:ExtendedFieldURI PropertyTag=\"0x0FFF\" PropertyType=\"Binary\"/>\
             <t:Value>AA==</t:Value></t:ExtendedProperty></t:Message>",
        )
        .valid();
        assert_eq!(
            answer.codes(),
            [
                "ErrorInvalidPropertySet",
                "NoError",
                "ErrorMimeContentInvalidBase64String",
                "ErrorMissingInformationReferenceItemId",
                "ErrorInvalidValueForProperty",
                "ErrorInvalidPropertySet"
            ]
        );
        let none = create(&world, "", "<t:Message/>").valid();
        assert_eq!(none.codes(), ["ErrorMessageDispositionRequired"]);
        let nowhere = world.call(
            "<CreateItem MessageDisposition=\"SaveOnly\"><SavedItemFolderId><t:DistinguishedFolderId Id=\"archive\"/>\
             </SavedItemFolderId><Items><t:Message/></Items></CreateItem>",
        );
        assert_eq!(nowhere.codes(), ["ErrorSavedItemFolderNotFound"]);
    }
}
