"""Requests of people about their data: when one is late."""

from datetime import UTC, date, datetime

import pytest

from chassis.clock import vietnam_day
from services.records.domain.data_requests import DataRequest, Kind, State

RECEIVED = datetime(2026, 11, 2, 1, tzinfo=UTC)


def request(state: State) -> DataRequest:
    """A request that is due on 12 November."""
    filed = (1, 1, Kind.CORRECTION, "pupils", "HS1", "Mẹ của học sinh", "Sửa ngày sinh")
    return DataRequest(*filed, RECEIVED, date(2026, 11, 12), 15, "", state, "", "", None, "", "", None, "", "")


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize(
    ("instant", "late"), [("2026-11-12T16:59:59+00:00", False), ("2026-11-12T17:00:00+00:00", True)]
)
def test_an_open_request_is_late_once_its_due_day_is_over_in_viet_nam(state: State, instant: str, late: bool):  # noqa: FBT001 (a case)
    """Until midnight there, which is 17:00 UTC; what was refused or is done is never late."""
    is_open = state in (State.RECEIVED, State.GRANTED)
    assert request(state).overdue(vietnam_day(datetime.fromisoformat(instant))) is (late and is_open)
