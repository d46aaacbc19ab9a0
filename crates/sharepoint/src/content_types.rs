//! Content types of lists: the kinds of items that a list holds, each with its name and its fields.
//! \[MS-WSSCAML 2.4, MS-LISTSWS 3.1.4.9\]
//!
//! A list begins with two, that of its template and that of folders, which stay. Clients give it more, made under one of
//! its own or one of the site, which are those of the templates and never change. All types of a list are kept in its bag
//! from the first change on. A row holds the id of its type where that is not the first.

use std::borrow::Cow;

use model::{Bag, Guid, PropertyKey, Value, limits};
use xml::{Document, Limits, Node, Writer};

use crate::{
    code::{Code, Failure},
    fields::{Field, TEMPLATES},
    schema::List,
};

/// Types that a list may have.
const CONTENT_TYPES_MAX: usize = 100;
/// Characters of a name. \[MS-LISTSWS 3.1.4.9.2.1\]
const NAME_CHARS_MAX: usize = 128;
/// Characters of a description or a group.
const TEXT_CHARS_MAX: usize = 1_024;
/// Digits of an id, behind `0x`. \[MS-WSSCAML 2.1.4\]
const ID_DIGITS_MAX: usize = 1_024;
/// Digits of the GUID in an id.
const GUID_DIGITS: usize = 32;
/// The type of folders.
const FOLDER: &str = "0x0120";
/// The fields of folders.
const FOLDER_FIELDS: &[&str] = &["Title", "FileLeafRef"];
/// The types of a list, Texts: one `ContentType` element each.
const KEY: PropertyKey = PropertyKey::Field(Cow::Borrowed("#ContentTypes"));
/// Of a row: the id of its type, Text.
pub(crate) const ROW_CONTENT_TYPE: PropertyKey = PropertyKey::Field(Cow::Borrowed("ContentTypeId"));
/// What a type may say of a field beside its name.
const LINK_ATTRIBUTES: &[&str] = &[
    "Aggregation",
    "DisplayName",
    "Hidden",
    "Node",
    "PIAttribute",
    "PITarget",
    "PrimaryPIAttribute",
    "PrimaryPITarget",
    "ReadOnly",
    "Required",
];

/// A content type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ContentType {
    /// Its id: `0x0108` and so on, with upper-case digits; that of the type it was made under is its beginning.
    pub(crate) id: String,
    /// The name shown; no other type of the list has it, in any case.
    pub(crate) name: String,
    /// For a reader.
    pub(crate) description: String,
    /// The group under which clients show it.
    pub(crate) group: String,
    /// How often it was changed.
    pub(crate) version: i32,
    /// Its fields, in order. `None`: those of the list that users fill in.
    links: Option<Vec<Link>>,
}

/// A field of a content type.
#[derive(Clone, Debug, PartialEq)]
struct Link {
    /// The internal name of a field; it may be one that the list no longer has.
    name: String,
    /// What is different from the field in the list.
    attributes: Vec<(String, String)>,
}

/// An id in the spelling of ours. `None` for text that is no id: two digits that are not `00` a step, or `00` and a GUID.
pub(crate) fn parse_id(text: &str) -> Option<String> {
    let text = text.trim();
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    if digits.len() > ID_DIGITS_MAX || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut rest = digits;
    while !rest.is_empty() {
        let step = if rest.starts_with("00") { 2 + GUID_DIGITS } else { 2 };
        rest = rest.get(step..)?;
    }
    Some(format!("0x{}", digits.to_uppercase()))
}

/// The types of the site: those of the templates, and that of folders.
pub(crate) fn of_site() -> impl Iterator<Item = ContentType> {
    let items = TEMPLATES.iter().filter(|template| !template.unique);
    let named = items.map(|template| (template.content_type, template.content_type_name));
    named.chain([(FOLDER, "Folder")]).map(|(id, name)| ContentType::new(id.to_owned(), name))
}

/// The types of a list. The first is that of items that say nothing, the second that of folders.
pub(crate) fn of_list(list: &List) -> Vec<ContentType> {
    if !list.content_types.is_empty() {
        return list.content_types.clone();
    }
    vec![
        ContentType::new(list.content_type_id(), list.template.content_type_name),
        ContentType::new(list.folder_content_type_id(), "Folder"),
    ]
}

