//! Writing rows: from the names and texts that clients send to drafts of the engine. SOAP and REST share this.

use std::collections::BTreeSet;

use engine::{Along, EngineError, Removal, RowDraft, View, list_keys};
use model::{Bag, Guid, ItemFlags, ItemId, PropertyKey, Value, limits};
use store::ItemRow;
use xml::encode_name;

use crate::{
    calendar,
    code::Failure,
    content_types::{self, ROW_CONTENT_TYPE},
    context::Context,
    fields::{Field, is_name},
    list_settings,
    moderation::Moderation,
    names::Names,
    paths,
    rows::{Item, MAJOR_VERSION, META_INFO_PREFIX, Row},
    schema::List,
    value::{self, Reading},
};

/// Fields that clients send along and that are not written: the server knows better.
const IGNORED_FIELDS: &[&str] = &["FileRef", "FileDirRef", "UniqueId", "GUID", "PermMask"];

/// A value that a client writes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FieldWrite {
    /// Internal name.
    pub(crate) name: String,
    /// The entry of the property bag, where the name is `MetaInfo`.
    pub(crate) property: Option<String>,
    /// The value as text.
    pub(crate) text: String,
}

/// What a client changes of a row, checked against its list.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Edit {
    set: Vec<(PropertyKey, Option<Value>)>,
    /// The row is a folder.
    pub(crate) folder: bool,
    /// A new name: the whole last part of the path, or all of it but the extension.
    rename: Option<Rename>,
    /// The version that the client means.
    pub(crate) version: Option<i32>,
    /// The row that the client means.
    pub(crate) number: Option<u32>,
    /// A state of approval, with a comment.
    pub(crate) moderation: Moderation,
    /// The id of a content type of the list.
    content_type: Option<String>,
    /// Version, time and editor of the row stay as they are.
    pub(crate) system: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Rename {
    Leaf(String),
    Stem(String),
}

impl Edit {
    /// Reads what a client writes.
    ///
    /// # Errors
    /// [`Failure::Coded`] for an unknown field, one that cannot be written, and a bad value.
    pub(crate) fn read(list: &List, writes: &[FieldWrite], reading: &Reading<'_>) -> Result<Self, Failure> {
        let mut edit = Self::default();
        for write in writes {
            edit.add(list, write, reading)?;
        }
        Ok(edit)
    }

    fn add(&mut self, list: &List, write: &FieldWrite, reading: &Reading<'_>) -> Result<(), Failure> {
        let text = write.text.as_str();
        match write.name.as_str() {
            "ID" => self.number = text.trim().split(";#").next().and_then(|text| text.parse().ok()),
            "owshiddenversion" => {
                let bad = |_| Failure::bad_value("owshiddenversion is not a number.");
                self.version =
                    Some(text.trim()).filter(|text| !text.is_empty()).map(str::parse).transpose().map_err(bad)?;
            }
            "InstanceID" if list_settings::MULTIPLE_DATA_LIST.is_on(list) => {
                let field = list.field("InstanceID").ok_or_else(|| Failure::bad_value("There is no InstanceID."))?;
                self.set.push((PropertyKey::field("InstanceID"), value::parse(field, text, reading)?));
            }
            "FSObjType" => self.folder = text.trim().rsplit(";#").next() == Some("1"),
            "BaseName" => self.rename = Some(Rename::Stem(leaf(text)?)),
            "FileLeafRef" => self.rename = Some(Rename::Leaf(leaf(text.rsplit(";#").next().unwrap_or(text))?)),
            "MetaInfo" => {
                let Some(property) = &write.property else { return Ok(()) };
                if !is_name(property) {
                    return Err(Failure::bad_value("The name of a property is not valid."));
                }
                let value = Some(text).filter(|text| !text.is_empty()).map(Value::text);
                self.set.push((PropertyKey::field(format!("{META_INFO_PREFIX}{property}")), value));
            }
            "_ModerationStatus" => self.moderation.read_status(list, text)?,
            "_ModerationComments" => self.moderation.comment = Some(text.to_owned()),
            "ContentTypeId" if text.trim().is_empty() => {}
            "ContentTypeId" => self.content_type = Some(content_types::named_by_id(list, text)?),
            // The id says more than the name.
            "ContentType" if text.trim().is_empty() || self.content_type.is_some() => {}
            "ContentType" => self.content_type = Some(content_types::named(list, text)?),
            name if IGNORED_FIELDS.contains(&name) => {}
            name => {
                let field = list.field(name).or_else(|| list.field(&encode_name(name)));
                let field = field.ok_or_else(|| {
                    Failure::bad_value(format!(
                        "One or more field types are not installed properly. Unknown field: {name}"
                    ))
                })?;
                if !field.is_settable() {
                    return Err(Failure::bad_value(format!("The field {name} cannot be written.")));
                }
                self.set.push((PropertyKey::field(&*field.name), value::parse(field, text, reading)?));
            }
        }
        Ok(())
    }

