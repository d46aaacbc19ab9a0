//! How stored values are written as text, and read from it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::Value;
use xml::{Node, Writer};

use crate::{Header, local_time, request};

/// The text form of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    /// `xs:string`.
    Text,
    /// `xs:boolean`.
    Bool,
    /// `xs:boolean` that says the opposite of what is stored.
    NotBool,
    /// `xs:int`.
    Int,
    /// `xs:dateTime`.
    Time,
    /// `xs:base64Binary`.
    Base64,
    /// `t:String` elements.
    Texts,
    /// A number from 0 to 1, written as percentage.
    Percent,
    /// A number by name; others are not written.
    Names(&'static [(i32, &'static str)]),
    /// The same, where a missing number, or one without a name, is written as the first of the list.
    NamesOr(&'static [(i32, &'static str)]),
}

impl Codec {
    /// Writes the element, or nothing where the value has another type.
    pub(crate) fn write(self, out: &mut Writer, element: &'static str, value: &Value, header: &Header) {
        match self {
            Self::Text => {
                if let Some(text) = value.as_text() {
                    out.element(element, text);
                }
            }
            Self::Bool | Self::NotBool => {
                if let Some(flag) = value.as_bool() {
                    out.element(element, if flag == (self == Self::Bool) { "true" } else { "false" });
                }
            }
            Self::Int => {
                if let Some(number) = value.as_i64() {
                    out.display(element, number);
                }
            }
            Self::Time => {
                if let Some(time) = value.as_time() {
                    out.element(element, &header.time(time));
                }
            }
            Self::Base64 => {
                if let Some(bytes) = value.as_binary() {
                    out.scope(element, |out| out.base64(bytes));
                }
            }
            Self::Texts => {
                if let Value::Texts(list) = value
                    && !list.is_empty()
                {
                    out.scope(element, |out| list.iter().for_each(|text| out.element("t:String", text)));
                }
            }
            Self::Percent => {
                if let Value::F64(number) = value {
                    out.display(element, number * 100.0);
                }
            }
            Self::Names(names) => {
                if let Some(name) = name_of(names, value) {
                    out.element(element, name);
                }
            }
            Self::NamesOr(names) => {
                let first = names.first().map(|(_, name)| *name);
                if let Some(name) = name_of(names, value).or(first) {
                    out.element(element, name);
                }
            }
        }
    }

    /// Writes the element of an item that has no value: only a number by name has a default.
    pub(crate) fn write_missing(self, out: &mut Writer, element: &'static str) {
        if let Self::NamesOr([(_, first), ..]) = self {
            out.element(element, first);
        }
    }

    /// Reads the element; `None` where the text is no value of the type.
    pub(crate) fn read(self, node: Node<'_>) -> Option<Value> {
        match self {
            Self::Texts => {
                let list: Vec<String> = node.children().map(|child| child.text().into_owned()).collect();
                Some(Value::Texts(list))
            }
            Self::Text
            | Self::Bool
            | Self::NotBool
            | Self::Int
            | Self::Time
            | Self::Base64
            | Self::Percent
            | Self::Names(_)
            | Self::NamesOr(_) => self.parse(&node.text()),
        }
    }

    /// Reads a constant; `None` where the text is no value of the type.
    pub(crate) fn parse(self, text: &str) -> Option<Value> {
        match self {
            Self::Text | Self::Texts => Some(Value::text(text)),
            Self::Bool => request::parse_boolean(text).map(Value::Bool),
            Self::NotBool => request::parse_boolean(text).map(|flag| Value::Bool(!flag)),
            Self::Int => text.trim().parse().ok().map(Value::I32),
            Self::Time => local_time::parse(text).map(Value::Time),
            Self::Base64 => STANDARD.decode(text.trim()).ok().map(Value::binary),
            Self::Percent => text.trim().parse::<f64>().ok().map(|number| Value::F64(number / 100.0)),
            Self::Names(names) | Self::NamesOr(names) => {
                names.iter().find(|(_, name)| *name == text.trim()).map(|(number, _)| Value::I32(*number))
            }
        }
    }
}

fn name_of(names: &'static [(i32, &'static str)], value: &Value) -> Option<&'static str> {
    let number = value.as_i64()?;
    names.iter().find(|(have, _)| i64::from(*have) == number).map(|(_, name)| *name)
}
