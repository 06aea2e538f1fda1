"""Hands text messages to a provider's HTTP interface. How it is spoken to is data: a file maps our words to its own."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from services.notify.domain.channels import Outcome, Result

TIMEOUT_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Provider:
    """How a provider is spoken to. `body` maps its fields to texts with {phone}, {text} and {id}.

    Where it answers 200 whatever happened, `accepted_field` names the field of its answer that says so, and
    `accepted_values` what it holds then; `retry_values` are those that may change by trying again.
    """

    url: str
    body: Mapping[str, str]
    headers: Mapping[str, str]
    form: bool = False
    accepted_field: str = ""
    accepted_values: tuple[str, ...] = ()
    retry_values: tuple[str, ...] = ()
    without_marks: bool = True
    most_segments: int = 2

    @classmethod
    def read(cls, path: Path) -> "Provider":
        """From a JSON file with these names. Raises ValueError, OSError or TypeError for one that cannot be used."""
        kept: dict[str, Any] = json.loads(path.read_text("utf-8"))
        lists = {name: tuple(map(str, kept.get(name, ()))) for name in ("accepted_values", "retry_values")}
        return cls(**{"headers": {}, **kept, **lists})


class SmsGateway:
    """One provider."""

    def __init__(self, provider: Provider, client: httpx.AsyncClient) -> None:
        self.provider = provider
        self._client = client

    async def send(self, message_id: UUID, *, phone: str, text: str) -> Result:
        """Hand over one message and say what came of it; the id lets the provider know a repeat."""
        words = {"{phone}": phone, "{text}": text, "{id}": str(message_id)}
        body = {name: _spoken(value, words) for name, value in self.provider.body.items()}
        content: dict[str, Any] = {"data": body} if self.provider.form else {"json": body}
        try:
            answer = await self._client.post(
                self.provider.url, headers=dict(self.provider.headers), timeout=TIMEOUT_SECONDS, **content
            )
        except httpx.HTTPError as error:
            return Result(Outcome.RETRY, f"{type(error).__name__}: {error}")
        return self._result(answer)

    def _result(self, answer: httpx.Response) -> Result:
        said = f"{answer.status_code} {answer.text[:200]}"
        if answer.status_code >= 500 or answer.status_code in (408, 425, 429):
            return Result(Outcome.RETRY, said, answer.status_code)
        if answer.is_error or answer.is_redirect:
            return Result(Outcome.REFUSED, said, answer.status_code)
        if not self.provider.accepted_field:
            return Result(Outcome.ACCEPTED, said, answer.status_code)
        try:
            value = str(answer.json().get(self.provider.accepted_field, ""))
        except (ValueError, AttributeError):
            return Result(Outcome.RETRY, said, answer.status_code)
        if value in self.provider.accepted_values:
            return Result(Outcome.ACCEPTED, said, answer.status_code)
        outcome = Outcome.RETRY if value in self.provider.retry_values else Outcome.REFUSED
        return Result(outcome, said, answer.status_code)


def _spoken(template: str, words: Mapping[str, str]) -> str:
    for name, value in words.items():
        template = template.replace(name, value)
    return template
