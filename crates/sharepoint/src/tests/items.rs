//! Rows: writing and reading them.

use super::Server;

#[tokio::test]
async fn items_are_added_changed_and_deleted() {
    let server = Server::start().await;
    let reply = server
        .update(
            "Tasks",
            "<Method ID=\"7\" Cmd=\"New\"><Field Name=\"ID\">New</Field><Field Name=\"Title\">Write &lt;it&gt;</Field>\
             <Field Name=\"PercentComplete\">0.5</Field><Field Name=\"DueDate\">2026-05-01T00:00:00Z</Field>\
             <Field Name=\"AssignedTo\">ann@example.org</Field></Method>",
        )
        .await;
    assert_eq!(reply.value("Result/@ID"), "7,New");
    assert_eq!(reply.value("Result/ErrorCode"), "0x00000000");
    for (name, expected) in [
        ("ID", "1"),
        ("Title", "Write <it>"),
        ("LinkTitle", "Write <it>"),
        ("PercentComplete", "0.500000000000000"),
        ("DueDate", "2026-05-01 00:00:00"),
        ("AssignedTo", "1;#Ann Example"),
        ("Author", "1;#Ann Example"),
        ("owshiddenversion", "1"),
        ("Status", "Not Started"),
        ("FSObjType", "1;#0"),
        ("MetaInfo", "1;#"),
        ("FileRef", "1;#sites/team/Lists/Tasks/1_.000"),
        ("FileLeafRef", "1;#1_.000"),
        ("PermMask", "0x7fffffffffffffff"),
    ] {
        assert_eq!(reply.value(&format!("row/@ows_{name}")), expected, "{name}");
    }
    assert!(reply.values("row/@ows_ContentTypeId")[0].starts_with("0x010800"));

    let update = |version: &str, title: &str| {
        format!(
            "<Method ID=\"1\" Cmd=\"Update\"><Field Name=\"ID\">1</Field>{version}<Field Name=\"Title\">{title}</Field></Method>"
        )
    };
    let reply = server.update("Tasks", &update("<Field Name=\"owshiddenversion\">1</Field>", "Second")).await;
    assert_eq!(reply.value("row/@ows_owshiddenversion"), "2");
    let reply = server.update("Tasks", &update("<Field Name=\"owshiddenversion\">1</Field>", "Third")).await;
    assert_eq!(reply.value("Result/ErrorCode"), "0x81020015");
    assert_eq!(reply.value("Result/@Version"), "2");
    assert_eq!(reply.value("row/@ows_Title"), "Second");
    let reply = server.update("Tasks", &update("", "Fourth")).await;
    assert_eq!(reply.value("row/@ows_owshiddenversion"), "3");

    let delete = "<Method ID=\"2\" Cmd=\"Delete\"><Field Name=\"ID\">1</Field></Method>";
    let reply = server.update("Tasks", delete).await;
    assert_eq!(reply.value("Result/ErrorCode"), "0x00000000");
    assert!(reply.values("row").is_empty());
    let reply = server.update("Tasks", delete).await;
    assert_eq!(reply.value("Result/ErrorCode"), "0x81020016");
}

#[tokio::test]
async fn a_batch_may_stop_at_its_first_failure() {
    let server = Server::start().await;
    let methods = "<Method ID=\"1\" Cmd=\"New\"><Field Name=\"Title\">a</Field></Method>\
                   <Method ID=\"2\" Cmd=\"New\"><Field Name=\"Nonsense\">b</Field></Method>\
                   <Method ID=\"3\" Cmd=\"New\"><Field Name=\"Title\">c</Field></Method>";
    for (on_error, expected) in [
        ("Return", ["0x00000000", "0x81020014", "0x800704c7"]),
        ("Continue", ["0x00000000", "0x81020014", "0x00000000"]),
    ] {
        let parameters = format!(
            "<listName>Tasks</listName><updates><Batch OnError=\"{on_error}\" xmlns=\"\">{methods}</Batch></updates>"
        );
        assert_eq!(server.lists("UpdateListItems", &parameters).await.values("Result/ErrorCode"), expected);
    }
}

