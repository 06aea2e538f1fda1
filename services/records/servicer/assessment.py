"""AssessmentService: what the circulars define, computed, beside the schools' own figures."""

from typing import Any

from iocedu.records.v1 import assessment_pb2, assessment_pb2_grpc

from chassis.clock import Clock
from chassis.database import Database
from chassis.paging import page_cursor, page_size, page_token
from chassis.request import current_request
from chassis.scopes import Scopes
from services.records.convert.assessing import add_assessment
from services.records.domain.assessment_rules import AssessmentRules
from services.records.servicer.places import resolve_unit
from services.records.servicer.reading import reading_of, unknown_pupil
from services.records.usecases.assessing import Assessed, Wanted, assess_page, assess_pupil
from services.records.usecases.lookups import Lookups


class AssessmentServicer(assessment_pb2_grpc.AssessmentServiceServicer):
    """Answers AssessmentService."""

    def __init__(
        self, database: Database, scopes: Scopes, clock: Clock, *, lookups: Lookups, rules: AssessmentRules
    ) -> None:
        self._database = database
        self._scopes = scopes
        self._clock = clock
        self._lookups = lookups
        self._rules = rules

    async def AssessPupil(
        self, request: assessment_pb2.AssessPupilRequest, _context: Any
    ) -> assessment_pb2.AssessPupilResponse:
        """Assess one pupil."""
        school_id, key = self._school(request.school), request.pupil_key
        async with self._database.connection() as connection:
            found = await assess_pupil(connection, self._rules, Wanted(school_id, request.school_year), key)
        count = int(found is not None)
        await self._lookups.note(
            reading_of(
                "AssessPupil", at=self._clock.now(), unit_id=school_id, collection="results", key=key, count=count
            )
        )
        if found is None:
            raise unknown_pupil(key)
        response = assessment_pb2.AssessPupilResponse()
        self._fill(response.assessment, found, request.school_year)
        return response

    async def ListAssessments(
        self, request: assessment_pb2.ListAssessmentsRequest, _context: Any
    ) -> assessment_pb2.ListAssessmentsResponse:
        """Give a page of the pupils of a school."""
        school_id, cursor = self._school(request.school), page_cursor(request)
        wanted = Wanted(
            school_id, request.school_year, request.class_key, request.stage, only_differing=request.only_differing
        )
        most = page_size(request.page_size, default=50, maximum=200)
        async with self._database.connection() as connection:
            page = await assess_page(connection, self._rules, wanted, after=cursor[0] if cursor else "", most=most)
        response = assessment_pb2.ListAssessmentsResponse()
        for one in page.assessed:
            self._fill(response.assessments.add(), one, request.school_year)
        if page.after:
            response.next_page_token = page_token(request, (page.after,))
        count = len(page.assessed)
        await self._lookups.note(
            reading_of("ListAssessments", at=self._clock.now(), unit_id=school_id, collection="results", count=count)
        )
        return response

    def _fill(self, assessment: assessment_pb2.PupilAssessment, one: Assessed, school_year: int) -> None:
        frame = current_request()
        rule = self._rules.absence_of(one.pupil["grade"], school_year)
        add_assessment(
            assessment,
            one.pupil,
            one.assessment,
            one.findings,
            absence=one.absence,
            absent_most=rule.most if rule else 0,
            language=frame.language if frame else "vi",
        )

    def _school(self, ref: str) -> int:
        return resolve_unit(self._scopes.tree, ref, self._clock.today())
