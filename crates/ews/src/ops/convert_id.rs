//! `ConvertId`, MS-OXWSCVTID 3.1.4.1.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::{ItemView, Mailbox};
use mapi::entry_id::{EntryId, folder_entry_id, message_entry_id};
use model::{CollectionId, Guid, ItemId, tags};
use xml::Node;

use super::Operation;
use crate::id::{self, MailboxId, ParsedId};
use crate::shape::FolderShape;
use crate::{Answer, Context, Failure, Fault, ResponseCode, Version, class, request};

pub(super) struct ConvertId {
    format: Format,
    ids: Vec<Result<ParsedId, Failure>>,
}

/// A form of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// As everywhere else, naming the mailbox by GUID.
    Ews,
    /// The same, naming the mailbox by address.
    EwsLegacy,
    /// The EntryID in base64.
    Entry,
    /// The EntryID in hexadecimal.
    HexEntry,
    /// The EntryID and a byte of the object type, in base64.
    Store,
    /// The usual form in letters that a URL may have.
    Owa,
}

const FORMATS: &[(&str, Format)] = &[
    ("EwsLegacyId", Format::EwsLegacy),
    ("EwsId", Format::Ews),
    ("EntryId", Format::Entry),
    ("HexEntryId", Format::HexEntry),
    ("StoreId", Format::Store),
    ("OwaId", Format::Owa),
];

/// Characters of an id in any format: the longest is the hexadecimal EntryID of a message, and escapes triple it.
const ID_CHARS_MAX: usize = 2_048;
/// The namespace of `xsi:type`: the schema has the type of the answer's element abstract.
const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

impl Format {
    fn name(self) -> &'static str {
        FORMATS.iter().find(|(_, format)| *format == self).map_or("", |(name, _)| name)
    }
}

/// A converted id.
struct Converted {
    id: String,
    /// The address of the mailbox that it is of; clients learn their own by it.
    mailbox: String,
}

impl Operation for ConvertId {
    const NAME: &'static str = "ConvertId";
    const CHILDREN: &'static [&'static str] = &["SourceIds"];
    const SINCE: Version = Version::V2007_SP1;

    fn decode(body: Node<'_>) -> Result<Self, Fault> {
        let format = request::attribute(body, "DestinationFormat")?;
        let format = request::enumeration(body, format, "IdFormatType", FORMATS)?;
        let ids = request::batch(request::required(body, "SourceIds")?)?;
        Ok(Self { format, ids: ids.into_iter().map(read).collect::<Result<_, _>>()? })
    }

    async fn run(self, context: &Context<'_>, answer: &mut Answer) -> Result<(), Fault> {
        for id in self.ids {
            let converted = match id {
                Ok(id) => convert(context, &id, self.format).await,
                Err(failure) => Err(failure),
            };
            answer.result(converted, |out, converted| {
                out.start("m:AlternateId");
                out.namespace("xsi", INSTANCE);
                out.attribute("xsi:type", "t:AlternateIdType");
                out.attribute("Format", self.format.name());
                out.attribute("Id", &converted.id);
                out.attribute("Mailbox", &converted.mailbox);
                out.end();
            });
        }
        Ok(())
    }
}

/// Reads one id. The outer error is a fault, the inner one of the id. The mailbox that the id names is the one that
/// counts: the attribute has to be there, and clients write made-up addresses into it.
fn read(node: Node<'_>) -> Result<Result<ParsedId, Failure>, Fault> {
    let format = request::attribute(node, "Format")?;
    let format = request::enumeration(node, format, "IdFormatType", FORMATS)?;
    match node.local() {
        "AlternateId" => {
            let text = request::attribute(node, "Id")?;
            if request::attribute(node, "Mailbox")?.is_empty() {
                let constraint = "The actual length is less than the MinLength value.";
                return Err(Fault::value(node, "", "NonEmptyStringType", constraint));
            }
            // The other forms have no room for the date of an occurrence.
            Ok(parse(format, text.trim()).and_then(|id| match id.occurrence {
                None => Ok(id),
                Some(_) => Err(ResponseCode::ErrorInvalidId.into()),
            }))
        }
        // There are no public folders here.
        "AlternatePublicFolderId" | "AlternatePublicFolderItemId" => {
            request::attribute(node, "FolderId")?;
            Ok(Err(ResponseCode::ErrorFolderNotFound.into()))
        }
        other => Err(Fault::schema(node, other, "This element is not expected here.")),
    }
}

