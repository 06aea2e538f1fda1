"""What a sender has beside what is held of it, told apart key by key."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from services.records.domain.versions import DELETED_HASH, Stored


@dataclass(slots=True)
class Differences:
    """What differs, as keys in order; each key stands in one list at most."""

    same: int = 0
    missing: list[str] = field(default_factory=list)
    behind: list[str] = field(default_factory=list)
    ahead: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    surplus: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


def compare(
    sent: Mapping[str, int], held: Mapping[str, Stored], *, source: str, present: Collection[str]
) -> Differences:
    """Compare versions sent by key with what is held of these keys, and with all keys `present` of the source."""
    found = Differences(surplus=sorted(set(present) - set(sent)))
    for key in sorted(sent):
        stored, version = held.get(key), sent[key]
        if stored is None:
            found.missing.append(key)
        elif stored.source != source:
            found.foreign.append(key)
        elif stored.version < version:
            found.behind.append(key)
        elif stored.content_hash == DELETED_HASH:
            found.deleted.append(key)
        elif stored.version > version:
            found.ahead.append(key)
        else:
            found.same += 1
    return found
