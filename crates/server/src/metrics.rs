//! Figures of the running server, in the text format of Prometheus. One table says what there is; `docs/operations.md` is
//! checked against it.

use std::{sync::Arc, time::Duration};

use metrics::{Counter, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use store::{Store, watched::Call};

use crate::measured::Measured;

/// What a figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number that only grows.
    Counter,
    /// A number that goes up and down.
    Gauge,
    /// A distribution.
    Histogram,
}

/// What the reference says of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub doc: &'static str,
}

const REQUESTS: &str = "highwater_requests_total";
const REQUEST_SECONDS: &str = "highwater_request_seconds";
const STORE_SECONDS: &str = "highwater_store_seconds";
const STORE_ROWS: &str = "highwater_store_rows_total";
const STORE_ERRORS: &str = "highwater_store_errors_total";
const STORE_SLOW: &str = "highwater_store_slow_total";
const STORE_DONE: &str = "highwater_store_done_total";
pub(crate) const WORKING: &str = "highwater_requests_working";
pub(crate) const WAITING: &str = "highwater_requests_waiting";
pub(crate) const CONNECTIONS: &str = "highwater_connections";
pub(crate) const BODY_BYTES: &str = "highwater_body_bytes";
pub(crate) const LEASE: &str = "highwater_lease";
pub(crate) const DRAINING: &str = "highwater_draining";

/// All figures.
#[rustfmt::skip]
pub const TABLE: &[Row] = &[
    Row { name: REQUESTS, kind: Kind::Counter, labels: &["protocol", "operation", "status"], doc: "Requests answered." },
    Row { name: REQUEST_SECONDS, kind: Kind::Histogram, labels: &["protocol", "operation"], doc: "Time from the head of a request to the head of its answer." },
    Row { name: WORKING, kind: Kind::Gauge, labels: &[], doc: "Requests that are worked on; at most requests_max." },
    Row { name: WAITING, kind: Kind::Gauge, labels: &[], doc: "Requests that wait for their turn; at most requests_waiting_max." },
    Row { name: CONNECTIONS, kind: Kind::Gauge, labels: &[], doc: "Open connections; at most connections_max." },
    Row { name: BODY_BYTES, kind: Kind::Gauge, labels: &[], doc: "Memory that bodies of requests hold; at most bodies_bytes_max." },
    Row { name: STORE_SECONDS, kind: Kind::Histogram, labels: &["call"], doc: "Time of a call of the store, its waiting for a session included." },
    Row { name: STORE_ROWS, kind: Kind::Counter, labels: &["call"], doc: "Rows that calls of the store gave; for commits, the writes in them." },
    Row { name: STORE_ERRORS, kind: Kind::Counter, labels: &["call", "kind"], doc: "Calls of the store that failed: conflict and missing are part of work, try_again is a store out of reach, unknown a commit of which nobody knows, corrupt is damage." },
    Row { name: STORE_SLOW, kind: Kind::Counter, labels: &["call"], doc: "Calls of the store that took longer than slow_call_milliseconds, each with a line in the log." },
    Row { name: STORE_DONE, kind: Kind::Counter, labels: &["what"], doc: "What the store has done, as it counts by itself: commits and the transactions that they went into; of a database also the sessions made, round trips of reads, transactions that were repeated, and those whose outcome had to be found out." },
    Row { name: LEASE, kind: Kind::Gauge, labels: &["work"], doc: "1 where this server does the work beside requests, else 0." },
    Row { name: DRAINING, kind: Kind::Gauge, labels: &[], doc: "1 from the moment the server is told to stop." },
];

/// Upper ends of the buckets of times, in seconds.
const SECONDS: &[f64] = &[0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0];
/// How often what was measured is added up, so that it takes no more room.
pub(crate) const UPKEEP: Duration = Duration::from_secs(5);

/// The figures of one server.
pub struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

/// The meters of one call of the store.
pub(crate) struct Meter {
    pub(crate) seconds: Histogram,
    pub(crate) rows: Counter,
    pub(crate) slow: Counter,
    errors: Vec<Counter>,
}

impl Meter {
    /// Counts an error of the kind at this place of [`KINDS`].
    pub(crate) fn error(&self, kind: usize) {
        if let Some(counter) = self.errors.get(kind) {
            counter.increment(1);
        }
    }
}

