"""Whether a grant may be delegated as someone asks, and where in time one unit lies below another."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from services.records.domain.grants import DELEGABLE, EVERY_UNIT, Grant
from services.records.domain.obstacles import Obstacle
from services.records.domain.spans import Span
from services.records.domain.units import Edge

EdgesOf = Callable[[int], Iterable[Edge]]


@dataclass(frozen=True, slots=True)
class Delegation:
    """To whom a grant is to be delegated, on which unit and for which days."""

    subject: str
    unit_id: int
    span: Span  # with both ends


def hindrance(grant: Grant, asked: Delegation, *, today: date, most_days: int) -> Obstacle | None:
    """What stands in the way by the grant, its days and the days asked for; None when nothing does."""
    return next(filter(None, _hindrances(grant, asked, today=today, most_days=most_days)), None)


def _hindrances(grant: Grant, asked: Delegation, *, today: date, most_days: int) -> Iterator[Obstacle | None]:
    yield _not_delegable(grant)
    if asked.subject == grant.subject:
        yield Obstacle(
            "DELEGATION_TO_ONESELF",
            "subject",
            vi="Bạn không thể ủy quyền cho chính mình. Hãy chọn người khác.",
            en="You cannot delegate to yourself. Name somebody else.",
            metadata={},
        )
    if asked.span.start < today:
        yield Obstacle(
            "DELEGATION_IN_THE_PAST",
            "valid_from",
            vi="Ủy quyền không thể bắt đầu trước hôm nay. Hãy đặt `valid_from` từ hôm nay trở đi hoặc để trống.",
            en="A delegation cannot begin before today. Set `valid_from` to today or later, or leave it empty.",
            metadata={},
        )
    yield _too_long(asked.span, most_days)
    if not grant.span.covers(asked.span):
        yield _beyond_grant(grant)


def _not_delegable(grant: Grant) -> Obstacle | None:
    if grant.delegated_from:
        vi = "Quyền này do người khác ủy quyền cho bạn nên không thể ủy quyền tiếp. Hãy nhờ người đã ủy quyền."
        en = "You hold this role by delegation, so it cannot be delegated further. Ask who delegated it."
    elif grant.role not in DELEGABLE:
        named = ", ".join(sorted(DELEGABLE))
        vi = f"Vai trò `{grant.role}` không được ủy quyền; chỉ ủy quyền được: {named}."
        en = f"The role {grant.role} cannot be delegated; those that can: {named}."
    else:
        return None
    return Obstacle("NOT_DELEGABLE", "grant_id", vi=vi, en=en, metadata={"role": grant.role})


def _too_long(span: Span, most_days: int) -> Obstacle | None:
    if (span.end - span.start).days <= most_days:
        return None
    last = (span.start + timedelta(days=most_days)).isoformat()
    return Obstacle(
        "DELEGATION_TOO_LONG",
        "valid_to",
        vi=f"Một lần ủy quyền kéo dài nhiều nhất {most_days} ngày. Hãy đặt `valid_to` không muộn hơn {last}; "
        "khi hết hạn có thể ủy quyền lại.",
        en=f"A delegation lasts {most_days} days at most. Set `valid_to` no later than {last}; when it has ended, the "
        "role can be delegated again.",
        metadata={"days": str(most_days), "valid_to": last},
    )


def _beyond_grant(grant: Grant) -> Obstacle:
    first = grant.span.first.isoformat() if grant.span.first else ""
    after = grant.span.after.isoformat() if grant.span.after else ""
    vi = (f" từ ngày {first}" if first else "") + (f" đến trước ngày {after}" if after else "")
    en = (f" from {first}" if first else "") + (f" until before {after}" if after else "")
    return Obstacle(
        "DELEGATION_BEYOND_GRANT",
        "valid_to" if after else "valid_from",
        vi=f"Quyền của bạn chỉ có hiệu lực{vi}. Hãy chọn thời hạn ủy quyền nằm trong thời hạn đó.",
        en=f"Your own grant holds only{en}. Let the days of the delegation lie within.",
        metadata={"grant_id": str(grant.grant_id), "valid_from": first, "valid_to": after},
    )


def beyond_unit(unit_id: int, within: Span | None) -> Obstacle:
    """The unit does not lie below the grant's, or only until a day."""
    day = within.end.isoformat() if within else ""
    vi = "Đơn vị này không thuộc đơn vị mà bạn được giao quyền. Hãy chọn đơn vị cấp dưới hoặc để trống."
    en = "This unit does not lie below the one on which you hold the role. Name one that does, or none."
    if day:
        vi = f"Từ ngày {day}, đơn vị này không còn thuộc đơn vị mà bạn được giao quyền. Hãy đặt `valid_to` "
        vi += "không muộn hơn ngày đó."
        en = f"From {day} on this unit does not lie below the one on which you hold the role. Set `valid_to` no later."
    return Obstacle("DELEGATION_BEYOND_UNIT", "unit", vi=vi, en=en, metadata={"unit": str(unit_id), "valid_to": day})


def days_below(unit_id: int, above: int, span: Span, edges_of: EdgesOf) -> Span | None:
    """The days of a span up to the first on which a unit is not the one above or below it; None: not on its first."""
    if above in (EVERY_UNIT, unit_id):
        return span
    edges = {one: list(edges_of(one)) for one in _ever_above(unit_id, edges_of)}
    turns = {day for held in edges.values() for edge in held for day in (edge.span.start, edge.span.end)}
    for day in sorted({span.start, *(day for day in turns if span.holds(day))}):
        if not _climbs(unit_id, above, day, edges):
            return Span(span.first, day) if day > span.start else None
    return span


def _ever_above(unit_id: int, edges_of: EdgesOf) -> set[int]:
    found, waiting = {unit_id}, [unit_id]
    while waiting:
        fresh = {edge.parent_id for edge in edges_of(waiting.pop())} - found
        found |= fresh
        waiting.extend(fresh)
    return found


def _climbs(unit_id: int, above: int, day: date, edges: dict[int, list[Edge]]) -> bool:
    reached, waiting = {unit_id}, [unit_id]
    while waiting and above not in reached:
        fresh = {edge.parent_id for edge in edges[waiting.pop()] if edge.span.holds(day)} - reached
        reached |= fresh
        waiting.extend(fresh)
    return above in reached
