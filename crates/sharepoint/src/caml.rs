//! CAML: the conditions, orders and field lists of queries. \[MS-WSSCAML\]
//!
//! Reading needs no list; whether the fields exist is checked when a condition meets one. Elements count by local name,
//! since clients send them in several namespaces.

mod eval;
mod plan;

use model::{Time, limits};
use xml::Node;

use crate::{
    code::{Code, Failure},
    fields::truth,
    schema::{List, list_attribute},
};

pub(crate) use eval::{Moment, SortCell, sort_cells};
pub(crate) use plan::{Access, Stretch, accesses, id_bounds};

/// Conditions inside one another. Tools chain `Or` to the right, one level for every value.
const DEPTH_MAX: usize = 256;
/// Bounds of markup that may hold a query.
pub(crate) const XML_LIMITS: xml::Limits = xml::Limits { depth_max: 64 + DEPTH_MAX, ..xml::Limits::DEFAULT };
/// Values of an `In`.
const VALUES_MAX: usize = 5_000;
/// Days from today in a value.
const OFFSET_DAYS_MAX: i64 = 100_000;
/// Keys of an order.
const ORDER_KEYS_MAX: usize = 16;
/// Fields of `ViewFields`.
const VIEW_FIELDS_MAX: usize = 2_000;

/// The field that a `FieldRef` means, by name or by id.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FieldRef {
    name: String,
    /// Whether a lookup is compared by id.
    lookup_id: bool,
}

/// How two values compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Eq,
    Neq,
    Gt,
    Geq,
    Lt,
    Leq,
    BeginsWith,
    Contains,
    Includes,
    NotIncludes,
}

/// The right side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operand {
    /// Text as it stands.
    Text(String),
    /// The start of the day, some days from today.
    Today(i64),
    /// The time now.
    Now,
    /// The caller.
    UserId,
    /// A span around the calendar date: `Week`, `Month`, `Year`.
    Span(Span),
    /// A property of the list, by the name of its attribute. [`Query::meant_for`] puts its text in place.
    ListProperty(String),
}

/// A span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Span {
    Week,
    Month,
    Year,
}

/// A `Value` element.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CamlValue {
    operand: Operand,
    /// The type the client names, lower case.
    kind: String,
    /// Whether the time of day counts.
    include_time: bool,
}

/// Whose groups a `Membership` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Membership {
    /// Everybody who may use the site.
    Everybody,
    /// The caller, or a group that he is in.
    Caller,
    /// The members of this group.
    Group(u32),
    /// The groups of the site.
    Groups,
}

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Condition {
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Compare { field: FieldRef, how: How, value: CamlValue },
    In { field: FieldRef, values: Vec<CamlValue> },
    IsNull(FieldRef),
    IsNotNull(FieldRef),
    Membership { field: FieldRef, of: Membership },
    Overlap { start: FieldRef, end: FieldRef, value: CamlValue },
}

/// One key of an order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OrderKey {
    pub(crate) field: FieldRef,
    pub(crate) ascending: bool,
}

/// A query.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Query {
    /// Which rows.
    pub(crate) condition: Option<Condition>,
    /// In which order, keys of `GroupBy` first; by id among equals.
    pub(crate) order: Vec<OrderKey>,
}

/// The fields a client asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum ViewFields {
    /// It did not say.
    #[default]
    Missing,
    /// All fields.
    All,
    /// These, by name or id.
    Some(Vec<String>),
}

/// Elements of one name around one another, as several clients send them.
const WRAPPERS_MAX: usize = 4;

/// Finds the payload of a parameter: the element `name` inside it, in any case and however often it stands around
/// itself, or the parameter itself where its children stand in it at once. `None` where there is nothing inside.
pub(crate) fn payload<'a>(parameter: Option<Node<'a>>, name: &str) -> Option<Node<'a>> {
    let outer = parameter?;
    let inner = unwrap(unwrap(outer, outer.local()), name);
    let found = inner != outer || inner.local() == name || inner.children().next().is_some();
    found.then_some(inner)
}

