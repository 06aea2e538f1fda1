"""What may be delegated, for how long and where; and the way on which a grant reaches a unit."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from services.records.domain.delegating import Delegation, days_below, hindrance
from services.records.domain.explaining import administrators_by_settings, counted, holding, remedies, way_up
from services.records.domain.grants import DELEGABLE, EVERY_UNIT, ROLES, Grant
from services.records.domain.spans import Span
from services.records.domain.units import Edge

TODAY = date(2026, 11, 2)
END = date(2026, 12, 1)
CLERK = Grant(7, "c@a", "clerk", 3, "administrative", Span(date(2026, 9, 1)), datetime(2026, 9, 1, tzinfo=UTC), "admin")
ASKED = Delegation("p@a", 3, Span(TODAY, END))


def found(grant: Grant = CLERK, asked: Delegation = ASKED) -> str:
    """The reason of what stands in the way."""
    one = hindrance(grant, asked, today=TODAY, most_days=90)
    return one.reason if one else ""


def test_a_clerk_delegates_for_a_time():
    """Nothing stands in the way, not even on the longest term's last day."""
    assert found() == ""
    assert found(asked=replace(ASKED, span=Span(TODAY, date(2027, 1, 31)))) == ""


@pytest.mark.parametrize(
    ("grant", "asked", "reason"),
    [
        (replace(CLERK, delegated_from=1), ASKED, "NOT_DELEGABLE"),
        (CLERK, replace(ASKED, subject="c@a"), "DELEGATION_TO_ONESELF"),
        (CLERK, replace(ASKED, span=Span(date(2026, 11, 1), END)), "DELEGATION_IN_THE_PAST"),
        (CLERK, replace(ASKED, span=Span(TODAY, date(2027, 2, 1))), "DELEGATION_TOO_LONG"),
        (replace(CLERK, span=Span(None, date(2026, 11, 30))), ASKED, "DELEGATION_BEYOND_GRANT"),
        (replace(CLERK, span=Span(date(2026, 11, 3))), ASKED, "DELEGATION_BEYOND_GRANT"),
    ],
)
def test_what_may_not_be_is_refused_with_its_reason(grant: Grant, asked: Delegation, reason: str):
    """Each by itself."""
    assert found(grant, asked) == reason


@pytest.mark.parametrize("role", sorted(ROLES))
def test_only_roles_that_are_named_are_delegable(role: str):
    """A role that is new is not, until someone says so."""
    assert (found(replace(CLERK, role=role)) == "") == (role in DELEGABLE)


def test_a_unit_lies_below_another_until_the_first_day_it_does_not():
    """Its own edges and those further up count, each on its days; there may be another way."""
    turn, back = date(2026, 11, 20), date(2026, 11, 25)
    edges = {
        1: [Edge(2, "administrative", Span(None, turn)), Edge(5, "administrative", Span(turn))],
        2: [Edge(3, "administrative", Span())],
        5: [Edge(3, "administrative", Span(back))],
    }
    days = Span(TODAY, END)

    def below(unit_id: int, above: int, span: Span = days) -> Span | None:
        return days_below(unit_id, above, span, lambda one: edges.get(one, ()))

    assert below(1, 1) == below(1, EVERY_UNIT) == days
    assert below(1, 2) == below(1, 3) == Span(TODAY, turn)
    assert below(1, 5) is None
    assert below(1, 3, Span(back, END)) == Span(back, END)
    assert below(3, 1) is None


def test_the_way_up_is_the_shortest_from_unit_to_grant():
    """Both ends included; of the unit itself, itself."""
    parents = {1: (2, 3), 2: (4,), 3: (5,), 4: (6,), 5: (4,)}
    assert way_up(1, 6, lambda one: parents.get(one, ())) == (1, 2, 4, 6)
    assert way_up(1, 1, lambda one: parents.get(one, ())) == (1,)
    assert way_up(6, 1, lambda one: parents.get(one, ())) == ()


def test_a_revoked_grant_counts_until_the_day_before():
    """And only on days of its own."""
    assert counted(CLERK, TODAY, None)
    assert counted(CLERK, TODAY, END)
    assert not counted(CLERK, TODAY, TODAY)
    assert not counted(CLERK, date(2026, 8, 31), None)


def test_what_would_help_is_where_somebody_near_gives_the_role():
    """Who stands in for a director gives nothing; a director gives no director."""
    director = replace(CLERK, role="director", subject="d")
    near, far = holding(replace(director, delegated_from=1), (3,)), holding(director, (3, 2))
    helps = remedies({"clerk", "director"}, [near, far, *administrators_by_settings(["admin"])])
    assert [(one.role, one.given_by, one.unit_id) for one in helps] == [
        ("clerk", ("administrator", "director"), 2),
        ("director", ("administrator",), EVERY_UNIT),
    ]
