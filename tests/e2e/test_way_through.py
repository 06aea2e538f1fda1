"""One change travels from a school's push to a notice in an inbox, by every way a school can push."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from google.protobuf import json_format
from iocedu.notify.v1 import notify_pb2, notify_pb2_grpc
from iocedu.records.v1 import resources_pb2
from iocedu.sync.v1 import sync_pb2, sync_pb2_grpc

from tests.e2e.world import (
    COMMUNE,
    DIRECTOR,
    FAR,
    HEAD,
    NEIGHBOUR,
    OFFICER,
    PRIMARY_LIMIT,
    SCHOOL,
    VENDOR,
    YEAR,
    World,
    ndjson,
    pupil,
    school_class,
)
from tests.support.waiting import poll_until

pytestmark = pytest.mark.e2e


def as_json(row: resources_pb2.Row) -> dict[str, Any]:
    """A row as the platform's own JSON."""
    decoded: dict[str, Any] = json_format.MessageToDict(row, preserving_proto_field_name=True)
    return decoded


async def push_stream(world: World, rows: list[resources_pb2.Row], key: str) -> sync_pb2.Outcome:
    """Push by bidirectional stream in two messages and return the last outcome."""
    half = len(rows) // 2
    requests = [
        sync_pb2.StreamRowsRequest(open=sync_pb2.StreamOpen(unit=SCHOOL, source=VENDOR)),
        sync_pb2.StreamRowsRequest(batch=sync_pb2.StreamBatch(batch_id=f"{key}-1", rows=rows[:half])),
        sync_pb2.StreamRowsRequest(batch=sync_pb2.StreamBatch(batch_id=f"{key}-2", rows=rows[half:])),
    ]
    stub = sync_pb2_grpc.SyncServiceStub(world.channel)
    acknowledged, ended = {}, False
    async for answer in stub.StreamRows(iter(requests), metadata=world.metadata(VENDOR), timeout=60):
        match answer.WhichOneof("event"):
            case "item":
                acknowledged[answer.item.batch_id] = answer.item.outcome
            case "end":
                ended = True

    assert ended
    assert set(acknowledged) == {f"{key}-1", f"{key}-2"}
    total = sync_pb2.Outcome()
    for outcome in acknowledged.values():
        total.MergeFrom(outcome)
    total.accepted_count = sum(outcome.accepted_count for outcome in acknowledged.values())
    total.unchanged_count = sum(outcome.unchanged_count for outcome in acknowledged.values())
    return total


async def push_document(world: World, content: bytes, content_type: str, key: str) -> sync_pb2.Outcome:
    """Push by REST and return the outcome."""
    answer = await world.http.post(
        f"/v1/units/{SCHOOL}/push",
        params={"batch.batch_id": key, "batch.source": VENDOR},
        content=content,
        headers={**world.bearer(VENDOR), "content-type": content_type},
    )

    assert answer.status_code == httpx.codes.OK, answer.text
    return json_format.ParseDict(answer.json()["outcome"], sync_pb2.Outcome())


async def push_by(way: str, world: World, rows: list[resources_pb2.Row], key: str) -> sync_pb2.Outcome:
    """Push rows one of the four ways."""
    match way:
        case "unary":
            return await world.push(rows, batch_id=key, unit=SCHOOL)
        case "stream":
            return await push_stream(world, rows, key)
        case "json":
            content = json.dumps({"rows": [as_json(row) for row in rows]}).encode()
            return await push_document(world, content, "application/json", key)
        case _:
            return await push_document(world, ndjson(as_json(row) for row in rows), "application/x-ndjson", key)


@pytest.mark.parametrize("way", ["unary", "stream", "json", "ndjson"])
async def test_an_oversize_class_reaches_every_inbox_and_resolves_itself(world: World, way: str) -> None:
    """Push → figures → one alert → one notice each for head, officer and director; smaller again → all resolved."""
    key = f"1{way}"
    rows = [school_class(SCHOOL, key), *(pupil(SCHOOL, f"{way}-{n}", key) for n in range(PRIMARY_LIMIT + 1))]
    before = await world.figure("pupils", SCHOOL) or 0

    outcome = await push_by(way, world, rows, f"{way}-first")

    assert outcome.accepted_count == len(rows)
    assert list(outcome.problems) == []

    async def raised() -> list[Any]:
        return [alert for alert in await world.alerts(SCHOOL) if alert.facts["name"] == key]

    alert = (await poll_until(raised))[0]
    assert alert.facts["size"] == str(PRIMARY_LIMIT + 1)
    assert await world.figure("pupils", SCHOOL) == before + PRIMARY_LIMIT + 1
    for subject in (HEAD, OFFICER, DIRECTOR):

        async def delivered(subject: str = subject) -> list[notify_pb2.NoticeAlert]:
            return [one for one in await world.told(subject) if one.alert_id == alert.alert_id]

        assert len(await poll_until(delivered)) == 1

    await push_by(way, world, [pupil(SCHOOL, f"{way}-0", key, version=2, status="05")], f"{way}-second")

    async def resolved() -> bool:
        mine = [one for one in await world.told(HEAD) if one.alert_id == alert.alert_id]
        return not await raised() and mine[0].resolved

    await poll_until(resolved)


