"""What is measured on: a fleet of its own, schools in a province, and pupils as many as wanted."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import grpc
import httpx
from iocedu.alerts.v1 import rules_pb2, rules_pb2_grpc
from iocedu.records.v1 import resources_pb2
from iocedu.reporting.v1 import reporting_pb2, reporting_pb2_grpc
from iocedu.sync.v1 import sync_pb2, sync_pb2_grpc

from demo.people import person
from deploy.local.fleet import Fleet
from deploy.local.settings import FleetSettings

YEAR = 2026
LARGEST_FILE_MB = 1_000
EMPTY_PATH = "/v1/fact-kinds?page_size=1"  # The empty call over REST.
SCHOOL_SIZE, CLASS_SIZE = 300, 30
SETTLED_SECONDS = 300
VENDOR, DIRECTOR, PROVINCE = "vnedu", "giam-doc", "gso:48"
OPTIONS = (("grpc.max_receive_message_length", 16 << 20), ("grpc.max_send_message_length", 16 << 20))


@dataclass
class Province:
    """A running fleet, seen through its gateway."""

    fleet: Fleet
    channel: grpc.aio.Channel
    schools: list[str]

    def metadata(self, subject: str) -> tuple[tuple[str, str], ...]:
        """Metadata with a token of a subject."""
        return (("authorization", f"Bearer {self.token(subject)}"),)

    def token(self, subject: str) -> str:
        """A token that outlives a run."""
        return self.fleet.issuer.mint(subject, lifetime=timedelta(hours=2))

    async def empty_call(self, metadata: tuple[tuple[str, str], ...]) -> None:
        """A call that is answered from memory: what the way through gateway and chassis costs by itself."""
        request = rules_pb2.ListFactKindsRequest(page_size=1)
        await rules_pb2_grpc.RulesServiceStub(self.channel).ListFactKinds(request, metadata=metadata, timeout=30)

    async def push(self, batches: Iterable[Sequence[resources_pb2.Row]], *, name: str, parallel: int) -> None:
        """Push batches, `parallel` at a time, and return when all are acknowledged."""
        stub = sync_pb2_grpc.SyncServiceStub(self.channel)
        metadata = self.metadata(VENDOR)
        pending = iter(enumerate(batches))

        async def worker() -> None:
            for number, rows in pending:
                request = sync_pb2.PushRowsRequest(unit=PROVINCE, rows=rows)
                request.batch.batch_id, request.batch.source = f"{name}-{number}", VENDOR
                answer = await stub.PushRows(request, metadata=metadata, timeout=120)
                assert answer.outcome.rejected_count == 0, answer.outcome.problems[:3]

        await asyncio.gather(*(worker() for _ in range(parallel)))

    async def pupils(self) -> float:
        """The pupils reporting counts now."""
        stub = reporting_pb2_grpc.ReportingServiceStub(self.channel)
        request = reporting_pb2.QueryIndicatorsRequest(unit=PROVINCE, indicators=["pupils"], school_year=YEAR)
        answer = await stub.QueryIndicators(request, metadata=self.metadata(DIRECTOR), timeout=30)
        return answer.figures[0].value

    async def settled(self, pupils: int) -> None:
        """Wait until reporting counts as many pupils."""
        async with asyncio.timeout(SETTLED_SECONDS):
            while await self.pupils() < pupils:  # noqa: ASYNC110  the figure lies in another process
                await asyncio.sleep(0.02)


def rows(schools: Sequence[str], *, version: int = 1, prefix: str = "p") -> list[resources_pb2.Row]:
    """A school's worth of pupils for each school, school by school; other schools' pupils are other people."""
    rng = random.Random(f"{prefix}{schools[0]}")
    made = []
    for school in schools:
        for number in range(SCHOOL_SIZE):
            who = person(rng, district="510" if number % 7 == 0 else "506", birth_year=2015)
            grade = 6 + number // CLASS_SIZE % 4
            pupil = resources_pb2.Pupil(
                school_year=YEAR,
                full_name=who.name,
                birth_date=who.birth_date,
                sex=who.sex,
                ethnic_group=who.ethnic_group,
                class_key=f"{grade}{'ABCDEFGHIJ'[number // CLASS_SIZE % 10]}",
                grade=f"{grade:02d}",
                level="03",
                status="01",
                ministry_code=f"49{rng.randrange(10**8):08d}",
                personal_id=who.personal_id,
            )
            key = f"{prefix}{school[-8:]}{number:05d}"
            made.append(resources_pb2.Row(school=school, key=key, version=version, pupil=pupil))
    return made


def batches(of: Sequence[resources_pb2.Row], size: int) -> list[Sequence[resources_pb2.Row]]:
    """Cut rows into batches."""
    return [of[start : start + size] for start in range(0, len(of), size)]


@asynccontextmanager
async def running(folder: Path, *, schools: int, pushing: bool = False) -> AsyncIterator[Province]:
    """Start a fleet in an empty folder, register schools, and stop it afterwards.

    `pushing`: whether records are passed on to the ministry's simulator, which is measured apart from the rest. Files
    of any size are taken, so that memory can be watched.
    """
    own = {"FILE_LIMIT_MB": str(LARGEST_FILE_MB)} | ({} if pushing else {"MINISTRY_URL": ""})
    fleet = Fleet(folder, settings=FleetSettings(own={"sync": own}))
    await fleet.start()
    try:
        codes = [f"moet:49{506 + index % 12:03d}{index:04d}" for index in range(schools)]
        await _register(fleet, codes)
        async with grpc.aio.insecure_channel(fleet.gateway, options=OPTIONS) as channel:
            province = Province(fleet, channel, codes)
            await _known(province)
            yield province
    finally:
        await fleet.stop()


async def _register(fleet: Fleet, codes: Sequence[str]) -> None:
    def unit(kind: str, alias: str, parent: str = "") -> dict[str, object]:
        system, code = alias.split(":")
        parents = [{"parent": parent, "type": "administrative"}] if parent else []
        names, coded = [{"name": alias}], [{"system": system, "code": code}]
        return {"kind": kind, "names": names, "codes": coded, "parents": parents, "labels": ["must_connect"]}

    communes = [f"gso:{20500 + index}" for index in range(94)]
    units = [unit("province", PROVINCE), *(unit("commune", commune, PROVINCE) for commune in communes)]
    units += [unit("school", code, communes[index % len(communes)]) for index, code in enumerate(codes)]
    headers = {"authorization": f"Bearer {fleet.issuer.mint('admin')}"}
    async with httpx.AsyncClient(base_url=f"http://{fleet.gateway}", headers=headers, timeout=60) as http:
        (await http.post("/v1/units:import", json={"units": units})).raise_for_status()
        officers = [(f"officer-{commune}", "officer", commune) for commune in communes]
        for subject, role, where in ((VENDOR, "integrator", PROVINCE), (DIRECTOR, "director", PROVINCE), *officers):
            grant = {"subject": subject, "role": role, "unit": where}
            (await http.post("/v1/grants", json=grant)).raise_for_status()


async def _known(province: Province) -> None:
    """Wait until sync and reporting know units and grants."""
    reporting = reporting_pb2_grpc.ReportingServiceStub(province.channel)
    sync = sync_pb2_grpc.SyncServiceStub(province.channel)
    for _ in range(200):
        try:
            query = reporting_pb2.QueryIndicatorsRequest(unit=PROVINCE, indicators=["pupils"])
            await reporting.QueryIndicators(query, metadata=province.metadata(DIRECTOR), timeout=5)
            connections = sync_pb2.ListConnectionsRequest(unit=PROVINCE, page_size=1)
            await sync.ListConnections(connections, metadata=province.metadata(VENDOR), timeout=5)
        except grpc.aio.AioRpcError:
            await asyncio.sleep(0.1)
        else:
            return
    raise TimeoutError("the services do not learn of units and grants")
