"""Figures compared, in time, re-mapped and explained, against numbers worked by hand."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import grpc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from iocedu.chassis.v1 import scopes_pb2
from iocedu.records.v1 import resources_pb2, unit_operations_pb2
from iocedu.reporting.v1 import (
    analysis_pb2,
    analysis_pb2_grpc,
    bases_pb2,
    bases_pb2_grpc,
    reporting_pb2,
    reporting_pb2_grpc,
)
from sqlalchemy import text

from chassis.bus import Bus, Event
from chassis.database import Database
from chassis.errors import Fault
from chassis.scopes import ScopeTree
from chassis.testing import FixedClock, client
from deploy.local.issuer import Issuer
from services.reporting import consumers, convert
from services.reporting.domain.figures import TargetRow
from services.reporting.domain.successions import Succession
from services.reporting.store import outside, projection, successions
from services.reporting.store.catalogue import load_catalogue
from services.reporting.store.mirror import Mirror
from services.reporting.usecases.analysing import Analysed, Analyses, Analysis, PeriodAsked
from services.reporting.usecases.explaining import Explanations
from services.reporting.usecases.places import Divider
from services.reporting.usecases.querying import Question, Questions, check_watchable
from services.reporting.usecases.series import SeriesQuestions
from tests.integration.reporting import scenes
from tests.integration.reporting.scenes import (
    FREE,
    NEW_COMMUNE,
    PRIMARY,
    PROVINCE,
    SECONDARY,
    SILENT,
    a_class,
    pupil,
    pupils,
)
from tests.integration.reporting.test_indicators_by_hand import register
from tests.support.databases import DatabaseFactory

TODAY = date(2026, 11, 2)
NOON = datetime(2026, 11, 2, 5, 0, tzinfo=UTC)
TREE = ScopeTree.from_chunks([scopes_pb2.ScopeChunk(units=scenes.units())])


class Feed:
    """Merges changes as they become known on a day."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._position = 0

    async def take(self, *changes: Any, day: date = TODAY) -> None:
        """Merge changes that were committed at noon of a day."""
        for change in changes:
            self._position += 1
            change.position = self._position
        rows, details = await convert.fact_rows(changes), await convert.detail_rows(changes)
        instant = NOON - (TODAY - day)
        async with self.database.transaction() as connection:
            await projection.merge(connection, rows, details, data_time=instant)

    @property
    def questions(self) -> Questions:
        """Who answers from it."""
        return Questions(load_catalogue(), Mirror(self.database), Divider(), clock=FixedClock(NOON))


@pytest.fixture
async def feed(database_factory: DatabaseFactory) -> Feed:
    """A fresh database of reporting."""
    return Feed(await database_factory("reporting"))


async def analysed(feed: Feed, *codes: str, tree: ScopeTree = TREE, today: date = TODAY, **asked: Any) -> Analysed:
    """An analysis of the province."""
    of_question = {name: asked.pop(name) for name in ("breakdown", "dimensions", "hierarchy_as_of") if name in asked}
    question = Question(unit="1", indicators=codes, **of_question)
    return await Analyses(feed.questions).ask(Analysis(question, **asked), tree=tree, today=today)


def told(answer: Analysed, period: int = 0) -> dict[Any, float | None]:
    """Values by unit."""
    return {one.unit_id: one.value for one in answer.periods[period].figures}


async def test_a_stock_on_a_past_day_is_what_was_known_then_and_is_still_so(feed):
    """Three pupils on 1 October, one leaves and two come on the 20th; before the first day nothing is known."""
    first, second = date(2026, 10, 1), date(2026, 10, 20)
    await feed.take(pupil("a"), pupil("b", sex="2"), pupil("c"), day=first)
    await feed.take(pupil("a", status="05"), pupil("d"), pupil("e", sex="2"), day=second)
    days = [PeriodAsked(as_of=day) for day in ("2026-09-30", "2026-10-01", "2026-10-19", "2026-10-20", "2026-11-02")]
    answer = await analysed(feed, "pupils", "dropout_rate", periods=tuple(days))
    values = [[one.value for one in period.figures] for period in answer.periods]
    assert values == [[None, None], [3, 0], [3, 0], [4, 20], [4, 20]]
    assert [period.known_from for period in answer.periods] == [first, first, first, first, None]


