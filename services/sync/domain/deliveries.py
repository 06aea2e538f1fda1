"""What destinations answer, in one shape whatever they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a destination says of one record: taken, or why not. `version` is what it holds.

    `held` says whether it holds the record, where a refusal tells.
    """

    record_id: str
    taken: bool
    version: int = 0
    reason: str = ""
    field: str = ""
    message: str = ""
    may_pass: bool = False  # Whether the reason may pass by itself.
    held: bool | None = None


@dataclass(frozen=True, slots=True)
class Parcel:
    """A package as it is sent."""

    package_id: UUID
    unit_code: str
    level: str
    body: bytes
    record_ids: Sequence[str]
    sent_before: bool


@dataclass(frozen=True, slots=True)
class HeldThere:
    """A record as a destination holds it."""

    record_id: str
    version: int
    digest: int


class UnreachableError(Exception):
    """The destination does not answer, or not in earnest: whoever it is asked for, it is not the moment."""

    def __init__(self, reason: str, *, vi: str, en: str) -> None:
        super().__init__(reason, en)
        self.reason, self.vi, self.en = reason, vi, en


class SchoolRefusedError(Exception):
    """Nothing of this school can be sent until somebody puts something right, as with a wrong password."""

    def __init__(self, reason: str, *, vi: str, en: str) -> None:
        super().__init__(reason, en)
        self.reason, self.vi, self.en = reason, vi, en


class StillWorkingError(Exception):
    """The destination has the package and has not said yet what becomes of it."""


class PackageTooLargeError(Exception):
    """The destination takes no package of this size; its records may go in smaller ones."""


class Outlet(Protocol):
    """The way to one destination."""

    async def push(self, parcel: Parcel) -> Sequence[Verdict]:
        """Send a package, once in effect however often it is tried, and return what became of each record."""
