"""An export as a plain value."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

READERS = ("administrator", "director", "officer", "auditor")  # Roles whose exports may be made.


class ExportState(IntEnum):
    """Where an export is; numbers as in the contract."""

    RUNNING = 1
    DONE = 2
    CANCELLED = 3
    FAILED = 4


@dataclass(frozen=True, slots=True)
class Export:
    """An export."""

    export_id: int
    unit_id: int
    campaign_id: int | None
    pivot_id: int | None
    extract_id: int | None
    scheduled: bool
    format: str
    state: ExportState
    done_count: int
    total_count: int
    file_name: str
    failure: str
    created_by: str
    language: str
    create_time: datetime
    end_time: datetime | None
    attempts: int
