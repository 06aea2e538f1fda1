"""Who an extract may still be made for on the day on which it is made."""

from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from chassis.scopes import ScopeGrant, ScopeTree, ScopeUnit
from services.reporting.domain.extracts import Extract, Wanted
from services.reporting.usecases.extracting import Extracts

DAY = date(2026, 11, 2)
NOW = datetime(2026, 11, 2, 3, tzinfo=UTC)


def _extracts(grants: dict[str, str]) -> Extracts:
    held = [ScopeGrant(number, who, role, 1, "administrative") for number, (who, role) in enumerate(grants.items(), 1)]
    tree = ScopeTree([ScopeUnit(1, "province", "P")], held)
    unused = cast("Any", None)
    scopes, clock = cast("Any", SimpleNamespace(tree=tree)), cast("Any", SimpleNamespace(today=lambda: DAY))
    return Extracts(unused, scopes, clock, unused)


def _extract() -> Extract:
    wanted = Wanted(1, 2026, ("sex",), (), "csv", "vi", "Luận án")
    return Extract(7, wanted, "asking", NOW, "approving", NOW, 9, "", None, "")


@pytest.mark.parametrize(
    ("grants", "may"),
    [
        ({"asking": "officer", "approving": "director"}, True),
        ({"asking": "administrator", "approving": "administrator"}, True),
        ({"asking": "officer"}, False),
        ({"approving": "director"}, False),
        ({"asking": "auditor", "approving": "director"}, False),
        ({"asking": "officer", "approving": "officer"}, False),
        ({}, False),
    ],
)
def test_an_extract_is_made_as_long_as_both_may_still_do_what_they_did(grants: dict[str, str], *, may: bool) -> None:
    """Who asked may ask, and who approved approve, on the day on which it is made."""
    assert _extracts(grants).may(_extract()) is may
