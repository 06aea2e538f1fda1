"""Hands mails to an SMTP server. A repeat carries the same Message-ID, by which mailboxes know it."""

from dataclasses import replace
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import formatdate, parseaddr
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

import aiosmtplib

from services.notify.domain.bounces import PERMANENT, ReturnPath, is_no_address
from services.notify.domain.channels import Outcome, Result

TIMEOUT_SECONDS = 20.0


class WholeSubjects(EmailPolicy):
    """Encodes the whole of a subject: where the standard library folds between two encoded words it loses the space."""

    def fold(self, name: str, value: Any) -> str:
        """Return the header as lines, as text."""
        return self._subject(value) if name.lower() == "subject" else super().fold(name, value)

    def fold_binary(self, name: str, value: Any) -> bytes:
        """Return the header as lines, as bytes."""
        return self._subject(value).encode("ascii") if name.lower() == "subject" else super().fold_binary(name, value)

    def _subject(self, value: Any) -> str:
        return (
            f"Subject: {Header(str(value), 'utf-8', header_name='Subject').encode(linesep=self.linesep)}{self.linesep}"
        )


class MailServer:
    """One SMTP server: `smtp://[user:password@]host:port`, `smtps://` for TLS from the beginning.

    Mails come back to `bounce_domain`, each to an address of its own; empty: to the sender, where nobody notices.
    """

    def __init__(self, url: str, *, sender: str, bounce_domain: str = "") -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or "127.0.0.1"
        self._port = parts.port or (465 if parts.scheme == "smtps" else 25)
        self._tls = parts.scheme == "smtps"
        self._user = unquote(parts.username or "")
        self._password = unquote(parts.password or "")
        self._sender = sender
        self._bounce_domain = bounce_domain

    async def send(
        self,
        message_id: UUID,
        *,
        to: str,
        subject: str,
        text: str,
        page: str,
        preferences: str,
        language: str,
        return_token: str = "",
    ) -> Result:
        """Hand over one mail and say what came of it."""
        mail = EmailMessage(WholeSubjects(linesep=SMTP.linesep))
        mail["From"] = self._sender
        mail["To"] = to
        mail["Subject"] = subject
        mail["Date"] = formatdate()
        mail["Message-ID"] = f"<{message_id}@{self._sender.rpartition('@')[2].rstrip('>') or 'iocedu'}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail["List-Unsubscribe"] = f"<{preferences}>"
        mail["Content-Language"] = language
        mail.set_content(text)
        mail.add_alternative(page, subtype="html")
        try:
            _, said = await aiosmtplib.send(
                mail.as_bytes(),
                sender=self._return_path(message_id, return_token),
                recipients=[to],
                hostname=self._host,
                port=self._port,
                use_tls=self._tls,
                username=self._user or None,
                password=self._password or None,
                timeout=TIMEOUT_SECONDS,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            refused = error.recipients[0]
            return replace(
                _answered(refused.code, refused.message), address_refused=is_no_address(refused.code, refused.message)
            )
        except aiosmtplib.SMTPResponseException as error:
            return _answered(error.code, error.message)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            return Result(Outcome.RETRY, f"{type(error).__name__}: {error}")
        return Result(Outcome.ACCEPTED, said, 250)

    def _return_path(self, message_id: UUID, token: str) -> str:
        if self._bounce_domain and token:
            return ReturnPath(message_id, token).address(self._bounce_domain)
        return parseaddr(self._sender)[1]


def _answered(code: int, said: str) -> Result:
    """Codes from 500 on will not change by trying again; those below may."""
    return Result(Outcome.REFUSED if code >= PERMANENT else Outcome.RETRY, f"{code} {said}", code)
