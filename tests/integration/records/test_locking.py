"""Locks and rows in any order, and at once: nothing that is locked changes, and nothing else is held."""

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st
from iocedu.records.v1 import records_pb2, resources_pb2, results_pb2

from chassis.clock import Clock
from chassis.database import Database
from services.records.convert.incoming import read_batch
from services.records.domain.locks import Actor, LockDraft
from services.records.usecases.apply import apply_rows, applying
from services.records.usecases.locks import Asked, lift_locks, set_locks
from tests.support.databases import DatabaseFactory
from tests.support.waiting import poll_until

SCHOOLS, YEARS, STAGES = (1, 2), (2025, 2026), ("CK1", "CN")
NEW, CHANGED, HELD = 1, 1, 5
UNCHANGED, STALE, REJECTED = 2, 3, 4
WHO: Final = Actor("giamdoc@so")
NOBODY: Final = Asked("", b"")

Place = tuple[int, str]
Identity = tuple[int, str]


class Model:
    """What locks mean, said as simply as it can be."""

    def __init__(self) -> None:
        self.locks: set[tuple[int, int, str]] = set()  # school, year, stage or the whole year
        self.stored: dict[Identity, tuple[int, Place | None, int]] = {}  # version, place (none: deleted), content

    def closed(self, school: int, place: Place | None) -> bool:
        """Whether a place is closed."""
        return place is not None and bool({(school, place[0], ""), (school, *place)} & self.locks)

    def apply(self, row: resources_pb2.Row) -> int:
        """Take a row and say what becomes of it."""
        school = int(row.school)
        place = None if row.deleted else (row.result.school_year, row.result.stage)
        content = 0 if row.deleted else row.result.absent_days + 1
        before = self.stored.get((school, row.key))
        if before is not None:
            version, stood, was = before
            same = (stood, was) == (place, content)
            if row.version <= version:
                return STALE if row.version < version else UNCHANGED if same else REJECTED
            if same:
                self.stored[school, row.key] = (row.version, place, content)
                return UNCHANGED
            if self.closed(school, stood):
                return HELD
        if self.closed(school, place):
            return HELD
        self.stored[school, row.key] = (row.version, place, content)
        return CHANGED

    def frozen(self) -> Mapping[Identity, tuple[Place | None, int]]:
        """What is locked, without versions."""
        return {
            identity: (place, content)
            for identity, (_, place, content) in self.stored.items()
            if self.closed(identity[0], place)
        }


def made(school: int, key: str, version: int, place: Place, days: int, *, dead: bool) -> resources_pb2.Row:
    """A row with results, or one that says they are gone."""
    record = results_pb2.Result(school_year=place[0], pupil_key=key, stage=place[1], absent_days=days)
    record = results_pb2.Result() if dead else record
    return resources_pb2.Row(school=str(school), key=key, version=version, deleted=dead, result=record)


PLACES = st.tuples(st.sampled_from(YEARS), st.sampled_from(STAGES))
ROWS = st.builds(
    made,
    st.sampled_from(SCHOOLS),
    st.sampled_from("ab"),
    st.integers(1, 6),
    PLACES,
    st.integers(0, 1),
    dead=st.sampled_from([False, False, False, True]),
)
REQUESTS = st.lists(ROWS, min_size=1, max_size=4, unique_by=lambda row: (row.school, row.key))
# Requests that share a transaction; or some schools, a year and a stage (empty: all of it) to lock or to lift.
CHANGES = st.tuples(
    st.sampled_from(["set", "set", "lift"]),
    st.lists(st.sampled_from(SCHOOLS), min_size=1, unique=True),
    st.sampled_from(YEARS),
    st.sampled_from(["", *STAGES]),
)
STEPS = st.lists(st.one_of(st.lists(REQUESTS, min_size=1, max_size=3), CHANGES), min_size=1, max_size=12)
Step = Any


