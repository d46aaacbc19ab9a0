"""Office365-REST-Python-Client: lists, items, attachments and both change queries over REST, read back by raw SOAP."""

import base64
import xml.etree.ElementTree as ET

from office365.runtime.auth.token_response import TokenResponse
from office365.runtime.client_request_exception import ClientRequestException
from office365.sharepoint.attachments.creation_information import AttachmentCreationInformation
from office365.sharepoint.changes.log_item_query import ChangeLogItemQuery
from office365.sharepoint.changes.query import ChangeQuery
from office365.sharepoint.changes.token import ChangeToken
from office365.sharepoint.changes.type import ChangeType
from office365.sharepoint.client_context import ClientContext
from office365.sharepoint.listitems.caml.query import CamlQuery
from office365.sharepoint.lists.creation_information import ListCreationInformation

import raw
from raw import check

BASIC = TokenResponse(accessToken=base64.b64encode(":".join(raw.ANNA).encode()).decode(), tokenType="Basic")
context = ClientContext(raw.URL + "/sites/team").with_access_token(lambda: BASIC)

# Lists.
web = context.web.get().execute_query()
check("the site", (web.title, web.server_relative_url) == ("Team", "/sites/team"), web.properties)
titles = {one.title for one in context.web.lists.get().execute_query()}
check("the site's first lists", {"Announcements", "Calendar", "Tasks", "Documents"} <= titles, titles)
made = context.web.lists.add(ListCreationInformation("Office", "by REST", 100)).execute_query()
answer = raw.lists('<GetListCollection xmlns="http://schemas.microsoft.com/sharepoint/soap/"/>')
ids = {one.get("Title"): one.get("ID").strip("{}").lower() for one in answer.iter(raw.SP + "List")}
check("the second client finds the new list by its id", ids.get("Office") == made.id.lower(), (ids, made.id))
office = context.web.lists.get_by_title("Office")


def since(token=None):
    """getListItemChangesSinceToken; returns (rows, deleted ids, token)."""
    answer = office.get_list_item_changes_since_token(ChangeLogItemQuery(ChangeToken=token)).execute_query().value
    root = ET.fromstring(answer)
    head = next(one for one in root.iter() if one.tag.endswith("Changes"))
    deleted = [one.text for one in head if one.tag.endswith("Id") and one.get("ChangeType") == "Delete"]
    return [dict(row.attrib) for row in root.iter(raw.ROW)], deleted, head.get("LastChangeToken")


rows, deleted, token = since()
check("a first answer of an empty list", (rows, deleted) == ([], []) and bool(token), (rows, deleted))
_, _, raw_token = raw.list_changes("Office")

# Items.
added = [office.add_item({"Title": f"Office {number:02}"}).execute_query() for number in range(25)]
check("25 items are made", [one.id for one in added] == list(range(1, 26)), [one.id for one in added])
items = office.items.get().top(7).execute_query()
check("a page of 7", [one.properties["Title"] for one in items] == [f"Office {n:02}" for n in range(7)], len(items))
everything = [one.properties["Title"] for one in office.items.get_all(10).execute_query()]
check("25 items in pages of 10", everything == [f"Office {n:02}" for n in range(25)], everything)
paged = [one.properties["Title"] for one in office.items.paged(4).get().execute_query()]
check("and in pages of 4, one after the other", paged == everything, paged)
found = office.items.get().filter("Title eq 'Office 12'").execute_query()
check("a filter finds one", [one.id for one in found] == [13], [one.properties for one in found])
found = office.get_items(CamlQuery(ViewXml="<View><RowLimit>2</RowLimit></View>")).execute_query()
check("a view of CAML gives two", [one.id for one in found] == [1, 2], [one.id for one in found])
rows, deleted, middle = since(token)
check("25 rows by token", sorted(int(row["ows_ID"]) for row in rows) == list(range(1, 26)), len(rows))
raw_rows, _, raw_token = raw.list_changes("Office", raw_token)
titles = sorted(row["ows_Title"] for row in raw_rows)
check("the second client gets the same rows", titles == everything, titles)

added[4].set_property("Title", "Changed & <shown>").update().execute_query()
office.get_item_by_id(7).delete_object().execute_query()
office.get_item_by_id(8).recycle().execute_query()
start = middle
rows, deleted, middle = since(middle)
check("one changed row", [row["ows_Title"] for row in rows] == ["Changed & <shown>"], rows)
check("two deletes", sorted(deleted) == ["7", "8"], deleted)
raw_rows, raw_ids, _ = raw.list_changes("Office", raw_token)
check("the second client sees the row", [row["ows_Title"] for row in raw_rows] == ["Changed & <shown>"], raw_rows)
check("and the deletes", sorted(raw_ids) == [("Delete", "7"), ("Delete", "8")], raw_ids)

