"""Messages as they leave: the texts of a mail, the text of an SMS, the body of a webhook."""

import html
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

from chassis.clock import VIETNAM
from services.notify.convert.rules import Speech
from services.notify.domain.channels import Channel, Message, Told
from services.notify.domain.messages import filled, one_line, plain, shortened

SHOWN = 20  # Notices a mail tells in full; of the others it says how many there are.


def mail_texts(message: Message, speech: Speech, public_url: str) -> tuple[str, str, str]:
    """Subject, plain text and HTML of a mail."""
    template = speech.templates[Channel.EMAIL, message.language]
    values = [_values(told, message.language, speech, public_url) for told in message.told]
    if len(values) == 1:
        subject = filled(template.subject, values[0])
    else:
        subject = filled(template.together, {"count": str(len(values))})
    parts = [filled(template.text, value) for value in values[:SHOWN]]
    if len(values) > SHOWN:
        parts.append(_further(len(values) - SHOWN, message.language, public_url))
    footer = filled(speech.footers[message.language], {"link": preferences_link(public_url)})
    text = "\n\n----\n\n".join(parts) + f"\n\n-- \n{footer}\n"
    blocks = "".join(f'<div style="{_BLOCK}">{_html(part)}</div>' for part in parts)
    page = f'<html><body style="{_PAGE}">{blocks}<p style="{_FOOT}">{_html(footer)}</p></body></html>'
    return one_line(subject), text, page


def sms_text(message: Message, speech: Speech, public_url: str, *, without_marks: bool, most_segments: int) -> str:
    """The text of an SMS, its title cut to what is paid for: the link behind it stays whole."""
    template = speech.templates[Channel.SMS, message.language]
    values = _values(message.told[0], message.language, speech, public_url)
    return cut_sms(template.text, values, without_marks=without_marks, most_segments=most_segments)


def cut_sms(template: str, values: Mapping[str, str], *, without_marks: bool, most_segments: int) -> str:
    """A template of an SMS filled in, its title cut."""

    def within(title: str) -> str:
        text = filled(template, {**values, "title": title})
        return plain(text) if without_marks else text

    return shortened(values["title"], most_segments, within=within)


def webhook_body(message: Message, public_url: str) -> bytes:
    """The body of a webhook; the same bytes in every try as long as nothing it tells was changed."""
    notices = [
        {
            "notice_id": str(told.notice_id),
            "topic": told.matter.topic,
            "severity": told.matter.severity,
            "unit_id": str(told.matter.unit_id),
            "unit_name": told.matter.unit_name,
            "title": {"vi": told.matter.title_vi, "en": told.matter.title_en},
            "body": {"vi": told.matter.body_vi, "en": told.matter.body_en},
            "due_time": told.matter.due_time.astimezone(UTC).isoformat() if told.matter.due_time else None,
            "link": _link(told, public_url),
            "reminder": told.reminder,
        }
        for told in message.told
    ]
    body = {"type": "notices", "id": str(message.dispatch_id), "notices": notices}
    return json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def test_body(delivery_id: UUID) -> bytes:
    """The body of a test, of the same shape."""
    body = {"type": "test", "id": str(delivery_id), "notices": []}
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()


def preferences_link(public_url: str) -> str:
    """Where a reader chooses how to be told."""
    return f"{public_url}/notices.html#preferences"


def sample_values(speech: Speech, language: str, public_url: str) -> Mapping[str, str]:
    """Values that a preview shows a text with."""
    vi = {"title": "Lớp 1A có 40 học sinh", "body": "Rà soát và tách lớp.", "unit": "Trường Tiểu học Ái Nghĩa"}
    en = {"title": "Class 1A has 40 pupils", "body": "Review and split the class.", "unit": "Ái Nghĩa Primary School"}
    sample = en if language == "en" else vi
    severity = speech.severities[language]["warning"]
    more = {"severity": severity, "due": "20/11/2026 17:00", "because": "Hiệu trưởng", "link": public_url, "count": "1"}
    return {**sample, **more}


def _values(told: Told, language: str, speech: Speech, public_url: str) -> dict[str, str]:
    matter = told.matter
    english = language == "en"
    title = matter.title_en if english else matter.title_vi
    return {
        "title": filled(speech.reminders[language], {"title": title}) if told.reminder else title,
        "body": matter.body_en if english else matter.body_vi,
        "unit": matter.unit_name,
        "severity": speech.severities[language].get(matter.severity, matter.severity),
        "due": _local(matter.due_time) if matter.due_time else "",
        "because": told.because,
        "link": _link(told, public_url),
        "count": "1",
    }


def _link(told: Told, public_url: str) -> str:
    return f"{public_url}{told.matter.link or '/'}"


def _further(count: int, language: str, public_url: str) -> str:
    if language == "en":
        return f"and {count} more in your inbox: {public_url}/"
    return f"và {count} thông báo khác trong hộp thư: {public_url}/"


def _local(moment: datetime) -> str:
    return f"{moment.astimezone(VIETNAM):%d/%m/%Y %H:%M}"


def _html(text: str) -> str:
    return html.escape(text).replace("\n", "<br>")


_PAGE = "font-family:sans-serif;color:#16202c;max-width:40em"
_BLOCK = "border-left:4px solid #0f5a9c;padding:6px 14px;margin:14px 0"
_FOOT = "color:#5a6878;font-size:85%"