class Scene:
    """Records of schools `offset` + 1 and + 2 in a database that other scenes share."""

    def __init__(self, database: Database, offset: int) -> None:
        self._database = database
        self._offset = offset
        self._numbers = itertools.count()

    async def apply(self, requests: Sequence[Sequence[resources_pb2.Row]]) -> list[int]:
        """Apply requests in one transaction; the states of all their rows."""
        batches = []
        for rows in requests:
            request = records_pb2.ApplyRowsRequest(
                request_id=f"{self._offset}-{next(self._numbers)}", source="vnedu", rows=rows
            )
            batches.append(await read_batch(request, school=lambda school: self._offset + int(school)))
        async with self._database.transaction() as connection:
            answers = await apply_rows(connection, batches, now=Clock().now())
        return [state for answer in answers for state in records_pb2.ApplyRowsResponse.FromString(answer).states]

    async def change(self, what: str, schools: Sequence[int], year: int, stage: str) -> int:
        """Set or lift locks; how many changed."""
        draft = LockDraft(("results",), year, stage, "chốt")
        work = set_locks if what == "set" else lift_locks
        ids = [self._offset + school for school in schools]
        counted = await work(self._database, Clock(), draft, schools=ids, by=WHO, asked=NOBODY)
        return counted.changed

    async def stored(self) -> dict[Identity, tuple[int, Place | None, int]]:
        """What the database holds, as the model says it."""
        query = (
            f"SELECT school_id - {self._offset}, key, version, school_year, stage, absent_days, deleted FROM result"
            f" WHERE school_id IN ({self._offset + 1}, {self._offset + 2})"
        )
        async with self._database.connection() as connection:
            rows = [tuple(row) for row in await connection.exec_driver_sql(query)]
        return {
            (school, key): (version, None, 0) if dead else (version, (year, stage), days + 1)
            for school, key, version, year, stage, days, dead in rows
        }


async def test_any_order_of_locks_and_rows_ends_as_it_should(database_factory: DatabaseFactory):
    """Every row has the outcome the model names, and what is locked is the same after each step as before it."""
    database = await database_factory("records")
    offsets = itertools.count(0, 10)

    async def follow(steps: list[Step]) -> None:
        scene, model = Scene(database, next(offsets)), Model()
        for step in steps:
            if isinstance(step, tuple):
                what, schools, year, stage = step
                places, before = {(school, year, stage) for school in schools}, set(model.locks)
                model.locks = before | places if what == "set" else before - places
                assert await scene.change(what, schools, year, stage) == len(model.locks ^ before)
            else:
                frozen = model.frozen()
                assert await scene.apply(step) == [model.apply(row) for rows in step for row in rows]
                assert {key: model.stored[key][1:] for key in frozen} == frozen
            assert await scene.stored() == model.stored

    @settings(max_examples=60)
    @given(STEPS)
    def examples(steps: list[Step]) -> None:
        asyncio.run_coroutine_threadsafe(follow(steps), loop).result(30)

    loop = asyncio.get_running_loop()
    await asyncio.to_thread(examples)


async def test_once_a_lock_is_set_no_later_commit_changes_what_it_closes(database_factory: DatabaseFactory):
    """However many write at that moment: a row was stored before, or is held. After the lift rows are taken again."""
    database = await database_factory("records")
    taking = applying(database, Clock())
    scene = Scene(database, 0)
    versions, stop, states = itertools.count(2), asyncio.Event(), list[int]()
    await scene.apply([[made(1, key, 1, (2026, "CK1"), 0, dead=False) for key in "abcd"]])

    async def write(key: str) -> None:
        while not stop.is_set():
            version = next(versions)
            row = made(1, key, version, (2026, "CK1"), version % 300, dead=version % 7 == 0)
            request = records_pb2.ApplyRowsRequest(request_id=f"w{version}", source="vnedu", rows=[row])
            answer = await taking.ask(await read_batch(request, school=int))
            states.extend(records_pb2.ApplyRowsResponse.FromString(answer).states)

    async def more(count: int) -> None:
        wanted = len(states) + count
        await poll_until(lambda: len(states) >= wanted)

    writers = [asyncio.create_task(write(key)) for key in "abcd"]
    try:
        for _ in range(12):
            await more(8)
            assert await scene.change("set", [1], 2026, "CK1") == 1
            at_once = await scene.stored()
            await more(12)
            assert await scene.stored() == at_once
            assert await scene.change("lift", [1], 2026, "CK1") == 1
    finally:
        stop.set()
        await asyncio.gather(*writers)

    assert {CHANGED, HELD} <= set(states)


async def test_two_who_lock_at_once_leave_one_lock(database_factory: DatabaseFactory):
    """One of them is told that it was locked already."""
    database = await database_factory("records")
    scene = Scene(database, 0)

    for _ in range(5):
        changed = await asyncio.gather(*(scene.change("set", [1, 2], 2026, "") for _ in range(4)))
        assert sum(changed) == 2
        changed = await asyncio.gather(*(scene.change("lift", [2, 1], 2026, "") for _ in range(4)))
        assert sum(changed) == 2
