"""Sums of terms that do not follow from the stocks: how fresh schools are, registers of a day, residents by age.

A unit of which they are not known is left out, so that its figures have no value: a commune whose residents nobody
imported has no rate, and a day without any register in the whole country of units is no school day. Refuses nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.distributions import poisson_tail
from chassis.scopes import ScopeTree
from services.reporting.domain.catalogue import (
    POPULATION,
    SCHOOLS_ABSENCE_SPIKE,
    SCHOOLS_FRESH_AMBER,
    SCHOOLS_FRESH_RED,
    SCHOOLS_WITHOUT_REGISTERS,
    Indicator,
    Term,
)
from services.reporting.domain.cube import Values
from services.reporting.domain.rules import rules_of
from services.reporting.store import outside
from services.reporting.store.mirror import Mirror
from services.reporting.usecases.computing import Sums
from services.reporting.usecases.places import SCHOOL, Places

OUTSIDE = frozenset(
    {POPULATION, SCHOOLS_ABSENCE_SPIKE, SCHOOLS_FRESH_AMBER, SCHOOLS_FRESH_RED, SCHOOLS_WITHOUT_REGISTERS}
)


@dataclass(frozen=True)
class Moment:
    """When a question is asked, what day it is about, and by whose hierarchy."""

    tree: ScopeTree
    hierarchy_day: date
    now: datetime
    day: date
    school_year: int


async def outside_sums(
    indicators: Iterable[Indicator], places: Places, moment: Moment, *, mirror: Mirror
) -> dict[Term, Sums]:
    """Sums of all terms that rest on something outside the stocks; reads only what is needed."""
    terms = {term.asked_by(()) for one in indicators for term in one.terms if term.measure in OUTSIDE}
    measures = {term.measure for term in terms}
    if not terms:
        return {}
    found: dict[Term, Sums] = {}
    async with mirror.database.connection() as connection:
        if measures & {SCHOOLS_FRESH_AMBER, SCHOOLS_FRESH_RED}:
            accepts = await outside.last_accepts(connection)
            found |= {Term(measure): sums for measure, sums in _fresh(accepts, places, moment).items()}
        if measures & {SCHOOLS_WITHOUT_REGISTERS, SCHOOLS_ABSENCE_SPIKE}:
            registered = await outside.registered(connection, moment.day)
            spiking = await _spiking(connection, moment) if SCHOOLS_ABSENCE_SPIKE in measures else frozenset()
            silent: Sums = {unit: {(): len(those - registered)} for unit, those in places.expected.items() if those}
            many: Sums = {unit: {(): len(those & spiking)} for unit, those in places.expected.items() if those}
            found[Term(SCHOOLS_WITHOUT_REGISTERS)] = silent if registered else {}
            found[Term(SCHOOLS_ABSENCE_SPIKE)] = many if registered else {}
        if POPULATION in measures:
            residents = await outside.population(connection, moment.school_year)
            for term in terms:
                if term.measure == POPULATION:
                    found[term] = _residents(term, residents, places, moment)
    return {term: sums for term, sums in found.items() if term in terms}


async def _spiking(connection: AsyncConnection, moment: Moment) -> frozenset[int]:
    """Schools with unusually many absences on the day."""
    rule = rules_of(moment.school_year).spike
    if rule is None:
        return frozenset()
    days = await outside.absence_days(
        connection, moment.day, school_year=moment.school_year, weeks=rule.weeks, least_absent=rule.least_absent
    )
    return frozenset(
        one.school_id
        for one in days
        if one.day_count >= rule.least_weeks and poisson_tail(one.absent, one.usual_share * one.scheduled) < rule.tail
    )


def _fresh(accepts: Mapping[int, datetime], places: Places, moment: Moment) -> dict[str, dict[int, dict[Values, int]]]:
    rule = rules_of(moment.school_year).freshness
    if rule is None:
        return {SCHOOLS_FRESH_AMBER: {}, SCHOOLS_FRESH_RED: {}}

    def within(hours: int) -> dict[int, dict[Values, int]]:
        since = moment.now - timedelta(hours=hours)
        fresh = frozenset(school for school, instant in accepts.items() if instant >= since)
        return {unit: {(): len(those & fresh)} for unit, those in places.expected.items() if those}

    return {SCHOOLS_FRESH_AMBER: within(rule.amber), SCHOOLS_FRESH_RED: within(rule.red)}


def _residents(
    term: Term, residents: Mapping[int, Mapping[int, int]], places: Places, moment: Moment
) -> dict[int, dict[Values, int]]:
    first, last = term.ages
    found: dict[int, dict[Values, int]] = {}
    for unit in places.expected:
        count = None if unit == places.rest else _of_unit(unit, range(first, last + 1), residents, moment)
        if count is not None:
            found[unit] = {(): count}
    return found


def _of_unit(unit: int, ages: range, residents: Mapping[int, Mapping[int, int]], moment: Moment) -> int | None:
    """Residents of a unit: its own, else those of all units below it; None where any of them is missing."""
    own = residents.get(unit, {})
    if all(age in own for age in ages):
        return sum(own[age] for age in ages)
    total, any_below = 0, False
    for child in moment.tree.children(unit, moment.hierarchy_day):
        known = moment.tree.unit(child)
        if known is None or known.kind == SCHOOL:
            continue
        count = _of_unit(child, ages, residents, moment)
        if count is None:
            return None
        total, any_below = total + count, True
    return total if any_below else None
