//! Which stretches of the indexes of a list hold all rows that may satisfy a condition.
//!
//! A stretch is never too narrow: what lies in it is judged by the condition itself, and where a condition cannot be
//! said in keys there is no stretch. Values may have been stored when their field was of another type, so each condition
//! is said once for numbers and times, once for texts, and values without an order always belong to it.

use bytes::Bytes;
use engine::{
    ListIndex, key_is_exact, key_of_nothing, key_of_number, key_of_other, key_of_text, key_of_time, keys_of_numbers,
    keys_of_texts,
};
use store::KeyRange;

use super::{
    CamlValue, Condition, FieldRef, How, Moment, Operand,
    eval::{Wanted, midnight, text_holds, wanted_lookup, wanted_number, wanted_time},
};
use crate::{fields::Field, schema::List};

/// Ways to the rows that are weighed against each other.
const ACCESSES_MAX: usize = 6;
/// Stretches of one way.
const STRETCHES_MAX: usize = 2_000;
/// Names of a lookup that a condition may choose.
const LOOKUP_IDS_MAX: usize = 500;

/// Keys of an index, from the first to before the last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stretch {
    from: Bytes,
    to: Bytes,
}

/// A way to all rows that may satisfy a condition: those in any of these stretches.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Access {
    /// By number of the index; those of one index ascending and apart from each other.
    pub(crate) stretches: Vec<(u32, Vec<Stretch>)>,
}

/// What comes right behind a key.
fn behind(key: &Bytes) -> Bytes {
    let mut next = key.to_vec();
    next.push(0);
    next.into()
}

impl Stretch {
    fn point(key: Bytes) -> Self {
        Self { to: behind(&key), from: key }
    }

    fn between((from, to): (Bytes, Bytes)) -> Self {
        Self { from, to }
    }

    /// All keys of an index.
    pub(crate) fn all() -> Self {
        Self { from: Bytes::new(), to: behind(&key_of_other()) }
    }

    /// As the store reads it.
    pub(crate) fn range(&self) -> KeyRange {
        use std::ops::Bound;
        match self.as_point() {
            Some(key) => KeyRange::point(key.clone()),
            None => KeyRange { from: Bound::Included(self.from.clone()), to: Bound::Excluded(self.to.clone()) },
        }
    }

    /// The key, where there is one only.
    pub(crate) fn as_point(&self) -> Option<&Bytes> {
        (behind(&self.from) == self.to).then_some(&self.from)
    }
}

impl Access {
    /// The index, where all of it is in one.
    pub(crate) fn index(&self) -> Option<(u32, &[Stretch])> {
        match self.stretches.as_slice() {
            [(index, stretches)] => Some((*index, stretches)),
            _ => None,
        }
    }

    /// As the store reads it: by number of the index.
    pub(crate) fn ranges(&self) -> Vec<(u32, KeyRange)> {
        let all = self.stretches.iter();
        all.flat_map(|(index, all)| all.iter().map(move |stretch| (*index, stretch.range()))).collect()
    }

    /// Whether each stretch is one key.
    pub(crate) fn is_points(&self) -> bool {
        self.stretches.iter().flat_map(|(_, stretches)| stretches).all(|stretch| stretch.as_point().is_some())
    }

    /// How many stretches it has.
    pub(crate) fn len(&self) -> usize {
        self.stretches.iter().map(|(_, stretches)| stretches.len()).sum()
    }

    fn of(index: u32, stretches: Vec<Stretch>) -> Self {
        Self { stretches: vec![(index, united(stretches))] }
    }

    fn unite(&mut self, other: Self) {
        for (index, stretches) in other.stretches {
            match self.stretches.iter_mut().find(|(own, _)| *own == index) {
                Some((_, own)) => {
                    own.extend(stretches);
                    *own = united(std::mem::take(own));
                }
                None => self.stretches.push((index, stretches)),
            }
        }
    }
}

/// Stretches in order, with those that touch made one. Points that stand beside each other stay points.
fn united(mut stretches: Vec<Stretch>) -> Vec<Stretch> {
    stretches.retain(|stretch| stretch.from < stretch.to);
    stretches.sort_unstable();
    let mut out: Vec<Stretch> = Vec::with_capacity(stretches.len());
    for stretch in stretches {
        match out.last_mut() {
            Some(last) if stretch.from < last.to => {
                if last.to < stretch.to {
                    last.to = stretch.to;
                }
            }
            Some(_) | None => out.push(stretch),
        }
    }
    out
}

/// What two sets of stretches have in common.
fn common(left: &[Stretch], right: &[Stretch]) -> Vec<Stretch> {
    let pairs = left.iter().flat_map(|left| right.iter().map(move |right| (left, right)));
    let both = pairs.map(|(left, right)| Stretch {
        from: left.from.clone().max(right.from.clone()),
        to: left.to.clone().min(right.to.clone()),
    });
    united(both.collect())
}

