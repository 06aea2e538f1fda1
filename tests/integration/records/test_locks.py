"""Locks: set and lifted by who may, listed with their history, told by events."""

from typing import Any

import pytest
from iocedu.records.v1 import locks_pb2

from chassis.bus import Bus
from chassis.errors import Fault, Kind
from chassis.testing import FixedClock
from tests.integration.records.closing import WHY, lifting, listed, setting
from tests.integration.records.scenes import ADMINISTRATOR, COMMUNE, PROVINCE, SCHOOL_A, SCHOOL_B, Running, reason


async def test_a_unit_locks_every_school_below_it_once(records: Running):
    """Locking again leaves the locks that are there; lifting lifts what is set, and says what was not."""
    stub = await records.locks()

    first = await stub.SetLocks(setting(COMMUNE, "pupils", "staff"))
    assert (first.school_count, first.locked_count, first.unchanged_count) == (3, 6, 0)
    wider = await stub.SetLocks(setting(PROVINCE, "pupils", "classes", reason="lần hai"))
    assert (wider.school_count, wider.locked_count, wider.unchanged_count) == (3, 3, 3)
    assert {one.reason for one in await listed(records, collections=["pupils"])} == {WHY}

    lifted = await stub.LiftLocks(lifting(SCHOOL_A, "pupils", "results"))
    assert (lifted.school_count, lifted.lifted_count, lifted.unchanged_count) == (1, 1, 1)
    assert len(await listed(records)) == 8


async def test_a_lock_remembers_who_when_and_why(records: Running, clock: FixedClock):
    """For ever: a lifted lock is listed when asked for, and a new one beside it."""
    stub = await records.locks()
    await stub.SetLocks(setting(SCHOOL_A))
    await (await records.locks("someone@so", service="reporting")).LiftLocks(lifting(SCHOOL_A))
    await stub.SetLocks(setting(SCHOOL_A, reason="  chốt lại "))

    (present,) = await listed(records, SCHOOL_A)
    assert (present.school, present.collection, present.school_year, present.period) == (SCHOOL_A, "pupils", 2026, "")
    assert (present.reason, present.locked_by, present.lock_service) == ("chốt lại", ADMINISTRATOR, "")
    assert present.lock_time.ToDatetime(clock.now().tzinfo) == clock.now()
    assert not present.HasField("lift_time")
    old, new = await listed(records, SCHOOL_A, include_lifted=True)
    assert new == present
    assert (old.lifted_by, old.lift_service, old.lift_reason) == ("someone@so", "reporting", "Bổ sung số liệu")
    assert old.lift_time.ToDatetime(clock.now().tzinfo) == clock.now()


async def test_locks_are_listed_page_by_page(records: Running):
    """Each once, in order of school, whatever the size of the page; filters hold."""
    stub = await records.locks()
    await stub.SetLocks(setting(COMMUNE, "pupils", "staff", "results"))
    await stub.SetLocks(setting(COMMUNE, "results", school_year=2025))
    request, found = locks_pb2.ListLocksRequest(unit=COMMUNE, page_size=5), []
    while True:
        page = await stub.ListLocks(request)
        found += page.locks
        request.page_token = page.next_page_token
        if not page.next_page_token:
            break

    assert len({one.lock_id for one in found}) == len(found) == 12
    assert [one.school_id for one in found] == sorted(one.school_id for one in found)
    assert len(await listed(records, SCHOOL_B, collections=["results"], school_year=2025)) == 1


