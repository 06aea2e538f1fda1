"""Partners, keys and connections as messages."""

import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime

from iocedu.sync.v1 import (
    partner_connections_pb2,
    partner_sandboxes_pb2,
    partners_pb2,
)

from chassis.scope_tree import ScopeTree
from services.sync.convert.answers import timestamp
from services.sync.domain.partners import Partner, PartnerConnection, PartnerKey


def partner(one: Partner, tree: ScopeTree) -> partners_pb2.Partner:
    """A partner, with the name of who registered it."""
    return partners_pb2.Partner(
        partner_id=one.partner_id,
        display_name=one.display_name,
        contact=one.contact,
        unit_id=one.unit_id,
        unit_name=_name(tree, one.unit_id),
        state=one.state,  # type: ignore[arg-type]  # the enum's number
        state_reason=one.state_reason,
        state_by=one.state_by,
        state_time=timestamp(one.state_time),
        etag=one.etag,
        create_time=timestamp(one.create_time),
        created_by=one.created_by,
    )


def key(one: PartnerKey, *, now: datetime) -> partners_pb2.PartnerKey:
    """A key."""
    return partners_pb2.PartnerKey(
        kid=one.kid,
        algorithm=one.algorithm,
        jwk=json.dumps(one.jwk | {"kid": one.kid}, sort_keys=True),
        valid_from=timestamp(one.valid_from),
        valid_to=timestamp(one.valid_to) if one.valid_to else None,
        revoke_time=timestamp(one.revoke_time) if one.revoke_time else None,
        revoked_by=one.revoked_by,
        revoke_reason=one.revoke_reason,
        create_time=timestamp(one.create_time),
        created_by=one.created_by,
        in_force=one.holds(now),
    )


def connection(
    one: PartnerConnection, tree: ScopeTree, *, name: str, today: date, given: bool = False
) -> partner_connections_pb2.PartnerConnection:
    """A connection in its state as of today, which the grants of today decide.

    One that was `given` just now is known here only in a moment.
    """
    granted = given or any(grant.grant_id == one.grant_id for grant in tree.grants_of(one.partner_id, today))
    return partner_connections_pb2.PartnerConnection(
        connection_id=one.connection_id,
        partner_id=one.partner_id,
        partner_name=name,
        unit_id=one.unit_id,
        unit_name=_name(tree, one.unit_id),
        collections=one.collections,
        valid_from=one.valid_from.isoformat(),
        valid_to=one.valid_to.isoformat() if one.valid_to else "",
        state=one.state(today, granted=granted),  # type: ignore[arg-type]  # the enum's number
        grant_id=one.grant_id,
        connected_by=one.connected_by,
        reason=one.reason,
        create_time=timestamp(one.create_time),
        ended_by=one.ended_by,
        end_reason=one.end_reason,
        end_time=timestamp(one.end_time) if one.end_time else None,
        handed_over_from=one.handed_over_from,
    )


def sandbox(
    tree: ScopeTree,
    *,
    unit_id: int,
    schools: Iterable[tuple[int, str]],
    reset_count: int,
    reset_time: datetime | None,
    names: Mapping[int, str],
) -> partner_sandboxes_pb2.Sandbox:
    """A sandbox; its schools by id and alias, `names` are of those that the tree has not brought yet."""
    return partner_sandboxes_pb2.Sandbox(
        unit_id=unit_id,
        schools=[
            partner_sandboxes_pb2.SandboxSchool(
                unit_id=school_id, alias=alias, name=names.get(school_id) or _name(tree, school_id)
            )
            for school_id, alias in schools
        ],
        reset_count=reset_count,
        reset_time=timestamp(reset_time),
    )


def _name(tree: ScopeTree, unit_id: int) -> str:
    unit = tree.unit(unit_id)
    return unit.name if unit else ""
