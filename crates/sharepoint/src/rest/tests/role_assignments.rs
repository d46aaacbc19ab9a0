//! Roles over REST, and what follows from them over both protocols.

use http::StatusCode;
use serde_json::{Value as Json, json};

use super::{TASKS, titles};
use crate::tests::{Reply, Server};

const READ: u32 = 1_073_741_826;
const CONTRIBUTE: u32 = 1_073_741_827;
const EVERYONE: u32 = 1_000_000;

async fn post(server: &Server, path: &str) {
    let reply = server.send("POST", path, &[], "").await;
    assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.body);
}

async fn assign(server: &Server, scope: &str, principal: u32, role: u32) {
    post(server, &format!("{scope}/roleassignments/addroleassignment(principalid={principal},roledefid={role})")).await;
}

async fn changes(server: &Server, fields: &str, token: &str) -> Reply {
    let fields = format!("<viewFields><ViewFields>{fields}</ViewFields></viewFields>");
    let parameters = format!("<listName>Tasks</listName>{fields}<changeToken>{token}</changeToken>");
    server.try_lists("GetListItemChangesSinceToken", &parameters).await
}

const TITLE: &str = "<FieldRef Name='Title'/>";
const WITH_MASK: &str = "<FieldRef Name='Title'/><FieldRef Name='PermMask'/>";

