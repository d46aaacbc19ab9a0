//! Settings: one table, one row a setting. The reference page is made from it and checked against it.

use std::{net::SocketAddr, ops::RangeInclusive, path::Path};

use serde::{Deserialize, Serialize};

/// A configuration that cannot be used; the text says what to change.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no TOML, or has a setting that there is not.
    #[error("{path}: {message}")]
    Malformed {
        /// The file.
        path: String,
        /// What is wrong, with the place.
        message: String,
    },
    /// A value is out of its range.
    #[error("{name} is {value}, but must be from {from} to {to}")]
    OutOfRange {
        /// The setting.
        name: &'static str,
        /// What was asked for.
        value: u64,
        /// The least.
        from: u64,
        /// The most.
        to: u64,
    },
    /// A URL cannot be one of the server.
    #[error("alternate_urls has {0:?}, but takes at most {ALTERNATE_URLS_MAX} that begin with http:// or https://")]
    Url(String),
}

/// Sessions that are left for second reads, logins and work beside requests.
const DATABASE_READERS_SPARE: u64 = 8;

/// Zones that a server may have URLs in.
const ALTERNATE_URLS_MAX: usize = 5;

/// What the reference page says of a setting.
struct Row {
    name: &'static str,
    unit: &'static str,
    range: Option<RangeInclusive<u64>>,
    doc: &'static [&'static str],
}

/// A type that a setting may have.
trait Setting {
    fn number(&self) -> Option<u64>;
}

impl Setting for u64 {
    fn number(&self) -> Option<u64> {
        Some(*self)
    }
}

impl Setting for Vec<String> {
    fn number(&self) -> Option<u64> {
        None
    }
}

impl Setting for Option<SocketAddr> {
    fn number(&self) -> Option<u64> {
        None
    }
}

impl Setting for bool {
    fn number(&self) -> Option<u64> {
        None
    }
}

impl Setting for SocketAddr {
    fn number(&self) -> Option<u64> {
        None
    }
}

