//! Content types of lists, and items that have them.

use super::{Reply, Server};

const TASKS: &str = "<listName>Tasks</listName>";

/// The id of a type of the list `Tasks`.
async fn id_of(server: &Server, name: &str) -> String {
    let reply = server.lists("GetListContentTypes", TASKS).await;
    let names = reply.values("ContentType/@Name");
    let at = names.iter().position(|own| own == name).unwrap();
    reply.values("ContentType/@ID")[at].clone()
}

async fn create(server: &Server, name: &str, parent: &str, more: &str) -> String {
    let parameters = format!("{TASKS}<displayName>{name}</displayName><parentType>{parent}</parentType>{more}");
    server.lists("CreateContentType", &parameters).await.value("CreateContentTypeResult")
}

async fn fields_of(server: &Server, id: &str) -> Reply {
    server.lists("GetListContentType", &format!("{TASKS}<contentTypeId>{id}</contentTypeId>")).await
}

fn new(fields: &str) -> String {
    format!("<Method ID=\"1\" Cmd=\"New\"><Field Name=\"Title\">a</Field>{fields}</Method>")
}

#[tokio::test]
async fn types_are_made_and_items_have_them() {
    let server = Server::start().await;
    let task = id_of(&server, "Task").await;
    let errand = create(&server, "Errand", &task, "").await;
    assert_eq!(errand.len(), task.len() + 34);
    let properties = "<contentTypeProperties><ContentType Description=\"d\" Group=\"g\"/></contentTypeProperties>";
    let note = create(&server, "Note", "0x01", properties).await;
    let reply = fields_of(&server, &note).await;
    for (attribute, expected) in [("Name", "Note"), ("Description", "d"), ("Group", "g"), ("Version", "0")] {
        assert_eq!(reply.value(&format!("GetListContentTypeResult/ContentType/@{attribute}")), expected);
    }
    let by_id = new(&format!("<Field Name=\"ContentTypeId\">{}</Field>", errand.to_lowercase()));
    let by_id = server.update("Tasks", &by_id.replacen("0X", "0x", 1)).await;
    assert_eq!(
        (by_id.value("row/@ows_ContentTypeId"), by_id.value("row/@ows_ContentType")),
        (errand.clone(), "Errand".to_owned())
    );
    let by_name = server.update("Tasks", &new("<Field Name=\"ContentType\">note</Field>")).await;
    assert_eq!(by_name.value("row/@ows_ContentTypeId"), note);
    let plain = server.update("Tasks", &new("")).await;
    assert_eq!(
        (plain.value("row/@ows_ContentTypeId"), plain.value("row/@ows_ContentType")),
        (task.clone(), "Task".to_owned())
    );
    // The type of the site that the list's own is made of means that one.
    let parent = server.update("Tasks", &new("<Field Name=\"ContentTypeId\">0x0108</Field>")).await;
    assert_eq!(parent.value("row/@ows_ContentTypeId"), task);
    for wrong in ["0x0106", "nonsense", &id_of(&server, "Folder").await] {
        let reply = server.update("Tasks", &new(&format!("<Field Name=\"ContentTypeId\">{wrong}</Field>"))).await;
        assert_eq!(reply.value("Result/ErrorCode"), "0x81020014", "{wrong}");
    }
    let changed =
        "<Method ID=\"1\" Cmd=\"Update\"><Field Name=\"ID\">1</Field><Field Name=\"ContentType\">Task</Field></Method>";
    assert_eq!(server.update("Tasks", changed).await.value("row/@ows_ContentTypeId"), task);
    let query = "<query><Query><Where><Eq><FieldRef Name=\"ContentType\"/><Value Type=\"Text\">Note</Value></Eq></Where></Query></query>";
    let found = server.lists("GetListItems", &format!("{TASKS}{query}")).await;
    assert_eq!(found.values("row/@ows_ID"), ["2"]);
}

#[tokio::test]
async fn folders_have_types_of_folders() {
    let server = Server::start().await;
    let folder = id_of(&server, "Folder").await;
    let box_type = create(&server, "Box", &folder, "").await;
    assert_eq!(fields_of(&server, &folder).await.values("Fields/Field/@Name"), ["Title", "FileLeafRef"]);
    let made = |name: &str, kind: &str| {
        format!(
            "<Method ID=\"1\" Cmd=\"New\"><Field Name=\"FSObjType\">1</Field><Field Name=\"BaseName\">{name}</Field>\
             <Field Name=\"ContentType\">{kind}</Field></Method>"
        )
    };
    assert_eq!(server.update("Tasks", &made("a", "Box")).await.value("row/@ows_ContentTypeId"), box_type);
    assert_eq!(server.update("Tasks", &made("b", "Folder")).await.value("row/@ows_ContentTypeId"), folder);
    assert_eq!(server.update("Tasks", &made("c", "Task")).await.value("Result/ErrorCode"), "0x81020014");
}

