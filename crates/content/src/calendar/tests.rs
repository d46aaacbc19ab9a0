use std::path::Path;

use super::*;

fn applied(event: &str) -> ItemContent {
    let mut item = ItemContent::default();
    apply(
        &format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{}\r\nEND:VCALENDAR\r\n", event.replace('\n', "\r\n")),
        &mut item,
    );
    item
}

fn event(lines: &str) -> ItemContent {
    applied(&format!("BEGIN:VEVENT\nUID:1\n{lines}\nEND:VEVENT"))
}

fn time(item: &ItemContent, key: &PropertyKey) -> String {
    item.bag.get(key).and_then(Value::as_time).map(|time| time.to_string()).unwrap_or_default()
}

#[test]
fn times() {
    for (lines, start, end, all_day) in [
        ("DTSTART:20060802T173000Z\nDTEND:20060802T193000Z", "2006-08-02T17:30:00Z", "2006-08-02T19:30:00Z", false),
        ("DTSTART:20060802T173000Z\nDURATION:PT45M", "2006-08-02T17:30:00Z", "2006-08-02T18:15:00Z", false),
        ("DTSTART;TZID=Europe/Berlin:20060802T100000", "2006-08-02T08:00:00Z", "2006-08-02T08:00:00Z", false),
        ("DTSTART;TZID=Eastern Standard Time:20061225T100000", "2006-12-25T15:00:00Z", "2006-12-25T15:00:00Z", false),
        ("DTSTART;TZID=\"(UTC+01:00) Nowhere\":20060802T100000", "2006-08-02T09:00:00Z", "2006-08-02T09:00:00Z", false),
        ("DTSTART;VALUE=DATE:20060802", "2006-08-02T00:00:00Z", "2006-08-03T00:00:00Z", true),
        (
            "DTSTART;VALUE=DATE:20060802\nDTEND;VALUE=DATE:20060804",
            "2006-08-02T00:00:00Z",
            "2006-08-04T00:00:00Z",
            true,
        ),
        ("DTSTART:20060802T173000", "2006-08-02T17:30:00Z", "2006-08-02T17:30:00Z", false),
        // Clocks go from 2 to 3: the time that never was moves on.
        ("DTSTART;TZID=Europe/Berlin:20060326T023000", "2006-03-26T01:30:00Z", "2006-03-26T01:30:00Z", false),
        // An end before the start is its start.
        ("DTSTART:20060802T173000Z\nDTEND:20060801T193000Z", "2006-08-02T17:30:00Z", "2006-08-02T17:30:00Z", false),
        ("DTSTART:20060832T173000Z", "", "", false),
    ] {
        let item = event(lines);
        assert_eq!(
            (time(&item, &lids::START_WHOLE), time(&item, &lids::END_WHOLE)),
            (start.into(), end.into()),
            "{lines}"
        );
        if !start.is_empty() {
            assert_eq!(item.bag.get(&lids::ALL_DAY), Some(&Value::Bool(all_day)), "{lines}");
        }
    }
}

#[test]
fn zones_of_the_object() {
    let zone = "BEGIN:VTIMEZONE\nTZID:Ours\nBEGIN:STANDARD\nDTSTART:16011028T030000\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\n\
                TZOFFSETFROM:+0230\nTZOFFSETTO:+0130\nEND:STANDARD\nBEGIN:DAYLIGHT\nDTSTART:16010325T020000\n\
                RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\nTZOFFSETFROM:+0130\nTZOFFSETTO:+0230\nEND:DAYLIGHT\nEND:VTIMEZONE";
    for id in ["Ours", "(UTC+01:30) Ours"] {
        zone_of_the_object(&zone.replace("Ours", id), id);
    }
}

fn zone_of_the_object(zone: &str, id: &str) {
    for (local, utc) in [
        ("20060802T100000", "2006-08-02T07:30:00Z"),
        ("20060102T100000", "2006-01-02T08:30:00Z"),
        ("20060326T015959", "2006-03-26T00:29:59Z"),
        ("20060326T030000", "2006-03-26T00:30:00Z"),
        ("20061231T100000", "2006-12-31T08:30:00Z"),
    ] {
        let item = applied(&format!("{zone}\nBEGIN:VEVENT\nUID:1\nDTSTART;TZID=\"{id}\":{local}\nEND:VEVENT"));
        assert_eq!(time(&item, &lids::START_WHOLE), utc, "{id} {local}");
    }
}

