"""What became known of a division of units on each day, kept up as schools move: exact, only what moved is read anew.

Refuses nothing; knows no unit but the school.
"""

from array import array
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

MOST_WEIGHT = 1_000_000  # Of what is kept, some 18 bytes each: a province's indicator weighs 1,300 a day.
SCHOOL_WEIGHT = 20  # Of a school without a day.
QUESTION_WEIGHT = 200  # Of what is kept of a question of whose schools nothing is known.

Days = Mapping[int, Sequence[int]]  # By day, counted from some day, how much each term changed.


@dataclass(slots=True)
class Moved:
    """Changes of an indicator's terms by day, of schools and together; `position` is that of the head they stand at."""

    position: int = -1
    sums: dict[int, list[int]] = field(default_factory=dict)
    weight: int = 0
    _schools: dict[int, tuple["array[int]", "array[int]"]] = field(default_factory=dict)

    def put(self, school: int, days: Days) -> None:
        """Take in what is known of a school in place of what was."""
        before = self._schools.pop(school, None)
        if before is not None:
            self._add(*before, sign=-1)
        if days:
            after = array("i", days), array("q", [change for changes in days.values() for change in changes])
            self._schools[school] = after
            self._add(*after, sign=1)

    def _add(self, days: "array[int]", changes: "array[int]", *, sign: int) -> None:
        width = len(changes) // len(days)
        for place, day in enumerate(days):
            into = self.sums.setdefault(day, [0] * width)
            for term in range(width):
                into[term] += sign * changes[place * width + term]
        self.weight += sign * (SCHOOL_WEIGHT + len(days))


class MovedKept:
    """What was asked for last, as long as together it weighs no more than `most`."""

    def __init__(self, most: int = MOST_WEIGHT) -> None:
        self._most = most
        self._kept: dict[Hashable, Moved] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def of(self, key: Hashable) -> Moved:
        """What is kept under a key, now the last to be dropped; nothing yet where it is new."""
        return self._kept.pop(key, None) or Moved()

    def keep(self, key: Hashable, moved: Moved) -> None:
        """Keep it, and drop what was asked for least recently."""
        self._kept[key] = moved
        while self._kept and sum(QUESTION_WEIGHT + one.weight for one in self._kept.values()) > self._most:
            self._kept.pop(next(iter(self._kept)))
