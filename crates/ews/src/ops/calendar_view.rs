//! `CalendarView` of `FindItem`, MS-OXWSSRCH 2.2.4: what lies between two times, with series expanded.

use engine::{Found, ItemView, Query, View};
use model::{Comparison, Operand, Predicate, Time, Value, lids};
use xml::Node;

use crate::series::{self, Occurrence};
use crate::{Failure, Fault, local_time, request};

/// Two times and a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CalendarView {
    start: Time,
    end: Time,
    max: usize,
}

/// An entry of an answer: the place of its item among those found, and the occurrence that is meant.
pub(super) type Entry = (usize, Option<Occurrence>);

impl CalendarView {
    /// Reads the element; at most `entries_max` entries.
    pub(super) fn read(node: Node<'_>, entries_max: usize) -> Result<Self, Fault> {
        let time = |name: &str| {
            let text = request::attribute(node, name)?;
            let wrong = || Fault::value(node, text, "xs:dateTime", "The string is not a valid DateTime value.");
            local_time::parse(text).ok_or_else(wrong)
        };
        let max = request::integer_attribute(node, "MaxEntriesReturned", 1, i32::MAX)?;
        let max = max.and_then(|max| usize::try_from(max).ok()).unwrap_or(entries_max).min(entries_max);
        Ok(Self { start: time("StartDate")?, end: time("EndDate")?, max })
    }

    /// A condition, and to lie at least partly between the two times or to be of a series, which may.
    pub(super) fn condition(self, predicate: Predicate) -> Predicate {
        let compare = |key, how, value| Predicate::Compare {
            left: Operand::Key(key),
            how,
            right: Operand::Constant(value),
            ignore_case: false,
        };
        let (start, end) = (Value::Time(self.start), Value::Time(self.end));
        let inside = Predicate::And(vec![
            compare(lids::START_WHOLE, Comparison::Less, end),
            Predicate::Or(vec![
                compare(lids::END_WHOLE, Comparison::Greater, start.clone()),
                compare(lids::START_WHOLE, Comparison::GreaterOrEqual, start),
            ]),
        ]);
        let series = compare(lids::RECURRING, Comparison::Equal, Value::Bool(true));
        Predicate::And(vec![predicate, Predicate::Or(vec![inside, series])])
    }

    fn takes(self, start: Time, end: Option<Time>) -> bool {
        start < self.end && (start >= self.start || end.is_some_and(|end| end > self.start))
    }

    /// The entries of what was found, by their start, and how many there are in all. Costs the items found, and for
    /// each series what [`Series::between`] does.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn entries(self, view: &mut View, found: &Found) -> Result<(Vec<Entry>, usize), Failure> {
        let mut entries: Vec<(Time, Entry)> = Vec::new();
        for (at, row) in found.rows.iter().enumerate() {
            let Ok(item) = ItemView::new(row) else { continue };
            let time = |key| item.bag().get(&key).and_then(|value| value.to_value().as_time());
            if let Some(series) = series::load(view, item).await? {
                let occurrences = series.between(self.start, self.end);
                entries.extend(occurrences.into_iter().map(|one| (one.start, (at, Some(one)))));
            } else if let Some(start) = time(lids::START_WHOLE)
                && self.takes(start, time(lids::END_WHOLE))
            {
                entries.push((start, (at, None)));
            }
        }
        entries.sort_by_key(|(start, _)| *start);
        let total = entries.len();
        entries.truncate(self.max);
        Ok((entries.into_iter().map(|(_, entry)| entry).collect(), total))
    }
}

