//! Free ports that stay free while a process that listens there is started again.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::atomic::{AtomicU16, Ordering},
};

use crate::{Error, Result};

/// Below what systems give to outgoing connections (32768 and up on Linux), so that none of these takes it meanwhile.
const FIRST: u16 = 14_000;
const COUNT: u16 = 18_000;
/// Where the next search begins, beside the number of the process.
static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port of the loopback address that no other process that asks here gets while the value lives.
#[derive(Debug)]
pub struct Port {
    number: u16,
    /// Locked; the lock goes with the process.
    _claim: File,
}

impl Port {
    /// A port at which nobody listens.
    ///
    /// # Errors
    /// Where none is free.
    pub fn free() -> Result<Self> {
        let folder = std::env::temp_dir().join("highwater-test-ports");
        fs::create_dir_all(&folder).map_err(|error| Error::Failed(format!("{}: {error}", folder.display())))?;
        let spread = u16::try_from(std::process::id().wrapping_mul(97) % u32::from(COUNT)).unwrap_or_default();
        for _ in 0..COUNT {
            let step = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
            let number = FIRST + (spread + step) % COUNT;
            let Ok(claim) = File::create(folder.join(number.to_string())) else { continue };
            if claim.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
                return Ok(Self { number, _claim: claim });
            }
        }
        Err(Error::Failed("no port is free".to_owned()))
    }

    /// Its number.
    pub const fn number(&self) -> u16 {
        self.number
    }

    /// The port with the loopback address.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.number).into()
    }
}
