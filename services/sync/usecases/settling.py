"""The book of batches: known again when they are repeated, made durable in one transaction of our own.

What is looked up or entered at the same time shares a query or a transaction; each batch keeps its own answer.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import chain
from typing import Final

from iocedu.sync.v1 import sync_pb2
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import outbox, telemetry
from chassis.clock import Clock
from chassis.database import Database
from chassis.grouping import Grouped
from chassis.outbox import Outgoing
from chassis.scope_tree import EVERY_UNIT, ScopeTree
from chassis.scopes import Scopes
from services.sync.convert import answers
from services.sync.convert.erasing import without_keys
from services.sync.convert.rows import Checked, Noted
from services.sync.domain.batches import BatchKey, Origin, RowState, Trial
from services.sync.domain.conformance import Push, PushKind
from services.sync.domain.connections import MUST_CONNECT, is_connected
from services.sync.store import batches, connections, coverage, declarations, quarantine, sandboxes
from services.sync.store.batches import StoredBatch
from services.sync.store.connections import Sent
from services.sync.store.declarations import Arrived
from services.sync.store.erasing import erased_until_written
from services.sync.usecases import refusals
from services.sync.usecases.delivering import deliveries, together
from services.sync.usecases.erasing import without_erased

MOST_SETTLED: Final = 5_000  # What calls that share a transaction weigh: each one, and its rows with problems.
MOST_WAITING: Final = 50_000
MOST_CONNECTIONS: Final = 1_000  # Connections in one event.


@dataclass(frozen=True, slots=True)
class Parcel:
    """A batch that records has answered, ready to be settled."""

    key: BatchKey
    digest: bytes
    slices: Sequence[Checked]
    shown_as: str = ""  # The batch id its quarantined rows carry, where it is another than the key's.
    arrived: Arrived | None = None  # What it declares, and which records stood in it.
    concluded: bool = False  # Nobody sent it: deletions that follow from a declaration.

    def outcome(self) -> sync_pb2.Outcome:
        """What became of its rows."""
        states = bytearray(chain.from_iterable(one.states for one in self.slices))
        unverified = sum((one.unverified for one in self.slices), Counter[str]())
        outcome = answers.outcome(states, [noted for one in self.slices for noted in one.noted], unverified)
        if self.arrived is not None:
            outcome.full.state = sync_pb2.FULL_STATE_OPEN
        return outcome


@dataclass(frozen=True, slots=True)
class _Settlement:
    """Batches of one call."""

    origin: Origin
    parcels: Sequence[Parcel]
    outcomes: Mapping[BatchKey, sync_pb2.Outcome]
    trace: str  # The trace they belong to, as `traceparent`.


class Ledger:
    """Keeps the batches. Opened by wiring."""

    def __init__(self, database: Database, scopes: Scopes, clock: Clock) -> None:
        self._database = database
        self._scopes = scopes
        self._clock = clock
        self._finding: Grouped[Sequence[BatchKey], dict[BatchKey, StoredBatch]] = Grouped(self._find, weigh=len)
        self._settling: Grouped[_Settlement, Sequence[Parcel]] = Grouped(
            self._enter, most=MOST_SETTLED, bound=MOST_WAITING, weigh=_weight
        )

    async def recall(
        self, digests: Mapping[BatchKey, bytes], *, trial: Trial | None = None
    ) -> dict[BatchKey, sync_pb2.Outcome]:
        """What was answered to those of the batches that came before; raises BATCH_ID_REUSED.

        Of batches for a sandbox (`trial`) it is kept that they came again.
        """
        found = await self._finding.ask(list(digests))
        if trial is not None and found:
            again = [_again(stored, trial, reused=stored.digest != digests[key]) for key, stored in found.items()]
            async with self._database.transaction() as writes:
                await sandboxes.note_pushes(writes, trial.root_id, again, now=self._clock.now())
        if reused := next((key for key, stored in found.items() if stored.digest != digests[key]), None):
            raise refusals.batch_id_reused(reused.batch_id)
        return {key: sync_pb2.Outcome.FromString(stored.outcome) for key, stored in found.items()}

    async def settle(self, origin: Origin, parcels: Sequence[Parcel]) -> dict[BatchKey, sync_pb2.Outcome]:
        """Make what became of batches durable, in one transaction, and return the answers.

        Where another call with the same batch was faster, its answer is given and nothing is written. Nothing is,
        either, of batches that are only looked at.
        """
        outcomes = {parcel.key: parcel.outcome() for parcel in parcels}
        if origin.validate_only:
            return outcomes
        entered = await self._settling.ask(_Settlement(origin, parcels, outcomes, telemetry.traceparent()))
        late = {parcel.key: parcel.digest for parcel in parcels}
        for parcel in entered:
            _count(outcomes[parcel.key])
            del late[parcel.key]
        return outcomes | (await self.recall(late) if late else {})

    async def keep_looked_at(self, parcel: Parcel, outcome: sync_pb2.Outcome) -> None:
        """Keep what would become of rows of a file that is only looked at, for who asks later; nothing else is."""
        key, digest, now = parcel.key, parcel.digest, self._clock.now()
        schools = {noted.school_id or key.unit_id for one in parcel.slices for noted in one.noted}
        async with self._database.transaction() as writes:
            erased = {key for _, key in await erased_until_written(writes, schools)}
            told, _ = without_keys(outcome.SerializeToString(), erased)
            await batches.add(writes, [StoredBatch(key, digest, told, False, len(outcome.states), now)])

    async def settle_replay(
        self,
        origin: Origin,
        parcel: Parcel,
        *,
        gone: Collection[int],
        stays: Sequence[dict[str, object]],
        came: datetime | None,
    ) -> None:
        """Make what became of rows durable that were taken once more from the quarantine.

        Where nobody asked for it they were sent when they `came`, however long they waited.
        """
        settlement, now = _Settlement(origin, [parcel], {}, telemetry.traceparent()), self._clock.now()
        async with self._database.transaction() as writes:
            if gone:
                await quarantine.settled(writes, gone)
            if stays:
                await quarantine.told_anew(writes, stays, now=now)
            await self._note_sent(writes, [(settlement, [parcel])], now=now, sent=came or now)

    async def _find(self, questions: Sequence[Sequence[BatchKey]]) -> list[dict[BatchKey, StoredBatch]]:
        async with self._database.connection() as reads:
            found = await batches.known(reads, list(dict.fromkeys(chain.from_iterable(questions))))
        return [{key: found[key] for key in keys if key in found} for keys in questions]

    async def _enter(self, settlements: Sequence[_Settlement]) -> list[Sequence[Parcel]]:
        """Enter batches; returns for each settlement those that were not there already."""
        now = self._clock.now()
        async with self._database.transaction() as writes:
            erased = await erased_until_written(writes, set(_places(settlements)))
            added = await batches.add(writes, _batches(settlements, now=now))
            entered: list[Sequence[Parcel]] = []
            for one in settlements:
                # Of two that bring the same batch the first one enters it.
                entered.append([parcel for parcel in one.parcels if parcel.key in added])
                added -= {parcel.key for parcel in one.parcels}
            fresh = list(zip(settlements, entered, strict=True))
            declared = [parcel.arrived for parcels in entered for parcel in parcels if parcel.arrived]
            await declarations.note(writes, declared, now=now)
            kept = [row for one, parcels in fresh for row in _kept(one.origin, parcels, now=now)]
            if kept:
                await quarantine.add(writes, without_erased(kept, erased), now=now)
            sent = [(one, [parcel for parcel in parcels if not parcel.concluded]) for one, parcels in fresh]
            await self._note_sent(writes, sent, now=now, sent=now)
            for one, parcels in fresh:
                if one.origin.trial and one.origin.trial.judged and parcels:
                    tried = [_taken(parcel, one.outcomes[parcel.key], one.origin.trial) for parcel in parcels]
                    await sandboxes.note_pushes(writes, one.origin.trial.root_id, tried, now=now)
        return entered

    async def _note_sent(
        self,
        writes: AsyncConnection,
        fresh: Sequence[tuple[_Settlement, Sequence[Parcel]]],
        *,
        now: datetime,
        sent: datetime,
    ) -> None:
        """Bring the schools' connections up to date, and tell of them once for each call."""
        tree = self._scopes.tree
        sums = [list(_sent(one.origin, parcels, tree)) for one, parcels in fresh]
        if not any(sums):
            return
        changed = {one.school_id: one for one in await connections.note_sent(writes, _summed(chain(*sums)), now=sent)}
        inside = tree.subtree(EVERY_UNIT, self._clock.today())
        leaving: list[Outgoing] = []
        for (one, _), schools in zip(fresh, sums, strict=True):
            told = [
                answers.connection(changed[each.school_id], name=unit_name(tree, each.school_id), now=now)
                for each in schools
                if each.school_id in inside
            ]
            leaving += events(told, backfill=one.origin.backfill, trace=one.trace)
        await outbox.append(writes, leaving)
        delivered = [one for settlement, parcels in fresh for one in deliveries(settlement.origin, parcels, now=sent)]
        await coverage.note(writes, together(one for one in delivered if one.school_id in changed), now=now)


