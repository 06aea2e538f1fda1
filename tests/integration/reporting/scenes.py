"""A small province with a reform behind it, changes as records and sync send them, and replicas of reporting.

Until 2025-07-01: province 1 > district 2 > communes 3 and 4; from then on province 1 > commune 5. The schools stay.
Everything runs in process behind the real interceptors; broker and databases are real.
"""

import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count

from google.protobuf.message import Message
from iocedu.chassis.v1 import scopes_pb2
from iocedu.records.v1 import records_pb2, resources_pb2
from iocedu.sync.v1 import sync_pb2

from chassis.bus import Bus, Publication, cloud_headers, subject_of
from chassis.clock import Clock
from chassis.database import Database
from chassis.scopes import Scopes
from chassis.server import serving
from chassis.settings import ServiceSettings
from deploy.local.issuer import ISSUER, Issuer
from services.reporting import wiring
from services.reporting.store import recount
from services.reporting.store.catalogue import load_catalogue

PROVINCE, DISTRICT, OLD_EAST, OLD_WEST, NEW_COMMUNE = 1, 2, 3, 4, 5
PRIMARY, SECONDARY, SILENT, FREE = 10, 11, 12, 13
REFORM = "2025-07-01"
NOW = datetime(2026, 11, 2, 3, 0, tzinfo=UTC)
YEAR = 2026


def _edge(parent: int, *, valid_from: str = "", valid_to: str = "") -> scopes_pb2.ScopeEdge:
    return scopes_pb2.ScopeEdge(parent_id=parent, type="administrative", valid_from=valid_from, valid_to=valid_to)


def _school(unit_id: int, name: str, old: int, *labels: str) -> scopes_pb2.ScopeUnit:
    edges = [_edge(old, valid_to=REFORM), _edge(NEW_COMMUNE, valid_from=REFORM)]
    alias = scopes_pb2.ScopeAlias(alias=f"moet:{unit_id}")
    return scopes_pb2.ScopeUnit(unit_id=unit_id, kind="school", name=name, edges=edges, labels=labels, aliases=[alias])


def units() -> list[scopes_pb2.ScopeUnit]:
    """Four schools, of which three have to be connected."""
    return [
        scopes_pb2.ScopeUnit(
            unit_id=PROVINCE, kind="province", name="Quảng Nam", aliases=[scopes_pb2.ScopeAlias(alias="gso:49")]
        ),
        scopes_pb2.ScopeUnit(
            unit_id=DISTRICT, kind="district", name="Đại Lộc", edges=[_edge(PROVINCE)], valid_to=REFORM
        ),
        scopes_pb2.ScopeUnit(unit_id=OLD_EAST, kind="commune", name="Đông", edges=[_edge(DISTRICT)], valid_to=REFORM),
        scopes_pb2.ScopeUnit(unit_id=OLD_WEST, kind="commune", name="Tây", edges=[_edge(DISTRICT)], valid_to=REFORM),
        scopes_pb2.ScopeUnit(
            unit_id=NEW_COMMUNE, kind="commune", name="Mới", edges=[_edge(PROVINCE)], valid_from=REFORM
        ),
        _school(PRIMARY, "TH Ái Nghĩa", OLD_EAST, "must_connect"),
        _school(SECONDARY, "THCS Nguyễn Du", OLD_WEST, "must_connect"),
        _school(SILENT, "MN Hoa Mai", OLD_WEST, "must_connect"),
        _school(FREE, "Nhóm lớp Ong Vàng", OLD_EAST),
    ]


def grants() -> list[scopes_pb2.ScopeGrant]:
    """An officer for the province, a head teacher for one school."""
    held = [("officer", "officer", PROVINCE), ("head", "head_teacher", PRIMARY)]
    return [
        scopes_pb2.ScopeGrant(grant_id=number, subject=subject, role=role, unit_id=unit, edge_type="administrative")
        for number, (subject, role, unit) in enumerate(held, start=1)
    ]


