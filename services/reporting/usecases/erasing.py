"""What records has erased at a person's request is erased here: facts by the change feed, dead letters in this place.

It is confirmed once no fact says anything of it any more: the feed's tombstones come by a consumer of their own, which
may be behind.
"""

from typing import Final

from iocedu.records.v1 import erasures_pb2
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import dead_letters
from chassis.bus import subject_of
from chassis.errors import Fault, Kind
from chassis.outbox import Outgoing, append
from services.reporting import convert
from services.reporting.store import projection

ERASURES_CONFIRMED: Final = "erasures-confirmed"
RECORDS_CHANGED: Final = subject_of("records", "records-changed")


async def erase(connection: AsyncConnection, request: erasures_pb2.ErasuresRequested) -> None:
    """Erase what is kept of a request's records, and confirm; raises FACTS_BEHIND until the feed has been followed."""
    counted = convert.counted_keys(request)
    if counted and await projection.facts_of(connection, request.school_id, counted):
        raise _behind()
    keys = sorted(key for one in request.erased for key in one.keys)
    count = await dead_letters.rewrite(
        connection,
        RECORDS_CHANGED,
        [key.encode() for key in keys],
        lambda payload: convert.without_erased(payload, request),
    )
    payload = convert.erasures_confirmed(request, service="reporting", count=len(counted) + count)
    await append(connection, [Outgoing(ERASURES_CONFIRMED, payload)])


def _behind() -> Fault:
    return Fault(
        Kind.UNAVAILABLE,
        "FACTS_BEHIND",
        vi="Số liệu chưa theo kịp luồng thay đổi; việc xóa sẽ được xác nhận sau.",
        en="The facts are behind the change feed; the erasure is confirmed later.",
    )
