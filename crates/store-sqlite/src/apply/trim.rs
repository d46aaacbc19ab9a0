//! What retention removes.

use model::{CollectionId, Seq, Time};
use rusqlite::params;
use store::WriteReceipt;

use super::Applier;
use crate::{failure::Failure, rows::minute};

/// Rows that one write removes, whatever it asks for.
const TRIM_ROWS_MAX: usize = 100_000;
/// For how long the receipt of an operation is kept.
const OPERATION_TICKS: i64 = Time::DAY;
/// By how much the time line of positions outlives the tombstones: it is asked for times before the oldest token.
const TICK_MARGIN_MINUTES: i64 = 24 * 60;

enum Old {
    Tombstone(CollectionId),
    Span(CollectionId, Seq),
}

impl Applier<'_> {
    pub(super) fn trim(&self, before: Time, rows_max: usize) -> Result<WriteReceipt, Failure> {
        let limit = rows_max.min(TRIM_ROWS_MAX);
        let range = params![self.root, before.0, limit as i64];
        let mut old = self.all(
            "SELECT seq, collection_id FROM tombstone WHERE root_id = ?1 AND at < ?2 ORDER BY seq LIMIT ?3",
            range,
            |row| Ok((Seq::from_i64(row.get(0)?), Old::Tombstone(CollectionId::from_i64(row.get(1)?)))),
        )?;
        old.extend(self.all(
            "SELECT to_seq, collection_id, from_seq FROM span
               WHERE root_id = ?1 AND to_seq IS NOT NULL AND ended_at < ?2 ORDER BY to_seq LIMIT ?3",
            range,
            |row| {
                let span = Old::Span(CollectionId::from_i64(row.get(1)?), Seq::from_i64(row.get(2)?));
                Ok((Seq::from_i64(row.get(0)?), span))
            },
        )?);
        old.sort_by_key(|(seq, _)| *seq);
        old.truncate(limit);
        for (seq, row) in &old {
            match row {
                Old::Tombstone(collection) => {
                    let key = params![self.root, collection.to_i64(), seq.to_i64()];
                    self.execute("DELETE FROM tombstone WHERE root_id = ?1 AND collection_id = ?2 AND seq = ?3", key)?;
                    self.execute(
                        "UPDATE collection SET purged_seq = MAX(purged_seq, ?3)
                           WHERE root_id = ?1 AND collection_id = ?2",
                        key,
                    )?;
                }
                Old::Span(collection, from_seq) => {
                    self.execute(
                        "DELETE FROM span WHERE root_id = ?1 AND collection_id = ?2 AND from_seq = ?3",
                        params![self.root, collection.to_i64(), from_seq.to_i64()],
                    )?;
                    self.execute(
                        "UPDATE root SET purged_seq = MAX(purged_seq, ?2) WHERE root_id = ?1",
                        params![self.root, seq.to_i64()],
                    )?;
                }
            }
        }
        // The stretch of an epoch ends where the next one begins.
        self.execute(
            "DELETE FROM epoch WHERE root_id = ?1
               AND ordinal < (SELECT MAX(ordinal) FROM epoch WHERE root_id = ?1 AND at < ?2)",
            params![self.root, before.0],
        )?;
        self.execute(
            "DELETE FROM operation WHERE root_id = ?1 AND at < ?2",
            params![self.root, self.commit.at.0.saturating_sub(OPERATION_TICKS)],
        )?;
        self.execute(
            "DELETE FROM tick WHERE root_id = ?1 AND minute < ?2",
            params![self.root, minute(before).saturating_sub(TICK_MARGIN_MINUTES)],
        )?;
        Ok(WriteReceipt { rows: old.len() as u64, ..WriteReceipt::default() })
    }
}
