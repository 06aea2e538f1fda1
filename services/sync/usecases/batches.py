"""A batch in one message: known again, checked, handed to records, settled."""

from collections.abc import Sequence

from iocedu.records.v1.resources_pb2 import Row
from iocedu.sync.v1 import sync_pb2

from services.sync.convert.full import note_presence
from services.sync.convert.rows import Checked
from services.sync.domain.batches import BatchKey, Origin, digest_of
from services.sync.domain.full import Presence
from services.sync.store.declarations import Arrived
from services.sync.usecases.full import check_declared, concluded
from services.sync.usecases.intake import Intake, apply, checking_rows
from services.sync.usecases.settling import Parcel


async def push_rows(
    intake: Intake, origin: Origin, batch_id: str, *, rows: Sequence[Row], content: bytes
) -> sync_pb2.Outcome:
    """Take one batch; `content` is what tells it from another batch under the same id."""
    key, digest = BatchKey(origin.unit_id, origin.source, batch_id), digest_of(content)
    known = (await intake.ledger.recall({key: digest}, trial=origin.trial)).get(key)
    if known is not None:
        return known if origin.validate_only else await concluded(intake, origin, key, known)
    await check_declared(intake, origin)
    checked = Checked(checking_rows(intake, origin, rows, careful=b"\0" in content))
    await checked.add_all(rows)
    arrived = await arrival(origin, key, rows, checked)
    await apply(intake, origin, [checked], batch=digest_of(batch_id.encode(), digest), batch_ids=[batch_id])
    settled = await intake.ledger.settle(origin, [Parcel(key, digest, [checked], arrived=arrived)])
    fresh = arrived.presence if arrived and origin.validate_only else None
    return await concluded(intake, origin, key, settled[key], fresh=fresh)


async def arrival(origin: Origin, key: BatchKey, rows: Sequence[Row], checked: Checked) -> Arrived | None:
    """What a batch declares, and which records stand in it; None: it declares nothing."""
    if origin.full_of is None:
        return None
    presence = Presence()
    await note_presence(presence, rows, origin.full_of, checked.how.school)
    return Arrived(key, origin.full_of, origin.backfill, presence)
