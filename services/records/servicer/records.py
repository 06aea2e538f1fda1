"""RecordsService: rows in, records looked up, changes followed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from iocedu.records.v1 import records_pb2, records_pb2_grpc

from chassis import telemetry
from chassis.access import caller_may, rule_of
from chassis.clock import Clock
from chassis.database import Database
from chassis.disclosures import written_down
from chassis.errors import Fault, FieldViolation, Kind
from chassis.identity import caller
from chassis.paging import page_cursor, page_size, page_token
from chassis.scope_tree import ScopeTree
from chassis.scopes import Scopes
from chassis.streams import envelope
from chassis.tail import Tail, in_time
from chassis.validation import invalid
from services.records.convert.incoming import SLICE, read_batch
from services.records.convert.outgoing import add_change, present_record
from services.records.domain import problems
from services.records.domain.edits import edit_id, etag_of
from services.records.domain.masking import UNMASKED_ROLES
from services.records.domain.objects import BY_COLLECTION, DELETED, SCHOOL_KINDS, SOURCE, VERSION, ObjectSpec
from services.records.domain.problems import Problem
from services.records.domain.reading import Reading
from services.records.domain.wording import COLLECTIONS
from services.records.servicer.places import aliases, records_below, resolve_unit
from services.records.servicer.reading import may_see_restricted, reading_of, record_restricted
from services.records.store import lookup
from services.records.store.feed import Wanted
from services.records.store.keys import last_key
from services.records.store.requests import answered
from services.records.store.withheld import restrictions
from services.records.usecases.apply import applying, request_id_reused
from services.records.usecases.changes import Page, list_changes
from services.records.usecases.lookups import Lookups

EVERY_UNIT: Final = 0
MOST_PAGE_BYTES: Final = 8 * 1024 * 1024  # A message holds at most 16 MB; one record is far smaller than the rest.
STREAM_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Follower:
    """Whose changes a reader may see, and how."""

    unit_id: int
    types: Sequence[int]
    masked: bool


class RecordsServicer(records_pb2_grpc.RecordsServiceServicer):
    """Answers RecordsService."""

    def __init__(self, database: Database, scopes: Scopes, clock: Clock, *, lookups: Lookups, tip: Tail) -> None:
        rule = rule_of("iocedu.records.v1.RecordsService/ListChanges")
        self._projecting = rule.services if rule else frozenset()
        self._database = database
        self._scopes = scopes
        self._clock = clock
        self._applying = applying(database, clock)
        self._lookups = lookups
        self._tip = tip

    async def ApplyRows(self, request: records_pb2.ApplyRowsRequest, _context: Any) -> records_pb2.ApplyRowsResponse:
        """Store rows of one source in one transaction, which requests that come together share."""
        school = _schools(self._scopes.tree, self._clock.today())
        batch = await read_batch(request, school=school, trace=telemetry.traceparent(), caller=_ordered_by())
        return records_pb2.ApplyRowsResponse.FromString(await self._applying.ask(batch))

    async def GetRecord(self, request: records_pb2.GetRecordRequest, _context: Any) -> records_pb2.GetRecordResponse:
        """Give one record, masked unless a purpose is stated and the caller's role allows it."""
        today, tree, spec = self._clock.today(), self._scopes.tree, BY_COLLECTION[request.collection]
        school_id = resolve_unit(tree, request.school, today)
        purpose = request.purpose.strip()
        unmasked = bool(purpose) and caller_may(tree, UNMASKED_ROLES, school_id, today)
        reading = self._reading(
            "GetRecord", school_id, spec.collection, key=request.key, purpose=purpose, unmasked=unmasked
        )
        named = may_see_restricted(tree, school_id, today, purpose=purpose)
        stored = await self._lookups.look_up(spec, reading, withheld=named)
        if stored is None:
            await self._refuse_restricted(spec, school_id, request.key)
            raise await self._missing(spec, school_id, request.key)
        record = present_record(spec, stored, alias=aliases(tree, today), mask=not unmasked)
        return records_pb2.GetRecordResponse(record=record)

    async def BeginEdit(self, request: records_pb2.BeginEditRequest, _context: Any) -> records_pb2.BeginEditResponse:
        """Give a record in full to be corrected; nobody looks at it, so that no reading is written down."""
        today, tree, spec = self._clock.today(), self._scopes.tree, BY_COLLECTION[request.collection]
        identity, request_id = (resolve_unit(tree, request.school, today), request.key), edit_id(request.request_id)
        async with self._database.connection() as connection:
            # In this order: a record that this very request has corrected by now comes with its answer.
            stored = (await lookup.records_by_key(connection, spec, [identity], withheld=False)).get(identity)
            earlier = (await answered(connection, [request_id])).get(request_id)
        if earlier is not None:
            if earlier[0] != request.digest:
                raise request_id_reused(request.request_id)
            return records_pb2.BeginEditResponse(answer=records_pb2.ApplyRowsResponse.FromString(earlier[1]))
        if stored is None or stored[DELETED]:
            await self._refuse_restricted(spec, *identity)
            raise await self._missing(spec, *identity)
        if etag_of(stored) != request.etag:
            raise _etag_mismatch(request.etag, version=stored[VERSION], source=stored[SOURCE])
        record = present_record(spec, stored, alias=aliases(tree, today), mask=False)
        return records_pb2.BeginEditResponse(record=record)

    async def _missing(self, spec: ObjectSpec, school_id: int, key: str) -> Fault:
        """What is said where there is no record under a key; it leads to the one under which the record goes on."""
        async with self._database.connection() as connection:
            following = await last_key(connection, spec, school_id=school_id, key=key)
        return _unknown_record(spec.collection, key, following)

    async def _refuse_restricted(self, spec: ObjectSpec, school_id: int, key: str) -> None:
        identity = school_id, spec.number, key
        async with self._database.connection() as connection:
            found = await restrictions(connection, [identity])
        if identity in found:
            raise record_restricted(spec.collection, key, found[identity])

    async def ListRecords(
        self, request: records_pb2.ListRecordsRequest, _context: Any
    ) -> records_pb2.ListRecordsResponse:
        """Give a page of the records below a unit, masked."""
        today, tree, spec = self._clock.today(), self._scopes.tree, BY_COLLECTION[request.collection]
        if request.name_contains and not spec.name:
            raise _nameless(spec.collection)
        unit_id = resolve_unit(tree, request.unit, today)
        most = page_size(request.page_size, default=50, maximum=1000)
        cursor = page_cursor(request)
        async with self._database.connection() as connection:
            found = await lookup.records_page(
                connection,
                spec,
                schools=records_below(tree, unit_id, today),
                school_year=request.school_year,
                name_contains=request.name_contains,
                after=(cursor[0], cursor[1]) if cursor else None,
                most=most + 1,
            )
        response, alias, size = records_pb2.ListRecordsResponse(), aliases(tree, today), 0
        for one in found[:most]:
            response.records.append(present_record(spec, one, alias=alias, mask=True))
            size += response.records[-1].ByteSize()
            if size > MOST_PAGE_BYTES:
                break
        count = len(response.records)
        await self._lookups.note(self._reading("ListRecords", unit_id, spec.collection, count=count))
        if count < len(found):
            response.next_page_token = page_token(request, found[count - 1][:2])
        return response

    async def ListChanges(
        self, request: records_pb2.ListChangesRequest, _context: Any
    ) -> records_pb2.ListChangesResponse:
        """Give a page of the changes after a position."""
        follower = self._follower(request.unit, request.types)
        most = page_size(request.page_size, default=1000, maximum=5000)
        page = await self._page(follower, after=request.after, most=most)
        response = records_pb2.ListChangesResponse()
        response.position = await self._fill(response, page, follower)
        response.caught_up = page.caught_up and response.position == page.position
        await self._note(follower, len(response.changes), method="ListChanges")
        return response

    async def WatchChanges(
        self, request: records_pb2.WatchChangesRequest, _context: Any
    ) -> AsyncIterator[records_pb2.WatchChangesResponse]:
        """Send changes as they happen, until the caller leaves."""
        items = self._follow(self._follower(request.unit, request.types), after=request.after)
        async for response in envelope(records_pb2.WatchChangesResponse, items, position=str(request.after)):
            yield response

    async def _follow(self, follower: Follower, *, after: int) -> AsyncIterator[tuple[str, records_pb2.Change]]:
        while True:
            page = await in_time(self._page(follower, after=after, most=STREAM_PAGE))
            holder = records_pb2.ListChangesResponse()
            after = await self._fill(holder, page, follower)
            await self._note(follower, len(holder.changes), method="WatchChanges")
            for change in holder.changes:
                yield str(change.position), change
            if page.caught_up and after == page.position:
                await self._tip.beyond(after)

    async def _page(self, follower: Follower, *, after: int, most: int) -> Page:
        schools = None
        if follower.unit_id != EVERY_UNIT:
            schools = self._scopes.tree.reach(follower.unit_id, self._clock.today())
        async with self._database.connection() as connection:
            return await list_changes(connection, Wanted(schools, follower.types), after=after, most=most)

    async def _fill(self, response: records_pb2.ListChangesResponse, page: Page, follower: Follower) -> int:
        """Write a page's changes into a response, as many as a message holds, leaving the loop to others now and then.

        Returns the position to go on after.
        """
        alias = aliases(self._scopes.tree, self._clock.today())
        size = 0
        for start in range(0, len(page.changes), SLICE):
            for place in page.changes[start : start + SLICE]:
                add_change(response.changes, place=place, alias=alias, mask=follower.masked)
                size += response.changes[-1].ByteSize()
                if size > MOST_PAGE_BYTES:
                    return response.changes[-1].position
            await asyncio.sleep(0)
        return page.position

    def _follower(self, unit: str, types: Sequence[int]) -> Follower:
        unit_id = resolve_unit(self._scopes.tree, unit, self._clock.today())
        # People and partners state no purpose here; the services the method names need what they project.
        return Follower(unit_id, tuple(types), masked=caller().service not in self._projecting)

    async def _note(self, follower: Follower, count: int, *, method: str) -> None:
        """Write down what a person or partner read, before it leaves; projecting services are no readers."""
        if follower.masked and count:
            await self._lookups.note(self._reading(method, follower.unit_id, "changes", count=count))
        else:  # A page without changes shows nobody.
            written_down()

    def _reading(self, method: str, unit_id: int, collection: str, **looked: Any) -> Reading:
        return reading_of(method, at=self._clock.now(), unit_id=unit_id, collection=collection, **looked)


