"""Questions: quarantine, connections, batches; and the events that tell of connections."""

import json
from datetime import timedelta

import pytest
from iocedu.records.v1 import units_pb2, units_pb2_grpc
from iocedu.sync.v1 import sync_pb2

from chassis.bus import Bus
from chassis.errors import Fault
from chassis.testing import client
from services.sync.servicer import sync as servicer
from services.sync.store import quarantine
from services.sync.usecases.connections import follow_tree
from tests.integration.sync.world import (
    ADMINISTRATOR,
    CLERK,
    COMMUNE,
    GROUP,
    OFFICER,
    OTHER_COMMUNE,
    PROVINCE,
    SCHOOL_A,
    SCHOOL_B,
    SCHOOL_C,
    World,
    document,
    moet_pupil,
    ndjson,
    pupil,
    push,
    unit,
)
from tests.support.waiting import poll_until

NEVER, FRESH, LATE, SILENT = 1, 2, 3, 4


def asking(unit: str = PROVINCE, **fields: object) -> sync_pb2.ListConnectionsRequest:
    """A question for connections."""
    return sync_pb2.ListConnectionsRequest(unit=unit, **fields)  # type: ignore[arg-type]  # fields as the test names them


async def connections_changed(bus: Bus) -> list[sync_pb2.ConnectionsChanged]:
    """The events published so far, by reading the stream anew."""
    subscription = await bus.jetstream.subscribe("iocedu.sync.v1.connections-changed", ordered_consumer=True)
    try:
        waiting = (await bus.jetstream.stream_info("SYNC")).state.messages
        return [
            sync_pb2.ConnectionsChanged.FromString((await subscription.next_msg(timeout=60)).data)
            for _ in range(waiting)
        ]
    finally:
        await subscription.unsubscribe()


async def test_schools_of_the_tree_are_waited_for_from_the_start(here: World, bus: Bus) -> None:
    """A school that never sent has a connection, and who listens was told."""
    answer = await (await here.sync()).ListConnections(asking())
    assert {one.school_name: (one.state, one.must_connect) for one in answer.connections} == {
        "Trường THCS Nguyễn Du": (NEVER, True),
        "Trường TH Ánh Dương": (NEVER, True),
        "Trường THPT Núi Thành": (NEVER, True),
        "Nhóm trẻ Ong Vàng": (NEVER, False),
    }

    async def told() -> bool:
        events = await connections_changed(bus)
        return {one.school_name for event in events for one in event.connections} >= {"Nhóm trẻ Ong Vàng"}

    await poll_until(told)


async def test_a_school_that_joins_the_tree_gets_a_connection(here: World) -> None:
    """Without a restart, and once, however many replicas look."""
    async with client(here.records_address, here.keys.mint(ADMINISTRATOR)) as channel:
        stub: units_pb2_grpc.UnitsServiceAsyncStub = units_pb2_grpc.UnitsServiceStub(channel)
        await stub.ImportUnits(units_pb2.ImportUnitsRequest(units=[unit("school", "moet:NEW", COMMUNE, "Trường mới")]))

    async def there() -> bool:
        return await here.count("connection") == 5

    await poll_until(there)
    assert await follow_tree(await here.intake()) == 0


async def test_a_school_that_leaves_the_tree_is_no_longer_waited_for(here: World, bus: Bus) -> None:
    """Its connection stays, with its counts; who listens is told that it need not connect."""
    closing = unit("school", "moet:OLD", COMMUNE, "Trường cũ")
    closing.valid_to = "2026-11-03"
    async with client(here.records_address, here.keys.mint(ADMINISTRATOR)) as channel:
        stub: units_pb2_grpc.UnitsServiceAsyncStub = units_pb2_grpc.UnitsServiceStub(channel)
        await stub.ImportUnits(units_pb2.ImportUnitsRequest(units=[closing]))

    async def told() -> list[bool]:
        events = await connections_changed(bus)
        return [one.must_connect for event in events for one in event.connections if one.school_name == "Trường cũ"]

    await poll_until(told)
    await (await here.sync()).PushRows(push("1", pupil("HS1", school="moet:OLD"), unit=PROVINCE))
    here.clock.advance(timedelta(days=1))
    assert await follow_tree(await here.intake()) == 1
    assert await follow_tree(await here.intake()) == 0
    query = "SELECT count(*) FILTER (WHERE must_connect), sum(accepted_count) FROM connection"
    async with here.sync_database.connection() as reads:
        assert tuple((await reads.exec_driver_sql(query)).one()) == (3, 1)

    async def told_last() -> bool:
        return (await told())[-1:] == [False]

    await poll_until(told_last)


async def test_one_event_a_batch_tells_of_its_schools(here: World, bus: Bus) -> None:
    """Two schools in a batch are one event, with counts and state after it."""
    rows = [pupil("HS1"), pupil("HS2", sex="7"), pupil("HS3", school=SCHOOL_B)]
    await (await here.sync()).PushRows(push("1", *rows, unit=PROVINCE))

    async def told() -> list[sync_pb2.ConnectionsChanged]:
        return [event for event in await connections_changed(bus) if event.connections[0].source]

    (event,) = await poll_until(told)
    counts = {one.school_name: (one.accepted_count, one.rejected_count) for one in event.connections}
    assert counts == {"Trường THCS Nguyễn Du": (1, 1), "Trường TH Ánh Dương": (1, 0)}
    assert {one.state for one in event.connections} == {FRESH}
    assert not event.backfill


