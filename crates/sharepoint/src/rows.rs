//! Rows: the values of their fields, and how these look in a `z:row` element. \[MS-LISTSWS 2.2.4.2\]
//!
//! [`Row::value`] is what conditions, orders and every wire format start from; [`write_row`] is the XML form.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use bytes::Bytes;
use engine::{EngineError, ItemView, RowAttachment, list_keys};
use model::{BagRef, Guid, ItemFlags, ItemId, KeyRef, PropertyKey, Seq, Time, Value};
use store::ItemRow;
use xml::Writer;

use crate::{
    attachments,
    content_types::{ContentType, ROW_CONTENT_TYPE},
    fields::{Field, FieldType},
    names::Names,
    paths,
    schema::{List, rights_text},
};

/// Prefix of the keys under which the entries of a row's property bag are kept.
pub(crate) const META_INFO_PREFIX: &str = "MetaInfo_";
/// Key of the number before the point of `_UIVersionString`, I32; 1 where there is none.
pub(crate) const MAJOR_VERSION: PropertyKey = PropertyKey::Field(Cow::Borrowed("#MajorVersion"));
/// Of an occurrence of a series: what stands for its number, Text.
pub(crate) const OCCURRENCE: PropertyKey = PropertyKey::Field(Cow::Borrowed("#Occurrence"));
/// Namespace of `z:row`.
pub(crate) const ROW_NAMESPACE: &str = "#RowsetSchema";

/// A row as it was read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    /// Its id.
    pub(crate) id: ItemId,
    /// Its flags.
    pub(crate) flags: ItemFlags,
    /// Position of its latest change.
    pub(crate) seq: Seq,
    /// Its encoded bag.
    pub(crate) bag: Bytes,
}

impl From<ItemRow> for Item {
    fn from(row: ItemRow) -> Self {
        Self { id: row.item, flags: row.flags, seq: row.seq, bag: row.bag }
    }
}

/// A row of a list, read by field.
pub(crate) struct Row<'a> {
    /// Its list.
    pub(crate) list: &'a List,
    id: ItemId,
    flags: ItemFlags,
    bag: BagRef<'a>,
}

impl<'a> Row<'a> {
    /// Reads a row.
    ///
    /// # Errors
    /// When the stored bag is damaged.
    pub(crate) fn new(list: &'a List, item: &'a Item) -> Result<Self, EngineError> {
        Ok(Self { list, id: item.id, flags: item.flags, bag: BagRef::new(&item.bag)? })
    }

    /// Reads a row that the domain shows.
    pub(crate) fn of_view(list: &'a List, view: &ItemView<'a>) -> Self {
        Self { list, id: view.row().item, flags: view.row().flags, bag: view.bag() }
    }

    /// Its number inside the list.
    pub(crate) const fn number(&self) -> u32 {
        self.id.number()
    }

