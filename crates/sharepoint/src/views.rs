//! Views of lists: what they hold, how they are stored with their list, and the `View` element. \[MS-VIEWSS 2.2.4, 2.2.8\]
//!
//! A list has the views of its template until somebody changes one; from then on it stores all of them. One of them is
//! always the default view. A change of a view is a change of its list: its version grows and clients get its definition
//! anew.

use std::borrow::Cow;

use engine::list_keys;
use model::{Bag, Guid, Value};
use sha2::{Digest, Sha256};
use xml::{Document, Node, Writer};

use crate::{
    caml::{Query, XML_LIMITS},
    code::Failure,
    fields::{CUSTOM_LIST, Template, ViewRow, bag_keys, truth},
    paths,
    query_options::Scope,
    schema::List,
    update,
};

/// Rows that a view shows where nothing else is said, and that `GetListItems` gives without a limit.
pub(crate) const ROW_LIMIT_DEFAULT: u32 = 100;
/// Views of one list.
pub(crate) const VIEWS_MAX: usize = 500;
/// Bytes of each markup that one view keeps.
const MARKUP_BYTES_MAX: usize = 65_536;
/// Fields of one view.
const FIELDS_MAX: usize = 500;

/// Kinds of views, with their numbers in REST. \[MS-WSSFO2 2.2.1.3.12 names the kinds\]
const KINDS: &[(&str, u32)] = &[
    ("HTML", 1),
    ("GRID", 2_048),
    ("RECURRENCE", 8_193),
    ("CHART", 131_072),
    ("CALENDAR", 524_288),
    ("GANTT", 67_108_864),
];

/// A view of a list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ListView {
    /// Its id.
    pub(crate) id: Guid,
    /// The name shown.
    pub(crate) title: Cow<'static, str>,
    /// Its page inside the folder of the list: `AllItems.aspx`.
    pub(crate) page: Cow<'static, str>,
    /// One of [`KINDS`].
    pub(crate) kind: &'static str,
    /// What stands inside `Query`: markup without namespaces, which is sound.
    pub(crate) query: Cow<'static, str>,
    /// Internal names of its fields, in order.
    pub(crate) fields: Vec<String>,
    /// Rows shown at once. 0 for all.
    pub(crate) row_limit: u32,
    /// Whether further rows come on further pages.
    pub(crate) paged: bool,
    /// How deep it reaches, where it says so.
    pub(crate) scope: Option<Scope>,
    /// Whether it is the default view.
    pub(crate) default: bool,
    /// Whether it is kept from users.
    pub(crate) hidden: bool,
    /// `BaseViewID`: which view of the template it is or was made like.
    pub(crate) base: u32,
    /// `Formats` and `Aggregations`: markup without namespaces, kept for clients.
    pub(crate) extras: String,
}

/// What a client says of a view.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ViewEdit {
    pub(crate) title: Option<String>,
    pub(crate) kind: Option<&'static str>,
    pub(crate) query: Option<String>,
    pub(crate) fields: Option<Vec<String>>,
    pub(crate) row_limit: Option<u32>,
    pub(crate) paged: Option<bool>,
    /// `Some(None)` for the scope of the folder.
    pub(crate) scope: Option<Option<Scope>>,
    /// Makes it the default view; there is always one, so `false` changes nothing.
    pub(crate) default: bool,
    pub(crate) hidden: Option<bool>,
    pub(crate) formats: Option<String>,
    pub(crate) aggregations: Option<String>,
}

/// A change of the fields of a view.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FieldsEdit {
    /// Behind the others, where it is not shown yet.
    Add(String),
    /// Where it is shown.
    Remove(String),
    /// All of them.
    Clear,
    /// To this place.
    Move { name: String, index: usize },
}

impl ViewEdit {
    /// Checks it against the list.
    ///
    /// # Errors
    /// [`Failure`] for fields that the list has not, and for what is past the bounds.
    pub(crate) fn check(&self, list: &List) -> Result<(), Failure> {
        if let Some(title) = self.title.as_deref().map(str::trim)
            && (title.is_empty() || title.chars().count() > model::limits::NAME_CHARS_MAX)
        {
            return Err(Failure::bad_value("The name of the view is empty or too long."));
        }
        if let Some(query) = &self.query {
            Query::parse_inner(query)?.meant_for(list)?;
        }
        let fields = self.fields.as_deref().unwrap_or_default();
        if let Some(name) = fields.iter().find(|name| list.field(name).is_none()) {
            return Err(super::list_draft::no_field(name));
        }
        let markup = [&self.query, &self.formats, &self.aggregations].into_iter().flatten();
        if fields.len() > FIELDS_MAX || markup.map(String::len).any(|bytes| bytes > MARKUP_BYTES_MAX) {
            return Err(Failure::bad_value("The view is too large."));
        }
        Ok(())
    }
}

