"""How far a school is connected: what is written down of it, and the state that follows from that at an instant.

The state is a function of facts, rules, calendar and time alone: it does not matter in which order batches came in or
when somebody looked. `next_look` says when time by itself may make another state of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import IntEnum
from itertools import takewhile
from typing import Final, NamedTuple

from services.sync.domain.coverage_rules import DayCoverage, Expectation, SchoolKind, day_in
from services.sync.domain.school_days import VIETNAM, SchoolDays, begin_of


class CoverageState(IntEnum):
    """State of a school, as the interface numbers it."""

    CONNECTED = 1
    LATE = 2
    FAILING = 3
    SILENT = 4


class Status(IntEnum):
    """Status of a collection, as the interface numbers it."""

    ARRIVED = 1
    AWAITED = 2
    OVERDUE = 3
    UNKNOWN = 4
    NOT_EXPECTED = 5


@dataclass(frozen=True, slots=True)
class Arrival:
    """Rows of a collection of a school year that were taken."""

    first_time: datetime
    last_time: datetime
    source: str
    row_count: int
    last_day: str = ""  # Newest day of a register.

    def beside(self, other: "Arrival") -> "Arrival":
        """Both together, whichever came first."""
        newer = max(self, other, key=lambda one: (one.last_time, one.source))
        return Arrival(
            min(self.first_time, other.first_time),
            newer.last_time,
            newer.source,
            self.row_count + other.row_count,
            max(self.last_day, other.last_day),
        )


@dataclass(frozen=True, slots=True)
class DayCounts:
    """What came in on a day, history left out."""

    taken: int = 0
    rejected: int = 0
    held: int = 0
    batches: int = 0
    refused_batches: int = 0  # Of which nothing was taken.

    @property
    def rows(self) -> int:
        """All rows."""
        return self.taken + self.rejected + self.held

    def beside(self, other: "DayCounts") -> "DayCounts":
        """Both together."""
        return DayCounts(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one school sent in one or more batches that came in at the same time."""

    school_id: int
    counts: DayCounts
    arrivals: Mapping[tuple[str, int], Arrival]  # By collection and school year.
    refused: bool  # Whether there was a batch of which nothing was taken.

    def beside(self, other: "Delivery") -> "Delivery":
        """Both together."""
        arrivals = dict(self.arrivals)
        for key, one in other.arrivals.items():
            arrivals[key] = arrivals[key].beside(one) if key in arrivals else one
        return replace(
            self,
            counts=self.counts.beside(other.counts),
            arrivals=arrivals,
            refused=self.refused or other.refused,
        )


