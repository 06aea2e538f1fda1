"""Extracts for research: asked for by one, approved or refused by another, and made of what is decided to be given.

One decision a month stands for all extracts of a unit, a school year and a set of columns: the cut. Two extracts are
parts of one table, so that neither tells what the other withholds, however the data move meanwhile. Ethnic groups are
given as figures give them, by the decision that is theirs. Refuses units that are below others, columns apart, and
levels that there are not.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.clock import Clock
from chassis.errors import Fault, FieldViolation, Kind
from chassis.scope_tree import EVERY_UNIT
from chassis.scopes import Scopes
from services.reporting.domain.catalogue import DimensionValue, Term
from services.reporting.domain.cube import Combinations, sum_columns
from services.reporting.domain.exports import ExportState
from services.reporting.domain.extracts import (
    APPROVING,
    COLUMNS,
    GROUP_COLUMNS,
    LEVEL,
    PLACE_COLUMNS,
    REQUESTING,
    SETS,
    WITHHELD,
    Cut,
    CutKey,
    Extract,
    ExtractState,
    Values,
    Wanted,
    guarded,
    projected,
    set_of,
)
from services.reporting.domain.rules import rules_of
from services.reporting.store import exports, extracts
from services.reporting.store.exports import Begun
from services.reporting.usecases.lattice import is_top
from services.reporting.usecases.places import members, targets_of
from services.reporting.usecases.querying import Questions
from services.reporting.usecases.school_years import check_year
from services.reporting.usecases.telling import Teller

PUPILS, COMMUNE = "pupils", "commune"


@dataclass(frozen=True)
class Extracts:
    """Takes requests, has them decided on, and says what is given."""

    questions: Questions
    scopes: Scopes
    clock: Clock
    teller: Teller

    def check(self, wanted: Wanted, *, unit: str) -> None:
        """Refuse what is not given at all: NOT_TOPMOST, UNKNOWN_COLUMN, COLUMNS_APART, UNKNOWN_LEVEL.

        All units together are no topmost unit: they hold the same pupils as one, whose cells are decided for a month.
        """
        if wanted.unit_id == EVERY_UNIT or not is_top(self.scopes.tree, wanted.unit_id, self.clock.today()):
            raise _not_topmost(unit)
        for column in wanted.columns:
            if column not in COLUMNS:
                raise _unknown_column(column)
        if set_of(_asked(wanted)) is None:
            raise _columns_apart(sorted(_asked(wanted), key=COLUMNS.index))
        (level,) = self.questions.catalogue.named([LEVEL])
        known = {one.code: one for one in level.values if one.code}
        for place, code in enumerate(wanted.levels):
            if code not in known:
                raise _unknown_level(place, code, known.values())

    async def request(self, connection: AsyncConnection, wanted: Wanted, *, by: str) -> int:
        """Note what was checked, and tell who may decide on it; its id. Raises UNKNOWN_SCHOOL_YEAR."""
        tree, today = self.scopes.tree, self.clock.today()
        await check_year(connection, wanted.school_year, wanted.unit_id, tree=tree, today=today)
        extract_id = await extracts.add_extract(connection, wanted, by=by, now=self.clock.now())
        await self.teller.extract(
            connection, "requested", await self.find(connection, extract_id, unit_id=wanted.unit_id)
        )
        return extract_id

    async def approve(self, connection: AsyncConnection, extract_id: int, *, unit_id: int, by: str) -> Extract:
        """Begin the export of what somebody else asked for; again by the same person it is begun once."""
        found = await self._undecided(connection, extract_id, unit_id=unit_id, by=by)
        if found.state is not ExtractState.REQUESTED:
            return _decided_so(found, ExtractState.APPROVED, by=found.approved_by == by)
        now = self.clock.now()
        export_id = await exports.add_export(connection, _begun(found), now=now)
        await extracts.approve(connection, extract_id, by=by, now=now, export_id=export_id)
        return await self._told(connection, "approved", found)

    async def refuse(
        self, connection: AsyncConnection, extract_id: int, *, unit_id: int, by: str, reason: str
    ) -> Extract:
        """Note that nothing is made of what somebody else asked for; repeated, the first reason stays."""
        found = await self._undecided(connection, extract_id, unit_id=unit_id, by=by)
        if found.state is not ExtractState.REQUESTED:
            return _decided_so(found, ExtractState.REFUSED, by=found.refused_by == by)
        await extracts.refuse(connection, extract_id, by=by, now=self.clock.now(), reason=reason)
        return await self._told(connection, "refused", found)

    async def withdraw(self, connection: AsyncConnection, extract_id: int, *, unit_id: int, by: str) -> Extract:
        """Note that who asked for it wants it no more, and tell who may decide, as long as nobody has; only once."""
        found = await self.find(connection, extract_id, unit_id=unit_id, lock=True)
        if found.requested_by != by:
            raise not_requester(extract_id)
        if found.state is not ExtractState.REQUESTED:
            return _decided_so(found, ExtractState.WITHDRAWN, by=True)
        await extracts.refuse(connection, extract_id, by=by, now=self.clock.now(), reason="")
        return await self._told(connection, "withdrawn", found)

    async def restart(self, connection: AsyncConnection, extract_id: int, *, unit_id: int, by: str) -> Extract:
        """Begin the export anew where it failed or was cancelled; while one runs it is that one."""
        found = await self.find(connection, extract_id, unit_id=unit_id, lock=True)
        if by not in {found.requested_by, found.approved_by}:
            raise not_requester(extract_id)
        export = await exports.find_export(connection, found.export_id or 0, unit_id=unit_id)
        if export is None or export.state is ExportState.DONE:
            raise _not_failed(extract_id)
        if export.state is ExportState.RUNNING:
            return found
        export_id = await exports.add_export(connection, _begun(found), now=self.clock.now())
        await extracts.make_by(connection, extract_id, export_id=export_id)
        return await self.find(connection, extract_id, unit_id=unit_id)

    async def find(self, connection: AsyncConnection, extract_id: int, *, unit_id: int, lock: bool = False) -> Extract:
        """An extract of a unit; raises UNKNOWN_EXTRACT."""
        found = await extracts.find_extract(connection, extract_id, unit_id=unit_id, lock=lock)
        if found is None:
            raise _unknown(extract_id)
        return found

    async def _undecided(self, connection: AsyncConnection, extract_id: int, *, unit_id: int, by: str) -> Extract:
        found = await self.find(connection, extract_id, unit_id=unit_id, lock=True)
        if found.requested_by == by:
            raise _same_person(extract_id)
        return found

    async def _told(self, connection: AsyncConnection, name: str, decided: Extract) -> Extract:
        found = await self.find(connection, decided.extract_id, unit_id=decided.wanted.unit_id)
        await self.teller.extract(connection, name, found)
        return found

    def may(self, extract: Extract) -> bool:
        """Whether who asked and who approved may still do so today."""
        tree, today, unit = self.scopes.tree, self.clock.today(), extract.wanted.unit_id
        return tree.may(extract.requested_by, REQUESTING, unit, today) and tree.may(
            extract.approved_by, APPROVING, unit, today
        )

    async def given(self, wanted: Wanted) -> Cut:
        """What an extract holds: combinations of its columns, each with how many pupils have it."""
        asked = _asked(wanted)
        names = set_of(asked) or ()
        if names == GROUP_COLUMNS:
            names = tuple(one for one in names if one in asked)
            cut = await self._groups(wanted, names)
        else:
            cut = await self._cut(wanted, names)
        counts = cut.counts
        if wanted.levels:
            place = names.index(LEVEL)
            counts = {values: count for values, count in counts.items() if values[place] in wanted.levels}
        return replace(cut, counts=projected(counts, names, wanted.columns))

    async def forget_cuts(self, connection: AsyncConnection) -> None:
        """Forget the cuts of months that are over; nothing is made of them any more."""
        await extracts.prune_cuts(connection, before=self.clock.today().replace(day=1))

    async def _cut(self, wanted: Wanted, names: tuple[str, ...]) -> Cut:
        key = CutKey(wanted.unit_id, wanted.school_year, self.clock.today().replace(day=1), names)
        async with self.questions.mirror.database.transaction() as connection:
            known = await extracts.find_cut(connection, key)
            if known is None:
                made = await self._made(connection, key)
                await extracts.keep_cut(connection, key, made, now=self.clock.now())
                known = await extracts.find_cut(connection, key) or made
        return known

    async def _made(self, connection: AsyncConnection, key: CutKey) -> Cut:
        head, tree, today = await self.questions.mirror.head(), self.scopes.tree, self.clock.today()
        if key.columns == PLACE_COLUMNS:
            areas = targets_of(tree, key.unit_id, breakdown=COMMUNE, day=today)
            counts = await extracts.places(connection, school_year=key.school_year, areas=areas)
        else:
            schools, rules = tree.subtree(key.unit_id, today), rules_of(key.school_year)
            counts = await extracts.courses(connection, school_year=key.school_year, schools=schools, rules=rules)
        return await _cut_of(counts, base=SETS[key.columns], data_time=head.data_time)

    async def _groups(self, wanted: Wanted, names: tuple[str, ...]) -> Cut:
        """Ethnic groups as figures give them; those that are withheld count under the level and sex alone."""
        tree, today, unit = self.scopes.tree, self.clock.today(), wanted.unit_id
        stocks, disclosed = await self.questions.decided({PUPILS}, wanted.school_year, tree=tree, today=today)
        targets = self.questions.divider.divide(tree, unit, breakdown="", day=today).targets
        combinations = stocks.combinations.get(PUPILS) or Combinations()
        sums = sum_columns(
            stocks.columns.get(PUPILS, {}), combinations, term=Term(PUPILS), dimensions=names, targets=targets
        ).get(unit, {})
        part = members(targets).get(unit, frozenset())
        shown = disclosed[PUPILS]
        counts: dict[Values, int] = {}
        for values, count in sums.items():
            key = values if shown.shows(part, names, values) else (*values[:-1], WITHHELD)
            counts[key] = counts.get(key, 0) + count
        return await _cut_of(counts, base=len(names) - 1, data_time=stocks.head.data_time)


async def _cut_of(counts: Mapping[Values, int], *, base: int, data_time: datetime | None) -> Cut:
    given = await asyncio.to_thread(guarded, counts, base=base)
    return Cut(given, sum(counts.values()) - sum(given.values()), data_time)


def _asked(wanted: Wanted) -> set[str]:
    """The columns that are given and the one that levels are chosen by."""
    return {*wanted.columns, *([LEVEL] if wanted.levels else [])}


def _begun(extract: Extract) -> Begun:
    wanted = extract.wanted
    return Begun(wanted.unit_id, wanted.format, extract.requested_by, wanted.language, extract_id=extract.extract_id)


def _decided_so(extract: Extract, state: ExtractState, *, by: bool) -> Extract:
    """The extract where it was decided on like this by the same person; else the fault that says how it was."""
    if extract.state is state and by:
        return extract
    if extract.state is ExtractState.WITHDRAWN:
        raise _withdrawn(extract.extract_id)
    raise _refused(extract) if extract.state is ExtractState.REFUSED else _approved(extract.extract_id)


def _not_topmost(unit: str) -> Fault:
    return Fault(
        Kind.INVALID,
        "NOT_TOPMOST",
        vi="Trích xuất cho nghiên cứu chỉ lập cho toàn bộ đơn vị cao nhất (Sở). Hãy chọn đơn vị đó.",
        en="Extracts for research are made of a topmost unit as a whole only. Choose that unit.",
        metadata={"unit": unit},
    )


def _unknown_column(column: str) -> Fault:
    listed = ", ".join(COLUMNS)
    vi = f"Không có cột “{column}”. Có: {listed}."
    en = f"There is no column “{column}”. There are: {listed}."
    return Fault(
        Kind.INVALID,
        "UNKNOWN_COLUMN",
        vi=vi,
        en=en,
        metadata={"column": column, "known": ",".join(COLUMNS)},
        violations=[FieldViolation("columns", "UNKNOWN_COLUMN", vi, en)],
    )


def _columns_apart(columns: Sequence[str]) -> Fault:
    sets = "; ".join(", ".join(one) for one in SETS)
    vi = f"Các cột {', '.join(columns)} không được lấy cùng nhau: có thể làm lộ từng người. Các nhóm cột: {sets}."
    en = f"The columns {', '.join(columns)} are not given together: they could point at persons. Sets: {sets}."
    return Fault(
        Kind.INVALID,
        "COLUMNS_APART",
        vi=vi,
        en=en,
        metadata={"columns": ",".join(columns)},
        violations=[FieldViolation("columns", "COLUMNS_APART", vi, en)],
    )


def _unknown_level(place: int, level: str, known: Iterable[DimensionValue]) -> Fault:
    listed = list(known)
    vi = f"Không có cấp học “{level}”. Có: {', '.join(f'{one.code} ({one.name_vi})' for one in listed)}."
    en = f"There is no level “{level}”. There are: {', '.join(f'{one.code} ({one.name_en})' for one in listed)}."
    return Fault(
        Kind.INVALID,
        "UNKNOWN_LEVEL",
        vi=vi,
        en=en,
        metadata={"level": level, "known": ",".join(one.code for one in listed)},
        violations=[FieldViolation(f"levels[{place}]", "UNKNOWN_LEVEL", vi, en)],
    )


def _unknown(extract_id: int) -> Fault:
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_EXTRACT",
        vi=f"Đơn vị này không có trích xuất số {extract_id}.",
        en=f"This unit has no extract {extract_id}.",
        metadata={"extract_id": str(extract_id)},
    )


def _same_person(extract_id: int) -> Fault:
    return Fault(
        Kind.DENIED,
        "SAME_PERSON",
        vi="Người yêu cầu không tự quyết định. Hãy để giám đốc hoặc quản trị viên khác phê duyệt hay từ chối.",
        en="Whoever asked does not decide. Let another director or administrator approve or refuse.",
        metadata={"extract_id": str(extract_id)},
    )


def _approved(extract_id: int) -> Fault:
    return Fault(
        Kind.PRECONDITION,
        "EXTRACT_APPROVED",
        vi=f"Trích xuất số {extract_id} đã được phê duyệt.",
        en=f"The extract {extract_id} was approved already.",
        metadata={"extract_id": str(extract_id)},
    )


def _refused(extract: Extract) -> Fault:
    return Fault(
        Kind.PRECONDITION,
        "EXTRACT_REFUSED",
        vi=f"Trích xuất số {extract.extract_id} đã bị từ chối: {extract.refuse_reason}",
        en=f"The extract {extract.extract_id} was refused: {extract.refuse_reason}",
        metadata={"extract_id": str(extract.extract_id)},
    )


def _withdrawn(extract_id: int) -> Fault:
    return Fault(
        Kind.PRECONDITION,
        "EXTRACT_WITHDRAWN",
        vi=f"Người yêu cầu đã rút trích xuất số {extract_id}.",
        en=f"Whoever asked for the extract {extract_id} has withdrawn it.",
        metadata={"extract_id": str(extract_id)},
    )


def _not_failed(extract_id: int) -> Fault:
    return Fault(
        Kind.PRECONDITION,
        "EXTRACT_NOT_FAILED",
        vi=f"Chỉ lập lại được tệp đã duyệt mà lần lập trước thất bại hoặc bị hủy, trong vài ngày sau đó; trích xuất số"
        f" {extract_id} không như vậy. Cần tệp mới thì hãy yêu cầu trích xuất mới.",
        en="A file is made anew only where it was approved, and failed or was cancelled some days ago at most; that of"
        f" the extract {extract_id} was not. For another file ask for another extract.",
        metadata={"extract_id": str(extract_id)},
    )


def not_requester(extract_id: int) -> Fault:
    """The file is for two people alone."""
    return Fault(
        Kind.DENIED,
        "NOT_REQUESTER",
        vi="Tệp chỉ dành cho người yêu cầu và người phê duyệt trích xuất này.",
        en="The file is for whoever asked for this extract or approved it.",
        metadata={"extract_id": str(extract_id)},
    )
