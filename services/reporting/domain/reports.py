"""The life of a report as plain values: its states, what may follow what, its cells and what stands against it.

Refuses a step that its state does not allow. Writing it down, and who may take which step, are others' work.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import IntEnum

from services.reporting.domain.forms import Cell, Key, Kind, in_order_of_sums, total

MISSING = "missing"
ERROR, WARNING = "error", "warning"
MOST_CELLS_NAMED = 20


class State(IntEnum):
    """Where a report is; numbers as in the contract."""

    DRAFT = 1
    CONFIRMED = 2
    REVIEWED = 3
    APPROVED = 4
    RETURNED = 5


class Action(IntEnum):
    """What was done to a report; numbers as in the contract."""

    ENTERED = 1
    CONFIRMED = 2
    REVIEWED = 3
    APPROVED = 4
    RETURNED = 5
    REOPENED = 6
    LOCK_ASKED = 7


class LockState(IntEnum):
    """How the lock of an approval stands; numbers as in the contract."""

    NONE = 0
    LOCKING = 1
    LOCKED = 2
    LIFTING = 3
    LOCK_REFUSED = 4
    LIFT_REFUSED = 5


class Source(IntEnum):
    """Where the value of a cell comes from; numbers as in the contract."""

    NONE = 0
    COUNTED = 1
    ENTERED = 2
    SUMMED = 3
    OVERRIDDEN = 4


AT_SCHOOL = frozenset({State.DRAFT, State.RETURNED})
STEPS: Mapping[Action, tuple[frozenset[State], State | None]] = {
    Action.ENTERED: (AT_SCHOOL, None),
    Action.CONFIRMED: (AT_SCHOOL, State.CONFIRMED),
    Action.REVIEWED: (frozenset({State.CONFIRMED}), State.REVIEWED),
    Action.APPROVED: (frozenset({State.REVIEWED}), State.APPROVED),
    Action.RETURNED: (frozenset({State.CONFIRMED, State.REVIEWED}), State.RETURNED),
    Action.REOPENED: (frozenset({State.APPROVED}), State.RETURNED),
    Action.LOCK_ASKED: (frozenset(State), None),
}
"""For each action the states it may be taken in, and the state after it (None: the same)."""
WHILE_WITHDRAWN = frozenset({Action.REOPENED, Action.LOCK_ASKED})  # Steps of reports whose campaign was withdrawn.


@dataclass(frozen=True, slots=True)
class Campaign:
    """A form asked of schools."""

    campaign_id: int
    unit_id: int
    form: str
    form_version: int
    form_name_vi: str
    form_name_en: str
    sample: bool
    school_year: int
    confirm_due_time: datetime
    review_due_time: datetime
    approve_due_time: datetime
    create_time: datetime
    created_by: str
    report_count: int
    withdraw_time: datetime | None
    withdrawn_by: str
    withdraw_reason: str


@dataclass(frozen=True, slots=True)
class LockRefusal:
    """Why records refuses a lock, or to lift it, for good."""

    reason: str
    vi: str
    en: str


@dataclass(frozen=True, slots=True)
class Report:
    """A school's report, with what of its campaign it needs."""

    report_id: int
    campaign_id: int
    school_id: int
    state: State
    revision: int
    version: int
    lock_state: LockState
    lock_refusal: LockRefusal | None
    update_time: datetime
    return_reason: str
    campaign_unit_id: int
    form: str
    form_version: int
    school_year: int
    due_time: datetime | None
    late: bool

    @property
    def etag(self) -> str:
        """Changes with each step; what records answers of a lock changes how the report stands, not this."""
        return str(self.revision)


@dataclass(frozen=True, slots=True)
class Entry:
    """What a school has put into a cell."""

    value: float
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class Value:
    """A cell's value and where it comes from."""

    value: float | None
    source: Source
    counted: float | None = None
    reason: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What stands against confirming a report, or should be looked at."""

    check: str
    severity: str
    cells: tuple[Key, ...]
    message_vi: str
    message_en: str


@dataclass(frozen=True, slots=True)
class Step:
    """Something that was done to a report."""

    action: Action
    time: datetime
    by: str
    note: str
    version: int


@dataclass(frozen=True, slots=True)
class VersionHead:
    """A version without its cells."""

    version: int
    confirm_time: datetime
    confirmed_by: str
    approve_time: datetime | None
    approved_by: str
    data_time: datetime | None


@dataclass(frozen=True, slots=True)
class Content:
    """The cells of a report at one moment."""

    values: Mapping[Key, Value]
    hierarchy_as_of: date
    data_time: datetime | None = None
    version: int = 0
    findings: Sequence[Finding] = field(default=())


def fill(
    cells: Mapping[Key, Cell], counted: Mapping[Key, float | None], entries: Mapping[Key, Entry]
) -> dict[Key, Value]:
    """Every cell's value: counted unless overridden, entered, or the sum of what it sums."""
    values: dict[Key, Value] = {}
    for key, cell in cells.items():
        entry = entries.get(key)
        if cell.kind is Kind.COUNTED:
            fact = counted.get(key)
            values[key] = (
                Value(entry.value, Source.OVERRIDDEN, fact, entry.reason, entry.by)
                if entry
                else Value(fact, Source.COUNTED)
            )
        elif cell.kind is Kind.ENTERED:
            values[key] = (
                Value(entry.value, Source.ENTERED, None, entry.reason, entry.by)
                if entry
                else Value(None, Source.ENTERED)
            )
        else:
            values[key] = Value(None, Source.SUMMED if cell.kind is Kind.SUMMED else Source.NONE)
    plain = {key: one.value for key, one in values.items() if one.source is not Source.NONE}
    for cell in in_order_of_sums(cells):
        plain[cell.key] = total(plain, cell)
        values[cell.key] = Value(plain[cell.key], Source.SUMMED)
    return values


def missing(values: Mapping[Key, Value]) -> Finding | None:
    """The cells without a value, as one finding; sums follow their parts and are not named."""
    keys = tuple(
        key for key, one in values.items() if one.value is None and one.source in (Source.COUNTED, Source.ENTERED)
    )
    if not keys:
        return None
    return Finding(
        MISSING,
        ERROR,
        keys[:MOST_CELLS_NAMED],
        f"Còn {len(keys)} ô chưa có giá trị. Hãy nhập (không có thì nhập 0), hoặc gửi dữ liệu mà các ô này đếm.",
        f"{len(keys)} cells have no value. Enter them (0 where there is none), or send the data that they count.",
    )


def differing(one: Mapping[Key, Value], other: Mapping[Key, Value]) -> Iterator[tuple[Key, float | None, float | None]]:
    """Cells whose value differs, in order, with both values; one that only one side knows counts as none."""
    for key in dict.fromkeys((*one, *other)):
        before, after = (side[key].value if key in side else None for side in (one, other))
        if before != after:
            yield key, before, after