    /// What stands for the number of an occurrence of a series.
    pub(crate) fn occurrence(&self) -> Option<&'a str> {
        self.stored_text(&OCCURRENCE)
    }

    /// What is stored under a name.
    pub(crate) fn stored(&self, name: impl Into<Cow<'static, str>>) -> Option<Value> {
        self.bag.get(&PropertyKey::Field(name.into())).map(|value| value.to_value())
    }

    fn stored_text(&self, key: &PropertyKey) -> Option<&'a str> {
        self.bag.text(key)
    }

    /// Its version, from 1.
    pub(crate) fn version(&self) -> i32 {
        self.bag.get(&list_keys::ROW_VERSION).and_then(|value| value.as_i64()).unwrap_or(1) as i32
    }

    /// How often it was changed while its list counted that, and once for its making.
    pub(crate) fn major_version(&self) -> i32 {
        self.bag.get(&MAJOR_VERSION).and_then(|value| value.as_i64()).unwrap_or(1) as i32
    }

    /// Its unique id.
    pub(crate) fn unique_id(&self) -> Guid {
        self.bag.get(&list_keys::ROW_UNIQUE_ID).and_then(|value| value.as_guid()).unwrap_or_default()
    }

    /// What the reader may do with it, in bits.
    pub(crate) fn rights_mask(&self) -> u64 {
        self.list.collection.access.of_row(&self.bag).0
    }

    /// Whether it has permissions of its own.
    pub(crate) fn has_own_roles(&self) -> bool {
        engine::ListAccess::is_own(&self.bag)
    }

    /// Whether it is a folder.
    pub(crate) const fn is_folder(&self) -> bool {
        self.flags.has(ItemFlags::FOLDER)
    }

    /// Whether it is a file.
    pub(crate) fn is_file(&self) -> bool {
        !self.is_folder() && self.stored_text(&list_keys::ROW_PATH).is_some()
    }

    /// Its path inside the list: `a/b.txt`, `3_.000`.
    pub(crate) fn path(&self) -> String {
        match self.stored_text(&list_keys::ROW_PATH) {
            Some(path) => path.to_owned(),
            None => {
                let folder = self.stored_text(&list_keys::ROW_FOLDER).unwrap_or_default();
                paths::join(folder, &format!("{}_.000", self.number()))
            }
        }
    }

    /// The folder it lies in, a path inside the list.
    pub(crate) fn directory(&self) -> String {
        paths::split(&self.path()).0.to_owned()
    }

    /// The last part of its path.
    pub(crate) fn leaf_name(&self) -> String {
        paths::split(&self.path()).1.to_owned()
    }

    /// Its server-relative path without a leading slash.
    pub(crate) fn file_ref(&self) -> String {
        paths::join(&self.list.root_folder, &self.path())
    }

    /// The server-relative path of its folder without a leading slash.
    pub(crate) fn file_dir_ref(&self) -> String {
        paths::join(&self.list.root_folder, &self.directory())
    }

    /// Its content type, where that is not one that the list began with.
    fn own_content_type(&self) -> Option<&'a ContentType> {
        let id = if self.list.content_types.is_empty() { None } else { self.stored_text(&ROW_CONTENT_TYPE) };
        id.and_then(|id| self.list.content_types.iter().find(|own| own.id == id))
    }

    /// The name of its content type.
    pub(crate) fn content_type_name(&self) -> &'a str {
        let own = self.own_content_type().or_else(|| self.list.content_types.get(usize::from(self.is_folder())));
        match own {
            Some(own) => &own.name,
            None if self.is_folder() => "Folder",
            None => self.list.template.content_type_name,
        }
    }

    /// The id of its content type.
    pub(crate) fn content_type_id(&self) -> String {
        if let Some(own) = self.own_content_type() {
            return own.id.clone();
        }
        if self.is_folder() { self.list.folder_content_type_id() } else { self.list.content_type_id() }
    }

    /// Its attachments, in the order in which they were added.
    pub(crate) fn attachments(&self) -> Vec<RowAttachment> {
        RowAttachment::all(&self.bag)
    }

    /// The names and texts of its property bag, by name.
    pub(crate) fn meta_info(&self) -> Vec<(&'a str, &'a str)> {
        let mut entries = Vec::new();
        for entry in self.bag.iter() {
            let Ok((KeyRef::Field(name), value)) = entry else { continue };
            if let (Some(name), Some(text)) = (name.strip_prefix(META_INFO_PREFIX), value.as_text()) {
                entries.push((name, text));
            }
        }
        entries
    }

    /// The property bag as one text: `name:SW|value` a line.
    pub(crate) fn meta_info_text(&self) -> String {
        let mut text = String::new();
        for (name, value) in self.meta_info() {
            let _ =
                writeln!(text, "{name}:SW|{}", value.replace('\\', "\\\\").replace('\r', "\\r").replace('\n', "\\n"));
        }
        text
    }

    /// The value of a field. `None` where there is none.
    pub(crate) fn value(&self, field: &Field) -> Option<Value> {
        match field.compute {
            Some(compute) => compute(self),
            None => self.stored(field.name.clone()),
        }
    }
}

