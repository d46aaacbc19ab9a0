"""exchangelib: contacts, lists, appointments, tasks and posts are made, synced, changed and deleted."""

import datetime
from decimal import Decimal

from exchangelib import (
    BASIC, DELEGATE, Account, CalendarItem, Configuration, Contact, Credentials, DistributionList, EWSDateTime,
    EWSTimeZone, Mailbox, Message, PostItem, Task,
)
from exchangelib.folders import Calendar, Contacts, Messages, Tasks
from exchangelib.indexed_properties import EmailAddress, PhoneNumber, PhysicalAddress
from exchangelib.properties import Attendee, Member

import raw
from raw import T, check

config = Configuration(
    service_endpoint=raw.URL + "/EWS/Exchange.asmx",
    credentials=Credentials(*raw.ANNA),
    auth_type=BASIC,
)
account = Account(primary_smtp_address=raw.ANNA[0], config=config, autodiscover=False, access_type=DELEGATE)
zone = EWSTimeZone("Europe/Copenhagen")


def moment(day, hour):
    return EWSDateTime(2026, 3, day, hour, 0, tzinfo=zone)


def lives(folder, item, change, fields):
    """One item of a kind, from being made to being deleted, as two clients see it."""
    name = type(item).__name__
    given = {field: getattr(item, field) for field in fields}
    xml = f'<t:FolderId Id="{folder.id}"/>'
    list(folder.sync_items())
    _, state = raw.ews_sync(xml)
    item.save()
    [(kind, seen)] = folder.sync_items()
    check(f"{name}: made is a Create", (kind, seen.id, type(seen)) == ("create", item.id, type(item)), (kind, seen))
    [(kind, id, element)], state = raw.ews_sync(xml, state)
    check(f"{name}: for the second client too", (kind, id, element[0].tag) == ("Create", item.id, T + name), (kind, element[0].tag))
    read = folder.get(id=item.id)
    for field, value in given.items():
        check(f"{name}: {field}", getattr(read, field) == value, (getattr(read, field), value))
    for field, value in change.items():
        setattr(read, field, value)
    read.save(update_fields=list(change))
    [(kind, seen)] = folder.sync_items()
    check(f"{name}: changed is an Update", (kind, seen.id) == ("update", item.id), (kind, seen))
    [(kind, id, _)], state = raw.ews_sync(xml, state)
    check(f"{name}: for the second client too", (kind, id) == ("Update", item.id), kind)
    read = folder.get(id=item.id)
    for field, value in change.items():
        check(f"{name}: changed {field}", getattr(read, field) == value, (getattr(read, field), value))
    [data] = account.export([read])
    [(copy, _)] = account.upload([(folder, data)])
    again = folder.get(id=copy)
    for field in fields:
        check(f"{name}: exported {field}", getattr(again, field) == getattr(read, field), (getattr(again, field), getattr(read, field)))
    again.delete()
    read.delete()
    gone = list(folder.sync_items())
    check(f"{name}: deleted is a Delete", [(k, one.id) for k, one in gone] == [("delete", item.id)], gone)
    changes, _ = raw.ews_sync(xml, state)
    check(f"{name}: for the second client too", [(k, id) for k, id, _ in changes] == [("Delete", item.id)], changes)


def folder(kind, name, parent):
    made = kind(parent=parent, name=name)
    made.save()
    return made


people = folder(Contacts, "People", account.contacts)
lives(
    people,
    Contact(
        account=account, folder=people, display_name="Ann Lee", given_name="Ann", surname="Lee", company_name="Works", job_title="Cook",
        email_addresses=[EmailAddress(email="ann@example.com", label="EmailAddress1")],
        phone_numbers=[PhoneNumber(phone_number="+1 23", label="MobilePhone")],
        physical_addresses=[PhysicalAddress(label="Home", street="Street 1", city="Rome", country="Italy", zipcode="1")],
        body="Words", birthday=datetime.date(1990, 5, 17), categories=["Blue"],
    ),
    {"surname": "Leigh", "job_title": "Chef"},
    ["given_name", "surname", "company_name", "email_addresses", "phone_numbers", "physical_addresses", "categories"],
)
lives(
    people,
    DistributionList(
        account=account, folder=people, display_name="Team",
        members={Member(mailbox=Mailbox(name="Bert", email_address=raw.BERT[0], mailbox_type="OneOff"))},
    ),
    {"display_name": "The team"},
    ["display_name"],
)
dates = folder(Calendar, "Dates", account.calendar)
lives(
    dates,
    CalendarItem(
        account=account, folder=dates, subject="Lunch ✓", location="Here", start=moment(5, 12), end=moment(5, 13),
        legacy_free_busy_status="Tentative", reminder_is_set=True, reminder_minutes_before_start=30, body="Bring bread",
        sensitivity="Private",
    ),
    {"location": "There", "start": moment(6, 12), "end": moment(6, 14)},
    ["subject", "location", "start", "end", "legacy_free_busy_status", "sensitivity", "reminder_minutes_before_start"],
)
work = folder(Tasks, "Work", account.tasks)
lives(
    work,
    Task(
        account=account, folder=work, subject="Write", status="InProgress", percent_complete=Decimal(25),
        due_date=datetime.date(2026, 3, 20), start_date=datetime.date(2026, 3, 2), importance="High", companies=["Works"],
    ),
    {"subject": "Write more", "percent_complete": Decimal(50)},
    ["subject", "status", "percent_complete", "due_date", "start_date", "importance"],
)
posts = folder(Messages, "Posts", account.inbox)
lives(posts, PostItem(account=account, folder=posts, subject="News", body="Words"), {"subject": "Old news"}, ["subject", "body"])
lives(
    posts,
    Message(account=account, folder=posts, subject="Mail", body="Words", importance="High", to_recipients=[Mailbox(email_address=raw.BERT[0])]),
    {"subject": "Other mail", "importance": "Low"},
    ["subject", "body", "importance"],
)

# What a view of the calendar shows.
for day in (9, 10, 11):
    CalendarItem(account=account, folder=dates, subject=f"Day {day}", start=moment(day, 9), end=moment(day, 10)).save()
shown = [item.subject for item in dates.view(start=moment(10, 0), end=moment(11, 0))]
check("a view of one day", shown == ["Day 10"], shown)
meeting = CalendarItem(
    account=account, folder=dates, subject="Meeting", start=moment(12, 9), end=moment(12, 10),
    required_attendees=[Attendee(mailbox=Mailbox(email_address=raw.BERT[0]), response_type="Unknown")],
)
meeting.save()
read = dates.get(id=meeting.id)
check("attendees are kept", [one.mailbox.email_address for one in read.required_attendees] == [raw.BERT[0]], read.required_attendees)
print("exchangelib kinds: done")
