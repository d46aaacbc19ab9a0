// ews-javascript-api: a streaming subscription that hangs while requests go beside it, and pull notifications; changes are made by raw SOAP.

import {
  EventType, ExchangeService, ExchangeVersion, FolderId, StreamingSubscriptionConnection, Uri, WebCredentials,
  WellKnownFolderName,
} from "ews-javascript-api";

import * as raw from "./raw.mjs";
import { check } from "./raw.mjs";

/** A service of its own: this library ends the latest request of a service where a connection is closed. */
function connect() {
  const service = new ExchangeService(ExchangeVersion.Exchange2013_SP1);
  service.Credentials = new WebCredentials(...raw.ANNA);
  service.Url = new Uri(raw.URL_BASE + "/EWS/Exchange.asmx");
  return service;
}

const service = connect();
const inbox = new FolderId(WellKnownFolderName.Inbox);
const kinds = [EventType.NewMail, EventType.Created, EventType.Deleted, EventType.Modified, EventType.Moved, EventType.Copied];

/** Stores a message in a folder; returns its id. */
async function message(folder, subject) {
  const text = await raw.ews(
    `<m:CreateItem MessageDisposition="SaveOnly"><m:SavedItemFolderId><t:DistinguishedFolderId Id="${folder}"/></m:SavedItemFolderId>` +
      `<m:Items><t:Message><t:Subject>${subject}</t:Subject></t:Message></m:Items></m:CreateItem>`,
  );
  return text.match(/<t:ItemId Id="([^"]+)"/)[1];
}

/** Waits until something holds, half a minute at most. */
async function until(holds) {
  for (let turn = 0; turn < 300 && !holds(); turn += 1) await new Promise((done) => setTimeout(done, 100));
  return holds();
}

// Pull.
const pulled = await service.SubscribeToPullNotifications([inbox], 5, null, ...kinds);
check("a pull subscription has an id and a watermark", pulled.Id.length > 20 && pulled.Watermark.length > 20, pulled.Id);
const first = await message("inbox", "pulled");
let heard = await pulled.GetEvents();
const created = heard.ItemEvents.filter((event) => event.EventType === EventType.Created);
check("what was made is told", created.length === 1 && created[0].ItemId.UniqueId === first, heard);
const counted = heard.FolderEvents.filter((event) => event.EventType === EventType.Modified);
check("and the folder with its count", counted.length === 1 && counted[0].UnreadCount === 0, heard);
heard = await pulled.GetEvents();
check("then nothing", heard.AllEvents.length === 0 && !pulled.MoreEventsAvailable, heard);
await pulled.Unsubscribe();
const refused = await pulled.GetEvents().then(() => "", (error) => String(error.ErrorCode ?? error));
check("an ended subscription is refused", refused !== "", refused);

// Streaming.
const subscription = await service.SubscribeToStreamingNotifications([inbox], ...kinds);
const connection = new StreamingSubscriptionConnection(service, 1);
connection.AddSubscription(subscription);
const events = [];
const errors = [];
let closed = false;
connection.OnNotificationEvent.push((_, args) => events.push(...args.Events));
connection.OnSubscriptionError.push((_, args) => errors.push(args.Exception));
connection.OnDisconnect.push(() => (closed = true));
connection.Open().catch((error) => errors.push(error));
const of = (kind, id) => events.filter((event) => event.EventType === kind && (!id || event.ItemId?.UniqueId === id)).length;
const second = await message("inbox", "streamed");
check("what is made is told while it hangs", await until(() => of(EventType.Created, second) === 1), { events, errors });
await message("drafts", "elsewhere");
await raw.ews(`<m:DeleteItem DeleteType="HardDelete"><m:ItemIds><t:ItemId Id="${second}"/></m:ItemIds></m:DeleteItem>`);
check("what is deleted, too", await until(() => of(EventType.Deleted, second) === 1), { events, errors });
const moving = await message("inbox", "moving");
check("the next comes", await until(() => of(EventType.Created, moving) === 1), { events, errors });
await raw.ews(
  `<m:MoveItem><m:ToFolderId><t:DistinguishedFolderId Id="drafts"/></m:ToFolderId><m:ItemIds><t:ItemId Id="${moving}"/></m:ItemIds></m:MoveItem>`,
);
check("a move is told by its old id", await until(() => events.some((event) => event.OldItemId?.UniqueId === moving)), { events, errors });
check("of nothing elsewhere, and no errors", of(EventType.Created) === 2 && errors.length === 0 && !closed, { events, errors });
connection.Close();
await connect().Unsubscribe(subscription.Id);
process.exit(0);
