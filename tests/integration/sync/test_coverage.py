"""Coverage on a real database: what batches make of schools, lists and sums, the stream, the event, two replicas."""

import asyncio
import csv
import io
import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import openpyxl
import pytest
import sqlalchemy as sa
from iocedu.records.v1 import resources_pb2
from iocedu.sync.v1 import coverage_pb2, coverage_pb2_grpc, quarantine_pb2

from chassis.bus import Bus
from chassis.database import Database
from chassis.errors import Fault
from chassis.scope_tree import ScopeCalendar, ScopeEdge, ScopeTree, ScopeUnit
from chassis.testing import FixedClock, client
from services.sync.convert.rules import load_coverage, load_weekdays
from services.sync.domain.coverage import Arrival, DayCounts, Delivery, assess
from services.sync.jobs import coverage_keeper
from services.sync.store import connections, coverage
from services.sync.store.connections import Sent
from services.sync.usecases.coverage import Coverage, facts_of, look, look_anew, school_days
from tests.integration.sync.test_full import ASKED, DONE, full
from tests.integration.sync.test_quarantine import ward
from tests.integration.sync.world import (
    COMMUNE,
    GROUP,
    OFFICER,
    OTHER_COMMUNE,
    PROVINCE,
    SCHOOL_A,
    SCHOOL_B,
    SCHOOL_C,
    World,
    pupil,
    push,
    register,
)
from tests.support.databases import DatabaseFactory
from tests.support.waiting import poll_until

CONNECTED, LATE, FAILING, SILENT = (
    coverage_pb2.COVERAGE_STATE_CONNECTED,
    coverage_pb2.COVERAGE_STATE_LATE,
    coverage_pb2.COVERAGE_STATE_FAILING,
    coverage_pb2.COVERAGE_STATE_SILENT,
)
NAMES = {SCHOOL_A: "Trường THCS Nguyễn Du", SCHOOL_B: "Trường TH Ánh Dương", SCHOOL_C: "Trường THPT Núi Thành"}


async def stub_of(here: World, subject: str = "vnedu", *, language: str = "vi") -> Any:
    """CoverageService as a subject calls it."""
    channel = client(here.sync_address, here.keys.mint(subject), language=language)
    return coverage_pb2_grpc.CoverageServiceStub(await here.stack.enter_async_context(channel))


async def state_of(here: World, school: str) -> coverage_pb2.SchoolCoverage:
    """One school, as it was last looked at."""
    asked = coverage_pb2.GetSchoolCoverageRequest(school=school)
    answer: coverage_pb2.GetSchoolCoverageResponse = await (await stub_of(here)).GetSchoolCoverage(asked)
    return answer.school


async def until(here: World, school: str, state: int) -> coverage_pb2.SchoolCoverage:
    """The school, once it is in a state."""

    async def there() -> coverage_pb2.SchoolCoverage | None:
        one = await state_of(here, school)
        return one if one.state == state else None

    found: coverage_pb2.SchoolCoverage = await poll_until(there)
    return found


def listing(unit: str = PROVINCE, **fields: Any) -> coverage_pb2.ListCoverageRequest:
    """A question for schools."""
    rest = {name: fields.pop(name) for name in ("order", "page_size", "page_token") if name in fields}
    return coverage_pb2.ListCoverageRequest(unit=unit, filter=coverage_pb2.CoverageFilter(**fields), **rest)


