//! Maildir: what a file name says about the message in the file.

/// The flags of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// Read (`S`).
    pub seen: bool,
    /// Marked (`F`).
    pub flagged: bool,
    /// Answered (`R`).
    pub replied: bool,
    /// A draft (`D`).
    pub draft: bool,
    /// To be deleted (`T`).
    pub trashed: bool,
}

/// The flags behind `:2,` in a file name. `;` and `!` stand for the colon where file systems refuse it. Unknown letters
/// are passed over; a name without flags has none.
pub fn flags(file_name: &str) -> Flags {
    let letters =
        [":2,", ";2,", "!2,"].iter().find_map(|mark| file_name.rsplit_once(mark)).map_or("", |(_, letters)| letters);
    let has = |letter| letters.contains(letter);
    Flags { seen: has('S'), flagged: has('F'), replied: has('R'), draft: has('D'), trashed: has('T') }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let seen = Flags { seen: true, ..Flags::default() };
        let cases = [
            ("1204680122.27c448.example:2,S", seen),
            ("1204680122.27c448.example;2,S", seen),
            ("1204680122.27c448.example!2,S", seen),
            (
                "1204680122.27c448.example:2,FRSTDP",
                Flags { seen: true, flagged: true, replied: true, draft: true, trashed: true },
            ),
            ("1204680122.27c448.example:2,", Flags::default()),
            ("1204680122.SFRTD.example", Flags::default()),
            ("1204680122.example:1,S", Flags::default()),
            ("", Flags::default()),
        ];
        for (name, expected) in cases {
            assert_eq!(flags(name), expected, "{name}");
        }
    }
}
