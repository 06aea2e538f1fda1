"""The real units of Quảng Nam and Đà Nẵng: as they are imported, and the same reforms told as operations one by one."""

import copy
import itertools
from collections.abc import Iterator
from datetime import date, timedelta

from iocedu.records.v1 import units_pb2

from demo import places
from services.records.convert.units import drafts_of
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
    SplitPart,
    SplitUnit,
)
from services.records.domain.reorganising import reorganise
from services.records.domain.spans import Span
from services.records.domain.timelines import held_on
from services.records.domain.units import ADMINISTRATIVE, Code, Edge, Name, Unit

REFORMS = (date(2025, 1, 1), date(2025, 7, 1))
DEPTHS = {"province": 0, "department": 1, "district": 1, "commune": 2}


def inputs() -> list[units_pb2.UnitInput]:
    """The units as the demo imports them."""
    return [units_pb2.UnitInput(**unit) for unit in places.load().units]


def imported() -> Forest:
    """Everything, both reforms included, as one import leaves it."""
    return Forest(Forest([]).plan(drafts_of(inputs()), ids=itertools.count(1)).units)


def rewound(end: Forest) -> Forest:
    """The units of before the reforms, as if nothing of them were known yet; under the ids they have in the end."""
    eve = REFORMS[0] - timedelta(days=1)
    return Forest(
        Unit(
            one.unit_id,
            one.kind,
            Span(),
            one.labels,
            [Name(held.name, Span()) for held in one.names if held.span.holds(eve)],
            [Code(held.system, held.code, Span()) for held in one.codes if held.span.holds(eve)],
            [Edge(held.parent_id, held.type, Span()) for held in one.edges if held.span.holds(eve)],
            [],
        )
        for one in copy.deepcopy(list(end.units()))
        if one.span.holds(eve)
    )


class Reform:
    """Tells one day of the end state as operations, and does them; new units get the ids they have in the end."""

    def __init__(self, end: Forest, forest: Forest, day: date) -> None:
        self._end = end
        self._forest = forest
        self._day = day
        self._ended = [one for one in end.units() if one.span.after == day]
        self.done: list[tuple[Operation, tuple[int, ...]]] = []  # each with the units it begins

    def run(self) -> None:
        """From the communes up: begin, merge, split, dissolve; then names, codes and parents that still differ."""
        for one in sorted(self._ended, key=lambda unit: -DEPTHS[unit.kind]):
            self._begin_successors(one)
        for one in [one for one in self._end.units() if one.span.first == self._day and not self._there(one)]:
            self._do(CreateUnit(self._new(one)), one.unit_id)
        for one in sorted(self._ended, key=lambda unit: -DEPTHS[unit.kind]):
            if self._forest.unit(one.unit_id).span.after is None:
                self._finish(one)
        for one in self._end.units():
            if one.span.holds(self._day):
                for operation in self._differences(one):
                    self._do(operation)

    def _begin_successors(self, ended: Unit) -> None:
        """Merge all that goes whole into one new unit."""
        if len(ended.successions) != 1 or self._there(self._end.unit(ended.successions[0].successor_id)):
            return
        successor = self._end.unit(ended.successions[0].successor_id)
        whole = [str(unit_id) for unit_id in self._going_whole_into(successor)]
        self._do(MergeUnits(whole, self._new(successor)), successor.unit_id)

    def _finish(self, ended: Unit) -> None:
        """End what has not ended yet: into units that are there by now, or into none."""
        ref, successors = str(ended.unit_id), [str(one.successor_id) for one in ended.successions]
        if not successors:
            province = self._end.resolve("gso:48", self._day)
            self._do(DissolveUnit(ref, str(province)))
        elif len(successors) == 1:
            self._do(MergeUnits([ref], successors[0]))
        else:
            self._do(SplitUnit(ref, [SplitPart(one) for one in successors], children_to=successors[0]))

    def _differences(self, wanted: Unit) -> Iterator[Operation]:
        """What is still other than in the end state on the day."""
        unit, ref, day = self._forest.unit(wanted.unit_id), str(wanted.unit_id), self._day
        name, had = held_on(wanted.names, day), held_on(unit.names, day)
        if name and had and name.name != had.name:
            yield RenameUnit(ref, name.name)
        code, bore = held_on(wanted.codes, day), held_on(unit.codes, day)
        if code and (bore is None or code.code != bore.code):
            yield RecodeUnit(ref, code.system, code.code)
        edge, hung = held_on(wanted.edges, day), held_on(unit.edges, day)
        if edge and hung and edge.parent_id != hung.parent_id:
            yield MoveUnit(ref, str(edge.parent_id))

    def _new(self, unit: Unit) -> NewUnit:
        """A unit that begins; a code that another still bears is given at the end."""
        name, code, edge = (held_on(unit.names, self._day), unit.codes[0], held_on(unit.edges, self._day))
        assert name is not None
        assert edge is not None
        bearer = self._forest.resolve(code.alias, self._day)
        free = bearer is None or bearer in self._going_whole_into(unit)
        codes = [(code.system, code.code)] if free else []
        return NewUnit(unit.kind, name.name, codes, [(str(edge.parent_id), ADMINISTRATIVE)], unit.labels)

    def _going_whole_into(self, successor: Unit) -> list[int]:
        return [
            one.unit_id
            for one in self._ended
            if [known.successor_id for known in one.successions] == [successor.unit_id]
        ]

    def _there(self, unit: Unit) -> bool:
        return self._forest.resolve(str(unit.unit_id), self._day) is not None

    def _do(self, operation: Operation, *begun: int) -> None:
        draft = reorganise(self._forest, operation, day=self._day, ids=iter(begun))
        assert [one.en for one in draft.obstacles] == []
        self.done.append((operation, begun))
