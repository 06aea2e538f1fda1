"""The dated forest itself: pure, immutable, fast. Every question takes the day it is asked for.

A unit stands in the forest on a day of its life; an edge or a grant counts on a day of its own. `valid_to` is the first
day after. Unit 0 stands for every unit.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Protocol

from iocedu.chassis.v1 import scopes_pb2

from chassis.open_days import OpenDays, Span
from chassis.years import Years

ADMINISTRATIVE = "administrative"
EVERY_UNIT = 0
MOST_VIEWS = 64  # Days and edge types whose answers are remembered at a time.


class _Dated(Protocol):
    @property
    def valid_from(self) -> date | None: ...
    @property
    def valid_to(self) -> date | None: ...


@dataclass(frozen=True, slots=True)
class ScopeEdge:
    """A dated, typed edge to a parent."""

    parent_id: int
    type: str = ADMINISTRATIVE
    valid_from: date | None = None
    valid_to: date | None = None


@dataclass(frozen=True, slots=True)
class ScopeAlias:
    """A dated name `<code system>:<code>` of a unit."""

    alias: str
    valid_from: date | None = None
    valid_to: date | None = None


@dataclass(frozen=True, slots=True)
class ScopeUnit:
    """A unit with what places it among the others."""

    unit_id: int
    kind: str = ""
    name: str = ""
    labels: tuple[str, ...] = ()
    valid_from: date | None = None
    valid_to: date | None = None
    edges: tuple[ScopeEdge, ...] = ()
    aliases: tuple[ScopeAlias, ...] = ()
    stood_for_by: tuple[int, ...] = ()  # once it has ended


@dataclass(frozen=True, slots=True)
class ScopeGrant:
    """A dated grant of a role on a unit and all below it by one type of edge."""

    grant_id: int
    subject: str
    role: str
    unit_id: int
    edge_type: str = ADMINISTRATIVE
    valid_from: date | None = None
    valid_to: date | None = None


@dataclass(frozen=True, slots=True)
class ScopeYear:
    """The day on which a numbered year begins in a unit and below it."""

    unit_id: int
    year: int
    first_day: date


@dataclass(frozen=True, slots=True)
class ScopeCalendar:
    """Terms and holidays of a unit in a numbered year."""

    unit_id: int
    year: int
    terms: tuple[Span, ...] = ()
    holidays: tuple[Span, ...] = ()


@dataclass(slots=True)
class _View:
    """Answers of one day and edge type, remembered because every request asks them again."""

    ancestors: dict[int, tuple[int, ...]] = field(default_factory=dict)
    subtrees: dict[int, frozenset[int]] = field(default_factory=dict)
    reached: dict[int, frozenset[int]] | None = None  # by the unit above, what is not alive


class ScopeTree:
    """Units and grants of one version."""

    def __init__(
        self,
        units: Iterable[ScopeUnit],
        grants: Iterable[ScopeGrant] = (),
        years: Iterable[ScopeYear] = (),
        calendars: Iterable[ScopeCalendar] = (),
        *,
        version: int = 0,
    ) -> None:
        self.version = version
        self.calendars = frozenset(calendars)
        self._units = {unit.unit_id: unit for unit in units}
        self._children: dict[int, list[tuple[int, ScopeEdge]]] = {}
        self._by_alias: dict[str, list[tuple[ScopeAlias, int]]] = {}
        for unit in self._units.values():
            for edge in unit.edges:
                self._children.setdefault(edge.parent_id, []).append((unit.unit_id, edge))
            for alias in unit.aliases:
                self._by_alias.setdefault(alias.alias, []).append((alias, unit.unit_id))
        self._by_subject: dict[str, list[ScopeGrant]] = {}
        self._by_unit: dict[int, list[ScopeGrant]] = {}
        for grant in grants:
            self._by_subject.setdefault(grant.subject, []).append(grant)
            self._by_unit.setdefault(grant.unit_id, []).append(grant)
        self._first_days: dict[int, dict[int, date]] = {}
        for one in years:
            self._first_days.setdefault(one.unit_id, {})[one.year] = one.first_day
        self._calendars: dict[int, dict[int, ScopeCalendar]] = {}
        for calendar in self.calendars:
            self._calendars.setdefault(calendar.unit_id, {})[calendar.year] = calendar
        self._open_days: dict[tuple[tuple[int, ...], frozenset[int]], OpenDays] = {}
        self._views: dict[tuple[date, str], _View] = {}
        self._without: dict[str, frozenset[int]] = {}

    @classmethod
    def from_chunks(cls, chunks: Iterable[scopes_pb2.ScopeChunk], *, version: int = 0) -> "ScopeTree":
        """Build a tree from its published parts."""
        units: list[ScopeUnit] = []
        grants: list[ScopeGrant] = []
        years: list[ScopeYear] = []
        calendars: list[ScopeCalendar] = []
        for chunk in chunks:
            units.extend(map(_unit, chunk.units))
            grants.extend(map(_grant, chunk.grants))
            years.extend(ScopeYear(one.unit_id, one.year, date.fromisoformat(one.first_day)) for one in chunk.years)
            calendars.extend(map(_calendar, chunk.calendars))
        return cls(units, grants, years, calendars, version=version)

    def __len__(self) -> int:
        """How many units there are, of any day."""
        return len(self._units)

    def unit(self, unit_id: int) -> ScopeUnit | None:
        """The unit, whether alive or not."""
        return self._units.get(unit_id)

    def units(self, day: date) -> Iterable[ScopeUnit]:
        """Every unit alive on the day."""
        return (unit for unit in self._units.values() if holds(unit, day))

    def without(self, label: str) -> frozenset[int]:
        """Every unit, whether alive or not, that does not bear a label."""
        known = self._without.get(label)
        if known is None:
            found = (unit.unit_id for unit in self._units.values() if label not in unit.labels)
            known = self._without[label] = frozenset(found)
        return known

    def resolve(self, ref: str, day: date) -> int | None:
        """The id behind a decimal id or an alias of that day; `0` is every unit. None when nothing is behind it."""
        if ref.isascii() and ref.isdigit():
            unit_id = int(ref)
            return unit_id if unit_id in self._units or unit_id == EVERY_UNIT else None
        for alias, unit_id in self._by_alias.get(ref, ()):
            if holds(alias, day):
                return unit_id
        return None

    def alias(self, unit_id: int, system: str, day: date) -> str | None:
        """The unit's name `<system>:<code>` on that day."""
        unit = self._units.get(unit_id)
        for alias in unit.aliases if unit else ():
            if alias.alias.startswith(f"{system}:") and holds(alias, day):
                return alias.alias
        return None

    def parents(self, unit_id: int, day: date, edge_type: str = ADMINISTRATIVE) -> tuple[int, ...]:
        """The units directly above."""
        unit = self._units.get(unit_id)
        if unit is None or not holds(unit, day):
            return ()
        found = (
            e.parent_id for e in unit.edges if e.type == edge_type and holds(e, day) and self._alive(e.parent_id, day)
        )
        return tuple(dict.fromkeys(found))

    def children(self, unit_id: int, day: date, edge_type: str = ADMINISTRATIVE) -> tuple[int, ...]:
        """The units directly below."""
        if not self._alive(unit_id, day):
            return ()
        below = self._children.get(unit_id, ())
        found = (child for child, e in below if e.type == edge_type and holds(e, day) and self._alive(child, day))
        return tuple(dict.fromkeys(found))

    def ancestors(self, unit_id: int, day: date, edge_type: str = ADMINISTRATIVE) -> tuple[int, ...]:
        """The units above, nearest first, without the unit itself."""
        remembered = self._view(day, edge_type).ancestors
        known = remembered.get(unit_id)
        if known is None:
            found: dict[int, None] = {}
            level: tuple[int, ...] = (unit_id,)
            while level:
                above = dict.fromkeys(parent for one in level for parent in self.parents(one, day, edge_type))
                level = tuple(parent for parent in above if parent not in found and parent != unit_id)
                found.update(dict.fromkeys(level))
            known = remembered[unit_id] = tuple(found)
        return known

    def subtree(self, unit_id: int, day: date, edge_type: str = ADMINISTRATIVE) -> frozenset[int]:
        """The unit and all below it; of unit 0, every unit alive; of an unknown unit, nothing."""
        remembered = self._view(day, edge_type).subtrees
        known = remembered.get(unit_id)
        if known is None:
            if unit_id == EVERY_UNIT:
                known = frozenset(unit.unit_id for unit in self.units(day))
            elif unit_id in self._units:
                found, waiting = {unit_id}, [unit_id]
                while waiting:
                    fresh = [one for one in self.children(waiting.pop(), day, edge_type) if one not in found]
                    found.update(fresh)
                    waiting.extend(fresh)
                known = frozenset(found)
            else:
                known = frozenset()
            remembered[unit_id] = known
        return known

    def last_day(self, unit_id: int, day: date) -> date:
        """The day itself; of a unit whose life is over by then the last of it."""
        unit = self._units.get(unit_id)
        after = unit.valid_to if unit is not None else None
        return day if after is None or day < after else after - timedelta(days=1)

    def stand_ins(self, unit_id: int, day: date) -> tuple[int, ...]:
        """The units alive that stand for one: itself while it lives.

        Before its life those under which it is to begin; after it what it was published as stood for by, and where that
        has ended too, what stands for that.
        """
        found: dict[int, None] = {}
        waiting, seen = [unit_id], {unit_id}
        while waiting:
            unit = self._units.get(waiting.pop())
            if unit is None:
                continue
            if holds(unit, day):
                found[unit.unit_id] = None
                continue
            begins = unit.valid_from if unit.valid_from is not None and day < unit.valid_from else None
            following = self.parents(unit.unit_id, begins) if begins else unit.stood_for_by
            waiting += [one for one in following if one not in seen]
            seen.update(following)
        return tuple(found)

    def above(self, unit_id: int, day: date, edge_type: str = ADMINISTRATIVE) -> tuple[int, ...]:
        """The units above whose roles reach a unit, nearest first.

        These are its ancestors; of one that is not alive, whatever is or lies above each of those that stand for it.
        """
        if self._alive(unit_id, day):
            return self.ancestors(unit_id, day, edge_type)
        chains = [(one, *self.ancestors(one, day, edge_type)) for one in self.stand_ins(unit_id, day)]
        return tuple(one for one in chains[0] if all(one in chain for chain in chains)) if chains else ()

    def edge_types(self, unit_id: int, day: date) -> list[str]:
        """The types of edges along which there can be units above."""
        standing = (self._units[one] for one in self.stand_ins(unit_id, day))
        return sorted({ADMINISTRATIVE, *(edge.type for unit in standing for edge in unit.edges)})

    def reach(self, unit_id: int, day: date, edge_type: str = ADMINISTRATIVE) -> frozenset[int]:
        """What a role on the unit reaches: its subtree, and what is not alive and lies below as `above` has it."""
        view = self._view(day, edge_type)
        if view.reached is None:
            found: dict[int, set[int]] = {}
            for one in self._units:
                if not self._alive(one, day):
                    for above in self.above(one, day, edge_type):
                        found.setdefault(above, set()).add(one)
            view.reached = {above: frozenset(ones) for above, ones in found.items()}
        if unit_id == EVERY_UNIT:
            return frozenset(self._units)
        return self.subtree(unit_id, day, edge_type) | view.reached.get(unit_id, frozenset())

    def contains(self, above: int, below: int, day: date, edge_type: str = ADMINISTRATIVE) -> bool:
        """Whether `below` is `above` or lies below it."""
        if above == EVERY_UNIT:
            return self._alive(below, day)
        return (above == below and above in self._units) or above in self.ancestors(below, day, edge_type)

    def years(self, unit_id: int, day: date) -> Years:
        """The numbered years as they hold for a unit: of each the first day that is told nearest above it."""
        told: dict[int, date] = {}
        for one in (EVERY_UNIT, *reversed(self.ancestors(unit_id, day)), unit_id):
            told.update(self._first_days.get(one, {}))
        return Years(told)

    def open_days(self, unit_id: int, day: date, *, weekdays: frozenset[int]) -> OpenDays:
        """The open days of a unit as it stands on a day: by year the nearest terms, without all holidays above."""
        chain = tuple(one for one in (unit_id, *self.ancestors(unit_id, day), EVERY_UNIT) if one in self._calendars)
        known = self._open_days.get((chain, weekdays))
        if known is None:
            nearest: dict[int, ScopeCalendar] = {}
            for one in reversed(chain):
                nearest.update(self._calendars[one])
            every = (calendar for one in chain for calendar in self._calendars[one].values())
            known = self._open_days[chain, weekdays] = OpenDays(
                (term for year in sorted(nearest) for term in nearest[year].terms),
                sorted({holiday for calendar in every for holiday in calendar.holidays}),
                weekdays=weekdays,
            )
        return known

    def grants_of(self, subject: str, day: date) -> tuple[ScopeGrant, ...]:
        """What the subject holds on that day."""
        return tuple(grant for grant in self._by_subject.get(subject, ()) if holds(grant, day))

    def may(self, subject: str, roles: Collection[str], unit_id: int, day: date) -> bool:
        """Whether the subject holds one of the roles on the unit or on one of `above`. For unit 0: on every unit."""
        for grant in self._by_subject.get(subject, ()):
            if grant.role in roles and holds(grant, day) and grant.unit_id in (EVERY_UNIT, unit_id):
                return True
        return any(
            grant.role in roles and holds(grant, day) and self.counts_on(grant, unit_id, day)
            for grant in self._by_subject.get(subject, ())
        )

    def counts_on(self, grant: ScopeGrant, unit_id: int, day: date) -> bool:
        """Whether a grant is on the unit or on one of `above`."""
        if grant.unit_id in (EVERY_UNIT, unit_id):
            return True
        return unit_id != EVERY_UNIT and grant.unit_id in self.above(unit_id, day, grant.edge_type)

    def units_of(self, subject: str, roles: Collection[str], day: date) -> frozenset[int]:
        """The units on which the subject holds one of the roles, without those below them; 0 is every unit."""
        return frozenset(g.unit_id for g in self._by_subject.get(subject, ()) if g.role in roles and holds(g, day))

    def holders(self, roles: Collection[str], unit_id: int, day: date) -> list[tuple[str, str, int]]:
        """Who holds one of the roles on the unit or on one of `above`: (subject, role, grant's unit), nearest first."""
        found: dict[tuple[str, str, int], int] = {}
        distances: dict[tuple[int, str | None], int] = {(unit_id, None): 0, (EVERY_UNIT, None): 1 << 30}
        for edge_type in self.edge_types(unit_id, day):
            for distance, above in enumerate(self.above(unit_id, day, edge_type), start=1):
                distances[above, edge_type] = distance
        for (above, followed), distance in distances.items():
            for grant in self._by_unit.get(above, ()):
                if grant.role in roles and holds(grant, day) and followed in (None, grant.edge_type):
                    found.setdefault((grant.subject, grant.role, grant.unit_id), distance)
        return sorted(found, key=lambda holder: (found[holder], holder))

    def _alive(self, unit_id: int, day: date) -> bool:
        unit = self._units.get(unit_id)
        return unit is not None and holds(unit, day)

    def _view(self, day: date, edge_type: str) -> _View:
        view = self._views.get((day, edge_type))
        if view is None:
            if len(self._views) >= MOST_VIEWS:
                self._views.pop(next(iter(self._views)))
            view = self._views[day, edge_type] = _View()
        return view


