"""Events in: what changed in alerts becomes news in people's inboxes."""

from collections.abc import Callable, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.bus import AfterCommit, Bus, Event
from chassis.clock import Clock
from chassis.database import Database
from chassis.inbox import Consumer, consumer
from chassis.scopes import Scopes
from services.notify import usecases
from services.notify.convert import news

BATCH = 16


def alerts_consumer(
    database: Database, bus: Bus, scopes: Scopes, *, clock: Clock, wake: Callable[[], None]
) -> Consumer:
    """The consumer of `alerts-changed`; `wake` is called after each commit that changed an inbox."""

    async def woken() -> None:
        wake()

    async def handle(connection: AsyncConnection, events: Sequence[Event]) -> AfterCommit | None:
        changed = await usecases.deliver_news(
            connection,
            [one for event in events for one in news(event)],
            audience=usecases.audience_in(scopes.tree, clock.today()),
            now=clock.now(),
        )
        return woken if changed else None

    return consumer(
        database, bus, service="notify", source="alerts", event="alerts-changed", handle=handle, batch=BATCH
    )
