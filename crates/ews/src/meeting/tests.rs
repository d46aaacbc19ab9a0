use crate::testing::{Answered, World};

const TELL: &str = "SendToAllAndSaveCopy";

struct Two {
    ann: World,
    bob: World,
    /// Ann's appointment.
    meeting: String,
}

fn attendees(kind: &str, addresses: &[&str]) -> String {
    let one = |address: &&str| {
        format!("<t:Attendee><t:Mailbox><t:EmailAddress>{address}</t:EmailAddress></t:Mailbox></t:Attendee>")
    };
    format!("<t:{kind}>{}</t:{kind}>", addresses.iter().map(one).collect::<String>())
}

fn appointment(people: &str) -> String {
    format!(
        "<t:CalendarItem><t:Subject>Budget Q3</t:Subject><t:Body BodyType=\"Text\">agenda</t:Body>\
         <t:ReminderMinutesBeforeStart>10</t:ReminderMinutesBeforeStart><t:Start>2024-08-02T17:30:00Z</t:Start>\
         <t:End>2024-08-02T19:30:00Z</t:End><t:Location>Conference Room 2</t:Location>{people}</t:CalendarItem>"
    )
}

fn create(world: &World, telling: &str, item: &str) -> Answered {
    world.call(&format!("<CreateItem SendMeetingInvitations=\"{telling}\"><Items>{item}</Items></CreateItem>"))
}

/// A meeting of Ann to which Bob is invited.
fn two(telling: &str) -> Two {
    let ann = World::new();
    let bob = ann.beside("bob@example.com", "Bob");
    let made = create(&ann, telling, &appointment(&attendees("RequiredAttendees", &["bob@example.com"]))).success();
    assert_eq!(made.children("Items"), ["CalendarItem"]);
    Two { meeting: made.attributes("ItemId", "Id").remove(0), ann, bob }
}

fn answer(world: &World, disposition: &str, kind: &str, id: &str, before: &str, after: &str) -> Answered {
    world.call(&format!(
        "<CreateItem MessageDisposition=\"{disposition}\"><Items><t:{kind}>{before}<t:ReferenceItemId Id=\"{id}\"/>{after}</t:{kind}>\
         </Items></CreateItem>"
    ))
}

fn update(world: &World, telling: &str, id: &str, uri: &str, property: &str) -> Answered {
    world.call(&format!(
        "<UpdateItem ConflictResolution=\"AlwaysOverwrite\" SendMeetingInvitationsOrCancellations=\"{telling}\"><ItemChanges>\
         <t:ItemChange><t:ItemId Id=\"{id}\"/><t:Updates><t:SetItemField><t:FieldURI FieldURI=\"{uri}\"/><t:CalendarItem>{property}\
         </t:CalendarItem></t:SetItemField></t:Updates></t:ItemChange></ItemChanges></UpdateItem>"
    ))
}

fn last(world: &World, folder: &str) -> Answered {
    world.get(world.ids(folder).last().unwrap())
}

fn last_id(world: &World, folder: &str) -> String {
    world.ids(folder).pop().unwrap()
}

fn says(answer: &Answered, values: &[(&str, &str)]) {
    for (element, value) in values {
        assert_eq!(answer.text(element), *value, "{element} in {}", answer.xml);
    }
}

