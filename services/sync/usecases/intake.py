"""Takes batches in: known again, checked, handed to records, and settled in one transaction of our own.

Records' answer comes before our commit and no transaction is open while it works. A crash between the two is harmless:
the sender has no answer and repeats, the slice has the same request id, records answers the same.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain

from iocedu.records.v1 import records_pb2
from iocedu.records.v1.resources_pb2 import Row
from iocedu.sync.v1 import sync_pb2
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import outbox, telemetry
from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import Fault, Kind
from chassis.outbox import Outgoing
from chassis.scope_tree import ScopeTree
from chassis.scopes import Scopes
from services.sync import store
from services.sync.clients import Records
from services.sync.convert import answers
from services.sync.convert.rows import Check, Checked, Noted, content_of
from services.sync.domain import problems
from services.sync.domain.batches import BatchKey, Origin, RowState, cuts, digest_of, request_id
from services.sync.domain.connections import KINDS, MUST_CONNECT
from services.sync.domain.problems import Problem
from services.sync.domain.profiles import Profile
from services.sync.store import Sent, StoredBatch

MOST_CONNECTIONS = 1_000  # Connections in one event.


@dataclass(frozen=True)
class Intake:
    """What receiving needs; opened by wiring."""

    database: Database
    records: Records
    scopes: Scopes
    clock: Clock
    profiles: Mapping[str, Profile]


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


async def push_rows(
    intake: Intake, origin: Origin, batch_id: str, *, rows: Sequence[Row], content: bytes
) -> sync_pb2.Outcome:
    """Take one batch; `content` is what tells it from another batch under the same id."""
    key, digest = BatchKey(origin.unit_id, origin.source, batch_id), digest_of(content)
    known = (await recall(intake, {key: digest})).get(key)
    if known is not None:
        return known
    checked = Checked(checking(intake, origin, rows, careful=b"\0" in content))
    await checked.add_all(rows)
    await apply(intake, origin, [checked], batch=digest_of(batch_id.encode(), digest))
    return (await settle(intake, origin, [Parcel(key, digest, [checked])]))[key]


def checking(intake: Intake, origin: Origin, rows: Sequence[Row], *, careful: bool) -> Check:
    """How rows of a message are checked."""
    school = find_school(intake.scopes.tree, origin, intake.clock.today())
    return Check(
        school=school,
        content=lambda index: content_of(rows[index]),
        label=intake.profiles[origin.profile].label,
        careful=careful,
    )


def find_school(tree: ScopeTree, origin: Origin, day: date) -> Callable[[str], int | Problem]:
    """A function that finds the school behind a reference within the batch's unit, each looked up once."""
    inside, found = tree.subtree(origin.unit_id, day), dict[str, int | Problem]()

    def find(school: str) -> int | Problem:
        known = found.get(school)
        if known is None:
            school_id = tree.resolve(school, day)
            if not school_id:
                known = problems.unknown_school(school)
            elif school_id not in inside:
                known = problems.school_outside_unit(school, origin.unit)
            else:
                known = school_id
            found[school] = known
        return known

    return find


async def recall(intake: Intake, digests: Mapping[BatchKey, bytes]) -> dict[BatchKey, sync_pb2.Outcome]:
    """What was answered to those of the batches that came before; raises BATCH_ID_REUSED."""
    async with intake.database.connection() as reads:
        found = await store.batches(reads, list(digests))
    return {key: _same(stored, digests[key]) for key, stored in found.items()}


async def apply(intake: Intake, origin: Origin, parts: Sequence[Checked], *, batch: bytes) -> None:
    """Hand the good rows to records, in calls of at most 5,000, and let each part take its answers."""
    rows = parts[0].rows if len(parts) == 1 else [row for part in parts for row in part.rows]
    refused = [noted.index for part in parts for noted in part.noted]
    states: list[int] = []
    told: list[tuple[int, Problem]] = []
    for number, (start, end) in enumerate(cuts([row.ByteSize() for row in rows])):
        request = records_pb2.ApplyRowsRequest(
            request_id=request_id(origin, batch=batch, number=number, refused=refused),
            source=origin.source,
            backfill=origin.backfill,
            rows=rows[start:end] if end - start < len(rows) else rows,
        )
        await asyncio.sleep(0)  # Building and sending it takes some 10 ms each.
        answer = await intake.records.apply(request)
        states += answer.states
        told += [(start + place, problem) for place, problem in answers.told(answer)]
        await asyncio.sleep(0)
    start = 0
    for part in parts:
        end = start + len(part.rows)
        own = [(place - start, problem) for place, problem in told if start <= place < end]
        part.answer(states[start:end], own)
        start = end


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
        problem.message,
        problem.stored_version,
    )


def _same(stored: StoredBatch, digest: bytes) -> sync_pb2.Outcome:
    if stored.digest != digest:
        batch_id = stored.key.batch_id
        raise Fault(
            Kind.EXISTS,
            "BATCH_ID_REUSED",
            vi=f"Mã lô “{batch_id}” đã dùng cho một lô có nội dung khác. Hãy đặt mã mới cho lô này.",
            en=f"The batch id “{batch_id}” was used for a batch with other content. Give this one a new id.",
            metadata={"batch_id": batch_id},
        )
    return sync_pb2.Outcome.FromString(stored.outcome)


def _count(outcome: sync_pb2.Outcome) -> None:
    rows = telemetry.metrics().rows
    for state in RowState:
        name = state.name.lower()
        if count := getattr(outcome, f"{name}_count"):
            rows.add(count, {"state": name})
