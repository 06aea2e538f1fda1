"""Rules compiled: CEL parsed once, its fields and types checked against the shape of the facts it will see.

Refuses a condition that names an unknown field, mixes types, compares what is never equal, fails on a sample, or does
not answer yes or no. Samples
are few: a condition that passes and fails on some fact all the same says nothing about that fact, neither yes nor no,
and stops neither the other rules nor the other facts. There is no `eval` and no language of our own.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import cel
import structlog

from services.alerts.domain import KINDS, SHAPES, Rule, Scalar, unknown_placeholders
from services.alerts.domain.combining import fields_beside, stands_beside
from services.alerts.domain.comparing import NUMBER, TEXT, YES_NO, Operand, never_equal
from services.alerts.domain.shapes import PERSONAL, SUMS, Field

log = structlog.get_logger(__name__)

FACT = "fact"
MOST_FIELDS = 6  # A condition over more fields would be checked on too many samples, and be hard to explain.
_SAMPLES: Mapping[type, tuple[Scalar, ...]] = {
    bool: (False, True),
    int: (0, 1, 1_000_000),
    float: (0.0, 0.5, 1e6),
    str: ("", "x"),
}
_TEXTS = {
    "title_vi": ("tiêu đề tiếng Việt", "the Vietnamese title"),
    "title_en": ("tiêu đề tiếng Anh", "the English title"),
    "body_vi": ("nội dung tiếng Việt", "the Vietnamese text"),
    "body_en": ("nội dung tiếng Anh", "the English text"),
}
_TYPES: Mapping[type, tuple[str, str]] = {
    bool: ("đúng/sai", "yes or no"),
    int: ("số nguyên", "integer"),
    float: ("số thập phân", "decimal"),
    str: ("chữ", "text"),
}
_SIDES: Mapping[str, tuple[str, str]] = {
    NUMBER: ("số", "a number"),
    TEXT: ("chữ", "text"),
    YES_NO: ("đúng/sai", "yes or no"),
    "null": ("giá trị trống", "no value"),
    "list": ("danh sách", "a list"),
    "map": ("bảng", "a map"),
    "bytes": ("dãy byte", "bytes"),
}
_WRITTEN: Mapping[str, tuple[str, str]] = {
    NUMBER: ("hãy viết số không có nháy, như 45", "write numbers without quotes, as 45"),
    TEXT: ("hãy viết chữ trong nháy, như '{example}'", "write texts within quotes, as '{example}'"),
    YES_NO: ("hãy viết true hoặc false, không có nháy", "write true or false, without quotes"),
}
_PLACE = re.compile(r"<input>:\d+:(\d+)")
_UNKNOWN_NAME = re.compile(r"Undefined variable or function: '(\w+)'")
_LITERAL = re.compile(r"'[^']*'|\"[^\"]*\"")
_CEL_FAULTS = (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError)


class RuleRefused(ValueError):  # noqa: N818 (a refusal, told to whoever writes the rule)
    """The rule cannot be used; the message says what is wrong with it, `vi` says it in Vietnamese, `field` where."""

    def __init__(self, message: str, *, vi: str, field: str) -> None:
        super().__init__(message)
        self.vi = vi
        self.field = field


class ComparesInVain(RuleRefused):
    """Something is compared with what it never equals: a rule with that is not written, but one in force stays so."""


@dataclass
class Condition:
    """The checked conditions of a rule: when it raises, and when it resolves where that is said apart."""

    rule: Rule
    program: Any
    clearing: Any = None
    _told: bool = field(default=False, init=False)

    def holds(self, values: Mapping[str, Scalar]) -> bool | None:
        """Whether it holds for the fields of a fact; None where it fails on them, which is logged the first time."""
        return self._answer(self.program, values)

    def still_holds(self, values: Mapping[str, Scalar]) -> bool | None:
        """Whether an open alert stays open: until the condition that clears it holds, where there is one."""
        if self.clearing is None:
            return self.holds(values)
        cleared = self._answer(self.clearing, values)
        return None if cleared is None else not cleared

    def _answer(self, program: Any, values: Mapping[str, Scalar]) -> bool | None:
        try:
            answer = program.execute(_scope(values, self.rule.with_kinds))
        except _CEL_FAULTS as error:
            self._tell(str(error))
            return None
        if isinstance(answer, bool):
            return answer
        self._tell(_no_answer(answer))
        return None

    def _tell(self, why: str) -> None:
        if not self._told:  # Once a version: it may fail on thousands of facts, time and again.
            rule = self.rule
            log.error("rule fails on a fact", action="rule.failed", rule=rule.code, version=rule.version, why=why)
        self._told = True


@dataclass(frozen=True)
class Rulebook:
    """The rules in force, with their conditions, by the kind of fact they look at."""

    by_kind: Mapping[str, Sequence[tuple[Rule, Condition]]]

    def of(self, fact_kind: str) -> Sequence[tuple[Rule, Condition]]:
        """Rules over a kind of fact."""
        return self.by_kind.get(fact_kind, ())

    def led_by(self, kind: str) -> set[str]:
        """Kinds of facts that are judged together with those of a kind."""
        return {rule.fact_kind for rule in self.rules().values() if kind in rule.with_kinds}

    def rules(self) -> dict[str, Rule]:
        """The rules that can be used, by code."""
        return {rule.code: rule for rules in self.by_kind.values() for rule, _ in rules}

    def by_code(self) -> dict[str, tuple[Rule, Condition]]:
        """All of them by code."""
        return {rule.code: (rule, condition) for rules in self.by_kind.values() for rule, condition in rules}


def rulebook(rules: Iterable[Rule]) -> Rulebook:
    """Compile rules; one that is refused is left out and logged, so that it does not stop the others."""
    by_kind: dict[str, list[tuple[Rule, Condition]]] = {}
    for rule in rules:
        condition = _usable(rule)
        if condition is not None:
            by_kind.setdefault(rule.fact_kind, []).append((rule, condition))
    return Rulebook(by_kind)


def compile_rule(rule: Rule) -> Condition:
    """Compile and check one rule; raises `RuleRefused` for the first thing that makes it unusable."""
    for refusal in refusals_of(rule):
        if not isinstance(refusal, ComparesInVain):
            raise refusal
        why = str(refusal)
        log.error("rule compares in vain", action="rule.vain", rule=rule.code, version=rule.version, why=why)
    clearing = cel.compile(rule.clear_condition) if rule.clear_condition else None
    return Condition(rule, cel.compile(rule.condition), clearing)


def refusals_of(rule: Rule) -> Iterator[RuleRefused]:
    """Everything that makes a rule unusable; what hangs on kinds is told once these can be used."""
    shape = SHAPES.get(rule.fact_kind)
    if shape is None:
        known = ", ".join(sorted(SHAPES))
        yield RuleRefused(
            f"there are no facts of kind “{rule.fact_kind}”; known: {known}",
            vi=f"không có loại dữ kiện “{rule.fact_kind}”; các loại có: {known}",
            field="fact_kind",
        )
        return
    if refused := [*_kinds_refused(rule)]:
        yield from refused
        return
    fields = {FACT: KINDS[rule.fact_kind].fields, **fields_beside(rule)}
    names = [*shape, *(f"{kind}.{name}" for kind in rule.with_kinds for name in fields[kind])]
    for name in _TEXTS:
        unknown = ", ".join(unknown_placeholders(getattr(rule, name), names))
        if unknown:
            yield RuleRefused(
                f"{_TEXTS[name][1]} ({name}) has placeholders that no fact of kind {rule.fact_kind} fills: {unknown}",
                vi=f"{_TEXTS[name][0]} ({name}) có chỗ điền mà dữ kiện loại {rule.fact_kind} không có: {unknown}",
                field=name,
            )
    for name in ("condition", "clear_condition"):
        if name == "condition" or rule.clear_condition:
            try:
                _check_condition(getattr(rule, name), fields, field=name)
            except RuleRefused as refusal:
                yield refusal


def _kinds_refused(rule: Rule) -> Iterator[RuleRefused]:
    """Further kinds of which there never is a fact beside those the rule looks at, or that show a person."""
    for kind in rule.with_kinds:
        if kind in SHAPES and bool(KINDS[kind].sums) != bool(KINDS[rule.fact_kind].sums):
            yield _of_other_units(rule.fact_kind, kind)
        elif kind not in SHAPES or not stands_beside(rule.fact_kind, kind):
            known = ", ".join(
                sorted(one for one in SHAPES if one != rule.fact_kind and stands_beside(rule.fact_kind, one))
            )
            yield RuleRefused(
                f"no fact of kind {kind!r} stands beside one of {rule.fact_kind}; these do: {known}",
                vi=f"không có dữ kiện loại {kind!r} đi cùng loại {rule.fact_kind}; các loại đi cùng được: {known}",
                field="with_kinds",
            )
        elif kind in PERSONAL and rule.fact_kind not in PERSONAL:
            yield RuleRefused(
                f"facts of kind {kind} are about persons, those of {rule.fact_kind} are not",
                vi=f"dữ kiện loại {kind} là của từng người, loại {rule.fact_kind} thì không",
                field="with_kinds",
            )
    if len({rule.fact_kind, *rule.with_kinds}) != len(rule.with_kinds) + 1:
        yield RuleRefused("a kind is named twice", vi="có loại dữ kiện lặp lại", field="with_kinds")
    if lone := ", ".join(sorted(set(rule.optional_kinds) - set(rule.with_kinds))):
        yield RuleRefused(
            f"not among the further kinds: {lone}",
            vi=f"không nằm trong các loại dữ kiện đi cùng: {lone}",
            field="optional_kinds",
        )


def _of_other_units(kind: str, other: str) -> RuleRefused:
    """A fact of a school beside a sum of a unit above it: why not, and what to write instead."""
    summed, school = (kind, other) if KINDS[kind].sums else (other, kind)
    schools = " + ".join(KINDS[one].sums or one for one in (kind, other))
    above = " + ".join(one if KINDS[one].sums else SUMS[one] for one in (kind, other)) if school in SUMS else ""
    return RuleRefused(
        f"{summed} is of units above schools, {school} of one school, so that neither stands beside the other. Judge"
        f" schools by {schools}" + (f", or the units above them by {above}" if above else ""),
        vi=f"{summed} là của đơn vị cấp trên, {school} là của từng trường nên không đi cùng nhau. Để xét từng trường,"
        f" hãy dùng {schools}" + (f"; để xét đơn vị cấp trên, hãy dùng {above}" if above else ""),
        field="with_kinds",
    )


def _scope(values: Mapping[str, Scalar], kinds: Sequence[str]) -> dict[str, Mapping[str, Scalar]]:
    """What a condition sees: the fact, and those beside it by their kinds."""
    scope = {FACT: values}
    for kind in kinds:
        begins = f"{kind}."
        scope[kind] = {name.removeprefix(begins): value for name, value in values.items() if name.startswith(begins)}
    return scope


def _check_condition(condition: str, known: Mapping[str, Mapping[str, Field]], *, field: str) -> None:
    try:
        program = cel.compile(condition)
    except ValueError as error:
        place = _PLACE.search(str(error))
        at_vi, at_en = (f", lỗi ở ký tự thứ {place[1]}", f", at character {place[1]}") if place else ("", "")
        raise RuleRefused(
            f"the condition is not CEL{at_en}: {condition}",
            vi=f"điều kiện không đúng cú pháp CEL{at_vi}: {condition}",
            field=field,
        ) from error
    spoken = set(program.variables())
    if not spoken or not spoken <= set(known):
        allowed, others = (", ".join(f"`{name}`" for name in names) for names in (known, sorted(spoken - set(known))))
        raise RuleRefused(
            f"the condition must speak of {allowed} and nothing else" + (f", not of {others}" if others else ""),
            vi=f"điều kiện phải và chỉ được nói về {allowed}" + (f", không nói về {others}" if others else ""),
            field=field,
        )
    shape = {
        name if variable == FACT else f"{variable}.{name}": one.type
        for variable, fields in known.items()
        for name, one in fields.items()
    }
    _check_types(condition, program, shape, kinds=[name for name in known if name != FACT], where=field)
    for one, other in never_equal(condition, known):
        vi, en = _why_unequal(one, other)
        raise ComparesInVain(f"the condition compares in vain: {en}", vi=f"điều kiện so sánh vô ích: {vi}", field=field)


def _check_types(
    condition: str, program: Any, shape: Mapping[str, type[Scalar]], *, kinds: Sequence[str], where: str
) -> None:
    """Run the condition on samples of every field it names, so that no short circuit hides a fault."""
    found = _field_of((FACT, *kinds)).findall(_LITERAL.sub("''", condition))
    named = sorted({name if variable == FACT else f"{variable}.{name}" for variable, name in found})
    unknown = ", ".join(name for name in named if name not in shape)
    if unknown:
        known = ", ".join(sorted(shape))
        raise RuleRefused(
            f"no such field: {unknown}; known: {known}", vi=f"không có trường: {unknown}; có: {known}", field=where
        )
    if len(named) > MOST_FIELDS:
        raise RuleRefused(
            f"the condition names {len(named)} fields; at most {MOST_FIELDS} are allowed",
            vi=f"điều kiện dùng {len(named)} trường; nhiều nhất là {MOST_FIELDS}",
            field=where,
        )
    for values in itertools.product(*(_SAMPLES[shape[name]] for name in named)):
        sample = {name: kind() for name, kind in shape.items()} | dict(zip(named, values, strict=True))
        told = {name: sample[name] for name in named}
        try:
            answer = program.execute(_scope(sample, kinds))
        except _CEL_FAULTS as error:
            vi, en = _why(error, {name: shape[name] for name in named})
            raise RuleRefused(
                f"the condition fails on {_listed(told) or FACT}: {en}",
                vi=f"điều kiện không tính được với {_listed(told) or FACT}: {vi}",
                field=where,
            ) from error
        if not isinstance(answer, bool):
            raise RuleRefused(
                f"the condition {_no_answer(answer)}",
                vi=f"điều kiện cho ra {_TYPES.get(type(answer), ('giá trị khác',))[0]}, không phải đúng hay sai",
                field=where,
            )


def _listed(values: Mapping[str, Scalar]) -> str:
    """Fields with their values as CEL writes them."""
    written = {name: str(value).lower() if isinstance(value, bool) else repr(value) for name, value in values.items()}
    return ", ".join(f"{name} = {value}" for name, value in written.items())


def _why(error: Exception, types: Mapping[str, type[Scalar]]) -> tuple[str, str]:
    """What is wrong and the remedy, in Vietnamese and English: CEL says it in English alone, and of no field."""
    if isinstance(error, ArithmeticError):
        return (
            "phép tính không có kết quả, như chia cho 0; hãy thêm điều kiện loại trường hợp này",
            "there is no result, as where 0 divides; add a condition that leaves this out",
        )
    if unknown := _UNKNOWN_NAME.search(str(error)):
        return (
            f"không có hàm {unknown[1]}, hoặc hàm này không nhận kiểu của giá trị được đưa vào",
            f"there is no function {unknown[1]}, or it does not take what it is given",
        )
    if isinstance(error, TypeError):
        vi, en = (", ".join(f"{name}: {_TYPES[one][at]}" for name, one in types.items()) for at in (0, 1))
        return (
            f"các kiểu không đi cùng nhau ({vi}); hãy viết số thập phân với dấu chấm (1.0), đặt chữ trong nháy",
            f"types do not go together ({en}); write decimals with a point (1.0), and texts within quotes",
        )
    return "CEL không tính được biểu thức này", f"CEL cannot work it out: {error}"


def _why_unequal(one: Operand, other: Operand) -> tuple[str, str]:
    """Why the two are never equal, and how to write it, in Vietnamese and English."""
    if one.field and one.type == other.type:
        example = f"'{one.field.example}'"
        return (
            f"{one.written} ({one.field.name_vi}) không bao giờ là {other.written}; hãy viết như {example}",
            f"{one.written} ({one.field.name_en}) never is {other.written}; write it as {example}",
        )
    vi, en = (
        f"{one.written} {be} {_SIDES[one.type][at]}, {other.written} {be} {_SIDES[other.type][at]}, {never}"
        for at, be, never in ((0, "là", "nên không bao giờ bằng nhau"), (1, "is", "so that they are never equal"))
    )
    if one.field is None or other.field:
        return f"{vi}; hãy so sánh những gì cùng kiểu", f"{en}; compare what is of one type"
    remedy_vi, remedy_en = (told.format(example=one.field.example or "abc") for told in _WRITTEN[one.type])
    return f"{vi}; {remedy_vi}", f"{en}; {remedy_en}"


@lru_cache(maxsize=128)
def _field_of(variables: Sequence[str]) -> re.Pattern[str]:
    """Finds the fields that a condition names of these variables."""
    return re.compile(rf"\b({'|'.join(map(re.escape, variables))})\s*\.\s*(\w+)")


def _no_answer(answer: Any) -> str:
    return f"answers {type(answer).__name__}, not yes or no"


@lru_cache(maxsize=1024)
def _usable(rule: Rule) -> Condition | None:
    try:
        return compile_rule(rule)
    except RuleRefused as refusal:
        log.error("rule refused", action="rule.refused", rule=rule.code, version=rule.version, why=str(refusal))  # noqa: TRY400 (the message says all)
        return None
