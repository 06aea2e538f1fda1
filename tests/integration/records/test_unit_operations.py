"""Units changed as decisions order it: one call, one transaction, one event; repeated without harm, listed for ever."""

import asyncio
from typing import Any

import pytest
from iocedu.records.v1 import unit_operations_pb2, units_pb2

from chassis.bus import Bus
from chassis.errors import Fault, Kind
from tests.integration.records.scenes import (
    ADMINISTRATOR,
    COMMUNE,
    PROVINCE,
    SCHOOL_A,
    SCHOOL_B,
    Running,
    reason,
)

NQ = "NQ 1241/NQ-UBTVQH15"
DAY = "2026-11-01"  # yesterday
FUTURE = "2027-01-01"
MERGED = {"kind": "school", "name": "Trường TH và THCS Nguyễn Du", "codes": [{"system": "moet", "code": "C"}]}


def asked(
    request_id: str, day: str = DAY, *, validate_only: bool = False, **change: Any
) -> unit_operations_pb2.CreateUnitOperationRequest:
    """An operation as an integrator sends it."""
    return unit_operations_pb2.CreateUnitOperationRequest(
        request_id=request_id,
        operation=unit_operations_pb2.UnitOperation(effective_date=day, document=NQ, **change),
        validate_only=validate_only,
    )


async def seen(records: Running, ref: str, day: str) -> units_pb2.Unit:
    """A unit as of a day."""
    answer = await (await records.units()).GetUnit(units_pb2.GetUnitRequest(unit=ref, as_of=day))
    assert isinstance(answer, units_pb2.GetUnitResponse)
    return answer.unit


async def below(records: Running, ref: str, day: str) -> list[str]:
    """The names of the units below a unit as of a day."""
    request = units_pb2.ListUnitsRequest(parent=ref, as_of=day, recursive=True)
    return [one.name for one in (await (await records.units()).ListUnits(request)).units]


async def test_a_rename_a_new_code_and_a_move_hold_from_their_day_on(records: Running):
    """Both views stay answerable, also of a day to come."""
    stub = await records.operations()
    codes, parents = [{"system": "gso", "code": "1"}], [{"parent": PROVINCE}]
    other = {"kind": "commune", "name": "Xã Tây Hồ", "codes": codes, "parents": parents}
    await stub.CreateUnitOperation(asked("1", create={"unit": other}))
    await stub.CreateUnitOperation(asked("2", rename={"unit": SCHOOL_A, "name": "Trường THCS Lê Lợi"}))
    await stub.CreateUnitOperation(asked("3", recode={"unit": SCHOOL_A, "system": "moet", "code": "AA"}))
    moved = await stub.CreateUnitOperation(asked("4", FUTURE, move={"unit": "moet:AA", "parent": "gso:1"}))
    assert [(one.alias, list(one.types)) for one in moved.effects] == [
        ("moet:AA", [unit_operations_pb2.UNIT_EFFECT_TYPE_MOVED])
    ]
    assert (moved.operation.document, moved.operation.created_by) == (NQ, ADMINISTRATOR)
    before, after = await seen(records, SCHOOL_A, "2026-10-31"), await seen(records, "moet:AA", DAY)
    assert before.unit_id == after.unit_id
    assert (before.name, after.name) == ("Trường THCS Nguyễn Du", "Trường THCS Lê Lợi")
    assert [one.parent for one in after.parents] == [COMMUNE]
    assert [one.parent for one in (await seen(records, "moet:AA", FUTURE)).parents] == ["gso:1"]
    assert await below(records, "gso:1", "2026-12-31") == []
    assert await below(records, "gso:1", FUTURE) == ["Trường THCS Lê Lợi"]


async def test_schools_merge_into_a_new_one_and_the_successions_say_so(records: Running):
    """The ended ones are found as of the day before, the new one from the day on."""
    merged = {**MERGED, "parents": [{"parent": COMMUNE}]}
    answer = await (await records.operations()).CreateUnitOperation(
        asked("1", merge={"units": [SCHOOL_A, SCHOOL_B], "new_unit": merged})
    )
    types = {one.alias: list(one.types) for one in answer.effects}
    assert types[SCHOOL_A] == types[SCHOOL_B] == [unit_operations_pb2.UNIT_EFFECT_TYPE_ENDS]
    old = await seen(records, SCHOOL_A, "2026-10-31")
    assert [(one.successor, one.kind, one.partial) for one in old.successions] == [("moet:C", "merged_into", False)]
    assert await below(records, PROVINCE, DAY) == ["Nhóm trẻ Ong Vàng", "Phường Tam Kỳ", MERGED["name"]]
    for ref in (SCHOOL_A, str(old.unit_id)):
        with pytest.raises(Fault) as error:
            await seen(records, ref, DAY)
        assert (error.value.kind, reason(error)) == (Kind.NOT_FOUND, "UNIT_ENDED")
        assert (error.value.metadata["valid_to"], error.value.metadata["successors"]) == (DAY, "moet:C")
        assert f"{MERGED['name']} (moet:C)" in error.value.en
    for ref in ("moet:NEVER", "moet:C"):
        with pytest.raises(Fault) as error:
            await seen(records, ref, "2026-10-31")
        assert reason(error) == "UNKNOWN_UNIT"


