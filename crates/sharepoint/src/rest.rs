//! REST below `_api`: paths and options of OData, JSON at three levels of metadata, and the list changes in XML.
//!
//! A resource is one line in `rest/route.rs`. What lists and rows hold, and how they change, is shared with SOAP.

mod approval;
mod attachments;
mod batch;
mod body;
mod content_types;
mod context_info;
mod entity;
mod error;
mod files;
mod filter;
mod form_values;
mod groups;
mod item_json;
mod items;
mod list_changes;
mod list_fields;
mod lists;
mod options;
mod path;
mod recycle_bin;
mod render_list_data;
mod reply;
mod role_assignments;
mod route;
mod since_token;
mod users;
mod view_xml;
mod views;
mod web;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, header};
use serde_json::Value as Json;

use self::{
    body::Body as JsonBody,
    entity::{Entity, Level, Value},
    error::RestError,
    options::{Options, Shape},
    path::{Key, Literal, Step},
    reply::{Reply, Wish},
    route::{Found, Handler, Verb},
};
use crate::{Body, Call, SharePoint, code::Failure, context::Context};

/// A request on its way.
struct Ask<'a> {
    context: Context<'a>,
    steps: Vec<Step>,
    options: Options,
    headers: &'a HeaderMap,
    body: &'a Bytes,
    /// `http://host/sites/team/_api/`.
    api_url: String,
}

/// Answers a request below `_api`; every failure is JSON with a code.
pub(crate) async fn handle(
    adapter: &SharePoint,
    call: Call<'_>,
    api_path: &str,
    request: Request<Bytes>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let accept = parts.headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let level = Level::from_accept(&accept.collect::<Vec<_>>().join(","));
    if parts.method == Method::POST && options::split(api_path).0.trim_matches('/').eq_ignore_ascii_case("$batch") {
        let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let answer = batch::run(adapter, call, content_type.unwrap_or_default(), &body).await;
        return answer.unwrap_or_else(|error| reply::failure(&error, level));
    }
    let outcome = match options::read(api_path) {
        Ok((steps, options)) => {
            let api_url = format!("{}{}/_api/", call.base_url.trim_end_matches('/'), call.site_path);
            let verb = Verb::of(&parts.method, &parts.headers);
            match Context::open(adapter, call).await {
                Ok(context) => {
                    let ask = Ask { context, steps, options, headers: &parts.headers, body: &body, api_url };
                    let reply = match verb {
                        Some(verb) => ask.run(verb).await,
                        None => Err(RestError::no_method(parts.method.as_str())),
                    };
                    let wish = Wish { level, api_url: &ask.api_url, shape: &ask.options.shape };
                    reply.map(|reply| reply.render(&wish))
                }
                Err(error) => Err(error.into()),
            }
        }
        Err(error) => Err(error),
    };
    outcome.unwrap_or_else(|error| {
        let error = if error.is_busy() && adapter.engine.writes() > 0 { RestError::unknown() } else { error };
        tracing::debug!(path = api_path, status = error.status.as_u16(), error = %error, "rest request refused");
        reply::failure(&error, level)
    })
}

