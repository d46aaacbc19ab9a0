"""SharePlum: lists, items and their attachments, read back by raw SOAP."""

from urllib.parse import unquote

import requests
from requests.auth import HTTPBasicAuth
from shareplum import Site

import raw
from raw import check

site = Site(raw.URL + "/sites/team", auth=HTTPBasicAuth(*raw.ANNA))
check("the site knows its users", site.users is not None)
site.add_list("Plums", "Of SharePlum", 100)
names = [one["Title"] for one in site.get_list_collection()]
check("the new list is in the collection", "Plums" in names, names)
plums = site.list("Plums")
rows, ids, token = raw.list_changes("Plums")
check("it is empty", rows == [] and ids == [])

plums.update_list_items([{"Title": f"Plum {number}"} for number in range(130)], kind="New")
items = plums.get_list_items(fields=["ID", "Title"], row_limit=500)
check("130 items", [one["Title"] for one in items] == [f"Plum {number}" for number in range(130)], len(items))
rows, ids, token = raw.list_changes("Plums", token)
check("the second client gets them by token", sorted(int(row["ows_ID"]) for row in rows) == list(range(1, 131)), len(rows))

plums.update_list_items([{"ID": "5", "Title": "Changed & <shown>"}], kind="Update")
plums.update_list_items(["7", "8"], kind="Delete")
rows, ids, token = raw.list_changes("Plums", token)
check("one changed row", [row["ows_Title"] for row in rows] == ["Changed & <shown>"], rows)
check("two deletes", sorted(ids) == [("Delete", "7"), ("Delete", "8")], ids)
query = {"Where": [("Eq", "Title", "Changed & <shown>")]}
found = plums.get_list_items(fields=["ID", "Title"], query=query)
check("a query finds it", [one["ID"] for one in found] == ["5"], found)

# Attachments, which it lists; it has no calls to add, read or remove one.
content = bytes(range(256)) * 40
raw.attach("Plums", 5, "data & more.bin", content)
found = plums.get_attachment_collection("5")
check("one attachment", [unquote(one.rsplit("/", 1)[-1]) for one in found] == ["data & more.bin"], found)
answer = requests.get(found[0], auth=HTTPBasicAuth(*raw.ANNA))
check("its address has the bytes", (answer.status_code, answer.content) == (200, content), answer.status_code)
[item] = plums.get_list_items(fields=["ID", "Attachments"], query={"Where": [("Eq", "ID", "5")]})
check("the row says so", item["Attachments"] in ("Yes", "1"), item)
check("none elsewhere", plums.get_attachment_collection("6") == [])

tasks = site.list("Tasks")
tasks.update_list_items([{"Title": "Write", "Status": "In Progress", "Priority": "(1) High"}], kind="New")
[task] = tasks.get_list_items(fields=["Title", "Status", "Priority"])
check("choices of a task", (task["Status"], task["Priority"]) == ("In Progress", "(1) High"), task)
rows, _, _ = raw.list_changes("Tasks")
seen = [(row.get("ows_Title"), row.get("ows_Status"), row.get("ows_Priority")) for row in rows]
check("the second client reads the task", seen == [("Write", "In Progress", "(1) High")], seen)

site.delete_list("Plums")
check("the list is gone", "Plums" not in [one["Title"] for one in site.get_list_collection()])
answer = raw.lists('<GetListCollection xmlns="http://schemas.microsoft.com/sharepoint/soap/"/>')
titles = [one.get("Title") for one in answer.iter(raw.SP + "List")]
check("for the second client too", "Tasks" in titles and "Plums" not in titles, titles)
print("SharePlum: done")
