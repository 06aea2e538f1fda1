"""Sources: a collection handed over to another software, at once or from a day on, and what becomes of both's rows."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from iocedu.records.v1 import resources_pb2, sources_pb2

from chassis.errors import Fault, Kind
from chassis.testing import FixedClock
from services.records.domain.objects import BY_COLLECTION
from tests.integration.records.closing import result
from tests.integration.records.scenes import COMMUNE, PROVINCE, SCHOOL_A, SCHOOL_B, Running, gone, pupil

ACCEPTED, UNCHANGED, STALE, REJECTED = 1, 2, 3, 4


def handing(
    unit: str = SCHOOL_A, *collections: str, source: str = "smas", **fields: Any
) -> sources_pb2.HandOverRequest:
    """A request to hand over."""
    return sources_pb2.HandOverRequest(
        unit=unit, collections=collections, source=source, **({"reason": "Đổi phần mềm"} | fields)
    )


async def listed(records: Running, unit: str = PROVINCE, **fields: Any) -> list[sources_pb2.HandOver]:
    """What was handed over below a unit."""
    answer = await (await records.sources()).ListHandOvers(sources_pb2.ListHandOversRequest(unit=unit, **fields))
    return list(answer.hand_overs)


async def test_the_new_source_takes_over_whatever_versions_the_old_one_gave(records: Running):
    """Same content or other, a tombstone too; afterwards the new source's own versions rule."""
    await records.apply(pupil("1", 500), pupil("2", 500), pupil("3", 500), result("K1", 500))
    await (await records.sources()).HandOver(handing(SCHOOL_A, "pupils"))

    taken = await records.apply(pupil("1", 1), pupil("2", 1, full_name="Lê An"), gone("3", 1), source="smas")
    assert list(taken.states) == [ACCEPTED] * 3
    again = await records.apply(pupil("1", 1), pupil("2", 1, full_name="Lê Bình"), gone("3", 1), source="smas")
    assert list(again.states) == [UNCHANGED, REJECTED, UNCHANGED]
    assert [problem.reason for problem in again.problems] == ["VERSION_REUSED"]
    await records.settled()
    told = {
        change.row.key: (change.source, change.row.version, change.row.deleted) for change in await records.changes()
    }
    assert told == {
        "1": ("smas", 1, False),
        "2": ("smas", 1, False),
        "3": ("smas", 1, True),
        "K1": ("vnedu", 500, False),
    }


async def test_the_old_source_is_told_whose_the_collection_is(records: Running):
    """For what is there and what is new; other collections and schools stay its own."""
    await records.apply(pupil("1", 5))
    await (await records.sources()).HandOver(handing(SCHOOL_A, "pupils"))

    answer = await records.apply(pupil("1", 6), pupil("9", 1), result("K1"), pupil("1", 1, school=SCHOOL_B))
    assert list(answer.states) == [REJECTED, REJECTED, ACCEPTED, ACCEPTED]
    first, second = answer.problems
    assert (first.reason, first.stored_version, second.stored_version) == ("OTHER_SOURCE", 5, 0)
    assert dict(first.metadata) == {"source": "smas", "collection": "pupils", "since": dict(first.metadata)["since"]}
    assert "bàn giao" in first.message


async def test_a_hand_over_at_once_counts_for_a_clock_that_is_behind(records: Running, clock: FixedClock):
    """Another replica's may be: what was answered is in force for whoever comes after it."""
    await records.apply(pupil("1", 5))
    await (await records.sources()).HandOver(handing(SCHOOL_A, "pupils"))

    clock.advance(timedelta(seconds=-1))
    refused = await records.apply(pupil("1", 6, full_name="Lê An"))
    assert [problem.reason for problem in refused.problems] == ["OTHER_SOURCE"]


async def test_a_hand_over_of_another_day_waits_for_it(records: Running, clock: FixedClock):
    """Until then the old source goes on; then the new one does, and nobody need do anything."""
    await records.apply(pupil("1", 5))
    begin = clock.now() + timedelta(days=30)
    request = handing(SCHOOL_A, "pupils")
    request.from_time.FromDatetime(begin)
    await (await records.sources()).HandOver(request)

    assert list((await records.apply(pupil("1", 1), source="smas")).states) == [REJECTED]
    assert list((await records.apply(pupil("1", 6, full_name="Lê An"))).states) == [ACCEPTED]
    assert await listed(records, in_force=True) == []
    clock.advance(timedelta(days=30))
    assert list((await records.apply(pupil("1", 7))).states) == [REJECTED]
    assert list((await records.apply(pupil("1", 1), source="smas")).states) == [ACCEPTED]
    (held,) = await listed(records, in_force=True)
    assert (held.school, held.collection, held.source) == (SCHOOL_A, "pupils", "smas")


