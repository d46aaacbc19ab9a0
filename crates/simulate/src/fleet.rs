//! What the simulated fleet is made of.

/// A fleet: any number of nodes over one database. A larger one is so many of these side by side, since no transaction
/// spans roots and so none spans databases.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fleet {
    /// Nodes behind the load balancer.
    pub nodes: u32,
    /// Cores of a node.
    pub node_cores: u32,
    /// Cores of the database.
    pub database_cores: u32,
    /// Sessions that read, of each node (`database_readers`).
    pub readers: u32,
    /// Sessions that write, of each node (`database_writers`).
    pub writers: u32,
    /// Requests that a node works on at a time (`requests_max`, and no more than its sessions that read, but for a few).
    pub requests_max: u32,
    /// Requests that wait for that (`requests_waiting_max`); what comes beyond is refused.
    pub requests_waiting_max: u32,
    /// How long a node remembers that a password was right (`login_cache_seconds`).
    pub login_cache_seconds: f64,
    /// Logins that a node remembers.
    pub login_cache_max: f64,
    /// Passwords that a node checks at a time (`password_checks_max`).
    pub password_checks_max: u32,
    /// Whether the balancer gives the requests of one person to one node as long as it is there, and not to all in turn.
    pub by_person: bool,
    /// A round trip between a node and the database, in milliseconds.
    pub round_trip_ms: f64,
    /// A sync of the database's log, in milliseconds.
    pub fsync_ms: f64,
    /// What the database's disk writes of the log, in megabytes a second.
    pub disk_mb_s: f64,
    /// What a commit waits for a synchronous replica, in milliseconds; 0 without one.
    pub replica_ms: f64,
    /// One machine on which nodes, database, balancer and clients share the cores, instead of machines of their own.
    pub together: Option<Machine>,
}

/// A machine that holds everything.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Machine {
    /// Its cores.
    pub cores: u32,
    /// Cores that other work keeps busy, on average.
    pub foreign_cores: f64,
}

impl Default for Fleet {
    /// Settings as `docs/scale.md` advises them: three nodes of 8 cores, a database of 32 cores with disks that keep what they confirm, one data centre, and a
    /// synchronous replica in it.
    fn default() -> Self {
        Self {
            nodes: 3,
            node_cores: 8,
            database_cores: 32,
            readers: 40,
            writers: 8,
            requests_max: 32,
            requests_waiting_max: 1_024,
            login_cache_seconds: 3_600.0,
            login_cache_max: 100_000.0,
            password_checks_max: 4,
            by_person: true,
            round_trip_ms: 0.2,
            fsync_ms: 0.5,
            disk_mb_s: 500.0,
            replica_ms: 0.8,
            together: None,
        }
    }
}

impl Fleet {
    /// The part of requests that find their login not remembered, where each of so many people asks so often a second. What
    /// is checked once is good for a time, in which all that come find it; a node that has more people than it remembers
    /// checks those of the others every time.
    #[must_use]
    pub fn unremembered(&self, people: f64, per_second: f64) -> f64 {
        let nodes = if self.by_person { 1.0 } else { f64::from(self.nodes) };
        let of_a_node = if self.by_person { people / f64::from(self.nodes.max(1)) } else { people };
        let later = per_second / people.max(1.0) / nodes * self.login_cache_seconds;
        let remembered = (self.login_cache_max / of_a_node.max(1.0)).min(1.0);
        1.0 - remembered * later / (1.0 + later)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_that_are_remembered() {
        let fleet = Fleet { nodes: 4, ..Fleet::default() };
        let near = |found: f64, wanted: f64| assert!((found - wanted).abs() < 1e-9, "{found} for {wanted}");
        // Nine requests follow within the hour, at one node or at all.
        near(fleet.unremembered(1_000.0, 1_000.0 * 9.0 / 3_600.0), 0.1);
        near(Fleet { by_person: false, ..fleet }.unremembered(1_000.0, 1_000.0 * 36.0 / 3_600.0), 0.1);
        // Twice as many people as a node remembers: half of them are checked every time.
        near(fleet.unremembered(800_000.0, 800_000.0 * 9.0 / 3_600.0), 1.0 - 0.9 / 2.0);
        near(Fleet { login_cache_seconds: 0.0, ..fleet }.unremembered(1_000.0, 1e6), 1.0);
    }
}
