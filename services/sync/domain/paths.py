"""Paths of fields such as `NGAY_SINH`, `pupil.birth_date` or `DIEM_MONS[2].DIEM`."""

import re
from typing import Any, Final

_STEP: Final = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


def steps_of(path: str) -> list[str | int]:
    """Names of objects' fields, and places in lists from 0."""
    return [int(index) if index else name for name, index in _STEP.findall(path)]


def value_at(raw: Any, path: str) -> Any:
    """What stands at a path; None: nothing does."""
    for step in steps_of(path):
        try:
            raw = raw[step]
        except (KeyError, IndexError, TypeError):
            return None
    return raw
