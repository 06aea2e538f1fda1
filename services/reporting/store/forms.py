"""Queries on forms. A version is only ever added."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

FormRow = Mapping[str, Any]
_FORM_LOCK = 0x666F726D  # "form": authors save one after the other.


async def newest_forms(connection: AsyncConnection, *, after: str, limit: int) -> list[FormRow]:
    """The newest version of each form, by code, from the one after `after`."""
    rows = await connection.execute(_NEWEST, {"after": after, "limit": limit})
    return [row._asdict() for row in rows]


async def find_form(connection: AsyncConnection, code: str, version: int = 0) -> FormRow | None:
    """A version of a form (0: the newest), or None."""
    row = (await connection.execute(_ONE, {"code": code, "version": version})).first()
    return row._asdict() if row else None


async def hold_forms(connection: AsyncConnection) -> None:
    """Let nobody else save a form until the transaction ends, so that versions follow each other."""
    await connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _FORM_LOCK})


async def add_form(
    connection: AsyncConnection, code: str, version: int, *, unit_id: int, definition: Mapping[str, Any], by: str
) -> FormRow:
    """Add a version."""
    given = {"code": code, "version": version, "unit_id": unit_id, "definition": definition, "by": by}
    return (await connection.execute(_ADD, given)).one()._asdict()


_COLUMNS = "code, version, unit_id, sample, definition, created_by, create_time"
_NEWEST = sa.text(
    f"SELECT DISTINCT ON (code) {_COLUMNS} FROM form WHERE code > :after ORDER BY code, version DESC LIMIT :limit"  # noqa: S608
)
_ONE = sa.text(
    f"SELECT {_COLUMNS} FROM form WHERE code = :code AND (version = :version OR :version = 0)"  # noqa: S608
    " ORDER BY version DESC LIMIT 1"
)
_ADD = sa.text(
    "INSERT INTO form (code, version, unit_id, sample, definition, created_by)"  # noqa: S608
    f" VALUES (:code, :version, :unit_id, false, :definition, :by) RETURNING {_COLUMNS}"
).bindparams(sa.bindparam("definition", type_=JSONB))
