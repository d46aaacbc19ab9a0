//! The threads that a store works on beside its callers: connections, writers and timers live there, so that the port
//! can be called under any executor or none.

use std::{
    io,
    pin::pin,
    sync::{Arc, mpsc},
    time::Duration,
};

use futures_util::future::{Either, select};
use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::JoinHandle,
    time::Sleep,
};

/// Threads of one store: they move bytes and wait, the work is the database's.
const THREADS: usize = 2;

/// The threads. They end, without waiting for anything, when the last holder lets go: the store, or a snapshot that
/// outlives it. A task on them must not hold this.
#[derive(Debug)]
pub(crate) struct Background {
    runtime: Option<Runtime>,
    handle: Handle,
}

impl Background {
    /// Starts the threads.
    pub(crate) fn start() -> io::Result<Arc<Self>> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("store postgres")
            .enable_io()
            .enable_time()
            .build()?;
        let handle = runtime.handle().clone();
        Ok(Arc::new(Self { runtime: Some(runtime), handle }))
    }

    /// Where tasks are started.
    pub(crate) const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Starts a task.
    pub(crate) fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.handle.spawn(task)
    }

    /// Runs a task and keeps the calling thread until it is done; also from inside another runtime. `None` when the
    /// task panicked.
    pub(crate) fn wait<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (done, result) = mpsc::sync_channel(1);
        self.handle.spawn(async move {
            let _ = done.send(task.await);
        });
        result.recv().ok()
    }

    /// A timer that any executor may poll.
    pub(crate) fn sleep(&self, duration: Duration) -> Sleep {
        let _entered = self.handle.enter();
        tokio::time::sleep(duration)
    }

    /// What the future gives, unless that takes longer. The future is dropped then.
    pub(crate) async fn within<F: Future>(&self, patience: Duration, future: F) -> Option<F::Output> {
        match select(pin!(future), pin!(self.sleep(patience))).await {
            Either::Left((output, _)) => Some(output),
            Either::Right(((), _)) => None,
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
