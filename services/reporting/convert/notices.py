"""What people are told of reports, as the event `notice-requested` that notify delivers.

Refuses nothing; a placeholder that nobody fills stays as it is, so that the defect is seen.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from iocedu.notify.v1 import notice_requested_pb2

from chassis.clock import VIETNAM
from chassis.outbox import Outgoing
from services.reporting.domain.report_rules import NoticeText

NOTICE_REQUESTED = "notice-requested"
TOPIC = "report"
MOST_REQUESTS = 200  # Requests of one event.
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Said:
    """One thing to tell the holders of roles at units; `values` fill its text."""

    key: str
    revision: int
    unit_ids: Sequence[int]
    text: NoticeText
    values: Mapping[str, str]
    link: str
    due_time: datetime | None = None
    subjects: Sequence[str] = ()  # Told whatever their role.


def notice_events(said: Iterable[Said]) -> Iterator[Outgoing]:
    """The events that ask for these notices."""
    every = list(said)
    for start in range(0, len(every), MOST_REQUESTS):
        part = every[start : start + MOST_REQUESTS]
        event = notice_requested_pb2.NoticesRequested(requests=map(_request, part))
        yield Outgoing(NOTICE_REQUESTED, event.SerializeToString(), count=len(part))


def shown_time(moment: datetime | None) -> str:
    """A deadline as people here read it."""
    return f"{moment.astimezone(VIETNAM):%H:%M %d/%m/%Y}" if moment else ""


def _request(said: Said) -> notice_requested_pb2.NoticeRequest:
    text = said.text
    request = notice_requested_pb2.NoticeRequest(
        key=said.key,
        revision=said.revision,
        unit_ids=said.unit_ids,
        audience_roles=text.audience_roles,
        subjects=said.subjects,
        and_above=text.and_above,
        severity=text.severity,
        topic=TOPIC,
        title_vi=filled(text.title_vi, said.values),
        title_en=filled(text.title_en, said.values),
        body_vi=filled(text.body_vi, said.values),
        body_en=filled(text.body_en, said.values),
        link=said.link,
    )
    if said.due_time is not None:
        request.due_time.FromDatetime(said.due_time)
    return request


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with its placeholders filled."""
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)
