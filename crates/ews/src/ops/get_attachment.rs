//! `GetAttachment`, MS-OXWSATT 3.1.4.3.

use xml::Node;

use super::Operation;
use crate::{Answer, Context, Fault, ResponseCode};

pub(super) struct GetAttachment;

impl Operation for GetAttachment {
    const NAME: &'static str = "GetAttachment";

    fn decode(_: Node<'_>) -> Result<Self, Fault> {
        Err(Fault::code(ResponseCode::ErrorInvalidOperation))
    }

    async fn run(self, _: &Context<'_>, _: &mut Answer) -> Result<(), Fault> {
        Ok(())
    }
}
