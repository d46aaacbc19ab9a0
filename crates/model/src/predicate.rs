//! Conditions and orders over items: what EWS restrictions and CAML queries become.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a value has many types; each function takes the few that concern it"
)]

use std::cmp::Ordering;

use crate::{PropertyKey, Value};

/// Something that has values by key: an item as queries see it.
pub trait Row {
    /// The value under `key`, if there is one.
    fn value(&self, key: &PropertyKey) -> Option<Value>;
}

/// A side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// The row's value.
    Key(PropertyKey),
    /// A constant.
    Constant(Value),
}

/// How two values are compared. A comparison with a missing value is false, [`Self::NotEqual`] included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// =
    Equal,
    /// ≠
    NotEqual,
    /// <
    Less,
    /// ≤
    LessOrEqual,
    /// >
    Greater,
    /// ≥
    GreaterOrEqual,
}

/// Where a text must lie for `Contains` (EWS ContainmentMode).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainmentMode {
    /// Equal as a whole.
    Full,
    /// At the start.
    Prefixed,
    /// Anywhere.
    Substring,
    /// At the start of a word.
    PrefixOnWords,
    /// A whole word or phrase.
    ExactPhrase,
}

/// A condition. Depth and size are bounded by whoever builds it ([`crate::limits::PREDICATE_NODES_MAX`]).
#[derive(Clone, Debug, PartialEq)]
pub enum Predicate {
    /// Always.
    True,
    /// All hold; true when empty.
    And(Vec<Predicate>),
    /// One holds; false when empty.
    Or(Vec<Predicate>),
    /// It does not hold.
    Not(Box<Predicate>),
    /// There is a value, and it is not an empty text.
    Exists(PropertyKey),
    /// Two values compare. Texts compare without case when `ignore_case`. A multiple value holds if one of its members
    /// does.
    Compare {
        /// Left side.
        left: Operand,
        /// How.
        how: Comparison,
        /// Right side.
        right: Operand,
        /// Whether letters of either case are equal.
        ignore_case: bool,
    },
    /// The text (or one text of several) contains `text`.
    Contains {
        /// Whose text.
        key: PropertyKey,
        /// What is looked for.
        text: String,
        /// Where.
        mode: ContainmentMode,
        /// Whether letters of either case are equal.
        ignore_case: bool,
    },
    /// A number with one of the bits of `mask` clear: EWS `Excludes` is "none of the bits is set".
    Excludes {
        /// Whose number.
        key: PropertyKey,
        /// The bits.
        mask: u32,
    },
}

/// Up or down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Smallest first; missing values first.
    Ascending,
    /// Largest first; missing values last.
    Descending,
}

/// One key of an order.
#[derive(Clone, Debug, PartialEq)]
pub struct SortKey {
    /// By this value.
    pub key: PropertyKey,
    /// In this direction.
    pub order: Order,
}

impl Predicate {
    /// Whether `row` satisfies the condition.
    pub fn holds(&self, row: &dyn Row) -> bool {
        match self {
            Self::True => true,
            Self::And(all) => all.iter().all(|one| one.holds(row)),
            Self::Or(any) => any.iter().any(|one| one.holds(row)),
            Self::Not(one) => !one.holds(row),
            Self::Exists(key) => row.value(key).is_some_and(|value| value.as_text() != Some("")),
            Self::Compare { left, how, right, ignore_case } => {
                let resolve = |operand: &Operand| match operand {
                    Operand::Key(key) => row.value(key),
                    Operand::Constant(value) => Some(value.clone()),
                };
                match (resolve(left), resolve(right)) {
                    (Some(left), Some(right)) => members(&left).iter().any(|left| {
                        members(&right)
                            .iter()
                            .any(|right| compare(left, right, *ignore_case).is_some_and(|order| how.accepts(order)))
                    }),
                    (None, _) | (_, None) => false,
                }
            }
            Self::Contains { key, text, mode, ignore_case } => row.value(key).is_some_and(|value| {
                members(&value).iter().filter_map(Value::as_text).any(|have| mode.matches(have, text, *ignore_case))
            }),
            Self::Excludes { key, mask } => {
                row.value(key).and_then(|value| value.as_i64()).is_none_or(|bits| bits & i64::from(*mask) == 0)
            }
        }
    }

    /// How many conditions this holds, itself included.
    pub fn size(&self) -> usize {
        match self {
            Self::And(list) | Self::Or(list) => 1 + list.iter().map(Self::size).sum::<usize>(),
            Self::Not(one) => 1 + one.size(),
            Self::True | Self::Exists(_) | Self::Compare { .. } | Self::Contains { .. } | Self::Excludes { .. } => 1,
        }
    }
}

