"""Rows are taken apart completely, and what is wrong with one does not touch its neighbours."""

import asyncio
from datetime import UTC, date, datetime
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iocedu.records.v1 import records_pb2, resources_pb2, results_pb2

from services.records.convert import incoming
from services.records.convert.events import MOST_BYTES, changed_keys, pack_changes
from services.records.domain import problems
from services.records.domain.objects import BY_FIELD, HEAD, SPECS, Kind
from services.records.domain.problems import Problem

NOW = datetime(2026, 11, 2, tzinfo=UTC)


def _school(ref: str) -> int | Problem:
    return {"moet:A": 7}.get(ref) or problems.unknown_unit(ref)


async def _read(*rows: resources_pb2.Row) -> incoming.Batch:
    request = records_pb2.ApplyRowsRequest(request_id="r", source="vnedu", rows=rows)
    return await incoming.read_batch(request, school=_school)


def _row(key: str = "HS1", *, school: str = "moet:A", **record: Any) -> resources_pb2.Row:
    return resources_pb2.Row(school=school, key=key, version=1, **record)


def test_the_column_table_names_every_field_of_every_record():
    """A field added to the interface without a column would be lost: this says so."""
    for spec in SPECS:
        message = resources_pb2.Row.DESCRIPTOR.fields_by_name[spec.field].message_type
        assert message is not None
        named = {column.name for column in spec.columns} | {"further"}
        assert named == {field.name for field in message.fields}, spec.field
        assert resources_pb2.ObjectType.Name(cast("Any", spec.number)).removeprefix("OBJECT_TYPE_").lower() in {
            spec.field,
            "school",
        }


def test_plain_columns_come_first():
    """They are taken by one getter; the others follow."""
    plain = {Kind.TEXT, Kind.INTEGER, Kind.FLAG}
    for spec in SPECS:
        kinds = [column.kind in plain for column in spec.columns]
        assert kinds == sorted(kinds, reverse=True), spec.field


MARK = results_pb2.SubjectMark(subject="T", mark=0)
RECORDS: dict[str, Any] = {
    "school_profile": resources_pb2.School(school_year=2026, name="THCS A", levels=["02", "03"], two_session=True),
    "staff_member": resources_pb2.StaffMember(school_year=2026, full_name="Lê An", status="01"),
    "school_class": resources_pb2.SchoolClass(school_year=2026, name="6A", grade="06", level="03"),
    "pupil": resources_pb2.Pupil(school_year=2026, full_name="Lê An", birth_date="2014-03-09", further={"A": "ư"}),
    "attendance_register": resources_pb2.AttendanceRegister(
        class_key="6A",
        day="2026-11-02",
        session=1,
        exceptions=[resources_pb2.AttendanceException(pupil_key="HS1", kind="P")],
    ),
    "result": results_pb2.Result(
        pupil_key="HS1", stage="CN", promoted=False, subject_marks=[MARK, results_pb2.SubjectMark(subject="V")]
    ),
}


@pytest.mark.parametrize("name", list(RECORDS))
async def test_every_type_becomes_one_value_per_column(name: str):
    """The tuple fits the table's columns, for a record and for a tombstone."""
    spec = BY_FIELD[name]
    batch = await _read(_row("1", **{name: RECORDS[name]}), _row("2", deleted=True, **{name: RECORDS[name]}))
    alive, gone = await incoming.column_values(spec, batch.entries[spec], batch=batch, now=NOW)
    assert len(alive) == len(gone) == len(spec.row)
    stored = dict(zip(spec.row, alive, strict=True))
    assert stored["school_id"] == 7
    assert gone[HEAD.index("deleted")] is True
    assert not any(value for value in gone[len(HEAD) :])


async def test_lists_optional_values_and_dates_are_kept_losslessly():
    """A mark of zero differs from no mark, not promoted from not known, and what else is named is kept."""
    batch = await _read(*(_row("1", **{name: RECORDS[name]}) for name in ("result", "pupil")))
    (result,) = await incoming.column_values(
        BY_FIELD["result"], batch.entries[BY_FIELD["result"]], batch=batch, now=NOW
    )
    kept = dict(zip(BY_FIELD["result"].row, result, strict=True))
    assert kept["subject_marks"] == '[{"subject": "T", "mark": 0.0}, {"subject": "V"}]'
    assert kept["promoted"] is False
    (pupil,) = await incoming.column_values(BY_FIELD["pupil"], batch.entries[BY_FIELD["pupil"]], batch=batch, now=NOW)
    kept = dict(zip(BY_FIELD["pupil"].row, pupil, strict=True))
    assert kept["birth_date"] == date(2014, 3, 9)
    assert kept["further"] == '{"A": "ư"}'
    assert kept["search_name"] == "le an"


