"""Each SQL statement as a span below the running one, without its parameters.

Where nothing is recorded it costs two calls; the polling of workers, which runs outside of any trace, leaves no spans.
Written for itself because the ready instrumentation patches SQLAlchemy globally and counts every pool check-out.
"""

import re
from functools import lru_cache
from typing import Any

from opentelemetry.trace import Span, SpanKind
from sqlalchemy import Engine, event

from chassis import telemetry

_TARGET = re.compile(r"\b(?:FROM|INTO|UPDATE|TABLE|JOIN)\s+(?:ONLY\s+)?([\w.\"]+)", re.IGNORECASE)
MOST_TEXT = 2000


def record_statements(engine: Engine) -> None:
    """Record what the engine executes, in the trace of whoever executes it."""
    event.listen(engine, "before_cursor_execute", _before)
    event.listen(engine, "after_cursor_execute", _after)
    event.listen(engine, "handle_error", _failed)


@lru_cache(maxsize=1024)
def statement_name(statement: str) -> str:
    """A short stable name: the verb and the first table, for example `INSERT pupil`."""
    text = statement.lstrip(" (\n\t")
    verb = text[:24].partition(" ")[0].partition("\n")[0].upper() or "SQL"
    found = _TARGET.search(text)
    table = found.group(1).replace('"', "") if found else ""
    return f"{verb} {table}".strip()


def _before(_connection: Any, _cursor: Any, statement: str, _parameters: Any, context: Any, _many: Any) -> None:
    if context is not None and telemetry.tracing():
        attributes = {"db.system": "postgresql", "db.statement": statement[:MOST_TEXT]}
        context._iocedu_span = telemetry.start_span(  # noqa: SLF001 (the execution context is where hooks leave their own)
            statement_name(statement), kind=SpanKind.CLIENT, attributes=attributes
        )


def _after(_connection: Any, _cursor: Any, _statement: Any, _parameters: Any, context: Any, _many: Any) -> None:
    span: Span | None = getattr(context, "_iocedu_span", None)
    if span is not None:
        span.end()


def _failed(details: Any) -> None:
    span: Span | None = getattr(details.execution_context, "_iocedu_span", None)
    if span is not None:
        telemetry.mark_failed(span, type(details.original_exception).__name__)
        span.end()
