"""Tells people what happened to reports and what is due, by events that leave with the transaction they belong to.

Schools hear of their own report; who reviews or approves hears of many at once, since a province has a thousand.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.clock import VIETNAM, Clock, vietnam_day
from chassis.outbox import append
from chassis.scopes import Scopes
from services.reporting.convert.notices import Said, filled, notice_events, shown_time
from services.reporting.domain.exports import Export
from services.reporting.domain.extracts import Extract
from services.reporting.domain.pivots import Pivot
from services.reporting.domain.report_rules import ReportRules
from services.reporting.domain.reports import AT_SCHOOL, Campaign, LockRefusal, LockState, Report, State
from services.reporting.store.reminders import standing

MOST_REASON = 200  # Characters of the reason that records keeps with a lock.


class Step(NamedTuple):
    """Where reports wait for somebody above their schools: of a campaign, at a unit, until a time."""

    campaign_id: int
    unit_id: int
    due_time: datetime


@dataclass(frozen=True)
class Teller:
    """Says things in the words of the rules."""

    scopes: Scopes
    clock: Clock
    rules: ReportRules

    async def opened(self, connection: AsyncConnection, campaign: Campaign, reports: Sequence[tuple[int, int]]) -> None:
        """A campaign began: each school hears of its own report."""
        due = campaign.confirm_due_time
        said = [
            self._said("campaign", campaign, report_id, school_id, unit_id=school_id, revision=1, due=due)
            for report_id, school_id in reports
        ]
        await append(connection, list(notice_events(said)))

    async def stepped(
        self, connection: AsyncConnection, name: str, campaign: Campaign, report: Report, *, note: str = ""
    ) -> None:
        """A step was taken; `report` is the report after it. The school hears of it, of a confirmation who reviews."""
        unit_id = self.reviewing_unit(report.school_id) if name == "confirmed" else report.school_id
        said = self._said(
            name,
            campaign,
            report.report_id,
            report.school_id,
            unit_id=unit_id,
            revision=report.revision,
            due=report.due_time,
            note=note,
        )
        await append(connection, list(notice_events([said])))

    async def withdrawn(
        self, connection: AsyncConnection, campaign: Campaign, reports: Sequence[tuple[int, int]]
    ) -> None:
        """A campaign was withdrawn: each school hears that nothing is asked of it any more."""
        said = [
            self._said(
                "withdrawn",
                campaign,
                report_id,
                school_id,
                unit_id=school_id,
                revision=1,
                due=None,
                note=campaign.withdraw_reason,
            )
            for report_id, school_id in reports
        ]
        await append(connection, list(notice_events(said)))

    async def lock_refused(
        self, connection: AsyncConnection, campaign: Campaign, report: Report, refusal: LockRefusal
    ) -> None:
        """Records refuses a lock, or to lift it: those of the unit that asked hear of it, who may ask again."""
        name = "lift_refused" if report.lock_state is LockState.LIFT_REFUSED else "lock_refused"
        said = self._said(
            name,
            campaign,
            report.report_id,
            report.school_id,
            unit_id=campaign.unit_id,
            revision=report.revision,
            due=None,
            note=refusal.vi,
        )
        values = {**said.values, "note_en": refusal.en}
        await append(connection, list(notice_events([replace(said, values=values)])))

    async def reminded(
        self, connection: AsyncConnection, due: Sequence[tuple[Campaign, Report]], *, now: datetime
    ) -> None:
        """Deadlines are near or over: who has to take the next step hears of it, once a day."""
        said: list[Said] = []
        above: dict[Step, Campaign] = {}
        for campaign, report in due:
            if report.due_time is None:
                continue
            if report.state in AT_SCHOOL:
                name = "late" if report.due_time < now else "due"
                said.append(
                    self._said(
                        name,
                        campaign,
                        report.report_id,
                        report.school_id,
                        unit_id=report.school_id,
                        revision=int(now.timestamp()),
                        due=report.due_time,
                    )
                )
                continue
            above[self._step(campaign, report.school_id, report.state, report.due_time)] = campaign
        said += await self._above(connection, above, now=now)
        await append(connection, list(notice_events(said)))

    async def _above(self, connection: AsyncConnection, steps: Mapping[Step, Campaign], *, now: datetime) -> list[Said]:
        """What is said of all reports at these steps, whichever of them is told of now: one notice a unit and day."""
        campaigns = {one.campaign_id: one for one in steps.values()}
        at_step = await standing(connection, campaigns, (State.CONFIRMED, State.REVIEWED)) if campaigns else []
        counts = Counter(self._step(campaigns[one], school, state, due) for one, school, state, due in at_step)
        day = int(datetime.combine(vietnam_day(now), time(), VIETNAM).timestamp())
        said = []
        for step, campaign in steps.items():
            name = "late_above" if step.due_time < now else "due_above"
            values = self._values(campaign, due=step.due_time)
            values |= {"unit": self._name(step.unit_id), "count": str(counts[step])}
            link = f"/reports.html#unit={step.unit_id}&campaign={step.campaign_id}"
            key = f"campaign/{step.campaign_id}/{step.unit_id}/{int(step.due_time.timestamp())}"
            said.append(Said(key, day, [step.unit_id], self.rules.notices[name], values, link, due_time=step.due_time))
        return said

    def _step(self, campaign: Campaign, school_id: int, state: State, due: datetime) -> Step:
        unit_id = campaign.unit_id if state is State.REVIEWED else self.reviewing_unit(school_id)
        return Step(campaign.campaign_id, unit_id, due)

    async def sent(self, connection: AsyncConnection, pivot: Pivot, export: Export, *, done: bool) -> None:
        """A pivot's time came: its owner hears of the file, or why there is none."""
        values = {
            "name": pivot.kept.name,
            "unit": self._name(export.unit_id),
            "time": shown_time(export.create_time),
        }
        link = f"/indicators.html#unit={export.unit_id}&pivot={pivot.pivot_id}&export={export.export_id}"
        text = self.rules.notices["pivot_ready" if done else "pivot_failed"]
        key = f"pivot/{pivot.pivot_id}/{export.export_id}"
        said = Said(key, 1, [export.unit_id], text, values, link, subjects=[pivot.owner])
        await append(connection, list(notice_events([said])))

    async def extract(self, connection: AsyncConnection, name: str, extract: Extract) -> None:
        """Who may decide hears of a request for research, who asked what was decided and became of it.

        A withdrawal takes the place of the request in the inbox of who may decide.
        """
        unit_id, text = extract.wanted.unit_id, self.rules.notices[f"extract_{name}"]
        values = {
            "number": str(extract.extract_id),
            "unit": self._name(unit_id),
            "purpose": extract.wanted.purpose,
            "asking": extract.requested_by,
            "deciding": extract.refused_by or extract.approved_by,
            "note": extract.refuse_reason,
        }
        link = f"/extracts.html#unit={unit_id}&extract={extract.extract_id}"
        told, revision = ("requested", 2) if name == "withdrawn" else (name, 1)
        key = f"extract/{extract.extract_id}/{told}/{extract.export_id or 0}"
        subjects = [] if text.audience_roles else [extract.requested_by]
        said = Said(key, revision, [unit_id], text, values, link, subjects=subjects)
        await append(connection, list(notice_events([said])))

    def reviewing_unit(self, school_id: int) -> int:
        """The unit directly above a school, whose people review."""
        return next(iter(self.scopes.tree.parents(school_id, self.clock.today())), school_id)

    def reminders_so_far(self, due: datetime | None) -> int:
        """How many reminders of a deadline need not be sent any more: those whose day has come already."""
        return self.rules.reminders_by(self.clock.today(), vietnam_day(due)) if due else 0

    def lock_reason(self, name: str, campaign: Campaign, *, note: str = "") -> str:
        """What records is told of a lock, cut to what it keeps."""
        values = self._values(campaign, due=None) | {"note": note}
        return filled(self.rules.lock_reasons[name], values)[:MOST_REASON]

    def _said(
        self,
        name: str,
        campaign: Campaign,
        report_id: int,
        school_id: int,
        *,
        unit_id: int,
        revision: int,
        due: datetime | None,
        note: str = "",
    ) -> Said:
        values = {**self._values(campaign, due=due), "school": self._name(school_id), "note": note}
        link = f"/reports.html#unit={school_id}&report={report_id}"
        told = "due" if name == "late" else name
        return Said(
            f"report/{report_id}/{told}", revision, [unit_id], self.rules.notices[name], values, link, due_time=due
        )

    def _values(self, campaign: Campaign, *, due: datetime | None) -> dict[str, str]:
        return {
            "form_vi": campaign.form_name_vi,
            "form_en": campaign.form_name_en,
            "asking": self._name(campaign.unit_id),
            "year": f"{campaign.school_year}-{campaign.school_year + 1}",
            "due": shown_time(due),
        }

    def _name(self, unit_id: int) -> str:
        unit = self.scopes.tree.unit(unit_id)
        return unit.name if unit else f"#{unit_id}"
