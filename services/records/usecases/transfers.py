"""Transfers opened, stepped and decided. One transaction each, with what is told of it and who counts where after it.

Each step sets the clock of the next one: working days of the school that is waited for, by the calendar that holds
there. A term that is not known stops nothing but the step that needs it.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import outbox
from chassis.clock import Clock, vietnam_day
from chassis.database import Database
from chassis.errors import Fault, Kind
from chassis.outbox import Outgoing
from services.records.convert.transfers import late_notices, step_notice
from services.records.domain.calendars import after_working_days
from services.records.domain.persons import PUPIL, strangers
from services.records.domain.transfers import (
    Action,
    ClockRunning,
    NotNow,
    Side,
    State,
    Step,
    Transfer,
    decided,
    ended,
    opened,
    stepped,
)
from services.records.domain.wording import TRANSFER_STATES
from services.records.store import persons, pupil_years, transfers
from services.records.usecases.apply import request_id_reused
from services.records.usecases.calendars import working_days
from services.records.usecases.locks import Asked
from services.records.usecases.persons import count_once, link_pupils

Above = Callable[[int], Sequence[int]]  # A unit and all above it, the nearest first.
TOLD_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Opening:
    """What a school opens."""

    releasing_id: int
    receiving_id: int
    pupil_key: str
    side: Side
    between_provinces: bool
    note: str


@dataclass(frozen=True, slots=True)
class Stepping:
    """What a school does with a transfer."""

    transfer_id: int
    school_id: int
    action: Action
    receiving_key: str  # The pupil's record there, where it places the pupil; empty: not told.
    note: str


@dataclass(frozen=True, slots=True)
class Deciding:
    """What a unit above decides."""

    transfer_id: int
    unit_id: int
    within: Collection[int]  # The units whose transfers a role on that one reaches.
    placed: bool
    note: str


async def open_transfer(
    database: Database, clock: Clock, opening: Opening, *, above: Above, by: str, asked: Asked
) -> Transfer:
    """Open a transfer; raises UNKNOWN_RECORD, TRANSFER_UNDER_WAY, REQUEST_ID_REUSED, NO_TERM."""
    now, receiving = clock.now(), opening.side is Side.RECEIVING
    state = opened(by_receiving=receiving)
    async with database.transaction() as connection:
        await persons.take_turn(connection)
        year = await pupil_years.year_of(connection, opening.releasing_id, opening.pupil_key)
        if year is None:
            raise _unknown_pupil(opening.pupil_key, elsewhere=receiving)
        fresh = Transfer(
            0,
            opening.releasing_id,
            opening.pupil_key,
            year,
            opening.receiving_id,
            "",
            opening.between_provinces,
            receiving,
            state,
            None,
            "",
            (Step(state, opening.side, opening.note, by, now),),
        )
        kept, digest, new = await transfers.add_transfer(
            connection,
            await _with_clock(connection, fresh, above=above, now=now),
            request_id=asked.request_id,
            digest=asked.digest,
            opener_id=opening.receiving_id if receiving else opening.releasing_id,
            now=now,
        )
        if kept is None:
            raise _under_way(await transfers.under_way(connection, opening.releasing_id, [opening.pupil_key]))
        if new:
            await outbox.append(connection, [step_notice(kept)])
    if digest != asked.digest:
        raise request_id_reused(asked.request_id)
    return kept


async def step_transfer(database: Database, clock: Clock, stepping: Stepping, *, above: Above, by: str) -> Transfer:
    """Take a school's step; raises UNKNOWN_TRANSFER, TRANSFER_STATE, UNKNOWN_RECORD, ANOTHER_PUPIL, NO_TERM."""
    key, now = stepping.receiving_key, clock.now()
    async with database.transaction() as connection:
        await persons.take_turn(connection)
        held = await transfers.held_transfer(connection, stepping.transfer_id)
        side = held.side_of(stepping.school_id) if held else None
        if held is None or side is None:
            raise unknown_transfer(stepping.transfer_id)
        try:
            state = stepped(held, stepping.action, side, note=stepping.note, by=by, receiving_key=key)
        except NotNow:
            raise _not_now(held) from None
        touched = await _go_on_as(connection, held, key, again=state is None, by=by, now=now) if key else ()
        if state is not None:
            held = replace(held, receiving_key=key or held.receiving_key)
            held = await _move(connection, held, state, side, note=stepping.note, above=above, by=by, clock=clock)
        await _count(connection, held, touched, today=clock.today())
    return held


