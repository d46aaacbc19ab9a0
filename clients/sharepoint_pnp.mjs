// PnPjs over REST, with queries that camljs writes: lists, items with ETags, attachments, pages, a batch; read back by raw SOAP.

import { SPDefault } from "@pnp/nodejs";
import { InjectHeaders } from "@pnp/queryable";
import { spfi } from "@pnp/sp";
import "@pnp/sp/attachments/index.js";
import "@pnp/sp/batching.js";
import "@pnp/sp/fields/index.js";
import "@pnp/sp/files/index.js";
import "@pnp/sp/folders/index.js";
import "@pnp/sp/items/index.js";
import "@pnp/sp/lists/index.js";
import "@pnp/sp/webs/index.js";
import CamlBuilder from "camljs";

import * as raw from "./raw.mjs";
import { check, same } from "./raw.mjs";

const site = raw.URL_BASE + "/sites/team";
const sp = spfi(site).using(SPDefault({ baseUrl: site }), InjectHeaders({ Authorization: raw.AUTHORIZATION }));

/** The status of the answer that made a call fail, or 0 where it did not fail. */
async function statusOf(call) {
  try {
    await call();
    return 0;
  } catch (error) {
    return error.status;
  }
}

const ordered = (numbers) => [...numbers].sort((one, other) => one - other);

// Lists.
const web = await sp.web.select("Title", "Url")();
check("the site", web.Title === "Team" && web.Url === site, web);
const titles = (await sp.web.lists.select("Title")()).map((one) => one.Title);
check("the site's first lists", ["Announcements", "Calendar", "Tasks", "Documents"].every((one) => titles.includes(one)), titles);
const ensured = await sp.web.lists.ensure("Plants", "by PnPjs", 100);
check("a list is made", ensured.created === true && ensured.data.Title === "Plants", ensured.data);
const again = await sp.web.lists.ensure("Plants", "by PnPjs", 100);
check("and is found the second time", again.created === false, again);
const seen = await raw.lists("GetListCollection");
check("the second client finds it by its id", seen.toLowerCase().includes(`id="{${ensured.data.Id}}"`), ensured.data.Id);
const plants = sp.web.lists.getByTitle("Plants");
await plants.fields.addNumber("Height");
const numbers = await plants.fields.select("InternalName", "TypeAsString").filter("InternalName eq 'Height'")();
check("a field is added", numbers.length === 1 && numbers[0].TypeAsString === "Number", numbers);
let { token: start } = await raw.listChanges("Plants");

// Items, one by one and in a batch.
const first = await plants.items.add({ Title: "Plant 01", Height: 1 });
check("an item is made", first.Id === 1 && first.Title === "Plant 01" && first.Height === 1, first);
const [batched, execute] = sp.batched();
const made = [];
for (let number = 2; number <= 25; number += 1) {
  const title = `Plant ${String(number).padStart(2, "0")}`;
  batched.web.lists.getByTitle("Plants").items.add({ Title: title, Height: number }).then((one) => made.push(one.Id));
}
await execute();
const ids = Array.from({ length: 25 }, (_, index) => index + 1);
check("24 items in one batch", same(ordered(made), ids.slice(1)), made);
let raws = await raw.listChanges("Plants", start);
check("the second client has 25 rows", same(ordered(raws.rows.map((row) => Number(row.ows_ID))), ids), raws.rows.length);
const middle = raws.token;

const paged = [];
const sizes = [];
for await (const page of plants.items.select("Id", "Title").top(10)) {
  paged.push(...page.map((one) => one.Id));
  sizes.push(page.length);
}
check("pages of 10, 10 and 5", same(sizes, [10, 10, 5]), sizes);
check("every item comes once", same(paged, ids), paged);
const some = await plants.items.filter("Height gt 22").orderBy("Height", false).select("Title")();
check("a filter with an order", same(some.map((one) => one.Title), ["Plant 25", "Plant 24", "Plant 23"]), some);

// ETags.
const item = plants.items.getById(3);
const etag = (await item.select("Id")())["odata.etag"];
check("an item has an ETag", /^"[0-9a-f-]{36},\d+"$/i.test(etag), etag);
const updated = await item.update({ Title: "Changed & <shown>" }, etag);
check("an update gives the next ETag", updated.etag !== etag && updated.etag.length > 0, updated);
check("the former one is refused", (await statusOf(() => item.update({ Title: "stale" }, etag))) === 412);
check("for a delete too", (await statusOf(() => item.delete(etag))) === 412);
await item.update({ Height: 33 }, updated.etag);
const read = await item.select("Title", "Height")();
check("both updates are there", read.Title === "Changed & <shown>" && read.Height === 33, read);
await plants.items.getById(7).delete();
await plants.items.getById(8).recycle();
check("a deleted item is 404", (await statusOf(() => plants.items.getById(7)())) === 404);
raws = await raw.listChanges("Plants", middle);
const changed = raws.rows.map((row) => [row.ows_ID, row.ows_Title]);
check("the second client has the row", same(changed, [["3", "Changed & <shown>"]]), changed);
check("and the deletes", same(raws.deleted.sort(), ["7", "8"]), raws.deleted);

