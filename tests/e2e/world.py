"""A small province to test in, and a client that speaks to the gateway as any caller would."""

import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import grpc
import httpx
from iocedu.alerts.v1 import alerts_pb2, alerts_pb2_grpc
from iocedu.notify.v1 import notify_pb2, notify_pb2_grpc
from iocedu.records.v1 import records_pb2_grpc, resources_pb2
from iocedu.reporting.v1 import reporting_pb2, reporting_pb2_grpc
from iocedu.sync.v1 import sync_pb2, sync_pb2_grpc

from deploy.local.fleet import Fleet
from tests.support.waiting import poll_until

YEAR = 2026
PROVINCE, COMMUNE, OTHER_COMMUNE, SILENT_COMMUNE = "gso:48", "gso:20500", "gso:20695", "gso:20710"
SCHOOL, NEIGHBOUR, FAR, SILENT = "moet:49506901", "moet:49506902", "moet:49510901", "moet:49510902"
FAR_NAME = "Trường Tiểu học Thạnh Mỹ"
SILENT_NAME = "Trường Tiểu học Bến Giằng"
"""The name of ``SILENT``: no test sends anything for it, so that what the pages say of silence has a subject."""
HEAD, OFFICER, DIRECTOR, VENDOR, STRANGER = "hieu-truong", "can-bo", "giam-doc", "vnedu", "nguoi-la"
PRIMARY_LIMIT = 35


def units() -> list[dict[str, Any]]:
    """A province, three communes, four schools, one of which never sends."""

    def unit(kind: str, alias: str, name: str, parent: str = "", **rest: Any) -> dict[str, Any]:
        system, code = alias.split(":")
        parents = [{"parent": parent, "type": "administrative"}] if parent else []
        names, codes = [{"name": name}], [{"system": system, "code": code}]
        return {"kind": kind, "names": names, "codes": codes, "parents": parents, **rest}

    must = ["must_connect", "level:02"]
    return [
        unit("province", PROVINCE, "Thành phố Đà Nẵng"),
        unit("commune", COMMUNE, "Xã Đại Lộc", PROVINCE),
        unit("commune", OTHER_COMMUNE, "Xã Thạnh Mỹ", PROVINCE),
        unit("commune", SILENT_COMMUNE, "Xã Bến Giằng", PROVINCE),
        unit("school", SCHOOL, "Trường Tiểu học Ái Nghĩa", COMMUNE, labels=must),
        unit("school", NEIGHBOUR, "Trường Tiểu học Đại Hiệp", COMMUNE, labels=must),
        unit("school", FAR, FAR_NAME, OTHER_COMMUNE, labels=must),
        unit("school", SILENT, SILENT_NAME, SILENT_COMMUNE, labels=must),
    ]


GRANTS = (
    (DIRECTOR, "director", PROVINCE),
    (VENDOR, "integrator", PROVINCE),
    ("ioc-tinh", "provincial_ioc", PROVINCE),
    (OFFICER, "officer", COMMUNE),
    (HEAD, "head_teacher", SCHOOL),
)


def school_class(school: str, key: str, *, version: int = 1) -> resources_pb2.Row:
    """A class of grade 1, whose legal limit is 35 pupils."""
    record = resources_pb2.SchoolClass(school_year=YEAR, name=key, grade="01", level="02")
    return resources_pb2.Row(school=school, key=key, version=version, school_class=record)


def pupil(school: str, key: str, class_key: str, *, version: int = 1, **fields: Any) -> resources_pb2.Row:
    """A pupil of grade 1."""
    given = {
        "school_year": YEAR,
        "full_name": "Nguyễn Thị Hòa",
        "birth_date": "2020-03-08",
        "sex": "2",
        "ethnic_group": "01",
        "class_key": class_key,
        "grade": "01",
        "level": "02",
        "status": "01",
        **fields,
    }
    return resources_pb2.Row(school=school, key=key, version=version, pupil=resources_pb2.Pupil(**given))


def written(value: float) -> str:
    """A whole number as pages and texts write it: 12.277."""
    return f"{value:,.0f}".replace(",", ".")


