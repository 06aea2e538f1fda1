"""Locks by REST through the gateway, and what a vendor meets while one stands."""

import pytest

from tests.e2e.world import COMMUNE, DIRECTOR, HEAD, NEIGHBOUR, SCHOOL, YEAR, World, pupil
from tests.support.waiting import poll_until

pytestmark = pytest.mark.e2e

UNCHANGED, HELD = 2, 5


async def test_a_year_is_locked_by_rest_and_opened_again(world: World) -> None:
    """The director locks a commune; a school's rows are held until he lifts the lock of that school."""
    await world.push([pupil(SCHOOL, "KHOA-1", "L1")])
    what = {"collections": ["pupils"], "school_year": YEAR, "reason": "Đã duyệt báo cáo"}
    answer = await world.post(f"/v1/units/{COMMUNE}/locks:set", DIRECTOR, what)
    assert answer == {"school_count": 2, "locked_count": 2, "unchanged_count": 0}
    try:
        rows = [pupil(SCHOOL, "KHOA-1", "L1"), pupil(SCHOOL, "KHOA-2", "L1")]
        outcome = await world.push(rows)
        assert list(outcome.states) == [UNCHANGED, HELD]
        assert outcome.problems[0].metadata["locked_by"] == DIRECTOR
        (lock,) = (await world.get(f"/v1/units/{SCHOOL}/locks", HEAD, school_year=YEAR))["locks"]
        assert (lock["school"], lock["collection"], lock["reason"]) == (SCHOOL, "pupils", "Đã duyệt báo cáo")
    finally:
        lifted = [
            await world.post(f"/v1/units/{unit}/locks:lift", DIRECTOR, what) for unit in (SCHOOL, COMMUNE, NEIGHBOUR)
        ]
    assert [one["lifted_count"] for one in lifted] == [1, 1, 0]

    async def nothing_is_held() -> bool:
        found = await world.get(f"/v1/units/{SCHOOL}/quarantine", DIRECTOR, reason="LOCKED")
        return not found["rows"]

    await poll_until(nothing_is_held, 20.0)
    assert list((await world.push(rows)).states) == [UNCHANGED, UNCHANGED], "they were stored by themselves"
    found = await world.get(f"/v1/units/{COMMUNE}/locks", DIRECTOR, include_lifted="true")
    assert {one["lifted_by"] for one in found["locks"] if one["collection"] == "pupils"} == {DIRECTOR}
