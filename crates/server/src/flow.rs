//! Sending answers that are made while they are sent. They are made on the thread that may block, a few pieces ahead of
//! the connection, and within a time: a client that does not take its answer must not keep a thread and a snapshot.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
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
    time::{Instant, timeout, timeout_at},
};

use crate::{
    adapters::Body,
    hanging::{Gone, Taking},
};

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
    if head.send(Response::from_parts(parts, received(receiver, Arc::clone(&whole), Arc::default()))).is_err() {
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

/// How long a request that hung may take to keep what it has to, once its client is gone.
const LAST_WORK: Duration = Duration::from_secs(10);

/// As [`send`], for an answer that waits for things to happen: it takes no thread meanwhile. Each piece is made after the
/// connection has taken the one before. Where the client is gone, or does not take a piece in time, the answer is told so
/// and run to its end, for nobody.
pub(crate) async fn hang(response: Response<Body>, head: oneshot::Sender<Response<Body>>, piece: Duration, gone: Gone) {
    let (parts, mut body) = response.into_parts();
    let (pieces, receiver) = mpsc::channel(1);
    let whole = Arc::new(AtomicBool::new(false));
    // Where nobody waits any more, the channel is closed.
    let (taken, mut given) = (Arc::<AtomicUsize>::default(), 0);
    let _ = head.send(Response::from_parts(parts, received(receiver, Arc::clone(&whole), Arc::clone(&taken))));
    while let Ok(Ok(place)) = timeout(piece, pieces.reserve()).await {
        let next = tokio::select! {
            next = made(&mut body) => next,
            () = pieces.closed() => break,
        };
        match next {
            Some(Ok(next)) => {
                given += 1;
                place.send(Ok(next));
            }
            Some(Err(error)) => return place.send(Err(error)),
            None => return whole.store(true, Ordering::Release),
        }
    }
    let took_all = taken.load(Ordering::Acquire) == given;
    gone.send_replace(Some(if took_all { Taking::All } else { Taking::Less }));
    let rest = async { while let Some(Ok(_)) = made(&mut body).await {} };
    if timeout(LAST_WORK, rest).await.is_err() {
        tracing::warn!("a request that hung did not end in time");
    }
}

/// The next piece of a body whose making may block for a while: others get another thread then.
async fn made(body: &mut Body) -> Option<io::Result<Frame<Bytes>>> {
    std::future::poll_fn(|context| tokio::task::block_in_place(|| Pin::new(&mut *body).poll_frame(context))).await
}

/// The body at the connection's end, which counts the pieces that were taken. It ends with an error unless the other end
/// says that it is whole.
fn received(
    receiver: mpsc::Receiver<io::Result<Frame<Bytes>>>,
    whole: Arc<AtomicBool>,
    taken: Arc<AtomicUsize>,
) -> Body {
    let pieces = stream::unfold(Some(receiver), move |state| {
        let (whole, taken) = (Arc::clone(&whole), Arc::clone(&taken));
        async move {
            let mut receiver = state?;
            match receiver.recv().await {
                Some(piece) => {
                    taken.fetch_add(1, Ordering::AcqRel);
                    Some((piece, Some(receiver)))
                }
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

    #[tokio::test(flavor = "multi_thread")]
    async fn a_hanging_answer_knows_what_was_taken() {
        use tokio::sync::watch;
        // Two pieces, then it waits to be told that nobody listens, and notes it.
        let begin = |is_gone: watch::Receiver<Option<Taking>>, made: Arc<AtomicUsize>| {
            let pieces = stream::unfold((0, is_gone), move |(number, mut is_gone)| {
                let made = Arc::clone(&made);
                async move {
                    if number == 2 {
                        is_gone.wait_for(Option::is_some).await.ok()?;
                    }
                    made.fetch_add(1, Ordering::SeqCst);
                    let piece = Ok::<_, io::Error>(Frame::data(Bytes::from_static(b"piece ")));
                    (number < 3).then_some((piece, (number + 1, is_gone)))
                }
            });
            Response::new(StreamBody::new(pieces).boxed_unsync())
        };
        let start = || {
            let (made, (gone, is_gone), (head, told)) = (Arc::default(), watch::channel(None), oneshot::channel());
            let response = begin(is_gone.clone(), Arc::clone(&made));
            (made, is_gone, tokio::spawn(hang(response, head, PATIENCE.whole, gone)), told)
        };
        let (made, is_gone, hanging, told) = start();
        let mut body = told.await.unwrap().into_body();
        assert!(made.load(Ordering::SeqCst) <= 1);
        for _ in 0..2 {
            body.frame().await.unwrap().unwrap();
        }
        drop(body);
        hanging.await.unwrap();
        assert_eq!((made.load(Ordering::SeqCst), *is_gone.borrow()), (4, Some(Taking::All)));
        // A client that does not take what there is counts as gone.
        let ((gone, is_gone), (head, told)) = (watch::channel(None), oneshot::channel());
        let response = begin(is_gone.clone(), Arc::default());
        let hanging = tokio::spawn(hang(response, head, PATIENCE.piece, gone));
        let body = told.await.unwrap();
        hanging.await.unwrap();
        assert_eq!(*is_gone.borrow(), Some(Taking::Less));
        drop(body);
    }

    #[tokio::test]
    async fn a_made_answer_goes_through() {
        let (head, told) = oneshot::channel();
        send(Response::new(crate::answer::body("text")), head, PATIENCE).await;
        assert_eq!(told.await.unwrap().into_body().size_hint().exact(), Some(4));
    }
}
