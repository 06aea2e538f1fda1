"""What is kept that may say something of a person: found by the keys of the person's records, rewritten, taken out."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify.domain import Matter
from services.notify.store.notices import matters_where


async def note_erased(connection: AsyncConnection, school_id: int, keys: Collection[str]) -> None:
    """Note keys of whom nothing is told any more, whatever comes later."""
    await connection.execute(_NOTE, {"school": school_id, "keys": sorted(keys)})


async def erased_keys(connection: AsyncConnection, unit_ids: Collection[int]) -> dict[int, list[str]]:
    """Keys of whom nothing is told any more, by unit."""
    found: dict[int, list[str]] = {}
    for row in await connection.execute(_ERASED, {"units": sorted(unit_ids)}):
        found.setdefault(row.school_id, []).append(row.key)
    return found


async def lock_matters_naming(connection: AsyncConnection, unit_id: int, keys: Collection[str]) -> list[Matter]:
    """Lock the matters of a unit, but announcements and groups, whose texts hold one of the keys, maybe in a word."""
    return await matters_where(connection, _NAMING, {"unit": unit_id, "keys": sorted(keys)})


async def keep_texts(connection: AsyncConnection, matter: Matter) -> None:
    """Let a locked matter say something else, without its being newer."""
    names = ("title_vi", "title_en", "body_vi", "body_en")
    await connection.execute(_KEEP_TEXTS, {"id": matter.alert_id, **{name: getattr(matter, name) for name in names}})


async def announcements_naming(
    connection: AsyncConnection, unit_id: int, keys: Collection[str]
) -> list[Mapping[str, Any]]:
    """Lock what a unit announced, with its texts, where one of the keys stands in them or in the name of a file."""
    rows = await connection.execute(_ANNOUNCED, {"unit": unit_id, "keys": sorted(keys)})
    return [dict(row) for row in rows.mappings()]


async def keep_announced(connection: AsyncConnection, announcement_id: int, texts: Mapping[str, str]) -> None:
    """Let a locked announcement, and its matter, say something else."""
    given = {"id": announcement_id, **texts}
    await connection.execute(_KEEP_ANNOUNCED, given)
    await connection.execute(_KEEP_ANNOUNCED_MATTER, given)


async def answers_naming(
    connection: AsyncConnection, unit_id: int, keys: Collection[str]
) -> list[tuple[int, str, str]]:
    """Lock the answers of a unit's people in which one of the keys stands: announcement, subject, answers as JSON."""
    return [tuple(row) for row in await connection.execute(_ANSWERS, {"unit": unit_id, "keys": sorted(keys)})]


async def keep_answers(connection: AsyncConnection, announcement_id: int, subject: str, answers: str) -> None:
    """Write locked answers anew, from JSON."""
    given = {"id": announcement_id, "subject": subject, "answers": answers}
    await connection.execute(_KEEP_ANSWERS, given)


async def files_of(connection: AsyncConnection, announcement_ids: Sequence[int]) -> list[tuple[int, str, str]]:
    """Files that go with announcements: id, name, digest."""
    return [tuple(row) for row in await connection.execute(_FILES, {"ids": list(announcement_ids)})]


async def drop_files(connection: AsyncConnection, attachment_ids: Sequence[int], *, now: datetime) -> None:
    """Let files go with nothing any more; their contents go unless another announcement has them."""
    await connection.execute(_DROP_FILES, {"ids": list(attachment_ids), "now": now})


async def forget_person(connection: AsyncConnection, subject: str) -> int:
    """Erase how somebody is reached and where messages to him or her went; returns how many things."""
    await connection.execute(_HOLD_MESSAGES, {"subject": subject})
    count = 0
    for statement in _FORGET:
        count += (await connection.execute(statement, {"subject": subject})).rowcount
    return count


async def forget_inbox(connection: AsyncConnection, subject: str) -> int:
    """Empty somebody's inbox; returns how many notices."""
    return (await connection.execute(_FORGET_INBOX, {"subject": subject})).rowcount


def _naming(text: str) -> str:
    return f"EXISTS (SELECT FROM unnest(CAST(:keys AS text[])) AS key WHERE strpos({text}, key) > 0)"


