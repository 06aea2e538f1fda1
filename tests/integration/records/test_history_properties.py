"""History beside a model: whatever was applied, each record as of each instant, and its changes replayed."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st
from iocedu.records.v1 import history_pb2, records_pb2, resources_pb2

from chassis.database import Database
from services.records.convert.history import add_changes, record_as_of
from services.records.convert.incoming import read_batch
from services.records.domain.history import State
from services.records.domain.objects import BY_FIELD, Kind, ObjectSpec
from services.records.store.history import state_at, states
from services.records.usecases.apply import apply_rows
from tests.integration.records.scenes import gone, pupil
from tests.support.databases import DatabaseFactory

START: Final = datetime(2026, 11, 2, tzinfo=UTC)
SPAN: Final = 12  # seconds in which everything happens
EVERYTHING: Final = 1000

Rows = list[resources_pb2.Row]
Told = tuple[int, list[Rows]]  # the second at which batches share a transaction, and the batches


@dataclass(frozen=True)
class Was:
    """A state as the model keeps it."""

    since: datetime
    row: resources_pb2.Row
    request_id: str


class Model:
    """What history means, said as simply as it can be."""

    def __init__(self) -> None:
        self.states: dict[tuple[str, str, str], list[Was]] = {}  # by school, type and key, oldest first
        self.versions: dict[tuple[str, str, str], int] = {}

    def apply(self, row: resources_pb2.Row, *, request_id: str, now: datetime) -> None:
        """Take a row that came at an instant."""
        identity = (row.school, row.WhichOneof("record") or "", row.key)
        known = self.states.setdefault(identity, [])
        if row.version <= self.versions.get(identity, 0):
            return
        if known and content(known[-1].row) == content(row):
            self.versions[identity] = row.version
            return
        since = max(now, known[-1].since) if known else now
        self.versions[identity] = row.version
        known.append(Was(since, row, request_id))

    def at(self, identity: tuple[str, str, str], instant: datetime) -> Was | None:
        """The state at an instant."""
        return next((was for was in reversed(self.states[identity]) if was.since <= instant), None)


def content(row: resources_pb2.Row) -> tuple[bool, bytes]:
    """What a row says of its record."""
    return row.deleted, b"" if row.deleted else getattr(row, row.WhichOneof("record") or "").SerializeToString()


def result(key: str, version: int, *, school: str, mark: float, promoted: bool | None) -> resources_pb2.Row:
    """A row with results, which hold lists and a choice that may be open."""
    made = resources_pb2.Row(school=school, key=key, version=version)
    made.result.school_year, made.result.pupil_key, made.result.stage = 2026, "HS1", "CN"
    made.result.absent_days = int(mark) % 3
    made.result.further["GHI_CHU"] = f"điểm «{mark}»"
    made.result.subject_marks.add(subject="TOAN", mark=mark)
    if promoted is not None:
        made.result.promoted = promoted
    return made


SCHOOLS, KEYS, VERSIONS = st.sampled_from("12"), st.sampled_from("ab"), st.integers(1, 6)
ROWS = st.one_of(
    st.builds(
        lambda school, key, version, name, born: pupil(key, version, school=school, full_name=name, birth_date=born),
        SCHOOLS,
        KEYS,
        VERSIONS,
        st.sampled_from(["Lê An", "Trần Bình"]),
        st.sampled_from(["", "2014-03-09"]),
    ),
    st.builds(lambda school, key, version: gone(key, version, school=school), SCHOOLS, KEYS, VERSIONS),
    st.builds(
        lambda school, key, version, mark, promoted: result(key, version, school=school, mark=mark, promoted=promoted),
        SCHOOLS,
        KEYS,
        VERSIONS,
        st.sampled_from([0.0, 3.5, 8.25]),
        st.sampled_from([None, False, True]),
    ),
)
BATCH = st.lists(ROWS, min_size=1, max_size=4, unique_by=lambda row: (row.school, row.WhichOneof("record"), row.key))
TOLD = st.lists(st.tuples(st.integers(0, SPAN - 1), st.lists(BATCH, min_size=1, max_size=3)), min_size=1, max_size=6)


async def apply(database: Database, told: Sequence[Told], *, offset: int) -> Model:
    """Apply batches as told to schools above `offset`, and to a model."""
    model = Model()
    for number, (second, contents) in enumerate(told):
        now, batches = START + timedelta(seconds=second), []
        for place, rows in enumerate(contents):
            request_id = f"{offset}-{number}-{place}"
            request = records_pb2.ApplyRowsRequest(request_id=request_id, source="vnedu", rows=rows)
            batches.append(await read_batch(request, school=lambda school: offset + int(school)))
            for row in rows:
                model.apply(row, request_id=request_id, now=now)
        async with database.transaction() as connection:
            await apply_rows(connection, batches, now=now)
    return model


async def check(database: Database, told: Sequence[Told], *, offset: int) -> None:
    """Compare what is kept with the model, at each second and from change to change."""
    model = await apply(database, told, offset=offset)
    async with database.connection() as connection:
        for identity, known in model.states.items():
            school, field, key = identity
            spec, school_id = BY_FIELD[field], offset + int(school)
            for second in range(-1, SPAN + 1):
                instant = START + timedelta(seconds=second)
                state = await state_at(connection, spec, school_id=school_id, key=key, at=instant)
                assert seen(spec, state, school=school, key=key) == model.at(identity, instant)
            kept = await states(connection, spec, school_id=school_id, key=key, until=None, most=EVERYTHING)
            response = history_pb2.ListRecordChangesResponse()
            add_changes(response.changes, spec, kept, most=EVERYTHING, mask=False)
            assert [(one.request_id, one.version) for one in reversed(response.changes)] == [
                (was.request_id, was.row.version) for was in known
            ]
            assert replayed(response.changes) == texts(known[-1].row)


def seen(spec: ObjectSpec, state: State | None, *, school: str, key: str) -> Was | None:
    """A state that is kept, as the model keeps it."""
    if state is None:
        return None
    told_of = record_as_of(spec, state, school_id=0, key=key, alias=lambda _: school, mask=False)
    return Was(state.from_time, told_of.record.row, state.request_id or "")


def replayed(changes: Sequence[history_pb2.RecordChange]) -> dict[str, str]:
    """What the changes lead to, oldest first; each begins with what the one before left."""
    held: dict[str, str] = {}
    for change in reversed(changes):
        for field in change.fields:
            assert told(held.get(field.field, "")) == told(field.old_value)
            held[field.field] = field.new_value
    return {name: value for name, value in held.items() if told(value)}


def told(value: str) -> str:
    """A value, where nothing, zero and no are the same, as in the interface."""
    return "" if value in ("0", "false") else value


def texts(row: resources_pb2.Row) -> dict[str, str]:
    """The fields of a row, in the simplest words; what is nothing, zero or no is left out."""
    if row.deleted:
        return {}
    field = row.WhichOneof("record") or ""
    record, found = getattr(row, field), dict[str, str]()
    for column in BY_FIELD[field].columns:
        value = getattr(record, column.name)
        if column.kind is Kind.ITEMS:
            marks = ", ".join(f'{{"subject": "{one.subject}", "mark": {one.mark}}}' for one in value)
            found[column.name] = f"[{marks}]" if marks else ""
        elif column.kind is Kind.CHOICE:
            found[column.name] = "" if not record.HasField(column.name) else str(value).lower()
        else:
            found[column.name] = str(value).lower() if column.kind is Kind.FLAG else str(value)
    found |= {f"further.{name}": value for name, value in record.further.items()}
    return {name: value for name, value in found.items() if told(value)}


async def test_a_record_as_of_any_instant_is_what_it_was_then(database_factory: DatabaseFactory):
    """After any batches, alone or together, in order or late, by clocks that go back: as a model says."""
    database = await database_factory("records")
    offsets = iter(range(0, 10_000_000, 10))
    loop = asyncio.get_running_loop()

    @settings(max_examples=80)
    @given(TOLD)
    def examples(told: list[Told]) -> None:
        asyncio.run_coroutine_threadsafe(check(database, told, offset=next(offsets)), loop).result(60)

    await asyncio.to_thread(examples)
