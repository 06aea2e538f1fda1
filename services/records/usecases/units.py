"""Units stored all or nothing, and told to every service; and what is said of one that is not there."""

import asyncio
from collections.abc import Sequence
from datetime import date

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import outbox
from chassis.access import unknown_unit
from chassis.errors import Fault, Kind
from services.records.convert.unit_operations import UNITS_CHANGED, pack_units
from services.records.domain.forest import Additions, Forest
from services.records.domain.obstacles import how_it_ended
from services.records.domain.timelines import nearest
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


async def nobody_there(connection: AsyncConnection, ref: str, day: date) -> Fault:
    """What is said of a reference that means no unit on a day: UNIT_ENDED with who goes on, where it meant one."""
    unit_id = await units.last_named(connection, ref, day)
    ended = None if unit_id is None else await units.load_unit(connection, unit_id)
    if ended is None or ended.span.end > day:
        return unknown_unit(ref)
    gone_on = [one.successor_id for one in ended.successions if one.day == ended.span.end]
    successors = [await units.load_unit(connection, one) for one in gone_on]
    vi, en = how_it_ended(ended, day, successors=successors)
    codes = (nearest(one.codes, day) for one in successors)
    return Fault(
        Kind.NOT_FOUND,
        "UNIT_ENDED",
        vi=f"{vi}. Hãy chọn đơn vị tiếp nối, hoặc hỏi theo một ngày trước đó (`as_of`).",
        en=f"{en}. Name the unit that goes on, or ask as of an earlier day (`as_of`).",
        metadata={
            "unit": str(ended.unit_id),
            "valid_to": ended.span.end.isoformat(),
            "successors": ",".join(code.alias for code in codes if code),
        },
    )


def _invalid(unit: str, *, vi: str, en: str) -> Fault:
    return Fault(Kind.INVALID, "INVALID_UNIT", vi=vi, en=en, metadata={"unit": unit})
