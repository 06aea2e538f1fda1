"""Queries on alerts that are held to be changed. Bulk work is one statement whatever the number of rows."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from enum import IntEnum
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import copy_rows, given_rows
from services.alerts.domain import PUPIL, Alert, Reach, Reason, Resolution, Severity, State, Step, Transition
from services.alerts.domain.alerts import TEXTS
from services.alerts.store.tables import alert_table, rule_table, step_table

_ALERT_COLUMNS = tuple(column.name for column in alert_table.columns)
_UNRESOLVED = sa.text("alert.state <> 3")  # As in the index: a parameter would keep a generic plan from using it.
_IDENTITY = ("unit_id", "alert_id")
_AS_RAISED = ("raised_title_vi", "raised_title_en", "raised_facts", "facts_time")  # Nothing, until the facts change.
_PLAIN = tuple(name for name in _ALERT_COLUMNS if name not in ("facts", "history", *_AS_RAISED))
_RAISED = (*_PLAIN, "facts", "history")
_JSON = ("facts", "history", "raised_facts")
_as_json = json.JSONEncoder(ensure_ascii=False).encode  # Made once: `json.dumps` makes one a call.
_EACH_TIME = ("revision", "position", "history")
_CHANGING = (
    "state",
    "acknowledge_time",
    "acknowledged_by",
    "note",
    "resolve_time",
    "suppressed_by",
    "due_time",
    "escalate_time",
    "escalation_level",
    "escalated_unit_id",
    "resolution",
    "resolved_by",
    "placed_unit_id",
    "dismissed",
    *_EACH_TIME,
)
_UPDATED = (*TEXTS, "facts", *_AS_RAISED, *_EACH_TIME)
_CARRIED = ("rule_version", *_UPDATED)
_ERASED = (*_CHANGING, "subject", *TEXTS, "facts", *_AS_RAISED)
_GROUPING = ("group_by", "group_wait_seconds", "group_interval_minutes")
_FROM_RULE = ("severity", "audience_roles", "family", "fact_kind", "audience_reach", *_GROUPING)
_STEP_FIELDS = frozenset(field.name for field in fields(Step)) - {"further"}
_STEP = (
    "alert_id",
    "number",
    "transition",
    "time",
    "made_by",
    "note",
    "reason",
    "rule_version",
    "unit_id",
    "title_vi",
    "title_en",
)


async def lock_unresolved(
    connection: AsyncConnection, keys: Sequence[tuple[str, int, str]]
) -> dict[tuple[str, int, str], Alert]:
    """Lock the alerts that are not resolved, by (rule, unit, subject)."""
    given = _given_keys(keys)
    table = alert_table.c
    same = [table[name] == given.c[name] for name in ("unit_id", "rule", "subject")]
    chosen = sa.select(alert_table).join(given, sa.and_(*same, _UNRESOLVED))
    rows = await connection.execute(chosen.order_by(table.alert_id).with_for_update(of=alert_table))
    return {(row["rule"], row["unit_id"], row["subject"]): alert_of(row) for row in rows.mappings()}


async def lock_alert(connection: AsyncConnection, alert_id: int) -> Alert | None:
    """Lock one alert."""
    chosen = sa.select(alert_table).where(alert_table.c.alert_id == alert_id).with_for_update()
    row = (await connection.execute(chosen)).mappings().one_or_none()
    return None if row is None else alert_of(row)


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
    rows = ((*plain(alert), _as_json(alert.facts), _written(alert, "history")) for alert in alerts)
    await copy_rows(connection, "alert", _RAISED, rows)


async def add_steps(connection: AsyncConnection, alerts: Sequence[Alert]) -> None:
    """Write down the newest step of each of these alerts, beside the few that an alert carries with it."""
    await copy_rows(connection, "alert_step", _STEP, map(_newest_step, alerts))


def _newest_step(alert: Alert) -> tuple[Any, ...]:
    step = alert.history[-1]
    return (
        alert.alert_id,
        alert.step_count,
        int(step.transition),
        step.time,
        step.by,
        step.note,
        int(step.reason),
        step.rule_version,
        step.unit_id,
        step.title_vi,
        step.title_en,
    )


async def update_alerts(connection: AsyncConnection, alerts: Sequence[Alert]) -> None:
    """Write what changed in alerts that are locked, whatever it was but their facts, texts and rule."""
    given, values = _given(alerts, _CHANGING)
    await connection.execute(_matching(sa.update(alert_table).values(values), given))


async def update_facts(connection: AsyncConnection, alerts: Sequence[Alert]) -> None:
    """Write the newest facts and texts of alerts that are locked, and the step of those whose title changed."""
    given, values = _given(alerts, _UPDATED)
    await connection.execute(_matching(sa.update(alert_table).values(values), given))
    steps = [_newest_step(one) for one in alerts if one.history and one.history[-1].time == one.facts_time]
    if not steps:
        return
    columns = zip(*steps, strict=True)
    rows = given_rows({name: (step_table.c[name].type, column) for name, column in zip(_STEP, columns, strict=True)})
    insert = upsert(step_table).from_select(_STEP, sa.select(*(rows.c[name] for name in _STEP)))
    newest = {name: insert.excluded[name] for name in ("time", "title_vi", "title_en")}
    await connection.execute(insert.on_conflict_do_update(index_elements=_STEP[:2], set_=newest))


async def carry_alerts(connection: AsyncConnection, alerts: Sequence[Alert]) -> None:
    """Write what changed in alerts that are locked and were carried over; what their rule says of all comes from it."""
    given, values = _given(alerts, _CARRIED)
    values |= {name: rule_table.c[name] for name in _FROM_RULE}
    ours = sa.and_(rule_table.c.code == alert_table.c.rule, rule_table.c.version == given.c.rule_version)
    await connection.execute(_matching(sa.update(alert_table).values(values), given).where(ours))


async def erase_alerts(connection: AsyncConnection, alerts: Sequence[Alert]) -> None:
    """Write what is left of alerts that are locked and were erased; nothing of what happened to them is."""
    given, values = _given(alerts, _ERASED)
    await connection.execute(_matching(sa.update(alert_table).values(values), given))
    ids = sa.any_(bigints("alert_ids", [alert.alert_id for alert in alerts]))
    await connection.execute(sa.delete(step_table).where(step_table.c.alert_id == ids))


async def lock_about_pupils(connection: AsyncConnection, school_id: int, keys: Sequence[str]) -> list[Alert]:
    """Lock all alerts on pupils of a school, of whichever year, resolved or not."""
    table = alert_table.c
    key = sa.func.substr(table.subject, sa.func.strpos(table.subject, "/") + 1)
    named = sa.any_(sa.bindparam("keys", list(keys), type_=ARRAY(sa.Text)))
    chosen = sa.select(alert_table).where(table.unit_id == school_id, table.fact_kind == PUPIL, key == named)
    rows = await connection.execute(chosen.order_by(table.alert_id).with_for_update())
    return [alert_of(row) for row in rows.mappings()]


async def dismissed_alerts(
    connection: AsyncConnection, keys: Sequence[tuple[str, int, str]]
) -> dict[tuple[str, int, str], list[int]]:
    """Of these (rule, unit, subject), those that somebody closed while their condition held, with the alerts' ids."""
    given, table = _given_keys(keys), alert_table.c
    same = [table[name] == given.c[name] for name in ("unit_id", "rule", "subject")]
    names = (table.rule, table.unit_id, table.subject, table.alert_id)
    rows = await connection.execute(sa.select(*names).join(given, sa.and_(*same, table.dismissed)))
    found: dict[tuple[str, int, str], list[int]] = {}
    for rule, unit_id, subject, alert_id in rows:
        found.setdefault((rule, unit_id, subject), []).append(alert_id)
    return found