async def decide_transfer(
    database: Database,
    clock: Clock,
    deciding: Deciding,
    *,
    above: Above,
    name: Callable[[int], str],
    by: str,
) -> Transfer:
    """Decide for a school whose clock is over.

    Raises UNKNOWN_TRANSFER; NOT_ABOVE_BOTH to a unit that has a part in it and may not; TRANSFER_STATE, CLOCK_RUNNING.
    """
    async with database.transaction() as connection:
        await persons.take_turn(connection)
        held = await transfers.held_transfer(connection, deciding.transfer_id)
        schools = {held.releasing_id, held.receiving_id} if held else set()
        if held is None or schools.isdisjoint(deciding.within):
            raise unknown_transfer(deciding.transfer_id)
        both = above_both(held, above)
        if deciding.unit_id not in both:
            if await transfers.shown_transfer(connection, deciding.transfer_id) is None:
                raise unknown_transfer(deciding.transfer_id)
            raise _not_above_both(held, both[0], name)
        try:
            state = decided(held, placed=deciding.placed, note=deciding.note, by=by, today=clock.today())
        except NotNow:
            raise _not_now(held) from None
        except ClockRunning:
            raise _clock_running(held) from None
        if state is None:
            return held
        moved = await _move(connection, held, state, Side.SUPERIOR, note=deciding.note, above=above, by=by, clock=clock)
        await _count(connection, moved, today=clock.today())
    return moved


def above_both(transfer: Transfer, above: Above) -> list[int]:
    """The units that may decide: all above both schools, the nearest first; every unit last."""
    schools, others = (transfer.releasing_id, transfer.receiving_id), above(transfer.receiving_id)
    return [one for one in above(transfer.releasing_id) if one in others and one not in schools]


async def end_transfers(
    connection: AsyncConnection, releasing_id: int, pupil_keys: Collection[str], *, by: str, now: datetime
) -> tuple[list[Outgoing], set[int]]:
    """End what is under way of pupils whose data are not passed on: what is told of it, and whose place may change.

    Whoever calls has the turn of who links persons, which every step takes.
    """
    leaving, touched = [], set()
    for transfer_id in await transfers.under_way(connection, releasing_id, pupil_keys):
        held = await transfers.held_transfer(connection, transfer_id)
        assert held is not None, "it was found in the same turn"
        moved = ended(held, by=by, now=now)
        await transfers.keep_step(connection, moved)
        leaving.append(step_notice(moved))
        touched.add(await persons.person_of(connection, (releasing_id, PUPIL.number, held.pupil_key)))
    return leaving, {one for one in touched if one is not None}


async def tell_late(
    database: Database, today: date, *, above_both: Callable[[Transfer], list[int]], most: int = TOLD_AT_ONCE
) -> int:
    """Tell of transfers whose clock is over, each once for each clock; returns how many."""
    async with database.transaction() as connection:
        late = await transfers.take_late(connection, today, most=most)
        await outbox.append(connection, list(late_notices(late, above=above_both)))
    return len(late)


async def _move(
    connection: AsyncConnection,
    held: Transfer,
    state: State,
    side: Side,
    *,
    note: str,
    above: Above,
    by: str,
    clock: Clock,
) -> Transfer:
    """Keep a transfer's new state with its clock, and tell of it."""
    now = clock.now()
    moved = replace(held, state=state, steps=(*held.steps, Step(state, side, note, by, now)))
    moved = await _with_clock(connection, moved, above=above, now=now)
    await transfers.keep_step(connection, moved)
    await outbox.append(connection, [step_notice(moved)])
    return moved


