"""The access log sealed: nothing passed over, nothing twice, and whatever is done to it is found."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from nats.js.errors import APIError, NotFoundError
from sqlalchemy.ext.asyncio import AsyncConnection
from structlog.testing import capture_logs

from chassis.bus import Bus
from chassis.database import Database
from chassis.errors import Fault
from services.records.domain.reading import Reading
from services.records.domain.sealing import Anchor, Entry, Head, linked
from services.records.store import seals
from services.records.store.access_log import append_readings
from services.records.store.anchors import STREAM, Anchors
from services.records.store.driver import begin
from services.records.usecases import sealing
from services.records.usecases.sealing import anchor_head, check_log, check_whole_log, seal_entries
from tests.support.databases import DatabaseFactory

MOMENT: Final = datetime(2026, 11, 2, 1, tzinfo=UTC)
NUMBER: Final = 8  # entries that are tampered with
FIELDS: Final = {
    "read_time": "read_time + interval '1 microsecond'",
    "subject": "subject || 'x'",
    "method": "method || 'x'",
    "unit_id": "unit_id + 1",
    "collection": "collection || 'x'",
    "key": "key || 'x'",
    "record_count": "record_count + 1",
    "purpose": "purpose || 'x'",
    "unmasked": "NOT unmasked",
    "trace_id": "trace_id || 'x'",
}
SEAL_FIELDS: Final = {"entry_id": "entry_id + 1000", "hash": "set_byte(hash, 0, 255 - get_byte(hash, 0))"}


def reading(number: int) -> Reading:
    """One of many readings."""
    return Reading(
        MOMENT + timedelta(seconds=number), f"s{number}@a", "GetRecord", 7, "pupils", f"HS{number}", 1, "", False, "t"
    )


async def write(database: Database, *numbers: int) -> None:
    """Write readings down, each by itself."""
    for number in numbers:
        async with database.connection() as connection:
            await append_readings(connection, [reading(number)])


async def checked(database: Database, anchors: Sequence[Anchor] = ()) -> sealing.Checked:
    """What a check finds."""
    return await check_whole_log(database, list(anchors))


async def sealed_keys(database: Database) -> list[str]:
    """Keys of the sealed entries in the chain's order."""
    query = "SELECT key FROM access_seal JOIN access_log USING (entry_id) ORDER BY sequence"
    async with database.connection() as connection:
        return list(await connection.scalars(sa.text(query)))


async def test_entries_are_sealed_in_order_and_once(database_factory: DatabaseFactory):
    """In blocks, again and again, by whoever comes."""
    database = await database_factory("records")
    await write(database, *range(5))

    assert await seal_entries(database, most=3) == 3
    assert await seal_entries(database, most=3) == 2
    assert await seal_entries(database, most=3) == 0

    assert await sealed_keys(database) == [f"HS{number}" for number in range(5)]
    found = await checked(database)
    assert (found.wrong, found.head.sequence, found.waiting) == (None, 5, 0)


async def test_an_entry_that_is_committed_late_is_sealed_late(database_factory: DatabaseFactory):
    """Its number is lower than sealed ones: it comes after them in the chain, and is not passed over."""
    database = await database_factory("records")
    async with database.transaction() as slow:
        await begin(slow)
        await append_readings(slow, [reading(0)])
        await write(database, 1)
        assert await seal_entries(database) == 1
        assert await seal_entries(database) == 0

    assert await seal_entries(database) == 1

    assert await sealed_keys(database) == ["HS1", "HS0"]
    assert (await checked(database)).wrong is None


async def test_an_entry_that_is_queued_twice_is_sealed_once(database_factory: DatabaseFactory):
    """As when the queue is filled from the log beside a service that seals."""
    database = await database_factory("records")
    await write(database, 0)
    await seal_entries(database)
    async with database.transaction() as connection:
        await connection.exec_driver_sql("INSERT INTO access_unsealed SELECT entry_id FROM access_log")

    assert await seal_entries(database) == 0

    found = await checked(database)
    assert (found.wrong, found.head.sequence, found.waiting) == (None, 1, 0)


