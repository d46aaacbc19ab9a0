//! Answers to REST requests: what they hold, and their form on the wire.

use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value as Json, json};

use super::{
    entity::{Entity, Level, Value, several},
    error::RestError,
    options::Shape,
};
use crate::{Body, answer};

/// What an operation answers.
pub(crate) enum Reply {
    /// An entity.
    Entity(Entity),
    /// An entity that was made.
    Created(Entity),
    /// Entities of a set, and the address of the next page.
    Entities {
        /// For `odata.metadata`.
        set: String,
        /// Those of this page.
        entities: Vec<Entity>,
        /// The absolute URL of the next page.
        next: Option<String>,
    },
    /// The result of a function: verbose JSON puts it below the function's name.
    Function(&'static str, Entity),
    /// One property.
    Property(String, Value),
    /// Bytes of another type.
    Raw(&'static str, Vec<u8>),
    /// Bytes of another type that are still to be made.
    Stream(&'static str, Body),
    /// Nothing, with the ETag of what was changed.
    Changed(Option<String>),
    /// Nothing: it is gone.
    Deleted,
}

/// How the client wants its answer.
pub(crate) struct Wish<'a> {
    /// How much metadata.
    pub(crate) level: Level,
    /// Ends with `_api/`.
    pub(crate) api_url: &'a str,
    /// Which properties.
    pub(crate) shape: &'a Shape,
}

impl Reply {
    /// The answer on the wire.
    pub(crate) fn render(self, wish: &Wish<'_>) -> Response<Body> {
        match self {
            Self::Entity(entity) => wish.entity(StatusCode::OK, &entity),
            Self::Created(entity) => {
                let mut response = wish.entity(StatusCode::CREATED, &entity);
                if let Ok(value) = HeaderValue::try_from(format!("{}{}", wish.api_url, entity.path)) {
                    response.headers_mut().insert(header::LOCATION, value);
                }
                response
            }
            Self::Entities { set, entities, next } => {
                let all: Vec<Json> = entities
                    .iter()
                    .map(|entity| Json::Object(entity.render(wish.level, wish.api_url, wish.shape, false)))
                    .collect();
                let body = match wish.level {
                    Level::Verbose => {
                        let mut body = Map::new();
                        body.insert("results".to_owned(), Json::Array(all));
                        if let Some(next) = next {
                            body.insert("__next".to_owned(), Json::String(next));
                        }
                        Json::Object(body)
                    }
                    Level::Minimal | Level::None => {
                        let mut body = wish.metadata(&set);
                        if let Some(next) = next {
                            body.insert("odata.nextLink".to_owned(), Json::String(next));
                        }
                        body.insert("value".to_owned(), several(all, wish.level));
                        Json::Object(body)
                    }
                };
                wish.json(StatusCode::OK, body)
            }
            Self::Function(name, entity) => {
                let object = Json::Object(entity.render(wish.level, wish.api_url, wish.shape, true));
                let body = match wish.level {
                    Level::Verbose => json!({ name: object }),
                    Level::Minimal | Level::None => object,
                };
                wish.json(StatusCode::OK, body)
            }
            Self::Property(name, value) => {
                let json = value.to_json(wish.level);
                let body = match (wish.level, json) {
                    (Level::Verbose, json) => json!({ name: json }),
                    (Level::Minimal | Level::None, Json::Object(parts)) => {
                        let mut body = wish.metadata(&value_set(&value));
                        body.extend(parts);
                        Json::Object(body)
                    }
                    (Level::Minimal | Level::None, json) => {
                        let mut body = wish.metadata(&value_set(&value));
                        body.insert("value".to_owned(), json);
                        Json::Object(body)
                    }
                };
                wish.json(StatusCode::OK, body)
            }
            Self::Raw(content_type, bytes) => answer(StatusCode::OK, content_type, bytes),
            Self::Stream(content_type, body) => {
                let mut response = Response::new(body);
                response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
                response
            }
            Self::Changed(etag) => {
                let mut response = answer(StatusCode::NO_CONTENT, wish.level.content_type(), Vec::new());
                response.headers_mut().remove(header::CONTENT_TYPE);
                set_etag(&mut response, etag.as_deref());
                response
            }
            Self::Deleted => answer(StatusCode::OK, wish.level.content_type(), Vec::new()),
        }
    }
}

impl Wish<'_> {
    fn entity(&self, status: StatusCode, entity: &Entity) -> Response<Body> {
        let object = entity.render(self.level, self.api_url, self.shape, true);
        let mut response = self.json(status, Json::Object(object));
        set_etag(&mut response, entity.etag.as_deref());
        response
    }

    /// A JSON answer; verbose JSON has `d` around it.
    fn json(&self, status: StatusCode, body: Json) -> Response<Body> {
        let body = if self.level == Level::Verbose { json!({ "d": body }) } else { body };
        let mut response = answer(status, self.level.content_type(), body.to_string());
        common_headers(&mut response);
        response
    }

    fn metadata(&self, set: &str) -> Map<String, Json> {
        let mut body = Map::new();
        if self.level == Level::Minimal {
            body.insert("odata.metadata".to_owned(), Json::String(format!("{}$metadata#{set}", self.api_url)));
        }
        body
    }
}

fn value_set(value: &Value) -> String {
    match value {
        Value::Plain(Json::Bool(_)) => "Edm.Boolean".to_owned(),
        Value::Plain(Json::Number(_)) => "Edm.Int32".to_owned(),
        Value::Plain(_) | Value::Link | Value::Entity(_) | Value::Entities(_) => "Edm.String".to_owned(),
        Value::Many(kind, _) => format!("Collection({kind})"),
        Value::Complex(kind, _) => (*kind).to_owned(),
    }
}

fn set_etag(response: &mut Response<Body>, etag: Option<&str>) {
    if let Some(Ok(value)) = etag.map(HeaderValue::try_from) {
        response.headers_mut().insert(header::ETAG, value);
    }
}

fn common_headers(response: &mut Response<Body>) {
    let headers = response.headers_mut();
    headers.insert("dataserviceversion", HeaderValue::from_static("3.0"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=0"));
}

/// A failure on the wire.
pub(crate) fn failure(error: &RestError, level: Level) -> Response<Body> {
    let inside = json!({
        "code": format!("{}, {}", error.code, error.kind),
        "message": { "lang": "en-US", "value": error.text },
    });
    let key = if level == Level::Verbose { "error" } else { "odata.error" };
    let body = json!({ key: inside });
    let mut response = answer(error.status, level.content_type(), body.to_string());
    common_headers(&mut response);
    response
}
