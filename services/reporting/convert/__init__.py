"""Where protobuf and domain meet: changes become rows of facts, figures become answers and events.

Refuses an event without its position in the feed: nothing could say what is newer.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime

from google.protobuf.timestamp_pb2 import Timestamp
from iocedu.records.v1 import erasures_pb2, records_pb2, resources_pb2
from iocedu.reporting.v1 import reporting_pb2
from iocedu.sync.v1 import sync_pb2

from chassis.errors import Fault, Kind
from services.reporting.domain import tallies
from services.reporting.domain.catalogue import Dimension, Indicator
from services.reporting.domain.figures import BESIDE, ClassFigures, DetailRow, FactRow, Figure, SchoolFigures
from services.reporting.domain.rules import rules_of

POSITION_HEADER = "iocedu-position"
SLICE = 500  # Changes converted before the loop runs other work.
MOST_ENTRIES = 1000  # Entries of one figures-changed event.
PRESENT = "01"  # Stands for the status of what has none of its own.
ELSEWHERE = "elsewhere"  # Stands for the status of a pupil who is a person counted at another enrolment.
UNKNOWN_SEX = "0"

PUPIL = resources_pb2.OBJECT_TYPE_PUPIL
SCHOOL_CLASS = resources_pb2.OBJECT_TYPE_SCHOOL_CLASS
STAFF_MEMBER = resources_pb2.OBJECT_TYPE_STAFF_MEMBER
REGISTER = resources_pb2.OBJECT_TYPE_ATTENDANCE_REGISTER
RESULT = resources_pb2.OBJECT_TYPE_RESULT
SCHOOL = resources_pb2.OBJECT_TYPE_SCHOOL
COUNTED_TYPES = (PUPIL, SCHOOL_CLASS, STAFF_MEMBER, REGISTER, RESULT, SCHOOL)
MEASURES = {
    PUPIL: "pupils", SCHOOL_CLASS: "classes", STAFF_MEMBER: "staff", REGISTER: "registers", RESULT: "results",
    SCHOOL: "profiles",
}  # fmt: skip

ConnectionRow = tuple[int, datetime | None, datetime | None]


def first_position(headers: Mapping[str, str]) -> int:
    """Position of an event's first change; raises INVALID where the event does not say it."""
    try:
        return int(headers[POSITION_HEADER])
    except (KeyError, ValueError):
        raise Fault(
            Kind.INVALID,
            "NO_POSITION",
            vi="Sự kiện records-changed không ghi vị trí trong luồng thay đổi.",
            en="The event records-changed does not say its position in the change feed.",
        ) from None


async def fact_rows(changes: Sequence[records_pb2.Change], *, first: int | None = None) -> list[FactRow]:
    """Rows of facts, in slices between which the loop runs; what no figure counts is left out.

    The changes of an event have positions `first`, `first` + 1, …; those of the feed carry their own.
    """
    rows: list[FactRow] = []
    for start in range(0, len(changes), SLICE):
        part = changes[start : start + SLICE]
        rows.extend(_rows(part, None if first is None else first + start))
        await asyncio.sleep(0)
    return rows


def _rows(changes: Iterable[records_pb2.Change], first: int | None) -> Iterator[FactRow]:
    for place, change in enumerate(changes):
        kind = change.type
        measure = MEASURES.get(kind)
        if measure is None:
            continue
        row = change.row
        position = change.position if first is None else first + place
        school, key = change.school_id, row.key
        if row.deleted:
            yield school, measure, key, position, 0, "", "", "", "", "", "", None
        elif kind == PUPIL:
            pupil = row.pupil
            yield (
                school, measure, key, position, pupil.school_year, pupil.level, pupil.grade, pupil.sex or UNKNOWN_SEX,
                pupil.ethnic_group, pupil.class_key, "", _status(change),
            )  # fmt: skip
        elif kind == SCHOOL_CLASS:
            group = row.school_class
            yield (
                school, measure, key, position, group.school_year, group.level, group.grade, "", "", key, group.name,
                PRESENT,
            )  # fmt: skip
        elif kind == STAFF_MEMBER:
            member = row.staff_member
            yield (
                school, measure, key, position, member.school_year, member.level, "", member.sex or UNKNOWN_SEX,
                member.ethnic_group, "", "", member.status,
            )  # fmt: skip
        else:
            year, class_key = _further(row, kind)
            yield school, measure, key, position, year, "", "", "", "", class_key, "", PRESENT


def _status(change: records_pb2.Change) -> str:
    """What decides whether a pupil counts, and sits here: who counts elsewhere does so by a second enrolment only."""
    pupil = change.row.pupil
    if not change.counted_elsewhere:
        return pupil.status
    return f"{BESIDE}{pupil.status}" if pupil.secondary else ELSEWHERE