/// The innermost of the elements `name` that stand around one another in `outer`; `outer` itself where there are none.
fn unwrap<'a>(outer: Node<'a>, name: &str) -> Node<'a> {
    let mut node = outer;
    for _ in 0..WRAPPERS_MAX {
        let Some(inner) = node.children().find(|child| child.local().eq_ignore_ascii_case(name)) else { break };
        node = inner;
    }
    node
}

/// The payload of a parameter that chooses rows. What cannot be understood is refused: a client that asks for some rows
/// must not get all of them.
///
/// # Errors
/// [`Failure::Uncoded`] for text in place of markup.
fn choosing<'a>(parameter: Option<Node<'a>>, name: &str) -> Result<Option<Node<'a>>, Failure> {
    let found = payload(parameter, name);
    if found.or(parameter).is_some_and(|node| !node.text().trim().is_empty()) {
        return Err(Failure::uncoded(format!("The {name} is text and not markup.")));
    }
    Ok(found)
}

/// The condition of a `contains` parameter, if there is one.
///
/// # Errors
/// [`Failure::Uncoded`] for what cannot be read.
pub(crate) fn contains(parameter: Option<Node<'_>>) -> Result<Option<Condition>, Failure> {
    let given = choosing(parameter, "Contains")?.filter(|node| node.children().next().is_some());
    given.map(Condition::parse_contains).transpose()
}

impl Query {
    /// Reads a `query` parameter; `None` where it says nothing.
    ///
    /// # Errors
    /// [`Failure::Uncoded`] for what CAML does not have, and past the bounds.
    pub(crate) fn read(parameter: Option<Node<'_>>) -> Result<Option<Self>, Failure> {
        // Some clients put the whole view around it.
        let view = parameter.and_then(|outer| outer.children().find(|child| child.local() == "View"));
        let query = choosing(view.or(parameter), "Query")?.map(Self::parse).transpose()?;
        Ok(query.filter(|query| !query.is_empty()))
    }

    /// Reads what stands inside `Query`.
    ///
    /// # Errors
    /// [`Failure::Uncoded`] for what CAML does not have, and past the bounds.
    pub(crate) fn parse(query: Node<'_>) -> Result<Self, Failure> {
        let mut parsed = Self::default();
        let mut order = Vec::new();
        for part in query.children() {
            match part.local() {
                "Where" => {
                    let mut budget = limits::PREDICATE_NODES_MAX;
                    let conditions = conditions(part, &mut budget, 0)?;
                    parsed.condition = match conditions.len() {
                        0 => None,
                        1 => conditions.into_iter().next(),
                        _ => Some(Condition::And(conditions)),
                    };
                }
                "OrderBy" => order = order_keys(part)?,
                "GroupBy" => parsed.order = order_keys(part)?,
                "WithIndex" | "QueryOptions" | "ViewFields" | "RowLimit" => {}
                other => return Err(Failure::uncoded(format!("A Query has no {other}."))),
            }
        }
        for key in order {
            if !parsed.order.iter().any(|own| own.field == key.field) {
                parsed.order.push(key);
            }
        }
        Ok(parsed)
    }

    /// Reads the markup of a view's query.
    pub(crate) fn parse_inner(markup: &str) -> Result<Self, Failure> {
        let document = xml::Document::parse_fragment(markup, &XML_LIMITS)
            .map_err(|error| Failure::uncoded(format!("The query cannot be read: {error}")))?;
        Self::parse(document.root())
    }

    /// Whether it has neither a condition nor an order.
    pub(crate) fn is_empty(&self) -> bool {
        self.condition.is_none() && self.order.is_empty()
    }

