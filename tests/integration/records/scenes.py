"""Records in process behind the real chain, on a real database and broker, with a small province in it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

import pytest
from iocedu.records.v1 import (
    access_log_pb2_grpc,
    access_pb2_grpc,
    assessment_pb2_grpc,
    attendance_pb2_grpc,
    calendar_pb2_grpc,
    data_requests_pb2_grpc,
    erasures_pb2_grpc,
    export_pb2_grpc,
    history_pb2_grpc,
    holdings_pb2_grpc,
    locks_pb2_grpc,
    persons_pb2_grpc,
    records_pb2,
    records_pb2_grpc,
    resources_pb2,
    search_pb2_grpc,
    sources_pb2_grpc,
    transfers_pb2_grpc,
    unit_operations_pb2_grpc,
    units_pb2,
    units_pb2_grpc,
)

from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import Fault
from chassis.identity import ServiceIdentity
from chassis.scopes import Scopes
from chassis.server import serving
from chassis.testing import FixedClock, client
from deploy.local.issuer import AUDIENCE, ISSUER, Issuer
from services.records.settings import Settings
from services.records.wiring import build
from tests.support.waiting import poll_until

ADMINISTRATOR = "admin@so"
PROVINCE, COMMUNE, SCHOOL_A, SCHOOL_B, GROUP = "gso:48", "gso:20335", "moet:A", "moet:B", "moet:N"


def unit(kind: str, alias: str, *parents: str, name: str = "", **rest: Any) -> units_pb2.UnitInput:
    """A unit that lives always under the given parents."""
    system, code = alias.split(":")
    return units_pb2.UnitInput(
        kind=kind,
        names=[units_pb2.DatedName(name=name or alias)],
        codes=[units_pb2.DatedCode(system=system, code=code)],
        parents=[units_pb2.DatedParent(parent=parent, type="administrative") for parent in parents],
        **rest,
    )


PLACES = [
    unit("school", SCHOOL_A, COMMUNE, name="Trường THCS Nguyễn Du"),
    unit("school", SCHOOL_B, COMMUNE, name="Trường TH Ánh Dương"),
    unit("childcare_group", GROUP, COMMUNE, name="Nhóm trẻ Ong Vàng"),
    unit("commune", COMMUNE, PROVINCE, name="Phường Tam Kỳ"),
    unit("province", PROVINCE, name="Thành phố Đà Nẵng"),
]


def pupil(key: str, version: int = 1, *, school: str = SCHOOL_A, **fields: Any) -> resources_pb2.Row:
    """A row with a pupil, without ids: those of one person would make all of them one."""
    values: dict[str, Any] = {
        "school_year": 2026,
        "full_name": "Nguyễn Văn Hòa",
        "birth_date": "2014-03-09",
        "sex": "1",
        "ethnic_group": "26",
        "class_key": "6A",
        "grade": "06",
        "level": "03",
        "status": "01",
    }
    return resources_pb2.Row(school=school, key=key, version=version, pupil=resources_pb2.Pupil(**(values | fields)))


def gone(key: str, version: int, *, school: str = SCHOOL_A) -> resources_pb2.Row:
    """A row that says a pupil is gone."""
    return resources_pb2.Row(school=school, key=key, version=version, deleted=True, pupil=resources_pb2.Pupil())


@dataclass
class Running:
    """A running service and how to call it."""

    address: str
    database: Database
    scopes: Scopes
    keys: Issuer
    stack: AsyncExitStack
    requests: int = 0

    async def _channel(self, token: str, **shown: Any) -> Any:
        return await self.stack.enter_async_context(client(self.address, token, **shown))

    async def units(self, subject: str = ADMINISTRATOR) -> Any:
        """UnitsService as a subject calls it."""
        return units_pb2_grpc.UnitsServiceStub(await self._channel(self.keys.mint(subject)))

    async def operations(self, subject: str = ADMINISTRATOR, **shown: Any) -> Any:
        """UnitOperationsService as a subject calls it."""
        channel = await self._channel(self.keys.mint(subject), **shown)
        return unit_operations_pb2_grpc.UnitOperationsServiceStub(channel)

    async def grants(self, subject: str = ADMINISTRATOR) -> Any:
        """GrantsService as a subject calls it."""
        return units_pb2_grpc.GrantsServiceStub(await self._channel(self.keys.mint(subject)))

    async def access(self, subject: str = ADMINISTRATOR) -> Any:
        """AccessService as a subject calls it."""
        return access_pb2_grpc.AccessServiceStub(await self._channel(self.keys.mint(subject)))

    async def locks(self, subject: str = ADMINISTRATOR, *, service: str = "") -> Any:
        """LocksService as a subject calls it, by itself or through a service."""
        shown = {}
        if service:
            identity = ServiceIdentity(service, self.keys.service_key(service), issuer=ISSUER, audience=AUDIENCE)
            shown = {"service_token": identity.token()}
        return locks_pb2_grpc.LocksServiceStub(await self._channel(self.keys.mint(subject), **shown))

    async def holdings(self, subject: str = ADMINISTRATOR) -> Any:
        """HoldingsService as a subject calls it."""
        return holdings_pb2_grpc.HoldingsServiceStub(await self._channel(self.keys.mint(subject)))

    async def sources(self, subject: str = ADMINISTRATOR) -> Any:
        """SourcesService as a subject calls it."""
        return sources_pb2_grpc.SourcesServiceStub(await self._channel(self.keys.mint(subject)))

    async def assessment(self, subject: str = ADMINISTRATOR, **shown: Any) -> Any:
        """AssessmentService as a subject calls it."""
        return assessment_pb2_grpc.AssessmentServiceStub(await self._channel(self.keys.mint(subject), **shown))

    async def attendance(self, subject: str = ADMINISTRATOR) -> Any:
        """AttendanceService as a subject calls it."""
        return attendance_pb2_grpc.AttendanceServiceStub(await self._channel(self.keys.mint(subject)))

    async def records(self, subject: str = ADMINISTRATOR) -> Any:
        """RecordsService as a subject calls it."""
        return records_pb2_grpc.RecordsServiceStub(await self._channel(self.keys.mint(subject)))

    async def history(self, subject: str = ADMINISTRATOR) -> Any:
        """HistoryService as a subject calls it."""
        return history_pb2_grpc.HistoryServiceStub(await self._channel(self.keys.mint(subject)))

    async def access_log(self, subject: str = ADMINISTRATOR) -> Any:
        """AccessLogService as a subject calls it."""
        return access_log_pb2_grpc.AccessLogServiceStub(await self._channel(self.keys.mint(subject)))

    async def calendar(self, subject: str = ADMINISTRATOR) -> Any:
        """CalendarService as a subject calls it."""
        return calendar_pb2_grpc.CalendarServiceStub(await self._channel(self.keys.mint(subject)))

    async def transfers(self, subject: str = ADMINISTRATOR) -> Any:
        """TransfersService as a subject calls it."""
        return transfers_pb2_grpc.TransfersServiceStub(await self._channel(self.keys.mint(subject)))

    async def data_requests(self, subject: str = ADMINISTRATOR) -> Any:
        """DataRequestsService as a subject calls it."""
        return data_requests_pb2_grpc.DataRequestsServiceStub(await self._channel(self.keys.mint(subject)))

    async def erasures(self, subject: str = ADMINISTRATOR) -> Any:
        """ErasuresService as a subject calls it."""
        return erasures_pb2_grpc.ErasuresServiceStub(await self._channel(self.keys.mint(subject)))

    async def persons(self, subject: str = ADMINISTRATOR) -> Any:
        """PersonsService as a subject calls it."""
        return persons_pb2_grpc.PersonsServiceStub(await self._channel(self.keys.mint(subject)))

    async def search(self, subject: str = ADMINISTRATOR) -> Any:
        """SearchService as a subject calls it."""
        return search_pb2_grpc.SearchServiceStub(await self._channel(self.keys.mint(subject)))

    async def export(self, subject: str = ADMINISTRATOR) -> Any:
        """ExportService as a subject calls it."""
        return export_pb2_grpc.ExportServiceStub(await self._channel(self.keys.mint(subject)))

    async def as_service(self, service: str = "sync", *, subject: str = "") -> Any:
        """RecordsService as a service calls it, by itself or with a subject's token."""
        identity = ServiceIdentity(service, self.keys.service_key(service), issuer=ISSUER, audience=AUDIENCE)
        token = self.keys.mint(subject) if subject else identity.token()
        channel = await self._channel(token, service_token=identity.token())
        return records_pb2_grpc.RecordsServiceStub(channel)

    async def grant(self, subject: str, role: str, unit: str, *, giver: str = ADMINISTRATOR) -> units_pb2.Grant:
        """Give a role and wait until it counts."""
        grant = units_pb2.Grant(subject=subject, role=role, unit=unit)
        given = await (await self.grants(giver)).CreateGrant(units_pb2.CreateGrantRequest(grant=grant))
        await poll_until(lambda: any(one.role == role for one in self.scopes.tree.grants_of(subject, date.max)))
        return cast("units_pb2.Grant", given.grant)

    async def apply(
        self, *rows: resources_pb2.Row, request_id: str = "", source: str = "vnedu", backfill: bool = False
    ) -> records_pb2.ApplyRowsResponse:
        """Apply rows as sync does."""
        self.requests += 1
        answer = await (await self.as_service()).ApplyRows(
            records_pb2.ApplyRowsRequest(
                request_id=request_id or f"r{self.requests}", source=source, backfill=backfill, rows=rows
            )
        )
        return cast("records_pb2.ApplyRowsResponse", answer)

    async def changes(self, after: int = 0, unit: str = "0", **fields: Any) -> list[records_pb2.Change]:
        """Every change after a position, page by page, as reporting reads them."""
        stub = await self.as_service("reporting")
        found: list[records_pb2.Change] = []
        while True:
            page = await stub.ListChanges(records_pb2.ListChangesRequest(unit=unit, after=after, **fields))
            found += page.changes
            after = page.position
            if page.caught_up:
                return found

    def today(self) -> date:
        """The day the service lives in."""
        return FixedClock().today()

    async def settled(self) -> None:
        """Wait until every committed change is in the feed and published."""
        await poll_until(self._outbox_empty)

    async def _outbox_empty(self) -> bool:
        async with self.database.connection() as connection:
            return not (await connection.exec_driver_sql("SELECT count(*) FROM outbox")).scalar_one()

    async def rows(self, query: str) -> list[tuple[object, ...]]:
        """What the database holds."""
        async with self.database.connection() as connection:
            return [tuple(row) for row in await connection.exec_driver_sql(query)]


@asynccontextmanager
async def start_records(
    database: Database, nats_url: str, keys: Issuer, *, clock: Clock | None = None
) -> AsyncIterator[Running]:
    """Serve records on a database."""
    settings = Settings(
        database_url=database.url,
        nats_url=nats_url,
        jwks=str(keys.jwks),
        issuer=ISSUER,
        audience=AUDIENCE,
        service_key_file=keys.service_key("records"),
        administrators=f" {ADMINISTRATOR} , other@so",
        grace_seconds=1.0,
    )
    async with AsyncExitStack() as stack:
        app = await build(settings, stack, clock=clock)
        address = await stack.enter_async_context(serving("records", app, settings, clock=clock))
        assert app.scopes is not None
        clients = await stack.enter_async_context(AsyncExitStack())
        yield Running(address, database, app.scopes, keys, clients)


def reason(error: pytest.ExceptionInfo[Fault]) -> str:
    """The stable reason of a fault."""
    return error.value.reason
