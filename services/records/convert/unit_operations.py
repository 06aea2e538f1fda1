"""Operations on units between the interface and the domain: as asked, as answered, and as events."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from iocedu.records.v1 import unit_operations_pb2, units_pb2

from services.records.convert.days import text_of
from services.records.domain import differences
from services.records.domain.obstacles import Obstacle
from services.records.domain.operations import (
    CreateUnit,
    DissolveUnit,
    MergeUnits,
    MoveUnit,
    NewUnit,
    Operation,
    RecodeUnit,
    RenameUnit,
    SplitPart,
    SplitUnit,
)
from services.records.domain.reorganised import Draft
from services.records.domain.spans import Dated
from services.records.domain.timelines import nearest
from services.records.domain.units import ADMINISTRATIVE, Unit

UNITS_CHANGED: Final = "units-changed"
MOST_BYTES: Final = 256_000

_EFFECTS: Final = {
    differences.BEGINS: unit_operations_pb2.UNIT_EFFECT_TYPE_BEGINS,
    differences.ENDS: unit_operations_pb2.UNIT_EFFECT_TYPE_ENDS,
    differences.RENAMED: unit_operations_pb2.UNIT_EFFECT_TYPE_RENAMED,
    differences.RECODED: unit_operations_pb2.UNIT_EFFECT_TYPE_RECODED,
    differences.MOVED: unit_operations_pb2.UNIT_EFFECT_TYPE_MOVED,
    differences.SUCCEEDS: unit_operations_pb2.UNIT_EFFECT_TYPE_SUCCEEDS,
}


def operation_of(asked: unit_operations_pb2.UnitOperation) -> Operation:
    """The operation as the domain works it out."""
    change = asked.WhichOneof("change")
    if change == "create":
        return CreateUnit(_new(asked.create.unit))
    if change == "rename":
        return RenameUnit(asked.rename.unit, asked.rename.name)
    if change == "recode":
        return RecodeUnit(asked.recode.unit, asked.recode.system, asked.recode.code)
    if change == "move":
        return MoveUnit(asked.move.unit, asked.move.parent, asked.move.edge_type or ADMINISTRATIVE)
    if change == "merge":
        merge = asked.merge
        known = merge.WhichOneof("successor") == "successor_unit"
        return MergeUnits(list(merge.units), merge.successor_unit if known else _new(merge.new_unit))
    if change == "split":
        parts = [
            SplitPart(part.unit if part.WhichOneof("target") == "unit" else _new(part.new_unit), list(part.children))
            for part in asked.split.parts
        ]
        return SplitUnit(asked.split.unit, parts, asked.split.unit_continues, asked.split.children_to)
    return DissolveUnit(asked.dissolve.unit, asked.dissolve.children_to)


def digest_of(request: unit_operations_pb2.CreateUnitOperationRequest, *, subject: str) -> bytes:
    """What tells a repeat from another request, or another caller's, under the same id."""
    return hashlib.sha256(subject.encode() + b"\0" + request.SerializeToString(deterministic=True)).digest()


def effects_of(draft: Draft, *, stored: bool) -> Iterator[unit_operations_pb2.UnitEffect]:
    """What becomes of each unit; one that would begin has no id yet."""
    begun = {unit.unit_id for unit in draft.begun}
    for unit_id, effects in differences.effects(draft).items():
        unit = draft.forest.unit(unit_id)
        name, code = nearest(unit.names, draft.day), nearest(unit.codes, draft.day)
        yield unit_operations_pb2.UnitEffect(
            unit_id=unit_id if stored or unit_id not in begun else 0,
            alias=code.alias if code else "",
            name=name.name if name else "",
            types=[_EFFECTS[effect] for effect in effects],
        )


def obstacles_of(found: Iterable[Obstacle], language: str) -> list[unit_operations_pb2.OperationObstacle]:
    """What stands in the way, in a language."""
    return [
        unit_operations_pb2.OperationObstacle(
            reason=one.reason,
            field=one.field,
            message=one.en if language == "en" else one.vi,
            metadata=one.metadata,
        )
        for one in found
    ]


def pack_units(units: Sequence[Unit], operation: unit_operations_pb2.UnitOperation | None) -> list[tuple[bytes, int]]:
    """Events that hold these units as they are in time, each with how many; of at most 256 kB."""
    begun = unit_operations_pb2.UnitsChanged(operation=operation)
    packed, event, size = list[tuple[bytes, int]](), begun, begun.ByteSize()
    for unit in units:
        history = history_of(unit)
        weight = history.ByteSize() + 5
        if event.units and size + weight > MOST_BYTES:
            packed.append((event.SerializeToString(), len(event.units)))
            event = unit_operations_pb2.UnitsChanged(operation=operation)
            size = event.ByteSize()
        event.units.append(history)
        size += weight
    return [*packed, (event.SerializeToString(), len(event.units))] if event.units else packed


def history_of(unit: Unit) -> unit_operations_pb2.UnitHistory:
    """A unit with everything known about it in time."""
    return unit_operations_pb2.UnitHistory(
        unit_id=unit.unit_id,
        kind=unit.kind,
        names=[units_pb2.DatedName(name=one.name, **_days(one)) for one in unit.names],
        codes=[units_pb2.DatedCode(system=one.system, code=one.code, **_days(one)) for one in unit.codes],
        parents=[units_pb2.DatedParent(parent=str(one.parent_id), type=one.type, **_days(one)) for one in unit.edges],
        successions=[
            units_pb2.SuccessionInput(
                successor=str(one.successor_id), kind=one.kind, effective_date=one.day.isoformat(), partial=one.partial
            )
            for one in unit.successions
        ],
        labels=unit.labels,
        **_days(unit),
    )


def _days(dated: Dated) -> Mapping[str, str]:
    return {"valid_from": text_of(dated.span.first), "valid_to": text_of(dated.span.after)}


def _new(unit: unit_operations_pb2.NewUnit) -> NewUnit:
    return NewUnit(
        kind=unit.kind,
        name=unit.name,
        codes=[(one.system, one.code) for one in unit.codes],
        parents=[(one.parent, one.type or ADMINISTRATIVE) for one in unit.parents],
        labels=list(unit.labels),
    )
