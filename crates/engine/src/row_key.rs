//! Values of rows as keys: bytes whose order is the order of the values.
//!
//! One byte tells the class, so that fields whose values changed their type stay in order: nothing, numbers (whole
//! seconds for times, 1 and 0 for truth), text in lower case, and last everything else, which has no order.

use bytes::Bytes;
use model::{Time, ValueRef, limits};

const NOTHING: u8 = 0;
const NUMBER: u8 = 1;
const TEXT: u8 = 2;
const OTHER: u8 = u8::MAX;

/// The key of a row that has no value.
pub fn key_of_nothing() -> Bytes {
    Bytes::from_static(&[NOTHING])
}

/// The key of values that have no order: those of several members, GUIDs, binaries.
pub fn key_of_other() -> Bytes {
    Bytes::from_static(&[OTHER])
}

/// The key of a number. Zero has one key, whatever its sign.
pub fn key_of_number(number: f64) -> Bytes {
    let bits = (number + 0.0).to_bits();
    // Negative numbers turn around, positive ones go above them.
    let ordered = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    let mut key = vec![NUMBER];
    key.extend(ordered.to_be_bytes());
    key.into()
}

/// The key of a time, to the second.
pub fn key_of_time(time: Time) -> Bytes {
    key_of_number(time.0.div_euclid(Time::SECOND) as f64)
}

/// The key of a text, in any case; cut at [`limits::KEY_VALUE_BYTES_MAX`], so that longer texts may share one.
pub fn key_of_text(text: &str) -> Bytes {
    let mut key = vec![TEXT];
    key.extend(text.to_lowercase().bytes().take(limits::KEY_VALUE_BYTES_MAX - 1));
    key.into()
}

/// The keys of all numbers and times, from (inclusive) and to (exclusive).
pub fn keys_of_numbers() -> (Bytes, Bytes) {
    (Bytes::from_static(&[NUMBER]), Bytes::from_static(&[NUMBER + 1]))
}

/// The keys of all texts, from (inclusive) and to (exclusive).
pub fn keys_of_texts() -> (Bytes, Bytes) {
    (Bytes::from_static(&[TEXT]), Bytes::from_static(&[TEXT + 1]))
}

/// Whether the order among the values of this key is in the key: it is not for those that were cut, nor for those that
/// have no order.
pub fn key_is_exact(key: &[u8]) -> bool {
    key.len() < limits::KEY_VALUE_BYTES_MAX && key.first() != Some(&OTHER)
}

/// The key of a value.
#[expect(clippy::wildcard_enum_match_arm, reason = "of the types of values, these have an order in lists")]
pub fn row_key(value: Option<&ValueRef<'_>>) -> Bytes {
    let Some(value) = value else { return key_of_nothing() };
    match value {
        ValueRef::I32(number) => key_of_number(f64::from(*number)),
        ValueRef::I64(number) => key_of_number(*number as f64),
        ValueRef::F64(number) => key_of_number(*number),
        ValueRef::Bool(flag) => key_of_number(f64::from(u8::from(*flag))),
        ValueRef::Time(time) => key_of_time(*time),
        ValueRef::Text(text) => key_of_text(text),
        _ => key_of_other(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_order_of_their_values() {
        let time = |seconds: i64| ValueRef::Time(Time(seconds * Time::SECOND + 5));
        let texts = ["", "!", "a", "A1", "aa", "ab", "z\u{10ffff}", "\u{e4}"];
        let numbers =
            [f64::NEG_INFINITY, -1e300, -2.5, -1.0, -1e-300, 0.0, 1e-300, 0.5, 1.0, 2.0, 1e300, f64::INFINITY];
        let mut keys = vec![row_key(None)];
        keys.extend(numbers.map(|number| row_key(Some(&ValueRef::F64(number)))));
        keys.extend(texts.map(|text| row_key(Some(&ValueRef::Text(text)))));
        keys.push(row_key(Some(&ValueRef::I32s(vec![1]))));
        assert!(keys.windows(2).all(|pair| pair[0] < pair[1]), "{keys:?}");
        for (left, right) in [
            (ValueRef::I32(7), ValueRef::F64(7.0)),
            (ValueRef::Bool(true), ValueRef::I64(1)),
            (ValueRef::F64(-0.0), ValueRef::F64(0.0)),
            (time(3), ValueRef::I32(3)),
            (ValueRef::Text("\u{c4}B"), ValueRef::Text("\u{e4}b")),
        ] {
            assert_eq!(row_key(Some(&left)), row_key(Some(&right)), "{left:?} {right:?}");
        }
        let long = "x".repeat(limits::KEY_VALUE_BYTES_MAX);
        let key = row_key(Some(&ValueRef::Text(&long)));
        assert_eq!((key.len(), key_is_exact(&key)), (limits::KEY_VALUE_BYTES_MAX, false));
        assert!(key_is_exact(&row_key(Some(&ValueRef::Text("x")))) && !key_is_exact(&key_of_other()));
    }
}
