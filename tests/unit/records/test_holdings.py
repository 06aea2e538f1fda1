"""What differs between a sender and the centre: every key is told once, and told right."""

from hypothesis import given
from hypothesis import strategies as st

from services.records.domain.holdings import compare
from services.records.domain.versions import DELETED_HASH, Stored

KEYS = st.sampled_from("abcdef")
SENT = st.dictionaries(KEYS, st.integers(1, 3))
HELD = st.dictionaries(
    KEYS, st.builds(Stored, st.integers(1, 3), st.sampled_from([DELETED_HASH, 7]), st.sampled_from(["own", "other"]))
)


@given(sent=SENT, held=HELD)
def test_sending_what_is_told_and_taking_over_what_is_ahead_leaves_no_difference(
    sent: dict[str, int], held: dict[str, Stored]
):
    """The lists are a recipe: whoever follows it has the same as the centre, key by key, whatever the start."""
    present = [key for key, one in held.items() if one.source == "own" and one.content_hash != DELETED_HASH]
    found = compare(sent, held, source="own", present=present)

    lists = [found.missing, found.behind, found.ahead, found.deleted, found.surplus, found.foreign]
    told = [key for keys in lists for key in keys]
    assert len(told) == len(set(told))
    assert found.same + len(told) == len(set(sent) | set(present))
    assert all(keys == sorted(keys) for keys in lists)

    mine, theirs = dict(sent), dict(held)
    for key in found.missing + found.behind:
        theirs[key] = Stored(mine[key], 7, "own")
    for key in found.ahead + found.surplus:
        mine[key] = theirs[key].version
    for key in found.deleted + found.foreign:
        mine.pop(key, None)
    live = {key: one.version for key, one in theirs.items() if one.source == "own" and one.content_hash != DELETED_HASH}
    assert mine == live
