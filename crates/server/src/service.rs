//! The way of one request: login, route, limits, then the adapter on a thread that may block.

use std::{
    convert::Infallible,
    fmt::Write as _,
    panic::AssertUnwindSafe,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use engine::{Caller, Engine, EngineError, Work};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header, request::Parts};
use http_body::Body as _;
use hyper::body::Incoming;
use store::StoreError;
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch},
    time::{Instant, timeout},
};

use crate::{
    adapters::{Adapters, Body, SiteSurface},
    answer::{self, Protocol, Refusal},
    auth::{Auth, CHALLENGE, Login},
    body::{self, Intake, Taken},
    config::Config,
    flow::{self, Patience},
    hanging::{Gone, Places},
    health::{Health, Phase},
    metrics::{self, Metrics},
    pack,
    route::{self, Route},
    server::StartError,
    status,
};

/// Logins looked up at the same time.
const LOOKUPS_MAX: usize = 32;
/// Bytes of a body that are read from somebody who is not let in, so that the connection can be used again.
const UNWANTED_BYTES_MAX: u64 = 256 << 10;
/// How long that may take.
const UNWANTED_WAIT: Duration = Duration::from_secs(5);

/// The id that a client gives its request, for its own records.
const REQUEST_ID: &str = "client-request-id";
/// Whether it wants the id back.
const RETURN_REQUEST_ID: &str = "return-client-request-id";
/// Bytes of an id that is returned; a GUID has at most 38.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// What all requests share.
pub(crate) struct Service {
    config: Config,
    engine: Engine,
    adapters: Adapters,
    auth: Auth,
    intake: Intake,
    /// Requests that are worked on.
    working: Arc<Semaphore>,
    /// Requests that are worked on or wait for it.
    present: Arc<Semaphore>,
    lookups: Semaphore,
    checks: Semaphore,
    health: Health,
    metrics: Arc<Metrics>,
    connections: AtomicU64,
    hanging: Arc<Places>,
}

/// What a request holds while it is worked on: its place, its turn, the memory of its body.
type Permits = (OwnedSemaphorePermit, OwnedSemaphorePermit, Option<OwnedSemaphorePermit>);

/// Work for an adapter.
struct Call {
    caller: Caller,
    base_url: String,
    request: Request<Bytes>,
}

