//! `QueryOptions`: how rows are chosen, paged and written. \[MS-LISTSWS 2.2.4.6\]

use model::Time;
use xml::Node;

use crate::{caml::payload, fields::truth, moderation::ModerationView, rows::AttachmentStyle, value};

/// Ids in `ExtraIds`.
const EXTRA_IDS_MAX: usize = 1_000;

/// Which rows below the folder belong to an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Scope {
    /// What lies in the folder, folders too.
    #[default]
    Folder,
    /// Files (and items) that lie in the folder.
    FilesOnly,
    /// Files (and items) in it and below.
    Recursive,
    /// Everything in it and below.
    RecursiveAll,
}

impl Scope {
    /// Reads the text of the attribute; what is none of the others means the folder.
    pub(crate) fn parse(text: &str) -> Self {
        match text.trim().to_ascii_lowercase().as_str() {
            "filesonly" => Self::FilesOnly,
            "recursive" => Self::Recursive,
            "recursiveall" => Self::RecursiveAll,
            _ => Self::Folder,
        }
    }

    /// The text of the attribute.
    pub(crate) const fn wire(self) -> &'static str {
        match self {
            Self::Folder => "",
            Self::FilesOnly => "FilesOnly",
            Self::Recursive => "Recursive",
            Self::RecursiveAll => "RecursiveAll",
        }
    }

    /// Its number in REST.
    pub(crate) const fn number(self) -> i64 {
        match self {
            Self::Folder => 0,
            Self::Recursive => 1,
            Self::RecursiveAll => 2,
            Self::FilesOnly => 3,
        }
    }

    /// The scope of a number.
    pub(crate) fn by_number(number: i64) -> Option<Self> {
        [Self::Folder, Self::Recursive, Self::RecursiveAll, Self::FilesOnly]
            .into_iter()
            .find(|own| own.number() == number)
    }
}

/// Rows of which instance of a meeting belong to an answer. Lists of meetings (`MultipleDataList`) have rows whose
/// `InstanceID` is a date as a number, 0 for the series itself, or none for what belongs to no instance. In all other lists
/// the option says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Instance {
    /// -2 and -3: all, with the series.
    All,
    /// -1: all but the series.
    #[default]
    AllButSeries,
    /// That one.
    One(i32),
}

impl Instance {
    fn read(text: &str) -> Option<Self> {
        match text.trim().parse::<i32>().ok()? {
            -3 | -2 => Some(Self::All),
            -1 => Some(Self::AllButSeries),
            number if number >= 0 => Some(Self::One(number)),
            _ => None,
        }
    }

    /// Whether a row of this instance belongs to it.
    pub(crate) fn takes(self, row: Option<i64>) -> bool {
        match self {
            Self::All => true,
            Self::AllButSeries => row != Some(0),
            Self::One(number) => row == Some(i64::from(number)),
        }
    }
}

/// The operation whose defaults hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defaults {
    /// `GetListItems` and `GetListItemChanges`.
    Items,
    /// `GetListItemChangesSinceToken`.
    Changes,
}

/// The options of a query.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct QueryOptions {
    pub(crate) date_in_utc: bool,
    pub(crate) folder: Option<String>,
    /// The bookmark of the previous page.
    pub(crate) position: Option<String>,
    pub(crate) mandatory_columns: bool,
    /// How deep, where the client says so.
    pub(crate) scope: Option<Scope>,
    /// How deep where neither the client nor a view says so.
    pub(crate) scope_default: Scope,
    pub(crate) recurrence_v3: bool,
    pub(crate) recurrence_order: bool,
    pub(crate) expand_user: bool,
    pub(crate) attachments: AttachmentStyle,
    /// Row numbers that are returned whether they changed or not.
    pub(crate) extra_ids: Vec<u32>,
    pub(crate) calendar_date: Option<Time>,
    /// Which rows as to their approval, where the client says so.
    pub(crate) moderation: Option<ModerationView>,
    /// Rows whose permissions are not those of the list say so.
    pub(crate) permissions: bool,
    /// Rows that no query orders stand by folder and name: `OptimizeFor` is `FolderUrls`.
    pub(crate) folder_order: bool,
    /// Series stand as their occurrences, where a window is asked for.
    pub(crate) expand_recurrence: bool,
    /// Of which instance of a meeting.
    pub(crate) instance: Instance,
}

impl QueryOptions {
    /// Reads the parameter. An omitted one and an empty one are the same. `GetListItems` writes dates in local time
    /// unless asked otherwise, which is the only form that its clients without options read.
    pub(crate) fn parse(parameter: Option<Node<'_>>, defaults: Defaults) -> Self {
        let changes = defaults == Defaults::Changes;
        let given = payload(parameter, "QueryOptions").filter(|node| node.children().next().is_some());
        let Some(given) = given else {
            return Self {
                date_in_utc: changes,
                folder: None,
                position: None,
                mandatory_columns: true,
                scope: None,
                scope_default: if changes { Scope::RecursiveAll } else { Scope::Folder },
                recurrence_v3: changes,
                recurrence_order: changes,
                expand_user: changes,
                attachments: if changes { AttachmentStyle::Versions } else { AttachmentStyle::Flag },
                extra_ids: Vec::new(),
                calendar_date: None,
                moderation: None,
                permissions: changes,
                folder_order: false,
                expand_recurrence: false,
                instance: Instance::default(),
            };
        };
        // Over REST a bare Paging element comes in place of the options.
        let paging = if given.local() == "Paging" { Some(given) } else { given.child_local("Paging") };
        let text = |name: &str| given.child_local(name).map(|node| node.text().trim().to_owned());
        let flag = |name: &str, default: bool| match text(name) {
            Some(text) if !text.is_empty() => truth(Some(&text)),
            Some(_) | None => default,
        };
        let extra_ids = text("ExtraIds").unwrap_or_default();
        Self {
            date_in_utc: flag("DateInUtc", changes),
            folder: text("Folder").filter(|folder| !folder.is_empty()),
            position: paging
                .and_then(|node| node.attribute("ListItemCollectionPositionNext"))
                .filter(|position| !position.trim().is_empty())
                .map(str::to_owned),
            mandatory_columns: flag("IncludeMandatoryColumns", true),
            scope: given.child_local("ViewAttributes").and_then(|node| node.attribute("Scope")).map(Scope::parse),
            scope_default: Scope::Folder,
            recurrence_v3: text("RecurrencePatternXMLVersion").is_some_and(|text| text.eq_ignore_ascii_case("v3")),
            recurrence_order: flag("RecurrenceOrderBy", false),
            expand_user: flag("ExpandUserField", false),
            attachments: match (flag("IncludeAttachmentUrls", false), flag("IncludeAttachmentVersion", false)) {
                (false, _) => AttachmentStyle::Flag,
                (true, false) => AttachmentStyle::Urls,
                (true, true) => AttachmentStyle::Versions,
            },
            extra_ids: extra_ids
                .split([',', ';', ' '])
                .filter_map(|part| part.trim().parse().ok())
                .take(EXTRA_IDS_MAX)
                .collect(),
            moderation: given
                .child_local("ViewAttributes")
                .and_then(|node| node.attribute("ModerationType"))
                .and_then(ModerationView::parse),
            permissions: flag("IncludePermissions", false),
            calendar_date: text("CalendarDate").and_then(|text| value::time(&text)),
            expand_recurrence: flag("ExpandRecurrence", false),
            folder_order: text("OptimizeFor").is_some_and(|text| text.eq_ignore_ascii_case("FolderUrls")),
            instance: text("MeetingInstanceID").and_then(|text| Instance::read(&text)).unwrap_or_default(),
        }
    }
}
