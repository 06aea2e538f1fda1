"""HistoryService: what changed in a record, and what it was. Every look is written down before the answer leaves."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Final

from iocedu.records.v1 import history_pb2, history_pb2_grpc
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.access import caller_may
from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import Fault, Kind
from chassis.paging import page_cursor, page_size, page_token
from chassis.scopes import Scopes
from services.records.convert.history import add_changes, record_as_of
from services.records.domain.edits import is_edit
from services.records.domain.history import State, is_first
from services.records.domain.masking import UNMASKED_ROLES
from services.records.domain.objects import BY_COLLECTION, ObjectSpec
from services.records.domain.reading import Reading
from services.records.domain.wording import COLLECTIONS
from services.records.servicer.places import aliases, resolve_unit
from services.records.servicer.reading import may_see_restricted, reading_of, record_restricted
from services.records.store.brought import brought_of
from services.records.store.edits import edits_of
from services.records.store.history import oldest_state, pruned_until, state_at, states
from services.records.store.keys import next_key, previous_key
from services.records.store.withheld import restrictions
from services.records.usecases.lookups import Lookups

PAGE: Final = 20
MOST_PAGE: Final = 200


@dataclass(frozen=True, slots=True)
class _Asked:
    """The record that is asked for, and how it may be shown."""

    spec: ObjectSpec
    school_id: int
    key: str
    unmasked: bool
    may_see_restricted: bool
    reading: Reading


class HistoryServicer(history_pb2_grpc.HistoryServiceServicer):
    """Answers HistoryService."""

    def __init__(self, database: Database, scopes: Scopes, clock: Clock, *, lookups: Lookups) -> None:
        self._database = database
        self._scopes = scopes
        self._clock = clock
        self._lookups = lookups

    async def ListRecordChanges(
        self, request: history_pb2.ListRecordChangesRequest, _context: Any
    ) -> history_pb2.ListRecordChangesResponse:
        """Give a page of the changes of one record."""
        asked = self._asked(request, "ListRecordChanges", self._clock.today())
        most = page_size(request.page_size, default=PAGE, maximum=MOST_PAGE)
        cursor = page_cursor(request)
        async with self._database.connection() as connection:
            await self._refuse_restricted(connection, asked)
            found = await states(
                connection,
                asked.spec,
                school_id=asked.school_id,
                key=asked.key,
                until=cursor[0] if cursor else None,
                most=most + 1,
            )
            pruned = await pruned_until(connection, asked.spec)
            previous, following = await _previous_key(connection, asked), await _next_key(connection, asked)
            requests = [state.request_id for state in found if is_edit(state.request_id)]
            edits = await edits_of(connection, asked.school_id, requests)
            brought = await brought_of(connection, {state.request_id for state in found if state.request_id})
        await self._note(asked, count=min(len(found), most))
        if not found:
            raise _never_stored(asked)
        response = history_pb2.ListRecordChangesResponse(
            masked=not asked.unmasked, previous_key=previous, next_key=following
        )
        add_changes(
            response.changes,
            asked.spec,
            found,
            most=most,
            mask=not asked.unmasked,
            pruned_until=pruned,
            edits=edits,
            brought=brought,
        )
        if len(found) > most:
            response.next_page_token = page_token(request, [found[most].history_id])
        return response

    async def GetRecordAsOf(
        self, request: history_pb2.GetRecordAsOfRequest, _context: Any
    ) -> history_pb2.GetRecordAsOfResponse:
        """Give a record as it was at an instant."""
        today = self._clock.today()
        asked, at = self._asked(request, "GetRecordAsOf", today), request.time.ToDatetime(UTC)
        async with self._database.connection() as connection:
            await self._refuse_restricted(connection, asked)
            state = await state_at(connection, asked.spec, school_id=asked.school_id, key=asked.key, at=at)
            oldest = state or await oldest_state(connection, asked.spec, school_id=asked.school_id, key=asked.key)
            previous = "" if state else await _previous_key(connection, asked)
            following = await _next_key(connection, asked) if state is not None and state.deleted else ""
            pruned = None if state else await pruned_until(connection, asked.spec)
        await self._note(asked, count=int(state is not None and not state.deleted))
        if oldest is None:
            raise _never_stored(asked)
        if state is None:
            if oldest.from_time <= at or not is_first(oldest, pruned_until=pruned):
                raise _not_kept(asked, oldest)
            raise _later(asked, oldest, previous)
        if state.deleted:
            raise _deleted(asked, state, following)
        return record_as_of(
            asked.spec,
            state,
            school_id=asked.school_id,
            key=asked.key,
            alias=aliases(self._scopes.tree, today),
            mask=not asked.unmasked,
        )

    def _asked(
        self,
        request: history_pb2.ListRecordChangesRequest | history_pb2.GetRecordAsOfRequest,
        method: str,
        today: date,
    ) -> _Asked:
        spec, tree = BY_COLLECTION[request.collection], self._scopes.tree
        school_id, purpose = resolve_unit(tree, request.school, today), request.purpose.strip()
        unmasked = bool(purpose) and caller_may(tree, UNMASKED_ROLES, school_id, today)
        reading = reading_of(
            method,
            at=self._clock.now(),
            unit_id=school_id,
            collection=spec.collection,
            key=request.key,
            purpose=purpose,
            unmasked=unmasked,
        )
        named = may_see_restricted(tree, school_id, today, purpose=purpose)
        return _Asked(spec, school_id, request.key, unmasked, named, reading)

    async def _refuse_restricted(self, connection: AsyncConnection, asked: _Asked) -> None:
        """Write down who asked for a restricted record without being one whom the law names, and say so."""
        identity = asked.school_id, asked.spec.number, asked.key
        found = {} if asked.may_see_restricted else await restrictions(connection, [identity])
        if identity in found:
            await self._note(asked, count=0)
            raise record_restricted(asked.spec.collection, asked.key, found[identity])

    async def _note(self, asked: _Asked, *, count: int) -> None:
        await self._lookups.note(replace(asked.reading, record_count=count))


async def _previous_key(connection: AsyncConnection, asked: _Asked) -> str:
    return await previous_key(connection, asked.spec.number, school_id=asked.school_id, key=asked.key)


async def _next_key(connection: AsyncConnection, asked: _Asked) -> str:
    return await next_key(connection, asked.spec.number, school_id=asked.school_id, key=asked.key)


def _never_stored(asked: _Asked) -> Fault:
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_RECORD",
        vi=f"Trường này chưa từng có bản ghi {COLLECTIONS[asked.spec.collection]} «{asked.key}».",
        en=f"There never was a record {asked.key} in {asked.spec.collection} of this school.",
        metadata={"collection": asked.spec.collection, "key": asked.key},
    )


def _later(asked: _Asked, oldest: State, previous: str) -> Fault:
    since = _instant(oldest.from_time)
    also_vi = f" Trước đó khóa của bản ghi là «{previous}»: hãy hỏi theo khóa đó." if previous else ""
    also_en = f" Its key was {previous} before: ask for that one." if previous else ""
    return Fault(
        Kind.NOT_FOUND,
        "NOT_YET_STORED",
        vi=f"Vào lúc đó chưa có bản ghi «{asked.key}»; bản ghi được lưu lần đầu lúc {since}.{also_vi}",
        en=f"There was no record {asked.key} at that instant; it was first stored at {since}.{also_en}",
        metadata={"collection": asked.spec.collection, "key": asked.key, "since": since}
        | ({"previous_key": previous} if previous else {}),
    )


def _deleted(asked: _Asked, state: State, following: str) -> Fault:
    since = _instant(state.from_time)
    also_vi = f" Bản ghi đi tiếp dưới khóa «{following}»: hãy hỏi theo khóa đó." if following else ""
    also_en = f" It goes on under the key {following}: ask for that one." if following else ""
    return Fault(
        Kind.NOT_FOUND,
        "RECORD_DELETED",
        vi=f"Vào lúc đó bản ghi «{asked.key}» đã bị xóa (từ {since}).{also_vi}",
        en=f"The record {asked.key} was deleted at that instant (since {since}).{also_en}",
        metadata={"collection": asked.spec.collection, "key": asked.key, "since": since}
        | ({"next_key": following} if following else {}),
    )


def _not_kept(asked: _Asked, oldest: State) -> Fault:
    since = _instant(oldest.from_time)
    return Fault(
        Kind.NOT_FOUND,
        "HISTORY_NOT_KEPT",
        vi=f"Không còn lưu bản ghi «{asked.key}» vào lúc đó; lịch sử của bản ghi bắt đầu từ {since}.",
        en=f"What the record {asked.key} was at that instant is not kept; its history begins at {since}.",
        metadata={"collection": asked.spec.collection, "key": asked.key, "since": since},
    )


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