def _ordered_by() -> str:
    """Whose token the request came with, or for whom a service carries it out."""
    asking = caller()
    return asking.actor or asking.subject


def _schools(tree: ScopeTree, day: date) -> Callable[[str], int | Problem]:
    """Finds the school behind a reference; each is looked up once a batch."""
    known: dict[str, int | Problem] = {}

    def school(ref: str) -> int | Problem:
        found = known.get(ref)
        if found is None:
            found = known[ref] = _school(tree, ref, day)
        return found

    return school


def _school(tree: ScopeTree, ref: str, day: date) -> int | Problem:
    unit_id = tree.resolve(ref, day)
    unit = None if unit_id is None else tree.unit(unit_id)
    if unit is None:
        return problems.unknown_unit(ref)
    return unit.unit_id if unit.kind in SCHOOL_KINDS else problems.not_a_school(ref, unit.kind)


def _nameless(collection: str) -> Fault:
    vi = f"Bản ghi {COLLECTIONS[collection]} không có tên để tìm. Hãy bỏ trống `name_contains`."
    en = f"Records of {collection} have no name to look for. Leave name_contains empty."
    return invalid([FieldViolation("name_contains", "INVALID_FIELD", vi, en)])


def _etag_mismatch(etag: str, *, version: int, source: str) -> Fault:
    problem = problems.etag_mismatch(etag, version=version, source=source)
    return Fault(
        Kind.CONFLICT,
        problem.reason,
        vi=problem.message,
        en=f"The record has changed: it is version {version} of {source} now. Get it again and correct that.",
        metadata=problem.metadata,
    )


def _unknown_record(collection: str, key: str, following: str) -> Fault:
    also_vi = f" Bản ghi đi tiếp dưới khóa «{following}»: hãy hỏi theo khóa đó." if following else ""
    also_en = f" It goes on under the key {following}: ask for that one." if following else ""
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_RECORD",
        vi=f"Trường này không có bản ghi {COLLECTIONS[collection]} «{key}».{also_vi}",
        en=f"There is no record {key} in {collection} of this school.{also_en}",
        metadata={"collection": collection, "key": key} | ({"next_key": following} if following else {}),
    )
