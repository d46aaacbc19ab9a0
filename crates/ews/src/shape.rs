//! Response shapes: which fields an answer has.

use std::collections::HashMap;

use engine::{Folder, ItemView, View};
use model::Guid;
use xml::{Node, Writer};

use crate::class::{self, FolderClass, ItemClass};
use crate::fields::{self, Field, Needs};
use crate::item::{Item, Rendering};
use crate::path::{ExtendedField, Path};
use crate::{Failure, Fault, Header, ResponseCode, folder, request, version};

/// Paths of one shape.
const PATHS_MAX: usize = 1_000;

/// The base of a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BaseShape {
    /// The id alone.
    IdOnly,
    /// The usual fields.
    Default,
    /// All fields.
    AllProperties,
}

/// Which body is returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyKind {
    /// What is stored.
    Best,
    /// HTML.
    Html,
    /// Text.
    Text,
}

/// What an answer is to, since some fields are returned by GetItem alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// FindItem.
    Find,
    /// SyncFolderItems. What only GetItem returns is left out where it is asked for by name: exchangelib 5.6.0 asks for
    /// every field unless told otherwise, and is content.
    Sync,
    /// GetItem and GetAttachment.
    Get,
}

/// The shape of items.
#[derive(Clone, Debug)]
pub(crate) struct ItemShape {
    base: BaseShape,
    mime: bool,
    body: BodyKind,
    filter_html: bool,
    body_chars_max: Option<usize>,
    uris: Vec<String>,
    /// Fields of which single entries are asked for; they are written whole, but for headers.
    indexed: Vec<&'static str>,
    /// Names of single header fields.
    header_names: Vec<String>,
    extended: Vec<ExtendedField>,
    /// What is wrong with a path; every item then fails with it.
    invalid: Option<Failure>,
}

/// The shape of folders.
#[derive(Clone, Debug)]
pub(crate) struct FolderShape {
    base: BaseShape,
    uris: Vec<String>,
    extended: Vec<ExtendedField>,
    invalid: Option<Failure>,
}

/// Paths of a request, by kind.
#[derive(Default)]
struct Paths {
    uris: Vec<String>,
    indexed: Vec<(String, String)>,
    extended: Vec<ExtendedField>,
    invalid: Option<Failure>,
}

const BASE_SHAPES: &[(&str, BaseShape)] =
    &[("IdOnly", BaseShape::IdOnly), ("Default", BaseShape::Default), ("AllProperties", BaseShape::AllProperties)];
const BODY_KINDS: &[(&str, BodyKind)] = &[("Best", BodyKind::Best), ("HTML", BodyKind::Html), ("Text", BodyKind::Text)];

/// Elements of an `ItemShape` and an `AttachmentShape`.
const SHAPE_CHILDREN: &[&str] = &[
    "BaseShape",
    "IncludeMimeContent",
    "BodyType",
    "UniqueBodyType",
    "NormalizedBodyType",
    "FilterHtmlContent",
    "ConvertHtmlCodePageToUTF8",
    "InlineImageUrlTemplate",
    "BlockExternalImages",
    "AddBlankTargetToLinks",
    "MaximumBodySize",
    "AdditionalProperties",
];

fn read_base(node: Node<'_>) -> Result<BaseShape, Fault> {
    let base = request::required(node, "BaseShape")?;
    request::enumeration(base, &base.text(), "DefaultShapeNamesType", BASE_SHAPES)
}

fn read_paths(shape: Node<'_>) -> Result<Paths, Fault> {
    let mut paths = Paths::default();
    let Some(additional) = shape.child_local("AdditionalProperties") else { return Ok(paths) };
    for (number, node) in additional.children().enumerate() {
        if number == PATHS_MAX {
            return Err(Fault::schema(node, node.local(), "it has more entries than one request may hold."));
        }
        match Path::read(node)? {
            Ok(Path::Field(uri)) => paths.uris.push(uri),
            Ok(Path::Indexed { uri, index }) => paths.indexed.push((uri, index)),
            Ok(Path::Extended(field)) => {
                if !paths.extended.contains(&field) {
                    paths.extended.push(field);
                }
            }
            Err(failure) => paths.invalid = Some(failure),
        }
    }
    Ok(paths)
}

impl ItemShape {
    /// Reads an `ItemShape` element (or an `AttachmentShape`, whose base may be missing).
    pub(crate) fn read(node: Node<'_>) -> Result<Self, Fault> {
        let base = read_base(node)?;
        Self::read_rest(node, base)
    }

    /// Reads an `AttachmentShape`.
    pub(crate) fn read_attachment(node: Option<Node<'_>>) -> Result<Self, Fault> {
        match node {
            Some(node) => Self::read_rest(node, BaseShape::AllProperties),
            None => Ok(Self::of_base(BaseShape::AllProperties)),
        }
    }

