"""ProfilesService: a school over time, a member of staff over time. Every look at a person is written down."""

from typing import Any, Final

from iocedu.records.v1 import profiles_pb2, profiles_pb2_grpc, records_pb2
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.clock import Clock
from chassis.database import Database
from chassis.scopes import Scopes
from services.records.convert.outgoing import record_of
from services.records.convert.profiles import add_unit, kind_counts, years_of
from services.records.convert.rules import in_stock_statuses
from services.records.convert.units import succession_of
from services.records.domain.persons import STAFF_MEMBER, Held, Identity
from services.records.domain.units import ADMINISTRATIVE
from services.records.servicer.people import People
from services.records.servicer.places import aliases, resolve_unit
from services.records.store import profiles, unit_days, units
from services.records.store.lookup import class_names, records_by_key
from services.records.store.successions import successions_around
from services.records.usecases.lookups import Lookups

MOST_SUCCESSIONS: Final = 100


class ProfilesServicer(profiles_pb2_grpc.ProfilesServiceServicer):
    """Answers ProfilesService."""

    def __init__(self, database: Database, scopes: Scopes, clock: Clock, *, lookups: Lookups) -> None:
        self._database = database
        self._scopes = scopes
        self._clock = clock
        self._people = People(scopes, clock, lookups=lookups)

    async def GetSchoolProfile(
        self, request: profiles_pb2.GetSchoolProfileRequest, _context: Any
    ) -> profiles_pb2.GetSchoolProfileResponse:
        """Give a school's profile."""
        today = self._clock.today()
        school_id = resolve_unit(self._scopes.tree, request.school, today)
        response = profiles_pb2.GetSchoolProfileResponse()
        async with self._database.connection() as connection:
            add_unit(response, await units.load_unit(connection, school_id))
            around = await successions_around(connection, school_id, after=None, most=MOST_SUCCESSIONS)
            below = await unit_days.count_below(
                connection, school_id, day=today, edge_type=ADMINISTRATIVE, recursive=True
            )
            counted = years_of(
                await profiles.pupils_by_level(connection, school_id, in_stock=in_stock_statuses()),
                await profiles.classes_by_level(connection, school_id),
                await profiles.staff_and_rooms(connection, school_id),
            )
        response.successions.extend(map(succession_of, around))
        response.parts.extend(kind_counts(below))
        response.years.extend(counted)
        return response

    async def GetStaffProfile(
        self, request: profiles_pb2.GetStaffProfileRequest, _context: Any
    ) -> profiles_pb2.GetStaffProfileResponse:
        """Give the profile of a member of staff, unmasked where a purpose is stated and the caller's role allows it."""
        purpose = request.purpose.strip()
        school_id = resolve_unit(self._scopes.tree, request.school, self._clock.today())
        response = profiles_pb2.GetStaffProfileResponse()
        async with self._database.connection() as connection:
            identity = school_id, STAFF_MEMBER.number, request.staff_key
            found = await self._people.behind(connection, identity, purpose=purpose)
            shown = dict(found.shown.records)
            for one in found.held:
                record = found.shown.records.get(one.identity)
                if one.type == STAFF_MEMBER.number and record is not None:
                    others = await self._others(connection, one, masked=record.masked)
                    response.years.append(await self._year(connection, one, others))
                    shown |= others
        self._people.add(response.person, found)
        await self._people.note("GetStaffProfile", found.held, shown, purpose=purpose)
        return response

    async def _year(
        self, connection: AsyncConnection, held: Held, others: dict[Identity, records_pb2.Record]
    ) -> profiles_pb2.StaffYear:
        school_id, year, key = held.school_id, held.school_year, held.key
        staff_id = key.removesuffix(f".{year}")
        taught = await profiles.subjects_taught(connection, school_id, year, staff_id)
        homerooms = await profiles.homeroom_classes(connection, school_id, year, key)
        keys = {*homerooms, *(one for one, _, _ in taught)} | {
            one.row.staff_assignment.class_key for one in others.values()
        }
        names = await class_names(connection, {(school_id, one) for one in keys if one})
        return profiles_pb2.StaffYear(
            school_id=school_id,
            school_name=self._people.name(school_id),
            school_year=year,
            staff_key=key,
            homeroom_class_keys=homerooms,
            subjects=[
                profiles_pb2.TaughtSubject(class_key=class_key, subject=subject, term=term)
                for class_key, subject, term in taught
            ],
            others=others.values(),
            post_share=sum(one.row.staff_assignment.post_share for one in others.values()),
            class_names={one: name for (_, one), name in names.items()},
        )

    async def _others(
        self, connection: AsyncConnection, held: Held, *, masked: bool
    ) -> dict[Identity, records_pb2.Record]:
        """Assignments and entries of conduct of a year."""
        school_id, alias = held.school_id, aliases(self._scopes.tree, self._clock.today())
        wanted = await profiles.other_keys(connection, school_id, held.school_year, held.key)
        records: dict[Identity, records_pb2.Record] = {}
        for spec in dict.fromkeys(spec for spec, _ in wanted):
            some = [(school_id, key) for one, key in wanted if one is spec]
            for (_, key), stored in (await records_by_key(connection, spec, some, withheld=False)).items():
                records[school_id, spec.number, key] = record_of(
                    spec, stored, position=stored[-1], alias=alias, mask=masked
                )
        return records
