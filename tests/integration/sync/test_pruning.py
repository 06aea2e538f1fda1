"""What sync keeps of rows that came is forgotten in time, and not before."""

from dataclasses import replace
from datetime import timedelta

import pytest
from iocedu.sync.v1 import sync_pb2

from chassis.testing import FixedClock
from deploy.local.issuer import Issuer
from services.sync import jobs
from tests.integration.sync.world import ACCEPTED, REJECTED, SCHOOL_A, UNCHANGED, World, pupil, push, serve_sync
from tests.support.waiting import poll_until

YEARS = timedelta(days=400)
KEPT = jobs.Kept(batches=YEARS, quarantined=YEARS, files=timedelta(days=30), outcomes=YEARS)


async def test_old_batches_and_quarantined_rows_are_forgotten(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """In small deletes; a batch that is forgotten may come anew, younger ones answer as ever."""
    monkeypatch.setattr(jobs, "PRUNED_AT_ONCE", 2)
    stub = await here.sync()
    for number in range(5):
        await stub.PushRows(push(f"old{number}", pupil(f"HS{number}"), pupil(f"HX{number}", sex="9")))
    here.clock.advance(timedelta(days=10))
    await stub.PushRows(push("new", pupil("HS9"), pupil("HX9", sex="9")))
    assert await jobs.prune(here.sync_database, here.clock, kept=KEPT) == (0, 0, 0)
    here.clock.advance(timedelta(days=395))
    assert await jobs.prune(here.sync_database, here.clock, kept=KEPT) == (5, 5, 0)
    assert await jobs.prune(here.sync_database, here.clock, kept=KEPT) == (0, 0, 0)
    shown = await stub.ListQuarantinedRows(sync_pb2.ListQuarantinedRowsRequest(unit=SCHOOL_A))
    assert [row.batch_id for row in shown.rows] == ["new"]
    again = await stub.PushRows(push("new", pupil("HS9"), pupil("HX9", sex="9")))
    assert list(again.outcome.states) == [ACCEPTED, REJECTED]
    assert list((await stub.PushRows(push("old0", pupil("HS0")))).outcome.states) == [UNCHANGED]


async def test_each_has_its_own_time(here: World) -> None:
    """Rows with personal data may have to go before the answers do."""
    await (await here.sync()).PushRows(push("1", pupil("HS1"), pupil("HS2", sex="9")))
    here.clock.advance(timedelta(days=31))
    kept = replace(KEPT, quarantined=timedelta(days=30))
    assert await jobs.prune(here.sync_database, here.clock, kept=kept) == (0, 1, 0)


async def test_the_service_forgets_by_itself(here: World, nats_url: str, keys: Issuer, clock: FixedClock) -> None:
    """By its settings: a worker of the process, from the start."""
    await (await here.sync()).PushRows(push("1", pupil("HS1"), pupil("HS2", sex="9")))
    clock.advance(timedelta(days=401))

    async def gone() -> bool:
        return (await here.count("batch"), await here.count("quarantined_row")) == (0, 0)

    async with serve_sync(here.sync_database, nats_url, keys, records_address=here.records_address, clock=clock):
        await poll_until(gone)
