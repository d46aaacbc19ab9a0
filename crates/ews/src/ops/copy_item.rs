//! `CopyItem`, MS-OXWSCORE 3.1.4.1.

use xml::Node;

use super::Operation;
use super::move_item::{Action, Transfer};
use crate::{Answer, Context, Fault};

pub(super) struct CopyItem(Transfer);

impl Operation for CopyItem {
    const NAME: &'static str = "CopyItem";
    const CHILDREN: &'static [&'static str] = &["ToFolderId", "ItemIds", "ReturnNewItemIds"];

    fn decode(body: Node<'_>) -> Result<Self, Fault> {
        Transfer::decode(body).map(Self)
    }

    async fn run(self, context: &Context<'_>, answer: &mut Answer) -> Result<(), Fault> {
        self.0.run(Action::Copy, context, answer).await;
        Ok(())
    }
}
