//! Property bags: an owned one to build and change, and a borrowed view of the stored bytes to read from.
//!
//! Stored form: a version byte (1), then the entries in key order. An entry is the key (kind byte and its fields), the
//! type as u16, the payload length as u32, the payload. All numbers are little-endian. Text is UTF-8.

use std::cmp::Ordering;

use bytes::Bytes;

use crate::{Guid, KeyRef, PropertyKey, Time, Value, ValueRef};

/// Properties, one value a key, in key order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bag {
    entries: Vec<(PropertyKey, Value)>,
}

/// A view of an encoded bag. Reading a value scans the entries before it; nothing is allocated for single values.
#[derive(Clone, Copy, Debug)]
pub struct BagRef<'a> {
    entries: &'a [u8],
}

/// The bytes are not an encoded bag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stored properties are damaged")]
pub struct BagError;

const VERSION: u8 = 1;
/// Bytes of an entry under a tag before its payload: kind of key, tag, type, length.
const TAG_HEAD_BYTES: usize = 9;
/// The kind of key of a list field.
const FIELD_KEY: u8 = 3;

impl Bag {
    /// An empty bag.
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// The value under `key`.
    pub fn get(&self, key: &PropertyKey) -> Option<&Value> {
        self.position(key).ok().and_then(|at| self.entries.get(at)).map(|(_, value)| value)
    }

    /// Sets `key` to `value`, replacing what was there.
    pub fn set(&mut self, key: PropertyKey, value: Value) {
        match self.position(&key) {
            Ok(at) => {
                if let Some(entry) = self.entries.get_mut(at) {
                    entry.1 = value;
                }
            }
            Err(at) => self.entries.insert(at, (key, value)),
        }
    }

    /// Sets `key` where there is a value, and removes it where there is none.
    pub fn put(&mut self, key: PropertyKey, value: Option<Value>) {
        match value {
            Some(value) => self.set(key, value),
            None => {
                self.remove(&key);
            }
        }
    }

    /// Removes and returns the value under `key`.
    pub fn remove(&mut self, key: &PropertyKey) -> Option<Value> {
        self.position(key).ok().map(|at| self.entries.remove(at).1)
    }

    /// The text under `key`.
    pub fn text(&self, key: &PropertyKey) -> Option<&str> {
        self.get(key).and_then(Value::as_text)
    }

    /// All entries in key order.
    pub fn iter(&self) -> impl Iterator<Item = (&PropertyKey, &Value)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// Number of entries.
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes all entries of `other`, which win over present ones.
    pub fn merge(&mut self, other: Self) {
        for (key, value) in other.entries {
            self.set(key, value);
        }
    }

    /// Keeps the entries for which `keep` is true.
    pub fn retain(&mut self, mut keep: impl FnMut(&PropertyKey, &Value) -> bool) {
        self.entries.retain(|(key, value)| keep(key, value));
    }

    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + self.entries.iter().map(|(_, value)| value.size() + 16).sum::<usize>());
        out.push(VERSION);
        for (key, value) in &self.entries {
            encode_key(key, &mut out);
            out.extend(value.property_type().0.to_le_bytes());
            let at = out.len();
            out.extend([0; 4]);
            encode_value(value, &mut out);
            let length = (out.len() - at - 4) as u32;
            if let Some(slot) = out.get_mut(at..at + 4) {
                slot.copy_from_slice(&length.to_le_bytes());
            }
        }
        out
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// When the bytes are damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, BagError> {
        let mut bag = Self::new();
        for entry in BagRef::new(bytes)?.iter() {
            let (key, value) = entry?;
            let (key, value) = (key.to_key(), value.to_value());
            // What was encoded here is in order.
            if bag.entries.last().is_none_or(|(last, _)| *last < key) {
                bag.entries.push((key, value));
            } else {
                bag.set(key, value);
            }
        }
        Ok(bag)
    }

    fn position(&self, key: &PropertyKey) -> Result<usize, usize> {
        self.entries.binary_search_by(|(have, _)| have.cmp(key))
    }
}

