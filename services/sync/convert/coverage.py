"""Coverage as the interface tells it."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp
from iocedu.sync.v1 import coverage_pb2

from chassis.scope_tree import ScopeTree
from services.sync.domain.coverage import Held, Known, Reason
from services.sync.domain.coverage_rules import CoverageRules, DayCoverage, Expectation, levels_of
from services.sync.domain.coverage_sums import Sums
from services.sync.domain.coverage_words import PARTS, words
from services.sync.domain.locked import collection
from services.sync.domain.words import same

COMMUNE: Final = "commune"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Places:
    """What the tree of units says of schools on a day, each looked up once."""

    def __init__(self, tree: ScopeTree, rules: CoverageRules, day: date) -> None:
        self._tree = tree
        self._rules = rules
        self._day = day
        self._made: dict[int, coverage_pb2.SchoolCoverage] = {}

    def holds(self, tree: ScopeTree, day: date) -> bool:
        """Whether this is still what is so."""
        return self._tree is tree and self._day == day

    def of(self, school_id: int) -> coverage_pb2.SchoolCoverage:
        """A school with its name, kind, levels and place; not to be changed."""
        made = self._made.get(school_id)
        if made is None:
            made = self._made[school_id] = self._make(school_id)
        return made

    def _make(self, school_id: int) -> coverage_pb2.SchoolCoverage:
        tree, unit = self._tree, self._tree.unit(school_id)
        above = tree.ancestors(school_id, self._day)
        nearest = above[0] if above else 0
        parent = next((one for one in above if (known := tree.unit(one)) and known.kind == COMMUNE), nearest)
        place, levels = tree.unit(parent), levels_of(unit.labels) if unit else ()
        return coverage_pb2.SchoolCoverage(
            school_id=school_id,
            school_name=unit.name if unit else "",
            kind=self._rules.kind_of(unit.kind if unit else "", levels),  # type: ignore[arg-type]  # its number
            levels=levels,
            parent_id=parent,
            parent_name=place.name if place else "",
        )


def school(one: Known, places: Places, *, language: str = "vi") -> coverage_pb2.SchoolCoverage:
    """How far a school is connected."""
    said = coverage_pb2.SchoolCoverage()
    fill(said, one, places, language=language)
    return said


def fill(said: coverage_pb2.SchoolCoverage, one: Known, places: Places, *, language: str = "vi") -> None:
    """Tell how far a school is connected, where it is told: thousands in one answer are not copied again."""
    said.CopyFrom(places.of(one.school_id))
    said.must_connect, said.state, said.source = one.must_connect, one.state, one.source  # type: ignore[assignment]
    said.expected_count, said.arrived_count, said.open_row_count = (
        one.expected_count,
        one.arrived_count,
        one.open_row_count,
    )
    rows = said.recent_rows
    rows.taken_count, rows.rejected_count, rows.held_count = one.taken_count, one.rejected_count, one.held_count
    for reason in one.reasons:
        _tell(said.reasons.add(), reason, language)
    _time(said.since_time, one.since_time)
    _time(said.first_accept_time, one.first_accept_time)
    _time(said.last_accept_time, one.last_accept_time)
    _time(said.update_time, one.update_time)


def coverage_changed(schools: Iterable[Known], places: Places, *, baseline: bool) -> bytes:
    """The event that tells of schools."""
    told = [school(one, places) for one in schools]
    return coverage_pb2.CoverageChanged(schools=told, baseline=baseline).SerializeToString()


def day_rules(
    rules: DayCoverage, expected: Iterable[Expectation], *, language: str, awaited: Iterable[Held] = ()
) -> coverage_pb2.CoverageRules:
    """By what schools are judged, and in which windows they send what is expected; `awaited` is what of one school."""
    limits = rules.thresholds
    names = ("late_hours", "silent_hours", "refused_hours", "rejected_share", "share_days", "fewest_rows", "grace_days")
    given: dict[str, Any] = {name: getattr(limits, name) for name in (*names, "source")}
    windows = [
        coverage_pb2.SyncWindow(
            part=one.part,
            name=PARTS.get(one.part, same(one.part)).told(language),
            first_day=one.first_day.isoformat(),
            last_day=one.last_day.isoformat(),
            open=one.open,
            until_day=one.until.isoformat(),
            collections=one.collections,
            source=one.source,
        )
        for one in rules.windows(expected, _last_due(awaited))
    ]
    return coverage_pb2.CoverageRules(**given, part=rules.part, school_year=rules.school_year, windows=windows)


def _last_due(awaited: Iterable[Held]) -> dict[str, date]:
    """By part of the year the last day on which something that has not arrived is due."""
    due: dict[str, date] = {}
    for one in awaited:
        expected = one.expectation
        if expected is not None and one.due is not None and one.arrival is None and not expected.within_school_days:
            day = date.fromisoformat(one.due_day)
            due[expected.part] = max(day, due.get(expected.part, day))
    return due


def held_collection(one: Held, *, language: str) -> coverage_pb2.CollectionCoverage:
    """How a collection stands."""
    expectation, arrival = one.expectation, one.arrival
    said = coverage_pb2.CollectionCoverage(
        collection=one.collection,
        name=collection(one.collection).told(language),
        school_year=one.school_year,
        status=int(one.status),  # type: ignore[arg-type]  # the enum's number
        part=expectation.part if expectation else "",
        due_day=one.due_day,
        rule_source=expectation.source if expectation else "",
    )
    if arrival is not None:
        said.source, said.row_count, said.last_day = arrival.source, arrival.row_count, arrival.last_day
        _time(said.first_time, arrival.first_time)
        _time(said.last_time, arrival.last_time)
    return said


def sums(one: Sums) -> coverage_pb2.CoverageSums:
    """Schools counted."""
    return coverage_pb2.CoverageSums(**{f"{name}_count": getattr(one, name) for name in Sums.__slots__})


def parts(counted: Sequence[tuple[str, str, Sums]]) -> list[coverage_pb2.CoveragePart]:
    """Parts of a summary: key, name, sums."""
    return [coverage_pb2.CoveragePart(key=key, name=name, sums=sums(one)) for key, name, one in counted]


def _tell(said: coverage_pb2.CoverageReason, one: Reason, language: str) -> None:
    said.reason, said.state = one.code, int(one.state)  # type: ignore[assignment]  # the enum's number
    said.message = _message(one.code, one.state, one.since, tuple(sorted(one.facts.items())), language)
    said.collection = one.facts.get("collection", "")
    _time(said.since_time, one.since)


# The same words again and again: schools miss the same collections since the same day.
@lru_cache(maxsize=4096)
def _message(code: str, state: Any, since: datetime, facts: tuple[tuple[str, str], ...], language: str) -> str:
    return words(Reason(code, state, since, dict(facts))).told(language)


def _time(stamp: Timestamp, instant: datetime | None) -> None:
    """Fill a time; without an instant it stays away."""
    if instant is not None:
        whole = instant - _EPOCH
        stamp.seconds, stamp.nanos = whole.days * 86_400 + whole.seconds, whole.microseconds * 1_000
