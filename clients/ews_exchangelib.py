"""exchangelib: hierarchy, 1,000 messages in pages, read flags, deletes, export and upload, attachments."""

import base64
import random

from exchangelib import BASIC, DELEGATE, Account, Configuration, Credentials, FileAttachment, HTMLBody, ItemAttachment, Mailbox, Message
from exchangelib.folders import Messages

import raw
from raw import M, T, check

config = Configuration(
    service_endpoint=raw.URL + "/EWS/Exchange.asmx",
    credentials=Credentials(*raw.ANNA),
    auth_type=BASIC,
)
account = Account(primary_smtp_address=raw.ANNA[0], config=config, autodiscover=False, access_type=DELEGATE)

# Hierarchy.
root = account.msg_folder_root
first = list(root.sync_hierarchy())
check("first hierarchy sync creates only", first and all(kind == "create" for kind, _ in first))
check("the inbox is in it", any(folder.name == "Inbox" for _, folder in first))
raw_first, raw_state = raw.ews_hierarchy()
names = {name for kind, name in raw_first if kind == "Create"}
check("the second client has the same folders", {folder.name for _, folder in first} <= names, names)
project = Messages(parent=account.inbox, name="Project")
project.save()
second = list(root.sync_hierarchy())
check("a new folder is one Create", [(k, f.name) for k, f in second] == [("create", "Project")], second)
raw_changes, raw_state = raw.ews_hierarchy(raw_state)
check("and for the second client", raw_changes == [("Create", "Project")], raw_changes)
project.name = "Project X"
project.save()
third = list(root.sync_hierarchy())
check("a renamed folder is one Update", [(k, f.name) for k, f in third] == [("update", "Project X")], third)
raw_changes, raw_state = raw.ews_hierarchy(raw_state)
check("and for the second client", raw_changes == [("Update", "Project X")], raw_changes)
check("then nothing", list(root.sync_hierarchy()) == [])
passing = Messages(parent=project, name="Passing")
passing.save()
passing.move(to_folder=account.drafts)
moved = [(kind, folder.name) for kind, folder in root.sync_hierarchy()]
check("made and moved between two syncs is one Create", moved == [("create", "Passing")], moved)
passing.delete()
gone = [kind for kind, _ in root.sync_hierarchy()]
check("a deleted folder is a Delete", gone == ["delete"], gone)
raw_changes, raw_state = raw.ews_hierarchy(raw_state)
check("the second client never hears of it", all(kind == "Delete" for kind, _ in raw_changes), raw_changes)

# 1,000 messages.
random.seed(7)
messages = [
    Message(
        folder=project,
        subject=f"Message {number:04}",
        body=HTMLBody(f"<p>Body of message {number}</p>") if number % 2 else f"Body of message {number}",
        to_recipients=[Mailbox(name="Bert", email_address=raw.BERT[0])],
        cc_recipients=[Mailbox(email_address="cc@example.com")],
        is_read=False,
        categories=["Blue"] if number % 5 == 0 else None,
    )
    for number in range(1000)
]
made = account.bulk_create(folder=project, items=messages, chunk_size=100)
check("1,000 messages are made", len({one.id for one in made}) == 1000)
state, seen = None, {}
for _ in range(100):
    changes = list(project.sync_items(sync_state=state, only_fields=["subject", "is_read"], max_changes_returned=100))
    state = project.item_sync_state
    if not changes:
        break
    for kind, item in changes:
        check_kind = kind == "create" and item.id not in seen
        if not check_kind:
            check("only new items in the first sync", False, (kind, item))
        seen[item.id] = item.subject
check("all subjects came once", sorted(seen.values()) == [f"Message {number:04}" for number in range(1000)])
folder_xml = f'<t:FolderId Id="{project.id}"/>'
second_client, second_state = raw.ews_sync(folder_xml)
check("the second client sees the same ids", {item for _, item, _ in second_client} == set(seen))

# Read flags, an update, deletes.
ids = sorted(seen, key=seen.get)
items = list(account.fetch(ids=[(one, None) for one in ids[:12]]))
for item in items[:5]:
    item.is_read = True
    item.save(update_fields=["is_read"])
for item in items[5:7]:
    item.subject = item.subject + " changed"
    item.save(update_fields=["subject"])
for item in items[7:10]:
    item.delete()
delta = list(project.sync_items(sync_state=state, only_fields=["subject", "is_read"]))
kinds = sorted(kind for kind, _ in delta)
check("the delta has its kinds", kinds == ["delete"] * 3 + ["read_flag_change"] * 5 + ["update"] * 2, kinds)
changes, second_state = raw.ews_sync(folder_xml, second_state, shape="Default")
check(
    "the second client sees the same delta",
    sorted(kind for kind, _, _ in changes) == ["Delete"] * 3 + ["ReadFlagChange"] * 5 + ["Update"] * 2,
    [kind for kind, _, _ in changes],
)
check("counts", (project.refresh() or True) and (project.total_count, project.unread_count) == (997, 992), (project.total_count, project.unread_count))

answer = raw.ews(
    "<m:GetFolder><m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape>"
    f"<m:FolderIds>{folder_xml}</m:FolderIds></m:GetFolder>"
)
counts = [int(answer.findtext(f".//{T}{name}")) for name in ("TotalCount", "UnreadCount")]
check("the second client reads the same counts", counts == [997, 992], counts)

