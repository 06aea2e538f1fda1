"""Requests against their protovalidate rules, with the exact field path and a sentence for people in both languages."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import protovalidate
from buf.validate import validate_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from chassis.errors import MOST_VIOLATIONS, Fault, FieldViolation, Kind
from chassis.wording import Words, pattern_in_words

# What a rule says of a field, and what to do; `{}` is the rule's own value.
_SAID: dict[str, str] = {
    "required": "là bắt buộc",
    "string.min_len": "quá ngắn hoặc còn trống: phải có ít nhất {} ký tự",
    "string.max_len": "quá dài: nhiều nhất {} ký tự",
    "string.len": "phải dài đúng {} ký tự",
    "string.email": "phải là địa chỉ thư điện tử",
    "string.not_in": "là giá trị không được dùng",
    "bytes.min_len": "quá ngắn hoặc còn trống: phải có ít nhất {} byte",
    "bytes.max_len": "quá dài: nhiều nhất {} byte",
    "double.finite": "phải là một con số hữu hạn",
    "string.in": "phải là một trong: {}",
    "repeated.min_items": "có quá ít phần tử: ít nhất {}",
    "repeated.max_items": "có quá nhiều phần tử: nhiều nhất {}",
    "repeated.unique": "có phần tử trùng nhau",
    "map.min_pairs": "có quá ít cặp: ít nhất {}",
    "map.max_pairs": "có quá nhiều cặp: nhiều nhất {}",
    "enum.defined_only": "không thuộc danh mục cho phép",
    "enum.not_in": "không thuộc danh mục cho phép",
}
_COMPARED = {
    "gte": "phải từ {} trở lên",
    "gt": "phải lớn hơn {}",
    "lte": "phải từ {} trở xuống",
    "lt": "phải nhỏ hơn {}",
}
_BOUNDS = re.compile(r"greater than (or equal to )?(\S+) (and|or) less than (or equal to )?(\S+)")


def field_violations(message: Message, *, most: int = MOST_VIOLATIONS) -> list[FieldViolation]:
    """What is wrong with the message by its own rules, at most `most` entries; costs some 4 µs when nothing is."""
    found = protovalidate.collect_violations(message)
    return [_violation(item.proto, item.rule_value) for item in found[:most]] if found else []


def check(message: Message) -> None:
    """Raise INVALID_FIELD, naming each wrong field, unless the message keeps its rules."""
    violations = field_violations(message) or [*_unstorable(message)]
    if violations:
        raise invalid(violations)


def _unstorable(message: Message, path: str = "") -> Iterator[FieldViolation]:
    """Texts with U+0000, which no database takes; what the rules leave to the method is left to it here too."""
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_STRING:
            for place, text in enumerate(value) if field.is_repeated else ((None, value),):
                if "\0" in text:
                    yield _holds_nul(f"{path}{field.name}{'' if place is None else f'[{place}]'}")
        elif field.type == FieldDescriptor.TYPE_MESSAGE and not _left_to_the_method(field):
            for place, inner in enumerate(value) if field.is_repeated else ((None, value),):
                yield from _unstorable(inner, f"{path}{field.name}{'' if place is None else f'[{place}]'}.")


@cache
def _left_to_the_method(field: FieldDescriptor) -> bool:
    """Rows of a push, which are thousands and have an outcome each; and maps, which only they hold."""
    rules = field.GetOptions().Extensions[validate_pb2.field]
    ignored = validate_pb2.IGNORE_ALWAYS in (rules.ignore, rules.repeated.items.ignore)
    return ignored or field.message_type is None or bool(field.message_type.GetOptions().map_entry)


def _holds_nul(name: str) -> FieldViolation:
    return FieldViolation(
        field=name,
        reason="INVALID_FIELD",
        vi=f"Trường {name} chứa ký tự U+0000. Hãy bỏ ký tự này.",
        en=f"{name}: holds the character U+0000; leave it out.",
    )


def invalid(violations: list[FieldViolation]) -> Fault:
    """The fault for fields that cannot be taken."""
    first, *others = violations
    vi, en = f"Dữ liệu gửi lên chưa hợp lệ. {first.vi}", f"The request cannot be taken. {first.en}"
    if names := ", ".join(dict.fromkeys(one.field for one in others if one.field != first.field)):
        vi, en = f"{vi} Cũng chưa hợp lệ: {names}.", f"{en} Wrong as well: {names}."
    return Fault(Kind.INVALID, "INVALID_FIELD", vi=vi, en=en, violations=violations)


def _violation(proto: Any, value: Any) -> FieldViolation:
    path = "".join(_steps(proto.field.elements)) if proto.field is not None else ""
    rule = str(proto.rule_id)
    said = _of_pattern(str(value)) if rule == "string.pattern" else _said(rule, value, str(proto.message))
    vi, en = f"Trường {path or '…'} {said.vi}.", f"{path}: {said.en}." if path else f"{said.en}."
    return FieldViolation(field=path, reason="INVALID_FIELD", vi=vi, en=en)


def _of_pattern(pattern: str) -> Words:
    words = pattern_in_words(pattern)
    if words is None:
        return Words("không đúng định dạng", "has not the right form")
    return Words(f"không đúng định dạng: phải là {words.vi}", f"has not the right form: must be {words.en}")


def _said(rule: str, value: Any, message: str) -> Words:
    """What a rule says, in English by itself."""
    said = _SAID.get(rule) or _COMPARED.get(rule.rpartition(".")[2]) or _between(message) or "không hợp lệ"
    wanted = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return Words(said.replace("{}", wanted), message)


def _between(message: str) -> str:
    """What a rule with two bounds asks for, which tells them both in its own sentence alone; empty: it is none."""
    found = _BOUNDS.search(message)
    if found is None:
        return ""
    least, low, joint, most, high = found.groups()
    said = f"phải {'từ' if least else 'lớn hơn'} {low} {'hoặc ' if joint == 'or' else ''}"
    return said + (f"{'đến' if least and joint == 'and' else 'nhiều nhất'} {high}" if most else f"nhỏ hơn {high}")


def _steps(elements: Any) -> Iterator[str]:
    for position, element in enumerate(elements):
        yield f"{'.' if position else ''}{element.field_name}"
        subscript = element.subscript
        if subscript is not None:
            value = getattr(subscript, "value", subscript)
            yield f'["{value}"]' if isinstance(value, str) else f"[{value}]"
