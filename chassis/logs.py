"""Logs as JSON lines on standard output: a constant message, variable fields, a stable `action`, the trace's ids."""

import logging
from typing import Any

import structlog
from opentelemetry import trace


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
    # A traceback holds no values of variables: they could be personal data or tokens.
    render: list[Any] = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
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
