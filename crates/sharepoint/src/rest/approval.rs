//! Approving and rejecting: `items(3)/file/approve('why')` and `deny('why')`. Items without a file are approved by writing
//! `OData__ModerationStatus`, which does the same. \[SP.File, learn.microsoft.com\]

use super::{Ask, error::RestError, items, reply::Reply};
use crate::{
    moderation::{APPROVED, Moderation, REJECTED},
    update::{self, Edit},
};

/// `POST items(3)/file/approve(comment='…')`.
pub(super) async fn approve(ask: &Ask<'_>) -> Result<Reply, RestError> {
    decide(ask, "approve", APPROVED).await
}

/// `POST items(3)/file/deny(comment='…')`.
pub(super) async fn deny(ask: &Ask<'_>) -> Result<Reply, RestError> {
    decide(ask, "deny", REJECTED).await
}

async fn decide(ask: &Ask<'_>, step: &str, status: i32) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let list = ask.list(&mut view).await?;
    let item = items::find(ask, &mut view, &list).await?;
    drop(view);
    let comment = ask.argument(step, "comment", 0).map(super::Literal::to_text);
    let mut edit = Edit::default();
    edit.moderation = Moderation::new(status, comment);
    let changed = update::change(&ask.context, &list, item.id.number(), &edit).await;
    changed.map_err(|failure| ask.failed(failure))?;
    Ok(Reply::Deleted)
}