async def test_a_push_makes_a_silent_school_connected_and_says_what_arrived(here: World) -> None:
    """Within moments, with source, rows and collections."""
    never = await until(here, SCHOOL_A, SILENT)
    assert [one.reason for one in never.reasons] == ["NEVER_SENT"]
    assert "Chưa từng có dữ liệu nào" in never.reasons[0].message
    wrong = pupil("HS2", sex="7")
    await (await here.sync()).PushRows(push("1", pupil("HS1"), wrong, register("6A/2026-11-02/1")))
    one = await until(here, SCHOOL_A, CONNECTED)
    assert (one.source, list(one.reasons), one.must_connect) == ("vnedu", [], True)
    rows = one.recent_rows
    assert (rows.taken_count, rows.rejected_count, one.open_row_count) == (2, 1, 1)
    answer = await (await stub_of(here)).GetSchoolCoverage(coverage_pb2.GetSchoolCoverageRequest(school=SCHOOL_A))
    held = {each.collection: each for each in answer.collections}
    assert held["pupils"].status == coverage_pb2.COLLECTION_STATUS_ARRIVED
    assert (held["pupils"].row_count, held["pupils"].name, held["pupils"].school_year) == (1, "Học sinh", 2026)
    assert held["attendance"].last_day == "2026-11-02"
    assert held["staff"].status == coverage_pb2.COLLECTION_STATUS_AWAITED
    assert held["staff"].due_day == "2026-11-16"  # Two weeks from its first data.
    assert (answer.rules.silent_hours, answer.rules.part, answer.rules.school_year) == (72, "changes", 2026)
    windows = {one.part: one for one in answer.rules.windows}
    assert [one.part for one in answer.rules.windows if one.open] == ["start", "changes"]
    assert windows["start"].until_day == "2026-11-16", "the school has joined late and may still send"
    assert (windows["changes"].name, windows["changes"].last_day) == ("Phát sinh trong năm", "2027-05-15")
    assert list(windows["changes"].collections) == ["attendance"]
    assert windows["start"].last_day == "2026-10-15"


async def test_time_alone_makes_a_school_late_then_silent(here: World) -> None:
    """By school days; what is sent then is good again."""
    await (await here.sync()).PushRows(push("1", pupil("HS1")))
    await until(here, SCHOOL_A, CONNECTED)
    here.clock.advance(timedelta(hours=24))
    late = await until(here, SCHOOL_A, LATE)
    assert late.reasons[0].reason == "NOTHING_TAKEN"
    here.clock.advance(timedelta(hours=48))
    silent = await until(here, SCHOOL_A, SILENT)
    assert silent.since_time.ToDatetime(UTC) == datetime(2026, 11, 5, 1, tzinfo=UTC)
    await (await here.sync()).PushRows(push("2", pupil("HS1")))  # Unchanged rows are a sign of life.
    await until(here, SCHOOL_A, CONNECTED)


async def test_a_school_whose_batches_are_refused_is_failing_not_silent(here: World) -> None:
    """It tries; the reason says that nothing gets through."""
    await (await here.sync()).PushRows(push("1", pupil("HS1", sex="7")))
    failing = await until(here, SCHOOL_A, FAILING)
    assert [one.reason for one in failing.reasons] == ["ONLY_REFUSED"]
    assert "1 lô trong 7 ngày" in failing.reasons[0].message


async def test_history_arrives_but_connects_nobody(here: World) -> None:
    """A backfill sets what arrived; the school is still waited for."""
    await (await here.sync()).PushRows(push("1", pupil("HS1"), backfill=True))
    stub = await stub_of(here)

    async def arrived() -> bool:
        answer = await stub.GetSchoolCoverage(coverage_pb2.GetSchoolCoverageRequest(school=SCHOOL_A))
        return any(one.collection == "pupils" and one.row_count == 1 for one in answer.collections)

    await poll_until(arrived)
    one = await until(here, SCHOOL_A, SILENT)
    assert (one.recent_rows.taken_count, one.reasons[0].reason) == (0, "NEVER_SENT")


async def test_what_follows_from_a_declaration_is_nothing_the_school_has_sent(here: World) -> None:
    """Neither deletions that went through or were kept aside, nor a lock lifted or a confirmation long after: it stays
    silent.
    """

    async def stored() -> bool:
        return await here.count("quarantined_row WHERE reason = 'LOCKED'") == 0

    stub = await here.sync()
    await stub.PushRows(push("1", *(pupil(f"HS{one}") for one in range(9))))
    await here.lock("pupils")
    everybody_but_one = push("2", *(pupil(f"HS{one}") for one in range(8)), full_of=full(5))
    assert (await stub.PushRows(everybody_but_one)).outcome.full.locked_count == 1
    assert (await stub.PushRows(push("3", pupil("HS0"), full_of=full(6)))).outcome.full.state == ASKED
    async with here.sync_database.connection() as reads:
        counts = await reads.exec_driver_sql("SELECT taken_count, held_count, batch_count FROM coverage_day")
        assert [tuple(row) for row in counts] == [(18, 0, 3)]
    here.clock.advance(timedelta(hours=96))
    await here.lift("pupils")
    await poll_until(stored)
    await until(here, SCHOOL_A, SILENT)
    request = quarantine_pb2.ConfirmDisappearanceRequest(unit=SCHOOL_A, declaration_id="3", source="vnedu")
    assert (await (await ward(here)).ConfirmDisappearance(request)).full.state == DONE
    await until(here, SCHOOL_A, SILENT)
    async with here.sync_database.connection() as reads:
        assert await reads.scalar(sa.text("SELECT max(last_accept_time) FROM connection")) < here.clock.now()


