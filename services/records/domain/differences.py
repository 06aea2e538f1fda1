"""What an operation on units comes to: the facts to remove and to add, and what becomes of each unit in one word."""

from dataclasses import dataclass, field
from typing import Final

from services.records.domain.forest import Additions
from services.records.domain.reorganised import Draft
from services.records.domain.spans import Span
from services.records.domain.units import Code, Edge, Name, Unit

BEGINS: Final = "begins"
ENDS: Final = "ends"
RENAMED: Final = "renamed"
RECODED: Final = "recoded"
MOVED: Final = "moved"
SUCCEEDS: Final = "succeeds"


@dataclass(slots=True)
class Difference:
    """What is to be stored: facts to remove, lives that end sooner, and what to add."""

    names: list[tuple[int, Name]] = field(default_factory=list)
    codes: list[tuple[int, Code]] = field(default_factory=list)
    edges: list[tuple[int, Edge]] = field(default_factory=list)
    lives: dict[int, Span] = field(default_factory=dict)
    added: Additions = field(default_factory=Additions)


def difference(draft: Draft) -> Difference:
    """What is to be stored."""
    found = Difference()
    found.added.units = list(draft.begun)
    for unit in draft.begun:
        _note(found, unit, Unit(unit.unit_id, unit.kind, unit.span, (), [], [], [], []))
    for was, unit in draft.touched():
        if unit.span != was.span:
            found.lives[unit.unit_id] = unit.span
        _note(found, unit, was)
    return found


def effects(draft: Draft) -> dict[int, list[str]]:
    """What becomes of each unit, by id; units that stay as they are are missing."""
    found = {unit.unit_id: [BEGINS] for unit in draft.begun}
    for was, unit in draft.touched():
        if unit.span != was.span:
            found[unit.unit_id] = [ENDS]
            continue
        pairs = ((RENAMED, was.names, unit.names), (RECODED, was.codes, unit.codes), (MOVED, was.edges, unit.edges))
        became = [effect for effect, old, new in pairs if set(old) != set(new)]
        if became or unit.successions != was.successions:
            found[unit.unit_id] = became
    for successors in draft.successors.values():
        for successor in successors:
            became = found.setdefault(successor.unit_id, [])
            if SUCCEEDS not in became:
                became.append(SUCCEEDS)
    return found


def _note(found: Difference, unit: Unit, was: Unit) -> None:
    """Note the facts that go and those that come."""
    number = unit.unit_id
    found.names += [(number, one) for one in was.names if one not in unit.names]
    found.codes += [(number, one) for one in was.codes if one not in unit.codes]
    found.edges += [(number, one) for one in was.edges if one not in unit.edges]
    found.added.names += [(number, one) for one in unit.names if one not in was.names]
    found.added.codes += [(number, one) for one in unit.codes if one not in was.codes]
    found.added.edges += [(number, one) for one in unit.edges if one not in was.edges]
    found.added.successions += [(number, one) for one in unit.successions if one not in was.successions]
