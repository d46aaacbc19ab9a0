//! Sending answers that are made while they are sent. They are made on the thread that may block, a few pieces ahead of
//! the connection, and within a time: a client that does not take its answer must not keep a thread and a snapshot.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::stream;
use http::Response;
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, StreamBody};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};

use crate::adapters::Body;

/// Pieces of an answer that are made before the connection takes them.
const PIECES_AHEAD_MAX: usize = 2;

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// To take one more piece.
    pub(crate) piece: Duration,
    /// To take the whole.
    pub(crate) whole: Duration,
}

/// Hands an answer to the connection, which waits at the other end of `head`. Returns when the whole body is made, the
/// client is gone, or its time is up; in the last two cases the connection is cut, so that no part is taken for the
/// whole.
pub(crate) async fn send(response: Response<Body>, head: oneshot::Sender<Response<Body>>, patience: Patience) {
    if response.body().size_hint().exact().is_some() {
        // It is made already. Nobody waits for it where the client is gone.
        let _ = head.send(response);
        return;
    }
    let (parts, mut body) = response.into_parts();
    let (pieces, receiver) = mpsc::channel(PIECES_AHEAD_MAX);
    let whole = Arc::new(AtomicBool::new(false));
    if head.send(Response::from_parts(parts, received(receiver, Arc::clone(&whole)))).is_err() {
        return;
    }
    let deadline = Instant::now() + patience.whole;
    while let Some(piece) = body.frame().await {
        let ends = piece.is_err();
        let until = deadline.min(Instant::now() + patience.piece);
        match timeout_at(until, pieces.send(piece)).await {
            Ok(Ok(())) if !ends && Instant::now() < deadline => {}
            Ok(Ok(()) | Err(_)) => return,
            Err(_) => {
                tracing::debug!("a client does not take its answer");
                return;
            }
        }
    }
    whole.store(true, Ordering::Release);
}

/// The body at the connection's end. It ends with an error unless the other end says that it is whole.
fn received(receiver: mpsc::Receiver<io::Result<Frame<Bytes>>>, whole: Arc<AtomicBool>) -> Body {
    let pieces = stream::unfold(Some(receiver), move |state| {
        let whole = Arc::clone(&whole);
        async move {
            let mut receiver = state?;
            match receiver.recv().await {
                Some(piece) => Some((piece, Some(receiver))),
                None if whole.load(Ordering::Acquire) => None,
                None => Some((Err(io::Error::other("the answer broke off")), None)),
            }
        }
    });
    StreamBody::new(pieces).boxed_unsync()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience { piece: Duration::from_millis(20), whole: Duration::from_secs(20) };

    fn made(pieces: usize, fault: Option<usize>) -> Response<Body> {
        let pieces = (0..pieces).map(move |at| match fault {
            Some(fault) if fault == at => Err(io::Error::other("the store failed")),
            _ => Ok(Frame::data(Bytes::from_static(b"piece "))),
        });
        Response::new(StreamBody::new(stream::iter(pieces)).boxed_unsync())
    }

    #[tokio::test]
    async fn an_answer_arrives_whole_or_is_cut() {
        for (fault, whole) in [(None, true), (Some(5), false), (Some(0), false)] {
            let (head, told) = oneshot::channel();
            let sending = tokio::spawn(send(made(20, fault), head, PATIENCE));
            let body = told.await.unwrap().into_body().collect().await;
            assert_eq!(body.map(|body| body.to_bytes().len()).ok(), whole.then_some(120), "{fault:?}");
            sending.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_cut() {
        let (head, told) = oneshot::channel();
        let sending = tokio::spawn(send(made(1_000_000, None), head, PATIENCE));
        let response = told.await.unwrap();
        sending.await.unwrap();
        assert!(response.into_body().collect().await.is_err());
        let (head, told) = oneshot::channel();
        let slow = Patience { whole: Duration::from_millis(50), ..PATIENCE };
        let sending = tokio::spawn(send(made(1_000_000, None), head, slow));
        let mut body = told.await.unwrap().into_body();
        while let Some(Ok(_)) = body.frame().await {}
        sending.await.unwrap();
    }

    #[tokio::test]
    async fn a_client_that_is_gone_ends_it() {
        let (head, told) = oneshot::channel();
        drop(told);
        send(made(1_000_000, None), head, PATIENCE).await;
        let (head, told) = oneshot::channel();
        let sending = tokio::spawn(send(made(1_000_000, None), head, PATIENCE));
        drop(told.await.unwrap());
        sending.await.unwrap();
    }

    #[tokio::test]
    async fn a_made_answer_goes_through() {
        let (head, told) = oneshot::channel();
        send(Response::new(crate::answer::body("text")), head, PATIENCE).await;
        assert_eq!(told.await.unwrap().into_body().size_hint().exact(), Some(4));
    }
}
