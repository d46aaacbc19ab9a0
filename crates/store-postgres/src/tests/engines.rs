//! Plans for other engines, as far as PostgreSQL can check them: the same tables, with the same keys.

use std::collections::BTreeSet;

use super::*;

/// Tables with their keys and columns, as the catalogue describes them.
const DESCRIPTION: &str = "SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema()
  UNION SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable
  FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY 1";

/// What the catalogue says, without the name of the schema.
fn described(cluster: &Postgres, url: &str) -> BTreeSet<String> {
    let schema = cluster.sql_at(url, "SELECT current_schema()").unwrap();
    let text = cluster.sql_at(url, DESCRIPTION).unwrap();
    text.lines().map(|line| line.replace(&format!("{}.", schema.trim()), "")).collect()
}

#[test]
fn every_plan_makes_the_tables_that_a_node_makes() {
    let Some(cluster) = cluster("plans for engines") else { return };
    let url = cluster.fresh_url();
    drop(PostgresStore::open(&url, options()).unwrap());
    let made = described(cluster, &url);
    assert!(made.len() > 80, "{made:?}");
    for (engine, name) in Engine::ALL {
        let text = plan(engine);
        // What only the engine itself understands is taken out.
        let sql: String = text
            .lines()
            .filter(|line| !line.contains("create_distributed_table") && !line.contains("create_reference_table"))
            .map(|line| line.replace("(root_id) HASH", "root_id").replace(" ASC", "") + "\n")
            .collect();
        let url = cluster.fresh_url();
        cluster.sql_at(&url, &sql).unwrap();
        assert_eq!(described(cluster, &url), made, "{name}");
        // A node finds nothing to do.
        let store = PostgresStore::open(&url, options()).unwrap();
        block_on(store.check()).unwrap();
    }
}

#[test]
fn every_table_lies_by_its_root() {
    let Some(cluster) = cluster("tables of plans") else { return };
    let url = cluster.fresh_url();
    drop(PostgresStore::open(&url, options()).unwrap());
    let tables = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename <> 'meta'";
    let tables = cluster.sql_at(&url, tables).unwrap();
    let (citus, yugabyte) = (plan(Engine::Citus), plan(Engine::Yugabyte));
    assert!(tables.lines().count() > 10);
    for table in tables.lines() {
        assert!(citus.contains(&format!("create_distributed_table('{table}', 'root_id'")), "{table}");
        let made = yugabyte.lines().find(|line| line.starts_with(&format!("CREATE TABLE {table}("))).unwrap();
        assert!(made.contains("PRIMARY KEY((root_id) HASH"), "{made}");
    }
    assert!(citus.contains("create_reference_table('meta')"));
    assert!(
        yugabyte.lines().filter(|line| line.starts_with("CREATE INDEX")).all(|line| line.contains("((root_id) HASH"))
    );
}
