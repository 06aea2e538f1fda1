"""Who may do what: given by those who may, revoked at once, judged the same everywhere."""

from datetime import date

import pytest
from iocedu.records.v1 import records_pb2, units_pb2

from chassis.errors import Fault, Kind
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
from tests.integration.records.test_unit_operations import asked
from tests.support.waiting import poll_until


def _create(subject: str, role: str, unit: str, **fields: str) -> units_pb2.CreateGrantRequest:
    grant = units_pb2.Grant(subject=subject, role=role, unit=unit, **fields)  # type: ignore[arg-type]  # texts only
    return units_pb2.CreateGrantRequest(grant=grant)


async def test_giving_twice_gives_one_grant_and_says_who_gave_it(records: Running):
    """A repeat answers the same grant."""
    stub = await records.grants()
    first = (await stub.CreateGrant(_create("d@xa", "director", COMMUNE))).grant
    second = (await stub.CreateGrant(_create("d@xa", "director", COMMUNE))).grant
    assert first == second
    assert (first.created_by, first.unit, first.valid_from) == (ADMINISTRATOR, COMMUNE, "2026-11-02")
    assert first.HasField("create_time")
    other = (await stub.CreateGrant(_create("d@xa", "director", COMMUNE, edge_type="professional"))).grant
    assert other.grant_id != first.grant_id


async def test_a_director_gives_lower_roles_below_and_no_others(records: Running):
    """Not her own role, none above it, none elsewhere, none that does not exist."""
    await records.grant("d@xa", "director", SCHOOL_A)
    stub = await records.grants("d@xa")
    given = (await stub.CreateGrant(_create("c@a", "clerk", SCHOOL_A))).grant
    assert given.created_by == "d@xa"
    for role in ("director", "administrator", "operator", "king"):
        with pytest.raises(Fault) as error:
            await stub.CreateGrant(_create("x", role, SCHOOL_A))
        assert (error.value.kind, reason(error)) == (Kind.DENIED, "ROLE_NOT_HELD")
    with pytest.raises(Fault) as error:
        await stub.CreateGrant(_create("x", "clerk", SCHOOL_B))
    assert reason(error) == "NO_GRANT"


async def test_a_revoked_grant_ends_at_once_everywhere_and_stays_on_record(records: Running):
    """Who had the role loses it; revoking again changes nothing; the list keeps it."""
    await records.apply(pupil("1"))
    grant = await records.grant("h@a", "head_teacher", SCHOOL_A)
    stub = await records.records("h@a")
    request = records_pb2.GetRecordRequest(collection="pupils", school=SCHOOL_A, key="1")
    await stub.GetRecord(request)
    grants = await records.grants()
    revoked = (await grants.RevokeGrant(units_pb2.RevokeGrantRequest(grant_id=grant.grant_id))).grant
    assert revoked.HasField("revoke_time")
    assert (await grants.RevokeGrant(units_pb2.RevokeGrantRequest(grant_id=grant.grant_id))).grant == revoked
    await poll_until(lambda: not records.scopes.tree.grants_of("h@a", records.today()))
    with pytest.raises(Fault) as error:
        await stub.GetRecord(request)
    assert error.value.kind is Kind.DENIED
    listed = await grants.ListGrants(units_pb2.ListGrantsRequest(unit=PROVINCE))
    assert [one.grant_id for one in listed.grants] == [grant.grant_id]
    again = (await grants.CreateGrant(_create("h@a", "head_teacher", SCHOOL_A))).grant
    assert again.grant_id != grant.grant_id


async def test_a_director_cannot_revoke_what_she_could_not_give(records: Running):
    """A grant elsewhere or of her own rank is unknown to her."""
    own = await records.grant("d@a", "director", SCHOOL_A)
    elsewhere = await records.grant("c@b", "clerk", SCHOOL_B)
    stub = await records.grants("d@a")
    for grant_id in (own.grant_id, elsewhere.grant_id, 999):
        with pytest.raises(Fault) as error:
            await stub.RevokeGrant(units_pb2.RevokeGrantRequest(grant_id=grant_id))
        assert (error.value.kind, reason(error)) == (Kind.NOT_FOUND, "UNKNOWN_GRANT")
        assert error.value.metadata["grant_id"] == str(grant_id)


