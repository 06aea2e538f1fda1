"""The dated forest of units as an import sees it: adds what is new, leaves what is there, refuses what cannot be.

Works in memory on everything that is stored, so that parents may come after their children and a whole reform is
judged at once. Refuses overlapping names, codes and parents, units without a parent for some of their days, parents
that do not live as long as the edge, and circles. Nothing is stored here: the outcome is a list of additions.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar

from services.records.domain.spans import Dated, Span, covered
from services.records.domain.units import (
    ADMINISTRATIVE,
    ROOT_KINDS,
    Code,
    Edge,
    InvalidUnitError,
    Name,
    Succession,
    Unit,
    UnitDraft,
)


@dataclass(slots=True)
class Additions:
    """What an import adds, by unit id."""

    units: list[Unit] = field(default_factory=list)
    names: list[tuple[int, Name]] = field(default_factory=list)
    codes: list[tuple[int, Code]] = field(default_factory=list)
    edges: list[tuple[int, Edge]] = field(default_factory=list)
    successions: list[tuple[int, Succession]] = field(default_factory=list)
    updated: set[int] = field(default_factory=set)  # units that were there and gained something
    unchanged: set[int] = field(default_factory=set)  # units that were there as given


DatedT = TypeVar("DatedT", bound=Dated)


class Forest:
    """Every unit, and which unit an alias names on a day."""

    def __init__(self, units: Iterable[Unit]) -> None:
        self._units: dict[int, Unit] = {}
        self._aliases: dict[str, list[tuple[Span, int]]] = {}
        for unit in units:
            self._units[unit.unit_id] = unit
            for code in unit.codes:
                self._aliases.setdefault(code.alias, []).append((code.span, unit.unit_id))

    def plan(self, drafts: Sequence[UnitDraft], *, ids: Iterator[int]) -> Additions:
        """Work out what to add; raises InvalidUnitError and is of no further use then."""
        found = Additions()
        units = [self._identify(draft, found, ids=ids) for draft in drafts]
        for draft, unit in zip(drafts, units, strict=True):
            for code in draft.codes[1:]:
                self._add_code(draft.title, unit, code, found)
        for draft, unit in zip(drafts, units, strict=True):
            self._add_facts(draft, unit, found)
        added = {unit.unit_id for unit in found.units}
        found.updated = {
            unit_id
            for additions in (found.names, found.codes, found.edges, found.successions)
            for unit_id, _ in additions
        } - added
        found.unchanged = {unit.unit_id for unit in units} - found.updated - added
        titles = {unit.unit_id: draft.title for draft, unit in zip(drafts, units, strict=True)}
        for unit_id in added | found.updated:
            self._check_whole(titles[unit_id], self._units[unit_id])
        return found

    def unit(self, unit_id: int) -> Unit:
        """A unit that is there."""
        return self._units[unit_id]

    def units(self) -> Iterable[Unit]:
        """Every unit, in the order in which they came."""
        return self._units.values()

    def resolve(self, ref: str, day: date) -> int | None:
        """The unit behind an alias of that day, or behind an id."""
        if ref.isdecimal():
            return int(ref) if int(ref) in self._units else None
        return next((unit_id for span, unit_id in self._aliases.get(ref, ()) if span.holds(day)), None)

    def last_bearer(self, alias: str, day: date) -> int | None:
        """The unit that bore an alias last before a day, else the one that bears it first after it."""
        bearers = self._aliases.get(alias, [])
        before = [(span.end, unit_id) for span, unit_id in bearers if span.start <= day]
        return max(before)[1] if before else min(((s.start, unit_id) for s, unit_id in bearers), default=(day, None))[1]

    def other_bearer(self, code: Code, unit_id: int) -> tuple[Unit, Span] | None:
        """Another unit that bears a code on some of its days, and on which."""
        for span, bearer in self._aliases.get(code.alias, ()):
            if bearer != unit_id and span.overlaps(code.span):
                return self._units[bearer], span
        return None

    def add_unit(self, unit: Unit) -> None:
        """Take in a unit that begins."""
        self._units[unit.unit_id] = unit
        self.set_codes(unit, unit.codes)

    def set_codes(self, unit: Unit, codes: list[Code]) -> None:
        """Give a unit other codes than it had."""
        for alias in {code.alias for code in unit.codes}:
            self._aliases[alias] = [held for held in self._aliases.get(alias, ()) if held[1] != unit.unit_id]
        unit.codes = codes
        for code in codes:
            self._aliases.setdefault(code.alias, []).append((code.span, unit.unit_id))

    def _identify(self, draft: UnitDraft, found: Additions, *, ids: Iterator[int]) -> Unit:
        """Find the unit whose code overlaps the draft's first, or begin a new one."""
        first = draft.codes[0]
        holders = {unit_id for span, unit_id in self._aliases.get(first.alias, ()) if span.overlaps(first.span)}
        if len(holders) > 1:
            raise InvalidUnitError(
                draft.title,
                vi="mã đầu tiên đã thuộc về nhiều đơn vị trong thời hạn này. Hãy thu hẹp thời hạn của mã.",
                en="its first code belonged to several units in these days. Narrow the days of the code.",
            )
        if holders:
            return self._units[holders.pop()]
        unit = Unit(next(ids), draft.kind, draft.span, tuple(draft.labels), [], [], [], [])
        self._units[unit.unit_id] = unit
        found.units.append(unit)
        self._add_code(draft.title, unit, first, found)
        return unit

    def _add_code(self, title: str, unit: Unit, code: Code, found: Additions) -> None:
        if code in unit.codes:
            return
        others = [span for span, unit_id in self._aliases.get(code.alias, ()) if unit_id != unit.unit_id]
        if any(span.overlaps(code.span) for span in others):
            raise InvalidUnitError(
                title,
                vi=f"mã «{code.alias}» đang thuộc về đơn vị khác trong thời hạn này.",
                en=f"the code {code.alias} belongs to another unit in these days.",
            )
        _refuse_overlap(title, code, [held for held in unit.codes if held.system == code.system], unit.span)
        unit.codes.append(code)
        self._aliases.setdefault(code.alias, []).append((code.span, unit.unit_id))
        found.codes.append((unit.unit_id, code))

    def _add_facts(self, draft: UnitDraft, unit: Unit, found: Additions) -> None:
        for name in draft.names:
            if name not in unit.names:
                _refuse_overlap(draft.title, name, unit.names, unit.span)
                unit.names.append(name)
                found.names.append((unit.unit_id, name))
        for ref in draft.parents:
            parent_id = self._known(draft.title, ref.parent, ref.span.start)
            edge = Edge(parent_id, ref.type, ref.span)
            if edge not in unit.edges:
                _refuse_overlap(draft.title, edge, [held for held in unit.edges if held.type == edge.type], unit.span)
                if not self._units[parent_id].span.covers(edge.span):
                    raise InvalidUnitError(
                        draft.title,
                        vi=f"đơn vị cấp trên «{ref.parent}» không tồn tại suốt thời hạn trực thuộc.",
                        en=f"its parent {ref.parent} does not live on all days of the edge.",
                    )
                unit.edges.append(edge)
                found.edges.append((unit.unit_id, edge))
        for known in draft.successions:
            successor_id = self._known(draft.title, known.successor, known.day)
            succession = Succession(successor_id, known.kind, known.day, known.partial)
            if succession not in unit.successions:
                unit.successions.append(succession)
                found.successions.append((unit.unit_id, succession))

    def _known(self, title: str, ref: str, day: date) -> int:
        unit_id = self.resolve(ref, day)
        if unit_id is None:
            vi_day = "từ đầu" if day == date.min else f"vào ngày {day.isoformat()}"
            en_day = "from the beginning" if day == date.min else f"on {day.isoformat()}"
            raise InvalidUnitError(
                title,
                vi=f"không có đơn vị nào mang mã «{ref}» {vi_day}.",
                en=f"there is no unit {ref} {en_day}.",
            )
        return unit_id

    def _check_whole(self, title: str, unit: Unit) -> None:
        """Refuse a unit that lacks a name or a parent on one of its days, or that is its own ancestor."""
        if not covered(unit.span, [name.span for name in unit.names]):
            raise InvalidUnitError(
                title,
                vi="có ngày không có tên gọi. Hãy để thời hạn các tên nối liền nhau.",
                en="it has no name on some of its days. Let the days of its names join.",
            )
        above = [edge.span for edge in unit.edges if edge.type == ADMINISTRATIVE]
        if unit.kind not in ROOT_KINDS and not covered(unit.span, above):
            raise InvalidUnitError(
                title,
                vi="có ngày không trực thuộc đơn vị hành chính nào. Hãy bổ sung đơn vị cấp trên cho mọi ngày.",
                en="it has no administrative parent on some of its days. Give it one for each day.",
            )
        for edge_type in {edge.type for edge in unit.edges}:
            if self.climbs_to(unit.unit_id, unit, edge_type, unit.span):
                raise InvalidUnitError(
                    title,
                    vi="là cấp trên của chính mình. Hãy sửa quan hệ trực thuộc.",
                    en="it would be its own ancestor. Correct its parents.",
                )

    def climbs_to(self, sought: int, start: Unit, edge_type: str, days: Span) -> bool:
        """Whether some day's way up from `start` leads to the unit sought."""
        seen: set[tuple[int, Span]] = set()
        waiting = [(start, days)]
        while waiting:
            unit, span = waiting.pop()
            for edge in unit.edges:
                shared = edge.span.common(span) if edge.type == edge_type else None
                if shared is None or (edge.parent_id, shared) in seen:
                    continue
                if edge.parent_id == sought:
                    return True
                seen.add((edge.parent_id, shared))
                waiting.append((self._units[edge.parent_id], shared))
        return False


def _refuse_overlap(title: str, fresh: DatedT, held: Iterable[DatedT], life: Span) -> None:
    """Refuse days outside the unit's life and days that are taken."""
    if not life.covers(fresh.span):
        raise InvalidUnitError(
            title,
            vi="có tên, mã hoặc quan hệ nằm ngoài thời hạn tồn tại của đơn vị.",
            en="a name, code or edge lies outside the days of its life.",
        )
    if any(other.span.overlaps(fresh.span) for other in held):
        raise InvalidUnitError(
            title,
            vi="có hai tên, mã hoặc quan hệ cùng loại trùng thời hạn. Hãy để mỗi ngày chỉ có một.",
            en="two names, codes or edges of one type overlap in time. Let each day have one.",
        )