async def test_of_a_year_that_nothing_is_known_of_a_past_day_says_so(feed):
    """Known from today at the earliest, never empty as for the present; no figures add up to nothing."""
    await feed.take(*pupils(3))
    answer = await analysed(
        feed, "pupils", breakdown="school", dimensions=("grade",), periods=(PeriodAsked(as_of="2020-11-25"),)
    )
    (period,) = answer.periods
    assert (period.school_year, period.known_from, list(period.figures)) == (2020, TODAY, [])
    assert [(one.adds_up, one.en) for one in period.sums] == [(False, "There are no figures to add up.")]


STEPS = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from("abc"), st.sampled_from(["01", "05"]), st.sampled_from(["03", "04"])),
    min_size=1,
    max_size=12,
)


@settings(max_examples=25)
@given(steps=STEPS)
async def test_every_past_day_is_as_it_was_counted_on_that_day(feed, steps):
    """Whatever became known later: the answer as of a day equals a count taken at its end; so does every series."""
    async with feed.database.transaction() as connection:
        for table in ("fact", "stock", "school_figure", "class_figure", "tally", "movement"):
            await connection.execute(text(f"TRUNCATE {table}"))
    first = TODAY - timedelta(days=6)
    counted: dict[date, dict[str, str]] = {}
    known: dict[str, tuple[str, str]] = {}
    for offset in range(6):
        day = first + timedelta(days=offset)
        for number, key, status, grade in steps:
            if number == offset:
                await feed.take(pupil(key, status=status, grade=grade), day=day)
                known[key] = (status, grade)
        counted[day] = {key: grade for key, (status, grade) in known.items() if status == "01"}
    begun = first + timedelta(days=min(number for number, *_ in steps))
    days = [day for day in counted if day >= begun]
    answer = await analysed(
        feed, "pupils", dimensions=("grade",), periods=tuple(PeriodAsked(as_of=day.isoformat()) for day in days)
    )
    for day, period in zip(days, answer.periods, strict=True):
        found = {one.dimension_values[0]: one.value for one in period.figures if one.value}
        expected = {grade: list(counted[day].values()).count(grade) for grade in set(counted[day].values())}
        assert found == expected, day
    series = await SeriesQuestions(feed.questions).ask(
        "1", "pupils", interval="day", first=first.isoformat(), last=days[-1].isoformat(), tree=TREE, today=TODAY
    )
    assert [point.value for point in series.points] == [
        len(counted[day]) if day >= begun else None for day in counted if day <= days[-1]
    ]


async def test_attendance_of_a_month_is_that_of_its_registers(feed):
    """October 8 of 10 present, November 9 of 10; a day without registers has no value."""
    await feed.take(a_class("3A"), *pupils(10))
    for day, absent in ((date(2026, 10, 30), "x:P y:K"), (TODAY, "x:P")):
        key, record = register("3A", day, 10, absent)
        change = scenes.pupil(key)
        change.type, change.row.key = resources_pb2.OBJECT_TYPE_ATTENDANCE_REGISTER, key
        change.row.attendance_register.CopyFrom(record)
        await feed.take(change)

    async def points(interval: str, first: str) -> list[float | None]:
        series = await SeriesQuestions(feed.questions).ask(
            "1", "attendance_rate", interval=interval, first=first, last="", tree=TREE, today=TODAY
        )
        return [point.value for point in series.points]

    assert await points("month", "2026-09-01") == [None, 80, 90]
    assert await points("day", "2026-10-30") == [80, None, None, 90]
    answer = await analysed(feed, "attendance_rate", periods=(PeriodAsked(as_of="2026-10-31"), PeriodAsked()))
    assert [told(answer, place)[PROVINCE] for place in (0, 1)] == [80, 85]


async def test_figures_stand_beside_last_year_target_and_peers(feed):
    """8 dropouts of 40 and none of 40: the lower is better, so the school without any is first."""
    await feed.take(*pupils(32), *pupils(8, status="05"), *pupils(40, school=SECONDARY, level="03", grade="06"))
    await feed.take(*pupils(16, year=2025), *pupils(4, year=2025, status="05"))
    async with feed.database.transaction() as connection:
        await outside.store_targets(
            connection, [TargetRow(PRIMARY, 2026, "dropout_rate", 1.5, "KH 12/2026")], subject="admin"
        )
    answer = await analysed(
        feed, "dropout_rate", breakdown="school", compare_with=frozenset({"last_year", "peers", "target"})
    )
    (period,) = answer.periods
    assert told(answer) == {PRIMARY: 20, SECONDARY: 0, SILENT: None, FREE: None}
    cells = {unit: ("dropout_rate", unit, ()) for unit in (PRIMARY, SECONDARY)}
    assert period.last_year[cells[PRIMARY]] == 20
    standing = period.standings[cells[PRIMARY]]
    assert (standing.rank, standing.ranked, standing.percentile, standing.median) == (2, 2, 75, 10)
    assert period.standings[cells[SECONDARY]].rank == 1
    assert period.targets[PRIMARY, 2026, "dropout_rate"].value == 1.5
    assert [(one.adds_up, "ratio" in one.en) for one in period.sums] == [(False, True)]