macro_rules! settings {
    ($($(#[doc = $doc:literal])* $name:ident: $type:ty = $default:expr, $unit:literal, $range:expr;)*) => {
        /// What an operator may set. Every setting has a default.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct Config {
            $($(#[doc = $doc])* pub $name: $type,)*
        }

        impl Default for Config {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        const ROWS: &[Row] = &[$(Row {
            name: stringify!($name),
            unit: $unit,
            range: $range,
            doc: &[$($doc,)*],
        },)*];

        impl Config {
            fn numbers(&self) -> impl Iterator<Item = (&'static Row, Option<u64>)> {
                ROWS.iter().zip([$(Setting::number(&self.$name),)*])
            }
        }
    };
}

settings! {
    /// Where the server listens. Basic authentication sends passwords in the clear, so on another address than the
    /// loopback one a proxy that speaks TLS belongs in front.
    listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8080)), "address:port", None;
    /// Where the server tells its figures to Prometheus (/metrics) and how it is (/healthz, /readyz), to whoever asks: an
    /// address of its own, which no proxy in front of the other shows to the world. Without it, nowhere.
    metrics_listen: Option<SocketAddr> = None, "address:port", None;
    /// How long deletions are remembered. A client whose token is older starts anew.
    retention_days: u64 = 60, "days", Some(1..=3_650);
    /// How long the recycle bins of sites keep what was deleted, so that it can be restored. 0 for no recycle bins: what
    /// is deleted is gone.
    recycle_bin_days: u64 = 30, "days", Some(0..=3_650);
    /// How often deletions that are past the retention are removed.
    trim_interval_seconds: u64 = 3_600, "seconds", Some(10..=604_800);
    /// How long large parts stay in the object store of a database (`--blobs`) after nothing needs them, so that a backup
    /// of the database is whole with the objects that are copied after it.
    blob_grace_hours: u64 = 24, "hours", Some(2..=87_600);
    /// How long after one sweep of the object store a node begins another one, whichever node comes first. 0 for a node
    /// that never does, such as one on a copy of the data.
    blob_sweep_minutes: u64 = 60, "minutes", Some(0..=10_080);
    /// Changed rows in one answer of GetListItemChangesSinceToken to a token; the rest follows in further answers.
    list_changes_max: u64 = 40, "rows", Some(1..=1_000);
    /// Whether the answer to a token from before a change of the list's fields has all rows of the list, not only those
    /// that changed.
    list_schema_change_sends_all: bool = false, "true or false", None;
    /// How long clients of lists have to wait between two synchronizations, as the server tells them.
    list_sync_min_minutes: u64 = 0, "minutes", Some(0..=1_440);
    /// How long clients of lists should wait between two synchronizations of their own accord, as the server tells them.
    list_sync_recommended_minutes: u64 = 180, "minutes", Some(0..=10_080);
    /// Documents that a client of lists should fetch in one synchronization, as the server tells it.
    list_sync_documents_mb: u64 = 500, "MB", Some(1..=1_000_000);
    /// The largest file that a client of lists should keep inside another document, as the server tells it.
    list_sync_embedded_file_mb: u64 = 500, "MB", Some(1..=1_000_000);
    /// The URLs of the server by zone, which clients of lists are told: intranet, default, extranet, internet, custom.
    /// Without any, the URL of the request.
    alternate_urls: Vec<String> = Vec::new(), "URLs", None;
    /// The largest request body, unpacked where it comes as gzip. A larger one is refused with 413.
    body_bytes_max: u64 = 64 << 20, "bytes", Some(65_536..=model::limits::BODY_BYTES_MAX as u64);
    /// The largest item that UploadItems takes, before it is base64, which is a third longer; body_bytes_max bounds it too.
    /// A larger one is ErrorMessageSizeExceeded, by itself. While such an upload is worked on it takes as much room beside
    /// the data, and memory only for what it holds beside attachments.
    upload_item_bytes_max: u64 = 96 << 20, "bytes", Some(65_536..=model::limits::BODY_BYTES_MAX as u64 / 4 * 3);
    /// Memory for the bodies of all requests that are worked on or wait.
    bodies_bytes_max: u64 = 1 << 30, "bytes", Some(65_536..=1 << 40);
    /// How long the server waits for the next piece of a request body, and for a client to take the next piece of an
    /// answer.
    body_idle_seconds: u64 = 30, "seconds", Some(1..=3_600);
    /// How long a whole request body may take, and so long too a whole answer.
    body_seconds: u64 = 600, "seconds", Some(1..=86_400);
    /// The largest request head: request line and headers. A larger one is refused with 431.
    header_bytes_max: u64 = 65_536, "bytes", Some(8_192..=1_048_576);
    /// How long a request head may take; so long too an idle connection is kept.
    header_seconds: u64 = 60, "seconds", Some(1..=3_600);
    /// Open connections. Further ones wait to be accepted.
    connections_max: u64 = 4_096, "connections", Some(1..=1_000_000);
    /// Requests worked on at the same time.
    requests_max: u64 = 64, "requests", Some(1..=500);
    /// Requests that wait for their turn. Further ones are refused with 503 and Retry-After.
    requests_waiting_max: u64 = 1_024, "requests", Some(0..=100_000);
    /// How long a request waits for its turn before it is refused with 503 and Retry-After.
    request_wait_seconds: u64 = 20, "seconds", Some(1..=600);
    /// Passwords verified at the same time. Each takes about 20 MB and tens of milliseconds.
    password_checks_max: u64 = 2, "checks", Some(1..=64);
    /// How long a verified password is remembered, in memory and not in readable form. A changed password and a removed
    /// account take effect at once all the same. 0 turns it off. What is not remembered has to be verified, which takes a
    /// hundred times as much as an ordinary request.
    login_cache_seconds: u64 = 3_600, "seconds", Some(0..=86_400);
    /// Verified passwords that are remembered, the latest. Each takes about 100 bytes.
    login_cache_max: u64 = 100_000, "logins", Some(2..=10_000_000);
    /// How long the server goes on as before when it is told to stop, while /readyz says that it is leaving: what spreads
    /// requests over several servers needs so long to notice. 0 for a server alone.
    drain_lead_seconds: u64 = 1, "seconds", Some(0..=600);
    /// Requests for streaming notifications that hang at the same time, in all. They hold a connection each, but no turn
    /// among the others. Further ones are ErrorExceededConnectionCount.
    hanging_requests_max: u64 = 2_048, "requests", Some(0..=1_000_000);
    /// The same for one account.
    hanging_requests_per_account_max: u64 = 100, "requests", Some(0..=1_000_000);
    /// After how long a client of streaming notifications is told that its connection stands, where nothing has happened.
    hanging_keep_alive_seconds: u64 = 45, "seconds", Some(1..=600);
    /// How long requests under way may take to finish when the server is told to stop, after drain_lead_seconds.
    drain_seconds: u64 = 30, "seconds", Some(0..=3_600);
    /// Whether this server does what has to be done beside requests: removing what is past the retention, delivering mail
    /// that had to wait, building indexes. Of the servers of one store at least one has to.
    background_work: bool = true, "true or false", None;
    /// Calls of the store that take longer are logged, with what was called, the root, the rows and the time, and never with
    /// content. 0 logs none.
    slow_call_milliseconds: u64 = 1_000, "milliseconds", Some(0..=600_000);
    /// Sessions of this server in a PostgreSQL database that read. They are opened as they are needed; the database must
    /// allow those of all servers together (max_connections). So many requests at most are worked on at the same time, less
    /// a few, since one may need two.
    database_readers: u64 = 40, "sessions", Some(16..=1_000);
    /// Sessions of this server in a PostgreSQL database that write, each for one mailbox or site at a time.
    database_writers: u64 = 8, "sessions", Some(1..=100);
    /// How long a call of a PostgreSQL store waits for a session or an answer before the client is told to come again.
    database_patience_seconds: u64 = 10, "seconds", Some(1..=300);
    /// How long the server waits for a PostgreSQL database when it starts.
    database_start_seconds: u64 = 30, "seconds", Some(0..=3_600);
    /// Whether servers on one PostgreSQL store tell each other what they have written, by NOTIFY. Without it they look every
    /// second: for engines that have none, and for poolers that give a session to others between transactions.
    database_notify: bool = true, "true or false", None;
    /// How far the clocks of servers on one PostgreSQL store may differ. Times that clients of lists name count as so much
    /// earlier there, which costs them rows that they know. Without a meaning for other stores.
    clock_skew_seconds: u64 = 300, "seconds", Some(0..=3_600);
    /// Whether X-Forwarded-Proto and X-Forwarded-Host are believed. Turn it on only behind a proxy that sets both.
    trust_forwarded: bool = false, "true or false", None;
}

impl Config {
    /// Reads a TOML file.
    ///
    /// # Errors
    /// When it cannot be read, has an unknown setting, or a value that cannot be.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let shown = path.display().to_string();
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: shown.clone(), source })?;
        Self::parse(&text).map_err(|error| match error {
            ConfigError::Malformed { message, .. } => ConfigError::Malformed { path: shown, message },
            ConfigError::Unreadable { .. } | ConfigError::OutOfRange { .. } | ConfigError::Url(_) => error,
        })
    }

    /// Reads the text of a TOML file.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|error| ConfigError::Malformed {
            path: "configuration".into(),
            message: error.to_string().trim_end().to_owned(),
        })?;
        config.check()?;
        Ok(config)
    }

    /// Whether every number is in its range, and every URL is one.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] or [`ConfigError::Url`] for the first that is not.
    pub fn check(&self) -> Result<(), ConfigError> {
        for (row, number) in self.numbers() {
            if let (Some(range), Some(value)) = (&row.range, number)
                && !range.contains(&value)
            {
                return Err(ConfigError::OutOfRange { name: row.name, value, from: *range.start(), to: *range.end() });
            }
        }
        let is_url = |url: &str| url.starts_with("http://") || url.starts_with("https://");
        match self.alternate_urls.iter().enumerate().find(|(at, url)| *at >= ALTERNATE_URLS_MAX || !is_url(url)) {
            Some((_, url)) => Err(ConfigError::Url(url.clone())),
            None => Ok(()),
        }
    }

    /// The settings that concern the domain.
    pub fn engine(&self) -> engine::Settings {
        engine::Settings {
            retention_seconds: i64::try_from(self.retention_days * 86_400).unwrap_or(i64::MAX),
            recycle_bin_seconds: i64::try_from(self.recycle_bin_days * 86_400).unwrap_or(i64::MAX),
            list_changes_max: u32::try_from(self.list_changes_max).unwrap_or(u32::MAX),
            alone: true,
            clock_skew_seconds: 0,
        }
    }

    /// The same settings on a PostgreSQL store. A request holds a session while it reads and may need a second one: were all
    /// sessions held by those that wait for another, nothing would go on.
    #[must_use]
    pub fn on_database(self) -> Self {
        let requests_max = self.requests_max.min(self.database_readers - DATABASE_READERS_SPARE);
        Self { requests_max, ..self }
    }

    /// As [`Self::engine`], for one of several servers on one store.
    pub fn engine_of_many(&self) -> engine::Settings {
        let clock_skew_seconds = i64::try_from(self.clock_skew_seconds).unwrap_or(i64::MAX);
        engine::Settings { alone: false, clock_skew_seconds, ..self.engine() }
    }
}

