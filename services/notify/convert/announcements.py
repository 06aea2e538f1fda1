"""Announcements between the contract and the domain: drafts and audiences in, announcements and receipts out."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp
from iocedu.notify.v1 import announcement_pb2, audience_pb2, my_announcements_pb2, receipts_pb2

from services.notify.convert.notices import severity
from services.notify.domain.announcements import Announcement, Attachment, Counts, Draft, Progress, Receipt, Stage
from services.notify.domain.audiences import AudienceRule, Group, Reach
from services.notify.domain.forms import Field, FieldType
from services.notify.domain.notices import SEVERITIES

UnitName = Callable[[int], str]
SHOWN = 50


def audience_of(message: audience_pb2.Audience) -> AudienceRule:
    """An audience as a rule."""
    return AudienceRule(
        groups=tuple(
            Group(
                unit=group.unit,
                roles=tuple(group.roles),
                kinds=tuple(group.kinds),
                labels=tuple(group.labels),
                edge_type=group.edge_type,
                silent_days=group.silent_days,
            )
            for group in message.groups
        ),
        subjects=tuple(message.subjects),
        everybody=message.everybody,
    )


def draft_of(message: announcement_pb2.AnnouncementDraft) -> Draft:
    """What a writer says."""
    return Draft(
        title_vi=message.title_vi.strip(),
        title_en=message.title_en.strip(),
        body_vi=message.body_vi,
        body_en=message.body_en,
        severity=severity(message.severity),
        audience=audience_of(message.audience),
        due_time=instant(message.due_time) if message.HasField("due_time") else None,
        receipt_required=message.receipt_required,
        form=tuple(map(_field_of, message.form)),
        reminder_hours=tuple(sorted(set(message.reminder_hours), reverse=True)),
    )


def instant(timestamp: Timestamp) -> datetime:
    """An instant in UTC."""
    return timestamp.ToDatetime(tzinfo=UTC)


def announcement_message(announcement: Announcement, unit_name: UnitName) -> announcement_pb2.Announcement:
    """An announcement as its writers and superiors see it."""
    message = announcement_pb2.Announcement(
        announcement_id=announcement.announcement_id,
        unit_id=announcement.unit_id,
        unit_name=unit_name(announcement.unit_id),
        state=announcement_pb2.AnnouncementState.ValueType(announcement.state),
        draft=_draft_message(announcement.draft),
        attachments=map(attachment_message, announcement.attachments),
        created_by=announcement.created_by,
        approved_by=announcement.approved_by,
        recalled_by=announcement.recalled_by,
        recall_reason=announcement.recall_reason,
        recipient_count=announcement.recipient_count,
        etag=announcement.etag,
        failure=announcement.failure,
    )
    message.create_time.FromDatetime(announcement.create_time)
    _set(message.send_time, announcement.send_time)
    _set(message.sent_time, announcement.sent_time)
    return message


def my_announcement_message(
    announcement: Announcement, receipt: Receipt, unit_name: UnitName
) -> my_announcements_pb2.MyAnnouncement:
    """An announcement as its reader sees it."""
    draft = announcement.draft
    message = my_announcements_pb2.MyAnnouncement(
        announcement_id=announcement.announcement_id,
        unit_name=unit_name(announcement.unit_id),
        title_vi=draft.title_vi,
        title_en=draft.title_en or draft.title_vi,
        body_vi=draft.body_vi,
        body_en=draft.body_en or draft.body_vi,
        receipt_required=draft.receipt_required,
        form=map(_field_message, draft.form),
        attachments=map(attachment_message, announcement.attachments),
        answers=receipt.answers or {},
        recalled=announcement.state is Stage.RECALLED,
        recall_reason=announcement.recall_reason,
        notice_id=receipt.notice_id,
    )
    _set(message.due_time, draft.due_time)
    _set(message.answer_time, receipt.answer_time)
    return message


def attachment_message(file: Attachment) -> announcement_pb2.Attachment:
    """A file without its content."""
    return announcement_pb2.Attachment(
        attachment_id=file.attachment_id,
        name=file.name,
        media_type=file.media_type,
        size=file.size,
        sha256=file.sha256,
    )


def preview_message(reach: Reach, unit_name: UnitName) -> audience_pb2.AudiencePreview:
    """Whom an audience reaches."""
    message = audience_pb2.AudiencePreview(
        recipient_count=len(reach.members),
        unit_count=len(reach.unit_ids),
        unreached_count=len(reach.unreached),
        unreached_units=map(unit_name, reach.unreached[:SHOWN]),
    )
    for member in reach.members:
        message.by_role[member.role] += 1
    for member in reach.members[:SHOWN]:
        message.recipients.add(
            subject=member.subject, unit_id=member.unit_id, unit_name=unit_name(member.unit_id), role=member.role
        )
    return message


def counts_message(unit_id: int, counts: Counts, unit_name: UnitName) -> receipts_pb2.ReceiptCounts:
    """How far people and units are."""
    return receipts_pb2.ReceiptCounts(
        unit_id=unit_id,
        unit_name=unit_name(unit_id),
        recipient_count=counts.recipients,
        delivered_count=counts.delivered,
        opened_count=counts.opened,
        acknowledged_count=counts.acknowledged,
        answered_count=counts.answered,
        done_count=counts.done,
        unit_count=counts.units,
        done_unit_count=counts.done_units,
        unreached_unit_count=counts.unreached_units,
    )


def receipt_message(receipt: Receipt, unit_name: UnitName) -> receipts_pb2.Receipt:
    """How far one person is."""
    message = receipts_pb2.Receipt(
        subject=receipt.subject,
        unit_id=receipt.unit_id,
        unit_name=unit_name(receipt.unit_id),
        because=receipt.because,
        delivered=receipt.progress is Progress.DELIVERED,
        answers=receipt.answers or {},
        reminder_count=receipt.reminder_count,
    )
    _set(message.read_time, receipt.read_time)
    _set(message.acknowledge_time, receipt.acknowledge_time)
    _set(message.answer_time, receipt.answer_time)
    return message


def answers_of(answers: Mapping[str, str]) -> dict[str, str]:
    """Answers as they came."""
    return dict(answers)


def _draft_message(draft: Draft) -> announcement_pb2.AnnouncementDraft:
    message = announcement_pb2.AnnouncementDraft(
        title_vi=draft.title_vi,
        title_en=draft.title_en,
        body_vi=draft.body_vi,
        body_en=draft.body_en,
        severity=SEVERITIES.index(draft.severity) + 1,
        audience=_audience_message(draft.audience),
        receipt_required=draft.receipt_required,
        form=map(_field_message, draft.form),
        reminder_hours=draft.reminder_hours,
    )
    _set(message.due_time, draft.due_time)
    return message


def _audience_message(rule: AudienceRule) -> audience_pb2.Audience:
    groups = (
        audience_pb2.AudienceGroup(
            unit=group.unit,
            roles=group.roles,
            kinds=group.kinds,
            labels=group.labels,
            edge_type=group.edge_type,
            silent_days=group.silent_days,
        )
        for group in rule.groups
    )
    return audience_pb2.Audience(groups=groups, subjects=rule.subjects, everybody=rule.everybody)


def _field_of(message: announcement_pb2.FormField) -> Field:
    return Field(
        name=message.name,
        label=message.label,
        type=FieldType(message.type or FieldType.TEXT),
        required=message.required,
        choices=tuple(message.choices),
        least=message.least if message.HasField("least") else None,
        most=message.most if message.HasField("most") else None,
    )


def _field_message(field: Field) -> announcement_pb2.FormField:
    message = announcement_pb2.FormField(
        name=field.name,
        label=field.label,
        type=announcement_pb2.FieldType.ValueType(field.type),
        required=field.required,
        choices=field.choices,
    )
    if field.least is not None:
        message.least = field.least
    if field.most is not None:
        message.most = field.most
    return message


def _set(field: Timestamp, moment: datetime | None) -> None:
    if moment is not None:
        field.FromDatetime(moment)
