//! CAML line by line: each condition with the rows it chooses, each order with the order it gives.

use super::Server;

/// Four rows, the last without values: texts, numbers, times, choices, users and lookups.
async fn filled() -> Server {
    let server = Server::start().await;
    // Who comes first is the first user.
    let guest = server.as_guest().await;
    for user in [&server, &guest] {
        user.lists("GetListCollection", "").await;
    }
    server.add("Announcements", &["One", "Two", "Three"]).await;
    let other = server.lists("GetList", "<listName>Announcements</listName>").await.value("GetListResult/List/@ID");
    server
        .lists("AddList", "<listName>Main</listName><description>about</description><templateID>100</templateID>")
        .await;
    let field = |name: &str, kind: &str, more: &str| {
        format!("<Method ID=\"1\"><Field Name=\"{name}\" DisplayName=\"{name}\" Type=\"{kind}\"{more}/></Method>")
    };
    let lookup = format!(" List=\"{other}\" ShowField=\"Title\"");
    let fields = [
        field("T", "Text", " ID=\"{{11111111-2222-3333-4444-555555555555}}\"").replace("{{", "{").replace("}}", "}"),
        field("N", "Number", ""),
        field("D", "DateTime", ""),
        field("B", "Boolean", ""),
        field("M", "MultiChoice", ""),
        field("U", "User", ""),
        field("L", "Lookup", &lookup),
        field("K", "LookupMulti", &format!("{lookup} Mult=\"TRUE\"")),
    ];
    let parameters =
        format!("<listName>Main</listName><newFields><Fields>{}</Fields></newFields><listVersion/>", fields.concat());
    server.lists("UpdateList", &parameters).await;
    let row = |values: &[(&str, &str)]| {
        let fields: String =
            values.iter().map(|(name, value)| format!("<Field Name=\"{name}\">{value}</Field>")).collect();
        format!("<Method ID=\"1\" Cmd=\"New\">{fields}</Method>")
    };
    let rows = [
        row(&[
            ("T", "Alpha"),
            ("N", "1"),
            ("D", "2026-03-04T10:00:00Z"),
            ("B", "1"),
            ("M", ";#x;#y;#"),
            ("U", "1"),
            ("L", "1"),
            ("K", "1;#;#2;#"),
        ]),
        row(&[
            ("T", "beta"),
            ("N", "5"),
            ("D", "2026-03-05T00:00:00Z"),
            ("B", "0"),
            ("M", ";#y;#"),
            ("U", "2"),
            ("L", "2"),
        ]),
        row(&[("T", "Gamma ray"), ("N", "10"), ("D", "2026-03-04T23:59:59Z"), ("K", "3;#")]),
        row(&[("Title", "empty")]),
    ];
    let reply = server.update("Main", &rows.concat()).await;
    assert!(reply.values("Result/ErrorCode").iter().all(|code| code == "0x00000000"), "{}", reply.body);
    server
}

fn ask(query: &str) -> String {
    format!("<listName>Main</listName><query><Query>{query}</Query></query>")
}

async fn chosen(server: &Server, query: &str) -> String {
    let reply = server.lists("GetListItems", &ask(query)).await;
    reply.values("row/@ows_ID").join(" ")
}

/// `Eq T Text Alpha`.
fn compare(how: &str, field: &str, kind: &str, value: &str) -> String {
    format!("<{how}><FieldRef Name=\"{field}\"/><Value Type=\"{kind}\">{value}</Value></{how}>")
}

