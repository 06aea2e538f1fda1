"""What others feel while bulk runs: how late a change becomes a figure, and how long a trivial call takes."""

import asyncio
import time

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from iocedu.records.v1 import resources_pb2

from benchmarks.province import SCHOOL_SIZE, Province, batches, rows
from benchmarks.report import Figure, percentile

ROWS_A_SECOND, BATCH, SECONDS = 5000, 500, 10


async def measure(province: Province) -> list[Figure]:
    """Delay from acknowledgement to figure at 5,000 rows/s; p99 of a trivial call to sync, idle and under full bulk."""
    delays = await _delays(province)
    async with grpc.aio.insecure_channel(province.fleet.addresses["sync"]) as direct:
        idle = await _trivial(direct, asyncio.create_task(asyncio.sleep(3)))
        busy = await _trivial(direct, asyncio.create_task(_bulk(province)))
    floor = percentile(idle, 0.99) * 1000
    return [
        Figure("commit to figure at 5,000 rows/s: p50", percentile(delays, 0.5) * 1000, "ms", ""),
        Figure("commit to figure at 5,000 rows/s: p99", percentile(delays, 0.99) * 1000, "ms", "≤ 1,000 ms"),
        Figure("trivial call while bulk runs: p99", percentile(busy, 0.99) * 1000, "ms", "≤ 50 ms", floor, "ms idle"),
    ]


async def _delays(province: Province) -> list[float]:
    """Push at a steady pace; each batch is new pupils, so the count tells when it became visible."""
    schools = province.schools[: ROWS_A_SECOND * SECONDS // SCHOOL_SIZE]
    made = batches(rows(schools, prefix="n"), BATCH)
    count = await province.pupils()
    waiting: list[tuple[float, float]] = []
    delays: list[float] = []
    done = asyncio.Event()

    async def watch() -> None:
        while not (done.is_set() and not waiting):
            seen = await province.pupils()
            now = time.perf_counter()
            while waiting and waiting[0][0] <= seen:
                delays.append(now - waiting.pop(0)[1])
            await asyncio.sleep(0.005)

    watching = asyncio.create_task(watch())
    began = time.perf_counter()
    for number, batch in enumerate(made):
        await asyncio.sleep(max(0.0, began + number * BATCH / ROWS_A_SECOND - time.perf_counter()))
        await province.push([batch], name=f"steady-{number}", parallel=1)
        count += len(batch)
        waiting.append((count, time.perf_counter()))
    done.set()
    await watching
    return delays


async def _bulk(province: Province) -> None:
    made: list[resources_pb2.Row] = rows(province.schools[:200], prefix="b")
    await province.push(batches(made, 5000), name="bulk", parallel=3)


async def _trivial(channel: grpc.aio.Channel, beside: "asyncio.Task[None]") -> list[float]:
    """Seconds of each health call made while something else runs."""
    stub = health_pb2_grpc.HealthStub(channel)
    seconds = []
    while not beside.done():
        began = time.perf_counter()
        await stub.Check(health_pb2.HealthCheckRequest(), timeout=10)
        seconds.append(time.perf_counter() - began)
        await asyncio.sleep(0.005)
    await beside
    return seconds
