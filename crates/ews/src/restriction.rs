//! Restrictions and orders: conditions of EWS as those of the domain.
//!
//! It must not know which items there are; whether a condition holds is the domain's business.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::{Comparison, ContainmentMode, Operand, Order, Predicate, PropertyKey, Row, SortKey, Value, limits, tags};
use xml::Node;

use crate::fields::{self, Codec, Source};
use crate::item::{self, ARTICLE_NUMBER};
use crate::path::Path;
use crate::{Failure, Fault, ResponseCode, folder, request};

/// What a condition is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Items that are not associated.
    Items,
    /// Associated items.
    Associated,
    /// Folders.
    Folders,
}

/// Why a condition cannot be read: the request breaks the schema, or asks for what is not to be had.
enum Problem {
    Fault(Fault),
    Failure(Failure),
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<ResponseCode> for Problem {
    fn from(code: ResponseCode) -> Self {
        Self::Failure(code.into())
    }
}

/// A side of a comparison that a path names.
struct Side {
    operand: Operand,
    /// How constants on the other side are read.
    constants: Constants,
    /// The value that stands for a missing one.
    default: Option<Value>,
    /// For a bit of `PidTagMessageFlags`, which.
    bit: Option<u32>,
    /// The name for messages.
    name: String,
}

enum Constants {
    Codec(Codec),
    Extended(Box<crate::path::ExtendedField>),
    Conversation,
}

/// Reads a `Restriction` element. The outer error is a fault, the inner one of the condition.
pub(crate) fn read(node: Node<'_>, subject: Subject) -> Result<Result<Predicate, Failure>, Fault> {
    let mut reader = Reader { subject, nodes: 0 };
    settle(reader.all(node).map(|mut list| match list.len() {
        1 => list.pop().unwrap_or(Predicate::True),
        _ => Predicate::And(list),
    }))
}

/// Reads a `SortOrder` element. The outer error is a fault, the inner one of a path.
pub(crate) fn read_sort(node: Node<'_>) -> Result<Result<Vec<SortKey>, Failure>, Fault> {
    settle(sort_keys(node))
}

fn settle<T>(result: Result<T, Problem>) -> Result<Result<T, Failure>, Fault> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(Problem::Failure(failure)) => Ok(Err(failure)),
        Err(Problem::Fault(fault)) => Err(fault),
    }
}

/// Keys of one order.
const SORT_KEYS_MAX: usize = 32;

fn sort_keys(node: Node<'_>) -> Result<Vec<SortKey>, Problem> {
    const ORDERS: &[(&str, Order)] = &[("Ascending", Order::Ascending), ("Descending", Order::Descending)];
    let mut keys = Vec::new();
    for field_order in node.children() {
        if keys.len() == SORT_KEYS_MAX {
            return Err(ResponseCode::ErrorUnsupportedPathForSortGroup.into());
        }
        let order = request::attribute(field_order, "Order")?;
        let order = request::enumeration(field_order, order, "SortDirectionType", ORDERS)?;
        let path = Path::read(request::only(field_order)?)??;
        keys.push(SortKey { key: sorted_by(&path)?, order });
    }
    Ok(keys)
}

/// The property by which a path sorts and groups items.
///
/// # Errors
/// `ErrorUnsupportedPathForSortGroup` where there is none.
pub(crate) fn sorted_by(path: &Path) -> Result<PropertyKey, Failure> {
    let key = match path {
        Path::Field(uri) => {
            let field = fields::find(uri).filter(|field| field.able.find());
            field.and_then(fields::Field::key)
        }
        Path::Indexed { uri, index } => fields::contact::indexed(uri, index),
        Path::Extended(field) => Some(field.key.clone()),
    };
    key.ok_or_else(|| Failure::field(ResponseCode::ErrorUnsupportedPathForSortGroup, path.name()))
}

struct Reader {
    subject: Subject,
    /// Conditions read so far.
    nodes: usize,
}

