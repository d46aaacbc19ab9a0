//! The two tokens of notifications: a subscription, which says all there is to know about it, and a watermark, which says
//! how far its client has come. Sealed as the states of [`crate::token`] are, and of the same form: `version · kind ·
//! mailbox GUID · epoch · issued · what the kind needs · seal`.

use model::{CollectionId, Guid, RootId, Seq, Time};

use super::{Channel, EventKinds, Watch};
use crate::StateFault;
use crate::token::{KIND_SUBSCRIPTION, KIND_WATERMARK, Reader, Sealer, VERSION, put};

const PULL: u8 = 0;
const STREAMING: u8 = 1;

/// What every token of a mailbox says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Issued {
    /// Whose mailbox it is about.
    pub(crate) mailbox: Guid,
    /// The latest start that had written to the mailbox when it was issued.
    pub(crate) epoch: u64,
    /// The last position of the mailbox then.
    pub(crate) position: Seq,
}

/// What a subscription id says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SubscriptionToken {
    pub(crate) issued: Issued,
    /// Where the subscription begins.
    pub(crate) from: Seq,
    pub(crate) channel: Channel,
    /// Who may use it: the account in whose name it was made.
    pub(crate) account: RootId,
    /// Who made it: another, where that one acted as the account.
    pub(crate) creator: RootId,
    /// When it is over.
    pub(crate) ends: Time,
    /// What tells it from all others.
    pub(crate) nonce: Guid,
    pub(crate) watch: Watch,
}

/// What a watermark says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WatermarkToken {
    pub(crate) issued: Issued,
    /// Against what kinds of changes are judged: all before is known.
    pub(crate) base: Seq,
    /// What was told: all up to here.
    pub(crate) cursor: Seq,
    /// When it was given out.
    pub(crate) at: Time,
}

impl Issued {
    fn begin(&self, kind: u8) -> Vec<u8> {
        let mut out = vec![VERSION, kind];
        out.extend(self.mailbox.0);
        out.extend(self.epoch.to_le_bytes());
        put(&mut out, self.position.0);
        out
    }

    /// The beginning of a token of that kind, and what follows it.
    fn read<'a>(sealer: &Sealer, bytes: &'a [u8], kind: u8) -> Result<(Self, Reader<'a>), StateFault> {
        let mut reader = Reader(sealer.inside(bytes)?);
        let mut issued = || {
            let fits = reader.byte()? == VERSION && reader.byte()? == kind;
            let mailbox = Guid(reader.fixed()?);
            let epoch = u64::from_le_bytes(reader.fixed()?);
            let position = Seq(reader.number()?);
            fits.then_some(Self { mailbox, epoch, position })
        };
        let issued = issued().ok_or(StateFault::Corrupt)?;
        Ok((issued, reader))
    }
}

impl SubscriptionToken {
    /// The bytes that go to the client.
    pub(crate) fn seal(&self, sealer: &Sealer) -> Vec<u8> {
        let mut out = self.issued.begin(KIND_SUBSCRIPTION);
        put(&mut out, self.from.0);
        match self.channel {
            Channel::Pull { idle_minutes } => {
                out.push(PULL);
                put(&mut out, u64::from(idle_minutes));
            }
            Channel::Streaming => out.push(STREAMING),
        }
        out.push(self.watch.kinds.bits());
        put(&mut out, self.account.0);
        put(&mut out, self.creator.0);
        out.extend(self.ends.0.to_le_bytes());
        out.extend(self.nonce.0);
        self.watch.folders.iter().for_each(|folder| put(&mut out, folder.0));
        sealer.close(out)
    }

