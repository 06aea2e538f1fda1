"""What a mask takes from one record into another."""

import pytest
from iocedu.records.v1 import resources_pb2, results_pb2

from services.sync.convert.corrections import corrected
from services.sync.domain.corrections import PathRefusedError, Wrong


def pupil(**fields: object) -> resources_pb2.Row:
    """A row with a pupil."""
    return resources_pb2.Row(school="moet:1", key="HS1", version=3, pupil=resources_pb2.Pupil(**fields))  # type: ignore[arg-type]  # a test's fields


def test_every_field_of_a_record_can_be_named() -> None:
    """With all of them named the record is the given one; school, key and version are never taken."""
    stored = pupil(full_name="Lê An", secondary=True, further={"A": "1"}, disability="01")
    given = pupil(full_name="Lê Ân", sex="2", further={"B": "2"})
    given.key, given.version = "HS2", 9

    edited = corrected(stored, given, [field.name for field in resources_pb2.Pupil.DESCRIPTOR.fields])

    assert edited == pupil(full_name="Lê Ân", sex="2", further={"B": "2"})
    assert not edited.pupil.HasField("secondary")


def test_what_is_not_named_stays_and_what_is_named_and_lacking_is_emptied() -> None:
    """Also a single name of `further`."""
    stored = pupil(full_name="Lê An", class_key="6A", further={"A": "1", "B": "2", "C": "3"}, secondary=False)
    given = pupil(full_name="Khác", further={"A": "9"})

    edited = corrected(stored, given, ["class_key", 'further["A"]', 'further["B"]'])

    assert edited == pupil(full_name="Lê An", further={"A": "9", "C": "3"}, secondary=False)
    assert stored.pupil.class_key == "6A"


def test_a_list_is_taken_as_a_whole() -> None:
    """Marks are no records of their own."""

    def result(*marks: float) -> resources_pb2.Row:
        subjects = [results_pb2.SubjectMark(subject=f"M{place}", mark=mark) for place, mark in enumerate(marks)]
        return resources_pb2.Row(key="K", result=results_pb2.Result(pupil_key="HS1", subject_marks=subjects))

    assert corrected(result(7.0, 8.0), result(9.0), ["subject_marks"]) == result(9.0)


@pytest.mark.parametrize(
    ("path", "given", "wrong"),
    [
        ("pupil.sex", pupil(), Wrong.NO_FIELD),
        ("further[A]", pupil(), Wrong.NO_FIELD),
        ("sex", resources_pb2.Row(), Wrong.OTHER_RECORD),
        ("sex", resources_pb2.Row(staff_member=resources_pb2.StaffMember(sex="1")), Wrong.OTHER_RECORD),
        ("personal_id", pupil(personal_id="•••••••••123"), Wrong.MASKED),
        ("further", pupil(further={"A": "•••"}), Wrong.MASKED),
        ('further["A"]', pupil(further={"A": "•••"}), Wrong.MASKED),
    ],
)
def test_what_cannot_be_taken_is_refused(path: str, given: resources_pb2.Row, wrong: Wrong) -> None:
    """No such field, another record, or a value as it was shown to who may not see it."""
    with pytest.raises(PathRefusedError) as refused:
        corrected(pupil(full_name="Lê An"), given, [path])

    assert refused.value.wrong is wrong
