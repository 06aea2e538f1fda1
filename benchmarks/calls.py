"""Single calls through the gateway: look-ups beside an empty call, and indicator queries."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg
from iocedu.records.v1 import records_pb2, records_pb2_grpc
from iocedu.reporting.v1 import reporting_pb2, reporting_pb2_grpc

from benchmarks.province import DIRECTOR, EMPTY_PATH, PROVINCE, SCHOOL_SIZE, YEAR, Province
from benchmarks.report import Figure, percentile

SECONDS, PARALLEL = 4.0, 32
QUESTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("", ()),
    ("", ("grade",)),
    ("", ("sex", "grade")),
    ("commune", ()),
    ("commune", ("sex",)),
    ("school", ()),
    ("commune", ("level", "grade")),
)
WIDE: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("", ("level", "sex", "ethnic_group")),
    ("commune", ("ethnic_group",)),
    ("commune", ("level", "grade", "sex")),
)


async def measure(province: Province) -> list[Figure]:
    """Look-up by id over gRPC and REST; indicators with up to two and up to four dimensions."""
    metadata = province.metadata(DIRECTOR)
    records = records_pb2_grpc.RecordsServiceStub(province.channel)

    async def empty(_number: int) -> None:
        await province.empty_call(metadata)

    async def look_up(number: int) -> None:
        school, key = _pupil(province, number)
        request = records_pb2.GetRecordRequest(collection="pupils", school=school, key=key)
        await records.GetRecord(request, metadata=metadata, timeout=10)

    async with _connections(province) as connections:

        async def rest_empty(number: int) -> None:
            await _get(connections[number % PARALLEL], EMPTY_PATH, metadata[0][1])

        async def rest_look_up(number: int) -> None:
            school, key = _pupil(province, number)
            path = f"/v1/schools/{school}/records/pupils/{key}"
            await _get(connections[number % PARALLEL], path, metadata[0][1])

        floor, rate = await _throughput(empty), await _throughput(look_up)
        rest_floor, rest_rate = await _throughput(rest_empty), await _throughput(rest_look_up)
    narrow, wide = await _queries(province, QUESTIONS, 20), await _queries(province, WIDE, 20)
    grouped = await _group_by(province.fleet.databases["reporting"])
    return [
        Figure("look-up by id, gRPC", rate, "calls/s", "≥ 1/2 of the floor", floor, "empty call"),
        Figure("look-up by id, REST", rest_rate, "calls/s", "≥ 1/2 of the floor", rest_floor, "empty call"),
        Figure(
            "indicators, up to two dimensions: p95",
            percentile(narrow, 0.95) * 1000,
            "ms",
            "≤ 20 ms",
            grouped,
            "ms GROUP BY",
        ),
        Figure(
            "indicators, up to four dimensions: p95",
            percentile(wide, 0.95) * 1000,
            "ms",
            "≤ 100 ms",
            grouped,
            "ms GROUP BY",
        ),
    ]


def _pupil(province: Province, number: int) -> tuple[str, str]:
    """School and key of a pupil that was loaded."""
    school = province.schools[number * 7919 % (len(province.schools) // 2)]
    return school, f"p{school[-8:]}{number * 31 % SCHOOL_SIZE:05d}"


Connection = tuple[asyncio.Lock, asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def _connections(province: Province) -> AsyncIterator[list[Connection]]:
    """Plain connections to the gateway: a full HTTP client would take more of the machine than what is measured."""
    host, _, port = province.fleet.gateway.rpartition(":")
    opened = [(asyncio.Lock(), *await asyncio.open_connection(host, int(port))) for _ in range(PARALLEL)]
    try:
        yield opened
    finally:
        for _, _, writer in opened:
            writer.close()


async def _get(connection: Connection, path: str, authorization: str) -> None:
    """GET that must succeed, on a kept connection."""
    lock, reader, writer = connection
    async with lock:
        writer.write(f"GET {path} HTTP/1.1\r\nhost: gateway\r\nauthorization: {authorization}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = re.search(rb"content-length: (\d+)", head)
        assert length is not None, head
        await reader.readexactly(int(length.group(1)))


async def _throughput(call: Callable[[int], Awaitable[None]]) -> float:
    """Calls a second with many under way."""
    done, end = 0, time.perf_counter() + SECONDS
    began = time.perf_counter()

    async def worker(number: int) -> None:
        nonlocal done
        while time.perf_counter() < end:
            await call(number + done)
            done += 1

    await asyncio.gather(*(worker(number) for number in range(PARALLEL)))
    return done / (time.perf_counter() - began)


async def _queries(province: Province, questions: tuple[tuple[str, tuple[str, ...]], ...], rounds: int) -> list[float]:
    stub = reporting_pb2_grpc.ReportingServiceStub(province.channel)
    metadata = province.metadata(DIRECTOR)
    seconds = []
    for _ in range(rounds):
        for breakdown, dimensions in questions:
            request = reporting_pb2.QueryIndicatorsRequest(
                unit=PROVINCE, indicators=["pupils"], school_year=YEAR, breakdown=breakdown, dimensions=dimensions
            )
            began = time.perf_counter()
            await stub.QueryIndicators(request, metadata=metadata, timeout=30)
            seconds.append(time.perf_counter() - began)
    return seconds


async def _group_by(url: str) -> float:
    """Milliseconds to count the facts by two dimensions with nothing of ours; the best of five."""
    connection = await asyncpg.connect(url)
    seconds = []
    try:
        for _ in range(5):
            began = time.perf_counter()
            await connection.fetch(
                "SELECT grade, sex, count(*) FROM fact WHERE measure = 'pupils' AND school_year = $1 AND counted"
                " GROUP BY grade, sex",
                YEAR,
            )
            seconds.append(time.perf_counter() - began)
    finally:
        await connection.close()
    return min(seconds) * 1000
