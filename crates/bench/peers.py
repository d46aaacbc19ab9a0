#!/usr/bin/env python3
"""Runs a comparison of servers (peerbench) with this server among them and prints a section in Markdown.

    peers.py PEERBENCH BINARY DATA [--rounds N] [--peers A,B] [--workloads W1,W2] [--n ITEMS]

PEERBENCH is the folder of that tool, which installs the other servers into PEERBENCH_WORK. BINARY is the program, DATA a
folder for its store and the results, which must not be there. Standard library only.

Messages are created as unread: the workloads change messages by setting their read flag, and a message that is made by a
client is read unless it says otherwise, so that the first change would be none.
"""
import argparse
import json
import os
import re
import secrets
import statistics
import subprocess
import sys

USER = "ann@example.com"
PEERS = "dovecot,dovecot-mdbox,cyrus-imap,cyrus-jmap,ews,nginx,disk"
WORKLOADS = "W1,W1i,W2,W2n,W3,W4,W4x,W5c1,W5c8"
OURS = "ews"
DURABLE = ("dovecot", "dovecot-mdbox", "cyrus-imap")

# Workload, metric, its heading, digits.
SHOWN = [
    ("W1", "items_per_s", "first sync, items/s", 0), ("W1", "server_cpu_s_per_1k", "CPU s per 1,000", 4),
    ("W1i", "items_per_s", "ids alone, items/s", 0),
    ("W2", "p50_ms", "poll, p50 ms", 3), ("W2", "p95_ms", "p95 ms", 3),
    ("W2n", "p50_ms", "poll with a new connection, p50 ms", 3),
    ("W3", "p50_ms", "delta 10 + 5 + 5, p50 ms", 3), ("W3", "p95_ms", "p95 ms", 3),
    ("W3", "write_p50_ms", "one write, p50 ms", 3),
    ("W4", "items_per_s", "export as MIME, items/s", 0), ("W4", "server_cpu_s_per_1k", "CPU s per 1,000", 4),
    ("W4x", "items_per_s", "export in the other form, items/s", 0),
    ("W5c1", "items_per_s", "durable creates by 1, /s", 0), ("W5c8", "items_per_s", "by 8, /s", 0),
    ("W5c8", "server_cpu_s_per_1k", "CPU s per 1,000", 3), ("W5c8", "server_pss_mb", "memory after it, MB", 0),
]


def best(table, peers, workload, metric="items_per_s"):
    return max((table[p, workload, metric] for p in peers if (p, workload, metric) in table), default=None)


def promises(t):
    """(what was promised, ours, the bound, whether less is better) of each promise whose sides were both measured."""
    own = lambda workload, metric="items_per_s": t.get((OURS, workload, metric))
    of = lambda peer, workload, metric="items_per_s": t.get((peer, workload, metric))
    times = lambda factor, value: None if value is None else factor * value
    rows = [
        ("W1: at least half of cyrus-imap, items/s", own("W1"), times(0.5, of("cyrus-imap", "W1")), False),
        ("W1: at least 4 times cyrus-jmap, items/s", own("W1"), times(4, of("cyrus-jmap", "W1")), False),
        ("W1: at least 100,000 items/s on a quiet machine", own("W1"), 100_000, False),
        ("W1: under 0.01 s of CPU per 1,000 items", own("W1", "server_cpu_s_per_1k"), 0.01, True),
        ("W2: within 4 times nginx, p50 ms", own("W2", "p50_ms"), times(4, of("nginx", "W2", "p50_ms")), True),
        ("W3: under dovecot-mdbox, p50 ms", own("W3", "p50_ms"), of("dovecot-mdbox", "W3", "p50_ms"), True),
        ("W4: at least dovecot on maildir, items/s", own("W4"), of("dovecot", "W4"), False),
        ("W4x: at least half of dovecot's W4, items/s", own("W4x"), times(0.5, of("dovecot", "W4")), False),
    ]
    for workload, clients in (("W5c1", "1 client"), ("W5c8", "8 clients")):
        rows += [
            (f"W5, {clients}: above every durable peer, items/s", own(workload), best(t, DURABLE, workload), False),
            (f"W5, {clients}: at least 0.3 of disk, items/s", own(workload), times(0.3, of("disk", workload)), False),
        ]
    return [row for row in rows if row[1] is not None and row[2] is not None]