/// Kinds of errors of the store, as labels.
pub(crate) const KINDS: [&str; 6] = ["conflict", "missing", "too_large", "try_again", "unknown", "corrupt"];

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Figures of which nothing has been counted.
    pub fn new() -> Self {
        let builder = PrometheusBuilder::new();
        // The ends are there, so this cannot fail; with quantiles instead the figures would still be right.
        let recorder = match builder.set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS) {
            Ok(builder) => builder.build_recorder(),
            Err(_) => PrometheusBuilder::new().build_recorder(),
        };
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            for row in TABLE {
                match row.kind {
                    Kind::Counter => describe_counter!(row.name, row.doc),
                    Kind::Gauge => describe_gauge!(row.name, row.doc),
                    Kind::Histogram => describe_histogram!(row.name, row.doc),
                }
            }
        });
        Self { recorder, handle }
    }

    /// The same store, with each of its calls measured; what takes longer than `slow` is logged, with its root and rows and
    /// never with what they hold. Zero logs nothing.
    pub fn measure(&self, store: Arc<dyn Store>, slow: Duration) -> Arc<dyn Store> {
        Arc::new(Measured::new(store, self, slow))
    }

    pub(crate) fn meter(&self, call: Call) -> Meter {
        let call = call.name();
        metrics::with_local_recorder(&self.recorder, || Meter {
            seconds: histogram!(STORE_SECONDS, "call" => call),
            rows: counter!(STORE_ROWS, "call" => call),
            slow: counter!(STORE_SLOW, "call" => call),
            errors: KINDS.iter().map(|kind| counter!(STORE_ERRORS, "call" => call, "kind" => *kind)).collect(),
        })
    }

    /// Counts a request. `operation` is one of few.
    pub(crate) fn request(&self, protocol: &'static str, operation: &'static str, status: u16, elapsed: Duration) {
        metrics::with_local_recorder(&self.recorder, || {
            counter!(REQUESTS, "protocol" => protocol, "operation" => operation, "status" => status.to_string())
                .increment(1);
            histogram!(REQUEST_SECONDS, "protocol" => protocol, "operation" => operation).record(elapsed);
        });
    }

    /// Sets a figure that goes up and down.
    pub(crate) fn set(&self, name: &'static str, value: f64) {
        metrics::with_local_recorder(&self.recorder, || gauge!(name).set(value));
    }

    /// Sets what the store says that it has done.
    pub(crate) fn set_done(&self, what: &'static str, count: u64) {
        metrics::with_local_recorder(&self.recorder, || counter!(STORE_DONE, "what" => what).absolute(count));
    }

    /// Sets whether this server does a work.
    pub(crate) fn set_lease(&self, work: &'static str, held: bool) {
        metrics::with_local_recorder(&self.recorder, || gauge!(LEASE, "work" => work).set(f64::from(u8::from(held))));
    }

    /// Adds up what was measured.
    pub(crate) fn keep_up(&self) {
        self.handle.run_upkeep();
    }

    /// All figures as text.
    pub(crate) fn render(&self) -> String {
        self.handle.render()
    }
}

#[cfg(test)]
mod tests {
    use model::RootId;
    use store::{battery::block_on, faulty, memory::MemoryStore};

    use super::*;

    #[test]
    fn calls_of_the_store_are_measured() {
        let metrics = Metrics::new();
        let faulty = Arc::new(faulty::Faulty::new(MemoryStore::new(1)));
        let store = metrics.measure(faulty.clone(), Duration::from_secs(1));
        assert!(block_on(store.snapshot(RootId(5))).is_err());
        block_on(store.roots(None, 1)).unwrap();
        faulty.fail_read(0, faulty::ReadFault::TryAgain);
        assert!(block_on(store.roots(None, 1)).is_err());
        metrics.request("ews", "GetItem", 200, Duration::from_millis(3));
        let text = metrics.render();
        for line in [
            "highwater_store_errors_total{call=\"snapshot\",kind=\"missing\"} 1",
            "highwater_store_errors_total{call=\"roots\",kind=\"try_again\"} 1",
            "highwater_store_seconds_count{call=\"roots\"} 2",
            "highwater_requests_total{protocol=\"ews\",operation=\"GetItem\",status=\"200\"} 1",
            "highwater_request_seconds_bucket{protocol=\"ews\",operation=\"GetItem\",le=\"0.005\"} 1",
            "highwater_request_seconds_bucket{protocol=\"ews\",operation=\"GetItem\",le=\"0.002\"} 0",
        ] {
            assert!(text.lines().any(|have| have == line), "{line}\n{text}");
        }
    }

    #[test]
    fn operations_page_names_every_figure() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md");
        let page = std::fs::read_to_string(path).unwrap();
        let kind = |kind| match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let rows: String = TABLE
            .iter()
            .map(|row| format!("| `{}` | {} | {} | {} |\n", row.name, kind(row.kind), row.labels.join(", "), row.doc))
            .collect();
        let (before, rest) = page.split_once(BEGIN).unwrap();
        let (_, after) = rest.split_once(END).unwrap();
        let current = format!("{before}{BEGIN}{rows}{END}{after}");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path, &current).unwrap();
        } else {
            assert_eq!(page, current, "run the test again with BLESS=1");
        }
    }

    const BEGIN: &str = "| Name | Kind | Labels | Says |\n| --- | --- | --- | --- |\n";
    const END: &str = "\n<!-- end of the figures -->";
}