async def test_a_head_teacher_says_whose_software_sends_and_nothing_else(records: Running):
    """She gives and revokes the integrator of her own school; no other role, no other school."""
    await records.grant("h@a", "head_teacher", SCHOOL_A)
    stub = await records.grants("h@a")
    given = (await stub.CreateGrant(_create("edusoft", "integrator", SCHOOL_A))).grant
    assert given.created_by == "h@a"
    for role, unit, expected in (("clerk", SCHOOL_A, "ROLE_NOT_HELD"), ("integrator", SCHOOL_B, "NO_GRANT")):
        with pytest.raises(Fault) as error:
            await stub.CreateGrant(_create("x", role, unit))
        assert reason(error) == expected
    assert (await stub.RevokeGrant(units_pb2.RevokeGrantRequest(grant_id=given.grant_id))).grant.HasField("revoke_time")


async def test_a_grant_is_ended_on_a_day_and_never_lengthened(records: Running):
    """It counts until the day before; a later day changes nothing, a sooner one does; today or before is at once."""
    grant = await records.grant("c@a", "clerk", SCHOOL_A)
    stub = await records.grants()

    async def ended(day: str) -> units_pb2.Grant:
        request = units_pb2.RevokeGrantRequest(grant_id=grant.grant_id, valid_to=day)
        answer: units_pb2.RevokeGrantResponse = await stub.RevokeGrant(request)
        return answer.grant

    assert (await ended("2026-12-01")).valid_to == "2026-12-01"
    assert (await ended("2027-01-01")).valid_to == "2026-12-01"
    sooner = await ended("2026-11-10")
    assert (sooner.valid_to, sooner.HasField("revoke_time")) == ("2026-11-10", False)
    tree = records.scopes
    await poll_until(lambda: not tree.tree.grants_of("c@a", date(2026, 11, 10)))
    assert tree.tree.grants_of("c@a", date(2026, 11, 9))
    assert (await ended("2026-11-02")).HasField("revoke_time")


async def test_lists_hold_a_unit_and_all_below_it_page_by_page(records: Running):
    """A school's grants are in the province's list; the school's own list holds no other."""
    for number in range(5):
        await records.grant(f"c{number}", "clerk", SCHOOL_A if number % 2 else SCHOOL_B)
    stub, token, pages = await records.grants(), "", []
    while True:
        page = await stub.ListGrants(units_pb2.ListGrantsRequest(unit=PROVINCE, page_size=2, page_token=token))
        pages.append([one.subject for one in page.grants])
        token = page.next_page_token
        if not token:
            break
    assert pages == [["c0", "c1"], ["c2", "c3"], ["c4"]]
    school = await stub.ListGrants(units_pb2.ListGrantsRequest(unit=SCHOOL_A))
    assert [one.subject for one in school.grants] == ["c1", "c3"]


async def test_everyone_may_ask_for_own_grants(records: Running):
    """With the unit's name; whoever has none has an empty list; the settings' administrator has every unit."""
    await records.grant("c@a", "clerk", SCHOOL_A)
    for subject, expected in (
        ("c@a", [("clerk", "Trường THCS Nguyễn Du", "school")]),
        ("nobody", []),
        (ADMINISTRATOR, [("administrator", "", "")]),
    ):
        answer = await (await records.grants(subject)).ListOwnGrants(units_pb2.ListOwnGrantsRequest())
        assert answer.subject == subject
        assert [(one.role, one.unit_name, one.unit_kind) for one in answer.grants] == expected


async def test_own_grants_may_be_asked_for_by_the_unit_where_they_count(records: Running):
    """Those on the unit and above it; what is held beside or below says nothing of it."""
    await records.grant("p@xa", "officer", COMMUNE)
    await records.grant("p@xa", "clerk", SCHOOL_A)
    stub = await records.grants("p@xa")
    for unit, expected in ((SCHOOL_A, ["clerk", "officer"]), (COMMUNE, ["officer"]), (PROVINCE, []), ("0", [])):
        answer = await stub.ListOwnGrants(units_pb2.ListOwnGrantsRequest(unit=unit))
        assert sorted(one.role for one in answer.grants) == expected
    with pytest.raises(Fault) as refused:
        await stub.ListOwnGrants(units_pb2.ListOwnGrantsRequest(unit="moet:nowhere"))
    assert refused.value.reason == "UNKNOWN_UNIT"


async def test_an_administrator_of_every_unit_can_give_a_role_on_every_unit(records: Running):
    """Unit 0 is every unit."""
    grant = await records.grant("au@so", "auditor", "0")
    assert grant.unit == "0"
    own = await (await records.grants("au@so")).ListOwnGrants(units_pb2.ListOwnGrantsRequest())
    assert [(one.role, one.unit_id) for one in own.grants] == [("auditor", 0)]