async def test_the_list_is_filtered_sorted_and_paged(here: World) -> None:
    """Those that need somebody first; schools that need not connect only when asked for."""
    sync = await here.sync()
    await sync.PushRows(push("1", pupil("HS1")))
    await sync.PushRows(push("2", pupil("HS1", sex="7", school=SCHOOL_B), unit=SCHOOL_B))
    for school, state in ((SCHOOL_A, CONNECTED), (SCHOOL_B, FAILING), (SCHOOL_C, SILENT)):
        await until(here, school, state)
    stub = await stub_of(here)

    async def names(**fields: Any) -> list[str]:
        return [one.school_name for one in (await stub.ListCoverage(listing(**fields))).schools]

    worst_first = [NAMES[SCHOOL_C], NAMES[SCHOOL_B], NAMES[SCHOOL_A]]
    assert await names() == worst_first
    assert (await names(order=coverage_pb2.COVERAGE_ORDER_REJECTED_SHARE))[0] == NAMES[SCHOOL_B]
    assert (await names(order=coverage_pb2.COVERAGE_ORDER_LAST_ACCEPT_TIME))[-1] == NAMES[SCHOOL_A]
    assert await names(states=[FAILING, CONNECTED]) == worst_first[1:]
    assert await names(sources=["vnedu"], states=[CONNECTED]) == [NAMES[SCHOOL_A]]
    assert await names(unit=OTHER_COMMUNE) == [NAMES[SCHOOL_C]]
    assert "Nhóm trẻ Ong Vàng" in await names(include_optional=True)
    groups = [coverage_pb2.SCHOOL_KIND_CHILDCARE_GROUP]
    assert await names(include_optional=True, kinds=groups) == ["Nhóm trẻ Ong Vàng"]
    assert await names(levels=["02"]) == []
    paged: list[str] = []
    token = ""
    while True:
        page = await stub.ListCoverage(listing(page_size=1, page_token=token))
        paged += [one.school_name for one in page.schools]
        if not (token := page.next_page_token):
            break
    assert paged == worst_first


async def test_sums_are_those_of_reporting_and_parts_add_up(here: World) -> None:
    """Who has to connect and ever has, by commune, kind, level and source."""
    await (await here.sync()).PushRows(push("1", pupil("HS1")))
    await until(here, SCHOOL_A, CONNECTED)
    await until(here, SCHOOL_C, SILENT)
    stub = await stub_of(here)
    request = coverage_pb2.SummarizeCoverageRequest(unit=PROVINCE)
    total = (await stub.SummarizeCoverage(request)).total
    assert (total.school_count, total.must_connect_count, total.ever_connected_count) == (3, 3, 1)
    assert (total.connected_count, total.silent_count, total.late_count + total.failing_count) == (1, 2, 0)
    seen: dict[int, dict[str, int]] = {}
    for breakdown in coverage_pb2.CoverageBreakdown.values():
        request.breakdown = breakdown
        answer = await stub.SummarizeCoverage(request)
        seen[breakdown] = {part.name: part.sums.school_count for part in answer.parts}
        if breakdown:
            assert sum(part.sums.silent_count for part in answer.parts) == total.silent_count
    assert seen[coverage_pb2.COVERAGE_BREAKDOWN_COMMUNE] == {"Phường Tam Kỳ": 2, "Xã Núi Thành": 1}
    assert seen[coverage_pb2.COVERAGE_BREAKDOWN_SOURCE] == {"vnedu": 1, "Chưa có phần mềm nào gửi": 2}
    assert seen[coverage_pb2.COVERAGE_BREAKDOWN_KIND] == {"Trường phổ thông, GDTX": 3}


async def test_who_may_see_which_schools(here: World) -> None:
    """The subtree of the unit asked for, which must lie within the caller's grant; a unit is no school."""
    stub = await stub_of(here, OFFICER)
    assert len((await stub.ListCoverage(listing(OTHER_COMMUNE))).schools) == 1
    with pytest.raises(Fault) as refused:
        await stub.ListCoverage(listing(COMMUNE))
    assert refused.value.reason == "NO_GRANT"
    with pytest.raises(Fault) as unknown:
        await stub.GetSchoolCoverage(coverage_pb2.GetSchoolCoverageRequest(school=OTHER_COMMUNE))
    assert (unknown.value.reason, unknown.value.violations[0].field) == ("INVALID_FIELD", "school")


