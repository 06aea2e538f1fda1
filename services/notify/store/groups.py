"""Groups of alerts. Who changes one holds its row; the rows are locked by rule and unit, after the alerts' matters."""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import copy_rows
from services.notify.domain.groups import SHOWN, Contents, Group, GroupKey
from services.notify.domain.notices import Matter
from services.notify.store.notices import matters_where

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_GROUP = "matter_id, rule, unit_id, revision, occasion, tell_time"


async def lock_groups(
    connection: AsyncConnection, keys: Collection[GroupKey], alert_ids: Collection[int]
) -> list[Group]:
    """Lock the current groups of these rules and units, and all groups that any of these alerts is in."""
    given = {**_keys(keys), "alerts": sorted(alert_ids)}
    return [Group(*row) for row in await connection.execute(_LOCK, given)]


async def memberships(connection: AsyncConnection, alert_ids: Collection[int]) -> list[tuple[int, int]]:
    """In which groups these alerts are, as (matter of the group, alert)."""
    return [tuple(row) for row in await connection.execute(_MEMBERSHIPS, {"alerts": sorted(alert_ids)})]


async def current_groups(connection: AsyncConnection, keys: Collection[GroupKey]) -> dict[GroupKey, Group]:
    """The group of each rule and unit that further alerts join; where all of one are resolved a new one begins.

    The groups that were there are locked.
    """
    given = _keys(keys)
    await connection.execute(_CLOSE, given)
    rows = await connection.execute(_OPEN, given | {"never": NEVER})
    found = [Group(*row) for row in rows]
    return {group.key: group for group in found}


async def add_members(connection: AsyncConnection, pairs: Iterable[tuple[int, int]]) -> None:
    """Let alerts be in groups that are locked, as (matter of the group, alert)."""
    await copy_rows(connection, "group_member", ("matter_id", "alert_id"), sorted(set(pairs)))


async def contents_of(connection: AsyncConnection, matter_ids: Collection[int]) -> dict[int, Contents]:
    """What is in these groups now."""
    ids = {"ids": sorted(matter_ids)}
    newest: dict[int, list[Matter]] = {}
    places: dict[int, list[int]] = {}
    for row in await connection.execute(_NEWEST, ids | {"shown": SHOWN}):
        places.setdefault(row.matter_id, []).append(row.alert_id)
    known = await matters_by_id(connection, {one for found in places.values() for one in found})
    for matter_id, found in places.items():
        newest[matter_id] = [known[one] for one in found]
    return {
        row.matter_id: Contents(row.members, row.open_members, row.gravity, newest[row.matter_id])
        for row in await connection.execute(_COUNTS, ids)
    }


async def matters_by_id(connection: AsyncConnection, ids: Collection[int]) -> dict[int, Matter]:
    """Matters by their ids."""
    condition = "alert_id = ANY(CAST(:ids AS bigint[]))"
    return {one.alert_id: one for one in await matters_where(connection, condition, {"ids": sorted(ids)})}


async def members_of(connection: AsyncConnection, matter_id: int, *, below: int | None, limit: int) -> list[Matter]:
    """The alerts of a group, newest first, from the one before `below`."""
    condition = (
        "alert_id IN (SELECT alert_id FROM group_member WHERE matter_id = :id)"
        " AND (CAST(:below AS bigint) IS NULL OR alert_id < CAST(:below AS bigint))"
        " ORDER BY alert_id DESC LIMIT :limit"
    )
    return await matters_where(connection, condition, {"id": matter_id, "below": below, "limit": limit})


async def keep_groups(connection: AsyncConnection, groups: Sequence[Group]) -> None:
    """Write down how far locked groups were told."""
    await connection.execute(
        _KEEP,
        {
            "ids": [group.matter_id for group in groups],
            "revisions": [group.revision for group in groups],
            "occasions": [group.occasion for group in groups],
            "times": [group.tell_time for group in groups],
        },
    )


async def lock_notices_of(connection: AsyncConnection, matter_ids: Collection[int]) -> list[tuple[int, int, str, str]]:
    """Lock the notices about groups or alerts, in one order: notice, matter, whose and why."""
    rows = await connection.execute(_LOCK_NOTICES, {"ids": sorted(matter_ids)})
    return [tuple(row) for row in rows]


async def end_notices(connection: AsyncConnection, notice_ids: Collection[int]) -> None:
    """Take locked notices out of their inboxes, and let messages about them leave no more."""
    ids = {"ids": sorted(notice_ids)}
    await connection.execute(_END_MESSAGES, ids)
    await connection.execute(_END_NOTICES, ids)


