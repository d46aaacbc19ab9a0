//! Taking in request bodies: bounded in bytes, in time, and in memory over all requests.

use std::{io::Read as _, path::PathBuf, sync::Arc, time::Duration};

use bytes::{Buf as _, Bytes, BytesMut};
use ews::Spools;
use flate2::read::MultiGzDecoder;
use http::{HeaderMap, HeaderValue, header};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout, timeout_at},
};

use crate::{
    answer::Refusal,
    config::Config,
    spool::{self, Filter},
};

/// Bytes for which one permit stands.
const UNIT_BYTES: u64 = 1_024;
/// Bodies unpacked at the same time.
const UNPACKING_MAX: usize = 4;
/// Bytes unpacked between two looks at the bounds.
const PIECE_BYTES: usize = 1 << 20;
/// Bytes of a request of EWS from which on, and after which each time, its payloads go to a file.
const SPOOL_BYTES_MIN: usize = 1 << 20;
/// Bytes read on after a refusal beyond what a body may have, so that the client sees the answer before the connection
/// closes.
const LINGER_BYTES_MAX: u64 = 16 << 20;
/// How long that may take.
const LINGER: Duration = Duration::from_secs(10);

/// Takes in bodies.
pub(crate) struct Intake {
    /// Where files for payloads are made.
    directory: PathBuf,
    bytes_max: u64,
    idle: Duration,
    whole: Duration,
    wait: Duration,
    memory: Arc<Semaphore>,
    units: usize,
    unpacking: Semaphore,
}

impl Intake {
    pub(crate) fn new(config: &Config, directory: PathBuf) -> Self {
        let units = config.bodies_bytes_max.max(config.body_bytes_max).div_ceil(UNIT_BYTES);
        let units = usize::try_from(units).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self {
            directory,
            bytes_max: config.body_bytes_max,
            idle: Duration::from_secs(config.body_idle_seconds),
            whole: Duration::from_secs(config.body_seconds),
            wait: Duration::from_secs(config.request_wait_seconds),
            unpacking: Semaphore::new(UNPACKING_MAX),
            memory: Arc::new(Semaphore::new(units)),
            units,
        }
    }

    /// Memory that bodies hold.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.units.saturating_sub(self.memory.available_permits()) as u64 * UNIT_BYTES
    }

    /// Reads a body, with the memory it holds, and unpacks it; the headers then tell of the unpacked one. One that is
    /// announced as too large is refused before it is read. Where it is packed, what came is in memory meanwhile.
    pub(crate) async fn read(&self, headers: &mut HeaderMap, body: Incoming, kind: Kind) -> Result<Taken, Refusal> {
        let Some(encoding) = Encoding::read(headers) else {
            if !headers.contains_key(header::EXPECT) {
                self.discard(body, 0);
            }
            return Err(Refusal::Encoded);
        };
        if encoding == Encoding::Plain {
            return self.take(headers, body, kind).await;
        }
        let packed = self.take(headers, body, Kind::Whole).await?;
        let taken = self.unpack(packed, kind).await?;
        headers.remove(header::CONTENT_ENCODING);
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(taken.bytes.len()));
        Ok(taken)
    }

    async fn take(&self, headers: &HeaderMap, mut body: Incoming, kind: Kind) -> Result<Taken, Refusal> {
        let announced = body.size_hint().exact();
        if announced.is_some_and(|bytes| bytes > self.bytes_max) {
            if !headers.contains_key(header::EXPECT) {
                self.discard(body, 0);
            }
            return Err(Refusal::TooLarge);
        }
        let mut held = None;
        let mut held_bytes = announced.unwrap_or_default();
        self.hold(&mut held, held_bytes).await?;
        let mut gathering = self.gathering(kind, held_bytes);
        let deadline = Instant::now() + self.whole;
        loop {
            let piece = match timeout_at(deadline, timeout(self.idle, body.frame())).await {
                Ok(Ok(None)) => break,
                Ok(Ok(Some(Ok(frame)))) => frame.into_data().unwrap_or_default(),
                Ok(Ok(Some(Err(_)))) => return Err(Refusal::Broken),
                Ok(Err(_)) | Err(_) => return Err(Refusal::TooSlow),
            };
            let total = gathering.taken + piece.len() as u64;
            if total > self.bytes_max {
                self.discard(body, total);
                return Err(Refusal::TooLarge);
            }
            if total > held_bytes {
                self.hold(&mut held, total - held_bytes).await?;
                held_bytes = total;
            }
            gathering.add(&piece).await?;
        }
        gathering.finish(held).await
    }

    /// Unpacks a body on a thread that may block. The unpacked bytes are bounded as plain ones are, and held in memory
    /// in place of the packed ones.
    async fn unpack(&self, packed: Taken, kind: Kind) -> Result<Taken, Refusal> {
        let Ok(Ok(_turn)) = timeout(self.wait, self.unpacking.acquire()).await else { return Err(Refusal::Busy) };
        let mut held = None;
        let mut decoder = MultiGzDecoder::new(packed.bytes.reader());
        let mut gathering = self.gathering(kind, 0);
        loop {
            self.hold(&mut held, PIECE_BYTES as u64).await?;
            let piece = tokio::task::spawn_blocking(move || {
                let mut piece = Vec::with_capacity(PIECE_BYTES);
                let read = decoder.by_ref().take(PIECE_BYTES as u64).read_to_end(&mut piece);
                read.map(|_| (piece, decoder))
            });
            let Ok(Ok((piece, rest))) = piece.await else { return Err(Refusal::Broken) };
            decoder = rest;
            if gathering.taken + piece.len() as u64 > self.bytes_max {
                return Err(Refusal::TooLarge);
            }
            gathering.add(&piece).await?;
            if piece.len() < PIECE_BYTES {
                drop(packed.held);
                return gathering.finish(held).await;
            }
        }
    }

    /// A body of which `announced` bytes will come, if they are known.
    fn gathering(&self, kind: Kind, announced: u64) -> Gathering {
        let spooling = (kind == Kind::Ews).then(|| self.directory.clone());
        let announced = if spooling.is_some() { announced.min(SPOOL_BYTES_MIN as u64) } else { announced };
        let bytes = BytesMut::with_capacity(usize::try_from(announced).unwrap_or_default());
        Gathering { taken: 0, bytes, spooling, filter: None }
    }

    /// Reads on beside the answer, within bounds, where `taken` bytes have been read.
    pub(crate) fn discard(&self, body: Incoming, taken: u64) {
        let rest = (self.bytes_max + LINGER_BYTES_MAX).saturating_sub(taken);
        tokio::spawn(async move { timeout(LINGER, discard_bounded(body, rest)).await });
    }

    async fn hold(&self, held: &mut Option<OwnedSemaphorePermit>, bytes: u64) -> Result<(), Refusal> {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
        let more = timeout(self.wait, Arc::clone(&self.memory).acquire_many_owned(units));
        let Ok(Ok(more)) = more.await else { return Err(Refusal::Busy) };
        match held {
            Some(held) => held.merge(more),
            None => *held = Some(more),
        }
        Ok(())
    }
}

