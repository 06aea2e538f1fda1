"""Sends signed requests to addresses that people name, and says what came of it in the words of channels."""

from uuid import UUID

import httpx

from chassis import webhooks
from services.notify.domain.channels import Outcome, Result


class WebhookSender:
    """Sends; `private_allowed` is for trials on one machine only."""

    def __init__(self, client: httpx.AsyncClient, *, private_allowed: bool) -> None:
        self._client = client
        self._private_allowed = private_allowed

    async def check(self, url: str) -> None:
        """Raise AddressRefusedError for an address that may not be reached, NotDeliveredError for an unknown name."""
        await webhooks.checked_place(url, private_allowed=self._private_allowed)

    async def send(self, message_id: UUID, *, url: str, secret: str, body: bytes) -> Result:
        """Send one request and say what came of it."""
        delivery = webhooks.Delivery(str(message_id), url, secret, body)
        try:
            status = await webhooks.post(self._client, delivery, private_allowed=self._private_allowed)
        except webhooks.AddressRefusedError as refused:
            return Result(Outcome.REFUSED, str(refused), reason="ADDRESS_REFUSED")
        except webhooks.NotDeliveredError as error:
            return Result(Outcome.RETRY, str(error), reason=error.reason)
        return _result(status)


def _result(status: int) -> Result:
    """What is over 500, too early or too much may change; what is gone or not understood will not."""
    if httpx.codes.is_success(status):
        return Result(Outcome.ACCEPTED, f"{status}", status)
    if status >= 500 or status in (408, 409, 425, 429):
        return Result(Outcome.RETRY, f"{status}", status)
    return Result(Outcome.REFUSED, f"{status}", status)
