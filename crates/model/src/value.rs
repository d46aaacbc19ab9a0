//! Property values. The types are those of MAPI; lists use a part of them.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a value has many types; each function takes the few that concern it"
)]

use bytes::Bytes;

use crate::{Guid, Time};

/// The type of a value: a property type number of MAPI (MS-OXCDATA 2.11.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PropertyType(pub u16);

macro_rules! values {
    ($($(#[$doc:meta])* $variant:ident($owned:ty, $borrowed:ty) = $code:literal,)*) => {
        /// A value.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Value { $($(#[$doc])* $variant($owned),)* }

        /// A value that borrows from an encoded bag. Multiple values are owned.
        #[derive(Clone, Debug, PartialEq)]
        pub enum ValueRef<'a> { $($(#[$doc])* $variant($borrowed),)* }

        impl Value {
            /// The MAPI type number.
            pub const fn property_type(&self) -> PropertyType {
                match self { $(Self::$variant(_) => PropertyType($code),)* }
            }
        }

        impl ValueRef<'_> {
            /// The MAPI type number.
            pub const fn property_type(&self) -> PropertyType {
                match self { $(Self::$variant(_) => PropertyType($code),)* }
            }
        }

        impl PropertyType {
            /// Whether this is a type that [`Value`] has.
            pub const fn is_known(self) -> bool {
                matches!(self.0, $($code)|*)
            }
        }
    };
}

values! {
    /// PtypInteger16.
    I16(i16, i16) = 0x0002,
    /// PtypInteger32.
    I32(i32, i32) = 0x0003,
    /// PtypFloating32.
    F32(f32, f32) = 0x0004,
    /// PtypFloating64.
    F64(f64, f64) = 0x0005,
    /// PtypCurrency: ten-thousandths.
    Currency(i64, i64) = 0x0006,
    /// PtypFloatingTime: days since 1899-12-30.
    FloatTime(f64, f64) = 0x0007,
    /// PtypErrorCode.
    Error(u32, u32) = 0x000a,
    /// PtypBoolean.
    Bool(bool, bool) = 0x000b,
    /// PtypInteger64.
    I64(i64, i64) = 0x0014,
    /// PtypString. Text of 8 bits is decoded when it comes in.
    Text(String, &'a str) = 0x001f,
    /// PtypTime.
    Time(Time, Time) = 0x0040,
    /// PtypGuid.
    Guid(Guid, Guid) = 0x0048,
    /// PtypServerId.
    ServerId(Bytes, &'a [u8]) = 0x00fb,
    /// PtypBinary.
    Binary(Bytes, &'a [u8]) = 0x0102,
    /// PtypMultipleInteger16.
    I16s(Vec<i16>, Vec<i16>) = 0x1002,
    /// PtypMultipleInteger32.
    I32s(Vec<i32>, Vec<i32>) = 0x1003,
    /// PtypMultipleFloating32.
    F32s(Vec<f32>, Vec<f32>) = 0x1004,
    /// PtypMultipleFloating64.
    F64s(Vec<f64>, Vec<f64>) = 0x1005,
    /// PtypMultipleCurrency.
    Currencies(Vec<i64>, Vec<i64>) = 0x1006,
    /// PtypMultipleFloatingTime.
    FloatTimes(Vec<f64>, Vec<f64>) = 0x1007,
    /// PtypMultipleInteger64.
    I64s(Vec<i64>, Vec<i64>) = 0x1014,
    /// PtypMultipleString.
    Texts(Vec<String>, Vec<&'a str>) = 0x101f,
    /// PtypMultipleTime.
    Times(Vec<Time>, Vec<Time>) = 0x1040,
    /// PtypMultipleGuid.
    Guids(Vec<Guid>, Vec<Guid>) = 0x1048,
    /// PtypMultipleBinary.
    Binaries(Vec<Bytes>, Vec<&'a [u8]>) = 0x1102,
}

impl Value {
    /// Text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Binary.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self::Binary(bytes.into())
    }

    /// The text, if this is one.
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The truth, if this is one.
    pub const fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(flag) = self { Some(*flag) } else { None }
    }

    /// A whole number of 16, 32 or 64 bits.
    pub const fn as_i64(&self) -> Option<i64> {
        match self {
            Self::I16(n) => Some(*n as i64),
            Self::I32(n) => Some(*n as i64),
            Self::I64(n) => Some(*n),
            _ => None,
        }
    }

    /// The time, if this is one.
    pub const fn as_time(&self) -> Option<Time> {
        if let Self::Time(time) = self { Some(*time) } else { None }
    }

    /// The GUID, if this is one.
    pub const fn as_guid(&self) -> Option<Guid> {
        if let Self::Guid(guid) = self { Some(*guid) } else { None }
    }

    /// The bytes of a binary.
    pub fn as_binary(&self) -> Option<&Bytes> {
        if let Self::Binary(bytes) = self { Some(bytes) } else { None }
    }

    /// The borrowed form.
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Self::I16(n) => ValueRef::I16(*n),
            Self::I32(n) => ValueRef::I32(*n),
            Self::F32(n) => ValueRef::F32(*n),
            Self::F64(n) => ValueRef::F64(*n),
            Self::Currency(n) => ValueRef::Currency(*n),
            Self::FloatTime(n) => ValueRef::FloatTime(*n),
            Self::Error(n) => ValueRef::Error(*n),
            Self::Bool(flag) => ValueRef::Bool(*flag),
            Self::I64(n) => ValueRef::I64(*n),
            Self::Text(text) => ValueRef::Text(text),
            Self::Time(time) => ValueRef::Time(*time),
            Self::Guid(guid) => ValueRef::Guid(*guid),
            Self::ServerId(bytes) => ValueRef::ServerId(bytes),
            Self::Binary(bytes) => ValueRef::Binary(bytes),
            Self::I16s(list) => ValueRef::I16s(list.clone()),
            Self::I32s(list) => ValueRef::I32s(list.clone()),
            Self::F32s(list) => ValueRef::F32s(list.clone()),
            Self::F64s(list) => ValueRef::F64s(list.clone()),
            Self::Currencies(list) => ValueRef::Currencies(list.clone()),
            Self::FloatTimes(list) => ValueRef::FloatTimes(list.clone()),
            Self::I64s(list) => ValueRef::I64s(list.clone()),
            Self::Texts(list) => ValueRef::Texts(list.iter().map(String::as_str).collect()),
            Self::Times(list) => ValueRef::Times(list.clone()),
            Self::Guids(list) => ValueRef::Guids(list.clone()),
            Self::Binaries(list) => ValueRef::Binaries(list.iter().map(|bytes| &bytes[..]).collect()),
        }
    }

    /// About how many bytes the value takes.
    pub fn size(&self) -> usize {
        match self {
            Self::I16(_) | Self::Bool(_) => 2,
            Self::I32(_) | Self::F32(_) | Self::Error(_) => 4,
            Self::F64(_) | Self::Currency(_) | Self::FloatTime(_) | Self::I64(_) | Self::Time(_) => 8,
            Self::Guid(_) => 16,
            Self::Text(text) => text.len(),
            Self::ServerId(bytes) | Self::Binary(bytes) => bytes.len(),
            Self::I16s(list) => 2 * list.len(),
            Self::I32s(list) => 4 * list.len(),
            Self::F32s(list) => 4 * list.len(),
            Self::F64s(list) | Self::FloatTimes(list) => 8 * list.len(),
            Self::Currencies(list) | Self::I64s(list) => 8 * list.len(),
            Self::Times(list) => 8 * list.len(),
            Self::Guids(list) => 16 * list.len(),
            Self::Texts(list) => list.iter().map(|text| text.len() + 4).sum(),
            Self::Binaries(list) => list.iter().map(|bytes| bytes.len() + 4).sum(),
        }
    }
}

impl<'a> ValueRef<'a> {
    /// The owned form.
    pub fn to_value(&self) -> Value {
        match self {
            Self::I16(n) => Value::I16(*n),
            Self::I32(n) => Value::I32(*n),
            Self::F32(n) => Value::F32(*n),
            Self::F64(n) => Value::F64(*n),
            Self::Currency(n) => Value::Currency(*n),
            Self::FloatTime(n) => Value::FloatTime(*n),
            Self::Error(n) => Value::Error(*n),
            Self::Bool(flag) => Value::Bool(*flag),
            Self::I64(n) => Value::I64(*n),
            Self::Text(text) => Value::Text((*text).to_owned()),
            Self::Time(time) => Value::Time(*time),
            Self::Guid(guid) => Value::Guid(*guid),
            Self::ServerId(bytes) => Value::ServerId(Bytes::copy_from_slice(bytes)),
            Self::Binary(bytes) => Value::Binary(Bytes::copy_from_slice(bytes)),
            Self::I16s(list) => Value::I16s(list.clone()),
            Self::I32s(list) => Value::I32s(list.clone()),
            Self::F32s(list) => Value::F32s(list.clone()),
            Self::F64s(list) => Value::F64s(list.clone()),
            Self::Currencies(list) => Value::Currencies(list.clone()),
            Self::FloatTimes(list) => Value::FloatTimes(list.clone()),
            Self::I64s(list) => Value::I64s(list.clone()),
            Self::Texts(list) => Value::Texts(list.iter().map(|text| (*text).to_owned()).collect()),
            Self::Times(list) => Value::Times(list.clone()),
            Self::Guids(list) => Value::Guids(list.clone()),
            Self::Binaries(list) => Value::Binaries(list.iter().map(|bytes| Bytes::copy_from_slice(bytes)).collect()),
        }
    }

    /// The text, if this is one.
    pub const fn as_text(&self) -> Option<&'a str> {
        if let Self::Text(text) = self { Some(*text) } else { None }
    }

    /// The truth, if this is one.
    pub const fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(flag) = self { Some(*flag) } else { None }
    }

    /// A whole number of 16, 32 or 64 bits.
    pub const fn as_i64(&self) -> Option<i64> {
        match self {
            Self::I16(n) => Some(*n as i64),
            Self::I32(n) => Some(*n as i64),
            Self::I64(n) => Some(*n),
            _ => None,
        }
    }

    /// The time, if this is one.
    pub const fn as_time(&self) -> Option<Time> {
        if let Self::Time(time) = self { Some(*time) } else { None }
    }

    /// The GUID, if this is one.
    pub const fn as_guid(&self) -> Option<Guid> {
        if let Self::Guid(guid) = self { Some(*guid) } else { None }
    }

    /// The bytes of a binary.
    pub const fn as_binary(&self) -> Option<&'a [u8]> {
        if let Self::Binary(bytes) = self { Some(*bytes) } else { None }
    }
}
