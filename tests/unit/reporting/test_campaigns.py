"""Whom a campaign asks: schools and childcare groups of its levels."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from chassis.scopes import ScopeEdge, ScopeTree, ScopeUnit
from chassis.testing import FixedClock
from services.reporting.usecases.campaigns import schools_for

NOW = datetime(2026, 11, 24, tzinfo=UTC)
ABOVE = (ScopeEdge(1),)
TREE = ScopeTree(
    [
        ScopeUnit(1, "commune", "C"),
        ScopeUnit(10, "school", "Kindergarten", ("level:01",), edges=ABOVE),
        ScopeUnit(11, "school", "Primary", ("level:02",), edges=ABOVE),
        ScopeUnit(12, "childcare_group", "Group", ("level:01",), edges=ABOVE),
        ScopeUnit(13, "site", "Site", ("level:01",), edges=(ScopeEdge(10),)),
    ]
)


@pytest.mark.parametrize(("levels", "asked"), [(("01",), [10, 12]), (("02",), [11]), ((), [10, 11, 12])])
def test_a_form_for_preschools_is_asked_of_childcare_groups_too(levels: Sequence[str], asked: list[int]) -> None:
    """Sites report with their school."""
    assert schools_for(TREE, 1, levels, FixedClock(NOW)) == asked
