"""Reports in the small province: who takes which step, a form that counts, asks and sums, and one campaign of it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from google.protobuf.json_format import ParseDict
from iocedu.chassis.v1 import scopes_pb2
from iocedu.reporting.v1 import (
    campaigns_pb2,
    campaigns_pb2_grpc,
    exports_pb2_grpc,
    forms_pb2,
    forms_pb2_grpc,
    report_pb2,
    reports_pb2,
    reports_pb2_grpc,
)

from chassis.database import Database
from chassis.scope_tree import EVERY_UNIT
from tests.integration.reporting import scenes
from tests.integration.reporting.scenes import NEW_COMMUNE, NOW, PRIMARY, PROVINCE, SECONDARY, YEAR

HEAD, OTHER_HEAD, OFFICER, DIRECTOR = "hieu-truong", "hieu-truong-2", "chuyen-vien", "giam-doc"
HOUSE_OFFICER, COMMUNE_DIRECTOR, ADMINISTRATOR = "can-bo-truong", "chu-tich-xa", "quan-tri"
OF_ALL_UNITS = "giam-sat"
LEVELS = {PRIMARY: "level:02", SECONDARY: "level:02"}


def units() -> list[scopes_pb2.ScopeUnit]:
    """The small province with its schools' levels: two primary schools."""
    found = scenes.units()
    for unit in found:
        if unit.unit_id in LEVELS:
            unit.labels.append(LEVELS[unit.unit_id])
    return found


def grants() -> list[scopes_pb2.ScopeGrant]:
    """A head teacher a school, an officer and a director of the commune, the province's director and others."""
    held = [
        (HEAD, "head_teacher", PRIMARY),
        (OTHER_HEAD, "head_teacher", SECONDARY),
        (OFFICER, "officer", NEW_COMMUNE),
        (COMMUNE_DIRECTOR, "director", NEW_COMMUNE),
        (HOUSE_OFFICER, "officer", PRIMARY),
        (DIRECTOR, "director", PROVINCE),
        ("officer", "officer", PROVINCE),
        (ADMINISTRATOR, "administrator", PROVINCE),
        (OF_ALL_UNITS, "director", EVERY_UNIT),
    ]
    return [
        scopes_pb2.ScopeGrant(grant_id=number, subject=subject, role=role, unit_id=unit, edge_type="administrative")
        for number, (subject, role, unit) in enumerate(held, start=1)
    ]


def form(**changes: Any) -> forms_pb2.Form:
    """Pupils of two grades counted, rooms entered, a sum, an error and a warning; approval locks pupils and classes."""

    def line(code: str, **said: Any) -> dict[str, Any]:
        return {"code": code, "title_vi": code, "title_en": code, **said}

    definition = {
        "code": "khao_sat",
        "name_vi": "Khảo sát",
        "name_en": "Survey",
        "stage": "start",
        "levels": ["02"],
        "locked_collections": ["pupils", "classes"],
        "sheets": [
            {
                "code": "pupils",
                "title_vi": "Học sinh",
                "title_en": "Pupils",
                "rows": [
                    line("total"),
                    line("g03", where={"grade": "03"}),
                    line("g04", where={"grade": "04"}),
                    line("both", sum_of=["g03", "g04"]),
                ],
                "columns": [
                    line("all", indicator="pupils"),
                    line("girls", indicator="pupils", where={"sex": "2"}),
                ],
            },
            {
                "code": "rooms",
                "title_vi": "Phòng học",
                "title_en": "Rooms",
                "rows": [line("rooms", entered=True), line("area", entered=True, decimal=True)],
                "columns": [line("number")],
            },
        ],
        "checks": [
            {
                "code": "total",
                "severity": "error",
                "condition": "cells.pupils.total.all == cells.pupils.both.all",
                "message_vi": "Tổng số phải bằng tổng các khối.",
                "message_en": "The total must be the sum of the grades.",
            },
            {
                "code": "rooms",
                "severity": "warning",
                "condition": "cells.rooms.rooms.number * 40 >= cells.pupils.total.all",
                "message_vi": "Thiếu phòng.",
                "message_en": "Too few rooms.",
            },
        ],
    }
    return ParseDict(definition | changes, forms_pb2.Form())


