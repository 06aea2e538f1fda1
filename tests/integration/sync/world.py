"""A small province and real services for the tests of sync: records and sync in process behind the real chain."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import grpc
import pytest
from google.rpc import status_pb2
from iocedu.records.v1 import (
    locks_pb2,
    locks_pb2_grpc,
    records_pb2,
    records_pb2_grpc,
    resources_pb2,
    units_pb2,
    units_pb2_grpc,
)
from iocedu.sync.v1 import sync_pb2, sync_pb2_grpc

from chassis import clients
from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import STATUS_KEY, Fault, from_status
from chassis.identity import ServiceIdentity
from chassis.scopes import Scopes
from chassis.server import serving
from chassis.testing import FixedClock, client
from deploy.local.issuer import AUDIENCE, ISSUER, Issuer
from services.records import wiring as records_wiring
from services.records.settings import Settings as RecordsSettings
from services.sync import wiring as sync_wiring
from services.sync.clients.records import Records
from services.sync.convert.profiles import load_profiles
from services.sync.convert.rules import load_rules
from services.sync.domain.batches import Origin
from services.sync.settings import Settings as SyncSettings
from services.sync.usecases.intake import Intake
from services.sync.usecases.settling import Ledger
from tests.support.waiting import poll_until

ADMINISTRATOR, VENDOR, CLERK, OFFICER, HEAD = "admin@so", "vnedu", "van-thu-a", "can-bo", "hieu-truong-a"
PROVINCE, COMMUNE, OTHER_COMMUNE = "gso:48", "gso:20335", "gso:20336"
SCHOOL_A, SCHOOL_B, SCHOOL_C, GROUP = "moet:49506001", "moet:49506002", "moet:49507001", "moet:49506090"
ACCEPTED, UNCHANGED, STALE, REJECTED, HELD = 1, 2, 3, 4, 5

PLACES = (
    ("province", PROVINCE, None, "Thành phố Đà Nẵng"),
    ("commune", COMMUNE, PROVINCE, "Phường Tam Kỳ"),
    ("commune", OTHER_COMMUNE, PROVINCE, "Xã Núi Thành"),
    ("school", SCHOOL_A, COMMUNE, "Trường THCS Nguyễn Du"),
    ("school", SCHOOL_B, COMMUNE, "Trường TH Ánh Dương"),
    ("school", SCHOOL_C, OTHER_COMMUNE, "Trường THPT Núi Thành"),
    ("childcare_group", GROUP, COMMUNE, "Nhóm trẻ Ong Vàng"),
)
GRANTS = (
    (VENDOR, "integrator", PROVINCE),
    (CLERK, "clerk", SCHOOL_A),
    (OFFICER, "officer", OTHER_COMMUNE),
    (HEAD, "head_teacher", SCHOOL_A),
)


def unit(kind: str, alias: str, parent: str | None, name: str) -> units_pb2.UnitInput:
    """A unit that lives always under its parent; schools have to connect, childcare groups need not."""
    system, code = alias.split(":")
    return units_pb2.UnitInput(
        kind=kind,
        names=[units_pb2.DatedName(name=name)],
        codes=[units_pb2.DatedCode(system=system, code=code)],
        parents=[units_pb2.DatedParent(parent=parent, type="administrative")] if parent else [],
        labels=["must_connect"] if kind == "school" else [],
    )


def pupil(key: str, version: int = 1, *, school: str = SCHOOL_A, **fields: Any) -> resources_pb2.Row:
    """A row with a pupil."""
    values: dict[str, Any] = {
        "school_year": 2026,
        "full_name": "Nguyễn Văn Hòa",
        "birth_date": "2014-03-09",
        "sex": "1",
        "class_key": "6A.2026",
        "grade": "06",
        "level": "03",
        "status": "01",
    }
    return resources_pb2.Row(school=school, key=key, version=version, pupil=resources_pb2.Pupil(**(values | fields)))


def staff_member(key: str, **fields: Any) -> resources_pb2.Row:
    """A row with a member of staff."""
    values: dict[str, Any] = {"school_year": 2026, "full_name": "Trần Thị Bình", "status": "01"}
    member = resources_pb2.StaffMember(**(values | fields))
    return resources_pb2.Row(school=SCHOOL_A, key=key, version=1, staff_member=member)


def register(key: str, **fields: Any) -> resources_pb2.Row:
    """A row with the register of a class and session."""
    values: dict[str, Any] = {"school_year": 2026, "class_key": "6A.2026", "day": "2026-11-02", "session": 1}
    record = resources_pb2.AttendanceRegister(**(values | fields))
    return resources_pb2.Row(school=SCHOOL_A, key=key, version=1, attendance_register=record)


def away(key: str, *pupils: str, expected: int = 40) -> resources_pb2.Row:
    """A row with a register of which these pupils are missing."""
    exceptions = [resources_pb2.AttendanceException(pupil_key=one, kind="P") for one in pupils]
    return register(key, exceptions=exceptions, scheduled_count=expected)


def moet_pupil(number: str, **fields: Any) -> dict[str, Any]:
    """A pupil as the ministry's specification names it."""
    return {
        "DOI_TUONG": "HOC_SINH",
        "TRUONG_ID": SCHOOL_A.partition(":")[2],
        "NAM_HOC": "2026-2027",
        "PHIEN_BAN": 1,
        "HOC_SINH_ID": number,
        "MA_LOP": "6A",
        "MA_KHOI": "06",
        "HO_TEN": "Nguyễn Văn Hòa",
        "NGAY_SINH": "09/03/2014",
        "MA_GIOI_TINH": "1",
        "MA_TRANG_THAI_HIEN_TAI": "01",
        "TEN_ME": "Trần Thị Lan",
    } | fields


