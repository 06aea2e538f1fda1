"""What became of a pupil after a school year: a step to the next one, read from what schools reported.

What happened counts before what was decided: who is in the next year's class has moved up or not, whatever the results
said. A key that goes on from year to year is one record at its newest year; it stands in no list of the year before.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

LEFT_FLOW, MOVED_FLOW = "left", "moved_away"


class Step(IntEnum):
    """How a pupil went on; numbered as the interface has them."""

    PROMOTED = 1
    RETAINED = 2
    TRANSFERRED = 3
    LEFT = 4
    GRADUATED = 5
    UNKNOWN = 6


@dataclass(frozen=True, slots=True)
class Place:
    """A pupil's record of a school year."""

    school_id: int
    key: str
    class_key: str
    grade: str
    level: str

    @property
    def height(self) -> tuple[str, str]:
        """Comparable: levels follow each other, grades within one."""
        return self.level, self.grade


@dataclass(frozen=True, slots=True)
class Stepped:
    """A pupil of a year, and what is known of the way on."""

    place: Place
    full_name: str
    flow: str  # what the status says of the pupil's coming and going
    promoted: bool | None  # what the school decided; None: not said
    graduated: bool | None
    following: Place | None  # the same person's record of the next year, without a key where it is restricted

    @property
    def step(self) -> Step:
        """How the pupil went on."""
        return step_of(self)


def step_of(one: Stepped) -> Step:
    """The step: by the next year's record at the same school, then by what ended, then by going on elsewhere."""
    here, following = one.place, one.following
    if following is not None and following.school_id == here.school_id:
        if all((*here.height, *following.height)):
            return Step.PROMOTED if following.height > here.height else Step.RETAINED
        if one.promoted is not None:
            return Step.PROMOTED if one.promoted else Step.RETAINED
        return Step.UNKNOWN
    if one.graduated:
        return Step.GRADUATED
    if following is not None or one.flow == MOVED_FLOW:
        return Step.TRANSFERRED
    return Step.LEFT if one.flow == LEFT_FLOW else Step.UNKNOWN


def counts_of(some: Iterable[Stepped]) -> list[tuple[Step, int]]:
    """How many went which way, in the order of the steps; ways that nobody went are left out."""
    counted = Counter(one.step for one in some)
    return [(step, counted[step]) for step in _ORDER if counted[step]]


_ORDER: Final = sorted(Step)
