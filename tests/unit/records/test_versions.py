"""Rows may come in any order and any number of times: the same record remains."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from services.records.domain.sources import Owner
from services.records.domain.versions import Outcome, Stored, classify


def _apply(versions: list[tuple[int, int]]) -> Stored | None:
    held: Stored | None = None
    for version, content in versions:
        outcome = classify(held, version=version, content_hash=content, source="a")
        if outcome in (Outcome.NEW, Outcome.CHANGED):
            held = Stored(version, content, "a")
        elif outcome is Outcome.RAISED:
            assert held is not None
            held = held._replace(version=version)
    return held


# One source's history: each version has one content, and contents repeat.
HISTORIES = st.dictionaries(st.integers(1, 8), st.integers(0, 2), min_size=1).map(lambda found: sorted(found.items()))


@given(data=st.data(), history=HISTORIES)
def test_any_order_and_repetition_ends_in_the_newest_version(data: st.DataObject, history: list[tuple[int, int]]):
    """Whatever comes first, late or twice, the highest version and its content remain."""
    repeats = data.draw(st.lists(st.sampled_from(history)))
    order = data.draw(st.permutations(history + repeats))
    assert _apply(order) == Stored(*history[-1], "a")


def test_each_meeting_has_its_own_outcome():
    """New, changed, raised, unchanged, stale, reused and foreign are told apart."""
    held = Stored(5, 111, "a")
    assert classify(None, version=1, content_hash=1, source="a") is Outcome.NEW
    assert classify(held, version=6, content_hash=222, source="a") is Outcome.CHANGED
    assert classify(held, version=6, content_hash=111, source="a") is Outcome.RAISED
    assert classify(held, version=5, content_hash=111, source="a") is Outcome.UNCHANGED
    assert classify(held, version=5, content_hash=222, source="a") is Outcome.VERSION_REUSED
    assert classify(held, version=4, content_hash=111, source="a") is Outcome.STALE
    assert classify(held, version=9, content_hash=111, source="b") is Outcome.OTHER_SOURCE


def test_a_hand_over_decides_whose_rows_count():
    """The owner takes over what others sent, whatever the versions; nobody else sends, not even what is new."""
    held, owner = Stored(5, 111, "a"), Owner("b", datetime(2026, 11, 1, tzinfo=UTC))
    for version, content in ((1, 222), (5, 111), (9, 111)):
        assert classify(held, version=version, content_hash=content, source="b", owner=owner) is Outcome.CHANGED
    for stored in (None, held, held._replace(source="b")):
        assert classify(stored, version=9, content_hash=333, source="a", owner=owner) is Outcome.OTHER_SOURCE
    own = held._replace(source="b")
    assert classify(own, version=4, content_hash=111, source="b", owner=owner) is Outcome.STALE
    assert classify(None, version=1, content_hash=1, source="b", owner=owner) is Outcome.NEW
