"""What others feel while bulk runs: how late a change becomes a figure, and how long a trivial call takes."""

import asyncio
import json
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Sequence

from iocedu.records.v1 import resources_pb2

from benchmarks.province import PROVINCE, SCHOOL_SIZE, VENDOR, Province, batches, rows
from benchmarks.report import Figure, percentile

ROWS_A_SECOND, BATCH, SECONDS = 5000, 500, 10


async def measure(province: Province) -> list[Figure]:
    """Delay from a push to its figure at 5,000 rows/s; p99 of a small call to sync, idle and under full bulk."""
    delays, pace = await _delays(province)
    idle = await _small_calls(province, asyncio.sleep(5))
    busy = await _small_calls(province, _bulk(province))
    floor = percentile(idle, 0.99) * 1000
    return [
        Figure("pace kept while delays were measured", pace, "rows/s", "5,000", float(ROWS_A_SECOND), "wanted"),
        Figure("push to figure at that pace: p50", percentile(delays, 0.5) * 1000, "ms", ""),
        Figure("push to figure at that pace: p99", percentile(delays, 0.99) * 1000, "ms", "≤ 1,000 ms"),
        Figure("small call while bulk runs: p99", percentile(busy, 0.99) * 1000, "ms", "≤ 50 ms", floor, "ms idle"),
    ]


async def _delays(province: Province) -> tuple[list[float], float]:
    """Push at a steady pace, whether or not the one before is answered; seconds from due time to figure, and the pace.

    Each batch is new pupils, so the count tells when it and all before it became visible.
    """
    schools = province.schools[: ROWS_A_SECOND * SECONDS // SCHOOL_SIZE]
    made = batches(rows(schools, prefix="n"), BATCH)
    count = await province.pupils()
    began = time.perf_counter()
    due = [began + number * BATCH / ROWS_A_SECOND for number in range(len(made))]
    pushes = [asyncio.create_task(_push_at(province, batch, number, due[number])) for number, batch in enumerate(made)]
    delays: list[float] = []
    for moment, batch in zip(due, made, strict=True):
        count += len(batch)
        while await province.pupils() < count:  # noqa: ASYNC110  the figure lies in another process
            await asyncio.sleep(0.005)
        delays.append(time.perf_counter() - moment)
    sent = await asyncio.gather(*pushes)
    return delays, sum(map(len, made)) / (max(sent) - began)


async def _push_at(province: Province, batch: Sequence[resources_pb2.Row], number: int, moment: float) -> float:
    """Push at a moment; when it was answered."""
    await asyncio.sleep(max(0.0, moment - time.perf_counter()))
    await province.push([batch], name=f"steady-{number}", parallel=1)
    return time.perf_counter()


async def _bulk(province: Province) -> None:
    await province.push(batches(rows(province.schools[:200], prefix="b"), 5000), name="bulk", parallel=3)


async def _small_calls(province: Province, beside: Awaitable[None]) -> list[float]:
    """Seconds of each call to sync, through the gateway and by a process of its own, made while something else runs."""
    asked = {
        "gateway": province.fleet.gateway,
        "authorization": f"Bearer {province.token(VENDOR)}",
        "unit": PROVINCE,
        "batch_id": "small-0",
        "source": VENDOR,
    }
    command = (sys.executable, "-m", "benchmarks.caller")
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, limit=1 << 24)
    assert process.stdin is not None
    process.stdin.write(json.dumps(asked).encode() + b"\n")
    await beside
    process.stdin.close()
    said, _ = await process.communicate()
    seconds: list[float] = json.loads(said)
    return seconds
