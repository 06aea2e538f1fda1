"""One record corrected by hand: whose it stays, what a source's next push does to it, and what is refused."""

import asyncio
import itertools
from collections import Counter
from typing import Any

import pytest
from iocedu.records.v1 import history_pb2, history_pb2_grpc, resources_pb2
from iocedu.sync.v1 import sync_pb2

from chassis.errors import Fault, Kind
from chassis.testing import client
from tests.integration.sync.world import (
    ACCEPTED,
    ADMINISTRATOR,
    CLERK,
    OFFICER,
    REJECTED,
    SCHOOL_A,
    SCHOOL_C,
    STALE,
    UNCHANGED,
    VENDOR,
    World,
    pupil,
    push,
)


def correction(key: str, etag: str, *paths: str, **fields: Any) -> sync_pb2.UpdateRecordRequest:
    """A correction of some fields of a pupil; what is no field of the request is one of the pupil."""
    own: dict[str, Any] = {
        name: fields.pop(name) for name in ("request_id", "reason", "validate_only", "school") if name in fields
    }
    request = sync_pb2.UpdateRecordRequest(
        **({"school": SCHOOL_A, "collection": "pupils", "key": key, "etag": etag} | own),
        row=resources_pb2.Row(pupil=resources_pb2.Pupil(**fields)),
    )
    request.update_mask.paths.extend(paths or fields)
    return request


async def correct(
    here: World, request: sync_pb2.UpdateRecordRequest, *, by: str = CLERK, language: str = "vi"
) -> sync_pb2.UpdateRecordResponse:
    """Correct a record as a subject."""
    return await (await here.sync(by, language=language)).UpdateRecord(request)


async def refusal(
    here: World, request: sync_pb2.UpdateRecordRequest, *, by: str = CLERK, language: str = "vi"
) -> Fault:
    """What a correction is refused with."""
    with pytest.raises(Fault) as refused:
        await correct(here, request, by=by, language=language)
    return refused.value


async def pushed(here: World, batch_id: str, *rows: resources_pb2.Row, **fields: Any) -> sync_pb2.Outcome:
    """What became of a batch of the vendor."""
    return (await (await here.sync()).PushRows(push(batch_id, *rows, **fields))).outcome


async def changes(here: World, key: str) -> list[history_pb2.RecordChange]:
    """The history of a pupil, newest first."""
    channel = await here.stack.enter_async_context(client(here.records_address, here.keys.mint(ADMINISTRATOR)))
    stub: Any = history_pb2_grpc.HistoryServiceStub(channel)
    asked = history_pb2.ListRecordChangesRequest(school=SCHOOL_A, collection="pupils", key=key)
    return list((await stub.ListRecordChanges(asked)).changes)


async def test_a_clerk_corrects_what_the_mask_names_and_nothing_else(here: World) -> None:
    """The record stays its source's, at its version; who corrected it and why is in its history."""
    sent = pupil("HS1", 7, further={"TEN_ME": "Trần Thị Lan", "TEN_CHA": "Nguyễn Văn Nam"}, personal_id="049214000123")
    await pushed(here, "1", sent)
    before = await here.record("HS1")

    answer = await correct(
        here,
        correction(
            "HS1",
            before.etag,
            "full_name",
            'further["TEN_ME"]',
            full_name="Nguyễn Văn Hoà",
            sex="2",
            further={"TEN_ME": "Trần Thị Lân", "TEN_CHA": ""},
            reason="Theo giấy khai sinh",
        ),
    )

    after = await here.record("HS1")
    wanted = resources_pb2.Row()
    wanted.CopyFrom(before.row)
    wanted.pupil.full_name = "Nguyễn Văn Hoà"
    wanted.pupil.further["TEN_ME"] = "Trần Thị Lân"
    assert (answer.state, after.row) == (ACCEPTED, wanted)
    assert (after.source, after.row.version, after.edited, before.edited) == (VENDOR, 7, True, False)
    assert (answer.record.etag, answer.record.masked, answer.record.row.pupil.personal_id[-3:]) == (
        after.etag,
        True,
        "123",
    )
    newest, first = await changes(here, "HS1")
    assert (newest.edited_by, newest.edit_reason, newest.version) == (CLERK, "Theo giấy khai sinh", 7)
    assert [field.field for field in newest.fields] == ["full_name", "further.TEN_ME"]
    assert (first.edited_by, first.edit_reason) == ("", "")


async def test_what_the_source_sent_already_does_not_undo_a_correction(here: World) -> None:
    """A repeat and the same content under a higher version are UNCHANGED; other content under a higher version wins."""
    sent = pupil("HS1", 2)
    await pushed(here, "1", sent)
    await correct(here, correction("HS1", (await here.record("HS1")).etag, full_name="Lê An"))

    repeated = await pushed(here, "2", sent)
    late = await pushed(here, "3", pupil("HS1", 1, full_name="Cũ"))
    raised = await pushed(here, "4", pupil("HS1", 3))

    assert [list(one.states) for one in (repeated, late, raised)] == [[UNCHANGED], [STALE], [UNCHANGED]]
    held = await here.record("HS1")
    assert (held.row.pupil.full_name, held.row.version, held.edited) == ("Lê An", 3, True)

    reused = await pushed(here, "5", pupil("HS1", 3, full_name="Trần Bình"))
    assert list(reused.states) == [REJECTED]
    anew = await pushed(here, "6", pupil("HS1", 4, full_name="Trần Bình"))

    held = await here.record("HS1")
    assert list(anew.states) == [ACCEPTED]
    assert (held.row.pupil.full_name, held.edited) == ("Trần Bình", False)
    assert [one.edited_by for one in await changes(here, "HS1")] == ["", CLERK, ""]


