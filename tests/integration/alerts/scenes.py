"""A small province for the tests of alerts and notify: units, people, events as reporting and sync send them, replicas.

The services run in process behind the real interceptors; broker and databases are real.
"""

import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
from google.protobuf.message import Message
from iocedu.alerts.v1 import alerts_pb2
from iocedu.chassis.v1 import scopes_pb2
from iocedu.reporting.v1 import bases_pb2, reporting_pb2
from iocedu.sync.v1 import coverage_pb2, pushes_pb2, sync_pb2

from chassis.bus import Bus, Event, Publication, cloud_headers, subject_of
from chassis.clock import Clock
from chassis.database import Database
from chassis.scope_tree import EVERY_UNIT, ScopeTree
from chassis.scopes import Scopes
from chassis.server import App, serving
from chassis.settings import ServiceSettings
from deploy.local.issuer import ISSUER, Issuer
from services.alerts import wiring as alerts_wiring
from services.alerts.convert.tables import school_week
from services.alerts.domain.calendar import SchoolCalendar
from services.notify import wiring as notify_wiring
from services.notify.settings import Settings as NotifySettings

PROVINCE, DISTRICT, OTHER_DISTRICT = 1, 10, 11
SCHOOL, SECOND_SCHOOL, OTHER_SCHOOL = 100, 101, 110
NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)


def units() -> list[scopes_pb2.ScopeUnit]:
    """One province, two districts, three schools."""
    below = {DISTRICT: PROVINCE, OTHER_DISTRICT: PROVINCE}
    below |= {SCHOOL: DISTRICT, SECOND_SCHOOL: DISTRICT, OTHER_SCHOOL: OTHER_DISTRICT}
    names = {PROVINCE: "Tỉnh Quảng Nam", DISTRICT: "Huyện Đại Lộc", OTHER_DISTRICT: "Huyện Duy Xuyên"}
    names |= {SCHOOL: "TH Ái Nghĩa", SECOND_SCHOOL: "TH Đại Minh", OTHER_SCHOOL: "TH Nam Phước"}
    return [
        scopes_pb2.ScopeUnit(
            unit_id=unit_id,
            name=name,
            kind="school" if unit_id >= SCHOOL else "office",
            edges=[scopes_pb2.ScopeEdge(parent_id=below[unit_id], type="administrative")] if unit_id in below else [],
            aliases=[scopes_pb2.ScopeAlias(alias=f"moet:{unit_id}")],
        )
        for unit_id, name in names.items()
    ]


def grants() -> list[scopes_pb2.ScopeGrant]:
    """A director above all, an officer for each district, a head teacher for the first school."""
    held = [
        ("director", "director", PROVINCE),
        ("officer", "officer", DISTRICT),
        ("other-officer", "officer", OTHER_DISTRICT),
        ("head", "head_teacher", SCHOOL),
        ("ioc", "provincial_ioc", PROVINCE),
    ]
    return [
        scopes_pb2.ScopeGrant(grant_id=number, subject=subject, role=role, unit_id=unit_id, edge_type="administrative")
        for number, (subject, role, unit_id) in enumerate(held, start=1)
    ]


def tree(
    *, units: Iterable[scopes_pb2.ScopeUnit] = units(), grants: Iterable[scopes_pb2.ScopeGrant] = grants()
) -> ScopeTree:
    """The same as a tree in memory."""
    return ScopeTree.from_chunks([scopes_pb2.ScopeChunk(units=units, grants=grants)], version=1)


def a_class(
    size: int, *, version: int = 1, school: int = SCHOOL, key: str = "1A2026", limit: int = 35, active: bool = True
) -> reporting_pb2.ClassFigures:
    """A class's figures."""
    return reporting_pb2.ClassFigures(
        school_id=school,
        class_key=key,
        school_year=2026,
        name=key.removesuffix("2026"),
        grade="01",
        size=size,
        size_limit=limit,
        limit_source="TT 28/2020/TT-BGDĐT",
        active=active,
        version=version,
    )