    /// Whether it writes this field.
    fn has(&self, field: &Field) -> bool {
        self.set.iter().any(|(key, _)| *key == PropertyKey::field(&*field.name))
    }

    fn apply(&self, bag: &mut Bag) {
        for (key, value) in &self.set {
            bag.put(key.clone(), value.clone());
        }
        if let Some(id) = &self.content_type {
            bag.set(ROW_CONTENT_TYPE, Value::text(id));
        }
    }

    /// Whether a row may have the content type that was written.
    ///
    /// # Errors
    /// [`Failure::Coded`] for the type of folders on an item, and that of items on a folder.
    fn check_content_type(&self, folder: bool) -> Result<(), Failure> {
        if self.content_type.as_ref().is_some_and(|id| content_types::is_of_folders(id) != folder) {
            return Err(Failure::bad_value("The content type does not go with the row."));
        }
        Ok(())
    }
}

/// The users that some texts name.
///
/// # Errors
/// When the store fails.
pub(crate) async fn names_for(view: &mut View, list: &List, writes: &[FieldWrite]) -> Result<Names, Failure> {
    let (mut ids, mut logins) = (BTreeSet::new(), Vec::new());
    for write in writes.iter().filter(|write| list.field(&write.name).is_some_and(|field| field.kind.is_user())) {
        let mut after_id = false;
        for part in write.text.split(";#").map(str::trim).take(value::MEMBERS_MAX) {
            match part.parse::<u32>() {
                Ok(id) => _ = ids.insert(id),
                // What follows an id is its name, what follows -1 is a login.
                Err(_) if part.is_empty() || part == "-1" || after_id => {}
                Err(_) => logins.push(part),
            }
            after_id = part.parse::<u32>().is_ok();
        }
    }
    Ok(Names::of_users(view, ids, &logins).await?)
}

/// Adds a row. `folder` is where, a path inside the list.
///
/// # Errors
/// [`Failure`]; nothing was written.
pub(crate) async fn create(
    context: &Context<'_>,
    list: &List,
    edit: &Edit,
    folder: &str,
    reading: &Reading<'_>,
) -> Result<Item, Failure> {
    let draft = draft(context, list, edit, folder, reading)?;
    Ok(Item::from(context.site.create_row(list.id(), draft).await?))
}

/// A row to be added. `folder` is where, a path inside the list.
///
/// # Errors
/// [`Failure`] for what cannot be added.
pub(crate) fn draft(
    context: &Context<'_>,
    list: &List,
    edit: &Edit,
    folder: &str,
    reading: &Reading<'_>,
) -> Result<RowDraft, Failure> {
    check_writable(list)?;
    let mut draft = RowDraft::default();
    for field in &list.fields {
        if let Some(text) = field.default_text().filter(|_| !edit.has(field)) {
            draft.bag.put(PropertyKey::field(&*field.name), value::parse(field, &text, reading)?);
        }
    }
    edit.check_content_type(edit.folder)?;
    edit.apply(&mut draft.bag);
    check_required(list, |key| draft.bag.get(key).is_some())?;
    edit.moderation.check(list, None)?;
    edit.moderation.apply(list, &mut draft.bag);
    let name = edit.rename.as_ref().map(|(Rename::Leaf(name) | Rename::Stem(name))| name.as_str());
    if edit.folder {
        if list_settings::ENABLE_FOLDER_CREATION.was_turned_off(list) {
            return Err(Failure::bad_value("Folders cannot be made in this list."));
        }
        let name = name.ok_or_else(|| Failure::bad_value("A folder needs a BaseName."))?;
        draft.path = Some(paths::join(folder, name));
        draft.flags = ItemFlags::FOLDER;
        let title = PropertyKey::field("Title");
        if draft.bag.get(&title).is_none() {
            draft.bag.set(title, Value::text(name));
        }
    } else if list.template.is_library() {
        return Err(Failure::bad_value("Files are added to a document library by uploading them."));
    } else if !folder.is_empty() {
        draft.bag.set(list_keys::ROW_FOLDER, Value::text(folder));
    }
    if list.template.id == calendar::TEMPLATE && !edit.folder {
        calendar::complete(&mut draft.bag, context.adapter.engine.random());
    }
    Ok(draft)
}

