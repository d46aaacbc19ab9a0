//! The sections of `BENCHMARKS.md`: one a kind of run, each written by its own and kept by the others.

/// A section: its heading, and what stands before its figures.
pub(super) struct Section {
    pub(super) title: &'static str,
    about: &'static str,
}

const HEAD: &str = "\
# Benchmarks

`cargo xtask bench` writes this file: without options the section of the layers (`--quick` leaves out 100,000 messages), with \
`--large`, `--memory`, `--scale` or `--peers PATH` the others. Each section says when and where it ran.
";

pub(super) const LAYERS: Section = Section {
    title: "Layers",
    about: "\
What the layers cost, without sockets: requests go to the adapters in process, and the store is on disk.

- Every row names its store. `sqlite` is the embedded store with `synchronous=FULL`: each group of commits syncs the log. \
What a sync costs is up to the disk, and that of a virtual machine may answer early.
- Messages have a subject, a receiver and a body of 500 characters; tasks have twelve fields that clients set. A page is \
512 messages or 2,000 tasks; `sync_page` is the first page, `sync_first` all of them. `poll` is a sync without changes, \
`sync_delta_10_5_5` one of 10 creates, 5 updates and 5 deletes; all of them ask for the shape Default. `update_1` changes a \
subject.
- The ledger is a list of rows with a code, of which there are 100 of each, and an amount. `caml_eq` asks for one code; \
`caml_range_in_order` for the first 100 of the lower half by amount, downwards; `index_two_fields` is the time in which \
both fields get their indexes; `add_100_rows_in_a_batch` is one request with 100 new rows.
- Times are of whole requests, reading and writing XML included. Counts are those of one run, the median by rows read: rows \
that reads fetched, steps of SQLite's machine that reads took, pages read from files (those that the system has in memory \
included), commits, syncs of the log, bytes of the answers, allocations (SQLite's own not included).
- Rows and steps read by a poll, a delta and a single write must not grow with the folder, nor with tombstones and changes \
before: the benchmark fails otherwise, and `crates/bench/tests/counts.rs` guards it at every change.
",
};

pub(super) const FLATNESS: Section = Section {
    title: "Flatness",
    about: "\
The poll, the delta and the single write of the layers again, in an inbox of up to 1,000,000 messages, behind 100,000 \
tombstones, and behind 100,000 changes of one message. Rows and steps read must be equal everywhere: the benchmark fails \
otherwise. Pages grow with the depth of the trees alone.
",
};

pub(super) const SERVED: Section = Section {
    title: "Over HTTP",
    about: "\
`highwater serve` and one client by one connection. Memory is as the system counts it (PSS: shared pages by their share); \
the folder is synchronised from nothing, with the shape Default in pages of 512.
",
};

pub(super) const PEERS: Section = Section {
    title: "Beside other servers",
    about: "\
The same work by servers that are in use, in one run on one machine, over loopback and by one connection unless said \
otherwise. `nginx` (the same bytes from files) and `disk` (a file with one sync a message) are no servers of this kind but \
what network and disk can do. dovecot stores maildir; `dovecot-mdbox` its own format. Times are taken at the client, which \
shares the machine; CPU is that of the server.
",
};

pub(super) const SCALE: Section = Section {
    title: "Past one machine",
    about: "\
One node and three nodes of `highwater serve` over one PostgreSQL, each behind haproxy, which gives every request to the \
next node, all on one machine; the embedded store beside them. Times are taken at the client; CPU is that of all nodes and of \
all processes of the database. A delta finds ten messages, a page has 512, each client has a mailbox of its own unless said \
otherwise. The log is the database's write-ahead log, with `fsync` and `synchronous_commit` on. `crates/simulate/figures.txt` \
is written by the same run.
",
};

/// In the order of the file.
const ALL: &[&Section] = &[&LAYERS, &FLATNESS, &SERVED, &SCALE, &PEERS];

impl Section {
    /// The report with this section's figures; the other sections stay as they are.
    pub(super) fn put(&self, report: &str, figures: &str) -> String {
        let mut out = HEAD.to_owned();
        for section in ALL {
            let heading = section.heading();
            if section.title == self.title {
                out += &format!("{heading}\n{}\n{}\n", section.about, figures.trim_end());
            } else if let Some((_, rest)) = report.split_once(&heading) {
                let body = rest.split_once("\n## ").map_or(rest, |(body, _)| body);
                out += &format!("{heading}{}\n", body.trim_end());
            }
        }
        out
    }

    fn heading(&self) -> String {
        format!("\n## {}\n", self.title)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_replaces_itself_alone() {
        let one = LAYERS.put("# Benchmarks\n\nof an older form\n", "layers 1");
        let two = PEERS.put(&one, "peers 1");
        let three = FLATNESS.put(&two, "flat 1");
        let four = LAYERS.put(&three, "layers 2");
        for (figures, times) in [("layers 1", 0), ("layers 2", 1), ("peers 1", 1), ("flat 1", 1), ("# Benchmarks", 1)] {
            assert_eq!(four.matches(figures).count(), times, "{figures}: {four}");
        }
        let titles: Vec<&str> = four.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(titles, ["Layers", "Flatness", "Beside other servers"]);
        assert_eq!(LAYERS.put(&four, "layers 2"), four);
    }
}
