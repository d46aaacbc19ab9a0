//! Entities and how they look in JSON, with as much metadata as the client wants. \[MS-ODATA 2.2.6.3\]

use std::borrow::Cow;

use serde_json::{Map, Value as Json, json};

use super::options::Shape;

/// How much metadata stands in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// `odata=verbose`: everything below `d`.
    Verbose,
    /// `odata=minimalmetadata`, and what is meant without saying.
    Minimal,
    /// `odata=nometadata`.
    None,
}

/// A value of an entity.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// A plain value.
    Plain(Json),
    /// Several plain values, with the name of their type.
    Many(&'static str, Vec<Json>),
    /// A value of parts, with the name of its type.
    Complex(&'static str, Vec<(&'static str, Value)>),
    /// A way to something else.
    Link,
    /// Something else, expanded.
    Entity(Box<Entity>),
    /// Several other things, expanded.
    Entities(Vec<Entity>),
}

/// A property of an entity.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Property {
    /// Its name.
    pub(crate) name: Cow<'static, str>,
    /// Its value.
    pub(crate) value: Value,
    /// Whether it is shown only to who asks for it by name.
    pub(crate) on_demand: bool,
}

/// Something with an address.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Entity {
    /// Its type: `SP.List`.
    pub(crate) kind: Cow<'static, str>,
    /// Its path below `_api/`.
    pub(crate) path: String,
    /// Its version, with the quotes.
    pub(crate) etag: Option<String>,
    /// Its set, for `odata.metadata`.
    pub(crate) set: Cow<'static, str>,
    /// Its properties in order.
    pub(crate) properties: Vec<Property>,
}

impl Level {
    /// The level that an `Accept` header asks for.
    pub(crate) fn from_accept(accept: &str) -> Self {
        let accept = accept.to_ascii_lowercase().replace(' ', "");
        for part in accept.split(',') {
            if part.contains("odata=verbose") {
                return Self::Verbose;
            }
            if part.contains("odata=nometadata") || part.contains("odata.metadata=none") {
                return Self::None;
            }
        }
        Self::Minimal
    }

    /// The `Content-Type` of answers.
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Verbose => "application/json;odata=verbose;charset=utf-8",
            Self::Minimal => "application/json;odata=minimalmetadata;streaming=true;charset=utf-8",
            Self::None => "application/json;odata=nometadata;streaming=true;charset=utf-8",
        }
    }
}

impl Entity {
    /// An entity without properties.
    pub(crate) fn new(
        kind: impl Into<Cow<'static, str>>,
        path: impl Into<String>,
        set: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { kind: kind.into(), path: path.into(), etag: None, set: set.into(), properties: Vec::new() }
    }

    /// Adds a plain value.
    pub(crate) fn plain(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Json>) {
        self.value(name, Value::Plain(value.into()));
    }

    /// Adds a value.
    pub(crate) fn value(&mut self, name: impl Into<Cow<'static, str>>, value: Value) {
        self.properties.push(Property { name: name.into(), value, on_demand: false });
    }

    /// Adds a value that is shown only to who asks for it.
    pub(crate) fn on_demand(&mut self, name: impl Into<Cow<'static, str>>, value: Value) {
        self.properties.push(Property { name: name.into(), value, on_demand: true });
    }

