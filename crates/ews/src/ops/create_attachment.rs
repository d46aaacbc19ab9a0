//! `CreateAttachment`, MS-OXWSATT 3.1.4.1.

use xml::Node;

use super::Operation;
use crate::attachments;
use crate::fields::attachment;
use crate::id::{self, ChangeKey, ItemRef};
use crate::new_item::NewAttachment;
use crate::{Answer, Context, Failure, Fault, ResponseCode, request};

pub(super) struct CreateAttachment {
    parent: Result<ItemRef, Failure>,
    attachments: Vec<Result<NewAttachment, Failure>>,
}

impl Operation for CreateAttachment {
    const NAME: &'static str = "CreateAttachment";
    const CHILDREN: &'static [&'static str] = &["ParentItemId", "Attachments"];

    fn decode(body: Node<'_>) -> Result<Self, Fault> {
        let parent = request::required(body, "ParentItemId")?;
        request::attribute(parent, "Id")?;
        let attachments = request::batch(request::required(body, "Attachments")?)?;
        Ok(Self {
            parent: ItemRef::read(parent),
            attachments: attachments.into_iter().map(NewAttachment::read).collect::<Result<_, _>>()?,
        })
    }

    async fn run(self, context: &Context<'_>, answer: &mut Answer) -> Result<(), Fault> {
        let good: Vec<&NewAttachment> = self.attachments.iter().flatten().collect();
        let added = add(context, &self.parent, &good).await;
        let (mut added, root) = match added {
            Ok((added, root)) => (added.into_iter(), Some(root)),
            Err(failure) => (vec![Err(failure); good.len()].into_iter(), None),
        };
        for asked in &self.attachments {
            let done = match asked {
                Ok(_) => added.next().unwrap_or_else(|| Err(ResponseCode::ErrorInternalServerError.into())),
                Err(failure) => Err(failure.clone()),
            };
            match done {
                Ok((element, id)) => answer.success(|out| {
                    out.scope("m:Attachments", |out| {
                        out.scope(element, |out| attachment::write_id(out, &id, root.as_ref()));
                    });
                }),
                Err(failure) => answer.error_with(&failure, |out| out.empty("m:Attachments")),
            }
        }
        Ok(())
    }
}

