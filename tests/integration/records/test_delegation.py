"""A grant passed on for a time: within what its holder has, never further, and over at once when that is over."""

from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa
from iocedu.records.v1 import access_pb2, records_pb2, units_pb2
from sqlalchemy.exc import IntegrityError

from chassis.access import rule_of
from chassis.errors import Fault, Kind
from services.records.domain.grants import DELEGABLE
from tests.integration.records.scenes import (
    ADMINISTRATOR,
    COMMUNE,
    PROVINCE,
    SCHOOL_A,
    SCHOOL_B,
    Running,
    pupil,
    reason,
)
from tests.integration.records.test_unit_operations import FUTURE, MERGED, asked
from tests.support.waiting import poll_until

TODAY, END = "2026-11-02", "2026-12-01"


async def delegate(records: Running, grant: units_pb2.Grant, to: str = "p@a", **fields: Any) -> units_pb2.Grant:
    """Delegate a grant as its holder does, until the end unless it says otherwise."""
    request = access_pb2.DelegateGrantRequest(grant_id=grant.grant_id, subject=to, **({"valid_to": END} | fields))
    answer = await (await records.access(grant.subject)).DelegateGrant(request)
    assert isinstance(answer, access_pb2.DelegateGrantResponse)
    return answer.grant


async def refused(records: Running, grant: units_pb2.Grant, to: str = "p@a", **fields: Any) -> Fault:
    """The refusal of a delegation."""
    with pytest.raises(Fault) as error:
        await delegate(records, grant, to, **fields)
    return error.value


async def known(records: Running, subject: str, count: int = 1, day: date | None = None) -> None:
    """Wait until the tree by which every service judges gives a subject so many grants."""
    await poll_until(lambda: len(records.scopes.tree.grants_of(subject, day or records.today())) == count)


async def revoke(records: Running, grant: units_pb2.Grant, by: str = ADMINISTRATOR) -> None:
    """Revoke a grant."""
    await (await records.grants(by)).RevokeGrant(units_pb2.RevokeGrantRequest(grant_id=grant.grant_id))


async def listed(records: Running, subject: str, as_of: str = "") -> list[units_pb2.Grant]:
    """The grants of a subject, revoked ones included."""
    answer = await (await records.grants()).ListGrants(units_pb2.ListGrantsRequest(unit=PROVINCE, as_of=as_of))
    return [one for one in answer.grants if one.subject == subject]


async def test_who_stands_in_acts_under_her_own_name_and_the_grant_says_whose_it_is(records: Running):
    """The same calls are answered, the log names who called, and the own list says by whom."""
    await records.apply(pupil("1"))
    own = await records.grant("h@a", "head_teacher", SCHOOL_A)
    given = await delegate(records, own)
    assert (given.role, given.unit, given.valid_from, given.valid_to) == ("head_teacher", SCHOOL_A, TODAY, END)
    assert (given.delegated_from_grant_id, given.delegated_by, given.created_by) == (own.grant_id, "h@a", "h@a")
    assert await delegate(records, own) == given
    await known(records, "p@a")
    request = records_pb2.GetRecordRequest(collection="pupils", school=SCHOOL_A, key="1")
    await (await records.records("p@a")).GetRecord(request)
    assert ("p@a",) in await records.rows("SELECT subject FROM access_log WHERE key = '1'")
    (mine,) = (await (await records.grants("p@a")).ListOwnGrants(units_pb2.ListOwnGrantsRequest())).grants
    assert (mine.grant_id, mine.valid_to, mine.delegated_by) == (given.grant_id, END, "h@a")
    assert [one.delegated_by for one in await listed(records, "p@a")] == ["h@a"]


async def test_a_delegation_has_an_end_within_the_grant_and_the_term(records: Running):
    """Each refusal names the field and, where there is one, the day that would do."""
    stub = await records.grants()
    grant = units_pb2.Grant(subject="c@a", role="clerk", unit=SCHOOL_A, valid_from="2026-10-01", valid_to=FUTURE)
    own = (await stub.CreateGrant(units_pb2.CreateGrantRequest(grant=grant))).grant
    await known(records, "c@a")
    for fields, expected, field in (
        ({"valid_to": ""}, "INVALID_FIELD", "valid_to"),
        ({"valid_to": "2027-01-02"}, "DELEGATION_BEYOND_GRANT", "valid_to"),
        ({"valid_from": "2026-11-01"}, "DELEGATION_IN_THE_PAST", "valid_from"),
        ({"valid_to": "2027-02-01"}, "DELEGATION_TOO_LONG", "valid_to"),
        ({"to": "c@a"}, "DELEGATION_TO_ONESELF", "subject"),
    ):
        fault = await refused(records, own, **fields)
        assert (fault.reason, [one.field for one in fault.violations]) == (expected, [field])
    fault = await refused(records, own, valid_to="")
    assert fault.violations[0].reason == "DELEGATION_WITHOUT_END"
    fault = await refused(records, own, valid_to="2027-02-01")
    assert (fault.metadata["days"], fault.metadata["valid_to"]) == ("90", "2027-01-31")
    fault = await refused(records, own, valid_from="2026-12-01", valid_to="2027-01-02")
    assert (fault.metadata["valid_from"], fault.metadata["valid_to"]) == ("2026-10-01", FUTURE)
    assert (await delegate(records, own, valid_to=FUTURE)).valid_to == FUTURE


