//! Lists: their definition, fields and views, faults.

use bytes::Bytes;
use http::{Request, StatusCode};

use super::{Reply, Server};

#[tokio::test]
async fn a_list_has_its_definition() {
    let server = Server::start().await;
    let reply = server.lists("GetList", "<listName>Tasks</listName>").await;
    for (attribute, expected) in [
        ("Title", "Tasks"),
        ("ServerTemplate", "107"),
        ("BaseType", "0"),
        ("Version", "0"),
        ("ItemCount", "0"),
        ("RootFolder", "/sites/team/Lists/Tasks"),
        ("DefaultViewUrl", "/sites/team/Lists/Tasks/AllItems.aspx"),
        ("Created", "20260304 05:06:07"),
        ("WebFullUrl", "/sites/team"),
    ] {
        assert_eq!(reply.value(&format!("GetListResult/List/@{attribute}")), expected);
    }
    assert_eq!(reply.value("List/@ID"), reply.value("List/@Name"));
    assert_eq!(reply.value("ServerSettings/ServerVersion"), crate::schema::SERVER_VERSION);
    assert_eq!(reply.values("RegionalSettings/TimeZone"), ["0"]);
    let names = reply.values("Fields/Field/@Name");
    for name in ["Title", "ID", "owshiddenversion", "MetaInfo", "DueDate"] {
        assert!(names.iter().any(|own| own == name), "{name}");
    }
}

#[tokio::test]
async fn lists_go_by_guid_title_and_short_name() {
    let server = Server::start().await;
    let guid = server.lists("GetList", "<listName>tasks</listName>").await.value("List/@ID");
    let bare = guid.trim_matches(['{', '}']).to_lowercase();
    for name in [guid.as_str(), bare.as_str(), "TASKS"] {
        let reply = server.lists("GetList", &format!("<listName>{name}</listName>")).await;
        assert_eq!(reply.value("List/@ID"), guid);
    }
    let users = server.lists("GetList", "<listName>UserInfo</listName>").await;
    assert_eq!(users.value("List/@ServerTemplate"), "112");
    for name in ["nothing", "", "{11111111-1111-1111-1111-111111111111}"] {
        let reply = server.try_lists("GetList", &format!("<listName>{name}</listName>")).await;
        assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(reply.value("detail/errorcode"), "0x82000006");
    }
}

#[tokio::test]
async fn a_collection_has_no_fields() {
    let server = Server::start().await;
    let reply = server.lists("GetListCollection", "").await;
    assert_eq!(reply.values("Lists/List/@Title").len(), 5);
    assert!(reply.values("Field").is_empty());
    assert!(reply.values("Lists/List/@HasRelatedLists").iter().all(String::is_empty));
}

#[tokio::test]
async fn a_view_comes_with_its_list() {
    let server = Server::start().await;
    let reply = server.lists("GetListAndView", "<listName>Announcements</listName><viewName/>").await;
    assert_eq!(reply.value("View/@DefaultView"), "TRUE");
    let id = reply.value("View/@Name");
    let parameters = format!("<listName>Announcements</listName><viewName>{id}</viewName>");
    assert_eq!(server.lists("GetListAndView", &parameters).await.value("View/@Name"), id);
    for (name, code) in [("nonsense", "0x82000001"), ("{11111111-1111-1111-1111-111111111111}", "0x82000005")] {
        let parameters = format!("<listName>Announcements</listName><viewName>{name}</viewName>");
        assert_eq!(server.try_lists("GetListAndView", &parameters).await.value("errorcode"), code);
    }
}