#[test]
fn an_invitation_stands_in_both_calendars() {
    let Two { ann, bob, meeting } = two(TELL);
    let own = ann.get(&meeting);
    says(
        &own,
        &[
            ("IsMeeting", "true"),
            ("IsOrganizer", "true"),
            ("MeetingRequestWasSent", "true"),
            ("MyResponseType", "Organizer"),
            ("AppointmentSequenceNumber", "0"),
            ("AppointmentState", "1"),
            ("ResponseType", "Unknown"),
        ],
    );
    assert_eq!(own.children("ResponseObjects"), ["CancelCalendarItem", "ForwardItem"]);
    let copy = last(&ann, "sentitems");
    assert_eq!(copy.children("Items"), ["MeetingRequest"]);
    says(
        &copy,
        &[
            ("Subject", "Budget Q3"),
            ("IsOutOfDate", "false"),
            ("HasBeenProcessed", "true"),
            ("ResponseType", "NoResponseReceived"),
            ("IntendedFreeBusyStatus", "Busy"),
            ("Location", "Conference Room 2"),
            ("IsRead", "true"),
            ("IsOrganizer", "true"),
        ],
    );
    assert_eq!(copy.attributes("AssociatedCalendarItemId", "Id").concat(), meeting);
    assert_eq!(copy.children("ResponseObjects"), ["ReplyToItem", "ReplyAllToItem", "ForwardItem"]);
    let request = last(&bob, "inbox");
    assert_eq!(request.children("Items"), ["MeetingRequest"]);
    says(
        &request,
        &[
            ("ItemClass", "IPM.Schedule.Meeting.Request"),
            ("IsRead", "false"),
            ("IsOrganizer", "false"),
            ("MeetingRequestType", "NewMeetingRequest"),
            ("Start", "2024-08-02T17:30:00Z"),
            ("End", "2024-08-02T19:30:00Z"),
            ("UID", &own.text("UID")),
            ("Duration", "PT2H"),
        ],
    );
    assert_eq!(
        request.children("ResponseObjects"),
        ["AcceptItem", "TentativelyAcceptItem", "DeclineItem", "ReplyToItem", "ReplyAllToItem", "ForwardItem"]
    );
    let calendar = bob.ids("calendar");
    assert_eq!(request.attributes("AssociatedCalendarItemId", "Id"), calendar);
    let theirs = bob.get(&calendar[0]);
    says(
        &theirs,
        &[
            ("UID", &own.text("UID")),
            ("LegacyFreeBusyStatus", "Tentative"),
            ("IntendedFreeBusyStatus", "Busy"),
            ("MyResponseType", "NoResponseReceived"),
            ("AppointmentState", "3"),
            ("IsOrganizer", "false"),
            ("Location", "Conference Room 2"),
            ("ReminderMinutesBeforeStart", "10"),
            ("IsDraft", "false"),
        ],
    );
    assert_eq!(theirs.texts("Body")[1], "agenda");
    let people = theirs.texts("EmailAddress");
    assert!(
        people.contains(&"ann@example.com".to_owned()) && people.contains(&"bob@example.com".to_owned()),
        "{people:?}"
    );
    // The message is one of iCalendar for others.
    let mime = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, request.text("MimeContent")).unwrap();
    let mime = String::from_utf8(mime).unwrap();
    for piece in [
        "text/calendar",
        "method=REQUEST",
        "METHOD:REQUEST",
        "UID:",
        "DTSTART:20240802T173000Z",
        "mailto:bob@example.com",
    ] {
        assert!(mime.contains(piece), "{piece} in {mime}");
    }
}

#[test]
fn invitations_go_as_the_request_says() {
    let Two { ann, bob, .. } = two("SendToNone");
    assert_eq!((ann.count("sentitems"), bob.count("inbox"), bob.count("calendar")), (0, 0, 0));
    let Two { ann, bob, .. } = two("SendOnlyToAll");
    assert_eq!((ann.count("sentitems"), bob.count("inbox"), bob.count("calendar")), (0, 1, 1));
    let people = attendees("RequiredAttendees", &["bob@example.com", "nobody@example.com"]);
    let refused = create(&ann, TELL, &appointment(&people)).valid();
    assert_eq!(refused.codes(), ["ErrorInvalidRecipients"]);
    assert!(refused.text("MessageText").contains("nobody@example.com"));
    assert_eq!((ann.count("calendar"), bob.count("inbox")), (1, 1));
    // Who organises is not invited.
    let people = attendees("RequiredAttendees", &["ann@example.com"]);
    create(&ann, TELL, &appointment(&people)).success();
    assert_eq!((ann.count("calendar"), ann.count("inbox"), ann.count("sentitems")), (2, 0, 0));
    // Optional attendees and resources are told too, and everybody sees them.
    let cid = ann.beside("cid@example.com", "Cid");
    let room = ann.beside("room@example.com", "Room");
    let people = attendees("OptionalAttendees", &["cid@example.com"]) + &attendees("Resources", &["room@example.com"]);
    create(&ann, TELL, &appointment(&people)).success();
    let got = last(&cid, "inbox");
    assert_eq!(
        (got.children("OptionalAttendees"), got.children("Resources")),
        (vec!["Attendee".into()], vec!["Attendee".into()])
    );
    assert_eq!(room.count("calendar"), 1);
}