async def told_alone(connection: AsyncConnection, alert_ids: Collection[int]) -> set[tuple[str, int]]:
    """Who has a notice of one of these alerts by itself, as (subject, alert)."""
    rows = await connection.execute(_ALONE, {"ids": sorted(alert_ids)})
    return {(row.subject, row.alert_id) for row in rows}


def _keys(keys: Collection[GroupKey]) -> dict[str, Any]:
    ordered = sorted(keys)
    return {"rules": [rule for rule, _ in ordered], "units": [unit for _, unit in ordered]}


# ruff: noqa: S608 (statements are put together of our own texts)
_WANTED = "unnest(CAST(:rules AS text[]), CAST(:units AS bigint[])) AS wanted(rule, unit_id)"
_MINE = "CAST(:ids AS bigint[])"
_LOCK = sa.text(
    f"SELECT {_GROUP} FROM alert_group WHERE matter_id IN ("
    f"SELECT held.matter_id FROM {_WANTED} JOIN alert_group AS held ON held.current AND held.rule = wanted.rule"
    " AND held.unit_id = wanted.unit_id"
    " UNION SELECT matter_id FROM group_member WHERE alert_id = ANY(CAST(:alerts AS bigint[])))"
    " ORDER BY rule, unit_id, matter_id FOR UPDATE"
)
_CLOSE = sa.text(
    f"UPDATE alert_group SET current = false FROM {_WANTED} WHERE current AND alert_group.rule = wanted.rule"
    " AND alert_group.unit_id = wanted.unit_id AND NOT EXISTS (SELECT FROM group_member JOIN matter USING (alert_id)"
    " WHERE group_member.matter_id = alert_group.matter_id AND NOT matter.resolved)"
)
_OPEN = sa.text(
    "INSERT INTO alert_group AS held (matter_id, rule, unit_id, current, revision, occasion, tell_time)"
    f" SELECT nextval('other_matter'), rule, unit_id, true, 0, 0, CAST(:never AS timestamptz) FROM {_WANTED}"
    " ORDER BY rule, unit_id ON CONFLICT (rule, unit_id) WHERE current DO UPDATE SET current = true"
    " RETURNING held.matter_id, held.rule, held.unit_id, held.revision, held.occasion, held.tell_time"
)
_MEMBERSHIPS = sa.text("SELECT matter_id, alert_id FROM group_member WHERE alert_id = ANY(CAST(:alerts AS bigint[]))")
_COUNTS = sa.text(
    "SELECT group_member.matter_id, count(*) AS members, count(*) FILTER (WHERE NOT resolved) AS open_members,"
    " max(CASE severity WHEN 'critical' THEN 3 WHEN 'warning' THEN 2 ELSE 1 END) AS gravity"
    f" FROM group_member JOIN matter USING (alert_id) WHERE group_member.matter_id = ANY({_MINE})"
    " GROUP BY group_member.matter_id"
)
_NEWEST = sa.text(
    f"SELECT given.matter_id, newest.alert_id FROM unnest({_MINE}) AS given(matter_id) CROSS JOIN LATERAL ("
    "SELECT alert_id FROM group_member WHERE group_member.matter_id = given.matter_id"
    " ORDER BY alert_id DESC LIMIT :shown) AS newest ORDER BY given.matter_id, newest.alert_id DESC"
)
_KEEP = sa.text(
    "UPDATE alert_group SET revision = given.revision, occasion = given.occasion, tell_time = given.tell_time FROM"
    f" unnest({_MINE}, CAST(:revisions AS bigint[]), CAST(:occasions AS bigint[]), CAST(:times AS timestamptz[]))"
    " AS given(matter_id, revision, occasion, tell_time) WHERE alert_group.matter_id = given.matter_id"
)
_LOCK_NOTICES = sa.text(
    f"SELECT notice_id, alert_id, subject, because FROM notice WHERE alert_id = ANY({_MINE})"
    " ORDER BY subject, notice_id FOR UPDATE"
)
# A message that waits to be sent and tells nothing any more is cancelled when its turn comes.
_END_MESSAGES = sa.text(
    "DELETE FROM delivery USING notice WHERE delivery.subject = notice.subject AND delivery.matter_id = notice.alert_id"
    f" AND notice.notice_id = ANY({_MINE}) AND (delivery.dispatch_id IS NULL OR EXISTS (SELECT FROM dispatch"
    " WHERE dispatch.dispatch_id = delivery.dispatch_id AND dispatch.state = 1))"
)
_END_NOTICES = sa.text(f"DELETE FROM notice WHERE notice_id = ANY({_MINE})")
_ALONE = sa.text(f"SELECT subject, alert_id FROM notice WHERE alert_id = ANY({_MINE})")
