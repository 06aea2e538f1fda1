"""Transfers: two schools hand a pupil over, a silent one cannot block, and the pupil counts once, at the right one."""

import asyncio
from datetime import date, timedelta
from typing import Any

import pytest
from iocedu.notify.v1 import notice_requested_pb2
from iocedu.records.v1 import persons_pb2, persons_pb2_grpc, units_pb2
from iocedu.records.v1 import transfers_pb2 as pb

from chassis.bus import Bus
from chassis.errors import Fault, Kind
from chassis.testing import FixedClock, client
from services.records.store.transfers import take_late
from tests.integration.records.asking import linked
from tests.integration.records.scenes import COMMUNE, PROVINCE, SCHOOL_A, SCHOOL_B, Running, pupil, reason, unit
from tests.support.waiting import poll_until

ACCEPT, REFUSE, RELEASE, PLACE, WITHDRAW = range(1, 6)
RELEASING, RECEIVING, SUPERIOR = 1, 2, 3
OPENED, ACCEPTED, RELEASED, PLACED, REFUSED, WITHDRAWN = range(1, 7)


def _opening(
    school: str = SCHOOL_B, side: int = RECEIVING, other: str = SCHOOL_A, **fields: Any
) -> pb.OpenTransferRequest:
    values: dict[str, Any] = {"request_id": "t1", "pupil_key": "HS1", "note": "Gia đình chuyển chỗ ở", "side": side}
    return pb.OpenTransferRequest(school=school, other_school=other, **(values | fields))


def _step(number: int, school: str, action: int, **fields: Any) -> pb.StepTransferRequest:
    values: dict[str, Any] = {"action": action}
    return pb.StepTransferRequest(school=school, transfer_id=number, **(values | fields))


def _decide(number: int, unit: str = COMMUNE, *, placed: bool = True) -> pb.DecideTransferRequest:
    return pb.DecideTransferRequest(unit=unit, transfer_id=number, placed=placed, note="Trường không trả lời")


async def _refused(call: Any) -> tuple[Kind, str]:
    with pytest.raises(Fault) as error:
        await call
    return error.value.kind, reason(error)


async def _counted(records: Running) -> set[tuple[str, str]]:
    """Where the pupils count: school and key."""
    found = await records.rows(
        "SELECT code, key FROM pupil JOIN unit_code ON unit_code.unit_id = pupil.school_id"
        " WHERE NOT deleted AND NOT EXISTS (SELECT FROM counted_elsewhere AS one"
        " WHERE one.school_id = pupil.school_id AND one.key = pupil.key)"
    )
    return {(str(code), str(key)) for code, key in found}


async def test_a_pupil_is_handed_over_step_by_step_and_counts_once(records: Running):
    """Opened by the new school, handed over, placed: the pupil counts there, though the old one still reports him."""
    await records.apply(pupil("HS1", personal_id="049214000123"))
    await records.grant("head@a", "head_teacher", SCHOOL_A)
    await records.grant("head@b", "head_teacher", SCHOOL_B)
    one, other = await records.transfers("head@a"), await records.transfers("head@b")

    opened = (await other.OpenTransfer(_opening())).transfer
    number = opened.transfer_id
    assert (opened.state, opened.awaited, opened.due_date) == (ACCEPTED, RELEASING, "2026-11-05")
    await records.apply(pupil("B1", school=SCHOOL_B, personal_id="049214000123", full_name="Nguyễn Văn Hoà"))
    await records.settled()
    await poll_until(lambda: _is(records, {("A", "HS1")}))
    released = (await one.StepTransfer(_step(number, SCHOOL_A, RELEASE))).transfer
    assert (released.state, released.awaited, released.due_date) == (RELEASED, RECEIVING, "2026-11-09")
    assert await _counted(records) == {("B", "B1")}
    placed = (await other.StepTransfer(_step(number, SCHOOL_B, PLACE, receiving_key="B1"))).transfer

    assert (placed.state, placed.awaited, placed.due_date, placed.receiving_key) == (PLACED, 0, "", "B1")
    assert [(step.state, step.side, step.step_by) for step in placed.steps] == [
        (ACCEPTED, RECEIVING, "head@b"),
        (RELEASED, RELEASING, "head@a"),
        (PLACED, RECEIVING, "head@b"),
    ]
    channel = await records.stack.enter_async_context(client(records.address, records.keys.mint("admin@so")))
    asked = persons_pb2.GetCourseRequest(school=SCHOOL_B, pupil_key="B1", purpose="xem")
    course = await persons_pb2_grpc.PersonsServiceStub(channel).GetCourse(asked)
    assert [(shown.transfer_id, shown.state) for shown in course.transfers] == [(number, PLACED)]
    log = await records.rows("SELECT method FROM access_log WHERE collection = 'transfers' ORDER BY entry_id")
    assert log[:3] == [("OpenTransfer",), ("StepTransfer",), ("StepTransfer",)]