#[tokio::test]
async fn what_is_no_operation_is_a_fault() {
    let server = Server::start().await;
    let reply = server.try_lists("GetNothing", "").await;
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(reply.value("faultcode"), "soap:Client");
    assert!(reply.values("errorcode").is_empty());
    let request = Request::post("/sites/team/_vti_bin/lists.asmx").body(Bytes::from_static(b"<oops")).unwrap();
    let reply = Reply::read(server.adapter.soap(server.call(), request).await).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn soap_12_is_answered_in_kind() {
    let server = Server::start().await;
    let envelope = "<e:Envelope xmlns:e=\"http://www.w3.org/2003/05/soap-envelope\"><e:Body><GetList \
                    xmlns=\"http://schemas.microsoft.com/sharepoint/soap/\"><listName>none</listName></GetList></e:Body></e:Envelope>";
    let request = Request::post("/sites/team/_vti_bin/Lists.asmx").body(Bytes::from(envelope)).unwrap();
    let reply = Reply::read(server.adapter.soap(server.call(), request).await).await;
    assert_eq!(reply.headers["content-type"], "application/soap+xml; charset=utf-8");
    assert_eq!(reply.value("Code/Value"), "soap:Receiver");
    assert_eq!(reply.value("Detail/errorcode"), "0x82000006");
}

#[tokio::test]
async fn services_describe_themselves() {
    let server = Server::start().await;
    let request = Request::get("/sites/team/_vti_bin/Lists.asmx?WSDL").body(Bytes::new()).unwrap();
    let reply = Reply::read(server.adapter.soap(server.call(), request).await).await;
    assert_eq!(reply.values("service/port/@name"), ["ListsSoap", "ListsSoap12"]);
    assert!(reply.values("import").is_empty());
    assert_eq!(reply.values("port/address/@location")[0], "http://h:8080/sites/team/_vti_bin/Lists.asmx");
}

#[tokio::test]
async fn lists_are_made_and_deleted() {
    let server = Server::start().await;
    let add = |title: &str, template: &str| {
        format!("<listName>{title}</listName><description>d &amp; e</description><templateID>{template}</templateID>")
    };
    let reply = server.lists("AddList", &add("My / list", "100")).await;
    assert_eq!(reply.value("AddListResult/List/@Title"), "My / list");
    assert_eq!(reply.value("List/@Description"), "d & e");
    assert_eq!(reply.value("List/@RootFolder"), "/sites/team/Lists/My  list");
    for (title, template, code) in [
        ("my / LIST", "100", "0x81020012"),
        ("Other", "4711", "0x8102007b"),
        ("Other", "", "0x8102007b"),
        ("Other", "112", "0x8102003c"),
        ("", "100", "0x81020014"),
    ] {
        let reply = server.try_lists("AddList", &add(title, template)).await;
        assert_eq!(reply.value("errorcode"), code, "{title} {template}");
    }
    assert!(server.try_lists("AddList", &add("Other", "-1")).await.values("errorcode").is_empty());
    server.lists("DeleteList", "<listName>My / list</listName>").await;
    assert_eq!(server.try_lists("GetList", "<listName>My / list</listName>").await.value("errorcode"), "0x82000006");
}

#[tokio::test]
async fn fields_are_added_changed_and_deleted() {
    let server = Server::start().await;
    let field = "<newFields><Fields><Method ID=\"1\" AddToView=\"\"><Field Type=\"Number\" DisplayName=\"How many?\" Min=\"0\"/></Method>\
                 <Method ID=\"2\"><Field Type=\"Choice\" DisplayName=\"Colour\" Name=\"Colour\"><CHOICES><CHOICE>Red</CHOICE></CHOICES>\
                 <Default>Red</Default></Field></Method><Method ID=\"3\"><Field Type=\"Nonsense\" DisplayName=\"x\"/></Method></Fields></newFields>";
    let reply = server.lists("UpdateList", &format!("<listName>Tasks</listName>{field}")).await;
    assert_eq!(reply.values("NewFields/Method/ErrorCode"), ["0x00000000", "0x00000000", "0x81020014"]);
    assert_eq!(reply.values("NewFields/Method/Field/@Name"), ["How_x0020_many_x003f_", "Colour"]);
    assert_eq!(reply.value("ListProperties/@Version"), "1");

    let write = "<Method ID=\"1\" Cmd=\"New\"><Field Name=\"Title\">t</Field><Field Name=\"How_x0020_many_x003f_\">3</Field></Method>";
    let reply = server.update("Tasks", write).await;
    assert_eq!(reply.value("row/@ows_How_x0020_many_x003f_"), "3.00000000000000");
    assert_eq!(reply.value("row/@ows_Colour"), "Red");
    let negative = write.replace(">3<", ">-3<");
    assert_eq!(server.update("Tasks", &negative).await.value("Result/ErrorCode"), "0x81020014");
    let shown = server.lists("GetListItems", "<listName>Tasks</listName>").await;
    assert_eq!(shown.value("row/@ows_How_x0020_many_x003f_"), "3.00000000000000");
    assert!(shown.values("row/@ows_Colour").is_empty());

    let change = "<listName>Tasks</listName><listProperties><List Title=\"Chores\" Description=\"new\"/></listProperties><updateFields>\
                  <Fields><Method ID=\"1\"><Field Name=\"Colour\" Type=\"Choice\" DisplayName=\"Color\"/></Method></Fields></updateFields>\
                  <deleteFields><Fields><Method ID=\"2\"><Field Name=\"How_x0020_many_x003f_\"/></Method>\
                  <Method ID=\"3\"><Field Name=\"Title\"/></Method></Fields></deleteFields><listVersion>1</listVersion>";
    let reply = server.lists("UpdateList", change).await;
    assert_eq!(reply.values("UpdateFields/Method/Field/@DisplayName"), ["Color"]);
    assert_eq!(reply.values("DeleteFields/Method/ErrorCode"), ["0x00000000", "0x81020014"]);
    assert_eq!(reply.value("ListProperties/@Title"), "Chores");
    let old = change.replace("Tasks", "Chores");
    assert_eq!(server.try_lists("UpdateList", &old).await.value("errorcode"), "0x81020015");
}

#[tokio::test]
async fn neighbouring_services() {
    let server = Server::start().await;
    let namespace = crate::soap::NAMESPACE;
    let ask = |operation: &str, inner: &str| format!("<{operation} xmlns=\"{namespace}\">{inner}</{operation}>");
    let reply = server.soap_to("Sites.asmx", &ask("GetSite", "<SiteUrl>x</SiteUrl>")).await;
    assert!(reply.value("GetSiteResult").contains("Title=\"Team\""));
    let reply = server.soap_to("SiteData.asmx", &ask("GetListCollection", "")).await;
    assert_eq!(reply.values("vLists/_sList/Title").len(), 5);
    let reply = server.soap_to("Views.asmx", &ask("GetViewCollection", "<listName>Tasks</listName>")).await;
    assert_eq!(reply.values("View/@DisplayName"), ["All Tasks", "My Tasks", "Due Today", "Active Tasks"]);
    let id = &reply.values("View/@Name")[3];
    let inner = format!("<listName>Tasks</listName><viewName>{id}</viewName>");
    let reply = server.soap_to("Views.asmx", &ask("GetView", &inner)).await;
    assert_eq!(reply.value("Where/Neq/Value"), "Completed");
}

#[tokio::test]
async fn guests_write_items_but_not_lists() {
    let server = Server::start().await;
    let guest = server.as_guest().await;
    guest.add("Tasks", &["x"]).await;
    let make = "<listName>Mine</listName><description/><templateID>100</templateID>";
    for (operation, parameters) in [
        ("AddList", make),
        ("DeleteList", "<listName>Tasks</listName>"),
        ("UpdateList", "<listName>Tasks</listName><listProperties><List Title=\"Mine\"/></listProperties>"),
    ] {
        let reply = guest.try_lists(operation, parameters).await;
        assert_eq!(reply.value("errorcode"), "0x80070005", "{operation}");
    }
    let fields =
        "<viewFields><ViewFields><FieldRef Name=\"Author\"/><FieldRef Name=\"PermMask\"/></ViewFields></viewFields>";
    let reply = guest.lists("GetListItemChangesSinceToken", &format!("<listName>Tasks</listName>{fields}")).await;
    assert!(reply.value("listitems/@EffectivePermMask").starts_with("ViewListItems, AddListItems, "));
    assert!(reply.value("row/@ows_PermMask").starts_with("0x"));
    assert!(reply.value("row/@ows_Author").contains(";#Guest; of,, honour,#guest@example.org,#"));
}

#[tokio::test]
async fn the_list_of_users_keeps_its_title() {
    let server = Server::start().await;
    let parameters = "<listName>UserInfo</listName><listProperties><List Title=\"Other\"/></listProperties>";
    assert_eq!(server.try_lists("UpdateList", parameters).await.value("errorcode"), "0x80070005");
    assert_eq!(
        server.lists("GetList", "<listName>UserInfo</listName>").await.value("List/@Title"),
        "User Information List"
    );
}