async def test_a_target_stands_beside_its_unit_and_not_beside_what_is_left_of_it(feed):
    """The province's is of the whole: the row of a school below no commune bears the province's id, not its target."""
    edge = scopes_pb2.ScopeEdge(parent_id=PROVINCE, type="administrative")
    apart = [scopes_pb2.ScopeUnit(unit_id=99, kind="school", name="Trường trực thuộc", edges=[edge])]
    tree = ScopeTree.from_chunks([scopes_pb2.ScopeChunk(units=[*scenes.units(), *apart])])
    await feed.take(*pupils(3), *pupils(2, school=99))
    async with feed.database.transaction() as connection:
        rows = [TargetRow(unit, 2026, "pupils", 9, "NQ 5") for unit in (PROVINCE, NEW_COMMUNE)]
        await outside.store_targets(connection, rows, subject="admin")
    asked: dict[str, Any] = {"compare_with": frozenset({"target"}), "tree": tree}
    broken_down = await analysed(feed, "pupils", breakdown="commune", **asked)
    assert told(broken_down) == {NEW_COMMUNE: 3, PROVINCE: 2}
    assert set(broken_down.periods[0].targets) == {(NEW_COMMUNE, 2026, "pupils")}
    assert (PROVINCE, 2026, "pupils") in (await analysed(feed, "pupils", **asked)).periods[0].targets


async def test_the_lowest_and_highest_are_found_and_what_has_no_data_is_neither(feed):
    """A silent school is not the lowest."""
    await feed.take(*pupils(3), *pupils(5, school=SECONDARY, level="03", grade="06"))
    top = await analysed(feed, "pupils", breakdown="school", ranking="top", limit=1)
    assert told(top) == {SECONDARY: 5}
    bottom = await analysed(feed, "pupils", breakdown="school", ranking="bottom", limit=5)
    assert list(told(bottom).items()) == [(PRIMARY, 3), (SECONDARY, 5)]
    with pytest.raises(Fault) as refused:
        await analysed(feed, "pupils", ranking="top")
    assert refused.value.reason == "RANKING_WITHOUT_PARTS"


def _merged_tree() -> ScopeTree:
    """On 2026-09-01 the primary school went into the secondary one."""
    units = scenes.units()
    for unit in units:
        if unit.unit_id == PRIMARY:
            unit.valid_to = "2026-09-01"
            unit.edges[1].valid_to = "2026-09-01"
    return ScopeTree.from_chunks([scopes_pb2.ScopeChunk(units=units)])


@pytest.mark.parametrize(
    ("partial", "follow", "value", "counts"),
    [(False, False, 5, (0, 0, 1)), (False, True, 8, (1, 0, 0)), (True, True, 8, (1, 1, 0))],
    ids=["not followed", "followed", "in part"],
)
async def test_the_past_is_shown_in_the_units_of_today(feed, partial, follow, value, counts):
    """3 pupils of a school that is gone count at its successor, as an estimate where only a part went there."""
    tree = _merged_tree()
    await feed.take(*pupils(3, year=2025), *pupils(5, school=SECONDARY, level="03", grade="06", year=2025))
    async with feed.database.transaction() as connection:
        row = Succession(PRIMARY, SECONDARY, "merged_into", date(2026, 9, 1), partial)
        await successions.replace(connection, [PRIMARY], [row], told=NOON)
    answer = await analysed(
        feed,
        "pupils",
        tree=tree,
        breakdown="school",
        periods=(PeriodAsked(2025),),
        follow_successions=follow,
        allow_estimates=True,
    )
    assert told(answer)[SECONDARY] == value
    remapped = answer.remapped
    assert (len(remapped.mapped), len(remapped.estimated), len(remapped.unplaced)) == counts
    then = await analysed(feed, "pupils", tree=tree, periods=(PeriodAsked(2025),), hierarchy_as_of="2026-01-01")
    assert told(then)[PROVINCE] == 8, "the units of that day show what they always showed"
    if partial:
        with pytest.raises(Fault) as refused:
            await analysed(feed, "pupils", tree=tree, periods=(PeriodAsked(2025),), follow_successions=True)
        assert refused.value.reason == "PARTIAL_SUCCESSION"


