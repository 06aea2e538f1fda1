"""History stays history on its way: what is pushed as backfill leaves records as backfill, which notifies nobody."""

from collections.abc import Awaitable, Callable

import pytest
from iocedu.records.v1 import records_pb2
from iocedu.sync.v1 import sync_pb2
from nats.js.errors import NotFoundError

from chassis.bus import Bus
from services.sync.usecases import documents
from tests.integration.sync.world import SCHOOL_A, World, document, moet_pupil, ndjson, pupil, push
from tests.support.waiting import poll_until

Send = Callable[[World, bool], Awaitable[None]]


async def by_push(here: World, backfill: bool) -> None:  # noqa: FBT001 (what is tried)
    """One batch."""
    await (await here.sync()).PushRows(push(f"b{backfill}", pupil(f"HS{backfill}"), backfill=backfill))


async def by_stream(here: World, backfill: bool) -> None:  # noqa: FBT001
    """A stream of one message."""
    opened = sync_pb2.StreamOpen(unit=SCHOOL_A, source="vnedu", backfill=backfill)
    batch = sync_pb2.StreamBatch(batch_id=f"b{backfill}", rows=[pupil(f"HS{backfill}")])

    async def messages():
        yield sync_pb2.StreamRowsRequest(open=opened)
        yield sync_pb2.StreamRowsRequest(batch=batch)

    async for _ in (await here.sync()).StreamRows(messages(), timeout=20):
        pass


async def by_document(here: World, backfill: bool) -> None:  # noqa: FBT001
    """A document of one line."""
    parts = list(document(ndjson([moet_pupil(f"HS{backfill}")]), batch_id=f"b{backfill}"))
    parts[0].batch.backfill = backfill
    await (await here.sync()).PushDocument(iter(parts))


async def by_quarantine(here: World, backfill: bool) -> None:  # noqa: FBT001
    """A document that is stopped, since too much of it is locked; the row is taken once more when that is lifted."""
    await here.lock("pupils")
    parts = list(document(ndjson([moet_pupil(f"HS{backfill}")]), batch_id=f"b{backfill}"))
    parts[0].batch.backfill = backfill
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documents, "MOST_REFUSED", 0)
        assert (await here.refused(parts)).reason == "TOO_MANY_REFUSED"
    await here.lift("pupils")

    async def none_left() -> bool:
        return await here.count("quarantined_row") == 0

    await poll_until(none_left, 20.0)


@pytest.mark.parametrize("send", [by_push, by_stream, by_document, by_quarantine])
async def test_records_tells_of_history_as_history(here: World, bus: Bus, send: Send) -> None:
    """And of news as news, whichever way both came."""
    await send(here, True)
    await send(here, False)

    subject = "iocedu.records.v1.records-changed"

    async def told() -> bool:
        try:
            info = await bus.jetstream.stream_info("RECORDS", subjects_filter=subject)
        except NotFoundError:  # The stream is made with the first event.
            return False
        return (info.state.subjects or {}).get(subject) == 2

    await poll_until(told)
    subscription = await bus.jetstream.subscribe(subject, ordered_consumer=True)
    payloads = [(await subscription.next_msg(timeout=60)).data for _ in range(2)]
    await subscription.unsubscribe()
    events = map(records_pb2.RecordsChanged.FromString, payloads)
    assert {event.changes[0].row.key.partition(".")[0]: event.backfill for event in events} == {
        "HSTrue": True,
        "HSFalse": False,
    }
