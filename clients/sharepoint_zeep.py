"""zeep, from the WSDL: list sync by token, conflicts, attachments, read back by raw SOAP."""

from urllib.parse import unquote

from lxml import etree
from requests import Session
from requests.auth import HTTPBasicAuth
from zeep import Client
from zeep.exceptions import Fault
from zeep.transports import Transport

import raw
from raw import check

session = Session()
session.auth = HTTPBasicAuth(*raw.ANNA)
endpoint = raw.URL + "/sites/team/_vti_bin/Lists.asmx"


def client(port):
    made = Client(endpoint + "?WSDL", transport=Transport(session=session), service_name="Lists", port_name=port)
    return made.service


def xml(text):
    return etree.fromstring(text)


def local(element, name):
    return [one for one in element.iter() if isinstance(one.tag, str) and etree.QName(one).localname == name]


def tree(result):
    """What zeep makes of an open result: one element, or an object around one."""
    if isinstance(result, etree._Element):
        return result
    value = getattr(result, "_value_1", result)
    return value[0] if isinstance(value, list) else value


def changes(service, token=None):
    listing = tree(service.GetListItemChangesSinceToken(listName="Tasks", changeToken=token))
    [head] = local(listing, "Changes")
    rows = [dict(row.attrib) for row in local(listing, "row")]
    return head.get("LastChangeToken"), rows, [(one.get("ChangeType"), one.text) for one in local(head, "Id")], head


for port in ("ListsSoap", "ListsSoap12"):
    service = client(port)
    lists = tree(service.GetListCollection())
    titles = [one.get("Title") for one in local(lists, "List")]
    check(f"{port}: the site's first lists", {"Announcements", "Calendar", "Tasks", "Documents"} <= set(titles), titles)
    token, before, _, head = changes(service)
    check(f"{port}: the first answer has the schema", len(local(head, "Field")) > 10)

    batch = '<Batch OnError="Continue">' + "".join(
        f'<Method ID="{n}" Cmd="New"><Field Name="Title">{port} {n}</Field></Method>' for n in range(1, 46)
    ) + "</Batch>"
    results = tree(service.UpdateListItems(listName="Tasks", updates={"_value_1": xml(batch)}))
    codes = {one.text for one in local(results, "ErrorCode")}
    check(f"{port}: 45 new rows", codes == {"0x00000000"} and len(local(results, "row")) == 45, codes)
    next_token, rows, _, head = changes(service, token)
    check(f"{port}: 40 rows and MoreChanges", len(rows) == 40 and head.get("MoreChanges") == "TRUE", len(rows))
    last_token, rest, _, head = changes(service, next_token)
    check(f"{port}: then 5", len(rest) == 5 and head.get("MoreChanges") is None, len(rest))
    again = changes(service, token)[1]
    check(f"{port}: an older token gives its answer again", [r["ows_ID"] for r in again] == [r["ows_ID"] for r in rows])

    first = rows[0]["ows_ID"]
    stale = (
        f'<Batch><Method ID="1" Cmd="Update"><Field Name="ID">{first}</Field><Field Name="owshiddenversion">7</Field>'
        '<Field Name="Title">stale</Field></Method><Method ID="2" Cmd="Delete"><Field Name="ID">'
        f'{rows[1]["ows_ID"]}</Field></Method></Batch>'
    )
    results = tree(service.UpdateListItems(listName="Tasks", updates={"_value_1": xml(stale)}))
    codes = [one.text for one in local(results, "ErrorCode")]
    check(f"{port}: a stale version conflicts alone", codes == ["0x81020015", "0x00000000"], codes)
    end_token, rows_now, ids, _ = changes(service, last_token)
    check(f"{port}: the delete comes by id", (rows_now, ids) == ([], [("Delete", rows[1]["ows_ID"])]), ids)
    raw_rows, raw_ids, _ = raw.list_changes("Tasks", last_token)
    check(f"{port}: the second client sees the same", (raw_rows, raw_ids) == ([], ids), raw_ids)
    # zeep takes bytes for xs:base64Binary.
    content, item = bytes(range(256)) * 40, rows[2]["ows_ID"]
    for file, body in (("data & more.bin", content), ("ünï.txt", b"second")):
        url = service.AddAttachment(listName="Tasks", listItemID=item, fileName=file, attachment=body)
        check(f"{port}: an attachment is made", unquote(url).endswith(f"/Attachments/{item}/{file}"), url)
    found = [one.text for one in local(tree(service.GetAttachmentCollection(listName="Tasks", listItemID=item)), "Attachment")]
    check(f"{port}: two are listed", sorted(unquote(one.rsplit("/", 1)[-1]) for one in found) == ["data & more.bin", "ünï.txt"], found)
    check(f"{port}: the second client reads both", raw.attachments("Tasks", item) == {"data & more.bin": content, "ünï.txt": b"second"})
    try:
        service.AddAttachment(listName="Tasks", listItemID=item, fileName="ünï.txt", attachment=b"again")
        check(f"{port}: a name in use is refused", False)
    except Fault as fault:
        check(f"{port}: a name in use is refused", "0x81020067" in etree.tostring(fault.detail).decode(), fault)
    [gone] = [one for one in found if one.endswith(".txt")]
    service.DeleteAttachment(listName="Tasks", listItemID=item, url=gone)
    check(f"{port}: one is left", raw.attachments("Tasks", item) == {"data & more.bin": content})
    _, rows_now, ids, _ = changes(service, end_token)
    check(f"{port}: its row changed", ([row["ows_ID"] for row in rows_now], ids) == ([item], []), (rows_now, ids))
    urls = unquote(rows_now[0]["ows_Attachments"])
    check(f"{port}: and names what it has", f"/Attachments/{item}/data & more.bin;#" in urls, urls)
    try:
        service.GetList(listName="No such list")
        check(f"{port}: an unknown list is a fault", False)
    except Fault as fault:
        check(f"{port}: an unknown list is a fault", "0x82000006" in etree.tostring(fault.detail).decode(), fault)
print("zeep: done")
