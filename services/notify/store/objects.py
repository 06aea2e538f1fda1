"""Contents of attachments in JetStream's object store, each under its digest: the same file is kept once."""

from typing import Final

from nats.js import api
from nats.js import errors as js_errors
from nats.js.object_store import ObjectStore

from chassis.bus import Bus

BUCKET: Final = "attachments"


class Objects:
    """The contents; the bucket is made when it is first needed."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def put(self, sha256: str, content: bytes) -> None:
        """Keep a content; one that is there already stays."""
        bucket = await self._bucket()
        try:
            await bucket.get_info(sha256)
        except js_errors.ObjectNotFoundError:
            await bucket.put(sha256, content)

    async def get(self, sha256: str) -> bytes | None:
        """A content; None when it is gone."""
        try:
            found = await (await self._bucket()).get(sha256)
        except (js_errors.ObjectNotFoundError, js_errors.ObjectDeletedError):
            return None
        return found.data

    async def _bucket(self) -> ObjectStore:
        jetstream = self._bus.jetstream
        try:
            return await jetstream.object_store(BUCKET)
        except js_errors.BucketNotFoundError:
            config = api.ObjectStoreConfig(bucket=BUCKET, storage=api.StorageType.FILE)
            return await jetstream.create_object_store(BUCKET, config=config)
