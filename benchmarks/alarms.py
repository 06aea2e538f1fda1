"""A bad day: 20,000 classes grow too large at once. From reporting's events to the readers' notices."""

import asyncio
import time
import uuid
from datetime import UTC, datetime

import asyncpg
from iocedu.reporting.v1 import reporting_pb2

from benchmarks.province import YEAR, Province
from benchmarks.report import Figure
from chassis.bus import Bus, Publication, cloud_headers, subject_of

ALERTS, IN_AN_EVENT, READERS = 20_000, 1000, 2  # The director, and the officer of the school's commune.
EVENT = "figures-changed"


async def measure(province: Province) -> list[Figure]:
    """Publishes what reporting would, then asks the databases until all is there."""
    alerts = await asyncpg.connect(province.fleet.databases["alerts"])
    notify = await asyncpg.connect(province.fleet.databases["notify"])
    try:
        schools = [row["unit_id"] for row in await alerts.fetch("SELECT DISTINCT unit_id FROM fact ORDER BY 1")]
        async with Bus.connect(province.fleet.nats_url, "benchmark") as bus:
            began = time.perf_counter()
            await bus.publish([_publication(schools, first) for first in range(0, ALERTS, IN_AN_EVENT)])
            await _grown(alerts, "alert", ALERTS)
            raised = time.perf_counter() - began
            await _grown(notify, "group_member", ALERTS * READERS)
            told = time.perf_counter() - began
    finally:
        await alerts.close()
        await notify.close()
    return [
        Figure(f"{ALERTS:,} alerts at once: raised", raised, "s", ""),
        Figure(f"{ALERTS:,} alerts at once: each told {READERS} readers", told, "s", "≤ 5 s"),
    ]


async def _grown(connection: asyncpg.Connection, table: str, count: int) -> None:
    question = f"SELECT count(*) FROM {table}"  # noqa: S608 (our own names)
    while await connection.fetchval(question) < count:  # noqa: ASYNC110  the rows are written in another process
        await asyncio.sleep(0.05)


def _publication(schools: list[int], first: int) -> Publication:
    event = reporting_pb2.FiguresChanged(
        classes=[
            reporting_pb2.ClassFigures(
                school_id=schools[number % len(schools)],
                class_key=f"L{number}",  # No key that `push` made.
                school_year=YEAR,
                name=f"L{number}",
                grade="06",
                size=50,
                size_limit=45,
                limit_source="TT 32/2020/TT-BGDĐT",
                active=True,
                version=1,
            )
            for number in range(first, first + IN_AN_EVENT)
        ]
    )
    identity = str(uuid.uuid4())
    headers = cloud_headers(event_id=identity, service="reporting", event=EVENT, time=datetime.now(UTC))
    return Publication(subject_of("reporting", EVENT), event.SerializeToString(), headers, identity)
