"""Pages of the records behind a figure, when records go between the count and the look."""

from collections.abc import Sequence
from contextlib import asynccontextmanager
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from chassis.scopes import ScopeTree
from services.reporting.store.catalogue import load_catalogue
from services.reporting.usecases import recorded
from services.reporting.usecases.querying import Question
from services.reporting.usecases.recorded import FigureRecords, enough_of

COUNTS = {1: 3, 2: 2, 3: 4}


def test_schools_are_looked_through_until_they_fill_a_page() -> None:
    """The first may have been read already; more than a page tells that there is another."""
    assert enough_of([1, 2, 3], COUNTS, limit=1) == 2
    assert enough_of([1, 2, 3], COUNTS, limit=2) == 3
    assert enough_of([1], COUNTS, limit=1) == 1
    assert enough_of([], COUNTS, limit=1) == 0


async def _pages(monkeypatch: pytest.MonkeyPatch, there: Sequence[tuple[int, str]]) -> list[list[tuple[int, str]]]:
    """All pages of two, as counted before and found now."""

    async def facts_page(_connection: Any, _wanted: Any, *, schools: Sequence[int], after: Any, limit: int, **_: Any):
        return [(school, key, key) for school, key in there if school in schools and (school, key) > after][:limit]

    async def explain(*_: Any, **__: Any) -> Any:
        contributions = [SimpleNamespace(school=one, numerator=count, denominator=0) for one, count in COUNTS.items()]
        indicator = load_catalogue().find("pupils")
        return SimpleNamespace(indicator=indicator, contributions=contributions, school_year=2026)

    @asynccontextmanager
    async def connection():
        yield None

    class Shown:
        async def show(self, _collection: str, names: Sequence[tuple[int, str]], **_: Any) -> list[Any]:
            return [SimpleNamespace(school_id=school, key=key) for school, key in names]

    monkeypatch.setattr(recorded, "facts_page", facts_page)
    database: Any = SimpleNamespace(connection=connection)
    explanations: Any = SimpleNamespace(
        explain=explain, questions=SimpleNamespace(mirror=SimpleNamespace(database=database))
    )
    figures, shown = FigureRecords(explanations, Shown()), []  # type: ignore[arg-type]  # nothing is asked of records
    after: tuple[int, str] | None = (0, "")
    while after is not None:
        page = await figures.page(
            Question("1", ("pupils",)),
            (),
            denominator=False,
            purpose="x",
            after=after,
            limit=2,
            tree=ScopeTree([]),
            today=date(2026, 11, 2),
        )
        shown.append([(record.school_id, record.key) for record, _ in page.records])
        after = page.after
    return shown


@pytest.mark.parametrize(
    "there",
    [
        [(school, f"{place}") for school, count in COUNTS.items() for place in range(count)],
        [(3, "0"), (3, "1"), (3, "2"), (3, "3")],  # Those of two schools have gone.
        [(1, "0")],
        [],
    ],
)
async def test_every_record_that_is_there_is_on_one_page(monkeypatch, there) -> None:
    """Fewer than were counted, or none, end neither the pages nor the call."""
    assert [one for page in await _pages(monkeypatch, there) for one in page] == there