/// What a bag says of the types of its list; none before they were changed.
pub(crate) fn of_bag(bag: &Bag) -> Vec<ContentType> {
    let Some(Value::Texts(texts)) = bag.get(&KEY) else { return Vec::new() };
    texts.iter().take(CONTENT_TYPES_MAX).filter_map(|text| ContentType::from_xml(text)).collect()
}

/// Whether some types can be kept.
///
/// # Errors
/// [`Failure::Uncoded`] where they are too many or too large.
pub(crate) fn check_size(types: &[ContentType]) -> Result<(), Failure> {
    // As much again is left to the fields and views of the list.
    let bytes: usize = types.iter().map(|own| own.to_xml().len()).sum();
    if types.len() > CONTENT_TYPES_MAX || bytes > limits::BAG_BYTES_MAX / 2 {
        return Err(Failure::uncoded("The content types of the list are too many or too large."));
    }
    Ok(())
}

/// Keeps the types of a list.
pub(crate) fn store(bag: &mut Bag, types: &[ContentType]) {
    bag.set(KEY, Value::Texts(types.iter().map(ContentType::to_xml).collect()));
}

/// Which of some types an id means: the one that has it, the nearest below it, else the nearest above.
pub(crate) fn best_match<'a>(types: &'a [ContentType], id: &str) -> Option<&'a ContentType> {
    let below = types.iter().filter(|own| own.id.starts_with(id)).min_by_key(|own| own.id.len());
    below.or_else(|| types.iter().filter(|own| id.starts_with(&own.id)).max_by_key(|own| own.id.len()))
}

/// Whether this is a type of folders.
pub(crate) fn is_of_folders(id: &str) -> bool {
    id.starts_with(FOLDER)
}

/// The id of the type of a list that a client names for a row by id, in `ContentTypeId`.
///
/// # Errors
/// [`Failure::Coded`] where the list has none.
pub(crate) fn named_by_id(list: &List, text: &str) -> Result<String, Failure> {
    let types = of_list(list);
    let found = parse_id(text).and_then(|id| best_match(&types, &id).map(|own| own.id.clone()));
    found.ok_or_else(|| Failure::bad_value("The list has no such content type."))
}

/// The id of the type of a list that a client names for a row by name, in `ContentType`.
///
/// # Errors
/// [`Failure::Coded`] where the list has none.
pub(crate) fn named(list: &List, name: &str) -> Result<String, Failure> {
    let found = of_list(list).into_iter().find(|own| own.is_named(name));
    found.map(|own| own.id).ok_or_else(|| Failure::bad_value("The list has no such content type."))
}

/// A name for a new type, or a new name.
///
/// # Errors
/// [`Failure::Coded`] for one that may not be.
pub(crate) fn check_name(name: &str) -> Result<(), Failure> {
    const FORBIDDEN: &[char] =
        &['\\', '/', ':', '*', '?', '"', '#', '%', '<', '>', '{', '}', '|', '~', '&', '\t', '\n', '\r'];
    let spaced = name.starts_with(char::is_whitespace) || name.ends_with(char::is_whitespace);
    let bad = name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.contains(FORBIDDEN);
    if bad || spaced || name.ends_with('.') || name.contains("..") {
        return Err(Failure::coded(Code::BAD_TYPE_NAME, "The name of the content type is not valid."));
    }
    Ok(())
}

/// A description or a group.
///
/// # Errors
/// [`Failure::Coded`] for one that is too long.
pub(crate) fn check_text(text: &str) -> Result<String, Failure> {
    if text.chars().count() > TEXT_CHARS_MAX {
        return Err(Failure::bad_value("A text of the content type is too long."));
    }
    Ok(text.to_owned())
}

impl ContentType {
    fn new(id: String, name: &str) -> Self {
        Self { id, name: name.to_owned(), description: String::new(), group: String::new(), version: 0, links: None }
    }

    /// A type of a list below this one, with its fields.
    ///
    /// # Errors
    /// [`Failure::Uncoded`] where types would lie too deep.
    pub(crate) fn below(&self, guid: Guid, name: &str, list: &List) -> Result<Self, Failure> {
        let id = format!("{}00{}", self.id, guid.to_string().replace('-', "").to_uppercase());
        if id.len() > ID_DIGITS_MAX {
            return Err(Failure::uncoded("The parent content type lies too deep."));
        }
        let mut made = Self::new(id, name);
        made.links = Some(self.links(list));
        Ok(made)
    }