async def test_who_corrects_what_has_changed_in_between_is_told_both_versions_and_sources(here: World) -> None:
    """The later state is never lost: it has to be looked at first."""
    await pushed(here, "1", pupil("HS1", 1))
    seen = (await here.record("HS1")).etag
    await pushed(here, "2", pupil("HS1", 5, full_name="Trần Bình"))

    fault = await refusal(here, correction("HS1", seen, full_name="Lê An"), language="en")

    assert (fault.kind, fault.reason) == (Kind.CONFLICT, "ETAG_MISMATCH")
    told = {"version": "1", "source": VENDOR, "stored_version": "5", "stored_source": VENDOR}
    assert told.items() <= dict(fault.metadata).items()
    assert (await here.record("HS1")).row.pupil.full_name == "Trần Bình"
    assert (await refusal(here, correction("HS1", "nonsense", full_name="Lê An"))).reason == "ETAG_MISMATCH"


async def test_a_correction_breaks_no_rule_that_a_pushed_row_must_keep(here: World) -> None:
    """Rules of the interface, of sync, and of the record as a whole; nothing of it is kept."""
    await pushed(here, "1", pupil("HS1"))
    etag = (await here.record("HS1")).etag

    nameless = await refusal(here, correction("HS1", etag, "full_name"))
    unborn = await refusal(here, correction("HS1", etag, birth_date="2031-01-01"), language="en")
    unknown = await refusal(here, correction("HS1", etag, status="77"))

    assert [one.reason for one in (nameless, unborn, unknown)] == ["INVALID_FIELD", "INVALID_DATE", "INVALID_FIELD"]
    assert [one.field for one in unborn.violations] == ["row.pupil.birth_date"]
    assert {one.kind for one in (nameless, unborn, unknown)} == {Kind.INVALID}
    assert await here.count("quarantined_row") == 0
    assert (await here.record("HS1")).etag == etag


async def test_a_mask_names_fields_that_there_are_and_values_in_full(here: World) -> None:
    """A value that was shown masked is never stored in the place of the real one."""
    await pushed(here, "1", pupil("HS1", personal_id="049214000123"))
    record = await here.record("HS1")
    listed = (await correct(here, correction("HS1", record.etag, sex="2", validate_only=True))).record

    masked = await refusal(here, correction("HS1", record.etag, personal_id=listed.row.pupil.personal_id))
    typed = await refusal(here, correction("HS1", record.etag, "pupil.sex", sex="2"))
    empty = sync_pb2.UpdateRecordRequest(school=SCHOOL_A, collection="pupils", key="HS1", etag=record.etag)
    unsaid = await refusal(here, empty)
    empty.update_mask.paths.append("sex")
    other = await refusal(here, empty)
    gone = await refusal(here, correction("HS9", record.etag, sex="2"))

    assert [one.reason for one in (masked, typed, unsaid, other)] == ["INVALID_FIELD"] * 4
    assert [one.violations[0].field for one in (masked, typed, unsaid, other)] == [
        "row.pupil.personal_id",
        "update_mask",
        "update_mask",
        "row.pupil",
    ]
    assert (gone.kind, gone.reason) == (Kind.NOT_FOUND, "UNKNOWN_RECORD")


async def test_a_repeated_correction_answers_the_same_and_is_stored_once(here: World) -> None:
    """Under one request id, also at once; another one under it is refused, one that was refused may come again."""
    await pushed(here, "1", pupil("HS1"))
    await here.lock("pupils")
    asked = correction("HS1", (await here.record("HS1")).etag, full_name="Lê An", request_id="sửa-1")
    locked = await refusal(here, asked, language="en")
    await here.lift("pupils")

    first = await asyncio.gather(*(correct(here, asked) for _ in range(5)))
    await pushed(here, "2", pupil("HS1", 9, full_name="Trần Bình"))
    again = await correct(here, asked)
    other = await refusal(here, correction("HS1", asked.etag, full_name="Lê Ân", request_id="sửa-1"))

    assert (locked.kind, locked.reason) == (Kind.PRECONDITION, "LOCKED")
    assert "stays as it is" in locked.en
    assert {one.state for one in (*first, again)} == {ACCEPTED}
    assert other.reason == "REQUEST_ID_REUSED"
    assert [one.edited_by for one in await changes(here, "HS1")] == ["", CLERK, ""]


