"""How personal data is shown: by the class of the field, with a short table of exceptions, and to whom in full.

Fields are classed in the interface (Law 91/2025/QH15: basic and sensitive). A field that nobody classed is shown,
except what a source names beyond the specification: its class is unknown, so it is left out. Of what is sensitive not
even that there is something is told: that a pupil has a disability is the secret, not its code.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

HIDDEN_TEXT: Final = "•••"
_SHOWN_DIGITS: Final = 3

# Roles that may see personal data in full when they state a purpose.
UNMASKED_ROLES: Final = ("administrator", "director", "officer", "head_teacher", "auditor")


class FieldClass(Enum):
    """How a field is protected, as in the interface."""

    NONE = 0
    BASIC = 1
    SENSITIVE = 2


class Mask(Enum):
    """What is shown of a value."""

    SHOWN = "all of it"
    YEAR = "the year of a date"
    LAST_DIGITS = "the last three signs"
    HIDDEN = "that there is one"
    WITHHELD = "nothing, not even whether there is one"


_BY_CLASS: Final[Mapping[FieldClass, Mask]] = MappingProxyType(
    {FieldClass.NONE: Mask.SHOWN, FieldClass.BASIC: Mask.HIDDEN, FieldClass.SENSITIVE: Mask.WITHHELD},
)
# Where a class alone would hide more than the work allows: a list of pupils without names is no list.
_BY_NAME: Final[Mapping[str, Mask]] = MappingProxyType(
    {
        "full_name": Mask.SHOWN,
        "birth_date": Mask.YEAR,
        "personal_id": Mask.LAST_DIGITS,
        "ministry_code": Mask.LAST_DIGITS,
    },
)


def mask_of(field: str, field_class: FieldClass) -> Mask:
    """Say how a field is shown to those without purpose or role."""
    if field_class is FieldClass.BASIC and field in _BY_NAME:
        return _BY_NAME[field]
    return _BY_CLASS[field_class]


def masked(value: str, mask: Mask) -> str:
    """Show what the mask allows; what is empty stays empty, so that a gap can be told, unless that is the secret."""
    if mask is Mask.WITHHELD:
        return HIDDEN_TEXT
    if not value or mask is Mask.SHOWN:
        return value
    if mask is Mask.YEAR:
        return value[:4]
    if mask is Mask.LAST_DIGITS:
        return "•" * max(len(value) - _SHOWN_DIGITS, _SHOWN_DIGITS) + value[_SHOWN_DIGITS * -1 :]
    return HIDDEN_TEXT
