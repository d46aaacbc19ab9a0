//! `$filter`: conditions of OData, over entities in memory or as CAML over the rows of a list. \[MS-ODATA 2.2.3.6.1.4\]

use std::cmp::Ordering;

use model::{Time, limits};
use serde_json::Value as Json;
use xml::Writer;

use super::{error::RestError, item_json, path::Literal};
use crate::schema::List;

/// Conditions inside one another.
const DEPTH_MAX: usize = 32;

/// How a property compares with a literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Where a text lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Start,
    Anywhere,
}

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Filter {
    /// All hold.
    And(Vec<Self>),
    /// One holds.
    Or(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// A property against a literal.
    Compare {
        /// The property, with slashes.
        property: String,
        /// How.
        comparison: Comparison,
        /// Against what.
        literal: Literal,
    },
    /// A text in a property.
    Text {
        /// The property.
        property: String,
        /// Where.
        place: Place,
        /// The text.
        text: String,
    },
}

impl Filter {
    /// Reads a condition.
    ///
    /// # Errors
    /// Status 400 for what is not a condition, or not one that can be answered.
    pub(crate) fn parse(text: &str) -> Result<Self, RestError> {
        let tokens = tokens(text).ok_or_else(|| bad(text))?;
        let mut reader = Reader { tokens: &tokens, text, budget: limits::PREDICATE_NODES_MAX };
        let filter = reader.or(0)?;
        if reader.tokens.is_empty() { Ok(filter) } else { Err(bad(text)) }
    }

    /// The condition as the inside of a CAML `Query`.
    ///
    /// # Errors
    /// Status 400 for a property that the list has not, and for what CAML cannot say.
    pub(crate) fn to_caml(&self, list: &List) -> Result<String, RestError> {
        let mut writer = Writer::new();
        writer.start("Where");
        self.write_caml(&mut writer, list, false)?;
        writer.end();
        String::from_utf8(writer.into_bytes()).map_err(|_| RestError::bad_query("The filter is not valid."))
    }

    fn write_caml(&self, writer: &mut Writer, list: &List, negated: bool) -> Result<(), RestError> {
        match self {
            Self::And(parts) | Self::Or(parts) => {
                let and = matches!(self, Self::And(_)) != negated;
                writer.start(if and { "And" } else { "Or" });
                for part in parts {
                    part.write_caml(writer, list, negated)?;
                }
                writer.end();
            }
            Self::Not(inner) => inner.write_caml(writer, list, !negated)?,
            Self::Text { .. } if negated => {
                return Err(RestError::bad_query("The filter cannot negate a function."));
            }
            Self::Text { property, place, text } => {
                let target = item_json::filter_target(list, property)?;
                writer.start(match place {
                    Place::Start => "BeginsWith",
                    Place::Anywhere => "Contains",
                });
                target.write_reference(writer);
                write_value(writer, "Text", text);
                writer.end();
            }
            Self::Compare { property, comparison, literal } => {
                let target = item_json::filter_target(list, property)?;
                let comparison = if negated { comparison.negated() } else { *comparison };
                if *literal == Literal::Null {
                    writer.start(match comparison {
                        Comparison::Equal => "IsNull",
                        Comparison::NotEqual => "IsNotNull",
                        Comparison::Less
                        | Comparison::LessOrEqual
                        | Comparison::Greater
                        | Comparison::GreaterOrEqual => {
                            return Err(RestError::bad_query("The filter orders a property against null."));
                        }
                    });
                    target.write_reference(writer);
                    writer.end();
                    return Ok(());
                }
                writer.start(comparison.caml());
                target.write_reference(writer);
                let kind = match literal {
                    Literal::Time(_) => "DateTime",
                    Literal::Number(_) if target.is_id() => "Integer",
                    Literal::Number(_) => "Number",
                    Literal::Truth(_) => "Boolean",
                    Literal::Guid(_) => "Guid",
                    Literal::Text(_) | Literal::Null => "Text",
                };
                let text = match literal {
                    Literal::Truth(truth) => u8::from(*truth).to_string(),
                    Literal::Null | Literal::Text(_) | Literal::Number(_) | Literal::Guid(_) | Literal::Time(_) => {
                        literal.to_text()
                    }
                };
                write_value(writer, kind, &text);
                writer.end();
            }
        }
        Ok(())
    }

    /// Whether an entity satisfies the condition; `property` gives its values.
    pub(crate) fn holds<'j>(&self, property: &dyn Fn(&str) -> Option<&'j Json>) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.holds(property)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(property)),
            Self::Not(inner) => !inner.holds(property),
            Self::Text { property: name, place, text } => {
                let Some(Json::String(value)) = property(name) else { return false };
                let (value, text) = (value.to_lowercase(), text.to_lowercase());
                match place {
                    Place::Start => value.starts_with(&text),
                    Place::Anywhere => value.contains(&text),
                }
            }
            Self::Compare { property: name, comparison, literal } => {
                let value = property(name).unwrap_or(&Json::Null);
                comparison.accepts(compare(value, literal))
            }
        }
    }
}

