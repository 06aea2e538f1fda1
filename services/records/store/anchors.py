"""Anchors of the access log: a stream at the broker from which nobody can delete a message, and nothing expires."""

import json
from datetime import UTC, datetime
from typing import Final

import nats.errors
from nats.js import api
from nats.js.errors import NotFoundError

from chassis.bus import Bus
from services.records.domain.sealing import Anchor, Head

STREAM: Final = "ACCESS_LOG_ANCHORS"
SUBJECT: Final = "iocedu.anchors.access-log"
_FETCH: Final = 500
_QUIET_SECONDS: Final = 2.0


class Anchors:
    """The stream of anchors. Only telling an anchor makes it: who looks must see that it is gone."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def append(self, head: Head) -> None:
        """Tell a head; once it returns, the broker has stored it. The same one told twice at once is stored once."""
        await self._ensure()
        body = json.dumps({"sequence": head.sequence, "hash": head.hash.hex()}).encode()
        message_id = f"{head.sequence}-{head.hash.hex()}"
        await self._bus.jetstream.publish(SUBJECT, body, headers={api.Header.MSG_ID.value: message_id})

    async def last(self) -> Anchor | None:
        """The anchor told last; None where there is none, or no stream."""
        try:
            found = await self._bus.jetstream.get_last_msg(STREAM, SUBJECT)
        except NotFoundError:
            return None
        return _anchor(found.data or b"", found.time or datetime.now(UTC))

    async def every(self) -> list[Anchor]:
        """All anchors, the oldest first; none where there is no stream."""
        try:
            wanted = (await self._bus.jetstream.stream_info(STREAM)).state.messages
        except NotFoundError:
            return []
        found: list[Anchor] = []
        subscription = await self._bus.jetstream.pull_subscribe(SUBJECT, stream=STREAM)
        try:
            while len(found) < wanted:
                try:
                    page = await subscription.fetch(min(_FETCH, wanted - len(found)), timeout=_QUIET_SECONDS)
                except nats.errors.TimeoutError as error:
                    raise ConnectionError(f"the broker holds {wanted} anchors and gave {len(found)}") from error
                for message in page:
                    found.append(_anchor(message.data, message.metadata.timestamp))
                    await message.ack()
        finally:
            await subscription.unsubscribe()
        return found

    async def _ensure(self) -> None:
        try:
            await self._bus.jetstream.stream_info(STREAM)
        except NotFoundError:
            await self._bus.jetstream.add_stream(
                api.StreamConfig(
                    name=STREAM,
                    description="Heads of the access log's chain",
                    subjects=[SUBJECT],
                    storage=api.StorageType.FILE,
                    deny_delete=True,
                    deny_purge=True,
                )
            )


def _anchor(body: bytes, time: datetime) -> Anchor:
    told = json.loads(body)
    return Anchor(Head(told["sequence"], bytes.fromhex(told["hash"])), time)
