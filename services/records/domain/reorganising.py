"""Operations on the forest of units, worked out in memory: what would change, and what stands in the way.

Every operation changes facts from its day on and leaves what held before. Facts that already change on a later day
keep doing so: the operation holds until then. Nothing is stored here, and a forest that was worked on is of no further
use where something stood in the way.
"""

from collections.abc import Iterable, Iterator
from datetime import date

from services.records.domain import obstacles
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
from services.records.domain.reorganised import Draft, Stopped
from services.records.domain.spans import Span
from services.records.domain.timelines import changed, days_from, held_on, without
from services.records.domain.units import Code, Edge, Name, Succession, Unit

MERGED_INTO, SPLIT_INTO = "merged_into", "split_into"


def reorganise(forest: Forest, operation: Operation, *, day: date, ids: Iterator[int]) -> Draft:
    """Work out an operation that takes effect on a day; what stands in the way is in the draft's `obstacles`."""
    draft = Draft(forest, day, ids)
    try:
        _apply(draft, operation)
    except Stopped:
        return draft
    draft.check()
    return draft


def _apply(draft: Draft, operation: Operation) -> None:
    match operation:
        case CreateUnit():
            _begin(draft, operation.unit, "create.unit")
        case RenameUnit():
            _rename(draft, operation)
        case RecodeUnit():
            _recode(draft, operation)
        case MoveUnit():
            _move(draft, operation)
        case MergeUnits():
            _merge(draft, operation)
        case SplitUnit():
            _split(draft, operation)
        case DissolveUnit():
            _dissolve(draft, operation)


def _rename(draft: Draft, asked: RenameUnit) -> None:
    unit = draft.touch(draft.living(asked.unit, "rename.unit"))
    held = held_on(unit.names, draft.day)
    if held is not None and held.name == asked.name:
        draft.stop(obstacles.nothing_changes("rename.name", unit, draft.day))
    unit.names = changed(unit.names, Name(asked.name, days_from(unit.names, draft.day, life=unit.span)))


def _recode(draft: Draft, asked: RecodeUnit) -> None:
    unit = draft.touch(draft.living(asked.unit, "recode.unit"))
    own = [code for code in unit.codes if code.system == asked.system]
    rest = [code for code in unit.codes if code.system != asked.system]
    held = held_on(own, draft.day)
    if (held.code if held else "") == asked.code:
        draft.stop(obstacles.nothing_changes("recode.code", unit, draft.day))
    days = days_from(own, draft.day, life=unit.span)
    if not asked.code:
        draft.forest.set_codes(unit, rest + without(own, days))
        return
    fresh = Code(asked.system, asked.code, days)
    _refuse_taken(draft, unit, fresh, "recode.code")
    draft.forest.set_codes(unit, rest + changed(own, fresh))


def _move(draft: Draft, asked: MoveUnit) -> None:
    unit = draft.living(asked.unit, "move.unit")
    draft.concern_parents(unit)
    draft.concern_parents(unit, asked.edge_type)
    parent = draft.living(asked.parent, "move.parent")
    own = [edge for edge in unit.edges if edge.type == asked.edge_type]
    held = held_on(own, draft.day)
    if held is not None and held.parent_id == parent.unit_id:
        draft.stop(obstacles.nothing_changes("move.parent", unit, draft.day))
    if unit is parent:
        draft.stop(obstacles.own_ancestor("move.parent", unit, draft.day))
    fresh = Edge(parent.unit_id, asked.edge_type, days_from(own, draft.day, life=unit.span))
    draft.set_edge(unit, fresh)


def _merge(draft: Draft, asked: MergeUnits) -> None:
    sources = [draft.ending(ref, f"merge.units[{place}]") for place, ref in enumerate(asked.units)]
    known = _known(draft, asked.successor, "merge.successor_unit")
    _refuse_twice(draft, [*sources, *known], "merge.units")
    for unit in sources:
        draft.end(unit)
    successor = _target(draft, asked.successor, known, "merge.new_unit")
    for unit in sources:
        _succeed(draft, unit, [successor], kind=MERGED_INTO, partial=False)
        _hand_over(draft, unit, successor, draft.children_of(unit))


