"""Changes as rows of facts, figures as messages."""

import pytest
from iocedu.records.v1 import records_pb2, resources_pb2
from iocedu.reporting.v1 import reporting_pb2

from chassis.errors import Fault, Kind
from services.reporting import convert
from services.reporting.domain.figures import ClassFigures, Completeness, Figure, SchoolFigures


def _pupil(key: str, **fields) -> records_pb2.Change:
    pupil = resources_pb2.Pupil(school_year=2026, level="02", grade="03", status="01", class_key="A", **fields)
    row = resources_pb2.Row(school="moet:1", key=key, version=1, pupil=pupil)
    return records_pb2.Change(school_id=7, type=resources_pb2.OBJECT_TYPE_PUPIL, row=row)


async def test_the_changes_of_an_event_have_positions_one_after_the_other() -> None:
    """Also those that no figure counts take their place."""
    other = records_pb2.Change(school_id=7)
    rows = await convert.fact_rows([_pupil("a"), other, _pupil("b")], first=40)
    assert [(row[2], row[3]) for row in rows] == [("a", 40), ("b", 42)]


async def test_the_changes_of_the_feed_have_their_own_positions() -> None:
    """A page of the feed has gaps, since it holds each record's newest change only."""
    changes = [_pupil("a"), _pupil("b")]
    changes[0].position, changes[1].position = 5, 900
    assert [row[3] for row in await convert.fact_rows(changes)] == [5, 900]


async def test_a_thousand_changes_keep_their_order_over_slices() -> None:
    """The loop is let go between slices; no change is lost or moved by that."""
    rows = await convert.fact_rows([_pupil(f"p{number}") for number in range(1200)], first=1)
    assert [(row[2], row[3]) for row in rows] == [(f"p{number}", number + 1) for number in range(1200)]


async def test_a_deleted_record_becomes_a_row_of_no_year_and_no_status() -> None:
    """Only its type is read."""
    change = _pupil("a", sex="2", ethnic_group="26")
    change.row.deleted = True
    (row,) = await convert.fact_rows([change], first=1)
    assert row == (7, "pupils", "a", 1, 0, "", "", "", "", "", "", None)


async def test_a_pupil_without_sex_is_of_unknown_sex() -> None:
    """One code stands for not known."""
    (row,) = await convert.fact_rows([_pupil("a", ethnic_group="26")], first=1)
    assert row == (7, "pupils", "a", 1, 2026, "02", "03", "0", "26", "A", "", "01")


async def test_a_person_who_counts_elsewhere_has_a_status_that_no_rule_counts() -> None:
    """The pupil stays in class and school, and in no figure of theirs."""
    change = _pupil("a", ethnic_group="26")
    change.counted_elsewhere = True
    (row,) = await convert.fact_rows([change], first=1)
    assert row == (7, "pupils", "a", 1, 2026, "02", "03", "0", "26", "A", "", "elsewhere")
    change.row.pupil.secondary = True
    [row] = await convert.fact_rows([change])
    assert row[-1] == f"beside:{change.row.pupil.status}", "a second enrolment sits here all the same"


async def test_classes_and_staff_become_rows_of_their_measures() -> None:
    """A class is its own class; staff have no grade."""
    group = resources_pb2.Row(
        key="A", school_class=resources_pb2.SchoolClass(school_year=2026, name="3A", grade="03", level="02")
    )
    member = resources_pb2.Row(
        key="T1", staff_member=resources_pb2.StaffMember(school_year=2026, sex="2", ethnic_group="01", status="01")
    )
    rows = await convert.fact_rows(
        [
            records_pb2.Change(school_id=7, type=resources_pb2.OBJECT_TYPE_SCHOOL_CLASS, row=group),
            records_pb2.Change(school_id=7, type=resources_pb2.OBJECT_TYPE_STAFF_MEMBER, row=member),
        ],
        first=1,
    )
    assert rows == [
        (7, "classes", "A", 1, 2026, "02", "03", "", "", "A", "3A", "01"),
        (7, "staff", "T1", 2, 2026, "", "", "2", "01", "", "", "01"),
    ]


@pytest.mark.parametrize("headers", [{}, {"iocedu-position": "soon"}])
def test_an_event_without_its_position_is_refused_for_good(headers: dict[str, str]) -> None:
    """No repetition would bring the position: the event goes to the dead letters at once."""
    with pytest.raises(Fault) as caught:
        convert.first_position(headers)
    assert (caught.value.kind, caught.value.reason) == (Kind.INVALID, "NO_POSITION")


def test_an_event_of_changed_figures_holds_at_most_a_thousand() -> None:
    """Schools come first; nothing is lost at the cut, and nothing changed is no event."""
    schools = [SchoolFigures(n, 2026, 1, 2, 3, 4) for n in range(600)]
    classes = [ClassFigures(1, 2026, f"c{n}", "3A", "03", 36, 35, "TT", active=True, version=4) for n in range(600)]
    first, second = convert.figures_changed(schools, classes, backfill=True)
    assert [(len(event.schools), len(event.classes)) for event in (first, second)] == [(600, 400), (0, 200)]
    assert first.backfill
    assert second.backfill
    assert list(convert.figures_changed([], [], backfill=False)) == []


def test_missing_data_and_withheld_data_have_no_value_but_zero_has() -> None:
    """Missing is not zero, and withheld says so."""
    response = reporting_pb2.QueryIndicatorsResponse()
    complete = Completeness(1, 2)
    figures = [
        Figure("pupils", 1, (), None, None, None, complete),
        Figure("pupils", 1, (), 0.0, None, None, complete),
        Figure("pupils", 1, ("26",), None, None, None, complete, suppressed=True),
        Figure("girls_share", 1, (), 0.0, 0, 5, complete),
    ]
    convert.add_figures(response, figures, {1: "P"})
    missing, zero, hidden, ratio = response.figures
    assert (missing.HasField("value"), zero.HasField("value"), hidden.HasField("value")) == (False, True, False)
    assert hidden.suppressed
    assert (ratio.numerator, ratio.denominator, ratio.HasField("numerator")) == (0, 5, True)
    assert (zero.reporting_school_count, zero.expected_school_count) == (1, 2)
