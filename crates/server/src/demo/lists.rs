//! Example rows of lists, and files.

use bytes::Bytes;
use engine::{Caller, Engine, EngineError, RowDraft, Site};
use model::{Bag, PropertyKey, Time, Value};

const ANNOUNCEMENTS: [(&str, &str); 5] = [
    ("Welcome to the team site", "Announcements, tasks, dates and files of the team are here."),
    ("The office moves in autumn", "The new rooms are on Pier 4. Moving day is a Friday."),
    ("Tide gauge is back", "The gauge at the north quay measures again since Monday."),
    ("Training day", "The training day is open to all. Please put your name on the list."),
    ("Release 2.4", "Release 2.4 is out. Thanks to everybody who tested it!"),
];

/// Title, status, priority, share done, days until due.
const TASKS: [(&str, &str, &str, f64, i64); 9] = [
    ("Order the survey boat", "Completed", "(1) High", 1.0, -3),
    ("Check the figures of week 32", "In Progress", "(2) Normal", 0.5, 1),
    ("Write the flood report", "In Progress", "(1) High", 0.25, 4),
    ("Book rooms for the customer visit", "Not Started", "(2) Normal", 0.0, 6),
    ("Renew the certificates", "Not Started", "(1) High", 0.0, 9),
    ("Collect photos for the newsletter", "Waiting on someone else", "(3) Low", 0.1, 12),
    ("Plan the office move", "In Progress", "(2) Normal", 0.6, 20),
    ("Tidy the archive", "Deferred", "(3) Low", 0.0, 45),
    ("Prepare release 2.5", "Not Started", "(2) Normal", 0.0, 60),
];

/// Title, place, days from today, hour, hours; 24 hours are a whole day.
const EVENTS: [(&str, &str, i64, i64, i64); 6] = [
    ("Team meeting", "Room 12", 1, 9, 1),
    ("Customer visit", "Pier 4", 6, 10, 3),
    ("Budget Q3", "Pier 4, second floor", 7, 9, 1),
    ("Training day", "Harbour house", 15, 0, 24),
    ("Office move", "", 40, 0, 24),
    ("Review of release 2.5", "Room 12", 58, 14, 2),
];

const FILES: [(&str, &str); 3] = [
    ("Read me.txt", "This library holds the files of the team.\r\n"),
    ("figures.csv", "week,planned,done\r\n31,12,11\r\n32,14,15\r\n33,9,9\r\n"),
    ("minutes.html", "<!DOCTYPE html><title>Minutes</title><h1>Minutes</h1><p>State of things, next steps.</p>\r\n"),
];

/// Fills the site. Returns how many rows were made.
pub(super) async fn fill(engine: &Engine, caller: &Caller) -> Result<usize, EngineError> {
    let site = engine.open_site(caller, super::SITE).await?;
    let today = engine.clock().now();
    let today = Time(today.0 - today.0.rem_euclid(Time::DAY));
    let after = |days: i64, hours: i64| Value::Time(today.plus_seconds(days * 86_400 + hours * 3_600));
    let mut drafts: Vec<(&str, RowDraft)> = Vec::new();
    for (title, body) in ANNOUNCEMENTS {
        let html = Value::text(format!("<div>{}</div>", content::text::escape_html(body)));
        drafts
            .push(("Announcements", row(&[("Title", Value::text(title)), ("Body", html), ("Expires", after(90, 0))])));
    }
    for (title, status, priority, done, days) in TASKS {
        let fields = [
            ("Title", Value::text(title)),
            ("Status", Value::text(status)),
            ("Priority", Value::text(priority)),
            ("PercentComplete", Value::F64(done)),
            ("StartDate", after(-7, 0)),
            ("DueDate", after(days, 0)),
            ("AssignedTo", Value::I32(site.user_id() as i32)),
        ];
        drafts.push(("Tasks", row(&fields)));
    }
    for (title, place, days, hour, hours) in EVENTS {
        let whole_day = hours == 24;
        let end = if whole_day { today.plus_seconds(days * 86_400 + 86_340) } else { today };
        let end = if whole_day { Value::Time(end) } else { after(days, hour + hours) };
        let fields = [
            ("Title", Value::text(title)),
            ("Location", Value::text(place)),
            ("EventDate", after(days, hour)),
            ("EndDate", end),
            ("fAllDayEvent", Value::Bool(whole_day)),
            ("fRecurrence", Value::Bool(false)),
            ("EventType", Value::I32(0)),
        ];
        drafts.push(("Calendar", row(&fields)));
    }
    for (name, text) in FILES {
        let draft = RowDraft { path: Some(name.into()), file: Some(Bytes::from_static(text.as_bytes())), ..row(&[]) };
        drafts.push(("Documents", draft));
    }
    let count = drafts.len();
    for (list, draft) in drafts {
        add(&site, list, draft).await?;
    }
    Ok(count)
}

async fn add(site: &Site, title: &str, draft: RowDraft) -> Result<(), EngineError> {
    let list = site.begin().await?.list_by_title(title).await?;
    let list = list.ok_or(EngineError::NoCollection(model::CollectionId(0)))?;
    site.create_row(list.id(), draft).await.map(drop)
}

fn row(fields: &[(&'static str, Value)]) -> RowDraft {
    let bag = Bag::from_iter(fields.iter().map(|(name, value)| (PropertyKey::field(*name), value.clone())));
    RowDraft { bag, ..RowDraft::default() }
}
