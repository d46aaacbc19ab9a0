//! The statements of the schema taken apart, as far as other engines want them otherwise.

use crate::schema::Step;

/// One statement of the schema, on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Definition {
    /// `CREATE TABLE name(columns)`.
    Table {
        name: String,
        /// The columns and the primary key, without the brackets around them.
        columns: String,
        /// `WITH (…)`, or nothing.
        storage: String,
    },
    /// `CREATE INDEX name ON table(columns)`.
    Index {
        name: String,
        table: String,
        /// The columns, without the brackets around them.
        columns: String,
        /// `INCLUDE (…)`, `WHERE …`, or nothing.
        rest: String,
    },
    /// Anything else: how columns are stored.
    Other(String),
}

/// The statements of some steps, in order.
pub(crate) fn definitions(steps: &[Step]) -> Vec<Definition> {
    let statements = steps.iter().flat_map(|step| step.sql.split(';'));
    let lines = statements.map(|statement| statement.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| !line.is_empty()).map(|line| Definition::read(&line)).collect()
}

/// What is inside of the brackets that the text begins with, and what is behind them.
fn bracketed(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0_usize;
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' if depth == 1 => return Some((text.get(1..at)?, text.get(at + 1..)?)),
            ')' => depth = depth.checked_sub(1)?,
            _ if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

impl Definition {
    fn read(line: &str) -> Self {
        Self::table(line).or_else(|| Self::index(line)).unwrap_or_else(|| Self::Other(line.to_owned()))
    }

    fn table(line: &str) -> Option<Self> {
        let rest = line.strip_prefix("CREATE TABLE ")?;
        let (name, _) = rest.split_once('(')?;
        let (columns, storage) = bracketed(rest.get(name.len()..)?)?;
        Some(Self::Table { name: name.to_owned(), columns: columns.to_owned(), storage: storage.to_owned() })
    }

    fn index(line: &str) -> Option<Self> {
        let (name, rest) = line.strip_prefix("CREATE INDEX ")?.split_once(" ON ")?;
        let (table, _) = rest.split_once('(')?;
        let (columns, more) = bracketed(rest.get(table.len()..)?)?;
        let [name, table, columns, rest] = [name, table, columns, more].map(str::to_owned);
        Some(Self::Index { name, table, columns, rest })
    }

    /// The name of a table.
    pub(crate) fn table_name(&self) -> Option<&str> {
        match self {
            Self::Table { name, .. } => Some(name),
            Self::Index { .. } | Self::Other(_) => None,
        }
    }

    /// As PostgreSQL takes it.
    pub(crate) fn as_it_is(&self) -> String {
        match self {
            Self::Table { name, columns, storage } => format!("CREATE TABLE {name}({columns}){storage}"),
            Self::Index { name, table, columns, rest } => format!("CREATE INDEX {name} ON {table}({columns}){rest}"),
            Self::Other(line) => line.clone(),
        }
    }

    /// Without what concerns only the files of PostgreSQL; a comment where nothing is left.
    pub(crate) fn plain(&self) -> String {
        match self {
            Self::Table { name, columns, .. } => format!("CREATE TABLE {name}({columns})"),
            Self::Index { .. } => self.as_it_is(),
            Self::Other(line) => format!("-- not needed here: {line}"),
        }
    }

    /// As [`Self::plain`], with keys whose first column is hashed.
    pub(crate) fn by_hash(&self) -> String {
        match self {
            Self::Table { name, columns, .. } => {
                let columns = match columns.split_once(", PRIMARY KEY(") {
                    Some((columns, key)) => format!("{columns}, PRIMARY KEY({}", by_hash(key)),
                    // The key is said with its one column.
                    None => {
                        format!("{}, PRIMARY KEY((root_id) HASH)", columns.replacen(" PRIMARY KEY", " NOT NULL", 1))
                    }
                };
                format!("CREATE TABLE {name}({columns})")
            }
            Self::Index { name, table, columns, rest } => {
                format!("CREATE INDEX {name} ON {table}({}){rest}", by_hash(columns))
            }
            Self::Other(_) => self.plain(),
        }
    }
}

/// Columns of a key with what follows them, the first hashed and the others in order.
fn by_hash(columns: &str) -> String {
    let (columns, rest) = columns.split_once(')').map_or((columns, ""), |(columns, _)| (columns, ")"));
    let mut columns = columns.split(", ");
    let first = columns.next().unwrap_or_default();
    let others: String = columns.map(|column| format!(", {column} ASC")).collect();
    format!("({first}) HASH{others}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Step = Step {
        works_for: 1,
        sql: "
CREATE TABLE one(root_id BIGINT PRIMARY KEY, a BIGINT) WITH (fillfactor = 50);
CREATE TABLE two(root_id BIGINT NOT NULL, a BIGINT,
  PRIMARY KEY(root_id, a)) WITH (x = 1);
CREATE INDEX two_a ON two(root_id, a) WHERE a IS NOT NULL;
ALTER TABLE two ALTER COLUMN a SET STORAGE EXTERNAL;
",
    };

    #[test]
    fn taken_apart_and_put_together() {
        let definitions = definitions(&[STEP]);
        let names: Vec<_> = definitions.iter().filter_map(Definition::table_name).collect();
        assert_eq!(names, ["one", "two"]);
        let hashed: Vec<_> = definitions.iter().map(Definition::by_hash).collect();
        assert_eq!(
            hashed,
            [
                "CREATE TABLE one(root_id BIGINT NOT NULL, a BIGINT, PRIMARY KEY((root_id) HASH))",
                "CREATE TABLE two(root_id BIGINT NOT NULL, a BIGINT, PRIMARY KEY((root_id) HASH, a ASC))",
                "CREATE INDEX two_a ON two((root_id) HASH, a ASC) WHERE a IS NOT NULL",
                "-- not needed here: ALTER TABLE two ALTER COLUMN a SET STORAGE EXTERNAL",
            ]
        );
        let whole: Vec<_> = definitions.iter().map(Definition::as_it_is).collect();
        let lines = STEP.sql.split(';').map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        assert_eq!(whole, lines.filter(|line| !line.is_empty()).collect::<Vec<_>>());
    }
}
