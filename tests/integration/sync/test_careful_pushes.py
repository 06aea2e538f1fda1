"""Batches that are only looked at, and batches that are taken whole or not at all, on their whole way."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from iocedu.records.v1 import resources_pb2

from chassis.errors import Fault
from tests.integration.sync.world import (
    ACCEPTED,
    COMMUNE,
    HELD,
    REJECTED,
    SCHOOL_B,
    SCHOOL_C,
    UNCHANGED,
    World,
    document,
    moet_pupil,
    ndjson,
    pupil,
    push,
    staff_member,
)

KEPT = ("batch", "quarantined_row")
STORED = ("pupil", "staff_member", "apply_request", "record_history", "name_word")


def careful(batch_id: str, *rows: resources_pb2.Row, dry: bool = False, whole: bool = False, **fields: Any) -> Any:
    """A batch that is only looked at, or taken whole or not at all."""
    request = push(batch_id, *rows, **fields)
    request.validate_only, request.atomic = dry, whole
    return request


def careful_document(content: bytes, *, dry: bool = False, whole: bool = False, **fields: Any) -> Iterator[Any]:
    """A document of that kind."""
    parts = document(content, **fields)
    first = next(parts)
    first.validate_only, first.atomic = dry, whole
    yield first
    yield from parts


async def everything(here: World) -> list[object]:
    """How much is kept by sync and by records, how many events there were, and how fresh connections are."""
    counts: list[object] = [await here.count(table) for table in KEPT]
    counts += [await here.count(table, of="records") for table in STORED]
    for database in (here.sync_database, here.records_database):
        async with database.connection() as connection:
            last = await connection.exec_driver_sql("SELECT last_value, is_called FROM outbox_id_seq")
            counts += [tuple(row) for row in last]
    async with here.sync_database.connection() as connection:
        query = "SELECT school_id, last_accept_time, accepted_count, rejected_count FROM connection ORDER BY 1"
        return counts + [tuple(row) for row in await connection.exec_driver_sql(query)]


MIXED = (
    pupil("HS1"),
    pupil("HS2", full_name=""),
    pupil("HS3", school=SCHOOL_C),
    pupil("HS4", school=SCHOOL_B),
    pupil("HS1", 2),
    staff_member("GV1"),
)


async def test_a_dry_run_answers_as_the_push_after_it_and_leaves_nothing(here: World) -> None:
    """States, problems, places; the batch id stays free, and once the batch came a dry run answers what it got."""
    stub = await here.sync()
    await here.lock("staff")
    before = await everything(here)

    dry = await stub.PushRows(careful("1", *MIXED, dry=True, unit=COMMUNE))

    assert await everything(here) == before
    assert list(dry.outcome.states) == [ACCEPTED, REJECTED, REJECTED, ACCEPTED, REJECTED, HELD]
    meant = await stub.PushRows(push("1", *MIXED, unit=COMMUNE))
    assert meant == dry
    assert await stub.PushRows(careful("1", *MIXED, dry=True, unit=COMMUNE)) == dry
    anew = await stub.PushRows(careful("2", *MIXED, dry=True, unit=COMMUNE))
    assert anew.outcome.states[0] == UNCHANGED


async def test_a_dry_run_of_a_document_answers_as_the_push_after_it_and_leaves_nothing(here: World) -> None:
    """Under a batch id and without one, of NDJSON and JSON."""
    rows = [moet_pupil("HS1"), moet_pupil("HS2", NGAY_SINH="31/02/2014"), moet_pupil("HS3", THUA="1")]
    stub = await here.sync()
    before = await everything(here)
    for batch_id, content, kind in (
        ("1", ndjson(rows), "application/x-ndjson"),
        ("", json.dumps({"rows": rows}).encode(), "application/json"),
    ):
        how: dict[str, Any] = {"batch_id": batch_id, "content_type": kind}
        dry = await stub.PushDocument(careful_document(content, dry=True, **how))

        assert await everything(here) == before
        meant = await stub.PushDocument(document(content, **how))
        assert meant == dry
        before = await everything(here)


async def test_an_atomic_batch_with_a_bad_row_is_refused_whole(here: World) -> None:
    """Whether the border refuses the row or records does; the others say which one, and only that one is kept aside."""
    stub = await here.sync(language="en")
    await stub.PushRows(push("0", pupil("HS9"), source="smas"))
    stored = [await here.count(table, of="records") for table in ("pupil", "outbox")]
    bad_here, bad_there = pupil("HS2", full_name=""), pupil("HS9", 2)

    for number, bad in enumerate((bad_here, bad_there), 1):
        outcome = (await stub.PushRows(careful(f"w{number}", pupil("HS1"), bad, pupil("HS3"), whole=True))).outcome

        assert list(outcome.states) == [REJECTED] * 3
        reasons = [problem.reason for problem in outcome.problems]
        assert reasons == ["BATCH_REFUSED", "INVALID_FIELD" if number == 1 else "OTHER_SOURCE", "BATCH_REFUSED"]
        assert dict(outcome.problems[0].metadata) == {"first_index": "1"}
        assert "the row with index 1 was refused or held" in outcome.problems[2].message
        assert await here.count("quarantined_row") == number
        again = (await stub.PushRows(careful(f"w{number}", pupil("HS1"), bad, pupil("HS3"), whole=True))).outcome
        assert again == outcome
    assert [await here.count(table, of="records") for table in ("pupil", "outbox")] == stored
    whole = (await stub.PushRows(careful("w3", pupil("HS1"), pupil("HS3"), whole=True))).outcome
    assert list(whole.states) == [ACCEPTED, ACCEPTED]


async def test_an_atomic_batch_with_a_locked_row_is_refused_whole_and_a_dry_run_says_so(here: World) -> None:
    """The held row waits in the quarantine; repeats among the others stay repeats."""
    stub = await here.sync()
    await stub.PushRows(push("0", pupil("HS1")))
    await here.lock("staff")
    rows = (pupil("HS1"), staff_member("GV1"), pupil("HS2"))

    dry = await stub.PushRows(careful("1", *rows, dry=True, whole=True))
    meant = await stub.PushRows(careful("1", *rows, whole=True))

    assert meant == dry
    assert list(meant.outcome.states) == [UNCHANGED, HELD, REJECTED]
    assert [problem.reason for problem in meant.outcome.problems] == ["LOCKED", "BATCH_REFUSED"]
    assert await here.count("pupil", of="records") == 1
    with pytest.raises(Fault) as other:
        await stub.PushRows(push("1", *rows))
    assert other.value.reason == "BATCH_ID_REUSED"


async def test_an_atomic_document_names_the_line_that_is_to_blame(here: World) -> None:
    """The same document may come again, not atomic, as another batch of its own."""
    content = ndjson([moet_pupil("HS1"), moet_pupil("HS2", HO_TEN="")])
    stub = await here.sync(language="en")

    whole = await stub.PushDocument(careful_document(content, whole=True))
    free = await stub.PushDocument(document(content))

    assert list(whole.outcome.states) == [REJECTED, REJECTED]
    assert whole.outcome.problems[0].message.startswith("Line 1: Nothing is wrong with this row")
    assert "line 2 was refused or held" in whole.outcome.problems[0].message
    assert (list(free.outcome.states), free.batch_id == whole.batch_id) == ([ACCEPTED, REJECTED], False)


async def test_an_atomic_batch_of_more_rows_than_a_transaction_takes_is_refused_at_once(here: World) -> None:
    """As a batch and as a document; nothing of it is stored."""
    rows = [pupil(f"HS{number}") for number in range(5_001)]
    with pytest.raises(Fault) as batch:
        await (await here.sync()).PushRows(careful("1", *rows, whole=True))
    content = ndjson(moet_pupil(f"HS{number}") for number in range(5_001))
    doc = await here.refused(careful_document(content, whole=True, part=1_000_000))

    assert {fault.reason for fault in (batch.value, doc)} == {"TOO_LARGE"}
    assert {fault.metadata["limit"] for fault in (batch.value, doc)} == {"5000"}
    assert await here.count("pupil", of="records") == 0