    /// The fields of a type of the site that a list lacks.
    pub(crate) fn missing(&self, list: &List) -> Vec<Field> {
        let mut fields = self.site_fields().unwrap_or_default();
        fields.retain(|field| list.field(&field.name).is_none());
        fields
    }

    /// The fields of a type of the site, `None` for a type of a list.
    fn site_fields(&self) -> Option<Vec<Field>> {
        let template = TEMPLATES.iter().find(|template| template.content_type == self.id)?;
        let mut fields = template.list_fields();
        fields.retain(is_filled_in);
        Some(fields)
    }

    /// Whether it has this name, in any case.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.name.to_lowercase() == name.trim().to_lowercase()
    }

    /// Whether it is one of the two that the list began with.
    pub(crate) fn is_first(&self, list: &List) -> bool {
        self.id == list.content_type_id() || self.id == list.folder_content_type_id()
    }

    fn links(&self, list: &List) -> Vec<Link> {
        let link = |field: &Field| Link { name: field.name.to_string(), attributes: Vec::new() };
        if let Some(links) = &self.links {
            return links.iter().filter(|link| list.field(&link.name).is_some()).cloned().collect();
        }
        if let Some(fields) = self.site_fields() {
            return fields.iter().map(link).collect();
        }
        let folders = is_of_folders(&self.id);
        let has = |field: &&Field| if folders { FOLDER_FIELDS.contains(&&*field.name) } else { is_filled_in(field) };
        list.fields.iter().filter(has).map(link).collect()
    }

    /// Its fields as the list has them, with what the type says otherwise.
    pub(crate) fn fields(&self, list: &List) -> Vec<Field> {
        let mut fields = Vec::new();
        for link in self.links(list) {
            let Some(mut field) = list.field(&link.name).cloned() else { continue };
            for (name, value) in link.attributes {
                let truth = crate::fields::truth(Some(&value));
                match name.as_str() {
                    "DisplayName" => field.display = value.into(),
                    "Hidden" => field.hidden = truth,
                    "ReadOnly" => field.read_only = truth,
                    "Required" => field.required = truth,
                    _ => {
                        field.attributes.retain(|(own, _)| *own != name);
                        field.attributes.push((name.into(), value.into()));
                    }
                }
            }
            fields.push(field);
        }
        fields
    }

    /// Gives it the field of the list that an element names by id or by name, with what the element says of it; `known`
    /// says whether it must have that field before, or must not. Returns the field.
    ///
    /// # Errors
    /// [`Failure::Coded`] for a field that the list does not have, or the type.
    pub(crate) fn put(&mut self, list: &List, node: Node<'_>, known: bool) -> Result<Field, Failure> {
        let field = of_node(list, node)?;
        let mut links = self.links(list);
        let attributes = node.attributes().filter(|(_, name, _)| LINK_ATTRIBUTES.contains(name));
        let attributes: Vec<_> = attributes.map(|(_, name, value)| (name.to_owned(), value.to_owned())).collect();
        match links.iter_mut().find(|link| link.name == field.name) {
            Some(link) => {
                link.attributes.retain(|(own, _)| !attributes.iter().any(|(name, _)| name == own));
                link.attributes.extend(attributes);
            }
            None if known => return Err(no_field(field)),
            None => links.push(Link { name: field.name.to_string(), attributes }),
        }
        self.links = Some(links);
        Ok(field.clone())
    }

    /// Takes a field from it. Returns the field.
    ///
    /// # Errors
    /// [`Failure::Coded`] for a field that the list does not have, or the type.
    pub(crate) fn take(&mut self, list: &List, node: Node<'_>) -> Result<Field, Failure> {
        let field = of_node(list, node)?;
        let mut links = self.links(list);
        let before = links.len();
        links.retain(|link| link.name != field.name);
        if links.len() == before {
            return Err(no_field(field));
        }
        self.links = Some(links);
        Ok(field.clone())
    }

    fn to_xml(&self) -> String {
        let mut writer = Writer::new();
        writer.start("ContentType");
        writer.attribute("ID", &self.id);
        writer.attribute("Name", &self.name);
        writer.attribute("Description", &self.description);
        writer.attribute("Group", &self.group);
        writer.attribute_display("Version", self.version);
        if let Some(links) = &self.links {
            writer.start("FieldRefs");
            for link in links {
                writer.start("FieldRef");
                writer.attribute("Name", &link.name);
                for (name, value) in &link.attributes {
                    writer.attribute(name, value);
                }
                writer.end();
            }
            writer.end();
        }
        writer.end();
        String::from_utf8(writer.into_bytes()).unwrap_or_default()
    }

    fn from_xml(text: &str) -> Option<Self> {
        let document = Document::parse_fragment(text, &Limits::DEFAULT).ok()?;
        let node = document.root().children().next()?;
        let text = |name: &str| node.attribute(name).unwrap_or_default().to_owned();
        let link = |node: Node<'_>| {
            let attributes = node.attributes().filter(|(_, name, _)| LINK_ATTRIBUTES.contains(name));
            Some(Link {
                name: node.attribute("Name")?.to_owned(),
                attributes: attributes.map(|(_, name, value)| (name.to_owned(), value.to_owned())).collect(),
            })
        };
        Some(Self {
            id: parse_id(node.attribute("ID")?)?,
            name: text("Name"),
            description: text("Description"),
            group: text("Group"),
            version: text("Version").parse().unwrap_or_default(),
            links: node.child_local("FieldRefs").map(|links| links.children().filter_map(link).collect()),
        })
    }
}