async def test_a_cell_is_explained_by_its_schools(feed):
    """41 pupils, 3 of them girls at one school: the formula holds the numbers, a silent school comes first."""
    await feed.take(*pupils(30), *pupils(3, sex="2"), *pupils(8, school=SECONDARY, level="03", grade="06"))
    explained = await Explanations(feed.questions).explain(Question("1", ("girls_share",)), (), tree=TREE, today=TODAY)
    assert explained.formula == ("3 / 41 × 100 = 7,317 %", "3 / 41 × 100 = 7.317 (percent)")
    assert [(one.school, one.numerator, one.denominator, one.reporting) for one in explained.contributions] == [
        (SILENT, 0, 0, False),
        (PRIMARY, 3, 33, True),
        (SECONDARY, 0, 8, True),
    ]
    of_level = await Explanations(feed.questions).explain(
        Question("1", ("pupils",), dimensions=("level",)), ("03",), tree=TREE, today=TODAY
    )
    assert of_level.figure.value == 8 == sum(one.numerator for one in of_level.contributions)
    assert of_level.filters[-1] == ("Cấp học: Trung học cơ sở (03)", "Level: Lower secondary (03)")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((), "There is no value for the dimension level, sex."),
        (("03",), "There is no value for the dimension sex."),
        (("03", "1", "06"), "There is no dimension for 06."),
    ],
)
async def test_a_cell_whose_dimensions_and_values_do_not_go_together_names_what_is_missing(feed, values, said):
    """Not as if there were no such cell."""
    asked = Question("1", ("pupils",), dimensions=("level", "sex"))
    with pytest.raises(Fault) as refused:
        await Explanations(feed.questions).explain(asked, values, tree=TREE, today=TODAY)
    (violation,) = refused.value.violations
    assert (violation.field, violation.reason, violation.en) == ("dimension_values", "UNKNOWN_CELL", said)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"codes": ["placed_share"], "periods": (PeriodAsked(as_of="2026-10-01"),)}, "NOT_DATED"),
        (
            {"codes": ["pupils"], "dimensions": ("ethnic_group",), "periods": (PeriodAsked(as_of="2026-10-01"),)},
            "NOT_DATED",
        ),
        ({"codes": ["pupils"], "periods": (PeriodAsked(as_of="2027-01-01"),)}, "DAY_OUTSIDE_YEAR"),
        ({"codes": ["pupils"], "periods": (PeriodAsked(2026, "2026-07-01"),)}, "DAY_OUTSIDE_YEAR"),
        ({"codes": ["pupils"], "periods": (PeriodAsked(2020, "2026-10-25"),)}, "DAY_OUTSIDE_YEAR"),
        ({"codes": ["pupils"], "periods": (PeriodAsked(as_of="1800-01-01"),)}, "INVALID_DATE"),
        ({"codes": ["pupils"], "hierarchy_as_of": "0001-01-01"}, "INVALID_DATE"),
        ({"codes": ["pupils"], "hierarchy_as_of": "9999-12-31"}, "INVALID_DATE"),
        ({"codes": ["pupils_with_disability"], "breakdown": "school"}, "SENSITIVE_COMBINATION"),
        (
            {"codes": ["pupils"], "dimensions": ("ethnic_group",), "compare_with": frozenset({"last_year"})},
            "NOT_DATED",
        ),
    ],
)
async def test_what_cannot_be_answered_is_refused_with_its_reason(feed, asked, reason):
    """Before any work, and without a number."""
    with pytest.raises(Fault) as refused:
        await analysed(feed, *asked.pop("codes"), **asked)
    assert refused.value.reason == reason


