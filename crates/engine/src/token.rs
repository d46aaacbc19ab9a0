//! Tokens: the sealed states of mailboxes, and the open tokens of lists.
//!
//! A sealed state is `version · kind · mailbox GUID · epoch · issued · what the kind needs · seal`. Positions and ids are
//! numbers of seven bits a byte, lowest first, with the top bit set on all but the last; the seal is the first 16 bytes
//! of HMAC-SHA256 over everything before it. It holds everything there is to know, so that no server keeps a session.

use std::{fmt, str::FromStr};

use hmac::{Hmac, Mac};
use model::{CollectionId, Guid, ItemId, RootId, Seq, Time, limits};
use sha2::Sha256;
use store::Epoch;

use crate::window::Pane;
use crate::{StateFault, SyncScope, Window};

pub(crate) const VERSION: u8 = 1;
const KIND_ITEMS: u8 = 1;
const KIND_FOLDERS: u8 = 2;
const KIND_SHARED: u8 = 3;
const KIND_WINDOW: u8 = 4;
/// Subscriptions and their watermarks; see `notify::token`.
pub(crate) const KIND_SUBSCRIPTION: u8 = 5;
pub(crate) const KIND_WATERMARK: u8 = 6;
const SEAL_BYTES: usize = 16;

/// Seals states, so that only what this installation issued comes back.
pub(crate) struct Sealer {
    secret: Vec<u8>,
}

/// A state of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyncState {
    /// Whose.
    pub(crate) mailbox: Guid,
    /// The latest start that had written to the mailbox when the state was issued.
    pub(crate) epoch: u64,
    /// The last position of the mailbox when the state was issued.
    pub(crate) issued: Seq,
    /// Of what.
    pub(crate) subject: Subject,
}

/// What a state is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The items of a folder.
    Items {
        /// The folder.
        folder: CollectionId,
        /// Which of its items.
        scope: SyncScope,
        /// How far the client has come.
        marks: Marks,
        /// Which of its items, by their place in the order of receipt; `None` for all.
        pane: Option<Pane>,
    },
    /// The hierarchy, known up to where the state was issued.
    Folders {
        /// The folder below which it lies; `None` for the whole mailbox, which is another thing than its root by name.
        under: Option<CollectionId>,
    },
    /// The hierarchy as a visitor sees it. Which folders that one saw cannot be computed, since permissions have no
    /// history, so the state lists them.
    Shared {
        /// As above.
        under: Option<CollectionId>,
        /// The account of the visitor.
        viewer: RootId,
        /// The folders that were seen, parents before children.
        known: Vec<CollectionId>,
    },
}

/// How far a client has come with the items of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marks {
    /// Creations are known up to here.
    pub(crate) created: Seq,
    /// Changes are known up to here.
    pub(crate) changed: Seq,
    /// Where it stands between two pages; `None` at rest.
    pub(crate) drain: Option<Drain>,
}

/// Where a client stands between two pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Drain {
    /// The last position of the mailbox when the drain began.
    pub(crate) until: Seq,
    /// What is being walked.
    pub(crate) phase: Phase,
    /// Creations: the highest `created_seq` that is still to be looked at. Changes: the last `seq` that has been.
    pub(crate) cursor: Seq,
}

/// The two walks of a drain, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Creations, newest first.
    Creates,
    /// Changes, oldest first.
    Changes,
}

impl Marks {
    /// Tombstones up to here are no longer needed.
    pub(crate) const fn oldest(&self) -> Seq {
        match self.drain {
            Some(Drain { phase: Phase::Changes, cursor, .. }) => cursor,
            Some(Drain { phase: Phase::Creates, .. }) | None => self.changed,
        }
    }
}

impl SyncState {
    /// Whether the history from which the state was issued is the history of the mailbox now: a store that was put back
    /// from an older copy has written on under another epoch from before `issued`, or has not come so far. Where the
    /// start of the state was the latest to write, its epochs need not be looked at.
    pub(crate) fn check_timeline(&self, epochs: Option<&[Epoch]>, last_seq: Seq) -> Result<(), StateFault> {
        check_timeline((self.epoch, self.issued), epochs, last_seq)
    }
}

