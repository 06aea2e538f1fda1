"""Counts of attendance as messages."""

from iocedu.records.v1 import attendance_pb2

from services.records.convert.assessing import NAME_MASK, Row
from services.records.domain.assessment_rules import AbsenceRule
from services.records.domain.attendance import Absences, ClassCount, ClassDays, alarm_of
from services.records.domain.masking import masked


def pupil_attendance(
    pupil: Row, absences: Absences, days: ClassDays, rule: AbsenceRule | None
) -> attendance_pb2.PupilAttendance:
    """What the registers say of a pupil."""
    message = attendance_pb2.PupilAttendance(
        pupil_key=pupil["key"],
        full_name=masked(pupil["full_name"], NAME_MASK),
        class_key=pupil["class_key"],
        grade=pupil["grade"],
        session_count=days.sessions,
        absent_with_permission_count=absences.with_permission,
        absent_without_permission_count=absences.without_permission,
        late_count=absences.late,
        absent_day_count=absences.days,
        unreported_day_count=days.unreported_days,
    )
    if rule is not None:
        message.counted_session_count = absences.counted
        message.alarm = attendance_pb2.AbsenceAlarm.ValueType(alarm_of(absences.counted, rule))
    return message


def class_attendance(count: ClassCount) -> attendance_pb2.ClassAttendance:
    """What the registers say of a class, or of all."""
    return attendance_pb2.ClassAttendance(
        class_key=count.class_key,
        session_count=count.days.sessions,
        day_count=count.days.days,
        unreported_day_count=count.days.unreported_days,
        scheduled_count=count.scheduled,
        absent_with_permission_count=count.with_permission,
        absent_without_permission_count=count.without_permission,
        late_count=count.late,
    )