impl Reader {
    fn all(&mut self, node: Node<'_>) -> Result<Vec<Predicate>, Problem> {
        request::only(node)?;
        node.children().map(|child| self.condition(child)).collect()
    }

    /// Depth is bounded by that of the document.
    fn condition(&mut self, node: Node<'_>) -> Result<Predicate, Problem> {
        self.nodes += 1;
        if self.nodes > limits::PREDICATE_NODES_MAX {
            return Err(ResponseCode::ErrorRestrictionTooComplex.into());
        }
        Ok(match node.local() {
            "And" => Predicate::And(self.all(node)?),
            "Or" => Predicate::Or(self.all(node)?),
            "Not" => Predicate::Not(Box::new(self.condition(request::only(node)?)?)),
            "Exists" => self.exists(request::only(node)?)?,
            "Contains" => self.contains(node)?,
            "Excludes" => self.excludes(node)?,
            "IsEqualTo" => self.compare(node, Comparison::Equal)?,
            "IsNotEqualTo" => self.compare(node, Comparison::NotEqual)?,
            "IsGreaterThan" => self.compare(node, Comparison::Greater)?,
            "IsGreaterThanOrEqualTo" => self.compare(node, Comparison::GreaterOrEqual)?,
            "IsLessThan" => self.compare(node, Comparison::Less)?,
            "IsLessThanOrEqualTo" => self.compare(node, Comparison::LessOrEqual)?,
            other => return Err(Fault::schema(node, other, "This element is not expected here.").into()),
        })
    }

    fn exists(&self, path: Node<'_>) -> Result<Predicate, Problem> {
        let side = self.side(path)?;
        Ok(match side.operand {
            Operand::Key(_) if side.bit.is_some() || side.default.is_some() => Predicate::True,
            Operand::Key(key) => Predicate::Exists(key),
            Operand::Constant(_) => Predicate::True,
        })
    }

    fn contains(&self, node: Node<'_>) -> Result<Predicate, Problem> {
        const MODES: &[(&str, ContainmentMode)] = &[
            ("FullString", ContainmentMode::Full),
            ("Prefixed", ContainmentMode::Prefixed),
            ("Substring", ContainmentMode::Substring),
            ("PrefixOnWords", ContainmentMode::PrefixOnWords),
            ("ExactPhrase", ContainmentMode::ExactPhrase),
        ];
        // What tells letters apart less strictly than by case is not known; it ignores case at least.
        const COMPARISONS: &[(&str, bool)] = &[
            ("Exact", false),
            ("IgnoreCase", true),
            ("IgnoreNonSpacingCharacters", false),
            ("Loose", true),
            ("IgnoreCaseAndNonSpacingCharacters", true),
            ("LooseAndIgnoreCase", true),
            ("LooseAndIgnoreNonSpace", true),
            ("LooseAndIgnoreCaseAndIgnoreNonSpace", true),
        ];
        let mode = node.attribute("ContainmentMode").unwrap_or("FullString");
        let mode = request::enumeration(node, mode, "ContainmentModeType", MODES)?;
        let comparison = node.attribute("ContainmentComparison").unwrap_or("Exact");
        let ignore_case = request::enumeration(node, comparison, "ContainmentComparisonType", COMPARISONS)?;
        let side = self.side(request::only(node)?)?;
        let text = request::attribute(request::required(node, "Constant")?, "Value")?.to_owned();
        let is_text = match &side.constants {
            Constants::Codec(codec) => matches!(codec, Codec::Text | Codec::Texts),
            Constants::Extended(field) => field.parse("x") == Some(Value::text("x")),
            Constants::Conversation => false,
        };
        match side.operand {
            Operand::Key(key) if is_text => Ok(Predicate::Contains { key, text, mode, ignore_case }),
            Operand::Key(_) | Operand::Constant(_) => {
                Err(Failure::field(ResponseCode::ErrorContainsFilterWrongType, &side.name).into())
            }
        }
    }

