//! Resource paths of REST requests: `web/lists/getbytitle('T')/items(3)`. \[MS-ODATA 2.2.3\]
//!
//! Names count in any case. The many ways to name one thing (`lists('…')`, `lists/getbyid('…')`, `getlist('/…')`) are
//! folded into one here, so that routes are written once.

use model::Guid;

use super::error::RestError;
use crate::paths;

/// Bytes of a path, decoded.
const PATH_BYTES_MAX: usize = 8_192;
/// Steps of a path.
const STEPS_MAX: usize = 16;
/// Arguments of a step.
const ARGUMENTS_MAX: usize = 16;

/// A literal of OData.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    /// `null`
    Null,
    /// `'it''s'`
    Text(String),
    /// `3`, `-1.5`
    Number(f64),
    /// `true`
    Truth(bool),
    /// `guid'…'`
    Guid(Guid),
    /// `datetime'…'`: the text inside.
    Time(String),
}

/// How a step names one of several things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// By id: a number or a GUID.
    Id,
    /// By title.
    Title,
    /// By internal name, or title.
    Name,
    /// By server-relative or site-relative URL.
    Url,
    /// By mail address.
    Mail,
}

/// What stands in the parentheses of a step.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Key {
    /// How it names the thing.
    pub(crate) by: By,
    /// The first argument.
    pub(crate) value: Literal,
}

/// A step of a path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    /// Lower case.
    pub(crate) name: String,
    /// Which one, where it says.
    pub(crate) key: Option<Key>,
    /// All arguments in order, with their names in lower case where they have one.
    pub(crate) arguments: Vec<(String, Literal)>,
}

/// What stands in parentheses.
type Arguments = Vec<(String, Literal)>;

impl Literal {
    /// The text of a literal as a name or id.
    pub(crate) fn to_text(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Text(text) | Self::Time(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Truth(truth) => truth.to_string(),
            Self::Guid(guid) => guid.to_string(),
        }
    }

    /// A whole number from 1, also where it is written as text.
    pub(crate) fn to_number(&self) -> Option<u32> {
        match self {
            Self::Number(number) if number.fract() == 0.0 && *number >= 1.0 && *number <= f64::from(u32::MAX) => {
                Some(*number as u32)
            }
            Self::Text(text) => text.trim().parse().ok().filter(|number| *number > 0),
            Self::Null | Self::Number(_) | Self::Truth(_) | Self::Guid(_) | Self::Time(_) => None,
        }
    }

    /// Reads a literal that takes up all of `text`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some((kind, rest)) = text.split_once('\'') {
            let inside = rest.strip_suffix('\'')?.replace("''", "'");
            return match kind.to_ascii_lowercase().as_str() {
                "" => Some(Self::Text(inside)),
                "guid" => inside.parse().ok().map(Self::Guid),
                "datetime" | "datetimeoffset" => Some(Self::Time(inside)),
                _ => None,
            };
        }
        match text.to_ascii_lowercase().as_str() {
            "null" => Some(Self::Null),
            "true" => Some(Self::Truth(true)),
            "false" => Some(Self::Truth(false)),
            lower => {
                let digits = lower.strip_suffix(['l', 'm', 'd', 'f']).unwrap_or(lower);
                let plain = digits.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'));
                match digits.parse::<f64>() {
                    Ok(number) if plain && number.is_finite() => Some(Self::Number(number)),
                    _ => text.parse().ok().map(Self::Guid),
                }
            }
        }
    }
}