/// The ways to the rows that may satisfy a condition; none where only a look at every row tells.
pub(crate) fn accesses(condition: &Condition, list: &List, indexes: &[ListIndex], moment: &Moment<'_>) -> Vec<Access> {
    let planner = Planner { list, indexes, moment };
    let mut found = planner.accesses(condition);
    found.retain(|access| access.len() <= STRETCHES_MAX);
    found.truncate(ACCESSES_MAX);
    found
}

struct Planner<'a> {
    list: &'a List,
    indexes: &'a [ListIndex],
    moment: &'a Moment<'a>,
}

impl Planner<'_> {
    fn accesses(&self, condition: &Condition) -> Vec<Access> {
        match condition {
            Condition::And(parts) => {
                let mut ways: Vec<Access> = Vec::new();
                for way in parts.iter().flat_map(|part| self.accesses(part)) {
                    // Two conditions on one field, as those of a time that lies between two others, are one.
                    let same = ways.iter_mut().find_map(|own| match (own.stretches.as_mut_slice(), way.index()) {
                        ([(index, own)], Some((other, stretches))) if *index == other => Some((own, stretches)),
                        _ => None,
                    });
                    match same {
                        Some((own, stretches)) if own.len().saturating_mul(stretches.len()) <= STRETCHES_MAX => {
                            *own = common(own, stretches);
                        }
                        Some(_) | None => ways.push(way),
                    }
                }
                // Those of single keys first.
                ways.sort_by_key(|way| (!way.is_points(), way.len()));
                ways
            }
            Condition::Or(parts) => {
                let mut whole = Access::default();
                for part in parts {
                    let Some(way) = self.accesses(part).into_iter().next() else { return Vec::new() };
                    whole.unite(way);
                    if whole.len() > STRETCHES_MAX {
                        return Vec::new();
                    }
                }
                if parts.is_empty() { Vec::new() } else { vec![whole] }
            }
            Condition::Compare { field, how, value } => {
                self.one(field, |field, name| self.stretches(field, name, *how, value)).into_iter().collect()
            }
            Condition::In { field, values } => {
                let all = |field: &Field, name: &FieldRef| {
                    let mut all = Vec::new();
                    for value in values {
                        all.extend(self.stretches(field, name, How::Eq, value)?);
                    }
                    Some(all)
                };
                self.one(field, all).into_iter().collect()
            }
            Condition::IsNull(field) => {
                let empty = |_: &Field, _: &FieldRef| {
                    Some(vec![Stretch::point(key_of_nothing()), Stretch::point(key_of_text(""))])
                };
                self.one(field, empty).into_iter().collect()
            }
            Condition::IsNotNull(field) => {
                let some = |_: &Field, _: &FieldRef| {
                    let from = behind(&key_of_nothing());
                    Some(vec![Stretch { from, to: behind(&key_of_other()) }])
                };
                self.one(field, some).into_iter().collect()
            }
            Condition::Membership { .. } | Condition::Overlap { .. } => Vec::new(),
        }
    }

    fn one(&self, name: &FieldRef, stretches: impl Fn(&Field, &FieldRef) -> Option<Vec<Stretch>>) -> Option<Access> {
        let field = name.find(self.list)?;
        let index = self.indexes.iter().find(|index| index.field == field.name)?;
        Some(Access::of(index.number, stretches(field, name)?))
    }

    /// Where the values lie for which a comparison may hold.
    fn stretches(&self, field: &Field, name: &FieldRef, how: How, value: &CamlValue) -> Option<Vec<Stretch>> {
        if matches!(how, How::Neq | How::NotIncludes) {
            return None;
        }
        let mut found = vec![Stretch::point(key_of_other())];
        if field.kind.is_user() || field.kind.is_lookup() {
            match wanted_lookup(name, value, self.moment) {
                None => {}
                Some(Wanted::Id(wanted)) => found.extend(numbers(how, wanted)),
                Some(Wanted::Text(wanted)) => {
                    // Ids that have no name show the empty text.
                    if text_holds(how, "", &wanted) {
                        return None;
                    }
                    let ids = self.moment.names.ids_with(field, |text| text_holds(how, text, &wanted));
                    if ids.len() > LOOKUP_IDS_MAX {
                        return None;
                    }
                    found.extend(ids.into_iter().map(|id| Stretch::point(key_of_number(f64::from(id)))));
                }
            }
            return Some(found);
        }
        if let Some(wanted) = wanted_number(value, self.moment) {
            found.extend(numbers(how, wanted));
        }
        if let Some(wanted) = wanted_time(value, self.moment) {
            found.extend(self.times(how, wanted, value.include_time));
        }
        if let Operand::Text(wanted) = &value.operand {
            if matches!(how, How::BeginsWith | How::Contains) {
                found.push(Stretch::between(keys_of_numbers()));
            }
            found.push(texts(how, wanted));
        }
        Some(found)
    }

    fn times(&self, how: How, wanted: model::Time, to_the_second: bool) -> Option<Stretch> {
        let (first, next) = if to_the_second {
            (wanted.whole_second(), wanted.whole_second().plus_seconds(1))
        } else {
            (midnight(wanted), midnight(wanted).plus_seconds(86_400))
        };
        within(how, key_of_time(first), key_of_time(next), keys_of_numbers())
    }
}

