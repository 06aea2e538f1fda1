"""What bounds whoever writes in some schools: what is locked, who owns what, what was told completely,
and what is withheld of persons.

It is read under the schools' locks, and so stays true until the transaction ends.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.domain.erasing import Withheld
from services.records.domain.full_copies import FullCopies
from services.records.domain.locks import OpenLocks
from services.records.domain.sources import Owners
from services.records.store import locks, sources
from services.records.store.full_copies import full_copies
from services.records.store.withheld import withheld_of


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of some schools."""

    closed: OpenLocks
    owners: Owners
    copies: FullCopies
    withheld: Withheld


async def bounds_of(
    connection: AsyncConnection, schools: Collection[int], collections: Collection[str], *, now: datetime
) -> Bounds:
    """What bounds writers of these collections in these schools."""
    if not schools:
        return Bounds(OpenLocks(), Owners(), FullCopies(), Withheld())
    return Bounds(
        closed=OpenLocks(await locks.open_locks(connection, schools, collections)),
        owners=await sources.owners(connection, schools, now=now),
        copies=await full_copies(connection, schools),
        withheld=await withheld_of(connection, schools),
    )