/// Ways to name a thing: after the step `parent`, the step `call` with an argument means `target` with that key. Where
/// `target` is the parent it takes its place.
const FOLDS: &[(&str, &str, &str, By)] = &[
    ("lists", "getbytitle", "lists", By::Title),
    ("lists", "getbyid", "lists", By::Id),
    ("web", "getlist", "lists", By::Url),
    ("web", "getlistusingpath", "lists", By::Url),
    ("web", "getfilebyserverrelativeurl", "files", By::Url),
    ("web", "getfilebyserverrelativepath", "files", By::Url),
    ("web", "getfolderbyserverrelativeurl", "folders", By::Url),
    ("web", "getfolderbyserverrelativepath", "folders", By::Url),
    ("web", "getfilebyid", "files", By::Id),
    ("web", "getfolderbyid", "folders", By::Id),
    ("files", "getbyurl", "files", By::Name),
    ("files", "getbyname", "files", By::Name),
    ("folders", "getbyurl", "folders", By::Name),
    ("folders", "getbyname", "folders", By::Name),
    ("lists", "getitembyid", "items", By::Id),
    ("lists", "getitembystringid", "items", By::Id),
    ("items", "getbyid", "items", By::Id),
    ("items", "getitembyid", "items", By::Id),
    ("attachmentfiles", "getbyfilename", "attachmentfiles", By::Name),
    ("contenttypes", "getbyid", "contenttypes", By::Id),
    ("fields", "getbyinternalnameortitle", "fields", By::Name),
    ("fields", "getbyinternalname", "fields", By::Name),
    ("fields", "getbytitle", "fields", By::Title),
    ("fields", "getbyid", "fields", By::Id),
    ("views", "getbytitle", "views", By::Title),
    ("views", "getbyid", "views", By::Id),
    ("lists", "getview", "views", By::Id),
    ("siteusers", "getbyid", "siteusers", By::Id),
    ("siteusers", "getbyemail", "siteusers", By::Mail),
    ("siteusers", "getbyloginname", "siteusers", By::Name),
    ("web", "getuserbyid", "siteusers", By::Id),
    ("web", "ensureuser", "ensureuser", By::Name),
    ("recyclebin", "getbyid", "recyclebin", By::Id),
    ("roleassignments", "getbyprincipalid", "roleassignments", By::Id),
    ("roledefinitions", "getbyid", "roledefinitions", By::Id),
    ("roledefinitions", "getbyname", "roledefinitions", By::Name),
    ("sitegroups", "getbyid", "sitegroups", By::Id),
    ("sitegroups", "getbyname", "sitegroups", By::Name),
];

/// Reads the path of a request, without its query, as it came. `alias` gives the values of `@name` arguments.
///
/// # Errors
/// Status 400 where the path cannot be read.
pub(crate) fn parse(raw: &str, alias: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Step>, RestError> {
    let decoded = paths::decode(raw);
    if decoded.len() > PATH_BYTES_MAX {
        return Err(RestError::bad_query("The path is too long."));
    }
    let mut steps: Vec<Step> = Vec::new();
    for segment in split(&decoded, '/') {
        let segment = segment.trim();
        if segment.is_empty() {
            continue;
        }
        let (name, arguments) = read_segment(segment, alias)?;
        push(&mut steps, name.to_ascii_lowercase(), arguments);
        if steps.len() > STEPS_MAX {
            return Err(RestError::bad_query("The path has too many steps."));
        }
    }
    // `_api/lists` and `_api/site/rootweb` mean the site as `_api/web` does.
    let root_web = match steps.as_slice() {
        [first, second, ..] if first.name == "site" && second.name == "rootweb" => true,
        [_, ..] | [] => false,
    };
    if root_web {
        steps.remove(0);
        if let Some(first) = steps.first_mut() {
            first.name = "web".to_owned();
        }
    }
    if steps.first().is_some_and(|first| !matches!(first.name.as_str(), "web" | "site" | "contextinfo")) {
        steps.insert(0, Step { name: "web".to_owned(), key: None, arguments: Vec::new() });
        let rest: Vec<Step> = steps.drain(1..).collect();
        for step in rest {
            let own = step.key.map(|key| vec![(String::new(), key.value)]).unwrap_or_default();
            push(&mut steps, step.name, if step.arguments.is_empty() { own } else { step.arguments });
        }
    }
    Ok(steps)
}

fn push(steps: &mut Vec<Step>, name: String, arguments: Arguments) {
    let argument = arguments.first().map(|(_, value)| value.clone());
    if let (Some(value), Some(parent)) = (argument.clone(), steps.last_mut())
        && let Some((_, _, target, by)) =
            FOLDS.iter().find(|(above, call, _, _)| *above == parent.name && *call == name)
    {
        let key = Some(Key { by: *by, value });
        if *target == parent.name && parent.key.is_none() {
            parent.key = key;
        } else {
            steps.push(Step { name: (*target).to_owned(), key, arguments });
        }
        return;
    }
    steps.push(Step { name, key: argument.map(|value| Key { by: By::Id, value }), arguments });
}

/// A segment as its name and arguments.
fn read_segment<'s>(
    segment: &'s str,
    alias: &dyn Fn(&str) -> Option<String>,
) -> Result<(&'s str, Arguments), RestError> {
    let Some((name, rest)) = segment.split_once('(') else { return Ok((segment, Vec::new())) };
    let bad = || RestError::bad_query(format!("The expression \"{segment}\" is not valid."));
    let inside = rest.strip_suffix(')').ok_or_else(bad)?.trim();
    if inside.is_empty() {
        return Ok((name.trim(), Vec::new()));
    }
    let given = split(inside, ',');
    if given.len() > ARGUMENTS_MAX {
        return Err(bad());
    }
    let mut arguments = Vec::with_capacity(given.len());
    for argument in given {
        // `DecodedUrl='…'` and `query=@q` name their parameter.
        let (label, value) = match argument.split_once('=') {
            Some((label, value)) if label.trim().bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                (label.trim().to_ascii_lowercase(), value.trim())
            }
            Some(_) | None => (String::new(), argument.trim()),
        };
        let literal = match value.strip_prefix('@') {
            Some(name) => match alias(name) {
                Some(text) => Literal::parse(&text),
                // Parameters that are given in the body.
                None => return Ok((name_of(segment), Vec::new())),
            },
            None => Literal::parse(value),
        };
        arguments.push((label, literal.ok_or_else(bad)?));
    }
    Ok((name.trim(), arguments))
}

