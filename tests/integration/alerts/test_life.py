"""The whole life of an alert: taken, closed by hand, opened again, silenced, inhibited, climbing, moved, forgotten."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from iocedu.alerts.v1 import alerts_pb2

from chassis.database import Database
from chassis.errors import Fault
from services.alerts import store, usecases
from services.alerts.domain import Alert, AlertFilter, Change, Resolution, State, Transition
from services.alerts.domain.silences import Silence
from services.alerts.usecases.moment import Moment
from tests.integration.alerts import scenes
from tests.integration.alerts.scenes import (
    DISTRICT,
    NOW,
    OTHER_SCHOOL,
    PROVINCE,
    SCHOOL,
    SECOND_SCHOOL,
    a_class,
    hours,
)
from tests.integration.alerts.test_evaluation import oversize, silence
from tests.support.databases import DatabaseFactory

TREE = scenes.tree()
EVERYWHERE = frozenset({SCHOOL, SECOND_SCHOOL, OTHER_SCHOOL, DISTRICT, PROVINCE})


def moment(now: datetime = NOW) -> Moment:
    """An instant in the small province."""
    day = now.date()
    return Moment(
        now=now,
        today=day,
        unit_name=str,
        contains=lambda above, below: TREE.contains(above, below, day),
        above=lambda unit_id: TREE.ancestors(unit_id, day),
    )


@pytest.fixture
async def database(database_factory: DatabaseFactory) -> Database:
    """A fresh database of alerts."""
    return await database_factory("alerts")


async def take(database: Database, *classes, now: datetime = NOW) -> list[Change]:
    """Classes' sizes as one transaction."""
    async with database.transaction() as held:
        return await usecases.take_facts(held, oversize(*classes), moment(now))


async def alerts(database: Database) -> list[Alert]:
    """All of them, newest first."""
    wanted = AlertFilter(unit_ids=EVERYWHERE, states=frozenset(State))
    async with database.connection() as reading:
        return await store.list_alerts(reading, wanted, below=None, limit=1000)


async def the_alert(database: Database) -> Alert:
    """The only one."""
    [alert] = await alerts(database)
    return alert


async def heard(database: Database) -> list[tuple[str, Transition]]:
    """By what people learned of alerts: which, and how."""
    beginning = ("RAISED", "RELEASED", "REOPENED", "CARRIED_OVER", "ESCALATED")
    told_by = {int(Transition[name]) for name in beginning}
    return [
        (one.alert.subject, Transition(one.transition))
        for one in await told(database)
        if one.audience_roles and one.transition in told_by
    ]


async def told(database: Database) -> list[alerts_pb2.AlertChange]:
    """Every change that left, in order."""
    async with database.connection() as reading:
        payloads = await reading.scalars(sa.text("SELECT payload FROM outbox ORDER BY id"))
    return [change for payload in payloads for change in alerts_pb2.AlertsChanged.FromString(payload).changes]


async def alter(database: Database, values: str, code: str = "class_oversize") -> None:
    """What a rule's version says, for a test."""
    async with database.transaction() as held:
        await held.execute(sa.text(f"UPDATE rule SET {values} WHERE code = :code"), {"code": code})


async def close(database: Database, alert: Alert, now: datetime = NOW, **said) -> Alert:
    """Close an alert by hand."""
    given: dict[str, Any] = {
        "by": "officer",
        "resolution": Resolution.FALSE_ALARM,
        "note": "Lớp ghép.",
        "etag": "",
    } | said
    async with database.transaction() as held:
        return await usecases.resolve_alert(
            held, alert.alert_id, lies_below=EVERYWHERE.__contains__, moment=moment(now), **given
        )


async def test_what_somebody_closed_is_not_raised_again_before_its_condition_has_cleared(database):
    """Otherwise the next push would open it again; once it has cleared, the next time is news."""
    await take(database, a_class(40))
    closed = await close(database, await the_alert(database))
    assert (closed.state, closed.resolution, closed.resolved_by) == (State.RESOLVED, Resolution.FALSE_ALARM, "officer")
    assert await take(database, a_class(41, version=2)) == []
    assert await take(database, a_class(30, version=3)) == []
    [change] = await take(database, a_class(42, version=4))
    assert change.transition is Transition.RAISED


