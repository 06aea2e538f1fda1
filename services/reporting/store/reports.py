# ruff: noqa: S608 (statements are put together from constants of this module; nothing comes from outside)
"""Queries on reports: their state, entries, steps and versions, and their sums. Steps and versions are only added."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting.domain.forms import Key
from services.reporting.domain.reports import (
    STEPS,
    Action,
    Content,
    Entry,
    Finding,
    LockRefusal,
    LockState,
    Report,
    Source,
    State,
    Step,
    Value,
    VersionHead,
)
from services.reporting.store.campaigns import DUE

MOST_STEPS = 100


async def find_report(
    connection: AsyncConnection, report_id: int, *, below: Collection[int], now: datetime, hold: bool = False
) -> Report | None:
    """A report of one of the units; `hold` keeps others from changing it until the transaction ends."""
    given = {"report_id": report_id, "below": list(below), "now": now}
    row = (await connection.execute(_HELD if hold else _ONE, given)).first()
    return report_of(row) if row else None


async def reports_page(
    connection: AsyncConnection,
    *,
    below: Collection[int],
    now: datetime,
    campaign_id: int = 0,
    states: Sequence[State] = (),
    late: bool = False,
    after: int = 0,
    limit: int,
) -> list[Report]:
    """Reports of units by id, from the one after `after`."""
    given = {
        "below": list(below),
        "now": now,
        "campaign_id": campaign_id,
        "states": list(map(int, states)),
        "late": late,
        "after": after,
        "limit": limit,
    }
    return [report_of(row) for row in await connection.execute(_PAGE, given)]


async def entries_of(connection: AsyncConnection, report_id: int) -> dict[Key, Entry]:
    """What the school has entered so far."""
    kept = await connection.scalar(_ENTRIES, {"report_id": report_id})
    return {key: Entry(one["value"], one["reason"], one["by"]) for key, one in (kept or {}).items()}


async def keep_entries(connection: AsyncConnection, report_id: int, entries: Mapping[Key, Entry]) -> None:
    """Put these entries in place of the kept ones."""
    kept = {key: asdict(one) for key, one in entries.items()}
    await connection.execute(_KEEP_ENTRIES, {"report_id": report_id, "entries": kept})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step makes of a report; None: the lock stands as it did, reminders go on as they did."""

    step: Step
    state: State
    lock_state: LockState | None
    reminded: int | None


async def add_step(connection: AsyncConnection, report: Report, outcome: Outcome) -> None:
    """Write a step down, and the report as it is after it."""
    step, state = outcome.step, outcome.state
    stays = STEPS[step.action][1] is None
    given = {
        "report_id": report.report_id,
        "revision": report.revision + 1,
        "action": int(step.action),
        "state": int(state),
        "lock_state": outcome.lock_state,
        "by": step.by,
        "note": step.note,
        "now": step.time,
        "version": step.version,
        "return_reason": step.note if state is State.RETURNED and not stays else "",
        "keeps_reason": stays,
        "reminded": outcome.reminded,
    }
    await connection.execute(_STEP, given)
    await connection.execute(_AFTER_STEP, given)


async def steps_of(connection: AsyncConnection, report_id: int) -> list[Step]:
    """The newest steps, the newest last."""
    rows = await connection.execute(_STEPS, {"report_id": report_id, "limit": MOST_STEPS})
    return [Step(Action(action), time, by, note, version) for action, time, by, note, version in rows]


async def add_version(connection: AsyncConnection, report_id: int, content: Content, *, by: str, now: datetime) -> None:
    """Keep what a school confirms."""
    cells = {
        key: {
            "value": one.value,
            "source": int(one.source),
            **({"counted": one.counted} if one.counted is not None else {}),
            **({"reason": one.reason} if one.reason else {}),
            **({"by": one.by} if one.by else {}),
        }
        for key, one in content.values.items()
        if one.source is not Source.NONE
    }
    given = {
        "report_id": report_id,
        "version": content.version,
        "cells": cells,
        "findings": [asdict(one) for one in content.findings],
        "hierarchy_as_of": content.hierarchy_as_of,
        "data_time": content.data_time,
        "by": by,
        "now": now,
    }
    await connection.execute(_ADD_VERSION, given)


async def freeze_version(connection: AsyncConnection, report_id: int, version: int, *, by: str, now: datetime) -> None:
    """Mark a version as approved; it is never changed again."""
    await connection.execute(_FREEZE, {"report_id": report_id, "version": version, "by": by, "now": now})


async def versions_of(connection: AsyncConnection, report_id: int) -> list[VersionHead]:
    """All versions, the newest last."""
    return [VersionHead(*row) for row in await connection.execute(_VERSIONS, {"report_id": report_id})]


async def find_version(connection: AsyncConnection, report_id: int, version: int) -> Content | None:
    """A version with its cells."""
    row = (await connection.execute(_VERSION, {"report_id": report_id, "version": version})).first()
    return _content(row) if row else None


async def versions_that_stand(
    connection: AsyncConnection, campaign_id: int, *, schools: Sequence[int]
) -> list[tuple[int, State, Content]]:
    """Of schools whose report is confirmed or further: the school, the state, and the version that stands."""
    rows = await connection.execute(_STANDING, {"campaign_id": campaign_id, "schools": list(schools)})
    return [(row.school_id, State(row.state), _content(row)) for row in rows]


async def sums(
    connection: AsyncConnection, campaign_id: int, *, schools: Sequence[int], states: Sequence[State]
) -> tuple[dict[Key, tuple[float, int]], datetime | None]:
    """By cell the sum over schools whose report is in one of the states, and of how many; the oldest data time."""
    given = {"campaign_id": campaign_id, "schools": list(schools), "states": list(map(int, states))}
    found = {key: (float(value), count) for key, value, count in await connection.execute(_SUMS, given)}
    return found, await connection.scalar(_OLDEST, given)


