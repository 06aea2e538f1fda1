"""Operations on units as someone asks for them; units are still named by alias or id.

An operation takes effect on a day, which is no part of it, and holds from that day until the next recorded change.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from services.records.domain.units import ADMINISTRATIVE


@dataclass(frozen=True, slots=True)
class NewUnit:
    """A unit that begins with the operation."""

    kind: str
    name: str
    codes: Sequence[tuple[str, str]] = ()  # (system, code)
    parents: Sequence[tuple[str, str]] = ()  # (alias or id, type of edge)
    labels: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class CreateUnit:
    """A unit begins."""

    unit: NewUnit


@dataclass(frozen=True, slots=True)
class RenameUnit:
    """A unit gets another name."""

    unit: str
    name: str


@dataclass(frozen=True, slots=True)
class RecodeUnit:
    """A unit gets another code in a system, or none."""

    unit: str
    system: str
    code: str


@dataclass(frozen=True, slots=True)
class MoveUnit:
    """A unit gets another parent along one type of edge."""

    unit: str
    parent: str
    edge_type: str = ADMINISTRATIVE


@dataclass(frozen=True, slots=True)
class MergeUnits:
    """Units end and go on in another, with all that is below them."""

    units: Sequence[str]
    successor: str | NewUnit


@dataclass(frozen=True, slots=True)
class SplitPart:
    """Where a part of a unit goes, and which of its children go with it."""

    unit: str | NewUnit
    children: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class SplitUnit:
    """Parts of a unit go to others; the unit ends, or goes on with the rest."""

    unit: str
    parts: Sequence[SplitPart]
    continues: bool = False
    children_to: str = ""


@dataclass(frozen=True, slots=True)
class DissolveUnit:
    """A unit ends without a successor; its children go to another parent."""

    unit: str
    children_to: str = ""


Operation = CreateUnit | RenameUnit | RecodeUnit | MoveUnit | MergeUnits | SplitUnit | DissolveUnit