@pytest.mark.parametrize("way", ["unary", "stream", "json", "ndjson"])
async def test_pushing_the_same_again_changes_nothing_anywhere(world: World, way: str) -> None:
    """The same batch id answers the same; a new id over the same rows says unchanged; feed and inboxes stand still."""
    key = f"2{way}"
    rows = [school_class(SCHOOL, key), *(pupil(SCHOOL, f"{way}-again-{n}", key) for n in range(PRIMARY_LIMIT + 2))]
    first = await push_by(way, world, rows, f"{way}-again")
    await world.settle()
    before = (await world.position(), await world.figure("pupils"), await world.notices(DIRECTOR))

    repeated = await push_by(way, world, rows, f"{way}-again")
    renamed = await push_by(way, world, rows, f"{way}-another-id")
    await world.settle()

    assert repeated.accepted_count == first.accepted_count == len(rows)
    assert (renamed.accepted_count, renamed.unchanged_count) == (0, len(rows))
    assert (await world.position(), await world.figure("pupils"), await world.notices(DIRECTOR)) == before


async def test_a_rejected_row_is_explained_and_kept_and_blocks_nobody(world: World) -> None:
    """Each bad row has its own reason, field and remedy; its neighbours are stored; the quarantine holds it."""
    rows = [
        school_class(SCHOOL, "3A"),
        pupil(SCHOOL, "bad-date", "3A", birth_date="2020-02-31"),
        pupil(SCHOOL, "bad-grade", "3A", grade="77"),
        pupil("moet:00000000", "nowhere", "3A"),
        pupil(SCHOOL, "good", "3A"),
    ]

    outcome = await world.push(rows, batch_id="with-bad-rows", unit=SCHOOL)

    assert [resources_pb2.RowState.Name(state).removeprefix("ROW_STATE_") for state in outcome.states] == [
        "ACCEPTED",
        "REJECTED",
        "REJECTED",
        "REJECTED",
        "ACCEPTED",
    ]
    assert [(p.index, p.key, p.reason, p.field) for p in outcome.problems] == [
        (1, "bad-date", "INVALID_DATE", "pupil.birth_date"),
        (2, "bad-grade", "INVALID_FIELD", "pupil.grade"),
        (3, "nowhere", "UNKNOWN_SCHOOL", "school"),
    ]
    assert all(problem.message for problem in outcome.problems)
    kept = await world.get(f"/v1/units/{SCHOOL}/quarantine", VENDOR, page_size=100)
    held = {row["problem"]["key"] for row in kept["rows"] if row["batch_id"] == "with-bad-rows"}
    assert held == {"bad-date", "bad-grade", "nowhere"}


async def test_a_document_that_is_everything_says_so_in_its_address(world: World) -> None:
    """As docs/integrate.md shows it: what it lacks of that year and source is gone, and named."""

    async def sent(*keys: str, **declared: Any) -> dict[str, Any]:
        taught: dict[str, Any] = {"school_year": 2020, "birth_date": "2014-03-08"}
        rows = [as_json(pupil(SCHOOL, key, "W", **taught)) for key in keys]
        query = {"batch.source": "whole", "batch.backfill": "true"}
        query |= {f"batch.full_of.{name}": value for name, value in declared.items()}
        headers = world.bearer(VENDOR) | {"content-type": "application/x-ndjson"}
        answer = await world.http.post(f"/v1/units/{SCHOOL}/push", params=query, content=ndjson(rows), headers=headers)
        assert answer.status_code == 200, answer.text
        outcome: dict[str, Any] = answer.json()["outcome"]
        return outcome

    everything = {"school": SCHOOL, "school_year": "2020", "collection": "pupils", "version": "5"}
    assert (await sent("W1", "W2"))["accepted_count"] == 2
    full = (await sent("W1", **everything))["full"]
    assert (full["state"], full["disappeared_keys"]) == ("FULL_STATE_DONE", ["W2"])
    headers = world.bearer(VENDOR) | {"content-type": "application/x-ndjson"}
    wrong = {"batch.source": "whole", "batch.full_of.school": SCHOOL, "batch.full_of.version": "6"}
    refused = await world.http.post(f"/v1/units/{SCHOOL}/push", params=wrong, content=b"", headers=headers)
    assert refused.status_code == 400
    assert "batch.full_of.school_year" in refused.text


