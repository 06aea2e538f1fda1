"""Rows of one source stored in one transaction, each with its own outcome; a repeated request answers the same.

The order matters: the schools are locked before anything is read or written, so that two batches that share schools
never wait for each other in a circle, and what is looked at stays true until it is written.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import outbox
from chassis.errors import Fault, Kind
from services.records.convert.events import RECORDS_CHANGED, Accepted, pack_changes
from services.records.convert.incoming import Batch, Entry, column_values
from services.records.convert.outcomes import answer_of
from services.records.domain import problems
from services.records.domain.versions import Outcome, Stored, classify
from services.records.store import bulk, requests


async def apply_rows(connection: AsyncConnection, batch: Batch, *, now: datetime) -> bytes:
    """Store a batch and return the serialized answer; raises REQUEST_ID_REUSED when its id came with another."""
    await bulk.lock_schools(connection, batch.school_ids)
    earlier = await requests.answered(connection, batch.request_id)
    if earlier is not None:
        digest, answer = earlier
        if digest != batch.digest:
            raise _request_id_reused(batch.request_id)
        return answer
    outcomes: dict[int, Outcome] = {}
    accepted: list[Accepted] = []
    for spec, entries in batch.entries.items():
        stored = await bulk.stored_versions(connection, spec, [entry[:2] for entry in entries])
        fresh, changed, raised = _sort_out(entries, stored, batch=batch, outcomes=outcomes)
        for write, chosen in ((bulk.insert_records, fresh), (bulk.replace_records, changed)):
            values = await column_values(spec, chosen, batch=batch, now=now)
            if values:
                await write(connection, spec, values)
            accepted += [(entry[4], entry[0], spec) for entry in chosen if entry[4] not in batch.problems]
        if raised:
            await bulk.raise_versions(connection, spec, {entry[:2]: entry[2] for entry in raised})
    packed = await pack_changes(batch, sorted(accepted, key=lambda one: one[0]))
    await outbox.append(connection, [outbox.Outgoing(RECORDS_CHANGED, event.payload, event.count) for event in packed])
    answer = answer_of(batch, outcomes)
    if not await requests.keep_answer(connection, batch.request_id, digest=batch.digest, response=answer, now=now):
        raise _request_id_reused(batch.request_id)
    return answer


def _sort_out(
    entries: Sequence[Entry],
    stored: dict[bulk.Identity, Stored],
    *,
    batch: Batch,
    outcomes: dict[int, Outcome],
) -> tuple[list[Entry], list[Entry], list[Entry]]:
    """Decide each row: those to insert, those to store over what is there, those whose version alone is noted."""
    chosen: dict[Outcome, list[Entry]] = {Outcome.NEW: [], Outcome.CHANGED: [], Outcome.RAISED: []}
    for entry in entries:
        school_id, key, version, content_hash, index = entry
        held = stored.get((school_id, key))
        outcome = classify(held, version=version, content_hash=content_hash, source=batch.source)
        outcomes[index] = outcome
        if outcome in chosen:
            chosen[outcome].append(entry)
        elif outcome is Outcome.OTHER_SOURCE and held is not None:
            batch.problems[index] = problems.other_source(held.source, held.version)
        elif outcome is Outcome.VERSION_REUSED:
            batch.problems[index] = problems.version_reused(version)
    return chosen[Outcome.NEW], chosen[Outcome.CHANGED], chosen[Outcome.RAISED]


def _request_id_reused(request_id: str) -> Fault:
    return Fault(
        Kind.INVALID,
        "REQUEST_ID_REUSED",
        vi=f"Mã yêu cầu «{request_id}» đã dùng cho một yêu cầu khác. Hãy dùng mã mới.",
        en=f"The request id {request_id} was used for another request. Use a new one.",
        metadata={"request_id": request_id},
    )
