//! Folders as answers and conditions see them, and the table of their fields.

use std::collections::HashMap;

use engine::{EffectiveRights, Folder, View};
use model::{CollectionId, Guid, PropertyKey, Row, Value, tags};
use xml::Writer;

use crate::fields::Codec;
use crate::id::{FolderRef, FolderTarget};
use crate::item::{INSTANCE_KEY, Place};
use crate::shape::{FolderShape, Purpose};
use crate::{Failure, Header, ResponseCode, Version, class, id, permission, search};

/// PidTagFolderChildCount, I32.
const CHILD_COUNT: PropertyKey = PropertyKey::Tag(0x6638);
/// PidTagSubfolders, Bool.
const SUBFOLDERS: PropertyKey = PropertyKey::Tag(0x360a);
/// PidTagDeletedCountTotal, I32; DavMail asks for it.
const DELETED_COUNT: PropertyKey = PropertyKey::Tag(0x670b);
/// PidTagLocalCommitTimeMax stands for the time of the latest change inside; we have its position only.
const CHANGE_POSITION: PropertyKey = PropertyKey::Tag(0x670a);

/// A folder with what is counted about it.
#[derive(Clone, Debug)]
pub(crate) struct FolderItem {
    /// The mailbox.
    pub(crate) mailbox: Guid,
    /// The folder.
    pub(crate) folder: Folder,
    /// Folders directly in it, of those that are seen.
    pub(crate) children: usize,
    /// What may be done with it.
    pub(crate) rights: EffectiveRights,
}

/// One row of the table of folder fields.
#[derive(Debug)]
pub(crate) struct FolderField {
    /// The `FieldURI` attribute.
    pub(crate) uri: &'static str,
    /// The property that stands for it in conditions.
    key: Option<(PropertyKey, Codec)>,
    /// Writes the element.
    write: fn(&mut Writer, &FolderItem),
    /// The version that introduced it.
    pub(crate) since: Version,
}

const fn row(
    uri: &'static str,
    key: Option<(PropertyKey, Codec)>,
    write: fn(&mut Writer, &FolderItem),
    since: Version,
) -> FolderField {
    FolderField { uri, key, write, since }
}

const V7: Version = Version::V2007;

/// Up to the extended properties, in schema order.
#[rustfmt::skip]
const FIRST: &[FolderField] = &[
    row("folder:FolderId",         None,                                         write_id,          V7),
    row("folder:ParentFolderId",   Some((tags::PARENT_ENTRY_ID, Codec::Base64)), write_parent,      V7),
    row("folder:FolderClass",      Some((tags::CONTAINER_CLASS, Codec::Text)),   |out, item| out.element("t:FolderClass", item.folder.class()), V7),
    row("folder:DisplayName",      Some((tags::DISPLAY_NAME, Codec::Text)),      |out, item| out.element("t:DisplayName", item.folder.display_name()), V7),
    row("folder:TotalCount",       Some((tags::CONTENT_COUNT, Codec::Int)),      |out, item| out.display("t:TotalCount", item.folder.row.items), V7),
    row("folder:ChildFolderCount", Some((CHILD_COUNT, Codec::Int)),              |out, item| out.display("t:ChildFolderCount", item.children), V7),
];

/// From the extended properties on, in schema order.
#[rustfmt::skip]
const LAST: &[FolderField] = &[
    row("folder:EffectiveRights",       None, |out, item| permission::write_effective(out, "t:EffectiveRights", item.rights), Version::V2010),
    row("folder:DistinguishedFolderId", None, write_distinguished, Version::V2013),
    row("folder:PermissionSet",         None, |out, item| permission::write(out, &item.folder.bag, FolderShape::class(&item.folder).element == "t:CalendarFolder"), V7),
    row("folder:UnreadCount",           Some((tags::CONTENT_UNREAD_COUNT, Codec::Int)), |out, item| out.display("t:UnreadCount", item.folder.row.unread), V7),
    row("folder:SearchParameters",      None, |out, item| search::write(out, &item.folder), V7),
];

/// Fields that `GetFolder` alone returns.
const GET_ONLY: &[&str] = &["folder:PermissionSet", "folder:SearchParameters"];

/// Folder fields of the schema that no row has.
const KNOWN: &[&str] = &[
    "folder:ManagedFolderInformation",
    "folder:SharingEffectiveRights",
    "folder:PolicyTag",
    "folder:ArchiveTag",
    "folder:ReplicaList",
];

/// Whether the schema has such a folder field.
pub(crate) fn is_field(uri: &str) -> bool {
    KNOWN.contains(&uri) || FIRST.iter().chain(LAST).any(|field| field.uri == uri)
}

/// The fields that count items.
pub(crate) fn counts() -> impl Iterator<Item = &'static FolderField> {
    let counts = ["folder:TotalCount", "folder:UnreadCount"];
    FIRST.iter().chain(LAST).filter(move |field| counts.contains(&field.uri))
}

/// The property that stands for a folder field in conditions, with the codec of its constants.
pub(crate) fn condition_key(uri: &str) -> Option<(PropertyKey, Codec)> {
    FIRST.iter().chain(LAST).find(|field| field.uri == uri)?.key.clone()
}

fn write_id(out: &mut Writer, item: &FolderItem) {
    let class = FolderShape::class(&item.folder);
    let key = id::change_key(class.object_type, item.mailbox, item.folder.row.seq);
    id::write(out, "t:FolderId", &id::folder_id(item.mailbox, item.folder.id()), Some(&key));
}