async def test_a_province_is_handed_over_and_what_belongs_to_the_source_already_is_left(records: Running):
    """All collections of every school below; handing back is one more; the list keeps every one with who and why."""
    stub = await records.sources()
    first = await stub.HandOver(handing(SCHOOL_A, "pupils"))
    assert (first.school_count, first.handed_over_count, first.unchanged_count) == (1, 1, 0)
    whole = await stub.HandOver(handing(COMMUNE, *BY_COLLECTION))
    assert (whole.school_count, whole.unchanged_count) == (3, 1)
    assert whole.handed_over_count == 3 * len(BY_COLLECTION) - 1
    back = await stub.HandOver(handing(SCHOOL_A, "pupils", source="vnedu", reason="  trả lại "))
    assert back.handed_over_count == 1

    kept = [one for one in await listed(records, SCHOOL_A) if one.collection == "pupils"]
    assert [(one.source, one.reason) for one in kept] == [("smas", "Đổi phần mềm"), ("vnedu", "trả lại")]
    (now,) = [one for one in await listed(records, SCHOOL_A, in_force=True) if one.collection == "pupils"]
    assert now == kept[1]
    assert list((await records.apply(pupil("1", 1))).states) == [ACCEPTED]


async def test_hand_overs_are_listed_page_by_page(records: Running):
    """Each once, those in force as well as all."""
    await (await records.sources()).HandOver(handing(COMMUNE, *BY_COLLECTION))
    everything = await listed(records, page_size=1000)
    for in_force in (False, True):
        found, token = [], ""
        while True:
            request = sources_pb2.ListHandOversRequest(unit=PROVINCE, page_size=5, page_token=token, in_force=in_force)
            page = await (await records.sources()).ListHandOvers(request)
            found += page.hand_overs
            token = page.next_page_token
            if not token:
                break
        assert found == everything


async def test_a_repeated_request_answers_the_same(records: Running):
    """And does nothing, even after somebody handed it back; with another wish its id is refused."""
    stub = await records.sources()
    first = await stub.HandOver(handing(SCHOOL_A, "pupils", request_id="doi-1"))
    await stub.HandOver(handing(SCHOOL_A, "pupils", source="vnedu"))
    assert await stub.HandOver(handing(SCHOOL_A, "pupils", request_id="doi-1")) == first
    assert [one.source for one in await listed(records, in_force=True)] == ["vnedu"]
    with pytest.raises(Fault) as refused:
        await stub.HandOver(handing(SCHOOL_B, "pupils", request_id="doi-1"))
    assert refused.value.reason == "REQUEST_ID_REUSED"


@pytest.mark.parametrize("role", ["head_teacher", "clerk", "integrator"])
async def test_a_school_decides_for_itself_by_its_head_teacher(records: Running, role: str):
    """The software that sends does not, nor does anybody elsewhere."""
    await records.grant("an@a", role, SCHOOL_A)
    stub = await records.sources("an@a")
    if role == "head_teacher":
        assert (await stub.HandOver(handing(SCHOOL_A, "pupils"))).handed_over_count == 1
    with pytest.raises(Fault) as refused:
        await stub.HandOver(handing(SCHOOL_B if role == "head_teacher" else SCHOOL_A, "pupils"))
    assert refused.value.kind is Kind.DENIED


async def test_what_cannot_be_handed_over_is_refused_by_name(records: Running, clock: FixedClock):
    """An unknown collection, an instant that is over or far away; both at once where both are wrong."""
    request = handing(SCHOOL_A, "pupils", "lunches")
    request.from_time.FromDatetime(clock.now() - timedelta(seconds=1))
    with pytest.raises(Fault) as refused:
        await (await records.sources()).HandOver(request)
    assert [violation.field for violation in refused.value.violations] == ["collections", "from_time"]
    assert "lunches" in refused.value.violations[0].vi
    far = handing(SCHOOL_A, "pupils")
    far.from_time.FromDatetime(clock.now() + timedelta(days=400))
    with pytest.raises(Fault) as too_far:
        await (await records.sources()).HandOver(far)
    assert [violation.field for violation in too_far.value.violations] == ["from_time"]
    assert await listed(records) == []


async def test_once_it_is_answered_nothing_of_the_old_source_comes_in(records: Running):
    """Batches that are under way are stored before, or refused: what is there afterwards stays as it is."""
    stop = asyncio.Event()

    async def push(worker: int) -> None:
        version = 0
        while not stop.is_set():
            version += 1
            rows: list[resources_pb2.Row] = [pupil(f"{worker}", version, full_name=f"Lê {version}")]
            await records.apply(*rows, request_id=f"{worker}/{version}")

    workers = [asyncio.create_task(push(worker)) for worker in range(4)]
    await asyncio.sleep(0)
    await records.apply(pupil("first"))
    await (await records.sources()).HandOver(handing(SCHOOL_A, "pupils"))
    held = await records.rows("SELECT key, version FROM pupil ORDER BY key")
    for number in range(20):
        await records.apply(pupil("1", 10_000 + number), request_id=f"late/{number}")
    stop.set()
    await asyncio.gather(*workers)
    assert await records.rows("SELECT key, version FROM pupil ORDER BY key") == held