async def test_a_commune_is_dissolved_only_when_its_schools_have_a_place(records: Running):
    """The refusal counts the children and names the first; with `children_to` they go there."""
    stub = await records.operations()
    with pytest.raises(Fault) as error:
        await stub.CreateUnitOperation(asked("1", dissolve={"unit": COMMUNE}))
    assert (error.value.kind, reason(error), error.value.metadata["count"]) == (
        Kind.PRECONDITION,
        "UNIT_HAS_CHILDREN",
        "3",
    )
    assert "Trường TH Ánh Dương (moet:B)" in error.value.en
    assert [violation.field for violation in error.value.violations] == ["operation.dissolve.unit"]
    await stub.CreateUnitOperation(asked("1", dissolve={"unit": COMMUNE, "children_to": PROVINCE}))
    assert [one.parent for one in (await seen(records, SCHOOL_A, DAY)).parents] == [PROVINCE]
    assert [one.parent for one in (await seen(records, SCHOOL_A, "2026-10-31")).parents] == [COMMUNE]


async def test_a_split_gives_a_part_away_and_marks_it(records: Running):
    """The commune goes on without the school that went with the part."""
    new = {"kind": "commune", "name": "Xã mới", "parents": [{"parent": PROVINCE}]}
    part = {"new_unit": new, "children": [SCHOOL_B]}
    await (await records.operations()).CreateUnitOperation(
        asked("1", split={"unit": COMMUNE, "parts": [part], "unit_continues": True})
    )
    commune = await seen(records, COMMUNE, DAY)
    assert [(one.kind, one.partial) for one in commune.successions] == [("split_into", True)]
    assert await below(records, COMMUNE, DAY) == ["Nhóm trẻ Ong Vàng", "Trường THCS Nguyễn Du"]
    assert await below(records, commune.successions[0].successor, DAY) == ["Trường TH Ánh Dương"]


async def test_a_repeat_answers_the_same_and_other_content_is_refused(records: Running):
    """One operation per request id, whoever asks."""
    stub = await records.operations()
    first = await stub.CreateUnitOperation(asked("1", rename={"unit": SCHOOL_A, "name": "x"}))
    assert await stub.CreateUnitOperation(asked("1", rename={"unit": SCHOOL_A, "name": "x"})) == first
    for subject, name in ((ADMINISTRATOR, "y"), ("other@so", "x")):
        with pytest.raises(Fault) as error:
            await (await records.operations(subject)).CreateUnitOperation(
                asked("1", rename={"unit": SCHOOL_A, "name": name})
            )
        assert reason(error) == "REQUEST_ID_REUSED"
    assert await records.rows("SELECT count(*) FROM unit_operation") == [(1,)]


async def test_the_same_request_twice_at_once_is_done_once(records: Running):
    """A client that gave up waiting sends it again while the first is under way."""
    stub = await records.operations()
    request = asked("1", dissolve={"unit": COMMUNE, "children_to": PROVINCE})
    answers = await asyncio.gather(*(stub.CreateUnitOperation(request) for _ in range(4)))
    assert all(answer == answers[0] for answer in answers)
    assert await records.rows("SELECT count(*) FROM unit_operation") == [(1,)]


async def test_a_dry_run_says_what_would_change_and_what_stands_in_the_way(records: Running):
    """Nothing is stored, the request id neither; obstacles come in the language asked for."""
    stub = await records.operations(language="vi")
    merge = {"units": [SCHOOL_A, SCHOOL_B], "new_unit": {**MERGED, "parents": [{"parent": COMMUNE}]}}
    would = await stub.CreateUnitOperation(asked("1", validate_only=True, merge=merge))
    assert {one.alias: one.unit_id == 0 for one in would.effects} == {
        SCHOOL_A: False,
        SCHOOL_B: False,
        "moet:C": True,
    }
    assert (would.operation.operation_id, len(would.obstacles)) == (0, 0)
    taken = await stub.CreateUnitOperation(
        asked("1", validate_only=True, recode={"unit": SCHOOL_A, "system": "moet", "code": "B"})
    )
    (obstacle,) = taken.obstacles
    assert (obstacle.reason, obstacle.field) == ("CODE_TAKEN", "recode.code")
    assert obstacle.message.startswith("Mã «moet:B» đang thuộc về Trường TH Ánh Dương (moet:B)")
    assert not taken.effects
    assert await records.rows("SELECT count(*) FROM unit_operation") == [(0,)]
    assert (await seen(records, SCHOOL_A, DAY)).name == "Trường THCS Nguyễn Du"
    await stub.CreateUnitOperation(asked("1", merge=merge))