async def _is(records: Running, expected: set[tuple[str, str]]) -> bool:
    linked = await records.rows("SELECT count(*) FROM person_record")
    return linked == [(2,)] and await _counted(records) == expected


async def test_one_silent_side_cannot_block(records: Running, clock: FixedClock, bus: Bus):
    """After the clock the units above are told, and may place the pupil; before it they may not; others never may."""
    await records.apply(pupil("HS1"))
    await records.grant("officer@xa", "officer", COMMUNE)
    await records.grant("head@b", "head_teacher", SCHOOL_B)
    other, officer = await records.transfers("head@b"), await records.transfers("officer@xa")
    number = (await other.OpenTransfer(_opening())).transfer.transfer_id

    clock.advance(timedelta(days=3))
    assert await _refused(officer.DecideTransfer(_decide(number))) == (Kind.PRECONDITION, "CLOCK_RUNNING")
    assert (await officer.ListTransfers(pb.ListTransfersRequest(unit=COMMUNE, late_only=True))).transfers == []
    clock.advance(timedelta(days=1))
    late = await officer.ListTransfers(pb.ListTransfersRequest(unit=COMMUNE, late_only=True))
    assert [(one.transfer_id, one.late) for one in late.transfers] == [(number, True)]
    told = await _late_notices(bus)
    assert [(list(one.audience_roles), one.severity) for one in told] == [
        (["head_teacher", "clerk"], 2),
        (["officer", "director"], 2),
    ]
    assert await _refused(officer.DecideTransfer(_decide(number, SCHOOL_B))) == (Kind.DENIED, "NOT_ABOVE_BOTH")
    assert (await _refused(other.DecideTransfer(_decide(number))))[0] is Kind.DENIED
    placed = (await officer.DecideTransfer(_decide(number))).transfer
    assert (placed.state, placed.steps[-1].side, placed.steps[-1].note) == (PLACED, SUPERIOR, "Trường không trả lời")
    assert (await officer.DecideTransfer(_decide(number))).transfer == placed
    assert await _refused(other.StepTransfer(_step(number, SCHOOL_B, WITHDRAW))) == (
        Kind.PRECONDITION,
        "TRANSFER_STATE",
    )


async def test_nobody_is_told_on_the_due_day_itself(records: Running):
    """The school has that day as well; whoever comes after it is told of once."""
    await records.apply(pupil("HS1"))
    opened = (await (await records.transfers()).OpenTransfer(_opening())).transfer
    due = date.fromisoformat(opened.due_date)
    async with records.database.transaction() as connection:
        assert await take_late(connection, due, most=5) == []
        late = await take_late(connection, due + timedelta(days=1), most=5)
        assert [one.transfer_id for one in late] == [opened.transfer_id]
        assert await take_late(connection, due + timedelta(days=1), most=5) == []


