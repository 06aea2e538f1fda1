"""CampaignsService: campaigns started and listed, and how far their schools are."""

from dataclasses import dataclass
from typing import Any

from iocedu.reporting.v1 import campaigns_pb2, campaigns_pb2_grpc

from chassis.database import Database
from chassis.identity import caller
from chassis.paging import page_cursor, page_size, page_token
from services.reporting.convert.reports import campaign_message, deadlines, progress_message
from services.reporting.domain.reports import State
from services.reporting.servicer.places import UnitsToday
from services.reporting.store import campaigns
from services.reporting.usecases.asking import once
from services.reporting.usecases.campaigns import get_campaign, start_campaign, withdraw_campaign
from services.reporting.usecases.forms import get_form
from services.reporting.usecases.places import Divider
from services.reporting.usecases.telling import Teller


@dataclass(frozen=True)
class CampaignsServicer(campaigns_pb2_grpc.CampaignsServiceServicer):
    """Answers iocedu.reporting.v1.CampaignsService."""

    database: Database
    units: UnitsToday
    teller: Teller

    async def CreateCampaign(
        self, request: campaigns_pb2.CreateCampaignRequest, _context: Any
    ) -> campaigns_pb2.CreateCampaignResponse:
        """Start a campaign, once a request id."""
        unit_id, by = self.units.resolve(request.unit), caller().subject
        given = {"unit_id": unit_id, "school_year": request.school_year, **deadlines(request)}
        tree, clock = self.units.scopes.tree, self.units.clock
        async with self.database.transaction() as connection:

            async def start() -> int:
                form = await get_form(connection, request.form)
                started = await start_campaign(
                    connection, form, given, tree=tree, clock=clock, teller=self.teller, by=by
                )
                return started.campaign_id

            campaign_id, _ = await once(connection, request, request_id=request.request_id, subject=by, work=start)
            campaign = await get_campaign(connection, campaign_id, below=frozenset({unit_id}))
        return campaigns_pb2.CreateCampaignResponse(campaign=campaign_message(campaign, self.units.name))

    async def WithdrawCampaign(
        self, request: campaigns_pb2.WithdrawCampaignRequest, _context: Any
    ) -> campaigns_pb2.WithdrawCampaignResponse:
        """Withdraw a campaign of the unit that asked."""
        async with self.database.transaction() as connection:
            campaign = await withdraw_campaign(
                connection,
                request.campaign_id,
                unit_id=self.units.resolve(request.unit),
                by=caller().subject,
                reason=request.reason.strip(),
                clock=self.units.clock,
                teller=self.teller,
            )
        return campaigns_pb2.WithdrawCampaignResponse(campaign=campaign_message(campaign, self.units.name))

    async def ListCampaigns(
        self, request: campaigns_pb2.ListCampaignsRequest, _context: Any
    ) -> campaigns_pb2.ListCampaignsResponse:
        """Campaigns that concern a unit, the newest first."""
        size, cursor = page_size(request.page_size), page_cursor(request)
        async with self.database.connection() as connection:
            found = await campaigns.campaigns_page(
                connection,
                below=self.units.below(request.unit),
                school_year=request.school_year,
                before=int(cursor[0]) if cursor else None,
                limit=size + 1,
            )
        response = campaigns_pb2.ListCampaignsResponse(
            campaigns=[campaign_message(one, self.units.name) for one in found[:size]]
        )
        if len(found) > size:
            response.next_page_token = page_token(request, [found[size - 1].campaign_id])
        return response

    async def GetProgress(
        self, request: campaigns_pb2.GetProgressRequest, _context: Any
    ) -> campaigns_pb2.GetProgressResponse:
        """How far a campaign's schools are, by unit."""
        unit_id, below = self.units.resolve(request.unit), self.units.below(request.unit)
        tree, clock = self.units.scopes.tree, self.units.clock
        async with self.database.connection() as connection:
            campaign = await get_campaign(connection, request.campaign_id, below=below)
            states = await campaigns.states_of(connection, request.campaign_id, below=below, now=clock.now())
        places = Divider().divide(tree, unit_id, breakdown=request.breakdown, day=clock.today())
        by_unit: dict[int, list[tuple[State, bool]]] = {}
        for school, state, late in states:
            by_unit.setdefault(places.targets.get(school, unit_id), []).append((state, late))
        named = sorted((self.units.name(one), one) for one in by_unit)
        return campaigns_pb2.GetProgressResponse(
            campaign=campaign_message(campaign, self.units.name),
            units=[progress_message(one, name, by_unit[one]) for name, one in named],
        )
