"""What came of an import, row by row, and the school's own workbook with it beside each bad cell."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any, Final

from iocedu.records.v1.resources_pb2 import RowProblem
from iocedu.sync.v1 import imports_pb2, sync_pb2
from pydantic_core import from_json

from services.sync.convert.answers import localized
from services.sync.convert.import_cells import cells_of, name_of
from services.sync.domain.batches import RowState
from services.sync.domain.imports import Import
from services.sync.domain.profiles import Fields
from services.sync.domain.words import Text, is_code
from services.sync.store import batches, imports, quarantine
from services.sync.usecases import refusals
from services.sync.usecases.imports.office import Office
from services.sync.usecases.imports.opening import made, spooled
from services.sync.usecases.imports.showing import NAME, noted, shows

_GRID: Final = "DIEM_MONS"
SLICES_AT_ONCE: Final = 20
MOST_REPORTED: Final = 100_000  # Rows with problems that a workbook tells of.
MOST_REPORT_BYTES: Final = 15_000_000  # A message carries 16 MB.
_SETTLED: Final = Text(
    "Dòng này đã được xử lý sau lần nạp: không cần sửa nữa.",
    "This row was settled after the file was loaded: nothing is left to correct.",
)

Place = tuple[str, int]  # A slice's batch, and the row in it.
Kind = tuple[str, str]  # A problem's reason and field; empty: any.


async def problems(
    office: Office, one: Import, *, kind: Kind, after: Place | None, most: int, language: str, own: bool
) -> tuple[list[imports_pb2.ImportProblem], Place | None]:
    """Rows that were not stored, in the order of the file, of one kind; and where to go on, None at the end.

    With what stands in their wrong fields: the personal ones for who uploaded the file (`own`).
    """
    found: list[tuple[Place, imports_pb2.ImportProblem]] = []
    async for place, problem in _problems(office, one, after=after, language=language):
        if not is_of(kind, problem.problem):
            continue
        found.append((place, problem))
        if len(found) > most:
            break
    page = found[:most]
    await _find_cells(office, one, [problem for _, problem in page if problem.quarantined_row_id], own=own)
    return [problem for _, problem in page], page[-1][0] if len(found) > most else None


async def kinds(office: Office, one: Import) -> list[imports_pb2.ImportProblemKind]:
    """How many rows were not stored by why, the most frequent first; and how many of them were settled since."""
    counts, settled = Counter[Kind](), Counter[Kind]()
    async for _, each in _problems(office, one, after=None, language="vi"):
        kind = each.problem.reason, each.problem.field
        counts[kind] += 1
        settled[kind] += each.settled
    return [
        imports_pb2.ImportProblemKind(reason=reason, field=field, count=count, settled_count=settled[reason, field])
        for (reason, field), count in sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    ]


def is_of(kind: Kind, problem: RowProblem) -> bool:
    """Whether a problem is of a kind, of which what is empty does not matter."""
    reason, field = kind
    return reason in ("", problem.reason) and field in ("", problem.field)


async def _problems(
    office: Office, one: Import, *, after: Place | None, language: str
) -> AsyncIterator[tuple[Place, imports_pb2.ImportProblem]]:
    """Rows that were not stored, in the order of the file, and which of them stand in the quarantine still."""
    async for slices in _slices(office, one, first=after[0] if after else ""):
        found = [each for stored in slices for each in _of_slice(stored, language)]
        if not one.order.validate_only:  # What is only looked at is kept nowhere.
            await _find_quarantined(office, one, found)
        for place, problem in found:
            if after is None or place[0] != after[0] or place[1] > after[1]:
                yield place, problem


async def _slices(office: Office, one: Import, *, first: str) -> AsyncIterator[list[batches.StoredBatch]]:
    """The batches by which a file was carried, some at a time, from one on; empty: all."""
    order, after = one.order, first
    if first:
        async with office.intake.database.connection() as reads:
            yield await batches.by_id(reads, order.unit_id, first, order.source)
    while True:
        async with office.intake.database.connection() as reads:
            more = await batches.begun_with(
                reads, order.unit_id, order.source, one.batch_prefix, after=after, most=SLICES_AT_ONCE
            )
        if not more:
            return
        yield more
        after = more[-1].key.batch_id


def _of_slice(stored: batches.StoredBatch, language: str) -> list[tuple[Place, imports_pb2.ImportProblem]]:
    outcome = localized(sync_pb2.Outcome.FromString(stored.outcome), language)
    return [
        ((stored.key.batch_id, problem.index), _problem(problem, outcome.states[problem.index]))
        for problem in outcome.problems
    ]


def _problem(problem: RowProblem, state: int) -> imports_pb2.ImportProblem:
    told = problem.metadata
    row = told.get("row", "0")
    return imports_pb2.ImportProblem(
        sheet=told.get("sheet", ""),
        row=int(row) if row.isdigit() else 0,
        column=told.get("column", ""),
        state=state,  # type: ignore[arg-type]  # the number is the enum's
        problem=problem,
    )


async def _find_quarantined(office: Office, one: Import, found: list[tuple[Place, imports_pb2.ImportProblem]]) -> None:
    kept = {place: problem for place, problem in found if int(problem.state) in (RowState.REJECTED, RowState.HELD)}
    if not kept:
        return
    order, tree = one.order, office.intake.scopes.tree
    async with office.intake.database.connection() as reads:
        ids = await quarantine.by_place(
            reads,
            order.unit_id,
            order.source,
            {batch_id for batch_id, _ in kept},
            places=tree.subtree(order.unit_id, office.intake.clock.today()),
        )
    for place, problem in kept.items():
        problem.quarantined_row_id = ids.get(place, 0)
        problem.settled = place not in ids


async def _find_cells(office: Office, one: Import, found: list[imports_pb2.ImportProblem], *, own: bool) -> None:
    """Say of rows in the quarantine whose they are, and what stands in the fields that are wrong."""
    ids = {problem.quarantined_row_id for problem in found}
    if not ids:
        return
    places = office.intake.places_below(one.order.unit_id)
    async with office.intake.database.connection() as reads:
        rows = await quarantine.wanted(reads, places, ids=ids, most=len(ids))
    kept, labels = {row["quarantined_row_id"]: row for row in rows}, office.sheets.labels
    sheets = {(sheet["name"], sheet["kind"]): sheet for sheet in one.sheets if "kind" in sheet}
    for problem in found:
        row = kept.get(problem.quarantined_row_id)
        raw = _read(row["content"]) if row is not None else {}
        kind = str(raw.get("DOI_TUONG", ""))
        if row is None or kind not in labels:
            continue
        fields = [row["field"], *row["metadata"].get("also", "").split(",")]
        problem.name = name_of(raw)
        problem.cells.extend(
            cells_of(
                raw,
                filter(None, fields),
                sheets.get((problem.sheet, kind)),
                labels=labels[kind],
                shown=partial(_shows_cell, office, own, kind),
            )
        )


def _read(content: str) -> Fields:
    """A row as it is kept; empty: it is too long to be kept whole, or may not be kept."""
    try:
        raw = from_json(content)
    except ValueError:
        return {}
    return raw if isinstance(raw, dict) else {}


def _shows_cell(
    office: Office,
    own: bool,  # noqa: FBT001 (bound in place)
    kind: str,
    field: str,
    column: str,
    value: str,
) -> bool:
    """Whether the caller may see what stands in a field: who uploaded the file what stands in its columns, others what
    is not personal and, since columns may be shifted, looks like a code.
    """
    return (own and bool(column)) or (is_code(value) and shows(office, kind, *_inside(field)))


def _inside(path: str) -> tuple[str, str]:
    """A field, and what of an element of it, by a path such as `DIEM_MONS[2].DIEM`."""
    field, _, rest = path.partition("[")
    return field, rest.partition("].")[2]


async def report(office: Office, one: Import, *, language: str, purpose: str, own: bool) -> bytes:
    """The file as a workbook with its problems, in full to who uploaded it (`own`) or may see it for a purpose.

    Raises WRONG_STATE where the file is kept no longer.
    """
    told: list[dict[str, Any]] = []
    settled = 0
    async for _, problem in _problems(office, one, after=None, language=language):
        row: dict[str, Any] = {"sheet": problem.sheet, "row": problem.row}
        if problem.settled:
            settled += 1
            told.append(row | {"column": "", "message": getattr(_SETTLED, language)})
        else:
            told.append(row | {"column": problem.column, "message": problem.problem.message})
        if len(told) == MOST_REPORTED:
            break
    async with office.intake.database.connection() as reads:
        async for _ in imports.parts(reads, one.import_id):
            break
        else:
            raise refusals.file_gone(one.import_id)
    unmasked = await noted(
        office, "GetImportReport", unit_id=one.order.unit_id, counts=_counts(one), purpose=purpose, own=own
    )
    tables = [sheet for sheet in one.sheets if "last" in sheet]  # And files that say more of others' rows.
    about = {
        "masked": None if unmasked else {sheet["name"]: _shown(office, sheet) for sheet in tables},
        "problems": [row for row in told if row["sheet"]],
        "headings": {sheet["name"]: sheet["last"] for sheet in tables},
        "summary": _summary(one, [row["message"] for row in told if not row["sheet"]], language, settled=settled),
    }
    async with spooled(office.intake.database, one.import_id) as path:
        return await written(office, "report", str(path), told=about)


def _counts(one: Import) -> dict[str, int]:
    counts: dict[str, int] = {}
    for sheet in one.sheets:
        if sheet["collection"]:
            counts[sheet["collection"]] = counts.get(sheet["collection"], 0) + sheet["rows"]
    return counts or {one.order.collection or "imports": one.row_count}


def _shown(office: Office, sheet: Mapping[str, Any]) -> dict[str, Any]:
    """Where the headings of a sheet begin, and which columns those see who must not see personal data, each with the
    words that stand for codes there; None: it holds names.
    """
    kind = sheet["kind"]
    words = office.sheets.kinds.get(kind, {}).get("values", {})
    columns = {
        letter: None if field == NAME else sorted(words.get(field, ()))
        for letter, field, code in sheet["columns"]
        if (shows(office, kind, _GRID, field) if code else shows(office, kind, field))
    }
    return {"first": sheet["first"], "columns": columns}


def _summary(one: Import, others: list[str], language: str, *, settled: int) -> list[tuple[str, str]]:
    counts = one.counts
    return [
        ("Tệp", one.order.file_name),
        ("Lượt nạp", str(one.import_id)),
        ("Đã ghi nhận", str(counts.accepted)),
        ("Không thay đổi", str(counts.unchanged)),
        ("Cũ hơn bản đang lưu", str(counts.stale)),
        ("Bị từ chối", str(counts.rejected)),
        ("Đang giữ lại", str(counts.held)),
        ("Trong đó đã xử lý sau lần nạp", str(settled)),
        *((("Lý do dừng", one.error[language]),) if one.error else ()),
        *(("Nghi ngờ", str(doubt[language])) for doubt in one.suspicions),
        *(("Bản ghi không có trong tệp", message) for message in others[:1000]),
    ]


async def written(office: Office, *arguments: str, told: dict[str, Any]) -> bytes:
    """A workbook that another process writes; raises TOO_LARGE where no message carries it."""
    async with office.most_writing:
        content = await made(*arguments, told=told)
    if len(content) > MOST_REPORT_BYTES:
        raise refusals.file_too_large(MOST_REPORT_BYTES)
    return content
