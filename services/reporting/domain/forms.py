"""Forms as values: what each cell of a report is, in an order in which sums follow what they sum.

Refuses a form whose cells do not follow from it: unknown rows in a sum, circles, cells nobody fills, a sensitive
dimension. It collects everything that is wrong, by the path of the field, so that an author corrects it in one go.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from services.reporting.domain.catalogue import DIMENSIONS, SENSITIVE, Catalogue

Key = str  # `sheet.row.column`
Filter = tuple[tuple[str, str], ...]


class Kind(Enum):
    """How a cell gets its value."""

    BLANK = "blank"
    COUNTED = "counted"
    ENTERED = "entered"
    SUMMED = "summed"


@dataclass(frozen=True, slots=True)
class Line:
    """A row or a column, and what it says of its cells."""

    code: str
    title_vi: str
    title_en: str
    indicator: str = ""
    where: Mapping[str, str] = field(default_factory=dict)
    sum_of: tuple[str, ...] = ()
    entered: bool = False
    decimal: bool = False
    indent: int = 0


@dataclass(frozen=True, slots=True)
class OwnCell:
    """A cell that is not what its row and column say."""

    row: str
    column: str
    indicator: str = ""
    where: Mapping[str, str] = field(default_factory=dict)
    entered: bool = False
    blank: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table of cells."""

    code: str
    title_vi: str
    title_en: str
    rows: tuple[Line, ...]
    columns: tuple[Line, ...]
    cells: tuple[OwnCell, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """A condition that holds between cells, in CEL."""

    code: str
    severity: str
    condition: str
    message_vi: str
    message_en: str


@dataclass(frozen=True, slots=True)
class Form:
    """A form in one version."""

    code: str
    version: int
    name_vi: str
    name_en: str
    stage: str
    sheets: tuple[Sheet, ...]
    levels: tuple[str, ...] = ()
    source_document: str = ""
    sample: bool = False
    unit_id: int = 0
    locked_collections: tuple[str, ...] = ()
    lock_period: str = ""
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True)
class Cell:
    """What one cell is."""

    key: Key
    kind: Kind
    indicator: str = ""
    where: Filter = ()
    parts: tuple[Key, ...] = ()  # Of a sum.
    decimal: bool = False


@dataclass(frozen=True, slots=True)
class Defect:
    """Something wrong with a form, by the path of the field."""

    field: str
    vi: str
    en: str


def key_of(sheet: str, row: str, column: str) -> Key:
    """The name of a cell."""
    return f"{sheet}.{row}.{column}"


def cells_of(form: Form) -> dict[Key, Cell]:
    """Every cell in the order of the form: sheet by sheet, row by row."""
    return {
        cell.key: cell
        for sheet in form.sheets
        for row in sheet.rows
        for column in sheet.columns
        for cell in (_cell(sheet, row, column),)
    }


def in_order_of_sums(cells: Mapping[Key, Cell]) -> list[Cell]:
    """The sums, each after what it sums; a circle is left out (`defects` names it)."""
    done = {key for key, cell in cells.items() if cell.kind is not Kind.SUMMED}
    waiting = [cell for cell in cells.values() if cell.kind is Kind.SUMMED]
    ordered: list[Cell] = []
    while ready := [cell for cell in waiting if done.issuperset(cell.parts)]:
        ordered += ready
        done.update(cell.key for cell in ready)
        waiting = [cell for cell in waiting if cell.key not in done]
    return ordered


def total(values: Mapping[Key, float | None], cell: Cell) -> float | None:
    """The sum; none where a part is missing, since missing data is not zero. What stays empty counts for nothing."""
    parts = [values[part] for part in cell.parts if part in values]
    known = [value for value in parts if value is not None]
    return sum(known) if parts and len(known) == len(parts) else None


def defects(form: Form, catalogue: Catalogue) -> list[Defect]:
    """Everything that keeps a form from being used, checks apart."""
    found = list(_repeated("sheets", [sheet.code for sheet in form.sheets]))
    if not form.sheets:
        found.append(Defect("sheets", "Biểu mẫu phải có ít nhất một sheet.", "A form has at least one sheet."))
    found += _repeated("checks", [check.code for check in form.checks])
    for place, sheet in enumerate(form.sheets):
        found += _sheet_defects(sheet, f"sheets[{place}]", catalogue)
    if found:
        return found
    cells = cells_of(form)
    summed = [cell for cell in cells.values() if cell.kind is Kind.SUMMED]
    if len(in_order_of_sums(cells)) < len(summed):
        vi, en = "Các dòng hoặc cột cộng lẫn nhau thành vòng tròn.", "Rows or columns sum each other in a circle."
        found.append(Defect("sheets", vi, en))
    return found


