"""Rows for what is locked, on their whole way: told to the sender, counted, kept, and taken once the lock is lifted."""

from functools import partial

import pytest
from iocedu.sync.v1 import sync_pb2

from chassis.errors import Fault
from services.sync.usecases import documents
from tests.integration.sync.world import (
    ACCEPTED,
    ADMINISTRATOR,
    COMMUNE,
    HELD,
    SCHOOL_A,
    SCHOOL_B,
    UNCHANGED,
    World,
    document,
    moet_pupil,
    ndjson,
    pupil,
    push,
    register,
)
from tests.support.waiting import poll_until

WHY = "Đã duyệt báo cáo đầu năm"


async def nothing_is_held(here: World) -> bool:
    """Whether the quarantine is empty."""
    return await here.count("quarantined_row") == 0


def quarantine(unit: str = SCHOOL_A) -> sync_pb2.ListQuarantinedRowsRequest:
    """A question for the held rows."""
    return sync_pb2.ListQuarantinedRowsRequest(unit=unit, reason="LOCKED")


async def test_a_held_row_is_told_counted_kept_and_taken_later(here: World) -> None:
    """In the language of who asks; when the lock is lifted they are stored by themselves, and a repeat does no harm."""
    vietnamese, english = await here.sync(), await here.sync(language="en")
    await vietnamese.PushRows(push("0", pupil("HS1")))
    await here.lock("pupils", reason=WHY)
    rows = [pupil("HS1"), pupil("HS1x", school=SCHOOL_B), pupil("HS2"), register("D1")]

    outcome = (await vietnamese.PushRows(push("1", *rows, unit=COMMUNE))).outcome
    assert list(outcome.states) == [UNCHANGED, ACCEPTED, HELD, ACCEPTED]
    assert (outcome.accepted_count, outcome.held_count, outcome.rejected_count) == (2, 1, 0)
    (problem,) = outcome.problems
    assert (problem.index, problem.key, problem.reason, problem.field) == (2, "HS2", "LOCKED", "")
    assert problem.message == (
        f"Học sinh năm học 2026-2027 đã bị khóa từ 08:00 ngày 02/11/2026 bởi “{ADMINISTRATOR}”, lý do: “{WHY}”. "
        "Bản ghi “HS2” chưa được ghi nhận, đang được giữ lại. Hãy đề nghị đơn vị đã khóa mở khóa: khi đó bản "
        "ghi tự được ghi nhận."
    )
    assert problem.metadata["locked_by"] == ADMINISTRATOR
    assert problem.metadata["lock_time"] == "2026-11-02T01:00:00Z"

    (kept,) = (await english.ListQuarantinedRows(quarantine())).rows
    assert (kept.state, kept.batch_id, kept.problem.key) == (HELD, "1", "HS2")
    assert "“HS2” is not stored, it is kept aside. Ask the unit that set the lock to lift it" in kept.problem.message
    assert kept.problem.metadata["reason"] == WHY
    assert "Nguyễn Văn Hòa" not in kept.content, "personal data stays masked"

    await here.lift("pupils")
    await poll_until(partial(nothing_is_held, here), 20.0)
    again = (await vietnamese.PushRows(push("1", *rows, unit=COMMUNE))).outcome
    assert again == outcome, "a repeated batch answers the same"
    later = (await vietnamese.PushRows(push("2", *rows, unit=COMMUNE))).outcome
    assert list(later.states) == [UNCHANGED, UNCHANGED, UNCHANGED, UNCHANGED]
    assert (await here.record("HS2")).row.pupil.full_name == "Nguyễn Văn Hòa"


async def test_a_document_in_the_ministrys_names_is_held_line_by_line(here: World) -> None:
    """Each with its place; nothing is wrong with any field of it."""
    await here.lock("pupils", reason=WHY)
    content = ndjson([moet_pupil("HS1"), moet_pupil("HS2", NAM_HOC="2025-2026")])

    outcome = (await (await here.sync()).PushDocument(document(content, batch_id="d"))).outcome
    assert list(outcome.states) == [HELD, ACCEPTED]
    (problem,) = outcome.problems
    assert problem.field == ""
    assert problem.message.startswith("Dòng 1: Học sinh năm học 2026-2027 đã bị khóa từ 08:00 ngày 02/11/2026")

    await here.lift("pupils")
    await poll_until(partial(nothing_is_held, here), 20.0)
    outcome = (await (await here.sync()).PushDocument(document(content, batch_id="d2"))).outcome
    assert list(outcome.states) == [UNCHANGED, UNCHANGED]


async def test_a_stream_goes_on_past_held_rows(here: World) -> None:
    """Its batches are acknowledged, each with what is held of it."""
    await here.lock("attendance", period="2026-10", reason=WHY)
    messages = [sync_pb2.StreamRowsRequest(open=sync_pb2.StreamOpen(unit=SCHOOL_A, source="vnedu"))]
    for number, day in enumerate(["2026-10-30", "2026-11-02"]):
        messages.append(sync_pb2.StreamRowsRequest())
        messages[-1].batch.batch_id = str(number)
        messages[-1].batch.rows.append(register(f"D{number}", day=day))

    acks = [one.item async for one in (await here.sync()).StreamRows(iter(messages)) if one.HasField("item")]
    assert {one.batch_id: list(one.outcome.states) for one in acks} == {"0": [HELD], "1": [ACCEPTED]}


async def test_a_document_for_a_closed_year_is_stopped_and_what_came_is_kept(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Held rows wait in memory until its end: more of them than anyone corrects are no accident."""
    monkeypatch.setattr(documents, "MOST_REFUSED", 5)
    monkeypatch.setattr(documents, "MOST_ROWS", 4)
    await here.lock("pupils", reason=WHY)
    stub = await here.sync()
    content = ndjson([moet_pupil(f"HS{number}") for number in range(20)])

    with pytest.raises(Fault) as refused:
        await stub.PushDocument(document(content, batch_id="d"))
    assert (refused.value.reason, refused.value.metadata["reason"]) == ("TOO_MANY_REFUSED", "LOCKED")
    assert "đã bị khóa" in refused.value.vi
    kept = (await stub.ListQuarantinedRows(quarantine())).rows
    assert [row.problem.index for row in kept] == [7, 6, 5, 4, 3, 2, 1, 0]
