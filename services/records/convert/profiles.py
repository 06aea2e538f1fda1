"""Profiles over time, as callers see them."""

from collections import defaultdict
from collections.abc import Iterable

from iocedu.records.v1 import profiles_pb2, units_pb2

from services.records.convert.days import text_of
from services.records.domain.units import Unit

Counts = Iterable[tuple[int, str, int]]  # School year, level, how many.


def add_unit(response: profiles_pb2.GetSchoolProfileResponse, unit: Unit) -> None:
    """Write a unit with everything known about it in time into a profile."""
    response.unit_id = unit.unit_id
    for name in unit.names:
        response.names.add(name=name.name, **_days(name))
    for code in unit.codes:
        response.codes.add(system=code.system, code=code.code, **_days(code))
    for edge in unit.edges:
        response.parents.add(parent=str(edge.parent_id), type=edge.type, **_days(edge))


def years_of(
    pupils: Counts, classes: Counts, others: Iterable[tuple[int, int, int]]
) -> list[profiles_pb2.SchoolYearCounts]:
    """What a school had year by year, the newest first; `others` are year, staff and rooms."""
    levels: defaultdict[int, defaultdict[str, profiles_pb2.LevelCounts]] = defaultdict(
        lambda: defaultdict(profiles_pb2.LevelCounts)
    )
    for year, level, count in pupils:
        levels[year][level].pupil_count = count
    for year, level, count in classes:
        levels[year][level].class_count = count
    beside = {year: (staff, rooms) for year, staff, rooms in others}
    found = []
    for year in sorted(levels.keys() | beside.keys(), reverse=True):
        staff, rooms = beside.get(year, (0, 0))
        counts = profiles_pb2.SchoolYearCounts(school_year=year, staff_count=staff, room_count=rooms)
        for level, one in sorted(levels[year].items()):
            one.level = level
            counts.levels.append(one)
        found.append(counts)
    return found


def kind_counts(counts: Iterable[tuple[str, int]]) -> list[units_pb2.KindCount]:
    """How many units of each kind."""
    return [units_pb2.KindCount(kind=kind, count=count) for kind, count in counts]


def _days(fact: object) -> dict[str, str]:
    span = fact.span  # type: ignore[attr-defined]  # names, codes and edges have one
    return {"valid_from": text_of(span.first), "valid_to": text_of(span.after)}
