//! `UpdateFolder`, MS-OXWSFOLD 3.1.4.8.

use engine::{Folder, PERMISSIONS};
use model::{Bag, Guid, PropertyKey, Value, tags};
use xml::Node;

use super::{Operation, create_folder};
use crate::id::FolderRef;
use crate::path::Path;
use crate::permission::{self, PERMISSION_SET};
use crate::search::{self, SEARCH_PARAMETERS};
use crate::{Answer, Context, Failure, Fault, ResponseCode, class, folder, request};

pub(super) struct UpdateFolder {
    changes: Vec<Change>,
}

/// The updates of one folder.
struct Change {
    folder: Result<FolderRef, Failure>,
    updates: Result<Vec<Update>, Failure>,
}

/// A property with its new value; none removes it.
type Update = (PropertyKey, Option<Value>);

impl Operation for UpdateFolder {
    const NAME: &'static str = "UpdateFolder";
    const CHILDREN: &'static [&'static str] = &["FolderChanges"];

    fn decode(body: Node<'_>) -> Result<Self, Fault> {
        let changes = request::batch(request::required(body, "FolderChanges")?)?;
        Ok(Self { changes: changes.into_iter().map(read_change).collect::<Result<_, _>>()? })
    }

    async fn run(self, context: &Context<'_>, answer: &mut Answer) -> Result<(), Fault> {
        for change in self.changes {
            let updated = update(context, change).await;
            answer.result(updated, |out, (mailbox, folder)| create_folder::write(out, mailbox, folder));
        }
        Ok(())
    }
}

fn read_change(node: Node<'_>) -> Result<Change, Fault> {
    let folder = FolderRef::read_target(node)?;
    let mut updates = Ok(Vec::new());
    for child in request::batch(request::required(node, "Updates")?)? {
        let update = read_update(child)?;
        if let Ok(list) = &mut updates {
            match update {
                Ok(update) => list.push(update),
                Err(failure) => updates = Err(failure),
            }
        }
    }
    Ok(Change { folder, updates })
}

/// The outer error is a fault, the inner one of the folder.
fn read_update(node: Node<'_>) -> Result<Result<Update, Failure>, Fault> {
    let path = match Path::read(request::only(node)?)? {
        Ok(path) => path,
        Err(failure) => return Ok(Err(failure)),
    };
    let key = match &path {
        Path::Field(uri) => create_folder::updatable(uri),
        Path::Indexed { .. } => None,
        Path::Extended(field) => Some(field.key.clone()),
    };
    let about = |code| Ok(Err(Failure::field(code, path.name())));
    match node.local() {
        "SetFolderField" => {
            let Some(key) = key else { return about(ResponseCode::ErrorInvalidPropertySet) };
            let element = node.children().nth(1);
            let Some(element) = element.filter(|element| class::of_folder_element(element.local()).is_some()) else {
                return Err(Fault::schema(node, node.local(), "it has incomplete content."));
            };
            let mut children = element.children();
            let (Some(child), None) = (children.next(), children.next()) else {
                return about(ResponseCode::ErrorIncorrectUpdatePropertyCount);
            };
            match create_folder::property(child)? {
                Ok((have, value)) if have == key => Ok(Ok((key, Some(value)))),
                Ok(_) => about(ResponseCode::ErrorUpdatePropertyMismatch),
                Err(failure) => Ok(Err(failure)),
            }
        }
        "DeleteFolderField" => match key {
            // Each folder has a name and a class.
            Some(key) if key != tags::DISPLAY_NAME && key != tags::CONTAINER_CLASS => Ok(Ok((key, None))),
            Some(_) | None => about(ResponseCode::ErrorInvalidPropertyDelete),
        },
        "AppendToFolderField" => about(ResponseCode::ErrorInvalidPropertyAppend),
        other => Err(Fault::schema(node, other, "This element is not expected here.")),
    }
}

