//! `UpdateFolder`, MS-OXWSFOLD 3.1.4.8.

use xml::Node;

use super::Operation;
use crate::{Answer, Context, Fault, ResponseCode};

pub(super) struct UpdateFolder;

impl Operation for UpdateFolder {
    const NAME: &'static str = "UpdateFolder";

    fn decode(_: Node<'_>) -> Result<Self, Fault> {
        Err(Fault::code(ResponseCode::ErrorInvalidOperation))
    }

    async fn run(self, _: &Context<'_>, _: &mut Answer) -> Result<(), Fault> {
        Ok(())
    }
}
