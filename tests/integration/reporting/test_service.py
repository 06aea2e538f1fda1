"""Figures as callers see them: from an event on the broker to a number, its rule and its completeness."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest
from iocedu.records.v1 import records_pb2
from iocedu.reporting.v1 import reporting_pb2, reporting_pb2_grpc

from chassis.bus import Bus
from chassis.database import Database
from chassis.errors import Fault, Kind
from chassis.testing import FixedClock, client
from deploy.local.issuer import Issuer
from services.reporting.store.catalogue import load_catalogue
from services.reporting.usecases import querying
from tests.integration.reporting import scenes
from tests.integration.reporting.scenes import (
    NEW_COMMUNE,
    OLD_EAST,
    OLD_WEST,
    PRIMARY,
    PROVINCE,
    SECONDARY,
    Records,
    a_class,
    pupil,
    pupils,
    teacher,
)
from tests.support.databases import DatabaseFactory
from tests.support.waiting import poll_until

Stub = reporting_pb2_grpc.ReportingServiceStub
Figures = dict[tuple[object, ...], reporting_pb2.Figure]


@pytest.fixture
async def database(database_factory: DatabaseFactory) -> Database:
    """A fresh database of reporting."""
    return await database_factory("reporting")


@pytest.fixture
async def address(database: Database, bus: Bus, keys: Issuer, scopes_tree) -> AsyncIterator[str]:
    """A running reporting."""
    await scopes_tree(scenes.units(), scenes.grants())
    async with scenes.replica(database, bus, keys, clock=FixedClock(scenes.NOW)) as listening:
        yield listening


@pytest.fixture
async def stub(address: str, token: Callable[..., str]) -> AsyncIterator[Stub]:
    """The officer's view of the province."""
    async with client(address, token("officer")) as channel:
        yield Stub(channel)


@pytest.fixture
def records(bus: Bus) -> Records:
    """What records publishes."""
    return Records(bus)


async def _ask(stub: Any, **fields) -> Figures:
    response = await stub.QueryIndicators(reporting_pb2.QueryIndicatorsRequest(**({"unit": "gso:49"} | fields)))
    return {(one.indicator, one.unit_id, *one.dimension_values): one for one in response.figures}


async def _values(stub: Any, **fields) -> dict[tuple[object, ...], float | None]:
    found = await _ask(stub, **fields)
    return {key: one.value if one.HasField("value") else None for key, one in found.items()}


async def _settled(stub: Any, count: int, **fields) -> None:
    async def counted() -> bool:
        return (await _values(stub, indicators=["pupils"], **fields)).get(("pupils", PROVINCE)) == count

    await poll_until(counted)


async def _fill(records: Records, bus: Bus, stub: Stub) -> None:
    """36 pupils in the one class of the primary school, 12 of them girls; 5 pupils in 2 classes of the secondary."""
    await scenes.publish(bus, "sync", "connections-changed", scenes.connected(PRIMARY, SECONDARY))
    await records.publish(
        a_class("3A"),
        *pupils(24),
        *pupils(12, sex="2"),
        *pupils(2, status="05"),
        teacher("GV1"),
        teacher("GV2", status="06"),
        a_class("6A", school=SECONDARY, level="03", grade="06"),
        a_class("6B", school=SECONDARY, level="03", grade="06"),
        *pupils(5, school=SECONDARY, level="03", grade="06", class_key="6A"),
    )
    await _settled(stub, 41)


