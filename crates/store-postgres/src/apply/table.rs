//! Rows as the database has them and as they are to become.

use std::collections::BTreeMap;

/// A row that a write has touched or that was read for one.
#[derive(Clone, Debug)]
pub(crate) struct Slot<V> {
    /// As the database has it; `None` where it has none.
    pub(crate) base: Option<V>,
    /// As it is to become; `None` where it goes.
    pub(crate) now: Option<V>,
}

/// What is known of some rows of a table, with what is needed to undo changes. A row that was never loaded nor put is
/// unknown, which is not the same as absent.
#[derive(Clone, Debug)]
pub(crate) struct Table<K, V> {
    rows: BTreeMap<K, Slot<V>>,
    undo: Vec<(K, Option<Slot<V>>)>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), undo: Vec::new() }
    }
}

impl<K: Ord + Clone, V: Clone> Table<K, V> {
    /// Notes what the database has. Only before anything was changed.
    pub(crate) fn load(&mut self, key: K, row: Option<V>) {
        self.rows.insert(key, Slot { base: row.clone(), now: row });
    }

    /// The row, `Some(None)` where it is known to be absent, `None` where nothing is known of it.
    pub(crate) fn get(&self, key: &K) -> Option<Option<&V>> {
        self.rows.get(key).map(|slot| slot.now.as_ref())
    }

    /// Sets a row. One of which nothing is known counts as absent from the database.
    pub(crate) fn put(&mut self, key: K, row: V) {
        let before = self.rows.get(&key).cloned();
        let base = before.as_ref().and_then(|slot| slot.base.clone());
        self.rows.insert(key.clone(), Slot { base, now: Some(row) });
        self.undo.push((key, before));
    }

    /// Removes a row and gives what it was.
    pub(crate) fn take(&mut self, key: &K) -> Option<V> {
        let slot = self.rows.get_mut(key)?;
        let before = slot.clone();
        let row = slot.now.take();
        self.undo.push((key.clone(), Some(before)));
        row
    }

    /// Rows from `from` to `to` inclusive that are there.
    pub(crate) fn range(&self, from: K, to: K) -> impl Iterator<Item = (&K, &V)> {
        self.rows.range(from..=to).filter_map(|(key, slot)| Some((key, slot.now.as_ref()?)))
    }

    /// Whether the database has the row, as far as is known.
    pub(crate) fn has_base(&self, key: &K) -> bool {
        self.rows.get(key).is_some_and(|slot| slot.base.is_some())
    }

    /// Everything that is known, in order of key.
    pub(crate) fn slots(&self) -> impl Iterator<Item = (&K, &Slot<V>)> {
        self.rows.iter()
    }

    /// Where [`Self::roll_back`] can come back to.
    pub(crate) const fn mark(&self) -> usize {
        self.undo.len()
    }

    /// Undoes what was done since the mark.
    pub(crate) fn roll_back(&mut self, mark: usize) {
        while self.undo.len() > mark {
            let Some((key, before)) = self.undo.pop() else { return };
            match before {
                Some(slot) => self.rows.insert(key, slot),
                None => self.rows.remove(&key),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_undone_to_the_mark_and_the_base_stays() {
        let mut table = Table::default();
        table.load(1, Some("stored"));
        table.load(2, None);
        assert_eq!((table.get(&1), table.get(&2), table.get(&3)), (Some(Some(&"stored")), Some(None), None));
        table.put(3, "new");
        let mark = table.mark();
        assert_eq!(table.take(&1), Some("stored"));
        assert_eq!(table.take(&4), None);
        table.put(1, "again");
        table.put(3, "newer");
        table.put(2, "two");
        let base = |table: &Table<i32, &'static str>| table.slots().map(|(_, slot)| slot.base).collect::<Vec<_>>();
        assert_eq!(base(&table), [Some("stored"), None, None]);
        assert_eq!(table.range(2, 9).map(|(_, row)| *row).collect::<Vec<_>>(), ["two", "newer"]);
        table.roll_back(mark);
        assert_eq!(
            (table.get(&1), table.get(&2), table.get(&3)),
            (Some(Some(&"stored")), Some(None), Some(Some(&"new")))
        );
        table.roll_back(0);
        assert_eq!(table.get(&3), None);
        assert_eq!(base(&table), [Some("stored"), None]);
    }
}
