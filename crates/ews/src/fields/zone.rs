//! Time zones of appointments.
//!
//! A zone is stored as its rules, so that the local times of a series need no table of zones when they are read.

use mapi::time_zone::{Onset, Rule, TimeZone};
use model::{Bag, PropertyKey, Value, lids};
use xml::{Node, Writer};

use super::{Computed, Needs, Source};
use crate::item::{Item, Rendering};
use crate::patch::Step;
use crate::{Failure, ResponseCode};

/// Groups of rules in one definition of a request.
const GROUPS_MAX: usize = 400;
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

pub(super) const START: Source = Source::Computed(Computed {
    write: |out, element, item, _| write(out, element, item, &lids::TIME_ZONE_START),
    needs: Needs::HEAVY,
    set: Some(|node| read(node, true)),
    keys: &[lids::TIME_ZONE_START],
});
pub(super) const END: Source = Source::Computed(Computed {
    write: |out, element, item, _| write(out, element, item, &lids::TIME_ZONE_END),
    needs: Needs::HEAVY,
    set: Some(|node| read(node, false)),
    keys: &[lids::TIME_ZONE_END],
});
pub(super) const START_ID: Source = Source::Computed(Computed {
    write: |out, element, item, _| write_id(out, element, item, &lids::TIME_ZONE_START),
    needs: Needs::HEAVY,
    set: Some(|node| read_id(node, true)),
    keys: &[lids::TIME_ZONE_START],
});
pub(super) const END_ID: Source = Source::Computed(Computed {
    write: |out, element, item, _| write_id(out, element, item, &lids::TIME_ZONE_END),
    needs: Needs::HEAVY,
    set: Some(|node| read_id(node, false)),
    keys: &[lids::TIME_ZONE_END],
});
/// The zone of both ends in the form of 2007.
pub(super) const MEETING: Source = Source::Computed(Computed {
    write: write_meeting,
    needs: Needs::HEAVY,
    set: Some(read_meeting),
    keys: &[lids::TIME_ZONE_STRUCT, lids::TIME_ZONE_START, lids::TIME_ZONE_END],
});

fn stored(item: &Item<'_>, key: &PropertyKey) -> Option<TimeZone> {
    let value = item
        .value(key)
        .or_else(|| item.value(&lids::TIME_ZONE_START))
        .or_else(|| item.value(&lids::TIME_ZONE_RECUR))?;
    TimeZone::decode_definition(value.as_binary()?).ok()
}

fn write(out: &mut Writer, element: &'static str, item: &Item<'_>, key: &PropertyKey) {
    let Some(zone) = stored(item, key).filter(|zone| !zone.key_name.is_empty()) else { return };
    out.start(element);
    out.attribute("Id", &zone.key_name);
    out.attribute("Name", &zone.key_name);
    out.end();
}

fn write_id(out: &mut Writer, element: &'static str, item: &Item<'_>, key: &PropertyKey) {
    if let Some(zone) = stored(item, key).filter(|zone| !zone.key_name.is_empty()) {
        out.element(element, &zone.key_name);
    }
}

fn write_meeting(out: &mut Writer, element: &'static str, item: &Item<'_>, _: &Rendering<'_>) {
    let of_struct = || TimeZone::decode_struct(item.value(&lids::TIME_ZONE_STRUCT)?.as_binary()?).ok();
    let Some(zone) = stored(item, &lids::TIME_ZONE_START).or_else(of_struct) else { return };
    let Some(rule) = zone.current() else { return };
    out.start(element);
    if !zone.key_name.is_empty() {
        out.attribute("TimeZoneName", &zone.key_name);
    }
    out.element("t:BaseOffset", &duration(rule.bias));
    if rule.standard.month != 0 && rule.daylight.month != 0 && rule.standard.year == 0 && rule.daylight.year == 0 {
        for (element, offset, onset) in
            [("t:Standard", rule.standard_bias, rule.standard), ("t:Daylight", rule.daylight_bias, rule.daylight)]
        {
            out.scope(element, |out| {
                out.element("t:Offset", &duration(offset));
                out.scope("t:RelativeYearlyRecurrence", |out| {
                    out.element("t:DaysOfWeek", WEEKDAYS.get(usize::from(onset.weekday)).unwrap_or(&"Sunday"));
                    let index = usize::from(onset.day.clamp(1, 5)) - 1;
                    out.element("t:DayOfWeekIndex", super::recurrence::INDEXES.get(index).unwrap_or(&"Last"));
                    let month = usize::from(onset.month.clamp(1, 12)) - 1;
                    out.element("t:Month", super::recurrence::MONTHS.get(month).unwrap_or(&"January"));
                });
                out.element("t:Time", &format!("{:02}:{:02}:00", onset.hour, onset.minute));
            });
        }
    }
    out.end();
}

