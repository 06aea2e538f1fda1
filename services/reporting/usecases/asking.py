"""Requests that may be repeated: the same id does nothing twice, and answers what it answered."""

from collections.abc import Awaitable, Callable
from hashlib import blake2b

from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.errors import Fault, Kind
from services.reporting.store import asked


async def once(
    connection: AsyncConnection,
    request: Message,
    *,
    request_id: str,
    subject: str,
    work: Callable[[], Awaitable[int]],
) -> tuple[int, bool]:
    """Do the work unless the subject asked the same before; the id it answers, and whether it was done now.

    Raises REQUEST_ID_REUSED where the id came with another request.
    """
    if not request_id:
        return await work(), True
    content = request.DESCRIPTOR.full_name.encode() + request.SerializeToString(deterministic=True)
    digest = blake2b(content, digest_size=16).digest()
    earlier = await asked.answered(connection, subject, request_id)
    if earlier is None:
        answer = await work()
        await asked.keep_answer(connection, subject, request_id, digest=digest, answer=answer)
        return answer, True
    if earlier[0] != digest:
        raise Fault(
            Kind.INVALID,
            "REQUEST_ID_REUSED",
            vi=f"Mã yêu cầu “{request_id}” đã dùng cho một yêu cầu khác. Hãy dùng mã mới.",
            en=f"The request id “{request_id}” was used for another request. Use a new one.",
            metadata={"request_id": request_id},
        )
    return earlier[1], False
