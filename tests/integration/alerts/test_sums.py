"""Facts of schools added up for the units above them: one rule speaks of communes, districts and the province."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import pytest
import sqlalchemy as sa

from chassis.database import Database
from services.alerts import store, usecases
from services.alerts.domain import Change, Fact, Rule, Severity, State, Transition
from services.alerts.jobs import timer
from services.alerts.usecases.moment import Moment
from tests.integration.alerts import scenes
from tests.integration.alerts.scenes import (
    DISTRICT,
    NOW,
    OTHER_DISTRICT,
    OTHER_SCHOOL,
    PROVINCE,
    SCHOOL,
    SECOND_SCHOOL,
    a_class,
    hours,
)
from tests.integration.alerts.test_combining import take
from tests.integration.alerts.test_evaluation import oversize, silence
from tests.integration.alerts.test_life import EVERYWHERE, alerts, database
from tests.integration.alerts.test_life import moment as moment_of
from tests.support.waiting import poll_until

__all__ = ["database"]

CLOSED, MUTE = 102, 103
ABOVE = frozenset({DISTRICT, OTHER_DISTRICT, PROVINCE})
SILENT = Rule(
    code="silent_area",
    version=1,
    fact_kind="coverage_sum",
    condition='fact.level == "office" && fact.schools >= 2 && fact.silent_share > 0.5',
    severity=Severity.WARNING,
    title_vi="{unit}: {silent}/{schools} trường im lặng ({silent_share})",
    title_en="{unit}: {silent} of {schools} schools are silent",
    body_vi="{unit}",
    body_en="{unit}",
    audience_roles=("officer",),
)
CROWDED = replace(
    SILENT,
    code="crowded_grade",
    fact_kind="class_size_sum",
    with_kinds=("coverage_sum",),
    condition='fact.grade != "" && fact.oversize_share >= 0.5 && coverage_sum.connected > 0',
    title_vi="{unit}, khối {grade}: {oversize}/{classes} lớp quá đông",
    title_en="{unit}",
)


def moment(now: datetime = NOW, *, moved: bool = False) -> Moment:
    """An instant in the small province; `moved` puts the first district's schools into the other one."""
    units = scenes.units()
    for unit in units:
        for edge in unit.edges:
            if moved and edge.parent_id == DISTRICT:
                edge.parent_id = OTHER_DISTRICT
    tree, day = scenes.tree(units=units), now.date()
    return replace(
        moment_of(now),
        unit_name=lambda unit_id: f"#{unit_id}",
        contains=lambda above, below: tree.contains(above, below, day),
        above=lambda unit_id: tree.ancestors(unit_id, day),
        below=lambda unit_id: tree.subtree(unit_id, day),
        kind=lambda unit_id: one.kind if (one := tree.unit(unit_id)) else "",
    )


def with_two_more() -> Moment:
    """An instant in the small province with two more schools in its first district."""
    at = moment()
    return replace(
        at,
        above=lambda unit_id: at.above(SCHOOL if unit_id in (CLOSED, MUTE) else unit_id),
        below=lambda unit_id: at.below(unit_id) | ({CLOSED, MUTE} if SCHOOL in at.below(unit_id) else set()),
    )


async def write(database: Database, rule: Rule) -> None:
    """Put a rule alone in force."""
    async with database.transaction() as held:
        await held.execute(sa.text("UPDATE rule SET enabled = false"))
        await usecases.create_rule(held, rule, by="director", moment=moment())


async def sum_up(database: Database, at: Moment | None = None) -> list[tuple[Transition, str]]:
    """What the timer does, and how it reads."""
    async with database.transaction() as held:
        changes = await usecases.sum_up(held, at or moment())
    return told(changes)


def told(changes: Sequence[Change]) -> list[tuple[Transition, str]]:
    """How they read, in order."""
    return sorted((change.transition, change.alert.title_vi) for change in changes)


async def sums(database: Database, kind: str) -> dict[tuple[int, str], Fact]:
    """All of a kind."""
    async with database.connection() as reading:
        return await store.facts_on(reading, kind, ABOVE)


async def test_one_rule_judges_each_level_by_the_sum_of_its_schools(database):
    """A district of one school is too small; the other and the province come with their sums, and end with them."""
    await write(database, SILENT)
    await take(database, silence(SCHOOL, SECOND_SCHOOL))
    await take(database, silence(OTHER_SCHOOL, state="CONNECTED", reason=""))
    assert await sum_up(database) == [
        (Transition.RAISED, "#10: 2/2 trường im lặng (100,0%)"),
        (Transition.RAISED, "#1: 2/3 trường im lặng (66,7%)"),
    ]
    await take(database, silence(SECOND_SCHOOL, state="LATE", at=NOW + hours(1)))
    assert [one for one, _ in await sum_up(database)] == [Transition.RESOLVED, Transition.RESOLVED]
    assert (await sums(database, "coverage_sum"))[PROVINCE, ""].values["late"] == 1
    await take(database, silence(SECOND_SCHOOL, state="LATE", at=NOW + hours(2), must_connect=False))
    await sum_up(database)
    coverage = (await sums(database, "coverage_sum"))[PROVINCE, ""].values
    assert (coverage["schools"], coverage["late"]) == (2, 0)  # Who need not connect is not counted.


