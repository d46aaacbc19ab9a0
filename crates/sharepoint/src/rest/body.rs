//! Bodies of requests: JSON objects. Names count in any case.

use serde_json::{Map, Value as Json};

use super::error::RestError;

/// Properties in one body.
const PROPERTIES_MAX: usize = 5_000;

/// An object that a client sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Body {
    properties: Map<String, Json>,
}

impl Body {
    /// Reads a body; an empty one is an empty object. An outer `d` is taken off.
    ///
    /// # Errors
    /// Status 400 for what is no JSON object.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, RestError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::default());
        }
        let json = serde_json::from_slice(bytes).map_err(|error| {
            RestError::bad_query(format!("Invalid JSON: line {}, column {}.", error.line(), error.column()))
        })?;
        let Json::Object(properties) = json else {
            return Err(RestError::bad_query("Invalid JSON. The body of the request is not an object."));
        };
        Self { properties }.checked()?.without("d")
    }

    /// This body without the wrapper `name`, where it has nothing but that.
    ///
    /// # Errors
    /// Status 400 where the inside is no object.
    pub(crate) fn without(mut self, name: &str) -> Result<Self, RestError> {
        let own = self.properties.iter().next().map(|(own, _)| own.clone());
        let wrapper = own.filter(|own| self.properties.len() == 1 && own.eq_ignore_ascii_case(name));
        match wrapper.and_then(|own| self.properties.remove(&own)) {
            None => Ok(self),
            Some(Json::Object(properties)) => Self { properties }.checked(),
            Some(Json::Null) => Ok(Self::default()),
            Some(Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_)) => {
                Err(RestError::bad_query(format!("The parameter {name} is not an object.")))
            }
        }
    }

    /// A property that is an object, alone.
    ///
    /// # Errors
    /// Status 400 for anything else.
    pub(crate) fn part(&self, name: &str) -> Result<Option<Self>, RestError> {
        match self.get(name) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::Object(inside)) => Self { properties: inside.clone() }.checked().map(Some),
            Some(Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_)) => {
                Err(RestError::bad_query(format!("The parameter {name} is not an object.")))
            }
        }
    }

    fn checked(self) -> Result<Self, RestError> {
        if self.properties.len() > PROPERTIES_MAX {
            return Err(RestError::bad_query("The body of the request has too many properties."));
        }
        Ok(self)
    }

    /// A property, in any case.
    pub(crate) fn get(&self, name: &str) -> Option<&Json> {
        self.properties.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The text of a property; of numbers and truth their text. `None` for null.
    ///
    /// # Errors
    /// Status 400 for an array or an object.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, RestError> {
        match self.get(name) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::String(text)) => Ok(Some(text.clone())),
            Some(Json::Number(number)) => Ok(Some(number.to_string())),
            Some(Json::Bool(truth)) => Ok(Some(truth.to_string())),
            Some(Json::Object(inner)) => {
                // A change token may come as an object with its text inside.
                let text = inner.iter().find(|(own, _)| own.eq_ignore_ascii_case("StringValue"));
                match text {
                    Some((_, Json::String(text))) => Ok(Some(text.clone())),
                    Some(_) | None => Err(RestError::bad_query(format!("The property {name} is not a text."))),
                }
            }
            Some(Json::Array(_)) => Err(RestError::bad_query(format!("The property {name} is not a text."))),
        }
    }

    /// The whole number of a property, also where it is a text.
    ///
    /// # Errors
    /// Status 400 for anything else.
    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>, RestError> {
        let bad = || RestError::bad_query(format!("The property {name} is not a whole number."));
        self.text(name)?.map(|text| text.trim().parse().map_err(|_| bad())).transpose()
    }

    /// All properties but those about metadata, in the order they came.
    pub(crate) fn values(&self) -> impl Iterator<Item = (&str, &Json)> {
        let is_metadata = |name: &str| name.eq_ignore_ascii_case("__metadata") || name.contains("odata.");
        self.properties.iter().map(|(name, value)| (name.as_str(), value)).filter(move |(name, _)| !is_metadata(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrappers_come_off() {
        for text in [r#"{"Title":"a"}"#, r#"{"d":{"title":"a"}}"#, "\u{feff}{\"D\":{\"TITLE\":\"a\"}}"] {
            assert_eq!(Body::parse(text.as_bytes()).unwrap().text("Title").unwrap().as_deref(), Some("a"), "{text}");
        }
        assert_eq!(Body::parse(b" ").unwrap(), Body::default());
        assert_eq!(Body::parse(br#"{"n":"5"}"#).unwrap().number("N").unwrap(), Some(5));
        let deep = "[".repeat(100_000);
        for bad in ["{", "[]", "3", "{'a':1}", deep.as_str(), "{\"d\":3}"] {
            assert!(Body::parse(bad.as_bytes()).is_err());
        }
    }
}