fn name_of(segment: &str) -> &str {
    segment.split('(').next().unwrap_or(segment).trim()
}

/// Splits at `separator` outside quotes. A doubled quote inside quotes closes and opens them again.
pub(crate) fn split(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut quoted) = (0, false);
    for (at, character) in text.char_indices() {
        if character == '\'' {
            quoted = !quoted;
        } else if character == separator && !quoted {
            parts.push(text.get(start..at).unwrap_or_default());
            start = at + separator.len_utf8();
        }
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(raw: &str) -> String {
        let aliases = |name: &str| (name == "u").then(|| "'/Lists/T'".to_owned());
        let Ok(steps) = parse(raw, &aliases) else { return "bad".to_owned() };
        let steps = steps.iter().map(|step| match &step.key {
            None => step.name.clone(),
            Some(key) => format!("{}[{:?} {}]", step.name, key.by, key.value.to_text()),
        });
        steps.collect::<Vec<_>>().join("/")
    }

    #[test]
    fn paths_fold_into_one_form() {
        let guid = "9153fdd3-7c00-47e9-9194-956bb20aaa8d";
        for (raw, expected) in [
            ("web", "web".to_owned()),
            ("Web/Lists/GetByTitle('it''s')/Items(3)", "web/lists[Title it's]/items[Id 3]".to_owned()),
            ("web/lists/getbytitle(%27a%2Fb%20c%27)/items", "web/lists[Title a/b c]/items".to_owned()),
            ("lists('a')/getItemById(7)", "web/lists[Id a]/items[Id 7]".to_owned()),
            (&format!("web/lists(guid'{guid}')"), format!("web/lists[Id {guid}]")),
            (&format!("web/lists('{{{guid}}}')/fields"), format!("web/lists[Id {{{guid}}}]/fields")),
            (&format!("web/Lists/GetById('{guid}')//items/"), format!("web/lists[Id {guid}]/items")),
            ("web/GetList(@u)/items", "web/lists[Url /Lists/T]/items".to_owned()),
            ("GetListUsingPath(DecodedUrl='/x')", "web/lists[Url /x]".to_owned()),
            ("web/lists('T')/items(1)/AttachmentFiles/getByFileName('a')", {
                "web/lists[Id T]/items[Id 1]/attachmentfiles[Name a]".to_owned()
            }),
            ("site/rootweb/title", "web/title".to_owned()),
            ("contextInfo", "contextinfo".to_owned()),
            ("web/lists/getbytitle('T')/getlistitemchangessincetoken(query=@q)", {
                "web/lists[Title T]/getlistitemchangessincetoken".to_owned()
            }),
            ("web/ensureUser('a@b')", "web/ensureuser[Name a@b]".to_owned()),
            ("web/lists/getbytitle('T", "bad".to_owned()),
            ("web/lists/getbytitle(T)", "bad".to_owned()),
            ("web/lists(guid'x')", "bad".to_owned()),
        ] {
            assert_eq!(show(raw), expected, "{raw}");
        }
        assert_eq!(show(&"a/".repeat(40)), "bad");
    }
}