def ndjson(rows: Iterable[dict[str, Any]]) -> bytes:
    """Rows as NDJSON."""
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def push(batch_id: str, *rows: resources_pb2.Row, unit: str = SCHOOL_A, **fields: Any) -> sync_pb2.PushRowsRequest:
    """A batch."""
    batch = sync_pb2.Batch(batch_id=batch_id, source=fields.pop("source", "vnedu"), **fields)
    return sync_pb2.PushRowsRequest(unit=unit, batch=batch, rows=rows)


def document(
    content: bytes,
    *,
    unit: str = SCHOOL_A,
    batch_id: str = "",
    source: str = "vnedu",
    profile: str = "moet",
    content_type: str = "application/x-ndjson",
    part: int = 1000,
) -> Iterator[sync_pb2.PushDocumentRequest]:
    """A document in parts, the first with what path and query say, as the transcoder sends them."""
    first = sync_pb2.PushDocumentRequest(
        unit=unit, batch=sync_pb2.Batch(batch_id=batch_id, source=source), profile=profile
    )
    first.content.content_type = content_type
    first.content.data = content[:part]
    yield first
    for start in range(part, len(content), part):
        message = sync_pb2.PushDocumentRequest()
        message.content.data = content[start : start + part]
        yield message


@dataclass
class World:
    """Records and sync, running, with their databases."""

    sync_address: str
    records_address: str
    sync_database: Database
    records_database: Database
    scopes: Scopes
    keys: Issuer
    clock: FixedClock
    stack: AsyncExitStack

    async def sync(self, subject: str = VENDOR, *, language: str = "vi") -> "sync_pb2_grpc.SyncServiceAsyncStub":
        """SyncService as a subject calls it."""
        channel = client(self.sync_address, self.keys.mint(subject), language=language)
        stub: sync_pb2_grpc.SyncServiceAsyncStub = sync_pb2_grpc.SyncServiceStub(
            await self.stack.enter_async_context(channel)
        )
        return stub

    async def refused(self, parts: Iterable[sync_pb2.PushDocumentRequest], *, subject: str = VENDOR) -> Fault:
        """What a document is refused with.

        By the blocking client: the asynchronous one loses the status of a stream that is refused while it writes.
        """

        def pushed() -> Fault:
            with grpc.insecure_channel(self.sync_address) as channel:
                metadata = (("authorization", f"Bearer {self.keys.mint(subject)}"),)
                with pytest.raises(grpc.RpcError) as refused:
                    sync_pb2_grpc.SyncServiceStub(channel).PushDocument(iter(parts), metadata=metadata, timeout=60)
            trailers = dict(cast("grpc.Call", refused.value).trailing_metadata())
            return from_status(status_pb2.Status.FromString(trailers[STATUS_KEY]))

        return await asyncio.to_thread(pushed)

    async def intake(self) -> Intake:
        """What receiving needs, without a server around it."""
        identity = ServiceIdentity("sync", self.keys.service_key("sync"), issuer=ISSUER, audience=AUDIENCE)
        channel = await clients.channel(self.records_address, service_identity=identity)
        await self.stack.enter_async_context(channel)
        ledger = Ledger(self.sync_database, self.scopes, self.clock)
        profiles, rules = load_profiles(), load_rules()
        return Intake(self.sync_database, ledger, Records(channel), self.scopes, self.clock, profiles, rules)

    def origin(self, unit: str = SCHOOL_A, profile: str = "iocedu") -> Origin:
        """Rows of the vendor for a unit."""
        unit_id = self.scopes.tree.resolve(unit, self.clock.today())
        assert unit_id is not None
        return Origin(unit, unit_id, VENDOR, backfill=False, profile=profile)

    async def record(self, key: str, *, school: str = SCHOOL_A, collection: str = "pupils") -> records_pb2.Record:
        """A record as records holds it, in full."""
        channel = await self.stack.enter_async_context(client(self.records_address, self.keys.mint(ADMINISTRATOR)))
        stub: records_pb2_grpc.RecordsServiceAsyncStub = records_pb2_grpc.RecordsServiceStub(channel)
        request = records_pb2.GetRecordRequest(collection=collection, school=school, key=key, purpose="kiểm thử")
        return (await stub.GetRecord(request)).record

    async def lock(self, collection: str, *, unit: str = SCHOOL_A, period: str = "", reason: str = "chốt") -> None:
        """Lock a part of the school year 2026, as the administrator does."""
        channel = await self.stack.enter_async_context(client(self.records_address, self.keys.mint(ADMINISTRATOR)))
        stub: locks_pb2_grpc.LocksServiceAsyncStub = locks_pb2_grpc.LocksServiceStub(channel)
        request = locks_pb2.SetLocksRequest(
            unit=unit, collections=[collection], school_year=2026, period=period, reason=reason
        )
        assert (await stub.SetLocks(request)).locked_count

    async def lift(self, collection: str, *, unit: str = SCHOOL_A, period: str = "") -> None:
        """Lift that lock."""
        channel = await self.stack.enter_async_context(client(self.records_address, self.keys.mint(ADMINISTRATOR)))
        stub: locks_pb2_grpc.LocksServiceAsyncStub = locks_pb2_grpc.LocksServiceStub(channel)
        request = locks_pb2.LiftLocksRequest(
            unit=unit, collections=[collection], school_year=2026, period=period, reason="mở lại"
        )
        assert (await stub.LiftLocks(request)).lifted_count

    async def revoke(self, subject: str) -> None:
        """Take a subject's grants away, and wait until sync knows."""
        channel = await self.stack.enter_async_context(client(self.records_address, self.keys.mint(ADMINISTRATOR)))
        stub: units_pb2_grpc.GrantsServiceAsyncStub = units_pb2_grpc.GrantsServiceStub(channel)
        held = (await stub.ListGrants(units_pb2.ListGrantsRequest(unit=PROVINCE))).grants
        mine = [grant for grant in held if grant.subject == subject]
        assert mine
        for grant in mine:
            await stub.RevokeGrant(units_pb2.RevokeGrantRequest(grant_id=grant.grant_id))
        today = self.clock.today()
        units, roles = [one.unit_id for one in self.scopes.tree.units(today)], [grant.role for grant in mine]
        await poll_until(lambda: not any(self.scopes.tree.may(subject, roles, unit, today) for unit in units))

    async def count(self, table: str, *, of: str = "sync") -> int:
        """Rows of a table."""
        database = self.sync_database if of == "sync" else self.records_database
        async with database.connection() as connection:
            counted: int = (await connection.exec_driver_sql(f"SELECT count(*) FROM {table}")).scalar_one()
            return counted