async def forget_dismissals(connection: AsyncConnection, alert_ids: Sequence[int]) -> None:
    """The conditions of these closed alerts have cleared: they may be raised anew."""
    ids = sa.any_(bigints("alert_ids", alert_ids))
    await connection.execute(sa.update(alert_table).values(dismissed=False).where(alert_table.c.alert_id == ids))


async def claim_overdue(connection: AsyncConnection, *, now: datetime, limit: int) -> list[Alert]:
    """Lock alerts that are told and whose time to climb has come, longest overdue first.

    Those another replica holds are left to it.
    """
    table = alert_table.c
    chosen = sa.select(alert_table).where(_UNRESOLVED, table.suppressed_by == "", table.escalate_time <= now)
    chosen = chosen.order_by(table.escalate_time).limit(limit).with_for_update(skip_locked=True)
    return [alert_of(row) for row in (await connection.execute(chosen)).mappings()]


async def lock_suppressed(connection: AsyncConnection, *, after: int, limit: int) -> list[Alert]:
    """Lock alerts that something keeps from being told, in the order of their ids."""
    table = alert_table.c
    chosen = sa.select(alert_table).where(_UNRESOLVED, table.suppressed_by != "", table.alert_id > after)
    chosen = chosen.order_by(table.alert_id).limit(limit).with_for_update()
    return [alert_of(row) for row in (await connection.execute(chosen)).mappings()]


async def lock_open(
    connection: AsyncConnection,
    unit_ids: Iterable[int],
    *,
    rules: Sequence[str] = (),
    family: str = "",
    subject: str = "",
    limit: int,
) -> list[Alert]:
    """Lock alerts that stand on the units, are told and not resolved, and match; what is empty matches all."""
    table = alert_table.c
    chosen = sa.select(alert_table).where(_UNRESOLVED, table.suppressed_by == "", within(unit_ids))
    if rules:
        chosen = chosen.where(table.rule == sa.any_(sa.bindparam("rules", list(rules), type_=ARRAY(sa.Text))))
    if family:
        chosen = chosen.where(table.family == family)
    if subject:
        chosen = chosen.where(table.subject == subject)
    rows = await connection.execute(chosen.order_by(table.alert_id).limit(limit).with_for_update())
    return [alert_of(row) for row in rows.mappings()]


