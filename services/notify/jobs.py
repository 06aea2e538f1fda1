"""Timers in: announcements leave, fill inboxes and remind when their time has come; messages leave by their channels.

Replicas share the work by claiming rows. Whatever fails is tried again at the next look and stops nothing else.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial

import structlog
from opentelemetry.metrics import Counter

from chassis import telemetry
from chassis.clock import Clock
from chassis.database import Database
from chassis.dead_letters import reason_of
from chassis.logs import said
from chassis.scopes import Scopes
from chassis.workers import Worker
from services.notify.domain.channels import Channel, ChannelRules, Lane, Message, Outcome, Result
from services.notify.store.announcements import drop_old_attachments
from services.notify.store.dispatches import cancel, prune, queues
from services.notify.store.objects import Objects
from services.notify.usecases import dispatching, sending
from services.notify.usecases.attaching import discard_contents
from services.notify.usecases.ways import Way

LOOK_SECONDS = 1.0
DISPATCH_SECONDS = 0.5
PRUNE_SECONDS = 3600.0
MEASURE_SECONDS = 5.0
PRUNED_AT_ONCE = 10_000
SWEEP_SECONDS = 60.0
MOST_LEAVING = 100  # Messages of a channel and lane that are being sent at once.

WAITING = "Deliveries and messages that could leave."
OLDEST = "Age of the oldest of them."

log = structlog.get_logger(__name__)


class Dispatcher:
    """Gathers what waits and sends what is due: one task a channel and lane, so that none waits for another."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        ways: Mapping[Channel, Way],
        rules: Mapping[Channel, ChannelRules],
        *,
        kept: timedelta,
        wake: Callable[[], None],
    ) -> None:
        self._database = database
        self._wake = wake
        self._clock = clock
        self._ways = ways
        self._rules = rules
        self._kept = kept
        self._pruned = self._measured = float("-inf")
        for channel in ways:
            for outcome in (Outcome.ACCEPTED, Outcome.RETRY, Outcome.REFUSED):
                _tries().add(0, {"channel": channel.value, "outcome": outcome.value})
        self.workers = [
            Worker("dispatch-gather", self._gather),
            *(
                Worker(f"dispatch-{channel}-{lane.name.lower()}", partial(self._send, channel, lane))
                for channel in ways
                for lane in Lane
            ),
        ]

    async def _gather(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await _tried(self._gather_all(stop))
            await _either(stop, seconds=DISPATCH_SECONDS)

    async def _gather_all(self, stop: asyncio.Event) -> None:
        count = 1
        while count and not stop.is_set():
            async with self._database.transaction() as connection:
                count = await dispatching.gather(connection, self._rules, now=self._clock.now())
        now = asyncio.get_running_loop().time()
        if now - self._measured > MEASURE_SECONDS:
            self._measured = now
            await self._measure()
        if now - self._pruned > PRUNE_SECONDS:
            self._pruned = now
            await self.prune_all(stop)

    async def _measure(self) -> None:
        """Say how long the queues are; each replica says the same."""
        async with self._database.connection() as connection:
            waiting = await queues(connection, self._clock.now())
        for channel in self._ways:
            count, seconds = waiting.get(channel, (0, 0.0))
            telemetry.gauge("iocedu_dispatch_waiting", WAITING).set(count, {"channel": channel.value})
            telemetry.gauge("iocedu_dispatch_waiting_seconds", OLDEST).set(seconds, {"channel": channel.value})

    async def prune_all(self, stop: asyncio.Event, *, at_once: int = PRUNED_AT_ONCE) -> None:
        """Forget all messages that were done long ago, some a transaction."""
        count = at_once
        while count == at_once and not stop.is_set():
            async with self._database.transaction() as connection:
                count = await prune(connection, self._clock.now() - self._kept, limit=at_once)

    async def _send(self, channel: Channel, lane: Lane, stop: asyncio.Event) -> None:
        leaving: set[asyncio.Task[None]] = set()
        try:
            while not stop.is_set():
                await _tried(self._send_all(channel, lane, stop, leaving))
                await _either(stop, seconds=DISPATCH_SECONDS)
            await asyncio.gather(*leaving)
        finally:
            for task in leaving:
                task.cancel()

    async def _send_all(
        self, channel: Channel, lane: Lane, stop: asyncio.Event, leaving: set[asyncio.Task[None]]
    ) -> None:
        """Take what is due as long as there is room: who answers late keeps a place, and nobody else waiting."""
        rules = self._rules[channel]
        while not stop.is_set():
            taken: list[Message] = []
            if room := len(leaving) <= MOST_LEAVING - dispatching.TAKEN_AT_ONCE:
                taken = await dispatching.take(self._database, channel, lane, rules, now=self._clock.now())
            for message in taken:
                task = asyncio.create_task(_tried(self._send_one(message)))
                leaving.add(task)
                task.add_done_callback(leaving.discard)
            if not leaving:
                return
            if not (room and taken):
                await asyncio.wait(leaving, timeout=DISPATCH_SECONDS, return_when=asyncio.FIRST_COMPLETED)

    async def _send_one(self, message: Message) -> None:
        if not message.told:
            async with self._database.transaction() as connection:
                await cancel(connection, message, self._clock.now())
            return
        try:
            result = await self._ways[message.channel].send(message)
        except Exception as error:
            # A message that cannot even be put into words must not stop those beside it.
            log.exception("message not sent", action="dispatch.failed", dispatch_id=str(message.dispatch_id))
            result = Result(Outcome.RETRY, type(error).__name__)
        _tries().add(1, {"channel": message.channel.value, "outcome": result.outcome.value})
        async with self._database.transaction() as connection:
            told = await dispatching.conclude(connection, message, result, self._rules, now=self._clock.now())
        if told:
            self._wake()


class AnnouncementTimer:
    """Looks once a second, and at once when something was decided in this process."""

    def __init__(self, database: Database, scopes: Scopes, clock: Clock, *, wake: Callable[[], None]) -> None:
        self._database = database
        self._scopes = scopes
        self._clock = clock
        self._wake = wake
        self._asked = asyncio.Event()
        self.worker = Worker("announcements", self._run)

    def ask(self) -> None:
        """Look at once."""
        self._asked.set()

    async def _run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._asked.clear()
            for look in (self._send, self._deliver, self._remind):
                await _tried(look(stop))
            await _either(stop, self._asked, seconds=LOOK_SECONDS)

    async def _send(self, stop: asyncio.Event) -> None:
        more = True
        while more and not stop.is_set():
            async with self._database.transaction() as connection:
                more = await sending.send_due(connection, self._scopes, self._clock)

    async def _deliver(self, stop: asyncio.Event) -> None:
        count = 1
        while count and not stop.is_set():
            async with self._database.transaction() as connection:
                count = await sending.deliver_awaited(connection, now=self._clock.now())
            if count:
                self._wake()

    async def _remind(self, stop: asyncio.Event) -> None:
        more = True
        while more and not stop.is_set():
            async with self._database.transaction() as connection:
                more = await sending.remind_due(connection, now=self._clock.now())
            if more:
                self._wake()


def attachment_sweeper(database: Database, clock: Clock, objects: Objects, *, kept: timedelta) -> Worker:
    """The worker that lets attachments go that were kept long enough, and deletes contents that go with nothing."""

    async def sweep(stop: asyncio.Event) -> None:
        count = 1
        while count and not stop.is_set():
            async with database.transaction() as connection:
                now = clock.now()
                count = await drop_old_attachments(connection, before=now - kept, now=now, limit=PRUNED_AT_ONCE)
        count = 1
        while count and not stop.is_set():
            async with database.transaction() as connection:
                count = await discard_contents(connection, objects.delete, now=clock.now())

    async def run(stop: asyncio.Event) -> None:
        while not stop.is_set():
            await _tried(sweep(stop))
            await _either(stop, seconds=SWEEP_SECONDS)

    return Worker("attachment-sweeper", run)


def _tries() -> Counter:
    return telemetry.counter("iocedu_dispatch_tries", "Tries to hand a message over, by what came of them.")


async def _tried(look: Awaitable[None]) -> None:
    try:
        await look
    except Exception as error:  # noqa: BLE001 (the next look sees what this one did not)
        log.warning("timer failed", action="timer.failed", reason=reason_of(error), error=said(error))


async def _either(*events: asyncio.Event, seconds: float) -> None:
    tasks = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