    /// A shape without anything but its base.
    pub(crate) const fn of_base(base: BaseShape) -> Self {
        Self {
            base,
            mime: false,
            body: BodyKind::Best,
            filter_html: false,
            body_chars_max: None,
            uris: Vec::new(),
            indexed: Vec::new(),
            header_names: Vec::new(),
            extended: Vec::new(),
            invalid: None,
        }
    }

    fn read_rest(node: Node<'_>, base: BaseShape) -> Result<Self, Fault> {
        request::known_children(node, SHAPE_CHILDREN)?;
        let paths = read_paths(node)?;
        let body = node.child_local("BodyType");
        let body = body.map(|body| request::enumeration(body, &body.text(), "BodyTypeResponseType", BODY_KINDS));
        let max = node.child_local("MaximumBodySize").map(|max| request::integer(max, 0, i32::MAX)).transpose()?;
        let all_headers =
            base == BaseShape::AllProperties || paths.uris.iter().any(|uri| uri == "item:InternetMessageHeaders");
        let named = |(uri, index): &(String, String)| (uri == "item:InternetMessageHeader").then(|| index.clone());
        let header_names = if all_headers { Vec::new() } else { paths.indexed.iter().filter_map(named).collect() };
        Ok(Self {
            base,
            mime: request::boolean_child(node, "IncludeMimeContent")?.unwrap_or_default(),
            body: body.transpose()?.unwrap_or(BodyKind::Best),
            filter_html: request::boolean_child(node, "FilterHtmlContent")?.unwrap_or_default(),
            body_chars_max: max.and_then(|max| usize::try_from(max).ok()),
            uris: paths.uris,
            indexed: paths.indexed.iter().filter_map(|(uri, _)| fields::whole(uri)).collect(),
            header_names,
            extended: paths.extended,
            invalid: paths.invalid,
        })
    }

    /// Whether the shape can be served at all.
    ///
    /// # Errors
    /// What is wrong with a path; `ErrorInvalidPropertyForOperation` where FindItem is asked for what only GetItem
    /// returns, or either of the lists for the MIME content.
    pub(crate) fn check(&self, purpose: Purpose) -> Result<(), Failure> {
        if let Some(failure) = &self.invalid {
            return Err(failure.clone());
        }
        if purpose == Purpose::Get {
            return Ok(());
        }
        if self.mime {
            return Err(Failure::field(ResponseCode::ErrorInvalidPropertyForOperation, "item:MimeContent"));
        }
        if purpose == Purpose::Sync {
            return Ok(());
        }
        let refused = |uri: &&str| fields::find(uri).is_some_and(|field| field.able.get_only());
        match self.uris.iter().map(String::as_str).chain(self.indexed.iter().copied()).find(refused) {
            Some(uri) => Err(Failure::field(ResponseCode::ErrorInvalidPropertyForOperation, uri)),
            None => Ok(()),
        }
    }

    /// How items of this shape are written.
    pub(crate) fn rendering<'h>(&'h self, header: &'h Header) -> Rendering<'h> {
        Rendering {
            header,
            body: self.body,
            filter_html: self.filter_html,
            body_chars_max: self.body_chars_max,
            header_names: &self.header_names,
        }
    }

    fn includes(&self, class: &ItemClass, field: &Field, purpose: Purpose, header: &Header) -> bool {
        if field.able.get_only() && purpose != Purpose::Get {
            return false;
        }
        let asked = self.uris.iter().any(|uri| uri == field.uri) || self.indexed.contains(&field.uri);
        if asked || field.uri == "item:ItemId" {
            return true;
        }
        if field.uri == "item:MimeContent" {
            return self.mime;
        }
        if field.since > header.version || field.able.only_asked() {
            return false;
        }
        match self.base {
            BaseShape::IdOnly => false,
            BaseShape::Default => {
                class.default_shape.contains(&field.uri)
                    || purpose == Purpose::Get && class.default_get.contains(&field.uri)
            }
            BaseShape::AllProperties => true,
        }
    }
}

/// A shape made ready for the kinds of items that occur in one answer.
pub(crate) struct ItemWriter<'s> {
    shape: &'s ItemShape,
    purpose: Purpose,
    rendering: Rendering<'s>,
    plans: HashMap<&'static str, Plan>,
}

/// What is written of one kind of item.
struct Plan {
    fields: Vec<&'static Field>,
    needs: Needs,
}

impl<'s> ItemWriter<'s> {
    /// A writer of items of that shape.
    pub(crate) fn new(shape: &'s ItemShape, purpose: Purpose, header: &'s Header) -> Self {
        Self { shape, purpose, rendering: shape.rendering(header), plans: HashMap::new() }
    }

