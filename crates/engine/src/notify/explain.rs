//! What a subscription or a watermark says, for operators.

use super::token::{Issued, SubscriptionToken, WatermarkToken};
use super::{Channel, Place, SCOPE_ENDED, SubscriptionError, walk};
use crate::explain::Lines;
use crate::{Engine, EngineError, StateFault, View};

impl Engine {
    /// Says what a token of notifications says; `None` where it is none. The error says why it would not be served now.
    pub(crate) async fn explain_notification(
        &self,
        bytes: &[u8],
        lines: &mut Lines,
    ) -> Option<Result<(), EngineError>> {
        if let Ok(token) = SubscriptionToken::open(self.sealer(), bytes) {
            return Some(self.explain_subscription(&token, lines).await);
        }
        let token = WatermarkToken::open(self.sealer(), bytes).ok()?;
        Some(self.explain_watermark(&token, lines).await)
    }

    async fn explain_subscription(&self, token: &SubscriptionToken, lines: &mut Lines) -> Result<(), EngineError> {
        lines.say("kind", "subscription to notifications");
        let mut view = self.explain_issued(&token.issued, lines).await?;
        lines.say(
            "client",
            match token.channel {
                Channel::Pull { idle_minutes } => format!("asks, at least once in {idle_minutes} minutes"),
                Channel::Streaming => "leaves a request open".to_owned(),
            },
        );
        let folders: Vec<String> = token.watch.folders.iter().map(ToString::to_string).collect();
        lines.say("folders", if folders.is_empty() { "(the whole mailbox)".to_owned() } else { folders.join(", ") });
        lines.say("of account", token.account.to_string());
        lines.say("made by account", token.creator.to_string());
        lines.say("begins at position", token.from.to_string());
        lines.say("ends", token.ends.to_string());
        let is_ended = view.name(SCOPE_ENDED, &token.name()).await?.is_some();
        if is_ended || self.now() > token.ends {
            return Err(EngineError::InvalidState(StateFault::Expired));
        }
        let place = Place { issued: token.issued, base: token.from, cursor: token.from };
        view.check(&place).await.map_err(lost)
    }

    async fn explain_watermark(&self, token: &WatermarkToken, lines: &mut Lines) -> Result<(), EngineError> {
        lines.say("kind", "watermark of notifications");
        let mut view = self.explain_issued(&token.issued, lines).await?;
        lines.say("all is known up to", token.base.to_string());
        lines.say("all was told up to", token.cursor.to_string());
        lines.say("given out", token.at.to_string());
        let place = Place { issued: token.issued, base: token.base, cursor: token.cursor };
        view.check(&place).await.map_err(lost)?;
        // Of the whole mailbox: some folders may have their history from further back.
        let all = super::Watch { folders: Vec::new(), kinds: super::EventKinds::ALL };
        walk::check_kept(&mut view, &all, token.cursor)
            .await
            .map_err(|_| EngineError::InvalidState(StateFault::Expired))
    }

    async fn explain_issued(&self, issued: &Issued, lines: &mut Lines) -> Result<View, EngineError> {
        lines.say("mailbox", issued.mailbox.to_string());
        let owner = self.directory().by_mailbox_guid(issued.mailbox).await?;
        lines.say("address", owner.as_ref().map_or("(none)", |owner| &owner.address));
        lines.say("issued at position", issued.position.to_string());
        let view = self.view_of(owner).await?;
        lines.say("mailbox stands at position", view.position().to_string());
        Ok(view)
    }
}

fn lost(error: SubscriptionError) -> EngineError {
    match error {
        SubscriptionError::Engine(error) => error,
        SubscriptionError::Invalid
        | SubscriptionError::NotFound
        | SubscriptionError::Expired
        | SubscriptionError::AccessDenied
        | SubscriptionError::Watermark
        | SubscriptionError::TooManyFolders => EngineError::InvalidState(StateFault::LostTimeline),
    }
}