async def test_how_long_a_delegation_may_last_is_a_row(records: Running):
    """Another number takes its place without a release; without a row nothing is delegated."""
    own = await records.grant("c@a", "clerk", SCHOOL_A)
    async with records.database.transaction() as connection:
        await connection.execute(sa.text("UPDATE delegation_term SET days = 7, source = 'QĐ 1/QĐ-SGDĐT'"))
    assert (await refused(records, own)).metadata["days"] == "7"
    await delegate(records, own, valid_to="2026-11-09")
    async with records.database.transaction() as connection:
        await connection.execute(sa.text("DELETE FROM delegation_term"))
    assert (await refused(records, own, "q@a")).metadata["days"] == "0"


async def test_it_may_be_narrower_but_not_wider(records: Running):
    """A director of a commune lets somebody stand in for one school, not for what lies above or elsewhere."""
    own = await records.grant("d@xa", "director", COMMUNE)
    assert (await delegate(records, own, unit=SCHOOL_A)).unit == SCHOOL_A
    fault = await refused(records, own, unit=PROVINCE)
    assert (fault.reason, [one.field for one in fault.violations]) == ("DELEGATION_BEYOND_UNIT", ["unit"])
    assert (await refused(records, own, unit="moet:X")).reason == "UNKNOWN_UNIT"
    assert (await refused(records, own, unit="0")).reason == "UNKNOWN_UNIT"
    await (await records.operations()).CreateUnitOperation(asked("0", create={"unit": OTHER}))
    await (await records.operations()).CreateUnitOperation(
        asked("1", "2026-11-20", move={"unit": SCHOOL_B, "parent": "gso:7"})
    )
    fault = await refused(records, own, unit=SCHOOL_B)
    assert (fault.reason, fault.metadata["valid_to"]) == ("DELEGATION_BEYOND_UNIT", "2026-11-20")
    await delegate(records, own, unit=SCHOOL_B, valid_to="2026-11-20")


async def test_only_some_roles_are_delegated_and_none_twice(records: Running):
    """What is held by delegation goes no further, neither delegated nor given nor taken."""
    own = await records.grant("d@xa", "director", COMMUNE)
    clerk = await records.grant("c@a", "clerk", SCHOOL_A)
    given = await delegate(records, own)
    await known(records, "p@a")
    fault = await refused(records, given, "q@a")
    assert (fault.kind, fault.reason) == (Kind.PRECONDITION, "NOT_DELEGABLE")
    stub = await records.grants("p@a")
    with pytest.raises(Fault) as error:
        await stub.CreateGrant(
            units_pb2.CreateGrantRequest(
                grant=units_pb2.Grant(subject="q@a", role="clerk", unit=SCHOOL_A, valid_to="2026-11-20")
            )
        )
    assert reason(error) == "ROLE_NOT_HELD"
    with pytest.raises(Fault) as error:
        await stub.RevokeGrant(units_pb2.RevokeGrantRequest(grant_id=clerk.grant_id))
    assert reason(error) == "UNKNOWN_GRANT"
    partner = await records.grant("c@a", "integrator", SCHOOL_A)
    assert (await refused(records, partner)).reason == "NOT_DELEGABLE"
    assert (await refused(records, units_pb2.Grant(grant_id=own.grant_id, subject="c@a"))).reason == "UNKNOWN_GRANT"


async def test_a_role_given_is_not_answered_by_one_delegated(records: Running):
    """Who stands in for a clerk and becomes one keeps the role when the delegation ends."""
    own = await records.grant("c@a", "clerk", SCHOOL_A)
    given = await delegate(records, own)
    grant = units_pb2.Grant(subject="p@a", role="clerk", unit=SCHOOL_A, valid_to=END)
    created = (await (await records.grants()).CreateGrant(units_pb2.CreateGrantRequest(grant=grant))).grant
    assert created.grant_id != given.grant_id
    await revoke(records, own)
    await known(records, "p@a")


