"""What notify is told from outside."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from chassis.settings import PREFIX, ServiceSettings


class Settings(ServiceSettings):
    """Settings of notify. Secrets of a mail server stand in a file: the URL may name a user and a password."""

    public_url: str = Field(default="http://127.0.0.1:8080", description="The console, for links in messages.")
    smtp_url: str = Field(
        default="", repr=False, description="smtp://[user:password@]host:port or smtps://…; empty: no mail is sent."
    )
    smtp_url_file: Path | None = Field(default=None, description="File that holds `smtp_url`, as secrets are mounted.")
    smtp_from: str = Field(default="IOC Edu <thong-bao@iocedu.invalid>", description="Sender of mails.")
    bounce_domain: str = Field(
        default="", description="Domain to which mails come back, each to an address of its own; empty: to `smtp_from`."
    )
    bounce_listen: str = Field(
        default="",
        description="host:port where the mail relay hands over what comes back, by SMTP; needs `bounce_domain`.",
    )
    sms_provider_file: Path | None = Field(
        default=None, description="JSON that says how an SMS provider is spoken to; none: no SMS is sent."
    )
    channel_rules_file: Path | None = Field(
        default=None, description="JSON in the place of rules/channels.json: pace, tries and fall-back of each channel."
    )
    webhook_private_allowed: bool = Field(
        default=False, description="Whether webhooks may lead to private addresses and by http: for trials only."
    )
    attachments_most_bytes: int = Field(
        default=4 * 1024**3,
        ge=64 * 1024**2,
        description="How much the attachments of all announcements may take together; NATS keeps this room for them.",
    )
    attachments_kept_days: int = Field(
        default=730,
        ge=30,
        description="How long the attachments of an announcement are kept after it was sent or, unsent, begun.",
    )
    deliveries_kept_days: int = Field(
        default=180, ge=9, description="How long it is kept what was sent to whom; longer than events are repeated."
    )

    @model_validator(mode="after")
    def _read_smtp_url(self) -> Self:
        if self.smtp_url_file is None or self.smtp_url:
            return self
        try:
            url = self.smtp_url_file.read_text("utf-8").strip()
        except OSError as error:
            raise ValueError(f"{PREFIX}SMTP_URL_FILE: cannot read {self.smtp_url_file}: {error.strerror}") from error
        object.__setattr__(self, "smtp_url", url)
        return self
