"""Corrections by hand: how a record is told from what it was a moment ago, and what is kept about who corrected it.

A record belongs to its source. A correction leaves it the source's, at the source's version, and leaves the hash of
what the source sent: a repeat of that is no change, and only other content under a higher version replaces it.
What tells a corrected record is the request that brought its content.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final, NamedTuple, TypeGuard

from services.records.domain.objects import CONTENT_HASH, REQUEST_ID, SOURCE, VERSION

_PREFIX: Final = "edit-"


@dataclass(frozen=True, slots=True)
class Edit:
    """What makes a row a correction by hand."""

    etag: str  # of the record that was corrected
    reason: str
    by: str


class Kept(NamedTuple):
    """A correction as it is kept, under the request that brought it."""

    school_id: int
    request_id: str
    edited_by: str
    reason: str


class Seen(NamedTuple):
    """What an etag says about the record it was given for."""

    version: str
    source: str


def edit_id(request_id: str) -> str:
    """The request id of a correction; no batch of a source has such a one."""
    return f"{_PREFIX}{request_id}"


def is_edit(request_id: str | None) -> TypeGuard[str]:
    """Whether what a request brought is a correction by hand; None: not known which request it was."""
    return request_id is not None and request_id.startswith(_PREFIX)


def etag_of(stored: Sequence[Any]) -> str:
    """Tells a stored record, columns as in `spec.row`, from any other content, version or source of it."""
    told = f"{stored[CONTENT_HASH]}/{stored[REQUEST_ID] or ''}".encode()
    return f"{stored[VERSION]}-{blake2b(told, digest_size=8).hexdigest()}-{stored[SOURCE]}"


def seen(etag: str) -> Seen:
    """The version and source that an etag was given for; empty where it is no etag."""
    version, _, rest = etag.partition("-")
    _, separator, source = rest.partition("-")
    return Seen(version, source) if separator else Seen("", "")