#[test]
fn an_answer_is_noted_at_its_attendee() {
    for (kind, name, class, subject, busy) in [
        ("AcceptItem", "Accept", "IPM.Schedule.Meeting.Resp.Pos", "Accepted: Budget Q3", "Busy"),
        ("TentativelyAcceptItem", "Tentative", "IPM.Schedule.Meeting.Resp.Tent", "Tentative: Budget Q3", "Tentative"),
        ("DeclineItem", "Decline", "IPM.Schedule.Meeting.Resp.Neg", "Declined: Budget Q3", "Free"),
    ] {
        let Two { ann, bob, meeting } = two(TELL);
        let request = last_id(&bob, "inbox");
        let body = "<t:Body BodyType=\"Text\">gladly</t:Body>";
        let done =
            answer(&bob, TELL.replace("SendToAllAndSaveCopy", "SendAndSaveCopy").as_str(), kind, &request, body, "")
                .success();
        assert_eq!(done.children("Items"), ["CalendarItem", "MeetingRequest", "MeetingResponse"]);
        let ids = done.attributes("ItemId", "Id");
        let theirs = bob.get(&ids[0]);
        says(
            &theirs,
            &[
                ("MyResponseType", name),
                ("LegacyFreeBusyStatus", busy),
                ("AppointmentReplyTime", "2024-05-06T07:08:09Z"),
            ],
        );
        let folder = if kind == "DeclineItem" { "deleteditems" } else { "calendar" };
        assert_eq!(theirs.attributes("ParentFolderId", "Id"), [bob.folder_id(folder)]);
        let moved = bob.get(&ids[1]);
        assert_eq!(moved.attributes("ParentFolderId", "Id"), [bob.folder_id("deleteditems")]);
        says(&moved, &[("HasBeenProcessed", "true"), ("ResponseType", name)]);
        assert_eq!(bob.count("inbox"), 0);
        let sent = bob.get(&ids[2]);
        assert_eq!(sent.attributes("ParentFolderId", "Id"), [bob.folder_id("sentitems")]);
        let got = last(&ann, "inbox");
        assert_eq!(got.children("Items"), ["MeetingResponse"]);
        says(
            &got,
            &[
                ("ItemClass", class),
                ("Subject", subject),
                ("ConversationTopic", "Budget Q3"),
                ("ResponseType", name),
                ("HasBeenProcessed", "true"),
                ("IsRead", "false"),
                ("IsOrganizer", "true"),
                ("Start", "2024-08-02T17:30:00Z"),
                ("Location", "Conference Room 2"),
                ("DisplayTo", "Ann"),
            ],
        );
        assert_eq!(got.texts("Body")[1], "gladly");
        assert_eq!(got.attributes("AssociatedCalendarItemId", "Id").concat(), meeting);
        let own = ann.get(&meeting);
        says(
            &own,
            &[("ResponseType", name), ("LastResponseTime", "2024-05-06T07:08:09Z"), ("MyResponseType", "Organizer")],
        );
        let mime = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, got.text("MimeContent")).unwrap();
        assert!(String::from_utf8(mime).unwrap().contains("METHOD:REPLY"));
    }
}

