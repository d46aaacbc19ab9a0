"""exchangelib: mail and meetings between two mailboxes: sending, drafts, answering, passing on, inviting, accepting."""

from datetime import timedelta

from exchangelib import (
    BASIC,
    DELEGATE,
    Account,
    Attendee,
    CalendarItem,
    Configuration,
    Credentials,
    EWSDateTime,
    FileAttachment,
    HTMLBody,
    Mailbox,
    Message,
)
from exchangelib.items import (
    SEND_ONLY_TO_ALL,
    SEND_TO_ALL_AND_SAVE_COPY,
    MeetingCancellation,
    MeetingRequest,
    MeetingResponse,
)

import raw
from raw import T, check


def account(who):
    config = Configuration(
        service_endpoint=raw.URL + "/EWS/Exchange.asmx", credentials=Credentials(*who), auth_type=BASIC
    )
    return Account(primary_smtp_address=who[0], config=config, autodiscover=False, access_type=DELEGATE)


anna, bert = account(raw.ANNA), account(raw.BERT)


def newest(folder, count=1):
    return list(folder.all().order_by("-datetime_created")[:count])


def changes(folder):
    return sorted((kind, type(item).__name__) for kind, item in folder.sync_items())


for one in (anna, bert):
    for folder in (one.inbox, one.sent, one.calendar, one.trash):
        changes(folder)

# A message with everything.
message = Message(
    account=anna,
    folder=anna.sent,
    subject="Lunch ✓",
    body=HTMLBody("<p>See <b>you</b> there.</p>"),
    to_recipients=[Mailbox(name="Bert", email_address=raw.BERT[0])],
    cc_recipients=[raw.ANNA[0]],
    attachments=[FileAttachment(name="menu.bin", content=bytes(range(256)) * 300)],
)
message.send_and_save()
check("the copy is in the sent items", changes(anna.sent) == [("create", "Message")])
check("the other gets it", changes(bert.inbox) == [("create", "Message")])
check("and so does the sender", changes(anna.inbox) == [("create", "Message")])
[received] = newest(bert.inbox)
check("subject", received.subject == "Lunch ✓", received.subject)
check("sender", received.sender.email_address == raw.ANNA[0] and received.author.email_address == raw.ANNA[0])
check("recipients", [one.email_address for one in received.to_recipients + received.cc_recipients] == [raw.BERT[0], raw.ANNA[0]])
check("unread, no draft", (received.is_read, received.is_draft, received.is_from_me) == (False, False, False))
check("received by", received.received_by.email_address == raw.BERT[0], received.received_by)
check("attachment", [one.content for one in received.attachments] == [bytes(range(256)) * 300])
[kept] = newest(anna.sent)
check("message id", received.message_id == kept.message_id and received.message_id.startswith("<"))
check("headers", any(one.name == "Message-ID" for one in received.headers), received.headers)
check("unread count", (bert.inbox.refresh() or True) and bert.inbox.unread_count == 1)
answer = raw.ews(
    "<m:FindItem Traversal='Shallow'><m:ItemShape><t:BaseShape>Default</t:BaseShape></m:ItemShape><m:ParentFolderIds>"
    "<t:DistinguishedFolderId Id='inbox'/></m:ParentFolderIds></m:FindItem>",
    who=raw.BERT,
)
check("the second client reads it", [one.text for one in answer.iter(f"{T}Subject")] == ["Lunch ✓"])

# A draft that is sent later, and one that is only sent.
draft = Message(account=anna, folder=anna.drafts, subject="Draft", body="x", to_recipients=[raw.BERT[0]])
draft.save()
check("a draft", anna.drafts.filter(subject="Draft").count() == 1 and draft.is_draft is not False)
draft.send()
check("is gone from the drafts", anna.drafts.filter(subject="Draft").count() == 0)
check("and among the sent items", [one.subject for one in newest(anna.sent)] == ["Draft"])
Message(account=anna, subject="Short", body="x", to_recipients=[raw.BERT[0]], bcc_recipients=[raw.ANNA[0]]).send(save_copy=False)
check("sent only", anna.sent.filter(subject="Short").count() == 0)
check("both arrived", changes(bert.inbox) == [("create", "Message")] * 2)
check("blind copies are not seen", newest(bert.inbox)[0].bcc_recipients is None)
try:
    Message(account=anna, folder=anna.sent, subject="Lost", body="x", to_recipients=["nobody@example.com"]).send_and_save()
    check("nobody gets nothing", False)
except Exception as error:
    check("the address is named", "nobody@example.com" in str(error), error)
check("nothing is kept of it", anna.sent.filter(subject="Lost").count() == 0)