async def test_the_delegator_and_who_may_give_the_role_revoke_it_and_nobody_else(records: Running):
    """The clerk who delegated, and the director above; not a colleague, nor who stands in."""
    await records.grant("d@xa", "director", COMMUNE)
    own = await records.grant("c@a", "clerk", SCHOOL_A)
    await records.grant("k@a", "clerk", SCHOOL_A)
    for by in ("c@a", "d@xa"):
        given = await delegate(records, own)
        await known(records, "p@a")
        for other in ("k@a", "p@a"):
            with pytest.raises(Fault) as error:
                await revoke(records, given, other)
            assert reason(error) == "UNKNOWN_GRANT"
        await revoke(records, given, by)
        await known(records, "p@a", 0)
    assert len(records.scopes.tree.grants_of("c@a", records.today())) == 1


async def test_it_ends_at_once_when_the_grant_it_is_of_is_revoked(records: Running):
    """In the same transaction: at no moment is one in force without the other."""
    await records.grant("c@a", "officer", SCHOOL_B)
    own = await records.grant("c@a", "clerk", SCHOOL_A)
    await delegate(records, own)
    await delegate(records, own, "q@a", valid_from="2026-11-10")
    await known(records, "p@a")
    await revoke(records, own)
    await known(records, "p@a", 0)
    for subject in ("p@a", "q@a"):
        (gone,) = await listed(records, subject)
        assert gone.HasField("revoke_time")
    rows = await records.rows("SELECT DISTINCT revoke_time, revoked_by FROM role_grant WHERE role = 'clerk'")
    assert len(rows) == 1
    assert rows[0][1] == ADMINISTRATOR
    assert (await refused(records, own)).reason == "UNKNOWN_GRANT"


OTHER = {"kind": "commune", "name": "Xã Tây Hồ", "codes": [{"system": "gso", "code": "7"}]}
OTHER["parents"] = [{"parent": PROVINCE}]
DAY = "2026-11-20"


async def test_a_merger_takes_a_delegation_along_with_its_grant(records: Running):
    """From the day on both are held on the new school, the one still of the other."""
    own = await records.grant("c@a", "clerk", SCHOOL_A)
    await delegate(records, own)
    merge = {"units": [SCHOOL_A, SCHOOL_B], "new_unit": {**MERGED, "parents": [{"parent": COMMUNE}]}}
    would = await (await records.operations()).CreateUnitOperation(asked("1", DAY, validate_only=True, merge=merge))
    answer = await (await records.operations()).CreateUnitOperation(asked("1", DAY, merge=merge))
    for one in (would, answer):
        assert (one.ended_grant_count, one.continued_grant_count) == (2, 2)
    old, new = await _both(records, "p@a")
    _, parent = await _both(records, "c@a")
    assert (old.valid_to, new.valid_from, new.valid_to) == (DAY, DAY, END)
    assert (new.delegated_from_grant_id, new.delegated_by) == (parent.grant_id, "c@a")
    assert (new.provenance, new.moved_from_grant_id) == ("moved_by_merger", old.grant_id)
    await revoke(records, parent)
    await known(records, "p@a", 0, date.fromisoformat(DAY))
    await known(records, "p@a", 1)


async def _both(records: Running, subject: str) -> list[units_pb2.Grant]:
    """The grant that ends on the day and the one that continues it from then on."""
    await poll_until(lambda: records.scopes.tree.resolve("moet:C", date.fromisoformat(DAY)) is not None)
    found = {one.grant_id: one for day in ("", DAY) for one in await listed(records, subject, day)}
    return [found[grant_id] for grant_id in sorted(found)]


async def test_a_role_held_on_both_merged_schools_carries_what_was_delegated_of_either(records: Running):
    """The clerk is given the new school once; both who stood in do so there."""
    for school, to in ((SCHOOL_A, "p@a"), (SCHOOL_B, "q@a")):
        await delegate(records, await records.grant("c@ab", "clerk", school), to)
    merge = {"units": [SCHOOL_A], "successor_unit": SCHOOL_B}
    await (await records.operations()).CreateUnitOperation(asked("1", DAY, merge=merge))
    day = date.fromisoformat(DAY)
    await poll_until(lambda: records.scopes.tree.resolve(SCHOOL_A, day) is None)
    held = {
        one.subject: one.unit_id
        for subject in ("p@a", "q@a", "c@ab")
        for one in records.scopes.tree.grants_of(subject, day)
    }
    assert set(held) == {"p@a", "q@a", "c@ab"}
    assert len(set(held.values())) == 1


