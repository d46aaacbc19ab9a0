//! The stored form of a receipt, the same in every store that keeps rows: version 1, then last_seq and a count, then per
//! write five numbers of 8 bytes (seq, collection, item, rows, and which of collection and item there are). All
//! little-endian.

use model::{CollectionId, ItemId, Seq, limits::COMMIT_WRITES_MAX};

use crate::{Receipt, WriteReceipt};

const VERSION: u64 = 1;
const HAS_COLLECTION: u64 = 1;
const HAS_ITEM: u64 = 2;

/// The stored form.
pub fn encode(receipt: &Receipt) -> Vec<u8> {
    let mut numbers = vec![VERSION, receipt.last_seq.0, receipt.writes.len() as u64];
    for write in &receipt.writes {
        let has_collection = if write.collection.is_some() { HAS_COLLECTION } else { 0 };
        let has_item = if write.item.is_some() { HAS_ITEM } else { 0 };
        numbers.extend([
            write.seq.0,
            write.collection.unwrap_or_default().0,
            write.item.unwrap_or_default().0,
            write.rows,
            has_collection | has_item,
        ]);
    }
    numbers.into_iter().flat_map(u64::to_le_bytes).collect()
}

/// Reads the stored form; `None` when it is damaged.
pub fn decode(bytes: &[u8]) -> Option<Receipt> {
    let (numbers, []) = bytes.as_chunks::<8>() else { return None };
    let mut numbers = numbers.iter().map(|bytes| u64::from_le_bytes(*bytes));
    if numbers.next()? != VERSION {
        return None;
    }
    let last_seq = Seq(numbers.next()?);
    let count = usize::try_from(numbers.next()?).ok().filter(|count| *count <= COMMIT_WRITES_MAX)?;
    let mut writes = Vec::with_capacity(count);
    for _ in 0..count {
        let (seq, collection, item, rows, has) =
            (numbers.next()?, numbers.next()?, numbers.next()?, numbers.next()?, numbers.next()?);
        writes.push(WriteReceipt {
            seq: Seq(seq),
            collection: (has & HAS_COLLECTION != 0).then_some(CollectionId(collection)),
            item: (has & HAS_ITEM != 0).then_some(ItemId(item)),
            rows,
        });
    }
    numbers.next().is_none().then_some(Receipt { last_seq, writes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_damage() {
        let write = WriteReceipt { seq: Seq(7), collection: Some(CollectionId(0)), item: None, rows: 3 };
        let receipt = Receipt { last_seq: Seq(9), writes: vec![write, WriteReceipt::default()] };
        let bytes = encode(&receipt);
        assert_eq!(decode(&bytes), Some(receipt));
        for cut in 0..bytes.len() {
            assert_eq!(decode(&bytes[..cut]), None);
        }
    }
}
