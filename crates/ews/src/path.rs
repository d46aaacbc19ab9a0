//! Paths to properties: `FieldURI`, `IndexedFieldURI` and `ExtendedFieldURI`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::{Guid, PropertyKey, Value, sets};
use xml::{Node, Writer};

use crate::{Failure, Fault, Header, ResponseCode, fields, local_time, request};

/// A path in a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Path {
    /// A field by URI.
    Field(String),
    /// One entry of a field that holds several by key.
    Indexed {
        /// The field.
        uri: String,
        /// The key.
        index: String,
    },
    /// A MAPI property.
    Extended(ExtendedField),
}

/// A MAPI property as a request names it. The names go back as they came.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ExtendedField {
    /// The property.
    pub(crate) key: PropertyKey,
    /// Its type.
    pub(crate) kind: &'static ExtendedType,
    /// The attributes as they came, in schema order.
    attributes: Vec<(&'static str, String)>,
}

/// One `PropertyType`.
#[derive(Debug, PartialEq)]
pub(crate) struct ExtendedType {
    name: &'static str,
    base: Base,
    multiple: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Base {
    Binary,
    Boolean,
    Guid,
    Double,
    Float,
    FloatTime,
    Currency,
    Integer,
    Long,
    Short,
    Time,
    Text,
    /// Types that have no text form.
    Never,
}

const fn kind(name: &'static str, base: Base, multiple: bool) -> ExtendedType {
    ExtendedType { name, base, multiple }
}

/// All types of the schema.
const TYPES: &[ExtendedType] = &[
    kind("ApplicationTime", Base::FloatTime, false),
    kind("ApplicationTimeArray", Base::FloatTime, true),
    kind("Binary", Base::Binary, false),
    kind("BinaryArray", Base::Binary, true),
    kind("Boolean", Base::Boolean, false),
    kind("CLSID", Base::Guid, false),
    kind("CLSIDArray", Base::Guid, true),
    kind("Currency", Base::Currency, false),
    kind("CurrencyArray", Base::Currency, true),
    kind("Double", Base::Double, false),
    kind("DoubleArray", Base::Double, true),
    kind("Error", Base::Never, false),
    kind("Float", Base::Float, false),
    kind("FloatArray", Base::Float, true),
    kind("Integer", Base::Integer, false),
    kind("IntegerArray", Base::Integer, true),
    kind("Long", Base::Long, false),
    kind("LongArray", Base::Long, true),
    kind("Null", Base::Never, false),
    kind("Object", Base::Never, false),
    kind("ObjectArray", Base::Never, true),
    kind("Short", Base::Short, false),
    kind("ShortArray", Base::Short, true),
    kind("SystemTime", Base::Time, false),
    kind("SystemTimeArray", Base::Time, true),
    kind("String", Base::Text, false),
    kind("StringArray", Base::Text, true),
];

/// Names of property sets.
const SETS: &[(&str, Guid)] = &[
    ("Meeting", sets::MEETING),
    ("Appointment", sets::APPOINTMENT),
    ("Common", sets::COMMON),
    ("PublicStrings", sets::PUBLIC_STRINGS),
    ("Address", sets::ADDRESS),
    ("InternetHeaders", sets::INTERNET_HEADERS),
    ("CalendarAssistant", sets::CALENDAR_ASSISTANT),
    ("UnifiedMessaging", sets::UNIFIED_MESSAGING),
    ("Task", sets::TASK),
    ("Sharing", sets::SHARING),
];

/// The first property id of named properties: not to be used as a tag.
const NAMED_FROM: u32 = 0x8000;
/// Values of one multiple property.
const VALUES_MAX: usize = 10_000;

impl Path {
    /// Reads a path element. The outer error is a fault; the inner one is of the path.
    pub(crate) fn read(node: Node<'_>) -> Result<Result<Self, Failure>, Fault> {
        match node.local() {
            "FieldURI" => {
                let uri = request::attribute(node, "FieldURI")?;
                let known = fields::find(uri).is_some() || fields::is_known(uri) || crate::folder::is_field(uri);
                if !known {
                    return Err(Fault::value(node, uri, "UnindexedFieldURIType", "The Enumeration constraint failed."));
                }
                Ok(Ok(Self::Field(uri.to_owned())))
            }
            "IndexedFieldURI" => {
                let uri = request::attribute(node, "FieldURI")?.to_owned();
                if fields::whole(&uri).is_none() {
                    return Err(Fault::value(node, &uri, "DictionaryURIType", "The Enumeration constraint failed."));
                }
                Ok(Ok(Self::Indexed { uri, index: request::attribute(node, "FieldIndex")?.to_owned() }))
            }
            "ExtendedFieldURI" => Ok(ExtendedField::read(node)?.map(Self::Extended)),
            other => Err(Fault::schema(node, other, "This element is not expected here.")),
        }
    }

    /// The path as messages name it.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Field(uri) | Self::Indexed { uri, .. } => uri,
            Self::Extended(_) => "ExtendedFieldURI",
        }
    }
}

