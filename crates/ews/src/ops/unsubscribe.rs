//! `Unsubscribe`, MS-OXWSNTIF 3.1.4.4. It is remembered until the subscription would have ended of itself, so that every
//! node knows.

use xml::Node;

use super::Operation;
use crate::{Answer, Context, Failure, Fault, notification};

pub(super) struct Unsubscribe {
    id: String,
}

impl Operation for Unsubscribe {
    const NAME: &'static str = "Unsubscribe";
    const CHILDREN: &'static [&'static str] = &["SubscriptionId"];

    fn decode(body: Node<'_>) -> Result<Self, Fault> {
        Ok(Self { id: notification::read_token(body, "SubscriptionId")? })
    }

    async fn run(self, context: &Context<'_>, answer: &mut Answer) -> Result<(), Fault> {
        let ended = async { Ok::<(), Failure>(notification::open(context, &self.id).await?.end().await?) };
        answer.result(ended.await, |_, ()| {});
        Ok(())
    }
}