impl ListView {
    fn of_row(list: Guid, row: &ViewRow, at: usize) -> Self {
        Self {
            id: view_id(list, row.name),
            title: Cow::Borrowed(row.name),
            page: Cow::Borrowed(row.page),
            kind: row.kind,
            query: Cow::Borrowed(row.query),
            fields: row.fields.iter().map(|name| (*name).to_owned()).collect(),
            row_limit: ROW_LIMIT_DEFAULT,
            paged: true,
            scope: None,
            default: at == 0,
            hidden: false,
            base: at as u32 + 1,
            extras: String::new(),
        }
    }

    /// Server-relative URL of its page.
    pub(crate) fn url(&self, list: &List) -> String {
        format!("/{}", paths::join(&list.root_folder, &self.page))
    }

    /// Rows at once, `None` for all.
    pub(crate) const fn rows_max(&self) -> Option<usize> {
        if self.row_limit == 0 { None } else { Some(self.row_limit as usize) }
    }

    /// The query, read.
    ///
    /// # Errors
    /// [`Failure`] where the stored markup is damaged.
    pub(crate) fn parsed(&self) -> Result<Query, Failure> {
        Query::parse_inner(&self.query)
    }

    /// Its `View` element alone.
    pub(crate) fn to_xml(&self) -> String {
        let mut writer = Writer::new();
        self.write(&mut writer, None);
        String::from_utf8(writer.into_bytes()).unwrap_or_default()
    }

    /// Reads a view as [`Self::to_xml`] wrote it.
    fn from_xml(text: &str) -> Option<Self> {
        let document = Document::parse_fragment(text, &XML_LIMITS).ok()?;
        let node = document.root().children().next()?;
        let number = |node: Option<Node<'_>>| node.and_then(|node| node.text().trim().parse().ok());
        let limit = node.child_local("RowLimit");
        let inside = |name: &str| node.child_local(name).map(|node| bare_children(node)).unwrap_or_default();
        let whole = |name: &str| node.child_local(name).map(bare).unwrap_or_default();
        let fields = node.child_local("ViewFields");
        let names = fields.into_iter().flat_map(Node::children).filter_map(|field| field.attribute("Name"));
        Some(Self {
            id: node.attribute("Name")?.parse().ok()?,
            title: node.attribute("DisplayName").unwrap_or_default().to_owned().into(),
            page: node.attribute("Url").unwrap_or_default().to_owned().into(),
            kind: kind(node.attribute("Type").unwrap_or_default())?,
            query: inside("Query").into(),
            fields: names.map(str::to_owned).collect(),
            row_limit: number(limit).unwrap_or(0),
            paged: truth(limit.and_then(|limit| limit.attribute("Paged"))),
            scope: node.attribute("Scope").map(Scope::parse),
            default: truth(node.attribute("DefaultView")),
            hidden: truth(node.attribute("Hidden")),
            base: node.attribute("BaseViewID").and_then(|text| text.parse().ok()).unwrap_or(1),
            extras: whole("Formats") + &whole("Aggregations"),
        })
    }

    /// Writes its `View` element with what is inside; `Url` is the page alone where there is no list.
    fn write(&self, writer: &mut Writer, list: Option<&List>) {
        writer.start("View");
        self.write_attributes(writer, list);
        writer.start("Query");
        writer.raw(&self.query);
        writer.end();
        writer.start("ViewFields");
        for name in &self.fields {
            writer.start("FieldRef");
            writer.attribute("Name", name);
            writer.end();
        }
        writer.end();
        writer.start("RowLimit");
        if self.paged {
            writer.attribute("Paged", "TRUE");
        }
        writer.display_text(self.row_limit);
        writer.end();
        writer.raw(&self.extras);
        writer.end();
    }

