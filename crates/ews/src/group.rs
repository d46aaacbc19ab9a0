//! Grouping of found items: `GroupBy` and `DistinguishedGroupBy` of FindItem, MS-OXWSSRCH 2.2.4.
//!
//! Items with the same value of a property are a group. Groups stand in the order of one value of each: the least or the
//! greatest of a property among its items. Items of a group stay in the order in which they were found.

use std::collections::HashMap;

use engine::ItemView;
use model::{Order, PropertyKey, Row, SortKey, Value, tags};
use xml::Node;

use crate::path::Path;
use crate::{Failure, Fault, ResponseCode, request, restriction};

/// How found items are grouped.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GroupBy {
    /// Items with the same value under this key are a group.
    key: PropertyKey,
    /// The value by which groups are ordered, and in which direction.
    of_group: SortKey,
    /// Whether that is the greatest of the values in a group, or else the least.
    greatest: bool,
}

const ORDERS: &[(&str, Order)] = &[("Ascending", Order::Ascending), ("Descending", Order::Descending)];

impl GroupBy {
    /// Reads the grouping of a FindItem request, if it has one. The outer error is a fault, the inner one of a path.
    pub(crate) fn read(body: Node<'_>) -> Result<Result<Option<Self>, Failure>, Fault> {
        if let Some(node) = body.child_local("DistinguishedGroupBy") {
            let order = request::enumeration(node, request::attribute(node, "Order")?, "SortDirectionType", ORDERS)?;
            let by = request::required(node, "StandardGroupBy")?;
            request::enumeration(by, &by.text(), "StandardGroupByType", &[("ConversationTopic", ())])?;
            let of_group = SortKey { key: tags::MESSAGE_DELIVERY_TIME, order };
            return Ok(Ok(Some(Self { key: tags::CONVERSATION_TOPIC, of_group, greatest: true })));
        }
        let Some(node) = body.child_local("GroupBy") else { return Ok(Ok(None)) };
        let order = request::enumeration(node, request::attribute(node, "Order")?, "SortDirectionType", ORDERS)?;
        let on = request::required(node, "AggregateOn")?;
        const AGGREGATES: &[(&str, bool)] = &[("Minimum", false), ("Maximum", true)];
        let greatest = request::enumeration(on, request::attribute(on, "Aggregate")?, "AggregateType", AGGREGATES)?;
        // Those are of views that unfold groups one by one, which are not to be had here.
        for name in ["UseCollapsibleGroups", "ItemsPerGroup", "MaxItemsPerGroup", "GroupsToExpand"] {
            if node.child_local(name).is_some() {
                let text = format!("The query filter is not supported: {name} is not available on this server.");
                return Ok(Err(Failure::text(ResponseCode::ErrorUnsupportedQueryFilter, text)));
            }
        }
        let (by, on) = (Path::read(request::only(node)?)?, Path::read(request::only(on)?)?);
        let key = |path: Result<Path, Failure>| path.and_then(|path| restriction::sorted_by(&path));
        Ok(key(by).and_then(|by| {
            let of_group = SortKey { key: key(on)?, order };
            Ok(Some(Self { key: by, of_group, greatest }))
        }))
    }

    /// The items in groups, each with the value that they share; `views` are in the order in which they were found.
    /// Returns their places in `views`.
    pub(crate) fn groups(&self, views: &[Option<ItemView<'_>>]) -> Vec<(String, Vec<usize>)> {
        let mut groups: Vec<(String, Vec<usize>, Aggregate)> = Vec::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        for (at, view) in views.iter().enumerate() {
            let value = |key| view.as_ref().and_then(|view| view.value(key));
            let name = value(&self.key).map(|value| shown(&value)).unwrap_or_default();
            let group = *known.entry(name.clone()).or_insert_with(|| {
                groups.push((name, Vec::new(), Aggregate { key: self.of_group.key.clone(), value: None }));
                groups.len() - 1
            });
            let Some((_, members, aggregate)) = groups.get_mut(group) else { continue };
            let new = Aggregate { key: self.of_group.key.clone(), value: value(&self.of_group.key) };
            let ascending = [SortKey { key: self.of_group.key.clone(), order: Order::Ascending }];
            let order = SortKey::order(&ascending, &new, aggregate);
            if members.is_empty() || (if self.greatest { order.is_gt() } else { order.is_lt() }) {
                *aggregate = new;
            }
            members.push(at);
        }
        groups.sort_by(|(_, _, left), (_, _, right)| SortKey::order(std::slice::from_ref(&self.of_group), left, right));
        groups.into_iter().map(|(name, members, _)| (name, members)).collect()
    }
}

/// The value by which a group is ordered.
struct Aggregate {
    key: PropertyKey,
    value: Option<Value>,
}

impl Row for Aggregate {
    fn value(&self, key: &PropertyKey) -> Option<Value> {
        self.value.clone().filter(|_| *key == self.key)
    }
}

/// A value as the name of a group.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a value has many types; those with a plain text of their own are few"
)]
fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Texts(texts) => texts.join("; "),
        Value::Bool(truth) => truth.to_string(),
        Value::Time(time) => time.to_string(),
        Value::Guid(guid) => guid.to_string(),
        other => match (other.as_i64(), other.as_binary()) {
            (Some(number), _) => number.to_string(),
            (None, Some(bytes)) => base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes),
            (None, None) => String::new(),
        },
    }
}