#[test]
fn appointment() {
    let item = event(
        "SUMMARY:Lunch\nDESCRIPTION:At\\nnoon\nLOCATION:Room 2\\, upstairs\nDTSTART:20060802T120000Z\nDTEND:20060802T130000Z\n\
         CLASS:PRIVATE\nTRANSP:TRANSPARENT\nCATEGORIES:food,fun\nORGANIZER;CN=\"Park, Dan\":mailto:dpark@example.com\n\
         ATTENDEE;CN=Ada;PARTSTAT=ACCEPTED:MAILTO:ada@example.com\nATTENDEE;ROLE=OPT-PARTICIPANT:mailto:bob@example.com\n\
         ATTENDEE;CUTYPE=ROOM:mailto:room2@example.com\nATTENDEE;CN=\"Park, Dan\":mailto:dpark@example.com\n\
         RRULE:FREQ=WEEKLY\nBEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT15M\nEND:VALARM",
    );
    let text = |key: &PropertyKey| item.bag.text(key).unwrap_or_default().to_owned();
    assert_eq!(text(&tags::MESSAGE_CLASS), "IPM.Appointment");
    assert_eq!(text(&tags::SUBJECT), "Lunch");
    assert_eq!(text(&tags::BODY), "At\r\nnoon");
    assert_eq!(text(&lids::LOCATION), "Room 2, upstairs");
    assert_eq!(text(&tags::SENT_REPRESENTING_NAME), "Park, Dan");
    for (key, value) in [
        (tags::SENSITIVITY, Value::I32(2)),
        (lids::PRIVATE, Value::Bool(true)),
        (lids::BUSY_STATUS, Value::I32(0)),
        (lids::STATE_FLAGS, Value::I32(1)),
        (lids::RESPONSE_STATUS, Value::I32(1)),
        (lids::RECURRING, Value::Bool(true)),
        (lids::REMINDER_SET, Value::Bool(true)),
        (lids::REMINDER_DELTA, Value::I32(15)),
        (names::KEYWORDS, Value::Texts(vec!["food".into(), "fun".into()])),
    ] {
        assert_eq!(item.bag.get(&key), Some(&value), "{key:?}");
    }
    assert_eq!(time(&item, &lids::REMINDER_SIGNAL_TIME), "2006-08-02T11:45:00Z");
    let rows: Vec<_> = item
        .recipients
        .iter()
        .map(|row| {
            let number = |key| row.get(key).and_then(Value::as_i64).unwrap();
            (row.text(&tags::SMTP_ADDRESS).unwrap(), number(&tags::RECIPIENT_TYPE), number(&RECIPIENT_TRACK_STATUS))
        })
        .collect();
    assert_eq!(rows, [("ada@example.com", 1, 3), ("bob@example.com", 2, 0), ("room2@example.com", 3, 0)]);
}

#[test]
fn instance_of_a_series() {
    let item = event("DTSTART:20060809T120000Z\nRECURRENCE-ID:20060808T120000Z");
    let id = item.bag.get(&lids::GLOBAL_OBJECT_ID).and_then(Value::as_binary).unwrap();
    assert_eq!(global_object_id::instance_date(id), Some(InstanceDate { year: 2006, month: 8, day: 8 }));
    assert_eq!(time(&item, &lids::EXCEPTION_REPLACE_TIME), "2006-08-08T12:00:00Z");
    // The master is taken where both are there.
    let both = applied(
        "BEGIN:VEVENT\nUID:1\nRECURRENCE-ID:20060808T120000Z\nSUMMARY:one\nEND:VEVENT\nBEGIN:VEVENT\nUID:1\nSUMMARY:all\nEND:VEVENT",
    );
    assert_eq!(both.bag.text(&tags::SUBJECT), Some("all"));
}

#[test]
fn nothing_to_apply() {
    for ics in
        ["", "x", "BEGIN:VCALENDAR", "BEGIN:VCALENDAR\nBEGIN:VTODO\nEND:VTODO\nEND:VCALENDAR", "BEGIN:VCARD\nEND:VCARD"]
    {
        let mut item = ItemContent::default();
        apply(ics, &mut item);
        assert_eq!(item, ItemContent::default(), "{ics}");
        assert_eq!(message_class(ics), None);
    }
}

/// Calendars of others, whole and cut short: none fails.
#[test]
fn corpus_of_calendars() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/calendar");
    let Ok(entries) = std::fs::read_dir(folder) else {
        println!("skipped: no corpus of calendars");
        return;
    };
    let (mut files, mut events) = (0, 0);
    for entry in entries {
        let text = String::from_utf8_lossy(&std::fs::read(entry.unwrap().path()).unwrap()).into_owned();
        let mut item = ItemContent::default();
        apply(&text, &mut item);
        files += 1;
        events += usize::from(item.bag.get(&lids::START_WHOLE).is_some());
        for part in 1..4 {
            let cut = text.floor_char_boundary(text.len() * part / 4);
            apply(&text[..cut], &mut ItemContent::default());
        }
    }
    assert!(events * 2 > files, "{events} events in {files} files");
}