/// Whether all required fields of a row have values, in a list that insists on them.
fn check_required(list: &List, has: impl Fn(&PropertyKey) -> bool) -> Result<(), Failure> {
    if !list_settings::ENFORCE_DATA_VALIDATION.is_on(list) {
        return Ok(());
    }
    let required = list.fields.iter().filter(|field| field.required && field.is_settable());
    match required.into_iter().find(|field| !has(&PropertyKey::field(&*field.name))) {
        Some(field) => Err(Failure::bad_value(format!("The field {} must have a value.", field.name))),
        None => Ok(()),
    }
}

/// Changes a row.
///
/// # Errors
/// [`Failure`]; nothing was written.
pub(crate) async fn change(context: &Context<'_>, list: &List, number: u32, edit: &Edit) -> Result<Item, Failure> {
    check_writable(list)?;
    // What has no value stays so; nothing loses its own.
    check_required(list, |key| !edit.set.iter().any(|(own, value)| own == key && value.is_none()))?;
    let folder = if edit.rename.is_some() { item_folder(context, list, number).await? } else { None };
    let random = context.adapter.engine.random();
    let is_calendar = list.template.id == calendar::TEMPLATE;
    let id = ItemId::in_list(list.id(), number);
    if edit.moderation.is_asked() || edit.content_type.is_some() {
        let row = Item::from(context.view().await?.item(id).await?);
        edit.check_content_type(row.flags.has(ItemFlags::FOLDER))?;
        edit.moderation.check(list, Some(&Row::new(list, &row)?))?;
    }
    let write = |draft: &mut RowDraft| {
        edit.apply(&mut draft.bag);
        if !edit.system {
            count_version(list, &mut draft.bag);
        }
        if !edit.system || edit.moderation.is_asked() {
            edit.moderation.apply(list, &mut draft.bag);
        }
        if let (Some(path), Some(rename)) = (&draft.path, &edit.rename) {
            let (directory, old) = paths::split(path);
            let leaf = match rename {
                Rename::Leaf(leaf) => leaf.clone(),
                Rename::Stem(stem) if draft.flags.has(ItemFlags::FOLDER) => stem.clone(),
                Rename::Stem(stem) => match old.rsplit_once('.') {
                    Some((_, extension)) => format!("{stem}.{extension}"),
                    None => stem.clone(),
                },
            };
            draft.path = Some(paths::join(directory, &leaf));
        }
        if is_calendar {
            calendar::complete(&mut draft.bag, random);
        }
    };
    let row = match edit.system {
        true => context.site.system_update_row(id, edit.version, &write).await?,
        false => context.site.update_row(id, edit.version, &write).await?,
    };
    if is_calendar && edit.set.iter().any(|(key, _)| calendar::ends_exceptions(key)) {
        let exceptions = calendar::exceptions(&mut context.view().await?, list, number).await?;
        delete_all(context, &exceptions).await?;
    }
    let row = Item::from(row);
    if let Some(old) = folder {
        let path = Row::new(list, &row)?.path();
        for (id, directory) in items_inside(&mut context.view().await?, list, &old).await? {
            let rest = paths::below(&directory, &old).unwrap_or_default();
            let directory = Value::text(paths::join(&path, rest));
            let change = |draft: &mut RowDraft| draft.bag.set(list_keys::ROW_FOLDER, directory.clone());
            match context.site.update_row(id, None, &change).await {
                Ok(_) | Err(EngineError::NoItem(_)) => {}
                Err(other) => return Err(other.into()),
            }
        }
    }
    Ok(row)
}