/// What is done with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It is kept in memory as it is.
    Whole,
    /// It is a request of EWS: of a large one, the payloads go to a file.
    Ews,
}

/// A body that was read.
pub(crate) struct Taken {
    /// What of it is in memory.
    pub(crate) bytes: Bytes,
    /// What of it is not.
    pub(crate) spools: Spools,
    /// What all of it counts for, so that disk is bounded as memory is.
    pub(crate) held: Option<OwnedSemaphorePermit>,
}

/// A body as far as it has come.
struct Gathering {
    /// Bytes that have come.
    taken: u64,
    /// Those that are in memory and no filter has seen.
    bytes: BytesMut,
    /// Where payloads go, if they go anywhere.
    spooling: Option<PathBuf>,
    filter: Option<Filter>,
}

impl Gathering {
    async fn add(&mut self, piece: &[u8]) -> Result<(), Refusal> {
        self.taken += piece.len() as u64;
        self.bytes.extend_from_slice(piece);
        if let Some(directory) = &self.spooling
            && self.bytes.len() >= SPOOL_BYTES_MIN
        {
            let filter = self.filter.take().unwrap_or_else(|| spool::filter(directory.clone()));
            self.filter = Some(self.pass(filter).await?);
        }
        Ok(())
    }

    /// Shows a filter what has come, on a thread that may block.
    async fn pass(&mut self, mut filter: Filter) -> Result<Filter, Refusal> {
        let mut bytes = std::mem::take(&mut self.bytes);
        let passed = tokio::task::spawn_blocking(move || {
            filter.push(&bytes)?;
            bytes.clear();
            std::io::Result::Ok((filter, bytes))
        });
        let (filter, bytes) = passed.await.map_err(|_| Refusal::Failed)?.map_err(|error| no_room(&error))?;
        self.bytes = bytes;
        Ok(filter)
    }

    async fn finish(mut self, held: Option<OwnedSemaphorePermit>) -> Result<Taken, Refusal> {
        let Some(filter) = self.filter.take() else {
            return Ok(Taken { bytes: self.bytes.freeze(), spools: Spools::new(), held });
        };
        let filter = self.pass(filter).await?;
        let (document, payloads) = filter.finish().map_err(|error| no_room(&error))?;
        Ok(Taken { bytes: document.into(), spools: payloads.into_spools(), held })
    }
}

fn no_room(error: &std::io::Error) -> Refusal {
    tracing::warn!(%error, "a payload cannot be put into a file");
    Refusal::Busy
}

/// How a body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Plain,
    Gzip,
}

impl Encoding {
    /// The encoding that the headers name; none for one that is not read here, or several.
    fn read(headers: &HeaderMap) -> Option<Self> {
        let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
        let Some(encoding) = encodings.next() else { return Some(Self::Plain) };
        let encoding = encoding.to_str().ok()?.trim();
        let is = |name: &str| encoding.eq_ignore_ascii_case(name);
        match encodings.next() {
            Some(_) => None,
            None if is("gzip") || is("x-gzip") => Some(Self::Gzip),
            None if is("identity") || is("") => Some(Self::Plain),
            None => None,
        }
    }
}

/// Reads at most about `bytes_max` bytes away.
pub(crate) async fn discard_bounded(mut body: Incoming, bytes_max: u64) {
    let mut read = 0;
    while let Some(Ok(frame)) = body.frame().await {
        read += frame.data_ref().map_or(0, |data| data.len() as u64);
        if read > bytes_max {
            return;
        }
    }
}
