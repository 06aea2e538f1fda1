"""Adds up facts of schools for each unit above them, so that one rule speaks of communes and of the province as well.

A sum is a fact like any other: it is judged, told, kept and tried as they are. What came from history alone makes sums
that raise nothing, last year's beside this year's. A unit below which nothing is left to add up has sums of nothing, so
that its alerts end.
"""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts import store
from services.alerts.domain import KINDS, SHAPES, Change, Fact, Scalar
from services.alerts.domain.shapes import SCHOOL_YEAR, SUMS
from services.alerts.store import summing
from services.alerts.usecases.evaluate import take_facts
from services.alerts.usecases.moment import Moment

AT_ONCE = 20_000  # changed facts


async def sum_up(connection: AsyncConnection, moment: Moment) -> list[Change]:
    """Add up anew what facts that changed since the last time are part of."""
    units: dict[str, dict[int, bool | None]] = {}
    for school_id, kind, baseline in await summing.claim_changed(connection, limit=AT_ONCE):
        known = units.setdefault(kind, {})
        for above in moment.above(school_id):
            known[above] = known.get(above) is not False and baseline
    return await _sum_up(connection, units, moment)


async def sum_up_everything(connection: AsyncConnection, moment: Moment) -> list[Change]:
    """Add up everything anew, as where units stand elsewhere than before, or a day begins.

    Where something of a unit's schools still waits to be added up, that says whether it came from history.
    """
    units: dict[str, dict[int, bool | None]] = {}
    for unit_id, kind in await summing.all_summed(connection):
        of = KINDS[kind].sums
        units.setdefault(of or kind, {}).update(dict.fromkeys((unit_id,) if of else moment.above(unit_id)))
    return await _sum_up(connection, units, moment)


async def _sum_up(
    connection: AsyncConnection, units: Mapping[str, Mapping[int, bool | None]], moment: Moment
) -> list[Change]:
    """By kind, the units, and whether what changed below each is from history alone; None: nothing is known to."""
    if not units:
        return []
    await summing.hold_units(connection, {unit_id for of_kind in units.values() for unit_id in of_kind})
    version = await store.next_versions(connection)
    facts: list[Fact] = []
    for of, baselines in units.items():
        kind = SUMS[of]
        below = {unit_id: moment.below(unit_id) - {unit_id} for unit_id in baselines}
        sums = await summing.sums_of(connection, of, below, day=moment.today.isoformat())
        from_history = await summing.waiting_history(connection, of) if None in baselines.values() else set()
        known = await store.facts_on(connection, kind, baselines)
        for key in sorted({*sums, *known}):
            unit_id, subject = key
            values, past = sums.get(key) or (_nothing(kind, known[key]), False)
            values["level"] = moment.kind(unit_id)
            before, baseline = known.get(key), baselines[unit_id]
            if past or (baseline is None and not from_history.isdisjoint(below[unit_id])):
                baseline = True
            live = before is not None and before.baseline and baseline is False
            if live or before is None or before.values != values:
                facts.append(Fact(kind, unit_id, subject, version, values, bool(baseline)))
    return await take_facts(connection, facts, moment)


def _nothing(kind: str, before: Fact) -> dict[str, Scalar]:
    """The sum of nothing, which is of the year and grade it was of."""
    empty = {name: one() for name, one in SHAPES[kind].items()}
    return empty | {name: before.values[name] for name in (SCHOOL_YEAR, "grade") if name in before.values}
