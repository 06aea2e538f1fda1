"""Campaigns started and withdrawn: every school below the unit that the form is for gets its report, in one go.

Refuses deadlines that are not in order, a school year of which nothing is known, a campaign that is there already, and
a unit below which no school is one the form is for.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.clock import Clock
from chassis.errors import Fault, FieldViolation, Kind
from chassis.scopes import ScopeTree
from services.reporting.domain.reports import Campaign
from services.reporting.store import campaigns
from services.reporting.store.forms import FormRow
from services.reporting.usecases.places import EXPECTED_KINDS
from services.reporting.usecases.school_years import check_year
from services.reporting.usecases.telling import Teller

DEADLINES = ("confirm_due_time", "review_due_time", "approve_due_time")


async def start_campaign(
    connection: AsyncConnection,
    form: FormRow,
    given: Mapping[str, Any],
    *,
    tree: ScopeTree,
    clock: Clock,
    teller: Teller,
    by: str,
) -> Campaign:
    """Start a campaign of a form; `given` holds unit_id, school_year and the deadlines."""
    _check_deadlines(given, now=clock.now())
    unit_id = int(given["unit_id"])
    await check_year(connection, int(given["school_year"]), unit_id, tree=tree, today=clock.today(), ahead=1)
    levels = form["definition"].get("levels", [])
    schools = schools_for(tree, unit_id, levels, clock)
    if not schools:
        raise Fault(
            Kind.PRECONDITION,
            "NO_SCHOOLS",
            vi="Bên dưới đơn vị này không có trường nào thuộc cấp học của biểu mẫu.",
            en="No school below this unit is of a level the form is for.",
            metadata={"form": form["code"], "levels": ",".join(levels)},
        )
    same = await campaigns.same_campaign(connection, given, form["code"])
    if same is not None:
        raise _exists(same)
    row = {**given, "form": form["code"], "form_version": form["version"]}
    reminded = teller.reminders_so_far(given["confirm_due_time"])
    campaign_id, reports = await campaigns.add_campaign(
        connection, row, schools=schools, reminded=reminded, by=by, now=clock.now()
    )
    campaign = await get_campaign(connection, campaign_id, below=frozenset({unit_id}))
    await teller.opened(connection, campaign, reports)
    return campaign


async def withdraw_campaign(
    connection: AsyncConnection, campaign_id: int, *, unit_id: int, by: str, reason: str, clock: Clock, teller: Teller
) -> Campaign:
    """Withdraw a campaign of the unit that asked, and tell its schools, once; reports stay as they are."""
    below = frozenset({unit_id})
    campaign = await get_campaign(connection, campaign_id, below=below)
    if campaign.unit_id != unit_id:
        raise _unknown(campaign_id)
    reports = await campaigns.withdraw(connection, campaign_id, by=by, now=clock.now(), reason=reason)
    withdrawn = await get_campaign(connection, campaign_id, below=below)
    await teller.withdrawn(connection, withdrawn, reports)
    return withdrawn


async def get_campaign(
    connection: AsyncConnection, campaign_id: int, *, below: frozenset[int], hold: bool = False
) -> Campaign:
    """A campaign that concerns one of the units; raises UNKNOWN_CAMPAIGN. `hold`: it is not withdrawn meanwhile."""
    campaign = await campaigns.find_campaign(connection, campaign_id, below=below, hold=hold)
    if campaign is None:
        raise _unknown(campaign_id)
    return campaign


def schools_for(tree: ScopeTree, unit_id: int, levels: Sequence[str], clock: Clock) -> list[int]:
    """The schools and childcare groups below a unit that have one of the levels, by id; without levels, all."""
    wanted = {f"level:{level}" for level in levels}
    found = (tree.unit(one) for one in tree.subtree(unit_id, clock.today()))
    return sorted(
        unit.unit_id
        for unit in found
        if unit is not None and unit.kind in EXPECTED_KINDS and (not wanted or wanted.intersection(unit.labels))
    )


def _unknown(campaign_id: int) -> Fault:
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_CAMPAIGN",
        vi=f"Đơn vị này không có đợt báo cáo số {campaign_id}.",
        en=f"This unit has no campaign {campaign_id}.",
        metadata={"campaign_id": str(campaign_id)},
    )


def _exists(campaign_id: int) -> Fault:
    return Fault(
        Kind.EXISTS,
        "CAMPAIGN_EXISTS",
        vi=f"Đơn vị đã có đợt báo cáo số {campaign_id} của biểu mẫu này cho năm học và hạn xác nhận đó. Hãy mở đợt ấy,"
        " hoặc chọn hạn khác nếu đây là một đợt mới.",
        en=f"Campaign {campaign_id} asks for this form already, for that school year and deadline. Open that one, or"
        " choose another deadline if this is a new round.",
        metadata={"campaign_id": str(campaign_id)},
    )


def _check_deadlines(given: Mapping[str, Any], *, now: datetime) -> None:
    before = now
    for name in DEADLINES:
        moment: datetime = given[name]
        if moment < before:
            vi = "Hạn phải ở tương lai, theo thứ tự: trường xác nhận, đơn vị quản lý rà soát, đơn vị yêu cầu duyệt."
            en = "Deadlines lie in the future, in this order: confirming, reviewing, approving."
            violation = FieldViolation(name, "DEADLINES_INVALID", vi, en)
            raise Fault(Kind.INVALID, "DEADLINES_INVALID", vi=vi, en=en, violations=[violation])
        before = moment
