"""gRPC in: destinations and how far pushing is."""

from collections.abc import Mapping
from typing import Any, Final

from iocedu.sync.v1 import destinations_pb2, destinations_pb2_grpc

from chassis.access import caller_may, unknown_unit
from chassis.paging import page_cursor, page_size, page_token
from chassis.request import current_request
from services.sync.convert import pushes as convert
from services.sync.domain.destinations import Destination
from services.sync.domain.pushes import rank
from services.sync.store import destinations as destinations_store
from services.sync.store import outgoing, pushes
from services.sync.usecases import refusals, subscribing
from services.sync.usecases.pushing import Pushing

CHANGEABLE: Final = destinations_store.CHANGEABLE
ADMINISTRATORS: Final = frozenset({"administrator"})  # Who sees whole endpoints: those who may make destinations.


class Scene:
    """What both servicers of the way out need of a request: its unit, its destination, its language."""

    def __init__(self, pushing: Pushing) -> None:
        self.pushing = pushing

    def unit_id(self, unit: str) -> int:
        """The unit behind a reference."""
        found = self.pushing.scopes.tree.resolve(unit, self.pushing.clock.today())
        if found is None:
            raise unknown_unit(unit)
        return found

    def schools(self, unit: str) -> frozenset[int]:
        """All units below one."""
        return self.pushing.scopes.tree.subtree(self.unit_id(unit), self.pushing.clock.today())

    async def destination(self, code: str) -> Destination:
        """The destination under a code."""
        async with self.pushing.database.connection() as reads:
            found = await destinations_store.destination(reads, code)
        if found is None:
            raise refusals.unknown_destination(code)
        return found

    @property
    def language(self) -> str:
        """What the caller reads."""
        request = current_request()
        return request.language if request else "vi"