impl Comparison {
    fn parse(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "eq" => Self::Equal,
            "ne" => Self::NotEqual,
            "lt" => Self::Less,
            "le" => Self::LessOrEqual,
            "gt" => Self::Greater,
            "ge" => Self::GreaterOrEqual,
            _ => return None,
        })
    }

    const fn negated(self) -> Self {
        match self {
            Self::Equal => Self::NotEqual,
            Self::NotEqual => Self::Equal,
            Self::Less => Self::GreaterOrEqual,
            Self::LessOrEqual => Self::Greater,
            Self::Greater => Self::LessOrEqual,
            Self::GreaterOrEqual => Self::Less,
        }
    }

    /// With the sides changed.
    const fn flipped(self) -> Self {
        match self {
            Self::Equal => Self::Equal,
            Self::NotEqual => Self::NotEqual,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }

    const fn caml(self) -> &'static str {
        match self {
            Self::Equal => "Eq",
            Self::NotEqual => "Neq",
            Self::Less => "Lt",
            Self::LessOrEqual => "Leq",
            Self::Greater => "Gt",
            Self::GreaterOrEqual => "Geq",
        }
    }

    fn accepts(self, order: Option<Ordering>) -> bool {
        let Some(order) = order else { return self == Self::NotEqual };
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

fn write_value(writer: &mut Writer, kind: &str, text: &str) {
    writer.start("Value");
    writer.attribute("Type", kind);
    if kind == "DateTime" {
        writer.attribute("IncludeTimeValue", "TRUE");
    }
    writer.text(text);
    writer.end();
}

/// The order of a value of an entity and a literal. `None` where they do not compare.
fn compare(value: &Json, literal: &Literal) -> Option<Ordering> {
    match (value, literal) {
        (Json::Null, Literal::Null) => Some(Ordering::Equal),
        (Json::Bool(value), Literal::Truth(truth)) => Some(value.cmp(truth)),
        (Json::Bool(value), Literal::Number(number)) => f64::from(u8::from(*value)).partial_cmp(number),
        (Json::Number(value), Literal::Number(number)) => value.as_f64()?.partial_cmp(number),
        (Json::String(value), Literal::Time(time)) => {
            Some(value.parse::<Time>().ok()?.cmp(&time.parse::<Time>().ok()?))
        }
        (Json::String(value), Literal::Guid(guid)) => Some(value.parse::<model::Guid>().ok()?.cmp(guid)),
        (Json::String(value), Literal::Text(text)) => Some(value.to_lowercase().cmp(&text.to_lowercase())),
        _ => None,
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token<'t> {
    Open,
    Close,
    Comma,
    /// A name, an operator or a number.
    Word(&'t str),
    /// A literal in quotes, with what stands before the quotes.
    Quoted(&'t str),
}

fn tokens(text: &str) -> Option<Vec<Token<'_>>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            ',' => (Token::Comma, 1),
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | ',' | '\''));
                let end = end.unwrap_or(rest.len());
                if rest.get(end..)?.starts_with('\'') {
                    let length = quoted(rest.get(end..)?)? + end;
                    (Token::Quoted(rest.get(..length)?), length)
                } else {
                    (Token::Word(rest.get(..end)?), end)
                }
            }
        };
        tokens.push(token);
        rest = rest.get(length..)?.trim_start();
    }
    Some(tokens)
}