/// As [`SyncState::check_timeline`], for anything that was issued in an epoch at a position.
pub(crate) fn check_timeline(
    (epoch, issued): (u64, Seq),
    epochs: Option<&[Epoch]>,
    last_seq: Seq,
) -> Result<(), StateFault> {
    let Some(epochs) = epochs else {
        return if issued <= last_seq { Ok(()) } else { Err(StateFault::LostTimeline) };
    };
    // Of what was issued before the first one that is kept nobody knows from where it is.
    if epochs.first().is_some_and(|first| epoch != first.epoch && issued < first.first_seq) {
        return Err(StateFault::Expired);
    }
    let mut from = epochs.iter().skip_while(|one| one.epoch != epoch);
    let own = from.next().ok_or(StateFault::LostTimeline)?;
    let end = from.next().map_or(last_seq, |next| next.first_seq);
    if own.first_seq <= issued && issued <= end { Ok(()) } else { Err(StateFault::LostTimeline) }
}

impl Sealer {
    pub(crate) fn new(secret: &[u8]) -> Self {
        Self { secret: secret.to_vec() }
    }

    /// The bytes that go to the client.
    pub(crate) fn seal(&self, state: &SyncState) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.push(match state.subject {
            Subject::Items { pane: None, .. } => KIND_ITEMS,
            Subject::Items { pane: Some(_), .. } => KIND_WINDOW,
            Subject::Folders { .. } => KIND_FOLDERS,
            Subject::Shared { .. } => KIND_SHARED,
        });
        out.extend(state.mailbox.0);
        out.extend(state.epoch.to_le_bytes());
        put(&mut out, state.issued.0);
        match &state.subject {
            Subject::Items { folder, scope, marks, pane } => {
                put(&mut out, folder.0);
                out.push(match scope {
                    SyncScope::Normal => 0,
                    SyncScope::Associated => 1,
                    SyncScope::NormalAndAssociated => 2,
                });
                put(&mut out, marks.created.0);
                put(&mut out, marks.changed.0);
                out.push(match marks.drain.map(|drain| drain.phase) {
                    None => 0,
                    Some(Phase::Creates) => 1,
                    Some(Phase::Changes) => 2,
                });
                if let Some(drain) = marks.drain {
                    put(&mut out, drain.until.0);
                    put(&mut out, drain.cursor.0);
                }
                if let Some(Pane { window, floor: (time, item) }) = pane {
                    for number in [window.days, window.newest_min, window.newest_max] {
                        put(&mut out, u64::from(number));
                    }
                    out.extend(time.0.to_le_bytes());
                    put(&mut out, item.0);
                }
            }
            Subject::Folders { under } => put_under(&mut out, *under),
            Subject::Shared { under, viewer, known } => {
                put_under(&mut out, *under);
                put(&mut out, viewer.0);
                known.iter().for_each(|folder| put(&mut out, folder.0));
            }
        }
        self.close(out)
    }

    /// Puts the seal behind the bytes of a token.
    pub(crate) fn close(&self, mut body: Vec<u8>) -> Vec<u8> {
        let seal = self.seal_of(&body).finalize().into_bytes();
        body.extend(seal.iter().take(SEAL_BYTES));
        body
    }

    /// What stands before the seal, where that is ours.
    ///
    /// # Errors
    /// [`StateFault::Corrupt`] for anything else.
    pub(crate) fn inside<'a>(&self, bytes: &'a [u8]) -> Result<&'a [u8], StateFault> {
        let body = bytes.len().checked_sub(SEAL_BYTES).and_then(|at| bytes.split_at_checked(at));
        let (body, seal) = body.ok_or(StateFault::Corrupt)?;
        self.seal_of(body).verify_truncated_left(seal).map_err(|_| StateFault::Corrupt)?;
        Ok(body)
    }

    /// Reads what [`Self::seal`] wrote.
    ///
    /// # Errors
    /// [`StateFault::Corrupt`] for anything else.
    pub(crate) fn open(&self, bytes: &[u8]) -> Result<SyncState, StateFault> {
        let mut reader = Reader(self.inside(bytes)?);
        reader.state().filter(|_| reader.0.is_empty()).ok_or(StateFault::Corrupt)
    }

    fn seal_of(&self, body: &[u8]) -> Hmac<Sha256> {
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("any length");
        mac.update(body);
        mac
    }
}