/// New rows that follow each other share a commit, and are answered one by one, as if each had one of its own.
#[tokio::test]
async fn new_rows_are_written_together() {
    let store = std::sync::Arc::new(store::counting::Counting::new(store::memory::MemoryStore::new(1)));
    let server = Server::over(store.clone()).await;
    server.add("Tasks", &["first"]).await;
    let field = |name: &str, value: &str| format!("<Field Name=\"{name}\">{value}</Field>");
    let new = |id: &str, fields: &str| format!("<Method ID=\"{id}\" Cmd=\"New\">{fields}</Method>");
    let many: String = (0..150).map(|number| new("n", &field("Title", &format!("t{number}")))).collect();
    let before = store.counts();
    let reply = server.update("Tasks", &many).await;
    assert_eq!(store.counts().since(before).commits, 2);
    assert_eq!(reply.values("row/@ows_ID"), (2..152).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(reply.values("row/@ows_Title")[149], "t149");
    assert!(reply.values("row/@ows_Author").iter().all(|author| author == "1;#Ann Example"));

    // What fails fails alone, and takes no number.
    let large = "x".repeat(1_100_000);
    let methods = [
        new("a", &field("Title", "a")),
        new("b", &field("Nonsense", "b")),
        new("c", &field("Title", "c")),
        new("d", &field("Body", &large)),
        new("e", &(field("Title", "e") + &field("FSObjType", "1") + &field("BaseName", "folder"))),
        new("f", &(field("Title", "f") + &field("FSObjType", "1") + &field("BaseName", "folder"))),
        new("g", &field("Title", "g")),
        format!("<Method ID=\"h\" Cmd=\"Update\">{}{}</Method>", field("ID", "152"), field("Title", "h")),
        new("i", &field("Title", "i")),
    ]
    .concat();
    let ask = |list: &str, on_error: &str| {
        format!("<listName>{list}</listName><updates><Batch OnError=\"{on_error}\">{methods}</Batch></updates>")
    };
    let reply = server.lists("UpdateListItems", &ask("Tasks", "Continue")).await;
    let codes = reply.values("Result/ErrorCode");
    let failed = |at: usize| codes[at] != "0x00000000";
    assert_eq!([0, 1, 2, 3, 4, 5, 6, 7, 8].map(failed), [false, true, false, true, false, true, false, false, false]);
    assert_eq!(codes[1], "0x81020014");
    let rows: Vec<(String, String)> =
        reply.values("row/@ows_ID").into_iter().zip(reply.values("row/@ows_Title")).collect();
    let row = |id: &str, title: &str| (id.to_owned(), title.to_owned());
    assert_eq!(
        rows,
        [row("152", "a"), row("153", "c"), row("154", "e"), row("155", "g"), row("152", "h"), row("156", "i")]
    );
    assert_eq!(reply.values("Result/@ID")[6], "g,New");

    let reply = server.lists("UpdateListItems", &ask("Announcements", "Return")).await;
    let codes = reply.values("Result/ErrorCode");
    assert_eq!((codes.len(), &*codes[0], &*codes[1]), (9, "0x00000000", "0x81020014"));
    assert!(codes[2..].iter().all(|code| code == "0x800704c7"), "{codes:?}");
    assert_eq!(reply.values("row/@ows_Title"), ["a"]);
}

#[tokio::test]
async fn the_property_bag_is_kept() {
    let server = Server::start().await;
    let parameters = "<listName>Calendar</listName><updates><Batch Properties=\"TRUE\" DateInUtc=\"TRUE\"><Method ID=\"1\" \
                      Cmd=\"New\"><Field Name=\"Title\">x</Field><Field Name=\"EventDate\">2026-01-05T10:00:00Z</Field>\
                      <Field Name=\"EndDate\">2026-01-05T11:00:00Z</Field><Field Name=\"MetaInfo\" \
                      Property=\"ReplicationID\">{{9153FDD3-7C00-47E9-9194-956BB20AAA8D}}</Field></Method></Batch></updates>";
    let reply = server.lists("UpdateListItems", parameters).await;
    assert_eq!(reply.value("row/@ows_MetaInfo_ReplicationID"), "{{9153FDD3-7C00-47E9-9194-956BB20AAA8D}}");
    assert_eq!(reply.value("row/@ows_EventDate"), "2026-01-05T10:00:00Z");
    assert_eq!(reply.value("row/@ows_Duration"), "3600");
    assert!(reply.value("row/@ows_UID").starts_with('{'));
}

#[tokio::test]
async fn items_are_found_in_pages() {
    let server = Server::start().await;
    server.add("Announcements", &["delta", "alpha", "charlie", "bravo", "alpha"]).await;
    for (order, expected) in [
        ("", vec!["1", "2", "3", "4", "5"]),
        ("<OrderBy><FieldRef Name=\"ID\" Ascending=\"FALSE\"/></OrderBy>", vec!["5", "4", "3", "2", "1"]),
        ("<OrderBy><FieldRef Name=\"Title\"/></OrderBy>", vec!["2", "5", "4", "3", "1"]),
        ("<OrderBy><FieldRef Name=\"Title\" Ascending=\"false\"/></OrderBy>", vec!["1", "3", "4", "2", "5"]),
    ] {
        for limit in 1..=6 {
            let (mut seen, mut position) = (Vec::new(), String::new());
            loop {
                let parameters = format!(
                    "<listName>Announcements</listName><query><Query>{order}</Query></query><rowLimit>{limit}</rowLimit>\
                     <queryOptions><QueryOptions>{position}</QueryOptions></queryOptions>"
                );
                let reply = server.lists("GetListItems", &parameters).await;
                seen.extend(reply.values("row/@ows_ID"));
                let Some(next) = reply.values("data/@ListItemCollectionPositionNext").pop() else { break };
                position = format!(
                    "<Paging ListItemCollectionPositionNext=\"{}\"/>",
                    next.replace('&', "&amp;").replace('"', "&quot;")
                );
            }
            assert_eq!(seen, expected, "{order} by {limit}");
        }
    }
}

#[tokio::test]
async fn conditions_choose_items() {
    let server = Server::start().await;
    let add = |title: &str, percent: &str, due: &str, status: &str| {
        format!(
            "<Method ID=\"1\" Cmd=\"New\"><Field Name=\"Title\">{title}</Field><Field Name=\"PercentComplete\">{percent}</Field>\
             <Field Name=\"DueDate\">{due}</Field><Field Name=\"Status\">{status}</Field></Method>"
        )
    };
    let methods = [
        add("Alpha", "0.1", "2026-03-04T10:00:00Z", "Completed"),
        add("beta", "0.5", "2026-03-05T00:00:00Z", "In Progress"),
        add("Gamma ray", "1", "", "Completed"),
    ];
    server.update("Tasks", &methods.concat()).await;
    let field = |name: &str| format!("<FieldRef Name=\"{name}\"/>");
    let compare = |how: &str, name: &str, kind: &str, value: &str| {
        format!("<{how}>{}<Value Type=\"{kind}\">{value}</Value></{how}>", field(name))
    };
    for (condition, expected) in [
        (compare("Eq", "Title", "Text", "ALPHA"), vec!["1"]),
        (compare("Neq", "Title", "Text", "alpha"), vec!["2", "3"]),
        (compare("BeginsWith", "Title", "Text", "gam"), vec!["3"]),
        (compare("Contains", "Title", "Text", "A"), vec!["1", "2", "3"]),
        (compare("Gt", "PercentComplete", "Number", "0.4"), vec!["2", "3"]),
        (compare("Eq", "DueDate", "DateTime", "<Today/>"), vec!["1"]),
        (compare("Eq", "DueDate", "DateTime", "<Today OffsetDays=\"1\"/>"), vec!["2"]),
        (compare("Lt", "DueDate", "DateTime", "2026-03-04T23:00:00Z"), vec![]),
        (
            "<Lt><FieldRef Name=\"DueDate\"/><Value Type=\"DateTime\" IncludeTimeValue=\"TRUE\">2026-03-04T23:00:00Z</Value></Lt>"
                .to_owned(),
            vec!["1"],
        ),
        (format!("<IsNull>{}</IsNull>", field("DueDate")), vec!["3"]),
        (format!("<IsNotNull>{}</IsNotNull>", field("DueDate")), vec!["1", "2"]),
        (
            format!(
                "<In>{}<Values><Value Type=\"Counter\">1</Value><Value Type=\"Counter\">3</Value></Values></In>",
                field("ID")
            ),
            vec!["1", "3"],
        ),
        (
            format!(
                "<And>{}<Or>{}{}</Or></And>",
                compare("Eq", "Status", "Text", "completed"),
                compare("Eq", "ID", "Counter", "1"),
                compare("Eq", "ID", "Counter", "2")
            ),
            vec!["1"],
        ),
        (compare("Eq", "Author", "User", "ann example"), vec!["1", "2", "3"]),
        (compare("Eq", "Author", "Integer", "<UserID/>"), vec!["1", "2", "3"]),
        (compare("Eq", "FSObjType", "Lookup", "1"), vec![]),
        (compare("BeginsWith", "FileRef", "Text", "/sites/team/Lists"), vec!["1", "2", "3"]),
    ] {
        let parameters =
            format!("<listName>Tasks</listName><query><Query><Where>{condition}</Where></Query></query>");
        let reply = server.lists("GetListItems", &parameters).await;
        assert_eq!(reply.values("row/@ows_ID"), expected, "{condition}");
    }
    let unknown = compare("Eq", "Nonsense", "Text", "x");
    let parameters = format!("<listName>Tasks</listName><query><Query><Where>{unknown}</Where></Query></query>");
    assert_eq!(server.try_lists("GetListItems", &parameters).await.status, 500);
}

#[tokio::test]
async fn a_series_takes_its_exceptions_along() {
    let server = Server::start().await;
    let master = "<Method ID=\"1\" Cmd=\"New\"><Field Name=\"Title\">m</Field><Field Name=\"fRecurrence\">1</Field>\
                  <Field Name=\"RecurrenceData\">&lt;recurrence>&lt;/recurrence>&lt;deleteExceptions>true&lt;/deleteExceptions></Field>\
                  <Field Name=\"EventDate\">2026-01-05T10:00:00Z</Field><Field Name=\"EndDate\">2026-03-05T11:00:00Z</Field></Method>";
    let reply = server.update("Calendar", master).await;
    assert_eq!(reply.value("row/@ows_EventType"), "1");
    assert_eq!(reply.value("row/@ows_RecurrenceData"), "<recurrence></recurrence>");
    let exception = "<Method ID=\"1\" Cmd=\"New\"><Field Name=\"Title\">e</Field><Field Name=\"EventType\">4</Field>\
                     <Field Name=\"MasterSeriesItemID\">1</Field><Field Name=\"EventDate\">2026-01-12T10:00:00Z</Field></Method>";
    server.update("Calendar", &format!("{exception}{exception}")).await;
    let ids = async || server.lists("GetListItems", "<listName>Calendar</listName>").await.values("row/@ows_ID");
    assert_eq!(ids().await, ["1", "2", "3"]);
    let rename = "<Method ID=\"1\" Cmd=\"Update\"><Field Name=\"ID\">1</Field><Field Name=\"Title\">n</Field></Method>";
    server.update("Calendar", rename).await;
    assert_eq!(ids().await, ["1", "2", "3"]);
    let longer = "<Method ID=\"1\" Cmd=\"Update\"><Field Name=\"ID\">1</Field><Field Name=\"EndDate\">2026-04-05T11:00:00Z</Field></Method>";
    server.update("Calendar", longer).await;
    assert_eq!(ids().await, ["1"]);
}

#[tokio::test]
async fn the_list_of_users_is_not_written() {
    let server = Server::start().await;
    let reply = server.lists("GetListItems", "<listName>UserInfo</listName>").await;
    assert_eq!(reply.value("row/@ows_ImnName"), "Ann Example");
    for method in [
        "<Method ID=\"1\" Cmd=\"New\"><Field Name=\"Title\">x</Field></Method>",
        "<Method ID=\"1\" Cmd=\"Update\"><Field Name=\"ID\">1</Field><Field Name=\"Name\">bob@example.org</Field></Method>",
        "<Method ID=\"1\" Cmd=\"Delete\"><Field Name=\"ID\">1</Field></Method>",
    ] {
        assert_eq!(server.update("UserInfo", method).await.value("Result/ErrorCode"), "0x80070005");
    }
}

#[tokio::test]
async fn changes_by_time_come_with_everything() {
    let server = Server::start().await;
    server.add("Announcements", &["old"]).await;
    server.clock.advance(60);
    server.add("Announcements", &["new", "newer"]).await;
    let count = async |more: &str| {
        let parameters = format!("<listName>Announcements</listName>{more}");
        server.lists("GetListItemChanges", &parameters).await.values("data/@ItemCount")
    };
    assert_eq!(count("").await, ["3", "3"]);
    assert_eq!(count("<since>2026-03-04T05:07:00Z</since>").await, ["2", "3"]);
    let contains =
        "<contains><Contains><FieldRef Name=\"Title\"/><Value Type=\"Text\">newer</Value></Contains></contains>";
    assert_eq!(count(contains).await, ["1", "3"]);
    for bad in ["", "soon"] {
        let parameters = format!("<listName>Announcements</listName><since>{bad}</since>");
        let reply = server.try_lists("GetListItemChanges", &parameters).await;
        assert_eq!((reply.status.as_u16(), reply.values("errorcode").len()), (500, 0));
    }
}

/// The batches of the sample program in the documentation of the operation, run one after the other. Their dates have
/// days of one digit.
#[tokio::test]
async fn the_documented_sample_runs() {
    let server = Server::start().await;
    server.lists("AddList", "<listName>MyCalendar</listName><description/><templateID>106</templateID>").await;
    server.update("MyCalendar", "<Method ID='0' Cmd='New'><Field Name='Title'>gone</Field></Method>").await;
    let changes = async |token: &str| {
        let parameters = format!("<listName>MyCalendar</listName><changeToken>{token}</changeToken>");
        server.lists("GetListItemChangesSinceToken", &parameters).await
    };
    let first = changes("").await;
    let item = |id: &str, title: &str, days: [&str; 2]| {
        format!(
            "<Field Name='Title'>{title}</Field><Field Name='ID'>{id}</Field><Field Name='EventDate'>{}T14:00:00Z</Field>\
             <Field Name='EndDate'>{}T14:00:00Z</Field>",
            days[0], days[1]
        )
    };
    let edit = item("1", "My New Title", ["2007-10-11", "2007-10-12"]);
    server.update("MyCalendar", &format!("<Method ID='0' Cmd='Update'>{edit}</Method>")).await;
    let second = changes(&first.value("Changes/@LastChangeToken")).await;
    assert_eq!(second.values("row/@ows_EventDate"), ["2007-10-11T14:00:00Z"]);
    let new = item("New", "My New Item", ["2007-10-2", "2007-10-3"]);
    let reply = server.update("MyCalendar", &format!("<Method ID='0' Cmd='New'>{new}</Method>")).await;
    assert_eq!(reply.value("row/@ows_Duration"), "86400");
    let third = changes(&second.value("Changes/@LastChangeToken")).await;
    assert_eq!(third.values("row/@ows_LinkTitle"), ["My New Item"]);
    // SAMPLE: the program takes the second child node, after the line break, as Changes.
    assert!(third.body.contains("#RowsetSchema\">\n<Changes "));
}

#[tokio::test]
async fn junk_is_refused_and_not_fatal() {
    let server = Server::start().await;
    server.add("Tasks", &["x"]).await;
    let query = |inner: &str| format!("<listName>Tasks</listName><query><Query>{inner}</Query></query>");
    let paging = |text: &str| {
        format!(
            "<listName>Tasks</listName><queryOptions><QueryOptions><Paging ListItemCollectionPositionNext=\"{text}\"/>\
             </QueryOptions></queryOptions>"
        )
    };
    let nested = format!("<Where>{}{}</Where>", "<And>".repeat(300), "</And>".repeat(300));
    for (parameters, good) in [
        (query("<Where/>"), true),
        (query("<Where><And/></Where>"), true),
        (query("<Where><Eq/></Where>"), false),
        (query("<Where><Eq><FieldRef/><Value/></Eq></Where>"), false),
        (query("<Where><Nonsense/></Where>"), false),
        (query(&nested), false),
        (query("<OrderBy><FieldRef Name=\"Nonsense\"/></OrderBy>"), false),
        (
            query(
                "<Where><Eq><FieldRef Name=\"DueDate\"/><Value Type=\"DateTime\"><Today OffsetDays=\"-9223372036854775808\"/></Value></Eq></Where>",
            ),
            true,
        ),
        (query("<Where><Eq><FieldRef Name=\"Created\"/><Value Type=\"DateTime\">soon</Value></Eq></Where>"), true),
        (paging("Paged=TRUE"), true),
        (paging("Paged=TRUE&amp;p_ID=99999"), true),
        (paging("nonsense"), true),
        (paging("Paged=TRUE&amp;p_ID=x"), false),
        ("<listName>Tasks</listName><rowLimit>-1</rowLimit>".to_owned(), false),
        ("<listName>Tasks</listName><rowLimit>4294967295</rowLimit>".to_owned(), true),
    ] {
        let reply = server.try_lists("GetListItems", &parameters).await;
        assert_eq!(reply.status.as_u16(), if good { 200 } else { 500 }, "{parameters}: {}", reply.body);
    }
    for (name, value) in [
        ("DueDate", "soon"),
        ("PercentComplete", "many"),
        ("PercentComplete", "2"),
        ("PercentComplete", "NaN"),
        ("AssignedTo", "nobody"),
        ("ID", "x"),
        ("owshiddenversion", "x"),
        ("Created", "2026-01-01"),
    ] {
        let method = format!(
            "<Method ID=\"1\" Cmd=\"Update\"><Field Name=\"ID\">1</Field><Field Name=\"{name}\">{value}</Field></Method>"
        );
        let code = server.update("Tasks", &method).await.value("Result/ErrorCode");
        let expected = if name == "ID" { "0x00000000" } else { "0x81020014" };
        assert_eq!(code, expected, "{name} {value}");
    }
    let many = format!("<Method ID=\"1\" Cmd=\"New\">{}</Method>", "<Field Name=\"Title\">x</Field>".repeat(5_001));
    assert_eq!(server.update("Tasks", &many).await.value("Result/ErrorCode"), "0x81020014");
    let batch = "<listName>Tasks</listName><updates><Batch LockSchema=\"TRUE\" ListVersion=\"9\"><Method ID=\"1\" Cmd=\"Delete\">\
                 <Field Name=\"ID\">1</Field></Method></Batch></updates>";
    assert_eq!(server.try_lists("UpdateListItems", batch).await.value("errorcode"), "0x80070666");
    let reply = server.try_lists("UpdateListItems", "<listName/><updates/>").await;
    assert_eq!(reply.value("errorstring"), "Cannot access a closed Stream.");
}

#[tokio::test]
async fn queries_count_however_they_are_wrapped() {
    let server = Server::start().await;
    server.add("Tasks", &["one", "two", "three"]).await;
    let condition = "<Where><Eq><FieldRef Name=\"Title\"/><Value Type=\"Text\">two</Value></Eq></Where>";
    let escaped = "&lt;Query&gt;&lt;Where/&gt;&lt;/Query&gt;";
    for (query, good) in [
        (format!("<Query>{condition}</Query>"), true),
        (format!("<Query xmlns=\"\">{condition}</Query>"), true),
        (format!("<x:Query xmlns:x=\"urn:x\">{condition}</x:Query>"), true),
        (condition.to_owned(), true),
        (format!("<query>{condition}</query>"), true),
        (format!("<query><Query>{condition}</Query></query>"), true),
        (format!("<Query><Query>{condition}</Query></Query>"), true),
        (format!("<View><Query>{condition}</Query></View>"), true),
        (format!("<Query>{condition}<RowLimit>5</RowLimit></Query>"), true),
        // Whoever asks for some rows must not get all of them.
        (escaped.to_owned(), false),
        (condition.replace("Where", "where"), false),
        (format!("<Qvery>{condition}</Qvery>"), false),
    ] {
        for operation in ["GetListItems", "GetListItemChangesSinceToken"] {
            let reply = server.try_lists(operation, &format!("<listName>Tasks</listName><query>{query}</query>")).await;
            if good {
                assert_eq!(reply.values("row/@ows_Title"), ["two"], "{operation} {query}");
            } else {
                assert_eq!((reply.status.as_u16(), reply.values("errorcode").len()), (500, 0), "{operation} {query}");
            }
        }
    }
    let parameters = format!("<listName>Tasks</listName><Query>{condition}</Query>");
    assert_eq!(server.lists("GetListItems", &parameters).await.values("row/@ows_Title"), ["two"]);
    for fields in ["<FieldRef Name=\"Title\"/>", "<viewFields><FieldRef Name=\"Title\"/></viewFields>"] {
        let parameters = format!("<listName>Tasks</listName><viewFields>{fields}</viewFields>");
        let reply = server.lists("GetListItems", &parameters).await;
        assert!(reply.values("row/@ows_LinkTitle").is_empty() && reply.values("row/@ows_Title").len() == 3, "{fields}");
    }
    let options = "<queryOptions><queryOptions><DateInUtc>true</DateInUtc></queryOptions></queryOptions>";
    let reply = server.lists("GetListItems", &format!("<listName>Tasks</listName>{options}")).await;
    assert_eq!(reply.values("row/@ows_Modified")[0], "2026-03-04T05:06:07Z");
    let batch = "<listName>Tasks</listName><updates><updates><Batch><Method ID=\"1\" Cmd=\"delete\"><Field Name=\"ID\">1\
                 </Field></Method></Batch></updates></updates>";
    let reply = server.lists("UpdateListItems", batch).await;
    assert_eq!((reply.value("Result/@ID"), reply.value("Result/ErrorCode")), ("1,delete".into(), "0x00000000".into()));
}

/// Tools join many values by `Or`, each inside the one before.
#[tokio::test]
async fn long_chains_of_conditions() {
    let server = Server::start().await;
    server.add("Tasks", &["t7", "t8", "t200"]).await;
    let one = |number: u32| format!("<Eq><FieldRef Name=\"Title\"/><Value Type=\"Text\">t{number}</Value></Eq>");
    let chain = (0..150).fold(one(8), |inner, number| format!("<Or>{inner}{}</Or>", one(number)));
    let parameters = format!("<listName>Tasks</listName><query><Query><Where>{chain}</Where></Query></query>");
    assert_eq!(server.lists("GetListItems", &parameters).await.values("row/@ows_Title"), ["t7", "t8"]);
    // As deep as is taken, the two kinds by turns.
    let deep = (0..128).fold(one(8), |inner, _| format!("<And><Or>{inner}</Or></And>"));
    let parameters = format!("<listName>Tasks</listName><query><Query><Where>{deep}</Where></Query></query>");
    assert_eq!(server.lists("GetListItems", &parameters).await.values("row/@ows_Title"), ["t8"]);
}

#[tokio::test]
async fn markup_in_a_value_is_kept_whole() {
    let server = Server::start().await;
    for (sent, kept) in [
        (
            "before <b>bold</b> &amp; <i title=\"a&gt;b\">it</i> after",
            "before <b>bold</b> &amp; <i title=\"a&gt;b\">it</i> after",
        ),
        ("<p>only</p>", "<p>only</p>"),
        ("&lt;p&gt;a &amp;amp; b&lt;/p&gt;", "<p>a &amp; b</p>"),
    ] {
        let method = format!("<Method ID=\"1\" Cmd=\"New\"><Field Name=\"Body\">{sent}</Field></Method>");
        assert_eq!(server.update("Announcements", &method).await.value("row/@ows_Body"), kept, "{sent}");
    }
}

#[tokio::test]
async fn users_are_named_by_id_or_login() {
    let server = Server::start().await;
    server.add("Tasks", &["x"]).await;
    server.as_guest().await.lists("GetListCollection", "").await;
    for (sent, expected) in [
        ("1", Some("1;#Ann Example")),
        ("1;#whoever", Some("1;#Ann Example")),
        ("Guest@Example.org", Some("2;#Guest; of, honour")),
        ("-1;#guest@example.org", Some("2;#Guest; of, honour")),
        ("i:0#.f|membership|ann@example.org", Some("1;#Ann Example")),
        ("EXAMPLE\\ann@example.org", Some("1;#Ann Example")),
        ("ann example", Some("1;#Ann Example")),
        ("", None),
        ("99", None),
        ("99;#Ann", None),
        ("nobody", None),
    ] {
        let method = format!(
            "<Method ID=\"1\" Cmd=\"Update\"><Field Name=\"ID\">1</Field><Field Name=\"AssignedTo\">{sent}</Field></Method>"
        );
        let reply = server.update("Tasks", &method).await;
        let code = if expected.is_some() || sent.is_empty() { "0x00000000" } else { "0x81020014" };
        assert_eq!(reply.value("Result/ErrorCode"), code, "{sent}");
        if let Some(expected) = expected {
            assert_eq!(reply.value("row/@ows_AssignedTo"), expected, "{sent}");
        }
    }
}

#[tokio::test]
async fn items_lie_in_folders_that_exist() {
    let server = Server::start().await;
    let folder =
        "<Method ID=\"1\" Cmd=\"New\"><Field Name=\"FSObjType\">1</Field><Field Name=\"BaseName\">sub</Field></Method>";
    server.update("Tasks", folder).await;
    let add = |folder: &str| {
        format!(
            "<listName>Tasks</listName><updates><Batch RootFolder=\"{folder}\"><Method ID=\"1\" Cmd=\"New\"><Field \
             Name=\"Title\">in</Field></Method></Batch></updates>"
        )
    };
    server.lists("UpdateListItems", &add("/sites/team/Lists/Tasks/sub")).await;
    for bad in ["/sites/team/Lists/Tasks/none", "/sites/team/Lists/Other", "/sites/team/Lists/Tasks/sub/2_.000"] {
        assert_eq!(server.try_lists("UpdateListItems", &add(bad)).await.status.as_u16(), 500, "{bad}");
    }
    let all = "<listName>Tasks</listName>";
    let files = async || server.lists("GetListItemChangesSinceToken", all).await.values("row/@ows_FileRef");
    assert_eq!(files().await, ["1;#sites/team/Lists/Tasks/sub", "2;#sites/team/Lists/Tasks/sub/2_.000"]);
    let token = server.lists("GetListItemChangesSinceToken", all).await.value("Changes/@LastChangeToken");
    let rename =
        "<Method ID=\"1\" Cmd=\"Update\"><Field Name=\"ID\">1</Field><Field Name=\"BaseName\">new</Field></Method>";
    server.update("Tasks", rename).await;
    assert_eq!(files().await, ["1;#sites/team/Lists/Tasks/new", "2;#sites/team/Lists/Tasks/new/2_.000"]);
    let stale = "<Method ID=\"1\" Cmd=\"Delete\"><Field Name=\"ID\">1</Field><Field Name=\"owshiddenversion\">1</Field></Method>";
    assert_eq!(server.update("Tasks", stale).await.value("Result/ErrorCode"), "0x81020015");
    assert_eq!(files().await.len(), 2);
    server.update("Tasks", "<Method ID=\"1\" Cmd=\"Delete\"><Field Name=\"ID\">1</Field></Method>").await;
    let later = format!("{all}<changeToken>{token}</changeToken>");
    let mut gone = server.lists("GetListItemChangesSinceToken", &later).await.values("Changes/Id");
    gone.sort();
    assert_eq!(gone, ["1", "2"]);
}
