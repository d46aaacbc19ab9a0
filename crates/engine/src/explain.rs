//! What a token says, for operators: nothing here changes how tokens are served.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use model::{CollectionId, RootId};
use store::StoreError;

use crate::token::{Phase, Subject};
use crate::{
    Caller, Engine, EngineError, Folder, ListCollection, ListToken, SiteEntry, StateFault, SyncScope, TokenExplanation,
    View, Window, hierarchy, list_sync, sync,
};

impl Engine {
    /// What a token says: the base64 of a mailbox state, of a subscription or of a watermark, or a list token. Says also whether it would be served now, and
    /// if not, why. For a list token it costs the number of sites.
    pub async fn explain_token(&self, text: &str) -> TokenExplanation {
        let mut lines = Lines::default();
        let outcome = match text.trim().parse::<ListToken>() {
            Ok(token) => self.explain_list(&token, &mut lines).await,
            Err(_) => match BASE64_STANDARD.decode(text.trim()) {
                Ok(bytes) => match self.explain_notification(&bytes, &mut lines).await {
                    Some(outcome) => outcome,
                    None => self.explain_state(&bytes, &mut lines).await,
                },
                Err(_) => Err(EngineError::InvalidState(StateFault::Corrupt)),
            },
        };
        match outcome {
            Ok(()) => lines.say("served now", "yes"),
            Err(error) => lines.say("served now", format!("no: {error}")),
        }
        TokenExplanation { lines: lines.0 }
    }

    async fn explain_state(&self, bytes: &[u8], lines: &mut Lines) -> Result<(), EngineError> {
        let state = self.sealer().open(bytes).map_err(EngineError::InvalidState)?;
        lines.say(
            "kind",
            match state.subject {
                Subject::Items { .. } => "items of a folder",
                Subject::Folders { .. } => "folder hierarchy",
                Subject::Shared { .. } => "folder hierarchy, as a visitor sees it",
            },
        );
        lines.say("mailbox", state.mailbox.to_string());
        let owner = self.directory().by_mailbox_guid(state.mailbox).await?;
        lines.say("address", owner.as_ref().map_or("(none)", |owner| &owner.address));
        lines.say("issued at position", state.issued.to_string());
        let mut view = self.view_of(owner).await?;
        let (root, epochs) = (view.snapshot.root().clone(), view.epochs_for(state.epoch).await?);
        lines.say("mailbox stands at position", root.last_seq.to_string());
        match state.subject.clone() {
            Subject::Items { folder, scope, marks, pane } => {
                lines.say("folder", folder.to_string());
                lines.say(
                    "scope",
                    match scope {
                        SyncScope::Normal => "normal items",
                        SyncScope::Associated => "associated items",
                        SyncScope::NormalAndAssociated => "normal and associated items",
                    },
                );
                lines.say("creations known up to", marks.created.to_string());
                lines.say("changes known up to", marks.changed.to_string());
                if let Some(drain) = marks.drain {
                    let walk = match drain.phase {
                        Phase::Creates => "creations",
                        Phase::Changes => "changes",
                    };
                    lines.say("between pages, walking", walk);
                    lines.say("at position", drain.cursor.to_string());
                    lines.say("pages began at position", drain.until.to_string());
                }
                if let Some(pane) = pane {
                    let Window { days, newest_min, newest_max } = pane.window;
                    lines.say("window", format!("{days} days, {newest_min} at least, {newest_max} at most"));
                    lines.say("oldest item in it", pane.floor.0.to_string());
                }
                let folder = view.folder(folder).await?;
                lines.say("folder name", folder.display_name());
                lines.say("changes purged up to", folder.row.purged_seq.to_string());
                sync::marks_for(&state, &root, epochs.as_deref(), &folder.row, (scope, Window::default()))
                    .map_err(EngineError::InvalidState)?;
            }
            Subject::Folders { under } => {
                explain_below(&mut view, under, lines).await?;
                hierarchy::check(&state, &root, epochs.as_deref(), under, None).map_err(EngineError::InvalidState)?;
            }
            Subject::Shared { under, viewer, known } => {
                lines.say("visitor is account", viewer.to_string());
                lines.say("folders known", known.len().to_string());
                explain_below(&mut view, under, lines).await?;
                let viewer = Some(viewer);
                hierarchy::check(&state, &root, epochs.as_deref(), under, viewer).map_err(EngineError::InvalidState)?;
            }
        }
        Ok(())
    }

    async fn explain_list(&self, token: &ListToken, lines: &mut Lines) -> Result<(), EngineError> {
        lines.say("kind", "rows of a list");
        lines.say("list", token.list.to_string());
        lines.say("stamped", token.at.to_string());
        lines.say("position", token.position.map_or("by time".to_owned(), |position| position.to_string()));
        let Some((site, mut view, list)) = self.site_of(token).await? else {
            return Err(EngineError::InvalidState(StateFault::Mismatch));
        };
        lines.say("site", if site.path.is_empty() { "/" } else { &site.path });
        lines.say("list title", list.title());
        lines.say("site stands at position", view.position().to_string());
        lines.say("changes purged up to", list.row.purged_seq.to_string());
        let from = list_sync::position_of(&mut *view.snapshot, &list, token, self).await?;
        lines.say("read from position", from.to_string());
        Ok(())
    }

    /// Where the list of a token is.
    async fn site_of(&self, token: &ListToken) -> Result<Option<(SiteEntry, View, ListCollection)>, EngineError> {
        for site in self.directory().sites().await? {
            let mut view = match self.store().snapshot(site.root).await {
                Ok(snapshot) => View::new(snapshot),
                // Nobody has opened the site yet.
                Err(StoreError::NoRoot(_)) => continue,
                Err(other) => return Err(other.into()),
            };
            if let Some(list) = view.list_by_guid(token.list).await? {
                return Ok(Some((site, view, list)));
            }
        }
        Ok(None)
    }

    pub(crate) async fn view_of(&self, owner: Option<Caller>) -> Result<View, EngineError> {
        let root: RootId = owner.ok_or(EngineError::NoMailbox { guid: None })?.account;
        match self.store().snapshot(root).await {
            Ok(snapshot) => Ok(View::new(snapshot)),
            Err(StoreError::NoRoot(_)) => Err(EngineError::NoMailbox { guid: None }),
            Err(other) => Err(other.into()),
        }
    }
}

/// Says below which folder a hierarchy lies.
async fn explain_below(view: &mut View, under: Option<CollectionId>, lines: &mut Lines) -> Result<(), EngineError> {
    lines.say("below", under.map_or("(the whole mailbox)".to_owned(), |under| under.to_string()));
    if let Some(under) = under {
        lines.say("folder name", view.folder(under).await.as_ref().map(Folder::display_name).unwrap_or_default());
        view.collection(under).await?;
    }
    lines.say("changes purged up to", view.snapshot.root().purged_seq.to_string());
    Ok(())
}

/// What is said.
#[derive(Default)]
pub(crate) struct Lines(Vec<(String, String)>);

impl Lines {
    pub(crate) fn say(&mut self, label: &str, value: impl Into<String>) {
        self.0.push((label.to_owned(), value.into()));
    }
}
