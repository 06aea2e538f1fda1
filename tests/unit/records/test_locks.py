"""Which lock a record stands under."""

from datetime import UTC, date, datetime

import pytest

from services.records.domain.locks import Lock, OpenLocks, Place, period_fits, place_of
from services.records.domain.objects import BY_COLLECTION, SPECS, ObjectSpec

NOW = datetime(2027, 1, 20, 2, tzinfo=UTC)
RESULTS, ATTENDANCE, PUPILS = (BY_COLLECTION[name] for name in ("results", "attendance", "pupils"))


def lock(collection: str, school_year: int = 2026, period: str = "", *, school_id: int = 1, lock_id: int = 1) -> Lock:
    """An open lock."""
    return Lock(school_id, lock_id, collection, school_year, period, "chốt", NOW, "giamdoc@so")


def row(spec: ObjectSpec, *, school_id: int = 1, key: str = "k", **values: object) -> list[object]:
    """The columns of a record."""
    given = {"school_id": school_id, "key": key, "school_year": 2026} | values
    return [given.get(name, "") for name in spec.row]


def test_a_record_stands_in_its_year_and_part_of_it():
    """Results in a stage, registers in a month, everything else in the year alone."""
    assert place_of(RESULTS, row(RESULTS, stage="CK1")) == Place(2026, "CK1")
    assert place_of(ATTENDANCE, row(ATTENDANCE, day=date(2027, 1, 5))) == Place(2026, "2027-01")
    assert {place_of(spec, row(spec)) for spec in SPECS if not spec.period} == {Place(2026, "")}


def test_a_lock_closes_its_own_place_and_no_other():
    """Another school, collection, year or stage stays open; a year's lock closes every stage of it."""
    open_locks = OpenLocks([lock("results", period="CK1"), lock("results", 2025, lock_id=2)])

    def over(place: Place, spec: ObjectSpec = RESULTS, school_id: int = 1) -> int:
        found = open_locks.over(spec, school_id, place)
        return found.lock_id if found else 0

    assert over(Place(2026, "CK1")) == 1
    assert [over(Place(2025, stage)) for stage in ("GK1", "CN")] == [2, 2]
    assert over(Place(2026, "CN")) == 0
    assert over(Place(2027, "CK1")) == 0
    assert over(Place(2026, "CK1"), school_id=2) == 0
    assert over(Place(2026, "CK1"), ATTENDANCE) == 0
    assert open_locks.concern(RESULTS)
    assert not open_locks.concern(PUPILS)


def test_a_row_meets_the_locks_where_it_goes_and_where_its_record_stands():
    """A record is moved neither into what is closed nor out of it; a deleted row counts where the record stands."""
    open_locks = OpenLocks([lock("pupils", 2025)])
    stood = {"HS1": Place(2025, ""), "HS2": Place(2026, "")}

    def locked(key: str, school_year: int) -> bool:
        values = row(PUPILS, key=key, school_year=school_year)
        return open_locks.broken_by(PUPILS, values, stood=stood.get(key)) is not None

    deleted = 0  # the year of a row without content
    assert [locked("HS1", year) for year in (2025, 2026, deleted)] == [True, True, True]
    assert [locked("HS2", year) for year in (2025, 2026, deleted)] == [True, False, False]
    assert [locked("new", year) for year in (2025, 2026, deleted)] == [True, False, False]


@pytest.mark.parametrize(
    ("collection", "period", "fits"),
    [
        ("results", "CK1", True),
        ("results", "2026-11", False),
        ("attendance", "2026-09", True),
        ("attendance", "2027-05", True),
        ("attendance", "2028-01", False),
        ("attendance", "2025-12", False),
        ("attendance", "CN", False),
        ("pupils", "CN", False),
        ("profiles", "2026-09", False),
    ],
)
def test_a_period_is_one_of_the_collection_and_year(collection: str, period: str, *, fits: bool):
    """A lock that no record could ever stand under is refused; the whole year fits all."""
    assert period_fits(BY_COLLECTION[collection], 2026, period) is fits
    assert period_fits(BY_COLLECTION[collection], 2026, "")
