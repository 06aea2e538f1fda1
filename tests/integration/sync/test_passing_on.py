"""Records reach the ministry in its order, once in effect, and whatever it refuses is told of the very record."""

import asyncio
import base64
import hmac
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from iocedu.records.v1 import resources_pb2
from iocedu.sync.v1 import destinations_pb2, pushes_pb2, reconciliation_pb2
from sqlalchemy import event
from sqlalchemy.pool import Pool

from chassis import webhooks
from chassis.bus import Bus
from chassis.errors import Fault
from chassis.request import current_request
from chassis.testing import FixedClock
from deploy.local.issuer import Issuer
from services.sync import jobs
from simulators.ministry.store import digest_of
from tests.integration.sync.outside import PASSWORD, USER, Outside, Subscriber, simulating, subscribing
from tests.integration.sync.passing import (
    ACCEPTED,
    FAILED,
    QUICK,
    WITHHELD,
    class_row,
    comparer,
    in_state,
    move,
    pushed,
    record,
    result,
    school_row,
    stub,
    teacher,
    whole_school,
)
from tests.integration.sync.world import (
    CLERK,
    COMMUNE,
    OTHER_COMMUNE,
    PROVINCE,
    SCHOOL_A,
    SCHOOL_B,
    SCHOOL_C,
    World,
    pupil,
    serve_sync,
    world,
)
from tests.support.databases import DatabaseFactory
from tests.support.waiting import poll_until

BOTH_FORMS = pytest.mark.parametrize("form", ["typed_packages", "record_events"])


@pytest.fixture
def form() -> str:
    """In which form the ministry is spoken to, unless a test says otherwise."""
    return "typed_packages"


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    """The ministry's simulator."""
    with simulating(tmp_path / "outside") as running:
        yield running


@pytest.fixture
def subscriber() -> Iterator[Subscriber]:
    """Somebody who wants to be told."""
    with subscribing() as running:
        yield running


@pytest.fixture
async def here(
    database_factory: DatabaseFactory,
    bus: Bus,
    nats_url: str,
    keys: Issuer,
    clock: FixedClock,
    outside: Outside,
    form: str,
) -> AsyncIterator[World]:
    """The province of the other tests, with sync led to the simulator."""
    assert bus.client.is_connected
    databases = (await database_factory("records"), await database_factory("sync"))
    led = {"ministry_url": outside.address, "ministry_user": USER, "ministry_password": PASSWORD}
    led["ministry_form"] = form
    async with world(databases, nats_url, keys, clock, **led, **QUICK) as running:
        yield running


@BOTH_FORMS
async def test_records_arrive_in_the_ministrys_order_whatever_order_they_came_in(here: World, outside: Outside) -> None:
    """School, staff, class, pupil, results; each once, in the ministry's names."""
    await pushed(here, "1", *whole_school())
    await in_state(here, "HS1.2026.GK1", ACCEPTED)

    assert outside.order() == ["TRUONG", "GIAO_VIEN", "LOP", "HOC_SINH", "KET_QUA"]
    assert len(outside.journal()) == 5
    sent = outside.held("HOC_SINH")["HS1"]
    assert (sent["HO_TEN"], sent["NGAY_SINH"], sent["MA_LOP"]) == ("Nguyễn Văn Hòa", "09/03/2014", "6A")


@BOTH_FORMS
async def test_what_a_record_stands_on_is_waited_for_and_said(here: World, outside: Outside) -> None:
    """A class without its teacher, its pupil and their results wait; nothing of it is refused there."""
    await pushed(here, "1", *whole_school()[:3], school_row())
    waiting = await in_state(here, "6A.2026", WITHHELD, reason="PARENT_NOT_ACCEPTED")
    assert "chưa được nơi nhận chấp nhận" in waiting.message
    assert outside.held("LOP") == {}

    await pushed(here, "2", teacher())
    await in_state(here, "HS1.2026.GK1", ACCEPTED)

    assert outside.order() == ["TRUONG", "GIAO_VIEN", "LOP", "HOC_SINH", "KET_QUA"]


@BOTH_FORMS
async def test_results_of_who_is_not_studying_are_withheld_until_they_are_back(here: World, outside: Outside) -> None:
    """The ministry takes results only of pupils who study; the others' are not failures."""
    gone = pupil("HS1.2026", status="05")
    await pushed(here, "1", result("HS1.2026"), gone, class_row(), teacher(), school_row())
    await in_state(here, "HS1.2026.GK1", WITHHELD, reason="NOT_STUDYING")
    assert outside.held("KET_QUA") == {}

    await pushed(here, "2", pupil("HS1.2026", 2, status="03"))
    await in_state(here, "HS1.2026.GK1", ACCEPTED)