impl ExtendedField {
    /// Reads an `ExtendedFieldURI` in any of its forms.
    pub(crate) fn read(node: Node<'_>) -> Result<Result<Self, Failure>, Fault> {
        let type_name = request::attribute(node, "PropertyType")?;
        let Some(kind) = TYPES.iter().find(|kind| kind.name == type_name) else {
            return Err(Fault::value(node, type_name, "MapiPropertyTypeType", "The Enumeration constraint failed."));
        };
        let mut attributes = Vec::new();
        for name in ["DistinguishedPropertySetId", "PropertySetId", "PropertyTag", "PropertyName", "PropertyId"] {
            if let Some(value) = node.attribute(name) {
                attributes.push((name, value.to_owned()));
            }
        }
        attributes.push(("PropertyType", type_name.to_owned()));
        let set = match node.attribute("DistinguishedPropertySetId") {
            None => None,
            Some(name) => match SETS.iter().find(|(have, _)| *have == name) {
                Some((_, set)) => Some(*set),
                None => {
                    let datatype = "DistinguishedPropertySetType";
                    return Err(Fault::value(node, name, datatype, "The Enumeration constraint failed."));
                }
            },
        };
        let invalid = || Failure::new(ResponseCode::ErrorInvalidExtendedProperty);
        let guid = node.attribute("PropertySetId").map(str::parse::<Guid>).transpose().map_err(|_| invalid());
        let guid = match guid {
            Ok(guid) => guid,
            Err(failure) => return Ok(Err(failure)),
        };
        let number = node.attribute("PropertyId").map(|text| text.trim().parse::<i32>()).transpose();
        let Ok(number) = number else {
            let text = node.attribute("PropertyId").unwrap_or_default();
            return Err(Fault::value(node, text, "xs:int", "The string is not a valid Int32 value."));
        };
        let key = match (node.attribute("PropertyTag"), set, guid, node.attribute("PropertyName"), number) {
            (Some(tag), None, None, None, None) => match parse_tag(tag) {
                Some(tag) => PropertyKey::Tag(tag),
                None => return Ok(Err(invalid())),
            },
            (None, Some(set), None, Some(name), None) | (None, None, Some(set), Some(name), None) => {
                // Header names have no case.
                let name = if set == sets::INTERNET_HEADERS { name.to_ascii_lowercase() } else { name.to_owned() };
                PropertyKey::name(set, name)
            }
            (None, Some(set), None, None, Some(number)) | (None, None, Some(set), None, Some(number)) => {
                PropertyKey::Lid(set, number.cast_unsigned())
            }
            _ => return Ok(Err(invalid())),
        };
        let private = matches!(key, PropertyKey::Lid(sets::HIGHWATER, _) | PropertyKey::Name(sets::HIGHWATER, _));
        if kind.base == Base::Never || private {
            return Ok(Err(invalid()));
        }
        Ok(Ok(Self { key, kind, attributes }))
    }

    /// Writes `t:ExtendedFieldURI`.
    fn write_path(&self, out: &mut Writer) {
        out.start("t:ExtendedFieldURI");
        for (name, value) in &self.attributes {
            out.attribute(name, value);
        }
        out.end();
    }

    /// Writes `t:ExtendedProperty`, or nothing where the value has another type.
    pub(crate) fn write(&self, out: &mut Writer, value: &Value, header: &Header) {
        let texts = self.texts(value, header);
        if self.kind.multiple {
            if !texts.is_empty() {
                out.scope("t:ExtendedProperty", |out| {
                    self.write_path(out);
                    out.scope("t:Values", |out| texts.iter().for_each(|text| out.element("t:Value", text)));
                });
            }
        } else if let [text] = texts.as_slice() {
            out.scope("t:ExtendedProperty", |out| {
                self.write_path(out);
                out.element("t:Value", text);
            });
        }
    }

    /// The text forms of a value's members, none where it has another type.
    fn texts(&self, value: &Value, header: &Header) -> Vec<String> {
        let one = |text: String| vec![text];
        match (self.kind.base, self.kind.multiple, value) {
            (Base::Text, false, Value::Text(text)) => one(text.clone()),
            (Base::Text, true, Value::Texts(list)) => list.clone(),
            (Base::Integer | Base::Long | Base::Short, false, Value::I16(_) | Value::I32(_) | Value::I64(_)) => {
                value.as_i64().map(|number| number.to_string()).into_iter().collect()
            }
            (Base::Integer, true, Value::I32s(list)) => list.iter().map(i32::to_string).collect(),
            (Base::Long, true, Value::I64s(list)) => list.iter().map(i64::to_string).collect(),
            (Base::Short, true, Value::I16s(list)) => list.iter().map(i16::to_string).collect(),
            (Base::Boolean, false, Value::Bool(flag)) => one(flag.to_string()),
            (Base::Binary, false, Value::Binary(bytes)) => one(STANDARD.encode(bytes)),
            (Base::Binary, true, Value::Binaries(list)) => list.iter().map(|bytes| STANDARD.encode(bytes)).collect(),
            (Base::Time, false, Value::Time(time)) => one(header.time(*time)),
            (Base::Time, true, Value::Times(list)) => list.iter().map(|time| header.time(*time)).collect(),
            (Base::Guid, false, Value::Guid(guid)) => one(guid.to_string()),
            (Base::Guid, true, Value::Guids(list)) => list.iter().map(Guid::to_string).collect(),
            (Base::Double, false, Value::F64(number)) | (Base::FloatTime, false, Value::FloatTime(number)) => {
                one(number.to_string())
            }
            (Base::Double, true, Value::F64s(list)) | (Base::FloatTime, true, Value::FloatTimes(list)) => {
                list.iter().map(f64::to_string).collect()
            }
            (Base::Float, false, Value::F32(number)) => one(number.to_string()),
            (Base::Float, true, Value::F32s(list)) => list.iter().map(f32::to_string).collect(),
            (Base::Currency, false, Value::Currency(number)) => one(number.to_string()),
            (Base::Currency, true, Value::Currencies(list)) => list.iter().map(i64::to_string).collect(),
            _ => Vec::new(),
        }
    }