async def test_a_dissolution_ends_a_delegation_with_its_grant(records: Running):
    """Roles are given anew, and delegated anew."""
    await delegate(records, await records.grant("c@a", "clerk", SCHOOL_A))
    await (await records.operations()).CreateUnitOperation(asked("1", DAY, dissolve={"unit": SCHOOL_A}))
    assert await records.rows("SELECT upper(valid)::text FROM role_grant") == [(DAY,), (DAY,)]


async def test_a_delegation_of_one_school_ends_when_the_school_leaves_what_the_delegator_reaches(records: Running):
    """The director of the commune holds it no more from the day on, so nobody does in her place."""
    own = await records.grant("d@xa", "director", COMMUNE)
    await delegate(records, own, unit=SCHOOL_A)
    await delegate(records, own, "q@a", unit=SCHOOL_B)
    await delegate(records, own, "r@a", unit=SCHOOL_A, valid_from="2026-11-25")
    stub = await records.operations()
    await stub.CreateUnitOperation(asked("0", create={"unit": OTHER}))
    await stub.CreateUnitOperation(asked("1", DAY, move={"unit": SCHOOL_A, "parent": "gso:7"}))
    rows = await records.rows(
        "SELECT subject, upper(valid)::text, revoke_time IS NULL FROM role_grant ORDER BY grant_id"
    )
    assert rows[1:] == [("p@a", DAY, True), ("q@a", END, True), ("r@a", END, False)]


async def test_a_delegation_of_one_school_goes_on_where_the_commune_does(records: Running):
    """The commune is merged, the school stays: who stands in for its director there still does."""
    own = await records.grant("d@xa", "director", COMMUNE)
    await delegate(records, own, unit=SCHOOL_A)
    stub = await records.operations()
    await stub.CreateUnitOperation(asked("0", create={"unit": OTHER}))
    await stub.CreateUnitOperation(asked("1", DAY, merge={"units": [COMMUNE], "successor_unit": "gso:7"}))
    rows = await records.rows(
        "SELECT subject, lower(valid)::text, upper(valid)::text, grant_id, delegated_from FROM role_grant"
        " ORDER BY grant_id"
    )
    assert [row[:3] for row in rows] == [
        ("d@xa", TODAY, DAY),
        ("p@a", TODAY, DAY),
        ("d@xa", DAY, None),
        ("p@a", DAY, END),
    ]
    assert [row[4] for row in rows] == [None, rows[0][3], None, rows[2][3]]


async def test_the_database_holds_what_a_delegation_is(records: Running):
    """Whoever writes: it has an end, lies within its grant, is of the same role, and of no other delegation."""
    own = await records.grant("c@a", "clerk", SCHOOL_A)
    given = await delegate(records, own)
    insert = (
        "INSERT INTO role_grant (subject, role, unit_id, edge_type, valid, create_time, created_by, delegated_from) "
        "SELECT 'x', {role}, unit_id, edge_type, {valid}, create_time, created_by, {of} FROM role_grant LIMIT 1"
    )
    for role, valid, of in (
        ("role", "daterange('2026-11-02', NULL)", own.grant_id),
        ("role", "daterange('2026-10-01', '2026-12-01')", own.grant_id),
        ("'officer'", "daterange('2026-11-02', '2026-12-01')", own.grant_id),
        ("role", "daterange('2026-11-02', '2026-12-01')", given.grant_id),
    ):
        with pytest.raises(IntegrityError):
            async with records.database.transaction() as connection:
                await connection.execute(sa.text(insert.format(role=role, valid=valid, of=of)))


async def test_what_ends_a_grant_without_knowing_of_delegations_ends_them_too(records: Running):
    """As the code before does that runs beside this: shortened, then revoked."""
    own = await records.grant("c@a", "clerk", SCHOOL_A)
    await delegate(records, own)
    await delegate(records, own, "q@a", valid_from="2026-11-25")
    days = "SELECT subject, upper(valid)::text, revoke_time IS NULL FROM role_grant WHERE delegated_from IS NOT NULL"
    async with records.database.transaction() as connection:
        await connection.execute(
            sa.text("UPDATE role_grant SET valid = daterange('2026-11-02', '2026-11-20') WHERE subject = 'c@a'")
        )
    assert sorted(await records.rows(days)) == [("p@a", "2026-11-20", True), ("q@a", END, False)]
    async with records.database.transaction() as connection:
        await connection.execute(sa.text("UPDATE role_grant SET revoke_time = '2026-11-05' WHERE subject = 'c@a'"))
    assert sorted(await records.rows(days)) == [("p@a", "2026-11-20", False), ("q@a", END, False)]


def test_the_interface_lets_exactly_those_delegate_whose_roles_may_be():
    """The roles that may call it are those that may be delegated."""
    rule = rule_of("iocedu.records.v1.AccessService/DelegateGrant")
    assert rule is not None
    assert rule.roles == DELEGABLE
