//! Series in a window of time.

use super::Server;

fn new(fields: &[(&str, &str)]) -> String {
    let fields: String = fields.iter().map(|(name, value)| format!("<Field Name=\"{name}\">{value}</Field>")).collect();
    format!("<Method ID=\"1\" Cmd=\"New\">{fields}</Method>")
}

fn rule(repeat: &str) -> String {
    format!(
        "&lt;recurrence&gt;&lt;rule&gt;&lt;firstDayOfWeek&gt;su&lt;/firstDayOfWeek&gt;&lt;repeat&gt;{repeat}&lt;/repeat&gt;\
         &lt;repeatForever&gt;FALSE&lt;/repeatForever&gt;&lt;/rule&gt;&lt;/recurrence&gt;"
    )
}

/// Numbers and starts of a page, and where the next begins.
async fn page(server: &Server, condition: &str, options: &str, limit: usize) -> (Vec<String>, Option<String>) {
    let parameters = format!(
        "<listName>Calendar</listName><query><Query><Where>{condition}</Where></Query></query><rowLimit>{limit}</rowLimit>\
         <queryOptions><QueryOptions><DateInUtc>TRUE</DateInUtc>{options}</QueryOptions></queryOptions>"
    );
    let reply = server.lists("GetListItems", &parameters).await;
    let starts = reply.values("row/@ows_EventDate");
    let rows = reply.values("row/@ows_ID").into_iter().zip(starts);
    let next = reply.values("data/@ListItemCollectionPositionNext").pop();
    (rows.map(|(id, start)| format!("{id} {start}")).collect(), next)
}

fn overlap(value: &str) -> String {
    format!(
        "<DateRangesOverlap><FieldRef Name=\"EventDate\"/><FieldRef Name=\"EndDate\"/><FieldRef Name=\"RecurrenceID\"/>\
         <Value Type=\"DateTime\">{value}</Value></DateRangesOverlap>"
    )
}

