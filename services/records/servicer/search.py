"""SearchService: people and units looked up as staff type them."""

from collections.abc import Iterable
from datetime import date
from typing import Any, Final

from iocedu.records.v1 import search_pb2, search_pb2_grpc

from chassis.clock import Clock
from chassis.database import Database
from chassis.paging import page_cursor, page_size, page_token
from chassis.request import current_request
from chassis.scope_tree import EVERY_UNIT, ScopeTree, holds
from chassis.scopes import Scopes
from services.records.convert.searching import add_hit, advice, asked_of
from services.records.domain.objects import BY_COLLECTION, DELETED, SCHOOL_ID, SCHOOL_KINDS, ObjectSpec
from services.records.domain.unit_names import UnitName, matching, unit_name
from services.records.servicer.places import aliases, records_below, resolve_unit
from services.records.servicer.reading import reading_of
from services.records.store.lookup import Identity, Stored, class_names, records_by_key
from services.records.usecases.lookups import Lookups
from services.records.usecases.search import PeopleSearch, Within

PAGE: Final = 20
MOST_PAGE: Final = 100


class _View:
    """The units of one tree and day, as searches look at them; made once for many searches."""

    def __init__(self, tree: ScopeTree, day: date) -> None:
        self.tree = tree
        self.day = day
        self.units: list[UnitName] = [
            unit_name(one.unit_id, one.kind, one.name, [alias.alias for alias in one.aliases if holds(alias, day)])
            for one in tree.units(day)
        ]
        self._schools = self._schools_below(EVERY_UNIT)
        self._within: dict[int, Within] = {}

    def within(self, unit_id: int) -> Within:
        """The schools at or below a unit."""
        known = self._within.get(unit_id)
        if known is None:
            schools = self._schools_below(unit_id)
            known = self._within[unit_id] = Within(schools, everywhere=len(schools) == len(self._schools))
        return known

    def _schools_below(self, unit_id: int) -> frozenset[int]:
        below = (self.tree.unit(one) for one in records_below(self.tree, unit_id, self.day))
        return frozenset(one.unit_id for one in below if one is not None and one.kind in SCHOOL_KINDS)


class SearchServicer(search_pb2_grpc.SearchServiceServicer):
    """Answers SearchService."""

    def __init__(self, database: Database, scopes: Scopes, clock: Clock, *, lookups: Lookups) -> None:
        self._database = database
        self._scopes = scopes
        self._clock = clock
        self._lookups = lookups
        self._people = PeopleSearch(database)
        self._view: _View | None = None

    async def SearchPeople(
        self, request: search_pb2.SearchPeopleRequest, _context: Any
    ) -> search_pb2.SearchPeopleResponse:
        """Give a page of people, masked, and write down that they were looked at."""
        view, spec = self._viewed(), BY_COLLECTION[request.collection]
        unit_id = resolve_unit(view.tree, request.unit, view.day)
        asked = asked_of(request, spec)
        most = page_size(request.page_size, default=PAGE, maximum=MOST_PAGE)
        cursor = page_cursor(request)
        found = await self._people.search(
            spec,
            asked,
            view.within(unit_id),
            after=(cursor[0], cursor[1], cursor[2], cursor[3]) if cursor else None,
            most=most + 1,
        )
        page = found.hits[:most]
        async with self._database.connection() as connection:
            records = await records_by_key(connection, spec, [hit.identity for hit in page], withheld=False)
            names = await class_names(connection, _classes(spec, records.values()))
        response = search_pb2.SearchPeopleResponse(too_many=found.too_many)
        if found.too_many:
            request_frame = current_request()
            response.advice = advice(request_frame.language if request_frame else "vi")
        alias = aliases(view.tree, view.day)
        for hit in page:
            stored = records.get(hit.identity)
            # A record may go between the search and the look at it.
            if stored is not None and not stored[DELETED]:
                school = view.tree.unit(stored[0])
                name = school.name if school else ""
                add_hit(response.hits, hit.rule, stored, spec=spec, alias=alias, school_name=name, class_names=names)
        if page and (found.more or len(found.hits) > most):
            response.next_page_token = page_token(request, page[-1].cursor)
        await self._lookups.note(
            reading_of(
                "SearchPeople",
                at=self._clock.now(),
                unit_id=unit_id,
                collection=spec.collection,
                count=len(response.hits),
            )
        )
        return response

    async def SearchUnits(
        self, request: search_pb2.SearchUnitsRequest, _context: Any
    ) -> search_pb2.SearchUnitsResponse:
        """Give a page of units."""
        view = self._viewed()
        unit_id = resolve_unit(view.tree, request.unit, view.day)
        most = page_size(request.page_size, default=PAGE, maximum=MOST_PAGE)
        cursor = page_cursor(request)
        kinds = frozenset(request.kinds)
        below = records_below(view.tree, unit_id, view.day)
        units = (one for one in view.units if one.unit_id in below and (not kinds or one.kind in kinds))
        found = matching(units, request.query)
        if cursor:
            found = [place for place in found if place > (cursor[0], cursor[1], cursor[2])]
        response = search_pb2.SearchUnitsResponse()
        for rule, _, one in found[:most]:
            unit = view.tree.unit(one)
            if unit is not None:
                above = [view.tree.unit(parent) for parent in view.tree.ancestors(one, view.day)]
                response.hits.add(
                    unit_id=one,
                    kind=unit.kind,
                    name=unit.name,
                    aliases=[alias.alias for alias in unit.aliases if holds(alias, view.day)],
                    above=[parent.name for parent in above if parent is not None],
                    rule=rule,
                )
        if len(found) > most:
            response.next_page_token = page_token(request, found[most - 1])
        return response

    def _viewed(self) -> "_View":
        tree, day = self._scopes.tree, self._clock.today()
        if self._view is None or self._view.tree is not tree or self._view.day != day:
            self._view = _View(tree, day)
        return self._view


def _classes(spec: ObjectSpec, records: Iterable[Stored]) -> set[Identity]:
    """The classes that records name, by school and key."""
    if "class_key" not in spec.row:
        return set()
    place = spec.row.index("class_key")
    return {(one[SCHOOL_ID], one[place]) for one in records if one[place]}