def report_of(row: Any) -> Report:
    """A row of `SELECTED`; a lock that is refused is stored as one that is asked for, with the refusal beside it."""
    refusal = LockRefusal(**row.lock_refusal) if row.lock_refusal else None
    lock_state = LockState(row.lock_state)
    if refusal is not None:
        lock_state = LockState.LIFT_REFUSED if lock_state is LockState.LIFTING else LockState.LOCK_REFUSED
    given = {"state": State(row.state), "lock_state": lock_state, "lock_refusal": refusal}
    return Report(**{**row._asdict(), **given})


def _content(row: Any) -> Content:
    values = {
        key: Value(one["value"], Source(one["source"]), one.get("counted"), one.get("reason", ""), one.get("by", ""))
        for key, one in row.cells.items()
    }
    findings = [Finding(**{**one, "cells": tuple(one["cells"])}) for one in row.findings]
    return Content(values, row.hierarchy_as_of, row.data_time, row.version, findings)


SELECTED = (
    "SELECT report.report_id, report.campaign_id, report.school_id, report.state, report.revision, report.version,"
    " report.lock_state, report.lock_refusal, report.update_time, report.return_reason,"
    " campaign.unit_id AS campaign_unit_id, campaign.form,"
    f" campaign.form_version, campaign.school_year, {DUE} AS due_time, coalesce({DUE} < :now, false) AS late"
    " FROM report JOIN campaign USING (campaign_id)"
)
_BELOW = "report.school_id = ANY(CAST(:below AS bigint[]))"
_ONE = sa.text(f"{SELECTED} WHERE report.report_id = :report_id AND {_BELOW}")
_HELD = sa.text(f"{SELECTED} WHERE report.report_id = :report_id AND {_BELOW} FOR UPDATE OF report")
_PAGE = sa.text(
    f"{SELECTED} WHERE {_BELOW} AND report.report_id > :after"
    " AND (:campaign_id = 0 OR report.campaign_id = :campaign_id)"
    " AND (cardinality(CAST(:states AS smallint[])) = 0 OR report.state = ANY(CAST(:states AS smallint[])))"
    f" AND (NOT :late OR {DUE} < :now) ORDER BY report.report_id LIMIT :limit"
)
_ENTRIES = sa.text("SELECT entries FROM report WHERE report_id = :report_id")
_KEEP_ENTRIES = sa.text("UPDATE report SET entries = :entries WHERE report_id = :report_id").bindparams(
    sa.bindparam("entries", type_=JSONB)
)
_STEP = sa.text(
    "INSERT INTO report_step (report_id, revision, action, by, note, version, time)"
    " VALUES (:report_id, :revision, :action, :by, :note, :version, :now)"
)
_AFTER_STEP = sa.text(
    "UPDATE report SET state = :state, revision = :revision, version = :version,"
    " lock_state = coalesce(CAST(:lock_state AS smallint), lock_state),"
    " lock_refusal = CASE WHEN CAST(:lock_state AS smallint) IS NULL THEN lock_refusal END,"
    " update_time = :now, return_reason = CASE WHEN :keeps_reason THEN return_reason ELSE :return_reason END,"
    " reminded = coalesce(CAST(:reminded AS smallint), reminded) WHERE report_id = :report_id"
)
_STEPS = sa.text(
    "SELECT action, time, by, note, version FROM (SELECT * FROM report_step WHERE report_id = :report_id"
    " ORDER BY revision DESC LIMIT :limit) AS newest ORDER BY revision"
)
_ADD_VERSION = sa.text(
    "INSERT INTO report_version (report_id, version, cells, findings, hierarchy_as_of, data_time, confirm_time,"
    " confirmed_by) VALUES (:report_id, :version, :cells, :findings, :hierarchy_as_of, :data_time, :now, :by)"
).bindparams(sa.bindparam("cells", type_=JSONB), sa.bindparam("findings", type_=JSONB))
_FREEZE = sa.text(
    "UPDATE report_version SET approve_time = :now, approved_by = :by"
    " WHERE report_id = :report_id AND version = :version"
)
_VERSIONS = sa.text(
    "SELECT version, confirm_time, confirmed_by, approve_time, approved_by, data_time FROM report_version"
    " WHERE report_id = :report_id ORDER BY version"
)
_VERSION = sa.text("SELECT * FROM report_version WHERE report_id = :report_id AND version = :version")
_STANDING = sa.text(
    "SELECT report.school_id, report.state, report_version.* FROM report JOIN report_version"
    " ON report_version.report_id = report.report_id AND report_version.version = report.version"
    " WHERE report.campaign_id = :campaign_id AND report.school_id = ANY(CAST(:schools AS bigint[]))"
    " AND report.state IN (2, 3, 4)"
)
_ADDED = (
    " FROM report JOIN report_version ON report_version.report_id = report.report_id"
    " AND report_version.version = report.version{cells} WHERE report.campaign_id = :campaign_id"
    " AND report.school_id = ANY(CAST(:schools AS bigint[])) AND report.state = ANY(CAST(:states AS smallint[]))"
)
_SUMS = sa.text(
    "SELECT cell.key, sum(CAST(cell.value ->> 'value' AS numeric)), count(*)"
    + _ADDED.format(cells=" CROSS JOIN jsonb_each(report_version.cells) AS cell")
    + " AND cell.value ->> 'value' IS NOT NULL GROUP BY cell.key"
)
_OLDEST = sa.text("SELECT min(report_version.data_time)" + _ADDED.format(cells=""))
