"""Texts in files that a spreadsheet could run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.reporting.convert.tables import guarded


@given(st.text())
def test_no_guarded_text_begins_as_a_formula_and_none_is_lost(text):
    """An apostrophe at most stands before it."""
    safe = guarded(text)
    assert not safe.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert safe in (text, f"'{text}")


@pytest.mark.parametrize("text", ["Trường TH Ái Nghĩa", "3A", "", "'đã có dấu"])
def test_an_ordinary_text_stays_as_it_is(text):
    """Nothing stands before it."""
    assert guarded(text) == text