fn parse(format: Format, text: &str) -> Result<ParsedId, Failure> {
    if text.is_empty() {
        return Err(ResponseCode::ErrorInvalidIdEmpty.into());
    }
    let malformed = || Failure::new(ResponseCode::ErrorInvalidIdMalformed);
    if text.len() > ID_CHARS_MAX {
        return Err(malformed());
    }
    let bytes = match format {
        Format::Ews => return id::parse(text),
        Format::Owa => return id::parse(&from_url(text).ok_or_else(malformed)?),
        Format::EwsLegacy => {
            return id::parse(text).map_err(|failure| {
                if failure.code == ResponseCode::ErrorInvalidIdMalformed {
                    ResponseCode::ErrorInvalidIdMalformedEwsLegacyIdFormat.into()
                } else {
                    failure
                }
            });
        }
        Format::Entry => STANDARD.decode(text).ok(),
        Format::HexEntry => from_hex(text),
        Format::Store => STANDARD.decode(text).ok().and_then(|mut bytes| bytes.pop().map(|_| bytes)),
    };
    let entry = bytes.and_then(|bytes| EntryId::decode(&bytes).ok()).ok_or_else(malformed)?;
    let (EntryId::Folder { mailbox, .. } | EntryId::Message { mailbox, .. }) = entry;
    Ok(ParsedId { mailbox: MailboxId::Guid(mailbox), entry, attachment: Vec::new(), occurrence: None })
}

/// Whether there is such a folder or item is not asked.
async fn convert(context: &Context<'_>, id: &ParsedId, format: Format) -> Result<Converted, Failure> {
    let mailbox = context.mailbox(&id.mailbox).await?;
    let address = mailbox.owner().address.clone();
    let guid = mailbox.guid();
    let entry = match id.entry {
        // An id of ours around an EntryID that is not.
        EntryId::Folder { folder: CollectionId(0), .. } => return Err(ResponseCode::ErrorFolderNotFound.into()),
        EntryId::Message { item: ItemId(0), .. } => return Err(ResponseCode::ErrorItemNotFound.into()),
        EntryId::Folder { folder, .. } => folder_entry_id(guid, folder),
        EntryId::Message { folder, item, .. } => message_entry_id(guid, folder, item),
    };
    let text = match format {
        Format::Ews => usual(guid, id),
        Format::Owa => to_url(&usual(guid, id)),
        Format::EwsLegacy => legacy(&address, &entry, &id.attachment),
        Format::Entry | Format::HexEntry | Format::Store if !id.attachment.is_empty() => {
            return Err(ResponseCode::ErrorInvalidId.into());
        }
        Format::Entry => STANDARD.encode(entry),
        Format::HexEntry => entry.iter().map(|byte| format!("{byte:02X}")).collect(),
        Format::Store => {
            let mut bytes = entry;
            bytes.push(object_type(&mailbox, &id.entry).await?);
            STANDARD.encode(bytes)
        }
    };
    Ok(Converted { id: text, mailbox: address })
}

fn usual(mailbox: Guid, id: &ParsedId) -> String {
    match id.entry {
        EntryId::Folder { folder, .. } => id::folder_id(mailbox, folder),
        EntryId::Message { folder, item, .. } => id::attachment_id(mailbox, folder, item, &id.attachment),
    }
}

