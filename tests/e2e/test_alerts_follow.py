"""Alerts follows what sync passes on and which days records says are free, on the real platform."""

from typing import Any

import pytest
from iocedu.records.v1 import resources_pb2

from chassis.clock import Clock
from tests.e2e.world import DIRECTOR, FAR, OTHER_COMMUNE, PROVINCE, YEAR, World, pupil, school_class
from tests.support.waiting import poll_until

pytestmark = pytest.mark.e2e


async def _tried(world: World, kind: str, condition: str) -> Any:
    """A dry run on one school; None where it would raise nothing."""
    texts = {"title_vi": "{unit}", "title_en": "{unit}", "body_vi": "{unit}", "body_en": "{unit}"}
    rule = {"fact_kind": kind, "condition": condition, "audience_roles": ["officer"], **texts}
    found = await world.post(f"/v1/units/{FAR}/rules:dryRun", DIRECTOR, {"rule": rule})
    return found if int(found["alert_count"]) else None


async def test_what_the_ministry_has_of_a_school_is_a_fact_that_rules_see(world: World) -> None:
    """A school, a class and a pupil arrive there; a rule on the destination would find them within seconds."""
    record = resources_pb2.School(school_year=YEAR, name="Trường Tiểu học Thạnh Mỹ", levels=["02"])
    profile = resources_pb2.Row(school=FAR, key=str(YEAR), version=1, school_profile=record)
    await world.push([profile, school_class(FAR, "AF1"), pupil(FAR, "AF1-1", "AF1")])
    condition = "fact.destination == 'moet' && fact.accepted >= 3 && fact.last_success != '—' && fact.failed == 0"
    found = await poll_until(lambda: _tried(world, "pushes", condition))
    assert (found["alert_count"], found["unit_count"]) == ("1", 1)


async def test_a_day_that_a_calendar_frees_is_no_school_day_for_alerts(world: World) -> None:
    """Imported by the director through the front door; attendance of today is no longer waited for."""
    await world.push([school_class(FAR, "AF2")])
    await poll_until(lambda: _tried(world, "attendance_report", "fact.expected_classes >= 0"))
    if await _tried(world, "attendance_report", "fact.school_day") is None:
        pytest.skip("today is no school day anyway: there is no lesson a calendar could free")
    today = Clock().today()
    year = today.year if today.month >= 8 else today.year - 1
    calendar = {
        "school_year": year,
        "opening_day": f"{year}-09-05",
        "terms": [{"number": 1, "first_day": f"{year}-08-10", "last_day": f"{year + 1}-05-31"}],
        "holidays": [
            {
                "first_day": today.isoformat(),
                "last_day": today.isoformat(),
                "kind": "HOLIDAY_KIND_SCHOOL",
                "name": "Nghỉ phòng lụt",
            }
        ],
        "source": "Công văn của UBND xã",
    }
    body = {"request_id": "flood", "calendar": calendar}
    await world.post(f"/v1/units/{FAR}/calendars:import", DIRECTOR, body)
    await poll_until(lambda: _tried(world, "attendance_report", "!fact.school_day"))


async def test_a_target_that_is_missed_raises_an_alert_until_the_target_is_changed(world: World) -> None:
    """Set by the director, judged by reporting, told by a rule of staff with names as people write them."""
    await world.push([school_class(FAR, "AF3"), pupil(FAR, "AF3-1", "AF3")])
    rule = {
        "fact_kind": "target",
        "condition": "fact.indicator == 'class_size_mean' && fact.missed",
        "audience_roles": ["director"],
        "title_vi": "{unit}: {name_vi}, chỉ tiêu {target}",
        "title_en": "{unit}",
        "body_vi": "{source}",
        "body_en": "{source}",
    }
    await world.post(f"/v1/units/{PROVINCE}/rules", DIRECTOR, {"code": "target_far", "rule": rule})

    async def alerts() -> list[Any]:
        found = await world.get(f"/v1/units/{OTHER_COMMUNE}/alerts", DIRECTOR, rule="target_far")
        return list(found.get("alerts", []))

    async def set_target(value: float) -> None:
        target = {"unit": OTHER_COMMUNE, "school_year": YEAR, "indicator": "class_size_mean", "value": value}
        await world.post(f"/v1/units/{PROVINCE}/targets:set", DIRECTOR, {"targets": [target | {"source": "NQ 12"}]})

    await set_target(0.5)
    [alert] = await poll_until(alerts)
    assert (alert["title_vi"], alert["body_vi"]) == ("Xã Thạnh Mỹ: Sĩ số bình quân một lớp, chỉ tiêu 0,5", "NQ 12")
    await set_target(35)

    async def over() -> bool:
        return not await alerts()

    await poll_until(over)
