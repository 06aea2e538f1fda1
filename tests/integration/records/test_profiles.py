"""Profiles over time: of a school and its reforms, of a member of staff over schools and duties."""

import json
from typing import Any

from iocedu.records.v1 import profiles_pb2, profiles_pb2_grpc, resources_pb2, school_life_pb2, units_pb2

from chassis.testing import client
from tests.integration.records.scenes import COMMUNE, SCHOOL_A, SCHOOL_B, Running, pupil, unit
from tests.support.waiting import poll_until


def _row(key: str, school: str = SCHOOL_A, **record: Any) -> resources_pb2.Row:
    return resources_pb2.Row(school=school, key=key, version=1, **record)


def _class(key: str, **fields: Any) -> resources_pb2.Row:
    values: dict[str, Any] = {"school_year": 2026, "name": key, "grade": "06", "level": "03"}
    return _row(key, school_class=resources_pb2.SchoolClass(**(values | fields)))


def _teacher(key: str, year: int, school: str = SCHOOL_A) -> resources_pb2.Row:
    member = resources_pb2.StaffMember(
        school_year=year, full_name="Trần Thị Bình", birth_date="1985-11-20", status="01", personal_id="049185000001"
    )
    return _row(key, school, staff_member=member)


async def _stub(records: Running, subject: str) -> Any:
    channel = await records.stack.enter_async_context(client(records.address, records.keys.mint(subject)))
    return profiles_pb2_grpc.ProfilesServiceStub(channel)


async def test_a_school_is_one_with_its_levels_sites_and_years(records: Running):
    """Two levels are counted apart; sites are parts of it; pupils who left are not there; rooms are counted."""
    site = unit("site", "moet:A2", SCHOOL_A, name="Điểm trường thôn 2")
    await (await records.units()).ImportUnits(units_pb2.ImportUnitsRequest(units=[site]))
    await poll_until(lambda: records.scopes.tree.resolve("moet:A2", records.today()) is not None)
    await records.apply(
        pupil("HS1"),
        pupil("HS2", grade="01", level="02"),
        pupil("HS3", status="05"),
        pupil("HS4", school_year=2025),
        _class("6A"),
        _class("1A", grade="01", level="02", site_key="A2"),
        _row("P1.2026", facility=school_life_pb2.Facility(school_year=2026, kind="room", quantity=12)),
        _row("D1.2026", facility=school_life_pb2.Facility(school_year=2026, kind="land", area=5200)),
        _teacher("GV1.2026", 2026),
    )
    profile = await (await _stub(records, "admin@so")).GetSchoolProfile(
        profiles_pb2.GetSchoolProfileRequest(school=SCHOOL_A)
    )

    assert [name.name for name in profile.names] == ["Trường THCS Nguyễn Du"]
    assert [(code.system, code.code) for code in profile.codes] == [("moet", "A")]
    assert [(part.kind, part.count) for part in profile.parts] == [("site", 1)]
    assert [parent.type for parent in profile.parents] == ["administrative"]
    newest, before = profile.years
    assert (newest.school_year, newest.staff_count, newest.room_count) == (2026, 1, 12)
    assert [(one.level, one.class_count, one.pupil_count) for one in newest.levels] == [("02", 1, 1), ("03", 1, 1)]
    assert (before.school_year, before.levels[0].pupil_count) == (2025, 1)


async def test_a_member_of_staff_is_followed_over_schools_with_duties(records: Running):
    """Homeroom, subjects as classes say them, assignments with their share of a post; of other schools nothing."""
    taught = [{"MA_MON_HOC": "TOAN", "HOC_KY": 1, "GIAO_VIEN_ID": "GV1"}, {"MA_MON_HOC": "VAN", "GIAO_VIEN_ID": "GV2"}]
    assignment = school_life_pb2.StaffAssignment(
        school_year=2026, staff_key="GV1.2026", duty="teaching", class_key="6A", subject="TOAN", post_share=0.5
    )
    reward = school_life_pb2.ConductEntry(
        school_year=2026, kind="reward", staff_key="GV1.2026", content="Giáo viên giỏi cấp tỉnh"
    )
    await records.apply(
        _teacher("GV1.2026", 2026),
        _class("6A", name="6/1", homeroom_key="GV1.2026", further={"MON_HOCS": json.dumps(taught)}),
        _row("PC1.2026", staff_assignment=assignment),
        _row("QD1.2026", conduct_entry=reward),
    )
    await records.apply(_teacher("C7.2025", 2025, SCHOOL_B))
    await records.settled()
    await records.grant("head@a", "head_teacher", SCHOOL_A)
    await records.grant("officer@xa", "officer", COMMUNE)

    async def profile(subject: str, **fields: Any) -> profiles_pb2.GetStaffProfileResponse:
        asked = profiles_pb2.GetStaffProfileRequest(school=SCHOOL_A, staff_key="GV1.2026", **fields)
        found: profiles_pb2.GetStaffProfileResponse = await (await _stub(records, subject)).GetStaffProfile(asked)
        return found

    await poll_until(lambda: _linked(records))
    here = await profile("head@a")
    everywhere = await profile("officer@xa", purpose="điều động")

    assert [(one.school_name, one.school_year, one.hidden) for one in here.person.records] == [
        ("Trường THCS Nguyễn Du", 2026, False),
        ("", 0, True),  # Nobody has let this school know where else.
    ]
    (year,) = here.years
    assert (list(year.homeroom_class_keys), year.post_share) == (["6A"], 0.5)
    assert dict(year.class_names) == {"6A": "6/1"}
    assert [(one.class_key, one.subject, one.term) for one in year.subjects] == [("6A", "TOAN", "1")]
    assert [one.row.WhichOneof("record") for one in year.others] == ["staff_assignment", "conduct_entry"]
    assert year.others[1].row.conduct_entry.content == "•••"
    assert [one.school_year for one in everywhere.years] == [2026, 2025]
    assert everywhere.years[0].others[1].row.conduct_entry.content == "Giáo viên giỏi cấp tỉnh"
    looked = await records.rows(
        "SELECT DISTINCT collection, key FROM access_log WHERE method = 'GetStaffProfile' AND subject = 'officer@xa'"
        " ORDER BY 1, 2"
    )
    assert looked == [
        ("assignments", "PC1.2026"),
        ("conduct-entries", "QD1.2026"),
        ("staff", "C7.2025"),
        ("staff", "GV1.2026"),
    ]


async def _linked(records: Running) -> bool:
    return await records.rows("SELECT count(DISTINCT root_id), count(*) FROM person_record") == [(1, 2)]
