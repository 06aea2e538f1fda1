"""HeldRecordsService: records in full for services that are about to change them."""

from typing import Any

from iocedu.records.v1 import held_records_pb2, held_records_pb2_grpc

from chassis.clock import Clock
from chassis.database import Database
from chassis.scopes import Scopes
from services.records.convert.outgoing import present_record
from services.records.domain.objects import BY_COLLECTION, DELETED
from services.records.servicer.places import aliases
from services.records.store import lookup


class HeldRecordsServicer(held_records_pb2_grpc.HeldRecordsServiceServicer):
    """Answers HeldRecordsService. Nobody looks at what it gives, so that no reading is written down."""

    def __init__(self, database: Database, scopes: Scopes, clock: Clock) -> None:
        self._database = database
        self._scopes = scopes
        self._clock = clock

    async def ReadRecords(
        self, request: held_records_pb2.ReadRecordsRequest, _context: Any
    ) -> held_records_pb2.ReadRecordsResponse:
        """Give records by school and key; a school that is not known has none."""
        today, tree, spec = self._clock.today(), self._scopes.tree, BY_COLLECTION[request.collection]
        schools = {name.school: tree.resolve(name.school, today) for name in request.names}
        wanted = [(schools[name.school], name.key) for name in request.names]
        async with self._database.connection() as connection:
            found = await lookup.records_by_key(
                connection, spec, [(school_id, key) for school_id, key in wanted if school_id], withheld=False
            )
        alias, response = aliases(tree, today), held_records_pb2.ReadRecordsResponse()
        for place, (school_id, key) in enumerate(wanted):
            stored = found.get((school_id, key)) if school_id else None
            if stored is not None and not stored[DELETED]:
                record = present_record(spec, stored, alias=alias, mask=False)
                response.held.add(place=place, record=record)
        return response
