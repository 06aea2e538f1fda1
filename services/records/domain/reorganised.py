"""An operation on units under way: the units it touched, as they were and will be, and what stands in the way.

Keeps how every unit was before its first change, so that what changed is a comparison, and who may change it is judged
by how things stand before.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import NoReturn

from services.records.domain import obstacles
from services.records.domain.forest import Forest
from services.records.domain.grants import EVERY_UNIT
from services.records.domain.obstacles import Obstacle
from services.records.domain.spans import Span, covered
from services.records.domain.timelines import changed, cut
from services.records.domain.units import ADMINISTRATIVE, ROOT_KINDS, Edge, Unit


class Stopped(Exception):  # noqa: N818 (not an error: the obstacle is noted, and what follows would only echo it)
    """Nothing more can be worked out."""


class Draft:
    """One operation under way on a forest."""

    def __init__(self, forest: Forest, day: date, ids: Iterator[int]) -> None:
        self.forest = forest
        self.day = day
        self.obstacles: list[Obstacle] = []
        self.concerned: dict[int, None] = {}  # units the caller must be entitled to, in the order found
        self.begun: list[Unit] = []
        self.successors: dict[int, list[Unit]] = {}  # by the unit they succeed
        self._ids = ids
        self._before: dict[int, Unit] = {}
        self._paths: dict[int, str] = {}
        self._children: dict[int, dict[int, None]] | None = None

    def living(self, ref: str, path: str) -> Unit:
        """The unit named, alive on the day."""
        unit = self._find(ref, path, (self.day, self._eve))
        if self.day < unit.span.start:
            self.stop(obstacles.before_unit(path, unit))
        if unit.span.end <= self.day:
            self.stop(self._ended(path, unit))
        return unit

    def ending(self, ref: str, path: str) -> Unit:
        """The unit named, alive before the day and without an end: one that can end on it."""
        unit = self._find(ref, path, (self._eve, self.day))
        if self.day <= unit.span.start:
            self.stop(obstacles.before_unit(path, unit))
        if unit.span.after is not None:
            self.stop(self._ended(path, unit))
        self._refuse_later(unit, path)
        self.concern_parents(unit)
        return unit

    def concern_parents(self, unit: Unit, edge_type: str = ADMINISTRATIVE) -> None:
        """Note that what happens to the unit concerns those above it too; above a root there is only every unit."""
        above = [
            edge.parent_id
            for edge in unit.edges
            if edge.type == edge_type and (edge.span.holds(self.day) or edge.span.holds(self._eve))
        ]
        if not above and unit.kind in ROOT_KINDS:
            above = [EVERY_UNIT]
        self.concerned.update(dict.fromkeys(above))

    def children_of(self, unit: Unit) -> list[Unit]:
        """The units below a unit on the day or later, by any type of edge."""
        return [child for child in map(self.forest.unit, self._below(unit)) if self.is_below(child, unit)]

    def is_below(self, child: Unit, unit: Unit) -> bool:
        """Whether a unit lies directly below another on the day or later."""
        return any(edge.parent_id == unit.unit_id and edge.span.end > self.day for edge in child.edges)

    def touch(self, unit: Unit) -> Unit:
        """Keep how a unit was, before its first change."""
        if unit.unit_id not in self._before:
            self._before[unit.unit_id] = replace(
                unit,
                names=list(unit.names),
                codes=list(unit.codes),
                edges=list(unit.edges),
                successions=list(unit.successions),
            )
        return unit

    def next_id(self) -> int:
        """An id for a unit that begins."""
        return next(self._ids)

    def begin(self, unit: Unit, path: str) -> None:
        """Take in a unit that begins on the day."""
        self.forest.add_unit(unit)
        self.begun.append(unit)
        self._paths[unit.unit_id] = path

    def end(self, unit: Unit) -> None:
        """Let a unit and all that is known of it end on the day."""
        self.touch(unit)
        unit.span = Span(unit.span.first, self.day)
        unit.names, unit.edges = cut(unit.names, self.day), cut(unit.edges, self.day)
        self.forest.set_codes(unit, cut(unit.codes, self.day))

    def set_edge(self, unit: Unit, edge: Edge) -> None:
        """Let a unit lie below a parent on the days of the edge."""
        if unit not in self.begun:
            self.touch(unit)
        own = [held for held in unit.edges if held.type == edge.type]
        unit.edges = [held for held in unit.edges if held.type != edge.type] + changed(own, edge)
        self._below(self.forest.unit(edge.parent_id))[unit.unit_id] = None

    def succeed(self, unit: Unit, successor: Unit) -> None:
        """Note who goes on for a unit."""
        self.successors.setdefault(unit.unit_id, []).append(successor)

    def path_of(self, unit: Unit) -> str:
        """The field of the request that named a unit."""
        return self._paths.get(unit.unit_id, "")

    def stop(self, obstacle: Obstacle) -> NoReturn:
        """Note what stands in the way, where nothing more can be worked out."""
        self.obstacles.append(obstacle)
        raise Stopped

    def check(self) -> None:
        """Note every rule that would be broken: orphans, parents that do not live, circles."""
        for unit in [*(unit for _, unit in self.touched()), *self.begun]:
            path = self.path_of(unit)
            if unit.span.end <= self.day:
                left = self.children_of(unit)
                if left:
                    self.obstacles.append(obstacles.has_children(path, unit, left, self.day))
            above = [edge.span for edge in unit.edges if edge.type == ADMINISTRATIVE]
            if unit.kind not in ROOT_KINDS and not covered(unit.span, above):
                self.obstacles.append(obstacles.without_parent(path, unit, self.day))
            for edge in unit.edges:
                parent = self.forest.unit(edge.parent_id)
                if not parent.span.covers(edge.span):
                    self.obstacles.append(obstacles.parent_not_alive(path, unit, parent, edge.span))
            for edge_type in {edge.type for edge in unit.edges}:
                if self.forest.climbs_to(unit.unit_id, unit, edge_type, unit.span):
                    self.obstacles.append(obstacles.own_ancestor(path, unit, self.day))

    def touched(self) -> list[tuple[Unit, Unit]]:
        """Each unit that was there and is touched, as it was and as it will be."""
        return [(was, self.forest.unit(unit_id)) for unit_id, was in self._before.items()]

    def heirs(self) -> dict[int, list[int]]:
        """Who takes over what is held on each unit that ends: its successor or, of several, those that begin."""
        begun = {unit.unit_id for unit in self.begun}
        found: dict[int, list[int]] = {}
        for was, unit in self.touched():
            if unit.span != was.span:
                successors = [one.unit_id for one in self.successors.get(unit.unit_id, ())]
                whole = len(successors) == 1
                found[unit.unit_id] = successors if whole else [one for one in successors if one in begun]
        return found

    def above(self, unit_id: int, edge_type: str, today: date) -> set[int]:
        """A unit and all above it as things stand before the operation, today or on its day nearest to today."""
        span = self._was(unit_id).span
        day = min(max(today, span.start), span.end - timedelta(days=1) if span.after else span.end)
        found, waiting = {unit_id}, [unit_id]
        while waiting:
            for edge in self._was(waiting.pop()).edges:
                if edge.type == edge_type and edge.span.holds(day) and edge.parent_id not in found:
                    found.add(edge.parent_id)
                    waiting.append(edge.parent_id)
        return found

    @property
    def _eve(self) -> date:
        return self.day - timedelta(days=1)

    def _was(self, unit_id: int) -> Unit:
        return self._before.get(unit_id) or self.forest.unit(unit_id)

    def _find(self, ref: str, path: str, days: tuple[date, date]) -> Unit:
        found = next((one for one in (self.forest.resolve(ref, day) for day in days) if one is not None), None)
        if found is None:
            found = self.forest.last_bearer(ref, self.day)
        if found is None:
            self.stop(obstacles.unknown_unit(path, ref))
        unit = self.forest.unit(found)
        if unit not in self.begun:
            self.concerned[found] = None
            self._paths.setdefault(found, path)
        return unit

    def _ended(self, path: str, unit: Unit) -> Obstacle:
        successors = [self.forest.unit(one.successor_id) for one in unit.successions]
        return obstacles.unit_ended(path, unit, self.day, successors=successors)

    def _refuse_later(self, unit: Unit, path: str) -> None:
        """Refuse an end that would undo what is recorded of later days."""
        dated = [one.span.start for facts in (unit.names, unit.codes, unit.edges) for one in facts]
        later = [start for start in [*dated, *(one.day for one in unit.successions)] if start > self.day]
        later += [
            one.day
            for other in self.forest.units()
            for one in other.successions
            if one.successor_id == unit.unit_id and one.day >= self.day
        ]
        if later:
            self.stop(obstacles.later_changes(path, unit, min(later), self.day))

    def _below(self, unit: Unit) -> dict[int, None]:
        """Units that lie below a unit on any day, those included that have been moved away by now."""
        if self._children is None:
            self._children = {}
            for child in self.forest.units():
                for edge in child.edges:
                    self._children.setdefault(edge.parent_id, {})[child.unit_id] = None
        return self._children.setdefault(unit.unit_id, {})
