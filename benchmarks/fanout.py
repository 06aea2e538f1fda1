"""One announcement to 20,000 inboxes, and how long an urgent alert takes meanwhile: notify alone, over its own engines.

`python -m benchmarks.fanout`. The floor is the same rows written by COPY into the same table, in one transaction.
"""

import asyncio
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
from iocedu.alerts.v1 import alerts_pb2
from iocedu.chassis.v1 import scopes_pb2
from iocedu.notify.v1 import announcement_pb2, announcements_pb2, announcements_pb2_grpc, audience_pb2

from benchmarks.report import Figure, publish
from chassis.bus import Bus, Publication, cloud_headers, subject_of
from chassis.migrations_env import migrate
from chassis.scopes import chunked, publish_tree
from chassis.testing import client
from deploy.local.engines import Nats, Postgres
from deploy.local.issuer import AUDIENCE, ISSUER, Issuer
from deploy.local.parts import ServicePart

READERS = 20_000
URGENT = 20  # Alerts told while the announcement fills the inboxes.
PROVINCE, FIRST = 1, 100
MIGRATIONS = Path(__file__).resolve().parents[1] / "services/notify/migrations"
WAIT_SECONDS = 300


@dataclass(frozen=True)
class House:
    """A running notify, its database, its broker, and who may call it."""

    address: str
    database: str
    bus: Bus
    issuer: Issuer


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[House]:
    """Engines and one copy of notify, durable as in production; every school of the tree has a head teacher."""
    postgres, nats = Postgres(folder / "postgres"), Nats(folder / "nats")
    issuer = Issuer(folder / "keys", services=["notify"])
    await postgres.start()
    await nats.start()
    try:
        url = await postgres.ensure_database("notify")
        await migrate(url, MIGRATIONS)
        async with Bus.connect(nats.url, "benchmark") as bus:
            await publish_tree(bus, chunked(_units(), _grants()), 1)
            ready = folder / "ready"
            environment = {
                "IOCEDU_DATABASE_URL": url,
                "IOCEDU_NATS_URL": nats.url,
                "IOCEDU_JWKS": str(issuer.jwks),
                "IOCEDU_ISSUER": ISSUER,
                "IOCEDU_AUDIENCE": AUDIENCE,
                "IOCEDU_SERVICE_KEY_FILE": str(issuer.service_key("notify")),
                "IOCEDU_READY_FILE": str(ready),
            }
            part = ServicePart(
                "notify", "services.notify", environment=environment, ready_file=ready, log=folder / "notify.log"
            )
            await part.start()
            try:
                yield House(part.address, url, bus, issuer)
            finally:
                await part.stop(grace=4)
    finally:
        await nats.stop()
        await postgres.stop()


