//! What the simulated fleet is made of.

/// A fleet: any number of nodes over one database. A larger one is so many of these side by side, since no transaction
/// spans roots and so none spans databases.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fleet {
    /// Nodes behind the load balancer, which gives them requests in turn.
    pub nodes: u32,
    /// Cores of a node.
    pub node_cores: u32,
    /// Cores of the database.
    pub database_cores: u32,
    /// Sessions that read, of each node.
    pub readers: u32,
    /// Sessions that write, of each node.
    pub writers: u32,
    /// Requests that a node works on at a time (`requests_max`).
    pub requests_max: u32,
    /// Requests that wait for that (`requests_waiting_max`); what comes beyond is refused.
    pub requests_waiting_max: u32,
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
    /// Three nodes of 8 cores, a database of 32 cores with disks that keep what they confirm, one data centre, and a
    /// synchronous replica in it.
    fn default() -> Self {
        Self {
            nodes: 3,
            node_cores: 8,
            database_cores: 32,
            readers: 16,
            writers: 8,
            requests_max: 64,
            requests_waiting_max: 1_024,
            round_trip_ms: 0.2,
            fsync_ms: 0.5,
            disk_mb_s: 500.0,
            replica_ms: 0.8,
            together: None,
        }
    }
}
