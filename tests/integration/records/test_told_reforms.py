"""The real reforms of 2025 told to the service call by call."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from iocedu.records.v1 import unit_operations_pb2

from services.records.domain.forest import Forest
from services.records.domain.operations import (
    CreateUnit,
    DissolveUnit,
    MergeUnits,
    MoveUnit,
    NewUnit,
    Operation,
    RecodeUnit,
    RenameUnit,
    SplitUnit,
)
from services.records.domain.units import Code, Name, Unit
from services.records.store.units import add_units, load_units
from tests.integration.records.scenes import Running
from tests.integration.records.test_reforms import AFTER, BEFORE, BETWEEN
from tests.integration.records.test_unit_operations import asked
from tests.unit.records.forests import as_drafts
from tests.unit.records.reforms import REFORMS, Reform, imported, rewound


def _asked(operation: Operation) -> dict[str, Any]:
    """An operation as an integrator writes it."""
    match operation:
        case CreateUnit():
            return {"create": {"unit": _new(operation.unit)}}
        case RenameUnit():
            return {"rename": {"unit": operation.unit, "name": operation.name}}
        case RecodeUnit():
            return {"recode": {"unit": operation.unit, "system": operation.system, "code": operation.code}}
        case MoveUnit():
            return {"move": {"unit": operation.unit, "parent": operation.parent}}
        case MergeUnits():
            successor = operation.successor
            into = {"new_unit": _new(successor)} if isinstance(successor, NewUnit) else {"successor_unit": successor}
            return {"merge": {"units": operation.units, **into}}
        case SplitUnit():
            parts = [{"unit": part.unit} for part in operation.parts]
            return {"split": {"unit": operation.unit, "parts": parts, "children_to": operation.children_to}}
        case DissolveUnit():
            return {"dissolve": {"unit": operation.unit, "children_to": operation.children_to}}


def _new(unit: NewUnit) -> dict[str, Any]:
    return {
        "kind": unit.kind,
        "name": unit.name,
        "codes": [{"system": system, "code": code} for system, code in unit.codes],
        "parents": [{"parent": parent, "type": kind} for parent, kind in unit.parents],
        "labels": list(unit.labels),
    }


def _told(units: Iterable[Unit], day: date) -> set[tuple[Any, ...]]:
    """Every unit alive on a day as one knows it without ids: names, codes, and the codes of its parents."""
    codes = {one.unit_id: _held(one.codes, day) for one in units}
    return {
        (
            one.kind,
            _held(one.names, day),
            codes[one.unit_id],
            *(codes[edge.parent_id] for edge in one.edges if edge.span.holds(day)),
        )
        for one in units
        if one.span.holds(day)
    }


def _held(facts: Iterable[Name] | Iterable[Code], day: date) -> str:
    return "|".join(fact.name if isinstance(fact, Name) else fact.alias for fact in facts if fact.span.holds(day))


async def test_the_reforms_told_by_calls_leave_what_their_import_leaves(empty: Running):
    """Hundreds of operations through the service and the database's own rules, on both days."""
    end = imported()
    forest = rewound(end)
    drafts = as_drafts(list(forest.units()))
    async with empty.database.transaction() as connection:
        await add_units(connection, Forest([]).plan(drafts, ids=iter([one.unit_id for one in forest.units()])))
        await connection.exec_driver_sql("DELETE FROM unit_code WHERE system = 'id'")
        await connection.exec_driver_sql(f"SELECT setval('unit_id', {max(one.unit_id for one in end.units())})")
    stub, ids, number = await empty.operations(), dict[str, str](), 0
    for day in REFORMS:
        reform = Reform(end, forest, day)
        reform.run()
        for operation, begun in reform.done:
            number += 1
            request = asked(str(number), day.isoformat(), **_renumbered(_asked(operation), ids))
            answer = await stub.CreateUnitOperation(request)
            begins = [one.unit_id for one in answer.effects if unit_operations_pb2.UNIT_EFFECT_TYPE_BEGINS in one.types]
            ids |= {str(one): str(now) for one, now in zip(begun, begins, strict=True)}
    async with empty.database.connection() as connection:
        stored = await load_units(connection)
    for day in (date.fromisoformat(text) for text in (BEFORE, BETWEEN, AFTER)):
        assert _told(stored, day) == _told(list(end.units()), day)


def _renumbered(asked_for: Any, ids: dict[str, str]) -> Any:
    """Units that began by an earlier call, by the ids the service gave them."""
    if isinstance(asked_for, dict):
        named = {"unit", "units", "parent", "parts", "successor_unit", "children_to"}
        return {
            key: _renumbered(one, ids) if key in named or isinstance(one, dict | list) else one
            for key, one in asked_for.items()
        }
    if isinstance(asked_for, list | tuple):
        return [_renumbered(one, ids) for one in asked_for]
    return ids.get(asked_for, asked_for)