async def _late_notices(bus: Bus) -> list[notice_requested_pb2.NoticeRequest]:
    """What is told of late transfers, as soon as anything is."""
    subscription = await bus.jetstream.subscribe("iocedu.records.v1.notice-requested", ordered_consumer=True)
    while True:
        message = await subscription.next_msg(timeout=60)
        requests = notice_requested_pb2.NoticesRequested.FromString(message.data).requests
        if "/late/" in requests[0].key:
            await subscription.unsubscribe()
            return list(requests)


async def test_a_transfer_the_releasing_school_opens_is_answered_first(records: Running):
    """By the other school; who refuses says why; then a new one may be opened, and while one runs none."""
    await records.apply(pupil("HS1"))
    stub = await records.transfers()
    opened = (await stub.OpenTransfer(_opening(SCHOOL_A, RELEASING, SCHOOL_B))).transfer
    number = opened.transfer_id

    assert (opened.state, opened.awaited, opened.due_date) == (OPENED, RECEIVING, "2026-11-09")
    assert await _refused(stub.OpenTransfer(_opening(request_id="t2"))) == (Kind.PRECONDITION, "TRANSFER_UNDER_WAY")
    wrong = (Kind.PRECONDITION, "TRANSFER_STATE")
    assert await _refused(stub.StepTransfer(_step(number, SCHOOL_A, ACCEPT))) == wrong
    assert await _refused(stub.StepTransfer(_step(number, SCHOOL_B, RELEASE))) == wrong
    with pytest.raises(Fault) as error:
        await stub.StepTransfer(_step(number, SCHOOL_B, REFUSE))
    assert [one.field for one in error.value.violations] == ["note"]
    refused = (await stub.StepTransfer(_step(number, SCHOOL_B, REFUSE, note="Đã hết chỗ"))).transfer
    assert (refused.state, refused.due_date) == (REFUSED, "")
    again = (await stub.OpenTransfer(_opening(SCHOOL_A, RELEASING, SCHOOL_B, request_id="t2"))).transfer
    withdrawn = (await stub.StepTransfer(_step(again.transfer_id, SCHOOL_A, WITHDRAW))).transfer
    assert withdrawn.state == WITHDRAWN
    everything = await stub.ListTransfers(pb.ListTransfersRequest(unit=PROVINCE, page_size=1))
    rest = await stub.ListTransfers(
        pb.ListTransfersRequest(unit=PROVINCE, page_size=5, page_token=everything.next_page_token)
    )
    assert [one.transfer_id for one in (*everything.transfers, *rest.transfers)] == [number, again.transfer_id]


async def test_opening_is_done_once_and_only_of_a_pupil_who_is_there(records: Running):
    """Repeats at once answer the same; no such pupil, no such school, the same school twice are refused by field."""
    await records.apply(pupil("HS1"))
    stub = await records.transfers()
    answers = await asyncio.gather(*(stub.OpenTransfer(_opening()) for _ in range(4)))

    assert len({one.transfer.transfer_id for one in answers}) == 1
    assert await records.rows("SELECT count(*) FROM transfer_step") == [(1,)]
    assert await _refused(stub.OpenTransfer(_opening(note="khác"))) == (Kind.INVALID, "REQUEST_ID_REUSED")
    assert await _refused(stub.OpenTransfer(_opening(pupil_key="HS9", request_id="t2"))) == (
        Kind.NOT_FOUND,
        "UNKNOWN_RECORD",
    )
    for other in (SCHOOL_B, COMMUNE):
        with pytest.raises(Fault) as error:
            await stub.OpenTransfer(_opening(other=other, request_id="t3"))
        assert [(one.field, one.reason) for one in error.value.violations] == [("other_school", "NO_TRANSFER_BETWEEN")]
    number = answers[0].transfer.transfer_id
    assert await _refused(stub.GetTransfer(pb.GetTransferRequest(school="moet:N", transfer_id=number))) == (
        Kind.NOT_FOUND,
        "UNKNOWN_TRANSFER",
    )


