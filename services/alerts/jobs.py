"""Timers in: what time alone changes. Facts such as a school's silence or a deadline are looked at and added up, open
alerts follow their rules and their units, climb when their time is over, are covered and released; what is old is
forgotten.

Replicas share the work by claiming rows, so that each thing is done once. Work that fails, whatever the reason, is done
again: it stops neither the other work nor the process.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import telemetry
from chassis.database import Database
from chassis.dead_letters import reason_of
from chassis.logs import said
from chassis.scope_tree import EVERY_UNIT, ScopeCalendar
from chassis.workers import Worker
from services.alerts import store, usecases
from services.alerts.domain import Change
from services.alerts.usecases.moment import Moment

CLAIM = 1000
MEASURE_SECONDS = 15.0
REST = 9  # Times what adding up took, until it is done again: a tenth of the time at most goes into it.
OPEN = "Alerts that are not resolved."
PRUNE_EVERY = timedelta(minutes=10)

Done = Awaitable[tuple[int, list[Change]]]

log = structlog.get_logger(__name__)


class Step(Protocol):
    """Work on at most `limit` things whose time has come; says how many there were, and what changed."""

    def __call__(self, connection: AsyncConnection, moment: Moment, *, limit: int) -> Done:
        """Within the connection's transaction."""


class Walk(Protocol):
    """Work on at most `limit` things behind an id; says which id to go on after (0: none), and what changed."""

    def __call__(self, connection: AsyncConnection, moment: Moment, *, limit: int, after: int) -> Done:
        """Within the connection's transaction."""


@dataclass(frozen=True)
class Keeping:
    """For how many days what is over is kept."""

    history_days: int = 400
    resolved_days: int = 730


def timer(
    database: Database,
    *,
    moment: Callable[[], Moment],
    wake: Callable[[], None],
    every_seconds: float,
    subtree: Callable[[int], frozenset[int]] = lambda _unit_id: frozenset(),
    calendars: Callable[[], frozenset[ScopeCalendar]] = frozenset,
    placed: Callable[[], Hashable] = tuple,
) -> Worker:
    """The worker that does what time asks for, and what calendars ask that differ from those before, and units that are
    `placed` otherwise, which are unknown at first; `wake` is called after each commit of a change.
    """
    return Worker("timer", _Timer(database, moment, wake, subtree, calendars, placed, every_seconds).run)


