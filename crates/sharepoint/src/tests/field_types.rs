//! Values of each type of field: written, shown, looked for.

use super::Server;

/// A list with a field of each type that clients make, looking into the list `Tasks`.
async fn prepare(server: &Server) {
    server.add("Tasks", &["first; task", "second"]).await;
    server.lists("AddList", "<listName>All</listName><description/><templateID>100</templateID>").await;
    let tasks = server.lists("GetList", "<listName>Tasks</listName>").await.value("List/@ID");
    let fields = [
        "Type=\"Text\" DisplayName=\"Text\"".to_owned(),
        "Type=\"Integer\" DisplayName=\"Whole\"".to_owned(),
        "Type=\"Currency\" DisplayName=\"Money\"".to_owned(),
        "Type=\"Boolean\" DisplayName=\"Truth\"".to_owned(),
        "Type=\"DateTime\" DisplayName=\"Day\" Format=\"DateOnly\"".to_owned(),
        "Type=\"MultiChoice\" DisplayName=\"Choices\"".to_owned(),
        "Type=\"URL\" DisplayName=\"Link\"".to_owned(),
        "Type=\"Guid\" DisplayName=\"Unique\"".to_owned(),
        format!("Type=\"Lookup\" DisplayName=\"Task\" List=\"{tasks}\" ShowField=\"Title\""),
        format!("Type=\"Lookup\" Mult=\"TRUE\" DisplayName=\"Many\" List=\"{tasks}\" ShowField=\"Title\""),
        "Type=\"User\" DisplayName=\"Person\" List=\"UserInfo\"".to_owned(),
        "Type=\"UserMulti\" Mult=\"TRUE\" DisplayName=\"People\" List=\"UserInfo\"".to_owned(),
    ];
    let methods: String = fields.iter().map(|field| format!("<Method ID=\"1\"><Field {field}/></Method>")).collect();
    let parameters = format!("<listName>All</listName><newFields><Fields>{methods}</Fields></newFields>");
    let reply = server.lists("UpdateList", &parameters).await;
    assert!(reply.values("NewFields/Method/ErrorCode").iter().all(|code| code == "0x00000000"), "{}", reply.body);
}

