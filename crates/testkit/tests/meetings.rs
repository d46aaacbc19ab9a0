//! A meeting between two mailboxes of one server, from invitation to cancellation, as SyncFolderItems shows it to both.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test")]

use testkit::{
    ews::{Ews, item_id, responses},
    schema::Checker,
    server::{ANNA, BERT, TestServer, stores},
    tree::{Reach, Tree},
    watch::Watch,
};

/// One side of the meeting.
struct Side {
    ews: Ews,
    inbox: Watch,
    sent: Watch,
    calendar: Watch,
}

impl Side {
    fn new(server: &TestServer, address: &str, checker: &mut Checker) -> Self {
        let ews = server.ews(address);
        let mut watch = |folder| Watch::new(ews.clone(), folder, checker);
        let (inbox, sent, calendar) = (watch("inbox"), watch("sentitems"), watch("calendar"));
        Self { ews, inbox, sent, calendar }
    }

    /// News of inbox, sent items and calendar, one line each.
    fn news(&mut self, checker: &mut Checker) -> [String; 3] {
        [&mut self.inbox, &mut self.sent, &mut self.calendar].map(|watch| watch.brief(checker).join(", "))
    }
}

fn done(ews: &Ews, request: &str, checker: &mut Checker) -> Tree {
    let answer = ews.call(request);
    checker.ews(&answer);
    assert_eq!(responses(&answer)[0].value("ResponseCode").as_deref(), Some("NoError"), "{answer:?}");
    answer
}

fn respond(ews: &Ews, disposition: &str, kind: &str, id: &str, checker: &mut Checker) -> Vec<String> {
    let reference = item_id(id).replace("ItemId", "ReferenceItemId");
    let answer = done(
        ews,
        &format!(
            "<m:CreateItem MessageDisposition=\"{disposition}\"><m:Items><t:{kind}>{reference}</t:{kind}></m:Items></m:CreateItem>"
        ),
        checker,
    );
    responses(&answer)[0].at("Items").names().into_iter().map(str::to_owned).collect()
}

#[test]
fn a_meeting_from_invitation_to_cancellation() {
    for kind in stores("a_meeting_from_invitation_to_cancellation") {
        let server = TestServer::start(kind);
        let mut checker = Checker::new();
        let mut anna = Side::new(&server, ANNA, &mut checker);
        let mut bert = Side::new(&server, BERT, &mut checker);
        let made = done(
            &anna.ews,
            &format!(
                "<m:CreateItem SendMeetingInvitations=\"SendToAllAndSaveCopy\"><m:Items><t:CalendarItem><t:Subject>Budget Q3</t:Subject>\
                 <t:Start>2026-08-02T17:30:00Z</t:Start><t:End>2026-08-02T19:30:00Z</t:End><t:Location>Conference Room 2</t:Location>\
                 <t:RequiredAttendees><t:Attendee><t:Mailbox><t:EmailAddress>{BERT}</t:EmailAddress></t:Mailbox></t:Attendee>\
                 </t:RequiredAttendees></t:CalendarItem></m:Items></m:CreateItem>"
            ),
            &mut checker,
        );
        let meeting = responses(&made)[0].at("Items/CalendarItem/ItemId").attribute("Id").unwrap().to_owned();
        assert_eq!(
            anna.news(&mut checker),
            ["", "Create MeetingRequest Budget Q3", "Create CalendarItem Budget Q3"].map(str::to_owned)
        );
        let request = bert.inbox.news(&mut checker).remove(0);
        assert_eq!((request.element.as_str(), request.value("IsRead")), ("MeetingRequest", "false"));
        assert_eq!(bert.calendar.brief(&mut checker), ["Create CalendarItem Budget Q3"]);

        let kinds = respond(&bert.ews, "SendAndSaveCopy", "AcceptItem", &request.id, &mut checker);
        assert_eq!(kinds, ["CalendarItem", "MeetingRequest", "MeetingResponse"]);
        // The request has gone to the deleted items; the appointment stands.
        assert_eq!(
            bert.news(&mut checker),
            ["Delete", "Create MeetingResponse Accepted: Budget Q3", "Update CalendarItem Budget Q3"]
                .map(str::to_owned)
        );
        assert_eq!(
            anna.news(&mut checker),
            ["Create MeetingResponse Accepted: Budget Q3", "", "Update CalendarItem Budget Q3"].map(str::to_owned)
        );
        let shape = "<t:BaseShape>AllProperties</t:BaseShape>";
        let got = anna.ews.get_item(&meeting, shape).unwrap();
        checker.ews(&got);
        let attendee = responses(&got)[0].at("Items/CalendarItem/RequiredAttendees/Attendee");
        assert_eq!(attendee.value("ResponseType").as_deref(), Some("Accept"));

        done(
            &anna.ews,
            &format!(
                "<m:UpdateItem ConflictResolution=\"AlwaysOverwrite\" SendMeetingInvitationsOrCancellations=\"SendToAllAndSaveCopy\">\
                 <m:ItemChanges><t:ItemChange>{}<t:Updates><t:SetItemField><t:FieldURI FieldURI=\"calendar:Location\"/><t:CalendarItem>\
                 <t:Location>Room 3</t:Location></t:CalendarItem></t:SetItemField></t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>",
                item_id(&meeting)
            ),
            &mut checker,
        );
        assert_eq!(
            anna.news(&mut checker),
            ["", "Create MeetingRequest Budget Q3", "Update CalendarItem Budget Q3"].map(str::to_owned)
        );
        let entry = bert.calendar.news(&mut checker).remove(0);
        assert_eq!(
            (entry.kind.as_str(), entry.value("Location"), entry.value("MyResponseType")),
            ("Update", "Room 3", "Accept")
        );
        assert_eq!(bert.inbox.brief(&mut checker), ["Create MeetingRequest Budget Q3"]);

        let kinds = respond(&anna.ews, "SendAndSaveCopy", "CancelCalendarItem", &meeting, &mut checker);
        assert_eq!(kinds, ["MeetingCancellation"]);
        let copy = anna.sent.news(&mut checker).remove(0);
        assert_eq!((copy.element.as_str(), copy.value("IsRead")), ("MeetingCancellation", "true"));
        assert_eq!(anna.calendar.brief(&mut checker), ["Delete"]);
        assert_eq!(
            bert.news(&mut checker),
            ["Create MeetingCancellation Canceled: Budget Q3", "", "Update CalendarItem Canceled: Budget Q3"]
                .map(str::to_owned)
        );
        checker.finish();
    }
}