#[tokio::test]
async fn conditions_choose_by_value() {
    let server = filled().await;
    let by_id = |how: &str, field: &str, kind: &str, value: &str| {
        compare(how, field, kind, value).replace("\"/><Value", "\" LookupId=\"TRUE\"/><Value")
    };
    let timed = |how: &str, value: &str| {
        compare(how, "D", "DateTime", value).replace("\"DateTime\"", "\"DateTime\" IncludeTimeValue=\"TRUE\"")
    };
    let is = |what: &str, field: &str| format!("<{what}><FieldRef Name=\"{field}\"/></{what}>");
    let within = |field: &str, kind: &str, values: &[&str]| {
        let values: String = values.iter().map(|value| format!("<Value Type=\"{kind}\">{value}</Value>")).collect();
        format!("<In><FieldRef Name=\"{field}\"/><Values>{values}</Values></In>")
    };
    let member = |of: &str| format!("<Membership {of}><FieldRef Name=\"U\"/></Membership>");
    let title = |name: &str| format!("<ListProperty Select=\"{name}\"/>");
    let both = |name: &str, parts: &[String]| format!("<{name}>{}</{name}>", parts.concat());
    let t = |how: &str, value: &str| compare(how, "T", "Text", value);
    let n = |how: &str, value: &str| compare(how, "N", "Number", value);
    for (condition, expected) in [
        // Texts compare without case; what has no value is not unequal.
        (t("Eq", "ALPHA"), "1"),
        (t("Neq", "alpha"), "2 3"),
        (t("Gt", "alpha"), "2 3"),
        (t("Geq", "Beta"), "2 3"),
        (t("Lt", "beta"), "1"),
        (t("Leq", "beta"), "1 2"),
        (t("BeginsWith", "gam"), "3"),
        (t("Contains", "A"), "1 2 3"),
        (t("Contains", "A R"), "3"),
        (n("Eq", "5.0"), "2"),
        (n("Neq", "5"), "1 3"),
        (n("Gt", "1"), "2 3"),
        (n("Geq", "1"), "1 2 3"),
        (n("Lt", "10"), "1 2"),
        (n("Leq", "4.5"), "1"),
        (is("IsNull", "T"), "4"),
        (is("IsNotNull", "T"), "1 2 3"),
        (within("T", "Text", &["BETA", "gamma ray", "none"]), "2 3"),
        (within("N", "Number", &["1", "10"]), "1 3"),
        (within("T", "Text", &[]), ""),
        // Dates without the time of day, unless that is asked for.
        (compare("Eq", "D", "DateTime", "2026-03-04T00:00:00Z"), "1 3"),
        (compare("Gt", "D", "DateTime", "2026-03-04T00:00:00Z"), "2"),
        (compare("Leq", "D", "DateTime", "2026-03-04"), "1 3"),
        (compare("Eq", "D", "DateTime", "<Today/>"), "1 3"),
        (compare("Eq", "D", "DateTime", "<Today OffsetDays=\"1\"/>"), "2"),
        (compare("Geq", "D", "DateTime", "<Today OffsetDays=\"-1\"/>"), "1 2 3"),
        (timed("Eq", "2026-03-04T10:00:00Z"), "1"),
        (timed("Gt", "2026-03-04T10:00:00Z"), "2 3"),
        (timed("Gt", "<Now/>"), "1 2 3"),
        (timed("Lt", "<Now/>"), ""),
        (compare("Eq", "B", "Boolean", "1"), "1"),
        (compare("Eq", "B", "Integer", "1"), "1"),
        (compare("Eq", "B", "Boolean", "FALSE"), "2"),
        // Choices and lookups of several compare by member.
        (compare("Eq", "M", "MultiChoice", "X"), "1"),
        (compare("Eq", "M", "Text", "y"), "1 2"),
        (compare("Contains", "M", "Text", "x"), "1"),
        (compare("Includes", "M", "Text", "y"), "1 2"),
        (compare("NotIncludes", "M", "Text", "x"), "2"),
        (compare("Neq", "M", "Text", "x"), "2"),
        (compare("Eq", "K", "LookupMulti", "two"), "1"),
        (compare("Includes", "K", "Lookup", "Three"), "3"),
        (by_id("Includes", "K", "Integer", "2"), "1"),
        (by_id("NotIncludes", "K", "Integer", "2"), "3"),
        // Lookups and users by text, or by id.
        (compare("Eq", "L", "Lookup", "ONE"), "1"),
        (compare("BeginsWith", "L", "Lookup", "T"), "2"),
        (by_id("Eq", "L", "Lookup", "2"), "2"),
        (compare("Eq", "L", "Integer", "2"), "2"),
        (compare("Eq", "U", "User", "Ann Example"), "1"),
        (by_id("Eq", "U", "Integer", "<UserID/>"), "1"),
        (by_id("Eq", "U", "User", "2"), "2"),
        (by_id("Neq", "U", "Integer", "<UserID/>"), "2"),
        (within("U", "Integer", &["1", "2"]).replace("\"U\"", "\"U\" LookupId=\"TRUE\""), "1 2"),
        (member("Type=\"CurrentUserGroups\""), "1"),
        (member("Type=\"SPWeb.AllUsers\""), "1 2"),
        (member("Type=\"SPWeb.Users\""), "1 2"),
        (member("Type=\"SPWeb.Groups\""), ""),
        (member("Type=\"SPGroup\" ID=\"3\""), ""),
        // Fields by id, the counter, and properties of the list.
        (t("Eq", "beta").replace("Name=\"T\"", "ID=\"{11111111-2222-3333-4444-555555555555}\""), "2"),
        (compare("Gt", "ID", "Counter", "2"), "3 4"),
        (compare("Eq", "ID", "Counter", "3"), "3"),
        (within("ID", "Counter", &["4", "1", "9"]), "1 4"),
        (compare("Eq", "FSObjType", "Lookup", "0"), "1 2 3 4"),
        (compare("BeginsWith", "FileRef", "Text", "/sites/team/Lists/Main/2"), "2"),
        (n("Eq", &title("ItemCount")), ""),
        (n("Gt", &title("ItemCount")), "2 3"),
        (compare("Neq", "Title", "Text", &title("Description")), "4"),
        (t("Eq", "<XML>beta</XML>"), "2"),
        // Of two, and of more.
        (both("And", &[t("Contains", "a"), n("Gt", "1")]), "2 3"),
        (both("And", &[t("Contains", "a"), n("Gt", "1"), n("Lt", "10")]), "2"),
        (both("Or", &[t("Eq", "alpha"), n("Eq", "10")]), "1 3"),
        (both("Or", &[t("Eq", "alpha"), n("Eq", "10"), is("IsNull", "T")]), "1 3 4"),
        (both("And", &[both("Or", &[t("Eq", "alpha"), t("Eq", "beta")]), is("IsNotNull", "K")]), "1"),
    ] {
        assert_eq!(chosen(&server, &format!("<Where>{condition}</Where>")).await, expected, "{condition}");
    }
}