// Changes by token.
let answer = raw.listAnswer(await plants.getListItemChangesSinceToken({ ChangeToken: middle }));
check("getListItemChangesSinceToken: the row", same(answer.rows.map((row) => row.ows_ID), ["3"]), answer.rows);
check("getListItemChangesSinceToken: the deletes", same(answer.deleted.sort(), ["7", "8"]), answer.deleted);
const drained = [];
let pages = 0;
for (let token = start, more = true; more && pages < 100; pages += 1) {
  answer = raw.listAnswer(await plants.getListItemChangesSinceToken({ ChangeToken: token, RowLimit: "10" }));
  drained.push(...answer.rows.map((row) => Number(row.ows_ID)));
  [token, more] = [answer.token, answer.more];
}
const left = ids.filter((one) => one !== 7 && one !== 8);
check("from the start in pages", pages > 1 && same(ordered(new Set(drained)), left), [pages, drained]);
const wanted = { Item: true, Add: true, Update: true, DeleteObject: true, ChangeTokenStart: { StringValue: middle } };
const log = new Set((await plants.getChanges(wanted)).map((one) => `${one.ChangeType} ${one.ItemId}`));
check("getChanges: an update and two deletes", same([...log].sort(), ["2 3", "3 7", "3 8"]), [...log]);

// Attachments.
const bytes = Buffer.from(Array.from({ length: 10_000 }, (_, index) => index % 256));
const files = plants.items.getById(3).attachmentFiles;
await files.add("data & more.bin", bytes);
await files.add("ünï.txt", "text of ünï");
let listed = (await files()).map((one) => one.FileName).sort();
check("two attachments are listed", same(listed, ["data & more.bin", "ünï.txt"]), listed);
const got = Buffer.from(await files.getByName("data & more.bin").getBuffer());
check("the bytes of one", got.equals(bytes), got.length);
check("the text of the other", (await files.getByName("ünï.txt").getText()) === "text of ünï");
await files.getByName("ünï.txt").setContent("new text");
const attached = await raw.attachments("Plants", 3);
check("the second client reads both", attached.size === 2 && attached.get("data & more.bin")?.equals(bytes), [...attached.keys()]);
check("and the new text", attached.get("ünï.txt")?.toString() === "new text", String(attached.get("ünï.txt")));
await files.getByName("data & more.bin").delete();
listed = [...(await raw.attachments("Plants", 3)).keys()];
check("one is left", same(listed, ["ünï.txt"]), listed);
check("a deleted one is 404", (await statusOf(() => files.getByName("data & more.bin")())) === 404);
raws = await raw.listChanges("Plants", raws.token);
check("the row changed", same(raws.rows.map((row) => row.ows_ID), ["3"]), raws.rows);
check("and names what it has", decodeURIComponent(raws.rows[0].ows_Attachments).includes("/Attachments/3/ünï.txt;#"), raws.rows);

// CAML that camljs writes.
const query = (view) => plants.getItemsByCAMLQuery({ ViewXml: view.ToString() });
let found = await query(new CamlBuilder().View(["Title"]).Query().Where().TextField("Title").EqualTo("Changed & <shown>"));
check("CAML: equal", same(found.map((one) => one.Id), [3]), found);
const between = new CamlBuilder().View(["Title", "Height"]).RowLimit(3).Query().Where();
found = await query(between.NumberField("Height").GreaterThan(9).And().NumberField("Height").LessThan(20).OrderByDesc("Height"));
check("CAML: a range, an order and a limit", same(found.map((one) => one.Height), [19, 18, 17]), found);
const either = new CamlBuilder().View().Query().Where().TextField("Title").BeginsWith("Plant 1").Or();
found = await query(either.NumberField("Height").In([1, 2, 33]).OrderBy("ID"));
const chosen = [1, 2, 3, ...ids.slice(9, 19)];
check("CAML: a beginning or a set", same(found.map((one) => one.Id), chosen), found);

// Files and folders.
const documents = sp.web.getFolderByServerRelativePath("Documents");
await documents.folders.addUsingPath("PnP files");
const folder = sp.web.getFolderByServerRelativePath("/sites/team/Documents/PnP files");
const stored = await folder.files.addUsingPath("it's ünï.txt", "first", { Overwrite: false });
check("a file is added", stored.ServerRelativeUrl === "/sites/team/Documents/PnP files/it's ünï.txt", stored);
const file = sp.web.getFileByServerRelativePath(stored.ServerRelativeUrl);
check("its text", (await file.getText()) === "first");
check("a file is not overwritten", (await statusOf(() => folder.files.addUsingPath("it's ünï.txt", "x"))) === 409);
await file.setContent("second");
check("a file is written again", (await file.getText()) === "second");
const inside = await folder.files.select("Name", "Length")();
check("a folder lists its files", same(inside.map((one) => [one.Name, one.Length]), [["it's ünï.txt", "6"]]), inside);
await file.delete();
check("a file is deleted", (await statusOf(() => file.getText())) === 404);
await folder.recycle();
check("and its folder", (await documents.folders()).length === 0);

await plants.delete();
check("the list is gone for the second client", !(await raw.lists("GetListCollection")).includes('"Plants"'));
console.log("PnPjs and camljs: done");