async def test_a_director_changes_only_what_lies_within_her_grant(records: Running):
    """Every unit concerned counts: what is named, and those above what is moved or ended."""
    await records.grant("d@xa", "director", COMMUNE)
    await records.grant("d@a", "director", SCHOOL_A)
    await records.grant("d@tinh", "director", PROVINCE)
    await records.grant("c@a", "clerk", SCHOOL_A)
    school = await records.operations("d@a")
    await school.CreateUnitOperation(asked("1", rename={"unit": SCHOOL_A, "name": "Trường THCS Lê Lợi"}))
    beyond: list[tuple[Any, dict[str, Any]]] = [
        (school, {"dissolve": {"unit": SCHOOL_A}}),
        (school, {"rename": {"unit": SCHOOL_B, "name": "x"}}),
        (school, {"merge": {"units": [SCHOOL_A], "successor_unit": SCHOOL_B}}),
        (await records.operations("d@xa"), {"move": {"unit": SCHOOL_A, "parent": PROVINCE}}),
        (await records.operations("c@a"), {"rename": {"unit": SCHOOL_A, "name": "x"}}),
        (school, {"create": {"unit": {"kind": "province", "name": "x"}}}),
        (await records.operations("d@tinh"), {"dissolve": {"unit": PROVINCE, "children_to": COMMUNE}}),
    ]
    for number, (stub, change) in enumerate(beyond):
        for validate_only in (False, True):
            with pytest.raises(Fault) as error:
                await stub.CreateUnitOperation(asked(f"b{number}", validate_only=validate_only, **change))
            assert (error.value.kind, reason(error)) == (Kind.DENIED, "NO_GRANT"), change
    merge = {"units": [SCHOOL_A], "successor_unit": SCHOOL_B}
    await (await records.operations("d@xa")).CreateUnitOperation(asked("2", merge=merge))


async def test_a_change_of_units_is_one_event_with_their_whole_history(records: Running, bus: Bus):
    """Who follows needs to ask for nothing; an import tells too, without an operation."""
    merge = {"units": [SCHOOL_A], "successor_unit": SCHOOL_B}
    await (await records.operations()).CreateUnitOperation(asked("1", merge=merge))
    await records.settled()
    messages: list[Any] = []
    async with bus.pull(source="records", event="units-changed", durable="t", batch=10) as pull:
        while len(messages) < 2:
            messages += await pull.take()
    imported, operated = (unit_operations_pb2.UnitsChanged.FromString(one.data) for one in messages)
    assert (len(imported.units), imported.HasField("operation")) == (5, False)
    assert operated.operation.document == NQ
    ended = next(one for one in operated.units if one.valid_to)
    assert (ended.names[0].name, ended.names[0].valid_to, ended.codes[0].code) == ("Trường THCS Nguyễn Du", DAY, "A")
    assert [one.kind for one in ended.successions] == ["merged_into"]


async def test_operations_are_listed_of_a_unit_and_of_all_that_lay_below_it(records: Running):
    """Also of a unit that has ended since; the newest first, page by page."""
    stub = await records.operations()
    await stub.CreateUnitOperation(asked("1", rename={"unit": SCHOOL_A, "name": "x"}))
    await stub.CreateUnitOperation(asked("2", merge={"units": [SCHOOL_A], "successor_unit": SCHOOL_B}))
    await stub.CreateUnitOperation(asked("3", rename={"unit": PROVINCE, "name": "y"}))

    async def listed(unit: str, **fields: Any) -> list[str]:
        found, token = [], ""
        while True:
            page = await stub.ListUnitOperations(
                unit_operations_pb2.ListUnitOperationsRequest(unit=unit, page_size=1, page_token=token, **fields)
            )
            found += [one.WhichOneof("change") for one in page.operations]
            token = page.next_page_token
            if not token:
                return found

    assert await listed(PROVINCE) == ["rename"]
    assert await listed(COMMUNE, recursive=True) == ["merge", "rename"]
    assert await listed(PROVINCE, recursive=True) == ["rename", "merge", "rename"]
    assert await listed(SCHOOL_B) == ["merge"]


async def test_an_operation_states_what_it_rests_on(records: Running):
    """No document, nothing to change, or a day that is none is refused by the field."""
    stub = await records.operations()
    bare = asked("1", rename={"unit": SCHOOL_A, "name": "x"})
    bare.operation.document = ""
    for request in (bare, asked("1"), asked("1", "2026-02-30", rename={"unit": SCHOOL_A, "name": "x"})):
        with pytest.raises(Fault) as error:
            await stub.CreateUnitOperation(request)
        assert reason(error) == "INVALID_FIELD"