async def granted(here: World, subject: str, role: str, unit: str, *, valid_to: str = "") -> None:
    """Give a grant in records, without any connection."""
    channel = await here.stack.enter_async_context(client(here.records_address, here.keys.mint(ADMINISTRATOR)))
    grants: units_pb2_grpc.GrantsServiceAsyncStub = units_pb2_grpc.GrantsServiceStub(channel)
    today = here.clock.today().isoformat()
    grant = units_pb2.Grant(subject=subject, role=role, unit=unit, valid_from=today, valid_to=valid_to)
    await grants.CreateGrant(units_pb2.CreateGrantRequest(grant=grant))


async def _found_province(address: str, keys: Issuer) -> None:
    async with client(address, keys.mint(ADMINISTRATOR)) as channel:
        units: units_pb2_grpc.UnitsServiceAsyncStub = units_pb2_grpc.UnitsServiceStub(channel)
        await units.ImportUnits(units_pb2.ImportUnitsRequest(units=[unit(*place) for place in reversed(PLACES)]))
        grants: units_pb2_grpc.GrantsServiceAsyncStub = units_pb2_grpc.GrantsServiceStub(channel)
        for subject, role, place in GRANTS:
            grant = units_pb2.Grant(subject=subject, role=role, unit=place)
            await grants.CreateGrant(units_pb2.CreateGrantRequest(grant=grant))


