"""A subscriber such as the provincial IOC: takes signed deliveries, each once however often it comes.

    SECRET=… python -m examples.subscriber --listen 127.0.0.1:9400 --state ioc.db

The secret is what `POST /v1/destinations` answered. A delivery is stored before it is acknowledged: what was not
acknowledged comes again under the same id, and what is known already is acknowledged and dropped. What a record holds
is not in a delivery: read it from the change feed (`examples/provincial_ioc.py`) with rights of one's own.
"""

import argparse
import base64
import hashlib
import hmac
import json
import os
import sqlite3
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

OLDEST_SECONDS = 300  # A delivery that is older was recorded by somebody and is being replayed.
MOST_BYTES = 4_000_000
PREFIX = "whsec_"  # Of a secret; what follows is the key in base64.
SCHEMA = """
CREATE TABLE IF NOT EXISTS delivery (delivery_id TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS change (record_id TEXT PRIMARY KEY, school_id TEXT, type TEXT, key TEXT, version INTEGER,
    event TEXT);
"""


class Inbox:
    """What was delivered, in SQLite."""

    def __init__(self, path: Path, secret: str) -> None:
        self._base = sqlite3.connect(path)
        self._base.executescript(SCHEMA)
        self._key = base64.b64decode(secret[len(PREFIX) :]) if secret.startswith(PREFIX) else secret.encode()

    def genuine(self, message_id: str, stamp: str, signatures: str, body: bytes, *, now: float) -> bool:
        """Whether a delivery was signed with our secret, and lately."""
        digest = hmac.new(self._key, f"{message_id}.{stamp}.".encode() + body, hashlib.sha256).digest()
        expected = b"v1," + base64.b64encode(digest)
        fresh = stamp.isdecimal() and abs(now - int(stamp)) <= OLDEST_SECONDS
        return fresh and any(hmac.compare_digest(expected, one.encode()) for one in signatures.split(" "))

    def take(self, body: bytes) -> bool:
        """Store a delivery with what it says, in one transaction; False: it is known."""
        said = json.loads(body)
        with self._base:
            new = self._base.execute("INSERT OR IGNORE INTO delivery VALUES (?)", (said["delivery_id"],)).rowcount
            if new:
                self._base.executemany(
                    "INSERT INTO change VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (record_id) DO UPDATE SET"
                    " version = excluded.version, event = excluded.event, key = excluded.key"
                    " WHERE excluded.version > change.version",
                    [
                        (one["record_id"], said["school_id"], one["type"], one["key"], one["version"], one["event"])
                        for one in said["changes"]
                    ],
                )
        return bool(new)


class Receiver(BaseHTTPRequestHandler):
    """Takes one delivery."""

    inbox: ClassVar[Inbox]

    def do_POST(self) -> None:
        """Check, store, acknowledge."""
        length = int(self.headers.get("Content-Length") or 0)
        if length > MOST_BYTES:
            self.send_error(413)
            return
        body = self.rfile.read(length)
        names = ("webhook-id", "webhook-timestamp", "webhook-signature")
        message_id, stamp, signatures = (self.headers.get(name, "") for name in names)
        if not self.inbox.genuine(message_id, stamp, signatures, body, now=time.time()):
            self.send_error(401)
            return
        new = self.inbox.take(body)
        self.send_response(204)
        self.end_headers()
        print(f"{json.loads(body)['delivery_id']} {'stored' if new else 'known already'}", flush=True)


def main() -> int:
    """Receive until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", default="127.0.0.1:9400")
    parser.add_argument("--state", type=Path, default=Path("ioc.db"))
    options = parser.parse_args()
    secret = os.environ.get("SECRET", "")
    if not secret:
        print("SECRET is not set: export what POST /v1/destinations answered", file=sys.stderr)
        return 2
    host, _, port = options.listen.rpartition(":")
    Receiver.inbox = Inbox(options.state, secret)
    HTTPServer((host, int(port)), Receiver).serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
