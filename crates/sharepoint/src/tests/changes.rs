//! Synchronising a list by token.

use super::{Reply, Server};

async fn ask(server: &Server, list: &str, token: &str, more: &str) -> Reply {
    let parameters = format!("<listName>{list}</listName>{more}<changeToken>{token}</changeToken>");
    server.lists("GetListItemChangesSinceToken", &parameters).await
}

fn token(reply: &Reply) -> String {
    reply.value("Changes/@LastChangeToken")
}

#[tokio::test]
async fn without_a_token_everything_comes() {
    let server = Server::start().await;
    server.add("Announcements", &["one", "two"]).await;
    let reply = server.lists("GetListItemChangesSinceToken", "<listName>Announcements</listName>").await;
    assert_eq!(reply.value("data/@ItemCount"), "2");
    assert_eq!(reply.values("row/@ows_Title"), ["one", "two"]);
    assert_eq!(reply.values("row/@ows_Modified"), ["2026-03-04T05:06:07Z", "2026-03-04T05:06:07Z"]);
    assert_eq!(reply.value("Changes/List/@Title"), "Announcements");
    assert_eq!(reply.value("listitems/@EffectivePermMask"), "FullMask");
    assert_eq!(reply.value("listitems/@AlternateUrls"), "http://h:8080/sites/team/");
    assert!(reply.values("Changes/@MoreChanges").is_empty());
    let token = token(&reply);
    let parts: Vec<&str> = token.split(';').collect();
    assert_eq!((parts.len(), parts[0], parts[1]), (5, "1", "3"));
    assert!(reply.body.contains(">\n<Changes "), "a line break stands before Changes");
    // Every attribute of a row is a field of the list.
    let fields = reply.values("Fields/Field/@Name");
    for name in reply.body.split("ows_").skip(1).filter_map(|rest| rest.split('=').next()) {
        assert!(fields.iter().any(|field| field == name), "{name}");
    }
}

#[tokio::test]
async fn pages_of_the_first_listing_keep_their_token() {
    let server = Server::start().await;
    server.add("Announcements", &["one", "two", "three"]).await;
    let first = ask(&server, "Announcements", "", "<rowLimit>2</rowLimit>").await;
    let next = first.value("data/@ListItemCollectionPositionNext");
    server.clock.advance(60);
    server.add("Announcements", &["four"]).await;
    let options = format!(
        "<rowLimit>2</rowLimit><queryOptions><QueryOptions><Paging ListItemCollectionPositionNext=\"{}\"/>\
         <ViewAttributes Scope=\"RecursiveAll\"/></QueryOptions></queryOptions>",
        next.replace('&', "&amp;")
    );
    let second = ask(&server, "Announcements", "", &options).await;
    assert_eq!(second.values("row/@ows_Title"), ["three", "four"]);
    // The time too: a token of a timeline that was lost meanwhile must not look new.
    assert_eq!(token(&first), token(&second));
}

#[tokio::test]
async fn bad_tokens() {
    let server = Server::start().await;
    let parameters = "<listName>Tasks</listName><changeToken>nonsense</changeToken>";
    let reply = server.try_lists("GetListItemChangesSinceToken", parameters).await;
    assert_eq!(reply.status, 500);
    assert!(reply.values("errorcode").is_empty());
    assert!(!reply.values("errorstring").is_empty());
}

