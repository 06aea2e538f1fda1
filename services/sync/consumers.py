"""Events in: what records has erased at a person's request goes here, too, and locks that were lifted let the rows be
taken once more that they held.
"""

from collections.abc import Sequence
from functools import partial

from iocedu.records.v1 import erasures_pb2, locks_pb2
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.bus import Bus, Event, Handle
from chassis.clock import Clock
from chassis.database import Database
from chassis.inbox import Consumer, consumer
from chassis.scopes import Scopes
from services.sync.usecases.erasing import erase_all
from services.sync.usecases.replaying import ask_replay

SERVICE = "sync"


def consumers(database: Database, bus: Bus, clock: Clock, scopes: Scopes) -> list[Consumer]:
    """The workers by which sync follows records."""
    handled: dict[str, Handle] = {
        "erasures-requested": partial(follow_erasures, clock=clock, scopes=scopes),
        "locks-changed": partial(follow_locks, clock=clock),
    }
    return [
        consumer(database, bus, service=SERVICE, source="records", event=event, handle=handle)
        for event, handle in handled.items()
    ]


async def follow_locks(connection: AsyncConnection, events: Sequence[Event], *, clock: Clock) -> None:
    """Handle `locks-changed`."""
    locks = [lock for event in events for lock in locks_pb2.LocksChanged.FromString(event.data).locks]
    await ask_replay(connection, {lock.school_id for lock in locks if lock.HasField("lift_time")}, now=clock.now())


async def follow_erasures(
    connection: AsyncConnection, events: Sequence[Event], *, clock: Clock, scopes: Scopes
) -> None:
    """Handle `erasures-requested`."""
    requests = [erasures_pb2.ErasuresRequested.FromString(event.data) for event in events]
    tree, today = scopes.tree, clock.today()

    def above(school_id: int) -> Sequence[int]:
        return tree.ancestors(school_id, tree.last_day(school_id, today))

    await erase_all(connection, requests, above=above, now=clock.now())