async def test_the_first_indicators_are_what_they_are_by_hand(stub, records, bus):
    """Of 3 classes one has 36 pupils and may have 35; 2 of 3 schools are connected."""
    await _fill(records, bus, stub)

    async def connected() -> bool:
        return (await _values(stub))["schools_connected", PROVINCE] == 2

    await poll_until(connected)
    first = [
        "pupils",
        "classes",
        "staff",
        "girls_share",
        "sex_known_share",
        "class_size_mean",
        "placed_share",
        "classes_oversize",
        "classes_oversize_share",
        "schools",
        "schools_connected",
        "schools_connected_share",
    ]
    values = {key[0]: value for key, value in (await _values(stub, indicators=first)).items()}
    assert values == {
        "pupils": 41,
        "classes": 3,
        "staff": 1,
        "girls_share": pytest.approx(12 / 41 * 100),
        "sex_known_share": 100,
        "class_size_mean": pytest.approx(41 / 3),
        "placed_share": 100,
        "classes_oversize": 1,
        "classes_oversize_share": pytest.approx(100 / 3),
        "schools": 3,
        "schools_connected": 2,
        "schools_connected_share": pytest.approx(200 / 3),
    }


async def test_pupils_of_unknown_sex_are_in_neither_term_of_the_girls_share(stub, records, bus):
    """12 girls of the 41 whose sex is known; the 9 others show in how complete that is."""
    await _fill(records, bus, stub)
    await records.publish(*pupils(8, sex="0"), *pupils(1, sex=""))
    await _settled(stub, 50)
    figures = await _ask(stub, indicators=["girls_share", "sex_known_share"])
    terms = {key[0]: (one.numerator, one.denominator) for key, one in figures.items()}
    assert terms == {"girls_share": (12, 41), "sex_known_share": (41, 50)}


async def test_pupils_without_a_reported_class_are_in_no_class_size(stub, records, bus):
    """Of 50 pupils 41 are in the 3 classes; 5 have no class and 4 one that the school never reported, then does."""
    await _fill(records, bus, stub)
    await records.publish(*pupils(5, class_key=""), *pupils(4, class_key="9Z"))
    await _settled(stub, 50)
    figures = await _ask(stub, indicators=["class_size_mean", "placed_share"])
    assert {(one.numerator, one.denominator) for one in figures.values()} == {(41, 3), (41, 50)}
    assert figures["class_size_mean", PROVINCE].value == pytest.approx(41 / 3)
    await records.publish(a_class("9Z", grade="04"))

    async def placed() -> bool:
        return (await _values(stub, indicators=["class_size_mean"]))["class_size_mean", PROVINCE] == 45 / 4

    await poll_until(placed)
    by_grade = await _values(stub, indicators=["class_size_mean"], dimensions=["grade"])
    assert by_grade["class_size_mean", PROVINCE, "04"] == 4, "the four count in the grade of their class"


async def test_a_class_is_as_large_as_sit_in_it_while_a_person_counts_once(stub, records, bus):
    """Five learn here beside another school: they are of the class's size, not of pupils, nor of those placed."""
    await _fill(records, bus, stub)
    await records.publish(*pupils(5, school=SECONDARY, level="03", grade="06", class_key="6A", beside=True))

    async def seated() -> bool:
        return (await _values(stub, indicators=["class_size_mean"]))["class_size_mean", PROVINCE] == 46 / 3

    await poll_until(seated)
    values = await _values(stub, indicators=["pupils", "placed_share"])
    assert (values["pupils", PROVINCE], values["placed_share", PROVINCE]) == (41, 100)


async def test_a_ratio_comes_with_its_terms_and_completeness(stub, records, bus):
    """41 over 3; two of the three schools that have to send have sent something for the year."""
    await _fill(records, bus, stub)
    [mean] = (await _ask(stub, indicators=["class_size_mean"])).values()
    assert (mean.numerator, mean.denominator) == (41, 3)
    assert (mean.reporting_school_count, mean.expected_school_count) == (2, 3)
    assert mean.unit_name == "Quảng Nam"


async def test_an_answer_says_by_which_hierarchy_year_and_state_of_data_it_is(stub, records):
    """The current school year and today's units unless asked otherwise; the time is that of the newest change."""
    await records.publish(pupil("a"))
    await _settled(stub, 1)
    response = await stub.QueryIndicators(reporting_pb2.QueryIndicatorsRequest(unit="gso:49"))
    assert (response.hierarchy_as_of, response.school_year) == ("2026-11-02", 2026)
    assert response.data_time.ToDatetime(tzinfo=scenes.NOW.tzinfo) == scenes.NOW


