//! Settings of lists that their owners change: one line each in [`SETTINGS`]. SOAP takes and shows them as attributes of
//! `List`, REST as properties. \[MS-LISTSWS 3.1.4.30, MS-CSOMSPT 3.2.5.79\]
//!
//! A setting is a property in the list's bag; where there is none, what is usual for the template holds. A setting that
//! says of the server what it cannot do is in [`FIXED`] and is refused with any other value.

use std::borrow::Cow;

use engine::list_keys;
use model::{Bag, PropertyKey, Value};
use xml::Node;

use crate::{
    code::Failure,
    fields::{Template, truth},
    schema::List,
    value,
};

/// What a setting may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// On or off.
    Flag,
    /// One of these numbers.
    Number(&'static [i32]),
    /// One of these words.
    Word(&'static [&'static str]),
}

/// A setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// The attribute of `List`.
    pub(crate) name: &'static str,
    /// The property in REST, empty where there is none.
    pub(crate) property: &'static str,
    /// Where it is kept.
    key: &'static str,
    kind: Kind,
    /// What is usual: 0 and 1 for flags, else the number, or the index of the word.
    usual: fn(&Template) -> i32,
}

macro_rules! settings {
    ($($(#[$doc:meta])* $constant:ident = $name:literal, $property:literal, $kind:expr, $usual:expr;)*) => {
        $(
            $(#[$doc])*
            pub(crate) static $constant: Setting =
                Setting { name: $name, property: $property, key: concat!("#", $name), kind: $kind, usual: $usual };
        )*

        /// All settings.
        pub(crate) static SETTINGS: &[&Setting] = &[$(&$constant),*];
    };
}

settings! {
    /// Whether items may be given files. Those that are there stay.
    ENABLE_ATTACHMENTS = "EnableAttachments", "EnableAttachments", Kind::Flag, |template| i32::from(!template.is_library());
    /// Whether rows wait for approval before everybody sees them: see [`crate::moderation`].
    ENABLE_MODERATION = "EnableModeration", "EnableModeration", Kind::Flag, |_| 0;
    /// Whether changes of a row count up its version `_UIVersionString`. Earlier versions are counted, not kept.
    ENABLE_VERSIONING = "EnableVersioning", "EnableVersioning", Kind::Flag, |_| 0;
    /// Whether folders may be made. Lists that never said so take folders of clients that know how to make them.
    ENABLE_FOLDER_CREATION = "EnableFolderCreation", "EnableFolderCreation", Kind::Flag, |template| i32::from(template.is_library());
    /// Whether required fields must have values in every row that is written.
    ENFORCE_DATA_VALIDATION = "EnforceDataValidation", "", Kind::Flag, |_| 0;
    /// Whether clients keep the list from their users.
    HIDDEN = "Hidden", "Hidden", Kind::Flag, |template| i32::from(template.unique);
    /// Whether rows belong to instances of a meeting: see [`crate::query_options::Instance`].
    MULTIPLE_DATA_LIST = "MultipleDataList", "MultipleDataList", Kind::Flag, |_| 0;
    /// Whether the order of rows is theirs and not that of their numbers: clients then offer to change `Order`.
    ORDERED = "Ordered", "", Kind::Flag, |template| i32::from(template.id == 103);
    /// Whether a user may answer a survey more than once, for clients that show surveys.
    ALLOW_MULTI_RESPONSES = "AllowMultiResponses", "", Kind::Flag, |_| 0;
    /// Whether a survey shows who answered, for clients that show surveys.
    SHOW_USER = "ShowUser", "", Kind::Flag, |_| 1;
    /// Whether clients leave the list out of what they keep offline.
    EXCLUDE_FROM_OFFLINE = "ExcludeFromOfflineClient", "ExcludeFromOfflineClient", Kind::Flag, |_| 0;
    /// Whether clients show the list in the navigation of the site.
    ON_QUICK_LAUNCH = "OnQuickLaunch", "OnQuickLaunch", Kind::Flag, |template| i32::from(!template.unique);
    /// Whether search engines leave it out.
    NO_CRAWL = "NoCrawl", "NoCrawl", Kind::Flag, |_| 0;
    /// Whose rows users read: all (1) or their own (2). The engine follows it.
    READ_SECURITY = "ReadSecurity", "ReadSecurity", Kind::Number(&[1, 2]), |_| 1;
    /// Whose rows users write: all (1), their own (2) or none (4). The engine follows it.
    WRITE_SECURITY = "WriteSecurity", "WriteSecurity", Kind::Number(&[1, 2, 4]), |_| 1;
    /// The direction of its text.
    DIRECTION = "Direction", "Direction", Kind::Word(&["none", "ltr", "rtl"]), |_| 0;
}

/// Settings of SharePoint whose other values this server cannot follow: attribute or property, and the one value.
const FIXED: &[(&str, &str)] = &[
    ("ContentTypesEnabled", "false"),
    ("EnableAssignToEmail", "false"),
    ("EnableMinorVersion", "false"),
    ("EnableMinorVersions", "false"),
    ("ForceCheckout", "false"),
    ("IrmEnabled", "false"),
    ("PreserveEmptyValues", "false"),
    ("RequireCheckout", "false"),
    ("StrictTypeCoercion", "false"),
];

/// What a client changes of a list.
pub(crate) type Changes = Vec<(PropertyKey, Option<Value>)>;

impl Setting {
    fn key(&self) -> PropertyKey {
        PropertyKey::Field(Cow::Borrowed(self.key))
    }

    fn number(&self, bag: &Bag, template: &Template) -> i32 {
        match bag.get(&self.key()) {
            Some(Value::Bool(flag)) => i32::from(*flag),
            Some(other) => other.as_i64().and_then(|number| i32::try_from(number).ok()).unwrap_or_default(),
            None => (self.usual)(template),
        }
    }

    /// Whether it is on.
    pub(crate) fn is_on(&self, list: &List) -> bool {
        self.number(&list.collection.bag, list.template) != 0
    }

    /// Whether somebody said that it is off.
    pub(crate) fn was_turned_off(&self, list: &List) -> bool {
        list.collection.bag.get(&self.key()).and_then(Value::as_bool) == Some(false)
    }

    /// Its text as an attribute of `List`.
    pub(crate) fn text(&self, list: &List) -> Cow<'static, str> {
        let number = self.number(&list.collection.bag, list.template);
        match self.kind {
            Kind::Flag => Cow::Borrowed(if number != 0 { "True" } else { "False" }),
            Kind::Number(_) => Cow::Owned(number.to_string()),
            Kind::Word(words) => {
                let word = usize::try_from(number).ok().and_then(|at| words.get(at));
                Cow::Borrowed(word.copied().unwrap_or_default())
            }
        }
    }

    /// Its value in JSON.
    pub(crate) fn json(&self, list: &List) -> serde_json::Value {
        let number = self.number(&list.collection.bag, list.template);
        match self.kind {
            Kind::Flag => serde_json::Value::Bool(number != 0),
            Kind::Number(_) => number.into(),
            Kind::Word(_) => self.text(list).into(),
        }
    }

    fn read(&self, template: &Template, text: &str) -> Result<(PropertyKey, Option<Value>), Failure> {
        let bad = || Failure::bad_value(format!("The value of {} is not valid: {}", self.name, excerpt(text)));
        let text = text.trim();
        let value = match self.kind {
            Kind::Flag => Value::Bool(value::boolean(text).ok_or_else(bad)?),
            Kind::Number(known) => {
                let number = text.parse::<i32>().map_err(|_| bad())?;
                Value::I32(*known.iter().find(|own| **own == number).ok_or_else(bad)?)
            }
            Kind::Word(words) => {
                let at = words.iter().position(|own| own.eq_ignore_ascii_case(text)).ok_or_else(bad)?;
                Value::I32(at as i32)
            }
        };
        if self.key == ENABLE_ATTACHMENTS.key && template.is_library() && value == Value::Bool(true) {
            return Err(Failure::bad_value("Files of a library have no attachments."));
        }
        Ok((self.key(), Some(value)))
    }
}

/// What the attributes of a `List` element change. Others that it may have, as an element that was got before has, say
/// nothing.
///
/// # Errors
/// [`Failure::Coded`] for a bad value, and one that this server cannot follow.
pub(crate) fn of_attributes(list: &List, node: Node<'_>) -> Result<Changes, Failure> {
    let mut changes = Changes::new();
    for (_, name, text) in node.attributes() {
        match name {
            "Title" if !text.trim().is_empty() => changes.push(title(text)),
            "Description" => changes.push(description(text)),
            _ => changes.extend(change(list.template, name, text, |setting| setting.name)?),
        }
    }
    Ok(changes)
}

/// What a property of REST changes; `None` for one that is no setting.
///
/// # Errors
/// [`Failure::Coded`] for a bad value, and one that this server cannot follow.
pub(crate) fn of_property(template: &Template, name: &str, text: &str) -> Result<Option<Changes>, Failure> {
    Ok(match name {
        "Title" => Some(vec![title(text)]),
        "Description" => Some(vec![description(text)]),
        _ if FIXED.iter().any(|(own, _)| own.eq_ignore_ascii_case(name)) => {
            change(template, name, text, |setting| setting.property)?;
            Some(Changes::new())
        }
        _ => change(template, name, text, |setting| setting.property)?.map(|change| vec![change]),
    })
}

fn title(text: &str) -> (PropertyKey, Option<Value>) {
    (list_keys::LIST_TITLE, Some(Value::text(text.trim())))
}

fn description(text: &str) -> (PropertyKey, Option<Value>) {
    (list_keys::LIST_DESCRIPTION, Some(text).filter(|text| !text.is_empty()).map(Value::text))
}

fn change(
    template: &Template,
    name: &str,
    text: &str,
    named: fn(&Setting) -> &'static str,
) -> Result<Option<(PropertyKey, Option<Value>)>, Failure> {
    if let Some((name, only)) = FIXED.iter().find(|(own, _)| own.eq_ignore_ascii_case(name))
        && truth(Some(text)) != truth(Some(only))
    {
        return Err(Failure::bad_value(format!("This server has {name} at {only} only.")));
    }
    let setting = SETTINGS.iter().find(|setting| !name.is_empty() && named(setting).eq_ignore_ascii_case(name));
    setting.map(|setting| setting.read(template, text)).transpose()
}

fn excerpt(text: &str) -> String {
    text.chars().take(40).collect()
}