/// Changes one folder. Its change key is not compared: counts move it, and updates are of single properties.
async fn update(context: &Context<'_>, change: Change) -> Result<(Guid, Folder), Failure> {
    let (mailbox, id) = folder::open(context, &change.folder?).await?;
    let mut updates = change.updates?;
    if updates.iter().any(|(key, _)| *key == SEARCH_PARAMETERS) {
        let mut view = mailbox.begin().await?;
        if !view.folder(id).await?.is_search() {
            return Err(Failure::field(ResponseCode::ErrorInvalidPropertySet, "folder:SearchParameters"));
        }
        let new: Bag = updates.iter().filter_map(|(key, value)| Some((key.clone(), value.clone()?))).collect();
        search::verify(&mut view, mailbox.owner(), &new).await?;
    }
    if let Some((_, Some(Value::Text(new)))) = updates.iter().rfind(|(key, _)| *key == tags::CONTAINER_CLASS) {
        let folder = mailbox.begin().await?.folder(id).await?;
        let element = |name: &str| class::of_folder(name, folder.is_search()).element;
        if element(new) != element(folder.class()) {
            return Err(ResponseCode::ErrorObjectTypeChanged.into());
        }
    }
    for (key, value) in updates.iter_mut().filter(|(key, _)| *key == PERMISSION_SET) {
        let folder = mailbox.begin().await?.folder(id).await?;
        let calendar = class::of_folder(folder.class(), folder.is_search()).element == "t:CalendarFolder";
        *key = PERMISSIONS;
        if let Some(Value::Text(markup)) = value.take() {
            *value = Some(permission::settle(context.engine(), &markup, Some(calendar)).await?);
        }
    }
    let apply = |bag: &mut Bag| updates.iter().for_each(|(key, value)| bag.put(key.clone(), value.clone()));
    let folder = mailbox.update_folder(id, &apply).await.map_err(create_folder::refused)?;
    Ok((mailbox.guid(), folder))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Answered, World};

    const NAME: &str = "<t:FieldURI FieldURI=\"folder:DisplayName\"/>";
    const CLASS: &str = "<t:FieldURI FieldURI=\"folder:FolderClass\"/>";
    const MARK: &str = "<t:ExtendedFieldURI PropertyTag=\"0x3004\" PropertyType=\"String\"/>";

    fn set(path: &str, child: &str) -> String {
        format!("<t:SetFolderField>{path}<t:Folder>{child}</t:Folder></t:SetFolderField>")
    }

    fn delete(path: &str) -> String {
        format!("<t:DeleteFolderField>{path}</t:DeleteFolderField>")
    }

    fn change(folder: &str, updates: &str) -> String {
        format!("<t:FolderChange>{folder}<t:Updates>{updates}</t:Updates></t:FolderChange>")
    }

    fn send(world: &World, changes: &str) -> Answered {
        world.call(&format!("<UpdateFolder><FolderChanges>{changes}</FolderChanges></UpdateFolder>"))
    }

    fn make(world: &World, name: &str) -> String {
        let answer = world.call(&format!(
            "<CreateFolder><ParentFolderId><t:DistinguishedFolderId Id=\"inbox\"/></ParentFolderId><Folders>\
             <t:Folder><t:DisplayName>{name}</t:DisplayName></t:Folder></Folders></CreateFolder>"
        ));
        answer.success().attributes("FolderId", "Id").remove(0)
    }

    fn get(world: &World, id: &str) -> Answered {
        let answer = world.call(&format!(
            "<GetFolder><FolderShape><t:BaseShape>AllProperties</t:BaseShape><t:AdditionalProperties>{MARK}\
             </t:AdditionalProperties></FolderShape><FolderIds><t:FolderId Id=\"{id}\"/></FolderIds></GetFolder>"
        ));
        answer.success()
    }

    #[test]
    fn properties_are_set_and_deleted() {
        let world = World::new();
        let id = make(&world, "A");
        let folder = format!("<t:FolderId Id=\"{id}\"/>");
        let before = get(&world, &id).attributes("FolderId", "ChangeKey");
        let updates = [
            set(NAME, "<t:DisplayName>B</t:DisplayName>"),
            set(CLASS, "<t:FolderClass>IPF.Note.X</t:FolderClass>"),
            set(MARK, &format!("<t:ExtendedProperty>{MARK}<t:Value>hello</t:Value></t:ExtendedProperty>")),
            set(
                "<t:FieldURI FieldURI=\"folder:PermissionSet\"/>",
                "<t:PermissionSet><t:Permissions/></t:PermissionSet>",
            ),
        ];
        let answer = send(&world, &change(&folder, &updates.concat())).success();
        assert_eq!(answer.attributes("FolderId", "Id"), std::slice::from_ref(&id));
        assert_ne!(answer.attributes("FolderId", "ChangeKey"), before);
        let back = get(&world, &id);
        assert_eq!((back.text("DisplayName"), back.text("FolderClass")), ("B".into(), "IPF.Note.X".into()));
        assert_eq!(back.text("Value"), "hello");
        send(&world, &change(&folder, &delete(MARK))).success();
        assert!(get(&world, &id).texts("Value").is_empty());
    }

    #[test]
    fn folders_fail_alone() {
        let world = World::new();
        let (one, two) = (make(&world, "One"), make(&world, "Two"));
        let (one, two) = (format!("<t:FolderId Id=\"{one}\"/>"), format!("<t:FolderId Id=\"{two}\"/>"));
        let inbox = "<t:DistinguishedFolderId Id=\"inbox\"/>";
        let name = |name: &str| format!("<t:DisplayName>{name}</t:DisplayName>");
        let cases = [
            (two.as_str(), set(NAME, &name("ONE")), "ErrorFolderExists"),
            (inbox, set(NAME, &name("Other")), "ErrorFolderSave"),
            (&one, set(NAME, &name("")), "ErrorFolderSave"),
            (&one, set(NAME, ""), "ErrorIncorrectUpdatePropertyCount"),
            (&one, set(NAME, &name("x").repeat(2)), "ErrorIncorrectUpdatePropertyCount"),
            (&one, set(CLASS, &name("x")), "ErrorUpdatePropertyMismatch"),
            (&one, set(CLASS, "<t:FolderClass>IPF.Task</t:FolderClass>"), "ErrorObjectTypeChanged"),
            (&one, set("<t:FieldURI FieldURI=\"folder:TotalCount\"/>", &name("x")), "ErrorInvalidPropertySet"),
            (&one, delete(NAME), "ErrorInvalidPropertyDelete"),
            (&one, delete(CLASS), "ErrorInvalidPropertyDelete"),
            ("<t:FolderId Id=\"\"/>", delete(MARK), "ErrorInvalidIdEmpty"),
            ("<t:DistinguishedFolderId Id=\"archiveroot\"/>", delete(MARK), "ErrorFolderNotFound"),
            (
                &one,
                format!("<t:AppendToFolderField>{NAME}<t:Folder>{}</t:Folder></t:AppendToFolderField>", name("x")),
                "ErrorInvalidPropertyAppend",
            ),
            (&one, set(NAME, &name("Renamed")), "NoError"),
        ];
        let changes: String = cases.iter().map(|(folder, update, _)| change(folder, update)).collect();
        let codes: Vec<&str> = cases.iter().map(|(_, _, code)| *code).collect();
        assert_eq!(send(&world, &changes).valid().codes(), codes);
        assert_eq!(send(&world, "").status, 500);
        assert_eq!(send(&world, &change(&one, "")).text("ResponseCode"), "ErrorSchemaValidation");
    }
}
