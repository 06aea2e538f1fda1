"""Fifty questions as dashboards ask them, through the gateway, beside GROUP BY in PostgreSQL and in DuckDB on the same
facts; how long counting everything anew takes, and what reporting holds in memory.
"""

import asyncio
import time
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass

import asyncpg
import duckdb
import psutil
from iocedu.reporting.v1 import analysis_pb2, analysis_pb2_grpc, reporting_pb2, reporting_pb2_grpc

from benchmarks.province import DIRECTOR, PROVINCE, YEAR, Province
from benchmarks.report import Figure, percentile
from chassis.database import open_database
from services.reporting.usecases import rebuilding

ROUNDS = 6
MEASURES = ("pupils", "over_age_share", "dropout_rate", "personal_id_plausible_share", "dropouts")
DIMENSIONS: tuple[tuple[str, ...], ...] = ((), ("grade",), ("sex",), ("level", "grade"), ("grade", "sex"))
FACTS = (
    "SELECT school_id, measure, grade, level, sex, counted FROM fact WHERE school_year = $1 AND measure = 'pupils'"
    " AND counted"
)


@dataclass(frozen=True)
class Asked:
    """A question, and the columns that a GROUP BY for its pupils needs."""

    kind: str
    indicators: tuple[str, ...]
    breakdown: str
    dimensions: tuple[str, ...]

    @property
    def grouped(self) -> str:
        """The same count of pupils in SQL; `place` holds the commune of each school."""
        columns = [*self.dimensions, *({"commune": ["commune_id"], "school": ["school_id"]}.get(self.breakdown, []))]
        joined = " JOIN place USING (school_id)" if self.breakdown == "commune" else ""
        return (
            f"SELECT {', '.join([*columns, 'count(*)'])} FROM fact{joined}"  # noqa: S608  (columns of the list above)
            f" WHERE measure = 'pupils' AND school_year = {YEAR} AND counted"
            + (f" GROUP BY {', '.join(columns)}" if columns else "")
        )


def questions() -> Iterator[Asked]:
    """Fifty: 35 queries, 9 analyses with comparisons, 3 series, 3 explanations."""
    for dimensions in DIMENSIONS:
        for breakdown in ("", "commune"):
            for measure in MEASURES[:3]:
                yield Asked("query", (measure,), breakdown, dimensions)
    for measure in MEASURES:
        yield Asked("query", (measure,), "school", ())
    for measure in MEASURES[:3]:
        yield Asked("analysis", (measure,), "commune", ())
        yield Asked("analysis", (measure,), "school", ())
        yield Asked("analysis", MEASURES, "", ("grade",))
        yield Asked("explanation", (measure,), "", ())
        yield Asked("series", (measure,), "", ())