@pytest.mark.parametrize("step", ["take_unsealed", "head", "append_seals"])
async def test_what_dies_between_two_steps_has_done_nothing(
    step: str, database_factory: DatabaseFactory, monkeypatch: pytest.MonkeyPatch
):
    """Before and after each step the database cuts the session off; whoever comes next seals all of it, once."""
    database = await database_factory("records")
    await write(database, *range(4))
    await seal_entries(database, most=1)
    real = getattr(seals, step)
    for after in (False, True):

        async def dying(connection: AsyncConnection, *given: Any, late: bool = after, **named: Any) -> Any:
            answer = await real(connection, *given, **named) if late else None
            await connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
            return answer

        with monkeypatch.context() as patch:
            patch.setattr(seals, step, dying)
            with pytest.raises((Fault, sa.exc.DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError)):
                await seal_entries(database)
        assert len(await sealed_keys(database)) == 1

    assert await seal_entries(database) == 3
    found = await checked(database)
    assert (found.wrong, found.head.sequence, found.waiting) == (None, 4, 0)


async def test_many_writers_and_many_sealers_leave_nothing_out(database_factory: DatabaseFactory):
    """At once, with writers that give up after taking a number, and sealers that are cut off in the middle."""
    database = await database_factory("records")
    written = asyncio.Event()
    cut = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND query LIKE 'COPY%access_seal%'"
    )

    async def write_many(start: int) -> None:
        for number in range(start, start + 40):
            async with database.transaction() as connection:
                await begin(connection)
                await append_readings(connection, [reading(number)])
                await asyncio.sleep(0.001 * (number % 4))
                if number % 5 == 4:
                    await connection.rollback()

    async def seal_until_written() -> None:
        while not written.is_set():
            with contextlib.suppress(Fault, sa.exc.DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await seal_entries(database, most=7)
            await asyncio.sleep(0)

    async def cut_off() -> None:
        while not written.is_set():
            await asyncio.sleep(0.02)
            async with database.connection() as connection:
                await connection.exec_driver_sql(cut)

    others = [asyncio.create_task(one()) for one in (*[seal_until_written] * 3, cut_off)]
    await asyncio.gather(*(write_many(start) for start in range(0, 400, 100)))
    written.set()
    await asyncio.gather(*others)
    while await seal_entries(database):
        pass

    keys = await sealed_keys(database)
    assert len(keys) == len(set(keys)) == 4 * 32
    found = await checked(database)
    assert (found.wrong, found.head.sequence, found.waiting) == (None, 4 * 32, 0)


async def tampered(connection: AsyncConnection, kind: str, first: int, second: int, field: str) -> int:
    """Do something to the log that its triggers would refuse; returns the place of the chain where it must show."""
    low, high = sorted((first, second))
    entry = f"(SELECT entry_id FROM access_seal WHERE sequence = {first})"
    listed = ", ".join(FIELDS)
    copied = f"{listed} FROM access_log WHERE entry_id = {entry}"
    scripts = {
        "change": [
            f"UPDATE access_seal SET {field} = {SEAL_FIELDS[field]} WHERE sequence = {first}"
            if field in SEAL_FIELDS
            else f"UPDATE access_log SET {field} = {FIELDS[field]} WHERE entry_id = {entry}"
        ],
        "remove": [f"DELETE FROM access_log WHERE entry_id = {entry}"],
        "remove the seal": [f"DELETE FROM access_seal WHERE sequence = {first}"],
        "remove both": [
            f"DELETE FROM access_log WHERE entry_id = {entry}",
            f"DELETE FROM access_seal WHERE sequence = {first}",
        ],
        "remove both and close the gap": [
            f"DELETE FROM access_log WHERE entry_id = {entry}",
            f"DELETE FROM access_seal WHERE sequence = {first}",
            f"UPDATE access_seal SET sequence = sequence + 1000 WHERE sequence > {first}",
            "UPDATE access_seal SET sequence = sequence - 1001 WHERE sequence > 1000",
        ],
        "swap": [
            f"CREATE TEMP TABLE swapped ON COMMIT DROP AS SELECT * FROM access_seal WHERE sequence IN ({low}, {high})",
            f"DELETE FROM access_seal WHERE sequence IN ({low}, {high})",
            f"INSERT INTO access_seal SELECT {low + high} - sequence, entry_id, hash FROM swapped",
        ],
        "insert": [f"INSERT INTO access_log (entry_id, {listed}) OVERRIDING SYSTEM VALUE SELECT 5000, {copied}"],
    }
    for statement in ("SET LOCAL session_replication_role = replica", *scripts[kind]):
        await connection.exec_driver_sql(statement)
    return {"swap": low, "insert": NUMBER + 1}.get(kind, first)


KINDS: Final = ["change", "remove", "remove the seal", "remove both", "remove both and close the gap", "swap", "insert"]
TAMPERINGS = st.tuples(
    st.sampled_from(KINDS),
    st.one_of(st.sampled_from([1, NUMBER]), st.integers(1, NUMBER)),
    st.integers(1, NUMBER),
    st.sampled_from(sorted({**FIELDS, **SEAL_FIELDS})),
)


async def test_whatever_is_done_to_the_log_is_found(database_factory: DatabaseFactory):
    """Any field of any entry, an entry gone (first, middle, last), inserted, out of order; named by its place."""
    database = await database_factory("records")
    await write(database, *range(NUMBER))
    await seal_entries(database)
    async with database.connection() as connection:
        anchor = Anchor(await seals.head(connection), MOMENT)
    assert (await checked(database, [anchor])).wrong is None
    loop = asyncio.get_running_loop()

    async def compare(kind: str, first: int, second: int, field: str) -> None:
        if kind == "swap" and first == second:
            return
        async with database.engine.connect() as connection:
            place = await tampered(connection, kind, first, second, field)
            found = await check_log(connection, [anchor])
            await connection.rollback()

        assert found.wrong is not None
        assert found.wrong.sequence == place
        assert found.head.sequence == place - 1

    @settings(max_examples=150)
    @given(TAMPERINGS)
    def examples(given: tuple[str, int, int, str]) -> None:
        asyncio.run_coroutine_threadsafe(compare(*given), loop).result(30)

    await asyncio.to_thread(examples)


async def test_a_chain_made_anew_from_some_entry_on_is_told_from_the_anchored_one(database_factory: DatabaseFactory):
    """Who owns the database can make every hash fit; what was told outside it does not change with it."""
    database = await database_factory("records")
    await write(database, *range(NUMBER))
    await seal_entries(database)
    async with database.connection() as connection:
        anchor = Anchor(await seals.head(connection), MOMENT)
    async with database.transaction() as connection:
        await connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        await connection.exec_driver_sql("UPDATE access_log SET purpose = 'x' WHERE entry_id = 5")
        old = await seals.seals_after(connection, 0, most=NUMBER)
        head = Head(0, bytes(32))
        for seal in old:
            assert seal.reading is not None
            head = linked(head, Entry(seal.entry_id, seal.reading))
            await connection.execute(
                sa.text("UPDATE access_seal SET hash = :hash WHERE sequence = :sequence"),
                {"hash": head.hash, "sequence": head.sequence},
            )

    assert (await checked(database)).wrong is None
    wrong = (await checked(database, [anchor])).wrong
    assert wrong is not None
    assert "another hash" in wrong.what


async def test_an_entry_removed_before_it_was_sealed_leaves_its_place_in_the_queue(database_factory: DatabaseFactory):
    """It is never sealed away, and the others go on."""
    database = await database_factory("records")
    await write(database, 0, 1)
    async with database.transaction() as connection:
        await connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        await connection.exec_driver_sql("DELETE FROM access_log WHERE key = 'HS0'")

    assert await seal_entries(database) == 1

    wrong = (await checked(database)).wrong
    assert wrong is not None
    assert wrong.entry_id == 1


@pytest.mark.parametrize(("table", "column"), [("access_log", "subject"), ("access_seal", "hash")])
async def test_the_database_refuses_to_rewrite_entries_and_seals(
    table: str, column: str, database_factory: DatabaseFactory
):
    """Whoever asks, short of switching its triggers off."""
    database = await database_factory("records")
    await write(database, 0)
    await seal_entries(database)

    for statement in (f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}", f"TRUNCATE {table}"):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"):
            async with database.transaction() as connection:
                await connection.exec_driver_sql(statement)