#[test]
fn answers_differ_in_what_is_sent_and_kept() {
    let Two { ann, bob, meeting } = two(TELL);
    let calendar = last_id(&bob, "calendar");
    // The appointment can be answered too; the request stays then.
    let done = answer(&bob, "SendOnly", "AcceptItem", &calendar, "", "").success();
    assert_eq!(done.children("Items"), ["CalendarItem"]);
    assert_eq!((bob.count("inbox"), bob.count("sentitems"), ann.count("inbox")), (1, 0, 1));
    // Saved only, the decision is noted and nobody is told; a draft waits.
    let done = answer(&bob, "SaveOnly", "DeclineItem", &last_id(&bob, "inbox"), "", "").success();
    assert_eq!(done.children("Items"), ["CalendarItem", "MeetingRequest", "MeetingResponse"]);
    assert_eq!((bob.count("drafts"), ann.count("inbox"), bob.count("calendar")), (1, 1, 0));
    assert_eq!(ann.get(&meeting).text("ResponseType"), "Accept");
    let (id, key) = (&done.attributes("ItemId", "Id")[2], &done.attributes("ItemId", "ChangeKey")[2]);
    bob.call(&format!(
        "<SendItem SaveItemToFolder=\"true\"><ItemIds><t:ItemId Id=\"{id}\" ChangeKey=\"{key}\"/></ItemIds></SendItem>"
    ))
    .success();
    assert_eq!((ann.count("inbox"), ann.get(&meeting).text("ResponseType")), (2, "Decline".into()));
    // Another time is proposed.
    let Two { ann, bob, .. } = two(TELL);
    let times =
        "<t:ProposedStart>2024-08-03T17:30:00Z</t:ProposedStart><t:ProposedEnd>2024-08-03T19:30:00Z</t:ProposedEnd>";
    answer(&bob, "SendOnly", "TentativelyAcceptItem", &last_id(&bob, "inbox"), "", times).success();
    let times = [("ProposedStart", "2024-08-03T17:30:00Z"), ("ProposedEnd", "2024-08-03T19:30:00Z")];
    says(&last(&ann, "inbox"), &times);
    says(&last(&ann, "calendar"), &times);
}

/// Who is passed an invitation answers the organiser, and is an attendee then.
#[test]
fn an_invitation_is_passed_on() {
    let Two { ann, bob, meeting } = two(TELL);
    let (cid, dan) = (ann.beside("cid@example.com", "Cid"), ann.beside("dan@example.com", "Dan"));
    let to = |address: &str| {
        format!("<t:ToRecipients><t:Mailbox><t:EmailAddress>{address}</t:EmailAddress></t:Mailbox></t:ToRecipients>")
    };
    let words = "<t:NewBodyContent BodyType=\"Text\">for you</t:NewBodyContent>";
    let request = last_id(&bob, "inbox");
    answer(&bob, "SendAndSaveCopy", "ForwardItem", &request, &to("cid@example.com"), words).success();
    for world in [&cid, &bob] {
        let got = last(world, if world.caller == cid.caller { "inbox" } else { "sentitems" });
        assert_eq!(got.children("Items"), ["MeetingRequest"]);
        says(
            &got,
            &[
                ("Subject", "FW: Budget Q3"),
                ("Start", "2024-08-02T17:30:00Z"),
                ("MeetingRequestType", "NewMeetingRequest"),
            ],
        );
        assert!(got.texts("Body")[1].starts_with("for you") && got.texts("Body")[1].contains("agenda"));
        let people = got.texts("Name");
        assert!(people.contains(&"Bob".to_owned()) && people.contains(&"Ann".to_owned()), "{people:?}");
    }
    let theirs = last(&cid, "calendar");
    says(&theirs, &[("MyResponseType", "NoResponseReceived"), ("IsOrganizer", "false")]);
    assert!(theirs.texts("EmailAddress").contains(&"ann@example.com".to_owned()), "{}", theirs.xml);
    answer(&cid, "SendOnly", "AcceptItem", &last_id(&cid, "inbox"), "", "").success();
    let own = ann.get(&meeting);
    assert_eq!((own.children("RequiredAttendees").len(), own.children("OptionalAttendees").len()), (1, 1));
    assert_eq!(own.texts("ResponseType"), ["Unknown", "Accept"]);
    // The organiser passes it on as well; who knows it already keeps the answer.
    answer(&ann, "SendOnly", "ForwardItem", &meeting, &to("dan@example.com"), "").success();
    says(&last(&dan, "calendar"), &[("MyResponseType", "NoResponseReceived"), ("IntendedFreeBusyStatus", "Busy")]);
    answer(&ann, "SendOnly", "ForwardItem", &meeting, &to("cid@example.com"), "").success();
    says(&last(&cid, "calendar"), &[("MyResponseType", "Accept"), ("LegacyFreeBusyStatus", "Busy")]);
    // As a draft it is a message about it.
    let draft = answer(&bob, "SaveOnly", "ForwardItem", &request, &to("cid@example.com"), "").success();
    assert_eq!(draft.children("Items"), ["Message"]);
}

