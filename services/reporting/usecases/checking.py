"""The checks of a form: CEL over `cells.<sheet>.<row>.<column>`, tried on samples when a form is saved, run on reports.

Refuses a condition that names an unknown cell, mixes types, fails on a sample, or does not answer yes or no. A check
over a cell without a value says nothing: that the value is missing is told by itself.
"""

import itertools
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import cel
import structlog

from services.reporting.domain.forms import Cell, Check, Defect, Form, Key, Kind, cells_of
from services.reporting.domain.reports import ERROR, MOST_CELLS_NAMED, WARNING, Finding, Value, missing

CELLS = "cells"
SAMPLES = 40
_LITERAL = re.compile(r"'[^']*'|\"[^\"]*\"")
_NAMED = re.compile(r"\bcells\b((?:\s*\.\s*\w+)*)")
_CEL_FAULTS = (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError)

log = structlog.get_logger(__name__)


def check_defects(form: Form) -> list[Defect]:
    """Everything that keeps the checks of a form, whose cells are sound, from being used."""
    cells = cells_of(form)
    return [
        Defect(f"checks[{place}].condition", vi, en)
        for place, check in enumerate(form.checks)
        for vi, en in _check_defects(check, cells)
    ]


def findings(form: Form, values: Mapping[Key, Value]) -> list[Finding]:
    """What stands against the cells of a report, errors first."""
    cells = cells_of(form)
    found = [lacking] if (lacking := missing(values)) else []
    for check in form.checks:
        finding = _finding(check, cells, values)
        if finding is not None:
            found.append(finding)
    return sorted(found, key=lambda finding: finding.severity != ERROR)


def named_cells(condition: str) -> list[Key]:
    """The cells a condition speaks of, each once."""
    paths = (re.sub(r"\s", "", found[1])[1:] for found in _NAMED.finditer(_LITERAL.sub("''", condition)))
    return list(dict.fromkeys(".".join(path.split(".")[:3]) for path in paths))


def _finding(check: Check, cells: Mapping[Key, Cell], values: Mapping[Key, Value]) -> Finding | None:
    named = named_cells(check.condition)
    given = {key: values[key].value if key in values else None for key in named}
    known = {key: value for key, value in given.items() if value is not None}
    if len(known) < len(given):
        return None
    try:
        answer = _program(check.condition).execute({CELLS: _nested(known, cells)})
    except _CEL_FAULTS as error:
        log.warning("check fails on a report", action="checking.failed", check=check.code, why=str(error))
        answer = None
    if answer is True:
        return None
    if answer is None:
        vi, en = f"Không xét được điều kiện “{check.code}”.", f"The check “{check.code}” cannot be decided."
        return Finding(check.code, WARNING, tuple(named[:MOST_CELLS_NAMED]), vi, en)
    return Finding(check.code, check.severity, tuple(named[:MOST_CELLS_NAMED]), check.message_vi, check.message_en)


def _check_defects(check: Check, cells: Mapping[Key, Cell]) -> Iterator[tuple[str, str]]:
    try:
        program = _program(check.condition)
    except ValueError as error:
        yield f"Điều kiện không phải là CEL: {error}", f"The condition is not CEL: {error}"
        return
    named = named_cells(check.condition)
    unknown = [key for key in named if key not in cells or cells[key].kind is Kind.BLANK]
    if unknown or not named or CELLS not in program.variables():
        listed = ", ".join(unknown) or "–"
        yield (
            f"Điều kiện phải nói về các ô có thật, dạng cells.<sheet>.<dòng>.<cột>; không có: {listed}.",
            f"The condition has to speak of cells there are, as cells.<sheet>.<row>.<column>; not there: {listed}.",
        )
        return
    for sample in _samples(named):
        try:
            answer = program.execute({CELLS: _nested(sample, cells)})
        except _CEL_FAULTS as error:
            yield f"Điều kiện không tính được với {sample}: {error}", f"The condition fails on {sample}: {error}"
            return
        if not isinstance(answer, bool):
            kind = type(answer).__name__
            yield f"Điều kiện cho {kind}, không phải đúng/sai.", f"The condition answers {kind}, not yes or no."
            return


def _samples(named: Sequence[Key]) -> Iterator[dict[Key, float]]:
    """Values that reach both sides of most conditions: all alike, one apart, and some at random, always the same."""
    for value in (0.0, 1.0, 1_000_000.0):
        yield dict.fromkeys(named, value)
    for key, value in itertools.product(named, (0.0, 7.0)):
        yield dict.fromkeys(named, 1.0) | {key: value}
    dice = random.Random(len(named))  # noqa: S311 (samples, not secrets)
    for _ in range(SAMPLES):
        yield {key: float(dice.randint(0, 9)) for key in named}


def _nested(values: Mapping[Key, float], cells: Mapping[Key, Cell]) -> dict[str, dict[str, dict[str, float | int]]]:
    nested: dict[str, dict[str, dict[str, float | int]]] = {}
    for key, value in values.items():
        sheet, row, column = key.split(".")
        nested.setdefault(sheet, {}).setdefault(row, {})[column] = value if cells[key].decimal else int(value)
    return nested


@lru_cache(maxsize=4096)
def _program(condition: str) -> Any:
    return cel.compile(condition)
