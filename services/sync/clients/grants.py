"""Calls to records for what connections come to: roles of partners on units, and collections handed over.

They are made in the name of who connects: records judges by that person's own grants.
"""

from datetime import date, datetime
from typing import Final

import grpc
from iocedu.records.v1 import sources_pb2, sources_pb2_grpc, units_pb2, units_pb2_grpc

from services.sync.domain.partners import INTEGRATOR

SECONDS: Final = 20.0


class Grants:
    """Gives and takes back the role by which a partner pushes; raises what records answers as `Fault`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._grants: units_pb2_grpc.GrantsServiceAsyncStub = units_pb2_grpc.GrantsServiceStub(channel)
        self._sources: sources_pb2_grpc.SourcesServiceAsyncStub = sources_pb2_grpc.SourcesServiceStub(channel)

    async def give(self, partner_id: str, unit_id: int, *, valid_from: date, valid_to: date | None) -> int:
        """Let a partner be integrator of a unit; returns the grant, which may be one that gave it already."""
        grant = units_pb2.Grant(
            subject=partner_id,
            role=INTEGRATOR,
            unit=str(unit_id),
            valid_from=valid_from.isoformat(),
            valid_to=valid_to.isoformat() if valid_to else "",
        )
        request = units_pb2.CreateGrantRequest(grant=grant)
        return int((await self._grants.CreateGrant(request, timeout=SECONDS)).grant.grant_id)

    async def end(self, grant_id: int, *, day: date) -> None:
        """Let a grant count no more from a day on."""
        request = units_pb2.RevokeGrantRequest(grant_id=grant_id, valid_to=day.isoformat())
        await self._grants.RevokeGrant(request, timeout=SECONDS)

    async def hand_over(
        self,
        unit_id: int,
        collections: list[str],
        source: str,
        *,
        from_time: datetime | None,
        reason: str,
        request_id: str,
    ) -> int:
        """Let collections of every school below a unit belong to a source; returns how many places that changed."""
        request = sources_pb2.HandOverRequest(
            unit=str(unit_id), collections=collections, source=source, reason=reason, request_id=request_id
        )
        if from_time is not None:
            request.from_time.FromDatetime(from_time)
        return int((await self._sources.HandOver(request, timeout=SECONDS)).handed_over_count)
