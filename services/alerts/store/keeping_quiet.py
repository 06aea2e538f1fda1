"""Queries on what keeps alerts from being raised or told: pending conditions, groups already told, silences."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts.domain.rules import FAMILY_OF_KIND
from services.alerts.domain.silences import Silence
from services.alerts.store.alerts import bigints
from services.alerts.store.tables import rule_table, silence_table

Key = tuple[str, int, str]
_COLUMNS = tuple(column.name for column in silence_table.columns)


@dataclass(frozen=True, slots=True)
class Group:
    """The alerts of a rule on a unit, told once within a time."""

    rule: str
    unit_id: int
    hours: int


async def pending_since(connection: AsyncConnection, keys: Sequence[Key], *, now: datetime) -> dict[Key, datetime]:
    """Since when the conditions of these (rule, unit, subject) hold; what is not known yet holds from now."""
    rows = await connection.execute(_PENDING, _arrays(keys) | {"now": now})
    return {(rule, unit_id, subject): since for rule, unit_id, subject, since in rows}


async def forget_pending(connection: AsyncConnection, keys: Sequence[Key]) -> None:
    """The conditions of these no longer hold, or were raised."""
    await connection.execute(_NOT_PENDING, _arrays(keys))


async def tell_groups(connection: AsyncConnection, groups: Iterable[Group], *, now: datetime) -> set[tuple[str, int]]:
    """Of these groups, by (rule, unit), those that are told now, as nothing of them was within their hours."""
    wanted = sorted({(one.rule, one.unit_id): one for one in groups}.items())
    rows = await connection.execute(
        _TELL,
        {
            "units": [one.unit_id for _, one in wanted],
            "rules": [one.rule for _, one in wanted],
            "since": [now - timedelta(hours=one.hours) for _, one in wanted],
            "now": now,
        },
    )
    return {(rule, unit_id) for rule, unit_id in rows}


async def silences_at(connection: AsyncConnection, now: datetime) -> list[Silence]:
    """The silences that hold at an instant."""
    table = silence_table.c
    chosen = sa.select(silence_table).where(table.start_time <= now, table.end_time > now).order_by(table.silence_id)
    return [_silence(row) for row in (await connection.execute(chosen)).mappings()]


async def add_silence(connection: AsyncConnection, silence: Silence) -> Silence:
    """Write a silence; returns it with its id."""
    values = {name: getattr(silence, name) for name in _COLUMNS if name != "silence_id"}
    row = (await connection.execute(sa.insert(silence_table).values(values).returning(silence_table))).mappings().one()
    return _silence(row)


async def lock_silence(connection: AsyncConnection, silence_id: int) -> Silence | None:
    """Lock one silence."""
    chosen = sa.select(silence_table).where(silence_table.c.silence_id == silence_id).with_for_update()
    row = (await connection.execute(chosen)).mappings().one_or_none()
    return None if row is None else _silence(row)


async def end_silence(connection: AsyncConnection, silence_id: int, *, by: str, now: datetime) -> None:
    """End a silence before its time."""
    ended = sa.update(silence_table).values(end_time=now, ended_by=by)
    await connection.execute(ended.where(silence_table.c.silence_id == silence_id))


async def list_silences(
    connection: AsyncConnection,
    unit_ids: Iterable[int],
    *,
    ending_after: datetime | None,
    below: int | None,
    limit: int,
    hidden_kinds: frozenset[str] = frozenset(),
) -> list[Silence]:
    """Silences of the units, newest first, from the one before `below`, without those that may name a hidden subject.

    A subject alone does not say of which kind it is: it is shown where rule or family say that it is not hidden.
    """
    table = silence_table.c
    chosen = sa.select(silence_table).where(table.unit_id == sa.any_(bigints("unit_ids", unit_ids)))
    if hidden_kinds:
        shown_rules = sa.select(rule_table.c.code).where(rule_table.c.fact_kind.not_in(sorted(hidden_kinds)))
        shown_families = {family for kind, family in FAMILY_OF_KIND.items() if kind not in hidden_kinds}
        of_family = sa.and_(table.rule == "", table.family.in_(sorted(shown_families)))
        chosen = chosen.where(sa.or_(table.subject == "", table.rule.in_(shown_rules), of_family))
    if ending_after is not None:
        chosen = chosen.where(table.end_time > ending_after)
    if below is not None:
        chosen = chosen.where(table.silence_id < below)
    rows = await connection.execute(chosen.order_by(table.silence_id.desc()).limit(limit))
    return [_silence(row) for row in rows.mappings()]


def _silence(row: Mapping[Any, Any]) -> Silence:
    return Silence(**{name: row[name] for name in _COLUMNS})


def _arrays(keys: Sequence[Key]) -> dict[str, list[Any]]:
    rules, units, subjects = zip(*sorted(set(keys)), strict=True) if keys else ((), (), ())
    return {"rules": list(rules), "units": list(units), "subjects": list(subjects)}


_GIVEN = (
    "unnest(CAST(:rules AS text[]), CAST(:units AS bigint[]), CAST(:subjects AS text[]))"
    " AS given(rule, unit_id, subject)"
)
_PENDING = sa.text(
    f"INSERT INTO pending (unit_id, rule, subject, since) SELECT unit_id, rule, subject, :now FROM {_GIVEN}"  # noqa: S608 (our own text)
    " ON CONFLICT (unit_id, rule, subject) DO UPDATE SET since = pending.since"
    " RETURNING rule, unit_id, subject, since"
)
_NOT_PENDING = sa.text(
    f"DELETE FROM pending USING {_GIVEN} WHERE pending.unit_id = given.unit_id AND pending.rule = given.rule"  # noqa: S608 (our own text)
    " AND pending.subject = given.subject"
)
_TELL = sa.text(
    "WITH given AS (SELECT * FROM unnest(CAST(:units AS bigint[]), CAST(:rules AS text[]),"
    " CAST(:since AS timestamptz[])) AS g(unit_id, rule, since))"
    " INSERT INTO told_group AS told (unit_id, rule, told_time) SELECT unit_id, rule, :now FROM given"
    " ON CONFLICT (unit_id, rule) DO UPDATE SET told_time = excluded.told_time"
    " WHERE told.told_time <= (SELECT g.since FROM given AS g WHERE g.unit_id = told.unit_id"
    " AND g.rule = told.rule) RETURNING rule, unit_id"
)
