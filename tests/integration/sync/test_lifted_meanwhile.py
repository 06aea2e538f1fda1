"""Rows that a lock holds are stored by themselves once it is lifted, whatever was under way at that moment."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from iocedu.sync.v1 import sync_pb2

from chassis.errors import Fault
from chassis.testing import FixedClock
from services.sync.store import quarantine
from services.sync.usecases import documents
from services.sync.usecases.settling import Ledger
from tests.integration.sync.files import corrected
from tests.integration.sync.world import (
    ACCEPTED,
    HELD,
    SCHOOL_A,
    World,
    document,
    moet_pupil,
    ndjson,
    pupil,
    push,
    register,
)
from tests.support.databases import DatabaseFactory
from tests.support.waiting import poll_until


async def nothing_waits(here: World) -> None:
    """Wait until the quarantine is empty."""

    async def none_left() -> bool:
        return await here.count("quarantined_row") == 0

    await poll_until(none_left, 20.0)


async def lift(here: World, collection: str, *, period: str = "") -> None:
    """Lift a lock, and wait until sync has tried whatever it knew to be held."""
    seen = await here.count("inbox")
    await here.lift(collection, period=period)

    async def all_tried() -> bool:
        return await here.count("inbox") > seen and await here.count("replay") == 0

    await poll_until(all_tried, 20.0)


async def locked(here: World, collection: str, *, period: str = "") -> None:
    """Lock, and wait until sync was told."""
    seen = await here.count("inbox")
    await here.lock(collection, period=period)

    async def told() -> bool:
        return await here.count("inbox") > seen

    await poll_until(told)


async def test_rows_of_a_document_that_is_still_coming_are_stored_after_the_lift(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first rows were held; they come into the quarantine only with its end."""
    monkeypatch.setattr(documents, "MOST_ROWS", 4)
    await locked(here, "pupils")
    rows = [moet_pupil(f"HS{number}") for number in range(8)]

    async def answered() -> bool:
        return await here.count("apply_request", of="records") == 1

    async def parts() -> AsyncIterator[sync_pb2.PushDocumentRequest]:
        for number, part in enumerate(document(ndjson(rows), batch_id="d", part=len(ndjson(rows[:5])))):
            if number == 1:
                await poll_until(answered)
                await lift(here, "pupils")
            yield part

    answer = await (await here.sync()).PushDocument(parts())
    assert list(answer.outcome.states) == [HELD] * 4 + [ACCEPTED] * 4
    await nothing_waits(here)
    assert (await here.record("HS0.2026")).row.version == 1


async def test_a_batch_that_is_answered_as_before_the_lift_is_stored(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sync died after records had held its row; the sender's repeat comes after the lift, and is answered the same."""
    await locked(here, "pupils")
    vendor, batch = await here.sync(), push("1", pupil("HS1"))

    async def die(*_args: object, **_kwargs: object) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "settle", die)
        with pytest.raises(Fault):
            await vendor.PushRows(batch)
    await lift(here, "pupils")
    assert list((await vendor.PushRows(batch)).outcome.states) == [HELD]
    await nothing_waits(here)
    assert (await here.record("HS1")).row.version == 1


async def test_a_row_that_is_corrected_into_a_lock_is_stored_after_the_lift(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is lifted between what records says of the correction and its being written down."""
    await (await here.sync()).PushRows(push("1", pupil("HS1", sex="9")))
    await locked(here, "pupils")
    (row,) = await waiting(here)
    settle = Ledger.settle_replay

    async def lifted_first(*given: Any, **named: Any) -> None:
        monkeypatch.undo()
        await lift(here, "pupils")
        await settle(*given, **named)

    monkeypatch.setattr(Ledger, "settle_replay", lifted_first)
    assert (await corrected(here, row.quarantined_row_id, **{"pupil.sex": "1"})).state == HELD
    await nothing_waits(here)
    assert (await here.record("HS1")).row.pupil.sex == "1"


async def waiting(here: World) -> list[sync_pb2.QuarantinedRow]:
    """What stands in the quarantine of the school."""
    asked = sync_pb2.ListQuarantinedRowsRequest(unit=SCHOOL_A)
    return list((await (await here.sync()).ListQuarantinedRows(asked)).rows)


async def test_a_row_under_two_locks_is_stored_once_both_are_lifted(here: World) -> None:
    """It was tried in between, and was still held, in the words of the lock that is left."""
    await locked(here, "attendance", period="2026-10")
    await locked(here, "attendance")
    await (await here.sync()).PushRows(push("1", register("D1", day="2026-10-30")))
    await lift(here, "attendance")
    (row,) = await waiting(here)
    assert row.problem.metadata["period"] == "2026-10"
    await lift(here, "attendance", period="2026-10")
    await nothing_waits(here)


async def test_a_row_that_stays_held_keeps_its_words(here: World) -> None:
    """They name the line of its document, which nobody knows later."""
    await locked(here, "pupils")
    await (await here.sync()).PushDocument(document(ndjson([moet_pupil("HS1")]), batch_id="d"))

    async def tried() -> bool:
        return await here.count("replay") == 0

    await poll_until(tried)
    (row,) = await waiting(here)
    assert row.problem.message.startswith("Dòng 1: ")


async def test_what_is_asked_for_while_rows_are_taken_is_not_forgotten(database_factory: DatabaseFactory) -> None:
    """A lift takes all rows of the place again; rows that came take up from themselves."""
    database = await database_factory("sync")
    now = FixedClock().now()
    async with database.transaction() as writes:
        await quarantine.ask_replay(writes, {7: 50}, now=now)
        assert await quarantine.claim_replay(writes, seconds=60) == (7, 50, 1)
        assert await quarantine.claim_replay(writes, seconds=60) is None, "somebody works on it"
        await quarantine.advance_replay(writes, 7, asked=1, after=60)
        assert await quarantine.claim_replay(writes, seconds=60) == (7, 60, 1)
        await quarantine.ask_replay(writes, {7: 70}, now=now)
        await quarantine.end_replay(writes, 7, asked=1)
        assert await quarantine.claim_replay(writes, seconds=60) == (7, 60, 2), "rows came meanwhile"
        await quarantine.ask_replay(writes, {7: 0}, now=now)
        await quarantine.advance_replay(writes, 7, asked=2, after=80)
        assert await quarantine.claim_replay(writes, seconds=60) == (7, 0, 3), "a lock was lifted meanwhile"
        await quarantine.end_replay(writes, 7, asked=3)
        assert await quarantine.claim_replay(writes, seconds=60) is None
