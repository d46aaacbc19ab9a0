//! What a request that hangs needs of the program around it: time that passes, an end, and a place.
//!
//! A hanging request costs no thread and no turn among the others; the program runs its body where it runs connections,
//! and bounds how many there are.

use std::any::Any;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use model::RootId;

/// Something to wait for.
pub type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The surroundings of one request, as an extension of it. Without them, or behind those that give no place, no request
/// hangs.
#[derive(Clone)]
pub struct Hangs(pub Arc<dyn Surroundings>);

/// See the module.
pub trait Surroundings: Send + Sync {
    /// Done after so long.
    fn after(&self, wait: Duration) -> Wait;

    /// Done when the program is about to end, or the client is gone: the request ends then, and keeps what it has to.
    fn over(&self) -> Wait;

    /// Whether the client went before the connection took the last piece that it was given.
    fn lost(&self) -> bool;

    /// A place for a hanging request of an account, given back when it is dropped. `None` where there are too many.
    fn place(&self, account: RootId) -> Option<Box<dyn Any + Send>>;
}

/// Marks an answer, as an extension of it, that is made while things happen: it must not be kept from the client, and no
/// thread should wait for it.
#[derive(Clone, Copy, Debug)]
pub struct Hanging;

/// Waits until the first of several is done; says which. Never done where there are none.
pub(crate) async fn first<T>(waits: &mut [Pin<Box<dyn Future<Output = T> + Send + '_>>]) -> (usize, T) {
    std::future::poll_fn(|context| {
        for (at, wait) in waits.iter_mut().enumerate() {
            if let Poll::Ready(done) = wait.as_mut().poll(context) {
                return Poll::Ready((at, done));
            }
        }
        Poll::Pending
    })
    .await
}
