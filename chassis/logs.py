"""Logs as JSON lines on standard output: a constant message, variable fields, a stable `action`, the trace's ids."""

import logging
import sys
import traceback
from pathlib import Path
from typing import Any

import nats.errors
import structlog
from opentelemetry import trace

from chassis.errors import Fault

# Errors whose words name addresses, reasons and times, never what was written.
SPEAKING = (Fault, OSError, nats.errors.Error)
MOST_FRAMES = 12
MOST_CAUSES = 4


def set_up_logs(service: str, level: str) -> None:
    """Send our own logs, and the warnings of libraries, as JSON lines; levels below `level` are dropped unbuilt."""
    number = logging.getLevelNamesMapping()[level.upper()]

    def describe(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
        context = trace.get_current_span().get_span_context()
        if context.trace_id:
            event["trace_id"] = f"{context.trace_id:032x}"
            event["span_id"] = f"{context.span_id:016x}"
        event["service"] = service
        return event

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        describe,
    ]
    render: list[Any] = [_describe_exception, structlog.processors.JSONRenderer(ensure_ascii=False)]
    structlog.configure(
        processors=[*shared, *render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[handler], force=True)
    # One line for a batch that was lost says enough; the exporter also warns of each attempt.
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)


def said(error: BaseException) -> str:
    """An error in a few words for a log: what a library of ours or the network says, of all else only the class.

    A database's words can quote what was written.
    """
    return str(error) if isinstance(error, SPEAKING) and str(error) else _named(error)


def _named(error: BaseException) -> str:
    """Class of an error, with its words where they are safe and with the database's state where there is one."""
    name = type(error).__name__
    state = getattr(error, "sqlstate", None) or getattr(getattr(error, "orig", None), "sqlstate", None)
    if state:
        return f"{name} {state}"
    return f"{name}: {error}" if isinstance(error, SPEAKING) and str(error) else name


def _describe_exception(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Replace an exception by its classes and places. Its text stays out: a database's can hold personal data."""
    given = event.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()[1]
    elif isinstance(given, tuple):
        given = given[1]
    if not isinstance(given, BaseException):
        return event
    causes: list[str] = []
    error: BaseException | None = given
    while error is not None and len(causes) < MOST_CAUSES:
        frames = traceback.extract_tb(error.__traceback__)[-MOST_FRAMES:]
        places = " < ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames))
        causes.append(f"{_named(error)} at {places or 'no frame'}")
        error = error.__cause__ or error.__context__
    event["exception"] = causes
    return event
