"""Bulk push through the gateway, beside the same rows by COPY and merge with nothing of ours in between."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import asyncpg
from iocedu.records.v1 import resources_pb2

from benchmarks.province import Province, batches, rows
from benchmarks.report import Figure

LARGE, SMALL = 5000, 300


async def measure(province: Province) -> list[Figure]:
    """First load, the same unchanged, and with one row in a hundred changed; then small batches of other schools."""
    half = len(province.schools) // 2
    large, small = rows(province.schools[:half]), rows(province.schools[half:])
    loading = await _timed(province, batches(large, LARGE), "first", parallel=3)
    began = time.perf_counter()
    await province.settled(len(large))
    settling = loading + time.perf_counter() - began
    same = await _timed(province, batches(large, LARGE), "unchanged", parallel=3)
    changed = rows(province.schools[:half])
    for row in changed[::100]:
        row.version, row.pupil.status = 2, "03"
    touched = await _timed(province, batches(changed, LARGE), "changed", parallel=3)
    many = await _timed(province, batches(small, SMALL), "small", parallel=8)
    await province.settled(len(large) + len(small))  # Else what is measured next would pay for it.
    floor = await copy_floor(province.fleet.databases["records"], LARGE)
    count = len(large)
    first = count / loading
    return [
        _rate("push, batches of 5,000: accepted", first, floor, "≥ 1/4 of the floor and ≥ 25,000"),
        _rate("push, batches of 5,000: settled", count / settling, floor, "≥ 20,000"),
        _rate("push, batches of 300: accepted", len(small) / many, floor, "≥ 15,000"),
        Figure("the same again, unchanged", count / same, "rows/s", "≥ 2 x first", first, "first load"),
        Figure("the same again, 1 % changed", count / touched, "rows/s", "", first, "first load"),
    ]


def _rate(name: str, value: float, floor: float, budget: str) -> Figure:
    return Figure(name, value, "rows/s", budget, floor, "COPY + merge")


async def _timed(province: Province, of: list[Sequence[resources_pb2.Row]], name: str, *, parallel: int) -> float:
    began = time.perf_counter()
    await province.push(of, name=name, parallel=parallel)
    return time.perf_counter() - began


async def copy_floor(url: str, size: int) -> float:
    """Rows a second by COPY and merge into a table of the same columns and indexes; the best of 1 to 4 connections."""
    pool = [await asyncpg.connect(url) for _ in range(4)]
    try:
        stored = [tuple(row.values()) for row in await pool[0].fetch("SELECT * FROM pupil ORDER BY school_id, key")]
        names = [
            record["column_name"]
            for record in await pool[0].fetch(
                "SELECT column_name FROM information_schema.columns WHERE table_name = 'pupil'"
                " AND table_schema = current_schema() ORDER BY ordinal_position"
            )
        ]
        best = 0.0
        for connections in (1, 2, 3, 4):
            await pool[0].execute("DROP TABLE IF EXISTS floor; CREATE TABLE floor (LIKE pupil INCLUDING ALL)")
            pieces = iter([stored[start : start + size] for start in range(0, len(stored), size)])
            began = time.perf_counter()
            await asyncio.gather(*(_copy(pool[number], names, pieces) for number in range(connections)))
            best = max(best, len(stored) / (time.perf_counter() - began))
        await pool[0].execute("DROP TABLE floor")
    finally:
        for connection in pool:
            await connection.close()
    return best


async def _copy(connection: asyncpg.Connection, names: list[str], pieces: Any) -> None:
    listed = ", ".join(f'"{name}"' for name in names)
    taken = ", ".join(f'"{name}" = excluded."{name}"' for name in names)
    for piece in pieces:
        async with connection.transaction():
            await connection.execute("CREATE TEMP TABLE incoming (LIKE pupil) ON COMMIT DROP")
            await connection.copy_records_to_table("incoming", records=piece, columns=names)
            await connection.execute(
                f"INSERT INTO floor ({listed}) SELECT {listed} FROM incoming ORDER BY school_id, key"  # noqa: S608
                f" ON CONFLICT (school_id, key) DO UPDATE SET {taken}"
            )