type Added = (Vec<Result<(&'static str, String), Failure>>, attachments::Root);

/// Adds them; answers the element and the id of each.
async fn add(
    context: &Context<'_>,
    parent: &Result<ItemRef, Failure>,
    new: &[&NewAttachment],
) -> Result<Added, Failure> {
    let parent = parent.as_ref().map_err(Clone::clone)?;
    // What is added overwrites nothing, so an outdated key does no harm.
    if parent.key == ChangeKey::Foreign {
        return Err(ResponseCode::ErrorInvalidChangeKey.into());
    }
    let mailbox = context.mailbox(&parent.mailbox).await?;
    let engine = context.engine();
    let built: Vec<_> = new.iter().map(|new| new.build(engine, mailbox.owner())).collect();
    let (numbers, root) = attachments::add(&mailbox, parent.item, &built, engine.random()).await?;
    let named = numbers.into_iter().zip(&built).map(|(number, built)| {
        let element = if attachment::is_item(&built.bag) { "t:ItemAttachment" } else { "t:FileAttachment" };
        number.map(|number| (element, id::attachment_id(mailbox.guid(), parent.folder, parent.item, &[number])))
    });
    Ok((named.collect(), root))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Answered, World};

    fn attach(world: &World, item: &str, attachments: &str) -> Answered {
        world.call(&format!(
            "<CreateAttachment><ParentItemId Id=\"{item}\"/><Attachments>{attachments}</Attachments></CreateAttachment>"
        ))
    }

    fn file(name: &str, base64: &str) -> String {
        format!("<t:FileAttachment><t:Name>{name}</t:Name><t:Content>{base64}</t:Content></t:FileAttachment>")
    }

    fn get(world: &World, item: &str) -> Answered {
        world.call(&format!(
            "<GetItem><ItemShape><t:BaseShape>AllProperties</t:BaseShape><t:IncludeMimeContent>true</t:IncludeMimeContent>\
             </ItemShape><ItemIds><t:ItemId Id=\"{item}\"/></ItemIds></GetItem>"
        ))
    }

    #[test]
    fn attachments_are_added_in_one_change() {
        let world = World::new();
        let (item, key) = world.message("inbox", "a");
        let inner = "<t:ItemAttachment><t:Name>Inner</t:Name><t:Message><t:Subject>Inner</t:Subject></t:Message></t:ItemAttachment>";
        let many = format!("{}{inner}{}", file("a.txt", "aGVsbG8="), file("b.txt", "d29ybGQ="));
        let answer = attach(&world, &item, &many).success();
        let counts = ["<t:FileAttachment>", "<t:ItemAttachment>"].map(|element| answer.xml.matches(element).count());
        assert_eq!(counts, [2, 1]);
        assert_eq!(answer.attributes("AttachmentId", "RootItemId"), vec![item.clone(); 3]);
        let keys = answer.attributes("AttachmentId", "RootItemChangeKey");
        assert!(keys.iter().all(|one| *one == keys[0] && *one != key), "{keys:?}");
        let ids = answer.attributes("AttachmentId", "Id");
        let got = get(&world, &item).success();
        assert_eq!(got.attributes("AttachmentId", "Id"), ids);
        assert_eq!(got.attributes("ItemId", "ChangeKey")[0], keys[0]);
        assert_eq!(got.text("HasAttachments"), "true");
        // Added to one that has some.
        let more = attach(&world, &item, &file("c.txt", "Yw==")).success();
        let mut all = ids;
        all.extend(more.attributes("AttachmentId", "Id"));
        assert_eq!(get(&world, &item).success().attributes("AttachmentId", "Id"), all);
        let ids: String = all.iter().map(|id| format!("<t:AttachmentId Id=\"{id}\"/>")).collect();
        let read = world.call(&format!("<GetAttachment><AttachmentIds>{ids}</AttachmentIds></GetAttachment>")).success();
        assert_eq!(read.texts("Content"), ["aGVsbG8=", "d29ybGQ=", "Yw=="]);
        assert_eq!(read.text("Subject"), "Inner");
    }

    #[test]
    fn the_message_is_written_anew() {
        use base64::Engine as _;
        let world = World::new();
        let mime = base64::engine::general_purpose::STANDARD.encode("Subject: whole\r\n\r\nbody\r\n");
        let made = world.call(&format!(
            "<CreateItem MessageDisposition=\"SaveOnly\"><Items><t:Message><t:MimeContent>{mime}</t:MimeContent></t:Message>\
             </Items></CreateItem>"
        ));
        let item = made.success().attributes("ItemId", "Id").remove(0);
        attach(&world, &item, &file("a.txt", "aGVsbG8=")).success();
        let now = get(&world, &item).success().text("MimeContent");
        let now = String::from_utf8(base64::engine::general_purpose::STANDARD.decode(now).unwrap()).unwrap();
        assert!(now.contains("a.txt") && now.contains("Subject: whole"), "{now}");
    }

    #[test]
    fn attachments_fail_alone() {
        let world = World::new();
        let (item, _) = world.message("inbox", "a");
        let many = format!("{}{}<t:ReferenceAttachment/>", file("a.txt", "?"), file("b.txt", "d29ybGQ="));
        let answer = attach(&world, &item, &many).valid();
        assert_eq!(answer.codes(), ["ErrorInvalidRequest", "NoError", "ErrorInvalidPropertySet"]);
        assert_eq!(get(&world, &item).success().texts("Name"), ["b.txt"]);
        for (parent, code) in [("", "ErrorInvalidIdEmpty"), ("AAMk", "ErrorInvalidIdMalformed")] {
            let answer = attach(&world, parent, &format!("{0}{0}", file("a.txt", "aGVsbG8="))).valid();
            assert_eq!(answer.codes(), [code, code]);
        }
        world.call(&format!("<DeleteItem DeleteType=\"HardDelete\"><ItemIds><t:ItemId Id=\"{item}\"/></ItemIds></DeleteItem>"));
        assert_eq!(attach(&world, &item, &file("a.txt", "aGVsbG8=")).codes(), ["ErrorItemNotFound"]);
        assert_eq!(attach(&world, &item, "").status, 500);
    }
}
