"""What runs by itself or on an operator's word: the pulse of the watchers, verifying, rebuilding."""

import sys

import structlog

from chassis.database import Database
from chassis.server import Worker
from services.reporting.clients import ChangeFeed
from services.reporting.usecases import rebuilding
from services.reporting.usecases.watching import Pulse

MOST_SHOWN = 20

log = structlog.get_logger(__name__)


def pulse_worker(pulse: Pulse) -> Worker:
    """The worker that wakes watchers."""
    return Worker("pulse", pulse.run)


async def verify(database: Database) -> int:
    """Compare all figures with a recount and print what differs; the exit status says whether anything does."""
    found = await rebuilding.verify(database)
    for difference in found[:MOST_SHOWN]:
        sys.stdout.write(
            f"{difference.table} {difference.key}: {difference.kept} is kept, {difference.recounted} counted\n"
        )
    sys.stdout.write(f"{len(found)} figures differ from a recount\n" if found else "all figures equal a recount\n")
    return 1 if found else 0


async def rebuild(database: Database, feed: ChangeFeed) -> int:
    """Rebuild from the change feed and print what was done."""
    done = await rebuilding.rebuild(database, feed)
    sys.stdout.write(
        f"{done.change_count} changes up to position {done.position} taken, {done.repaired_schools} schools put right\n"
    )
    return 0