def _cell(sheet: Sheet, row: Line, column: Line) -> Cell:
    key = key_of(sheet.code, row.code, column.code)
    decimal = row.decimal or column.decimal
    own = next((one for one in sheet.cells if (one.row, one.column) == (row.code, column.code)), None)
    if own is not None:
        if own.blank:
            return Cell(key, Kind.BLANK)
        if own.entered:
            return Cell(key, Kind.ENTERED, decimal=decimal)
        return Cell(key, Kind.COUNTED, own.indicator, tuple(sorted(own.where.items())))
    if row.sum_of:
        parts = tuple(key_of(sheet.code, part, column.code) for part in row.sum_of)
        return Cell(key, Kind.SUMMED, parts=parts, decimal=decimal)
    if column.sum_of:
        parts = tuple(key_of(sheet.code, row.code, part) for part in column.sum_of)
        return Cell(key, Kind.SUMMED, parts=parts, decimal=decimal)
    if row.entered or column.entered:
        return Cell(key, Kind.ENTERED, decimal=decimal)
    where = tuple(sorted({**row.where, **column.where}.items()))
    return Cell(key, Kind.COUNTED, column.indicator or row.indicator, where)


def _sheet_defects(sheet: Sheet, path: str, catalogue: Catalogue) -> Iterator[Defect]:
    yield from _line_defects(sheet.rows, f"{path}.rows")
    yield from _line_defects(sheet.columns, f"{path}.columns")
    rows, columns = {line.code for line in sheet.rows}, {line.code for line in sheet.columns}
    for place, own in enumerate(sheet.cells):
        if own.row not in rows or own.column not in columns:
            vi, en = f"Không có ô {own.row}.{own.column}.", f"There is no cell {own.row}.{own.column}."
            yield Defect(f"{path}.cells[{place}]", vi, en)
    told: set[tuple[str, Filter]] = set()
    for row in sheet.rows:
        for column in sheet.columns:
            cell = _cell(sheet, row, column)
            if cell.kind is not Kind.COUNTED or (cell.indicator, cell.where) in told:
                continue
            said = _binding_defect(row, column, cell, catalogue)
            if said is not None:
                told.add((cell.indicator, cell.where))
                yield Defect(f"{path}.{row.code}.{column.code}", *said)


def _line_defects(lines: Sequence[Line], path: str) -> Iterator[Defect]:
    codes = [line.code for line in lines]
    yield from _repeated(path, codes)
    for place, line in enumerate(lines):
        for part in line.sum_of:
            if part not in codes or part == line.code:
                vi = f"“{line.code}” cộng “{part}”, nhưng không có dòng/cột khác nào mang mã đó."
                en = f"“{line.code}” sums “{part}”, but no other line has that code."
                yield Defect(f"{path}[{place}].sum_of", vi, en)


def _binding_defect(row: Line, column: Line, cell: Cell, catalogue: Catalogue) -> tuple[str, str] | None:
    if not cell.indicator:
        vi = "Ô chưa gắn chỉ số, cũng không do trường nhập. Hãy đặt indicator, entered, sum_of, hoặc để trống (blank)."
        return vi, "The cell has no indicator and is not entered. Give indicator, entered, sum_of, or leave it blank."
    indicator = catalogue.find(cell.indicator)
    if indicator is None:
        known = ", ".join(catalogue.codes)
        return f"Không có chỉ số “{cell.indicator}”. Có: {known}.", (
            f"There is no indicator “{cell.indicator}”. There are: {known}."
        )
    if indicator.is_ratio:
        vi = f"“{cell.indicator}” là tỷ lệ; ô của biểu mẫu chỉ đếm, để cộng được giữa các trường."
        return vi, f"“{cell.indicator}” is a ratio; cells of forms are counts, so that schools can be added up."
    if indicator.sensitive:
        vi = f"“{cell.indicator}” chỉ được đếm chung cho cả tỉnh, nên không gắn được vào ô. Hãy để trường nhập."
        return (
            vi,
            f"“{cell.indicator}” is told of a province as a whole only, so no cell counts it. Let the school enter it.",
        )
    for name, _ in cell.where:
        if name == SENSITIVE:
            vi = (
                "Số liệu theo dân tộc của một trường không được hiển thị, nên không gắn được vào ô. Hãy để trường nhập."
            )
            return (
                vi,
                "Figures of a school by ethnic group are not shown, so no cell counts them. Let the school enter it.",
            )
        if name not in DIMENSIONS or name not in indicator.dimensions:
            known = ", ".join(name for name in indicator.dimensions if name != SENSITIVE) or "–"
            vi = f"Chỉ số “{cell.indicator}” không chia theo “{name}”. Có: {known}."
            return vi, f"Indicator “{cell.indicator}” is not broken down by “{name}”. There are: {known}."
    clashing = sorted(name for name in row.where.keys() & column.where.keys() if row.where[name] != column.where[name])
    own_cell = dict(cell.where) != {**row.where, **column.where}
    if clashing and not own_cell:
        vi = f"Dòng và cột đặt hai giá trị khác nhau cho “{clashing[0]}”."
        return vi, f"Row and column give two values for “{clashing[0]}”."
    if row.indicator and column.indicator and row.indicator != column.indicator and not own_cell:
        return "Dòng và cột gắn hai chỉ số khác nhau.", "Row and column name two indicators."
    return None


def _repeated(path: str, codes: Sequence[str]) -> Iterator[Defect]:
    for code in sorted({code for code in codes if codes.count(code) > 1}):
        yield Defect(path, f"Mã “{code}” dùng nhiều lần.", f"The code “{code}” is used more than once.")
