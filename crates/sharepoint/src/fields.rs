//! Fields of lists: what a field is, and the templates that say which fields and views a list has.
//!
//! A template is one file in `fields/` and one line in [`TEMPLATES`]; a field is one row there. What a field's value
//! looks like on the wire is said in `rows` and `value`.

mod announcements;
mod base;
mod computed;
mod contacts;
mod custom;
mod discussions;
mod documents;
mod events;
mod issues;
mod links;
mod tasks;
mod users;

use std::borrow::Cow;

use model::{Bag, Guid, Value};
use xml::{Document, Limits, Node, encode_name};

use crate::rows::Row;

/// Characters of an internal field name.
pub(crate) const FIELD_NAME_CHARS_MAX: usize = 32;
/// Fields that one list may be given beside those of its template.
pub(crate) const CUSTOM_FIELDS_MAX: usize = 2_000;

/// The template of lists whose template is not known.
pub(crate) static CUSTOM_LIST: &Template = &custom::TEMPLATE;

/// The templates, by number.
pub(crate) static TEMPLATES: &[&Template] = &[
    &custom::TEMPLATE,
    &documents::TEMPLATE,
    &links::TEMPLATE,
    &announcements::TEMPLATE,
    &contacts::TEMPLATE,
    &events::TEMPLATE,
    &tasks::TEMPLATE,
    &discussions::TEMPLATE,
    &users::TEMPLATE,
    &issues::TEMPLATE,
];

macro_rules! field_types {
    ($($(#[$doc:meta])* $variant:ident = $wire:literal,)*) => {
        /// The type of a field.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum FieldType { $($(#[$doc])* $variant,)* }

        impl FieldType {
            /// The name of the type in a `Field` element.
            pub(crate) const fn wire(self) -> &'static str {
                match self { $(Self::$variant => $wire,)* }
            }

            fn from_wire(text: &str) -> Option<Self> {
                $(if text.eq_ignore_ascii_case($wire) { return Some(Self::$variant); })*
                None
            }
        }
    };
}

field_types! {
    Counter = "Counter",
    Text = "Text",
    Note = "Note",
    Choice = "Choice",
    MultiChoice = "MultiChoice",
    Integer = "Integer",
    Number = "Number",
    Currency = "Currency",
    Boolean = "Boolean",
    DateTime = "DateTime",
    Lookup = "Lookup",
    LookupMulti = "LookupMulti",
    User = "User",
    UserMulti = "UserMulti",
    Url = "URL",
    Guid = "Guid",
    Computed = "Computed",
    File = "File",
    Attachments = "Attachments",
    ModStat = "ModStat",
    ContentTypeId = "ContentTypeId",
    AllDayEvent = "AllDayEvent",
    Recurrence = "Recurrence",
    ThreadIndex = "ThreadIndex",
    Calculated = "Calculated",
    /// A lookup into the documents of the site: rows carry the item's id before the value.
    DocLookup = "Lookup",
}

impl FieldType {
    /// Whether values are ids of users.
    pub(crate) const fn is_user(self) -> bool {
        matches!(self, Self::User | Self::UserMulti)
    }

    /// Whether values are ids of rows of a list that the field names.
    pub(crate) const fn is_lookup(self) -> bool {
        matches!(self, Self::Lookup | Self::LookupMulti)
    }
}

/// How a field gets its value where it is not stored under its name.
pub(crate) type Compute = fn(&Row<'_>) -> Option<Value>;

/// One row of a table of fields.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FieldRow {
    name: &'static str,
    id: &'static str,
    kind: FieldType,
    display: &'static str,
    base: bool,
    hidden: bool,
    read_only: bool,
    required: bool,
    attributes: &'static [(&'static str, &'static str)],
    children: &'static str,
    compute: Option<Compute>,
}

/// A row with what every field has.
pub(crate) const fn row(name: &'static str, id: &'static str, kind: FieldType, display: &'static str) -> FieldRow {
    FieldRow {
        name,
        id,
        kind,
        display,
        base: false,
        hidden: false,
        read_only: false,
        required: false,
        attributes: &[],
        children: "",
        compute: None,
    }
}

impl FieldRow {
    const fn base(mut self) -> Self {
        self.base = true;
        self
    }

    const fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    const fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Further attributes of the `Field` element.
    const fn with(mut self, attributes: &'static [(&'static str, &'static str)]) -> Self {
        self.attributes = attributes;
        self
    }

    /// Markup inside the `Field` element.
    const fn inside(mut self, children: &'static str) -> Self {
        self.children = children;
        self
    }

    const fn computed(mut self, compute: Compute) -> Self {
        self.compute = Some(compute);
        self
    }
}

/// One row of a table of views.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ViewRow {
    /// The name shown.
    pub(crate) name: &'static str,
    /// The page.
    pub(crate) page: &'static str,
    /// `HTML` or `CALENDAR`.
    pub(crate) kind: &'static str,
    /// Internal names, in order.
    pub(crate) fields: &'static [&'static str],
    /// What stands inside `Query`, markup.
    pub(crate) query: &'static str,
}