    fn excludes(&self, node: Node<'_>) -> Result<Predicate, Problem> {
        let side = self.side(request::only(node)?)?;
        let text = request::attribute(request::required(node, "Bitmask")?, "Value")?.trim();
        let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
        let mask = hexadecimal.map_or_else(|| text.parse().ok(), |digits| u32::from_str_radix(digits, 16).ok());
        match (side.operand, mask) {
            (Operand::Key(key), Some(mask)) if side.bit.is_none() => Ok(Predicate::Excludes { key, mask }),
            _ => Err(Failure::field(ResponseCode::ErrorInvalidExcludesRestriction, &side.name).into()),
        }
    }

    fn compare(&self, node: Node<'_>, how: Comparison) -> Result<Predicate, Problem> {
        let side = self.side(request::only(node)?)?;
        let other = request::only(request::required(node, "FieldURIOrConstant")?)?;
        if other.local() != "Constant" {
            let other = self.side(other)?;
            if side.bit.is_some() || other.bit.is_some() {
                return Err(Failure::field(ResponseCode::ErrorUnsupportedPathForQuery, &side.name).into());
            }
            let (left, right) = (side.operand, other.operand);
            return Ok(Predicate::Compare { left, how, right, ignore_case: true });
        }
        let text = request::attribute(other, "Value")?;
        let value = match &side.constants {
            Constants::Codec(codec) => codec.parse(text),
            Constants::Extended(field) => field.parse(text),
            Constants::Conversation => parse_conversation(text),
        };
        let invalid = || Failure::field(ResponseCode::ErrorInvalidValueForProperty, &side.name);
        let value = value.ok_or_else(invalid)?;
        if let Some(mask) = side.bit {
            let clear = match side.operand {
                Operand::Key(key) => Predicate::Excludes { key, mask },
                Operand::Constant(_) => Predicate::True,
            };
            return Ok(match (how, value.as_bool()) {
                (Comparison::Equal, Some(true)) | (Comparison::NotEqual, Some(false)) => {
                    Predicate::Not(Box::new(clear))
                }
                (Comparison::Equal, Some(false)) | (Comparison::NotEqual, Some(true)) => clear,
                _ => return Err(Failure::field(ResponseCode::ErrorUnsupportedPathForQuery, &side.name).into()),
            });
        }
        let compare = |left: Operand| Predicate::Compare {
            left,
            how,
            right: Operand::Constant(value.clone()),
            ignore_case: true,
        };
        let missing_holds = side.default.is_some_and(|default| compare(Operand::Constant(default)).holds(&Nothing));
        Ok(match side.operand {
            Operand::Key(key) if missing_holds => Predicate::Or(vec![
                compare(Operand::Key(key.clone())),
                Predicate::Not(Box::new(Predicate::Exists(key))),
            ]),
            operand @ (Operand::Key(_) | Operand::Constant(_)) => compare(operand),
        })
    }

    fn side(&self, node: Node<'_>) -> Result<Side, Problem> {
        let path = Path::read(node)??;
        let name = path.name().to_owned();
        let unsupported = || Problem::from(Failure::field(ResponseCode::ErrorUnsupportedPathForQuery, path.name()));
        let plain = |key: PropertyKey, constants: Constants| Side {
            operand: Operand::Key(key),
            constants,
            default: None,
            bit: None,
            name: name.clone(),
        };
        let mut side = match &path {
            Path::Extended(field) => plain(field.key.clone(), Constants::Extended(Box::new(field.clone()))),
            Path::Indexed { uri, index } => {
                let key = fields::contact::indexed(uri, index).ok_or_else(unsupported)?;
                plain(key, Constants::Codec(Codec::Text))
            }
            Path::Field(uri) if self.subject == Subject::Folders => {
                let (key, codec) = folder::condition_key(uri).ok_or_else(unsupported)?;
                plain(key, Constants::Codec(codec))
            }
            Path::Field(uri) => {
                let field = fields::find(uri).filter(|field| field.able.find()).ok_or_else(unsupported)?;
                let key = field.key().ok_or_else(unsupported)?;
                let (constants, default) = constants(field, &key);
                let mut side = plain(key, constants);
                side.default = default;
                if let Source::Bit(mask) = field.source {
                    side.bit = Some(mask.cast_unsigned());
                }
                side
            }
        };
        if side.operand == Operand::Key(item::ASSOCIATED) {
            side.operand = Operand::Constant(Value::Bool(self.subject == Subject::Associated));
        }
        Ok(side)
    }
}