async def _count(connection: AsyncConnection, held: Transfer, touched: Collection[int] = (), *, today: date) -> None:
    """Let the pupil, once handed over, and who is touched besides count where they are now."""
    if held.state in (State.RELEASED, State.PLACED):
        person_id = await persons.person_of(connection, (held.releasing_id, PUPIL.number, held.pupil_key))
        counted = set(touched) if person_id is None else {*touched, person_id}
        await count_once(connection, counted, today=today)


async def _with_clock(connection: AsyncConnection, transfer: Transfer, *, above: Above, now: datetime) -> Transfer:
    """The transfer with the clock of the step that it waits for; raises NO_TERM."""
    awaited = transfer.awaited
    if awaited is None:
        return replace(transfer, due_date=None)
    day = vietnam_day(now)
    term = await transfers.term_of(connection, transfer.state, between_provinces=transfer.between_provinces, day=day)
    if term is None:
        raise _no_term(transfer.state, day.isoformat())
    days, source = term
    school_id = transfer.releasing_id if awaited is Side.RELEASING else transfer.receiving_id
    working = await working_days(connection, above(school_id), day)
    return replace(transfer, due_date=after_working_days(day, days, working), term_source=source)


async def _go_on_as(
    connection: AsyncConnection, held: Transfer, key: str, *, again: bool, by: str, now: datetime
) -> Collection[int]:
    """Let the pupil's record at the receiving school be the same person's; the persons this was about.

    The records are linked here: the new one may have come a moment before. Said again it parts nobody's decision that
    these are two. Raises UNKNOWN_RECORD, ANOTHER_PUPIL.
    """
    if await pupil_years.year_of(connection, held.receiving_id, key) is None:
        raise _unknown_pupil(key)
    pupils = [(held.releasing_id, held.pupil_key), (held.receiving_id, key)]
    linked, touched = await link_pupils(connection, pupils, now=now)
    if len(linked) < len(pupils):
        return touched  # The releasing school's record ended before anybody knew whose it was.
    (one, kept), (other, gone) = linked
    if kept == gone or (again and await persons.kept_apart(connection, kept, gone)):
        return touched
    if strangers(one, other):
        raise _another_pupil(key)
    await persons.merge(connection, kept, gone, reason=f"TRANSFER/{held.transfer_id}", by=by, now=now)
    return {*touched, kept}


def unknown_transfer(transfer_id: int) -> Fault:
    """What is said of a transfer that is none, or that the school or unit has no part in."""
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_TRANSFER",
        vi=f"Không có hồ sơ chuyển trường số {transfer_id} mà đơn vị này tham gia.",
        en=f"There is no transfer {transfer_id} that this unit has a part in.",
        metadata={"transfer_id": str(transfer_id)},
    )


def _not_above_both(held: Transfer, nearest: int, name: Callable[[int], str]) -> Fault:
    at_vi = f"«{name(nearest)}»" if nearest else "mọi đơn vị"
    at_en = f"“{name(nearest)}”" if nearest else "every unit"
    one, other = name(held.releasing_id), name(held.receiving_id)
    return Fault(
        Kind.DENIED,
        "NOT_ABOVE_BOTH",
        vi=f"Chuyển trường số {held.transfer_id} đi từ «{one}» đến «{other}»: chỉ cấp trên chung của cả hai trường "
        f"được quyết định thay. Hãy chuyển cho lãnh đạo hoặc cán bộ có vai trò tại {at_vi}.",
        en=f"Transfer {held.transfer_id} goes from “{one}” to “{other}”: only a unit above both schools may decide. "
        f"Ask a director or officer with a role on {at_en}.",
        metadata={"transfer_id": str(held.transfer_id), "unit": str(nearest)},
    )


