"""Rows as they came, for people who may see that a row was refused but not whose it is.

Shown is what a profile knows as not personal and what has the form of its field: columns may be shifted. Everything
else, and a row that cannot be read, is hidden.
"""

import json
from typing import Any

from services.sync.domain.profiles import Fits, Shown
from services.sync.domain.words import HIDDEN, Text, same


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
        return {name: _mask_member(inner, shown.get(name)) for name, inner in value.items()}
    return HIDDEN


def _mask_member(value: Any, rule: "Shown | Fits | None") -> Any:
    if not callable(rule):
        return _mask(value, rule)
    if isinstance(value, list):
        return [_mask_single(item, rule) for item in value]
    return _mask_single(value, rule)


def _mask_single(value: Any, fits: Fits) -> Any:
    """Anything deeper than a single value may hold more than its name says."""
    shown = isinstance(value, bool) or (isinstance(value, str | int | float) and fits(str(value)))
    return value if shown else _mask(value, None)