async def test_an_explosive_question_is_refused_and_says_what_to_leave_out(feed, monkeypatch):
    """4 units by 12 grades are too many where 20 cells may be given; without grade it fits."""
    await feed.take(*(pupil(f"p{number}", grade=f"{number:02}") for number in range(1, 13)))
    monkeypatch.setattr("services.reporting.usecases.analysing.MOST_CELLS", 20)
    questions = feed.questions
    await questions.mirror.stocks(2026)
    asked = Analysis(Question("1", ("pupils",), breakdown="school", dimensions=("grade", "sex")))
    with pytest.raises(Fault) as refused:
        await Analyses(questions).ask(asked, tree=TREE, today=TODAY)
    assert (refused.value.reason, refused.value.metadata["leave_out"]) == ("TOO_MANY_CELLS", "grade")


@pytest.fixture
async def channel(
    feed: Feed, bus: Bus, keys: Issuer, scopes_tree, token: Callable[..., str]
) -> AsyncIterator[grpc.aio.Channel]:
    """A running reporting over the same database, as the province's director sees it."""
    holder = scopes_pb2.ScopeGrant(
        grant_id=9, subject="director", role="director", unit_id=PROVINCE, edge_type="administrative"
    )
    await scopes_tree(scenes.units(), [*scenes.grants(), holder])
    async with (
        scenes.replica(feed.database, bus, keys, clock=FixedClock(NOON)) as address,
        client(address, token("director")) as opened,
    ):
        yield opened


async def test_residents_and_targets_are_stored_with_their_source_and_make_rates(feed, channel):
    """10 pupils of 40 residents are 25 percent; what is stored again replaces, what is not below is refused."""
    await feed.take(*pupils(10))
    bases: Any = bases_pb2_grpc.BasesServiceStub(channel)
    analysis: Any = analysis_pb2_grpc.AnalysisServiceStub(channel)
    for source in ("Phổ cập 2025", "Phổ cập 2026"):
        residents = bases_pb2.Population(
            unit=str(NEW_COMMUNE), year=2026, count_by_age=dict.fromkeys(range(6, 11), 8), source=source
        )
        await bases.ImportPopulation(bases_pb2.ImportPopulationRequest(unit="gso:49", populations=[residents]))
    kept = await bases.ListPopulation(bases_pb2.ListPopulationRequest(unit="gso:49"))
    assert [(one.source, one.count_by_age[7]) for one in kept.populations] == [("Phổ cập 2026", 8)]
    target = bases_pb2.Target(unit="gso:49", school_year=2026, indicator="ger_primary", value=30, source="NQ 5")
    await bases.SetTargets(bases_pb2.SetTargetsRequest(unit="gso:49", targets=[target]))
    request = analysis_pb2.AnalyseIndicatorsRequest(
        unit="gso:49", indicators=["ger_primary"], compare_with=[analysis_pb2.COMPARISON_TARGET]
    )
    (figure,) = (await analysis.AnalyseIndicators(request)).periods[0].figures
    assert (figure.figure.value, figure.figure.denominator, figure.target, figure.target_source) == (25, 40, 30, "NQ 5")
    with pytest.raises(Fault) as refused:
        await bases.SetTargets(bases_pb2.SetTargetsRequest(unit=str(NEW_COMMUNE), targets=[target]))
    assert (refused.value.reason, refused.value.violations[0].field) == ("UNIT_NOT_BELOW", "targets[0].unit")


async def test_a_target_is_of_a_school_year_that_is_known(channel: Any):
    """The running one and the ten to come; else its row is named with the years there are, and nothing is stored."""
    bases: Any = bases_pb2_grpc.BasesServiceStub(channel)

    def asked(*years: int) -> bases_pb2.SetTargetsRequest:
        rows = [
            bases_pb2.Target(unit="gso:49", school_year=year, indicator="pupils", value=10, source="NQ 5")
            for year in years
        ]
        return bases_pb2.SetTargetsRequest(unit="gso:49", targets=rows)

    for year in (1990, 2100):
        with pytest.raises(Fault) as refused:
            await bases.SetTargets(asked(2026, 2036, year))
        [violation] = refused.value.violations
        assert (violation.reason, violation.field) == ("UNKNOWN_SCHOOL_YEAR", "targets[2].school_year")
    assert not (await bases.ListTargets(bases_pb2.ListTargetsRequest(unit="gso:49"))).targets
    assert (await bases.SetTargets(asked(2026, 2036))).set_count == 2


