//! What the processes of the fleet have used of the processor, and of memory. Linux: it reads `/proc`.

use std::{collections::HashMap, fs};

/// Ticks of the kernel's clock a second, as it tells processes.
const TICKS: f64 = 100.0;

/// What has been used since everything began.
#[derive(Clone, Debug)]
pub struct Gauge {
    used: HashMap<&'static str, f64>,
    own: f64,
    machine: f64,
    at: std::time::Instant,
}

/// What has been used between two looks, in seconds of CPU.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// By nodes.
    pub nodes: f64,
    /// By the database.
    pub database: f64,
    /// By the balancer.
    pub balancer: f64,
    /// By the clients, which are this process.
    pub clients: f64,
    /// Cores that were busy with something else, on average.
    pub foreign_cores: f64,
}

/// Processes that count, by the names that the kernel gives them.
const NAMES: [&str; 3] = ["highwater", "postgres", "haproxy"];

impl Gauge {
    /// Looks at all processes that descend from this one, those included that they have outlived.
    ///
    /// # Panics
    /// Where there is no `/proc`.
    pub fn read() -> Self {
        let processes = processes();
        let mut used: HashMap<&'static str, f64> = HashMap::new();
        for (_, process) in descendants(&processes) {
            if let Some(name) = NAMES.iter().find(|name| **name == process.name) {
                *used.entry(name).or_default() += process.seconds;
            }
        }
        let own = processes.get(&std::process::id()).map_or(0.0, |process| process.own_seconds);
        let stat = fs::read_to_string("/proc/stat").expect("/proc");
        let words: Vec<f64> =
            stat.lines().next().unwrap_or_default().split_whitespace().filter_map(|word| word.parse().ok()).collect();
        // user, nice, system, then idle and waiting, then interrupts.
        let at = |place: usize| words.get(place).copied().unwrap_or_default();
        let machine = (at(0) + at(1) + at(2) + at(5) + at(6)) / TICKS;
        Self { used, own, machine, at: std::time::Instant::now() }
    }

    /// What was used since `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Usage {
        let of = |name| {
            let used = |gauge: &Self| gauge.used.get(name).copied().unwrap_or_default();
            (used(self) - used(before)).max(0.0)
        };
        let (nodes, database, balancer) = (of("highwater"), of("postgres"), of("haproxy"));
        let clients = self.own - before.own;
        let seconds = self.at.duration_since(before.at).as_secs_f64().max(1e-3);
        let foreign = self.machine - before.machine - nodes - database - balancer - clients;
        Usage { nodes, database, balancer, clients, foreign_cores: (foreign / seconds).max(0.0) }
    }
}

/// Megabytes of memory, on average over the processes of that name that descend from this one: of their own, or with their
/// share of what is shared. Nothing where the system does not tell.
pub fn memory_mb(name: &str, shared_too: bool) -> Option<f64> {
    let processes = processes();
    let of_name = descendants(&processes).into_iter().filter(|(_, process)| process.name == name);
    let each: Vec<f64> = of_name
        .filter_map(|(id, _)| {
            let told = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).ok()?;
            let field = |name: &str| {
                let line = told.lines().find_map(|line| line.strip_prefix(name))?;
                line.split_whitespace().next()?.parse::<f64>().ok()
            };
            let kilobytes =
                if shared_too { field("Pss:")? } else { field("Private_Clean:")? + field("Private_Dirty:")? };
            Some(kilobytes / 1024.0)
        })
        .collect();
    (!each.is_empty()).then(|| each.iter().sum::<f64>() / each.len() as f64)
}

struct Process {
    name: String,
    parent: u32,
    /// With its ended children.
    seconds: f64,
    own_seconds: f64,
}

fn processes() -> HashMap<u32, Process> {
    let ids = fs::read_dir("/proc").into_iter().flatten().flatten();
    ids.filter_map(|entry| {
        let id: u32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let (before, after) = stat.rsplit_once(')')?;
        let name = before.split_once('(')?.1.to_owned();
        let words: Vec<&str> = after.split_whitespace().collect();
        let number = |place: usize| words.get(place).and_then(|word| word.parse::<f64>().ok()).unwrap_or_default();
        let own_seconds = (number(11) + number(12)) / TICKS;
        let seconds = own_seconds + (number(13) + number(14)) / TICKS;
        Some((id, Process { name, parent: number(1) as u32, seconds, own_seconds }))
    })
    .collect()
}

fn descendants(processes: &HashMap<u32, Process>) -> Vec<(u32, &Process)> {
    /// Generations between this process and one of the database.
    const GENERATIONS_MAX: usize = 16;
    let own = std::process::id();
    let descends = |mut id: u32| {
        for _ in 0..GENERATIONS_MAX {
            let Some(process) = processes.get(&id) else { return false };
            if process.parent == own {
                return true;
            }
            id = process.parent;
        }
        false
    };
    processes.iter().filter(|(id, _)| descends(**id)).map(|(id, process)| (*id, process)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_work_is_seen() {
        let before = Gauge::read();
        let started = std::time::Instant::now();
        let mut sum = 0_u64;
        while started.elapsed().as_millis() < 120 {
            sum = sum.wrapping_add(std::hint::black_box(1));
        }
        let usage = Gauge::read().since(&before);
        assert!((0.02..0.4).contains(&usage.clients), "{usage:?} {sum}");
        assert_eq!(usage.database, 0.0);
    }
}
