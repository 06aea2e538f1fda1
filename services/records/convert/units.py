"""Units and grants between the interface and the domain."""

from collections.abc import Mapping, Sequence
from datetime import date

from iocedu.records.v1 import units_pb2

from services.records.convert.days import day_of, span_of, text_of
from services.records.domain.grants import EVERY_UNIT, Grant, GrantDraft
from services.records.domain.spans import Span
from services.records.domain.units import (
    ADMINISTRATIVE,
    Code,
    Name,
    NamedSuccession,
    ParentRef,
    SuccessionRef,
    UnitDay,
    UnitDraft,
)

Aliases = Mapping[tuple[int, date], str]


def drafts_of(units: Sequence[units_pb2.UnitInput]) -> list[UnitDraft]:
    """Units as someone asks to store them."""
    return [_draft(unit, f"units[{place}].") for place, unit in enumerate(units)]


def _draft(unit: units_pb2.UnitInput, path: str) -> UnitDraft:
    life = span_of(unit.valid_from, unit.valid_to, within=Span(), field=path)

    def span(part: str, place: int, dated: units_pb2.DatedName | units_pb2.DatedCode | units_pb2.DatedParent) -> Span:
        return span_of(dated.valid_from, dated.valid_to, within=life, field=f"{path}{part}[{place}].")

    return UnitDraft(
        kind=unit.kind,
        span=life,
        names=[Name(one.name, span("names", place, one)) for place, one in enumerate(unit.names)],
        codes=[Code(one.system, one.code, span("codes", place, one)) for place, one in enumerate(unit.codes)],
        parents=[
            ParentRef(one.parent, one.type, span("parents", place, one)) for place, one in enumerate(unit.parents)
        ],
        successions=[
            SuccessionRef(
                one.successor,
                one.kind,
                day_of(one.effective_date, field=f"{path}successions[{place}].effective_date") or date.min,
                one.partial,
            )
            for place, one in enumerate(unit.successions)
        ],
        labels=list(unit.labels),
    )


def wanted_aliases(units: Sequence[UnitDay], day: date) -> set[tuple[int, date]]:
    """The units that these name, each with the day as of which it is named."""
    parents = {(edge.parent_id, day) for unit in units for edge in unit.edges}
    return parents | {(one.successor_id, one.day) for unit in units for one in unit.successions}


def unit_of(unit: UnitDay, *, aliases: Aliases, day: date) -> units_pb2.Unit:
    """A unit as of a day; others are named by an alias of that day, or by id where they have none."""
    return units_pb2.Unit(
        unit_id=unit.unit_id,
        kind=unit.kind,
        name=unit.name,
        aliases=unit.codes,
        parents=[
            units_pb2.DatedParent(
                parent=aliases.get((edge.parent_id, day), str(edge.parent_id)),
                type=edge.type,
                valid_from=text_of(edge.span.first),
                valid_to=text_of(edge.span.after),
            )
            for edge in unit.edges
        ],
        valid_from=text_of(unit.span.first),
        valid_to=text_of(unit.span.after),
        successions=[
            units_pb2.SuccessionInput(
                successor=aliases.get((one.successor_id, one.day), str(one.successor_id)),
                kind=one.kind,
                effective_date=one.day.isoformat(),
                partial=one.partial,
            )
            for one in unit.successions
        ],
        labels=unit.labels,
    )


def succession_of(one: NamedSuccession) -> units_pb2.Succession:
    """A succession as callers see it."""
    return units_pb2.Succession(
        unit_id=one.unit_id,
        alias=one.alias,
        name=one.name,
        successor_id=one.successor_id,
        successor_alias=one.successor_alias,
        successor_name=one.successor_name,
        kind=one.kind,
        effective_date=one.day.isoformat(),
        partial=one.partial,
    )


def grant_draft_of(grant: units_pb2.Grant, *, unit_id: int, today: date) -> GrantDraft:
    """A grant as someone asks for it; it begins today unless it says otherwise."""
    return GrantDraft(
        subject=grant.subject,
        role=grant.role,
        unit_id=unit_id,
        edge_type=grant.edge_type or ADMINISTRATIVE,
        span=span_of(grant.valid_from, grant.valid_to, within=Span(first=today), field="grant."),
    )


def grant_of(grant: Grant, *, aliases: Aliases, day: date) -> units_pb2.Grant:
    """A grant as callers see it; its unit is named by an alias of today."""
    message = units_pb2.Grant(
        grant_id=grant.grant_id,
        subject=grant.subject,
        role=grant.role,
        unit=aliases.get((grant.unit_id, day), str(grant.unit_id or EVERY_UNIT)),
        edge_type=grant.edge_type,
        valid_from=text_of(grant.span.first),
        valid_to=text_of(grant.span.after),
        created_by=grant.created_by,
        provenance=grant.provenance,
        moved_from_grant_id=grant.moved_from,
        operation_id=grant.operation_id,
        delegated_from_grant_id=grant.delegated_from,
        delegated_by=grant.delegated_by,
    )
    message.create_time.FromDatetime(grant.create_time)
    if grant.revoke_time is not None:
        message.revoke_time.FromDatetime(grant.revoke_time)
    return message
