"""Declarations of everything, brought to their end once all of it arrived: what they lack is deleted, or asked about.

The batches are durable before; a crash in between leaves the declaration open, and the sender, who has no answer,
repeats a batch. What is deleted at the version of the declaration is stale where something newer came meanwhile, so
that nothing here needs a lock but for who is erased meanwhile.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import structlog
from iocedu.sync.v1 import sync_pb2
from sqlalchemy.ext.asyncio import AsyncConnection

from services.sync.convert.erasing import without_gone, without_keys
from services.sync.convert.full import deletions, full_copy, full_outcome, questions, tell_before
from services.sync.convert.profiles import DEFAULT
from services.sync.convert.rows import Checked
from services.sync.domain import problems
from services.sync.domain.batches import BatchKey, Origin, digest_of
from services.sync.domain.full import Decision, Declaration, FullOf, FullState, Lacking, Presence, lacking
from services.sync.domain.suspicions import is_mass, rule_on
from services.sync.store import declarations, erasing
from services.sync.usecases import refusals
from services.sync.usecases.intake import Intake, apply, checking_rows
from services.sync.usecases.sandboxes import on_trial
from services.sync.usecases.settling import Parcel

log = structlog.get_logger(__name__)
_UNSETTLED = frozenset({FullState.OPEN, FullState.HELD})


async def check_declared(intake: Intake, origin: Origin) -> None:
    """Raise DECLARATION_ID_REUSED where a new batch declares what its declaration does not, comes after its end, or is
    for another unit: each would wait for the other's batches, and whoever decides by id would see the later alone.
    """
    if (full_of := origin.full_of) is None:
        return
    async with intake.database.connection() as reads:
        known = await declarations.find(reads, origin.unit_id, origin.source, full_of)
        elsewhere = await declarations.unit_of(reads, origin.source, full_of) if known is None else None
    if elsewhere is not None:
        raise refusals.declared_elsewhere(full_of.declaration_id, elsewhere)
    if known is not None and (known.state is not FullState.OPEN or not known.full_of.agrees_with(full_of)):
        raise refusals.declaration_id_reused(full_of.declaration_id)


async def concluded(
    intake: Intake, origin: Origin, key: BatchKey, outcome: sync_pb2.Outcome, *, fresh: Presence | None = None
) -> sync_pb2.Outcome:
    """The outcome of a batch that was settled, or known, with what became of its declaration by now.

    `fresh` is what stands in a batch that is only looked at.
    """
    full_of = origin.full_of
    if full_of is None or not outcome.HasField("full") or FullState(outcome.full.state) not in _UNSETTLED:
        return outcome
    told = sync_pb2.Outcome()
    told.CopyFrom(outcome)
    told.full.CopyFrom(await _conclude(intake, origin, full_of, fresh=fresh))
    if not origin.validate_only and told.full != outcome.full:
        async with intake.database.transaction() as writes:
            left, _ = without_keys(told.SerializeToString(), await _erased(writes, full_of))
            await erasing.keep_outcome(writes, key, left)
    return told


async def confirm(
    intake: Intake, schools: Collection[int], *, source: str, declaration_id: str, decision: Decision
) -> sync_pb2.FullOutcome:
    """Let what a declaration lacks be gone, though it is so much; raises as `asked_about`, and WRONG_STATE where it
    ended otherwise.
    """
    known = await asked_about(intake, schools, source=source, declaration_id=declaration_id)
    if known.state is not FullState.HELD:
        return _ended(known, as_=FullState.DONE)
    origin = await _origin_of(intake, known)
    async with intake.database.transaction() as writes:
        begun = await declarations.begin_confirming(writes, known.unit_id, source, known.full_of, decision)
    if not begun:  # Another decision was faster.
        known = await asked_about(intake, schools, source=source, declaration_id=declaration_id)
        return _ended(known, as_=FullState.DONE)
    log.info("disappearance confirmed", action="declarations.confirmed", school_id=known.full_of.school_id)
    asked = frozenset[str]()
    if known.decision is not None:  # A confirmation was cut: some of it may be gone.
        async with intake.database.connection() as reads:
            asked = frozenset(await declarations.asked_keys(reads, known.unit_id, source, known.full_of))
    return await _conclude(intake, origin, known.full_of, decision=decision, asked=asked)


async def reject(
    intake: Intake, schools: Collection[int], *, source: str, declaration_id: str, decision: Decision
) -> sync_pb2.FullOutcome:
    """Let nothing be gone of what a declaration lacks; raises as `asked_about`, and WRONG_STATE where it ended
    otherwise or is being confirmed, INVALID_FIELD without a reason.
    """
    if not decision.reason:
        raise refusals.reason_missing()
    known = await asked_about(intake, schools, source=source, declaration_id=declaration_id)
    if known.state is not FullState.HELD:
        return _ended(known, as_=FullState.REJECTED)
    outcome = _told(replace(known, state=FullState.REJECTED))
    told = await _keep(intake, await _origin_of(intake, known), known.full_of, outcome, decision=decision)
    if told.state != FullState.REJECTED.value:
        raise refusals.not_to_be_decided(declaration_id, FullState(told.state))
    log.info("disappearance rejected", action="declarations.rejected", school_id=known.full_of.school_id)
    return told


def _ended(known: Declaration, *, as_: FullState) -> sync_pb2.FullOutcome:
    """What became of a declaration that waits for nobody, for who decides the same once more; raises WRONG_STATE."""
    if known.state is not as_:
        raise refusals.not_to_be_decided(known.full_of.declaration_id, known.state)
    return _told(known)


@dataclass(frozen=True, slots=True)
class Disappearing:
    """What confirming a declaration would delete now."""

    known: Declaration
    keys: Sequence[str]  # In order; none where it waits for nobody any more.
    held: int  # Records of its source that are held.


async def disappearing(intake: Intake, known: Declaration) -> Disappearing:
    """What confirming a declaration would delete now."""
    source = known.source
    if known.state is not FullState.HELD:
        return Disappearing(known, (), 0)
    async with intake.database.connection() as reads:
        present, _ = await declarations.arrived_by_now(reads, known.unit_id, source, known.full_of)
    lacks, held = await _compared(intake, known.full_of, source, present)
    return Disappearing(known, lacks.gone, len(held))


async def _compared(
    intake: Intake, full_of: FullOf, source: str, present: Presence
) -> tuple[Lacking, Mapping[str, int]]:
    """What a declaration lacks of what is held of its source, and that."""
    held = await intake.records.holdings(
        school=str(full_of.school_id),
        collection=full_of.collection,
        school_year=full_of.school_year,
        source=source,
    )
    # Tens of thousands of keys would stop the loop for as many microseconds.
    return await asyncio.to_thread(lacking, full_of, present.numbers, held), held


async def asked_about(intake: Intake, schools: Collection[int], *, source: str, declaration_id: str) -> Declaration:
    """A declaration that a person is, or was, asked about.

    Raises UNKNOWN_DECLARATION, and INVALID_FIELD where several of the schools have one: sources repeat ids.
    """
    async with intake.database.connection() as reads:
        found = await declarations.found_below(reads, schools, source, declaration_id, most=2)
    if not found:
        raise refusals.unknown_declaration(declaration_id)
    if len(found) > 1:
        raise refusals.several_schools(declaration_id)
    return found[0]


async def _origin_of(intake: Intake, known: Declaration) -> Origin:
    unit_id = known.unit_id
    origin = Origin(str(unit_id), unit_id, known.source, known.backfill, DEFAULT, full_of=known.full_of)
    return await on_trial(intake, origin, self_signed=False)


async def _conclude(
    intake: Intake,
    origin: Origin,
    full_of: FullOf,
    *,
    fresh: Presence | None = None,
    decision: Decision | None = None,
    asked: frozenset[str] = frozenset(),
) -> sync_pb2.FullOutcome:
    """What becomes of a declaration; `asked` is what a confirmation that was cut may have deleted a part of."""
    async with intake.database.connection() as reads:
        known = await declarations.find(reads, origin.unit_id, origin.source, full_of)
        present, count = await declarations.arrived_by_now(reads, origin.unit_id, origin.source, full_of)
        superseded = await declarations.is_superseded(reads, origin.source, full_of)
    if known is not None:
        if known.state is not FullState.OPEN and decision is None:
            return _told(known)
        full_of = replace(known.full_of, batch_count=known.full_of.batch_count or full_of.batch_count)
    if fresh is not None:
        present.numbers |= fresh.numbers
        present.unsure, count = present.unsure + fresh.unsure, count + 1
    tell = partial(full_outcome, present=present, count=count)
    awaited = max(full_of.batch_count - count, 0)
    if not full_of.batch_count or awaited:
        return tell(FullState.OPEN, awaited=awaited)
    if superseded or present.unsure:
        state = FullState.SUPERSEDED if superseded else FullState.UNSURE
        return await _keep(intake, origin, full_of, tell(state), decision=decision)
    lacks, held = await _compared(intake, full_of, origin.source, present)
    rule = rule_on(intake.rules.suspicions, intake.clock.today().isoformat())
    if decision is None and is_mass(len(lacks.gone), len(held), rule):
        await _ask(intake, origin, full_of, lacks, held_count=len(held))
        outcome = tell(FullState.HELD, lacks.gone, lacks=lacks, held=len(held))
    else:
        states = await _delete(intake, origin, full_of, lacks)
        outcome = tell(FullState.DONE, lacks.gone, lacks=lacks, states=states, held=len(held))
        tell_before(outcome, asked - held.keys())
    return await _keep(intake, origin, full_of, outcome, decision=decision)


async def _keep(
    intake: Intake, origin: Origin, full_of: FullOf, outcome: sync_pb2.FullOutcome, *, decision: Decision | None
) -> sync_pb2.FullOutcome:
    """Keep what became of a declaration, unless another call was faster: then its word is told."""
    if origin.validate_only:
        return outcome
    unit_id, source, state = origin.unit_id, origin.source, FullState(outcome.state)
    async with intake.database.transaction() as writes:
        left, _ = without_gone(outcome.SerializeToString(), await _erased(writes, full_of))
        first = await declarations.conclude(
            writes,
            unit_id,
            source,
            full_of,
            expected=FullState.OPEN if decision is None else FullState.HELD,
            state=state,
            outcome=left,
            decision=decision,
        )
        if first and state is not FullState.HELD:  # Decided, or asked by a call that was lost before it said so.
            await declarations.drop_question(writes, unit_id, source, full_of)
        if first and state in (FullState.DONE, FullState.HELD):
            await declarations.supersede(writes, source, full_of)
    if first:
        log.info(
            "declaration of everything ended",
            action="declarations.ended",
            school_id=full_of.school_id,
            collection=full_of.collection,
            state=state.name,
            gone=outcome.disappeared_count,
        )
        return outcome
    async with intake.database.connection() as reads:
        known = await declarations.find(reads, unit_id, source, full_of)
    return _told(known) if known else outcome


async def _erased(writes: AsyncConnection, full_of: FullOf) -> set[str]:
    """Keys of whom nothing is to be told any more, while this is written: the outcome was made up before."""
    return {key for _, key in await erasing.erased_until_written(writes, [full_of.school_id])}


async def _delete(intake: Intake, origin: Origin, full_of: FullOf, lacks: Lacking) -> bytes:
    """Delete what a declaration lacks, and have it noted; returns what became of each deletion."""
    origin, rows = _of_deletions(origin), deletions(lacks.gone, full_of)
    checked = Checked(checking_rows(intake, origin, rows, careful=False))
    await checked.add_all(rows)
    told = digest_of(_name(full_of), *(key.encode(errors="replace") for key in lacks.gone))
    key = BatchKey(origin.unit_id, origin.source, f"gone-{told.hex()}")
    copy = full_copy(full_of, lacks)
    await apply(intake, origin, [checked], batch=told, batch_ids=[key.batch_id], full_copy=copy)
    if rows:
        await intake.ledger.settle(
            origin, [Parcel(key, told, [checked], shown_as=full_of.declaration_id, concluded=True)]
        )
    return bytes(checked.states)


async def _ask(intake: Intake, origin: Origin, full_of: FullOf, lacks: Lacking, *, held_count: int) -> None:
    """Put the deletions into the quarantine, where they wait for a person."""
    origin, rows = _of_deletions(origin), deletions(lacks.gone, full_of)
    problem = problems.mass_disappearance(full_of.declaration_id, gone=len(rows), held=held_count)
    asked = await questions(rows, full_of, problem, Checked(checking_rows(intake, origin, rows, careful=False)))
    told = digest_of(b"asked", _name(full_of))
    key = BatchKey(origin.unit_id, origin.source, f"asked-{told.hex()}")
    await intake.ledger.settle(origin, [Parcel(key, told, [asked], shown_as=full_of.declaration_id, concluded=True)])


def _of_deletions(origin: Origin) -> Origin:
    """Where deletions come from: they are written in our own names."""
    return replace(origin, profile=DEFAULT, full_of=None)


def _name(full_of: FullOf) -> bytes:
    return f"{full_of.school_id}/{full_of.collection}/{full_of.school_year}/{full_of.declaration_id}".encode(
        errors="replace"
    )


def _told(known: Declaration) -> sync_pb2.FullOutcome:
    """What became of a declaration, as of now."""
    outcome = sync_pb2.FullOutcome.FromString(known.outcome)
    outcome.state = known.state.value  # type: ignore[assignment]  # the number is the enum's
    return outcome
