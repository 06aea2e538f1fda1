"""How a pupil goes on from year to year."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.records.domain.year_steps import Place, Step, Stepped, counts_of, step_of

HERE, ELSEWHERE = 1, 2


def _pupil(following: Place | None = None, **known: Any) -> Stepped:
    values: dict[str, Any] = {"flow": "", "promoted": None, "graduated": None}
    return Stepped(_place("06"), "Nguyễn Văn Hòa", following=following, **(values | known))


def _place(grade: str, level: str = "03", school: int = HERE) -> Place:
    return Place(school, "HS1", f"{grade}A", grade, level)


@pytest.mark.parametrize(
    ("pupil", "step"),
    [
        (_pupil(_place("07")), Step.PROMOTED),
        (_pupil(_place("06")), Step.RETAINED),
        (_pupil(_place("07"), promoted=False), Step.PROMOTED),  # what happened counts before what was decided
        (_pupil(_place("", level=""), promoted=True), Step.PROMOTED),
        (_pupil(_place("", level="")), Step.UNKNOWN),
        (_pupil(_place("10", level="04")), Step.PROMOTED),  # a school with two levels
        (_pupil(_place("10", level="04", school=ELSEWHERE), graduated=True), Step.GRADUATED),
        (_pupil(_place("07", school=ELSEWHERE)), Step.TRANSFERRED),
        (_pupil(flow="moved_away"), Step.TRANSFERRED),
        (_pupil(flow="left"), Step.LEFT),
        (_pupil(_place("07"), flow="left"), Step.PROMOTED),  # came back
        (_pupil(graduated=False), Step.UNKNOWN),
        (_pupil(promoted=True), Step.UNKNOWN),  # lost in the summer
    ],
)
def test_a_step_is_read_from_what_happened_first(pupil: Stepped, step: Step) -> None:
    """The next year's class, then what ended, then going on elsewhere; who is not heard of is unknown."""
    assert step_of(pupil) is step


PUPILS = st.builds(
    Stepped,
    st.just(_place("06")),
    st.just(""),
    st.sampled_from(["", "left", "moved_away", "arrived"]),
    st.sampled_from([None, True, False]),
    st.sampled_from([None, True, False]),
    st.none() | st.builds(_place, st.sampled_from(["", "06", "07"]), st.just("03"), st.sampled_from([HERE, ELSEWHERE])),
)


@given(st.lists(PUPILS))
def test_every_pupil_is_counted_once_and_nobody_who_goes_on_has_left(pupils: list[Stepped]) -> None:
    """Whatever is known of them."""
    assert sum(count for _, count in counts_of(pupils)) == len(pupils)
    assert all(one.following is None for one in pupils if one.step is Step.LEFT)