async def test_a_rule_breaks_down_by_unit_and_grade_and_combines_sums(database):
    """Of each district and grade by itself, beside how far its schools are connected."""
    await write(database, CROWDED)
    sixth = [a_class(40, key="6A2026"), a_class(30, key="6B2026")]
    for one in sixth:
        one.grade = "06"
    await take(
        database, oversize(*sixth, a_class(20), a_class(40, school=OTHER_SCHOOL), a_class(9, active=False, key="X"))
    )
    assert await sum_up(database) == []
    await take(database, silence(state="CONNECTED", reason=""))
    await sum_up(database)
    async with database.transaction() as held:
        _, changes = await usecases.look_at_due_facts(held, moment(), limit=100)
    assert told(changes) == [
        (Transition.RAISED, "#1, khối 01: 1/2 lớp quá đông"),
        (Transition.RAISED, "#1, khối 06: 1/2 lớp quá đông"),
        (Transition.RAISED, "#10, khối 06: 1/2 lớp quá đông"),
    ]
    of_all = (await sums(database, "class_size_sum"))[PROVINCE, "2026"]
    assert of_all.values == {
        "level": "office",
        "school_year": 2026,
        "grade": "",
        "schools": 2,
        "classes": 4,
        "size": 130,
        "oversize": 2,
        "oversize_share": 0.5,
        "pupils_per_class": 32.5,
    }


async def test_sums_of_figures_attendance_and_absence(database):
    """Growth counts schools that know both years; what is of a day is of today alone.

    Of attendance it is of the schools that have lessons today and report at all.
    """
    figures = {"school_year": 2026, "classes": 4, "staff": 10}
    report = {"school_day": True, "reports_at_all": True, "past_deadline": True, "expected_classes": 4}
    today, before = NOW.date().isoformat(), "2026-11-23"
    await take(
        database,
        [
            Fact("school_figures", SCHOOL, "2026", 1, figures | {"pupils": 110, "pupils_last_year": 100}),
            Fact("school_figures", SECOND_SCHOOL, "2026", 1, figures | {"pupils": 90, "pupils_last_year": 0}),
            Fact(
                "attendance_report", SCHOOL, "", 1, report | {"day": today, "reported_classes": 1, "missing_classes": 3}
            ),
            Fact("attendance_report", SECOND_SCHOOL, "", 1, report | {"day": before, "missing_classes": 4}),
            Fact("attendance_report", CLOSED, "", 1, report | {"day": today, "school_day": False}),
            Fact("attendance_report", MUTE, "", 1, report | {"day": today, "reports_at_all": False}),
            Fact("absence_day", SCHOOL, "", 1, {"day": today, "scheduled": 200, "absent": 30, "expected_absent": 4.5}),
            Fact("absence_day", SCHOOL, "2026/1A", 1, {"day": today, "scheduled": 40, "absent": 30}),
            Fact("absence_day", SECOND_SCHOOL, "", 1, {"day": before, "scheduled": 200, "absent": 9}),
        ],
    )
    await sum_up(database, with_two_more())
    figures_sum = (await sums(database, "school_figures_sum"))[DISTRICT, "2026"].values
    assert (figures_sum["pupils"], figures_sum["change_share"], figures_sum["pupils_per_class"]) == (200, 0.1, 25)
    attendance = (await sums(database, "attendance_report_sum"))[DISTRICT, ""].values
    assert (attendance["schools"], attendance["missing_share"], attendance["past_deadline"]) == (1, 0.75, True)
    absence = (await sums(database, "absence_day_sum"))[DISTRICT, ""].values
    assert (absence["schools"], absence["absent_share"], absence["usual_share"]) == (1, 0.15, 0.0225)


async def test_what_history_adds_up_to_raises_nothing_and_the_live_fact_after_it_does(database):
    """As for facts of schools."""
    await write(database, SILENT)
    await take(database, [replace(one, baseline=True) for one in silence(SCHOOL, SECOND_SCHOOL)])
    assert await sum_up(database) == []
    await take(database, silence(SCHOOL, SECOND_SCHOOL, OTHER_SCHOOL, at=NOW + hours(1)))
    assert [one for one, _ in await sum_up(database)] == [Transition.RAISED, Transition.RAISED]


@pytest.mark.parametrize("history_first", [True, False])
async def test_what_history_and_a_live_fact_add_up_to_together_raises_whichever_came_first(database, history_first):
    """Schools of one unit that wait together are live as soon as one of them is."""
    await write(database, SILENT)
    past = [replace(one, baseline=True) for one in silence(SCHOOL)]
    for facts in (past, silence(SECOND_SCHOOL))[:: 1 if history_first else -1]:
        await take(database, facts)
    assert [one for one, _ in await sum_up(database)] == [Transition.RAISED, Transition.RAISED]


