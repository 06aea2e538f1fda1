"""Events in: what changed in alerts, what other services ask to be told, and how long schools have been silent."""

from collections.abc import Callable, Sequence
from datetime import date

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.bus import AfterCommit, Bus, Event
from chassis.clock import Clock
from chassis.database import Database
from chassis.inbox import Consumer, consumer
from chassis.scopes import Scopes
from services.notify import usecases
from services.notify.convert import news, requests, silences
from services.notify.convert.erasing import erasure_of
from services.notify.domain.silence import newest_silences
from services.notify.store.silence import keep_silences
from services.notify.usecases.news import unit_name

BATCH = 16
ASKING = ("records", "sync", "reporting", "alerts")  # Services that may ask for people to be told.


def alerts_consumer(
    database: Database, bus: Bus, scopes: Scopes, *, clock: Clock, wake: Callable[[], None]
) -> Consumer:
    """The consumer of `alerts-changed`; `wake` is called after each commit that changed an inbox."""

    async def woken() -> None:
        wake()

    async def handle(connection: AsyncConnection, events: Sequence[Event]) -> AfterCommit | None:
        tree = scopes.tree
        changed = await usecases.deliver_news(
            connection,
            [one for event in events for one in news(event)],
            audience=usecases.audience_in(tree, clock.today()),
            place=usecases.place_in(tree, clock.today()),
            now=clock.now(),
        )
        return woken if changed else None

    return consumer(
        database, bus, service="notify", source="alerts", event="alerts-changed", handle=handle, batch=BATCH
    )


def requests_consumers(
    database: Database, bus: Bus, scopes: Scopes, *, clock: Clock, wake: Callable[[], None]
) -> list[Consumer]:
    """The consumers of `notice-requested`, one for each service that may ask; they share one handler."""

    async def woken() -> None:
        wake()

    async def handle(connection: AsyncConnection, events: Sequence[Event]) -> AfterCommit | None:
        tree = scopes.tree
        changed = await usecases.deliver_requests(
            connection,
            [one for event in events for one in requests(event, lambda unit_id: unit_name(tree, unit_id))],
            audience=usecases.audience_in(tree, clock.today()),
            now=clock.now(),
        )
        return woken if changed else None

    return [
        consumer(database, bus, service="notify", source=source, event="notice-requested", handle=handle, batch=BATCH)
        for source in ASKING
    ]


def erasures_consumer(
    database: Database, bus: Bus, scopes: Scopes, *, clock: Clock, wake: Callable[[], None]
) -> Consumer:
    """The consumer of `erasures-requested`; `wake` is called after each commit that changed an inbox."""

    async def woken() -> None:
        wake()

    async def handle(connection: AsyncConnection, events: Sequence[Event]) -> AfterCommit | None:
        changed, tree = False, scopes.tree
        for event in events:
            erasure = erasure_of(event.data)
            accounts = [one for one in erasure.staff if _is_of(scopes, one, erasure.school_id, clock.today())]
            changed |= await usecases.erase(
                connection,
                erasure,
                asking=ASKING,
                accounts=accounts,
                unit_name=lambda unit_id: unit_name(tree, unit_id),
                now=clock.now(),
            )
        return woken if changed else None

    return consumer(
        database, bus, service="notify", source="records", event="erasures-requested", handle=handle, batch=1
    )


def _is_of(scopes: Scopes, subject: str, school_id: int, day: date) -> bool:
    """Whether an account may be that of a school's member of staff: it holds nothing elsewhere."""
    return all(grant.unit_id == school_id for grant in scopes.tree.grants_of(subject, day))


def connections_consumer(database: Database, bus: Bus) -> Consumer:
    """The consumer of `connections-changed`, from which audiences know which schools are silent."""

    async def handle(connection: AsyncConnection, events: Sequence[Event]) -> None:
        await keep_silences(connection, newest_silences(one for event in events for one in silences(event)))

    return consumer(
        database, bus, service="notify", source="sync", event="connections-changed", handle=handle, batch=BATCH
    )
