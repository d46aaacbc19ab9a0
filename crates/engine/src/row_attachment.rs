//! Files attached to a row: each is a part of the row, and a table in the row's bag says which. A change of either is a
//! change of the row, so that those who synchronise learn of it.

use std::borrow::Cow;

use bytes::Bytes;
use model::{Bag, BagRef, Guid, ItemId, PropertyKey, Seq, Time, Value, limits};
use store::{ItemRow, PartChange, PartData};

use crate::{EngineError, Site, row::By};

/// Of a row: its attachments, Texts; each `GUID version modified part name`.
pub(crate) const ROW_ATTACHMENTS: PropertyKey = PropertyKey::Field(Cow::Borrowed("#Attachments"));
/// The part of a row's first attachment.
const PART_FIRST: u32 = 1_024;

/// A file that is attached to a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowAttachment {
    /// Its name, unique in its row in any case; up to [`limits::NAME_CHARS_MAX`] characters.
    pub name: String,
    /// Its id, which it keeps when its bytes change.
    pub guid: Guid,
    /// Its version, from 1.
    pub version: i32,
    /// When its bytes were written.
    pub modified: Time,
    /// The part of the row that holds its bytes.
    pub part: u32,
}

/// What a write of an attachment expects to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachmentExpected {
    /// Anything: one of that name is replaced.
    Any,
    /// None of that name.
    Nothing,
    /// This one in this version.
    Version(Guid, i32),
}

impl RowAttachment {
    /// The attachments of a row, in the order in which they were added.
    pub fn all(bag: &BagRef<'_>) -> Vec<Self> {
        Self::read(bag.get(&ROW_ATTACHMENTS).map(|value| value.to_value()).as_ref())
    }

    fn read(table: Option<&Value>) -> Vec<Self> {
        let Some(Value::Texts(lines)) = table else { return Vec::new() };
        lines.iter().filter_map(|line| Self::parse(line)).collect()
    }

    fn parse(line: &str) -> Option<Self> {
        let mut parts = line.splitn(5, ' ');
        let guid = parts.next()?.parse().ok()?;
        let version = parts.next()?.parse().ok()?;
        let modified = Time(parts.next()?.parse().ok()?);
        let part = parts.next()?.parse().ok()?;
        Some(Self { guid, version, modified, part, name: parts.next()?.to_owned() })
    }

    fn line(&self) -> String {
        format!("{} {} {} {} {}", self.guid, self.version, self.modified.0, self.part, self.name)
    }

    /// Whether this is its name, in any case.
    pub fn is_named(&self, name: &str) -> bool {
        self.name.to_lowercase() == name.to_lowercase()
    }
}

impl AttachmentExpected {
    fn check(self, row: ItemId, found: Option<&RowAttachment>) -> Result<(), EngineError> {
        match (self, found) {
            (Self::Any, _) | (Self::Nothing, None) => Ok(()),
            (Self::Nothing, Some(_)) => Err(EngineError::NameTaken),
            (Self::Version(guid, version), Some(found)) if found.guid == guid && found.version == version => Ok(()),
            (Self::Version(..), found) => {
                let current = found.map_or(0, |found| found.version.unsigned_abs());
                Err(EngineError::Stale { item: row, current: Seq(u64::from(current)) })
            }
        }
    }
}