def figures(*classes: reporting_pb2.ClassFigures, backfill: bool = False) -> reporting_pb2.FiguresChanged:
    """A `figures-changed` event."""
    return reporting_pb2.FiguresChanged(classes=classes, backfill=backfill)


def connection(
    school: int = SCHOOL, *, created: datetime, accepted: datetime | None = None, must_connect: bool = True
) -> sync_pb2.Connection:
    """A school's connection."""
    made = sync_pb2.Connection(school_id=school, must_connect=must_connect)
    made.create_time.FromDatetime(created)
    if accepted:
        made.last_accept_time.FromDatetime(accepted)
    return made


def connections(*changed: sync_pb2.Connection, backfill: bool = False) -> sync_pb2.ConnectionsChanged:
    """A `connections-changed` event."""
    return sync_pb2.ConnectionsChanged(connections=changed, backfill=backfill)


def coverage(
    *schools: int,
    state: str = "SILENT",
    reason: str = "NOTHING_TAKEN",
    since: datetime = NOW,
    must_connect: bool = True,
    baseline: bool = False,
) -> coverage_pb2.CoverageChanged:
    """A `coverage-changed` event: these schools are in a state, for a reason."""
    told = coverage_pb2.CoverageChanged(baseline=baseline)
    number = coverage_pb2.CoverageState.Value(f"COVERAGE_STATE_{state}")
    for school in schools or (SCHOOL,):
        one = told.schools.add(
            school_id=school, must_connect=must_connect, state=number, source="vnedu", open_row_count=9
        )
        one.since_time.FromDatetime(since)
        if reason:
            one.reasons.add(reason=reason, state=number, message="Không có gì được tiếp nhận.")
    return told


def pushes(
    school: int = SCHOOL,
    *,
    waiting_since: datetime | None = None,
    failed: int = 0,
    gap: int = 0,
    compared: datetime | None = None,
    accepted: datetime | None = None,
    destination: str = "moet",
) -> pushes_pb2.PushesChanged:
    """A `pushes-changed` event on one school."""
    counts = pushes_pb2.PushCounts(waiting_count=7 if waiting_since else 0, failed_count=failed, accepted_count=300)
    told = pushes_pb2.SchoolPushes(school_id=school, counts=counts, gap_count=gap)
    times = {"oldest_waiting_time": waiting_since, "reconcile_time": compared, "last_success_time": accepted}
    for name, time in times.items():
        if time:
            getattr(told, name).FromDatetime(time)
    return pushes_pb2.PushesChanged(destination=destination, schools=[told])


def target(
    value: float | None,
    *,
    wanted: float = 95.0,
    direction: str = "up",
    counted: str = "percent",
    year: int = 2026,
    schools: tuple[int, int] = (3, 3),
) -> bases_pb2.TargetsChanged:
    """A `targets-changed` event: what the district has reached of an indicator; of so many schools that should send."""
    reporting, expected = schools
    standing = bases_pb2.TargetStanding(
        unit_id=DISTRICT,
        school_year=year,
        indicator="attendance_rate",
        name_vi="Tỷ lệ chuyên cần",
        name_en="Attendance rate",
        direction=direction,
        target=wanted,
        source="NQ 12/NQ-HĐND",
        unit_of_count=counted,
        value=value,
        reporting_school_count=reporting,
        expected_school_count=expected,
    )
    return bases_pb2.TargetsChanged(standings=[standing])


def school_year(unit: int, *holidays: str) -> scopes_pb2.ScopeCalendar:
    """The school year 2026-2027 of a unit with these holidays."""
    return scopes_pb2.ScopeCalendar(
        unit_id=unit,
        year=2026,
        terms=[scopes_pb2.ScopeSpan(first_day="2026-09-07", last_day="2027-05-28")],
        holidays=[scopes_pb2.ScopeSpan(first_day=day, last_day=day) for day in holidays],
    )


def calendar_of(*calendars: scopes_pb2.ScopeCalendar, day: date) -> Callable[[int], SchoolCalendar]:
    """The school days of units by these calendars, and by one of every unit."""
    chunk = scopes_pb2.ScopeChunk(units=units(), calendars=[school_year(EVERY_UNIT), *calendars])
    tree, week = ScopeTree.from_chunks([chunk]), school_week()
    return lambda unit_id: SchoolCalendar(
        tree.open_days(unit_id, day, weekdays=week.weekdays), report_by=week.report_by
    )


