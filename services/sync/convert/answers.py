"""Answers and events: what became of a batch, quarantined rows, connections."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp
from iocedu.records.v1 import records_pb2, resources_pb2
from iocedu.sync.v1 import sync_pb2

from services.sync.convert.rows import Noted
from services.sync.domain.batches import RowState
from services.sync.domain.connections import Connection
from services.sync.domain.retelling import Told
from services.sync.domain.words import Text

MOST_PROBLEMS: Final = 5_000  # A message carries 16 MB; all of them are in the quarantine.


def outcome(states: bytearray, noted: Sequence[Noted], unverified: Mapping[str, int]) -> sync_pb2.Outcome:
    """What became of a batch. Problems come in the order of rows, the first 5,000 of them."""
    return sync_pb2.Outcome(
        accepted_count=states.count(RowState.ACCEPTED),
        unchanged_count=states.count(RowState.UNCHANGED),
        stale_count=states.count(RowState.STALE),
        rejected_count=states.count(RowState.REJECTED),
        held_count=states.count(RowState.HELD),
        states=list(states),  # type: ignore[arg-type]  # the numbers are the enum's
        problems=map(_row_problem, sorted(noted, key=lambda one: one.index)[:MOST_PROBLEMS]),
        unverified_counts=unverified,
    )


def told(answer: records_pb2.ApplyRowsResponse) -> list[Told]:
    """The problems records names, by place among the rows sent."""
    return [
        Told(
            one.index,
            one.reason,
            one.field,
            Text(one.message, one.message_en or one.message),
            one.stored_version,
            dict(one.metadata),
        )
        for one in answer.problems
    ]


def localized(kept: sync_pb2.Outcome, language: str) -> sync_pb2.Outcome:
    """An outcome as it is kept, its problems in both languages, for who asks in one."""
    if not kept.problems:
        return kept
    answer = sync_pb2.Outcome()
    answer.CopyFrom(kept)
    for problem in answer.problems:
        _choose(problem, language)
    return answer


def connection(one: Connection, *, name: str, now: datetime) -> sync_pb2.Connection:
    """A connection with its state as of now."""
    return sync_pb2.Connection(
        school_id=one.school_id,
        school_name=name,
        state=one.state(now),  # type: ignore[arg-type]  # the numbers are the enum's
        must_connect=one.must_connect,
        first_accept_time=timestamp(one.first_accept_time),
        last_accept_time=timestamp(one.last_accept_time),
        source=one.source,
        accepted_count=one.accepted_count,
        rejected_count=one.rejected_count,
        create_time=timestamp(one.create_time),
    )


def connections_changed(connections: Iterable[sync_pb2.Connection], *, backfill: bool) -> bytes:
    """The event's payload."""
    return sync_pb2.ConnectionsChanged(connections=connections, backfill=backfill).SerializeToString()


def quarantined_row(row: dict[str, Any], *, content: str, language: str) -> sync_pb2.QuarantinedRow:
    """A quarantined row, by the columns of its table; `content` is already masked."""
    problem = resources_pb2.RowProblem(metadata=row["metadata"])
    for column, name in _PROBLEM_COLUMNS:
        setattr(problem, name, row[column])
    _choose(problem, language)
    answer = sync_pb2.QuarantinedRow(problem=problem, content=content)
    for name in _QUARANTINE_COLUMNS:
        setattr(answer, name, row[name])
    answer.create_time.FromDatetime(row["create_time"])
    return answer


def timestamp(instant: datetime | None) -> Timestamp | None:
    """An instant on the wire; None stays away."""
    if instant is None:
        return None
    made = Timestamp()
    made.FromDatetime(instant)
    return made


_PROBLEM_COLUMNS: Final = (
    ("row_index", "index"),
    *((name, name) for name in ("key", "reason", "field", "message", "message_en", "stored_version")),
)
_QUARANTINE_COLUMNS: Final = ("quarantined_row_id", "unit_id", "source", "batch_id", "state")


def row_problem(one: Noted, language: str) -> resources_pb2.RowProblem:
    """What is wrong with a row, for who reads a language."""
    problem = _row_problem(one)
    _choose(problem, language)
    return problem


def _row_problem(one: Noted) -> resources_pb2.RowProblem:
    problem = one.problem
    return resources_pb2.RowProblem(
        index=one.index,
        key=one.key,
        reason=problem.reason,
        field=problem.field,
        message=problem.text.vi,
        message_en=problem.text.en,
        stored_version=problem.stored_version,
        metadata=problem.metadata,
    )


def _choose(problem: resources_pb2.RowProblem, language: str) -> None:
    """Leave the message in one language; what was kept before there were two has Vietnamese alone."""
    if language == "en" and problem.message_en:
        problem.message = problem.message_en
    problem.ClearField("message_en")
