//! How an item lies in the store: a light bag beside it, and parts.
//!
//! Part 0 is the message as it came, part 1 the heavy values (an encoded bag), part 2 the recipients and part 3 the
//! attachments (lists of bags), parts from 16 on what the attachments hold: bytes of a file, or an embedded item packed
//! into one buffer.

use bytes::{Buf, Bytes};
use model::{Attachment, AttachmentContent, Bag, ItemContent, ItemId, PropertyKey, Rope, Value, limits, sets, tags};
use store::{ItemRow, PartData, Snapshot, StoreError};

use crate::EngineError;

pub(crate) const PART_MIME: u32 = 0;
pub(crate) const PART_HEAVY: u32 = 1;
pub(crate) const PART_RECIPIENTS: u32 = 2;
pub(crate) const PART_ATTACHMENTS: u32 = 3;
pub(crate) const PART_ATTACHMENT_FIRST: u32 = 16;

/// In an attachment's stored bag: I32, 0 nothing, 1 a file, 2 an item.
pub(crate) const CONTENT_KIND: PropertyKey = PropertyKey::Lid(sets::HIGHWATER, 1);

/// A packed item.
pub(crate) struct Packed {
    /// The light bag, encoded.
    pub(crate) bag: Bytes,
    /// The parts.
    pub(crate) parts: Vec<PartData>,
}

/// Whether a value lies apart from the light bag.
pub(crate) fn is_heavy(key: &PropertyKey, value: &Value) -> bool {
    [tags::BODY, tags::HTML, tags::RTF_COMPRESSED, tags::TRANSPORT_MESSAGE_HEADERS].contains(key)
        || value.size() > limits::LIGHT_VALUE_BYTES_MAX
}

/// Splits a bag into the light and the heavy values.
pub(crate) fn split(bag: Bag) -> (Bag, Bag) {
    let (heavy, light): (Vec<_>, Vec<_>) = bag.into_iter().partition(|(key, value)| is_heavy(key, value));
    (light.into_iter().collect(), heavy.into_iter().collect())
}

/// Packs an item.
///
/// # Errors
/// When it is past the limits.
pub(crate) fn pack(content: ItemContent) -> Result<Packed, EngineError> {
    pack_at(content, 0)
}

fn pack_at(content: ItemContent, depth: usize) -> Result<Packed, EngineError> {
    if depth > limits::EMBED_DEPTH_MAX {
        return Err(EngineError::TooLarge("embedded items"));
    }
    if content.recipients.len() > limits::RECIPIENTS_MAX {
        return Err(EngineError::TooLarge("recipients"));
    }
    if content.attachments.len() > limits::ATTACHMENTS_MAX {
        return Err(EngineError::TooLarge("attachments"));
    }
    let (light, heavy) = split(content.bag);
    let bag = light.to_bytes();
    if bag.len() > limits::BAG_BYTES_MAX {
        return Err(EngineError::TooLarge("properties"));
    }
    let mut parts = Vec::new();
    let mut put = |part: u32, bytes: Rope| {
        if bytes.len() > limits::PART_BYTES_MAX {
            return Err(EngineError::TooLarge("part"));
        }
        parts.push(PartData { part, bytes });
        Ok(())
    };
    if let Some(mime) = content.mime {
        put(PART_MIME, mime.into())?;
    }
    if !heavy.is_empty() {
        put(PART_HEAVY, heavy.to_bytes().into())?;
    }
    if !content.recipients.is_empty() {
        put(PART_RECIPIENTS, Bag::encode_list(content.recipients.iter()).into())?;
    }
    if !content.attachments.is_empty() {
        let mut bags = Vec::with_capacity(content.attachments.len());
        for (part, attachment) in (PART_ATTACHMENT_FIRST..).zip(content.attachments) {
            let mut bag = attachment.bag;
            let (kind, bytes) = match attachment.content {
                AttachmentContent::None => (0, None),
                AttachmentContent::File(bytes) => (1, Some(bytes.into())),
                AttachmentContent::Spooled(rope) => (1, Some(rope)),
                AttachmentContent::Item(item) => (2, Some(embed(*item, depth + 1)?)),
            };
            bag.set(CONTENT_KIND, Value::I32(kind));
            bags.push(bag);
            if let Some(bytes) = bytes {
                put(part, bytes)?;
            }
        }
        put(PART_ATTACHMENTS, Bag::encode_list(bags.iter()).into())?;
    }
    Ok(Packed { bag, parts })
}

pub(crate) async fn heavy(snapshot: &mut dyn Snapshot, id: ItemId) -> Result<Bag, EngineError> {
    match snapshot.part(id, PART_HEAVY).await? {
        Some(bytes) => Ok(Bag::decode(&bytes)?),
        None => Ok(Bag::new()),
    }
}

pub(crate) async fn recipients(snapshot: &mut dyn Snapshot, id: ItemId) -> Result<Vec<Bag>, EngineError> {
    match snapshot.part(id, PART_RECIPIENTS).await? {
        Some(bytes) => Ok(Bag::decode_list(&bytes)?),
        None => Ok(Vec::new()),
    }
}

