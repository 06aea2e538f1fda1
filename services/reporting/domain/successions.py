"""What became of a unit, as a value. Refuses nothing."""

from datetime import date
from typing import NamedTuple


class Succession(NamedTuple):
    """Where a unit, or a part of it, went on a day."""

    unit_id: int
    successor_id: int
    kind: str
    effective_date: date
    partial: bool