async def test_last_years_history_raises_nothing_beside_what_changes_this_year(database):
    """A unit's sums of a year and grade are live by the facts that they are of, and not by others of the unit."""
    crowded = replace(CROWDED, with_kinds=(), condition='fact.grade != "" && fact.oversize_share > 0.0')
    await write(database, crowded)
    past = a_class(40, key="5A2025")
    past.school_year, past.grade = 2025, "05"
    await take(database, [replace(one, baseline=True) for one in oversize(past)])
    assert await sum_up(database) == []
    await take(database, oversize(a_class(41)))
    assert await sum_up(database) == [
        (Transition.RAISED, "#1, khối 01: 1/1 lớp quá đông"),
        (Transition.RAISED, "#10, khối 01: 1/1 lớp quá đông"),
    ]


async def test_units_that_stand_elsewhere_are_added_up_anew_and_what_is_empty_ends(database):
    """A reform takes a district's schools away; its sum is of nothing, the other's is of all."""
    await write(database, SILENT)
    await take(database, silence(SCHOOL, SECOND_SCHOOL, OTHER_SCHOOL))
    await sum_up(database)
    async with database.transaction() as held:
        changes = await usecases.sum_up_everything(held, moment(moved=True))
    assert told(changes) == [
        (Transition.RAISED, "#11: 3/3 trường im lặng (100,0%)"),
        (Transition.RESOLVED, "#10: 2/2 trường im lặng (100,0%)"),
    ]
    async with database.transaction() as held:
        assert await usecases.sum_up_everything(held, moment(moved=True)) == []


@pytest.mark.parametrize("noted", [True, False])
async def test_the_timer_adds_up_what_changed_and_everything_when_it_begins(database, noted):
    """What a replica of an earlier version changed did not say so."""
    await write(database, SILENT)
    await take(database, silence(SCHOOL, SECOND_SCHOOL))
    if not noted:
        async with database.transaction() as held:
            await held.execute(sa.text("DELETE FROM changed_fact"))
    stop = asyncio.Event()
    worker = timer(database, moment=moment, wake=lambda: None, every_seconds=0.01)
    running = asyncio.ensure_future(worker.run(stop))

    async def raised() -> list[int]:
        return sorted(one.unit_id for one in await alerts(database) if one.state is State.OPEN)

    try:
        await poll_until(raised, timeout=20)
        assert await raised() == [PROVINCE, DISTRICT]
        await take(database, silence(SCHOOL, SECOND_SCHOOL, state="CONNECTED", reason="", at=NOW + hours(1)))

        async def over() -> bool:
            return not await raised()

        await poll_until(over, timeout=20)
    finally:
        stop.set()
        await running


async def test_rules_over_sums_are_tried_like_others(database):
    """On the facts of now, and on the past, below a unit."""
    await take(database, silence(SCHOOL, SECOND_SCHOOL))
    await sum_up(database)
    await take(database, silence(SCHOOL, SECOND_SCHOOL, state="CONNECTED", reason="", at=NOW + hours(24)))
    at = moment(NOW + hours(24))
    await sum_up(database, at)
    async with database.connection() as reading:
        now = await usecases.dry_run(reading, SILENT, EVERYWHERE, at)
        past = await usecases.backtest(reading, SILENT, frozenset({DISTRICT}), at, since=NOW, k=3)
    assert (now.fact_count, now.by_unit.total()) == (2, 0)
    assert [(one.began, one.ended) for one in past.episodes[DISTRICT, ""]] == [(NOW, NOW + hours(24))]


async def test_a_unit_without_schools_left_is_not_warned_of_for_having_none(database):
    """A rule that asks for less than something holds of no sum of nothing, now or in the past."""
    few = replace(SILENT, condition="fact.connected_share < 0.8", clear_condition="")
    await write(database, few)
    await take(database, silence(SCHOOL, SECOND_SCHOOL, OTHER_SCHOOL))
    before = await sum_up(database)
    assert {transition for transition, _ in before} == {Transition.RAISED}
    async with database.transaction() as held:
        changes = await usecases.sum_up_everything(held, moment(moved=True))
    assert [one.transition for one in changes if one.alert.unit_id == DISTRICT] == [Transition.RESOLVED]
    assert [one for one in await alerts(database) if one.state is State.OPEN and one.unit_id == DISTRICT] == []
    async with database.connection() as reading:
        tried = await usecases.dry_run(reading, few, EVERYWHERE, moment(moved=True))
    assert DISTRICT not in tried.by_unit


async def test_history_that_waits_to_be_added_up_raises_nothing_where_everything_is_added_up(database):
    """As when units are registered while a province's past is loaded."""
    await write(database, SILENT)
    await take(database, [replace(one, baseline=True) for one in silence(SCHOOL, SECOND_SCHOOL)])
    async with database.transaction() as held:
        assert await usecases.sum_up_everything(held, moment()) == []
    assert await sum_up(database) == []
