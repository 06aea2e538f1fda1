"""Texts with `{placeholders}`: which there may be, and how they are filled."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from services.alerts.domain.shapes import CLASS_KEY, CLASS_NAME, SCHOOL_YEAR, UNIT_OF_COUNT, Scalar

VALUE, TARGET = "value", "target"  # Fields of what is reached and of what was to be.
UNIT_NAME = "unit"  # The placeholder that every text may use besides its fact's fields.
_DAY_LENGTH = 10
_WHOLE_FROM = 1_000  # From here on a value is told as a whole number.
_MOST_DECIMALS = 6
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


def as_texts(values: Mapping[str, Scalar]) -> dict[str, str]:
    """A fact's fields as alerts keep them; a value that is not its target does not read like it."""
    texts = {name: as_text(value) for name, value in values.items()}
    value, target = values.get(VALUE), values.get(TARGET)
    if isinstance(value, float) and isinstance(target, float) and value != target and texts[VALUE] == texts[TARGET]:
        texts[VALUE], texts[TARGET] = _told_apart(value, target)
    return texts


def _told_apart(one: float, other: float) -> tuple[str, str]:
    """Two numbers with as few decimals as let them differ."""
    for decimals in range(1, _MOST_DECIMALS + 1):
        first, second = (f"{number:.{decimals}f}".rstrip("0").rstrip(".") for number in (one, other))
        if first != second:
            return first, second
    return str(one), str(other)


def shown(values: Mapping[str, Scalar], unit_name: str, *, language: str) -> dict[str, str]:
    """What placeholders are filled with: shares in per cent, days as people write them, years as both they span."""
    texts, decimal = as_texts(values), "," if language == "vi" else "."
    filled = {name: _shown(name, value, texts[name], decimal=decimal) for name, value in values.items()}
    if year := int(values.get(SCHOOL_YEAR, 0)):  # Facts keep the number; people read both calendar years.
        filled[SCHOOL_YEAR] = f"{year}-{year + 1}"
    if values.get(UNIT_OF_COUNT) == "percent":
        filled |= {name: f"{filled[name]}%" for name in (VALUE, TARGET) if name in filled}
    if CLASS_KEY in filled:  # Keys are the sources' own; people know classes by their names, as far as these are told.
        filled[CLASS_NAME] = filled.get(CLASS_NAME) or filled[CLASS_KEY]
    return filled | {UNIT_NAME: unit_name}


def _shown(name: str, value: Scalar, text: str, *, decimal: str) -> str:
    if isinstance(value, str):
        day = _DAY.fullmatch(value) if len(value) == _DAY_LENGTH else None
        return "/".join(reversed(day.groups())) if day else value
    if isinstance(value, float):
        return (f"{100 * value:.1f}%" if name.endswith("share") else text).replace(".", decimal)
    return text


@lru_cache(maxsize=1024)  # Texts are those of rules, and one rule's are filled for thousands of facts.
def _form(text: str) -> tuple[str, Sequence[str]]:
    """The text with %s where values stand, and the names of these."""
    return _PLACEHOLDER.sub("%s", text.replace("%", "%%")), _PLACEHOLDER.findall(text)


@lru_cache(maxsize=1024)
def fields_of(*texts: str) -> frozenset[str]:
    """The fields that texts are filled from."""
    names = {name for text in texts for name in _PLACEHOLDER.findall(text)}
    names |= {CLASS_KEY} if CLASS_NAME in names else set()
    return frozenset(names | {UNIT_OF_COUNT} if names & {VALUE, TARGET} else names)