    /// Adds ways to other things.
    pub(crate) fn links(&mut self, names: &[&'static str]) {
        for name in names {
            self.value(*name, Value::Link);
        }
    }

    /// Puts something expanded in the place of a link.
    pub(crate) fn expand(&mut self, name: &'static str, value: Value) {
        match self.properties.iter_mut().find(|property| property.name == name) {
            Some(property) => property.value = value,
            None => self.value(name, value),
        }
    }

    /// A property in any case.
    pub(crate) fn get(&self, name: &str) -> Option<&Property> {
        self.properties.iter().find(|property| property.name.eq_ignore_ascii_case(name))
    }

    /// The plain value of a property.
    pub(crate) fn get_plain(&self, name: &str) -> Option<&Json> {
        match &self.get(name)?.value {
            Value::Plain(json) => Some(json),
            Value::Many(..) | Value::Complex(..) | Value::Link | Value::Entity(_) | Value::Entities(_) => None,
        }
    }

    /// The first name in `shape` that this has not.
    pub(crate) fn lacks<'s>(&self, shape: &'s Shape) -> Option<&'s str> {
        shape.selected().find(|name| self.get(name).is_none())
    }

    /// The entity in JSON. `api_url` ends with `_api/`. `root` for the entity that the answer is about.
    pub(crate) fn render(&self, level: Level, api_url: &str, shape: &Shape, root: bool) -> Map<String, Json> {
        let mut object = Map::new();
        self.render_metadata(&mut object, level, api_url, root);
        for property in &self.properties {
            let name = &*property.name;
            let shown = (shape.wants_all() && !property.on_demand) || shape.selects(name) || shape.expands(name);
            if !shown {
                continue;
            }
            let json = match &property.value {
                Value::Link => match level {
                    Level::Verbose => {
                        json!({ "__deferred": { "uri": format!("{api_url}{}/{name}", self.path) } })
                    }
                    Level::Minimal => {
                        let key = format!("{name}@odata.navigationLinkUrl");
                        object.insert(key, Json::String(format!("{}/{name}", self.path)));
                        continue;
                    }
                    Level::None => continue,
                },
                Value::Entity(entity) => Json::Object(entity.render(level, api_url, &shape.below(name), false)),
                Value::Entities(entities) => {
                    let below = shape.below(name);
                    let all = entities.iter().map(|one| Json::Object(one.render(level, api_url, &below, false)));
                    several(all.collect(), level)
                }
                Value::Plain(_) | Value::Many(..) | Value::Complex(..) => property.value.to_json(level),
            };
            object.insert(name.to_owned(), json);
        }
        object
    }

    fn render_metadata(&self, object: &mut Map<String, Json>, level: Level, api_url: &str, root: bool) {
        match level {
            Level::Verbose => {
                let mut metadata = Map::new();
                if !self.path.is_empty() {
                    let uri = format!("{api_url}{}", self.path);
                    metadata.insert("id".to_owned(), Json::String(uri.clone()));
                    metadata.insert("uri".to_owned(), Json::String(uri));
                }
                if let Some(etag) = &self.etag {
                    metadata.insert("etag".to_owned(), Json::String(etag.clone()));
                }
                metadata.insert("type".to_owned(), Json::String(self.kind.to_string()));
                object.insert("__metadata".to_owned(), Json::Object(metadata));
            }
            Level::Minimal => {
                if root {
                    let set = format!("{api_url}$metadata#{}", self.set);
                    object.insert("odata.metadata".to_owned(), Json::String(set));
                }
                if !root || !self.path.is_empty() {
                    object.insert("odata.type".to_owned(), Json::String(self.kind.to_string()));
                }
                if self.path.is_empty() {
                    return;
                }
                object.insert("odata.id".to_owned(), Json::String(format!("{api_url}{}", self.path)));
                if let Some(etag) = &self.etag {
                    object.insert("odata.etag".to_owned(), Json::String(etag.clone()));
                }
                object.insert("odata.editLink".to_owned(), Json::String(self.path.clone()));
            }
            Level::None => {}
        }
    }
}

impl Value {
    /// The value in JSON, where it is no entity.
    pub(crate) fn to_json(&self, level: Level) -> Json {
        match self {
            Self::Plain(json) => json.clone(),
            Self::Many(kind, values) => match level {
                Level::Verbose => {
                    json!({ "__metadata": { "type": format!("Collection({kind})") }, "results": values })
                }
                Level::Minimal | Level::None => Json::Array(values.clone()),
            },
            Self::Complex(kind, parts) => {
                let mut object = Map::new();
                if level == Level::Verbose {
                    object.insert("__metadata".to_owned(), json!({ "type": kind }));
                }
                for (name, value) in parts {
                    object.insert((*name).to_owned(), value.to_json(level));
                }
                Json::Object(object)
            }
            Self::Link | Self::Entity(_) | Self::Entities(_) => Json::Null,
        }
    }
}

/// An array, with what verbose JSON has around it.
pub(crate) fn several(all: Vec<Json>, level: Level) -> Json {
    match level {
        Level::Verbose => json!({ "results": all }),
        Level::Minimal | Level::None => Json::Array(all),
    }
}

/// A number that is written without a fraction where it has none.
pub(crate) fn number(number: f64) -> Json {
    if number.fract() == 0.0 && number.abs() < 9e15 { Json::from(number as i64) } else { Json::from(number) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels() {
        for (accept, expected) in [
            ("application/json;odata=verbose", Level::Verbose),
            ("application/json; odata=Verbose, */*", Level::Verbose),
            ("application/json", Level::Minimal),
            ("application/json;odata=minimalmetadata", Level::Minimal),
            ("application/json;odata=nometadata", Level::None),
            ("application/json;odata.metadata=none", Level::None),
            ("", Level::Minimal),
            ("application/atom+xml", Level::Minimal),
        ] {
            assert_eq!(Level::from_accept(accept), expected, "{accept}");
        }
    }

    #[test]
    fn numbers() {
        assert_eq!(number(3.0).to_string(), "3");
        assert_eq!(number(0.5).to_string(), "0.5");
        assert_eq!(number(1e20).to_string(), "1e+20");
    }
}
