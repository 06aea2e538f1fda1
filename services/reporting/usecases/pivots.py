"""Pivots: who may see and change one, when it is sent, and its answer as a file.

Refuses a question that cannot be answered today, what is somebody else's, and more pivots than one may keep.
"""

from dataclasses import dataclass

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.clock import Clock
from chassis.errors import Fault, Kind
from chassis.scopes import Scopes, ScopeTree
from services.reporting.convert.pivots import Told, asked_of
from services.reporting.domain.exports import READERS
from services.reporting.domain.figures import Figure, TargetRow
from services.reporting.domain.pivots import MOST_OWNED, Kept, Pivot
from services.reporting.store import exports, pivots
from services.reporting.store.exports import Begun
from services.reporting.usecases.analysing import Analysed, Analyses, Analysis, PeriodAsked
from services.reporting.usecases.comparing import cell_of
from services.reporting.usecases.querying import Question

DUE_AT_ONCE = 50

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Pivots:
    """Keeps pivots and answers them."""

    analyses: Analyses
    scopes: Scopes
    clock: Clock

    async def create(self, connection: AsyncConnection, kept: Kept, *, unit_id: int, owner: str, language: str) -> int:
        """Keep a pivot; its id."""
        if await pivots.owned(connection, owner) >= MOST_OWNED:
            raise _too_many()
        now = self.clock.now()
        return await pivots.add_pivot(
            connection,
            kept,
            unit_id=unit_id,
            owner=owner,
            language=language,
            next_time=kept.schedule.next_after(now),
            now=now,
        )

    async def change(
        self, connection: AsyncConnection, pivot_id: int, kept: Kept, *, unit_id: int, owner: str, etag: str
    ) -> None:
        """Put another content in place of what the etag names."""
        await self._held(connection, pivot_id, unit_id=unit_id, owner=owner, etag=etag)
        now = self.clock.now()
        await pivots.change_pivot(connection, pivot_id, kept, next_time=kept.schedule.next_after(now), now=now)

    async def forget(self, connection: AsyncConnection, pivot_id: int, *, unit_id: int, owner: str, etag: str) -> None:
        """Forget what the etag names, of one's own or of who has left."""
        await self._held(connection, pivot_id, unit_id=unit_id, owner=owner, etag=etag, or_abandoned=True)
        await pivots.forget_pivot(connection, pivot_id)

    async def seen(self, connection: AsyncConnection, pivot_id: int, *, unit_id: int, subject: str) -> Pivot:
        """A pivot that someone may run for a unit; raises UNKNOWN_PIVOT."""
        pivot = await pivots.find_pivot(connection, pivot_id)
        if pivot is None or not self._is_seen(pivot, unit_id=unit_id, subject=subject):
            raise unknown_pivot(pivot_id)
        return pivot

    async def answer(self, kept: Kept, *, unit_id: int) -> Analysed:
        """What a pivot says of a unit now; raises a fault that says what would be valid."""
        asked = asked_of(kept)
        analysis = Analysis(
            question=Question(str(unit_id), asked.indicators, 0, asked.breakdown, asked.dimensions),
            periods=tuple(PeriodAsked(*one) for one in asked.periods),
            compare_with=asked.compare_with,
            follow_successions=asked.follow_successions,
            allow_estimates=asked.follow_successions,
        )
        return await self.analyses.ask(analysis, tree=self.scopes.tree, today=self.clock.today())

    async def begin_due(self, connection: AsyncConnection) -> int:
        """Begin the exports whose time has come; a turn at which its owner may not is passed over."""
        now = self.clock.now()
        due = await pivots.take_due(connection, now=now, limit=DUE_AT_ONCE)
        for pivot in due:
            await pivots.set_next(connection, pivot.pivot_id, pivot.kept.schedule.next_after(now))
            if self.is_abandoned(pivot):
                log.info("turn passed over", action="pivots.turn_passed_over", pivot=pivot.pivot_id, owner=pivot.owner)
                continue
            begun = Begun(
                pivot.unit_id,
                pivot.kept.schedule.format,
                pivot.owner,
                pivot.language,
                pivot_id=pivot.pivot_id,
                scheduled=True,
            )
            await exports.add_export(connection, begun, now=now)
        return len(due)

    def is_abandoned(self, pivot: Pivot) -> bool:
        """Whether its owner may not keep it today; a grant may come back."""
        return not self.scopes.tree.may(pivot.owner, READERS, pivot.unit_id, self.clock.today())

    def _is_seen(self, pivot: Pivot, *, unit_id: int, subject: str) -> bool:
        if pivot.owner == subject and pivot.unit_id == unit_id:
            return True
        return pivot.kept.shared and self.scopes.tree.contains(pivot.unit_id, unit_id, self.clock.today())

    async def _held(
        self,
        connection: AsyncConnection,
        pivot_id: int,
        *,
        unit_id: int,
        owner: str,
        etag: str,
        or_abandoned: bool = False,
    ) -> None:
        pivot = await pivots.find_pivot(connection, pivot_id, hold=True)
        if pivot is None or pivot.unit_id != unit_id or not self._is_seen(pivot, unit_id=unit_id, subject=owner):
            raise unknown_pivot(pivot_id)
        if pivot.owner != owner and not (or_abandoned and self.is_abandoned(pivot)):
            raise _not_owner(pivot_id)
        if pivot.etag != etag:
            raise _changed(pivot)


