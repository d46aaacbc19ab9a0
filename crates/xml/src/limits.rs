//! Bounds on a document that a client sent.

/// What a document may hold; reading stops with [`XmlError::Limit`](crate::XmlError::Limit) at the first thing beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole document; never more than 4 GiB, whatever is asked.
    pub bytes_max: usize,
    /// Elements inside one another, the root counted.
    pub depth_max: usize,
    /// Elements of the whole document.
    pub elements_max: usize,
    /// Attributes of one element, namespace declarations counted.
    pub attributes_max: usize,
    /// Attributes of the whole document, namespace declarations counted.
    pub attributes_total_max: usize,
    /// Bytes of one attribute value, or of one run of text between two tags.
    pub text_bytes_max: usize,
}

impl Limits {
    /// Bounds of a request: 128 MiB, 64 levels, a million elements, 64 attributes each and two million in all.
    pub const DEFAULT: Self = Self {
        bytes_max: 128 << 20,
        depth_max: 64,
        elements_max: 1_000_000,
        attributes_max: 64,
        attributes_total_max: 2_000_000,
        text_bytes_max: 128 << 20,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