def pupil(
    key: str, *, school: int = PRIMARY, level: str = "02", grade: str = "03", sex: str = "1", group: str = "01",
    class_key: str = "3A", status: str = "01", year: int = YEAR, beside: bool = False,
) -> records_pb2.Change:  # fmt: skip
    """A change that holds a pupil; `beside` another enrolment, at which the person counts."""
    record = resources_pb2.Pupil(
        school_year=year, full_name="Nguyễn Thị A", level=level, grade=grade, sex=sex, ethnic_group=group,
        class_key=class_key, status=status, secondary=beside or None,
    )  # fmt: skip
    row = resources_pb2.Row(school=f"moet:{school}", key=key, version=1, pupil=record)
    kind = resources_pb2.OBJECT_TYPE_PUPIL
    return records_pb2.Change(school_id=school, type=kind, row=row, counted_elsewhere=beside)


def pupils(number: int, **fields: str | int) -> Iterator[records_pb2.Change]:
    """Several pupils alike, with keys of their own."""
    for _ in range(number):
        yield pupil(f"HS{next(_KEYS)}", **fields)  # type: ignore[arg-type]  # fields are those of `pupil`


def a_class(key: str, *, school: int = PRIMARY, level: str = "02", grade: str = "03") -> records_pb2.Change:
    """A change that holds a class."""
    record = resources_pb2.SchoolClass(school_year=YEAR, name=key, level=level, grade=grade)
    row = resources_pb2.Row(school=f"moet:{school}", key=key, version=1, school_class=record)
    return records_pb2.Change(school_id=school, type=resources_pb2.OBJECT_TYPE_SCHOOL_CLASS, row=row)


def teacher(key: str, *, school: int = PRIMARY, status: str = "01") -> records_pb2.Change:
    """A change that holds a member of staff."""
    record = resources_pb2.StaffMember(
        school_year=YEAR, full_name="Trần Văn B", sex="2", ethnic_group="01", status=status, level="02"
    )
    row = resources_pb2.Row(school=f"moet:{school}", key=key, version=1, staff_member=record)
    return records_pb2.Change(school_id=school, type=resources_pb2.OBJECT_TYPE_STAFF_MEMBER, row=row)


def connected(*schools: int) -> sync_pb2.ConnectionsChanged:
    """Schools that have sent something."""
    event = sync_pb2.ConnectionsChanged()
    for school in schools:
        connection = event.connections.add(school_id=school, must_connect=True)
        connection.first_accept_time.FromDatetime(NOW)
        connection.last_accept_time.FromDatetime(NOW)
    return event


class Records:
    """Publishes changes as records does: positions rise with each change."""

    def __init__(self, bus: Bus, position: int = 1) -> None:
        self._bus = bus
        self._position = position

    async def publish(self, *changes: records_pb2.Change, backfill: bool = False, time: datetime = NOW) -> None:
        """One `records-changed` event."""
        event = records_pb2.RecordsChanged(changes=changes, backfill=backfill)
        headers = {"iocedu-position": str(self._position)}
        self._position += len(changes)
        await publish(self._bus, "records", "records-changed", event, time=time, headers=headers)


async def publish(
    bus: Bus, source: str, name: str, message: Message, *, time: datetime = NOW, headers: dict[str, str] | None = None
) -> None:
    """Publish an event as the outbox of `source` does."""
    await bus.ensure_stream(source)
    identity = str(uuid.uuid4())
    cloud = cloud_headers(event_id=identity, service=source, event=name, time=time)
    subject = subject_of(source, name)
    await bus.publish([Publication(subject, message.SerializeToString(), {**cloud, **(headers or {})}, identity)])


async def verified(database: Database) -> bool:
    """Whether every figure equals a recount."""
    async with database.connection() as connection:
        return not await recount.differences(connection)


@asynccontextmanager
async def replica(database: Database, bus: Bus, keys: Issuer, *, clock: Clock) -> AsyncIterator[str]:
    """A running copy of reporting; yields its address."""
    app = wiring.assemble(database, bus, Scopes(bus), load_catalogue(), clock=clock)
    settings = ServiceSettings(
        database_url="postgresql://nobody@127.0.0.1:1/none",
        nats_url="nats://127.0.0.1:1",
        jwks=str(keys.jwks),
        issuer=ISSUER,
        service_key_file=keys.service_key("reporting"),
        grace_seconds=1.0,
    )
    async with serving("reporting", app, settings, clock=clock) as address:
        yield address


_KEYS = count()
