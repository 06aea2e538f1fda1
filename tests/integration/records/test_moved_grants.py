"""Who held a role on a unit that ended holds it on the unit that goes on, from that day, and it is said why."""

from datetime import date, timedelta

import pytest
from iocedu.records.v1 import units_pb2

from chassis.errors import Fault, Kind
from chassis.scope_tree import ScopeGrant
from chassis.testing import FixedClock
from tests.integration.records.scenes import COMMUNE, GROUP, PROVINCE, SCHOOL_A, SCHOOL_B, Running, reason
from tests.integration.records.test_unit_operations import FUTURE, MERGED, asked
from tests.support.waiting import poll_until

MERGE = {"units": [SCHOOL_A], "successor_unit": SCHOOL_B}
LATER = date.fromisoformat(FUTURE)
DAYS = (LATER - timedelta(days=1), LATER)


def _held(records: Running, day: date) -> tuple[ScopeGrant, ...]:
    return records.scopes.tree.grants_of("c@a", day)


async def _grants(records: Running, subject: str, day: str = "") -> list[units_pb2.Grant]:
    listed = await (await records.grants()).ListGrants(units_pb2.ListGrantsRequest(unit=COMMUNE, as_of=day))
    return [one for one in listed.grants if one.subject == subject]


async def test_a_grant_on_a_merged_unit_continues_on_the_successor_from_the_day_on(records: Running):
    """Both in the list of grants and in the tree by which every service judges."""
    given = await records.grant("c@a", "clerk", SCHOOL_A)
    answer = await (await records.operations()).CreateUnitOperation(asked("1", FUTURE, merge=MERGE))
    assert (answer.ended_grant_count, answer.continued_grant_count) == (1, 1)
    old, new = await _grants(records, "c@a")
    assert (old.grant_id, old.valid_to, old.unit) == (given.grant_id, FUTURE, SCHOOL_A)
    assert (new.unit, new.role, new.valid_from, new.valid_to) == (SCHOOL_B, "clerk", FUTURE, "")
    assert (new.provenance, new.moved_from_grant_id) == ("moved_by_merger", given.grant_id)
    assert new.operation_id == answer.operation.operation_id
    eve = LATER - timedelta(days=1)
    first, second = (records.scopes.tree.resolve(school, eve) for school in (SCHOOL_A, SCHOOL_B))

    await poll_until(lambda: [one.unit_id for one in _held(records, LATER)] == [second])
    assert [one.unit_id for one in _held(records, eve)] == [first]


async def test_on_its_day_a_future_merger_moves_what_a_clerk_may(records: Running, clock: FixedClock):
    """Without a restart: the same call is refused the day before and answered on the day."""
    await records.grant("c@a", "clerk", SCHOOL_A)
    await (await records.operations()).CreateUnitOperation(asked("1", FUTURE, merge=MERGE))
    await poll_until(lambda: len({one.grant_id for day in DAYS for one in _held(records, day)}) == 2)
    units = await records.units("c@a")
    clock.set("2026-12-31T16:59:00+00:00")  # a minute before midnight in Viet Nam
    await units.GetUnit(units_pb2.GetUnitRequest(unit=SCHOOL_A))
    with pytest.raises(Fault) as error:
        await units.GetUnit(units_pb2.GetUnitRequest(unit=SCHOOL_B))
    assert error.value.kind is Kind.DENIED
    clock.set("2026-12-31T17:00:00+00:00")
    await units.GetUnit(units_pb2.GetUnitRequest(unit=SCHOOL_B))
    with pytest.raises(Fault) as error:
        await units.GetUnit(units_pb2.GetUnitRequest(unit=SCHOOL_A))
    assert reason(error) == "UNKNOWN_UNIT"


async def test_a_role_held_on_both_is_given_once_and_one_that_only_begins_later_is_moved(records: Running):
    """A clerk of two merged schools is one clerk of the new one."""
    for school in (SCHOOL_A, SCHOOL_B):
        await records.grant("c@ab", "clerk", school)
    late = units_pb2.Grant(subject="n@a", role="clerk", unit=SCHOOL_A, valid_from="2028-01-01")
    await (await records.grants()).CreateGrant(units_pb2.CreateGrantRequest(grant=late))
    new = {**MERGED, "parents": [{"parent": COMMUNE}]}
    merge = {"units": [SCHOOL_A, SCHOOL_B], "new_unit": new}
    stub = await records.operations()
    would = await stub.CreateUnitOperation(asked("1", FUTURE, validate_only=True, merge=merge))
    answer = await stub.CreateUnitOperation(asked("1", FUTURE, merge=merge))
    for one in (would, answer):
        assert (one.ended_grant_count, one.continued_grant_count) == (3, 2)
    rows = await records.rows(
        "SELECT subject, lower(valid)::text, revoke_time IS NOT NULL, provenance FROM role_grant ORDER BY grant_id"
    )
    assert rows[2:] == [
        ("n@a", "2028-01-01", True, ""),
        ("c@ab", FUTURE, False, "moved_by_merger"),
        ("n@a", "2028-01-01", False, "moved_by_merger"),
    ]
    first = SCHOOL_A, SCHOOL_B
    await poll_until(lambda: records.scopes.tree.resolve("moet:C", LATER) is not None)
    assert [one.unit in first for one in await _grants(records, "c@ab")] == [True, True]
    assert [one.provenance for one in await _grants(records, "c@ab", FUTURE)] == ["moved_by_merger"]


async def test_a_split_gives_roles_on_what_begins_and_a_dissolution_ends_them(records: Running):
    """A unit that was there before has its own people: nobody gains it by a split."""
    await records.grant("d@xa", "director", COMMUNE)
    await records.grant("k@n", "clerk", GROUP)
    new = {"kind": "commune", "name": "Xã mới", "parents": [{"parent": PROVINCE}]}
    new["codes"] = [{"system": "gso", "code": "7"}]
    old = {"kind": "commune", "name": "Xã cũ", "codes": [{"system": "gso", "code": "8"}], "parents": new["parents"]}
    stub = await records.operations()
    await stub.CreateUnitOperation(asked("0", create={"unit": old}))
    split = {"unit": COMMUNE, "parts": [{"new_unit": new}, {"unit": "gso:8"}], "children_to": "gso:7"}
    answer = await stub.CreateUnitOperation(asked("1", FUTURE, split=split))
    assert (answer.ended_grant_count, answer.continued_grant_count) == (1, 1)
    rows = await records.rows("SELECT provenance FROM role_grant WHERE subject = 'd@xa' ORDER BY grant_id")
    assert rows == [("",), ("moved_by_split",)]
    answer = await stub.CreateUnitOperation(asked("2", "2028-01-01", dissolve={"unit": GROUP}))
    assert (answer.ended_grant_count, answer.continued_grant_count) == (1, 0)


async def test_no_role_is_given_beyond_the_end_of_a_unit(records: Running):
    """What was to move has moved by then; the refusal names the day."""
    await (await records.operations()).CreateUnitOperation(asked("1", FUTURE, merge=MERGE))
    stub = await records.grants()
    grant = units_pb2.Grant(subject="c@a", role="clerk", unit=SCHOOL_A)
    with pytest.raises(Fault) as error:
        await stub.CreateGrant(units_pb2.CreateGrantRequest(grant=grant))
    assert (reason(error), error.value.metadata["valid_to"]) == ("GRANT_OUTLIVES_UNIT", FUTURE)
    grant.valid_to = FUTURE
    await stub.CreateGrant(units_pb2.CreateGrantRequest(grant=grant))
