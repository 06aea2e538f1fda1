"""What the simulator holds, in SQLite: packages, records by IdBanGhi, and a journal of every record that took effect.

A package is durable before it is answered and worked on in one transaction, so that a kill at any moment neither loses
nor doubles anything. Digests of groups are sums, kept with each change.
"""

import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simulators.ministry.packages import Content

CREATED, WORKING, DONE, CANCELLED, SENT = 1, 2, 3, 4, 5
DIGEST_SPACE = 2**64
_SCHEMA = """
CREATE TABLE IF NOT EXISTS package (
    request_id TEXT PRIMARY KEY, body BLOB NOT NULL, digest TEXT NOT NULL, state INTEGER NOT NULL,
    outcome TEXT NOT NULL, times_sent INTEGER NOT NULL, create_time TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS package_open ON package (state) WHERE state < 3;
CREATE TABLE IF NOT EXISTS record (
    id TEXT PRIMARY KEY, school TEXT NOT NULL, year TEXT NOT NULL, object TEXT NOT NULL, key TEXT NOT NULL,
    version INTEGER NOT NULL, cancelled INTEGER NOT NULL, content TEXT NOT NULL, digest INTEGER NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS record_key ON record (school, year, object, key) WHERE cancelled = 0;
CREATE INDEX IF NOT EXISTS record_of_school ON record (school, object) WHERE cancelled = 0;
CREATE TABLE IF NOT EXISTS record_group (
    school TEXT NOT NULL, object TEXT NOT NULL, count INTEGER NOT NULL, digest TEXT NOT NULL,
    PRIMARY KEY (school, object)
);
CREATE TABLE IF NOT EXISTS journal (id TEXT NOT NULL, version INTEGER NOT NULL, request_id TEXT NOT NULL);
"""


class Store:
    """The simulator's store; safe for threads, one writer at a time."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._base = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._base.row_factory = sqlite3.Row
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute("PRAGMA synchronous = FULL")
        self._base.executescript(_SCHEMA)

    @contextmanager
    def writing(self) -> Iterator["Writing"]:
        """One transaction."""
        with self._lock:
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield Writing(self._base)
            except BaseException:
                self._base.execute("ROLLBACK")
                raise
            self._base.execute("COMMIT")

    def rows(self, query: str, *given: object) -> list[sqlite3.Row]:
        """What a question finds."""
        with self._lock:
            return self._base.execute(query, given).fetchall()

    def take(self, request_id: str, body: bytes) -> int:
        """Keep a package, once; returns its state. ValueError: the id was used for another one."""
        digest = hashlib.sha256(body).hexdigest()
        with self.writing() as writes:
            known = writes.one("SELECT state, digest FROM package WHERE request_id = ?", request_id)
            if known is not None:
                if known["digest"] != digest:
                    raise ValueError("MaYeuCau đã dùng cho gói tin khác.")
                writes.run("UPDATE package SET times_sent = times_sent + 1 WHERE request_id = ?", request_id)
                return int(known["state"])
            writes.run(
                "INSERT INTO package VALUES (?, ?, ?, ?, '[]', 1, ?)",
                *(request_id, body, digest, CREATED, datetime.now(UTC).isoformat()),
            )
        return CREATED

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._base.close()


class Writing:
    """A running transaction."""

    def __init__(self, base: sqlite3.Connection) -> None:
        self._base = base

    def run(self, statement: str, *given: object) -> None:
        """Do something."""
        self._base.execute(statement, given)

    def one(self, query: str, *given: object) -> sqlite3.Row | None:
        """One row, or None."""
        row: sqlite3.Row | None = self._base.execute(query, given).fetchone()
        return row

    def put(self, row: dict[str, Any], *, request_id: str) -> None:
        """Write a record, keep the groups' digests true and the journal complete."""
        held = self.one("SELECT school, object, cancelled, digest FROM record WHERE id = ?", row["id"])
        if held is not None and not held["cancelled"]:
            self._move(held["school"], held["object"], count=-1, digest=-held["digest"])
        if not row["cancelled"]:
            self._move(row["school"], row["object"], count=1, digest=row["digest"])
        self.run(
            "INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *(row[name] for name in ("id", "school", "year", "object", "key", "version", "cancelled", "content")),
            row["digest"],
        )
        self.run("INSERT INTO journal VALUES (?, ?, ?)", row["id"], row["version"], request_id)

    def _move(self, school: str, kind: str, *, count: int, digest: int) -> None:
        held = self.one("SELECT count, digest FROM record_group WHERE school = ? AND object = ?", school, kind)
        before = (held["count"], int(held["digest"])) if held else (0, 0)
        self.run(
            "INSERT OR REPLACE INTO record_group VALUES (?, ?, ?, ?)",
            *(school, kind, before[0] + count, str((before[1] + digest) % DIGEST_SPACE)),
        )


def digest_of(content: Content) -> int:
    """The digest of a record's content: 63 bits of the SHA-256 of its fields as sorted JSON without blanks."""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