#[tokio::test]
async fn changes_follow_in_pages_of_forty() {
    let server = Server::start().await;
    let start = ask(&server, "Announcements", "", "").await;
    let titles: Vec<String> = (0..45).map(|number| format!("t{number}")).collect();
    server.add("Announcements", &titles.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let first = ask(&server, "Announcements", &token(&start), "").await;
    assert_eq!((first.values("row").len(), first.value("Changes/@MoreChanges").as_str()), (40, "TRUE"));
    assert!(first.values("Changes/List").is_empty());
    let second = ask(&server, "Announcements", &token(&first), "").await;
    assert_eq!(second.values("row/@ows_Title"), titles[40..]);
    assert!(second.values("Changes/@MoreChanges").is_empty());
    let third = ask(&server, "Announcements", &token(&second), "").await;
    assert_eq!(third.value("data/@ItemCount"), "0");
    // The same token gives the same answer again.
    let again = ask(&server, "Announcements", &token(&first), "").await;
    assert_eq!(again.values("row/@ows_Title"), titles[40..]);
}

#[tokio::test]
async fn deletions_edits_and_rows_that_no_longer_fit() {
    let server = Server::start().await;
    server.add("Announcements", &["keep", "edit", "drop", "leave"]).await;
    let start = ask(&server, "Announcements", "", "").await;
    let unique = start.values("row/@ows_UniqueId")[2].split('#').nth(1).unwrap().to_owned();
    server
        .update(
            "Announcements",
            "<Method ID=\"1\" Cmd=\"Update\"><Field Name=\"ID\">2</Field><Field Name=\"Title\">edited keep</Field></Method>\
             <Method ID=\"2\" Cmd=\"Delete\"><Field Name=\"ID\">3</Field></Method>\
             <Method ID=\"3\" Cmd=\"Update\"><Field Name=\"ID\">4</Field><Field Name=\"Title\">left</Field></Method>",
        )
        .await;
    let contains =
        "<contains><Contains><FieldRef Name=\"Title\"/><Value Type=\"Text\">keep</Value></Contains></contains>";
    let reply = ask(&server, "Announcements", &token(&start), contains).await;
    assert_eq!(reply.values("row/@ows_ID"), ["2"]);
    assert_eq!(reply.values("row/@ows_owshiddenversion"), ["2"]);
    let mut ids = reply.values("Changes/Id");
    ids.sort();
    assert_eq!(ids, ["3", "4"]);
    assert!(reply.values("Changes/Id/@ChangeType").iter().all(|kind| kind == "Delete"));
    assert!(reply.values("Changes/Id/@UniqueId").contains(&unique));
    let extra = "<queryOptions><QueryOptions><ExtraIds>1,4711</ExtraIds><ViewAttributes Scope=\"RecursiveAll\"/></QueryOptions></queryOptions>";
    let reply = ask(&server, "Announcements", &token(&reply), extra).await;
    assert_eq!(reply.values("row/@ows_ID"), ["1"]);
}

#[tokio::test]
async fn a_changed_schema_comes_again() {
    let server = Server::start().await;
    let start = ask(&server, "Tasks", "", "").await;
    let field =
        "<newFields><Fields><Method ID=\"1\"><Field Type=\"Text\" DisplayName=\"More\"/></Method></Fields></newFields>";
    server.lists("UpdateList", &format!("<listName>Tasks</listName>{field}")).await;
    let reply = ask(&server, "Tasks", &token(&start), "").await;
    assert!(reply.values("Changes/List/Fields/Field/@Name").contains(&"More".to_owned()));
    assert!(ask(&server, "Tasks", &token(&reply), "").await.values("Changes/List").is_empty());
}

#[tokio::test]
async fn foreign_and_future_tokens_are_invalid() {
    let server = Server::start().await;
    server.add("Tasks", &["x"]).await;
    let tasks = token(&ask(&server, "Tasks", "", "").await);
    let other = token(&ask(&server, "Calendar", "", "").await);
    let (head, _) = tasks.rsplit_once(';').unwrap();
    for bad in [other, format!("{head};999999")] {
        let reply = ask(&server, "Tasks", &bad, "").await;
        assert_eq!(reply.value("Changes/Id/@ChangeType"), "InvalidToken", "{bad}");
        assert_eq!(reply.value("data/@ItemCount"), "0");
        assert!(reply.values("Changes/List").is_empty());
        let fresh = ask(&server, "Tasks", &token(&reply), "").await;
        assert!(fresh.values("Changes/Id").is_empty());
    }
}

#[tokio::test]
async fn view_fields_choose_columns() {
    let server = Server::start().await;
    server
        .update(
            "Tasks",
            "<Method ID=\"1\" Cmd=\"New\"><Field Name=\"Title\">x</Field><Field Name=\"Body\">b</Field>\
             <Field Name=\"MetaInfo\" Property=\"Key\">v</Field></Method>",
        )
        .await;
    for (fields, body, key) in [
        ("", 0, 0),
        ("<viewFields/>", 0, 0),
        ("<viewFields><ViewFields/></viewFields>", 1, 0),
        (
            "<viewFields><ViewFields><FieldRef Name=\"Body\"/><FieldRef Name=\"Nonsense\"/></ViewFields></viewFields>",
            1,
            0,
        ),
        ("<viewFields><ViewFields Properties=\"TRUE\"><FieldRef Name=\"MetaInfo\"/></ViewFields></viewFields>", 0, 1),
        ("<viewFields Properties=\"TRUE\"><FieldRef Name=\"MetaInfo\"/></viewFields>", 0, 1),
        ("<viewFields><ViewFields><FieldRef Name=\"MetaInfo\" Property=\"Key\"/></ViewFields></viewFields>", 0, 1),
    ] {
        let reply = ask(&server, "Tasks", "", fields).await;
        assert_eq!(reply.values("row/@ows_Body").len(), body, "{fields}");
        assert_eq!(reply.values("row/@ows_MetaInfo_Key").len(), key, "{fields}");
        assert_eq!(reply.values("row/@ows_owshiddenversion"), ["1"], "{fields}");
    }
}

#[tokio::test]
async fn users_are_expanded() {
    let server = Server::start().await;
    server.add("Tasks", &["x"]).await;
    let fields = "<viewFields><ViewFields><FieldRef Name=\"Author\"/></ViewFields></viewFields>";
    let reply = ask(&server, "Tasks", "", fields).await;
    assert_eq!(
        reply.value("row/@ows_Author"),
        "1;#Ann Example,#ann@example.org,#ann@example.org,#ann@example.org,#Ann Example"
    );
    let plain = format!(
        "{fields}<queryOptions><QueryOptions><DateInUtc>FALSE</DateInUtc><ExpandUserField>FALSE</ExpandUserField></QueryOptions></queryOptions>"
    );
    let reply = ask(&server, "Tasks", "", &plain).await;
    assert_eq!(reply.value("row/@ows_Author"), "1;#Ann Example");
    assert_eq!(reply.value("row/@ows_Created"), "2026-03-04 05:06:07");
}

#[tokio::test]
async fn tokens_expire_with_what_they_need() {
    let server = Server::start().await;
    server.add("Tasks", &["x"]).await;
    server.clock.advance(60);
    let start = token(&ask(&server, "Tasks", "", "").await);
    let by_time = {
        let parts: Vec<&str> = start.split(';').collect();
        format!("{};-1", parts[..4].join(";"))
    };
    server.clock.advance(60);
    server.add("Tasks", &["y"]).await;
    assert_eq!(ask(&server, "Tasks", &by_time, "").await.values("row/@ows_Title"), ["y"]);
    server.clock.advance(70 * 86_400);
    assert_eq!(ask(&server, "Tasks", &by_time, "").await.value("Changes/Id/@ChangeType"), "InvalidToken");
}

#[tokio::test]
async fn a_large_list_comes_as_a_whole() {
    let server = Server::start().await;
    let titles: Vec<String> = (1..=700).map(|number| format!("t{}", number % 7)).collect();
    server.add("Announcements", &titles.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let order = |text: &str| format!("<query><Query>{text}</Query></query>");
    let up: Vec<String> = (1..=700).map(|number: u32| number.to_string()).collect();
    let down: Vec<String> = up.iter().rev().cloned().collect();
    let mut by_title = up.clone();
    by_title.sort_by_key(|number| number.parse::<u32>().unwrap() % 7);
    for (query, expected) in [
        (String::new(), up.clone()),
        (order("<OrderBy><FieldRef Name=\"ID\" Ascending=\"FALSE\"/></OrderBy>"), down),
        (order("<OrderBy><FieldRef Name=\"Title\"/></OrderBy>"), by_title),
        (
            order("<Where><Gt><FieldRef Name=\"ID\"/><Value Type=\"Counter\">300</Value></Gt></Where>"),
            up[300..].to_vec(),
        ),
    ] {
        let reply = ask(&server, "Announcements", "", &query).await;
        assert_eq!(reply.values("row/@ows_ID"), expected, "{query}");
        assert_eq!(reply.value("data/@ItemCount"), expected.len().to_string());
        let parameters = format!("<listName>Announcements</listName>{query}<rowLimit>0</rowLimit>");
        let reply = server.lists("GetListItems", &parameters).await;
        assert_eq!(reply.values("row/@ows_ID"), expected, "{query}");
    }
}
