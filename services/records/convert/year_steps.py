"""Steps of pupils from year to year as messages."""

from collections.abc import Callable

from iocedu.records.v1 import year_steps_pb2

from services.records.convert.assessing import NAME_MASK
from services.records.domain.masking import masked
from services.records.domain.year_steps import Step, Stepped


def step_number(step: Step) -> year_steps_pb2.YearStep.ValueType:
    """A step as the interface has it."""
    return year_steps_pb2.YearStep.ValueType(step)


def pupil_step(
    one: Stepped, *, sees: Callable[[int], bool], name: Callable[[int], str]
) -> year_steps_pb2.PupilYearStep:
    """A pupil's step; of a next record that is restricted, or not the caller's to see, no more than that it is."""
    message = year_steps_pb2.PupilYearStep(
        pupil_key=one.place.key,
        full_name=masked(one.full_name, NAME_MASK),
        class_key=one.place.class_key,
        grade=one.place.grade,
        step=step_number(one.step),
        goes_on=one.following is not None,
        promoted=one.promoted,
    )
    following = one.following
    if following is not None and following.key and sees(following.school_id):
        message.next_school_id, message.next_school_name = following.school_id, name(following.school_id)
        message.next_pupil_key, message.next_class_key = following.key, following.class_key
        message.next_grade = following.grade
    return message