    fn write_attributes(&self, writer: &mut Writer, list: Option<&List>) {
        writer.attribute("Name", &self.id.braced());
        if self.default {
            writer.attribute("DefaultView", "TRUE");
            writer.attribute("MobileView", "TRUE");
            writer.attribute("MobileDefaultView", "TRUE");
        }
        if self.hidden {
            writer.attribute("Hidden", "TRUE");
        }
        writer.attribute("Type", self.kind);
        writer.attribute("DisplayName", &self.title);
        writer.attribute("Url", &list.map_or_else(|| self.page.clone().into_owned(), |list| self.url(list)));
        writer.attribute("Level", "1");
        if let Some(scope) = self.scope {
            writer.attribute("Scope", scope.wire());
        }
        writer.attribute_display("BaseViewID", self.base);
        writer.attribute("ContentTypeID", "0x");
        writer.attribute("ImageUrl", "/_layouts/images/generic.png");
    }

    /// Changes it to what a client says, which was checked against the list.
    pub(crate) fn apply(&mut self, edit: &ViewEdit) {
        if let Some(title) = &edit.title {
            self.title = title.trim().to_owned().into();
        }
        if let Some(query) = &edit.query {
            self.query = query.clone().into();
        }
        if let Some(fields) = &edit.fields {
            self.fields.clear();
            fields.iter().for_each(|name| self.edit_fields(&FieldsEdit::Add(name.clone())));
        }
        if edit.formats.is_some() || edit.aggregations.is_some() {
            let own = format!("<r>{}</r>", self.extras);
            let document = Document::parse_fragment(&own, &XML_LIMITS).ok();
            let root = document.as_ref().and_then(|document| document.root().child_local("r"));
            let keep = |name: &str, new: &Option<String>| {
                let old = || root.and_then(|root| root.child_local(name)).map(bare).unwrap_or_default();
                new.clone().unwrap_or_else(old)
            };
            self.extras = keep("Formats", &edit.formats) + &keep("Aggregations", &edit.aggregations);
        }
        self.kind = edit.kind.unwrap_or(self.kind);
        self.row_limit = edit.row_limit.unwrap_or(self.row_limit);
        self.paged = edit.paged.unwrap_or(self.paged);
        self.scope = edit.scope.unwrap_or(self.scope);
        self.hidden = edit.hidden.unwrap_or(self.hidden);
        self.default |= edit.default;
    }

    /// Changes its fields.
    pub(crate) fn edit_fields(&mut self, edit: &FieldsEdit) {
        match edit {
            FieldsEdit::Add(name) if !self.fields.contains(name) => self.fields.push(name.clone()),
            FieldsEdit::Add(_) => {}
            FieldsEdit::Remove(name) => self.fields.retain(|own| own != name),
            FieldsEdit::Clear => self.fields.clear(),
            FieldsEdit::Move { name, index } => {
                if let Some(at) = self.fields.iter().position(|own| own == name) {
                    let moved = self.fields.remove(at);
                    self.fields.insert((*index).min(self.fields.len()), moved);
                }
            }
        }
    }

    /// A new view of a list. Without fields it has those of the default view, and its page is named after it.
    ///
    /// # Errors
    /// As [`ViewEdit::check`]; also past [`VIEWS_MAX`].
    pub(crate) fn new(list: &List, edit: &ViewEdit, id: Guid) -> Result<Self, Failure> {
        let all = views(list);
        if all.len() >= VIEWS_MAX {
            return Err(Failure::bad_value("The list has too many views."));
        }
        let title = edit.title.as_deref().unwrap_or_default();
        let mut view = Self {
            id,
            title: Cow::Borrowed(""),
            page: free_page(&all, title, list.template.is_library())?.into(),
            kind: "HTML",
            query: Cow::Borrowed(""),
            fields: all.first().map(|first| first.fields.clone()).unwrap_or_default(),
            row_limit: ROW_LIMIT_DEFAULT,
            paged: true,
            scope: None,
            default: false,
            hidden: false,
            base: 1,
            extras: String::new(),
        };
        let edit = ViewEdit { title: Some(title.to_owned()), ..edit.clone() };
        edit.check(list)?;
        view.apply(&edit);
        Ok(view)
    }
}

/// The kind of this name, in any case; nothing is the usual kind.
pub(crate) fn kind(name: &str) -> Option<&'static str> {
    let name = if name.is_empty() { "HTML" } else { name };
    KINDS.iter().map(|(known, _)| *known).find(|known| known.eq_ignore_ascii_case(name))
}

