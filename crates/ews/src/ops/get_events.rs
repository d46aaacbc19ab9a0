//! `GetEvents`, MS-OXWSNTIF 3.1.4.2.

use engine::{Channel, EventPage};
use model::Guid;
use xml::Node;

use super::Operation;
use crate::notification::{self, Form};
use crate::{Answer, Context, Failure, Fault, ResponseCode};

/// Events in one answer, about: those of one change come together.
const EVENTS_MAX: usize = 50;

pub(super) struct GetEvents {
    id: String,
    watermark: String,
}

impl Operation for GetEvents {
    const NAME: &'static str = "GetEvents";
    const CHILDREN: &'static [&'static str] = &["SubscriptionId", "Watermark"];

    fn decode(body: Node<'_>) -> Result<Self, Fault> {
        let token = |name| notification::read_token(body, name);
        Ok(Self { id: token("SubscriptionId")?, watermark: token("Watermark")? })
    }

    async fn run(self, context: &Context<'_>, answer: &mut Answer) -> Result<(), Fault> {
        answer.result(self.events(context).await, |out, (mailbox, page)| {
            let form = Form::Marked { previous: &self.watermark };
            notification::write(out, "m:Notification", &self.id, mailbox, &page, &form);
        });
        Ok(())
    }
}

impl GetEvents {
    async fn events(&self, context: &Context<'_>) -> Result<(Guid, EventPage), Failure> {
        let subscription = notification::open(context, &self.id).await?;
        match subscription.channel() {
            Channel::Pull { .. } => {}
            Channel::Streaming => return Err(ResponseCode::ErrorInvalidPullSubscriptionId.into()),
        }
        let place = subscription.place_of(&notification::bytes_of(&self.watermark))?;
        Ok((subscription.mailbox().guid(), subscription.events(&place, EVENTS_MAX).await?))
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Answered, World, block_on};

    const INBOX: &str = "<t:FolderIds><t:DistinguishedFolderId Id=\"inbox\"/></t:FolderIds>";
    const KINDS: &str = "<t:EventTypes><t:EventType>CopiedEvent</t:EventType><t:EventType>CreatedEvent</t:EventType>\
        <t:EventType>DeletedEvent</t:EventType><t:EventType>ModifiedEvent</t:EventType><t:EventType>MovedEvent\
        </t:EventType><t:EventType>NewMailEvent</t:EventType><t:EventType>FreeBusyChangedEvent</t:EventType></t:EventTypes>";

    fn subscribe(world: &World, attributes: &str, inside: &str) -> Answered {
        world.call(&format!("<Subscribe><PullSubscriptionRequest {attributes}>{inside}</PullSubscriptionRequest></Subscribe>"))
    }

    fn get(world: &World, id: &str, watermark: &str) -> Answered {
        world.call(&format!(
            "<GetEvents><SubscriptionId>{id}</SubscriptionId><Watermark>{watermark}</Watermark></GetEvents>"
        ))
    }