async def test_the_state_follows_the_clock_and_the_worst_come_first(here: World) -> None:
    """Fresh for a day, late until the third, silent then; each state can be asked for; pages go through all."""
    stub = await here.sync()
    await stub.PushRows(push("1", pupil("HS1")))
    here.clock.advance(timedelta(hours=25))
    await stub.PushRows(push("2", pupil("HS1", school=SCHOOL_B), unit=SCHOOL_B))
    here.clock.advance(timedelta(hours=50))
    await stub.PushRows(push("3", pupil("HS1", school=SCHOOL_C), unit=SCHOOL_C))
    answer = await stub.ListConnections(asking())
    assert [one.state for one in answer.connections] == [NEVER, SILENT, LATE, FRESH]
    for state, one in zip([NEVER, SILENT, LATE, FRESH], answer.connections, strict=True):
        assert list((await stub.ListConnections(asking(states=[state]))).connections) == [one]
    paged: list[sync_pb2.Connection] = []
    token = ""
    while True:
        page = await stub.ListConnections(asking(page_size=1, page_token=token))
        paged += page.connections
        token = page.next_page_token
        if not token:
            break
    assert paged == list(answer.connections)


async def test_history_does_not_make_a_connection_fresh(here: World) -> None:
    """A backfill is counted, but a school that only ever loaded history still has to connect."""
    stub = await here.sync()
    await stub.PushRows(push("1", pupil("HS1"), backfill=True))
    (one,) = (await stub.ListConnections(asking(SCHOOL_A))).connections
    assert (one.state, one.accepted_count, one.source) == (NEVER, 1, "vnedu")


async def test_who_sees_which_connections(here: World) -> None:
    """The subtree of the unit asked for, which must lie within the caller's grant."""
    answer = await (await here.sync(OFFICER)).ListConnections(asking(OTHER_COMMUNE))
    assert [one.school_name for one in answer.connections] == ["Trường THPT Núi Thành"]
    with pytest.raises(Fault) as refused:
        await (await here.sync(OFFICER)).ListConnections(asking(COMMUNE))
    assert refused.value.reason == "NO_GRANT"


async def test_quarantined_rows_are_masked_and_seen_by_their_school(here: World) -> None:
    """Newest first, with reason and remedy, personal fields hidden; a school sees its own, whoever's batch it was."""
    stub = await here.sync()
    rows = [
        moet_pupil("HS1", MA_KHOI="44", MA_CONG_DAN_ID="049214000123"),
        moet_pupil("HS2", TRUONG_ID="000"),
        moet_pupil("HS3", TRUONG_ID=SCHOOL_C[5:], MA_GIOI_TINH="x"),
        moet_pupil("HS4", TRUONG_ID=SCHOOL_C[5:], NGAY_SINH="31/02/2015"),
    ]
    await stub.PushDocument(document(ndjson(rows), unit=PROVINCE, batch_id="q"))
    everywhere = await stub.ListQuarantinedRows(sync_pb2.ListQuarantinedRowsRequest(unit=PROVINCE))
    assert [row.problem.key for row in everywhere.rows] == ["HS4.2026", "HS3.2026", "HS2.2026", "HS1.2026"]
    own = await (await here.sync(CLERK)).ListQuarantinedRows(sync_pb2.ListQuarantinedRowsRequest(unit=SCHOOL_A))
    (row,) = own.rows
    assert (row.source, row.batch_id, row.state, row.problem.reason) == ("vnedu", "q", 4, "INVALID_FIELD")
    shown = json.loads(row.content)
    assert shown["HOC_SINH_ID"] == "HS1"
    assert shown["MA_KHOI"] == "44"
    for name in ("HO_TEN", "NGAY_SINH", "MA_CONG_DAN_ID", "TEN_ME"):
        assert shown[name] == "•••"
    theirs = await (await here.sync(OFFICER)).ListQuarantinedRows(
        sync_pb2.ListQuarantinedRowsRequest(unit=OTHER_COMMUNE)
    )
    assert [row.problem.key for row in theirs.rows] == ["HS4.2026", "HS3.2026"], "unreadable ones too"
    some = await stub.ListQuarantinedRows(sync_pb2.ListQuarantinedRowsRequest(unit=PROVINCE, reason="UNKNOWN_SCHOOL"))
    assert [row.problem.key for row in some.rows] == ["HS2.2026"]


