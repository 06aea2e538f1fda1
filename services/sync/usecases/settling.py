"""Batches that were answered: known again when they are repeated, made durable in one transaction of our own."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from iocedu.sync.v1 import sync_pb2
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import outbox, telemetry
from chassis.outbox import Outgoing
from chassis.scope_tree import ScopeTree
from services.sync import store
from services.sync.convert import answers
from services.sync.convert.rows import Checked, Noted
from services.sync.domain.batches import BatchKey, Origin, RowState
from services.sync.domain.connections import KINDS, MUST_CONNECT
from services.sync.store import Sent, StoredBatch
from services.sync.usecases import refusals
from services.sync.usecases.intake import Intake

MOST_CONNECTIONS = 1_000  # Connections in one event.


@dataclass(frozen=True, slots=True)
class Parcel:
    """A batch that records has answered, ready to be settled."""

    key: BatchKey
    digest: bytes
    slices: Sequence[Checked]
    shown_as: str = ""  # The batch id its quarantined rows carry, where it is another than the key's.

    def outcome(self) -> sync_pb2.Outcome:
        """What became of its rows."""
        states = bytearray(chain.from_iterable(one.states for one in self.slices))
        return answers.outcome(states, [noted for one in self.slices for noted in one.noted])


async def recall(intake: Intake, digests: Mapping[BatchKey, bytes]) -> dict[BatchKey, sync_pb2.Outcome]:
    """What was answered to those of the batches that came before; raises BATCH_ID_REUSED."""
    async with intake.database.connection() as reads:
        found = await store.batches(reads, list(digests))
    if reused := next((key for key, stored in found.items() if stored.digest != digests[key]), None):
        raise refusals.batch_id_reused(reused.batch_id)
    return {key: sync_pb2.Outcome.FromString(stored.outcome) for key, stored in found.items()}


async def settle(intake: Intake, origin: Origin, parcels: Sequence[Parcel]) -> dict[BatchKey, sync_pb2.Outcome]:
    """Make what became of batches durable, in one transaction, and return the answers.

    Where another call with the same batch was faster, its answer is given and nothing is written.
    """
    outcomes = {parcel.key: parcel.outcome() for parcel in parcels}
    async with intake.database.transaction() as writes:
        added = await _write(writes, intake, origin, parcels, outcomes)
    if len(added) < len(parcels):
        late = {parcel.key: parcel.digest for parcel in parcels if parcel.key not in added}
        outcomes |= await recall(intake, late)
    for key in added:
        _count(outcomes[key])
    return outcomes


async def _write(
    writes: AsyncConnection,
    intake: Intake,
    origin: Origin,
    parcels: Sequence[Parcel],
    outcomes: Mapping[BatchKey, sync_pb2.Outcome],
) -> set[BatchKey]:
    now = intake.clock.now()
    added = await store.add_batches(
        writes,
        [
            StoredBatch(
                parcel.key,
                parcel.digest,
                outcomes[parcel.key].SerializeToString(),
                origin.backfill,
                len(outcomes[parcel.key].states),
                now,
            )
            for parcel in parcels
        ],
    )
    fresh = [parcel for parcel in parcels if parcel.key in added]
    kept = [
        (
            *_place(origin, parcel.shown_as or parcel.key.batch_id, noted),
            *_columns(noted),
            origin.profile,
            noted.content,
            now,
        )
        for parcel in fresh
        for one in parcel.slices
        for noted in one.noted
        if noted.state in (RowState.REJECTED, RowState.HELD)
    ]
    if kept:
        await store.add_quarantined(writes, kept)
    tree, today = intake.scopes.tree, intake.clock.today()
    sent = list(_sent(origin, [one for parcel in fresh for one in parcel.slices], tree))
    if sent:
        changed = await store.note_sent(writes, sent, now=now)
        inside = tree.subtree(0, today)
        told = [
            answers.connection(one, name=unit_name(tree, one.school_id), now=now)
            for one in changed
            if one.school_id in inside
        ]
        await outbox.append(writes, list(events(told, backfill=origin.backfill)))
    return added


def events(connections: Sequence[sync_pb2.Connection], *, backfill: bool) -> Iterator[Outgoing]:
    """The events that tell of connections: one, unless they are more than a message should hold."""
    for start in range(0, len(connections), MOST_CONNECTIONS):
        part = connections[start : start + MOST_CONNECTIONS]
        yield Outgoing("connections-changed", answers.connections_changed(part, backfill=backfill), len(part))


def unit_name(tree: ScopeTree, unit_id: int) -> str:
    """The name of a unit; empty: not known."""
    unit = tree.unit(unit_id)
    return unit.name if unit else ""


def _sent(origin: Origin, slices: Sequence[Checked], tree: ScopeTree) -> Iterator[Sent]:
    """What each school sent. History is counted, but does not make a connection fresh."""
    counts: Counter[tuple[int, int]] = Counter()
    for one in slices:
        counts.update(one.counts)
    for school_id in {school_id for school_id, _ in counts}:
        unit = tree.unit(school_id)
        if unit is None or unit.kind not in KINDS:
            continue
        taken = counts[school_id, RowState.ACCEPTED] + counts[school_id, RowState.UNCHANGED]
        yield Sent(
            school_id,
            must_connect=MUST_CONNECT in unit.labels,
            source=origin.source,
            accepted=counts[school_id, RowState.ACCEPTED],
            rejected=counts[school_id, RowState.REJECTED],
            live=taken > 0 and not origin.backfill,
        )


def _place(origin: Origin, batch_id: str, noted: Noted) -> tuple[object, ...]:
    return noted.school_id or origin.unit_id, origin.unit_id, origin.source, batch_id


def _columns(noted: Noted) -> tuple[object, ...]:
    problem = noted.problem
    return (
        noted.index,
        int(noted.state),
        noted.key,
        problem.reason,
        problem.field,
        problem.text.vi,
        problem.text.en,
        json.dumps(dict(problem.metadata), ensure_ascii=False),
        problem.stored_version,
    )


def _count(outcome: sync_pb2.Outcome) -> None:
    rows = telemetry.metrics().rows
    for state in RowState:
        name = state.name.lower()
        if count := getattr(outcome, f"{name}_count"):
            rows.add(count, {"state": name})
