"""Queries on rules."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts.domain import Rule, Severity
from services.alerts.store.tables import rule_table


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


def _rule(row: Mapping[Any, Any]) -> Rule:
    values = dict(row) | {"severity": Severity(row["severity"]), "audience_roles": tuple(row["audience_roles"])}
    return Rule(**values)