/// What a list is made from.
#[derive(Debug)]
pub(crate) struct Template {
    /// Its number.
    pub(crate) id: i32,
    /// 0 generic, 1 library, 5 issues.
    pub(crate) base_type: i32,
    /// Id of its feature, without braces.
    pub(crate) feature: &'static str,
    /// The content type of its items.
    pub(crate) content_type: &'static str,
    /// The name of that content type.
    pub(crate) content_type_name: &'static str,
    /// File name of its image.
    pub(crate) image: &'static str,
    /// Whether there may be only one in a site, which no client makes.
    pub(crate) unique: bool,
    /// Fields beside the base fields; one of the same name stands for the base field.
    pub(crate) fields: &'static [FieldRow],
    /// The default view first.
    pub(crate) views: &'static [ViewRow],
}

impl Template {
    /// The template with this number.
    pub(crate) fn by_id(id: i32) -> Option<&'static Self> {
        TEMPLATES.iter().copied().find(|template| template.id == id)
    }

    /// Whether rows are files.
    pub(crate) const fn is_library(&self) -> bool {
        self.base_type == 1
    }

    /// The fields of a list made from this, without those it was given later.
    pub(crate) fn list_fields(&self) -> Vec<Field> {
        let own = |name: &str| self.fields.iter().any(|row| row.name == name);
        let base = base::FIELDS.iter().filter(|row| !own(row.name));
        base.chain(self.fields).map(Field::from_row).collect()
    }
}

/// A field of a list.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    /// Internal name.
    pub(crate) name: Cow<'static, str>,
    /// Its id.
    pub(crate) id: Guid,
    /// Its type.
    pub(crate) kind: FieldType,
    /// The name shown.
    pub(crate) display: Cow<'static, str>,
    /// Whether it comes from the base of all lists.
    pub(crate) base: bool,
    /// Whether it is kept from users.
    pub(crate) hidden: bool,
    /// Whether clients may not write it.
    pub(crate) read_only: bool,
    /// Whether a value is required.
    pub(crate) required: bool,
    /// Whether a client added it.
    pub(crate) custom: bool,
    /// Further attributes.
    pub(crate) attributes: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    /// Markup inside the element.
    pub(crate) children: Cow<'static, str>,
    /// Where the value comes from, if not from what is stored under the name.
    pub(crate) compute: Option<Compute>,
}

/// The attribute of a field in whose order rows can be read.
pub(crate) const INDEXED: &str = "Indexed";
/// Fields whose values follow from the row only where none was written.
const STORED_AND_COMPUTED: &[&str] = &["Order"];
/// Attributes that have a place of their own in [`Field`].
const OWN_ATTRIBUTES: &[&str] =
    &["ID", "Name", "StaticName", "DisplayName", "Type", "SourceID", "Required", "ReadOnly", "Hidden", "FromBaseType"];

impl Field {
    fn from_row(row: &FieldRow) -> Self {
        Self {
            name: Cow::Borrowed(row.name),
            id: row.id.parse().unwrap_or_default(),
            kind: row.kind,
            display: Cow::Borrowed(row.display),
            base: row.base,
            hidden: row.hidden,
            read_only: row.read_only,
            required: row.required,
            custom: false,
            attributes: row.attributes.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            children: Cow::Borrowed(row.children),
            compute: row.compute,
        }
    }

    /// Reads a `Field` element that a client sent. `None` without a usable name or type. `id` is taken where the
    /// element has none.
    pub(crate) fn from_node(node: Node<'_>, id: Guid) -> Option<Self> {
        let mut kind = FieldType::from_wire(node.attribute("Type")?)?;
        if kind == FieldType::DocLookup {
            kind = FieldType::Lookup;
        }
        if truth(node.attribute("Mult")) {
            if kind == FieldType::Lookup {
                kind = FieldType::LookupMulti;
            } else if kind == FieldType::User {
                kind = FieldType::UserMulti;
            }
        }
        let display = node.attribute("DisplayName").or(node.attribute("Name"))?;
        let name: String = match node.attribute("Name").or(node.attribute("StaticName")) {
            Some(name) if is_name(name) => name.to_owned(),
            Some(other) => encode_name(other),
            None => encode_name(display),
        };
        let name: String = name.chars().take(FIELD_NAME_CHARS_MAX).collect();
        if name.is_empty() {
            return None;
        }
        Some(Self {
            name: name.into(),
            id: node.attribute("ID").and_then(|text| text.parse().ok()).unwrap_or(id),
            kind,
            display: display.to_owned().into(),
            base: false,
            hidden: truth(node.attribute("Hidden")),
            read_only: truth(node.attribute("ReadOnly")) || kind == FieldType::Calculated,
            required: truth(node.attribute("Required")),
            custom: true,
            attributes: node
                .attributes()
                .filter(|(namespace, name, _)| namespace.is_empty() && !OWN_ATTRIBUTES.contains(name) && is_name(name))
                .map(|(_, name, value)| (name.to_owned().into(), value.to_owned().into()))
                .collect(),
            children: node.children().map(Node::to_xml).collect::<String>().into(),
            compute: None,
        })
    }

