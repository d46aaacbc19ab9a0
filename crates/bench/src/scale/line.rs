//! A line between a node and the database that counts round trips: how often something is sent after something was
//! received. What is sent together, whatever its number of statements, is one. A COMMIT alone ends a snapshot, and nobody
//! waits for its answer: it is none.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

/// Bytes of a simple query that is a COMMIT: kind, length, text, end.
const COMMIT_BYTES: usize = 1 + 4 + 6 + 1;

/// See the module. It takes connections until the process ends.
pub struct CountingLine {
    address: SocketAddr,
    trips: Arc<AtomicU64>,
}

impl CountingLine {
    /// A line that leads to `to`.
    ///
    /// # Panics
    /// Where there is no port for it.
    pub fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("a port");
        let trips = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&trips);
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect(to) else { continue };
                connect(near, far, &counted);
            }
        });
        Self { address, trips }
    }

    /// Where it takes connections.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Round trips so far.
    pub fn trips(&self) -> u64 {
        self.trips.load(Ordering::SeqCst)
    }
}

fn connect(near: TcpStream, far: TcpStream, trips: &Arc<AtomicU64>) {
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let (Ok(near_too), Ok(far_too)) = (near.try_clone(), far.try_clone()) else { return };
    // Whether the last that went over this connection came from the database.
    let answered = Arc::new(AtomicBool::new(true));
    let (trips, asked) = (Arc::clone(trips), Arc::clone(&answered));
    thread::spawn(move || {
        pass(near, far, |sent| {
            let is_awaited = !(sent.starts_with(b"Q") && sent.len() <= COMMIT_BYTES);
            if is_awaited && asked.swap(false, Ordering::SeqCst) {
                trips.fetch_add(1, Ordering::SeqCst);
            }
        });
    });
    thread::spawn(move || pass(far_too, near_too, |_| answered.store(true, Ordering::SeqCst)));
}

fn pass(mut from: TcpStream, mut to: TcpStream, mut passes: impl FnMut(&[u8])) {
    let mut piece = vec![0; 1 << 16];
    while let Ok(read) = from.read(&mut piece)
        && read > 0
    {
        let piece = piece.get(..read).unwrap_or_default();
        passes(piece);
        if to.write_all(piece).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_together_is_one_trip() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let line = CountingLine::start(listener.local_addr().unwrap());
        thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            let mut piece = [0; 16];
            while stream.read(&mut piece).unwrap_or(0) > 0 {
                stream.write_all(b"x").unwrap();
            }
        });
        let mut stream = TcpStream::connect(line.address()).unwrap();
        stream.set_nodelay(true).unwrap();
        for trip in 1..=3 {
            for (sent, trips) in [(&b"one two three"[..], trip), (b"Q\0\0\0\x0bCOMMIT\0", trip)] {
                stream.write_all(sent).unwrap();
                stream.read_exact(&mut [0]).unwrap();
                assert_eq!(line.trips(), trips);
            }
        }
    }
}