async def lock_standing(connection: AsyncConnection, unit_ids: Iterable[int], *, limit: int) -> list[Alert]:
    """Lock alerts that stand on the units and are not resolved."""
    chosen = sa.select(alert_table).where(_UNRESOLVED, within(unit_ids)).order_by(alert_table.c.alert_id)
    rows = await connection.execute(chosen.limit(limit).with_for_update())
    return [alert_of(row) for row in rows.mappings()]


async def open_rules(
    connection: AsyncConnection, unit_ids: Iterable[int], rules: Iterable[str]
) -> set[tuple[int, str]]:
    """Which of these rules have an alert that is told and not resolved, by (unit, rule)."""
    table = alert_table.c
    named = sa.any_(sa.bindparam("rules", sorted(rules), type_=ARRAY(sa.Text)))
    chosen = sa.select(table.unit_id, table.rule).distinct().where(_UNRESOLVED, table.suppressed_by == "")
    chosen = chosen.where(table.rule == named, table.unit_id == sa.any_(bigints("unit_ids", unit_ids)))
    return {(unit_id, rule) for unit_id, rule in await connection.execute(chosen)}


async def rename_subject(connection: AsyncConnection, unit_id: int, *, kind: str, before: str, after: str) -> None:
    """Let all alerts on a thing follow it under its new name; an open one stays where another is open under that."""
    await connection.execute(_RENAME, {"unit_id": unit_id, "kind": kind, "before": before, "after": after})


async def prune_alerts(connection: AsyncConnection, *, before: datetime, limit: int) -> int:
    """Forget, with their steps, at most `limit` alerts that were resolved before an instant; says how many."""
    return len((await connection.execute(_PRUNE, {"before": before, "limit": limit})).all())


def within(unit_ids: Iterable[int]) -> sa.ColumnElement[bool]:
    """Alerts that stand on one of the units: where they were placed, else where they were raised."""
    table, ids = alert_table.c, sa.any_(bigints("unit_ids", unit_ids))
    return sa.or_(sa.and_(table.placed_unit_id.is_(None), table.unit_id == ids), table.placed_unit_id == ids)


def bigints(name: str, ids: Iterable[int]) -> sa.BindParameter[Any]:
    """Ids handed to a statement as one array."""
    return sa.bindparam(name, sorted(ids), type_=ARRAY(sa.BigInteger))


def alert_of(row: Mapping[Any, Any]) -> Alert:
    """The alert a row holds."""
    values = {name: row[name] for name in _ALERT_COLUMNS}
    values["severity"], values["state"] = Severity(row["severity"]), State(row["state"])
    values["resolution"], values["audience_reach"] = Resolution(row["resolution"]), Reach(row["audience_reach"])
    values["audience_roles"] = tuple(row["audience_roles"])
    values["history"] = tuple(map(_step, row["history"]))
    return Alert(**values)


def _given_keys(keys: Sequence[tuple[str, int, str]]) -> sa.TableValuedAlias:
    return given_rows(
        {
            "rule": (sa.Text(), [rule for rule, _, _ in keys]),
            "unit_id": (sa.BigInteger(), [unit_id for _, unit_id, _ in keys]),
            "subject": (sa.Text(), [subject for _, _, subject in keys]),
        }
    )


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
        value = [_kept_step(step) for step in value]
    return _as_json(value) if name in _JSON else value


def _kept_step(step: Step) -> dict[str, Any]:
    """A step as it is kept; what it does not say is left out, so that code before this reads it too."""
    kept = {**asdict(step), "time": step.time.isoformat()}
    kept |= kept.pop("further")
    for name in ("unit_id", "title_vi", "title_en"):
        if not kept[name]:
            del kept[name]
    return kept


def _step(kept: Mapping[str, Any]) -> Step:
    values = dict(kept) | {"time": datetime.fromisoformat(kept["time"])}
    values |= {"transition": known(Transition, kept["transition"]), "reason": known(Reason, kept["reason"])}
    further = {name: values.pop(name) for name in kept if name not in _STEP_FIELDS}
    return Step(**values, further=further)


def known(kind: type[IntEnum], number: int) -> int:
    """What a number stands for; one that a later version wrote stays a number and is handed on."""
    try:
        return kind(number)
    except ValueError:
        return number


_RENAME = sa.text(
    "UPDATE alert SET subject = :after WHERE unit_id = :unit_id AND fact_kind = :kind AND subject = :before"
    " AND (state = 3 OR NOT EXISTS (SELECT FROM alert AS other WHERE other.unit_id = alert.unit_id"
    " AND other.rule = alert.rule AND other.subject = :after AND other.state <> 3))"
)
_PRUNE = sa.text(
    "WITH gone AS (DELETE FROM alert WHERE ctid = ANY(ARRAY(SELECT ctid FROM alert WHERE state = 3"
    " AND resolve_time < :before AND NOT dismissed LIMIT :limit)) RETURNING alert_id),"
    " steps AS (DELETE FROM alert_step USING gone WHERE alert_step.alert_id = gone.alert_id)"
    " SELECT alert_id FROM gone"
)
