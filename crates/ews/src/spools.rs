//! Values of a request that lie outside of memory.

use model::Extent;

/// The payloads of a request that its reader put outside of memory. In the document stands, in the place of each, a
/// secret that only the reader knew; it goes with the request, as an extension of it.
#[derive(Clone, Debug, Default)]
pub struct Spools(Vec<([u8; Self::SECRET_BYTES], Extent)>);

impl Spools {
    /// The elements whose text may lie outside of memory: local names from the root of the document on.
    pub const PATH: &[&str] = &["Envelope", "Body", "UploadItems", "Items", "Item", "Data"];

    /// Bytes of a secret: too many to be guessed.
    pub const SECRET_BYTES: usize = 32;

    /// None yet.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a payload. The document has the base64 of its secret.
    pub fn add(&mut self, secret: [u8; Self::SECRET_BYTES], payload: Extent) {
        self.0.push((secret, payload));
    }

    /// The payload in whose place `bytes` stand; none where they are one themselves. Costs the payloads there are.
    pub fn get(&self, bytes: &[u8]) -> Option<&Extent> {
        self.0.iter().find(|(secret, _)| secret == bytes).map(|(_, payload)| payload)
    }
}
