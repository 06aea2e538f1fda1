"""Mails as they came, in SQLite: each once by its Message-ID and recipient, with how often it came."""

import sqlite3
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path


@dataclass(frozen=True)
class Mail:
    """One mail in one recipient's box."""

    mail_id: int
    message_id: str
    recipient: str
    subject: str
    received: str
    arrivals: int
    raw: bytes

    @property
    def parsed(self) -> EmailMessage:
        """Its parts."""
        parsed = message_from_bytes(self.raw, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    def body(self, kind: str) -> str:
        """Its text (`plain`) or page (`html`); empty: it has none."""
        part = self.parsed.get_body(preferencelist=(kind,))
        return str(part.get_content()) if part is not None else ""


class Box:
    """All mails of one folder; used by the threads of both servers."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(folder / "mailbox.db", check_same_thread=False)
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS mail (mail_id INTEGER PRIMARY KEY, message_id TEXT NOT NULL,"
            " recipient TEXT NOT NULL, subject TEXT NOT NULL, received TEXT NOT NULL, arrivals INTEGER NOT NULL,"
            " raw BLOB NOT NULL, UNIQUE (message_id, recipient))"
        )

    def keep(self, recipient: str, raw: bytes) -> None:
        """Keep a mail; a repeat is counted."""
        parsed = message_from_bytes(raw, policy=policy.default)
        row = (str(parsed["Message-ID"]), recipient, str(parsed["Subject"]), f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}")
        with self._lock, self._connection:
            self._connection.execute(
                "INSERT INTO mail (message_id, recipient, subject, received, arrivals, raw) VALUES (?, ?, ?, ?, 1, ?)"
                " ON CONFLICT (message_id, recipient) DO UPDATE SET arrivals = arrivals + 1",
                (*row, raw),
            )

    def mails(self, *, limit: int = 10_000) -> list[Mail]:
        """The newest first."""
        with self._lock:
            rows = self._connection.execute("SELECT * FROM mail ORDER BY mail_id DESC LIMIT ?", (limit,)).fetchall()
        return [Mail(*row) for row in rows]

    def mail(self, mail_id: int) -> Mail | None:
        """One mail."""
        with self._lock:
            row = self._connection.execute("SELECT * FROM mail WHERE mail_id = ?", (mail_id,)).fetchone()
        return None if row is None else Mail(*row)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()