/// Which entries of the property bag are written, each as an attribute of its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Properties {
    /// None.
    #[default]
    None,
    /// All.
    All,
    /// These.
    Some(BTreeSet<String>),
}

/// How a row tells its attachments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum AttachmentStyle {
    /// Whether there are any.
    #[default]
    Flag,
    /// By URL.
    Urls,
    /// By URL and version.
    Versions,
}

/// How rows are written.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowStyle {
    /// Dates with `T` and `Z` instead of the local time of the site.
    pub(crate) date_in_utc: bool,
    /// Users with login, mail and so on.
    pub(crate) expand_user: bool,
    /// Entries of the property bag.
    pub(crate) properties: Properties,
    /// `z` is declared on each row.
    pub(crate) declare_namespace: bool,
    /// Newer recurrence patterns are written as such.
    pub(crate) recurrence_v3: bool,
    /// How attachments are told.
    pub(crate) attachments: AttachmentStyle,
    /// What the reader may do with the row, where that is not what it may do in the list.
    pub(crate) permissions: bool,
}

/// Writes a row: one attribute a field that has a value, in the order of `fields`.
pub(crate) fn write_row(writer: &mut Writer, row: &Row<'_>, fields: &[&Field], style: &RowStyle, names: &Names) {
    writer.start("z:row");
    if style.declare_namespace {
        writer.namespace("z", ROW_NAMESPACE);
    }
    let mut attribute = String::new();
    for field in fields {
        let Some(text) = field_text(row, field, style, names) else { continue };
        attribute.clear();
        attribute.push_str("ows_");
        attribute.push_str(&field.name);
        writer.attribute(&attribute, &text);
    }
    if style.permissions {
        let mask = row.rights_mask();
        if mask != row.list.rights_mask {
            writer.attribute("EffectivePermMask", &rights_text(mask));
        }
    }
    if style.properties != Properties::None {
        for (name, value) in row.meta_info() {
            let wanted = match &style.properties {
                Properties::None => false,
                Properties::All => true,
                Properties::Some(names) => names.contains(name),
            };
            if wanted && !value.is_empty() {
                attribute.clear();
                attribute.push_str("ows_MetaInfo_");
                attribute.push_str(name);
                writer.attribute(&attribute, value);
            }
        }
    }
    writer.end();
}

/// The text of a field in a row. `None` where it is left out.
pub(crate) fn field_text(row: &Row<'_>, field: &Field, style: &RowStyle, names: &Names) -> Option<String> {
    let value = row.value(field);
    if matches!(field.kind, FieldType::DocLookup | FieldType::File) {
        let value = value?;
        return Some(format!("{};#{}", row.number(), plain_text(&value, style.date_in_utc)));
    }
    let value = value?;
    let text = match (field.kind, &value) {
        (FieldType::User | FieldType::UserMulti, value) => join_ids(value, |id| names.person(id, style.expand_user)),
        (FieldType::Lookup | FieldType::LookupMulti, value) => join_ids(value, |id| names.lookup(field, id)),
        (FieldType::Note, Value::Text(text)) if field.name == "RecurrenceData" && !style.recurrence_v3 => {
            recurrence_v2(text)
        }
        (FieldType::Number | FieldType::Currency, Value::F64(number)) => number_text(*number),
        (FieldType::Attachments, Value::Bool(true)) if style.attachments != AttachmentStyle::Flag => {
            attachments_text(row, style.attachments)
        }
        (_, value) => plain_text(value, style.date_in_utc),
    };
    (!text.is_empty()).then_some(text)
}

/// `;#url;#url;#`, or `;#url;#{GUID},version;#`.
fn attachments_text(row: &Row<'_>, style: AttachmentStyle) -> String {
    let mut text = String::from(";#");
    for attachment in row.attachments() {
        text.push_str(&attachments::url(row.list, row.number(), &attachment.name));
        text.push_str(";#");
        if style == AttachmentStyle::Versions {
            text.push_str(&attachments::state(&attachment));
            text.push_str(";#");
        }
    }
    text
}