@dataclass
class Desk:
    """A running reporting as different people call it, and one campaign."""

    channels: dict[str, Any]
    campaign: campaigns_pb2.Campaign = field(default_factory=campaigns_pb2.Campaign)

    def forms(self, subject: str = DIRECTOR) -> Any:
        """FormsService."""
        return forms_pb2_grpc.FormsServiceStub(self.channels[subject])

    def campaigns(self, subject: str = DIRECTOR) -> Any:
        """CampaignsService."""
        return campaigns_pb2_grpc.CampaignsServiceStub(self.channels[subject])

    def reports(self, subject: str = DIRECTOR) -> Any:
        """ReportsService."""
        return reports_pb2_grpc.ReportsServiceStub(self.channels[subject])

    def exports(self, subject: str = DIRECTOR) -> Any:
        """ExportsService."""
        return exports_pb2_grpc.ExportsServiceStub(self.channels[subject])

    async def begin(self, saved: forms_pb2.Form | None = None, **fields: Any) -> campaigns_pb2.Campaign:
        """Save the form and start a campaign of it for the province."""
        given = saved or form()
        await self.forms().SaveForm(forms_pb2.SaveFormRequest(unit="gso:49", form=given))
        answer = await self.campaigns().CreateCampaign(campaign_request(form=given.code, **fields))
        self.campaign = answer.campaign
        return self.campaign

    async def begin_sample(self, code: str) -> campaigns_pb2.Campaign:
        """Start a campaign of a shipped form for the province."""
        self.campaign = (await self.campaigns().CreateCampaign(campaign_request(form=code))).campaign
        return self.campaign

    async def report(self, school: int = PRIMARY, subject: str = DIRECTOR) -> reports_pb2.GetReportResponse:
        """A school's report in the campaign."""
        request = reports_pb2.ListReportsRequest(unit=str(school), campaign_id=self.campaign.campaign_id)
        (listed,) = (await self.reports(subject).ListReports(request)).reports
        answer: reports_pb2.GetReportResponse = await self.reports(subject).GetReport(
            reports_pb2.GetReportRequest(unit=str(school), report_id=listed.report_id)
        )
        return answer

    async def enter(self, school: int = PRIMARY, subject: str = HEAD, **cells: tuple[float | None, str]) -> Any:
        """Enter cells, named `sheet__row__column`, as (value, reason)."""
        report = (await self.report(school)).report
        entries = []
        for name, (value, reason) in cells.items():
            sheet, row, column = name.split("__")
            entries.append(reports_pb2.CellEntry(sheet=sheet, row=row, column=column, value=value, reason=reason))
        return await self.reports(subject).EnterCells(
            reports_pb2.EnterCellsRequest(
                unit=str(school), report_id=report.report_id, etag=report.etag, entries=entries
            )
        )

    async def step(self, name: str, subject: str, school: int = PRIMARY, **fields: Any) -> report_pb2.Report:
        """Take a step on the report as it is now: `Confirm`, `Review`, `Approve`, `Return`, `Reopen`."""
        report = (await self.report(school)).report
        request = getattr(reports_pb2, f"{name}ReportRequest")
        given = {"unit": str(school), "report_id": report.report_id, "etag": report.etag} | fields
        answer = await getattr(self.reports(subject), f"{name}Report")(request(**given))
        after: report_pb2.Report = answer.report
        return after

    async def approve(self, school: int = PRIMARY, subject: str = HEAD) -> report_pb2.Report:
        """Lead a report from its school's entries to its approval."""
        await self.enter(school, subject, rooms__rooms__number=(2, ""), rooms__area__number=(80.5, ""))
        await self.step("Confirm", subject, school)
        await self.step("Review", OFFICER, school)
        return await self.step("Approve", DIRECTOR, school)


def campaign_request(**fields: Any) -> campaigns_pb2.CreateCampaignRequest:
    """A campaign of the province with deadlines in 10, 20 and 30 days."""
    given: dict[str, Any] = {"unit": "gso:49", "form": "khao_sat", "school_year": YEAR} | fields
    days = given.pop("days", (10, 20, 30))
    request = campaigns_pb2.CreateCampaignRequest(**given)
    for name, after in zip(("confirm_due_time", "review_due_time", "approve_due_time"), days, strict=True):
        moment: datetime = NOW + timedelta(days=after)
        getattr(request, name).FromDatetime(moment)
    return request


def values(answer: reports_pb2.GetReportResponse) -> dict[str, float | None]:
    """Cells by name, `sheet.row.column`."""
    return {
        f"{cell.sheet}.{cell.row}.{cell.column}": cell.value if cell.HasField("value") else None
        for cell in answer.cells
    }


async def waits_for_another(database: Database) -> bool:
    """Whether a transaction waits for a row that another one has changed."""
    async with database.connection() as connection:
        return bool(
            await connection.scalar(
                sa.text(
                    "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_stat_activity USING (pid)"
                    " WHERE NOT granted AND datname = current_database())"
                )
            )
        )