def change(
    transition: str,
    *,
    alert_id: int = 7,
    position: int = 7,
    unit_id: int = SCHOOL,
    taken_by: str = "",
    roles: Sequence[str] = ("head_teacher", "officer", "director"),
    group_by: alerts_pb2.AlertGrouping.ValueType = alerts_pb2.ALERT_GROUPING_NONE,
) -> alerts_pb2.AlertChange:
    """What alerts says of one alert, such as RAISED, ACKNOWLEDGED or RESOLVED, of a rule that tells each by itself."""
    opening = ("RAISED", "CARRIED_OVER", "ESCALATED", "REOPENED", "RELEASED", "UPDATED")
    state = "OPEN" if transition in opening else transition
    alert = alerts_pb2.Alert(
        alert_id=alert_id,
        rule="class_oversize",
        unit_id=unit_id,
        unit_name="TH Ái Nghĩa",
        severity=alerts_pb2.SEVERITY_WARNING,
        state=alerts_pb2.AlertState.Value(f"ALERT_STATE_{state}"),
        title_vi="Lớp 1A có 40 học sinh",
        title_en="Class 1A has 40 pupils",
        body_vi="Rà soát và tách lớp.",
        body_en="Review and split the class.",
        acknowledged_by=taken_by,
        position=position,
    )
    transition_number = alerts_pb2.AlertTransition.Value(f"ALERT_TRANSITION_{transition}")
    return alerts_pb2.AlertChange(transition=transition_number, alert=alert, audience_roles=roles, group_by=group_by)


def event(source: str, name: str, message: Message, *, time: datetime = NOW, event_id: str | None = None) -> Event:
    """The event as a handler gets it."""
    identity = event_id or str(uuid.uuid4())
    subject = subject_of(source, name)
    return Event(identity, subject, source, subject, time, message.SerializeToString(), {})


async def publish(bus: Bus, source: str, name: str, *messages: Message, time: datetime = NOW) -> None:
    """Publish events as the outbox of `source` does."""
    await bus.ensure_stream(source)
    publications = []
    for message in messages:
        identity = str(uuid.uuid4())
        headers = cloud_headers(event_id=identity, service=source, event=name, time=time)
        publications.append(Publication(subject_of(source, name), message.SerializeToString(), headers, identity))
    await bus.publish(publications)


def settings(service: str, keys: Issuer) -> ServiceSettings:
    """Settings for a server in process; database and broker are handed in open."""
    return ServiceSettings(
        database_url="postgresql://nobody@127.0.0.1:1/none",
        nats_url="nats://127.0.0.1:1",
        jwks=str(keys.jwks),
        issuer=ISSUER,
        service_key_file=keys.service_key(service),
        grace_seconds=1.0,
    )


@asynccontextmanager
async def alerts_replica(
    database: Database, bus: Bus, keys: Issuer, *, clock: Clock, timer_seconds: float = 0.1
) -> AsyncIterator[str]:
    """A running copy of alerts; yields its address."""
    app: App = alerts_wiring.assemble(database, bus, Scopes(bus), clock=clock, timer_seconds=timer_seconds)
    async with serving("alerts", app, settings("alerts", keys), clock=clock) as address:
        yield address


@asynccontextmanager
async def notify_replica(
    database: Database, bus: Bus, keys: Issuer, *, clock: Clock, **given: Any
) -> AsyncIterator[str]:
    """A running copy of notify with further settings; yields its address."""
    told = NotifySettings(**settings("notify", keys).model_dump() | given)
    async with httpx.AsyncClient(trust_env=False) as client:
        leads = notify_wiring.outward(told, client)
        app: App = notify_wiring.assemble(database, bus, Scopes(bus), clock=clock, outward=leads)
        async with serving("notify", app, told, clock=clock) as address:
            yield address


def hours(count: float) -> timedelta:
    """So many hours."""
    return timedelta(hours=count)