# Finding.
found = list(project.filter(subject="Message 0500").only("subject", "sender", "datetime_received"))
check("an exact restriction finds one", len(found) == 1)
found = project.filter(subject__icontains="changed").count()
check("a substring restriction finds two", found == 2, found)
page = list(project.all().order_by("-subject").only("subject")[:3])
check("order and page", [one.subject for one in page] == ["Message 0999", "Message 0998", "Message 0997"], page)

# Export and upload.
rich = Message(
    account=account,
    folder=account.inbox,
    subject="Export me ✓",
    body=HTMLBody("<p>Zażółć gęślą jaźń</p>"),
    to_recipients=[Mailbox(name="Bert", email_address=raw.BERT[0])],
    importance="High",
    categories=["Red", "Green"],
    attachments=[FileAttachment(name="data.bin", content=bytes(range(256)) * 40)],
)
rich.save()
[data] = account.export([rich])
[(copy_id, copy_key)] = account.upload([(project, data)])
copy = project.get(id=copy_id)
original = account.inbox.get(id=rich.id)
for field in ("subject", "body", "importance", "categories", "to_recipients", "has_attachments", "is_read", "item_class"):
    check(f"upload keeps {field}", getattr(copy, field) == getattr(original, field), (getattr(copy, field), getattr(original, field)))
check("upload keeps attachments", [a.content for a in copy.attachments] == [a.content for a in original.attachments])
[(same_id, new_key)] = account.upload([(project, ((copy_id, copy_key), False, data))])
check("upload over an item keeps its id", same_id == copy_id and new_key != copy_key)
answer = raw.ews(
    "<m:GetItem><m:ItemShape><t:BaseShape>Default</t:BaseShape></m:ItemShape><m:ItemIds>"
    f'<t:ItemId Id="{copy_id}"/></m:ItemIds></m:GetItem>'
)
check("the second client reads the copy", answer.find(f".//{T}Subject").text == "Export me ✓")
check("its mail has the attachment", answer.find(f".//{T}HasAttachments").text == "true")
answer = raw.ews(
    "<m:ExportItems><m:ItemIds>" + "".join(f'<t:ItemId Id="{one}"/>' for one in (rich.id, copy_id)) +
    "</m:ItemIds></m:ExportItems>"
)
exports = [base64.b64decode(one.text) for one in answer.iter(f"{M}Data")]
check("the second client exports both", len(exports) == 2 and min(map(len, exports)) > 10_000, [len(e) for e in exports])

# Attachments of an item that stands.
content = bytes(range(256)) * 40
holder = Message(account=account, folder=account.drafts, subject="Holder", body="x")
holder.save()
inner = Message(account=account, folder=account.drafts, subject="Inner ✓", body="inside")
one, two = FileAttachment(name="one.bin", content=content), FileAttachment(name="zwei & drei.txt", content=b"second")
holder.attach([one, two, ItemAttachment(name="Inner", item=inner)])
read = account.drafts.get(id=holder.id)
by_name = {a.name: a for a in read.attachments}
check("three attachments", sorted(by_name) == ["Inner", "one.bin", "zwei & drei.txt"], by_name)
check("with their bytes", (by_name["one.bin"].content, by_name["zwei & drei.txt"].content) == (content, b"second"))
with by_name["one.bin"].fp as stream:
    check("read as a stream", stream.read() == content)
check("and the item inside", by_name["Inner"].item.subject == "Inner ✓", by_name["Inner"])
check("the answer named the version", holder.changekey == read.changekey and read.has_attachments)


def attached():
    """Names and contents by raw SOAP."""
    answer = raw.ews(
        "<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>"
        '<t:FieldURI FieldURI="item:Attachments"/></t:AdditionalProperties></m:ItemShape><m:ItemIds>'
        f'<t:ItemId Id="{holder.id}"/></m:ItemIds></m:GetItem>'
    )
    ids = "".join(f'<t:AttachmentId Id="{one.get("Id")}"/>' for one in answer.iter(f"{T}AttachmentId"))
    answer = raw.ews(f"<m:GetAttachment><m:AttachmentIds>{ids}</m:AttachmentIds></m:GetAttachment>")
    return {one.findtext(f"{T}Name"): base64.b64decode(one.findtext(f"{T}Content")) for one in answer.iter(f"{T}FileAttachment")}


check("the second client reads both files", attached() == {"one.bin": content, "zwei & drei.txt": b"second"})
read.detach(by_name["one.bin"])
left = sorted(a.name for a in account.drafts.get(id=holder.id).attachments)
check("a removed one is gone", left == ["Inner", "zwei & drei.txt"], left)
check("for the second client too", attached() == {"zwei & drei.txt": b"second"})
again = FileAttachment(attachment_id=by_name["zwei & drei.txt"].attachment_id, parent_item=read)
check("the others keep their ids", again.content == b"second")

# Errors one by one.
results = list(account.fetch(ids=[(copy_id, None), ("AAMk=", None)]))
check("a bad id fails alone", results[0].subject == "Export me ✓" and isinstance(results[1], Exception), results)
synced = list(project.sync_items())
check("the copy is a Create with every field asked for", [kind for kind, item in synced if item.id == copy_id] == ["create"], synced)
copy.move(to_folder=account.drafts)
gone = [(kind, item.id) for kind, item in project.sync_items()]
check("moved away is a Delete", gone == [("delete", copy_id)], gone)
check("and stands in the other folder", account.drafts.filter(subject="Export me ✓").count() == 1)
print("exchangelib: done")