@pytest.mark.parametrize(
    ("indicator", "value", "largest"),
    [("attendance_rate", 100, 100), ("mark_mean", 10, 10), ("pupils", 5_000, None), ("ger_primary", 104, None)],
)
async def test_a_target_is_a_value_that_its_indicator_can_have(
    channel: Any, indicator: str, value: float, largest: float | None
):
    """Shares end at 100 and marks at 10; more pupils than residents of an age there may be; nothing is below zero."""
    bases: Any = bases_pb2_grpc.BasesServiceStub(channel)

    def asked(*targets: tuple[int, float]) -> bases_pb2.SetTargetsRequest:
        rows = [
            bases_pb2.Target(unit="gso:49", school_year=year, indicator=indicator, value=wanted, source="NQ 5")
            for year, wanted in targets
        ]
        return bases_pb2.SetTargetsRequest(unit="gso:49", targets=rows)

    assert (await bases.SetTargets(asked((2026, value)))).set_count == 1
    for wrong in (-1, *([largest + 0.5] if largest else [])):
        with pytest.raises(Fault) as refused:
            await bases.SetTargets(asked((2026, value), (2027, wrong)))
        assert (refused.value.reason, refused.value.violations[0].field) == ("INVALID_FIELD", "targets[1].value")
    with pytest.raises(Fault) as refused:
        await bases.SetTargets(asked((2026, value), (2026, value)))
    assert refused.value.reason == "GIVEN_TWICE"
    assert "2" in refused.value.en.partition("repeats row 1")[0]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"source": "   "}, "populations[0].source"),
        ({"count_by_age": {6: 9 * 10**18}}, "populations[0].count_by_age[6]"),
    ],
)
async def test_residents_without_a_source_or_beyond_any_number_are_refused(channel, wrong, field):
    """Blanks name no document, and no age has ten million residents."""
    given = {"unit": "gso:49", "year": 2026, "count_by_age": {6: 812}, "source": "Phổ cập 2026"} | wrong
    request = bases_pb2.ImportPopulationRequest(unit="gso:49", populations=[bases_pb2.Population(**given)])
    with pytest.raises(Fault) as refused:
        await bases_pb2_grpc.BasesServiceStub(channel).ImportPopulation(request)
    assert [(one.field, one.reason) for one in refused.value.violations] == [(field, "INVALID_FIELD")]


async def test_a_target_is_set_only_where_its_indicator_is_shown(channel):
    """A sensitive one for a topmost unit alone; else nothing is stored."""
    bases: Any = bases_pb2_grpc.BasesServiceStub(channel)

    def asked(unit: int, source: str = "NQ 5") -> bases_pb2.SetTargetsRequest:
        row = bases_pb2.Target(
            unit=str(unit), school_year=2026, indicator="pupils_with_disability", value=3, source=source
        )
        return bases_pb2.SetTargetsRequest(unit="gso:49", targets=[row])

    assert (await bases.SetTargets(asked(PROVINCE))).set_count == 1
    with pytest.raises(Fault) as refused:
        await bases.SetTargets(asked(NEW_COMMUNE))
    assert [(one.field, one.reason) for one in refused.value.violations] == [
        ("targets[0].indicator", "SENSITIVE_COMBINATION")
    ]
    with pytest.raises(Fault) as refused:
        await bases.SetTargets(asked(PROVINCE, source=" "))
    assert refused.value.violations[0].field == "targets[0].source"


@pytest.mark.parametrize("year", [9999, 1799])
async def test_a_school_year_that_never_is_is_refused(channel, year):
    """By questions, analyses and explanations alike, with the years that can be."""
    analysis: Any = analysis_pb2_grpc.AnalysisServiceStub(channel)
    questions: Any = reporting_pb2_grpc.ReportingServiceStub(channel)
    for call in (
        questions.QueryIndicators(reporting_pb2.QueryIndicatorsRequest(unit="gso:49", school_year=year)),
        analysis.AnalyseIndicators(
            analysis_pb2.AnalyseIndicatorsRequest(
                unit="gso:49", indicators=["pupils"], periods=[analysis_pb2.Period(school_year=year)]
            )
        ),
        analysis.ExplainIndicator(
            analysis_pb2.ExplainIndicatorRequest(unit="gso:49", indicator="pupils", school_year=year)
        ),
    ):
        with pytest.raises(Fault) as refused:
            await call
        (violation,) = refused.value.violations
        assert (violation.reason, violation.field.rpartition(".")[2]) == ("INVALID_FIELD", "school_year")
        assert "1990" in violation.vi
        assert "2100" in violation.vi


