"""Comparisons of a condition that no fact makes equal: CEL does not fail on what is of another type, it says no.

The library gives no syntax tree. So a condition that it accepted is read once more, by the grammar of CEL, for types
alone; what is of no known type is not judged.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from services.alerts.domain.shapes import Field, Scalar

NUMBER, TEXT, YES_NO = "number", "text", "yes_no"
_OF_FIELDS: Mapping[type[Scalar], str] = {bool: YES_NO, int: NUMBER, float: NUMBER, str: TEXT}
_OF_FUNCTIONS = {
    **dict.fromkeys(("size", "int", "uint", "double"), NUMBER),
    **dict.fromkeys(("has", "startsWith", "endsWith", "contains", "matches"), YES_NO),
    "string": TEXT,
}
_WORDS = {"true": YES_NO, "false": YES_NO, "null": "null"}
_LEVELS = {
    "||": 1,
    "&&": 2,
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">=", "in"), 3),
    **dict.fromkeys("+-", 4),
    **dict.fromkeys("*/%", 5),
}
_TOKEN = re.compile(
    r"""(?P<skipped>\s+|//[^\n]*)
    |(?P<text>(?:[rRbB]|[bB][rR])?(?:\"{3}.*?\"{3}|'{3}.*?'{3})|[bB]?[rR](?:"[^"]*"|'[^']*')
        |[bB]?(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'))
    |(?P<number>0[xX][0-9a-fA-F]+[uU]?|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[uU]?)
    |(?P<name>\w+)
    |(?P<sign>\|\||&&|==|!=|<=|>=|.)""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Operand:
    """Part of a condition: as it is written, of which type (empty: not known), and the field that it is."""

    written: str
    type: str = ""
    field: Field | None = None
    members: tuple["Operand", ...] = ()

    @property
    def is_text(self) -> bool:
        """Whether it is a text as it is written, without anything that CEL would read differently."""
        return (
            self.type == TEXT
            and self.field is None
            and re.fullmatch(r"""'[^'\\]*'|"[^"\\]*\"""", self.written) is not None
        )


def never_equal(condition: str, fields: Mapping[str, Mapping[str, Field]]) -> list[tuple[Operand, Operand]]:
    """What is compared by ==, != or in though no fact makes it equal, a field first, in a condition that is CEL.

    `fields` are those of each variable that the condition may speak of.
    """
    reader = _Reader(condition, fields)
    reader.expression()
    return reader.found


class _Reader:
    def __init__(self, condition: str, fields: Mapping[str, Mapping[str, Field]]) -> None:
        self.found: list[tuple[Operand, Operand]] = []
        self._condition = condition
        self._fields = fields
        self._tokens = [one for one in _TOKEN.finditer(condition) if one.lastgroup != "skipped"]
        self._at = 0

    def expression(self, level: int = 1) -> Operand:
        """Read what binds at least as strongly as this level; at the first one, a choice by `?` as well."""
        begin = self._at
        left = self._operand()
        while (own := _LEVELS.get(self._next, 0)) >= level:
            sign = self._take()
            right = self.expression(own + 1)
            if sign in ("==", "!="):
                self._compare(left, right)
            elif sign == "in":
                for member in right.members:
                    self._compare(left, member)
            same = left.type if left.type == right.type else ""
            left = Operand(self._written(begin), YES_NO if own <= _LEVELS["in"] else same)
        if level == 1 and self._next == "?":
            self._take()
            one = self.expression()
            self._take()
            other = self.expression()
            return Operand(self._written(begin), one.type if one.type == other.type else "")
        return left

    def _operand(self) -> Operand:
        begin = self._at
        while self._next in ("!", "-"):
            self._take()
        read = self._followed(self._at, self._primary())
        sign = self._tokens[begin].group()
        return Operand(self._written(begin), YES_NO if sign == "!" else read.type) if sign in ("!", "-") else read

    def _primary(self) -> Operand:
        begin, kind, word = self._at, self._tokens[self._at].lastgroup, self._take()
        if word == "(":
            inner = self.expression()
            self._take()
            return inner
        if word in ("[", "{"):
            members = self._list("]" if word == "[" else "}")
            return Operand(self._written(begin), "list" if word == "[" else "map", members=members)
        if kind in ("text", "number"):
            return Operand(word, NUMBER if kind == "number" else "bytes" if word[0] in "bB" else TEXT)
        if self._next == "(":
            return self._called(begin, word)
        return Operand(word, _WORDS.get(word, ""))

    def _followed(self, begin: int, read: Operand) -> Operand:
        """With what stands after it by point, brackets or braces."""
        while self._next in (".", "[", "{"):
            sign, variable = self._take(), read.written
            if sign != ".":
                index = self._list("]" if sign == "[" else "}")
                named = index[0].written[1:-1] if sign == "[" and index and index[0].is_text else ""
            else:
                named = self._take()
                if self._next == "(":
                    read = self._called(begin, named)
                    continue
            field = self._fields.get(variable, {}).get(named)
            read = Operand(self._written(begin), _OF_FIELDS[field.type] if field else "", field)
        return read

    def _called(self, begin: int, name: str) -> Operand:
        self._take()
        self._list(")")
        return Operand(self._written(begin), _OF_FUNCTIONS.get(name, ""))

    def _list(self, end: str) -> tuple[Operand, ...]:
        """What stands before a closing sign, by commas; of a map its keys."""
        members = []
        while self._next != end:
            members.append(self.expression())
            if self._next == ":":
                self._take()
                self.expression()
            if self._next == ",":
                self._take()
        self._take()
        return tuple(members)

    def _compare(self, left: Operand, right: Operand) -> None:
        one, other = (left, right) if left.field or not right.field else (right, left)
        if one.type and other.type and (one.type != other.type or _of_another_form(one, other)):
            self.found.append((one, other))

    @property
    def _next(self) -> str:
        return self._tokens[self._at].group() if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1].group()

    def _written(self, begin: int) -> str:
        return self._condition[self._tokens[begin].start() : self._tokens[self._at - 1].end()]


def _of_another_form(one: Operand, text: Operand) -> bool:
    """Whether a text as it is written is none that the field ever holds."""
    return bool(one.field and one.field.form and text.is_text and not re.fullmatch(one.field.form, text.written[1:-1]))
