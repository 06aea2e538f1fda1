# ruff: noqa: S608 (statements are put together from constants of this module; nothing comes from outside)
"""Queries on campaigns: starting one with a report a school, finding them, and how far their reports are."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting.domain.reports import Campaign, State

# A report's next step, and so its deadline; an approved one has none, nor one of a campaign that was withdrawn.
DUE = (
    "CASE WHEN campaign.withdraw_time IS NOT NULL THEN NULL"
    " WHEN report.state IN (1, 5) THEN campaign.confirm_due_time"
    " WHEN report.state = 2 THEN campaign.review_due_time WHEN report.state = 3 THEN campaign.approve_due_time END"
)


async def add_campaign(
    connection: AsyncConnection,
    given: Mapping[str, Any],
    *,
    schools: Sequence[int],
    reminded: int,
    by: str,
    now: datetime,
) -> tuple[int, list[tuple[int, int]]]:
    """Start a campaign; returns its id, and of each report its id and school."""
    row = {**given, "by": by, "now": now, "report_count": len(schools)}
    campaign_id = int((await connection.execute(_ADD, row)).scalar_one())
    reports = await connection.execute(
        _ADD_REPORTS, {"campaign_id": campaign_id, "schools": list(schools), "reminded": reminded, "now": now}
    )
    return campaign_id, [(report_id, school_id) for report_id, school_id in reports]


async def same_campaign(connection: AsyncConnection, given: Mapping[str, Any], form: str) -> int | None:
    """A campaign of a form that a unit has for a school year and day already; others wait for this transaction."""
    await connection.execute(_HOLD, {"name": f"campaign/{given['unit_id']}/{form}/{given['school_year']}"})
    asked = {name: given[name] for name in ("unit_id", "school_year", "confirm_due_time")}
    found: int | None = await connection.scalar(_SAME, {**asked, "form": form})
    return found


async def withdraw(
    connection: AsyncConnection, campaign_id: int, *, by: str, now: datetime, reason: str
) -> list[tuple[int, int]]:
    """Note that a campaign is withdrawn, once: of each report its id and school; none where it was already."""
    given = {"campaign_id": campaign_id, "by": by, "now": now, "reason": reason}
    if not (await connection.execute(_WITHDRAW, given)).rowcount:
        return []
    return [(report_id, school_id) for report_id, school_id in await connection.execute(_REPORTS, given)]


async def find_campaign(
    connection: AsyncConnection, campaign_id: int, *, below: Collection[int], hold: bool = False
) -> Campaign | None:
    """A campaign in which one of the units has a report, or which one of them started; None: there is none.

    `hold` keeps it from being withdrawn until the transaction ends; others may hold it as well.
    """
    given = {"campaign_id": campaign_id, "below": list(below)}
    row = (await connection.execute(_HELD if hold else _ONE, given)).first()
    return Campaign(*row) if row else None


async def campaigns_page(
    connection: AsyncConnection,
    *,
    below: Collection[int],
    school_year: int,
    before: int | None = None,
    limit: int,
    unfinished: bool = False,
) -> list[Campaign]:
    """Campaigns that concern units, the newest first, from the one before `before`; or those alone of which reports of
    these units are not approved.
    """
    given = {"below": list(below), "school_year": school_year, "before": before, "limit": limit}
    given |= {"unfinished": unfinished}
    return [Campaign(*row) for row in await connection.execute(_PAGE, given)]


async def states_of(
    connection: AsyncConnection, campaign_id: int, *, below: Collection[int], now: datetime
) -> list[tuple[int, State, bool]]:
    """Of each report of a campaign its school, state and whether its next step is late."""
    given = {"campaign_id": campaign_id, "below": list(below), "now": now}
    return [(school, State(state), late) for school, state, late in await connection.execute(_STATES, given)]


_HOLD = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_SAME = sa.text(
    "SELECT campaign_id FROM campaign WHERE unit_id = :unit_id AND form = :form AND school_year = :school_year"
    " AND CAST(confirm_due_time AT TIME ZONE 'Asia/Ho_Chi_Minh' AS date)"
    " = CAST(CAST(:confirm_due_time AS timestamptz) AT TIME ZONE 'Asia/Ho_Chi_Minh' AS date)"
    " AND withdraw_time IS NULL LIMIT 1"
)
_ADD = sa.text(
    "INSERT INTO campaign (unit_id, form, form_version, school_year, confirm_due_time, review_due_time,"
    " approve_due_time, report_count, created_by, create_time) VALUES (:unit_id, :form, :form_version, :school_year,"
    " :confirm_due_time, :review_due_time, :approve_due_time, :report_count, :by, :now) RETURNING campaign_id"
)
_ADD_REPORTS = sa.text(
    "INSERT INTO report (campaign_id, school_id, state, revision, version, lock_state, entries, return_reason,"
    " reminded, update_time) SELECT :campaign_id, school_id, 1, 1, 0, 0, '{}', '', :reminded, :now"
    " FROM unnest(CAST(:schools AS bigint[])) AS given(school_id) RETURNING report_id, school_id"
)
_WITHDRAW = sa.text(
    "UPDATE campaign SET withdraw_time = :now, withdrawn_by = :by, withdraw_reason = :reason"
    " WHERE campaign_id = :campaign_id AND withdraw_time IS NULL"
)
_REPORTS = sa.text("SELECT report_id, school_id FROM report WHERE campaign_id = :campaign_id ORDER BY report_id")
_SELECTED = (
    "SELECT campaign.campaign_id, campaign.unit_id, campaign.form, campaign.form_version,"
    " form.definition ->> 'name_vi', form.definition ->> 'name_en', form.sample, campaign.school_year,"
    " campaign.confirm_due_time,"
    " campaign.review_due_time, campaign.approve_due_time, campaign.create_time, campaign.created_by,"
    " campaign.report_count, campaign.withdraw_time, campaign.withdrawn_by, campaign.withdraw_reason"
    " FROM campaign JOIN form ON form.code = campaign.form"
    " AND form.version = campaign.form_version"
)
_CONCERNED = (
    "(campaign.unit_id = ANY(CAST(:below AS bigint[])) OR EXISTS (SELECT FROM report WHERE"
    " report.campaign_id = campaign.campaign_id AND report.school_id = ANY(CAST(:below AS bigint[]))))"
)
_ONE = sa.text(f"{_SELECTED} WHERE campaign.campaign_id = :campaign_id AND {_CONCERNED}")
_HELD = sa.text(f"{_SELECTED} WHERE campaign.campaign_id = :campaign_id AND {_CONCERNED} FOR SHARE OF campaign")
_PAGE = sa.text(
    f"{_SELECTED} WHERE {_CONCERNED} AND (:school_year = 0 OR campaign.school_year = :school_year)"
    " AND (CAST(:before AS bigint) IS NULL OR campaign.campaign_id < :before)"
    " AND (NOT CAST(:unfinished AS boolean) OR campaign.withdraw_time IS NULL AND EXISTS (SELECT FROM report"
    " WHERE report.campaign_id = campaign.campaign_id AND report.state <> 4"
    " AND report.school_id = ANY(CAST(:below AS bigint[]))))"
    " ORDER BY campaign.campaign_id DESC LIMIT :limit"
)
_STATES = sa.text(
    f"SELECT report.school_id, report.state, coalesce({DUE} < :now, false) FROM report"
    " JOIN campaign USING (campaign_id) WHERE report.campaign_id = :campaign_id"
    " AND report.school_id = ANY(CAST(:below AS bigint[]))"
)
