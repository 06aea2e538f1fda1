"""The persons behind records as callers may see them: who may see which, masked or not, every look written down."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from iocedu.records.v1 import records_pb2
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.access import caller_may, rule_of
from chassis.clock import Clock
from chassis.errors import Fault, Kind
from chassis.scopes import Scopes
from services.records.convert.outgoing import record_of
from services.records.convert.persons import Shown, add_person
from services.records.domain.masking import UNMASKED_ROLES
from services.records.domain.objects import BY_NUMBER, DELETED
from services.records.domain.persons import Held, Identity, Merge
from services.records.domain.reading import Reading
from services.records.domain.wording import COLLECTIONS
from services.records.servicer.places import aliases
from services.records.servicer.reading import reading_of, record_restricted
from services.records.store import persons
from services.records.store.disclosures import disclosed_to
from services.records.store.lookup import records_by_key
from services.records.store.withheld import restrictions
from services.records.usecases.lookups import Lookups


class Found(NamedTuple):
    """A person, and what of the records may be seen."""

    person_id: int
    held: Sequence[Held]
    merges: Sequence[Merge]
    shown: Shown


class People:
    """Looks at persons for the servicers that show them."""

    def __init__(self, scopes: Scopes, clock: Clock, *, lookups: Lookups) -> None:
        rule = rule_of("iocedu.records.v1.PersonsService/GetPerson")
        self.viewers = rule.roles if rule else frozenset()
        merging = rule_of("iocedu.records.v1.PersonsService/MergePersons")
        self._deciders = merging.roles if merging else frozenset()
        self._scopes = scopes
        self._clock = clock
        self._lookups = lookups

    async def behind(self, connection: AsyncConnection, identity: Identity, *, purpose: str) -> Found:
        """The person behind a record; raises UNKNOWN_RECORD or RECORD_RESTRICTED."""
        person_id = await persons.person_of(connection, identity)
        school_id, number, key = identity
        collection = BY_NUMBER[number].collection
        looked = reading_of("GetPerson", at=self._clock.now(), unit_id=school_id, collection=collection, key=key)
        if person_id is None:
            await self._lookups.note(looked)
            raise unlinked(collection, key)
        if restriction := (await restrictions(connection, [identity])).get(identity):
            await self._lookups.note(looked)
            raise record_restricted(collection, key, restriction)
        # A merge may come between the two looks: then nothing is held by this person any more.
        held = (await persons.persons_held(connection, [person_id], withheld=False)).get(person_id, [])
        today, tree = self._clock.today(), self._scopes.tree
        deciding = caller_may(tree, self._deciders, identity[0], today)
        merges = (await persons.merges_of(connection, [person_id])).get(person_id, []) if deciding else []
        return Found(person_id, held, merges, await self.shown(connection, held, purpose=purpose))

    async def shown(self, connection: AsyncConnection, held: Sequence[Held], *, purpose: str = "") -> Shown:
        """What the caller may see of records; tombstones say nothing, and other schools' must have been confirmed."""
        today, tree = self._clock.today(), self._scopes.tree
        alias = aliases(tree, today)
        schools = {one.school_id for one in held}
        seen = {school_id for school_id in schools if caller_may(tree, self.viewers, school_id, today)}
        bare = {school_id for school_id in seen if purpose and caller_may(tree, UNMASKED_ROLES, school_id, today)}
        records: dict[Identity, records_pb2.Record] = {}
        for number in {one.type for one in held}:
            spec = BY_NUMBER[number]
            wanted = [(one.school_id, one.key) for one in held if one.type == number and one.school_id in seen]
            for (school_id, key), stored in (await records_by_key(connection, spec, wanted, withheld=False)).items():
                if not stored[DELETED]:
                    masked = school_id not in bare
                    record = record_of(spec, stored, position=stored[-1], alias=alias, mask=masked)
                    records[school_id, number, key] = record
        known = {one.identity for one in held if one.school_id in seen}
        others = [one.identity for one in held if one.school_id not in seen]
        return Shown(records, known | await disclosed_to(connection, others, seen))

    def add(self, message: Any, found: Found) -> None:
        """Write a person and what may be seen of it into a message."""
        add_person(message, found.person_id, found.held, found.merges, names=self.name, shown=found.shown)

    async def look(self, reading: Reading) -> None:
        """Write down a look at one record."""
        await self._lookups.note(reading)

    def name(self, unit_id: int) -> str:
        """The name of a unit today."""
        unit = self._scopes.tree.unit(unit_id)
        return unit.name if unit else ""

    async def note(
        self,
        method: str,
        held: Iterable[Held],
        records: Mapping[Identity, records_pb2.Record],
        *,
        purpose: str = "",
    ) -> None:
        """Write down each record that was looked at, as one of its own school, before the answer leaves.

        Of a record that is not shown, that the pupil is there: its school reads that somebody came upon it.
        """
        looked: dict[Identity, records_pb2.Record | None] = {one.identity: None for one in held}
        looked.update(records)
        await asyncio.gather(
            *(
                self._lookups.note(
                    reading_of(
                        method,
                        at=self._clock.now(),
                        unit_id=school_id,
                        collection=BY_NUMBER[number].collection,
                        key=key,
                        count=int(record is not None),
                        purpose=purpose,
                        unmasked=record is not None and not record.masked,
                    )
                )
                for (school_id, number, key), record in looked.items()
            )
        )


def unlinked(collection: str, key: str) -> Fault:
    """What is said of a record behind which no person is known."""
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_RECORD",
        vi=f"Trường này không có bản ghi {COLLECTIONS[collection]} «{key}», hoặc bản ghi vừa đến chưa được gắn với "
        "người.",
        en=f"There is no record {key} in {collection} of this school, or it has just come and is linked in a moment.",
        metadata={"collection": collection, "key": key},
    )