async def test_between_provinces_the_answer_has_more_days(records: Running, clock: FixedClock):
    """Eight working days instead of five; a holiday in between is none of them."""
    places = [unit("province", "gso:46", name="Thành phố Huế"), unit("school", "moet:H", "gso:46", name="Trường Huế")]
    await (await records.units()).ImportUnits(units_pb2.ImportUnitsRequest(units=places))
    await poll_until(lambda: records.scopes.tree.resolve("moet:H", clock.today()) is not None)
    await records.apply(pupil("HS1"))
    stub = await records.transfers()
    opened = (await stub.OpenTransfer(_opening(SCHOOL_A, RELEASING, "moet:H"))).transfer

    assert (opened.between_provinces, opened.due_date) == (True, "2026-11-12")


async def _released(records: Running) -> int:
    """The number of a transfer of HS1 from A to B that waits to be placed."""
    await records.apply(pupil("HS1"))
    await linked(records)
    stub = await records.transfers()
    number = int((await stub.OpenTransfer(_opening())).transfer.transfer_id)
    await stub.StepTransfer(_step(number, SCHOOL_A, RELEASE))
    return number


async def test_a_pupil_is_placed_right_after_the_push_and_counts_once(records: Running):
    """Before the new record is in the feed, and so before it is anybody's."""
    number = await _released(records)
    async with records.database.transaction() as feed:
        await feed.exec_driver_sql("LOCK TABLE feed IN SHARE MODE")  # nothing reaches the feed
        await records.apply(pupil("B1", school=SCHOOL_B))
        await (await records.transfers()).StepTransfer(_step(number, SCHOOL_B, PLACE, receiving_key="B1"))
        assert await records.rows("SELECT count(DISTINCT root_id), count(*) FROM person_record") == [(1, 2)]
    await linked(records)

    assert await _counted(records) == {("B", "B1")}


async def test_a_placing_said_again_joins_what_is_two_but_no_decision(records: Running):
    """As of a record that an earlier version left alone; who was parted by a decision stays so."""
    number = await _released(records)
    await records.apply(pupil("B1", school=SCHOOL_B))
    stub = await records.transfers()
    await stub.StepTransfer(_step(number, SCHOOL_B, PLACE, receiving_key="B1"))
    async with records.database.transaction() as connection:
        await connection.exec_driver_sql("DELETE FROM person_merge")
        await connection.exec_driver_sql("UPDATE person_record SET root_id = person_id")
        await connection.exec_driver_sql("DELETE FROM counted_elsewhere")
    await stub.StepTransfer(_step(number, SCHOOL_B, PLACE, receiving_key="B1"))
    assert await _counted(records) == {("B", "B1")}

    ((merge_id,),) = await records.rows("SELECT merge_id FROM person_merge")
    undo = persons_pb2.UndoMergeRequest(unit=COMMUNE, merge_id=int(str(merge_id)), reason="nhầm")
    await (await records.persons()).UndoMerge(undo)
    await stub.StepTransfer(_step(number, SCHOOL_B, PLACE, receiving_key="B1"))
    assert await _counted(records) == {("A", "HS1"), ("B", "B1")}


async def test_nobody_is_placed_as_somebody_else(records: Running):
    """A record of another name and birth is refused; one of them may differ, as where it is corrected meanwhile."""
    number = await _released(records)
    stub = await records.transfers()
    await records.apply(pupil("B1", school=SCHOOL_B, full_name="Lê Thị Lan", birth_date="2013-01-01"))
    placing = _step(number, SCHOOL_B, PLACE, receiving_key="B1")
    assert await _refused(stub.StepTransfer(placing)) == (Kind.PRECONDITION, "ANOTHER_PUPIL")
    await records.apply(pupil("B1", 2, school=SCHOOL_B, full_name="Lê Thị Lan"))
    await stub.StepTransfer(placing)

    assert await _counted(records) == {("B", "B1")}


