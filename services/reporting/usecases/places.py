"""Where each school counts when a unit is asked about on a day: in the unit as a whole, or in the units below it.

Every school of the subtree has one place, so that the parts add up to the whole: a school below none of the units
broken down to counts under the unit itself, one below two of them in the nearer. Refuses a kind with none below.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from chassis.errors import Fault, Kind
from chassis.scopes import ScopeTree
from services.reporting.domain.cube import Rolls
from services.reporting.domain.figures import Completeness

Proof = tuple[set[int], dict[int, Completeness]]  # Units of which anything is known, and of how many schools.

SCHOOL = "school"
EXPECTED_KINDS = frozenset({SCHOOL, "childcare_group"})  # Of those that have to connect; as sync counts them.
MUST_CONNECT = "must_connect"
MOST_PLACES = 256


@dataclass(frozen=True, slots=True)
class Places:
    """One way to divide a subtree."""

    targets: Mapping[int, int]  # The unit that each unit of the subtree counts in.
    expected: Mapping[int, frozenset[int]]  # By unit that gets figures, in order of name: schools that have to send.
    rest: int | None = None  # The unit asked about, where it stands last for what is below none of the others.
    # Sums of the questions asked last, of all that one tree is divided into; a division's own are found by its mark.
    rolls: Rolls = field(default_factory=Rolls, compare=False)
    mark: object = field(default_factory=object, init=False, compare=False)
    # By evidence, the schools that have sent it, and what that says of the units.
    proofs: dict[str, tuple[frozenset[int], Proof]] = field(default_factory=dict, init=False, compare=False)
    # By the schools that have sent anything, each school by itself; of the newest of these alone.
    apart: dict[frozenset[int], "Places"] = field(default_factory=dict, init=False, compare=False)


class Divider:
    """Divides subtrees, and remembers how, since dashboards ask the same again and again."""

    def __init__(self) -> None:
        self._tree: ScopeTree | None = None
        self._newest = date.min
        self._known: dict[tuple[int, str, date], Places] = {}
        self._rolls = Rolls()

    def divide(self, tree: ScopeTree, unit: int, *, breakdown: str, day: date) -> Places:
        """The places of a unit as a whole (`breakdown` empty) or by units of a kind; raises UNKNOWN_BREAKDOWN."""
        # Yesterday's are not asked for again, and their sums would keep what schools sent until then.
        if tree is not self._tree or day > self._newest or len(self._known) >= MOST_PLACES:
            self._tree, self._newest, self._known, self._rolls = tree, max(day, self._newest), {}, Rolls()
        key = (unit, breakdown, day)
        places = self._known.get(key)
        if places is None:
            places = self._known[key] = _divide(tree, unit, breakdown=breakdown, day=day, rolls=self._rolls)
        return places


def members(targets: Mapping[int, int]) -> dict[int, frozenset[int]]:
    """By unit that others count in, those that do."""
    found: dict[int, list[int]] = {}
    for one, target in targets.items():
        found.setdefault(target, []).append(one)
    return {target: frozenset(those) for target, those in found.items()}


def targets_of(tree: ScopeTree, unit: int, *, breakdown: str, day: date) -> dict[int, int]:
    """The unit that each unit of the subtree counts in: one of the kind broken down to, or the unit asked about."""
    below = tree.subtree(unit, day)
    if not breakdown:
        return dict.fromkeys(below, unit)
    wanted = {one for one in below if one != unit and _kind(tree, one) == breakdown}
    return {one: _target(tree, one, wanted=wanted, default=unit, day=day) for one in below}


def kinds_below(tree: ScopeTree, unit: int, day: date) -> list[str]:
    """The kinds a unit can be broken down to."""
    return sorted({_kind(tree, one) for one in tree.subtree(unit, day) if one != unit} - {""})


def _divide(tree: ScopeTree, unit: int, *, breakdown: str, day: date, rolls: Rolls) -> Places:
    targets = targets_of(tree, unit, breakdown=breakdown, day=day)
    parts = members(targets)
    if not breakdown:
        return Places(targets, {unit: _expected(tree, parts.get(unit, ()))}, rolls=rolls)
    wanted = parts.keys() - {unit}
    if not wanted:
        raise _unknown_breakdown(breakdown, known=kinds_below(tree, unit, day))
    ordered = (*sorted(wanted, key=lambda one: (_name(tree, one), one)), unit)
    return Places(
        targets=targets,
        expected={target: _expected(tree, parts.get(target, ())) for target in ordered},
        rest=unit,
        rolls=rolls,
    )


def _target(tree: ScopeTree, unit: int, *, wanted: set[int], default: int, day: date) -> int:
    if unit in wanted:
        return unit
    return next((above for above in tree.ancestors(unit, day) if above in wanted), default)


def _expected(tree: ScopeTree, units: Iterable[int]) -> frozenset[int]:
    found = []
    for one in units:
        unit = tree.unit(one)
        if unit is not None and unit.kind in EXPECTED_KINDS and MUST_CONNECT in unit.labels:
            found.append(one)
    return frozenset(found)


def _kind(tree: ScopeTree, unit_id: int) -> str:
    unit = tree.unit(unit_id)
    return unit.kind if unit else ""


def _name(tree: ScopeTree, unit_id: int) -> str:
    unit = tree.unit(unit_id)
    return unit.name if unit else ""


def _unknown_breakdown(breakdown: str, *, known: list[str]) -> Fault:
    listed = ", ".join(known) or "–"
    return Fault(
        Kind.INVALID,
        "UNKNOWN_BREAKDOWN",
        vi=f"Bên dưới đơn vị này không có đơn vị loại “{breakdown}” vào ngày đó. Có: {listed}.",
        en=f"There is no unit of kind “{breakdown}” below this unit on that day. There are: {listed}.",
        metadata={"breakdown": breakdown, "known": ",".join(known)},
    )
