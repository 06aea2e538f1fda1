"""Texts with `{placeholders}`: which there may be, and how they are filled."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from services.alerts.domain.shapes import CLASS_KEY, CLASS_NAME, SCHOOL_YEAR, Scalar

UNIT_NAME = "unit"  # The placeholder that every text may use besides its fact's fields.
_DAY_LENGTH = 10
_WHOLE_FROM = 1_000  # From here on a value is told as a whole number.
_DAY = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
_PLACEHOLDER = re.compile(r"\{(\w+(?:\.\w+)?)\}")


def render(text: str, values: Mapping[str, str]) -> str:
    """Fill the `{placeholders}` of a text; one without a value stays as it is, so that the defect is seen."""
    form, names = _form(text)
    return form % tuple([values.get(name, f"{{{name}}}") for name in names])


def without_values(text: str) -> str:
    """A text of a rule as it reads of no fact: with … where values stand."""
    return _PLACEHOLDER.sub("…", text)


def unknown_placeholders(text: str, names: Iterable[str]) -> list[str]:
    """Placeholders that neither these fields nor the unit's name fill."""
    return sorted(set(_PLACEHOLDER.findall(text)) - {*names, UNIT_NAME})


def as_text(value: Scalar) -> str:
    """A field's value as alerts keep it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < _WHOLE_FROM else f"{value:.0f}"
    return str(value)


def shown(values: Mapping[str, Scalar], unit_name: str, *, language: str) -> dict[str, str]:
    """What placeholders are filled with: shares in per cent, days as people write them, years as both they span."""
    filled = {name: _shown(name, value, decimal="," if language == "vi" else ".") for name, value in values.items()}
    if year := int(values.get(SCHOOL_YEAR, 0)):  # Facts keep the number; people read both calendar years.
        filled[SCHOOL_YEAR] = f"{year}-{year + 1}"
    if CLASS_KEY in filled:  # Keys are the sources' own; people know classes by their names, as far as these are told.
        filled[CLASS_NAME] = filled.get(CLASS_NAME) or filled[CLASS_KEY]
    return filled | {UNIT_NAME: unit_name}


def _shown(name: str, value: Scalar, *, decimal: str) -> str:
    if isinstance(value, str):
        day = _DAY.fullmatch(value) if len(value) == _DAY_LENGTH else None
        return "/".join(reversed(day.groups())) if day else value
    if isinstance(value, float):
        text = f"{100 * value:.1f}%" if name.endswith("share") else as_text(value)
        return text.replace(".", decimal)
    return as_text(value)


@lru_cache(maxsize=1024)  # Texts are those of rules, and one rule's are filled for thousands of facts.
def _form(text: str) -> tuple[str, Sequence[str]]:
    """The text with %s where values stand, and the names of these."""
    return _PLACEHOLDER.sub("%s", text.replace("%", "%%")), _PLACEHOLDER.findall(text)


@lru_cache(maxsize=1024)
def fields_of(*texts: str) -> frozenset[str]:
    """The fields that texts are filled from."""
    names = {name for text in texts for name in _PLACEHOLDER.findall(text)}
    return frozenset(names | {CLASS_KEY} if CLASS_NAME in names else names)
