"""The tables beside the code (`rules/*.json`) as rules of the domain."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from services.alerts.domain.calendar import Weekly, read_weekly
from services.alerts.domain.early_warning import Reading, read_early_warning

RULES = Path(__file__).resolve().parents[1] / "rules"


def school_week() -> Weekly:
    """On which weekdays there are lessons, and the time to report by."""
    return read_weekly(_table("calendar.json"))


def early_warning() -> Reading:
    """Limits of early warning, and how statuses and results are read."""
    return read_early_warning(_table("early_warning.json"))


@cache
def rule_names() -> Mapping[str, Mapping[str, str]]:
    """What alerts of a rule that came with the service are called together, by code and language."""
    return _table("names.json")


def _table(name: str) -> dict[str, Any]:
    table: dict[str, Any] = json.loads((RULES / name).read_text(encoding="utf-8"))
    return table