class DestinationsServicer(destinations_pb2_grpc.DestinationsServiceServicer):
    """Answers `iocedu.sync.v1.DestinationsService`."""

    def __init__(self, pushing: Pushing) -> None:
        self._pushing = pushing
        self._scene = Scene(pushing)

    async def ListDestinations(
        self, request: destinations_pb2.ListDestinationsRequest, _context: Any
    ) -> destinations_pb2.ListDestinationsResponse:
        """List destinations."""
        size, cursor = page_size(request.page_size), page_cursor(request)
        async with self._pushing.database.connection() as reads:
            found = await destinations_store.destinations(reads, after=cursor[0] if cursor else "", most=size + 1)
        response = destinations_pb2.ListDestinationsResponse(destinations=[self._told(one) for one in found[:size]])
        if len(found) > size:
            response.next_page_token = page_token(request, [found[size - 1].code])
        return response

    async def CreateDestination(
        self, request: destinations_pb2.CreateDestinationRequest, _context: Any
    ) -> destinations_pb2.CreateDestinationResponse:
        """Make a subscriber."""
        asked = request.destination
        await subscribing.check_endpoint(self._pushing, asked.endpoint)
        async with self._pushing.database.transaction() as writes:
            made = await subscribing.subscribe(
                self._pushing,
                writes,
                code=request.code,
                display_name=asked.display_name,
                endpoint=asked.endpoint,
                unit_id=self._scene.unit_id(request.unit),
            )
        return destinations_pb2.CreateDestinationResponse(destination=self._told(made), secret=made.secret)

    async def UpdateDestination(
        self, request: destinations_pb2.UpdateDestinationRequest, _context: Any
    ) -> destinations_pb2.UpdateDestinationResponse:
        """Change how a destination is served."""
        values = _values(request)
        async with self._pushing.database.transaction() as writes:
            changed = await subscribing.change(writes, request.code, values)
        self._pushing.stirred.set()
        return destinations_pb2.UpdateDestinationResponse(destination=self._told(changed))

    async def ListSchoolPushes(
        self, request: destinations_pb2.ListSchoolPushesRequest, _context: Any
    ) -> destinations_pb2.ListSchoolPushesResponse:
        """List schools, those that need somebody first."""
        size, among = page_size(request.page_size), self._scene.schools(request.unit)
        await self._scene.destination(request.destination)
        async with self._pushing.database.connection() as reads:
            found = await pushes.schools(
                reads,
                request.destination,
                among,
                unsettled_only=request.unsettled_only,
                after=page_cursor(request),
                most=size + 1,
            )
        tree, language = self._pushing.scopes.tree, self._scene.language
        response = destinations_pb2.ListSchoolPushesResponse(
            schools=[convert.school(one, tree, language=language) for one in found[:size]]
        )
        if len(found) > size:
            response.next_page_token = page_token(request, rank(found[size - 1]))
        return response

    async def SummarizePushes(
        self, request: destinations_pb2.SummarizePushesRequest, _context: Any
    ) -> destinations_pb2.SummarizePushesResponse:
        """Sum up all schools below a unit."""
        destination, among = await self._scene.destination(request.destination), self._scene.schools(request.unit)
        async with self._pushing.database.connection() as reads:
            found = await pushes.sums(reads, destination.code, among)
        return convert.summary(found, self._told(destination))

    async def ListPushedRecords(
        self, request: destinations_pb2.ListPushedRecordsRequest, _context: Any
    ) -> destinations_pb2.ListPushedRecordsResponse:
        """List single records of a school."""
        size = page_size(request.page_size)
        destination = await self._scene.destination(request.destination)
        async with self._pushing.database.connection() as reads:
            found = await pushes.records(
                reads,
                destination.code,
                self._scene.unit_id(request.school),
                states=request.states,
                record_type=request.type,
                key=request.key,
                after=page_cursor(request),
                most=size + 1,
            )
        language = self._scene.language
        response = destinations_pb2.ListPushedRecordsResponse(
            records=[convert.record(one, language=language) for one in found[:size]]
        )
        if len(found) > size:
            response.next_page_token = page_token(request, [found[size - 1].type, found[size - 1].key])
        return response

    async def ListPushOutcomes(
        self, request: destinations_pb2.ListPushOutcomesRequest, _context: Any
    ) -> destinations_pb2.ListPushOutcomesResponse:
        """List what became of a school's records, newest first."""
        size, cursor = page_size(request.page_size), page_cursor(request)
        destination = await self._scene.destination(request.destination)
        async with self._pushing.database.connection() as reads:
            found = await pushes.outcomes(
                reads,
                destination.code,
                self._scene.unit_id(request.school),
                record_type=request.type,
                key=request.key,
                before=cursor[0] if cursor else 0,
                most=size + 1,
            )
        response = destinations_pb2.ListPushOutcomesResponse(outcomes=[convert.outcome(one) for one in found[:size]])
        if len(found) > size:
            response.next_page_token = page_token(request, [found[size - 1].push_outcome_id])
        return response

    async def RepeatPushes(
        self, request: destinations_pb2.RepeatPushesRequest, _context: Any
    ) -> destinations_pb2.RepeatPushesResponse:
        """Push what failed once more."""
        destination, among = await self._scene.destination(request.destination), self._scene.schools(request.unit)
        async with self._pushing.database.transaction() as writes:
            repeated = await outgoing.repeat(
                writes, destination.code, among, request.reason, now=self._pushing.clock.now()
            )
        self._pushing.stirred.set()
        return destinations_pb2.RepeatPushesResponse(repeated_count=repeated)

    def _told(self, one: Destination) -> destinations_pb2.Destination:
        clock, tree = self._pushing.clock, self._pushing.scopes.tree
        whole = caller_may(tree, ADMINISTRATORS, one.unit_id, clock.today())
        return convert.destination(one, language=self._scene.language, now=clock.now(), whole=whole)


def _values(request: destinations_pb2.UpdateDestinationRequest) -> Mapping[str, Any]:
    """What is to be changed, by column."""
    paths = list(request.update_mask.paths)
    if unknown := [path for path in paths if path not in CHANGEABLE]:
        told = ", ".join(CHANGEABLE)
        raise refusals.invalid(
            "update_mask",
            vi=f"Không đổi được {', '.join(unknown)}. Chỉ đổi được: {told}.",
            en=f"{', '.join(unknown)} cannot be changed. What can be: {told}.",
        )
    asked, values = request.destination, dict[str, Any]()
    for path in paths:
        if path == "windows":
            values[path] = [{"from": getattr(one, "from"), "until": one.until} for one in asked.windows]
        else:
            values[path] = getattr(asked, path)
    for path in ("calls_per_second", "package_size"):
        if path in values and values[path] <= 0:
            raise refusals.invalid(
                f"destination.{path}", vi=f"`{path}` phải lớn hơn 0.", en=f"`{path}` must be above 0."
            )
    if "form" in values and not values["form"]:
        forms = ", ".join(destinations_pb2.ExchangeForm.keys()[1:])
        raise refusals.invalid(
            "destination.form", vi=f"Cần một dạng trao đổi: {forms}.", en=f"A form of exchange is needed: {forms}."
        )
    if not values:
        raise refusals.invalid(
            "update_mask", vi="`update_mask` chưa nêu trường nào.", en="`update_mask` names no field."
        )
    return values