def _again(stored: StoredBatch, trial: Trial, *, reused: bool) -> Push:
    kind = PushKind.ID_REUSED if reused else PushKind.REPEATED
    return Push(stored.key.batch_id, kind, trial.self_signed, stored.row_count, ())


def _taken(parcel: Parcel, outcome: sync_pb2.Outcome, trial: Trial) -> Push:
    rows = tuple(chain.from_iterable(one.shown for one in parcel.slices))
    batch_id = parcel.shown_as or parcel.key.batch_id
    kind = PushKind.FILE if trial.by_file else PushKind.TAKEN
    kind = PushKind.CONCLUDED if parcel.concluded else kind
    return Push(batch_id, kind, trial.self_signed, len(outcome.states), rows)


def _weight(one: _Settlement) -> int:
    return 1 + sum(len(checked.noted) for parcel in one.parcels for checked in parcel.slices)


def events(connections: Sequence[sync_pb2.Connection], *, backfill: bool, trace: str = "") -> Iterator[Outgoing]:
    """The events that tell of connections: one, unless they are more than a message should hold."""
    for start in range(0, len(connections), MOST_CONNECTIONS):
        part = connections[start : start + MOST_CONNECTIONS]
        payload = answers.connections_changed(part, backfill=backfill)
        yield Outgoing("connections-changed", payload, len(part), parent=trace)


