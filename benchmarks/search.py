"""Look-up of people by name in a province of 700,000 pupils, beside the cheapest question a database can answer."""

import random
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any

import asyncpg
import grpc
from iocedu.records.v1 import search_pb2, search_pb2_grpc

from benchmarks.province import DIRECTOR, PROVINCE, YEAR, Province
from benchmarks.report import Figure, percentile
from demo.people import person
from services.records.domain.names import search_name, stored_names
from services.records.domain.objects import BY_COLLECTION

PUPILS, PIECE = 700_000, 20_000
ROUNDS = 40  # of every way to type a name
COLUMNS = BY_COLLECTION["pupils"].row


async def measure(province: Province) -> list[Figure]:
    """Names typed in every way people type them, in the province, a commune and a school; and what finds too many."""
    url = province.fleet.databases["records"]
    connection = await asyncpg.connect(url)
    try:
        await fill(connection)
        people = await connection.fetch(
            "SELECT full_name, search_name, sort_name, birth_date, personal_id, school_id FROM pupil"
            " TABLESAMPLE SYSTEM (1) WHERE NOT deleted ORDER BY random() LIMIT $1",
            ROUNDS,
        )
        ordered, bare = await _floors(connection, people)
        empty = await _empty(province, rounds=len(people) * 3)
        every, each = await _asked(province, people)
        crowded = await _crowds(province)
    finally:
        await connection.close()

    def figure(name: str, seconds: list[float], floor: list[float], floor_name: str) -> Figure:
        return Figure(name, _p95(seconds), "ms", "≤ 30 ms", _p95(floor), f"ms {floor_name}")

    return [
        Figure("an empty call through the gateway: p95", _p95(empty), "ms", ""),
        figure("name search in 700,000: p95", every, ordered, "key range"),
        *(figure(f"  {way}: p95", seconds, ordered, "key range") for way, seconds in each.items()),
        figure("  words of 100,000 people: p95", crowded, bare, "bare trigrams"),
    ]


def _p95(seconds: list[float]) -> float:
    return percentile(seconds, 0.95) * 1000


async def _empty(province: Province, *, rounds: int) -> list[float]:
    """Seconds of a call that asks the database nothing: what the machine and the way through it cost just now."""
    metadata, seconds = province.metadata(DIRECTOR), []
    for _ in range(rounds):
        began = time.perf_counter()
        await province.empty_call(metadata)
        seconds.append(time.perf_counter() - began)
    return seconds


async def fill(connection: asyncpg.Connection) -> None:
    """Copy pupils of an earlier year to the registered schools until the table holds a province's number."""
    schools = [row[0] for row in await connection.fetch("SELECT unit_id FROM unit WHERE kind = 'school' ORDER BY 1")]
    missing = PUPILS - int(await connection.fetchval("SELECT count(*) FROM pupil WHERE NOT deleted"))
    made = _pupils(schools, max(missing, 0))
    while piece := [row for row, _ in zip(made, range(PIECE), strict=False)]:
        await connection.copy_records_to_table("pupil", records=piece, columns=COLUMNS)
    # The service keeps the words of what is pushed; this was copied past it.
    await connection.execute(
        "INSERT INTO name_word SELECT DISTINCT unnest(string_to_array(search_name, ' ')) FROM pupil"
        " ON CONFLICT DO NOTHING"
    )
    await connection.execute("VACUUM (ANALYZE) pupil")