def _not_now(held: Transfer) -> Fault:
    awaited = held.awaited.value if held.awaited else ""
    waits = ", đang chờ trường " + {"releasing": "chuyển đi", "receiving": "tiếp nhận"}[awaited] if awaited else ""
    state = TRANSFER_STATES[held.state]
    return Fault(
        Kind.PRECONDITION,
        "TRANSFER_STATE",
        vi=f"Không thể làm việc này với chuyển trường số {held.transfer_id} ở trạng thái “{state}”{waits}.",
        en=f"This cannot be done with transfer {held.transfer_id}, which is {held.state.value}"
        + (f" and waits for the {awaited} school." if awaited else "."),
        metadata={"transfer_id": str(held.transfer_id), "state": held.state.value, "awaited": awaited},
    )


def _clock_running(held: Transfer) -> Fault:
    due = held.due_date.isoformat() if held.due_date else ""
    return Fault(
        Kind.PRECONDITION,
        "CLOCK_RUNNING",
        vi=f"Trường đang được chờ còn hạn đến hết ngày {due}; cấp trên chỉ quyết định thay sau ngày đó.",
        en=f"The school that is waited for has time until the end of {due}; a unit above may decide only after it.",
        metadata={"transfer_id": str(held.transfer_id), "due_date": due},
    )


def _under_way(numbers: Sequence[int]) -> Fault:
    transfer_id = numbers[0] if numbers else 0
    return Fault(
        Kind.PRECONDITION,
        "TRANSFER_UNDER_WAY",
        vi=f"Học sinh này đang có hồ sơ chuyển trường số {transfer_id}. Hãy hoàn thành hoặc rút lại hồ sơ đó.",
        en=f"Transfer {transfer_id} of this pupil is under way. Complete or withdraw that one.",
        metadata={"transfer_id": str(transfer_id)},
    )


def _unknown_pupil(key: str, *, elsewhere: bool = False) -> Fault:
    """What is said of a pupil whom a school does not have; `elsewhere`: not the one that asks but the releasing one."""
    vi = f"Trường không có học sinh «{key}». Hãy gửi hồ sơ học sinh trước."
    en = f"The school has no pupil {key}. Send the pupil's record first."
    if elsewhere:
        vi = f"Trường chuyển đi không có học sinh «{key}». Hãy kiểm tra lại khóa của học sinh ở trường đó; nếu đúng, "
        vi += "hãy đề nghị trường đó gửi hồ sơ học sinh."
        en = f"The releasing school has no pupil {key}. Check the pupil's key there; if it is right, ask that school "
        en += "to send the record."
    return Fault(Kind.NOT_FOUND, "UNKNOWN_RECORD", vi=vi, en=en, metadata={"collection": "pupils", "key": key})


def _another_pupil(key: str) -> Fault:
    return Fault(
        Kind.PRECONDITION,
        "ANOTHER_PUPIL",
        vi=f"Học sinh «{key}» có cả họ tên và ngày sinh khác với học sinh được chuyển. Hãy kiểm tra lại khóa; nếu "
        "đúng, hãy sửa hồ sơ, hoặc để trống khóa và đề nghị cấp trên của cả hai trường gộp hai hồ sơ.",
        en=f"The pupil {key} has another name and another date of birth than the one who is transferred. Check the "
        "key; if it is right, correct the record, or leave the key out and ask a unit above both schools to merge the "
        "two.",
        metadata={"collection": "pupils", "key": key},
    )


def _no_term(state: State, day: str) -> Fault:
    return Fault(
        Kind.PRECONDITION,
        "NO_TERM",
        vi=f"Chưa có thời hạn cho bước tiếp theo của chuyển trường “{TRANSFER_STATES[state]}” vào ngày {day}. Hãy "
        "báo người quản trị bổ sung.",
        en=f"No term is known for the step {state.value} of transfers on {day}. Ask an operator to add it.",
        metadata={"kind": state.value, "day": day},
    )