def unit_name(tree: ScopeTree, unit_id: int) -> str:
    """The name of a unit; empty: not known."""
    unit = tree.unit(unit_id)
    return unit.name if unit else ""


def unit_called(tree: ScopeTree, unit_id: int, day: date) -> str:
    """A unit for people, who know no ids: its name with its code; empty: not known."""
    name = unit_name(tree, unit_id)
    code = next(filter(None, (tree.alias(unit_id, system, day) for system in ("moet", "gso"))), "")
    return f"{name} ({code})" if code else name


def _batches(settlements: Iterable[_Settlement], *, now: datetime) -> Iterator[StoredBatch]:
    for one in settlements:
        for parcel in one.parcels:
            outcome = one.outcomes[parcel.key]
            yield StoredBatch(
                parcel.key,
                parcel.digest,
                outcome.SerializeToString(),
                one.origin.backfill,
                len(outcome.states),
                now,
            )


def _kept(origin: Origin, parcels: Iterable[Parcel], *, now: datetime) -> Iterator[tuple[object, ...]]:
    """The rows that go to the quarantine."""
    for parcel in parcels:
        for noted in chain.from_iterable(one.noted for one in parcel.slices):
            if noted.refused:
                place = _place(origin, parcel.shown_as or parcel.key.batch_id, noted)
                yield (*place, *_columns(noted), origin.profile, origin.backfill, noted.content, now)


def _places(settlements: Iterable[_Settlement]) -> Iterator[int]:
    """Where the rows belong that may go to the quarantine."""
    for one in settlements:
        for parcel in one.parcels:
            for noted in chain.from_iterable(each.noted for each in parcel.slices):
                if noted.refused:
                    yield noted.school_id or one.origin.unit_id


def _sent(origin: Origin, parcels: Iterable[Parcel], tree: ScopeTree) -> Iterator[Sent]:
    """What each school sent. History is counted, but does not make a connection fresh; a sandbox has none."""
    counts: Counter[tuple[int, int]] = Counter()
    for one in chain.from_iterable(parcel.slices for parcel in parcels):
        counts.update(one.counts)
    for school_id in {school_id for school_id, _ in counts}:
        unit = tree.unit(school_id)
        if unit is None or not is_connected(unit.kind, unit.labels):
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


def _summed(sent: Iterable[Sent]) -> Iterable[Sent]:
    """Each school once, whoever sent for it; the last one's source stays."""
    schools: dict[int, Sent] = {}
    for one in sent:
        before = schools.get(one.school_id)
        schools[one.school_id] = one.after(before) if before else one
    return schools.values()


def _place(origin: Origin, batch_id: str, noted: Noted) -> tuple[object, ...]:
    return noted.school_id or origin.unit_id, origin.unit_id, origin.source, batch_id


def columns_of(noted: Noted) -> dict[str, object]:
    """What a quarantined row says of its problem, by column."""
    names = ("row_index", "state", "key", "reason", "field", "message", "message_en", "metadata", "stored_version")
    told = dict(zip(names, _columns(noted), strict=True))
    return told | {"metadata": dict(noted.problem.metadata)}


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
