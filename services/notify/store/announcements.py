"""Announcements and their files as they are kept. Who changes one holds its row."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify.domain.announcements import Announcement, Attachment, Draft, Stage
from services.notify.domain.audiences import AudienceRule
from services.notify.domain.forms import Field
from services.notify.store.tables import announcement_table, attachment_table

_TABLE = announcement_table.c
_DRAFT = ("title_vi", "title_en", "body_vi", "body_en", "severity", "due_time", "receipt_required")
_LIFE = (
    "unit_id",
    "revision",
    "created_by",
    "create_time",
    "approved_by",
    "send_time",
    "sent_time",
    "remind_time",
    "recalled_by",
    "recall_reason",
    "failure",
    "recipient_count",
    "matter_id",
)


async def add_announcement(
    connection: AsyncConnection, announcement: Announcement, *, request_id: str
) -> Announcement | None:
    """Keep one that is begun; None when its writer has begun one under this request id."""
    values = _row(announcement) | {"request_id": request_id or None}
    added = upsert(announcement_table).values(values).on_conflict_do_nothing().returning(announcement_table)
    row = (await connection.execute(added)).mappings().one_or_none()
    return None if row is None else _announcement(row, ())


async def begun_under(connection: AsyncConnection, created_by: str, request_id: str) -> Announcement | None:
    """The announcement that somebody has begun under a request id."""
    chosen = sa.select(announcement_table).where(_TABLE.created_by == created_by, _TABLE.request_id == request_id)
    return await _one(connection, chosen)


async def announcement_of(connection: AsyncConnection, announcement_id: int) -> Announcement | None:
    """An announcement with its files."""
    return await _one(connection, sa.select(announcement_table).where(_TABLE.announcement_id == announcement_id))


async def lock_announcement(connection: AsyncConnection, announcement_id: int) -> Announcement | None:
    """The same, locked until the transaction ends."""
    chosen = sa.select(announcement_table).where(_TABLE.announcement_id == announcement_id)
    return await _one(connection, chosen.with_for_update())


async def claim_to_send(connection: AsyncConnection, now: datetime) -> Announcement | None:
    """The next whose time to leave has come and that no other replica holds."""
    chosen = sa.select(announcement_table).where(_TABLE.state == int(Stage.SCHEDULED), _TABLE.send_time <= now)
    return await _one(connection, chosen.order_by(_TABLE.send_time).limit(1).with_for_update(skip_locked=True))


async def claim_to_remind(connection: AsyncConnection, now: datetime) -> Announcement | None:
    """The next that is to remind by itself and that no other replica holds."""
    chosen = sa.select(announcement_table).where(_TABLE.state == int(Stage.SENT), _TABLE.remind_time <= now)
    return await _one(connection, chosen.order_by(_TABLE.remind_time).limit(1).with_for_update(skip_locked=True))


async def keep_announcement(connection: AsyncConnection, announcement: Announcement) -> None:
    """Write down what became of one that is locked."""
    changed = sa.update(announcement_table).where(_TABLE.announcement_id == announcement.announcement_id)
    await connection.execute(changed.values(_row(announcement)))


async def list_announcements(
    connection: AsyncConnection,
    unit_ids: Collection[int],
    states: Collection[int],
    *,
    below: int | None,
    limit: int,
) -> list[Announcement]:
    """The announcements of units, the newest first, from the one begun before `below`."""
    chosen = sa.select(announcement_table).where(_TABLE.unit_id.in_(sorted(unit_ids)))
    if states:
        chosen = chosen.where(_TABLE.state.in_(sorted(states)))
    if below is not None:
        chosen = chosen.where(_TABLE.announcement_id < below)
    found = await connection.execute(chosen.order_by(_TABLE.announcement_id.desc()).limit(limit))
    rows = found.mappings().all()
    files = await _files(connection, [row["announcement_id"] for row in rows])
    return [_announcement(row, files.get(row["announcement_id"], ())) for row in rows]


async def add_attachment(connection: AsyncConnection, announcement_id: int, file: Attachment) -> Attachment:
    """Keep that a file goes with an announcement; returns it with its id."""
    values: dict[str, Any] = {
        "name": file.name,
        "media_type": file.media_type,
        "size": file.size,
        "sha256": file.sha256,
    }
    added = sa.insert(attachment_table).values(announcement_id=announcement_id, **values)
    attachment_id = (await connection.execute(added.returning(attachment_table.c.attachment_id))).scalar_one()
    return Attachment(attachment_id=attachment_id, **values)


async def drop_old_attachments(connection: AsyncConnection, *, before: datetime, now: datetime, limit: int) -> int:
    """Let at most `limit` files go whose announcement left before an instant or is not to leave; says how many."""
    return len((await connection.execute(_DROP_OLD, {"before": before, "now": now, "limit": limit})).all())


async def expect_content(connection: AsyncConnection, sha256: str, *, now: datetime) -> None:
    """A content is about to be kept: wait for whoever is just deleting it, and let nobody begin for a while.

    If it goes with no announcement in the end, it is deleted after that.
    """
    await connection.execute(_EXPECT_CONTENT, {"sha256": sha256, "now": now})


async def claim_discarded(connection: AsyncConnection, *, before: datetime, limit: int) -> list[str]:
    """Lock contents that were given up before an instant; those another replica holds are left to it."""
    return list(await connection.scalars(_CLAIM_DISCARDED, {"before": before, "limit": limit}))


async def still_attached(connection: AsyncConnection, sha256s: Sequence[str]) -> set[str]:
    """Which of these contents go with an announcement."""
    chosen = sa.select(attachment_table.c.sha256).where(attachment_table.c.sha256.in_(sha256s))
    return set(await connection.scalars(chosen))


async def forget_discarded(connection: AsyncConnection, sha256s: Sequence[str]) -> None:
    """These claimed contents are gone."""
    await connection.execute(_FORGET_DISCARDED, {"sha256s": list(sha256s)})


async def _one(connection: AsyncConnection, chosen: sa.Select[Any]) -> Announcement | None:
    row = (await connection.execute(chosen)).mappings().one_or_none()
    if row is None:
        return None
    files = await _files(connection, [row["announcement_id"]])
    return _announcement(row, files.get(row["announcement_id"], ()))


async def _files(connection: AsyncConnection, ids: Sequence[int]) -> dict[int, tuple[Attachment, ...]]:
    table = attachment_table.c
    chosen = sa.select(attachment_table).where(table.announcement_id.in_(ids)).order_by(table.attachment_id)
    found: dict[int, tuple[Attachment, ...]] = {}
    for row in (await connection.execute(chosen)).mappings():
        file = Attachment(**{name: row[name] for name in Attachment.__slots__})
        found[row["announcement_id"]] = (*found.get(row["announcement_id"], ()), file)
    return found


def _row(announcement: Announcement) -> dict[str, Any]:
    draft = announcement.draft
    return {
        **{name: getattr(draft, name) for name in _DRAFT},
        **{name: getattr(announcement, name) for name in _LIFE},
        "state": int(announcement.state),
        "audience": draft.audience.kept(),
        "form": [field.kept() for field in draft.form],
        "reminder_hours": list(draft.reminder_hours),
    }


def _announcement(row: Mapping[Any, Any], files: tuple[Attachment, ...]) -> Announcement:
    draft = Draft(
        **{name: row[name] for name in _DRAFT},
        audience=AudienceRule.of(row["audience"]),
        form=tuple(map(Field.of, row["form"])),
        reminder_hours=tuple(row["reminder_hours"]),
    )
    life = {name: row[name] for name in _LIFE}
    return Announcement(
        announcement_id=row["announcement_id"], draft=draft, state=Stage(row["state"]), attachments=files, **life
    )


_DROP_OLD = sa.text(
    "WITH old AS (SELECT attachment_id FROM attachment JOIN announcement USING (announcement_id)"
    " WHERE coalesce(sent_time, create_time) < CAST(:before AS timestamptz) OR (state = 5 AND sent_time IS NULL)"
    " ORDER BY attachment_id LIMIT :limit FOR UPDATE OF attachment SKIP LOCKED),"
    " gone AS (DELETE FROM attachment USING old WHERE attachment.attachment_id = old.attachment_id RETURNING sha256),"
    " discarded AS (INSERT INTO discarded_object SELECT DISTINCT sha256, CAST(:now AS timestamptz) FROM gone"
    " ON CONFLICT (sha256) DO UPDATE SET discard_time = excluded.discard_time)"
    " SELECT sha256 FROM gone"
)
_EXPECT_CONTENT = sa.text(
    "INSERT INTO discarded_object VALUES (:sha256, CAST(:now AS timestamptz))"
    " ON CONFLICT (sha256) DO UPDATE SET discard_time = excluded.discard_time"
)
_CLAIM_DISCARDED = sa.text(
    "SELECT sha256 FROM discarded_object WHERE discard_time < CAST(:before AS timestamptz)"
    " ORDER BY sha256 LIMIT :limit FOR UPDATE SKIP LOCKED"
)
_FORGET_DISCARDED = sa.text("DELETE FROM discarded_object WHERE sha256 = ANY(CAST(:sha256s AS text[]))")