pub(crate) async fn attachments(snapshot: &mut dyn Snapshot, id: ItemId) -> Result<Vec<Bag>, EngineError> {
    match snapshot.part(id, PART_ATTACHMENTS).await? {
        Some(bytes) => {
            let mut bags = Bag::decode_list(&bytes)?;
            for bag in &mut bags {
                bag.remove(&CONTENT_KIND);
            }
            Ok(bags)
        }
        None => Ok(Vec::new()),
    }
}

/// Reads one attachment.
pub(crate) async fn attachment_at(
    snapshot: &mut dyn Snapshot,
    id: ItemId,
    number: u32,
) -> Result<Option<Attachment>, EngineError> {
    let Some(bytes) = snapshot.part(id, PART_ATTACHMENTS).await? else { return Ok(None) };
    let Some(bag) = Bag::decode_list(&bytes)?.into_iter().nth(number as usize) else { return Ok(None) };
    let bytes = snapshot.part(id, PART_ATTACHMENT_FIRST.saturating_add(number)).await?;
    attachment(bag, bytes).map(Some)
}

/// Reads an item in full.
pub(crate) async fn unpack(snapshot: &mut dyn Snapshot, row: &ItemRow) -> Result<ItemContent, EngineError> {
    let mut bag = Bag::decode(&row.bag)?;
    bag.merge(heavy(snapshot, row.item).await?);
    let recipients = recipients(snapshot, row.item).await?;
    let mut attachments = Vec::new();
    if let Some(bytes) = snapshot.part(row.item, PART_ATTACHMENTS).await? {
        for (part, bag) in (PART_ATTACHMENT_FIRST..).zip(Bag::decode_list(&bytes)?) {
            let bytes = snapshot.part(row.item, part).await?;
            attachments.push(attachment(bag, bytes)?);
        }
    }
    let mime = snapshot.part(row.item, PART_MIME).await?;
    Ok(ItemContent { bag, recipients, attachments, mime })
}

fn attachment(mut bag: Bag, bytes: Option<Bytes>) -> Result<Attachment, EngineError> {
    let content = match (bag.remove(&CONTENT_KIND), bytes) {
        (Some(Value::I32(1)), Some(bytes)) => AttachmentContent::File(bytes),
        (Some(Value::I32(2)), Some(bytes)) => AttachmentContent::Item(Box::new(extract(bytes, 1)?)),
        _ => AttachmentContent::None,
    };
    Ok(Attachment { bag, content })
}

/// Packs an embedded item into one rope: its bag, then its parts, each with number and length.
fn embed(content: ItemContent, depth: usize) -> Result<Rope, EngineError> {
    let packed = pack_at(content, depth)?;
    let mut out = Rope::from((packed.bag.len() as u32).to_le_bytes().to_vec());
    out.append(packed.bag);
    for part in packed.parts {
        out.append([part.part.to_le_bytes(), (part.bytes.len() as u32).to_le_bytes()].concat());
        out.append(part.bytes);
    }
    Ok(out)
}

fn extract(mut bytes: Bytes, depth: usize) -> Result<ItemContent, EngineError> {
    if depth > limits::EMBED_DEPTH_MAX {
        return Err(EngineError::TooLarge("embedded items"));
    }
    let damaged = || EngineError::Store(StoreError::Corrupt("embedded item".into()));
    let take = |bytes: &mut Bytes| {
        let length = bytes.try_get_u32_le().map_err(|_| damaged())? as usize;
        if length > bytes.remaining() { Err(damaged()) } else { Ok(bytes.split_to(length)) }
    };
    let mut content = ItemContent { bag: Bag::decode(&take(&mut bytes)?)?, ..ItemContent::default() };
    let mut bags = Vec::new();
    let mut contents = Vec::new();
    while bytes.has_remaining() {
        let part = bytes.try_get_u32_le().map_err(|_| damaged())?;
        let body = take(&mut bytes)?;
        match part {
            PART_MIME => content.mime = Some(body),
            PART_HEAVY => content.bag.merge(Bag::decode(&body)?),
            PART_RECIPIENTS => content.recipients = Bag::decode_list(&body)?,
            PART_ATTACHMENTS => bags = Bag::decode_list(&body)?,
            part => contents.push((part, body)),
        }
    }
    for (part, mut bag) in (PART_ATTACHMENT_FIRST..).zip(bags) {
        let body = contents.iter().find(|(have, _)| *have == part).map(|(_, body)| body.clone());
        let held = match (bag.remove(&CONTENT_KIND), body) {
            (Some(Value::I32(1)), Some(body)) => AttachmentContent::File(body),
            (Some(Value::I32(2)), Some(body)) => AttachmentContent::Item(Box::new(extract(body, depth + 1)?)),
            _ => AttachmentContent::None,
        };
        content.attachments.push(Attachment { bag, content: held });
    }
    Ok(content)
}