async def test_rows_with_problems_are_named_and_their_neighbours_are_read():
    """No record, no such school, a key twice, a zero byte, too long a record, a date that is none."""
    good = resources_pb2.Pupil(full_name="Lê An")
    batch = await _read(
        _row("0", pupil=good),
        _row("1"),
        _row("2", school="moet:X", pupil=good),
        _row("0", pupil=good),
        _row("4", pupil=resources_pb2.Pupil(full_name="a\0b")),
        _row("5\0", pupil=good),
        _row("6", pupil=resources_pb2.Pupil(further={"x": "y" * 300_000})),
        _row("7", pupil=resources_pb2.Pupil(birth_date="2015-02-29")),
        _row("0", school_class=resources_pb2.SchoolClass(name="6A")),
    )
    spec = BY_FIELD["pupil"]
    values = await incoming.column_values(spec, batch.entries[spec], batch=batch, now=NOW)
    assert {index: (one.reason, one.field) for index, one in batch.problems.items()} == {
        1: ("NO_RECORD", "record"),
        2: ("UNKNOWN_UNIT", "school"),
        3: ("DUPLICATE_KEY", "key"),
        4: ("INVALID_TEXT", "pupil"),
        5: ("INVALID_TEXT", "key"),
        6: ("ROW_TOO_LARGE", "record"),
        7: ("INVALID_DATE", "pupil.birth_date"),
    }
    assert [value[HEAD.index("key")] for value in values] == ["0"]
    assert "dòng 1" in batch.problems[3].message
    assert batch.problems[3].metadata == {"first_index": "0"}


async def test_events_hold_a_thousand_changes_or_256_kb_and_keep_the_order():
    """What left in several events is what was accepted, in the order sent."""
    small = [_row(str(number), pupil=resources_pb2.Pupil(full_name="x")) for number in range(2500)]
    large = [_row(f"L{number}", pupil=resources_pb2.Pupil(further={"x": "y" * 4000})) for number in range(100)]
    batch = await _read(*small, *large)
    packed = await pack_changes(batch, [(index, 7, BY_FIELD["pupil"]) for index in range(2600)])
    assert [event.count for event in packed[:2]] == [1000, 1000]
    assert all(len(event.payload) <= MOST_BYTES + 10_000 for event in packed)
    keys = [key for event in packed for _, _, key, _ in changed_keys(event.payload)]
    assert keys == [row.key for row in batch.rows]


async def test_rows_that_give_each_other_their_keys_are_refused_and_others_by_what_is_wrong_with_them():
    """A circle as one; a row of no school, or of nothing, that names a previous key is what it is."""
    pupil = resources_pb2.Pupil(full_name="Lê An")
    batch = await _read(
        _row("b", previous_key="a", pupil=pupil),
        _row("c", previous_key="d", school="moet:X", pupil=pupil),
        _row("e", previous_key="f"),
        _row("a", previous_key="b", pupil=pupil),
        _row("g", previous_key="h", pupil=pupil),
    )
    assert {index: one.reason for index, one in batch.problems.items()} == {
        0: "KEY_CYCLE",
        1: "UNKNOWN_UNIT",
        2: "NO_RECORD",
        3: "KEY_CYCLE",
    }


RENAMING = st.builds(
    lambda key, previous, version, deleted: resources_pb2.Row(
        school="1", key=key, previous_key=previous, version=version, deleted=deleted, pupil=resources_pb2.Pupil()
    ),
    st.sampled_from("abcde"),
    st.sampled_from(["", "a", "b", "c", "d", "e"]),
    st.integers(1, 4),
    st.booleans(),
)


@given(st.lists(RENAMING, max_size=8))
def test_whatever_keys_a_batch_changes_each_row_is_taken_once_and_no_key_goes_round(
    rows: list[resources_pb2.Row],
):
    """Refused, stored, or followed by the row under whose key its record goes on; a key stands for one row."""
    request = records_pb2.ApplyRowsRequest(request_id="r", source="vnedu", rows=rows)
    batch = asyncio.run(asyncio.wait_for(incoming.read_batch(request, school=lambda _: 1), 5))

    stored = [entry[-1] for entries in batch.entries.values() for entry in entries]
    sent = [index for index in stored if index < batch.count]
    assert sorted([*sent, *batch.followed, *batch.problems]) == list(range(len(rows)))
    keys = [batch.rows[index].key for index in stored]
    assert len(keys) == len(set(keys))
    for index in batch.followed:
        last = batch.last(index)
        assert last in sent
        assert batch.rows[index].version <= batch.rows[last].version
        assert rows[index].previous_key in batch.keys_before(last)
    assert {batch.renamed[one] for one in stored if one >= batch.count} <= {*sent, *batch.followed}