impl Site {
    /// Attaches a file to a row, or writes the bytes of one that is attached. The row's version grows by one.
    ///
    /// # Errors
    /// [`EngineError::NoItem`] for the row; [`EngineError::NameTaken`] and [`EngineError::Stale`] by what is expected;
    /// [`EngineError::Invalid`] for a name that is empty, too long or of more than one line; [`EngineError::TooLarge`]
    /// past [`limits::PART_BYTES_MAX`] and [`limits::ATTACHMENTS_MAX`]; when the store fails.
    pub async fn attach(
        &self,
        row: ItemId,
        name: &str,
        bytes: Bytes,
        expected: AttachmentExpected,
    ) -> Result<ItemRow, EngineError> {
        if name.is_empty() || name.chars().count() > limits::NAME_CHARS_MAX || name.contains(char::is_control) {
            return Err(EngineError::Invalid("name of an attachment"));
        }
        if bytes.len() > limits::PART_BYTES_MAX {
            return Err(EngineError::TooLarge("attachment"));
        }
        let (guid, modified) = (self.engine().random().guid(), self.engine().now().whole_second());
        self.rewrite_row(row, None, By::Caller, &|draft, parts| {
            let mut all = RowAttachment::read(draft.bag.get(&ROW_ATTACHMENTS));
            let at = all.iter().position(|own| own.is_named(name));
            expected.check(row, at.and_then(|at| all.get(at)))?;
            let count = all.len();
            let part = match at.and_then(|at| all.get_mut(at)) {
                Some(found) => {
                    found.version = found.version.wrapping_add(1);
                    found.modified = modified;
                    found.part
                }
                None if count >= limits::ATTACHMENTS_MAX => return Err(EngineError::TooLarge("attachments")),
                None => {
                    let taken = |part: &u32| all.iter().any(|own| own.part == *part);
                    let part = (PART_FIRST..).find(|part| !taken(part)).unwrap_or(PART_FIRST);
                    all.push(RowAttachment { name: name.to_owned(), guid, version: 1, modified, part });
                    part
                }
            };
            parts.push(PartChange::Put(PartData { part, bytes: bytes.clone().into() }));
            put_table(&mut draft.bag, &all);
            Ok(())
        })
        .await
    }

    /// Removes an attachment from a row. The row's version grows by one.
    ///
    /// # Errors
    /// [`EngineError::NoItem`] for the row or the attachment; [`EngineError::Stale`] by what is expected; when the store
    /// fails.
    pub async fn detach(&self, row: ItemId, name: &str, expected: AttachmentExpected) -> Result<ItemRow, EngineError> {
        self.rewrite_row(row, None, By::Caller, &|draft, parts| {
            let mut all = RowAttachment::read(draft.bag.get(&ROW_ATTACHMENTS));
            let at = all.iter().position(|own| own.is_named(name)).ok_or(EngineError::NoItem(row))?;
            expected.check(row, all.get(at))?;
            parts.push(PartChange::Remove(all.remove(at).part));
            put_table(&mut draft.bag, &all);
            Ok(())
        })
        .await
    }
}

fn put_table(bag: &mut Bag, all: &[RowAttachment]) {
    let lines: Vec<String> = all.iter().map(RowAttachment::line).collect();
    bag.put(ROW_ATTACHMENTS, (!lines.is_empty()).then_some(Value::Texts(lines)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_come_back_as_they_were() {
        let one = |name: &str, part| RowAttachment {
            name: name.into(),
            guid: Guid::NIL,
            version: 3,
            modified: Time(5),
            part,
        };
        let all = [one("a b.txt", PART_FIRST), one("ü", 1_030)];
        let mut bag = Bag::new();
        put_table(&mut bag, &all);
        assert_eq!(RowAttachment::all(&BagRef::new(&bag.to_bytes()).unwrap()), all);
        put_table(&mut bag, &[]);
        assert_eq!(bag.get(&ROW_ATTACHMENTS), None);
        for bad in ["", "x 1 2 3 n", "00000000-0000-0000-0000-000000000000 1 2 3"] {
            assert_eq!(RowAttachment::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_expected() {
        let own = RowAttachment { name: "a".into(), guid: Guid::NIL, version: 2, modified: Time(0), part: PART_FIRST };
        let row = ItemId(1);
        for (expected, found, ok) in [
            (AttachmentExpected::Any, None, true),
            (AttachmentExpected::Any, Some(&own), true),
            (AttachmentExpected::Nothing, None, true),
            (AttachmentExpected::Nothing, Some(&own), false),
            (AttachmentExpected::Version(Guid::NIL, 2), Some(&own), true),
            (AttachmentExpected::Version(Guid::NIL, 1), Some(&own), false),
            (AttachmentExpected::Version(Guid::NIL, 2), None, false),
        ] {
            assert_eq!(expected.check(row, found).is_ok(), ok, "{expected:?} {found:?}");
        }
    }
}