def _further(row: resources_pb2.Row, kind: resources_pb2.ObjectType.ValueType) -> tuple[int, str]:
    """School year and class of what lies where another fact does, or in the school as a whole."""
    if kind == REGISTER:
        return row.attendance_register.school_year, row.attendance_register.class_key
    return (row.result if kind == RESULT else row.school_profile).school_year, ""


async def detail_rows(changes: Sequence[records_pb2.Change], *, first: int | None = None) -> list[DetailRow]:
    """What the same changes add to beside their own number; only of those that do."""
    rows: list[DetailRow] = []
    for start in range(0, len(changes), SLICE):
        part = changes[start : start + SLICE]
        for place, change in enumerate(part):
            position = change.position if first is None else first + start + place
            if change.type in MEASURES and not change.row.deleted:
                detail = _detail(change, position)
                if detail is not None:
                    rows.append(detail)
        await asyncio.sleep(0)
    return rows


def _detail(change: records_pb2.Change, position: int) -> DetailRow | None:
    row, kind = change.row, change.type
    pupil_key, day, session = "", None, None
    absent: tuple[list[str], list[str]] = ([], [])
    if kind == PUPIL:
        pupil = row.pupil
        found = tallies.pupil_tallies(
            rules_of(pupil.school_year), school_year=pupil.school_year, level=pupil.level, grade=pupil.grade,
            sex=pupil.sex, birth_date=pupil.birth_date, personal_id=pupil.personal_id, disability=pupil.disability,
        )  # fmt: skip
    elif kind == SCHOOL_CLASS:
        group = row.school_class
        found = tallies.class_tallies(
            rules_of(group.school_year), level=group.level, grade=group.grade, two_session=group.two_session,
            multi_grade=group.multi_grade,
        )  # fmt: skip
    elif kind == STAFF_MEMBER:
        member = row.staff_member
        found = tallies.staff_tallies(
            rules_of(member.school_year), staff_group=member.staff_group, subject=member.subject,
            qualification=member.qualification, contract=member.contract,
        )  # fmt: skip
    elif kind == REGISTER:
        register = row.attendance_register
        kinds = {one.pupil_key: one.kind for one in register.exceptions}
        found = tallies.register_tallies(register.scheduled_count, kinds.values())
        absent = tallies.absences(list(kinds.items()))
        day, session = date.fromisoformat(register.day), register.session
    elif kind == RESULT:
        result = row.result
        pupil_key = result.pupil_key
        found = tallies.result_tallies(
            rules_of(result.school_year), stage=result.stage, regulation=result.regulation,
            learning=result.learning_result, conduct=result.conduct_result,
            marks={one.subject.replace("|", "/"): one.mark for one in result.subject_marks if one.HasField("mark")},
            levels=[one.level for one in result.subject_marks if one.level and not one.HasField("mark")],
            promoted=result.promoted if result.HasField("promoted") else None,
        )  # fmt: skip
    else:
        found = {"schools_of_national_standard|||": 1} if row.school_profile.national_standard else {}
    if not (found or pupil_key or day):
        return None
    school, key = change.school_id, row.key
    return (
        school, MEASURES[kind], key, position, list(found), list(found.values()), pupil_key, day, session, *absent,
    )  # fmt: skip


def erased_keys(request: erasures_pb2.ErasuresRequested) -> dict[int, set[str]]:
    """Keys of what an erasure names, by type."""
    return {one.type: set(one.keys) for one in request.erased}


def counted_keys(request: erasures_pb2.ErasuresRequested) -> list[tuple[str, str]]:
    """Measure and key of what an erasure names and figures count."""
    return [(MEASURES[one.type], key) for one in request.erased if one.type in MEASURES for key in one.keys]


def without_erased(payload: bytes, request: erasures_pb2.ErasuresRequested) -> bytes:
    """An event `records-changed` without what was erased: a change becomes a tombstone, an exception goes."""
    event, erased = records_pb2.RecordsChanged.FromString(payload), erased_keys(request)
    pupils = erased.get(PUPIL, set())
    for change in event.changes:
        if change.school_id != request.school_id:
            continue
        row = change.row
        if row.key in erased.get(change.type, ()):
            name = row.WhichOneof("record")
            row.CopyFrom(resources_pb2.Row(school=row.school, key=row.key, version=row.version, deleted=True))
            if name is not None:
                getattr(row, name).SetInParent()
        elif row.HasField("attendance_register"):
            exceptions = row.attendance_register.exceptions
            for place in reversed([at for at, one in enumerate(exceptions) if one.pupil_key in pupils]):
                del exceptions[place]
    return event.SerializeToString()


