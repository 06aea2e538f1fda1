"""Operations on units: worked out on all that is stored, then stored whole, kept, and told, in one transaction."""

import asyncio
import itertools
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime

from iocedu.records.v1.unit_operations_pb2 import CreateUnitOperationRequest, CreateUnitOperationResponse
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import outbox
from chassis.errors import Fault, FieldViolation, Kind
from chassis.scope_tree import EVERY_UNIT, ScopeGrant
from services.records.convert.unit_operations import (
    UNITS_CHANGED,
    digest_of,
    effects_of,
    obstacles_of,
    operation_of,
    pack_units,
)
from services.records.domain.differences import difference
from services.records.domain.forest import Forest
from services.records.domain.grants import MOVED_BY_MERGER, MOVED_BY_SPLIT
from services.records.domain.obstacles import Obstacle, title
from services.records.domain.reorganised import Draft
from services.records.domain.reorganising import reorganise
from services.records.store import scopes, unit_operations, units
from services.records.usecases.apply import request_id_reused
from services.records.usecases.moving_grants import Move, move_grants, plan_moves

OPERATORS = frozenset({"administrator", "director"})


@dataclass(frozen=True, slots=True)
class Operator:
    """Who asks, what roles they hold today, and in which language they read."""

    subject: str
    grants: Collection[ScopeGrant]
    language: str


async def create_unit_operation(
    connection: AsyncConnection,
    request: CreateUnitOperationRequest,
    *,
    operator: Operator,
    today: date,
    now: datetime,
) -> CreateUnitOperationResponse:
    """Change units as asked and say what was changed; raises the reason of the first thing that stands in the way."""
    await units.lock_forest(connection)
    digest = digest_of(request, subject=operator.subject)
    earlier = None if request.validate_only else await unit_operations.answered(connection, request.request_id)
    if earlier is not None:
        if earlier[0] != digest:
            raise request_id_reused(request.request_id)
        return CreateUnitOperationResponse.FromString(earlier[1])
    ids: Iterator[int] = itertools.count(-1, -1)
    if not request.validate_only:
        ids = await units.next_unit_ids(connection, _new_units(request))
    draft = await _work_out(connection, request, ids=ids, operator=operator, today=today)
    response = CreateUnitOperationResponse(operation=request.operation)
    response.operation.ClearField("create_time")
    response.operation.operation_id, response.operation.created_by = 0, operator.subject
    if request.validate_only:
        response.obstacles.extend(obstacles_of(draft.obstacles, operator.language))
        if not draft.obstacles:
            response.effects.extend(effects_of(draft, stored=False))
            _count(response, await plan_moves(connection, draft.heirs(), forest=draft.forest, day=draft.day))
        return response
    if draft.obstacles:
        raise _in_the_way(draft.obstacles)
    response.operation.operation_id = await unit_operations.next_operation_id(connection)
    response.operation.create_time.FromDatetime(now)
    response.effects.extend(effects_of(draft, stored=True))
    moves = await plan_moves(connection, draft.heirs(), forest=draft.forest, day=draft.day)
    _count(response, moves)
    await _store(connection, draft)
    recorded = unit_operations.Recorded(
        operation_id=response.operation.operation_id,
        request_id=request.request_id,
        digest=digest,
        effective_date=draft.day,
        operation=response.operation.SerializeToString(),
        response=response.SerializeToString(),
        unit_ids=[effect.unit_id for effect in response.effects],
    )
    await unit_operations.keep(connection, recorded, created_by=operator.subject, now=now)
    await move_grants(
        connection,
        moves,
        provenance=MOVED_BY_SPLIT if request.operation.HasField("split") else MOVED_BY_MERGER,
        operation_id=recorded.operation_id,
        mover=operator.subject,
        now=now,
    )
    changed = [draft.forest.unit(effect.unit_id) for effect in response.effects]
    events = [outbox.Outgoing(UNITS_CHANGED, *packed) for packed in pack_units(changed, response.operation)]
    await outbox.append(connection, events)
    await scopes.raise_scope_version(connection)
    return response


async def _work_out(
    connection: AsyncConnection,
    request: CreateUnitOperationRequest,
    *,
    ids: Iterator[int],
    operator: Operator,
    today: date,
) -> Draft:
    forest = Forest(await units.load_units(connection))
    operation, day = operation_of(request.operation), date.fromisoformat(request.operation.effective_date)
    # Beside the loop: a province with all its schools takes a while.
    draft = await asyncio.to_thread(reorganise, forest, operation, day=day, ids=ids)
    for unit_id in draft.concerned:
        if not _may(operator, draft, unit_id, today=today):
            raise _no_grant(draft, unit_id)
    return draft


def _may(operator: Operator, draft: Draft, unit_id: int, *, today: date) -> bool:
    """Whether one of the operator's grants of today reaches the unit, as things stand before the operation."""
    return any(
        grant.unit_id == EVERY_UNIT
        or (unit_id != EVERY_UNIT and grant.unit_id in draft.above(unit_id, grant.edge_type, today))
        for grant in operator.grants
        if grant.role in OPERATORS
    )


async def _store(connection: AsyncConnection, draft: Draft) -> None:
    try:
        await unit_operations.store_difference(connection, difference(draft))
        await units.check_now(connection)
    except IntegrityError as error:
        # The database guards the same rules; it speaks up only where what was worked out did not see something.
        raise Fault(
            Kind.PRECONDITION,
            "INVALID_UNIT",
            vi="Thao tác làm dữ liệu đơn vị trùng hoặc mâu thuẫn về thời hạn.",
            en="The operation would let units overlap or contradict each other in time.",
            metadata={"unit": str(next(iter(draft.concerned), ""))},
        ) from error


def _count(response: CreateUnitOperationResponse, moves: Collection[Move]) -> None:
    response.ended_grant_count = len(moves)
    response.continued_grant_count = sum(len(move.continued) for move in moves)


def _new_units(request: CreateUnitOperationRequest) -> int:
    """How many ids the operation can need."""
    return max(1, len(request.operation.split.parts))


def _in_the_way(found: list[Obstacle]) -> Fault:
    first = found[0]
    return Fault(
        Kind.NOT_FOUND if first.reason == "UNKNOWN_UNIT" else Kind.PRECONDITION,
        first.reason,
        vi=first.vi,
        en=first.en,
        metadata=first.metadata,
        violations=[FieldViolation(f"operation.{one.field}", one.reason, one.vi, one.en) for one in found],
    )


def _no_grant(draft: Draft, unit_id: int) -> Fault:
    vi, en = "mọi đơn vị", "every unit"
    if unit_id != EVERY_UNIT:
        vi = en = title(draft.forest.unit(unit_id), draft.day)
    return Fault(
        Kind.DENIED,
        "NO_GRANT",
        vi=f"Thao tác liên quan đến {vi}, nơi bạn chưa được cấp quyền. Hãy nhờ người quản trị của đơn vị cấp trên "
        "chung thực hiện.",
        en=f"The operation concerns {en}, where you hold no role for it. Ask an administrator of a unit above all that "
        "are concerned.",
        metadata={"unit": str(unit_id)},
    )
