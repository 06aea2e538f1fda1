"""What changed in a record and what it was, to those who may know, each look written down."""

from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from iocedu.records.v1 import history_pb2, records_pb2, resources_pb2

from chassis.errors import Fault, Kind
from chassis.testing import FixedClock
from services.records import jobs
from services.records.jobs import prune_history
from services.records.store.brought import prune_brought
from tests.integration.records.scenes import SCHOOL_A, SCHOOL_B, Running, gone, pupil, reason

MORNING = datetime(2026, 11, 2, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
ID = "049214000123"


def _changes(key: str = "1", **fields: Any) -> history_pb2.ListRecordChangesRequest:
    asked = {"school": SCHOOL_A, "collection": "pupils", "key": key}
    return history_pb2.ListRecordChangesRequest(**(asked | fields))


def _as_of(instant: datetime, key: str = "1", **fields: Any) -> history_pb2.GetRecordAsOfRequest:
    time = Timestamp()
    time.FromDatetime(instant)
    asked: dict[str, Any] = {"school": SCHOOL_A, "collection": "pupils", "key": key, "time": time}
    return history_pb2.GetRecordAsOfRequest(**(asked | fields))


def _row(key: str, version: int, field: str, **values: Any) -> resources_pb2.Row:
    row = resources_pb2.Row(school=SCHOOL_A, key=key, version=version)
    record = getattr(row, field)
    record.MergeFrom(type(record)(**values))
    return row


@pytest.fixture
async def lived(records: Running, clock: FixedClock) -> Running:
    """A pupil who was entered, moved to another class, was deleted and came back, an hour apart."""
    await records.apply(pupil("1", personal_id=ID), request_id="entered")
    for row, request_id in (
        (pupil("1", 2, class_key="6B", personal_id="049214000999"), "moved"),
        (gone("1", 3), "deleted"),
        (pupil("1", 4, class_key="6B", personal_id=ID), "back"),
    ):
        clock.advance(HOUR)
        await records.apply(row, request_id=request_id)
    return records


async def test_a_change_leads_to_its_batch_and_to_whose_token_brought_it(records: Running):
    """In the one call that tells the change; what nothing was told of stays empty, and a repeat changes neither."""
    stub = await records.as_service("sync", subject="vnedu@sgd")
    brought = records_pb2.Brought(unit_id=7, batch_ids=["dot-1", "dot-2"])
    for _ in range(2):
        await stub.ApplyRows(
            records_pb2.ApplyRowsRequest(request_id="r-1", source="vnedu", rows=[pupil("1")], brought=brought)
        )
    again = records_pb2.ApplyRowsRequest(request_id="r-1", source="vnedu", rows=[pupil("1")])
    await stub.ApplyRows(again)  # as an old replica of sync repeats it
    await records.apply(pupil("1", 2, class_key="6B"))
    await stub.ApplyRows(
        records_pb2.ApplyRowsRequest(
            request_id="same", source="vnedu", rows=[pupil("1", 3, class_key="6B")], brought=brought
        )
    )

    told = await (await records.history()).ListRecordChanges(_changes())
    assert [(one.brought_by, one.batch_unit_id, list(one.batch_ids)) for one in told.changes] == [
        ("service:sync", 0, []),
        ("vnedu@sgd", 7, ["dot-1", "dot-2"]),
    ]
    assert await records.rows("SELECT count(*) FROM brought WHERE request_id = 'same'") == [(0,)]


async def test_what_a_change_leads_to_is_forgotten_after_its_time(records: Running, clock: FixedClock):
    """The change is still told, under its request and without batch and token; what is newer stays."""
    stub = await records.as_service("sync", subject="vnedu@sgd")
    for version in (1, 2):
        brought = records_pb2.Brought(unit_id=7, batch_ids=[f"dot-{version}"])
        row = pupil("1", version, class_key=f"6{version}")
        request_id = f"r-{version}"
        await stub.ApplyRows(
            records_pb2.ApplyRowsRequest(request_id=request_id, source="vnedu", rows=[row], brought=brought)
        )
        clock.advance(HOUR)

    assert await jobs.prune(records.database, prune_brought, before=clock.now() - 1.5 * HOUR) == 1
    told = await (await records.history()).ListRecordChanges(_changes())
    assert [(one.request_id, one.brought_by, list(one.batch_ids)) for one in told.changes] == [
        ("r-2", "vnedu@sgd", ["dot-2"]),
        ("r-1", "", []),
    ]


async def test_changes_are_told_newest_first_with_their_batch_and_fields(lived: Running):
    """A purpose and a role open the values; without them both sides of a personal field are masked."""
    await lived.grant("head@a", "head_teacher", SCHOOL_A)
    stub = await lived.history("head@a")

    shown = await stub.ListRecordChanges(_changes(purpose="Đối chiếu hồ sơ"))
    masked = await stub.ListRecordChanges(_changes())

    assert [(one.request_id, one.source, one.version, one.kind) for one in shown.changes] == [
        ("back", "vnedu", 4, history_pb2.CHANGE_KIND_RESTORED),
        ("deleted", "vnedu", 3, history_pb2.CHANGE_KIND_DELETED),
        ("moved", "vnedu", 2, history_pb2.CHANGE_KIND_CHANGED),
        ("entered", "vnedu", 1, history_pb2.CHANGE_KIND_CREATED),
    ]
    assert [one.change_time.ToDatetime(UTC) for one in shown.changes] == [MORNING + n * HOUR for n in (3, 2, 1, 0)]
    assert [(one.field, one.old_value, one.new_value) for one in shown.changes[2].fields] == [
        ("class_key", "6A", "6B"),
        ("personal_id", ID, "049214000999"),
    ]
    assert (shown.masked, masked.masked) == (False, True)
    assert [(one.field, one.old_value, one.new_value) for one in masked.changes[2].fields] == [
        ("class_key", "6A", "6B"),
        ("personal_id", "•••••••••123", "•••••••••999"),
    ]
    assert {one.field: one.old_value for one in shown.changes[1].fields}["full_name"] == "Nguyễn Văn Hòa"


async def test_what_an_old_replica_changes_names_no_request(lived: Running):
    """It leaves the id of what it replaced; beside it the new code keeps its own. Once it is gone nothing stands by."""
    held = "SELECT count(*) FROM pg_trigger WHERE tgname = 'forget_request_id'"
    assert await lived.rows(held) == [(0,)]
    upgrade = import_module("services.records.migrations.versions.0016_pre_request_ids_of_old_replicas")
    async with lived.database.transaction() as connection:
        for statement in upgrade.STATEMENTS:
            await connection.exec_driver_sql(statement)
    assert await lived.rows(held) == [(6,)]
    ids = "SELECT request_id FROM pupil"

    async def old_replica(change: str) -> None:
        async with lived.database.transaction() as connection:
            await connection.exec_driver_sql(f"UPDATE pupil SET {change}")

    await old_replica("version = 5")  # of the same content
    assert await lived.rows(ids) == [("back",)]
    await old_replica("version = 6, change_version = 6, content_hash = content_hash + 1, class_key = '6C'")
    assert await lived.rows(ids) == [(None,)]
    for version, request_id in ((7, "new"), (8, "newer")):
        await lived.apply(pupil("1", version, class_key=f"6{version}"), request_id=request_id)
    await lived.apply(gone("1", 9), request_id="ended")

    page = await (await lived.history()).ListRecordChanges(_changes(page_size=4))
    assert [(one.version, one.request_id) for one in page.changes] == [(9, "ended"), (8, "newer"), (7, "new"), (6, "")]


async def test_a_record_is_given_as_it_was(lived: Running):
    """With the batch that brought it and until when it held."""
    stub = await lived.history()

    then = await stub.GetRecordAsOf(_as_of(MORNING + HOUR / 2, purpose="Khiếu nại"))
    now = await stub.GetRecordAsOf(_as_of(MORNING + 9 * HOUR))

    assert then.record.row == pupil("1", personal_id=ID)
    assert (then.request_id, then.until_time.ToDatetime(UTC)) == ("entered", MORNING + HOUR)
    assert (now.request_id, now.HasField("until_time"), now.record.masked) == ("back", False, True)
    assert (now.record.row.version, now.record.row.pupil.personal_id) == (4, "•••••••••123")


@pytest.mark.parametrize(
    ("instant", "said", "since"),
    [
        (MORNING - HOUR, "NOT_YET_STORED", "2026-11-02T01:00:00Z"),
        (MORNING + 2 * HOUR, "RECORD_DELETED", "2026-11-02T03:00:00Z"),
    ],
)
async def test_where_there_was_no_record_the_reason_says_since_when(
    lived: Running, instant: datetime, said: str, since: str
):
    """Before it was stored, and while it was deleted."""
    with pytest.raises(Fault) as error:
        await (await lived.history()).GetRecordAsOf(_as_of(instant))

    assert (error.value.kind, reason(error)) == (Kind.NOT_FOUND, said)
    assert error.value.metadata["since"] == since


async def test_a_record_under_a_new_key_says_where_its_past_is(records: Running, clock: FixedClock):
    """Its history begins with the new key; what it was stands under the old one, which ended with the same request."""
    await records.apply(pupil("TAM-1"))
    clock.advance(HOUR)
    renamed = pupil("1", 2)
    renamed.previous_key = "TAM-1"
    await records.apply(renamed, request_id="renamed")
    stub = await records.history()

    page = await stub.ListRecordChanges(_changes())
    with pytest.raises(Fault) as error:
        await stub.GetRecordAsOf(_as_of(MORNING))

    assert (page.previous_key, [one.request_id for one in page.changes]) == ("TAM-1", ["renamed"])
    assert (reason(error), error.value.metadata["previous_key"]) == ("NOT_YET_STORED", "TAM-1")
    before = await stub.ListRecordChanges(_changes("TAM-1"))
    assert (page.next_key, before.next_key) == ("", "1")
    clock.advance(HOUR)
    with pytest.raises(Fault) as error:
        await stub.GetRecordAsOf(_as_of(clock.now(), "TAM-1"))
    assert (reason(error), error.value.metadata["next_key"]) == ("RECORD_DELETED", "1")
    assert next((one.request_id, one.kind) for one in before.changes) == ("renamed", history_pb2.CHANGE_KIND_DELETED)
    assert (await stub.GetRecordAsOf(_as_of(MORNING, "TAM-1"))).record.row.key == "TAM-1"


async def test_a_record_of_before_batches_were_kept_says_that_its_beginning_is_not_known(records: Running):
    """What an older version stored bears no batch: it may have been something else before."""
    await records.apply(pupil("1"))
    async with records.database.transaction() as connection:
        await connection.exec_driver_sql("UPDATE pupil SET request_id = NULL")
    stub = await records.history()

    with pytest.raises(Fault) as error:
        await stub.GetRecordAsOf(_as_of(MORNING - HOUR))

    assert reason(error) == "HISTORY_NOT_KEPT"
    (first,) = (await stub.ListRecordChanges(_changes())).changes
    assert (first.kind, first.request_id) == (history_pb2.CHANGE_KIND_FIRST_KNOWN, "")


async def test_history_is_kept_as_long_as_the_retention_says(lived: Running, clock: FixedClock):
    """What ended earlier is gone, and the oldest that is left does not pass for the first."""
    async with lived.database.transaction() as connection:
        await connection.exec_driver_sql("UPDATE history_retention SET kept_days = 1 WHERE collection = 'pupils'")
    await lived.apply(pupil("2"))
    clock.set(MORNING + 2 * HOUR + timedelta(days=1))  # what was replaced an hour after the morning ended before

    assert await prune_history(lived.database, clock=clock) == 1
    assert await prune_history(lived.database, clock=clock) == 0

    stub = await lived.history()
    changes = (await stub.ListRecordChanges(_changes())).changes
    assert [(one.version, one.kind) for one in changes] == [
        (4, history_pb2.CHANGE_KIND_RESTORED),
        (3, history_pb2.CHANGE_KIND_DELETED),
        (2, history_pb2.CHANGE_KIND_FIRST_KNOWN),
    ]
    with pytest.raises(Fault) as error:
        await stub.GetRecordAsOf(_as_of(MORNING))
    assert (reason(error), error.value.metadata["since"]) == ("HISTORY_NOT_KEPT", "2026-11-02T02:00:00Z")
    (other,) = (await stub.ListRecordChanges(_changes("2"))).changes
    assert other.kind == history_pb2.CHANGE_KIND_CREATED


async def test_a_longer_retention_does_not_bring_back_what_is_gone(lived: Running, clock: FixedClock):
    """What may be missing stays said."""
    async with lived.database.transaction() as connection:
        await connection.exec_driver_sql("UPDATE history_retention SET kept_days = 1 WHERE collection = 'pupils'")
    clock.set(MORNING + 2 * HOUR + timedelta(days=1))
    await prune_history(lived.database, clock=clock)
    async with lived.database.transaction() as connection:
        await connection.exec_driver_sql("UPDATE history_retention SET kept_days = NULL WHERE collection = 'pupils'")
    await prune_history(lived.database, clock=clock)

    changes = (await (await lived.history()).ListRecordChanges(_changes())).changes

    assert changes[-1].kind == history_pb2.CHANGE_KIND_FIRST_KNOWN


async def test_what_changes_nothing_is_no_change(records: Running, clock: FixedClock):
    """A repeat, a late row, and a higher version of the same content."""
    await records.apply(pupil("1", 2), request_id="first")
    clock.advance(HOUR)
    for row in (pupil("1", 2), pupil("1", 1, class_key="6C"), pupil("1", 5)):
        await records.apply(row)

    (only,) = (await (await records.history()).ListRecordChanges(_changes())).changes

    assert (only.request_id, only.version) == ("first", 2)


async def test_pages_join_without_gap_or_repeat_also_while_the_record_changes(lived: Running):
    """The next page goes on where the last ended, whatever came since."""
    stub, token, pages = await lived.history(), "", list[list[int]]()
    while token or not pages:
        page = await stub.ListRecordChanges(_changes(page_size=2, page_token=token))
        pages.append([one.version for one in page.changes])
        token = page.next_page_token
        await lived.apply(pupil("1", 9, class_key=f"7{len(pages)}"))

    assert pages == [[4, 3], [2, 1]]


async def test_every_look_is_written_down_and_none_is_given_elsewhere(lived: Running):
    """Also one that finds nothing; a head teacher asks about her own school only."""
    await lived.grant("head@a", "head_teacher", SCHOOL_A)
    stub = await lived.history("head@a")
    await stub.ListRecordChanges(_changes(purpose="Đối chiếu"))
    for call in (stub.ListRecordChanges(_changes("x")), stub.GetRecordAsOf(_as_of(MORNING, "x"))):
        with pytest.raises(Fault) as error:
            await call
        assert reason(error) == "UNKNOWN_RECORD"
    with pytest.raises(Fault) as error:
        await stub.ListRecordChanges(_changes(school=SCHOOL_B))
    assert reason(error) == "NO_GRANT"

    log = await lived.rows(
        "SELECT subject, method, key, record_count, purpose, unmasked FROM access_log ORDER BY entry_id"
    )

    assert log == [
        ("head@a", "ListRecordChanges", "1", 4, "Đối chiếu", True),
        ("head@a", "ListRecordChanges", "x", 0, "", False),
        ("head@a", "GetRecordAsOf", "x", 0, "", False),
    ]


async def test_every_type_of_record_has_a_history(records: Running, clock: FixedClock):
    """Lists, choices, numbers and what the profile names beside the record included; a masked list stays masked."""
    before = [
        _row("s1", 1, "attendance_register", school_year=2026, class_key="6A", day="2026-11-02", session=1),
        _row("c", 1, "school_class", name="6A"),
        _row("p", 1, "school_profile", name="A", levels=["03"]),
        _row("t", 1, "staff_member", full_name="Lê An"),
    ]
    await records.apply(*before)
    clock.advance(HOUR)
    after = [
        _row("s1", 2, "attendance_register", school_year=2026, class_key="6A", day="2026-11-02", session=1),
        _row("c", 2, "school_class", name="7B"),
        _row("p", 2, "school_profile", name="B", levels=["03"]),
        _row("t", 2, "staff_member", full_name="Lê Anh"),
    ]
    after[0].attendance_register.further["GHI_CHU"] = "mưa"
    after[0].attendance_register.exceptions.add(pupil_key="1", kind="P", reason="Ốm")
    await records.apply(*after)
    stub = await records.history()

    async def newest(collection: str, key: str, **fields: Any) -> list[tuple[str, str, str]]:
        page = await stub.ListRecordChanges(_changes(key, collection=collection, **fields))
        return [(one.field, one.old_value, one.new_value) for one in page.changes[0].fields]

    assert await newest("classes", "c") == [("name", "6A", "7B")]
    assert await newest("profiles", "p") == [("name", "A", "B")]
    assert await newest("staff", "t") == [("full_name", "Lê An", "Lê Anh")]
    absent = '[{"pupil_key": "1", "kind": "P", "reason": "%s"}]'
    assert await newest("attendance", "s1", purpose="Kiểm tra") == [
        ("exceptions", "", absent % "Ốm"),
        ("further.GHI_CHU", "", "mưa"),
    ]
    assert await newest("attendance", "s1") == [("exceptions", "", absent % "•••"), ("further.GHI_CHU", "", "")]