async def test_missing_data_is_not_zero(stub, records):
    """A school that never sent anything has no number of pupils; one that sent none has zero."""
    await records.publish(a_class("3A"))

    async def reported() -> bool:
        return (await _values(stub, indicators=["pupils"], breakdown="school"))["pupils", PRIMARY] == 0

    await poll_until(reported)
    values = await _values(stub, indicators=["pupils", "schools_connected"], breakdown="school")
    assert values["pupils", SECONDARY] is None
    assert values["schools_connected", SECONDARY] == 0


async def test_the_parts_add_up_to_the_whole_by_the_old_and_by_the_new_hierarchy(stub, records, bus):
    """After the reform the same schools stand in one commune; no pupil is lost or counted twice."""
    await _fill(records, bus, stub)
    new = await _values(stub, indicators=["pupils"], breakdown="commune")
    old = await _values(stub, indicators=["pupils"], breakdown="commune", hierarchy_as_of="2025-06-30")
    assert new == {("pupils", NEW_COMMUNE): 41}
    assert old == {("pupils", OLD_EAST): 36, ("pupils", OLD_WEST): 5}
    by_school = await _values(stub, indicators=["pupils"], breakdown="school")
    assert sum(value or 0 for value in by_school.values()) == 41


async def test_dimensions_come_in_the_order_asked_for_and_add_up(stub, records, bus):
    """Level and sex of the province's 41 pupils."""
    await _fill(records, bus, stub)
    values = await _values(stub, indicators=["pupils"], dimensions=["sex", "level"])
    assert values == {
        ("pupils", PROVINCE, "1", "02"): 24,
        ("pupils", PROVINCE, "2", "02"): 12,
        ("pupils", PROVINCE, "1", "03"): 5,
    }


async def test_asking_by_a_dimension_gives_the_indicators_that_have_it(stub, records, bus):
    """Without codes a question takes what can be broken down as asked."""
    await _fill(records, bus, stub)
    assert {key[0] for key in await _ask(stub, dimensions=["ethnic_group"])} == {"pupils", "staff"}


async def test_small_groups_are_withheld_without_a_word_on_which(stub, records):
    """3 pupils of group 26 are not told, nor the 2 of group 14, nor that nobody is of another."""
    await records.publish(*pupils(30), *pupils(7, group="05"), *pupils(2, group="14"), *pupils(3, group="26"))
    await _settled(stub, 42)
    figures = await _ask(stub, indicators=["pupils"], dimensions=["ethnic_group"])
    assert {key[2]: one.value for key, one in figures.items() if one.HasField("value")} == {"01": 30, "05": 7}
    assert {key[2] for key, one in figures.items() if one.suppressed} == {"*"}


async def test_what_is_withheld_of_a_school_does_not_follow_from_its_commune(stub, records):
    """Of either school's 3 and 20 of group 26 nothing is told, nor does the sum tell it; a change is decided anew."""
    await records.publish(
        *pupils(30), *pupils(3, group="26"), *pupils(30, school=SECONDARY), *pupils(20, school=SECONDARY, group="26")
    )
    await _settled(stub, 83)
    asked = {"indicators": ["pupils"], "dimensions": ["ethnic_group"], "breakdown": "school"}
    assert ("pupils", PRIMARY, "26") not in await _ask(stub, **asked)
    whole = await _ask(stub, indicators=["pupils"], dimensions=["ethnic_group"])
    parts = await _ask(stub, **asked)
    assert ("pupils", PROVINCE, "26") not in whole or ("pupils", SECONDARY, "26") not in parts
    await records.publish(*pupils(2, group="26"))

    async def decided_anew() -> bool:
        found = (await _ask(stub, **asked)).get(("pupils", PRIMARY, "26"))
        return found is not None and found.value == 5

    await poll_until(decided_anew)