def told(found: Analysed) -> list[Told]:
    """The figures of an answer, each beside what it is compared with."""
    return [
        Told(
            school_year=period.school_year,
            day=period.as_of.isoformat() if period.as_of else "",
            data_time=period.data_time,
            indicator=found.indicators[figure.indicator],
            unit_name=found.names.get(figure.unit_id, ""),
            figure=figure,
            last_year=period.last_year.get(cell_of(figure)),
            same_day=period.same_day.get(cell_of(figure)),
            target=_target(period.targets.get((figure.unit_id, period.school_year, figure.indicator)), figure),
        )
        for period in found.periods
        for figure in period.figures
    ]


def above(tree: ScopeTree, unit_id: int, clock: Clock) -> list[int]:
    """A unit and all above it."""
    return [unit_id, *tree.ancestors(unit_id, clock.today())]


def unknown_pivot(pivot_id: int) -> Fault:
    """What is said of one that is not there, or not for who asks."""
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_PIVOT",
        vi=f"Đơn vị này không có bảng đã lưu số {pivot_id}, hoặc bảng không được chia sẻ với đơn vị.",
        en=f"This unit has no pivot {pivot_id}, or it is not shared with the unit.",
        metadata={"pivot_id": str(pivot_id)},
    )


def _target(row: TargetRow | None, figure: Figure) -> float | None:
    return row.value if row is not None and not figure.dimension_values else None


def _not_owner(pivot_id: int) -> Fault:
    return Fault(
        Kind.DENIED,
        "NOT_OWNER",
        vi="Chỉ người đã lưu bảng này mới được sửa hoặc xóa. Hãy lưu một bảng của riêng mình.",
        en="Only who keeps this pivot may change or delete it. Save one of your own.",
        metadata={"pivot_id": str(pivot_id)},
    )


def _changed(pivot: Pivot) -> Fault:
    return Fault(
        Kind.CONFLICT,
        "PIVOT_CHANGED",
        vi="Bảng đã được sửa từ lúc mở. Hãy tải lại rồi sửa tiếp.",
        en="The pivot was changed since it was read. Read it again and change that.",
        metadata={"pivot_id": str(pivot.pivot_id), "etag": pivot.etag},
    )


def _too_many() -> Fault:
    return Fault(
        Kind.PRECONDITION,
        "TOO_MANY_PIVOTS",
        vi=f"Mỗi người lưu được nhiều nhất {MOST_OWNED} bảng. Hãy xóa bớt bảng không dùng.",
        en=f"One may keep at most {MOST_OWNED} pivots. Delete some that are not used.",
        metadata={"limit": str(MOST_OWNED)},
    )
