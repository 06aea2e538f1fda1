"""Follows changes: projections, and the event that tells what became of the figures, in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.outbox import Outgoing, append
from services.reporting import convert
from services.reporting.domain.figures import DetailRow, FactRow
from services.reporting.domain.successions import Succession
from services.reporting.store import projection, successions
from services.reporting.store.projection import Changed

FIGURES_CHANGED = "figures-changed"


@dataclass(frozen=True)
class Facts:
    """Rows of facts, and what some of them add to beside their own number."""

    rows: list[FactRow] = field(default_factory=list)
    details: list[DetailRow] = field(default_factory=list)


async def follow_records(
    connection: AsyncConnection,
    facts: Facts,
    *,
    backfill: bool,
    data_time: datetime | None = None,
    again: bool = False,
) -> Changed:
    """Bring facts and figures up to changed records and announce the figures that moved."""
    changed = await projection.merge(connection, facts.rows, facts.details, data_time=data_time, again=again)
    await announce(connection, changed, backfill=backfill)
    return changed


async def follow_batch(connection: AsyncConnection, batch: Mapping[bool, Facts], *, data_time: datetime) -> None:
    """Follow history (True) and news (False) of one batch; they are announced apart, since history notifies nobody."""
    await projection.hold_schools(connection, (row[0] for facts in batch.values() for row in facts.rows))
    for backfill, facts in batch.items():
        await follow_records(connection, facts, backfill=backfill, data_time=data_time)


async def follow_connections(
    connection: AsyncConnection,
    rows: Sequence[tuple[int, datetime | None, datetime | None]],
    *,
    data_time: datetime | None,
) -> None:
    """Note which schools have sent something."""
    await projection.connect_schools(connection, rows, data_time=data_time)


async def follow_successions(
    connection: AsyncConnection, units: Sequence[int], rows: Sequence[Succession], *, told: datetime
) -> None:
    """Take what records said of units at an instant for all that became of them."""
    await successions.replace(connection, units, rows, told=told)


async def announce(connection: AsyncConnection, changed: Changed, *, backfill: bool) -> None:
    """Append `figures-changed` to the transaction, if anything changed."""
    events = convert.figures_changed(changed.schools, changed.classes, backfill=backfill)
    await append(
        connection,
        [
            Outgoing(FIGURES_CHANGED, event.SerializeToString(), count=len(event.schools) + len(event.classes))
            for event in events
        ],
    )