/// Field, what is written, what is shown, and conditions that take the item or leave it.
type Case = (&'static str, &'static str, &'static str, &'static [&'static str], &'static [&'static str]);

#[rustfmt::skip]
const CASES: &[Case] = &[
    ("Text", "a &lt;b&gt; \u{fc}", "a <b> \u{fc}", &["<Eq>F<Value Type=\"Text\">A &lt;B> \u{dc}</Value></Eq>"], &["<Eq>F<Value Type=\"Text\">a</Value></Eq>"]),
    ("Whole", "-7", "-7", &["<Lt>F<Value Type=\"Integer\">-6</Value></Lt>"], &["<Gt>F<Value Type=\"Integer\">0</Value></Gt>"]),
    ("Money", "12.5", "12.5000000000000", &["<Geq>F<Value Type=\"Currency\">12.5</Value></Geq>"], &["<Neq>F<Value Type=\"Currency\">12.5</Value></Neq>"]),
    ("Truth", "TRUE", "1", &["<Eq>F<Value Type=\"Integer\">1</Value></Eq>", "<Eq>F<Value Type=\"Boolean\">True</Value></Eq>"], &["<Eq>F<Value Type=\"Boolean\">0</Value></Eq>"]),
    ("Day", "2026-05-06T00:00:00Z", "2026-05-06 00:00:00", &["<Eq>F<Value Type=\"DateTime\">2026-05-06</Value></Eq>"], &["<Lt>F<Value Type=\"DateTime\">2026-05-06T23:00:00Z</Value></Lt>"]),
    ("Choices", ";#Red;#Dark blue;#", ";#Red;#Dark blue;#", &["<Eq>F<Value Type=\"MultiChoice\">red</Value></Eq>", "<Contains>F<Value Type=\"Text\">blue</Value></Contains>"], &["<Eq>F<Value Type=\"Text\">blue</Value></Eq>", "<Neq>F<Value Type=\"Text\">Red</Value></Neq>"]),
    ("Link", "http://x/, The x", "http://x/, The x", &["<BeginsWith>F<Value Type=\"URL\">http://x/</Value></BeginsWith>"], &["<Eq>F<Value Type=\"URL\">http://y/</Value></Eq>"]),
    ("Unique", "9153fdd3-7c00-47e9-9194-956bb20aaa8d", "{9153FDD3-7C00-47E9-9194-956BB20AAA8D}", &["<Eq>F<Value Type=\"Guid\">{9153FDD3-7C00-47E9-9194-956BB20AAA8D}</Value></Eq>"], &["<Eq>F<Value Type=\"Guid\">x</Value></Eq>"]),
    ("Task", "1", "1;#first; task", &["<Eq>F<Value Type=\"Lookup\">first; task</Value></Eq>", "<Eq>I<Value Type=\"Lookup\">1</Value></Eq>"], &["<Eq>F<Value Type=\"Lookup\">second</Value></Eq>", "<Eq>I<Value Type=\"Integer\">2</Value></Eq>"]),
    ("Many", "1;#first;#2;#", "1;#first;; task;#2;#second", &["<Includes>F<Value Type=\"LookupMulti\">second</Value></Includes>", "<Eq>F<Value Type=\"LookupMulti\">second</Value></Eq>", "<Includes>I<Value Type=\"Integer\">2</Value></Includes>"], &["<NotIncludes>F<Value Type=\"LookupMulti\">second</Value></NotIncludes>", "<Includes>I<Value Type=\"Integer\">3</Value></Includes>"]),
    ("Person", "1;#Ann", "1;#Ann Example", &["<Eq>I<Value Type=\"Integer\"><UserID/></Value></Eq>", "<Membership Type=\"CurrentUserGroups\">F</Membership>", "<Membership Type=\"SPWeb.AllUsers\">F</Membership>"], &["<Eq>F<Value Type=\"User\">Bob</Value></Eq>"]),
    ("People", "-1;#ann@example.org", "1;#Ann Example", &["<Includes>F<Value Type=\"User\">Ann Example</Value></Includes>"], &["<IsNull>F</IsNull>"]),
];

#[tokio::test]
async fn values_are_written_shown_and_found() {
    let server = Server::start().await;
    prepare(&server).await;
    let fields: String =
        CASES.iter().map(|(name, text, ..)| format!("<Field Name=\"{name}\">{text}</Field>")).collect();
    let reply = server.update("All", &format!("<Method ID=\"1\" Cmd=\"New\">{fields}</Method>")).await;
    assert_eq!(reply.value("Result/ErrorCode"), "0x00000000", "{}", reply.body);
    server.add("All", &["a row without values"]).await;
    for (name, _, shown, takes, leaves) in CASES {
        assert_eq!(reply.value(&format!("row/@ows_{name}")), *shown, "{name}");
        for (conditions, expected) in [(takes, true), (leaves, false)] {
            for condition in *conditions {
                let condition = condition
                    .replace('F', "\u{1}")
                    .replace("I<", &format!("<FieldRef Name=\"{name}\" LookupId=\"TRUE\"/><"))
                    .replace("\u{1}<", &format!("<FieldRef Name=\"{name}\"/><"))
                    .replace('\u{1}', "F");
                let parameters =
                    format!("<listName>All</listName><query><Query><Where>{condition}</Where></Query></query>");
                let found = server.lists("GetListItems", &parameters).await.values("row/@ows_ID");
                assert_eq!(found.contains(&"1".to_owned()), expected, "{condition}");
            }
        }
        let cleared = format!(
            "<Method ID=\"1\" Cmd=\"Update\"><Field Name=\"ID\">1</Field><Field Name=\"{name}\"></Field></Method>"
        );
        let reply = server.update("All", &cleared).await;
        assert!(reply.values(&format!("row/@ows_{name}")).is_empty(), "{name}");
        let again = format!(
            "<Method ID=\"1\" Cmd=\"Update\"><Field Name=\"ID\">1</Field><Field Name=\"{name}\">{}</Field></Method>",
            CASES.iter().find(|case| case.0 == *name).unwrap().1
        );
        assert_eq!(server.update("All", &again).await.value(&format!("row/@ows_{name}")), *shown);
    }
}

#[tokio::test]
async fn overlapping_dates() {
    let server = Server::start().await;
    let event = |title: &str, from: &str, to: &str| {
        format!(
            "<Method ID=\"1\" Cmd=\"New\"><Field Name=\"Title\">{title}</Field><Field Name=\"EventDate\">{from}</Field>\
             <Field Name=\"EndDate\">{to}</Field></Method>"
        )
    };
    let events = [
        event("today", "2026-03-04T10:00:00Z", "2026-03-04T11:00:00Z"),
        event("over", "2026-03-01T10:00:00Z", "2026-03-06T11:00:00Z"),
        event("later", "2026-03-20T10:00:00Z", "2026-03-20T11:00:00Z"),
        event("next year", "2027-03-20T10:00:00Z", "2027-03-20T11:00:00Z"),
    ];
    server.update("Calendar", &events.concat()).await;
    for (value, options, expected) in [
        ("<Today/>", "", vec!["1", "2"]),
        ("<Week/>", "", vec!["1", "2"]),
        ("<Month/>", "", vec!["1", "2", "3"]),
        ("<Year/>", "", vec!["1", "2", "3"]),
        ("<Now/>", "", vec!["1", "2", "3", "4"]),
        ("<Month/>", "<CalendarDate>2027-03-01</CalendarDate>", vec!["4"]),
    ] {
        let parameters = format!(
            "<listName>Calendar</listName><query><Query><Where><DateRangesOverlap><FieldRef Name=\"EventDate\"/>\
             <FieldRef Name=\"EndDate\"/><FieldRef Name=\"RecurrenceID\"/><Value Type=\"DateTime\">{value}</Value>\
             </DateRangesOverlap></Where></Query></query><queryOptions><QueryOptions>{options}</QueryOptions></queryOptions>"
        );
        assert_eq!(
            server.lists("GetListItems", &parameters).await.values("row/@ows_ID"),
            expected,
            "{value} {options}"
        );
    }
}