    /// The query as it is meant for a list, whose properties stand where they are named. Checks that the list has the fields
    /// that are named.
    ///
    /// # Errors
    /// [`Failure::Coded`] for a field that is not there; [`Failure::Uncoded`] for a property that is not.
    pub(crate) fn meant_for(mut self, list: &List) -> Result<Self, Failure> {
        self.check(list)?;
        if let Some(condition) = &mut self.condition {
            condition.fill_in(list)?;
        }
        Ok(self)
    }

    fn check(&self, list: &List) -> Result<(), Failure> {
        let mut fields = Vec::new();
        if let Some(condition) = &self.condition {
            condition.fields(&mut fields);
        }
        fields.extend(self.order.iter().map(|key| &key.field));
        match fields.iter().find(|field| field.find(list).is_none()) {
            None => Ok(()),
            Some(field) => Err(Failure::coded(
                Code::NO_FIELD,
                format!("One or more field types are not installed properly. Unknown field: {}", field.name),
            )),
        }
    }

    /// The fields it needs by name, which users and lookups have.
    pub(crate) fn fields<'l>(&self, list: &'l List) -> Vec<&'l crate::fields::Field> {
        let mut fields = Vec::new();
        if let Some(condition) = &self.condition {
            condition.fields(&mut fields);
        }
        fields.extend(self.order.iter().map(|key| &key.field));
        fields.into_iter().filter(|field| !field.lookup_id).filter_map(|field| field.find(list)).collect()
    }
}

impl CamlValue {
    fn fill_in(&mut self, list: &List) -> Result<(), Failure> {
        if let Operand::ListProperty(name) = &self.operand {
            let text = list_attribute(list, name);
            let text = text.ok_or_else(|| Failure::uncoded(format!("A list has no property {name}.")))?;
            self.operand = Operand::Text(text);
        }
        Ok(())
    }
}

impl FieldRef {
    fn parse(node: Node<'_>) -> Result<Self, Failure> {
        let name = node.attribute("Name").or(node.attribute("ID")).or(node.attribute("Id"));
        let name = name.ok_or_else(|| Failure::uncoded("A FieldRef has no Name."))?;
        Ok(Self { name: name.to_owned(), lookup_id: truth(node.attribute("LookupId")) })
    }

    /// By internal name.
    pub(crate) fn named(name: &str) -> Self {
        Self { name: name.to_owned(), lookup_id: false }
    }

    /// As the client wrote it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The field of a list.
    pub(crate) fn find<'l>(&self, list: &'l List) -> Option<&'l crate::fields::Field> {
        find_field(list, &self.name)
    }
}

/// The field with this name or id.
pub(crate) fn find_field<'l>(list: &'l List, name: &str) -> Option<&'l crate::fields::Field> {
    list.field(name).or_else(|| name.parse().ok().and_then(|id| list.field_by_id(id)))
}

impl Condition {
    /// Reads a `Contains` that stands alone.
    pub(crate) fn parse_contains(node: Node<'_>) -> Result<Self, Failure> {
        Ok(Self::Compare { field: field_of(node)?, how: How::Contains, value: value_of(node)? })
    }

    /// A field is not before a time, to the second.
    pub(crate) fn since(field: &str, time: Time) -> Self {
        let (operand, kind) = (Operand::Text(time.to_string()), "datetime".to_owned());
        let value = CamlValue { operand, kind, include_time: true };
        Self::Compare { field: FieldRef::named(field), how: How::Geq, value }
    }

    /// Puts properties of the list where they are named.
    fn fill_in(&mut self, list: &List) -> Result<(), Failure> {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter_mut().try_for_each(|part| part.fill_in(list)),
            Self::Compare { value, .. } | Self::Overlap { value, .. } => value.fill_in(list),
            Self::In { values, .. } => values.iter_mut().try_for_each(|value| value.fill_in(list)),
            Self::IsNull(_) | Self::IsNotNull(_) | Self::Membership { .. } => Ok(()),
        }
    }

    fn fields<'c>(&'c self, into: &mut Vec<&'c FieldRef>) {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.fields(into)),
            Self::Compare { field, .. } | Self::In { field, .. } | Self::Membership { field, .. } => into.push(field),
            Self::IsNull(field) | Self::IsNotNull(field) => into.push(field),
            Self::Overlap { start, end, .. } => into.extend([start, end]),
        }
    }
}