/// How constants for a field are read, and what stands for a missing value.
fn constants(field: &fields::Field, key: &PropertyKey) -> (Constants, Option<Value>) {
    match &field.source {
        Source::Stored(_, codec) => {
            let default = if let Codec::NamesOr([(first, _), ..]) = codec { Some(Value::I32(*first)) } else { None };
            (Constants::Codec(*codec), default)
        }
        Source::Bit(_) => (Constants::Codec(Codec::Bool), None),
        Source::Address(_) | Source::Recipients(_) | Source::Attendees(_) => (Constants::Codec(Codec::Text), None),
        Source::Computed(_) => {
            let truth = [
                tags::READ,
                tags::HAS_ATTACHMENTS,
                tags::READ_RECEIPT_REQUESTED,
                tags::DELIVERY_REPORT_REQUESTED,
                model::lids::ALL_DAY,
                item::ASSOCIATED,
            ];
            let times = [model::lids::START_WHOLE, model::lids::END_WHOLE, model::lids::OWNER_CRITICAL_CHANGE];
            if truth.contains(key) {
                (Constants::Codec(Codec::Bool), Some(Value::Bool(false)))
            } else if times.contains(key) {
                (Constants::Codec(Codec::Time), None)
            } else if *key == tags::FLAG_STATUS {
                (Constants::Codec(fields::flag::STATUSES), Some(Value::I32(0)))
            } else if *key == model::lids::REMINDER_DELTA {
                (Constants::Codec(Codec::Int), None)
            } else if *key == tags::CONVERSATION_ID {
                (Constants::Conversation, None)
            } else {
                (Constants::Codec(Codec::Text), None)
            }
        }
    }
}

/// Bytes of a conversation id, which stand at the end of its wire form.
const CONVERSATION_BYTES: usize = 16;

fn parse_conversation(text: &str) -> Option<Value> {
    let bytes = STANDARD.decode(text.trim()).ok()?;
    let start = bytes.len().checked_sub(CONVERSATION_BYTES)?;
    bytes.get(start..).map(|id| Value::binary(id.to_vec()))
}

/// A row without values.
struct Nothing;

impl Row for Nothing {
    fn value(&self, _: &PropertyKey) -> Option<Value> {
        None
    }
}

