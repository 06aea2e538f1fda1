"""Makes small calls to sync until its input ends, and prints how long each took, in seconds, as JSON.

A process of its own: what pushes in bulk would measure how long it keeps itself waiting.
Input: one JSON line with gateway, authorization, unit, batch_id, source.
"""

import asyncio
import json
import sys
import time

import grpc
from iocedu.sync.v1 import sync_pb2, sync_pb2_grpc

PAUSE_SECONDS = 0.005


async def main() -> None:
    """Call, pause, call again."""
    asked = json.loads(sys.stdin.readline())
    ended = asyncio.ensure_future(asyncio.to_thread(sys.stdin.read))
    request = sync_pb2.GetBatchRequest(unit=asked["unit"], batch_id=asked["batch_id"], source=asked["source"])
    metadata = (("authorization", asked["authorization"]),)
    seconds = []
    async with grpc.aio.insecure_channel(asked["gateway"]) as channel:
        stub = sync_pb2_grpc.SyncServiceStub(channel)
        await stub.GetBatch(request, metadata=metadata, timeout=10)
        while not ended.done():
            began = time.perf_counter()
            await stub.GetBatch(request, metadata=metadata, timeout=10)
            seconds.append(time.perf_counter() - began)
            await asyncio.sleep(PAUSE_SECONDS)
    print(json.dumps(seconds))


if __name__ == "__main__":
    asyncio.run(main())
