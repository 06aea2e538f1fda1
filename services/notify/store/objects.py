"""Contents of attachments in JetStream's object store, each under its digest: the same file is kept once.

All together take no more than they are given, so that attachments never leave the events of the services no room. What
would be beyond it is refused; nothing that is kept makes way. They lie in as many copies as events do.
"""

from typing import Final

from nats.js import api
from nats.js import errors as js_errors
from nats.js.object_store import ObjectStore

from chassis.bus import Bus

BUCKET: Final = "attachments"
STREAM: Final = f"OBJ_{BUCKET}"  # As JetStream names it.
NO_ROOM: Final = 10077  # What JetStream answers when a stream holds as much as it may.


class NoRoomError(Exception):
    """All contents together would take more than they are given."""


class Objects:
    """The contents; the bucket is made when it is first needed."""

    def __init__(self, bus: Bus, *, most_bytes: int) -> None:
        self._bus = bus
        self._most_bytes = most_bytes
        self._bounded = False

    async def put(self, sha256: str, content: bytes) -> None:
        """Keep a content; one that is there already stays. Raises NoRoomError."""
        bucket = await self._bucket()
        try:
            await bucket.get_info(sha256)
        except js_errors.ObjectNotFoundError:
            try:
                await bucket.put(sha256, content)
            except js_errors.APIError as error:
                if error.err_code != NO_ROOM:
                    raise
                raise NoRoomError from error

    async def get(self, sha256: str) -> bytes | None:
        """A content; None when it is gone."""
        try:
            found = await (await self._bucket()).get(sha256)
        except (js_errors.ObjectNotFoundError, js_errors.ObjectDeletedError):
            return None
        return found.data

    async def delete(self, sha256: str) -> None:
        """Forget a content; one that is gone already is."""
        try:
            await (await self._bucket()).delete(sha256)
        except js_errors.ObjectNotFoundError:
            return

    async def _bucket(self) -> ObjectStore:
        jetstream = self._bus.jetstream
        try:
            bucket = await jetstream.object_store(BUCKET)
        except js_errors.BucketNotFoundError:
            made = api.ObjectStoreConfig(
                bucket=BUCKET,
                storage=api.StorageType.FILE,
                max_bytes=self._most_bytes,
                replicas=self._bus.replicas,
            )
            bucket = await jetstream.create_object_store(BUCKET, config=made)
        if not self._bounded:
            # One that was made under another bound, or under none, takes this one.
            config = (await jetstream.stream_info(STREAM)).config
            if config.max_bytes != self._most_bytes:
                await jetstream.update_stream(config, max_bytes=self._most_bytes)
            await self._bus.keep_copies(STREAM)
            self._bounded = True
        return bucket
