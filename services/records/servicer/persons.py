"""PersonsService: whose records are, doubts about it, and decisions on them."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Final, NamedTuple

from iocedu.records.v1 import attendance_pb2, persons_pb2, persons_pb2_grpc, records_pb2
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.access import rule_of
from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import Fault, Kind
from chassis.identity import caller
from chassis.paging import page_cursor, page_size, page_token
from chassis.scopes import Scopes
from services.records.convert.attendance import pupil_attendance
from services.records.convert.outgoing import record_of
from services.records.convert.persons import Shown, add_person, add_person_records, reasons_of
from services.records.domain.assessment_rules import AssessmentRules
from services.records.domain.attendance import Absences, ClassDays
from services.records.domain.masking import UNMASKED_ROLES
from services.records.domain.objects import BY_COLLECTION, BY_FIELD, BY_NUMBER, DELETED
from services.records.domain.persons import PUPIL, Held, Identity, Merge
from services.records.servicer.places import aliases, resolve_unit
from services.records.servicer.reading import reading_of, record_restricted
from services.records.store import attendance, persons, pupil_years
from services.records.store.disclosures import disclose, disclosed_to
from services.records.store.lookup import records_by_key
from services.records.store.withheld import restrictions
from services.records.usecases.lookups import Lookups
from services.records.usecases.persons import keep_apart, merge_persons, undo_merge

RESULT: Final = BY_FIELD["result"]
PAGE: Final = 20
MOST_PAGE: Final = 100


class _Found(NamedTuple):
    """A person, and what of the records may be seen."""

    person_id: int
    held: Sequence[Held]
    merges: Sequence[Merge]
    shown: Shown


class PersonsServicer(persons_pb2_grpc.PersonsServiceServicer):
    """Answers PersonsService."""

    def __init__(
        self, database: Database, scopes: Scopes, clock: Clock, *, lookups: Lookups, rules: AssessmentRules
    ) -> None:
        rule = rule_of("iocedu.records.v1.PersonsService/GetPerson")
        self._viewers = rule.roles if rule else frozenset()
        merging = rule_of("iocedu.records.v1.PersonsService/MergePersons")
        self._deciders = merging.roles if merging else frozenset()
        self._database = database
        self._scopes = scopes
        self._clock = clock
        self._lookups = lookups
        self._rules = rules

    async def GetPerson(self, request: persons_pb2.GetPersonRequest, _context: Any) -> persons_pb2.GetPersonResponse:
        """Give the person behind a record, unmasked where a purpose is stated and the caller's role allows it."""
        school_id = resolve_unit(self._scopes.tree, request.school, self._clock.today())
        identity = school_id, BY_COLLECTION[request.collection].number, request.key
        async with self._database.connection() as connection:
            found = await self._behind(connection, identity, purpose=request.purpose.strip())
        response = persons_pb2.GetPersonResponse()
        add_person(response.person, found.person_id, found.held, found.merges, names=self._name, shown=found.shown)
        await self._note("GetPerson", found.held, found.shown.records, purpose=request.purpose.strip())
        return response

    async def GetCourse(self, request: persons_pb2.GetCourseRequest, _context: Any) -> persons_pb2.GetCourseResponse:
        """Give a pupil's course, unmasked where a purpose is stated and the caller's role allows it."""
        purpose = request.purpose.strip()
        school_id = resolve_unit(self._scopes.tree, request.school, self._clock.today())
        response = persons_pb2.GetCourseResponse()
        async with self._database.connection() as connection:
            found = await self._behind(connection, (school_id, PUPIL.number, request.pupil_key), purpose=purpose)
            shown = dict(found.shown.records)
            for one in found.held:
                enrolment = found.shown.records.get(one.identity)
                if one.type == PUPIL.number and enrolment is not None:
                    year = response.years.add(
                        school_id=one.school_id,
                        school_name=self._name(one.school_id),
                        school_year=one.school_year,
                        pupil_key=one.key,
                    )
                    keys = [other.key for other in found.held if other.identity[:2] == one.identity[:2]]
                    results = await self._results(connection, one, keys, masked=enrolment.masked)
                    year.results.extend(results.values())
                    year.attendance.CopyFrom(await self._attendance(connection, one))
                    shown |= results
        add_person(response.person, found.person_id, found.held, found.merges, names=self._name, shown=found.shown)
        await self._note("GetCourse", found.held, shown, purpose=purpose)
        return response

    async def ListSuspectedDuplicates(
        self, request: persons_pb2.ListSuspectedDuplicatesRequest, _context: Any
    ) -> persons_pb2.ListSuspectedDuplicatesResponse:
        """Give a page of pairs of persons who may be one."""
        most = page_size(request.page_size, default=PAGE, maximum=MOST_PAGE)
        cursor = page_cursor(request) or (0, 0)
        async with self._database.connection() as connection:
            found = await persons.pairs_page(
                connection, self._below(request.unit), after=(cursor[0], cursor[1]), most=most + 1
            )
            page = found[:most]
            held = await persons.persons_held(
                connection, {person for pair in page for person in pair[:2]}, withheld=False
            )
            shown = await self._shown(connection, [one for records in held.values() for one in records])
        response = persons_pb2.ListSuspectedDuplicatesResponse()
        for one, other, reasons in page:
            pair = response.pairs.add(reasons=reasons_of(reasons))
            for message, person_id in ((pair.one, one), (pair.other, other)):
                add_person(message, person_id, held.get(person_id, ()), (), names=self._name, shown=shown)
        if len(found) > most:
            response.next_page_token = page_token(request, page[-1][:2])
        await self._note("ListSuspectedDuplicates", chain.from_iterable(held.values()), shown.records)
        return response

    async def ListEnrolmentConflicts(
        self, request: persons_pb2.ListEnrolmentConflictsRequest, _context: Any
    ) -> persons_pb2.ListEnrolmentConflictsResponse:
        """Give a page of pupils with more than one main enrolment in a school year."""
        most = page_size(request.page_size, default=PAGE, maximum=MOST_PAGE)
        cursor = page_cursor(request) or (0, 0)
        async with self._database.connection() as connection:
            found = await persons.conflicts_page(
                connection,
                self._below(request.unit),
                school_year=request.school_year,
                after=(cursor[0], cursor[1]),
                most=most + 1,
            )
            page = found[:most]
            held = await persons.persons_held(connection, {person_id for person_id, _ in page}, withheld=False)
            enrolments = {
                (person_id, year): [one for one in held.get(person_id, ()) if one.in_stock and one.school_year == year]
                for person_id, year in page
            }
            shown = await self._shown(connection, [one for some in enrolments.values() for one in some])
        response = persons_pb2.ListEnrolmentConflictsResponse()
        for (person_id, year), some in enrolments.items():
            conflict = response.conflicts.add(person_id=person_id, school_year=year)
            add_person_records(conflict.enrolments, some, names=self._name, shown=shown)
        if len(found) > most:
            response.next_page_token = page_token(request, page[-1])
        await self._note("ListEnrolmentConflicts", chain.from_iterable(enrolments.values()), shown.records)
        return response

    async def MergePersons(
        self, request: persons_pb2.MergePersonsRequest, _context: Any
    ) -> persons_pb2.MergePersonsResponse:
        """Let two persons be one."""
        merge_id = await merge_persons(
            self._database,
            self._clock,
            request.kept_id,
            request.gone_id,
            below=self._below(request.unit),
            reason=request.reason.strip(),
            by=caller().subject,
        )
        return persons_pb2.MergePersonsResponse(merge_id=merge_id)

    async def UndoMerge(self, request: persons_pb2.UndoMergeRequest, _context: Any) -> persons_pb2.UndoMergeResponse:
        """Part again what a merge put together."""
        kept, gone = await undo_merge(
            self._database,
            self._clock,
            request.merge_id,
            below=self._below(request.unit),
            reason=request.reason.strip(),
            by=caller().subject,
        )
        return persons_pb2.UndoMergeResponse(kept_id=kept, gone_id=gone)

    async def KeepPersonsApart(
        self, request: persons_pb2.KeepPersonsApartRequest, _context: Any
    ) -> persons_pb2.KeepPersonsApartResponse:
        """Decide that two persons are two."""
        await keep_apart(
            self._database,
            self._clock,
            request.one_id,
            request.other_id,
            below=self._below(request.unit),
            reason=request.reason.strip(),
            by=caller().subject,
        )
        return persons_pb2.KeepPersonsApartResponse()

    async def DisclosePersonRecord(
        self, request: persons_pb2.DisclosePersonRecordRequest, _context: Any
    ) -> persons_pb2.DisclosePersonRecordResponse:
        """Let another school know of a record."""
        today, tree = self._clock.today(), self._scopes.tree
        school_id = resolve_unit(tree, request.school, today)
        to_school_id = resolve_unit(tree, request.to_school, today)
        spec = BY_COLLECTION[request.collection]
        await self._lookups.note(
            reading_of(
                "DisclosePersonRecord",
                at=self._clock.now(),
                unit_id=school_id,
                collection=spec.collection,
                key=request.key,
                purpose=request.reason.strip(),
            )
        )
        identity = school_id, spec.number, request.key
        async with self._database.transaction() as connection:
            if await persons.person_of(connection, identity) is None:
                raise _unlinked(spec.collection, request.key)
            reason, by = request.reason.strip(), caller().subject
            await disclose(connection, identity, to_school_id, reason=reason, by=by, now=self._clock.now())
        return persons_pb2.DisclosePersonRecordResponse()

    async def _behind(self, connection: AsyncConnection, identity: Identity, *, purpose: str) -> "_Found":
        """The person behind a record; raises UNKNOWN_RECORD or RECORD_RESTRICTED."""
        person_id = await persons.person_of(connection, identity)
        school_id, number, key = identity
        collection = BY_NUMBER[number].collection
        looked = reading_of("GetPerson", at=self._clock.now(), unit_id=school_id, collection=collection, key=key)
        if person_id is None:
            await self._lookups.note(looked)
            raise _unlinked(collection, key)
        if restriction := (await restrictions(connection, [identity])).get(identity):
            await self._lookups.note(looked)
            raise record_restricted(collection, key, restriction)
        # A merge may come between the two looks: then nothing is held by this person any more.
        held = (await persons.persons_held(connection, [person_id], withheld=False)).get(person_id, [])
        today, tree = self._clock.today(), self._scopes.tree
        deciding = tree.may(caller().subject, self._deciders, identity[0], today)
        merges = (await persons.merges_of(connection, [person_id])).get(person_id, []) if deciding else []
        return _Found(person_id, held, merges, await self._shown(connection, held, purpose=purpose))

    async def _results(
        self, connection: AsyncConnection, enrolment: Held, keys: Sequence[str], *, masked: bool
    ) -> dict[Identity, records_pb2.Record]:
        """The results of a pupil in one school and year, in the order of the stages; also under keys of before."""
        now = await pupil_years.keys_now(connection, enrolment.school_id)
        keys = [*keys, *(before for before, key in now.items() if key in keys)]
        wanted = await pupil_years.result_keys(connection, enrolment.school_id, enrolment.school_year, keys)
        stored = await records_by_key(
            connection, RESULT, [(enrolment.school_id, key) for key in wanted], withheld=False
        )
        alias = aliases(self._scopes.tree, self._clock.today())
        return {
            (enrolment.school_id, RESULT.number, key): record_of(
                RESULT, stored[enrolment.school_id, key], position=stored[enrolment.school_id, key][-1], alias=alias,
                mask=masked,
            )
            for key in wanted
            if (enrolment.school_id, key) in stored
        }  # fmt: skip

    async def _attendance(self, connection: AsyncConnection, enrolment: Held) -> attendance_pb2.PupilAttendance:
        """A pupil's year, counted from the registers."""
        school_id, year, key = enrolment.school_id, enrolment.school_year, enrolment.key
        pupil = await pupil_years.pupil_of_year(connection, school_id, year, key)
        if pupil is None:
            return attendance_pb2.PupilAttendance()
        absences = await attendance.absences_of(connection, school_id, year, [key])
        days = await attendance.class_days(connection, school_id, year)
        return pupil_attendance(
            pupil,
            absences.get(key, Absences()),
            days.get(pupil["class_key"], ClassDays()),
            self._rules.absence_of(pupil["grade"], year),
        )

    async def _shown(self, connection: AsyncConnection, held: Sequence[Held], *, purpose: str = "") -> Shown:
        """What the caller may see of records; tombstones say nothing, and other schools' must have been confirmed."""
        today, tree = self._clock.today(), self._scopes.tree
        subject, alias = caller().subject, aliases(tree, today)
        schools = {one.school_id for one in held}
        seen = {school_id for school_id in schools if tree.may(subject, self._viewers, school_id, today)}
        bare = {school_id for school_id in seen if purpose and tree.may(subject, UNMASKED_ROLES, school_id, today)}
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

    def _below(self, unit: str) -> Collection[int]:
        today, tree = self._clock.today(), self._scopes.tree
        return tree.subtree(resolve_unit(tree, unit, today), today)

    def _name(self, unit_id: int) -> str:
        unit = self._scopes.tree.unit(unit_id)
        return unit.name if unit else ""

    async def _note(
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


def _unlinked(collection: str, key: str) -> Fault:
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_RECORD",
        vi=f"Không có bản ghi «{key}» trong {collection} của trường này, hoặc bản ghi vừa đến chưa được gắn với người.",
        en=f"There is no record {key} in {collection} of this school, or it has just come and is linked in a moment.",
        metadata={"collection": collection, "key": key},
    )
