"""A batch in one message: known again, checked, handed to records, settled."""

from collections.abc import Sequence

from iocedu.records.v1.resources_pb2 import Row
from iocedu.sync.v1 import sync_pb2

from services.sync.convert.rows import Checked
from services.sync.domain.batches import BatchKey, Origin, digest_of
from services.sync.usecases.intake import Intake, apply, checking_rows
from services.sync.usecases.settling import Parcel


async def push_rows(
    intake: Intake, origin: Origin, batch_id: str, *, rows: Sequence[Row], content: bytes
) -> sync_pb2.Outcome:
    """Take one batch; `content` is what tells it from another batch under the same id."""
    key, digest = BatchKey(origin.unit_id, origin.source, batch_id), digest_of(content)
    known = (await intake.ledger.recall({key: digest}, trial=origin.trial)).get(key)
    if known is not None:
        return known
    checked = Checked(checking_rows(intake, origin, rows, careful=b"\0" in content))
    await checked.add_all(rows)
    await apply(intake, origin, [checked], batch=digest_of(batch_id.encode(), digest))
    return (await intake.ledger.settle(origin, [Parcel(key, digest, [checked])]))[key]