impl Service {
    pub(crate) fn new(
        config: &Config,
        engine: &Engine,
        spools: PathBuf,
        phase: watch::Receiver<Phase>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, StartError> {
        let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Ok(Self {
            auth: Auth::new(engine.clone(), config.login_cache_seconds, config.login_cache_max)?,
            adapters: Adapters::new(config, engine),
            hanging: Places::new(config, phase.clone()),
            health: Health::new(engine.clone(), phase),
            metrics,
            connections: AtomicU64::new(0),
            engine: engine.clone(),
            intake: Intake::new(config, spools),
            working: Arc::new(Semaphore::new(count(config.requests_max))),
            present: Arc::new(Semaphore::new(count(config.requests_max.saturating_add(config.requests_waiting_max)))),
            lookups: Semaphore::new(LOOKUPS_MAX),
            checks: Semaphore::new(count(config.password_checks_max)),
            config: config.clone(),
        })
    }

    /// Answers a request.
    pub(crate) async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        let started = Instant::now();
        let protocol = Route::read(request.uri().path()).protocol();
        let (method, path, version) = (request.method().clone(), request.uri().path().to_owned(), request.version());
        let (parts, body) = request.into_parts();
        let echoed = request_id(&parts.headers);
        let (caller, mut response) = Box::pin(self.respond(parts, body)).await;
        if let Some(echoed) = echoed {
            response.headers_mut().insert(REQUEST_ID, echoed);
        }
        if self.health.phase() > Phase::Serving && version < Version::HTTP_2 {
            // So that nobody sends the next request into a connection that is being closed.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let status = response.status().as_u16();
        let operation = operation(&response, &method);
        self.metrics.request(protocol.name(), operation, status, started.elapsed());
        tracing::debug!(
            target: "highwater::request",
            %method,
            path,
            operation,
            status,
            caller = caller.map(|caller| caller.address).unwrap_or_default(),
            milliseconds = started.elapsed().as_millis() as u64,
        );
        Ok(response)
    }

    /// What is said to those who watch the server, without a login: how it is, and what it has done.
    pub(crate) async fn monitor(&self, path: &str) -> Response<Body> {
        match path {
            "/healthz" => Health::alive(),
            "/readyz" => self.health.ready().await,
            "/metrics" => {
                self.note_gauges();
                answer::typed(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", self.metrics.render())
            }
            _ => answer::refusal(Protocol::Plain, Refusal::NotFound),
        }
    }

    fn note_gauges(&self) {
        let taken = |semaphore: &Semaphore, all: u64| all.saturating_sub(semaphore.available_permits() as u64) as f64;
        let (at_work, all) = (self.config.requests_max, self.config.requests_max + self.config.requests_waiting_max);
        let working = taken(&self.working, at_work);
        for (name, value) in [
            (metrics::WORKING, working),
            (metrics::WAITING, (taken(&self.present, all) - working).max(0.0)),
            (metrics::CONNECTIONS, self.connections.load(Ordering::Relaxed) as f64),
            (metrics::BODY_BYTES, self.intake.held_bytes() as f64),
            (metrics::DRAINING, f64::from(u8::from(self.health.phase() > Phase::Serving))),
        ] {
            self.metrics.set(name, value);
        }
        for (what, count) in self.engine.store_figures() {
            self.metrics.set_done(what, count);
        }
        for work in Work::ALL {
            self.metrics.set_lease(work.name(), self.engine.holds(*work));
        }
    }

    /// Notes that a connection was opened.
    pub(crate) fn connected(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that one was closed.
    pub(crate) fn disconnected(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    async fn respond(self: &Arc<Self>, parts: Parts, body: Incoming) -> (Option<Caller>, Response<Body>) {
        let target = parts.uri.path_and_query().map_or("*", |path| path.as_str()).to_owned();
        let route = Route::read(&target);
        match route {
            Route::Health => return (None, Health::alive()),
            Route::Ready => return (None, self.health.ready().await),
            Route::Status
            | Route::Ews
            | Route::Soap { .. }
            | Route::Rest { .. }
            | Route::File { .. }
            | Route::Nowhere => {}
        }
        let protocol = route.protocol();
        let caller = match self.login(&parts.headers).await {
            Ok(Some(caller)) => caller,
            Ok(None) => {
                self.discard_small(&parts.headers, body).await;
                return (None, unauthorized());
            }
            Err(refused) => return (None, answer::refusal(protocol, refused)),
        };
        let response = self.routed(&target, parts, body, &caller).await;
        (Some(caller), response)
    }

    async fn routed(
        self: &Arc<Self>,
        target: &str,
        mut parts: Parts,
        body: Incoming,
        caller: &Caller,
    ) -> Response<Body> {
        let route = Route::read(target);
        let protocol = route.protocol();
        let reads = matches!(parts.method, Method::GET | Method::HEAD);
        match route {
            Route::Status if reads => return status::page(&self.base_url(&parts), caller),
            Route::Ews if reads => return status::ews_page(),
            Route::Status => return not_allowed("GET, HEAD"),
            Route::Ews if parts.method != Method::POST => return not_allowed("GET, HEAD, POST"),
            Route::Health | Route::Ready | Route::Nowhere => return answer::refusal(protocol, Refusal::NotFound),
            Route::Ews | Route::Soap { .. } | Route::Rest { .. } | Route::File { .. } => {}
        }
        let Ok(present) = Arc::clone(&self.present).try_acquire_owned() else {
            self.intake.discard(body, 0);
            return answer::refusal(protocol, Refusal::Busy);
        };
        let base_url = self.base_url(&parts);
        let kind = if route == Route::Ews { body::Kind::Ews } else { body::Kind::Whole };
        let Taken { bytes, spools, held } = match self.intake.read(&mut parts.headers, body, kind).await {
            Ok(read) => read,
            Err(refused) => return answer::refusal(protocol, refused),
        };
        let wait = Duration::from_secs(self.config.request_wait_seconds);
        let Ok(Ok(working)) = timeout(wait, Arc::clone(&self.working).acquire_owned()).await else {
            return answer::refusal(protocol, Refusal::Busy);
        };
        parts.extensions.insert(spools);
        let (hangs, gone) = self.hanging.surroundings();
        parts.extensions.insert(hangs);
        let call = Call { caller: caller.clone(), base_url, request: Request::from_parts(parts, bytes) };
        self.work(target.to_owned(), call, (present, working, held), gone).await
    }

    async fn work(self: &Arc<Self>, target: String, call: Call, permits: Permits, gone: Gone) -> Response<Body> {
        let service = Arc::clone(self);
        let protocol = Route::read(&target).protocol();
        let patience = Patience {
            piece: Duration::from_secs(self.config.body_idle_seconds),
            whole: Duration::from_secs(self.config.body_seconds),
        };
        let pack = pack::is_offered(call.request.headers());
        let work = move || {
            let response = Handle::current().block_on(service.adapt(&target, call))?;
            Ok(if pack { pack::packed(response) } else { response })
        };
        guarded(protocol, permits, patience, gone, work).await
    }

    async fn adapt(&self, target: &str, call: Call) -> Result<Response<Body>, Refusal> {
        let route = Route::read(target);
        let (before, surface) = match route {
            Route::Ews => return Ok(self.adapters.ews(&call.caller, call.request).await),
            Route::Soap { before } => (before, SiteSurface::Soap),
            Route::Rest { before, rest } => (before, SiteSurface::Rest(rest)),
            Route::File { path } => (path, SiteSurface::File(path)),
            Route::Health | Route::Ready | Route::Status | Route::Nowhere => return Err(Refusal::NotFound),
        };
        let site_path = self.site_path(&route::decode(before)).await?;
        let site = sharepoint::Call { caller: &call.caller, site_path: &site_path, base_url: &call.base_url };
        Ok(self.adapters.site(site, surface, call.request).await)
    }

    /// The longest known site that a path lies in.
    async fn site_path(&self, path: &str) -> Result<String, Refusal> {
        let directory = self.engine.directory();
        for candidate in route::site_candidates(path) {
            if let Some(site) = directory.site(candidate).await.map_err(|error| refused(&error))? {
                return Ok(site.path);
            }
        }
        Err(Refusal::NotFound)
    }

    async fn login(self: &Arc<Self>, headers: &HeaderMap) -> Result<Option<Caller>, Refusal> {
        if !headers.contains_key(header::AUTHORIZATION) {
            return Ok(None);
        }
        let wait = Duration::from_secs(self.config.request_wait_seconds);
        let looked_up = {
            let Ok(Ok(_permit)) = timeout(wait, self.lookups.acquire()).await else { return Err(Refusal::Busy) };
            blocking(|| Handle::current().block_on(self.auth.look_up(headers)))?
        };
        match looked_up.map_err(|error| refused(&error))? {
            Login::Nobody => Ok(None),
            Login::Known(caller) => Ok(Some(caller)),
            Login::Verify(claim) => {
                let Ok(Ok(_permit)) = timeout(wait, self.checks.acquire()).await else { return Err(Refusal::Busy) };
                blocking(|| self.auth.verify(claim))
            }
        }
    }

    /// Scheme and host as the client sees them.
    fn base_url(&self, parts: &Parts) -> String {
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let forwarded = |name| header(name).filter(|_| self.config.trust_forwarded).map(first_of_list);
        let host = forwarded("x-forwarded-host")
            .or_else(|| header("host"))
            .or_else(|| parts.uri.authority().map(http::uri::Authority::as_str))
            .filter(|host| is_host(host));
        let secure = forwarded("x-forwarded-proto").is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
        let mut url = String::from(if secure { "https://" } else { "http://" });
        match host {
            Some(host) => url.push_str(host),
            None => _ = write!(url, "{}", self.config.listen),
        }
        url
    }

    /// Reads a small body that nobody wants, so that the client can repeat the request on the same connection.
    async fn discard_small(&self, headers: &HeaderMap, body: Incoming) {
        let small = body.size_hint().upper().is_some_and(|bytes| bytes <= UNWANTED_BYTES_MAX);
        if small && !headers.contains_key(header::EXPECT) {
            let _ = timeout(UNWANTED_WAIT, body::discard_bounded(body, UNWANTED_BYTES_MAX)).await;
        }
    }
}

/// Works on a request, where it may block. The permits are held until its answer has been made, also when the client has
/// gone meanwhile. A panic costs this request only.
///
/// The thread that has the request goes on with it, and leaves its other connections to another thread: a short answer is
/// there before that one has woken up. An answer that is made while it is sent gets a thread of its own, one that hangs
/// gets none and gives its permits back.
async fn guarded(
    protocol: Protocol,
    permits: Permits,
    patience: Patience,
    gone: Gone,
    work: impl FnOnce() -> Result<Response<Body>, Refusal> + Send + 'static,
) -> Response<Body> {
    let response = match blocking(work) {
        Ok(response) => response.unwrap_or_else(|refused| answer::refusal(protocol, refused)),
        Err(refused) => return answer::refusal(protocol, refused),
    };
    if response.body().size_hint().exact().is_some() {
        return response;
    }
    let (head, told) = oneshot::channel();
    let done = if response.extensions().get::<ews::Hanging>().is_some() {
        drop(permits);
        tokio::spawn(flow::hang(response, head, patience.piece, gone))
    } else {
        tokio::task::spawn_blocking(move || {
            let _permits = permits;
            Handle::current().block_on(flow::send(response, head, patience));
        })
    };
    let Ok(response) = told.await else {
        if let Err(error) = done.await {
            tracing::error!("a request failed: {error}");
        }
        return answer::refusal(protocol, Refusal::Failed);
    };
    response
}

/// Runs something that blocks, on this thread. A panic is an error.
fn blocking<T>(work: impl FnOnce() -> T) -> Result<T, Refusal> {
    let caught = tokio::task::block_in_place(|| std::panic::catch_unwind(AssertUnwindSafe(work)));
    caught.map_err(|_| {
        tracing::error!("a request failed");
        Refusal::Failed
    })
}

/// What was done, as one of few words: the operation of SOAP, else the method.
fn operation(response: &Response<Body>, method: &Method) -> &'static str {
    let ews = response.extensions().get::<ews::Performed>().map(|ews::Performed(name)| *name);
    let soap = || response.extensions().get::<sharepoint::Performed>().map(|sharepoint::Performed(name)| *name);
    ews.or_else(soap).unwrap_or_else(|| {
        let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "MERGE", "PATCH", "MOVE", "OPTIONS"];
        known.into_iter().find(|name| *name == method.as_str()).unwrap_or("other")
    })
}

fn refused(error: &EngineError) -> Refusal {
    tracing::error!("the store failed: {error}");
    if matches!(error, EngineError::Store(StoreError::TryAgain(_))) { Refusal::Busy } else { Refusal::Failed }
}

fn unauthorized() -> Response<Body> {
    let mut response = answer::text(StatusCode::UNAUTHORIZED, "Log in with an account of this server.\n");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
    response
}

fn not_allowed(allowed: &'static str) -> Response<Body> {
    let mut response = answer::text(StatusCode::METHOD_NOT_ALLOWED, "This method is not allowed here.\n");
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

/// The id of a request that its client wants to see in the answer.
fn request_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let wanted = headers.get(RETURN_REQUEST_ID)?.as_bytes().trim_ascii().eq_ignore_ascii_case(b"true");
    headers.get(REQUEST_ID).filter(|id| wanted && id.len() <= REQUEST_ID_BYTES_MAX).cloned()
}

fn first_of_list(value: &str) -> &str {
    value.split(',').next().unwrap_or_default().trim()
}

/// Whether a Host header is safe to be put into answers.
fn is_host(host: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
    !host.is_empty() && host.len() <= 255 && host.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_panic_costs_one_request_and_frees_its_place() {
        let places = Arc::new(Semaphore::new(2));
        let place = || Arc::clone(&places).try_acquire_owned().unwrap();
        let patience = Patience { piece: Duration::ZERO, whole: Duration::ZERO };
        let gone = watch::channel(None).0;
        let response = guarded(Protocol::Ews, (place(), place(), None), patience, gone, || panic!("on purpose")).await;
        assert_eq!(response.status(), 500);
        assert_eq!(places.available_permits(), 2);
    }

    #[test]
    fn hosts() {
        for (host, safe) in [
            ("example.com", true),
            ("[::1]:80", true),
            ("a_b-c.de:1", true),
            ("", false),
            ("a/b", false),
            ("a<b", false),
        ] {
            assert_eq!(is_host(host), safe, "{host}");
        }
        assert_eq!(first_of_list("a, b"), "a");
    }
}
