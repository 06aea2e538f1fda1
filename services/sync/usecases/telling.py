"""Tells how far schools are: counts are taken anew where something changed, and leave as `pushes-changed`."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Final

from chassis import outbox
from chassis.clock import Clock
from chassis.database import Database
from chassis.outbox import Outgoing
from chassis.scopes import Scopes
from services.sync.convert import pushes as convert
from services.sync.domain.pushes import SchoolPush
from services.sync.store import pushes

PAUSE: Final = timedelta(seconds=3)  # Between two counts of one school.
AT_ONCE: Final = 100


async def tell(database: Database, scopes: Scopes, clock: Clock) -> int:
    """Count schools anew in which something changed and tell of them; returns how many."""
    now = clock.now()
    async with database.transaction() as writes:
        counted = await pushes.count_anew(writes, now=now, told_before=now - PAUSE, most=AT_ONCE)
        await outbox.append(writes, list(_events(counted, scopes)))
    return len(counted)


def _events(counted: Sequence[SchoolPush], scopes: Scopes) -> Iterator[Outgoing]:
    for destination, schools in groupby(sorted(counted, key=_place), key=lambda one: one.destination):
        told = list(schools)
        yield Outgoing("pushes-changed", convert.pushes_changed(destination, told, scopes.tree), len(told))


def _place(one: SchoolPush) -> tuple[str, int]:
    return one.destination, one.school_id
