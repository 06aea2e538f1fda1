"""Who may do what on a unit, and why: the grants with their way up, as every service judges by them."""

from typing import Any

import pytest
from iocedu.records.v1 import access_pb2, units_pb2

from chassis.errors import Fault, Kind
from chassis.testing import FixedClock
from services.records.domain.grants import ROLES
from tests.integration.records.scenes import (
    ADMINISTRATOR,
    COMMUNE,
    PROVINCE,
    SCHOOL_A,
    SCHOOL_B,
    Running,
    reason,
)
from tests.integration.records.test_delegation import OTHER, delegate, known
from tests.integration.records.test_unit_operations import asked

GET_RECORD = "iocedu.records.v1.RecordsService/GetRecord"
OF_SETTINGS: list[tuple[str, str, list[str]]] = [
    ("administrator", ADMINISTRATOR, []),
    ("administrator", "other@so", []),
]


async def who(records: Running, asker: str = ADMINISTRATOR, **fields: Any) -> access_pb2.ExplainAccessResponse:
    """Who may, as a subject asks."""
    request = access_pb2.ExplainAccessRequest(**({"unit": SCHOOL_A} | fields))
    answer = await (await records.access(asker)).ExplainAccess(request)
    assert isinstance(answer, access_pb2.ExplainAccessResponse)
    return answer


async def may(records: Running, subject: str, **fields: Any) -> access_pb2.ExplainOwnAccessResponse:
    """Whether a subject may, as he or she asks."""
    request = access_pb2.ExplainOwnAccessRequest(**({"unit": SCHOOL_A} | fields))
    answer = await (await records.access(subject)).ExplainOwnAccess(request)
    assert isinstance(answer, access_pb2.ExplainOwnAccessResponse)
    return answer


def ways(answer: Any) -> list[tuple[str, str, list[str]]]:
    """Role, subject and way of each grant."""
    return [(one.role, one.subject, [unit.alias for unit in one.path]) for one in answer.grants]


async def test_it_is_said_who_may_on_a_unit_by_which_grant_and_on_which_way(records: Running):
    """The nearest first; whom the settings name last; who stands in with whose grant it is."""
    await records.grant("d@tp", "director", PROVINCE)
    await records.grant("o@xa", "officer", COMMUNE)
    own = await records.grant("c@a", "clerk", SCHOOL_A)
    await records.grant("c@b", "clerk", SCHOOL_B)
    await delegate(records, own)
    answer = await who(records)
    assert ways(answer) == [
        ("clerk", "c@a", [SCHOOL_A]),
        ("clerk", "p@a", [SCHOOL_A]),
        ("officer", "o@xa", [SCHOOL_A, COMMUNE]),
        ("director", "d@tp", [SCHOOL_A, COMMUNE, PROVINCE]),
        *OF_SETTINGS,
    ]
    second = answer.grants[1]
    assert (second.delegated_by, second.delegated_from_grant_id, second.valid_to) == ("c@a", own.grant_id, "2026-12-01")
    assert [(one.name, one.kind) for one in answer.grants[2].path] == [
        ("Trường THCS Nguyễn Du", "school"),
        ("Phường Tam Kỳ", "commune"),
    ]
    assert answer.as_of == "2026-11-02"
    assert not answer.rule.method


async def test_it_is_asked_of_a_method_a_role_and_a_subject_page_by_page(records: Running):
    """A method admits the roles of its access option."""
    for subject, role in (("c@a", "clerk"), ("p@a", "operator"), ("u@a", "auditor")):
        await records.grant(subject, role, SCHOOL_A)
    answer = await who(records, method=GET_RECORD)
    assert answer.rule.method == GET_RECORD
    assert "operator" not in answer.rule.roles
    assert {one.subject for one in answer.grants} == {"c@a", "u@a", ADMINISTRATOR, "other@so"}
    assert ways(await who(records, method=f"/{GET_RECORD}", role="clerk")) == [("clerk", "c@a", [SCHOOL_A])]
    assert ways(await who(records, method=GET_RECORD, role="operator")) == []
    assert ways(await who(records, subject="u@a")) == [("auditor", "u@a", [SCHOOL_A])]
    everyone, token, pages = ways(await who(records)), "", []
    while True:
        page = await who(records, page_size=2, page_token=token)
        pages += ways(page)
        token = page.next_page_token
        if not token:
            break
    assert pages == everyone
    for fields, field in (({"method": "x.Y/Z"}, "method"), ({"role": "king"}, "role")):
        with pytest.raises(Fault) as error:
            await who(records, **fields)
        assert (error.value.kind, [one.field for one in error.value.violations]) == (Kind.INVALID, [field])


