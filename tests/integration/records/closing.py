"""Requests to lock and lift, and rows that stand in parts of a year."""

from collections.abc import Sequence
from typing import Any

from iocedu.records.v1 import locks_pb2, resources_pb2, results_pb2

from tests.integration.records.scenes import COMMUNE, PROVINCE, SCHOOL_A, Running

WHY = "Đã duyệt báo cáo đầu năm"


def setting(unit: str = COMMUNE, *collections: str, **fields: Any) -> locks_pb2.SetLocksRequest:
    """A request to lock; pupils of the year unless it says otherwise."""
    given: dict[str, Any] = {"school_year": 2026, "reason": WHY} | fields
    return locks_pb2.SetLocksRequest(unit=unit, collections=collections or ["pupils"], **given)


def lifting(unit: str = COMMUNE, *collections: str, **fields: Any) -> locks_pb2.LiftLocksRequest:
    """A request to lift."""
    given: dict[str, Any] = {"school_year": 2026, "reason": "Bổ sung số liệu"} | fields
    return locks_pb2.LiftLocksRequest(unit=unit, collections=collections or ["pupils"], **given)


def result(key: str, version: int = 1, *, stage: str = "CK1", **fields: Any) -> resources_pb2.Row:
    """A row with results."""
    record = results_pb2.Result(school_year=2026, pupil_key="HS1", stage=stage, **fields)
    return resources_pb2.Row(school=SCHOOL_A, key=key, version=version, result=record)


def register(key: str, version: int = 1, *, day: str, scheduled: int = 40) -> resources_pb2.Row:
    """A row with a register."""
    record = resources_pb2.AttendanceRegister(
        school_year=2026, class_key="6A", day=day, session=1, scheduled_count=scheduled
    )
    return resources_pb2.Row(school=SCHOOL_A, key=key, version=version, attendance_register=record)


async def listed(records: Running, unit: str = PROVINCE, **fields: Any) -> Sequence[locks_pb2.Lock]:
    """The locks below a unit."""
    answer = await (await records.locks()).ListLocks(locks_pb2.ListLocksRequest(unit=unit, **fields))
    found: Sequence[locks_pb2.Lock] = answer.locks
    return found