def holds(dated: _Dated, day: date) -> bool:
    """Whether the day lies in the validity: from `valid_from` on, before `valid_to`; None is open."""
    return (dated.valid_from is None or dated.valid_from <= day) and (dated.valid_to is None or day < dated.valid_to)


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def _unit(unit: scopes_pb2.ScopeUnit) -> ScopeUnit:
    edges = (ScopeEdge(e.parent_id, e.type or ADMINISTRATIVE, _day(e.valid_from), _day(e.valid_to)) for e in unit.edges)
    return ScopeUnit(
        unit_id=unit.unit_id,
        kind=unit.kind,
        name=unit.name,
        labels=tuple(unit.labels),
        valid_from=_day(unit.valid_from),
        valid_to=_day(unit.valid_to),
        edges=tuple(edges),
        aliases=tuple(ScopeAlias(a.alias, _day(a.valid_from), _day(a.valid_to)) for a in unit.aliases),
        stood_for_by=tuple(unit.stood_for_by),
    )


def _calendar(calendar: scopes_pb2.ScopeCalendar) -> ScopeCalendar:
    return ScopeCalendar(
        calendar.unit_id, calendar.year, tuple(map(_span, calendar.terms)), tuple(map(_span, calendar.holidays))
    )


def _span(span: scopes_pb2.ScopeSpan) -> Span:
    return date.fromisoformat(span.first_day), date.fromisoformat(span.last_day)


def _grant(grant: scopes_pb2.ScopeGrant) -> ScopeGrant:
    return ScopeGrant(
        grant_id=grant.grant_id,
        subject=grant.subject,
        role=grant.role,
        unit_id=grant.unit_id,
        edge_type=grant.edge_type or ADMINISTRATIVE,
        valid_from=_day(grant.valid_from),
        valid_to=_day(grant.valid_to),
    )