async def test_the_head_is_anchored_when_it_moved(database_factory: DatabaseFactory, bus: Bus):
    """Once a head, by any replica; a chain that no longer holds what was told is told of."""
    database, anchors = await database_factory("records"), Anchors(bus)
    assert await anchors.last() is None
    assert (await anchor_head(database, anchors)).sequence == 0
    for number in (0, 1):
        await write(database, number)
        await seal_entries(database)
        await anchor_head(database, anchors)
        await anchor_head(database, Anchors(bus))

    told = await anchors.every()
    assert [anchor.head.sequence for anchor in told] == [1, 2]
    found = await checked(database, told)
    assert (found.wrong, found.met) == (None, 2)

    other = await database_factory("records")
    await write(other, 7)
    await seal_entries(other)
    await anchor_head(other, anchors)
    assert [anchor.head.sequence for anchor in await anchors.every()] == [1, 2, 1]
    assert (await checked(database, await anchors.every())).wrong is not None


async def test_anchors_that_are_gone_are_told_of_once_and_begin_anew(database_factory: DatabaseFactory, bus: Bus):
    """With the stream, or the newest of them; a first anchor is none that was lost."""
    database, anchors = await database_factory("records"), Anchors(bus)

    async def told() -> list[str]:
        with capture_logs() as logs:
            await anchor_head(database, anchors)
        return [one["action"].removeprefix("access_log.") for one in logs]

    for number in (0, 1):
        await write(database, number)
        await seal_entries(database)
        assert await told() == ["anchored"]
    earlier = (await anchors.every())[0].head

    await bus.jetstream.delete_stream(STREAM)
    assert await told() == ["anchors_gone", "anchored"]
    assert await told() == []
    await bus.jetstream.delete_stream(STREAM)
    await anchors.append(earlier)
    assert await told() == ["anchors_gone", "anchored"]
    assert [one.head.sequence for one in await anchors.every()] == [1, 2]


