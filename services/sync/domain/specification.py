"""The ministry's specification as checks on what senders write: type and length of every field it names.

What differs between the levels of education is checked by the level a row is of; where a row does not say it, a value
must fit one of them. A code whose catalogue is not loaded is kept and counted, never refused. Nothing is changed here.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

from services.sync.domain.profiles import Raw
from services.sync.domain.values import DAY_FORM, FLAG_FORM, Unreadable, day, flag, text
from services.sync.domain.words import Text, same

EVERY_LEVEL: Final = ""
LIST: Final = ""  # The type of a heading that holds a list.
_UNBOUNDED: Final = 1_000_000
_INTEGER: Final = re.compile(r"\s*[+-]?\d{1,18}\s*", re.ASCII)
_DECIMAL: Final = re.compile(r"\s*[+-]?\d{1,15}(?:[.,]\d{1,15})?\s*", re.ASCII)
_APART: Final = re.compile(r"\s*[,;]\s*")
_LISTED: Final = Text("một danh sách các đối tượng [{...}]", "a list of objects [{...}]")


class Unfit(ValueError):  # noqa: N818 (says what the value is)
    """A value the specification does not allow: in which field, inside which list, and what may be written."""

    def __init__(
        self, name: str, wanted: Text | None, *, inside: str = "", known: Iterable[str] = (), long: bool = False
    ) -> None:
        super().__init__(name)
        self.name = name
        self.long = long  # Whether it has more letters than may be written.
        self.wanted = wanted  # None: the field is not one of the list's.
        self.inside = inside
        self.known = known


class SpecifiedField(NamedTuple):
    """A field of the specification, and where the profile has it."""

    section: str
    kind: str  # The profile's object, as in DOI_TUONG.
    inside: str  # The list it stands in; empty: the object itself.
    name: str
    label: str
    type: str
    length: int  # 0: not said.
    catalogue: str

    @property
    def level(self) -> str:
        """The level of education whose section names it: 01 to 05."""
        return f"0{self.section[0]}"


class Catalogue(NamedTuple):
    """Codes with their names, as far as they are known."""

    codes: Mapping[str, str]
    closed: bool  # Whether these are all there are, so that another one is refused.


class Rule(NamedTuple):
    """What may stand in a field; a tuple, because the hot path takes it apart."""

    most: int  # Letters.
    fits: Callable[[str], object] | None
    wanted: Text


Rules = Mapping[str, Rule]


@dataclass(frozen=True, slots=True)
class Checks:
    """What the specification says of one object."""

    rules: Mapping[str, Rules]  # By level, and for rows that do not tell theirs.
    lists: Mapping[str, Rules]  # Of each list, what may stand in its items.
    coded: frozenset[str]  # Fields with codes.
    is_listed: Callable[[str, str], bool]  # Whether a loaded catalogue has the code that a field holds.
    levels: Mapping[str, str]  # The level of a grade.

    def check(self, raw: Raw, level: object) -> None:
        """Raise `Unfit` for the first value that may not stand where it stands. The hot path."""
        if not level:
            level = self.levels.get(str(raw.get("MA_KHOI", "")).zfill(2), EVERY_LEVEL)
        rules = self.rules.get(str(level)) or self.rules[EVERY_LEVEL]
        for name, value in raw.items():
            rule = rules.get(name)
            if rule is None or value is None or value == "":
                continue
            if value.__class__ is str:
                most, fits, wanted = rule
                if len(value) <= most and (fits is None or fits(value)):
                    continue
                raise Unfit(name, wanted, long=0 <= most < len(value))
            self._check_other(name, value, rule)

    def most(self, name: str) -> int:
        """How many letters a field may have, at the level that allows most; 0: not said."""
        rule = self.rules[EVERY_LEVEL].get(name)
        return rule.most if rule is not None and rule.most < _UNBOUNDED else 0

    def unverified(self, raw: Raw) -> list[str]:
        """The fields of a row whose codes no loaded catalogue has."""
        listed = self.is_listed
        return [
            name
            for name in self.coded & raw.keys()
            if not listed(name, value if (value := raw[name]).__class__ is str else str(value or ""))
        ]

    def _check_other(self, name: str, value: object, rule: Rule) -> None:
        items = self.lists.get(name)
        if items is None:
            _check_single(name, value, rule)
            return
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise Unfit(name, _LISTED)
        for place, item in enumerate(value):
            for inner, one in item.items():
                if (inner_rule := items.get(inner)) is None:
                    raise Unfit(inner, None, inside=f"{name}[{place}]", known=items)
                if one is not None and one != "":
                    _check_single(inner, one, inner_rule, inside=f"{name}[{place}]")


def _check_single(name: str, value: object, rule: Rule, *, inside: str = "") -> None:
    try:
        said = value if isinstance(value, str) else text(value)
    except Unreadable:
        raise Unfit(name, rule.wanted, inside=inside) from None
    if len(said) > rule.most or (rule.fits is not None and not rule.fits(said)):
        raise Unfit(name, rule.wanted, inside=inside, long=0 <= rule.most < len(said))


def _is_listed(said: str, codes: Mapping[str, str]) -> bool:
    """Whether a code, or each of several, is in a catalogue; a leading zero may be lost."""
    return bool(codes) and all(one in codes or one.zfill(2) in codes for one in _APART.split(said.strip()))


class Specification:
    """The specification as a whole: asked for the checks of one object of a profile."""

    def __init__(
        self,
        fields: Iterable[SpecifiedField],
        *,
        code_length: int,
        catalogues: Mapping[str, Catalogue],
        levels: Mapping[str, str],
    ) -> None:
        """Take the fields; catalogues go by field, `levels` by grade, a code is at most `code_length` letters."""
        self.fields = tuple(fields)
        self._code_length, self._catalogues, self._levels = code_length, catalogues, levels

    def checks(self, kind: str, *, core: Iterable[str], read: Iterable[str]) -> Checks | None:
        """The checks of an object; None: the specification does not know it.

        The codes of the `core` are judged by the rules of our own fields; what is read in a form of its own (`read`)
        is judged where it is read.
        """
        some = [field for field in self.fields if field.kind == kind]
        if not some:
            return None
        return compile_checks(
            some,
            core=core,
            read=read,
            code_length=self._code_length,
            catalogues=self._catalogues,
            levels=self._levels,
        )


def read_fields(rows: Iterable[Mapping[str, str]], table: Mapping[str, Any]) -> list[SpecifiedField]:
    """The fields of `catalogues/qd4998.tsv`, placed as `catalogues/qd4998.json` says; lists are among them."""
    places = {(entry["section"], entry["object"]): entry["is"] for entry in table["tables"]}
    readings = {(entry["section"], entry["field"]): entry for entry in table["readings"]}
    fields = []
    for row in rows:
        read = readings.get((row["section"], row["field"]), {"type": row["type"], "length": row["len"]})
        for place in places[row["section"], row["object"]]:
            kind, _, inside = place.partition(".")
            length = int(read["length"] or 0)
            told = (row["field"], row["label_vi"], read["type"], length, row["ref"])
            fields.append(SpecifiedField(row["section"], kind, inside, *told))
    return fields


def compile_checks(
    fields: Iterable[SpecifiedField],
    *,
    core: Iterable[str],
    read: Iterable[str],
    code_length: int,
    catalogues: Mapping[str, Catalogue],
    levels: Mapping[str, str],
) -> Checks:
    """The checks of one object; catalogues go by field."""
    every, own, typed = list(fields), frozenset(read), frozenset(core)
    by_level: dict[str, dict[str, list[Rule]]] = defaultdict(lambda: defaultdict(list))
    lists: dict[str, dict[str, list[Rule]]] = defaultdict(lambda: defaultdict(list))
    for field in every:
        rule = _rule(
            field,
            code_length=code_length,
            catalogue=_NONE if field.name in typed else catalogues.get(field.name, _NONE),
        )
        if field.inside:
            lists[field.inside][field.name].append(rule)
        elif field.name not in own:
            by_level[field.level][field.name].append(rule)
            by_level[EVERY_LEVEL][field.name].append(rule)
    merged = {name: _either(rules) for name, rules in by_level[EVERY_LEVEL].items()}
    return Checks(
        rules={
            level: merged | {name: _either(rules) for name, rules in some.items()} for level, some in by_level.items()
        }
        | {EVERY_LEVEL: merged},
        lists={name: {inner: _either(rules) for inner, rules in some.items()} for name, some in lists.items()},
        coded=frozenset(field.name for field in every if field.type == "Enumeration" and not field.inside),
        is_listed=_listed(catalogues),
        levels=levels,
    )


def _listed(catalogues: Mapping[str, Catalogue]) -> Callable[[str, str], bool]:
    """A function that says whether the code of a field is known; the same few come again and again."""

    @lru_cache(maxsize=65536)
    def find(name: str, value: str) -> bool:
        return not value or _is_listed(value, catalogues.get(name, _NONE).codes)

    return find


_NONE: Final = Catalogue({}, closed=False)


def _rule(field: SpecifiedField, *, code_length: int, catalogue: Catalogue) -> Rule:
    most = field.length or _UNBOUNDED
    if field.name in ("TRUONG_ID", "TRUNG_TAM_ID"):
        return Rule(_UNBOUNDED, lambda said: len(said.rpartition(":")[2].strip()) <= most, _at_most(most))
    if field.type == "String":
        return Rule(most, None, _at_most(most))
    if field.type == "Boolean":
        return Rule(_UNBOUNDED, _is_flag, FLAG_FORM)
    if field.type == "Integer":
        return Rule(most, _INTEGER.fullmatch, _number("một số nguyên", "a whole number", field.length))
    if field.type == "Decimal":
        return Rule(most, _DECIMAL.fullmatch, _number("một số, ví dụ 8.5", "a number, e.g. 8.5", field.length))
    if field.type == "Date":
        return Rule(_UNBOUNDED, _is_day, DAY_FORM)
    if field.type == "Enumeration":
        most = field.length or code_length
        if catalogue.closed:
            return Rule(most, lambda said: _is_listed(said, catalogue.codes), same(" / ".join(catalogue.codes)))
        return Rule(most, None, Text(f"một mã không quá {most} ký tự", f"a code of at most {most} characters"))
    return Rule(-1, None, _LISTED)


def _either(rules: list[Rule]) -> Rule:
    """One rule that allows what any of several does."""
    if len({rule[:2] for rule in rules}) == 1:
        return rules[0]
    widest = max(rules, key=lambda rule: rule.most)
    alternatives = tuple(dict.fromkeys(rule[:2] for rule in rules))

    def fits(said: str) -> bool:
        return any(len(said) <= most and (one is None or bool(one(said))) for most, one in alternatives)

    return Rule(widest.most, fits, widest.wanted)


def _is_flag(said: str) -> bool:
    if said in ("0", "1"):
        return True
    try:
        flag(said)
    except Unreadable:
        return False
    return True


def _is_day(said: str) -> bool:
    try:
        day(said)
    except Unreadable:
        return False
    return True


def _at_most(most: int) -> Text:
    return Text(f"không quá {most} ký tự", f"at most {most} characters")


def _number(vi: str, en: str, length: int) -> Text:
    if not length:
        return Text(vi, en)
    return Text(f"{vi}, không quá {length} chữ số", f"{en} of at most {length} digits")
