"""Units in time: what a unit is, what is asked to be stored about it, and why that can be refused."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from services.records.domain.spans import Span

ADMINISTRATIVE: Final = "administrative"
SANDBOX: Final = "sandbox"  # Kind of the root of a sandbox, and label of all its units.
ROOT_KINDS: Final = frozenset({"ministry", "province", SANDBOX})  # kinds that need no unit above them


class InvalidUnitError(Exception):
    """A unit that cannot be stored as given; names it and says why, for people."""

    def __init__(self, unit: str, *, vi: str, en: str) -> None:
        super().__init__(f"{unit}: {en}")
        self.unit = unit
        self.vi = f"Đơn vị «{unit}»: {vi}"
        self.en = f"Unit {unit}: {en}"


@dataclass(frozen=True, slots=True)
class Name:
    """A name with its days."""

    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Code:
    """A code with its days; `<system>:<code>` is an alias of the unit."""

    system: str
    code: str
    span: Span

    @property
    def alias(self) -> str:
        """How requests name the unit."""
        return f"{self.system}:{self.code}"


@dataclass(frozen=True, slots=True)
class Edge:
    """An edge of one type to a parent, with its days."""

    parent_id: int
    type: str
    span: Span


@dataclass(frozen=True, slots=True)
class Succession:
    """What a unit became on a day; partial when only a part of it went there."""

    successor_id: int
    kind: str
    day: date
    partial: bool


@dataclass(frozen=True, slots=True)
class NamedSuccession:
    """A succession with how its units were known: the one as on the day before, the other as on the day."""

    unit_id: int
    alias: str
    name: str
    successor_id: int
    successor_alias: str
    successor_name: str
    kind: str
    day: date
    partial: bool


@dataclass(frozen=True, slots=True)
class ParentRef:
    """An edge whose parent is still named by alias or id."""

    parent: str
    type: str
    span: Span


@dataclass(frozen=True, slots=True)
class SuccessionRef:
    """A succession whose successor is still named by alias or id."""

    successor: str
    kind: str
    day: date
    partial: bool


@dataclass(frozen=True, slots=True)
class UnitDraft:
    """A unit as someone asks to store it; the first code says which unit it is."""

    kind: str
    span: Span
    names: Sequence[Name]
    codes: Sequence[Code]
    parents: Sequence[ParentRef]
    successions: Sequence[SuccessionRef]
    labels: Sequence[str]

    @property
    def title(self) -> str:
        """The alias by which faults name the unit."""
        return self.codes[0].alias


@dataclass(slots=True)
class Unit:
    """A unit with everything known about it in time."""

    unit_id: int
    kind: str
    span: Span
    labels: tuple[str, ...]
    names: list[Name]
    codes: list[Code]
    edges: list[Edge]
    successions: list[Succession]

    @property
    def stood_for_by(self) -> list[int]:
        """What stands for it from its end on: its successors, or where it has none the units it was last under."""
        if self.span.after is None:
            return []
        last = self.span.after - timedelta(days=1)
        following = [one.successor_id for one in self.successions if one.day == self.span.after]
        return following or [one.parent_id for one in self.edges if one.type == ADMINISTRATIVE and one.span.holds(last)]


@dataclass(frozen=True, slots=True)
class UnitDay:
    """A unit as of a day."""

    unit_id: int
    kind: str
    name: str
    sort_name: str
    span: Span
    labels: tuple[str, ...]
    codes: tuple[str, ...]
    edges: tuple[Edge, ...]
    successions: tuple[Succession, ...]