#[test]
fn a_change_overtakes_the_request_before() {
    let Two { ann, bob, meeting } = two(TELL);
    let first = last_id(&bob, "inbox");
    answer(&bob, "SendOnly", "AcceptItem", &last_id(&bob, "calendar"), "", "").success();
    // Another place: the answer still holds.
    update(&ann, TELL, &meeting, "calendar:Location", "<t:Location>Room 3</t:Location>").success();
    says(&bob.get(&first), &[("IsOutOfDate", "true"), ("MeetingRequestType", "Outdated")]);
    let second = last_id(&bob, "inbox");
    says(
        &bob.get(&second),
        &[("MeetingRequestType", "InformationalUpdate"), ("AppointmentSequenceNumber", "1"), ("IsOutOfDate", "false")],
    );
    assert_eq!(bob.count("calendar"), 1);
    says(
        &last(&bob, "calendar"),
        &[("Location", "Room 3"), ("MyResponseType", "Accept"), ("LegacyFreeBusyStatus", "Busy")],
    );
    assert_eq!(ann.get(&meeting).text("ResponseType"), "Accept");
    // Another time: it does not.
    update(&ann, TELL, &meeting, "calendar:End", "<t:End>2024-08-02T20:30:00Z</t:End>").success();
    says(&bob.get(&second), &[("IsOutOfDate", "true")]);
    says(
        &last(&bob, "inbox"),
        &[("MeetingRequestType", "FullUpdate"), ("AppointmentSequenceNumber", "2"), ("Duration", "PT3H")],
    );
    says(
        &last(&bob, "calendar"),
        &[
            ("MyResponseType", "NoResponseReceived"),
            ("LegacyFreeBusyStatus", "Tentative"),
            ("End", "2024-08-02T20:30:00Z"),
        ],
    );
    says(&ann.get(&meeting), &[("ResponseType", "Unknown"), ("AppointmentSequenceNumber", "2")]);
    assert_eq!(ann.count("sentitems"), 3);
    let late = answer(&bob, "SendOnly", "AcceptItem", &second, "", "").valid();
    assert_eq!(late.codes(), ["ErrorCalendarMeetingRequestIsOutOfDate"]);
    // Nobody is told of this one.
    update(&ann, "SendToNone", &meeting, "calendar:Location", "<t:Location>Room 4</t:Location>").success();
    assert_eq!((ann.count("sentitems"), last(&bob, "calendar").text("Location")), (3, "Room 3".into()));
}

#[test]
fn attendees_come_and_go() {
    let Two { ann, bob, meeting } = two("SendOnlyToAll");
    let cid = ann.beside("cid@example.com", "Cid");
    let people = |list: &[&str]| attendees("RequiredAttendees", list);
    update(
        &ann,
        "SendToChangedAndSaveCopy",
        &meeting,
        "calendar:RequiredAttendees",
        &people(&["bob@example.com", "cid@example.com"]),
    )
    .success();
    assert_eq!((bob.count("inbox"), cid.count("inbox"), ann.count("sentitems")), (1, 1, 1));
    update(&ann, TELL, &meeting, "calendar:RequiredAttendees", &people(&["cid@example.com"])).success();
    assert_eq!((bob.count("inbox"), cid.count("inbox")), (2, 2));
    says(&last(&bob, "inbox"), &[("ItemClass", "IPM.Schedule.Meeting.Canceled"), ("Subject", "Canceled: Budget Q3")]);
    says(
        &last(&bob, "calendar"),
        &[("IsCancelled", "true"), ("LegacyFreeBusyStatus", "Free"), ("Subject", "Canceled: Budget Q3")],
    );
    says(&last(&cid, "calendar"), &[("IsCancelled", "false")]);
    // An attendee cannot tell anybody.
    let theirs =
        update(&bob, TELL, &last_id(&bob, "calendar"), "calendar:Location", "<t:Location>x</t:Location>").valid();
    assert_eq!(theirs.codes(), ["ErrorCalendarIsNotOrganizer"]);
}

