"""Events in: what reporting, sync and records tell becomes facts, and is evaluated in the same transaction.

History and news of a batch are taken apart, history first: it sets baselines and raises nothing.
"""

from collections.abc import Awaitable, Callable, Sequence

from iocedu.records.v1 import records_pb2
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.bus import AfterCommit, Bus, Event
from chassis.database import Database
from chassis.inbox import Consumer, consumer
from services.alerts import convert, usecases
from services.alerts.convert.erasing import erasure_of
from services.alerts.domain import Change
from services.alerts.domain.early_warning import Reading
from services.alerts.usecases.moment import Moment

BATCH = 4  # Events of up to 1,000 facts each: what is committed early is told while the rest is evaluated.
RECORDS_BATCH = 8
PUSHES_BATCH = 16  # Of up to 100 schools each.
Take = Callable[[AsyncConnection, Sequence[Event], Moment], Awaitable[list[Change]]]


def consumers(
    database: Database, bus: Bus, *, moment: Callable[[], Moment], wake: Callable[[], None], reading: Reading
) -> tuple[Consumer, ...]:
    """The consumers of all that alerts listens to; `wake` is called after each commit of a change."""

    async def take_records(connection: AsyncConnection, events: Sequence[Event], now: Moment) -> list[Change]:
        return await _take_records(connection, events, now, reading)

    def made(source: str, event: str, take: Take, batch: int) -> Consumer:
        handle = _Handler(take, moment, wake)
        return consumer(database, bus, service="alerts", source=source, event=event, handle=handle, batch=batch)

    return (
        made("reporting", "figures-changed", _take_figures, BATCH),
        made("reporting", "targets-changed", _take_targets, BATCH),
        made("sync", "pushes-changed", _take_pushes, PUSHES_BATCH),
        made("sync", "coverage-changed", _take_coverage, BATCH),
        made("records", "records-changed", take_records, RECORDS_BATCH),
        made("records", "units-changed", _take_units, BATCH),
        made("records", "erasures-requested", _take_erasures, 1),
    )


class _Handler:
    """Takes a batch of events together."""

    def __init__(self, take: Take, moment: Callable[[], Moment], wake: Callable[[], None]) -> None:
        self._take = take
        self._moment = moment
        self._wake = wake

    async def __call__(self, connection: AsyncConnection, events: Sequence[Event]) -> AfterCommit | None:
        changes = await self._take(connection, events, self._moment())
        return self._woken if changes else None

    async def _woken(self) -> None:
        self._wake()


async def _take_figures(connection: AsyncConnection, events: Sequence[Event], moment: Moment) -> list[Change]:
    changes: list[Change] = []
    told = {event.id: convert.is_backfill(event) for event in events}
    for baseline in (True, False):
        part = [event for event in events if told[event.id] is baseline]
        if part:
            classes = [fact for event in part for fact in convert.class_facts(event)]
            schools = [row for event in part for row in convert.school_figures(event)]
            changes += await usecases.follow_figures(connection, classes, schools, moment, baseline=baseline)
    return changes


async def _take_targets(connection: AsyncConnection, events: Sequence[Event], moment: Moment) -> list[Change]:
    facts = [fact for event in events for fact in convert.target_facts(event, moment.kind)]
    return await usecases.take_facts(connection, facts, moment)


async def _take_pushes(connection: AsyncConnection, events: Sequence[Event], moment: Moment) -> list[Change]:
    facts = [fact for event in events for fact in convert.push_facts(event)]
    return await usecases.take_facts(connection, facts, moment)


async def _take_coverage(connection: AsyncConnection, events: Sequence[Event], moment: Moment) -> list[Change]:
    facts = [fact for event in events for fact in convert.coverage_facts(event)]
    return await usecases.take_facts(connection, facts, moment)


async def _take_records(
    connection: AsyncConnection, events: Sequence[Event], moment: Moment, reading: Reading
) -> list[Change]:
    batches: dict[bool, convert.RecordRows] = {}
    for event in events:
        message = records_pb2.RecordsChanged.FromString(event.data)
        rows = batches.setdefault(message.backfill, convert.RecordRows())
        first = convert.first_position(event.headers)
        await convert.record_rows(rows, message.changes, first=first, time=event.time, reading=reading)
    changes: list[Change] = []
    for baseline in sorted(batches, reverse=True):
        rows = batches[baseline]
        if rows.schools:
            changes += await usecases.follow_records(connection, rows, moment, reading, baseline=baseline)
    return changes


async def _take_units(connection: AsyncConnection, events: Sequence[Event], _moment: Moment) -> list[Change]:
    await usecases.take_successions(connection, [one for event in events for one in convert.successions(event)])
    return []


async def _take_erasures(connection: AsyncConnection, events: Sequence[Event], moment: Moment) -> list[Change]:
    return [change for event in events for change in await usecases.erase(connection, erasure_of(event.data), moment)]