/// Bytes of the quoted text at the start of `text`, both quotes counted.
fn quoted(text: &str) -> Option<usize> {
    let mut inside = false;
    let mut bytes = text.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        if byte != b'\'' {
            continue;
        }
        if !inside {
            inside = true;
        } else if bytes.peek().is_some_and(|(_, next)| *next == b'\'') {
            bytes.next();
        } else {
            return Some(at + 1);
        }
    }
    None
}

fn bad(text: &str) -> RestError {
    let excerpt: String = text.chars().take(200).collect();
    RestError::bad_query(format!("The expression \"{excerpt}\" is not valid."))
}

struct Reader<'t> {
    tokens: &'t [Token<'t>],
    text: &'t str,
    budget: usize,
}

impl<'t> Reader<'t> {
    fn or(&mut self, depth: usize) -> Result<Filter, RestError> {
        let mut parts = vec![self.and(depth)?];
        while self.keyword("or") {
            parts.push(self.and(depth)?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Filter::Or(parts) })
    }

    fn and(&mut self, depth: usize) -> Result<Filter, RestError> {
        let mut parts = vec![self.unary(depth)?];
        while self.keyword("and") {
            parts.push(self.unary(depth)?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Filter::And(parts) })
    }

    fn unary(&mut self, depth: usize) -> Result<Filter, RestError> {
        self.budget = self.budget.checked_sub(1).ok_or_else(|| RestError::bad_query("The filter is too long."))?;
        if depth > DEPTH_MAX {
            return Err(RestError::bad_query("The filter is nested too deeply."));
        }
        if self.keyword("not") {
            return Ok(Filter::Not(Box::new(self.unary(depth + 1)?)));
        }
        if self.take(&Token::Open) {
            let inner = self.or(depth + 1)?;
            self.expect(&Token::Close)?;
            return Ok(inner);
        }
        match self.tokens {
            [Token::Word(name), Token::Open, ..] => {
                self.skip(2);
                let call = self.call(name)?;
                Ok(match self.truth()? {
                    Some(false) => Filter::Not(Box::new(call)),
                    Some(true) | None => call,
                })
            }
            [Token::Word(property), Token::Word(operator), right, ..] if is_property(property) => {
                let comparison = Comparison::parse(operator).ok_or_else(|| bad(self.text))?;
                let literal = literal_of(right).ok_or_else(|| bad(self.text))?;
                self.skip(3);
                Ok(Filter::Compare { property: (*property).to_owned(), comparison, literal })
            }
            [left, Token::Word(operator), Token::Word(property), ..] if is_property(property) => {
                let comparison = Comparison::parse(operator).ok_or_else(|| bad(self.text))?.flipped();
                let literal = literal_of(left).ok_or_else(|| bad(self.text))?;
                self.skip(3);
                Ok(Filter::Compare { property: (*property).to_owned(), comparison, literal })
            }
            _ => Err(bad(self.text)),
        }
    }

    fn call(&mut self, name: &str) -> Result<Filter, RestError> {
        let [first, Token::Comma, second, Token::Close, ..] = self.tokens else { return Err(bad(self.text)) };
        let (place, property, text) = match name.to_ascii_lowercase().as_str() {
            "startswith" => (Place::Start, first, second),
            "substringof" => (Place::Anywhere, second, first),
            "contains" => (Place::Anywhere, first, second),
            _ => return Err(RestError::bad_query(format!("The function '{name}' is not supported in a filter."))),
        };
        let (Token::Word(property), Some(Literal::Text(text))) = (property, literal_of(text)) else {
            return Err(bad(self.text));
        };
        let filter = Filter::Text { property: (*property).to_owned(), place, text };
        self.skip(4);
        Ok(filter)
    }

