//! A GUID, kept in the byte order MAPI and EntryIDs use on the wire.

use std::{fmt, str::FromStr};

/// 16 bytes in wire order: the first three groups little-endian, the rest as written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guid(pub [u8; 16]);

/// The text was not a GUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a GUID")]
pub struct GuidError;

impl Guid {
    /// All zero.
    pub const NIL: Self = Self([0; 16]);

    /// Builds a GUID from the groups of its text form: `00020329-0000-0000-C000-000000000046` is
    /// `new(0x0002_0329, 0, 0, [0xc0, 0, 0, 0, 0, 0, 0, 0x46])`.
    pub const fn new(a: u32, b: u16, c: u16, d: [u8; 8]) -> Self {
        let (a, b, c) = (a.to_le_bytes(), b.to_le_bytes(), c.to_le_bytes());
        Self([a[0], a[1], a[2], a[3], b[0], b[1], c[0], c[1], d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7]])
    }

    /// A version 4 GUID from 16 random bytes.
    pub const fn random(mut bytes: [u8; 16]) -> Self {
        bytes[7] = bytes[7] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Self(bytes)
    }

    /// `{9153FDD3-7C00-47E9-9194-956BB20AAA8D}`, the form of SharePoint.
    pub fn braced(&self) -> String {
        format!("{{{}}}", self.to_string().to_ascii_uppercase())
    }
}

impl fmt::Display for Guid {
    /// `9153fdd3-7c00-47e9-9194-956bb20aaa8d`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
        let [a0, a1, a2, a3, b0, b1, c0, c1, rest @ ..] = self.0;
        let [d0, d1, e0, e1, e2, e3, e4, e5] = rest;
        let groups: [&[u8]; 5] = [&[a3, a2, a1, a0], &[b1, b0], &[c1, c0], &[d0, d1], &[e0, e1, e2, e3, e4, e5]];
        let mut text = [b'-'; 36];
        let mut slots = text.iter_mut();
        for group in groups {
            for (byte, (high, low)) in group.iter().zip(std::iter::from_fn(|| slots.next().zip(slots.next()))) {
                (*high, *low) = (digit(byte >> 4), digit(byte & 15));
            }
            slots.next();
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl FromStr for Guid {
    type Err = GuidError;

    /// Accepts the form with or without braces, in any case.
    fn from_str(text: &str) -> Result<Self, GuidError> {
        let text = text.strip_prefix('{').map_or(Some(text), |rest| rest.strip_suffix('}')).ok_or(GuidError)?;
        let bytes: &[u8; 36] = text.as_bytes().try_into().map_err(|_| GuidError)?;
        let mut digits = [0_u8; 32];
        let mut filled = digits.iter_mut();
        for (at, byte) in bytes.iter().enumerate() {
            if matches!(at, 8 | 13 | 18 | 23) {
                if *byte != b'-' {
                    return Err(GuidError);
                }
            } else if let Some(digit) = filled.next() {
                *digit = char::from(*byte).to_digit(16).ok_or(GuidError)? as u8;
            }
        }
        let mut value = [0_u8; 16];
        for (slot, [high, low]) in value.iter_mut().zip(digits.as_chunks::<2>().0) {
            *slot = high << 4 | low;
        }
        let [a, b, c, d, e, f, g, h, rest @ ..] = value;
        Ok(Self::new(u32::from_be_bytes([a, b, c, d]), u16::from_be_bytes([e, f]), u16::from_be_bytes([g, h]), rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_agree() {
        let guid: Guid = "{00020307-0000-0000-C000-000000000046}".parse().unwrap();
        assert_eq!(guid.0, [7, 3, 2, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46]);
        assert_eq!(guid.to_string(), "00020307-0000-0000-c000-000000000046");
        assert_eq!(guid.braced(), "{00020307-0000-0000-C000-000000000046}");
        assert_eq!(guid.to_string().parse(), Ok(guid));
        for bad in ["", "{", "{00020307-0000-0000-C000-000000000046", "00020307x0000-0000-C000-000000000046", "é"] {
            assert_eq!(bad.parse::<Guid>(), Err(GuidError), "{bad}");
        }
    }
}