fn put_under(out: &mut Vec<u8>, under: Option<CollectionId>) {
    out.push(u8::from(under.is_some()));
    if let Some(under) = under {
        put(out, under.0);
    }
}

pub(crate) fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl Reader<'_> {
    fn state(&mut self) -> Option<SyncState> {
        if self.byte()? != VERSION {
            return None;
        }
        let kind = self.byte()?;
        let mailbox = Guid(self.fixed()?);
        let epoch = u64::from_le_bytes(self.fixed()?);
        let issued = Seq(self.number()?);
        let subject = match kind {
            KIND_ITEMS => self.items(false)?,
            KIND_WINDOW => self.items(true)?,
            KIND_FOLDERS => Subject::Folders { under: self.under()? },
            KIND_SHARED => {
                let (under, viewer) = (self.under()?, RootId(self.number()?));
                let mut known = Vec::new();
                while !self.0.is_empty() && known.len() < limits::COLLECTIONS_MAX {
                    known.push(CollectionId(self.number()?));
                }
                Subject::Shared { under, viewer, known }
            }
            _ => return None,
        };
        Some(SyncState { mailbox, epoch, issued, subject })
    }

    fn under(&mut self) -> Option<Option<CollectionId>> {
        match self.byte()? {
            0 => Some(None),
            1 => Some(Some(CollectionId(self.number()?))),
            _ => None,
        }
    }

    fn items(&mut self, windowed: bool) -> Option<Subject> {
        let folder = CollectionId(self.number()?);
        let scope = match self.byte()? {
            0 => SyncScope::Normal,
            1 => SyncScope::Associated,
            2 => SyncScope::NormalAndAssociated,
            _ => return None,
        };
        let (created, changed) = (Seq(self.number()?), Seq(self.number()?));
        let phase = match self.byte()? {
            0 => None,
            1 => Some(Phase::Creates),
            2 => Some(Phase::Changes),
            _ => return None,
        };
        let drain = match phase {
            Some(phase) => Some(Drain { until: Seq(self.number()?), phase, cursor: Seq(self.number()?) }),
            None => None,
        };
        let pane = if windowed { Some(self.pane()?) } else { None };
        Some(Subject::Items { folder, scope, marks: Marks { created, changed, drain }, pane })
    }

    fn pane(&mut self) -> Option<Pane> {
        let mut small = || self.number().and_then(|number| u32::try_from(number).ok());
        let window = Window { days: small()?, newest_min: small()?, newest_max: small()? };
        Some(Pane { window, floor: (Time(i64::from_le_bytes(self.fixed()?)), ItemId(self.number()?)) })
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        self.fixed::<1>().map(|[byte]| byte)
    }

    pub(crate) fn fixed<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    pub(crate) fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        // Values stay below 2^63: nine bytes.
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }
}

/// A list token in the five fields of SharePoint: `1;3;<list GUID>;<.NET ticks>;<position>`. Readable and buildable by
/// clients, so it carries no seal; list, range and plausible time are checked when it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListToken {
    /// The list.
    pub list: Guid,
    /// When it was issued, or from when a client wants to hear. What is issued here tells in the last bits also in which
    /// epoch, see [`Issuer`]: clocks of nodes differ, and cannot tell epochs apart.
    pub at: Time,
    /// The position; `None` (written -1) means "by time".
    pub position: Option<Seq>,
}

/// Issues list tokens of one moment of a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Issuer {
    pub(crate) epoch: u64,
    pub(crate) at: Time,
}

/// Bits of a time, 1.7 seconds, that say in which epoch a list token was issued. Two epochs of a root are alike in them once
/// in 17 million.
const EPOCH_MASK: i64 = (1 << 24) - 1;