# Attachments.
content = bytes(range(256)) * 40
item = office.get_item_by_id(9)
files = item.attachment_files
made = files.add(AttachmentCreationInformation("data.bin", content)).execute_query()
check("an attachment is made", made.file_name == "data.bin", made.properties)
named = files.add_using_path("ünï & more.txt", b"second").execute_query()
check("and one by its path", named.file_name == "ünï & more.txt", named.properties)
check("the second client reads both", raw.attachments("Office", 9) == {"data.bin": content, "ünï & more.txt": b"second"})
found = {one.file_name for one in item.attachment_files.get().execute_query()}
check("both are listed", found == {"data.bin", "ünï & more.txt"}, found)
check("its bytes", files.get_by_filename("data.bin").get_content().execute_query().value == content)
rows, deleted, middle = since(middle)
urls = {row["ows_ID"]: row["ows_Attachments"] for row in rows}.get("9", "")
check("an attachment changes its row", "/Attachments/9/data.bin;#" in urls, rows)
files.get_by_filename("data.bin").delete_object().execute_query()
check("one is left for the second client", raw.attachments("Office", 9) == {"ünï & more.txt": b"second"})
rows, _, middle = since(middle)
check("its removal changes the row again", [row["ows_ID"] for row in rows] == ["9"], rows)

# Files and folders.
documents = context.web.get_folder_by_server_relative_url("Documents")
sub = documents.folders.add("Office files").execute_query()
check("a folder is made", sub.server_relative_url == "/sites/team/Documents/Office files", sub.properties)
stored = sub.upload_file("it's ünï.bin", content).execute_query()
path = "/sites/team/Documents/Office files/it's ünï.bin"
check("a file is uploaded", (stored.server_relative_url, stored.length) == (path, len(content)), stored.properties)
check("the second client reads it", raw.get(path) == content)
check("its bytes come back", stored.get_content().execute_query().value == content)
same = context.web.get_file_by_server_relative_path(path).get().execute_query()
check("it goes by its path", same.unique_id == stored.unique_id, same.properties)
attached = "/sites/team/Lists/Office/Attachments/9/ünï & more.txt"
attached = context.web.get_file_by_server_relative_url(attached).get_content().execute_query().value
check("so does an attachment", attached == b"second", attached)
sub.upload_file("it's ünï.bin", b"new").execute_query()
check("a file is written again", raw.get(path) == b"new")
listed = [one.name for one in sub.files.get().execute_query()]
check("a folder lists its files", listed == ["it's ünï.bin"], listed)
listed = [one.name for one in context.web.lists.get_by_title("Documents").root_folder.folders.get().execute_query()]
check("a library lists its folders", listed == ["Office files"], listed)
same.delete_object().execute_query()
check("a file is deleted", [one.name for one in sub.files.get().execute_query()] == [])
sub.recycle().execute_query()
check("and its folder", [one.name for one in documents.folders.get().execute_query()] == [])

# The change log. ChangeType: 1 is an add, 2 an update, 3 a delete.
def log(**wanted):
    changes = office.get_changes(ChangeQuery(Item=True, **wanted)).execute_query()
    return [(int(ChangeType(one.properties["ChangeType"]).value), one.properties["ItemId"]) for one in changes]


entries = log(Update=False, DeleteObject=False)
check("the log of adds", {(1, n) for n in range(1, 26) if n not in (7, 8)} <= set(entries), entries)
check("of adds alone", {kind for kind, _ in entries} == {1}, entries)
entries = log(ChangeTokenStart=ChangeToken(start))
check("the log after a token", sorted(set(entries)) == [(2, 5), (2, 9), (3, 7), (3, 8)], entries)
entries = log(ChangeTokenStart=ChangeToken(start), Add=False, Update=False)
check("deletes alone", entries == [(3, 7), (3, 8)], entries)

# Errors, and the end of the list.
try:
    context.web.lists.get_by_title("No such list").get().execute_query()
    check("an unknown list is 404", False)
except ClientRequestException as error:
    check("an unknown list is 404", error.response.status_code == 404, error)
office.delete_object().execute_query()
answer = raw.lists('<GetListCollection xmlns="http://schemas.microsoft.com/sharepoint/soap/"/>')
titles = [one.get("Title") for one in answer.iter(raw.SP + "List")]
check("the list is gone for the second client", "Tasks" in titles and "Office" not in titles, titles)
print("Office365-REST-Python-Client: done")
