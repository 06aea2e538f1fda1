"""The projection of persons brought into line again: rebuilt, after new statuses, after a lock was lifted."""

import argparse
from contextlib import AsyncExitStack
from typing import Any

import pytest
from iocedu.records.v1 import locks_pb2, persons_pb2

from chassis.settings import DatabaseSettings
from services.records import wiring
from services.records.convert.rules import in_stock_statuses
from services.records.usecases import persons as usecase
from tests.integration.records.asking import linked
from tests.integration.records.scenes import COMMUNE, SCHOOL_B, Running, pupil
from tests.support.waiting import poll_until

PID = "049214000123"
GHOST = (
    "INSERT INTO person_record SELECT school_id, type, 'ghost', deleted, school_year, in_stock, secondary, name,"
    " birth_date, sex, mother, personal_id, ministry_code, 999, 999, rule, link_time FROM person_record LIMIT 1"
)


async def told(records: Running) -> dict[str, bool]:
    """Whether each pupil counts where he or she is, as the feed tells."""
    return {one.row.key: not one.counted_elsewhere for one in await records.changes() if one.row.HasField("pupil")}


async def projection(records: Running) -> list[tuple[object, ...]]:
    """All that is derived of persons."""
    return [
        *await records.rows("SELECT school_id, key, root_id, name, in_stock FROM person_record ORDER BY 1, 2"),
        *await records.rows("SELECT person_a, person_b, reasons FROM person_pair ORDER BY 1, 2"),
        *await records.rows("SELECT school_id, key FROM counted_elsewhere ORDER BY 1, 2"),
    ]


async def test_a_rebuilt_projection_equals_itself_and_decisions_keep_their_meaning(records: Running) -> None:
    """Whatever was wrong in it is right again; who was merged or kept apart by hand stays so."""
    await records.apply(
        pupil("a", personal_id=PID),
        pupil("b", school=SCHOOL_B, personal_id=PID),
        pupil("c", full_name="Lê Hoa"),
        pupil("d", full_name="Lê Hoan"),
        pupil("e", full_name="Phan Tý"),
        pupil("f", school=SCHOOL_B, full_name="Phan Tý"),
        pupil("g", full_name="Vũ An"),
        pupil("h", school=SCHOOL_B, full_name="Vũ An"),
    )
    await linked(records)
    roots = {str(key): int(str(root)) for key, root in await records.rows("SELECT key, root_id FROM person_record")}
    stub = await records.persons()
    merge = persons_pb2.MergePersonsRequest(unit=COMMUNE, kept_id=roots["c"], gone_id=roots["d"], reason="một")
    await stub.MergePersons(merge)
    apart = persons_pb2.KeepPersonsApartRequest(unit=COMMUNE, one_id=roots["e"], other_id=roots["f"], reason="hai")
    await stub.KeepPersonsApart(apart)
    await linked(records)
    right = await projection(records)
    assert len(right) == 8 + 1 + 2  # persons, a pair in doubt, and two who count elsewhere
    async with records.database.transaction() as connection:
        for damage in (
            "UPDATE person_record SET root_id = person_id, name = 'x', in_stock = false",
            "DELETE FROM person_record WHERE key = 'g'",
            "DELETE FROM person_pair",
            "DELETE FROM counted_elsewhere",
            "INSERT INTO counted_elsewhere SELECT school_id, 'nobody' FROM pupil LIMIT 1",
            GHOST,
        ):
            await connection.exec_driver_sql(damage)

    async with AsyncExitStack() as resources:
        settings = DatabaseSettings(database_url=records.database.url)
        assert await wiring.rebuild_persons(settings, resources, argparse.Namespace()) == 0
    await settled(records)

    again = await projection(records)
    assert [row for row in again if row[1] != "g"][:7] == [row for row in right if row[1] != "g"][:7]
    assert len(again) == len(right)
    assert await told(records) == {key: key not in "bd" for key in "abcdefgh"}


async def settled(records: Running) -> None:
    """Wait until nobody is to be looked at again."""

    async def done() -> bool:
        return await records.rows(
            "SELECT (SELECT position FROM person_cursor) = (SELECT position FROM feed_position),"
            " (SELECT count(*) FROM person_recheck)"
        ) == [(True, 0)]

    await poll_until(done)
    await linked(records)


async def test_other_statuses_are_followed_through_all_records(
    records: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table says who is there: once it says otherwise who counts where is put right, without a push."""
    await records.apply(pupil("a", personal_id=PID, status="77"), pupil("b", school=SCHOOL_B, personal_id=PID))
    await linked(records)
    assert await told(records) == {"a": True, "b": True}

    now = in_stock_statuses() | {"77"}
    monkeypatch.setattr(usecase, "in_stock_statuses", lambda: now)

    async def follows() -> bool:
        return sorted((await told(records)).values()) == [False, True]

    await poll_until(follows)


async def test_what_a_lock_kept_from_being_put_right_is_once_it_is_lifted(records: Running) -> None:
    """Two enrolments that both count in a locked year are a conflict that ends with the lock, without a push."""
    stub: Any = await records.locks()
    await records.apply(pupil("a"), pupil("b", school=SCHOOL_B, full_name="Nguyễn Văn Hoàn"))
    await linked(records)
    closing: dict[str, Any] = {"unit": COMMUNE, "collections": ["pupils"], "school_year": 2026, "reason": "chốt"}
    await stub.SetLocks(locks_pb2.SetLocksRequest(**closing))
    roots = {str(key): int(str(root)) for key, root in await records.rows("SELECT key, root_id FROM person_record")}
    merge = persons_pb2.MergePersonsRequest(unit=COMMUNE, kept_id=roots["a"], gone_id=roots["b"], reason="một")
    await (await records.persons()).MergePersons(merge)
    await linked(records)
    assert await told(records) == {"a": True, "b": True}

    await stub.LiftLocks(locks_pb2.LiftLocksRequest(**closing))

    async def follows() -> bool:
        return await told(records) == {"a": True, "b": False}

    await poll_until(follows)
