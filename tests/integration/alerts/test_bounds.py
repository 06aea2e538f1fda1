"""What grows or fails with one alert stays with that alert: its history, its events, the looks of the timer."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any
from unittest.mock import AsyncMock

import pytest
import sqlalchemy as sa
from iocedu.alerts.v1 import alerts_pb2, alerts_pb2_grpc

from chassis.database import Database
from chassis.testing import FixedClock, client
from services.alerts import store, usecases
from services.alerts.convert import UnitName, alerts_changed
from services.alerts.domain import FIRST_KEPT, NEWEST_KEPT, SHOWN_STEPS, Alert, AlertFilter, Change, State, Transition
from services.alerts.jobs import timer
from tests.integration.alerts import scenes
from tests.integration.alerts.scenes import DISTRICT, NOW, SCHOOL, SECOND_SCHOOL, a_class, hours
from tests.integration.alerts.test_evaluation import look, moment, oversize, take, unresolved
from tests.support.databases import DatabaseFactory
from tests.support.waiting import poll_until

LONGEST = "ố" * 1990
TAKEN = 150


@pytest.fixture
async def database(database_factory: DatabaseFactory) -> Database:
    """A fresh database of alerts."""
    return await database_factory("alerts")


@pytest.fixture
async def stub(database: Database, bus, keys, scopes_tree, token) -> AsyncIterator[alerts_pb2_grpc.AlertsServiceStub]:
    """The officer's view of a running alerts."""
    await scopes_tree(scenes.units(), scenes.grants())
    async with (
        scenes.alerts_replica(database, bus, keys, clock=FixedClock(NOW)) as address,
        client(address, token("officer")) as channel,
    ):
        yield alerts_pb2_grpc.AlertsServiceStub(channel)


async def alerts(database: Database, *states: State) -> list[Alert]:
    """All of them, newest first."""
    everything = AlertFilter(unit_ids=frozenset({SCHOOL, SECOND_SCHOOL}), states=frozenset(states or State))
    async with database.connection() as reading:
        return await store.list_alerts(reading, everything, below=None, limit=1000)


async def acknowledge(stub: Any, alert_id: int, note: str) -> alerts_pb2.Alert:
    """Take an alert in hand."""
    request = alerts_pb2.AcknowledgeAlertRequest(unit=str(DISTRICT), alert_id=alert_id, note=note)
    taken: alerts_pb2.Alert = (await stub.AcknowledgeAlert(request)).alert
    return taken


async def test_an_alert_taken_without_end_keeps_its_beginning_and_end_and_stops_nobody(database, stub):
    """The longest notes, time and again: the next batch of facts is taken, and every event fits into a message."""
    await take(database, oversize(a_class(40)))
    [raised] = await alerts(database)
    for number in range(TAKEN):
        whole = await acknowledge(stub, raised.alert_id, f"{number} {LONGEST}")
    notes = [int(step.note.split()[0]) for step in whole.history]
    assert notes == [*range(FIRST_KEPT), *range(TAKEN - NEWEST_KEPT, TAKEN)]
    assert whole.step_count == TAKEN
    listed = (await stub.ListAlerts(alerts_pb2.ListAlertsRequest(unit=str(DISTRICT)))).alerts[0]
    assert [int(step.note.split()[0]) for step in listed.history] == [*range(TAKEN - SHOWN_STEPS, TAKEN)]
    assert (listed.step_count, listed.etag) == (TAKEN, whole.etag)
    changes = await take(database, oversize(a_class(30, version=2), a_class(40, school=SECOND_SCHOOL)))
    assert [one.transition for one in changes] == [Transition.RESOLVED, Transition.RAISED]
    async with database.connection() as reading:
        assert await reading.scalar(sa.text("SELECT coalesce(max(octet_length(payload)), 0) FROM outbox")) < 256_000


async def test_a_history_that_is_long_already_leaves_and_is_cut_at_its_next_step(database):
    """What was written before there was a bound stops nothing."""
    await take(database, oversize(a_class(40)))
    step = (
        '{"transition": 2, "time": "2026-11-24T02:00:00+00:00", "rule_version": 1, "by": "", "note": "", "reason": 0}'
    )
    async with database.transaction() as held:
        grown = "UPDATE alert SET history = (SELECT jsonb_agg(jsonb_set(CAST(:step AS jsonb), '{note}', to_jsonb("
        grown += "repeat('o', 2000)))) FROM generate_series(1, 900))"
        await held.execute(sa.text(grown), {"step": step})
    [change] = await take(database, oversize(a_class(30, version=2)))
    assert len(change.alert.history) == FIRST_KEPT + NEWEST_KEPT
    assert change.alert.history[-1].transition is Transition.RESOLVED


