"""What became of a batch, as its answer."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from iocedu.records.v1 import records_pb2, resources_pb2

from chassis.wording import in_vietnamese
from services.records.convert.incoming import Batch
from services.records.domain.versions import Outcome

_STATES: Final[Mapping[Outcome, resources_pb2.RowState.ValueType]] = MappingProxyType(
    {
        Outcome.NEW: resources_pb2.ROW_STATE_ACCEPTED,
        Outcome.CHANGED: resources_pb2.ROW_STATE_ACCEPTED,
        Outcome.RAISED: resources_pb2.ROW_STATE_UNCHANGED,
        Outcome.UNCHANGED: resources_pb2.ROW_STATE_UNCHANGED,
        Outcome.STALE: resources_pb2.ROW_STATE_STALE,
        Outcome.VERSION_REUSED: resources_pb2.ROW_STATE_REJECTED,
        Outcome.OTHER_SOURCE: resources_pb2.ROW_STATE_REJECTED,
        Outcome.HELD: resources_pb2.ROW_STATE_HELD,
    },
)


def answer_of(batch: Batch, outcomes: Mapping[int, Outcome]) -> bytes:
    """The state of each row in the order sent, and what is wrong with those that were not stored: the whole answer."""
    states: list[resources_pb2.RowState.ValueType] = [resources_pb2.ROW_STATE_REJECTED] * batch.count
    for index, outcome in outcomes.items():
        if index < batch.count and (index not in batch.problems or outcome is Outcome.HELD):
            states[index] = _STATES[outcome]
    response = records_pb2.ApplyRowsResponse(states=states)
    for index, problem in sorted(batch.problems.items()):
        if index >= batch.count:
            continue
        response.problems.add(
            index=index,
            key=batch.rows[index].key,
            reason=problem.reason,
            field=problem.field,
            message=in_vietnamese(problem.message),
            stored_version=problem.stored_version,
            metadata=problem.metadata,
        )
    return response.SerializeToString()
