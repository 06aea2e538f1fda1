"""Units stored all or nothing, and told to every service."""

import asyncio
from collections.abc import Sequence

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import outbox
from chassis.errors import Fault, Kind
from services.records.convert.unit_operations import UNITS_CHANGED, pack_units
from services.records.domain.forest import Additions, Forest
from services.records.domain.units import InvalidUnitError, UnitDraft
from services.records.store import scopes, units


async def import_units(connection: AsyncConnection, drafts: Sequence[UnitDraft]) -> Additions:
    """Store what is new of these units and return it; raises INVALID_UNIT naming the first that cannot be stored."""
    await units.lock_forest(connection)
    forest = Forest(await units.load_units(connection))
    ids = await units.next_unit_ids(connection, len(drafts))
    try:
        # Beside the loop: thousands of units take a second.
        additions = await asyncio.to_thread(forest.plan, drafts, ids=ids)
    except InvalidUnitError as error:
        raise _invalid(error.unit, vi=error.vi, en=error.en) from error
    if not (additions.units or additions.updated):
        return additions
    try:
        await units.add_units(connection, additions)
        await units.check_now(connection)
    except IntegrityError as error:
        # The database guards the same rules; it speaks up only where the plan above did not see something.
        raise _invalid(
            drafts[0].title,
            vi="Dữ liệu đơn vị trùng hoặc mâu thuẫn về thời hạn.",
            en="The units overlap or contradict each other in time.",
        ) from error
    touched = [forest.unit(unit_id) for unit_id in sorted({one.unit_id for one in additions.units} | additions.updated)]
    events = [outbox.Outgoing(UNITS_CHANGED, *packed) for packed in pack_units(touched, None)]
    await outbox.append(connection, events)
    await scopes.raise_scope_version(connection)
    return additions


def _invalid(unit: str, *, vi: str, en: str) -> Fault:
    return Fault(Kind.INVALID, "INVALID_UNIT", vi=vi, en=en, metadata={"unit": unit})