fn conditions(parent: Node<'_>, budget: &mut usize, depth: usize) -> Result<Vec<Condition>, Failure> {
    let mut all = Vec::new();
    for child in parent.children() {
        all.push(condition(child, budget, depth)?);
    }
    Ok(all)
}

/// Reads a condition. The frame of this function is kept small, since it stands on the stack once a level.
fn condition(node: Node<'_>, budget: &mut usize, depth: usize) -> Result<Condition, Failure> {
    *budget = budget.checked_sub(1).ok_or_else(|| Failure::uncoded("The query has too many conditions."))?;
    if depth > DEPTH_MAX {
        return Err(Failure::uncoded("The query is nested too deeply."));
    }
    match node.local() {
        "And" => conditions(node, budget, depth + 1).map(Condition::And),
        "Or" => conditions(node, budget, depth + 1).map(Condition::Or),
        _ => comparison(node),
    }
}

/// Reads a condition that has no others inside.
fn comparison(node: Node<'_>) -> Result<Condition, Failure> {
    let compare = |how: How| -> Result<Condition, Failure> {
        Ok(Condition::Compare { field: field_of(node)?, how, value: value_of(node)? })
    };
    Ok(match node.local() {
        "Eq" => compare(How::Eq)?,
        "Neq" => compare(How::Neq)?,
        "Gt" => compare(How::Gt)?,
        "Geq" => compare(How::Geq)?,
        "Lt" => compare(How::Lt)?,
        "Leq" => compare(How::Leq)?,
        "BeginsWith" => compare(How::BeginsWith)?,
        "Contains" => compare(How::Contains)?,
        "Includes" => compare(How::Includes)?,
        "NotIncludes" => compare(How::NotIncludes)?,
        "IsNull" => Condition::IsNull(field_of(node)?),
        "IsNotNull" => Condition::IsNotNull(field_of(node)?),
        "In" => {
            let values = node.child_local("Values").ok_or_else(|| Failure::uncoded("In has no Values."))?;
            if values.children().count() > VALUES_MAX {
                return Err(Failure::uncoded("In has too many values."));
            }
            let values = values.children().map(read_value).collect::<Result<_, _>>()?;
            Condition::In { field: field_of(node)?, values }
        }
        "Membership" => {
            let of = match node.attribute("Type").unwrap_or_default() {
                "SPWeb.AllUsers" | "SPWeb.Users" => Membership::Everybody,
                "CurrentUserGroups" => Membership::Caller,
                "SPWeb.Groups" => Membership::Groups,
                "SPGroup" => {
                    let id = node.attribute("ID").and_then(|id| id.trim().parse().ok());
                    Membership::Group(id.ok_or_else(|| Failure::uncoded("The Membership of a group has no ID."))?)
                }
                other => return Err(Failure::uncoded(format!("There is no Membership {other}."))),
            };
            // The groups are read with the names of users, which a comparison by id would do without.
            Condition::Membership { field: FieldRef { lookup_id: false, ..field_of(node)? }, of }
        }
        "DateRangesOverlap" => {
            let mut fields = node.children().filter(|child| child.local() == "FieldRef");
            let start = fields.next().map_or_else(|| Ok(FieldRef::named("EventDate")), FieldRef::parse)?;
            let end = fields.next().map_or_else(|| Ok(FieldRef::named("EndDate")), FieldRef::parse)?;
            Condition::Overlap { start, end, value: value_of(node)? }
        }
        other => return Err(Failure::uncoded(format!("CAML has no condition {other}."))),
    })
}

fn field_of(node: Node<'_>) -> Result<FieldRef, Failure> {
    FieldRef::parse(node.child_local("FieldRef").ok_or_else(|| Failure::uncoded("A condition has no FieldRef."))?)
}