async def test_it_is_for_administrators_directors_and_auditors_of_the_unit(records: Running):
    """An auditor of one school is not told who may on another."""
    await records.grant("u@a", "auditor", SCHOOL_A)
    await records.grant("c@a", "clerk", SCHOOL_A)
    assert len((await who(records, "u@a")).grants) == 4
    for subject, unit in (("u@a", SCHOOL_B), ("u@a", COMMUNE), ("c@a", SCHOOL_A)):
        with pytest.raises(Fault) as error:
            await who(records, subject, unit=unit)
        assert reason(error) == "NO_GRANT"


async def test_it_is_asked_as_of_a_day(records: Running, clock: FixedClock):
    """Grants, their ends and the units are those of the day; a delegation that is over was held before."""
    await records.grant("o@xa", "officer", COMMUNE)
    own = await records.grant("c@a", "clerk", SCHOOL_A)
    await delegate(records, own, valid_to="2026-11-10")
    stub = await records.operations()
    await stub.CreateUnitOperation(asked("0", create={"unit": OTHER}))
    await stub.CreateUnitOperation(asked("1", "2026-11-20", move={"unit": SCHOOL_A, "parent": "gso:7"}))
    clock.set("2026-12-05T01:00:00+00:00")
    await (await records.grants()).RevokeGrant(units_pb2.RevokeGrantRequest(grant_id=own.grant_id))
    expected = {
        "2026-11-01": [],
        "2026-11-02": ["c@a", "p@a", "o@xa"],
        "2026-11-10": ["c@a", "o@xa"],
        "2026-11-20": ["c@a"],
        "2026-12-04": ["c@a"],
        "2026-12-05": [],
    }
    for day, subjects in expected.items():
        answer = await who(records, as_of=day)
        assert [one.subject for one in answer.grants[:-2]] == subjects, day


async def test_one_may_ask_for_oneself_and_is_told_what_would_help(records: Running):
    """By which grant, or which role would do and where somebody sits who could give it."""
    await records.grant("c@a", "clerk", SCHOOL_A)
    await records.grant("d@xa", "director", COMMUNE)
    await known(records, "d@xa")
    allowed = await may(records, "c@a", method=GET_RECORD)
    assert (allowed.allowed, ways(allowed), list(allowed.remedies)) == (True, [("clerk", "c@a", [SCHOOL_A])], [])
    denied = await may(records, "c@a", method=GET_RECORD, unit=SCHOOL_B)
    assert (denied.allowed, ways(denied)) == (False, [])
    helps = {one.role: (list(one.given_by), one.unit.alias) for one in denied.remedies}
    assert set(helps) == set(denied.rule.roles)
    assert helps["clerk"] == (["administrator", "director"], COMMUNE)
    assert helps["director"] == (["administrator"], "")
    assert (await may(records, "nobody", method="iocedu.records.v1.GrantsService/ListOwnGrants")).allowed
    assert not (await may(records, "nobody")).allowed
    assert (await may(records, ADMINISTRATOR, unit="0", role="administrator")).allowed


async def test_what_must_be_held_on_every_unit_is_not_given_on_one(records: Running):
    """A method beyond any one unit: the role counts on every unit only."""
    await records.grant("p@so", "administrator", PROVINCE)
    answer = await may(records, "p@so", method="iocedu.records.v1.UnitsService/ImportUnits", unit=PROVINCE)
    assert (answer.allowed, answer.rule.every_unit) == (False, True)
    assert [(one.role, one.HasField("unit")) for one in answer.remedies] == [("administrator", False)]


async def test_the_answer_is_what_every_service_judges_by(records: Running):
    """For each subject, role and unit: allowed here and there alike."""
    subjects = ["a@1", "a@2", "a@3"]
    for subject, role, unit in (
        ("a@1", "clerk", SCHOOL_A),
        ("a@1", "auditor", COMMUNE),
        ("a@2", "officer", PROVINCE),
        ("a@3", "integrator", "0"),
    ):
        await records.grant(subject, role, unit)
    professional = units_pb2.Grant(subject="a@3", role="clerk", unit=COMMUNE, edge_type="professional")
    await (await records.grants()).CreateGrant(units_pb2.CreateGrantRequest(grant=professional))
    await known(records, "a@3", 2)
    tree, day = records.scopes.tree, records.today()
    for ref in (SCHOOL_A, SCHOOL_B, COMMUNE, PROVINCE, "0"):
        unit_id = tree.resolve(ref, day)
        assert unit_id is not None
        for subject in subjects:
            found = {one.role for one in (await who(records, unit=ref, subject=subject)).grants}
            assert found == {role for role in ROLES if tree.may(subject, [role], unit_id, day)}, (ref, subject)
