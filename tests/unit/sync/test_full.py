"""Declarations of everything: what they lack, and when a person is asked."""

from services.sync.convert.rules import load_rules
from services.sync.domain.full import FullOf, Presence, lacking, number_of
from services.sync.domain.suspicions import is_mass, rule_on

RULE = rule_on(load_rules().suspicions, "2026-11-02")
DECLARED = FullOf(7, 2026, "pupils", 10, "d", 2)


def present(*keys: str) -> set[int]:
    """Records that stood in it."""
    return {number_of(key) for key in keys}


def test_what_is_held_below_its_version_and_not_in_it_is_gone() -> None:
    """What is held in its version or a higher one stays; what was in it and is not held is still awaited."""
    found = lacking(DECLARED, present("a", "new"), {"a": 3, "b": 9, "c": 10, "d": 11})
    assert (found.gone, found.newer, found.awaited) == (("b",), 2, frozenset(present("new")))


def test_a_person_is_asked_when_more_than_a_fifth_would_be_gone_and_no_handful() -> None:
    """The bounds are the rule's."""
    assert [is_mass(gone, held, RULE) for gone, held in ((4, 6), (5, 25), (6, 25), (5, 24))] == [
        False,
        False,
        True,
        True,
    ]


def test_a_person_is_asked_when_nothing_would_be_left_however_little_there_was() -> None:
    """A small school is emptied as easily by mistake as a large one; where nothing is held nothing is asked."""
    assert [is_mass(gone, held, RULE) for gone, held in ((1, 1), (4, 4), (3, 4), (0, 0))] == [True, True, False, False]


def test_what_stood_in_batches_is_kept_as_numbers() -> None:
    """They come back as they were, and add up."""
    one, both = Presence(present("a", "b"), 1), Presence(present("c"))
    both.add(one.packed(), unsure=one.unsure)
    assert (both.numbers, both.unsure) == (present("a", "b", "c"), 1)


def test_batches_of_one_declaration_say_the_same() -> None:
    """The number of batches may be left out in some of them."""
    assert DECLARED.agrees_with(FullOf(7, 2026, "pupils", 10, "d", 0))
    assert not DECLARED.agrees_with(FullOf(7, 2026, "pupils", 10, "d", 3))
    assert not DECLARED.agrees_with(FullOf(7, 2026, "pupils", 11, "d", 2))
