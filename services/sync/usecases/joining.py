"""Notes for a destination what units bring along that join the one it is told of: older records, at positions it has
passed. Of what it has been told already nothing is sent again.

Refuses to note what was read before another replica moved the position on: what changed meanwhile may have been noted.
"""

from collections.abc import Collection
from datetime import timedelta
from typing import Final

import structlog

from chassis.scope_tree import EVERY_UNIT
from services.sync.clients.records import Records
from services.sync.convert.outgoing import NOTED, form_of, noted_rows
from services.sync.domain.destinations import Destination
from services.sync.store import destinations as store
from services.sync.store import followed_units, outgoing
from services.sync.usecases.pushing import Pushing

# A unit is read once more: until records knew of it, too, its changes may have been left out of the feed of the unit.
READ_AGAIN: Final = timedelta(minutes=1)

log = structlog.get_logger(__name__)


async def note_joined(pushing: Pushing, records: Records, destination: Destination) -> int:
    """Note all of the units that joined, and forget those that left; returns how many records have to be sent."""
    tree, today, now = pushing.scopes.tree, pushing.clock.today(), pushing.clock.now()
    below = tree.subtree(destination.unit_id, today)
    if destination.unit_id == EVERY_UNIT or not below:
        return 0  # Whom is told of everything nobody joins.
    async with pushing.database.connection() as reads:
        followed = await followed_units.of_destination(reads, destination.code)
    if not followed:
        await _begin(pushing, destination, below)
        return 0
    joined, left = below - followed.keys(), followed.keys() - below
    due = joined | {unit for unit in below & followed.keys() if (again := followed[unit]) is not None and again <= now}
    if not due and not left:
        return 0
    noted = 0
    for unit in sorted(one for one in due if due.isdisjoint(tree.parents(one, today))):
        found = await _note_all(pushing, records, destination, unit)
        if found is None:
            return noted
        noted += found
    async with pushing.database.transaction() as writes:
        await followed_units.keep(writes, destination.code, joined, read_again_time=now + READ_AGAIN)
        await followed_units.keep(writes, destination.code, due - joined, read_again_time=None)
        await followed_units.drop(writes, destination.code, left)
    log.info("units joined", action="destinations.joined", destination=destination.code, count=len(joined))
    return noted


async def _begin(pushing: Pushing, destination: Destination, below: Collection[int]) -> None:
    """Let the feed be read from its beginning, which tells of all units that are there now."""
    async with pushing.database.transaction() as writes:
        if await store.advance(writes, destination.code, since=destination.position, to=0):
            await followed_units.keep(writes, destination.code, below, read_again_time=None)


async def _note_all(pushing: Pushing, records: Records, destination: Destination, unit_id: int) -> int | None:
    """Note all there is of a unit and those below it; None: another replica has moved the position on."""
    form, code, at, after, noted = form_of(destination.kind), destination.code, destination.position, 0, 0
    while True:
        page = await records.changes(unit=str(unit_id), types=form.types, after=after)
        rows = await noted_rows(form, page.changes)
        if rows:
            async with pushing.database.transaction() as writes:
                if not await store.advance(writes, code, since=at, to=at):
                    return None
                noted += await outgoing.note(writes, code, rows, NOTED, now=pushing.clock.now())
        after = page.position
        if page.caught_up:
            return noted
