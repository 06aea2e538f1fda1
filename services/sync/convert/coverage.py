"""Coverage as the interface tells it."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from iocedu.sync.v1 import coverage_pb2

from chassis.scope_tree import ScopeTree
from services.sync.domain.coverage import Held, Known, Reason
from services.sync.domain.coverage_rules import CoverageRules, DayCoverage, levels_of
from services.sync.domain.coverage_sums import Sums
from services.sync.domain.coverage_words import words
from services.sync.domain.locked import collection

COMMUNE = "commune"


def parent_of(tree: ScopeTree, school_id: int, day: date) -> int:
    """The commune a school lies in, else the unit directly above it; 0: none."""
    above = tree.ancestors(school_id, day)
    return next((one for one in above if (unit := tree.unit(one)) and unit.kind == COMMUNE), above[0] if above else 0)


def school(
    one: Known, *, tree: ScopeTree, rules: CoverageRules, day: date, language: str = "vi"
) -> coverage_pb2.SchoolCoverage:
    """How far a school is connected."""
    unit, parent = tree.unit(one.school_id), parent_of(tree, one.school_id, day)
    above = tree.unit(parent)
    levels = levels_of(unit.labels) if unit else ()
    said = coverage_pb2.SchoolCoverage(
        school_id=one.school_id,
        school_name=unit.name if unit else "",
        kind=rules.kind_of(unit.kind if unit else "", levels),  # type: ignore[arg-type]  # the enum's number
        levels=levels,
        parent_id=parent,
        parent_name=above.name if above else "",
        must_connect=one.must_connect,
        state=one.state,  # type: ignore[arg-type]  # the enum's number
        source=one.source,
        expected_count=one.expected_count,
        arrived_count=one.arrived_count,
        recent_rows=coverage_pb2.CoverageRows(
            taken_count=one.taken_count, rejected_count=one.rejected_count, held_count=one.held_count
        ),
        open_row_count=one.open_row_count,
        reasons=[_reason(reason, language) for reason in one.reasons],
    )
    for name in ("since_time", "first_accept_time", "last_accept_time", "update_time"):
        _time(said, name, getattr(one, name))
    return said


def coverage_changed(
    schools: Iterable[Known], *, tree: ScopeTree, rules: CoverageRules, day: date, baseline: bool
) -> bytes:
    """The event that tells of schools."""
    told = [school(one, tree=tree, rules=rules, day=day) for one in schools]
    return coverage_pb2.CoverageChanged(schools=told, baseline=baseline).SerializeToString()


def day_rules(rules: DayCoverage) -> coverage_pb2.CoverageRules:
    """By what schools are judged."""
    limits = rules.thresholds
    names = ("late_hours", "silent_hours", "refused_hours", "rejected_share", "share_days", "fewest_rows", "grace_days")
    given: dict[str, Any] = {name: getattr(limits, name) for name in (*names, "source")}
    return coverage_pb2.CoverageRules(**given, part=rules.part, school_year=rules.school_year)


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
        _time(said, "first_time", arrival.first_time)
        _time(said, "last_time", arrival.last_time)
    return said


def sums(one: Sums) -> coverage_pb2.CoverageSums:
    """Schools counted."""
    return coverage_pb2.CoverageSums(**{f"{name}_count": getattr(one, name) for name in Sums.__slots__})


def parts(counted: Sequence[tuple[str, str, Sums]]) -> list[coverage_pb2.CoveragePart]:
    """Parts of a summary: key, name, sums."""
    return [coverage_pb2.CoveragePart(key=key, name=name, sums=sums(one)) for key, name, one in counted]


def _reason(one: Reason, language: str) -> coverage_pb2.CoverageReason:
    said = coverage_pb2.CoverageReason(
        reason=one.code,
        state=int(one.state),  # type: ignore[arg-type]  # the enum's number
        message=_message(one.code, one.state, one.since, tuple(sorted(one.facts.items())), language),
        collection=one.facts.get("collection", ""),
    )
    _time(said, "since_time", one.since)
    return said


# The same words again and again: schools miss the same collections since the same day.
@lru_cache(maxsize=4096)
def _message(code: str, state: Any, since: datetime, facts: tuple[tuple[str, str], ...], language: str) -> str:
    return words(Reason(code, state, since, dict(facts))).told(language)


def _time(message: Any, name: str, instant: datetime | None) -> None:
    if instant is not None:
        getattr(message, name).FromDatetime(instant)
