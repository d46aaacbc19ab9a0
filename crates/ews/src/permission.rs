//! Permissions of folders: read from requests, kept as they came, and written with everything that a level means.
//!
//! They are kept for the clients that manage them. Who may do what is decided by the domain, which does not know them.

use model::{Bag, PropertyKey, sets};
use xml::{Document, Limits, Node, Writer};

use crate::{Fault, request};

/// In the bag of a folder: the `PermissionSet` element as it came, Text.
pub(crate) const PERMISSION_SET: PropertyKey = PropertyKey::Lid(sets::HIGHWATER, 0x40);

/// Permissions of one folder.
const PERMISSIONS_MAX: usize = 1_000;

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rights {
    /// Creating items and subfolders, being owner, seeing the folder, being its contact: in the order of [`FLAGS`].
    flags: [bool; 5],
    edit: &'static str,
    delete: &'static str,
    read: &'static str,
}

const FLAGS: [&str; 5] =
    ["t:CanCreateItems", "t:CanCreateSubFolders", "t:IsFolderOwner", "t:IsFolderVisible", "t:IsFolderContact"];
/// Values of `EditItems` and `DeleteItems`.
const ACTIONS: &[(&str, &str)] = &[("None", "None"), ("Owned", "Owned"), ("All", "All")];
/// Values of `ReadItems`; the last two for calendars alone.
const READS: &[(&str, &str)] = &[
    ("None", "None"),
    ("FullDetails", "FullDetails"),
    ("TimeOnly", "TimeOnly"),
    ("TimeAndSubjectAndLocation", "TimeAndSubjectAndLocation"),
];

const fn rights(flags: [u8; 5], edit: &'static str, delete: &'static str, read: &'static str) -> Rights {
    let [items, folders, owner, visible, contact] = flags;
    Rights { flags: [items != 0, folders != 0, owner != 0, visible != 0, contact != 0], edit, delete, read }
}

const NONE: Rights = rights([0, 0, 0, 0, 0], "None", "None", "None");
const FREE_BUSY: Rights = rights([0, 0, 0, 0, 0], "None", "None", "TimeOnly");

/// What the levels mean. `Custom` is what is none of the others, so it is not among them.
#[rustfmt::skip]
const LEVELS: &[(&str, Rights)] = &[
    ("None",                              NONE),
    ("Owner",                             rights([1, 1, 1, 1, 1], "All",   "All",   "FullDetails")),
    ("PublishingEditor",                  rights([1, 1, 0, 1, 0], "All",   "All",   "FullDetails")),
    ("Editor",                            rights([1, 0, 0, 1, 0], "All",   "All",   "FullDetails")),
    ("PublishingAuthor",                  rights([1, 1, 0, 1, 0], "Owned", "Owned", "FullDetails")),
    ("Author",                            rights([1, 0, 0, 1, 0], "Owned", "Owned", "FullDetails")),
    ("NoneditingAuthor",                  rights([1, 0, 0, 1, 0], "None",  "Owned", "FullDetails")),
    ("Reviewer",                          rights([0, 0, 0, 1, 0], "None",  "None",  "FullDetails")),
    ("Contributor",                       rights([1, 0, 0, 1, 0], "None",  "None",  "None")),
    ("FreeBusyTimeOnly",                  FREE_BUSY),
    ("FreeBusyTimeAndSubjectAndLocation", rights([0, 0, 0, 0, 0], "None",  "None",  "TimeAndSubjectAndLocation")),
];

/// Elements of a `UserId`, in schema order.
const USER: [(&str, &str); 5] = [
    ("SID", "t:SID"),
    ("PrimarySmtpAddress", "t:PrimarySmtpAddress"),
    ("DisplayName", "t:DisplayName"),
    ("DistinguishedUser", "t:DistinguishedUser"),
    ("ExternalUserIdentity", "t:ExternalUserIdentity"),
];

/// What one user may do.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Permission {
    /// The elements that name the user.
    user: Vec<(&'static str, String)>,
    rights: Rights,
}

/// Checks a `PermissionSet` of a request.
///
/// # Errors
/// A fault where it breaks the schema.
pub(crate) fn check(set: Node<'_>) -> Result<(), Fault> {
    read(set).map(|_| ())
}

