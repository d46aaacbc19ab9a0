//! Removing a whole root: out of sight at once, then piece by piece, so that others get their turn in between.

use model::{RootId, Time};
use rusqlite::{Connection, params};

use crate::failure::Failure;

/// Rows of one table that one step removes.
const STEP_ROWS_MAX: usize = if cfg!(test) { 16 } else { 2_000 };

/// The large tables, with what tells the rows of a root from one another.
const LARGE_TABLES: [(&str, &str); 6] = [
    ("item", "item_id"),
    ("item_bag", "rowid"),
    ("item_part", "rowid"),
    ("item_key", "(collection_id, field, value, item_id)"),
    ("tombstone", "(collection_id, seq)"),
    ("name", "(scope, name)"),
];
/// What goes at the end; the row of the root, which says that it is on its way out, is the last.
const SMALL_TABLES: [&str; 6] = ["epoch", "tick", "collection", "collection_bag", "span", "root"];

/// Takes a root out of sight and does one step of its removal. Whether there is more to do. Nothing happens when it is
/// not there. Its files go after the usual time of grace.
pub(crate) fn drop_root(connection: &Connection, root: RootId) -> Result<bool, Failure> {
    let key = [root.to_i64()];
    let run = |sql: &str| connection.prepare_cached(sql)?.execute(key);
    if run("UPDATE root SET kind = -1 WHERE root_id = ?1 AND kind <> -1")? > 0 {
        connection.execute(
            "UPDATE blob_ref SET refs = 0, freed_at = COALESCE((SELECT MAX(minute) FROM tick WHERE root_id = ?1), 0) * ?2
               WHERE root_id = ?1 AND refs > 0",
            params![root.to_i64(), 60 * Time::SECOND],
        )?;
        run("DELETE FROM operation WHERE root_id = ?1")?;
    }
    for (table, rest_of_key) in LARGE_TABLES {
        let columns = rest_of_key.trim_matches(['(', ')']);
        let removed = run(&format!(
            "DELETE FROM {table} WHERE root_id = ?1 AND {rest_of_key} IN (
               SELECT {columns} FROM {table} WHERE root_id = ?1 LIMIT {STEP_ROWS_MAX})"
        ))?;
        if removed == STEP_ROWS_MAX {
            return Ok(true);
        }
    }
    for table in SMALL_TABLES {
        run(&format!("DELETE FROM {table} WHERE root_id = ?1"))?;
    }
    Ok(false)
}

/// Roots of which the removal was cut off.
pub(crate) fn unfinished_removals(connection: &Connection) -> Result<Vec<RootId>, Failure> {
    let mut statement = connection.prepare("SELECT root_id FROM root WHERE kind = -1")?;
    let roots = statement.query_map([], |row| row.get(0).map(RootId::from_i64))?.collect::<Result<_, _>>()?;
    Ok(roots)
}
