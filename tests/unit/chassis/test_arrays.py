"""Array literals carry any text."""

from datetime import UTC, date, datetime

from chassis.arrays import columns, plain, texts, unnested


def test_literals_quote_what_postgresql_would_read_as_its_own_signs():
    """Quotes, backslashes, commas and braces stay text."""
    assert plain([1, -2]) == "{1,-2}"
    assert texts([]) == "{}"
    assert texts([""]) == '{""}'
    assert texts(['a"b', "c\\d", "e,f", "{g}", "NULL"]) == '{"a\\"b","c\\\\d","e,f","{g}","NULL"}'


def test_rows_become_one_literal_a_column_and_nothing_stays_nothing():
    """Days, instants and truth values are written as the database reads them; None is no text."""
    rows = [
        (1, "None", True, date(2026, 9, 5), None),
        (2, "b", False, None, datetime(2026, 9, 5, 1, 2, tzinfo=UTC)),
    ]
    types = ("bigint", "text", "bool", "date", "timestamptz")

    assert columns(rows, types) == [
        "{1,2}", '{"None","b"}', "{True,False}", "{2026-09-05,NULL}", "{NULL,2026-09-05 01:02:00+00:00}",
    ]  # fmt: skip
    assert columns([], types) == ["{}"] * 5
    assert unnested(("bigint", "text"), first=3) == "unnest($3::text::bigint[], $4::text::text[])"
