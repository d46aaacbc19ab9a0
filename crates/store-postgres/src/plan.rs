//! What has to be done on engines that spread a database over machines, as SQL to look at and to run.
//!
//! All of it comes from [`STEPS`](crate::schema::STEPS): no table can be forgotten. What the engines ask for is from
//! their documentation (Citus: "Distributing tables"; YugabyteDB: "Hash and range sharding"; CockroachDB: "PostgreSQL
//! compatibility"); of PostgreSQL alone the tests make sure that the tables are the same.

use std::fmt::Write as _;

use crate::{
    schema::{META_TABLE, STEPS},
    tables::{Definition, definitions},
};

/// An engine that speaks PostgreSQL's protocol and spreads a database over machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// PostgreSQL with the extension Citus.
    Citus,
    /// YugabyteDB (YSQL).
    Yugabyte,
    /// CockroachDB.
    Cockroach,
}

impl Engine {
    /// All of them, with their names on a command line.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Citus, "citus"), (Self::Yugabyte, "yugabyte"), (Self::Cockroach, "cockroach")];
}

/// The SQL that makes a new and empty database on an engine, with the reasons as comments: every table lies by its root,
/// so that all statements of a request go to one machine. To be run once by `psql` or the engine's own client, before the
/// first node is started. Costs nothing; asks no database.
pub fn plan(engine: Engine) -> String {
    let mut text = String::new();
    for line in reasons(engine) {
        let _ = writeln!(text, "{}", format!("-- {line}").trim_end());
    }
    text.push_str("\nBEGIN;\n");
    let _ = writeln!(text, "{META_TABLE};");
    for definition in definitions(STEPS) {
        let _ = writeln!(text, "{};", statement(engine, &definition));
    }
    let version = STEPS.len();
    let works_for = STEPS.last().map_or(0, |step| step.works_for);
    text.push_str("-- What a node writes when it makes the tables itself: it finds that there is nothing to do.\n");
    let _ = writeln!(text, "INSERT INTO meta VALUES('schema_version', {version}), ('works_for', {works_for}),");
    text.push_str("  ('epoch', floor(random() * 9007199254740992)::bigint),\n");
    text.push_str("  ('identity', floor(random() * 9007199254740992)::bigint);\n");
    text.push_str("COMMIT;\n");
    if engine == Engine::Citus {
        text.push_str("\n-- The numbers of the store are read by every session: a copy on every machine.\n");
        text.push_str("SELECT create_reference_table('meta');\n");
        text.push_str("-- Every other table by its root, equal roots on the same machine.\n");
        let mut first: Option<String> = None;
        for name in definitions(STEPS).iter().filter_map(Definition::table_name) {
            let _ = match &first {
                None => {
                    writeln!(text, "SELECT create_distributed_table('{name}', 'root_id', colocate_with => 'none');")
                }
                Some(first) => {
                    writeln!(text, "SELECT create_distributed_table('{name}', 'root_id', colocate_with => '{first}');")
                }
            };
            first.get_or_insert_with(|| name.to_owned());
        }
    }
    text
}

/// A statement as the engine wants it.
fn statement(engine: Engine, definition: &Definition) -> String {
    match engine {
        Engine::Citus => definition.as_it_is(),
        Engine::Yugabyte => definition.by_hash(),
        Engine::Cockroach => definition.plain(),
    }
}

fn reasons(engine: Engine) -> &'static [&'static str] {
    match engine {
        Engine::Citus => &[
            "Highwater on Citus. Run this at the coordinator, in a new database after CREATE EXTENSION citus.",
            "",
            "A root lies on one machine, and every statement of a request names it as a single parameter, so that the",
            "coordinator passes the statement on whole. Only the list of all roots and the look at the roots that",
            "somebody waits for ask every machine.",
            "",
            "Sessions: all nodes connect to the coordinator, where NOTIFY and advisory locks work as in PostgreSQL. Nodes",
            "that connect to several machines must look instead of listen (the setting that turns notifications off).",
            "The machines' own standbys must be synchronous: the coordinator's timeline, by which tokens of lost writes",
            "are refused, says nothing about a machine that lost some. After such a loss: `highwater store restored`.",
        ],
        Engine::Yugabyte => &[
            "Highwater on YugabyteDB. Run this in a new database that is not colocated.",
            "",
            "A root is the hash part of every key and so lies in one tablet of each table; everything else in a key is",
            "in ascending order, along which pages are read.",
            "",
            "Sessions: notifications are off (the engine has had no LISTEN and NOTIFY): the nodes look every second at",
            "the roots that somebody waits for. Give `yb_enable_read_committed_isolation=true` to the servers, so that",
            "writers wait for the lock of a root instead of being sent back. Where target_session_attrs is not known,",
            "the URL says target_session_attrs=any. An epoch is the store's own number alone: the engine keeps one",
            "history itself; after putting back a snapshot: `highwater store restored`.",
        ],
        Engine::Cockroach => &[
            "Highwater on CockroachDB. Run this in a new database.",
            "",
            "Keys are as they are: they begin with the root, so the rows of a root are one range of each table, which",
            "the engine splits and moves by itself. Do not use hash-sharded keys. In several regions, keep what is",
            "written beside its mailboxes: one database a region, or ALTER TABLE ... SET LOCALITY REGIONAL BY TABLE IN ...",
            "for all tables alike. A zone with num_replicas = 5 outlives two machines.",
            "",
            "Sessions: notifications are off (the engine has no LISTEN and NOTIFY): the nodes look every second at the",
            "roots that somebody waits for. `SET CLUSTER SETTING sql.txn.read_committed_isolation.enabled = true` lets",
            "writers wait for the lock of a root instead of being sent back. Locks of advice do nothing there: start one",
            "node alone after an upgrade that changes the tables. An epoch is the store's own number alone: the engine",
            "keeps one history itself; after putting back a backup: `highwater store restored`.",
        ],
    }
}
