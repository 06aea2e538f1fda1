"""What a granted erasure or objection does to records: which are erased and which, kept by law, restricted.

What must be kept is data with validity and source (`rules/erasure.json`). Where no rule speaks of a collection nothing
is decided: whoever adds one adds its line. A record that is erased leaves its key, so that it cannot come back unseen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import IntEnum
from typing import Any, Final, NamedTuple

from services.records.domain.data_requests import Kind
from services.records.domain.objects import BY_COLLECTION, ObjectSpec

ATTENDANCE: Final = "attendance"  # among the dropped fields: the pupil's exceptions in registers

Identity = tuple[int, int, str]  # school, type and key of a record


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds for records of one collection from a day on."""

    collection: str
    valid_from: date
    source: str
    kept: bool = False  # by law, and so restricted rather than erased
    levels: frozenset[str] = frozenset()  # of which it speaks; empty: of all
    dropped: tuple[str, ...] = ()  # fields that go although the record is kept
    of: str = ""  # column that names whose such a record is,
    named_as: str = ""  # and the collection of these
    exceptions_of: str = ""  # collection whose records its nested items name, one by one
    nobody: bool = False  # whether it is no person's at all

    def speaks_of(self, level: str, day: date) -> bool:
        """Whether it holds for a record of this level on a day."""
        return self.valid_from <= day and (not self.levels or level in self.levels)


@dataclass(frozen=True, slots=True)
class ErasureRules:
    """The rules, who must confirm an erasure, and who may see what is restricted."""

    rules: Sequence[Rule]
    confirming: tuple[str, ...]
    seen_by: frozenset[str]
    objection_source: str
    left: Mapping[str, str]  # why things are left that are no records, by place

    def rule_of(self, collection: str, level: str, day: date) -> Rule | None:
        """The first rule that speaks of a record."""
        fitting = (one for one in self.rules if one.collection == collection and one.speaks_of(level, day))
        return next(fitting, None)

    @property
    def naming(self) -> Mapping[ObjectSpec, Sequence[tuple[ObjectSpec, str]]]:
        """Types whose records name whose they are: of which types these may be, and by which column each."""
        found: dict[ObjectSpec, list[tuple[ObjectSpec, str]]] = {}
        for one in self.rules:
            if one.of:
                found.setdefault(BY_COLLECTION[one.collection], []).append((BY_COLLECTION[one.named_as], one.of))
        return found

    def naming_of(self, spec: ObjectSpec) -> Sequence[tuple[ObjectSpec, str]]:
        """Types whose records may name one of this type, and by which column each."""
        return [(other, column) for other, whose in self.naming.items() for of, column in whose if of is spec]

    @property
    def registers(self) -> Mapping[ObjectSpec, ObjectSpec]:
        """Types whose nested items name records of another type."""
        return {
            BY_COLLECTION[one.collection]: BY_COLLECTION[one.exceptions_of] for one in self.rules if one.exceptions_of
        }


class Said(NamedTuple):
    """What is known of a record, from itself or, once it is gone, from its last content."""

    school_year: int
    level: str


class Deed(NamedTuple):
    """What is to become of a record."""

    spec: ObjectSpec
    key: str
    school_year: int
    erased: bool  # else restricted
    dropped: tuple[str, ...]
    source: str


def deed_of(rules: ErasureRules, kind: Kind, spec: ObjectSpec, key: str, said: Said, *, day: date) -> Deed | None:
    """What a request does to a record; None where no rule speaks of it."""
    rule = rules.rule_of(spec.collection, said.level, day)
    if rule is None or rule.nobody:
        return None
    if kind is Kind.OBJECTION:
        return Deed(spec, key, said.school_year, erased=False, dropped=(), source=rules.objection_source)
    dropped = rule.dropped if rule.kept else ()
    if rule.kept and spec in rules.registers.values():
        dropped = (*dropped, ATTENDANCE)
    return Deed(spec, key, said.school_year, not rule.kept, dropped, rule.source)


class Stand(IntEnum):
    """What is of something, as numbered in the interface."""

    PRESENT = 1
    RESTRICTED = 2
    ERASED = 3


class Remain(NamedTuple):
    """Something that is left of a person, or was."""

    place: str
    now: Stand
    planned: Stand
    source: str
    key: str = ""
    school_year: int = 0
    dropped: tuple[str, ...] = ()
    number: int = 1  # how many things it stands for
    expires: datetime | None = None


class Restriction(NamedTuple):
    """Why and since when a record is restricted, and what of it is not stored again."""

    since: datetime
    dropped: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Withheld:
    """What of some schools is erased, and what restricted. Nearly always nothing."""

    erased: frozenset[Identity] = frozenset()
    restricted: Mapping[Identity, Restriction] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.erased or self.restricted)


def read_erasure_rules(table: Mapping[str, Any]) -> ErasureRules:
    """Read the rules from their table."""
    rules = [
        Rule(
            collection=one["collection"],
            valid_from=date.fromisoformat(one["valid_from"]),
            source=one["source"],
            kept=one.get("kept", False),
            levels=frozenset(one.get("levels", ())),
            dropped=tuple(one.get("dropped", ())),
            of=one.get("of", ""),
            named_as=one.get("as", ""),
            exceptions_of=one.get("exceptions_of", ""),
            nobody=one.get("nobody", False),
        )
        for one in table["rules"]
    ]
    return ErasureRules(
        rules,
        tuple(table["confirming"]),
        frozenset(table["seen_by"]["roles"]),
        table["objection"]["source"],
        table["left"],
    )
