"""HeldRecordsService: records by key, in full for services that change them, or as a person may see them."""

from typing import Any

from iocedu.records.v1 import held_records_pb2, held_records_pb2_grpc

from chassis.access import caller_may
from chassis.clock import Clock
from chassis.database import Database
from chassis.scopes import Scopes
from services.records.convert.outgoing import present_record
from services.records.domain.masking import UNMASKED_ROLES
from services.records.domain.objects import BY_COLLECTION, DELETED, VERSION
from services.records.servicer.places import aliases, records_below, resolve_unit
from services.records.servicer.reading import reading_of
from services.records.store import lookup
from services.records.store.withheld import restrictions
from services.records.usecases.lookups import Lookups


class HeldRecordsServicer(held_records_pb2_grpc.HeldRecordsServiceServicer):
    """Answers HeldRecordsService. Nobody looks at what ReadRecords gives, so that no reading is written down."""

    def __init__(self, database: Database, scopes: Scopes, clock: Clock, *, lookups: Lookups) -> None:
        self._database = database
        self._scopes = scopes
        self._clock = clock
        self._lookups = lookups

    async def ReadRecords(
        self, request: held_records_pb2.ReadRecordsRequest, _context: Any
    ) -> held_records_pb2.ReadRecordsResponse:
        """Give records by school and key; a school that is not known has none."""
        today, tree, spec = self._clock.today(), self._scopes.tree, BY_COLLECTION[request.collection]
        schools = {name.school: tree.resolve(name.school, today) for name in request.names}
        wanted = [(schools[name.school], name.key) for name in request.names]
        async with self._database.connection() as connection:
            known = [(school_id, key) for school_id, key in wanted if school_id]
            found = await lookup.records_by_key(connection, spec, known, withheld=request.with_restricted)
            hidden = (
                await restrictions(connection, [(school_id, spec.number, key) for school_id, key in found])
                if request.with_restricted
                else {}
            )
        alias, response = aliases(tree, today), held_records_pb2.ReadRecordsResponse()
        for place, (school_id, key) in enumerate(wanted):
            stored = found.get((school_id, key)) if school_id else None
            if stored is not None and stored[DELETED]:
                response.gone.add(place=place, version=stored[VERSION])
            elif stored is not None:
                record = present_record(spec, stored, alias=alias, mask=False)
                response.held.add(place=place, record=record, restricted=(school_id, spec.number, key) in hidden)
        return response

    async def ShowRecords(
        self, request: held_records_pb2.ShowRecordsRequest, _context: Any
    ) -> held_records_pb2.ShowRecordsResponse:
        """Give records as the caller may see them; the look is durable before the answer leaves."""
        today, tree, spec = self._clock.today(), self._scopes.tree, BY_COLLECTION[request.collection]
        unit_id, purpose = resolve_unit(tree, request.unit, today), request.purpose.strip()
        unmasked = bool(purpose) and caller_may(tree, UNMASKED_ROLES, unit_id, today)
        below = records_below(tree, unit_id, today)
        wanted = [(tree.resolve(name.school, today), name.key) for name in request.names]
        inside = [(school_id, key) for school_id, key in wanted if school_id and school_id in below]
        async with self._database.connection() as connection:
            found = await lookup.records_by_key(connection, spec, inside, withheld=False)
        alias, response = aliases(tree, today), held_records_pb2.ShowRecordsResponse()
        for place, (school_id, key) in enumerate(wanted):
            stored = found.get((school_id, key)) if school_id else None
            if stored is not None and not stored[DELETED]:
                record = present_record(spec, stored, alias=alias, mask=not unmasked)
                response.shown.add(place=place, record=record)
        await self._lookups.note(
            reading_of(
                request.method,
                at=self._clock.now(),
                unit_id=unit_id,
                collection=spec.collection,
                count=len(response.shown),
                purpose=purpose,
                unmasked=unmasked,
            )
        )
        return response
