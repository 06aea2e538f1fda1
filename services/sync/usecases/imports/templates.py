"""Workbooks to fill in, blank or with what the centre holds: uploaded unchanged they change nothing."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from services.sync.convert.imports import Stored, fields_of
from services.sync.domain import writing
from services.sync.domain.imports import KINDS
from services.sync.domain.profiles import Fields
from services.sync.usecases.imports.office import Office
from services.sync.usecases.imports.reporting import written
from services.sync.usecases.imports.shelf import Shelf
from services.sync.usecases.imports.showing import noted, shows

GRID_FIELDS: Final = ("DIEM", "MUC", "DIEM_TX", "DIEM_GK", "DIEM_CK")
_GRID: Final = "DIEM_MONS"


async def template(
    office: Office, school: str, *, name: str, collection: str, school_year: int, stage: str, filled: bool, purpose: str
) -> bytes:
    """A template of a collection of a school; a filled one lacks personal columns unless records lets them be seen."""
    kind, sheets = KINDS[collection], office.sheets
    records: list[Fields] = []
    names: dict[str, str] = {}
    if filled:
        shelf = Shelf(school, school_year, keep=lambda _collection, row, source: Stored(row, source))
        await shelf.fill(office.intake.records, [collection, "pupils"] if collection == "results" else [collection])
        records = _records(office, kind, shelf.held[collection], stage=stage)
        names = {key.rpartition(".")[0]: one.row.pupil.full_name for key, one in shelf.held.get("pupils", {}).items()}
    columns = list(_columns(office, kind, records))
    if filled and not await noted(
        office, "GetTemplate", unit_id=int(school), counts={collection: len(records)}, purpose=purpose
    ):
        columns = [column for column in columns if _shown(office, kind, column["field"])]
    for record in records:
        record.setdefault("HO_TEN", names.get(str(record.get("HOC_SINH_ID", "")), ""))
    records.sort(
        key=lambda one: (str(one.get("MA_LOP", "")), str(one.get("HO_TEN", "")), str(next(iter(one.values()))))
    )
    told = {
        "title": f"{sheets.titles[kind]} – {name} – năm học {school_year}-{school_year + 1}",
        "sheet": sheets.titles[kind][:31],
        "columns": columns,
        "rows": [[_said(office, kind, record, column["field"]) for column in columns] for record in records],
    }
    return await written(office, "template", told=told)


def _records(office: Office, kind: str, held: dict[str, Stored], *, stage: str) -> list[Fields]:
    spec = office.profile.table(kind)
    found = []
    for key, stored in held.items():
        record = getattr(stored.row, spec.record)
        if stage and getattr(record, "stage", stage) != stage:
            continue
        written_ = writing.write(spec, key, fields_of(record))
        if written_ is not None:
            found.append(written_)
    return found


def _columns(office: Office, kind: str, records: Sequence[Fields]) -> Iterable[dict[str, Any]]:
    """The template's own columns, then whatever else some record says: what is not there could not stay."""
    sheets, spec = office.sheets, office.sheets.kinds[kind]
    chosen = list(sheets.templates[kind])
    said = {name for record in records for name in record}
    chosen += sorted(said - set(chosen) - {"NAM_HOC", _GRID, "PHAM_CHAT_NANG_LUCS"})
    for field in chosen:
        yield {
            "field": field,
            "label": sheets.labels[kind].get(field) or "Họ và tên",
            "needed": field in spec["needs"],
            "day": field in spec["days"],
            "codes": sheets.offered[kind].get(field, []),
        }
    if kind != KINDS["results"]:
        return
    given = {
        (mark["MA_MON_HOC"], field) for record in records for mark in record.get(_GRID, ()) for field in mark if field
    }
    subjects = {code for code, _ in given} or {"TOAN", "NGU_VAN", "NGOAI_NGU"}
    for code in sorted(subjects, key=lambda one: list(sheets.subjects).index(one) if one in sheets.subjects else 99):
        for field in GRID_FIELDS:
            if (code, field) in given or (not given and field in ("DIEM", "MUC")):
                label = f"{sheets.subjects.get(code, code)}: {_GRID_LABELS[field]}"
                column = {"field": f"{_GRID}.{code}.{field}", "label": label}
                yield column | {"needed": False, "day": False, "codes": []}


_GRID_LABELS: Final = {
    "DIEM": "điểm",
    "MUC": "mức",
    "DIEM_TX": "điểm thường xuyên",
    "DIEM_GK": "điểm giữa kỳ",
    "DIEM_CK": "điểm cuối kỳ",
}


def _shown(office: Office, kind: str, field: str) -> bool:
    outer, _, rest = field.partition(".")
    return shows(office, kind, outer, rest.partition(".")[2])


def _said(office: Office, kind: str, record: Fields, field: str) -> str:
    if field.startswith(f"{_GRID}."):
        _, code, inner = field.split(".")
        value: Any = next((one.get(inner) for one in record.get(_GRID, ()) if one["MA_MON_HOC"] == code), None)
    else:
        value = record.get(field)
    if value in (None, ""):
        return ""
    if isinstance(value, list):
        if value and isinstance(value[0], dict):
            return "; ".join(" ".join(map(str, one.values())) for one in value)
        return "; ".join(_number(one) for one in value)
    offered = office.sheets.offered[kind].get(field, ())
    if "Có" in offered:
        return "Có" if value == "1" else "Không"
    said = _number(value)
    return next((one for one in offered if one.partition(" - ")[0] == said), said)


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