impl Issuer {
    /// The token of a position of a list.
    pub const fn token(&self, list: Guid, position: Seq) -> ListToken {
        let at = Time(self.at.0 & !EPOCH_MASK | self.epoch.cast_signed() & EPOCH_MASK);
        ListToken { list, at, position: Some(position) }
    }
}

impl ListToken {
    /// Whether it says that it was issued in this epoch.
    pub(crate) const fn is_of(&self, epoch: u64) -> bool {
        self.at.0 & EPOCH_MASK == epoch.cast_signed() & EPOCH_MASK
    }

    /// The earliest time at which it can have been issued: what the last bits say may be an epoch and no time.
    pub(crate) const fn earliest(&self) -> Time {
        Time(self.at.0 & !EPOCH_MASK)
    }
}

/// What `highwater token explain` says of a token: lines of label and value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenExplanation {
    /// In reading order.
    pub lines: Vec<(String, String)>,
}

impl fmt::Display for ListToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1;3;{};{};", self.list, self.at.to_dotnet_ticks())?;
        match self.position {
            Some(position) => position.fmt(f),
            None => f.write_str("-1"),
        }
    }
}

impl FromStr for ListToken {
    type Err = StateFault;

    /// Reads exactly the five fields, version 1 and scope 3.
    fn from_str(text: &str) -> Result<Self, StateFault> {
        let fields: Vec<&str> = text.trim().splitn(6, ';').collect();
        let ["1", "3", list, ticks, position] = fields.as_slice() else { return Err(StateFault::Corrupt) };
        let list = list.parse().map_err(|_| StateFault::Corrupt)?;
        let at = Time::from_dotnet_ticks(digits(ticks)?);
        let position = if *position == "-1" { None } else { Some(Seq::from_i64(digits(position)?)) };
        Ok(Self { list, at, position })
    }
}

