#!/usr/bin/env python3
"""Measures a server over HTTP and prints a section in Markdown: its memory when idle and while one client synchronises a
large folder, and the synchronisation of a list of tasks by SOAP and by REST.

    served.py SERVER FILL DATA [--messages N] [--tasks N]

SERVER is the program, FILL the tool of crates/bench that fills its store, DATA a folder for the store that must not be
there. Standard library only; Linux, since it reads /proc.
"""
import argparse
import base64
import http.client
import json
import os
import re
import secrets
import statistics
import subprocess
import threading
import time
import urllib.parse

USER = "ann@example.com"
SITE = "/sites/team"
LIST = "Bench"
FIELDS = ("ID", "Title", "Status", "Priority", "PercentComplete", "Body", "StartDate", "DueDate", "Created", "Modified",
          "Author", "Editor")
PAGE = 2_000
ROUNDS = 5
TICK = os.sysconf("SC_CLK_TCK")


def memory_mb(pid):
    with open(f"/proc/{pid}/smaps_rollup") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


class Server:
    def __init__(self, program, store, password):
        self.process = subprocess.Popen([program, "serve", "--data", store, "--listen", "127.0.0.1:0"],
                                        stdout=subprocess.PIPE)
        for line in self.process.stdout:
            found = re.search(rb"listening on http://(\S+)", line)
            if found:
                break
        else:
            raise SystemExit("the server did not start")
        self.pid = self.process.pid
        self.address = found.group(1).decode()
        self.connection = http.client.HTTPConnection(self.address)
        pair = base64.b64encode(f"{USER}:{password}".encode()).decode()
        self.headers = {"Authorization": f"Basic {pair}"}

    def ask(self, method, path, body=None, **headers):
        self.connection.request(method, path, body, {**self.headers, **headers})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {text[:500]!r}")
        return text

    def end(self):
        self.process.terminate()
        self.process.wait()


class Watch:
    """The most memory that the server takes meanwhile, and what CPU."""

    def __init__(self, pid):
        self.pid, self.most, self.running = pid, 0.0, True

    def __enter__(self):
        self.started, self.cpu = time.perf_counter(), cpu_seconds(self.pid)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        return self

    def run(self):
        while self.running:
            self.most = max(self.most, memory_mb(self.pid))
            time.sleep(0.2)

    def __exit__(self, *_):
        self.seconds, self.cpu = time.perf_counter() - self.started, cpu_seconds(self.pid) - self.cpu
        self.running = False
        self.thread.join()


def sync_folder(server):
    """The number of messages in the inbox, synchronised from nothing."""
    state, count = "", 0
    while True:
        body = (
            '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
            'xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" '
            'xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"><s:Body><m:SyncFolderItems>'
            "<m:ItemShape><t:BaseShape>Default</t:BaseShape></m:ItemShape>"
            '<m:SyncFolderId><t:DistinguishedFolderId Id="inbox"/></m:SyncFolderId>'
            f"<m:SyncState>{state}</m:SyncState><m:MaxChangesReturned>512</m:MaxChangesReturned>"
            "</m:SyncFolderItems></s:Body></s:Envelope>")
        answer = server.ask("POST", "/EWS/Exchange.asmx", body, **{"Content-Type": "text/xml; charset=utf-8"})
        count += answer.count(b"<t:Create>")
        state = re.search(rb"SyncState>([^<]*)<", answer).group(1).decode()
        if b"IncludesLastItemInRange>true" in answer:
            return count


def sync_list_soap(server):
    position, count, seconds = "", 0, 0.0
    fields = "".join(f'<FieldRef Name="{name}"/>' for name in FIELDS)
    while True:
        paging = f'<Paging ListItemCollectionPositionNext="{position}"/>' if position else ""
        body = (
            '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
            '<GetListItemChangesSinceToken xmlns="http://schemas.microsoft.com/sharepoint/soap/">'
            f'<listName>{LIST}</listName><viewFields><ViewFields xmlns="">{fields}</ViewFields></viewFields>'
            f'<rowLimit>{PAGE}</rowLimit><queryOptions><QueryOptions xmlns="">{paging}</QueryOptions></queryOptions>'
            "</GetListItemChangesSinceToken></s:Body></s:Envelope>")
        started = time.perf_counter()
        answer = server.ask("POST", f"{SITE}/_vti_bin/lists.asmx", body, **{"Content-Type": "text/xml; charset=utf-8"})
        seconds += time.perf_counter() - started
        count += answer.count(b"<z:row ")
        found = re.search(rb'ListItemCollectionPositionNext="([^"]*)"', answer)
        if not found:
            return count, seconds
        position = found.group(1).decode()


def sync_list_rest(server):
    fields = ",".join(name + "Id" if name in ("Author", "Editor") else name for name in FIELDS)
    query = urllib.parse.urlencode({"$select": fields, "$top": str(PAGE)}, safe="$,")
    path, count, seconds = f"{SITE}/_api/web/lists/getbytitle('{LIST}')/items?{query}", 0, 0.0
    while True:
        started = time.perf_counter()
        answer = server.ask("GET", path, Accept="application/json;odata=nometadata")
        seconds += time.perf_counter() - started
        page = json.loads(answer)
        count += len(page["value"])
        further = page.get("odata.nextLink")
        if not further:
            return count, seconds
        parts = urllib.parse.urlsplit(further)
        path = f"{parts.path}?{parts.query}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("server")
    parser.add_argument("fill")
    parser.add_argument("data")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--tasks", type=int, default=10_000)
    given = parser.parse_args()
    os.makedirs(given.data)
    store, password = os.path.join(given.data, "store"), secrets.token_hex(8)
    subprocess.run([given.server, "account", "add", USER, "--password-stdin", "--data", store], check=True,
                   input=password.encode(), stdout=subprocess.DEVNULL)
    subprocess.run([given.fill, store, str(given.messages), str(given.tasks)], check=True)
    server = Server(given.server, store, password)
    try:
        time.sleep(3)
        idle = memory_mb(server.pid)
        with Watch(server.pid) as watch:
            found = sync_folder(server)
        assert found == given.messages, found
        print("| memory | PSS, MB |\n|---|--:|")
        print(f"| idle, three seconds after the start | {idle:.0f} |")
        print(f"| at most, while one client synchronises {found:,} messages | {watch.most:.0f} |")
        print(f"| afterwards | {memory_mb(server.pid):.0f} |")
        print(f"\nThe messages came at {found / watch.seconds:,.0f} a second, client included; "
              f"the server took {watch.cpu / found * 1000:.4f} s of CPU for 1,000.\n")
        print("| list of tasks, 12 fields | rows | rows/s (least to most) | CPU s per 1,000 rows |\n|---|--:|--:|--:|")
        for name, sync in (("SOAP, GetListItemChangesSinceToken", sync_list_soap), ("REST, items", sync_list_rest)):
            rates, cpu = [], cpu_seconds(server.pid)
            for _ in range(ROUNDS):
                rows, seconds = sync(server)
                assert rows == given.tasks, rows
                rates.append(rows / seconds)
            cpu = (cpu_seconds(server.pid) - cpu) / ROUNDS / rows * 1000
            print(f"| {name} in pages of {PAGE:,} | {rows:,} | {statistics.median(rates):,.0f} "
                  f"({min(rates):,.0f} to {max(rates):,.0f}) | {cpu:.4f} |")
        print("\nThe client is a script that shares the machine; its reading is in the times, its parsing is not.")
    finally:
        server.end()


if __name__ == "__main__":
    main()
