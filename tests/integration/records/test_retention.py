"""What is kept no longer is let go by rule: counted first, in portions, and not where it is locked."""

from datetime import date, timedelta

import pytest
from iocedu.records.v1 import locks_pb2

from chassis.testing import FixedClock
from services.records import jobs
from services.records.convert.rules import load_retention_rules
from services.records.domain.retention import ATTENDANCE_NAMES, RetentionRule, rule_in_force
from services.records.store import erasing
from services.records.store.retention import REGISTER
from services.records.usecases import retention
from tests.integration.records.asking import everything, register
from tests.integration.records.scenes import SCHOOL_A, SCHOOL_B, Running

OLD = ("2021-10-04", "2021-10-05", "2021-10-06")


async def names(records: Running) -> list[tuple[object, ...]]:
    """Day, how many were away, and who, of each register."""
    return await records.rows(
        "SELECT day::text, jsonb_array_length(exceptions), exceptions->0->>'pupil_key'"
        " FROM attendance_register ORDER BY day"
    )


async def test_old_registers_lose_names_and_keep_counts(
    records: Running, clock: FixedClock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dry run counts and changes nothing; what goes is told; a second run finds nothing."""
    monkeypatch.setattr(retention, "AT_ONCE", 1)
    await records.apply(*(register("HS1", "HS2", day=day) for day in (*OLD, "2026-10-05")))
    await records.apply(register("HS1", day=OLD[0], version=2))
    before = await everything(records)

    await jobs.report_retention(records.database, clock, dry_run=True)
    assert await everything(records) == before
    assert "3 registers of 2021-10-04 to" in capsys.readouterr().out

    done = await jobs.retain(records.database, clock)

    assert done is not None
    assert (done.changed, done.locked) == (3, 0)
    assert await names(records) == [
        (OLD[0], 1, None),
        *((day, 2, None) for day in OLD[1:]),
        ("2026-10-05", 2, "HS1"),
    ]
    assert await records.rows("SELECT count(*) FROM record_history") == [(0,)]
    await records.settled()
    told = [one.row.attendance_register for one in await records.changes()]
    assert min((one.day, one.exceptions[0].kind, one.exceptions[0].pupil_key) for one in told) == (
        OLD[0],
        "P",
        "",
    )
    assert await jobs.retain(records.database, clock) is None
    again = await records.apply(register("HS1", "HS2", day=OLD[1]))
    assert list(again.states) == [2]
    assert await names(records) != []


async def test_states_of_many_schools_are_forgotten_at_once_and_of_no_other_register(records: Running) -> None:
    """Of keys that two schools share, only those of the school that is named."""
    rows = []
    for version in (1, 2):
        for school in (SCHOOL_A, SCHOOL_B):
            for day in OLD:
                row = register("HS1", f"HS{version + 1}", version=version, day=day)
                row.school = school
                rows.append(row)
    await records.apply(*rows[:6])
    await records.apply(*rows[6:])
    held = await records.rows("SELECT school_id, key FROM record_history ORDER BY school_id, key")
    assert len(held) == 6
    gone = [(int(str(school_id)), str(key)) for school_id, key in (held[0], held[4])]
    async with records.database.transaction() as connection:
        await erasing.forget_states_of(connection, REGISTER, gone)
    left = await records.rows("SELECT school_id, key FROM record_history ORDER BY school_id, key")
    assert left == [one for place, one in enumerate(held) if place not in (0, 4)]


async def test_what_is_locked_stays_until_it_is_not(records: Running, clock: FixedClock) -> None:
    """And is looked at again by every run."""
    await records.apply(*(register("HS1", day=day) for day in OLD))
    stub = await records.locks()
    closing = locks_pb2.SetLocksRequest(
        unit=SCHOOL_A, collections=["attendance"], school_year=2026, period="2026-10", reason="chốt"
    )
    async with records.database.transaction() as connection:
        await connection.exec_driver_sql("UPDATE attendance_register SET school_year = 2021")
    closing.school_year, closing.period = 2021, "2021-10"
    await stub.SetLocks(closing)

    held = await jobs.retain(records.database, clock)
    assert held is not None
    assert (held.changed, held.locked) == (0, 3)
    opening = locks_pb2.LiftLocksRequest(
        unit=SCHOOL_A, collections=["attendance"], school_year=2021, period="2021-10", reason="mở"
    )
    await stub.LiftLocks(opening)

    done = await jobs.retain(records.database, clock)
    assert done is not None
    assert (done.changed, done.locked) == (3, 0)


def test_the_rule_of_the_day_counts_and_names_its_source() -> None:
    """A newer rule takes the place of an older one from its day on."""
    rules = [
        *load_retention_rules(),
        RetentionRule(ATTENDANCE_NAMES, "", 365, date(2027, 1, 1), "Thông tư mới"),
    ]

    old, new = (rule_in_force(rules, ATTENDANCE_NAMES, date(year, 2, 1)) for year in (2026, 2027))

    assert old is not None
    assert new is not None
    assert (old.kept_days, new.kept_days, new.source) == (1826, 365, "Thông tư mới")
    assert old.before(date(2026, 11, 2)) == date(2021, 11, 2)


async def test_what_is_just_old_enough_to_be_kept_keeps_its_names(records: Running, clock: FixedClock) -> None:
    """The day before which names go is itself kept, and looked at by the next day's run."""
    rule = rule_in_force(load_retention_rules(), ATTENDANCE_NAMES, clock.today())
    assert rule is not None
    kept = rule.before(clock.today())
    assert kept is not None
    gone = kept - timedelta(days=1)
    await records.apply(*(register("HS1", day=day.isoformat()) for day in (gone, kept)))

    done = await jobs.retain(records.database, clock)

    assert done is not None
    assert done.changed == 1
    assert await names(records) == [(gone.isoformat(), 1, None), (kept.isoformat(), 1, "HS1")]
    clock.advance(timedelta(days=1))
    done = await jobs.retain(records.database, clock)
    assert done is not None
    assert (done.first, done.changed) == (kept, 1)
