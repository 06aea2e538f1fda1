"""Transfers: who may take which step where one stands, whatever order things come in."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.records.domain.transfers import (
    AWAITED,
    Action,
    ClockRunning,
    NotNow,
    Side,
    State,
    Step,
    Transfer,
    decided,
    opened,
    stepped,
)

NOW, DUE = datetime(2026, 11, 2, tzinfo=UTC), date(2026, 11, 9)
SCHOOLS = st.sampled_from([Side.RELEASING, Side.RECEIVING])


def _transfer(*, by_receiving: bool) -> Transfer:
    state = opened(by_receiving=by_receiving)
    side = Side.RECEIVING if by_receiving else Side.RELEASING
    return Transfer(
        1, 1, "HS1", 2026, 2, "", False, by_receiving, state, DUE, "", (Step(state, side, "xin chuyển", "a", NOW),)
    )


def _after(transfer: Transfer, state: State, side: Side, *, note: str, by: str) -> Transfer:
    steps = (*transfer.steps, Step(state, side, note, by, NOW))
    return replace(transfer, state=state, steps=steps, due_date=DUE if state in AWAITED else None)


@given(st.booleans(), st.lists(st.tuples(st.sampled_from(Action), SCHOOLS), max_size=8))
def test_no_school_ever_takes_the_others_step(by_receiving: bool, taken: list[tuple[Action, Side]]) -> None:  # noqa: FBT001
    """Only who is waited for goes on, only the opener withdraws, and what has ended stays ended."""
    transfer = _transfer(by_receiving=by_receiving)
    for place, (action, side) in enumerate(taken):
        try:
            state = stepped(transfer, action, side, note=f"{place}", by="b")
        except NotNow:
            continue
        assert state is not None
        assert transfer.state in AWAITED
        assert side is (transfer.opener if action is Action.WITHDRAW else transfer.awaited)
        assert action is not Action.WITHDRAW or transfer.state is not State.RELEASED
        transfer = _after(transfer, state, side, note=f"{place}", by="b")


def test_the_way_of_each_opening() -> None:
    """Who receives has accepted by opening; else it answers first."""
    assert [opened(by_receiving=one) for one in (True, False)] == [State.ACCEPTED, State.OPENED]
    transfer = _transfer(by_receiving=False)
    for action, side, state in (
        (Action.ACCEPT, Side.RECEIVING, State.ACCEPTED),
        (Action.RELEASE, Side.RELEASING, State.RELEASED),
        (Action.PLACE, Side.RECEIVING, State.PLACED),
    ):
        assert stepped(transfer, action, side, note="", by="b") is state
        transfer = _after(transfer, state, side, note="", by="b")
        assert stepped(transfer, action, side, note="", by="b") is None  # a repeat
    assert (transfer.awaited, transfer.late(date.max)) == (None, False)
    with pytest.raises(NotNow):
        stepped(transfer, Action.PLACE, Side.RECEIVING, note="", by="b", receiving_key="B1")  # another word than before


@pytest.mark.parametrize(("placed", "state"), [(True, State.PLACED), (False, State.REFUSED)])
def test_a_unit_above_decides_once_the_clock_is_over_and_not_before(placed: bool, state: State) -> None:  # noqa: FBT001
    """The due date is the school's last day."""
    transfer = _transfer(by_receiving=True)
    with pytest.raises(ClockRunning):
        decided(transfer, placed=placed, note="quá hạn", by="d", today=DUE)
    late = DUE + timedelta(days=1)
    assert decided(transfer, placed=placed, note="quá hạn", by="d", today=late) is state
    transfer = _after(transfer, state, Side.SUPERIOR, note="quá hạn", by="d")
    assert decided(transfer, placed=placed, note="quá hạn", by="d", today=late) is None
    with pytest.raises(NotNow):
        decided(transfer, placed=placed, note="khác", by="d", today=late)
