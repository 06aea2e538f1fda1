"""How many candidates a way has is expected from what the database knows of its terms."""

from services.records.store.frequency import Frequency
from services.records.store.search import Way

KNOWN = Frequency(count=1000, shares={"nguyen": 0.3, "van": 0.1, "anh": 0.05, "an": 0.02}, rare=0.001)


def test_terms_narrow_and_alternatives_widen():
    """All terms of a way hold together; of a set one is enough."""
    assert round(KNOWN.expected(Way(("nguyen", "van")))) == 30
    assert round(KNOWN.expected(Way(("nguyen",), (("anh", "an"),)))) == 21
    assert KNOWN.expected(Way(among=(("nguyen", "van", "anh", "an") * 10,))) == 1000


def test_a_term_nobody_counted_is_as_rare_as_the_rarest():
    """And where nothing is counted, or a column is asked, nothing is expected."""
    assert KNOWN.expected(Way(("zorram",))) == 1
    assert Frequency().expected(Way(("nguyen",))) == 0
    assert KNOWN.expected(Way(column="key", values=("HS1",))) == 0
