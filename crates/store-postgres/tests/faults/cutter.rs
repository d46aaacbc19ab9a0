//! A line to a server that breaks at a chosen byte.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    ToServer,
    ToClient,
}

#[derive(Debug, Default)]
struct State {
    /// After so many more bytes this way, over all connections, the one that carries them breaks.
    cut: Option<(Way, usize)>,
    passed: [usize; 2],
}

/// See the module. Its threads end with their connections; it listens until the process ends.
#[derive(Clone, Debug)]
pub(crate) struct Cutter {
    state: Arc<Mutex<State>>,
    pub(crate) address: SocketAddr,
}

impl Cutter {
    pub(crate) fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let new = Self { state: Arc::default(), address: listener.local_addr().unwrap() };
        let cutter = new.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(server) else { continue };
                for way in [Way::ToServer, Way::ToClient] {
                    let (client, server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                    let cutter = cutter.clone();
                    thread::spawn(move || match way {
                        Way::ToServer => cutter.pass(client, server, way),
                        Way::ToClient => cutter.pass(server, client, way),
                    });
                }
            }
        });
        new
    }

    /// Breaks the connection that carries the byte with this number, counted from now on.
    pub(crate) fn cut(&self, way: Way, after: usize) {
        self.state.lock().unwrap().cut = Some((way, after));
    }

    /// Whether the last cut has been made.
    pub(crate) fn has_cut(&self) -> bool {
        self.state.lock().unwrap().cut.is_none()
    }

    /// Bytes that have passed, each way.
    pub(crate) fn passed(&self) -> [usize; 2] {
        self.state.lock().unwrap().passed
    }

    fn pass(&self, mut from: TcpStream, mut to: TcpStream, way: Way) {
        let mut buffer = [0; 4_096];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let (passing, is_cut) = {
                let mut state = self.state.lock().unwrap();
                state.passed[way as usize] += length;
                match state.cut {
                    Some((cut, after)) if cut == way && after < length => {
                        state.cut = None;
                        (after, true)
                    }
                    Some((cut, after)) if cut == way => {
                        state.cut = Some((cut, after - length));
                        (length, false)
                    }
                    Some(_) | None => (length, false),
                }
            };
            if to.write_all(&buffer[..passing]).is_err() || is_cut {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }
}