def _common(database: Database, nats_url: str, keys: Issuer, service: str) -> dict[str, Any]:
    return {
        "database_url": database.url,
        "nats_url": nats_url,
        "jwks": str(keys.jwks),
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "service_key_file": keys.service_key(service),
        "grace_seconds": 1.0,
    }


@asynccontextmanager
async def serve_sync(
    database: Database, nats_url: str, keys: Issuer, *, records_address: str, clock: Clock, **fields: Any
) -> AsyncIterator[tuple[str, Scopes]]:
    """Serve sync on a database; yields its address and its scopes."""
    settings = SyncSettings(**_common(database, nats_url, keys, "sync"), records_address=records_address, **fields)
    async with AsyncExitStack() as stack:
        app = await sync_wiring.build(settings, stack, clock=clock)
        address = await stack.enter_async_context(serving("sync", app, settings, clock=clock))
        assert app.scopes is not None
        yield address, app.scopes


@asynccontextmanager
async def world(
    databases: Sequence[Database], nats_url: str, keys: Issuer, clock: FixedClock, **fields: Any
) -> AsyncIterator[World]:
    """Serve records and sync over a province that both know."""
    records_database, sync_database = databases
    settings = RecordsSettings(**_common(records_database, nats_url, keys, "records"), administrators=ADMINISTRATOR)
    async with AsyncExitStack() as stack:
        app = await records_wiring.build(settings, stack, clock=clock)
        records_address = await stack.enter_async_context(serving("records", app, settings, clock=clock))
        await _found_province(records_address, keys)
        sync_address, scopes = await stack.enter_async_context(
            serve_sync(sync_database, nats_url, keys, records_address=records_address, clock=clock, **fields)
        )
        assert app.scopes is not None
        for one in (app.scopes, scopes):
            await poll_until(partial(_knows_grants, one, clock))
        callers = await stack.enter_async_context(AsyncExitStack())
        here = World(sync_address, records_address, sync_database, records_database, scopes, keys, clock, callers)
        await poll_until(partial(_waits_for_all, here))
        yield here


def _knows_grants(scopes: Scopes, clock: Clock) -> bool:
    """Whether the last grant of all has arrived."""
    place = scopes.tree.resolve(OTHER_COMMUNE, clock.today())
    return place is not None and scopes.tree.may(OFFICER, ["officer"], place, clock.today())


async def _waits_for_all(here: World) -> bool:
    """Whether the three schools and the group have their connections."""
    return await here.count("connection") == 4