    /// Reads a constant of the type: one member where it is multiple.
    pub(crate) fn parse(&self, text: &str) -> Option<Value> {
        let trimmed = text.trim();
        Some(match self.kind.base {
            Base::Text => Value::text(text),
            Base::Integer => Value::I32(trimmed.parse().ok()?),
            Base::Long => Value::I64(trimmed.parse().ok()?),
            Base::Short => Value::I16(trimmed.parse().ok()?),
            Base::Boolean => Value::Bool(request::parse_boolean(trimmed)?),
            Base::Binary => Value::binary(STANDARD.decode(trimmed).ok()?),
            Base::Time => Value::Time(local_time::parse(trimmed)?),
            Base::Guid => Value::Guid(trimmed.parse().ok()?),
            Base::Double => Value::F64(trimmed.parse().ok()?),
            Base::FloatTime => Value::FloatTime(trimmed.parse().ok()?),
            Base::Float => Value::F32(trimmed.parse().ok()?),
            Base::Currency => Value::Currency(trimmed.parse().ok()?),
            Base::Never => return None,
        })
    }

    /// Reads `Value` or `Values` of an `ExtendedProperty`.
    pub(crate) fn read_value(&self, property: Node<'_>) -> Result<Value, Failure> {
        let invalid = || Failure::new(ResponseCode::ErrorInvalidExtendedPropertyValue);
        if !self.kind.multiple {
            let value = property.child_local("Value").ok_or_else(invalid)?;
            return self.parse(&value.text()).ok_or_else(invalid);
        }
        let values = property.child_local("Values").ok_or_else(invalid)?;
        let mut members = Vec::new();
        for child in values.children() {
            if members.len() == VALUES_MAX {
                return Err(invalid());
            }
            members.push(self.parse(&child.text()).ok_or_else(invalid)?);
        }
        gather(self.kind.base, members).ok_or_else(invalid)
    }
}

/// One multiple value of its members.
fn gather(base: Base, members: Vec<Value>) -> Option<Value> {
    fn all<T>(members: Vec<Value>, one: fn(Value) -> Option<T>) -> Option<Vec<T>> {
        members.into_iter().map(one).collect()
    }
    macro_rules! pick {
        ($variant:ident) => {
            |value| if let Value::$variant(one) = value { Some(one) } else { None }
        };
    }
    Some(match base {
        Base::Text => Value::Texts(all(members, pick!(Text))?),
        Base::Integer => Value::I32s(all(members, pick!(I32))?),
        Base::Long => Value::I64s(all(members, pick!(I64))?),
        Base::Short => Value::I16s(all(members, pick!(I16))?),
        Base::Binary => Value::Binaries(all(members, pick!(Binary))?),
        Base::Time => Value::Times(all(members, pick!(Time))?),
        Base::Guid => Value::Guids(all(members, pick!(Guid))?),
        Base::Double => Value::F64s(all(members, pick!(F64))?),
        Base::FloatTime => Value::FloatTimes(all(members, pick!(FloatTime))?),
        Base::Float => Value::F32s(all(members, pick!(F32))?),
        Base::Currency => Value::Currencies(all(members, pick!(Currency))?),
        Base::Boolean | Base::Never => return None,
    })
}

/// A property id, in hexadecimal with `0x` or in decimal, below those of named properties.
fn parse_tag(text: &str) -> Option<u16> {
    let text = text.trim();
    let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let number = match hexadecimal {
        Some(digits) => u32::from_str_radix(digits, 16).ok()?,
        None => text.parse().ok()?,
    };
    if number < NAMED_FROM { u16::try_from(number).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_come_in_two_forms() {
        for (text, tag) in [("0x0E23", Some(0x0e23)), ("4240", Some(0x1090)), ("0x8000", None), ("x", None), ("", None)]
        {
            assert_eq!(parse_tag(text), tag, "{text}");
        }
    }
}