/// Members of groups are told by the groups of the site.
#[tokio::test]
async fn memberships_follow_the_groups() {
    let server = filled().await;
    let group = engine::GROUPS[1].id;
    let context = crate::context::Context::open(&server.adapter, server.call()).await.unwrap();
    context.site.set_member(group, 2, true).await.unwrap();
    let member =
        |of: &str| format!("<Where><Membership {of}><FieldRef Name=\"U\" LookupId=\"TRUE\"/></Membership></Where>");
    assert_eq!(chosen(&server, &member(&format!("Type=\"SPGroup\" ID=\"{group}\""))).await, "2");
    let other = engine::GROUPS[0].id;
    assert_eq!(chosen(&server, &member(&format!("Type=\"SPGroup\" ID=\"{other}\""))).await, "");
    assert_eq!(chosen(&server, &member("Type=\"CurrentUserGroups\"")).await, "1");
}

#[tokio::test]
async fn orders_and_groups_give_the_order() {
    let server = filled().await;
    let by = |name: &str, keys: &str| format!("<{name}>{keys}</{name}>");
    let key = |name: &str, ascending: &str| format!("<FieldRef Name=\"{name}\" Ascending=\"{ascending}\"/>");
    for (query, expected) in [
        (String::new(), "1 2 3 4"),
        (by("OrderBy", "<FieldRef Name=\"T\"/>"), "4 1 2 3"),
        (by("OrderBy", &key("T", "FALSE")), "3 2 1 4"),
        (by("OrderBy", &key("B", "TRUE")), "3 4 2 1"),
        (by("OrderBy", &(key("B", "TRUE") + &key("T", "FALSE"))), "3 4 2 1"),
        (by("OrderBy", &(key("B", "TRUE") + &key("ID", "FALSE"))), "4 3 2 1"),
        (by("OrderBy", &key("U", "FALSE")), "2 1 3 4"),
        (by("OrderBy", &key("L", "FALSE")), "2 1 3 4"),
        (by("GroupBy", &key("B", "FALSE")) + &by("OrderBy", &key("T", "TRUE")), "1 2 4 3"),
        (by("OrderBy", &key("T", "TRUE")) + &by("GroupBy", &key("B", "FALSE")), "1 2 4 3"),
        (
            by("GroupBy", &key("B", "TRUE")).replace("<GroupBy>", "<GroupBy Collapse=\"TRUE\" GroupLimit=\"1\">"),
            "3 4 2 1",
        ),
    ] {
        assert_eq!(chosen(&server, &query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn what_is_no_caml_is_refused() {
    let server = filled().await;
    for query in [
        "<Where><Like><FieldRef Name=\"T\"/><Value Type=\"Text\">a</Value></Like></Where>",
        "<Where><Eq><Value Type=\"Text\">a</Value></Eq></Where>",
        "<Where><Eq><FieldRef Name=\"T\"/></Eq></Where>",
        "<Where><Eq><FieldRef Name=\"Nothing\"/><Value Type=\"Text\">a</Value></Eq></Where>",
        "<Where><Eq><FieldRef Name=\"T\"/><Value Type=\"Text\"><Tomorrow/></Value></Eq></Where>",
        "<Where><Eq><FieldRef Name=\"T\"/><Value Type=\"Text\"><ListProperty Select=\"Colour\"/></Value></Eq></Where>",
        "<Where><In><FieldRef Name=\"T\"/></In></Where>",
        "<Where><Membership Type=\"SPGroup\"><FieldRef Name=\"U\"/></Membership></Where>",
        "<Where><Membership Type=\"Everybody\"><FieldRef Name=\"U\"/></Membership></Where>",
        "<OrderBy><FieldRef Name=\"Nothing\"/></OrderBy>",
        "<Limit>3</Limit>",
    ] {
        let reply = server.try_lists("GetListItems", &ask(query)).await;
        assert_eq!(reply.status, http::StatusCode::INTERNAL_SERVER_ERROR, "{query}");
    }
}