fn read(set: Node<'_>) -> Result<Vec<Permission>, Fault> {
    let list = set.child_local("Permissions").or_else(|| set.child_local("CalendarPermissions"));
    let Some(list) = list else { return Err(Fault::schema(set, set.local(), "it has incomplete content.")) };
    let mut permissions = Vec::new();
    for (number, node) in list.children().enumerate() {
        if number == PERMISSIONS_MAX {
            return Err(Fault::schema(node, node.local(), "it has more entries than one request may hold."));
        }
        if !["Permission", "CalendarPermission"].contains(&node.local()) {
            return Err(Fault::schema(node, node.local(), "This element is not expected here."));
        }
        permissions.push(read_permission(node)?);
    }
    Ok(permissions)
}

/// A level with single rights that differ.
fn read_permission(node: Node<'_>) -> Result<Permission, Fault> {
    let id = request::required(node, "UserId")?;
    let mut user = Vec::new();
    for (local, element) in USER {
        if let Some(child) = id.child_local(local) {
            let text = child.text().trim().to_owned();
            if local == "DistinguishedUser" {
                request::enumeration(child, &text, "DistinguishedUserType", &[("Default", ()), ("Anonymous", ())])?;
            }
            user.push((element, text));
        }
    }
    let level = match node.child_local("CalendarPermissionLevel") {
        Some(level) => level,
        None => request::required(node, "PermissionLevel")?,
    };
    let mut rights = if level.text().trim() == "Custom" {
        NONE
    } else {
        request::enumeration(level, &level.text(), "PermissionLevelType", LEVELS)?
    };
    for (name, flag) in FLAGS.iter().zip(&mut rights.flags) {
        if let Some(child) = node.child_local(name.trim_start_matches("t:")) {
            *flag = request::boolean(child)?;
        }
    }
    for (name, right, values) in [
        ("EditItems", &mut rights.edit, ACTIONS),
        ("DeleteItems", &mut rights.delete, ACTIONS),
        ("ReadItems", &mut rights.read, READS),
    ] {
        if let Some(child) = node.child_local(name) {
            *right = request::enumeration(child, &child.text(), "PermissionActionType", values)?;
        }
    }
    Ok(Permission { user, rights })
}

/// Writes the permissions of a folder: those kept, or that nobody else may do anything. In a calendar everybody may
/// then see when its owner is busy.
pub(crate) fn write(out: &mut Writer, bag: &Bag, calendar: bool) {
    let kept = bag.text(&PERMISSION_SET).and_then(|kept| {
        let document = Document::parse(kept.as_bytes(), &Limits::DEFAULT).ok()?;
        read(document.root()).ok()
    });
    let user = |name: &str, rights| Permission { user: vec![("t:DistinguishedUser", name.to_owned())], rights };
    let default = if calendar { FREE_BUSY } else { NONE };
    let permissions = kept.unwrap_or_else(|| vec![user("Default", default), user("Anonymous", NONE)]);
    out.scope("t:PermissionSet", |out| {
        out.scope(if calendar { "t:CalendarPermissions" } else { "t:Permissions" }, |out| {
            permissions.iter().for_each(|permission| write_permission(out, permission, calendar));
        });
    });
}

fn write_permission(out: &mut Writer, permission: &Permission, calendar: bool) {
    let mut rights = permission.rights;
    if !calendar && rights.read.starts_with("Time") {
        rights.read = "None";
    }
    out.scope(if calendar { "t:CalendarPermission" } else { "t:Permission" }, |out| {
        out.scope("t:UserId", |out| permission.user.iter().for_each(|(name, text)| out.element(name, text)));
        for (name, on) in FLAGS.iter().zip(rights.flags) {
            out.element(name, if on { "true" } else { "false" });
        }
        out.element("t:EditItems", rights.edit);
        out.element("t:DeleteItems", rights.delete);
        out.element("t:ReadItems", rights.read);
        let level = LEVELS.iter().find(|(_, meaning)| *meaning == rights).map_or("Custom", |(name, _)| name);
        out.element(if calendar { "t:CalendarPermissionLevel" } else { "t:PermissionLevel" }, level);
    });
}