    /// Reads a field as [`crate::schema::write_field`] wrote it.
    pub(crate) fn from_xml(text: &str) -> Option<Self> {
        let document = Document::parse_fragment(text, &Limits::DEFAULT).ok()?;
        let node = document.root().children().next()?;
        Self::from_node(node, Guid::default())
    }

    /// The value of a further attribute.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(own, _)| own == name).map(|(_, value)| &**value)
    }

    /// Whether clients may set it.
    pub(crate) fn is_settable(&self) -> bool {
        let stored = self.compute.is_none() || STORED_AND_COMPUTED.contains(&&*self.name);
        !self.read_only && stored && !matches!(self.kind, FieldType::Computed | FieldType::Calculated)
    }

    /// Whether rows can be read in its order.
    pub(crate) fn is_indexed(&self) -> bool {
        truth(self.attribute(INDEXED))
    }

    /// Says whether rows can be read in its order.
    pub(crate) fn set_indexed(&mut self, indexed: bool) {
        self.attributes.retain(|(name, _)| name != INDEXED);
        if indexed {
            self.attributes.push((INDEXED.into(), "TRUE".into()));
        }
    }

    /// Whether rows can be read in its order at all: it has one value, which is stored. The order of `ID` is that of the
    /// list itself.
    pub(crate) fn can_be_indexed(&self) -> bool {
        let single = matches!(
            self.kind,
            FieldType::Text
                | FieldType::Choice
                | FieldType::Integer
                | FieldType::Number
                | FieldType::Currency
                | FieldType::Boolean
                | FieldType::DateTime
                | FieldType::Lookup
                | FieldType::User
                | FieldType::AllDayEvent
                | FieldType::Recurrence
        );
        self.name == "ID" || single && self.compute.is_none()
    }

    /// Internal names of the fields that its value is made from, as its markup says.
    pub(crate) fn needs(&self) -> Vec<String> {
        if !self.children.contains("FieldRefs") {
            return Vec::new();
        }
        let Ok(document) = Document::parse_fragment(&self.children, &Limits::DEFAULT) else { return Vec::new() };
        let references = document.root().child_local("FieldRefs").into_iter().flat_map(Node::children);
        references.filter_map(|reference| reference.attribute("Name")).map(str::to_owned).collect()
    }

    /// The value that a new item has where the client gives none: what stands in `Default`.
    pub(crate) fn default_text(&self) -> Option<String> {
        if !self.children.contains("Default") {
            return None;
        }
        let document = Document::parse_fragment(&self.children, &Limits::DEFAULT).ok()?;
        let text = document.root().child_local("Default")?.text().into_owned();
        (!text.is_empty()).then_some(text)
    }
}

/// Whether text says yes, as clients write it.
pub(crate) fn truth(text: Option<&str>) -> bool {
    text.is_some_and(|text| {
        let text = text.trim();
        text.eq_ignore_ascii_case("true") || text == "1" || text == "-1" || text.eq_ignore_ascii_case("yes")
    })
}

/// Whether text may stand as the name of an element or attribute.
pub(crate) fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

/// Keys that this adapter keeps in the bag of a list.
pub(crate) mod bag_keys {
    use std::borrow::Cow;

    use model::PropertyKey;

    /// Fields the list was given, Texts: one `Field` element each.
    pub(crate) const FIELDS: PropertyKey = PropertyKey::Field(Cow::Borrowed("#Fields"));
    /// The views of the list, once they are no longer those of its template, Texts: one `View` element each.
    pub(crate) const VIEWS: PropertyKey = PropertyKey::Field(Cow::Borrowed("#Views"));
}

/// The fields that a list was given beside those of its template.
pub(crate) fn custom_fields(bag: &Bag) -> Vec<Field> {
    let Some(Value::Texts(texts)) = bag.get(&bag_keys::FIELDS) else { return Vec::new() };
    texts.iter().take(CUSTOM_FIELDS_MAX).filter_map(|text| Field::from_xml(text)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn tables_are_sound() {
        for template in TEMPLATES {
            let fields = template.list_fields();
            let names: BTreeSet<&str> = fields.iter().map(|field| &*field.name).collect();
            assert_eq!(names.len(), fields.len(), "a name twice in {}", template.id);
            let ids: BTreeSet<Guid> = fields.iter().map(|field| field.id).collect();
            assert_eq!(ids.len(), fields.len(), "an id twice in {}", template.id);
            assert!(!ids.contains(&Guid::NIL), "a bad id in {}", template.id);
            assert_eq!(template.feature.parse::<Guid>().map(|_| ()), Ok(()), "{}", template.id);
            for view in template.views {
                for field in view.fields {
                    assert!(names.contains(field), "view {} of {} names {field}", view.name, template.id);
                }
            }
        }
    }
}