/// A number below 2^63, written in digits alone.
fn digits(text: &str) -> Result<i64, StateFault> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain).ok_or(StateFault::Corrupt)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states() -> Vec<SyncState> {
        let state = |subject| SyncState { mailbox: Guid([7; 16]), epoch: u64::MAX, issued: Seq(1 << 62), subject };
        let items = |scope, drain| Subject::Items {
            folder: CollectionId(300),
            scope,
            marks: Marks { created: Seq(0), changed: Seq(127), drain },
            pane: None,
        };
        let pane = |scope, floor| {
            let marks = Marks { created: Seq(0), changed: Seq(127), drain: None };
            let window = Window { days: 7, newest_min: 200, newest_max: u32::MAX };
            Subject::Items { folder: CollectionId(300), scope, marks, pane: Some(Pane { window, floor }) }
        };
        let drain = |phase| Some(Drain { until: Seq(128), phase, cursor: Seq(16_384) });
        vec![
            state(items(SyncScope::Normal, None)),
            state(items(SyncScope::NormalAndAssociated, drain(Phase::Creates))),
            state(items(SyncScope::Associated, drain(Phase::Changes))),
            state(pane(SyncScope::Normal, (Time(i64::MIN), ItemId(0)))),
            state(pane(SyncScope::NormalAndAssociated, (Time(1 << 57), ItemId(1 << 40)))),
            state(Subject::Folders { under: None }),
            state(Subject::Folders { under: Some(CollectionId(1)) }),
            state(Subject::Shared { under: None, viewer: RootId(9), known: Vec::new() }),
            state(Subject::Shared {
                under: Some(CollectionId(1)),
                viewer: RootId(9),
                known: vec![CollectionId(200), CollectionId(3)],
            }),
        ]
    }

    #[test]
    fn sealed_states_come_back_and_nothing_else_does() {
        let sealer = Sealer::new(b"secret");
        for state in states() {
            let bytes = sealer.seal(&state);
            assert!(bytes.len() < 80);
            assert_eq!(sealer.open(&bytes), Ok(state));
            assert_eq!(Sealer::new(b"another").open(&bytes), Err(StateFault::Corrupt));
            for at in 0..bytes.len() {
                assert_eq!(sealer.open(&bytes[..at]), Err(StateFault::Corrupt));
                let mut bent = bytes.clone();
                bent[at] ^= 0x10;
                assert_eq!(sealer.open(&bent), Err(StateFault::Corrupt));
            }
        }
        assert_eq!(sealer.open(b""), Err(StateFault::Corrupt));
    }

    #[test]
    fn a_sealed_body_must_still_make_sense() {
        let sealer = Sealer::new(b"secret");
        for body in [&[][..], &[1], &[2, 1], &[1, 9], &[1, 2, 0], &[0xff; 40]] {
            let mut bytes = body.to_vec();
            bytes.extend(sealer.seal_of(body).finalize().into_bytes().iter().take(SEAL_BYTES));
            assert_eq!(sealer.open(&bytes), Err(StateFault::Corrupt), "{body:?}");
        }
    }

    #[test]
    fn timelines() {
        let epoch = |epoch, first| Epoch { epoch, first_seq: Seq(first), at: Time(0) };
        let epochs = [epoch(1, 0), epoch(2, 10), epoch(3, 20)];
        let check = |epoch, issued| {
            let subject = Subject::Folders { under: None };
            let state = SyncState { mailbox: Guid::NIL, epoch, issued: Seq(issued), subject };
            let outcome = state.check_timeline(Some(&epochs), Seq(25));
            if epoch == 3 {
                assert_eq!(state.check_timeline(None, Seq(25)), outcome);
            }
            outcome
        };
        for (epoch, issued, fine) in [
            (1, 0, true),
            (1, 10, true),
            (1, 11, false),
            (2, 10, true),
            (2, 9, false),
            (2, 20, true),
            (2, 21, false),
            (3, 25, true),
            (3, 26, false),
            (4, 5, false),
        ] {
            assert_eq!(check(epoch, issued).is_ok(), fine, "{epoch} {issued}");
        }
        // The first two have been trimmed.
        let check = |epoch, issued| {
            let subject = Subject::Folders { under: None };
            let state = SyncState { mailbox: Guid::NIL, epoch, issued: Seq(issued), subject };
            state.check_timeline(epochs.get(2..), Seq(25))
        };
        assert_eq!(check(2, 19), Err(StateFault::Expired));
        assert_eq!(check(2, 20), Err(StateFault::LostTimeline));
        assert_eq!(check(9, 22), Err(StateFault::LostTimeline));
        assert_eq!(check(3, 20), Ok(()));
    }

    #[test]
    fn list_tokens() {
        let text = "1;3;9153fdd3-7c00-47e9-9194-956bb20aaa8d;633247934080930000;2126";
        let token: ListToken = text.parse().unwrap();
        assert_eq!(token.to_string(), text);
        assert_eq!(token.position, Some(Seq(2_126)));
        let by_time = text.replace("2126", "-1");
        assert_eq!(by_time.parse::<ListToken>().unwrap().position, None);
        assert_eq!(by_time.parse::<ListToken>().unwrap().to_string(), by_time);
        let guid = "9153fdd3-7c00-47e9-9194-956bb20aaa8d";
        for bad in [
            "",
            "1",
            "1;3",
            &format!("1;3;{guid};1"),
            &format!("1;3;{guid};1;1;"),
            &format!("1;3;{guid};1;1;1"),
            &format!("2;3;{guid};1;1"),
            &format!("1;2;{guid};1;1"),
            &format!("01;3;{guid};1;1"),
            &format!("1;3;{guid};1;-2"),
            &format!("1;3;{guid};-1;1"),
            &format!("1;3;{guid};+1;1"),
            &format!("1;3;{guid};1;+1"),
            &format!("1;3;{guid};1; 1"),
            &format!("1;3;{guid};;1"),
            &format!("1;3;{guid};1;"),
            &format!("1;3;{guid};9223372036854775808;1"),
            &format!("1;3;{guid};1;9223372036854775808"),
            "1;3;not-a-guid;1;1",
        ] {
            assert_eq!(bad.parse::<ListToken>(), Err(StateFault::Corrupt), "{bad}");
        }
    }
}