fn write_parent(out: &mut Writer, item: &FolderItem) {
    if let Some(parent) = item.folder.parent() {
        let key = id::bare_change_key(class::FOLDER_OBJECT);
        id::write(out, "t:ParentFolderId", &id::folder_id(item.mailbox, parent), Some(&key));
    }
}

fn write_distinguished(out: &mut Writer, item: &FolderItem) {
    if let Some(name) = item.folder.distinguished() {
        out.element("t:DistinguishedFolderId", name);
    }
}

impl FolderItem {
    /// Writes the folder as the element of its kind.
    pub(crate) fn write(&self, out: &mut Writer, shape: &FolderShape, purpose: Purpose, header: &Header) {
        let class = FolderShape::class(&self.folder);
        let included = |field: &&FolderField| {
            shape.includes(class, field, header)
                && (class.unread_count || field.uri != "folder:UnreadCount")
                && (purpose == Purpose::Get || !GET_ONLY.contains(&field.uri))
        };
        out.start(class.element);
        FIRST.iter().filter(included).for_each(|field| (field.write)(out, self));
        for field in shape.extended() {
            if let Some(value) = self.value(&field.key) {
                field.write(out, &value, header);
            }
        }
        LAST.iter().filter(included).for_each(|field| (field.write)(out, self));
        out.end();
    }

    /// Writes the folder with its id alone.
    pub(crate) fn write_id_only(&self, out: &mut Writer) {
        out.start(FolderShape::class(&self.folder).element);
        write_id(out, self);
        out.end();
    }
}

impl Row for FolderItem {
    fn value(&self, key: &PropertyKey) -> Option<Value> {
        let count = |number: u64| Some(Value::I32(i32::try_from(number).unwrap_or(i32::MAX)));
        let row = &self.folder.row;
        if *key == tags::CONTENT_COUNT {
            count(row.items)
        } else if *key == tags::CONTENT_UNREAD_COUNT {
            count(row.unread)
        } else if *key == CHILD_COUNT {
            count(self.children as u64)
        } else if *key == SUBFOLDERS {
            Some(Value::Bool(self.children > 0))
        } else if *key == DELETED_COUNT {
            Some(Value::I32(0))
        } else if *key == CHANGE_POSITION {
            Some(Value::Time(model::Time::from_unix(i64::try_from(row.items_seq.0).unwrap_or_default())))
        } else if *key == tags::ENTRY_ID || *key == INSTANCE_KEY {
            Some(Value::binary(mapi::entry_id::folder_entry_id(self.mailbox, row.collection)))
        } else if *key == tags::PARENT_ENTRY_ID {
            let parent = row.parent.unwrap_or(row.collection);
            Some(Value::binary(mapi::entry_id::folder_entry_id(self.mailbox, parent)))
        } else {
            self.folder.bag.get(key).cloned()
        }
    }
}

/// All folders of a mailbox that are seen, with their counts, in the order of their ids. Costs their number.
///
/// # Errors
/// When the store fails.
pub(crate) async fn all(mailbox: Guid, view: &mut View) -> Result<Vec<FolderItem>, Failure> {
    let folders = view.folders().await?;
    let mut children: HashMap<CollectionId, usize> = HashMap::new();
    for parent in folders.iter().filter_map(Folder::parent) {
        *children.entry(parent).or_default() += 1;
    }
    let count = |folder: &Folder| children.get(&folder.id()).copied().unwrap_or_default();
    let access = view.access().await?;
    let item = |folder: Folder| {
        let (children, rights) = (count(&folder), access.to_folder(folder.id()));
        FolderItem { mailbox, folder, children, rights }
    };
    Ok(folders.into_iter().map(item).collect())
}

/// The folder that a request names.
///
/// # Errors
/// `ErrorFolderNotFound`; when the store fails.
pub(crate) async fn resolve(view: &mut View, target: &FolderTarget) -> Result<CollectionId, Failure> {
    match target {
        FolderTarget::Id(id) => Ok(view.collection(*id).await?.collection),
        FolderTarget::Distinguished(name) => Ok(view.distinguished(name).await?),
    }
}

/// The folder that a request names, with its mailbox.
///
/// # Errors
/// As [`resolve`], and where the mailbox cannot be opened.
pub(crate) async fn open(
    context: &crate::Context<'_>,
    folder: &FolderRef,
) -> Result<(engine::Mailbox, CollectionId), Failure> {
    let mailbox = context.mailbox(&folder.mailbox).await?;
    let mut view = mailbox.begin().await?;
    let id = resolve(&mut view, &folder.target).await?;
    Ok((mailbox, id))
}

/// As [`open`], for a folder that items are put into.
///
/// # Errors
/// As [`open`]; `ErrorInvalidFolderTypeForOperation` for a search folder, which holds none.
pub(crate) async fn open_for_items(
    context: &crate::Context<'_>,
    folder: &FolderRef,
) -> Result<(engine::Mailbox, CollectionId), Failure> {
    let mailbox = context.mailbox(&folder.mailbox).await?;
    let folder = open_folder(&mut mailbox.begin().await?, &folder.target).await?;
    if folder.is_search() {
        return Err(ResponseCode::ErrorInvalidFolderTypeForOperation.into());
    }
    Ok((mailbox, folder.id()))
}

/// As [`resolve`], with the folder itself.
///
/// # Errors
/// As [`resolve`].
pub(crate) async fn open_folder(view: &mut View, target: &FolderTarget) -> Result<Folder, Failure> {
    let id = resolve(view, target).await?;
    Ok(view.folder(id).await?)
}

/// The place of an item that was just written.
pub(crate) fn place(mailbox: Guid, view: &engine::ItemView<'_>) -> Place {
    let row = view.row();
    Place { mailbox, folder: row.collection, item: row.item, seq: row.seq }
}
