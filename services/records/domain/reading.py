"""A reading of personal data as the access log keeps it: who looked at what, why, and whether it was masked."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Reading:
    """One call that could show personal data."""

    read_time: datetime
    subject: str
    method: str
    unit_id: int
    collection: str
    key: str  # key asked for; empty for lists
    record_count: int
    purpose: str
    unmasked: bool
    trace_id: str


@dataclass(frozen=True, slots=True)
class Logged:
    """A reading as it stands in the log, and its seal where it has one."""

    entry_id: int
    sequence: int | None
    hash: bytes | None
    reading: Reading
