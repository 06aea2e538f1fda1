"""PersonsService: whose records are, doubts about it, and decisions on them."""

from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from iocedu.records.v1 import attendance_pb2, persons_pb2, persons_pb2_grpc, records_pb2, year_steps_pb2
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.access import caller_may
from chassis.clock import Clock
from chassis.database import Database
from chassis.identity import caller
from chassis.paging import page_cursor, page_size, page_token
from chassis.scopes import Scopes
from services.records.convert.attendance import pupil_attendance
from services.records.convert.outgoing import record_of
from services.records.convert.persons import add_person, add_person_records, reasons_of
from services.records.convert.rules import status_flows
from services.records.convert.transfers import transfer_message
from services.records.convert.year_steps import pupil_step, step_number
from services.records.domain.assessment_rules import AssessmentRules
from services.records.domain.attendance import Absences, ClassDays
from services.records.domain.objects import BY_COLLECTION, BY_FIELD
from services.records.domain.persons import PUPIL, Held, Identity
from services.records.domain.transfers import Transfer
from services.records.domain.year_steps import counts_of
from services.records.servicer.people import People, unlinked
from services.records.servicer.places import aliases, resolve_unit, subtree_of
from services.records.servicer.reading import reading_of
from services.records.store import attendance, persons, pupil_years
from services.records.store.disclosures import disclose
from services.records.store.lookup import class_names, records_by_key
from services.records.store.transfers import transfers_of
from services.records.store.year_steps import pupils_stepped
from services.records.usecases.lookups import Lookups
from services.records.usecases.persons import keep_apart, merge_persons, undo_merge

RESULT: Final = BY_FIELD["result"]
PAGE: Final = 20
MOST_PAGE: Final = 100