async def test_history_sets_figures_and_notifies_nobody(world: World) -> None:
    """A backfilled oversize class is counted and raises nothing; the next live change of it does."""
    rows = [school_class(NEIGHBOUR, "4A"), *(pupil(NEIGHBOUR, f"old-{n}", "4A") for n in range(PRIMARY_LIMIT + 3))]

    await world.push(rows, backfill=True)

    async def counted() -> bool:
        return await world.figure("pupils", NEIGHBOUR) == PRIMARY_LIMIT + 3

    await poll_until(counted)
    await world.settle()
    assert await world.alerts(NEIGHBOUR) == []

    await world.push([pupil(NEIGHBOUR, "new", "4A")])

    await poll_until(lambda: world.alerts(NEIGHBOUR))


async def test_an_inbox_is_read_acknowledged_and_watched(world: World) -> None:
    """A watcher sees the notice come and change; reading and acknowledging stay with it; nobody else's inbox moves."""
    stub = notify_pb2_grpc.InboxServiceStub(world.channel)
    metadata = world.metadata(DIRECTOR)
    newest = max((notice.position for notice in await world.notices(DIRECTOR)), default=0)
    seen: asyncio.Queue[notify_pb2.Notice] = asyncio.Queue()

    async def watch() -> None:
        request = notify_pb2.WatchInboxRequest(after=max(newest, 1))
        async for answer in stub.WatchInbox(request, metadata=metadata):
            # What earlier alerts are still told of goes on beside it; the newest one leads the notice of its rule.
            if answer.WhichOneof("event") == "item" and "5A" in answer.item.title_vi:
                await seen.put(answer.item)

    watcher = asyncio.create_task(watch())
    try:
        rows = [school_class(FAR, "5A"), *(pupil(FAR, f"far-{n}", "5A") for n in range(PRIMARY_LIMIT + 4))]
        await world.push(rows)
        notice = await asyncio.wait_for(seen.get(), 60)

        assert notice.state == notify_pb2.NOTICE_STATE_UNREAD
        await stub.ReadNotice(notify_pb2.ReadNoticeRequest(notice_id=notice.notice_id), metadata=metadata)
        assert (await asyncio.wait_for(seen.get(), 60)).state == notify_pb2.NOTICE_STATE_READ
        await world.post(f"/v1/me/notices/{notice.notice_id}:acknowledge", DIRECTOR, {})
        assert (await asyncio.wait_for(seen.get(), 60)).state == notify_pb2.NOTICE_STATE_ACKNOWLEDGED
    finally:
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)

    far = {alert.alert_id for alert in await world.alerts(FAR)}
    assert far <= {one.alert_id for one in await world.told(DIRECTOR)}
    for subject in (OFFICER, HEAD):
        assert not far & {one.alert_id for one in await world.told(subject)}


async def test_the_provincial_view_counts_schools_that_sent(world: World) -> None:
    """Connected schools of the commune are those that pushed; the rest is expected, not counted as zero."""
    await world.push([school_class(SCHOOL, "6A")])

    async def connected() -> bool:
        return (await world.figure("schools_connected", COMMUNE) or 0) >= 1

    await poll_until(connected)
    answer = await world.get(f"/v1/units/{COMMUNE}/indicators", DIRECTOR, indicators="pupils", school_year=YEAR)
    assert answer["figures"][0]["expected_school_count"] == 2


async def test_a_pupil_whom_two_schools_enrol_counts_once(world: World) -> None:
    """Where the person was known first, until that school lets the pupil go."""
    who: dict[str, Any] = {"full_name": "Alăng Thị Mỹ", "personal_id": "049320000777"}
    first, second = pupil(SCHOOL, "two-1", "1T", **who), pupil(NEIGHBOUR, "two-2", "1T", **who)
    before = await world.figure("pupils", COMMUNE) or 0
    there, here = [await world.figure("pupils", unit) or 0 for unit in (SCHOOL, NEIGHBOUR)]

    await world.push([first])
    await poll_until(lambda: _is(world, SCHOOL, there + 1))
    await world.push([second])
    await poll_until(lambda: _conflicts(world))
    await poll_until(lambda: _is(world, COMMUNE, before + 1))
    assert await world.figure("pupils", NEIGHBOUR) == here

    await world.push([pupil(SCHOOL, "two-1", "1T", version=2, **who | {"status": "04"})])
    await poll_until(lambda: _is(world, NEIGHBOUR, here + 1))
    assert await world.figure("pupils", COMMUNE) == before + 1


async def _is(world: World, unit: str, pupils: float) -> bool:
    return await world.figure("pupils", unit) == pupils


async def _conflicts(world: World) -> bool:
    answer = await world.get(f"/v1/units/{COMMUNE}/persons:conflicts", DIRECTOR)
    return any(len(one["enrolments"]) == 2 for one in answer["conflicts"])
