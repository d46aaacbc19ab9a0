//! The distinguished folders of a mailbox.

use std::borrow::Cow;

use model::{PropertyKey, sets};

/// What a mailbox has of a distinguished folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distinguished {
    /// It is made with the mailbox, under this parent (a distinguished name; empty for the root itself).
    Made {
        /// Distinguished name of the parent.
        parent: &'static str,
        /// DisplayName.
        display_name: &'static str,
        /// FolderClass.
        class: &'static str,
    },
    /// A known name that no mailbox here has (archives, public folders, services of Exchange Online).
    Absent,
}

/// One distinguished name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DistinguishedFolder {
    /// The `Id` of `DistinguishedFolderId`, lower case.
    pub name: &'static str,
    /// What a mailbox has of it.
    pub folder: Distinguished,
}

/// In the bag of a folder: its distinguished name, Text.
pub(crate) const DISTINGUISHED_NAME: PropertyKey = PropertyKey::Lid(sets::HIGHWATER, 0x10);
/// In the bag of a folder: Bool, whether it is a search folder.
pub(crate) const IS_SEARCH_FOLDER: PropertyKey = PropertyKey::Lid(sets::HIGHWATER, 0x11);
/// In the bag of an item in Recoverable Items: the folder that it was deleted from, I64.
pub const DELETED_FROM: PropertyKey = PropertyKey::Lid(sets::HIGHWATER, 0x15);
/// Scope of names: distinguished name to folder.
pub(crate) const SCOPE_DISTINGUISHED: u64 = 1;
/// Scope of names: the names under a parent are in this plus the parent's id.
pub(crate) const SCOPE_CHILDREN: u64 = 1 << 40;

/// The key of a folder's distinguished name.
pub(crate) fn name_key(display_name: &str) -> Vec<u8> {
    display_name.to_lowercase().into_bytes()
}

const fn made(
    name: &'static str,
    parent: &'static str,
    display_name: &'static str,
    class: &'static str,
) -> DistinguishedFolder {
    DistinguishedFolder { name, folder: Distinguished::Made { parent, display_name, class } }
}

const fn absent(name: &'static str) -> DistinguishedFolder {
    DistinguishedFolder { name, folder: Distinguished::Absent }
}

/// Every known name, parents before children: the 63 of the schema, and `archive`, which Thunderbird 153 asks for.
#[rustfmt::skip]
pub const DISTINGUISHED: &[DistinguishedFolder] = &[
    made("root",                          "",                     "Root",                       ""),
    made("msgfolderroot",                 "root",                 "Top of Information Store",   "IPF.Note"),
    made("inbox",                         "msgfolderroot",        "Inbox",                      "IPF.Note"),
    made("drafts",                        "msgfolderroot",        "Drafts",                     "IPF.Note"),
    made("sentitems",                     "msgfolderroot",        "Sent Items",                 "IPF.Note"),
    made("outbox",                        "msgfolderroot",        "Outbox",                     "IPF.Note"),
    made("deleteditems",                  "msgfolderroot",        "Deleted Items",              "IPF.Note"),
    made("junkemail",                     "msgfolderroot",        "Junk Email",                 "IPF.Note"),
    made("calendar",                      "msgfolderroot",        "Calendar",                   "IPF.Appointment"),
    made("contacts",                      "msgfolderroot",        "Contacts",                   "IPF.Contact"),
    made("tasks",                         "msgfolderroot",        "Tasks",                      "IPF.Task"),
    made("notes",                         "msgfolderroot",        "Notes",                      "IPF.StickyNote"),
    made("journal",                       "msgfolderroot",        "Journal",                    "IPF.Journal"),
    made("conversationhistory",           "msgfolderroot",        "Conversation History",       "IPF.Note"),
    made("syncissues",                    "msgfolderroot",        "Sync Issues",                "IPF.Note"),
    made("conflicts",                     "syncissues",           "Conflicts",                  "IPF.Note"),
    made("localfailures",                 "syncissues",           "Local Failures",             "IPF.Note"),
    made("serverfailures",                "syncissues",           "Server Failures",            "IPF.Note"),
    made("quickcontacts",                 "contacts",             "Quick Contacts",             "IPF.Contact.MOC.QuickContacts"),
    made("recipientcache",                "contacts",             "Recipient Cache",            "IPF.Contact.RecipientCache"),
    made("imcontactlist",                 "contacts",             "IM Contact List",            "IPF.Contact.MOC.ImContactList"),
    made("peopleconnect",                 "contacts",             "PeopleCentricConversation Buddies", "IPF.Contact.PeopleConnect"),
    made("searchfolders",                 "root",                 "Finder",                     "IPF.Note"),
    made("voicemail",                     "searchfolders",        "Voice Mail",                 "IPF.Note.Microsoft.Voicemail"),
    made("todosearch",                    "searchfolders",        "To-Do Search",               "IPF.Task"),
    made("mycontacts",                    "searchfolders",        "My Contacts",                "IPF.Contact"),
    made("favorites",                     "root",                 "Favorites",                  "IPF.Note"),
    made("mecontact",                     "root",                 "Me Contact",                 "IPF.Contact"),
    made("personmetadata",                "root",                 "Person Metadata",            "IPF.Contact"),
    made("directory",                     "root",                 "Directory",                  "IPF.Contact"),
    made("adminauditlogs",                "root",                 "Admin Audit Logs",           "IPF.Note"),
    made("recoverableitemsroot",          "root",                 "Recoverable Items",          "IPF.Note"),
    made("recoverableitemsdeletions",     "recoverableitemsroot", "Deletions",                  "IPF.Note"),
    made("recoverableitemsversions",      "recoverableitemsroot", "Versions",                   "IPF.Note"),
    made("recoverableitemspurges",        "recoverableitemsroot", "Purges",                     "IPF.Note"),
    made("recoverableitemsdiscoveryholds", "recoverableitemsroot", "DiscoveryHolds",            "IPF.Note"),
    absent("publicfoldersroot"),
    absent("archive"),
    absent("archiveroot"),
    absent("archivemsgfolderroot"),
    absent("archivedeleteditems"),
    absent("archiveinbox"),
    absent("archiverecoverableitemsroot"),
    absent("archiverecoverableitemsdeletions"),
    absent("archiverecoverableitemsversions"),
    absent("archiverecoverableitemspurges"),
    absent("archiverecoverableitemsdiscoveryholds"),
    absent("teamspaceactivity"),
    absent("teamspacemessaging"),
    absent("teamspaceworkitems"),
    absent("scheduled"),
    absent("orionnotes"),
    absent("tagitems"),
    absent("alltaggeditems"),
    absent("externalcontacts"),
    absent("teamchat"),
    absent("yammerroot"),
    absent("yammerinbound"),
    absent("yammeroutbound"),
    absent("yammerfeeds"),
    absent("onedriveroot"),
    absent("onedriverecylebin"),
    absent("onedrivesystem"),
    absent("onedrivevolume"),
];

/// Static text as a key.
pub(crate) const fn field(name: &'static str) -> PropertyKey {
    PropertyKey::Field(Cow::Borrowed(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_parents_come_first() {
        let mut seen = vec![""];
        for entry in DISTINGUISHED {
            assert!(!seen.contains(&entry.name), "{}", entry.name);
            if let Distinguished::Made { parent, .. } = entry.folder {
                assert!(seen.contains(&parent), "{}", entry.name);
            }
            seen.push(entry.name);
        }
        assert_eq!(DISTINGUISHED.len(), 64);
    }
}
