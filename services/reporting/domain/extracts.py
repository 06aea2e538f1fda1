"""Extracts for research: which columns go together, and what of a table of pupils is given.

A table says of each combination of values how many pupils have it. Given is each combination of at least `SMALL`. How
many there are by unit, level, grade and sex is told by figures, so of these columns rare values are withheld from the
first on, together, or left out where together they still are rare. Of other columns more is withheld than what is rare,
until for each rare combination a withheld pupil could have traded a value with another: then every figure of one of
these columns, by sex too, and all that is given stay the same while the rare count is another. Who subtracts what is
given from figures cannot tell which is true.

Refuses columns that are not decided on together. Does not guard against figures of single schools, nor against what is
true of all of a large group.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import IntEnum

from services.reporting.domain.disclosure import SMALL

Values = tuple[str, ...]
WITHHELD = "*"

AREA, ETHNIC_GROUP, LEVEL, SEX = "area", "ethnic_group", "level", "sex"
PLACE_COLUMNS = (AREA, LEVEL, "grade", SEX)
COURSE_COLUMNS = (LEVEL, "grade", SEX, "learning", "age", "absence")
GROUP_COLUMNS = (LEVEL, SEX, ETHNIC_GROUP)
# How many columns of a set figures divide by; what follows begins with the sex.
SETS: Mapping[tuple[str, ...], int] = {PLACE_COLUMNS: 4, COURSE_COLUMNS: 2, GROUP_COLUMNS: 2}
COLUMNS = tuple(dict.fromkeys(name for names in SETS for name in names))

REQUESTING = ("administrator", "director", "officer")
APPROVING = ("administrator", "director")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for; `columns` in the order of the file."""

    unit_id: int
    school_year: int
    columns: tuple[str, ...]
    levels: tuple[str, ...]
    format: str
    language: str
    purpose: str


class ExtractState(IntEnum):
    """Where an extract is; numbers as in the contract."""

    REQUESTED = 1
    APPROVED = 2
    REFUSED = 3
    WITHDRAWN = 4


@dataclass(frozen=True, slots=True)
class Extract:
    """An extract that was asked for, and who approved or refused it."""

    extract_id: int
    wanted: Wanted
    requested_by: str
    request_time: datetime
    approved_by: str
    approve_time: datetime | None
    export_id: int | None
    refused_by: str
    refuse_time: datetime | None
    refuse_reason: str

    @property
    def state(self) -> ExtractState:
        """Where it is."""
        if self.refused_by:
            # Whoever asked never decides: what they refuse, they withdraw.
            return ExtractState.WITHDRAWN if self.refused_by == self.requested_by else ExtractState.REFUSED
        return ExtractState.APPROVED if self.approved_by else ExtractState.REQUESTED


@dataclass(frozen=True, slots=True)
class CutKey:
    """Whose pupils a cut is of, and when and on which columns it was decided."""

    unit_id: int
    school_year: int
    month: date
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cut:
    """What of a set of columns is given: combinations, each with how many pupils have it, and who is left out."""

    counts: Mapping[Values, int]
    left_out: int
    data_time: datetime | None


def set_of(columns: Iterable[str]) -> tuple[str, ...] | None:
    """The first set of columns that holds all of them; None: there is none."""
    return next((one for one in SETS if set(columns) <= set(one)), None)


def projected(counts: Mapping[Values, int], names: Sequence[str], columns: Sequence[str]) -> dict[Values, int]:
    """The counts by some of the columns."""
    places = [names.index(one) for one in columns]
    found: dict[Values, int] = {}
    for values, count in counts.items():
        key = tuple(values[place] for place in places)
        found[key] = found.get(key, 0) + count
    return found


def guarded(counts: Mapping[Values, int], *, base: int) -> dict[Values, int]:
    """What is given of a table whose first `base` columns figures divide by."""
    rows = [(values, count) for values, count in sorted(counts.items()) if count > 0]
    found: dict[Values, int] = {}
    if _total(rows) >= SMALL:
        for values, count in _descended((), rows, base=base):
            found[values] = found.get(values, 0) + count
    return found


def _descended(prefix: Values, rows: Sequence[tuple[Values, int]], *, base: int) -> Iterator[tuple[Values, int]]:
    place = len(prefix)
    if place == base:
        yield from _traded(dict(rows), base=base)
        return
    parts: dict[str, list[tuple[Values, int]]] = {}
    for values, count in rows:
        parts.setdefault(values[place], []).append((values, count))
    rare: list[tuple[Values, int]] = []
    for value, part in parts.items():
        if _total(part) < SMALL:
            rare += part
        else:
            yield from _descended((*prefix, value), part, base=base)
    if _total(rare) >= SMALL:
        yield from ((_starred(values, place), count) for values, count in rare)


def _total(rows: Iterable[tuple[Values, int]]) -> int:
    return sum(count for _, count in rows)


def _traded(table: Mapping[Values, int], *, base: int) -> Iterator[tuple[Values, int]]:
    """Each combination that is given, and those withheld without their values behind the base."""
    withheld = {values for values, count in table.items() if count < SMALL}
    others = iter(sorted(table.keys() - withheld, key=lambda one: (table[one], one)))
    closed = set(withheld)
    while True:
        closed = {one for one in closed if not _can_trade(one, withheld, table, base=base)}
        if not withheld or (not closed and sum(table[one] for one in withheld) >= SMALL):
            break
        following = next(others, None)
        if following is None:
            break
        withheld.add(following)
    for values, count in table.items():
        yield (_starred(values, base) if values in withheld else values), count


def _can_trade(one: Values, withheld: set[Values], table: Mapping[Values, int], *, base: int) -> bool:
    """Whether a pupil of the combination could have traded a value with another of the same sex, and nobody would see.

    After the trade both have combinations that are not given, and neither has what the other had.
    """
    sex, rest = base, range(base + 1, len(one))
    for other in withheld:
        differing = [place for place in rest if one[place] != other[place]]
        if one[sex] != other[sex] or len(differing) < 2:
            continue
        for place in differing:
            after = _with(one, other, place), _with(other, one, place)
            if all(values in withheld or values not in table for values in after):
                return True
    return False


def _with(one: Values, other: Values, place: int) -> Values:
    return (*one[:place], other[place], *one[place + 1 :])


def _starred(values: Values, place: int) -> Values:
    return (*values[:place], *[WITHHELD] * (len(values) - place))