async def test_nobody_gives_for_longer_or_along_other_edges_than_held(records: Running):
    """A grant lies within its giver's own: unit, type of edge, first and last day."""
    own = {"valid_from": "2026-11-02", "valid_to": "2026-12-01"}
    await (await records.grants()).CreateGrant(_create("d@xa", "director", COMMUNE, **own))
    await poll_until(lambda: records.scopes.tree.grants_of("d@xa", records.today()))
    stub = await records.grants("d@xa")
    within = {"valid_from": "2026-11-02", "valid_to": "2026-11-20"}
    assert (await stub.CreateGrant(_create("c@a", "clerk", SCHOOL_A, **within))).grant.valid_to == "2026-11-20"
    for beyond in (
        {},  # From today without end.
        {"valid_from": "2026-11-02", "valid_to": "2027-01-01"},
        {"valid_from": "2020-01-01", "valid_to": "2026-11-20"},
        {**within, "edge_type": "professional"},
    ):
        with pytest.raises(Fault) as error:
            await stub.CreateGrant(_create("c@a", "clerk", SCHOOL_A, **beyond))
        assert (error.value.kind, reason(error)) == (Kind.DENIED, "ROLE_NOT_HELD"), beyond


async def test_an_unknown_type_of_edge_is_refused_by_name(records: Running):
    """Not even the administrator gives along edges that do not exist."""
    with pytest.raises(Fault) as error:
        await (await records.grants()).CreateGrant(_create("x", "clerk", SCHOOL_A, edge_type="bogus"))
    assert reason(error) == "INVALID_FIELD"
    assert [violation.field for violation in error.value.violations] == ["grant.edge_type"]


async def test_a_name_with_a_character_no_database_takes_is_refused_by_its_place(records: Running):
    """A unit deep in a list is named, not answered with an internal fault."""
    unit = units_pb2.UnitInput(kind="school")
    unit.names.add(name="A\0B")
    unit.codes.add(system="moet", code="X")
    with pytest.raises(Fault) as error:
        await (await records.units()).ImportUnits(units_pb2.ImportUnitsRequest(units=[unit]))
    assert [violation.field for violation in error.value.violations] == ["units[0].names[0].name"]


async def test_grants_of_a_past_day_reach_no_further_than_the_role_does_today(records: Running):
    """Who a province's commune has left is not told who works there; who holds a role on every unit is."""
    other = {"kind": "province", "name": "Tỉnh khác", "codes": [{"system": "gso", "code": "1"}]}
    stub = await records.operations()
    await stub.CreateUnitOperation(asked("1", create={"unit": other}))
    for subject, unit in (("d@p", PROVINCE), ("d@1", "gso:1"), ("h@b", SCHOOL_B)):
        await records.grant(subject, "director", unit)
    await stub.CreateUnitOperation(asked("2", merge={"units": [SCHOOL_B], "successor_unit": SCHOOL_A}))
    await stub.CreateUnitOperation(asked("3", move={"unit": COMMUNE, "parent": "gso:1"}))
    left = records.scopes.tree.resolve(PROVINCE, records.today())
    assert left is not None
    await poll_until(lambda: len(records.scopes.tree.subtree(left, records.today())) == 1)
    await records.grant("h@a", "head_teacher", SCHOOL_A)

    async def told(asking: str, unit: str, as_of: str) -> set[str]:
        request = units_pb2.ListGrantsRequest(unit=unit, as_of=as_of)
        return {one.subject for one in (await (await records.grants(asking)).ListGrants(request)).grants}

    assert await told("d@p", PROVINCE, "2026-10-01") == {"d@p"}
    assert await told("admin@so", PROVINCE, "2026-10-01") == {"d@p", "h@a", "h@b"}
    assert await told("d@1", "gso:1", "") == {"d@1", "h@a", "h@b"}
    assert await told("d@1", COMMUNE, "2026-10-01") == {"h@a", "h@b"}


async def test_a_grant_that_ends_on_its_first_day_is_revoked(records: Running):
    """It never counts, and no day is left of it."""
    stub = await records.grants()
    grant = (await stub.CreateGrant(_create("c@a", "clerk", SCHOOL_A, valid_from="2026-12-01"))).grant

    request = units_pb2.RevokeGrantRequest(grant_id=grant.grant_id, valid_to="2026-12-01")
    ended = (await stub.RevokeGrant(request)).grant

    assert (ended.HasField("revoke_time"), ended.valid_from, ended.valid_to) == (True, "2026-12-01", "")