    /// Reads what [`Self::seal`] wrote.
    pub(crate) fn open(sealer: &Sealer, bytes: &[u8]) -> Result<Self, StateFault> {
        let (issued, mut reader) = Issued::read(sealer, bytes, KIND_SUBSCRIPTION)?;
        let mut rest = || {
            let from = Seq(reader.number()?);
            let channel = match reader.byte()? {
                PULL => Channel::Pull { idle_minutes: u32::try_from(reader.number()?).ok()? },
                STREAMING => Channel::Streaming,
                _ => return None,
            };
            let kinds = EventKinds::from_bits(reader.byte()?)?;
            let (account, creator) = (RootId(reader.number()?), RootId(reader.number()?));
            let ends = Time(i64::from_le_bytes(reader.fixed()?));
            let nonce = Guid(reader.fixed()?);
            let mut folders = Vec::new();
            while !reader.0.is_empty() {
                folders.push(CollectionId(reader.number()?));
            }
            Some(Self { issued, from, channel, account, creator, ends, nonce, watch: Watch { folders, kinds } })
        };
        rest().ok_or(StateFault::Corrupt)
    }

    /// The name under which the store keeps something about it: in the order in which subscriptions end.
    pub(crate) fn name(&self) -> Vec<u8> {
        [&self.ends.0.to_be_bytes()[..], &self.nonce.0].concat()
    }
}

/// When the subscription of a [`SubscriptionToken::name`] is over.
pub(crate) fn end_of_name(name: &[u8]) -> Time {
    Time(name.first_chunk().map_or(i64::MIN, |bytes: &[u8; 8]| i64::from_be_bytes(*bytes)))
}

impl WatermarkToken {
    /// The bytes that go to the client.
    pub(crate) fn seal(&self, sealer: &Sealer) -> Vec<u8> {
        let mut out = self.issued.begin(KIND_WATERMARK);
        put(&mut out, self.base.0);
        put(&mut out, self.cursor.0);
        out.extend(self.at.0.to_le_bytes());
        sealer.close(out)
    }

    /// Reads what [`Self::seal`] wrote.
    pub(crate) fn open(sealer: &Sealer, bytes: &[u8]) -> Result<Self, StateFault> {
        let (issued, mut reader) = Issued::read(sealer, bytes, KIND_WATERMARK)?;
        let mut rest = || {
            let (base, cursor) = (Seq(reader.number()?), Seq(reader.number()?));
            let at = Time(i64::from_le_bytes(reader.fixed()?));
            reader.0.is_empty().then_some(Self { issued, base, cursor, at })
        };
        rest().ok_or(StateFault::Corrupt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_and_nothing_else_does() {
        let sealer = Sealer::new(b"secret");
        let issued = Issued { mailbox: Guid([7; 16]), epoch: 9, position: Seq(300) };
        let mut subscriptions = Vec::new();
        for (channel, folders) in [
            (Channel::Pull { idle_minutes: 1_440 }, vec![]),
            (Channel::Streaming, vec![CollectionId(3), CollectionId(400)]),
        ] {
            let watch = Watch { folders, kinds: EventKinds::ALL };
            let (account, creator) = (RootId(5), RootId(6));
            let (ends, nonce) = (Time(1 << 57), Guid([3; 16]));
            let token = SubscriptionToken { issued, from: Seq(2), channel, account, creator, ends, nonce, watch };
            let bytes = token.seal(&sealer);
            assert_eq!(SubscriptionToken::open(&sealer, &bytes), Ok(token.clone()));
            assert_eq!(end_of_name(&token.name()), ends);
            subscriptions.push(bytes);
        }
        let token = WatermarkToken { issued, base: Seq(200), cursor: Seq(250), at: Time(17) };
        let watermark = token.seal(&sealer);
        assert_eq!(WatermarkToken::open(&sealer, &watermark), Ok(token));
        assert_eq!(SubscriptionToken::open(&sealer, &watermark), Err(StateFault::Corrupt));
        for bytes in subscriptions {
            assert_eq!(WatermarkToken::open(&sealer, &bytes), Err(StateFault::Corrupt));
            for at in 0..bytes.len() {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1;
                assert_eq!(SubscriptionToken::open(&sealer, &damaged), Err(StateFault::Corrupt), "{at}");
            }
        }
    }
}
