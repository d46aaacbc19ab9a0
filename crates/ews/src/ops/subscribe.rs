//! `Subscribe`, MS-OXWSNTIF 3.1.4.3.
//!
//! The id of a subscription says all there is to know about it, so nothing is kept of it here. Push subscriptions are
//! refused: this server calls no URL that a client names.

use engine::{Channel, EventKinds, Mailbox, Subscribed, Watch};
use model::limits::SUBSCRIPTION_FOLDERS_MAX;
use xml::Node;

use super::Operation;
use crate::id::{FolderRef, MailboxId};
use crate::{Answer, Context, Failure, Fault, ResponseCode, folder, notification, request};

/// Minutes that a pull subscription may be idle for, MS-OXWSNTIF 2.2.5.4.
const IDLE_MINUTES_MAX: i32 = 1_440;

const NO_PUSH: &str = "This server sends no notifications to URLs. Subscribe to pull or streaming notifications.";
const ONE_OF_BOTH: &str = "A subscription names either folders or all folders.";
const ONE_MAILBOX: &str = "The folders of a subscription lie in one mailbox.";

pub(super) struct Subscribe {
    /// `None` for all.
    folders: Option<Vec<Result<FolderRef, Failure>>>,
    kinds: EventKinds,
    watermark: Option<String>,
    /// `None` for push.
    channel: Option<Channel>,
    /// Whether both folders and all folders are asked for, or neither.
    is_unclear: bool,
}

impl Operation for Subscribe {
    const NAME: &'static str = "Subscribe";
    const CHILDREN: &'static [&'static str] =
        &["PullSubscriptionRequest", "PushSubscriptionRequest", "StreamingSubscriptionRequest"];

    fn decode(body: Node<'_>) -> Result<Self, Fault> {
        let asked = request::only(body)?;
        if let Some(other) = body.children().nth(1) {
            return Err(Fault::schema(other, other.local(), "This element is not expected here."));
        }
        let (known, channel): (&[&str], _) = match asked.local() {
            "PullSubscriptionRequest" => {
                let idle = request::integer(request::required(asked, "Timeout")?, 1, IDLE_MINUTES_MAX)?;
                let idle_minutes = idle.unsigned_abs();
                (&["FolderIds", "EventTypes", "Watermark", "Timeout"], Some(Channel::Pull { idle_minutes }))
            }
            "PushSubscriptionRequest" => {
                request::integer(request::required(asked, "StatusFrequency")?, 1, IDLE_MINUTES_MAX)?;
                request::required(asked, "URL")?;
                (&["FolderIds", "EventTypes", "Watermark", "StatusFrequency", "URL", "CallerData"], None)
            }
            _ => (&["FolderIds", "EventTypes"], Some(Channel::Streaming)),
        };
        request::known_children(asked, known)?;
        let all = match asked.attribute("SubscribeToAllFolders") {
            None => false,
            Some(text) => request::parse_boolean(text).ok_or_else(|| {
                Fault::value(asked, text, "xs:boolean", "The string is not a valid Boolean value.")
            })?,
        };
        let folders = asked.child_local("FolderIds").map(FolderRef::read_batch).transpose()?;
        let watermark = asked.child_local("Watermark").map(|_| notification::read_token(asked, "Watermark"));
        Ok(Self {
            is_unclear: all == folders.is_some(),
            folders,
            kinds: notification::read_kinds(request::required(asked, "EventTypes")?)?,
            watermark: watermark.transpose()?,
            channel,
        })
    }

    async fn run(self, context: &Context<'_>, answer: &mut Answer) -> Result<(), Fault> {
        let is_pull = matches!(self.channel, Some(Channel::Pull { .. }));
        answer.result(self.subscribe(context).await, |out, made| {
            out.element("m:SubscriptionId", &notification::text_of(&made.id));
            if is_pull {
                out.element("m:Watermark", &notification::text_of(&made.watermark));
            }
        });
        Ok(())
    }
}

impl Subscribe {
    async fn subscribe(self, context: &Context<'_>) -> Result<Subscribed, Failure> {
        let refused = |text| Failure::text(ResponseCode::ErrorInvalidSubscriptionRequest, text);
        let Some(channel) = self.channel else {
            return Err(Failure::text(ResponseCode::ErrorInvalidPushSubscriptionUrl, NO_PUSH));
        };
        if self.is_unclear {
            return Err(refused(ONE_OF_BOTH));
        }
        let mut watch = Watch { folders: Vec::new(), kinds: self.kinds };
        let mut of: Option<Mailbox> = None;
        for named in self.folders.into_iter().flatten() {
            if watch.folders.len() > SUBSCRIPTION_FOLDERS_MAX {
                break;
            }
            let (mailbox, folder) = folder::open(context, &named?).await?;
            if of.as_ref().is_some_and(|of| of.guid() != mailbox.guid()) {
                return Err(refused(ONE_MAILBOX));
            }
            watch.folders.push(folder);
            of = Some(mailbox);
        }
        let mailbox = match of {
            Some(mailbox) => mailbox,
            None => context.mailbox(&MailboxId::Own).await?,
        };
        let from = self.watermark.as_deref().map(notification::bytes_of);
        Ok(mailbox.subscribe(watch, channel, from.as_deref(), context.sender()).await?)
    }
}
