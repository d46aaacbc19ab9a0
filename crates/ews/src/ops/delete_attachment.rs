//! `DeleteAttachment`, MS-OXWSATT 3.1.4.2.

use xml::Node;

use super::Operation;
use crate::attachments::{self, AttachmentRef, Root};
use crate::{Answer, Context, Failure, Fault, ResponseCode, request};

pub(super) struct DeleteAttachment {
    ids: Vec<Result<AttachmentRef, Failure>>,
}

impl Operation for DeleteAttachment {
    const NAME: &'static str = "DeleteAttachment";
    const CHILDREN: &'static [&'static str] = &["AttachmentIds"];

    fn decode(body: Node<'_>) -> Result<Self, Fault> {
        let ids = request::batch(request::required(body, "AttachmentIds")?)?;
        Ok(Self { ids: ids.into_iter().map(AttachmentRef::read).collect::<Result<_, _>>()? })
    }

    async fn run(self, context: &Context<'_>, answer: &mut Answer) -> Result<(), Fault> {
        // Those of one item that follow each other go in one change.
        let together = |one: &Result<AttachmentRef, Failure>, other: &Result<AttachmentRef, Failure>| {
            matches!((one, other), (Ok(one), Ok(other)) if (&one.mailbox, one.item) == (&other.mailbox, other.item))
        };
        for ids in self.ids.chunk_by(together) {
            let (removed, root) = match remove(context, ids).await {
                Ok((removed, root)) => (removed, Some(root)),
                Err(failure) => (vec![Err(failure); ids.len()], None),
            };
            for done in removed {
                match (done, &root) {
                    (Ok(()), Some(root)) => answer.success(|out| {
                        out.start("m:RootItemId");
                        root.write(out);
                        out.end();
                    }),
                    (Ok(()), None) => answer.error(&ResponseCode::ErrorInternalServerError.into()),
                    (Err(failure), _) => answer.error(&failure),
                }
            }
        }
        Ok(())
    }
}

async fn remove(
    context: &Context<'_>,
    ids: &[Result<AttachmentRef, Failure>],
) -> Result<(Vec<Result<(), Failure>>, Root), Failure> {
    let ids: Vec<&AttachmentRef> = ids.iter().map(|id| id.as_ref().map_err(Clone::clone)).collect::<Result<_, _>>()?;
    let Some(first) = ids.first() else { return Err(ResponseCode::ErrorInvalidAttachmentId.into()) };
    let mailbox = context.mailbox(&first.mailbox).await?;
    let paths: Vec<&[u32]> = ids.iter().map(|id| id.path.as_slice()).collect();
    attachments::remove(&mailbox, first.item, &paths).await
}

#[cfg(test)]
mod tests {
    use crate::testing::{Answered, World};

    /// A message with files of these names, and their ids.
    fn sample(world: &World, names: &[&str]) -> (String, Vec<String>) {
        let files: String = names
            .iter()
            .map(|name| {
                format!("<t:FileAttachment><t:Name>{name}</t:Name><t:Content>aGVsbG8=</t:Content></t:FileAttachment>")
            })
            .collect();
        let made = world.call(&format!(
            "<CreateItem MessageDisposition=\"SaveOnly\"><Items><t:Message><t:Subject>a</t:Subject><t:Attachments>{files}\
             </t:Attachments></t:Message></Items></CreateItem>"
        ));
        let item = made.success().attributes("ItemId", "Id").remove(0);
        let ids = get(world, &item).attributes("AttachmentId", "Id");
        (item, ids)
    }

    fn get(world: &World, item: &str) -> Answered {
        let get = format!(
            "<GetItem><ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>\
             <t:FieldURI FieldURI=\"item:Attachments\"/><t:FieldURI FieldURI=\"item:HasAttachments\"/></t:AdditionalProperties>\
             </ItemShape><ItemIds><t:ItemId Id=\"{item}\"/></ItemIds></GetItem>"
        );
        world.call(&get).success()
    }

    fn delete(world: &World, ids: &[&str]) -> Answered {
        let ids: String = ids.iter().map(|id| format!("<t:AttachmentId Id=\"{id}\"/>")).collect();
        world.call(&format!("<DeleteAttachment><AttachmentIds>{ids}</AttachmentIds></DeleteAttachment>"))
    }

    /// Ids stay with what they named: one of an attachment that is gone never names another.
    #[test]
    fn the_others_keep_their_ids() {
        let world = World::new();
        let (item, ids) = sample(&world, &["a", "b", "c"]);
        let answer = delete(&world, &[&ids[0]]).success();
        assert_eq!(answer.attributes("RootItemId", "RootItemId"), std::slice::from_ref(&item));
        let got = get(&world, &item);
        assert_eq!(got.texts("Name"), ["b", "c"]);
        assert_eq!(got.attributes("AttachmentId", "Id"), ids[1..]);
        assert_eq!(got.attributes("ItemId", "ChangeKey"), answer.attributes("RootItemId", "RootItemChangeKey"));
        assert_eq!(delete(&world, &[&ids[0]]).valid().codes(), ["ErrorInvalidAttachmentId"]);
        let file = "<t:FileAttachment><t:Name>d</t:Name><t:Content>aGVsbG8=</t:Content></t:FileAttachment>";
        delete(&world, &[&ids[2]]).success();
        let added = world.call(&format!(
            "<CreateAttachment><ParentItemId Id=\"{item}\"/><Attachments>{file}</Attachments></CreateAttachment>"
        ));
        let added = added.success().attributes("AttachmentId", "Id").remove(0);
        assert!(!ids.contains(&added));
        let answer = world.call(&format!(
            "<GetAttachment><AttachmentIds><t:AttachmentId Id=\"{}\"/><t:AttachmentId Id=\"{}\"/><t:AttachmentId Id=\"{added}\"/>\
             </AttachmentIds></GetAttachment>",
            ids[2], ids[1]
        ));
        let answer = answer.valid();
        assert_eq!(answer.codes(), ["ErrorInvalidAttachmentId", "NoError", "NoError"]);
        assert_eq!(answer.texts("Name"), ["b", "d"]);
        delete(&world, &[&ids[1], &added]).success();
        assert_eq!(get(&world, &item).text("HasAttachments"), "false");
    }

    #[test]
    fn attachments_fail_alone() {
        let world = World::new();
        let (item, ids) = sample(&world, &["a", "b"]);
        let (other, others) = sample(&world, &["c"]);
        let answer = delete(&world, &[&ids[1], &ids[1], &others[0], &item, "", "AAMk", &ids[0]]).valid();
        assert_eq!(
            answer.codes(),
            [
                "NoError",
                "ErrorInvalidAttachmentId",
                "NoError",
                "ErrorInvalidAttachmentId",
                "ErrorInvalidIdEmpty",
                "ErrorInvalidIdMalformed",
                "NoError",
            ]
        );
        assert!(get(&world, &item).texts("Name").is_empty() && get(&world, &other).texts("Name").is_empty());
        assert_eq!(delete(&world, &[]).status, 500);
    }
}