impl IntoIterator for Bag {
    type Item = (PropertyKey, Value);
    type IntoIter = std::vec::IntoIter<(PropertyKey, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl FromIterator<(PropertyKey, Value)> for Bag {
    fn from_iter<I: IntoIterator<Item = (PropertyKey, Value)>>(iter: I) -> Self {
        let mut bag = Self::new();
        for (key, value) in iter {
            bag.set(key, value);
        }
        bag
    }
}

impl<'a> BagRef<'a> {
    /// A bag without entries.
    pub const EMPTY: BagRef<'static> = BagRef { entries: &[] };

    /// A view of `bytes`. Empty bytes are an empty bag.
    ///
    /// # Errors
    /// When the version is unknown. Damage further on shows when it is read.
    pub fn new(bytes: &'a [u8]) -> Result<Self, BagError> {
        match bytes {
            [] => Ok(Self { entries: &[] }),
            [VERSION, entries @ ..] => Ok(Self { entries }),
            _ => Err(BagError),
        }
    }

    /// The value under `key`; `None` also where the stored bytes are damaged.
    pub fn get(&self, key: &PropertyKey) -> Option<ValueRef<'a>> {
        let tag = match key {
            PropertyKey::Tag(tag) => tag,
            PropertyKey::Field(name) => return self.get_field(name.as_bytes()),
            PropertyKey::Lid(..) | PropertyKey::Name(..) => return self.get_named(key.as_ref()),
        };
        // Tags stand first, and nearly all that is asked for is one: their entries are of one form, `0 tag type length`.
        let mut rest = self.entries;
        while let Some(([0, t0, t1, k0, k1, l0, l1, l2, l3], behind)) = rest.split_first_chunk::<TAG_HEAD_BYTES>() {
            let have = u16::from_le_bytes([*t0, *t1]);
            let (payload, next) = behind.split_at_checked(u32::from_le_bytes([*l0, *l1, *l2, *l3]) as usize)?;
            if have >= *tag {
                return if have == *tag { decode_value(u16::from_le_bytes([*k0, *k1]), payload) } else { None };
            }
            rest = next;
        }
        None
    }

    /// The value of a list field, whose names are compared as bytes.
    fn get_field(&self, name: &[u8]) -> Option<ValueRef<'a>> {
        let mut reader = Reader(self.entries);
        while let Some((kind, behind)) = reader.0.split_first() {
            if *kind != FIELD_KEY {
                reader.key()?;
                reader.u16()?;
                reader.counted()?;
                continue;
            }
            reader.0 = behind;
            let have = reader.counted()?;
            let kind = reader.u16()?;
            let payload = reader.counted()?;
            match have.cmp(name) {
                Ordering::Less => {}
                Ordering::Equal => return decode_value(kind, payload),
                Ordering::Greater => return None,
            }
        }
        None
    }

    /// The value under a key that is no tag.
    fn get_named(&self, want: KeyRef<'_>) -> Option<ValueRef<'a>> {
        let mut reader = Reader(self.entries);
        while !reader.0.is_empty() {
            let have = reader.key()?;
            let kind = reader.u16()?;
            let payload = reader.counted()?;
            if have == want {
                return decode_value(kind, payload);
            }
            if have > want {
                return None;
            }
        }
        None
    }

    /// The text under `key`.
    pub fn text(&self, key: &PropertyKey) -> Option<&'a str> {
        self.get(key).and_then(|value| value.as_text())
    }

    /// All entries in key order. Ends after the first error.
    pub fn iter(&self) -> impl Iterator<Item = Result<(KeyRef<'a>, ValueRef<'a>), BagError>> + use<'a> {
        let mut reader = Reader(self.entries);
        std::iter::from_fn(move || {
            if reader.0.is_empty() {
                return None;
            }
            let mut entry = || {
                let key = reader.key()?;
                let kind = reader.u16()?;
                let payload = reader.counted()?;
                Some((key, decode_value(kind, payload)?))
            };
            let entry = entry();
            if entry.is_none() {
                reader.0 = &[];
            }
            Some(entry.ok_or(BagError))
        })
    }
}

fn encode_key(key: &PropertyKey, out: &mut Vec<u8>) {
    match key {
        PropertyKey::Tag(tag) => {
            out.push(0);
            out.extend(tag.to_le_bytes());
        }
        PropertyKey::Lid(set, lid) => {
            out.push(1);
            out.extend(set.0);
            out.extend(lid.to_le_bytes());
        }
        PropertyKey::Name(set, name) => {
            out.push(2);
            out.extend(set.0);
            counted(name.as_bytes(), out);
        }
        PropertyKey::Field(name) => {
            out.push(FIELD_KEY);
            counted(name.as_bytes(), out);
        }
    }
}