    #[test]
    fn events_since_a_watermark() {
        let world = World::new();
        let made = subscribe(&world, "", &format!("{INBOX}{KINDS}<t:Timeout>10</t:Timeout>")).success();
        assert_eq!(made.children("SubscribeResponseMessage"), ["ResponseCode", "SubscriptionId", "Watermark"]);
        let (id, first) = (made.text("SubscriptionId"), made.text("Watermark"));
        let none = get(&world, &id, &first).success();
        assert_eq!(none.children("Notification"), ["SubscriptionId", "PreviousWatermark", "MoreEvents", "StatusEvent"]);
        assert_eq!((none.text("SubscriptionId"), none.text("PreviousWatermark")), (id.clone(), first.clone()));
        assert_eq!((none.children("StatusEvent"), none.text("MoreEvents")), (vec!["Watermark".into()], "false".into()));
        let (item, _) = world.message("inbox", "a");
        let page = get(&world, &id, &none.text("Watermark")).success();
        assert_eq!(page.children("Notification")[3..], ["CreatedEvent", "ModifiedEvent"]);
        assert_eq!(page.children("CreatedEvent"), ["Watermark", "TimeStamp", "ItemId", "ParentFolderId"]);
        assert_eq!(page.attributes("ItemId", "Id"), std::slice::from_ref(&item));
        assert_eq!(page.attributes("ParentFolderId", "Id")[0], world.folder_id("inbox"));
        assert_eq!(page.attributes("ParentFolderId", "ChangeKey")[0], "AQAAAA==");
        assert_eq!(page.text("TimeStamp"), "2024-05-06T07:08:09Z");
        let last = page.texts("Watermark").pop().unwrap();
        let moved = world.call(&format!(
            "<MoveItem><ToFolderId><t:DistinguishedFolderId Id=\"drafts\"/></ToFolderId><ItemIds><t:ItemId Id=\"{item}\"/>\
             </ItemIds></MoveItem>"
        ));
        let moved = moved.success().attributes("ItemId", "Id");
        let page = get(&world, &id, &last).success();
        assert_eq!(page.children("Notification")[3..], ["MovedEvent", "ModifiedEvent"]);
        assert_eq!(
            page.children("MovedEvent"),
            ["Watermark", "TimeStamp", "ItemId", "ParentFolderId", "OldItemId", "OldParentFolderId"]
        );
        assert_eq!((page.attributes("ItemId", "Id"), page.attributes("OldItemId", "Id")), (moved, vec![item]));
        assert_eq!(page.attributes("ParentFolderId", "Id")[0], world.folder_id("drafts"));
        assert_eq!(page.attributes("OldParentFolderId", "Id")[0], world.folder_id("inbox"));
        assert_eq!(page.children("ModifiedEvent"), ["Watermark", "TimeStamp", "FolderId", "ParentFolderId", "UnreadCount"]);
        assert_eq!(page.text("UnreadCount"), "0");
        let folder = block_on(world.mailbox().move_folder(
            block_on(world.mailbox().create_folder(
                world.folder("inbox"),
                engine::NewFolder { display_name: "New".into(), class: "IPF.Task".into(), ..engine::NewFolder::default() },
            ))
            .unwrap()
            .id(),
            world.folder("drafts"),
        ));
        let last = page.texts("Watermark").pop().unwrap();
        let folder = crate::id::folder_id(world.caller.mailbox_guid, folder.unwrap().id());
        // Made and moved away since: in the folder that is watched it never was.
        assert_eq!(get(&world, &id, &last).success().children("Notification")[3..], ["StatusEvent"]);
        let all = subscribe(&world, "SubscribeToAllFolders=\"true\"", &format!("{KINDS}<t:Watermark>{last}</t:Watermark><t:Timeout>1</t:Timeout>"));
        let all = all.success();
        let page = get(&world, &all.text("SubscriptionId"), &all.text("Watermark")).success();
        assert_eq!(page.children("Notification")[3..], ["CreatedEvent"]);
        assert_eq!(page.attributes("FolderId", "Id"), [folder]);
        // Pages.
        let from = all.text("Watermark");
        for number in 0..60 {
            world.message("inbox", &number.to_string());
        }
        let page = get(&world, &id, &from).success();
        assert_eq!((page.text("MoreEvents"), page.texts("TimeStamp").len()), ("true".to_owned(), 50));
        let page = get(&world, &id, &page.texts("Watermark").pop().unwrap()).success();
        assert_eq!((page.text("MoreEvents"), page.texts("TimeStamp").len()), ("false".to_owned(), 11));
    }

