"""What is common is known from the database's statistics without a look; what they do not list is not."""

from services.records.store.frequency import frequency_of
from services.records.store.search import Way


def test_a_name_that_is_not_listed_is_rare_though_all_that_are_listed_are_common():
    """Where nearly all bear one name, another one is not taken for as common as its words."""
    frequency = frequency_of(10_000, ["nguyen", "van"], [0.99, 0.98, 0.98, 0.99, 0.0])
    assert frequency.expected(Way(("dang", "thuy"))) < 1
    assert frequency.expected(Way(("nguyen", "van"))) > 9_000


def test_where_nothing_is_listed_nothing_is_taken_for_common():
    """As before the first ANALYZE."""
    assert frequency_of(10_000, [], []).expected(Way(("nguyen",))) == 0