async def test_the_list_leaves_as_csv_and_as_a_workbook(here: World) -> None:
    """A school a line with reasons in words; the workbook has the sums as well."""
    await until(here, SCHOOL_A, SILENT)
    await until(here, SCHOOL_B, SILENT)
    await until(here, SCHOOL_C, SILENT)
    stub = await stub_of(here, language="en")
    answer = await stub.ExportCoverage(coverage_pb2.ExportCoverageRequest(unit=PROVINCE, format="csv"))
    lines = list(csv.DictReader(io.StringIO(answer.content.data.decode("utf-8-sig"))))
    assert {line["school_name"] for line in lines} == set(NAMES.values())
    assert {(line["state"], line["reasons"]) for line in lines} == {("Silent", "NEVER_SENT")}
    assert "was ever taken" in lines[0]["why"]
    answer = await stub.ExportCoverage(coverage_pb2.ExportCoverageRequest(unit=COMMUNE))
    assert answer.file_name.startswith("ket-noi-2026-11-02-")
    book = openpyxl.load_workbook(io.BytesIO(answer.content.data))
    sums, schools = book.worksheets
    assert [sums.cell(4, 1).value, sums.cell(4, 2).value] == ["Schools that have to be connected", 2]
    assert {row[1] for row in schools.iter_rows(min_row=2, values_only=True)} == {NAMES[SCHOOL_A], NAMES[SCHOOL_B]}


async def test_a_stream_tells_all_then_what_changes_and_resumes(here: World) -> None:
    """Nothing is told twice to who resumes after the last position."""
    for school in (SCHOOL_A, SCHOOL_B, SCHOOL_C, GROUP):
        await until(here, school, SILENT)
    stub = await stub_of(here)
    stream = aiter(stub.WatchCoverage(coverage_pb2.WatchCoverageRequest(unit=PROVINCE)))
    assert (await anext(stream)).HasField("heartbeat")
    first = (await _item(stream)).item
    assert {one.state for one in first.schools} == {SILENT}
    await (await here.sync()).PushRows(push("1", pupil("HS1")))
    second = (await _item(stream)).item
    assert [(one.school_name, one.state) for one in second.schools] == [(NAMES[SCHOOL_A], CONNECTED)]
    resumed = coverage_pb2.WatchCoverageRequest(unit=PROVINCE, position=first.position)
    again = aiter(stub.WatchCoverage(resumed))
    told = (await _item(again)).item
    assert [one.school_name for one in told.schools] == [NAMES[SCHOOL_A]]
    assert told.position == second.position


async def _item(stream: AsyncIterator[coverage_pb2.WatchCoverageResponse]) -> coverage_pb2.WatchCoverageResponse:
    while True:
        message = await asyncio.wait_for(anext(stream), timeout=60)
        if message.HasField("item"):
            return message


async def events_of(bus: Bus) -> list[coverage_pb2.CoverageChanged]:
    """The events published so far, by reading the stream anew."""
    subscription = await bus.jetstream.subscribe("iocedu.sync.v1.coverage-changed", ordered_consumer=True)
    found: list[coverage_pb2.CoverageChanged] = []
    try:
        while True:
            try:
                message = await subscription.next_msg(timeout=0.3)
            except TimeoutError:
                return found
            found.append(coverage_pb2.CoverageChanged.FromString(message.data))
    finally:
        await subscription.unsubscribe()


async def test_who_listens_is_told_of_changes_and_the_first_look_is_a_baseline(here: World, bus: Bus) -> None:
    """A first start tells all schools as what they are, which is no news; then each change once."""
    await until(here, SCHOOL_A, SILENT)
    await (await here.sync()).PushRows(push("1", pupil("HS1")))
    await until(here, SCHOOL_A, CONNECTED)

    async def told() -> list[tuple[int, bool]]:
        events = await events_of(bus)
        found = [
            (int(one.state), event.baseline)
            for event in events
            for one in event.schools
            if one.school_name == NAMES[SCHOOL_A]
        ]
        return found if len(found) > 1 else []

    assert await poll_until(told) == [(SILENT, True), (CONNECTED, False)]


