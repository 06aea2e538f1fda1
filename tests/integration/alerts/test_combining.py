"""A rule over facts of several kinds: judged when any of them changes, undecided while one it needs is missing."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from chassis.database import Database
from chassis.errors import Fault
from services.alerts import store, usecases
from services.alerts.domain import Change, Fact, Rule, Severity, State, Transition
from services.alerts.jobs import timer
from services.alerts.store import facts
from services.alerts.usecases.moment import Moment
from tests.integration.alerts.scenes import NOW, SCHOOL, SECOND_SCHOOL, a_class, hours
from tests.integration.alerts.test_evaluation import oversize, silence
from tests.integration.alerts.test_life import EVERYWHERE, alerts, database, moment
from tests.support.waiting import poll_until

__all__ = ["database"]

DOUBTFUL = Rule(
    code="doubtful_size",
    version=1,
    fact_kind="class_size",
    with_kinds=("coverage",),
    condition='fact.size > 35 && fact.active && coverage.state != "connected"',
    severity=Severity.INFO,
    title_vi="Lớp {name}: {size} em, trường đang {coverage.state}",
    title_en="Class {name}: {size}, the school is {coverage.state}",
    body_vi="{coverage.why}",
    body_en="{unit}",
    audience_roles=("officer",),
    family="indicator",
)


async def write(database: Database, **changed: Any) -> None:
    """Put the rule alone in force, with what a test changes in it."""
    async with database.transaction() as held:
        await held.execute(sa.text("UPDATE rule SET enabled = false"))
        await usecases.create_rule(held, replace(DOUBTFUL, **changed), by="director", moment=moment())


async def take(database: Database, facts: Sequence[Fact]) -> list[Change]:
    """Facts as one transaction."""
    async with database.transaction() as held:
        return await usecases.take_facts(held, facts, moment())


async def look(database: Database, after: float = 0) -> list[tuple[Transition, str]]:
    """What the timer does, and how it reads."""
    async with database.transaction() as held:
        _, changes = await usecases.look_at_due_facts(held, moment(NOW + hours(after)), limit=100)
    return [(change.transition, change.alert.title_vi) for change in changes]


async def test_a_rule_over_two_kinds_waits_for_both_and_is_judged_when_either_changes(database):
    """Undecided is neither yes nor no; the alert reads of both, and ends by either."""
    await write(database)
    assert await take(database, oversize(a_class(40))) == []
    assert await take(database, silence()) == []
    assert await look(database) == [(Transition.RAISED, "Lớp 1A: 40 em, trường đang silent")]
    [change] = await take(database, oversize(a_class(41, version=2)))
    assert (change.transition, change.alert.title_vi) == (Transition.UPDATED, "Lớp 1A: 41 em, trường đang silent")
    assert change.alert.facts["coverage.reason"] == "NOTHING_TAKEN"
    await take(database, silence(state="CONNECTED", reason="", at=NOW + hours(1)))
    assert [one for one, _ in await look(database)] == [Transition.RESOLVED]
    assert await look(database) == []


async def test_what_is_undecided_ends_nothing(database):
    """An open alert stays where the fact beside its own is not known any more."""
    await write(database)
    await take(database, [*silence(), *oversize(a_class(40))])
    async with database.transaction() as held:
        await held.execute(sa.text("DELETE FROM fact WHERE kind = 'coverage'"))
    assert await take(database, oversize(a_class(20, version=2))) == []


async def test_a_kind_that_may_be_missing_is_empty_and_not_known_then(database):
    """The rule says so, and asks for it."""
    condition = "fact.size > 35 && (!coverage.known || coverage.state == 'silent')"
    await write(database, optional_kinds=("coverage",), condition=condition)
    [raised] = await take(database, oversize(a_class(40)))
    assert (raised.alert.title_vi, raised.alert.facts["coverage.known"]) == ("Lớp 1A: 40 em, trường đang ", "false")
    await take(database, silence(state="CONNECTED", reason=""))
    assert [one for one, _ in await look(database)] == [Transition.RESOLVED]


async def test_a_clock_beside_a_fact_raises_by_time_alone(database):
    """At its hour, where the condition speaks of it."""
    await write(database, condition="fact.size > 35 && coverage.state_hours >= 10")
    await take(database, [*silence(), *oversize(a_class(40))])
    assert await look(database, 9) == []
    assert [one for one, _ in await look(database, 10)] == [Transition.RAISED]


async def test_a_change_looks_at_what_it_stands_beside_and_at_nothing_else(database):
    """One rule serves a thousand schools: of another school nothing is judged."""
    await write(database)
    classes = [a_class(40, school=school, key=key) for school in (SCHOOL, SECOND_SCHOOL) for key in ("1A", "1B")]
    await take(database, [*oversize(*classes)])
    await take(database, silence(SECOND_SCHOOL, must_connect=False))
    async with database.connection() as reading:
        due = (await reading.execute(sa.text("SELECT unit_id, subject FROM fact WHERE due_time <= now()"))).all()
    assert sorted(map(tuple, due)) == [(SECOND_SCHOOL, "2026/1A"), (SECOND_SCHOOL, "2026/1B")]


async def test_finding_what_a_change_stands_beside_does_not_grow_with_the_province(database):
    """Each of the facts of the schools that changed is read by its key; those of others are not touched."""
    async with database.transaction() as held:
        many = oversize(*(a_class(20, school=school) for school in range(1000, 4000)))
        await store.keep_facts(held, many, [None] * len(many), now=NOW)
        await held.execute(sa.text("ANALYZE fact"))
        given = {"units": [1000, 1001], "kinds": ["class_size"] * 2, "subjects": ["", "2026"], "now": NOW}
        plan = await held.scalars(sa.text(f"EXPLAIN {facts._LOOK_AT_LED.text}"), given)
    assert "Seq Scan" not in "\n".join(plan)


async def test_open_alerts_of_a_rule_over_two_kinds_follow_its_next_version(database):
    """Carried over by what both facts say now."""
    await write(database)
    await take(database, [*silence(), *oversize(a_class(40))])
    async with database.transaction() as held:
        wanted = replace(DOUBTFUL, condition='coverage.state == "silent" && fact.size > 39')
        await usecases.update_rule(held, wanted, expected=1, by="director", moment=moment())
        _, [change] = await usecases.follow_rules(held, moment(), limit=10)
    assert (change.transition, change.alert.rule_version) == (Transition.CARRIED_OVER, 2)


async def test_a_dry_run_sees_both(database):
    """Of two classes, the one that is too large at the school that is silent."""
    await take(database, [*silence(), *oversize(a_class(40), a_class(20, key="1B"))])
    async with database.connection() as reading:
        found = await usecases.dry_run(reading, DOUBTFUL, EVERYWHERE, moment())
    assert (found.fact_count, dict(found.by_unit)) == (2, {SCHOOL: 1})


async def test_a_backtest_sees_what_stood_beside_each_fact_at_each_time(database):
    """A large class all along; its school is first not known, then connected, then silent for two days."""
    told: list[tuple[float, Sequence[Fact]]] = [
        (0, oversize(a_class(40), a_class(20, key="1B"))),
        (24, silence(state="CONNECTED", reason="", at=NOW + hours(24))),
        (48, silence(at=NOW + hours(48), since=NOW + hours(48))),
        (72, oversize(a_class(41, version=2))),
        (96, silence(state="CONNECTED", reason="", at=NOW + hours(96))),
    ]
    for after, known in told:
        async with database.transaction() as held:
            await usecases.take_facts(held, known, moment(NOW + hours(after)))
    at = moment(NOW + hours(120))
    optional = replace(
        DOUBTFUL, optional_kinds=("coverage",), condition="fact.size > 35 && (!coverage.known || fact.size > 40)"
    )
    clocked = replace(DOUBTFUL, condition='fact.size > 35 && coverage.state == "silent" && coverage.state_hours >= 36')
    async with database.connection() as reading:
        found = [
            await usecases.backtest(reading, rule, EVERYWHERE, at, since=NOW - hours(24), k=3)
            for rule in (DOUBTFUL, optional, clocked)
        ]
    assert [
        [(one.began, one.ended) for episodes in tried.episodes.values() for one in episodes] for tried in found
    ] == [
        [(NOW + hours(48), NOW + hours(96))],
        [(NOW, NOW + hours(24)), (NOW + hours(72), None)],
        [(NOW + hours(84), NOW + hours(96))],
    ]
    assert [one.facts for one in found] == [2, 2, 2]


async def test_a_backtest_ends_with_a_school_year_what_was_open(database):
    """As alerts themselves do: a class of last year says nothing beside the figures of this."""
    rule = replace(
        DOUBTFUL,
        with_kinds=("attendance_report",),
        condition="fact.size > 35 && attendance_report.missing_classes > 0",
        title_vi="{size}",
        title_en="{size}",
        body_vi="{size}",
    )
    for after, facts_then in (
        (0, oversize(a_class(40))),
        (0, [Fact("attendance_report", SCHOOL, "", 1, {"school_year": 2026, "missing_classes": 2})]),
        (24, [Fact("attendance_report", SCHOOL, "", 2, {"school_year": 2027, "missing_classes": 2})]),
    ):
        async with database.transaction() as held:
            await usecases.take_facts(held, facts_then, moment(NOW + hours(after)))
    async with database.connection() as reading:
        found = await usecases.backtest(reading, rule, EVERYWHERE, moment(NOW + hours(48)), since=NOW, k=3)
    [[one]] = found.episodes.values()
    assert (one.began, one.ended) == (NOW, NOW + hours(24))


@pytest.mark.parametrize("begun", [False, True])
async def test_a_rule_that_is_saved_judges_what_stands_and_a_dry_run_says_the_same_before(database, begun):
    """Soon, also where the service came up only then; nothing of history, and one school where it is its rule."""
    await take(database, [*silence(), *silence(SECOND_SCHOOL)])
    await take(database, oversize(a_class(40), a_class(40, school=SECOND_SCHOOL), a_class(20, key="1B")))
    await take(database, [replace(one, baseline=True) for one in oversize(a_class(40, key="1C"))])
    async with database.transaction() as held:
        await held.execute(sa.text("UPDATE rule SET enabled = false"))
        await held.execute(sa.text("UPDATE alert SET state = 3, resolve_time = now()"))
        await held.execute(sa.text("UPDATE fact SET due_time = NULL"))
        tried = await usecases.dry_run(held, DOUBTFUL, frozenset({SCHOOL}), moment())
    assert dict(tried.by_unit) == {SCHOOL: 1}
    stop, sweeps = asyncio.Event(), 0

    def now() -> Moment:
        nonlocal sweeps
        sweeps += 1
        return moment()

    worker = timer(
        database,
        moment=now,
        wake=lambda: None,
        every_seconds=0.01,
        subtree=lambda unit_id: frozenset({unit_id}),
    )
    if begun:
        running = asyncio.ensure_future(worker.run(stop))
        await poll_until(lambda: sweeps > 20)
    async with database.transaction() as held:
        await usecases.create_rule(held, replace(DOUBTFUL, unit_id=SCHOOL), by="director", moment=moment())
    if not begun:
        running = asyncio.ensure_future(worker.run(stop))

    async def raised() -> list[str]:
        return [
            one.subject for one in await alerts(database) if one.rule == "doubtful_size" and one.state is State.OPEN
        ]

    try:
        await poll_until(raised)
    finally:
        stop.set()
        await running
    assert await raised() == ["2026/1A2026"]


async def test_a_fact_of_last_year_is_not_judged_beside_one_of_this(database):
    """Neither live nor tried; what is open when the year turns is over, whatever clears it."""
    rule: dict[str, Any] = {
        "with_kinds": ("attendance_report",),
        "condition": "fact.size > 35 && attendance_report.missing_classes > 0",
        "clear_condition": "fact.size < 20",
        **dict.fromkeys(("title_vi", "title_en", "body_vi", "body_en"), "{size}"),
    }
    report = {"school_year": 2026, "missing_classes": 2}
    await write(database, **rule)
    [last, this] = (replace(one, subject=f"{year}/1A", values={**one.values, "school_year": year})
                    for year in (2025, 2026) for one in oversize(a_class(40)))  # fmt: skip
    await take(database, [Fact("attendance_report", SCHOOL, "", 1, report)])
    [change] = await take(database, [last, this])
    assert (change.transition, change.alert.subject) == (Transition.RAISED, "2026/1A")
    async with database.connection() as reading:
        found = await usecases.dry_run(reading, replace(DOUBTFUL, **rule), EVERYWHERE, moment())
    assert found.by_unit.total() == 1
    await take(database, [Fact("attendance_report", SCHOOL, "", 2, {**report, "school_year": 2027})])
    assert [one for one, _ in await look(database)] == [Transition.RESOLVED]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"condition": "fact.size > 35 && coverage.sate == ''"}, "condition"),
        ({"condition": "fact.size > coverage.state"}, "condition"),
        ({"condition": "fact.size > 35 && pushes.failed > 0"}, "condition"),
        ({"with_kinds": (), "title_vi": "", "title_en": "", "body_vi": ""}, "condition"),
        ({"title_vi": "{coverage.sate}"}, "title_vi"),
        ({"with_kinds": ("pushes",), "condition": "fact.size > 35"}, "with_kinds"),
        ({"with_kinds": ("pupil",), "condition": "fact.size > 35"}, "with_kinds"),
        ({"with_kinds": ("coverage_sum",), "condition": "fact.size > 35"}, "with_kinds"),
        ({"with_kinds": ("coverage", "coverage")}, "with_kinds"),
        ({"optional_kinds": ("school_figures",)}, "optional_kinds"),
    ],
)
async def test_what_cannot_be_judged_together_is_refused_by_field(database, changed, field):
    """Fields and types of every kind are checked when the rule is saved, and that its facts can stand together."""
    with pytest.raises(Fault) as refused:
        await write(database, **changed)
    assert (refused.value.reason, refused.value.violations[0].field) == ("INVALID_RULE", f"rule.{field}")
