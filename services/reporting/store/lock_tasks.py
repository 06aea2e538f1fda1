"""Queries on the locks to ask of records. Each school's are done one after the other, in the order they were left."""

from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting.domain.forms import Form
from services.reporting.domain.reports import LockRefusal, LockState, Report


@dataclass(frozen=True, slots=True)
class LockTask:
    """A lock to set or lift."""

    task_id: int
    report_id: int
    school_id: int
    lift: bool
    collections: tuple[str, ...]
    school_year: int
    period: str
    reason: str
    subject: str
    request_id: str
    attempts: int
    refusals: int


async def add_task(
    connection: AsyncConnection, report: Report, form: Form, *, lift: bool, reason: str, subject: str
) -> None:
    """Leave word that a report's lock is to be set or lifted; `report` is the report after the step."""
    given = {
        "report_id": report.report_id,
        "school_id": report.school_id,
        "lift": lift,
        "collections": list(form.locked_collections),
        "school_year": report.school_year,
        "period": form.lock_period,
        "reason": reason,
        "subject": subject,
        "request_id": f"report/{report.report_id}/{report.revision}",
    }
    await connection.execute(_ADD, given)


async def claim_tasks(
    connection: AsyncConnection, *, now: datetime, lease_until: datetime, limit: int
) -> list[LockTask]:
    """Tasks to do now, at most one a school, each left to the caller until the lease ends.

    What a lift leaves locked is settled here, once: the collections that another approved report of the school needs.
    """
    given = {"now": now, "lease_until": lease_until, "limit": limit}
    ids = list(await connection.scalars(_CLAIM, given))
    if not ids:
        return []
    await connection.execute(_SETTLE, {"ids": ids})
    rows = await connection.execute(_CLAIMED, {"ids": ids})
    return [LockTask(**{**row._asdict(), "collections": tuple(row.collections)}) for row in rows]


async def finish_task(connection: AsyncConnection, task: LockTask, *, now: datetime) -> None:
    """Note that records has done it; the report says so unless a later task of it waits."""
    done = LockState.NONE if task.lift else LockState.LOCKED
    given = {"task_id": task.task_id, "report_id": task.report_id, "now": now, "lock_state": int(done)}
    await connection.execute(_FINISH, given)
    await connection.execute(_TELL, given)


async def refuse_task(connection: AsyncConnection, task: LockTask, refusal: LockRefusal, *, now: datetime) -> bool:
    """Note that records refuses it for good: it is over, and later ones of the school go on. Whether its report says
    so, which it does unless a later task of it waits.
    """
    given = {"task_id": task.task_id, "report_id": task.report_id, "now": now, "failure": refusal.reason}
    await connection.execute(_REFUSE, given)
    return (await connection.execute(_TELL_REFUSED, given | {"refusal": asdict(refusal)})).rowcount == 1


async def postpone_task(
    connection: AsyncConnection, task: LockTask, *, until: datetime, failure: str, refused: bool = False
) -> None:
    """Note why it could not be done, whether records refused it, and when it is tried again."""
    given = {"task_id": task.task_id, "until": until, "failure": failure, "refusals": task.refusals + refused}
    await connection.execute(_POSTPONE, given)


_ADD = sa.text(
    "INSERT INTO lock_task (report_id, school_id, lift, collections, school_year, period, reason, subject, request_id)"
    " VALUES (:report_id, :school_id, :lift, :collections, :school_year, :period, :reason, :subject, :request_id)"
)
_CLAIM = sa.text(
    "UPDATE lock_task SET lease_until = :lease_until, attempts = attempts + 1 WHERE task_id IN ("
    "SELECT task_id FROM lock_task AS given WHERE done_time IS NULL AND (lease_until IS NULL OR lease_until < :now)"
    " AND NOT EXISTS (SELECT FROM lock_task AS earlier WHERE earlier.school_id = given.school_id"
    " AND earlier.task_id < given.task_id AND earlier.done_time IS NULL)"
    " ORDER BY task_id LIMIT :limit FOR UPDATE SKIP LOCKED) RETURNING task_id"
)
_SETTLE = sa.text(
    "UPDATE lock_task SET fixed = true, collections = ARRAY(SELECT one FROM unnest(lock_task.collections) AS one"
    " WHERE one NOT IN (SELECT jsonb_array_elements_text(form.definition -> 'locked_collections') FROM report"
    " JOIN campaign USING (campaign_id) JOIN form ON form.code = campaign.form AND form.version = campaign.form_version"
    " WHERE report.school_id = lock_task.school_id AND report.report_id <> lock_task.report_id AND report.state = 4"
    " AND campaign.school_year = lock_task.school_year"
    " AND coalesce(form.definition ->> 'lock_period', '') = lock_task.period"
    " AND form.definition ? 'locked_collections') ORDER BY one)"
    " WHERE task_id = ANY(CAST(:ids AS bigint[])) AND lift AND NOT fixed"
)
_CLAIMED = sa.text(
    "SELECT task_id, report_id, school_id, lift, collections, school_year, period, reason, subject, request_id,"
    " attempts, refusals FROM lock_task WHERE task_id = ANY(CAST(:ids AS bigint[])) ORDER BY task_id"
)
_FINISH = sa.text("UPDATE lock_task SET done_time = :now, lease_until = NULL, failure = '' WHERE task_id = :task_id")
_TELL = sa.text(
    "UPDATE report SET lock_state = :lock_state WHERE report_id = :report_id AND NOT EXISTS (SELECT FROM lock_task"
    " WHERE lock_task.report_id = report.report_id AND lock_task.task_id > :task_id)"
)
_REFUSE = sa.text(
    "UPDATE lock_task SET done_time = :now, lease_until = NULL, failure = :failure WHERE task_id = :task_id"
)
_TELL_REFUSED = sa.text(
    "UPDATE report SET lock_refusal = :refusal WHERE report_id = :report_id AND NOT EXISTS (SELECT FROM lock_task"
    " WHERE lock_task.report_id = report.report_id AND lock_task.task_id > :task_id)"
).bindparams(sa.bindparam("refusal", type_=JSONB))
_POSTPONE = sa.text(
    "UPDATE lock_task SET lease_until = :until, failure = :failure, refusals = :refusals WHERE task_id = :task_id"
)