fn counted(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend((bytes.len() as u32).to_le_bytes());
    out.extend(bytes);
}

fn encode_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::I16(n) => out.extend(n.to_le_bytes()),
        Value::I32(n) => out.extend(n.to_le_bytes()),
        Value::F32(n) => out.extend(n.to_le_bytes()),
        Value::F64(n) | Value::FloatTime(n) => out.extend(n.to_le_bytes()),
        Value::Error(n) => out.extend(n.to_le_bytes()),
        Value::Bool(flag) => out.push(u8::from(*flag)),
        Value::Currency(n) | Value::I64(n) | Value::Time(Time(n)) => out.extend(n.to_le_bytes()),
        Value::Text(text) => out.extend(text.as_bytes()),
        Value::Guid(guid) => out.extend(guid.0),
        Value::ServerId(bytes) | Value::Binary(bytes) => out.extend(&bytes[..]),
        Value::I16s(list) => list.iter().for_each(|n| out.extend(n.to_le_bytes())),
        Value::I32s(list) => list.iter().for_each(|n| out.extend(n.to_le_bytes())),
        Value::F32s(list) => list.iter().for_each(|n| out.extend(n.to_le_bytes())),
        Value::F64s(list) | Value::FloatTimes(list) => list.iter().for_each(|n| out.extend(n.to_le_bytes())),
        Value::Currencies(list) | Value::I64s(list) => list.iter().for_each(|n| out.extend(n.to_le_bytes())),
        Value::Times(list) => list.iter().for_each(|time| out.extend(time.0.to_le_bytes())),
        Value::Guids(list) => list.iter().for_each(|guid| out.extend(guid.0)),
        Value::Texts(list) => list.iter().for_each(|text| counted(text.as_bytes(), out)),
        Value::Binaries(list) => list.iter().for_each(|bytes| counted(bytes, out)),
    }
}

fn decode_value(kind: u16, payload: &[u8]) -> Option<ValueRef<'_>> {
    fn fixed<const N: usize>(payload: &[u8]) -> Option<[u8; N]> {
        payload.try_into().ok()
    }
    fn list<const N: usize, T>(payload: &[u8], read: impl Fn([u8; N]) -> T) -> Option<Vec<T>> {
        let (chunks, rest) = payload.as_chunks::<N>();
        rest.is_empty().then(|| chunks.iter().map(|chunk| read(*chunk)).collect())
    }
    fn pieces(payload: &[u8]) -> Option<Vec<&[u8]>> {
        let mut reader = Reader(payload);
        let mut pieces = Vec::new();
        while !reader.0.is_empty() {
            pieces.push(reader.counted()?);
        }
        Some(pieces)
    }
    Some(match kind {
        0x0002 => ValueRef::I16(i16::from_le_bytes(fixed(payload)?)),
        0x0003 => ValueRef::I32(i32::from_le_bytes(fixed(payload)?)),
        0x0004 => ValueRef::F32(f32::from_le_bytes(fixed(payload)?)),
        0x0005 => ValueRef::F64(f64::from_le_bytes(fixed(payload)?)),
        0x0006 => ValueRef::Currency(i64::from_le_bytes(fixed(payload)?)),
        0x0007 => ValueRef::FloatTime(f64::from_le_bytes(fixed(payload)?)),
        0x000a => ValueRef::Error(u32::from_le_bytes(fixed(payload)?)),
        0x000b => ValueRef::Bool(fixed::<1>(payload)? != [0]),
        0x0014 => ValueRef::I64(i64::from_le_bytes(fixed(payload)?)),
        0x001f => ValueRef::Text(std::str::from_utf8(payload).ok()?),
        0x0040 => ValueRef::Time(Time(i64::from_le_bytes(fixed(payload)?))),
        0x0048 => ValueRef::Guid(Guid(fixed(payload)?)),
        0x00fb => ValueRef::ServerId(payload),
        0x0102 => ValueRef::Binary(payload),
        0x1002 => ValueRef::I16s(list(payload, i16::from_le_bytes)?),
        0x1003 => ValueRef::I32s(list(payload, i32::from_le_bytes)?),
        0x1004 => ValueRef::F32s(list(payload, f32::from_le_bytes)?),
        0x1005 => ValueRef::F64s(list(payload, f64::from_le_bytes)?),
        0x1006 => ValueRef::Currencies(list(payload, i64::from_le_bytes)?),
        0x1007 => ValueRef::FloatTimes(list(payload, f64::from_le_bytes)?),
        0x1014 => ValueRef::I64s(list(payload, i64::from_le_bytes)?),
        0x1040 => ValueRef::Times(list(payload, |bytes| Time(i64::from_le_bytes(bytes)))?),
        0x1048 => ValueRef::Guids(list(payload, Guid)?),
        0x101f => {
            ValueRef::Texts(pieces(payload)?.into_iter().map(std::str::from_utf8).collect::<Result<_, _>>().ok()?)
        }
        0x1102 => ValueRef::Binaries(pieces(payload)?),
        _ => return None,
    })
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn guid(&mut self) -> Option<Guid> {
        Some(Guid(self.take(16)?.try_into().ok()?))
    }

    fn counted(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()?;
        self.take(length as usize)
    }

    fn key(&mut self) -> Option<KeyRef<'a>> {
        Some(match self.take(1)? {
            [0] => KeyRef::Tag(self.u16()?),
            [1] => KeyRef::Lid(self.guid()?, self.u32()?),
            [2] => KeyRef::Name(self.guid()?, std::str::from_utf8(self.counted()?).ok()?),
            [FIELD_KEY] => KeyRef::Field(std::str::from_utf8(self.counted()?).ok()?),
            _ => return None,
        })
    }
}

