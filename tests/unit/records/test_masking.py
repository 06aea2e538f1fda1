"""What is personal is hidden by class, with a short table of exceptions."""

from datetime import UTC, date, datetime

from iocedu.records.v1 import resources_pb2

from services.records.convert.outgoing import fill_row
from services.records.domain.objects import BY_FIELD, HEAD

NOW = datetime(2026, 11, 2, tzinfo=UTC)
HEAD_VALUES = dict(zip(HEAD, (7, "HS1", 3, 3, "vnedu", 1, False, NOW, "r1"), strict=True))


def _row(field: str, *, mask: bool, **values: object) -> resources_pb2.Row:
    spec = BY_FIELD[field]
    stored = [(HEAD_VALUES | values).get(name) for name in spec.row]
    row = resources_pb2.Row()
    fill_row(row, spec, stored, alias=lambda unit_id: f"moet:{unit_id}", mask=mask)
    return row


PUPIL = {
    "school_year": 2026,
    "full_name": "Lê An",
    "birth_date": date(2014, 3, 9),
    "sex": "1",
    "ethnic_group": "26",
    "ministry_code": "2149000123",
    "personal_id": "049214000123",
    "disability": "",
    "policy_group": "02",
    "further": {"DIA_CHI": "12 Lê Lợi"},
}


def test_a_masked_pupil_shows_name_and_year_and_hides_the_rest():
    """Ids keep three signs; of what is sensitive or was never classed not even that there is something is told."""
    pupil = _row("pupil", mask=True, **PUPIL).pupil
    assert (pupil.full_name, pupil.birth_date, pupil.sex) == ("Lê An", "2014", "1")
    assert (pupil.ministry_code, pupil.personal_id) == ("•••••••123", "•••••••••123")
    assert (pupil.ethnic_group, pupil.policy_group, pupil.disability) == ("•••", "•••", "•••")
    assert not pupil.further


def test_an_unmasked_pupil_is_given_back_as_sent():
    """Nothing is lost on the way through the store."""
    row = _row("pupil", mask=False, **PUPIL)
    assert (row.school, row.key, row.version, row.deleted) == ("moet:7", "HS1", 3, False)
    assert row.pupil.birth_date == "2014-03-09"
    assert row.pupil.ethnic_group == "26"
    assert dict(row.pupil.further) == {"DIA_CHI": "12 Lê Lợi"}


def test_masked_entries_do_not_tell_rewards_from_violence_and_checks_not_who_is_ill():
    """Whose they are and of which day they are is all that a list needs."""
    kinds = ({"kind": "violence", "form": "03"}, {"kind": "reward", "decision_number": "12/QĐ", "issuing_level": "Xã"})
    shown = [
        _row("conduct_entry", mask=True, pupil_key="HS1", day=date(2026, 11, 2), **kind).conduct_entry for kind in kinds
    ]
    assert shown[0] == shown[1]
    assert (shown[0].pupil_key, shown[0].kind, shown[0].day) == ("HS1", "•••", "2026-11-02")
    checks = [
        _row("health_check", mask=True, pupil_key="HS1", day=date(2026, 11, 2), **found).health_check
        for found in ({"findings": "Hen suyễn", "height": 120.5}, {"findings": ""})
    ]
    assert checks[0] == checks[1]


def test_nested_records_are_masked_by_their_own_classes():
    """Why a pupil was absent is sensitive; that he or she was is not."""
    exceptions = [{"pupil_key": "HS1", "kind": "P", "reason": "ốm"}, {"pupil_key": "HS2", "kind": "K"}]
    register = _row("attendance_register", mask=True, exceptions=exceptions, day=date(2026, 11, 2)).attendance_register
    assert register.day == "2026-11-02"
    assert [(one.pupil_key, one.kind, one.reason) for one in register.exceptions] == [
        ("HS1", "P", "•••"),
        ("HS2", "K", "•••"),
    ]


def test_a_tombstone_shows_its_type_and_nothing_else():
    """A deleted record has no content to hide."""
    row = _row("pupil", mask=False, **PUPIL, deleted=True)
    assert row.deleted
    assert row.WhichOneof("record") == "pupil"
    assert row.pupil == resources_pb2.Pupil()
