//! What was acknowledged, and what may have happened beside it.

use std::collections::{BTreeMap, HashMap};

/// Where something lies, and what it says.
pub(crate) type Sight = (String, String);

/// How each thing that was ever written may be found at the end, by its mark. No two writers share a mark.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    things: BTreeMap<String, Vec<Option<Sight>>>,
}

impl Ledger {
    /// It is so, and not otherwise: the write was acknowledged.
    pub(crate) fn certain(&mut self, mark: &str, sight: Option<Sight>) {
        self.things.insert(mark.to_owned(), vec![sight]);
    }

    /// It may be so as well: the outcome is unknown.
    pub(crate) fn perhaps(&mut self, mark: &str, sight: Option<Sight>) {
        self.things.entry(mark.to_owned()).or_insert_with(|| vec![None]).push(sight);
    }

    /// It lies there now, saying what it may have said before.
    pub(crate) fn moved(&mut self, mark: &str, place: &str) {
        for sight in self.things.get_mut(mark).into_iter().flatten().flatten() {
            sight.0 = place.to_owned();
        }
    }

    /// It may lie there as well, saying what it may have said before.
    pub(crate) fn perhaps_moved(&mut self, mark: &str, place: &str) {
        let possible = self.things.entry(mark.to_owned()).or_default();
        let moved: Vec<_> = possible.iter().flatten().map(|(_, text)| Some((place.to_owned(), text.clone()))).collect();
        possible.extend(moved);
    }

    /// Takes over what another has noted.
    pub(crate) fn extend(&mut self, other: Self) {
        self.things.extend(other.things);
    }

    /// How many things were written.
    pub(crate) fn len(&self) -> usize {
        self.things.len()
    }

    /// What is wrong with what was found, by marks: what was acknowledged and is not there, what is there twice, what
    /// nobody wrote.
    pub(crate) fn faults(&self, found: &HashMap<String, Vec<Sight>>) -> Vec<String> {
        let none = Vec::new();
        let mut faults: Vec<_> = self
            .things
            .iter()
            .filter_map(|(mark, possible)| {
                let sights = found.get(mark).unwrap_or(&none);
                let is_possible = sights.len() < 2 && possible.contains(&sights.first().cloned());
                (!is_possible).then(|| format!("{mark} may be {possible:?}, and is {sights:?}"))
            })
            .collect();
        let strange = found.iter().filter(|(mark, _)| !self.things.contains_key(*mark));
        faults.extend(strange.map(|(mark, sights)| format!("{mark} was never written, and is {sights:?}")));
        faults
    }
}

#[test]
fn a_ledger_is_strict() {
    let at = |place: &str, text: &str| Some((place.to_owned(), text.to_owned()));
    let mut ledger = Ledger::default();
    ledger.certain("a", at("here", "v0"));
    ledger.perhaps("b", at("here", "v0"));
    ledger.certain("c", at("here", "v0"));
    ledger.perhaps("c", at("there", "v0"));
    ledger.certain("d", None);
    let found = |sights: &[(&str, &str, &str)]| {
        let mut found: HashMap<String, Vec<Sight>> = HashMap::new();
        for (mark, place, text) in sights {
            found.entry((*mark).to_owned()).or_default().extend(at(place, text));
        }
        ledger.faults(&found).len()
    };
    assert_eq!(found(&[("a", "here", "v0"), ("c", "here", "v0")]), 0);
    assert_eq!(found(&[("a", "here", "v0"), ("b", "here", "v0"), ("c", "there", "v0")]), 0);
    // Lost, old, in the wrong place, twice, neither here nor there, not deleted, of nobody.
    assert_eq!(found(&[("c", "there", "v0")]), 1);
    assert_eq!(found(&[("a", "here", "v1"), ("c", "there", "v0")]), 1);
    assert_eq!(found(&[("a", "there", "v0"), ("c", "there", "v0")]), 1);
    assert_eq!(found(&[("a", "here", "v0"), ("c", "there", "v0"), ("c", "here", "v0")]), 1);
    assert_eq!(found(&[("a", "here", "v0")]), 1);
    assert_eq!(found(&[("a", "here", "v0"), ("c", "there", "v0"), ("d", "here", "v0")]), 1);
    assert_eq!(found(&[("a", "here", "v0"), ("c", "there", "v0"), ("e", "here", "v0")]), 1);
}
