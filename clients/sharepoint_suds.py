"""suds, from the WSDL: both ports of Lists.asmx, list sync by token, attachments, read back by raw SOAP."""

import base64
from urllib.parse import unquote

from suds import WebFault
from suds.client import Client
from suds.sax.text import Raw
from suds.transport.https import HttpAuthenticated

import raw
from raw import check

transport = HttpAuthenticated(username=raw.ANNA[0], password=raw.ANNA[1])
client = Client(raw.URL + "/sites/team/_vti_bin/Lists.asmx?WSDL", transport=transport, cache=None)


def many(value):
    """What suds makes of elements that may come once, often or not at all."""
    return value if isinstance(value, list) else [] if value in (None, "") else [value]


def one(value):
    [only] = many(value)
    return only


def changes(token=None):
    """GetListItemChangesSinceToken; returns (token, rows, ids, more)."""
    listing = one(client.service.GetListItemChangesSinceToken(listName="Suds", changeToken=token).listitems)
    head = one(listing.Changes)
    rows = many(getattr(one(listing.data), "row", None))
    ids = [(entry._ChangeType, entry.value) for entry in many(getattr(head, "Id", None))]
    return head._LastChangeToken, rows, ids, getattr(head, "_MoreChanges", None)


def update(batch):
    """UpdateListItems; returns the results."""
    updates = Raw(f'<Batch OnError="Continue">{batch}</Batch>')
    return many(one(client.service.UpdateListItems(listName="Suds", updates=updates).Results).Result)


for port in ("ListsSoap", "ListsSoap12"):
    client.set_options(port=port)
    client.service.AddList(listName="Suds", description="by suds", templateID="100")
    shown = one(client.service.GetList("Suds").List)
    check(f"{port}: GetList", (shown._Title, shown._ServerTemplate, shown._ItemCount) == ("Suds", "100", "0"), shown)
    fields = {field._Name for field in many(one(shown.Fields).Field)}
    check(f"{port}: with its fields", {"ID", "Title", "Created", "Author", "owshiddenversion"} <= fields, fields)
    answer = raw.lists('<GetListCollection xmlns="http://schemas.microsoft.com/sharepoint/soap/"/>')
    ids = {entry.get("Title"): entry.get("ID") for entry in answer.iter(raw.SP + "List")}
    check(f"{port}: the second client has the same list", ids.get("Suds") == shown._ID, ids)

    token, rows, ids, more = changes()
    check(f"{port}: the first answer is empty", (rows, ids, more) == ([], [], None), rows)
    _, _, raw_token = raw.list_changes("Suds")
    results = update("".join(
        f'<Method ID="{n}" Cmd="New"><Field Name="Title">Suds {n:02} &amp; more</Field></Method>' for n in range(45)
    ))
    codes = {one(entry.ErrorCode) for entry in results}
    check(f"{port}: 45 new rows", len(results) == 45 and codes == {"0x00000000"}, codes)
    middle, rows, ids, more = changes(token)
    check(f"{port}: a page, and more", 0 < len(rows) < 45 and more == "TRUE", (len(rows), more))
    last, rest, ids, more = changes(middle)
    titles = sorted(row._ows_Title for row in rows + rest)
    check(f"{port}: all rows once", titles == [f"Suds {n:02} & more" for n in range(45)], titles)
    check(f"{port}: and no more", more is None and ids == [], (more, ids))
    raw_rows, raw_ids, raw_token = raw.list_changes("Suds", raw_token)
    check(f"{port}: the second client has the same rows", sorted(row["ows_Title"] for row in raw_rows) == titles, raw_rows)

    [kept, gone, stale] = [row._ows_ID for row in rows[:3]]
    results = update(
        f'<Method ID="1" Cmd="Update"><Field Name="ID">{kept}</Field><Field Name="Title">Changed</Field></Method>'
        f'<Method ID="2" Cmd="Delete"><Field Name="ID">{gone}</Field></Method>'
        f'<Method ID="3" Cmd="Update"><Field Name="ID">{stale}</Field><Field Name="owshiddenversion">7</Field>'
        '<Field Name="Title">stale</Field></Method>'
    )
    codes = [one(entry.ErrorCode) for entry in results]
    check(f"{port}: a stale version conflicts alone", codes == ["0x00000000", "0x00000000", "0x81020015"], codes)
    last, rows, ids, more = changes(last)
    check(f"{port}: the changed row", [(row._ows_ID, row._ows_Title) for row in rows] == [(kept, "Changed")], rows)
    check(f"{port}: the delete comes by id", ids == [("Delete", gone)], ids)
    raw_rows, raw_ids, raw_token = raw.list_changes("Suds", raw_token)
    seen = [(row["ows_ID"], row["ows_Title"]) for row in raw_rows]
    check(f"{port}: the second client sees the same", (seen, raw_ids) == ([(kept, "Changed")], ids), (seen, raw_ids))
    check(f"{port}: then nothing", changes(last)[1:] == ([], [], None))

    content = bytes(range(256)) * 40
    body = base64.b64encode(content).decode()
    url = client.service.AddAttachment(listName="Suds", listItemID=kept, fileName="data & more.bin", attachment=body)
    check(f"{port}: an attachment is made", unquote(url).endswith(f"/Attachments/{kept}/data & more.bin"), url)
    found = many(one(client.service.GetAttachmentCollection(listName="Suds", listItemID=kept).Attachments).Attachment)
    check(f"{port}: and is listed", found == [url], (found, url))
    check(f"{port}: the second client reads it", raw.attachments("Suds", kept) == {"data & more.bin": content})
    last, rows, ids, more = changes(last)
    check(f"{port}: its row changed", [row._ows_ID for row in rows] == [kept] and url in rows[0]._ows_Attachments, rows)
    client.service.DeleteAttachment(listName="Suds", listItemID=kept, url=url)
    check(f"{port}: it is gone for the second client", raw.attachments("Suds", kept) == {})
    try:
        client.service.GetList("No such list")
        check(f"{port}: an unknown list is a fault", False)
    except WebFault as fault:
        check(f"{port}: an unknown list is a fault", "0x82000006" in str(fault.fault), fault.fault)
    client.service.DeleteList("Suds")
    answer = raw.lists('<GetListCollection xmlns="http://schemas.microsoft.com/sharepoint/soap/"/>')
    titles = [entry.get("Title") for entry in answer.iter(raw.SP + "List")]
    check(f"{port}: the list is gone", "Tasks" in titles and "Suds" not in titles, titles)
print("suds: done")