async def test_that_a_school_need_not_connect_any_more_is_told(here: World, bus: Bus) -> None:
    """Though its state stays: who waits for it stops."""
    await until(here, SCHOOL_A, SILENT)
    async with here.sync_database.transaction() as writes:
        school_id = (await state_of(here, SCHOOL_A)).school_id
        await connections.expect(writes, {school_id: False}, now=here.clock.now())
        await coverage.expect(writes, [school_id], now=here.clock.now())

    async def told() -> bool:
        schools = [one for event in await events_of(bus) for one in event.schools]
        return [one.must_connect for one in schools if one.school_name == NAMES[SCHOOL_A]] == [True, False]

    await poll_until(told)


# On a database alone.

NOW = datetime(2026, 11, 3, 3, tzinfo=UTC)
SCHOOLS = range(101, 121)


class _Here:
    """A tree that changes when it is told to."""

    def __init__(self) -> None:
        units = [ScopeUnit(1, kind="province", name="Tỉnh")]
        units += [
            ScopeUnit(one, kind="school", name=f"Trường {one}", labels=("must_connect",), edges=(ScopeEdge(1),))
            for one in SCHOOLS
        ]
        self.units = units
        self.tell(ScopeCalendar(0, 2026, ((date(2026, 9, 5), date(2027, 5, 31)),)))

    def tell(self, *calendars: ScopeCalendar) -> None:
        """Have these calendars."""
        self.tree = ScopeTree(self.units, calendars=calendars)


@pytest.fixture
async def judge(database_factory: DatabaseFactory) -> Coverage:
    """What judging needs, over a database of its own."""
    clock = FixedClock(NOW.isoformat())
    scopes: Any = _Here()
    return Coverage(await database_factory("sync"), scopes, clock, load_coverage(), load_weekdays())


def delivery(school_id: int, now: datetime, *, taken: int, rejected: int, day: str) -> Delivery:
    """A batch."""
    counts = DayCounts(taken, rejected, 0, 1, int(not taken))
    arrivals = {("attendance", 2026): Arrival(now, now, f"nguon-{day[-1]}", taken, day)} if taken else {}
    return Delivery(school_id, counts, arrivals, refused=not taken)


async def arrive(database: Database, batches: Sequence[tuple[Delivery, datetime]]) -> None:
    """Write batches down, each in a transaction of its own."""
    for one, now in batches:
        sent = Sent(
            one.school_id,
            must_connect=True,
            source="vnedu",
            accepted=one.counts.taken,
            rejected=one.counts.rejected,
            live=one.counts.taken > 0,
        )
        async with database.transaction() as writes:
            await connections.note_sent(writes, [sent], now=now)
            await coverage.note(writes, [one], now=now)


async def kept(judge: Coverage) -> dict[int, tuple[Any, ...]]:
    """The states as they are kept."""
    wanted = coverage.Wanted(list(SCHOOLS), optional=True)
    async with judge.database.connection() as reads:
        found = await coverage.listed(reads, wanted, most=1000, whole=True)
    return {
        one.school_id: (one.state, one.since_time, one.reasons, one.expected_count, one.taken_count, one.open_row_count)
        for one, _ in found
    }


async def computed(judge: Coverage) -> dict[int, tuple[Any, ...]]:
    """The states as they follow from all that is written down, taken together anew."""
    rules, now = judge.today(), judge.clock.now()
    wanted = coverage.Wanted(list(SCHOOLS), optional=True)
    async with judge.database.connection() as reads:
        known = [one for one, _ in await coverage.listed(reads, wanted, most=1000, whole=True)]
        facts = await facts_of(judge, reads, known, rules)
    days = school_days(judge, rules.day)
    found = {}
    for one in facts:
        made = assess(one, rules, days(one.school_id), now)
        reasons = tuple(made.reasons)
        found[one.school_id] = (made.state, made.since, reasons, made.expected_count, made.recent.taken, one.open_rows)
    return found


