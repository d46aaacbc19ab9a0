//! `MoveFolder`, MS-OXWSFOLD 3.1.4.7.

use xml::Node;

use super::Operation;
use crate::{Answer, Context, Fault, ResponseCode};

pub(super) struct MoveFolder;

impl Operation for MoveFolder {
    const NAME: &'static str = "MoveFolder";

    fn decode(_: Node<'_>) -> Result<Self, Fault> {
        Err(Fault::code(ResponseCode::ErrorInvalidOperation))
    }

    async fn run(self, _: &Context<'_>, _: &mut Answer) -> Result<(), Fault> {
        Ok(())
    }
}
