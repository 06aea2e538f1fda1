"""Requests of people about their data, filed and brought to their end. One transaction each."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.clock import Clock, vietnam_day
from chassis.database import Database
from chassis.errors import Fault, FieldViolation, Kind
from chassis.validation import invalid
from services.records.convert.rules import load_erasure_rules
from services.records.domain.data_requests import (
    DEEDS,
    CarriedOutByCentre,
    DataRequest,
    ExtendedBefore,
    Filing,
    NotNow,
)
from services.records.domain.data_requests import Kind as DataRequestKind
from services.records.domain.objects import BY_COLLECTION
from services.records.domain.persons import PERSONS
from services.records.domain.wording import COLLECTIONS, REQUEST_KINDS, REQUEST_STATES
from services.records.store import data_requests
from services.records.store.erasing import said_of
from services.records.store.erasures import confirmations
from services.records.usecases.apply import request_id_reused
from services.records.usecases.locks import Asked


@dataclass(frozen=True, slots=True)
class Named:
    """Which request is meant."""

    school_id: int
    data_request_id: int


async def file_data_request(database: Database, clock: Clock, filing: Filing, *, by: str, asked: Asked) -> DataRequest:
    """File a request; raises NO_TERM, or REQUEST_ID_REUSED when the id came with another request.

    Raises UNKNOWN_RECORD unless what it is about is there, or was there, and INVALID_FIELD where nobody is named whose
    data could be erased.
    """
    received, spec = vietnam_day(filing.receive_time), BY_COLLECTION[filing.collection]
    if filing.kind in DEEDS and spec not in {*PERSONS, *load_erasure_rules().naming}:
        raise _nobody_named(filing.collection)
    async with database.transaction() as connection:
        said = await said_of(connection, spec, school_id=filing.school_id, keys=[filing.key])
        known = await data_requests.is_filed(connection, filing.school_id, asked.request_id)
        if filing.key not in said and not known:
            raise _unknown_record(filing)
        term = await data_requests.term_of(connection, filing.kind, received)
        if term is None:
            raise _no_term(filing.kind, received.isoformat())
        kept, digest = await data_requests.add_data_request(
            connection,
            filing,
            term=term,
            due_date=received + timedelta(days=term.days),
            request_id=asked.request_id,
            digest=asked.digest,
            by=by,
            now=clock.now(),
        )
    if digest != asked.digest:
        raise request_id_reused(asked.request_id)
    return kept


async def held_request(connection: AsyncConnection, *, school_id: int, data_request_id: int) -> DataRequest:
    """A request that nobody else changes until the transaction ends; raises UNKNOWN_DATA_REQUEST."""
    held = await data_requests.held_data_request(connection, school_id=school_id, data_request_id=data_request_id)
    if held is None:
        raise unknown_data_request(data_request_id)
    return held


async def change_data_request(
    database: Database, named: Named, change: Callable[[DataRequest], DataRequest]
) -> DataRequest:
    """Change a request; raises UNKNOWN_DATA_REQUEST, DATA_REQUEST_STATE, ERASURE_UNFINISHED or ALREADY_EXTENDED."""
    async with database.transaction() as connection:
        held = await held_request(connection, school_id=named.school_id, data_request_id=named.data_request_id)
        try:
            changed = change(held)
        except NotNow:
            raise not_now(held) from None
        except CarriedOutByCentre:
            raise await _unfinished(connection, held) from None
        except ExtendedBefore:
            raise _extended_before(held) from None
        if changed != held:
            await data_requests.keep_data_request(connection, changed)
    return changed


def _no_term(kind: DataRequestKind, day: str) -> Fault:
    return Fault(
        Kind.PRECONDITION,
        "NO_TERM",
        vi=f"Chưa có thời hạn cho yêu cầu {REQUEST_KINDS[kind]} nhận ngày {day}. Hãy báo người quản trị bổ sung.",
        en=f"No term is known for requests of kind {kind.value} received on {day}. Ask an operator to add it.",
        metadata={"kind": kind.value, "day": day},
    )


def unknown_data_request(data_request_id: int) -> Fault:
    """What is said where a school has no such request."""
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_DATA_REQUEST",
        vi=f"Trường này không có yêu cầu số {data_request_id}.",
        en=f"This school has no request {data_request_id}.",
        metadata={"data_request_id": str(data_request_id)},
    )


def not_now(held: DataRequest) -> Fault:
    """What is said to a step that a request is not ready for."""
    return Fault(
        Kind.PRECONDITION,
        "DATA_REQUEST_STATE",
        vi=f"Không thể làm việc này với yêu cầu số {held.data_request_id} ở trạng thái “{REQUEST_STATES[held.state]}”.",
        en=f"This cannot be done with request {held.data_request_id}, which is {held.state.value}.",
        metadata={"data_request_id": str(held.data_request_id), "state": held.state.value},
    )


def _extended_before(held: DataRequest) -> Fault:
    return Fault(
        Kind.PRECONDITION,
        "ALREADY_EXTENDED",
        vi=f"Yêu cầu số {held.data_request_id} đã được gia hạn một lần, đến {held.due_date.isoformat()}.",
        en=f"The due date of request {held.data_request_id} was moved once, to {held.due_date.isoformat()}.",
        metadata={"data_request_id": str(held.data_request_id), "due_date": held.due_date.isoformat()},
    )


async def _unfinished(connection: AsyncConnection, held: DataRequest) -> Fault:
    asked = await confirmations(connection, school_id=held.school_id, data_request_id=held.data_request_id)
    waits_for = ", ".join(one.service for one in asked if one.confirm_time is None) or "records"
    return Fault(
        Kind.PRECONDITION,
        "ERASURE_UNFINISHED",
        vi=f"Yêu cầu số {held.data_request_id} do trung tâm tự thực hiện rồi tự ghi nhận hoàn thành; còn "
        f"chờ: {waits_for}.",
        en=f"Request {held.data_request_id} is carried out, and then said to be done, by the centre itself; it waits "
        f"for {waits_for}.",
        metadata={"data_request_id": str(held.data_request_id), "waits_for": waits_for},
    )


def _unknown_record(filing: Filing) -> Fault:
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_RECORD",
        vi=f"Trường này không có bản ghi {COLLECTIONS[filing.collection]} «{filing.key}». Hãy tra cứu khóa của bản "
        "ghi rồi gửi lại yêu cầu.",
        en=f"This school has no record {filing.key} in {filing.collection}. Look its key up and file "
        "the request again.",
        metadata={"collection": filing.collection, "key": filing.key},
    )


def _nobody_named(collection: str) -> Fault:
    vi = (
        f"Bản ghi {COLLECTIONS[collection]} không của riêng một người. Hãy nêu học sinh, cán bộ hoặc kết quả của một "
        "học sinh."
    )
    en = f"Records of {collection} are no single person's. Name a pupil, a member of staff or a pupil's result."
    return invalid([FieldViolation("collection", "INVALID_FIELD", vi, en)])
