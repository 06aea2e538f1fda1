"""What becomes of a row when it meets what is stored: decided by source, version and content alone.

A version only rises within one source, so its rows may come in any order and any number of times and the same record
remains. A repeat is told from a change by the hash of its content.
"""

from enum import IntEnum, auto
from typing import Final, NamedTuple

from services.records.domain.locks import Place
from services.records.domain.sources import Owner

DELETED_HASH: Final = 0  # the content hash of a record that is deleted


class Stored(NamedTuple):
    """What is kept about a record that is there, a deleted one included."""

    version: int
    content_hash: int
    source: str
    place: Place | None = None  # Where it stands; read only where something is locked.


class Outcome(IntEnum):
    """What becomes of a row. Numbers, because they are looked up for every row and so must hash fast."""

    NEW = auto()  # stored, nothing was there
    CHANGED = auto()  # stored over an older version
    RAISED = auto()  # the same content under a higher version: only the version is noted, nobody is told
    UNCHANGED = auto()  # a repeat
    STALE = auto()  # a newer version is there
    VERSION_REUSED = auto()  # the same version with other content
    OTHER_SOURCE = auto()  # another source owns the record or its collection
    HELD = auto()  # would be stored, but what it changes is locked


def classify(
    stored: Stored | None, *, version: int, content_hash: int, source: str, owner: Owner | None = None
) -> Outcome:
    """Decide what becomes of a row with this version, content and source, where a collection was handed to `owner`.

    What another source sent before the hand-over is taken over whatever its version: those of two sources say nothing
    of each other.
    """
    if owner is not None and owner.source != source:
        return Outcome.OTHER_SOURCE
    if stored is None:
        return Outcome.NEW
    if stored.source != source:
        return Outcome.OTHER_SOURCE if owner is None else Outcome.CHANGED
    if version < stored.version:
        return Outcome.STALE
    if version == stored.version:
        return Outcome.UNCHANGED if content_hash == stored.content_hash else Outcome.VERSION_REUSED
    return Outcome.RAISED if content_hash == stored.content_hash else Outcome.CHANGED