/// The query of a view of a folder: all items that may be in it.
pub(super) fn query(view: CalendarView, query: &Query, rows_max: usize) -> Query {
    Query { predicate: view.condition(query.predicate.clone()), offset: 0, limit: rows_max, ..query.clone() }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Answered, World};

    fn create(world: &World, inner: &str) -> String {
        let answer = world.call_at(
            "Exchange2013",
            &format!(
                "<CreateItem SendMeetingInvitations=\"SendToNone\"><Items><t:CalendarItem>{inner}</t:CalendarItem></Items></CreateItem>"
            ),
        );
        answer.success().attributes("ItemId", "Id").remove(0)
    }

    /// Mondays and Wednesdays, 09:00 in Berlin, four times over the change to summer time.
    fn series(world: &World) -> String {
        create(
            world,
            "<t:Subject>Course</t:Subject><t:Start>2026-03-23T08:00:00Z</t:Start><t:End>2026-03-23T09:00:00Z</t:End>\
             <t:Location>Room 1</t:Location><t:Recurrence><t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Monday \
             Wednesday</t:DaysOfWeek><t:FirstDayOfWeek>Monday</t:FirstDayOfWeek></t:WeeklyRecurrence><t:NumberedRecurrence>\
             <t:StartDate>2026-03-23</t:StartDate><t:NumberOfOccurrences>4</t:NumberOfOccurrences></t:NumberedRecurrence>\
             </t:Recurrence><t:StartTimeZone Id=\"W. Europe Standard Time\"/>",
        )
    }

    fn get(world: &World, id: &str) -> Answered {
        world.call_at(
            "Exchange2013",
            &format!("<GetItem><ItemShape><t:BaseShape>AllProperties</t:BaseShape></ItemShape><ItemIds>{id}</ItemIds></GetItem>"),
        )
    }

    fn find(world: &World, attributes: &str) -> Answered {
        world.call_at(
            "Exchange2013",
            &format!(
                "<FindItem Traversal=\"Shallow\"><ItemShape><t:BaseShape>Default</t:BaseShape></ItemShape><CalendarView {attributes}/>\
                 <ParentFolderIds><t:DistinguishedFolderId Id=\"calendar\"/></ParentFolderIds></FindItem>"
            ),
        )
    }

    const YEAR: &str = "StartDate=\"2026-01-01T00:00:00Z\" EndDate=\"2027-01-01T00:00:00Z\"";
    const STARTS: [&str; 4] =
        ["2026-03-23T08:00:00Z", "2026-03-25T08:00:00Z", "2026-03-30T07:00:00Z", "2026-04-01T07:00:00Z"];

    #[test]
    fn a_series_is_stored_and_shown() {
        let world = World::new();
        let master = series(&world);
        let read = get(&world, &format!("<t:ItemId Id=\"{master}\"/>")).success();
        assert_eq!(read.text("CalendarItemType"), "RecurringMaster");
        assert_eq!(
            (read.text("DaysOfWeek"), read.text("FirstDayOfWeek")),
            ("Monday Wednesday".into(), "Monday".into())
        );
        assert_eq!((read.text("StartDate"), read.text("NumberOfOccurrences")), ("2026-03-23Z".into(), "4".into()));
        assert_eq!(read.attributes("StartTimeZone", "Id"), ["W. Europe Standard Time"]);
        assert_eq!(read.text("StartWallClock"), "2026-03-23T09:00:00");
        assert_eq!(read.texts("OriginalStart"), [STARTS[0], STARTS[3]]);
        assert!(read.texts("ModifiedOccurrences").is_empty() && read.texts("DeletedOccurrences").is_empty());
    }

    #[test]
    fn a_view_has_the_occurrences() {
        let world = World::new();
        let master = series(&world);
        create(
            &world,
            "<t:Subject>Once</t:Subject><t:Start>2026-03-24T08:00:00Z</t:Start><t:End>2026-03-24T09:00:00Z</t:End>",
        );
        let found = find(&world, YEAR).success();
        assert_eq!(found.texts("Start"), [STARTS[0], "2026-03-24T08:00:00Z", STARTS[1], STARTS[2], STARTS[3]]);
        assert_eq!(found.texts("CalendarItemType"), ["Occurrence", "Single", "Occurrence", "Occurrence", "Occurrence"]);
        assert_eq!(found.attributes("RootFolder", "TotalItemsInView"), ["5"]);
        let first = find(&world, &format!("MaxEntriesReturned=\"2\" {YEAR}")).success();
        assert_eq!(
            (first.texts("Start").len(), first.attributes("RootFolder", "IncludesLastItemInRange")),
            (2, vec!["false".into()])
        );
        let ids = found.attributes("ItemId", "Id");
        let one = get(&world, &format!("<t:ItemId Id=\"{}\"/>", ids[3])).success();
        assert_eq!((one.text("Start"), one.text("End")), (STARTS[2].into(), "2026-03-30T08:00:00Z".into()));
        assert_eq!(
            (one.text("CalendarItemType"), one.attributes("ItemId", "Id")[0].clone()),
            ("Occurrence".into(), ids[3].clone())
        );
        assert!(one.texts("Recurrence").is_empty());
        let third =
            get(&world, &format!("<t:OccurrenceItemId RecurringMasterId=\"{master}\" InstanceIndex=\"3\"/>")).success();
        assert_eq!(third.attributes("ItemId", "Id"), one.attributes("ItemId", "Id"));
        let up = get(&world, &format!("<t:RecurringMasterItemId OccurrenceId=\"{}\"/>", ids[3])).success();
        assert_eq!(
            (up.text("CalendarItemType"), up.attributes("ItemId", "Id")[0].clone()),
            ("RecurringMaster".into(), master.clone())
        );
        for (id, code) in [
            (
                format!("<t:OccurrenceItemId RecurringMasterId=\"{master}\" InstanceIndex=\"5\"/>"),
                "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange",
            ),
            (
                format!("<t:OccurrenceItemId RecurringMasterId=\"{}\" InstanceIndex=\"1\"/>", ids[1]),
                "ErrorCalendarCannotUseIdForRecurringMasterId",
            ),
            (
                format!("<t:OccurrenceItemId RecurringMasterId=\"{}\" InstanceIndex=\"1\"/>", ids[3]),
                "ErrorCalendarCannotUseIdForRecurringMasterId",
            ),
            (
                format!("<t:RecurringMasterItemId OccurrenceId=\"{}\"/>", ids[1]),
                "ErrorCalendarCannotUseIdForOccurrenceId",
            ),
        ] {
            assert_eq!(get(&world, &id).valid().codes(), [code], "{id}");
        }
    }

    #[test]
    fn one_occurrence_goes_and_one_changes() {
        let world = World::new();
        let master = series(&world);
        let ids = find(&world, YEAR).success().attributes("ItemId", "Id");
        let delete = |id: &str| {
            world.call(&format!(
                "<DeleteItem DeleteType=\"MoveToDeletedItems\" SendMeetingCancellations=\"SendToNone\"><ItemIds>{id}</ItemIds></DeleteItem>"
            ))
        };
        delete(&format!("<t:ItemId Id=\"{}\"/>", ids[0])).success();
        assert_eq!(find(&world, YEAR).success().texts("Start"), STARTS[1..]);
        let again = get(&world, &format!("<t:ItemId Id=\"{}\"/>", ids[0])).valid();
        assert_eq!(again.codes(), ["ErrorCalendarOccurrenceIsDeletedFromRecurrence"]);
        let update = |id: &str, updates: &str| {
            world.call_at(
                "Exchange2013",
                &format!(
                    "<UpdateItem ConflictResolution=\"AlwaysOverwrite\" SendMeetingInvitationsOrCancellations=\"SendToNone\"><ItemChanges>\
                     <t:ItemChange>{id}<t:Updates>{updates}</t:Updates></t:ItemChange></ItemChanges></UpdateItem>"
                ),
            )
        };
        let set = |uri: &str, property: &str| {
            format!(
                "<t:SetItemField><t:FieldURI FieldURI=\"{uri}\"/><t:CalendarItem>{property}</t:CalendarItem></t:SetItemField>"
            )
        };
        let updates = [
            set("item:Subject", "<t:Subject>Moved ✓</t:Subject>"),
            set("calendar:Start", "<t:Start>2026-04-03T10:00:00Z</t:Start>"),
            set("calendar:End", "<t:End>2026-04-03T11:00:00Z</t:End>"),
        ];
        let third = format!("<t:OccurrenceItemId RecurringMasterId=\"{master}\" InstanceIndex=\"3\"/>");
        let changed = update(&third, &updates.concat()).success();
        assert_eq!(changed.attributes("ItemId", "Id"), [ids[2].clone()]);
        let found = find(&world, YEAR).success();
        assert_eq!(found.texts("Start"), [STARTS[1], STARTS[3], "2026-04-03T10:00:00Z"]);
        assert_eq!(found.texts("Subject"), ["Course", "Course", "Moved ✓"]);
        assert_eq!(found.texts("CalendarItemType"), ["Occurrence", "Occurrence", "Exception"]);
        assert_eq!(found.texts("Location"), ["Room 1"; 3]);
        let read = get(&world, &format!("<t:ItemId Id=\"{master}\"/>")).success();
        assert_eq!((read.text("Subject"), read.text("Start")), ("Course".into(), STARTS[0].into()));
        let inside = |element: &str| read.children(element);
        assert_eq!(
            (inside("ModifiedOccurrences"), inside("DeletedOccurrences")),
            (vec!["Occurrence".into()], vec!["DeletedOccurrence".into()])
        );
        // What an occurrence cannot have of its own here is refused, and nothing changes.
        let refused = update(&third, &set("item:Sensitivity", "<t:Sensitivity>Private</t:Sensitivity>")).valid();
        assert_eq!(refused.codes(), ["ErrorInvalidPropertySet"]);
        let gone = format!("<t:OccurrenceItemId RecurringMasterId=\"{master}\" InstanceIndex=\"1\"/>");
        assert_eq!(update(&gone, &updates[0]).valid().codes(), ["ErrorCalendarOccurrenceIsDeletedFromRecurrence"]);
        let moved = world.call(&format!(
            "<MoveItem><ToFolderId><t:DistinguishedFolderId Id=\"inbox\"/></ToFolderId><ItemIds><t:ItemId Id=\"{}\"/></ItemIds></MoveItem>",
            ids[1]
        ));
        assert_eq!(moved.valid().codes(), ["ErrorCalendarCannotUseIdForOccurrenceId"]);
    }

    #[test]
    fn patterns_come_back_as_they_were() {
        let world = World::new();
        for (pattern, range) in [
            (
                "<t:DailyRecurrence><t:Interval>3</t:Interval></t:DailyRecurrence>",
                "<t:NoEndRecurrence><t:StartDate>2026-03-02Z</t:StartDate></t:NoEndRecurrence>",
            ),
            (
                "<t:AbsoluteMonthlyRecurrence><t:Interval>2</t:Interval><t:DayOfMonth>31</t:DayOfMonth></t:AbsoluteMonthlyRecurrence>",
                "<t:EndDateRecurrence><t:StartDate>2026-03-31Z</t:StartDate><t:EndDate>2028-03-31Z</t:EndDate></t:EndDateRecurrence>",
            ),
            (
                "<t:RelativeMonthlyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Weekday</t:DaysOfWeek><t:DayOfWeekIndex>Last</t:DayOfWeekIndex></t:RelativeMonthlyRecurrence>",
                "<t:NoEndRecurrence><t:StartDate>2026-03-31Z</t:StartDate></t:NoEndRecurrence>",
            ),
            (
                "<t:AbsoluteYearlyRecurrence><t:DayOfMonth>29</t:DayOfMonth><t:Month>May</t:Month></t:AbsoluteYearlyRecurrence>",
                "<t:NumberedRecurrence><t:StartDate>2026-05-29Z</t:StartDate><t:NumberOfOccurrences>7</t:NumberOfOccurrences></t:NumberedRecurrence>",
            ),
            (
                "<t:RelativeYearlyRecurrence><t:DaysOfWeek>Sunday</t:DaysOfWeek><t:DayOfWeekIndex>Second</t:DayOfWeekIndex><t:Month>May</t:Month></t:RelativeYearlyRecurrence>",
                "<t:NoEndRecurrence><t:StartDate>2026-05-10Z</t:StartDate></t:NoEndRecurrence>",
            ),
        ] {
            let recurrence = format!("<t:Recurrence>{pattern}{range}</t:Recurrence>");
            let id = create(
                &world,
                &format!("<t:Start>2026-03-01T08:00:00Z</t:Start><t:End>2026-03-01T09:00:00Z</t:End>{recurrence}"),
            );
            let read = get(&world, &format!("<t:ItemId Id=\"{id}\"/>")).success();
            assert!(read.xml.contains(&recurrence), "{recurrence}\n{}", read.xml);
        }
        let wrong = world.call(
            "<CreateItem SendMeetingInvitations=\"SendToNone\"><Items><t:CalendarItem><t:Recurrence><t:DailyRecurrence><t:Interval>0</t:Interval>\
             </t:DailyRecurrence><t:NoEndRecurrence><t:StartDate>2026-03-01</t:StartDate></t:NoEndRecurrence></t:Recurrence></t:CalendarItem></Items></CreateItem>",
        );
        assert_eq!(wrong.valid().codes(), ["ErrorCalendarInvalidRecurrence"]);
        let wrong = world.call_at("Exchange2013",
            "<CreateItem SendMeetingInvitations=\"SendToNone\"><Items><t:CalendarItem><t:StartTimeZone Id=\"Nowhere\"/></t:CalendarItem></Items></CreateItem>",
        );
        assert_eq!(wrong.valid().codes(), ["ErrorTimeZone"]);
    }

    /// A zone that comes with its own rules, as the managed API sends it.
    #[test]
    fn zones_may_be_spelled_out() {
        let world = World::new();
        let zone = "<t:StartTimeZone Id=\"Ours\" Name=\"Ours\"><t:Periods><t:Period Bias=\"-PT60M\" Name=\"Standard\" Id=\"S\"/><t:Period Bias=\"-PT120M\" \
            Name=\"Daylight\" Id=\"D\"/></t:Periods><t:TransitionsGroups><t:TransitionsGroup Id=\"0\"><t:RecurringDayTransition><t:To Kind=\"Period\">D</t:To>\
            <t:TimeOffset>PT120M</t:TimeOffset><t:Month>3</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek><t:Occurrence>-1</t:Occurrence></t:RecurringDayTransition>\
            <t:RecurringDayTransition><t:To Kind=\"Period\">S</t:To><t:TimeOffset>PT180M</t:TimeOffset><t:Month>10</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek>\
            <t:Occurrence>-1</t:Occurrence></t:RecurringDayTransition></t:TransitionsGroup></t:TransitionsGroups><t:Transitions><t:Transition><t:To \
            Kind=\"Group\">0</t:To></t:Transition></t:Transitions></t:StartTimeZone>";
        create(
            &world,
            &format!(
                "<t:Start>2026-03-23T08:00:00Z</t:Start><t:End>2026-03-23T09:00:00Z</t:End><t:Recurrence><t:WeeklyRecurrence><t:Interval>1</t:Interval>\
                 <t:DaysOfWeek>Monday</t:DaysOfWeek></t:WeeklyRecurrence><t:EndDateRecurrence><t:StartDate>2026-03-23</t:StartDate><t:EndDate>2026-03-31</t:EndDate>\
                 </t:EndDateRecurrence></t:Recurrence>{zone}"
            ),
        );
        assert_eq!(find(&world, YEAR).success().texts("Start"), [STARTS[0], STARTS[2]]);
    }
}