#[tokio::test]
async fn fields_of_a_type() {
    let server = Server::start().await;
    let task = id_of(&server, "Task").await;
    let list = "<newFields><Fields><Method ID=\"1\"><Field Type=\"Text\" Name=\"Shop\" DisplayName=\"Shop\"/></Method></Fields></newFields>";
    server.lists("UpdateList", &format!("{TASKS}{list}")).await;
    // What follows the list has the new field; what was made before does not.
    assert!(fields_of(&server, &task).await.values("Fields/Field/@Name").contains(&"Shop".to_owned()));
    let fields = "<fields><Fields><Method ID=\"1\"><Field Name=\"Shop\" DisplayName=\"Where\"/></Method>\
                  <Method ID=\"2\"><Field Name=\"Nowhere\"/></Method></Fields></fields><addToView>TRUE</addToView>";
    let item = create(&server, "Errand", "0x01", fields).await;
    let reply = fields_of(&server, &item).await;
    assert_eq!(reply.values("Fields/Field/@Name"), ["Title", "Shop"]);
    assert_eq!(reply.values("Fields/Field/@DisplayName"), ["Title", "Where"]);
    let view = server.lists("GetListAndView", &format!("{TASKS}<viewName/>")).await;
    assert_eq!(view.values("ViewFields/FieldRef/@Name").iter().filter(|name| *name == "Shop").count(), 1);
    let edit = format!(
        "{TASKS}<contentTypeId>{item}</contentTypeId><newFields><Fields><Method ID=\"n\"><Field Name=\"DueDate\" \
         Hidden=\"TRUE\"/></Method></Fields></newFields><deleteFields><Fields><Method ID=\"d\"><Field Name=\"Shop\"/>\
         </Method><Method ID=\"e\"><Field Name=\"Shop\"/></Method></Fields></deleteFields>"
    );
    let reply = server.lists("UpdateContentType", &edit).await;
    assert_eq!(reply.values("Method/@ID"), ["d", "e", "n"]);
    assert_eq!(reply.values("Method/ErrorCode"), ["0x00000000", "0x82000007", "0x00000000"]);
    assert_eq!(reply.value("ListProperties/@Version"), "1");
    let reply = fields_of(&server, &item).await;
    assert_eq!(reply.values("Fields/Field/@Name"), ["Title", "DueDate"]);
    assert_eq!(reply.values("Fields/Field/@Hidden"), ["TRUE"]);
    // A field that the list loses is gone from its types.
    let gone = "<deleteFields><Fields><Method ID=\"1\"><Field Name=\"Shop\"/></Method></Fields></deleteFields>";
    server.lists("UpdateList", &format!("{TASKS}{gone}")).await;
    assert!(!fields_of(&server, &task).await.values("Fields/Field/@Name").contains(&"Shop".to_owned()));
}

#[tokio::test]
async fn types_are_deleted_where_nothing_has_them() {
    let server = Server::start().await;
    let errand = create(&server, "Errand", "0x0108", "").await;
    server.update("Tasks", &new("<Field Name=\"ContentType\">Errand</Field>")).await;
    let delete = |id: &str| format!("{TASKS}<contentTypeId>{id}</contentTypeId>");
    let task = id_of(&server, "Task").await;
    for id in [errand.as_str(), task.as_str(), "0x0108", "x"] {
        let reply = server.try_lists("DeleteContentType", &delete(id)).await;
        assert_eq!((reply.status.as_u16(), reply.values("errorcode").len()), (500, 0), "{id}");
    }
    server.update("Tasks", "<Method ID=\"1\" Cmd=\"Delete\"><Field Name=\"ID\">1</Field></Method>").await;
    let reply = server.lists("DeleteContentType", &delete(&errand)).await;
    assert_eq!(reply.values("DeleteContentTypeResult/Success").len(), 1);
    assert_eq!(server.lists("GetListContentTypes", TASKS).await.values("ContentType/@Name"), ["Task", "Folder"]);
}

#[tokio::test]
async fn a_type_of_the_site_brings_its_fields() {
    let server = Server::start().await;
    let apply = |web: &str, id: &str| format!("<webUrl>{web}</webUrl><contentTypeId>{id}</contentTypeId>{TASKS}");
    let reply = server.lists("ApplyContentTypeToList", &apply("http://h:8080/sites/team", "0x0106")).await;
    assert_eq!(reply.values("ApplyContentTypeToListResult/Success").len(), 1);
    let contact = id_of(&server, "Contact").await;
    assert!(contact.starts_with("0x010600"));
    let names = fields_of(&server, &contact).await.values("Fields/Field/@Name");
    assert!(names.contains(&"FirstName".to_owned()) && !names.contains(&"DueDate".to_owned()), "{names:?}");
    let row = new("<Field Name=\"ContentType\">Contact</Field><Field Name=\"FirstName\">Ann</Field>");
    let row = server.update("Tasks", &row).await;
    assert_eq!((row.value("row/@ows_FirstName"), row.value("row/@ows_ContentTypeId")), ("Ann".to_owned(), contact));
    for parameters in [apply("", "0x0106"), apply("", "0x0177"), apply("http://other/", "0x0104")] {
        let reply = server.try_lists("ApplyContentTypeToList", &parameters).await;
        assert_eq!((reply.status.as_u16(), reply.values("errorcode").len()), (500, 0), "{parameters}");
    }
}

#[tokio::test]
async fn guests_change_no_types() {
    let server = Server::start().await;
    let guest = server.as_guest().await;
    let create = format!("{TASKS}<displayName>Mine</displayName><parentType>0x0108</parentType>");
    let reply = guest.try_lists("CreateContentType", &create).await;
    assert_eq!(reply.value("errorcode"), "0x80070005");
}