    /// `eq true` behind a function.
    fn truth(&mut self) -> Result<Option<bool>, RestError> {
        let [Token::Word(operator), right, ..] = self.tokens else { return Ok(None) };
        let Some(comparison) = Comparison::parse(operator) else { return Ok(None) };
        let Some(Literal::Truth(truth)) = literal_of(right) else { return Err(bad(self.text)) };
        self.skip(2);
        match comparison {
            Comparison::Equal => Ok(Some(truth)),
            Comparison::NotEqual => Ok(Some(!truth)),
            Comparison::Less | Comparison::LessOrEqual | Comparison::Greater | Comparison::GreaterOrEqual => {
                Err(bad(self.text))
            }
        }
    }

    fn keyword(&mut self, word: &str) -> bool {
        let found = matches!(self.tokens.first(), Some(Token::Word(own)) if own.eq_ignore_ascii_case(word));
        if found {
            self.skip(1);
        }
        found
    }

    fn take(&mut self, token: &Token<'_>) -> bool {
        let found = self.tokens.first() == Some(token);
        if found {
            self.skip(1);
        }
        found
    }

    fn expect(&mut self, token: &Token<'_>) -> Result<(), RestError> {
        if self.take(token) { Ok(()) } else { Err(bad(self.text)) }
    }

    fn skip(&mut self, count: usize) {
        self.tokens = self.tokens.get(count..).unwrap_or_default();
    }
}

fn is_property(word: &str) -> bool {
    literal_of(&Token::Word(word)).is_none()
        && word.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '/' | '.'))
}

fn literal_of(token: &Token<'_>) -> Option<Literal> {
    match token {
        Token::Word(text) | Token::Quoted(text) => Literal::parse(text),
        Token::Open | Token::Close | Token::Comma => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_are_filtered() {
        let entity = serde_json::json!({
            "Title": "It's", "Count": 3, "Hidden": false, "Nothing": null, "At": "2020-01-02T03:04:05Z",
        });
        for (text, expected) in [
            ("Title eq 'it''s'", true),
            ("Title ne 'x' and Count gt 2", true),
            ("(Count lt 3) or Hidden eq false", true),
            ("not (Count eq 3)", false),
            ("3 le Count", true),
            ("4 le Count", false),
            ("startswith(Title,'it') eq true", true),
            ("substringof('T''S',Title)", true),
            ("substringof('zz',Title) eq false", true),
            ("Nothing eq null", true),
            ("Title ne null", true),
            ("At ge datetime'2020-01-02T00:00:00Z'", true),
            ("At lt datetime'2020-01-02T00:00:00Z'", false),
            ("Count eq 3 and (Title eq 'a' or Title eq 'b,(c)' or Title eq 'It''s')", true),
        ] {
            let filter = Filter::parse(text).unwrap();
            assert_eq!(filter.holds(&|name| entity.get(name)), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_filter() {
        for text in [
            "",
            "a",
            "a eq",
            "a eq b",
            "(a eq 1",
            "a eq 1)",
            "a eq 'x",
            "a like 'x'",
            "day(a) eq 1",
            "not",
            "1 eq 1",
            "startswith(a)",
            "startswith('a','b')",
            "a eq 1 b eq 2",
            "a eq 1 and",
        ] {
            assert!(Filter::parse(text).is_err(), "{text}");
        }
        assert!(Filter::parse(&format!("{}a eq 1{}", "(".repeat(50), ")".repeat(50))).is_err());
        assert!(Filter::parse(&"not ".repeat(100_000)).is_err());
    }
}