@pytest.mark.parametrize(
    ("asked", "reason", "named"),
    [
        ({"indicators": ["pupil"]}, "UNKNOWN_INDICATOR", {"indicator": "pupil"}),
        ({"dimensions": ["age"]}, "UNKNOWN_DIMENSION", {"known": "level,grade,sex,stage,subject,outcome,ethnic_group"}),
        ({"indicators": ["classes"], "dimensions": ["sex"]}, "UNKNOWN_DIMENSION", {"known": "level,grade"}),
        ({"indicators": ["pupils"], "dimensions": ["sex", "sex"]}, "UNKNOWN_DIMENSION", {"dimension": "sex"}),
        ({"breakdown": "district"}, "UNKNOWN_BREAKDOWN", {"known": "commune,school"}),
        ({"hierarchy_as_of": "2025-02-30"}, "INVALID_DATE", {}),
        ({"dimensions": ["ethnic_group", "grade"]}, "SENSITIVE_COMBINATION", {"crossed": "level,sex"}),
    ],
)
async def test_a_question_that_cannot_be_answered_says_what_would_be_valid(stub, asked, reason, named):
    """Refused with a stable reason and the known values, before any work."""
    with pytest.raises(Fault) as caught:
        await _ask(stub, **asked)
    assert (caught.value.kind, caught.value.reason) == (Kind.INVALID, reason)
    assert named.items() <= dict(caught.value.metadata).items()


async def test_a_question_of_too_many_cells_is_refused_with_the_limit(stub, records, monkeypatch):
    """An explosive question ends before it is answered."""
    monkeypatch.setattr(querying, "MOST_CELLS", 1)
    await records.publish(*pupils(1), *pupils(1, sex="2"))
    await _settled(stub, 2)
    with pytest.raises(Fault) as caught:
        await _ask(stub, indicators=["pupils"], dimensions=["sex"])
    assert (caught.value.reason, caught.value.metadata["limit"]) == ("TOO_MANY_CELLS", "1")


async def test_a_head_teacher_asks_for_the_own_school_only(address, token, records):
    """The unit scopes what may be asked."""
    async with client(address, token("head")) as channel:
        stub = Stub(channel)
        assert ("schools", PRIMARY) in await _ask(stub, unit=f"moet:{PRIMARY}")
        with pytest.raises(Fault) as caught:
            await _ask(stub, unit="gso:49")
    assert (caught.value.kind, caught.value.reason) == (Kind.DENIED, "NO_GRANT")


async def test_the_catalogue_is_listed_page_by_page(stub):
    """Every indicator once, each with its rule."""
    codes, page = [], ""
    while True:
        request = reporting_pb2.ListIndicatorsRequest(page_size=4, page_token=page)
        response = await stub.ListIndicators(request)
        codes += [indicator.code for indicator in response.indicators]
        assert all(indicator.counting_rule_vi for indicator in response.indicators)
        page = response.next_page_token
        if not page:
            break
    assert len(codes) == len(set(codes)) >= 8
    assert codes[:3] == ["pupils", "girls_share", "sex_known_share"]


async def test_two_replicas_answer_the_same_and_lose_nothing(database, bus, keys, address, stub, records, token):
    """Events are shared out between them; what one wrote the other shows at once."""
    async with (
        scenes.replica(database, bus, keys, clock=FixedClock(scenes.NOW)) as second,
        client(second, token("officer")) as channel,
    ):
        other = Stub(channel)
        for number in range(30):
            await records.publish(pupil(f"p{number % 7}", grade=f"{number % 5 + 1:02}"), pupil(f"q{number}"))
        await _settled(stub, 37)
        assert await _values(other, dimensions=["grade"]) == await _values(stub, dimensions=["grade"])
    assert await scenes.verified(database)


