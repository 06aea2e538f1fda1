"""Array literals carry any text."""

from services.records.store.arrays import numbers, texts


def test_literals_quote_what_postgresql_would_read_as_its_own_signs():
    """Quotes, backslashes, commas and braces stay text."""
    assert numbers([1, -2]) == "{1,-2}"
    assert texts([]) == "{}"
    assert texts([""]) == '{""}'
    assert texts(['a"b', "c\\d", "e,f", "{g}", "NULL"]) == '{"a\\"b","c\\\\d","e,f","{g}","NULL"}'
