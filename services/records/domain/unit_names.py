"""Units found by name or code, in memory: a province has a few thousand.

The same rules as for people, but for the order of the names: a unit's is sorted by its first word.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from services.records.domain.asked import Rule
from services.records.domain.names import search_name, stored_names
from services.records.domain.spelling import near

Place = tuple[int, str, int]  # rule, sort key, unit


@dataclass(frozen=True, slots=True)
class UnitName:
    """A unit as it is looked up."""

    unit_id: int
    kind: str
    name: str  # folded
    sort_name: str
    codes: frozenset[str]  # with and without their system, lower case


def unit_name(unit_id: int, kind: str, name: str, aliases: Sequence[str]) -> UnitName:
    """Prepare a unit for look-ups."""
    codes = [alias.lower() for alias in aliases]
    bare = [code.partition(":")[2] for code in codes]
    return UnitName(unit_id, kind, *stored_names(name, person=False), frozenset((*codes, *bare)))


def matching(units: Iterable[UnitName], typed: str) -> list[Place]:
    """Where each unit that matches stands in the order of hits."""
    rule = _judge(typed)
    found = ((rule(unit), unit) for unit in units)
    return sorted((int(why), unit.sort_name, unit.unit_id) for why, unit in found if why is not None)


def _judge(typed: str) -> Callable[[UnitName], Rule | None]:
    name, code = search_name(typed), typed.strip().lower()
    words = tuple(dict.fromkeys(name.split()))
    meant = [near(word) for word in words]

    def rule(unit: UnitName) -> Rule | None:
        if code in unit.codes:
            return Rule.ID
        if unit.name == name:
            return Rule.EXACT
        own = unit.name.split()
        if all(word in own for word in words):
            return Rule.WORDS
        if all(any(one.startswith(word) for one in own) for word in words):
            return Rule.PREFIX
        if all(word in unit.name for word in words):
            return Rule.PART
        return Rule.TYPO if any(_one_off(own, words, meant)) else None

    return rule


def _one_off(own: Sequence[str], words: Sequence[str], meant: Sequence[set[str]]) -> Iterator[bool]:
    """For each word typed, whether it alone is a letter away and the others are there."""
    missing = [place for place, word in enumerate(words) if word not in own]
    if len(missing) == 1:
        yield not meant[missing[0]].isdisjoint(own)
