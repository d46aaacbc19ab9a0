//! Approval of rows: in a list that moderates its content, what somebody writes waits until it is approved. Until then it is
//! seen by who made it and by those who may approve, which the domain decides. \[MS-WSSTS 2.3.1.23, MS-LISTSWS 3.1.4.31\]
//!
//! Every change makes a row wait anew, whoever wrote it; there are no earlier versions that others could go on seeing.

use engine::{SiteMask, list_keys::ROW_MODERATION};
use model::{Bag, PropertyKey, Value};

use crate::{
    code::Failure,
    list_settings,
    rows::Row,
    schema::List,
    update::{Edit, FieldWrite},
    value::Reading,
};

/// Approved, and what needs no approval.
pub(crate) const APPROVED: i32 = 0;
/// Rejected.
pub(crate) const REJECTED: i32 = 1;
const PENDING: i32 = 2;
const DRAFT: i32 = 3;
const SCHEDULED: i32 = 4;

const COMMENTS: &str = "_ModerationComments";
/// Values that a Moderate method may carry beside the state.
const METHOD_FIELDS: &[&str] = &["ID", "owshiddenversion", "FileRef", "_ModerationStatus", COMMENTS];

/// The state of approval of a row.
pub(crate) fn status(row: &Row<'_>) -> i32 {
    if !list_settings::ENABLE_MODERATION.is_on(row.list) {
        return APPROVED;
    }
    let status = row.stored("_ModerationStatus").as_ref().and_then(Value::as_i64);
    status.and_then(|status| i32::try_from(status).ok()).unwrap_or(APPROVED)
}

/// Makes a row wait for approval, in a list that moderates its content.
pub(crate) fn wait(list: &List, bag: &mut Bag) {
    Moderation::default().apply(list, bag);
}

/// What a client says of a row's approval.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Moderation {
    status: Option<i32>,
    /// What an approver has to say.
    pub(crate) comment: Option<String>,
}

impl Moderation {
    /// That a row has this state.
    pub(crate) fn new(status: i32, comment: Option<String>) -> Self {
        Self { status: Some(status), comment }
    }

    /// Reads a state.
    ///
    /// # Errors
    /// [`Failure::Coded`] in a list that does not moderate its content, and for what is no state.
    pub(crate) fn read_status(&mut self, list: &List, text: &str) -> Result<(), Failure> {
        if !list_settings::ENABLE_MODERATION.is_on(list) {
            return Err(Failure::bad_value("The list does not moderate its content."));
        }
        let status = text.trim().parse().ok().filter(|status| (APPROVED..=SCHEDULED).contains(status));
        self.status = Some(status.ok_or_else(|| Failure::bad_value("There is no such approval status."))?);
        Ok(())
    }

    /// Whether the client says anything.
    pub(crate) const fn is_asked(&self) -> bool {
        self.status.is_some() || self.comment.is_some()
    }

    /// Checks that the client may say so of a row, or of a new one: those who write put it off, those who approve decide.
    ///
    /// # Errors
    /// [`Failure`] where it may not, and where the list does not moderate its content.
    pub(crate) fn check(&self, list: &List, row: Option<&Row<'_>>) -> Result<(), Failure> {
        if !self.is_asked() {
            return Ok(());
        }
        if !list_settings::ENABLE_MODERATION.is_on(list) {
            return Err(Failure::bad_value("The list does not moderate its content."));
        }
        let mask = row.map_or(list.rights_mask, Row::rights_mask);
        let own = self.comment.is_none() && matches!(self.status, Some(PENDING | DRAFT));
        if own || SiteMask(mask).has(SiteMask::APPROVE_ITEMS) {
            Ok(())
        } else {
            Err(Failure::Engine(engine::EngineError::AccessDenied))
        }
    }

    /// Sets the state of a row that is made or changed.
    pub(crate) fn apply(&self, list: &List, bag: &mut Bag) {
        if !list_settings::ENABLE_MODERATION.is_on(list) {
            return;
        }
        bag.set(ROW_MODERATION, Value::I32(self.status.unwrap_or(PENDING)));
        if let Some(comment) = &self.comment {
            bag.put(PropertyKey::field(COMMENTS), Some(Value::text(comment)).filter(|_| !comment.is_empty()));
        }
    }
}

/// The change that a Moderate method makes.
///
/// # Errors
/// [`Failure::Coded`] where it names no state or something else, and in a list that does not moderate its content.
pub(crate) fn method(list: &List, writes: &[FieldWrite], reading: &Reading<'_>) -> Result<Edit, Failure> {
    if !list_settings::ENABLE_MODERATION.is_on(list) {
        return Err(Failure::bad_value("The list does not moderate its content."));
    }
    if let Some(other) = writes.iter().find(|write| !METHOD_FIELDS.contains(&write.name.as_str())) {
        return Err(Failure::bad_value(format!("The method Moderate does not write the field {}.", other.name)));
    }
    let edit = Edit::read(list, writes, reading)?;
    if edit.moderation.status.is_none() {
        return Err(Failure::bad_value("_ModerationStatus is missing."));
    }
    Ok(edit)
}

/// Which rows a view shows, as to their approval. \[MS-WSSCAML, View/@ModerationType\]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ModerationView {
    /// Those that are approved.
    HideUnapproved,
    /// One's own, whatever their state.
    Contributor,
    /// All that one may see.
    Moderator,
}

impl ModerationView {
    /// The kind of this name.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "hideunapproved" => Some(Self::HideUnapproved),
            "contributor" => Some(Self::Contributor),
            "moderator" => Some(Self::Moderator),
            _ => None,
        }
    }

    /// Whether it shows a row to a user.
    pub(crate) fn takes(self, row: &Row<'_>, user: u32) -> bool {
        match self {
            Self::HideUnapproved => status(row) == APPROVED,
            Self::Contributor => row.stored("Author").as_ref().and_then(Value::as_i64) == Some(i64::from(user)),
            Self::Moderator => true,
        }
    }
}