#[tokio::test]
async fn series_stand_as_their_occurrences() {
    let server = Server::start().await;
    let weekly = rule("&lt;weekly mo='TRUE' th='TRUE' weekFrequency='1'/&gt;");
    let daily = rule("&lt;daily dayFrequency='1'/&gt;");
    let zone = "&lt;timeZoneRule&gt;&lt;standardBias&gt;480&lt;/standardBias&gt;&lt;/timeZoneRule&gt;";
    let methods = [
        new(&[("Title", "single"), ("EventDate", "2026-03-05T09:00:00Z"), ("EndDate", "2026-03-05T10:00:00Z")]),
        new(&[
            ("Title", "weekly"),
            ("EventDate", "2026-02-02T10:00:00Z"),
            ("EndDate", "2027-02-02T11:00:00Z"),
            ("fRecurrence", "1"),
            ("EventType", "1"),
            ("RecurrenceData", &weekly),
        ]),
        // Two in the morning in UTC is the evening before in its zone, so Monday there is Tuesday here.
        new(&[
            ("Title", "far"),
            ("EventDate", "2026-03-17T02:00:00Z"),
            ("EndDate", "2027-02-02T03:00:00Z"),
            ("fRecurrence", "1"),
            ("EventType", "1"),
            ("XMLTZone", zone),
            ("RecurrenceData", &rule("&lt;weekly mo='TRUE' weekFrequency='1'/&gt;")),
        ]),
        new(&[
            ("Title", "over"),
            ("EventDate", "2020-01-01T10:00:00Z"),
            ("EndDate", "2020-01-05T11:00:00Z"),
            ("fRecurrence", "1"),
            ("EventType", "1"),
            (
                "RecurrenceData",
                &daily.replace(
                    "&lt;repeatForever&gt;FALSE&lt;/repeatForever&gt;",
                    "&lt;repeatInstances&gt;5&lt;/repeatInstances&gt;",
                ),
            ),
        ]),
        // The first of March is moved by a day, the fifth is taken away.
        new(&[
            ("Title", "moved"),
            ("EventDate", "2026-03-03T15:00:00Z"),
            ("EndDate", "2026-03-03T16:00:00Z"),
            ("fRecurrence", "1"),
            ("EventType", "4"),
            ("MasterSeriesItemID", "2"),
            ("RecurrenceID", "2026-03-02T10:00:00Z"),
        ]),
        new(&[
            ("Title", "gone"),
            ("EventDate", "2026-03-05T10:00:00Z"),
            ("EndDate", "2026-03-05T11:00:00Z"),
            ("fRecurrence", "1"),
            ("EventType", "3"),
            ("MasterSeriesItemID", "2"),
            ("RecurrenceID", "2026-03-05T10:00:00Z"),
        ]),
    ];
    let reply = server.update("Calendar", &methods.concat()).await;
    assert!(reply.values("Result/ErrorCode").iter().all(|code| code == "0x00000000"), "{}", reply.body);
    let expand = "<ExpandRecurrence>TRUE</ExpandRecurrence>";
    let on = |date: &str| format!("{expand}<CalendarDate>{date}T00:00:00Z</CalendarDate>");
    let second = |days: &[&str]| -> Vec<String> {
        days.iter().map(|day| format!("2.0.2026-{day}T10:00:00Z 2026-{day}T10:00:00Z")).collect()
    };

    // The week of today, with the exceptions in their places.
    let (week, _) = page(&server, &overlap("<Week/>"), expand, 0).await;
    assert_eq!(week, ["5 2026-03-03T15:00:00Z", "1 2026-03-05T09:00:00Z"]);
    // Others by the calendar date.
    let (week, _) = page(&server, &overlap("<Week/>"), &on("2026-02-11"), 0).await;
    assert_eq!(week, second(&["02-09", "02-12"]));
    let (week, _) = page(&server, &overlap("<Week/>"), &on("2026-03-18"), 0).await;
    let far = |day: &str| format!("3.0.2026-{day}T02:00:00Z 2026-{day}T02:00:00Z");
    assert_eq!(week, [&second(&["03-16"])[..], &[far("03-17")], &second(&["03-19"])].concat());
    let (day, _) = page(&server, &overlap("<Today/>"), &on("2026-02-12"), 0).await;
    assert_eq!(day, second(&["02-12"]));
    let (week, _) = page(&server, &overlap("<Week/>"), &on("2020-01-03"), 0).await;
    assert_eq!(week.len(), 4);
    assert_eq!(week[0], "4.0.2020-01-01T10:00:00Z 2020-01-01T10:00:00Z");
    let (year, _) = page(&server, &overlap("<Year/>"), expand, 0).await;
    let of_the_second = year.iter().filter(|row| row.starts_with("2.0.")).count();
    assert_eq!(of_the_second, 96 - 2);

    // Other conditions are asked of each occurrence.
    let title = "<Eq><FieldRef Name=\"Title\"/><Value Type=\"Text\">weekly</Value></Eq>";
    let late = "<Gt><FieldRef Name=\"EventDate\"/><Value Type=\"DateTime\">2026-02-10T00:00:00Z</Value></Gt>";
    let both = format!("<And>{}<And>{title}{late}</And></And>", overlap("<Week/>"));
    assert_eq!(page(&server, &both, &on("2026-02-11"), 0).await.0, second(&["02-12"]));

    // In pages, however many of one series there are.
    let (mut seen, mut position) = (Vec::new(), String::new());
    loop {
        let (rows, next) = page(&server, &overlap("<Year/>"), &format!("{expand}{position}"), 7).await;
        assert!(rows.len() <= 7);
        seen.extend(rows);
        let Some(next) = next else { break };
        position = format!("<Paging ListItemCollectionPositionNext=\"{}\"/>", next.replace('&', "&amp;"));
    }
    assert_eq!(seen, year);

    // Without the option a series is one row, from its first to its last.
    let (rows, _) = page(&server, &overlap("<Week/>"), "", 0).await;
    let ids: Vec<&str> = rows.iter().filter_map(|row| row.split(' ').next()).collect();
    assert_eq!(ids, ["1", "2", "5", "6"]);
    // Where no window is asked for, there is nothing to expand.
    assert_eq!(page(&server, title, expand, 0).await.0, ["2 2026-02-02T10:00:00Z"]);
}