/// An id of the kind that names its mailbox by address.
fn legacy(address: &str, entry: &[u8], attachment: &[u32]) -> String {
    let mut bytes = vec![0, 0];
    let counted = |part: &[u8], bytes: &mut Vec<u8>| {
        bytes.extend((part.len() as u16).to_le_bytes());
        bytes.extend(part);
    };
    counted(address.as_bytes(), &mut bytes);
    bytes.push(0);
    counted(entry, &mut bytes);
    if !attachment.is_empty() {
        bytes.push(attachment.len() as u8);
        attachment.iter().for_each(|number| counted(&number.to_le_bytes(), &mut bytes));
    }
    STANDARD.encode(bytes)
}

/// The object type; that of any folder or message where it is not there.
async fn object_type(mailbox: &Mailbox, entry: &EntryId) -> Result<u8, Failure> {
    let mut view = mailbox.begin().await?;
    let number = match entry {
        EntryId::Folder { folder, .. } => match view.folder(*folder).await {
            Ok(folder) => FolderShape::class(&folder).object_type,
            Err(engine::EngineError::Store(error)) => return Err(error.into()),
            Err(_) => class::FOLDER_OBJECT,
        },
        EntryId::Message { item, .. } => {
            let row = view.items(&[*item]).await?.pop().flatten();
            let view = row.as_ref().map(ItemView::new).transpose()?;
            let message_class = view.and_then(|view| view.bag().text(&tags::MESSAGE_CLASS));
            class::of_item(message_class.unwrap_or("IPM.Note")).object_type
        }
    };
    Ok(number as u8)
}

fn to_url(id: &str) -> String {
    id.replace('/', "-").replace('+', "_")
}