async def measure(folder: Path) -> list[Figure]:
    """From the order to send to the last inbox; from an urgent alert to its notice meanwhile."""
    async with running(folder) as house:
        connection = await asyncpg.connect(house.database)
        try:
            floor = await _floor(connection)
            began = time.perf_counter()
            await _send(house)
            told = asyncio.create_task(_alerts(house))
            await _counted(connection, "SELECT count(*) FROM notice WHERE alert_id < 0", READERS)
            filled = time.perf_counter() - began
            delays = await told
        finally:
            await connection.close()
    return [
        Figure(f"one announcement to {READERS:,} inboxes", filled, "s", "", floor, "s by COPY"),
        Figure("urgent alert to its inbox meanwhile: median", sorted(delays)[len(delays) // 2] * 1000, "ms", ""),
        Figure("urgent alert to its inbox meanwhile: worst", max(delays) * 1000, "ms", "≤ 2,000 ms"),
    ]


async def _send(house: House) -> None:
    group = audience_pb2.AudienceGroup(kinds=["school"], roles=["head_teacher"])
    draft = announcement_pb2.AnnouncementDraft(
        title_vi="Báo cáo", body_vi="Nộp trước thứ sáu.", audience=audience_pb2.Audience(groups=[group])
    )
    async with client(house.address, house.issuer.mint("director")) as channel:
        stub = announcements_pb2_grpc.AnnouncementsServiceStub(channel)
        unit = str(PROVINCE)
        made = await stub.CreateAnnouncement(announcements_pb2.CreateAnnouncementRequest(unit=unit, draft=draft))
        number = made.announcement.announcement_id
        await stub.ApproveAnnouncement(announcements_pb2.ApproveAnnouncementRequest(unit=unit, announcement_id=number))
        await stub.ScheduleAnnouncement(
            announcements_pb2.ScheduleAnnouncementRequest(unit=unit, announcement_id=number)
        )


async def _alerts(house: House) -> list[float]:
    """Tell alerts one by one while inboxes fill; how long each took to its head teacher's."""
    delays = []
    connection = await asyncpg.connect(house.database)
    await house.bus.ensure_stream("alerts")
    try:
        for number in range(1, URGENT + 1):
            began = time.perf_counter()
            await house.bus.publish([_alert(number)])
            await _counted(connection, f"SELECT count(*) FROM notice WHERE alert_id = {number}", 1)  # noqa: S608 (a number)
            delays.append(time.perf_counter() - began)
    finally:
        await connection.close()
    return delays


def _alert(number: int) -> Publication:
    alert = alerts_pb2.Alert(
        alert_id=number, position=number, unit_id=FIRST + number, title_vi="Khẩn", severity=alerts_pb2.SEVERITY_CRITICAL
    )
    change = alerts_pb2.AlertChange(
        transition=alerts_pb2.ALERT_TRANSITION_RAISED, alert=alert, audience_roles=["head_teacher"]
    )
    identity = str(uuid.uuid4())
    headers = cloud_headers(event_id=identity, service="alerts", event="alerts-changed", time=datetime.now(UTC))
    payload = alerts_pb2.AlertsChanged(changes=[change]).SerializeToString()
    return Publication(subject_of("alerts", "alerts-changed"), payload, headers, identity)


async def _floor(connection: asyncpg.Connection) -> float:
    """The same rows by COPY into the same table with its indexes, then forgotten."""
    now = datetime.now(UTC)
    rows = [(f"floor-{number}", number, 1, "Hiệu trưởng", 1, now, number) for number in range(READERS)]
    columns = ("subject", "notice_id", "alert_id", "because", "state", "create_time", "position")
    began = time.perf_counter()
    async with connection.transaction():
        await connection.copy_records_to_table("notice", columns=columns, records=rows)
    took = time.perf_counter() - began
    await connection.execute("TRUNCATE notice")
    return took


async def _counted(connection: asyncpg.Connection, question: str, count: int) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while await connection.fetchval(question) < count:  # noqa: ASYNC110  the rows are written in another process
            await asyncio.sleep(0.01)


def _units() -> list[scopes_pb2.ScopeUnit]:
    edge = scopes_pb2.ScopeEdge(parent_id=PROVINCE, type="administrative")
    schools = (
        scopes_pb2.ScopeUnit(unit_id=FIRST + number, name=f"Trường {number}", kind="school", edges=[edge])
        for number in range(READERS)
    )
    return [scopes_pb2.ScopeUnit(unit_id=PROVINCE, name="Tỉnh", kind="province"), *schools]


def _grants() -> list[scopes_pb2.ScopeGrant]:
    heads = (
        scopes_pb2.ScopeGrant(
            grant_id=number + 2,
            subject=f"head-{number}",
            role="head_teacher",
            unit_id=FIRST + number,
            edge_type="administrative",
        )
        for number in range(READERS)
    )
    director = scopes_pb2.ScopeGrant(
        grant_id=1, subject="director", role="director", unit_id=PROVINCE, edge_type="administrative"
    )
    return [director, *heads]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="iocedu-fanout-") as made:
        publish(asyncio.run(measure(Path(made))))
