"""Waiting in tests: always for something, never for a time. Refuses to wait without a bound."""

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from chassis.database import Database
from chassis.workers import Worker


async def poll_until(predicate: Callable[[], Any], timeout: float = 60.0) -> Any:  # noqa: ASYNC109
    """Ask again and again until the answer, awaited where it has to be, is truthy; return it.

    Fails with the last answer after `timeout` seconds.
    """
    end = time.monotonic() + timeout
    while True:
        answer = predicate()
        if inspect.isawaitable(answer):
            answer = await answer
        if answer:
            return answer
        assert time.monotonic() < end, f"still {answer!r} after {timeout} s: {inspect.getsource(predicate).strip()}"
        await asyncio.sleep(0.02)


@asynccontextmanager
async def running(*workers: Worker, timeout: float = 60.0) -> AsyncIterator[None]:  # noqa: ASYNC109
    """Run workers beside the block; then tell them to stop and see that they do, in time and without an error."""
    stop = asyncio.Event()
    tasks = [asyncio.ensure_future(worker.run(stop)) for worker in workers]
    try:
        yield
    finally:
        stop.set()
        _, late = await asyncio.wait(tasks, timeout=timeout)
        for task in late:
            task.cancel()
        errors = await asyncio.gather(*tasks, return_exceptions=True)
    assert not late, f"{len(late)} of {[worker.name for worker in workers]} did not stop"
    assert not [error for error in errors if error is not None], errors


async def waits_for_a_lock(database: Database, *, kind: str = "advisory") -> bool:
    """Whether somebody waits for an advisory lock of this database; for a row, with the kind `transactionid`."""
    async with database.connection() as reads:
        found = await reads.exec_driver_sql(
            "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = $1 AND NOT granted"
            " AND datname = current_database()",
            (kind,),
        )
        return bool(found.scalar_one())