async def test_an_alert_closed_by_hand_is_opened_again_and_has_its_whole_history(database):
    """Who did what and why, oldest first, however long ago."""
    await take(database, a_class(40))
    alert = await close(database, await the_alert(database))
    async with database.transaction() as held:
        await usecases.comment_alert(
            held, alert.alert_id, lies_below=EVERYWHERE.__contains__, by="head", text="Đã kiểm tra.", moment=moment()
        )
        opened = await usecases.reopen_alert(
            held, alert.alert_id, lies_below=EVERYWHERE.__contains__, by="director", note="Chưa xong.", moment=moment()
        )
        steps = await store.list_steps(held, alert.alert_id, after=0, limit=10)
    assert (opened.state, opened.resolved_by, opened.resolution) == (State.OPEN, "", Resolution.NONE)
    assert [(number, step.transition, step.by, step.note) for number, step in steps] == [
        (1, Transition.RESOLVED, "officer", "Lớp ghép."),
        (2, Transition.COMMENTED, "head", "Đã kiểm tra."),
        (3, Transition.REOPENED, "director", "Chưa xong."),
    ]
    [resolved] = await take(database, a_class(30, version=2))
    assert resolved.transition is Transition.RESOLVED


async def test_closing_and_opening_refuse_what_contradicts_the_alert(database):
    """ALREADY_RESOLVED, NOT_RESOLVED, ALREADY_OPEN, STALE_ETAG, UNKNOWN_ALERT."""
    await take(database, a_class(40))
    alert = await the_alert(database)

    async def refused(work: Callable[[], Awaitable[Any]]) -> str:
        with pytest.raises(Fault) as fault:
            await work()
        return fault.value.reason

    async def reopen(alert_id: int) -> None:
        async with database.transaction() as held:
            await usecases.reopen_alert(
                held, alert_id, lies_below=EVERYWHERE.__contains__, by="x", note="", moment=moment()
            )

    assert await refused(lambda: reopen(alert.alert_id)) == "NOT_RESOLVED"
    assert await refused(lambda: close(database, alert, etag="9")) == "STALE_ETAG"
    assert await refused(lambda: close(database, replace(alert, alert_id=999))) == "UNKNOWN_ALERT"
    await close(database, alert)
    assert (await close(database, alert)).resolved_by == "officer"
    assert await refused(lambda: close(database, alert, by="head")) == "ALREADY_RESOLVED"
    await take(database, a_class(30, version=2))
    await take(database, a_class(40, version=3))
    assert await refused(lambda: reopen(alert.alert_id)) == "ALREADY_OPEN"


async def test_a_condition_that_must_hold_for_a_while_raises_once_it_has_and_not_if_it_breaks(database):
    """At the end of the time, by the clock alone; a break begins it anew. An open one stays until it clears."""
    await alter(database, "for_minutes = 60, clear_condition = 'fact.size <= 33'")
    assert await take(database, a_class(40)) == []
    assert await take(database, a_class(30, version=2), now=NOW + hours(0.5)) == []
    assert await take(database, a_class(40, version=3), now=NOW + hours(0.9)) == []

    async def look(after: float) -> list[Transition]:
        async with database.transaction() as held:
            _, changes = await usecases.look_at_due_facts(held, moment(NOW + hours(after)), limit=10)
        return [change.transition for change in changes]

    assert await look(1.5) == []
    assert await look(1.9) == [Transition.RAISED]
    assert await look(2.5) == []
    [fewer] = await take(database, a_class(35, version=4), now=NOW + hours(3))
    assert (fewer.transition, fewer.alert.facts["size"]) == (Transition.UPDATED, "35")
    [cleared] = await take(database, a_class(33, version=5), now=NOW + hours(4))
    assert cleared.transition is Transition.RESOLVED


async def test_nobody_is_told_while_a_silence_lasts_and_what_still_holds_is_told_afterwards(database):
    """Open ones are covered at once, new ones are raised quietly, and the end of the silence tells those that hold."""
    await take(database, a_class(40))
    async with database.transaction() as held:
        _, covered = await usecases.create_silence(held, a_silence(until=hours(5)), moment(), below=EVERYWHERE)
    assert covered == 1
    await take(database, a_class(41, key="1B2026"), a_class(42, key="1C2026", school=OTHER_SCHOOL))
    await take(database, a_class(30, version=2, key="1B2026"))
    states = {(alert.subject, alert.shown_state) for alert in await alerts(database)}
    assert states == {
        ("2026/1A2026", State.SUPPRESSED),
        ("2026/1B2026", State.RESOLVED),
        ("2026/1C2026", State.OPEN),
    }
    assert await release(database, hours(4)) == []
    assert await release(database, hours(5)) == [("2026/1A2026", Transition.RELEASED)]
    assert await release(database, hours(6)) == []
    assert [(one.alert.subject, Transition(one.transition)) for one in await told(database) if _tells(one)] == [
        ("2026/1A2026", Transition.RAISED),
        ("2026/1C2026", Transition.RAISED),
        ("2026/1A2026", Transition.RELEASED),
    ]