    #[test]
    fn what_cannot_be_served_is_refused() {
        let world = World::new();
        let other = world.beside("bob@example.com", "Bob");
        let made = subscribe(&world, "", &format!("{INBOX}{KINDS}<t:Timeout>10</t:Timeout>")).success();
        let (id, first) = (made.text("SubscriptionId"), made.text("Watermark"));
        let streaming = world.call(&format!(
            "<Subscribe><StreamingSubscriptionRequest>{INBOX}{KINDS}</StreamingSubscriptionRequest></Subscribe>"
        ));
        let streaming = streaming.success().text("SubscriptionId");
        let codes = |answer: Answered| answer.valid().codes();
        for (id, watermark, code) in [
            ("AAA-", &*first, "ErrorInvalidSubscription"),
            (&*first, &*first, "ErrorInvalidSubscription"),
            (&*streaming, &*first, "ErrorInvalidPullSubscriptionId"),
            (&*id, "AAAA", "ErrorInvalidWatermark"),
            (&*id, &*id, "ErrorInvalidWatermark"),
        ] {
            assert_eq!(codes(get(&world, id, watermark)), [code], "{id} {watermark}");
        }
        assert_eq!(codes(get(&other, &id, &first)), ["ErrorSubscriptionAccessDenied"]);
        let timeout = "<t:Timeout>10</t:Timeout>";
        let unknown = INBOX.replace("DistinguishedFolderId Id=\"inbox\"", "DistinguishedFolderId Id=\"archive\"");
        let foreign = INBOX.replace("/></t:F", "><t:Mailbox><t:EmailAddress>bob@example.com</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId></t:F");
        let both = foreign.replace("<t:FolderIds>", "<t:FolderIds><t:DistinguishedFolderId Id=\"inbox\"/>");
        for (attributes, inside, code) in [
            ("", format!("{KINDS}{timeout}"), "ErrorInvalidSubscriptionRequest"),
            ("SubscribeToAllFolders=\"1\"", format!("{INBOX}{KINDS}{timeout}"), "ErrorInvalidSubscriptionRequest"),
            ("", format!("{unknown}{KINDS}{timeout}"), "ErrorFolderNotFound"),
            ("", format!("{foreign}{KINDS}{timeout}"), "ErrorAccessDenied"),
            ("", format!("{both}{KINDS}{timeout}"), "ErrorAccessDenied"),
            ("", format!("{INBOX}{KINDS}<t:Watermark>AAAA</t:Watermark>{timeout}"), "ErrorInvalidWatermark"),
        ] {
            assert_eq!(codes(subscribe(&world, attributes, &inside)), [code], "{inside}");
        }
        let push = world.call(&format!(
            "<Subscribe><PushSubscriptionRequest>{INBOX}{KINDS}<t:StatusFrequency>1</t:StatusFrequency>\
             <t:URL>http://127.0.0.1:1/</t:URL></PushSubscriptionRequest></Subscribe>"
        ));
        assert_eq!(codes(push), ["ErrorInvalidPushSubscriptionUrl"]);
        for wrong in [
            String::new(),
            format!("{INBOX}{timeout}"),
            format!("{INBOX}{KINDS}"),
            format!("{INBOX}{KINDS}<t:Timeout>0</t:Timeout>"),
            format!("{INBOX}{KINDS}<t:Timeout>1441</t:Timeout>"),
            format!("{INBOX}<t:EventTypes/>{timeout}"),
            format!("{INBOX}<t:EventTypes><t:EventType>StatusEvent</t:EventType></t:EventTypes>{timeout}"),
            format!("{INBOX}{KINDS}<t:Watermark/>{timeout}"),
            format!("{INBOX}{KINDS}{timeout}<t:URL>x</t:URL>"),
        ] {
            let answer = subscribe(&world, "", &wrong);
            assert_eq!((answer.status, answer.codes()), (500, vec!["ErrorSchemaValidation".to_owned()]), "{wrong}");
        }
        // Ended once.
        let end = || world.call(&format!("<Unsubscribe><SubscriptionId>{id}</SubscriptionId></Unsubscribe>"));
        assert_eq!(end().success().children("UnsubscribeResponseMessage"), ["ResponseCode"]);
        assert_eq!(codes(end()), ["ErrorSubscriptionNotFound"]);
        assert_eq!(codes(get(&world, &id, &first)), ["ErrorSubscriptionNotFound"]);
    }
}
