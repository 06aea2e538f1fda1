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
_SAMPLES: Mapping[type, tuple[Scalar, ...]] = {bool: (False, True), int: (0, 1, 1_000_000), str: ("", "x")}
_LITERAL = re.compile(r"'[^']*'|\"[^\"]*\"")
_FIELD = re.compile(r"\bfact\s*\.\s*(\w+)")
_CEL_FAULTS = (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError)


class RuleRefused(ValueError):  # noqa: N818 (a refusal, told to whoever writes the rule)
    """The rule cannot be used; the message says what is wrong with it."""


@dataclass
class Condition:
    """A checked condition of a rule."""

    rule: Rule
    program: Any
    _told: bool = field(default=False, init=False)

    def holds(self, values: Mapping[str, Scalar]) -> bool | None:
        """Whether it holds for the fields of a fact; None where it fails on them, which is logged the first time."""
        try:
            answer = self.program.execute({FACT: values})
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
        raise RuleRefused(f"there are no facts of kind {rule.fact_kind!r}; known: {', '.join(sorted(SHAPES))}")
    for text in (rule.title_vi, rule.title_en, rule.body_vi, rule.body_en):
        unknown = unknown_placeholders(text, rule.fact_kind)
        if unknown:
            raise RuleRefused(f"the text {text!r} has placeholders that no fact fills: {', '.join(unknown)}")
    try:
        program = cel.compile(rule.condition)
    except ValueError as error:
        raise RuleRefused(f"the condition is not CEL: {error}") from error
    if set(program.variables()) != {FACT}:
        raise RuleRefused(f"the condition must speak of `fact` and nothing else, not of {program.variables()}")
    _check_types(rule.condition, program, shape)
    return Condition(rule, program)


def _check_types(condition: str, program: Any, shape: Mapping[str, type[Scalar]]) -> None:
    """Run the condition on samples of every field it names, so that no short circuit hides a fault."""
    named = sorted(set(_FIELD.findall(_LITERAL.sub("''", condition))))
    unknown = [name for name in named if name not in shape]
    if unknown:
        raise RuleRefused(f"no such field: {', '.join(unknown)}; known: {', '.join(sorted(shape))}")
    if len(named) > MOST_FIELDS:
        raise RuleRefused(f"the condition names {len(named)} fields; at most {MOST_FIELDS} are allowed")
    for values in itertools.product(*(_SAMPLES[shape[name]] for name in named)):
        sample = {name: kind() for name, kind in shape.items()} | dict(zip(named, values, strict=True))
        try:
            answer = program.execute({FACT: sample})
        except _CEL_FAULTS as error:
            raise RuleRefused(f"the condition fails on {sample}: {error}") from error
        if not isinstance(answer, bool):
            raise RuleRefused(f"the condition {_no_answer(answer)}")


def _no_answer(answer: Any) -> str:
    return f"answers {type(answer).__name__}, not yes or no"


@lru_cache(maxsize=1024)
def _usable(rule: Rule) -> Condition | None:
    try:
        return compile_rule(rule)
    except RuleRefused as refusal:
        log.error("rule refused", action="rule.refused", rule=rule.code, version=rule.version, why=str(refusal))  # noqa: TRY400 (the message says all)
        return None
