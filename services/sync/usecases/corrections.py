"""One record corrected by hand: put together, checked like a row that is pushed, and stored by records like one.

Sync keeps nothing of it: no batch, no quarantine, and a school's connection is no fresher for it. Who corrected what
and why stands in the record's history.
"""

from iocedu.records.v1 import records_pb2
from iocedu.records.v1.resources_pb2 import Row

from services.sync.convert import answers
from services.sync.convert.corrections import corrected
from services.sync.convert.rows import Checked
from services.sync.domain.batches import Origin, RowState
from services.sync.domain.corrections import ETAG_MISMATCH, Correction, PathRefusedError
from services.sync.usecases import refusals
from services.sync.usecases.intake import Intake, checking_rows


async def correct_record(intake: Intake, origin: Origin, correction: Correction, *, given: Row) -> RowState:
    """Correct a record: ACCEPTED, or UNCHANGED where it holds these values already.

    Raises what is wrong with the corrected row under the reason that a pushed row would have, ETAG_MISMATCH,
    UNKNOWN_RECORD, REQUEST_ID_REUSED.
    """
    begun = await _begin(intake, correction)
    if begun.HasField("answer"):
        return RowState(begun.answer.states[0])
    stored = begun.record.row
    try:
        row = corrected(stored, given, correction.paths)
    except PathRefusedError as refused:
        raise refusals.path_refused(refused) from None
    if row == stored:
        return RowState.UNCHANGED
    checked = Checked(checking_rows(intake, origin, [row], careful=b"\0" in row.SerializeToString()))
    checked.add([row])
    if not checked.noted:
        await _store(intake, correction, checked, source=begun.record.source)
    if checked.noted:
        problem = checked.noted[0].problem
        if problem.reason == ETAG_MISMATCH:
            await _begin(intake, correction)  # It has changed in between: what it is now is said there.
        raise refusals.not_corrected(problem)
    return RowState(checked.states[0])


async def _begin(intake: Intake, correction: Correction) -> records_pb2.BeginEditResponse:
    request = records_pb2.BeginEditRequest(
        collection=correction.collection,
        school=correction.school,
        key=correction.key,
        request_id=correction.request_id,
        digest=correction.digest,
        etag=correction.etag,
    )
    return await intake.records.begin_edit(request)


async def _store(intake: Intake, correction: Correction, checked: Checked, *, source: str) -> None:
    edit = records_pb2.Edit(etag=correction.etag, reason=correction.reason, digest=correction.digest)
    request = records_pb2.ApplyRowsRequest(
        request_id=correction.request_id,
        source=source,
        rows=checked.rows,
        validate_only=correction.validate_only,
        edit=edit,
    )
    answer = await intake.records.apply(request)
    checked.answer(answer.states, answers.told(answer))
