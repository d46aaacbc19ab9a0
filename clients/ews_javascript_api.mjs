// ews-javascript-api: hierarchy and items in pages, made, changed, found, given attachments and deleted; read back by raw SOAP.

import {
  ChangeType, ConflictResolutionMode, DeleteMode, EmailMessage, EmailMessageSchema, ExchangeService, ExchangeVersion,
  Folder, FolderId, ItemSchema, ItemView, MessageBody, PropertySet, BasePropertySet, SearchFilter, SortDirection,
  SyncFolderItemsScope, Uri, WebCredentials, WellKnownFolderName,
} from "ews-javascript-api";

import * as raw from "./raw.mjs";
import { check, same } from "./raw.mjs";

const service = new ExchangeService(ExchangeVersion.Exchange2013_SP1);
service.Credentials = new WebCredentials(...raw.ANNA);
service.Url = new Uri(raw.URL_BASE + "/EWS/Exchange.asmx");
const root = new FolderId(WellKnownFolderName.MsgFolderRoot);
const named = new PropertySet(BasePropertySet.IdOnly, ItemSchema.Subject);

/** Drains SyncFolderHierarchy; returns the changes as [kind, name or null] and the state. */
async function hierarchy(state = null) {
  const changes = [];
  for (let page = 0; page < 1_000; page += 1) {
    const answer = await service.SyncFolderHierarchy(root, new PropertySet(BasePropertySet.FirstClassProperties), state);
    changes.push(...answer.GetEnumerator().map((one) => [ChangeType[one.ChangeType], one.Folder?.DisplayName ?? null]));
    state = answer.SyncState;
    if (!answer.MoreChangesAvailable) return { changes, state };
  }
  throw new Error("the drain did not end");
}

/** Drains SyncFolderItems in pages of 10; returns the changes as [kind, id], the pages and the state. */
async function items(folder, state = null) {
  const changes = [];
  for (let pages = 1; pages < 1_000; pages += 1) {
    const scope = SyncFolderItemsScope.NormalItems;
    const answer = await service.SyncFolderItems(folder, named, [], 10, scope, state);
    changes.push(...answer.GetEnumerator().map((one) => [ChangeType[one.ChangeType], one.ItemId.UniqueId]));
    state = answer.SyncState;
    if (!answer.MoreChangesAvailable) return { changes, pages, state };
  }
  throw new Error("the drain did not end");
}

/** The same by raw SOAP, in one page. */
async function rawItems(folder, state = "") {
  const given = state && `<m:SyncState>${state}</m:SyncState>`;
  const text = await raw.ews(
    "<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>" +
      `<m:SyncFolderId><t:FolderId Id="${folder.UniqueId}"/></m:SyncFolderId>${given}` +
      "<m:MaxChangesReturned>512</m:MaxChangesReturned></m:SyncFolderItems>",
  );
  const found = text.matchAll(/<t:(Create|Update|Delete|ReadFlagChange)>.*?<t:ItemId Id="([^"]+)"/gs);
  return { changes: [...found].map((one) => [one[1], one[2]]), state: text.match(/<m:SyncState>([^<]+)</)[1] };
}

// Hierarchy.
const first = await hierarchy();
const creates = first.changes.every(([kind]) => kind === "Create");
check("the first hierarchy is of Create alone", first.changes.length > 5 && creates, first.changes);
check("the inbox is in it", first.changes.some(([, name]) => name === "Inbox"), first.changes);
const folder = new Folder(service);
folder.DisplayName = "Script";
await folder.Save(WellKnownFolderName.Inbox);
let delta = await hierarchy(first.state);
check("a new folder is one Create", same(delta.changes, [["Create", "Script"]]), delta.changes);
folder.DisplayName = "Script 2";
await folder.Update();
delta = await hierarchy(delta.state);
check("a renamed folder is one Update", same(delta.changes, [["Update", "Script 2"]]), delta.changes);
const got = await raw.ews(
  "<m:GetFolder><m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape>" +
    `<m:FolderIds><t:FolderId Id="${folder.Id.UniqueId}"/></m:FolderIds></m:GetFolder>`,
);
check("the second client reads its name", got.includes("<t:DisplayName>Script 2</t:DisplayName>"), got);

// Items, in pages.
const made = [];
for (let number = 0; number < 35; number += 1) {
  const message = new EmailMessage(service);
  message.Subject = `Script ${String(number).padStart(2, "0")}`;
  message.Body = new MessageBody(`Zażółć ${number}`);
  message.ToRecipients.Add(raw.ANNA[0]);
  await message.Save(folder.Id);
  made.push(message);
}
const ids = made.map((one) => one.Id.UniqueId);
let state = await items(folder.Id);
const seen = (changes) => changes.map(([, id]) => id).sort();
check("35 items in four pages", state.pages === 4 && same(seen(state.changes), [...ids].sort()), state.pages);
check("all are Create", state.changes.every(([kind]) => kind === "Create"), state.changes);
let second = await rawItems(folder.Id);
check("the second client has the same ids", same(seen(second.changes), [...ids].sort()), second.changes);
const bound = await EmailMessage.Bind(service, made[3].Id);
check("a message is read back", bound.Subject === "Script 03" && bound.Body.Text.includes("Zażółć 3"), bound.Subject);

