//! Query options of requests: `$select`, `$filter` and the like. \[MS-ODATA 2.2.3.6\]

use super::{error::RestError, filter::Filter, path};
use crate::paths;

/// Options in one request.
const OPTIONS_MAX: usize = 64;
/// Names in `$select` or `$expand`.
const NAMES_MAX: usize = 1_000;
/// Keys of `$orderby`.
const ORDER_KEYS_MAX: usize = 16;

/// The options of a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Options {
    /// What of each entity is shown.
    pub(crate) shape: Shape,
    /// Which entities.
    pub(crate) filter: Option<Filter>,
    /// In which order: name, and whether ascending.
    pub(crate) order: Vec<(String, bool)>,
    /// How many.
    pub(crate) top: Option<usize>,
    /// How many are passed over.
    pub(crate) skip: usize,
    /// Where the previous page ended.
    pub(crate) skip_token: Option<String>,
    /// Values of `@name` parameters.
    aliases: Vec<(String, String)>,
    /// As they came, to build the link to the next page.
    raw: Vec<(String, String)>,
}

/// What of an entity is shown: names, with slashes into what is expanded.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Shape {
    select: Vec<String>,
    expand: Vec<String>,
}

impl Options {
    /// Reads what follows the question mark.
    ///
    /// # Errors
    /// Status 400 for an option that cannot be read.
    pub(crate) fn parse(query: &str) -> Result<Self, RestError> {
        let mut options = Self::default();
        for part in query.split('&').filter(|part| !part.is_empty()) {
            if options.raw.len() >= OPTIONS_MAX {
                return Err(RestError::bad_query("The request has too many query options."));
            }
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let plain = |text: &str| paths::decode(&text.replace('+', " "));
            let (name, value) = (plain(name), plain(value));
            options.set(&name, &value)?;
            options.raw.push((name, value));
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), RestError> {
        let bad = |what: &str| RestError::bad_query(format!("The query option {what} is not valid: '{value}'."));
        match name.to_ascii_lowercase().as_str() {
            "$select" => self.shape.select = names(value).ok_or_else(|| bad("$select"))?,
            "$expand" => self.shape.expand = names(value).ok_or_else(|| bad("$expand"))?,
            "$filter" if value.trim().is_empty() => {}
            "$filter" => self.filter = Some(Filter::parse(value)?),
            "$orderby" => {
                for key in value.split(',').map(str::trim).filter(|key| !key.is_empty()) {
                    let mut words = key.split_whitespace();
                    let (name, direction) = (words.next().unwrap_or_default(), words.next().unwrap_or("asc"));
                    let descending = direction.eq_ignore_ascii_case("desc");
                    if words.next().is_some()
                        || self.order.len() >= ORDER_KEYS_MAX
                        || !(descending || direction.eq_ignore_ascii_case("asc"))
                    {
                        return Err(bad("$orderby"));
                    }
                    self.order.push((name.to_owned(), !descending));
                }
            }
            "$top" => self.top = Some(value.trim().parse::<u32>().map_err(|_| bad("$top"))? as usize),
            "$skip" => self.skip = value.trim().parse::<u32>().map_err(|_| bad("$skip"))? as usize,
            "$skiptoken" => self.skip_token = Some(value.to_owned()),
            other => {
                if let Some(alias) = other.strip_prefix('@') {
                    self.aliases.push((alias.to_owned(), value.to_owned()));
                }
            }
        }
        Ok(())
    }

    /// The value of a parameter `@name`.
    pub(crate) fn alias(&self, name: &str) -> Option<String> {
        self.aliases.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
    }

    /// A parameter of the query that is no option of OData, by name in any case.
    pub(crate) fn other(&self, name: &str) -> Option<&str> {
        self.raw.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The options of the next page, percent-encoded, with this `$skiptoken`.
    pub(crate) fn next_page(&self, skip_token: &str) -> String {
        let mut query = String::new();
        let skip = |name: &str| ["$skiptoken", "$skip"].iter().any(|own| name.eq_ignore_ascii_case(own));
        let kept = self.raw.iter().filter(|(name, _)| !skip(name)).map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in std::iter::once(("$skiptoken", skip_token)).chain(kept) {
            if !query.is_empty() {
                query.push('&');
            }
            encode(&mut query, name);
            query.push('=');
            encode(&mut query, value);
        }
        query
    }
}

impl Shape {
    /// Whether everything that is usual is wanted.
    pub(crate) fn wants_all(&self) -> bool {
        self.select.is_empty() || self.select.iter().any(|name| name == "*")
    }

    /// Whether the client named this property.
    pub(crate) fn selects(&self, name: &str) -> bool {
        self.select.iter().any(|path| has_head(path, name))
    }

    /// Whether the client wants what this property leads to.
    pub(crate) fn expands(&self, name: &str) -> bool {
        self.expand.iter().any(|path| has_head(path, name))
    }

    /// The names that the client gave, without what follows a slash.
    pub(crate) fn selected(&self) -> impl Iterator<Item = &str> {
        self.select.iter().map(|path| head(path)).filter(|name| *name != "*")
    }

    /// What of the entity behind a property is shown.
    pub(crate) fn below(&self, name: &str) -> Self {
        let inside = |paths: &[String]| {
            let rest = |path: &String| {
                let (first, rest) = path.split_once('/')?;
                first.eq_ignore_ascii_case(name).then(|| rest.to_owned())
            };
            paths.iter().filter_map(rest).collect()
        };
        Self { select: inside(&self.select), expand: inside(&self.expand) }
    }
}

fn head(path: &str) -> &str {
    path.split('/').next().unwrap_or(path)
}

/// Whether a path is `name` or leads through it. Asked for each property of each entity, so without a search.
fn has_head(path: &str, name: &str) -> bool {
    path.split_at_checked(name.len()).is_some_and(|(head, rest)| {
        (rest.is_empty() || rest.starts_with('/')) && !name.contains('/') && head.eq_ignore_ascii_case(name)
    })
}

fn names(value: &str) -> Option<Vec<String>> {
    let names: Vec<String> =
        value.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
    (names.len() <= NAMES_MAX).then_some(names)
}

fn encode(query: &mut String, text: &str) {
    let mut encoded = String::new();
    paths::encode_into(&mut encoded, text);
    for character in encoded.chars() {
        match character {
            '=' => query.push_str("%3D"),
            ';' => query.push_str("%3B"),
            '/' => query.push_str("%2f"),
            other => query.push(other),
        }
    }
}

/// Splits what follows `_api/` into the path and the options.
pub(crate) fn split(api_path: &str) -> (&str, &str) {
    api_path.split_once('?').unwrap_or((api_path, ""))
}

/// Reads path and options of a request.
///
/// # Errors
/// Status 400 where one cannot be read.
pub(crate) fn read(api_path: &str) -> Result<(Vec<path::Step>, Options), RestError> {
    let (path, query) = split(api_path);
    let options = Options::parse(query)?;
    let steps = path::parse(path, &|name| options.alias(name))?;
    Ok((steps, options))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_passed_on() {
        let query = "$select=Id,Author/Title&%24expand=Author&$top=5&$orderby=Title%20desc,ID&@u=%27x%27&$skip=2";
        let options = Options::parse(query).unwrap();
        assert!(options.shape.selects("author") && !options.shape.wants_all());
        assert!(options.shape.below("Author").selects("Title"));
        assert!(options.shape.expands("AUTHOR"));
        for name in ["Auth", "AuthorX", "Author/Title", "", "I"] {
            assert!(!options.shape.selects(name), "{name}");
        }
        assert_eq!((options.top, options.skip), (Some(5), 2));
        assert_eq!(options.order, [("Title".to_owned(), false), ("ID".to_owned(), true)]);
        assert_eq!(options.alias("u").as_deref(), Some("'x'"));
        let next = options.next_page("Paged=TRUE&p_ID=7");
        assert!(next.starts_with("$skiptoken=Paged%3DTRUE%26p_ID%3D7&$select=Id,Author%2fTitle"), "{next}");
        assert_eq!(Options::parse(&next).unwrap().skip_token.as_deref(), Some("Paged=TRUE&p_ID=7"));
        for bad in ["$top=x", "$skip=-1", "$orderby=a b", "$filter=a", "$orderby=a asc b"] {
            assert!(Options::parse(bad).is_err(), "{bad}");
        }
    }
}
