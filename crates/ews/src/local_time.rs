//! Dates and times of a request that name no zone: they are in the zone of its `TimeZoneContext`, or else in UTC.
//!
//! Codecs read them, deep inside the decoding of a request, which is one call without a pause. So the zone is set for the
//! length of that call, on its thread, and nothing else sees it.

use std::cell::{OnceCell, RefCell};

use mapi::time_zone::TimeZone;
use model::Time;

/// What a `TimeZoneContext` names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Zone {
    /// The name in Windows' or in IANA's table.
    pub(crate) id: String,
    /// The rules that came with it, for a name that is in neither.
    pub(crate) rules: Option<TimeZone>,
}

/// The zone of the request being decoded, with its rules once they were needed: most requests name a zone, and few have a
/// time without one.
struct Current {
    zone: Zone,
    rules: OnceCell<Option<TimeZone>>,
}

thread_local! {
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
}

/// Decodes a request in a zone.
pub(crate) fn within<R>(zone: Option<&Zone>, decode: impl FnOnce() -> R) -> R {
    struct Reset;
    impl Drop for Reset {
        fn drop(&mut self) {
            CURRENT.set(None);
        }
    }
    let _reset = Reset;
    CURRENT.set(zone.map(|zone| Current { zone: zone.clone(), rules: OnceCell::new() }));
    decode()
}

/// Reads an `xs:dateTime` of the request being decoded; `None` where it is none.
pub(crate) fn parse(text: &str) -> Option<Time> {
    let time: Time = text.parse().ok()?;
    if !is_local(text.trim()) {
        return Some(time);
    }
    Some(CURRENT.with_borrow(|current| {
        let rules = current.as_ref().and_then(|current| current.rules.get_or_init(|| rules(&current.zone)).as_ref());
        rules.map_or(time, |zone| zone.to_utc(time))
    }))
}

/// The rules of a zone; a name that nobody knows and that explains nothing is as good as none.
fn rules(zone: &Zone) -> Option<TimeZone> {
    content::zone::rules(&zone.id).or_else(|| zone.rules.clone())
}

/// Whether a date and time names no zone. Dates alone do not: they are days.
fn is_local(text: &str) -> bool {
    text.split_once('T').is_some_and(|(_, time)| !time.contains(['Z', 'z', '+', '-']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{World, envelope};

    #[test]
    fn times_without_a_zone_are_in_that_of_the_request() {
        let zone = |id: &str| Some(Zone { id: id.into(), rules: None });
        for (id, text, utc) in [
            ("W. Europe Standard Time", "2024-07-01T10:00:00", "2024-07-01T08:00:00Z"),
            ("W. Europe Standard Time", "2024-01-01T10:00:00.5", "2024-01-01T09:00:00Z"),
            ("W. Europe Standard Time", "2024-07-01T10:00:00Z", "2024-07-01T10:00:00Z"),
            ("W. Europe Standard Time", "2024-07-01T10:00:00-02:00", "2024-07-01T12:00:00Z"),
            ("W. Europe Standard Time", "2024-07-01", "2024-07-01T00:00:00Z"),
            ("Eastern Standard Time", "2024-07-01T10:00:00", "2024-07-01T14:00:00Z"),
            ("America/New_York", "2024-01-01T10:00:00", "2024-01-01T15:00:00Z"),
            ("Nowhere", "2024-07-01T10:00:00", "2024-07-01T10:00:00Z"),
        ] {
            assert_eq!(within(zone(id).as_ref(), || parse(text)).unwrap().to_string(), utc, "{id} {text}");
            assert_eq!(parse("2024-07-01T10:00:00").unwrap().to_string(), "2024-07-01T10:00:00Z");
        }
    }

    /// Times of items and of conditions, by a zone that is named and by one that is spelt out.
    #[test]
    fn requests_are_read_in_their_zone() {
        let world = World::new();
        let named = "<t:TimeZoneContext><t:TimeZoneDefinition Id=\"Tokyo Standard Time\"/></t:TimeZoneContext>";
        let spelt = "<t:TimeZoneContext><t:TimeZoneDefinition Id=\"Own\" Name=\"Own\"><t:Periods><t:Period Bias=\"-PT540M\" Name=\"Standard\" \
            Id=\"s\"/></t:Periods><t:TransitionsGroups><t:TransitionsGroup Id=\"0\"><t:Transition><t:To Kind=\"Period\">s</t:To></t:Transition>\
            </t:TransitionsGroup></t:TransitionsGroups><t:Transitions><t:Transition><t:To Kind=\"Group\">0</t:To></t:Transition></t:Transitions>\
            </t:TimeZoneDefinition></t:TimeZoneContext>";
        let start = |header: &str, time: &str| {
            let create = format!(
                "<CreateItem SendMeetingInvitations=\"SendToNone\"><Items><t:CalendarItem><t:Subject>a</t:Subject><t:Start>{time}</t:Start>\
                 <t:End>2030-01-01T00:00:00Z</t:End></t:CalendarItem></Items></CreateItem>"
            );
            let id = world.send(&envelope(header, &create)).success().attributes("ItemId", "Id").remove(0);
            let get = format!(
                "<GetItem><ItemShape><t:BaseShape>Default</t:BaseShape></ItemShape><ItemIds><t:ItemId Id=\"{id}\"/></ItemIds></GetItem>"
            );
            world.call(&get).success().text("Start")
        };
        for (header, time, utc) in [
            ("", "2024-05-06T09:00:00", "2024-05-06T09:00:00Z"),
            (named, "2024-05-06T09:00:00", "2024-05-06T00:00:00Z"),
            (spelt, "2024-05-06T09:00:00", "2024-05-06T00:00:00Z"),
            (named, "2024-05-06T09:00:00Z", "2024-05-06T09:00:00Z"),
        ] {
            assert_eq!(start(header, time), utc, "{header}");
        }
        let condition = "<FindItem Traversal=\"Shallow\"><ItemShape><t:BaseShape>Default</t:BaseShape></ItemShape><Restriction><t:IsLessThan>\
            <t:FieldURI FieldURI=\"calendar:Start\"/><t:FieldURIOrConstant><t:Constant Value=\"2024-05-06T09:00:01\"/></t:FieldURIOrConstant>\
            </t:IsLessThan></Restriction><ParentFolderIds><t:DistinguishedFolderId Id=\"calendar\"/></ParentFolderIds></FindItem>";
        let found = |header: &str| world.send(&envelope(header, condition)).success().texts("Start").len();
        assert_eq!((found(""), found(named), found(spelt)), (4, 2, 2));
        assert_eq!(world.send(&envelope("<t:TimeZoneContext/>", condition)).codes(), ["ErrorSchemaValidation"]);
    }
}