async def test_an_analysis_is_answered_over_the_wire(feed, channel):
    """The hierarchy's version, completeness and the words for what does not add up come with it."""
    await feed.take(*pupils(4), pupil("left", status="05"))
    stub: Any = analysis_pb2_grpc.AnalysisServiceStub(channel)
    answer = await stub.AnalyseIndicators(
        analysis_pb2.AnalyseIndicatorsRequest(unit="gso:49", indicators=["pupils", "dropout_rate"], breakdown="school"),
        metadata=(("accept-language", "vi"),),
    )
    period = answer.periods[0]
    assert answer.hierarchy.as_of == "2026-11-02"
    values = {(one.figure.indicator, one.figure.unit_id): one.figure.value for one in period.figures}
    assert (values["pupils", PRIMARY], values["dropout_rate", PRIMARY]) == (4, 20)
    reasons = {one.indicator: (one.adds_up, one.reason) for one in period.additions}
    assert reasons["pupils"][0] is False, "the silent schools are not known"
    assert "không phải là 0" in reasons["pupils"][1]
    red = next(one for one in period.figures if (one.figure.indicator, one.figure.unit_id) == ("dropout_rate", PRIMARY))
    assert red.threshold == "red"
    explained = await stub.ExplainIndicator(
        analysis_pb2.ExplainIndicatorRequest(unit="gso:49", indicator="dropout_rate", page_size=1),
        metadata=(("accept-language", "vi"),),
    )
    assert explained.formula == "1 / 5 × 100 = 20 %"
    assert explained.next_page_token
    series = await stub.GetIndicatorSeries(
        analysis_pb2.GetIndicatorSeriesRequest(
            unit="gso:49", indicator="pupils", interval=analysis_pb2.SERIES_INTERVAL_SCHOOL_YEAR
        )
    )
    assert [point.value for point in series.points][-1] == 4


async def test_what_became_of_units_is_what_records_told_last(feed):
    """A school that is told to have merged; an older telling that comes later changes nothing."""

    def event(told_time: datetime, *units: unit_operations_pb2.UnitHistory) -> Event:
        message = unit_operations_pb2.UnitsChanged(units=units)
        return Event("e", "units-changed", "/iocedu/records", "", told_time, message.SerializeToString(), {})

    merged = unit_operations_pb2.UnitHistory(unit_id=PRIMARY)
    merged.successions.add(successor=str(SECONDARY), kind="merged_into", effective_date="2026-09-01")
    for told_time, unit in (
        (NOON, merged),
        (NOON - timedelta(days=1), unit_operations_pb2.UnitHistory(unit_id=PRIMARY)),
    ):
        async with feed.database.transaction() as connection:
            await consumers.follow_units(connection, [event(told_time, unit)])
    async with feed.database.connection() as connection:
        known = await successions.load(connection)
    assert known == [Succession(PRIMARY, SECONDARY, "merged_into", date(2026, 9, 1), partial=False)]


async def test_nothing_sensitive_leaves_by_another_door(feed):
    """Neither series, explanation, stream, comparison nor a past day gives what a query refuses."""
    await feed.take(*pupils(3, group="26"), *pupils(30))
    explaining, series = Explanations(feed.questions), SeriesQuestions(feed.questions)
    by_group = Question("1", ("pupils",), dimensions=("ethnic_group",))
    disabled = Question("1", ("pupils_with_disability",))
    with pytest.raises(Fault, match="SENSITIVE_COMBINATION"):
        await explaining.explain(by_group, ("26",), tree=TREE, today=TODAY)
    with pytest.raises(Fault, match="SENSITIVE_COMBINATION"):
        await explaining.explain(disabled, (), tree=TREE, today=TODAY)
    with pytest.raises(Fault, match="SENSITIVE_COMBINATION"):
        await series.ask("1", "pupils_with_disability", interval="day", first="", last="", tree=TREE, today=TODAY)
    with pytest.raises(Fault, match="SENSITIVE_COMBINATION"):
        await analysed(feed, "pupils_with_disability", periods=(PeriodAsked(as_of="2026-11-01"),))
    with pytest.raises(Fault, match="SENSITIVE_COMBINATION"):
        check_watchable(load_catalogue(), ["pupils_with_disability"])
    answer = await analysed(feed, "pupils", dimensions=("ethnic_group",))
    assert [one for one in answer.periods[0].figures if one.dimension_values == ("26",)] == []
