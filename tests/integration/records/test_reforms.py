"""The real units through the reforms of 2025: old and new views stay answerable; what lies ahead happens on its day."""

from typing import Any

import pytest
from iocedu.records.v1 import units_pb2

from chassis.bus import Bus
from chassis.errors import Fault
from chassis.scopes import Scopes
from chassis.testing import FixedClock
from tests.integration.records.scenes import COMMUNE, PROVINCE, SCHOOL_A, Running, reason
from tests.integration.records.test_unit_operations import FUTURE, asked, below, seen
from tests.support.waiting import poll_until
from tests.unit.records.reforms import inputs

BEFORE, BETWEEN, AFTER = "2024-12-31", "2025-03-01", "2025-07-02"


@pytest.fixture
async def provinces(empty: Running) -> Running:
    """Records with the units of Quảng Nam and Đà Nẵng in time."""
    await (await empty.units()).ImportUnits(units_pb2.ImportUnitsRequest(units=inputs()))
    return empty


async def _counts(records: Running, unit: str, day: str, **fields: Any) -> dict[str, int]:
    request = units_pb2.CountUnitsRequest(parent=unit, as_of=day, recursive=True, **fields)
    answer = await (await records.units()).CountUnits(request)
    assert (answer.as_of, answer.edge_type) == (day, fields.get("edge_type", "administrative"))
    return {one.kind: one.count for one in answer.counts}


async def test_units_are_counted_as_of_any_day(provinces: Running):
    """The old province with its districts, and the new city without."""
    assert await _counts(provinces, "gso:49", BEFORE) == {"commune": 241, "department": 1, "district": 18}
    assert await _counts(provinces, "gso:49", BETWEEN) == {"commune": 234, "department": 1, "district": 17}
    assert await _counts(provinces, "gso:48", AFTER) == {"commune": 94, "department": 1}
    assert await _counts(provinces, "gso:48", AFTER, edge_type="professional") == {}
    with pytest.raises(Fault) as error:
        await _counts(provinces, "gso:49", AFTER)
    assert (reason(error), error.value.metadata["successors"]) == ("UNIT_ENDED", "gso:48")


async def test_the_way_up_is_told_as_of_any_day(provinces: Running):
    """A commune of Nông Sơn passed to Quế Sơn, and then its successor to the city."""
    stub = await provinces.units()

    async def above(ref: str, day: str) -> list[str]:
        found, token = [], ""
        while True:
            request = units_pb2.ListAncestorsRequest(unit=ref, as_of=day, page_size=1, page_token=token)
            page = await stub.ListAncestors(request)
            found += [one.aliases[0] for one in page.units]
            token = page.next_page_token
            if not token:
                return found

    assert await above("gso:20656", BEFORE) == ["gso:519", "gso:49"]
    assert await above("gso:20656", BETWEEN) == ["gso:509", "gso:49"]
    assert await above("gso:20656", AFTER) == ["gso:48"]


async def test_successions_are_told_both_ways_over_all_reforms(provinces: Running):
    """From a district that ended to what went on; from a commune of today back to all it was formed of."""
    stub = await provinces.units()

    async def around(ref: str, day: str) -> list[units_pb2.Succession]:
        found, token = [], ""
        while True:
            request = units_pb2.ListSuccessionsRequest(unit=ref, as_of=day, page_size=2, page_token=token)
            page = await stub.ListSuccessions(request)
            found += page.successions
            token = page.next_page_token
            if not token:
                return found

    (merged,) = await around("gso:519", BEFORE)
    assert (merged.name, merged.successor_alias, merged.kind, merged.effective_date) == (
        "Huyện Nông Sơn",
        "gso:509",
        "merged_into",
        "2025-01-01",
    )
    parts = await around("gso:20296", BEFORE)
    assert [(one.successor_alias, one.partial) for one in parts] == [("gso:20194", True), ("gso:20197", True)]
    formed = await around("gso:20194", AFTER)
    assert {one.successor_alias for one in formed} == {"gso:20194"}
    assert ("gso:20296", True) in {(one.alias, one.partial) for one in formed}
    assert len(formed) > 1


async def test_what_lies_ahead_happens_on_its_day_in_every_service(records: Running, bus: Bus, clock: FixedClock):
    """Nobody restarts anything: the tree carries the days, and names are told anew when one begins."""
    stub = await records.operations()
    await stub.CreateUnitOperation(asked("1", FUTURE, rename={"unit": SCHOOL_A, "name": "Trường THCS Lê Lợi"}))
    await stub.CreateUnitOperation(asked("2", FUTURE, dissolve={"unit": COMMUNE, "children_to": PROVINCE}))
    elsewhere = Scopes(bus)

    async def named(name: str) -> bool:
        await elsewhere.refresh()
        found = elsewhere.tree.unit(elsewhere.tree.resolve(SCHOOL_A, clock.today()) or 0)
        return found is not None and found.name == name

    async def knows_the_end() -> bool:
        await elsewhere.refresh()
        school = elsewhere.tree.unit(elsewhere.tree.resolve(SCHOOL_A, clock.today()) or 0)
        return school is not None and len(school.edges) > 1

    await poll_until(knows_the_end)
    clock.set("2026-12-31T16:59:59+00:00")  # the last second of the year in Viet Nam
    today, tree = clock.today(), elsewhere.tree
    school, commune, province = (tree.resolve(ref, today) for ref in (SCHOOL_A, COMMUNE, PROVINCE))
    assert school is not None
    assert tree.ancestors(school, today) == (commune, province)
    assert await named("Trường THCS Nguyễn Du")
    assert await below(records, COMMUNE, "") != []
    clock.set("2026-12-31T17:00:00+00:00")
    assert tree.ancestors(school, clock.today()) == (province,)
    assert tree.resolve(COMMUNE, clock.today()) is None
    await poll_until(lambda: named("Trường THCS Lê Lợi"))
    assert (await seen(records, SCHOOL_A, "")).name == "Trường THCS Lê Lợi"