async def measure(province: Province) -> list[Figure]:
    """Ask each several times; count the same by GROUP BY and DuckDB; recount everything."""
    metadata = province.metadata(DIRECTOR)
    reporting = reporting_pb2_grpc.ReportingServiceStub(province.channel)
    analysis = analysis_pb2_grpc.AnalysisServiceStub(province.channel)

    async def ask(asked: Asked) -> None:
        first = asked.indicators[0]
        if asked.kind == "query":
            query = reporting_pb2.QueryIndicatorsRequest(
                unit=PROVINCE,
                indicators=asked.indicators,
                school_year=YEAR,
                breakdown=asked.breakdown,
                dimensions=asked.dimensions,
            )
            await reporting.QueryIndicators(query, metadata=metadata, timeout=30)
        elif asked.kind == "analysis":
            beside = [analysis_pb2.COMPARISON_LAST_YEAR, analysis_pb2.COMPARISON_PEERS, analysis_pb2.COMPARISON_TARGET]
            analyse = analysis_pb2.AnalyseIndicatorsRequest(
                unit=PROVINCE,
                indicators=asked.indicators,
                breakdown=asked.breakdown,
                dimensions=asked.dimensions,
                compare_with=beside,
            )
            await analysis.AnalyseIndicators(analyse, metadata=metadata, timeout=30)
        elif asked.kind == "series":
            series = analysis_pb2.GetIndicatorSeriesRequest(unit=PROVINCE, indicator=first)
            await analysis.GetIndicatorSeries(series, metadata=metadata, timeout=30)
        else:
            explain = analysis_pb2.ExplainIndicatorRequest(unit=PROVINCE, indicator=first)
            await analysis.ExplainIndicator(explain, metadata=metadata, timeout=30)

    fifty = list(questions())
    assert len(fifty) == 50, len(fifty)
    for asked in fifty:
        await ask(asked)
    seconds = [await _timed(ask(asked)) for _ in range(ROUNDS) for asked in fifty]
    grouped, columnar, recounted, rows = await _floors(province.fleet.databases["reporting"], fifty)
    async with open_database(province.fleet.databases["reporting"]) as database:
        recount = await _timed(rebuilding.repair(database))
    name = f"50 dashboard questions, {rows:,} pupils"
    floor = f"ms GROUP BY (DuckDB {percentile(columnar, 0.5) * 1000:.1f}; p95 {percentile(columnar, 0.95) * 1000:.1f})"
    return [
        Figure(
            f"{name}: p{share:.0%}"[:-1],
            percentile(seconds, share) * 1000,
            "ms",
            "≤ 100 ms",
            percentile(grouped, share) * 1000,
            floor,
        )
        for share in (0.5, 0.95, 0.99)
    ] + [
        Figure("recount of every school, repairing what differs", recount, "s", "none", recounted, "s GROUP BY"),
        Figure("memory of reporting after the questions", _megabytes(), "MB", "none", 0, ""),
    ]


async def _timed(call: Awaitable[object]) -> float:
    began = time.perf_counter()
    await call
    return time.perf_counter() - began


async def _floors(url: str, fifty: list[Asked]) -> tuple[list[float], list[float], float, int]:
    """Seconds of each question by GROUP BY and by DuckDB, of a recount, and how many pupils there are."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            "CREATE TEMP TABLE place AS SELECT DISTINCT school_id, school_id % 94 AS commune_id FROM fact"
        )
        facts = await connection.fetch(FACTS, YEAR)
        grouped = [await _timed(connection.fetch(asked.grouped)) for asked in fifty]
        recounted = await _timed(
            connection.fetch(
                "SELECT school_id, school_year, measure, level, grade, sex, ethnic_group, count(*) FROM fact"
                " WHERE counted GROUP BY 1, 2, 3, 4, 5, 6, 7"
            )
        )
    finally:
        await connection.close()
    columnar = await asyncio.to_thread(_in_duckdb, [tuple(row) for row in facts], fifty)
    return grouped, columnar, recounted, len(facts)


def _in_duckdb(facts: list[tuple[object, ...]], fifty: list[Asked]) -> list[float]:
    database = duckdb.connect()
    database.execute(
        "CREATE TABLE fact (school_id BIGINT, measure TEXT, grade TEXT, level TEXT, sex TEXT, counted BOOLEAN,"
        " school_year INTEGER)"
    )
    for start in range(0, len(facts), 5000):
        part = facts[start : start + 5000]
        columns = [list(column) for column in zip(*part, strict=True)]
        database.execute(
            f"INSERT INTO fact SELECT unnest(?), unnest(?), unnest(?), unnest(?), unnest(?), unnest(?), {YEAR}",
            columns,
        )
    database.execute("CREATE TABLE place AS SELECT DISTINCT school_id, school_id % 94 AS commune_id FROM fact")
    seconds = []
    for asked in fifty:
        began = time.perf_counter()
        database.execute(asked.grouped).fetchall()
        seconds.append(time.perf_counter() - began)
    return seconds


def _megabytes() -> float:
    for process in psutil.Process().children(recursive=True):
        if "services.reporting" in process.cmdline():
            return float(process.memory_info().rss) / (1 << 20)
    return 0.0
