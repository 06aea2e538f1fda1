"""Corrections by hand: what a person asks for, and what is wrong with the way it is asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

ETAG_MISMATCH: Final = "ETAG_MISMATCH"
MASKED: Final = "•••"  # How values begin that are shown masked.


@dataclass(frozen=True, slots=True)
class Correction:
    """A correction of one record."""

    school: str  # As the person wrote it.
    collection: str
    key: str
    paths: Sequence[str]
    etag: str  # Of the record as the person saw it.
    reason: str
    request_id: str  # Within all schools.
    digest: bytes  # Tells it from another under the same request id.
    validate_only: bool


class Wrong(Enum):
    """What can be wrong with a path or what stands at it."""

    NO_FIELD = auto()
    OTHER_RECORD = auto()  # Another type of record stands there, or none.
    MASKED = auto()  # The value is one that was shown masked.


class PathRefusedError(Exception):
    """A path that cannot be taken."""

    def __init__(self, wrong: Wrong, path: str) -> None:
        super().__init__(wrong, path)
        self.wrong = wrong
        self.path = path