/// Undoes [`to_url`], and percent escapes, which some senders leave in.
fn from_url(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(letter) = rest.next() {
        out.push(match letter {
            '-' => '/',
            '_' => '+',
            '%' => {
                let (high, low) = (rest.next()?.to_digit(16)?, rest.next()?.to_digit(16)?);
                char::from_u32(high << 4 | low)?
            }
            other => other,
        });
    }
    Some(out)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|letter| Some(letter.to_digit(16)? as u8)).collect();
    let digits = digits?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Answered, World};

    fn ask(world: &World, format: &str, ids: &[(&str, &str)]) -> Answered {
        let ids: String = ids
            .iter()
            .map(|(format, id)| format!("<t:AlternateId Format=\"{format}\" Id=\"{id}\" Mailbox=\"made@up.example\"/>"))
            .collect();
        let body = format!("<ConvertId DestinationFormat=\"{format}\"><SourceIds>{ids}</SourceIds></ConvertId>");
        world.call(&body)
    }

    #[test]
    fn every_format_converts_into_every_other() {
        let world = World::new();
        let item = world.item("calendar", &[(tags::MESSAGE_CLASS, model::Value::text("IPM.Appointment"))]).0;
        let folder = world.folder_id("calendar");
        let inside = id::attachment_id(world.caller.mailbox_guid, world.folder("inbox"), ItemId(70), &[0, 2]);
        let usual = [item.as_str(), folder.as_str()];
        for (name, format) in FORMATS {
            let answer = ask(&world, name, &usual.map(|id| ("EwsId", id))).success();
            assert_eq!(answer.attributes("AlternateId", "Mailbox"), ["ann@example.com", "ann@example.com"]);
            assert_eq!(answer.attributes("AlternateId", "Format"), [*name, *name]);
            let ids = answer.attributes("AlternateId", "Id");
            for (back, _) in FORMATS {
                let there = ask(&world, back, &[(name, &ids[0]), (name, &ids[1])]).success();
                let there = there.attributes("AlternateId", "Id");
                let again = ask(&world, "EwsId", &[(back, &there[0]), (back, &there[1])]).success();
                assert_eq!(again.attributes("AlternateId", "Id"), usual, "{name} by {back}");
            }
            let attachment = ask(&world, name, &[("EwsId", &inside)]).valid();
            if matches!(format, Format::Ews | Format::EwsLegacy | Format::Owa) {
                let there = attachment.attributes("AlternateId", "Id");
                let again = ask(&world, "EwsId", &[(name, &there[0])]).success();
                assert_eq!(again.attributes("AlternateId", "Id"), std::slice::from_ref(&inside));
            } else {
                assert_eq!(attachment.codes(), ["ErrorInvalidId"]);
            }
        }
    }

    #[test]
    fn formats_look_as_they_should() {
        let world = World::new();
        let folder = world.folder_id("calendar");
        let id = |format: &str| {
            let answer = ask(&world, format, &[("EwsId", &folder)]).success();
            answer.attributes("AlternateId", "Id").remove(0)
        };
        let entry = folder_entry_id(world.caller.mailbox_guid, world.folder("calendar"));
        assert_eq!(id("EntryId"), STANDARD.encode(&entry));
        assert_eq!(from_hex(&id("HexEntryId")), Some(entry.clone()));
        assert!(id("HexEntryId").starts_with("00000000"));
        // A calendar folder is of type 2.
        assert_eq!(STANDARD.decode(id("StoreId")).unwrap(), [entry.as_slice(), &[2]].concat());
        assert!(!id("OwaId").contains(['/', '+']));
        assert_ne!(id("EwsLegacyId"), folder);
        assert_eq!(from_url("a-b_c%2f%2B%3D"), Some("a/b+c/+=".into()));
        assert_eq!(from_url("a%2"), None);
    }

    #[test]
    fn ids_fail_alone() {
        let world = World::new();
        let folder = world.folder_id("inbox");
        let foreign = id::folder_id(Guid([7; 16]), CollectionId(2));
        let answer = ask(
            &world,
            "EntryId",
            &[
                ("EwsId", "DUMMY"),
                ("EwsId", ""),
                ("EwsLegacyId", "DUMMY"),
                ("EntryId", "AAAA"),
                ("HexEntryId", "0G"),
                ("HexEntryId", "000"),
                ("StoreId", "??"),
                ("OwaId", "%"),
                ("EwsId", &foreign),
                ("EwsId", &folder),
            ],
        )
        .valid();
        assert_eq!(answer.status, 200);
        assert!(answer.xml.contains("ServerVersionInfo"));
        assert_eq!(
            answer.codes(),
            [
                "ErrorInvalidIdMalformed",
                "ErrorInvalidIdEmpty",
                "ErrorInvalidIdMalformedEwsLegacyIdFormat",
                "ErrorInvalidIdMalformed",
                "ErrorInvalidIdMalformed",
                "ErrorInvalidIdMalformed",
                "ErrorInvalidIdMalformed",
                "ErrorInvalidIdMalformed",
                "ErrorNonExistentMailbox",
                "NoError",
            ]
        );
        let public = "<ConvertId DestinationFormat=\"EwsId\"><SourceIds>\
                      <t:AlternatePublicFolderId Format=\"EwsId\" FolderId=\"x\"/></SourceIds></ConvertId>";
        assert_eq!(world.call(public).valid().codes(), ["ErrorFolderNotFound"]);
    }

    #[test]
    fn what_breaks_the_schema_is_a_fault_with_the_version() {
        let world = World::new();
        for (format, id) in [
            ("Nothing", "<t:AlternateId Format=\"EwsId\" Id=\"x\" Mailbox=\"a\"/>"),
            ("EwsId", "<t:AlternateId Format=\"Nothing\" Id=\"x\" Mailbox=\"a\"/>"),
            ("EwsId", "<t:AlternateId Format=\"EwsId\" Id=\"x\"/>"),
            ("EwsId", "<t:AlternateId Format=\"EwsId\" Id=\"x\" Mailbox=\"\"/>"),
            ("EwsId", "<t:AlternateId Format=\"EwsId\" Mailbox=\"a\"/>"),
            ("EwsId", ""),
        ] {
            let body = format!("<ConvertId DestinationFormat=\"{format}\"><SourceIds>{id}</SourceIds></ConvertId>");
            let answer = world.call(&body);
            assert_eq!((answer.status, answer.text("ResponseCode")), (500, "ErrorSchemaValidation".into()), "{id}");
            assert!(answer.xml.contains("ServerVersionInfo"));
        }
    }
}
