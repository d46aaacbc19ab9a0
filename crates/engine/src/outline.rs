//! Items whose attachments stay where they are: what an item holds but for the bytes of its attachments, and those in
//! pieces. It costs the memory of the properties and of a piece, however large the attachments.

use bytes::{Buf as _, Bytes};
use model::{Bag, ItemId, Value, limits};
use store::{ItemRow, Snapshot, StoreError};

use crate::{EngineError, View, pack};

/// Bytes up to which an attachment is not checked beforehand: it is read at once, whole or not at all.
const UNCHECKED_BYTES_MAX: u64 = 64 << 10;

/// An item but for what its attachments hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outline {
    /// All properties, bodies included.
    pub bag: Bag,
    /// One bag a recipient, in order.
    pub recipients: Vec<Bag>,
    /// In order; the index is the attachment number.
    pub attachments: Vec<AttachmentOutline>,
}

/// An attachment but for what it holds.
#[derive(Clone, Debug, PartialEq)]
pub struct AttachmentOutline {
    /// Its properties.
    pub bag: Bag,
    /// Where that lies which it holds.
    pub held: Held,
}

/// Where the content of an attachment lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It holds nothing of ours.
    Nothing,
    /// A file: its bytes.
    File(Extent),
    /// An embedded item, to be read by [`View::outline_inside`].
    Item(Extent),
}

/// A stretch of bytes of an item in the store. Good for the view that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    item: ItemId,
    part: u32,
    offset: u64,
    bytes: u64,
}

impl Held {
    /// The stretch of what is held.
    pub const fn extent(&self) -> Option<&Extent> {
        match self {
            Self::Nothing => None,
            Self::File(extent) | Self::Item(extent) => Some(extent),
        }
    }
}

impl Extent {
    /// Bytes of the stretch, below 2^32.
    pub const fn len(&self) -> u64 {
        self.bytes
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// The stretch of `bytes` bytes from `offset` of this one, if it lies inside.
    fn within(self, offset: u64, bytes: u64) -> Option<Self> {
        (offset.checked_add(bytes)? <= self.bytes).then_some(Self { offset: self.offset + offset, bytes, ..self })
    }
}

impl View {
    /// An item but for what its attachments hold. Large ones are read once, in constant memory, where the store checks
    /// them: damage shows here and not half-way.
    ///
    /// # Errors
    /// When the store fails or the bytes are damaged.
    pub async fn outline(&mut self, row: &ItemRow) -> Result<Outline, EngineError> {
        self.check_reads(row.item).await?;
        let snapshot = &mut *self.snapshot;
        let mut bag = Bag::decode(&row.bag)?;
        bag.merge(pack::heavy(snapshot, row.item).await?);
        let recipients = pack::recipients(snapshot, row.item).await?;
        let Some(bytes) = snapshot.part(row.item, pack::PART_ATTACHMENTS).await? else {
            return Ok(Outline { bag, recipients, attachments: Vec::new() });
        };
        let sizes = snapshot.parts(row.item).await?;
        let mut attachments = Vec::new();
        for (part, bag) in (pack::PART_ATTACHMENT_FIRST..).zip(Bag::decode_list(&bytes)?) {
            let extent = match sizes.iter().find(|info| info.part == part) {
                Some(info) => {
                    if info.size_bytes > UNCHECKED_BYTES_MAX {
                        snapshot.part_range(row.item, part, 0, 1).await?;
                    }
                    Some(Extent { item: row.item, part, offset: 0, bytes: info.size_bytes })
                }
                None => None,
            };
            attachments.push(attachment(bag, extent));
        }
        Ok(Outline { bag, recipients, attachments })
    }