/// A value as text, whatever the field.
pub(crate) fn plain_text(value: &Value, date_in_utc: bool) -> String {
    #[expect(clippy::wildcard_enum_match_arm, reason = "lists hold only some of the types that values may have")]
    match value {
        Value::Text(text) => text.clone(),
        Value::I32(number) => number.to_string(),
        Value::I64(number) => number.to_string(),
        Value::F64(number) => number_text(*number),
        Value::Bool(flag) => if *flag { "1" } else { "0" }.to_owned(),
        Value::Time(time) => time_text(*time, date_in_utc),
        Value::Guid(guid) => guid.braced(),
        Value::Texts(texts) if texts.is_empty() => String::new(),
        Value::Texts(texts) => {
            let mut joined = String::from(";#");
            for text in texts {
                joined.push_str(&text.replace(';', ";;"));
                joined.push_str(";#");
            }
            joined
        }
        Value::I32s(numbers) => numbers.iter().map(i32::to_string).collect::<Vec<_>>().join(";#"),
        _ => String::new(),
    }
}

/// A point in time: `2007-08-31T21:34:59Z`, or `2007-08-31 21:34:59` in the time of the site, which is UTC.
pub(crate) fn time_text(time: Time, date_in_utc: bool) -> String {
    let mut text = time.to_string();
    if !date_in_utc {
        text = text.replace('T', " ");
        text.pop();
    }
    text
}

/// A number with 15 significant digits: `100.000000000000`; zero is `0`.
pub(crate) fn number_text(number: f64) -> String {
    const DIGITS: usize = 15;
    if number == 0.0 || !number.is_finite() {
        return "0".to_owned();
    }
    let whole = number.abs().trunc();
    if whole >= 1e15 {
        return format!("{number:.0}");
    }
    if whole > 0.0 {
        let digits = format!("{whole:.0}").len();
        return format!("{number:.*}", DIGITS.saturating_sub(digits));
    }
    let leading_zeros = (-number.abs().log10().floor()).max(1.0) as usize - 1;
    format!("{number:.*}", DIGITS + leading_zeros.min(DIGITS))
}

fn join_ids(value: &Value, mut show: impl FnMut(u32) -> String) -> String {
    let one = |id: i32, show: &mut dyn FnMut(u32) -> String| format!("{id};#{}", show(id.unsigned_abs()));
    #[expect(clippy::wildcard_enum_match_arm, reason = "lookups hold whole numbers, one or several")]
    match value {
        Value::I32(id) => one(*id, &mut show),
        Value::I32s(ids) => {
            ids.iter().map(|id| one(*id, &mut |id| show(id).replace(';', ";;"))).collect::<Vec<_>>().join(";#")
        }
        _ => String::new(),
    }
}

/// Recurrence data for clients that know only the patterns of version 2.
fn recurrence_v2(text: &str) -> String {
    let daily_weekday = text.contains("<daily") && text.contains("weekday=");
    let newer = ["day=\"", "weekday=\"", "weekend_day=\"", "day='", "weekday='", "weekend_day='"];
    let by_day = (text.contains("<monthlyByDay") || text.contains("<yearlyByDay"))
        && newer.iter().any(|name| text.contains(&format!(" {name}")));
    if daily_weekday || by_day { format!("<V3RecurrencePattern>{text}</V3RecurrencePattern>") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_fifteen_digits() {
        for (number, text) in [
            (100.0, "100.000000000000"),
            (2000.0, "2000.00000000000"),
            (0.0, "0"),
            (0.5, "0.500000000000000"),
            (-1.5, "-1.50000000000000"),
            (0.05, "0.0500000000000000"),
            (1e15, "1000000000000000"),
        ] {
            assert_eq!(number_text(number), text);
        }
    }
}
