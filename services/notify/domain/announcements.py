"""Announcements as they go through their life. Decides what may follow on what; refuses nothing by itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import IntEnum

from services.notify.domain.audiences import AudienceRule
from services.notify.domain.forms import Field

TOPIC = "announcement"
LEFT_IN_PEACE = timedelta(days=1)  # How long nobody is reminded by hand again.


class Stage(IntEnum):
    """Where an announcement is in its life; numbers as in the contract."""

    DRAFT = 1
    APPROVED = 2
    SCHEDULED = 3
    SENT = 4
    RECALLED = 5


class Progress(IntEnum):
    """Where one recipient's notice is."""

    AWAITED = 1
    DELIVERED = 2
    WITHDRAWN = 3


# From which stages each step may be taken.
STEPS: Mapping[str, frozenset[Stage]] = {
    "write": frozenset({Stage.DRAFT, Stage.APPROVED}),
    "approve": frozenset({Stage.DRAFT, Stage.APPROVED}),
    "schedule": frozenset({Stage.APPROVED, Stage.SCHEDULED}),
    "recall": frozenset({Stage.DRAFT, Stage.APPROVED, Stage.SCHEDULED, Stage.SENT, Stage.RECALLED}),
    "remind": frozenset({Stage.SENT}),
}


@dataclass(frozen=True, slots=True)
class Draft:
    """What the writer says."""

    title_vi: str
    title_en: str
    body_vi: str
    body_en: str
    severity: str
    audience: AudienceRule
    due_time: datetime | None = None
    receipt_required: bool = False
    form: tuple[Field, ...] = ()
    reminder_hours: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with an announcement; its content lies in the object store under its id."""

    attachment_id: int
    name: str
    media_type: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Announcement:
    """An announcement; `revision` rises with each change."""

    announcement_id: int
    unit_id: int
    draft: Draft
    created_by: str
    create_time: datetime
    state: Stage = Stage.DRAFT
    revision: int = 1
    approved_by: str = ""
    send_time: datetime | None = None
    sent_time: datetime | None = None
    remind_time: datetime | None = None
    recalled_by: str = ""
    recall_reason: str = ""
    failure: str = ""
    recipient_count: int = 0
    matter_id: int | None = None
    attachments: tuple[Attachment, ...] = field(default=())

    @property
    def etag(self) -> str:
        """Changes with each change."""
        return str(self.revision)

    @property
    def asks(self) -> bool:
        """Whether each reader owes something: a confirmation, an answer, or to have opened it by a time."""
        return self.draft.receipt_required or bool(self.draft.form) or self.draft.due_time is not None

    def may(self, step: str) -> bool:
        """Whether a step may be taken now."""
        return self.state in STEPS[step]

    def rewritten(self, draft: Draft) -> "Announcement":
        """It says something else, and waits for approval anew."""
        return self._changed(draft=draft, state=Stage.DRAFT, approved_by="", failure="")

    def approved(self, by: str) -> "Announcement":
        """Somebody answers for it."""
        return self._changed(state=Stage.APPROVED, approved_by=by, failure="")

    def scheduled(self, at: datetime) -> "Announcement":
        """It leaves at a time."""
        return self._changed(state=Stage.SCHEDULED, send_time=at, failure="")

    def failed(self, reason: str) -> "Announcement":
        """It could not leave, and waits for somebody to put that right."""
        return self._changed(state=Stage.APPROVED, failure=reason)

    def sent(self, now: datetime, *, recipients: int, matter_id: int) -> "Announcement":
        """It has left for so many."""
        return self._changed(
            state=Stage.SENT,
            sent_time=now,
            recipient_count=recipients,
            matter_id=matter_id,
            remind_time=self.next_reminder(now),
        )

    def recalled(self, by: str, reason: str) -> "Announcement":
        """It counts no longer."""
        return self._changed(state=Stage.RECALLED, recalled_by=by, recall_reason=reason, remind_time=None)

    def reminded(self, now: datetime) -> "Announcement":
        """The reminder that was due has gone out."""
        return self._changed(remind_time=self.next_reminder(now))

    def next_reminder(self, after: datetime) -> datetime | None:
        """When those who still owe something are reminded next."""
        due = self.draft.due_time
        if due is None:
            return None
        times = (due - timedelta(hours=hours) for hours in self.draft.reminder_hours)
        return min((time for time in times if time > after), default=None)

    def _changed(self, **fields: object) -> "Announcement":
        return replace(self, revision=self.revision + 1, **fields)  # type: ignore[arg-type]  # names as declared above


@dataclass(frozen=True, slots=True)
class Receipt:
    """How far one recipient is."""

    announcement_id: int
    subject: str
    unit_id: int
    because: str
    progress: Progress
    answers: Mapping[str, str] | None
    answer_time: datetime | None
    reminder_count: int
    notice_id: int = 0
    read_time: datetime | None = None
    acknowledge_time: datetime | None = None
    reminder_time: datetime | None = None

    def reminded_lately(self, now: datetime) -> bool:
        """Whether the last reminder is too near for another by hand."""
        return self.reminder_time is not None and now < self.reminder_time + LEFT_IN_PEACE


@dataclass(frozen=True, slots=True)
class Counts:
    """How far the people and units of an announcement are; a later step counts as the earlier ones."""

    recipients: int = 0
    delivered: int = 0
    opened: int = 0
    acknowledged: int = 0
    answered: int = 0
    done: int = 0
    units: int = 0
    done_units: int = 0
    unreached_units: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        """Both together."""
        return Counts(*(getattr(self, name) + getattr(other, name) for name in Counts.__slots__))
