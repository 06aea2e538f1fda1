"""Searches between the interface and the domain."""

from collections.abc import Mapping, Sequence
from typing import Any

from iocedu.records.v1 import search_pb2

from chassis.errors import Fault, FieldViolation
from chassis.validation import invalid
from services.records.convert.days import day_of
from services.records.convert.outgoing import Alias, record_of
from services.records.domain.asked import Asked, Rule, read_line
from services.records.domain.names import search_name
from services.records.domain.objects import ObjectSpec


def asked_of(request: search_pb2.SearchPeopleRequest, spec: ObjectSpec) -> Asked:
    """What is asked for; raises INVALID_FIELD, INVALID_DATE or NOTHING_ASKED."""
    placed = any(column.name == "class_key" for column in spec.columns)
    for name in ("class_name", "grade"):
        if getattr(request, name) and not placed:
            raise _unplaced(name)
    born = day_of(request.birth_date, field="birth_date")
    given = Asked(
        ids=(request.id.strip(),) if request.id.strip() else (),
        endings=(request.id_ending,) if request.id_ending else (),
        birth_dates=(born,) if born else (),
        birth_years=(request.birth_year,) if request.birth_year else (),
        classes=(search_name(request.class_name),) if request.class_name.strip() else (),
        grades=(request.grade,) if request.grade else (),
        level=request.level,
        status=request.status,
        school_year=request.school_year,
    )
    try:
        asked = read_line(request.query, given, classes=placed)
    except ValueError:
        raise _no_day(request.query) from None
    if not asked.anything:
        raise _nothing()
    return asked


def add_hit(
    hits: Any,
    rule: Rule,
    stored: Sequence[Any],
    *,
    spec: ObjectSpec,
    alias: Alias,
    school_name: str,
    class_names: Mapping[tuple[int, str], str],
) -> None:
    """Append a person found to a response, masked; the class by its name, where it is there."""
    record = record_of(spec, stored, position=stored[-1], alias=alias, mask=True)
    class_name = class_names.get((stored[0], record.row.pupil.class_key), "")
    hits.add(record=record, rule=rule, school_name=school_name, class_name=class_name)


def advice(language: str) -> str:
    """What to do when too many match."""
    if language == "en":
        return "Too many people match. Add a word of the name, a year of birth, a class or a smaller unit."
    return "Có quá nhiều người khớp. Hãy gõ thêm chữ trong tên, năm sinh, lớp, hoặc chọn đơn vị nhỏ hơn."


def _unplaced(field: str) -> Fault:
    vi = f"Cán bộ không thuộc lớp hay khối nào. Hãy bỏ trống `{field}`."
    return invalid(
        [FieldViolation(field, "INVALID_FIELD", vi, f"Staff sit in no class or grade. Leave {field} empty.")]
    )


def _no_day(typed: str) -> Fault:
    vi = f"«{typed}» có ngày không có thật. Hãy ghi ngày sinh dạng 9/3/2014."
    en = "There is a date in the query that is no day of the calendar. Write a date of birth as 9/3/2014."
    return invalid([FieldViolation("query", "INVALID_DATE", vi, en)])


def _nothing() -> Fault:
    vi = "Chưa có gì để tìm. Hãy gõ tên, mã số hoặc ngày sinh."
    en = "There is nothing to look for. Type a name, an id or a date of birth."
    return invalid([FieldViolation("query", "NOTHING_ASKED", vi, en)])
