"""Which schools the centre waits for: the connections follow the tree of units, and who listens is told."""

from chassis import outbox
from services.sync.convert import answers
from services.sync.domain.connections import MUST_CONNECT, is_connected
from services.sync.store import connections, coverage
from services.sync.usecases.intake import Intake
from services.sync.usecases.settling import events, unit_name

MOST_SCHOOLS = 1_000  # Schools in one transaction.


async def follow_tree(intake: Intake) -> int:
    """Add schools that are new in the tree, correct whether each has to connect; returns how many changed.

    A school that is no longer in the tree is not waited for. Safe from several replicas at once.
    """
    tree, today, now = intake.scopes.tree, intake.clock.today(), intake.clock.now()
    wanted = {
        unit.unit_id: MUST_CONNECT in unit.labels for unit in tree.units(today) if is_connected(unit.kind, unit.labels)
    }
    count = 0
    while True:
        async with intake.database.transaction() as writes:
            held = await connections.expected(writes)
            if held is None:
                return count
            gone = {school_id: False for school_id, must in held.items() if must and school_id not in wanted}
            due = gone | {school_id: must for school_id, must in wanted.items() if held.get(school_id) is not must}
            part = dict(sorted(due.items())[:MOST_SCHOOLS])
            if not part:
                return count
            changed = await connections.expect(writes, part, now=now)
            told = [answers.connection(one, name=unit_name(tree, one.school_id), now=now) for one in changed]
            await outbox.append(writes, list(events(told, backfill=False)))
            await coverage.expect(writes, [one.school_id for one in changed], now=now)
            count += len(changed)
