"""Deliveries to subscribers: signed, with an id that stays the same however often one is tried."""

from collections.abc import Sequence

import httpx

from chassis import webhooks
from services.sync.domain.deliveries import PackageTooLargeError, Parcel, UnreachableError, Verdict


class Webhook:
    """The way to one subscriber."""

    def __init__(self, http: httpx.AsyncClient, *, endpoint: str, secret: str, private_addresses: bool) -> None:
        self._http = http
        self._endpoint = endpoint
        self._secret = secret
        self._private = private_addresses

    async def push(self, parcel: Parcel) -> Sequence[Verdict]:
        """Deliver; an answer of the 200s takes all of it, anything else is tried again, 413 in smaller deliveries."""
        delivery = webhooks.Delivery(str(parcel.package_id), self._endpoint, self._secret, parcel.body)
        try:
            status = await webhooks.post(self._http, delivery, private_allowed=self._private)
        except webhooks.AddressRefusedError as error:
            raise _address_refused() from error
        except webhooks.NotDeliveredError as error:
            raise UnreachableError(
                "NO_CONNECTION",
                vi="Không kết nối được tới nơi nhận, hoặc nơi nhận không trả lời kịp.",
                en="The subscriber cannot be reached or does not answer in time.",
            ) from error
        if status == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
            raise PackageTooLargeError
        if not httpx.codes.is_success(status):
            raise UnreachableError(
                f"HTTP_{status}",
                vi=f"Nơi nhận trả lời {status}, cần 2xx.",
                en=f"The subscriber answers {status} where 2xx is needed.",
            )
        return [Verdict(one, taken=True) for one in parcel.record_ids]


async def check(endpoint: str, *, private_addresses: bool) -> None:
    """Raise `UnreachableError` for an endpoint that may not be called or whose name nobody knows."""
    try:
        await webhooks.checked_place(endpoint, private_allowed=private_addresses)
    except webhooks.AddressRefusedError as error:
        raise _address_refused() from error
    except webhooks.NotDeliveredError as error:
        raise UnreachableError(
            "NO_CONNECTION",
            vi="Không tìm thấy địa chỉ của nơi nhận.",
            en="The subscriber's name cannot be resolved.",
        ) from error


def _address_refused() -> UnreachableError:
    """The address is inside, or none."""
    return UnreachableError(
        "ADDRESS_REFUSED",
        vi="Địa chỉ của nơi nhận thuộc mạng nội bộ nên không được gọi.",
        en="The subscriber's address is not of the public internet and is not called.",
    )