async def test_an_anchor_cannot_be_taken_back(database_factory: DatabaseFactory, bus: Bus):
    """The broker refuses to delete what was told."""
    database, anchors = await database_factory("records"), Anchors(bus)
    await write(database, 0)
    await seal_entries(database)
    await anchor_head(database, anchors)

    with pytest.raises(APIError):
        await bus.jetstream.delete_msg("ACCESS_LOG_ANCHORS", 1)
    with pytest.raises(APIError):
        await bus.jetstream.purge_stream("ACCESS_LOG_ANCHORS")

    assert len(await anchors.every()) == 1


async def verify(database: Database, *typed: str, **environment: str) -> tuple[int, str]:
    """Run the command; its status, and all it says."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "services.records", "verify-access-log", *typed],
        env={"IOCEDU_DATABASE_URL": database.url, "PATH": "", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


async def test_a_log_whose_anchors_are_gone_is_wrong(database_factory: DatabaseFactory, bus: Bus, nats_url: str):
    """Once it is old enough for one; the command does not make the stream, nor does an anchor given stand for it."""
    database = await database_factory("records")

    async def grown(age: timedelta) -> Head:
        async with database.connection() as connection:
            await append_readings(connection, [replace(reading(0), read_time=datetime.now(UTC) - age)])
        await seal_entries(database)
        async with database.connection() as connection:
            return await seals.head(connection)

    status, text = await verify(database, IOCEDU_NATS_URL=nats_url)
    assert (status, "0 of 0 anchors agree" in text) == (0, True), text
    head = await grown(timedelta(minutes=5))
    status, text = await verify(database, IOCEDU_NATS_URL=nats_url, IOCEDU_ACCESS_ANCHOR_SECONDS="600")
    assert status == 0, text
    for _ in range(2):
        given = ("--anchor", f"1:{head.hash.hex()}")
        status, text = await verify(database, *given, IOCEDU_NATS_URL=nats_url)
        assert (status, "WRONG: the broker holds no anchor" in text, "1 of 1" in text) == (1, True, True), text
    with pytest.raises(NotFoundError):
        await bus.jetstream.stream_info(STREAM)

    await anchor_head(database, Anchors(bus))
    status, text = await verify(database, IOCEDU_NATS_URL=nats_url)
    assert (status, "1 of 1 anchors agree, the broker's oldest of" in text) == (0, True), text
    status, text = await verify(database, "--since", "2999-01-01T00:00:00Z", IOCEDU_NATS_URL=nats_url)
    assert (status, "0 of 0 anchors agree" in text) == (0, True), text


async def test_the_command_says_what_is_wrong_and_by_its_exit_status(
    database_factory: DatabaseFactory, bus: Bus, nats_url: str
):
    """It needs the database's address and, for the anchors, the broker's; an anchor can be given."""
    database = await database_factory("records")
    await write(database, *range(3))
    await seal_entries(database)
    head = await anchor_head(database, Anchors(bus))

    status, text = await verify(database, IOCEDU_NATS_URL=nats_url)
    assert (status, "1 of 1 anchors agree" in text) == (0, True), text
    status, text = await verify(database, "--anchor", f"3:{head.hash.hex()}")
    assert (status, "1 of 1 anchors agree" in text) == (0, True), text
    status, text = await verify(database, "--anchor", f"4:{head.hash.hex()}")
    assert (status, "ends before" in text) == (1, True), text
    status, text = await verify(database, "--anchor", "x")
    assert (status, "an anchor is" in text) == (2, True), text

    async with database.transaction() as connection:
        await connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        await connection.exec_driver_sql("UPDATE access_log SET subject = 'x' WHERE key = 'HS1'")
    status, text = await verify(database)
    assert (status, "WRONG at place 2, entry 2" in text) == (1, True), text
