//! Taking in request bodies: bounded in bytes, in time, and in memory over all requests.

use std::{io::Read as _, sync::Arc, time::Duration};

use bytes::{Buf as _, Bytes, BytesMut};
use flate2::read::MultiGzDecoder;
use http::{HeaderMap, HeaderValue, header};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout, timeout_at},
};

use crate::{answer::Refusal, config::Config};

/// Bytes for which one permit stands.
const UNIT_BYTES: u64 = 1_024;
/// Bodies unpacked at the same time.
const UNPACKING_MAX: usize = 4;
/// Bytes unpacked between two looks at the bounds.
const PIECE_BYTES: usize = 1 << 20;
/// Bytes read on after a refusal beyond what a body may have, so that the client sees the answer before the connection
/// closes.
const LINGER_BYTES_MAX: u64 = 16 << 20;
/// How long that may take.
const LINGER: Duration = Duration::from_secs(10);

/// Takes in bodies.
pub(crate) struct Intake {
    bytes_max: u64,
    idle: Duration,
    whole: Duration,
    wait: Duration,
    memory: Arc<Semaphore>,
    unpacking: Semaphore,
}

impl Intake {
    pub(crate) fn new(config: &Config) -> Self {
        let units = config.bodies_bytes_max.max(config.body_bytes_max).div_ceil(UNIT_BYTES);
        Self {
            bytes_max: config.body_bytes_max,
            idle: Duration::from_secs(config.body_idle_seconds),
            whole: Duration::from_secs(config.body_seconds),
            wait: Duration::from_secs(config.request_wait_seconds),
            unpacking: Semaphore::new(UNPACKING_MAX),
            memory: Arc::new(Semaphore::new(usize::try_from(units).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS))),
        }
    }

    /// Reads a body, with the memory it holds, and unpacks it; the headers then tell of the unpacked one. One that is
    /// announced as too large is refused before it is read.
    pub(crate) async fn read(
        &self,
        headers: &mut HeaderMap,
        body: Incoming,
    ) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Refusal> {
        let Some(encoding) = Encoding::read(headers) else {
            if !headers.contains_key(header::EXPECT) {
                self.discard(body, 0);
            }
            return Err(Refusal::Encoded);
        };
        let (bytes, held) = self.take(headers, body).await?;
        if encoding == Encoding::Plain {
            return Ok((bytes, held));
        }
        let (bytes, held) = self.unpack(bytes, held).await?;
        headers.remove(header::CONTENT_ENCODING);
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        Ok((bytes, held))
    }

    async fn take(
        &self,
        headers: &HeaderMap,
        mut body: Incoming,
    ) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Refusal> {
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
        let mut bytes = BytesMut::with_capacity(usize::try_from(held_bytes).unwrap_or_default());
        let deadline = Instant::now() + self.whole;
        loop {
            let piece = match timeout_at(deadline, timeout(self.idle, body.frame())).await {
                Ok(Ok(None)) => break,
                Ok(Ok(Some(Ok(frame)))) => frame.into_data().unwrap_or_default(),
                Ok(Ok(Some(Err(_)))) => return Err(Refusal::Broken),
                Ok(Err(_)) | Err(_) => return Err(Refusal::TooSlow),
            };
            let total = bytes.len() as u64 + piece.len() as u64;
            if total > self.bytes_max {
                self.discard(body, total);
                return Err(Refusal::TooLarge);
            }
            if total > held_bytes {
                self.hold(&mut held, total - held_bytes).await?;
                held_bytes = total;
            }
            bytes.extend_from_slice(&piece);
        }
        Ok((bytes.freeze(), held))
    }

    /// Unpacks a body on a thread that may block. The unpacked bytes are bounded as plain ones are, and held in memory
    /// in place of the packed ones.
    async fn unpack(
        &self,
        packed: Bytes,
        packed_held: Option<OwnedSemaphorePermit>,
    ) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Refusal> {
        let Ok(Ok(_turn)) = timeout(self.wait, self.unpacking.acquire()).await else { return Err(Refusal::Busy) };
        let mut held = None;
        let mut decoder = MultiGzDecoder::new(packed.reader());
        let mut unpacked = BytesMut::new();
        loop {
            self.hold(&mut held, PIECE_BYTES as u64).await?;
            let piece = tokio::task::spawn_blocking(move || {
                let mut piece = Vec::with_capacity(PIECE_BYTES);
                let read = decoder.by_ref().take(PIECE_BYTES as u64).read_to_end(&mut piece);
                read.map(|_| (piece, decoder))
            });
            let Ok(Ok((piece, rest))) = piece.await else { return Err(Refusal::Broken) };
            decoder = rest;
            if (unpacked.len() + piece.len()) as u64 > self.bytes_max {
                return Err(Refusal::TooLarge);
            }
            unpacked.extend_from_slice(&piece);
            if piece.len() < PIECE_BYTES {
                drop(packed_held);
                return Ok((unpacked.freeze(), held));
            }
        }
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
