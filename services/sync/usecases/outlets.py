"""The ways to destinations, as settings and destinations name them; each is made once and kept."""

from dataclasses import dataclass, field

import httpx

from services.sync.clients.ministry import Account, Ministry
from services.sync.clients.webhooks import Webhook
from services.sync.domain.deliveries import Outlet
from services.sync.domain.destinations import Destination, Kind

MINISTRY = "moet"


@dataclass
class Outlets:
    """Finds the way to a destination. Opened by wiring."""

    http: httpx.AsyncClient
    ministry: Ministry | None
    private_addresses: bool
    _webhooks: dict[tuple[str, str], Webhook] = field(default_factory=dict)

    def of(self, destination: Destination) -> Outlet | None:
        """The way to a destination; None: this process is not told how."""
        if destination.kind is Kind.MINISTRY:
            return self.ministry
        place = destination.code, destination.endpoint
        if place not in self._webhooks:
            self._webhooks[place] = Webhook(
                self.http,
                endpoint=destination.endpoint,
                secret=destination.secret,
                private_addresses=self.private_addresses,
            )
        return self._webhooks[place]


def ministry_of(http: httpx.AsyncClient, *, user: str, password: str) -> Ministry:
    """The way to the ministry by an HTTP client with its base address."""
    return Ministry(http, Account(user, password))