#[tokio::test]
async fn roles_users_and_groups() {
    let server = Server::start().await;
    let definitions = server.get("web/roledefinitions?$select=Name,RoleTypeKind,BasePermissions").await;
    let shown: Vec<(&str, i64, &str, &str)> = definitions["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|role| {
            let mask = &role["BasePermissions"];
            let text = |json: &'static str| mask[json].as_str().unwrap();
            (role["Name"].as_str().unwrap(), role["RoleTypeKind"].as_i64().unwrap(), text("High"), text("Low"))
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("Full Control", 5, "2147483647", "4294967295"),
            ("Design", 4, "432", "1012866047"),
            ("Edit", 6, "432", "1011030767"),
            ("Contribute", 3, "432", "1011028719"),
            ("Read", 2, "176", "138612833"),
            ("Limited Access", 1, "48", "134287360"),
        ]
    );
    assert_eq!(server.get("web/roledefinitions/getbyname('read')").await["Id"], READ);
    assert_eq!(server.get(&format!("web/roledefinitions({CONTRIBUTE})")).await["Name"], "Contribute");
    let all = server.get("web/roleassignments?$expand=Member,RoleDefinitionBindings").await;
    let shown: Vec<(&str, &str)> = all["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let role = &one["RoleDefinitionBindings"][0]["Name"];
            (one["Member"]["Title"].as_str().unwrap(), role.as_str().unwrap())
        })
        .collect();
    let expected = [
        ("Everyone", "Contribute"),
        ("Team Owners", "Full Control"),
        ("Team Members", "Contribute"),
        ("Team Visitors", "Read"),
    ];
    assert_eq!(shown, expected);

    // Any account of the server can be named before it comes.
    let guest = server.as_guest().await;
    let user = server.post("web/ensureuser", &json!({ "logonName": "i:0#.f|membership|guest@example.org" })).await;
    let id = user["Id"].as_u64().unwrap();
    assert_eq!((id, guest.get("web/currentuser").await["Id"].as_u64()), (2, Some(2)));
    assert_eq!(server.refused("POST", "web/ensureuser('nobody@example.org')", "").await.0, StatusCode::NOT_FOUND);
    let visitors = server.get("web/sitegroups/getbyname('Team Visitors')").await;
    let group = visitors["Id"].as_u64().unwrap();
    let added =
        server.post(&format!("web/sitegroups({group})/users"), &json!({ "LoginName": "guest@example.org" })).await;
    assert_eq!(added["Id"], 2);
    let members = server.get(&format!("web/sitegroups({group})/users?$select=Id")).await;
    assert_eq!(members, json!({ "value": [{ "Id": 2 }] }));
    post(&server, &format!("web/roleassignments/removeroleassignment(principalid={EVERYONE},roledefid={CONTRIBUTE})"))
        .await;
    assert_eq!(guest.get("web/effectivebasepermissions").await, json!({ "High": "176", "Low": "138612833" }));
    let (status, code) = guest.refused("POST", &format!("{TASKS}/items"), r#"{"Title":"x"}"#).await;
    assert_eq!((status, code.as_str()), (StatusCode::FORBIDDEN, "-2147024891, System.UnauthorizedAccessException"));
    assert_eq!(guest.refused("GET", "web/roleassignments", "").await.0, StatusCode::FORBIDDEN);
    post(&server, &format!("web/sitegroups({group})/users/removebyid(2)")).await;
    assert_eq!(guest.refused("GET", "web", "").await.0, StatusCode::FORBIDDEN);
    assert_eq!(guest.try_lists("GetListCollection", "").await.value("errorcode"), "0x80070005");
    assign(&server, "web", 2, READ).await;
    let bindings = server.get("web/roleassignments(2)/roledefinitionbindings").await;
    assert_eq!(bindings["value"][0]["Id"], READ);
    assert_eq!(server.send("DELETE", "web/roleassignments(2)", &[], "").await.status, StatusCode::OK);
    assert_eq!(server.refused("GET", "web/roleassignments(2)", "").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn lists_of_their_own() {
    let server = Server::start().await;
    let guest = server.as_guest().await;
    server.add("Tasks", &["one"]).await;
    guest.get("web/currentuser").await;
    assert_eq!(server.get(&format!("{TASKS}/HasUniqueRoleAssignments")).await["value"], false);
    let inherited = format!("{TASKS}/roleassignments/addroleassignment(principalid=2,roledefid={READ})");
    assert_eq!(server.refused("POST", &inherited, "").await.0, StatusCode::BAD_REQUEST);
    post(&server, &format!("{TASKS}/breakroleinheritance(copyRoleAssignments=false,clearSubscopes=true)")).await;
    assert_eq!(server.get(&format!("{TASKS}/HasUniqueRoleAssignments")).await["value"], true);
    let definition = server.lists("GetList", "<listName>Tasks</listName>").await;
    assert_eq!(definition.value("List/@HasUniqueScopes"), "True");
    assert_eq!(guest.refused("GET", TASKS, "").await.0, StatusCode::FORBIDDEN);
    assert_eq!(guest.try_lists("GetList", "<listName>Tasks</listName>").await.value("errorcode"), "0x80070005");
    let lists = guest.get("web/lists?$select=Title&$filter=Hidden eq false").await;
    assert_eq!(titles(&lists), ["Announcements", "Calendar", "Documents"]);
    assign(&server, TASKS, 2, READ).await;
    let path = format!("{TASKS}/getusereffectivepermissions(@u)?@u='i:0%23.f|membership|guest@example.org'");
    assert_eq!(server.get(&path).await, json!({ "High": "176", "Low": "138612833" }));
    let reply = changes(&guest, TITLE, "").await;
    let expected = "ViewListItems, OpenItems, ViewVersions, ViewFormPages, Open, ViewPages, CreateSSCSite, BrowseUserInfo, \
                    UseClientIntegration, UseRemoteAPIs, CreateAlerts";
    assert_eq!(reply.value("listitems/@EffectivePermMask"), expected);
    let refused = guest.update("Tasks", "<Method ID='1' Cmd='Delete'><Field Name='ID'>1</Field></Method>").await;
    assert_eq!(refused.value("Result/ErrorCode"), "0x80070005");
    post(&server, &format!("{TASKS}/resetroleinheritance()")).await;
    assert!(
        changes(&guest, TITLE, "")
            .await
            .value("listitems/@EffectivePermMask")
            .starts_with("ViewListItems, AddListItems, ")
    );
}

#[tokio::test]
async fn items_of_their_own() {
    let server = Server::start().await;
    let guest = server.as_guest().await;
    server.add("Tasks", &["one", "two", "three"]).await;
    let start = changes(&guest, TITLE, "").await.value("Changes/@LastChangeToken");
    let two = format!("{TASKS}/items(2)");
    post(&server, &format!("{two}/breakroleinheritance(false)")).await;
    // The token operation has to be asked for PermMask, by everybody.
    for who in [&server, &guest] {
        assert_eq!(changes(who, TITLE, &start).await.value("errorcode"), "0x80070005");
    }
    let gone = changes(&guest, WITH_MASK, &start).await;
    assert_eq!((gone.values("Id/@ChangeType"), gone.values("Id")), (vec!["Delete".to_owned()], vec!["2".to_owned()]));
    assert!(gone.values("row").is_empty());
    assert_eq!(gone.value("List/@HasUniqueScopes"), "True");
    let body =
        json!({ "query": { "ChangeToken": start, "ViewFields": format!("<ViewFields>{WITH_MASK}</ViewFields>") } });
    let path = format!("{TASKS}/GetListItemChangesSinceToken");
    let rest = guest.send("POST", &path, &[], &body.to_string()).await;
    assert_eq!((rest.value("Id/@ChangeType"), rest.value("Id")), ("Delete".into(), "2".into()));
    let own = changes(&server, WITH_MASK, &start).await;
    assert_eq!((own.values("row/@ows_Title"), own.values("Id").len()), (vec!["two".to_owned()], 0));

    assert_eq!(titles(&guest.get(&format!("{TASKS}/items")).await), ["one", "three"]);
    assert_eq!(guest.refused("GET", &two, "").await.0, StatusCode::NOT_FOUND);
    assert_eq!(
        guest.lists("GetListItems", "<listName>Tasks</listName>").await.values("row/@ows_Title"),
        ["one", "three"]
    );
    let reply = changes(&guest, WITH_MASK, "").await;
    assert_eq!((reply.value("data/@ItemCount"), reply.values("row").len()), ("2".into(), 2));
    let refused = guest.update("Tasks", "<Method ID='1' Cmd='Delete'><Field Name='ID'>2</Field></Method>").await;
    assert_eq!(refused.value("Result/ErrorCode"), "0x81020016");

    // Seen again, to read: the row comes, and says that it is not to be changed.
    let hidden = gone.value("Changes/@LastChangeToken");
    assign(&server, &two, 2, READ).await;
    let shown = changes(&guest, WITH_MASK, &hidden).await;
    assert_eq!(
        (shown.value("row/@ows_Title"), shown.value("row/@ows_PermMask")),
        ("two".into(), "0xb008431061".into())
    );
    let refused = guest.update("Tasks", "<Method ID='1' Cmd='Delete'><Field Name='ID'>2</Field></Method>").await;
    assert_eq!(refused.value("Result/ErrorCode"), "0x80070005");
    let masks = |reply: &Reply| -> Vec<bool> {
        reply
            .body
            .split("<z:row")
            .skip(1)
            .map(|row| row.contains(" EffectivePermMask=\"ViewListItems, OpenItems, "))
            .collect()
    };
    // Options omitted mean that permissions are included; asked for by name they are, too.
    assert_eq!(masks(&changes(&guest, WITH_MASK, "").await), [false, true, false]);
    for (flag, expected) in [("TRUE", [false, true, false]), ("FALSE", [false; 3])] {
        let parameters = format!(
            "<listName>Tasks</listName><viewFields><ViewFields>{WITH_MASK}</ViewFields></viewFields>\
             <queryOptions><QueryOptions><IncludePermissions>{flag}</IncludePermissions></QueryOptions></queryOptions>"
        );
        assert_eq!(masks(&guest.lists("GetListItems", &parameters).await), expected, "{flag}");
    }
    let item = server.get(&format!("{two}?$select=Title,HasUniqueRoleAssignments,EffectiveBasePermissions")).await;
    assert_eq!(
        (&item["HasUniqueRoleAssignments"], &item["EffectiveBasePermissions"]["Low"]),
        (&json!(true), &json!("4294967295"))
    );
    let roles = server.get(&format!("{two}/roleassignments?$select=PrincipalId")).await;
    assert_eq!(roles["value"], json!([{ "PrincipalId": 1 }, { "PrincipalId": 2 }]));

    post(&server, &format!("{two}/resetroleinheritance")).await;
    assert_eq!(guest.send("MERGE", &two, &[], r#"{"Title":"again"}"#).await.status, StatusCode::NO_CONTENT);
    let item: Json = server.get(&format!("{two}?$select=owshiddenversion")).await;
    assert_eq!(item["owshiddenversion"], 2);
}

#[tokio::test]
async fn files_of_their_own() {
    let server = Server::start().await;
    let guest = server.as_guest().await;
    let file = "/sites/team/Documents/a.txt";
    server.file("PUT", file, &[], "secret").await;
    let item = "web/lists/getbytitle('Documents')/items(1)";
    post(&server, &format!("{item}/breakroleinheritance(copyRoleAssignments=false)")).await;
    assert_eq!(server.file("GET", file, &[], "").await.body, "secret");
    for method in ["GET", "DELETE"] {
        assert_eq!(guest.file(method, file, &[], "").await.status, StatusCode::NOT_FOUND, "{method}");
    }
    assert_eq!(guest.file("PUT", file, &[], "x").await.status, StatusCode::CONFLICT);
    guest.get("web/currentuser").await;
    assign(&server, item, 2, READ).await;
    assert_eq!(guest.file("GET", file, &[], "").await.body, "secret");
    assert_eq!(guest.file("PUT", file, &[], "x").await.status, StatusCode::FORBIDDEN);
    assert_eq!(guest.file("DELETE", file, &[], "").await.status, StatusCode::FORBIDDEN);
}