/// `PT480M`, `-PT60M`.
fn duration(minutes: i32) -> String {
    format!("{}PT{}M", if minutes < 0 { "-" } else { "" }, minutes.unsigned_abs())
}

fn wrong(node: Node<'_>) -> Failure {
    let text = format!("{} ({})", ResponseCode::ErrorTimeZone.text(), node.local());
    Failure::text(ResponseCode::ErrorTimeZone, text)
}

/// The changes that a zone means. The start's is also that of the series, and of the end where that names none.
fn steps(zone: &TimeZone, start: bool) -> Vec<Step> {
    let definition = Value::binary(zone.encode_definition());
    if start {
        vec![
            Step::Put(lids::TIME_ZONE_START, definition),
            Step::Put(lids::TIME_ZONE_STRUCT, Value::binary(zone.encode_struct())),
            Step::Put(lids::TIME_ZONE_DESCRIPTION, Value::text(zone.key_name.clone())),
        ]
    } else {
        vec![Step::Put(lids::TIME_ZONE_END, definition)]
    }
}

/// By its name, or by the rules that come with it.
fn read(node: Node<'_>, start: bool) -> Result<Vec<Step>, Failure> {
    let name = node.attribute("Id").unwrap_or_default();
    let zone = content::zone::rules(name).or_else(|| read_definition(node, name)).ok_or_else(|| wrong(node))?;
    Ok(steps(&zone, start))
}

fn read_id(node: Node<'_>, start: bool) -> Result<Vec<Step>, Failure> {
    let zone = content::zone::rules(node.text().trim()).ok_or_else(|| wrong(node))?;
    Ok(steps(&zone, start))
}

/// Minutes of an `xs:duration` of days, hours, minutes and seconds.
fn minutes(text: &str) -> Option<i32> {
    let (sign, text) = text.trim().strip_prefix('-').map_or((1, text.trim()), |rest| (-1, rest));
    let (days, time) = text.strip_prefix('P')?.split_once('T').unwrap_or((text.strip_prefix('P')?, ""));
    let mut total = 0_f64;
    for (text, units) in [(days, &[('D', 1_440.0)][..]), (time, &[('H', 60.0), ('M', 1.0), ('S', 1.0 / 60.0)][..])] {
        let mut number = String::new();
        for c in text.chars() {
            if c.is_ascii_digit() || c == '.' {
                number.push(c);
            } else {
                let (_, factor) = units.iter().find(|(unit, _)| *unit == c)?;
                total += std::mem::take(&mut number).parse::<f64>().ok()? * factor;
            }
        }
        if !number.is_empty() {
            return None;
        }
    }
    (total <= 1_500.0).then_some(sign * total.round() as i32)
}

/// The rules that a request spells out: periods, groups of yearly transitions between them, and from when each group
/// holds.
pub(crate) fn read_definition(node: Node<'_>, name: &str) -> Option<TimeZone> {
    let bias = |id: &str| {
        let mut periods = node.child_local("Periods")?.children();
        minutes(periods.find(|period| period.attribute("Id") == Some(id))?.attribute("Bias")?)
    };
    let target = |transition: Node<'_>| transition.child_local("To").map(|to| to.text().trim().to_owned());
    let groups = node.child_local("TransitionsGroups");
    let group = |id: &str| groups?.children().find(|group| group.attribute("Id") == Some(id));
    let mut rules = Vec::new();
    for transition in node.child_local("Transitions")?.children().take(GROUPS_MAX) {
        let to = target(transition)?;
        let year = match transition.child_local("DateTime") {
            Some(time) => time.text().trim().get(..4)?.parse().ok()?,
            None => 1601,
        };
        let yearly: Vec<Node<'_>> = group(&to).map(|group| group.children().take(3).collect()).unwrap_or_default();
        let mut rule = Rule { year, ..Rule::default() };
        match yearly.as_slice() {
            [] => rule.bias = bias(&to)?,
            [only] => rule.bias = bias(&target(*only)?)?,
            [one, other] => {
                let (first, second) = (bias(&target(*one)?)?, bias(&target(*other)?)?);
                let (standard, daylight) = if first >= second { (*one, *other) } else { (*other, *one) };
                rule.bias = first.max(second);
                rule.daylight_bias = first.min(second) - rule.bias;
                rule.standard = read_onset(standard)?;
                rule.daylight = read_onset(daylight)?;
            }
            _ => return None,
        }
        rules.push(rule);
    }
    rules.last_mut()?.current = true;
    Some(TimeZone { key_name: name.to_owned(), rules })
}

