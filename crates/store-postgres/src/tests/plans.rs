//! The plans of every statement of the hot path: shard key in an index condition, the index that is named, nothing sorted,
//! nothing read from end to end.

use std::{fs, path::Path};

use super::*;
use crate::statements::Hot;

/// What may be dropped behind an index, by statement: few rows, or none.
const FILTERS: &[(&str, &str)] = &[
    ("root", "kind >= 0"),
    ("root being loaded", "kind <="),
    ("last position", "kind >= 0"),
    ("spans", "to_seq"),
    ("load tombstones", "item_id = ANY"),
    ("write group if", "last_seq = $29"),
    ("move parts", "part"),
    ("delete parts", "part"),
    ("end spans", "to_seq"),
    ("delete epochs", "at <"),
    ("delete freed parts", "object IS NULL"),
    ("delete freed parts", "refs <= 0"),
];

const ROWS: &str = "
  INSERT INTO root SELECT r, 1, '\\x00', 1, 0, 0 FROM generate_series(1, 200) r;
  INSERT INTO epoch SELECT r, o, 1, 1, 1 FROM generate_series(1, 200) r, generate_series(1, 10) o;
  INSERT INTO tick SELECT r, m, 1 FROM generate_series(1, 200) r, generate_series(1, 50) m;
  INSERT INTO collection SELECT r, c, NULL, 1, 1, 1, 0, 0, 0, 0, 0 FROM generate_series(1, 200) r, generate_series(1, 20) c;
  INSERT INTO collection_bag SELECT r, c, '' FROM generate_series(1, 200) r, generate_series(1, 20) c;
  INSERT INTO span SELECT r, c, 1, NULL, NULL, NULL FROM generate_series(1, 200) r, generate_series(1, 20) c;
  INSERT INTO item SELECT r, i, i % 3, i, i, i, 0 FROM generate_series(1, 200) r, generate_series(1, 200) i;
  INSERT INTO item_bag SELECT r, i, '' FROM generate_series(1, 200) r, generate_series(1, 200) i;
  INSERT INTO item_key SELECT r, i % 3, 1, convert_to(i::text, 'UTF8'), i FROM generate_series(1, 200) r, generate_series(1, 200) i;
  INSERT INTO tombstone SELECT r, i % 3, i, i, i, 0, 0, i, NULL, NULL, '' FROM generate_series(1, 200) r, generate_series(1, 100) i;
  INSERT INTO item_part SELECT r, i, 1, 1, NULL, '' FROM generate_series(1, 200) r, generate_series(1, 200) i;
  INSERT INTO blob_ref SELECT r, convert_to(i::text, 'UTF8'), 1, NULL, NULL, NULL FROM generate_series(1, 200) r, generate_series(1, 50) i;
  INSERT INTO blob_piece SELECT r, convert_to(i::text, 'UTF8'), 0, '' FROM generate_series(1, 200) r, generate_series(1, 50) i;
  INSERT INTO name SELECT r, 1, convert_to(i::text, 'UTF8'), i FROM generate_series(1, 200) r, generate_series(1, 100) i;
  INSERT INTO operation SELECT r, convert_to(i::text, 'UTF8'), i, '' FROM generate_series(1, 200) r, generate_series(1, 100) i;
";

/// The plan of a statement, a line a row.
fn explain(store: &PostgresStore, text: &'static str) -> Vec<String> {
    block_on(async {
        let session = store.readers.take(store.patience).await?;
        let parameters = session.prepared(text).await?.params().len();
        let nulls = vec!["NULL"; parameters].join(", ");
        let client = session.client();
        client.batch_execute(&format!("DEALLOCATE ALL; PREPARE explained AS {text}")).await?;
        let rows = client.query_typed(&format!("EXPLAIN (COSTS OFF) EXECUTE explained({nulls})"), &[]).await?;
        session.condemn();
        rows.iter().map(|row| rows::get::<String>(row, 0)).collect::<Result<_, _>>()
    })
    .map_err(|failure: failure::Failure| format!("{text}: {failure}"))
    .unwrap()
}

