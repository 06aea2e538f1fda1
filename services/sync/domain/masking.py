"""Rows as they came, for people who may see that a row was refused but not whose it is.

Shown is what a profile knows as not personal; everything else, and a row that cannot be read, is hidden.
"""

import json
from typing import Any, Final

from services.sync.domain.profiles import Shown
from services.sync.domain.words import Text, same

HIDDEN: Final = "•••"


def masked(content: str, shown: Shown) -> Text:
    """The row with personal fields hidden; empty fields stay empty, so that a gap can be told from a secret."""
    try:
        row = json.loads(content)
    except (ValueError, RecursionError):
        count = len(content)
        return Text(f"{HIDDEN} ({count} ký tự không đọc được)", f"{HIDDEN} ({count} characters that cannot be read)")
    if not isinstance(row, dict):
        return same(HIDDEN)
    text = json.dumps(_mask(row, shown), ensure_ascii=False, separators=(",", ":"))
    return same(text.encode(errors="replace").decode())  # A row may be refused just because it holds half a letter.


def _mask(value: Any, shown: Shown | None) -> Any:
    """Hide what `shown` does not name; None hides all."""
    if value is None or value in ("", [], {}):
        return value
    if isinstance(value, list):
        return [_mask(item, shown) for item in value]
    if isinstance(value, dict) and shown is not None:
        return {name: _mask_member(inner, shown.get(name, False)) for name, inner in value.items()}
    return HIDDEN


def _mask_member(value: Any, rule: "Shown | bool") -> Any:
    if isinstance(rule, bool):
        return value if rule and _plain(value) else _mask(value, None)
    return _mask(value, rule)


def _plain(value: Any) -> bool:
    """Whether a value is a single one, or a list of such; anything deeper may hold more than its name says."""
    items = value if isinstance(value, list) else [value]
    return not any(isinstance(item, list | dict) for item in items)
