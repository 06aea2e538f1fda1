"""A province's year in records: 700,000 pupils and ten million marks, and what it costs to add, find, read and copy.

What is there before is copied past the service, table by table; whatever is measured goes through the gateway.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final

import asyncpg
import psutil
from iocedu.records.v1 import (
    export_pb2,
    export_pb2_grpc,
    persons_pb2,
    persons_pb2_grpc,
    records_pb2,
    records_pb2_grpc,
    resources_pb2,
    results_pb2,
    search_pb2,
    search_pb2_grpc,
)

from benchmarks import search
from benchmarks.province import DIRECTOR, PROVINCE, YEAR, Province, batches
from benchmarks.report import Figure, percentile

MARKS: Final = 10_000_000
STAGES: Final = ("CK1", "CK2")
SUBJECTS: Final = ("TOAN", "VAN", "ANH", "KHTN", "LSDL", "GDCD", "TIN", "CNGHE")
COMMUNE: Final = "gso:20501"
LARGE: Final = 5_000
PUSHED: Final = 60_000  # rows with results that are pushed into the full tables
PAGE: Final = 2_000  # records in one message of a whole copy
PEOPLE: Final = 300  # who are asked for
PUPIL, RESULT = resources_pb2.OBJECT_TYPE_PUPIL, resources_pb2.OBJECT_TYPE_RESULT

Call = Callable[[Any], Awaitable[Any]]


async def measure(province: Province) -> list[Figure]:
    """Fill, then measure one thing after the other."""
    connection = await asyncpg.connect(province.fleet.databases["records"], timeout=30, command_timeout=900)
    try:
        await search.fill(connection)
        await _fill_results(connection)
        await _fill_feed(connection)
        figures = await _held(connection)
        figures += await _pushed(province, connection)
        figures += await _asked(province, connection)
        figures += await _followed(province, connection)
        figures += await _copied(province, connection)
    finally:
        await connection.close()
    return figures


async def _fill_results(connection: asyncpg.Connection) -> None:
    """Two results for each pupil, of as many subjects as make ten million marks."""
    columns = await connection.fetch(
        "SELECT column_name, is_nullable FROM information_schema.columns WHERE table_name = 'result'"
        " AND table_schema = current_schema() ORDER BY ordinal_position"
    )
    assert {"subject_marks", "pupil_key"} <= {row["column_name"] for row in columns}
    await connection.execute(
        """
        INSERT INTO result (school_id, key, version, change_version, source, content_hash, deleted, update_time,
            school_year, pupil_key, stage, regulation, learning_result, conduct_result, title, absent_days,
            subject_marks)
        SELECT school_id, key || '.' || stage, 1, 1, 'vnedu', 1, false, now(), school_year, key, stage, 'TT22', 'T',
            'T', '', 0, marks.held
        FROM pupil CROSS JOIN unnest($1::text[]) AS staged(stage)
        CROSS JOIN (
            SELECT jsonb_agg(jsonb_build_object('subject', subject, 'mark', 7.5)) AS held
            FROM unnest($2::text[]) AS taught(subject)
        ) AS marks
        WHERE NOT deleted ON CONFLICT DO NOTHING
        """,
        list(STAGES),
        list(SUBJECTS),
    )
    await connection.execute("VACUUM (ANALYZE) result")


async def _fill_feed(connection: asyncpg.Connection) -> None:
    """Give everything its place in the feed, and each pupil a person."""
    await connection.execute(
        """
        INSERT INTO feed (school_id, type, key, position, version)
        SELECT school_id, type, key, (SELECT position FROM feed_position) + row_number() OVER (ORDER BY school_id, key),
            change_version
        FROM (
            SELECT school_id, 4 AS type, key, change_version FROM pupil
            UNION ALL SELECT school_id, 6, key, change_version FROM result
        ) AS held ON CONFLICT DO NOTHING;
        UPDATE feed_position SET position = (SELECT coalesce(max(position), 0) FROM feed);
        INSERT INTO person_record (school_id, type, key, deleted, school_year, in_stock, secondary, name, birth_date,
            sex, mother, personal_id, ministry_code, person_id, root_id, rule, link_time)
        SELECT school_id, 4, key, false, school_year, true, false, search_name, birth_date, sex, '', personal_id,
            ministry_code, person, person, 'FIRST', now()
        FROM (SELECT *, nextval('person_id') AS person FROM pupil) AS known ON CONFLICT DO NOTHING;
        UPDATE person_cursor SET position = (SELECT position FROM feed_position)
        """
    )
    for table in ("feed", "person_record"):
        await connection.execute(f"VACUUM (ANALYZE) {table}")


async def _held(connection: asyncpg.Connection) -> list[Figure]:
    """What the tables hold."""
    pupils, marks, size = await connection.fetchrow(
        "SELECT (SELECT count(*) FROM pupil), (SELECT sum(jsonb_array_length(subject_marks)) FROM result),"
        " pg_database_size(current_database())"
    )
    assert marks >= MARKS, marks
    return [
        Figure("pupils held", pupils, "", ""),
        Figure("marks held", float(marks), "", ""),
        Figure("size of records' database", size / 2**30, "GiB", ""),
    ]


async def _pushed(province: Province, connection: asyncpg.Connection) -> list[Figure]:
    """Results pushed over what is there: other marks, then the same again."""
    held = await connection.fetch(
        "SELECT school_id, key, pupil_key, stage FROM result ORDER BY md5(school_id::text), key LIMIT $1", PUSHED
    )
    rows = [_row(one, version=2) for one in held]
    loading = await _timed(province, rows, "scale-changed")
    same = await _timed(province, rows, "scale-unchanged")
    floor = await _merged(connection)
    rate = len(rows) / loading
    return [
        Figure("results changed among ten million marks", rate, "rows/s", "≥ 1/4", floor, "COPY + merge"),
        Figure("the same again, unchanged", len(rows) / same, "rows/s", "≥ 2 x", rate, "changed"),
    ]


def _row(held: Any, *, version: int) -> resources_pb2.Row:
    marks = [results_pb2.SubjectMark(subject=subject, mark=8.0) for subject in SUBJECTS]
    result = results_pb2.Result(
        school_year=YEAR,
        pupil_key=held["pupil_key"],
        stage=held["stage"],
        regulation="TT22",
        learning_result="T",
        conduct_result="T",
        subject_marks=marks,
    )
    return resources_pb2.Row(school=str(held["school_id"]), key=held["key"], version=version, result=result)


async def _timed(province: Province, rows: Sequence[resources_pb2.Row], name: str) -> float:
    began = time.perf_counter()
    await province.push(batches(rows, LARGE), name=name, parallel=3)
    return time.perf_counter() - began


async def _merged(connection: asyncpg.Connection) -> float:
    """Rows a second by COPY and merge over a table of the same columns, indexes and size, on one connection."""
    names = [
        row[0]
        for row in await connection.fetch(
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'result'"
            " AND table_schema = current_schema() ORDER BY ordinal_position"
        )
    ]
    await connection.execute(
        "DROP TABLE IF EXISTS floor; CREATE TABLE floor (LIKE result INCLUDING ALL);"
        " INSERT INTO floor SELECT * FROM result"
    )
    held = await connection.fetch("SELECT * FROM result ORDER BY md5(school_id::text), key LIMIT $1", PUSHED)
    listed = ", ".join(names)
    taken = ", ".join(f"{name} = excluded.{name}" for name in names)
    began = time.perf_counter()
    for start in range(0, len(held), LARGE):
        async with connection.transaction():
            await connection.execute("CREATE TEMP TABLE incoming (LIKE result) ON COMMIT DROP")
            piece = [tuple(row.values()) for row in held[start : start + LARGE]]
            await connection.copy_records_to_table("incoming", records=piece, columns=names)
            await connection.execute(
                f"INSERT INTO floor ({listed}) SELECT {listed} FROM incoming ORDER BY school_id, key"  # noqa: S608
                f" ON CONFLICT (school_id, key) DO UPDATE SET {taken}"
            )
    rate = len(held) / (time.perf_counter() - began)
    await connection.execute("DROP TABLE floor")
    return rate


async def _asked(province: Province, connection: asyncpg.Connection) -> list[Figure]:
    """Profiles, courses, and questions below a unit, one at a time; beside an empty call."""
    metadata = province.metadata(DIRECTOR)
    people = await connection.fetch(
        "SELECT school_id::text AS school, key, full_name FROM pupil TABLESAMPLE SYSTEM (1) ORDER BY random() LIMIT $1",
        PEOPLE,
    )
    records = records_pb2_grpc.RecordsServiceStub(province.channel)
    persons = persons_pb2_grpc.PersonsServiceStub(province.channel)
    looking = search_pb2_grpc.SearchServiceStub(province.channel)

    async def empty(_: Any) -> None:
        await province.empty_call(metadata)

    async def profile(who: Any) -> None:
        request = records_pb2.GetRecordRequest(collection="pupils", school=who["school"], key=who["key"])
        await records.GetRecord(request, metadata=metadata, timeout=30)

    async def course(who: Any) -> None:
        request = persons_pb2.GetCourseRequest(school=who["school"], pupil_key=who["key"])
        answer = await persons.GetCourse(request, metadata=metadata, timeout=30)
        assert len(answer.years[0].results) == len(STAGES)

    async def listed(who: Any) -> None:
        request = records_pb2.ListRecordsRequest(
            collection="pupils", unit=COMMUNE, school_year=YEAR, name_contains=who["full_name"].split()[-1]
        )
        await records.ListRecords(request, metadata=metadata, timeout=30)

    async def found(who: Any) -> None:
        request = search_pb2.SearchPeopleRequest(unit=COMMUNE, collection="pupils", query=who["full_name"])
        await looking.SearchPeople(request, metadata=metadata, timeout=30)

    async def searched(who: Any) -> None:
        request = search_pb2.SearchPeopleRequest(unit=PROVINCE, collection="pupils", query=who["full_name"])
        await looking.SearchPeople(request, metadata=metadata, timeout=30)

    floor = await _p95(empty, people)
    return [
        Figure(f"{name}: p95", await _p95(call, people), "ms", budget, floor, "ms empty call")
        for name, call, budget in (
            ("a record by id", profile, ""),
            ("a course with its results", course, ""),
            ("a list below a commune, by a part of the name", listed, ""),
            ("a search below a commune", found, "≤ 30 ms"),
            ("a search in the province", searched, "≤ 30 ms"),
        )
    ]


async def _p95(call: Call, people: Sequence[Any]) -> float:
    seconds = []
    for who in people:
        began = time.perf_counter()
        await call(who)
        seconds.append(time.perf_counter() - began)
    return percentile(seconds, 0.95) * 1000


async def _followed(province: Province, connection: asyncpg.Connection) -> list[Figure]:
    """The change feed read by a partner, at its beginning and at depth; beside the same by COPY."""
    records = records_pb2_grpc.RecordsServiceStub(province.channel)
    metadata = province.metadata(DIRECTOR)
    last = int(await connection.fetchval("SELECT position FROM feed_position"))

    async def rate(after: int) -> float:
        count, began = 0, time.perf_counter()
        for _ in range(8):
            request = records_pb2.ListChangesRequest(unit=PROVINCE, after=after, page_size=LARGE)
            page = await records.ListChanges(request, metadata=metadata, timeout=60)
            count, after = count + len(page.changes), page.position
        return count / (time.perf_counter() - began)

    floor = await _copy_rate(
        connection,
        "SELECT feed.position, held.* FROM feed JOIN result AS held USING (school_id, key)"  # noqa: S608 (a number)
        f" WHERE feed.type = 6 AND feed.position > {last // 2} ORDER BY position LIMIT 200000",
    )
    depths = {"from the beginning": 0, "at half its depth": last // 2, "at its end": max(last - 50_000, 0)}
    return [
        Figure(f"change feed, {name}", await rate(after), "rows/s", "≥ 1/4, flat", floor, "COPY of feed and record")
        for name, after in depths.items()
    ]


async def _copied(province: Province, connection: asyncpg.Connection) -> list[Figure]:
    """A whole copy of pupils and results: how fast, and how much memory records takes for it."""
    export = export_pb2_grpc.ExportServiceStub(province.channel)
    request = export_pb2.ExportRecordsRequest(unit=PROVINCE, types=[PUPIL, RESULT], page_size=PAGE)
    process = next(one for one in psutil.process_iter(["cmdline"]) if _is_records(one, province))
    before, most, count, began = process.memory_info().rss, 0, 0, time.perf_counter()
    async for message in _bounded(export.ExportRecords(request, metadata=province.metadata(DIRECTOR)), seconds=120):
        count += len(message.page.records)
        most = max(most, process.memory_info().rss)
    rate = count / (time.perf_counter() - began)
    floor = await _copy_rate(
        connection,
        "SELECT feed.position, held.* FROM result AS held LEFT JOIN feed ON feed.school_id = held.school_id"
        " AND feed.key = held.key AND feed.type = 6 ORDER BY held.school_id, held.key LIMIT 400000",
    )
    return [
        Figure("whole copy", rate, "rows/s", "≥ 1/4", floor, "COPY of record and feed"),
        Figure("  rows of it that were read", count, "", ""),
        Figure("  memory of records, most", most / 2**20, "MiB", "flat", before / 2**20, "MiB before"),
    ]


async def _bounded(stream: Any, *, seconds: float) -> AsyncIterator[Any]:
    end = time.perf_counter() + seconds
    async for message in stream:
        yield message
        if time.perf_counter() > end:
            stream.cancel()
            return


def _is_records(process: psutil.Process, province: Province) -> bool:
    """Whether a process is this fleet's records: other fleets may run on the machine."""
    command = process.info["cmdline"] or []
    if command[-1:] != ["services.records"]:
        return False
    return process.environ().get("IOCEDU_DATABASE_URL") == province.fleet.databases["records"]


async def _copy_rate(connection: asyncpg.Connection, query: str) -> float:
    """Rows a second by COPY with nothing of ours, thrown away."""

    async def nothing(_: bytes) -> None:
        await asyncio.sleep(0)

    began = time.perf_counter()
    status = await connection.copy_from_query(query, output=nothing, format="binary")
    return int(status.split()[-1]) / (time.perf_counter() - began)
