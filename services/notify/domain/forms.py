"""Forms of a few typed fields, and what fits them. Answers are texts in one spelling a type, so that they compare."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from enum import IntEnum
from typing import Any

_NAME = re.compile(r"^[a-z][a-z0-9_]{0,39}$")
MOST_TEXT = 2000


class FieldType(IntEnum):
    """What is answered; numbers as in the contract."""

    TEXT = 1
    NUMBER = 2
    CHOICE = 3
    BOOLEAN = 4
    DATE = 5


@dataclass(frozen=True, slots=True)
class Field:
    """One thing to answer."""

    name: str
    label: str
    type: FieldType
    required: bool = False
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None

    def kept(self) -> dict[str, Any]:
        """As it is stored."""
        return asdict(self) | {"type": int(self.type)}

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "Field":
        """Read back what was stored."""
        given = {name: kept[name] for name in cls.__slots__ if name in kept}
        return cls(**given | {"type": FieldType(kept["type"]), "choices": tuple(kept.get("choices", ()))})


@dataclass(frozen=True, slots=True)
class Wrong:
    """What does not fit, by the path of the field, in both languages."""

    path: str
    vi: str
    en: str


def wrong_form(form: Sequence[Field]) -> list[Wrong]:
    """What contradicts itself in a form."""
    found = []
    for place, field in enumerate(form):
        path = f"draft.form[{place}]"
        if not _NAME.match(field.name):
            vi = "Tên trường phải bắt đầu bằng chữ thường, chỉ gồm chữ thường không dấu, số và gạch dưới."
            en = "A field's name begins with a small letter and holds small letters, digits and underscores."
            found.append(Wrong(f"{path}.name", vi, en))
        if any(field.name == other.name for other in form[:place]):
            vi, en = f"Tên trường “{field.name}” bị trùng.", f"The name “{field.name}” is there twice."
            found.append(Wrong(f"{path}.name", vi, en))
        if not field.label.strip():
            found.append(Wrong(f"{path}.label", "Chưa ghi nội dung hỏi.", "Say what is asked."))
        if (field.type is FieldType.CHOICE) != bool(field.choices) or len(set(field.choices)) != len(field.choices):
            vi = "Trường lựa chọn cần danh sách lựa chọn không trùng nhau; trường khác thì để trống."
            en = "A choice needs different choices; any other field has none."
            found.append(Wrong(f"{path}.choices", vi, en))
        if field.least is not None and field.most is not None and field.least > field.most:
            vi, en = "Số nhỏ nhất lớn hơn số lớn nhất.", "The least number is greater than the greatest."
            found.append(Wrong(f"{path}.least", vi, en))
    return found


def fitted(form: Sequence[Field], answers: Mapping[str, str]) -> tuple[dict[str, str], list[Wrong]]:
    """The answers in their one spelling, without empty ones; and what does not fit."""
    kept: dict[str, str] = {}
    found: list[Wrong] = []
    known = {field.name for field in form}
    for name in sorted(set(answers) - known):
        vi, en = f"Biểu mẫu không có trường “{name}”.", f"The form has no field “{name}”."
        found.append(Wrong(f'answers["{name}"]', vi, en))
    for field in form:
        text = answers.get(field.name, "").strip()
        path = f'answers["{field.name}"]'
        if not text:
            if field.required:
                found.append(Wrong(path, f"Chưa trả lời “{field.label}”.", f"“{field.label}” is not answered."))
            continue
        spelled = _spelled(field, text)
        if spelled is None:
            found.append(Wrong(path, *_hint(field)))
        else:
            kept[field.name] = spelled
    return kept, found


def _spelled(field: Field, text: str) -> str | None:
    match field.type:
        case FieldType.NUMBER:
            return _number(field, text)
        case FieldType.CHOICE:
            return text if text in field.choices else None
        case FieldType.BOOLEAN:
            return {"true": "true", "false": "false"}.get(text.lower())
        case FieldType.DATE:
            try:
                return date.fromisoformat(text).isoformat()
            except ValueError:
                return None
        case FieldType.TEXT:
            return text if len(text) <= MOST_TEXT else None


def _number(field: Field, text: str) -> str | None:
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return None
    if not math.isfinite(value):
        return None
    if (field.least is not None and value < field.least) or (field.most is not None and value > field.most):
        return None
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def _hint(field: Field) -> tuple[str, str]:
    match field.type:
        case FieldType.NUMBER:
            bounds = [
                f"{sign} {limit:g}" for sign, limit in (("≥", field.least), ("≤", field.most)) if limit is not None
            ]
            said = f" ({', '.join(bounds)})" if bounds else ""
            return f"“{field.label}” phải là số{said}.", f"“{field.label}” must be a number{said}."
        case FieldType.CHOICE:
            choices = ", ".join(field.choices)
            return f"“{field.label}” phải là một trong: {choices}.", f"“{field.label}” must be one of: {choices}."
        case FieldType.BOOLEAN:
            return f"“{field.label}” phải là true hoặc false.", f"“{field.label}” must be true or false."
        case FieldType.DATE:
            vi = f"“{field.label}” phải là ngày dạng NĂM-THÁNG-NGÀY, ví dụ 2026-11-20."
            return vi, f"“{field.label}” must be a date such as 2026-11-20."
        case FieldType.TEXT:
            vi = f"“{field.label}” dài quá {MOST_TEXT} ký tự."
            return vi, f"“{field.label}” is longer than {MOST_TEXT} characters."
