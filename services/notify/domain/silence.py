"""How long a school has sent nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Silence:
    """Since when a school has sent nothing; None where no clock runs. `version` rises with each change."""

    school_id: int
    version: int
    must_connect: bool
    since: datetime | None


def newest_silences(silences: Iterable[Silence]) -> list[Silence]:
    """One a school, the last one, in the order in which they are locked."""
    kept: dict[int, Silence] = {}
    for one in silences:
        known = kept.get(one.school_id)
        if known is None or known.version < one.version:
            kept[one.school_id] = one
    return [kept[school_id] for school_id in sorted(kept)]
