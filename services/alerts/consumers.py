"""Events in: figures of reporting and connections of sync become facts, and are evaluated in the same transaction."""

from collections.abc import Callable, Iterable, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.bus import AfterCommit, Bus, Event
from chassis.database import Database
from chassis.inbox import Consumer, consumer
from services.alerts import usecases
from services.alerts.convert import class_facts, connection_facts
from services.alerts.domain import Fact
from services.alerts.usecases.evaluate import Moment

BATCH = 4  # Events of up to 1,000 facts each: what is committed early is told while the rest is evaluated.


def consumers(
    database: Database, bus: Bus, *, moment: Callable[[], Moment], wake: Callable[[], None]
) -> tuple[Consumer, Consumer]:
    """The consumers of `figures-changed` and `connections-changed`; `wake` is called after each commit of a change."""

    def handler(facts_of: Callable[[Event], Iterable[Fact]]) -> "_Handler":
        return _Handler(facts_of, moment, wake)

    return (
        consumer(
            database,
            bus,
            service="alerts",
            source="reporting",
            event="figures-changed",
            handle=handler(class_facts),
            batch=BATCH,
        ),
        consumer(
            database,
            bus,
            service="alerts",
            source="sync",
            event="connections-changed",
            handle=handler(connection_facts),
            batch=BATCH,
        ),
    )


class _Handler:
    """Takes the facts of a batch of events together."""

    def __init__(
        self, facts_of: Callable[[Event], Iterable[Fact]], moment: Callable[[], Moment], wake: Callable[[], None]
    ) -> None:
        self._facts_of = facts_of
        self._moment = moment
        self._wake = wake

    async def __call__(self, connection: AsyncConnection, events: Sequence[Event]) -> AfterCommit | None:
        facts = [fact for event in events for fact in self._facts_of(event)]
        changes = await usecases.take_facts(connection, facts, self._moment())
        return self._woken if changes else None

    async def _woken(self) -> None:
        self._wake()