async def test_what_is_withheld_and_was_never_there_is_no_gap(here: World, outside: Outside) -> None:
    """It ought not to be there: nothing is missing, and nothing of it is to be repaired."""
    gone = pupil("HS1.2026", status="05")
    await pushed(here, "1", result("HS1.2026"), gone, class_row(), teacher(), school_row())
    await in_state(here, "HS1.2026.GK1", WITHHELD, reason="NOT_STUDYING")

    asked = reconciliation_pb2.ReconcileRequest(unit=PROVINCE, destination="moet")
    found = (await (await comparer(here)).Reconcile(asked)).reconciliation

    assert (found.missing_there_count, found.differing_group_count) == (0, 0)
    assert found.record_count >= 4


@BOTH_FORMS
async def test_a_refused_record_stops_no_neighbour_and_goes_again_once_it_is_corrected(
    here: World, outside: Outside
) -> None:
    """It fails with the ministry's reason and field, down to the single pupil, and its history is kept."""
    bad = pupil("HS2.2026", class_key="", further={"MA_HOC_BAN_TRU": "x"})
    bad.pupil.sex = "2"
    outside.ministry.faults.change({"refuse_ids": ["HS2"], "refuse_reason": "CONTENT"})
    await pushed(here, "1", *whole_school(), bad)
    failed = await in_state(here, "HS2.2026", FAILED, reason="CONTENT")
    assert failed.accepted_version == 0
    await in_state(here, "HS1.2026.GK1", ACCEPTED)

    outside.ministry.faults.change({"refuse_ids": []})
    again = await (await stub(here)).RepeatPushes(
        destinations_pb2.RepeatPushesRequest(unit=SCHOOL_A, destination="moet", reason="CONTENT")
    )
    assert again.repeated_count == 1
    accepted = await in_state(here, "HS2.2026", ACCEPTED)
    assert accepted.accepted_version > failed.sent_version
    history = await (await stub(here)).ListPushOutcomes(
        destinations_pb2.ListPushOutcomesRequest(school=SCHOOL_A, destination="moet", key="HS2.2026")
    )
    assert [(one.state, one.reason) for one in history.outcomes] == [(ACCEPTED, ""), (FAILED, "CONTENT")]


@BOTH_FORMS
async def test_a_change_goes_as_an_update_and_a_deletion_as_a_cancellation(here: World, outside: Outside) -> None:
    """Under the same id, with rising versions; what was never sent is not cancelled."""
    await pushed(here, "1", *whole_school())
    await in_state(here, "HS1.2026.GK1", ACCEPTED)
    before = outside.held("HOC_SINH")["HS1"]

    await pushed(here, "2", pupil("HS1.2026", 2, full_name="Nguyễn Văn Hoà Bình"))

    async def renamed() -> bool:
        return bool(outside.held("HOC_SINH")["HS1"]["HO_TEN"] == "Nguyễn Văn Hoà Bình")

    await poll_until(renamed)
    after = outside.held("HOC_SINH")["HS1"]
    assert after["id"] == before["id"]
    assert after["version"] > before["version"]

    gone = resources_pb2.Row(school=SCHOOL_A, key="HS1.2026.GK1", version=2, deleted=True)
    gone.result.SetInParent()
    await pushed(here, "3", gone)
    await poll_until(lambda: outside.held("KET_QUA") == {})
    assert outside.held("HOC_SINH").keys() == {"HS1"}


@BOTH_FORMS
async def test_a_pupil_whose_key_changes_stays_the_same_there(here: World, outside: Outside) -> None:
    """A first-grader's temporary code becomes the real one: one record, one id, no cancellation."""
    await pushed(here, "1", pupil("TAM-1.2026"), class_row(), teacher(), school_row())
    await in_state(here, "TAM-1.2026", ACCEPTED)
    before = outside.held("HOC_SINH")["TAM-1"]

    row = pupil("HS9.2026", 2)
    row.previous_key = "TAM-1.2026"
    await pushed(here, "2", row)
    await in_state(here, "HS9.2026", ACCEPTED)

    held = outside.held("HOC_SINH")
    assert held.keys() == {"HS9"}
    assert held["HS9"]["id"] == before["id"]
    assert await record(here, "TAM-1.2026") is None


@BOTH_FORMS
async def test_a_key_that_is_used_again_is_another_record_there(here: World, outside: Outside) -> None:
    """The next first-grader gets the temporary code that the last one had: two records, two ids, both held."""
    await pushed(here, "1", pupil("TAM-1.2026"), class_row(), teacher(), school_row())
    await in_state(here, "TAM-1.2026", ACCEPTED)
    row = pupil("HS9.2026", 2)
    row.previous_key = "TAM-1.2026"
    await pushed(here, "2", row)
    await in_state(here, "HS9.2026", ACCEPTED)

    await pushed(here, "3", pupil("TAM-1.2026", 3, full_name="Lê Thị Ánh"))
    await in_state(here, "TAM-1.2026", ACCEPTED)

    held = outside.held("HOC_SINH")
    assert held.keys() == {"HS9", "TAM-1"}
    assert held["HS9"]["id"] != held["TAM-1"]["id"]