/// Counts up the version of a row that changes, in a list that counts them.
pub(crate) fn count_version(list: &List, bag: &mut Bag) {
    if list_settings::ENABLE_VERSIONING.is_on(list) {
        let version = bag.get(&MAJOR_VERSION).and_then(Value::as_i64).unwrap_or(1);
        bag.set(MAJOR_VERSION, Value::I32(i32::try_from(version).unwrap_or(i32::MAX).saturating_add(1)));
    }
}

/// The path of a folder of a list that holds items without paths of their own, if this row is one: the engine does not
/// rename what is inside.
async fn item_folder(context: &Context<'_>, list: &List, number: u32) -> Result<Option<String>, Failure> {
    if list.template.is_library() {
        return Ok(None);
    }
    let found = context.view().await?.items(&[ItemId::in_list(list.id(), number)]).await?.pop().flatten();
    let Some(item) = found.map(Item::from).filter(|item| item.flags.has(ItemFlags::FOLDER)) else { return Ok(None) };
    Ok(Some(Row::new(list, &item)?.path()))
}

/// The items in a folder of a list and below, each with its folder. Reads the list once.
async fn items_inside(view: &mut View, list: &List, folder: &str) -> Result<Vec<(ItemId, String)>, Failure> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = view.rows(list.id(), after, limits::PAGE_ROWS_MAX).await?;
        after = page.rows.last().map(|row| row.item);
        let more = page.more;
        for item in page.rows.into_iter().map(Item::from) {
            let row = Row::new(list, &item)?;
            let directory = row.directory();
            if !row.is_folder() && paths::below(&directory, folder).is_some() {
                found.push((item.id, directory));
            }
        }
        if !more {
            return Ok(found);
        }
    }
}

/// Deletes a row; a folder with what lies in it, a series with its exceptions. Returns the entry of the recycle bin that
/// holds them, where they went there.
///
/// # Errors
/// [`Failure`]; nothing was written.
pub(crate) async fn remove(
    context: &Context<'_>,
    list: &List,
    number: u32,
    version: Option<i32>,
    how: Removal,
) -> Result<Option<Guid>, Failure> {
    check_writable(list)?;
    let id = ItemId::in_list(list.id(), number);
    let series =
        list.template.id == calendar::TEMPLATE && calendar::is_series(&mut context.view().await?, list, number).await?;
    let exception = |_: &ItemRow, bag: &Bag| calendar::is_exception_of(bag, number);
    let along: Option<&Along<'_>> = if series { Some(&exception) } else { None };
    Ok(context.site.remove_row(id, version, how, along).await?)
}

/// Deletes rows that may be gone already.
async fn delete_all(context: &Context<'_>, ids: &[ItemId]) -> Result<(), Failure> {
    for id in ids {
        match context.site.delete_row(*id, None).await {
            Ok(()) | Err(EngineError::NoItem(_)) => {}
            Err(other) => return Err(other.into()),
        }
    }
    Ok(())
}

/// The list of users belongs to the server.
pub(crate) fn check_writable(list: &List) -> Result<(), Failure> {
    if list.template.unique { Err(Failure::Engine(EngineError::AccessDenied)) } else { Ok(()) }
}

/// A name that may stand as one part of a path.
pub(crate) fn leaf(text: &str) -> Result<String, Failure> {
    const FORBIDDEN: &[char] = &['/', '\\', '"', '*', ':', '<', '>', '?', '|', '#', '%', '\t', '\n', '\r', '\0'];
    let text = text.trim();
    let bad = text.is_empty() || text == "." || text == ".." || text.contains(FORBIDDEN);
    if bad || text.chars().count() > limits::NAME_CHARS_MAX {
        return Err(Failure::bad_value("The name of a file or folder is not valid."));
    }
    Ok(text.to_owned())
}
