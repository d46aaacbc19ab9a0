"""A second client for each protocol, of the standard library alone: what the client under test did is read back here."""

import base64
import os
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape

URL = os.environ["HIGHWATER_URL"]
ANNA = ("anna@example.com", "anna-password-1")
BERT = ("bert@example.com", "bert-password-2")
T = "{http://schemas.microsoft.com/exchange/services/2006/types}"
M = "{http://schemas.microsoft.com/exchange/services/2006/messages}"
SP = "{http://schemas.microsoft.com/sharepoint/soap/}"
ROW = "{#RowsetSchema}row"


def post(path, body, headers, who=ANNA):
    """Posts bytes; returns (status, answer)."""
    token = base64.b64encode(f"{who[0]}:{who[1]}".encode()).decode()
    request = urllib.request.Request(URL + path, body, {"Authorization": "Basic " + token, **headers})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def ews(operation, who=ANNA):
    """Sends the XML of one EWS operation (prefixes m and t); returns the root of the answer."""
    body = (
        '<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types" '
        'xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages">'
        '<s:Header><t:RequestServerVersion Version="Exchange2013_SP1"/></s:Header>'
        f"<s:Body>{operation}</s:Body></s:Envelope>"
    )
    status, answer = post("/EWS/Exchange.asmx", body.encode(), {"Content-Type": "text/xml; charset=utf-8"}, who)
    assert status == 200, (status, answer[:2000])
    return ET.fromstring(answer)


def ews_sync(folder, state="", shape="IdOnly", page=512):
    """Drains SyncFolderItems; returns ([(kind, id, element)], state)."""
    changes, last = [], False
    for _ in range(10_000):
        given = f"<m:SyncState>{state}</m:SyncState>" if state else ""
        root = ews(
            f"<m:SyncFolderItems><m:ItemShape><t:BaseShape>{shape}</t:BaseShape></m:ItemShape>"
            f"<m:SyncFolderId>{folder}</m:SyncFolderId>{given}"
            f"<m:MaxChangesReturned>{page}</m:MaxChangesReturned></m:SyncFolderItems>"
        )
        message = root.find(f".//{M}SyncFolderItemsResponseMessage")
        assert message.get("ResponseClass") == "Success", ET.tostring(message)
        state = message.find(f"{M}SyncState").text
        for change in message.find(f"{M}Changes"):
            item = change.find(f".//{T}ItemId")
            changes.append((change.tag.replace(T, ""), item.get("Id"), change))
        last = message.find(f"{M}IncludesLastItemInRange").text == "true"
        if last:
            return changes, state
    raise AssertionError("the drain did not end")


def ews_hierarchy(state=""):
    """Drains SyncFolderHierarchy; returns ([(kind, name)], state). A Delete has no name."""
    changes = []
    for _ in range(1_000):
        given = f"<m:SyncState>{state}</m:SyncState>" if state else ""
        root = ews(
            "<m:SyncFolderHierarchy><m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape>"
            f"{given}</m:SyncFolderHierarchy>"
        )
        message = root.find(f".//{M}SyncFolderHierarchyResponseMessage")
        assert message.get("ResponseClass") == "Success", ET.tostring(message)
        state = message.find(f"{M}SyncState").text
        for change in message.find(f"{M}Changes"):
            changes.append((change.tag.replace(T, ""), change.findtext(f".//{T}DisplayName")))
        if message.findtext(f"{M}IncludesLastFolderInRange") == "true":
            return changes, state
    raise AssertionError("the drain did not end")


def lists(operation, site="/sites/team", who=ANNA):
    """Sends the XML of one Lists.asmx operation in its default namespace; returns the root of the answer."""
    body = (
        '<?xml version="1.0" encoding="utf-8"?><soap:Envelope '
        'xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
        f"{operation}</soap:Body></soap:Envelope>"
    )
    status, answer = post(site + "/_vti_bin/Lists.asmx", body.encode(), {"Content-Type": "text/xml; charset=utf-8"}, who)
    assert status == 200, (status, answer[:2000])
    return ET.fromstring(answer)


def attach(name, item, file, content):
    """AddAttachment."""
    lists(
        f'<AddAttachment xmlns="http://schemas.microsoft.com/sharepoint/soap/"><listName>{name}</listName>'
        f"<listItemID>{item}</listItemID><fileName>{escape(file)}</fileName>"
        f"<attachment>{base64.b64encode(content).decode()}</attachment></AddAttachment>"
    )


def attachments(name, item, who=ANNA):
    """GetAttachmentCollection, and a GET of each; returns {file: content}."""
    root = lists(
        f'<GetAttachmentCollection xmlns="http://schemas.microsoft.com/sharepoint/soap/"><listName>{name}</listName>'
        f"<listItemID>{item}</listItemID></GetAttachmentCollection>"
    )
    token = base64.b64encode(f"{who[0]}:{who[1]}".encode()).decode()
    found = {}
    for url in (one.text for one in root.iter(SP + "Attachment")):
        request = urllib.request.Request(url, headers={"Authorization": "Basic " + token})
        with urllib.request.urlopen(request, timeout=60) as answer:
            found[urllib.parse.unquote(url.rsplit("/", 1)[-1])] = answer.read()
    return found


def get(path, who=ANNA):
    """The bytes at a server-relative path."""
    token = base64.b64encode(f"{who[0]}:{who[1]}".encode()).decode()
    request = urllib.request.Request(URL + urllib.parse.quote(path), headers={"Authorization": "Basic " + token})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


def list_changes(name, token=""):
    """Drains GetListItemChangesSinceToken; returns (rows, ids, token)."""
    rows, ids = [], []
    for _ in range(10_000):
        given = f"<changeToken>{token}</changeToken>" if token else ""
        root = lists(
            f'<GetListItemChangesSinceToken xmlns="http://schemas.microsoft.com/sharepoint/soap/">'
            f"<listName>{name}</listName>{given}</GetListItemChangesSinceToken>"
        )
        changes = next(one for one in root.iter() if one.tag.endswith("Changes"))
        token = changes.get("LastChangeToken")
        rows += [dict(row.attrib) for row in root.iter(ROW)]
        ids += [(one.get("ChangeType"), one.text) for one in changes if one.tag.endswith("Id")]
        if changes.get("MoreChanges") != "TRUE":
            return rows, ids, token
    raise AssertionError("the drain did not end")


def check(name, condition, detail=""):
    """One line a check; ends the script where it does not hold."""
    print(("ok   " if condition else "FAIL ") + name + (f": {detail}" if detail and not condition else ""), flush=True)
    if not condition:
        raise SystemExit(1)
