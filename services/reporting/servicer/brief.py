"""BriefService: a unit's morning brief."""

from dataclasses import dataclass
from typing import Any

from iocedu.reporting.v1 import brief_pb2, brief_pb2_grpc

from services.reporting.convert.brief import figure_message
from services.reporting.convert.reports import campaign_message, progress_message
from services.reporting.servicer.places import UnitsToday
from services.reporting.usecases.briefing import Briefing


@dataclass(frozen=True)
class BriefServicer(brief_pb2_grpc.BriefServiceServicer):
    """Answers iocedu.reporting.v1.BriefService."""

    units: UnitsToday
    briefing: Briefing

    async def GetBrief(self, request: brief_pb2.GetBriefRequest, _context: Any) -> brief_pb2.GetBriefResponse:
        """Today's brief of a unit."""
        unit_id = self.units.resolve(request.unit)
        brief = await self.briefing.brief(unit_id)
        answer = brief_pb2.GetBriefResponse(
            unit_id=unit_id,
            unit_name=self.units.name(unit_id),
            day=brief.day.isoformat(),
            school_year=brief.school_year,
            figures=[figure_message(key.indicator, key.figure, key.before) for key in brief.keys],
        )
        for campaign, states in brief.campaigns:
            answer.campaigns.add(
                campaign=campaign_message(campaign, self.units.name),
                progress=progress_message(unit_id, answer.unit_name, states),
            )
        if brief.data_time is not None:
            answer.data_time.FromDatetime(brief.data_time)
        return answer