/// Whether an order is that of the article number alone: that in which items were born. The domain knows it without
/// reading the items.
pub(crate) fn order_of_birth(sort: &[SortKey]) -> Option<Order> {
    match sort {
        [SortKey { key, order }] if *key == ARTICLE_NUMBER => Some(*order),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use model::{Bag, names};
    use xml::{Document, Limits};

    use super::*;

    struct Sample(Bag);

    impl Row for Sample {
        fn value(&self, key: &PropertyKey) -> Option<Value> {
            self.0.get(key).cloned()
        }
    }

    fn predicate(text: &str) -> Result<Predicate, Failure> {
        let text = format!("<Restriction>{text}</Restriction>");
        let document = Document::parse(text.as_bytes(), &Limits::DEFAULT).unwrap();
        read(document.root(), Subject::Items).unwrap()
    }

    fn equal(path: &str, constant: &str) -> String {
        format!(
            "<IsEqualTo>{path}<FieldURIOrConstant><Constant Value=\"{constant}\"/></FieldURIOrConstant></IsEqualTo>"
        )
    }

    fn field(uri: &str) -> String {
        format!("<FieldURI FieldURI=\"{uri}\"/>")
    }

    #[test]
    fn each_operator_decides() {
        let sample = Sample(
            [
                (tags::SUBJECT, Value::text("Budget Q3")),
                (tags::MESSAGE_FLAGS, Value::I32(8)),
                (tags::MESSAGE_SIZE, Value::I32(100)),
                (tags::MESSAGE_DELIVERY_TIME, Value::Time("2024-01-01T00:00:00Z".parse().unwrap())),
                (names::KEYWORDS, Value::Texts(vec!["red".into(), "blue".into()])),
                (tags::READ, Value::Bool(true)),
            ]
            .into_iter()
            .collect(),
        );
        let size = |operator: &str, constant: &str| equal(&field("item:Size"), constant).replace("IsEqualTo", operator);
        let contains = |uri: &str, mode: &str, comparison: &str, text: &str| {
            format!(
                "<Contains ContainmentMode=\"{mode}\" ContainmentComparison=\"{comparison}\">{}<Constant Value=\"{text}\"/></Contains>",
                field(uri)
            )
        };
        for (text, holds) in [
            (equal(&field("item:Subject"), "budget q3"), true),
            (equal(&field("message:IsRead"), "true"), true),
            (equal(&field("item:IsDraft"), "true"), true),
            (equal(&field("item:IsDraft"), "0"), false),
            (equal(&field("item:IsFromMe"), "true"), false),
            (equal(&field("item:IsAssociated"), "false"), true),
            (equal(&field("item:Importance"), "Normal"), true),
            (equal(&field("item:Importance"), "High"), false),
            (equal(&field("item:HasAttachments"), "false"), true),
            (equal(&field("item:Categories"), "blue"), true),
            (equal("<ExtendedFieldURI PropertyTag=\"3592\" PropertyType=\"Integer\"/>", "100"), true),
            (size("IsGreaterThan", "100"), false),
            (size("IsGreaterThanOrEqualTo", "100"), true),
            (size("IsLessThan", "101"), true),
            (size("IsLessThanOrEqualTo", "99"), false),
            (size("IsNotEqualTo", "99"), true),
            (
                equal(&field("item:DateTimeReceived"), "x")
                    .replace("IsEqualTo", "IsLessThan")
                    .replace("\"x\"", "\"2024-02-01\""),
                true,
            ),
            (contains("item:Subject", "Substring", "Exact", "get"), true),
            (contains("item:Subject", "Prefixed", "Exact", "bud"), false),
            (contains("item:Subject", "Prefixed", "IgnoreCase", "bud"), true),
            (contains("item:Subject", "FullString", "Loose", "budget"), false),
            (format!("<Exists>{}</Exists>", field("item:Subject")), true),
            (format!("<Not><Exists>{}</Exists></Not>", field("item:InReplyTo")), true),
            (format!("<Excludes>{}<Bitmask Value=\"0x64\"/></Excludes>", field("item:Size")), false),
            (format!("<Excludes>{}<Bitmask Value=\"3\"/></Excludes>", field("item:Size")), true),
            (format!("<And>{}{}</And>", equal(&field("item:IsDraft"), "1"), size("IsEqualTo", "1")), false),
            (format!("<Or>{}{}</Or>", equal(&field("item:IsDraft"), "1"), size("IsEqualTo", "1")), true),
        ] {
            assert_eq!(predicate(&text).unwrap().holds(&sample), holds, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_asked_is_refused() {
        use ResponseCode as Code;
        for (text, code) in [
            (equal(&field("item:Body"), "x"), Code::ErrorUnsupportedPathForQuery),
            (equal(&field("item:Size"), "x"), Code::ErrorInvalidValueForProperty),
            (
                format!("<Contains>{}<Constant Value=\"1\"/></Contains>", field("item:Size")),
                Code::ErrorContainsFilterWrongType,
            ),
            (
                format!("<Excludes>{}<Bitmask Value=\"x\"/></Excludes>", field("item:Size")),
                Code::ErrorInvalidExcludesRestriction,
            ),
            (format!("<And>{}</And>", equal(&field("item:Size"), "1").repeat(1_001)), Code::ErrorRestrictionTooComplex),
        ] {
            assert_eq!(predicate(&text).unwrap_err().code, code);
        }
    }
}
