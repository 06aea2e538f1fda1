"""The book of batches: calls that share a transaction are each answered, counted and told of as if they were alone."""

import asyncio

import sqlalchemy as sa
from iocedu.sync.v1 import sync_pb2

from chassis import telemetry
from services.sync.convert.rows import Checked
from services.sync.domain.batches import BatchKey, Origin
from services.sync.usecases.intake import checking_rows
from services.sync.usecases.settling import Ledger, Parcel
from tests.integration.sync.world import SCHOOL_A, World, pupil

ACCEPTED, UNCHANGED = 1, 2


async def parcel(here: World, origin: Origin, batch_id: str, *states: int, digest: bytes = b"d") -> Parcel:
    """A batch whose rows records has answered with these states."""
    intake = await here.intake()
    rows = [pupil(f"{batch_id}-{number}") for number in range(len(states))]
    checked = Checked(checking_rows(intake, origin, rows, careful=False))
    await checked.add_all(rows)
    checked.answer(list(states), [])
    return Parcel(BatchKey(origin.unit_id, origin.source, batch_id), digest, [checked])


async def test_one_batch_brought_by_many_calls_is_entered_once_and_answered_alike(here: World) -> None:
    """Whichever call enters it, the others give its answer, also where their own would be another."""
    ledger, origin = Ledger(here.sync_database, here.scopes, here.clock), here.origin()
    states = (ACCEPTED, *[UNCHANGED] * 7)
    parcels = [await parcel(here, origin, "b", state) for state in states]

    answers = await asyncio.gather(*(ledger.settle(origin, [one]) for one in parcels))

    outcomes = {answer[one.key].SerializeToString() for answer, one in zip(answers, parcels, strict=True)}
    assert outcomes == {parcels[0].outcome().SerializeToString()}
    assert await here.count("batch") == 1
    (connection,) = (await (await here.sync()).ListConnections(_connections())).connections
    assert connection.accepted_count == 1


async def test_counts_of_calls_for_one_school_add_up(here: World) -> None:
    """However many of them share a transaction."""
    ledger, origin = Ledger(here.sync_database, here.scopes, here.clock), here.origin()
    parcels = [await parcel(here, origin, f"b{number}", ACCEPTED, ACCEPTED, UNCHANGED) for number in range(10)]

    await asyncio.gather(*(ledger.settle(origin, [one]) for one in parcels))

    (connection,) = (await (await here.sync()).ListConnections(_connections())).connections
    assert connection.accepted_count == 20


async def test_each_call_is_told_of_in_its_own_trace(here: World) -> None:
    """Sharing a transaction mixes up no traces."""
    telemetry.ensure_trace_ids()
    ledger, origin = Ledger(here.sync_database, here.scopes, here.clock), here.origin()
    traces: set[str] = set()

    async def settle(number: int) -> None:
        with telemetry.span(f"push {number}"):
            traces.add(telemetry.trace_id())
            await ledger.settle(origin, [await parcel(here, origin, f"b{number}", ACCEPTED)])

    statement = sa.text("SELECT substr(headers->>'traceparent', 4, 32) FROM told")
    async with here.sync_database.transaction() as connection:
        # The relay takes events away as they come: a trigger keeps what was told.
        await connection.exec_driver_sql("CREATE TABLE told (headers jsonb)")
        await connection.exec_driver_sql(
            "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN INSERT INTO told VALUES (NEW.headers); RETURN NEW; END $$"
        )
        await connection.exec_driver_sql(
            "CREATE TRIGGER keep AFTER INSERT ON outbox FOR EACH ROW WHEN (NEW.event = 'connections-changed')"
            " EXECUTE FUNCTION keep()"
        )
    await asyncio.gather(*map(settle, range(10)))
    async with here.sync_database.connection() as connection:
        told = list(await connection.scalars(statement))

    assert sorted(told) == sorted(traces)
    assert len(traces) == 10


def _connections() -> sync_pb2.ListConnectionsRequest:
    return sync_pb2.ListConnectionsRequest(unit=SCHOOL_A)
