"""Corrections by hand among a source's pushes, in any order: the record is what a plain model says."""

import asyncio
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from iocedu.records.v1 import records_pb2, resources_pb2

from chassis.clock import Clock
from chassis.database import Database
from services.records.convert.incoming import read_batch
from services.records.domain.edits import etag_of
from services.records.domain.persons import PUPIL
from services.records.store.lookup import records_by_key
from services.records.usecases.apply import apply_rows
from tests.integration.records.scenes import gone, pupil
from tests.support.databases import DatabaseFactory

ACCEPTED, UNCHANGED = resources_pb2.ROW_STATE_ACCEPTED, resources_pb2.ROW_STATE_UNCHANGED
STALE, REJECTED = resources_pb2.ROW_STATE_STALE, resources_pb2.ROW_STATE_REJECTED


class Push(NamedTuple):
    """The source sends a name under a version; no name: the record is gone."""

    version: int
    name: str


class Correct(NamedTuple):
    """Someone writes another name over what he saw, which may be what was there before the last step."""

    name: str
    late: bool


@dataclass
class Model:
    """What is expected of one record."""

    version: int = 0
    sent: str = ""
    shown: str = ""

    def push(self, step: Push) -> int:
        """The state of a pushed row."""
        if step.version < self.version:
            return STALE
        if step.version == self.version:
            return UNCHANGED if step.name == self.sent else REJECTED
        same = self.version > 0 and step.name == self.sent
        self.version = step.version
        if same:
            return UNCHANGED
        self.sent = self.shown = step.name
        return ACCEPTED


NAMES = ("Lê An", "Trần Bình", "Võ Chi")
STEPS = st.one_of(
    st.builds(Push, st.integers(1, 5), st.sampled_from(("", *NAMES))),
    st.builds(Correct, st.sampled_from(NAMES), st.booleans()),
)


async def send(database: Database, request: records_pb2.ApplyRowsRequest, school: int) -> int:
    """The state of the request's only row."""
    batch = await read_batch(request, school=lambda _: school, caller="van-thu")
    async with database.transaction() as connection:
        (answer,) = await apply_rows(connection, [batch], now=Clock().now())
    return records_pb2.ApplyRowsResponse.FromString(answer).states[0]


async def seen(database: Database, school: int) -> tuple[str, int, str]:
    """Etag, version and name of the record that is there."""
    async with database.connection() as connection:
        record = (await records_by_key(connection, PUPIL, [(school, "k")], withheld=True)).get((school, "k"))
    if record is None:
        return "", 0, ""
    return etag_of(record), record[PUPIL.row.index("version")], record[PUPIL.row.index("full_name")]


async def test_whatever_comes_in_whatever_order_the_record_is_what_the_model_says(
    database_factory: DatabaseFactory,
) -> None:
    """A correction of what is there is stored, one of anything else is refused; pushes are judged by what was sent."""
    database = await database_factory("records")
    schools, requests = count(1), count()

    async def follow(steps: list[Push | Correct]) -> None:
        school, model, before = next(schools), Model(), ""
        for step in steps:
            now = (await seen(database, school))[0]
            request = records_pb2.ApplyRowsRequest(request_id=str(next(requests)), source="vnedu")
            if isinstance(step, Push):
                row = pupil("k", step.version, full_name=step.name) if step.name else gone("k", step.version)
                expected = model.push(step)
            else:
                row = pupil("k", max(model.version, 1), full_name=step.name)
                request.edit.etag = (before if step.late else now) or "none"
                request.edit.digest = step.name.encode()
                expected = REJECTED
                if request.edit.etag == now and model.shown:
                    model.shown, expected = step.name, ACCEPTED
            request.rows.append(row)
            if isinstance(step, Correct) and now and not model.shown:
                continue  # Nobody is given a deleted record to correct.
            assert await send(database, request, school) == expected
            assert (await seen(database, school))[1:] == (model.version, model.shown)
            before = now

    @settings(max_examples=80)
    @given(st.lists(STEPS, min_size=2, max_size=10))
    def examples(steps: list[Push | Correct]) -> None:
        asyncio.run_coroutine_threadsafe(follow(steps), loop).result(30)

    loop = asyncio.get_running_loop()
    await asyncio.to_thread(examples)