impl Ask<'_> {
    async fn run(&self, verb: Verb) -> Result<Reply, RestError> {
        let pattern = route::pattern(&self.steps);
        match route::find(&pattern, verb) {
            Found::Handler(run) => run(self).await,
            Found::OtherVerb => Err(RestError::no_method(match verb {
                Verb::Get => "GET",
                Verb::Post => "POST",
                Verb::Merge => "MERGE",
                Verb::Delete => "DELETE",
            })),
            Found::Nothing if verb == Verb::Get => self.property().await,
            Found::Nothing => Err(RestError::no_resource(&self.last_name())),
        }
    }

    /// A property of an entity, alone: `web/title`, `lists(…)/itemcount`, `web/title/$value`.
    async fn property(&self) -> Result<Reply, RestError> {
        let missing = || RestError::no_resource(&self.last_name());
        let Some((last, above)) = self.steps.split_last() else { return Err(missing()) };
        let (name, above, raw) = match above.split_last() {
            Some((name, above)) if last.name == "$value" => (name, above, true),
            Some(_) | None => (last, above, false),
        };
        let Found::Handler(run) = route::find(&route::pattern(above), Verb::Get) else { return Err(missing()) };
        if name.key.is_some() {
            return Err(missing());
        }
        let entity = match self.entity(run, above).await? {
            Reply::Entity(entity) => entity,
            Reply::Entities { entities, next: None, .. } if name.name == "$count" => {
                return Ok(Reply::Raw("text/plain; charset=utf-8", entities.len().to_string().into_bytes()));
            }
            Reply::Entities { .. }
            | Reply::Created(_)
            | Reply::Function(..)
            | Reply::Property(..)
            | Reply::Raw(..)
            | Reply::Stream(..)
            | Reply::Changed(_)
            | Reply::Deleted => return Err(missing()),
        };
        let wanted = name.name.strip_prefix("odata__").map(|rest| format!("_{rest}"));
        let property = entity.get(wanted.as_deref().unwrap_or(&name.name)).or_else(|| entity.get(&name.name));
        let Some(property) = property else { return Err(missing()) };
        match &property.value {
            Value::Link => Err(missing()),
            Value::Entity(inner) => Ok(Reply::Entity((**inner).clone())),
            Value::Entities(all) => {
                Ok(Reply::Entities { set: property.name.to_string(), entities: all.clone(), next: None })
            }
            Value::Plain(json) if raw => Ok(Reply::Raw("text/plain; charset=utf-8", plain_text(json).into_bytes())),
            value @ (Value::Plain(_) | Value::Many(..) | Value::Complex(..)) => {
                Ok(Reply::Property(property.name.to_string(), value.clone()))
            }
        }
    }

    /// What a shorter path holds, without the options of this one.
    async fn entity(&self, run: Handler, steps: &[Step]) -> Result<Reply, RestError> {
        let context =
            Context { adapter: self.context.adapter, call: self.context.call, site: self.context.site.clone() };
        let ask = Ask {
            context,
            steps: steps.to_vec(),
            options: Options::default(),
            headers: self.headers,
            body: self.body,
            api_url: self.api_url.clone(),
        };
        run(&ask).await
    }

    fn last_name(&self) -> String {
        self.steps.last().map(|step| step.name.clone()).unwrap_or_default()
    }

    /// What the last step of this name says in its parentheses.
    fn key(&self, step: &str) -> Option<&Key> {
        self.steps.iter().rev().find(|own| own.name == step)?.key.as_ref()
    }

    /// An argument of the last step of this name: by name, else by its place among those without one.
    fn argument(&self, step: &str, name: &str, place: usize) -> Option<&Literal> {
        let arguments = &self.steps.iter().rev().find(|own| own.name == step)?.arguments;
        let named = arguments.iter().find(|(label, _)| label == name);
        let placed = || arguments.get(place).filter(|(label, _)| label.is_empty());
        named.or_else(placed).map(|(_, value)| value)
    }

    /// The body of the request.
    fn body(&self) -> Result<JsonBody, RestError> {
        JsonBody::parse(self.body)
    }

    /// The version that the client means; `None` for any.
    fn if_match(&self) -> Option<&str> {
        let given = self.headers.get(header::IF_MATCH)?.to_str().ok()?.trim();
        (!given.is_empty() && given != "*" && given != "\"*\"").then_some(given)
    }

    /// A failure of what is shared with SOAP.
    fn failed(&self, failure: Failure) -> RestError {
        let name = self.key("lists").map(|key| key.value.to_text()).unwrap_or_default();
        RestError::of_failure(failure, &name, &self.context.web_url())
    }

    /// Entities that are in memory: filtered, ordered and cut as the options say.
    fn collection(&self, set: &str, mut entities: Vec<Entity>) -> Result<Reply, RestError> {
        let options = &self.options;
        if let Some(first) = entities.first() {
            check_names(first, &options.shape)?;
            if let Some((name, _)) = options.order.iter().find(|(name, _)| first.get(name).is_none()) {
                return Err(RestError::no_property(name, &first.kind));
            }
        }
        if let Some(filter) = &options.filter {
            entities.retain(|entity| filter.holds(&|name| entity.get_plain(name)));
        }
        entities.sort_by(|left, right| {
            let by_key = |(name, ascending): &(String, bool)| {
                let order = order(left.get_plain(name), right.get_plain(name));
                if *ascending { order } else { order.reverse() }
            };
            options.order.iter().map(by_key).find(|order| order.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
        });
        let entities = entities.into_iter().skip(options.skip).take(options.top.unwrap_or(usize::MAX)).collect();
        Ok(Reply::Entities { set: set.to_owned(), entities, next: None })
    }
}

fn check_names(entity: &Entity, shape: &Shape) -> Result<(), RestError> {
    match entity.lacks(shape) {
        None => Ok(()),
        Some(name) => Err(RestError::no_property(name, "the collection")),
    }
}

fn order(left: Option<&Json>, right: Option<&Json>) -> std::cmp::Ordering {
    match (left, right) {
        (Some(Json::Number(left)), Some(Json::Number(right))) => {
            left.as_f64().unwrap_or_default().total_cmp(&right.as_f64().unwrap_or_default())
        }
        (Some(Json::String(left)), Some(Json::String(right))) => left.to_lowercase().cmp(&right.to_lowercase()),
        (Some(Json::Bool(left)), Some(Json::Bool(right))) => left.cmp(right),
        (left, right) => left.is_some().cmp(&right.is_some()),
    }
}

fn plain_text(json: &Json) -> String {
    match json {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => json.to_string(),
    }
}