async def test_a_repeated_request_answers_the_same_and_does_nothing(records: Running):
    """Also after somebody has lifted the lock; the id for something else is refused."""
    stub = await records.locks()
    first = await stub.SetLocks(setting(SCHOOL_A, request_id="chot-1"))
    await stub.LiftLocks(lifting(SCHOOL_A))

    assert await stub.SetLocks(setting(SCHOOL_A, request_id="chot-1")) == first
    assert await listed(records, SCHOOL_A) == []
    with pytest.raises(Fault) as refused:
        await stub.LiftLocks(lifting(SCHOOL_A, request_id="chot-1"))
    assert reason(refused) == "REQUEST_ID_REUSED"
    await records.grant("giamdoc@so", "director", PROVINCE)
    other = await (await records.locks("giamdoc@so")).SetLocks(setting(SCHOOL_A, request_id="chot-1"))
    assert other.locked_count == 1, "ids are each caller's own"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"period": "CK1"}, "period"),
        ({"collections": ["attendance"], "period": "2028-01"}, "period"),
        ({"collections": ["results"], "period": "CK3"}, "period"),
        ({"collections": ["results", "results"]}, "collections"),
        ({"collections": ["marks"]}, "collections[0]"),
        ({"school_year": 26}, "school_year"),
        ({"reason": "  "}, "reason"),
    ],
)
async def test_what_cannot_be_locked_is_refused(records: Running, fields: dict[str, Any], field: str):
    """By the field, and before anything is locked."""
    given: dict[str, Any] = {"collections": ["pupils"], "school_year": 2026, "reason": WHY} | fields
    with pytest.raises(Fault) as refused:
        await (await records.locks()).SetLocks(locks_pb2.SetLocksRequest(unit=SCHOOL_A, **given))
    assert refused.value.kind is Kind.INVALID
    assert [one.field for one in refused.value.violations] == [field]
    assert await listed(records) == []


async def test_only_who_may_locks_and_lifts(records: Running):
    """An officer sees locks and sets none; a director on another school neither; reporting acts for whom it asks."""
    await records.grant("can-bo", "officer", COMMUNE)
    await records.grant("giamdoc-b", "director", SCHOOL_B)
    officer = await records.locks("can-bo")
    for call in (officer.SetLocks(setting()), officer.LiftLocks(lifting())):
        with pytest.raises(Fault) as refused:
            await call
        assert reason(refused) == "NO_GRANT"
    assert (await officer.ListLocks(locks_pb2.ListLocksRequest(unit=COMMUNE))).locks == []
    with pytest.raises(Fault) as refused:
        await (await records.locks("giamdoc-b")).SetLocks(setting(SCHOOL_A))
    assert reason(refused) == "NO_GRANT"
    with pytest.raises(Fault) as refused:
        await (await records.locks("can-bo", service="alerts")).SetLocks(setting())
    assert reason(refused) == "NO_GRANT"

    await (await records.locks("can-bo", service="reporting")).SetLocks(setting(SCHOOL_A))
    (lock,) = await listed(records)
    assert (lock.locked_by, lock.lock_service) == ("can-bo", "reporting")


async def test_locks_are_told_as_they_are_afterwards(records: Running, bus: Bus):
    """Set and lifted, in order."""
    stub = await records.locks()
    await stub.SetLocks(setting(SCHOOL_A))
    await stub.LiftLocks(lifting(SCHOOL_A))
    await records.settled()
    told: list[locks_pb2.Lock] = []
    subscription = await bus.jetstream.subscribe("iocedu.records.v1.locks-changed", ordered_consumer=True)
    try:
        for _ in range(2):
            told += locks_pb2.LocksChanged.FromString((await subscription.next_msg(timeout=60)).data).locks
    finally:
        await subscription.unsubscribe()

    assert [one.HasField("lift_time") for one in told] == [False, True]
    assert {(one.lock_id, one.school_id, one.collection) for one in told} == {
        (told[0].lock_id, told[0].school_id, "pupils")
    }


async def test_a_province_is_locked_in_portions(records: Running, monkeypatch: pytest.MonkeyPatch):
    """Whatever their size, every school is locked, and counted once."""
    monkeypatch.setattr("services.records.usecases.locks.MOST_SCHOOLS", 2)
    answer = await (await records.locks()).SetLocks(setting("0", "pupils", "staff"))
    assert (answer.school_count, answer.locked_count) == (3, 6)
    assert len(await listed(records)) == 6
