"""Reads the catalogue of indicators. Refuses an entry that counts by a dimension nobody knows.

A term is `{"measure", "where": {dimension: value}, "known": [dimension], "placed": true}`, all but the first optional;
`placed` counts pupils by the classes they are in.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting.domain.catalogue import DIMENSIONS, PLACED_PUPILS, Catalogue, Indicator, Term

_ALL = sa.text(
    "SELECT code, name_vi, name_en, counting_rule_vi, counting_rule_en, unit_of_count, dimensions, source_document,"
    " numerator, denominator, scale FROM indicator ORDER BY place"
)


async def load_catalogue(connection: AsyncConnection) -> Catalogue:
    """The whole catalogue, in its order."""
    return Catalogue(tuple(_indicator(row._asdict()) for row in await connection.execute(_ALL)))


def _indicator(row: Mapping[str, Any]) -> Indicator:
    fields = dict(row)
    denominator = fields.pop("denominator")
    return Indicator(
        **(fields | {"dimensions": tuple(fields["dimensions"]), "numerator": _term(fields["numerator"])}),
        denominator=_term(denominator) if denominator else None,
    )


def _term(term: Mapping[str, Any]) -> Term:
    where = tuple(sorted(term.get("where", {}).items()))
    known = tuple(term.get("known", ()))
    unknown = [name for name in (*(name for name, _ in where), *known) if name not in DIMENSIONS]
    if unknown:
        raise ValueError(f"the catalogue counts by {unknown}, which is no dimension")
    return Term(PLACED_PUPILS if term.get("placed") else term["measure"], where=where, known=known)
