"""exchangelib: pull and streaming notifications, one event at a time and many; mail that arrives; what is refused."""

import threading

from exchangelib import BASIC, DELEGATE, Account, Configuration, Credentials, Mailbox, Message
from exchangelib.errors import ErrorInvalidSubscription, ErrorInvalidWatermark, ErrorSubscriptionNotFound
from exchangelib.properties import CopiedEvent, CreatedEvent, DeletedEvent, ModifiedEvent, MovedEvent, NewMailEvent, StatusEvent

import raw
from raw import check


def account(who):
    config = Configuration(
        service_endpoint=raw.URL + "/EWS/Exchange.asmx",
        credentials=Credentials(*who),
        auth_type=BASIC,
        # A stream keeps one.
        max_connections=3,
    )
    return Account(primary_smtp_address=who[0], config=config, autodiscover=False, access_type=DELEGATE)


anna, bert = account(raw.ANNA), account(raw.BERT)
inbox = anna.inbox


def message(folder, subject):
    made = Message(account=anna, folder=folder, subject=subject, to_recipients=[raw.BERT[0]])
    made.save()
    return made


def of(notifications, kind, item=None):
    events = [event for one in notifications for event in one.events if isinstance(event, kind)]
    return [event for event in events if item is None or (event.item_id and event.item_id.id == item)]


def last(notifications):
    return notifications[-1].events[-1].watermark


# Pull.
with inbox.pull_subscription() as (subscription, watermark):
    quiet = list(inbox.get_events(subscription, watermark))
    check("nothing has happened", [type(event) for event in quiet[0].events] == [StatusEvent], quiet)
    watermark = last(quiet)
    made = message(inbox, "pulled")
    heard = list(inbox.get_events(subscription, watermark))
    check("what was made is told", len(of(heard, CreatedEvent, made.id)) == 1, heard)
    folder = [event for event in of(heard, ModifiedEvent) if event.folder_id]
    check("and the folder with its count", folder[0].folder_id.id == inbox.id and folder[0].unread_count == 1, folder)
    watermark = last(heard)
    made.subject = "changed"
    made.save(update_fields=["subject"])
    heard = list(inbox.get_events(subscription, watermark))
    check("what was changed is told", len(of(heard, ModifiedEvent, made.id)) == 1, heard)
    watermark = last(heard)
    copy_id, _ = made.copy(to_folder=anna.drafts)
    before = made.id
    made.move(to_folder=anna.drafts)
    heard = list(inbox.get_events(subscription, watermark))
    moved = of(heard, MovedEvent)
    check("what was moved is told with both ids", len(moved) == 1 and moved[0].item_id.id == made.id, heard)
    check("and where it was", moved[0].old_item_id.id == before and moved[0].old_parent_folder_id.id == inbox.id, moved)
    check("a copy elsewhere is not", of(heard, CopiedEvent) == [], heard)
    try:
        list(inbox.get_events(subscription, "AAAA"))
        check("a foreign watermark is refused", False)
    except ErrorInvalidWatermark:
        pass
try:
    inbox.unsubscribe(subscription)
    check("a subscription ends once", False)
except ErrorSubscriptionNotFound:
    pass

# The whole mailbox, and mail that arrives.
subscription, watermark = anna.root.subscribe_to_pull()
bert_sends = Message(account=bert, folder=bert.sent, subject="hello", to_recipients=[Mailbox(email_address=raw.ANNA[0])])
with inbox.pull_subscription() as (arriving, mark):
    bert_sends.send_and_save()
    heard = []
    for _ in range(100):
        heard = list(inbox.get_events(arriving, mark))
        if of(heard, NewMailEvent):
            break
    check("mail is told as new, and as made", len(of(heard, NewMailEvent)) == 1 == len(of(heard, CreatedEvent)), heard)
anna.root.unsubscribe(subscription)

# Streaming: one event a connection, as this library's own tests do it.
with inbox.streaming_subscription() as subscription:
    made = message(inbox, "streamed")
    heard = list(inbox.get_streaming_events(subscription, connection_timeout=1, max_notifications_returned=1))
    check("a stream tells what was made before it", len(of(heard, CreatedEvent, made.id)) == 1, heard)
    made.subject = "changed"
    made.save(update_fields=["subject"])
    heard = list(inbox.get_streaming_events(subscription, connection_timeout=1, max_notifications_returned=1))
    check("the next tells what came after", len(of(heard, ModifiedEvent, made.id)) == 1, heard)
    check("and nothing twice", of(heard, CreatedEvent) == [], heard)
    gone = made.id
    made.delete()
    heard = list(inbox.get_streaming_events(subscription, connection_timeout=1, max_notifications_returned=1))
    check("a deletion is told", len(of(heard, DeletedEvent, gone)) == 1, heard)

    # While it hangs.
    heard = []
    other = message(anna.drafts, "in another folder")

    def listen():
        heard.extend(inbox.get_streaming_events(subscription, connection_timeout=1, max_notifications_returned=2))

    listener = threading.Thread(target=listen)
    listener.start()
    first = message(inbox, "while it hangs")
    for _ in range(200):
        if heard or not listener.is_alive():
            break
        listener.join(0.1)
    second = message(inbox, "again")
    listener.join(30)
    check("a stream that hangs tells what happens", not listener.is_alive(), heard)
    check("of the first", len(of(heard, CreatedEvent, first.id)) == 1, heard)
    check("of the second", len(of(heard, CreatedEvent, second.id)) == 1, heard)
    check("of nothing elsewhere", of(heard, CreatedEvent, other.id) == [], heard)

    # Wrong ids.
    for wrong in ("AAA-", ["AAA-", subscription, "BBB-"]):
        try:
            list(inbox.get_streaming_events(wrong, connection_timeout=1, max_notifications_returned=1))
            check("a foreign subscription is refused", False)
        except ErrorInvalidSubscription as error:
            ids = ["AAA-"] if isinstance(wrong, str) else ["AAA-", "BBB-"]
            check("and named", error.value == f"Subscription is invalid. (subscription IDs: {ids})", error.value)
