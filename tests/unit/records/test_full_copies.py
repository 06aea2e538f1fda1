"""What a source told completely outdates of its own rows that come late."""

from dataclasses import replace

import pytest

from services.records.domain.full_copies import FullCopies, FullCopy, number_of

TOLD = FullCopy(7, "pupils", 2026, "vnedu", version=10, awaited=frozenset({number_of("HS1")}))


@pytest.mark.parametrize(("version", "late"), [(9, True), (10, False), (11, False)])
def test_only_what_is_below_the_version_that_was_told_completely_comes_late(version: int, *, late: bool) -> None:
    """A row of that very version may stand in another batch of the same declaration."""
    assert FullCopies([TOLD]).outdate(replace(TOLD, version=version), "HS9") is late


@pytest.mark.parametrize(("version", "known"), [(9, 10), (10, 10), (11, 11)])
def test_of_what_was_told_completely_the_last_of_the_highest_version_counts(version: int, known: int) -> None:
    """Under that very version it may be told again, with other keys that are awaited."""
    copies = FullCopies([TOLD])
    copies.take(replace(TOLD, version=version, awaited=frozenset({number_of("HS2")})))
    assert copies.outdate(replace(TOLD, version=known - 1), "HS9")
    assert not copies.outdate(replace(TOLD, version=known), "HS9")
    assert copies.outdate(replace(TOLD, version=1), "HS2") is (version < TOLD.version)


def test_what_stood_in_it_and_is_awaited_never_comes_late() -> None:
    """Nor does another source's row, or one of another year."""
    copies = FullCopies([TOLD])
    assert not copies.outdate(replace(TOLD, version=1), "HS1")
    assert not copies.outdate(replace(TOLD, version=1, source="smas"), "HS9")
    assert not copies.outdate(replace(TOLD, version=1, school_year=2025), "HS9")
