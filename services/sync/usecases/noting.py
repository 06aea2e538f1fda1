"""Follows the change feed for each destination: what changed is noted, in the transaction that moves the position on.

Every replica may follow; whoever moves the position first has noted the page, the others drop it.
"""

import structlog

from chassis.errors import Fault
from services.sync.clients.records import Records
from services.sync.convert.outgoing import NOTED, form_of, noted_rows
from services.sync.domain.destinations import Destination
from services.sync.store import destinations as store
from services.sync.store import outgoing
from services.sync.usecases.joining import note_joined
from services.sync.usecases.pushing import Pushing

log = structlog.get_logger(__name__)
BEYOND_THE_END = "POSITION_AHEAD"


async def follow(pushing: Pushing, records: Records, destination: Destination) -> int:
    """Note everything that changed since the destination's position; returns how many records have to be sent."""
    noted = await note_joined(pushing, records, destination)
    form, position = form_of(destination.kind), destination.position
    while True:
        try:
            page = await records.changes(unit=str(destination.unit_id), types=form.types, after=position)
        except Fault as fault:
            if fault.reason != BEYOND_THE_END:
                raise
            # The feed was restored to an earlier day: read it all once more. What is the same is not sent again.
            log.warning("feed restored", action="destinations.feed_restored", destination=destination.code)
            async with pushing.database.transaction() as writes:
                await store.advance(writes, destination.code, since=position, to=0)
            return noted
        rows = await noted_rows(form, page.changes)
        if page.position != position:
            async with pushing.database.transaction() as writes:
                if not await store.advance(writes, destination.code, since=position, to=page.position):
                    return noted
                if rows:
                    noted += await outgoing.note(writes, destination.code, rows, NOTED, now=pushing.clock.now())
            position = page.position
        if page.caught_up:
            return noted
