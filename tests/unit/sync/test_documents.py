"""Documents in parts: cut anywhere, they hold the same rows."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sync.domain import documents
from services.sync.domain.documents import BrokenDocumentError, Line, Lines, kind_of, rows_of


def lines(parts: list[bytes]) -> list[Line]:
    """All lines of a document."""
    reader = Lines()
    found = [line for part in parts for line in reader.feed(part)]
    return [*found, *reader.end()]


@given(st.lists(st.sampled_from([b"a", b"\n", b"\r\n", b" ", b"\xef\xbb\xbf", b"\xc3\xa9"])), st.data())
def test_lines_do_not_depend_on_where_parts_end(pieces: list[bytes], data: st.DataObject) -> None:
    """Cut anywhere, the lines and their numbers are those of the whole."""
    whole = b"".join(pieces)
    cut = sorted(data.draw(st.lists(st.integers(0, len(whole)))))
    parts = [whole[start:end] for start, end in zip([0, *cut], [*cut, len(whole)], strict=True)]
    expected = [
        Line(number, content)
        for number, content in enumerate(whole.removeprefix(documents.BOM).split(b"\n"), start=1)
        if content.strip()
    ]
    assert lines(parts) == expected


def test_a_line_that_is_too_long_is_left_out_and_the_next_one_read() -> None:
    """Its content is not kept, so that one line cannot fill the memory."""
    long = b"x" * (documents.MOST_LINE_BYTES + 1)
    assert lines([b"a\n", long[:500_000], long[500_000:], b"\nb\n"]) == [Line(1, b"a"), Line(2, None), Line(3, b"b")]
    assert lines([long]) == [Line(1, None)]


@given(st.lists(st.dictionaries(st.text(), st.integers() | st.text())), st.sampled_from([None, 2]))
def test_json_rows_come_out_as_they_were(rows: list[dict[str, object]], indent: int | None) -> None:
    """With or without white space."""
    assert list(rows_of(json.dumps({"rows": rows}, indent=indent).encode())) == rows


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"row": []}',
        b'{"rows": {}}',
        b'{"rows": [',
        b'{"rows": [{}',
        b'{"rows": [{},]}',
        b'{"rows": [{} {}]}',
        b'{"rows": []} x',
        b'{"rows": [], "more": 1}',
        b'{"rows": [NaN]}',
        b'{"rows": [\xff]}',
        b'{"rows": [' + b"[" * 100_000,
        b'{"rows": [' + b"9" * 5000 + b"]}",
    ],
)
def test_a_broken_document_says_where(content: bytes) -> None:
    """And is never half read without a word."""
    with pytest.raises(BrokenDocumentError) as broken:
        list(rows_of(content))
    assert broken.value.why


@given(st.binary())
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    """Nothing else happens."""
    with contextlib.suppress(BrokenDocumentError):
        assert isinstance(list(rows_of(b'{"rows": [' + content)), list)


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        ("application/json", "json"),
        ("application/x-ndjson", "ndjson"),
        ("Application/JSON; charset=UTF-8", "json"),
        ('application/x-ndjson;charset="utf-8"', "ndjson"),
        ("application/json; charset=windows-1258", ""),
        ("text/csv", ""),
        ("", ""),
    ],
)
def test_the_kind_of_a_document(content_type: str, kind: str) -> None:
    """By its content type, UTF-8 only."""
    assert kind_of(content_type) == kind