async def test_an_event_without_its_position_is_a_dead_letter(database, bus, stub):
    """It cannot be placed among the others; nothing waits for it."""
    await scenes.publish(bus, "records", "records-changed", records_pb2.RecordsChanged(changes=[pupil("a")]))

    async def kept() -> str | None:
        async with database.connection() as connection:
            reason = await connection.exec_driver_sql("SELECT reason FROM dead_letter")
            return cast("str | None", reason.scalar_one_or_none())

    assert await poll_until(kept) == "NO_POSITION"


async def test_changed_figures_are_announced_with_their_limit_and_as_history_where_it_is(bus, stub, records):
    """Alerts hears of each class whose size changed; a backfill says so; what did not change is not announced."""
    await bus.ensure_stream("reporting")
    async with bus.pull(source="reporting", event="figures-changed", durable="tests", batch=1) as pull:

        async def announced() -> reporting_pb2.FiguresChanged:
            while True:
                for message in await pull.take():
                    await message.ack()
                    return reporting_pb2.FiguresChanged.FromString(message.data)

        await records.publish(a_class("3A"), *pupils(36), backfill=True)
        history = await announced()
        assert history.backfill
        [group] = history.classes
        assert (group.size, group.size_limit, group.limit_source, group.active) == (36, 35, "TT 15/2026/TT-BGDĐT", True)
        [school] = history.schools
        assert (school.pupil_count, school.class_count, school.staff_count) == (36, 1, 0)
        await records.publish(a_class("3A"))
        await records.publish(pupil("new"))
        news = await announced()
        assert not news.backfill
        assert [(one.class_key, one.size) for one in news.classes] == [("3A", 37)]
        assert news.classes[0].version > group.version


async def _next(stream) -> reporting_pb2.WatchIndicatorsResponse:
    async with asyncio.timeout(60):
        return await anext(stream)


async def test_a_watcher_gets_all_figures_and_then_those_that_change(stub, records):
    """Only what is new is sent; a number that stayed is not."""
    await records.publish(*pupils(3, class_key=""))
    await _settled(stub, 3)
    stream = stub.WatchIndicators(reporting_pb2.WatchIndicatorsRequest(unit="gso:49"))
    assert (await _next(stream)).WhichOneof("event") == "heartbeat"
    first = (await _next(stream)).item
    assert {figure.indicator: figure.value for figure in first.figures}["pupils"] == 3
    assert len(first.figures) == sum(not one.sensitive for one in load_catalogue().indicators)
    await records.publish(*pupils(2, class_key=""))
    changed = (await _next(stream)).item
    before = {figure.indicator: figure for figure in first.figures}
    assert {figure.indicator: figure.value for figure in changed.figures}["pupils"] == 5
    assert [figure.indicator for figure in changed.figures if figure == before[figure.indicator]] == []
    assert {"classes", "staff", "schools"}.isdisjoint(figure.indicator for figure in changed.figures)
    await stream.aclose()


async def test_who_resumes_gets_everything_that_changed_and_nothing_twice(stub, records):
    """A position stands for the figures that were sent: unchanged, nothing comes; changed, everything does."""
    await records.publish(*pupils(3))
    await _settled(stub, 3)
    request = reporting_pb2.WatchIndicatorsRequest(unit="gso:49", indicators=["pupils"])
    stream = stub.WatchIndicators(request)
    await _next(stream)
    position = (await _next(stream)).item.position
    await stream.aclose()

    request.position = position
    stream = stub.WatchIndicators(request)
    assert (await _next(stream)).heartbeat.position == position
    await records.publish(*pupils(1))
    update = (await _next(stream)).item
    assert [figure.value for figure in update.figures] == [4]
    await stream.aclose()

    await records.publish(*pupils(1))
    await _settled(stub, 5)
    stream = stub.WatchIndicators(request)
    await _next(stream)
    assert [figure.value for figure in (await _next(stream)).item.figures] == [5]
    await stream.aclose()
