"""Exports as callers see them, and files as bodies of answers."""

from google.api import httpbody_pb2
from iocedu.reporting.v1 import exports_pb2

from services.reporting.domain.exports import Export


def export_message(export: Export) -> exports_pb2.Export:
    """An export."""
    state: exports_pb2.ExportState.ValueType = int(export.state)  # type: ignore[assignment]  # numbers as in the contract
    message = exports_pb2.Export(
        export_id=export.export_id,
        unit_id=export.unit_id,
        campaign_id=export.campaign_id or 0,
        pivot_id=export.pivot_id or 0,
        extract_id=export.extract_id or 0,
        format=export.format,
        state=state,
        done_count=export.done_count,
        total_count=export.total_count,
        file_name=export.file_name,
        failure=export.failure,
    )
    message.create_time.FromDatetime(export.create_time)
    if export.end_time is not None:
        message.end_time.FromDatetime(export.end_time)
    return message


def file_of(content: bytes, content_type: str) -> httpbody_pb2.HttpBody:
    """A file as the body of an answer."""
    return httpbody_pb2.HttpBody(content_type=content_type, data=content)
