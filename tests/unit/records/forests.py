"""Small forests of units for tests, how they look on a day, and how they would be imported."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from services.records.domain.forest import Forest
from services.records.domain.spans import Span
from services.records.domain.units import ADMINISTRATIVE, Code, Name, ParentRef, SuccessionRef, Unit, UnitDraft

ALWAYS = Span()


def unit(alias: str, *parents: str, kind: str = "commune", professional: Sequence[str] = ()) -> UnitDraft:
    """A unit that lives always."""
    system, code = alias.split(":")
    refs = [ParentRef(parent, ADMINISTRATIVE, ALWAYS) for parent in parents]
    refs += [ParentRef(parent, "professional", ALWAYS) for parent in professional]
    return UnitDraft(kind, ALWAYS, [Name(alias, ALWAYS)], [Code(system, code, ALWAYS)], refs, [], [])


PROVINCE = [
    unit("gso:48", kind="province"),
    unit("gso:49", kind="province"),
    unit("moet:49", "gso:49", kind="department"),
    unit("gso:502", "gso:49", kind="district"),
    unit("gso:503", "gso:49", kind="district"),
    unit("gso:1", "gso:502"),
    unit("gso:2", "gso:502"),
    unit("gso:3", "gso:503"),
    unit("moet:A", "gso:1", kind="school", professional=["moet:49"]),
    unit("moet:B", "gso:2", kind="school", professional=["moet:49"]),
    unit("moet:C", "gso:3", kind="school"),
]


def planted(drafts: Sequence[UnitDraft] = PROVINCE) -> Forest:
    """A forest of these units, with ids from 1 on in their order."""
    return Forest(Forest([]).plan(drafts, ids=itertools.count(1)).units)


@dataclass(frozen=True)
class Seen:
    """A unit as it is on a day."""

    kind: str
    name: str
    codes: tuple[str, ...]
    parents: tuple[tuple[str, int], ...]


def view(units: Iterable[Unit], day: date) -> dict[int, Seen]:
    """Every unit alive on a day; names are told apart so that two on one day show."""
    return {
        one.unit_id: Seen(
            one.kind,
            "|".join(name.name for name in one.names if name.span.holds(day)),
            tuple(sorted(code.alias for code in one.codes if code.span.holds(day))),
            tuple(sorted((edge.type, edge.parent_id) for edge in one.edges if edge.span.holds(day))),
        )
        for one in units
        if one.span.holds(day)
    }


def as_drafts(units: Sequence[Unit]) -> list[UnitDraft]:
    """The units as an import would bring them, each known by a code of its own, `id:<unit id>`."""
    return [
        UnitDraft(
            one.kind,
            one.span,
            one.names,
            [Code("id", str(one.unit_id), one.span), *one.codes],
            [ParentRef(f"id:{edge.parent_id}", edge.type, edge.span) for edge in one.edges],
            [SuccessionRef(f"id:{s.successor_id}", s.kind, s.day, s.partial) for s in one.successions],
            one.labels,
        )
        for one in units
    ]