def _split(draft: Draft, asked: SplitUnit) -> None:
    unit = (draft.living if asked.continues else draft.ending)(asked.unit, "split.unit")
    draft.concern_parents(unit)
    known = [_known(draft, part.unit, f"split.parts[{place}].unit") for place, part in enumerate(asked.parts)]
    _refuse_twice(draft, [unit, *(one for found in known for one in found)], "split.parts")
    draft.touch(unit)
    if not asked.continues:
        draft.end(unit)
    targets = [
        _target(draft, part.unit, found, f"split.parts[{place}].new_unit")
        for place, (part, found) in enumerate(zip(asked.parts, known, strict=True))
    ]
    _succeed(draft, unit, targets, kind=SPLIT_INTO, partial=asked.continues or len(targets) > 1)
    for place, (part, target) in enumerate(zip(asked.parts, targets, strict=True)):
        for number, ref in enumerate(part.children):
            path = f"split.parts[{place}].children[{number}]"
            child = draft.living(ref, path)
            if not draft.is_below(child, unit):
                draft.stop(obstacles.not_a_child(path, child, unit, draft.day))
            _hand_over(draft, unit, target, [child])
    if asked.children_to and not asked.continues:
        taker = draft.living(asked.children_to, "split.children_to")
        _hand_over(draft, unit, taker, draft.children_of(unit))


def _dissolve(draft: Draft, asked: DissolveUnit) -> None:
    unit = draft.ending(asked.unit, "dissolve.unit")
    draft.end(unit)
    if asked.children_to:
        taker = draft.living(asked.children_to, "dissolve.children_to")
        _hand_over(draft, unit, taker, draft.children_of(unit))


def _known(draft: Draft, given: str | NewUnit, path: str) -> list[Unit]:
    """The unit that takes something over, where it is there already."""
    return [] if isinstance(given, NewUnit) else [draft.touch(draft.living(given, path))]


def _target(draft: Draft, given: str | NewUnit, known: list[Unit], path: str) -> Unit:
    """The unit that takes something over, begun where it is new."""
    return _begin(draft, given, path) if isinstance(given, NewUnit) else known[0]


def _begin(draft: Draft, given: NewUnit, path: str) -> Unit:
    life = Span(draft.day, None)
    parents = [
        (draft.living(ref, f"{path}.parents[{place}].parent"), kind) for place, (ref, kind) in enumerate(given.parents)
    ]
    unit = Unit(
        unit_id=draft.next_id(),
        kind=given.kind,
        span=life,
        labels=tuple(given.labels),
        names=[Name(given.name, life)],
        codes=[],
        edges=[],
        successions=[],
    )
    codes = [Code(system, code, life) for system, code in given.codes]
    draft.begin(unit, path)
    for place, code in enumerate(codes):
        _refuse_taken(draft, unit, code, f"{path}.codes[{place}]")
    draft.forest.set_codes(unit, codes)
    for parent, kind in parents:
        draft.set_edge(unit, Edge(parent.unit_id, kind, life))
    draft.concern_parents(unit)
    return unit


def _hand_over(draft: Draft, parent: Unit, taker: Unit, children: Iterable[Unit]) -> None:
    """Let children of one unit lie below another from the day on, by the same types of edges."""
    for child in children:
        if child is taker:
            draft.stop(obstacles.own_ancestor(draft.path_of(parent), parent, draft.day))
        for edge in list(child.edges):
            days = edge.span.common(Span(draft.day, None))
            if edge.parent_id == parent.unit_id and days is not None:
                draft.set_edge(child, Edge(taker.unit_id, edge.type, days))


def _succeed(draft: Draft, unit: Unit, successors: Iterable[Unit], *, kind: str, partial: bool) -> None:
    for successor in successors:
        known = {(one.successor_id, one.kind, one.day) for one in unit.successions}
        if (successor.unit_id, kind, draft.day) not in known:
            unit.successions.append(Succession(successor.unit_id, kind, draft.day, partial))
        draft.succeed(unit, successor)


def _refuse_taken(draft: Draft, unit: Unit, code: Code, path: str) -> None:
    other = draft.forest.other_bearer(code, unit.unit_id)
    if other is not None:
        draft.stop(obstacles.code_taken(path, code.alias, *other))


def _refuse_twice(draft: Draft, units: list[Unit], path: str) -> None:
    seen: set[int] = set()
    for place, unit in enumerate(units):
        if unit.unit_id in seen:
            draft.stop(obstacles.same_unit(f"{path}[{place}]", unit, draft.day))
        seen.add(unit.unit_id)