/// What is wrong with a plan.
fn faults(hot: &Hot, plan: &[String]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut used = Vec::new();
    for line in plan.iter().map(|line| line.trim()) {
        if let Some((_, index)) = line.split_once(" using ").filter(|_| line.contains("Index")) {
            let index = index.split(' ').next().unwrap_or_default();
            used.push(index.to_owned());
            if !hot.along.contains(&index) {
                faults.push(format!("runs along {index}"));
            }
        }
        if ["Seq Scan", "Sort", "Bitmap", "Hash", "Materialize"].iter().any(|node| line.contains(node)) {
            faults.push(format!("has a step {line}"));
        }
        if line.starts_with("Index Cond:") && !line.contains("root_id = $1") {
            faults.push(format!("lacks the shard key in {line}"));
        }
        if line.starts_with("Join Filter:") {
            faults.push(format!("pairs rows after it has read them: {line}"));
        }
        let allowed = |(name, filter): &(&str, &str)| *name == hot.name && line.contains(filter);
        if line.starts_with("Filter:") && !FILTERS.iter().any(allowed) {
            faults.push(format!("passes rows over: {line}"));
        }
    }
    faults.extend(
        hot.along.iter().filter(|index| !used.iter().any(|used| used == *index)).map(|index| format!("leaves {index}")),
    );
    let scans = plan.iter().filter(|line| line.contains("Index") && line.contains(" using ")).count();
    let conditions = plan.iter().filter(|line| line.trim().starts_with("Index Cond:")).count();
    if scans != conditions {
        faults.push("reads a whole index".to_owned());
    }
    faults
}

fn all_faults(store: &PostgresStore) -> Vec<String> {
    let mut all = Vec::new();
    for hot in statements::ALL.iter().copied().flatten() {
        let plan = explain(store, hot.text);
        let faults = faults(hot, &plan);
        if !faults.is_empty() {
            all.push(format!("{} {}\n{}", hot.name, faults.join("; "), plan.join("\n")));
        }
    }
    all
}

#[test]
fn every_hot_statement_is_a_range_of_its_index_with_the_shard_key() {
    let Some(cluster) = cluster("plans") else { return };
    let url = cluster.fresh_url();
    let store = PostgresStore::open(&url, options()).unwrap();
    // While tables are empty, when every plan looks as good as any; and when they are not.
    let empty = all_faults(&store);
    assert!(empty.is_empty(), "{}", empty.join("\n\n"));
    cluster.sql_at(&url, ROWS).unwrap();
    // Now an index alone can answer, as far as it has the columns.
    cluster.sql_at(&url, "VACUUM ANALYZE").unwrap();
    let full = all_faults(&store);
    assert!(full.is_empty(), "{}", full.join("\n\n"));
}

#[test]
fn a_plan_that_leaves_its_index_is_found() {
    let Some(cluster) = cluster("bad plans") else { return };
    let store = PostgresStore::open(&cluster.fresh_url(), options()).unwrap();
    let bad = [
        ("SELECT flags FROM item WHERE root_id = $1 AND flags = $2", "passes rows over"),
        ("SELECT seq FROM item WHERE item_id = $1", "shard key"),
        ("SELECT seq FROM item WHERE root_id = $1 AND item_id = ANY($2) ORDER BY flags", "Sort"),
        ("SELECT seq FROM item WHERE root_id = $1 AND collection_id = $2", "runs along"),
        ("SELECT name FROM name WHERE root_id = $1", "leaves item_pkey"),
    ];
    for (text, says) in bad {
        let hot = Hot { name: "bad", text, along: &["item_pkey"] };
        let faults = faults(&hot, &explain(&store, text)).join("; ");
        assert!(faults.contains(says), "{text}: {faults}");
    }
}

/// The constants of a file of statements, and whether its documentation says that they are not of the hot path.
fn constants(text: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let mut is_cold = false;
    for line in text.lines() {
        if line.starts_with("///") {
            is_cold |= line.contains("Not of the hot path");
        } else if let Some(rest) = line.strip_prefix("pub(crate) const ") {
            let name = rest.split(':').next().unwrap_or_default();
            if rest.contains("str") {
                found.push((name.to_owned(), is_cold));
            }
            is_cold = false;
        }
    }
    found
}

#[test]
fn statements_stand_in_the_table_and_nowhere_else() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut count = 0;
    for entry in fs::read_dir(sources.join("statements")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let (_, table) = text.split_once("const HOT").unwrap();
        for (name, is_cold) in constants(&text) {
            count += 1;
            let stands = [" ", "[", ",", " }"].iter().any(|end| table.contains(&format!("{name}{end}")));
            assert!(stands != is_cold, "{name} is in the table, or its documentation says \"Not of the hot path\"");
        }
    }
    assert!(count > 15);
    let mut folders = vec![sources];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "statements" && name != "tests" {
                folders.push(path);
            } else if path.is_file() && !["schema.rs", "wake.rs", "plan.rs", "tests.rs"].contains(&&name[..]) {
                let text = fs::read_to_string(&path).unwrap();
                assert!(!text.contains("root_id ="), "{name} has a statement of its own");
            }
        }
    }
}