async def test_pages_of_long_alerts_end_early_and_are_complete(stub, database, monkeypatch):
    """Lists and watches: no page is much longer than it may be, and all of them hold everything once."""
    monkeypatch.setattr("services.alerts.servicer.alerts.MOST_PAGE_BYTES", 1000)
    await take(database, oversize(*(a_class(40, key=f"{number}A2026") for number in range(5))))
    seen: list[int] = []
    sizes: list[int] = []
    page_token = ""
    while not sizes or page_token:
        page = await stub.ListAlerts(alerts_pb2.ListAlertsRequest(unit=str(DISTRICT), page_token=page_token))
        seen += [alert.alert_id for alert in page.alerts]
        sizes.append(len(page.alerts))
        page_token = page.next_page_token
    assert seen == [5, 4, 3, 2, 1]
    assert max(sizes) < 5
    watch = aiter(stub.WatchAlerts(alerts_pb2.WatchAlertsRequest(unit=str(DISTRICT), after=1)))
    async with asyncio.timeout(60):
        watched = [(await anext(watch)).item.alert_id for _ in range(5)][1:]
    assert watched == [2, 3, 4, 5]


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Units about which nothing can leave."""
    units: set[int] = set()

    def refusing(changes: list[Change], unit_name: UnitName) -> Iterator[tuple[bytes, int]]:
        if any(change.alert.unit_id in units for change in changes):
            raise ValueError("more than a message holds")
        return alerts_changed(changes, unit_name)

    monkeypatch.setattr("services.alerts.usecases.conclude.alerts_changed", refusing)
    return units


async def test_an_alert_that_cannot_be_changed_holds_up_no_other(database, poisoned):
    """The others of the batch are raised and told; the one is tried again by the timer, until it can be."""
    poisoned.add(SCHOOL)
    facts = oversize(a_class(40), a_class(40, school=SECOND_SCHOOL), a_class(41, school=SECOND_SCHOOL, key="2A2026"))
    assert [change.alert.unit_id for change in await take(database, facts)] == [SECOND_SCHOOL, SECOND_SCHOOL]
    assert {unit_id for _, unit_id, _ in await unresolved(database)} == {SECOND_SCHOOL}
    async with database.connection() as reading:
        assert await reading.scalar(sa.text("SELECT sum(count) FROM outbox")) == 2
        assert await reading.scalar(sa.text("SELECT position FROM newest")) == 2
    assert await look(database, NOW + hours(1)) == []
    poisoned.clear()
    assert [change.alert.unit_id for change in await look(database, NOW + hours(2))] == [SCHOOL]
    assert await look(database, NOW + hours(9)) == []


async def test_trying_again_raises_nothing_from_history(database, poisoned):
    """A class that came from history is as quiet at the second look as at the first."""
    await take(database, oversize(a_class(40)))
    poisoned.add(SCHOOL)
    assert await take(database, oversize(a_class(30, version=2), backfill=True)) == []
    poisoned.clear()
    async with database.transaction() as held:
        await held.execute(
            sa.text("UPDATE rule SET condition = 'fact.size < 35', code = 'undersize' WHERE fact_kind = 'class_size'")
        )
    assert await look(database, NOW + hours(1)) == []


async def test_the_timer_outlives_whatever_fails_and_follows_rules_past_it(database, poisoned, monkeypatch):
    """One alert a page: the first cannot be resolved and the looks at facts fail; the others are resolved."""
    await take(database, oversize(a_class(40), a_class(40, school=SECOND_SCHOOL)))
    async with database.transaction() as held:
        await held.execute(sa.text("UPDATE rule SET enabled = false"))
    poisoned.add(SCHOOL)
    monkeypatch.setattr("services.alerts.jobs.CLAIM", 1)
    fails, stop = AsyncMock(side_effect=KeyError("what nobody thought of")), asyncio.Event()
    monkeypatch.setattr(usecases, "look_at_due_facts", fails)

    async def resolved() -> set[int]:
        return {alert.unit_id for alert in await alerts(database, State.RESOLVED)}

    worker = timer(database, moment=moment, wake=lambda: None, every_seconds=0.01)
    running = asyncio.ensure_future(worker.run(stop))
    await poll_until(lambda: fails.await_count > 2 or running.done())
    assert await resolved() == {SECOND_SCHOOL}
    poisoned.clear()

    async def all_are() -> bool:
        return await resolved() == {SCHOOL, SECOND_SCHOOL}

    await poll_until(all_are)
    stop.set()
    await running
