"""AccessLogService: who looked at personal data, also by another service. Looking here is a look, and written down."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp
from iocedu.records.v1 import access_log_pb2, access_log_pb2_grpc

from chassis.access import caller_may
from chassis.clock import Clock
from chassis.database import Database
from chassis.paging import page_cursor, page_size, page_token
from chassis.scope_tree import EVERY_UNIT
from chassis.scopes import Scopes
from services.records.convert.access_log import add_access
from services.records.domain.masking import UNMASKED_ROLES
from services.records.servicer.places import resolve_unit
from services.records.servicer.reading import reading_of
from services.records.store.access_log import Sought, readings_page
from services.records.usecases.lookups import Lookups

# Who may see every look; a head teacher may see those at pupils.
WATCHING: Final = ("administrator", "auditor")
OF_PUPILS: Final = frozenset({"pupils", "attendance", "results", "health-checks", "retests", "graduations"})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class AccessLogServicer(access_log_pb2_grpc.AccessLogServiceServicer):
    """Answers AccessLogService."""

    def __init__(self, database: Database, scopes: Scopes, clock: Clock, *, lookups: Lookups) -> None:
        self._database = database
        self._scopes = scopes
        self._clock = clock
        self._lookups = lookups

    async def ListAccesses(
        self, request: access_log_pb2.ListAccessesRequest, _context: Any
    ) -> access_log_pb2.ListAccessesResponse:
        """Give a page of looks."""
        today, tree = self._clock.today(), self._scopes.tree
        unit_id = resolve_unit(tree, request.unit, today)
        collections = frozenset({request.collection}) if request.collection else None
        if not caller_may(tree, WATCHING, unit_id, today):
            collections = OF_PUPILS if collections is None else OF_PUPILS & collections
        sought = Sought(
            units=None if unit_id == EVERY_UNIT else tree.reach(unit_id, today),
            collections=collections,
            subject=request.subject,
            key=request.key,
            from_time=_instant(request.from_time) if request.HasField("from_time") else None,
            until_time=_instant(request.until_time) if request.HasField("until_time") else None,
        )
        most = page_size(request.page_size, default=100, maximum=1000)
        cursor = page_cursor(request)
        before = (_EPOCH + cursor[0] * _MICROSECOND, int(cursor[1])) if cursor else None
        async with self._database.connection() as connection:
            found = await readings_page(connection, sought, before=before, most=most + 1)
        response = access_log_pb2.ListAccessesResponse()
        for one in found[:most]:
            add_access(response.accesses, one)
        if len(found) > most:
            last = found[most - 1]
            response.next_page_token = page_token(
                request, [(last.reading.read_time - _EPOCH) // _MICROSECOND, last.entry_id]
            )
        await self._lookups.note(
            reading_of(
                "ListAccesses",
                at=self._clock.now(),
                unit_id=unit_id,
                collection="accesses",
                key=request.key,
                count=len(response.accesses),
            )
        )
        return response

    async def NoteAccess(
        self, request: access_log_pb2.NoteAccessRequest, _context: Any
    ) -> access_log_pb2.NoteAccessResponse:
        """Write down what another service is about to show; the caller is whom it speaks for."""
        today, tree = self._clock.today(), self._scopes.tree
        unit_id, purpose = resolve_unit(tree, request.unit, today), request.purpose.strip()
        allowed = bool(purpose) and caller_may(tree, UNMASKED_ROLES, unit_id, today)
        unmasked = request.own or allowed
        for noted in request.collections:
            await self._lookups.note(
                reading_of(
                    request.method,
                    at=self._clock.now(),
                    unit_id=unit_id,
                    collection=noted.collection,
                    count=noted.record_count,
                    purpose=purpose,
                    unmasked=unmasked,
                )
            )
        return access_log_pb2.NoteAccessResponse(unmasked=unmasked)


def _instant(timestamp: Timestamp) -> datetime:
    return timestamp.ToDatetime(UTC)
