"""The rules that ship with the service as data: `rules/*.json`."""

import json
from importlib.resources import files

from services.sync.domain.births import Births, births, read_rules


def load_births() -> Births:
    """How dates of birth are checked."""
    table = json.loads((files("services.sync") / "rules" / "birth_dates.json").read_text(encoding="utf-8"))
    return births(read_rules(table))