fn value_of(node: Node<'_>) -> Result<CamlValue, Failure> {
    node.child_local("Value").map_or_else(|| Err(Failure::uncoded("A condition has no Value.")), read_value)
}

fn read_value(node: Node<'_>) -> Result<CamlValue, Failure> {
    let special = node.children().next().map(|child| {
        Ok(match child.local() {
            "Today" => {
                let days = child.attribute("OffsetDays").or(child.attribute("Offset")).unwrap_or("0");
                Operand::Today(days.trim().parse::<i64>().unwrap_or(0).clamp(-OFFSET_DAYS_MAX, OFFSET_DAYS_MAX))
            }
            "Now" => Operand::Now,
            "UserID" => Operand::UserId,
            "Week" => Operand::Span(Span::Week),
            "Month" => Operand::Span(Span::Month),
            "Year" => Operand::Span(Span::Year),
            "ListProperty" => {
                let name = child.attribute("Select").or(child.attribute("Name"));
                let name = name.ok_or_else(|| Failure::uncoded("A ListProperty has no Select."))?;
                Operand::ListProperty(name.to_owned())
            }
            "XML" => Operand::Text(child.children().map(Node::to_xml).collect::<String>() + &child.text()),
            other => return Err(Failure::uncoded(format!("A Value has no {other}."))),
        })
    });
    let special = special.transpose()?;
    Ok(CamlValue {
        operand: special.unwrap_or_else(|| Operand::Text(node.text().into_owned())),
        kind: node.attribute("Type").unwrap_or_default().to_ascii_lowercase(),
        include_time: truth(node.attribute("IncludeTimeValue")),
    })
}

fn order_keys(node: Node<'_>) -> Result<Vec<OrderKey>, Failure> {
    let mut keys = Vec::new();
    for child in node.children().filter(|child| child.local() == "FieldRef") {
        let ascending = child.attribute("Ascending").is_none_or(|text| truth(Some(text)));
        keys.push(OrderKey { field: FieldRef::parse(child)?, ascending });
        if keys.len() > ORDER_KEYS_MAX {
            return Err(Failure::uncoded("The order has too many keys."));
        }
    }
    Ok(keys)
}

/// Which entries of the property bag, and which fields, a `viewFields` parameter asks for.
pub(crate) fn view_fields(parameter: Option<Node<'_>>) -> Result<(ViewFields, crate::rows::Properties), Failure> {
    use crate::rows::Properties;
    let Some(outer) = parameter else { return Ok((ViewFields::Missing, Properties::None)) };
    let source = unwrap(outer, "ViewFields");
    let inner = source != outer || outer.local() == "ViewFields";
    let (mut names, mut properties) = (Vec::new(), std::collections::BTreeSet::new());
    let mut meta_info = false;
    for child in source.children().filter(|child| child.local() == "FieldRef") {
        let name = child.attribute("Name").or(child.attribute("ID")).unwrap_or_default();
        if name == "MetaInfo" {
            match child.attribute("Property") {
                Some(property) => {
                    properties.insert(property.to_owned());
                    continue;
                }
                None => meta_info = true,
            }
        }
        names.push(name.to_owned());
        if names.len() > VIEW_FIELDS_MAX {
            return Err(Failure::uncoded("ViewFields has too many fields."));
        }
    }
    let all_properties = truth(outer.attribute("Properties")) || truth(source.attribute("Properties"));
    let properties = match (all_properties && meta_info, properties.is_empty()) {
        (true, _) => Properties::All,
        (false, true) => Properties::None,
        (false, false) => Properties::Some(properties),
    };
    let asked = !names.is_empty() || properties != Properties::None;
    let fields = match (asked, inner) {
        (true, _) => ViewFields::Some(names),
        (false, true) => ViewFields::All,
        (false, false) => ViewFields::Missing,
    };
    Ok((fields, properties))
}