    fn plan(&mut self, class: &'static ItemClass) -> &Plan {
        let (shape, purpose, header) = (self.shape, self.purpose, self.rendering.header);
        self.plans.entry(class.element).or_insert_with(|| {
            let fields: Vec<_> = class.fields().filter(|field| shape.includes(class, field, purpose, header)).collect();
            let mut needs = fields.iter().fold(Needs::NONE, |needs, field| needs.with(field.needs()));
            if purpose == Purpose::Get && !shape.extended.is_empty() {
                needs = needs.with(Needs::HEAVY);
            }
            Plan { fields, needs }
        })
    }

    /// What of the item has to be loaded.
    pub(crate) fn needs(&mut self, class: &'static ItemClass) -> Needs {
        self.plan(class).needs
    }

    /// Loads a stored item as far as the shape needs it.
    ///
    /// # Errors
    /// When the store fails or the item is damaged.
    pub(crate) async fn load<'r>(
        &mut self,
        mailbox: Guid,
        view: &mut View,
        row: ItemView<'r>,
    ) -> Result<Item<'r>, Failure> {
        let message_class = row.bag().text(&model::tags::MESSAGE_CLASS).unwrap_or_default();
        let class = version::class_of(message_class, self.purpose, self.rendering.header.version);
        let needs = self.needs(class);
        // Where it is only named among other properties, exchangelib 5.6.0 wants the rest of the task nevertheless.
        if self.shape.mime && matches!(class.element, "t:DistributionList" | "t:Task") {
            return Err(ResponseCode::ErrorUnsupportedMimeConversion.into());
        }
        Item::load(mailbox, view, row, needs).await
    }

    /// Writes an item as the element of its class.
    pub(crate) fn write(&mut self, out: &mut Writer, item: &Item<'_>) {
        let rendering = self.rendering;
        let class = version::class_of(&item.class(), self.purpose, rendering.header.version);
        let extended = &self.shape.extended;
        let plan = self.plan(class);
        out.start(class.element);
        let mut pending = !extended.is_empty();
        for field in &plan.fields {
            // Extended properties stand after the first fields of an item.
            if pending && !fields::item::FIRST.iter().any(|first| first.uri == field.uri) {
                write_extended(out, item, extended, &rendering);
                pending = false;
            }
            field.write(out, item, &rendering);
        }
        if pending {
            write_extended(out, item, extended, &rendering);
        }
        out.end();
    }
}

fn write_extended(out: &mut Writer, item: &Item<'_>, extended: &[ExtendedField], rendering: &Rendering<'_>) {
    for field in extended {
        if let Some(value) = item.value(&field.key) {
            field.write(out, &value, rendering.header);
        }
    }
}

impl FolderShape {
    /// Reads a `FolderShape` element.
    pub(crate) fn read(node: Node<'_>) -> Result<Self, Fault> {
        request::known_children(node, &["BaseShape", "AdditionalProperties"])?;
        let base = read_base(node)?;
        let paths = read_paths(node)?;
        Ok(Self { base, uris: paths.uris, extended: paths.extended, invalid: paths.invalid })
    }

    /// A shape with all that is counted.
    pub(crate) const fn counts() -> Self {
        Self { base: BaseShape::AllProperties, uris: Vec::new(), extended: Vec::new(), invalid: None }
    }

    /// Whether the shape can be served at all.
    ///
    /// # Errors
    /// What is wrong with a path.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        self.invalid.clone().map_or(Ok(()), Err)
    }

    /// Whether a field is in the shape.
    pub(crate) fn includes(&self, class: &FolderClass, field: &folder::FolderField, header: &Header) -> bool {
        if field.uri == "folder:FolderId" || self.uris.iter().any(|uri| uri == field.uri) {
            return true;
        }
        if field.since > header.version {
            return false;
        }
        match self.base {
            BaseShape::IdOnly => false,
            BaseShape::Default => class.default_shape.contains(&field.uri),
            BaseShape::AllProperties => true,
        }
    }

    /// Whether the counts of items in this folder are in the shape.
    pub(crate) fn wants_counts(&self, folder: &Folder, header: &Header) -> bool {
        let counts = [model::tags::CONTENT_COUNT, model::tags::CONTENT_UNREAD_COUNT];
        let class = Self::class(folder);
        folder::counts().any(|field| self.includes(class, field, header))
            || self.extended.iter().any(|field| counts.contains(&field.key))
    }

    /// The extended properties asked for.
    pub(crate) fn extended(&self) -> &[ExtendedField] {
        &self.extended
    }

    /// The kind of a folder.
    pub(crate) fn class(folder: &Folder) -> &'static FolderClass {
        class::of_folder(folder.class(), folder.is_search())
    }
}