class PersonsServicer(persons_pb2_grpc.PersonsServiceServicer):
    """Answers PersonsService."""

    def __init__(
        self, database: Database, scopes: Scopes, clock: Clock, *, lookups: Lookups, rules: AssessmentRules
    ) -> None:
        self._database = database
        self._scopes = scopes
        self._clock = clock
        self._people = People(scopes, clock, lookups=lookups)
        self._rules = rules

    async def GetPerson(self, request: persons_pb2.GetPersonRequest, _context: Any) -> persons_pb2.GetPersonResponse:
        """Give the person behind a record, unmasked where a purpose is stated and the caller's role allows it."""
        school_id = resolve_unit(self._scopes.tree, request.school, self._clock.today())
        identity = school_id, BY_COLLECTION[request.collection].number, request.key
        async with self._database.connection() as connection:
            found = await self._people.behind(connection, identity, purpose=request.purpose.strip())
        response = persons_pb2.GetPersonResponse()
        self._people.add(response.person, found)
        await self._people.note("GetPerson", found.held, found.shown.records, purpose=request.purpose.strip())
        return response

    async def GetCourse(self, request: persons_pb2.GetCourseRequest, _context: Any) -> persons_pb2.GetCourseResponse:
        """Give a pupil's course, unmasked where a purpose is stated and the caller's role allows it."""
        purpose = request.purpose.strip()
        school_id = resolve_unit(self._scopes.tree, request.school, self._clock.today())
        response = persons_pb2.GetCourseResponse()
        async with self._database.connection() as connection:
            found = await self._people.behind(connection, (school_id, PUPIL.number, request.pupil_key), purpose=purpose)
            shown = dict(found.shown.records)
            schools = {one.school_id for one in found.held if one.type == PUPIL.number}
            renamed = {one: await pupil_years.keys_now(connection, one) for one in schools}
            for one in found.held:
                enrolment = found.shown.records.get(one.identity)
                if one.type == PUPIL.number and enrolment is not None:
                    year = response.years.add(
                        school_id=one.school_id,
                        school_name=self._people.name(one.school_id),
                        school_year=one.school_year,
                        pupil_key=one.key,
                    )
                    place = one.school_id, enrolment.row.pupil.class_key
                    year.class_name = (await class_names(connection, [place])).get(place, "")
                    keys = [other.key for other in found.held if other.identity[:2] == one.identity[:2]]
                    now = renamed[one.school_id]
                    keys += [before for before, key in now.items() if key in keys]
                    results = await self._results(connection, one, keys, masked=enrolment.masked)
                    others = await self._others(connection, one, keys, masked=enrolment.masked)
                    year.results.extend(results.values())
                    year.others.extend(others.values())
                    year.attendance.CopyFrom(await self._attendance(connection, one, now=now))
                    await self._step(connection, one, year, now=now)
                    shown |= results | others
            pupils = [(one.school_id, one.key) for one in found.held if one.type == PUPIL.number]
            moves = await transfers_of(connection, pupils)
        response.transfers.extend(
            transfer_message(one, name=self._people.name, today=self._clock.today())
            for one in moves
            if self._concerns(one)
        )
        self._people.add(response.person, found)
        await self._people.note("GetCourse", found.held, shown, purpose=purpose)
        return response

    async def ListYearSteps(
        self, request: year_steps_pb2.ListYearStepsRequest, _context: Any
    ) -> year_steps_pb2.ListYearStepsResponse:
        """Say how the pupils of a year went on."""
        today, tree = self._clock.today(), self._scopes.tree
        school_id = resolve_unit(tree, request.school, today)
        most, cursor = page_size(request.page_size, default=50, maximum=1000), page_cursor(request)
        async with self._database.connection() as connection:
            every = await pupils_stepped(
                connection,
                school_id,
                request.school_year,
                flows=status_flows(),
                now=await pupil_years.keys_now(connection, school_id),
                class_key=request.class_key,
            )
        steps = {int(step) for step in request.steps}
        wanted = [
            one
            for one in every
            if (not steps or int(one.step) in steps)
            and not (request.without_successor and one.following)
            and (not cursor or one.place.key > cursor[0])
        ]
        response = year_steps_pb2.ListYearStepsResponse(
            pupils=[
                pupil_step(
                    one, sees=lambda unit: caller_may(tree, self._people.viewers, unit, today), name=self._people.name
                )
                for one in wanted[:most]
            ],
            counts=[
                year_steps_pb2.YearStepCount(step=step_number(step), pupil_count=count)
                for step, count in counts_of(every)
            ],
        )
        if len(wanted) > most:
            response.next_page_token = page_token(request, [wanted[most - 1].place.key])
        await self._people.look(
            reading_of(
                "ListYearSteps",
                at=self._clock.now(),
                unit_id=school_id,
                collection=PUPIL.collection,
                count=len(response.pupils),
            )
        )
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
            shown = await self._people.shown(connection, [one for records in held.values() for one in records])
        response = persons_pb2.ListSuspectedDuplicatesResponse()
        for one, other, reasons in page:
            pair = response.pairs.add(reasons=reasons_of(reasons))
            for message, person_id in ((pair.one, one), (pair.other, other)):
                add_person(message, person_id, held.get(person_id, ()), (), names=self._people.name, shown=shown)
        if len(found) > most:
            response.next_page_token = page_token(request, page[-1][:2])
        await self._people.note("ListSuspectedDuplicates", chain.from_iterable(held.values()), shown.records)
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
            shown = await self._people.shown(connection, [one for some in enrolments.values() for one in some])
        response = persons_pb2.ListEnrolmentConflictsResponse()
        for (person_id, year), some in enrolments.items():
            conflict = response.conflicts.add(person_id=person_id, school_year=year)
            add_person_records(conflict.enrolments, some, names=self._people.name, shown=shown)
        if len(found) > most:
            response.next_page_token = page_token(request, page[-1])
        await self._people.note("ListEnrolmentConflicts", chain.from_iterable(enrolments.values()), shown.records)
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
        await self._people.look(
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
                raise unlinked(spec.collection, request.key)
            reason, by = request.reason.strip(), caller().subject
            await disclose(connection, identity, to_school_id, reason=reason, by=by, now=self._clock.now())
        return persons_pb2.DisclosePersonRecordResponse()

    async def _results(
        self, connection: AsyncConnection, enrolment: Held, keys: Sequence[str], *, masked: bool
    ) -> dict[Identity, records_pb2.Record]:
        """The results of a pupil in one school and year, in the order of the stages."""
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

    async def _others(
        self, connection: AsyncConnection, enrolment: Held, keys: Sequence[str], *, masked: bool
    ) -> dict[Identity, records_pb2.Record]:
        """What else the school has of a pupil in a year: re-tests, graduation, conduct, health."""
        school_id, alias = enrolment.school_id, aliases(self._scopes.tree, self._clock.today())
        wanted = await pupil_years.other_keys(connection, school_id, enrolment.school_year, keys)
        records: dict[Identity, records_pb2.Record] = {}
        for spec in dict.fromkeys(spec for spec, _ in wanted):
            some = [(school_id, key) for one, key in wanted if one is spec]
            for (_, key), stored in (await records_by_key(connection, spec, some, withheld=False)).items():
                record = record_of(spec, stored, position=stored[-1], alias=alias, mask=masked)
                records[school_id, spec.number, key] = record
        return records

    def _concerns(self, transfer: Transfer) -> bool:
        """Whether a school has a part in it that the caller may see."""
        today, tree = self._clock.today(), self._scopes.tree
        schools = (transfer.releasing_id, transfer.receiving_id)
        return any(caller_may(tree, self._people.viewers, school_id, today) for school_id in schools)

    async def _step(
        self, connection: AsyncConnection, enrolment: Held, year: persons_pb2.CourseYear, *, now: Mapping[str, str]
    ) -> None:
        """Write how a pupil went on after a year."""
        found = await pupils_stepped(
            connection, enrolment.school_id, enrolment.school_year, flows=status_flows(), now=now, key=enrolment.key
        )
        for one in found:
            year.step = step_number(one.step)
            if one.promoted is not None:
                year.promoted = one.promoted

    async def _attendance(
        self, connection: AsyncConnection, enrolment: Held, *, now: Mapping[str, str]
    ) -> attendance_pb2.PupilAttendance:
        """A pupil's year, counted from the registers."""
        school_id, year, key = enrolment.school_id, enrolment.school_year, enrolment.key
        pupil = await pupil_years.pupil_of_year(connection, school_id, year, key)
        if pupil is None:
            return attendance_pb2.PupilAttendance()
        absences = await attendance.absences_of(connection, school_id, year, [key], now=now)
        days = await attendance.class_days(connection, school_id, year, class_key=pupil["class_key"])
        return pupil_attendance(
            pupil,
            absences.get(key, Absences()),
            days.get(pupil["class_key"], ClassDays()),
            self._rules.absence_of(pupil["grade"], year),
        )

    def _below(self, unit: str) -> Collection[int]:
        today, tree = self._clock.today(), self._scopes.tree
        return subtree_of(tree, unit, today)
