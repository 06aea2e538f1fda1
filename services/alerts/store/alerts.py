"""Queries on alerts. Bulk work is one statement whatever the number of rows."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import copy_rows, given_rows
from services.alerts.domain import (
    SHOWN_STEPS,
    Alert,
    AlertFilter,
    Count,
    Reason,
    Severity,
    State,
    Step,
    Transition,
)
from services.alerts.store.tables import alert_table, rule_table

_ALERT_COLUMNS = tuple(column.name for column in alert_table.columns)
_UNRESOLVED = sa.text("alert.state <> 3")  # As in the index: a parameter would keep a generic plan from using it.
_IDENTITY = ("unit_id", "alert_id")
_PLAIN = tuple(name for name in _ALERT_COLUMNS if name not in ("facts", "history"))
_RAISED = (*_PLAIN, "facts")  # The history is empty, as by default.
_TEXTS = ("title_vi", "title_en", "body_vi", "body_en")
_JSON = ("facts", "history")
_as_json = json.JSONEncoder(ensure_ascii=False).encode  # Made once: `json.dumps` makes one a call.
_EACH_TIME = ("revision", "position", "history")
_SHOWN = [
    sa.func.jsonb_path_query_array(column, sa.text(f"'$[last - {SHOWN_STEPS - 1} to last]'")).label(column.name)
    if column.name == "history"
    else column
    for column in alert_table.columns
]  # For readers: not every step of a thousand alerts at once.
_CHANGING = ("state", "acknowledge_time", "acknowledged_by", "note", "resolve_time", *_EACH_TIME)
_CARRIED = ("rule_version", *_TEXTS, "facts", *_EACH_TIME)


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


async def outdated_alerts(
    connection: AsyncConnection, in_force: Mapping[str, int], *, sparing: Sequence[str], after: int, limit: int
) -> dict[int, tuple[str, int, str]]:
    """(rule, unit, subject), by id, of alerts that are not resolved and stand on another version than the one in force.

    They come in the order of their ids, from the first one behind `after`. `in_force` gives versions by rule; alerts
    of a rule that has none are outdated too, those of rules to spare are not.
    """
    table = alert_table.c
    given = given_rows({"code": (sa.Text(), list(in_force)), "version": (sa.Integer(), list(in_force.values()))})
    same = sa.and_(given.c.code == table.rule, given.c.version == table.rule_version)
    rows = await connection.execute(
        sa.select(table.alert_id, table.rule, table.unit_id, table.subject)
        .where(_UNRESOLVED, table.alert_id > after, ~sa.exists().where(same))
        .where(table.rule != sa.all_(sa.bindparam("sparing", list(sparing), type_=ARRAY(sa.Text))))
        .order_by(table.alert_id)
        .limit(limit)
    )
    return {alert_id: (rule, unit_id, subject) for alert_id, rule, unit_id, subject in rows}


async def add_alerts(connection: AsyncConnection, alerts: Sequence[Alert]) -> None:
    """Write alerts that were raised."""
    plain = attrgetter(*_PLAIN)
    rows = ((*plain(alert), _as_json(alert.facts)) for alert in alerts)
    await copy_rows(connection, "alert", _RAISED, rows)


async def update_alerts(connection: AsyncConnection, alerts: Sequence[Alert]) -> None:
    """Write what changed in alerts that are locked, and taken or resolved."""
    given, values = _given(alerts, _CHANGING)
    await connection.execute(_matching(sa.update(alert_table).values(values), given))


async def carry_alerts(connection: AsyncConnection, alerts: Sequence[Alert]) -> None:
    """Write what changed in alerts that are locked and were carried over; what their rule says of all comes from it."""
    given, values = _given(alerts, _CARRIED)
    values |= {name: rule_table.c[name] for name in ("severity", "audience_roles")}
    ours = sa.and_(rule_table.c.code == alert_table.c.rule, rule_table.c.version == given.c.rule_version)
    await connection.execute(_matching(sa.update(alert_table).values(values), given).where(ours))


async def list_alerts(
    connection: AsyncConnection, wanted: AlertFilter, *, below: int | None, limit: int
) -> list[Alert]:
    """Alerts newest first, from the one raised before `below`, with the newest steps of their histories."""
    table = alert_table.c
    chosen = sa.select(*_SHOWN).where(
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


async def count_alerts(connection: AsyncConnection, unit_ids: frozenset[int]) -> list[Count]:
    """How many alerts of the units are not resolved, by unit, state and severity; the rest is many years of them."""
    table = alert_table.c
    rows = await connection.execute(
        sa.select(table.unit_id, table.state, table.severity, sa.func.count())
        .where(_UNRESOLVED, table.unit_id == sa.any_(_bigints("unit_ids", unit_ids)))
        .group_by(table.unit_id, table.state, table.severity)
    )
    return [Count(unit_id, State(state), Severity(severity), count) for unit_id, state, severity, count in rows]


async def changed_after(
    connection: AsyncConnection, unit_ids: frozenset[int], *, after: int, limit: int
) -> list[Alert]:
    """Alerts of the units whose last change lies after a position, in the order of these changes.

    They come with the newest steps of their histories.
    """
    table = alert_table.c
    rows = await connection.execute(
        sa.select(*_SHOWN)
        .where(table.position > after, table.unit_id == sa.any_(_bigints("unit_ids", unit_ids)))
        .order_by(table.position)
        .limit(limit)
    )
    return [_alert(row) for row in rows.mappings()]


def _given(
    alerts: Sequence[Alert], names: Sequence[str]
) -> tuple[sa.TableValuedAlias, dict[str, sa.ColumnElement[Any]]]:
    """Alerts as rows of a statement, and what it sets."""
    table = alert_table.c
    kinds = {name: sa.Text() if name in _JSON else table[name].type for name in (*_IDENTITY, *names)}
    given = given_rows({name: (kind, [_written(alert, name) for alert in alerts]) for name, kind in kinds.items()})
    return given, {name: sa.cast(given.c[name], JSONB) if name in _JSON else given.c[name] for name in names}


def _matching(statement: sa.Update, given: sa.TableValuedAlias) -> sa.Update:
    return statement.where(*(alert_table.c[name] == given.c[name] for name in _IDENTITY))


def _written(alert: Alert, name: str) -> Any:
    value = getattr(alert, name)
    if name == "history":
        value = [{**asdict(step), "time": step.time.isoformat()} for step in value]
    return _as_json(value) if name in _JSON else value


def _step(kept: Mapping[str, Any]) -> Step:
    values = dict(kept) | {"time": datetime.fromisoformat(kept["time"])}
    return Step(**values | {"transition": Transition(kept["transition"]), "reason": Reason(kept["reason"])})


def _bigints(name: str, ids: frozenset[int]) -> sa.BindParameter[Any]:
    return sa.bindparam(name, sorted(ids), type_=ARRAY(sa.BigInteger))


def _alert(row: Mapping[Any, Any]) -> Alert:
    values = {name: row[name] for name in _ALERT_COLUMNS}
    values["severity"], values["state"] = Severity(row["severity"]), State(row["state"])
    values["audience_roles"] = tuple(row["audience_roles"])
    values["history"] = tuple(map(_step, row["history"]))
    return Alert(**values)