def number(value, digits):
    return f"{value:,.{digits}f}"


def section(records):
    """Medians over the rounds but the first, which warms caches, unless there is only that one."""
    last = max(r["round"] for r in records)
    values = {}
    for r in records:
        if r["round"] > 0 or last == 0:
            values.setdefault((r["peer"], r["workload"], r["metric"]), []).append(r["value"])
    table = {key: statistics.median(of) for key, of in values.items()}
    peers = [p for p in PEERS.split(",") if any(key[0] == p for key in table)]
    out = ["| work | " + " | ".join(peers) + " |", "|---|" + "--:|" * len(peers)]
    for workload, metric, name, digits in SHOWN:
        cells = []
        for peer in peers:
            of = values.get((peer, workload, metric))
            if of is None:
                cells.append("–")
            else:
                spread = f" ({number(min(of), digits)} to {number(max(of), digits)})" if len(of) > 1 else ""
                cells.append(number(statistics.median(of), digits) + spread)
        if any(cell != "–" for cell in cells):
            out.append(f"| {workload} {name} | " + " | ".join(cells) + " |")
    foreign = [of for key, many in values.items() if key[2] == "foreign_cores" for of in many]
    out += ["", "| promised | here | bound | kept |", "|---|--:|--:|---|"]
    for name, ours, bound, less in promises(table):
        kept = ours <= bound if less else ours >= bound
        digits = 0 if bound >= 100 else 4
        out.append(f"| {name} | {number(ours, digits)} | {number(bound, digits)} | {'yes' if kept else 'no'} |")
    rounds = last if last else 1
    out += ["", f"Medians of {rounds} rounds (least to most), each of {records[0]['n']:,} messages; during the workloads "
            f"others kept {statistics.median(foreign or [0]):.1f} of the cores busy (median)."]
    return "\n".join(out)


def serve(binary, data, password):
    """The server, its process and its URL."""
    store = os.path.join(data, "store")
    subprocess.run([binary, "account", "add", USER, "--password-stdin", "--data", store], input=password.encode(),
                   check=True, stdout=subprocess.DEVNULL)
    process = subprocess.Popen([binary, "serve", "--data", store, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE)
    for line in process.stdout:
        found = re.search(rb"listening on (http://\S+)", line)
        if found:
            return process, found.group(1).decode() + "/EWS/Exchange.asmx"
    raise SystemExit("the server did not start")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peerbench")
    parser.add_argument("binary")
    parser.add_argument("data")
    parser.add_argument("--rounds", default="4")
    parser.add_argument("--peers", default=PEERS)
    parser.add_argument("--workloads", default=WORKLOADS)
    parser.add_argument("--n", default="10000")
    given = parser.parse_args()
    os.makedirs(given.data)
    password = secrets.token_hex(8)
    os.environ["PEERBENCH_EWS_PASSWORD"] = password
    sys.path.insert(0, given.peerbench)
    from peerbench import __main__ as peerbench
    from peerbench.peers.ews import EwsSession

    call = EwsSession.call

    def unread(self, operation, body, attrs=""):
        if operation == "CreateItem":
            body = body.replace("</t:MimeContent>", "</t:MimeContent><t:IsRead>false</t:IsRead>")
        return call(self, operation, body, attrs)

    EwsSession.call = unread
    process, url = serve(given.binary, given.data, password)
    results = os.path.join(given.data, "results.jsonl")
    sys.argv = ["peerbench", "run", "--peers", given.peers, "--workloads", given.workloads, "--rounds", given.rounds,
                "--n", given.n, "--ews-url", url, "--ews-user", USER, "--ews-pids", str(process.pid), "--out", results]
    stdout, sys.stdout = sys.stdout, sys.stderr
    try:
        peerbench.main()
    finally:
        sys.stdout = stdout
        process.terminate()
        process.wait()
    with open(results) as lines:
        print(section([json.loads(line) for line in lines]))


if __name__ == "__main__":
    main()
