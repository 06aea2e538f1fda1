"""Queries on rules: their versions, which of them is in force, and what staff switched on and off."""

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts.domain import Reach, Rule, Severity
from services.alerts.store.tables import rule_switch_table, rule_table

_COLUMNS = tuple(column.name for column in fields(Rule))
_LISTS = ("audience_roles", "inhibited_by", "with_kinds", "optional_kinds")
_SWITCHED = sa.func.coalesce(rule_switch_table.c.enabled, sa.true()).label("switched")


async def rules_in_force(connection: AsyncConnection, day: date) -> list[Rule]:
    """The highest version of each rule that is valid and enabled on the day."""
    return [rule for rule in await list_rules(connection, day) if rule.enabled]


async def list_rules(connection: AsyncConnection, day: date, *, after: str = "", limit: int = 1000) -> list[Rule]:
    """The highest valid version of each rule, by code, from the one after `after`."""
    table = rule_table.c
    chosen = (
        _rules()
        .ext(distinct_on(table.code))
        .where(table.code > after, sa.or_(table.valid_from.is_(None), table.valid_from <= day))
        .where(sa.or_(table.valid_to.is_(None), table.valid_to > day))
        .order_by(table.code, table.version.desc())
        .limit(limit)
    )
    return [_rule(row) for row in (await connection.execute(chosen)).mappings()]


async def list_versions(
    connection: AsyncConnection, code: str, *, below: int | None = None, limit: int = 1000
) -> list[Rule]:
    """All versions of a rule, newest first, from the one before `below`."""
    chosen = _rules().where(rule_table.c.code == code)
    if below is not None:
        chosen = chosen.where(rule_table.c.version < below)
    chosen = chosen.order_by(rule_table.c.version.desc()).limit(limit)
    return [_rule(row) for row in (await connection.execute(chosen)).mappings()]


async def rule_versions(connection: AsyncConnection, codes: frozenset[str]) -> dict[tuple[str, int], Rule]:
    """Every version of these rules, by code and version."""
    chosen = _rules().where(rule_table.c.code.in_(sorted(codes)))
    rules = [_rule(row) for row in (await connection.execute(chosen)).mappings()]
    return {(rule.code, rule.version): rule for rule in rules}


async def lock_code(connection: AsyncConnection, code: str) -> None:
    """Let nobody else write a version of this rule until the transaction ends."""
    await connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:code, 0))"), {"code": code})


async def add_version(connection: AsyncConnection, rule: Rule) -> None:
    """Write a version."""
    values = {name: getattr(rule, name) for name in _COLUMNS}
    values |= {"severity": int(rule.severity), "audience_reach": int(rule.audience_reach)}
    values |= {name: list(getattr(rule, name)) for name in _LISTS}
    await connection.execute(sa.insert(rule_table).values(values))


async def switch(connection: AsyncConnection, code: str, *, enabled: bool, note: str, by: str, now: datetime) -> None:
    """Keep whether a rule may be in force."""
    values = {"code": code, "enabled": enabled, "note": note, "switched_by": by, "switch_time": now}
    insert = upsert(rule_switch_table).values(values)
    await connection.execute(
        insert.on_conflict_do_update(index_elements=["code"], set_={name: insert.excluded[name] for name in values})
    )


def _rules() -> sa.Select[Any]:
    joined = rule_table.outerjoin(rule_switch_table, rule_switch_table.c.code == rule_table.c.code)
    return sa.select(*(rule_table.c[name] for name in _COLUMNS), _SWITCHED).select_from(joined)


def _rule(row: Mapping[Any, Any]) -> Rule:
    values = {name: row[name] for name in _COLUMNS}
    values |= {"severity": Severity(row["severity"]), "audience_reach": Reach(row["audience_reach"])}
    values |= {name: tuple(row[name]) for name in _LISTS}
    rule = Rule(**values)
    return rule if row["switched"] else replace(rule, enabled=False)
