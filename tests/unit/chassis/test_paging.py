"""Pages within bounds, and tokens that continue their own request and no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iocedu.chassis.v1 import operations_pb2

from chassis.errors import Fault, Kind
from chassis.paging import page_cursor, page_size, page_token

# Any list request will do; the toy's interface has none, the chassis' own operations have one.
Request = operations_pb2.ListDeadLettersRequest


@pytest.mark.parametrize(("requested", "given_size"), [(0, 100), (-5, 100), (1, 1), (1000, 1000), (5000, 1000)])
def test_a_page_has_the_default_size_or_what_was_asked_within_the_maximum(requested, given_size):
    """0 means the default; larger values are cut, not refused."""
    assert page_size(requested, 100, 1000) == given_size


def test_the_first_page_has_no_cursor():
    """An empty token is the beginning."""
    assert page_cursor(Request()) is None


@given(st.lists(st.one_of(st.text(), st.integers()), max_size=4), st.integers(0, 50), st.integers(0, 50))
def test_a_token_gives_its_cursor_back_whatever_the_page_size(cursor, first_size, next_size):
    """A caller may change the size between pages."""
    token = page_token(Request(page_size=first_size), cursor)
    assert page_cursor(Request(page_size=next_size, page_token=token)) == cursor


@given(st.binary(max_size=40))
def test_a_made_up_token_is_refused(junk):
    """No token that was not given out leads anywhere."""
    with pytest.raises(Fault) as refused:
        page_cursor(Request(page_token=junk.hex() or "0"))
    assert (refused.value.kind, refused.value.reason) == (Kind.INVALID, "INVALID_PAGE_TOKEN")
    assert refused.value.violations[0].field == "page_token"


def test_a_token_of_another_request_is_refused():
    """A token continues the filter it was made under."""
    from iocedu.records.v1 import units_pb2  # noqa: PLC0415 (the only place that needs a second list request)

    token = page_token(units_pb2.ListGrantsRequest(unit="moet:1"), [5])
    assert page_cursor(units_pb2.ListGrantsRequest(unit="moet:1", page_token=token)) == [5]
    for other in (units_pb2.ListGrantsRequest(unit="moet:2", page_token=token), Request(page_token=token)):
        with pytest.raises(Fault) as refused:
            page_cursor(other)
        assert refused.value.reason == "INVALID_PAGE_TOKEN"


def test_a_token_with_letters_beyond_its_alphabet_is_refused():
    """Base64 that is none is an error of the caller, not of ours."""
    with pytest.raises(Fault) as refused:
        page_cursor(Request(page_token="ă!"))
    assert refused.value.reason == "INVALID_PAGE_TOKEN"
