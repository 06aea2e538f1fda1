"""Systems outside for the tests of passing on: the ministry's simulator and a subscriber, in threads of their own."""

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from simulators.ministry.rules import load_rules
from simulators.ministry.service import Handler, Ministry, Server
from simulators.ministry.store import Store

USER, PASSWORD = "so48", "mo-phong"


@dataclass
class Outside:
    """The simulator, running."""

    ministry: Ministry
    address: str
    path: Path

    def held(self, kind: str) -> dict[str, dict[str, Any]]:
        """What it holds of an object, by key: content with id and version."""
        rows = self.ministry.store.rows("SELECT * FROM record WHERE object = ? AND cancelled = 0", kind)
        return {row["key"]: {**json.loads(row["content"]), "id": row["id"], "version": row["version"]} for row in rows}

    def journal(self) -> list[tuple[str, int]]:
        """Id and version of everything that took effect, in order."""
        return [(row["id"], row["version"]) for row in self.ministry.store.rows("SELECT id, version FROM journal")]

    def order(self) -> list[str]:
        """Objects in the order in which they took effect, repeats left out."""
        rows = self.ministry.store.rows(
            "SELECT record.object FROM journal JOIN record ON record.id = journal.id ORDER BY journal.rowid"
        )
        names = [row["object"] for row in rows]
        return [name for place, name in enumerate(names) if place == 0 or names[place - 1] != name]


@contextmanager
def simulating(folder: Path) -> Iterator[Outside]:
    """Run the simulator on a free port."""
    store = Store(folder / "ministry.db")
    ministry = Ministry(store, load_rules(), user=USER, password=PASSWORD)
    server = Server(("127.0.0.1", 0), type("OneHandler", (Handler,), {"ministry": ministry}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    ministry.worker.start()
    thread.start()
    try:
        yield Outside(ministry, f"http://127.0.0.1:{server.server_address[1]}", folder / "ministry.db")
    finally:
        ministry.worker.stopping = True
        ministry.worker.bell.set()
        server.shutdown()
        thread.join()
        ministry.worker.join()
        server.server_close()
        store.close()


@dataclass
class Subscriber:
    """Receives deliveries; answers with `status`, or drips headers without end."""

    address: str = ""
    status: int = 204
    dripping: bool = False
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def changes(self) -> list[dict[str, Any]]:
        """All changes told, each delivery once."""
        seen: dict[str, bytes] = {headers["webhook-id"]: body for headers, body in self.received}
        return [change for body in seen.values() for change in json.loads(body)["changes"]]


@contextmanager
def subscribing() -> Iterator[Subscriber]:
    """Run a subscriber on a free port."""
    subscriber = Subscriber()

    class Receiver(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            subscriber.received.append((dict(self.headers), body))
            self.send_response(subscriber.status)
            self.flush_headers()
            with suppress(ConnectionError):
                while subscriber.dripping:
                    self.wfile.write(b"X-More: y\r\n")
                    time.sleep(0.05)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    subscriber.address = f"http://127.0.0.1:{server.server_address[1]}/in"
    try:
        yield subscriber
    finally:
        subscriber.dripping = False
        server.shutdown()
        thread.join()
        server.server_close()


def read_journal(path: Path) -> list[tuple[str, int]]:
    """Id and version of everything that took effect, from the file of a simulator in another process."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as base:
        return list(base.execute("SELECT id, version FROM journal"))