/// The kind of this number.
pub(crate) fn kind_by_number(number: i64) -> Option<&'static str> {
    KINDS.iter().find(|(_, known)| i64::from(*known) == number).map(|(name, _)| *name)
}

/// The views of a list, the default view first.
pub(crate) fn views(list: &List) -> Vec<ListView> {
    let mut views = of_bag(&list.collection.bag);
    for view in &mut views {
        view.fields.retain(|name| list.field(name).is_some());
    }
    views
}

/// The views in the bag of a list, the default view first. They may name fields that are gone.
pub(crate) fn of_bag(bag: &Bag) -> Vec<ListView> {
    if let Some(Value::Texts(texts)) = bag.get(&bag_keys::VIEWS) {
        let mut views: Vec<ListView> =
            texts.iter().take(VIEWS_MAX).filter_map(|text| ListView::from_xml(text)).collect();
        views.sort_by_key(|view| !view.default);
        if let Some(first) = views.first_mut() {
            first.default = true;
            return views;
        }
    }
    let id = bag.get(&list_keys::LIST_TEMPLATE).and_then(Value::as_i64).unwrap_or_default();
    let template = i32::try_from(id).ok().and_then(Template::by_id).unwrap_or(CUSTOM_LIST);
    let guid = bag.get(&list_keys::LIST_GUID).and_then(Value::as_guid).unwrap_or_default();
    template.views.iter().enumerate().map(|(at, row)| ListView::of_row(guid, row, at)).collect()
}

/// Puts the views of a list into its bag.
pub(crate) fn store(bag: &mut Bag, views: &[ListView]) {
    bag.set(bag_keys::VIEWS, Value::Texts(views.iter().map(ListView::to_xml).collect()));
}

/// The id of a template's view, which follows from the list and its name.
fn view_id(list: Guid, name: &str) -> Guid {
    let digest = Sha256::new().chain_update(list.0).chain_update(name.as_bytes()).finalize();
    let mut bytes = [0; 16];
    for (slot, byte) in bytes.iter_mut().zip(digest) {
        *slot = byte;
    }
    Guid::random(bytes)
}

/// A page that no other view has: the title without what paths do not take, with a number where it is taken.
fn free_page(all: &[ListView], title: &str, library: bool) -> Result<String, Failure> {
    let plain: String = title.chars().filter(|c| *c == ' ' || update::leaf(&c.to_string()).is_ok()).take(100).collect();
    let plain = plain.trim_matches([' ', '.']).to_owned();
    let stem = if plain.is_empty() { "View".to_owned() } else { plain };
    let page = |stem: String| if library { format!("Forms/{stem}.aspx") } else { format!("{stem}.aspx") };
    let numbered = (1..=VIEWS_MAX).map(|number| page(format!("{stem}{number}")));
    std::iter::once(page(stem.clone()))
        .chain(numbered)
        .find(|page| !all.iter().any(|view| view.page.eq_ignore_ascii_case(page)))
        .ok_or_else(|| Failure::bad_value("There are too many views of this name."))
}

/// An element as markup without namespaces, which stands in any namespace then.
pub(crate) fn bare(node: Node<'_>) -> String {
    let mut writer = Writer::new();
    write_bare(&mut writer, node);
    String::from_utf8(writer.into_bytes()).unwrap_or_default()
}

/// What stands inside an element, as [`bare`].
pub(crate) fn bare_children(node: Node<'_>) -> String {
    node.children().map(bare).collect()
}

/// As deep as documents may be, which is bounded.
fn write_bare(writer: &mut Writer, node: Node<'_>) {
    writer.start_named(node.local());
    for (namespace, name, value) in node.attributes() {
        if namespace.is_empty() {
            writer.attribute(name, value);
        }
    }
    writer.text(&node.text());
    node.children().for_each(|child| write_bare(writer, child));
    writer.end();
}

/// Writes a `View` element without what is inside.
pub(crate) fn write_brief(writer: &mut Writer, list: &List, view: &ListView) {
    writer.start("View");
    view.write_attributes(writer, Some(list));
    writer.end();
}

/// Writes a `View` element with its query, fields and limit.
pub(crate) fn write_view(writer: &mut Writer, list: &List, view: &ListView) {
    view.write(writer, Some(list));
}