/// Encodes several bags one after the other, each with its length.
impl Bag {
    /// The stored form of a list of bags: a u32 count, then each bag with its u32 length.
    pub fn encode_list<'b>(bags: impl ExactSizeIterator<Item = &'b Self>) -> Vec<u8> {
        let mut out = (bags.len() as u32).to_le_bytes().to_vec();
        for bag in bags {
            counted(&bag.encode(), &mut out);
        }
        out
    }

    /// Reads what [`Self::encode_list`] wrote.
    ///
    /// # Errors
    /// When the bytes are damaged.
    pub fn decode_list(bytes: &[u8]) -> Result<Vec<Self>, BagError> {
        let mut reader = Reader(bytes);
        let count = reader.u32().ok_or(BagError)?;
        let mut bags = Vec::new();
        for _ in 0..count {
            bags.push(Self::decode(reader.counted().ok_or(BagError)?)?);
        }
        if reader.0.is_empty() { Ok(bags) } else { Err(BagError) }
    }
}

/// Shares the bytes of a stored bag.
impl Bag {
    /// [`Self::encode`] as shared bytes.
    pub fn to_bytes(&self) -> Bytes {
        self.encode().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{names, sets, tags};

    fn sample() -> Bag {
        let mut bag = Bag::new();
        bag.set(tags::SUBJECT, Value::text("Hi"));
        bag.set(names::KEYWORDS, Value::Texts(vec!["a".into(), String::new()]));
        bag.set(PropertyKey::Lid(sets::COMMON, 0x8503), Value::Bool(true));
        bag.set(PropertyKey::field("Title"), Value::text("é"));
        bag.set(tags::HTML, Value::binary(&b"<p>"[..]));
        bag.set(tags::CREATION_TIME, Value::Time(Time(5)));
        bag.set(PropertyKey::Tag(0x6001), Value::I32s(vec![1, -1]));
        bag
    }

    #[test]
    fn round_trip_and_view() {
        let bag = sample();
        let bytes = bag.encode();
        assert_eq!(Bag::decode(&bytes), Ok(bag.clone()));
        let view = BagRef::new(&bytes).unwrap();
        for (key, value) in bag.iter() {
            assert_eq!(view.get(key).unwrap().to_value(), *value);
        }
        assert_eq!(view.get(&tags::BODY), None);
        assert_eq!(Bag::decode_list(&Bag::encode_list([&bag, &Bag::new()].into_iter())), Ok(vec![bag, Bag::new()]));
    }

    #[test]
    fn damage_is_an_error_and_never_a_panic() {
        let bytes = sample().encode();
        for cut in 0..bytes.len() {
            let _ = Bag::decode(&bytes[..cut]);
            let _ = BagRef::new(&bytes[..cut]).map(|view| view.get(&tags::SUBJECT).is_some());
        }
        assert_eq!(Bag::decode(&bytes[..bytes.len() - 1]), Err(BagError));
        assert_eq!(Bag::decode(&[9]), Err(BagError));
    }
}