async def test_what_is_kept_as_batches_come_is_what_a_recount_gives(judge: Coverage) -> None:
    """Batches, looks of two replicas at once, time in between: in the end both are equal, and nobody was missed."""
    chance = random.Random(7)
    for round_ in range(6):
        now = judge.clock.now()
        batches = [
            (
                delivery(
                    chance.choice(SCHOOLS),
                    now,
                    taken=chance.choice((0, 5, 40)),
                    rejected=chance.choice((0, 0, 1, 30)),
                    day=f"2026-11-0{1 + round_}",
                ),
                now,
            )
            for _ in range(12)
        ]
        half = len(batches) // 2
        await asyncio.gather(
            arrive(judge.database, batches[:half]), arrive(judge.database, batches[half:]), look(judge), look(judge)
        )
        assert isinstance(judge.clock, FixedClock)
        judge.clock.advance(timedelta(hours=chance.choice((1, 9, 30))))
    while sum(await asyncio.gather(look(judge), look(judge))):
        pass
    states = await kept(judge)
    assert states == await computed(judge)
    assert {state for state, *_ in states.values()} >= {LATE, FAILING}


async def test_the_order_in_which_batches_are_written_down_does_not_matter(
    judge: Coverage, database_factory: DatabaseFactory
) -> None:
    """The same batches backwards in another database give the same states."""
    batches = []
    for number in range(16):
        now, day = NOW + timedelta(hours=number), f"2026-11-0{1 + number % 7}"
        batches.append((delivery(101 + number % 4, now, taken=number % 3, rejected=9, day=day), now))
    assert isinstance(judge.clock, FixedClock)
    other = Coverage(await database_factory("sync"), judge.scopes, judge.clock, judge.rules, judge.weekdays)
    judge.clock.advance(timedelta(hours=20))
    await arrive(judge.database, batches)
    await arrive(other.database, batches[::-1])
    found = []
    for one in (judge, other):
        await look(one)
        found.append({school: values[:1] + values[3:] for school, values in (await kept(one)).items()})
    assert found[0] == found[1]
    assert len(found[0]) == 4


async def test_two_replicas_tell_a_change_once(judge: Coverage) -> None:
    """Each school is looked at by one of them; positions are all different and have no gap."""
    await arrive(judge.database, [(delivery(one, NOW, taken=3, rejected=0, day="2026-11-02"), NOW) for one in SCHOOLS])
    looked = await asyncio.gather(*(look(judge) for _ in range(4)))
    while more := await look(judge):
        looked.append(more)
    assert sum(looked) == len(SCHOOLS)
    async with judge.database.connection() as reads:
        positions = (await reads.exec_driver_sql("SELECT position FROM coverage ORDER BY 1")).scalars().all()
        events = (await reads.exec_driver_sql("SELECT sum(count) FROM outbox")).scalar_one()
    assert positions == list(range(1, len(SCHOOLS) + 1))
    assert events == len(SCHOOLS)


async def test_a_look_that_finds_the_same_tells_nobody(judge: Coverage) -> None:
    """As after a restart, when all schools are looked at."""
    await arrive(judge.database, [(delivery(101, NOW, taken=3, rejected=0, day="2026-11-02"), NOW)])
    await look(judge)
    await look_anew(judge)
    assert await look(judge) == 1
    async with judge.database.connection() as reads:
        assert (await reads.exec_driver_sql("SELECT count(*) FROM outbox")).scalar_one() == 1


async def test_calendars_that_are_told_are_heeded_at_once(judge: Coverage) -> None:
    """A school that is late is not, once its province says that these days were off."""
    assert isinstance(judge.clock, FixedClock)
    await arrive(judge.database, [(delivery(101, NOW, taken=3, rejected=0, day="2026-11-02"), NOW)])
    judge.clock.advance(timedelta(hours=30))
    await look(judge)
    assert (await kept(judge))[101][0] == LATE
    stop = asyncio.Event()
    keeping = asyncio.ensure_future(coverage_keeper(judge, every_seconds=0.01).run(stop))
    terms, storm = ((date(2026, 9, 5), date(2027, 5, 31)),), ((date(2026, 11, 3), date(2026, 11, 6)),)
    judge.scopes.tell(ScopeCalendar(1, 2026, terms, storm))  # type: ignore[attr-defined]  # what stands in for them

    async def connected() -> bool:
        return bool((await kept(judge))[101][0] == CONNECTED)

    await poll_until(connected)
    stop.set()
    await keeping


def test_every_collection_of_rows_has_its_name() -> None:
    """As the interface names them."""
    from services.sync.domain.collections import COLLECTIONS  # noqa: PLC0415  beside its only use

    records = resources_pb2.Row.DESCRIPTOR.oneofs_by_name["record"].fields
    assert {field.name for field in records} == set(COLLECTIONS)
