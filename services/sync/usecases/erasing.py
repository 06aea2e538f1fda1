"""What records has erased or restricted at a person's request goes from the quarantine and the stored answers, too, and
from what is on its way to destinations.

Refused rows are kept by nobody's law. A file holds everybody of a school, and goes as a whole: the school has it; one
that is still worked on goes when it ends. Rows that come later under an erased key are refused again, and their
contents are not kept. Destinations are told of an erased record that it is gone, and keep what they have of a
restricted one. A repeat finds nothing more, and confirms again.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, Final

from iocedu.records.v1 import erasures_pb2
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import outbox
from chassis.outbox import Outgoing
from services.sync.convert.erasing import confirmed, identities_of, keys_of, without_gone, without_keys
from services.sync.convert.packages import without_records
from services.sync.domain.erasing import mentions_of
from services.sync.domain.problems import RECORD_ERASED
from services.sync.store import declarations, erasing, sandboxes, withholding
from services.sync.store.quarantine import QUARANTINE_COLUMNS

ERASURES_CONFIRMED: Final = "erasures-confirmed"
_PLACE, _KEY, _REASON, _CONTENT = map(QUARANTINE_COLUMNS.index, ("place_id", "key", "reason", "content"))


async def erase_all(
    writes: AsyncConnection,
    requests: Sequence[erasures_pb2.ErasuresRequested],
    *,
    above: Callable[[int], Collection[int]],
    now: datetime,
) -> None:
    """Erase what is kept of the records of several requests, and confirm each.

    `above` are the units that upload for a school, too. Places are held together, in one order: who writes of several
    of them meanwhile holds them in the same.
    """
    await erasing.hold_erasures(writes, {request.school_id for request in requests if any(keys_of(request))})
    for request in requests:
        await _erase(writes, request, above=above(request.school_id), now=now)


async def _erase(
    writes: AsyncConnection, request: erasures_pb2.ErasuresRequested, *, above: Collection[int], now: datetime
) -> None:
    """Erase what is kept of a request's records, and confirm; `above` are the units that upload for the school, too."""
    erased, keys = keys_of(request)
    count = 0
    if keys:
        school_id = request.school_id
        await erasing.note_erased(writes, school_id, erased)
        batches = await erasing.erase_quarantined(writes, school_id, keys, mentions_of(keys))
        count += len(batches) + await erasing.erase_files(writes, {school_id, *above})
        # What was found in a file that was only looked at lies in no quarantine.
        declared = {(school_id, ""), *await erasing.lookers(writes, above)}
        for one in await declarations.of_school(writes, school_id):
            told, named = without_gone(one.outcome, keys)
            if named:
                await declarations.keep_outcome(writes, one, told)
                declared.add((one.unit_id, one.source))  # Its batches say so, too, for whomever they were sent.
                count += named
        for key, outcome in await erasing.batches_mentioning(writes, declared, set(batches), keys):
            left, named = without_keys(outcome, keys)
            if named:
                await erasing.keep_outcome(writes, key, left)
                count += named
        count += await sandboxes.erase(writes, school_id, keys)
        count += await _stop_passing_on(writes, request, now=now)
    await outbox.append(writes, [Outgoing(ERASURES_CONFIRMED, confirmed(request, "sync", count))])


async def _stop_passing_on(writes: AsyncConnection, request: erasures_pb2.ErasuresRequested, *, now: datetime) -> int:
    """Let nothing more go out of a request's records but that they are gone; returns how many copies are cleared."""
    school_id = request.school_id
    erased, restricted = identities_of(request.erased), identities_of(request.restricted)
    await withholding.hold(writes, school_id)
    ids = set(await withholding.record_ids(writes, school_id, [*erased, *restricted]))
    count = await withholding.erase(writes, school_id, erased, now=now)
    count += await withholding.restrict(writes, school_id, restricted, now=now)
    for package_id, form, body in await withholding.packages(writes, school_id):
        left, taken_out, kept = without_records(form, body, ids)
        if taken_out:
            await withholding.keep_package(writes, package_id, body=left, count=kept, without=sorted(ids))
            count += taken_out
    await withholding.clear_outcomes(writes, school_id, [*erased, *restricted])
    return count


def without_erased(rows: Sequence[tuple[Any, ...]], erased: Collection[tuple[int, str]]) -> list[tuple[Any, ...]]:
    """Rows for the quarantine, without the contents of those that were erased, by place and key."""
    return [
        (*row[:_CONTENT], "", *row[_CONTENT + 1 :])
        if row[_REASON] == RECORD_ERASED or (row[_PLACE], row[_KEY]) in erased
        else row
        for row in rows
    ]
