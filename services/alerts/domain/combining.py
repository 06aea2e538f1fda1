"""Rules over facts of several kinds about one subject: which facts stand beside one, and their fields together.

Subjects are paths: `2026/6A` is a class of the school year 2026 of its unit. Beside a fact stands, of each other kind,
the fact of the same subject or of what it lies in: beside a class its school year's figures and its school's coverage.
"""

from collections.abc import Mapping
from datetime import datetime

from services.alerts.domain.facts import Fact
from services.alerts.domain.rules import Rule
from services.alerts.domain.shapes import KINDS, SCHOOL_YEAR, SHAPES, Field, Scalar

KNOWN = "known"  # The field by which a condition asks whether a fact that may be missing is there.
_KNOWN = Field(bool, "Có dữ kiện này", "Whether there is such a fact")
Key = tuple[int, str, str]
Path = tuple[str, ...]


def fields_beside(rule: Rule) -> dict[str, Mapping[str, Field]]:
    """The fields of each further kind that a rule names, by kind."""
    return {kind: {KNOWN: _KNOWN, **KINDS[kind].fields} for kind in rule.with_kinds}


def shape_of(rule: Rule) -> dict[str, Mapping[str, type[Scalar]]]:
    """The types of the fields of each further kind that a rule names, by kind."""
    return {kind: {name: one.type for name, one in fields.items()} for kind, fields in fields_beside(rule).items()}


def depth(path: Path, kind: str) -> int | None:
    """How many parts of a subject's path name the fact of another kind beside it; None: there is never one."""
    depths = [len(other) for other in KINDS[kind].subjects if path[: len(other)] == other]
    return max(depths, default=None)


def stands_beside(kind: str, other: str) -> bool:
    """Whether facts of another kind can stand beside those of a kind: of one unit, which is a school or above them."""
    return bool(KINDS[kind].sums) == bool(KINDS[other].sums) and any(
        depth(path, other) is not None for path in KINDS[kind].subjects
    )


def parts_of(fact: Fact) -> list[str]:
    """The parts of a fact's subject; the last may hold what parts them elsewhere, as a source's key does."""
    longest = max(map(len, KINDS[fact.kind].subjects))
    return fact.subject.split("/", maxsplit=max(longest - 1, 0)) if fact.subject else []


def keys_beside(rule: Rule, fact: Fact) -> dict[str, Key]:
    """By kind, the keys of the facts that stand beside one for a rule."""
    parts = parts_of(fact)
    path = next((path for path in KINDS[fact.kind].subjects if len(path) == len(parts)), ())
    counts = {kind: depth(path, kind) for kind in rule.with_kinds}
    return {kind: (fact.unit_id, kind, "/".join(parts[:count])) for kind, count in counts.items() if count is not None}


def fields_together(rule: Rule, fact: Fact, beside: Mapping[Key, Fact], now: datetime) -> dict[str, Scalar] | None:
    """The fields of a fact, and as `kind.field` those of the facts beside it; None where one that is needed is missing,
    and of the sum of nothing.

    One that may be missing has empty fields then, and is not `known`. One of another school year counts as missing.
    """
    if of_nothing(fact):
        return None
    values = fact.at(now)
    keys = keys_beside(rule, fact)
    for kind, shape in shape_of(rule).items():
        other = beside.get(keys[kind]) if kind in keys else None
        if other is not None and _years_apart(fact, other):
            other = None
        if other is None and kind not in rule.optional_kinds:
            return None
        fields: Mapping[str, Scalar] = other.at(now) if other else {name: one() for name, one in shape.items()}
        values[f"{kind}.{KNOWN}"] = other is not None
        values |= {f"{kind}.{name}": fields[name] for name in SHAPES[kind]}
    return values


def of_nothing(fact: Fact) -> bool:
    """Whether a fact is the sum of no school at all: its shares and counts of nought are no news of a unit."""
    return bool(KINDS[fact.kind].sums) and not fact.values.get("schools")


def says_nothing(rule: Rule, fact: Fact, beside: Mapping[Key, Fact]) -> bool:
    """Whether a rule does not hold, whatever its condition is: of the sum of nothing, and where a fact that is needed
    beside one is known, but of another school year.
    """
    if of_nothing(fact):
        return True
    keys = keys_beside(rule, fact)
    needed = (beside.get(key) for kind, key in keys.items() if kind not in rule.optional_kinds)
    return any(other is not None and _years_apart(fact, other) for other in needed)


def _years_apart(fact: Fact, other: Fact) -> bool:
    """As a class of last year beside today's attendance; what speaks of no year stands beside each."""
    years = {one.values.get(SCHOOL_YEAR) or 0 for one in (fact, other)} - {0}
    return len(years) > 1


def clocks(rule: Rule) -> list[str]:
    """The fields beside its fact's own that count hours and that a rule speaks of."""
    names = [f"{kind}.{KINDS[kind].clock}" for kind in rule.with_kinds if KINDS[kind].clock]
    return [name for name in names if rule.speaks_of(name)]


def runs(rule: Rule, fact: Fact, beside: Mapping[Key, Fact]) -> bool:
    """Whether time alone changes what a rule says of a fact: its own clock runs, or one beside it that it speaks of."""
    kinds = {name.split(".")[0] for name in clocks(rule)}
    return fact.since is not None or any(one.kind in kinds and one.since is not None for one in beside.values())


def next_look(rule: Rule, fact: Fact, beside: Mapping[Key, Fact], now: datetime) -> datetime | None:
    """When time alone changes what a rule says of a fact by those beside it."""
    kinds = [name.split(".")[0] for name in clocks(rule)]
    keys = keys_beside(rule, fact)
    others = (beside.get(keys[kind]) for kind in kinds if kind in keys)
    looks = [look for other in others if other is not None and (look := other.next_look(now)) is not None]
    return min(looks, default=None)