impl Comparison {
    const fn accepts(self, order: Ordering) -> bool {
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

impl ContainmentMode {
    fn matches(self, have: &str, want: &str, ignore_case: bool) -> bool {
        let fold = |text: &str| if ignore_case { text.to_lowercase() } else { text.to_owned() };
        let (have, want) = (fold(have), fold(want));
        let starts_word =
            |at: usize| !have.get(..at).and_then(|s| s.chars().next_back()).is_some_and(char::is_alphanumeric);
        let ends_word = |at: usize| !have.get(at..).and_then(|s| s.chars().next()).is_some_and(char::is_alphanumeric);
        match self {
            Self::Full => have == want,
            Self::Prefixed => have.starts_with(&want),
            Self::Substring => have.contains(&want),
            Self::PrefixOnWords => have.match_indices(&want).any(|(at, _)| starts_word(at)),
            Self::ExactPhrase => {
                have.match_indices(&want).any(|(at, hit)| starts_word(at) && ends_word(at + hit.len()))
            }
        }
    }
}

/// The members of a multiple value, or the value alone.
fn members(value: &Value) -> Vec<Value> {
    match value {
        Value::Texts(list) => list.iter().map(|one| Value::Text(one.clone())).collect(),
        Value::I32s(list) => list.iter().map(|one| Value::I32(*one)).collect(),
        Value::I64s(list) => list.iter().map(|one| Value::I64(*one)).collect(),
        Value::Binaries(list) => list.iter().map(|one| Value::Binary(one.clone())).collect(),
        Value::Times(list) => list.iter().map(|one| Value::Time(*one)).collect(),
        Value::Guids(list) => list.iter().map(|one| Value::Guid(*one)).collect(),
        single => vec![single.clone()],
    }
}

/// Orders two values: numbers of any width with each other, texts, times, truths, GUIDs and binaries among themselves.
/// `None` when they cannot be compared.
pub(crate) fn compare(left: &Value, right: &Value, ignore_case: bool) -> Option<Ordering> {
    if let (Some(left), Some(right)) = (left.as_i64(), right.as_i64()) {
        return Some(left.cmp(&right));
    }
    if let (Some(left), Some(right)) = (float(left), float(right)) {
        return left.partial_cmp(&right);
    }
    match (left, right) {
        (Value::Text(left), Value::Text(right)) if ignore_case => Some(left.to_lowercase().cmp(&right.to_lowercase())),
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        (Value::Time(left), Value::Time(right)) => Some(left.cmp(right)),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        (Value::Guid(left), Value::Guid(right)) => Some(left.cmp(right)),
        (Value::Binary(left), Value::Binary(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

fn float(value: &Value) -> Option<f64> {
    match value {
        Value::F64(n) | Value::FloatTime(n) => Some(*n),
        Value::F32(n) => Some(f64::from(*n)),
        Value::Currency(n) => Some(*n as f64 / 10_000.0),
        other => other.as_i64().map(|n| n as f64),
    }
}

impl SortKey {
    /// Orders two rows by a list of keys; texts without case.
    pub fn order(keys: &[Self], left: &dyn Row, right: &dyn Row) -> Ordering {
        for sort in keys {
            let order = match (left.value(&sort.key), right.value(&sort.key)) {
                (None, None) => Ordering::Equal,
                (None, Some(_)) => Ordering::Less,
                (Some(_), None) => Ordering::Greater,
                (Some(left), Some(right)) => compare(&left, &right, true).unwrap_or(Ordering::Equal),
            };
            let order = if sort.order == Order::Descending { order.reverse() } else { order };
            if order.is_ne() {
                return order;
            }
        }
        Ordering::Equal
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bag, tags};

    struct Test(Bag);

    impl Row for Test {
        fn value(&self, key: &PropertyKey) -> Option<Value> {
            self.0.get(key).cloned()
        }
    }

    #[test]
    fn conditions() {
        let mut bag = Bag::default();
        bag.set(tags::SUBJECT, Value::text("Budget Q3"));
        bag.set(tags::IMPORTANCE, Value::I32(2));
        let row = Test(bag);
        let contains =
            |text: &str, mode| Predicate::Contains { key: tags::SUBJECT, text: text.into(), mode, ignore_case: true };
        assert!(contains("q3", ContainmentMode::PrefixOnWords).holds(&row));
        assert!(!contains("get", ContainmentMode::PrefixOnWords).holds(&row));
        assert!(contains("get", ContainmentMode::Substring).holds(&row));
        assert!(!contains("budge", ContainmentMode::ExactPhrase).holds(&row));
        let missing = Predicate::Compare {
            left: Operand::Key(tags::SENSITIVITY),
            how: Comparison::NotEqual,
            right: Operand::Constant(Value::I32(1)),
            ignore_case: false,
        };
        assert!(!missing.holds(&row));
        let wide = Predicate::Compare {
            left: Operand::Key(tags::IMPORTANCE),
            how: Comparison::Greater,
            right: Operand::Constant(Value::I64(1)),
            ignore_case: false,
        };
        assert!(Predicate::And(vec![wide, Predicate::Not(Box::new(missing))]).holds(&row));
    }
}
