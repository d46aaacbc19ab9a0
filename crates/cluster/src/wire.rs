//! A line between a client and a server that goes bad on demand.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{Error, Port, Result};

/// Bytes that are passed on at once.
const PIECE_BYTES: usize = 1 << 16;
/// How often a listener looks whether it should end.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// What a line does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// Passes everything on.
    Fair,
    /// Passes what the server says on so much later; what the client says, at once.
    Late(Duration),
    /// Passes nothing on, in either direction, and keeps it for later.
    Silent,
    /// Refuses new connections; those that are there were cut.
    Refusing,
}

/// A line from a port of its own to a server.
#[derive(Debug)]
pub struct Wire {
    shared: Arc<Shared>,
    port: Port,
}

#[derive(Debug)]
struct Shared {
    to: SocketAddr,
    state: Mutex<State>,
    news: Condvar,
    over: AtomicBool,
}

#[derive(Debug)]
struct State {
    weather: Weather,
    connections: Vec<TcpStream>,
    listening: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }
}

impl Wire {
    /// A line to `to`, in fair weather.
    ///
    /// # Errors
    /// Where no port is free.
    pub fn start(to: SocketAddr) -> Result<Self> {
        let port = Port::free()?;
        let state = State { weather: Weather::Fair, connections: Vec::new(), listening: false };
        let shared = Shared { to, state: Mutex::new(state), news: Condvar::new(), over: AtomicBool::new(false) };
        let new = Self { shared: Arc::new(shared), port };
        let (shared, address) = (Arc::clone(&new.shared), new.address());
        std::thread::spawn(move || listen(&shared, address));
        new.wait(true)?;
        Ok(new)
    }

    /// Where it begins.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Changes the weather, for connections that are there too. Waits until it has changed.
    ///
    /// # Errors
    /// Where the port cannot be had again.
    pub fn set(&self, weather: Weather) -> Result<()> {
        self.shared.state().weather = weather;
        self.shared.news.notify_all();
        if weather == Weather::Refusing {
            self.cut();
        }
        self.wait(weather != Weather::Refusing)
    }

    /// Cuts all connections.
    pub fn cut(&self) {
        for connection in self.shared.state().connections.drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    fn wait(&self, listening: bool) -> Result<()> {
        let until = Instant::now() + Duration::from_secs(10);
        let mut state = self.shared.state();
        while state.listening != listening {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::Failed(format!("the line at {} does not obey", self.address())));
            }
            state = self.shared.news.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        self.shared.news.notify_all();
        self.cut();
    }
}

fn listen(shared: &Arc<Shared>, address: SocketAddr) {
    while !shared.over() {
        if shared.state().weather == Weather::Refusing {
            std::thread::park_timeout(LOOK_AGAIN);
            continue;
        }
        let Ok(listener) = TcpListener::bind(address) else {
            std::thread::park_timeout(LOOK_AGAIN);
            continue;
        };
        let _ = listener.set_nonblocking(true);
        shared.state().listening = true;
        shared.news.notify_all();
        while !shared.over() && shared.state().weather != Weather::Refusing {
            match listener.accept() {
                Ok((client, _)) => connect(shared, client),
                Err(_) => std::thread::park_timeout(LOOK_AGAIN),
            }
        }
        drop(listener);
        shared.state().listening = false;
        shared.news.notify_all();
    }
}

fn connect(shared: &Arc<Shared>, client: TcpStream) {
    let Ok(server) = TcpStream::connect(shared.to) else { return };
    let _ = client.set_nonblocking(false);
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ends = [client.try_clone(), server.try_clone(), client.try_clone(), server.try_clone()];
    let [Ok(client_read), Ok(server_read), Ok(client_end), Ok(server_end)] = ends else { return };
    shared.state().connections.extend([client_end, server_end]);
    for (from, to, of_server) in [(client_read, server, false), (server_read, client, true)] {
        let shared = Arc::clone(shared);
        std::thread::spawn(move || pass(&shared, from, to, of_server));
    }
}

/// Passes on what comes from one end to the other, as the weather allows.
fn pass(shared: &Shared, mut from: TcpStream, mut to: TcpStream, of_server: bool) {
    let mut piece = vec![0; PIECE_BYTES];
    while let Ok(count @ 1..) = from.read(&mut piece) {
        let came = Instant::now();
        let mut state = shared.state();
        // The weather of now counts, not that of when it came.
        while !shared.over() {
            let left = match state.weather {
                Weather::Late(time) if of_server => (came + time).saturating_duration_since(Instant::now()),
                Weather::Silent => Duration::from_secs(3_600),
                Weather::Fair | Weather::Late(_) | Weather::Refusing => Duration::ZERO,
            };
            if left.is_zero() {
                break;
            }
            state = shared.news.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(state);
        if to.write_all(piece.get(..count).unwrap_or_default()).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}