async def test_columns_that_are_shifted_show_nobody(here: World) -> None:
    """What stands in a column of codes may be a name or a number of a person: no message and no row repeats it."""
    moved = {"MA_GIOI_TINH": "Lê Thị Bí Mật", "MA_KHOI": "049214000123", "MA_TRANG_THAI_HIEN_TAI": "0912345678"}
    stub = await here.sync()
    await stub.PushDocument(document(ndjson([moet_pupil("HS1", **moved)]), batch_id="q"))
    batch = await stub.GetBatch(sync_pb2.GetBatchRequest(unit=SCHOOL_A, batch_id="q"))
    listed = await stub.ListQuarantinedRows(sync_pb2.ListQuarantinedRowsRequest(unit=SCHOOL_A))
    (problem,), (row,) = batch.outcome.problems, listed.rows
    for name, value in moved.items():
        assert name in problem.message
        assert value not in problem.message + row.problem.message + row.content


async def test_the_quarantine_is_paged(here: World) -> None:
    """Every row once, newest first."""
    stub = await here.sync()
    await stub.PushRows(push("1", *(pupil(f"HS{number}", sex="9") for number in range(7))))
    keys: list[str] = []
    token = ""
    while True:
        request = sync_pb2.ListQuarantinedRowsRequest(unit=SCHOOL_A, page_size=3, page_token=token)
        page = await stub.ListQuarantinedRows(request)
        keys += [row.problem.key for row in page.rows]
        token = page.next_page_token
        if not token:
            break
    assert keys == [f"HS{number}" for number in reversed(range(7))]


async def test_a_page_of_the_quarantine_fits_in_a_message(here: World) -> None:
    """However many rows are asked for and however long they are, every one comes once."""
    intake, place = await here.intake(), here.origin().unit_id
    # Long as they came, and, of single figures to be masked, longer yet.
    contents = [
        json.dumps({"HO_TEN": "x" * 99_000}),
        json.dumps({"DOI_TUONG": "ắ" * 99_000}),
        f'{{"DIEM": [{"1," * 49_900}1]}}',
    ]
    kept = [
        (
            place,
            place,
            "vnedu",
            "b",
            index,
            4,
            f"HS{index}",
            "R",
            "",
            "",
            "",
            "{}",
            0,
            "moet",
            False,
            contents[index % 3],
            here.clock.now(),
        )
        for index in range(150)
    ]
    async with intake.database.transaction() as writes:
        await quarantine.add(writes, kept, now=here.clock.now())
    stub = await here.sync()
    indexes: list[int] = []
    pages, token = 0, ""
    while True:
        request = sync_pb2.ListQuarantinedRowsRequest(unit=SCHOOL_A, page_size=1000, page_token=token)
        page = await stub.ListQuarantinedRows(request)
        assert page.ByteSize() < servicer.MOST_PAGE_BYTES + 1_000_000
        indexes += [row.problem.index for row in page.rows]
        pages, token = pages + 1, page.next_page_token
        if not token:
            break
    assert indexes == list(reversed(range(150)))
    assert pages > 1
    places = intake.places_below(0)
    async with intake.database.connection() as reads:
        found, more = await quarantine.listed(reads, places, like={}, before=None, most=1000, most_bytes=1_000_000)
    assert more
    assert sum(len(row["content"].encode()) for row in found[:-1]) < 1_000_000, "no more is read than is shown"


async def test_a_batch_is_found_by_its_unit_id_and_source(here: World) -> None:
    """Two sources under one id have to be told apart; an unknown id is said to be one."""
    vendor, clerk = await here.sync(), await here.sync(CLERK, language="en")
    await vendor.PushRows(push("1", pupil("HS1")))
    await clerk.PushRows(push("1", pupil("HS9"), source="tay"))
    with pytest.raises(Fault) as ambiguous:
        await clerk.GetBatch(sync_pb2.GetBatchRequest(unit=SCHOOL_A, batch_id="1"))
    assert ambiguous.value.violations[0].field == "source"
    found = await clerk.GetBatch(sync_pb2.GetBatchRequest(unit=SCHOOL_A, batch_id="1", source="tay"))
    assert found.batch.source == "tay"
    with pytest.raises(Fault) as unknown:
        await clerk.GetBatch(sync_pb2.GetBatchRequest(unit=SCHOOL_A, batch_id="2"))
    assert unknown.value.reason == "UNKNOWN_BATCH"


async def test_a_unit_that_is_no_school_has_no_connection(here: World) -> None:
    """Records refuses its rows; nobody waits for a commune."""
    stub = await here.sync()
    schools = await here.count("connection")
    answer = await stub.PushRows(push("1", pupil("HS1", school=COMMUNE), unit=COMMUNE))
    assert [problem.reason for problem in answer.outcome.problems] == ["NOT_A_SCHOOL"]
    assert await here.count("connection") == schools
    assert await here.count("quarantined_row") == 1


async def test_a_childcare_group_may_connect_too(here: World) -> None:
    """It is listed and counted, though nobody has to wait for it."""
    stub = await here.sync()
    await stub.PushRows(
        push("1", pupil("T1", school=GROUP, grade="15", level="01", birth_date="2024-03-09"), unit=GROUP)
    )
    (one,) = (await stub.ListConnections(asking(GROUP))).connections
    assert (one.state, one.must_connect) == (FRESH, False)
