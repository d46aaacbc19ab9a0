//! Names of objects: `ROOT/HASH-NONCE`.

use std::fmt;

use model::RootId;

use crate::Hash;

/// The name of an object inside its store. No name is ever given twice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectName {
    text: String,
    root: RootId,
    hash: Hash,
}

impl ObjectName {
    /// A new name for content of a root. `nonce` is random, so that no second one is like it.
    pub fn new(root: RootId, hash: &Hash, nonce: u64) -> Self {
        use fmt::Write as _;
        let mut text = format!("{root}/");
        for byte in hash {
            let _ = write!(text, "{byte:02x}");
        }
        let _ = write!(text, "-{nonce:016x}");
        Self { text, root, hash: *hash }
    }

    /// Out of a row or a listing; `None` where it is not a name of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let (root, rest) = text.split_once('/')?;
        let (digits, nonce) = rest.split_once('-')?;
        let (pairs, []) = digits.as_bytes().as_chunks::<2>() else { return None };
        let digit = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
        let bytes: Option<Vec<u8>> = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
        let hash = bytes?.try_into().ok()?;
        let name = Self::new(RootId(root.parse().ok()?), &hash, u64::from_str_radix(nonce, 16).ok()?);
        // There is one way of writing a name.
        (name.text == text).then_some(name)
    }

    /// As it is stored in a row.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The root that the object belongs to.
    pub const fn root(&self) -> RootId {
        self.root
    }

    /// The SHA-256 of the whole content.
    pub const fn hash(&self) -> &Hash {
        &self.hash
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_foreign_ones_are_left_alone() {
        let hash: Hash = std::array::from_fn(|at| at as u8 * 7);
        let name = ObjectName::new(RootId(1_234), &hash, 0xfeed);
        assert!(name.as_str().starts_with("1234/00070e15") && name.as_str().ends_with("-000000000000feed"), "{name}");
        assert_eq!(ObjectName::parse(name.as_str()), Some(name.clone()));
        assert_eq!((name.root(), name.hash()), (RootId(1_234), &hash));
        let upper = name.as_str().to_uppercase();
        for foreign in ["", "7", "7/ab-1", "x/y", ".highwater", &name.as_str()[4..], &upper, "01/00-0", "readme.txt"] {
            assert_eq!(ObjectName::parse(foreign), None, "{foreign}");
        }
    }
}
