"""Tables of alerts and every query on them. Bulk work is one statement whatever the number of rows."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, distinct_on
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import copy_rows, given_rows
from chassis.tail import newest_table
from services.alerts.domain import Alert, AlertFilter, Fact, Rule, Severity, State

metadata = sa.MetaData()
newest_table(metadata)
_INSTANT = sa.DateTime(timezone=True)

rule_table = sa.Table(
    "rule",
    metadata,
    sa.Column("code", sa.Text, primary_key=True, comment="Stable code."),
    sa.Column("version", sa.Integer, primary_key=True, comment="Version; the highest one in force counts."),
    sa.Column("fact_kind", sa.Text, nullable=False, comment="Kind of fact it looks at."),
    sa.Column("condition", sa.Text, nullable=False, comment="CEL over `fact`."),
    sa.Column("severity", sa.SmallInteger, nullable=False, comment="1 info, 2 warning, 3 critical."),
    sa.Column("title_vi", sa.Text, nullable=False, comment="Title in Vietnamese, with {placeholders}."),
    sa.Column("title_en", sa.Text, nullable=False, comment="Title in English, with {placeholders}."),
    sa.Column("body_vi", sa.Text, nullable=False, comment="Text in Vietnamese, with {placeholders}."),
    sa.Column("body_en", sa.Text, nullable=False, comment="Text in English, with {placeholders}."),
    sa.Column("audience_roles", ARRAY(sa.Text), nullable=False, comment="Roles told, at the unit and above."),
    sa.Column("source_document", sa.Text, nullable=False, comment="Document it follows."),
    sa.Column("enabled", sa.Boolean, nullable=False, comment="Whether it is evaluated."),
    sa.Column("valid_from", sa.Date, comment="First day; null: always."),
    sa.Column("valid_to", sa.Date, comment="First day after; null: open."),
    comment="Rules as data.",
)
fact_table = sa.Table(
    "fact",
    metadata,
    sa.Column("unit_id", sa.BigInteger, primary_key=True, comment="Unit it is about."),
    sa.Column("kind", sa.Text, primary_key=True, comment="Kind, which gives its shape."),
    sa.Column("subject", sa.Text, primary_key=True, comment="What within the unit; empty: the unit itself."),
    sa.Column("version", sa.BigInteger, nullable=False, comment="Rises with each change; an older one is dropped."),
    sa.Column("values", JSONB, nullable=False, comment="Its fields."),
    sa.Column("baseline", sa.Boolean, nullable=False, comment="Whether it came from history."),
    sa.Column("since", _INSTANT, comment="Instant from which silence counts; null: no clock runs."),
    sa.Column("due_time", _INSTANT, comment="When it changes by time alone; null: never."),
    sa.Index("fact_due", "due_time", postgresql_where=sa.text("due_time IS NOT NULL")),
    comment="The newest of what is known; the row's lock serialises evaluation of its alerts.",
)
alert_table = sa.Table(
    "alert",
    metadata,
    sa.Column("unit_id", sa.BigInteger, primary_key=True, comment="Unit it is about."),
    sa.Column("alert_id", sa.BigInteger, primary_key=True, autoincrement=False, comment="Position of its raising."),
    sa.Column("rule", sa.Text, nullable=False, comment="Code of the rule."),
    sa.Column("rule_version", sa.Integer, nullable=False, comment="Version of the rule that raised it."),
    sa.Column("subject", sa.Text, nullable=False, comment="What within the unit."),
    sa.Column("severity", sa.SmallInteger, nullable=False, comment="1 info, 2 warning, 3 critical."),
    sa.Column("state", sa.SmallInteger, nullable=False, comment="1 open, 2 acknowledged, 3 resolved."),
    sa.Column("title_vi", sa.Text, nullable=False, comment="Title in Vietnamese."),
    sa.Column("title_en", sa.Text, nullable=False, comment="Title in English."),
    sa.Column("body_vi", sa.Text, nullable=False, comment="Text in Vietnamese."),
    sa.Column("body_en", sa.Text, nullable=False, comment="Text in English."),
    sa.Column("facts", JSONB, nullable=False, comment="The fields that raised it, as text."),
    sa.Column("audience_roles", ARRAY(sa.Text), nullable=False, comment="Roles told."),
    sa.Column("create_time", _INSTANT, nullable=False, comment="When it was raised."),
    sa.Column("acknowledge_time", _INSTANT, comment="When it was taken in hand."),
    sa.Column("acknowledged_by", sa.Text, nullable=False, comment="Who took it; empty: nobody."),
    sa.Column("note", sa.Text, nullable=False, comment="What he or she noted."),
    sa.Column("resolve_time", _INSTANT, comment="When it was resolved."),
    sa.Column("revision", sa.Integer, nullable=False, comment="Rises with each change; the etag."),
    sa.Column("position", sa.BigInteger, nullable=False, comment="Position of the last change; commit order."),
    sa.Index("alert_one_open", "unit_id", "rule", "subject", unique=True, postgresql_where=sa.text("state <> 3")),
    sa.Index("alert_by_id", "alert_id"),
    sa.Index("alert_by_position", "position"),
    comment="Alerts; at most one per rule, unit and subject that is not resolved.",
)
_ALERT_COLUMNS = tuple(column.name for column in alert_table.columns)
_UNRESOLVED = sa.text("alert.state <> 3")  # As in the index: a parameter would keep a generic plan from using it.
_IDENTITY = ("unit_id", "alert_id")
_CHANGING = ("state", "acknowledge_time", "acknowledged_by", "note", "resolve_time", "revision", "position")
_FACT_COLUMNS = ("kind", "unit_id", "subject", "version", "values", "baseline", "since")


async def rules_in_force(connection: AsyncConnection, day: date) -> list[Rule]:
    """The highest version of each rule that is valid and enabled on the day."""
    return [rule for rule in await list_rules(connection, day) if rule.enabled]


async def list_rules(connection: AsyncConnection, day: date, *, after: str = "", limit: int = 1000) -> list[Rule]:
    """The highest valid version of each rule, by code, from the one after `after`."""
    table = rule_table.c
    chosen = (
        sa.select(rule_table)
        .ext(distinct_on(table.code))
        .where(table.code > after, sa.or_(table.valid_from.is_(None), table.valid_from <= day))
        .where(sa.or_(table.valid_to.is_(None), table.valid_to > day))
        .order_by(table.code, table.version.desc())
        .limit(limit)
    )
    return [_rule(row) for row in (await connection.execute(chosen)).mappings()]


async def keep_facts(
    connection: AsyncConnection, facts: Sequence[Fact], due_times: Sequence[datetime | None]
) -> set[tuple[int, str, str]]:
    """Keep facts that are newer than what is known, in key order; returns the keys of those that were.

    Each row kept stays locked until the transaction ends, so that nobody else decides about its alerts meanwhile.
    """
    given = given_rows(
        {
            "unit_id": (sa.BigInteger(), [fact.unit_id for fact in facts]),
            "kind": (sa.Text(), [fact.kind for fact in facts]),
            "subject": (sa.Text(), [fact.subject for fact in facts]),
            "version": (sa.BigInteger(), [fact.version for fact in facts]),
            "values": (sa.Text(), [json.dumps(fact.values, ensure_ascii=False) for fact in facts]),
            "baseline": (sa.Boolean(), [fact.baseline for fact in facts]),
            "since": (_INSTANT, [fact.since for fact in facts]),
            "due_time": (_INSTANT, due_times),
        }
    )
    table, names = fact_table.c, list(given.c.keys())
    rows = sa.select(*(sa.cast(column, JSONB) if name == "values" else column for name, column in given.c.items()))
    insert = upsert(fact_table).from_select(names, rows)
    kept = await connection.execute(
        insert.on_conflict_do_update(
            index_elements=[table.unit_id, table.kind, table.subject],
            set_={name: insert.excluded[name] for name in names},
            where=table.version < insert.excluded.version,
        ).returning(table.unit_id, table.kind, table.subject)
    )
    return {(unit_id, kind, subject) for unit_id, kind, subject in kept}


async def claim_due_facts(connection: AsyncConnection, *, now: datetime, limit: int) -> list[Fact]:
    """Lock facts whose time has come, longest due first; those another replica holds are left to it."""
    claimed = await connection.execute(
        sa.select(fact_table)
        .where(fact_table.c.due_time <= now)
        .order_by(fact_table.c.due_time)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [_fact(row) for row in claimed.mappings()]


async def put_off(connection: AsyncConnection, facts: Sequence[Fact], due_times: Sequence[datetime | None]) -> None:
    """Set when claimed facts are to be looked at next."""
    given = given_rows(
        {
            "unit_id": (sa.BigInteger(), [fact.unit_id for fact in facts]),
            "kind": (sa.Text(), [fact.kind for fact in facts]),
            "subject": (sa.Text(), [fact.subject for fact in facts]),
            "due_time": (_INSTANT, due_times),
        }
    )
    same = (fact_table.c[name] == given.c[name] for name in ("unit_id", "kind", "subject"))
    await connection.execute(sa.update(fact_table).values(due_time=given.c.due_time).where(*same))


async def lock_unresolved(
    connection: AsyncConnection, keys: Sequence[tuple[str, int, str]]
) -> dict[tuple[str, int, str], Alert]:
    """Lock the alerts that are not resolved, by (rule, unit, subject)."""
    given = given_rows(
        {
            "rule": (sa.Text(), [rule for rule, _, _ in keys]),
            "unit_id": (sa.BigInteger(), [unit_id for _, unit_id, _ in keys]),
            "subject": (sa.Text(), [subject for _, _, subject in keys]),
        }
    )
    table = alert_table.c
    same = [table[name] == given.c[name] for name in ("unit_id", "rule", "subject")]
    chosen = sa.select(alert_table).join(given, sa.and_(*same, _UNRESOLVED))
    rows = await connection.execute(chosen.order_by(table.alert_id).with_for_update(of=alert_table))
    return {(row["rule"], row["unit_id"], row["subject"]): _alert(row) for row in rows.mappings()}


async def lock_alert(connection: AsyncConnection, alert_id: int) -> Alert | None:
    """Lock one alert."""
    chosen = sa.select(alert_table).where(alert_table.c.alert_id == alert_id).with_for_update()
    row = (await connection.execute(chosen)).mappings().one_or_none()
    return None if row is None else _alert(row)


async def add_alerts(connection: AsyncConnection, alerts: Sequence[Alert]) -> None:
    """Write alerts that were raised."""
    rows = (
        tuple(
            json.dumps(alert.facts, ensure_ascii=False) if name == "facts" else getattr(alert, name)
            for name in _ALERT_COLUMNS
        )
        for alert in alerts
    )
    await copy_rows(connection, "alert", _ALERT_COLUMNS, rows)


async def update_alerts(connection: AsyncConnection, alerts: Sequence[Alert]) -> None:
    """Write what changed in alerts that are locked."""
    table = alert_table.c
    given = given_rows(
        {name: (table[name].type, [getattr(alert, name) for alert in alerts]) for name in (*_IDENTITY, *_CHANGING)}
    )
    changed = sa.update(alert_table).values({name: given.c[name] for name in _CHANGING})
    await connection.execute(changed.where(*(table[name] == given.c[name] for name in _IDENTITY)))


async def list_alerts(
    connection: AsyncConnection, wanted: AlertFilter, *, below: int | None, limit: int
) -> list[Alert]:
    """Alerts newest first, from the one raised before `below`."""
    table = alert_table.c
    chosen = sa.select(alert_table).where(
        table.unit_id == sa.any_(_bigints("unit_ids", wanted.unit_ids)),
        table.state.in_(sorted(wanted.states)),
        table.severity >= wanted.min_severity,
    )
    if wanted.rule:
        chosen = chosen.where(table.rule == wanted.rule)
    if below is not None:
        chosen = chosen.where(table.alert_id < below)
    rows = await connection.execute(chosen.order_by(table.alert_id.desc()).limit(limit))
    return [_alert(row) for row in rows.mappings()]


async def count_alerts(connection: AsyncConnection, unit_ids: frozenset[int]) -> dict[tuple[State, Severity], int]:
    """How many alerts of the units there are by state and severity."""
    table = alert_table.c
    rows = await connection.execute(
        sa.select(table.state, table.severity, sa.func.count())
        .where(table.unit_id == sa.any_(_bigints("unit_ids", unit_ids)))
        .group_by(table.state, table.severity)
        .order_by(table.state, table.severity)
    )
    return {(State(state), Severity(severity)): count for state, severity, count in rows}


async def changed_after(
    connection: AsyncConnection, unit_ids: frozenset[int], *, after: int, limit: int
) -> list[Alert]:
    """Alerts of the units whose last change lies after a position, in the order of these changes."""
    table = alert_table.c
    rows = await connection.execute(
        sa.select(alert_table)
        .where(table.position > after, table.unit_id == sa.any_(_bigints("unit_ids", unit_ids)))
        .order_by(table.position)
        .limit(limit)
    )
    return [_alert(row) for row in rows.mappings()]


def _bigints(name: str, ids: frozenset[int]) -> sa.BindParameter[Any]:
    return sa.bindparam(name, sorted(ids), type_=ARRAY(sa.BigInteger))


def _rule(row: Mapping[Any, Any]) -> Rule:
    values = dict(row) | {"severity": Severity(row["severity"]), "audience_roles": tuple(row["audience_roles"])}
    return Rule(**values)


def _fact(row: Mapping[Any, Any]) -> Fact:
    return Fact(**{name: row[name] for name in _FACT_COLUMNS})


def _alert(row: Mapping[Any, Any]) -> Alert:
    values = {name: row[name] for name in _ALERT_COLUMNS}
    values["severity"], values["state"] = Severity(row["severity"]), State(row["state"])
    values["audience_roles"] = tuple(row["audience_roles"])
    return Alert(**values)