#[test]
fn a_cancellation_ends_it() {
    let Two { ann, bob, meeting } = two(TELL);
    let words = "<t:NewBodyContent BodyType=\"Text\">no time</t:NewBodyContent>";
    let done = answer(&ann, "SendAndSaveCopy", "CancelCalendarItem", &meeting, "", words).success();
    assert_eq!(done.children("Items"), ["MeetingCancellation"]);
    assert_eq!((ann.count("calendar"), ann.count("deleteditems")), (0, 1));
    says(&last(&ann, "deleteditems"), &[("IsCancelled", "true"), ("AppointmentState", "5")]);
    let copy = ann.get(&done.attributes("ItemId", "Id")[0]);
    assert_eq!(copy.attributes("ParentFolderId", "Id"), [ann.folder_id("sentitems")]);
    says(&copy, &[("IsRead", "true"), ("Subject", "Canceled: Budget Q3"), ("HasBeenProcessed", "true")]);
    let got = last(&bob, "inbox");
    assert_eq!(got.children("Items"), ["MeetingCancellation"]);
    says(&got, &[("IsRead", "false"), ("Start", "2024-08-02T17:30:00Z"), ("Location", "Conference Room 2")]);
    assert_eq!(got.texts("Body")[1], "no time");
    assert_eq!(got.children("ResponseObjects"), ["ReplyToItem", "ReplyAllToItem", "ForwardItem", "RemoveItem"]);
    says(&last(&bob, "calendar"), &[("IsCancelled", "true"), ("AppointmentState", "7")]);
    let refused = answer(&bob, "SendOnly", "AcceptItem", &last_id(&bob, "calendar"), "", "").valid();
    assert_eq!(refused.codes(), ["ErrorCalendarIsCancelledForAccept"]);
    let removed = answer(&bob, "SaveOnly", "RemoveItem", &last_id(&bob, "inbox"), "", "").success();
    assert_eq!(removed.children("Items"), ["CalendarItem", "MeetingCancellation"]);
    assert_eq!((bob.count("calendar"), bob.count("inbox"), bob.count("deleteditems")), (0, 1, 2));
}

#[test]
fn deleting_may_cancel() {
    for (telling, mode, kept, told, place) in [
        ("SendMeetingCancellations=\"SendToAllAndSaveCopy\"", "MoveToDeletedItems", 2, 2, "deleteditems"),
        ("SendMeetingCancellations=\"SendOnlyToAll\"", "HardDelete", 1, 2, ""),
        ("SendMeetingCancellations=\"SendToNone\"", "SoftDelete", 1, 1, "recoverableitemsdeletions"),
    ] {
        let Two { ann, bob, meeting } = two(TELL);
        let delete = |telling: &str| {
            ann.call(&format!("<DeleteItem DeleteType=\"{mode}\" {telling}><ItemIds><t:ItemId Id=\"{meeting}\"/></ItemIds></DeleteItem>"))
        };
        assert_eq!(delete("").valid().codes(), ["ErrorSendMeetingCancellationsRequired"]);
        delete(telling).success();
        assert_eq!((ann.count("calendar"), ann.count("sentitems"), bob.count("inbox")), (0, kept, told), "{telling}");
        if !place.is_empty() {
            assert_eq!(ann.count(place), 1);
        }
    }
    // An attendee has nobody to tell.
    let Two { ann, bob, .. } = two(TELL);
    bob.call(&format!(
        "<DeleteItem DeleteType=\"HardDelete\"><ItemIds><t:ItemId Id=\"{}\"/></ItemIds></DeleteItem>",
        last_id(&bob, "calendar")
    ))
    .success();
    assert_eq!((ann.count("inbox"), bob.count("calendar")), (0, 0));
    // What was deleted comes back with the answer.
    let done = answer(&bob, "SendOnly", "AcceptItem", &last_id(&bob, "inbox"), "", "").success();
    assert_eq!(done.children("Items"), ["CalendarItem", "MeetingRequest"]);
    says(&last(&bob, "calendar"), &[("MyResponseType", "Accept"), ("LegacyFreeBusyStatus", "Busy")]);
}

