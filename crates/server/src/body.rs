//! Taking in request bodies: bounded in bytes, in time, and in memory over all requests.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
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
/// Bytes read on after a refusal, so that the client sees the answer before the connection closes.
const LINGER_BYTES_MAX: u64 = 256 << 20;
/// How long that may take.
const LINGER: Duration = Duration::from_secs(10);

/// Takes in bodies.
pub(crate) struct Intake {
    bytes_max: u64,
    idle: Duration,
    whole: Duration,
    wait: Duration,
    memory: Arc<Semaphore>,
}

impl Intake {
    pub(crate) fn new(config: &Config) -> Self {
        let units = config.bodies_bytes_max.max(config.body_bytes_max).div_ceil(UNIT_BYTES);
        Self {
            bytes_max: config.body_bytes_max,
            idle: Duration::from_secs(config.body_idle_seconds),
            whole: Duration::from_secs(config.body_seconds),
            wait: Duration::from_secs(config.request_wait_seconds),
            memory: Arc::new(Semaphore::new(usize::try_from(units).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS))),
        }
    }

    /// Reads a body, with the memory it holds. One that is announced as too large is refused before it is read.
    pub(crate) async fn read(
        &self,
        headers: &HeaderMap,
        mut body: Incoming,
    ) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Refusal> {
        let announced = body.size_hint().exact();
        if announced.is_some_and(|bytes| bytes > self.bytes_max) {
            if !headers.contains_key(header::EXPECT) {
                discard(body);
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
                discard(body);
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

/// Reads on beside the answer, within bounds.
pub(crate) fn discard(body: Incoming) {
    tokio::spawn(async move { timeout(LINGER, discard_bounded(body, LINGER_BYTES_MAX)).await });
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
