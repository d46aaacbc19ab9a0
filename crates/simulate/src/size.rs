//! What a fleet needs, by arithmetic: rates times costs, and machines that are busy for no more than a part of the time.

use crate::{Figures, Fleet, Operation, load};

/// The part of the cores that the busiest hour of an ordinary day may take: a Monday is twice as much.
pub(crate) const BUSY_MAX: f64 = 0.4;
/// Cores of machines that can be had.
const NODE_CORES: [u32; 3] = [2, 4, 8];
const DATABASE_CORES: [u32; 5] = [2, 4, 8, 16, 32];
/// Nodes of one database.
const NODES_MAX: f64 = 1_000.0;
/// One node may be lost.
const NODES_MIN: f64 = 2.0;

/// What so many mailboxes need.
#[derive(Clone, Debug, PartialEq)]
pub struct Sizing {
    /// Mailboxes.
    pub mailboxes: u64,
    /// Requests a day.
    pub daily: f64,
    /// Requests a second in the busiest hour.
    pub peak: f64,
    /// Cores of nodes that are busy then, passwords included.
    pub node_busy: f64,
    /// The part of requests whose login is not remembered.
    pub unremembered: f64,
    /// Cores of databases that are busy then.
    pub database_busy: f64,
    /// Commits a second then, each a transaction: those of different mailboxes do not gather.
    pub commits: f64,
    /// Megabytes of the log a second then.
    pub log_mb_s: f64,
    /// Databases.
    pub databases: u32,
    /// One of them with its part of the nodes.
    pub fleet: Fleet,
    /// Mailboxes of that part.
    pub part: u64,
    /// Sessions at one database.
    pub sessions: u32,
    /// Terabytes in all databases.
    pub disk_tb: f64,
    /// Terabytes in the object store.
    pub object_tb: f64,
}

/// The fleet for so many mailboxes whose people do `activity` times what [`load::DAILY`] says. Of `like` it has all but the
/// numbers of nodes and cores.
#[must_use]
pub fn size(figures: &Figures, mailboxes: u64, activity: f64, like: &Fleet) -> Sizing {
    let rates = load::rates(mailboxes, load::peak() * activity);
    let of_all = |cost: &dyn Fn(Operation) -> f64| -> f64 {
        Operation::ALL.iter().zip(rates).map(|(operation, rate)| rate * cost(*operation)).sum()
    };
    let commits = of_all(&|operation| figures.cost(operation).commits);
    let database_busy =
        (of_all(&|operation| figures.cost(operation).database_ms) + commits * figures.group_database_ms) / 1e3;
    let log_mb_s = (of_all(&|operation| figures.cost(operation).wal_bytes) + commits * figures.group_wal_bytes) / 1e6;
    let (largest_database, largest_node) = (32.0, 8.0);
    let databases = (database_busy / (largest_database * BUSY_MAX)).ceil().max(1.0);
    let peak: f64 = rates.iter().sum();
    let working = of_all(&|operation| figures.cost(operation).node_ms) / 1e3 / databases;
    // More nodes remember more logins: the number that is enough for what it has to check then.
    let busy = |nodes: f64| {
        let fleet = Fleet { nodes: nodes as u32, ..*like };
        let unremembered = fleet.unremembered(mailboxes as f64 / databases, peak / databases);
        (working + peak / databases * unremembered * figures.password_ms / 1e3, unremembered)
    };
    // Sessions that read are busy for as long as the round trips and the database take.
    let reading = of_all(&|operation| {
        let cost = figures.cost(operation);
        cost.round_trips * like.round_trip_ms + cost.database_ms
    }) / 1e3
        / databases;
    let mut nodes = (reading / (f64::from(like.readers.max(1)) * BUSY_MAX)).ceil().max(NODES_MIN);
    while busy(nodes).0 > nodes * largest_node * BUSY_MAX && nodes < NODES_MAX {
        nodes += 1.0;
    }
    let (node_busy, unremembered) = busy(nodes);
    let smallest = |cores: &[u32], busy: f64| {
        let enough = cores.iter().copied().find(|cores| f64::from(*cores) * BUSY_MAX >= busy);
        enough.or(cores.last().copied()).unwrap_or(1)
    };
    let fleet = Fleet {
        nodes: nodes as u32,
        node_cores: smallest(&NODE_CORES, node_busy / nodes),
        database_cores: smallest(&DATABASE_CORES, database_busy / databases),
        ..*like
    };
    let items = mailboxes as f64 * load::MAILBOX_ITEMS;
    Sizing {
        mailboxes,
        daily: rates.iter().sum::<f64>() / load::peak() * load::DAY_SECONDS,
        peak,
        node_busy: node_busy * databases,
        unremembered,
        database_busy,
        commits,
        log_mb_s,
        databases: databases as u32,
        fleet,
        part: (mailboxes as f64 / databases).ceil() as u64,
        sessions: fleet.nodes * (fleet.readers + fleet.writers),
        disk_tb: items * figures.item_bytes / 1e12,
        object_tb: mailboxes as f64 * load::MAILBOX_LARGE_BYTES / 1e12,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One step after the other by hand, with figures that are round.
    #[test]
    fn arithmetic_of_a_million() {
        let figures = crate::run::tests::figures();
        let sizing = size(&figures, 1_000_000, 1.0, &Fleet::default());
        // Every operation of these figures takes 1 ms of a node and 0.5 ms of the database, and 1 ms more where it commits.
        let daily = 1e6 * 400.2 + 5e4 * 380.0;
        let peak = daily * 2.7 / 86_400.0;
        let commits = (1e6 * 140.0 + 5e4 * 20.0) * 2.7 / 86_400.0;
        let near = |found: f64, wanted: f64| assert!((found / wanted - 1.0).abs() < 1e-9, "{found} for {wanted}");
        near(sizing.daily, daily);
        near(sizing.peak, peak);
        near(sizing.commits, commits);
        // 80 seconds between two requests of somebody, who has one node: 45 follow within an hour.
        let later = peak / 1e6 * 3_600.0;
        let remembered = 100_000.0 * f64::from(sizing.fleet.nodes) / 1e6 * later / (1.0 + later);
        near(sizing.unremembered, 1.0 - remembered);
        near(sizing.node_busy, peak * (1.0 + 20.0 * sizing.unremembered) / 1e3);
        near(sizing.database_busy, (peak * 0.5 + commits) / 1e3);
        near(sizing.log_mb_s, commits * 3_000.0 / 1e6);
        // 11.0 cores of the database are busy, of 32 of which 12.8 may be. Ten nodes remember everybody.
        assert_eq!((sizing.databases, sizing.fleet.nodes, sizing.fleet.node_cores), (1, 10, 8));
        assert_eq!((sizing.fleet.database_cores, sizing.sessions), (32, 10 * 48));
        near(sizing.disk_tb, 1e6 * 5_000.0 * 1_500.0 / 1e12);
        let few = size(&figures, 1_000, 1.0, &Fleet::default());
        assert_eq!((few.databases, few.fleet.nodes, few.fleet.node_cores, few.fleet.database_cores), (1, 2, 2, 2));
    }
}