@dataclass
class World:
    """The fleet with its units and grants, seen from outside."""

    fleet: Fleet
    http: httpx.AsyncClient
    channel: grpc.aio.Channel
    batches: int = field(default=0)

    def token(self, subject: str, **claims: Any) -> str:
        """A token of the local issuer."""
        return self.fleet.issuer.mint(subject, lifetime=timedelta(minutes=30), **claims)

    def bearer(self, subject: str) -> dict[str, str]:
        """Headers of a REST call."""
        return {"authorization": f"Bearer {self.token(subject)}"}

    def metadata(self, subject: str) -> tuple[tuple[str, str], ...]:
        """Metadata of a gRPC call."""
        return (("authorization", f"Bearer {self.token(subject)}"),)

    async def get(self, path: str, subject: str, **params: Any) -> Any:
        """GET that must succeed; the decoded answer."""
        answer = await self.http.get(path, params=params, headers=self.bearer(subject))

        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()

    async def post(self, path: str, subject: str, body: Any) -> Any:
        """POST that must succeed; the decoded answer."""
        answer = await self.http.post(path, json=body, headers=self.bearer(subject))

        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()

    def batch_id(self) -> str:
        """A batch id not used before."""
        self.batches += 1
        return f"batch-{self.batches}"

    async def push(
        self, rows: Sequence[resources_pb2.Row], *, batch_id: str = "", unit: str = PROVINCE, backfill: bool = False
    ) -> sync_pb2.Outcome:
        """Push a batch by unary gRPC."""
        request = sync_pb2.PushRowsRequest(unit=unit, rows=rows)
        request.batch.batch_id = batch_id or self.batch_id()
        request.batch.source = VENDOR
        request.batch.backfill = backfill
        stub = sync_pb2_grpc.SyncServiceStub(self.channel)
        answer = await stub.PushRows(request, metadata=self.metadata(VENDOR), timeout=60)
        outcome: sync_pb2.Outcome = answer.outcome
        return outcome

    async def figure(self, indicator: str, unit: str = PROVINCE) -> float | None:
        """One figure of a unit as the director sees it; None: no data."""
        stub = reporting_pb2_grpc.ReportingServiceStub(self.channel)
        request = reporting_pb2.QueryIndicatorsRequest(unit=unit, indicators=[indicator], school_year=YEAR)
        answer = await stub.QueryIndicators(request, metadata=self.metadata(DIRECTOR), timeout=60)
        value = answer.figures[0]
        return value.value if value.HasField("value") else None

    async def alerts(self, unit: str, *, states: Sequence[str] = ()) -> list[alerts_pb2.Alert]:
        """Alerts of the class rule below a unit."""
        request = alerts_pb2.ListAlertsRequest(
            unit=unit,
            rule="class_oversize",
            page_size=1000,
            states=[alerts_pb2.AlertState.Value(f"ALERT_STATE_{state}") for state in states],
        )
        stub = alerts_pb2_grpc.AlertsServiceStub(self.channel)
        return list((await stub.ListAlerts(request, metadata=self.metadata(DIRECTOR), timeout=60)).alerts)

    async def notices(self, subject: str) -> list[notify_pb2.Notice]:
        """The newest notices of somebody's inbox."""
        stub = notify_pb2_grpc.InboxServiceStub(self.channel)
        request = notify_pb2.ListNoticesRequest(page_size=1000)
        return list((await stub.ListNotices(request, metadata=self.metadata(subject), timeout=60)).notices)

    async def told(self, subject: str) -> list[notify_pb2.NoticeAlert]:
        """The alerts that somebody's notices tell, each as often as it is told."""
        stub = notify_pb2_grpc.InboxServiceStub(self.channel)
        found: list[notify_pb2.NoticeAlert] = []
        for notice in await self.notices(subject):
            if notice.alert_count:
                request = notify_pb2.ListNoticeAlertsRequest(notice_id=notice.notice_id, page_size=1000)
                answer = await stub.ListNoticeAlerts(request, metadata=self.metadata(subject), timeout=60)
                found += answer.alerts
        return found

    async def position(self) -> int:
        """The newest position of the change feed."""
        stub = records_pb2_grpc.RecordsServiceStub(self.channel)
        from iocedu.records.v1 import records_pb2  # noqa: PLC0415  beside its only use

        after, page = 0, None
        while page is None or not page.caught_up:
            request = records_pb2.ListChangesRequest(unit=PROVINCE, after=after, page_size=5000)
            page = await stub.ListChanges(request, metadata=self.metadata(DIRECTOR), timeout=30)
            after = page.position
        return after

    async def settle(self) -> None:
        """Wait until the newest change is counted and its consequences are drawn: figures stay the same for a while."""
        seen: list[Any] = []

        async def same() -> bool:
            now = (
                await self.figure("pupils"),
                await self.figure("classes"),
                await self.position(),
                len(await self.alerts(PROVINCE)),
                tuple((one.notice_id, one.position) for one in await self.notices(DIRECTOR)),
            )
            seen.append(now)
            return len(seen) > 25 and len(set(seen[-25:])) == 1

        await poll_until(same)


@asynccontextmanager
async def world_of(fleet: Fleet) -> AsyncIterator[World]:
    """Register units and grants in a started fleet and yield it once every service knows them."""
    async with (
        httpx.AsyncClient(base_url=f"http://{fleet.gateway}", timeout=60) as http,
        grpc.aio.insecure_channel(fleet.gateway) as channel,
    ):
        world = World(fleet, http, channel)
        await world.post("/v1/units:import", "admin", {"units": units()})
        await give(world, GRANTS)

        async def known() -> bool:
            paths = (
                (f"/v1/units/{PROVINCE}", VENDOR),
                (f"/v1/units/{PROVINCE}/connections", VENDOR),
                (f"/v1/units/{PROVINCE}/indicators", DIRECTOR),
                (f"/v1/units/{PROVINCE}/alerts", DIRECTOR),
                (f"/v1/units/{SCHOOL}/alerts", HEAD),
            )
            answers = [(await http.get(path, headers=world.bearer(who))).status_code for path, who in paths]
            return set(answers) == {httpx.codes.OK}

        await poll_until(known)
        yield world


async def give(world: World, grants: Iterable[tuple[str, str, str]]) -> list[int]:
    """Give grants as the administrator and return their ids."""
    ids = []
    for subject, role, unit in grants:
        body = {"subject": subject, "role": role, "unit": unit}
        ids.append(int((await world.post("/v1/grants", "admin", body))["grant"]["grant_id"]))
    return ids


def ndjson(rows: Iterable[Any]) -> bytes:
    """Rows as newline-delimited JSON."""
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
