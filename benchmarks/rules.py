"""How fast rules are judged: every built-in rule on facts of its kind, beside the bare expressions on the same."""

import time

import asyncpg

from benchmarks.province import Province
from benchmarks.report import Figure
from services.alerts.domain import SHAPES, Rule, Severity
from services.alerts.usecases.rulebook import compile_rule

FACTS = 20_000


async def measure(province: Province) -> list[Figure]:
    """Takes the rules in force from the database and judges as many facts of each kind."""
    connection = await asyncpg.connect(province.fleet.databases["alerts"])
    try:
        rows = await connection.fetch("SELECT * FROM rule WHERE built_in")
    finally:
        await connection.close()
    conditions = [compile_rule(_rule(row)) for row in rows]
    shapes = {kind: {name: type_() for name, type_ in shape.items()} for kind, shape in SHAPES.items()}
    count = FACTS * len(conditions)
    began = time.perf_counter()
    for condition in conditions:
        values = shapes[condition.rule.fact_kind]
        for _ in range(FACTS):
            condition.holds(values)
    judged = time.perf_counter() - began
    began = time.perf_counter()
    for condition in conditions:
        given = {"fact": shapes[condition.rule.fact_kind]}
        for _ in range(FACTS):
            condition.program.execute(given)
    bare = time.perf_counter() - began
    name = f"rules judged a second, {len(conditions)} rules on {FACTS:,} facts each"
    return [Figure(name, count / judged, "rules/s", "", count / bare, "the bare expressions")]


def _rule(row: asyncpg.Record) -> Rule:
    texts = {name: row[name] for name in ("title_vi", "title_en", "body_vi", "body_en", "clear_condition")}
    return Rule(
        row["code"],
        row["version"],
        row["fact_kind"],
        row["condition"],
        Severity(row["severity"]),
        audience_roles=tuple(row["audience_roles"]),
        **texts,
    )