/// The reference page of the settings, in Markdown.
pub fn reference() -> String {
    let defaults = toml::Table::try_from(Config::default()).unwrap_or_default();
    let mut page = String::from(PREFACE);
    for row in ROWS {
        let default = defaults.get(row.name).map_or_else(|| "none".to_owned(), ToString::to_string);
        let range = row.range.as_ref().map(|range| format!(", from {} to {}", range.start(), range.end()));
        let doc: String = row.doc.concat();
        page.push_str(&format!(
            "\n## `{}`\n\n{}\n\nUnit: {}{}. Default: `{default}`\n",
            row.name,
            doc.trim(),
            row.unit,
            range.unwrap_or_default(),
        ));
    }
    page
}

const PREFACE: &str = "# Configuration

`highwater serve --config FILE` reads a TOML file. Every setting is optional; an unknown one is an error. `--listen` on
the command line goes before the file. This page is generated from `crates/server/src/config.rs`.

```toml
listen = \"127.0.0.1:8080\"
retention_days = 60
```
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading() {
        let accepted = |text: &str| Config::parse(text).unwrap();
        assert_eq!(accepted(""), Config::default());
        assert_eq!(accepted("retention_days = 7").retention_days, 7);
        assert_eq!(accepted("listen = \"[::1]:9\"").listen.port(), 9);
        for (text, complaint) in [
            ("retention_day = 7", "unknown field `retention_day`"),
            ("retention_days = \"x\"", "invalid type"),
            ("retention_days = 0", "retention_days is 0, but must be from 1 to 3650"),
            ("alternate_urls = [\"team.example.com\"]", "alternate_urls has \"team.example.com\""),
            ("listen = \"localhost\"", "invalid socket address"),
        ] {
            let error = Config::parse(text).unwrap_err().to_string();
            assert!(error.contains(complaint), "{text}: {error}");
        }
    }

    #[test]
    fn defaults_are_in_range() {
        Config::default().check().unwrap();
    }

    #[test]
    fn reference_page_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path, reference()).unwrap();
        }
        let page = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(page, reference(), "run the test again with BLESS=1");
    }
}