@dataclass(frozen=True, slots=True)
class Facts:
    """What is written down of a school."""

    school_id: int
    kind: SchoolKind
    levels: tuple[str, ...]
    must_connect: bool
    waited_since: datetime
    known_since: datetime  # Since when it is written down which collections arrived.
    first_accept_time: datetime | None = None
    last_accept_time: datetime | None = None
    first_refused_time: datetime | None = None  # Of batches of which nothing was taken.
    last_refused_time: datetime | None = None
    source: str = ""
    days: Mapping[date, DayCounts] = field(default_factory=dict)
    arrivals: Mapping[tuple[str, int], Arrival] = field(default_factory=dict)
    open_rows: int = 0

    def recent(self, until: date, days: int) -> DayCounts:
        """What came in on so many days up to one, that included."""
        counts = DayCounts()
        for day, one in self.days.items():
            if until - timedelta(days=days) < day <= until:
                counts = counts.beside(one)
        return counts


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a school is not connected."""

    code: str
    state: CoverageState
    since: datetime
    facts: Mapping[str, str] = field(default_factory=dict)  # What its words need.


@dataclass(frozen=True, slots=True)
class Known:
    """What is written down of a school beside its days and collections, and its state as last looked at."""

    school_id: int
    known_since: datetime
    first_refused_time: datetime | None
    last_refused_time: datetime | None
    state: int
    since_time: datetime | None
    reasons: tuple[Reason, ...]
    expected_count: int
    arrived_count: int
    taken_count: int
    rejected_count: int
    held_count: int
    open_row_count: int
    update_time: datetime | None
    told_must_connect: bool  # As of when it was last looked at.
    position: int
    must_connect: bool
    first_accept_time: datetime | None
    last_accept_time: datetime | None
    source: str
    create_time: datetime


@dataclass(frozen=True, slots=True)
class Held:
    """How a collection stands."""

    collection: str
    school_year: int
    status: Status
    expectation: Expectation | None = None
    due: datetime | None = None  # It is overdue from then on.
    arrival: Arrival | None = None

    @property
    def due_day(self) -> str:
        """The last day on which it is not overdue, ISO 8601; empty: there is none."""
        return (self.due.astimezone(VIETNAM) - timedelta(seconds=1)).date().isoformat() if self.due else ""


@dataclass(frozen=True, slots=True)
class Assessment:
    """The state of a school at an instant."""

    state: CoverageState
    since: datetime
    reasons: tuple[Reason, ...]
    expected_count: int
    arrived_count: int
    recent: DayCounts
    next_look: datetime


GRAVEST: Final = (CoverageState.SILENT, CoverageState.FAILING, CoverageState.LATE)


class _Limits(NamedTuple):
    """When a school changes its state should nothing more come in; None: not within years, or nothing to wait from."""

    late: datetime | None  # Nothing taken for too long,
    silent: datetime | None  # or for very long;
    refused: datetime | None  # nothing but refusals for too long,
    gives_up: datetime | None  # and not even these.


def assess(facts: Facts, rules: DayCoverage, days: SchoolDays, now: datetime) -> Assessment:
    """The state that follows from facts at an instant, and when time may make another of it."""
    today = now.astimezone(VIETNAM).date()
    collections = list(held(facts, rules, days, now))
    due = [one for one in collections if one.due is not None and one.due <= now]
    limits = _limits(facts, rules, days)
    reasons = [*_silence(facts, rules, limits, now), *_refusals(facts, rules, limits, now), *_overdue(due)]
    reasons.sort(key=lambda one: (GRAVEST.index(one.state), one.since, one.code))
    ahead = [instant for instant in (*limits, *(one.due for one in collections)) if instant and instant > now]
    return Assessment(
        state=reasons[0].state if reasons else CoverageState.CONNECTED,
        since=reasons[0].since if reasons else facts.first_accept_time or facts.waited_since,
        reasons=tuple(reasons),
        expected_count=len(due),
        arrived_count=sum(one.status is not Status.OVERDUE for one in due),
        recent=facts.recent(today, rules.thresholds.share_days),
        next_look=min([*ahead, begin_of(today + timedelta(days=1))]),
    )


def held(facts: Facts, rules: DayCoverage, days: SchoolDays, now: datetime) -> Iterator[Held]:
    """How each collection of the current school year stands: what is expected, then what else arrived."""
    year = rules.school_year
    expected = rules.expected(facts.kind, facts.levels)
    for one in expected:
        arrival = facts.arrivals.get((one.collection, year))
        due = _due(one, facts, rules, days, arrival)
        yield Held(one.collection, year, _status(one, facts, rules, arrival, due, now), one, due, arrival)
    named = {one.collection for one in expected}
    for (collection, of), arrival in sorted(facts.arrivals.items()):
        if of == year and collection not in named:
            yield Held(collection, year, Status.NOT_EXPECTED, arrival=arrival)


def _due(
    one: Expectation, facts: Facts, rules: DayCoverage, days: SchoolDays, arrival: Arrival | None
) -> datetime | None:
    """From when a collection is overdue, unless it has arrived; None: from no day that is known."""
    if facts.first_accept_time is None:
        return None  # Of a school that has not sent anything nothing else is asked.
    part = next((part for part in rules.parts if part.part == one.part), None)
    joined = max(facts.first_accept_time, facts.known_since) + timedelta(days=rules.thresholds.grace_days)
    if one.within_school_days:
        if part is None or not part.holds(rules.day, rules.year_begins):
            return None
        begins = part.begins(rules.year_begins) - timedelta(days=1)
        newest = date.fromisoformat(arrival.last_day) if arrival and arrival.last_day else begins
        first = days.nth_after(max(newest, begins), one.within_school_days + 1)
        return max(begin_of(first), joined) if first else None
    return max(begin_of(day_in(rules.year_begins, one.due) + timedelta(days=1)), joined)


def _status(
    one: Expectation, facts: Facts, rules: DayCoverage, arrival: Arrival | None, due: datetime | None, now: datetime
) -> Status:
    late = due is not None and due <= now
    if one.within_school_days:
        return Status.OVERDUE if late else Status.ARRIVED if arrival else Status.AWAITED
    if arrival is not None:
        return Status.ARRIVED
    known = facts.known_since
    sent_before = facts.first_accept_time is not None and facts.first_accept_time < known
    if sent_before and known.astimezone(VIETNAM).date() >= rules.year_begins:
        return Status.UNKNOWN
    return Status.OVERDUE if late else Status.AWAITED


def _overdue(due: Sequence[Held]) -> Iterator[Reason]:
    for one in due:
        if one.status is not Status.OVERDUE or one.due is None or one.expectation is None:
            continue
        registers = one.expectation.within_school_days
        told = {
            "collection": one.collection,
            "school_year": f"{one.school_year}-{one.school_year + 1}",
            "last_day": one.arrival.last_day if one.arrival else "",
            "school_days": str(registers),
            "due_day": one.due_day,
        }
        code = "REGISTERS_OVERDUE" if registers else "COLLECTION_OVERDUE"
        yield Reason(code, CoverageState.LATE, one.due, told)


def _limits(facts: Facts, rules: DayCoverage, days: SchoolDays) -> _Limits:
    limits, last, tried = rules.thresholds, facts.last_accept_time, facts.last_refused_time
    return _Limits(
        late=days.after(last, limits.late_hours) if last else None,
        silent=days.after(last, limits.silent_hours) if last else None,
        refused=days.after(last, limits.refused_hours) if last else facts.first_refused_time,
        gives_up=days.after(tried, limits.silent_hours) if tried else None,
    )


def _only_refused(facts: Facts, limits: _Limits, now: datetime) -> bool:
    """Whether all that came of late was refused. Who tries so is not silent; who has given up is."""
    tried, last = facts.last_refused_time, facts.last_accept_time
    if tried is None or (last is not None and tried <= last):
        return False
    return limits.gives_up is None or now < limits.gives_up


def _silence(facts: Facts, rules: DayCoverage, limits: _Limits, now: datetime) -> Iterator[Reason]:
    if _only_refused(facts, limits, now):
        return
    if facts.last_accept_time is None:
        yield Reason("NEVER_SENT", CoverageState.SILENT, facts.waited_since)
        return
    told = {"last": facts.last_accept_time.isoformat()}
    if limits.silent is not None and limits.silent <= now:
        told["hours"] = str(rules.thresholds.silent_hours)
        yield Reason("NOTHING_TAKEN", CoverageState.SILENT, limits.silent, told)
    elif limits.late is not None and limits.late <= now:
        told["hours"] = str(rules.thresholds.late_hours)
        yield Reason("NOTHING_TAKEN", CoverageState.LATE, limits.late, told)


def _refusals(facts: Facts, rules: DayCoverage, limits: _Limits, now: datetime) -> Iterator[Reason]:
    span, today = rules.thresholds.share_days, rules.day
    recent = facts.recent(today, span)
    if _only_refused(facts, limits, now):
        if limits.refused is not None and limits.refused <= now:
            last = facts.last_accept_time
            told = {"last": last.isoformat() if last else "", "batches": str(recent.refused_batches), "days": str(span)}
            yield Reason("ONLY_REFUSED", CoverageState.FAILING, limits.refused, told)
        return
    spoilt = takewhile(
        lambda day: _many(facts.recent(day, span), rules), (today - timedelta(days=back) for back in range(span))
    )
    if first := min(spoilt, default=None):
        told = {
            "rejected": str(recent.rejected),
            "rows": str(recent.rows),
            "share": f"{recent.rejected / recent.rows:.4f}",
            "limit": f"{rules.thresholds.rejected_share:.4f}",
            "days": str(span),
        }
        yield Reason("MANY_REJECTED", CoverageState.FAILING, begin_of(first), told)


def _many(counts: DayCounts, rules: DayCoverage) -> bool:
    limits = rules.thresholds
    return counts.rows >= max(limits.fewest_rows, 1) and counts.rejected >= limits.rejected_share * counts.rows
