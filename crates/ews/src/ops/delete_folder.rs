//! `DeleteFolder`, MS-OXWSFOLD 3.1.4.4.

use xml::Node;

use super::Operation;
use crate::{Answer, Context, Fault, ResponseCode};

pub(super) struct DeleteFolder;

impl Operation for DeleteFolder {
    const NAME: &'static str = "DeleteFolder";

    fn decode(_: Node<'_>) -> Result<Self, Fault> {
        Err(Fault::code(ResponseCode::ErrorInvalidOperation))
    }

    async fn run(self, _: &Context<'_>, _: &mut Answer) -> Result<(), Fault> {
        Ok(())
    }
}