async def silenced(database: Database, hours_long: int = 50) -> None:
    """Keep a district quiet from now."""
    async with database.transaction() as held:
        await usecases.create_silence(held, a_silence(until=hours(hours_long)), moment(), below=EVERYWHERE)


async def acknowledge(database: Database, alert: Alert, due: datetime | None = None, note: str = "Tôi xem.") -> Alert:
    """Take an alert in hand."""
    async with database.transaction() as held:
        return await usecases.acknowledge_alert(
            held, alert.alert_id, lies_below=EVERYWHERE.__contains__, by="officer", note=note, etag="", now=NOW,
            unit_name=str, due=due,
        )  # fmt: skip


async def reopen(database: Database, alert: Alert, now: datetime = NOW) -> Alert:
    """Open an alert again."""
    async with database.transaction() as held:
        return await usecases.reopen_alert(
            held, alert.alert_id, lies_below=EVERYWHERE.__contains__, by="director", note="", moment=moment(now)
        )


async def new_version(database: Database, *, by: str) -> list[Transition]:
    """Put another version in force that says the same; alerts follow by the timer or by their facts."""
    await alter(database, "version = version + 1, title_vi = title_vi || '!'")
    if by == "facts":
        return [one.transition for one in await take(database, *(a_class(41, version=9, key=key) for key in CLASSES))]
    async with database.transaction() as held:
        _, changes = await usecases.follow_rules(held, moment(), limit=100)
    return [one.transition for one in changes]


CLASSES = ("1A2026", "1B2026", "1C2026")


@pytest.mark.parametrize("due", [None, NOW + hours(10)])
async def test_what_is_silenced_and_taken_climbs_only_once_the_silence_is_over(database, due):
    """Nobody above is told while it lasts; afterwards the time somebody gave counts, or else the rule's, begun anew."""
    await alter(database, "acknowledge_hours = 24, resolve_hours = 72")
    await take(database, a_class(40))
    await silenced(database, 100)
    assert (await acknowledge(database, await the_alert(database), due)).escalate_time is None
    async with database.transaction() as held:  # As an earlier version wrote it.
        await held.execute(sa.text("UPDATE alert SET escalate_time = create_time"))
    assert await climb(database, hours(99)) == []
    await release(database, hours(100))
    assert await climb(database, hours(100)) == ([(Transition.ESCALATED, (DISTRICT,))] if due else [])
    assert await climb(database, hours(172)) == [(Transition.ESCALATED, (PROVINCE if due else DISTRICT,))]


@pytest.mark.parametrize("by", ["timer", "facts"])
async def test_another_version_of_a_rule_tells_nobody_of_what_a_silence_keeps_quiet(database, by):
    """Saving a rule does not end a silence; its end tells what still holds, as the new version says it."""
    await silenced(database)
    await take(database, *(a_class(40, key=key) for key in CLASSES))
    assert await new_version(database, by=by) == [Transition.CARRIED_OVER] * 3
    assert await heard(database) == []
    await release(database, hours(50))
    assert await heard(database) == [(f"2026/{key}", Transition.RELEASED) for key in CLASSES]


async def test_what_is_opened_again_during_a_silence_is_told_when_that_ends(database):
    """Whether it was silenced when it was closed, or the silence began since."""
    await take(database, a_class(40))
    alert = await close(database, await the_alert(database))
    await silenced(database)
    opened = await reopen(database, alert)
    assert (opened.shown_state, opened.escalate_time) == (State.SUPPRESSED, None)
    await close(database, opened)
    assert (await reopen(database, alert)).suppressed_by == opened.suppressed_by
    assert await heard(database) == [("2026/1A2026", Transition.RAISED)]
    assert await release(database, hours(50)) == [("2026/1A2026", Transition.RELEASED)]


async def test_what_was_closed_in_a_silence_and_is_opened_again_after_it_is_told(database):
    """Nothing keeps it from being told any more."""
    await silenced(database)
    await take(database, a_class(40))
    alert = await close(database, await the_alert(database))
    assert (await reopen(database, alert, NOW + hours(50))).shown_state is State.OPEN
    assert await heard(database) == [("2026/1A2026", Transition.REOPENED)]


