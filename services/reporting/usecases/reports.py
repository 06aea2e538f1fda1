"""The life of a report: entered, confirmed, reviewed, approved, sent back, opened again; each step names its etag.

Who may call a method on the school is decided before this is reached; that reviewing is for who stands above the
school, and approving for who stands at the unit that asked, is decided here. Refuses a step on a report that has
changed since, one its state does not allow, and to confirm what an error stands against.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.clock import Clock
from chassis.errors import Fault, FieldViolation, Kind
from chassis.scopes import Scopes
from services.reporting.domain import forms as form_domain
from services.reporting.domain.forms import Cell, Form, Key
from services.reporting.domain.reports import (
    ERROR,
    STEPS,
    WHILE_WITHDRAWN,
    Action,
    Campaign,
    Content,
    Entry,
    LockState,
    Report,
    State,
    Step,
    fill,
)
from services.reporting.store import lock_tasks, reports
from services.reporting.usecases.campaigns import get_campaign
from services.reporting.usecases.checking import findings
from services.reporting.usecases.filling import Counts
from services.reporting.usecases.telling import Teller

REVIEWERS = ("officer", "director", "administrator")
APPROVERS = ("director", "administrator")
MOST_VALUE = 1e12


@dataclass(frozen=True)
class Steps:
    """Takes the steps of reports."""

    scopes: Scopes
    clock: Clock
    teller: Teller

    async def enter(
        self,
        connection: AsyncConnection,
        report: Report,
        cells: Mapping[Key, Cell],
        given: Sequence[tuple[Key, float | None, str]],
        *,
        by: str,
    ) -> Report:
        """Enter cells of a held report: (cell, value or None to take it back, reason); all or none."""
        entries = await reports.entries_of(connection, report.report_id)
        violations: list[FieldViolation] = []
        if not given:
            violations.append(
                FieldViolation("entries", "CELL_INVALID", "Chưa có ô nào để nhập.", "There is no cell to enter.")
            )
        seen: set[Key] = set()
        for place, (key, value, reason) in enumerate(given):
            said = _entry_defect(cells.get(key), key, value, reason, twice=key in seen)
            seen.add(key)
            if said is not None:
                name, vi, en = said
                violations.append(FieldViolation(f"entries[{place}].{name}", "CELL_INVALID", vi, en))
            elif value is None:
                entries.pop(key, None)
            else:
                entries[key] = Entry(value, reason.strip(), by)
        if violations:
            raise Fault(Kind.INVALID, "CELL_INVALID", vi=violations[0].vi, en=violations[0].en, violations=violations)
        await reports.keep_entries(connection, report.report_id, entries)
        note = ", ".join(key for key, _, _ in given[:3]) + (", …" if len(given) > 3 else "")
        return await self._step(connection, report, Action.ENTERED, by=by, note=note)

    async def confirm(
        self, connection: AsyncConnection, report: Report, form: Form, counts: Counts, *, by: str
    ) -> Report:
        """Confirm a held report with what was counted a moment ago; raises REPORT_UNSOUND."""
        await self._asking(connection, report, Action.CONFIRMED)
        content = await draft(connection, report, form, counts)
        errors = [finding for finding in content.findings if finding.severity == ERROR]
        if errors:
            raise Fault(
                Kind.PRECONDITION,
                "REPORT_UNSOUND",
                vi=f"Chưa xác nhận được, còn {len(errors)} lỗi: {errors[0].message_vi}",
                en=f"It cannot be confirmed, {len(errors)} errors are left: {errors[0].message_en}",
                metadata={"report_id": str(report.report_id)},
                violations=[
                    FieldViolation(", ".join(one.cells[:3]), one.check.upper(), one.message_vi, one.message_en)
                    for one in errors
                ],
            )
        version = report.version + 1
        now = self.clock.now()
        await reports.add_version(connection, report.report_id, replace(content, version=version), by=by, now=now)
        return await self._step(connection, report, Action.CONFIRMED, by=by, version=version)

    async def review(self, connection: AsyncConnection, report: Report, *, by: str) -> Report:
        """Mark a held report as reviewed by who stands above its school."""
        self._check_above(report, by)
        return await self._step(connection, report, Action.REVIEWED, by=by)

    async def send_back(self, connection: AsyncConnection, report: Report, *, by: str, reason: str) -> Report:
        """Send a held report back to its school."""
        self._check_above(report, by)
        return await self._step(connection, report, Action.RETURNED, by=by, note=reason)

    async def approve(self, connection: AsyncConnection, report: Report, form: Form, *, by: str) -> Report:
        """Approve a held report: freeze its version, and leave word that records is to lock what the form says."""
        self._check_asking(report, by)
        campaign = await self._campaign(connection, report)
        lock_state = LockState.LOCKING if form.locked_collections else LockState.NONE
        after = await self._step(connection, report, Action.APPROVED, by=by, lock_state=lock_state)
        await reports.freeze_version(connection, report.report_id, report.version, by=by, now=self.clock.now())
        if form.locked_collections:
            reason = self.teller.lock_reason("approved", campaign)
            await lock_tasks.add_task(connection, after, form, lift=False, reason=reason, subject=by)
        return after

    async def reopen(self, connection: AsyncConnection, report: Report, form: Form, *, by: str, reason: str) -> Report:
        """Open a held, approved report again, and leave word that its lock is to be lifted."""
        self._check_asking(report, by)
        campaign = await self._campaign(connection, report)
        locked = report.lock_state is not LockState.NONE
        lock_state = LockState.LIFTING if locked else LockState.NONE
        after = await self._step(connection, report, Action.REOPENED, by=by, note=reason, lock_state=lock_state)
        if locked:
            said = self.teller.lock_reason("reopened", campaign, note=reason)
            await lock_tasks.add_task(connection, after, form, lift=True, reason=said, subject=by)
        return after

    async def relock(self, connection: AsyncConnection, report: Report, form: Form, *, by: str) -> Report:
        """Leave word anew that records is to set or lift the lock of a held report, which it refused, for who asks."""
        self._check_asking(report, by)
        if report.lock_state not in (LockState.LOCK_REFUSED, LockState.LIFT_REFUSED):
            raise _lock_not_refused(report)
        lift = report.lock_state is LockState.LIFT_REFUSED
        campaign = await self._campaign(connection, report)
        lock_state = LockState.LIFTING if lift else LockState.LOCKING
        after = await self._step(connection, report, Action.LOCK_ASKED, by=by, lock_state=lock_state)
        said = self.teller.lock_reason("reopened" if lift else "approved", campaign, note=report.return_reason)
        await lock_tasks.add_task(connection, after, form, lift=lift, reason=said, subject=by)
        return after

    async def _step(
        self,
        connection: AsyncConnection,
        report: Report,
        action: Action,
        *,
        by: str,
        note: str = "",
        version: int | None = None,
        lock_state: LockState | None = None,
    ) -> Report:
        allowed, after = STEPS[action]
        if report.state not in allowed:
            raise _wrong_state(report, allowed)
        now, campaign = self.clock.now(), await self._asking(connection, report, action)
        state = after or report.state
        outcome = reports.Outcome(
            step=Step(action, now, by, note, report.version if version is None else version),
            state=state,
            lock_state=lock_state,
            reminded=None if after is None else self.teller.reminders_so_far(due_time(campaign, state)),
        )
        await reports.add_step(connection, report, outcome)
        stepped = await get_report(connection, report.report_id, below={report.school_id}, now=now)
        if action.name.lower() in self.teller.rules.notices:
            await self.teller.stepped(connection, action.name.lower(), campaign, stepped, note=note)
        return stepped

    async def _asking(self, connection: AsyncConnection, report: Report, action: Action) -> Campaign:
        """The campaign of a report, in which a step may be taken, held until it is; raises CAMPAIGN_WITHDRAWN."""
        below = frozenset({report.school_id})
        campaign = await get_campaign(connection, report.campaign_id, below=below, hold=True)
        if campaign.withdraw_time is not None and action not in WHILE_WITHDRAWN:
            raise _withdrawn(campaign)
        return campaign

    async def _campaign(self, connection: AsyncConnection, report: Report) -> Campaign:
        return await get_campaign(connection, report.campaign_id, below=frozenset({report.school_id}))

    def _check_above(self, report: Report, by: str) -> None:
        tree, today = self.scopes.tree, self.clock.today()
        above = tree.parents(report.school_id, today)
        if not any(tree.may(by, REVIEWERS, unit_id, today) for unit_id in above):
            raise _not_above(next(iter(above), 0))

    def _check_asking(self, report: Report, by: str) -> None:
        if not self.scopes.tree.may(by, APPROVERS, report.campaign_unit_id, self.clock.today()):
            raise _not_above(report.campaign_unit_id)


async def get_report(connection: AsyncConnection, report_id: int, *, below: Collection[int], now: datetime) -> Report:
    """A report of one of the units; raises UNKNOWN_REPORT."""
    report = await reports.find_report(connection, report_id, below=below, now=now)
    if report is None:
        raise _unknown_report(report_id)
    return report


async def hold_report(
    connection: AsyncConnection, report_id: int, *, below: Collection[int], etag: str, now: datetime
) -> Report:
    """A report to change, held until the transaction ends; raises UNKNOWN_REPORT and REPORT_CHANGED."""
    report = await reports.find_report(connection, report_id, below=below, now=now, hold=True)
    if report is None:
        raise _unknown_report(report_id)
    if report.etag != etag:
        raise Fault(
            Kind.CONFLICT,
            "REPORT_CHANGED",
            vi="Báo cáo đã thay đổi từ lúc mở. Hãy tải lại, xem lại rồi quyết định.",
            en="The report has changed since it was opened. Get it again, look at it and decide on that.",
            metadata={"report_id": str(report_id), "etag": report.etag},
        )
    return report


async def draft(connection: AsyncConnection, report: Report, form: Form, counts: Counts) -> Content:
    """The report as the school would confirm it now, with what stands against it."""
    entries = await reports.entries_of(connection, report.report_id)
    values = fill(form_domain.cells_of(form), counts.values, entries)
    return Content(
        values=values,
        hierarchy_as_of=counts.hierarchy_as_of,
        data_time=counts.data_time,
        findings=findings(form, values),
    )


async def get_version(connection: AsyncConnection, report: Report, version: int) -> Content:
    """A version of a report; raises UNKNOWN_VERSION."""
    content = await reports.find_version(connection, report.report_id, version)
    if content is None:
        raise Fault(
            Kind.NOT_FOUND,
            "UNKNOWN_VERSION",
            vi=f"Báo cáo chưa có phiên bản {version}.",
            en=f"The report has no version {version}.",
            metadata={"version": str(version)},
        )
    return content


def due_time(campaign: Campaign, state: State) -> datetime | None:
    """Until when the step after a state is due."""
    return {
        State.DRAFT: campaign.confirm_due_time,
        State.RETURNED: campaign.confirm_due_time,
        State.CONFIRMED: campaign.review_due_time,
        State.REVIEWED: campaign.approve_due_time,
    }.get(state)


def _entry_defect(
    cell: Cell | None, key: Key, value: float | None, reason: str, *, twice: bool
) -> tuple[str, str, str] | None:
    if cell is None:
        return "row", f"Biểu mẫu không có ô {key}.", f"The form has no cell {key}."
    if twice:
        return "row", f"Ô {key} có hai lần trong yêu cầu.", f"The cell {key} is there twice."
    if cell.kind is form_domain.Kind.SUMMED:
        return (
            "row",
            f"Ô {key} là tổng của các ô khác, không nhập được.",
            f"The cell {key} is a sum, it is not entered.",
        )
    if cell.kind is form_domain.Kind.BLANK:
        return "row", f"Ô {key} để trống theo biểu mẫu.", f"The cell {key} stays empty by the form."
    if value is None:
        return None
    if not 0 <= value <= MOST_VALUE:
        return (
            "value",
            f"Ô {key}: giá trị phải từ 0 đến {MOST_VALUE:.0f}.",
            (f"The cell {key} takes values from 0 to {MOST_VALUE:.0f}."),
        )
    if not cell.decimal and value != int(value):
        return "value", f"Ô {key} chỉ nhận số nguyên.", f"The cell {key} takes whole numbers only."
    if cell.kind is form_domain.Kind.COUNTED and not reason.strip():
        vi = f"Ô {key} đếm từ hồ sơ: muốn thay giá trị phải ghi lý do."
        return "reason", vi, f"The cell {key} is counted from the records: say why it is overridden."
    return None


def _wrong_state(report: Report, allowed: Collection[State]) -> Fault:
    named = ", ".join(sorted(state.name.lower() for state in allowed))
    vi_names = ", ".join(_STATES_VI[state] for state in sorted(allowed))
    return Fault(
        Kind.PRECONDITION,
        "REPORT_STATE",
        vi=f"Báo cáo đang ở trạng thái “{_STATES_VI[report.state]}”; việc này chỉ làm được khi: {vi_names}.",
        en=f"The report is {report.state.name.lower()}; this can only be done while it is {named}.",
        metadata={"report_id": str(report.report_id), "state": report.state.name.lower()},
    )


def _lock_not_refused(report: Report) -> Fault:
    return Fault(
        Kind.PRECONDITION,
        "LOCK_NOT_REFUSED",
        vi="Hồ sơ không từ chối khóa hay mở khóa báo cáo này. Hãy tải lại báo cáo để xem khóa đang ở trạng thái nào.",
        en="Records has refused neither the lock of this report nor to lift it. Get it again to see how it stands.",
        metadata={"report_id": str(report.report_id)},
    )


def _withdrawn(campaign: Campaign) -> Fault:
    return Fault(
        Kind.PRECONDITION,
        "CAMPAIGN_WITHDRAWN",
        vi=f"Đợt báo cáo đã được rút, không phải làm gì thêm: {campaign.withdraw_reason}",
        en=f"The campaign was withdrawn, nothing more is to be done: {campaign.withdraw_reason}",
        metadata={"campaign_id": str(campaign.campaign_id)},
    )


def _not_above(unit_id: int) -> Fault:
    return Fault(
        Kind.DENIED,
        "NOT_ABOVE",
        vi="Rà soát là việc của đơn vị cấp trên của trường; duyệt, mở lại là việc của đơn vị yêu cầu báo cáo.",
        en="Reviewing is for the unit above the school; approving and opening again are for the unit that asked.",
        metadata={"unit": str(unit_id)},
    )


def _unknown_report(report_id: int) -> Fault:
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_REPORT",
        vi=f"Đơn vị này không có báo cáo số {report_id}.",
        en=f"This unit has no report {report_id}.",
        metadata={"report_id": str(report_id)},
    )


_STATES_VI = {
    State.DRAFT: "trường đang lập",
    State.CONFIRMED: "trường đã xác nhận",
    State.REVIEWED: "đã rà soát",
    State.APPROVED: "đã duyệt",
    State.RETURNED: "bị trả lại",
}
