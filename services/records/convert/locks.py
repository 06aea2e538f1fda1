"""Locks as callers ask for them and see them, and as events tell of them."""

from collections.abc import Iterator, Sequence
from typing import Final

from iocedu.records.v1 import locks_pb2

from chassis.errors import FieldViolation
from chassis.identity import Caller
from chassis.outbox import Outgoing
from chassis.validation import invalid
from services.records.domain.locks import Actor, Lock, LockDraft, period_fits
from services.records.domain.objects import BY_COLLECTION

LOCKS_CHANGED: Final = "locks-changed"
MOST_LOCKS: Final = 150  # locks of one event, so that the longest reasons fit 256 kB


def draft_of(request: locks_pb2.SetLocksRequest | locks_pb2.LiftLocksRequest) -> LockDraft:
    """What is to be locked or lifted; raises INVALID_FIELD for a period that a collection does not have."""
    year, period = request.school_year, request.period
    for collection in request.collections:
        if not period_fits(BY_COLLECTION[collection], year, period):
            raise _no_such_period(period, collection, year)
    return LockDraft(tuple(request.collections), year, period, request.reason.strip())


def actor_of(caller: Caller) -> Actor:
    """Who asks: the person for whom a service works, where one does."""
    return Actor(caller.actor or caller.subject, caller.service or "")


def lock_of(lock: Lock, *, school: str = "") -> locks_pb2.Lock:
    """A lock as callers see it; without the school's alias, as events tell of it."""
    message = locks_pb2.Lock(
        lock_id=lock.lock_id,
        school_id=lock.school_id,
        school=school,
        collection=lock.collection,
        school_year=lock.school_year,
        period=lock.period,
        reason=lock.reason,
        locked_by=lock.locked_by,
        lock_service=lock.lock_service,
        lifted_by=lock.lifted_by,
        lift_service=lock.lift_service,
        lift_reason=lock.lift_reason,
    )
    message.lock_time.FromDatetime(lock.lock_time)
    if lock.lift_time is not None:
        message.lift_time.FromDatetime(lock.lift_time)
    return message


def lock_events(locks: Sequence[Lock]) -> Iterator[Outgoing]:
    """The events that tell of locks just set or lifted."""
    for start in range(0, len(locks), MOST_LOCKS):
        part = locks[start : start + MOST_LOCKS]
        payload = locks_pb2.LocksChanged(locks=map(lock_of, part)).SerializeToString()
        yield Outgoing(LOCKS_CHANGED, payload, len(part))


def _no_such_period(period: str, collection: str, school_year: int) -> Exception:
    year = f"{school_year}-{school_year + 1}"
    vi = (
        f"`{collection}` năm học {year} không có phần «{period}». Kết quả (`results`) chia theo giai đoạn GK1, CK1, "
        "GK2, CK2, CN; điểm danh (`attendance`) theo tháng của năm học, dạng YYYY-MM; còn lại hãy để trống `period`."
    )
    en = (
        f"{collection} of {year} has no period “{period}”. results have the stages GK1, CK1, GK2, CK2, CN, attendance "
        "the months of the school year as YYYY-MM; for others leave period empty."
    )
    return invalid([FieldViolation("period", "INVALID_FIELD", vi, en)])
