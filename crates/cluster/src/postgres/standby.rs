//! Streaming replicas, and failing over to one.

use std::{ffi::OsString, sync::PoisonError, sync::atomic::Ordering, time::Duration, time::Instant};

use crate::{Error, Options, Port, Postgres, Result, program};

use super::{ASK_AGAIN, START_SECONDS_MAX};

/// How a standby follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replication {
    /// A commit that asks for it is acknowledged when the standby has it on its disk.
    Synchronous,
    /// A commit may be acknowledged before the standby has it, and be lost with the primary.
    Asynchronous,
}

impl Postgres {
    /// A copy of this cluster that follows it, with a replication slot, on a port of its own.
    ///
    /// # Errors
    /// Where the copy cannot be made, or does not follow.
    pub fn standby(&self, replication: Replication) -> Result<Self> {
        self.standby_at(Port::free()?, replication)
    }

    /// As [`Self::standby`], on the port of a server that is gone: see [`Self::into_port`].
    ///
    /// # Errors
    /// As [`Self::standby`].
    pub fn standby_at(&self, port: Port, replication: Replication) -> Result<Self> {
        let new = Self::prepare(Options { disk_mib: None, ..self.options.clone() }, port)?;
        let name = format!("standby_{}", self.standbys.fetch_add(1, Ordering::Relaxed));
        let port = self.port.number();
        let from = format!("host=127.0.0.1 port={port} user=highwater application_name={name}");
        let copied = ["-c", "fast", "-X", "stream", "-R", "-C", "--no-sync", "-S", &name, "-d", &from];
        let arguments = copied.into_iter().map(OsString::from).chain(["-D".into(), new.data().into_os_string()]);
        program::output("pg_basebackup", &mut new.command("pg_basebackup", arguments))?;
        new.start_server()?;
        if replication == Replication::Synchronous {
            *self.synchronous.lock().unwrap_or_else(PoisonError::into_inner) = format!("FIRST 1 ({name})");
            self.configure()?;
            self.sql("SELECT pg_reload_conf()")?;
        }
        let state = match replication {
            Replication::Synchronous => "sync",
            Replication::Asynchronous => "async",
        };
        let until = Instant::now() + Duration::from_secs(START_SECONDS_MAX);
        let question = format!(
            "SELECT count(*) FROM pg_stat_replication WHERE application_name = '{name}' AND state = 'streaming' \
             AND sync_state = '{state}'"
        );
        while self.sql(&question)? != "1" {
            if Instant::now() > until {
                return Err(Error::Failed(format!("{name} does not follow:\n{}", new.log_end())));
            }
            std::thread::park_timeout(ASK_AGAIN);
        }
        Ok(new)
    }

    /// Waits until a standby shows all that its primary has written by now.
    ///
    /// # Errors
    /// Where one of them does not answer, or the standby is not there within a minute.
    pub fn catch_up(&self, primary: &Self) -> Result<()> {
        let written = primary.sql("SELECT pg_current_wal_lsn()")?;
        let question = format!("SELECT pg_last_wal_replay_lsn() >= '{written}'");
        let until = Instant::now() + Duration::from_secs(START_SECONDS_MAX);
        while self.sql(&question)? != "t" {
            if Instant::now() > until {
                return Err(Error::Failed(format!("the standby does not catch up:\n{}", self.log_end())));
            }
            std::thread::park_timeout(ASK_AGAIN);
        }
        Ok(())
    }

    /// Makes a standby a primary: it begins a timeline of its own and takes writes. What it followed must have ended, or
    /// there are two.
    ///
    /// # Errors
    /// Where it is none, or does not become one within a minute.
    pub fn promote(&self) -> Result<()> {
        match self.sql("SELECT pg_promote(true, 60)")?.as_str() {
            "t" => Ok(()),
            _ => Err(Error::Failed(format!("the standby is not promoted:\n{}", self.log_end()))),
        }
    }

    /// Holds back what the primary writes, from now on: an asynchronous standby falls behind until it is promoted.
    ///
    /// # Errors
    /// Where the server does not answer.
    pub fn disconnect_from_primary(&self) -> Result<()> {
        // Without a valid origin the receiver ends, and does not come back.
        self.sql("ALTER SYSTEM SET primary_conninfo = ''")?;
        self.sql("SELECT pg_reload_conf()")?;
        let until = Instant::now() + Duration::from_secs(START_SECONDS_MAX);
        while self.sql("SELECT count(*) FROM pg_stat_wal_receiver")? != "0" {
            if Instant::now() > until {
                return Err(Error::Failed(format!("the standby still follows:\n{}", self.log_end())));
            }
            std::thread::park_timeout(ASK_AGAIN);
        }
        Ok(())
    }
}
