"""python-sharepoint (PyPI `sharepoint` 0.4.2): lists, rows and attachments, read back by raw SOAP.

The release is of 2014 and its writes call `unicode`, which Python 3 lacks: as its users there do, the name is given to
it from outside. Nothing of the package is changed. It has no tokens, and adds and removes no attachments.
"""

import builtins
from urllib.parse import unquote

builtins.unicode = str

from sharepoint import SharePointSite, basic_auth_opener
from sharepoint.exceptions import UpdateFailedError

import raw
from raw import check

url = raw.URL + "/sites/team/"


def fresh():
    """The site without what the library remembers."""
    return SharePointSite(url, basic_auth_opener(url, *raw.ANNA))


site = fresh()
names = [one.name for one in site.lists]
check("the site's first lists", {"Announcements", "Calendar", "Tasks", "Documents"} <= set(names), names)
check("the users' list is the last", site.lists[-1].id not in (None, ""), names)
users = [row.Title for row in site.lists[-1].rows] if "User Information List" in names else names
check("and it has rows", len(users) >= 1, users)
site.lists.create("Pythons", "of python-sharepoint", 100)
answer = raw.lists('<GetListCollection xmlns="http://schemas.microsoft.com/sharepoint/soap/"/>')
ids = {one.get("Title"): one.get("ID").lower() for one in answer.iter(raw.SP + "List")}
pythons = site.lists["Pythons"]
check("the second client finds the new list by its id", ids.get("Pythons") == pythons.id, ids)
check("by its id too", site.lists[pythons.id.strip("{}")] is pythons)
check("it has fields", {"ID", "Title", "Created", "Author"} <= set(pythons.fields), sorted(pythons.fields))
check("and no rows", pythons.rows == [], pythons.rows)
_, _, token = raw.list_changes("Pythons")

# Rows.
for number in range(30):
    pythons.append({"Title": f"Python {number:02} & ünï"})
pythons.save()
check("30 rows have ids", [row.id for row in pythons.rows] == list(range(1, 31)), [row.id for row in pythons.rows])
rows, ids, token = raw.list_changes("Pythons", token)
titles = sorted(row["ows_Title"] for row in rows)
check("the second client gets them", titles == [f"Python {n:02} & ünï" for n in range(30)], titles)
pythons = fresh().lists["Pythons"]
read = sorted((row.id, row.Title) for row in pythons.rows)
check("they are read back", read == [(n + 1, f"Python {n:02} & ünï") for n in range(30)], read)
by_id = pythons.rows_by_id
check("with dates", all(row.Created and row.Modified >= row.Created for row in pythons.rows))
by_id[5].Title = "Changed & <shown>"
pythons.remove(by_id[7])
pythons.remove(by_id[8])
pythons.save()
rows, ids, token = raw.list_changes("Pythons", token)
check("one changed row", [(row["ows_ID"], row["ows_Title"]) for row in rows] == [("5", "Changed & <shown>")], rows)
check("two deletes", sorted(ids) == [("Delete", "7"), ("Delete", "8")], ids)
stale = fresh().lists["Pythons"]
row = stale.rows_by_id[9]
raw.lists(
    '<UpdateListItems xmlns="http://schemas.microsoft.com/sharepoint/soap/"><listName>Pythons</listName><updates>'
    '<Batch xmlns=""><Method ID="1" Cmd="Delete"><Field Name="ID">9</Field></Method></Batch></updates></UpdateListItems>'
)
row.Title = "too late"
try:
    stale.save()
    check("a row that is gone is refused", False)
except UpdateFailedError as error:
    check("a row that is gone is refused", error.code == "0x81020016", error.code)

# Attachments, which it lists and reads.
content = bytes(range(256)) * 40
raw.attach("Pythons", 5, "data & more.bin", content)
row = fresh().lists["Pythons"].rows_by_id[5]
found = list(row.attachments)
check("one attachment", [unquote(one.url.rsplit("/", 1)[-1]) for one in found] == ["data & more.bin"], found)
check("with its bytes", found[0].open().read() == content)

# Other types of values.
tasks = fresh().lists["Tasks"]
tasks.append({"Title": "Write", "Status": "In Progress", "Priority": "(1) High", "PercentComplete": 0.5})
tasks.save()
[task] = [row for row in fresh().lists["Tasks"].rows if row.Title == "Write"]
seen = (task.Status, task.Priority, task.PercentComplete)
check("choices and a number of a task", seen == ("In Progress", "(1) High", 0.5), seen)
rows, _, _ = raw.list_changes("Tasks")
seen = [(one.get("ows_Title"), one.get("ows_Status"), float(one.get("ows_PercentComplete"))) for one in rows]
check("the second client reads the task", seen == [("Write", "In Progress", 0.5)], seen)

site = fresh()
site.lists["Pythons"].delete()
check("the list is gone", "Pythons" not in [one.name for one in fresh().lists])
answer = raw.lists('<GetListCollection xmlns="http://schemas.microsoft.com/sharepoint/soap/"/>')
titles = [one.get("Title") for one in answer.iter(raw.SP + "List")]
check("for the second client too", "Tasks" in titles and "Pythons" not in titles, titles)
print("python-sharepoint: done")