@dataclass
class _Timer:
    database: Database
    moment: Callable[[], Moment]
    wake: Callable[[], None]
    subtree: Callable[[int], frozenset[int]]
    calendars: Callable[[], frozenset[ScopeCalendar]]
    placed: Callable[[], Hashable]
    every_seconds: float
    followed: frozenset[ScopeCalendar] | None = None
    summed: Hashable = None
    sum_again: float = 0.0  # Of the loop's clock.
    in_force: frozenset[tuple[str, int]] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Do all there is to do, again and again."""
        while not stop.is_set():
            await _tried(self._follow_calendars())
            await _tried(self._look_at_standing(stop))
            for step in (self.look_at_facts, usecases.follow_units, usecases.escalate_overdue):
                await _tried(self._while_full(step, stop))
            await _tried(self._sum_up())
            for walk in (usecases.follow_rules, usecases.release_uncovered):
                await _tried(self._through(walk, stop))
            await _tried(self._cover())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self.every_seconds)

    async def _follow_calendars(self) -> None:
        if self.followed != (calendars := self.calendars()):
            async with self.database.transaction() as connection:
                await usecases.follow_calendars(connection, self.moment())
            self.followed = calendars

    async def _look_at_standing(self, stop: asyncio.Event) -> None:
        """Have what stands looked at by the rules that came into force since the last time, or of late at first."""
        moment = self.moment()
        async with self.database.connection() as connection:
            rules = await store.rules_in_force(connection, moment.today)
        for rule in rules:
            new = rule.is_new(moment.now) if self.in_force is None else (rule.code, rule.version) not in self.in_force
            units = self.subtree(rule.unit_id) if rule.unit_id else None
            after: tuple[int, str] | None = (-1, "") if new else None
            while after and not stop.is_set():
                async with self.database.transaction() as connection:
                    after = await usecases.look_at_standing(connection, rule, units, moment, after=after, limit=CLAIM)
        if not stop.is_set():
            self.in_force = frozenset((rule.code, rule.version) for rule in rules)

    async def look_at_facts(
        self, connection: AsyncConnection, moment: Moment, *, limit: int
    ) -> tuple[int, list[Change]]:
        """Look at due facts, made anew where they have to be."""
        return await usecases.look_at_due_facts(connection, moment, limit=limit, renew=usecases.renew)

    async def _while_full(self, step: Step, stop: asyncio.Event) -> None:
        """Take what is due until there is less than could be taken."""
        count = CLAIM
        while count == CLAIM and not stop.is_set():
            async with self.database.transaction() as connection:
                count, changes = await step(connection, self.moment(), limit=CLAIM)
            self._changed(changes)

    async def _through(self, walk: Walk, stop: asyncio.Event) -> None:
        """Go through everything in the order of ids."""
        after = -1
        while after and not stop.is_set():
            async with self.database.transaction() as connection:
                after, changes = await walk(connection, self.moment(), limit=CLAIM, after=max(after, 0))
            self._changed(changes)

    async def _sum_up(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        if began < self.sum_again:
            return
        try:
            await self._sum_up_now()
        finally:
            self.sum_again = loop.time() + REST * (loop.time() - began)

    async def _sum_up_now(self) -> None:
        placed, moment = self.placed(), self.moment()
        async with self.database.transaction() as connection:
            changes = await usecases.sum_up(connection, moment)
        self._changed(changes)
        if self.summed == (placed, moment.today):
            return
        async with self.database.transaction() as connection:  # Another: alerts' positions are given last in each.
            changes = await usecases.sum_up_everything(connection, moment)
        self._changed(changes)
        self.summed = placed, moment.today

    async def _cover(self) -> None:
        async with self.database.transaction() as connection:
            changes = await usecases.cover_silenced(connection, self.moment(), subtree=self.subtree)
        self._changed(changes)

    def _changed(self, changes: list[Change]) -> None:
        if changes:
            self.wake()


def measurer(database: Database) -> Worker:
    """The worker that says how many alerts are open; each replica says the same."""

    async def measure() -> None:
        async with database.connection() as connection:
            counts = await store.open_by_severity(connection)
        for severity, count in counts.items():
            telemetry.gauge("iocedu_alerts_open", OPEN).set(count, {"severity": severity.name.lower()})

    async def run(stop: asyncio.Event) -> None:
        while not stop.is_set():
            await _tried(measure())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), MEASURE_SECONDS)

    return Worker("measurer", run)


def pruner(database: Database, *, moment: Callable[[], Moment], keeping: Keeping) -> Worker:
    """The worker that forgets states of facts, pupils of past years and resolved alerts when they were kept enough."""

    async def prune_years(connection: AsyncConnection, *, before: datetime, limit: int) -> int:
        """A pupil of a past year whom the past as far as it is kept does not tell of."""
        at = moment()
        year = at.years(EVERY_UNIT).of(at.today)
        return await store.prune_past_years(connection, school_year=year, before=before, limit=limit)

    async def prune(stop: asyncio.Event) -> None:
        now = moment().now
        steps = (
            (store.prune_facts, keeping.history_days),
            (prune_years, keeping.history_days),
            (store.prune_alerts, keeping.resolved_days),
        )
        for forget, days in steps:
            gone = CLAIM
            while gone == CLAIM and not stop.is_set():
                async with database.transaction() as connection:
                    gone = await forget(connection, before=now - timedelta(days=days), limit=CLAIM)

    async def run(stop: asyncio.Event) -> None:
        while not stop.is_set():
            await _tried(prune(stop))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), PRUNE_EVERY.total_seconds())

    return Worker("pruner", run)


async def _tried(work: Awaitable[None]) -> None:
    try:
        await work
    except Exception as error:  # noqa: BLE001 (the next look sees what this one did not)
        log.warning("timer failed", action="timer.failed", reason=reason_of(error), error=said(error))