def _pupils(schools: Sequence[int], count: int) -> Iterator[tuple[Any, ...]]:
    rng, now = random.Random("search"), datetime.now(UTC)
    for number in range(count):
        school_id = schools[number * len(schools) // count]
        district = "510" if school_id % 12 == 0 else "506"
        who = person(rng, district=district, birth_year=YEAR - 18 + number % 15)
        grade = 1 + number % 12
        values = dict.fromkeys(COLUMNS, "") | {
            "school_id": school_id,
            "key": f"s{number:09d}",
            "version": 1,
            "change_version": 1,
            "source": "vnedu",
            "content_hash": 1,
            "deleted": False,
            "update_time": now,
            "school_year": YEAR,
            "full_name": who.name,
            "sex": who.sex,
            "ethnic_group": who.ethnic_group,
            "class_key": f"{grade}{'ABCDEFGH'[number % 8]}",
            "grade": f"{grade:02d}",
            "level": "02" if grade < 6 else "03" if grade < 10 else "04",
            "status": "01",
            "ministry_code": f"49{rng.randrange(10**8):08d}",
            "personal_id": who.personal_id,
            "birth_date": date.fromisoformat(who.birth_date),
            "further": None,
            "secondary": None,
        }
        values["search_name"], values["sort_name"] = stored_names(who.name, person=True)
        yield tuple(values[name] for name in COLUMNS)


def typed(rng: random.Random, name: str) -> dict[str, str]:
    """A name as people type it."""
    words = search_name(name).split()
    shuffled = rng.sample(words, len(words))
    wrong = max(words, key=len)
    place = rng.randrange(len(wrong))
    mistyped = wrong[:place] + rng.choice("aeiouhngt") + wrong[place + 1 :]
    return {
        "as written": name,
        "without tones": " ".join(words),
        "in another order": " ".join(shuffled),
        "a part of the last word": " ".join([*words[:-1], words[-1][: max(1, len(words[-1]) - 1)]]),
        "one letter wrong": " ".join(mistyped if word == wrong else word for word in words),
        "two words": " ".join(words[-2:]),
    }


async def _asked(province: Province, people: Sequence[Any]) -> tuple[list[float], dict[str, list[float]]]:
    """Seconds of each search through the gateway, and the same by way of typing."""
    rng = random.Random("typed")
    every: list[float] = []
    each: dict[str, list[float]] = {}
    stub = search_pb2_grpc.SearchServiceStub(province.channel)
    for who in people:
        questions = [(way, line, PROVINCE) for way, line in typed(rng, who["full_name"]).items()]
        folded, school = who["search_name"], str(who["school_id"])
        questions += [
            ("with a year of birth", f"{folded} {who['birth_date'].year}", PROVINCE),
            ("an id", who["personal_id"], PROVINCE),
            ("in a commune", folded, f"gso:{20500 + rng.randrange(94)}"),
            ("one word in a school", folded.split()[0], school),
            ("a wrong letter in a school", typed(rng, who["full_name"])["one letter wrong"], school),
        ]
        for way, line, unit in questions:
            seconds = await _timed(province, stub, line, unit)
            each.setdefault(way, []).append(seconds)
            every.append(seconds)
    return every, each


async def _crowds(province: Province) -> list[float]:
    """Seconds of searches that find too many, or nearly."""
    stub = search_pb2_grpc.SearchServiceStub(province.channel)
    lines = ("nguyễn", "anh", "nguyen van", "nguyen anh", "nguyen thi", "van", "n", "nguyen 2012", "ng th")
    return [await _timed(province, stub, line, PROVINCE) for _ in range(ROUNDS // 2) for line in lines]


async def _timed(province: Province, stub: Any, line: str, unit: str) -> float:
    request = search_pb2.SearchPeopleRequest(unit=unit, collection="pupils", query=line)
    began = time.perf_counter()
    try:
        await stub.SearchPeople(request, metadata=province.metadata(DIRECTOR), timeout=10)
    except grpc.aio.AioRpcError as error:
        raise AssertionError(f"{line!r} in {unit}: {error.details()}") from error
    return time.perf_counter() - began


async def _floors(connection: asyncpg.Connection, people: Sequence[Any]) -> tuple[list[float], list[float]]:
    """Seconds of a range of keys in order, and of a bare question by trigrams; both of the whole name, unranked."""
    await connection.execute(
        'CREATE TABLE floor (name text COLLATE "C"); INSERT INTO floor SELECT search_name FROM pupil;'
        "CREATE INDEX ON floor (name); CREATE INDEX ON floor USING gin (name gin_trgm_ops); ANALYZE floor"
    )
    try:
        ordered = await _answered(
            connection, "SELECT * FROM floor WHERE name >= $1 AND name < $1 || '~' ORDER BY name LIMIT 20", people
        )
        bare = await _answered(connection, "SELECT count(*) FROM floor WHERE name LIKE '%' || $1 || '%'", people)
    finally:
        await connection.execute("DROP TABLE floor")
    return ordered, bare


async def _answered(connection: asyncpg.Connection, question: str, people: Sequence[Any]) -> list[float]:
    seconds = []
    for who in people:
        began = time.perf_counter()
        await connection.fetch(question, who["search_name"])
        seconds.append(time.perf_counter() - began)
    return seconds
