"""Spans of days as the database's ranges, both ways."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import Range

from services.records.domain.spans import Span


def to_range(span: Span) -> "Range[Any]":
    """The range of a span."""
    return Range(span.first, span.after, bounds="[)")


def to_span(valid: "Range[Any]") -> Span:
    """The span of a range; the database gives day ranges from the first day to the day after."""
    return Span(valid.lower, valid.upper)


def on(column: "sa.Column[Any]", day: Any) -> sa.ColumnElement[bool]:
    """Whether a column's range holds a day."""
    return column.op("@>", is_comparison=True)(sa.cast(day, sa.Date))
