"""gRPC in: partners, their keys and their connections."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from iocedu.sync.v1 import (
    conformance_pb2,
    partner_connections_pb2,
    partner_sandboxes_pb2,
    partners_pb2,
    partners_pb2_grpc,
)

from chassis.access import unknown_unit
from chassis.identity import caller
from chassis.paging import page_cursor, page_size, page_token
from chassis.request import current_request
from services.sync.clients.sandboxes import Sandboxes
from services.sync.convert import partners as convert
from services.sync.convert.conformance import finding as convert_finding
from services.sync.convert.conformance import load_requirements
from services.sync.domain.conformance import Verdict
from services.sync.domain.partners import Partner, PartnerConnection, PartnerState
from services.sync.store import partner_connections as connections_store
from services.sync.store import partners as store
from services.sync.store.sandboxes import Sandbox
from services.sync.usecases import partner_connections, partners
from services.sync.usecases.partner_connections import Terms
from services.sync.usecases.partners import Partners, permitted
from services.sync.usecases.refusals import invalid
from services.sync.usecases.sandboxes import check, named, open_sandbox, reset_sandbox, the_sandbox

CHANGEABLE = ("display_name", "contact")


class PartnersServicer(partners_pb2_grpc.PartnersServiceServicer):
    """Answers `iocedu.sync.v1.PartnersService`."""

    def __init__(self, partners: Partners, sandboxes: Sandboxes) -> None:
        self._partners = partners
        self._sandboxes = sandboxes
        self._version, self._requirements = load_requirements()

    async def CreatePartner(
        self, request: partners_pb2.CreatePartnerRequest, _context: Any
    ) -> partners_pb2.CreatePartnerResponse:
        """Register a partner."""
        made = await partners.register(
            self._partners,
            partner_id=request.partner_id,
            unit_id=self._unit_id(request.unit),
            display_name=request.display_name,
            contact=request.contact,
            by=_subject(),
        )
        return partners_pb2.CreatePartnerResponse(partner=self._told(made))

    async def GetPartner(
        self, request: partners_pb2.GetPartnerRequest, _context: Any
    ) -> partners_pb2.GetPartnerResponse:
        """Get a partner."""
        return partners_pb2.GetPartnerResponse(partner=self._told(await self._permitted(request.partner_id)))

    async def ListPartners(
        self, request: partners_pb2.ListPartnersRequest, _context: Any
    ) -> partners_pb2.ListPartnersResponse:
        """List the partners that a unit can be connected with."""
        size, cursor = page_size(request.page_size), page_cursor(request)
        async with self._partners.database.connection() as reads:
            found = await store.registered(
                reads, self._around(request.unit), after=cursor[0] if cursor else "", most=size + 1
            )
        response = partners_pb2.ListPartnersResponse(partners=map(self._told, found[:size]))
        if len(found) > size:
            response.next_page_token = page_token(request, [found[size - 1].partner_id])
        return response

    async def UpdatePartner(
        self, request: partners_pb2.UpdatePartnerRequest, _context: Any
    ) -> partners_pb2.UpdatePartnerResponse:
        """Change a partner."""
        paths = request.update_mask.paths
        if not paths or not set(paths) <= set(CHANGEABLE):
            raise invalid(
                "update_mask",
                vi="Chỉ đổi được `display_name` và `contact`; hãy nêu ít nhất một trường.",
                en="Only `display_name` and `contact` can be changed; name at least one.",
            )
        values = {name: getattr(request.partner, name) for name in paths}
        if not values.get("display_name", "-").strip():
            raise invalid("partner.display_name", vi="Tên đối tác không được để trống.", en="A partner has a name.")
        changed = await partners.change(
            self._partners, request.partner_id, values, etag=request.etag, caller=_subject()
        )
        return partners_pb2.UpdatePartnerResponse(partner=self._told(changed))

    async def SuspendPartner(
        self, request: partners_pb2.SuspendPartnerRequest, _context: Any
    ) -> partners_pb2.SuspendPartnerResponse:
        """Suspend a partner."""
        changed = await partners.set_state(
            self._partners, request.partner_id, PartnerState.SUSPENDED, reason=request.reason, caller=_subject()
        )
        return partners_pb2.SuspendPartnerResponse(partner=self._told(changed))

    async def ResumePartner(
        self, request: partners_pb2.ResumePartnerRequest, _context: Any
    ) -> partners_pb2.ResumePartnerResponse:
        """Let a partner go on."""
        changed = await partners.set_state(
            self._partners, request.partner_id, PartnerState.ACTIVE, reason="", caller=_subject()
        )
        return partners_pb2.ResumePartnerResponse(partner=self._told(changed))

    async def AddPartnerKey(
        self, request: partners_pb2.AddPartnerKeyRequest, _context: Any
    ) -> partners_pb2.AddPartnerKeyResponse:
        """Add a key."""
        made = await partners.add_key(
            self._partners,
            request.partner_id,
            kid=request.kid,
            public_key=request.public_key,
            valid_from=_instant(request.valid_from) if request.HasField("valid_from") else None,
            valid_to=_instant(request.valid_to) if request.HasField("valid_to") else None,
            caller=_subject(),
        )
        return partners_pb2.AddPartnerKeyResponse(key=convert.key(made, now=self._partners.clock.now()))

    async def ListPartnerKeys(
        self, request: partners_pb2.ListPartnerKeysRequest, _context: Any
    ) -> partners_pb2.ListPartnerKeysResponse:
        """List keys."""
        size, cursor, now = page_size(request.page_size), page_cursor(request), self._partners.clock.now()
        await self._permitted(request.partner_id)
        async with self._partners.database.connection() as reads:
            after = cursor[0] if cursor else ""
            found = await store.keys_of(reads, request.partner_id, after=after, most=size + 1)
        response = partners_pb2.ListPartnerKeysResponse(keys=[convert.key(one, now=now) for one in found[:size]])
        if len(found) > size:
            response.next_page_token = page_token(request, [found[size - 1].kid])
        return response

    async def RevokePartnerKey(
        self, request: partners_pb2.RevokePartnerKeyRequest, _context: Any
    ) -> partners_pb2.RevokePartnerKeyResponse:
        """Revoke a key."""
        revoked = await partners.revoke_key(
            self._partners, request.partner_id, request.kid, reason=request.reason, caller=_subject()
        )
        return partners_pb2.RevokePartnerKeyResponse(key=convert.key(revoked, now=self._partners.clock.now()))

    async def ConnectPartner(
        self, request: partner_connections_pb2.ConnectPartnerRequest, _context: Any
    ) -> partner_connections_pb2.ConnectPartnerResponse:
        """Connect a unit with a partner."""
        terms = Terms(
            self._unit_id(request.unit),
            request.partner_id,
            tuple(request.collections),
            _day(request.valid_from, "valid_from") or self._partners.clock.today(),
            _day(request.valid_to, "valid_to"),
            request.reason,
        )
        made = await partner_connections.connect(self._partners, terms, by=_subject())
        (told,) = await self._connections([made], given=True)
        return partner_connections_pb2.ConnectPartnerResponse(connection=told)

    async def EndPartnerConnection(
        self, request: partner_connections_pb2.EndPartnerConnectionRequest, _context: Any
    ) -> partner_connections_pb2.EndPartnerConnectionResponse:
        """End a connection."""
        ended = await partner_connections.end(
            self._partners,
            self._unit_id(request.unit),
            request.connection_id,
            day=_day(request.valid_to, "valid_to"),
            reason=request.reason,
            by=_subject(),
        )
        (told,) = await self._connections([ended])
        return partner_connections_pb2.EndPartnerConnectionResponse(connection=told)

    async def HandOverPartnerConnection(
        self, request: partner_connections_pb2.HandOverPartnerConnectionRequest, _context: Any
    ) -> partner_connections_pb2.HandOverPartnerConnectionResponse:
        """Hand a connection over."""
        done = await partner_connections.hand_over(
            self._partners,
            self._unit_id(request.unit),
            request.connection_id,
            partner_id=request.partner_id,
            day=_day(request.day, "day"),
            reason=request.reason,
            by=_subject(),
        )
        (ended,) = await self._connections([done.ended])
        (begun,) = await self._connections([done.begun], given=True)
        return partner_connections_pb2.HandOverPartnerConnectionResponse(
            ended=ended, begun=begun, handed_over_count=done.places
        )

    async def ListUnitPartnerConnections(
        self, request: partner_connections_pb2.ListUnitPartnerConnectionsRequest, _context: Any
    ) -> partner_connections_pb2.ListUnitPartnerConnectionsResponse:
        """List the connections of a unit."""
        found, token = await self._listed(request, units=self._around(request.unit))
        return partner_connections_pb2.ListUnitPartnerConnectionsResponse(connections=found, next_page_token=token)

    async def ListPartnerConnections(
        self, request: partner_connections_pb2.ListPartnerConnectionsRequest, _context: Any
    ) -> partner_connections_pb2.ListPartnerConnectionsResponse:
        """List the connections of a partner."""
        await self._permitted(request.partner_id)
        found, token = await self._listed(request, partner_id=request.partner_id)
        return partner_connections_pb2.ListPartnerConnectionsResponse(connections=found, next_page_token=token)

    async def OpenSandbox(
        self, request: partner_sandboxes_pb2.OpenSandboxRequest, _context: Any
    ) -> partner_sandboxes_pb2.OpenSandboxResponse:
        """Open a sandbox."""
        opened = await open_sandbox(self._partners, self._sandboxes, request.partner_id, caller=_subject())
        return partner_sandboxes_pb2.OpenSandboxResponse(sandbox=self._sandbox(opened))

    async def GetSandbox(
        self, request: partner_sandboxes_pb2.GetSandboxRequest, _context: Any
    ) -> partner_sandboxes_pb2.GetSandboxResponse:
        """Get a sandbox."""
        found = await the_sandbox(self._partners, request.partner_id, caller=_subject())
        found = await named(self._partners, self._sandboxes, found)
        return partner_sandboxes_pb2.GetSandboxResponse(sandbox=self._sandbox(found))

    async def ResetSandbox(
        self, request: partner_sandboxes_pb2.ResetSandboxRequest, _context: Any
    ) -> partner_sandboxes_pb2.ResetSandboxResponse:
        """Empty a sandbox."""
        emptied, removed = await reset_sandbox(self._partners, self._sandboxes, request.partner_id, caller=_subject())
        return partner_sandboxes_pb2.ResetSandboxResponse(sandbox=self._sandbox(emptied), removed_count=removed)

    async def CheckConformance(
        self, request: conformance_pb2.CheckConformanceRequest, _context: Any
    ) -> conformance_pb2.CheckConformanceResponse:
        """Judge a partner's client."""
        found, count = await check(self._partners, self._requirements, request.partner_id, caller=_subject())
        asked = current_request()
        language = asked.language if asked else "vi"
        return conformance_pb2.CheckConformanceResponse(
            findings=[convert_finding(one, language=language) for one in found],
            conforms=all(one.verdict == Verdict.PASSED for one in found),
            push_count=count,
            version=self._version,
        )

    def _sandbox(self, one: Sandbox) -> partner_sandboxes_pb2.Sandbox:
        return convert.sandbox(
            self._partners.scopes.tree,
            unit_id=one.unit_id,
            schools=zip(one.school_ids, one.aliases, strict=True),
            reset_count=one.reset_count,
            reset_time=one.reset_time,
            names=one.names,
        )

    async def _listed(
        self,
        request: partner_connections_pb2.ListUnitPartnerConnectionsRequest
        | partner_connections_pb2.ListPartnerConnectionsRequest,
        *,
        units: Iterable[int] | None = None,
        partner_id: str = "",
    ) -> tuple[list[partner_connections_pb2.PartnerConnection], str]:
        size, cursor = page_size(request.page_size), page_cursor(request)
        async with self._partners.database.connection() as reads:
            found = await connections_store.listed(
                reads,
                units=None if units is None else list(units),
                partner_id=partner_id,
                day=self._partners.clock.today() if request.in_force else None,
                before=cursor[0] if cursor else None,
                most=size + 1,
            )
        token = page_token(request, [found[size - 1].connection_id]) if len(found) > size else ""
        return await self._connections(found[:size]), token

    async def _connections(
        self, found: Sequence[PartnerConnection], *, given: bool = False
    ) -> list[partner_connections_pb2.PartnerConnection]:
        async with self._partners.database.connection() as reads:
            known = await store.among(reads, {one.partner_id for one in found})
        tree, today = self._partners.scopes.tree, self._partners.clock.today()
        return [
            convert.connection(one, tree, name=known[one.partner_id].display_name, today=today, given=given)
            for one in found
        ]

    async def _permitted(self, partner_id: str) -> Partner:
        async with self._partners.database.connection() as reads:
            return await permitted(self._partners, reads, partner_id, caller=_subject())

    def _told(self, one: Partner) -> partners_pb2.Partner:
        return convert.partner(one, self._partners.scopes.tree)

    def _around(self, unit: str) -> set[int]:
        """A unit, those below it and those above it, up to all units."""
        unit_id, tree, today = self._unit_id(unit), self._partners.scopes.tree, self._partners.clock.today()
        return {0, unit_id, *tree.subtree(unit_id, today), *tree.ancestors(unit_id, today)}

    def _unit_id(self, unit: str) -> int:
        found = self._partners.scopes.tree.resolve(unit, self._partners.clock.today())
        if found is None:
            raise unknown_unit(unit)
        return found


def _subject() -> str:
    return caller().subject


def _instant(told: Timestamp) -> datetime:
    return told.ToDatetime(UTC)


def _day(text: str, field: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise invalid(field, vi="Không có ngày này trong lịch.", en="There is no such day.") from None
