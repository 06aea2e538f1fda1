"""The real reforms of 2025-01-01 and 2025-07-01: told as operations they leave what their import leaves."""

from collections import Counter
from datetime import date

import pytest

from services.records.domain.forest import Forest
from services.records.domain.units import ADMINISTRATIVE
from tests.unit.records.forests import view
from tests.unit.records.reforms import REFORMS, Reform, imported, rewound

BEFORE, BETWEEN, AFTER = date(2024, 12, 31), date(2025, 3, 1), date(2025, 7, 2)
LOOKED_AT = [BEFORE, date(2025, 1, 1), BETWEEN, date(2025, 6, 30), date(2025, 7, 1), AFTER, date(2030, 1, 1)]


@pytest.fixture(scope="module")
def end() -> Forest:
    """Everything as imported."""
    return imported()


def _counts(forest: Forest, root: str, day: date) -> Counter[str]:
    seen = view(forest.units(), day)
    found: Counter[str] = Counter()
    waiting = [forest.resolve(root, day)]
    while waiting:
        above = waiting.pop()
        below = [unit_id for unit_id, one in seen.items() if (ADMINISTRATIVE, above) in one.parents]
        found.update(seen[unit_id].kind for unit_id in below)
        waiting += below
    return found


def test_applying_the_reforms_on_the_old_units_equals_importing_the_new_ones(end: Forest):
    """On every day, before and after, and in what became of each unit."""
    forest = rewound(end)
    told: Counter[str] = Counter()
    for day in REFORMS:
        reform = Reform(end, forest, day)
        reform.run()
        told.update(type(operation).__name__ for operation, _ in reform.done)
    for day in LOOKED_AT:
        assert view(forest.units(), day) == view(end.units(), day), day
    for one in end.units():
        assert set(forest.unit(one.unit_id).successions) == set(one.successions)
    assert told["MergeUnits"] > 90
    assert told["SplitUnit"] == 1
    assert told["DissolveUnit"] == 26


def test_the_old_province_is_counted_as_of_its_days(end: Forest):
    """18 districts until 2024, 17 from 2025-01-01 on; 94 communes of the new city from 2025-07-01 on."""
    assert _counts(end, "gso:49", BEFORE) == {"department": 1, "district": 18, "commune": 241}
    assert _counts(end, "gso:49", BETWEEN) == {"department": 1, "district": 17, "commune": 234}
    assert end.resolve("gso:49", AFTER) is None
    assert _counts(end, "gso:48", AFTER) == {"department": 1, "commune": 94}
