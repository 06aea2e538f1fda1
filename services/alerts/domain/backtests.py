"""What a rule would have done with what facts were: when it would have fired, and for how long. Pure arithmetic."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from services.alerts.domain.facts import Fact

STRIDE = 4  # Steps from one look to the next as long as nothing changes.


@dataclass(frozen=True, slots=True)
class Episode:
    """A time an alert would have stood open; `ended` is None where it would be open still."""

    began: datetime
    ended: datetime | None

    def hours(self, now: datetime) -> float:
        """How long it stood."""
        return ((self.ended or now) - self.began) / timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Moments:
    """What a condition said from an instant on: whether it holds, and whether an open alert would stay."""

    time: datetime
    holds: bool
    stays: bool


@dataclass(frozen=True, slots=True)
class Known:
    """What a fact was from an instant on; `end` is None where it still is."""

    fact: Fact
    start: datetime
    end: datetime | None


def together(
    states: Sequence[Known], others: Sequence[Sequence[Known]], *, now: datetime
) -> Iterator[tuple[datetime, datetime, Fact, Mapping[tuple[int, str, str], Fact]]]:
    """Each time in which neither a fact nor those beside it changed: from, to, the fact and, by key, the others then.

    States are in order. Of another fact that changes the state before counts until the next is known.
    """
    starts = [[one.start for one in other] for other in others]
    for state in states:
        end = state.end or now
        changes = {start for other in starts for start in other if state.start < start < end}
        for begun, until in pairwise([state.start, *sorted(changes), max(end, state.start)]):
            newest = ((other, bisect_right(known, begun)) for other, known in zip(others, starts, strict=True))
            facts = [other[count - 1].fact for other, count in newest if count]
            yield begun, until, state.fact, {fact.key: fact for fact in facts}


def episodes(
    seen: Sequence[Moments],
    *,
    holds_for: timedelta,
    now: datetime,
    raisable: Callable[[datetime], datetime | None] = lambda at: at,
) -> list[Episode]:
    """When an alert would have stood open, given what the condition said, in order of time.

    It is raised once the condition has held for `holds_for` without a break, at the first instant from then on at which
    it may be (`raisable`; None: never), and ends when it would not stay.
    """
    found: list[Episode] = []
    open_since: datetime | None = None
    holding_since: datetime | None = None
    for place, one in enumerate(seen):
        until = seen[place + 1].time if place + 1 < len(seen) else now
        if open_since is not None and not one.stays:
            found.append(Episode(open_since, one.time))
            open_since = None
        if open_since is None:
            holding_since = (holding_since or one.time) if one.holds else None
            ripe = holding_since and raisable(max(holding_since + holds_for, one.time))
            if ripe is not None and ripe <= until:
                open_since, holding_since = ripe, None
    if open_since is not None:
        found.append(Episode(open_since, None))
    return found


def median_of(values: Sequence[float]) -> float:
    """The median; 0 of none."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def clocked(
    start: datetime, end: datetime, *, since: datetime | None, step: timedelta, look: Callable[[datetime], Moments]
) -> list[Moments]:
    """What a condition said of one state of a fact: once, or again where time alone changes it.

    Then it is looked at every `STRIDE` steps, and at each step between two looks that differ: what silence brings
    about comes once and stays, so that the step at which it came is found by few looks. Where an alert would come and
    go at once it is looked at each step.
    """
    seen = [look(start)]
    if since is None:
        return seen
    while (at := seen[-1].time + step) < end:
        count = min(STRIDE, -((at - end) // step))
        far = look(seen[-1].time + count * step)
        restless = far.holds and not far.stays
        if count > 1 and (restless or (far.holds, far.stays) != (seen[-1].holds, seen[-1].stays)):
            begun = seen[-1].time
            seen.extend(look(begun + place * step) for place in range(1, count))
        seen.append(far)
    return seen


def looks(start: datetime, end: datetime, *, since: datetime | None, step: timedelta) -> int:
    """About how often `clocked` looks."""
    return 1 if since is None else 1 + max(0, (end - start) // (step * STRIDE))
