//! The address for those who watch the server: figures and health, apart from what is served, so that no proxy shows them to
//! the world by mistake.

use std::{convert::Infallible, sync::Arc, time::Duration};

use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::TcpListener,
    sync::Semaphore,
    time::{interval, sleep},
};

use crate::{
    metrics::{Metrics, UPKEEP},
    service::Service,
};

/// Connections at the same time.
const CONNECTIONS_MAX: usize = 32;
/// How long a request head may take, and an idle connection is kept.
const IDLE: Duration = Duration::from_secs(60);
/// Pause after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Answers on this address until the program ends: also while it drains.
pub(crate) async fn serve(listener: TcpListener, service: Arc<Service>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let service = Arc::clone(&service);
        tokio::spawn(async move {
            let answer = service_fn(move |request: Request<Incoming>| {
                let service = Arc::clone(&service);
                async move { Ok::<_, Infallible>(service.monitor(request.uri().path()).await) }
            });
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(IDLE);
            if let Err(error) = builder.serve_connection(TokioIo::new(stream), answer).await {
                tracing::debug!("a connection of a watcher ended: {error}");
            }
            drop(place);
        });
    }
}

/// Adds up what was measured, again and again: between two questions it takes room.
pub(crate) async fn keep_up(metrics: Arc<Metrics>) {
    let mut ticks = interval(UPKEEP);
    loop {
        ticks.tick().await;
        metrics.keep_up();
    }
}
