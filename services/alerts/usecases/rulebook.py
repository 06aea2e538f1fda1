"""Rules compiled: CEL parsed once, its fields and types checked against the shape of the facts it will see.

Refuses a condition that names an unknown field, mixes types, fails on a sample, or does not answer yes or no. Samples
are few: a condition that passes and fails on some fact all the same says nothing about that fact, neither yes nor no,
and stops neither the other rules nor the other facts. There is no `eval` and no language of our own.
"""

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import cel
import structlog

from services.alerts.domain import SHAPES, Rule, Scalar, unknown_placeholders

log = structlog.get_logger(__name__)

FACT = "fact"
MOST_FIELDS = 6  # A condition over more fields would be checked on too many samples, and be hard to explain.
_SAMPLES: Mapping[type, tuple[Scalar, ...]] = {
    bool: (False, True),
    int: (0, 1, 1_000_000),
    float: (0.0, 0.5, 1e6),
    str: ("", "x"),
}
_LITERAL = re.compile(r"'[^']*'|\"[^\"]*\"")
_FIELD = re.compile(r"\bfact\s*\.\s*(\w+)")
_CEL_FAULTS = (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError)


class RuleRefused(ValueError):  # noqa: N818 (a refusal, told to whoever writes the rule)
    """The rule cannot be used; the message says what is wrong with it, `vi` says it in Vietnamese, `field` where."""

    def __init__(self, message: str, *, vi: str, field: str) -> None:
        super().__init__(message)
        self.vi = vi
        self.field = field


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
            answer = program.execute({FACT: values})
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
    """Compile and check one rule; raises `RuleRefused`."""
    shape = SHAPES.get(rule.fact_kind)
    if shape is None:
        known = ", ".join(sorted(SHAPES))
        raise RuleRefused(
            f"there are no facts of kind {rule.fact_kind!r}; known: {known}",
            vi=f"không có loại dữ kiện {rule.fact_kind!r}; các loại có: {known}",
            field="fact_kind",
        )
    for name in ("title_vi", "title_en", "body_vi", "body_en"):
        text = getattr(rule, name)
        unknown = ", ".join(unknown_placeholders(text, rule.fact_kind))
        if unknown:
            raise RuleRefused(
                f"the text {text!r} has placeholders that no fact fills: {unknown}",
                vi=f"có chỗ điền mà dữ kiện loại {rule.fact_kind} không có: {unknown}",
                field=name,
            )
    program = _compiled(rule.condition, shape, field="condition")
    clearing = _compiled(rule.clear_condition, shape, field="clear_condition") if rule.clear_condition else None
    return Condition(rule, program, clearing)


def _compiled(condition: str, shape: Mapping[str, type[Scalar]], *, field: str) -> Any:
    try:
        program = cel.compile(condition)
    except ValueError as error:
        raise RuleRefused(
            f"the condition is not CEL: {error}", vi=f"điều kiện không đúng cú pháp CEL: {error}", field=field
        ) from error
    if set(program.variables()) != {FACT}:
        raise RuleRefused(
            f"the condition must speak of `fact` and nothing else, not of {program.variables()}",
            vi=f"điều kiện phải và chỉ được nói về `fact`, không phải {program.variables()}",
            field=field,
        )
    _check_types(condition, program, shape, where=field)
    return program


def _check_types(condition: str, program: Any, shape: Mapping[str, type[Scalar]], *, where: str) -> None:
    """Run the condition on samples of every field it names, so that no short circuit hides a fault."""
    named = sorted(set(_FIELD.findall(_LITERAL.sub("''", condition))))
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
            answer = program.execute({FACT: sample})
        except _CEL_FAULTS as error:
            raise RuleRefused(
                f"the condition fails on {told}: {error}", vi=f"điều kiện lỗi với {told}: {error}", field=where
            ) from error
        if not isinstance(answer, bool):
            raise RuleRefused(
                f"the condition {_no_answer(answer)}",
                vi=f"điều kiện cho ra {type(answer).__name__}, không phải đúng hay sai",
                field=where,
            )


def _no_answer(answer: Any) -> str:
    return f"answers {type(answer).__name__}, not yes or no"


@lru_cache(maxsize=1024)
def _usable(rule: Rule) -> Condition | None:
    try:
        return compile_rule(rule)
    except RuleRefused as refusal:
        log.error("rule refused", action="rule.refused", rule=rule.code, version=rule.version, why=str(refusal))  # noqa: TRY400 (the message says all)
        return None
