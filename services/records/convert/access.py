"""Delegations, and who may do what and why, between the interface and the domain.

The methods of all services are known here by their descriptors, so that each can be asked about.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Final

import iocedu
from iocedu.records.v1 import access_pb2

from chassis.access import Rule, rule_of
from chassis.errors import FieldViolation
from chassis.validation import invalid
from services.records.convert.days import span_of, text_of
from services.records.convert.units import Aliases
from services.records.domain.delegating import Delegation
from services.records.domain.explaining import Holding, Remedy
from services.records.domain.grants import EVERY_UNIT, ROLES
from services.records.domain.spans import Span

ANY: Final = Rule(method="", roles=ROLES)  # What is asked where no method is named.


@dataclass(frozen=True, slots=True)
class Titles:
    """How units are known on the day asked about."""

    day: date
    names: Mapping[int, tuple[str, str]]  # kind and name
    aliases: Aliases


def delegation_of(request: access_pb2.DelegateGrantRequest, *, unit_id: int, today: date) -> Delegation:
    """What is to be delegated; raises DELEGATION_WITHOUT_END where no day ends it."""
    if not request.valid_to:
        vi = "Ủy quyền phải có ngày kết thúc. Hãy đặt `valid_to` là ngày đầu tiên không còn hiệu lực."
        en = "A delegation has an end. Set `valid_to` to the first day on which it holds no more."
        raise invalid([FieldViolation("valid_to", "DELEGATION_WITHOUT_END", vi, en)])
    span = span_of(request.valid_from, request.valid_to, within=Span(first=today), field="")
    return Delegation(request.subject, unit_id, span)


@cache
def _know_every_interface() -> None:
    """Import what all services' interfaces were made into: their descriptors are there from then on."""
    for root in map(Path, iocedu.__path__):
        for made in root.rglob("*_pb2.py"):
            import_module(".".join(("iocedu", *made.relative_to(root).with_suffix("").parts)))


def rule_asked(method: str, role: str) -> Rule:
    """What a method demands, or any role where none is named; raises UNKNOWN_METHOD and UNKNOWN_ROLE."""
    if role and role not in ROLES:
        vi, en = f"Không có vai trò `{role}`; các vai trò: ", f"There is no role {role}; those there are: "
        named = ", ".join(sorted(ROLES)) + "."
        raise invalid([FieldViolation("role", "UNKNOWN_ROLE", vi + named, en + named)])
    _know_every_interface()
    rule = rule_of(method) if method else ANY
    if rule is None:
        vi = f"Không có chức năng `{method}`. Hãy ghi tên như trong thông báo từ chối, ví dụ "
        en = f"There is no method {method}. Name it as refusals do, for example "
        example = "iocedu.records.v1.RecordsService/GetRecord."
        raise invalid([FieldViolation("method", "UNKNOWN_METHOD", vi + example, en + example)])
    return rule


def roles_asked(rule: Rule, role: str) -> frozenset[str]:
    """The roles that count: those that the rule names, or the one asked about if it is among them."""
    return rule.roles & {role} if role else rule.roles


def rule_message(rule: Rule) -> access_pb2.AccessRule:
    """A rule as callers see it; where no method is named there is none."""
    if rule is ANY:
        return access_pb2.AccessRule()
    return access_pb2.AccessRule(
        method=rule.method,
        roles=sorted(rule.roles),
        any_subject=rule.any_subject,
        every_unit=rule.every_unit,
        services=sorted(rule.services),
    )


def units_named(held: Iterable[Holding], remedies: Iterable[Remedy] = ()) -> set[int]:
    """The units that an answer names."""
    return {unit_id for one in held for unit_id in one.path} | {one.unit_id for one in remedies} - {EVERY_UNIT}


def access_grant_of(one: Holding, titles: Titles) -> access_pb2.AccessGrant:
    """A holding as callers see it."""
    return access_pb2.AccessGrant(
        grant_id=one.grant_id,
        subject=one.subject,
        role=one.role,
        edge_type=one.edge_type,
        valid_from=text_of(one.span.first),
        valid_to=text_of(one.span.after),
        delegated_from_grant_id=one.delegated_from,
        delegated_by=one.delegated_by,
        path=[_unit(unit_id, titles) for unit_id in one.path],
    )


def access_remedy_of(one: Remedy, titles: Titles) -> access_pb2.AccessRemedy:
    """A remedy as callers see it."""
    message = access_pb2.AccessRemedy(role=one.role, given_by=one.given_by)
    if one.unit_id != EVERY_UNIT:
        message.unit.CopyFrom(_unit(one.unit_id, titles))
    return message


def _unit(unit_id: int, titles: Titles) -> access_pb2.AccessUnit:
    kind, name = titles.names.get(unit_id, ("", ""))
    alias = titles.aliases.get((unit_id, titles.day), "")
    return access_pb2.AccessUnit(unit_id=unit_id, alias=alias, name=name, kind=kind)
