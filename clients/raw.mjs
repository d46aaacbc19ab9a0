// A second client of both protocols for the scripts of Node: fetch and searches in the text of the answer.

export const URL_BASE = process.env.HIGHWATER_URL;
export const ANNA = ["anna@example.com", "anna-password-1"];
export const AUTHORIZATION = "Basic " + Buffer.from(ANNA.join(":")).toString("base64");
const SOAP = "http://schemas.xmlsoap.org/soap/envelope/";

/** Posts one SOAP body; returns the text of the answer. */
async function post(path, header, body) {
  const answer = await fetch(URL_BASE + path, {
    method: "POST",
    headers: { Authorization: AUTHORIZATION, "Content-Type": "text/xml; charset=utf-8" },
    body: `<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="${SOAP}">${header}<s:Body>${body}</s:Body></s:Envelope>`,
  });
  const text = await answer.text();
  check(`POST ${path} is 200`, answer.status === 200, text.slice(0, 2000), true);
  return text;
}

/** Sends one operation of EWS (prefixes m and t). */
export function ews(operation) {
  const space = "http://schemas.microsoft.com/exchange/services/2006/";
  const named = operation.replace(/^<m:\w+/, `$& xmlns:m="${space}messages" xmlns:t="${space}types"`);
  const version = `<t:RequestServerVersion xmlns:t="${space}types" Version="Exchange2013_SP1"/>`;
  return post("/EWS/Exchange.asmx", `<s:Header>${version}</s:Header>`, named);
}

/** Sends one operation of Lists.asmx, by its name and the XML of its parameters. */
export function lists(operation, parameters = "") {
  const body = `<${operation} xmlns="http://schemas.microsoft.com/sharepoint/soap/">${parameters}</${operation}>`;
  return post("/sites/team/_vti_bin/Lists.asmx", "", body);
}

/** GetAttachmentCollection, and a GET of each: names with their bytes. */
export async function attachments(name, item) {
  const text = await lists("GetAttachmentCollection", `<listName>${name}</listName><listItemID>${item}</listItemID>`);
  const found = new Map();
  for (const [, address] of text.matchAll(/<Attachment>([^<]*)</g)) {
    const answer = await fetch(plain(address), { headers: { Authorization: AUTHORIZATION } });
    check(`GET ${address} is 200`, answer.status === 200, String(answer.status), true);
    found.set(decodeURIComponent(plain(address).split("/").pop()), Buffer.from(await answer.arrayBuffer()));
  }
  return found;
}

/** Reads what GetListItemChangesSinceToken answered: rows as objects of attributes, ids of deleted items, token. */
export function listAnswer(text) {
  const attributes = (tag) => Object.fromEntries([...tag.matchAll(/([\w:]+)="([^"]*)"/g)].map((one) => [one[1], plain(one[2])]));
  const rows = [...text.matchAll(/<z:row [^>]*>/g)].map((one) => attributes(one[0]));
  const deleted = [...text.matchAll(/<Id ChangeType="Delete"[^>]*>(\d+)</g)].map((one) => one[1]);
  const head = attributes(text.match(/<Changes[^>]*>/)[0]);
  return { rows, deleted, token: head.LastChangeToken, more: head.MoreChanges === "TRUE" };
}

/** Drains GetListItemChangesSinceToken. */
export async function listChanges(name, token) {
  const all = { rows: [], deleted: [], token, more: true };
  for (let page = 0; page < 10_000 && all.more; page += 1) {
    const given = all.token ? `<changeToken>${all.token}</changeToken>` : "";
    const answer = listAnswer(await lists("GetListItemChangesSinceToken", `<listName>${name}</listName>${given}`));
    all.rows.push(...answer.rows);
    all.deleted.push(...answer.deleted);
    [all.token, all.more] = [answer.token, answer.more];
  }
  return all;
}

function plain(text) {
  const names = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
  return text.replace(/&(lt|gt|quot|apos|amp);/g, (_, name) => names[name]);
}

/** Are both the same, as JSON? */
export function same(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** One line a check; ends the script where it does not hold. */
export function check(name, condition, detail = "", quiet = false) {
  if (condition && quiet) return;
  const shown = typeof detail === "string" ? detail : JSON.stringify(detail);
  console.log((condition ? "ok   " : "FAIL ") + name + (shown && !condition ? `: ${shown}` : ""));
  if (!condition) process.exit(1);
}
