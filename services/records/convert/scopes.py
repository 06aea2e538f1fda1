"""Units, grants and calendars as every service holds them in memory."""

from collections.abc import Iterable, Sequence
from datetime import date

from iocedu.chassis.v1 import scopes_pb2

from services.records.convert.days import text_of
from services.records.domain.calendars import Calendar, Holiday, Term
from services.records.domain.grants import ADMINISTRATOR, EVERY_UNIT, Grant
from services.records.domain.units import ADMINISTRATIVE, Unit


def scope_units(units: Iterable[Unit], day: date) -> list[scopes_pb2.ScopeUnit]:
    """Units with everything that places them in time, and the name they bear on a day."""
    return [_unit(unit, day) for unit in units]


def scope_grants(grants: Iterable[Grant], administrators: Sequence[str]) -> list[scopes_pb2.ScopeGrant]:
    """Grants that stand, and those of the administrators whom the settings name: on every unit, without an id."""
    given = [
        scopes_pb2.ScopeGrant(
            grant_id=grant.grant_id,
            subject=grant.subject,
            role=grant.role,
            unit_id=grant.unit_id,
            edge_type=grant.edge_type,
            valid_from=text_of(grant.span.first),
            valid_to=text_of(grant.span.after),
        )
        for grant in grants
    ]
    return given + [
        scopes_pb2.ScopeGrant(subject=subject, role=ADMINISTRATOR, unit_id=EVERY_UNIT, edge_type=ADMINISTRATIVE)
        for subject in administrators
    ]


def scope_years(calendars: Iterable[Calendar]) -> list[scopes_pb2.ScopeYear]:
    """First days of school years, of calendars that tell them."""
    return [
        scopes_pb2.ScopeYear(unit_id=one.unit_id, year=one.school_year, first_day=text_of(one.first_day))
        for one in calendars
        if one.first_day
    ]


def scope_calendars(calendars: Iterable[Calendar]) -> list[scopes_pb2.ScopeCalendar]:
    """Terms and holidays of school years; holidays of every kind are free of lessons."""
    return [
        scopes_pb2.ScopeCalendar(
            unit_id=one.unit_id,
            year=one.school_year,
            terms=map(_span, one.terms),
            holidays=map(_span, one.holidays),
        )
        for one in calendars
    ]


def _unit(unit: Unit, day: date) -> scopes_pb2.ScopeUnit:
    return scopes_pb2.ScopeUnit(
        unit_id=unit.unit_id,
        kind=unit.kind,
        name=_name(unit, day),
        valid_from=text_of(unit.span.first),
        valid_to=text_of(unit.span.after),
        edges=[
            scopes_pb2.ScopeEdge(
                parent_id=edge.parent_id,
                type=edge.type,
                valid_from=text_of(edge.span.first),
                valid_to=text_of(edge.span.after),
            )
            for edge in unit.edges
        ],
        aliases=[
            scopes_pb2.ScopeAlias(
                alias=code.alias, valid_from=text_of(code.span.first), valid_to=text_of(code.span.after)
            )
            for code in unit.codes
        ],
        labels=unit.labels,
        stood_for_by=unit.stood_for_by,
    )


def _span(one: Term | Holiday) -> scopes_pb2.ScopeSpan:
    return scopes_pb2.ScopeSpan(first_day=text_of(one.first_day), last_day=text_of(one.last_day))


def _name(unit: Unit, day: date) -> str:
    """The name on a day: of a unit that is gone its last, of one yet to come its first."""
    begun = [name for name in unit.names if name.span.start <= day]
    return begun[-1].name if begun else unit.names[0].name