def erasures_confirmed(request: erasures_pb2.ErasuresRequested, *, service: str, count: int) -> bytes:
    """The answer of a service that has erased."""
    return erasures_pb2.ErasuresConfirmed(
        school_id=request.school_id, data_request_id=request.data_request_id, service=service, erased_count=count
    ).SerializeToString()


def connection_rows(connections: Iterable[sync_pb2.Connection]) -> Iterator[ConnectionRow]:
    """School, first and last time it sent something."""
    for connection in connections:
        first = connection.first_accept_time if connection.HasField("first_accept_time") else None
        last = connection.last_accept_time if connection.HasField("last_accept_time") else None
        yield (
            connection.school_id,
            first.ToDatetime(tzinfo=UTC) if first is not None else None,
            last.ToDatetime(tzinfo=UTC) if last is not None else None,
        )


def figures_changed(
    schools: Sequence[SchoolFigures], classes: Sequence[ClassFigures], *, backfill: bool
) -> Iterator[reporting_pb2.FiguresChanged]:
    """Events of at most 1,000 entries; none when nothing changed."""
    entries: list[SchoolFigures | ClassFigures] = [*schools, *classes]
    for start in range(0, len(entries), MOST_ENTRIES):
        event = reporting_pb2.FiguresChanged(backfill=backfill)
        for entry in entries[start : start + MOST_ENTRIES]:
            if isinstance(entry, SchoolFigures):
                event.schools.add(
                    school_id=entry.school_id,
                    school_year=entry.school_year,
                    pupil_count=entry.pupil_count,
                    class_count=entry.class_count,
                    staff_count=entry.staff_count,
                    version=entry.version,
                )
            else:
                event.classes.add(
                    school_id=entry.school_id,
                    class_key=entry.class_key,
                    school_year=entry.school_year,
                    name=entry.name,
                    grade=entry.grade,
                    size=entry.size,
                    size_limit=entry.size_limit,
                    limit_source=entry.limit_source,
                    active=entry.active,
                    version=entry.version,
                )
        yield event


def indicator_message(indicator: Indicator, *, school_year: int) -> reporting_pb2.Indicator:
    """An entry of the catalogue, with the thresholds of a school year."""
    return reporting_pb2.Indicator(
        code=indicator.code,
        name_vi=indicator.name_vi,
        name_en=indicator.name_en,
        counting_rule_vi=indicator.counting_rule_vi,
        counting_rule_en=indicator.counting_rule_en,
        unit_of_count=indicator.unit_of_count,
        dimensions=indicator.dimensions,
        source_document=indicator.source_document,
        direction=indicator.direction,
        thresholds=[
            reporting_pb2.Threshold(level=one.level, value=one.value, source=one.source)
            for one in indicator.thresholds_of(school_year)
        ],
        accountable_role=indicator.accountable_role,
        ratio=indicator.is_ratio,
        dated=indicator.is_dated,
        sensitive=indicator.sensitive,
    )


def dimension_message(dimension: Dimension) -> reporting_pb2.Dimension:
    """The words of a dimension."""
    return reporting_pb2.Dimension(
        code=dimension.code,
        name_vi=dimension.name_vi,
        name_en=dimension.name_en,
        values=[
            reporting_pb2.DimensionValue(code=one.code, name_vi=one.name_vi, name_en=one.name_en)
            for one in dimension.values
        ],
    )


def add_figures(
    response: reporting_pb2.QueryIndicatorsResponse | reporting_pb2.IndicatorsUpdate,
    figures: Iterable[Figure],
    names: Mapping[int, str],
) -> None:
    """Append figures with their units' names; only what is there is set, since answers hold thousands."""
    for figure in figures:
        fill_figure(response.figures.add(), figure, names)


def fill_figure(message: reporting_pb2.Figure, figure: Figure, names: Mapping[int, str]) -> None:
    """Write one figure into a message."""
    code, unit, values, value, numerator, denominator, completeness, suppressed = figure
    message.indicator, message.unit_id, message.unit_name = code, unit, names[unit]
    if values:
        message.dimension_values.extend(values)
    if value is not None:
        message.value = value
    if numerator is not None:
        message.numerator = numerator
    if denominator is not None:
        message.denominator = denominator
    if suppressed:
        message.suppressed = True
    message.reporting_school_count, message.expected_school_count = completeness


def timestamp(instant: datetime | None) -> Timestamp | None:
    """An instant on the wire."""
    if instant is None:
        return None
    message = Timestamp()
    message.FromDatetime(instant)
    return message
