"""Reports and campaigns as callers see them: messages from values, and what callers enter as keys of cells."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from iocedu.reporting.v1 import campaigns_pb2, report_pb2, report_sums_pb2, reports_pb2

from services.reporting.domain.forms import Cell, Key, key_of
from services.reporting.domain.reports import (
    Campaign,
    Content,
    Finding,
    Report,
    Source,
    State,
    Step,
    Value,
    VersionHead,
)

UnitName = Callable[[int], str]


def campaign_message(campaign: Campaign, unit_name: UnitName) -> campaigns_pb2.Campaign:
    """A campaign."""
    message = campaigns_pb2.Campaign(
        campaign_id=campaign.campaign_id,
        unit_id=campaign.unit_id,
        unit_name=unit_name(campaign.unit_id),
        form=campaign.form,
        form_version=campaign.form_version,
        form_name_vi=campaign.form_name_vi,
        form_name_en=campaign.form_name_en,
        sample=campaign.sample,
        school_year=campaign.school_year,
        created_by=campaign.created_by,
        report_count=campaign.report_count,
    )
    for name in ("confirm_due_time", "review_due_time", "approve_due_time", "create_time"):
        _set_time(getattr(message, name), getattr(campaign, name))
    if campaign.withdraw_time is not None:
        _set_time(message.withdraw_time, campaign.withdraw_time)
        message.withdrawn_by, message.withdraw_reason = campaign.withdrawn_by, campaign.withdraw_reason
    return message


def deadlines(request: campaigns_pb2.CreateCampaignRequest) -> dict[str, datetime]:
    """The deadlines asked for, by name."""
    names = ("confirm_due_time", "review_due_time", "approve_due_time")
    return {name: getattr(request, name).ToDatetime(tzinfo=UTC) for name in names}


def progress_message(unit_id: int, unit_name: str, states: Iterable[tuple[State, bool]]) -> campaigns_pb2.UnitProgress:
    """How far the schools of a unit are, from each report's state and whether it is late."""
    counts: dict[State, int] = {}
    message = campaigns_pb2.UnitProgress(unit_id=unit_id, unit_name=unit_name)
    for state, late in states:
        counts[state] = counts.get(state, 0) + 1
        message.late_count += late
        message.report_count += 1
    for state in sorted(counts):
        message.counts.add(state=_number(state), count=counts[state])
    return message


def report_message(report: Report, unit_name: UnitName) -> report_pb2.Report:
    """A report without its cells."""
    message = report_pb2.Report(
        report_id=report.report_id,
        campaign_id=report.campaign_id,
        school_id=report.school_id,
        school_name=unit_name(report.school_id),
        form=report.form,
        form_version=report.form_version,
        school_year=report.school_year,
        state=_number(report.state),
        etag=report.etag,
        version=report.version,
        lock_state=_number(report.lock_state),
        late=report.late,
        return_reason=report.return_reason,
    )
    _set_time(message.update_time, report.update_time)
    if report.due_time is not None:
        _set_time(message.due_time, report.due_time)
    if report.lock_refusal is not None:
        refusal = report.lock_refusal
        message.lock_refusal.reason = refusal.reason
        message.lock_refusal.message_vi, message.lock_refusal.message_en = refusal.vi, refusal.en
    return message


def cell_messages(cells: Mapping[Key, Cell], values: Mapping[Key, Value]) -> Iterator[report_pb2.ReportCell]:
    """The cells in the order of the form; those that stay empty are left out."""
    for key in cells:
        value = values.get(key)
        if value is None or value.source is Source.NONE:
            continue
        message = report_pb2.ReportCell(**_place(key), source=_number(value.source), reason=value.reason, by=value.by)
        if value.value is not None:
            message.value = value.value
        if value.counted is not None:
            message.counted_value = value.counted
        yield message


def finding_message(finding: Finding) -> report_pb2.ReportFinding:
    """A finding."""
    return report_pb2.ReportFinding(
        check=finding.check,
        severity=finding.severity,
        cells=finding.cells,
        message_vi=finding.message_vi,
        message_en=finding.message_en,
    )


def step_message(step: Step) -> report_pb2.ReportStep:
    """A step."""
    message = report_pb2.ReportStep(action=_number(step.action), by=step.by, note=step.note, version=step.version)
    _set_time(message.time, step.time)
    return message


def version_message(version: VersionHead) -> report_pb2.ReportVersion:
    """A version without its cells."""
    message = report_pb2.ReportVersion(
        version=version.version, confirmed_by=version.confirmed_by, approved_by=version.approved_by
    )
    _set_time(message.confirm_time, version.confirm_time)
    for name in ("approve_time", "data_time"):
        if (moment := getattr(version, name)) is not None:
            _set_time(getattr(message, name), moment)
    return message


def report_answer(
    report: report_pb2.Report,
    cells: Mapping[Key, Cell],
    content: Content,
    *,
    steps: Iterable[Step],
    versions: Iterable[VersionHead],
) -> reports_pb2.GetReportResponse:
    """A report with everything."""
    answer = reports_pb2.GetReportResponse(
        report=report,
        cells=cell_messages(cells, content.values),
        findings=map(finding_message, content.findings),
        steps=map(step_message, steps),
        versions=map(version_message, versions),
        version=content.version,
    )
    if content.data_time is not None:
        _set_time(answer.data_time, content.data_time)
    return answer


def entered(request: reports_pb2.EnterCellsRequest) -> list[tuple[Key, float | None, str]]:
    """What is entered: the cell, its value (None: taken back), the reason."""
    return [
        (key_of(one.sheet, one.row, one.column), one.value if one.HasField("value") else None, one.reason)
        for one in request.entries
    ]


def difference_message(key: Key, before: float | None, after: float | None) -> report_sums_pb2.CellDifference:
    """A cell whose value differs."""
    message = report_sums_pb2.CellDifference(**_place(key))
    if before is not None:
        message.from_value = before
    if after is not None:
        message.to_value = after
    return message


def sum_messages(
    cells: Mapping[Key, Cell], sums: Mapping[Key, tuple[float, int]]
) -> Iterator[report_sums_pb2.AggregateCell]:
    """The sums in the order of the form."""
    for key in cells:
        message = report_sums_pb2.AggregateCell(**_place(key))
        if key in sums:
            message.value, message.school_count = sums[key]
        yield message


def states_of(given: Iterable[int]) -> list[State]:
    """States as values."""
    return [State(one) for one in given]


def missing_message(school_id: int, name: str, state: State) -> report_sums_pb2.MissingSchool:
    """A school whose report is missing from a sum."""
    return report_sums_pb2.MissingSchool(school_id=school_id, school_name=name, state=_number(state))


def _place(key: Key) -> dict[str, Any]:
    return dict(zip(("sheet", "row", "column"), key.split("."), strict=True))


def _number(value: IntEnum) -> Any:
    # Numbers are those of the contract; the stubs want each enum's own type.
    return int(value)


def _set_time(field: Timestamp, moment: datetime) -> None:
    field.FromDatetime(moment)