@pytest.mark.parametrize(
    ("school", "side", "other", "said"),
    [
        (SCHOOL_B, RECEIVING, SCHOOL_A, "The releasing school has no pupil HS9. Check the pupil's key there"),
        (SCHOOL_A, RELEASING, SCHOOL_B, "The school has no pupil HS9. Send the pupil's record first."),
    ],
)
async def test_who_opens_is_told_whose_record_is_missing(
    records: Running, school: str, side: int, other: str, said: str
):
    """The receiving school cannot send the releasing one's."""
    with pytest.raises(Fault) as error:
        await (await records.transfers()).OpenTransfer(_opening(school, side, other, pupil_key="HS9"))
    assert (reason(error), error.value.en[: len(said)]) == ("UNKNOWN_RECORD", said)


async def test_who_goes_and_comes_back_counts_where_he_or_she_went_last(records: Running):
    """Handed over to B and back to A in the same year, both schools still reporting the pupil."""
    await records.apply(pupil("HS1", personal_id="049214000123"))
    await records.apply(pupil("B1", school=SCHOOL_B, personal_id="049214000123"))
    await records.settled()
    await poll_until(lambda: _is(records, {("A", "HS1")}))
    stub = await records.transfers()
    there = (await stub.OpenTransfer(_opening())).transfer.transfer_id
    await stub.StepTransfer(_step(there, SCHOOL_A, RELEASE))
    await stub.StepTransfer(_step(there, SCHOOL_B, PLACE, receiving_key="B1"))
    assert await _counted(records) == {("B", "B1")}
    back = (await stub.OpenTransfer(_opening(SCHOOL_A, RECEIVING, SCHOOL_B, pupil_key="B1"))).transfer.transfer_id
    await stub.StepTransfer(_step(back, SCHOOL_B, RELEASE))

    assert await _counted(records) == {("A", "HS1")}


async def test_only_who_stands_above_both_schools_decides(records: Running, clock: FixedClock):
    """The officers of either school's commune may not, and hear who may; a third commune's hear of no transfer."""
    places = [unit("commune", f"gso:{code}", PROVINCE) for code in ("20336", "20337")]
    places.append(unit("school", "moet:X", "gso:20336", name="Trường THCS Lê Lợi"))
    await (await records.units()).ImportUnits(units_pb2.ImportUnitsRequest(units=places))
    await poll_until(lambda: records.scopes.tree.resolve("moet:X", clock.today()) is not None)
    for subject, place in (("o@1", COMMUNE), ("o@2", "gso:20336"), ("o@3", "gso:20337"), ("o@p", PROVINCE)):
        await records.grant(subject, "officer", place)
    await records.apply(pupil("HS1"))
    number = (await (await records.transfers()).OpenTransfer(_opening("moet:X"))).transfer.transfer_id
    clock.advance(timedelta(days=10))

    for subject, place in (("o@1", COMMUNE), ("o@2", "gso:20336")):
        with pytest.raises(Fault) as error:
            await (await records.transfers(subject)).DecideTransfer(_decide(number, place))
        assert (error.value.kind, error.value.reason) == (Kind.DENIED, "NOT_ABOVE_BOTH")
        assert error.value.metadata["unit"] == str(records.scopes.tree.resolve(PROVINCE, clock.today()))
        for named in ("“Trường THCS Nguyễn Du”", "“Trường THCS Lê Lợi”", "“Thành phố Đà Nẵng”"):
            assert named in error.value.en
    refused = (await records.transfers("o@3")).DecideTransfer(_decide(number, "gso:20337"))
    assert await _refused(refused) == (Kind.NOT_FOUND, "UNKNOWN_TRANSFER")
    decided = await (await records.transfers("o@p")).DecideTransfer(_decide(number, PROVINCE))
    assert decided.transfer.state == PLACED