# ruff: noqa: S608 (statements are put together of our own texts)
_NOTE = sa.text(
    "INSERT INTO erased_key SELECT :school, key FROM unnest(CAST(:keys AS text[])) AS given(key) ON CONFLICT DO NOTHING"
)
_ERASED = sa.text("SELECT school_id, key FROM erased_key WHERE school_id = ANY(CAST(:units AS bigint[]))")
_NAMING = (
    "unit_id = :unit AND announcement_id = 0 AND alert_count = 0 AND "
    + _naming("concat_ws(' ', title_vi, title_en, body_vi, body_en)")
    + " ORDER BY alert_id FOR UPDATE"
)
_KEEP_TEXTS = sa.text(
    "UPDATE matter SET title_vi = :title_vi, title_en = :title_en, body_vi = :body_vi, body_en = :body_en"
    " WHERE alert_id = :id"
)
_ANNOUNCED = sa.text(
    "SELECT announcement_id, matter_id, title_vi, title_en, body_vi, body_en, form::text AS form, recall_reason"
    " FROM announcement WHERE unit_id = :unit AND ("
    + _naming("concat_ws(' ', title_vi, title_en, body_vi, body_en, form::text, recall_reason)")
    + " OR EXISTS (SELECT FROM attachment WHERE attachment.announcement_id = announcement.announcement_id AND "
    + _naming("attachment.name")
    + ")) ORDER BY announcement_id FOR UPDATE"
)
_KEEP_ANNOUNCED = sa.text(
    "UPDATE announcement SET title_vi = :title_vi, title_en = :title_en, body_vi = :body_vi, body_en = :body_en,"
    " form = CAST(:form AS jsonb), recall_reason = :recall_reason WHERE announcement_id = :id"
)
_KEEP_ANNOUNCED_MATTER = sa.text(
    "UPDATE matter SET title_vi = :title_vi, title_en = coalesce(nullif(:title_en, ''), :title_vi),"
    " body_vi = :body_vi, body_en = coalesce(nullif(:body_en, ''), :body_vi)"
    " WHERE alert_id = (SELECT matter_id FROM announcement WHERE announcement_id = :id)"
)
_ANSWERS = sa.text(
    "SELECT announcement_id, subject, answers::text FROM receipt WHERE unit_id = :unit AND answers IS NOT NULL AND "
    + _naming("answers::text")
    + " ORDER BY announcement_id, subject FOR UPDATE"
)
_KEEP_ANSWERS = sa.text(
    "UPDATE receipt SET answers = CAST(:answers AS jsonb) WHERE announcement_id = :id AND subject = :subject"
)
_FILES = sa.text(
    "SELECT attachment_id, name, sha256 FROM attachment WHERE announcement_id = ANY(CAST(:ids AS bigint[]))"
)
_DROP_FILES = sa.text(
    "WITH gone AS (DELETE FROM attachment WHERE attachment_id = ANY(CAST(:ids AS bigint[])) RETURNING sha256)"
    " INSERT INTO discarded_object SELECT DISTINCT sha256, CAST(:now AS timestamptz) FROM gone"
    " ON CONFLICT (sha256) DO UPDATE SET discard_time = excluded.discard_time"
)
# A try that is being written down holds its message; it ends first, and is seen by what follows.
_HOLD_MESSAGES = sa.text("SELECT FROM dispatch WHERE subject = :subject ORDER BY dispatch_id FOR UPDATE")
_FORGET = (
    sa.text("DELETE FROM contact WHERE subject = :subject"),
    sa.text("DELETE FROM preference WHERE subject = :subject"),
    sa.text("DELETE FROM webhook WHERE subject = :subject"),
    sa.text("DELETE FROM route WHERE subject = :subject"),
    sa.text("DELETE FROM address_code WHERE subject = :subject"),
    sa.text(
        "DELETE FROM attempt USING dispatch WHERE dispatch.subject = :subject"
        " AND attempt.dispatch_id = dispatch.dispatch_id"
    ),
    sa.text(
        "DELETE FROM bounce USING dispatch WHERE dispatch.subject = :subject"
        " AND bounce.dispatch_id = dispatch.dispatch_id"
    ),
    sa.text("DELETE FROM dispatch WHERE subject = :subject"),
    sa.text("DELETE FROM delivery WHERE subject = :subject"),
)
_FORGET_INBOX = sa.text("DELETE FROM notice WHERE subject = :subject")