    /// An embedded item but for what its attachments hold.
    ///
    /// # Errors
    /// When the store fails or the bytes are damaged.
    pub async fn outline_inside(&mut self, extent: Extent) -> Result<Outline, EngineError> {
        let snapshot = &mut *self.snapshot;
        let mut outline = Outline::default();
        let (mut bags, mut held) = (Vec::new(), Vec::new());
        let length = u64::from(read_u32(snapshot, extent, 0).await?);
        outline.bag = Bag::decode(&read_all(snapshot, extent.within(4, length).ok_or_else(damaged)?).await?)?;
        let mut at = 4 + length;
        while at < extent.bytes {
            if held.len() > limits::ATTACHMENTS_MAX {
                return Err(EngineError::TooLarge("attachments"));
            }
            let part = read_u32(snapshot, extent, at).await?;
            let length = u64::from(read_u32(snapshot, extent, at + 4).await?);
            let body = extent.within(at + 8, length).ok_or_else(damaged)?;
            match part {
                pack::PART_MIME => {}
                pack::PART_HEAVY => outline.bag.merge(Bag::decode(&read_all(snapshot, body).await?)?),
                pack::PART_RECIPIENTS => outline.recipients = Bag::decode_list(&read_all(snapshot, body).await?)?,
                pack::PART_ATTACHMENTS => bags = Bag::decode_list(&read_all(snapshot, body).await?)?,
                part => held.push((part, body)),
            }
            at += 8 + length;
        }
        for (part, bag) in (pack::PART_ATTACHMENT_FIRST..).zip(bags) {
            let body = held.iter().find(|(have, _)| *have == part).map(|(_, body)| *body);
            outline.attachments.push(attachment(bag, body));
        }
        Ok(outline)
    }

    /// The bytes of a stretch from `offset` on, at most `bytes_max` and at most [`limits::PART_RANGE_BYTES_MAX`]; none at
    /// its end alone.
    ///
    /// # Errors
    /// When the store fails or the bytes are damaged.
    pub async fn read(&mut self, extent: Extent, offset: u64, bytes_max: usize) -> Result<Bytes, EngineError> {
        let left = extent.bytes.saturating_sub(offset);
        let bytes_max = usize::try_from(left).unwrap_or(bytes_max).min(bytes_max);
        if bytes_max == 0 {
            return Ok(Bytes::new());
        }
        let offset = extent.offset.saturating_add(offset);
        let piece = self.snapshot.part_range(extent.item, extent.part, offset, bytes_max).await?.unwrap_or_default();
        if piece.is_empty() { Err(damaged()) } else { Ok(piece) }
    }
}

fn attachment(mut bag: Bag, extent: Option<Extent>) -> AttachmentOutline {
    let held = match (bag.remove(&pack::CONTENT_KIND), extent) {
        (Some(Value::I32(1)), Some(extent)) => Held::File(extent),
        (Some(Value::I32(2)), Some(extent)) => Held::Item(extent),
        _ => Held::Nothing,
    };
    AttachmentOutline { bag, held }
}

fn damaged() -> EngineError {
    EngineError::Store(StoreError::Corrupt("embedded item".into()))
}

async fn read_u32(snapshot: &mut dyn Snapshot, extent: Extent, offset: u64) -> Result<u32, EngineError> {
    let mut bytes = read_all(snapshot, extent.within(offset, 4).ok_or_else(damaged)?).await?;
    bytes.try_get_u32_le().map_err(|_| damaged())
}

async fn read_all(snapshot: &mut dyn Snapshot, extent: Extent) -> Result<Bytes, EngineError> {
    let mut all = Vec::new();
    loop {
        let at = all.len() as u64;
        let left = usize::try_from(extent.bytes - at).map_err(|_| damaged())?;
        if left == 0 {
            return Ok(all.into());
        }
        let piece = snapshot.part_range(extent.item, extent.part, extent.offset + at, left).await?.unwrap_or_default();
        if piece.is_empty() {
            return Err(damaged());
        }
        if piece.len() == left && all.is_empty() {
            return Ok(piece);
        }
        all.extend_from_slice(&piece);
    }
}