@pytest.mark.parametrize("by", ["timer", "facts"])
async def test_what_came_after_the_first_of_its_group_stays_untold_whatever_becomes_of_it(database, by):
    """Carried over, opened again, or silenced for a while; the one that was told is told on."""
    await alter(database, "group_hours = 24")
    await take(database, *(a_class(40, key=key) for key in CLASSES))
    first, second, _ = CLASSES
    assert await new_version(database, by=by) == [Transition.CARRIED_OVER] * 3
    [later] = [one for one in await alerts(database) if one.subject == f"2026/{second}"]
    await reopen(database, await close(database, later))
    await silenced(database)
    assert len(await release(database, hours(50))) == 3
    assert await heard(database) == [
        (f"2026/{first}", Transition.RAISED),
        (f"2026/{first}", Transition.CARRIED_OVER),
        (f"2026/{first}", Transition.RELEASED),
    ]


def a_silence(*, until: timedelta, start: datetime = NOW, **covers: str) -> Silence:
    """A silence of one district."""
    names = {"rule": "", "family": "", "subject": ""} | covers
    return Silence(0, DISTRICT, **names, start_time=start, end_time=NOW + until, reason="Bão số 9",
                   created_by="officer", create_time=NOW)  # fmt: skip


def _tells(change: alerts_pb2.AlertChange) -> bool:
    """Whether a change is one by which people learn of an alert."""
    return bool(change.audience_roles) and Transition(change.transition) in (Transition.RAISED, Transition.RELEASED)


async def release(database: Database, after: timedelta) -> list[tuple[str, Transition]]:
    """What the timer tells again."""
    async with database.transaction() as held:
        _, changes = await usecases.release_uncovered(held, moment(NOW + after), after=0, limit=100)
    return [(change.alert.subject, change.transition) for change in changes]


@pytest.mark.parametrize(("until", "start"), [(hours(0), NOW), (hours(-1), NOW - hours(3)), (timedelta(days=400), NOW)])
async def test_a_silence_that_is_over_or_endless_is_refused(database, until, start):
    """INVALID_SILENCE, before anything is stored."""
    with pytest.raises(Fault) as refused:
        async with database.transaction() as held:
            await usecases.create_silence(held, a_silence(until=until, start=start), moment(), below=EVERYWHERE)
    assert refused.value.reason == "INVALID_SILENCE"
    assert refused.value.violations[0].field == "end_time"


async def test_a_graver_alert_on_the_unit_keeps_others_quiet_until_it_is_over(database):
    """A school that sends nothing at all is told that once, not beside everything that follows from it."""
    await alter(database, "inhibited_by = ARRAY['school_silent']")
    quiet = silence(since=NOW - hours(100))
    async with database.transaction() as held:
        await usecases.take_facts(held, quiet, moment())
    await take(database, a_class(40))
    [alert] = [one for one in await alerts(database) if one.rule == "class_oversize"]
    assert (alert.shown_state, alert.suppressed_by) == (State.SUPPRESSED, "rule:school_silent")
    assert await release(database, hours(1)) == []
    sent = silence(state="CONNECTED", reason="", at=NOW + hours(2))
    async with database.transaction() as held:
        await usecases.take_facts(held, sent, moment(NOW + hours(2)))
    assert await release(database, hours(3)) == [("2026/1A2026", Transition.RELEASED)]


async def test_a_graver_alert_that_is_silenced_itself_keeps_nothing_quiet(database):
    """Else nobody would hear of either."""
    await alter(database, "inhibited_by = ARRAY['school_silent']")
    async with database.transaction() as held:
        quiet = a_silence(until=hours(50), rule="school_silent")
        await usecases.create_silence(held, quiet, moment(), below=EVERYWHERE)
        await usecases.take_facts(held, silence(since=NOW - hours(100)), moment())
    await take(database, a_class(40))
    assert {(one.rule, one.shown_state) for one in await alerts(database)} == {
        ("school_silent", State.SUPPRESSED),
        ("class_oversize", State.OPEN),
    }
    assert await heard(database) == [("2026/1A2026", Transition.RAISED)]


async def climb(database: Database, after: timedelta) -> list[tuple[Transition, tuple[int, ...]]]:
    """What the timer lets climb, and where."""
    async with database.transaction() as held:
        _, changes = await usecases.escalate_overdue(held, moment(NOW + after), limit=100)
    return [(change.transition, change.audience_unit_ids) for change in changes]