/// Clients that know mail alone send invitations and answers as messages with an iCalendar object.
#[test]
fn meetings_by_mail_have_the_same_effect() {
    let ann = World::new();
    let bob = ann.beside("bob@example.com", "Bob");
    let send = |world: &World, from: &str, to: &str, method: &str, lines: &str| {
        let mime = format!(
            "From: {from}@example.com\r\nTo: {to}@example.com\r\nSubject: Plan\r\nMIME-Version: 1.0\r\nContent-Type: text/calendar; \
             method={method}; charset=utf-8\r\n\r\nBEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:{method}\r\nBEGIN:VEVENT\r\nUID:plan-1\r\n\
             SUMMARY:Plan\r\nDTSTART:20240802T173000Z\r\nDTEND:20240802T193000Z\r\nDTSTAMP:20240501T000000Z\r\nORGANIZER:mailto:ann@example.com\r\n\
             {lines}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        );
        let mime = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, mime);
        world
            .call(&format!(
                "<CreateItem MessageDisposition=\"SendOnly\"><Items><t:Message><t:MimeContent>{mime}</t:MimeContent></t:Message>\
                 </Items></CreateItem>"
            ))
            .success();
    };
    let item = appointment(&attendees("RequiredAttendees", &["bob@example.com"]))
        .replace("<t:Start>", "<t:UID>plan-1</t:UID><t:Start>");
    create(&ann, "SendToNone", &item).success();
    send(&ann, "ann", "bob", "REQUEST", "ATTENDEE;RSVP=TRUE:mailto:bob@example.com");
    says(&last(&bob, "inbox"), &[("ItemClass", "IPM.Schedule.Meeting.Request"), ("HasBeenProcessed", "true")]);
    says(
        &last(&bob, "calendar"),
        &[("MyResponseType", "NoResponseReceived"), ("UID", "plan-1"), ("LegacyFreeBusyStatus", "Tentative")],
    );
    send(&bob, "bob", "ann", "REPLY", "ATTENDEE;PARTSTAT=DECLINED:mailto:bob@example.com");
    says(&last(&ann, "inbox"), &[("ItemClass", "IPM.Schedule.Meeting.Resp.Neg"), ("IsOrganizer", "true")]);
    says(&last(&ann, "calendar"), &[("ResponseType", "Decline")]);
    send(&ann, "ann", "bob", "CANCEL", "SEQUENCE:1");
    says(&last(&bob, "calendar"), &[("IsCancelled", "true"), ("LegacyFreeBusyStatus", "Free")]);
}

#[test]
fn wrong_answers_change_nothing() {
    let Two { ann, bob, meeting } = two(TELL);
    let (mail, _) = bob.message("drafts", "x");
    let (copy, request) = (last_id(&ann, "sentitems"), last_id(&bob, "inbox"));
    for (world, kind, id, code) in [
        (&ann, "AcceptItem", &meeting, "ErrorCalendarIsOrganizerForAccept"),
        (&ann, "TentativelyAcceptItem", &meeting, "ErrorCalendarIsOrganizerForTentative"),
        (&ann, "DeclineItem", &copy, "ErrorCalendarIsOrganizerForDecline"),
        (&ann, "RemoveItem", &meeting, "ErrorCalendarIsOrganizerForRemove"),
        (&bob, "AcceptItem", &mail, "ErrorInvalidItemForOperationAcceptItem"),
        (&bob, "TentativelyAcceptItem", &mail, "ErrorInvalidItemForOperationTentative"),
        (&bob, "DeclineItem", &mail, "ErrorInvalidItemForOperationDeclineItem"),
        (&bob, "RemoveItem", &request, "ErrorInvalidItemForOperationRemoveItem"),
        (&bob, "CancelCalendarItem", &request, "ErrorInvalidItemForOperationCancelItem"),
        (&bob, "CancelCalendarItem", &last_id(&bob, "calendar"), "ErrorCalendarIsNotOrganizer"),
    ] {
        assert_eq!(answer(world, "SendAndSaveCopy", kind, id, "", "").valid().codes(), [code], "{kind}");
    }
    let half = "<t:ProposedStart>2024-08-03T17:30:00Z</t:ProposedStart>";
    assert_eq!(
        answer(&bob, "SendOnly", "AcceptItem", &request, "", half).valid().codes(),
        ["ErrorInvalidValueForProperty"]
    );
    assert_eq!((ann.count("inbox"), bob.count("inbox"), bob.count("calendar"), ann.count("calendar")), (0, 1, 1, 1));
}