// Finding.
const view = new ItemView(10);
view.PropertySet = named;
view.OrderBy.Add(ItemSchema.Subject, SortDirection.Descending);
const subjects = [];
for (let more = true; more && subjects.length < 100; ) {
  const page = await service.FindItems(folder.Id, view);
  subjects.push(...page.Items.map((one) => one.Subject));
  [view.Offset, more] = [page.NextPageOffset, page.MoreAvailable];
}
check("all are found in order", same(subjects, made.map((one) => one.Subject).reverse()), subjects);
const filter = new SearchFilter.IsEqualTo(ItemSchema.Subject, "Script 12");
const found = await service.FindItems(folder.Id, filter, new ItemView(10));
check("a filter finds one", found.TotalCount === 1 && found.Items[0].Id.UniqueId === ids[12], found.TotalCount);

// Changes.
const changed = await EmailMessage.Bind(service, made[0].Id);
changed.Subject = "Changed";
await changed.Update(ConflictResolutionMode.AutoResolve);
const read = await EmailMessage.Bind(service, made[1].Id, new PropertySet(BasePropertySet.IdOnly, EmailMessageSchema.IsRead));
read.IsRead = !read.IsRead;
await read.Update(ConflictResolutionMode.AutoResolve);
await made[2].Delete(DeleteMode.HardDelete);
await made[3].Delete(DeleteMode.MoveToDeletedItems);
const wanted = [["Delete", ids[2]], ["Delete", ids[3]], ["ReadFlagChange", ids[1]], ["Update", ids[0]]].sort();
state = await items(folder.Id, state.state);
check("an update, a read flag, two deletes", same(state.changes.sort(), wanted), state.changes);
second = await rawItems(folder.Id, second.state);
check("the second client sees the same", same(second.changes.sort(), wanted), second.changes);
state = await items(folder.Id, state.state);
check("then nothing", state.changes.length === 0, state.changes);
const gone = await EmailMessage.Bind(service, made[2].Id).then(() => "", (error) => String(error));
check("a deleted item is an error", gone.length > 0, gone);

// Attachments, of an item that stands: those of a new one the library sends twice, with the item and after it.
const bytes = Buffer.from(Array.from({ length: 10_000 }, (_, index) => index % 256)).toString("base64");
const holder = new EmailMessage(service);
holder.Subject = "Holder";
await holder.Save(folder.Id);
holder.Attachments.AddFileAttachment("one.bin", bytes);
await holder.Update(ConflictResolutionMode.AlwaysOverwrite);
const attachments = new PropertySet(BasePropertySet.IdOnly, ItemSchema.Attachments, ItemSchema.HasAttachments);
let held = await EmailMessage.Bind(service, holder.Id, attachments);
const names = () => held.Attachments.Items.map((one) => one.Name);
check("an attachment is added", same(names(), ["one.bin"]) && held.HasAttachments, names());
held.Attachments.AddFileAttachment("zwei drei.txt", Buffer.from("second").toString("base64"));
await held.Update(ConflictResolutionMode.AlwaysOverwrite);
held = await EmailMessage.Bind(service, holder.Id, attachments);
check("and one added later", same(names(), ["one.bin", "zwei drei.txt"]), names());
await held.Attachments.Items[0].Load();
check("its bytes", held.Attachments.Items[0].Base64Content === bytes, held.Attachments.Items[0].Base64Content?.length);
const contents = async () => {
  const ids = held.Attachments.Items.map((one) => `<t:AttachmentId Id="${one.Id}"/>`).join("");
  const text = await raw.ews(`<m:GetAttachment><m:AttachmentIds>${ids}</m:AttachmentIds></m:GetAttachment>`);
  return [...text.matchAll(/<t:Content>([^<]*)</g)].map((one) => Buffer.from(one[1], "base64").toString("latin1"));
};
const wholes = [Buffer.from(bytes, "base64").toString("latin1"), "second"];
check("the second client reads both", same(await contents(), wholes));
held.Attachments.RemoveAt(0);
await held.Update(ConflictResolutionMode.AlwaysOverwrite);
held = await EmailMessage.Bind(service, holder.Id, attachments);
check("one is removed", same(names(), ["zwei drei.txt"]), names());
check("the second client reads the other", same(await contents(), wholes.slice(1)));

await folder.Delete(DeleteMode.HardDelete);
delta = await hierarchy(delta.state);
check("a deleted folder is one Delete", same(delta.changes, [["Delete", null]]), delta.changes);
console.log("ews-javascript-api: done");