async def test_what_nobody_takes_climbs_unit_by_unit_and_ends_at_the_top(database):
    """To the district, to the province, and no further; each time the people of that unit alone are to be told."""
    await alter(database, "acknowledge_hours = 24, audience_reach = 2")
    [raised] = await take(database, a_class(40))
    assert raised.audience_unit_ids == (SCHOOL,)
    assert await climb(database, hours(23)) == []
    assert await climb(database, hours(24)) == [(Transition.ESCALATED, (DISTRICT,))]
    assert await climb(database, hours(25)) == []
    assert await climb(database, hours(48)) == [(Transition.ESCALATED, (PROVINCE,))]
    assert await climb(database, hours(1000)) == []
    assert (await the_alert(database)).escalation_level == 2
    last = (await told(database))[-1]
    assert (list(last.audience_unit_ids), last.alert.history[-1].unit_id) == ([PROVINCE], PROVINCE)


async def test_taking_an_alert_stops_the_clock_and_its_own_due_time_starts_another(database):
    """Taken without a due time the rule's time to resolve counts; overdue, it climbs though somebody has it."""
    await alter(database, "acknowledge_hours = 24, resolve_hours = 72")
    await take(database, a_class(40))
    alert = await the_alert(database)

    assert (await acknowledge(database, alert)).escalate_time == NOW + hours(72)
    assert (await acknowledge(database, alert, NOW + hours(10), "Xong trong ngày.")).due_time == NOW + hours(10)
    with pytest.raises(Fault) as refused:
        await acknowledge(database, alert, NOW - hours(1), "Hôm qua.")
    assert refused.value.reason == "DUE_IN_PAST"
    assert await climb(database, hours(10)) == [(Transition.ESCALATED, (DISTRICT,))]


async def test_alerts_follow_their_unit_through_a_merger_and_new_ones_stand_there_too(database):
    """On the day and not before; facts that still come under the old unit change the alert where it now stands."""
    await take(database, a_class(40))
    day = NOW.date() + timedelta(days=1)
    async with database.transaction() as held:
        await usecases.take_successions(held, [(SCHOOL, SECOND_SCHOOL, day), (SECOND_SCHOOL, OTHER_SCHOOL, day)])

    async def follow(now: datetime) -> list[int]:
        async with database.transaction() as held:
            _, changes = await usecases.follow_units(held, moment(now), limit=100)
        return [change.alert.place for change in changes]

    assert await follow(NOW) == []
    assert await follow(NOW + hours(24)) == [OTHER_SCHOOL]
    assert await follow(NOW + hours(25)) == []
    [change] = await take(database, a_class(45, key="1B2026"), now=NOW + hours(26))
    assert (change.alert.place, change.alert.unit_id) == (OTHER_SCHOOL, SCHOOL)
    async with database.connection() as reading:
        listed = await store.list_alerts(reading, AlertFilter(unit_ids=frozenset({OTHER_SCHOOL})), below=None, limit=10)
        counted = await store.count_alerts(reading, frozenset({OTHER_SCHOOL}))
    assert len(listed) == sum(one.count for one in counted) == 2
    [resolved] = await take(database, a_class(30, version=2), now=NOW + hours(27))
    assert (resolved.transition, resolved.alert.place) == (Transition.RESOLVED, OTHER_SCHOOL)


async def test_of_a_group_the_first_is_told_and_the_rest_stand_in_the_worklist(database):
    """Thirty classes at once are one notice; the next is due when the hours of the group are over."""
    await alter(database, "group_hours = 24")
    await take(database, *(a_class(40, key=f"{number}A2026") for number in range(30)))
    await take(database, a_class(41, key="30A2026"), now=NOW + hours(23))
    await take(database, a_class(41, key="31A2026"), a_class(41, key="1A", school=OTHER_SCHOOL), now=NOW + hours(24))
    assert len(await alerts(database)) == 33
    heard = [
        (one.alert.unit_id, one.alert.create_time.ToDatetime(NOW.tzinfo)) for one in await told(database) if _tells(one)
    ]
    assert heard == [(SCHOOL, NOW), (SCHOOL, NOW + hours(24)), (OTHER_SCHOOL, NOW + hours(24))]


async def test_old_alerts_and_old_facts_are_forgotten_and_what_is_open_is_not(database):
    """By configuration; an alert goes with its steps."""
    await take(database, a_class(40), a_class(41, key="1B2026"))
    await take(database, a_class(30, version=2), now=NOW + hours(48))
    async with database.transaction() as held:
        gone = await store.prune_alerts(held, before=NOW + hours(49), limit=100)
        states = await store.prune_facts(held, before=NOW + hours(49), limit=100)
        left = await held.scalar(sa.text("SELECT count(*) FROM alert_step"))
    assert (gone, states, left) == (1, 1, 0)
    assert [alert.subject for alert in await alerts(database)] == ["2026/1B2026"]
