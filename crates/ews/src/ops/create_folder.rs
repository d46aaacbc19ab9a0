//! `CreateFolder`, MS-OXWSFOLD 3.1.4.2.

use xml::Node;

use super::Operation;
use crate::{Answer, Context, Fault, ResponseCode};

pub(super) struct CreateFolder;

impl Operation for CreateFolder {
    const NAME: &'static str = "CreateFolder";

    fn decode(_: Node<'_>) -> Result<Self, Fault> {
        Err(Fault::code(ResponseCode::ErrorInvalidOperation))
    }

    async fn run(self, _: &Context<'_>, _: &mut Answer) -> Result<(), Fault> {
        Ok(())
    }
}