/// Whether users fill in a field.
fn is_filled_in(field: &Field) -> bool {
    field.is_settable() && !field.hidden
}

/// The field of a list that an element names by id or by name.
fn of_node<'a>(list: &'a List, node: Node<'_>) -> Result<&'a Field, Failure> {
    let by_id = node.attribute("ID").and_then(|id| id.parse().ok()).and_then(|id| list.field_by_id(id));
    let name = node.attribute("Name").unwrap_or_default();
    by_id.or_else(|| list.field(name)).ok_or_else(|| crate::list_draft::no_field(name))
}

fn no_field(field: &Field) -> Failure {
    Failure::coded(Code::NO_FIELD, format!("The content type has no field {}.", field.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_steps() {
        for (text, id) in [
            ("0x", Some("0x")),
            ("0x0108", Some("0x0108")),
            (" 0X01ab ", Some("0x01AB")),
            ("0x0100", None),
            ("0x010", None),
            ("0x01000123456789abcdef0123456789abcdef", Some("0x01000123456789ABCDEF0123456789ABCDEF")),
            ("0108", None),
            ("0x01zz", None),
            ("0x\u{e9}1", None),
        ] {
            assert_eq!(parse_id(text).as_deref(), id, "{text}");
        }
    }

    #[test]
    fn the_nearest_type_counts() {
        let types = ["0x01", "0x0108AA", "0x0108AABB"].map(|id| ContentType::new(id.to_owned(), id));
        for (id, expected) in [
            ("0x0108AABB", Some("0x0108AABB")),
            ("0x0108AABBCC", Some("0x0108AABB")),
            ("0x0108", Some("0x0108AA")),
            ("0x0106", Some("0x01")),
            ("0x05", None),
        ] {
            assert_eq!(best_match(&types, id).map(|found| found.id.as_str()), expected, "{id}");
        }
    }

    #[test]
    fn types_survive_the_bag() {
        let mut made = ContentType::new("0x0108".to_owned(), "A & \"b\"");
        made.version = 3;
        made.links = Some(vec![Link { name: "Title".into(), attributes: vec![("DisplayName".into(), "<x>".into())] }]);
        let plain = ContentType::new("0x01".to_owned(), "Item");
        let mut bag = Bag::new();
        store(&mut bag, &[made.clone(), plain.clone()]);
        assert_eq!(of_bag(&bag), [made, plain]);
    }

    #[test]
    fn names() {
        let long = "x".repeat(NAME_CHARS_MAX + 1);
        for bad in ["", " a", "a ", "a.", "a..b", "a/b", "a\tb", "a&b", long.as_str()] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        assert_eq!(check_name("Purchase order 2.0"), Ok(()));
    }
}
