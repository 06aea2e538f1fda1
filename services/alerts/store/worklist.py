"""Questions about alerts that change nothing: lists, counts, what moved, what happened, how rules did."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts.domain import (
    SHOWN_STEPS,
    Alert,
    AlertFilter,
    Count,
    Reason,
    Resolution,
    Severity,
    State,
    Step,
    Transition,
)
from services.alerts.domain.asked import AlertsOn
from services.alerts.domain.rules import RuleStatistics
from services.alerts.store.alerts import alert_of, known, within
from services.alerts.store.tables import alert_table, step_table

_UNRESOLVED = sa.text("alert.state <> 3")  # As in the index: a parameter would keep a generic plan from using it.
_SHOWN = [
    sa.func.jsonb_path_query_array(column, sa.text(f"'$[last - {SHOWN_STEPS - 1} to last]'")).label(column.name)
    if column.name == "history"
    else column
    for column in alert_table.columns
]  # For readers: not every step of a thousand alerts at once.
_PLACE = sa.func.coalesce(alert_table.c.placed_unit_id, alert_table.c.unit_id)


async def list_alerts(
    connection: AsyncConnection, wanted: AlertFilter, *, below: int | None, limit: int
) -> list[Alert]:
    """Alerts newest first, from the one raised before `below`, with the newest steps of their histories."""
    chosen = _chosen(wanted, *_SHOWN)
    if below is not None:
        chosen = chosen.where(alert_table.c.alert_id < below)
    rows = await connection.execute(chosen.order_by(alert_table.c.alert_id.desc()).limit(limit))
    return [alert_of(row) for row in rows.mappings()]


async def group_alerts(connection: AsyncConnection, wanted: AlertFilter) -> list[AlertsOn]:
    """Alerts added up by rule and unit, with the title of the newest of each."""
    table = alert_table.c
    counted = _chosen(
        wanted,
        table.rule,
        _PLACE.label("place"),
        sa.func.count(),
        sa.func.count().filter(table.state == int(State.ACKNOWLEDGED)),
        sa.func.max(table.severity),
        sa.func.min(table.create_time),
        sa.func.max(table.alert_id).label("newest"),
    ).group_by(sa.text("1, 2"))
    by = counted.subquery()
    told = (column for column in by.c if column.key != "newest")
    chosen: sa.Select[Any] = sa.select(*told, table.title_vi, table.title_en).join(by, table.alert_id == by.c.newest)
    return [AlertsOn(*row) for row in await connection.execute(chosen)]


def _chosen(wanted: AlertFilter, *columns: Any) -> sa.Select[Any]:
    table = alert_table.c
    chosen = sa.select(*columns).where(
        within(wanted.unit_ids), _seen_as(wanted.states), table.severity >= wanted.min_severity
    )
    if wanted.rule:
        chosen = chosen.where(table.rule == wanted.rule)
    if wanted.subject:
        chosen = chosen.where(table.subject == wanted.subject)
    if wanted.families:
        chosen = chosen.where(table.family.in_(sorted(wanted.families)))
    if wanted.taken_by:
        chosen = chosen.where(table.acknowledged_by == wanted.taken_by)
    if wanted.raised_before is not None:
        chosen = chosen.where(table.create_time <= wanted.raised_before)
    return _without(chosen, wanted.hidden_kinds)


async def count_alerts(
    connection: AsyncConnection, unit_ids: Iterable[int], *, hidden_kinds: frozenset[str] = frozenset()
) -> list[Count]:
    """How many alerts of the units are not resolved, by unit, state and severity; the rest is many years of them."""
    table = alert_table.c
    seen = sa.case((table.suppressed_by != "", int(State.SUPPRESSED)), else_=table.state).label("seen")
    by = (_PLACE.label("place"), seen, table.severity, table.family)
    counted = _without(sa.select(*by, sa.func.count()).where(_UNRESOLVED, within(unit_ids)), hidden_kinds)
    rows = await connection.execute(counted.group_by(sa.text("1, 2, 3, 4")))
    return [Count(unit_id, State(state), Severity(grave), count, kin) for unit_id, state, grave, kin, count in rows]


async def changed_after(
    connection: AsyncConnection,
    unit_ids: Iterable[int],
    *,
    after: int,
    limit: int,
    hidden_kinds: frozenset[str] = frozenset(),
) -> list[Alert]:
    """Alerts of the units whose last change lies after a position, in the order of these changes.

    They come with the newest steps of their histories.
    """
    table = alert_table.c
    chosen = _without(sa.select(*_SHOWN).where(table.position > after, within(unit_ids)), hidden_kinds)
    rows = await connection.execute(chosen.order_by(table.position).limit(limit))
    return [alert_of(row) for row in rows.mappings()]


async def find_alert(connection: AsyncConnection, alert_id: int) -> Alert | None:
    """One alert as it is, without holding it."""
    chosen = sa.select(alert_table).where(alert_table.c.alert_id == alert_id)
    row = (await connection.execute(chosen)).mappings().one_or_none()
    return None if row is None else alert_of(row)


async def list_steps(connection: AsyncConnection, alert_id: int, *, after: int, limit: int) -> list[tuple[int, Step]]:
    """Everything that happened to an alert since it was raised, numbered, from the step behind `after`."""
    table = step_table.c
    chosen = sa.select(step_table).where(table.alert_id == alert_id, table.number > after)
    rows = await connection.execute(chosen.order_by(table.number).limit(limit))
    return [
        (
            row.number,
            Step(
                known(Transition, row.transition),
                row.time,
                row.rule_version,
                by=row.made_by,
                note=row.note,
                reason=known(Reason, row.reason),
                unit_id=row.unit_id,
                title_vi=row.title_vi,
                title_en=row.title_en,
            ),
        )
        for row in rows
    ]


async def rule_statistics(
    connection: AsyncConnection,
    unit_ids: Iterable[int],
    *,
    since: datetime,
    hidden_kinds: frozenset[str],
    offset: int,
    limit: int,
) -> list[RuleStatistics]:
    """How rules did with the alerts they raised since an instant, noisiest first."""
    table, count = alert_table.c, sa.func.count()
    raised = count.label("raised")
    chosen = sa.select(
        table.rule,
        sa.func.max(table.family),
        raised,
        count.filter(_UNRESOLVED),
        count.filter(table.acknowledge_time.is_not(None)),
        count.filter(table.resolution != 0),
        count.filter(table.resolution == int(Resolution.FALSE_ALARM)),
        count.filter(table.escalation_level > 0),
        _median_minutes(table.acknowledge_time),
        _median_minutes(table.resolve_time),
        sa.func.count(sa.distinct(_PLACE)),
    ).where(within(unit_ids), table.create_time >= since)
    chosen = _without(chosen, hidden_kinds).group_by(table.rule).order_by(raised.desc(), table.rule)
    return [RuleStatistics(*row) for row in await connection.execute(chosen.offset(offset).limit(limit))]


async def open_by_severity(connection: AsyncConnection) -> dict[Severity, int]:
    """How many alerts are not resolved, by how grave they are."""
    chosen = sa.select(alert_table.c.severity, sa.func.count()).where(_UNRESOLVED).group_by(alert_table.c.severity)
    found = {Severity(severity): count for severity, count in await connection.execute(chosen)}
    return {severity: found.get(severity, 0) for severity in Severity}


async def count_open(connection: AsyncConnection, rule: str, unit_ids: Iterable[int]) -> int:
    """How many alerts of a rule stand on the units and are not resolved."""
    chosen = sa.select(sa.func.count()).where(_UNRESOLVED, within(unit_ids), alert_table.c.rule == rule)
    return int(await connection.scalar(chosen) or 0)


def _median_minutes(until: sa.Column[Any]) -> sa.ColumnElement[Any]:
    passed = sa.extract("epoch", until - alert_table.c.create_time) / 60
    return sa.cast(sa.func.percentile_cont(0.5).within_group(passed), sa.Float)


def _without(chosen: sa.Select[Any], hidden_kinds: frozenset[str]) -> sa.Select[Any]:
    return chosen.where(alert_table.c.fact_kind.not_in(sorted(hidden_kinds))) if hidden_kinds else chosen


def _seen_as(states: frozenset[State]) -> sa.ColumnElement[bool]:
    """Alerts that people see in one of the states."""
    table = alert_table.c
    wanted: list[sa.ColumnElement[bool]] = []
    if told := sorted(states - {State.SUPPRESSED, State.RESOLVED}):
        wanted.append(sa.and_(table.state.in_(told), table.suppressed_by == ""))
    if State.SUPPRESSED in states:
        wanted.append(sa.and_(_UNRESOLVED, table.suppressed_by != ""))
    if State.RESOLVED in states:
        wanted.append(table.state == int(State.RESOLVED))
    return sa.or_(*wanted) if wanted else sa.false()