@BOTH_FORMS
async def test_an_answer_that_is_lost_doubles_nothing(here: World, outside: Outside) -> None:
    """The package was taken, the line broke: asked again under the same id, it answers what it did."""
    outside.ministry.faults.change({"lose_answer_share": 1.0})
    await pushed(here, "1", *whole_school())

    await poll_until(lambda: bool(outside.journal()))
    outside.ministry.faults.change({"lose_answer_share": 0.0})

    async def settled() -> bool:
        here.clock.advance(timedelta(seconds=5))
        found = await record(here, "HS1.2026.GK1")
        return found is not None and found.state == ACCEPTED

    await poll_until(settled)
    assert len(outside.journal()) == len(set(outside.journal())) == 5


async def test_a_record_the_outcome_does_not_name_goes_again(
    here: World, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lies in no closed package for ever; after its neighbours it arrives by itself."""
    request = outside.ministry.request

    def without_teachers(request_id: str) -> tuple[int, dict[str, Any]]:
        status, said = request(request_id)
        teachers = {one["id"] for one in outside.held("GIAO_VIEN").values()}
        return status, said | {"KetQua": [one for one in said.get("KetQua", ()) if one["IdBanGhi"] not in teachers]}

    monkeypatch.setattr(outside.ministry, "request", without_teachers)
    await pushed(here, "1", *whole_school())
    waiting = await in_state(here, "GV1.2026", pushes_pb2.PUSH_STATE_TO_REPEAT, reason="NO_VERDICT")
    assert "không trả kết quả của bản ghi này" in waiting.message

    monkeypatch.setattr(outside.ministry, "request", request)

    async def accepted() -> bool:
        here.clock.advance(timedelta(seconds=5))
        found = await record(here, "HS1.2026.GK1")
        return found is not None and found.state == ACCEPTED

    await poll_until(accepted)


async def test_a_verdict_on_what_was_not_sent_settles_nothing(
    here: World, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An id that is none tells of no record: that of the package goes again with a reason, its neighbours are taken."""
    request = outside.ministry.request

    def of_strangers(request_id: str) -> tuple[int, dict[str, Any]]:
        status, said = request(request_id)
        teacher_id = outside.held("GIAO_VIEN").get("GV1", {}).get("id")
        named = [
            one | {"IdBanGhi": "GV-1" if one["IdBanGhi"] == teacher_id else one["IdBanGhi"].upper()}
            for one in said.get("KetQua", ())
        ]
        return status, said | {"KetQua": named}

    monkeypatch.setattr(outside.ministry, "request", of_strangers)
    await pushed(here, "1", *whole_school(), teacher("GV2.2026"))
    await in_state(here, "GV1.2026", pushes_pb2.PUSH_STATE_TO_REPEAT, reason="NO_VERDICT")
    await in_state(here, "GV2.2026", ACCEPTED)


async def test_a_package_that_is_too_large_goes_in_smaller_ones(
    here: World, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what is too large alone fails, and says so; nobody else does."""
    take = outside.ministry.take

    def small_only(grant: Any, body: bytes) -> tuple[int, dict[str, Any]]:
        if body.count(b"<BanGhi ") > 7 or b"HS3.2026" in body or b">HS3<" in body:
            return 413, {}
        return take(grant, body)

    monkeypatch.setattr(outside.ministry, "take", small_only)
    pupils = [pupil(f"HS{number}.2026") for number in range(20)]
    await pushed(here, "1", *pupils, class_row(), teacher(), school_row())
    failed = await in_state(here, "HS3.2026", FAILED, reason="TOO_LARGE")
    assert "dung lượng quá lớn" in failed.message
    for number in (0, 4, 19):
        await in_state(here, f"HS{number}.2026", ACCEPTED)
    assert len(outside.held("HOC_SINH")) == 19


@BOTH_FORMS
async def test_an_outage_opens_the_circuit_and_drains_by_itself(here: World, outside: Outside) -> None:
    """No record fails for it; the destination says why; what came meanwhile follows in order."""
    outside.ministry.faults.change({"down": True})
    await pushed(here, "1", *whole_school())
    service = await stub(here)

    async def opened() -> Any:
        here.clock.advance(timedelta(seconds=1))
        (found,) = (await service.ListDestinations(destinations_pb2.ListDestinationsRequest())).destinations
        return found if found.problem else None

    told = await poll_until(opened)
    assert "503" in told.problem
    assert (await record(here, "HS1.2026.GK1")).state not in (FAILED, ACCEPTED)

    outside.ministry.faults.change({"down": False})

    async def drained() -> bool:
        here.clock.advance(timedelta(seconds=10))
        found = await record(here, "HS1.2026.GK1")
        return found is not None and found.state == ACCEPTED

    await poll_until(drained)
    (healthy,) = (await service.ListDestinations(destinations_pb2.ListDestinationsRequest())).destinations
    assert (healthy.circuit, healthy.problem) == (destinations_pb2.CIRCUIT_STATE_CLOSED, "")
    assert outside.order() == ["TRUONG", "GIAO_VIEN", "LOP", "HOC_SINH", "KET_QUA"]


async def test_a_paused_destination_is_noted_for_and_not_sent_to(here: World, outside: Outside) -> None:
    """Likewise outside its windows; resumed, everything follows."""
    service = await stub(here)
    request = destinations_pb2.UpdateDestinationRequest(code="moet", update_mask=FieldMask(paths=["windows"]))
    window = request.destination.windows.add(until="01:00")  # it is 08:00 in Viet Nam
    setattr(window, "from", "00:00")
    assert (await service.UpdateDestination(request)).destination.windows == [window]
    await pushed(here, "1", *whole_school())
    waiting = await in_state(here, "2026", pushes_pb2.PUSH_STATE_AWAITING_COMPOSITION)
    assert waiting.sent_version == 0
    assert outside.journal() == []

    request = destinations_pb2.UpdateDestinationRequest(code="moet", update_mask=FieldMask(paths=["windows"]))
    request.destination.SetInParent()
    await service.UpdateDestination(request)
    await in_state(here, "HS1.2026.GK1", ACCEPTED)


async def test_only_what_may_be_changed_of_a_destination_is(here: World) -> None:
    """The endpoint of the ministry comes from settings."""
    service = await stub(here)
    request = destinations_pb2.UpdateDestinationRequest(code="moet", update_mask=FieldMask(paths=["endpoint"]))
    request.destination.endpoint = "http://evil.example"
    with pytest.raises(Fault) as refused:
        await service.UpdateDestination(request)
    assert refused.value.violations[0].field == "update_mask"
    with pytest.raises(Fault) as unknown:
        await service.SummarizePushes(destinations_pb2.SummarizePushesRequest(unit=PROVINCE, destination="nowhere"))
    assert unknown.value.reason == "UNKNOWN_DESTINATION"


@BOTH_FORMS
async def test_two_replicas_share_schools_and_send_each_record_once(
    here: World, outside: Outside, nats_url: str, keys: Issuer, clock: FixedClock
) -> None:
    """Neither waits for the other, and the journal there has every record and version once."""
    led = {"ministry_url": outside.address, "ministry_user": USER, "ministry_password": PASSWORD}
    async with serve_sync(
        here.sync_database, nats_url, keys, records_address=here.records_address, clock=clock, **led, **QUICK
    ):
        for school in (SCHOOL_A, SCHOOL_B):
            people = [pupil(f"HS{number}.2026", school=school) for number in range(700)]
            rows = [*people, class_row(school=school), teacher(school=school), school_row(school)]
            await pushed(here, school, *rows)

        async def arrived() -> bool:
            counted = outside.ministry.counts()
            return counted["records"] == 2 * 703

        await poll_until(arrived)
    assert len(outside.journal()) == len(set(outside.journal())) == 2 * 703


async def test_schools_are_counted_and_told_of(here: World, bus: Bus) -> None:
    """By question and by event: how many wait, failed, arrived, and when the last one did."""
    await pushed(here, "1", *whole_school(), result("HS5.2026"))
    await in_state(here, "HS1.2026.GK1", ACCEPTED)
    service = await stub(here, CLERK)

    async def counted() -> Any:
        here.clock.advance(timedelta(seconds=4))
        request = destinations_pb2.ListSchoolPushesRequest(unit=SCHOOL_A, destination="moet")
        (found,) = (await service.ListSchoolPushes(request)).schools
        return found if found.counts.withheld_count == 1 and not found.counts.waiting_count else None

    found = await poll_until(counted)
    assert (found.counts.accepted_count, found.counts.failed_count) == (5, 0)
    assert found.school_name == "Trường THCS Nguyễn Du"
    assert found.HasField("last_success_time")
    request = destinations_pb2.SummarizePushesRequest(unit=SCHOOL_A, destination="moet")
    summed = await service.SummarizePushes(request)
    assert (summed.school_count, summed.settled_school_count, summed.counts.accepted_count) == (1, 1, 5)

    events: list[pushes_pb2.PushesChanged] = []
    async with bus.pull(source="sync", event="pushes-changed", durable="test-pushes", batch=50) as pull:

        async def told() -> bool:
            messages = await pull.take()
            events.extend(pushes_pb2.PushesChanged.FromString(message.data) for message in messages)
            return any(
                one.counts.accepted_count == 5 and not one.counts.waiting_count
                for event in events
                for one in event.schools
            )

        await poll_until(told)
    assert {event.destination for event in events} == {"moet"}


async def test_a_group_whose_records_arrive_while_it_is_compared_does_not_differ(
    here: World, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its digest was told before, its records after: nothing is missing, and no group is said to differ."""
    await pushed(here, "1", *whole_school())
    await in_state(here, "HS1.2026.GK1", ACCEPTED)
    service = await comparer(here)
    asked = reconciliation_pb2.ReconcileRequest(unit=PROVINCE, destination="moet")
    summary, told = outside.ministry.summary, dict[str, tuple[int, dict[str, Any]]]()

    def told_before(query: dict[str, str]) -> tuple[int, dict[str, Any]]:
        return told.setdefault(str(query), summary(query))

    monkeypatch.setattr(outside.ministry, "summary", told_before)
    assert (await service.Reconcile(asked)).reconciliation.differing_group_count == 0
    await pushed(here, "2", pupil("HS2.2026"))
    await in_state(here, "HS2.2026", ACCEPTED)
    found = (await service.Reconcile(asked)).reconciliation
    assert (found.missing_there_count, found.differing_count, found.differing_group_count) == (0, 0, 0)


@BOTH_FORMS
async def test_comparing_finds_exactly_what_was_changed_there_and_repairs_it(here: World, outside: Outside) -> None:
    """Missing there, missing here, differing with the field; repaired, the next comparison finds what is left."""
    await pushed(here, "1", *whole_school(), pupil("HS2.2026"), pupil("HS3.2026", full_name="Lê Thị Ánh"))
    for key in ("HS1.2026.GK1", "HS2.2026", "HS3.2026"):
        await in_state(here, key, ACCEPTED)
    service = await comparer(here)
    asked = reconciliation_pb2.ReconcileRequest(unit=PROVINCE, destination="moet")
    asked.match.ignore_tones = asked.match.ignore_case = True
    before = (await service.Reconcile(asked)).reconciliation
    assert (before.differing_group_count, before.missing_there_count) == (0, 0)

    held = outside.held("HOC_SINH")
    with outside.ministry.store.writing() as writes:
        for key, change in (("HS2", {"HO_TEN": "Ai Đó"}), ("HS3", None)):
            row = dict(writes.one("SELECT * FROM record WHERE id = ?", held[key]["id"]) or {})
            _tamper(writes, row, change)
        other = dict(writes.one("SELECT * FROM record WHERE id = ?", held["HS1"]["id"]) or {})
        content: dict[str, object] = {"HOC_SINH_ID": "X9", "HO_TEN": "LE THI ANH", "NGAY_SINH": "09/03/2014"}
        _put(writes, other | {"id": "x9", "key": "X9", "version": 1}, content)

    found = (await service.Reconcile(asked)).reconciliation
    assert (found.missing_there_count, found.missing_here_count, found.differing_count) == (1, 1, 1)
    assert found.differing_group_count == 1
    listed = await service.ListDifferences(
        reconciliation_pb2.ListDifferencesRequest(unit=SCHOOL_A, reconciliation_id=found.reconciliation_id)
    )
    told = {one.kind: one for one in listed.differences}
    assert told[reconciliation_pb2.DIFFERENCE_KIND_MISSING_THERE].key == "HS3.2026"
    assert told[reconciliation_pb2.DIFFERENCE_KIND_MISSING_THERE].matched_key == "x9"
    assert told[reconciliation_pb2.DIFFERENCE_KIND_MISSING_HERE].destination_key == "x9"
    assert told[reconciliation_pb2.DIFFERENCE_KIND_MISSING_HERE].matched_key == "HS3.2026"
    assert list(told[reconciliation_pb2.DIFFERENCE_KIND_DIFFERING].fields) == ["HO_TEN"]

    repaired = await service.RepairDifferences(
        reconciliation_pb2.RepairDifferencesRequest(unit=PROVINCE, reconciliation_id=found.reconciliation_id)
    )
    assert repaired.repeated_count == 2

    async def whole() -> bool:
        there = outside.held("HOC_SINH")
        return "HS3" in there and there["HS2"]["HO_TEN"] == "Nguyễn Văn Hòa"

    await poll_until(whole)
    after = (await service.Reconcile(asked)).reconciliation
    assert (after.missing_there_count, after.missing_here_count, after.differing_count) == (0, 1, 0)
    gaps = await service.ListReconciliations(
        reconciliation_pb2.ListReconciliationsRequest(unit=PROVINCE, destination="moet")
    )
    assert [one.missing_there_count + one.differing_count for one in gaps.reconciliations] == [0, 2, 0]


@BOTH_FORMS
async def test_what_was_pushed_and_compared_long_ago_is_forgotten_but_not_what_the_destination_has(
    here: World, outside: Outside
) -> None:
    """Packages' outcomes and the records that differed go; how many did stays, and so does what waits or is there."""
    await pushed(here, "1", *whole_school())
    await in_state(here, "HS1.2026.GK1", ACCEPTED)
    (held,) = outside.held("HOC_SINH").values()
    with outside.ministry.store.writing() as writes:
        _tamper(writes, dict(writes.one("SELECT * FROM record WHERE id = ?", held["id"]) or {}), None)
    service = await comparer(here)
    await service.Reconcile(reconciliation_pb2.ReconcileRequest(unit=PROVINCE, destination="moet"))
    counted = [await here.count(table) for table in ("push_package", "push_outcome", "difference")]
    assert min(counted) > 0

    kept = jobs.Kept(*[timedelta(days=400)] * 4)
    await jobs.prune(here.sync_database, here.clock, kept=kept)
    assert [await here.count(table) for table in ("push_package", "push_outcome", "difference")] == counted
    later = FixedClock(here.clock.now() + timedelta(days=401))
    await jobs.prune(here.sync_database, later, kept=kept)
    assert [await here.count(table) for table in ("push_package", "push_outcome", "difference")] == [0, 0, 0]
    listed = await service.ListReconciliations(
        reconciliation_pb2.ListReconciliationsRequest(unit=PROVINCE, destination="moet")
    )
    assert [one.missing_there_count for one in listed.reconciliations] == [1]
    assert (await record(here, "HS1.2026")).state == ACCEPTED


@BOTH_FORMS
async def test_a_repair_of_what_may_not_go_leaves_it_withheld_with_its_reason(here: World, outside: Outside) -> None:
    """It waits for nobody: it goes once its pupil is back, and as what is not there any more."""
    await pushed(here, "1", *whole_school())
    await in_state(here, "HS1.2026.GK1", ACCEPTED)
    await pushed(here, "2", pupil("HS1.2026", 2, status="05"))
    await in_state(here, "HS1.2026", ACCEPTED)
    await pushed(here, "3", result("HS1.2026", version=2, absent_days=3))
    await in_state(here, "HS1.2026.GK1", WITHHELD, reason="NOT_STUDYING")
    (held,) = outside.held("KET_QUA").values()
    with outside.ministry.store.writing() as writes:
        _tamper(writes, dict(writes.one("SELECT * FROM record WHERE id = ?", held["id"]) or {}), None)
    service = await comparer(here)
    asked = reconciliation_pb2.ReconcileRequest(unit=PROVINCE, destination="moet")
    found = (await service.Reconcile(asked)).reconciliation
    assert found.missing_there_count == 1

    await service.RepairDifferences(
        reconciliation_pb2.RepairDifferencesRequest(unit=PROVINCE, reconciliation_id=found.reconciliation_id)
    )

    told = await in_state(here, "HS1.2026.GK1", WITHHELD, reason="NOT_STUDYING")
    assert told.accepted_version == 0
    assert (await service.Reconcile(asked)).reconciliation.missing_there_count == 0, "it ought not to be there"
    assert outside.held("KET_QUA") == {}
    await pushed(here, "4", pupil("HS1.2026", 3, status="03"))
    await in_state(here, "HS1.2026.GK1", ACCEPTED)
    assert len(outside.held("KET_QUA")) == 1


@BOTH_FORMS
async def test_a_record_that_is_to_be_repeated_waits_for_who_left_meanwhile_and_for_no_time(
    here: World, outside: Outside
) -> None:
    """Withheld, it says why and is not tried again and again; once its pupil is back it goes."""
    await pushed(here, "1", *whole_school()[1:])
    await in_state(here, "HS1.2026", ACCEPTED)
    outside.ministry.faults.change({"refuse_ids": ["HS1"], "refuse_reason": "THU_TU"})
    await pushed(here, "2", result("HS1.2026"))
    await in_state(here, "HS1.2026.GK1", pushes_pb2.PUSH_STATE_TO_REPEAT, reason="THU_TU")
    outside.ministry.faults.change({"refuse_ids": []})

    await pushed(here, "3", pupil("HS1.2026", 2, status="05"))
    await in_state(here, "HS1.2026", pushes_pb2.PUSH_STATE_AWAITING_COMPOSITION)
    here.clock.advance(timedelta(seconds=5))

    await in_state(here, "HS1.2026.GK1", WITHHELD, reason="NOT_STUDYING")
    await pushed(here, "4", pupil("HS1.2026", 3, status="03"))
    await in_state(here, "HS1.2026.GK1", ACCEPTED)


def _put(writes: Any, row: dict[str, Any], content: dict[str, object], *, cancelled: int = 0) -> None:
    told = row | {"content": json.dumps(content), "digest": digest_of(content), "cancelled": cancelled}
    writes.put(told, request_id="tampered")


def _tamper(writes: Any, row: dict[str, Any], change: dict[str, str] | None) -> None:
    content = json.loads(row["content"])
    _put(writes, row, content | (change or {}), cancelled=0 if change else 1)


async def test_a_comparison_needs_a_destination_that_answers(here: World, outside: Outside) -> None:
    """Told as what it is, with the cause; nothing is said to be sent, and who asked is to ask again."""
    outside.ministry.faults.change({"down": True})
    with pytest.raises(Fault) as refused:
        await (await comparer(here)).Reconcile(reconciliation_pb2.ReconcileRequest(unit=PROVINCE, destination="moet"))
    assert refused.value.reason == "DESTINATION_UNREACHABLE"
    assert refused.value.metadata["cause"] == "HTTP_503"
    assert refused.value.vi == "Nothing was compared: The sector database answers 503. Compare again later."


async def test_subscribers_are_told_signed_once_in_effect_and_without_content(
    here: World, subscriber: Subscriber
) -> None:
    """The same delivery id at every attempt, a signature over timestamp and body, keys and positions only."""
    service = await stub(here)
    subscriber.status = 500
    request = destinations_pb2.CreateDestinationRequest(unit=PROVINCE, code="ioc")
    request.destination.endpoint = subscriber.address
    made = await service.CreateDestination(request)
    with pytest.raises(Fault) as taken:
        await service.CreateDestination(request)
    assert taken.value.reason == "DESTINATION_EXISTS"
    await pushed(here, "1", *whole_school())
    await poll_until(lambda: subscriber.received)
    subscriber.status = 204

    async def told() -> bool:
        here.clock.advance(timedelta(seconds=5))
        found = await record(here, "HS1.2026.GK1", destination="ioc")
        return found is not None and found.state == ACCEPTED

    await poll_until(told)
    assert len({headers["webhook-id"] for headers, _ in subscriber.received}) < len(subscriber.received)
    for headers, body in subscriber.received:
        said = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        key = base64.b64decode(made.secret.removeprefix("whsec_"))
        expected = base64.b64encode(hmac.new(key, said, "sha256").digest()).decode()
        assert headers["webhook-signature"] == f"v1,{expected}"
        assert json.loads(body)["delivery_id"] == headers["webhook-id"]
        assert "Nguyễn" not in body.decode()
    assert sorted(one["key"] for one in subscriber.changes()) == sorted(row.key for row in whole_school())
    listed = await service.ListDestinations(destinations_pb2.ListDestinationsRequest())
    assert made.secret not in str(listed)


async def test_a_subscriber_hears_of_a_school_that_joins_its_unit_from_the_beginning(
    here: World, subscriber: Subscriber
) -> None:
    """Its records stand at positions that were passed; once more when it comes back, and nothing twice meanwhile."""
    await _joined(here, subscriber)
    await pushed(here, "2", pupil("C2", school=SCHOOL_C))
    await poll_until(lambda: _told(subscriber) == {"A1": 1, "C1": 1, "C2": 1})
    await _moved(here, SCHOOL_C, OTHER_COMMUNE, "2")
    await pushed(here, "3", pupil("C1", 2, school=SCHOOL_C, full_name="Lê Thị Ánh"), pupil("A2"))
    await poll_until(lambda: _told(subscriber) == {"A1": 1, "A2": 1, "C1": 1, "C2": 1})

    await _moved(here, SCHOOL_C, COMMUNE, "3")

    await poll_until(lambda: _told(subscriber) == {"A1": 1, "A2": 1, "C1": 2, "C2": 1})


async def test_what_was_left_out_of_the_feed_while_a_school_joined_is_told_after_a_minute(
    here: World, subscriber: Subscriber
) -> None:
    """Sync may know of it a moment before records does, whose pages pass over it meanwhile."""
    await _joined(here, subscriber)
    async with here.sync_database.transaction() as writes:
        await writes.exec_driver_sql("DELETE FROM outgoing_record WHERE destination = 'ioc' AND key = 'C1'")

    here.clock.advance(timedelta(minutes=1))

    await poll_until(lambda: _told(subscriber) == {"A1": 1, "C1": 2})


async def _joined(here: World, subscriber: Subscriber) -> None:
    """A subscriber of the commune was told of its school, and then of one that joined it."""
    await _subscribed(here, subscriber, COMMUNE)
    await pushed(here, "1", pupil("C1", school=SCHOOL_C), pupil("A1"))
    await poll_until(lambda: _told(subscriber) == {"A1": 1})
    await _moved(here, SCHOOL_C, COMMUNE, "1")
    await poll_until(lambda: _told(subscriber) == {"A1": 1, "C1": 1})


async def _subscribed(here: World, subscriber: Subscriber, unit: str) -> None:
    request = destinations_pb2.CreateDestinationRequest(unit=unit, code="ioc")
    request.destination.endpoint = subscriber.address
    await (await stub(here)).CreateDestination(request)

    async def begun() -> bool:
        async with here.sync_database.connection() as reads:
            found = await reads.exec_driver_sql("SELECT count(*) FROM followed_unit WHERE destination = 'ioc'")
            return bool(found.scalar_one())

    await poll_until(begun)


async def _moved(here: World, unit: str, parent: str, request_id: str) -> None:
    """Move a unit, and wait until sync has noticed that it is below the subscriber's commune now, or no more."""
    await move(here, unit, parent, request_id)
    unit_id = here.scopes.tree.resolve(unit, here.clock.today())

    async def noticed() -> bool:
        async with here.sync_database.connection() as reads:
            found = await reads.exec_driver_sql(f"SELECT count(*) FROM followed_unit WHERE unit_id = {unit_id}")
            return bool(found.scalar_one()) == (parent == COMMUNE)

    await poll_until(noticed)


def _told(subscriber: Subscriber) -> dict[str, int]:
    """How often each key was told."""
    return dict(Counter(one["key"] for one in subscriber.changes()))


async def test_an_address_that_is_slow_to_look_up_keeps_no_connection_of_the_database(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long a name server takes, and however many subscribers are made meanwhile."""
    loop, asked, known = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
    resolve, holding = loop.getaddrinfo, set[str]()

    async def slowly(host: Any, *rest: Any, **named: Any) -> Any:
        if host != "cham.example.vn":
            return await resolve(host, *rest, **named)
        asked.set()
        await known.wait()
        return await resolve("127.0.0.1", *rest, **named)

    def taken(*_: Any) -> None:
        request = current_request()
        holding.add(request.method if request else "")

    monkeypatch.setattr(loop, "getaddrinfo", slowly)
    event.listen(Pool, "checkout", taken)
    request = destinations_pb2.CreateDestinationRequest(unit=PROVINCE, code="cham")
    request.destination.endpoint = "http://cham.example.vn:9/in"
    making = asyncio.ensure_future((await stub(here)).CreateDestination(request))
    try:
        await asyncio.wait_for(asked.wait(), 30)
        assert not any(one.endswith("/CreateDestination") for one in holding)
    finally:
        known.set()
        made = await making
        event.remove(Pool, "checkout", taken)
    assert made.destination.code == "cham"
    assert any(one.endswith("/CreateDestination") for one in holding), "it would have been seen"


async def test_only_administrators_see_whole_endpoints(here: World) -> None:
    """What is secret often stands in the path or the query; others see the host."""
    service, clerk = await stub(here), await stub(here, CLERK)
    request = destinations_pb2.CreateDestinationRequest(unit=PROVINCE, code="ioc")
    request.destination.endpoint = "http://127.0.0.1:9/in?token=abc"
    await service.CreateDestination(request)

    def seen(listed: destinations_pb2.ListDestinationsResponse) -> str:
        return next(one.endpoint for one in listed.destinations if one.code == "ioc")

    asked = destinations_pb2.ListDestinationsRequest()
    assert seen(await service.ListDestinations(asked)) == "http://127.0.0.1:9/in?token=abc"
    assert seen(await clerk.ListDestinations(asked)) == "127.0.0.1"


async def test_a_subscriber_that_drips_its_answer_opens_its_circuit_and_nobody_elses(
    here: World, outside: Outside, subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However steadily it drips; the ministry gets all of it meanwhile."""
    monkeypatch.setattr(webhooks, "DEADLINE_SECONDS", 0.3)
    subscriber.dripping = True
    service = await stub(here)
    request = destinations_pb2.CreateDestinationRequest(unit=PROVINCE, code="ioc")
    request.destination.endpoint = subscriber.address
    await service.CreateDestination(request)
    await pushed(here, "1", *whole_school())

    async def opened() -> bool:
        here.clock.advance(timedelta(seconds=2))
        listed = (await service.ListDestinations(destinations_pb2.ListDestinationsRequest())).destinations
        return {one.code: "không trả lời kịp" in one.problem for one in listed} == {"ioc": True, "moet": False}

    await poll_until(opened)
    await in_state(here, "HS1.2026.GK1", ACCEPTED)


async def test_a_wrong_account_is_a_problem_of_the_schools_and_no_failure(
    database_factory: DatabaseFactory, bus: Bus, nats_url: str, keys: Issuer, clock: FixedClock, outside: Outside
) -> None:
    """Nothing fails, nothing is lost; the reason says what to put right."""
    assert bus.client.is_connected
    databases = (await database_factory("records"), await database_factory("sync"))
    led = {"ministry_url": outside.address, "ministry_user": USER, "ministry_password": "wrong"}
    async with world(databases, nats_url, keys, clock, **led, **QUICK) as here:
        await pushed(here, "1", *whole_school())

        async def said() -> Any:
            here.clock.advance(timedelta(seconds=4))
            request = destinations_pb2.ListSchoolPushesRequest(unit=SCHOOL_A, destination="moet")
            found = (await (await stub(here)).ListSchoolPushes(request)).schools
            return found[0] if found and found[0].problem_reason else None

        found = await poll_until(said)
        assert found.problem_reason == "ACCOUNT_REFUSED"
        assert "Tài khoản kết chuyển không chính xác" in found.problem
    assert outside.journal() == []
