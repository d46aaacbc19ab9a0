//! Times and counts of one action, repeated.

use std::time::{Duration, Instant};

use crate::{Counts, World};

/// One line of the report.
#[derive(Clone, Debug)]
pub struct Row {
    /// What was measured, with its sizes and its store.
    pub name: String,
    /// Times of the runs, shortest first.
    pub times: Vec<Duration>,
    /// Counts of the run that read the median number of rows.
    pub counts: Counts,
}

/// Runs `action` once to warm up and then `runs` times, at least once.
pub fn measure(world: &World, name: impl Into<String>, runs: usize, mut action: impl FnMut()) -> Row {
    measure_after(world, name, runs, || (), |()| action())
}

/// The same, with something to `prepare` before each run that is neither timed nor counted.
pub fn measure_after<P>(
    world: &World,
    name: impl Into<String>,
    runs: usize,
    mut prepare: impl FnMut() -> P,
    mut action: impl FnMut(P),
) -> Row {
    let mut times = Vec::new();
    let mut counts = Vec::new();
    // To count costs reads and allocations itself.
    let counting = world.counts();
    let counting = world.counts().since(&counting);
    for run in 0..=runs.max(1) {
        let prepared = prepare();
        let before = world.counts();
        let started = Instant::now();
        action(prepared);
        let time = started.elapsed();
        let after = world.counts();
        if run > 0 {
            times.push(time);
            counts.push(after.since(&before).since(&counting));
        }
    }
    times.sort_unstable();
    counts.sort_unstable();
    Row { name: name.into(), counts: *middle(&counts), times }
}

fn middle<T>(sorted: &[T]) -> &T {
    sorted.get(sorted.len() / 2).expect("at least one run")
}

/// The report as a table in Markdown.
pub fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| measure | runs | median ms | shortest to longest ms | rows read | read steps | pages read | \
         commits | syncs | answer bytes | allocations |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    let ms = |time: &Duration| format!("{:.2}", time.as_secs_f64() * 1e3);
    for Row { name, times, counts } in rows {
        let (first, last) = (times.first().expect("a run"), times.last().expect("a run"));
        text += &format!(
            "| {name} | {} | {} | {} to {} | {} | {} | {} | {} | {} | {} | {} |\n",
            times.len(),
            ms(middle(times)),
            ms(first),
            ms(last),
            counts.rows_read,
            counts.read_steps,
            counts.pages_read,
            counts.commits,
            counts.groups,
            counts.answer_bytes,
            counts.allocations
        );
    }
    text
}