# Answers.
changes(anna.inbox)
received.reply(subject="Re: Lunch ✓", body="I shall.")
check("an answer arrives", changes(anna.inbox) == [("create", "Message")])
[reply] = newest(anna.inbox)
check("in the thread", (reply.in_reply_to, reply.conversation_topic) == (received.message_id, received.conversation_topic))
check("quoting", "I shall." in reply.body and "See <b>you</b> there." in reply.body, reply.body)
received.reply_all(subject="Re: all", body="All.")
check("an answer to all", [one.subject for one in newest(anna.inbox)] == ["Re: all"])
received.forward(subject="Fwd: Lunch", body="Look", to_recipients=[raw.ANNA[0]])
[forwarded] = newest(anna.inbox)
check("passed on with its attachment", len(forwarded.attachments) == 1 and forwarded.subject == "Fwd: Lunch")
saved = received.create_reply(subject="Re: later", body="Later.").save(bert.drafts)
check("an answer may be a draft", bert.drafts.get(id=saved.id).subject == "Re: later")

# A meeting.
start = EWSDateTime.now(tz=anna.default_timezone).replace(microsecond=0) + timedelta(days=2)
meeting = CalendarItem(
    account=anna,
    folder=anna.calendar,
    subject="Budget Q3",
    body="Numbers",
    start=start,
    end=start + timedelta(hours=2),
    location="Conference Room 2",
    required_attendees=[Attendee(mailbox=Mailbox(email_address=raw.BERT[0]))],
)
changes(bert.inbox), changes(bert.calendar), changes(anna.sent), changes(anna.calendar), changes(anna.inbox), changes(bert.sent)
meeting.save(send_meeting_invitations=SEND_TO_ALL_AND_SAVE_COPY)
check("a request among the sent items", changes(anna.sent) == [("create", "MeetingRequest")])
check("a request in the inbox", changes(bert.inbox) == [("create", "MeetingRequest")])
check("an appointment in the calendar", changes(bert.calendar) == [("create", "CalendarItem")])
[request] = newest(bert.inbox)
check("its fields", (request.subject, request.location, request.start, request.end) == ("Budget Q3", "Conference Room 2", start, start + timedelta(hours=2)))
check("is new", request.meeting_request_type == "NewMeetingRequest" and not request.is_out_of_date, request)
theirs = bert.calendar.get(id=request.associated_calendar_item_id.id)
check("is tentative", (theirs.my_response_type, theirs.legacy_free_busy_status) == ("NoResponseReceived", "Tentative"))
check("organiser", theirs.organizer.email_address == raw.ANNA[0])
request.accept(body="Gladly")
check("the answer arrives", changes(anna.inbox) == [("create", "MeetingResponse")])
[response] = newest(anna.inbox)
check("accepted", (response.response_type, response.author.email_address) == ("Accept", raw.BERT[0]))
check("the attendee's", bert.calendar.get(id=theirs.id).my_response_type == "Accept")
meeting = anna.calendar.get(id=meeting.id)
check("the organiser sees it", [one.response_type for one in meeting.required_attendees] == ["Accept"])
check("the request has gone", changes(bert.inbox) == [("delete", "str")] or bert.inbox.filter(subject="Budget Q3").count() == 0)

meeting.location = "Room 3"
meeting.save(update_fields=["location"], send_meeting_invitations=SEND_ONLY_TO_ALL)
[again] = newest(bert.inbox)
check("a change is a new request", isinstance(again, MeetingRequest) and again.location == "Room 3", again)
check("in the calendar too", bert.calendar.get(id=theirs.id).location == "Room 3")
check("the answer still holds", bert.calendar.get(id=theirs.id).my_response_type == "Accept")
meeting = anna.calendar.get(id=meeting.id)
changes(anna.sent)
meeting.cancel(new_body="No time")
check("a cancellation among the sent items", changes(anna.sent) == [("create", "MeetingCancellation")])
[copy] = newest(anna.sent)
check("read", isinstance(copy, MeetingCancellation) and copy.is_read)
[cancelled] = newest(bert.inbox)
check("a cancellation in the inbox", isinstance(cancelled, MeetingCancellation) and not cancelled.is_read)
check("marked in the calendar", bert.calendar.get(id=theirs.id).is_cancelled)
check("gone from the organiser's calendar", anna.calendar.filter(subject="Budget Q3").count() == 0)

# Declined, from the calendar.
other = CalendarItem(
    account=anna, folder=anna.calendar, subject="Other", start=start, end=start + timedelta(hours=1),
    optional_attendees=[Attendee(mailbox=Mailbox(email_address=raw.BERT[0]))],
)
other.save(send_meeting_invitations=SEND_TO_ALL_AND_SAVE_COPY)
[theirs] = [one for one in bert.calendar.all() if one.subject == "Other"]
theirs.decline()
check("declined and gone", [one.subject for one in bert.calendar.all()] == ["Canceled: Budget Q3"])
[response] = newest(anna.inbox)
check("the answer says so", isinstance(response, MeetingResponse) and response.response_type == "Decline")
other.delete(send_meeting_cancellations=SEND_ONLY_TO_ALL)
[cancelled] = newest(bert.inbox)
check("deleting cancels", cancelled.subject == "Canceled: Other", cancelled.subject)
print("exchangelib, mail: done")