async def test_a_dry_run_of_a_correction_says_what_would_become_of_it_and_stores_nothing(here: World) -> None:
    """As does one that changes nothing."""
    await pushed(here, "1", pupil("HS1"))
    record = await here.record("HS1")

    dry = await correct(here, correction("HS1", record.etag, full_name="Lê An", request_id="1", validate_only=True))
    same = await correct(here, correction("HS1", record.etag, full_name=record.row.pupil.full_name))

    assert (dry.state, same.state) == (ACCEPTED, UNCHANGED)
    assert (await here.record("HS1")) == record
    assert (await correct(here, correction("HS1", record.etag, full_name="Lê An", request_id="1"))).state == ACCEPTED


async def test_only_who_answers_for_a_school_corrects_its_records(here: World) -> None:
    """A vendor pushes, an officer asks the school."""
    await pushed(here, "1", pupil("HS1"), pupil("HS3", school=SCHOOL_C), unit="gso:48")
    etag = (await here.record("HS1")).etag

    for subject, school in ((VENDOR, SCHOOL_A), (OFFICER, SCHOOL_C), (CLERK, SCHOOL_C)):
        refused = await refusal(here, correction("HS1", etag, full_name="Lê An", school=school), by=subject)
        assert (refused.kind, refused.reason) == (Kind.DENIED, "NO_GRANT")
    assert (await correct(here, correction("HS1", etag, full_name="Lê An"), by=ADMINISTRATOR)).state == ACCEPTED


async def test_a_correction_makes_no_connection_fresher_and_no_batch(here: World) -> None:
    """A connection says when the school's system last sent."""
    await pushed(here, "1", pupil("HS1"), backfill=True)
    await correct(here, correction("HS1", (await here.record("HS1")).etag, full_name="Lê An"))

    async with here.sync_database.connection() as connection:
        fresh = await connection.exec_driver_sql("SELECT count(*) FROM connection WHERE last_accept_time IS NOT NULL")
        assert fresh.scalar_one() == 0
    assert await here.count("batch") == 1


async def test_corrections_beside_pushes_lose_nothing(here: World) -> None:
    """Each correction that was stored rests on what was there just before it: every other one was refused."""
    await pushed(here, "1", pupil("HS1", 1, further={"SO": "0"}))
    stored = Counter[str]()

    async def clerk(number: int) -> None:
        while True:
            record = await here.record("HS1")
            count = str(int(record.row.pupil.further["SO"]) + 1)
            asked = correction(
                "HS1", record.etag, 'further["SO"]', further={"SO": count}, request_id=f"{number}-{count}"
            )
            try:
                await correct(here, asked)
            except Fault as fault:
                assert fault.reason == "ETAG_MISMATCH"  # noqa: PT017 (the loop goes on only after this one)
                stored["again"] += 1
                continue
            stored["corrected"] += 1
            return

    async def source() -> None:
        # Counts on from what it sees, as a school's system that reads back does; the version tells the order.
        for version in range(2, 8):
            record = await here.record("HS1")
            count = int(record.row.pupil.further["SO"])
            await pushed(
                here, f"v{version}", pupil("HS1", version, further={"SO": str(count)}, full_name=f"Tên {version}")
            )
            await asyncio.sleep(0.01)

    await asyncio.gather(source(), *(clerk(number) for number in range(6)))

    kept = list(reversed(await changes(here, "HS1")))
    assert sum(bool(one.edited_by) for one in kept) == stored["corrected"] == 6
    for before, after in itertools.pairwise(kept):
        if after.edited_by:
            # The correction holds exactly its one field over what was stored last.
            assert [field.field for field in after.fields] == ["further.SO"]
        assert after.version >= before.version
    assert (await here.record("HS1")).row.version == 7


async def test_a_clerk_adds_a_record_by_hand_and_takes_it_away(here: World) -> None:
    """Looked at first, then stored under a source of the school's own: a vendor neither overwrites nor deletes it."""
    stub = await here.sync(CLERK)
    row, looking = pupil("T1.2026"), push("t1", pupil("T1.2026"), source="so-tay")
    looking.validate_only = True
    assert list((await stub.PushRows(looking)).outcome.states) == [ACCEPTED]
    assert await here.count("pupil", of="records") == 0

    assert list((await stub.PushRows(push("t1", row, source="so-tay"))).outcome.states) == [ACCEPTED]
    vendor = await here.sync()
    for late in (pupil("T1.2026", 2), resources_pb2.Row(school=SCHOOL_A, key="T1.2026", version=2, deleted=True)):
        late.pupil.SetInParent()
        outcome = (await vendor.PushRows(push(f"v{late.deleted}", late))).outcome
        assert [one.reason for one in outcome.problems] == ["OTHER_SOURCE"]
    assert (await here.record("T1.2026")).source == "so-tay"
    assert [one.brought_by for one in await changes(here, "T1.2026")] == [CLERK]

    away = resources_pb2.Row(school=SCHOOL_A, key="T1.2026", version=2, deleted=True, pupil=resources_pb2.Pupil())
    assert list((await stub.PushRows(push("t2", away, source="so-tay"))).outcome.states) == [ACCEPTED]
    with pytest.raises(Fault) as gone:
        await here.record("T1.2026")
    assert gone.value.reason == "UNKNOWN_RECORD"