fn read_onset(transition: Node<'_>) -> Option<Onset> {
    let text = |name: &str| transition.child_local(name).map(|child| child.text().trim().to_owned());
    let at = u16::try_from(minutes(&text("TimeOffset")?)?).ok()?;
    let month = text("Month")?.parse().ok().filter(|month| (1..=12).contains(month))?;
    let weekday = WEEKDAYS.iter().position(|name| text("DayOfWeek").as_deref() == Some(name))?;
    let day = match text("Occurrence")?.parse::<i32>().ok()? {
        -1 => 5,
        number => u16::try_from(number).ok().filter(|number| (1..=5).contains(number))?,
    };
    Some(Onset { year: 0, month, weekday: weekday as u16, day, hour: at / 60, minute: at % 60 })
}

/// The form of 2007: a known name, or offsets with the days of their change.
fn read_meeting(node: Node<'_>) -> Result<Vec<Step>, Failure> {
    let name = node.attribute("TimeZoneName").unwrap_or_default();
    let zone = content::zone::rules(name).or_else(|| read_offsets(node, name)).ok_or_else(|| wrong(node))?;
    let mut all = steps(&zone, true);
    all.extend(steps(&zone, false));
    Ok(all)
}

fn read_offsets(node: Node<'_>, name: &str) -> Option<TimeZone> {
    let mut rule =
        Rule { year: 1601, current: true, bias: minutes(&node.child_local("BaseOffset")?.text())?, ..Rule::default() };
    if let (Some(standard), Some(daylight)) = (node.child_local("Standard"), node.child_local("Daylight")) {
        (rule.standard_bias, rule.standard) = read_change(standard)?;
        (rule.daylight_bias, rule.daylight) = read_change(daylight)?;
    }
    Some(TimeZone { key_name: name.to_owned(), rules: vec![rule] })
}

fn read_change(node: Node<'_>) -> Option<(i32, Onset)> {
    let yearly = node.child_local("RelativeYearlyRecurrence")?;
    let place = |names: &[&str], element: &str| {
        let text = yearly.child_local(element)?.text();
        names.iter().position(|name| *name == text.trim()).map(|at| at as u16)
    };
    let time = node.child_local("Time")?.text();
    let mut clock = time.trim().split(':').map(|part| part.get(..2).unwrap_or(part).parse::<u16>().ok());
    let onset = Onset {
        year: 0,
        month: place(&super::recurrence::MONTHS, "Month")? + 1,
        weekday: place(&WEEKDAYS, "DaysOfWeek")?,
        day: place(&super::recurrence::INDEXES, "DayOfWeekIndex")? + 1,
        hour: clock.next()??.min(23),
        minute: clock.next()??.min(59),
    };
    Some((minutes(&node.child_local("Offset")?.text())?, onset))
}

/// The local time of a property in a zone, as text without one.
pub(super) fn write_local(
    out: &mut Writer,
    element: &'static str,
    item: &Item<'_>,
    time: &PropertyKey,
    zone: &PropertyKey,
) {
    let (Some(time), Some(zone)) = (item.value(time).and_then(|value| value.as_time()), stored(item, zone)) else {
        return;
    };
    let local = zone.to_local(time).to_string();
    out.element(element, local.trim_end_matches('Z'));
}

/// Gives the end of an appointment the zone of its start, where it has none.
pub(crate) fn complete(bag: &mut Bag) {
    if bag.get(&lids::TIME_ZONE_END).is_none()
        && let Some(start) = bag.get(&lids::TIME_ZONE_START).cloned()
    {
        bag.set(lids::TIME_ZONE_END, start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let cases = [
            ("PT480M", Some(480)),
            ("-PT60M", Some(-60)),
            ("PT2H", Some(120)),
            ("-PT1H30M", Some(-90)),
            ("P1D", Some(1_440)),
            ("PT0S", Some(0)),
            ("PT", Some(0)),
            ("2H", None),
            ("PT5", None),
            ("P9D", None),
        ];
        for (text, expected) in cases {
            assert_eq!(minutes(text), expected, "{text}");
        }
        assert_eq!([duration(480), duration(-60), duration(0)], ["PT480M", "-PT60M", "PT0M"]);
    }
}