fn numbers(how: How, wanted: f64) -> Option<Stretch> {
    if wanted.is_nan() {
        return None;
    }
    let key = key_of_number(wanted);
    within(how, key.clone(), behind(&key), keys_of_numbers())
}

fn texts(how: How, wanted: &str) -> Stretch {
    let (first, last) = keys_of_texts();
    let key = key_of_text(wanted);
    match how {
        How::Contains => Stretch { from: first, to: last },
        How::BeginsWith => {
            // No text holds a byte of all ones, so that the next prefix is one higher in its last byte.
            let mut next = key.to_vec();
            if let Some(byte) = next.last_mut() {
                *byte = byte.saturating_add(1);
            }
            Stretch { from: key, to: next.into() }
        }
        How::Eq | How::Neq | How::Gt | How::Geq | How::Lt | How::Leq | How::Includes | How::NotIncludes => {
            // Texts that were cut may lie on both sides of one that shares their key.
            let next = behind(&key);
            let how = match (how, key_is_exact(&key)) {
                (How::Gt, false) => How::Geq,
                (How::Lt, false) => How::Leq,
                (how, _) => how,
            };
            let all = Stretch { from: first.clone(), to: last.clone() };
            within(how, key, next, (first, last)).unwrap_or(all)
        }
    }
}

/// The keys before, at or behind those from `first` to before `next`, among those of their class.
fn within(how: How, first: Bytes, next: Bytes, (from, to): (Bytes, Bytes)) -> Option<Stretch> {
    match how {
        How::Eq | How::Includes => Some(Stretch { from: first, to: next }),
        How::Gt => Some(Stretch { from: next, to }),
        How::Geq => Some(Stretch { from: first, to }),
        How::Lt => Some(Stretch { from, to: first }),
        How::Leq => Some(Stretch { from, to: next }),
        How::Neq | How::NotIncludes | How::BeginsWith | How::Contains => None,
    }
}

/// The lowest and the highest number of rows that may satisfy a condition, by what it says of `ID`.
pub(crate) fn id_bounds(condition: &Condition, list: &List, moment: &Moment<'_>) -> (u32, u32) {
    /// Every row.
    const ALL: (u32, u32) = (1, u32::MAX);
    match condition {
        Condition::And(parts) => parts
            .iter()
            .map(|part| id_bounds(part, list, moment))
            .fold(ALL, |own, other| (own.0.max(other.0), own.1.min(other.1))),
        Condition::Compare { field, how, value } if field.find(list).is_some_and(|field| field.name == "ID") => {
            let Some(wanted) = wanted_number(value, moment).filter(|wanted| !wanted.is_nan()) else { return ALL };
            // The cast keeps to the bounds of the type.
            let (below, above) = (wanted.ceil() - 1.0, wanted.floor() + 1.0);
            match how {
                How::Eq | How::Includes => (wanted.ceil() as u32, wanted.floor() as u32),
                How::Gt => (above as u32, u32::MAX),
                How::Geq => (wanted.ceil() as u32, u32::MAX),
                How::Lt => (1, below as u32),
                How::Leq => (1, wanted.floor() as u32),
                How::Neq | How::NotIncludes | How::BeginsWith | How::Contains => ALL,
            }
        }
        Condition::In { field, values } if field.find(list).is_some_and(|field| field.name == "ID") => {
            let numbers: Option<Vec<f64>> = values.iter().map(|value| wanted_number(value, moment)).collect();
            let Some(numbers) = numbers else { return ALL };
            let low = numbers.iter().copied().fold(f64::INFINITY, f64::min);
            let high = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            (low.floor() as u32, high.ceil() as u32)
        }
        Condition::Compare { .. }
        | Condition::In { .. }
        | Condition::Or(_)
        | Condition::IsNull(_)
        | Condition::IsNotNull(_)
        | Condition::Membership { .. }
        | Condition::Overlap { .. } => ALL,
    }
}
