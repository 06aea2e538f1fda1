"""AttendanceService: a school year's registers counted, and the 45-session count."""

from typing import Any

from iocedu.records.v1 import attendance_pb2, attendance_pb2_grpc

from chassis.clock import Clock
from chassis.database import Database
from chassis.paging import page_cursor, page_size, page_token
from chassis.scopes import Scopes
from services.records.convert.attendance import class_attendance, pupil_attendance
from services.records.domain.assessment_rules import AssessmentRules
from services.records.domain.attendance import Absences, ClassDays, total_of
from services.records.servicer.places import resolve_unit
from services.records.servicer.reading import reading_of, unknown_pupil
from services.records.store import attendance, pupil_years
from services.records.usecases.lookups import Lookups


class AttendanceServicer(attendance_pb2_grpc.AttendanceServiceServicer):
    """Answers AttendanceService."""

    def __init__(
        self, database: Database, scopes: Scopes, clock: Clock, *, lookups: Lookups, rules: AssessmentRules
    ) -> None:
        self._database = database
        self._scopes = scopes
        self._clock = clock
        self._lookups = lookups
        self._rules = rules

    async def GetPupilAttendance(
        self, request: attendance_pb2.GetPupilAttendanceRequest, _context: Any
    ) -> attendance_pb2.GetPupilAttendanceResponse:
        """Count a pupil's year."""
        school_id, year, key = self._school(request.school), request.school_year, request.pupil_key
        async with self._database.connection() as connection:
            pupil = await pupil_years.pupil_of_year(connection, school_id, year, key)
            of = pupil["class_key"] if pupil else ""
            now = await pupil_years.keys_now(connection, school_id)
            absences = await attendance.absences_of(connection, school_id, year, [key], now=now)
            days = await attendance.class_days(connection, school_id, year, class_key=of)
        await self._note("GetPupilAttendance", school_id, int(pupil is not None), key=key)
        if pupil is None:
            raise unknown_pupil(key)
        counted = pupil_attendance(
            pupil,
            absences.get(key, Absences()),
            days.get(pupil["class_key"], ClassDays()),
            self._rules.absence_of(pupil["grade"], year),
        )
        return attendance_pb2.GetPupilAttendanceResponse(attendance=counted)

    async def GetSchoolAttendance(
        self, request: attendance_pb2.GetSchoolAttendanceRequest, _context: Any
    ) -> attendance_pb2.GetSchoolAttendanceResponse:
        """Count a school's year by class."""
        school_id = self._school(request.school)
        async with self._database.connection() as connection:
            counts = await attendance.class_counts(connection, school_id, request.school_year)
        found = [one for one in counts if request.class_key in ("", one.class_key)]
        return attendance_pb2.GetSchoolAttendanceResponse(
            classes=map(class_attendance, found), total=class_attendance(total_of(found))
        )

    async def ListAbsentPupils(
        self, request: attendance_pb2.ListAbsentPupilsRequest, _context: Any
    ) -> attendance_pb2.ListAbsentPupilsResponse:
        """Give a page of the pupils whose count reaches a threshold."""
        school_id, year, cursor = self._school(request.school), request.school_year, page_cursor(request)
        rules = self._rules.limited_grades(year)
        most = page_size(request.page_size, default=50, maximum=1000)
        async with self._database.connection() as connection:
            days = await attendance.class_days(connection, school_id, year)
            found = await attendance.most_absent(
                connection,
                school_id,
                year,
                class_key=request.class_key,
                grades=list(rules),
                at_least=request.at_least or min((rule.amber for rule in rules.values()), default=1),
                after=(cursor[0], cursor[1]) if cursor else None,
                most=most + 1,
            )
        page = found[:most]
        response = attendance_pb2.ListAbsentPupilsResponse(
            pupils=[
                pupil_attendance(pupil, absences, days.get(pupil["class_key"], ClassDays()), rules.get(pupil["grade"]))
                for pupil, absences in page
            ]
        )
        if len(found) > most:
            last, counted = page[-1]
            response.next_page_token = page_token(request, (counted.counted, last["key"]))
        await self._note("ListAbsentPupils", school_id, len(page))
        return response

    async def _note(self, method: str, school_id: int, count: int, *, key: str = "") -> None:
        await self._lookups.note(
            reading_of(method, at=self._clock.now(), unit_id=school_id, collection="attendance", key=key, count=count)
        )

    def _school(self, ref: str) -> int:
        return resolve_unit(self._scopes.tree, ref, self._clock.today())
