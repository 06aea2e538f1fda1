"""What is shown of small groups: never a count of 1 to 4, nor anything such a count follows from."""

from services.reporting.domain.disclosure import SMALL, Block, disclose

WHOLE, EAST, WEST = 100, 101, 102


def _school(number: int, above: int, **counts: int) -> Block:
    return Block((), frozenset((number, above, WHOLE)), {group[1:]: count for group, count in counts.items()})


def test_fewer_than_five_are_few() -> None:
    """Callers are promised that 1 to 4 are never told; with another limit that would be untrue."""
    assert SMALL == 5
    shown = disclose([_school(1, EAST, g01=480, g26=4, g14=6), _school(2, EAST, g01=300, g26=5, g14=7)])
    assert "26" not in shown[1]
    assert disclose([_school(1, EAST, g01=480, g26=5), _school(2, EAST, g01=300, g26=5)]) == {}


def test_what_has_no_small_count_is_shown_whole() -> None:
    """Nothing is withheld that points at nobody."""
    assert disclose([_school(1, EAST, g01=100, g26=5), _school(2, EAST, g01=60)]) == {}


def test_a_small_count_is_withheld_with_what_its_total_would_tell() -> None:
    """A school's 480 of group 01 would tell, of 483, that 3 are of another."""
    shown = disclose([_school(1, EAST, g01=480, g26=3), _school(2, EAST, g01=300, g26=2), _school(3, EAST, g01=90)])
    assert shown[1] == shown[2] == frozenset()


def test_a_large_count_stays_where_what_is_left_is_not_small() -> None:
    """Of 489 persons, 9 are of two small groups, nobody knows how many of each."""
    shown = disclose([_school(1, EAST, g01=480, g26=3, g14=6), _school(2, EAST, g01=300, g26=4, g14=7)])
    assert shown == {1: {"01"}, 2: {"01"}}


def test_a_school_does_not_follow_from_its_commune() -> None:
    """School 1 has 3 of group 26; what the others have, or the commune's total, is withheld as well."""
    blocks = [_school(1, EAST, g01=50, g26=3), _school(2, EAST, g01=60, g26=20), _school(3, EAST, g01=70, g26=30)]
    shown = disclose(blocks)
    assert "26" not in shown[1]
    others = [region for region in (2, 3, EAST) if region in shown and "26" not in shown[region]]
    assert others


def test_the_cheapest_is_withheld_beside_a_small_count() -> None:
    """A small school beside it rather than a large one or the whole."""
    blocks = [
        _school(1, EAST, g01=50, g26=3),
        _school(2, EAST, g01=600, g26=200),
        _school(3, EAST, g01=20, g26=10),
        _school(4, WEST, g01=500, g26=30),
    ]
    assert set(disclose(blocks)) == {1, 3}


def test_a_single_small_group_of_all_is_hidden_among_groups_nobody_is_of() -> None:
    """Three persons are of one group: who asks learns that there are three, not of which."""
    assert disclose([_school(1, EAST, g26=3)]) == {1: frozenset(), EAST: frozenset(), WHOLE: frozenset()}
