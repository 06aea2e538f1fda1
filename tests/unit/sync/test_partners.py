"""Connections: when two are in each other's way, what they admit, and in which state they are."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from iocedu.records.v1.resources_pb2 import Row

from services.sync.domain.collections import COLLECTIONS
from services.sync.domain.partners import ConnectionState, PartnerConnection, PartnerKey, pushable

FIRST = date(2026, 9, 1)
DAYS = st.integers(0, 30).map(lambda number: FIRST + timedelta(days=number))
NAMES = st.sets(st.sampled_from(["pupils", "results", "staff"]), min_size=1)
AT = datetime(2026, 9, 1, tzinfo=UTC)


def connection(collections: set[str], valid_from: date, valid_to: date | None) -> PartnerConnection:
    """A connection with these terms."""
    named = tuple(sorted(collections))
    return PartnerConnection(1, 2, "edusoft", named, valid_from, valid_to, 3, "an", "", AT, "", "", None, 0)


def _holds(one: PartnerConnection, day: date) -> bool:
    return one.valid_from <= day and (one.valid_to is None or day < one.valid_to)


@given(NAMES, DAYS, st.none() | DAYS, NAMES, DAYS, st.none() | DAYS)
def test_two_connections_meet_where_they_share_a_collection_on_some_day(
    mine: set[str], start: date, end: date | None, theirs: set[str], begins: date, ends: date | None
) -> None:
    """As going through the days one by one would find, and the same either way."""
    one, other = connection(mine, start, end), connection(theirs, begins, ends)
    days = [FIRST + timedelta(days=number) for number in range(40)]
    expected = bool(mine & theirs) and any(_holds(one, day) and _holds(other, day) for day in days)
    if ends is None or begins < ends:  # Terms that are asked for have a day.
        assert one.meets(collections=theirs, valid_from=begins, valid_to=ends) == expected


@given(start=DAYS, end=st.none() | DAYS, day=DAYS, granted=st.booleans())
def test_a_connection_is_in_force_only_on_its_days_and_with_its_grant(
    *, start: date, end: date | None, day: date, granted: bool
) -> None:
    """Without the grant it never claims to be."""
    state = connection({"pupils"}, start, end).state(day, granted=granted)
    assert (state is ConnectionState.IN_FORCE) == (_holds(connection({"pupils"}, start, end), day) and granted)


def test_what_may_be_pushed_is_what_the_connections_name_together() -> None:
    """By the record a row holds; every record of the interface has its collection."""
    held = [connection({"pupils"}, FIRST, None), connection({"results", "staff"}, FIRST, None)]
    assert pushable(held) == {"pupil", "result", "staff_member"}
    assert pushable([]) == frozenset()
    assert set(COLLECTIONS) == {field.name for field in Row.DESCRIPTOR.oneofs_by_name["record"].fields}


@given(start=st.integers(-5, 5), end=st.none() | st.integers(-5, 5), revoked=st.booleans(), now=st.integers(-5, 5))
def test_a_key_that_holds_may_hold_and_a_revoked_one_never_does(
    *, start: int, end: int | None, revoked: bool, now: int
) -> None:
    """Whatever its days."""

    def at(hours: int) -> datetime:
        return AT + timedelta(hours=hours)

    until, gone = None if end is None else at(end), AT if revoked else None
    key = PartnerKey("edusoft", "k1", "ES256", {}, at(start), until, gone, "", "", AT, "an")
    assert not key.holds(at(now)) or key.may_hold(at(now))
    assert not (revoked and key.may_hold(at(now)))
    assert key.holds(at(now)) == (not revoked and start <= now and (end is None or now < end))
